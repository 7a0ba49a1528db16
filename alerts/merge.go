package alerts

import (
	"context"
	"errors"
	"fmt"
)

// merge makes the lead a part of another open one: what is done is done there,
// and its pictures are seen from there.
func (ch *changing) merge(ctx context.Context, t Transition, step Step) error {
	into, err := ch.load(ctx, t.Into)
	refused := &RefusedError{From: ch.lead.State, To: LeadMerged, Allowed: NextStates(ch.lead.State)}
	switch {
	case errors.Is(err, ErrNotFound):
		refused.Why = "there is no lead " + t.Into + " to merge it into"
		return refused
	case err != nil:
		return err
	case !into.lead.State.Open():
		refused.Why = fmt.Sprintf("lead %d is %s; merge into an open one", into.lead.Number, into.lead.State)
		return refused
	case into.lead.Canary != ch.lead.Canary:
		refused.Why = "a test lead and a real one are never one"
		return refused
	}
	ch.lead.MergedInto = t.Into
	if err := ch.record(ctx, step, t.Client, nil); err != nil {
		return err
	}
	return into.record(ctx, Step{By: t.By, Act: ActJoined, About: ch.lead.ID, Reason: step.Reason, Note: t.Note}, t.Client, nil)
}

// split takes the lead out of the one that it was merged into.
func (ch *changing) split(ctx context.Context, t Transition, step Step) error {
	from, err := ch.load(ctx, ch.lead.MergedInto)
	if err != nil {
		return err
	}
	ch.lead.MergedInto = ""
	if err := ch.record(ctx, step, t.Client, nil); err != nil {
		return err
	}
	return from.record(ctx, Step{By: t.By, Act: ActParted, About: ch.lead.ID, Reason: step.Reason, Note: t.Note}, t.Client, nil)
}

// mostMerged bounds how many leads are shown as parts of one.
const mostMerged = 1000

// Merged lists the leads that were merged into a lead, and into those, with
// their evidence; the newest of each first.
func (e *Engine) Merged(ctx context.Context, id string) ([]Lead, error) {
	all, ask := []Lead{}, []string{id}
	for len(ask) > 0 && len(all) < mostMerged {
		q := LeadQuery{MergedInto: ask[0], Limit: 500}
		ask = ask[1:]
		for {
			page, err := e.Leads(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, l := range page.Leads {
				all, ask = append(all, l), append(ask, l.ID)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
	}
	return all, nil
}
