package alerts

import (
	"context"
	"errors"
	"fmt"

	"videopatrol/detect"
)

// folding is one finding's transaction.
type folding struct {
	*changes
	finding detect.Finding
	sha     string
	have    Condition
	out     Outcome
	by      QuietRule // what kept the condition back, when it began or before
	outage  Outage    // of a condition about cameras that fail
	lead    Lead      // the lead where that changed for those who look at it, else zero
}

func newFolding(e *Engine, tx Tx, f detect.Finding, sha string) *folding {
	return &folding{changes: &changes{e: e, tx: tx}, finding: f, sha: sha}
}

// fold is the transaction of Observe.
func (fo *folding) fold(ctx context.Context) error {
	e, tx, f, sha := fo.e, fo.tx, fo.finding, fo.sha
	have, err := tx.Condition(ctx, f.Key(), f.Began)
	if err != nil {
		return err
	}
	var c Condition
	c, fo.out = Fold(have, f)
	fo.have = have.Condition
	if fo.out == OutcomeRepeated {
		return nil
	}
	// The record may have moved on since keep looked: its word counts here.
	counted, wanted := keepPicture(c, fo.out, f)
	if wanted = wanted && sha != ""; wanted {
		c = counted
	}
	switch {
	case fo.out == OutcomeRaised:
		c, err = fo.begin(ctx, c)
	case c.Quiet != "" && fo.out != OutcomeEnded:
		c, err = fo.again(ctx, c)
	case fo.out == OutcomeSeen && !wanted:
		return tx.SeeCondition(ctx, c.Key, c.LastSeen)
	default:
		fo.lead, err = touch(ctx, tx, c)
	}
	if err != nil {
		return err
	}
	if err := tx.SaveCondition(ctx, c); err != nil {
		return err
	}
	if have.Known == "" {
		if err := tx.KnowBegan(ctx, c.Key, f.Began, c.Lead); err != nil {
			return err
		}
	}
	if wanted && fo.lead.ID != "" {
		ev := Evidence{SHA256: sha, Phase: f.Phase, TakenAt: f.At, Boxes: f.Boxes, Size: len(f.Picture)}
		if err := tx.AddEvidence(ctx, fo.lead.ID, ev); err != nil {
			return err
		}
		fo.lead.Evidence = append(fo.lead.Evidence, ev)
	}
	if fo.out == OutcomeRaised || fo.out == OutcomeMerged {
		err = e.notify(ctx, tx, fo.lead, firstStep(fo.lead), nil)
	}
	return err
}

// begin raises the lead of a new condition, unless a rule keeps it back.
func (fo *folding) begin(ctx context.Context, c Condition) (Condition, error) {
	by, detail, err := fo.e.quietly(ctx, fo.tx, fo.have, fo.finding, fo.tx.Now())
	if err != nil {
		return c, err
	}
	if by != "" {
		return fo.suppress(ctx, c, by, detail)
	}
	return fo.raise(ctx, c)
}

// again asks once more of a condition that is kept back, while it runs: when
// no rule does it any longer its lead is raised.
func (fo *folding) again(ctx context.Context, c Condition) (Condition, error) {
	by, _, err := fo.e.quietly(ctx, fo.tx, fo.have, fo.finding, fo.tx.Now())
	if err != nil || by != "" {
		c.Pictures, c.EndPicture = 0, false
		return c, err
	}
	was := c.Lead
	c.Quiet = ""
	if c, err = fo.raise(ctx, c); err != nil {
		return c, err
	}
	if err := fo.tx.Unsuppress(ctx, c.Key, was, c.Lead); err != nil {
		return c, err
	}
	if fo.out != OutcomeMerged {
		fo.out = OutcomeRaised
	}
	return c, nil
}

// suppress keeps a condition back and accounts for it.
func (fo *folding) suppress(ctx context.Context, c Condition, by QuietRule, detail string) (Condition, error) {
	id, err := fo.e.newID()
	if err != nil {
		return c, fmt.Errorf("make a suppression's id: %w", err)
	}
	fo.out, fo.by = OutcomeSuppressed, by
	c.Lead, c.Quiet, c.Shown, c.Pictures, c.EndPicture = id, by, fo.have.shown(), 0, false
	return c, fo.tx.AddSuppression(ctx, Suppression{
		ID: id, At: fo.tx.Now(), By: by, Key: c.Key, Kind: c.Kind, Began: c.Began, Detail: detail,
	})
}

// raise adds the lead of a condition, with its first step. Where another
// camera's lead shows the same, it begins as a part of that.
func (fo *folding) raise(ctx context.Context, c Condition) (Condition, error) {
	e, tx, f := fo.e, fo.tx, fo.finding
	id, err := e.newID()
	if err != nil {
		return c, fmt.Errorf("make a lead's id: %w", err)
	}
	info, ok := e.kinds[f.Kind]
	if !ok {
		info = KindInfo{Severity: SeverityMedium, Title: detect.Text{ZH: string(f.Kind), EN: string(f.Kind)}}
	}
	at := e.places.of(f)
	if len(fo.outage.Cameras) > 0 {
		at = e.places.shared(fo.outage.Cameras)
		at.Camera.ID = f.Camera
	}
	c.Lead = id
	lead := withCondition(Lead{
		ID: id, Kind: f.Kind, Severity: info.Severity, State: LeadRaised, Version: 1, Decided: 1,
		Summary: summarize(info.Title, f.Why), Rule: f.Rule,
		Camera: at.Camera, Zone: at.Zone, Grid: at.Grid,
		RaisedAt: tx.Now(), Since: tx.Now(), Changed: tx.Now(),
		Canary: e.canary != "" && f.Camera == e.canary,
	}, c)
	if err := fo.neighbour(ctx, &lead); err != nil {
		return c, err
	}
	step := firstStep(lead)
	if err := tx.AddAudit(ctx, auditOf(lead, step, "")); err != nil {
		return c, err
	}
	if lead.Number, err = tx.AddLead(ctx, lead); err != nil {
		return c, err
	}
	if err := tx.AddStep(ctx, lead.ID, step); err != nil {
		return c, err
	}
	if err := e.setClocks(ctx, tx, &lead); err != nil {
		return c, err
	}
	fo.lead = lead
	if lead.MergedInto == "" {
		return c, nil
	}
	fo.out, fo.by = OutcomeMerged, QuietNeighbour
	into, err := fo.load(ctx, lead.MergedInto)
	if err != nil {
		return c, err
	}
	err = into.record(ctx, Step{By: System, Act: ActJoined, About: lead.ID, Reason: string(QuietNeighbour)}, "", nil)
	return c, errors.Join(err, tx.AddSuppression(ctx, Suppression{
		ID: lead.ID, At: tx.Now(), By: QuietNeighbour, Key: c.Key, Kind: c.Kind, Began: c.Began, Lead: lead.MergedInto,
	}))
}

// neighbour makes a lead begin as a part of the open one that another camera
// raised of the same kind in the same sub-cell a moment ago, if there is one.
func (fo *folding) neighbour(ctx context.Context, l *Lead) error {
	routes := fo.e.Routes()
	if routes == nil || routes.quiet.Neighbours == 0 || l.Canary || len(l.Grid) == 0 || l.Kind == KindCameraFault {
		return nil
	}
	since := fo.tx.Now().Add(-routes.quiet.Neighbours)
	into, err := fo.tx.Neighbour(ctx, l.Kind, l.Grid[len(l.Grid)-1].ID, l.Camera.ID, since)
	if err == nil && into != "" {
		l.State, l.MergedInto = LeadMerged, into
	}
	return err
}
