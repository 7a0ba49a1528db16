package scene

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// pen draws things of a scene on a frame.
type pen struct {
	brush
	view  view
	frame *Frame
	sun   vec // where the light comes from, of length 1
	// cloudy is how much of the shadows clouds take away, 0..1.
	cloudy float64
	// evening, on stages whose light changes, chooses the lit windows: those
	// below lit.
	evening *rand.Rand
	lit     float64
	// headlights are on, and light the ground in beams; flares are the lamps
	// that shine at the lens.
	headlights bool
	beams      []byte
	flares     []flare
}

// poly draws a flat polygon of the scene.
func (p *pen) poly(t tone, opacity float64, corners ...vec) {
	p.paint(p.frame, p.view.project(corners...), t, opacity)
}

// ground draws a rectangle on the ground.
func (p *pen) ground(t tone, opacity, x0, x1, z0, z1 float64) {
	p.poly(t, opacity, vec{x0, 0, z0}, vec{x1, 0, z0}, vec{x1, 0, z1}, vec{x0, 0, z1})
}

// line draws a stripe of a width on the ground.
func (p *pen) line(t tone, opacity, width float64, a, b vec) {
	d := b.minus(a)
	n := vec{-d.z, 0, d.x}.times(width / 2 / math.Max(math.Hypot(d.x, d.z), 1e-9))
	p.poly(t, opacity, a.plus(n), b.plus(n), b.minus(n), a.minus(n))
}

// post draws an upright pole as a flat strip that faces the lens.
func (p *pen) post(t tone, foot vec, height, width float64) {
	r := p.view.right.times(width / 2)
	top := foot.plus(vec{0, height, 0})
	p.poly(t, 1, foot.minus(r), foot.plus(r), top.plus(r), top.minus(r))
}

// disc draws a round polygon that faces the lens.
func (p *pen) disc(t tone, opacity float64, at vec, rx, ry float64) {
	if p.view.depth(at) < near {
		return
	}
	c := p.view.pixel(at)
	k := p.view.focal / p.view.depth(at)
	const n = 14
	pts := make([]point, n)
	for i := range pts {
		s, cs := math.Sincos(2 * math.Pi * float64(i) / n)
		pts[i] = point{c.x + rx*k*cs, c.y + ry*k*s}
	}
	p.paint(p.frame, pts, t, opacity)
}

// shadow draws a soft dark oval on the ground.
func (p *pen) shadow(at vec, rx, rz, heading, strength float64) {
	sh, ch := math.Sincos(heading)
	for i, grow := range []float64{1.25, 1.05, 0.85} {
		const n = 16
		pts := make([]vec, n)
		for j := range pts {
			s, c := math.Sincos(2 * math.Pi * float64(j) / n)
			x, z := rx*grow*c, rz*grow*s
			pts[j] = at.plus(vec{x*ch + z*sh, 0, z*ch - x*sh})
		}
		p.poly(rgb(0x14161a), strength*(0.4+0.15*float64(i))*(1-p.cloudy), pts...)
	}
}

// face is one flat side of a solid.
type face struct {
	tone    tone
	corners []vec
}

// solid draws the sides of a solid that show, far ones first, each as bright
// as the sun makes it.
func (p *pen) solid(faces []face) {
	slices.SortStableFunc(faces, func(a, b face) int {
		return cmp.Compare(p.view.depth(centre(b.corners)), p.view.depth(centre(a.corners)))
	})
	for _, f := range faces {
		c := f.corners
		if !p.view.faces(c[0], c[1], c[2]) {
			continue
		}
		n := c[1].minus(c[0]).cross(c[2].minus(c[0]))
		n = n.times(1 / math.Max(math.Sqrt(n.dot(n)), 1e-9))
		p.poly(f.tone.lit(0.68+0.40*max(0, n.dot(p.sun))), 1, c...)
	}
}

func centre(poly []vec) vec {
	var sum vec
	for _, v := range poly {
		sum = sum.plus(v)
	}
	return sum.times(1 / float64(len(poly)))
}

// frustum returns the sides of a box whose top may be smaller than its
// bottom, with the given places turned into the scene by to.
func frustum(to func(x, y, z float64) vec, x, y0, y1, z0, z1, topX, topZ0, topZ1 float64, side, top tone) []face {
	b := [4]vec{to(-x, y0, z0), to(x, y0, z0), to(x, y0, z1), to(-x, y0, z1)}
	t := [4]vec{to(-topX, y1, topZ0), to(topX, y1, topZ0), to(topX, y1, topZ1), to(-topX, y1, topZ1)}
	faces := []face{{top, []vec{t[0], t[3], t[2], t[1]}}}
	for i := range 4 {
		j := (i + 1) % 4
		faces = append(faces, face{side, []vec{b[i], t[i], t[j], b[j]}})
	}
	return faces
}

// carLook is what a car looks like. It is made up, never a real one's.
type carLook struct {
	paint               tone
	length, width, roof float64
	van                 bool
}

func newCarLook(r *rand.Rand) carLook {
	return carLook{
		paint:  rgb(pick[uint32](r, 0xd9dcdf, 0x9aa0a6, 0x2c3036, 0x7d1f22, 0x23466e, 0xe8e6de, 0x5a6a5f, 0xb98a3a)),
		length: between(r, 4.1, 4.9), width: between(r, 1.72, 1.86), roof: between(r, 1.42, 1.55), van: r.IntN(4) == 0,
	}
}

// car draws a car; heading 0 drives toward +z.
func (p *pen) car(c carLook, at vec, heading, opacity float64) {
	if opacity < 1 {
		// Far away, coming out of the haze.
		p.poly(c.paint, opacity, at.plus(vec{-c.width / 2, 0.2, 0}), at.plus(vec{c.width / 2, 0.2, 0}),
			at.plus(vec{c.width / 2, 1.4, 0}), at.plus(vec{-c.width / 2, 1.4, 0}))
		return
	}
	sh, ch := math.Sincos(heading)
	to := func(x, y, z float64) vec { return at.plus(vec{x*ch + z*sh, y, z*ch - x*sh}) }
	half, w := c.length/2, c.width/2
	p.shadow(at.plus(vec{-p.sun.x * 0.4, 0, -p.sun.z * 0.4}), w*1.12, half*1.05, heading, 0.5)
	tyre := rgb(0x15171a)
	for _, z := range []float64{-0.58 * half, 0.62 * half} {
		for _, x := range []float64{-w - 0.01, w + 0.01} {
			const n = 12
			pts := make([]vec, n)
			for i := range pts {
				s, cs := math.Sincos(2 * math.Pi * float64(i) / n)
				pts[i] = to(x, 0.33+0.33*s, z+0.33*cs)
			}
			p.poly(tyre, 1, pts...)
		}
	}
	p.solid(frustum(to, w, 0.22, 0.86, -half, half, w*0.97, -half*0.97, half*0.96, c.paint, c.paint.lit(1.06)))
	roof, glass := c.roof, rgb(0x2a343d)
	front, rear := 0.42*half, -0.72*half
	if c.van {
		roof, front, rear = 1.95, 0.72*half, -0.95*half
	}
	p.solid(frustum(to, w*0.93, 0.85, roof, rear, front, w*0.78, rear+0.35, front-0.65, glass, c.paint.lit(1.1)))
	p.lamps(to, w*0.66, half)
}

// lamps draws the lamps at both ends of a car, and their light.
func (p *pen) lamps(to func(x, y, z float64) vec, x, half float64) {
	for _, x := range []float64{-x, x} {
		if p.headlights {
			p.glow = 230
		}
		p.lamp(to, x, half, rgb(0xf6f2dd), 1)
		p.glow = min(p.glow, 70)
		p.lamp(to, x, -half, rgb(0xa32020), -1)
		p.glow = 0
	}
	if p.headlights {
		for i := range 7 {
			reach := 4 + 2.2*float64(i)
			wide := 1 + reach*0.13
			p.shine(p.beams, byte(17-2*i), to(-wide, 0, half+reach), to(-0.8, 0, half+0.8), to(0.8, 0, half+0.8), to(wide, 0, half+reach))
		}
	}
}

// lamp draws a car's lamp at one end if that end shows.
func (p *pen) lamp(to func(x, y, z float64) vec, x, z float64, t tone, way float64) {
	a, b, c, d := to(x-0.2*way, 0.55, z), to(x-0.2*way, 0.72, z*0.985), to(x+0.2*way, 0.72, z*0.985), to(x+0.2*way, 0.55, z)
	if p.view.faces(a, b, c) != p.view.faces(a, c, b) && p.view.faces(d, c, b) {
		p.poly(t, 1, a, b, c, d)
		if p.headlights && p.view.depth(b) > near {
			p.flares = append(p.flares, flare{at: b.toward(d, 0.5), warm: way < 0})
		}
	}
}

// personLook is what a person looks like: clothes without a face.
type personLook struct {
	coat, trousers, hair, skin tone
	height                     float64
}

func newPersonLook(r *rand.Rand) personLook {
	return personLook{
		coat:     rgb(pick[uint32](r, 0xb4262a, 0x1f4fa3, 0x2b2d33, 0xd8c04a, 0xe6e6e4, 0x3d7a4e, 0xc96f2b)),
		trousers: rgb(pick[uint32](r, 0x22262e, 0x3b3a36, 0x2c3b57, 0x5b5347)),
		hair:     rgb(0x1d1a19), skin: rgb(0xc79b7c), height: between(r, 1.62, 1.82),
	}
}

// person draws a walking person; step is where in the stride, in radians, and
// swing 0 stands still.
func (p *pen) person(who personLook, at vec, step, swing float64) {
	h := who.height
	p.shadow(at.plus(vec{-p.sun.x * 0.25, 0, -p.sun.z * 0.25}), 0.34, 0.30, 0, 0.45)
	r := p.view.right
	limb := func(t tone, a, b vec, wa, wb float64) {
		p.poly(t, 1, a.minus(r.times(wa)), a.plus(r.times(wa)), b.plus(r.times(wb)), b.minus(r.times(wb)))
	}
	up := func(x, y float64) vec { return at.plus(r.times(x)).plus(vec{0, y, 0}) }
	s := math.Sin(step) * swing
	limb(who.trousers.lit(0.85), up(-0.08+0.22*s, 0), up(-0.07, h*0.48), 0.07, 0.10)
	limb(who.trousers, up(0.08-0.22*s, 0), up(0.07, h*0.48), 0.07, 0.10)
	limb(who.coat.lit(0.8), up(-0.20-0.16*s, h*0.46), up(-0.19, h*0.80), 0.045, 0.06)
	limb(who.coat, up(0, h*0.45), up(0, h*0.83), 0.17, 0.21)
	limb(who.coat.lit(0.88), up(0.20+0.16*s, h*0.46), up(0.19, h*0.80), 0.045, 0.06)
	p.disc(who.skin, 1, up(0, h*0.905), 0.095, 0.125)
	p.disc(who.hair, 1, up(0, h*0.935), 0.10, 0.105)
}

// cyclist draws a person on a bicycle that rides along x, toward +x when way is 1.
func (p *pen) cyclist(who personLook, at vec, way, step float64) {
	for _, x := range []float64{-0.52, 0.52} {
		hub := at.plus(vec{x, 0.34, 0})
		p.disc(rgb(0x1a1b1e), 1, hub, 0.34, 0.34)
		p.disc(rgb(0x8a8d8f), 0.8, hub, 0.27, 0.27)
	}
	frame := rgb(0x3a4652)
	bar := func(a, b vec, w float64, t tone) {
		n := vec{0, w, 0}
		p.poly(t, 1, a.plus(n), b.plus(n), b.minus(n), a.minus(n))
	}
	seat := at.plus(vec{-0.15 * way, 0.85, 0})
	bar(at.plus(vec{-0.52 * way, 0.34, 0}), at.plus(vec{0.4 * way, 0.85, 0}), 0.04, frame)
	s, c := math.Sincos(step)
	foot := at.plus(vec{0.05*way + 0.15*c, 0.34 + 0.15*s, 0})
	side := vec{0.09, 0, 0}
	p.poly(who.trousers, 1, foot.minus(side.times(0.6)), foot.plus(side.times(0.6)), seat.plus(side), seat.minus(side))
	chest := seat.plus(vec{0.22 * way, 0.55, 0})
	p.poly(who.coat, 1, seat.minus(side.times(1.6)), seat.plus(side.times(1.6)), chest.plus(side.times(1.9)), chest.minus(side.times(1.9)))
	bar(chest, at.plus(vec{0.42 * way, 1.0, 0}), 0.05, who.coat.lit(0.85))
	head := chest.plus(vec{0.08 * way, 0.2, 0})
	p.disc(who.skin, 1, head, 0.1, 0.125)
	p.disc(who.hair, 1, head.plus(vec{0, 0.04, 0}), 0.105, 0.1)
}
