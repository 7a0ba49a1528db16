package scene

import (
	"math"
	"math/rand/v2"
	"sync"
)

// Painter draws the frames of a scene. It is not safe for concurrent use.
type Painter struct {
	scene   *Scene
	pen     pen
	still   *Frame // what never moves
	gop     *Frame // the same in the light of the current GOP
	current gopKey
	before  []byte
	noise   []byte
	hush    []byte // the noise of a sensor in the dark
	smear   tone
	trees   []vec
	leaf    tone
	random  *rand.Rand
	passers []passer
	stage   *Stage // of the kinds that are staged
}

type gopKey struct {
	take Take
	gop  int
}

// passer is somebody or something that passes outside the zones within one GOP.
type passer struct {
	car   carLook
	who   personLook
	way   float64
	begin float64 // seconds into the GOP
	row   float64
	bike  bool
}

// NewPainter draws what never moves in a scene.
func (s *Scene) NewPainter() *Painter {
	if s.staged != nil {
		return s.newStagedPainter()
	}
	still, w, before := s.backdrop()
	r := s.random(2)
	p := &Painter{
		scene: s, pen: pen{view: s.view, sun: w.sun}, still: still, gop: NewFrame(), before: before, random: s.random(3),
		leaf: rgb(pick[uint32](r, 0x4c6b39, 0x5a7440, 0x6d7a38, 0x48653f)), smear: smears(r),
	}
	p.pen.frame = still
	if s.kind == Street {
		p.trees = []vec{{s.street.roadRight + 1.4, 0, between(r, 20, 26)}, {s.street.roadRight + 1.4, 0, between(r, 12, 16)}}
	} else {
		side := pick(r, -1.0, 1.0)
		p.trees = []vec{{side * (s.gate.half + between(r, 3, 4.5)), 0, between(r, 19, 24)}}
	}
	for _, t := range p.trees {
		p.pen.trunk(t)
	}
	p.noise, p.hush = sensorNoise()
	return p
}

// sensorNoise makes the noise that all scenes share, for a plane and a half:
// fine grain that an encoder mostly drops, on soft patches that it keeps. For
// every frame it begins at another offset. The noise of the dark is never
// negative.
var sensorNoise = sync.OnceValues(func() (bright, dark []byte) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = pixels * 3 / 2
	bright, dark = make([]byte, n), make([]byte, n)
	patch := make([]float64, Width/8)
	for i := range n {
		x := i % Width
		if x == 0 && i/Width%8 == 0 {
			for j := range patch {
				patch[j] = r.NormFloat64() * 0.9
			}
		}
		// The sum of uniform numbers is nearly normal, and bounded.
		fine := float64(r.Uint32()&7+r.Uint32()&7)/2 - 3.5
		bright[i] = byte(int8(math.Round(min(max(0.55*fine+patch[x/8], -9), 9))))
		dark[i] = byte(int8(min(math.Abs(fine), 6)))
	}
	return bright, dark
})

// Draw draws one frame of a GOP of a take onto f, whole.
func (p *Painter) Draw(f *Frame, t Take, gop, frame int) {
	if p.stage != nil {
		p.drawStaged(f, t, gop, frame)
		return
	}
	if key := (gopKey{t, gop}); p.current != key {
		p.light(key)
	}
	copy(f.Pix, p.gop.Pix)
	p.pen.frame = f
	noise := p.noise
	switch t {
	case Dark:
		noise = p.hush
	case Covered:
	default:
		p.move(t, gop, frame)
	}
	offset := p.random.IntN(pixels/2) &^ 7
	addNoise(f.Pix[:pixels], noise[offset:offset+pixels])
}

// light draws the still part of a GOP: its light flickers a little from GOP
// to GOP, so that no two key units are the same.
func (p *Painter) light(key gopKey) {
	p.current = key
	p.passers = nil
	r := p.scene.random(100 + uint64(key.gop)*16 + uint64(len(key.take))*1000) //nolint:gosec // small numbers
	gain := 1 + between(r, -0.015, 0.015)
	luma := func(y byte) float64 { return min(max(float64(y)*gain, darkest), brightest) }
	chroma := 1.0
	switch key.take {
	case Dark:
		luma = func(y byte) float64 { return 1.5 + float64(y)*0.008*gain }
		chroma = 0.05
	case Covered:
		p.cover(r)
		return
	default:
		p.passers = p.newPassers(r, key)
	}
	var table [256]byte
	for i := range table {
		table[i] = byte(luma(byte(i)))
	}
	for i, y := range p.still.Pix[:pixels] {
		p.gop.Pix[i] = table[y]
	}
	for i, c := range p.still.Pix[pixels:] {
		p.gop.Pix[pixels+i] = byte(128 + (float64(c)-128)*chroma)
	}
}

// cover draws something that hangs right before the lens: flat, out of focus,
// a little lighter where light gets around it.
func (p *Painter) cover(r *rand.Rand) {
	img := p.gop.Image()
	cx, cy, gain := between(r, 0.2, 0.3), between(r, 0.1, 0.2), between(r, 0.97, 1.03)
	for y := range Height {
		for x := range Width {
			dx, dy := float64(x)/Width-cx, float64(y)/Height-cy
			img.Y[y*Width+x] = byte(min(max(float64(p.smear.y)*gain*(1.18-0.3*math.Sqrt(dx*dx+dy*dy)), 16), 235))
		}
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = p.smear.cb, p.smear.cr
	}
}

// newPassers chooses who passes in a GOP: sometimes nobody.
func (p *Painter) newPassers(r *rand.Rand, key gopKey) []passer {
	if r.IntN(5) < 2 {
		return nil
	}
	a := passer{
		car: newCarLook(r), who: newPersonLook(r), way: pick(r, -1.0, 1.0), begin: between(r, 0, 0.12),
		row: between(r, -0.2, 0.2), bike: r.IntN(2) == 0,
	}
	if p.scene.kind == Street && (key.take == Arrive || key.take == Leave) {
		a.way = 1 // the other lane, away from the happening
	}
	return []passer{a}
}

// move draws what moves: trees, those who pass, and the happening.
func (p *Painter) move(t Take, gop, frame int) {
	seconds := float64(frame) / FrameRate
	total := float64(gop*GOPFrames + frame)
	swing := math.Sin(math.Pi*seconds) * (0.10 + 0.02*float64(gop%3))
	crowns := func() {
		for i, at := range p.trees {
			p.pen.crown(at, 0.95, swing*(1-0.3*float64(i)), p.leaf)
		}
	}
	if p.scene.kind == Street {
		s := p.scene.street
		for _, a := range p.passers {
			p.drivePast(s, a, seconds)
		}
		if at, heading, shown := s.carAt(t, total); shown && t != Quiet {
			p.pen.car(s.car, at, heading, 1)
		}
		crowns()
		return
	}
	crowns()
	g := p.scene.gate
	if t != Quiet {
		at := g.personAt(t, total, gop)
		p.pen.before = nil
		if at.z > g.fence {
			p.pen.before = p.before
		}
		swing := 1.0
		if t == Stay {
			swing = 0.55
		}
		p.pen.person(g.who, at, total*2*math.Pi/10, swing)
		p.pen.before = nil
	}
	for _, a := range p.passers {
		p.goPast(a, seconds)
	}
}

// drivePast draws a car on the lanes beside the fire lane.
func (p *Painter) drivePast(s street, a passer, seconds float64) {
	const crossing = 1.85 // seconds
	k := (seconds - a.begin) / crossing
	if k < 0 || k > 1 {
		return
	}
	width := s.roadRight - s.laneRight
	far, nearest := s.far-10, 1.0
	x, z, heading := s.laneRight+width*0.27, far+(nearest-far)*k, math.Pi
	if a.way > 0 {
		x, z, heading = s.laneRight+width*0.75, nearest+(far-nearest)*k, 0
	}
	shown := 1.0
	if z > far-5 {
		shown = max(0.1, (far-z)/5)
	}
	p.pen.car(a.car, vec{x + a.row, 0, z}, heading, shown)
}

// goPast draws a cyclist on the pavement or a car on the road before a gate.
func (p *Painter) goPast(a passer, seconds float64) {
	const crossing = 1.85 // seconds
	k := (seconds - a.begin) / crossing
	if k < 0 || k > 1 {
		return
	}
	if a.bike {
		p.pen.cyclist(a.who, vec{a.way * (-8.5 + 17*k), 0, 8.9 + a.row}, a.way, seconds*7)
		return
	}
	z := 7.2
	if a.way > 0 {
		z = 4.9
	}
	p.pen.car(a.car, vec{a.way * (-10 + 20*k), 0, z + a.row}, a.way*math.Pi/2, 1)
}
