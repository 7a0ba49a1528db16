package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/streams"
	"videopatrol/wall"
)

// TestHostile has cameras that lie and workers that die beside cameras that are
// well: each ends in a named reason, the others' samples go on, no running
// condition ends, and what recovers comes back by itself.
func TestHostile(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	const (
		interval = time.Second
		password = 0 // the index of each camera by what is wrong with it
		webpage  = 1
		corrupt  = 2
		offline  = 3
		lane     = 4 // well, and blocked throughout
		well     = 5
	)
	r := newRig(t, rigOptions{
		cameras: 6, interval: interval,
		script: "- {camera: 4, kind: fire_lane_blocked, after: 25s, for: 150s}\n",
		faults: `
- {camera: 1, kind: http_server, after: 60s, for: 30s}
- {camera: 2, kind: corrupt_h264, after: 60s, for: 30s}
- {camera: 3, kind: offline, after: 60s, for: 30s}
`,
		edit: func(i int, row map[string]string) {
			if i == password {
				row["password"] = "not this one"
			}
		},
	})
	cameras := r.allCameras()
	slices.SortFunc(cameras, func(a, b wall.CameraView) int { return strings.Compare(serial(a.ID), serial(b.ID)) })
	state := func(i int) wall.CameraView {
		var c wall.CameraView
		r.person(http.MethodGet, "/cameras/"+cameras[i].ID, nil, &c)
		return c
	}
	reason := func(i int, want ...streams.Reason) func() bool {
		return func() bool { return slices.Contains(want, state(i).Reason) }
	}
	healthy := func() {
		t.Helper()
		for _, i := range []int{lane, well} {
			c := state(i)
			if c.State != streams.StateOnline || c.PictureAge == nil || *c.PictureAge > (2*(interval+gop)+slack).Seconds() {
				t.Errorf("camera %d suffered: %s %s, picture age %v", i, c.State, c.Reason, c.PictureAge)
			}
		}
	}
	r.until(30*time.Second, "a wrong password is named", reason(password, streams.ReasonAuth))
	if d := state(password).Detail; strings.Contains(d, "not this one") {
		t.Errorf("the detail tells the password: %s", d)
	}
	r.until(80*time.Second, "a lead of the blocked lane", func() bool { return len(r.allLeads()) == 1 })

	r.until(60*time.Second, "a web server is named", reason(webpage, streams.ReasonNotRTSP))
	r.until(30*time.Second, "corrupt pictures are named", reason(corrupt, streams.ReasonCorrupt))
	r.until(30*time.Second, "a dead camera is named", reason(offline, streams.ReasonUnreachable, streams.ReasonClosed, streams.ReasonTimeout))
	healthy()

	// Workers: one killed, one hung.
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		workers := r.workers()
		if len(workers) == 0 {
			t.Fatal("the gateway has no workers")
		}
		for _, pid := range workers {
			if err := syscall.Kill(pid, signal); err != nil {
				t.Fatal(err)
			}
		}
		ended := time.Now()
		r.until(10*time.Second, "new workers", func() bool {
			now := r.workers()
			return len(now) >= len(workers) && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(workers, pid) })
		})
		r.until(2*(interval+gop)+slack, "samples go on", func() bool {
			c := state(well)
			return c.LastSample != nil && c.LastSample.After(ended) && c.State == streams.StateOnline
		})
	}
	for i, what := range map[int]string{webpage: "camera that was a web server", corrupt: "camera with corrupt pictures", offline: "dead camera"} {
		r.until(60*time.Second, "recovery of the "+what, func() bool { return state(i).State == streams.StateOnline })
	}
	healthy()
	leads := r.allLeads()
	if len(leads) != 1 || leads[0].EndedAt != nil || leads[0].State != alerts.LeadRaised {
		t.Errorf("want the one lead of the blocked lane, still running; got %+v", leads)
	}
	if log := r.gateway.log(); strings.Contains(log, "not this one") || strings.Contains(log, "citysim:citysim") {
		t.Error("the log tells a password")
	}
}

// serial is the part of a GB/T 28181 code that counts the city's cameras.
func serial(id string) string { return id[len(id)-6:] }

// workers lists the gateway's worker processes.
func (r *rig) workers() []int {
	r.t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(r.gateway.cmd.Process.Pid) + "/task/*/children")
	if err != nil {
		r.t.Fatal(err)
	}
	var pids []int
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for s := range strings.FieldsSeq(string(b)) {
			pid, err := strconv.Atoi(s)
			if err == nil && !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
