package alerts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"videopatrol/alerts"
)

// The table as it was agreed on, in its own words.
const table = `
raised: accepted, rejected, merged, expired
accepted: raised, dispatched, transferred, closed
rejected: raised
merged: raised
expired:
dispatched: acknowledged, accepted, transferred
acknowledged: resolved
resolved: closed, dispatched
transferred: accepted, closed
closed: reopened
reopened: dispatched
`

func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("\n")
	for _, s := range alerts.LeadStates() {
		var next []string
		for _, n := range alerts.NextStates(s) {
			next = append(next, string(n))
		}
		b.WriteString(strings.TrimSpace(string(s)+": "+strings.Join(next, ", ")) + "\n")
	}
	got := strings.Split(b.String(), "\n")
	want := strings.Split(table, "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %s", b.String())
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	now := began
	lead := func(s alerts.LeadState, orders ...alerts.OrderState) alerts.Lead {
		l := alerts.Lead{ID: "x", State: s, Version: 7}
		for _, o := range orders {
			l.Orders = append(l.Orders, alerts.Order{State: o})
		}
		return l
	}
	owned := func(l alerts.Lead) alerts.Lead {
		l.Owner = "wang"
		return l
	}
	over := func(l alerts.Lead) alerts.Lead {
		l.EndedAt = &now
		return l
	}
	step := func(from, to alerts.LeadState, ago time.Duration) alerts.Step {
		return alerts.Step{From: from, To: to, By: "wang", At: now.Add(-ago)}
	}
	for name, c := range map[string]struct {
		lead alerts.Lead
		last alerts.Step
		t    alerts.Transition
		why  string // "" is allowed
	}{
		"nobody":           {lead(alerts.LeadRaised), alerts.Step{}, alerts.Transition{To: alerts.LeadAccepted}, "who"},
		"no such state":    {lead(alerts.LeadRaised), alerts.Step{}, alerts.Transition{To: "lost", By: "li"}, "no such state"},
		"no such step":     {lead(alerts.LeadRaised), alerts.Step{}, alerts.Transition{To: alerts.LeadClosed, By: "li", Reason: "x"}, "no such step"},
		"blank reason":     {lead(alerts.LeadRaised), alerts.Step{}, alerts.Transition{To: alerts.LeadRejected, By: "li", Reason: "  "}, "reason"},
		"long note":        {lead(alerts.LeadRaised), alerts.Step{}, alerts.Transition{To: alerts.LeadAccepted, By: "li", Note: strings.Repeat("x", 2001)}, "at most"},
		"undo in time":     {lead(alerts.LeadAccepted), step(alerts.LeadRaised, alerts.LeadAccepted, alerts.UndoWindow), alerts.Transition{To: alerts.LeadRaised, By: "wang"}, ""},
		"undo too late":    {lead(alerts.LeadAccepted), step(alerts.LeadRaised, alerts.LeadAccepted, alerts.UndoWindow+1), alerts.Transition{To: alerts.LeadRaised, By: "wang"}, "ends after"},
		"undo by another":  {lead(alerts.LeadRejected), step(alerts.LeadRaised, alerts.LeadRejected, 0), alerts.Transition{To: alerts.LeadRaised, By: "li"}, "only wang"},
		"undo of a return": {lead(alerts.LeadAccepted), step(alerts.LeadTransferred, alerts.LeadAccepted, 0), alerts.Transition{To: alerts.LeadRaised, By: "wang"}, "only a triage"},
		"review":           {lead(alerts.LeadRejected), step(alerts.LeadRaised, alerts.LeadRejected, time.Hour), alerts.Transition{To: alerts.LeadRaised, By: "li", Reason: alerts.ReasonReview}, ""},
		"no review":        {lead(alerts.LeadAccepted), step(alerts.LeadRaised, alerts.LeadAccepted, time.Hour), alerts.Transition{To: alerts.LeadRaised, By: "wang", Reason: alerts.ReasonReview}, "ends after"},
		"split":            {lead(alerts.LeadMerged), step(alerts.LeadRaised, alerts.LeadMerged, time.Hour), alerts.Transition{To: alerts.LeadRaised, By: "li"}, ""},
		"another's":        {owned(lead(alerts.LeadAccepted)), alerts.Step{}, alerts.Transition{To: alerts.LeadDispatched, By: "li", Departments: []string{"police"}}, "wang has it"},
		"expires":          {over(lead(alerts.LeadRaised)), alerts.Step{}, alerts.Transition{To: alerts.LeadExpired, By: alerts.System}, ""},
		"expire by hand":   {over(lead(alerts.LeadRaised)), alerts.Step{}, alerts.Transition{To: alerts.LeadExpired, By: "li"}, "by its clock alone"},
		"expire too early": {lead(alerts.LeadRaised), alerts.Step{}, alerts.Transition{To: alerts.LeadExpired, By: alerts.System}, "still goes on"},
		"expire another's": {over(owned(lead(alerts.LeadRaised))), alerts.Step{}, alerts.Transition{To: alerts.LeadExpired, By: alerts.System}, "wang has it"},
		"expire accepted":  {over(lead(alerts.LeadAccepted)), alerts.Step{}, alerts.Transition{To: alerts.LeadExpired, By: alerts.System}, "no such step"},
		"merge alone":      {lead(alerts.LeadRaised), alerts.Step{}, alerts.Transition{To: alerts.LeadMerged, By: "li"}, "another lead"},
		"merge with self":  {lead(alerts.LeadRaised), alerts.Step{}, alerts.Transition{To: alerts.LeadMerged, By: "li", Into: "x"}, "another lead"},
		"reopen silently":  {lead(alerts.LeadClosed), alerts.Step{}, alerts.Transition{To: alerts.LeadReopened, By: "li"}, "reason"},
		"reopen another's": {owned(lead(alerts.LeadClosed)), alerts.Step{}, alerts.Transition{To: alerts.LeadReopened, By: "li", Reason: "x"}, ""},
		"order open":       {lead(alerts.LeadDispatched, alerts.OrderReturned, alerts.OrderSent), alerts.Step{}, alerts.Transition{To: alerts.LeadAccepted, By: "li"}, "still has an order"},
		"orders returned":  {lead(alerts.LeadDispatched, alerts.OrderReturned, alerts.OrderReturned), alerts.Step{}, alerts.Transition{To: alerts.LeadAccepted, By: "li"}, ""},
		"no department":    {lead(alerts.LeadReopened), alerts.Step{}, alerts.Transition{To: alerts.LeadDispatched, By: "li", Departments: []string{" "}}, "name"},
	} {
		c.t.Version = 7
		err := alerts.Judge(c.lead, c.last, c.t, now)
		var refused *alerts.RefusedError
		switch {
		case c.why == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.why != "" && (!errors.As(err, &refused) || !strings.Contains(refused.Why, c.why)):
			t.Errorf("%s: %v, want %q", name, err, c.why)
		case c.why != "" && !slices.Equal(refused.Allowed, alerts.NextStates(c.lead.State)):
			t.Errorf("%s: allowed %v", name, refused.Allowed)
		}
	}
}

// Whatever people try, a lead moves along the table alone, by one version at a
// time, and its trace and its notices tell all of it.
func TestRandomWalk(t *testing.T) {
	t.Parallel()
	sink := &scriptedSink{start: time.Now()}
	g := open(t, alerts.Subscription{Name: "desk", Sink: sink})
	walks := 0
	rapid.Check(t, func(rt *rapid.T) {
		walks++
		f := begin("c1")
		f.Rule.ID, f.Picture = fmt.Sprintf("walk%d", walks), nil
		observe(t, g.engine, f)
		lead := all(t, g.engine, alerts.LeadQuery{Limit: 1, Camera: "c1"})[0]
		people := rapid.SampledFrom([]string{"wang", "li", ""})
		for range rapid.IntRange(1, 15).Draw(rt, "tries") {
			before := lead
			var err error
			if len(lead.Orders) > 0 && rapid.Bool().Draw(rt, "order") {
				_, err = g.engine.OrderTransition(t.Context(), alerts.OrderTransition{
					Lead: lead.ID, Order: rapid.SampledFrom(lead.Orders).Draw(rt, "of").ID,
					To: rapid.SampledFrom(alerts.OrderStates()).Draw(rt, "order state"), By: people.Draw(rt, "by"),
					Reason: rapid.SampledFrom([]string{"", "x"}).Draw(rt, "reason"),
				})
			} else {
				next := append(alerts.NextStates(lead.State), alerts.LeadStates()...)
				_, err = g.engine.Transition(t.Context(), alerts.Transition{
					Lead: lead.ID, To: rapid.SampledFrom(next).Draw(rt, "to"), By: people.Draw(rt, "by"),
					Reason:      rapid.SampledFrom([]string{"", "x", alerts.ReasonReview}).Draw(rt, "reason"),
					Version:     lead.Version - int64(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(rt, "late")),
					Departments: rapid.SampledFrom([][]string{nil, {"police"}, {"police", "fire"}}).Draw(rt, "departments"),
				})
			}
			if lead, _ = g.engine.Lead(t.Context(), lead.ID); lead.ID == "" {
				rt.Fatal("the lead is gone")
			}
			// An order's own row may bring a transition with it.
			if d := lead.Version - before.Version; d < 0 || d > 2 || (err != nil && d != 0) {
				rt.Fatalf("version %d became %d (%v)", before.Version, lead.Version, err)
			}
		}
		checkTrace(t, g.engine, lead)
	})
}
