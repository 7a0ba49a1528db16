package audit

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	rows, unsealed atomic.Int64
	// uncopied is, by sink, when the oldest checkpoint was made that it does not
	// have, in microseconds since 1970; 0: it has all.
	uncopied   map[string]*atomic.Int64
	signed     prometheus.Counter
	signFailed prometheus.Counter
	copyFailed *prometheus.CounterVec
	all        []prometheus.Collector
}

func newMetrics(now func() time.Time, sinks []string) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		signed:     counter("patrol_audit_checkpoints_total", "Checkpoints of the audit that were signed."),
		signFailed: counter("patrol_audit_checkpoint_failures_total", "Looks at the audit at which no checkpoint could be signed or kept."),
		copyFailed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_audit_copy_failures_total", Help: "Tries to copy checkpoints off the machine that failed, by sink.",
		}, []string{"sink"}),
		uncopied: map[string]*atomic.Int64{},
	}
	m.all = []prometheus.Collector{
		m.signed, m.signFailed,
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "patrol_audit_rows_total", Help: "Rows of this node's audit, over its whole life.",
		}, func() float64 { return float64(m.rows.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "patrol_audit_unsealed_rows", Help: "Rows of the audit that no signed checkpoint vouches for yet.",
		}, func() float64 { return float64(m.unsealed.Load()) }),
	}
	if len(sinks) > 0 { // without a copy there is none that could lag
		m.all = append(m.all, m.copyFailed)
	}
	for _, sink := range sinks {
		oldest := new(atomic.Int64)
		m.uncopied[sink] = oldest
		m.copyFailed.WithLabelValues(sink)
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "patrol_audit_copy_lag_seconds", Help: "Age of the oldest checkpoint that a sink off the machine does not have yet; 0 when it has all.",
			ConstLabels: prometheus.Labels{"sink": sink},
		}, func() float64 {
			at := oldest.Load()
			if at == 0 {
				return 0
			}
			return max(0, now().Sub(time.UnixMicro(at)).Seconds())
		}))
	}
	return m
}

func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range m.all {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register metrics of the audit: %w", err)
		}
	}
	return nil
}

func (m *metrics) stands(head, sealed int64) {
	m.rows.Store(head)
	m.unsealed.Store(head - sealed)
}
