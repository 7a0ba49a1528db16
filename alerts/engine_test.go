package alerts_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/inventory"
)

var began = time.Date(2026, 3, 1, 2, 0, 0, 123456789, time.UTC)

func begin(camera string) detect.Finding {
	return detect.Finding{
		Camera: camera, Zone: "gate", Rule: rule, Kind: detect.KindIntrusion, Phase: detect.PhaseBegin,
		Began: began, At: began.Add(time.Second), Why: detect.Text{ZH: "有物体移动", EN: "something moves"},
		Picture: []byte("picture of " + camera), Boxes: []detect.Box{{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}},
	}
}

func observe(tb testing.TB, e *alerts.Engine, f detect.Finding) {
	tb.Helper()
	if err := e.Observe(tb.Context(), f); err != nil {
		tb.Fatal(err)
	}
}

func TestLeadKeepsItsPlaceAndEvidence(t *testing.T) {
	t.Parallel()
	g := open(t)
	observe(t, g.engine, begin("c1"))
	l := all(t, g.engine, alerts.LeadQuery{})[0]
	if l.Camera != (alerts.CameraRef{ID: "c1", Name: "Gate 1", Lat: 31.2, Lon: 121.4}) ||
		l.Zone != (alerts.ZoneRef{ID: "gate", Name: "East gate", Kind: inventory.ZoneClosedArea}) {
		t.Errorf("place: %+v %+v", l.Camera, l.Zone)
	}
	var path []string
	for _, c := range l.Grid {
		path = append(path, c.ID)
	}
	if got := strings.Join(path, "/"); got != "city/t1/g1/s2" {
		t.Errorf("grid %s, want the path of the zone's own cell", got)
	}
	if l.Summary.EN != "Intrusion into a closed area: something moves" || l.Severity != alerts.SeverityHigh {
		t.Errorf("summary %q, severity %s", l.Summary.EN, l.Severity)
	}
	if len(l.Evidence) != 1 || len(l.Evidence[0].Boxes) != 1 {
		t.Fatalf("evidence %+v", l.Evidence)
	}
	r, of, err := g.engine.Evidence(t.Context(), l.Evidence[0].SHA256, "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); string(b) != "picture of c1" || err != nil || of.ID != l.ID {
		t.Errorf("picture %q of %s, %v", b, of.ID, err)
	}
	if _, _, err := g.engine.Evidence(t.Context(), strings.Repeat("0", 64), ""); !errors.Is(err, alerts.ErrNotFound) {
		t.Errorf("an unknown picture: %v", err)
	}
	running, err := g.engine.Running(t.Context())
	if err != nil || len(running) != 1 || running[0].Key != begin("c1").Key() || !running[0].Began.Equal(began.Truncate(time.Microsecond)) {
		t.Errorf("running %+v, %v", running, err)
	}
	// A camera that the inventory does not know raises all the same.
	observe(t, g.engine, begin("unknown"))
	if got := all(t, g.engine, alerts.LeadQuery{Camera: "unknown"}); len(got) != 1 || got[0].Grid == nil {
		t.Errorf("leads of an unknown camera: %+v", got)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	g := open(t)
	for i := range 25 {
		f := begin("c1")
		f.Zone = []string{"gate", "lane"}[i%2]
		f.Rule.ID = fmt.Sprintf("rule%d", i)
		if i%5 == 0 {
			f.Kind = detect.KindFireLaneBlocked
		}
		f.Picture = nil
		observe(t, g.engine, f)
	}
	observe(t, g.engine, begin("canary"))
	for name, q := range map[string]struct {
		q    alerts.LeadQuery
		want int
	}{
		"all":          {alerts.LeadQuery{}, 25},
		"kind":         {alerts.LeadQuery{Kinds: []detect.Kind{detect.KindFireLaneBlocked}}, 5},
		"both kinds":   {alerts.LeadQuery{Kinds: detect.Kinds()}, 25},
		"town":         {alerts.LeadQuery{Cell: "t1"}, 25},
		"sub-cell":     {alerts.LeadQuery{Cell: "s2"}, 13},
		"other cell":   {alerts.LeadQuery{Cell: "s1", Camera: "c1", States: []alerts.LeadState{alerts.LeadRaised}}, 12},
		"other camera": {alerts.LeadQuery{Camera: "c2"}, 0},
		"state":        {alerts.LeadQuery{States: []alerts.LeadState{alerts.LeadClosed, alerts.LeadMerged}}, 0},
		"open":         {alerts.LeadQuery{States: []alerts.LeadState{alerts.LeadRaised, alerts.LeadAccepted}}, 25},
		"canary":       {alerts.LeadQuery{Canary: true}, 1},
	} {
		for _, limit := range []int{1, 7, 25, 500} {
			q.q.Limit = limit
			leads := all(t, g.engine, q.q)
			if len(leads) != q.want {
				t.Errorf("%s by %d: %d leads, want %d", name, limit, len(leads), q.want)
			}
			for i := 1; i < len(leads); i++ {
				if leads[i].Number >= leads[i-1].Number {
					t.Errorf("%s by %d: not newest first", name, limit)
				}
			}
		}
	}
	for _, q := range []alerts.LeadQuery{{Limit: -1}, {Limit: 501}, {Cursor: "x"}, {States: []alerts.LeadState{"lost"}}} {
		if _, err := g.engine.Leads(t.Context(), q); err == nil {
			t.Errorf("%+v was taken", q)
		}
	}
	counts, err := g.engine.Counts(t.Context())
	if err != nil || counts[alerts.LeadRaised] != 25 || len(counts) != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
}

func TestExactlyOneAcceptWins(t *testing.T) {
	t.Parallel()
	g := open(t)
	observe(t, g.engine, begin("c1"))
	id := all(t, g.engine, alerts.LeadQuery{})[0].ID
	const officers = 8
	errs := make([]error, officers)
	var wg sync.WaitGroup
	for i := range officers {
		wg.Go(func() {
			_, errs[i] = g.engine.Transition(t.Context(), alerts.Transition{
				Lead: id, To: alerts.LeadAccepted, By: fmt.Sprintf("officer%d", i), Version: 1,
			})
		})
	}
	wg.Wait()
	winner := ""
	for i, err := range errs {
		if err == nil {
			if winner != "" {
				t.Error("two won")
			}
			winner = fmt.Sprintf("officer%d", i)
		}
	}
	l, err := g.engine.Lead(t.Context(), id)
	if err != nil || l.Owner != winner || l.Version != 2 || winner == "" {
		t.Fatalf("%+v, %v; %q won", l, err, winner)
	}
	for _, err := range errs {
		var stale *alerts.StaleError
		if err != nil && (!errors.As(err, &stale) || stale.Owner != winner || stale.Version != 2 || stale.State != alerts.LeadAccepted) {
			t.Errorf("a loser learnt %v", err)
		}
	}
	checkTrace(t, g.engine, l)
}

func TestTheSameFindingAtOnce(t *testing.T) {
	t.Parallel()
	g := open(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { observe(t, g.engine, begin("c1")) })
	}
	wg.Wait()
	if leads := all(t, g.engine, alerts.LeadQuery{}); len(leads) != 1 || len(leads[0].Evidence) != 1 {
		t.Errorf("%d leads", len(leads))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.changes) != 1 || g.changes[0].Step.To != alerts.LeadRaised {
		t.Errorf("changes %+v", g.changes)
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	g := open(t)
	observe(t, g.engine, begin("c1"))
	id := all(t, g.engine, alerts.LeadQuery{})[0].ID
	if err := g.engine.Record(t.Context(), alerts.AuditRow{By: "wang", Action: "view", Object: "evidence/1", Client: "10.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.engine.Transition(t.Context(), alerts.Transition{
		Lead: id, To: alerts.LeadRejected, By: "wang", Reason: "shadow", Note: "a tree", Version: 1, Client: "10.0.0.1",
	}); err != nil {
		t.Fatal(err)
	}
	rows, err := g.engine.Audit(t.Context(), 0, 10)
	if err != nil || len(rows) != 4 {
		t.Fatalf("%+v, %v", rows, err)
	}
	if first := rows[3]; first.Action != "chain_begin" || first.By != alerts.System {
		t.Errorf("the first row is %+v", first)
	}
	got := rows[0]
	if got.At.IsZero() {
		t.Error("no time")
	}
	got.At = time.Time{}
	want := alerts.AuditRow{
		Node: "test", Seq: 4, By: "wang", Action: "transition", Object: "lead/" + id, Purpose: "shadow",
		Client: "10.0.0.1", Detail: "raised → rejected, version 2: a tree",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if rows, err = g.engine.Audit(t.Context(), 3, 1); err != nil || len(rows) != 1 || rows[0].Action != "transition" || rows[0].By != alerts.System {
		t.Errorf("before 3: %+v, %v", rows, err)
	}
	if err := g.engine.Record(t.Context(), alerts.AuditRow{By: "wang"}); err == nil {
		t.Error("a row that says nothing was taken")
	}
}

// A transition that cannot be kept leaves nothing behind and tells nobody.
func TestNothingIsHalfDone(t *testing.T) {
	t.Parallel()
	sink := &scriptedSink{start: time.Now()}
	g := open(t, alerts.Subscription{Name: "desk", Sink: sink})
	broken := errors.New("disk full")
	engine, err := alerts.New(alerts.Options{
		Store: brokenStore{g.store, broken}, Inventory: city, Pictures: noPictures{}, Changed: func(alerts.Change) { t.Error("told") },
	})
	if err != nil {
		t.Fatal(err)
	}
	f := begin("c1")
	if err := engine.Observe(t.Context(), f); !errors.Is(err, broken) {
		t.Errorf("without the step: %v", err)
	}
	if leads := all(t, engine, alerts.LeadQuery{}); len(leads) != 0 {
		t.Errorf("half a lead: %+v", leads)
	}
	observe(t, g.engine, f)
	id := all(t, engine, alerts.LeadQuery{})[0].ID
	if _, err := engine.Transition(t.Context(), alerts.Transition{Lead: id, To: alerts.LeadAccepted, By: "wang", Version: 1}); !errors.Is(err, broken) {
		t.Errorf("accept: %v", err)
	}
	if l, err := engine.Lead(t.Context(), id); err != nil || l.Version != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	if rows, err := engine.Audit(t.Context(), 0, 10); err != nil || len(rows) != 2 {
		t.Errorf("audit %+v, %v", rows, err)
	}
	if _, err := engine.Transition(t.Context(), alerts.Transition{Lead: "none"}); !errors.Is(err, alerts.ErrNotFound) {
		t.Errorf("an unknown lead: %v", err)
	}
	if _, err := engine.Trace(t.Context(), "none"); !errors.Is(err, alerts.ErrNotFound) {
		t.Errorf("the trace of an unknown lead: %v", err)
	}
}

// brokenStore fails on every step of a trace.
type brokenStore struct {
	alerts.Store
	err error
}

func (b brokenStore) Write(ctx context.Context, fn func(alerts.Tx) error) error {
	return b.Store.Write(ctx, func(tx alerts.Tx) error { return fn(brokenTx{tx, b.err}) })
}

func (b brokenStore) Fold(ctx context.Context, key detect.ConditionKey, began time.Time, fn func(alerts.Tx) error) error {
	return b.Store.Fold(ctx, key, began, func(tx alerts.Tx) error { return fn(brokenTx{tx, b.err}) })
}

type brokenTx struct {
	alerts.Tx
	err error
}

func (b brokenTx) AddStep(context.Context, string, alerts.Step) error { return b.err }

var errNoPictures = errors.New("no room for pictures")

type noPictures struct{}

func (noPictures) Put(context.Context, []byte) (string, error) { return "", errNoPictures }
func (noPictures) Open(context.Context, string) (io.ReadSeekCloser, error) {
	return nil, alerts.ErrNotFound
}

// Where pictures cannot be kept, a lead is raised without; the next picture
// that can be kept becomes its first.
func TestLeadWithoutPicture(t *testing.T) {
	t.Parallel()
	g := open(t)
	reg := prometheus.NewRegistry()
	engine, err := alerts.New(alerts.Options{Store: g.store, Inventory: city, Pictures: noPictures{}, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	f := begin("c1")
	observe(t, engine, f)
	if leads := all(t, engine, alerts.LeadQuery{}); len(leads) != 1 || len(leads[0].Evidence) != 0 {
		t.Fatalf("leads %+v", leads)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP patrol_evidence_lost_total Pictures that could not be kept; their leads were raised without them.
# TYPE patrol_evidence_lost_total counter
patrol_evidence_lost_total 1
`), "patrol_evidence_lost_total"); err != nil {
		t.Error(err)
	}
	f.Phase, f.At = detect.PhaseContinue, f.At.Add(time.Second)
	observe(t, g.engine, f)
	if l := all(t, engine, alerts.LeadQuery{})[0]; len(l.Evidence) != 1 || l.Evidence[0].Phase != detect.PhaseContinue {
		t.Errorf("evidence %+v", l.Evidence)
	}
}

func TestRefusesBadFindings(t *testing.T) {
	t.Parallel()
	g := open(t)
	for name, spoil := range map[string]func(*detect.Finding){
		"no camera": func(f *detect.Finding) { f.Camera = "" },
		"no zone":   func(f *detect.Finding) { f.Zone = "" },
		"no rule":   func(f *detect.Finding) { f.Rule.ID = "" },
		"no kind":   func(f *detect.Finding) { f.Kind = "" },
		"no phase":  func(f *detect.Finding) { f.Phase = "" },
		"no began":  func(f *detect.Finding) { f.Began = time.Time{} },
		"no time":   func(f *detect.Finding) { f.At = time.Time{} },
	} {
		f := begin("c1")
		spoil(&f)
		if err := g.engine.Observe(t.Context(), f); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := alerts.New(alerts.Options{}); err == nil {
		t.Error("an engine of nothing")
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	g := open(t)
	reg := prometheus.NewPedanticRegistry()
	outbox, err := alerts.NewOutbox(alerts.OutboxOptions{
		Store: g.store, Registerer: reg,
		Subscriptions: []alerts.Subscription{{Name: "desk", Sink: &scriptedSink{}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := alerts.New(alerts.Options{
		Store: g.store, Inventory: city, Pictures: noPictures{}, Outbox: outbox, CanaryCamera: "canary", Registerer: reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, camera := range []string{"c1", "c2", "canary"} {
		f := begin(camera)
		f.Picture = nil
		observe(t, engine, f)
		observe(t, engine, f)
	}
	id := all(t, engine, alerts.LeadQuery{})[0].ID
	if _, err := engine.Transition(t.Context(), alerts.Transition{Lead: id, To: alerts.LeadAccepted, By: "wang", Version: 1}); err != nil {
		t.Fatal(err)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP patrol_leads_open Leads that still want somebody's work, by state, canary leads left out.
# TYPE patrol_leads_open gauge
patrol_leads_open{state="accepted"} 1
patrol_leads_open{state="acknowledged"} 0
patrol_leads_open{state="dispatched"} 0
patrol_leads_open{state="raised"} 1
patrol_leads_open{state="reopened"} 0
patrol_leads_open{state="resolved"} 0
patrol_leads_open{state="transferred"} 0
# HELP patrol_leads_total Leads raised since the start, canary leads left out.
# TYPE patrol_leads_total counter
patrol_leads_total{kind="camera_fault",severity="low"} 0
patrol_leads_total{kind="crowd",severity="medium"} 0
patrol_leads_total{kind="fire",severity="high"} 0
patrol_leads_total{kind="fire_lane_blocked",severity="medium"} 0
patrol_leads_total{kind="illegal_parking",severity="low"} 0
patrol_leads_total{kind="intrusion",severity="high"} 2
patrol_leads_total{kind="object_left",severity="medium"} 0
patrol_leads_total{kind="object_taken",severity="medium"} 0
patrol_leads_total{kind="smoke",severity="high"} 0
patrol_leads_total{kind="standstill",severity="low"} 0
patrol_leads_total{kind="water_edge",severity="high"} 0
# HELP patrol_outbox_pending Notices that wait to be delivered, dead letters left out.
# TYPE patrol_outbox_pending gauge
patrol_outbox_pending 3
# HELP patrol_findings_folded_total Findings taken by the lead engine, by what they came to; repeated ones changed nothing.
# TYPE patrol_findings_folded_total counter
patrol_findings_folded_total{outcome="ended"} 0
patrol_findings_folded_total{outcome="joined"} 0
patrol_findings_folded_total{outcome="merged"} 0
patrol_findings_folded_total{outcome="raised"} 3
patrol_findings_folded_total{outcome="repeated"} 3
patrol_findings_folded_total{outcome="seen"} 0
patrol_findings_folded_total{outcome="suppressed"} 0
`), "patrol_leads_open", "patrol_leads_total", "patrol_outbox_pending", "patrol_findings_folded_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
