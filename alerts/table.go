package alerts

import (
	"cmp"
	"fmt"
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
// step of its trace that decided something. It returns nil, *StaleError or
// *RefusedError, which says why and what would be allowed.
func Judge(lead Lead, last Step, t Transition, now time.Time) error {
	if err := stale(lead, t.Version, last.By); err != nil {
		return err
	}
	why := refusal(lead, last, t, now)
	if why == "" {
		return nil
	}
	return &RefusedError{From: lead.State, To: t.To, Why: why, Allowed: NextStates(lead.State)}
}

// stale refuses a version from before the newest change of state or owner, or
// one that never was. by is who made that change.
func stale(l Lead, version int64, by string) error {
	if version >= cmp.Or(l.Decided, l.Version) && version <= l.Version {
		return nil
	}
	return &StaleError{Lead: l.ID, State: l.State, Version: l.Version, Owner: cmp.Or(l.Owner, by)}
}

// held is why a person may not touch a lead that another one owns, or "".
func held(l Lead, by string) string {
	if l.Owner == "" || l.Owner == by || by == System || !l.State.Open() {
		return ""
	}
	return fmt.Sprintf("%s has it; take it over first, with a reason", l.Owner)
}

// badWords is what is wrong with who asks and what they wrote, or "".
func badWords(by, reason, note string) string {
	switch {
	case by == "":
		return "it must name who asks"
	case len(reason) > maxReason || len(note) > maxNote:
		return fmt.Sprintf("a reason has at most %d bytes and a note %d", maxReason, maxNote)
	}
	return ""
}

// refusal is why a transition is not allowed, or "".
func refusal(lead Lead, last Step, t Transition, now time.Time) string {
	if why := badWords(t.By, t.Reason, t.Note); why != "" {
		return why
	}
	switch {
	case !slices.Contains(LeadStates(), t.To):
		return "there is no such state"
	case !slices.Contains(steps[lead.State], t.To):
		return "no such step"
	}
	if why := held(lead, t.By); why != "" && t.To != LeadRaised {
		return why
	}
	switch t.To {
	case LeadRejected, LeadClosed, LeadReopened, LeadTransferred:
		if strings.TrimSpace(t.Reason) == "" {
			return "it needs a reason"
		}
	case LeadRaised:
		return refusalToRaise(lead, last, t, now)
	case LeadDispatched:
		return refusalToDispatch(t)
	case LeadExpired:
		return refusalToExpire(lead, t)
	case LeadMerged:
		if t.Into == "" || t.Into == lead.ID {
			return "it needs another lead to be merged into"
		}
	case LeadAccepted:
		if lead.State == LeadDispatched && StandingOf(lead).Open() > 0 {
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

// refusalToExpire keeps a lead that somebody still has to look at: what goes
// on, what somebody has taken, and what is supervised.
func refusalToExpire(lead Lead, t Transition) string {
	switch {
	case t.By != System:
		return "it expires by its clock alone; reject it, with a reason"
	case lead.EndedAt == nil:
		return "its condition still goes on"
	case lead.Owner != "":
		return lead.Owner + " has it"
	case lead.Supervised:
		return "it is supervised"
	}
	return ""
}

func refusalToDispatch(t Transition) string {
	if len(t.Departments) == 0 {
		return "it needs at least one department"
	}
	return badDepartments(slices.Concat(t.Departments, t.Copies))
}

// badDepartments is what is wrong with the names of departments, or "".
func badDepartments(departments []string) string {
	if len(departments) == 0 || len(departments) > maxDepartments {
		return fmt.Sprintf("it takes 1 to %d departments", maxDepartments)
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
	case t.By == System:
		return owner
	case owner == "" || t.To == LeadAccepted:
		return t.By
	}
	return owner
}
