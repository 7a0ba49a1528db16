package wall

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"videopatrol/alerts"
)

const (
	// leaseFor is how long one audit row stands for repeated views of the
	// same thing by the same person for the same purpose.
	leaseFor = 60 * time.Second
	// leaseWait bounds how long a view waits for its audit row.
	leaseWait = 5 * time.Second
	// leaseRowSize bounds how many objects one audit row names.
	leaseRowSize = 64
)

// viewer is who looks, from where, and why.
type viewer struct{ by, client, purpose string }

// leases writes the view audit: a durable row naming viewer and objects comes
// before the first byte, and stands for at most leaseFor. Views that come
// while a row of the same viewer is being written share the next one, so a
// page of thumbnails costs a few rows a minute and not one for each.
type leases struct {
	record func(context.Context, alerts.AuditRow) error
	now    func() time.Time

	mu      sync.Mutex
	viewers map[viewer]*looking
	swept   time.Time
}

// looking is what one viewer may look at now.
type looking struct {
	turn  chan struct{} // held by the one request that writes a row
	until map[string]time.Time
	rows  []*leaseRow // not written yet; the last one may still gather objects
}

// leaseRow is an audit row on its way.
type leaseRow struct {
	objects  []string
	departed bool // it gathers no more
	done     chan struct{}
	err      error // after done
}

var errLeaseAborted = errors.New("the audit row was not finished")

func newLeases(record func(context.Context, alerts.AuditRow) error, now func() time.Time) *leases {
	return &leases{record: record, now: now, viewers: map[viewer]*looking{}}
}

// take returns nil once a durable row covers the viewer's look at the object.
func (l *leases) take(ctx context.Context, v viewer, object string) error {
	look, row := l.join(v, object)
	if row == nil {
		return nil
	}
	select {
	case <-row.done:
		return row.err
	case <-ctx.Done():
		return ctx.Err()
	case look.turn <- struct{}{}:
	}
	defer func() { <-look.turn }()
	if l.depart(row) {
		l.write(ctx, v, look, row)
	}
	<-row.done // whoever departed the row before held the turn until it was written
	return row.err
}

// write makes the row durable and answers all who wait for it.
func (l *leases) write(ctx context.Context, v viewer, look *looking, row *leaseRow) {
	row.err = errLeaseAborted
	defer close(row.done)
	// Others wait for this row too: it does not end with this request.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseWait)
	defer cancel()
	from := l.now()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		look.rows = slices.DeleteFunc(look.rows, func(r *leaseRow) bool { return r == row })
		if row.err == nil {
			for _, o := range row.objects {
				look.until[o] = from.Add(leaseFor)
			}
		}
	}()
	row.err = l.record(ctx, alerts.AuditRow{
		At: from, By: v.by, Action: "view", Object: strings.Join(row.objects, ", "), Purpose: v.purpose, Client: v.client,
	})
}

// join returns the row that will cover the object; nil when one already does.
func (l *leases) join(v viewer, object string) (*looking, *leaseRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.sweep(now)
	look := l.viewers[v]
	if look == nil {
		look = &looking{turn: make(chan struct{}, 1), until: map[string]time.Time{}}
		l.viewers[v] = look
	}
	if now.Before(look.until[object]) {
		return look, nil
	}
	for _, row := range look.rows {
		if slices.Contains(row.objects, object) {
			return look, row
		}
	}
	if n := len(look.rows); n > 0 {
		if last := look.rows[n-1]; !last.departed && len(last.objects) < leaseRowSize {
			last.objects = append(last.objects, object)
			return look, last
		}
	}
	row := &leaseRow{objects: []string{object}, done: make(chan struct{})}
	look.rows = append(look.rows, row)
	return look, row
}

// depart closes the row to newcomers; false when somebody else did.
func (l *leases) depart(row *leaseRow) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if row.departed {
		return false
	}
	row.departed = true
	return true
}

// sweep forgets leases that have ended, once per leaseFor.
func (l *leases) sweep(now time.Time) {
	if now.Sub(l.swept) < leaseFor {
		return
	}
	l.swept = now
	for v, look := range l.viewers {
		for o, until := range look.until {
			if !now.Before(until) {
				delete(look.until, o)
			}
		}
		if len(look.until) == 0 && len(look.rows) == 0 {
			delete(l.viewers, v)
		}
	}
}

// lookers is the number of people and links with a lease that holds.
func (l *leases) lookers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, names := l.now(), map[string]bool{}
	for v, look := range l.viewers {
		for _, until := range look.until {
			if now.Before(until) {
				names[v.by] = true
				break
			}
		}
	}
	return len(names)
}
