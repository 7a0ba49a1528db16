package alerts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// System is who makes the steps that no person makes.
const System = "system"

// Pictures keeps pictures by the SHA-256 of their bytes.
type Pictures interface {
	// Put returns the hash once the picture is durable. Putting the same
	// picture again is harmless.
	Put(ctx context.Context, picture []byte) (sha256 string, err error)
	// Open returns ErrNotFound when there is no such picture.
	Open(ctx context.Context, sha256 string) (io.ReadSeekCloser, error)
}

// Options says what an Engine works with.
type Options struct {
	// Store and Inventory are required.
	Store     Store
	Inventory func() inventory.Snapshot
	// Pictures takes the evidence; required.
	Pictures Pictures
	// Kinds says how leads of each kind are shown; nil is DefaultKinds. A
	// kind that is not there is medium and goes by its own name.
	Kinds map[detect.Kind]KindInfo
	// Outbox takes what the sinks are to be told; nil tells nobody.
	Outbox *Outbox
	// CanaryCamera is the camera whose leads are canaries; "" is none.
	CanaryCamera string
	// Changed is told after the commit. It must not block and must not call
	// the Engine. Step is zero when the lead's condition or an order changed
	// and its state did not. Changes that happen at the same time may come
	// in any order: of one lead the higher version is the newer one.
	Changed func(Change)
	// Routes says who works on what and by when, until SetRoutes; nil proposes
	// nobody, runs no clocks and hides nothing.
	Routes *Routes
	// Clock tells the time of the wall, as the Store's does; nil is time.Now.
	// Elapsed tells how much time has passed since any moment, whatever is
	// done to the wall clock; nil is the process's own.
	Clock   func() time.Time
	Elapsed func() time.Duration
	// NewID makes a lead's id; nil makes UUIDs version 7.
	NewID func() (string, error)
	// Log nil is silent, Registerer nil keeps no metrics.
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Engine folds findings into leads and carries leads through their states.
// It is safe for concurrent use; Run lets the leads' clocks run.
type Engine struct {
	store    Store
	pictures Pictures
	places   places
	kinds    map[detect.Kind]KindInfo
	outbox   *Outbox
	canary   string
	changed  func(Change)
	newID    func() (string, error)
	routes   atomic.Pointer[Routes]
	steady   *steady
	clocks   chan struct{} // wakes Run
	log      *slog.Logger
	metrics  *metrics

	noPictures atomic.Bool // the last picture could not be kept
}

var (
	_ Desk            = (*Engine)(nil)
	_ Journal         = (*Engine)(nil)
	_ detect.Reporter = (*Engine)(nil)
)

// New returns an Engine.
func New(o Options) (*Engine, error) {
	switch {
	case o.Store == nil:
		return nil, errors.New("alerts: a Store is required")
	case o.Inventory == nil:
		return nil, errors.New("alerts: an Inventory is required")
	case o.Pictures == nil:
		return nil, errors.New("alerts: Pictures are required")
	}
	if o.Changed == nil {
		o.Changed = func(Change) {}
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(o.Store, o.Registerer)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		store:    o.Store,
		pictures: o.Pictures,
		places:   places{inventory: o.Inventory},
		kinds:    cloneKinds(o.Kinds),
		outbox:   o.Outbox,
		canary:   o.CanaryCamera,
		changed:  o.Changed,
		newID:    o.NewID,
		steady:   newSteady(o.Clock, o.Elapsed),
		clocks:   make(chan struct{}, 1),
		log:      o.Log,
		metrics:  m,
	}
	e.routes.Store(o.Routes)
	return e, nil
}

// Routes are those that count now; nil when there are none.
func (e *Engine) Routes() *Routes { return e.routes.Load() }

// SetRoutes makes other routes count for what is decided from now on: whom a
// lead is proposed to, what is shown, which cameras that fail are one lead, and
// the clocks that start. Clocks that run keep what they started with. An Engine
// that was made without routes runs no clocks before it is made anew.
func (e *Engine) SetRoutes(r *Routes) { e.routes.Store(r) }

func newID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}

// Report is Observe, for a detect.Reporter.
func (e *Engine) Report(ctx context.Context, f detect.Finding) error { return e.Observe(ctx, f) }

// Observe folds a finding into its condition and the condition's lead; see
// Fold. It returns nil once that is durable. A finding may be observed again,
// at any time and in any order: it changes nothing.
func (e *Engine) Observe(ctx context.Context, f detect.Finding) error {
	if err := check(f); err != nil {
		return err
	}
	f.Began, f.At = micros(f.Began), micros(f.At)
	sha, err := e.keep(ctx, f)
	if err != nil {
		return fmt.Errorf("observe %s of camera %s: %w", f.Kind, f.Camera, err)
	}
	var fo *folding
	err = e.store.Fold(ctx, f.Key(), f.Began, func(tx Tx) error {
		fo = newFolding(e, tx, f, sha)
		return fo.fold(ctx)
	})
	if err != nil {
		return fmt.Errorf("observe %s of camera %s: %w", f.Kind, f.Camera, err)
	}
	e.observed(fo)
	return nil
}

// observed tells of a finding after its commit.
func (e *Engine) observed(fo *folding) {
	e.metrics.folded(fo.out)
	if fo.by != "" {
		e.metrics.quiet.WithLabelValues(string(fo.by)).Inc()
	}
	if fo.lead.ID != "" {
		c := Change{Lead: e.shown(fo.lead)}
		if fo.out == OutcomeRaised || fo.out == OutcomeMerged {
			c.Step = firstStep(fo.lead)
		}
		e.changed(c)
	}
	if fo.out == OutcomeRaised {
		e.metrics.raised(fo.lead)
	}
	if fo.out == OutcomeRaised || fo.out == OutcomeMerged {
		fo.tell()
	}
}

// check refuses a finding that could not be told from others.
func check(f detect.Finding) error {
	switch {
	case f.Camera == "" || f.Zone == "" || f.Rule.ID == "":
		return errors.New("observe: a finding names its camera, zone and rule")
	case f.Kind == "":
		return errors.New("observe: a finding has a kind")
	case f.Phase != detect.PhaseBegin && f.Phase != detect.PhaseContinue && f.Phase != detect.PhaseEnd:
		return fmt.Errorf("observe: a finding has no phase %q", f.Phase)
	case f.Began.IsZero() || f.At.IsZero():
		return errors.New("observe: a finding says when it began and when it was seen")
	}
	return nil
}

// keep makes a finding's picture durable before the transaction that will
// name it, when it is wanted. A file that no lead names is harmless. A picture
// that cannot be kept is counted and let go: a lead without it is worth more
// to the officer than none.
func (e *Engine) keep(ctx context.Context, f detect.Finding) (sha string, err error) {
	if len(f.Picture) == 0 {
		return "", nil
	}
	have, err := e.store.Condition(ctx, f.Key(), f.Began)
	if err != nil {
		return "", err
	}
	c, out := Fold(have, f)
	if _, wanted := keepPicture(c, out, f); !wanted {
		return "", nil
	}
	if out == OutcomeRaised || c.Quiet != "" {
		by, _, err := e.quietly(ctx, e.store, have.Condition, f, micros(e.steady.wall()))
		if err != nil || by != "" {
			return "", err
		}
	}
	sha, err = e.pictures.Put(ctx, f.Picture)
	switch {
	case err == nil:
		if e.noPictures.Swap(false) {
			e.log.Info("pictures can be kept again")
		}
		return sha, nil
	case ctx.Err() != nil:
		return "", err
	}
	e.metrics.lost.Inc()
	if !e.noPictures.Swap(true) {
		e.log.Error("pictures cannot be kept, leads are raised without", "error", err)
	}
	return "", nil
}

// touch brings what a lead shows of its condition up to date. A condition
// outlives its lead: then there is nothing to touch.
func touch(ctx context.Context, tx Tx, c Condition) (Lead, error) {
	lead, err := tx.Lead(ctx, c.Lead)
	if errors.Is(err, ErrNotFound) {
		return Lead{}, nil
	}
	if err != nil {
		return Lead{}, err
	}
	lead = withCondition(lead, c)
	return lead, tx.SaveLead(ctx, lead)
}

func withCondition(l Lead, c Condition) Lead {
	l.BeganAt, l.LastSeenAt, l.EndedAt = c.Began, c.LastSeen, nil
	if !c.Ended.IsZero() {
		l.EndedAt, l.Blind = &c.Ended, nil
	}
	return l
}

func firstStep(l Lead) Step {
	s := Step{Version: 1, At: l.RaisedAt, By: System, Act: ActMoved, To: LeadRaised}
	if l.MergedInto != "" {
		s.To, s.About, s.Reason = LeadMerged, l.MergedInto, string(QuietNeighbour)
	}
	return s
}

// Running lists the conditions that have not ended, for watches that lost
// their memory. A condition whose camera or zone is gone for good ends by
// observing its end.
func (e *Engine) Running(ctx context.Context) ([]detect.Condition, error) {
	return e.store.Running(ctx)
}

// notify writes what the sinks are to be told of a step.
func (e *Engine) notify(ctx context.Context, tx Tx, lead Lead, step Step, orders []Order) error {
	for _, sink := range e.outbox.subscribers(lead, step) {
		n := Notice{ID: fmt.Sprintf("%s-%d", lead.ID, step.Version), Sink: sink, Lead: e.shown(lead), Step: step, Orders: orders}
		if err := tx.AddNotice(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// micros is a time as the record keeps it.
func micros(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }
