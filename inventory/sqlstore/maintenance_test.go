package sqlstore_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
)

func TestMaintenance(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
		db, err := sqldb.Open(t.Context(), sqldb.Options{URL: url, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		s, ctx := newStore(t, db), t.Context()
		plan := func(from, to time.Duration) inventory.Maintenance {
			t.Helper()
			want := inventory.Maintenance{
				Cameras: []string{"a", "b"}, From: now.Add(from), To: now.Add(to), Reason: "new switch", By: "admin",
			}
			m, err := s.PlanMaintenance(ctx, want)
			want.ID, want.Planned, want.Cells = m.ID, now, []string{}
			if err != nil || !reflect.DeepEqual(m, want) {
				t.Fatalf("planned %+v, want %+v: %v", m, want, err)
			}
			return m
		}
		running, later := plan(0, time.Hour), plan(2*time.Hour, 3*time.Hour)
		if running.ID == later.ID {
			t.Error("two windows share an id")
		}
		now = now.Add(30 * time.Minute)
		ended, err := s.EndMaintenance(ctx, running.ID, "boss")
		if err != nil || !ended.To.Equal(now) || ended.EndedBy != "boss" {
			t.Errorf("ended %+v: %v", ended, err)
		}
		off, err := s.EndMaintenance(ctx, later.ID, "boss")
		if err != nil || !off.To.Equal(off.From) || off.Overlaps(off.From, off.From.Add(time.Hour)) {
			t.Errorf("called off %+v: %v", off, err)
		}
		if _, err := s.EndMaintenance(ctx, running.ID, "boss"); !errors.Is(err, inventory.ErrOver) {
			t.Errorf("ended twice: %v", err)
		}
		if _, err := s.EndMaintenance(ctx, 99, "boss"); !errors.Is(err, inventory.ErrNotFound) {
			t.Errorf("ended one that is not there: %v", err)
		}
		for after, want := range map[time.Duration][]inventory.Maintenance{
			-time.Hour: {ended, off}, 0: {off}, 2 * time.Hour: nil,
		} {
			if got, err := s.Maintenance(ctx, now.Add(after)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("ending after %v: %+v, want %+v: %v", after, got, want, err)
			}
		}
	})
}
