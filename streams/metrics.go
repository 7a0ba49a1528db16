package streams

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"videopatrol/inventory"
)

const (
	outcomeSample = "sample"

	// maxCells bounds the label grid: the first-level cells beyond it, in
	// order of their ids, are counted together as "other".
	maxCells  = 400
	cellOther = "other"
	cellNone  = "none" // cameras that stand outside the grid
)

// modes are those that a visit may have.
var modes = []inventory.Mode{inventory.ModeResident, inventory.ModeVisit, inventory.ModeStill}

// sampleAges are the bounds of sample_age_seconds.
var sampleAges = []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800}

type metrics struct {
	visits    *prometheus.CounterVec
	samples   prometheus.Counter
	early     prometheus.Counter
	received  prometheus.Counter
	limitHits prometheus.Counter
}

func newMetrics(m *Manager, reg prometheus.Registerer) (*metrics, error) {
	f := promauto.With(reg)
	x := &metrics{
		visits: f.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_visits_total", Help: "Visits by mode and outcome: a sample taken, or the reason why the visit failed.",
		}, []string{"mode", "outcome"}),
		samples: f.NewCounter(prometheus.CounterOpts{
			Name: "patrol_samples_total", Help: "Key units taken as samples and handed on to detection.",
		}),
		early: f.NewCounter(prometheus.CounterOpts{
			Name: "patrol_samples_early_total", Help: "Samples taken before they were due, because the scene stirred.",
		}),
		received: f.NewCounter(prometheus.CounterOpts{
			Name: "patrol_received_bytes_total", Help: "Bytes received from cameras.",
		}),
		limitHits: f.NewCounter(prometheus.CounterOpts{
			Name: "patrol_host_sessions_limit_hits_total", Help: "Visits that a host refused because it has no session left.",
		}),
	}
	for _, mode := range modes {
		x.visits.WithLabelValues(string(mode), outcomeSample)
		for _, r := range Reasons() {
			x.visits.WithLabelValues(string(mode), string(r))
		}
	}
	if reg == nil {
		return x, nil
	}
	return x, reg.Register(&fleet{m: m, d: newFleetDescs()})
}

// fleet computes the gauges over all cameras when they are asked for, so that
// a camera's change of state costs nothing and no camera is a label.
type fleet struct {
	m *Manager
	d fleetDescs
}

type fleetDescs struct {
	dials, sessions, media, waiting, cameras, faults, blind, overdue, age, grid, modes, stirOff, stretch, use, uplink, ratio, minutes *prometheus.Desc
}

func newFleetDescs() fleetDescs {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("patrol_"+name, help, labels, nil)
	}
	return fleetDescs{
		dials:    desc("dials_in_flight", "Handshakes with cameras that are in flight."),
		sessions: desc("sessions_open", "Sessions with cameras that are open or being opened."),
		media:    desc("media_memory_bytes", "Bytes of key units that are being assembled or wait for a detector."),
		waiting:  desc("visits_waiting", "Visits that are due and wait for a dial."),
		modes:    desc("camera_modes", "Cameras by how their samples are taken.", "mode"),
		stirOff:  desc("stir_off_cameras", "Cameras whose stirring scenes hasten no sample, by why.", "reason"),
		stretch:  desc("interval_stretch", "By how much intervals are longer than wanted because a budget is short, mean over the tier's cameras; 1 when none is.", "tier"),
		use:      desc("budget_use_ratio", "What the cameras want of a budget at their wanted intervals; above 1 it is short.", "budget"),
		uplink:   desc("uplink_use_ratio", "The same for the network of an uplink that has a budget.", "uplink"),
		cameras:  desc("cameras", "Cameras by state.", "state"),
		faults:   desc("camera_faults", "Cameras that have a fault, by reason.", "reason"),
		blind:    desc("blind_cameras", "Cameras of which no trusted picture was analysed in time, by the first reason; those under planned maintenance are not counted.", "reason"),
		overdue:  desc("overdue_cameras", "Cameras whose newest analysed picture is older than twice their interval and one distance between key units.", "tier"),
		age:      desc("sample_age_seconds", "Age of the newest analysed picture, over cameras; of the patrol itself where there is none yet.", "tier"),
		grid:     desc("grid_cameras", "Cameras by first-level grid cell and state.", "grid", "state"),
		ratio:    desc("coverage_ratio", "Share of the camera-minutes of the last full hour that were watched, by first-level grid cell; excused ones are left out.", "grid"),
		minutes:  desc("coverage_seconds_total", "Time of cameras whose minutes are closed, by outcome: watched, blind, or excused by planned maintenance.", "outcome"),
	}
}

// Describe implements prometheus.Collector.
func (f *fleet) Describe(ch chan<- *prometheus.Desc) {
	d := f.d
	for _, desc := range []*prometheus.Desc{d.dials, d.sessions, d.media, d.waiting, d.cameras, d.faults, d.blind, d.overdue, d.age, d.grid, d.modes, d.stirOff, d.stretch, d.use, d.uplink, d.ratio, d.minutes} {
		ch <- desc
	}
}

// ages is one tier's histogram in the making.
type ages struct {
	count, overdue uint64
	sum, stretch   float64
	buckets        map[float64]uint64
}

// census counts the fleet once.
type census struct {
	states map[State]int
	faults map[Reason]int
	blind  map[Reason]int
	modes  map[inventory.Mode]int
	stir   map[string]int // off, by why
	tiers  map[inventory.Tier]*ages
	grid   map[string]map[State]int
}

func (m *Manager) census(now time.Time) census {
	c := census{
		states: make(map[State]int), faults: make(map[Reason]int), blind: make(map[Reason]int),
		modes: make(map[inventory.Mode]int), stir: make(map[string]int), tiers: make(map[inventory.Tier]*ages), grid: make(map[string]map[State]int),
	}
	for _, t := range inventory.Tiers() {
		c.tiers[t] = &ages{buckets: make(map[float64]uint64)}
	}
	for _, l := range m.all() {
		s, p := l.status(now)
		c.states[s.State]++
		if p.cell == "" {
			p.cell = cellNone
		}
		if c.grid[p.cell] == nil {
			c.grid[p.cell] = make(map[State]int)
		}
		c.grid[p.cell][s.State]++
		if s.Reason != ReasonNone {
			c.faults[s.Reason]++
		}
		if s.State != StateDisabled {
			c.look(s, p.tier, now, l)
			c.modes[s.Mode]++
			c.stir[s.StirOff]++
		}
	}
	return c
}

// look counts how old the newest analysed picture of a camera is.
func (c *census) look(s Status, tier inventory.Tier, now time.Time, l *loop) {
	t := c.tiers[tier]
	if t == nil { // a tier of no meaning counts as the normal one
		t = c.tiers[inventory.TierNormal]
	}
	newest := s.LastSample
	if newest.IsZero() {
		newest = l.born
	}
	age := max(0, now.Sub(newest))
	late := age > freshFor(s.Interval, s.GOP)
	t.count++
	t.stretch += s.Stretch
	t.sum += age.Seconds()
	for _, bound := range sampleAges {
		if age.Seconds() <= bound {
			t.buckets[bound]++
		}
	}
	if late {
		t.overdue++
	}
	switch {
	case s.State == StateOnline && !late, l.m.Excused(s.Camera, now):
	case s.Reason != ReasonNone:
		c.blind[s.Reason]++
	case s.State == StateUnknown:
		c.blind[ReasonNotVisited]++
	default:
		c.blind[ReasonLate]++
	}
}

// Collect implements prometheus.Collector.
func (f *fleet) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	led := f.m.ledger
	gauge(f.d.dials, float64(led.dialling.Load()))
	gauge(f.d.sessions, float64(led.sessions.Load()))
	gauge(f.d.media, float64(led.media.Load()))
	gauge(f.d.waiting, float64(f.m.schedule.backlog()))
	f.collectBudgets(gauge)

	c := f.m.census(time.Now())
	for _, s := range States() {
		gauge(f.d.cameras, float64(c.states[s]), string(s))
	}
	for _, r := range Reasons() {
		gauge(f.d.faults, float64(c.faults[r]), string(r))
		gauge(f.d.blind, float64(c.blind[r]), string(r))
	}
	gauge(f.d.blind, float64(c.blind[ReasonLate]), string(ReasonLate))
	gauge(f.d.blind, float64(c.blind[ReasonNotVisited]), string(ReasonNotVisited))
	for _, why := range []string{StirIntraOnly, StirPadded, StirNoisy, StirVisits, StirConfig} {
		gauge(f.d.stirOff, float64(c.stir[why]), why)
	}
	for _, mode := range modes {
		gauge(f.d.modes, float64(c.modes[mode]), string(mode))
	}
	for _, tier := range inventory.Tiers() {
		t := c.tiers[tier]
		gauge(f.d.stretch, max(1, t.stretch/max(1, float64(t.count))), string(tier))
		gauge(f.d.overdue, float64(t.overdue), string(tier))
		for _, bound := range sampleAges { // every bucket is there, empty or not
			t.buckets[bound] += 0
		}
		ch <- prometheus.MustNewConstHistogram(f.d.age, t.count, t.sum, t.buckets, string(tier))
	}
	minutes, ratios := f.m.coverage.counted()
	for i, outcome := range []string{"watched", "blind", "excused"} {
		ch <- prometheus.MustNewConstMetric(f.d.minutes, prometheus.CounterValue, 60*minutes[i], outcome)
	}
	for cell, v := range ratios {
		gauge(f.d.ratio, v, cell)
	}
	for cell, states := range boundCells(c.grid) {
		for _, s := range States() {
			gauge(f.d.grid, float64(states[s]), cell, string(s))
		}
	}
}

func (f *fleet) collectBudgets(gauge func(*prometheus.Desc, float64, ...string)) {
	b := f.m.balance.Load()
	for _, budget := range []string{"dials", "network", "sessions", "workers"} {
		gauge(f.d.use, b.use[budget], budget)
	}
	for name, n := range f.m.uplinks {
		gauge(f.d.uplink, b.lines[n].use, name)
	}
}

// boundCells keeps the first maxCells cells and adds up the others.
func boundCells(grid map[string]map[State]int) map[string]map[State]int {
	if len(grid) <= maxCells {
		return grid
	}
	cells := make([]string, 0, len(grid))
	for cell := range grid {
		cells = append(cells, cell)
	}
	slices.Sort(cells)
	other := make(map[State]int)
	for _, cell := range cells[maxCells:] {
		for s, n := range grid[cell] {
			other[s] += n
		}
		delete(grid, cell)
	}
	grid[cellOther] = other
	return grid
}
