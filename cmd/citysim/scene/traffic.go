package scene

import (
	"math"
	"math/rand/v2"
	"time"
)

func seconds[T int | float64](n T) time.Duration {
	return time.Duration(float64(n) * float64(time.Second))
}

// mover is what kind of thing goes along a route.
type mover int

const (
	cars mover = iota
	trucks
	people
	cyclists // along x only
	dogs
	boats
	forklifts
)

// route is a way that things go on their own business.
type route struct {
	kind   mover
	path   []vec
	speed  float64 // metres a second
	hourly float64 // how many at the busiest hour
	spread float64 // metres to the side
	zone   bool    // it leads through a zone: nobody takes it while something happens there
	stop   float64 // metres along the path to a traffic light, 0 for none
	red    bool    // goes while that light is red
}

func length(path []vec) float64 {
	sum := 0.0
	for i := 1; i < len(path); i++ {
		sum += span(path[i-1], path[i])
	}
	return sum
}

// along returns the place so many metres along a path, and the direction.
func along(path []vec, metres float64) (at, way vec) {
	for i := 1; i < len(path); i++ {
		d := span(path[i-1], path[i])
		if metres <= d || i == len(path)-1 {
			way = path[i].minus(path[i-1]).times(1 / max(d, 1e-9))
			return path[i-1].plus(way.times(metres)), way
		}
		metres -= d
	}
	return path[0], vec{z: 1}
}

// rhythm is how busy a route is at an hour of the day, 0..1.
func (r route) rhythm(hour float64) float64 {
	bump := func(at, wide float64) float64 {
		d := math.Mod(hour-at+36, 24) - 12
		return math.Exp(-d * d / (2 * wide * wide))
	}
	switch r.kind {
	case people, dogs, cyclists:
		return min(1, 0.02+0.8*bump(8, 1.3)+0.6*bump(12.5, 2)+0.9*bump(18, 2)+0.25*bump(15, 3))
	case boats, forklifts:
		return min(1, 0.03+bump(13, 3.5))
	default:
		return min(1, 0.06+0.8*bump(8.3, 1.5)+0.6*bump(13, 3)+0.9*bump(18, 2))
	}
}

// passing is one thing on a route.
type passing struct {
	route  int
	from   float64 // seconds
	speed  float64
	side   float64
	wait   float64 // seconds at the light
	stop   float64 // metres along, where it waits
	car    carLook
	who    personLook
	end    float64
	stride float64
}

// at returns where it is at a time, and the direction it goes.
func (m passing) at(r route, now float64) (at, way vec, moving bool) {
	t := now - m.from
	moving = true
	if m.wait > 0 {
		switch reach := m.stop / m.speed; {
		case t > reach+m.wait:
			t -= m.wait
		case t > reach:
			t, moving = reach, false
		}
	}
	at, way = along(r.path, t*m.speed)
	n := vec{-way.z, 0, way.x}
	return at.plus(n.times(m.side)), way, moving
}

// traffic makes what goes along the routes, in order of time.
type traffic struct {
	routes []route
	random []*rand.Rand
	next   []float64 // when the next thing may come, by route
	there  []passing
	queue  []queue
}

// queue is who waits at a traffic light, in one cycle.
type queue struct {
	cycle int
	cars  int
}

func newTraffic(routes []route, seed uint64) *traffic {
	t := &traffic{routes: routes, next: make([]float64, len(routes)), queue: make([]queue, len(routes))}
	for i := range routes {
		t.random = append(t.random, rand.New(rand.NewPCG(mix(seed), mix(uint64(i)+500)))) //nolint:gosec // chance for pictures
		t.next[i] = math.NaN()
	}
	return t
}

// advance lets come and go what does until now; hour is the hour of the day.
func (t *traffic) advance(now, hour float64) {
	keep := t.there[:0]
	for _, m := range t.there {
		if m.end > now {
			keep = append(keep, m)
		}
	}
	t.there = keep
	for i, r := range t.routes {
		mean := 3600 / r.hourly
		if math.IsNaN(t.next[i]) || now-t.next[i] > 600 {
			// What came while nobody looked has gone.
			t.next[i] = now - 60 + t.random[i].ExpFloat64()*mean
		}
		for t.next[i] <= now {
			from := t.next[i]
			t.next[i] += max(t.random[i].ExpFloat64()*mean, 2.2)
			if t.random[i].Float64() < r.rhythm(hour) {
				if m := t.send(i, from); m.end > now {
					t.there = append(t.there, m)
				}
			}
		}
	}
}

// send makes a thing that enters a route.
func (t *traffic) send(i int, from float64) passing {
	r, chance := t.routes[i], t.random[i]
	m := passing{route: i, from: from, speed: r.speed * between(chance, 0.85, 1.2), side: between(chance, -1, 1) * r.spread, stride: between(chance, 0, 6)}
	if r.kind == people || r.kind == cyclists {
		m.who = newPersonLook(chance)
	} else {
		m.car = newCarLook(chance)
	}
	if r.red || r.stop > 0 {
		m.speed = r.speed // nobody overtakes
	}
	if r.red {
		// Whoever crosses does so while the others wait.
		if into := math.Mod(from, lightsCycle); into < lightsGreen+2 || into > lightsCycle-8 {
			return passing{}
		}
	}
	if r.stop > 0 {
		t.halt(&m, i)
	}
	m.end = from + length(r.path)/m.speed + m.wait
	return m
}

// halt makes a car wait behind the others while the light is red.
func (t *traffic) halt(m *passing, i int) {
	r, q := t.routes[i], &t.queue[i]
	arrives := m.from + r.stop/m.speed
	into, cycle := math.Mod(arrives, lightsCycle), int(arrives/lightsCycle)
	if q.cycle != cycle {
		*q = queue{cycle: cycle}
	}
	clears := float64(q.cars) * 2 // seconds until those before it have gone
	switch {
	case into > lightsGreen:
		m.stop = max(r.stop-6.4*float64(q.cars), 4)
		green := m.from - math.Mod(m.from, lightsCycle) + lightsCycle
		for green < arrives {
			green += lightsCycle
		}
		m.wait = max(green+1.6*float64(q.cars)+1-(m.from+m.stop/m.speed), 0)
		q.cars++
	case into < clears:
		m.wait, m.stop = clears-into, r.stop-8
	}
}

// show draws what is on the routes; through tells whether those that lead
// through a zone are taken.
func (s *Stage) show(now float64, through bool, add func(depth float64, draw func())) {
	p := &s.pen
	for _, m := range s.traffic.there {
		r := s.traffic.routes[m.route]
		if r.zone && !through || m.end <= now {
			continue
		}
		at, way, moving := m.at(r, now)
		heading := math.Atan2(way.x, way.z)
		step := (now-m.from)*m.speed*4 + m.stride
		add(s.view.depth(at), func() {
			switch r.kind {
			case people:
				p.person(m.who, at, step, pick3(moving, 1.0, 0.0))
			case cyclists:
				p.cyclist(m.who, at, math.Copysign(1, way.x), step)
			case trucks:
				p.truck(m.car, at, heading)
			case dogs:
				p.dog(at, way)
			case boats:
				p.boat(m.car.paint, at, way)
			case forklifts:
				p.forklift(at, heading, now)
			default:
				p.car(m.car, at, heading, 1)
			}
		})
	}
}

func pick3[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

// turned returns how to place what stands somewhere and looks along a heading.
func turned(at vec, heading float64) func(x, y, z float64) vec {
	sh, ch := math.Sincos(heading)
	return func(x, y, z float64) vec { return at.plus(vec{x*ch + z*sh, y, z*ch - x*sh}) }
}

// truck draws a lorry with a box.
func (p *pen) truck(c carLook, at vec, heading float64) {
	to := turned(at, heading)
	p.shadow(at, 1.5, 4, heading, 0.5)
	p.solid(frustum(to, 1.2, 0.3, 0.9, -3.8, 3.6, 1.2, -3.8, 3.6, rgb(0x2a2c30), rgb(0x2a2c30)))
	cab := func() {
		p.solid(frustum(to, 1.15, 0.6, 2.5, 2.0, 3.7, 1.1, 2.1, 3.5, c.paint, c.paint.lit(1.06)))
		p.solid(frustum(to, 1.0, 1.6, 2.3, 3.5, 3.75, 0.95, 3.5, 3.6, rgb(0x2a343d), rgb(0x2a343d)))
	}
	box := func() {
		t := rgb(0xd6d8d5)
		p.solid(frustum(to, 1.22, 0.9, 3.3, -3.9, 1.9, 1.22, -3.9, 1.9, t, t.lit(1.04)))
	}
	if p.view.depth(to(0, 0, 3)) > p.view.depth(to(0, 0, -3)) {
		cab()
		box()
	} else {
		box()
		cab()
	}
	p.lamps(to, 0.9, 3.8)
}

// dog draws a small animal.
func (p *pen) dog(at, way vec) {
	t := rgb(0x5a4632)
	p.shadow(at, 0.3, 0.2, 0, 0.3)
	p.disc(t, 1, at.plus(vec{0, 0.32, 0}), 0.3*max(math.Abs(way.x), 0.5), 0.14)
	p.disc(t, 1, at.plus(way.times(0.3)).plus(vec{0, 0.46, 0}), 0.1, 0.1)
	for _, k := range []float64{-0.2, 0.2} {
		p.post(t, at.plus(way.times(k)), 0.3, 0.07)
	}
}

// boat draws a barge with a cabin.
func (p *pen) boat(t tone, at, way vec) {
	to := turned(at, math.Atan2(way.x, way.z))
	hull := rgb(0x4a4038)
	p.solid(frustum(to, 1.8, 0, 1.2, -8, 8, 2.1, -8.6, 9.4, hull, hull.lit(1.2)))
	p.solid(frustum(to, 1.3, 1.2, 3.2, -7, -3.5, 1.2, -6.8, -3.7, t, t.lit(1.1)))
	p.solid(frustum(to, 1.5, 1.2, 1.9, -2, 7, 1.4, -1.8, 6.8, rgb(0x8a7350), rgb(0x8a7350)))
}

// forklift draws a forklift truck with a beacon that turns.
func (p *pen) forklift(at vec, heading, now float64) {
	to := turned(at, heading)
	p.shadow(at, 0.8, 1.3, heading, 0.45)
	p.solid(frustum(to, 0.6, 0.2, 1.1, -1.2, 0.7, 0.6, -1.1, 0.6, rgb(0xd8a024), rgb(0xe0ac30)))
	p.solid(frustum(to, 0.5, 1.1, 2.1, -0.8, 0.4, 0.48, -0.7, 0.3, rgb(0x30343a), rgb(0x30343a)))
	p.solid(frustum(to, 0.45, 0.1, 2.2, 0.75, 0.9, 0.45, 0.75, 0.9, rgb(0x26282c), rgb(0x26282c)))
	if math.Mod(now, 0.9) < 0.45 {
		p.glow = 130
	}
	p.disc(rgb(0xff8a1e), 1, to(0, 2.2, -0.6), 0.11, 0.13)
	p.glow = 0
}
