package rtsp_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	"videopatrol/streams/streamstest/hostile"
)

// second is what the faults count as one.
const second = slow * 50 * time.Millisecond

// ward holds cameras with faults beside healthy ones, all visited by one
// manager, each at an address of its own.
type ward struct {
	t       *testing.T
	m       *streams.Manager
	beds    []*bed
	healthy []*bed
	byID    map[string]*bed
	// late is by how much this machine kept the test waiting at the worst.
	late time.Duration
}

// bed is one camera of the ward.
type bed struct {
	id     string
	fault  hostile.Fault
	server *hostile.Server
	camera inventory.Camera

	mu      sync.Mutex
	seen    map[streams.Reason]string // reasons with their words
	samples int
	torn    int
	last    time.Time
	gap     time.Duration // the longest between two samples
}

// admitted puts a camera to bed.
func (w *ward) admit(id string, f hostile.Fault, link inventory.Link) *bed {
	w.t.Helper()
	o := hostile.Options{Second: second, TLS: f.Secure, Source: func() hostile.Source { return hostile.Film(5, slow*60*time.Millisecond) }}
	if f.Login {
		o.Username, o.Password = "admin", "pa%73s@:/w?#ö "
	}
	b := &bed{id: id, fault: f, server: hostile.New(o), seen: map[streams.Reason]string{}}
	ln, err := (&net.ListenConfig{}).Listen(w.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	if f.ID == "2-syn-black-hole" {
		narrow(w.t, ln)
	}
	b.server.Serve(ln)
	scheme := "rtsp"
	if f.Secure {
		scheme = "rtsps"
	}
	b.camera = inventory.Camera{
		ID: id, Streams: inventory.Streams{Sub: scheme + "://" + ln.Addr().String() + "/main"}, Link: link,
		Login:  inventory.Login{Username: o.Username, Password: inventory.Secret(o.Password)},
		Patrol: inventory.Patrol{Tier: inventory.TierHigh, Interval: slow * 100 * time.Millisecond, Mode: inventory.ModeResident},
	}
	return b
}

// narrow leaves a listener room for one waiting connection, so that the
// kernel drops the SYN of the next.
func narrow(t *testing.T, ln net.Listener) {
	t.Helper()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Offer implements streams.Sink.
func (w *ward) Offer(s streams.Sample) {
	if b := w.byID[s.Camera]; b != nil {
		b.sample(s)
	}
	w.m.Report(streams.Verdict{Camera: s.Camera, At: s.Unit.Received, Analysed: time.Now()})
}

func (b *bed) sample(s streams.Sample) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.samples++
	if !b.last.IsZero() {
		b.gap = max(b.gap, s.Unit.Received.Sub(b.last))
	}
	b.last = s.Unit.Received
	if !hostile.Whole(s.Unit.NALUs) {
		b.torn++
	}
}

// expected are the reasons that may be seen, the first of which must be.
func (b *bed) expected() []streams.Reason {
	r := b.fault.Reasons
	if b.camera.Link.Transport == inventory.TransportUDP && b.fault.Datagram != nil {
		r = b.fault.Datagram
	}
	if len(r) == 0 {
		r = []streams.Reason{streams.ReasonNone}
	}
	return r
}

// shown tells whether the camera showed what its fault should look like:
// key units, or the reason.
func (b *bed) shown() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	want := b.expected()
	if want[0] == streams.ReasonNone || slices.Contains(want, streams.ReasonNone) && b.samples >= 2 {
		return b.samples >= 2
	}
	for _, r := range want {
		if _, ok := b.seen[r]; ok {
			return true
		}
	}
	return false
}

// again tells whether the fault is played more than once: a refused login
// rests for ten seconds at least.
func (b *bed) again() bool { return b.expected()[0] != streams.ReasonAuth }

func (b *bed) well() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.samples >= 2
}

func (b *bed) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen, b.samples, b.torn = map[streams.Reason]string{}, 0, 0
}

func (b *bed) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%s: %d samples, %d torn, %v", b.id, b.samples, b.torn, b.seen)
}

// until waits for all beds, noting every reason that is seen meanwhile; those
// that do not get there in time are returned.
func (w *ward) until(within time.Duration, ok func(b *bed) bool) (late []*bed) {
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	last := time.Now()
	byID := map[string]*bed{}
	for _, b := range w.beds {
		byID[b.id] = b
	}
	for late = w.beds; ; {
		now := time.Now()
		w.late, last = max(w.late, now.Sub(last)), now
		for _, s := range w.m.Statuses() {
			if b := byID[s.Camera]; b != nil && s.Reason != streams.ReasonNone {
				b.mu.Lock()
				b.seen[s.Reason] = s.Detail
				b.mu.Unlock()
			}
		}
		if late = slices.DeleteFunc(slices.Clone(late), ok); len(late) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return late
		}
	}
}

// byUDP opens every session over UDP.
type byUDP struct{ streams.Opener }

// Open implements streams.Opener.
func (o byUDP) Open(ctx context.Context, t streams.Target, r streams.Receiver) (streams.Session, error) {
	t.Link.Transport = inventory.TransportUDP
	return o.Opener.Open(ctx, t, r)
}

// size is what must not grow.
type size struct {
	goroutines, files int
	heap              uint64
}

func measure(t *testing.T) size {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system has no /proc/self/fd: ", err)
	}
	return size{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// run plays the faults in rounds, all cameras at once.
func (w *ward) run(rounds int) {
	t := w.t
	o, err := rtsp.New(rtsp.Options{
		Latency: 20 * time.Millisecond, Handshake: slow * 3 * time.Second,
		CAs: hostile.Trust(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var opener streams.Opener = o
	if w.healthy[0].camera.Link.Transport == inventory.TransportUDP {
		opener = byUDP{o}
	}
	w.m, err = streams.New(streams.Options{
		Opener: opener, Sink: w, StartWithin: time.Second, BackoffMin: slow * time.Second, BackoffMax: slow * time.Second,
		// A rest that is longer than a key unit stays fresh, or the reason of a
		// short break would never show.
		Rand:     func() float64 { return 0.8 },
		AuthRest: 100 * time.Millisecond, StallAfter: slow * 5 * time.Second, NoKeyAfter: slow * 6 * time.Second,
		Budget: streams.Budget{DialRate: 500}, TeardownRate: 10_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []inventory.Camera
	w.byID = map[string]*bed{}
	for _, b := range slices.Concat(w.beds, w.healthy) {
		all = append(all, b.camera)
		w.byID[b.id] = b
	}
	for _, b := range w.beds {
		b.server.Play(b.fault)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.m.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	w.m.Reconcile(inventory.Snapshot{Cameras: all})

	var first size
	for round := range rounds {
		shown := (*bed).shown
		if round > 0 {
			shown = func(b *bed) bool { return b.shown() || !b.again() }
		}
		for _, b := range w.until(slow*40*time.Second, shown) {
			t.Errorf("round %d: want %q: %v", round, b.expected(), b)
		}
		for _, b := range w.beds {
			b.judge(t, w.late > busy)
			b.forget()
			b.server.Play(hostile.Fault{})
		}
		for _, b := range w.until(slow*40*time.Second, (*bed).well) {
			t.Errorf("round %d: no recovery: %v", round, b)
		}
		now := measure(t)
		t.Logf("round %d: %+v, at worst %v late", round, now, w.late)
		if round == 0 {
			first = now
		}
		if now.goroutines > first.goroutines+10 || now.files > first.files+10 || now.heap > first.heap+32<<20 {
			t.Errorf("round %d: it grew from %+v to %+v", round, first, now)
		}
		if round+1 < rounds {
			for _, b := range w.beds {
				b.forget()
				if b.again() {
					b.server.Play(b.fault)
				}
			}
		}
	}
	cancel()
	wg.Wait()
	for _, b := range w.healthy {
		if n := b.server.Plays(); n != 1 && w.late < busy || b.gap > 8*time.Second || b.torn > 0 {
			t.Errorf("a healthy neighbour had %d sessions, was without a sample for %v, and %d torn", n, b.gap, b.torn)
		}
	}
	for _, b := range slices.Concat(w.beds, w.healthy) {
		b.server.Close()
	}
}

// busy is from when a late machine explains what would else be a fault's.
const busy = 100 * time.Millisecond

// judge tells of reasons that the fault does not explain.
func (b *bed) judge(t *testing.T, late bool) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for r, detail := range b.seen {
		// Sessions of the round before were cut, and a camera that speaks
		// otherwise than before looks like another device.
		slow := late && (r == streams.ReasonTimeout || r == streams.ReasonStalled || r == streams.ReasonNoKeyUnit)
		if !slices.Contains(b.expected(), r) && r != streams.ReasonClosed && r != streams.ReasonChanged && !slow {
			t.Errorf("%s: want %q, saw %q: %s", b.id, b.expected(), r, detail)
		}
		if strings.Contains(detail, "pa%73s") {
			t.Errorf("%s tells the password: %s", b.id, detail)
		}
	}
	if b.torn > 0 && !b.fault.Torn {
		t.Errorf("%s: %d of %d key units came torn", b.id, b.torn, b.samples)
	}
}

// TestFaults plays every fault of the catalogue over TCP, many at once: each
// ends in its reason or is lived with, heals by itself, leaves nothing behind,
// and troubles nobody else.
func TestFaults(t *testing.T) {
	var over []hostile.Fault
	for _, f := range hostile.Faults() {
		if !f.OnlyUDP {
			over = append(over, f)
		}
	}
	for batch := range slices.Chunk(over, (len(over)+1)/2) {
		t.Run("from "+batch[0].ID, func(t *testing.T) {
			w := &ward{t: t}
			for _, f := range batch {
				w.beds = append(w.beds, w.admit(f.ID, f, inventory.Link{Transport: inventory.TransportTCP}))
			}
			for i := range 4 {
				w.healthy = append(w.healthy, w.admit(fmt.Sprint("healthy-", i), hostile.Fault{}, inventory.Link{}))
			}
			w.run(2)
		})
	}
}

// TestFaultsOverUDP plays those that mean something over UDP.
func TestFaultsOverUDP(t *testing.T) {
	w := &ward{t: t}
	for _, f := range hostile.Faults() {
		if f.UDP {
			w.beds = append(w.beds, w.admit(f.ID, f, inventory.Link{Transport: inventory.TransportUDP}))
		}
	}
	w.healthy = append(w.healthy, w.admit("healthy", hostile.Fault{}, inventory.Link{Transport: inventory.TransportUDP}))
	w.run(2)
}
