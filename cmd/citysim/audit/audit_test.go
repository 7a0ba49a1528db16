package audit_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"videopatrol/cmd/citysim/audit"
	"videopatrol/cmd/citysim/play"
	"videopatrol/streams"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func at(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }

func until(second int) *time.Time { t := at(second); return &t }

// lead is one of camera a's.
func lead(number int64, kind play.Kind, began, ended int) audit.Lead {
	l := audit.Lead{ID: "l" + string(rune('0'+number)), Number: number, Kind: string(kind), Began: at(began), Ended: until(ended)}
	l.Camera.ID, l.Zone.ID = "a", "z"
	return l
}

func kept(by string, began int) audit.Suppression {
	s := audit.Suppression{ID: "s", By: by, Kind: string(play.Intrusion), Began: at(began)}
	s.Key.Camera, s.Key.Zone = "a", "z"
	return s
}

func merged(l audit.Lead) audit.Lead { l.MergedInto = "other"; return l }

// TestFates: everything that happens has one fate, and every lead something
// that happened.
func TestFates(t *testing.T) {
	in := func(kind play.Kind, begin, end int) play.Entry {
		return play.Entry{ID: "h", Camera: "a", Kind: kind, Zone: "z", Begin: at(begin), End: at(end)}
	}
	intrusion := in(play.Intrusion, 100, 130)
	spell := func(reason streams.Reason, begin, end int) map[string][]audit.Spell {
		return map[string][]audit.Spell{"a": {{Reason: reason, Begin: at(begin), End: at(end)}}}
	}
	for _, c := range []struct {
		name   string
		ledger []play.Entry
		record audit.Record
		want   []audit.Fate
		madeUp int
	}{
		{"a lead", []play.Entry{intrusion}, audit.Record{Leads: []audit.Lead{lead(1, play.Intrusion, 101, 131)}}, []audit.Fate{audit.Led}, 0},
		{"of another kind", []play.Entry{intrusion}, audit.Record{Leads: []audit.Lead{lead(1, play.Crowd, 101, 131)}}, []audit.Fate{audit.Unexplained}, 1},
		{"much too early", []play.Entry{intrusion}, audit.Record{Leads: []audit.Lead{lead(1, play.Intrusion, 80, 131)}}, []audit.Fate{audit.Unexplained}, 1},
		{"two leads", []play.Entry{intrusion}, audit.Record{Leads: []audit.Lead{lead(1, play.Intrusion, 101, 110), lead(2, play.Intrusion, 115, 131)}}, []audit.Fate{audit.Unexplained}, 0},
		{"merged", []play.Entry{intrusion}, audit.Record{Leads: []audit.Lead{merged(lead(1, play.Intrusion, 101, 131))}}, []audit.Fate{audit.Merged}, 0},
		{
			"one condition for two",
			[]play.Entry{intrusion, in(play.Intrusion, 140, 160)},
			audit.Record{Leads: []audit.Lead{lead(1, play.Intrusion, 101, 165)}},
			[]audit.Fate{audit.Led, audit.Joined},
			0,
		},
		{
			"long after the one before",
			[]play.Entry{intrusion, in(play.Intrusion, 200, 260)},
			audit.Record{Leads: []audit.Lead{lead(1, play.Intrusion, 101, 265)}},
			[]audit.Fate{audit.Led, audit.Unexplained},
			0,
		},
		{"kept back", []play.Entry{intrusion}, audit.Record{Suppressions: []audit.Suppression{kept("cool_down", 101)}}, []audit.Fate{audit.Suppressed}, 0},
		{"shelved", []play.Entry{intrusion}, audit.Record{Suppressions: []audit.Suppression{kept("shelved", 101)}}, []audit.Fate{audit.Shelved}, 0},
		{"kept back without a happening", nil, audit.Record{Suppressions: []audit.Suppression{kept("cool_down", 101)}}, nil, 1},
		{"blind", []play.Entry{intrusion}, audit.Record{Spells: spell(streams.ReasonStalled, 90, 110)}, []audit.Fate{audit.Blind}, 0},
		{"blind before", []play.Entry{intrusion}, audit.Record{Spells: spell(streams.ReasonStalled, 80, 99)}, []audit.Fate{audit.Unexplained}, 0},
		{"shed", []play.Entry{intrusion}, audit.Record{Spells: spell(streams.ReasonBudget, 90, 140)}, []audit.Fate{audit.Shed}, 0},
		{"too brief", []play.Entry{in(play.Intrusion, 100, 105)}, audit.Record{}, []audit.Fate{audit.Brief}, 0},
		{"not due", []play.Entry{in(play.Intrusion, 595, 700)}, audit.Record{}, []audit.Fate{audit.Open}, 0},
		{"lost", []play.Entry{intrusion}, audit.Record{}, []audit.Fate{audit.Unexplained}, 0},
		{"made up", nil, audit.Record{Leads: []audit.Lead{lead(1, play.Intrusion, 101, 131)}}, nil, 1},
		{"a fault that shows", []play.Entry{in(play.Offline, 100, 160)}, audit.Record{Spells: spell(streams.ReasonTimeout, 105, 170)}, []audit.Fate{audit.Blind}, 0},
		{"a fault by another name", []play.Entry{in(play.Offline, 100, 160)}, audit.Record{Spells: spell(streams.ReasonDark, 105, 170)}, []audit.Fate{audit.Unexplained}, 0},
		{"a fault that nobody saw", []play.Entry{in(play.Frozen, 100, 160)}, audit.Record{}, []audit.Fate{audit.Unexplained}, 0},
		{"cameras that failed", nil, audit.Record{Leads: []audit.Lead{lead(1, "camera_fault", 101, 131)}, Spells: spell(streams.ReasonTimeout, 100, 130)}, nil, 0},
		{"cameras that did not fail", nil, audit.Record{Leads: []audit.Lead{lead(1, "camera_fault", 101, 131)}}, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.record.Cameras = []audit.Camera{{ID: "a", Interval: 2, State: streams.StateOnline}}
			r := audit.Audit(c.ledger, c.record, audit.Options{Now: at(600), GOP: 2 * time.Second, Slack: 2 * time.Second, Settle: 30 * time.Second})
			var got []audit.Fate
			sum := 0
			for _, row := range r.Rows {
				got = append(got, row.Fate)
			}
			for _, n := range r.Fates {
				sum += n
			}
			if !slices.Equal(got, c.want) || sum != len(c.ledger) || len(r.MadeUp) != c.madeUp {
				t.Errorf("fates %v of %d, made up %q; want %v, %d made up; %+v", got, sum, r.MadeUp, c.want, c.madeUp, r.Rows)
			}
		})
	}
}

// TestFaultsOfTheCatalogue: one that a gateway must bear is borne, unless its
// camera went blind.
func TestFaultsOfTheCatalogue(t *testing.T) {
	cameras := []audit.Camera{{ID: "a", Interval: 2, State: streams.StateOnline}}
	fates := map[audit.Fate]int{}
	for _, k := range play.Faults() {
		e := play.Entry{ID: "h", Camera: "a", Kind: k, Begin: at(100), End: at(160)}
		r := audit.Audit([]play.Entry{e}, audit.Record{Cameras: cameras}, audit.Options{Now: at(600), GOP: 2 * time.Second})
		fates[r.Rows[0].Fate]++
	}
	if fates[audit.Borne] == 0 || fates[audit.Unexplained] == 0 || len(fates) != 2 {
		t.Errorf("cameras that never went blind: %v", fates)
	}
}

// TestFollow: a spell has its reason and its times, and a gateway that does not
// answer is one.
func TestFollow(t *testing.T) {
	answers := []string{
		`{"cameras":[{"id":"a","state":"online"}],"next":"2"}`, `{"cameras":[{"id":"b","state":"offline","reason":"auth","since":"2026-05-04T12:00:00Z"}]}`,
		`{"cameras":[{"id":"a","state":"degraded","reason":"frozen"},{"id":"b","state":"offline","reason":"auth"}]}`,
		`down`,
		`{"cameras":[{"id":"a","state":"online"},{"id":"b","state":"online"}]}`,
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer key":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/api/v1/cameras" && asked < len(answers):
			asked++
			if asked == 2 && r.URL.Query().Get("cursor") != "2" {
				t.Errorf("the second page is asked for by %s", r.URL)
			}
			if answers[asked-1] == "down" {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			_, _ = w.Write([]byte(answers[asked-1]))
			return
		case r.URL.Path == "/api/v1/cameras":
			cancel()
			_, _ = w.Write([]byte(answers[len(answers)-1]))
		case r.URL.Path == "/api/v1/leads":
			_, _ = w.Write([]byte(`{"leads":[{"id":"x","number":7,"kind":"crowd","camera":{"id":"a"},"zone":{"id":"z"},"began_at":"2026-05-04T12:00:00Z"}]}`))
		default:
			_, _ = w.Write([]byte(`{"suppressions":[{"by":"chatter","source":{"camera":"a","zone":"z"}}]}`))
		}
	}))
	defer gateway.Close()
	g := audit.Gateway{Server: gateway.URL, Token: "key", Client: gateway.Client()}
	if err := g.Follow(ctx, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	r, err := g.Record(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shown := func(camera string) string {
		var all []string
		for _, s := range r.Spells[camera] {
			all = append(all, string(s.Reason))
			if s.End.IsZero() || s.End.Before(s.Begin) {
				t.Errorf("a spell of camera %s from %s to %s", camera, s.Begin, s.End)
			}
		}
		return strings.Join(all, " ")
	}
	if shown("a") != "frozen gateway_down" || shown("b") != "auth gateway_down" || !r.Spells["b"][0].Begin.Equal(noon) {
		t.Errorf("spells %+v", r.Spells)
	}
	if len(r.Leads) != 1 || r.Leads[0].Camera.ID != "a" || len(r.Suppressions) != 1 || r.Suppressions[0].Key.Zone != "z" {
		t.Errorf("record %+v", r)
	}
	g.Token = "wrong"
	if err := g.Follow(t.Context(), time.Millisecond); err == nil {
		t.Error("a wrong token is no error")
	}
}

// TestReportIsJSON: what a program reads of a row names the happening and its
// fate.
func TestReportIsJSON(t *testing.T) {
	e := play.Entry{ID: "h", Camera: "a", Kind: play.Intrusion, Zone: "z", Begin: at(0), End: at(60)}
	b, err := json.Marshal(audit.Audit([]play.Entry{e}, audit.Record{}, audit.Options{Now: at(600)}))
	if err != nil {
		t.Fatal(err)
	}
	var back audit.Report
	if err := json.Unmarshal(b, &back); err != nil || len(back.Rows) != 1 || back.Rows[0].Fate != audit.Unexplained || back.Rows[0].Entry.ID != "h" || !back.Rows[0].Entry.End.Equal(at(60)) {
		t.Errorf("%v: %s", err, b)
	}
}
