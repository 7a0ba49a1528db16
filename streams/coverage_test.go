package streams_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// shelf is a ledger's store in memory, which can fail.
type shelf struct {
	mu    sync.Mutex
	hours map[time.Time]streams.Hour
	err   error
}

func newShelf() *shelf { return &shelf{hours: map[time.Time]streams.Hour{}} }

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Newest implements streams.Ledger.
func (s *shelf) Newest(context.Context) (newest streams.Hour, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, h := range s.hours {
		if at.After(newest.Begin) {
			newest = h
		}
	}
	return newest, s.err
}

// Put implements streams.Ledger.
func (s *shelf) Put(_ context.Context, h streams.Hour, forget time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.hours[h.Begin] = h
	maps.DeleteFunc(s.hours, func(at time.Time, _ streams.Hour) bool { return at.Before(forget) })
	return nil
}

// Each implements streams.Ledger.
func (s *shelf) Each(_ context.Context, from, to time.Time, f func(streams.Hour) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range slices.SortedFunc(maps.Keys(s.hours), time.Time.Compare) {
		if at.Before(from) || !at.Before(to) {
			continue
		}
		if err := f(s.hours[at]); err != nil {
			return err
		}
	}
	return s.err
}

// sums adds up lines by outcome.
func sums(lines []streams.Line) map[streams.Outcome]int64 {
	sum := map[streams.Outcome]int64{}
	for _, l := range lines {
		sum[l.Outcome] += l.Minutes
	}
	return sum
}

// all are the lines of every hour.
func (s *shelf) all() (lines []streams.Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hours {
		lines = append(lines, h.Lines...)
	}
	return lines
}

func (s *shelf) wants(t *testing.T, want map[streams.Outcome]int64) {
	t.Helper()
	if got := sums(s.all()); !maps.Equal(got, want) {
		t.Errorf("%v: the ledger has %v, want %v", time.Now().UTC().Format("15:04:05"), got, want)
	}
}

var city2 = inventory.NewGrid([]inventory.Cell{
	{ID: "town", Level: inventory.LevelTown},
	{ID: "cell-1", Level: inventory.LevelCell, Parent: "town"},
	{ID: "cell-2", Level: inventory.LevelCell, Parent: "town"},
	{ID: "sub-1", Level: inventory.LevelSubcell, Parent: "cell-1"},
	{ID: "sub-2", Level: inventory.LevelSubcell, Parent: "cell-2"},
})

// patrolled runs a manager with a ledger for one story.
func patrolled(t *testing.T, store streams.Ledger, o streams.Options, cameras []inventory.Camera, story func(b *bench)) {
	t.Helper()
	b := &bench{t: t, city: newCity(), desk: &desk{}}
	o.Opener, o.Sink, o.Ledger, o.Rand = b.city, dusk{b.desk}, store, func() float64 { return 0.5 }
	var err error
	if b.m, err = streams.New(o); err != nil {
		t.Fatal(err)
	}
	b.desk.m = b.m
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	b.m.Reconcile(inventory.Snapshot{Cameras: cameras, Grid: city2})
	go func() { ended <- b.m.Run(ctx) }()
	story(b)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// dusk is a sink that finds the camera named dark dark, from 0:40 to 0:42.
type dusk struct{ *desk }

func (d dusk) Offer(s streams.Sample) {
	if m := s.Unit.Received.Minute(); s.Camera != "dark" || m < 40 || m > 41 {
		d.desk.Offer(s)
		return
	}
	d.m.Report(streams.Verdict{Camera: s.Camera, At: s.Unit.Received, Reason: streams.ReasonDark})
}

// placed are cameras in two cells, by name.
func placed(names ...string) []inventory.Camera {
	list := make([]inventory.Camera, len(names))
	for i, n := range names {
		list[i] = camera(n, "h-"+n)
		list[i].Cell = fmt.Sprintf("sub-%d", i%2+1)
	}
	return list
}

// TestAnHour: one camera plays, one cannot be reached for some minutes, one has
// the wrong password, one is dark for a while, and one is switched off.
func TestAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, reg := newShelf(), prometheus.NewRegistry()
		cameras := placed("fine", "gone", "locked", "dark", "off")
		cameras[4].Disabled = true
		patrolled(t, store, streams.Options{Registerer: reg}, cameras, func(b *bench) {
			b.city.set("locked", refuse(streams.ReasonAuth))
			b.city.set("gone", func(ctx context.Context, _ int, s *fakeSession) error {
				if m := time.Now().Minute(); m >= 20 && m < 30 {
					return streams.Errorf(streams.ReasonUnreachable, "no route")
				}
				grant(ctx)
				for time.Now().Minute() != 20 {
					s.key()
					if !pause(ctx, 2*time.Second) {
						return nil
					}
				}
				return streams.Errorf(streams.ReasonClosed, "gone")
			})
			after(60*time.Minute + 31*time.Second)
			store.wants(t, map[streams.Outcome]int64{
				"not_visited": 4, "auth": 59, "closed": 1, "unreachable": 10, "dark": 2, streams.Watched: 164,
			})
			text, _ := scrape(t, reg)
			for _, want := range []string{
				`patrol_coverage_ratio{grid="cell-1"} 0.49`, `patrol_coverage_ratio{grid="cell-2"} 0.8`,
				`patrol_coverage_seconds_total{outcome="blind"} 4560`, `patrol_coverage_seconds_total{outcome="watched"} 9840`,
			} {
				if !strings.Contains(text, want) {
					t.Errorf("no %s in the metrics", want)
				}
			}
		})
	})
}

// TestNoSilentGap: a gateway that stops and starts again leaves no minute out,
// and the hour goes on.
func TestNoSilentGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, cameras := newShelf(), placed("a", "b")
		patrolled(t, store, streams.Options{}, cameras, func(*bench) { after(10*time.Minute + 20*time.Second) })
		// Stopped at 0:10:20: ten minutes each, the first one half lived.
		store.wants(t, map[streams.Outcome]int64{streams.Watched: 18, "not_visited": 2})
		time.Sleep(65 * time.Minute) // down from 0:10 to 1:15
		patrolled(t, store, streams.Options{}, cameras, func(b *bench) {
			after(10*time.Minute + 20*time.Second) // 1:25:40, closed up to 1:25
			store.wants(t, map[streams.Outcome]int64{
				streams.Watched: 18 + 2*9, "not_visited": 2, streams.Outcome(streams.ReasonGatewayDown): 2 * 66,
			})
			b.m.Reconcile(inventory.Snapshot{Cameras: cameras[:1], Grid: city2})
			after(5 * time.Minute)
		})
		// The one that left counts to the minute before; 1:30 is closed, 1:25 was its last.
		got := sums(store.all())
		if total := got[streams.Watched] + got["not_visited"] + got["gateway_down"]; total != 90+85 {
			t.Errorf("%d camera-minutes, want %d: %v", total, 90+85, got)
		}
	})
}

// TestTheStoreFails for a while: nothing is lost.
func TestTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		patrolled(t, store, streams.Options{}, placed("a"), func(*bench) { after(5 * time.Minute) })
		store.fail(errors.New("disk full"))
		time.Sleep(5 * time.Minute)
		patrolled(t, store, streams.Options{}, placed("a"), func(*bench) {
			after(130 * time.Minute)
			store.fail(nil)
			after(2 * time.Minute)
		})
		store.wants(t, map[streams.Outcome]int64{"not_visited": 1 + 1, "gateway_down": 5, streams.Watched: 4 + 131})
	})
}

// TestMaintenance: blind minutes are excused, watched ones stay watched, and
// the state still shows what is wrong.
func TestMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, reg := newShelf(), prometheus.NewRegistry()
		begin := time.Now()
		window := func(from, to int, cameras, cells []string) inventory.Maintenance {
			return inventory.Maintenance{
				Cameras: cameras, Cells: cells, From: begin.Add(time.Duration(from) * time.Minute), To: begin.Add(time.Duration(to) * time.Minute),
			}
		}
		patrolled(t, store, streams.Options{Registerer: reg}, placed("a", "b", "c"), func(b *bench) {
			b.city.set("b", refuse(streams.ReasonUnreachable))
			b.city.set("c", refuse(streams.ReasonUnreachable))
			b.m.Maintain([]inventory.Maintenance{
				window(10, 20, []string{"a", "b"}, nil), window(30, 40, nil, []string{"town"}), window(15, 16, []string{"c"}, []string{"sub-2"}),
			})
			after(15*time.Minute + time.Second)
			for camera, want := range map[string]bool{"a": true, "b": true, "c": true, "d": false} {
				if b.m.Excused(camera, time.Now()) != want {
					t.Errorf("%s is excused: %t", camera, !want)
				}
			}
			b.is("b", streams.StateOffline, streams.ReasonUnreachable)
			if text, _ := scrape(t, reg); !strings.Contains(text, `patrol_blind_cameras{reason="unreachable"} 0`) {
				t.Error("cameras under maintenance count as blind")
			}
			after(10 * time.Minute)
			if text, _ := scrape(t, reg); !strings.Contains(text, `patrol_blind_cameras{reason="unreachable"} 2`) {
				t.Error("after the maintenance they do not count as blind")
			}
			after(35 * time.Minute)
			store.wants(t, map[streams.Outcome]int64{
				streams.Watched: 58, "not_visited": 3, streams.Excused: 10 + 1 + 2*10, "unreachable": 2*58 - 31,
			})
		})
	})
}

// TestTheClockJumps: ahead it leaves minutes that nobody lived through, back it
// counts none twice.
func TestTheClockJumps(t *testing.T) {
	c := streams.NewCoverage(nil, ten)
	c.Reconcile(inventory.Snapshot{Cameras: placed("a", "b"), Grid: city2}, ten)
	a := c.Of("a")
	live := func(from, to float64) {
		for t := from; t < to; t += 5 {
			a.Due(s(t), s(t+7), s(t))
			a.Seen(s(t))
			c.CloseUntil(s(t))
		}
	}
	live(0, 300) // closes 10:00 to 10:03
	c.Reconcile(inventory.Snapshot{Cameras: placed("a"), Grid: city2}, s(900))
	live(900, 1200)
	live(600, 900) // back again: nothing
	live(1200, 1291)
	want := map[streams.Outcome]int64{"not_visited": 1 + 5, streams.Watched: 4 + 6, "gateway_down": 10 + 10}
	if got := sums(c.Lines()); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestEveryMinuteCounts: whatever comes and goes, and however often the
// gateway is restarted, each camera has one outcome for each minute.
func TestEveryMinuteCounts(t *testing.T) {
	type life struct {
		Lived, Down time.Duration
		Failing     []bool
	}
	rapid.Check(t, func(rt *rapid.T) {
		lives := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) life {
			return life{
				time.Duration(rapid.IntRange(1, 500).Draw(t, "lived")) * time.Second,
				time.Duration(rapid.IntRange(0, 8000).Draw(t, "down")) * time.Second,
				rapid.SliceOfN(rapid.Bool(), 4, 4).Draw(t, "failing"),
			}
		}), 1, 4).Draw(rt, "lives")
		synctest.Test(t, func(t *testing.T) {
			store, names, began := newShelf(), []string{"a", "b", "c", "d"}, time.Now()
			for _, l := range append(lives, life{Lived: 100 * time.Second, Failing: make([]bool, 4)}) {
				patrolled(t, store, streams.Options{}, placed(names...), func(b *bench) {
					for i, n := range names {
						if l.Failing[i] {
							b.city.set(n, refuse(streams.ReasonTimeout))
						}
					}
					b.m.Maintain([]inventory.Maintenance{{Cells: []string{"cell-1"}, From: began.Add(time.Minute), To: began.Add(9 * time.Minute)}})
					after(l.Lived)
				})
				time.Sleep(l.Down)
			}
			newest, _ := store.Newest(t.Context())
			total := int64(0)
			for _, n := range sums(store.all()) {
				total += n
			}
			if want := 4 * int64(newest.Closed.Sub(began)/time.Minute); total != want || newest.Closed.Before(time.Now().Add(-2*time.Minute)) {
				t.Errorf("%d camera-minutes up to %v, want %d after %+v", total, newest.Closed, want, lives)
			}
		})
	})
}

// BenchmarkCloseMinute is the cost of one minute's end for a whole city.
func BenchmarkCloseMinute(b *testing.B) {
	const n, subs = 180_000, 1485
	cells := make([]inventory.Cell, 0, subs+178)
	for i := range 178 {
		cells = append(cells, inventory.Cell{ID: fmt.Sprintf("3301%08d", i), Level: inventory.LevelCell})
	}
	for i := range subs {
		cells = append(cells, inventory.Cell{ID: fmt.Sprintf("3301%08d%03d", i%178, i), Level: inventory.LevelSubcell, Parent: cells[i%178].ID})
	}
	snap := inventory.Snapshot{Grid: inventory.NewGrid(cells), Cameras: make([]inventory.Camera, n)}
	for i := range snap.Cameras {
		snap.Cameras[i] = inventory.Camera{ID: fmt.Sprintf("3301%016d", i), Cell: cells[178+i%subs].ID, Patrol: inventory.Patrol{Tier: inventory.Tiers()[i%3]}}
	}
	c := streams.NewCoverage(nil, ten)
	c.Reconcile(snap, ten)
	all := make([]streams.Attention, n)
	for i := range all {
		all[i] = c.Of(snap.Cameras[i].ID)
	}
	now := ten
	for b.Loop() {
		b.StopTimer()
		for i, a := range all {
			if i%30 == 0 {
				a.Blind(now, streams.Reasons()[i/30%20])
				continue
			}
			a.Due(now.Add(5*time.Second), now.Add(20*time.Second), now)
			a.Seen(now.Add(6 * time.Second))
		}
		now = now.Add(time.Minute)
		b.StartTimer()
		c.CloseUntil(now.Add(streams.Settle))
	}
}
