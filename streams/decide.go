package streams

import (
	"cmp"
	"hash/fnv"
	"math"
	"time"

	"videopatrol/inventory"
)

// Stay says when a session is kept although a visit would be cheaper.
type Stay string

// The ways to stay.
const (
	StayNever  Stay = "never"
	StayArmed  Stay = "armed" // while one of the camera's zones is armed
	StayAlways Stay = "always"
)

// Stays lists every way.
func Stays() []Stay { return []Stay{StayNever, StayArmed, StayAlways} }

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
	ceiling := low
	for ; n > 1 && ceiling < high; n-- {
		ceiling = min(2*ceiling, high)
	}
	return time.Duration(random * float64(ceiling))
}

// modeFacts are what the mode of the next visit follows from.
type modeFacts struct {
	wanted   inventory.Mode
	interval time.Duration // as it is now
	gop      time.Duration // 0 when unknown
	// above is the interval from which a visit is cheaper than staying.
	above time.Duration
	stay  Stay
	armed bool
	// short: there are fewer sessions than cameras, or more network than the
	// line has.
	short bool
}

// chooseMode tells how to take the next samples, and why.
//
// A visit costs about 1.1 ms of processor time whenever it is made, a resident
// session 0.15 ms every second: they break even at an interval of 7 s, and
// above it a visit needs less network, too.
func chooseMode(f modeFacts) (inventory.Mode, string) {
	switch {
	case f.wanted != inventory.ModeAuto:
		return f.wanted, "asked for"
	case f.gop > 0 && f.interval <= f.gop:
		return inventory.ModeResident, "key units come no faster than samples are due"
	case f.short:
		return inventory.ModeVisit, "sessions or network are short"
	case f.stay == StayAlways:
		return inventory.ModeResident, "its tier stays"
	case f.stay == StayArmed && f.armed:
		return inventory.ModeResident, "a zone is armed"
	case f.interval > f.above:
		return inventory.ModeVisit, "cheaper at this interval"
	default:
		return inventory.ModeResident, "cheaper at this interval"
	}
}

// rhythm is what a camera's key units taught about their times.
type rhythm struct {
	gop  time.Duration // 0 until measured
	last time.Time     // when one came
	// lead is how long before a key unit a visit begins.
	lead time.Duration
	// prompt: the camera gives a key unit at once, whenever it is asked.
	prompt bool
	// tries is how often a visit stayed to measure gop.
	tries int
}

const (
	// promptWithin is how soon a key unit follows PLAY where it does not have
	// to be waited for.
	promptWithin = 250 * time.Millisecond
	// leadAim is how long before its key unit a session should play.
	leadAim            = 120 * time.Millisecond
	minLead, firstLead = 150 * time.Millisecond, 400 * time.Millisecond
)

// begin moves a visit that is due to shortly before the next key unit: what
// comes before it would be received for nothing. It tells whether it knows.
func (r rhythm) begin(due time.Time) (time.Time, bool) {
	since := due.Add(r.lead).Sub(r.last)
	if r.prompt || r.gop <= 0 || r.last.IsZero() || since < 0 {
		return due, false
	}
	n := (since + r.gop - 1) / r.gop
	return r.last.Add(n * r.gop).Add(-r.lead), true
}

// heard learns from a visit: when it began, when its session played and when
// the key unit came. aligned tells that begin had moved it.
func (r rhythm) heard(began, played, key time.Time, aligned bool) rhythm {
	wait := key.Sub(played)
	if !aligned {
		r.prompt = wait < promptWithin
	}
	if r.gop > 0 && !r.last.IsZero() {
		gap := key.Sub(r.last)
		n := (gap + r.gop/2) / r.gop
		if n >= 1 {
			// The longer the gap, the smaller the error of one of its parts.
			r.gop += (gap/n - r.gop) / 2
		}
		if aligned {
			if wait > r.gop/2 { // it came too late, and waited for the one after
				r.lead += 100 * time.Millisecond
			} else {
				r.lead += (leadAim - wait) / 4
			}
			r.lead = min(max(r.lead, minLead), max(r.gop/2, minLead))
		}
	}
	if r.lead == 0 {
		r.lead = max(firstLead, 2*played.Sub(began))
	}
	r.last = key
	return r
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
	case ReasonNone, ReasonFrozen, ReasonDark, ReasonBright, ReasonBlurred, ReasonCovered, ReasonMoved, ReasonTinted, ReasonNoisy, ReasonTorn:
		return true
	default:
		return false
	}
}

// silent tells whether a failure says that the host itself does not answer.
func silent(r Reason) bool { return r == ReasonUnreachable || r == ReasonTimeout }
