package scene

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Sky is the weather over a stage at one moment; each part is 0..1.
type Sky struct {
	// Cloud is 0 for a clear sky and 1 for an overcast one.
	Cloud float64
	// Drift is by how much a passing cloud dims the sun now.
	Drift float64
	// Rain is 1 for a downpour.
	Rain float64
	// Fog is 1 for sight of 50 m, 0 for none.
	Fog float64
	// Wind is 1 for a storm.
	Wind float64
}

// sunAt returns the sun's elevation and its azimuth from north, in radians, at
// a local solar time in Shanghai's latitude.
func sunAt(t time.Time) (elevation, azimuth float64) {
	const latitude = 31.2 * math.Pi / 180
	declination := 23.44 * math.Pi / 180 * math.Sin(2*math.Pi*float64(t.YearDay()-81)/365)
	hours := float64(t.Hour()) + float64(t.Minute())/60 + float64(t.Second())/3600
	angle := (hours - 12) * math.Pi / 12
	sl, cl := math.Sincos(latitude)
	sd, cd := math.Sincos(declination)
	elevation = math.Asin(sl*sd + cl*cd*math.Cos(angle))
	azimuth = math.Pi + math.Atan2(math.Sin(angle), math.Cos(angle)*sl-sd/cd*cl)
	return elevation, azimuth
}

// daylight is how bright the open sky makes the ground at an elevation of the
// sun in degrees, 1 at noon in summer. It is a level of the picture, not of
// light: eyes and gamma curves see the root of what is there.
func daylight(degrees float64) float64 {
	steps := [...][2]float64{{-14, 0}, {-8, 0.012}, {-5, 0.05}, {-2, 0.16}, {0, 0.28}, {3, 0.45}, {10, 0.72}, {20, 0.9}, {35, 1}}
	if degrees <= steps[0][0] {
		return 0
	}
	for i := 1; i < len(steps); i++ {
		if a, b := steps[i-1], steps[i]; degrees < b[0] {
			return a[1] + (b[1]-a[1])*(degrees-a[0])/(b[0]-a[0])
		}
	}
	return 1
}

// eye is how a camera sees: its automatic exposure and its infrared lamp.
type eye struct {
	// Of the camera.
	most     float64 // the highest gain
	infrared bool    // it has a lamp, and drops colour at night
	sodium   bool    // street lamps before it are yellow
	slow     float64 // seconds that the exposure lags

	// State.
	settled bool
	gain    float64
	night   bool // the infrared lamp is on
	last    float64
}

const (
	nightGlow  = 0.016 // what a city's sky gives at night
	lampLevel  = 0.26  // at the foot of a street lamp
	irLevel    = 0.32  // where an infrared lamp shines most
	glowLevel  = 1.5   // of what glows most
	wantedLuma = 104   // mean that the exposure aims for
	lowestGain = 0.55
)

// adjust lets the exposure follow the mean luma that the present gain gave.
func (e *eye) adjust(mean, now float64) {
	ratio := wantedLuma / max(mean, 1)
	if !e.settled {
		e.gain = min(max(e.gain*ratio, lowestGain), e.most)
		return
	}
	lag := 1 - math.Exp(-(now-e.last)/e.slow)
	e.last = now
	// It rests while the picture is about right, and moves in steps.
	if ratio > 0.87 && ratio < 1.15 {
		return
	}
	const step = 1.06
	steps := math.Round(math.Log(math.Pow(ratio, lag)) / math.Log(step))
	e.gain = min(max(e.gain*math.Pow(step, steps), lowestGain), e.most)
}

// illumination is what makes a drawn frame a picture.
type illumination struct {
	ambient float64 // level of the open sky
	lamps   float64 // level of the local light at 255
	shade   func(x, y float64) float64
	fog     float64 // extinction a metre
	tint    [2]float64
	colour  float64 // how much colour is left
	grey    bool
}

// tones maps a level, 2 to a luma step, to luma: straight up to bright, then
// ever flatter.
var tones = sync.OnceValue(func() *[4096]byte {
	var t [4096]byte
	for i := range t {
		v := float64(i) / 2
		if v > 190 {
			v = 190 + 62*(1-math.Exp(-(v-190)/90))
		}
		t[i] = byte(v)
	}
	return &t
})

// grainSize is the number of samples of noise; it is no multiple of any
// picture's width.
const grainSize = 1<<17 + 29

// grains is normal noise of deviation 16, shared by all stages.
var grains = sync.OnceValue(func() []int8 {
	r := rand.New(rand.NewPCG(5, 5))
	g := make([]int8, 2*grainSize)
	for i := range g[:grainSize] {
		g[i] = int8(min(max(math.Round(16*r.NormFloat64()), -60), 60))
	}
	copy(g[grainSize:], g)
	return g
})

// limits clamps luma and noise; index 0 is −512.
var limits = sync.OnceValue(func() *[2048]byte {
	var t [2048]byte
	for i := range t {
		t[i] = byte(min(max(i-512, 0), 255))
	}
	return &t
})

const block = 8 // pixels: the grid of a clouds' shade, and of an encoder

// expose makes a picture of a frame: by the light that falls on it, what
// glows, the fog before it and the sensor's noise. It returns the mean luma.
func (s *Stage) expose(out *Frame, l illumination) float64 {
	w, h := s.work.width, s.work.height
	e, r := &s.eye, s.chance
	albedo, cb, cr := s.work.planes()
	outY, outCb, outCr := out.planes()
	noise := math.Max(0.7, 0.75+0.85*math.Log2(max(e.gain, 1)))
	if s.Noise > 0 {
		noise = s.Noise
	}
	sigma := int(noise * 16)
	lamp := int(l.lamps * e.gain * 1024 / 255)
	// What shines saturates the sensor late: lenses scatter, exposures are short.
	glow := int(glowLevel * math.Pow(e.gain, 0.45) * 64)
	tone, limit, grain := tones(), limits(), grains()
	var veil [256]int
	for i := range veil {
		veil[i] = int(256 * (1 - math.Exp(-l.fog*float64(i)/2)))
	}
	fogLevel := min(int((l.ambient*0.8+l.lamps*0.25)*e.gain*230*2), 4095)
	fog := int(tone[max(fogLevel, 0)])
	row, blocky := make([]int, w), make([]int, w/block)
	sum := 0
	for y := range h {
		if y%block == 0 {
			for i := range blocky {
				blocky[i] = 512 + int(math.Round(r.NormFloat64()*0.45))
			}
		}
		if y%4 == 0 {
			base := l.ambient * e.gain * 1024
			if l.shade == nil {
				for x := range row {
					row[x] = int(base)
				}
			} else {
				a := base * l.shade(0, float64(y)/float64(h))
				for x := 0; x < w; x += block {
					b := base * l.shade(float64(x+block)/float64(w), float64(y)/float64(h))
					for i := range min(block, w-x) {
						row[x+i] = int(a + (b-a)*float64(i)/block)
					}
					a = b
				}
			}
		}
		at := y * w
		loc, gl := s.local[at:][:w], s.work.glow[at:][:w]
		lit := !zero(loc) || !zero(gl)
		ns := grain[r.IntN(grainSize):][:w]
		for x := 0; x < w; x += block {
			in, far, light := (*[block]byte)(albedo[at+x:]), (*[block]byte)(s.depth[at+x:]), (*[block]int)(row[x:])
			o, n, base := (*[block]byte)(outY[at+x:]), (*[block]int8)(ns[x:]), blocky[x/block]
			var v [block]int
			if lit {
				lo, g := (*[block]byte)(loc[x:]), (*[block]byte)(gl[x:])
				for i, a := range in {
					v[i] = int(a)*(light[i]+int(lo[i])*lamp)>>9 + int(g[i])*glow>>5
				}
			} else {
				for i, a := range in {
					v[i] = int(a) * light[i] >> 9
				}
			}
			for i, v := range v {
				c := int(tone[min(v, 4095)&4095])
				c += (fog - c) * veil[far[i]] >> 8
				p := limit[(c+int(n[i])*sigma>>8+base)&2047]
				o[i] = p
				sum += int(p)
			}
		}
	}
	if l.grey {
		for i := range outCb {
			outCb[i], outCr[i] = 128, 128
		}
		return float64(sum) / float64(w*h)
	}
	s.colours(cb, cr, outY, outCb, outCr, l)
	return float64(sum) / float64(w*h)
}

// zero tells whether all of a row is.
func zero(row []byte) bool {
	for ; len(row) >= 8; row = row[8:] {
		if binary.LittleEndian.Uint64(row) != 0 {
			return false
		}
	}
	return true
}

// colours makes the colours of a picture: they fade with the light, and where
// it is too bright for the sensor.
func (s *Stage) colours(cb, cr, outY, outCb, outCr []byte, l illumination) {
	w, h := s.work.width, s.work.height
	albedo := s.work.Pix
	keep := int(l.colour * 256)
	tb, tr := 128+int(l.tint[0]), 128+int(l.tint[1])
	grain := grains()
	r := s.chance
	for y := 0; y < h; y += 2 {
		at := y / 2 * (w / 2)
		ib, ir := cb[at:][:w/2], cr[at:][:w/2]
		ob, or := outCb[at:][:w/2], outCr[at:][:w/2]
		gl, in, lum := s.work.glow[y*w:][:w], albedo[y*w:][:w], outY[y*w:][:w]
		n := grain[r.IntN(grainSize):][:w]
		for x, b := range ib {
			k, luma, drawn := keep, int(lum[2*x]), int(in[2*x])
			switch {
			case gl[2*x] > 8:
				k = 290 - max(luma-220, 0)*4
				ob[x] = byte(min(max(128+(int(b)-128)*k>>8, 0), 255))
				or[x] = byte(min(max(128+(int(ir[x])-128)*k>>8, 0), 255))
				continue
			case luma < drawn:
				k = k * s.ratio[(luma>>2)<<6|drawn>>2] >> 8
			}
			if luma > 225 {
				k = k * (265 - luma) / 40
			}
			noise := int(n[2*x]) >> 5
			ob[x] = byte(min(max(tb+(int(b)-128)*k>>8+noise, 0), 255))
			or[x] = byte(min(max(tr+(int(ir[x])-128)*k>>8+noise, 0), 255))
		}
	}
}

// flare is a lamp that shines at the lens.
type flare struct {
	at   vec
	warm bool
	// size is in metres, 0 for a car's.
	size float64
}

// halo adds the light that a lens scatters around a lamp.
func halo(f *Frame, c point, radius, strength float64) {
	y, _, _ := f.planes()
	x0, x1 := max(int(c.x-radius), 0), min(int(c.x+radius)+1, f.width)
	for j := max(int(c.y-radius), 0); j < min(int(c.y+radius)+1, f.height); j++ {
		dy := (float64(j) - c.y) / radius
		for i := x0; i < x1; i++ {
			dx := (float64(i) - c.x) / radius
			if d := 1 - dx*dx - dy*dy; d > 0 {
				p := &y[j*f.width+i]
				*p = byte(min(float64(*p)+strength*d*d, 255))
			}
		}
	}
}

// shine adds light to a polygon of the ground.
func (p *pen) shine(plane []byte, level byte, corners ...vec) {
	if plane == nil {
		return
	}
	width := p.frame.width
	x0, y0, w, h := p.cover(p.view.project(corners...), width, p.frame.height)
	for y := range h {
		row := plane[(y0+y)*width+x0:][:w]
		for x, m := range p.mask.Pix[y*w : (y+1)*w] {
			if m != 0 {
				row[x] = byte(min(int(row[x])+int(m)*int(level)>>8, 255))
			}
		}
	}
}
