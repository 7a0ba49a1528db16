package sqldb

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	writes  prometheus.Counter
	failed  prometheus.Counter
	seconds prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		writes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "patrol_sql_writes_total",
			Help: "Write functions whose group was committed.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "patrol_sql_commit_failures_total",
			Help: "Commits that failed, each with its whole group of writes.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "patrol_sql_commit_seconds",
			Help:    "Time to bring one group of writes to disk.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.writes, m.failed, m.seconds} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register database metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) commit(took time.Duration, err error) {
	m.seconds.Observe(took.Seconds())
	if err != nil {
		m.failed.Inc()
	}
}

func (m *metrics) written(writes int) { m.writes.Add(float64(writes)) }
