package worker_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/inventory"
	"videopatrol/streams"
)

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

// A camera that comes back has nothing of before on disk either: the record
// has ended its conditions meanwhile.
func TestCameraThatComesBack(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, "serve", func(o *worker.Options) { o.CheckpointDir = dir })
	r.trusted("a", "begin")
	r.want("b")
	r.trusted("b", "ok") // the worker forgets a
	if _, err := os.Stat(filepath.Join(dir, "a.watch")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its memory is on disk (%v)", err)
	}
	r.trusted("b", "begin")
	r.want("k")
	r.want("a", "b")
	for _, camera := range []string{"a", "b"} {
		if got := r.trusted(camera, "ok"); got.Scene.Sharp != 1 {
			t.Errorf("camera %s came back and remembers %v pictures, want 1", camera, got.Scene.Sharp)
		}
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
