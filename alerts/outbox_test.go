package alerts_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"videopatrol/alerts"
)

// waiting is the part of a record that an outbox sees. While it is away it
// takes no outcome.
type waiting struct {
	mu      sync.Mutex
	notices []alerts.Notice
	away    bool
}

func (w *waiting) be(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

func (w *waiting) Due(context.Context, string, time.Time, int) ([]alerts.Notice, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.notices), nil
}

func (w *waiting) Settle(_ context.Context, s alerts.Settlement) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return errors.New("the disk is full")
	}
	w.notices = slices.DeleteFunc(w.notices, func(n alerts.Notice) bool { return n.ID == s.ID })
	return nil
}

func (*waiting) NextDue(context.Context, string, time.Time) (time.Time, error) {
	return time.Time{}, nil
}

func (*waiting) Hasten(context.Context, string) error { return nil }

func (*waiting) Backlog(context.Context) ([]alerts.SinkBacklog, error) { return nil, nil }

// TestRecordAway: deliveries that are under way together when the record goes
// away are one failure, and a record that was away for long is asked again
// within 20 s.
func TestRecordAway(t *testing.T) {
	for _, c := range []struct{ away, within time.Duration }{
		{1500 * time.Millisecond, 1500 * time.Millisecond}, // it is asked after 1 s and after 3 s
		{10 * time.Minute, 20 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			record := &waiting{away: true}
			for _, id := range []string{"a", "b", "c", "d"} {
				record.notices = append(record.notices, alerts.Notice{ID: id, Sink: "desk", Lead: alerts.Lead{ID: id}})
			}
			sink := &scriptedSink{start: time.Now()}
			outbox, err := alerts.NewOutbox(alerts.OutboxOptions{
				Store: record, Subscriptions: []alerts.Subscription{{Name: "desk", Sink: sink}},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- outbox.Run(ctx) }()
			time.Sleep(c.away)
			record.be(false)
			time.Sleep(c.within + time.Millisecond)
			synctest.Wait()
			if len(record.notices) > 0 {
				t.Errorf("away for %s: %d notices wait %s later; delivered so far: %v", c.away, len(record.notices), c.within, sink.all())
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
