package rtsp_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// sink hands samples to a test.
type sink chan streams.Sample

func (s sink) Offer(x streams.Sample) {
	select {
	case s <- x:
	default:
	}
}

// TestManagerWithRealSessions: a wrong password, a web server, a camera that
// resets and one without parameter sets each end in their reason, and the
// healthy cameras beside them never miss a sample; all is torn down in order.
func TestManagerWithRealSessions(t *testing.T) {
	right := inventory.Login{Username: "admin", Password: "right"}
	locked := st.New(t, st.Options{Username: "admin", Password: "right"})
	resets := st.New(t, st.Options{Wrap: st.Reset(4)})
	paramless := st.New(t, st.Options{NoParams: true})
	healthy := []*st.Camera{st.New(t, st.Options{Username: "admin", Password: "right"}), st.New(t, st.Options{H265: true})}

	cameras := []inventory.Camera{
		wanted("locked", locked.URL(), inventory.Login{Username: "admin", Password: "wrong"}),
		wanted("web", "rtsp://"+st.Listen(t, st.WebServer)+"/", right),
		wanted("resets", resets.URL(), right),
		wanted("paramless", paramless.URL(), right),
		wanted("ok-0", healthy[0].URL(), right),
		wanted("ok-1", healthy[1].URL(), inventory.Login{}),
	}
	samples := make(sink, 1000)
	m, err := streams.New(streams.Options{
		Opener: opener(t, rtsp.Options{}), Sink: samples,
		StartWithin: 50 * time.Millisecond, BackoffMin: 20 * time.Millisecond, BackoffMax: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Reconcile(inventory.Snapshot{Cameras: cameras})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, cam := range append(healthy, resets) {
		wg.Go(func() { cam.Play(ctx, 3, 10*time.Millisecond) })
	}
	wg.Go(func() { // key units whose parameter sets never come
		for ctx.Err() == nil {
			unit := paramless.KeyUnit(1)
			_ = paramless.Send(unit[len(unit)-1:])
			time.Sleep(10 * time.Millisecond)
		}
	})

	got := map[string]int{}
	for got["ok-0"] < 10 || got["ok-1"] < 10 {
		s := <-samples
		got[s.Camera]++
		m.Report(streams.Verdict{Camera: s.Camera, At: s.Unit.Received, Analysed: time.Now()})
	}
	reasons := map[string][]streams.Reason{
		"locked": {streams.ReasonAuth}, "web": {streams.ReasonNotRTSP}, "resets": {streams.ReasonClosed, streams.ReasonNone},
		"paramless": {streams.ReasonCorrupt}, "ok-0": {streams.ReasonNone}, "ok-1": {streams.ReasonNone},
	}
	for _, s := range m.Statuses() {
		ok := false
		for _, r := range reasons[s.Camera] {
			ok = ok || s.Reason == r
		}
		if !ok {
			t.Errorf("%s is %s (%s): %s", s.Camera, s.State, s.Reason, s.Detail)
		}
	}
	if n := locked.Dials(); n > 2 {
		t.Errorf("the wrong password was tried %d times", n)
	}
	cancel()
	wg.Wait()
	for i, cam := range healthy {
		if cam.Plays() != 1 || cam.Teardowns() != 1 {
			t.Errorf("%s: %d sessions, %d TEARDOWNs", fmt.Sprint("ok-", i), cam.Plays(), cam.Teardowns())
		}
	}
}

func wanted(id, url string, login inventory.Login) inventory.Camera {
	return inventory.Camera{
		ID: id, Streams: inventory.Streams{Sub: url}, Login: login,
		Patrol: inventory.Patrol{Tier: inventory.TierHigh, Interval: 100 * time.Millisecond},
	}
}

// TestHalfOpenIsStalled: a camera that falls silent without a word is found
// out, and visited again.
func TestHalfOpenIsStalled(t *testing.T) {
	cam := st.New(t, st.Options{Wrap: st.Silence(2)})
	m, err := streams.New(streams.Options{
		Opener: opener(t, rtsp.Options{}), Sink: make(sink), StartWithin: time.Millisecond,
		BackoffMin: time.Millisecond, BackoffMax: time.Millisecond, StallAfter: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Reconcile(inventory.Snapshot{Cameras: []inventory.Camera{wanted("silent", cam.URL(), inventory.Login{})}})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = m.Run(ctx) })
	wg.Go(func() { cam.Play(ctx, 3, 5*time.Millisecond) })
	for cam.Dials() < 2 { // the test's own time limit bounds it
		time.Sleep(time.Millisecond)
	}
	if s, _ := m.Status("silent"); s.Reason != streams.ReasonStalled {
		t.Errorf("%s (%s): %s", s.State, s.Reason, s.Detail)
	}
	cancel()
	wg.Wait()
}
