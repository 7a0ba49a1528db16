package alerts

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Handover is a change of shifts: who hands over offers, who takes over signs,
// and the open leads of the first become the second's.
type Handover struct {
	ID      string     `json:"id"`
	From    string     `json:"from"` // who handed over
	Offered time.Time  `json:"offered_at"`
	Note    string     `json:"note,omitempty"`
	To      string     `json:"to,omitempty"` // who took over; "" until then
	Taken   *time.Time `json:"taken_at,omitempty"`
	// Leads are those that passed; until then those that are to.
	Leads []HandoverLead `json:"leads"`
}

// HandoverLead is a lead as it was handed over.
type HandoverLead struct {
	ID     string    `json:"id"`
	Number int64     `json:"number"`
	State  LeadState `json:"state"`
}

// HandoverRefusedError says why a shift cannot be handed or taken over.
type HandoverRefusedError struct{ Why string }

func (e *HandoverRefusedError) Error() string { return "no handover: " + e.Why }

// mostHandedOver bounds the leads of one handover.
const mostHandedOver = 500

// OfferHandover begins a change of shifts: somebody else signs for it. It
// returns *HandoverRefusedError.
func (e *Engine) OfferHandover(ctx context.Context, by, note, client string) (Handover, error) {
	if why := badWords(by, "", note); why != "" {
		return Handover{}, &HandoverRefusedError{Why: why}
	}
	id, err := e.newID()
	if err != nil {
		return Handover{}, fmt.Errorf("make a handover's id: %w", err)
	}
	var h Handover
	err = e.store.Write(ctx, func(tx Tx) error {
		h = Handover{ID: id, From: by, Offered: tx.Now(), Note: note}
		open, err := tx.OwnedLeads(ctx, by, mostHandedOver)
		if err != nil {
			return err
		}
		h.Leads = handed(open)
		if err := tx.AddAudit(ctx, h.audit("offer_handover", by, client)); err != nil {
			return err
		}
		return tx.SaveHandover(ctx, h)
	})
	return h, err
}

// TakeHandover signs for a change of shifts: every open lead of who hands over
// becomes the signer's, with a row in its trace. It returns ErrNotFound or
// *HandoverRefusedError.
func (e *Engine) TakeHandover(ctx context.Context, id, by, client string) (Handover, error) {
	var h Handover
	var all *changes
	err := e.store.Write(ctx, func(tx Tx) error {
		all = &changes{e: e, tx: tx}
		var err error
		if h, err = tx.Handover(ctx, id); err != nil {
			return err
		}
		switch {
		case by == "":
			return &HandoverRefusedError{Why: "it must name who takes over"}
		case h.Taken != nil:
			return &HandoverRefusedError{Why: h.To + " has signed for it already"}
		case h.From == by:
			return &HandoverRefusedError{Why: "nobody takes over from themselves"}
		}
		open, err := tx.OwnedLeads(ctx, h.From, mostHandedOver)
		if err != nil {
			return err
		}
		now := tx.Now()
		h.To, h.Taken, h.Leads = by, &now, handed(open)
		if err := tx.AddAudit(ctx, h.audit("take_handover", by, client)); err != nil {
			return err
		}
		for _, l := range open {
			ch := all.add(l, Step{})
			ch.lead.Owner = by
			if err := ch.record(ctx, Step{By: by, Act: ActHandedOver, About: h.ID, Reason: h.From, Note: h.Note}, client, nil); err != nil {
				return err
			}
		}
		return tx.SaveHandover(ctx, h)
	})
	if err != nil {
		return Handover{}, err
	}
	all.tell()
	return h, nil
}

// Handovers lists the newest changes of shifts, newest first.
func (e *Engine) Handovers(ctx context.Context, limit int) ([]Handover, error) {
	if limit < 1 || limit > 500 {
		return nil, errors.New("limit: want 1 to 500")
	}
	return e.store.Handovers(ctx, limit)
}

func handed(leads []Lead) []HandoverLead {
	list := make([]HandoverLead, len(leads))
	for i, l := range leads {
		list[i] = HandoverLead{ID: l.ID, Number: l.Number, State: l.State}
	}
	return list
}

func (h Handover) audit(action, by, client string) AuditRow {
	at := h.Offered
	if h.Taken != nil {
		at = *h.Taken
	}
	return AuditRow{
		At: at, By: by, Action: action, Object: "handover/" + h.ID, Client: client,
		Detail: fmt.Sprintf("%s hands over %d leads", h.From, len(h.Leads)),
	}
}
