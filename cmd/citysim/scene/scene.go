package scene

import (
	"math/rand/v2"
	"time"

	"videopatrol/inventory"
)

// Kind is what kind of scene a camera looks at.
type Kind string

// The kinds of scenes.
const (
	Street Kind = "street" // a street with a fire lane
	Gate   Kind = "gate"   // a gate with a closed area behind it
)

// Take is one part of what happens in a scene.
type Take string

// The takes. A happening of a scene's own is Arrive, then Stay again and
// again, then Leave; Covered and Dark loop.
const (
	Quiet   Take = "quiet"
	Arrive  Take = "arrive"
	Stay    Take = "stay"
	Leave   Take = "leave"
	Covered Take = "covered"
	Dark    Take = "dark"
)

// Takes lists every take.
func Takes() []Take { return []Take{Quiet, Arrive, Stay, Leave, Covered, Dark} }

// loops are the lengths in GOPs of the takes that loop.
var loops = map[Take]int{Quiet: 7, Stay: 4, Covered: 3, Dark: 3}

// Scene is the layout of one camera's scene. It is cheap and read-only.
type Scene struct {
	kind   Kind
	seed   uint64
	view   view
	zone   inventory.Polygon
	mask   inventory.Polygon
	street street
	gate   gate
	staged *staged // of the other kinds
}

// New lays out the scene of a seed.
func New(kind Kind, seed uint64) *Scene {
	s := &Scene{kind: kind, seed: seed}
	if kind != Street && kind != Gate {
		s.staged = newStaged(kind, seed)
		s.zone, s.mask = s.staged.zones[0].Area, s.staged.mask
		return s
	}
	r := s.random(0)
	if kind == Gate {
		s.gate = newGate(r)
		s.view = s.gate.view
		s.zone = s.view.zone(s.gate.closed()...)
	} else {
		s.street = newStreet(r)
		s.view = s.street.view
		s.zone = s.view.zone(s.street.lane()...)
	}
	// A window of the house opposite: the upper corner away from the zone.
	left := 0.0
	if middle(s.zone) < 0.5 {
		left = 0.84
	}
	s.mask = inventory.Polygon{{X: left, Y: 0.02}, {X: left + 0.16, Y: 0.02}, {X: left + 0.16, Y: 0.2}, {X: left, Y: 0.2}}
	return s
}

func middle(zone inventory.Polygon) float64 {
	sum := 0.0
	for _, p := range zone {
		sum += p.X
	}
	return sum / float64(max(len(zone), 1))
}

// random returns the scene's own source of chance for one purpose.
func (s *Scene) random(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(mix(s.seed), mix(purpose)))
}

// mix scrambles a number (the finalizer of splitmix64), so that seeds next to
// each other have nothing in common.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Kind returns the kind of the scene.
func (s *Scene) Kind() Kind { return s.kind }

// Zone returns where the scene's own happening happens on the picture.
func (s *Scene) Zone() inventory.Polygon { return s.zone }

// Zones returns the scene's zones, the one of its own happening first.
func (s *Scene) Zones() []inventory.Zone {
	switch {
	case s.staged != nil:
		return s.staged.zones
	case s.kind == Gate:
		return []inventory.Zone{{ID: "ca1", Kind: closedArea, Area: s.zone}}
	default:
		return []inventory.Zone{{ID: "fl1", Kind: fireLane, Area: s.zone}}
	}
}

// PrivacyMask returns a place on the picture that is nobody's business.
func (s *Scene) PrivacyMask() inventory.Polygon { return s.mask }

// GOPs returns how many GOPs a take has.
func (s *Scene) GOPs(t Take) int {
	if s.staged != nil {
		return s.staged.groups(t)
	}
	if n := loops[t]; n > 0 {
		return n
	}
	if s.kind == Gate {
		return s.gate.walkGOPs
	}
	if t == Arrive {
		return streetArriveGOPs
	}
	return streetLeaveGOPs
}

// Begin returns the frame of Arrive from which the happening is true: a car
// stands still, somebody's feet are inside the closed area, and so on.
func (s *Scene) Begin() int {
	if s.staged != nil {
		return int(s.staged.act.Begin * FrameRate / time.Second)
	}
	if s.kind == Gate {
		return s.gate.begin()
	}
	return streetStopFrame
}

// End returns the frame of Leave from which the happening is over: the car
// moves again, or the person's feet are outside the closed area.
func (s *Scene) End() int {
	if s.staged != nil {
		return int(s.staged.act.End*FrameRate/time.Second) - s.staged.leave*GOPFrames
	}
	if s.kind == Gate {
		return s.GOPs(Leave)*GOPFrames - s.gate.begin()
	}
	return streetMoveFrame
}

// between returns a number between lo and hi.
func between(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// pick returns one of the choices.
func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

// smooth eases k from 0 to 1, and stays there outside.
func smooth(k float64) float64 {
	k = min(max(k, 0), 1)
	return k * k * (3 - 2*k)
}
