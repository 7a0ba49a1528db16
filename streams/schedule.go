package streams

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// turn is a loop's place in the schedule: a visit that may begin at, and
// should have begun by, its deadline. The schedule alone touches it.
type turn struct {
	at, deadline time.Time
	queue        *queue // where it waits; nil while its visit runs
	index        int
	// hangs: the last handshake hung while the host was alive. No more than
	// half of a host's handshakes are such, so that its neighbours get on.
	hangs bool
}

// queue is a heap of turns, the one that goes first on top.
type queue struct {
	loops  []*loop
	before func(a, b *turn) bool
}

func byStart(a, b *turn) bool    { return a.at.Before(b.at) }
func byDeadline(a, b *turn) bool { return a.deadline.Before(b.deadline) }

func (q *queue) Len() int           { return len(q.loops) }
func (q *queue) Less(i, j int) bool { return q.before(&q.loops[i].turn, &q.loops[j].turn) }

func (q *queue) Swap(i, j int) {
	q.loops[i], q.loops[j] = q.loops[j], q.loops[i]
	q.loops[i].turn.index, q.loops[j].turn.index = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	l, _ := x.(*loop)
	l.turn.index, l.turn.queue = len(q.loops), q
	q.loops = append(q.loops, l)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(q.loops) - 1
	l := q.loops[last]
	q.loops[last] = nil
	q.loops = q.loops[:last]
	l.turn.queue = nil
	return l
}

func (q *queue) add(l *loop)    { heap.Push(q, l) }
func (q *queue) first() *loop   { return q.loops[0] }
func (q *queue) remove(l *loop) { heap.Remove(q, l.turn.index) }

// fullFor is how soon a host that has no session left is looked at again.
const fullFor = time.Second

// schedule decides which visit begins next: of those that are due the one
// whose deadline is nearest (earliest deadline first: C. Liu and J. Layland,
// "Scheduling Algorithms for Multiprogramming", JACM 20, 1973), within what
// the budgets, the hosts and the lines allow. A camera that waits costs a
// place in a heap and no goroutine.
type schedule struct {
	ledger *ledger
	rate   *rate.Limiter
	poke   chan struct{}

	mu    sync.Mutex // taken before a host's
	later queue      // not due yet
	ready queue      // due, and nothing of their own in their way
}

func newSchedule(led *ledger) *schedule {
	return &schedule{
		ledger: led,
		// A tenth of a second's dials may begin at once; the rest is paced.
		rate:  rate.NewLimiter(rate.Limit(led.budget.DialRate), max(1, int(led.budget.DialRate/10))),
		poke:  make(chan struct{}, 1),
		later: queue{before: byStart},
		ready: queue{before: byDeadline},
	}
}

func (s *schedule) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// put makes a loop wait for its next visit.
func (s *schedule) put(l *loop, at, deadline time.Time) {
	s.mu.Lock()
	l.turn.at, l.turn.deadline = at, deadline
	s.later.add(l)
	first := s.later.first() == l
	s.mu.Unlock()
	if first {
		s.wake()
	}
}

// drop takes a loop out, and tells whether it waited; else its visit runs.
func (s *schedule) drop(l *loop) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.turn.queue == nil {
		return false
	}
	wasReady := l.turn.queue == &s.ready
	l.turn.queue.remove(l)
	if wasReady && l.host != nil {
		s.unpark(l)
		s.wake()
	}
	return true
}

// unpark lets the next of those that wait for a handshake slot of a loop's
// host have its try: whoever leaves the ready queue without a handshake, or
// ends one, passes its turn on by it. s.mu is held.
func (s *schedule) unpark(of *loop) {
	s.release(&of.host.parked)
	if of.turn.hangs {
		s.release(&of.host.hung)
	}
}

func (s *schedule) release(q *queue) {
	if q.Len() > 0 {
		l := q.first()
		q.remove(l)
		s.ready.add(l)
	}
}

// hasten makes loops due at once that wait for later.
func (s *schedule) hasten(loops []*loop, now time.Time) {
	if len(loops) == 0 {
		return
	}
	s.mu.Lock()
	for _, l := range loops {
		if l.turn.queue == &s.later && l.turn.at.After(now) {
			s.later.remove(l)
			l.turn.at = now
			s.later.add(l)
		}
	}
	s.mu.Unlock()
	s.wake()
}

// waits tells whether a loop waits for one of a host's handshakes to end.
func (s *schedule) waits(h *host) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return h.parked.Len() > 0
}

// handshaken gives back what a visit held for its handshake, and notes whether
// that hung.
func (s *schedule) handshaken(l *loop, hung bool) {
	s.mu.Lock()
	s.ledger.dialling.Add(-1)
	l.host.dialling--
	if l.turn.hangs {
		l.host.hanging--
	}
	s.unpark(l)
	l.turn.hangs = hung
	s.mu.Unlock()
	s.wake()
}

// next returns the visits that begin now, and how long until there may be
// another one; negative when only an event brings one. The handshake slots of
// those it returns are taken.
func (s *schedule) next(now time.Time) (begin []*loop, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.later.Len() > 0 && !s.later.first().turn.at.After(now) {
		l := s.later.first()
		s.later.remove(l)
		s.ready.add(l)
	}
	for s.ready.Len() > 0 {
		l := s.ready.first()
		h := l.host
		if h != nil {
			if s.ledger.dialling.Load() >= int64(s.ledger.budget.Dials) {
				return begin, s.untilLater(now, -1)
			}
			if h.dialling >= s.ledger.budget.DialsPerHost {
				s.ready.remove(l)
				h.parked.add(l)
				continue
			}
			if l.turn.hangs && h.hanging >= max(1, s.ledger.budget.DialsPerHost/2) {
				s.ready.remove(l)
				h.hung.add(l)
				s.release(&h.parked) // there is a slot, but not for this one
				continue
			}
			if d := max(h.fullFor(l, now), l.line.blockedFor(now)); d > 0 {
				s.ready.remove(l)
				l.turn.at = now.Add(d)
				s.later.add(l)
				s.unpark(l)
				continue
			}
			r := s.rate.ReserveN(now, 1)
			if d := r.DelayFrom(now); d > 0 {
				r.CancelAt(now)
				return begin, s.untilLater(now, d)
			}
			h.dialling++
			if l.turn.hangs {
				h.hanging++
			}
			s.ledger.dialling.Add(1)
		}
		s.ready.remove(l)
		begin = append(begin, l)
	}
	return begin, s.untilLater(now, -1)
}

// untilLater is the shorter of wait and the time until a loop becomes due.
func (s *schedule) untilLater(now time.Time, wait time.Duration) time.Duration {
	if s.later.Len() == 0 {
		return wait
	}
	d := max(s.later.first().turn.at.Sub(now), atOnce)
	if wait < 0 {
		return d
	}
	return min(wait, d)
}

// backlog counts the visits that are due and wait for a budget.
func (s *schedule) backlog() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready.Len()
}

// run begins visits until ctx ends. begin must not block.
func (s *schedule) run(ctx context.Context, begin func(*loop)) {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		loops, wait := s.next(time.Now())
		for _, l := range loops {
			begin(l)
		}
		var timer <-chan time.Time
		if wait >= 0 {
			t.Reset(wait)
			timer = t.C
		}
		select {
		case <-ctx.Done():
			return
		case <-s.poke:
		case <-timer:
		}
	}
}
