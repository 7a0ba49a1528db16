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
	// Routes says who works on what and by when; nil proposes nobody, runs no
	// clocks and hides nothing.
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
	routes   *Routes
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
	return &Engine{
		store:    o.Store,
		pictures: o.Pictures,
		places:   places{inventory: o.Inventory},
		kinds:    cloneKinds(o.Kinds),
		outbox:   o.Outbox,
		canary:   o.CanaryCamera,
		changed:  o.Changed,
		newID:    o.NewID,
		routes:   o.Routes,
		steady:   newSteady(o.Clock, o.Elapsed),
		clocks:   make(chan struct{}, 1),
		log:      o.Log,
		metrics:  m,
	}, nil
}

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
	err = e.store.Write(ctx, func(tx Tx) error {
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

// folding is one finding's transaction.
type folding struct {
	*changes
	finding detect.Finding
	sha     string
	have    Condition
	out     Outcome
	by      QuietRule // what kept the condition back, when it began or before
	outage  Outage    // of a condition about cameras that fail
	lead    Lead      // the lead where that changed for those who look at it, else zero
}

func newFolding(e *Engine, tx Tx, f detect.Finding, sha string) *folding {
	return &folding{changes: &changes{e: e, tx: tx}, finding: f, sha: sha}
}

// fold is the transaction of Observe.
func (fo *folding) fold(ctx context.Context) error {
	e, tx, f, sha := fo.e, fo.tx, fo.finding, fo.sha
	have, err := tx.Condition(ctx, f.Key(), f.Began)
	if err != nil {
		return err
	}
	var c Condition
	c, fo.out = Fold(have, f)
	fo.have = have.Condition
	if fo.out == OutcomeRepeated {
		return nil
	}
	// The record may have moved on since keep looked: its word counts here.
	counted, wanted := keepPicture(c, fo.out, f)
	if wanted = wanted && sha != ""; wanted {
		c = counted
	}
	switch {
	case fo.out == OutcomeRaised:
		c, err = fo.begin(ctx, c)
	case c.Quiet != "" && fo.out != OutcomeEnded:
		c, err = fo.again(ctx, c)
	case fo.out == OutcomeSeen && !wanted:
		return tx.SaveCondition(ctx, c)
	default:
		fo.lead, err = touch(ctx, tx, c)
	}
	if err != nil {
		return err
	}
	if err := tx.SaveCondition(ctx, c); err != nil {
		return err
	}
	if have.Known == "" {
		if err := tx.KnowBegan(ctx, c.Key, f.Began, c.Lead); err != nil {
			return err
		}
	}
	if wanted && fo.lead.ID != "" {
		ev := Evidence{SHA256: sha, Phase: f.Phase, TakenAt: f.At, Boxes: f.Boxes, Size: len(f.Picture)}
		if err := tx.AddEvidence(ctx, fo.lead.ID, ev); err != nil {
			return err
		}
		fo.lead.Evidence = append(fo.lead.Evidence, ev)
	}
	if fo.out == OutcomeRaised || fo.out == OutcomeMerged {
		err = e.notify(ctx, tx, fo.lead, firstStep(fo.lead), nil)
	}
	return err
}

// begin raises the lead of a new condition, unless a rule keeps it back.
func (fo *folding) begin(ctx context.Context, c Condition) (Condition, error) {
	by, detail, err := fo.e.quietly(ctx, fo.tx, fo.have, fo.finding, fo.tx.Now())
	if err != nil {
		return c, err
	}
	if by != "" {
		return fo.suppress(ctx, c, by, detail)
	}
	return fo.raise(ctx, c)
}

// again asks once more of a condition that is kept back, while it runs: when
// no rule does it any longer its lead is raised.
func (fo *folding) again(ctx context.Context, c Condition) (Condition, error) {
	by, _, err := fo.e.quietly(ctx, fo.tx, fo.have, fo.finding, fo.tx.Now())
	if err != nil || by != "" {
		c.Pictures, c.EndPicture = 0, false
		return c, err
	}
	was := c.Lead
	c.Quiet = ""
	if c, err = fo.raise(ctx, c); err != nil {
		return c, err
	}
	if err := fo.tx.Unsuppress(ctx, c.Key, was, c.Lead); err != nil {
		return c, err
	}
	if fo.out != OutcomeMerged {
		fo.out = OutcomeRaised
	}
	return c, nil
}

// suppress keeps a condition back and accounts for it.
func (fo *folding) suppress(ctx context.Context, c Condition, by QuietRule, detail string) (Condition, error) {
	id, err := fo.e.newID()
	if err != nil {
		return c, fmt.Errorf("make a suppression's id: %w", err)
	}
	fo.out, fo.by = OutcomeSuppressed, by
	c.Lead, c.Quiet, c.Shown, c.Pictures, c.EndPicture = id, by, fo.have.shown(), 0, false
	return c, fo.tx.AddSuppression(ctx, Suppression{
		ID: id, At: fo.tx.Now(), By: by, Key: c.Key, Kind: c.Kind, Began: c.Began, Detail: detail,
	})
}

// raise adds the lead of a condition, with its first step. Where another
// camera's lead shows the same, it begins as a part of that.
func (fo *folding) raise(ctx context.Context, c Condition) (Condition, error) {
	e, tx, f := fo.e, fo.tx, fo.finding
	id, err := e.newID()
	if err != nil {
		return c, fmt.Errorf("make a lead's id: %w", err)
	}
	info, ok := e.kinds[f.Kind]
	if !ok {
		info = KindInfo{Severity: SeverityMedium, Title: detect.Text{ZH: string(f.Kind), EN: string(f.Kind)}}
	}
	at := e.places.of(f)
	if len(fo.outage.Cameras) > 0 {
		at = e.places.shared(fo.outage.Cameras)
		at.Camera.ID = f.Camera
	}
	c.Lead = id
	lead := withCondition(Lead{
		ID: id, Kind: f.Kind, Severity: info.Severity, State: LeadRaised, Version: 1, Decided: 1,
		Summary: summarize(info.Title, f.Why), Rule: f.Rule,
		Camera: at.Camera, Zone: at.Zone, Grid: at.Grid,
		RaisedAt: tx.Now(), Since: tx.Now(), Changed: tx.Now(),
		Canary: e.canary != "" && f.Camera == e.canary,
	}, c)
	if err := fo.neighbour(ctx, &lead); err != nil {
		return c, err
	}
	step := firstStep(lead)
	if err := tx.AddAudit(ctx, auditOf(lead, step, "")); err != nil {
		return c, err
	}
	if lead.Number, err = tx.AddLead(ctx, lead); err != nil {
		return c, err
	}
	if err := tx.AddStep(ctx, lead.ID, step); err != nil {
		return c, err
	}
	if err := e.setClocks(ctx, tx, &lead); err != nil {
		return c, err
	}
	fo.lead = lead
	if lead.MergedInto == "" {
		return c, nil
	}
	fo.out, fo.by = OutcomeMerged, QuietNeighbour
	into, err := fo.load(ctx, lead.MergedInto)
	if err != nil {
		return c, err
	}
	err = into.record(ctx, Step{By: System, Act: ActJoined, About: lead.ID, Reason: string(QuietNeighbour)}, "", nil)
	return c, errors.Join(err, tx.AddSuppression(ctx, Suppression{
		ID: lead.ID, At: tx.Now(), By: QuietNeighbour, Key: c.Key, Kind: c.Kind, Began: c.Began, Lead: lead.MergedInto,
	}))
}

// neighbour makes a lead begin as a part of the open one that another camera
// raised of the same kind in the same sub-cell a moment ago, if there is one.
func (fo *folding) neighbour(ctx context.Context, l *Lead) error {
	if fo.e.routes == nil || fo.e.routes.quiet.Neighbours == 0 || l.Canary || len(l.Grid) == 0 || l.Kind == KindCameraFault {
		return nil
	}
	since := fo.tx.Now().Add(-fo.e.routes.quiet.Neighbours)
	into, err := fo.tx.Neighbour(ctx, l.Kind, l.Grid[len(l.Grid)-1].ID, l.Camera.ID, since)
	if err == nil && into != "" {
		l.State, l.MergedInto = LeadMerged, into
	}
	return err
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
		l.EndedAt = &c.Ended
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
