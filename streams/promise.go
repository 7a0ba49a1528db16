package streams

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"videopatrol/inventory"
)

// Promise is what the cameras of a tier can be relied on for, those that have
// an interval of their own left out.
type Promise struct {
	Tier inventory.Tier
	// Nominal is the interval between samples that was asked for, Present the
	// one that the budgets leave.
	Nominal, Present time.Duration
	// Worst is the longest time from the beginning of a happening to its
	// finding, Shortest how long a happening must last to be found for certain.
	Worst, Shortest time.Duration
	// Why tells how they come about.
	Why string
}

// Pace is what a promise follows from.
type Pace struct {
	// Interval between looks as asked for, and the factor ≥ 1 by which the
	// budgets stretch it; less counts as 1.
	Interval time.Duration
	Stretch  float64
	// Handshake is the longest time to open a session, 0 where it is kept;
	// GOP the longest wait for a key unit once it plays.
	Handshake, GOP time.Duration
	// Retry is the longest wait after one lost visit.
	Retry time.Duration
	// Analysis is the time from a sample's last byte to its verdict.
	Analysis time.Duration
	// Samples is how many samples in a row a rule needs to see a happening,
	// at least 1, and Dwell how long it must have seen it.
	Samples int
	Dwell   time.Duration
}

// Promise derives what holds at this pace.
//
// Looks are due every present interval I, on a grid of absolute time. A look
// gives its sample at most L after it is due: the handshake and the wait for a
// key unit, and where that one visit is lost, the wait for the next try and both
// again,
//
//	L = (handshake + GOP) + (retry + handshake + GOP).
//
// A happening begins, at the worst, just after a sample that was taken the
// moment its look was due. A rule needs it in n samples in a row. With a dwell
// the last of them must be that long after the first, which may have come L
// after its look was due: n = max(samples, ⌈(dwell + L) / I⌉ + 1). The n-th look
// is due n × I after that sample and gives its own at most L later:
//
//	shortest = n × I + L        it must last until then
//	worst    = shortest + A     and is found when that sample is analysed
//
// What it does not cover: two lost visits in a row, which are blind minutes,
// and cameras that are blind.
func (p Pace) Promise(tier inventory.Tier) Promise {
	present := time.Duration(float64(p.Interval) * max(p.Stretch, 1))
	once := p.Handshake + p.GOP
	lag := once + p.Retry + once
	n := max(p.Samples, 1)
	if p.Dwell > 0 && present > 0 {
		n = max(n, int((p.Dwell+lag+present-1)/present)+1)
	}
	out := Promise{Tier: tier, Nominal: p.Interval, Present: present}
	out.Shortest = time.Duration(n)*present + lag
	out.Worst = out.Shortest + p.Analysis
	out.Why = fmt.Sprintf("%d × %v until enough looks are due, %v for one lost visit and its retry (handshake %v, key unit %v, wait %v, and both again), %v to analyse",
		n, shown(present), shown(lag), shown(p.Handshake), shown(p.GOP), shown(p.Retry), shown(p.Analysis))
	return out
}

func shown(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

const (
	// handshakeWithin is how long a session may take to open.
	handshakeWithin = 15 * time.Second
	// proof is how many samples in a row the slower rules need.
	proof = 2
	// gopUnknown stands for the distance between key units of a tier in which
	// nobody has measured one.
	gopUnknown = 2 * time.Second
)

// Promises tells for each tier what it can be relied on for, as things are.
func (m *Manager) Promises() []Promise {
	gops := map[inventory.Tier][]time.Duration{}
	now := time.Now()
	for _, l := range m.all() {
		if s, p := l.status(now); s.GOP > 0 {
			gops[knownTier(p.tier)] = append(gops[knownTier(p.tier)], s.GOP)
		}
	}
	out := make([]Promise, 0, len(inventory.Tiers()))
	for _, tier := range inventory.Tiers() {
		gop := gopUnknown
		if list := gops[tier]; len(list) > 0 {
			slices.Sort(list)
			gop = list[(len(list)*99+99)/100-1]
		}
		out = append(out, Pace{
			Interval: m.o.Intervals[tier], Stretch: m.balance.Load().node.of(tier), Handshake: handshakeWithin, GOP: gop, Retry: m.o.BackoffMin,
			Analysis: m.delays.p99(), Samples: proof,
		}.Promise(tier))
	}
	return out
}

// delays keeps how long analyses take: counts by powers of two of a
// millisecond, halved whenever many have come, so that the past fades.
type delays struct {
	counts [20]atomic.Int64
	total  atomic.Int64
}

// fades is how many analyses are remembered at least.
const fades = 1 << 16

func (p *delays) analysed(v Verdict) {
	if v.Analysed.IsZero() {
		return
	}
	ms := max(v.Analysed.Sub(v.At).Milliseconds(), 0)
	p.counts[min(bits.Len64(uint64(ms)), len(p.counts)-1)].Add(1)
	if p.total.Add(1) < 2*fades {
		return
	}
	p.total.Add(-fades)
	for i := range p.counts {
		p.counts[i].Add(-p.counts[i].Load() / 2)
	}
}

// p99 is the bound that 99 of 100 analyses keep, at most twice too large.
func (p *delays) p99() time.Duration {
	total := int64(0)
	for i := range p.counts {
		total += p.counts[i].Load()
	}
	seen := int64(0)
	for i := range p.counts {
		if seen += p.counts[i].Load(); float64(seen) >= math.Ceil(0.99*float64(total)) && total > 0 {
			return time.Duration(1<<i) * time.Millisecond
		}
	}
	return 0
}
