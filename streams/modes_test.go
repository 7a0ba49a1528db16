package streams_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// rhythmic plays key units at whole multiples of gop, whenever it is asked, and
// counts for how long its sessions play.
func rhythmic(gop time.Duration, played *time.Duration) script {
	return func(ctx context.Context, _ int, s *fakeSession) error {
		grant(ctx)
		begin := time.Now()
		defer func() { *played += time.Since(begin) }()
		for {
			for now := time.Now(); ; now = time.Now() {
				left := now.Truncate(gop).Add(gop).Sub(now)
				if !pause(ctx, min(left, time.Second)) {
					return nil
				}
				if s.r.Received(100); left <= time.Second {
					break
				}
			}
			s.key()
		}
	}
}

func visited(id string, every time.Duration) inventory.Camera {
	c := camera(id, id)
	c.Patrol.Interval = every
	return c
}

// TestModeFollowsTheInterval: below the point where both cost the same the
// session stays, above it every sample is a visit of its own.
func TestModeFollowsTheInterval(t *testing.T) {
	often, seldom := visited("often", 5*time.Second), visited("seldom", 10*time.Second)
	asked := visited("asked", 10*time.Second)
	asked.Patrol.Mode = inventory.ModeResident
	patrol(t, streams.Options{}, []inventory.Camera{often, seldom, asked}, func(b *bench) {
		after(2 * time.Minute)
		for id, want := range map[string]struct {
			mode     inventory.Mode
			sessions int
			samples  int
		}{
			"often":  {inventory.ModeResident, 1, 24},
			"asked":  {inventory.ModeResident, 1, 12},
			"seldom": {inventory.ModeVisit, 12, 12},
		} {
			s, _ := b.m.Status(id)
			if s.Mode != want.mode || s.Why == "" {
				t.Errorf("%s: mode %s (%s), want %s", id, s.Mode, s.Why, want.mode)
			}
			if n := len(b.city.of(id)); n < want.sessions-1 || n > want.sessions+1 {
				t.Errorf("%s: %d sessions, want %d", id, n, want.sessions)
			}
			if n := len(b.desk.of(id)); n < want.samples-1 || n > want.samples+1 {
				t.Errorf("%s: %d samples, want %d", id, n, want.samples)
			}
			b.is(id, streams.StateOnline, streams.ReasonNone)
		}
		if b.city.playing("often", "asked") != 2 || b.city.playing("seldom") != 0 {
			t.Error("the wrong sessions stay open")
		}
	})
}

// TestVisitsFollowTheRhythm: once it is known when key units come, a visit
// begins shortly before one and receives little for nothing.
func TestVisitsFollowTheRhythm(t *testing.T) {
	for _, gop := range []time.Duration{2 * time.Second, 1900 * time.Millisecond, 4 * time.Second} {
		t.Run(gop.String(), func(t *testing.T) {
			var played time.Duration
			patrol(t, streams.Options{}, []inventory.Camera{visited("a", 10*time.Second)}, func(b *bench) {
				b.city.set("a", rhythmic(gop, &played))
				after(time.Minute)
				played = 0
				before := len(b.city.of("a"))
				after(10 * time.Minute)
				n := len(b.city.of("a")) - before
				if n < 59 || n > 61 {
					t.Errorf("%d visits in ten minutes", n)
				}
				if each := played / time.Duration(n); each > 400*time.Millisecond {
					t.Errorf("a visit plays for %v on average", each)
				}
				at := b.desk.of("a")
				for i := 1; i < len(at); i++ {
					if gap := at[i].Sub(at[i-1]); gap > 10*time.Second+gop {
						t.Errorf("samples %d and %d are %v apart", i-1, i, gap)
					}
				}
				if s, _ := b.m.Status("a"); (s.GOP - gop).Abs() > 50*time.Millisecond {
					t.Errorf("the GOP is taken for %v", s.GOP)
				}
			})
		})
	}
}

// TestPromptCameras: one that gives a key unit at once is visited when it is
// due, for a moment.
func TestPromptCameras(t *testing.T) {
	patrol(t, streams.Options{}, []inventory.Camera{visited("a", 10*time.Second)}, func(b *bench) {
		after(5 * time.Minute)
		dials, samples := b.city.of("a"), b.desk.of("a")
		if len(dials) != len(samples) || len(dials) < 29 {
			t.Fatalf("%d visits, %d samples", len(dials), len(samples))
		}
		for i := 2; i < len(dials); i++ {
			if gap := dials[i].Sub(dials[i-1]); gap != 10*time.Second {
				t.Errorf("visits %d and %d are %v apart", i-1, i, gap)
			}
		}
	})
}

// TestArmedCamerasStay while a zone of theirs is armed, where their tier says
// so: only a session that stays can see that the scene stirs.
func TestArmedCamerasStay(t *testing.T) {
	c := visited("a", 10*time.Second)
	c.Zones = []inventory.Zone{{ID: "z", Hours: []inventory.Hours{{From: 10, To: 20}}}} // 00:10 to 00:20, of 2000-01-01
	o := streams.Options{Stay: map[inventory.Tier]streams.Stay{inventory.TierHigh: streams.StayArmed}}
	patrol(t, o, []inventory.Camera{c}, func(b *bench) {
		for _, want := range []struct {
			at   time.Duration
			mode inventory.Mode
		}{{9 * time.Minute, inventory.ModeVisit}, {11 * time.Minute, inventory.ModeResident}, {21 * time.Minute, inventory.ModeVisit}} {
			after(want.at - time.Since(b.born))
			if s, _ := b.m.Status("a"); s.Mode != want.mode {
				t.Errorf("at %v: %s (%s), want %s", want.at, s.Mode, s.Why, want.mode)
			}
			b.is("a", streams.StateOnline, streams.ReasonNone)
		}
		at := b.desk.of("a")
		for i := 1; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap > 13*time.Second {
				t.Errorf("%v without a sample when the mode changed", gap)
			}
		}
	})
}

// TestLongGOPsStay: where key units come no faster than samples are due, a
// visit would wait for most of its interval.
func TestLongGOPsStay(t *testing.T) {
	var played time.Duration
	patrol(t, streams.Options{}, []inventory.Camera{visited("a", 10*time.Second)}, func(b *bench) {
		b.city.set("a", rhythmic(12*time.Second, &played))
		after(4 * time.Minute)
		if s, _ := b.m.Status("a"); s.Mode != inventory.ModeResident {
			t.Errorf("%s (%s), GOP %v", s.Mode, s.Why, s.GOP)
		}
		if n := len(b.desk.of("a")); n < 18 {
			t.Errorf("%d samples in four minutes, with a key unit every 12 s", n)
		}
	})
}

// TestCamerasOfASmallRecorderTakeTurns: it grants four sessions to 24 cameras,
// and none of them is blind.
func TestCamerasOfASmallRecorderTakeTurns(t *testing.T) {
	var cameras []inventory.Camera
	for i := range 24 {
		cameras = append(cameras, camera(fmt.Sprintf("ch%02d", i), "nvr"))
	}
	patrol(t, streams.Options{}, cameras, func(b *bench) {
		for _, c := range cameras {
			b.city.set(c.ID, func(ctx context.Context, n int, s *fakeSession) error {
				if b.city.sessions() >= 4 {
					return streams.Errorf(streams.ReasonSessionLimit, "453")
				}
				return steady(2*time.Second)(ctx, n, s)
			})
		}
		after(5 * time.Minute)
		refused := 0
		for _, s := range b.m.Statuses() {
			b.is(s.Camera, streams.StateOnline, streams.ReasonNone)
			if n := len(b.desk.of(s.Camera)); n < 40 {
				t.Errorf("%s: %d samples in five minutes at 5 s", s.Camera, n)
			}
			refused += len(b.city.of(s.Camera)) - len(b.desk.of(s.Camera))
		}
		if refused > 60 {
			t.Errorf("%d visits were refused", refused)
		}
	})
}

// TestLowTiersGiveWayFirst: with dials for a part of what is wanted, the
// intervals of the low tier grow, those of the high one do not, and nobody
// starves.
func TestLowTiersGiveWayFirst(t *testing.T) {
	cameras := fleet(300)
	for i := range cameras {
		cameras[i].Patrol = inventory.Patrol{Tier: inventory.Tiers()[i%3], Interval: 10 * time.Second}
	}
	patrol(t, streams.Options{Budget: streams.Budget{DialRate: 20}}, cameras, func(b *bench) {
		after(10 * time.Minute)
		got := map[inventory.Tier]int{}
		for _, c := range cameras {
			n := len(b.desk.of(c.ID))
			got[c.Patrol.Tier] += n
			if n < 5 {
				t.Errorf("%s (%s): %d samples in ten minutes", c.ID, c.Patrol.Tier, n)
			}
		}
		if high := got[inventory.TierHigh] / 100; high < 52 {
			t.Errorf("the high tier had %d samples a camera, want about 60", high)
		}
		if low, normal := got[inventory.TierLow]/100, got[inventory.TierNormal]/100; low >= normal || normal >= 60 {
			t.Errorf("samples a camera: normal %d, low %d", normal, low)
		}
		s, _ := b.m.Status(cameras[2].ID)
		if s.Stretch < 2 || s.Interval < 20*time.Second {
			t.Errorf("the low tier's interval is %v, %v times what is wanted", s.Interval, s.Stretch)
		}
	})
}

// TestNetworkBudget: what an uplink carries stays below its budget, and the
// cameras of other lines notice nothing.
func TestNetworkBudget(t *testing.T) {
	var cameras []inventory.Camera
	for i := range 40 {
		c := visited(fmt.Sprintf("cam-%02d", i), 10*time.Second)
		if i%2 == 0 {
			c.Link.Uplink = "street"
		}
		cameras = append(cameras, c)
	}
	o := streams.Options{Budget: streams.Budget{Uplinks: map[string]float64{"street": 0.8}}} // 100 kB/s
	patrol(t, o, cameras, func(b *bench) {
		bytes := map[bool]int{}
		for i, c := range cameras {
			b.city.set(c.ID, func(ctx context.Context, n int, s *fakeSession) error {
				b.city.mu.Lock()
				bytes[i%2 == 0] += 100_000
				b.city.mu.Unlock()
				s.r.Received(100_000)
				return steady(2*time.Second)(ctx, n, s)
			})
		}
		after(10 * time.Minute)
		if rate := bytes[true] / 600; rate > 105_000 {
			t.Errorf("the uplink carries %d B/s, its budget is 100,000", rate)
		}
		for i, c := range cameras {
			n := len(b.desk.of(c.ID))
			if i%2 == 0 && n < 20 || i%2 == 1 && n < 58 {
				t.Errorf("%s: %d samples in ten minutes", c.ID, n)
			}
		}
	})
}

// TestFewSessions: where the gateway may keep only some, the others are
// visited, and all give their samples.
func TestFewSessions(t *testing.T) {
	cameras := fleet(200)
	patrol(t, streams.Options{Budget: streams.Budget{Sessions: 100}}, cameras, func(b *bench) {
		after(3 * time.Minute)
		modes := map[inventory.Mode]int{}
		for _, s := range b.m.Statuses() {
			modes[s.Mode]++
			b.is(s.Camera, streams.StateOnline, streams.ReasonNone)
		}
		if n := modes[inventory.ModeResident]; n < 70 || n > 95 {
			t.Errorf("modes %v, with 100 sessions in all", modes)
		}
	})
}

// TestDetectorsSetThePace: when samples cost more than the detectors have, the
// intervals grow until it fits.
func TestDetectorsSetThePace(t *testing.T) {
	o := streams.Options{Work: func() streams.Work { return streams.Work{Lanes: 1, Cost: 50 * time.Millisecond} }}
	patrol(t, o, fleet(200), func(b *bench) {
		after(time.Minute)
		before := b.desk.count()
		after(5 * time.Minute)
		if n := (b.desk.count() - before) / 300; n > 20 {
			t.Errorf("%d samples a second, and time for 20", n)
		}
	})
}

// TestAnotherDevice at the address of a camera makes it untrusted, until the
// right one is back.
func TestAnotherDevice(t *testing.T) {
	patrol(t, streams.Options{}, []inventory.Camera{camera("a", "h")}, func(b *bench) {
		b.city.set("a", func(ctx context.Context, n int, s *fakeSession) error {
			s.r.Opened(streams.Description{Codec: streams.CodecH264, Fingerprint: []string{"one", "two", "one"}[min(n, 3)-1]})
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			return steady(2*time.Second)(ctx, n, s)
		})
		after(40 * time.Second)
		b.is("a", streams.StateOnline, streams.ReasonNone)
		after(time.Minute)
		b.is("a", streams.StateDegraded, streams.ReasonChanged)
		after(time.Minute)
		b.is("a", streams.StateOnline, streams.ReasonNone)
	})
}

// TestStills: a camera that has nothing but a still is asked for it at its
// interval; one that answers that it has no newer one stays online.
func TestStills(t *testing.T) {
	c := visited("a", 10*time.Second)
	c.Streams = inventory.Streams{Still: "http://a/still.jpg"}
	patrol(t, streams.Options{}, []inventory.Camera{c}, func(b *bench) {
		b.city.set("a", func(ctx context.Context, n int, s *fakeSession) error {
			grant(ctx)
			if n%2 == 1 {
				s.key()
			} else {
				s.r.KeySeen(time.Now())
			}
			s.err = nil
			return errNone
		})
		after(2 * time.Minute)
		if n, m := len(b.city.of("a")), len(b.desk.of("a")); n < 11 || n > 13 || m < 5 || m > 7 {
			t.Errorf("%d visits, %d samples", n, m)
		}
		b.is("a", streams.StateOnline, streams.ReasonNone)
	})
}

// TestWhoGoesPassesTheTurnOn: a camera that leaves the inventory while it is next
// at a recorder, and waits for a dial, does not leave its siblings waiting.
func TestWhoGoesPassesTheTurnOn(t *testing.T) {
	ids := []string{"a", "b", "c", "d"}
	for _, gone := range ids { // whichever is next
		var all, left []inventory.Camera
		for _, id := range ids {
			c := camera(id, "nvr")
			if all = append(all, c); id != gone {
				left = append(left, c)
			}
		}
		o := streams.Options{StartWithin: time.Nanosecond, Budget: streams.Budget{DialRate: 0.1, DialsPerHost: 1}}
		patrol(t, o, all, func(b *bench) {
			after(5 * time.Second)
			b.want(left...)
			after(2 * time.Minute)
			for _, c := range left {
				b.is(c.ID, streams.StateOnline, streams.ReasonNone)
			}
		})
	}
}
