package detect

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"videopatrol/inventory"
)

// Explanation says why there was, or was not, a finding: what a watch
// remembers of its newest looks, beside the picture that it is asked about.
type Explanation struct {
	Camera string `json:"camera"`
	// Received is when the picture was received, Judged when the newest one
	// that the rules judged; zero before the first.
	Received time.Time `json:"received"`
	Judged   time.Time `json:"judged,omitzero"`
	// Scene is the health of the newest sample. While it is at fault, or the
	// ground is not learned, the rules are blind.
	Scene   Scene `json:"scene"`
	Learned bool  `json:"learned"`
	// Rules are those of all zones, Standing what has come to stand, in a zone
	// or not.
	Rules    []RuleExplanation `json:"rules"`
	Standing []Standing        `json:"standing"`
	// Picture is the masked picture as JPEG, with masks, zones and what stands
	// drawn on it; Background is what the scene looks like when nothing is in it,
	// with the same, nil while it is not learned.
	Picture    []byte `json:"picture,omitempty"`
	Background []byte `json:"background,omitempty"`
}

// RuleState is how a rule of a zone stands.
type RuleState string

// The states of rules.
const (
	RuleBlind    RuleState = "blind"    // the scene is at fault or not learned: nothing begins or ends
	RuleDisarmed RuleState = "disarmed" // outside the zone's hours
	RuleClear    RuleState = "clear"    // nothing of it
	RulePending  RuleState = "pending"  // seen, but not for long or surely enough
	RuleRunning  RuleState = "running"  // its condition runs
	RuleUnknown  RuleState = "unknown"  // the record says that it runs; this watch has not seen it
)

// RuleStates lists every state.
func RuleStates() []RuleState {
	return []RuleState{RuleBlind, RuleDisarmed, RuleClear, RulePending, RuleRunning, RuleUnknown}
}

// RuleExplanation is what one rule of one zone made of the newest look.
type RuleExplanation struct {
	Zone  string    `json:"zone"`
	Rule  RuleRef   `json:"rule"`
	Kind  Kind      `json:"kind"`
	State RuleState `json:"state"`
	// Since is when the condition began, or what is pending was first seen.
	Since time.Time `json:"since,omitzero"`
	// Why is the newest verdict that was more than to wait, in words.
	Why Text `json:"why,omitzero"`
	// Sees is what the newest look says of the zone; see Facts.
	Sees Seen `json:"sees"`
}

// Seen are the Facts of a zone in one look, for people: shares are 0..1 of the
// zone, Count is -1 where it cannot be told.
type Seen struct {
	Present  int            `json:"present"`
	Standing int            `json:"standing"`
	Dwell    float64        `json:"dwell_seconds"`
	Coverage float64        `json:"coverage"`
	Moving   float64        `json:"moving"`
	Size     float64        `json:"size"`
	Count    float64        `json:"count"`
	Classes  map[string]int `json:"classes,omitempty"`
	Flame    float64        `json:"flame"`
	Smoke    float64        `json:"smoke"`
}

// Standing is something that has come to stand.
type Standing struct {
	Box   Box       `json:"box"`
	First time.Time `json:"first"` // when it came
	// Seen: the newest look showed it; else something hides it.
	Seen  bool   `json:"seen"`
	Class string `json:"class,omitempty"` // what a model sees in it
}

// judged is the newest that a rule said of its zone.
type judged struct {
	facts Facts
	why   Text
}

// note remembers what a rule said, for Explain.
func (w *Watch) note(r *compiled, f Facts, v verdict) {
	j := judged{facts: f, why: w.judged[r.key()].why}
	if v.reason != reasonWait {
		j.why = explain(r.zone, r.Rule, v)
	}
	w.judged[r.key()] = j
}

// Explain tells what the watch makes of its camera; p is the picture to show
// it on, which it masks in place and draws on. Nothing that the watch remembers
// changes.
func (w *Watch) Explain(p Picture, received time.Time) (Explanation, error) {
	if err := p.Check(); err != nil {
		return Explanation{}, fmt.Errorf("camera %q: %w", w.config.Camera, err)
	}
	e := Explanation{
		Camera: w.config.Camera, Received: received, Judged: w.last, Scene: w.scene,
		Learned: w.ground != nil && w.ground.learned, Rules: []RuleExplanation{}, Standing: []Standing{},
	}
	for i := range w.rules {
		e.Rules = append(e.Rules, w.explainRule(&w.rules[i], received))
	}
	for i := range w.things {
		if t := &w.things[i]; t.stands() {
			e.Standing = append(e.Standing, Standing{Box: t.box(w.ground.w, w.ground.h), First: t.First, Seen: t.seen(), Class: t.Class})
		}
	}
	blacken(p, w.config.Masks)
	var err error
	// A plane that is too slim for a picture cannot be shown.
	if e.Picture, err = w.drawn(p, e); err != nil || !e.Learned || min(w.ground.w, w.ground.h) < MinSide {
		return e, err
	}
	ground := grey(w.ground.w, w.ground.h, func(i int) byte { return byte(w.ground.mean[i] >> 8) })
	ground.FullRange = p.FullRange
	e.Background, err = w.drawn(ground, e)
	return e, err
}

func (w *Watch) explainRule(r *compiled, now time.Time) RuleExplanation {
	m, j := w.memories[r.key()], w.judged[r.key()]
	f := j.facts
	x := RuleExplanation{
		Zone: r.Zone, Rule: r.Ref, Kind: r.Kind, Why: j.why,
		Sees: Seen{
			Present: f.Present, Standing: f.Standing, Dwell: f.Dwell.Seconds(), Coverage: f.Coverage, Moving: f.Moving,
			Size: f.Size, Count: f.Count, Classes: maps.Clone(f.Classes), Flame: f.Flame, Smoke: f.Smoke,
		},
	}
	switch {
	case m.Running && m.Unknown:
		x.State, x.Since = RuleUnknown, m.Began
	case m.Running:
		x.State, x.Since = RuleRunning, m.Began
	case !r.zone.Armed(now.In(w.zone)):
		x.State = RuleDisarmed
	case w.scene.Fault != SceneOK || w.ground == nil || !w.ground.learned:
		x.State = RuleBlind
	case !m.Since.IsZero():
		x.State, x.Since = RulePending, m.Since
	case r.When == WhenStands && f.Standing > 0:
		x.State, x.Since = RulePending, w.last.Add(-f.Dwell)
	default:
		x.State = RuleClear
	}
	return x
}

// ink is a colour to draw with, YCbCr.
type ink struct{ y, cb, cr byte }

var (
	inkMask  = ink{235, 128, 128} // white
	inkThing = ink{170, 166, 16}  // cyan
	inks     = map[RuleState]ink{
		RuleBlind: {126, 128, 128}, RuleDisarmed: {126, 128, 128}, // grey
		RuleClear:   {145, 54, 34},                               // green
		RulePending: {180, 30, 165},                              // amber
		RuleUnknown: {107, 202, 222}, RuleRunning: {82, 90, 240}, // magenta, red
	}
)

// urgent are the states in the order in which a zone shows them.
var urgent = []RuleState{RuleRunning, RuleUnknown, RulePending, RuleClear, RuleBlind, RuleDisarmed}

// drawn returns a picture as JPEG with masks, zones and what stands on it.
func (w *Watch) drawn(p Picture, e Explanation) ([]byte, error) {
	for _, m := range w.config.Masks {
		outline(p, m, inkMask)
	}
	for _, z := range w.config.Zones {
		state := RuleDisarmed
		for _, r := range e.Rules {
			if r.Zone == z.ID && slices.Index(urgent, r.State) < slices.Index(urgent, state) {
				state = r.State
			}
		}
		outline(p, z.Area, inks[state])
	}
	for _, s := range e.Standing {
		x, y := s.Box.X+s.Box.W, s.Box.Y+s.Box.H
		outline(p, inventory.Polygon{{X: s.Box.X, Y: s.Box.Y}, {X: x, Y: s.Box.Y}, {X: x, Y: y}, {X: s.Box.X, Y: y}}, inkThing)
	}
	return w.jpeg(p)
}

// outline draws a polygon's sides, some 1/350 of the width thick.
func outline(p Picture, poly inventory.Polygon, c ink) {
	thick := max(1, p.Y.Width/350)
	dot := func(x, y int) {
		for dy := range thick {
			for dx := range thick {
				x, y := min(x+dx, p.Y.Width-1), min(y+dy, p.Y.Height-1)
				p.Y.Row(y)[x], p.Cb.Row(y / 2)[x/2], p.Cr.Row(y / 2)[x/2] = c.y, c.cb, c.cr
			}
		}
	}
	w, h := float64(p.Y.Width-1), float64(p.Y.Height-1)
	for i, to := range poly {
		from := poly[(i+len(poly)-1)%len(poly)]
		steps := math.Ceil(max(1, math.Abs(to.X-from.X)*w, math.Abs(to.Y-from.Y)*h))
		for s := range int(steps) + 1 {
			at := float64(s) / steps
			dot(int(w*(from.X+(to.X-from.X)*at)+0.5), int(h*(from.Y+(to.Y-from.Y)*at)+0.5))
		}
	}
}

// grey is a picture without colour.
func grey(w, h int, luma func(i int) byte) Picture {
	cw, ch := (w+1)/2, (h+1)/2
	plane := func(w, h int, at func(i int) byte) Plane {
		p := Plane{Pix: make([]byte, w*h), Width: w, Height: h, Stride: w}
		for i := range p.Pix {
			p.Pix[i] = at(i)
		}
		return p
	}
	none := func(int) byte { return 128 }
	return Picture{Y: plane(w, h, luma), Cb: plane(cw, ch, none), Cr: plane(cw, ch, none)}
}
