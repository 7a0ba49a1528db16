package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"videopatrol/alerts"
	"videopatrol/detect"
)

const (
	// enduringCameras have happenings at a time.
	enduringCameras = 16
	// findingRest is the most that passes between two findings of a camera.
	findingRest = 300 * time.Millisecond
	// loadTime is the most that the load runs between two faults, once leads
	// come to the desk.
	loadTime = time.Second
	// floor is how much must be answered before a fault counts.
	floor = 20
	// fullTime bounds how long a full disk is waited for to be noticed.
	fullTime = time.Minute
	// patience bounds how long a lead is waited for that should come.
	patience = 2 * time.Minute
)

// endurance is one run: the ledger, the desk and the load are its own, and
// outlive what it does to the child and to the ground on which that stands.
type endurance struct {
	o       endureOptions
	stderr  io.Writer
	ground  *ground
	ledger  *enduring
	desk    *desk
	record  endureRecord
	key     ed25519.PrivateKey
	random  *mathrand.Rand
	lives   int
	figures endureFigures
	took    []time.Duration
	ups     []time.Duration // that the ground took to come up again

	ahead atomic.Int64 // what the child's wall clock is ahead
	again chan time.Time
	since atomic.Int64 // leads raised from then on count for again

	mu      sync.Mutex
	life    *life // nil while there is none
	changed chan struct{}
	closing bool // no happening begins any more
}

func newEndurance(ctx context.Context, stderr io.Writer, g *ground, dir string, o endureOptions) (*endurance, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	e := &endurance{
		o: o, stderr: stderr, ground: g, ledger: newEnduring(), key: key, random: mathrand.New(mathrand.NewPCG(o.seed, 0)),
		again: make(chan time.Time, 1), changed: make(chan struct{}),
		figures: endureFigures{Database: g.engine, Fault: o.fault, Synchronous: o.synchronous, How: map[string]int{}},
		// The copies are on another machine, so to say.
		record: endureRecord{folder: g.folder, checkpoints: filepath.Join(dir, "checkpoints"), key: public},
	}
	e.desk, err = newDesk(e.told)
	return e, errors.Join(err, ctx.Err())
}

// told is the desk.
func (e *endurance) told(_ context.Context, event alerts.Event) {
	e.ledger.told(event)
	now := time.Now()
	raised := event.Data.Lead.RaisedAt.Add(-time.Duration(e.ahead.Load()))
	since := e.since.Load()
	if since != 0 && raised.UnixNano() > since && raised.Before(now.Add(time.Second)) && e.since.CompareAndSwap(since, 0) {
		e.again <- now
	}
}

// run does harm as often as it is to, and compares after each time.
func (e *endurance) run(ctx context.Context, cancel context.CancelCauseFunc) (err error) {
	var load sync.WaitGroup
	defer load.Wait()
	defer cancel(nil)
	load.Go(func() { cancelOn(cancel, e.desk.Run(ctx)) })
	var happenings sync.WaitGroup
	for i := range enduringCameras {
		happenings.Go(func() { e.happen(ctx, i) })
	}
	defer happenings.Wait()
	defer cancel(nil)
	defer func() { err = errors.Join(err, e.end()) }()

	for e.figures.Times < e.o.times && e.figures.whole() {
		if err := e.round(ctx); err != nil {
			return err
		}
	}
	if !e.figures.whole() {
		return nil // the ledger and the record go separate ways from here on
	}
	if err := e.begin(ctx); err != nil {
		return err
	}
	e.close()
	happenings.Wait()
	return e.settle(ctx)
}

// round lets the load run for a while and does harm once.
func (e *endurance) round(ctx context.Context) error {
	if err := e.begin(ctx); err != nil {
		return err
	}
	from := e.ledger.progress()
	if err := rest(ctx, time.Duration(e.random.Int64N(int64(loadTime)))); err != nil {
		return context.Cause(ctx)
	}
	for l := e.alive(); e.ledger.progress() < from+floor; {
		select {
		case <-l.ended:
			return l.unasked()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	e.figures.Times++
	if err := faults[e.o.fault].strike(e, ctx); err != nil {
		return err
	}
	if e.alive() != nil {
		return nil // a clock was set: there is nothing at rest to compare
	}
	if err := e.compare(ctx, false); err != nil {
		return err
	}
	if e.figures.Times%10 == 0 {
		fmt.Fprintf(e.stderr, "%s: %d × %s, %d leads and %d transitions answered\n",
			e.ground.engine, e.figures.Times, e.o.fault, e.figures.LeadsAnswered, e.figures.StepsAnswered)
	}
	return nil
}

// begin starts a child unless there is one, and returns once a lead that is
// newer is at the desk.
func (e *endurance) begin(ctx context.Context) error {
	if e.alive() != nil {
		return nil
	}
	return e.recover(ctx, e.start)
}

// recover does what is to bring the gateway back, and measures from then on
// until a new lead is at the desk.
func (e *endurance) recover(ctx context.Context, bring func(context.Context) error) error {
	begun := time.Now()
	e.since.Store(begun.UnixNano())
	if err := bring(ctx); err != nil {
		return err
	}
	l := e.alive()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case at := <-e.again:
		e.figures.Floored = e.figures.Times
		e.took = append(e.took, at.Sub(begun))
		e.figures.Delivering = quantilesOfAll(e.took)
		return nil
	case <-l.ended:
		return l.unasked()
	case <-limit.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return fmt.Errorf("no lead comes to the desk any more; the gateway said:\n%s", l.log.String())
}

// start starts a child.
func (e *endurance) start(ctx context.Context) error {
	e.lives++
	l, err := startLife(ctx, e.ledger, endureStart{
		Database: e.ground.database, Careless: e.o.synchronous == "off", Folder: e.ground.folder, Checkpoints: e.record.checkpoints,
		Key: e.key.Seed(), Desk: e.desk.URL(), Secret: e.desk.secret.Reveal(), Ahead: time.Duration(e.ahead.Load()), Life: e.lives, Seed: e.o.seed,
	})
	if err == nil {
		e.be(l)
	}
	return err
}

func (e *endurance) be(l *life) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.life = l
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *endurance) alive() *life {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.life
}

// killChild ends the child by SIGKILL, if there is one.
func (e *endurance) killChild() error {
	l := e.alive()
	if l == nil {
		return nil
	}
	e.be(nil)
	return l.kill()
}

// end leaves nothing behind, whatever happened.
func (e *endurance) end() error {
	e.close()
	return e.killChild()
}

func (e *endurance) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closing = true
}

func (e *endurance) closed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closing
}

// wall is the time that the child believes it is.
func (e *endurance) wall() time.Time {
	return time.Now().Add(time.Duration(e.ahead.Load())).Round(0).UTC().Truncate(time.Microsecond)
}

// happen lets one camera have one happening after the other. A finding that was
// not answered comes again, as a worker's does.
func (e *endurance) happen(ctx context.Context, camera int) {
	random := mathrand.New(mathrand.NewPCG(e.o.seed, uint64(camera+1)))
	pause := func() bool { return rest(ctx, time.Duration(random.Int64N(int64(findingRest)))) == nil }
	for pause() && !e.closed() {
		now := e.wall()
		f := detect.Finding{
			Camera: fmt.Sprintf("3301060000132%07d", camera), Zone: "lane", Rule: detect.RuleRef{ID: "lane", Version: 1},
			Kind: detect.KindFireLaneBlocked, Phase: detect.PhaseBegin, Began: now, At: now,
			Why:     detect.Text{ZH: "消防通道被车辆占用", EN: "a vehicle stands in the fire lane"},
			Picture: fmt.Appendf(nil, "a picture of camera %d at %s", camera, now),
		}
		for left := random.IntN(4); ; left-- {
			if !e.fold(ctx, f) || !pause() {
				return
			}
			if f.Phase == detect.PhaseEnd {
				break
			}
			f.Picture, f.Phase = nil, detect.PhaseContinue
			if left <= 0 {
				f.Phase = detect.PhaseEnd
			}
			f.At = e.wall()
		}
	}
}

// fold brings a finding to whatever child there is until one has answered it.
func (e *endurance) fold(ctx context.Context, f detect.Finding) bool {
	for {
		e.mu.Lock()
		l, changed := e.life, e.changed
		e.mu.Unlock()
		if l == nil {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return false
			}
		}
		h := e.ledger.asked(f)
		if l.fold(f) == nil {
			e.ledger.folded(h, f)
			return true
		}
		if rest(ctx, 50*time.Millisecond) != nil {
			return false
		}
	}
}

// compare holds the record against the ledger.
func (e *endurance) compare(ctx context.Context, end bool) error {
	e.record.database = e.ground.database
	t, err := e.ledger.compare(ctx, e.record, end)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.wrong("the record cannot be read: %v", err) // what it has lost cannot be counted
	}
	e.figures.endureTally = t
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	e.figures.Answers = e.ledger.answers
	e.figures.Errors = map[string]int{}
	for text, n := range e.ledger.failures {
		e.figures.Errors[sortOf(text)] += n
	}
	return nil
}

// settle lets all that was begun come to its end, clocks too, and compares a
// last time.
func (e *endurance) settle(ctx context.Context) error {
	l := e.alive()
	e.be(nil)
	if err := l.finish(); err != nil {
		return err
	}
	return e.compare(ctx, true)
}

// kill ends the gateway, PostgreSQL or both by SIGKILL. A gateway that
// survives goes on by itself.
func (e *endurance) kill(ctx context.Context) error {
	what := "gateway"
	if e.ground.server != nil {
		what = []string{"gateway", "database", "both"}[e.random.IntN(3)]
	}
	e.figures.How[what]++
	switch what {
	case "database":
		if err := e.ground.kill(); err != nil {
			return err
		}
		if err := e.up(ctx, e.ground.serve); err != nil {
			return err
		}
		if err := e.recover(ctx, func(context.Context) error { return nil }); err != nil {
			return err
		}
	case "both":
		if err := errors.Join(e.ground.kill(), e.killChild()); err != nil {
			return err
		}
		return e.up(ctx, e.ground.serve)
	}
	return e.killChild()
}

// cutPower takes from everything what is not on disk. The gateway is frozen
// first: without power nothing is answered, while a file system that is shut
// down goes on to tell that it has synced what it was asked before, and lies.
func (e *endurance) cutPower(ctx context.Context) error {
	if err := e.alive().freeze(); err != nil {
		return err
	}
	if err := e.ground.disk.cut(); err != nil {
		return err
	}
	if err := errors.Join(e.killChild(), e.ground.kill()); err != nil {
		return err
	}
	return e.up(ctx, e.ground.again)
}

// up brings the ground up again. How long file system and database take for
// that is told apart: it is not the gateway's doing.
func (e *endurance) up(ctx context.Context, bring func(context.Context) error) error {
	begun := time.Now()
	err := bring(ctx)
	e.ups = append(e.ups, time.Since(begun))
	e.figures.Up = quantilesOfAll(e.ups)
	return err
}

// fillDisk fills the disk until a write has failed, and frees it.
func (e *endurance) fillDisk(ctx context.Context) error {
	before := e.spaceErrors()
	free, err := e.ground.disk.fill()
	if err != nil {
		return err
	}
	for end := time.Now().Add(fullTime); e.spaceErrors() == before && time.Now().Before(end); {
		if err := rest(ctx, 10*time.Millisecond); err != nil {
			return errors.Join(context.Cause(ctx), free())
		}
	}
	if e.spaceErrors() > before {
		e.figures.Named++
	}
	if err := rest(ctx, time.Duration(e.random.Int64N(int64(loadTime)))); err != nil {
		return errors.Join(context.Cause(ctx), free())
	}
	err = e.recover(ctx, func(ctx context.Context) error {
		if err := free(); err != nil {
			return err
		}
		return e.ground.revive(ctx)
	})
	if err != nil {
		return err
	}
	return e.killChild()
}

// spaceErrors counts the answers that say that there is no space.
func (e *endurance) spaceErrors() int {
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	n := 0
	for text, times := range e.ledger.failures {
		if sortOf(text) == "no space" {
			n += times
		}
	}
	return n
}

// sortOf is what sort of error an answer tells of.
func sortOf(text string) string {
	for _, s := range []struct{ part, sort string }{
		{"disk is full", "no space"},
		{"no space left", "no space"},
		{"failed to connect", "no connection"},
		{"connection", "no connection"},
		{"not known whether", "outcome unknown"},
		{"nothing was written", "nothing was written"},
		{"the record cannot be written", "nothing was written"},
	} {
		if strings.Contains(strings.ToLower(text), s.part) {
			return s.sort
		}
	}
	return text
}

// setClock sets the wall clock by an hour, by a day, to 1970 or back, every
// fourth time while the gateway is down.
func (e *endurance) setClock(ctx context.Context) error {
	jumps := []time.Duration{0, time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour, -time.Since(time.Unix(0, 0).Add(time.Minute))}
	ahead := jumps[e.random.IntN(len(jumps))]
	for ahead == time.Duration(e.ahead.Load()) {
		ahead = jumps[e.random.IntN(len(jumps))]
	}
	if e.figures.Times%4 == 0 {
		e.figures.How["while it is down"]++
		err := e.killChild()
		if ahead > time.Duration(e.ahead.Swap(int64(ahead))) {
			e.ledger.forwarded() // as far as anyone can tell that time has passed
		}
		return err
	}
	e.figures.How["while it runs"]++
	return e.recover(ctx, func(context.Context) error {
		e.ahead.Store(int64(ahead))
		return e.alive().tell(endureAsk{Ahead: &ahead})
	})
}
