package streams

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"videopatrol/inventory"
)

// Options of a Manager. A zero field means its default; Opener and Sink are
// required.
type Options struct {
	Opener Opener
	Sink   Sink
	Budget Budget

	// Intervals between samples by tier; default 5 s, 15 s and 60 s from the
	// high tier to the low one. A camera's own interval goes before.
	Intervals map[inventory.Tier]time.Duration
	// VisitAbove is the interval from which a visit is cheaper than keeping
	// the session; default 7 s (house figures: 1.05 ms a visit, 0.15 ms a
	// second of a session).
	VisitAbove time.Duration
	// Stay says which tiers keep their sessions all the same; default none.
	Stay map[inventory.Tier]Stay
	// Mode is that of cameras that ask for none; default auto.
	Mode inventory.Mode
	// NoStir switches off early looks at scenes that stir.
	NoStir bool
	// Location is where arming hours are meant; default UTC.
	Location *time.Location
	// Work tells what a sample costs its detectors; default that they have
	// time without end.
	Work func() Work

	// StartWithin bounds the spread of first visits; default 10 s.
	StartWithin time.Duration
	// BackoffMin and BackoffMax bound the exponential backoff; default 5 s
	// and 120 s. It is reset after GoodAfter of key units; default 60 s.
	BackoffMin, BackoffMax, GoodAfter time.Duration
	// AuthRest is how long a login rests after it failed twice at a host;
	// default 35 min: cameras lock an address out for 30.
	AuthRest time.Duration
	// StallAfter is how long a session may be silent; default 10 s.
	StallAfter time.Duration
	// NoKeyAfter is how long a session may play without a key unit, or three
	// times its distance between key units if that is longer; default 40 s:
	// 30 s between key units is the longest seen in the wild.
	NoKeyAfter time.Duration
	// TeardownRate is how many sessions a second are closed when the manager
	// ends, faster if not all would be within TeardownWithin; default 400
	// and 5 s.
	TeardownRate   float64
	TeardownWithin time.Duration

	// Ledger keeps what became of every camera-minute; nil keeps nothing
	// beyond the open hour. CanaryCamera is the gateway's own camera, whose
	// minutes nobody counts.
	Ledger       Ledger
	CanaryCamera string

	// Rand returns numbers in [0, 1); default the runtime's generator.
	Rand func() float64
	// Log tells changes of state; default none.
	Log *slog.Logger
	// Registerer takes the metrics; nil leaves them unregistered.
	Registerer prometheus.Registerer
}

func (o Options) withDefaults() Options {
	o.Budget = o.Budget.withDefaults()
	intervals := map[inventory.Tier]time.Duration{
		inventory.TierHigh: 5 * time.Second, inventory.TierNormal: 15 * time.Second, inventory.TierLow: time.Minute,
	}
	for tier, d := range o.Intervals {
		if d > 0 {
			intervals[tier] = d
		}
	}
	o.Intervals = intervals
	for d, def := range map[*time.Duration]time.Duration{
		&o.StartWithin: 10 * time.Second,
		&o.BackoffMin:  5 * time.Second, &o.BackoffMax: 2 * time.Minute, &o.GoodAfter: time.Minute,
		&o.AuthRest: 35 * time.Minute, &o.StallAfter: 10 * time.Second, &o.NoKeyAfter: 40 * time.Second,
		&o.TeardownWithin: 5 * time.Second,
	} {
		*d = cmp.Or(*d, def)
	}
	o.TeardownRate = cmp.Or(o.TeardownRate, 400)
	o.VisitAbove = cmp.Or(o.VisitAbove, 7*time.Second)
	o.Mode = cmp.Or(o.Mode, inventory.ModeAuto)
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Work == nil {
		o.Work = func() Work { return Work{} }
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Work is what detection has to give.
type Work struct {
	// Lanes is how many samples are looked at at once; 0 means no limit.
	Lanes int
	// Cost is how long a lane is busy with a sample, lately.
	Cost time.Duration
}

// Manager makes the sessions match the wanted set: one loop per camera.
type Manager struct {
	o        Options
	ledger   *ledger
	schedule *schedule
	metrics  *metrics
	balance  atomic.Pointer[balance]
	node     *line            // nil without a network budget
	uplinks  map[string]*line // by name
	coverage *coverage
	delays   delays

	poke chan struct{} // the wanted set changed

	mu     sync.Mutex // taken before any loop's; see doc.go
	wanted *inventory.Snapshot
	loops  map[string]*loop
	// ending holds what a removed camera's last loop closes when it has
	// ended, so that a camera that returns is never visited by two loops.
	ending  map[string]chan struct{}
	hosts   map[string]*host
	running bool

	children sync.WaitGroup
	pace     sync.Once
	step     time.Duration
	turns    atomic.Int64
}

// New checks the options and registers the metrics.
func New(o Options) (*Manager, error) {
	o = o.withDefaults()
	switch {
	case o.Opener == nil || o.Sink == nil:
		return nil, errors.New("streams: Opener and Sink are required")
	case o.BackoffMax < o.BackoffMin:
		return nil, errors.New("streams: BackoffMax is below BackoffMin")
	case o.TeardownRate < 0:
		return nil, errors.New("streams: TeardownRate is negative")
	}
	m := &Manager{
		o:      o,
		ledger: &ledger{budget: o.Budget}, coverage: newCoverage(o),
		poke:   make(chan struct{}, 1),
		loops:  make(map[string]*loop),
		ending: make(map[string]chan struct{}),
		hosts:  make(map[string]*host),
	}
	m.schedule = newSchedule(m.ledger)
	m.balance.Store(newBalance())
	m.node = newLine(o.Budget.Network, nil)
	m.uplinks = make(map[string]*line, len(o.Budget.Uplinks))
	for name, mbit := range o.Budget.Uplinks {
		m.uplinks[name] = newLine(mbit, m.node)
	}
	var err error
	m.metrics, err = newMetrics(m, o.Registerer)
	return m, err
}

// Reconcile hands over the whole wanted set. It never blocks; when sets come
// faster than they are made real, the newest wins.
func (m *Manager) Reconcile(s inventory.Snapshot) {
	m.mu.Lock()
	m.wanted = &s
	m.mu.Unlock()
	select {
	case m.poke <- struct{}{}:
	default:
	}
}

// Run patrols until ctx ends, then closes every session at a bounded rate and
// returns nil once all of them are closed. It can be called once.
func (m *Manager) Run(ctx context.Context) error {
	m.mu.Lock()
	again := m.running
	m.running = true
	m.mu.Unlock()
	if again {
		return errors.New("streams: Run was called twice")
	}
	m.children.Go(func() { m.schedule.run(ctx, m.begin) })
	m.children.Go(func() { m.keepBalance(ctx) })
	m.coverage.begin(time.Now())
	m.children.Go(func() { m.coverage.run(ctx) })
	for {
		select {
		case <-m.poke:
			m.apply(ctx)
		case <-ctx.Done():
			for _, l := range m.all() {
				if m.schedule.drop(l) {
					l.leave()
				}
			}
			m.children.Wait()
			return nil
		}
	}
}

// begin makes a visit that the schedule chose, on a goroutine of its own.
func (m *Manager) begin(l *loop) {
	l.begun(time.Now())
	m.children.Go(l.run)
}

// apply makes reality match the newest wanted set. It waits for nobody: a
// camera's new loop itself waits for its old one.
func (m *Manager) apply(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.wanted
	if s == nil {
		return
	}
	m.wanted = nil
	m.coverage.reconcile(*s, time.Now())
	listed := make(map[string]bool, len(s.Cameras))
	for i := range s.Cameras {
		c := &s.Cameras[i]
		if listed[c.ID] {
			continue
		}
		listed[c.ID] = true
		w, p := m.wantOf(c), placeOf(c, s.Grid)
		old := m.loops[c.ID]
		if old != nil && old.want == w {
			old.mu.Lock()
			old.place = p
			old.mu.Unlock()
			continue
		}
		m.start(ctx, w, p, old)
	}
	for id, l := range m.loops {
		if !listed[id] {
			l.stop()
			delete(m.loops, id)
			m.ending[id] = l.done
		}
	}
	for id, done := range m.ending {
		if ended(done) {
			delete(m.ending, id)
		}
	}
	cameras := make(map[*host]int, len(m.hosts))
	for _, l := range m.loops {
		cameras[l.host]++
	}
	for _, h := range m.hosts {
		h.has(cameras[h])
	}
}

// start begins a camera's loop once its old one has ended. m.mu is held.
func (m *Manager) start(ctx context.Context, w want, p place, old *loop) {
	l := newLoop(m, w, p, m.hostOf(w))
	after := m.ending[w.camera]
	delete(m.ending, w.camera)
	at := l.born.Add(phase(w.camera, min(w.interval, m.o.StartWithin)))
	if old != nil {
		old.stop()
		after = old.done
		at = l.born // a corrected password is tried at once
	}
	m.loops[w.camera] = l
	if w.disabled {
		l.done = after // whoever comes next still waits for the last session
		if after == nil {
			l.done = make(chan struct{})
			close(l.done)
		}
		return
	}
	l.attention.due(at, inTime(at, w.interval, 0), l.born)
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	enter := func() {
		m.schedule.put(l, at, at.Add(w.interval))
		if l.ctx.Err() != nil && m.schedule.drop(l) {
			l.leave()
		}
	}
	if ended(after) {
		enter()
		return
	}
	m.children.Go(func() {
		<-after
		enter()
	})
}

// ended tells whether a loop's done channel is closed, or there is none.
func ended(done chan struct{}) bool {
	if done == nil {
		return true
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func (m *Manager) hostOf(w want) *host {
	addr, err := address(w.url, w.mode == inventory.ModeStill)
	if err != nil {
		return nil
	}
	h := m.hosts[addr]
	if h == nil {
		h = newHost()
		m.hosts[addr] = h
	}
	return h
}

// lineOf is the line of an uplink; a name without a budget of its own counts
// for the node alone.
func (m *Manager) lineOf(uplink string) *line {
	if n, ok := m.uplinks[uplink]; ok {
		return n
	}
	return m.node
}

func (m *Manager) wantOf(c *inventory.Camera) want {
	w := want{
		camera: c.ID, url: c.Streams.Patrolled(), login: c.Login, link: c.Link, interval: c.Patrol.Interval,
		mode: cmp.Or(c.Patrol.Mode, inventory.ModeAuto), disabled: c.Disabled,
	}
	if w.interval <= 0 {
		w.interval = cmp.Or(m.o.Intervals[c.Patrol.Tier], m.o.Intervals[inventory.TierNormal])
	}
	if w.mode == inventory.ModeAuto {
		w.mode = m.o.Mode
	}
	if w.mode == inventory.ModeStill || w.url == "" && c.Streams.Still != "" {
		w.mode, w.url = inventory.ModeStill, c.Streams.Still
	}
	return w
}

func placeOf(c *inventory.Camera, g *inventory.Grid) place {
	p := place{tier: c.Patrol.Tier, zones: c.Zones}
	if p.tier == "" {
		p.tier = inventory.TierNormal
	}
	if cell, ok := g.First(c.Cell); ok {
		p.cell = cell.ID
	}
	return p
}

// turn is how long a session waits for its turn to be closed when the manager
// ends: the sessions go one after the other, all of them within the bound.
func (m *Manager) turn() time.Duration {
	m.pace.Do(func() {
		n := max(1, m.ledger.sessions.Load())
		m.step = min(time.Duration(float64(time.Second)/m.o.TeardownRate), m.o.TeardownWithin/time.Duration(n))
	})
	return time.Duration(m.turns.Add(1)) * m.step
}

// Report takes what became of a sample: it makes a camera degraded, or online
// again.
func (m *Manager) Report(v Verdict) {
	m.delays.analysed(v)
	if l := m.loop(v.Camera); l != nil {
		l.report(v)
	}
}

// Status returns what is known of one camera, and whether it is in the wanted
// set.
func (m *Manager) Status(camera string) (Status, bool) {
	l := m.loop(camera)
	if l == nil {
		return Status{}, false
	}
	s, _ := l.status(time.Now())
	return s, true
}

// Statuses returns what is known of every camera, in no order.
func (m *Manager) Statuses() []Status {
	now := time.Now()
	loops := m.all()
	all := make([]Status, len(loops))
	for i, l := range loops {
		all[i], _ = l.status(now)
	}
	return all
}

func (m *Manager) loop(camera string) *loop {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loops[camera]
}

func (m *Manager) all() []*loop {
	m.mu.Lock()
	defer m.mu.Unlock()
	loops := make([]*loop, 0, len(m.loops))
	for _, l := range m.loops {
		loops = append(loops, l)
	}
	return loops
}
