package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/alerts"
	"videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(sqldbtest.M{M: m}) }

func onEach(t *testing.T, test func(t *testing.T, s *sqlstore.Store)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		test(t, open(t, url))
	})
}

func open(tb testing.TB, url string) *sqlstore.Store {
	tb.Helper()
	db, err := sqldb.Open(tb.Context(), sqldb.Options{URL: url})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	s, err := sqlstore.New(tb.Context(), db, "test")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func write(t *testing.T, s *sqlstore.Store, fn func(ctx context.Context, tx alerts.Tx) error) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx alerts.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func lead(id string) alerts.Lead {
	return alerts.Lead{
		ID: id, Kind: detect.KindIntrusion, Severity: alerts.SeverityHigh, State: alerts.LeadRaised, Version: 1,
		Camera: alerts.CameraRef{ID: "c1"}, RaisedAt: noon, Changed: noon, BeganAt: noon, LastSeenAt: noon,
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		t.Helper()
		key := detect.ConditionKey{Camera: "c1", Zone: "gate", Rule: "r"}
		if f, err := s.Condition(t.Context(), key, noon); err != nil || f != (alerts.Folded{}) {
			t.Fatalf("%+v, %v", f, err)
		}
		c := alerts.Condition{
			Key: key, Kind: detect.KindIntrusion, Began: noon, Watched: noon.Add(time.Second), LastSeen: noon.Add(time.Minute),
			Lead: "a", Pictures: 2,
		}
		write(t, s, func(ctx context.Context, tx alerts.Tx) error {
			_, err := tx.AddLead(ctx, lead("a"))
			return errors.Join(err, tx.SaveCondition(ctx, c), tx.KnowBegan(ctx, key, noon, "a"), tx.KnowBegan(ctx, key, noon, "b"))
		})
		for _, at := range []time.Time{noon, noon.Add(time.Hour)} {
			want := alerts.Folded{Condition: c}
			if at.Equal(noon) {
				want.Known = "a"
			}
			if f, err := s.Condition(t.Context(), key, at); err != nil || f != want {
				t.Errorf("got %+v, want %+v (%v)", f, want, err)
			}
		}
		if l, err := s.Lead(t.Context(), "a"); err != nil || !l.LastSeenAt.Equal(c.LastSeen) {
			t.Errorf("last seen %v, %v", l.LastSeenAt, err)
		}
		if all, err := s.Running(t.Context()); err != nil || len(all) != 1 || all[0] != (detect.Condition{Key: key, Kind: c.Kind, Began: noon}) {
			t.Errorf("running %+v, %v", all, err)
		}
		c.Ended, c.EndPicture = noon.Add(time.Hour), true
		write(t, s, func(ctx context.Context, tx alerts.Tx) error { return tx.SaveCondition(ctx, c) })
		if f, err := s.Condition(t.Context(), key, noon); err != nil || f.Condition != c {
			t.Errorf("got %+v, %v", f, err)
		}
		if all, err := s.Running(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("running %+v, %v", all, err)
		}
	})
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		t.Helper()
		ctx := t.Context()
		write(t, s, func(ctx context.Context, tx alerts.Tx) error {
			for _, version := range []int64{2, 1, 3} { // in no order
				for _, id := range []string{"a", "b"} {
					n := alerts.Notice{
						ID: fmt.Sprintf("%s-%d", id, version), Sink: "police", Lead: lead(id),
						Step: alerts.Step{Version: version, To: alerts.LeadRaised}, Orders: []alerts.Order{{ID: "o"}},
					}
					if err := tx.AddNotice(ctx, n); err != nil {
						return err
					}
				}
			}
			return nil
		})
		due := func(sink string, at time.Time, limit int) []string {
			all, err := s.Due(ctx, sink, at, limit)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, n := range all {
				if n.Lead.Camera.ID != "c1" || len(n.Orders) != 1 || n.Sink != sink {
					t.Errorf("notice %+v", n)
				}
				ids = append(ids, n.ID)
			}
			return ids
		}
		settle := func(id string, state alerts.NoticeState, next time.Time) {
			if err := s.Settle(ctx, alerts.Settlement{Sink: "police", ID: id, State: state, Tries: 1, At: noon, Next: next, Fault: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		want := func(what string, got []string, ids ...string) {
			if !slices.Equal(got, ids) {
				t.Errorf("%s: %v, want %v", what, got, ids)
			}
		}
		want("the first of each lead", due("police", noon, 9), "a-1", "b-1")
		want("no more than asked for", due("police", noon, 1), "a-1")
		want("another sink", due("fire", noon, 9))
		settle("a-1", alerts.NoticeSent, time.Time{})
		settle("b-1", alerts.NoticePending, noon.Add(time.Minute))
		want("b waits", due("police", noon, 9), "a-2")
		if next, err := s.NextDue(ctx, "police", noon); err != nil || !next.Equal(noon.Add(time.Minute)) {
			t.Errorf("next %v, %v", next, err)
		}
		want("b again", due("police", noon.Add(time.Minute), 9), "a-2", "b-1")
		if err := s.Hasten(ctx, "police"); err != nil {
			t.Fatal(err)
		}
		if got := due("police", noon, 9); len(got) != 2 {
			t.Errorf("hastened: %v", got)
		}
		settle("b-1", alerts.NoticeDead, time.Time{})
		want("after a dead letter", due("police", noon, 9), "a-2", "b-2")
		if next, err := s.NextDue(ctx, "police", noon); err != nil || !next.IsZero() {
			t.Errorf("next %v, %v", next, err)
		}
		backlog, err := s.Backlog(ctx)
		if err != nil || len(backlog) != 1 || backlog[0].Pending != 4 || backlog[0].Dead != 1 || backlog[0].Oldest.IsZero() {
			t.Errorf("backlog %+v, %v", backlog, err)
		}
		err = s.Write(ctx, func(tx alerts.Tx) error {
			return tx.AddNotice(ctx, alerts.Notice{ID: "again", Sink: "police", Lead: lead("a"), Step: alerts.Step{Version: 1}})
		})
		if err == nil {
			t.Error("one transition was written twice for one sink")
		}
	})
}

func TestEvidenceLead(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		t.Helper()
		write(t, s, func(ctx context.Context, tx alerts.Tx) error {
			for i, id := range []string{"b", "a", "c"} {
				l := lead(id)
				l.RaisedAt = noon.Add(time.Duration(-i) * time.Second)
				if n, err := tx.AddLead(ctx, l); err != nil || n != int64(i+1) {
					return fmt.Errorf("number %d: %w", n, err)
				}
				if err := tx.AddEvidence(ctx, id, alerts.Evidence{SHA256: "x", Phase: detect.PhaseBegin, TakenAt: noon}); err != nil {
					return err
				}
			}
			return nil
		})
		for of, want := range map[string]string{"": "b", "a": "a", "c": "c"} {
			if l, err := s.EvidenceLead(t.Context(), "x", of); err != nil || l.ID != want {
				t.Errorf("the lead %q of one frame: %s, %v", of, l.ID, err)
			}
		}
		for sha, of := range map[string]string{"y": "", "x": "d"} {
			if _, err := s.EvidenceLead(t.Context(), sha, of); !errors.Is(err, alerts.ErrNotFound) {
				t.Errorf("picture %s of lead %q: %v", sha, of, err)
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	s := open(f, sqldbtest.URL(f, "sqlite"))
	f.Add("1772366400000000.a")
	f.Add(".")
	f.Add("9223372036854775808.x")
	f.Fuzz(func(t *testing.T, cursor string) {
		page, err := s.Leads(t.Context(), alerts.LeadQuery{Cursor: cursor, Limit: 1})
		if err != nil && !errors.Is(err, alerts.ErrCursor) {
			t.Error(err)
		}
		if len(page.Leads) > 0 {
			t.Error("leads from nowhere")
		}
	})
}

func TestNeedsADatabase(t *testing.T) {
	t.Parallel()
	if _, err := sqlstore.New(t.Context(), nil, "test"); err == nil {
		t.Error("a store without a database")
	}
}
