package audit

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	rows, unsealed atomic.Int64
	uncopied       atomic.Int64 // microseconds since 1970 of the oldest one; 0: none
	signed         prometheus.Counter
	signFailed     prometheus.Counter
	copyFailed     prometheus.Counter
	all            []prometheus.Collector
}

func newMetrics(now func() time.Time, copies bool) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		signed:     counter("patrol_audit_checkpoints_total", "Checkpoints of the audit that were signed."),
		signFailed: counter("patrol_audit_checkpoint_failures_total", "Looks at the audit at which no checkpoint could be signed or kept."),
		copyFailed: counter("patrol_audit_copy_failures_total", "Tries to copy checkpoints off the machine that failed."),
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
	if copies { // without a copy there is none that could lag
		m.all = append(m.all, m.copyFailed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "patrol_audit_copy_lag_seconds", Help: "Age of the oldest checkpoint that was not copied off the machine yet; 0 when all were.",
		}, func() float64 {
			at := m.uncopied.Load()
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

func (m *metrics) oldest(at time.Time) {
	if at.IsZero() {
		m.uncopied.Store(0)
		return
	}
	m.uncopied.Store(at.UnixMicro())
}
