package streams

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"videopatrol/inventory"
)

// want is what a loop hangs on: when any of it changes, the loop is stopped
// and another one begins. Zones, masks, names and places are not in it.
type want struct {
	camera   string
	url      string
	login    inventory.Login
	link     inventory.Link
	mode     inventory.Mode
	interval time.Duration
	disabled bool
}

// place is where a camera counts in the fleet's figures, and what it is armed
// by; it changes without a restart.
type place struct {
	tier  inventory.Tier
	cell  string // first-level cell, "" outside the grid
	zones []inventory.Zone
}

// Causes of a loop's end that are not the end of the whole manager.
var errReplaced = errors.New("the wanted set changed")

// loop keeps one camera's patrol alive: the schedule begins a visit when it is
// due, and what came of it decides when the next one is. Between visits it is
// a few hundred bytes and no goroutine.
type loop struct {
	m    *Manager
	want want
	host *host // nil when the address cannot be used
	line *line // nil without a network budget
	born time.Time
	turn turn // the schedule's
	// attention hears of every look that is due, answered or failed.
	attention *attention

	ctx    context.Context //nolint:containedctx // its visits', which the schedule begins
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the loop has ended

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
	attempts int       // failed visits since the last good run: the backoff's exponent
	good     time.Time // first key unit since the last failed visit
	drops    int       // wanted key units in a row that could not be taken
	dropped  Reason
	verdict  Reason
	skew     time.Duration

	stretch float64        // by how much its interval is longer than wanted
	short   bool           // its line has less network than staying needs
	mode    inventory.Mode // of the visit that runs or was the last
	why     string         // that mode
	rhythm  rhythm
	planned time.Time // when the rhythm wants the next visit to begin; zero without one
	cost    float64   // bytes of a visit, 0 unknown
	playing *visit    // the session that stays, nil without one
	stir    *Stir     // nil until a session stays, or switched off

	device  string    // fingerprint of what answered first
	changed time.Time // when another one answered; zero while it does not

	judged     time.Time // receive time of the newest sample that has a verdict
	lastSample time.Time // receive time of the newest analysed sample
	offered    time.Time // receive time of the newest sample handed on
	held       int       // its bytes of media memory, until its verdict
}

const (
	// heldBack is how late a visit begins when the budgets are to blame.
	heldBack = 2 * time.Second
	// dropsToTell is how many wanted key units in a row must be lost before
	// the camera counts as degraded: one lost packet is weather.
	dropsToTell = 3
	// changedFor is how long another device at the address is told of before
	// it counts as the camera's own: a replaced device is one, too.
	changedFor = 24 * time.Hour
)

func newLoop(m *Manager, w want, p place, h *host) *loop {
	now := time.Now()
	return &loop{
		m: m, want: w, place: p, host: h, line: m.lineOf(w.link.Uplink), born: now, attention: m.coverage.of(w.camera),
		done:  make(chan struct{}),
		f:     facts{disabled: w.disabled, interval: w.interval},
		state: stateAtStart(w), since: now, stretch: 1, mode: w.mode,
	}
}

func stateAtStart(w want) State {
	if w.disabled {
		return StateDisabled
	}
	return StateUnknown
}

// run makes one visit and puts the loop back into the schedule. It is the only
// place that decides when to try again.
func (l *loop) run() {
	err := l.visit(l.ctx)
	if l.ctx.Err() != nil {
		l.leave()
		return
	}
	now := time.Now()
	at := now.Add(l.pause(err, now))
	l.m.schedule.put(l, at, at.Add(l.interval()))
	if l.ctx.Err() != nil && l.m.schedule.drop(l) {
		l.leave() // it was stopped meanwhile, while it was in no queue
	}
}

// pause is how long to wait for the next visit.
func (l *loop) pause(err error, now time.Time) time.Duration {
	switch {
	case err == nil:
		return l.upcoming().Sub(now)
	case errors.Is(err, errMode):
		l.mu.Lock()
		defer l.mu.Unlock()
		return max(l.due.Sub(now), 0)
	default:
		return l.failed(err, now)
	}
}

// upcoming is when the next visit begins after one that gave its sample.
func (l *loop) upcoming() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.due
	l.planned = time.Time{}
	if l.mode == inventory.ModeVisit {
		if begin, ok := l.rhythm.begin(at); ok {
			at, l.planned = begin, begin
		}
	}
	l.nextTry = at
	return at
}

// begun notes that the loop left the schedule for a visit.
func (l *loop) begun(now time.Time) {
	if l.host != nil {
		l.host.resumed(l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	due := l.due
	if l.planned.After(due) {
		due = l.planned
	}
	if !due.IsZero() && l.f.failures == 0 && now.Sub(due) > heldBack {
		l.attention.blind(now, ReasonBudget) // should the sample come too late
	}
	l.nextTry = time.Time{}
}

// failed notes a failed visit and returns how long to wait before the next.
func (l *loop) failed(err error, now time.Time) time.Duration {
	reason := ReasonOf(err)
	if l.host != nil {
		l.host.failed(l, reason)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.m.metrics.visits.WithLabelValues(string(l.mode), string(reason)).Inc()
	l.attempts++
	l.good, l.planned = time.Time{}, time.Time{}
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
		wait += l.host.authRest(l, now, l.m.o.AuthRest)
	default:
		wait += l.m.o.AuthRest // only the inventory can mend it
	}
	l.nextTry = now.Add(wait)
	l.settle(now)
	return wait
}

// stop ends the loop; done tells when it has ended.
func (l *loop) stop() {
	if l.cancel == nil {
		return
	}
	l.cancel(errReplaced)
	if l.m.schedule.drop(l) {
		l.leave()
	}
}

// leave gives back what the loop holds. It is called once, by whoever took the
// loop out of the schedule.
func (l *loop) leave() {
	defer close(l.done)
	l.cancel(nil)
	if l.host != nil {
		l.host.left(l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.m.ledger.hold(-l.held)
	l.held, l.nextTry = 0, time.Time{}
}

// interval is the time between samples as it is now.
func (l *loop) interval() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.interval
}

// setStretch lengthens the interval, or shortens it again.
func (l *loop) setStretch(by float64, short bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.short = short
	if by != l.stretch {
		l.stretch = by
		l.f.interval = time.Duration(float64(l.want.interval) * by).Round(time.Millisecond)
	}
}

// choose tells the mode of the next samples.
func (l *loop) choose(now time.Time) (inventory.Mode, string) {
	return chooseMode(l.modeFacts(now))
}

func (l *loop) modeFacts(now time.Time) modeFacts {
	short := l.host != nil && l.host.short(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &l.m.o
	f := modeFacts{
		wanted: l.want.mode, interval: l.f.interval, gop: l.f.gop, above: o.VisitAbove,
		stay: o.Stay[l.place.tier], short: short || l.short,
	}
	if f.stay == StayArmed {
		local := now.In(o.Location)
		for _, z := range l.place.zones {
			f.armed = f.armed || z.Armed(local)
		}
	}
	return f
}

// staying tells whether the camera's last session was, or its next one is, one
// to keep.
func (l *loop) staying() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.want.mode == inventory.ModeResident || l.mode == inventory.ModeResident
}

// settle makes the state follow from the facts. l.mu is held.
func (l *loop) settle(now time.Time) {
	f := l.f
	f.hostDown = l.host != nil && l.host.down()
	switch {
	case l.dropped != ReasonNone:
		f.distrust = l.dropped
	case l.verdict != ReasonNone:
		f.distrust = l.verdict
	case !l.changed.IsZero():
		f.distrust = ReasonChanged
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

// identify compares what answers with what answered before: an address that
// was given to another device shows another place than the grid says.
func (l *loop) identify(d Description, now time.Time) {
	if d.Fingerprint == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.device == "" || !l.changed.IsZero() && now.Sub(l.changed) > changedFor:
		l.device, l.changed = d.Fingerprint, time.Time{}
	case l.device == d.Fingerprint:
		l.changed = time.Time{}
	case l.changed.IsZero():
		l.changed = now
		l.detail = "another device or firmware answers at this address than before; look at its picture, and correct the inventory if it shows another place"
	}
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
		Mode: l.mode, Why: l.why, StirOff: l.stirOff(), Interval: l.f.interval, Stretch: l.stretch,
	}
	if l.reason != ReasonNone {
		s.Detail = l.detail
	}
	return s, l.place
}

// stirOff tells why no early look is taken. l.mu is held.
func (l *loop) stirOff() string {
	switch {
	case l.m.o.NoStir:
		return StirConfig
	case l.mode != inventory.ModeResident:
		return StirVisits
	case l.stir == nil:
		return ""
	default:
		reason, _ := l.stir.Off()
		return reason
	}
}

// clip makes text safe to show: printable, on one line, and cut short.
func clip(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
