package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/inventory/sqldb/sqldbtest"
	"videopatrol/wall"
)

// TestCrash kills the gateway by SIGKILL again and again while cameras have
// happenings and an officer works, and then sums up: every lead that the desk
// was ever told of is in the record exactly once, no condition has two leads,
// no transition that was answered is missing from a trace.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	sqldbtest.Each(t, testCrash)
}

func testCrash(t *testing.T, database string) {
	t.Helper()
	if strings.HasPrefix(database, "sqlite:") {
		database = "" // the data folder's own
	}
	const cameras = 12
	var script strings.Builder
	for i := range cameras {
		kind, stay := "fire_lane_blocked", 40
		if i%2 == 1 {
			kind, stay = "intrusion", 14
		}
		fmt.Fprintf(&script, "- {camera: %d, kind: %s, after: %ds, for: %ds, every: %ds}\n", i, kind, 25+i, stay, stay+24)
	}
	r := newRig(t, rigOptions{cameras: cameras, interval: time.Second, script: script.String(), database: database})
	random := rand.New(rand.NewPCG(uint64(*seedFlag), 1))
	answered := map[string][]alerts.Step{} // by lead
	seen := map[string]bool{}
	for i := range *crashes {
		life := 8*time.Second + time.Duration(random.IntN(6000))*time.Millisecond
		if i == 0 {
			life += 40 * time.Second // the first happenings
		}
		r.work(life, answered, seen)
		r.gateway.kill()
		r.serve()
	}
	r.work(15*time.Second, answered, seen)

	leads := r.allLeads()
	known := map[string]alerts.Lead{}
	began := map[string]string{}
	for _, l := range leads {
		known[l.ID] = l
		condition := fmt.Sprint(l.Camera.ID, l.Zone.ID, l.Rule.ID, l.BeganAt)
		if other := began[condition]; other != "" {
			t.Errorf("leads %s and %s are of one condition: %s", other, l.ID, condition)
		}
		began[condition] = l.ID
	}
	for id := range seen {
		if _, ok := known[id]; !ok {
			t.Errorf("lead %s was shown by the API and is lost", id)
		}
	}
	told := r.desk.raised()
	for _, e := range told {
		if _, ok := known[e.Data.Lead.ID]; !ok {
			t.Errorf("the desk was told of lead %s, which is lost", e.Data.Lead.ID)
		}
	}
	var transitions int
	for id, steps := range answered {
		var d wall.LeadDetail
		r.person(http.MethodGet, "/leads/"+id, nil, &d)
		for _, s := range steps {
			transitions++
			if !slices.ContainsFunc(d.Trace, func(have alerts.Step) bool { return have.Version == s.Version && have.To == s.To }) {
				t.Errorf("lead %s: the answered transition to %s (version %d) is lost", id, s.To, s.Version)
			}
		}
	}
	r.oneLeadPerHappening(leads)
	if len(leads) < *crashes || transitions < *crashes {
		t.Errorf("only %d leads and %d transitions under %d crashes: too little load to prove anything", len(leads), transitions, *crashes)
	}
	t.Logf("%d kills, %d leads, %d told to the desk, %d answered transitions", *crashes, len(leads), len(told), transitions)
}

// oneLeadPerHappening: whatever was killed when, a happening that a gateway
// looked at for most of its time has one lead, and none has two.
func (r *rig) oneLeadPerHappening(leads []alerts.Lead) {
	r.t.Helper()
	for _, h := range r.ledger() {
		end := time.Now()
		if h.End != nil {
			end = *h.End
		}
		var mine []int64
		for _, l := range leads {
			if l.Camera.ID == h.Camera && l.BeganAt.After(h.Begin.Add(-gop)) && l.BeganAt.Before(end) {
				mine = append(mine, l.Number)
			}
		}
		if len(mine) > 1 {
			r.t.Errorf("%s at camera %s, %s to %s, has leads %v, want one", h.Kind, h.Camera, clock(h.Begin), clock(end), mine)
		}
	}
}

// work is an officer's: for a while, every lead that is raised is accepted or
// rejected, and what was answered is remembered.
func (r *rig) work(life time.Duration, answered map[string][]alerts.Step, seen map[string]bool) {
	r.t.Helper()
	end := time.Now().Add(life)
	for time.Now().Before(end) {
		var page wall.LeadList
		if _, err := r.try(http.MethodGet, "/leads?state=raised,accepted&limit=100", nil, &page); err != nil {
			r.t.Errorf("listing leads: %v", err)
			return
		}
		for _, l := range page.Leads {
			seen[l.ID] = true
			ask := wall.TransitionRequest{To: alerts.LeadRejected, Reason: "test", Version: l.Version}
			switch {
			case l.State == alerts.LeadAccepted:
				ask = wall.TransitionRequest{To: alerts.LeadDispatched, Departments: []string{"police"}, Version: l.Version}
			case l.Number%2 == 0:
				ask = wall.TransitionRequest{To: alerts.LeadAccepted, Version: l.Version}
			}
			var after alerts.Lead
			if code, err := r.try(http.MethodPost, "/leads/"+l.ID+"/transitions", ask, &after); err == nil && code == http.StatusOK {
				answered[l.ID] = append(answered[l.ID], alerts.Step{Version: after.Version, To: after.State})
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}
