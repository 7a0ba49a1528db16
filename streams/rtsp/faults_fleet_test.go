package rtsp_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	"videopatrol/streams/streamstest/hostile"
)

// address is one hostile server and a manager that visits cameras at it.
type address struct {
	server *hostile.Server
	m      *streams.Manager
	counts map[string]int
	mu     sync.Mutex
}

// Offer implements streams.Sink.
func (a *address) Offer(s streams.Sample) {
	a.mu.Lock()
	a.counts[s.Camera]++
	a.mu.Unlock()
	a.m.Report(streams.Verdict{Camera: s.Camera, At: s.Unit.Received, Analysed: time.Now()})
}

// until waits until the reasons of all cameras are as wanted and key units came
// of those without one; the test's own time limit bounds it.
func (a *address) until(ok func(reasons map[streams.Reason]int) bool) {
	for {
		reasons := map[streams.Reason]int{}
		a.mu.Lock()
		for _, s := range a.m.Statuses() {
			if s.Reason != streams.ReasonNone || a.counts[s.Camera] > 0 {
				reasons[s.Reason]++
			}
		}
		a.mu.Unlock()
		if ok(reasons) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// visitAddress runs a manager over cameras at one address until the story ends.
func visitAddress(t *testing.T, cameras int, story func(a *address)) {
	t.Helper()
	a := &address{counts: map[string]int{}, server: hostile.New(hostile.Options{Username: "admin", Password: "p", Second: second})}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.server.Serve(ln)
	defer a.server.Close()
	a.m, err = streams.New(streams.Options{
		Opener: opener(t, rtsp.Options{}), Sink: a, StartWithin: time.Millisecond, Budget: streams.Budget{DialsPerHost: 1},
		BackoffMin: 500 * time.Millisecond, BackoffMax: 500 * time.Millisecond, Rand: func() float64 { return 0.9 },
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []inventory.Camera
	for i := range cameras {
		c := wanted(string(rune('a'+i)), "rtsp://"+ln.Addr().String()+"/main", inventory.Login{Username: "admin", Password: "p"})
		c.Patrol.Mode = inventory.ModeResident
		all = append(all, c)
	}
	a.m.Reconcile(inventory.Snapshot{Cameras: all})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.m.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	story(a)
}

// play begins a fault of the catalogue.
func (a *address) play(t *testing.T, id string) {
	t.Helper()
	f, ok := hostile.Find(id)
	if !ok {
		t.Fatalf("there is no fault %q", id)
	}
	a.server.Play(f)
}

// TestFaultsOfAFullRecorder: the second camera of a recorder that grants one
// session is refused by 401 or by 453: no session is left, and the login that
// plays next door is not wrong.
func TestFaultsOfAFullRecorder(t *testing.T) {
	for _, id := range []string{"18-401-when-full", "53-session-limit"} {
		t.Run(id, func(t *testing.T) {
			visitAddress(t, 2, func(a *address) {
				a.until(func(r map[streams.Reason]int) bool { return r[streams.ReasonNone] == 2 })
				a.play(t, id)
				a.until(func(r map[streams.Reason]int) bool {
					if r[streams.ReasonAuth] > 0 {
						t.Fatal("a login that plays was called wrong")
					}
					return r[streams.ReasonNone] == 1 && r[streams.ReasonSessionLimit] == 1
				})
			})
		})
	}
}

// TestFault54SwappedAddress: another device answers at the camera's address.
func TestFault54SwappedAddress(t *testing.T) {
	visitAddress(t, 1, func(a *address) {
		a.until(func(r map[streams.Reason]int) bool { return r[streams.ReasonNone] == 1 })
		a.play(t, "54-other-device")
		a.until(func(r map[streams.Reason]int) bool { return r[streams.ReasonChanged] == 1 })
		a.server.Play(hostile.Fault{})
		a.until(func(r map[streams.Reason]int) bool { return r[streams.ReasonNone] == 1 })
	})
}
