package worker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/inventory"
	"videopatrol/streams"
)

// Still says in a picture what it is of, and under how many masks.
func (w *watcher) Still(p detect.Picture) ([]byte, error) {
	word, _, _ := strings.Cut(string(p.Y.Pix), " ")
	switch word {
	case "fatal":
		os.Exit(3)
	case "blurred":
		return nil, errors.New("no picture of it")
	}
	return fmt.Appendf([]byte{0xff, 0xd8, 0xff}, "%s masks=%d", p.Y.Pix, len(w.config.Masks)), nil
}

func newStillRig(t *testing.T, change ...func(*worker.Options)) *rig {
	t.Helper()
	return newRig(t, "serve", append([]func(*worker.Options){func(o *worker.Options) { o.StillMemory = 1 << 20 }}, change...)...)
}

// still asks for a picture, which must be of the word.
func (r *rig) still(camera, word string) time.Time {
	r.t.Helper()
	b, taken, err := r.Still(r.t.Context(), camera)
	if err != nil || string(b) != "\xff\xd8\xff"+word {
		r.t.Fatalf("picture of camera %s: %q %v, want %q", camera, b, err, word)
	}
	return taken
}

func (r *rig) noStill(camera string, want error) {
	r.t.Helper()
	if b, _, err := r.Still(r.t.Context(), camera); !errors.Is(err, want) || b != nil {
		r.t.Fatalf("picture of camera %s: %q %v, want %v", camera, b, err, want)
	}
}

func TestStillIsMadeWhenSomebodyAsks(t *testing.T) {
	clock := &clock{now: time.Now()}
	r := newStillRig(t, func(o *worker.Options) { o.Now = clock.Now })
	r.noStill("nobody", worker.ErrNoPicture)
	if got := r.trusted("a", "first"); len(got.Still) != 0 {
		t.Error("nobody looks at the camera, and a picture was made")
	}
	if v := r.see("a", "corrupt"); v.Reason != streams.ReasonCorrupt {
		t.Fatalf("verdict %+v", v)
	}
	await(t, r.results)
	taken := r.still("a", "first masks=0")
	if again := r.still("a", "first masks=0"); !again.Equal(taken) {
		t.Errorf("one picture, taken %v and %v", taken, again)
	}
	if n := r.metric("patrol_stills_drawn_total"); n != 1 {
		t.Errorf("%v pictures drawn, want 1", n)
	}

	got := r.trusted("a", "watched")
	if len(got.Still) == 0 {
		t.Error("somebody looks at the camera, and its sample brought no picture")
	}
	if taken := r.still("a", "\xd9"); !taken.Equal(got.Received) { // what the watcher's See makes
		t.Errorf("taken %v, want %v", taken, got.Received)
	}
	clock.pass(31 * time.Second)
	if got := r.trusted("a", "left"); len(got.Still) != 0 {
		t.Error("nobody has looked for half a minute, and a picture was made")
	}
	r.trusted("a", "begin")
	if f := await(t, r.findings); len(f.Picture) == 0 {
		t.Error("a finding has no evidence")
	}
}

func TestAsForWhatAskedBefore(t *testing.T) {
	r := newStillRig(t)
	r.noStill("a", worker.ErrNoPicture) // which marks it as watched
	if got := r.trusted("a", "ok"); len(got.Still) == 0 {
		t.Error("somebody has asked, and the next sample brought no picture")
	}
	r.still("a", "\xd9")
}

func TestStillHasTheNewestMasks(t *testing.T) {
	r := newStillRig(t)
	r.trusted("a", "x")
	r.still("a", "x masks=0")
	corner := inventory.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 0, Y: 1}}
	r.Reconcile([]detect.Config{{Camera: "a", TimeZone: "UTC", Masks: []inventory.Polygon{corner}}})
	r.still("a", "x masks=1")
	r.want("a", "b")
	r.trusted("b", "slow y")
	var wg sync.WaitGroup
	wg.Go(func() {
		if b, _, err := r.Still(t.Context(), "b"); err != nil || string(b) != "\xff\xd8\xffy masks=1" {
			t.Errorf("other masks came while the picture was being made: %q %v", b, err)
		}
	})
	time.Sleep(100 * time.Millisecond) // it is being made now
	r.Reconcile([]detect.Config{{Camera: "b", TimeZone: "UTC", Masks: []inventory.Polygon{corner}}})
	wg.Wait()
	r.Reconcile([]detect.Config{{Camera: "a", TimeZone: "Nowhere"}})
	if b, _, err := r.Still(t.Context(), "a"); err == nil {
		t.Errorf("a picture under masks that cannot be used: %q", b)
	}
	r.want("b")
	r.noStill("a", worker.ErrNoPicture)
	if n := r.metric("patrol_look_memory_bytes"); n != 0 {
		t.Errorf("%v bytes are kept of a camera that is gone", n)
	}
}

func TestStillMemory(t *testing.T) {
	const size = 1000
	r := newStillRig(t, func(o *worker.Options) { o.StillMemory = 2*size + 100 })
	for _, camera := range []string{"a", "b", "a", "k"} {
		r.trusted(camera, camera+" "+strings.Repeat("x", size-6)) // 4 bytes of parameter sets
	}
	if n, dropped := r.metric("patrol_look_memory_bytes"), r.metric("patrol_looks_dropped_total"); n != 2*size || dropped != 1 {
		t.Errorf("%v bytes are kept and %v looks dropped, want %d and 1", n, dropped, 2*size)
	}
	r.noStill("b", worker.ErrNoPicture)
	r.trusted("b", "small")
	r.still("b", "\xd9")
	r.trusted("k", strings.Repeat("x", 3*size)) // more than all of it
	r.noStill("k", worker.ErrNoPicture)
}

func TestManyAskForOnePicture(t *testing.T) {
	r := newStillRig(t)
	r.trusted("a", "slow one")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if b, _, err := r.Still(t.Context(), "a"); err != nil || !strings.HasSuffix(string(b), "one masks=0") {
				t.Errorf("%q %v", b, err)
			}
		})
	}
	wg.Wait()
	if n := r.metric("patrol_stills_drawn_total"); n != 1 {
		t.Errorf("%v pictures drawn, want 1", n)
	}
}

func TestAPictureThatEndsAWorker(t *testing.T) {
	r := newStillRig(t)
	r.trusted("b", "ok")
	r.trusted("a", "fatal")
	r.trusted("k", "blurred")
	if _, _, err := r.Still(t.Context(), "a"); err == nil {
		t.Fatal("a picture of a sample that ends the worker")
	}
	if v := await(t, r.verdicts); v.Camera != "a" || v.Reason != streams.ReasonQuarantined {
		t.Errorf("verdict %+v", v)
	}
	r.noStill("a", worker.ErrNoPicture)
	if _, _, err := r.Still(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "no picture of it") {
		t.Errorf("%v", err)
	}
	r.still("b", "ok masks=0")
	if n := r.metric("patrol_worker_restarts_total", "exited"); n != 1 {
		t.Errorf("%v restarts, want 1", n)
	}
}

func TestNobodyWaitsForeverForAPicture(t *testing.T) {
	r := newStillRig(t)
	r.trusted("a", "slow")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := r.Still(gone, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	r.stop()
	if _, _, err := r.Still(t.Context(), "b"); err == nil {
		t.Error("a picture of a camera that showed none")
	}
	r.want("a")
	if b, _, err := r.Still(t.Context(), "a"); err == nil && b == nil {
		t.Error("neither a picture nor an error")
	}
}

// clock is the time as a test has it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
