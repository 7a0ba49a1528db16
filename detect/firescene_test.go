package detect_test

import (
	"math"
	"math/rand/v2"

	"videopatrol/detect"
)

// A canvas is an RGB picture of a scene, 0..255 and beyond before it is shot.
type canvas struct {
	w, h int
	rgb  []float32
}

func newCanvas(w, h int) *canvas { return &canvas{w: w, h: h, rgb: make([]float32, 3*w*h)} }

func (c *canvas) clone() *canvas {
	o := newCanvas(c.w, c.h)
	copy(o.rgb, c.rgb)
	return o
}

type colour [3]float32

func (c colour) times(v float32) colour { return colour{c[0] * v, c[1] * v, c[2] * v} }

func (c colour) mix(o colour, a float32) colour {
	return colour{c[0] + (o[0]-c[0])*a, c[1] + (o[1]-c[1])*a, c[2] + (o[2]-c[2])*a}
}

// paint asks at every pixel within a rectangle, all in shares, for a colour
// and how much of it covers what was there; more than 1 adds light.
func (c *canvas) paint(x0, y0, x1, y1 float64, at func(x, y float64) (colour, float32)) {
	for y := max(0, int(y0*float64(c.h))); y < min(c.h, int(math.Ceil(y1*float64(c.h)))); y++ {
		for x := max(0, int(x0*float64(c.w))); x < min(c.w, int(math.Ceil(x1*float64(c.w)))); x++ {
			col, a := at((float64(x)+0.5)/float64(c.w), (float64(y)+0.5)/float64(c.h))
			if a <= 0 {
				continue
			}
			p := c.rgb[3*(y*c.w+x):][:3]
			for i := range p {
				p[i] += (col[i] - p[i]) * min(a, 1)
			}
		}
	}
}

// glow adds light around a point.
func (c *canvas) glow(x, y, radius float64, light colour) {
	aspect := float64(c.w) / float64(c.h)
	c.add(x-3*radius, y-3*radius*aspect, x+3*radius, y+3*radius*aspect, func(px, py float64) colour {
		d := ((px-x)*(px-x) + (py-y)*(py-y)/aspect/aspect) / radius / radius
		return light.times(float32(math.Exp(-d)))
	})
}

func (c *canvas) add(x0, y0, x1, y1 float64, at func(x, y float64) colour) {
	for y := max(0, int(y0*float64(c.h))); y < min(c.h, int(math.Ceil(y1*float64(c.h)))); y++ {
		for x := max(0, int(x0*float64(c.w))); x < min(c.w, int(math.Ceil(x1*float64(c.w)))); x++ {
			col := at((float64(x)+0.5)/float64(c.w), (float64(y)+0.5)/float64(c.h))
			p := c.rgb[3*(y*c.w+x):][:3]
			for i := range p {
				p[i] += col[i]
			}
		}
	}
}

func (c *canvas) scale(v float32) {
	for i := range c.rgb {
		c.rgb[i] *= v
	}
}

// shoot makes a picture of limited range, with a sensor's noise.
func (c *canvas) shoot(r *rand.Rand, noise float64) detect.Picture {
	cw, ch := (c.w+1)/2, (c.h+1)/2
	p := detect.Picture{
		Y:  detect.Plane{Pix: make([]byte, c.w*c.h), Width: c.w, Height: c.h, Stride: c.w},
		Cb: detect.Plane{Pix: make([]byte, cw*ch), Width: cw, Height: ch, Stride: cw},
		Cr: detect.Plane{Pix: make([]byte, cw*ch), Width: cw, Height: ch, Stride: cw},
	}
	clip := func(v float32) float32 { return max(0, min(v, 255)) }
	for y := range c.h {
		for x := range c.w {
			at := c.rgb[3*(y*c.w+x):]
			r8, g8, b8 := clip(at[0]), clip(at[1]), clip(at[2])
			luma := 0.299*r8 + 0.587*g8 + 0.114*b8
			n := float32((r.Float64() + r.Float64() + r.Float64() - 1.5) * 2 * noise)
			p.Y.Pix[y*c.w+x] = byte(max(16, min(16+luma*219/255+n+0.5, 235)))
			if x%2 == 0 && y%2 == 0 {
				p.Cb.Pix[y/2*cw+x/2] = byte(128 + (b8-luma)/1.772*224/255 + n/3 + 0.5)
				p.Cr.Pix[y/2*cw+x/2] = byte(128 + (r8-luma)/1.402*224/255 - n/3 + 0.5)
			}
		}
	}
	return p
}

// field is smooth noise 0..1 in three dimensions, of period 256.
type field [256]float32

func newField(r *rand.Rand) *field {
	var f field
	for i := range f {
		f[i] = r.Float32()
	}
	return &f
}

func (f *field) at(x, y, z float64) float32 {
	fx, fy, fz := math.Floor(x), math.Floor(y), math.Floor(z)
	ease := func(v float64) float32 { return float32(v * v * (3 - 2*v)) }
	u, v, w := ease(x-fx), ease(y-fy), ease(z-fz)
	h := func(i, j, k int) float32 {
		return f[uint8(int(fx)+i+57*(int(fy)+j)+131*(int(fz)+k)+(int(fx)+i)*(int(fy)+j)*7)]
	}
	lerp := func(a, b, t float32) float32 { return a + (b-a)*t }
	plane := func(k int) float32 {
		return lerp(lerp(h(0, 0, k), h(1, 0, k), u), lerp(h(0, 1, k), h(1, 1, k), u), v)
	}
	return lerp(plane(0), plane(1), w)
}

// rough sums two octaves.
func (f *field) rough(x, y, z float64) float32 {
	return 0.65*f.at(x, y, z) + 0.35*f.at(2.1*x+7, 2.1*y+3, 2.1*z+1)
}

// street draws a place of houses, road and green; night is 0 for day, 1 for
// the darkest night with lamps.
func street(r *rand.Rand, night float32) *canvas {
	c := newCanvas(320, 240)
	f := newField(r)
	wall := colour{150 + 60*r.Float32(), 130 + 50*r.Float32(), 110 + 50*r.Float32()}
	horizon := 0.12 + 0.1*r.Float64()
	houses := 0.38 + 0.1*r.Float64()
	n := 5 + float64(r.IntN(6))
	c.paint(0, 0, 1, 1, func(x, y float64) (colour, float32) {
		grain := f.rough(40*x, 40*y, 0)*0.4 + 0.8
		switch {
		case y < horizon:
			return colour{185, 205, 230}, 1
		case y < houses:
			if math.Mod(x*n, 1) > 0.45 && math.Mod(y*14, 1) > 0.5 {
				return colour{50, 55, 65}.times(grain), 1
			}
			return wall.times(grain), 1
		case math.Abs(x-0.5-0.4*(y-0.6)) < 0.006:
			return colour{225, 225, 220}, 1
		case x < 0.22:
			return colour{60, 95, 45}.times(grain * (0.6 + 0.8*f.at(90*x, 70*y, 4))), 1
		default:
			v := float32(90 + 50*y)
			return colour{v, v, v + 3}.times(grain), 1
		}
	})
	if night > 0 {
		c.scale(1 - 0.86*night)
		for range 2 + r.IntN(3) { // street lamps, warm
			x := r.Float64()
			c.glow(x, houses-0.05, 0.012, colour{330, 270, 170}.times(night))
			c.glow(x, houses+0.1, 0.12, colour{60, 45, 22}.times(night))
		}
	}
	return c
}

// A stage is a scene that moves: every call draws it at a second.
type stage func(sec float64) *canvas

// fire burns at a place from a second on and grows; it lights what is around.
func fire(r *rand.Rand, in stage, x, y, size, from, growth float64, night float32) stage {
	f := newField(r)
	phase := 100 * r.Float64()
	return func(sec float64) *canvas {
		c := in(sec)
		if sec < from {
			return c
		}
		t := phase + sec*7.3 // a flame is another one after a fraction of a second
		h := size * (1 + growth*(sec-from)/60) * (0.8 + 0.4*float64(f.at(t, 1, 1)))
		w := 0.45 * h
		c.glow(x, y-0.3*h, 1.3*h, colour{70, 35, 12}.times(0.3+0.7*night))
		c.paint(x-w, y-1.6*h, x+w, y+0.1*h, func(px, py float64) (colour, float32) {
			up := (y - py) / h // 0 at the foot, 1 at the usual tip
			lean := 0.5 * up * float64(f.at(t, 3, 5)-0.5)
			side := math.Abs((px-x)/w - lean)
			v := 1.25 - side*(1+0.7*max(0, up)) - 0.75*math.Abs(up-0.15) + 0.9*float64(f.rough(5*px/h+3, 4*py/h+1.3*t, 0.7*t)-0.5)
			return flame(float32(v))
		})
		return c
	}
}

// flame is the colour of burning soot by its heat, and how much it covers.
func flame(v float32) (colour, float32) {
	red, orange, yellow, white := colour{190, 45, 12}, colour{255, 120, 25}, colour{255, 205, 75}, colour{255, 250, 215}
	switch {
	case v < 0.12:
		return red, 0
	case v < 0.35:
		return red.mix(orange, (v-0.12)/0.23), (v - 0.12) / 0.23
	case v < 0.65:
		return orange.mix(yellow, (v-0.35)/0.3), 1
	default:
		return yellow.mix(white, min(1, (v-0.65)/0.35)), 1
	}
}

// smoke rises from a place from a second on, spreads and leans with the wind.
func smoke(r *rand.Rand, in stage, x, y, from, last float64, grey colour, dense float32) stage {
	f := newField(r)
	wind := r.Float64() - 0.5
	phase := 100 * r.Float64()
	return func(sec float64) *canvas {
		c := in(sec)
		if sec < from || sec > from+last {
			return c
		}
		age := min(1, (sec-from)/40)
		t := phase + sec*0.8
		reach := 0.15 + 0.55*age
		c.paint(0, y-reach-0.1, 1, y+0.05, func(px, py float64) (colour, float32) {
			up := (y - py) / reach
			width := 0.05 + 0.22*age*max(0, up)
			middle := x + wind*0.35*max(0, up)*reach*2
			side := (px - middle) / width
			v := float32(math.Exp(-side*side)) * float32(max(0, 1-max(0, up-0.6)/0.5)) * float32(max(0, min(1, (up+0.1)*8)))
			n := f.rough(6*px, 6*py+1.5*t, 0.5*t)
			return grey.times(0.85 + 0.3*f.at(9*px, 9*py+t, 3)), dense * v * min(1.15, 0.35+1.3*n)
		})
		return c
	}
}

// still is a scene in which nothing happens.
func still(c *canvas) stage { return func(float64) *canvas { return c.clone() } }

// A quiet scene is one that must give neither flame nor smoke.
type quietScene struct {
	name string
	make func(r *rand.Rand) stage
}

var vivid = []colour{{255, 30, 25}, {255, 95, 20}, {255, 60, 60}, {255, 170, 30}, {250, 40, 130}}

func anyOf[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// neon draws a sign of tubes of which those that on tells are lit.
func neon(r *rand.Rand, states int) stage {
	back := street(r, 0.7+0.3*r.Float32())
	x, y, w, h := 0.15+0.4*r.Float64(), 0.15+0.2*r.Float64(), 0.15+0.2*r.Float64(), 0.08+0.12*r.Float64()
	tubes := 3 + r.IntN(5)
	colours := make([]colour, tubes)
	for i := range colours {
		colours[i] = anyOf(r, vivid)
	}
	pace := 0.3 + 2*r.Float64()
	return func(sec float64) *canvas {
		c := back.clone()
		state := int(sec*pace*3.7) % max(1, states)
		for i, col := range colours {
			if states > 1 && i%states != state && (states != 2 || i > 0) {
				continue
			}
			at := x + w*(float64(i)+0.5)/float64(tubes)
			for k := range 5 {
				c.glow(at, y+h*float64(k)/5, 0.3*w/float64(tubes), col.times(0.9))
			}
			c.paint(at-0.1*w/float64(tubes), y, at+0.1*w/float64(tubes), y+h, func(float64, float64) (colour, float32) {
				return col.mix(colour{255, 255, 255}, 0.7), 1
			})
		}
		return c
	}
}

// traffic lets cars with lights come towards the camera and go away; a jam
// stands for a while and moves on.
func traffic(r *rand.Rand, wet bool, jam float64, density int) stage {
	back := street(r, 0.6+0.4*r.Float32())
	seed := r.Uint64()
	return func(sec float64) *canvas {
		c := back.clone()
		turn := sec
		if jam > 0 {
			turn = math.Floor(sec/jam) * 1000
		}
		r := rand.New(rand.NewPCG(seed, uint64(turn*10)))
		for range r.IntN(density + 1) {
			near := r.Float64()
			y := 0.5 + 0.45*near
			size := 0.004 + 0.014*near
			gap := 3.5 * size
			head := r.IntN(2) == 0
			x := 0.3 + 0.28*r.Float64()
			light, halo := colour{330, 60, 50}, colour{150, 12, 10}
			if head {
				x += 0.3
				light, halo = colour{400, 380, 320}, colour{120, 100, 65}
			}
			if r.IntN(5) == 0 {
				light, halo = colour{330, 190, 60}, colour{140, 70, 10} // an indicator
			}
			for _, dx := range []float64{-gap, gap} {
				c.glow(x+dx, y, size, light)
				c.glow(x+dx, y, 2.2*size, halo)
				if !wet {
					continue
				}
				for k := range 12 { // a trembling streak on the road
					c.glow(x+dx+0.3*size*(r.Float64()-0.5), y+float64(k+1)*1.1*size, 0.8*size, light.times(float32(0.5*r.Float64())))
				}
			}
		}
		return c
	}
}

// quietScenes are what a flame or smoke is mistaken for.
var quietScenes = []quietScene{
	{"neon", func(r *rand.Rand) stage { return neon(r, 1) }},
	{"neon, blinking", func(r *rand.Rand) stage { return neon(r, 2) }},
	{"neon, running", func(r *rand.Rand) stage { return neon(r, 3) }},
	{"head and tail lights", func(r *rand.Rand) stage { return traffic(r, false, 0, 8) }},
	{"lights on a wet road", func(r *rand.Rand) stage { return traffic(r, true, 0, 10) }},
	{"a jam at night", func(r *rand.Rand) stage { return traffic(r, true, 35, 14) }},
	{"sunset", func(r *rand.Rand) stage {
		f := newField(r)
		back := street(r, 0.35)
		x := 0.2 + 0.6*r.Float64()
		return func(sec float64) *canvas {
			c := back.clone()
			sun := 0.12 + 0.05*sec/600
			c.paint(0, 0, 1, 0.32, func(px, py float64) (colour, float32) {
				d := math.Hypot(px-x, (py-sun)*0.75)
				sky := colour{250, 120, 50}.mix(colour{120, 90, 120}, float32(min(1, d*1.6)))
				cloud := f.rough(5*px+0.004*sec, 9*py, 0.003*sec)
				sky = sky.mix(colour{255, 90, 40}, max(0, cloud-0.4))
				return sky.mix(colour{255, 252, 220}, float32(math.Exp(-d*d*260))*1.2), 1
			})
			c.scale(float32(1 - 0.0004*sec))
			return c
		}
	}},
	{"a sunlit wall behind trees", func(r *rand.Rand) stage {
		f := newField(r)
		back := street(r, 0)
		wall := colour{255, 150 + 40*r.Float32(), 70 + 30*r.Float32()}
		return func(sec float64) *canvas {
			c := back.clone()
			sway := 0.04 * math.Sin(3.7*sec)
			c.paint(0.3, 0.2, 0.8, 0.55, func(px, py float64) (colour, float32) {
				shade := f.rough(14*(px+sway*0.3), 14*py+0.5*math.Sin(2.9*sec), 0.2)
				return wall.times(0.45 + 0.6*min(1, max(0, 4*(shade-0.4)))), 1
			})
			return c
		}
	}},
	{"red cloth in the wind", func(r *rand.Rand) stage {
		f := newField(r)
		back := street(r, 0)
		cloth := anyOf(r, []colour{{225, 25, 30}, {255, 70, 40}, {255, 120, 30}})
		x, y := 0.3+0.4*r.Float64(), 0.25+0.2*r.Float64()
		return func(sec float64) *canvas {
			c := back.clone()
			t := 3.1 * sec
			c.paint(x, y-0.03, x+0.22, y+0.2, func(px, py float64) (colour, float32) {
				edge := 0.03 * float64(f.at(8*(px-x)-t, 0, t)-0.5)
				if py < y+edge || py > y+0.15+edge {
					return cloth, 0
				}
				return cloth.times(0.6 + 0.55*f.at(20*(px-x)-2*t, 3*py, t)), 1
			})
			return c
		}
	}},
	{"red and orange vehicles", func(r *rand.Rand) stage {
		back := street(r, 0)
		seed := r.Uint64()
		return func(sec float64) *canvas {
			c := back.clone()
			r := rand.New(rand.NewPCG(seed, uint64(sec/3)))
			parked := rand.New(rand.NewPCG(seed, 7))
			for i := range 4 {
				q := r
				if i == 0 {
					q = parked
				}
				paintCol := anyOf(q, []colour{{215, 25, 25}, {245, 110, 20}, {255, 150, 40}})
				x, y, s := 0.25+0.6*q.Float64(), 0.5+0.4*q.Float64(), 0.08+0.1*q.Float64()
				c.paint(x, y-0.5*s, x+s, y, func(px, py float64) (colour, float32) {
					up := (y - py) / (0.5 * s)
					switch {
					case up > 0.55 && up < 0.85 && math.Mod((px-x)/s*3, 1) > 0.2:
						return colour{45, 50, 60}, 1
					case up > 0.5 && up < 0.53:
						return colour{255, 235, 210}, 1 // a highlight
					}
					return paintCol.times(0.7 + 0.4*float32(up)), 1
				})
			}
			return c
		}
	}},
	{"people in orange vests", func(r *rand.Rand) stage {
		back := street(r, 0)
		n := 1 + r.IntN(3)
		seed := r.Uint64()
		return func(sec float64) *canvas {
			c := back.clone()
			now := rand.New(rand.NewPCG(seed, uint64(sec*10)))
			home := rand.New(rand.NewPCG(seed, 1))
			for range n {
				x, y := 0.3+0.5*home.Float64(), 0.55+0.3*home.Float64()
				x, y = x+0.012*now.NormFloat64(), y+0.008*now.NormFloat64()
				bend := 0.6 + 0.4*now.Float64()
				c.paint(x-0.025, y-0.08*bend, x+0.025, y+0.13, func(px, py float64) (colour, float32) {
					up := y - py
					side := (px - x) / 0.025
					switch {
					case up < 0:
						return colour{40, 45, 70}, 1
					case math.Abs(side) > 0.9-0.2*now.Float64():
						return colour{}, 0
					case math.Abs(up-0.03*bend) < 0.006:
						return colour{230, 235, 230}, 1 // the reflecting stripe
					}
					return colour{255, 105, 25}.times(float32(0.75 + 0.3*math.Cos(side*1.4))), 1
				})
				c.paint(x-0.012, y-0.08*bend-0.035, x+0.012, y-0.08*bend, func(float64, float64) (colour, float32) {
					return colour{205, 150, 125}, 1
				})
			}
			return c
		}
	}},
	{"autumn trees in the wind", func(r *rand.Rand) stage {
		f := newField(r)
		back := street(r, 0)
		return func(sec float64) *canvas {
			c := back.clone()
			sway := 0.01 * math.Sin(2.3*sec) * (1 + math.Sin(0.7*sec))
			c.paint(0, 0.1, 0.45, 0.6, func(px, py float64) (colour, float32) {
				if math.Hypot((px-0.2)/0.22, (py-0.33)/0.24) > 1 {
					return colour{}, 0
				}
				v := f.rough(45*(px+sway), 45*py+3*sway, 0)
				hue := f.at(11*px+5, 11*py, 7)
				leaf := colour{200, 60, 25}.mix(colour{235, 190, 55}, hue)
				return leaf.times(0.45 + 0.7*v), 1
			})
			return c
		}
	}},
	{"lamps that are switched", func(r *rand.Rand) stage {
		back := street(r, 0.9)
		x, y := 0.3+0.4*r.Float64(), 0.3+0.3*r.Float64()
		from := 30 + 60*r.Float64()
		return func(sec float64) *canvas {
			c := back.clone()
			if sec > from {
				ripple := float32(0.97 + 0.06*math.Mod(sec*13.7, 1)) // of the mains
				c.glow(x, y, 0.03, colour{420, 290, 130}.times(ripple))
				c.glow(x, y, 0.1, colour{150, 80, 25}.times(ripple))
			}
			return c
		}
	}},
	{"a beacon and a traffic light", func(r *rand.Rand) stage {
		back := street(r, 0.8)
		x := 0.3 + 0.4*r.Float64()
		return func(sec float64) *canvas {
			c := back.clone()
			if math.Mod(sec*1.9, 1) < 0.5 {
				c.glow(x, 0.6, 0.02, colour{380, 200, 50})
			}
			lit := anyOf(rand.New(rand.NewPCG(3, uint64(sec/25))), []colour{{340, 40, 30}, {60, 330, 120}, {340, 200, 40}})
			c.glow(0.8, 0.3, 0.012, lit)
			return c
		}
	}},
	{"autoexposure steps", func(r *rand.Rand) stage {
		back := street(r, 0.3)
		back.paint(0.4, 0.5, 0.6, 0.7, func(x, y float64) (colour, float32) {
			return colour{240, 90, 30}.times(float32(0.8 + 0.3*math.Sin(30*x)*math.Sin(25*y))), 1
		})
		seed := r.Uint64()
		return func(sec float64) *canvas {
			c := back.clone()
			c.scale(0.7 + 0.7*rand.New(rand.NewPCG(seed, uint64(sec/40))).Float32())
			return c
		}
	}},
	{"fog", func(r *rand.Rand) stage {
		back := street(r, 0)
		from := 20 + 30*r.Float64()
		pace := 60 + 400*r.Float64()
		return func(sec float64) *canvas {
			c := back.clone()
			d := max(0, sec-from) / pace
			c.paint(0, 0, 1, 1, func(_, y float64) (colour, float32) {
				depth := 0.3 / (0.15 + y)
				return colour{190, 192, 195}, float32(0.85 * (1 - math.Exp(-2*d*depth)))
			})
			return c
		}
	}},
	{"dawn under lamps", func(r *rand.Rand) stage {
		back := street(r, 0)
		type lamp struct{ x, y, wide float64 }
		var lamps []lamp
		for range 2 + r.IntN(3) {
			lamps = append(lamps, lamp{r.Float64(), 0.4 + 0.5*r.Float64(), 0.12 + 0.2*r.Float64()})
		}
		pace := 0.001 + 0.003*r.Float64()
		gain := 1.0
		return func(sec float64) *canvas {
			c := back.clone()
			day := min(1, 0.06+pace*sec)
			out := float32(max(0, min(1, 3-4*day))) // they go out when it is day
			mean := 0.0
			c.paint(0, 0, 1, 1, func(x, y float64) (colour, float32) {
				light := day
				for _, l := range lamps {
					d := math.Hypot(x-l.x, y-l.y) / l.wide
					light += 0.4 * float64(out) / (1 + d*d)
				}
				mean += light / float64(c.w*c.h)
				return colour{}, float32(1 - light)
			})
			// The exposure follows in steps.
			if want := 0.45 / mean; want > 1.12*gain || want < gain/1.12 {
				gain = want
			}
			c.scale(float32(gain))
			return c
		}
	}},
	{"steam that goes at once", func(r *rand.Rand) stage {
		s := still(street(r, 0))
		for at := 20.0; at < 600; at += 70 + 60*r.Float64() {
			s = smoke(r, s, 0.3+0.4*r.Float64(), 0.8, at, 11, colour{225, 228, 230}, 0.9)
		}
		return s
	}},
	{"dust behind vehicles", func(r *rand.Rand) stage {
		s := still(street(r, 0))
		for at := 20.0; at < 600; at += 40 + 60*r.Float64() {
			s = smoke(r, s, 0.3+0.4*r.Float64(), 0.85, at, 14, colour{185, 155, 115}, 0.8)
		}
		return s
	}},
	{"shadows of clouds", func(r *rand.Rand) stage {
		f := newField(r)
		back := street(r, 0)
		return func(sec float64) *canvas {
			c := back.clone()
			c.paint(0, 0, 1, 1, func(x, y float64) (colour, float32) {
				return colour{}, 0.55 * min(1, max(0, 3*(f.rough(3*x+0.03*sec, 3*y, 0.01*sec)-0.45)))
			})
			return c
		}
	}},
	{"a truck in front", func(r *rand.Rand) stage {
		back := street(r, 0)
		seed := r.Uint64()
		return func(sec float64) *canvas {
			c := back.clone()
			r := rand.New(rand.NewPCG(seed, uint64(sec/45)))
			if r.IntN(3) > 0 {
				x, y := 0.1+0.5*r.Float64(), 0.75+0.15*r.Float64()
				v := 150 + 80*r.Float32()
				c.paint(x, y-0.4, x+0.35, y, func(_, py float64) (colour, float32) {
					return colour{v, v, v}.times(float32(0.9 + 0.1*py)), 1
				})
			}
			return c
		}
	}},
}
