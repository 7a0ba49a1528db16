package alerts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Lead returns a lead, or ErrNotFound.
func (e *Engine) Lead(ctx context.Context, id string) (Lead, error) {
	l, err := e.store.Lead(ctx, id)
	return e.shown(l), err
}

// Leads returns a page of leads, newest first.
func (e *Engine) Leads(ctx context.Context, q LeadQuery) (LeadPage, error) {
	switch {
	case q.Limit == 0:
		q.Limit = 50
	case q.Limit < 1 || q.Limit > 500:
		return LeadPage{}, fmt.Errorf("limit %d: want 1 to 500", q.Limit)
	}
	for _, s := range q.States {
		if !slices.Contains(LeadStates(), s) {
			return LeadPage{}, fmt.Errorf("there is no lead state %q", s)
		}
	}
	page, err := e.store.Leads(ctx, q)
	for i, l := range page.Leads {
		page.Leads[i] = e.shown(l)
	}
	return page, err
}

// Trace lists the steps of a lead, the first one first.
func (e *Engine) Trace(ctx context.Context, id string) ([]Step, error) { return e.store.Trace(ctx, id) }

// Counts returns the number of leads by state, canary leads left out.
func (e *Engine) Counts(ctx context.Context) (map[LeadState]int, error) { return e.store.Counts(ctx) }

// Evidence opens a picture of a lead, "" being the newest that it is evidence
// of. Whoever shows the picture calls Record first.
func (e *Engine) Evidence(ctx context.Context, sha256, lead string) (io.ReadSeekCloser, Lead, error) {
	of, err := e.store.EvidenceLead(ctx, sha256, lead)
	if err != nil {
		return nil, Lead{}, err
	}
	r, err := e.pictures.Open(ctx, sha256)
	return r, of, err
}

// Record writes an audit row and returns once it is durable. The row's time
// and sequence number are the record's own.
func (e *Engine) Record(ctx context.Context, row AuditRow) error {
	if err := checkAudit(row); err != nil {
		return err
	}
	return e.store.Write(ctx, func(tx Tx) error { return addAudit(ctx, tx, row) })
}

// Along runs a change and writes its audit row in the change's own
// transaction, or, when the change wrote nothing, in one of its own.
func (e *Engine) Along(ctx context.Context, row AuditRow, change func(context.Context) error) error {
	if err := checkAudit(row); err != nil {
		return err
	}
	arrived, err := e.store.Along(ctx, func(tx Tx) error { return addAudit(ctx, tx, row) }, change)
	if err != nil || arrived {
		return err
	}
	return e.Record(ctx, row)
}

func checkAudit(row AuditRow) error {
	if row.By == "" || row.Action == "" || row.Object == "" {
		return errors.New("an audit row says who did what to which object")
	}
	return nil
}

func addAudit(ctx context.Context, tx Tx, row AuditRow) error {
	row.At = tx.Now()
	return tx.AddAudit(ctx, row)
}

// Audit lists rows, newest first, before a sequence number (0: the end).
func (e *Engine) Audit(ctx context.Context, before int64, limit int) ([]AuditRow, error) {
	if limit < 1 || limit > 1000 {
		return nil, fmt.Errorf("limit %d: want 1 to 1000", limit)
	}
	return e.store.Audit(ctx, before, limit)
}

// Transition moves a lead; see Judge. It returns *StaleError, *RefusedError or
// ErrNotFound; when it returns nil the change is durable.
func (e *Engine) Transition(ctx context.Context, t Transition) (Lead, error) {
	lead, err := e.change(ctx, t.Lead, func(ch *changing) error {
		if err := Judge(ch.lead, ch.last, t, ch.tx.Now()); err != nil {
			return err
		}
		return ch.move(ctx, t)
	})
	if err != nil {
		return Lead{}, fmt.Errorf("lead %s to %s: %w", t.Lead, t.To, err)
	}
	return lead, nil
}

// move makes one transition that has been judged.
func (ch *changing) move(ctx context.Context, t Transition) error {
	l := &ch.lead
	step := Step{By: t.By, Act: ActMoved, To: t.To, Reason: strings.TrimSpace(t.Reason), Note: t.Note}
	l.Owner = ownerAfter(l.Owner, t)
	var orders []Order
	switch t.To {
	case LeadDispatched:
		orders = newOrders(*l, t.Departments, t.Copies, round(*l)+1, l.Version+1, ch.tx.Now())
		l.Orders = append(l.Orders, orders...)
	case LeadTransferred:
		step.About, orders = ch.transfer(t)
	case LeadMerged:
		step.About = t.Into
		return ch.merge(ctx, t, step)
	case LeadRaised:
		if l.State == LeadMerged {
			step.About = l.MergedInto
			return ch.split(ctx, t, step)
		}
	case LeadReopened:
		l.Level++
	case LeadClosed:
		l.Supervised = false
	default:
	}
	return ch.record(ctx, step, t.Client, orders)
}
