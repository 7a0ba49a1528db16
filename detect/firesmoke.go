package detect

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// Smoke is seen by what it does to the clear sight of a scene: it rises from a
// place and stays there, is grey, and is another one in each look (Töreyin and
// others, Wavelet based real-time smoke detection in video, EUSIPCO 2005, tell
// it by edges that fade and boundaries that flicker; at samples seconds apart
// the flicker is a change from look to look). What passes does not stay, what
// stands does not change, a shadow of a cloud comes over the edge of the zone,
// fog lies on everything, dust has a colour, and steam is gone soon. Dawn, dusk
// and lamps that fade into it change slowly and in step with the exposure, so
// that what is not changing by itself is soon clear sight again. While it still
// differs, people pass before it, and lamps go on and off: a change for once,
// before and after which two looks are alike, which no two of smoke are. Above
// a flame smoke is to be expected: it need not rise far there, as the zone may
// end, nor be one veil.

const (
	plumePitch  = 3    // cells between the centres of two puffs
	plumeGap    = 2    // cells across which a plume hangs together
	plumeLeast  = 6    // luma by which smoke differs from clear sight at least, and
	plumeShare  = 0.08 // the same as a share of clear sight
	plumeTint   = 30   // Cr − Cb of what is too coloured to be smoke
	plumeNoise  = 1    // luma by which a puff changes without a reason
	plumeLight  = 0.03 // by how much the light of two looks may differ
	plumeChurn  = 0.3  // how quickly the mean of the change follows, and
	churnMost   = 2.5  // luma by which one look can move it, at most
	plumeFoot   = 2.5  // cells by which the foot wanders at most, or
	plumeWander = 0.25 // a share of the plume's width
	churnLeast  = 0.25 // luma beyond noise by which no two of three looks are alike, at least, and
	churnFull   = 0.55 // for sure
	clearTime   = 3 * time.Minute
	otherTime   = 15 * time.Minute
	smokeLasts  = 40 * time.Second // how long it must be seen to count in full,
	flameLasts  = 15 * time.Second // and above a flame
	flameLights = 4                // widths of a flame to each side in which it lights what is lower than its top
	smokeLearn  = 6                // looks whose mean is the first clear sight
)

// smokeMemory is what is remembered of smoke in a zone.
type smokeMemory struct {
	// Clear is each cell's luma in clear sight. Puffs are three bytes a puff, over
	// 128: its Cr − Cb there, and by how much it differed in the newest look and
	// in the one before that.
	Clear []byte `json:"clear,omitempty"`
	Puffs []byte `json:"puffs,omitempty"`
	// Looks counts the first ones. Steady: the newest was in the light of the one
	// before. Flame: the plume rose from one.
	Looks  uint8 `json:"looks,omitempty"`
	Steady bool  `json:"steady,omitempty"`
	Flame  bool  `json:"flame,omitempty"`
	// Dither is added before a mean is cut to a byte, else it would stick.
	Dither float64 `json:"dither,omitempty"`
	// Gain is the light of the newest look over that of clear sight.
	Gain float64 `json:"gain,omitempty"`
	// Foot is the column from which the plume of the newest looks rose, Churn the
	// mean of its change from look to look; both are 0 where there was none.
	Foot  float64 `json:"foot,omitempty"`
	Churn float64 `json:"churn,omitempty"`
	// Score is the newest one, Since when the plume was seen first.
	Score float64   `json:"score,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Boxes are where it was seen last, Share of the zone what it took then.
	Boxes []Box   `json:"boxes,omitempty"`
	Share float64 `json:"share,omitempty"`
}

func (m *smokeMemory) fits(cells, puffs int) bool {
	none := m.Looks == 0 && len(m.Clear) == 0 && len(m.Puffs) == 0
	all := m.Looks > 0 && m.Looks <= smokeLearn && len(m.Clear) == cells && len(m.Puffs) == 3*puffs
	return (none || all) && share01(m.Score, m.Dither, m.Share, m.Churn/churnMost, m.Gain/64, m.Foot/fireCells) &&
		len(m.Boxes) <= 1 && boxesFit(m.Boxes)
}

// puffs returns how many puffs a grid has, puffCols how many in a row.
func (g *fireGrid) puffs() int    { return g.puffCols() * ((g.rows + plumePitch - 1) / plumePitch) }
func (g *fireGrid) puffCols() int { return (g.cols + plumePitch - 1) / plumePitch }

// puffOf returns the puff that a cell belongs to.
func (g *fireGrid) puffOf(i int) int {
	return i/g.cols/plumePitch*g.puffCols() + i%g.cols/plumePitch
}

// puff is a square of cells: what one look says of it.
type puff struct {
	n          int
	apart, hue float32 // means of what differs from clear sight, and of Cr − Cb
	veiled     bool    // by a plume
}

// veiled is what the looks so far say of smoke.
type veiled struct {
	score float64
	boxes []Box
	// share is of the zone's cells.
	share float64
	held  time.Duration
}

// look takes one look into account; cast is the scene's Cr − Cb.
func (m *smokeMemory) look(g *fireGrid, s *fireScratch, cast float64, now time.Time, dt time.Duration) veiled {
	if m.Looks == 0 {
		m.Clear, m.Puffs = make([]byte, len(s.cells)), make([]byte, 3*g.puffs())
	}
	m.compare(g, s, float32(cast))
	var out veiled
	if m.Looks == smokeLearn {
		out = m.judge(g, s, cast, now, dt)
	}
	m.follow(g, s, dt)
	return out
}

// compare measures by how much each cell differs from clear sight, the light
// of the whole zone aside: the median ratio.
func (m *smokeMemory) compare(g *fireGrid, s *fireScratch, cast float32) {
	const one, top = 128, 1024
	var hist [2][top + 1]int // of what no flame lights, and of what one does
	var n [2]int
	for i := range s.cells {
		if !g.has(i) {
			continue
		}
		at := max(0, min(top, int(one*(s.cells[i].luma+gainOffset)/(float32(m.Clear[i])+gainOffset))))
		lit := 0
		if s.lights(i, g.cols) {
			lit = 1
		}
		hist[lit][at]++
		n[lit]++
	}
	if n[0] < n[1]/3 { // too few to tell
		for at, more := range hist[1] {
			hist[0][at] += more
		}
		n[0] += n[1]
	}
	gain := 0
	for sum := hist[0][0]; 2*sum < n[0]; sum += hist[0][gain] {
		gain++
	}
	before := m.Gain
	m.Gain = max(1, float64(gain)+0.5) / one
	steady := math.Abs(m.Gain-before) <= plumeLight*m.Gain
	s.calm, m.Steady = steady && m.Steady, steady
	s.apart = slices.Grow(s.apart[:0], len(s.cells))[:len(s.cells)]
	s.puffs = slices.Grow(s.puffs[:0], g.puffs())[:g.puffs()]
	clear(s.puffs)
	for i := range s.cells {
		s.apart[i], s.label[i] = 0, plumeNot
		if !g.has(i) {
			continue
		}
		c := &s.cells[i]
		want := float32(m.Gain)*(float32(m.Clear[i])+gainOffset) - gainOffset
		d := c.luma - want
		s.apart[i] = d
		if s.lights(i, g.cols) {
			continue
		}
		if d < 0 {
			d = -d
		}
		if d > max(plumeLeast, plumeShare*want) && c.tint-cast < plumeTint && cast-c.tint < plumeTint && !g.lit(s.cells, i) {
			s.label[i] = plumeMay
		}
		p := &s.puffs[g.puffOf(i)]
		p.n++
		p.apart += s.apart[i]
		p.hue += c.tint
	}
	for i := range s.puffs {
		if p := &s.puffs[i]; p.n > 0 {
			p.apart, p.hue = p.apart/float32(p.n), p.hue/float32(p.n)
		}
	}
}

// lit tells whether a flame or a lamp glows at a cell or beside it.
func (g *fireGrid) lit(cells []cell, i int) bool {
	lit := false
	g.near(i, 1, func(o int) { lit = lit || cells[o].glows })
	return lit
}

// Labels of cells: what a plume has taken bears its first cell's number beyond
// these.
const (
	plumeNot = iota // as in clear sight, but for the light of the whole
	plumeMay        // not so
	plumeOne
)

// plume is a group of cells that differ from clear sight.
type plume struct {
	label  int16
	cells  int
	extent extent
	// edge: its foot lies across the edge of the zone, so it comes from elsewhere.
	edge bool
	// flame: it rises from one.
	flame bool
	// foot is the column from which it rises, odd by how much more coloured it
	// is than clear sight.
	foot, odd float64
	// churn is by how much those two of the three newest looks differ that are
	// most alike, in luma, and restless the same now; newly is by how much it has
	// changed since the look before, over what it is, and stays the share of it
	// that was there then.
	churn, restless, newly, stays float64
	// one is the share of what differs that one veil explains, which is straight
	// in the clear sight behind it (Koschmieder's law), lit the share that more or
	// less light on what is behind it does; like is how much it looks like smoke.
	one, lit, like float64
}

// judge finds the plume that is most like smoke.
func (m *smokeMemory) judge(g *fireGrid, s *fireScratch, cast float64, now time.Time, dt time.Duration) veiled {
	all := 0
	for _, word := range g.in {
		all += bits.OnesCount64(word)
	}
	var best plume
	most := 0.0
	for i := range s.cells {
		if s.label[i] != plumeMay {
			continue
		}
		p := m.trace(g, s, i, cast)
		same := m.Foot > 0 && (math.Abs(p.foot-m.Foot) <= max(plumeFoot, plumeWander*float64(p.extent.x1-p.extent.x0)) ||
			p.flame && s.burns(m.Foot))
		if same {
			p.churn = m.Churn
		}
		if s.calm { // exposure makes changes of its own
			p.churn += (min(p.restless, churnMost) - p.churn) * plumeChurn
		}
		// What does not churn yet may begin to.
		if p.like = p.looks(all); p.like*(churnLeast+p.churn) <= best.like*(churnLeast+best.churn) {
			continue
		}
		best, most = p, 0
		if same { // it rises from one place, and is never the same
			most = p.like * ramp(p.churn, churnLeast, churnFull)
		}
	}
	s.plume = best.label
	m.Foot, m.Churn = best.foot, best.churn
	if best.cells > 0 {
		m.Share, m.Boxes = float64(best.cells)/float64(all), []Box{g.box(best.extent, 1)}
	}
	if !m.Steady { // nothing is confirmed while the light of the whole changes
		most = min(most, m.Score)
	}
	m.Score = sustain(m.Score, most)
	m.Flame = m.Flame || s.burns(m.Foot)
	switch {
	case m.Score < 0.1:
		m.Since, m.Flame = time.Time{}, false
	case m.Since.IsZero():
		m.Since = now
	case !m.Steady: // nor does that time count
		m.Since = m.Since.Add(dt)
	}
	if m.Since.IsZero() {
		return veiled{}
	}
	out := veiled{share: m.Share, held: now.Sub(m.Since)}
	lasts := smokeLasts
	if m.Flame {
		lasts = flameLasts
	}
	out.score = m.Score * ramp(out.held.Seconds(), 0, lasts.Seconds())
	if out.score >= fireScore {
		out.boxes = m.Boxes
	}
	return out
}

// footing is what one of a plume's lowest rows stands on.
type footing struct {
	x, n float64 // sum of its columns, and how many
	edge bool
}

// trace gathers what hangs together with a cell.
func (m *smokeMemory) trace(g *fireGrid, s *fireScratch, from int, cast float64) plume {
	p := plume{label: int16(plumeOne + from)}
	var change, most, restless, stays, tinted float64
	var sx, sy, sxx, sxy, syy float64 // clear sight and what differs from it
	foot := 0
	var feet [2]footing // of the lowest row, and of the one above it
	s.label[from] = p.label
	s.stack = append(s.stack[:0], from)
	for len(s.stack) > 0 {
		at := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		p.cells++
		p.extent.add(at, g.cols)
		x, y := at%g.cols, at/g.cols
		switch {
		case y == foot+1:
			feet[1], feet[0], foot = feet[0], footing{}, y
		case y > foot+1:
			feet, foot = [2]footing{}, y
		}
		if up := foot - y; up < len(feet) {
			f := &feet[up]
			f.x, f.n = f.x+float64(x), f.n+1
			f.edge = f.edge || x == 0 || !g.has(at-1) || x == g.cols-1 || !g.has(at+1) || y == g.rows-1 || !g.has(at+g.cols)
		}
		vy := float64(s.apart[at])
		vx := float64(s.cells[at].luma) - vy
		sx, sy, sxx, sxy, syy = sx+vx, sy+vy, sxx+vx*vx, sxy+vx*vy, syy+vy*vy
		puff := g.puffOf(at)
		now, past, before := float64(s.puffs[puff].apart), float64(m.Puffs[3*puff+1])-128, float64(m.Puffs[3*puff+2])-128
		change += max(0, math.Abs(now-past)-plumeNoise)
		restless += max(0, min(math.Abs(now-past), math.Abs(now-before), math.Abs(past-before))-plumeNoise)
		most += max(math.Abs(now), math.Abs(past))
		if math.Abs(past) >= plumeLeast/2 && now*past > 0 {
			stays++
		}
		tinted += math.Abs(float64(s.cells[at].tint)-cast) - math.Abs(float64(m.Puffs[3*puff])-128-cast)
		around(at, plumeGap, g.cols, g.rows, func(o int) {
			// A flame's light on the wall behind it is not one with dark smoke.
			if s.label[o] == plumeMay && (s.flame == extent{} || s.apart[o]*s.apart[from] > 0) {
				s.label[o] = p.label
				s.stack = append(s.stack, o)
			}
		})
	}
	p.edge = feet[0].edge || feet[1].edge
	p.foot = 1 + (feet[0].x+feet[1].x)/(feet[0].n+feet[1].n)
	p.flame = s.burns(p.foot)
	n := float64(p.cells)
	slope := (sxy - sx*sy/n) / max(n, sxx-sx*sx/n)
	p.one = (sy*sy/n + slope*slope*(sxx-sx*sx/n)) / syy
	p.lit = sxy * sxy / max(1, sxx*syy)
	p.odd, p.restless, p.newly, p.stays = tinted/n, restless/n, change/max(1, most), stays/n
	return p
}

// burns tells whether the flame is below a foot, or beside that.
func (s *fireScratch) burns(foot float64) bool {
	wide := float64(s.flame.x1 - s.flame.x0)
	return foot > 0 && wide > 0 && math.Abs(foot-float64(s.flame.x0+s.flame.x1+1)/2) <= wide+plumeFoot
}

// lights tells whether the flame lights the ground at a cell.
func (s *fireScratch) lights(i, cols int) bool {
	if s.flame == (extent{}) { // as nearly always
		return false
	}
	x, far := i%cols, flameLights*(s.flame.x1-s.flame.x0)
	return i/cols >= s.flame.y0 && x >= s.flame.x0-far && x < s.flame.x1+far
}

// looks tells how much a plume looks like smoke by its shape and colour, 0..1.
func (p *plume) looks(all int) float64 {
	if p.edge {
		return 0
	}
	tall := float64(p.extent.y1-p.extent.y0) / float64(p.extent.x1-p.extent.x0)
	shape := ramp(tall, 0.4, 0.6) * ramp(p.one, 0.25, 0.4) // it rises, and is one veil
	if p.flame {
		shape = ramp(tall, 0.15, 0.3)
	}
	return shape * ramp(float64(p.cells), 4, 8) * ramp(-float64(p.cells)/float64(all), -0.6, -0.45) * // it does not lie on everything
		ramp(p.stays, 0.5, 0.75) * ramp(-p.newly, -0.7, -0.5) * // stays, and is no new thing each time
		ramp(-p.lit, -0.97, -0.92) * ramp(-p.odd, -14, -8) // is no light, and grey
}

// follow lets the clear sight follow the scene, but behind a plume only slowly:
// there, the light of the whole alone is followed at once.
func (m *smokeMemory) follow(g *fireGrid, s *fireScratch, dt time.Duration) {
	quick, slow := 1-math.Exp(-dt.Seconds()/clearTime.Seconds()), 1-math.Exp(-dt.Seconds()/otherTime.Seconds())
	if m.Looks < smokeLearn {
		m.Looks++
		quick, s.plume = 1/float64(m.Looks), 0
	}
	m.Dither = math.Mod(m.Dither+math.Phi-1, 1)
	toward := func(from byte, to, rate float64) float64 { return float64(from) + (to-float64(from))*rate }
	whole := func(v float64) byte { return byte(max(0, min(v+m.Dither, 255))) }
	for i := range s.cells {
		if !g.has(i) {
			continue
		}
		luma := float64(s.cells[i].luma)
		if s.plume != 0 && s.label[i] == s.plume {
			apart := float64(s.apart[i])
			s.puffs[g.puffOf(i)].veiled = true
			m.Clear[i] = whole(toward(m.Clear[i], luma-apart, quick) + apart*slow)
			continue
		}
		m.Clear[i] = whole(toward(m.Clear[i], luma, quick))
	}
	for i, p := range s.puffs {
		known := m.Puffs[3*i:][:3]
		if !p.veiled {
			known[0] = whole(toward(known[0], 128+float64(p.hue), quick))
		}
		known[1], known[2] = byte(max(0, min(128+math.Round(float64(p.apart)), 255))), known[1]
	}
	m.Gain /= 1 + (m.Gain-1)*quick
}
