package streams_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"

	"videopatrol/inventory"
	"videopatrol/streams"
)

var update = flag.Bool("update", false, "write the golden files anew")

// scrape returns the text of all metrics and their number of series.
func scrape(t *testing.T, reg *prometheus.Registry) (text string, series int) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	return b.String(), series
}

// TestMetrics compares the whole text for a small fleet in known states.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	off := camera("off", "h5")
	off.Disabled = true
	cameras := []inventory.Camera{camera("fine", "h1"), camera("dead", "h2"), camera("dark", "h3"), camera("locked", "h4"), off}
	cameras[0].Cell, cameras[1].Cell = "sub-1", "sub-1"
	grid := inventory.NewGrid([]inventory.Cell{
		{ID: "cell-1", Level: inventory.LevelCell}, {ID: "sub-1", Level: inventory.LevelSubcell, Parent: "cell-1"},
	})
	patrol(t, streams.Options{Registerer: reg}, nil, func(b *bench) {
		b.city.set("dead", refuse(streams.ReasonUnreachable))
		b.city.set("locked", refuse(streams.ReasonAuth))
		b.m.Reconcile(inventory.Snapshot{Cameras: cameras, Grid: grid})
		after(time.Minute)
		b.m.Report(streams.Verdict{Camera: "dark", At: time.Now(), Reason: streams.ReasonDark})
		got, _ := scrape(t, reg)
		problems, err := promlint.New(strings.NewReader(got)).Lint() // what promtool checks
		if err != nil || len(problems) > 0 {
			t.Errorf("metrics that are not as Prometheus wants them: %v %v", problems, err)
		}
		golden := filepath.Join("testdata", "metrics.txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("the metrics changed; look at the difference and run with -update if it is meant:\n%s", got)
		}
	})
}

// TestMetricsStayBounded: ten thousand cameras in two thousand cells, in every
// state there is, make no more series than a scrape can bear.
func TestMetricsStayBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	cameras := fleet(10_000)
	cells := make([]inventory.Cell, 2000)
	for i := range cells {
		cells[i] = inventory.Cell{ID: fmt.Sprintf("cell-%04d", i), Level: inventory.LevelCell}
	}
	for i := range cameras {
		cameras[i].Cell = cells[i%len(cells)].ID
		cameras[i].Disabled = i%50 == 0
		cameras[i].Patrol.Tier = inventory.Tiers()[i%3]
	}
	patrol(t, streams.Options{Registerer: reg, Budget: streams.Budget{DialRate: 1e6, Dials: 1e6}}, nil, func(b *bench) {
		for i, r := range streams.Reasons() {
			for k := i; k < 1000; k += 40 {
				b.city.set(cameras[k].ID, refuse(r))
			}
		}
		b.m.Reconcile(inventory.Snapshot{Cameras: cameras, Grid: inventory.NewGrid(cells)})
		after(11 * time.Second)
		text, series := scrape(t, reg)
		if series > 3000 {
			t.Errorf("%d series", series)
		}
		if strings.Contains(text, "cam-0") {
			t.Error("a camera is a label")
		}
		if !strings.Contains(text, `patrol_grid_cameras{grid="other",state="online"} `) {
			t.Error("the cells beyond the bound are not counted")
		}
	})
}

// idle plays nothing and costs nothing but the loop.
type idle struct{}

type idleSession struct{ done chan struct{} }

func (idle) Open(context.Context, streams.Target, streams.Receiver) (streams.Session, error) {
	return &idleSession{done: make(chan struct{})}, nil
}

func (s *idleSession) Wait() error {
	<-s.done
	return streams.Errorf(streams.ReasonClosed, "closed")
}

func (s *idleSession) Close() {
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}

// BenchmarkIdleLoops is the memory of one loop with an open session that does
// nothing, over 10,000 of them.
func BenchmarkIdleLoops(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		m, err := streams.New(streams.Options{
			Opener: idle{}, Sink: &desk{}, StartWithin: time.Nanosecond, StallAfter: time.Hour, NoKeyAfter: time.Hour,
			Budget: streams.Budget{DialRate: 1e9, Dials: n}, TeardownRate: 1e9,
		})
		if err != nil {
			b.Fatal(err)
		}
		var before, during runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m.Reconcile(inventory.Snapshot{Cameras: fleet(n)})
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.Run(ctx) }()
		for m.Sessions() < n {
			runtime.Gosched()
		}
		runtime.GC()
		runtime.ReadMemStats(&during)
		b.ReportMetric(float64(during.HeapInuse+during.StackInuse-before.HeapInuse-before.StackInuse)/n, "B/loop")
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStatuses is the cost of asking for the whole fleet.
func BenchmarkStatuses(b *testing.B) {
	m, err := streams.New(streams.Options{Opener: idle{}, Sink: &desk{}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	m.Reconcile(inventory.Snapshot{Cameras: fleet(10_000)})
	for len(m.Statuses()) < 10_000 {
		runtime.Gosched()
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Statuses()
	}
	b.StopTimer()
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
