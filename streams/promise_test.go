package streams_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"videopatrol/inventory"
	"videopatrol/streams"
)

func TestPromise(t *testing.T) {
	for name, c := range map[string]struct {
		pace                     streams.Pace
		present, shortest, worst time.Duration
	}{
		"a kept session": {
			streams.Pace{Interval: 5 * time.Second, GOP: 2 * time.Second, Retry: 5 * time.Second, Analysis: time.Second, Samples: 2},
			5 * time.Second, 19 * time.Second, 20 * time.Second, // 2×5 + (2 + 5 + 2), +1
		},
		"visits at a stretched interval": {
			streams.Pace{Interval: 10 * time.Second, Stretch: 1.5, Handshake: 3 * time.Second, GOP: 2 * time.Second, Retry: 5 * time.Second, Samples: 1},
			15 * time.Second, 30 * time.Second, 30 * time.Second, // 15 + (5 + 5 + 5)
		},
		"a dwell": {
			streams.Pace{Interval: 15 * time.Second, Samples: 2, Dwell: time.Minute},
			15 * time.Second, 75 * time.Second, 75 * time.Second, // 5 looks
		},
	} {
		got := c.pace.Promise(inventory.TierLow)
		if got.Tier != inventory.TierLow || got.Nominal != c.pace.Interval || got.Present != c.present || got.Shortest != c.shortest || got.Worst != c.worst {
			t.Errorf("%s: %+v", name, got)
		}
		if !strings.Contains(got.Why, c.present.String()) {
			t.Errorf("%s: why is %q", name, got.Why)
		}
	}
}

// TestThePromiseHolds: a happening that lasts as long as the promise says, at
// any moment of the grid and with one visit lost, is in as many samples in a
// row as the rule needs, and is found within the worst case.
func TestThePromiseHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := func(name string, least, most int) time.Duration {
			return time.Duration(rapid.IntRange(least, most).Draw(t, name)) * time.Millisecond
		}
		p := streams.Pace{
			Interval: ms("interval", 1000, 60_000), Handshake: ms("handshake", 0, 3000), GOP: ms("gop", 0, 4000),
			Retry: ms("retry", 0, 5000), Analysis: ms("analysis", 0, 2000), Samples: rapid.IntRange(1, 3).Draw(t, "samples"),
			Dwell: ms("dwell", 0, 120_000) * time.Duration(rapid.IntRange(0, 1).Draw(t, "dwells")),
		}
		promise := p.Promise(inventory.TierHigh)
		begin := ten.Add(ms("begin", 0, 600_000))
		end := begin.Add(promise.Shortest)
		lost := rapid.IntRange(-1, 10).Draw(t, "lost") // the look whose first visit is lost
		var seen []time.Time
		for i, due := 0, ten; due.Before(end); i, due = i+1, due.Add(p.Interval) {
			at := due.Add(ms("handshake took", 0, int(p.Handshake.Milliseconds())) + ms("key unit took", 0, int(p.GOP.Milliseconds())))
			if len(seen) == lost {
				at = at.Add(ms("waited", 0, int(p.Retry.Milliseconds())) + p.Handshake + p.GOP)
			}
			if at.Before(begin) || at.After(end) {
				continue
			}
			seen = append(seen, at)
			if n := len(seen); n >= p.Samples && at.Sub(seen[0]) >= p.Dwell {
				if found := at.Add(p.Analysis).Sub(begin); found > promise.Worst {
					t.Fatalf("found after %v, promised %v", found, promise.Worst)
				}
				return
			}
		}
		t.Fatalf("not found: %v", seen)
	})
}

func TestPromisesOfAFleet(t *testing.T) {
	patrol(t, streams.Options{}, []inventory.Camera{camera("a", "h")}, func(b *bench) {
		b.m.Report(streams.Verdict{Camera: "a", At: time.Now(), Analysed: time.Now().Add(300 * time.Millisecond)})
		after(time.Minute)
		list := b.m.Promises()
		if len(list) != len(inventory.Tiers()) {
			t.Fatalf("%+v", list)
		}
		for i, p := range list {
			if p.Tier != inventory.Tiers()[i] || p.Worst <= p.Shortest || p.Shortest < 2*p.Present {
				t.Errorf("%+v", p)
			}
		}
		if high := list[0]; high.Nominal != 5*time.Second || high.Worst > time.Minute {
			t.Errorf("%+v", high)
		}
	})
}
