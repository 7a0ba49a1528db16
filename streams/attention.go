package streams

import (
	"cmp"
	"math"
	"sync"
	"time"
)

const (
	minute = int32(60_000) // milliseconds
	// settle is how long after its end a minute is closed, so that what was
	// due in it can still be answered and judged.
	settle = 30 * time.Second
	// patience is the longest share of an interval that a look may wait for
	// its sample: an hourly visit that is half an hour late is late.
	patience = 15 * time.Second
)

// code is a Reason in one byte; codeNone is a watched minute.
type code uint8

const codeNone code = 0

// The codes, by reason, and back. codeExcused is the last one.
var (
	reasons                            = append([]Reason{ReasonNone}, BlindReasons()...)
	codes                              = codesOf(reasons)
	codeLate, codeNew, codeDown        = codes[ReasonLate], codes[ReasonNotVisited], codes[ReasonGatewayDown]
	codeExcused                        = code(len(reasons))
	outcomes                    uint32 = uint32(len(reasons)) + 1
)

func codesOf(list []Reason) map[Reason]code {
	m := make(map[Reason]code, len(list))
	for i, r := range list {
		m[r] = code(i)
	}
	return m
}

// codeOf is the code of a reason; one that nobody knows is late.
func codeOf(r Reason) code { return cmp.Or(codes[r], codeLate) }

// inTime is until when a look that is due at some moment counts as answered:
// the bound within which a camera counts as online, save that a long interval
// does not excuse a late visit.
func inTime(at time.Time, interval, gop time.Duration) time.Time {
	return at.Add(min(interval, patience) + gop)
}

// look is one visit that is due, in milliseconds since the base of its
// attention: at is when, by is until when a trusted sample answers it.
type look struct{ at, by int32 }

// attention decides of one camera, minute by minute, whether it was watched.
// It hears of looks that are due, of trusted samples and of troubles, and
// keeps no more than it needs to close the next minute.
//
// A look is answered by a trusted sample that was received between at and by.
// One that is not makes its minute blind, and every following minute too, up to
// the one in which the next look is answered: an overdue visit stays due. The reason is the
// trouble in which the look became due, else the first one heard of since, else
// late. So a minute in which nothing was due inherits how the last look ended,
// and a camera is blind as not visited through the minute of its first sample.
//
// It has a lock of its own, taken last of all.
type attention struct {
	mu   sync.Mutex
	slot uint32 // cell and tier, in its ledger; guarded by the ledger's lock

	base      int32 // the minute that is closed next, since 1970
	missed    int32 // when the newest unanswered look was due
	troubleAt int32
	looks     [3]look // oldest first: one is analysed, one waits for it, one is to come
	n         uint8
	why       [3]code // the first trouble of the look
	marks     [4]code // the first reason of the base minute and those after it
	trouble   code    // the newest trouble that no trusted sample ended
	standing  code    // why the camera is blind until a trusted sample comes
	from      uint8   // the first minute after base for which that holds
}

// newAttention is a camera that comes under patrol in a minute.
func newAttention(slot uint32, base int32) *attention {
	return &attention{slot: slot, base: base, standing: codeNew}
}

// offset is a time in milliseconds since the base. What is older counts to
// the oldest minute that is open: a closed one is never opened again, whatever
// the clock does.
func (a *attention) offset(t time.Time) int32 {
	return int32(min(max(t.UnixMilli()-int64(a.base)*int64(minute), 0), math.MaxInt32))
}

// within is the minute after base in which an offset lies, as far as marks
// reach.
func within(offset int32) int { return min(max(int(offset/minute), 0), len(attention{}.marks)-1) }

// due announces a look. It replaces one that was announced and is not yet due:
// then the plan has changed.
func (a *attention) due(at, by, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.n > 0 && a.looks[a.n-1].at > a.offset(now):
		a.n--
	case int(a.n) == len(a.looks):
		a.miss(codeLate)
	}
	a.looks[a.n], a.why[a.n] = look{a.offset(at), a.offset(by)}, codeNone
	a.n++
}

// seen tells that a sample received at that time can be trusted. Samples are
// told in the order in which they were received.
func (a *attention) seen(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.offset(at)
	last := within(t) // of the minutes that a standing blindness still takes
	for a.n > 0 && a.looks[0].at <= t {
		if a.looks[0].by < t {
			a.miss(codeLate)
			continue
		}
		// What was due in that minute, and after it, is answered.
		if m := within(a.looks[0].at); a.standing != codeNew {
			last = min(last, m-1)
		}
		a.drop()
	}
	if t >= a.troubleAt {
		a.trouble = codeNone
	}
	if t >= a.missed {
		a.through(last)
		a.standing = codeNone
	}
}

// blind tells that a visit failed at that time, or that a sample received then
// cannot be trusted.
func (a *attention) blind(at time.Time, r Reason) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, c := a.offset(at), codeOf(r)
	if a.standing != codeNone {
		a.through(within(t))
		a.standing = c
	}
	for i := range a.n {
		if a.looks[i].at <= t && a.why[i] == codeNone {
			a.why[i] = cmp.Or(a.trouble, c) // it became due in that trouble
		}
	}
	a.trouble, a.troubleAt = c, t
}

// close closes the base minute and returns why it is blind, or codeNone. What
// is unanswered without any trouble has the reason otherwise.
func (a *attention) close(now time.Time, otherwise code) code {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.n > 0 && a.looks[0].at < minute && a.looks[0].by <= a.offset(now) {
		a.miss(otherwise)
	}
	for i := range a.n { // still in time, and yet the minute cannot wait
		if a.looks[i].at >= 0 && a.looks[i].at < minute {
			a.mark(0, cmp.Or(a.why[i], a.trouble, otherwise))
		}
	}
	a.through(0)
	c := a.marks[0]
	a.roll(1)
	return c
}

// skip leaves out minutes that are not this camera's to close.
func (a *attention) skip(minutes int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roll(minutes)
}

// miss gives up the oldest look.
func (a *attention) miss(otherwise code) {
	c, m := cmp.Or(a.why[0], a.trouble, otherwise), within(a.looks[0].at)
	a.through(m) // it was blind before
	a.mark(m, c)
	if a.standing == codeNone {
		a.standing, a.from = cmp.Or(a.trouble, c), uint8(m)+1
	}
	a.missed = a.looks[0].at
	a.drop()
}

// drop forgets the oldest look.
func (a *attention) drop() {
	copy(a.looks[:], a.looks[1:])
	copy(a.why[:], a.why[1:])
	a.n--
}

// mark notes why a minute after base is blind; the first reason stays.
func (a *attention) mark(m int, c code) {
	if a.marks[m] == codeNone {
		a.marks[m] = c
	}
}

// through marks the minutes up to m for which the camera stands as blind.
func (a *attention) through(m int) {
	if a.standing == codeNone {
		return
	}
	for k := int(a.from); k <= m; k++ {
		a.mark(k, a.standing)
	}
}

// roll moves the base on.
func (a *attention) roll(minutes int32) {
	back := func(t int32) int32 { return int32(max(int64(t)-int64(minutes)*int64(minute), -1)) }
	gone := min(int(minutes), len(a.marks))
	copy(a.marks[:], a.marks[gone:])
	clear(a.marks[len(a.marks)-gone:])
	a.from -= uint8(min(int(a.from), gone))
	a.base += minutes
	a.missed, a.troubleAt = back(a.missed), back(a.troubleAt)
	for i := range a.n {
		a.looks[i] = look{back(a.looks[i].at), back(a.looks[i].by)}
	}
}
