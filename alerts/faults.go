package alerts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"videopatrol/detect"
)

// faultRule is the rule of conditions about cameras that fail, and faultZone
// the zone.
const (
	faultRule = "camera_fault"
	faultZone = "link"
)

// LeadCamera is a camera of a lead about cameras that fail.
type LeadCamera struct {
	Camera string    `json:"camera"`
	From   time.Time `json:"from"`
	// Until is when it worked again, or another cause took it.
	Until *time.Time `json:"until,omitempty"`
}

// ObserveCameras takes the state of every camera: those that fail for one
// cause become one lead with an order to their maintainer, which lists them.
// Cameras that fail for another cause part from it. It may be called at any
// time and again; nil means that all of it is durable.
func (e *Engine) ObserveCameras(ctx context.Context, all []CameraState) error {
	routes := e.Routes()
	if routes == nil || routes.outages.Hold <= 0 {
		return nil
	}
	now := micros(e.steady.wall())
	running, err := e.store.Running(ctx)
	if err != nil {
		return fmt.Errorf("observe cameras: %w", err)
	}
	began := map[string]time.Time{}
	for _, c := range running {
		if c.Kind == KindCameraFault {
			began[c.Key.Camera] = c.Began
		}
	}
	var errs []error
	for _, o := range Outages(all, routes.outages, now) {
		f := o.finding(detect.PhaseBegin, now)
		if at, ok := began[o.Key()]; ok {
			f.Phase, f.Began = detect.PhaseContinue, at
			delete(began, o.Key())
		}
		errs = append(errs, e.observeOutage(ctx, f, o))
	}
	for key, at := range began {
		f := Outage{ID: key, Cause: CauseCamera, Since: at}.finding(detect.PhaseEnd, now)
		errs = append(errs, e.observeOutage(ctx, f, Outage{}))
	}
	return errors.Join(errs...)
}

// finding is the outage as what is folded into leads.
func (o Outage) finding(phase detect.Phase, now time.Time) detect.Finding {
	return detect.Finding{
		Camera: o.Key(), Zone: faultZone, Rule: detect.RuleRef{ID: faultRule, Version: 1}, Kind: KindCameraFault,
		Phase: phase, Began: micros(o.Since), At: now, Score: 1,
		Why: detect.Text{
			ZH: fmt.Sprintf("%s %s，%d 路：%s", causeWords[o.Cause], o.ID, len(o.Cameras), o.Reason),
			EN: fmt.Sprintf("%s %s, %d cameras: %s", o.Cause, o.ID, len(o.Cameras), o.Reason),
		},
	}
}

var causeWords = map[Cause]string{CauseCell: "网格", CauseUplink: "上联线路", CauseHost: "主机", CauseCamera: "点位"}

// observeOutage folds an outage, keeps the list of its cameras, and sends a
// new one to its maintainer.
func (e *Engine) observeOutage(ctx context.Context, f detect.Finding, o Outage) error {
	var fo *folding
	err := e.store.Fold(ctx, f.Key(), f.Began, func(tx Tx) error {
		fo = newFolding(e, tx, f, "")
		fo.outage = o
		if err := fo.fold(ctx); err != nil {
			return err
		}
		lead, err := tx.Condition(ctx, f.Key(), f.Began)
		if err != nil {
			return err
		}
		if err := tx.SetLeadCameras(ctx, lead.Condition.Lead, o.Cameras); err != nil {
			return err
		}
		if fo.out != OutcomeRaised {
			return nil
		}
		return fo.repair(ctx)
	})
	if err != nil {
		return fmt.Errorf("outage %s: %w", f.Camera, err)
	}
	e.observed(fo)
	return nil
}

// repair sends a new lead about cameras to their maintainer: it is nobody's
// triage.
func (fo *folding) repair(ctx context.Context) error {
	p := fo.e.Routes().Propose(fo.lead.Kind, CellsOf(fo.lead.Grid), fo.tx.Now(), 0)
	if p.Lead == "" {
		return nil // it stays raised, for a person to see that nobody maintains it
	}
	ch, err := fo.load(ctx, fo.lead.ID)
	if err != nil {
		return err
	}
	if err := ch.move(ctx, Transition{To: LeadAccepted, By: System, Reason: faultRule}); err != nil {
		return err
	}
	err = ch.move(ctx, Transition{
		To: LeadDispatched, By: System, Reason: p.Why, Departments: p.Departments(), Copies: p.Copies,
	})
	fo.lead = ch.lead
	return err
}

// LeadCameras lists the cameras of a lead about cameras that fail.
func (e *Engine) LeadCameras(ctx context.Context, lead string) ([]LeadCamera, error) {
	return e.store.LeadCameras(ctx, lead)
}
