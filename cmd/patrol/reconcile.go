package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// followEvery is how soon what another gateway of the record changes counts here.
const followEvery = 5 * time.Second

// reconcile hands every revision of the inventory to those who make it real.
func (a *app) reconcile(ctx context.Context) error {
	for revision := int64(-1); ; {
		snapshot, err := a.cameras.Wait(ctx, revision)
		if err != nil {
			return err // ctx has ended
		}
		revision = snapshot.Revision
		snapshot = a.canary.add(snapshot)
		a.wanted.Store(&snapshot)
		a.rewatch(ctx)
		a.manager.Reconcile(snapshot)
		if err := a.endOrphans(ctx, snapshot); err != nil {
			a.log.Error("conditions of cameras that are gone do not all end; the next revision tries again", "error", err)
		}
		a.log.Info("inventory revision", "revision", revision, "cameras", len(snapshot.Cameras))
	}
}

// rewatch hands the newest inventory, with the rules that count, to the watches.
func (a *app) rewatch(ctx context.Context) {
	a.rewatching.Lock()
	defer a.rewatching.Unlock()
	snapshot := a.wanted.Load()
	if snapshot == nil {
		return // the first revision is still to come
	}
	running, err := a.engine.Running(ctx)
	if err != nil {
		// The patrol goes on: what a watch begins anew joins what runs.
		a.log.Error("the record does not say which conditions run", "error", err)
	}
	a.pool.Reconcile(a.watchConfigs(*snapshot, slices.DeleteFunc(running, ofCameraFault)))
}

// endOrphans ends the conditions of cameras that are gone, since no watch is
// left to end them. It comes after the watches are gone, so that none of them
// begins another one.
func (a *app) endOrphans(ctx context.Context, s inventory.Snapshot) error {
	running, err := a.engine.Running(ctx)
	if err != nil {
		return err
	}
	running = slices.DeleteFunc(running, ofCameraFault)
	patrolled := make(map[string]bool, len(s.Cameras))
	for _, c := range s.Cameras {
		patrolled[c.ID] = !c.Disabled
	}
	var errs []error
	for _, c := range running {
		if patrolled[c.Key.Camera] {
			continue
		}
		errs = append(errs, a.engine.Observe(ctx, detect.Finding{
			Camera: c.Key.Camera, Zone: c.Key.Zone, Rule: detect.RuleRef{ID: c.Key.Rule}, Kind: c.Kind,
			Phase: detect.PhaseEnd, Began: c.Began, At: time.Now(),
			Why: detect.Text{ZH: "摄像机已停止巡检", EN: "the camera is patrolled no more"},
		}))
	}
	return errors.Join(errs...)
}

// watchConfigs is the inventory as the watches need it.
func (a *app) watchConfigs(s inventory.Snapshot, running []detect.Condition) []detect.Config {
	conditions := map[string][]detect.Condition{}
	for _, c := range running {
		conditions[c.Key.Camera] = append(conditions[c.Key.Camera], c)
	}
	intervals, presets := a.intervals(), a.presets.Load()
	configs := make([]detect.Config, 0, len(s.Cameras))
	for _, c := range s.Cameras {
		if c.Disabled {
			continue
		}
		interval := c.Patrol.Interval
		if interval == 0 {
			interval = intervals[c.Patrol.Tier]
		}
		config := detect.Config{
			Camera: c.ID, Zones: c.Zones, Masks: c.Masks, Interval: interval,
			TimeZone: a.cfg.Site.TimeZone, Running: conditions[c.ID], Tier: c.Patrol.Tier,
		}
		var err error
		if config.Rules, err = presets.RulesOf(c.Zones); err != nil {
			config.Invalid = err.Error() // its worker refuses it, and the camera's state says why
		}
		configs = append(configs, config)
	}
	return configs
}
