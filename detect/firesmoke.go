package detect

import (
	"math"
	"slices"
	"time"
)

// Smoke is seen by what it takes from the scene behind it (Koschmieder's law):
// luma = a × luma in clear sight + (1 − a) × airlight, with the same a and
// airlight all over some cells. A shadow or another exposure scales luma
// without any airlight, glare adds light without taking contrast, and
// something that stands in front shows another pattern, or none at all. Smoke
// spreads over cells, thicker here than there, another way in each look, and
// it lasts; fog lies on everything and hardly stirs, dust has a colour, and
// steam is gone soon.

const (
	veilPitch   = 3 // cells between the centres of two veil cells
	veilReach   = 2 // cells around its centre that a veil cell takes in
	veilFewest  = 12
	veilTexture = 4   // luma deviation without which a veil cell tells nothing
	veilMatch   = 0.7 // correlation of a pattern with itself behind a veil
	veilLoss    = 0.2 // contrast that the thinnest veil takes
	veilLight   = 50  // luma of the darkest airlight
	veilFlat    = 0.3 // variance that is left of a pattern that is gone
	clearTime   = 3 * time.Minute
	otherTime   = 15 * time.Minute
	smokeLasts  = 30 * time.Second
	smokeLearn  = 6 // looks whose mean is the first clear sight
)

// smokeMemory is what is remembered of smoke in a zone.
type smokeMemory struct {
	// Clear is each cell's luma in clear sight; Tint is each veil cell's Cr − Cb
	// there, over 128, and Loss the contrast that the newest look missed, 0..255.
	Clear []byte `json:"clear,omitempty"`
	Tint  []byte `json:"tint,omitempty"`
	Loss  []byte `json:"loss,omitempty"`
	// Looks counts the first ones.
	Looks int `json:"looks,omitempty"`
	// Dither is added before a mean is cut to a byte, else it would stick.
	Dither float64 `json:"dither,omitempty"`
	// Score is the newest one, Since when the veil was seen first.
	Score float64   `json:"score,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Boxes are where it was seen last, Share and Pale what it took then.
	Boxes []Box   `json:"boxes,omitempty"`
	Share float64 `json:"share,omitempty"`
	Pale  float64 `json:"pale,omitempty"`
}

func (m *smokeMemory) fits(cells, veils int) bool {
	none := m.Looks == 0 && len(m.Clear) == 0 && len(m.Tint) == 0 && len(m.Loss) == 0
	all := m.Looks > 0 && m.Looks <= smokeLearn && len(m.Clear) == cells && len(m.Tint) == veils && len(m.Loss) == veils
	return (none || all) && share01(m.Score, m.Dither, m.Share, m.Pale) &&
		len(m.Boxes) <= 1 && boxesFit(m.Boxes)
}

// veils returns how many veil cells a grid has, veilCols how many in a row.
func (g *fireGrid) veils() int    { return g.veilCols() * (g.rows / veilPitch) }
func (g *fireGrid) veilCols() int { return g.cols / veilPitch }

// veilKind is how a veil cell compares with its clear sight.
type veilKind uint8

const (
	veilBlind veilKind = iota // too little texture to tell
	veilNone                  // as it was, or in another light
	veilThin                  // its pattern is there, paler
	veilThick                 // its pattern is gone, and nothing came instead
	veilOther                 // it shows something else
)

type veilCell struct {
	kind veilKind
	// loss is the contrast that is missing, 0..1; tint is Cr − Cb now, odd by
	// how much that is more than to be expected behind a grey veil.
	loss, tint, odd float64
}

// veiled is what the looks so far say of smoke.
type veiled struct {
	score float64
	boxes []Box
	// share is of the zone's veil cells with texture, loss the mean of what
	// they miss.
	share, loss float64
	held        time.Duration
}

// look takes one look into account.
func (m *smokeMemory) look(g *fireGrid, s *fireScratch, now time.Time, dt time.Duration) veiled {
	n := g.veils()
	if n == 0 {
		return veiled{}
	}
	s.veils = slices.Grow(s.veils[:0], n)[:n]
	if m.Looks == 0 {
		m.Clear, m.Tint, m.Loss = make([]byte, len(s.cells)), make([]byte, n), make([]byte, n)
	}
	for i := range s.veils {
		s.veils[i] = m.compare(g, s.cells, i)
	}
	var out veiled
	if m.Looks == smokeLearn {
		out = m.judge(g, s, now)
	}
	m.follow(g, s, dt)
	return out
}

// compare fits what a veil cell shows as a × clear + b.
func (m *smokeMemory) compare(g *fireGrid, cells []cell, i int) veilCell {
	var c veilCell
	var n, sx, sy, sxx, syy, sxy float64
	cols := g.veilCols()
	x0, y0 := i%cols*veilPitch+veilPitch/2, i/cols*veilPitch+veilPitch/2
	for row := max(0, y0-veilReach); row <= min(y0+veilReach, g.rows-1); row++ {
		for col := max(0, x0-veilReach); col <= min(x0+veilReach, g.cols-1); col++ {
			o := row*g.cols + col
			if !g.has(o) {
				continue
			}
			x, y := float64(m.Clear[o]), float64(cells[o].luma)
			n, sx, sy, sxx, syy, sxy = n+1, sx+x, sy+y, sxx+x*x, syy+y*y, sxy+x*y
			c.tint += float64(cells[o].tint)
		}
	}
	c.tint /= max(1, n)
	mx, my := sx/max(1, n), sy/max(1, n)
	vx, vy, cov := sxx/max(1, n)-mx*mx, syy/max(1, n)-my*my, sxy/max(1, n)-mx*my
	if n < veilFewest || vx < veilTexture*veilTexture {
		return c
	}
	a := cov / vx
	loss := max(0, min(1-a, 1))
	airlight := (my - a*mx) / max(0.05, 1-a)
	switch {
	case cov > 0 && cov*cov >= veilMatch*veilMatch*vx*vy:
		c.kind = veilNone
		if loss >= veilLoss && airlight >= veilLight {
			c.kind, c.loss = veilThin, loss
		}
	case vy < veilFlat*vx && my >= veilLight:
		c.kind, c.loss = veilThick, loss
	default:
		c.kind = veilOther
	}
	c.odd = c.tint - (float64(m.Tint[i])-128)*(1-c.loss)
	return c
}

// judge finds the largest veil that looks like smoke.
func (m *smokeMemory) judge(g *fireGrid, s *fireScratch, now time.Time) veiled {
	cols := g.veilCols()
	rows := len(s.veils) / cols
	texture := 0
	for i, c := range s.veils {
		s.label[i] = 0
		if c.kind != veilBlind {
			texture++
		}
	}
	best := 0.0
	for i, c := range s.veils {
		if c.kind != veilThin || s.label[i] != 0 {
			continue
		}
		v := veil{texture: texture}
		mark := int16(i + 1) // what something else shows may lie beside several veils
		s.label[i] = mark
		s.stack = append(s.stack[:0], i)
		for len(s.stack) > 0 {
			at := s.stack[len(s.stack)-1]
			s.stack = s.stack[:len(s.stack)-1]
			m.add(&v, s.veils, at, cols)
			around(at, 1, cols, rows, func(o int) {
				switch k := s.veils[o].kind; {
				case s.label[o] == mark:
				case k == veilThin || k == veilThick:
					s.label[o] = mark
					s.stack = append(s.stack, o)
				case k == veilOther:
					s.label[o] = mark
					v.others++
				}
			})
		}
		if score := v.judge(); score > best {
			best = score
			m.Share, m.Pale = float64(v.cells)/float64(texture), v.loss/float64(v.cells)
			m.Boxes = []Box{g.box(v.extent, veilPitch)}
		}
	}
	m.Score = sustain(m.Score, best)
	switch {
	case m.Score < 0.3:
		m.Since = time.Time{}
	case m.Since.IsZero():
		m.Since = now
	}
	if m.Since.IsZero() {
		return veiled{}
	}
	out := veiled{share: m.Share, loss: m.Pale, held: now.Sub(m.Since)}
	out.score = m.Score * ramp(out.held.Seconds(), 0, smokeLasts.Seconds())
	if out.score >= fireScore {
		out.boxes = m.Boxes
	}
	return out
}

// veil is a group of veil cells that miss contrast.
type veil struct {
	// texture is how many veil cells of the zone can tell, cells how many the
	// veil has, thin and stay how many of those are thin, or were veiled
	// before; others how many beside it show something else.
	texture, cells, thin, stay, others int
	extent                             extent
	peak                               float64
	loss, loss2, odd                   float64 // sums over cells
	// stir sums up how differently neighbours have changed, over pairs.
	stir, pairs float64
}

// add makes a veil cell part of a veil.
func (m *smokeMemory) add(v *veil, cells []veilCell, at, cols int) {
	c := cells[at]
	v.extent.add(at, cols)
	v.cells++
	if c.kind == veilThin {
		v.thin++
	}
	if m.Loss[at] > 0 {
		v.stay++
	}
	v.peak = max(v.peak, c.loss)
	v.loss, v.loss2, v.odd = v.loss+c.loss, v.loss2+c.loss*c.loss, v.odd+c.odd
	if o := at + 1; o%cols != 0 && cells[o].kind != veilBlind && cells[o].kind != veilOther {
		v.stir += math.Abs(c.loss - cells[o].loss - (float64(m.Loss[at])-float64(m.Loss[o]))/255)
		v.pairs++
	}
}

// judge returns how much a veil looks like smoke, 0..1.
func (v *veil) judge() float64 {
	n := float64(v.cells)
	mean := v.loss / n
	uneven := math.Sqrt(max(0, v.loss2/n-mean*mean)) / mean
	stir := v.stir / max(1, v.pairs)
	return ramp(n, 4, 8) * ramp(-n/float64(v.texture), -0.85, -0.7) * // it does not lie on everything
		ramp(float64(v.thin)/n, 0.55, 0.75) * ramp(-float64(v.others)/n, -1.2, -0.9) * // soft, no thing in front
		ramp(v.peak, 0.35, 0.5) * ramp(uneven, 0.12, 0.22) * // thicker here than there
		ramp(stir, 0.03, 0.06) * ramp(-stir, -0.4, -0.25) * ramp(float64(v.stay)/n, 0.15, 0.4) * // it stirs and stays
		ramp(-v.odd/n, -14, -8) // and is grey
}

// follow lets the clear sight follow the scene where nothing veils it, and
// slowly where something does.
func (m *smokeMemory) follow(g *fireGrid, s *fireScratch, dt time.Duration) {
	quick, slow := 1-math.Exp(-dt.Seconds()/clearTime.Seconds()), 1-math.Exp(-dt.Seconds()/otherTime.Seconds())
	if m.Looks < smokeLearn {
		m.Looks++
		quick, slow = 1/float64(m.Looks), 1/float64(m.Looks)
	}
	m.Dither = math.Mod(m.Dither+math.Phi-1, 1)
	toward := func(from byte, to, rate float64) byte {
		return byte(max(0, min(float64(from)+(to-float64(from))*rate+m.Dither, 255)))
	}
	rateOf := func(c veilCell) float64 {
		if c.kind > veilNone {
			return slow
		}
		return quick
	}
	cols := g.veilCols()
	for i := range s.cells {
		if !g.has(i) {
			continue
		}
		x, y := min(i%g.cols/veilPitch, cols-1), min(i/g.cols/veilPitch, len(s.veils)/cols-1)
		m.Clear[i] = toward(m.Clear[i], float64(s.cells[i].luma), rateOf(s.veils[y*cols+x]))
	}
	for i, c := range s.veils {
		m.Tint[i] = toward(m.Tint[i], 128+c.tint, rateOf(c))
		m.Loss[i] = byte(255 * c.loss)
	}
}
