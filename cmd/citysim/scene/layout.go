package scene

import (
	"math"
	"math/rand/v2"
)

// Take lengths of the street: the car comes down the road, turns into the
// fire lane and stands; later it drives on, out of the picture.
const (
	streetArriveGOPs = 3
	streetStopFrame  = 72
	streetLeaveGOPs  = 2
	streetMoveFrame  = 6
)

// street is the layout of a street that runs away from the camera: on the left
// buildings, a pavement and the fire lane, then two lanes, then the other side.
type street struct {
	view      view
	laneLeft  float64 // x of the fire lane's edges
	laneRight float64
	laneNear  float64 // z of its ends
	laneFar   float64
	roadRight float64
	stop      float64 // z where the car stands
	car       carLook
	far       float64 // z where the street ends
}

func newStreet(r *rand.Rand) street {
	s := street{
		laneLeft: -4.9 + between(r, -0.3, 0.2), roadRight: 6.2 + between(r, -0.3, 0.5),
		laneNear: 8.8 + between(r, 0, 0.8), laneFar: 22 + between(r, 0, 4), far: 62 + between(r, 0, 12),
	}
	s.laneRight = s.laneLeft + between(r, 3.0, 3.4)
	s.stop = between(r, 13, 16)
	s.car = newCarLook(r)
	s.view = newView(
		vec{between(r, -0.8, 0.9), between(r, 6.8, 8.0), 0},
		between(r, -0.10, 0.03), between(r, 0.36, 0.43), between(r, 520, 590), r.IntN(2) == 0)
	return s
}

// lane is the fire lane on the ground.
func (s street) lane() []vec {
	return []vec{
		{s.laneLeft, 0, s.laneNear},
		{s.laneRight, 0, s.laneNear},
		{s.laneRight, 0, s.laneFar},
		{s.laneLeft, 0, s.laneFar},
	}
}

// carAt returns where the car of a take is in a frame, and its heading in
// radians (0 drives toward +z, π toward the camera).
func (s street) carAt(t Take, frame float64) (at vec, heading float64, shown bool) {
	place := func(frame float64) vec {
		lane, road := (s.laneLeft+s.laneRight)/2, s.laneRight+1.75
		switch t {
		case Arrive:
			// Braking evenly: fast at first, standing at the stop frame.
			k := min(frame/streetStopFrame, 1)
			z := s.far - 8 + (s.stop-(s.far-8))*(1-(1-k)*(1-k))
			return vec{road + (lane-road)*smooth((s.stop+15-z)/13), 0, z}
		case Leave:
			k := max(frame-streetMoveFrame, 0) / FrameRate
			z := s.stop - 2.6*k*k
			return vec{lane + 1.2*smooth((s.stop-z)/9), 0, z}
		default:
			return vec{lane, 0, s.stop}
		}
	}
	at = place(frame)
	heading = math.Pi
	if d := place(frame + 1).minus(at); d.z < -0.02 {
		heading = math.Atan2(d.x, d.z)
	}
	return at, heading, t == Arrive || t == Stay || at.z > 0.5
}

// gate is the layout of a gate: a road crosses the picture, behind it a
// pavement, a fence with a gate, and the closed yard.
type gate struct {
	view     view
	fence    float64 // z of the fence
	gap      float64 // x of the gate's middle
	near     float64 // z of the closed area's ends
	far      float64
	half     float64 // half its width
	base     vec     // where the intruder stands around
	walk     []vec   // the way there
	length   float64
	walkGOPs int
	who      personLook
}

func newGate(r *rand.Rand) gate {
	g := gate{
		fence: 12.2 + between(r, -0.4, 0.4), gap: between(r, -2.4, 2.4),
		far: 25 + between(r, -1.5, 2), half: 6.2 + between(r, 0, 1),
	}
	g.near = g.fence + 1.6
	g.view = newView(vec{between(r, -0.8, 0.8), between(r, 7.2, 8.2), 0},
		between(r, -0.12, 0.12), between(r, 0.42, 0.48), between(r, 540, 610), r.IntN(2) == 0)
	g.base = vec{g.gap + between(r, -1.6, 1.6), 0, between(r, 16.5, 19)}
	side := pick(r, -1.0, 1.0)
	g.walk = []vec{
		{side * 10, 0, 9.4},
		{g.gap + side*1.2, 0, 9.9},
		{g.gap, 0, g.fence - 0.6},
		{g.gap, 0, g.near + 0.6},
		g.base,
	}
	for i := 1; i < len(g.walk); i++ {
		g.length += span(g.walk[i-1], g.walk[i])
	}
	const speed = 2.1 // metres a second, a brisk walk
	g.walkGOPs = int(math.Ceil(g.length / speed * FrameRate / GOPFrames))
	g.who = newPersonLook(r)
	return g
}

func span(a, b vec) float64 { return math.Sqrt(b.minus(a).dot(b.minus(a))) }

// closed is the closed area on the ground.
func (g gate) closed() []vec {
	return []vec{{-g.half, 0, g.near}, {g.half, 0, g.near}, {g.half, 0, g.far}, {-g.half, 0, g.far}}
}

// along returns the place a share k of the way to the base.
func (g gate) along(k float64) vec {
	left := min(max(k, 0), 1) * g.length
	for i := 1; i < len(g.walk); i++ {
		d := span(g.walk[i-1], g.walk[i])
		if left <= d {
			return g.walk[i-1].toward(g.walk[i], left/d)
		}
		left -= d
	}
	return g.base
}

// begin is the first frame of the way in with the feet in the closed area.
func (g gate) begin() int {
	frames := g.walkGOPs * GOPFrames
	for i := range frames {
		if g.along(float64(i)/float64(frames)).z >= g.near {
			return i
		}
	}
	return frames
}

// personAt returns where the person of a take is in a frame of the take; gop
// is the frame's GOP.
func (g gate) personAt(t Take, frame float64, gop int) vec {
	frames := float64(g.walkGOPs * GOPFrames)
	switch t {
	case Arrive:
		return g.along(frame / frames)
	case Leave:
		return g.along(1 - frame/frames)
	default:
		// Loops of one GOP that begin and end at the base, each its own way.
		phase := math.Mod(frame, GOPFrames) / GOPFrames * 2 * math.Pi
		way := float64(gop)*math.Pi/2 + 0.4
		sw, cw := math.Sincos(way)
		a, b := 0.45*(1-math.Cos(phase)), 0.35*math.Sin(phase)
		return g.base.plus(vec{a*cw - b*sw, 0, a*sw + b*cw})
	}
}
