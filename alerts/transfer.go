package alerts

import (
	"cmp"
	"context"
	"fmt"
)

// withdrawn is the reason of an order that the gateway took back itself.
const withdrawn = "transferred"

// transfer hands the lead to another centre: the orders that nobody had
// acknowledged are taken back, and the case gets its key, which it keeps.
func (ch *changing) transfer(t Transition) (key string, orders []Order) {
	l, now := &ch.lead, ch.tx.Now()
	for i, o := range l.Orders {
		if o.State.Open() {
			l.Orders[i].State, l.Orders[i].Reason, l.Orders[i].Changed = OrderReturned, withdrawn, now
			orders = append(orders, l.Orders[i])
		}
	}
	centre := cmp.Or(ch.e.Routes().Centre(), "12345")
	if len(t.Departments) > 0 {
		centre = t.Departments[0]
	}
	key = fmt.Sprintf("VP%s-%06d", l.RaisedAt.Format("20060102"), l.Number)
	l.Transfer = &Transfer{Centre: centre, Key: key, At: now}
	return key, orders
}

// TransferAnswer is what another centre says of a lead that it was given.
type TransferAnswer struct {
	Key string
	// To is LeadAccepted when the case comes back, LeadClosed when it was
	// handled there.
	To     LeadState
	By     string
	Reason string // closing demands one
	Note   string
	Client string
}

// AnswerTransfer brings a transferred lead back, or closes it, by its key. It
// returns *RefusedError, or ErrNotFound for a key that no lead has.
func (e *Engine) AnswerTransfer(ctx context.Context, a TransferAnswer) (Lead, error) {
	if a.Key == "" {
		return Lead{}, fmt.Errorf("answer of a transfer without a key: %w", ErrNotFound)
	}
	page, err := e.store.Leads(ctx, LeadQuery{Transfer: a.Key, Limit: 1})
	if err == nil && len(page.Leads) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Lead{}, fmt.Errorf("transfer %s: %w", a.Key, err)
	}
	lead, err := e.change(ctx, page.Leads[0].ID, func(ch *changing) error {
		t := Transition{
			Lead: ch.lead.ID, To: a.To, By: a.By, Reason: a.Reason, Note: a.Note, Version: ch.lead.Version, Client: a.Client,
		}
		refused := &RefusedError{From: ch.lead.State, To: a.To, Allowed: NextStates(ch.lead.State)}
		switch {
		case ch.lead.State != LeadTransferred:
			refused.Why = "it is not at another centre"
			return refused
		case a.To != LeadAccepted && a.To != LeadClosed:
			refused.Why = "a transfer comes back as accepted, or is closed"
			return refused
		}
		// The key is the other centre's right: it asks for no ownership here.
		judged := ch.lead
		judged.Owner = ""
		if err := Judge(judged, ch.last, t, ch.tx.Now()); err != nil {
			return err
		}
		return ch.move(ctx, t)
	})
	if err != nil {
		return Lead{}, fmt.Errorf("transfer %s: %w", a.Key, err)
	}
	return lead, nil
}
