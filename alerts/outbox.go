package alerts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Sink tells one receiver of a lead's transition. Deliver may be called from
// several goroutines at once, but never for two notices of one lead. It
// returns nil once the receiver has taken the notice; a notice may come again
// with the same ID. A *DeliveryError says more than any other error.
type Sink interface {
	Deliver(ctx context.Context, n Notice) error
}

// DeliveryError says why a delivery failed and what follows from it.
type DeliveryError struct {
	// Fault is one of the Fault constants.
	Fault string
	// After is how long the receiver asked to be left alone; 0: it did not.
	After time.Duration
	// Hopeless: no other try can succeed.
	Hopeless bool
	// Stop: the receiver wants no more, until the gateway starts anew.
	Stop bool
	Err  error
}

func (e *DeliveryError) Error() string { return e.Err.Error() }

// Unwrap returns the error behind it.
func (e *DeliveryError) Unwrap() error { return e.Err }

// Subscription is one sink and what it is told.
type Subscription struct {
	// Name is the sink's in the record and in metrics: a sink that comes back
	// under its name gets what it has missed.
	Name string
	Sink Sink
	// Transitions are the states a lead comes into, or other names of steps;
	// none means all.
	Transitions []LeadState
	// Canary: canary leads only; else none of them.
	Canary bool
}

// OutboxOptions says what an Outbox works with.
type OutboxOptions struct {
	Store         OutboxStore // required
	Subscriptions []Subscription
	// InFlight bounds the deliveries of one sink at a time; 0 means 4.
	InFlight int
	// Clock nil is time.Now; Random nil is a random number in [0, 1).
	Clock      func() time.Time
	Random     func() float64
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Outbox brings notices from the record to the sinks, at least once each and
// in order for each lead. Every sink has a queue of its own: a dead one holds
// up no other.
type Outbox struct {
	o       OutboxOptions
	wakes   map[string]chan struct{}
	metrics *outboxMetrics
	begun   time.Time
}

// Pauses before each try, of the Standard Webhooks specification 1.0.0,
// "Deliverability and reliability". After the last one a notice is a dead
// letter.
var pauses = []time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// jitter spreads a pause by up to a tenth to both sides.
	jitter = 0.1
	// maxAfter bounds what a receiver may ask for by Retry-After.
	maxAfter = 24 * time.Hour
	// soon is the shortest pause that is one: a timer that is due when it is set
	// upsets the race detector of Go 1.26 in a synctest bubble.
	soon = 1
	// idle is how long a queue sleeps when nothing waits: a commit wakes it.
	// recheck is how long it sleeps at most while something does: a clock that
	// is set forward makes notices due.
	idle    = time.Hour
	recheck = 10 * time.Minute
	// fetch is how many notices are read from the record at a time.
	fetch = 64
	// retryDB is how long it waits at first after the record did not answer.
	retryDB = time.Second
	restDB  = 20 * time.Second // and at most
	// downAfter is how many tries in a row fail before a sink counts as down:
	// once it takes a notice again, the others do not wait out their pauses.
	downAfter = 3
)

// NewOutbox returns an Outbox; Run starts it.
func NewOutbox(o OutboxOptions) (*Outbox, error) {
	if o.Store == nil {
		return nil, errors.New("outbox: a Store is required")
	}
	wakes := map[string]chan struct{}{}
	names := make([]string, 0, len(o.Subscriptions))
	for _, s := range o.Subscriptions {
		if s.Name == "" || s.Sink == nil {
			return nil, errors.New("outbox: a subscription has a name and a sink")
		}
		if wakes[s.Name] != nil {
			return nil, fmt.Errorf("outbox: two sinks are named %q", s.Name)
		}
		for _, t := range s.Transitions {
			if !slices.Contains(StepNames(), string(t)) {
				return nil, fmt.Errorf("outbox: sink %s: no step is named %q", s.Name, t)
			}
		}
		wakes[s.Name] = make(chan struct{}, 1)
		names = append(names, s.Name)
	}
	if o.InFlight <= 0 {
		o.InFlight = 4
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m, err := newOutboxMetrics(o.Store, names, o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Outbox{o: o, wakes: wakes, metrics: m, begun: time.Now()}, nil
}

// subscribers are the sinks that are to be told of a step; a nil Outbox has
// none.
func (b *Outbox) subscribers(l Lead, s Step) []string {
	if b == nil {
		return nil
	}
	var names []string
	for _, sub := range b.o.Subscriptions {
		if sub.Canary == l.Canary && (len(sub.Transitions) == 0 || slices.Contains(sub.Transitions, LeadState(s.Name()))) {
			names = append(names, sub.Name)
		}
	}
	return names
}

// wake tells every queue, after a commit, that there may be work.
func (b *Outbox) wake() {
	if b == nil {
		return
	}
	for _, ch := range b.wakes {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Run delivers until ctx ends, and returns when every delivery has come to its
// end. Deliveries under way are cut short then and tried again by the next Run.
func (b *Outbox) Run(ctx context.Context) error {
	var queues sync.WaitGroup
	for _, s := range b.o.Subscriptions {
		q := &queue{b: b, sub: s, busy: map[string]bool{}, done: make(chan delivered), recorded: make(chan recorded)}
		queues.Go(func() { q.run(ctx) })
	}
	queues.Wait()
	<-ctx.Done() // without a sink there is nothing to do, and no reason to end
	return nil
}

// queue is one sink's. Its goroutine owns all of it; each delivery has a
// goroutine of its own and comes back over done, and so has the writing down
// of its outcome, which comes back over recorded: several share a commit.
type queue struct {
	b        *Outbox
	sub      Subscription
	busy     map[string]bool // leads with a delivery under way or to be recorded
	done     chan delivered
	recorded chan recorded
	next     []Notice // due and not begun
	failed   int      // tries in a row that failed
	proven   bool     // the sink took a notice since the start
	stopped  bool
	unread   bool // the record could not be read at the last try
	// hold is until when nothing is started because an outcome could not be
	// recorded: the receiver would get the same notices over and over.
	hold  time.Time
	rest  time.Duration
	ahead time.Duration // wallAhead at the last look
}

type delivered struct {
	notice Notice
	err    error
}

// recorded is a delivery whose outcome is in the record, unless unwritten says
// why not.
type recorded struct {
	delivered
	unwritten error
}

func (q *queue) run(ctx context.Context) {
	sleep := time.NewTimer(idle)
	defer sleep.Stop()
	q.ahead = q.wallAhead()
	for {
		pause := idle
		if ctx.Err() == nil && !q.stopped {
			pause = q.fill(ctx)
		}
		sleep.Reset(max(pause, soon))
		select {
		case <-ctx.Done():
			for len(q.busy) > 0 {
				select {
				case d := <-q.done:
					q.settle(ctx, d)
				case r := <-q.recorded:
					q.settled(ctx, r)
				}
			}
			return
		case d := <-q.done:
			q.settle(ctx, d)
		case r := <-q.recorded:
			q.settled(ctx, r)
		case <-q.b.wakes[q.sub.Name]:
		case <-sleep.C:
		}
	}
}

// fill starts as many deliveries as may be under way, and returns how long
// there is nothing more to do.
func (q *queue) fill(ctx context.Context) time.Duration {
	if err := q.watchClock(ctx); err != nil {
		return q.cannotRead(ctx, err)
	}
	now := q.b.o.Clock()
	if pause := q.hold.Sub(now); pause > 0 {
		return pause
	}
	if len(q.next) == 0 && len(q.busy) < q.b.o.InFlight {
		due, err := q.b.o.Store.Due(ctx, q.sub.Name, now, fetch+len(q.busy))
		if err != nil {
			return q.cannotRead(ctx, err)
		}
		// What is under way is still due as far as the record knows.
		q.next = slices.DeleteFunc(due, func(n Notice) bool { return q.busy[n.Lead.ID] })
	}
	for len(q.next) > 0 && len(q.busy) < q.b.o.InFlight {
		n := q.next[0]
		q.next = q.next[1:]
		q.busy[n.Lead.ID] = true
		go func() { q.done <- delivered{notice: n, err: q.sub.Sink.Deliver(ctx, n)} }()
	}
	if len(q.busy) >= q.b.o.InFlight {
		return idle // the next one to come back goes on
	}
	next, err := q.b.o.Store.NextDue(ctx, q.sub.Name, now)
	if err != nil {
		return q.cannotRead(ctx, err)
	}
	if q.unread {
		q.unread = false
		q.b.o.Log.Info("outbox can read the record again", "sink", q.sub.Name)
	}
	if next.IsZero() {
		return idle
	}
	return min(next.Sub(now), recheck)
}

// watchClock makes what waits due when the wall clock was set back: it would
// wait longer by as much.
func (q *queue) watchClock(ctx context.Context) error {
	ahead := q.wallAhead()
	if ahead < q.ahead-jump {
		if err := q.b.o.Store.Hasten(ctx, q.sub.Name); err != nil {
			return err
		}
		q.hold = time.Time{}
	}
	q.ahead = ahead
	return nil
}

// wallAhead is what the wall clock has gained on the time that has passed.
func (q *queue) wallAhead() time.Duration {
	return q.b.o.Clock().Round(0).Sub(q.b.begun.Round(0)) - time.Since(q.b.begun)
}

// cannotRead tells once of a record that does not answer, and returns when to
// ask it again.
func (q *queue) cannotRead(ctx context.Context, err error) time.Duration {
	if ctx.Err() == nil && !q.unread {
		q.unread = true
		q.b.o.Log.Warn("outbox cannot read the record", "sink", q.sub.Name, "error", err)
	}
	return retryDB
}

// recordTime bounds how long an outcome is written down.
const recordTime = 5 * time.Second

// settle has the outcome of a delivery recorded. The receiver may have taken
// the notice while the record does not: then it gets it again, with the same
// ID.
func (q *queue) settle(ctx context.Context, d delivered) {
	if d.err != nil && ctx.Err() != nil {
		delete(q.busy, d.notice.Lead.ID)
		return // cut short by the end of the process: not the sink's fault
	}
	s := q.judge(d)
	go func() {
		// The outcome is recorded although ctx may have ended: that saves a
		// repeat.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
		defer cancel()
		q.recorded <- recorded{d, q.b.o.Store.Settle(ctx, s)}
	}()
}

// settled goes on after the outcome of a delivery was recorded.
func (q *queue) settled(ctx context.Context, r recorded) {
	delete(q.busy, r.notice.Lead.ID)
	if r.unwritten != nil {
		q.b.o.Log.Warn("outbox cannot record a delivery; it will be made again", "sink", q.sub.Name, "error", r.unwritten)
		// What was read before is not told before the record can be read again;
		// and those that were under way together are one failure.
		q.next = nil
		if now := q.b.o.Clock(); !now.Before(q.hold) {
			q.rest = min(max(2*q.rest, retryDB), restDB)
			q.hold = now.Add(q.rest)
		}
		return
	}
	q.rest = 0
	if r.err != nil {
		q.failed++
		if q.failed == downAfter {
			q.b.o.Log.Warn("sink is down", "sink", q.sub.Name, "error", r.err)
		}
		return
	}
	if q.failed >= downAfter {
		q.b.o.Log.Info("sink is back", "sink", q.sub.Name)
	}
	// Nor do those wait that failed before the gateway started anew.
	if q.failed >= downAfter || !q.proven {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
		defer cancel()
		if err := q.b.o.Store.Hasten(ctx, q.sub.Name); err != nil {
			q.b.o.Log.Warn("outbox cannot hasten what waits", "sink", q.sub.Name, "error", err)
		}
	}
	q.failed, q.proven = 0, true
}

// judge decides what follows from a delivery.
func (q *queue) judge(d delivered) Settlement {
	now := q.b.o.Clock()
	s := Settlement{Sink: d.notice.Sink, ID: d.notice.ID, State: NoticeSent, Tries: d.notice.Tries, At: now}
	if d.err == nil {
		q.b.metrics.sent.WithLabelValues(q.sub.Name).Inc()
		return s
	}
	var why *DeliveryError
	if !errors.As(d.err, &why) {
		why = &DeliveryError{Fault: FaultOther, Err: d.err}
	}
	q.b.metrics.failed.WithLabelValues(q.sub.Name, why.Fault).Inc()
	s.Fault = d.err.Error()
	s.State = NoticePending
	if why.Stop {
		// The notice stays pending and its try does not count: the sink gets
		// it once its configuration has changed.
		q.stopped = true
		q.b.o.Log.Warn("sink wants no more notices, stopped until the gateway starts anew", "sink", q.sub.Name, "error", d.err)
		return s
	}
	s.Tries++
	pause, again := nextPause(s.Tries, why.After, q.b.o.Random())
	if why.Hopeless || !again {
		s.State = NoticeDead
		q.b.metrics.failed.WithLabelValues(q.sub.Name, FaultGivenUp).Inc()
		q.b.o.Log.Error("notice given up", "sink", q.sub.Name, "notice", d.notice.ID, "tries", s.Tries, "error", d.err)
		return s
	}
	s.Next = now.Add(pause)
	return s
}

// nextPause is how long to wait after a number of tries that failed, and
// whether to try again at all. after is what the receiver asked for, random a
// number in [0, 1).
func nextPause(tries int, after time.Duration, random float64) (time.Duration, bool) {
	if tries >= len(pauses) {
		return 0, false
	}
	p := time.Duration(float64(pauses[tries]) * (1 + jitter*(2*random-1)))
	return max(p, min(after, maxAfter)), true
}
