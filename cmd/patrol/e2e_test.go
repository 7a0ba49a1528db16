package main_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/streams"
	"videopatrol/wall"
)

const (
	gop   = 2 * time.Second
	slack = 2 * time.Second
)

// faults are the kinds of the ledger that are no leads, and what the camera
// must show for each.
var faults = map[string][]streams.Reason{
	"frozen":  {streams.ReasonFrozen},
	"covered": {streams.ReasonCovered},
	"dark":    {streams.ReasonDark},

	"offline": {streams.ReasonUnreachable, streams.ReasonClosed, streams.ReasonTimeout},
	"silent":  {streams.ReasonStalled},
	// A refused login while another session plays with it means no session left.
	"wrong_password": {streams.ReasonAuth, streams.ReasonSessionLimit},
	"no_connections": {streams.ReasonSessionLimit},
	"http_server":    {streams.ReasonNotRTSP},
	"corrupt_h264":   {streams.ReasonCorrupt},
}

// watcher records which reasons each camera has shown, and when first.
type watcher struct {
	mu   sync.Mutex
	seen map[string]map[streams.Reason][]time.Time
	stop chan struct{}
	done chan struct{}
}

func (r *rig) watch() *watcher {
	w := &watcher{seen: map[string]map[streams.Reason][]time.Time{}, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			var list struct {
				Cameras []struct {
					ID     string         `json:"id"`
					Reason streams.Reason `json:"reason"`
				} `json:"cameras"`
			}
			if code, err := r.try(http.MethodGet, "/cameras?limit=500", nil, &list); err == nil && code == http.StatusOK {
				w.mu.Lock()
				for _, c := range list.Cameras {
					if w.seen[c.ID] == nil {
						w.seen[c.ID] = map[streams.Reason][]time.Time{}
					}
					w.seen[c.ID][c.Reason] = append(w.seen[c.ID][c.Reason], time.Now())
				}
				w.mu.Unlock()
			}
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

func (w *watcher) end() {
	close(w.stop)
	<-w.done
}

// showed tells whether a camera showed a reason between two moments.
func (w *watcher) showed(camera string, reason streams.Reason, from, to time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.seen[camera][reason], func(at time.Time) bool { return at.After(from) && at.Before(to) })
}

// script exercises every kind of happening and fault of this version, some
// cameras twice, and leaves the last two cameras quiet.
const script = `
- {camera: 0, kind: fire_lane_blocked, after: 50s, for: 50s}
- {camera: 1, kind: intrusion, after: 50s, for: 20s}
- {camera: 1, kind: intrusion, after: 100s, for: 16s}
- {camera: 2, kind: fire_lane_blocked, after: 56s, for: 46s}
- {camera: 3, kind: intrusion, after: 64s, for: 12s}
- {camera: 4, kind: frozen, after: 50s, for: 40s}
- {camera: 5, kind: covered, after: 54s, for: 30s}
- {camera: 6, kind: dark, after: 58s, for: 30s}
`

// TestEndToEnd is the whole road: a city's cameras by RTSP, pictures decoded
// and judged in workers, leads by a signed webhook at a desk. Every happening
// of the city's ledger is exactly one lead, in time; every fault of a scene is
// the camera's reason; quiet scenes raise nothing.
func TestEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	const interval = 2 * time.Second
	r := newRig(t, rigOptions{cameras: 9, interval: interval, script: script})
	r.until(40*time.Second, "every camera online", func() bool {
		return !slices.ContainsFunc(r.allCameras(), func(c wall.CameraView) bool { return c.State != streams.StateOnline })
	})
	w := r.watch()
	r.until(150*time.Second, "every happening over", func() bool {
		rows := r.ledger()
		return len(rows) == strings.Count(script, "kind:") && !slices.ContainsFunc(rows, func(h happening) bool { return h.End == nil })
	})
	r.until(20*time.Second, "every condition ended", func() bool {
		return !slices.ContainsFunc(r.allLeads(), func(l alerts.Lead) bool { return l.EndedAt == nil })
	})
	w.end()
	r.audit(w, r.ledger(), interval)
	r.handle(r.allLeads()[0])
	r.checkMetrics()
	var c wall.CoverageReport
	r.person(http.MethodGet, "/coverage?by=reason", nil, &c)
	if n := c.Total.Watched + c.Total.Blind; n == 0 || n%9 != 0 || c.Total.Excused != 0 {
		t.Errorf("nine cameras were watched for %d and blind for %d minutes: %v", c.Total.Watched, c.Total.Blind, c.Total.Reasons)
	}
}

// handle is an officer's work on one lead: accept, take back, accept, dispatch.
// The desk hears each step, signed, and of the order; two who press at once
// are told who was first.
func (r *rig) handle(l alerts.Lead) {
	r.t.Helper()
	path := "/leads/" + l.ID + "/transitions"
	stale := wall.TransitionRequest{To: alerts.LeadRejected, Reason: "nuisance", Version: l.Version}
	for _, ask := range []wall.TransitionRequest{
		{To: alerts.LeadAccepted}, {To: alerts.LeadRaised}, {To: alerts.LeadAccepted}, {To: alerts.LeadDispatched, Departments: []string{"fire", "police"}},
	} {
		ask.Version = l.Version
		r.person(http.MethodPost, path, ask, &l)
	}
	if code, err := r.try(http.MethodPost, path, stale, nil); code != http.StatusConflict {
		r.t.Errorf("a stale version got %d %v, want 409", code, err)
	}
	if len(l.Orders) != 2 || l.State != alerts.LeadDispatched {
		r.t.Errorf("the dispatched lead is %s with %d orders", l.State, len(l.Orders))
	}
	r.until(20*time.Second, "the desk hears of every step", func() bool {
		return slices.Equal(r.desk.steps(l.ID), []string{"raised", "accepted", "raised", "accepted", "dispatched"})
	})
}

// audit compares the city's ledger with the leads and the camera states.
func (r *rig) audit(w *watcher, ledger []happening, interval time.Duration) {
	r.t.Helper()
	for _, why := range r.desk.refused() {
		r.t.Errorf("the desk refused: %s", why)
	}
	cameras := map[string]wall.CameraView{}
	for _, c := range r.allCameras() {
		cameras[c.ID] = c
	}
	leads, told := r.allLeads(), r.desk.raised()
	if len(leads) != len(told) {
		r.t.Errorf("%d leads in the record, %d told to the desk", len(leads), len(told))
	}
	used := map[string]bool{}
	for _, h := range ledger {
		over := h.End != nil
		if !over { // still on when the test ends: its lead may be there or not
			now := time.Now()
			h.End = &now
		}
		if reasons := faults[h.Kind]; reasons != nil {
			if over && !slices.ContainsFunc(reasons, func(reason streams.Reason) bool {
				return w.showed(h.Camera, reason, h.Begin, h.End.Add(2*(interval+gop)+slack))
			}) {
				r.t.Errorf("camera %s was %s from %s to %s and never showed it", h.Camera, h.Kind, clock(h.Begin), clock(*h.End))
			}
			continue
		}
		dwell := time.Duration(0)
		if h.Kind == "fire_lane_blocked" {
			dwell = 20 * time.Second // the city's zones
		}
		latest := h.Begin.Add(dwell + 2*(interval+gop) + slack)
		// The city's moment is when the thing is in the zone as a whole; the
		// first part of it may be seen up to a GOP earlier.
		var mine []alerts.Lead
		for _, l := range leads {
			if l.Camera.ID == h.Camera && !used[l.ID] && l.RaisedAt.After(h.Begin.Add(-gop)) && l.RaisedAt.Before(h.End.Add(2*(interval+gop)+slack)) {
				mine = append(mine, l)
			}
		}
		if !over && len(mine) == 0 {
			continue
		}
		if len(mine) != 1 {
			r.t.Errorf("%s at camera %s from %s to %s: %d leads, want 1", h.Kind, h.Camera, clock(h.Begin), clock(*h.End), len(mine))
			continue
		}
		l := mine[0]
		used[l.ID] = true
		if string(l.Kind) != h.Kind || l.Zone.ID != h.Zone {
			r.t.Errorf("lead %d is %s in zone %s, the city says %s in %s", l.Number, l.Kind, l.Zone.ID, h.Kind, h.Zone)
		}
		if l.RaisedAt.After(latest) {
			r.t.Errorf("lead %d (%s) came %s after its happening began, want at most %s", l.Number, l.Kind, l.RaisedAt.Sub(h.Begin), latest.Sub(h.Begin))
		}
		r.checkPlace(l, cameras[h.Camera])
		if len(l.Evidence) == 0 {
			r.t.Errorf("lead %d has no picture", l.Number)
		}
		r.t.Logf("%-18s camera %s: lead after %5.1f s", h.Kind, h.Camera, l.RaisedAt.Sub(h.Begin).Seconds())
	}
	for _, l := range leads {
		if !used[l.ID] {
			r.t.Errorf("lead %d (%s, camera %s, %s, raised %s) has no happening: %s", l.Number, l.Kind, l.Camera.ID, l.Camera.Name, clock(l.RaisedAt), l.Summary.EN)
		}
	}
}

// checkPlace compares a lead's cells with those of the zone in the inventory.
func (r *rig) checkPlace(l alerts.Lead, c wall.CameraView) {
	r.t.Helper()
	for _, z := range c.Zones {
		if z.ID != l.Zone.ID {
			continue
		}
		if n := len(l.Grid); n != 4 || l.Grid[n-1].ID != z.Cell {
			r.t.Errorf("lead %d lies in %v, its zone in %s", l.Number, l.Grid, z.Cell)
		}
		return
	}
	r.t.Errorf("lead %d names zone %s, which camera %s has not", l.Number, l.Zone.ID, c.ID)
}

func clock(t time.Time) string { return t.Local().Format("15:04:05.0") }

// TestSoak is TestEndToEnd with a random script for as long as -soak says.
func TestSoak(t *testing.T) {
	if *soakTime == 0 {
		t.Skip("run it by 'make soak'")
	}
	t.Parallel()
	seed := *soakSeed
	if seed == 0 {
		seed = time.Now().Unix()
	}
	t.Logf("seed %d; again with -seed %d", seed, seed)
	const interval = 2 * time.Second
	r := newRig(t, rigOptions{cameras: 40, interval: interval, script: "random:" + strconv.FormatInt(seed, 10), seed: seed})
	w := r.watch()
	select {
	case <-time.After(*soakTime):
	case <-r.gateway.done:
		t.Fatal("the gateway ended")
	}
	w.end()
	r.audit(w, r.ledger(), interval)
}
