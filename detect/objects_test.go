//go:build cgo

package detect_test

import (
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// A model is asked when something touches an armed zone whose rule names a
// class, and not again for what stands there and was looked at; after the
// ground was learned it is asked once what stood there before.
func TestAModelIsAskedOnlyWhereARuleNamesAClass(t *testing.T) {
	yard := closedArea // its rule excepts animals
	hidden := inventory.Zone{ID: "hidden", Kind: inventory.ZoneFireWatch, Area: rect(0, 0.4, 0.4, 1)}
	p := newPatrol(t, 5*time.Second, yard, hidden)
	asked, looked := 0, true
	var near []detect.Box
	p.o.Objects = finderFunc(func(pic detect.Picture, boxes []detect.Box) ([]detect.Detection, bool) {
		asked++
		near = boxes
		if pic.Y.Row(10)[10] != 16 {
			t.Error("a model saw what lies under a mask")
		}
		return nil, looked
	})
	p.o.Config.Masks = []inventory.Polygon{rect(0, 0, 0.2, 0.2)}
	p.restart()
	expect := func(what string, most, least int) {
		t.Helper()
		if asked > most || asked < least {
			t.Errorf("%s: asked %d times, want %d to %d", what, asked, least, most)
		}
		asked = 0
	}
	p.show(time.Minute)
	expect("quiet, but for the first sight", 1, 1)
	p.show(30*time.Second, person(0.1, 0.6))
	expect("somebody where no rule names a class", 0, 0)
	p.show(10*time.Second, person(0.6, 0.5))
	p.show(5*time.Second, person(0.7, 0.5))
	expect("somebody in the yard, who moves once", 2, 2)
	if want := (detect.Box{X: 0.5, Y: 0.35, W: 0.5, H: 0.65}); len(near) != 1 || near[0] != want {
		t.Errorf("it was asked to look near %v, want %v", near, want)
	}
	p.show(time.Minute)
	asked = 0
	p.show(2*time.Minute, car(0.6, 0.6))
	expect("something that stands", 3, 1)
	looked = false
	p.show(time.Minute)
	asked = 0
	p.show(time.Minute, car(0.55, 0.5))
	expect("a model without time is asked again", 12, 12)
	p.want("yard/begin yard/end yard/begin yard/end yard/begin ")
}

// Seen by nobody else, a disarmed zone costs nothing.
func TestAModelIsNotAskedForADisarmedZone(t *testing.T) {
	yard := closedArea
	yard.Hours = []inventory.Hours{{From: 12 * 60, To: 13 * 60}}
	p := newPatrol(t, 5*time.Second, yard)
	asked := 0
	p.o.Objects = finderFunc(func(detect.Picture, []detect.Box) ([]detect.Detection, bool) {
		asked++
		return nil, true
	})
	p.restart()
	p.show(time.Minute)
	p.show(time.Minute, person(0.7, 0.5))
	if asked > 0 {
		t.Errorf("a model was asked %d times", asked)
	}
	p.want("")
}

// What a model saw is remembered with the thing, over a restart too.
func TestAModelsWordSurvivesARestart(t *testing.T) {
	p := newPatrol(t, 5*time.Second, fireLane)
	sees := []detect.Detection{{Class: "person", Score: 0.9, Box: detect.Box{X: 0.3, Y: 0.6, W: 0.2, H: 0.15}}}
	asked := 0
	p.o.Objects = finderFunc(func(detect.Picture, []detect.Box) ([]detect.Detection, bool) {
		asked++
		return sees, true
	})
	p.restart()
	sees, keep := nil, sees
	p.show(time.Minute)
	sees = keep
	p.show(30*time.Second, car(0.3, 0.6))
	before := asked
	p.reborn(true)
	p.show(5*time.Minute, car(0.3, 0.6))
	if asked != before {
		t.Errorf("a model was asked %d times more", asked-before)
	}
	p.want("") // for the fire lane's rule excepts persons
}
