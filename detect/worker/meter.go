package worker

import (
	"math"
	"sync"
	"time"
)

// loadSpan is how fast a load forgets: 86 % of its weight lies on the newest
// ten seconds.
const loadSpan = 5 * time.Second

// A meter tells how busy a lane is. It is busy whenever it does not wait for a
// sample: while its child looks, while a finding is being reported, and while
// no child runs.
type meter struct {
	now func() time.Time

	mu    sync.Mutex
	busy  bool
	since time.Time // up to when load is
	load  float64
	cost  time.Duration
}

// set says whether the lane is busy from now on.
func (m *meter) set(busy bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account()
	m.busy = busy
}

// account brings the load up to now. m.mu is held.
func (m *meter) account() {
	now, towards := m.now(), 0.0
	if m.busy {
		towards = 1
	}
	if past := now.Sub(m.since); past > 0 {
		m.load = towards + (m.load-towards)*math.Exp(-past.Seconds()/loadSpan.Seconds())
	}
	m.since = now
}

// sample counts what one sample took.
func (m *meter) sample(took time.Duration) {
	const weight = 16
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cost == 0 {
		m.cost = took
	}
	m.cost += (took - m.cost) / weight
}

// read returns the load and the mean time of the newest samples, 0 before the
// first one.
func (m *meter) read() (load float64, cost time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.account()
	return m.load, m.cost
}

// Load returns which share of the workers' time was busy over the last ten
// seconds or so: 0 is idle, 1 saturated. A worker is busy while it has a
// sample or a picture to make, while its findings are being reported, and
// while its child is being started; newer moments weigh more. It is cheap and
// safe for concurrent use.
func (p *Pool) Load() float64 {
	sum := 0.0
	for _, l := range p.lanes {
		load, _ := l.meter.read()
		sum += load
	}
	return sum / float64(len(p.lanes))
}

// Cost returns how long a worker was busy with one sample, from taking it out
// of its slot until its findings were reported, as the mean of the last 16
// samples or so of each worker; 0 before the first one. It is time, not
// processor time: on a busy machine it is more than the sample uses.
func (p *Pool) Cost() time.Duration {
	var sum time.Duration
	n := 0
	for _, l := range p.lanes {
		if _, cost := l.meter.read(); cost > 0 {
			sum, n = sum+cost, n+1
		}
	}
	return sum / time.Duration(max(1, n))
}
