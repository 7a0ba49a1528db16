package detect

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"videopatrol/inventory"
)

// told is a finding whose picture is still to be made.
type told struct {
	Finding
	picture bool
}

// rule puts what one look found before the rules of each zone.
func (w *Watch) rule(m *motion, p Picture, now time.Time) []told {
	var out []told
	next := 0
	for _, z := range w.config.Zones {
		var l zoneLook
		faces := w.faces(z)
		for first := true; next < len(w.rules) && w.rules[next].Zone == z.ID; next++ {
			if !faces {
				continue // it cannot be seen from here
			}
			if first {
				l, first = w.look(z, m, p, now), false
			}
			r := &w.rules[next]
			before := w.memories[r.key()]
			after, v := judgeOf(r.When)(before, w.evidence(r, &l, now))
			w.memories[r.key()] = after
			w.note(r, l.facts, v)
			if v.phase == "" {
				continue
			}
			began := after.Began
			if v.phase == PhaseEnd {
				began = before.Began
			}
			if v.reason == reasonBack {
				w.putBack(*before.Place)
			}
			f := w.finding(z, r.Rule, began, now, v)
			out = append(out, told{Finding: f, picture: v.phase != PhaseContinue || v.better})
		}
	}
	return out
}

// putBack notes that what fills a place again was not left there.
func (w *Watch) putBack(place Box) {
	for i := range w.things {
		t := &w.things[i]
		t.Back = t.Back || t.box(w.ground.w, w.ground.h).overlap(place) >= backShare
	}
}

// evidence is what a look at a zone says to one of its rules.
func (w *Watch) evidence(r *compiled, l *zoneLook, now time.Time) evidence {
	e := evidence{
		now: now, armed: r.zone.Armed(now.In(w.zone)), settled: w.health.Settle == 0, params: r.Params, left: len(l.bared) > 0,
		looked:  l.facts.Seen && len(r.Params.Classes)+len(r.Params.Except) > 0,
		known:   now.Sub(w.ground.since) >= r.Params.Known,
		present: r.counting(l.present), standing: r.counting(l.standing), bared: r.counting(l.bared),
	}
	f := l.facts
	switch r.When {
	case WhenPresent:
		e.present = slices.DeleteFunc(e.present, func(p presence) bool { return !p.inside })
	case WhenCrowd:
		e.shows, e.proof = sum(l.present, reasonCrowd), proofQuiet
		e.shows.share, e.shows.count = l.density, f.Count
		if e.level = l.density / r.Params.Coverage; f.Count >= 0 {
			e.level = f.Count / r.Params.Count
		}
		if f.Seen {
			e.proof = proofSight
		}
		e.shows.score = 1 - math.Exp2(-e.level)
	case WhenFlame:
		e.level, e.shows = f.Flame/r.Params.Score, verdict{reason: reasonFlame, score: f.Flame, count: -1, boxes: l.fires.flameBoxes}
	case WhenSmoke:
		if l.fires.learning {
			e.level = -1
			break
		}
		e.level, e.shows = f.Smoke/r.Params.Score, verdict{reason: reasonSmoke, score: f.Smoke, count: -1, boxes: l.fires.smokeBoxes}
	case WhenExpr:
		e.shows = sum(l.present, reasonExpr)
		e.shows.share, e.shows.count, e.shows.score = f.Coverage, -1, 1
		if e.proof = proofQuiet; r.asks("dwell", "standing") {
			e.proof = proofLeft
		}
		holds, err := r.expr.Holds(f)
		switch {
		case err != nil:
			e.level = -1 // it cannot be told: nothing begins or ends
		case holds:
			e.level = 1
		}
	default:
	}
	return e
}

// counting are those that a rule counts: of its sizes, and of no class that a
// model sees and that is no reason.
func (r *compiled) counting(all []presence) []presence {
	return slices.DeleteFunc(slices.Clone(all), func(p presence) bool {
		return !r.fits(p.area, p.size, p.height) || p.back && r.Params.Unmoved > 0 || p.class != "" && !r.counts(p.class)
	})
}

// fits tells whether something is of the sizes that a rule counts: area is a
// share of the picture, size in standing persons and height in theirs.
func (r *compiled) fits(area, size, height float64) bool {
	least, most := r.Params.MinArea, r.Params.MaxArea
	if len(r.zone.Perspective) == 2 && r.Params.MinSize+r.Params.MaxSize > 0 {
		least, most, area = r.Params.MinSize, r.Params.MaxSize, size
	}
	return area >= least && (most == 0 || area <= most) && (r.Params.MaxHeight == 0 || height <= r.Params.MaxHeight)
}

// counts tells whether a rule counts a class that a model sees.
func (r *compiled) counts(class string) bool {
	if slices.Contains(r.Params.Except, class) {
		return false
	}
	return len(r.Params.Classes) == 0 || slices.Contains(r.Params.Classes, class)
}

func (w *Watch) finding(z inventory.Zone, r Rule, began, now time.Time, v verdict) Finding {
	if len(v.boxes) > maxBoxes {
		v.boxes = v.boxes[:maxBoxes]
	}
	return Finding{
		Camera: w.config.Camera, Zone: z.ID, Rule: r.Ref, Kind: r.Kind, Phase: v.phase,
		Began: began, At: now, Score: min(1, v.score), Why: explain(z, r, v), Boxes: v.boxes,
	}
}

// maxBoxes bounds the boxes of one finding.
const maxBoxes = 32

// tellRemoved ends the conditions of zones that are gone.
func (w *Watch) tellRemoved(now time.Time) []told {
	var out []told
	for _, r := range w.removed {
		v := verdict{phase: PhaseEnd, reason: reasonRemoved, held: now.Sub(r.m.Began), score: r.m.Best}
		out = append(out, told{Finding: w.finding(r.zone, r.rule, r.m.Began, now, v)})
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

// clearly returns what gives the clear picture once, masked; p is masked already.
func (w *Watch) clearly(p Picture) func() (Picture, error) {
	if p.Clear == nil {
		return func() (Picture, error) { return p, nil }
	}
	return sync.OnceValues(func() (Picture, error) {
		c, err := p.Clear()
		if err == nil {
			err = c.Check()
		}
		if err != nil {
			return Picture{}, fmt.Errorf("its clear picture: %w", err)
		}
		blacken(c, w.config.Masks)
		return c, nil
	})
}

func (w *Watch) jpeg(p Picture) ([]byte, error) {
	var err error
	if p.Clear != nil {
		p, err = p.Clear()
	}
	var b []byte
	if err == nil {
		b, err = w.o.Imaging.JPEG(p, w.o.StillWidth)
	}
	if err != nil {
		return nil, fmt.Errorf("camera %q: still: %w", w.config.Camera, err)
	}
	return b, nil
}
