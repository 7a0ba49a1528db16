package alerts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Lead returns a lead, or ErrNotFound.
func (e *Engine) Lead(ctx context.Context, id string) (Lead, error) { return e.store.Lead(ctx, id) }

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
	return e.store.Leads(ctx, q)
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
	var lead Lead
	var last, step Step
	err := e.store.Write(ctx, func(tx Tx) error {
		var err error
		if lead, err = tx.Lead(ctx, t.Lead); err != nil {
			return err
		}
		if last, err = tx.LastStep(ctx, lead); err != nil {
			return err
		}
		if err = Judge(lead, last, t, tx.Now()); err != nil {
			return err
		}
		lead, step, err = e.move(ctx, tx, lead, t)
		return err
	})
	if err != nil {
		return Lead{}, fmt.Errorf("lead %s to %s: %w", t.Lead, t.To, err)
	}
	e.moved(lead, last, step)
	return lead, nil
}

// OrderTransition changes a department's order, and with it its lead where the
// order decides that: see followed. It returns *OrderRefusedError or
// ErrNotFound; when it returns nil the change is durable.
func (e *Engine) OrderTransition(ctx context.Context, t OrderTransition) (Lead, error) {
	var lead Lead
	var last, step Step
	err := e.store.Write(ctx, func(tx Tx) error {
		step = Step{}
		var err error
		if lead, err = tx.Lead(ctx, t.Lead); err != nil {
			return err
		}
		if last, err = tx.LastStep(ctx, lead); err != nil {
			return err
		}
		i := slices.IndexFunc(lead.Orders, func(o Order) bool { return o.ID == t.Order })
		if i < 0 {
			return ErrNotFound
		}
		order := lead.Orders[i]
		if err := JudgeOrder(order, t); err != nil {
			return err
		}
		from := order.State
		order.State, order.Changed = t.To, tx.Now()
		lead.Orders[i] = order
		detail := fmt.Sprintf("%s: %s → %s", order.Department, from, t.To)
		if t.Note != "" {
			detail += ": " + t.Note
		}
		if err := tx.AddAudit(ctx, AuditRow{
			At: tx.Now(), By: t.By, Action: "order", Object: "lead/" + lead.ID + "/order/" + order.ID,
			Purpose: t.Reason, Client: t.Client, Detail: detail,
		}); err != nil {
			return err
		}
		if err := tx.SaveOrder(ctx, lead.ID, order); err != nil {
			return err
		}
		if to := followed(lead); to != "" {
			lead, step, err = e.move(ctx, tx, lead, Transition{
				Lead: lead.ID, To: to, By: t.By, Client: t.Client, Version: lead.Version,
				Reason: strings.TrimSpace("order " + string(t.To) + " " + t.Reason),
			})
		}
		return err
	})
	if err != nil {
		return Lead{}, fmt.Errorf("order %s to %s: %w", t.Order, t.To, err)
	}
	e.moved(lead, last, step)
	return lead, nil
}

// move writes one transition that has been judged: audit row, step, orders,
// lead and notices.
func (e *Engine) move(ctx context.Context, tx Tx, lead Lead, t Transition) (Lead, Step, error) {
	step := Step{
		Version: lead.Version + 1, At: tx.Now(), By: t.By, From: lead.State, To: t.To,
		Reason: t.Reason, Note: t.Note,
	}
	if err := tx.AddAudit(ctx, auditOf(lead, step, t.Client)); err != nil {
		return Lead{}, Step{}, err
	}
	if err := tx.AddStep(ctx, lead.ID, step); err != nil {
		return Lead{}, Step{}, err
	}
	lead.Owner = ownerAfter(lead.Owner, t)
	lead.State, lead.Version, lead.Changed = t.To, step.Version, tx.Now()
	var orders []Order
	if t.To == LeadDispatched {
		for i, d := range t.Departments {
			orders = append(orders, Order{
				ID:         lead.ID + "-" + strconv.FormatInt(step.Version, 10) + "-" + strconv.Itoa(i+1),
				Department: strings.TrimSpace(d), State: OrderSent, SentAt: tx.Now(), Changed: tx.Now(),
			})
		}
	}
	for _, o := range orders {
		if err := tx.SaveOrder(ctx, lead.ID, o); err != nil {
			return Lead{}, Step{}, err
		}
	}
	lead.Orders = append(lead.Orders, orders...)
	if err := tx.SaveLead(ctx, lead); err != nil {
		return Lead{}, Step{}, err
	}
	return lead, step, e.notify(ctx, tx, lead, step, orders)
}

// moved tells of a change after its commit.
func (e *Engine) moved(lead Lead, last, step Step) {
	if step.To != "" {
		e.metrics.moved(lead, last, step)
		e.outbox.wake()
	}
	e.changed(Change{Lead: lead, Step: step})
}
