package model

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"videopatrol/inventory"
)

// Metrics add up what happens in the queues of all workers.
type Metrics struct {
	asked, dropped *prometheus.CounterVec
	batches, busy  prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "patrol", Name: name, Help: help}
	}
	m := &Metrics{
		asked: f.NewCounterVec(opts("object_looks_total", "Looks that rules wanted of a model."), []string{"tier"}),
		dropped: f.NewCounterVec(opts("object_looks_dropped_total",
			"Looks that the model did not get to, by why: full (too many wait), late (past the deadline), share (models have had their share of the time), fault (the model failed)."),
			[]string{"tier", "why"}),
		batches: f.NewCounter(opts("object_batches_total", "Groups of looks that were handed to a model at once.")),
		busy:    f.NewCounter(opts("object_seconds_total", "Time that models took.")),
	}
	for _, t := range inventory.Tiers() {
		m.asked.WithLabelValues(string(t))
		for _, why := range Drops() {
			m.dropped.WithLabelValues(string(t), string(why))
		}
	}
	return m
}

// Add adds what a worker told. A worker may have been taken over by what it
// decoded, so unknown labels are left out.
func (m *Metrics) Add(c Counts) {
	for t, n := range c.Asked {
		if slices.Contains(inventory.Tiers(), t) {
			m.asked.WithLabelValues(string(t)).Add(float64(n))
		}
	}
	for t, by := range c.Dropped {
		for why, n := range by {
			if slices.Contains(inventory.Tiers(), t) && slices.Contains(Drops(), why) {
				m.dropped.WithLabelValues(string(t), string(why)).Add(float64(n))
			}
		}
	}
	m.batches.Add(float64(c.Batches))
	m.busy.Add(max(c.Busy.Seconds(), 0))
}
