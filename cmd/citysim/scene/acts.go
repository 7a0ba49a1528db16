package scene

import (
	"math"
	"math/rand/v2"
	"time"
)

// The kinds of what may happen on a stage; they are the kinds of findings.
const (
	Intrusion      = "intrusion"
	FireLaneTaken  = "fire_lane_blocked"
	IllegalParking = "illegal_parking"
	CrowdForms     = "crowd"
	ObjectLeft     = "object_left"
	ObjectTaken    = "object_taken"
	Fire           = "fire"
	Smoke          = "smoke"
	Standstill     = "standstill"
	AtWaterEdge    = "water_edge"
)

// CrowdSize is from how many people on a crowd begins to be true: half of the
// smallest one that gathers.
const CrowdSize = 10

// Act is one thing that happens on a stage: some come, it is true for a while,
// and they leave.
type Act struct {
	Kind, Zone string
	// Begin and End are when it becomes true and stops to be, Length when the
	// last trace of it is gone; all from the act's start.
	Begin, End, Length time.Duration
	// Also is what else is true from Begin to End: a fire smokes.
	Also []string

	draw func(s *Stage, t float64, add func(depth float64, draw func()))
	// taken tells whether the exhibit is away.
	taken func(t float64) bool
}

// Kinds lists what may happen on the stage.
func (s *Stage) Kinds() []string {
	var kinds []string
	for _, z := range s.place.zones {
		switch z.Kind {
		case closedArea:
			kinds = append(kinds, Intrusion)
		case fireLane:
			kinds = append(kinds, FireLaneTaken)
		case noParking:
			kinds = append(kinds, IllegalParking)
		case crowdZone:
			kinds = append(kinds, CrowdForms)
		case unattended:
			kinds = append(kinds, ObjectLeft, ObjectTaken)
		case fireWatch:
			kinds = append(kinds, Fire, Smoke)
		case road:
			kinds = append(kinds, Standstill)
		case waterEdge:
			kinds = append(kinds, AtWaterEdge)
		}
	}
	return kinds
}

// Act prepares one happening that is true for about as long as hold, with
// chance of its own. It returns false when it cannot happen on this stage.
func (s *Stage) Act(kind string, seed uint64, hold time.Duration) (Act, bool) {
	r := rand.New(rand.NewPCG(mix(seed), mix(s.seed+9))) //nolint:gosec // chance for pictures
	where := func(k string) (ground, bool) {
		for _, z := range s.place.zones {
			if string(z.Kind) == k {
				return z, true
			}
		}
		return ground{}, false
	}
	zoneOf := map[string]string{
		Intrusion: string(closedArea), FireLaneTaken: string(fireLane), IllegalParking: string(noParking), CrowdForms: string(crowdZone),
		ObjectLeft: string(unattended), ObjectTaken: string(unattended), Fire: string(fireWatch), Smoke: string(fireWatch),
		Standstill: string(road), AtWaterEdge: string(waterEdge),
	}
	z, ok := where(zoneOf[kind])
	if !ok {
		return Act{}, false
	}
	a := Act{Kind: kind, Zone: z.ID}
	h := hold.Seconds()
	switch kind {
	case Intrusion, AtWaterEdge:
		s.visit(&a, z, r, h)
	case FireLaneTaken, IllegalParking:
		s.park(&a, z, r, h)
	case CrowdForms:
		s.gather(&a, z, r, h)
	case ObjectLeft:
		s.leave(&a, z, r, h)
	case ObjectTaken:
		s.take(&a, z, r, h)
	case Fire, Smoke:
		s.burn(&a, z, r, h)
	default:
		s.jam(&a, z, r, h)
	}
	return a, true
}

// middle of a polygon on the ground, and its extent.
func (g ground) bounds() (x0, x1, z0, z1 float64) {
	x0, x1, z0, z1 = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, v := range g.on {
		x0, x1, z0, z1 = min(x0, v.x), max(x1, v.x), min(z0, v.z), max(z1, v.z)
	}
	return x0, x1, z0, z1
}

// within returns a random place well inside a zone and the picture.
func (s *Stage) within(g ground, r *rand.Rand, margin float64) vec {
	x0, x1, z0, z1 := g.bounds()
	var v vec
	for range 60 {
		v = vec{between(r, x0+margin, x1-margin), 0, between(r, z0+margin, z1-margin)}
		if s.sees(v, 0.06) {
			return v
		}
	}
	return v
}

// sees tells whether a place is on the picture, so far from its sides.
func (s *Stage) sees(v vec, margin float64) bool {
	if s.view.depth(v) < near {
		return false
	}
	p := s.view.pixel(v)
	m := margin * s.view.width
	return p.x > m && p.x < s.view.width-m && p.y > m && p.y < s.view.height-m/2
}

const walking = 1.4 // metres a second

// walk draws a person on a path that was entered t seconds ago.
func (s *Stage) walk(who personLook, path []vec, t, speed float64, add func(float64, func())) {
	at, _ := along(path, t*speed)
	add(s.view.depth(at), func() { s.pen.person(who, at, t*speed*4, 1) })
}

// linger is where somebody is who walks about a place.
func linger(base vec, t, phase float64) vec {
	return base.plus(vec{0.9 * math.Sin(t*0.5+phase), 0, 0.7 * math.Sin(t*0.37+2*phase)})
}

// visit: somebody walks into a zone, about in it, and out again.
func (s *Stage) visit(a *Act, z ground, r *rand.Rand, hold float64) {
	base := s.within(z, r, 1)
	phase := between(r, 0, 6)
	var path []vec
	_, _, z0, _ := z.bounds()
	side := pick(r, -1.0, 1.0)
	if s.kind == Gate {
		g := s.place.behind
		gap := s.place.gap
		path = []vec{{side * 11, 0, 9.4}, {gap + side*1.2, 0, 9.9}, {gap, 0, g - 0.6}, {gap, 0, z0 + 0.6}, base}
	} else {
		path = []vec{{side * 12, 0, z0 - 2.2}, {base.x + side*2, 0, z0 - 1.4}, base}
	}
	who, n := newPersonLook(r), length(path)/walking
	enters := n
	for t := 0.0; t < n; t += 0.05 {
		if at, _ := along(path, t*walking); z.holds(at) {
			enters = t
			break
		}
	}
	stay := max(hold-2*(n-enters), 1)
	a.Begin, a.End, a.Length = seconds(enters), seconds(n+stay+n-enters), seconds(n+stay+n)
	a.draw = func(s *Stage, t float64, add func(float64, func())) {
		switch {
		case t < n:
			s.walk(who, path, t, walking, add)
		case t < n+stay:
			// It ends where it began, so that nobody jumps.
			k := math.Sin(math.Pi * (t - n) / stay)
			at := base.toward(linger(base, t-n, phase), k)
			add(s.view.depth(at), func() { s.pen.person(who, at, t*5, 0.6) })
		default:
			at, _ := along(path, (n-(t-n-stay))*walking)
			add(s.view.depth(at), func() { s.pen.person(who, at, t*walking*4, 1) })
		}
	}
}

// park: a car comes, stands in a zone, and drives on.
func (s *Stage) park(a *Act, z ground, r *rand.Rand, hold float64) {
	x0, x1, z0, z1 := z.bounds()
	at := vec{(x0 + x1) / 2, 0, between(r, z0+3.2, z0+(z1-z0)*0.6)}
	look := newCarLook(r)
	road := vec{x1 + 1.75, 0, 45}
	if s.kind != Street {
		road = vec{at.x + 0.9, 0, 30}
	}
	in := []vec{road, {road.x, 0, at.z + 13}, at.plus(vec{0, 0, 3}), at}
	out := []vec{at, {at.x, 0, at.z - 4}, {at.x + 1.2, 0, -6}}
	arrive, depart := length(in)/7, length(out)/4
	a.Begin, a.End, a.Length = seconds(arrive), seconds(arrive+hold), seconds(arrive+hold+depart)
	a.draw = func(s *Stage, t float64, add func(float64, func())) {
		path, k := in, t/arrive
		switch {
		case t < arrive:
			k = (1 - (1-k)*(1-k)) * length(in) // braking evenly
		case t < arrive+hold:
			add(s.view.depth(at), func() {
				lights := s.pen.headlights
				s.pen.headlights = lights && t < arrive+6
				s.pen.car(look, at, math.Pi, 1)
				s.pen.headlights = lights
			})
			return
		default:
			path, k = out, (t-arrive-hold)/depart
			k *= k * length(out)
		}
		where, way := along(path, k)
		add(s.view.depth(where), func() { s.pen.car(look, where, math.Atan2(way.x, way.z), 1) })
	}
}

// gather: people come from all sides, stand together, and scatter.
func (s *Stage) gather(a *Act, z ground, r *rand.Rand, hold float64) {
	type guest struct {
		who         personLook
		path        []vec
		from, until float64
		phase       float64
	}
	centre := s.within(z, r, 3)
	guests := make([]guest, 2*CrowdSize+r.IntN(2*CrowdSize))
	const rush = 20.0
	arrivals := make([]float64, len(guests))
	for i := range guests {
		side := pick(r, -1.0, 1.0)
		spot := centre
		for range 20 {
			angle, d := between(r, 0, 6.3), 3.4*math.Sqrt(r.Float64())
			spot = centre.plus(vec{d * math.Sin(angle), 0, d * math.Cos(angle)})
			if z.holds(spot) {
				break
			}
			spot = centre
		}
		g := guest{who: newPersonLook(r), path: []vec{{side * 13, 0, between(r, 9, 24)}, spot}, from: between(r, 0, rush), phase: between(r, 0, 6)}
		guests[i] = g
		arrivals[i] = g.from + length(g.path)/walking
	}
	// It begins with the CrowdSize-th arrival in the zone, and ends with the
	// departure that leaves fewer.
	begin := nth(arrivals, CrowdSize-1)
	leaves := make([]float64, len(guests))
	for i := range guests {
		leaves[i] = between(r, 0, rush)
	}
	end := nth(leaves, len(guests)-CrowdSize)
	full := 0.0
	for _, t := range arrivals {
		full = max(full, t)
	}
	shift := max(begin+hold-end, full+1)
	last := 0.0
	for i := range guests {
		guests[i].until = shift + leaves[i]
		last = max(last, guests[i].until+length(guests[i].path)/walking)
	}
	a.Begin, a.End, a.Length = seconds(begin), seconds(end+shift), seconds(last)
	a.draw = func(s *Stage, t float64, add func(float64, func())) {
		for _, g := range guests {
			n := length(g.path) / walking
			switch {
			case t < g.from || t > g.until+n:
			case t < g.from+n:
				s.walk(g.who, g.path, t-g.from, walking, add)
			case t < g.until:
				end := g.path[1]
				at := end.plus(linger(vec{}, t, g.phase).times(0.25 * smooth((t-g.from-n)/3) * smooth((g.until-t)/3)))
				add(s.view.depth(at), func() { s.pen.person(g.who, at, t*3+g.phase, 0.25) })
			default:
				at, _ := along(g.path, (g.until+n-t)*walking)
				add(s.view.depth(at), func() { s.pen.person(g.who, at, t*walking*4, 1) })
			}
		}
	}
}

// nth returns the i-th smallest number.
func nth(numbers []float64, i int) float64 {
	for _, v := range numbers {
		below, same := 0, 0
		for _, o := range numbers {
			if o < v {
				below++
			} else if o == v {
				same++
			}
		}
		if below <= i && i < below+same {
			return v
		}
	}
	return 0
}

// carry draws somebody who comes, stoops at a place, and goes on.
func (s *Stage) carry(who personLook, path []vec, t float64, bag tone, with func(arrived bool) bool, add func(float64, func())) {
	n := length(path) / walking
	at, arrived := path[len(path)-1], t >= n
	if !arrived {
		at, _ = along(path, t*walking)
	}
	if t > n+2 { // stooping takes two seconds
		at, _ = along(path, (2*n+2-t)*walking)
	}
	add(s.view.depth(at)+0.01, func() {
		s.pen.person(who, at.plus(vec{0.3, 0, 0.1}), t*walking*4, pick3(t < n || t > n+2, 1.0, 0.0))
		if with(t >= n+1) {
			s.pen.bag(bag, at.plus(vec{0.05, 0.25, 0}), 0.3, 0.4)
		}
	})
}

// bag draws a bag or case that stands somewhere.
func (p *pen) bag(t tone, at vec, half, height float64) {
	to := turned(at, 0.5)
	p.shadow(at, half*1.3, half, 0.5, 0.4)
	p.solid(frustum(to, half, 0, height, -half*0.6, half*0.6, half*0.95, -half*0.5, half*0.5, t, t.lit(1.1)))
	p.solid(frustum(to, half*0.3, height, height+0.08, -0.03, 0.03, half*0.3, -0.03, 0.03, rgb(0x222222), rgb(0x222222)))
}

// leave: somebody puts a bag down and walks off; later somebody takes it away.
func (s *Stage) leave(a *Act, z ground, r *rand.Rand, hold float64) {
	spot := s.within(z, r, 0.8)
	for range 30 {
		if e := s.place.exhibit; e == nil || span(spot, *e) > 1.6 {
			break
		}
		spot = s.within(z, r, 0.8)
	}
	bag := rgb(pick[uint32](r, 0x1f4fa3, 0x8c2a2a, 0x22262e, 0x6b5436, 0x2f6b4f, 0xd8c04a))
	half, height := between(r, 0.32, 0.45), between(r, 0.55, 0.85)
	path := []vec{{pick(r, -13.0, 13), 0, between(r, 9, 18)}, spot}
	back := []vec{{pick(r, -13.0, 13), 0, between(r, 9, 18)}, spot}
	one, other := newPersonLook(r), newPersonLook(r)
	in, fetch := length(path)/walking, length(back)/walking
	put := in + 1
	gone := put + max(hold, fetch+3)
	starts := gone - fetch - 1
	a.Begin, a.End, a.Length = seconds(put), seconds(gone), seconds(starts+2*fetch+2)
	a.draw = func(s *Stage, t float64, add func(float64, func())) {
		if t < 2*in+2 {
			s.carry(one, path, t, bag, func(arrived bool) bool { return !arrived }, add)
		}
		if t >= put && t < gone {
			add(s.view.depth(spot), func() { s.pen.bag(bag, spot, half, height) })
		}
		if t >= starts {
			s.carry(other, back, t-starts, bag, func(arrived bool) bool { return arrived }, add)
		}
	}
}

// take: somebody takes the exhibit away; later it is brought back.
func (s *Stage) take(a *Act, _ ground, r *rand.Rand, hold float64) {
	spot := *s.place.exhibit
	path := []vec{{pick(r, -13.0, 13), 0, between(r, 9, 18)}, spot.plus(vec{0.2, 0, -0.4})}
	back := []vec{{pick(r, -13.0, 13), 0, between(r, 9, 18)}, spot.plus(vec{0.2, 0, -0.4})}
	one, other := newPersonLook(r), newPersonLook(r)
	in, bring := length(path)/walking, length(back)/walking
	gone := in + 1
	again := gone + max(hold, bring+3)
	starts := again - bring - 1
	a.Begin, a.End, a.Length = seconds(gone), seconds(again), seconds(starts+2*bring+2)
	bag := s.exhibit
	a.taken = func(t float64) bool { return t >= gone && t < again }
	a.draw = func(s *Stage, t float64, add func(float64, func())) {
		if t < 2*in+2 {
			s.carry(one, path, t, bag, func(arrived bool) bool { return arrived }, add)
		}
		if t >= starts {
			s.carry(other, back, t-starts, bag, func(arrived bool) bool { return !arrived }, add)
		}
	}
}

// burn: something begins to smoulder or burn, and is put out.
func (s *Stage) burn(a *Act, z ground, r *rand.Rand, hold float64) {
	spot := s.within(ground{on: []vec{{z.on[0].x, 0, z.on[0].z}, {z.on[1].x, 0, z.on[0].z}, {z.on[1].x, 0, z.on[2].z}, {z.on[0].x, 0, z.on[2].z}}}, r, 2.5)
	flames := a.Kind == Fire
	most, grows := between(r, 1.3, 2.4), between(r, 40, 110)
	if flames {
		a.Also = []string{Smoke}
	}
	grey := rgb(pick[uint32](r, 0x3a3836, 0x4a4846, 0xd8d8d4, 0xe6e6e2)) // black or white: grey yards are grey
	phase, lean := between(r, 0, 6), between(r, -0.5, 0.5)
	const (
		smoulders = 12.0 // seconds, until there is smoke to be seen
		dies      = 12.0 // until the last of it has gone
	)
	a.Begin, a.End, a.Length = seconds(smoulders), seconds(smoulders+hold), seconds(smoulders+hold+dies)
	seed := r.Uint64()
	a.draw = func(s *Stage, t float64, add func(float64, func())) {
		burns := t - smoulders
		size := (0.5 + 0.5*smooth(burns/grows)) * most
		if burns > hold {
			size *= max(0, 1-(burns-hold)/2)
		}
		add(s.view.depth(spot)-0.5, func() {
			s.pen.shadow(spot, 0.7*most, 0.5*most, 0, 0.6*smooth(t/20)) // char
			if flames && burns >= 0 && size > 0.05 {
				s.flame(spot, size, burns*1.0, phase, seed)
			}
			s.smoke(spot, pick3(burns < 0, 0, size), most, t, smoulders+hold, lean+s.sky.Wind, grey, flames, seed)
		})
	}
}

// flame draws tongues that flicker: bright yellow inside, orange outside.
func (s *Stage) flame(at vec, size, t, phase float64, seed uint64) {
	p := &s.pen
	// Each sample shows other tongues: they live for a tenth of a second.
	r := rand.New(rand.NewPCG(seed, uint64(t*12)))
	s.blaze(at, size)
	r1 := p.view.right
	up := vec{0, 1, 0}
	for i := range 9 {
		tall := size * between(r, 0.45, 1.25) * (1 - 0.05*float64(i))
		wide := size * between(r, 0.14, 0.26)
		foot := at.plus(r1.times(size * between(r, -0.42, 0.42)))
		sway := size * (0.18*math.Sin(t*9+phase+float64(i)) + between(r, -0.12, 0.12) + 0.3*s.sky.Wind)
		for _, layer := range []struct {
			k    float64
			tone tone
			glow byte
		}{{1, rgb(0xe8521a), 45}, {0.72, rgb(0xff9a22), 90}, {0.42, rgb(0xffe27a), 190}} {
			w, h := wide*layer.k, tall*layer.k
			tip := foot.plus(up.times(h)).plus(r1.times(sway * layer.k))
			mid := foot.plus(up.times(h * 0.45)).plus(r1.times(sway * 0.3 * layer.k))
			p.glow = layer.glow
			p.poly(layer.tone, 0.85, foot.minus(r1.times(w*0.7)), mid.minus(r1.times(w)), tip, mid.plus(r1.times(w)), foot.plus(r1.times(w*0.7)))
		}
	}
	p.glow = 0
	p.flares = append(p.flares, flare{at: at.plus(up.times(size * 0.5)), size: size * 1.6, warm: true})
}

// blaze lights the ground around a fire.
func (s *Stage) blaze(at vec, size float64) {
	for k := 0.6; k < 6; k += 0.45 {
		var pts []vec
		for j := range 14 {
			sn, cs := math.Sincos(2 * math.Pi * float64(j) / 14)
			pts = append(pts, at.plus(vec{k * size * cs, 0, k * size * sn}))
		}
		s.pen.shine(s.local, byte(34/(1+0.35*k*k)+1), pts...)
		if s.pen.headlights && k < 3 { // it is the only light, and a warm one
			s.pen.poly(rgb(0xffa050), 0.06, pts...)
		}
	}
}

// smoke draws puffs that rise, spread and drift.
func (s *Stage) smoke(at vec, size, most, burns, hold, drift float64, grey tone, thin bool, seed uint64) {
	p := &s.pen
	const every, life = 0.4, 12.0
	first := max(0, int((burns-life)/every))
	for i := first; float64(i)*every < min(burns, hold); i++ {
		age := burns - float64(i)*every
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		strength := smooth(float64(i)*every/40)*0.6 + 0.4
		k := age / life
		rise := (0.95*age + 0.3) * between(r, 0.8, 1.15)
		x := drift*age*0.35*between(r, 0.6, 1.4) + between(r, -0.25, 0.25)*(1+age*0.3)
		radius := (0.25*most + 0.22*age) * between(r, 0.8, 1.3)
		opacity := strength * 0.3 * smooth(age/1.2) * (1 - smooth(k)) * between(r, 0.6, 1.2)
		if thin {
			opacity *= 0.75
		}
		c := at.plus(p.view.right.times(x)).plus(vec{0, rise + size*0.5, 0})
		shade := grey.lit(between(r, 0.85, 1.15))
		p.disc(shade, opacity, c, radius, radius*0.9)
		p.disc(shade, opacity, c.plus(p.view.right.times(0.1)), radius*0.66, radius*0.62)
	}
}

// jam: cars come up and stand in all lanes of a road, then drive on.
func (s *Stage) jam(a *Act, z ground, r *rand.Rand, hold float64) {
	type stuck struct {
		look       carLook
		x, at      float64
		from, goes float64
	}
	x0, x1, _, z1 := z.bounds()
	lane := (x1 - x0) / 2
	var all []stuck
	var full, last float64
	stood := math.Inf(1)
	const speed = 8.0
	for l := range 2 {
		front := z1 - between(r, 2.6, 3.6)
		for i := 0; front > -2; i++ {
			c := stuck{look: newCarLook(r), x: x0 + lane*(float64(l)+0.5) + between(r, -0.15, 0.15), at: front, from: float64(i)*2.4 + between(r, 0, 1)}
			front -= c.look.length + between(r, 1.2, 2.4)
			full = max(full, c.from+(c.at+8)/speed)
			stood = min(stood, c.from+(c.at+8)/speed)
			all = append(all, c)
		}
	}
	for i := range all {
		all[i].goes = full + hold + (z1-all[i].at)/7*1.3
		last = max(last, all[i].goes+(80-all[i].at)/speed+2)
	}
	first := math.Inf(1)
	for _, c := range all {
		first = min(first, c.goes)
	}
	a.Begin, a.End, a.Length = seconds(stood), seconds(first), seconds(last)
	a.draw = func(s *Stage, t float64, add func(float64, func())) {
		for _, c := range all {
			zed := -8 + (t-c.from)*speed
			switch {
			case t < c.from:
				continue
			case t > c.goes:
				k := t - c.goes
				zed = c.at + min(k, 4)*min(k, 4) + max(k-4, 0)*speed
				if zed > 80 {
					continue
				}
			default:
				zed = min(zed, c.at)
			}
			at := vec{c.x, 0, zed}
			add(s.view.depth(at), func() { s.pen.car(c.look, at, 0, 1) })
		}
	}
}
