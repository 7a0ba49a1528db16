package worker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/streams"
)

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

// A child that ended before it took a sample was not ended by that sample: the
// next child gets it, and nobody is blamed.
func TestSampleThatWasNotRead(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, "deaf once:"+filepath.Join(t.TempDir(), "marker"), func(o *worker.Options) { o.QuarantineDir = dir })
	r.trusted("a", "ok")
	r.stop()
	if kept, err := filepath.Glob(filepath.Join(dir, "*.h264")); err != nil || len(kept) > 0 {
		t.Errorf("kept samples %v, %v", kept, err)
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
