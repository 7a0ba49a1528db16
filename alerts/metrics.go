package alerts

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"videopatrol/detect"
)

// scrapeTime bounds what a scrape may cost the record.
const scrapeTime = 2 * time.Second

type metrics struct {
	outcomes *prometheus.CounterVec
	leads    *prometheus.CounterVec
	stages   *prometheus.HistogramVec
	breaches *prometheus.CounterVec
	expired  *prometheus.CounterVec
	quiet    *prometheus.CounterVec
	lost     prometheus.Counter
}

func newMetrics(store Store, reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_findings_folded_total",
			Help: "Findings taken by the lead engine, by what they came to; repeated ones changed nothing.",
		}, []string{"outcome"}),
		leads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_leads_total",
			Help: "Leads raised since the start, canary leads left out.",
		}, []string{"kind", "severity"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "patrol_lead_stage_seconds",
			Help:    "How long leads stayed in a state before people moved them on, canary leads left out.",
			Buckets: []float64{1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400},
		}, []string{"stage"}),
		breaches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_lead_clock_breaches_total",
			Help: "Clocks of leads and orders that ran out, by stage, canary leads left out.",
		}, []string{"stage"}),
		expired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_leads_expired_total",
			Help: "Leads that expired because nobody judged them in time, by severity, canary leads left out.",
		}, []string{"severity"}),
		quiet: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_findings_suppressed_total",
			Help: "Conditions that were not shown as a lead of their own, by the rule that kept them back.",
		}, []string{"by"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "patrol_evidence_lost_total",
			Help: "Pictures that could not be kept; their leads were raised without them.",
		}),
	}
	for _, s := range Stages() {
		m.breaches.WithLabelValues(string(s))
	}
	for _, s := range Severities() {
		m.expired.WithLabelValues(string(s))
	}
	for _, q := range QuietRules() {
		m.quiet.WithLabelValues(string(q))
	}
	for _, o := range Outcomes() {
		m.outcomes.WithLabelValues(string(o))
	}
	for kind, info := range DefaultKinds() {
		m.leads.WithLabelValues(string(kind), string(info.Severity))
	}
	open := &openLeads{store: store, desc: prometheus.NewDesc("patrol_leads_open",
		"Leads that still want somebody's work, by state, canary leads left out.", []string{"state"}, nil)}
	return m, register(reg, m.outcomes, m.leads, m.stages, m.breaches, m.expired, m.quiet, m.lost, open)
}

func register(reg prometheus.Registerer, all ...prometheus.Collector) error {
	if reg == nil {
		return nil
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register lead metrics: %w", err)
		}
	}
	return nil
}

func (m *metrics) folded(o Outcome) { m.outcomes.WithLabelValues(string(o)).Inc() }

func (m *metrics) raised(l Lead) {
	if !l.Canary {
		m.leads.WithLabelValues(boundedKind(l.Kind), string(l.Severity)).Inc()
	}
}

func (m *metrics) moved(v moved) {
	switch {
	case v.lead.Canary:
	case v.breached != "":
		m.breaches.WithLabelValues(string(v.breached)).Inc()
	default:
		m.stages.WithLabelValues(string(v.from)).Observe(max(0, v.seconds))
		if v.to == LeadExpired {
			m.expired.WithLabelValues(string(v.lead.Severity)).Inc()
		}
	}
}

// boundedKind keeps a kind from making a series of its own unless it is one
// that the gateway knows.
func boundedKind(k detect.Kind) string {
	if slices.Contains(Kinds(), k) {
		return string(k)
	}
	return "other"
}

// openLeads counts the open leads in the record at every scrape, so that the
// figure survives a restart.
type openLeads struct {
	store Store
	desc  *prometheus.Desc
}

// Describe sends the family's description.
func (o *openLeads) Describe(ch chan<- *prometheus.Desc) { ch <- o.desc }

// Collect sends one figure a state; a record that does not answer is an error
// of the scrape, not a zero.
func (o *openLeads) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	counts, err := o.store.Counts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(o.desc, err)
		return
	}
	for _, s := range LeadStates() {
		if s.Open() {
			ch <- prometheus.MustNewConstMetric(o.desc, prometheus.GaugeValue, float64(counts[s]), string(s))
		}
	}
}

// Reasons for which a delivery failed, in the metric's label.
const (
	FaultNetwork = "network"  // no connection, or it broke
	FaultTimeout = "timeout"  // no answer in time
	FaultBlocked = "blocked"  // the egress allowlist refuses the address
	FaultRefused = "refused"  // the receiver said no
	FaultBusy    = "busy"     // the receiver asked to wait
	FaultBroken  = "broken"   // the receiver failed
	FaultGone    = "gone"     // the receiver wants no more
	FaultUnfit   = "unfit"    // the notice cannot be sent at all
	FaultOther   = "other"    // anything else
	FaultGivenUp = "given_up" // the last try failed: a dead letter
)

type outboxMetrics struct {
	sent   *prometheus.CounterVec
	failed *prometheus.CounterVec
}

func newOutboxMetrics(store OutboxStore, sinks []string, reg prometheus.Registerer) (*outboxMetrics, error) {
	m := &outboxMetrics{
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_deliveries_total",
			Help: "Notices that a sink took.",
		}, []string{"sink"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_delivery_failures_total",
			Help: "Tries to deliver a notice that failed, by reason; given_up counts the notices that became dead letters.",
		}, []string{"sink", "reason"}),
	}
	for _, s := range sinks {
		m.sent.WithLabelValues(s)
		m.failed.WithLabelValues(s, FaultGivenUp)
	}
	return m, register(reg, m.sent, m.failed, &backlog{
		store:   store,
		pending: prometheus.NewDesc("patrol_outbox_pending", "Notices that wait to be delivered, dead letters left out.", nil, nil),
		oldest: prometheus.NewDesc("patrol_outbox_oldest_timestamp_seconds",
			"When the oldest waiting notice was written; absent while none waits.", nil, nil),
		dead: prometheus.NewDesc("patrol_outbox_dead", "Notices that were given up and are kept as dead letters.", nil, nil),
	})
}

// backlog reads the outbox at every scrape.
type backlog struct {
	store                 OutboxStore
	pending, oldest, dead *prometheus.Desc
}

// Describe sends the families' descriptions.
func (b *backlog) Describe(ch chan<- *prometheus.Desc) {
	ch <- b.pending
	ch <- b.oldest
	ch <- b.dead
}

// Collect sends the figures of all sinks together.
func (b *backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	sinks, err := b.store.Backlog(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(b.pending, err)
		return
	}
	var pending, dead int
	var oldest time.Time
	for _, s := range sinks {
		pending += s.Pending
		dead += s.Dead
		if !s.Oldest.IsZero() && (oldest.IsZero() || s.Oldest.Before(oldest)) {
			oldest = s.Oldest
		}
	}
	ch <- prometheus.MustNewConstMetric(b.pending, prometheus.GaugeValue, float64(pending))
	ch <- prometheus.MustNewConstMetric(b.dead, prometheus.GaugeValue, float64(dead))
	if !oldest.IsZero() {
		ch <- prometheus.MustNewConstMetric(b.oldest, prometheus.GaugeValue, float64(oldest.UnixMicro())/1e6)
	}
}
