package streams_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"videopatrol/inventory"
	"videopatrol/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// city is an opener whose cameras live in memory. A camera that has no script
// plays a key unit every two seconds.
type city struct {
	mu      sync.Mutex
	scripts map[string]script
	open    map[string]int // sessions by camera
	most    int            // sessions that were ever open at once for one camera
	opens   []opening
	visits  map[string]int
	closes  []time.Time
	inOpen  int
	maxOpen int
	hand    time.Duration // how long a handshake takes
	slow    time.Duration // how long Close takes
}

type opening struct {
	camera string
	at     time.Time
	login  inventory.Login
}

// script is what a camera does with one visit: refuse it, or play.
type script func(ctx context.Context, n int, s *fakeSession) error

type fakeSession struct {
	c      *city
	camera string
	r      streams.Receiver
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func newCity() *city {
	return &city{scripts: map[string]script{}, open: map[string]int{}, visits: map[string]int{}, hand: 10 * time.Millisecond}
}

func (c *city) set(camera string, s script) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scripts[camera] = s
}

// pace sets how long a handshake and a close take.
func (c *city) pace(hand, slow time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hand, c.slow = hand, slow
}

// Open implements streams.Opener.
func (c *city) Open(ctx context.Context, t streams.Target, r streams.Receiver) (streams.Session, error) {
	c.mu.Lock()
	c.opens = append(c.opens, opening{t.Camera, time.Now(), t.Login})
	c.visits[t.Camera]++
	n := c.visits[t.Camera]
	play, hand := c.scripts[t.Camera], c.hand
	c.inOpen++
	c.maxOpen = max(c.maxOpen, c.inOpen)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.inOpen--
		c.mu.Unlock()
	}()
	if !pause(ctx, hand) {
		return nil, ctx.Err()
	}
	if play == nil {
		play = steady(2 * time.Second)
	}
	sctx, cancel := context.WithCancel(context.Background())
	s := &fakeSession{c: c, camera: t.Camera, r: r, cancel: cancel, done: make(chan struct{})}
	first := make(chan error, 1)
	go func() {
		defer close(s.done)
		defer cancel()
		s.err = play(context.WithValue(sctx, granted{}, first), n, s)
		select {
		case first <- s.err:
		default:
		}
	}()
	var err error
	select {
	case err = <-first:
	case <-ctx.Done():
		cancel()
		err = ctx.Err()
	}
	if err != nil {
		<-s.done
		return nil, err
	}
	c.mu.Lock()
	c.open[t.Camera]++
	c.most = max(c.most, c.open[t.Camera])
	c.mu.Unlock()
	return s, nil
}

type granted struct{}

// grant lets Open return.
func grant(ctx context.Context) {
	if ch, ok := ctx.Value(granted{}).(chan error); ok {
		ch <- nil
	}
}

// errNone is how a script says that its session ended well.
var errNone = errors.New("none")

func (s *fakeSession) Wait() error {
	<-s.done
	if errors.Is(s.err, errNone) {
		return nil
	}
	if s.err == nil {
		return streams.Errorf(streams.ReasonClosed, "closed")
	}
	return s.err
}

func (s *fakeSession) Close() {
	s.c.mu.Lock()
	if s.c.open[s.camera] > 0 && s.cancel != nil {
		s.c.open[s.camera]--
		s.c.closes = append(s.c.closes, time.Now())
		cancel, slow := s.cancel, s.c.slow
		s.cancel = nil
		s.c.mu.Unlock()
		time.Sleep(slow)
		cancel()
	} else {
		s.c.mu.Unlock()
	}
	<-s.done
}

// key lets a key unit of 100 bytes pass.
func (s *fakeSession) key() {
	now := time.Now()
	s.r.Received(100)
	want := s.r.Want(now)
	s.r.KeySeen(now)
	if want && s.r.Hold(100) {
		s.r.Unit(streams.Unit{Codec: streams.CodecH264, NALUs: [][]byte{make([]byte, 100)}, Received: now})
	}
}

// steady plays a key unit every period until it is closed.
func steady(period time.Duration) script {
	return func(ctx context.Context, _ int, s *fakeSession) error {
		grant(ctx)
		for {
			s.key()
			if !pause(ctx, period) {
				return nil
			}
		}
	}
}

// refuse fails every visit.
func refuse(r streams.Reason) script {
	return func(context.Context, int, *fakeSession) error { return streams.Errorf(r, "no") }
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 { // no timer may be due at once: see atOnce
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// playing counts the open sessions of some cameras.
func (c *city) playing(cameras ...string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range cameras {
		n += c.open[id]
	}
	return n
}

// sessions counts all open sessions.
func (c *city) sessions() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, open := range c.open {
		n += open
	}
	return n
}

// mostDials is how many handshakes were ever in flight at once.
func (c *city) mostDials() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.maxOpen
}

// dials are all visits so far.
func (c *city) dials() []opening {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]opening(nil), c.opens...)
}

// of returns when a camera was visited.
func (c *city) of(camera string) (at []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.opens {
		if o.camera == camera {
			at = append(at, o.at)
		}
	}
	return at
}

// desk is a sink that keeps what it is offered.
type desk struct {
	mu      sync.Mutex
	samples []streams.Sample
	m       *streams.Manager // judges each sample good when set
	verdict streams.Reason
}

func (d *desk) Offer(s streams.Sample) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.samples = append(d.samples, s)
	if d.m != nil {
		d.m.Report(streams.Verdict{Camera: s.Camera, At: s.Unit.Received, Analysed: time.Now(), Reason: d.verdict})
	}
}

func (d *desk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.samples)
}

// judge sets what becomes of samples from now on.
func (d *desk) judge(r streams.Reason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.verdict = r
}

func (d *desk) of(camera string) (at []time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.samples {
		if s.Camera == camera {
			at = append(at, s.Unit.Received)
		}
	}
	return at
}

// bench is a manager under test inside a synctest bubble.
type bench struct {
	t    *testing.T
	m    *streams.Manager
	city *city
	desk *desk
	born time.Time
	stop func()
}

// patrol runs a manager over cameras in a bubble, with random fixed at 1/2.
func patrol(t *testing.T, o streams.Options, cameras []inventory.Camera, story func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, city: newCity(), desk: &desk{}, born: time.Now()}
		o.Opener, o.Sink = b.city, b.desk
		if o.Rand == nil {
			o.Rand = func() float64 { return 0.5 }
		}
		var err error
		if b.m, err = streams.New(o); err != nil {
			t.Fatal(err)
		}
		b.desk.m = b.m
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		b.stop = sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		defer b.stop()
		b.want(cameras...)
		go func() { ended <- b.m.Run(ctx) }()
		story(b)
	})
}

func (b *bench) want(cameras ...inventory.Camera) {
	b.m.Reconcile(inventory.Snapshot{Cameras: cameras})
}

// after lets time pass and all goroutines settle.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bench) is(camera string, state streams.State, reason streams.Reason) {
	b.t.Helper()
	s, ok := b.m.Status(camera)
	if !ok || s.State != state || s.Reason != reason {
		b.t.Errorf("%v: %s is %s (%s), want %s (%s); detail %q", time.Now().Format("04:05.0"), camera, s.State, s.Reason, state, reason, s.Detail)
	}
}

func camera(id, host string) inventory.Camera {
	return inventory.Camera{
		ID: id, Streams: inventory.Streams{Sub: "rtsp://" + host + "/" + id},
		Login:  inventory.Login{Username: "u", Password: "p"},
		Patrol: inventory.Patrol{Tier: inventory.TierHigh, Interval: 5 * time.Second},
	}
}
