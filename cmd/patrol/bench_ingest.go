package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

type ingestOptions struct {
	benchFlags
	cameras            []int
	modes              []string
	interval, duration time.Duration
	decode             bool
	floor              bool
	baselines          int
	baselineTime       time.Duration
	firstKey           string
	veth               bool
}

func newBenchIngest() *cobra.Command {
	var o ingestOptions
	cmd := &cobra.Command{
		Use: "ingest", Short: "Measure what patrolling costs per camera, and what the usual ways cost", Args: noArgs,
		Long: `Measure what patrolling costs per camera.

For each number of cameras and each mode a simulated city plays and the gateway
patrols it: processor time (user and system) of the gateway, its workers, the
city and the whole machine, memory and what the kernel holds for its sockets,
system calls, network, and the age of the newest pictures. --decode=false runs
the patrol alone, in a process of its own whose samples nobody looks at.

Beside it, in the same run: the floor, a process that shakes hands, then reads
the sockets in the same steps and throws the bytes away; and what users would
pick, one ffmpeg process per camera, decoding key frames, or all frames to five
a second. --veth puts the city behind a virtual line with packets of at most
1500 bytes; on loopback the sender pays for receiving.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			r, err := benchIngest(cmd.Context(), cmd.ErrOrStderr(), o)
			if err != nil {
				return err
			}
			return r.deliver(cmd.OutOrStdout(), o.output)
		},
	}
	o.add(cmd)
	f := cmd.Flags()
	f.IntSliceVar(&o.cameras, "cameras", []int{100}, "numbers of cameras, one run for each")
	f.StringSliceVar(&o.modes, "mode", []string{"auto"}, "how the gateway patrols, one run for each: auto, resident, visit")
	f.DurationVar(&o.interval, "interval", 10*time.Second, "time between samples of a camera")
	f.DurationVar(&o.duration, "duration", 30*time.Second, "how long to measure each run")
	f.BoolVar(&o.decode, "decode", true, "look at the samples, as a gateway does; false measures the patrol alone")
	f.BoolVar(&o.floor, "floor", true, "measure the floor with the same cameras")
	f.IntVar(&o.baselines, "baselines", 20, "how many cameras the ffmpeg baselines watch; 0 leaves them out")
	f.DurationVar(&o.baselineTime, "baseline-time", 20*time.Second, "how long to measure each baseline")
	f.StringVar(&o.firstKey, "first-key", "gop", "what cameras send first: a key unit (now), or from a random moment of the GOP (gop)")
	f.BoolVar(&o.veth, "veth", false, "put the city behind a virtual line with an MTU of 1500 (root)")
	return cmd
}

func (o *ingestOptions) check() error {
	if err := checkModes(o.modes...); err != nil {
		return err
	}
	switch {
	case len(o.cameras) == 0 || slices.Min(o.cameras) < 1:
		return usageError{errors.New("want at least 1 camera")}
	case o.duration < 5*time.Second || o.interval < time.Second || o.baselineTime < time.Second:
		return usageError{errors.New("want a duration of 5s, an interval of 1s and a baseline time of 1s, or longer")}
	case o.baselines < 0:
		return usageError{errors.New("--baselines must not be negative")}
	}
	return o.benchFlags.check()
}

// ingestRow is what one run measured: processor time in milliseconds per
// camera and second, memory in bytes of the whole.
type ingestRow struct {
	Run     string `json:"run"` // full, ingest or floor
	Mode    string `json:"mode,omitempty"`
	Cameras int    `json:"cameras"`
	Sampled int    `json:"cameras_sampled"`

	CPU        float64 `json:"cpu_ms"` // of the gateway, or the child in its place
	WorkersCPU float64 `json:"workers_cpu_ms"`
	CityCPU    float64 `json:"city_cpu_ms"`
	MachineCPU float64 `json:"machine_cpu_ms"`
	OverFloor  float64 `json:"over_floor,omitempty"`

	PSS        int64 `json:"pss_bytes"`
	WorkersPSS int64 `json:"workers_pss_bytes"`
	Sockets    int64 `json:"socket_buffers_bytes"`

	Syscalls    float64 `json:"syscalls"` // per camera and second
	SyscallsHow string  `json:"syscalls_counted"`
	Switches    float64 `json:"context_switches"`
	Kbits       float64 `json:"received_kbits"` // per camera

	Visits      float64 `json:"visits_per_second,omitempty"`
	VisitCPU    float64 `json:"cpu_ms_per_visit,omitempty"`
	VisitsBad   float64 `json:"visits_failed_per_second,omitempty"`
	AgeP50      float64 `json:"sample_age_p50_seconds"`
	AgeP99      float64 `json:"sample_age_p99_seconds"`
	AgeMax      float64 `json:"sample_age_max_seconds"`
	AgesCounted int     `json:"ages_read"`
}

// memory is what a run holds, socket buffers included.
func (r ingestRow) memory() int64 { return r.PSS + r.Sockets }

// ingestFigures is what all runs of one bench measured.
type ingestFigures struct {
	Interval float64       `json:"interval_seconds"`
	Duration float64       `json:"duration_seconds"`
	Line     string        `json:"line"`
	Rows     []ingestRow   `json:"rows"`
	Usual    []baselineRow `json:"baselines,omitempty"`
	Growth   []growth      `json:"memory_growth,omitempty"`
	// Times says how many times as much the last baseline costs as the full
	// patrol of the most cameras.
	Times float64 `json:"times_less_than_ffmpeg,omitempty"`
}

// growth is what one more camera adds to the memory of a run.
type growth struct {
	Run       string `json:"run"`
	Mode      string `json:"mode"`
	From      int    `json:"from_cameras"`
	To        int    `json:"to_cameras"`
	PerCamera int64  `json:"bytes_per_camera"`
}

func benchIngest(ctx context.Context, stderr io.Writer, o ingestOptions) (benchReport, error) {
	f := &ingestFigures{Interval: o.interval.Seconds(), Duration: o.duration.Seconds(), Line: "loopback"}
	report := benchReport{Command: "patrol bench ingest", Machine: thisMachine(o.seed), Figures: f}
	var line *veth
	if o.veth {
		var err error
		if line, err = newVeth(ctx); err != nil {
			return report, err
		}
		defer line.remove()
		f.Line = "veth, MTU " + vethMTU + ", one segment a packet"
	}
	for _, n := range o.cameras {
		if err := o.sweep(ctx, stderr, line, n, f); err != nil {
			return report, fmt.Errorf("%d cameras: %w", n, err)
		}
	}
	if o.baselines > 0 {
		if err := o.usual(ctx, stderr, line, f); err != nil {
			return report, err
		}
	}
	f.conclude()
	report.Bounds, report.tables = f.bounds(), f.tables()
	return report, nil
}

// sweep runs every mode, and the floor, over one number of cameras.
func (o *ingestOptions) sweep(ctx context.Context, stderr io.Writer, line *veth, n int, f *ingestFigures) error {
	c, err := startBenchCity(ctx, stderr, o.cityOf(n, line))
	if err != nil {
		return err
	}
	defer c.Stop()
	floor := 0.0
	if o.floor {
		row, err := o.runFloor(ctx, stderr, c)
		if err != nil {
			return err
		}
		f.Rows, floor = append(f.Rows, row), row.CPU
	}
	for _, mode := range o.modes {
		row, err := o.run(ctx, stderr, c, mode, line)
		if err != nil {
			return fmt.Errorf("mode %s: %w", mode, err)
		}
		if floor > 0 && mode == "resident" {
			row.OverFloor = row.CPU / floor
		}
		f.Rows = append(f.Rows, row)
	}
	return nil
}

func (o *ingestOptions) cityOf(n int, line *veth) cityOptions {
	hosts := o.hostsFor(n)
	if line != nil {
		hosts = 1
	}
	return cityOptions{cameras: n, hosts: hosts, seed: o.seed, interval: o.interval, away: line, args: []string{"--first-key", o.firstKey}}
}

func (o *ingestOptions) runFloor(ctx context.Context, stderr io.Writer, c *city) (ingestRow, error) {
	dir, remove, err := benchDir()
	if err != nil {
		return ingestRow{}, err
	}
	defer remove()
	p, err := startMeasured(ctx, stderr, c, dir, "floor")
	if err != nil {
		return ingestRow{}, err
	}
	defer p.Stop()
	fmt.Fprintf(stderr, "%d cameras, the floor: measuring for %s …\n", c.cameras, o.duration)
	if err := rest(ctx, 5*time.Second); err != nil {
		return ingestRow{}, err
	}
	return o.measured(ctx, watched{pid: p.cmd.Process.Pid, city: c}, ingestRow{Run: "floor", Mode: "resident", Cameras: c.cameras, Sampled: c.cameras})
}

// startMeasured starts a measuring child of this program over a city.
func startMeasured(ctx context.Context, stderr io.Writer, c *city, dir, name string, args ...string) (*child, error) {
	file, err := writeInventory(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startChild(ctx, stderr, self, append([]string{"bench", name, "--inventory", file}, args...)...)
}

// run patrols the city in one mode.
func (o *ingestOptions) run(ctx context.Context, stderr io.Writer, c *city, mode string, line *veth) (ingestRow, error) {
	dir, remove, err := benchDir()
	if err != nil {
		return ingestRow{}, err
	}
	defer remove()
	row := ingestRow{Run: "full", Mode: mode, Cameras: c.cameras}
	var w watched
	begin := time.Now()
	if o.decode {
		g, err := startGateway(ctx, stderr, dir, gatewayOptions{mode: mode, oneHost: line != nil, often: float64(c.cameras) / o.interval.Seconds()})
		if err != nil {
			return row, err
		}
		defer g.Stop()
		if begin, err = g.importCity(ctx, c); err != nil {
			return row, err
		}
		w = watched{pid: g.cmd.Process.Pid, metrics: g.scraper, city: c}
	} else {
		row.Run = "ingest"
		p, err := startMeasured(ctx, stderr, c, dir, "session", "--mode", mode, fmt.Sprintf("--one-host=%t", line != nil))
		if err != nil {
			return row, err
		}
		defer p.Stop()
		address, _ := p.Ready["metrics"].(string)
		w = watched{pid: p.cmd.Process.Pid, metrics: newScraper(address), city: c}
	}
	a, err := w.metrics.arrivals(ctx, c.cameras, begin, 2*time.Minute+2*o.interval, nil)
	if err != nil {
		return row, err
	}
	if row.Sampled = a.Sampled; a.Sampled == 0 {
		return row, errNoPictures
	}
	fmt.Fprintf(stderr, "%d cameras, %s %s: %d sampled; measuring for %s …\n", c.cameras, row.Run, mode, a.Sampled, o.duration)
	if err := rest(ctx, min(o.interval, 10*time.Second)); err != nil {
		return row, err
	}
	return o.measured(ctx, w, row)
}

// measured fills a row with what a window shows.
func (o *ingestOptions) measured(ctx context.Context, w watched, row ingestRow) (ingestRow, error) {
	v, err := w.measure(ctx, o.duration)
	if err != nil {
		return row, err
	}
	n, span := row.Cameras, v.span.Seconds()
	row.CPU, row.WorkersCPU = v.perCamera(v.parent.CPU, n), v.perCamera(v.workers.CPU, n)
	row.CityCPU, row.MachineCPU = v.perCamera(v.city, n), v.perCamera(v.machine, n)
	row.PSS, row.WorkersPSS, row.Sockets = v.parent.PSS, v.workers.PSS, v.sockets
	row.Switches = float64(v.parent.Switches) / span / float64(n)
	row.Kbits = v.received * 8 / 1e3 / span / float64(n)
	if w.metrics == nil {
		row.Kbits = float64(v.sent) * 8 / 1e3 / span / float64(n)
	}
	row.Visits, row.VisitsBad = v.visits/span, v.failed/span
	if v.visits > 0 && row.Mode == "visit" {
		row.VisitCPU = v.parent.CPU.Seconds() * 1e3 / v.visits
	}
	row.AgeP50, row.AgeP99, row.AgeMax, row.AgesCounted = v.age(0.5), v.age(0.99), v.age(1), len(v.ages)
	calls, how := syscalls(ctx, w.pid)
	row.Syscalls, row.SyscallsHow = calls/float64(n), how
	return row, nil
}

// usual measures the baselines over a city of their own.
func (o *ingestOptions) usual(ctx context.Context, stderr io.Writer, line *veth, f *ingestFigures) error {
	c, err := startBenchCity(ctx, stderr, o.cityOf(o.baselines, line))
	if err != nil {
		return err
	}
	defer c.Stop()
	dir, remove, err := benchDir()
	if err != nil {
		return err
	}
	defer remove()
	file, err := writeInventory(ctx, c, dir)
	if err != nil {
		return err
	}
	for _, b := range baselines {
		row, err := b.run(ctx, stderr, file, o.baselineTime)
		if err != nil {
			return err
		}
		f.Usual = append(f.Usual, row)
	}
	return nil
}
