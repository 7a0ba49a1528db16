package alerts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"videopatrol/alerts"
)

// delivery is a notice that a sink took, and when.
type delivery struct {
	alerts.Notice
	at time.Duration
}

func (d delivery) String() string { return fmt.Sprintf("%d %s at %s", d.Lead.Number, d.Step.To, d.at) }

// scriptedSink takes notices or fails as it is told.
type scriptedSink struct {
	start time.Time
	mood  atomic.Pointer[string]
	tries atomic.Int64

	mu    sync.Mutex
	taken []delivery
}

func (s *scriptedSink) Deliver(_ context.Context, n alerts.Notice) error {
	s.tries.Add(1)
	if mood := s.mood.Load(); mood != nil {
		err := &alerts.DeliveryError{Fault: alerts.FaultBroken, Err: errors.New("scripted")}
		switch *mood {
		case "down":
			return err
		case "busy":
			err.After = 10 * time.Minute
			return err
		case "gone":
			err.Stop = true
			return err
		case "unfit":
			err.Hopeless = true
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, delivery{Notice: n, at: time.Since(s.start)})
	return nil
}

func (s *scriptedSink) all() []delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}
