// Package audit explains what became of everything that a simulated city let
// happen. It takes the city's ledger and a gateway's own records and gives
// each happening exactly one fate, and each lead its happening. What is left
// is unexplained: something was lost, doubled or made up.
//
// It shares no code with the gateway but the names of reasons: it reads the
// API as any other program would.
package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"videopatrol/cmd/citysim/play"
	"videopatrol/streams"
	"videopatrol/streams/streamstest/hostile"
)

// Fate is what became of a happening.
type Fate string

// The fates of a happening.
const (
	// Led: it is a lead of its own.
	Led Fate = "lead"
	// Joined: the condition of the happening before it went on.
	Joined Fate = "joined"
	// Merged: its lead is a part of another one.
	Merged Fate = "merged"
	// Suppressed: a named rule kept it back.
	Suppressed Fate = "suppressed"
	// Shelved: a person had shelved its source.
	Shelved Fate = "shelved"
	// Shed: the gateway had no means left for its camera, and said so.
	Shed Fate = "shed"
	// Blind: its camera could not see, and the gateway said why. For a fault
	// that is what is wanted.
	Blind Fate = "blind"
	// Borne: a fault that the gateway has to bear, and did.
	Borne Fate = "borne"
	// Brief: it ended before its zone's dwell and two looks were over.
	Brief Fate = "brief"
	// Open: the audit came before it was due.
	Open Fate = "open"
	// Unexplained: none of these, or several leads.
	Unexplained Fate = "unexplained"
)

// Fates lists every fate.
func Fates() []Fate {
	return []Fate{Led, Joined, Merged, Suppressed, Shelved, Shed, Blind, Borne, Brief, Open, Unexplained}
}

// What the gateway calls these.
const (
	shelvedBy  = "shelved"
	cameraFail = "camera_fault"
)

// Record is what a gateway knows.
type Record struct {
	Cameras      []Camera
	Leads        []Lead
	Suppressions []Suppression
	// Spells are when each camera was seen unable to see.
	Spells map[string][]Spell
}

// Camera is a camera as the gateway patrols it.
type Camera struct {
	ID       string         `json:"id"`
	Interval float64        `json:"interval_now_seconds"`
	State    streams.State  `json:"state"`
	Reason   streams.Reason `json:"reason"`
	Since    *time.Time     `json:"since"`
	Zones    []struct {
		ID    string  `json:"id"`
		Dwell float64 `json:"dwell_seconds"`
	} `json:"zones"`
}

// Lead is a lead as far as it matters here.
type Lead struct {
	ID     string `json:"id"`
	Number int64  `json:"number"`
	Kind   string `json:"kind"`
	Camera struct {
		ID string `json:"id"`
	} `json:"camera"`
	Zone struct {
		ID string `json:"id"`
	} `json:"zone"`
	MergedInto string     `json:"merged_into"`
	Began      time.Time  `json:"began_at"`
	Ended      *time.Time `json:"ended_at"`
	Canary     bool       `json:"canary"`
}

// Suppression is a condition that was not shown as a lead of its own.
type Suppression struct {
	ID    string    `json:"id"`
	By    string    `json:"by"`
	Kind  string    `json:"kind"`
	Began time.Time `json:"began_at"`
	Lead  string    `json:"lead"`
	Key   struct {
		Camera string `json:"camera"`
		Zone   string `json:"zone"`
	} `json:"source"`
}

// Spell is a time in which a camera could not see; a zero end has not come.
type Spell struct {
	Reason     streams.Reason
	Begin, End time.Time
}

// Options say what is fair.
type Options struct {
	// Now is when the record was read.
	Now time.Time
	// GOP is the time between the key units of the cameras, and Slack what
	// analysing and telling may take.
	GOP, Slack time.Duration
	// Settle is how long after the end of one happening the next one may still
	// be its condition.
	Settle time.Duration
}

// Row is a happening and its fate.
type Row struct {
	Entry play.Entry `json:"happening"`
	Fate  Fate       `json:"fate"`
	// By is the rule, the reason or the number of the lead.
	By string `json:"by,omitempty"`
	// Lead is the lead's ID, where it has one.
	Lead string `json:"lead,omitempty"`
	// Why says in words what is unexplained.
	Why string `json:"why,omitempty"`
}

// Report accounts for a city.
type Report struct {
	Rows  []Row        `json:"rows"`
	Fates map[Fate]int `json:"fates"`
	// MadeUp are leads and suppressions without a happening.
	MadeUp []string `json:"made_up"`
	Leads  int      `json:"leads"`
	// Outages are leads about cameras that failed, as they did.
	Outages int `json:"outages"`
}

// Unexplained counts what has no explanation.
func (r Report) Unexplained() int { return r.Fates[Unexplained] + len(r.MadeUp) }

// auditor matches one record with one ledger.
type auditor struct {
	o       Options
	rec     Record
	cameras map[string]Camera
	leads   map[string][]Lead        // by camera
	kept    map[string][]Suppression // by camera
	claimed map[string]bool          // IDs of leads and suppressions
	before  map[string]time.Time     // ends of happenings, by camera and zone
}

// Audit gives every entry of a ledger its fate.
func Audit(ledger []play.Entry, rec Record, o Options) Report {
	a := &auditor{
		o: o, rec: rec, cameras: map[string]Camera{}, leads: map[string][]Lead{}, kept: map[string][]Suppression{},
		claimed: map[string]bool{}, before: map[string]time.Time{},
	}
	for _, c := range rec.Cameras {
		a.cameras[c.ID] = c
	}
	report := Report{Fates: map[Fate]int{}}
	for _, l := range rec.Leads {
		switch {
		case l.Canary:
		case l.Kind == cameraFail:
			report.Outages++
			if !a.blindAt(l.Camera.ID, l.Began.Add(-o.Slack), l.Began.Add(o.Slack)) {
				report.MadeUp = append(report.MadeUp, fmt.Sprintf("lead %d says camera %s failed, which was seen well", l.Number, l.Camera.ID))
			}
		default:
			report.Leads++
			a.leads[l.Camera.ID] = append(a.leads[l.Camera.ID], l)
		}
	}
	for _, s := range rec.Suppressions {
		a.kept[s.Key.Camera] = append(a.kept[s.Key.Camera], s)
	}
	ledger = slices.Clone(ledger)
	slices.SortStableFunc(ledger, func(a, b play.Entry) int { return a.Begin.Compare(b.Begin) })
	for _, e := range ledger {
		row := a.judge(e)
		report.Rows = append(report.Rows, row)
		report.Fates[row.Fate]++
	}
	report.MadeUp = append(report.MadeUp, a.unclaimed()...)
	return report
}

func (a *auditor) judge(e play.Entry) Row {
	if e.Kind.Befalls() != "scene" {
		return a.judgeFault(e)
	}
	row := Row{Entry: e}
	end := e.End
	if end.IsZero() {
		end = a.o.Now
	}
	look := time.Duration(a.cameras[e.Camera].Interval*float64(time.Second)) + a.o.GOP
	due := e.Begin.Add(a.dwell(e) + 2*look + a.o.Slack)
	place := e.Camera + "\x00" + e.Zone
	before, again := a.before[place]
	a.before[place] = end
	// The city's moment is when the thing is in the zone as a whole; the first
	// part of it may be seen a GOP earlier.
	from, to := e.Begin.Add(-a.o.GOP-a.o.Slack), end.Add(a.o.GOP+a.o.Slack)

	var mine []Lead
	for _, l := range a.leads[e.Camera] {
		if l.Zone.ID == e.Zone && l.Kind == string(e.Kind) && !a.claimed[l.ID] && !l.Began.Before(from) && !l.Began.After(to) {
			mine = append(mine, l)
			a.claimed[l.ID] = true
		}
	}
	var kept []Suppression
	for _, s := range a.kept[e.Camera] {
		if s.Key.Zone == e.Zone && s.Kind == string(e.Kind) && !a.claimed[s.ID] && !s.Began.Before(from) && !s.Began.After(to) {
			kept = append(kept, s)
			a.claimed[s.ID] = true
		}
	}
	switch {
	case len(mine) > 1:
		row.Fate = Unexplained
		row.Why = fmt.Sprintf("%d leads for one happening: %s", len(mine), numbers(mine))
	case len(mine) == 1:
		row.Fate, row.By, row.Lead = Led, fmt.Sprint("lead ", mine[0].Number), mine[0].ID
		if mine[0].MergedInto != "" {
			row.Fate, row.By = Merged, mine[0].MergedInto
		}
	case len(kept) > 0:
		row.Fate, row.By = Suppressed, kept[0].By
		if kept[0].By == shelvedBy {
			row.Fate = Shelved
		}
	default:
		row.Fate, row.By, row.Why = a.without(e, end, due, again && e.Begin.Sub(before) < a.o.Settle)
	}
	return row
}

// without explains a happening that began no condition.
func (a *auditor) without(e play.Entry, end, due time.Time, again bool) (Fate, string, string) {
	if again {
		for _, l := range a.leads[e.Camera] {
			if l.Zone.ID == e.Zone && l.Kind == string(e.Kind) && l.Began.Before(e.Begin) && (l.Ended == nil || l.Ended.After(e.Begin)) {
				return Joined, fmt.Sprint("lead ", l.Number), ""
			}
		}
	}
	for _, s := range a.rec.Spells[e.Camera] {
		if !s.Begin.Before(end) || !s.End.IsZero() && !s.End.After(e.Begin) {
			continue
		}
		if s.Reason == streams.ReasonBudget || s.Reason == streams.ReasonMemory {
			return Shed, string(s.Reason), ""
		}
		return Blind, cmp.Or(string(s.Reason), "unknown"), ""
	}
	switch {
	case due.After(a.o.Now):
		return Open, "", ""
	case due.After(end):
		return Brief, "", ""
	}
	return Unexplained, "", fmt.Sprintf("no lead, no rule that kept it back, and its camera saw; it was due at %s", due.UTC().Format(time.TimeOnly))
}

// reasons are what a gateway may say of a fault that is not of the catalogue.
var reasons = map[play.Kind][]streams.Reason{
	play.Frozen: {streams.ReasonFrozen}, play.Covered: {streams.ReasonCovered}, play.Dark: {streams.ReasonDark},
	play.Offline: {streams.ReasonUnreachable, streams.ReasonClosed, streams.ReasonTimeout},
	play.Silent:  {streams.ReasonStalled},
	// A refused login while another session plays with it means no session left.
	play.WrongPassword: {streams.ReasonAuth, streams.ReasonSessionLimit},
	play.NoConnections: {streams.ReasonSessionLimit},
	play.HTTPServer:    {streams.ReasonNotRTSP},
	play.CorruptH264:   {streams.ReasonCorrupt},
}

func wanted(k play.Kind) []streams.Reason {
	if all, ok := reasons[k]; ok {
		return all
	}
	f, _ := hostile.Find(strings.TrimPrefix(string(k), "fault:"))
	return f.Reasons
}

func (a *auditor) judgeFault(e play.Entry) Row {
	row := Row{Entry: e}
	end := e.End
	if end.IsZero() {
		end = a.o.Now
	}
	look := time.Duration(a.cameras[e.Camera].Interval*float64(time.Second)) + a.o.GOP
	late := end.Add(2*look + a.o.Slack)
	want := wanted(e.Kind)
	bears := len(want) == 0 || slices.Contains(want, streams.ReasonNone)
	var other []string
	for _, s := range a.rec.Spells[e.Camera] {
		switch {
		case !s.Begin.Before(late) || !s.End.IsZero() && !s.End.After(e.Begin):
		case slices.Contains(want, s.Reason):
			row.Fate, row.By = Blind, string(s.Reason)
			return row
		case s.Reason == streams.ReasonBudget:
			row.Fate, row.By = Shed, string(s.Reason)
		default:
			other = append(other, string(s.Reason))
		}
	}
	due := e.Begin.Add(2*look + a.o.Slack)
	switch {
	case row.Fate != "":
	case bears && len(other) == 0:
		row.Fate = Borne
	case due.After(a.o.Now):
		row.Fate = Open
	case due.After(end):
		row.Fate = Brief
	case len(other) > 0:
		row.Fate, row.Why = Unexplained, fmt.Sprintf("the camera was %s, want %v", strings.Join(other, ", "), want)
	default:
		row.Fate, row.Why = Unexplained, fmt.Sprintf("the camera never showed it, want %v", want)
	}
	return row
}

func (a *auditor) dwell(e play.Entry) time.Duration {
	for _, z := range a.cameras[e.Camera].Zones {
		if z.ID == e.Zone {
			return time.Duration(z.Dwell * float64(time.Second))
		}
	}
	return 0
}

func (a *auditor) blindAt(camera string, from, to time.Time) bool {
	return slices.ContainsFunc(a.rec.Spells[camera], func(s Spell) bool {
		return s.Begin.Before(to) && (s.End.IsZero() || s.End.After(from))
	})
}

// unclaimed lists the leads and suppressions that no happening explains.
func (a *auditor) unclaimed() []string {
	var all []string
	for _, of := range a.leads {
		for _, l := range of {
			if !a.claimed[l.ID] {
				all = append(all, fmt.Sprintf("lead %d (%s, camera %s, zone %s, began %s) has no happening",
					l.Number, l.Kind, l.Camera.ID, l.Zone.ID, l.Began.UTC().Format(time.TimeOnly)))
			}
		}
	}
	for _, s := range a.rec.Suppressions {
		// Where a lead came of it after all, that one is asked for.
		if !a.claimed[s.ID] && s.Lead == "" {
			all = append(all, fmt.Sprintf("a condition that the rule %s kept back (%s, camera %s, zone %s, began %s) has no happening",
				s.By, s.Kind, s.Key.Camera, s.Key.Zone, s.Began.UTC().Format(time.TimeOnly)))
		}
	}
	slices.Sort(all)
	return all
}

func numbers(leads []Lead) string {
	var all []string
	for _, l := range leads {
		all = append(all, fmt.Sprint(l.Number))
	}
	return strings.Join(all, ", ")
}
