package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
	"videopatrol/inventory/sqlstore"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(sqldbtest.M{M: m}) }

const password = "s3cret-Pa55-wörd"

var key = bytes.Repeat([]byte{7}, sqlstore.KeySize)

func openDB(tb testing.TB, url string) *sqldb.DB {
	tb.Helper()
	db, err := sqldb.Open(context.Background(), sqldb.Options{
		URL:   url,
		Clock: func() time.Time { return time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func newStore(tb testing.TB, db *sqldb.DB, keys ...[]byte) *sqlstore.Store {
	tb.Helper()
	if len(keys) == 0 {
		keys = [][]byte{key}
	}
	s, err := sqlstore.New(context.Background(), sqlstore.Options{DB: db, Keys: keys})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func camera(id string, lat float64) inventory.Camera {
	return inventory.Camera{
		ID: id, Name: "摄像机 " + id, Owner: "城管", Position: inventory.Position{Lat: lat, Lon: 0.5},
		Streams: inventory.Streams{Main: "rtsp://h/" + id, Sub: "rtsp://h/sub", Still: "http://h/still"},
		Login:   inventory.Login{Username: "admin", Password: password},
		Patrol:  inventory.Patrol{Tier: inventory.TierNormal, Interval: time.Minute},
		Zones: []inventory.Zone{
			{ID: "here", Kind: inventory.ZoneFireLane, Area: inventory.Polygon{{X: 0.1, Y: 0.2}, {X: 1, Y: 0}, {X: 0, Y: 1}}, Dwell: 20 * time.Second},
			{
				ID: "there", Kind: inventory.ZoneClosedArea, Area: inventory.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 0, Y: 1}},
				Position: &inventory.Position{Lat: 1.5, Lon: 0.5},
				Hours:    []inventory.Hours{{From: 1320, To: 360, Days: []time.Weekday{time.Monday}}},

				Perspective: []inventory.Ruler{{Y: 0.4, Height: 0.1}, {Y: 0.9, Height: 0.35}},
				Preset:      "lorries", Params: inventory.Params{"dwell": "30s"},
			},
		},
		Masks: []inventory.Polygon{{{X: 0, Y: 0}, {X: 0.1, Y: 0}, {X: 0, Y: 0.1}}},
	}
}

// square is a sub-cell one degree high, from lat on.
func square(id string, lat float64) inventory.Cell {
	return inventory.Cell{ID: id, Name: "网格 " + id, Level: inventory.LevelSubcell, Area: [][][]inventory.Position{{{
		{Lat: lat, Lon: 0}, {Lat: lat, Lon: 1}, {Lat: lat + 1, Lon: 1}, {Lat: lat + 1, Lon: 0}, {Lat: lat, Lon: 0},
	}}}}
}

func apply(tb testing.TB, s *sqlstore.Store, c inventory.Change) inventory.Revision {
	tb.Helper()
	c.Base = snapshot(tb, s).Revision
	rev, err := s.Apply(context.Background(), c)
	if err != nil {
		tb.Fatal(err)
	}
	return rev
}

func snapshot(tb testing.TB, s *sqlstore.Store) inventory.Snapshot {
	tb.Helper()
	snap, err := s.Snapshot(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return snap
}

// describe is a snapshot without its revision, passwords included.
func describe(snap inventory.Snapshot) string {
	var b strings.Builder
	for _, c := range snap.Cameras {
		body, _ := json.Marshal(c)
		fmt.Fprintf(&b, "%s %s/%s\n", body, c.Login.Username, c.Login.Password.Reveal())
	}
	for _, c := range snap.Grid.Cells {
		fmt.Fprintf(&b, "%+v\n", c)
	}
	return b.String()
}

func TestApplyAndReload(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := openDB(t, url)
		s := newStore(t, db)
		if snap := snapshot(t, s); snap.Revision != 0 || len(snap.Cameras) != 0 || snap.Grid == nil {
			t.Errorf("an empty store holds %+v", snap)
		}
		rev := apply(t, s, inventory.Change{
			Cameras: []inventory.Camera{camera("b", 0.5), camera("a", 7)},
			Cells:   []inventory.Cell{square("one", 0), square("two", 1)}, By: "duty", Note: "first",
		})
		want := inventory.Revision{ID: 1, At: time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC), By: "duty", Note: "first", New: 2}
		if rev != want {
			t.Errorf("revision %+v, want %+v", rev, want)
		}
		snap := snapshot(t, s)
		if snap.Revision != 1 || len(snap.Cameras) != 2 || snap.Cameras[0].ID != "a" {
			t.Errorf("snapshot %+v", snap)
		}
		b := snap.Cameras[1]
		if b.Cell != "one" || b.Zones[0].Cell != "one" || b.Zones[1].Cell != "two" || snap.Cameras[0].Cell != "" {
			t.Errorf("cells: camera %q, zones %q, %q; the one outside %q", b.Cell, b.Zones[0].Cell, b.Zones[1].Cell, snap.Cameras[0].Cell)
		}

		moved := camera("b", 1.5)
		rev = apply(t, s, inventory.Change{Cameras: []inventory.Camera{moved, camera("c", 0.1), camera("a", 7)}})
		if rev.New != 1 || rev.Changed != 1 || rev.Removed != 0 {
			t.Errorf("second revision %+v", rev)
		}
		rev = apply(t, s, inventory.Change{Remove: []string{"a"}, Cells: []inventory.Cell{square("three", 1)}})
		if rev.Removed != 1 || snapshot(t, s).Cameras[0].Cell != "three" {
			t.Errorf("after the grid changed: %+v, camera in %q", rev, snapshot(t, s).Cameras[0].Cell)
		}
		if got, want := describe(snapshot(t, newStore(t, db))), describe(snapshot(t, s)); got != want {
			t.Errorf("loaded anew:\n%s\nwant:\n%s", got, want)
		}
		if snap.Revision != 1 || len(snap.Cameras) != 2 || snap.Cameras[1].Cell != "one" {
			t.Error("a snapshot changed under its reader")
		}
		list, err := s.Revisions(t.Context(), 2)
		if err != nil || len(list) != 2 || list[0].ID != 3 || list[1].ID != 2 {
			t.Errorf("revisions %+v, %v", list, err)
		}
	})
}

func TestNothingToDo(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s := newStore(t, openDB(t, url))
		if rev := apply(t, s, inventory.Change{}); rev.ID != 0 {
			t.Errorf("an empty change made revision %d", rev.ID)
		}
		c := inventory.Change{Cameras: []inventory.Camera{camera("a", 1)}, Cells: []inventory.Cell{square("one", 0)}}
		first := apply(t, s, c)
		if again := apply(t, s, c); again != first {
			t.Errorf("the same change again made %+v", again)
		}
	})
}

func TestApplyRefuses(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s := newStore(t, openDB(t, url))
		apply(t, s, inventory.Change{Cameras: []inventory.Camera{camera("a", 1)}})
		before := describe(snapshot(t, s))
		for name, tt := range map[string]struct {
			c    inventory.Change
			want error
		}{
			"stale":            {inventory.Change{Base: 0, Remove: []string{"a"}}, inventory.ErrConflict},
			"unknown camera":   {inventory.Change{Base: 1, Remove: []string{"x"}}, inventory.ErrNotFound},
			"twice":            {inventory.Change{Base: 1, Cameras: []inventory.Camera{camera("x", 1), camera("x", 2)}}, nil},
			"kept and removed": {inventory.Change{Base: 1, Cameras: []inventory.Camera{camera("a", 2)}, Remove: []string{"a"}}, nil},
			"without an id":    {inventory.Change{Base: 1, Cameras: []inventory.Camera{camera("", 2)}}, nil},
		} {
			_, err := s.Apply(t.Context(), tt.c)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if describe(snapshot(t, s)) != before {
			t.Error("a refused change left something behind")
		}
	})
}

func TestAnotherWriter(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := openDB(t, url)
		s, other := newStore(t, db), newStore(t, db)
		apply(t, other, inventory.Change{Cameras: []inventory.Camera{camera("a", 1)}})
		if _, err := s.Apply(t.Context(), inventory.Change{Cameras: []inventory.Camera{camera("b", 1)}}); !errors.Is(err, inventory.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
	})
}

// TestFollow: what another gateway changes counts here, too, and is no conflict
// any more.
func TestFollow(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := openDB(t, url)
		s, other := newStore(t, db), newStore(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Follow(ctx, time.Millisecond) }()
		apply(t, other, inventory.Change{Cells: []inventory.Cell{square("c1", 1)}, Cameras: []inventory.Camera{camera("a", 1.5)}})
		snap, err := s.Wait(t.Context(), 0)
		if err != nil || describe(snap) != describe(snapshot(t, other)) || snap.Revision != 1 {
			t.Errorf("revision %d: %s, %v; want %s", snap.Revision, describe(snap), err, describe(snapshot(t, other)))
		}
		apply(t, s, inventory.Change{Remove: []string{"a"}})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestUndo(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := openDB(t, url)
		s := newStore(t, db)
		ctx := t.Context()
		states := []string{describe(snapshot(t, s))}
		step := func(c inventory.Change) {
			apply(t, s, c)
			states = append(states, describe(snapshot(t, s)))
		}
		renamed := camera("a", 0.5)
		renamed.Name, renamed.Login.Password = "renamed", "another"
		step(inventory.Change{Cameras: []inventory.Camera{camera("a", 0.5), camera("b", 0.5)}, Cells: []inventory.Cell{square("one", 0)}}) // 1
		step(inventory.Change{Cameras: []inventory.Camera{renamed}})                                                                       // 2
		step(inventory.Change{Remove: []string{"a"}, Cells: []inventory.Cell{square("two", 0)}})                                           // 3

		undo := func(revision int64, want error) inventory.Revision {
			t.Helper()
			rev, err := s.Undo(ctx, revision, "duty")
			if !errors.Is(err, want) {
				t.Fatalf("undo %d: %v, want %v", revision, err, want)
			}
			return rev
		}
		is := func(state int) {
			t.Helper()
			if got := describe(snapshot(t, s)); got != states[state] {
				t.Errorf("got:\n%s\nwant state %d:\n%s", got, state, states[state])
			}
			if got := describe(snapshot(t, newStore(t, db))); got != states[state] {
				t.Errorf("loaded anew:\n%s\nwant state %d:\n%s", got, state, states[state])
			}
		}
		undo(99, inventory.ErrNotFound)
		undo(0, inventory.ErrNotFound)
		undo(1, inventory.ErrConflict) // 2 and 3 touched a
		undo(2, inventory.ErrConflict) // 3 removed it
		rev := undo(3, nil)            // 4
		if rev.ID != 4 || rev.Undoes != 3 || rev.New != 1 || rev.By != "duty" {
			t.Errorf("undo made %+v", rev)
		}
		is(2)
		undo(3, inventory.ErrConflict) // undone already
		undo(4, nil)                   // 5: bring it back
		is(3)
		undo(3, nil) // 6
		is(2)
		undo(2, nil) // 7: 3 to 6 cancel out
		is(1)
		undo(1, nil) // 8
		is(0)
		undo(8, nil) // 9
		is(1)
	})
}

func TestUndoLeavesOthersAlone(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s := newStore(t, openDB(t, url))
		apply(t, s, inventory.Change{Cameras: []inventory.Camera{camera("a", 1)}})
		apply(t, s, inventory.Change{Cameras: []inventory.Camera{camera("b", 1)}})
		if _, err := s.Undo(t.Context(), 1, "duty"); err != nil {
			t.Fatal(err)
		}
		if snap := snapshot(t, s); len(snap.Cameras) != 1 || snap.Cameras[0].ID != "b" {
			t.Errorf("left: %v", snap.Cameras)
		}
	})
}

func TestWait(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s := newStore(t, openDB(t, url))
		got := make(chan int64)
		go func() {
			defer close(got)
			snap, err := s.Wait(t.Context(), 0)
			if err != nil {
				t.Error(err)
			}
			got <- snap.Revision
		}()
		apply(t, s, inventory.Change{Cameras: []inventory.Camera{camera("a", 1)}})
		if rev := <-got; rev != 1 {
			t.Errorf("told of revision %d", rev)
		}
		<-got
		if snap, err := s.Wait(t.Context(), 0); err != nil || snap.Revision != 1 {
			t.Errorf("a revision that is there already: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// TestPasswordStaysInside looks for the password in every byte that the store
// leaves behind or says.
func TestPasswordStaysInside(t *testing.T) {
	sqldbtest.Each(t, testPasswordStaysInside)
}

func testPasswordStaysInside(t *testing.T, url string) {
	t.Helper()
	db := openDB(t, url)
	var log bytes.Buffer
	s, err := sqlstore.New(t.Context(), sqlstore.Options{DB: db, Keys: [][]byte{key}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	changed := camera("a", 1)
	changed.Login.Password += "2"
	apply(t, s, inventory.Change{Cameras: []inventory.Camera{camera("a", 1), camera("b", 1)}})
	apply(t, s, inventory.Change{Cameras: []inventory.Camera{changed}, Remove: []string{"b"}})
	if _, err := s.Undo(t.Context(), 2, "duty"); err != nil {
		t.Fatal(err)
	}
	_, conflict := s.Undo(t.Context(), 2, "duty") // undone already
	_, twice := s.Apply(t.Context(), inventory.Change{Base: 3, Cameras: []inventory.Camera{camera("x", 1), camera("x", 1)}})
	snap := snapshot(t, s)
	body, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]byte{"log": log.Bytes(), "JSON": body, "errors": fmt.Appendf(nil, "%v %v %+v", conflict, twice, snap)}
	look := func() {
		t.Helper()
		record := bytes.Join(slices.Collect(maps.Values(left(t, db, url))), nil)
		said["record"] = record
		for where, b := range said {
			for _, form := range []string{password, password[:8], hex.EncodeToString([]byte(password)), base64.StdEncoding.EncodeToString([]byte(password))} {
				if bytes.Contains(b, []byte(form)) {
					t.Errorf("the password is in the %s, as %q", where, form)
				}
			}
		}
		if !bytes.Contains(record, []byte("rtsp://h/a")) {
			t.Error("the record does not even hold the address: looked in the wrong place")
		}
	}
	look() // on SQLite with the write-ahead log
	if strings.HasPrefix(url, "sqlite:") {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		look() // and after it was merged
	}
	if snap.Cameras[0].Login.Password.Reveal() != password {
		t.Error("the password itself is lost")
	}
}

// left is what a database keeps: the files of SQLite, the rows of PostgreSQL.
func left(t *testing.T, db *sqldb.DB, url string) map[string][]byte {
	t.Helper()
	kept := map[string][]byte{}
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		files, _ := filepath.Glob(path + "*")
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			kept[f] = b
		}
		return kept
	}
	if err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
		for _, table := range []string{"cameras", "camera_history", "revisions", "grids"} {
			rows, err := sqldb.All(t.Context(), tx, func(r *sql.Rows) (s string, err error) { return s, r.Scan(&s) },
				"SELECT CAST(x AS TEXT) FROM "+table+" x")
			if err != nil {
				return err
			}
			kept[table] = []byte(strings.Join(rows, "\n"))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestKeys(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := openDB(t, url)
		s := newStore(t, db)
		apply(t, s, inventory.Change{Cameras: []inventory.Camera{camera("a", 1), camera("b", 1)}})
		apply(t, s, inventory.Change{Remove: []string{"b"}})
		fresh := bytes.Repeat([]byte{9}, sqlstore.KeySize)
		load := func(keys ...[]byte) (*sqlstore.Store, error) {
			return sqlstore.New(t.Context(), sqlstore.Options{DB: db, Keys: keys})
		}
		if _, err := load(fresh); err == nil || !strings.Contains(err.Error(), "add the old key") {
			t.Errorf("with another key: %v", err)
		}
		s, err := load(fresh, key)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.Rekey(t.Context()); err != nil || n != 2 {
			t.Errorf("rekeyed %d, %v; want the one in use and the one in the history", n, err)
		}
		if n, err := s.Rekey(t.Context()); err != nil || n != 0 {
			t.Errorf("rekeyed %d again, %v", n, err)
		}
		if _, err = load(key); err == nil {
			t.Error("the old key still opens the store")
		}
		if s, err = load(fresh); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Undo(t.Context(), 2, "duty"); err != nil {
			t.Error(err)
		}
		for _, c := range snapshot(t, s).Cameras {
			if c.Login.Password.Reveal() != password {
				t.Errorf("camera %s has another password", c.ID)
			}
		}
		// A ciphertext belongs to its camera.
		if err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE cameras SET password = (SELECT password FROM cameras WHERE id = $1) WHERE id = $2`, "a", "b")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := load(fresh); err == nil || !strings.Contains(err.Error(), "camera b") {
			t.Errorf("with swapped ciphertexts: %v", err)
		}
		for _, keys := range [][][]byte{nil, {[]byte("short")}} {
			if _, err := load(keys...); err == nil || strings.Contains(err.Error(), "short") {
				t.Errorf("keys %q: %v", keys, err)
			}
		}
	})
}

func TestSchema(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := openDB(t, url)
		newStore(t, db)
		sqldbtest.Schema(t, db, url, *update)
	})
}

func many(n int) []inventory.Camera {
	all := make([]inventory.Camera, n)
	for i := range all {
		all[i] = camera(fmt.Sprintf("cam-%06d", i), float64(i%80))
	}
	return all
}

func BenchmarkApply60000(b *testing.B) {
	cameras := many(60_000)
	for b.Loop() {
		s := newStore(b, openDB(b, sqldbtest.URL(b, "sqlite")))
		apply(b, s, inventory.Change{Cameras: cameras})
	}
}

func BenchmarkLoad60000(b *testing.B) {
	db := openDB(b, sqldbtest.URL(b, "sqlite"))
	apply(b, newStore(b, db), inventory.Change{Cameras: many(60_000)})
	for b.Loop() {
		newStore(b, db)
	}
}
