package detect

import (
	"fmt"
	"math"
	"slices"
	"time"

	"videopatrol/inventory"
)

// told is a finding whose picture is still to be made.
type told struct {
	Finding
	picture bool
}

// rule puts what one look found before the rule of each zone.
func (w *Watch) rule(m *motion, now time.Time) []told {
	var out []told
	for _, z := range w.config.Zones {
		if !w.faces(z) {
			continue
		}
		rule, kind, _ := ruleOf(z.Kind)
		judge, present := judgeIntrusion, w.inArea
		if z.Kind == inventory.ZoneFireLane {
			judge, present = judgeFireLane, w.inFireLane
		}
		e := evidence{
			now: now, armed: z.Armed(now.In(w.zone)), settled: w.health.Settle == 0, dwell: z.Dwell,
			present: present(z, m, now),
		}
		if e.dwell == 0 {
			e.dwell = DefaultDwell
		}
		for _, b := range m.ghosts {
			e.bared = e.bared || w.touches(z.ID, b, m.labels) > 0
		}
		before := w.memories[z.ID]
		after, v := judge(before, e)
		w.memories[z.ID] = after
		if v.phase == "" {
			continue
		}
		began := after.Began
		if v.phase == PhaseEnd {
			began = before.Began
		}
		f := w.finding(z, rule, kind, began, now, v)
		out = append(out, told{Finding: f, picture: v.phase != PhaseContinue || v.better})
	}
	return out
}

func (w *Watch) finding(z inventory.Zone, rule RuleRef, kind Kind, began, now time.Time, v verdict) Finding {
	return Finding{
		Camera: w.config.Camera, Zone: z.ID, Rule: rule, Kind: kind, Phase: v.phase,
		Began: began, At: now, Score: v.score, Why: explain(z, v), Boxes: v.boxes,
	}
}

// inArea lists what is in a closed area: every sighting that touches it.
func (w *Watch) inArea(z inventory.Zone, m *motion, now time.Time) []presence {
	var out []presence
	area := w.areas[z.ID]
	for _, b := range m.sightings {
		n := w.touches(z.ID, b.Blob, m.labels)
		if n == 0 {
			continue
		}
		out = append(out, presence{
			box:   boxOf(b.X, b.Y, b.W, b.H, w.ground.w, w.ground.h),
			share: float64(n) / float64(area.size), score: w.score(b.Area, b.strength),
			first: now, stills: 1, seen: true,
		})
	}
	return out
}

// laneArea is the smallest thing that blocks a fire lane, as a share of the
// picture.
const laneArea = 0.002

// inFireLane lists the things in a fire lane that are there, whether the
// newest look saw them or something hid them.
func (w *Watch) inFireLane(z inventory.Zone, _ *motion, _ time.Time) []presence {
	var out []presence
	area := w.areas[z.ID]
	for i := range w.things {
		t := &w.things[i]
		in := t.share(area.has)
		taken := in * float64(t.Area) / float64(area.size)
		small := float64(t.Area) < laneArea*float64(w.ground.w*w.ground.h)
		if t.Bare > 0 || small || (in < zoneShare && taken < 0.5) {
			continue
		}
		out = append(out, presence{
			box: t.box(w.ground.w, w.ground.h), share: min(1, taken), score: w.score(t.Area, 2),
			first: t.First, stills: t.Stills, seen: t.seen(),
		})
	}
	return out
}

// score weighs size and contrast: 0.5 for the smallest thing of twice the
// threshold's contrast, nearing 1 for large and strong ones.
func (w *Watch) score(area int, strength float64) float64 {
	size := float64(area) / float64(w.minPixels())
	return 1 - math.Exp2(-math.Sqrt(size)*strength/2)
}

// tellRemoved ends the conditions of zones that are gone.
func (w *Watch) tellRemoved(now time.Time) []told {
	var out []told
	for _, r := range w.removed {
		v := verdict{phase: PhaseEnd, reason: reasonRemoved, held: now.Sub(r.m.Began), score: r.m.Best}
		rule := RuleRef{ID: r.rule, Version: 1}
		out = append(out, told{Finding: w.finding(r.zone, rule, r.kind, r.m.Began, now, v)})
	}
	w.removed = nil
	return out
}

// render adds the pictures: the still, which is also the evidence of each
// finding that carries one. Nothing is drawn on it; boxes go beside it.
func (w *Watch) render(r *Result, p Picture, all []told) error {
	var err error
	if !p.Unwatched || slices.ContainsFunc(all, func(t told) bool { return t.picture }) {
		if r.Still, err = w.jpeg(p); err != nil {
			return err
		}
	}
	for _, t := range all {
		if t.picture {
			t.Picture = r.Still
		}
		r.Findings = append(r.Findings, t.Finding)
	}
	return nil
}

// Still returns the picture as JPEG, masked as See masks it, in place. It says
// nothing of the scene and changes nothing that the watch remembers.
func (w *Watch) Still(p Picture) ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("camera %q: %w", w.config.Camera, err)
	}
	blacken(p, w.config.Masks)
	return w.jpeg(p)
}

func (w *Watch) jpeg(p Picture) ([]byte, error) {
	b, err := w.o.Imaging.JPEG(p, w.o.StillWidth)
	if err != nil {
		return nil, fmt.Errorf("camera %q: still: %w", w.config.Camera, err)
	}
	return b, nil
}
