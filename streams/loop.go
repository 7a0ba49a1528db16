package streams

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"videopatrol/inventory"
)

// want is what a loop hangs on: when any of it changes, the loop is stopped
// and another one begins. Zones, masks, names and places are not in it.
type want struct {
	camera   string
	url      string
	login    inventory.Login
	interval time.Duration
	disabled bool
}

// place is where a camera counts in the fleet's figures; it changes without a
// restart.
type place struct {
	tier inventory.Tier
	cell string // first-level cell, "" outside the grid
}

// Causes of a loop's end that are not the end of the whole manager.
var errReplaced = errors.New("the wanted set changed")

// loop keeps one camera's patrol alive. patrol decides when to try again,
// visit runs one session.
type loop struct {
	m    *Manager
	want want
	host *host // nil when the address cannot be used
	born time.Time
	// attention hears of every look that is due, answered or failed.
	attention *attention

	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the loop has ended
	wake   chan struct{} // a sibling answered

	mu       sync.Mutex
	place    place
	f        facts
	state    State
	reason   Reason
	since    time.Time
	detail   string
	nextTry  time.Time
	due      time.Time
	seq      uint64
	attempts int // failed visits since the last good run: the backoff's exponent
	drops    int // wanted key units in a row that could not be taken
	dropped  Reason
	verdict  Reason
	skew     time.Duration

	judged     time.Time // receive time of the newest sample that has a verdict
	lastSample time.Time // receive time of the newest analysed sample
	offered    time.Time // receive time of the newest sample handed on
	held       int       // its bytes of media memory, until its verdict
}

// dropsToTell is how many wanted key units in a row must be lost before the
// camera counts as degraded: one lost packet is weather.
const dropsToTell = 3

func newLoop(m *Manager, w want, p place, h *host) *loop {
	now := time.Now()
	return &loop{
		m: m, want: w, place: p, host: h, born: now, attention: m.coverage.of(w.camera),
		done: make(chan struct{}), wake: make(chan struct{}, 1),
		f:     facts{disabled: w.disabled, interval: w.interval},
		state: stateAtStart(w), since: now,
	}
}

func stateAtStart(w want) State {
	if w.disabled {
		return StateDisabled
	}
	return StateUnknown
}

// patrol visits the camera until ctx ends. It is the only place that decides
// when to try again.
func (l *loop) patrol(ctx context.Context, first time.Duration) {
	defer l.end()
	now := time.Now()
	l.attention.due(now.Add(first), inTime(now.Add(first), l.want.interval, 0), now)
	for wait := first; l.sleep(ctx, wait); {
		err := l.visit(ctx)
		if ctx.Err() != nil {
			return
		}
		wait = l.failed(err, time.Now())
	}
}

// sleep waits for the next visit, or for a sibling that answers again. It
// tells whether the loop goes on.
func (l *loop) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.wake:
	case <-ctx.Done():
		return false
	}
	if l.host != nil {
		l.host.resumed(l)
	}
	select { // a wake-up that came together with the timer is spent
	case <-l.wake:
	default:
	}
	l.mu.Lock()
	l.nextTry = time.Time{}
	l.mu.Unlock()
	return ctx.Err() == nil
}

// failed notes a failed visit and returns how long to wait before the next.
func (l *loop) failed(err error, now time.Time) time.Duration {
	reason := ReasonOf(err)
	l.m.metrics.visits.WithLabelValues(modeResident, string(reason)).Inc()
	if l.host != nil {
		l.host.failed(l, reason)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts++
	if l.f.failures == 0 {
		l.f.firstFail = now
	}
	l.f.failures++
	l.f.lastFailed, l.f.reason = now, reason
	l.attention.blind(now, reason)
	l.detail = clip(err.Error(), 200)
	wait := backoff(l.attempts, l.m.o.BackoffMin, l.m.o.BackoffMax, l.m.o.Rand())
	switch {
	case reason != ReasonAuth && reason != ReasonConfig:
	case l.f.failures < authTries:
		wait += witnessGap // so that the second try is a second witness
	case reason == ReasonAuth && l.host != nil:
		wait += l.host.authRest(l.want.login, now, l.m.o.AuthRest)
	default:
		wait += l.m.o.AuthRest // only the inventory can mend it
	}
	l.nextTry = now.Add(wait)
	l.settle(now)
	return wait
}

// end gives back what the loop holds.
func (l *loop) end() {
	if l.host != nil {
		l.host.left(l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.m.ledger.hold(-l.held)
	l.held, l.nextTry = 0, time.Time{}
}

// visit runs one session until it ends, and returns why it did.
func (l *loop) visit(ctx context.Context) error {
	if l.host == nil {
		_, err := address(l.want.url)
		return err
	}
	dialled, err := l.m.ledger.dial(ctx, l.host.slots)
	if err != nil {
		return err // called off, or the process has no more time
	}
	s, v, err := l.open(ctx)
	dialled()
	if err != nil {
		return err
	}
	defer l.m.ledger.closeSession()
	defer l.host.closed(l)
	return v.run(ctx, s)
}

// open dials within what the host and the budgets allow.
func (l *loop) open(ctx context.Context) (Session, *visit, error) {
	if err := l.host.admit(l.want.login, time.Now(), l.m.o.AuthRest); err != nil {
		return nil, nil, err
	}
	if !l.m.ledger.openSession() {
		l.host.abandoned(l)
		return nil, nil, Errorf(ReasonSessionLimit, "the gateway's own limit of %d open sessions is reached", l.m.ledger.budget.Sessions)
	}
	v := &visit{l: l}
	v.began(time.Now())
	s, err := l.m.o.Opener.Open(ctx, Target{Camera: l.want.camera, URL: l.want.url, Login: l.want.login}, v.receiver())
	if err == nil {
		for _, sibling := range l.host.opened(l) {
			select {
			case sibling.wake <- struct{}{}:
			default:
			}
		}
		return s, v, nil
	}
	v.finish()
	l.m.ledger.closeSession()
	if ctx.Err() != nil {
		l.host.abandoned(l)
		return nil, nil, err
	}
	hit, err := l.host.refused(l, err, time.Now())
	if hit {
		l.m.metrics.limitHits.Inc()
	}
	return nil, nil, err
}

// settle makes the state follow from the facts. l.mu is held.
func (l *loop) settle(now time.Time) {
	f := l.f
	f.hostDown = l.host != nil && l.host.down()
	f.distrust = l.dropped
	if f.distrust == ReasonNone {
		f.distrust = l.verdict
	}
	state, reason := judge(f, now)
	if state == l.state && reason == l.reason {
		return
	}
	if l.state != StateUnknown || state == StateOffline {
		l.m.o.Log.Info("camera changed", "camera", l.want.camera, "state", string(state), "reason", string(reason),
			"was", string(l.state), "detail", l.detail)
	}
	l.state, l.reason, l.since = state, reason, now
}

// report takes what became of a sample.
func (l *loop) report(v Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !v.At.Before(l.offered) {
		l.m.ledger.hold(-l.held)
		l.held = 0
	}
	if v.At.Before(l.judged) {
		return // an older look than the one that is known
	}
	l.judged, l.verdict = v.At, v.Reason
	if analysed(v.Reason) {
		l.lastSample = v.At
	}
	if v.Reason == ReasonNone {
		l.attention.seen(v.At)
	} else {
		l.attention.blind(v.At, v.Reason)
		l.detail = clip(v.Detail, 200)
	}
	l.settle(time.Now())
}

func (l *loop) status(now time.Time) (Status, place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(now)
	s := Status{
		Camera: l.want.camera, State: l.state, Reason: l.reason, Since: l.since,
		LastKey: l.f.lastKey, LastSample: l.lastSample, Failures: l.f.failures,
		NextTry: l.nextTry, Skew: l.skew, GOP: l.f.gop,
	}
	if l.reason != ReasonNone {
		s.Detail = l.detail
	}
	return s, l.place
}

// visit is one session as its loop sees it. Its callbacks run on the session's
// reading goroutine, the watch on a timer's.
type visit struct {
	l       *loop
	opened  time.Time
	arrived atomic.Int64 // when the newest bytes came, Unix nanoseconds
	firstK  time.Time    // first and newest key unit of this session; l.mu
	lastK   time.Time
	held    int // bytes of the unit that is being assembled

	mu    sync.Mutex // the watch: taken before l.mu
	over  bool
	cause error
	watch *time.Timer
}

func (v *visit) began(now time.Time) {
	v.opened = now
	v.arrived.Store(now.UnixNano())
}

func (v *visit) receiver() Receiver {
	return Receiver{Want: v.want, Unit: v.unit, KeySeen: v.keySeen, Received: v.received, Hold: v.hold, Dropped: v.dropped}
}

// run waits until the session ends by itself, by the watch or by ctx.
func (v *visit) run(ctx context.Context, s Session) error {
	ended, closed := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		// Only the end of the whole manager is paced: thousands of
		// TEARDOWNs at once would be a storm of our own making.
		if !errors.Is(context.Cause(ctx), errReplaced) {
			t := time.NewTimer(v.l.m.turn())
			defer t.Stop()
			select {
			case <-t.C:
			case <-ended:
			}
		}
		s.Close()
	})
	v.mu.Lock()
	v.began(time.Now())
	v.watch = time.AfterFunc(v.l.m.o.StallAfter, func() { v.look(s) })
	v.mu.Unlock()

	err := s.Wait()
	close(ended)
	if !stop() {
		<-closed
	}
	v.mu.Lock()
	v.over = true
	v.watch.Stop()
	if v.cause != nil {
		err = v.cause
	}
	v.mu.Unlock()
	s.Close()
	v.finish()
	if err == nil {
		err = Errorf(ReasonClosed, "the session ended")
	}
	return err
}

// look is the watch over a playing session: no packet means stalled, packets
// without a key unit mean no_key_unit. It also lets the state age.
func (v *visit) look(s Session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return
	}
	now, o, l := time.Now(), &v.l.m.o, v.l
	l.mu.Lock()
	l.settle(now)
	gop, key, dropped := l.f.gop, v.lastK, l.dropped
	freshUntil := key.Add(freshFor(l.want.interval, gop))
	l.mu.Unlock()
	if key.IsZero() {
		key = v.opened
	}
	stallAt := time.Unix(0, v.arrived.Load()).Add(o.StallAfter)
	keyAt := key.Add(max(o.NoKeyAfter, 3*gop))
	switch {
	case !now.Before(stallAt):
		v.cause = Errorf(ReasonStalled, "no packet for %v", o.StallAfter)
	case !now.Before(keyAt) && dropped != ReasonNone:
		v.cause = Errorf(dropped, "no whole key unit for %v", now.Sub(key).Round(time.Second))
	case !now.Before(keyAt):
		v.cause = Errorf(ReasonNoKeyUnit, "packets, but no key unit for %v", now.Sub(key).Round(time.Second))
	default:
		next := min(stallAt.Sub(now), keyAt.Sub(now))
		if d := freshUntil.Sub(now); d > 0 {
			next = min(next, d+1)
		}
		v.watch.Reset(next)
		return
	}
	s.Close()
}

// finish gives back the memory of a unit that was never completed.
func (v *visit) finish() {
	v.l.m.ledger.hold(-v.held)
	v.held = 0
}

func (v *visit) want(now time.Time) bool {
	v.l.mu.Lock()
	defer v.l.mu.Unlock()
	return !now.Before(v.l.due)
}

func (v *visit) keySeen(now time.Time) {
	l := v.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.firstK.IsZero() {
		v.firstK = now
	} else if gap := now.Sub(v.lastK); l.f.gop == 0 {
		l.f.gop = gap
	} else {
		l.f.gop += (gap - l.f.gop) / 4 // batched reads make single gaps uneven
	}
	v.lastK, l.f.lastKey = now, now
	l.f.failures, l.f.reason = 0, ReasonNone
	if now.Sub(v.firstK) >= l.m.o.GoodAfter {
		l.attempts = 0 // a camera that flaps never gets here
	}
	l.settle(now)
}

func (v *visit) received(n int) {
	v.arrived.Store(time.Now().UnixNano())
	v.l.m.metrics.received.Add(float64(n))
}

func (v *visit) hold(n int) bool {
	if !v.l.m.ledger.hold(n) {
		return false
	}
	v.held += n
	return true
}

func (v *visit) dropped(r Reason, why string) {
	l := v.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drops++
	if r == ReasonMemory || l.drops >= dropsToTell {
		l.dropped, l.detail = r, clip(why, 200)
		l.attention.blind(time.Now(), r)
		l.settle(time.Now())
	}
}

// unit makes a due key unit a sample.
func (v *visit) unit(u Unit) {
	l, now := v.l, u.Received
	l.mu.Lock()
	l.due = nextDue(now, l.want.interval, phase(l.want.camera, l.want.interval))
	l.attention.due(l.due, inTime(l.due, l.want.interval, l.f.gop), now)
	l.seq++
	l.drops, l.dropped = 0, ReasonNone
	if !u.CameraTime.IsZero() {
		l.skew = u.CameraTime.Sub(now)
	}
	// What this sample replaces no longer counts: a sink keeps the newest.
	l.m.ledger.hold(-l.held)
	l.offered, l.held, v.held = now, v.held, 0
	sample := Sample{Camera: l.want.camera, Seq: l.seq, Unit: u}
	l.settle(now)
	l.mu.Unlock()
	l.m.metrics.samples.Inc()
	l.m.metrics.visits.WithLabelValues(modeResident, outcomeSample).Inc()
	l.m.o.Sink.Offer(sample)
}

// clip makes text safe to show: printable, on one line, and cut short.
func clip(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
