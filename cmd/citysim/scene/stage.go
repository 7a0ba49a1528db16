package scene

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"videopatrol/inventory"
)

// Stage is a scene in which time goes by: the sun moves, lamps come on, people
// and cars pass, the weather changes, and the camera's exposure follows. Its
// pictures have a size of the caller's choice. It is not safe for concurrent
// use.
type Stage struct {
	// Noise, when set, is the deviation of the sensor's noise in luma steps.
	Noise float64

	kind    Kind
	seed    uint64
	place   place
	view    view
	pen     pen
	chance  *rand.Rand
	traffic *traffic
	things  []thing
	eye     eye
	sky     Sky

	work   *Frame   // what is there, as it looks by day, and what glows
	layers [2]layer // what never moves, before and after now
	base   *Frame   // the same at about now
	blends int      // which blend of the layers it is
	hidden []byte   // what hides things beyond place.behind

	// Per pixel: the light of lamps on the newest picture, of street lamps
	// and of the camera's own; half metres to what is seen; the
	// unevenness of surfaces; what a lens loses, of 255; where water is.
	local, street, infrared []byte
	depth                   []byte
	texture                 []int8
	vignette                []byte
	waves                   []byte
	ratio                   *[64 * 64]int

	// Of this camera.
	facing  float64 // azimuth of the view
	lampsAt float64 // the sun's elevation in degrees at which lamps come on
	shaky   float64 // pixels that the camera trembles in a storm
	insects float64 // how often one flies before the lens at night
	clouds  [256]float64
	leaf    tone
	exhibit tone
	drawn   float64 // when the newest picture was
}

// layer is what never moves, in the light of one time.
type layer struct {
	key   int
	frame *Frame
}

// thing is drawn with every picture.
type thing struct {
	depth float64
	draw  func()
}

// layerTime is how often what never moves is drawn anew, with the sun where it
// is then.
const layerTime = 600 // seconds

// StageOptions say how a stage is seen.
type StageOptions struct {
	// Width and Height of its pictures in pixels, even, in the proportion of
	// a scene's.
	Width, Height int
	// Yaw and Pitch, in radians, turn the camera away from what its zones
	// were laid out for.
	Yaw, Pitch float64
}

// NewStage lays out the stage of a seed.
func NewStage(kind Kind, seed uint64, o StageOptions) *Stage {
	s := &Stage{kind: kind, seed: seed, drawn: math.Inf(-1)}
	s.place = newPlace(kind, s.random(0))
	for i, z := range s.place.zones {
		s.place.zones[i].Area = s.place.view.zone(z.on...)
		s.place.zones[i].Perspective = s.place.view.rulers(z.on...)
	}
	s.view = s.place.view.turned(o.Yaw, o.Pitch).sized(o.Width, o.Height)
	s.pen.view = s.view
	s.traffic = newTraffic(s.place.routes, seed)

	r := s.random(20)
	s.chance = s.random(21)
	s.facing = between(r, 0, 2*math.Pi)
	s.lampsAt = between(r, -2, 2)
	s.shaky = between(r, 0, 1) * between(r, 0, 1)
	s.insects = between(r, 0.002, 0.02)
	s.leaf = rgb(pick[uint32](r, 0x4c6b39, 0x5a7440, 0x6d7a38, 0x48653f))
	s.exhibit = rgb(pick[uint32](r, 0x8c3a2a, 0x2f5d86, 0x30343a, 0xb58b36))
	s.eye = eye{most: between(r, 6, 10), infrared: r.IntN(5) < 2, sodium: r.IntN(3) == 0, slow: between(r, 1.5, 8), gain: 1}
	if kind == NeonStreet {
		s.eye.infrared = false // bright enough without
	}
	for i := range s.clouds {
		s.clouds[i] = r.Float64()
	}
	return s
}

// random returns the stage's own source of chance for one purpose.
func (s *Stage) random(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(mix(s.seed), mix(purpose))) //nolint:gosec // chance for pictures
}

// Zones returns the stage's zones on the picture.
func (s *Stage) Zones() []inventory.Zone {
	zones := make([]inventory.Zone, 0, len(s.place.zones))
	for _, z := range s.place.zones {
		zones = append(zones, z.Zone)
	}
	return zones
}

// PrivacyMask returns a place on the picture that is nobody's business.
func (s *Stage) PrivacyMask() inventory.Polygon {
	left := 0.0
	if middle(s.place.zones[0].Area) < 0.5 {
		left = 0.84
	}
	return inventory.Polygon{{X: left, Y: 0.02}, {X: left + 0.16, Y: 0.02}, {X: left + 0.16, Y: 0.2}, {X: left, Y: 0.2}}
}

// NewFrame returns a frame of the stage's size.
func (s *Stage) NewFrame() *Frame { return newFrame(int(s.view.width), int(s.view.height)) }

// ratios are 256 × a/b of 64 levels each.
var ratios = sync.OnceValue(func() *[64 * 64]int {
	var t [64 * 64]int
	for a := range 64 {
		for b := 1; b < 64; b++ {
			t[a<<6|b] = min(256*a/b, 256)
		}
	}
	return &t
})

// prepare makes what pictures need, and works out what each pixel's light and
// distance are. A stage that only tells its zones does without.
func (s *Stage) prepare() {
	r := s.random(24)
	s.work, s.base = s.NewFrame(), s.NewFrame()
	w, h := s.work.width, s.work.height
	n := w * h
	s.work.glow, s.base.glow = make([]byte, n), make([]byte, n)
	for _, p := range []*[]byte{&s.local, &s.street, &s.infrared, &s.depth, &s.vignette} {
		*p = make([]byte, n)
	}
	s.texture, s.ratio = make([]int8, n), ratios()
	coarse := make([]float64, (w/8+2)*(h/8+2))
	for i := range coarse {
		coarse[i] = r.NormFloat64()
	}
	for y := range h {
		for x := range w {
			i := y*w + x
			s.light(x, y, i)
			c := coarse[y/8*(w/8+2)+x/8:]
			fx, fy := float64(x%8)/8, float64(y%8)/8
			top, bottom := c[0]*(1-fx)+c[1]*fx, c[w/8+2]*(1-fx)+c[w/8+3]*fx
			s.texture[i] = int8(math.Round(2.2*(top*(1-fy)+bottom*fy) + 1.8*r.NormFloat64()))
			dx, dy := float64(x)/float64(w)-0.5, float64(y)/float64(h)-0.5
			s.vignette[i] = byte(255 * (1 - 0.26*(dx*dx+dy*dy)))
		}
	}
	if s.place.water != nil {
		s.waves = make([]byte, n)
		s.pen.note(s.waves, w, s.view.project(s.place.water...), 1)
	}
}

// light works out the distance and the light of lamps at a pixel.
func (s *Stage) light(x, y, i int) {
	v := s.view
	px, py := (float64(x)+0.5-v.width/2)/v.focal, (v.height/2-float64(y)-0.5)/v.focal
	if v.mirrored {
		px = -px
	}
	dir := v.forward.plus(v.right.times(px)).plus(v.up.times(py))
	radius := math.Hypot(px, py) * v.focal / v.width * 2 // 1 at the sides
	spot := math.Exp(-0.9 * radius * radius)
	// Walls and the sky count as so many metres away, like the ground there.
	const farthest = 65.0
	t := farthest
	if dir.y < -v.at.y/farthest {
		t = -v.at.y / dir.y
	}
	at := v.at.plus(dir.times(t))
	s.depth[i] = byte(2 * t)
	sum := 0.0
	for _, l := range s.place.lamps {
		d := (at.x-l.x)*(at.x-l.x) + (at.z-l.z)*(at.z-l.z)
		k := l.y * l.y / (l.y*l.y + d)
		sum += k * math.Sqrt(k)
	}
	s.street[i] = byte(min(18+215*sum, 255))
	s.infrared[i] = byte(min(255*spot*math.Pow(9/max(t, 6), 1.1)+0.35*255*min(sum, 1)*lampLevel/irLevel, 255))
}

// Moment is what a stage shows at one time.
type Moment struct {
	// At is the time of day where the stage is, in its location.
	At   time.Time
	Sky  Sky
	Acts []Playing
}

// Playing is an act that runs, since when.
type Playing struct {
	Act   Act
	Since time.Duration
}

// epoch is what the seconds of a stage count from.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Draw draws a picture onto f. Times must not go back.
func (s *Stage) Draw(f *Frame, m Moment) {
	if s.local == nil {
		s.prepare()
	}
	now := m.At.Sub(epoch).Seconds()
	hour := float64(m.At.Hour()) + float64(m.At.Minute())/60
	s.sky = m.Sky
	elevation, _ := sunAt(m.At)
	degrees := elevation * 180 / math.Pi
	l := s.illuminate(degrees, now)
	s.traffic.advance(now, hour)
	if now-s.drawn > 300 || now < s.drawn {
		s.eye.settled = false
	}
	s.drawn = now

	lamps := smooth((s.lampsAt - degrees + 0.4) / 0.5)
	s.still(m.At, lamps)
	s.wave(now)
	switch {
	case s.eye.night:
		copy(s.local, s.infrared)
		l.lamps = irLevel
	case lamps > 0:
		copy(s.local, s.street)
		l.lamps = lampLevel * lamps
	default:
		clear(s.local)
		l.lamps = lampLevel
	}
	s.pen.frame, s.pen.beams, s.pen.flares = s.work, s.local, s.pen.flares[:0]
	s.pen.headlights = degrees < s.lampsAt+3 || s.sky.Fog > 0.3 || s.sky.Rain > 0.5
	s.pen.cloudy = max(s.sky.Cloud, smooth((2-degrees)/4))
	s.populate(now, m, lamps)
	s.look(f, l, now)
	s.after(f, lamps, degrees)
}

// look exposes the picture; at first it tries until the exposure is right.
func (s *Stage) look(f *Frame, l illumination, now float64) {
	for range 6 {
		mean := s.expose(f, l)
		before := s.eye.gain
		s.eye.adjust(mean, now)
		if s.eye.settled || math.Abs(s.eye.gain-before) < 0.03*before {
			break
		}
	}
	s.eye.settled, s.eye.last = true, now
}

// illuminate works out the light of a time.
func (s *Stage) illuminate(degrees, now float64) illumination {
	c := s.sky
	day := daylight(degrees) * (1 - 0.3*c.Cloud - 0.15*c.Rain)
	l := illumination{ambient: day + nightGlow + s.place.light, colour: 1 - 0.25*c.Cloud - 0.2*c.Rain}
	// Seeing 5 % of contrast at 50 m in thick fog, at 2 km in clear air.
	l.fog = 3 / (50 * math.Pow(40, 1-c.Fog)) * (1 + 2*c.Rain)
	if broken := 1 - math.Abs(2*c.Cloud-1); broken > 0.2 && day > 0.3 {
		l.shade = func(x, y float64) float64 {
			v := s.cloud(now/90 + 0.25*x - 0.4*y)
			return 1 - 0.42*min(broken*1.4, 1)*smooth((v-0.42)*5)
		}
	}
	if s.eye.infrared {
		if l.ambient < 0.15 {
			s.eye.night = true
		} else if l.ambient > 0.26 {
			s.eye.night = false
		}
	}
	l.grey = s.eye.night
	low := smooth((8-degrees)/10) * smooth((degrees+6)/5) * (1 - c.Cloud) // dawn and dusk are warm
	dark := smooth((1 - degrees) / 6)
	l.tint = [2]float64{-9 * low, 6 * low}
	if s.eye.sodium {
		l.tint[0] -= 8 * dark
		l.tint[1] += 4 * dark
	}
	l.colour *= 1 - 0.35*dark
	return l
}

// cloud is smooth noise of 0..1 that passes by.
func (s *Stage) cloud(u float64) float64 {
	i, f := int(math.Floor(u)), u-math.Floor(u)
	a, b := s.clouds[i&255], s.clouds[(i+1)&255]
	return a + (b-a)*smooth(f)
}

// still copies what never moves onto the work frame: between the two layers
// around now, and shaken by the wind.
func (s *Stage) still(at time.Time, lamps float64) {
	local := at.Unix()
	key := int(local / layerTime)
	if s.layers[1].frame != nil && s.layers[1].key == key {
		s.layers[0], s.layers[1] = s.layers[1], s.layers[0]
	}
	for i := range s.layers {
		if s.layers[i].frame == nil || s.layers[i].key != key+i {
			s.layers[i].key = key + i
			s.paint(&s.layers[i], time.Unix(int64(key+i)*layerTime, 0).In(at.Location()))
		}
	}
	// Shadows creep: steps of a sixteenth of a layer's time show nothing.
	const steps = 16
	if n := int(local * steps / layerTime); n != s.blends {
		s.blends = n
		a, b := s.layers[0].frame, s.layers[1].frame
		k := n % steps * 256 / steps
		blend(s.base.Pix, a.Pix, b.Pix, k)
		blend(s.base.glow, a.glow, b.glow, k)
	}
	copy(s.work.Pix, s.base.Pix)
	switch level := int(lamps * 256); level {
	case 0:
		clear(s.work.glow)
	case 256:
		copy(s.work.glow, s.base.glow)
	default:
		for i, g := range s.base.glow {
			s.work.glow[i] = byte(int(g) * level >> 8)
		}
	}
	if shake := s.shaky * s.sky.Wind * s.sky.Wind; shake > 0.02 {
		s.shake(shake)
	}
}

func blend(dst, a, b []byte, k int) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = byte(int(a[i]) + (int(b[i])-int(a[i]))*k>>8)
	}
}

// shake moves the luma of what stands still by part of a pixel.
func (s *Stage) shake(by float64) {
	w, h := s.work.width, s.work.height
	dx, dy := by*s.chance.NormFloat64(), by*s.chance.NormFloat64()
	dx, dy = min(max(dx, -1.5), 1.5), min(max(dy, -1.5), 1.5)
	ix, iy := int(math.Floor(dx)), int(math.Floor(dy))
	fx, fy := int((dx-float64(ix))*16), int((dy-float64(iy))*16)
	y0, _, _ := s.work.planes()
	if cap(s.pen.scratch) < len(y0) {
		s.pen.scratch = make([]byte, len(y0))
	}
	from := s.pen.scratch[:len(y0)]
	copy(from, y0)
	for y := 2; y < h-3; y++ {
		a, b := from[(y+iy)*w:][:w], from[(y+iy+1)*w:][:w]
		out := y0[y*w:][:w]
		for x := 2; x < w-3; x++ {
			top := int(a[x+ix])*(16-fx) + int(a[x+ix+1])*fx
			bottom := int(b[x+ix])*(16-fx) + int(b[x+ix+1])*fx
			out[x] = byte((top*(16-fy) + bottom*fy) >> 8)
		}
	}
}

// paint draws what never moves, as it looks at a time.
func (s *Stage) paint(l *layer, at time.Time) {
	if l.frame == nil {
		l.frame = s.NewFrame()
		l.frame.glow = make([]byte, s.work.width*s.work.height)
	}
	clear(l.frame.glow)
	elevation, azimuth := sunAt(at)
	degrees := elevation * 180 / math.Pi
	p := &pen{view: s.view, frame: l.frame, evening: s.random(22)}
	p.cloudy = max(s.sky.Cloud, smooth((2-degrees)/4))
	sa, ca := math.Sincos(azimuth - s.facing)
	se, ce := math.Sincos(max(elevation, 0.12))
	p.sun = vec{sa * ce, se, ca * ce}
	if degrees < 4 {
		hour := at.Hour()
		switch {
		case hour >= 16 && hour < 22:
			p.lit = 0.5
		case hour >= 22:
			p.lit = 0.25
		case hour >= 5:
			p.lit = 0.15
		default:
			p.lit = 0.05
		}
	}
	p.heaven(s.sky, degrees, p.sun)
	p.headlights = false
	s.place.draw(p, s.random(1))
	for _, t := range s.place.trees {
		p.trunk(t)
	}
	if s.place.before != nil {
		clear(s.hidden)
		if s.hidden == nil {
			s.hidden = make([]byte, s.work.width*s.work.height)
		}
		s.place.before(p, s.hidden, s.random(23))
	}
	y, _, _ := l.frame.planes()
	for i, v := range y {
		y[i] = byte(min(max(int(v)*int(s.vignette[i])>>8+int(s.texture[i]), darkest), brightest))
	}
}

// heaven fills the picture with the sky of a time of day, the sun in it, and
// ground below.
func (p *pen) heaven(c Sky, degrees float64, sun vec) {
	grey := smooth((c.Cloud - 0.3) * 2)
	high := rgb(0x7fa6cf).toward(rgb(0xaab4bb), grey)
	low := rgb(0xd5e2ea).toward(rgb(0xd4d8d8), grey)
	red := smooth((9-degrees)/8) * smooth((degrees+7)/5) * (1 - grey)
	toSun := 0.4 + 0.6*max(0, sun.z)
	low = low.toward(rgb(0xf59a4a), red*toSun)
	high = high.toward(rgb(0x8a86a8), red)
	h := p.view.horizon()
	for y := 0.0; y < max(h, 0)+2; y += 2 {
		k := smooth(y / max(h, 1))
		p.glow = byte(14 * red * k)
		p.paint(p.frame, []point{{0, y}, {p.view.width, y}, {p.view.width, y + 3}, {0, y + 3}}, high.toward(low, k), 1)
	}
	p.glow = 0
	if at := p.view.at.plus(sun.times(900)); degrees > -1 && degrees < 25 && grey < 0.6 && p.view.depth(at) > near {
		for i, k := range []float64{34, 22, 12} {
			p.glow = byte(30 + 60*i)
			p.disc(rgb(0xffe9b8), 0.5*(1-grey), at, k*1.6, k*1.6)
		}
		p.glow = 0
	}
	p.paint(p.frame, []point{{0, h}, {p.view.width, h}, {p.view.width, p.view.height}, {0, p.view.height}}, rgb(0x8f8f88), 1)
}

// wave lets the water move.
func (s *Stage) wave(now float64) {
	if s.waves == nil {
		return
	}
	w, h := s.work.width, s.work.height
	y0, _, _ := s.work.planes()
	grain := grains()
	row := make([]byte, w)
	for y := range h {
		mask := s.waves[y*w:][:w]
		if mask[w/2] == 0 && mask[0] == 0 && mask[w-1] == 0 {
			continue
		}
		line := y0[y*w:][:w]
		copy(row, line)
		amp := 4 + 40/max(float64(s.depth[y*w+w/2])/2, 4) // nearer waves are larger
		shift := int(math.Round(1.5 * math.Sin(float64(y)*0.7+now*1.9)))
		off := s.chance.IntN(grainSize)
		broad := max(int(amp), 2)
		for x := range line {
			if mask[x] > 128 {
				n := int(grain[off+x/broad]) + int(grain[off+7000+x])>>1
				from := min(max(x+shift, 0), w-1)
				line[x] = byte(min(max(int(row[from])+n>>2, darkest), brightest))
			}
		}
	}
}

// populate draws what moves, from far to near.
func (s *Stage) populate(now float64, m Moment, lamps float64) {
	s.things = s.things[:0]
	add := func(depth float64, draw func()) { s.things = append(s.things, thing{depth, draw}) }
	s.show(now, len(m.Acts) == 0, add)
	taken := false
	for _, a := range m.Acts {
		a.Act.draw(s, a.Since.Seconds(), add)
		taken = taken || a.Act.taken != nil && a.Act.taken(a.Since.Seconds())
	}
	p := &s.pen
	if e := s.place.exhibit; e != nil && !taken {
		add(s.view.depth(*e), func() { p.bag(s.exhibit, *e, 0.42, 0.9) })
	}
	gust := s.sky.Wind * (0.6 + 0.8*s.cloud(now/7))
	for i, t := range s.place.trees {
		sway := gust * (0.5*math.Sin(now*1.7+float64(i)) + 0.25*math.Sin(now*4.1+2*float64(i)))
		add(s.view.depth(t), func() { p.crown(t, 0.95, sway, s.leaf) })
	}
	if c := s.place.cloth; c != nil {
		add(s.view.depth(*c), func() { p.cloth(*c, now, gust) })
	}
	for i, sg := range s.place.signs {
		add(s.view.depth(sg.corners[0]), func() { s.sign(sg, i, now, lamps) })
	}
	slices.SortStableFunc(s.things, func(a, b thing) int { return cmp.Compare(b.depth, a.depth) })
	behind := s.view.depth(vec{0, 0, s.place.behind})
	for _, t := range s.things {
		p.before = nil
		if s.hidden != nil && t.depth > behind {
			p.before = s.hidden
		}
		t.draw()
	}
	p.before = nil
}

// sign draws a sign as it shines now.
func (s *Stage) sign(g sign, index int, now, lamps float64) {
	p := &s.pen
	t, level := g.tone, lamps
	switch {
	case g.blink < 0: // a traffic light
		red := math.Mod(now, lightsCycle) > lightsGreen
		level = pick3(red == (g.blink == -1), 1.0, 0.0)
	case g.screen:
		r := rand.New(rand.NewPCG(uint64(now/(4+3*g.phase)), uint64(index))) //nolint:gosec // chance for pictures
		t = rgb(pick[uint32](r, 0xff7a20, 0xff3020, 0xffd040, 0x3080ff, 0xf0f0f0, 0x30c060))
	case g.blink > 0:
		k := math.Sin(2 * math.Pi * (now*g.blink + g.phase))
		level *= 0.35 + 0.65*smooth(0.5+2*k)
	}
	p.glow = byte(float64(g.glow) * level)
	if level < 0.05 {
		t = t.lit(0.55)
	}
	p.poly(t, 1, g.corners...)
	p.glow = 0
}

// cloth draws a red cloth that the wind moves, on a line between posts.
func (p *pen) cloth(at vec, now, wind float64) {
	red := rgb(0xc8241c)
	p.post(rgb(0x6f7577), at, 2.3, 0.07)
	const n = 7
	var top, bottom [n + 1]vec
	for i := range n + 1 {
		x := 1.7 * float64(i) / n
		k := float64(i) / n * (0.08 + 0.3*wind)
		wave := k * math.Sin(now*5.3-float64(i)*1.1)
		top[i] = at.plus(vec{x, 2.2 + wave*0.5, wave})
		bottom[i] = at.plus(vec{x + 0.2*wave, 1.1 + 0.25*math.Abs(wave), wave * 1.3})
	}
	for i := range n {
		p.poly(red.lit(0.9+0.25*math.Sin(float64(i)*1.1-now*5.3)), 1, top[i], top[i+1], bottom[i+1], bottom[i])
	}
}

// after adds what happens in the lens and before it: halos, mirrors of lamps
// on wet ground, rain, insects.
func (s *Stage) after(f *Frame, lamps, degrees float64) {
	dark := smooth((s.lampsAt + 3 - degrees) / 3)
	strength := 26 * min(s.eye.gain, 5) * max(dark, 0.15)
	for _, l := range s.pen.flares {
		d := s.view.depth(l.at)
		c := s.view.pixel(l.at)
		size := max(l.size, 0.55)
		k := strength
		if l.warm {
			k *= 0.25
		}
		halo(f, c, min(max(size*s.view.focal/d, 2), 30), k)
		if wet := s.sky.Rain; wet > 0.15 {
			foot := s.view.pixel(vec{l.at.x, 0, l.at.z})
			streak(f, foot, min(3+60/d, 14), 2*(foot.y-c.y)+40/d, k*min(wet, 0.6))
		}
	}
	if lamps > 0.1 {
		for _, b := range s.place.lamps {
			if d := s.view.depth(b); d > near {
				halo(f, s.view.pixel(b), min(0.7*s.view.focal/d, 30), 0.8*strength*lamps)
			}
		}
	}
	s.rain(f)
	if r := s.chance; dark > 0.8 && r.Float64() < s.insects*(1-s.sky.Rain)*(1-0.7*s.sky.Wind) {
		for range 1 + r.IntN(2) {
			c := point{between(r, 0, s.view.width), between(r, 0, s.view.height)}
			size := s.view.width / 352 * between(r, 2, 11)
			dx, dy := between(r, -size, size), between(r, -size, size)
			for i := range 1 + 5*r.IntN(2) { // some are smeared by their flight
				halo(f, point{c.x + dx*float64(i)*0.8, c.y + dy*float64(i)*0.8}, size, between(r, 20, 75)/(1+0.2*float64(i)))
			}
		}
	}
}

// streak adds the mirror image of a lamp on wet ground.
func streak(f *Frame, top point, wide, tall, strength float64) {
	y, _, _ := f.planes()
	for j := max(int(top.y), 0); j < min(int(top.y+tall), f.height); j++ {
		k := strength * (1 - (float64(j)-top.y)/tall)
		for i := max(int(top.x-wide/2), 0); i < min(int(top.x+wide/2)+1, f.width); i++ {
			d := 1 - math.Abs(float64(i)-top.x)/wide*2
			y[j*f.width+i] = byte(min(float64(y[j*f.width+i])+k*max(d, 0), 255))
		}
	}
}

// rain draws drops that fall during the exposure.
func (s *Stage) rain(f *Frame) {
	if s.sky.Rain < 0.05 {
		return
	}
	r, scale := s.chance, s.view.width/352
	y, _, _ := f.planes()
	slant := 0.1 + 0.5*s.sky.Wind
	for range int(170 * s.sky.Rain) {
		nearness := r.Float64()
		nearness *= nearness
		tall := scale * (4 + 26*nearness)
		x, top := r.Float64()*s.view.width, r.Float64()*s.view.height
		bright := 7 + 20*nearness
		for j := 0.0; j < tall; j++ {
			px, py := int(x+j*slant), int(top+j)
			if px < 0 || px >= f.width || py >= f.height {
				break
			}
			v := &y[py*f.width+px]
			*v = byte(min(float64(*v)+bright, 255))
		}
	}
}
