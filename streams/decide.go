package streams

import (
	"cmp"
	"hash/fnv"
	"math"
	"time"
)

// This file holds the decisions of a loop: pure functions of what is known.

// facts are what the state of a camera follows from.
type facts struct {
	disabled      bool
	interval, gop time.Duration
	// lastKey is when the newest key unit arrived.
	lastKey time.Time
	// failures in a row since the last key unit, the first, the last and why.
	failures              int
	firstFail, lastFailed time.Time
	reason                Reason
	// hostDown: another camera of the host does not answer either, and none plays.
	hostDown bool
	// distrust is why the newest picture is not to be trusted.
	distrust Reason
}

// witnessGap is how far apart two failed visits must be to prove that a
// camera is offline.
const witnessGap = 10 * time.Second

// judge tells a camera's state and why.
func judge(f facts, now time.Time) (State, Reason) {
	switch {
	case f.disabled:
		return StateDisabled, ReasonNone
	case f.failures >= 2 && f.lastFailed.Sub(f.firstFail) >= witnessGap,
		f.failures >= 1 && f.hostDown:
		return StateOffline, f.reason
	case f.lastKey.IsZero() || now.Sub(f.lastKey) > freshFor(f.interval, f.gop):
		return StateUnknown, cmp.Or(f.reason, f.distrust)
	case f.distrust != ReasonNone:
		return StateDegraded, f.distrust
	default:
		return StateOnline, ReasonNone
	}
}

// freshFor is how long a key unit proves that its camera is up.
func freshFor(interval, gop time.Duration) time.Duration { return 2*interval + gop }

// backoff is how long to wait before the next visit after n failed ones,
// n ≥ 1: exponential from low to high with full jitter, so that a switch that
// comes back is not met by all its cameras in the same moment
// (M. Brooker, "Exponential Backoff And Jitter", AWS 2015). random is in [0, 1).
func backoff(n int, low, high time.Duration, random float64) time.Duration {
	ceiling := high
	if n < 32 && low<<(n-1) < high && low<<(n-1) > 0 {
		ceiling = low << (n - 1)
	}
	return time.Duration(random * float64(ceiling))
}

// phase maps a camera to a fixed place in a span, so that load is flat and a
// restart moves nobody.
func phase(camera string, span time.Duration) time.Duration {
	if span <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(camera))
	// FNV leaves the high bits of short, similar ids alike; a multiply-shift
	// finisher (Stafford's mix 13) spreads them.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return time.Duration(float64(x) / math.MaxUint64 * float64(span-1))
}

// nextDue is the first moment after now that lies on the camera's own grid of
// intervals, pinned to absolute time.
func nextDue(now time.Time, interval, offset time.Duration) time.Time {
	since := time.Duration(now.UnixNano()) - offset
	return now.Add(interval - since%interval)
}

// retryable tells whether a sibling's success says anything about a camera
// that failed for this reason: a wrong password does not heal when the switch
// comes back.
func retryable(r Reason) bool {
	switch r {
	case ReasonUnreachable, ReasonTimeout, ReasonClosed, ReasonStalled, ReasonProtocol, ReasonNotRTSP, ReasonNoKeyUnit:
		return true
	default:
		return false
	}
}

// analysed tells whether a verdict of this reason rests on a picture: the other
// reasons say why there was none to look at.
func analysed(r Reason) bool {
	switch r {
	case ReasonNone, ReasonFrozen, ReasonDark, ReasonCovered:
		return true
	default:
		return false
	}
}

// silent tells whether a failure says that the host itself does not answer.
func silent(r Reason) bool { return r == ReasonUnreachable || r == ReasonTimeout }
