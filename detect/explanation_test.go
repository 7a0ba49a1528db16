//go:build cgo

package detect_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// explain asks the watch about a picture of the street.
func (p *patrol) explain(actors ...actor) detect.Explanation {
	p.t.Helper()
	e, err := p.w.Explain(p.s.shoot(actors...), p.now)
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

func (p *patrol) wantRule(e detect.Explanation, state detect.RuleState) detect.RuleExplanation {
	p.t.Helper()
	if len(e.Rules) != 1 || e.Rules[0].State != state {
		p.t.Fatalf("rules %+v, want one that is %s", e.Rules, state)
	}
	return e.Rules[0]
}

// TestExplain follows a car that comes to stand in a fire lane.
func TestExplain(t *testing.T) {
	lane := fireLane
	lane.Dwell = 20 * time.Second
	p := newPatrol(t, 2*time.Second, lane)
	if e := p.explain(); e.Learned || e.Background != nil || !e.Judged.IsZero() {
		t.Errorf("before the first sample: %+v", e)
	}
	p.show(2 * time.Second)
	p.wantRule(p.explain(), detect.RuleBlind)
	p.show(20 * time.Second)
	e := p.explain()
	p.wantRule(e, detect.RuleClear)
	if !e.Learned || len(e.Background) == 0 || e.Judged.IsZero() {
		t.Errorf("a learned scene: %+v", e)
	}
	car := car(0.5, 0.7)
	came := p.now
	p.show(10*time.Second, car)
	e = p.explain(car)
	r := p.wantRule(e, detect.RulePending)
	if d := r.Since.Sub(came); d < 0 || d > 2*p.interval || r.Sees.Standing != 1 || r.Sees.Coverage <= 0 || len(e.Standing) != 1 || !e.Standing[0].Seen {
		t.Errorf("a car that stands: %+v", e)
	}
	p.show(20*time.Second, car)
	p.want(lane.ID + "/begin ")
	if r := p.wantRule(p.explain(car), detect.RuleRunning); r.Why.EN == "" || r.Why.ZH == "" {
		t.Errorf("no words for %+v", r)
	}
	before := p.w.Checkpoint()
	p.explain()
	if !bytes.Equal(before, p.w.Checkpoint()) {
		t.Error("explaining changed what the watch remembers")
	}
}

// TestExplanationIsMasked: what lies under a mask shows in neither picture, and
// the zone is drawn in the colour of its rule's state.
func TestExplanationIsMasked(t *testing.T) {
	p := newPatrol(t, 2*time.Second, closedArea)
	p.o.Config.Masks = []inventory.Polygon{rect(0.1, 0.1, 0.3, 0.3)}
	p.restart()
	p.show(20 * time.Second)
	e := p.explain(actor{x: 0.2, y: 0.2, w: 0.1, h: 0.1, luma: 250})
	for name, b := range map[string][]byte{"picture": e.Picture, "background": e.Background} {
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(name, err)
		}
		if r, g, b := at(img, 0.2, 0.2); r+g+b > 3*24 {
			t.Errorf("%s: under the mask lies %d %d %d", name, r, g, b)
		}
		c := closedArea.Area
		x, y := (c[0].X+c[1].X)/2, (c[0].Y+c[1].Y)/2
		if !near(img, x, y, func(r, g, b int) bool { return g > r+40 && g > b+40 }) {
			t.Errorf("%s: no green side of the zone at %.2f %.2f", name, x, y)
		}
	}
}

func at(img image.Image, x, y float64) (r, g, b int) {
	size := img.Bounds().Size()
	cr, cg, cb, _ := img.At(int(x*float64(size.X)), int(y*float64(size.Y))).RGBA()
	return int(cr >> 8), int(cg >> 8), int(cb >> 8)
}

// near tells whether a pixel close by is such.
func near(img image.Image, x, y float64, such func(r, g, b int) bool) bool {
	size := img.Bounds().Size()
	for dy := -3; dy <= 3; dy++ {
		for dx := -3; dx <= 3; dx++ {
			r, g, b := at(img, x+float64(dx)/float64(size.X), y+float64(dy)/float64(size.Y))
			if such(r, g, b) {
				return true
			}
		}
	}
	return false
}
