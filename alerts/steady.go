package alerts

import (
	"context"
	"sync"
	"time"
)

// jump is the least step of the wall clock that is one.
const jump = 2 * time.Second

// steady tells a time that no step of the wall clock moves: it goes on by what
// has really passed since the process started, and from one process to the
// next by the wall clock, never backwards. Clocks of leads are kept in it; see
// deploy/adr/0014. It is safe for concurrent use.
type steady struct {
	wall    func() time.Time
	elapsed func() time.Duration // since any moment, unmoved by the wall clock

	mu     sync.Mutex
	known  bool
	begin  time.Time // the steady time at elapsed 0
	offset time.Duration
}

// SteadyMark is what the record knows of the steady clock: what it and the
// wall clock told at the same moment.
type SteadyMark struct{ Steady, Wall time.Time }

func newSteady(wall func() time.Time, elapsed func() time.Duration) *steady {
	if wall == nil {
		wall = time.Now
	}
	if elapsed == nil {
		start := time.Now()
		elapsed = func() time.Duration { return time.Since(start) }
	}
	// A time with a monotonic reading would hide a step of the wall clock.
	return &steady{wall: func() time.Time { return wall().Round(0) }, elapsed: elapsed}
}

// resume goes on from what the record knows, once.
func (s *steady) resume(ctx context.Context, tx Tx) error {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if known {
		return nil
	}
	mark, err := tx.SteadyMark(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		s.known, s.begin = true, resumed(mark, s.wall()).Add(-s.elapsed())
		s.measure()
	}
	return nil
}

// resumed is the steady time at which a process begins: the time that the
// gateway was down counts as the wall clock tells it, and not at all when that
// was set back.
func resumed(mark SteadyMark, wall time.Time) time.Time {
	if mark.Wall.IsZero() {
		return wall
	}
	return mark.Steady.Add(max(0, wall.Sub(mark.Wall)))
}

// measure returns the steady time and what the wall clock is ahead of it.
// Less than a jump is none: it is the noise of two clocks read one after the
// other.
func (s *steady) measure() (now time.Time, offset time.Duration) {
	wall := s.wall()
	now = s.begin.Add(s.elapsed())
	if off := wall.Sub(now); off-s.offset > jump || s.offset-off > jump {
		s.offset = off.Round(time.Millisecond)
	}
	return wall.Add(-s.offset), s.offset
}

// now returns the steady time and what the wall clock is ahead of it.
func (s *steady) now() (time.Time, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return s.wall(), 0
	}
	return s.measure()
}
