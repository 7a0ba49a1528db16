package sqlstore_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
	"videopatrol/streams"
	"videopatrol/streams/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(sqldbtest.M{M: m}) }

var ten = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func open(tb testing.TB, url string) (*sqlstore.Store, *sqldb.DB) {
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
	s, err := sqlstore.New(tb.Context(), db)
	if err != nil {
		tb.Fatal(err)
	}
	return s, db
}

func hours(t *testing.T, s *sqlstore.Store, from, to time.Time) (list []streams.Hour) {
	t.Helper()
	if err := s.Each(t.Context(), from, to, func(h streams.Hour) error {
		list = append(list, h)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestHours(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		ctx := t.Context()
		s, _ := open(t, url)
		if h, err := s.Newest(ctx); err != nil || !h.Begin.IsZero() {
			t.Errorf("an empty ledger's newest hour: %+v %v", h, err)
		}
		put := func(h streams.Hour) {
			t.Helper()
			if err := s.Put(ctx, h, h.Begin.Add(-2*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		first := streams.Hour{Begin: ten, Closed: ten.Add(time.Hour), Lines: []streams.Line{
			{Cell: "", Tier: inventory.TierLow, Outcome: streams.Excused, Minutes: 1},
			{Cell: "s1", Tier: inventory.TierHigh, Outcome: streams.Watched, Minutes: 1 << 40},
			{Cell: "s1", Tier: inventory.TierLow, Outcome: "dark", Minutes: 7},
			{Cell: "s12", Tier: inventory.TierHigh, Outcome: "dark", Minutes: 8},
		}}
		second := streams.Hour{Begin: ten.Add(time.Hour), Closed: ten.Add(time.Hour + time.Minute)}
		put(first)
		put(second)
		second.Closed = second.Closed.Add(time.Minute)
		second.Lines = first.Lines[:1]
		put(second) // a minute later
		s, _ = open(t, url)
		if got := hours(t, s, ten, ten.Add(3*time.Hour)); !reflect.DeepEqual(got, []streams.Hour{first, second}) {
			t.Errorf("got %+v", got)
		}
		if got := hours(t, s, ten.Add(time.Second), ten.Add(time.Hour)); len(got) != 0 {
			t.Errorf("no hour begins there: %+v", got)
		}
		if h, err := s.Newest(ctx); err != nil || !reflect.DeepEqual(h, second) {
			t.Errorf("newest is %+v %v", h, err)
		}
		put(streams.Hour{Begin: ten.Add(3 * time.Hour), Closed: ten.Add(4 * time.Hour)}) // forgets the first
		if got := hours(t, s, ten, ten.Add(9*time.Hour)); len(got) != 2 || !got[0].Begin.Equal(second.Begin) {
			t.Errorf("what is too old is kept: %+v", got)
		}
		enough := errors.New("enough")
		if err := s.Each(ctx, ten, ten.Add(9*time.Hour), func(streams.Hour) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBrokenBlobs(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s, db := open(t, url)
		for _, blob := range [][]byte{{}, {9}, {1}, {1, 0xff, 0xff}, {1, 1, 4, 0, 0xfb, 0xff, 1, 1, 0x68, 9}} {
			if err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO coverage_hours (begins, closed, lines) VALUES ($1, $2, $3)
					ON CONFLICT (begins) DO UPDATE SET lines = excluded.lines`, sqldb.Micros(ten), sqldb.Micros(ten), blob)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Newest(t.Context()); err == nil || !strings.Contains(err.Error(), "2026-11-23T10:00:00Z") {
				t.Errorf("blob %x: got %v, want an error that names the hour", blob, err)
			}
		}
	})
}

// TestLines: whatever lines there are come back.
func TestLines(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s, _ := open(t, url)
		rapid.Check(t, func(rt *rapid.T) {
			type kind struct {
				cell, tier, outcome string
			}
			counts := rapid.MapOf(rapid.Custom(func(rt *rapid.T) kind {
				return kind{rapid.StringN(0, 9, -1).Draw(rt, "cell"), rapid.SampledFrom([]string{"high", "low", ""}).Draw(rt, "tier"), rapid.StringN(0, 3, -1).Draw(rt, "outcome")}
			}), rapid.Int64Range(1, 1<<60)).Draw(rt, "counts")
			h := streams.Hour{Begin: ten, Closed: ten}
			for k, n := range counts {
				h.Lines = append(h.Lines, streams.Line{Cell: k.cell, Tier: inventory.Tier(k.tier), Outcome: streams.Outcome(k.outcome), Minutes: n})
			}
			if err := s.Put(t.Context(), h, ten); err != nil {
				rt.Fatal(err)
			}
			got, err := s.Newest(t.Context())
			if err != nil || len(got.Lines) != len(counts) {
				rt.Fatalf("%d lines came back of %d: %v", len(got.Lines), len(counts), err)
			}
			for _, l := range got.Lines {
				if counts[kind{l.Cell, string(l.Tier), string(l.Outcome)}] != l.Minutes {
					rt.Fatalf("a line came back as %+v", l)
				}
			}
		})
	})
}

// cityHour is an hour of a city of 180,000 cameras in 1,485 sub-cells, three
// in a hundred of them at fault.
func cityHour(at time.Time) streams.Hour {
	h := streams.Hour{Begin: at, Closed: at.Add(time.Hour)}
	reasons := streams.Reasons()
	for i := range 1485 {
		cell := fmt.Sprintf("3301%02d%03d%03d", i%19, i%178, i)
		for k, tier := range inventory.Tiers() {
			cameras := int64(40 + (i+k)%3)
			blind := int64(0)
			for n := range 1 + i%2 {
				minutes := int64((i*7+k*3+n*11+at.Hour()*5)%60 + 1)
				h.Lines = append(h.Lines, streams.Line{Cell: cell, Tier: tier, Outcome: streams.Outcome(reasons[(i+k+n*5)%len(reasons)]), Minutes: minutes})
				blind += minutes
			}
			h.Lines = append(h.Lines, streams.Line{Cell: cell, Tier: tier, Outcome: streams.Watched, Minutes: cameras*60 - blind})
		}
	}
	return h
}

// BenchmarkHour is what one minute costs the store, and thirty days on disk.
func BenchmarkHour(b *testing.B) {
	s, db := open(b, sqldbtest.URL(b, "sqlite"))
	at, n := ten, 0
	for b.Loop() {
		if err := s.Put(b.Context(), cityHour(at), at.Add(-streams.LedgerKept)); err != nil {
			b.Fatal(err)
		}
		at, n = at.Add(time.Hour), n+1
	}
	var size int64
	if err := db.Read(b.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRowContext(b.Context(), `SELECT max(length(lines)) FROM coverage_hours`).Scan(&size)
	}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(size), "B/hour")
	b.ReportMetric(float64(size*720)/1e6, "MB/30days")
}

// BenchmarkEach is what a day costs to read.
func BenchmarkEach(b *testing.B) {
	s, _ := open(b, sqldbtest.URL(b, "sqlite"))
	for i := range 24 {
		if err := s.Put(b.Context(), cityHour(ten.Add(time.Duration(i)*time.Hour)), ten); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		lines := 0
		if err := s.Each(b.Context(), ten, ten.Add(24*time.Hour), func(h streams.Hour) error {
			lines += len(h.Lines)
			return nil
		}); err != nil || lines == 0 {
			b.Fatal(lines, err)
		}
	}
}

func TestReasonsSurvive(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s, _ := open(t, url)
		h := streams.Hour{Begin: ten, Closed: ten}
		for _, r := range streams.BlindReasons() {
			h.Lines = append(h.Lines, streams.Line{Cell: "s", Tier: inventory.TierHigh, Outcome: streams.Outcome(r), Minutes: 1})
		}
		if err := s.Put(t.Context(), h, ten); err != nil {
			t.Fatal(err)
		}
		got, err := s.Newest(t.Context())
		if err != nil || !slices.Equal(got.Lines, h.Lines) {
			t.Errorf("got %+v, %v", got.Lines, err)
		}
	})
}
