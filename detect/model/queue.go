package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// ErrDropped is a look that the model did not get to; it is counted, and says
// nothing about the scene.
var ErrDropped = errors.New("the model has no time for this look")

// Drop is why a look was dropped.
type Drop string

// The reasons.
const (
	DropFull  Drop = "full"  // more wait than may, and the others matter more
	DropLate  Drop = "late"  // its deadline passed
	DropShare Drop = "share" // models have had their share of the time, and its tier comes last
	DropFault Drop = "fault" // the model failed over it
)

// Drops lists every reason.
func Drops() []Drop { return []Drop{DropFull, DropLate, DropShare, DropFault} }

// Request is a look that somebody asks for.
type Request struct {
	Look detect.Look
	// Tier is the camera's: the lower ones are dropped first.
	Tier inventory.Tier
	// Deadline is by when the model must have begun; zero means any time.
	Deadline time.Time
}

// QueueOptions are what a Queue needs. Detector is required.
type QueueOptions struct {
	Detector detect.Detector
	// Waiting is how many looks may wait; 0 means 32.
	Waiting int
	// Batch is how many looks the detector gets at once; 0 means 8.
	Batch int
	// Share is how much of the time the detector may take, 0..1, over
	// ShareWindow; 0 means all of it.
	Share float64
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// ShareWindow is over how long a queue holds its share: an idle detector saves
// up the share of so long.
const ShareWindow = 10 * time.Second

// Queue brings looks of many cameras to one detector, those that matter most
// first, and drops what it has no time for.
type Queue struct {
	o    QueueOptions
	wake chan struct{}

	mu      sync.Mutex
	waiting []*waiter
	// credit is the time that the detector may take now; it was so at at.
	credit time.Duration
	at     time.Time
	counts Counts
}

// waiter is a request that waits. Its answer comes by done, which holds one.
type waiter struct {
	Request
	done chan answer
}

type answer struct {
	found []detect.Detection
	err   error
}

// NewQueue returns a queue; Run makes it work.
func NewQueue(o QueueOptions) (*Queue, error) {
	if o.Detector == nil {
		return nil, errors.New("model: Detector is required")
	}
	if o.Waiting == 0 {
		o.Waiting = 32
	}
	if o.Batch == 0 {
		o.Batch = 8
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Waiting < 1 || o.Batch < 1 || !(o.Share >= 0 && o.Share <= 1) {
		return nil, fmt.Errorf("model: Waiting %d, Batch %d (at least 1) or Share %g (0..1) is out of range", o.Waiting, o.Batch, o.Share)
	}
	q := &Queue{o: o, wake: make(chan struct{}, 1), counts: newCounts()}
	q.credit, q.at = q.most(), o.Now()
	return q, nil
}

// Ask waits for what the model sees. It returns ErrDropped when the model does
// not get to it. The picture is read only until it returns.
func (q *Queue) Ask(ctx context.Context, r Request) ([]detect.Detection, error) {
	if err := r.Look.Picture.Check(); err != nil {
		return nil, err
	}
	w := &waiter{Request: r, done: make(chan answer, 1)}
	q.add(w)
	var late <-chan time.Time
	if !r.Deadline.IsZero() {
		t := time.NewTimer(max(r.Deadline.Sub(q.o.Now()), 1))
		defer t.Stop()
		late = t.C
	}
	select {
	case a := <-w.done:
		return a.found, a.err
	case <-late:
		q.withdraw(w, DropLate)
	case <-ctx.Done():
		if q.withdraw(w, "") {
			return nil, ctx.Err()
		}
	}
	a := <-w.done // once begun it is soon over, and the picture is in use until then
	return a.found, a.err
}

// add lets a request wait, or drops it or one that matters less.
func (q *Queue) add(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts.Asked[w.Tier]++
	if why := admit(q.refill(), q.most(), w.Tier); why != "" {
		q.drop(w, why)
		return
	}
	q.waiting = append(q.waiting, w)
	if len(q.waiting) > q.o.Waiting {
		// The oldest of the lowest tier: its picture is the stalest.
		least := 0
		for i, o := range q.waiting {
			if rank(o.Tier) > rank(q.waiting[least].Tier) {
				least = i
			}
		}
		q.drop(q.waiting[least], DropFull)
		q.waiting = slices.Delete(q.waiting, least, least+1)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// admit says why a tier gets no look at this credit; "" if it gets one. The
// last third of the credit is for the high tier alone, the third before for
// the normal one too.
func admit(credit, most time.Duration, tier inventory.Tier) Drop {
	if most > 0 && credit <= most*time.Duration(rank(tier))/3 {
		return DropShare
	}
	return ""
}

// rank is 0 for the tier that matters most.
func rank(t inventory.Tier) int {
	if i := slices.Index(inventory.Tiers(), t); i >= 0 {
		return i
	}
	return len(inventory.Tiers()) - 1
}

// most is the credit of a queue that was idle for long; 0 means no limit.
func (q *Queue) most() time.Duration {
	return time.Duration(q.o.Share * float64(ShareWindow))
}

// refill returns the credit now.
func (q *Queue) refill() time.Duration {
	now := q.o.Now()
	if since := now.Sub(q.at); since > 0 {
		q.credit = min(q.credit+time.Duration(q.o.Share*float64(since)), q.most())
	}
	q.at = now
	return q.credit
}

// drop answers a request that is dropped. The lock is held.
func (q *Queue) drop(w *waiter, why Drop) {
	q.counts.drop(w.Tier, why)
	w.done <- answer{err: fmt.Errorf("%w: %s", ErrDropped, why)}
}

// withdraw takes back a request that still waits; false when it does not.
func (q *Queue) withdraw(w *waiter, why Drop) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if why != "" {
		q.drop(w, why)
	}
	return true
}

// take takes the requests to look at next.
func (q *Queue) take() []*waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.o.Now()
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waiter) bool {
		late := !w.Deadline.IsZero() && !now.Before(w.Deadline)
		if late {
			q.drop(w, DropLate)
		}
		return late
	})
	slices.SortStableFunc(q.waiting, func(a, b *waiter) int {
		return cmp.Or(cmp.Compare(rank(a.Tier), rank(b.Tier)), a.Deadline.Compare(b.Deadline))
	})
	batch := slices.Clone(q.waiting[:min(len(q.waiting), q.o.Batch)])
	q.waiting = slices.Delete(q.waiting, 0, len(batch))
	if len(batch) > 0 {
		q.counts.Batches++
	}
	return batch
}

// Run looks until ctx ends; what waits then is answered with ctx's error.
func (q *Queue) Run(ctx context.Context) error {
	for {
		batch := q.take()
		if len(batch) == 0 {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				q.close(ctx.Err())
				return nil
			}
		}
		begin := q.o.Now()
		q.look(batch)
		q.mu.Lock()
		took := q.o.Now().Sub(begin)
		q.refill()
		q.credit -= took
		q.counts.Busy += took
		q.mu.Unlock()
	}
}

// look answers a batch. When the detector fails, each look is tried alone, so
// that one camera's picture costs the others nothing.
func (q *Queue) look(batch []*waiter) {
	looks := make([]detect.Look, len(batch))
	for i, w := range batch {
		looks[i] = w.Look
	}
	found, err := q.o.Detector.Detect(looks)
	if err == nil && len(found) != len(looks) {
		err = fmt.Errorf("the detector answered %d of %d looks", len(found), len(looks))
	}
	switch {
	case err == nil:
		for i, w := range batch {
			w.done <- answer{found: found[i]}
		}
	case len(batch) == 1:
		q.mu.Lock()
		q.counts.drop(batch[0].Tier, DropFault)
		q.mu.Unlock()
		batch[0].done <- answer{err: err}
	default:
		for _, w := range batch {
			q.look([]*waiter{w})
		}
	}
}

// close answers all that wait.
func (q *Queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.waiting {
		w.done <- answer{err: err}
	}
	q.waiting = nil
}

// Counts are what happened in a queue.
type Counts struct {
	Asked   map[inventory.Tier]uint64          `json:"asked,omitempty"`
	Dropped map[inventory.Tier]map[Drop]uint64 `json:"dropped,omitempty"`
	Batches uint64                             `json:"batches,omitempty"`
	// Busy is the time that the detector took.
	Busy time.Duration `json:"busy,omitempty"`
}

func newCounts() Counts {
	return Counts{Asked: map[inventory.Tier]uint64{}, Dropped: map[inventory.Tier]map[Drop]uint64{}}
}

// Add adds other counts to these.
func (c *Counts) Add(other Counts) {
	for tier, n := range other.Asked {
		c.Asked[tier] += n
	}
	for tier, drops := range other.Dropped {
		for why, n := range drops {
			if c.Dropped[tier] == nil {
				c.Dropped[tier] = map[Drop]uint64{}
			}
			c.Dropped[tier][why] += n
		}
	}
	c.Batches += other.Batches
	c.Busy += other.Busy
}

func (c *Counts) drop(t inventory.Tier, why Drop) {
	if c.Dropped[t] == nil {
		c.Dropped[t] = map[Drop]uint64{}
	}
	c.Dropped[t][why]++
}

// Counts returns what happened since it was last called. A worker's queue has
// no metrics of its own: its answers carry them to the gateway's Metrics.
func (q *Queue) Counts() Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.counts
	q.counts = newCounts()
	return c
}
