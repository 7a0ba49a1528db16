package worker_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/streams"
)

// A rig is a pool with ears. Everything that it hears can be awaited.
type rig struct {
	*worker.Pool
	t        *testing.T
	registry *prometheus.Registry
	findings chan detect.Finding
	verdicts chan streams.Verdict
	results  chan detect.Result
	log      *buffer
	stop     func()
}

const patience = 30 * time.Second

func newRig(t *testing.T, mode string, change ...func(*worker.Options)) *rig {
	t.Helper()
	r := &rig{
		t: t, registry: prometheus.NewRegistry(), log: &buffer{},
		findings: make(chan detect.Finding, 1000),
		verdicts: make(chan streams.Verdict, 1000),
		results:  make(chan detect.Result, 1000),
	}
	o := worker.Options{
		Command: command(mode), Workers: 1, Timeout: 1500 * time.Millisecond, Registerer: r.registry,
		Reporter: detect.ReporterFunc(func(_ context.Context, f detect.Finding) error { r.findings <- f; return nil }),
		Verdict:  func(v streams.Verdict) { r.verdicts <- v },
		Seen:     func(s detect.Result) { r.results <- s },
		Log:      slog.New(slog.NewTextHandler(r.log, nil)),
	}
	if raceEnabled {
		o.Env = []string{"GORACE=atexit_sleep_ms=0"}
	}
	for _, c := range change {
		c(&o)
	}
	p, err := worker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Pool = p
	r.want("a", "b", "k")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	})
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Log(r.log)
		}
	})
	return r
}

func (r *rig) want(cameras ...string) {
	var configs []detect.Config
	for _, c := range cameras {
		configs = append(configs, detect.Config{Camera: c, TimeZone: "UTC"})
	}
	r.Reconcile(configs)
}

// see offers a sample and waits for its verdict.
func (r *rig) see(camera, word string) streams.Verdict {
	r.t.Helper()
	s := sample(camera, word)
	r.Offer(s)
	v := await(r.t, r.verdicts)
	if v.Camera != camera || !v.At.Equal(s.Unit.Received) {
		r.t.Fatalf("verdict %+v on sample %q of camera %s", v, word, camera)
	}
	return v
}

// trusted does the same for a sample that must be trusted, and returns its
// result.
func (r *rig) trusted(camera, word string) detect.Result {
	r.t.Helper()
	if v := r.see(camera, word); v.Reason != streams.ReasonNone {
		r.t.Fatalf("sample %q of camera %s: %s", word, camera, v.Reason)
	}
	return await(r.t, r.results)
}

// metric returns a counter's or gauge's value, with its labels in order.
func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if f.GetName() != name || strings.Join(values, ",") != strings.Join(labels, ",") {
				continue
			}
			switch {
			case m.GetCounter() != nil:
				return m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				return m.GetGauge().GetValue()
			default:
				return float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	r.t.Fatalf("no metric %s%v", name, labels)
	return 0
}

func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %T came", *new(T))
		panic("unreachable")
	}
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
