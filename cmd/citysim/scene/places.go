package scene

import (
	"math"
	"math/rand/v2"
	"slices"

	"videopatrol/inventory"
)

// The kinds of scenes that only a Stage shows.
const (
	Plaza      Kind = "plaza"       // a square where people gather and things stand
	CarPark    Kind = "car_park"    // bays, and an entrance that must stay free
	RiverBank  Kind = "river_bank"  // a promenade, and steps down to the water
	NeonStreet Kind = "neon_street" // shops with neon signs that must not pass for fire
	Crossroads Kind = "crossroads"  // traffic lights, and the road before them
	Yard       Kind = "yard"        // a yard where goods are stored, watched for fire
)

// Kinds lists every kind of scene.
func Kinds() []Kind {
	return []Kind{Street, Gate, Plaza, CarPark, RiverBank, NeonStreet, Crossroads, Yard}
}

// place is the layout of a stage: what stands there, and where things go.
type place struct {
	view   view
	draw   func(p *pen, r *rand.Rand)
	before func(p *pen, plane []byte, r *rand.Rand) // draws what hides things beyond behind
	behind float64
	zones  []ground
	trees  []vec
	lamps  []vec // bulbs
	routes []route
	signs  []sign
	// exhibit is what stands in an unattended zone, water where a river is.
	exhibit *vec
	water   []vec
	cloth   *vec
	light   float64 // of the city at night, beyond the sky's glow
	gap     float64 // x of a gate
}

// ground is a zone as it lies on the ground.
type ground struct {
	inventory.Zone
	on []vec
}

// holds tells whether a place on the ground lies inside.
func (g ground) holds(v vec) bool {
	in := false
	for i, a := range g.on {
		b := g.on[(i+1)%len(g.on)]
		if (a.z > v.z) != (b.z > v.z) && v.x < a.x+(b.x-a.x)*(v.z-a.z)/(b.z-a.z) {
			in = !in
		}
	}
	return in
}

func rectangle(x0, x1, z0, z1 float64) []vec {
	return []vec{{x0, 0, z0}, {x1, 0, z0}, {x1, 0, z1}, {x0, 0, z1}}
}

// sign is a lamp or tube that shines in a colour of its own.
type sign struct {
	tone    tone
	corners []vec
	glow    byte
	// blink is how often a second it changes, 0 for one that stays.
	blink, phase float64
	screen       bool // shows one colour after another
	always       bool // by day, too
}

func newPlace(kind Kind, r *rand.Rand) place {
	switch kind {
	case Gate:
		return gatePlace(r)
	case Plaza:
		return plazaPlace(r)
	case CarPark:
		return carParkPlace(r)
	case RiverBank:
		return riverPlace(r)
	case Crossroads:
		return crossroadsPlace(r)
	case Yard:
		return yardPlace(r)
	case NeonStreet:
		return neonPlace(r)
	default:
		return streetPlace(r)
	}
}

func (s street) place(r *rand.Rand) place {
	p := place{view: s.view, draw: func(p *pen, r *rand.Rand) { p.drawStreet(s, r) }, light: 0.012}
	p.trees = []vec{{s.roadRight + 1.4, 0, between(r, 20, 26)}, {s.roadRight + 1.4, 0, between(r, 12, 16)}}
	for z := s.far - 8; z > 10; z -= 13 {
		p.lamps = append(p.lamps, vec{s.roadRight - 0.7, 6.5, z})
	}
	p.lamps = append(p.lamps, vec{s.roadRight - 0.7, 6.5, 4})
	width := s.roadRight - s.laneRight
	in, out, left := s.laneRight+width*0.27, s.laneRight+width*0.75, s.laneLeft-1.3
	p.routes = []route{
		{kind: cars, path: []vec{{in, 0, s.far}, {in, 0, -6}}, speed: 9, hourly: 150},
		{kind: cars, path: []vec{{out, 0, -6}, {out, 0, s.far}}, speed: 9, hourly: 150},
		{kind: trucks, path: []vec{{out, 0, -8}, {out, 0, s.far}}, speed: 7, hourly: 8},
		{kind: people, path: []vec{{left, 0, s.far - 20}, {left, 0, -3}}, speed: 1.35, hourly: 40, spread: 0.8},
		{kind: people, path: []vec{{left, 0, 2}, {left, 0, s.far - 20}}, speed: 1.35, hourly: 40, spread: 0.8},
		{kind: people, path: []vec{{s.roadRight + 2, 0, 3}, {s.roadRight + 2, 0, s.far - 20}}, speed: 1.35, hourly: 50, spread: 0.8},
	}
	return p
}

func streetPlace(r *rand.Rand) place {
	s := newStreet(r)
	p := s.place(r)
	middle := (s.laneLeft + s.laneRight) / 2
	p.zones = []ground{{zone("fl1", fireLane, 30), s.lane()}}
	// Cars drive through the lane without stopping.
	p.routes = append(p.routes, route{kind: cars, path: []vec{
		{s.laneRight + 1.5, 0, s.far - 20}, {middle, 0, s.laneFar - 1}, {middle, 0, s.laneNear}, {middle + 1, 0, -6},
	}, speed: 6, hourly: 7, zone: true}, route{kind: people, path: []vec{
		{s.laneLeft - 1, 0, 16}, {s.roadRight + 1, 0, 19},
	}, speed: 1.3, hourly: 8, spread: 3, zone: true})
	return p
}

func neonPlace(r *rand.Rand) place {
	s := newStreet(r)
	p := s.place(r)
	p.light = 0.03
	left, right := s.laneLeft-2.6, s.roadRight+3.0
	p.zones = []ground{{zone("fw1", fireWatch, 0), []vec{{left, 0, 8}, {s.laneRight + 1, 0, 8}, {s.laneRight + 1, 2.6, 26}, {left, 2.6, 26}}}}
	for _, x := range []float64{left, right} {
		way := math.Copysign(1, x)
		for z := 7.0; z < 36; z += between(r, 2.2, 4.2) {
			y, tall, wide := between(r, 2.4, 3.4), between(r, 0.5, 2.2), between(r, 0.5, 1.1)
			hue := rgb(pick[uint32](r, 0xff3018, 0xff6a1a, 0xffc22e, 0xff2a88, 0x2ad0ff, 0x49ff6a, 0xff4020, 0xffa030))
			blink := 0.0
			if r.IntN(3) == 0 {
				blink = between(r, 0.3, 2.5)
			}
			// It stands out from the wall and is seen from the front.
			a, b := vec{x - way*0.1, y, z}, vec{x - way*(0.1+wide), y + tall, z}
			p.signs = append(p.signs, sign{
				tone: hue, glow: byte(55 + r.IntN(60)), blink: blink, phase: r.Float64(), screen: r.IntN(9) == 0,
				corners: []vec{{a.x, a.y, z}, {b.x, a.y, z}, {b.x, b.y, z}, {a.x, b.y, z}},
			})
		}
	}
	return p
}

func gatePlace(r *rand.Rand) place {
	g := newGate(r)
	p := place{
		view: g.view, draw: func(p *pen, r *rand.Rand) { p.drawGate(g, r) }, light: 0.01, behind: g.fence, gap: g.gap,
		zones: []ground{{zone("ca1", closedArea, 0), g.closed()}},
	}
	booth := pick(r, -3.9, 3.9)
	p.before = func(p *pen, plane []byte, r *rand.Rand) {
		p.fence(g, plane)
		p.booth(vec{g.gap + booth, 0, g.fence - 1.2}, r)
	}
	side := pick(r, -1.0, 1.0)
	p.trees = []vec{{side * (g.half + between(r, 3, 4.5)), 0, between(r, 19, 24)}}
	p.lamps = []vec{{-9, 6, g.fence}, {9, 6, g.fence}, {side * -8, 6, g.far}, {side * 8, 6, g.far + 6}}
	p.routes = []route{
		{kind: cars, path: []vec{{-30, 0, 7.2}, {30, 0, 7.2}}, speed: 9, hourly: 110},
		{kind: cars, path: []vec{{30, 0, 4.6}, {-30, 0, 4.6}}, speed: 9, hourly: 110},
		{kind: trucks, path: []vec{{30, 0, 4.4}, {-30, 0, 4.4}}, speed: 7, hourly: 10},
		{kind: cyclists, path: []vec{{-22, 0, 8.9}, {22, 0, 8.9}}, speed: 4, hourly: 25},
		// So near that nobody's head reaches into the yard.
		{kind: people, path: []vec{{-14, 0, 9.2}, {14, 0, 9.2}}, speed: 1.3, hourly: 45, spread: 0.4},
		{kind: people, path: []vec{{14, 0, 9.4}, {-14, 0, 9.4}}, speed: 1.3, hourly: 45, spread: 0.4},
	}
	return p
}

// The kinds of zones and how they are made.
const (
	closedArea inventory.ZoneKind = "closed_area"
	fireLane   inventory.ZoneKind = "fire_lane"
	noParking  inventory.ZoneKind = "no_parking"
	crowdZone  inventory.ZoneKind = "crowd"
	unattended inventory.ZoneKind = "unattended"
	fireWatch  inventory.ZoneKind = "fire_watch"
	road       inventory.ZoneKind = "road"
	waterEdge  inventory.ZoneKind = "water_edge"
)

func zone(id string, kind inventory.ZoneKind, dwell int) inventory.Zone {
	return inventory.Zone{ID: id, Kind: kind, Dwell: seconds(dwell)}
}

func plazaPlace(r *rand.Rand) place {
	p := place{light: 0.02, view: newView(vec{between(r, -0.8, 0.8), between(r, 7.6, 8.8), 0},
		between(r, -0.1, 0.1), between(r, 0.4, 0.46), between(r, 530, 590), r.IntN(2) == 0)}
	far := between(r, 36, 44)
	stand := vec{between(r, 4, 5.6), 0, between(r, 11.5, 13)}
	p.exhibit = &stand
	p.zones = []ground{
		{zone("cr1", crowdZone, 0), rectangle(-7-between(r, 0, 1), between(r, 0, 0.8), 12, 23+between(r, 0, 2))},
		{zone("ua1", unattended, 0), rectangle(2.2, 7.2, 9.6, 15.5)},
	}
	tone1 := rgb(pick[uint32](r, 0xa89f93, 0x9e9c98, 0xb0a595, 0xa7a29c))
	p.draw = func(p *pen, r *rand.Rand) {
		p.skyline(r, far+12, 60)
		p.ground(tone1, 1, -60, 60, 1, far+4)
		for z := 3.0; z < far; z += 2 {
			p.ground(tone1.lit(0.88), 0.8, -40, 40, z, z+0.07)
		}
		for x := -30.0; x < 30; x += 2 {
			p.ground(tone1.lit(0.88), 0.7, x, x+0.06, 3, far)
		}
		for z := 6.0; z < far; z += 8 {
			p.ground(rgb(0x8a6f62), 0.7, -40, 40, z, z+0.5)
		}
		for x := -34.0; x < 34; {
			w := between(r, 9, 15)
			p.facade(r, x, far+4, w, between(r, 7, 15))
			x += w
		}
		for _, x := range []float64{-9.5, 9.5} {
			for z := 12.0; z < far-4; z += 9 {
				p.box(vec{x, 0, z}, 1.1, 0.55, 2.2, rgb(0x8d8780))
				p.box(vec{x, 0, z + 4}, 0.9, 0.42, 0.5, rgb(0x7a5a3e))
			}
			for z := 15.0; z < far; z += 12 {
				p.lampPost(vec{x - 0.6, 0, z})
			}
		}
		p.basin(vec{2.5, 0, far - 8}, 3.2)
	}
	for _, x := range []float64{-9.5, 9.5} {
		for z := 12.0; z < far-4; z += 9 {
			p.trees = append(p.trees, vec{x, 0, z})
		}
		for z := 15.0; z < far; z += 12 {
			p.lamps = append(p.lamps, vec{x - 2, 6.5, z})
		}
	}
	p.routes = []route{
		{kind: people, path: []vec{{-12, 0, 14}, {13, 0, 20}}, speed: 1.3, hourly: 45, spread: 4, zone: true},
		{kind: people, path: []vec{{12, 0, 12}, {-12, 0, 17}}, speed: 1.3, hourly: 45, spread: 4, zone: true},
		{kind: people, path: []vec{{-3, 0, 4}, {1, 0, far}}, speed: 1.3, hourly: 40, spread: 3, zone: true},
		{kind: people, path: []vec{{12, 0, far - 4}, {-12, 0, far - 2}}, speed: 1.3, hourly: 80, spread: 2},
		{kind: people, path: []vec{{6, 0, far}, {5.4, 0, 4}}, speed: 1.3, hourly: 25, spread: 2.4, zone: true},
		{kind: dogs, path: []vec{{-12, 0, 10}, {12, 0, 17}}, speed: 1.8, hourly: 5, spread: 3, zone: true},
	}
	return p
}

func carParkPlace(r *rand.Rand) place {
	p := place{light: 0.01, view: newView(vec{between(r, -0.6, 0.6), between(r, 8, 9.4), 0},
		between(r, -0.08, 0.08), between(r, 0.42, 0.48), between(r, 520, 580), r.IntN(2) == 0)}
	half, far := between(r, 2.5, 2.9), between(r, 34, 40)
	p.zones = []ground{{zone("np1", noParking, 30), rectangle(-half, half, between(r, 9, 10), between(r, 19, 22))}}
	asphalt := rgb(pick[uint32](r, 0x5d6063, 0x66676a, 0x6e6c69))
	looks := [24]carLook{}
	taken := [24]bool{}
	for i := range looks {
		looks[i], taken[i] = newCarLook(r), r.IntN(10) < 6
	}
	p.draw = func(p *pen, r *rand.Rand) {
		p.skyline(r, far+16, 60)
		p.ground(rgb(0x7b8560), 1, -60, 60, 1, far+12)
		p.ground(asphalt, 1, -13, 13, 1, far)
		p.ground(rgb(0xc3bfb6), 1, -13.2, 13.2, far, far+0.25)
		for x := -30.0; x < 30; {
			w := between(r, 10, 18)
			p.facade(r, x, far+9, w, between(r, 8, 18))
			x += w + between(r, 0, 3)
		}
		white := rgb(0xdcdcd6)
		for i := range 12 {
			z := 7 + float64(i)*2.7
			if z > far-2 {
				break
			}
			for _, x := range []float64{-8.6, half + 0.5} {
				p.ground(white, 0.85, x, x+8.1-half, z, z+0.1)
			}
		}
		yellow := rgb(0xe0b322)
		zone := rectangle(-half, half, 9.6, 20.5)
		for i := range zone {
			p.line(yellow, 0.9, 0.15, zone[i], zone[(i+1)%4])
		}
		for z := 9.6; z+half <= 20.5; z += 1.8 {
			p.line(yellow, 0.7, 0.12, vec{-half, 0, z}, vec{half, 0, z + half})
		}
		for range 9 {
			p.shadow(vec{between(r, -9, 9), 0, between(r, 8, far)}, between(r, 0.3, 0.9), between(r, 0.3, 1.2), 0, 0.08)
		}
		for _, z := range []float64{12, 26} {
			p.lampPost(vec{-10.4, 0, z})
			p.lampPost(vec{12.4, 0, z})
		}
		lights := p.headlights
		p.headlights = false
		for i := 11; i >= 0; i-- {
			z := 8.4 + float64(i)*2.7
			if z > far-3 {
				continue
			}
			for j, x := range []float64{-half - 3.4, half + 3.4} {
				if taken[2*i+j] {
					p.car(looks[2*i+j], vec{x, 0, z}, math.Pi/2, 1)
				}
			}
		}
		p.headlights = lights
	}
	p.trees = []vec{{-14, 0, between(r, 16, 22)}, {14, 0, between(r, 20, 26)}}
	p.lamps = []vec{{-11.9, 6.5, 12}, {-11.9, 6.5, 26}, {10.9, 6.5, 12}, {10.9, 6.5, 26}}
	p.routes = []route{
		{kind: cars, path: []vec{{0.9, 0, far - 2}, {0.9, 0, -5}}, speed: 4.5, hourly: 14, zone: true},
		{kind: cars, path: []vec{{-0.9, 0, -5}, {-0.9, 0, far - 2}}, speed: 4.5, hourly: 14, zone: true},
		{kind: people, path: []vec{{-half - 0.6, 0, far - 3}, {-half - 0.4, 0, 3}}, speed: 1.3, hourly: 25, spread: 0.6, zone: true},
		{kind: people, path: []vec{{half + 0.6, 0, 4}, {-half - 0.6, 0, 24}}, speed: 1.3, hourly: 16, spread: 1, zone: true},
		{kind: cars, path: []vec{{-40, 0, far + 5}, {40, 0, far + 5}}, speed: 10, hourly: 90},
	}
	return p
}

func riverPlace(r *rand.Rand) place {
	p := place{light: 0.012, view: newView(vec{between(r, -0.8, 0.8), between(r, 7, 8), 0},
		between(r, -0.12, 0.12), between(r, 0.36, 0.41), between(r, 540, 600), r.IntN(2) == 0)}
	edge, shore, bank := between(r, 12.6, 13.4), between(r, 17.4, 18.4), between(r, 78, 95)
	p.zones = []ground{{zone("we1", waterEdge, 0), rectangle(-8, 8, edge, shore)}}
	p.water = []vec{{-110, 0, shore}, {110, 0, shore}, {110, 0, bank}, {-110, 0, bank}}
	stone := rgb(pick[uint32](r, 0xa89f93, 0x9e9c98, 0xb0a595))
	water := rgb(pick[uint32](r, 0x5c6f72, 0x66756c, 0x55707c))
	p.draw = func(p *pen, r *rand.Rand) {
		for x := -110.0; x < 110; {
			w := between(r, 10, 22)
			p.tower(r, x, bank+8+between(r, 0, 20), w, between(r, 8, 40), rgb(0xc5cccf))
			x += w + between(r, -1, 9)
		}
		p.ground(rgb(0x6d7d58), 1, -140, 140, bank-4, bank+30)
		p.ground(water, 1, -140, 140, shore, bank)
		// The far bank and the sky mirror in it.
		for i := range 12 {
			k := float64(i) / 12
			z := shore + (bank-shore)*k*k
			p.ground(water.toward(rgb(0xc9d3d6), k*0.5), 0.8, -140, 140, z, bank)
		}
		p.ground(stone.lit(0.8), 1, -60, 60, edge, shore)
		for z := edge; z < shore; z += 0.8 { // steps down to the water
			p.ground(stone.lit(0.62), 0.9, -60, 60, z, z+0.12)
		}
		p.ground(stone.lit(0.45), 0.8, -60, 60, shore-0.5, shore)
		p.ground(stone, 1, -60, 60, 1, edge)
		for x := -20.0; x < 20; x += 1.2 {
			p.ground(stone.lit(0.88), 0.8, x, x+0.05, 2, edge-0.5)
		}
		p.ground(rgb(0xc9a545), 0.6, -60, 60, 9.2, 9.5)
		p.ground(rgb(0xb5322b), 0.8, -8, 8, edge-0.12, edge+0.08)
		p.ground(rgb(0x6f7d52), 1, -60, 60, 1, 5.2)
		for x := -27.0; x < 30; x += 18 {
			p.lampPost(vec{x, 0, edge - 0.8})
		}
		for x := -12.0; x < 12; x += 9 {
			p.box(vec{x, 0, 7}, 0.9, 0.42, 0.5, rgb(0x7a5a3e))
		}
	}
	p.trees = []vec{{between(r, -8, -6.5), 0, 10.6}, {between(r, 7, 8), 0, 10.4}}
	for x := -27.0; x < 30; x += 18 {
		p.lamps = append(p.lamps, vec{x - 1.4, 6.5, edge - 0.8})
	}
	p.routes = []route{
		// So near that nobody's head reaches into the zone behind.
		{kind: people, path: []vec{{-13, 0, 8.3}, {13, 0, 8.3}}, speed: 1.3, hourly: 60, spread: 0.6},
		{kind: people, path: []vec{{13, 0, 8.8}, {-13, 0, 8.8}}, speed: 1.3, hourly: 60, spread: 0.5},
		{kind: cyclists, path: []vec{{-16, 0, 8}, {16, 0, 8}}, speed: 4, hourly: 25},
		{kind: dogs, path: []vec{{13, 0, 8.9}, {-13, 0, 8.9}}, speed: 1.8, hourly: 5, spread: 0.8},
		{kind: boats, path: []vec{{-75, 0, shore + 24}, {75, 0, shore + 24}}, speed: 3, hourly: 5, spread: 14},
		{kind: boats, path: []vec{{75, 0, shore + 38}, {-75, 0, shore + 38}}, speed: 3, hourly: 5, spread: 14},
	}
	return p
}

// Of a crossroads: the traffic lights' cycle in seconds.
const (
	lightsCycle = 80.0
	lightsGreen = 42.0
)

func crossroadsPlace(r *rand.Rand) place {
	p := place{light: 0.018, view: newView(vec{between(r, -0.8, 0.6), between(r, 8.4, 9.6), 0},
		between(r, -0.06, 0.06), between(r, 0.4, 0.45), between(r, 520, 570), r.IntN(2) == 0)}
	stop, lane := between(r, 20, 22), between(r, 3.1, 3.4)
	cross := stop + 4
	wide := 2*lane + 0.3
	p.zones = []ground{{zone("rd1", road, 0), rectangle(0.1, wide, 6.5, stop)}}
	asphalt := rgb(pick[uint32](r, 0x5d6063, 0x66676a, 0x575a5c))
	paving := rgb(pick[uint32](r, 0xa89f93, 0x9e9c98, 0xb0a595))
	p.draw = func(p *pen, r *rand.Rand) {
		p.skyline(r, 84, 70)
		p.ground(paving, 1, -70, 70, 1, 80)
		p.ground(asphalt, 1, -wide, wide, 1, 80)
		p.ground(asphalt, 1, -70, 70, cross, cross+13)
		kerb := rgb(0xc3bfb6)
		for _, x := range []float64{-wide, wide - 0.15} {
			p.ground(kerb, 1, x, x+0.15, 1, cross)
			p.ground(kerb, 1, x, x+0.15, cross+13, 80)
		}
		white := rgb(0xdcdcd6)
		for z := 1.0; z < stop; z += 5 {
			p.ground(white, 0.85, lane-0.05, lane+0.08, z, z+2.5)
			p.ground(white, 0.85, -lane-0.08, -lane+0.05, z, z+2.5)
		}
		p.ground(rgb(0xe0b322), 0.9, -0.16, -0.04, 1, stop)
		p.ground(rgb(0xe0b322), 0.9, 0.04, 0.16, 1, stop)
		p.ground(white, 0.9, 0.2, wide-0.2, stop, stop+0.35)
		for x := -wide + 0.4; x < wide-0.6; x += 1.0 {
			p.ground(white, 0.85, x, x+0.5, stop+1, stop+3.4)
		}
		for x := -60.0; x < 60; x += 5 {
			p.ground(white, 0.85, x, x+2.4, cross+6.4, cross+6.55)
		}
		for range 9 {
			p.shadow(vec{between(r, -6, 6), 0, between(r, 7, 40)}, between(r, 0.3, 0.7), between(r, 0.3, 1.4), 0, 0.08)
		}
		for _, side := range []float64{-1, 1} {
			var row []house
			x := side * (wide + 5)
			for z := cross + 17; z < 74; z += 14 {
				row = append(row, newHouse(r, x, z, z+13, side*12))
			}
			for _, h := range slices.Backward(row) {
				p.house(h, r)
			}
			p.house(newHouse(r, x+side*1.5, 3, cross-5, side*12), r)
			p.lampPost(vec{wide + 1.2, 0, 12 + 6*side})
		}
		p.post(rgb(0x6f7577), vec{wide + 0.5, 0, stop + 0.4}, 4.6, 0.16)
	}
	for i := range 2 { // the lights, red and green
		t := []tone{rgb(0xff3020), rgb(0x30ff70)}[i]
		y := 4.3 - 0.5*float64(i)
		x := wide + 0.3
		p.signs = append(p.signs, sign{
			tone: t, glow: 120, blink: -float64(i + 1), always: true,
			corners: []vec{{x, y, stop}, {x + 0.42, y, stop}, {x + 0.42, y + 0.42, stop}, {x, y + 0.42, stop}},
		})
	}
	p.trees = []vec{{-wide - 2.6, 0, between(r, 12, 17)}, {wide + 2.6, 0, between(r, 36, 44)}}
	p.lamps = []vec{{wide - 0.2, 6.5, 6}, {wide - 0.2, 6.5, 18}, {-wide, 6.5, 12}, {-wide, 6.5, 34}, {wide, 6.5, 34}}
	for i := range 2 {
		x := 0.1 + lane*(float64(i)+0.5)
		p.routes = append(p.routes, route{
			kind: cars, path: []vec{{x, 0, -8}, {x, 0, 80}}, speed: 9, hourly: 110, zone: true, stop: stop + 8 - 2.8, spread: 0.2,
		}, route{kind: cars, path: []vec{{-x, 0, 80}, {-x, 0, -8}}, speed: 9, hourly: 90, spread: 0.2})
	}
	p.routes = append(
		p.routes,
		route{kind: cars, path: []vec{{-50, 0, cross + 3.2}, {50, 0, cross + 3.2}}, speed: 10, hourly: 120, red: true},
		route{kind: cars, path: []vec{{50, 0, cross + 9.5}, {-50, 0, cross + 9.5}}, speed: 10, hourly: 120, red: true},
		route{kind: trucks, path: []vec{{-lane * 1.5, 0, 80}, {-lane * 1.5, 0, -10}}, speed: 8, hourly: 6},
		route{kind: people, path: []vec{{wide + 1.2, 0, stop + 2}, {-wide - 1.2, 0, stop + 2}}, speed: 1.4, hourly: 40, spread: 1, red: true},
		route{kind: people, path: []vec{{wide + 2, 0, 3}, {wide + 2, 0, stop}}, speed: 1.3, hourly: 40, spread: 1},
	)
	return p
}

func yardPlace(r *rand.Rand) place {
	g := newGate(r)
	g.fence, g.near = 4, 6
	p := place{light: 0.008, view: newView(vec{between(r, -0.8, 0.8), between(r, 6.8, 7.8), 0},
		between(r, -0.12, 0.12), between(r, 0.38, 0.43), between(r, 540, 600), r.IntN(2) == 0)}
	west := between(r, 7.2, 8.4)
	p.zones = []ground{{zone("fw1", fireWatch, 0), []vec{{-west, 0, 9.4}, {west, 0, 9.4}, {west, 2.8, 24}, {-west, 2.8, 24}}}}
	stacks := make([]vec, 0, 8)
	goods := make([]tone, 0, 8)
	for range 8 {
		stacks = append(stacks, vec{between(r, 3.2, 7.5) * pick(r, -1.0, 1.0), 0, between(r, 13, 23)})
		goods = append(goods, rgb(pick[uint32](r, 0x9a7a52, 0xa5895f, 0x2f5d86, 0xb58b36, 0x84888a, 0x8c3a30)))
	}
	p.draw = func(p *pen, r *rand.Rand) {
		p.skyline(r, 76, 60)
		p.ground(rgb(0x75805a), 1, -60, 60, 1, 80)
		yard := rgb(pick[uint32](r, 0xa5a49e, 0xb1aca2, 0x999b9a))
		p.ground(yard, 1, -16, 16, 1, g.far+8)
		for z := 4.0; z < g.far+8; z += 3.5 {
			p.ground(yard.lit(0.86), 0.8, -16, 16, z, z+0.07)
		}
		for x := -15.0; x < 16; x += 3.5 {
			p.ground(yard.lit(0.86), 0.8, x, x+0.07, 1, g.far+8)
		}
		for range 12 {
			p.shadow(vec{between(r, -9, 9), 0, between(r, 7, g.far)}, between(r, 0.3, 1.4), between(r, 0.3, 1.2), 0, 0.08)
		}
		p.backOfYard(g, r)
		for i, at := range stacks {
			p.stack(at, goods[i], r)
		}
	}
	for i := range 2 {
		at := stacks[i]
		at.z += 3
		p.signs = append(p.signs, sign{ // an orange sign over the hall's doors
			tone: rgb(pick[uint32](r, 0xff5a1a, 0xff8c20, 0xff3020)), glow: 80, phase: r.Float64(), blink: float64(i) * 0.7,
			corners: []vec{{at.x, 4.2, g.far + 6.9}, {at.x + 2.2, 4.2, g.far + 6.9}, {at.x + 2.2, 5, g.far + 6.9}, {at.x, 5, g.far + 6.9}},
		})
	}
	cloth := vec{between(r, 5.5, 6.5) * pick(r, -1.0, 1.0), 0, between(r, 15, 19)}
	p.cloth = &cloth
	p.trees = []vec{{-13, 0, between(r, 19, 24)}}
	p.lamps = []vec{{-9, 6, g.far + 6}, {9, 6, g.far + 6}, {-12, 6, 14}, {12, 6, 16}}
	p.routes = []route{
		{kind: people, path: []vec{{-14, 0, 11}, {14, 0, 13}}, speed: 1.3, hourly: 14, spread: 2, zone: true},
		{kind: people, path: []vec{{1, 0, 4}, {0, 0, g.far + 6}}, speed: 1.3, hourly: 10, spread: 2, zone: true},
		{kind: forklifts, path: []vec{{14, 0, 17}, {1, 0, 18}, {0, 0, g.far + 5}}, speed: 2.4, hourly: 12, spread: 1, zone: true},
		{kind: forklifts, path: []vec{{-14, 0, 10}, {14, 0, 11.5}}, speed: 2.4, hourly: 8, spread: 1, zone: true},
		{kind: trucks, path: []vec{{-14, 0, 20}, {16, 0, 12}}, speed: 4, hourly: 4, zone: true},
		{kind: cars, path: []vec{{0.5, 0, g.far + 6}, {-1, 0, -5}}, speed: 4, hourly: 6, zone: true},
	}
	return p
}

// skyline draws a row of distant buildings.
func (p *pen) skyline(r *rand.Rand, z, half float64) {
	for x := -half; x < half; {
		width := between(r, 8, 16)
		p.tower(r, x, z+between(r, 0, 20), width, between(r, 8, 32), rgb(0xc5cccf))
		x += width + between(r, -1, 8)
	}
}

// facade draws the front of a building that looks at the lens, with shops.
func (p *pen) facade(r *rand.Rand, x, z, width, height float64) {
	wall := rgb(pick[uint32](r, 0xcbb89b, 0xb9a58f, 0xa9b1b4, 0xd6cfc0, 0x9f8578, 0xc2c6c4))
	light := 0.74 + 0.34*max(0, -p.sun.z)*(1-p.cloudy)
	side := func(t tone, x0, x1, y0, y1 float64) {
		p.poly(t, 1, vec{x0, y0, z}, vec{x1, y0, z}, vec{x1, y1, z}, vec{x0, y1, z})
	}
	side(wall.lit(light), x, x+width, 0, height)
	glass := rgb(pick[uint32](r, 0x3b4a57, 0x4a5a63, 0x56646a))
	for y := 3.9; y+1.6 < height; y += 3.1 {
		for w := x + 0.8; w+1.6 < x+width; w += 2.6 {
			side(p.window(glass.lit(between(r, 0.8, 1.4))), w, w+1.5, y, y+1.5)
			p.glow = 0
		}
	}
	for w := x + 0.3; w+3 < x+width; w += 4.2 {
		side(p.window(glass.lit(between(r, 0.8, 1.4))), w, w+3.6, 0.2, 2.5)
		p.glow = min(p.glow*2, 30)
		side(rgb(pick[uint32](r, 0xb03a35, 0x2e6aa8, 0xc9922e, 0x2f7d58, 0x6b4a8c, 0xd0d0cc)).lit(light), w, w+3.7, 2.6, 3.3)
		p.glow = 0
	}
	side(wall.lit(light*1.12), x, x+width, height-0.3, height)
}

// basin draws a round basin.
func (p *pen) basin(at vec, size float64) {
	ring := func(t tone, k, y float64) {
		var pts []vec
		for i := range 18 {
			s, c := math.Sincos(2 * math.Pi * float64(i) / 18)
			pts = append(pts, at.plus(vec{size * k * c, y, size * k * s}))
		}
		p.poly(t, 1, pts...)
	}
	ring(rgb(0x8d8780), 1, 0)
	ring(rgb(0xa9a39a), 1, 0.45)
	ring(rgb(0x5f7f86), 0.86, 0.4)
}

// stack draws goods on pallets.
func (p *pen) stack(at vec, t tone, r *rand.Rand) {
	p.box(at, 0.7, 0.15, 1.2, rgb(0x8a6a45))
	for y, i := 0.15, 0; i < 1+r.IntN(3); i++ {
		h := between(r, 0.4, 0.6)
		lift := at.plus(vec{0, y, 0})
		to := func(a, b, c float64) vec { return lift.plus(vec{a, b, c}) }
		p.solid(frustum(to, 0.62, 0, h, -0.55, 0.55, 0.62, -0.55, 0.55, t.lit(1-0.08*float64(i)), t.lit(1.08)))
		y += h + 0.04
	}
}
