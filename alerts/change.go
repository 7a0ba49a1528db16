package alerts

import (
	"context"
	"fmt"
	"strings"
)

// changing is a lead while one transaction changes it: each record adds a row
// to its trace.
type changing struct {
	*changes
	lead  Lead
	last  Step // the newest step that decided something, before the change
	steps []Step
	moves []moved
}

// moved is what metrics tell of a change: the state that a lead left, the one
// that it came into, and how long it was in the first, or the stage whose clock ran out.
type moved struct {
	lead     Lead
	from, to LeadState
	seconds  float64
	breached Stage
}

// change loads a lead, lets fn change it in one transaction, and tells of it
// after the commit.
func (e *Engine) change(ctx context.Context, id string, fn func(*changing) error) (Lead, error) {
	var all *changes
	err := e.store.Write(ctx, func(tx Tx) error {
		all = &changes{e: e, tx: tx}
		ch, err := all.load(ctx, id)
		if err != nil {
			return err
		}
		return fn(ch)
	})
	if err != nil {
		return Lead{}, err
	}
	all.tell()
	return e.shown(all.list[0].lead), nil
}

// changes are the leads that one transaction changes.
type changes struct {
	e    *Engine
	tx   Tx
	list []*changing
}

// load reads a lead to be changed, or returns ErrNotFound.
func (c *changes) load(ctx context.Context, id string) (*changing, error) {
	lead, err := c.tx.Lead(ctx, id)
	if err != nil {
		return nil, err
	}
	last, err := c.tx.LastStep(ctx, lead)
	if err != nil {
		return nil, err
	}
	return c.add(lead, last), nil
}

func (c *changes) add(lead Lead, last Step) *changing {
	ch := &changing{changes: c, lead: lead, last: last}
	c.list = append(c.list, ch)
	return ch
}

// tell tells metrics, sinks and listeners, after the commit.
func (c *changes) tell() {
	for _, ch := range c.list {
		for _, m := range ch.moves {
			c.e.metrics.moved(m)
		}
		for _, s := range ch.steps {
			c.e.changed(Change{Lead: c.e.shown(ch.lead), Step: s})
		}
	}
	c.e.outbox.wake()
	c.e.wakeClocks()
}

// record adds one row to the trace of the lead, as it is in ch, and keeps the
// lead, the orders that the step made or changed, the clocks that follow from
// it, the audit row and what the sinks are to be told. It fills in the step's
// version, time and states.
func (ch *changing) record(ctx context.Context, s Step, client string, orders []Order) error {
	l, tx := &ch.lead, ch.tx
	s.Version, s.At, s.From = l.Version+1, tx.Now(), l.State
	if s.Act == ActMoved {
		ch.moves = append(ch.moves, moved{lead: *l, from: l.State, to: s.To, seconds: s.At.Sub(l.Since).Seconds()})
		l.State, l.Since = s.To, s.At
	}
	if s.Act == ActBreached {
		ch.moves = append(ch.moves, moved{lead: *l, breached: Stage(s.About)})
	}
	s.To = l.State
	if !l.watched() {
		l.Blind = nil
	}
	l.Version, l.Changed = s.Version, s.At
	if s.Act.decides() {
		l.Decided = s.Version
	}
	if err := tx.AddAudit(ctx, auditOf(*l, s, client)); err != nil {
		return err
	}
	if err := tx.AddStep(ctx, l.ID, s); err != nil {
		return err
	}
	for _, o := range orders {
		if err := tx.SaveOrder(ctx, l.ID, o); err != nil {
			return err
		}
	}
	if err := ch.e.setClocks(ctx, tx, l); err != nil {
		return err
	}
	if err := tx.SaveLead(ctx, *l); err != nil {
		return err
	}
	ch.steps = append(ch.steps, s)
	return ch.e.notify(ctx, tx, *l, s, orders)
}

// auditOf is the audit row of a step.
func auditOf(l Lead, s Step, client string) AuditRow {
	row := AuditRow{At: s.At, By: s.By, Action: string(s.Act), Object: "lead/" + l.ID, Purpose: s.Reason, Client: client}
	if s.Act == ActMoved {
		row.Action, row.Detail = "transition", strings.TrimPrefix(fmt.Sprintf("%s → %s, version %d", s.From, s.To, s.Version), " ")
	} else {
		row.Detail = fmt.Sprintf("version %d", s.Version)
	}
	if s.About != "" {
		row.Detail += ", of " + s.About
	}
	if s.Note != "" {
		row.Detail += ": " + s.Note
	}
	return row
}
