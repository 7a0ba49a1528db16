package scene

import (
	"math"
	"math/rand/v2"
)

// weather is the light of a scene.
type weather struct {
	high, low tone // the sky, above and at the horizon
	sun       vec
	light     float64 // how bright the day is
}

func newWeather(r *rand.Rand) weather {
	skies := [][3]float64{
		{0x7fa6cf, 0xd5e2ea, 1.0},  // clear
		{0xaab4bb, 0xd9dcdb, 0.9},  // overcast
		{0x8c9bb5, 0xe8d7bd, 0.94}, // evening
		{0x9fb9c9, 0xe6e9e6, 1.04}, // haze
		{0x6f93c4, 0xc9dcec, 1.0},  // deep blue
		{0x98a3ab, 0xc4c8c8, 0.84}, // rain coming
	}
	s := skies[r.IntN(len(skies))]
	way := between(r, -2.2, 2.2)
	sun := vec{math.Sin(way) * 0.6, 0.72, -math.Cos(way) * 0.35}
	return weather{
		rgb(uint32(s[0])), rgb(uint32(s[1])),
		sun.times(1 / math.Sqrt(sun.dot(sun))), s[2] * between(r, 0.95, 1.05),
	}
}

// backdrop draws what never moves, and the plane of what stands before the
// intruder of a gate.
func (s *Scene) backdrop() (*Frame, weather, []byte) {
	r := s.random(1)
	w := newWeather(r)
	p := &pen{view: s.view, frame: NewFrame(), sun: w.sun}
	p.sky(w)
	var before []byte
	if s.kind == Gate {
		p.drawGate(s.gate, r)
		before = make([]byte, pixels)
		p.fence(s.gate, before)
		p.booth(vec{s.gate.gap + pick(r, -3.9, 3.9), 0, s.gate.fence - 1.2}, r)
	} else {
		p.drawStreet(s.street, r)
	}
	p.grain(r, w.light)
	return p.frame, w, before
}

// sky fills the picture with sky down to the horizon and ground below.
func (p *pen) sky(w weather) {
	h := p.view.horizon()
	for y := 0.0; y < max(h, 0)+4; y += 4 {
		k := smooth(y / max(h, 1))
		p.paint(p.frame, []point{{0, y}, {p.view.width, y}, {p.view.width, y + 5}, {0, y + 5}}, w.high.toward(w.low, k), 1)
	}
	p.paint(p.frame, []point{{0, h}, {p.view.width, h}, {p.view.width, p.view.height}, {0, p.view.height}}, rgb(0x8f8f88), 1)
}

// grain gives surfaces the unevenness of real ones, and the day its light.
func (p *pen) grain(r *rand.Rand, light float64) {
	coarse := make([]float64, (Width/16+2)*(Height/16+2))
	for i := range coarse {
		coarse[i] = r.NormFloat64()
	}
	img := p.frame.Image()
	for y := range Height {
		cy, fy := y/16, float64(y%16)/16
		for x := range Width {
			cx, fx := x/16, float64(x%16)/16
			i := cy*(Width/16+2) + cx
			top := coarse[i]*(1-fx) + coarse[i+1]*fx
			bottom := coarse[i+Width/16+2]*(1-fx) + coarse[i+Width/16+3]*fx
			// A vignette of cheap lenses: corners get a tenth less light.
			dx, dy := float64(x)/Width-0.5, float64(y)/Height-0.5
			k := light * (1 - 0.22*(dx*dx+dy*dy))
			v := float64(img.Y[y*Width+x])*k + 2.2*(top*(1-fy)+bottom*fy) + 1.4*r.NormFloat64()
			img.Y[y*Width+x] = byte(min(max(v, darkest), brightest))
		}
	}
}

// house draws one building along a street: its front at x, from z0 to z1,
// away from the street by depth.
type house struct {
	x, z0, z1, depth, height float64
	wall, glass              tone
	shop                     bool
}

func newHouse(r *rand.Rand, x, z0, z1, depth float64) house {
	return house{
		x: x, z0: z0, z1: z1, depth: depth, height: between(r, 7, 19),
		wall:  rgb(pick[uint32](r, 0xcbb89b, 0xb9a58f, 0xa9b1b4, 0xd6cfc0, 0x9f8578, 0xc2c6c4, 0xb7957a, 0xdad5cc)),
		glass: rgb(pick[uint32](r, 0x3b4a57, 0x4a5a63, 0x56646a)),
		shop:  r.IntN(3) > 0,
	}
}

func (p *pen) house(h house, r *rand.Rand) {
	back := h.x + h.depth
	wall := func(a, b vec) []vec {
		return []vec{a, b, b.plus(vec{0, h.height, 0}), a.plus(vec{0, h.height, 0})}
	}
	// The side that looks at the lens, then the front along the street.
	light := 0.72 + 0.3*max(0, -p.sun.z)
	p.poly(h.wall.lit(light), 1, wall(vec{h.x, 0, h.z0}, vec{back, 0, h.z0})...)
	front := 0.74 + 0.34*max(0, math.Copysign(1, -h.depth)*p.sun.x)
	p.poly(h.wall.lit(front), 1, wall(vec{h.x, 0, h.z0}, vec{h.x, 0, h.z1})...)
	pane := func(t tone, z0, z1, y0, y1 float64) {
		p.poly(t, 1, vec{h.x, y0, z0}, vec{h.x, y0, z1}, vec{h.x, y1, z1}, vec{h.x, y1, z0})
	}
	p.poly(h.wall.lit(front*1.12), 1, wallBand(h, h.height-0.35, h.height)...)
	floor := 3.1
	for y := 0.9; y+2 < h.height; y += floor {
		if y < 3 && h.shop {
			continue
		}
		for z := h.z0 + 0.9; z+1.5 < h.z1; z += 2.7 {
			g := h.glass.lit(between(r, 0.8, 1.5))
			pane(h.wall.lit(front*0.8), z-0.1, z+1.6, y-0.1, y+1.65)
			pane(p.window(g), z, z+1.5, y, y+1.5)
			p.glow = 0
			pane(h.wall.lit(front*1.05), z+0.7, z+0.8, y, y+1.5)
			if r.IntN(4) == 0 {
				pane(rgb(0xd4d6d4).lit(front), z+1.65, z+2.35, y-0.3, y+0.2) // air conditioner
			}
		}
	}
	if !h.shop {
		return
	}
	for z := h.z0 + 0.3; z+3 < h.z1; z += 4.2 {
		sign := rgb(pick[uint32](r, 0xb03a35, 0x2e6aa8, 0xc9922e, 0x2f7d58, 0x6b4a8c, 0xd0d0cc))
		pane(p.window(h.glass.lit(between(r, 0.7, 1.3))), z, z+3.6, 0.25, 2.5)
		p.glow = min(p.glow*2, 30)
		pane(sign.lit(front*1.05), z-0.1, z+3.7, 2.55, 3.35)
		p.glow = 0
		for x := z + 0.5; x < z+3; x += 0.8 {
			pane(rgb(0xf0ede4), x, x+0.45, 2.72, 3.15)
		}
		pane(h.wall.lit(front*0.7), z+1.75, z+1.85, 0.25, 2.5)
	}
}

// window returns what a pane of glass looks like: lit from inside in the
// evening, when it also glows.
func (p *pen) window(glass tone) tone {
	if p.evening == nil {
		return glass
	}
	u, warm := p.evening.Float64(), p.evening.Float64()
	if u >= p.lit {
		return glass
	}
	p.glow = byte(6 + 12*warm)
	return rgb(0xe8c98a).toward(rgb(0xdfe6e8), warm*warm)
}

func wallBand(h house, y0, y1 float64) []vec {
	return []vec{{h.x, y0, h.z0}, {h.x, y0, h.z1}, {h.x, y1, h.z1}, {h.x, y1, h.z0}}
}

// tower draws a distant building that faces the lens.
func (p *pen) tower(r *rand.Rand, x, z, width, height float64, haze tone) {
	wall := rgb(pick[uint32](r, 0xa9b0b3, 0xbcb3a6, 0x98a5ae, 0xc0c3c2)).toward(haze, 0.45)
	box := func(t tone, x0, x1, y0, y1 float64) {
		p.poly(t, 1, vec{x0, y0, z}, vec{x1, y0, z}, vec{x1, y1, z}, vec{x0, y1, z})
	}
	box(wall, x, x+width, 0, height)
	for y := 2.0; y+2 < height; y += 3.2 {
		box(wall.lit(0.84), x+0.8, x+width-0.8, y, y+1.5)
		for w := x + 1; p.evening != nil && w+1.5 < x+width; w += 2.4 {
			if t := p.window(wall); p.glow > 0 {
				box(t, w, w+1.4, y, y+1.4)
				p.glow = 0
			}
		}
	}
}

// tree draws a tree's trunk; its crown sways and is drawn with each frame.
func (p *pen) trunk(at vec) {
	p.shadow(at, 1.6, 1.1, 0, 0.35)
	p.post(rgb(0x5b4a3c), at, 3.2, 0.26)
}

// crown draws the leaves of a tree, pushed sideways by sway metres.
func (p *pen) crown(at vec, size, sway float64, leaf tone) {
	blobs := [...][4]float64{
		{0, 3.2, 1.25, 0.70},
		{-0.9, 3.5, 0.95, 0.78},
		{0.9, 3.4, 0.95, 0.82},
		{-0.5, 4.3, 1.0, 0.92},
		{0.55, 4.4, 1.0, 0.98},
		{0, 5.0, 0.85, 1.08},
		{-0.35, 4.7, 0.5, 1.2},
		{0.5, 3.9, 0.45, 1.16},
		{-0.8, 3.8, 0.4, 1.1},
	}
	for i, b := range blobs {
		lean := sway * (b[1] - 2) / 3 * (1 + 0.3*math.Sin(float64(i)*2.1))
		p.disc(leaf.lit(b[3]), 1, at.plus(p.view.right.times(b[0]*size+lean)).plus(vec{0, b[1] * (0.4 + 0.6*size), 0}), b[2]*size, b[2]*size*0.9)
	}
}
