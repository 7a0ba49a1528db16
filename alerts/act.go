package alerts

import "slices"

// Act is what a row of a lead's trace tells of.
type Act string

// The acts.
const (
	ActMoved      Act = "moved" // the lead changed its state
	ActClaimed    Act = "claimed"
	ActReleased   Act = "released"
	ActTakenOver  Act = "taken_over"
	ActHandedOver Act = "handed_over" // at a change of shifts
	ActJoined     Act = "joined"      // another lead was merged into this one
	ActParted     Act = "parted"      // … and split off again
	ActOrdered    Act = "ordered"     // further departments got orders

	ActOrderAcknowledged Act = "order_acknowledged"
	ActOrderOnScene      Act = "order_on_scene"
	ActOrderDone         Act = "order_done"
	ActOrderReturned     Act = "order_returned"
	ActFeedback          Act = "feedback" // a department reported, its order stays as it is

	ActReminded   Act = "reminded"
	ActBreached   Act = "breached" // a clock ran out
	ActEscalated  Act = "escalated"
	ActSupervised Act = "supervised"

	ActBlinded Act = "blinded" // the condition is not seen any more; see Blind
	ActSighted Act = "sighted"
)

// Acts lists every act.
func Acts() []Act {
	return []Act{
		ActMoved, ActClaimed, ActReleased, ActTakenOver, ActHandedOver, ActJoined, ActParted, ActOrdered,
		ActOrderAcknowledged, ActOrderOnScene, ActOrderDone, ActOrderReturned, ActFeedback,
		ActReminded, ActBreached, ActEscalated, ActSupervised, ActBlinded, ActSighted,
	}
}

// decides tells whether a person who has not seen the act must not decide.
// What departments and clocks add to the trace makes nobody's view stale.
func (a Act) decides() bool {
	switch a {
	case ActMoved, ActClaimed, ActReleased, ActTakenOver, ActHandedOver:
		return true
	default:
		return false
	}
}

// Name is the step's name for receivers: the state that the lead came into,
// or else the act.
func (s Step) Name() string {
	if s.Act == ActMoved || s.Act == "" {
		return string(s.To)
	}
	return string(s.Act)
}

// StepNames lists every name of a step.
func StepNames() []string {
	var names []string
	for _, s := range LeadStates() {
		names = append(names, string(s))
	}
	for _, a := range Acts() {
		if a != ActMoved {
			names = append(names, string(a))
		}
	}
	return names
}

// LastDecision is the newest step of a trace that changed state or owner; the
// zero Step when there is none.
func LastDecision(trace []Step) Step {
	for _, s := range slices.Backward(trace) {
		if s.Act == "" || s.Act.decides() {
			return s
		}
	}
	return Step{}
}
