package worker

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"videopatrol/detect"
)

// Why a sample gave no result (decode_skipped_total).
const (
	whyUnwanted = "unwanted" // its camera is not in the wanted set
	whyShutOut  = "shut_out" // its camera ended too many workers
	whyTooLarge = "too_large"
	whyConfig   = "config"  // its camera's config cannot be used
	whyCorrupt  = "corrupt" // it does not decode
	whyCrash    = "quarantined"
)

// How a worker ended (worker_restarts_total).
const (
	endKilled  = "killed"  // by a signal from outside
	endExited  = "exited"  // by itself: Go turns panics, aborts and faults in C into an exit
	endHung    = "hung"    // no answer in time
	endGarbled = "garbled" // an answer that makes no sense
	endUnready = "unready" // it did not get ready
)

// maxRules bounds a label whose values come from children.
const maxRules = 32

type metrics struct {
	decode         prometheus.Histogram
	stages         *prometheus.HistogramVec
	latency        prometheus.Histogram
	skipped        *prometheus.CounterVec
	superseded     prometheus.Counter
	restarts       *prometheus.CounterVec
	findings       *prometheus.CounterVec
	reportFailures prometheus.Counter
	memoryFailures prometheus.Counter
	workers        *prometheus.GaugeVec
	looksDropped   prometheus.Counter
	drawn          prometheus.Counter

	mu    sync.Mutex
	rules map[string]bool
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	histogram := func(name, help string, buckets []float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{
			Namespace: "patrol", Name: name, Help: help, Buckets: buckets,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
		}
	}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "patrol", Name: name, Help: help}
	}
	work := []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1}
	m := &metrics{
		decode: f.NewHistogram(histogram("decode_seconds",
			"How long decoding one sample took, for samples that decoded.", work)),
		stages: f.NewHistogramVec(histogram("detect_seconds",
			"How long one stage of judging a decoded sample took.", work), []string{"stage"}),
		latency: f.NewHistogram(histogram("sample_latency_seconds",
			"Time from receiving a key unit to having analysed it.", []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30})),
		skipped: f.NewCounterVec(counter("decode_skipped_total",
			"Samples that gave no result, by why."), []string{"why"}),
		superseded: f.NewCounter(counter("samples_superseded_total",
			"Samples replaced by a newer one of their camera, or dropped for memory, before they were looked at.")),
		restarts: f.NewCounterVec(counter("worker_restarts_total",
			"Workers that ended before they were told to, by how."), []string{"reason"}),
		findings: f.NewCounterVec(counter("findings_total",
			"Findings that were reported and are durable, by rule and phase."), []string{"rule", "phase"}),
		reportFailures: f.NewCounter(counter("finding_report_failures_total",
			"Attempts to report a finding that failed and are repeated.")),
		memoryFailures: f.NewCounter(counter("checkpoint_failures_total",
			"Checkpoints of a camera's memory that could not be written, read or restored.")),
		workers: f.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "patrol", Name: "workers", Help: "Workers that run, by what keeps them from network and files.",
		}, []string{"isolation"}),
		looksDropped: f.NewCounter(counter("looks_dropped_total",
			"Newest looks at a camera that had to go for memory; its picture comes with its next sample once somebody asks.")),
		drawn: f.NewCounter(counter("stills_drawn_total",
			"Pictures made of an earlier sample because somebody asked for them.")),
		rules: make(map[string]bool),
	}
	for _, why := range []string{whyUnwanted, whyShutOut, whyTooLarge, whyConfig, whyCorrupt, whyCrash} {
		m.skipped.WithLabelValues(why)
	}
	for _, end := range []string{endKilled, endExited, endHung, endGarbled, endUnready} {
		m.restarts.WithLabelValues(end)
	}
	for _, level := range levels() {
		m.workers.WithLabelValues(level)
	}
	return m
}

// collect adds what is read when somebody asks for it.
func (m *metrics) collect(r prometheus.Registerer, p *Pool) {
	f := promauto.With(r)
	gauge := func(name, help string, read func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "patrol", Name: name, Help: help}, read)
	}
	gauge("look_memory_bytes", "Bytes of the newest key units and pictures that are kept for those who look at a camera.",
		func() float64 { return float64(p.kept()) })
	gauge("worker_load_ratio", "Which share of the workers' time was busy over the last ten seconds or so; 1 is saturated.", p.Load)
	gauge("worker_sample_cost_seconds", "How long a worker was busy with one sample, as the mean of the newest ones.",
		func() float64 { return p.Cost().Seconds() })
}

// observe counts what a result says of its stages.
func (m *metrics) observe(r *detect.Result) {
	for stage, seconds := range r.Stages {
		if stage == stageDecode {
			m.decode.Observe(seconds)
			continue
		}
		m.stages.WithLabelValues(stage).Observe(seconds)
	}
}

// reported counts a finding that is durable.
func (m *metrics) reported(f detect.Finding) {
	m.mu.Lock()
	rule := f.Rule.ID
	if !m.rules[rule] && len(m.rules) >= maxRules {
		rule = "other"
	} else {
		m.rules[rule] = true
	}
	m.mu.Unlock()
	m.findings.WithLabelValues(rule, string(f.Phase)).Inc()
}
