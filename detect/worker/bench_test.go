package worker_test

import (
	"context"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/streams"
)

// BenchmarkSample is what one sample of 30 kB costs besides decoding and
// judging it: hand-off, pipe, checks and verdict, one after the other. The
// processor time is that of parent and child together.
func BenchmarkSample(b *testing.B) {
	verdicts := make(chan streams.Verdict, 1)
	p, err := worker.New(worker.Options{
		Command: command("throttled"), Workers: 1, Log: slog.New(slog.DiscardHandler),
		Reporter: detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil }),
		Verdict:  func(v streams.Verdict) { verdicts <- v },
	})
	if err != nil {
		b.Fatal(err)
	}
	p.Reconcile([]detect.Config{{Camera: "a", TimeZone: "UTC"}})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	s := sample("a", "ok")
	s.Unit.NALUs = append(s.Unit.NALUs, make([]byte, 30_000))
	p.Offer(s)
	<-verdicts
	b.SetBytes(int64(s.Unit.Size()))
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		p.Offer(s)
		if v := <-verdicts; v.Reason != streams.ReasonNone {
			b.Fatal(v)
		}
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// processorTime is what this process and the children that ended have used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// BenchmarkOffer is what a stream's reader waits for.
func BenchmarkOffer(b *testing.B) {
	p, err := worker.New(worker.Options{
		Command: command("serve"), Reporter: detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil }),
	})
	if err != nil {
		b.Fatal(err)
	}
	p.Reconcile([]detect.Config{{Camera: "a"}})
	s := sample("a", "ok")
	b.ReportAllocs()
	for b.Loop() {
		p.Offer(s)
	}
}

// BenchmarkStart is how long a worker takes to get ready, which a crash costs
// before the next sample.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		p, err := worker.New(worker.Options{
			Command: command("serve"), Workers: 1,
			Reporter: detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil }),
			Verdict:  func(streams.Verdict) { cancel() },
		})
		if err != nil {
			b.Fatal(err)
		}
		p.Reconcile([]detect.Config{{Camera: "a"}})
		p.Offer(sample("a", "corrupt"))
		if err := p.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAnswer(b *testing.B) {
	m := message(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := worker.DecodeAnswer(m); err != nil {
			b.Fatal(err)
		}
	}
}
