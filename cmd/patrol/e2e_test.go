package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/cmd/citysim/audit"
	"videopatrol/cmd/citysim/play"
	"videopatrol/streams"
	"videopatrol/wall"
)

const (
	gop   = 2 * time.Second
	slack = 2 * time.Second
)

// auditor is 'citysim audit', which follows the gateway until it is asked.
type auditor struct {
	r   *rig
	cmd *exec.Cmd
	out bytes.Buffer
	err bytes.Buffer
}

func (r *rig) follow() *auditor {
	r.t.Helper()
	a := &auditor{r: r, cmd: exec.Command(filepath.Join(bin, "citysim"), "audit",
		"--ledger", r.path("ledger.jsonl"), "--server", r.wall, "--token-file", r.path("data/admin.token"), "--slack", slack.String(), "-o", "json")}
	a.cmd.Stdout, a.cmd.Stderr = &a.out, &a.err
	if err := a.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = a.cmd.Process.Kill() })
	return a
}

// report is what became of everything until now. Anything unexplained fails
// the test.
func (a *auditor) report() audit.Report {
	a.r.t.Helper()
	_ = a.cmd.Process.Signal(syscall.SIGINT)
	err := a.cmd.Wait()
	var report audit.Report
	if e := json.Unmarshal(a.out.Bytes(), &report); e != nil {
		a.r.t.Fatalf("citysim audit: %v, %v\n%s", err, e, a.err.String())
	}
	for _, row := range report.Rows {
		if row.Fate == audit.Unexplained {
			a.r.t.Errorf("%s at camera %s from %s: %s", row.Entry.Kind, row.Entry.Camera, clock(row.Entry.Begin), row.Why)
		}
	}
	for _, why := range report.MadeUp {
		a.r.t.Error(why)
	}
	if (err == nil) != (report.Unexplained() == 0) {
		a.r.t.Errorf("citysim audit ended with %v, %d unexplained", err, report.Unexplained())
	}
	a.r.t.Logf("%d happenings and faults: %v", len(report.Rows), report.Fates)
	return report
}

// chance is a script of seven cameras by chance: two happenings before each of
// five, a fault of the picture and one of the connection. Two more stay quiet.
func chance(seed int64) string {
	r := rand.New(rand.NewPCG(uint64(seed), 0)) //nolint:gosec // chance for a test
	between := func(from, to int) int { return from + r.IntN(to-from) }
	faulty := r.Perm(7)[:2]
	faults := []string{
		[]string{"frozen", "covered", "dark"}[r.IntN(3)],
		[]string{"offline", "silent", "http_server", "corrupt_h264"}[r.IntN(4)],
	}
	var rows strings.Builder
	add := func(camera int, kind string, after, lasts int) {
		fmt.Fprintf(&rows, "- {camera: %d, kind: %s, after: %ds, for: %ds}\n", camera, kind, after, lasts)
	}
	for camera := range 7 {
		switch n := slices.Index(faulty, camera); {
		case n >= 0:
			add(camera, faults[n], between(50, 60), between(30, 45))
		case camera%2 == 0:
			add(camera, "fire_lane_blocked", between(50, 60), between(46, 60))
		default:
			add(camera, "intrusion", between(50, 55), between(12, 20))
			add(camera, "intrusion", between(110, 120), between(12, 20))
		}
	}
	return rows.String()
}

// TestEndToEnd is the whole road: a city's cameras by RTSP, pictures decoded
// and judged in workers, leads by a signed webhook at a desk. The auditor shows
// that every happening of the city's ledger is exactly one lead, in time, every
// fault the camera's reason, and that quiet scenes raise nothing.
func TestEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	const interval = 2 * time.Second
	seed := someSeed()
	t.Logf("seed %d; again with -seed %d", seed, seed)
	script := chance(seed)
	r := newRig(t, rigOptions{cameras: 9, interval: interval, script: script})
	r.until(40*time.Second, "every camera online", func() bool {
		return !slices.ContainsFunc(r.allCameras(), func(c wall.CameraView) bool { return c.State != streams.StateOnline })
	})
	auditor := r.follow()
	r.until(150*time.Second, "every happening over", func() bool {
		rows := r.ledger()
		return len(rows) == strings.Count(script, "kind:") && !slices.ContainsFunc(rows, func(h happening) bool { return h.End == nil })
	})
	r.until(20*time.Second, "every condition ended", func() bool {
		return !slices.ContainsFunc(r.allLeads(), func(l alerts.Lead) bool { return l.EndedAt == nil })
	})
	report := auditor.report()
	if faults := 2; report.Fates[audit.Blind] != faults || report.Fates[audit.Led] != len(report.Rows)-faults {
		t.Errorf("fates %v, want %d blind and the others leads", report.Fates, faults)
	}
	r.check(report, interval)
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

// check looks at every lead that the auditor found a happening for: it came in
// time, from the right place, with a picture, and the desk was told.
func (r *rig) check(report audit.Report, interval time.Duration) {
	r.t.Helper()
	for _, why := range r.desk.refused() {
		r.t.Errorf("the desk refused: %s", why)
	}
	cameras := map[string]wall.CameraView{}
	for _, c := range r.allCameras() {
		cameras[c.ID] = c
	}
	leads, told := map[string]alerts.Lead{}, r.desk.raised()
	for _, l := range r.allLeads() {
		leads[l.ID] = l
	}
	if len(leads) != len(told) {
		r.t.Errorf("%d leads in the record, %d told to the desk", len(leads), len(told))
	}
	for _, row := range report.Rows {
		if row.Fate != audit.Led {
			continue
		}
		l, h := leads[row.Lead], row.Entry
		dwell := time.Duration(0)
		if h.Kind == play.FireLaneBlocked {
			dwell = 20 * time.Second // the city's zones
		}
		if took, most := l.RaisedAt.Sub(h.Begin), dwell+2*(interval+gop)+slack; took > most {
			r.t.Errorf("lead %d (%s) came %s after its happening began, want at most %s", l.Number, l.Kind, took, most)
		}
		r.checkPlace(l, cameras[h.Camera])
		if len(l.Evidence) == 0 {
			r.t.Errorf("lead %d has no picture", l.Number)
		}
		r.t.Logf("%-18s camera %s: lead after %5.1f s", h.Kind, h.Camera, l.RaisedAt.Sub(h.Begin).Seconds())
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

// someSeed is the one that was asked for, or the clock's.
func someSeed() int64 {
	if *seedFlag != 0 {
		return *seedFlag
	}
	return time.Now().Unix()
}

func clock(t time.Time) string { return t.Local().Format("15:04:05.0") }

// TestSoak is TestEndToEnd with a random script for as long as -soak says.
func TestSoak(t *testing.T) {
	if *soakTime == 0 {
		t.Skip("run it by 'make soak'")
	}
	t.Parallel()
	seed := someSeed()
	t.Logf("seed %d; again with -seed %d", seed, seed)
	const interval = 2 * time.Second
	r := newRig(t, rigOptions{cameras: 40, interval: interval, script: "random:" + strconv.FormatInt(seed, 10), seed: seed})
	auditor := r.follow()
	select {
	case <-time.After(*soakTime):
	case <-r.gateway.done:
		t.Fatal("the gateway ended")
	}
	r.check(auditor.report(), interval)
}
