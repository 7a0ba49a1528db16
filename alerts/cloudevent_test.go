package alerts_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/inventory"
)

var update = flag.Bool("update", false, "write the golden files")

func notice() alerts.Notice {
	raised := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	return alerts.Notice{
		ID: "0195-7", Sink: "police",
		Lead: alerts.Lead{
			ID: "0195", Number: 12, Kind: detect.KindFireLaneBlocked, Severity: alerts.SeverityMedium,
			State: alerts.LeadDispatched, Version: 7, Summary: detect.Text{ZH: "消防通道被占用", EN: "Fire lane blocked"},
			Rule:     detect.RuleRef{ID: "fire_lane", Version: 2},
			Camera:   alerts.CameraRef{ID: "44010200001320000001", Name: "东门 1", Lat: 23.1, Lon: 113.3},
			Zone:     alerts.ZoneRef{ID: "lane", Name: "东门消防通道", Kind: inventory.ZoneFireLane},
			Grid:     []alerts.GridRef{{ID: "4401", Level: inventory.LevelCity, Name: "City"}, {ID: "440102", Level: inventory.LevelTown, Name: "Town"}},
			Evidence: []alerts.Evidence{{SHA256: strings.Repeat("ab", 32), Phase: detect.PhaseBegin, TakenAt: raised}},
			Owner:    "wang", RaisedAt: raised,
		},
		Step:   alerts.Step{Version: 7, At: raised.Add(time.Minute), By: "wang", From: alerts.LeadAccepted, To: alerts.LeadDispatched, Note: "call first"},
		Orders: []alerts.Order{{ID: "0195-7-1", Department: "fire", Part: alerts.PartLead, Round: 1, State: alerts.OrderSent, SentAt: raised.Add(time.Minute), Changed: raised.Add(time.Minute), Feedback: "call first"}},
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	e, err := alerts.NewEvent(notice(), "https://patrol.example/", func(sha string) (string, time.Time, error) {
		return "https://patrol.example/evidence/" + sha, time.Date(2026, 3, 2, 0, 0, 0, 5, time.UTC), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	const golden = "testdata/event.golden.json"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got %s", got.String())
	}
	// What an officer writes stays in the house.
	if bytes.Contains(body, []byte("wang")) || bytes.Contains(body, []byte("call first")) {
		t.Error("the event tells who")
	}
}

// TestEventOfAClock names the clock and the post, and nobody; one of a claim
// does not say whose.
func TestEventOfAClock(t *testing.T) {
	t.Parallel()
	n := notice()
	due := n.Step.At.Add(time.Hour)
	n.Orders, n.Lead.Clocks = nil, []alerts.DueClock{{Stage: alerts.StageResolve, DueAt: due}}
	n.Step = alerts.Step{Version: 7, At: n.Step.At, By: alerts.System, Act: alerts.ActEscalated, From: "dispatched", To: "dispatched", About: "resolve", Reason: "duty_chief"}
	e, err := alerts.NewEvent(n, "https://patrol.example/", nil)
	if err != nil || e.Type != "videopatrol.lead.escalated.v1" || e.Data.Clock != alerts.StageResolve || e.Data.To != "duty_chief" ||
		len(e.Data.Clocks) != 1 || !e.Data.Clocks[0].DueAt.Equal(due) {
		t.Errorf("%+v, %v", e, err)
	}
	n.Step.Act, n.Step.About, n.Step.Reason = alerts.ActTakenOver, "wang", "he is away"
	e, err = alerts.NewEvent(n, "https://patrol.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := e.Encode(); err != nil || bytes.Contains(body, []byte("wang")) || bytes.Contains(body, []byte("away")) {
		t.Errorf("%s, %v", body, err)
	}
	n.Lead.State, n.Lead.Transfer = alerts.LeadTransferred, &alerts.Transfer{Centre: "12345", Key: "VP20260301-000012"}
	if e, err = alerts.NewEvent(n, "https://patrol.example/", nil); err != nil || e.Data.Transfer.Key != "VP20260301-000012" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestEventStaysSmall(t *testing.T) {
	t.Parallel()
	n := notice()
	n.Lead.Camera.Name = strings.Repeat("x", alerts.MaxEvent)
	e, err := alerts.NewEvent(n, "https://patrol.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Encode(); err == nil {
		t.Error("an event of more than 20 kB was encoded")
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	store := open(t).store
	sink := &scriptedSink{}
	for name, subs := range map[string][]alerts.Subscription{
		"no name":       {{Sink: sink}},
		"no sink":       {{Name: "a"}},
		"twice":         {{Name: "a", Sink: sink}, {Name: "a", Sink: sink}},
		"unknown state": {{Name: "a", Sink: sink, Transitions: []alerts.LeadState{"lost"}}},
	} {
		if _, err := alerts.NewOutbox(alerts.OutboxOptions{Store: store, Subscriptions: subs}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := alerts.NewOutbox(alerts.OutboxOptions{}); err == nil {
		t.Error("an outbox without a store")
	}
}

// A canary lead goes to the sinks of canaries alone, any other to none of
// them, and each sink learns of the states that it asked for.
func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	police, canaries, closed := &scriptedSink{}, &scriptedSink{}, &scriptedSink{}
	g := open(t,
		alerts.Subscription{Name: "police", Sink: police},
		alerts.Subscription{Name: "canaries", Sink: canaries, Canary: true},
		alerts.Subscription{Name: "closed", Sink: closed, Transitions: []alerts.LeadState{alerts.LeadClosed}})
	observe(t, g.engine, begin("c1"))
	observe(t, g.engine, begin("canary"))
	backlog := func() int {
		b, err := g.store.Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	deadline := time.Now().Add(30 * time.Second)
	for backlog() > 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if p, c, x := police.all(), canaries.all(), closed.all(); len(p) != 1 || p[0].Lead.Canary || len(c) != 1 || !c[0].Lead.Canary || len(x) != 0 {
		t.Errorf("police %v, canaries %v, closed %v", p, c, x)
	}
}
