package streams

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"videopatrol/inventory"
)

var (
	// errEnough ends a visit that has what it came for.
	errEnough = errors.New("the sample was taken")
	// errMode ends a session that is to be taken in another mode.
	errMode = errors.New("the mode of the visits changed")
)

const (
	// learnFor is the least that a visit stays for a second key unit, to learn
	// the camera's rhythm; learnTries is how often it does so in vain.
	learnFor   = 5 * time.Second
	learnTries = 3
	// reviewEvery is how often a session asks whether it should stay.
	reviewEvery = 5 * time.Second
)

// visit is one session as its loop sees it: until it ends by itself, or until
// it has its sample. Its callbacks run on the session's reading goroutine, the
// watch on a timer's.
type visit struct {
	l       *loop
	mode    inventory.Mode
	began   time.Time
	played  time.Time // when the session was open; zero before
	aligned bool      // it began shortly before a key unit on purpose
	enough  atomic.Bool

	// Each read touches these: they lie side by side.
	arrived atomic.Int64 // when the newest bytes came, Unix nanoseconds
	bytes   atomic.Int64
	line    *line
	total   prometheus.Counter

	firstK time.Time // first and newest key unit of this session; l.mu
	lastK  time.Time
	taken  time.Time // when a visit took its sample; l.mu
	until  time.Time // how long it stays after that, to learn; l.mu
	held   int       // bytes of the unit that is being assembled

	watch atomic.Pointer[time.Timer]
	mu    sync.Mutex // the watch: taken before l.mu
	over  bool
	cause error
}

// once tells whether the visit ends with its sample.
func (v *visit) once() bool { return v.mode != inventory.ModeResident }

// visit runs one session until it ends, and returns why it did; nil when it
// has its sample and the mode asked for no more.
func (l *loop) visit(ctx context.Context) error {
	if l.host == nil {
		l.begin(time.Now())
		_, err := address(l.want.url, l.want.mode == inventory.ModeStill)
		return err
	}
	began := time.Now()
	s, v, err := l.open(ctx)
	now := time.Now()
	l.m.schedule.handshaken(l, err != nil && l.host.hangs(now.Sub(began), now))
	if err != nil {
		return err
	}
	defer l.m.ledger.closeSession()
	defer l.host.closed(l)
	return v.run(ctx, s)
}

// open dials within what the host and the budgets allow.
func (l *loop) open(ctx context.Context) (Session, *visit, error) {
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	now := time.Now()
	v := &visit{l: l, began: now, mode: l.begin(now), line: l.line, total: l.m.metrics.received}
	if err := l.host.admit(l, now, l.m.o.AuthRest); err != nil {
		return nil, nil, err
	}
	if !l.m.ledger.openSession() {
		l.host.abandoned(l)
		return nil, nil, Errorf(ReasonBudget, "the gateway's own limit of %d open sessions is reached", l.m.ledger.budget.Sessions)
	}
	v.arrived.Store(now.UnixNano())
	v.aligned = v.once() && l.aligned(now)
	t := Target{Camera: l.want.camera, URL: l.want.url, Login: l.want.login, Link: l.want.link, Visit: v.once()}
	s, err := l.shake(ctx, t, v.receiver())
	if err == nil {
		now := time.Now()
		l.m.schedule.hasten(l.host.opened(l, now), now)
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

// shake opens the session. A handshake that hangs is called off once
// neighbours wait for its slot, while the host answers others.
func (l *loop) shake(ctx context.Context, t Target, r Receiver) (Session, error) {
	hurried, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() {
		switch {
		case hurried.Err() != nil: // it was over while this looked
		case l.m.schedule.waits(l.host) && l.host.lives(time.Now()):
			cancel(errHurried)
		default:
			timer.Reset(time.Second)
		}
	})
	timer.Reset(holdsUp)
	defer timer.Stop()
	s, err := l.m.o.Opener.Open(hurried, t, r)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(hurried), errHurried) {
		return nil, Errorf(ReasonTimeout, "%w", errHurried)
	}
	return s, err
}

var errHurried = fmt.Errorf("the handshake took longer than %v while others of its host waited, and the host answers others", holdsUp)

// begin notes the mode of the visit that begins.
func (l *loop) begin(now time.Time) inventory.Mode {
	mode, why := l.choose(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mode, l.why = mode, why
	return mode
}

// aligned tells whether a visit begins when the camera's rhythm said, and not
// late.
func (l *loop) aligned(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.planned.IsZero() && now.Sub(l.planned) < minLead
}

func (v *visit) receiver() Receiver {
	r := Receiver{
		Want: v.want, Unit: v.unit, Opened: v.opened, KeySeen: v.keySeen, Received: v.received, Hold: v.hold, Dropped: v.dropped,
	}
	if !v.once() && !v.l.m.o.NoStir {
		r.Delta = v.delta
		v.l.mu.Lock()
		if v.l.stir == nil {
			v.l.stir = new(Stir)
		}
		v.l.mu.Unlock()
	}
	return r
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
	now := time.Now()
	v.arrived.Store(now.UnixNano())
	v.l.mu.Lock()
	v.played = now
	if !v.once() {
		v.l.playing = v
	}
	v.l.mu.Unlock()
	v.mu.Lock()
	watch := time.AfterFunc(atOnce, func() { v.look(s) })
	v.watch.Store(watch)
	v.mu.Unlock()

	err := s.Wait()
	close(ended)
	if !stop() {
		<-closed
	}
	v.mu.Lock()
	v.over = true
	watch.Stop()
	if v.cause != nil {
		err = v.cause
	}
	v.mu.Unlock()
	s.Close()
	v.finish()
	return v.outcome(err)
}

// outcome is what the end of a session means for its visit.
func (v *visit) outcome(err error) error {
	l := v.l
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.playing = nil
	if all := float64(v.bytes.Load()); v.once() {
		l.cost += (all - l.cost) / 4
		if l.cost < all/2 {
			l.cost = all
		}
	}
	switch {
	case errors.Is(err, errMode):
		return err
	case v.once() && (!v.taken.IsZero() || v.mode == inventory.ModeStill && err == nil && !v.lastK.IsZero()):
		if v.taken.IsZero() { // an unchanged still
			l.announce(now)
		}
		return nil
	case err == nil:
		return Errorf(ReasonClosed, "the session ended")
	default:
		return err
	}
}

// atOnce is the shortest wait that is one. A timer that is due when it is set
// runs in its setter's place in a synctest bubble, and the race detector of
// Go 1.26 crashes when that happens beside another timer of the bubble (they
// share one context).
const atOnce = 1

// nudge makes the watch look at once. It may be called from a callback.
func (v *visit) nudge() {
	if t := v.watch.Load(); t != nil {
		t.Reset(atOnce)
	}
}

// look is the watch over a playing session: no packet means stalled, packets
// without a key unit mean no_key_unit, and whoever has enough leaves. It also
// lets the state age.
func (v *visit) look(s Session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over || v.cause != nil {
		return
	}
	now := time.Now()
	next, cause := v.judge(now)
	if cause == nil {
		if t := v.watch.Load(); t != nil {
			t.Reset(max(next, atOnce))
		}
		if v.enough.Load() {
			v.nudge() // it came between the look and the reset
		}
		return
	}
	v.cause = cause
	s.Close()
}

// judge tells why the session is to end now, or when to look again.
func (v *visit) judge(now time.Time) (next time.Duration, cause error) {
	o, l := &v.l.m.o, v.l
	mode := v.mode
	if !v.once() {
		mode, _ = l.choose(now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(now)
	gop, key, dropped := l.f.gop, v.lastK, l.dropped
	freshUntil := key.Add(freshFor(l.f.interval, gop))
	if key.IsZero() {
		key = v.began
	}
	stallAt := time.Unix(0, v.arrived.Load()).Add(o.StallAfter)
	keyAt := key.Add(max(o.NoKeyAfter, 3*gop))
	next = min(stallAt.Sub(now), keyAt.Sub(now))
	if d := freshUntil.Sub(now); d > 0 {
		next = min(next, d+1)
	}
	switch {
	case v.enough.Load():
		return 0, errEnough
	case !v.taken.IsZero(): // it stays to learn
		if d := v.until.Sub(now); d > 0 {
			return min(next, d), nil
		}
		return 0, errEnough
	case mode != v.mode:
		return 0, errMode
	case !now.Before(stallAt):
		return 0, Errorf(ReasonStalled, "no packet for %v", o.StallAfter)
	case !now.Before(keyAt) && dropped != ReasonNone:
		return 0, Errorf(dropped, "no whole key unit for %v", now.Sub(key).Round(time.Second))
	case !now.Before(keyAt):
		return 0, Errorf(ReasonNoKeyUnit, "packets, but no key unit for %v", now.Sub(key).Round(time.Second))
	}
	if !v.once() && l.want.mode == inventory.ModeAuto {
		next = min(next, reviewEvery)
	}
	return next, nil
}

// finish gives back the memory of a unit that was never completed.
func (v *visit) finish() {
	v.l.m.ledger.hold(-v.held)
	v.held = 0
}

func (v *visit) want(now time.Time) bool {
	l := v.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.once() {
		return v.taken.IsZero()
	}
	return !now.Before(l.due) || l.stir != nil && l.stir.Stirred()
}

func (v *visit) delta(now time.Time, size, qp int) {
	l := v.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stir.Add(now, size, qp)
}

func (v *visit) opened(d Description) { v.l.identify(d, time.Now()) }

func (v *visit) keySeen(now time.Time) {
	l := v.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.firstK.IsZero() {
		v.firstK = now
	} else if gap := now.Sub(v.lastK); l.f.gop == 0 || v.once() {
		l.f.gop = gap
		l.rhythm.gop = gap
	} else {
		l.f.gop += (gap - l.f.gop) / 4 // batched reads make single gaps uneven
	}
	v.lastK, l.f.lastKey = now, now
	if l.stir != nil && !v.once() {
		l.stir.Key(now)
	}
	l.f.failures, l.f.reason = 0, ReasonNone
	if l.good.IsZero() {
		l.good = now
	}
	if now.Sub(l.good) >= l.m.o.GoodAfter {
		l.attempts = 0 // a camera that flaps never gets here
	}
	if !v.taken.IsZero() { // the second one of a visit that learns
		l.rhythm.last = now
		v.leaveLocked()
	}
	l.settle(now)
}

// leaveLocked makes the watch end a visit that has enough.
func (v *visit) leaveLocked() {
	v.enough.Store(true)
	v.nudge()
}

func (v *visit) received(n int) {
	v.arrived.Store(time.Now().UnixNano())
	v.bytes.Add(int64(n))
	v.line.receive(n)
	v.total.Add(float64(n))
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
	early := !v.once() && now.Before(l.due)
	if l.stir != nil && !v.once() {
		l.stir.Seen(early)
	}
	l.announce(now)
	l.seq++
	l.drops, l.dropped = 0, ReasonNone
	if !u.CameraTime.IsZero() {
		l.skew = u.CameraTime.Sub(now)
	}
	// What this sample replaces no longer counts: a sink keeps the newest.
	l.m.ledger.hold(-l.held)
	l.offered, l.held, v.held = now, v.held, 0
	sample := Sample{Camera: l.want.camera, Seq: l.seq, Unit: u, Early: early}
	if v.once() && v.taken.IsZero() {
		v.took(now)
	}
	l.settle(now)
	l.m.metrics.visits.WithLabelValues(string(v.mode), outcomeSample).Inc()
	l.mu.Unlock()
	l.m.metrics.samples.Inc()
	if early {
		l.m.metrics.early.Inc()
	}
	l.m.o.Sink.Offer(sample)
}

// announce makes the next look due. l.mu is held.
func (l *loop) announce(now time.Time) {
	l.due = nextDue(now, l.f.interval, phase(l.want.camera, l.f.interval))
	l.attention.due(l.due, inTime(l.due, l.f.interval, l.f.gop), now)
}

// took notes that a visit has its sample, and decides whether it stays to
// learn the camera's rhythm. l.mu is held.
func (v *visit) took(now time.Time) {
	l := v.l
	v.taken = now
	if v.mode == inventory.ModeStill {
		v.leaveLocked()
		return
	}
	played := v.played
	if played.IsZero() {
		played = now // it came before the handshake's end was noted
	}
	l.rhythm = l.rhythm.heard(v.began, played, now, v.aligned)
	if l.rhythm.gop > 0 {
		l.f.gop = l.rhythm.gop
	}
	if l.rhythm.prompt || l.rhythm.gop > 0 || l.rhythm.tries >= learnTries {
		v.leaveLocked()
		return
	}
	// Half a GOP is what one waits for a key unit, on average.
	l.rhythm.tries++
	v.until = now.Add(min(max(learnFor, 3*now.Sub(played)), l.m.o.NoKeyAfter))
	v.nudge()
}
