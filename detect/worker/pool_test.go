package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/inventory"
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

func TestSample(t *testing.T) {
	r := newRig(t, "serve")
	got := r.trusted("a", "begin")
	if !bytes.Equal(got.Still, picture) || got.Camera != "a" || got.Scene.Sharp != 1 {
		t.Errorf("result %+v", got)
	}
	f := await(t, r.findings)
	if f.Phase != detect.PhaseBegin || !f.Began.Equal(got.Received) || !bytes.Equal(f.Picture, picture) || f.Why.ZH != "有人" {
		t.Errorf("finding %+v", f)
	}
	for word, reason := range map[string]streams.Reason{
		"dark": streams.ReasonDark, "corrupt": streams.ReasonCorrupt,
	} {
		if v := r.see("a", word); v.Reason != reason {
			t.Errorf("sample %q: %s, want %s", word, v.Reason, reason)
		}
	}
	for _, m := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{2, "patrol_decode_seconds", nil},
		{2, "patrol_detect_seconds", []string{"motion"}},
		{2, "patrol_sample_latency_seconds", nil},
		{1, "patrol_decode_skipped_total", []string{"corrupt"}},
		{1, "patrol_findings_total", []string{"begin", "intrusion"}},
	} {
		if got := r.metric(m.name, m.labels...); got != m.want {
			t.Errorf("%s%v is %v, want %v", m.name, m.labels, got, m.want)
		}
	}
	if problems, err := testutil.GatherAndLint(r.registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v %v", problems, err)
	}
}

// A watch that fails has perhaps moved on past a finding that nobody got, so it
// starts again from what is known to be reported.
func TestWatchFails(t *testing.T) {
	r := newRig(t, "throttled")
	began := r.trusted("a", "begin").Received
	r.trusted("a", "ok")
	if v := r.see("a", "unfit"); v.Reason != streams.ReasonCorrupt {
		t.Errorf("verdict %+v", v)
	}
	if got := await(t, r.results); got.Undecodable != "no JPEG of it" {
		t.Errorf("result %+v", got)
	}
	if got := r.trusted("a", "continue"); got.Scene.Sharp != 2 {
		t.Errorf("the watch remembers %v pictures, want 2", got.Scene.Sharp)
	}
	await(t, r.findings)
	if f := await(t, r.findings); !f.Began.Equal(began) {
		t.Errorf("the condition that began %v goes on as %+v", began, f)
	}
}

// A worker that ends in any way costs the sample that ended it, and nothing
// else: its neighbours are looked at, and no running condition ends.
func TestWorkerEnds(t *testing.T) {
	for word, reason := range map[string]string{
		"kill": "killed", "abort": "exited", "panic": "exited", "exit": "exited", "spin": "hung", "stop": "hung",
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := newRig(t, "serve", func(o *worker.Options) { o.QuarantineDir = dir })
			began := r.trusted("a", "begin").Received
			await(t, r.findings)
			r.trusted("b", "ok")
			r.trusted("b", "ok")

			start := time.Now()
			r.Offer(sample("k", word))
			r.Offer(sample("b", "ok"))
			r.Offer(sample("a", "continue"))
			if v := await(t, r.verdicts); v.Camera != "k" || v.Reason != streams.ReasonQuarantined {
				t.Errorf("verdict on the killer: %+v", v)
			}
			if v := await(t, r.verdicts); v.Camera != "b" || v.Reason != streams.ReasonNone {
				t.Errorf("verdict on the neighbour: %+v", v)
			}
			t.Logf("from the sample to the neighbour's verdict: %v", time.Since(start))
			if got := await(t, r.results); got.Scene.Sharp != 3 {
				t.Errorf("the neighbour's watch remembers %v pictures, want 3", got.Scene.Sharp)
			}
			f := await(t, r.findings)
			if f.Phase != detect.PhaseContinue || !f.Began.Equal(began) {
				t.Errorf("the condition that began %v goes on as %+v", began, f)
			}
			r.stop()
			if len(r.findings) != 0 {
				t.Errorf("the crash made a finding: %+v", <-r.findings)
			}
			if n := r.metric("patrol_worker_restarts_total", reason); n != 1 {
				t.Errorf("%v restarts by reason %s, want 1", n, reason)
			}
			checkQuarantined(t, dir, word, reason)
		})
	}
}

func checkQuarantined(t *testing.T, dir, word, reason string) {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(dir, "*.h264"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept samples %v, %v", kept, err)
	}
	b, err := os.ReadFile(kept[0])
	if want := "\x00\x00\x00\x01\x67\x01\x00\x00\x00\x01\x68\x02\x00\x00\x00\x01" + word; err != nil || string(b) != want {
		t.Errorf("kept sample %q, %v", b, err)
	}
	text, err := os.ReadFile(strings.TrimSuffix(kept[0], ".h264") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"camera": "k"`, `"reason": "` + reason + `"`, `"strikes": 1`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if word == "abort" && !strings.Contains(string(text), "cv::Exception") {
		t.Errorf("the cause is not in %s", text)
	}
}

// What is kept for inspection is not masked, so it goes in time, new crashes
// or not; so do old memories.
func TestOldFilesGo(t *testing.T) {
	quarantine, checkpoints := t.TempDir(), t.TempDir()
	old := filepath.Join(quarantine, "20200101T000000.000-0001.h264")
	memory, other := filepath.Join(checkpoints, "x.watch"), filepath.Join(checkpoints, "notes.txt")
	for _, path := range []string{old, memory, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-7*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	newRig(t, "serve", func(o *worker.Options) { o.QuarantineDir, o.CheckpointDir = quarantine, checkpoints })
	for _, path := range []string{old, memory} {
		for deadline := time.Now().Add(patience); exists(path); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is still there", path)
			}
		}
	}
	if !exists(other) {
		t.Error("a file that is not the pool's is gone")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestIdleWorkerKilled(t *testing.T) {
	r := newRig(t, "serve")
	began := r.trusted("a", "begin").Received
	await(t, r.findings)
	r.see("k", "pid")
	pid, err := strconv.Atoi(await(t, r.results).Undecodable)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for r.metric("patrol_worker_restarts_total", "killed") == 0 {
		time.Sleep(time.Millisecond)
	}
	r.trusted("a", "continue")
	if f := await(t, r.findings); !f.Began.Equal(began) {
		t.Errorf("the condition that began %v goes on as %+v", began, f)
	}
}

func TestLiars(t *testing.T) {
	for _, mode := range []string{"garbage", "oversize", "hello", "other"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, mode)
			if v := r.see("a", "ok"); v.Reason != streams.ReasonQuarantined {
				t.Errorf("verdict %+v", v)
			}
			r.stop()
			if n := r.metric("patrol_worker_restarts_total", "garbled"); n != 1 {
				t.Errorf("%v garbled, want 1", n)
			}
		})
	}
	t.Run("half", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, "half", func(o *worker.Options) { o.Timeout = 100 * time.Millisecond })
		r.see("a", "ok")
		r.stop()
		if n := r.metric("patrol_worker_restarts_total", "hung"); n != 1 {
			t.Errorf("%v hung, want 1", n)
		}
	})
}

// A child that cannot start does not make the pool spin, and is named in the
// log.
func TestCannotStart(t *testing.T) {
	for mode, says := range map[string]string{"broken": "did not get ready", "version": "another protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, mode)
			for r.metric("patrol_worker_restarts_total", "unready") < 2 {
				time.Sleep(time.Millisecond)
			}
			r.stop()
			if s := r.log.String(); strings.Count(s, "a worker cannot start") != 1 || !strings.Contains(s, says) {
				t.Error("the log must tell why, once")
			}
		})
	}
}

func TestShutOut(t *testing.T) {
	var now atomic.Int64
	start := time.Now()
	r := newRig(t, "serve", func(o *worker.Options) {
		o.Now = func() time.Time { return start.Add(time.Duration(now.Load())) }
	})
	for range 2 {
		if v := r.see("k", "kill"); v.Reason != streams.ReasonQuarantined {
			t.Fatalf("verdict %+v", v)
		}
	}
	if v := r.see("k", "ok"); v.Reason != streams.ReasonQuarantined {
		t.Errorf("a sample of a camera that is shut out: %+v", v)
	}
	r.trusted("b", "ok")
	if n := r.metric("patrol_decode_skipped_total", "shut_out"); n != 1 {
		t.Errorf("%v samples shut out, want 1", n)
	}
	now.Store(int64(time.Minute))
	r.trusted("k", "ok")
}

func TestSentences(t *testing.T) {
	at := time.Now()
	got := worker.Sentences(at, at, at.Add(time.Hour), at.Add(2*time.Hour), at.Add(3*time.Hour), at.Add(6*time.Hour))
	want := []time.Duration{0, time.Minute, 10 * time.Minute, time.Hour, time.Hour, 0}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sentences %v, want %v", got, want)
	}
}

// A reporter that blocks holds up one worker's cameras, and neither looks
// like a hung worker nor stops the others.
func TestReporterBlocks(t *testing.T) {
	release := make(chan struct{})
	blocked := make(chan struct{}, 10)
	r := newRig(t, "serve", func(o *worker.Options) {
		o.Workers, o.Timeout = 2, 500*time.Millisecond
		o.Reporter = detect.ReporterFunc(func(ctx context.Context, _ detect.Finding) error {
			blocked <- struct{}{}
			select {
			case <-release:
			case <-ctx.Done():
			}
			return ctx.Err()
		})
	})
	// FNV-1a shares these two out to different workers.
	r.want("a", "b")
	r.see("a", "begin")
	await(t, blocked)
	r.Offer(sample("a", "ok"))
	r.Offer(sample("a", "ok"))
	time.Sleep(600 * time.Millisecond) // longer than a worker may take
	r.trusted("b", "ok")
	if n := r.metric("patrol_samples_superseded_total"); n != 1 {
		t.Errorf("%v superseded, want 1", n)
	}
	if samples, size := r.Pending(); samples != 1 || size != 6 {
		t.Errorf("pending %d samples, %d bytes", samples, size)
	}
	close(release)
	await(t, r.results)
	await(t, r.verdicts)
	r.stop()
	if s := r.log.String(); strings.Contains(s, "a worker ended") {
		t.Error("a worker ended")
	}
}

func TestReporterFails(t *testing.T) {
	var tries []string
	done := make(chan struct{}, 10)
	r := newRig(t, "serve", func(o *worker.Options) {
		o.Reporter = detect.ReporterFunc(func(_ context.Context, f detect.Finding) error {
			tries = append(tries, string(f.Phase)) // one lane: one caller
			if len(tries) < 3 {
				return errors.New("the record is busy")
			}
			done <- struct{}{}
			return nil
		})
	})
	r.Offer(sample("a", "begin"))
	await(t, done)
	r.Offer(sample("a", "end"))
	await(t, done)
	r.stop()
	if got := strings.Join(tries, " "); got != "begin begin begin end" {
		t.Errorf("reported: %s", got)
	}
	if n := r.metric("patrol_finding_report_failures_total"); n != 2 {
		t.Errorf("%v failures, want 2", n)
	}
	if s := r.log.String(); strings.Count(s, "findings cannot be reported") != 1 || strings.Count(s, "reported again") != 1 {
		t.Error("the log must tell of the trouble once, and of its end once")
	}
}

// The gateway's restart keeps what the cameras saw; and a memory is never on
// disk before the finding in it is durable.
func TestGatewayRestart(t *testing.T) {
	dir := t.TempDir()
	onDisk := func(o *worker.Options) { o.CheckpointDir = dir }
	file := filepath.Join(dir, "a.watch")
	early := make(chan bool, 10)
	r := newRig(t, "throttled", onDisk, func(o *worker.Options) {
		o.Reporter = detect.ReporterFunc(func(context.Context, detect.Finding) error {
			_, err := os.Stat(file)
			early <- err == nil
			return nil
		})
	})
	began := r.trusted("a", "begin").Received
	if await(t, early) {
		t.Error("the memory was on disk before the finding was reported")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("the memory of a begin is not on disk: %v", err)
	}
	if camera, blob, err := worker.ParseMemory(b); err != nil || camera != "a" || len(blob) == 0 {
		t.Errorf("memory %q %q %v", camera, blob, err)
	}
	r.trusted("a", "ok")
	r.stop() // saves what the throttled child kept to itself

	r = newRig(t, "serve", onDisk)
	if got := r.trusted("a", "continue"); got.Scene.Sharp != 3 {
		t.Errorf("the watch remembers %v pictures, want 3", got.Scene.Sharp)
	}
	if f := await(t, r.findings); !f.Began.Equal(began) {
		t.Errorf("the condition that began %v goes on as %+v", began, f)
	}
	r.stop()

	for name, spoil := range map[string]func(*worker.Options){
		"damaged": func(*worker.Options) {
			if err := os.WriteFile(file, []byte("{}\nx"), 0o600); err != nil {
				t.Error(err)
			}
		},
		"too old": func(o *worker.Options) { o.Now = func() time.Time { return time.Now().Add(7 * time.Hour) } },
	} {
		t.Run(name, func(t *testing.T) {
			if got := newRig(t, "serve", onDisk, spoil).trusted("a", "ok"); got.Scene.Sharp != 1 {
				t.Errorf("the watch remembers %v pictures, want 1", got.Scene.Sharp)
			}
		})
	}
}

// A finding that was not reported when the gateway ended is not in the memory
// that the next one starts with.
func TestUnreportedIsNotRemembered(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, "serve", func(o *worker.Options) {
		o.CheckpointDir, o.ShutdownGrace = dir, 10*time.Millisecond
		o.Reporter = detect.ReporterFunc(func(context.Context, detect.Finding) error { return errors.New("no record") })
	})
	r.see("a", "begin")
	r.stop()
	if _, err := os.Stat(filepath.Join(dir, "a.watch")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a memory is on disk (%v)", err)
	}
	if !strings.Contains(r.log.String(), "it will be made again") {
		t.Error("the log does not tell")
	}
}

// At the end what is in flight is finished and reported, and no child is left.
func TestShutdown(t *testing.T) {
	r := newRig(t, "serve")
	r.see("b", "pid")
	pid, err := strconv.Atoi(await(t, r.results).Undecodable)
	if err != nil {
		t.Fatal(err)
	}
	r.Offer(sample("a", "slow begin"))
	for samples, _ := r.Pending(); samples > 0; samples, _ = r.Pending() {
		time.Sleep(time.Millisecond)
	}
	r.stop()
	select {
	case f := <-r.findings:
		if f.Phase != detect.PhaseBegin {
			t.Errorf("finding %+v", f)
		}
	default:
		t.Error("what was in flight was not reported")
	}
	if alive(pid) {
		t.Error("the child is left")
	}
}

// A child that ends as soon as it is ready does not make the pool spin.
func TestChildEndsAtOnce(t *testing.T) {
	r := newRig(t, "brief")
	for r.metric("patrol_worker_restarts_total", "exited") < 2 {
		time.Sleep(time.Millisecond)
	}
	r.stop()
	if n := strings.Count(r.log.String(), "a worker started"); n > 3 {
		t.Errorf("%d children", n)
	}
}

// A watch that must start without its memory is told what runs: by the record,
// and by what was reported since the record was asked.
func TestRunningWithoutMemory(t *testing.T) {
	r := newRig(t, "serve")
	key := func(zone string) detect.ConditionKey {
		return detect.ConditionKey{Camera: "a", Zone: zone, Rule: "intrusion"}
	}
	old := time.Now().Add(-time.Hour).Round(0).UTC()
	r.Reconcile([]detect.Config{{Camera: "a", TimeZone: "UTC", Running: []detect.Condition{
		{Key: key("y"), Kind: detect.KindIntrusion, Began: old}, {Key: key("z"), Kind: detect.KindIntrusion, Began: old},
	}}, {Camera: "b"}, {Camera: "k"}})
	began := r.trusted("a", "forgetful begin").Received // in zone z
	running := func(killer string, n float64, z time.Time) {
		t.Helper()
		r.see(killer, "kill")
		if got := r.trusted("a", "running").Scene; got.Luma != n || !got.Since.Equal(z) || got.Sharp != 1 {
			t.Errorf("the watch knows of %v conditions, that of zone z since %v; want %v, %v", got.Luma, got.Since, n, z)
		}
	}
	running("k", 2, began)
	r.trusted("a", "forgetful end")
	running("b", 1, time.Time{})
}

func TestReconcile(t *testing.T) {
	r := newRig(t, "serve")
	r.trusted("a", "ok")
	r.Reconcile([]detect.Config{{Camera: "a", TimeZone: "UTC", Zones: make([]inventory.Zone, 2)}})
	if got := r.trusted("a", "ok"); got.Scene.Luma != 2 || got.Scene.Sharp != 2 {
		t.Errorf("a changed config: %+v", got.Scene)
	}
	r.Reconcile([]detect.Config{{Camera: "a", TimeZone: "Nowhere"}})
	if v := r.see("a", "ok"); v.Reason != streams.ReasonConfig {
		t.Errorf("a config that cannot be used: %+v", v)
	}
	r.want("a")
	if got := r.trusted("a", "ok"); got.Scene.Sharp != 3 {
		t.Errorf("a config that can be used again: the watch remembers %v pictures, want 3", got.Scene.Sharp)
	}
	r.want("b")
	r.Offer(sample("a", "ok"))
	if n := r.metric("patrol_decode_skipped_total", "unwanted"); n != 1 {
		t.Errorf("%v unwanted, want 1", n)
	}
	r.want("a", "b")
	if got := r.trusted("a", "ok"); got.Scene.Sharp != 1 {
		t.Errorf("a camera that came back remembers %v pictures, want 1", got.Scene.Sharp)
	}
}

func TestReconcileWhileRunning(t *testing.T) {
	r := newRig(t, "serve", func(o *worker.Options) {
		o.Workers = 2
		o.Verdict, o.Seen = nil, nil
	})
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			for n := range 300 {
				r.want("a", "b", strconv.Itoa(n%7))
				r.Offer(sample([]string{"a", "b"}[i], "ok"))
				r.Offer(sample(strconv.Itoa(n%5), "ok"))
				r.Pending()
			}
		})
	}
	wg.Wait()
	r.stop()
	if s := r.log.String(); strings.Contains(s, "a worker ended") {
		t.Error("a worker ended")
	}
}

func TestMediaMemory(t *testing.T) {
	p, err := worker.New(worker.Options{
		Command: command("serve"), Workers: 1, MediaMemory: 1, // one sample of 8 MiB
		Reporter: detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Reconcile([]detect.Config{{Camera: "a"}, {Camera: "b"}, {Camera: "c"}})
	const size = 3 << 20
	for _, c := range []string{"a", "b", "a", "c"} {
		p.Offer(sample(c, strings.Repeat("x", size-4))) // 4 bytes of parameter sets
	}
	if samples, bytes := p.Pending(); samples != 2 || bytes != 2*size {
		t.Errorf("pending %d samples, %d bytes; want 2, %d", samples, bytes, 2*size)
	}
	p.Reconcile([]detect.Config{{Camera: "b"}})
	if samples, bytes := p.Pending(); samples != 1 || bytes != size {
		t.Errorf("after b alone is wanted: pending %d samples, %d bytes", samples, bytes)
	}
}

func TestTooLarge(t *testing.T) {
	r := newRig(t, "serve")
	if v := r.see("a", strings.Repeat("x", 8<<20)); v.Reason != streams.ReasonMemory {
		t.Errorf("verdict %+v", v)
	}
	r.trusted("a", "ok "+strings.Repeat("x", 7<<20))
}

// A child has no environment, no network, no file, no program, and no file
// descriptor but its pipes and its poller.
func TestIsolation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ask := func(t *testing.T, r *rig, what string) string {
		t.Helper()
		r.see("a", "tell "+what)
		return await(t, r.results).Undecodable
	}
	refused := func(t *testing.T, r *rig, what string) {
		t.Helper()
		if got := ask(t, r, what); !strings.HasPrefix(got, "refused: ") {
			t.Errorf("%s: %s", what, got)
		}
	}
	t.Setenv("PATROL_SECRET", "x")
	// As if whoever started the gateway had left a file open for it.
	leak, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leak)
	t.Run("filter", func(t *testing.T) {
		r := newRig(t, "serve")
		if got := ask(t, r, "env"); got != "0" && !raceEnabled {
			t.Errorf("%s environment variables", got)
		}
		// The three pipes, one of them twice; newer kernels call Go's poller a
		// regular file (0100000).
		got := slices.DeleteFunc(strings.Fields(ask(t, r, "fds")), func(s string) bool { return s == "100000" })
		if want := []string{"10000", "10000", "10000", "10000"}; !slices.Equal(got, want) {
			t.Errorf("file types of open file descriptors: %v", got)
		}
		for _, what := range []string{"dial " + l.Addr().String(), "read /etc/passwd", "write /tmp/x", "exec", "signal"} {
			refused(t, r, what)
		}
		if got := ask(t, r, "zone Asia/Shanghai"); got != "done" {
			t.Errorf("time zones: %s", got)
		}
	})
	t.Run("namespaces", func(t *testing.T) {
		r := newRig(t, "unfiltered")
		if r.trusted("a", "ok"); r.metric("patrol_workers", "namespaces") != 1 {
			t.Skip("the kernel gives no namespaces here")
		}
		refused(t, r, "dial "+l.Addr().String())
	})
	t.Run("both", func(t *testing.T) {
		r := newRig(t, "serve")
		if r.trusted("a", "ok"); r.metric("patrol_workers", "namespaces_and_filter") != 1 {
			t.Skip("the kernel gives no namespaces here")
		}
		r = newRig(t, "serve", func(o *worker.Options) { o.Isolation = worker.IsolationRequired })
		r.trusted("a", "ok")
	})
	t.Run("required", func(t *testing.T) {
		p, err := worker.New(worker.Options{
			Command: command("unfiltered"), Isolation: worker.IsolationRequired,
			Reporter: detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil }),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be isolated") {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestMemoryLimit(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs terabytes of address space")
	}
	r := newRig(t, "poor", func(o *worker.Options) { o.Timeout = patience })
	if v := r.see("k", "eat"); v.Reason != streams.ReasonQuarantined {
		t.Errorf("verdict %+v", v)
	}
}

// What a library prints on standard output is logged, cut and in bounds, and
// never taken for an answer.
func TestPrints(t *testing.T) {
	r := newRig(t, "serve")
	r.trusted("a", "print")
	r.trusted("a", "ok")
	r.stop()
	s := r.log.String()
	if n := strings.Count(s, "a worker printed a line"); n < 1 || n > 30 || len(s) > 100_000 {
		t.Errorf("%d lines of 1000 logged, %d bytes", n, len(s))
	}
	if !strings.Contains(s, "more lines than are logged") {
		t.Error("the log does not tell that lines are left out")
	}
}

// A hung child dies with its parent, however that ends.
func TestOrphan(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "child", "gateway")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil || pid == 0 {
		t.Fatalf("pid %d, %v", pid, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(patience); alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the child outlives its parent")
		}
	}
}

// alive tells whether a process runs; a zombie does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestOptions(t *testing.T) {
	report := detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil })
	for says, o := range map[string]worker.Options{
		"required":          {Command: command("serve")},
		"Command":           {Reporter: report},
		"command of a chil": {Command: []string{"/no/such"}, Reporter: report},
		"no such isolation": {Command: command("serve"), Reporter: report, Isolation: "some"},
		"0 to 1024":         {Command: command("serve"), Reporter: report, Workers: -1},
	} {
		if _, err := worker.New(o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("New: %v, want %q", err, says)
		}
	}
	if err := worker.Serve(t.Context(), worker.ServeOptions{}); err == nil {
		t.Error("Serve without parts")
	}
}
