package streams_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"videopatrol/inventory"
	"videopatrol/streams"
)

func TestJudge(t *testing.T) {
	now := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	ago := func(s float64) time.Time { return now.Add(-time.Duration(s * float64(time.Second))) }
	base := streams.Facts{Interval: 5 * time.Second, GOP: 2 * time.Second}
	with := func(change func(*streams.Facts)) streams.Facts {
		f := base
		change(&f)
		return f
	}
	tests := map[string]struct {
		f      streams.Facts
		state  streams.State
		reason streams.Reason
	}{
		"new":             {base, streams.StateUnknown, streams.ReasonNone},
		"disabled":        {with(func(f *streams.Facts) { f.Disabled, f.LastKey = true, now }), streams.StateDisabled, streams.ReasonNone},
		"fresh":           {with(func(f *streams.Facts) { f.LastKey = ago(12) }), streams.StateOnline, streams.ReasonNone},
		"stale":           {with(func(f *streams.Facts) { f.LastKey = ago(12.1) }), streams.StateUnknown, streams.ReasonNone},
		"fresh, distrust": {with(func(f *streams.Facts) { f.LastKey, f.Distrust = ago(1), streams.ReasonFrozen }), streams.StateDegraded, streams.ReasonFrozen},
		"stale, distrust": {with(func(f *streams.Facts) { f.LastKey, f.Distrust = ago(60), streams.ReasonFrozen }), streams.StateUnknown, streams.ReasonFrozen},
		"fresh, one fail": {with(func(f *streams.Facts) { f.LastKey, f.Failures, f.Reason = ago(5), 1, streams.ReasonClosed }), streams.StateOnline, streams.ReasonNone},
		"one fail":        {with(func(f *streams.Facts) { f.Failures, f.Reason = 1, streams.ReasonTimeout }), streams.StateUnknown, streams.ReasonTimeout},
		"one, host down":  {with(func(f *streams.Facts) { f.Failures, f.Reason, f.HostDown = 1, streams.ReasonTimeout, true }), streams.StateOffline, streams.ReasonTimeout},
		"host down only":  {with(func(f *streams.Facts) { f.LastKey, f.HostDown = ago(1), true }), streams.StateOnline, streams.ReasonNone},
		"two fails in 9 s": {with(func(f *streams.Facts) {
			f.Failures, f.FirstFail, f.LastFailed, f.Reason = 2, ago(9), now, streams.ReasonTimeout
		}), streams.StateUnknown, streams.ReasonTimeout},
		"two in 10 s": {with(func(f *streams.Facts) {
			f.Failures, f.FirstFail, f.LastFailed, f.Reason = 2, ago(10), now, streams.ReasonTimeout
		}), streams.StateOffline, streams.ReasonTimeout},
		"two, yet fresh": {with(func(f *streams.Facts) {
			f.LastKey, f.Failures, f.FirstFail, f.LastFailed, f.Reason = ago(11), 2, ago(10), now, streams.ReasonClosed
		}), streams.StateOffline, streams.ReasonClosed},
	}
	for name, tt := range tests {
		if state, reason := streams.Judge(tt.f, now); state != tt.state || reason != tt.reason {
			t.Errorf("%s: %s (%s), want %s (%s)", name, state, reason, tt.state, tt.reason)
		}
	}
}

func TestBackoffBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1000).Draw(t, "n")
		low := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "low"))
		high := low + time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "more"))
		random := rapid.Float64Range(0, 0.999999).Draw(t, "random")
		d := streams.Backoff(n, low, high, random)
		ceiling := high
		for k, c := 1, low; c <= high; k, c = k+1, c*2 {
			if k == n {
				ceiling = c
			}
		}
		if d < 0 || d > ceiling || d < time.Duration(0.99*random*float64(ceiling))-time.Microsecond {
			t.Fatalf("wait %v after %d failures, ceiling %v, random %v", d, n, ceiling, random)
		}
	})
}

func TestNextDueLiesOnTheGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Hour)).Draw(t, "interval"))
		offset := time.Duration(rapid.Int64Range(0, int64(interval)-1).Draw(t, "offset"))
		now := time.Unix(0, rapid.Int64Range(1_500_000_000e9, 2_500_000_000e9).Draw(t, "now"))
		due := streams.NextDue(now, interval, offset)
		if wait := due.Sub(now); wait <= 0 || wait > interval || (due.UnixNano()-int64(offset))%int64(interval) != 0 {
			t.Fatalf("due %v after now, off the grid by %d", wait, (due.UnixNano()-int64(offset))%int64(interval))
		}
	})
}

func TestPhaseStaysInItsSpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "span"))
		if p := streams.Phase(rapid.String().Draw(t, "camera"), span); p < 0 || p >= span {
			t.Fatalf("phase %v of %v", p, span)
		}
	})
	if streams.Phase("a", 0) != 0 {
		t.Error("no span, no phase")
	}
}

func TestErrors(t *testing.T) {
	cause := streams.Errorf(streams.ReasonTimeout, "slow")
	err := streams.Errorf(streams.ReasonSessionLimit, "really: %w", cause)
	if streams.ReasonOf(err) != streams.ReasonSessionLimit || streams.ReasonOf(nil) != streams.ReasonNone {
		t.Error("the outer reason counts")
	}
}

// TestRelax: what intervals grow by fits the demand into the capacity, nobody's
// shrinks, and a higher tier gives way only when the lower ones gave their most.
func TestRelax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		demand, left := map[inventory.Tier]float64{}, 0.0
		for _, tier := range inventory.Tiers() {
			demand[tier] = rapid.Float64Range(0, 1000).Draw(t, string(tier))
		}
		capacity := rapid.Float64Range(0.1, 2000).Draw(t, "capacity")
		got := streams.Relax(demand, capacity)
		for tier, d := range demand {
			if got[tier] < 1 {
				t.Fatalf("the %s tier's intervals shrink: %v", tier, got)
			}
			left += d / got[tier]
		}
		if left > capacity*1.0001 {
			t.Fatalf("%v of %v is left for a capacity of %v: %v", left, demand, capacity, got)
		}
		if got[inventory.TierHigh] > 1 && (demand[inventory.TierNormal] > 0 && got[inventory.TierNormal] < 4 || demand[inventory.TierLow] > 0 && got[inventory.TierLow] < 8) {
			t.Fatalf("the high tier gives way first: %v", got)
		}
	})
}

// TestBegin: a visit never begins before it is due, and less than a GOP later.
func TestBegin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := time.Unix(1_700_000_000, 0)
		gop := time.Duration(rapid.IntRange(100, 60_000).Draw(t, "gop")) * time.Millisecond
		lead := time.Duration(rapid.IntRange(0, 2000).Draw(t, "lead")) * time.Millisecond
		due := last.Add(time.Duration(rapid.IntRange(0, 3_600_000).Draw(t, "due")) * time.Millisecond)
		at, ok := streams.Begin(due, last, gop, lead)
		if !ok || at.Before(due) || !at.Before(due.Add(gop)) || at.Add(lead).Sub(last)%gop != 0 {
			t.Fatalf("due %v, begins %v later (%v)", due, at.Sub(due), ok)
		}
	})
}
