package detect

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"
)

// A flame's pixel obeys the YCbCr rules of Çelik and Demirel (Fire detection
// in video sequences using a generic color model, Fire Safety Journal 44,
// 2009): Y > Cb and Cr − Cb of 40 or more, here after the scene's own cast is
// taken off. Its core burns white in most cameras, and between rim and core it
// is the yellower the brighter, while cloth and paint only get redder with
// light. Flicker of 10 Hz (Töreyin and others, Computer vision based method
// for real-time fire and flame detection, Pattern Recognition Letters 27,
// 2006) is far too quick for samples; what is left of it is that no two looks
// are alike although the foot stays where it is. A lamp, a wall or a parked
// car is the same again, a neon sign repeats itself, and traffic does not stay.
// An infrared picture has no colours: there all of that is asked of white alone.

const (
	castTime = 5 * time.Minute
	castMost = 40 // Cr − Cb that counts as cast at most

	flameTint   = 40  // Cr − Cb of a flame, cast taken off
	flameDeep   = 60  // and of one that counts in full
	flameRed    = 140 // red of the faintest flame, and
	flameFull   = 230 // of one that counts in full
	flameYellow = 180 // luma of the yellow between rim and core
	coreLuma    = 200 // of the faintest core, and
	coreFull    = 230 // of one that counts in full
	coreTint    = 6   // so much is a core's Cb below grey, at least

	flameApart = 2 // it differs from the ground by so many thresholds, somewhere

	hotCell   = 3    // heat of a cell that burns
	liveRange = 4    // its heat varies so much, at least, if it is alive
	sameLight = 0.02 // half of what the light of two looks may differ
	fireBoxes = 4
	areaRate  = 0.15
)

// flameMemory is what is remembered of flame in a zone.
type flameMemory struct {
	// Heat is two bytes a cell, its last looks of four bits each, the newest
	// lowest; Looks tells how many of them count.
	Heat  []byte `json:"heat,omitempty"`
	Looks int    `json:"looks,omitempty"`
	// Light is the zone's mean luma in those looks, the newest first.
	Light [firePast]float64 `json:"light"`
	// Cast is Cr − Cb of the scene, Area the slow mean of the cells that burn.
	Cast float64 `json:"cast,omitempty"`
	Area float64 `json:"area,omitempty"`
	// Score is the newest one, Since when it was believed first.
	Score float64   `json:"score,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Boxes are where it was seen last.
	Boxes []Box `json:"boxes,omitempty"`
}

func (m *flameMemory) fits(cells int) bool {
	return m.Looks >= 0 && m.Looks <= firePast && (m.Looks == 0 && len(m.Heat) == 0 || len(m.Heat) == 2*cells) &&
		share01(m.Score, m.Area/fireCells, (m.Cast+castMost)/(2*castMost)) && len(m.Boxes) <= fireBoxes && boxesFit(m.Boxes) &&
		!slices.ContainsFunc(m.Light[:], func(v float64) bool { return !(v >= 0 && v <= 256) })
}

// past returns the heat of a cell k looks ago, 1 to firePast.
func (m *flameMemory) past(i, k int) int {
	return int(m.Heat[2*i+(k-1)/2] >> (4 * ((k - 1) % 2)) & 15)
}

// push makes the newest look, of so much light, the first of the past ones.
func (m *flameMemory) push(cells []cell, light float64, pale bool) {
	if len(m.Heat) == 0 {
		m.Heat = make([]byte, 2*len(cells))
	}
	for i := range cells {
		v := (uint16(m.Heat[2*i])|uint16(m.Heat[2*i+1])<<8)<<4 | uint16(cells[i].heat)
		m.Heat[2*i], m.Heat[2*i+1] = byte(v), byte(v>>8)
		cells[i].glows = v != 0 && !pale // else smoke in a lamp's light would be white-hot
	}
	copy(m.Light[1:], m.Light[:])
	m.Light[0] = light
	m.Looks = min(m.Looks+1, firePast)
}

// flamePoints are the points of a cell that may be of a flame.
type flamePoints struct {
	// rim is the heat of those of a flame's colour, white that of white ones;
	// yellow and core count the bright ones of the former, and the latter.
	rim, white, yellow, core int32
	// n counts all, and the others are sums over them.
	n, y, cr, yy, ycr, crcr int32
}

// add takes a point into account; pale: the picture has no colours, so all that
// is white may burn.
func (f *flamePoints) add(y, cb, cr, cast int, pale bool) {
	red := y + (cr-128)*359>>8 // ITU-R BT.601
	switch {
	case cr-cb-cast >= flameTint && y > cb && red >= flameRed:
		// What lies near a limit must not flicker by the sensor's noise alone.
		f.rim += int32(min(15, (red-flameRed)*15/(flameFull-flameRed), (cr-cb-cast-flameTint)*15/(flameDeep-flameTint)))
		if y >= flameYellow {
			f.yellow++
		}
	case y >= coreLuma && (pale || cb <= 128-coreTint-max(0, cast)/2):
		f.core++
		f.white += int32(min(15, (y-coreLuma)*15/(coreFull-coreLuma)))
	default:
		return
	}
	a, b := int32(y), int32(cr)
	f.n, f.y, f.cr, f.yy, f.ycr, f.crcr = f.n+1, f.y+a, f.cr+b, f.yy+a*a, f.ycr+a*b, f.crcr+b*b
}

// heat returns how hot a cell of so many points is. White alone is no core where
// there are colours: a rim must be near.
func (g *fireGrid) heat(cells []cell, i, points int, pale bool) uint8 {
	f := &cells[i].flame
	if f.n == 0 {
		return 0
	}
	heat := int(f.rim)
	if f.core > 0 {
		rim := pale
		g.near(i, 1, func(o int) { rim = rim || cells[o].flame.rim > 0 })
		if rim {
			heat += int(f.white)
		}
	}
	return uint8(min(15, (heat+points/2)/points))
}

// burning is what the looks so far say of flame.
type burning struct {
	score float64
	boxes []Box
	// share is of the zone's cells that burn, growth that over its slow mean.
	share, growth float64
	// change is by how much those two looks differ that are most alike.
	change float64
	held   time.Duration
}

// look takes one look into account. What is not alight is no flame.
func (m *flameMemory) look(g *fireGrid, s *fireScratch, now time.Time, dt time.Duration, alight func(Box) bool) burning {
	m.follow(g, s.cells, dt)
	hot, all, light := 0, 0, 0.0
	for i := range s.cells {
		if s.cells[i].heat >= hotCell {
			hot++
		}
		light += float64(s.cells[i].luma)
	}
	for _, word := range g.in {
		all += bits.OnesCount64(word)
	}
	light = max(0, light/float64(max(1, all)))
	b := burning{share: float64(hot) / float64(max(1, all)), growth: 1}
	if m.Area >= 1 {
		b.growth = float64(hot) / m.Area
	}
	m.Area += (float64(hot) - m.Area) * areaRate
	if m.Looks >= 2 {
		m.burn(g, s, light, &b)
	}
	m.push(s.cells, light, s.pale)
	m.Score = sustain(m.Score, b.score)
	b.score = m.Score
	switch {
	case len(b.boxes) > 0:
		m.Boxes = b.boxes
	case m.Score < fireScore/2:
		m.Boxes = nil
	}
	m.Boxes = slices.DeleteFunc(m.Boxes, func(b Box) bool { return !alight(b) })
	if len(m.Boxes) == 0 && b.score >= fireScore {
		b.score = 0
	}
	if b.score < fireScore {
		m.Since = time.Time{}
		return b
	}
	if m.Since.IsZero() {
		m.Since = now
	}
	b.held, b.boxes = now.Sub(m.Since), m.Boxes
	return b
}

// follow lets the cast follow what does not burn.
func (m *flameMemory) follow(g *fireGrid, cells []cell, dt time.Duration) {
	sum, n := 0.0, 0
	for i := range cells {
		if g.has(i) && cells[i].heat == 0 {
			sum += float64(cells[i].tint)
			n++
		}
	}
	if n == 0 {
		return
	}
	rate := 1 - math.Exp(-dt.Seconds()/castTime.Seconds())
	if m.Looks == 0 {
		rate = 1
	}
	m.Cast += (max(-castMost, min(sum/float64(n), castMost)) - m.Cast) * rate
}

// Labels of cells; a visited one has the label's negative.
const (
	cellIdle   = iota
	cellAlive  // its heat changes
	cellSteady // it burns in every look, all the same
)

// burn finds places of cells that are alive, with the steady ones beside
// them, and judges each.
func (m *flameMemory) burn(g *fireGrid, s *fireScratch, light float64, b *burning) {
	looks := m.Looks + 1
	lights := append([]float64{light}, m.Light[:m.Looks]...)
	heats := func(i int) (v [firePast + 1]int, lo, hi int) {
		v[0] = int(s.cells[i].heat)
		lo, hi = v[0], v[0]
		for k := 1; k < looks; k++ {
			v[k] = m.past(i, k)
			lo, hi = min(lo, v[k]), max(hi, v[k])
		}
		return v, lo, hi
	}
	for i := range s.cells {
		s.label[i] = cellIdle
		if s.cells[i].heat == 0 && m.Heat[2*i] == 0 && m.Heat[2*i+1] == 0 {
			continue // as most are
		}
		_, lo, hi := heats(i)
		switch {
		case hi-lo >= liveRange:
			s.label[i] = cellAlive
		case lo >= hotCell:
			s.label[i] = cellSteady
		}
	}
	for i := range s.cells {
		if s.label[i] != cellAlive {
			continue
		}
		p := firePlace{looks: looks, lights: lights, pale: s.pale}
		s.label[i] = -cellAlive
		s.stack = append(s.stack[:0], i)
		for len(s.stack) > 0 {
			at := s.stack[len(s.stack)-1]
			s.stack = s.stack[:len(s.stack)-1]
			v, lo, hi := heats(at)
			alive := s.label[at] == -cellAlive
			p.add(g, at, v, lo, hi, alive, s.cells[at].flame)
			if !alive {
				continue // a wall of a flame's colour does not lead on
			}
			g.near(at, 2, func(o int) {
				if l := s.label[o]; l == cellAlive || l == cellSteady && abs(o%g.cols-at%g.cols) <= 1 && abs(o/g.cols-at/g.cols) <= 1 {
					s.label[o] = -l
					s.stack = append(s.stack, o)
				}
			})
		}
		score := p.judge()
		if score > b.score {
			b.score, b.change = score, p.change()
		}
		if score >= fireScore {
			b.boxes = append(b.boxes, g.box(p.extent, 1))
		}
	}
	slices.SortStableFunc(b.boxes, func(a, c Box) int { return cmp.Compare(c.W*c.H, a.W*a.H) })
	b.boxes = b.boxes[:min(len(b.boxes), fireBoxes)]
}

// firePlace is a place that may burn.
type firePlace struct {
	looks  int
	lights []float64 // of the looks
	pale   bool      // they have no colours
	// cells counts all, alive those whose heat changes, roots those that burn in
	// every look and hot those that burn now.
	cells, alive, roots, hot int
	swing                    int     // sum of how far the heat goes up and down, over what is alive
	rootY, tipY              float64 // sums of rows, of roots and of the others
	extent                   extent
	// apart and most sum up, for each two looks, how much the heat of what is
	// alive differs and what it is at most.
	apart, most [firePast + 1][firePast + 1]int
	// n counts points, yellow and core of them; the others are sums over them.
	n, yellow, core      float64
	y, cr, yy, ycr, crcr float64
}

func (p *firePlace) add(g *fireGrid, at int, v [firePast + 1]int, lo, hi int, alive bool, f flamePoints) {
	p.extent.add(at, g.cols)
	p.cells++
	if v[0] >= hotCell {
		p.hot++
	}
	if row := float64(at / g.cols); lo >= hotCell {
		p.roots++
		p.rootY += row
	} else {
		p.tipY += row
	}
	if alive {
		p.alive++
		p.swing += hi - lo
		for a := range p.looks {
			for o := a + 1; o < p.looks; o++ {
				p.apart[a][o] += abs(v[a] - v[o])
				p.most[a][o] += max(v[a], v[o])
			}
		}
	}
	p.n, p.yellow, p.core = p.n+float64(f.n), p.yellow+float64(f.yellow), p.core+float64(f.core)
	p.y, p.cr = p.y+float64(f.y), p.cr+float64(f.cr)
	p.yy, p.ycr, p.crcr = p.yy+float64(f.yy), p.ycr+float64(f.ycr), p.crcr+float64(f.crcr)
}

// change returns by how much those two looks differ that are most alike, 0..1,
// of looks in the same light; 0 when no two have the same: exposure makes
// changes of its own.
func (p *firePlace) change() float64 {
	least, alike := 1.0, false
	for a := range p.looks {
		for o := a + 1; o < p.looks; o++ {
			if math.Abs(p.lights[a]-p.lights[o]) > sameLight*(p.lights[a]+p.lights[o]) {
				continue
			}
			alike, least = true, min(least, float64(p.apart[a][o])/float64(max(1, p.most[a][o])))
		}
	}
	if !alike {
		return 0
	}
	return least
}

// hue returns how luma and Cr correlate over its points, −1..1.
func (p *firePlace) hue() float64 {
	vy, vc, cov := p.yy/p.n-p.y/p.n*p.y/p.n, p.crcr/p.n-p.cr/p.n*p.cr/p.n, p.ycr/p.n-p.y/p.n*p.cr/p.n
	return cov / math.Sqrt(max(vy, 1)*max(vc, 1))
}

// judge returns how much a place looks like a flame, 0..1. What speaks against
// it cannot be made good by something else, so all is multiplied.
func (p *firePlace) judge() float64 {
	if p.roots == 0 || p.hot == 0 || p.n < 3 {
		return 0
	}
	cells, change := float64(p.cells), p.change()
	swing := float64(p.swing)/float64(max(1, p.alive)) + float64(p.alive)/8 // noise moves few cells, and little
	score := ramp(float64(p.looks), 1, 5) * ramp(cells, 2, 6) * ramp(float64(p.roots), 0, 2) *
		ramp(swing, 5.1, 5.9) * ramp(float64(p.alive)/cells, 0.3, 0.5) * // it is no rim of something that stands
		ramp(float64(p.roots)/float64(p.hot), 0.12, 0.28) * p.rooted() * // its foot stays where it is
		ramp(change, 0.10, 0.18) * ramp(-change, -0.75, -0.55) // no two looks are alike, nor is it a new thing each time
	if p.pale {
		return score
	}
	if p.cells < 9 {
		score *= ramp(p.hue(), -0.92, -0.85) // so few points on one line are of two things, as of a red cloth before a lit wall
	}
	yellow, core := p.yellow/p.n, p.core/p.n
	bright := core + 0.4*max(0, yellow-0.5)*ramp(-p.lights[0], -150, -120)                            // by day, yellow is no sign of heat
	return score * max(ramp(-p.hue(), 0.10, 0.40), ramp(bright, 0.15, 0.3)*ramp(yellow, 0.3, 0.45)) * // in the dark its light reddens the ground around it
		ramp(yellow+min(yellow, core/2), 0.03, 0.09) * ramp(core+yellow/8, 0.01, 0.05) * ramp(-core, -0.8, -0.6)
}

// rooted tells whether what burns in every look lies below what flickers; a
// small place is too coarse for that.
func (p *firePlace) rooted() float64 {
	if tips := p.cells - p.roots; p.cells >= 12 && tips > 0 {
		up := p.rootY/float64(p.roots) - p.tipY/float64(tips)
		return ramp(up/float64(p.extent.y1-p.extent.y0), -0.3, -0.1)
	}
	return 1
}
