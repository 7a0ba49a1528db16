package scene

import (
	"math"
	"math/rand/v2"
	"slices"
)

// drawStreet draws a street from its far end to the near one.
func (p *pen) drawStreet(s street, r *rand.Rand) {
	haze := rgb(0xc5cccf)
	for x := -60.0; x < 60; {
		width := between(r, 8, 16)
		p.tower(r, x, s.far+between(r, 6, 20), width, between(r, 10, 34), haze)
		x += width + between(r, -2, 5)
	}
	asphalt := rgb(pick[uint32](r, 0x5d6063, 0x66676a, 0x575a5c, 0x6e6c69))
	paving := rgb(pick[uint32](r, 0xa89f93, 0x9e9c98, 0xb0a595, 0x9a8f88))
	left, right := s.laneLeft-2.6, s.roadRight+3.0
	p.ground(paving, 1, left-3, right+3, 1, s.far+8)
	p.ground(asphalt, 1, s.laneLeft, s.roadRight, 1, s.far+8)
	p.pavement(paving, left, s.laneLeft, s.far)
	p.pavement(paving, s.roadRight, right, s.far)
	kerb := rgb(0xc3bfb6)
	p.ground(kerb, 1, s.laneLeft-0.16, s.laneLeft, 1, s.far+8)
	p.ground(kerb, 1, s.roadRight, s.roadRight+0.16, 1, s.far+8)
	p.roadMarkings(s, r)
	p.fireLane(s)
	// Shadows of houses fall across the street from the sunny side.
	switch {
	case p.evening != nil:
		p.streetShade(s, left, right)
	case p.sun.x > 0.25:
		p.ground(rgb(0x1c2028), 0.26, s.roadRight-between(r, 0, 2.5), right+1, 1, s.far)
	case p.sun.x < -0.25:
		p.ground(rgb(0x1c2028), 0.22, left-1, s.laneLeft+between(r, -1, 0.4), 1, s.far)
	}
	for _, side := range []struct{ x, depth float64 }{{left, -9}, {right, 9}} {
		var row []house
		for z := between(r, 1, 4); z < s.far; {
			length := between(r, 9, 17)
			row = append(row, newHouse(r, side.x, z, z+length, side.depth))
			z += length + pick(r, 0, 0, between(r, 1.5, 4))
		}
		for _, h := range slices.Backward(row) {
			p.house(h, r)
		}
	}
	for z := s.far - 8; z > 10; z -= 13 {
		p.lampPost(vec{s.roadRight + 0.7, 0, z})
	}
	for z := 28.0; z > 10; z -= 6 {
		p.bollard(vec{s.laneLeft - 0.5, 0, z})
	}
	for range r.IntN(3) + 1 {
		p.bicycle(vec{left + 0.7, 0, between(r, 10, 24)}, r)
	}
}

// pavement draws the joints of paving slabs.
func (p *pen) pavement(t tone, x0, x1, far float64) {
	for z := 4.0; z < min(far, 40); z += 1.2 {
		p.ground(t.lit(0.86), 0.8, x0, x1, z, z+0.06)
	}
	p.ground(rgb(0xc9a545), 0.7, (x0+x1)/2-0.16, (x0+x1)/2+0.16, 3, far) // guide path for the blind
}

func (p *pen) roadMarkings(s street, r *rand.Rand) {
	white := rgb(0xdcdcd6)
	middle := s.laneRight + (s.roadRight-s.laneRight)/2
	for z := 3.0; z < s.far; z += 5 {
		p.ground(white, 0.85, middle-0.08, middle+0.08, z, z+2.4)
	}
	p.ground(white, 0.8, s.roadRight-0.45, s.roadRight-0.32, 1, s.far)
	crossing := 30 + between(r, 0, 8)
	for x := s.laneRight + 0.3; x < s.roadRight-0.6; x += 0.95 {
		p.ground(white, 0.85, x, x+0.5, crossing, crossing+3)
	}
	for range 7 {
		x, z := between(r, s.laneLeft, s.roadRight-1), between(r, 6, 30)
		p.shadow(vec{x, 0, z}, between(r, 0.2, 0.6), between(r, 0.3, 1.2), 0, 0.07) // oil and patches
	}
	p.disc(rgb(0x4a4c4e), 0.9, vec{middle + 1, 0, 12}, 0.35, 0.2)
}

// fireLane marks the lane in yellow: its border, hatching at both ends and
// the words 消防通道 on the ground.
func (p *pen) fireLane(s street) {
	yellow := rgb(0xe0b322)
	c := s.lane()
	for i := range c {
		p.line(yellow, 0.9, 0.16, c[i], c[(i+1)%4])
	}
	width := s.laneRight - s.laneLeft
	for z := s.laneNear; z+width*0.7 <= s.laneFar; z += 1.5 {
		if z > s.laneNear+3.2 && z < s.laneFar-5.5 {
			continue
		}
		p.line(yellow, 0.8, 0.14, vec{s.laneLeft, 0, z}, vec{s.laneRight, 0, z + width*0.7})
	}
	size := width * 0.56
	z := s.laneNear + 5.0
	for _, glyph := range []string{"道", "通", "防", "消"} {
		p.glyph(glyph, vec{(s.laneLeft + s.laneRight) / 2, 0, z}, size, yellow)
		z += size * 1.16
		if z+size > s.laneFar {
			break
		}
	}
}

// strokes are the words on the ground as lines on a grid of 10 by 10, x to
// the right and y down.
var strokes = map[string][][4]float64{
	"消": {
		{1, 1, 2.2, 2},
		{0.6, 3.6, 1.9, 4.6},
		{0.6, 9, 2.4, 6},
		{6.2, 0.5, 6.2, 3.6},
		{3.8, 1, 4.8, 2.8},
		{8.6, 1, 7.6, 2.8},
		{4, 4, 4, 9.4},
		{4, 4, 8.6, 4},
		{8.6, 4, 8.6, 9.4},
		{4, 5.8, 8.6, 5.8},
		{4, 7.5, 8.6, 7.5},
	},
	"防": {
		{0.8, 1, 0.8, 9.4},
		{0.8, 1, 3, 1},
		{3, 1, 2, 3.6},
		{2, 3.6, 3.2, 5.6},
		{3.2, 5.6, 1.8, 6.6},
		{6.4, 0.5, 6.8, 2},
		{4, 2.6, 9.4, 2.6},
		{6.2, 2.6, 5.8, 6},
		{5.8, 6, 3.8, 9.4},
		{6, 5, 8.8, 5},
		{8.8, 5, 8.4, 9.2},
		{8.4, 9.2, 7, 8.6},
	},
	"通": {
		{1, 1, 2, 2.2},
		{0.6, 4.2, 2, 4.2},
		{2, 4.2, 2, 7.6},
		{2, 7.6, 0.6, 9},
		{1.6, 8, 4, 9.3},
		{4, 9.3, 9.6, 9.3},
		{4, 1, 8.4, 1},
		{8.4, 1, 6.6, 2.6},
		{4.2, 3.2, 4.2, 8.4},
		{4.2, 3.2, 8.6, 3.2},
		{8.6, 3.2, 8.6, 8.2},
		{4.2, 4.9, 8.6, 4.9},
		{4.2, 6.5, 8.6, 6.5},
		{6.4, 3.2, 6.4, 8.2},
	},
	"道": {
		{1, 1, 2, 2.2},
		{0.6, 4.2, 2, 4.2},
		{2, 4.2, 2, 7.6},
		{2, 7.6, 0.6, 9},
		{1.6, 8, 4, 9.3},
		{4, 9.3, 9.6, 9.3},
		{4.8, 0.6, 5.6, 1.8},
		{8, 0.6, 7, 1.8},
		{3.6, 2.2, 9.4, 2.2},
		{6.4, 2.2, 5.8, 3.6},
		{4.4, 3.6, 4.4, 8.4},
		{4.4, 3.6, 8.4, 3.6},
		{8.4, 3.6, 8.4, 8.4},
		{4.4, 5.2, 8.4, 5.2},
		{4.4, 6.8, 8.4, 6.8},
		{4.4, 8.4, 8.4, 8.4},
	},
}

// glyph paints a word's character on the ground, its middle at a place. It
// reads the right way round also in a mirrored view.
func (p *pen) glyph(name string, at vec, size float64, t tone) {
	for _, l := range strokes[name] {
		x0, x1 := l[0]/10-0.5, l[2]/10-0.5
		if p.view.mirrored {
			x0, x1 = -x0, -x1
		}
		p.line(t, 0.92, size*0.085, at.plus(vec{x0 * size, 0, (0.5 - l[1]/10) * size}), at.plus(vec{x1 * size, 0, (0.5 - l[3]/10) * size}))
	}
}

func (p *pen) lampPost(at vec) {
	grey := rgb(0x6f7577)
	p.post(grey, at, 6.5, 0.14)
	arm := at.plus(vec{0, 6.4, 0})
	p.poly(grey, 1, arm, arm.plus(vec{-1.5, 0.25, 0}), arm.plus(vec{-1.5, 0.38, 0}), arm.plus(vec{0, 0.15, 0}))
	if p.evening != nil {
		p.glow = 150
	}
	p.poly(rgb(0xe9e7da), 1, arm.plus(vec{-1.7, 0.2, 0}), arm.plus(vec{-1.1, 0.2, 0}), arm.plus(vec{-1.1, 0.34, 0}), arm.plus(vec{-1.7, 0.34, 0}))
	p.glow = 0
}

// streetShade draws the shade of a row of houses as the sun casts it.
func (p *pen) streetShade(s street, left, right float64) {
	reach := min(9*math.Abs(p.sun.x)/max(p.sun.y, 0.1), right-left)
	dark, k := rgb(0x1c2028), 0.36*(1-p.cloudy)
	if p.sun.x > 0 {
		p.ground(dark, k, right-reach, right+1, 1, s.far)
	} else {
		p.ground(dark, k, left-1, left+reach, 1, s.far)
	}
}

func (p *pen) bollard(at vec) {
	p.post(rgb(0xd9d4c8), at, 0.75, 0.15)
	p.post(rgb(0xb3382f), at.plus(vec{0, 0.5, 0}), 0.16, 0.16)
}

func (p *pen) bicycle(at vec, r *rand.Rand) {
	t := rgb(pick[uint32](r, 0x2f7fb5, 0xd0a52e, 0x3c9a62, 0x7d7f82))
	for _, z := range []float64{-0.5, 0.5} {
		p.disc(rgb(0x222426), 1, at.plus(vec{0, 0.33, z}), 0.12, 0.33)
	}
	for _, l := range [][4]float64{{-0.5, 0.33, 0.2, 0.85}, {0.5, 0.33, 0.3, 1.0}, {-0.1, 0.33, -0.25, 0.9}} {
		a, b := at.plus(vec{0, l[1], l[0]}), at.plus(vec{0, l[3], l[2]})
		n := vec{0, 0.04, 0}
		p.poly(t, 1, a.plus(n), b.plus(n), b.minus(n), a.minus(n))
	}
}

// drawGate draws a gate from its far side to the near one, less the fence and
// the booth before it.
func (p *pen) drawGate(g gate, r *rand.Rand) {
	haze := rgb(0xc5cccf)
	for x := -55.0; x < 55; {
		width := between(r, 8, 16)
		p.tower(r, x, 80+between(r, 0, 20), width, between(r, 8, 30), haze)
		x += width + between(r, -1, 8)
	}
	grass := rgb(pick[uint32](r, 0x75805a, 0x7e8263, 0x6a7a55))
	p.ground(grass, 1, -60, 60, 1, 90)
	yard := rgb(pick[uint32](r, 0xa5a49e, 0xb1aca2, 0x999b9a))
	p.ground(yard, 1, -15, 15, g.fence, g.far+8)
	for z := g.fence; z < g.far+8; z += 3.5 {
		p.ground(yard.lit(0.86), 0.8, -15, 15, z, z+0.07)
	}
	for x := -14.0; x < 15; x += 3.5 {
		p.ground(yard.lit(0.86), 0.8, x, x+0.07, g.fence, g.far+8)
	}
	for range 9 {
		p.shadow(vec{between(r, -9, 9), 0, between(r, g.fence+1, g.far)}, between(r, 0.3, 1.4), between(r, 0.3, 1.2), 0, 0.08)
	}
	p.backOfYard(g, r)
	red, white := rgb(0xb5322b), rgb(0xe4e2da)
	for i, x := 0, -g.half; x < g.half; i, x = i+1, x+0.6 {
		p.ground(pick2(i, red, white), 0.75, x, x+0.6, g.near, g.near+0.22)
	}
	p.frontOfGate(g, r)
}

func pick2[T any](i int, a, b T) T {
	if i%2 == 0 {
		return a
	}
	return b
}

// backOfYard draws the hall behind the yard and what is stored before it.
func (p *pen) backOfYard(g gate, r *rand.Rand) {
	wall := rgb(pick[uint32](r, 0x9fb0b8, 0xb7b09f, 0x8f9f9a, 0xb5a08e))
	z, height := g.far+7, between(r, 5.5, 9)
	side := func(t tone, x0, x1, y0, y1 float64) {
		p.poly(t, 1, vec{x0, y0, z}, vec{x1, y0, z}, vec{x1, y1, z}, vec{x0, y1, z})
	}
	x0, x1 := between(r, -15, -9), between(r, 9, 15)
	side(wall, x0, x1, 0, height)
	for x := x0; x < x1; x += 0.8 {
		side(wall.lit(0.9), x, x+0.2, 0, height)
	}
	side(rgb(pick[uint32](r, 0x3d5f8c, 0x8a3b35, 0x5b6468)), x0-0.3, x1+0.3, height-0.7, height)
	for x := x0 + 1.5; x+3.4 < x1; x += 5.4 {
		side(rgb(0x70787c), x, x+3.4, 0, 3.8)
		for y := 0.4; y < 3.6; y += 0.5 {
			side(rgb(0x60676b), x, x+3.4, y, y+0.1)
		}
		side(rgb(0xd9dcd6), x+0.9, x+2.5, 4.4, 5.0)
	}
	for _, way := range []float64{-1, 1} {
		for range r.IntN(3) + 1 {
			at := vec{way * between(r, g.half+1.2, 11), 0, between(r, 17, g.far+3)}
			t := rgb(pick[uint32](r, 0x9c4a32, 0x2f5d86, 0x4f7a57, 0xb58b36, 0x84888a))
			p.box(at, between(r, 1.1, 1.5), between(r, 1.2, 2.6), between(r, 1.2, 2.6), t)
		}
	}
}

// box draws a crate or container that stands on the ground.
func (p *pen) box(at vec, x, y, z float64, t tone) {
	p.shadow(at, x*1.2, z*0.7, 0, 0.4)
	to := func(a, b, c float64) vec { return at.plus(vec{a, b, c}) }
	p.solid(frustum(to, x, 0, y, -z/2, z/2, x, -z/2, z/2, t, t.lit(1.1)))
}

// frontOfGate draws the road and the pavement before the fence.
func (p *pen) frontOfGate(g gate, r *rand.Rand) {
	asphalt := rgb(pick[uint32](r, 0x5d6063, 0x66676a, 0x585b5d))
	paving := rgb(pick[uint32](r, 0xa89f93, 0x9e9c98, 0xb0a595))
	p.ground(paving, 1, -60, 60, 8.4, g.fence-1.2)
	for x := -14.0; x < 14; x += 0.9 {
		p.ground(paving.lit(0.88), 0.8, x, x+0.05, 8.5, g.fence-1.2)
	}
	p.ground(asphalt, 1, -60, 60, 0.5, 8.4)
	p.ground(rgb(0xc3bfb6), 1, -60, 60, 8.3, 8.5)
	p.ground(asphalt.lit(1.06), 1, g.gap-1.9, g.gap+1.9, 8.2, g.fence+1.3)
	for x := -14.0; x < 14; x += 3 {
		p.ground(rgb(0xdcdcd6), 0.85, x, x+1.5, 5.9, 6.05)
	}
	yellow := rgb(0xdcb02a)
	for x := g.gap - 1.8; x < g.gap+1.5; x += 0.7 {
		p.line(yellow, 0.8, 0.12, vec{x, 0, 8.7}, vec{x + 0.7, 0, 10.2})
	}
}

// booth draws the guard's booth beside the gate.
func (p *pen) booth(at vec, r *rand.Rand) {
	p.shadow(at, 1.5, 1.3, 0, 0.4)
	wall := rgb(pick[uint32](r, 0xd7d9d6, 0xc5d0d8, 0xd9d0bc))
	to := func(x, y, z float64) vec { return at.plus(vec{x, y, z}) }
	p.solid(frustum(to, 0.95, 0, 1.0, -0.9, 0.9, 0.95, -0.9, 0.9, wall, wall))
	p.solid(frustum(to, 0.93, 1.0, 2.1, -0.88, 0.88, 0.93, -0.88, 0.88, rgb(0x3c4c57), wall))
	for _, x := range []float64{-0.95, 0, 0.95} {
		p.post(wall, to(x, 1.0, -0.9), 1.1, 0.12)
	}
	roof := rgb(pick[uint32](r, 0x3d5f8c, 0x8a3b35, 0x6a7073))
	p.solid(frustum(to, 1.2, 2.1, 2.4, -1.15, 1.15, 1.1, -1.05, 1.05, roof, roof.lit(1.1)))
}

// fence draws the fence and the barrier, and notes them as standing before
// what is behind.
func (p *pen) fence(g gate, before []byte) {
	put := func(t tone, opacity float64, corners ...vec) {
		outline := p.view.project(corners...)
		p.paint(p.frame, outline, t, opacity)
		p.note(before, p.frame.width, outline, opacity)
	}
	bar := func(t tone, x, y, w, h, z float64) {
		put(t, 1, vec{x, y, z}, vec{x + w, y, z}, vec{x + w, y + h, z}, vec{x, y + h, z})
	}
	steel := rgb(0x5d6a70)
	for x := -15.0; x < 15; x += 0.28 {
		if x > g.gap-2.1 && x < g.gap+1.9 {
			continue
		}
		bar(steel, x, 0.15, 0.035, 1.15, g.fence)
	}
	for _, run := range [][2]float64{{-15, g.gap - 2}, {g.gap + 2, 15}} {
		bar(steel.lit(0.9), run[0], 0.2, run[1]-run[0], 0.06, g.fence)
		bar(steel.lit(0.9), run[0], 1.2, run[1]-run[0], 0.07, g.fence)
		for x := run[0]; x <= run[1]; x += 2.4 {
			bar(rgb(0x4a5459), x-0.06, 0, 0.12, 1.45, g.fence)
		}
	}
	for _, x := range []float64{g.gap - 2.15, g.gap + 1.95} {
		bar(rgb(0x8b8f90), x, 0, 0.3, 1.6, g.fence)
	}
	for i := range 8 { // the raised barrier, beside its post
		bar(pick2(i, rgb(0xc23a32), rgb(0xe6e4de)), g.gap+2.3, 1.0+float64(i)*0.42, 0.12, 0.42, g.fence-0.1)
	}
	p.noEntry(vec{g.gap - 2.7, 0, g.fence - 0.05}, put)
}

// noEntry draws a round sign on a pole.
func (p *pen) noEntry(at vec, put func(tone, float64, ...vec)) {
	put(rgb(0x7d8284), 1, at.plus(vec{-0.04, 0, 0}), at.plus(vec{0.04, 0, 0}), at.plus(vec{0.04, 1.9, 0}), at.plus(vec{-0.04, 1.9, 0}))
	for _, ring := range []struct {
		size float64
		tone tone
	}{{0.42, rgb(0xe4e2da)}, {0.38, rgb(0xc02a26)}} {
		var pts []vec
		for _, c := range [][2]float64{{1, 0}, {0.87, 0.5}, {0.5, 0.87}, {0, 1}, {-0.5, 0.87}, {-0.87, 0.5}, {-1, 0}, {-0.87, -0.5}, {-0.5, -0.87}, {0, -1}, {0.5, -0.87}, {0.87, -0.5}} {
			pts = append(pts, at.plus(vec{c[0] * ring.size, 2.1 + c[1]*ring.size, -0.01}))
		}
		put(ring.tone, 1, pts...)
	}
	put(rgb(0xe9e7e1), 1, at.plus(vec{-0.26, 2.04, -0.02}), at.plus(vec{0.26, 2.04, -0.02}), at.plus(vec{0.26, 2.16, -0.02}), at.plus(vec{-0.26, 2.16, -0.02}))
}
