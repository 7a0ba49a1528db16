package wall_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/wall"
)

func TestLeads(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	var page wall.LeadList
	b.get("/api/v1/leads?state=raised,accepted&limit=1").json(t, &page)
	if len(page.Leads) != 1 || page.Leads[0].ID != lead2 || page.Next == "" {
		t.Fatalf("first page %+v", page)
	}
	b.get("/api/v1/leads?limit=1&cursor="+page.Next).json(t, &page)
	if len(page.Leads) != 1 || page.Leads[0].ID != lead1 {
		t.Fatalf("second page %+v", page)
	}
	for _, query := range []string{"state=open", "kind=face", "limit=0", "limit=501", "limit=x", "sort=id"} {
		if res := b.get("/api/v1/leads?" + query); res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", query, res.StatusCode, res.body)
		}
	}
}

func TestLeadDetail(t *testing.T) {
	w := newWorld(t)
	golden(t, "testdata/lead.json", w.officer().get("/api/v1/leads/"+lead1).body)
	var seen wall.LeadDetail
	w.login("admin", w.password("admin")).get("/api/v1/leads/"+lead1).json(t, &seen)
	if len(seen.Allowed) != 0 {
		t.Errorf("an admin is offered %v", seen.Allowed)
	}
	if res := w.officer().get("/api/v1/leads/none"); res.StatusCode != http.StatusNotFound {
		t.Errorf("no lead: %d", res.StatusCode)
	}
}

// TestEmptyListsAreLists: the page counts on never meeting null.
func TestEmptyListsAreLists(t *testing.T) {
	w := newWorld(t)
	w.desk.leads = []alerts.Lead{{ID: lead1, State: alerts.LeadRaised}}
	b := w.officer()
	for _, path := range []string{"/leads", "/leads/" + lead1, "/cameras", "/cameras/" + camera2, "/grid", "/stats", "/me/tokens"} {
		if res := b.get("/api/v1" + path); res.StatusCode != http.StatusOK || strings.Contains(string(res.body), "null") {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.body)
		}
	}
}

func TestTransition(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	path := "/api/v1/leads/" + lead1 + "/transitions"
	post := func(in map[string]any) response { return b.do("POST", path, in) }

	var moved alerts.Lead
	post(map[string]any{"to": "accepted", "version": 1, "note": "看到了"}).json(t, &moved)
	if moved.State != alerts.LeadAccepted || moved.Version != 2 || moved.Owner != "officer" {
		t.Errorf("moved %+v", moved)
	}
	if got := w.desk.asked[0]; got.By != "officer" || got.Client != "127.0.0.1" || got.Note != "看到了" || got.Version != 1 {
		t.Errorf("asked %+v", got)
	}
	stale := post(map[string]any{"to": "rejected", "reason": "test", "version": 1})
	if stale.StatusCode != http.StatusConflict {
		t.Errorf("stale: %d", stale.StatusCode)
	}
	golden(t, "testdata/stale.json", stale.body)

	w.desk.refuse = &alerts.RefusedError{
		From: alerts.LeadAccepted, To: alerts.LeadResolved, Why: "no such step", Allowed: alerts.NextStates(alerts.LeadAccepted),
	}
	refused := post(map[string]any{"to": "resolved", "version": 2})
	if refused.StatusCode != http.StatusUnprocessableEntity || refused.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("refused: %d %v", refused.StatusCode, refused.Header)
	}
	golden(t, "testdata/refused.json", refused.body)
	w.desk.refuse = nil

	asked := len(w.desk.asked)
	for name, in := range map[string]map[string]any{
		"no version":         {"to": "accepted"},
		"no such state":      {"to": "lost", "version": 2},
		"the clock's state":  {"to": "expired", "version": 2},
		"unknown member":     {"to": "closed", "version": 2, "owner": "me"},
		"unknown department": {"to": "dispatched", "version": 2, "departments": []string{"navy"}},
	} {
		res := post(in)
		var p wall.Problem
		res.json(t, &p)
		if res.StatusCode != http.StatusUnprocessableEntity || p.Code != "invalid" || p.Detail == "" {
			t.Errorf("%s: %d %s", name, res.StatusCode, res.body)
		}
	}
	if res := b.do("POST", "/api/v1/leads/none/transitions", map[string]any{"to": "accepted", "version": 1}); res.StatusCode != http.StatusNotFound {
		t.Errorf("no lead: %d", res.StatusCode)
	}
	if res := b.do("POST", path, `{"to":`); res.StatusCode != http.StatusBadRequest || !strings.Contains(string(res.body), `"code"`) {
		t.Errorf("broken JSON: %d %s", res.StatusCode, res.body)
	}
	if res := b.do("POST", path, `{"note":"`+strings.Repeat("x", 20_000)+`"}`); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("20 kB: %d", res.StatusCode)
	}
	if len(w.desk.asked) != asked+1 { // the lead that is not there
		t.Errorf("bad requests reached the desk: %+v", w.desk.asked[asked:])
	}
}

// TestUndoIsOffered to the person who triaged, for as long as it works.
func TestUndoIsOffered(t *testing.T) {
	w := newWorld(t)
	w.desk.leads[1].State, w.desk.leads[1].Version = alerts.LeadAccepted, 2
	w.desk.trace = []alerts.Step{
		{Version: 1, At: noon, By: "system", To: alerts.LeadRaised},
		{Version: 2, At: noon, By: "officer", From: alerts.LeadRaised, To: alerts.LeadAccepted},
	}
	offered := func(b *browser) string {
		var d wall.LeadDetail
		b.get("/api/v1/leads/"+lead1).json(t, &d)
		return fmt.Sprint(d.Allowed)
	}
	b, other := w.officer(), w.as(wall.RoleOfficer)
	if got := offered(b); got != "[raised dispatched transferred closed]" {
		t.Errorf("at once: %s", got)
	}
	if got := offered(other); got != "[dispatched transferred closed]" {
		t.Errorf("another officer: %s", got)
	}
	w.pass(alerts.UndoWindow + time.Second)
	if got := offered(b); got != "[dispatched transferred closed]" {
		t.Errorf("too late: %s", got)
	}
}

func TestStats(t *testing.T) {
	w := newWorld(t)
	// Noon UTC+0 of this clock is 12:00 in Shanghai: this one is of yesterday.
	old := lead("01976e00-0000-7000-8000-000000000000", 0)
	old.RaisedAt, old.State = noon.Add(-12*time.Hour-time.Second), alerts.LeadClosed
	w.desk.leads = append(w.desk.leads, old)
	golden(t, "testdata/stats.json", w.officer().get("/api/v1/stats").body)
}
