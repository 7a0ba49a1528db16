package alerts

import (
	"context"
	"fmt"
	"strings"
)

// Claim is what a person asks of a lead's ownership.
type Claim struct {
	Lead string
	// Act is ActClaimed, ActReleased or ActTakenOver.
	Act     Act
	By      string
	Reason  string // taking over demands one
	Version int64  // the version the person saw
	Client  string
}

// JudgeClaim says whether a lead's owner may change so. It returns nil,
// *StaleError or *RefusedError.
func JudgeClaim(l Lead, c Claim) error {
	if err := stale(l, c.Version, ""); err != nil {
		return err
	}
	why := badWords(c.By, c.Reason, "")
	switch {
	case why != "":
	case !l.State.Open():
		why = "its work is over"
	case c.Act == ActClaimed && l.Owner == c.By, c.Act == ActTakenOver && l.Owner == c.By:
		why = "it is yours already"
	case c.Act == ActClaimed && l.Owner != "":
		why = fmt.Sprintf("%s has it; take it over, with a reason", l.Owner)
	case c.Act == ActReleased && l.Owner != c.By:
		why = "it is not yours to release"
	case c.Act == ActTakenOver && l.Owner == "":
		why = "nobody has it; claim it"
	case c.Act == ActTakenOver && strings.TrimSpace(c.Reason) == "":
		why = "taking over needs a reason"
	case c.Act != ActClaimed && c.Act != ActReleased && c.Act != ActTakenOver:
		why = fmt.Sprintf("a lead is claimed, released or taken_over, not %q", c.Act)
	}
	if why == "" {
		return nil
	}
	return &RefusedError{From: l.State, To: l.State, Why: why, Allowed: NextStates(l.State)}
}

// Claim changes a lead's owner; see JudgeClaim. Of two who claim at once one
// wins, and the other gets a *StaleError that names the winner.
func (e *Engine) Claim(ctx context.Context, c Claim) (Lead, error) {
	lead, err := e.change(ctx, c.Lead, func(ch *changing) error {
		if err := JudgeClaim(ch.lead, c); err != nil {
			return err
		}
		step := Step{By: c.By, Act: c.Act, Reason: strings.TrimSpace(c.Reason)}
		switch c.Act {
		case ActReleased:
			ch.lead.Owner = ""
		case ActTakenOver:
			step.About = ch.lead.Owner
			ch.lead.Owner = c.By
		default:
			ch.lead.Owner = c.By
		}
		return ch.record(ctx, step, c.Client, nil)
	})
	if err != nil {
		return Lead{}, fmt.Errorf("lead %s %s: %w", c.Lead, c.Act, err)
	}
	return lead, nil
}
