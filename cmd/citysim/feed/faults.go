package feed

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"videopatrol/cmd/citysim/scene"
	"videopatrol/detect"
)

// The faults of a scene.
const (
	Frozen  = "frozen"  // the same picture again and again; sometimes its clock runs on
	Dark    = "dark"    // next to no light
	Bright  = "bright"  // washed out
	Blurred = "blurred" // out of focus
	Covered = "covered" // something hangs before the lens, or most of it
	Moved   = "moved"   // the camera looks elsewhere
	Tinted  = "tinted"  // a cast of one colour
	Noisy   = "noisy"   // a sensor or a cable that fails
	Torn    = "torn"    // rows shifted, blocks lost
)

// Faults lists every fault.
func Faults() []string {
	return []string{Frozen, Dark, Bright, Blurred, Covered, Moved, Tinted, Noisy, Torn}
}

// player draws the samples of a day.
type player struct {
	d       *Day
	stage   *scene.Stage
	aside   *scene.Stage // where a camera looks that was moved
	frame   *scene.Frame
	picture detect.Picture
	random  *rand.Rand
	next    int // cue
	clock   bool
	fault   *trouble
	spare   []byte
}

// trouble is a fault that runs, and how strong it is.
type trouble struct {
	cue
	kept     []byte // the picture that a frozen camera repeats
	running  bool   // its clock runs on
	strength float64
	a, b, c  float64 // places and amounts of its own
}

func newPlayer(d *Day) *player {
	p := &player{d: d, random: rand.New(rand.NewPCG(d.o.Seed, 0xface))} //nolint:gosec // chance for pictures
	p.stage = scene.NewStage(d.o.Scene, d.o.Seed, scene.StageOptions{Width: d.o.Width, Height: d.o.Height})
	p.frame = p.stage.NewFrame()
	p.clock = p.random.IntN(10) < 6
	w, h := d.o.Width, d.o.Height
	img := p.frame.Image()
	p.picture = detect.Picture{
		Y:         detect.Plane{Pix: img.Y, Width: w, Height: h, Stride: w},
		Cb:        detect.Plane{Pix: img.Cb, Width: w / 2, Height: h / 2, Stride: w / 2},
		Cr:        detect.Plane{Pix: img.Cr, Width: w / 2, Height: h / 2, Stride: w / 2},
		FullRange: true,
	}
	p.spare = make([]byte, w*h)
	return p
}

// sample draws the picture of a time.
func (p *player) sample(at time.Time) detect.Picture {
	for p.next < len(p.d.cues) && !at.Before(p.d.cues[p.next].until) {
		p.next++
		p.fault = nil
		p.stage.Noise = 0
	}
	m := scene.Moment{At: at, Sky: p.d.sky.at(at)}
	if p.next < len(p.d.cues) {
		switch c := p.d.cues[p.next]; {
		case at.Before(c.from):
		case c.fault == "":
			m.Acts = []scene.Playing{{Act: c.act, Since: at.Sub(c.from)}}
		case p.fault == nil:
			r := rand.New(rand.NewPCG(c.seed, 1)) //nolint:gosec // chance for pictures
			p.fault = &trouble{cue: c, strength: r.Float64(), a: r.Float64(), b: r.Float64(), c: r.Float64(), running: r.IntN(2) == 0}
		default:
		}
	}
	if p.fault != nil {
		p.befall(p.fault, m)
		return p.picture
	}
	p.stage.Draw(p.frame, m)
	p.overlay(at)
	return p.picture
}

// befall draws a picture of a camera with a fault.
func (p *player) befall(f *trouble, m scene.Moment) {
	switch f.fault {
	case Frozen:
		if f.kept == nil {
			p.stage.Draw(p.frame, m)
			f.kept = slices.Clone(p.frame.Pix)
		}
		copy(p.frame.Pix, f.kept)
		shown := f.from
		if f.running {
			shown = m.At
		}
		p.overlay(shown)
		return
	case Moved:
		if p.aside == nil {
			p.aside = p.turned(f)
		}
		p.aside.Draw(p.frame, m)
	case Noisy:
		p.stage.Noise = 16 + 20*f.strength
		p.stage.Draw(p.frame, m)
		p.snow(f)
	default:
		p.stage.Draw(p.frame, m)
	}
	switch f.fault {
	case Dark:
		p.darken(f)
	case Bright:
		p.wash(f)
	case Blurred:
		p.blur(f)
	case Covered:
		p.cover(f)
	case Tinted:
		p.tint(f)
	case Torn:
		p.tear(f)
	}
	p.overlay(m.At)
}

// turned returns the stage as a camera sees it that somebody knocked.
func (p *player) turned(f *trouble) *scene.Stage {
	yaw := (0.16 + 0.4*f.strength) * math.Copysign(1, f.a-0.5)
	return scene.NewStage(p.d.o.Scene, p.d.o.Seed, scene.StageOptions{
		Width: p.d.o.Width, Height: p.d.o.Height, Yaw: yaw, Pitch: 0.16 * (f.b - 0.4),
	})
}

func (p *player) luma() (pix []byte, w, h int) {
	return p.picture.Y.Pix, p.picture.Y.Width, p.picture.Y.Height
}

func (p *player) darken(f *trouble) {
	y, _, _ := p.luma()
	for i, v := range y {
		y[i] = byte(float64(v)*(0.004+0.02*f.strength)) + byte(p.random.Uint32()&3) //nolint:gosec // two bits
	}
	for _, c := range [][]byte{p.picture.Cb.Pix, p.picture.Cr.Pix} {
		for i, v := range c {
			c[i] = byte(128 + (int(v)-128)/16)
		}
	}
}

func (p *player) wash(f *trouble) {
	y, _, _ := p.luma()
	keep := 0.22 - 0.16*f.strength
	for i, v := range y {
		y[i] = byte(min(240+float64(v)*keep-float64(p.random.Uint32()&1), 255))
	}
	for _, c := range [][]byte{p.picture.Cb.Pix, p.picture.Cr.Pix} {
		for i, v := range c {
			c[i] = byte(128 + (int(v)-128)/6)
		}
	}
}

// blur is a defocus: three box blurs are nearly a normal one.
func (p *player) blur(f *trouble) {
	y, w, h := p.luma()
	radius := int(math.Round(float64(w) / 352 * (3 + 4*f.strength)))
	for range 3 {
		box(y, p.spare, w, h, radius)
	}
	for _, c := range [][]byte{p.picture.Cb.Pix, p.picture.Cr.Pix} {
		box(c, p.spare, w/2, h/2, radius/2+1)
	}
	for i := range y { // the sensor is not blurred
		y[i] = byte(min(max(int(y[i])+int(p.random.Uint32()&3)-1, 0), 255))
	}
}

// box blurs a plane, along rows and then along columns.
func box(plane, spare []byte, w, h, radius int) {
	pass := func(dst, src []byte, lines, n, step, next int) {
		wide := 2*radius + 1
		for l := range lines {
			at := l * next
			sum := 0
			for i := -radius; i <= radius; i++ {
				sum += int(src[at+min(max(i, 0), n-1)*step])
			}
			for i := range n {
				dst[at+i*step] = byte(sum / wide)
				sum += int(src[at+min(i+radius+1, n-1)*step]) - int(src[at+max(i-radius, 0)*step])
			}
		}
	}
	pass(spare, plane, h, w, 1, w)
	pass(plane, spare, w, h, w, 1)
}

// cover hangs something before the lens, flat and out of focus: half of the
// time all over it, else from one side over most of the picture.
func (p *player) cover(f *trouble) {
	y, w, h := p.luma()
	level := 40 + 90*f.b
	whole := f.a < 0.5
	share := 0.58 + 0.34*f.strength
	cb, cr := byte(118+20*f.c), byte(122+14*f.b)
	edge := 0.05
	for j := range h {
		for i := range w {
			u, v := float64(i)/float64(w), float64(j)/float64(h)
			k := 1.0
			if !whole {
				across := u
				switch int(f.c * 4) {
				case 1:
					across = 1 - u
				case 2:
					across = v
				case 3:
					across = 1 - v
				}
				across += 0.04 * math.Sin(7*(u+v)+6*f.b)
				k = min(max((share-across)/edge+0.5, 0), 1)
			}
			if k == 0 {
				continue
			}
			du, dv := u-0.3, v-0.2
			t := level * (1.15 - 0.35*math.Sqrt(du*du+dv*dv))
			o := &y[j*w+i]
			noise := float64(p.random.Uint32()&3) - 1.5
			*o = byte(min(max(float64(*o)+(t+noise-float64(*o))*k, 0), 255))
			if i&1 == 0 && j&1 == 0 {
				at := j/2*(w/2) + i/2
				b, r := &p.picture.Cb.Pix[at], &p.picture.Cr.Pix[at]
				*b = byte(float64(*b) + (float64(cb)-float64(*b))*k)
				*r = byte(float64(*r) + (float64(cr)-float64(*r))*k)
			}
		}
	}
}

func (p *player) tint(f *trouble) {
	// Purple by day without an infrared filter, or a colour channel lost.
	cast := [...][2]int{{26, 34}, {-38, -22}, {40, -14}, {-34, 36}, {-20, -44}}[int(f.a*5)]
	k := 0.65 + 0.55*f.strength
	for i := range p.picture.Cb.Pix {
		b, r := &p.picture.Cb.Pix[i], &p.picture.Cr.Pix[i]
		*b = byte(min(max(float64(*b)+k*float64(cast[0]), 0), 255))
		*r = byte(min(max(float64(*r)+k*float64(cast[1]), 0), 255))
	}
}

// snow adds what a bad cable does: specks of white and black, and coloured noise.
func (p *player) snow(f *trouble) {
	y, _, _ := p.luma()
	for range int(float64(len(y)) * (0.004 + 0.02*f.c)) {
		y[p.random.IntN(len(y))] = byte(p.random.Uint32() & 0xff) //nolint:gosec // a byte
	}
	for _, c := range [][]byte{p.picture.Cb.Pix, p.picture.Cr.Pix} {
		for i, v := range c {
			c[i] = byte(min(max(int(v)+int(p.random.Uint32()&31)-16, 0), 255)) //nolint:gosec // small numbers
		}
	}
}

// tear shifts bands of rows and loses blocks, other ones in each picture.
func (p *player) tear(f *trouble) {
	y, w, h := p.luma()
	r := p.random
	for range 4 + int(5*f.strength) {
		top, tall := r.IntN(h-16)&^15, 16*(1+r.IntN(3))
		by := (r.IntN(w/2) - w/4) &^ 1
		for j := top; j < min(top+tall, h); j++ {
			roll(y[j*w:][:w], p.spare, by)
			if j%2 == 0 {
				for _, c := range [][]byte{p.picture.Cb.Pix, p.picture.Cr.Pix} {
					roll(c[j/2*(w/2):][:w/2], p.spare, by/2)
				}
			}
		}
	}
	// From a lost slice on, blocks repeat what is above them, or are grey.
	for range 30 + int(70*f.strength) {
		x, top := r.IntN(w/16)*16, (1+r.IntN(h/16-1))*16
		flat, coloured, level := r.IntN(2) == 0, r.IntN(4) == 0, byte(60+r.IntN(120)) //nolint:gosec // below 256
		for j := range 16 {
			row := y[(top+j)*w+x:][:16]
			if flat {
				for i := range row {
					row[i] = level
				}
			} else {
				copy(row, y[(top-1)*w+x:][:16])
			}
			if j%2 == 0 && (flat || coloured) {
				for i := range 8 {
					at := (top+j)/2*(w/2) + x/2 + i
					p.picture.Cb.Pix[at], p.picture.Cr.Pix[at] = 128, 128
					if coloured {
						p.picture.Cb.Pix[at], p.picture.Cr.Pix[at] = level/2+70, 255-level
					}
				}
			}
		}
	}
}

// roll shifts a row sideways, around its ends.
func roll(row, spare []byte, by int) {
	n := len(row)
	by = (by%n + n) % n
	copy(spare, row[n-by:])
	copy(spare[by:n], row[:n-by])
	copy(row, spare[:n])
}
