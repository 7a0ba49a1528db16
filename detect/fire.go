package detect

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Fire without a model: flame by colour and flicker (fireflame.go), smoke by
// what rises from a place and is never the same (firesmoke.go). Both work on cells that are laid over a
// zone, each measured at some nine points of the picture.

const (
	fireCells = 1024 // most cells of a zone: 3 bytes each are kept
	firePast  = 4    // looks that are remembered of each
	fireGap   = 15 * time.Minute
	// fireScore is the score from which flame or smoke is to be believed.
	fireScore = 0.5
)

// fireSight is what one look says of fire in a zone.
type fireSight struct {
	// Flame and Smoke are scores 0..1.
	Flame, Smoke float64
	// Boxes are where it burns, the largest first, then where it smokes.
	Boxes []Box
	// Why tells what is believed, in words; empty when nothing is.
	Why Text

	flameBoxes, smokeBoxes []Box
}

// fireMemory is what is remembered of fire in a zone: at most 4 kB.
type fireMemory struct {
	// Place is the grid that the rest belongs to, Last when the newest look was.
	Place [7]int    `json:"place"`
	Last  time.Time `json:"last,omitzero"`

	Flame flameMemory `json:"flame"`
	Smoke smokeMemory `json:"smoke"`
}

// flames watches one zone for flame and smoke. It is not safe for concurrent
// use.
type flames struct {
	fireMemory
	g fireGrid
	// light is the newest look's, "" before the first.
	light Light
}

// newFlames returns a watch over the pixels of area, which is of a w × h
// plane, in pictures of width × height.
func newFlames(area bitmap, w, h, width, height int) *flames {
	f := &flames{g: newFireGrid(area, w, h, width, height)}
	f.forget()
	return f
}

// forget starts anew.
func (f *flames) forget() { f.fireMemory = fireMemory{Place: f.g.place()} }

// restore takes over a memory of the same zone and picture size, and tells
// whether it was one.
func (f *flames) restore(m fireMemory) bool {
	n := f.g.cols * f.g.rows
	if m.Place != f.g.place() || !m.Flame.fits(n) || !m.Smoke.fits(n, f.g.puffs()) {
		return false
	}
	f.fireMemory = m
	return true
}

// look judges one masked picture of the size that newFlames was told. now is
// its receive time; looks may be 1 to 60 s apart. Flame is believed after four
// looks at the earliest, and only where it is alight, smoke after seven and 20 s,
// above a flame 8 s.
func (f *flames) look(p Picture, now time.Time, alight func(Box) bool) fireSight {
	n := f.g.cols * f.g.rows
	if n == 0 || p.Y.Width != f.g.width || p.Y.Height != f.g.height {
		return fireSight{}
	}
	dt := now.Sub(f.Last)
	if dt > fireGap || dt < 0 {
		f.forget()
	}
	f.Last = now
	s, _ := fireScratches.Get().(*fireScratch)
	defer fireScratches.Put(s)
	s.cells, s.pale = slices.Grow(s.cells[:0], n)[:n], f.light == LightInfrared
	f.g.measure(s, p, f.Flame.Cast)
	if f.Flame.Looks == 0 { // in the light of the scene's cast, like all that follow
		f.Flame.follow(&f.g, s.cells, 0)
		f.g.measure(s, p, f.Flame.Cast)
	}
	b := f.Flame.look(&f.g, s, now, dt, alight)
	s.flame = extent{}
	if at := f.Flame.Boxes; len(at) > 0 {
		s.flame = f.g.extent(at[0])
	}
	v := f.Smoke.look(&f.g, s, f.Flame.Cast, now, dt)
	return fireSight{
		Flame: b.score, Smoke: v.score, Boxes: slices.Concat(b.boxes, v.boxes), Why: explainFire(b, v),
		flameBoxes: b.boxes, smokeBoxes: v.boxes,
	}
}

// withWitness joins what was seen with what a classifier says of the same
// picture, fire 0..1. A classifier takes neon at night for fire, so it only
// tips a doubtful flame: it makes none of nothing, and what is certain stays.
func (s fireSight) withWitness(fire float64) fireSight {
	s.Flame += (2*max(0, min(fire, 1)) - 1) * s.Flame * (1 - s.Flame)
	if s.Flame < fireScore && s.Smoke < fireScore {
		s.Why = Text{}
	}
	return s
}

// doubtful tells whether a witness could make any difference to what is
// believed.
func (s fireSight) doubtful() bool {
	return s.withWitness(1).Flame >= fireScore && s.withWitness(0).Flame < fireScore
}

// sureOf is the highest score of a class, 0 where it was not seen.
func sureOf(all []Detection, class string) float64 {
	sure := 0.0
	for _, d := range all {
		if d.Class == class {
			sure = max(sure, d.Score)
		}
	}
	return sure
}

// fireGrid lays cells over a zone.
type fireGrid struct {
	// x0 and y0 are where it begins and side how wide a cell is, in chroma samples.
	x0, y0, side, cols, rows int
	width, height            int // of the picture, in luma pixels
	in                       [fireCells / 64]uint64
}

func newFireGrid(area bitmap, w, h, width, height int) fireGrid {
	x0, y0, x1, y1 := w, h, 0, 0
	for y := range h {
		if area.none(y*w, (y+1)*w) {
			continue
		}
		y0, y1 = min(y0, y), y+1
		for x := range w {
			if area.has(y*w + x) {
				x0, x1 = min(x0, x), max(x1, x+1)
			}
		}
	}
	g := fireGrid{width: width, height: height}
	if x1 <= x0 {
		return g
	}
	cw, ch := (width+1)/2, (height+1)/2
	g.x0, g.y0 = x0*cw/w, y0*ch/h
	bw, bh := x1*cw/w-g.x0, y1*ch/h-g.y0
	g.side = max(2, int(math.Ceil(math.Sqrt(float64(bw*bh)/fireCells))))
	g.cols, g.rows = bw/g.side, bh/g.side
	for i := range g.cols * g.rows {
		x, y := g.x0+i%g.cols*g.side+g.side/2, g.y0+i/g.cols*g.side+g.side/2
		if area.has(y*h/ch*w + x*w/cw) {
			g.in[i/64] |= 1 << (i % 64)
		}
	}
	return g
}

func (g *fireGrid) place() [7]int {
	return [7]int{g.x0, g.y0, g.side, g.cols, g.rows, g.width, g.height}
}

// has tells whether a cell lies in the zone.
func (g *fireGrid) has(i int) bool { return g.in[i/64]&(1<<(i%64)) != 0 }

// near calls do for the cells within reach of cell i, itself included.
func (g *fireGrid) near(i, reach int, do func(o int)) { around(i, reach, g.cols, g.rows, do) }

func around(i, reach, cols, rows int, do func(o int)) {
	x, y := i%cols, i/cols
	for ny := max(0, y-reach); ny <= min(y+reach, rows-1); ny++ {
		for nx := max(0, x-reach); nx <= min(x+reach, cols-1); nx++ {
			do(ny*cols + nx)
		}
	}
}

// extent is a rectangle of cells that grows.
type extent struct{ x0, y0, x1, y1 int }

func (e *extent) add(i, cols int) {
	x, y := i%cols, i/cols
	if e.x1 == 0 {
		*e = extent{x, y, x + 1, y + 1}
	}
	e.x0, e.y0, e.x1, e.y1 = min(e.x0, x), min(e.y0, y), max(e.x1, x+1), max(e.y1, y+1)
}

// box returns an extent of squares of so many cells as shares of the picture.
func (g *fireGrid) box(e extent, cells int) Box {
	side := g.side * cells
	return boxOf(g.x0+e.x0*side, g.y0+e.y0*side, (e.x1-e.x0)*side, (e.y1-e.y0)*side, (g.width+1)/2, (g.height+1)/2)
}

// extent returns the cells of a box that box made of them.
func (g *fireGrid) extent(b Box) extent {
	cell := func(share float64, of, from int) int {
		return int(math.Round((share*float64((of+1)/2) - float64(from)) / float64(g.side)))
	}
	return extent{cell(b.X, g.width, g.x0), cell(b.Y, g.height, g.y0), cell(b.X+b.W, g.width, g.x0), cell(b.Y+b.H, g.height, g.y0)}
}

// cell is what one look measures in a cell. All is full range, whatever the
// picture's.
type cell struct {
	luma, tint float32 // means of luma above black and of Cr − Cb
	heat       uint8   // 0..15
	glows      bool    // it has been hot in one of the last looks
	flame      flamePoints
}

// fireScratch is working memory for one look; the looks of all zones share it.
type fireScratch struct {
	cells []cell
	// apart is by how much cells differ from clear sight, puffs the same in
	// squares of them, both but for what the flame lights; calm tells whether the
	// light is that of the two looks before, and plume is the label of what looks
	// most like smoke. flame is the largest, empty where there is none.
	apart []float32
	puffs []puff
	calm  bool
	plume int16
	flame extent
	// pale: the picture has no colours, as in infrared.
	pale bool

	label [fireCells]int16
	stack []int
}

var fireScratches = sync.Pool{New: func() any { return new(fireScratch) }}

// measure reads the picture. cast is the scene's Cr − Cb.
func (g *fireGrid) measure(s *fireScratch, p Picture, cast float64) {
	cells := s.cells
	clear(cells)
	step := (g.side + 2) / 3 // between a cell's points, in chroma samples
	black, scaleY, scaleC := 16, 255*256/219, 255*256/224
	if p.FullRange {
		black, scaleY, scaleC = 0, 256, 256
	}
	// What the picture's own values must be to be worth a closer look.
	tint := int(math.Round(cast))
	least, bright := (flameTint+tint)*256/scaleC, coreLuma*256/scaleY+black
	var luma, cb, cr [3][]byte // the rows of a cell's points, of which it has three at most
	for row := range g.rows {
		n := 0
		for dy := 0; dy < g.side; dy += step {
			y := g.y0 + row*g.side + dy
			luma[n], cb[n], cr[n] = p.Y.Row(2*y), p.Cb.Row(y), p.Cr.Row(y)
			n++
		}
		for col := range g.cols {
			i := row*g.cols + col
			if !g.has(i) {
				continue
			}
			c := &cells[i]
			x0, x1 := g.x0+col*g.side, g.x0+(col+1)*g.side
			var sumY, sumD int
			for k := range n {
				luma, cb, cr := luma[k], cb[k][:x1], cr[k][:x1]
				for x := x0; x < x1; x += step {
					y, b, r := int(luma[2*x]), int(cb[x]), int(cr[x])
					sumY, sumD = sumY+y, sumD+r-b
					if r-b >= least || y >= bright {
						c.flame.add((y-black)*scaleY>>8, 128+(b-128)*scaleC>>8, 128+(r-128)*scaleC>>8, tint, s.pale)
					}
				}
			}
			c.luma, c.tint = float32(sumY), float32(sumD)
		}
	}
	a := (g.side + step - 1) / step
	points := a * a
	for i := range cells {
		if !g.has(i) {
			continue
		}
		c := &cells[i]
		c.luma = (c.luma/float32(points) - float32(black)) * float32(scaleY) / 256
		c.tint = c.tint / float32(points) * float32(scaleC) / 256
		c.heat = g.heat(cells, i, points, s.pale)
	}
}

// sustain lets a score rise over two looks and fall over three: one look
// neither makes a fire nor puts it out.
func sustain(before, score float64) float64 {
	rate := 0.55
	if score < before {
		rate = 0.35
	}
	return before + (score-before)*rate
}

// ramp is 0 up to from, 1 from to on, and linear between them.
func ramp(v, from, to float64) float64 { return max(0, min((v-from)/(to-from), 1)) }

// share01 tells whether all of some numbers lie within 0..1.
func share01(all ...float64) bool {
	return !slices.ContainsFunc(all, func(v float64) bool { return !(v >= 0 && v <= 1) })
}

func boxesFit(all []Box) bool {
	return !slices.ContainsFunc(all, func(b Box) bool { return !share01(b.X, b.Y, b.W, b.H) })
}
