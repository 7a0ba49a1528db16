package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// agePolls is how often the cameras' ages are read in one window: each reading
// costs the gateway some microseconds per camera, which must not be measured.
const agePolls = 4

// window is what a run used of the machine over a span of time.
type window struct {
	span            time.Duration
	parent, workers usage // CPU and calls over the span, memory at its end
	sockets         int64
	city, machine   time.Duration
	sent            int64 // bytes by the city
	received        float64
	visits, failed  float64
	samples         float64
	ages            []float64 // s, sorted
}

// watched is what a window looks at.
type watched struct {
	pid     int
	metrics *scraper // nil for a child that has none
	city    *city
}

// moment is one reading of all of it.
type moment struct {
	at       time.Time
	family   family
	city     usage
	machine  time.Duration
	counters cityCounters
	metrics  families
}

func (w watched) read(ctx context.Context) (m moment, err error) {
	if w.metrics != nil {
		if m.metrics, err = w.metrics.metrics(ctx); err != nil {
			return m, err
		}
	}
	if m.counters, err = w.city.counters(ctx); err != nil {
		return m, err
	}
	if m.city, err = usageOf(w.city.cmd.Process.Pid); err != nil {
		return m, err
	}
	if m.machine, err = machineCPU(); err != nil {
		return m, err
	}
	m.family, err = familyOf(w.pid)
	m.at = time.Now()
	return m, err
}

// measure looks for a while.
func (w watched) measure(ctx context.Context, lasts time.Duration) (window, error) {
	before, err := w.read(ctx)
	if err != nil {
		return window{}, err
	}
	var ages []float64
	for range agePolls {
		if err := rest(ctx, lasts/agePolls); err != nil {
			return window{}, err
		}
		if w.metrics != nil {
			a, err := w.metrics.ages(ctx)
			if err != nil {
				return window{}, err
			}
			ages = append(ages, a...)
		}
	}
	after, err := w.read(ctx)
	if err != nil {
		return window{}, err
	}
	slices.Sort(ages)
	r := window{
		span: after.at.Sub(before.at), parent: after.family.Parent.since(before.family.Parent),
		workers: after.family.workersSince(before.family), sockets: after.family.Sockets,
		city: after.city.CPU - before.city.CPU, machine: after.machine - before.machine,
		sent: after.counters.Bytes - before.counters.Bytes, ages: ages,
	}
	grew := func(name string) float64 { return after.metrics[name] - before.metrics[name] }
	r.received, r.samples = grew("patrol_received_bytes_total"), grew("patrol_samples_total")
	taken, failed := after.metrics.visits("visit")
	takenBefore, failedBefore := before.metrics.visits("visit")
	r.visits, r.failed = taken-takenBefore, failed-failedBefore
	return r, nil
}

// age returns a quantile of the ages, s.
func (w window) age(q float64) float64 {
	if len(w.ages) == 0 {
		return 0
	}
	return w.ages[int(q*float64(len(w.ages)-1))]
}

// perCamera is processor time as milliseconds per camera and second.
func (w window) perCamera(d time.Duration, cameras int) float64 {
	return d.Seconds() * 1e3 / w.span.Seconds() / float64(cameras)
}

// syscalls counts the system calls that a process makes in a second, by perf
// where this machine permits it. It says how it counted.
func syscalls(ctx context.Context, pid int) (perSecond float64, how string) {
	const lasts = 3
	cmd := exec.CommandContext(ctx, "perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", strconv.Itoa(pid), "--", "sleep", strconv.Itoa(lasts)) //nolint:gosec // a number
	var out bytes.Buffer
	cmd.Stderr = &out
	if os.Geteuid() == 0 && cmd.Run() == nil {
		if count, _, ok := strings.Cut(out.String(), ","); ok {
			if n, err := strconv.ParseFloat(count, 64); err == nil {
				return n / lasts, fmt.Sprintf("all calls, by perf for %d s after the window", lasts)
			}
		}
	}
	before, err := usageOf(pid)
	if err != nil || rest(ctx, lasts*time.Second) != nil {
		return 0, "not counted"
	}
	after, err := usageOf(pid)
	if err != nil {
		return 0, "not counted"
	}
	return float64(after.Calls-before.Calls) / lasts, "read and write calls alone, from /proc/PID/io: perf is not permitted"
}
