package alerts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ReasonReview is the reason that brings a rejected lead back to raised after
// the UndoWindow has passed.
const ReasonReview = "review"

// Bounds of what a person may write into a transition.
const (
	maxReason      = 200  // bytes
	maxNote        = 2000 // bytes
	maxDepartments = 16
)

// steps is the table of lead states: from each state to the next ones.
var steps = map[LeadState][]LeadState{
	LeadRaised:       {LeadAccepted, LeadRejected, LeadMerged, LeadExpired},
	LeadAccepted:     {LeadRaised, LeadDispatched, LeadTransferred, LeadClosed},
	LeadRejected:     {LeadRaised},
	LeadMerged:       {LeadRaised},
	LeadExpired:      {},
	LeadDispatched:   {LeadAcknowledged, LeadAccepted, LeadTransferred},
	LeadAcknowledged: {LeadResolved},
	LeadResolved:     {LeadClosed, LeadDispatched},
	LeadTransferred:  {LeadAccepted, LeadClosed},
	LeadClosed:       {LeadReopened},
	LeadReopened:     {LeadDispatched},
}

// NextStates lists the states that the table allows after a state.
func NextStates(from LeadState) []LeadState { return slices.Clone(steps[from]) }

// Open tells whether a lead in that state still wants somebody's work.
func (s LeadState) Open() bool {
	switch s {
	case LeadRejected, LeadMerged, LeadExpired, LeadClosed:
		return false
	default:
		return true
	}
}

// Judge says whether a lead may make a transition at a time, given the last
// step of its trace. It returns nil, *StaleError or *RefusedError, which says
// why and what would be allowed.
func Judge(lead Lead, last Step, t Transition, now time.Time) error {
	if t.Version != lead.Version {
		return &StaleError{Lead: lead.ID, State: lead.State, Version: lead.Version, Owner: last.By}
	}
	why := refusal(lead, last, t, now)
	if why == "" {
		return nil
	}
	return &RefusedError{From: lead.State, To: t.To, Why: why, Allowed: NextStates(lead.State)}
}

// refusal is why a transition is not allowed, or "".
func refusal(lead Lead, last Step, t Transition, now time.Time) string {
	switch {
	case t.By == "":
		return "it must name who asks"
	case len(t.Reason) > maxReason || len(t.Note) > maxNote:
		return fmt.Sprintf("a reason has at most %d bytes and a note %d", maxReason, maxNote)
	case !slices.Contains(LeadStates(), t.To):
		return "there is no such state"
	case !slices.Contains(steps[lead.State], t.To):
		return "no such step"
	}
	switch t.To {
	case LeadRejected, LeadClosed:
		if strings.TrimSpace(t.Reason) == "" {
			return "it needs a reason"
		}
	case LeadRaised:
		return refusalToRaise(lead, last, t, now)
	case LeadDispatched:
		return refusalToDispatch(t.Departments)
	case LeadAccepted:
		if lead.State == LeadDispatched && slices.ContainsFunc(lead.Orders, func(o Order) bool { return o.State.open() }) {
			return "a department still has an order; take it back once every order is returned"
		}
	default:
	}
	return ""
}

// refusalToRaise judges undo, review and split.
func refusalToRaise(lead Lead, last Step, t Transition, now time.Time) string {
	switch {
	case lead.State == LeadMerged:
		return ""
	case lead.State == LeadRejected && t.Reason == ReasonReview:
		return ""
	case last.To != lead.State || last.From != LeadRaised:
		return "only a triage can be undone"
	case last.By != t.By:
		return fmt.Sprintf("only %s can undo it", last.By)
	case now.Sub(last.At) > UndoWindow:
		if lead.State == LeadRejected {
			return fmt.Sprintf("undo ends after %s; give %q as the reason to take it up again", UndoWindow, ReasonReview)
		}
		return fmt.Sprintf("undo ends after %s", UndoWindow)
	}
	return ""
}

func refusalToDispatch(departments []string) string {
	if len(departments) == 0 {
		return "it needs at least one department"
	}
	if len(departments) > maxDepartments {
		return fmt.Sprintf("it takes at most %d departments", maxDepartments)
	}
	seen := map[string]bool{}
	for _, d := range departments {
		if d = strings.TrimSpace(d); d == "" || len(d) > maxReason {
			return fmt.Sprintf("a department needs a name of 1 to %d bytes", maxReason)
		}
		if seen[d] {
			return fmt.Sprintf("department %s is named twice", d)
		}
		seen[d] = true
	}
	return ""
}

// ownerAfter is who holds a lead after a transition.
func ownerAfter(owner string, t Transition) string {
	switch {
	case t.To == LeadRaised:
		return ""
	case owner == "" || t.To == LeadAccepted:
		return t.By
	}
	return owner
}

// orderSteps is the table of order states.
var orderSteps = map[OrderState][]OrderState{
	OrderSent:         {OrderAcknowledged, OrderReturned},
	OrderAcknowledged: {OrderOnScene, OrderDone, OrderReturned},
	OrderOnScene:      {OrderDone, OrderReturned},
	OrderDone:         {},
	OrderReturned:     {},
}

// OrderStates lists every state of an order.
func OrderStates() []OrderState { return slices.Sorted(maps.Keys(orderSteps)) }

// open tells whether the department still has the order in hand.
func (s OrderState) open() bool { return s != OrderDone && s != OrderReturned }

// OrderTransition is what a department says of its order.
type OrderTransition struct {
	Lead, Order string
	To          OrderState
	By          string
	Reason      string // an order that is returned demands one
	Note        string
	// Client is the address the request came from, for the audit.
	Client string
}

// OrderRefusedError says why an order cannot change so.
type OrderRefusedError struct {
	From, To OrderState
	Why      string
	Allowed  []OrderState
}

func (e *OrderRefusedError) Error() string {
	return fmt.Sprintf("an order cannot go from %s to %s: %s", e.From, e.To, e.Why)
}

// JudgeOrder says whether an order may change so; its error is an
// *OrderRefusedError.
func JudgeOrder(o Order, t OrderTransition) error {
	var why string
	switch {
	case t.By == "":
		why = "it must name who asks"
	case len(t.Reason) > maxReason || len(t.Note) > maxNote:
		why = fmt.Sprintf("a reason has at most %d bytes and a note %d", maxReason, maxNote)
	case !slices.Contains(orderSteps[o.State], t.To):
		why = "no such step"
	case t.To == OrderReturned && strings.TrimSpace(t.Reason) == "":
		why = "it needs a reason"
	default:
		return nil
	}
	return &OrderRefusedError{From: o.State, To: t.To, Why: why, Allowed: slices.Clone(orderSteps[o.State])}
}

// followed is where a change of an order takes its lead: the first department
// to acknowledge acknowledges the lead, and when nobody has an order any more
// the lead is resolved, or comes back because all returned it. "" is nowhere.
func followed(lead Lead) LeadState {
	var open, done, taken int
	var dispatched time.Time
	for _, o := range lead.Orders {
		if o.SentAt.After(dispatched) {
			dispatched = o.SentAt
		}
	}
	for _, o := range lead.Orders {
		if o.SentAt.Before(dispatched) {
			continue // of an earlier dispatch
		}
		switch o.State {
		case OrderDone:
			done++
		case OrderAcknowledged, OrderOnScene:
			open++
			taken++
		case OrderSent:
			open++
		case OrderReturned:
		}
	}
	switch {
	case lead.State == LeadDispatched && taken > 0:
		return LeadAcknowledged
	case lead.State == LeadDispatched && open == 0 && done == 0:
		return LeadAccepted
	case lead.State == LeadAcknowledged && open == 0 && done > 0:
		return LeadResolved
	}
	return ""
}
