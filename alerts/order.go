package alerts

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Part is what a department has to do with a lead.
type Part string

// The parts.
const (
	PartLead  Part = "lead"  // 牵头: its word closes the work of all
	PartJoint Part = "joint" // 协同
	PartCopy  Part = "copy"  // 抄送: to know, nothing to do
)

// Parts lists every part.
func Parts() []Part { return []Part{PartLead, PartJoint, PartCopy} }

// OrderState is how far a department is with its part.
type OrderState string

// The states of an order.
const (
	OrderSent         OrderState = "sent"
	OrderAcknowledged OrderState = "acknowledged"
	OrderOnScene      OrderState = "on_scene"
	OrderDone         OrderState = "done"
	OrderReturned     OrderState = "returned"
)

// orderSteps is the table of order states.
var orderSteps = map[OrderState][]OrderState{
	OrderSent:         {OrderAcknowledged, OrderReturned},
	OrderAcknowledged: {OrderOnScene, OrderDone, OrderReturned},
	OrderOnScene:      {OrderDone, OrderReturned},
	OrderDone:         {},
	OrderReturned:     {},
}

// OrderStates lists every state in the order of an order's life.
func OrderStates() []OrderState {
	return []OrderState{OrderSent, OrderAcknowledged, OrderOnScene, OrderDone, OrderReturned}
}

// NextOrderStates lists the states that the table allows after a state.
func NextOrderStates(from OrderState) []OrderState { return slices.Clone(orderSteps[from]) }

// Open tells whether the department still has the order in hand.
func (s OrderState) Open() bool { return s != OrderDone && s != OrderReturned }

// Order is one department's part of a lead.
type Order struct {
	ID         string     `json:"id"`
	Department string     `json:"department"`
	Part       Part       `json:"part"`
	State      OrderState `json:"state"`
	// Round counts the dispatches of the lead, from 1.
	Round   int       `json:"round"`
	SentAt  time.Time `json:"sent_at"`
	Changed time.Time `json:"changed_at"`
	// Reason is why it was returned; Feedback is what the department said last.
	Reason   string `json:"reason,omitempty"`
	Feedback string `json:"feedback,omitempty"`
}

// OrderTransition is what a department says of its order. To may be the state
// that the order has: then it is feedback alone, and needs a Note.
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
	why := badWords(t.By, t.Reason, t.Note)
	switch {
	case why != "":
	case t.To == o.State && strings.TrimSpace(t.Note) == "":
		why = "feedback needs a note"
	case t.To == o.State:
	case !slices.Contains(orderSteps[o.State], t.To):
		why = "no such step"
	case o.Part == PartCopy && t.To != OrderAcknowledged:
		why = "it was sent to be known, there is nothing to do"
	case t.To == OrderReturned && strings.TrimSpace(t.Reason) == "":
		why = "it needs a reason"
	}
	if why == "" {
		return nil
	}
	return &OrderRefusedError{From: o.State, To: t.To, Why: why, Allowed: NextOrderStates(o.State)}
}

// after is the order after a transition, and the act that it is.
func (o Order) after(t OrderTransition, now time.Time) (Order, Act) {
	act := ActFeedback
	if t.To != o.State {
		act = Act("order_" + string(t.To))
	}
	o.State, o.Changed = t.To, now
	if t.To == OrderReturned {
		o.Reason = t.Reason
	}
	if t.Note != "" {
		o.Feedback = t.Note
	}
	return o, act
}

// round is the lead's newest dispatch.
func round(l Lead) int {
	n := 0
	for _, o := range l.Orders {
		n = max(n, o.Round)
	}
	return n
}

// Standing is how the orders of a lead's newest dispatch stand, copies left
// out.
type Standing struct {
	Sent, Taken, Done, Returned int
	// LeadDone: the leading department has said that the work is done.
	LeadDone bool
}

// Open is how many departments have an order in hand.
func (s Standing) Open() int { return s.Sent + s.Taken }

// StandingOf counts the orders of a lead's newest dispatch.
func StandingOf(l Lead) Standing {
	var s Standing
	now := round(l)
	for _, o := range l.Orders {
		if o.Round != now || o.Part == PartCopy {
			continue
		}
		switch o.State {
		case OrderSent:
			s.Sent++
		case OrderAcknowledged, OrderOnScene:
			s.Taken++
		case OrderDone:
			s.Done++
			s.LeadDone = s.LeadDone || o.Part == PartLead
		case OrderReturned:
			s.Returned++
		}
	}
	return s
}

// followed is where a change of an order takes its lead, "" being nowhere. The
// first department to acknowledge acknowledges the lead. When the leading
// department is done, or nobody has an order any more and somebody is done,
// the lead is resolved. When all returned theirs it comes back to the
// dispatcher: a lead that nobody had acknowledged becomes accepted, another
// one stays acknowledged, where further orders can be sent.
func followed(l Lead) LeadState {
	s := StandingOf(l)
	switch {
	case l.State == LeadDispatched && s.Taken > 0:
		return LeadAcknowledged
	case l.State == LeadDispatched && s.Open() == 0 && s.Done == 0 && s.Returned > 0:
		return LeadAccepted
	case l.State == LeadAcknowledged && (s.LeadDone || s.Open() == 0 && s.Done > 0):
		return LeadResolved
	}
	return ""
}

// OrderRequest sends orders to further departments for a lead that was
// dispatched already.
type OrderRequest struct {
	Lead string
	By   string
	// Departments do the work; the first one leads when nobody else does.
	Departments []string
	Copies      []string
	Note        string
	Version     int64 // the version the person saw
	Client      string
}

// JudgeOrders says whether further orders may be sent; its error is a
// *StaleError or a *RefusedError.
func JudgeOrders(l Lead, r OrderRequest) error {
	if err := stale(l, r.Version, ""); err != nil {
		return err
	}
	why := badWords(r.By, "", r.Note)
	if why == "" {
		why = held(l, r.By)
	}
	switch {
	case why != "":
	case l.State != LeadDispatched && l.State != LeadAcknowledged:
		why = "further orders are for a lead that is dispatched or acknowledged"
	case len(r.Departments) == 0 && len(r.Copies) > 0:
		why = badDepartments(r.Copies)
	default:
		why = badDepartments(slices.Concat(r.Departments, r.Copies))
	}
	for _, o := range l.Orders {
		if why == "" && o.Round == round(l) && o.State.Open() && slices.Contains(slices.Concat(r.Departments, r.Copies), o.Department) {
			why = fmt.Sprintf("department %s has an order already", o.Department)
		}
	}
	if why == "" {
		return nil
	}
	return &RefusedError{From: l.State, To: l.State, Why: why, Allowed: NextStates(l.State)}
}

// newOrders makes the orders of a dispatch; version is that of the step that
// sends them.
func newOrders(l Lead, departments, copies []string, dispatch int, version int64, now time.Time) []Order {
	leads := slices.ContainsFunc(l.Orders, func(o Order) bool {
		return o.Round == dispatch && o.Part == PartLead && o.State != OrderReturned
	})
	var orders []Order
	add := func(department string, part Part) {
		orders = append(orders, Order{
			ID: fmt.Sprintf("%s-%d-%d", l.ID, version, len(orders)+1), Department: strings.TrimSpace(department), Part: part,
			State: OrderSent, Round: dispatch, SentAt: now, Changed: now,
		})
	}
	for i, d := range departments {
		if i == 0 && !leads {
			add(d, PartLead)
		} else {
			add(d, PartJoint)
		}
	}
	for _, d := range copies {
		add(d, PartCopy)
	}
	return orders
}
