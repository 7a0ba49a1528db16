package alerts_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/inventory/sqldb/sqldbtest"
)

// BenchmarkObserve folds lives of conditions, begin, three times continue and
// end, each on disk before the next one, from many cameras at a time.
func BenchmarkObserve(b *testing.B) {
	for _, engine := range sqldbtest.Engines() {
		for _, cameras := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("%s/cameras=%d", engine, cameras), func(b *testing.B) { benchmarkObserve(b, engine, cameras) })
		}
	}
}

func benchmarkObserve(b *testing.B, engine string, cameras int) {
	b.Helper()
	g := openAt(b, sqldbtest.URL(b, engine), alerts.Subscription{Name: "police", Sink: &scriptedSink{start: time.Now()}})
	g.changes = make([]alerts.Change, 0, b.N)
	phases := []detect.Phase{
		detect.PhaseBegin, detect.PhaseContinue, detect.PhaseContinue, detect.PhaseContinue, detect.PhaseEnd,
	}
	var camera atomic.Int64
	b.SetParallelism(max(1, cameras/2))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		f := begin(fmt.Sprintf("c%d", camera.Add(1)))
		f.Picture = nil
		now := began
		for i := 0; pb.Next(); i++ {
			f.Phase = phases[i%len(phases)]
			now = now.Add(20 * time.Second)
			if f.At = now; f.Phase == detect.PhaseBegin {
				f.Began = now
			}
			if err := g.engine.Observe(b.Context(), f); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "findings/s")
}
