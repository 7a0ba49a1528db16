package streams

import (
	"math"
	"sync/atomic"
	"time"

	"videopatrol/inventory"
)

// Budget are the explicit limits of one gateway. A zero field means its
// default.
type Budget struct {
	// Dials is how many handshakes may be in flight in all; default 256.
	Dials int
	// DialsPerHost is the same for one address; default 2. An NVR is one
	// address with many channels.
	DialsPerHost int
	// DialRate is how many handshakes may begin in a second; default 200.
	DialRate float64
	// Sessions is how many sessions may be open; default 20,000.
	Sessions int
	// MediaBytes bounds the key units that are being assembled or wait for a
	// detector, over all cameras; default 512 MiB.
	MediaBytes int64
	// Network is what all cameras together may send, in Mbit/s; default no
	// limit. Uplinks is the same for the lines that cameras name (Link.Uplink).
	Network float64
	Uplinks map[string]float64
}

func (b Budget) withDefaults() Budget {
	if b.Dials <= 0 {
		b.Dials = 256
	}
	if b.DialsPerHost <= 0 {
		b.DialsPerHost = 2
	}
	if b.DialRate <= 0 {
		b.DialRate = 200
	}
	if b.Sessions <= 0 {
		b.Sessions = 20_000
	}
	if b.MediaBytes <= 0 {
		b.MediaBytes = 512 << 20
	}
	return b
}

// ledger keeps what is spent of a Budget. It needs no lock of its own.
type ledger struct {
	budget   Budget
	dialling atomic.Int64 // changed under the schedule's lock
	sessions atomic.Int64
	media    atomic.Int64
}

// openSession counts a session in, or refuses it.
func (l *ledger) openSession() bool {
	if l.sessions.Add(1) > int64(l.budget.Sessions) {
		l.sessions.Add(-1)
		return false
	}
	return true
}

func (l *ledger) closeSession() { l.sessions.Add(-1) }

// hold reserves n bytes of media memory, or refuses; a negative n gives back.
func (l *ledger) hold(n int) bool {
	if now := l.media.Add(int64(n)); n > 0 && now > l.budget.MediaBytes {
		l.media.Add(-int64(n))
		return false
	}
	return true
}

// line is a stretch of network that cameras share: an uplink, or the node's
// own. What arrives is taken out of a bucket that the budget fills; while it
// is in debt no visit begins. A nil line has no budget.
type line struct {
	over     *line // the node's, for an uplink
	rate     float64
	received atomic.Int64 // bytes in all

	// The schedule's lock guards these.
	filled  time.Time
	counted int64
	bucket  float64 // bytes, at most a second's
}

// newLine makes a line of a budget in Mbit/s; nil without one.
func newLine(mbit float64, over *line) *line {
	if mbit <= 0 {
		return over
	}
	return &line{over: over, rate: mbit * 1e6 / 8}
}

func (n *line) receive(bytes int) {
	for ; n != nil; n = n.over {
		n.received.Add(int64(bytes))
	}
}

// blockedFor tells how long it takes until the line is out of debt; 0 when a
// visit may begin.
func (n *line) blockedFor(now time.Time) (d time.Duration) {
	for ; n != nil; n = n.over {
		if n.filled.IsZero() {
			n.filled, n.bucket = now, n.rate
		}
		all := n.received.Load()
		n.bucket = min(n.rate, n.bucket+now.Sub(n.filled).Seconds()*n.rate-float64(all-n.counted))
		n.filled, n.counted = now, all
		if n.bucket < 0 {
			d = max(d, time.Duration(-n.bucket/n.rate*float64(time.Second))+time.Millisecond)
		}
	}
	return d
}

// Most by which the intervals of a tier grow before the next higher tier
// gives way, too.
var mostStretch = map[inventory.Tier]float64{
	inventory.TierLow: 8, inventory.TierNormal: 4, inventory.TierHigh: 2,
}

// stretch says by how much the intervals of each tier are longer than wanted.
type stretch map[inventory.Tier]float64

// of is at least 1.
func (s stretch) of(t inventory.Tier) float64 { return max(1, s[t]) }

// fits is how much above a capacity still is it, so that what rounding leaves
// moves nobody.
const fits = 1 + 1e-9

// relax returns by how much intervals must grow so that a demand, which falls
// as they grow, fits a capacity: those of the lowest tier first. What is still
// too much when every tier gave its most is shared by all alike, so that no
// camera starves.
func relax(demand map[inventory.Tier]float64, capacity float64) stretch {
	s := stretch{}
	left := 0.0
	for _, d := range demand {
		left += d
	}
	for _, t := range []inventory.Tier{inventory.TierLow, inventory.TierNormal, inventory.TierHigh} {
		d := demand[t]
		if left <= capacity*fits || d <= 0 {
			continue
		}
		rest := left - d // of the other tiers
		s[t] = mostStretch[t]
		if room := capacity - rest; room > 0 {
			s[t] = min(s[t], d/room)
		}
		left = rest + d/s[t]
	}
	if left > capacity*fits && capacity > 0 {
		for _, t := range inventory.Tiers() {
			s[t] = s.of(t) * left / capacity
		}
	}
	return s
}

// ease moves from the stretch that is in force to the one that is needed, step
// by step, so that a burst such as a start passes before much has changed; and
// not at all for a change that nobody would notice, so that cameras do not swing
// between two modes.
func ease(was, need stretch) stretch {
	s := stretch{}
	for _, t := range inventory.Tiers() {
		from, to := was.of(t), need.of(t)
		switch {
		case to > from*1.05:
			s[t] = min(math.Ceil(to*20)/20, from*1.5)
		case to < from*0.9:
			s[t] = max(1, to, from*0.75)
		case to == 1 && from < 1.12:
			s[t] = 1
		default:
			s[t] = from
		}
	}
	return s
}
