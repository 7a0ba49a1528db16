package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type faultsOptions struct {
	benchFlags
	cameras         int
	share           float64
	interval, lasts time.Duration
	mode            string
	kinds           []string
}

func newBenchFaults() *cobra.Command {
	var o faultsOptions
	cmd := &cobra.Command{
		Use: "faults", Short: "Let some cameras misbehave, and see whether the others notice", Args: noArgs,
		Long: `Patrol a city twice, without faults and with them.

In the second half a share of the cameras runs one fault of the catalogue after
the other, by chance of the seed. The healthy cameras' samples of both halves are
compared, and the gateway's memory and goroutines are watched. Scenes that stir
hasten no sample here, as the two halves would differ by them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.cameras < 2 || o.interval < time.Second || o.lasts < 5*time.Second || o.share <= 0 || o.share >= 1 {
				return usageError{errors.New("want at least 2 cameras, an interval of 1s, --for 5s and a share between 0 and 1")}
			}
			if err := errors.Join(checkModes(o.mode), o.check()); err != nil {
				return usageError{err}
			}
			r, err := benchFaults(cmd.Context(), cmd.ErrOrStderr(), o)
			if err != nil {
				return err
			}
			return r.deliver(cmd.OutOrStdout(), o.output)
		},
	}
	o.add(cmd)
	f := cmd.Flags()
	f.IntVar(&o.cameras, "cameras", 500, "how many cameras")
	f.Float64Var(&o.share, "share", 0.05, "what share of them misbehaves")
	f.DurationVar(&o.interval, "interval", 10*time.Second, "time between samples of a camera")
	f.DurationVar(&o.lasts, "for", 20*time.Minute, "how long each half is measured")
	f.StringVar(&o.mode, "mode", "auto", "how the gateway patrols: auto, resident or visit")
	f.StringSliceVar(&o.kinds, "kinds", nil, "which faults (default all that 'citysim kinds' lists for connections)")
	return cmd
}

// vitals is one look at the gateway.
type vitals struct {
	At         float64 `json:"at_seconds"`
	Memory     int64   `json:"memory_bytes"`
	Goroutines float64 `json:"goroutines"`
	Files      float64 `json:"open_files"`
}

// half is what one of the two runs measured.
type half struct {
	Healthy   int            `json:"healthy_cameras"`
	Samples   int            `json:"healthy_samples"`
	Worst     int            `json:"healthy_samples_least"` // of one camera
	Vitals    []vitals       `json:"vitals"`
	Reasons   map[string]int `json:"faults_seen,omitempty"` // by reason, at the end of each look
	Faulty    int            `json:"faulty_cameras"`
	Intervals float64        `json:"intervals"`
}

// faultsFigures is what both measured.
type faultsFigures struct {
	Cameras  int      `json:"cameras"`
	Share    float64  `json:"share"`
	Seconds  float64  `json:"seconds"`
	Kinds    []string `json:"kinds"`
	Without  half     `json:"without"`
	With     half     `json:"with"`
	Lost     float64  `json:"healthy_samples_lost"` // share
	Memory   float64  `json:"memory_growth"`        // last quarter over the second
	Routines float64  `json:"goroutines_growth"`
	Files    float64  `json:"open_files_growth"`
}

func benchFaults(ctx context.Context, stderr io.Writer, o faultsOptions) (benchReport, error) {
	f := &faultsFigures{Cameras: o.cameras, Share: o.share, Seconds: o.lasts.Seconds(), Kinds: o.kinds}
	report := benchReport{Command: "patrol bench faults", Machine: thisMachine(o.seed), Figures: f}
	if len(f.Kinds) == 0 {
		var err error
		if f.Kinds, err = connectionFaults(ctx); err != nil {
			return report, err
		}
	}
	script, faulty := faultScript(o, f.Kinds)
	var err error
	if f.Without, err = f.patrol(ctx, stderr, o, "", faulty); err != nil {
		return report, err
	}
	if f.With, err = f.patrol(ctx, stderr, o, script, faulty); err != nil {
		return report, err
	}
	f.Lost = 1 - float64(f.With.Samples)/float64(max(f.Without.Samples, 1))
	f.Memory = grown(f.With.Vitals, func(v vitals) float64 { return float64(v.Memory) })
	f.Routines = grown(f.With.Vitals, func(v vitals) float64 { return v.Goroutines })
	f.Files = grown(f.With.Vitals, func(v vitals) float64 { return v.Files })
	report.Bounds = []bound{
		atMost("samples that healthy cameras lost", max(f.Lost, 0)*100, f.tolerance(), "%"),
		atMost("memory, the last quarter over the second", f.Memory, 1.10, "times"),
		atMost("goroutines, the last quarter over the second", f.Routines, 1.10, "times"),
		atMost("open files, the last quarter over the second", f.Files, 1.10, "times"),
	}
	row := func(name string, h half) []string {
		last := h.Vitals[len(h.Vitals)-1]
		return []string{
			name, fmt.Sprint(h.Healthy), fmt.Sprint(h.Faulty), fmt.Sprint(h.Samples), fmt.Sprint(h.Worst), fmt.Sprintf("%.0f", h.Intervals),
			fmt.Sprint(last.Memory >> 20), fmt.Sprintf("%.0f", last.Goroutines), fmt.Sprintf("%.0f", last.Files),
		}
	}
	report.tables = [][][]string{{
		{fmt.Sprintf("%d cameras, %d of them faulty, %.0f s each half; %d kinds of faults", f.Cameras, len(faulty), f.Seconds, len(f.Kinds))},
		{"HALF", "HEALTHY", "FAULTY", "HEALTHY SAMPLES", "LEAST OF ONE", "INTERVALS", "MIB AT THE END", "GOROUTINES", "FILES"},
		row("without faults", f.Without), row("with faults", f.With),
	}}
	if len(f.With.Reasons) > 0 {
		seen := [][]string{{"REASONS SEEN", "LOOKS × CAMERAS"}}
		for _, reason := range slices.Sorted(maps.Keys(f.With.Reasons)) {
			seen = append(seen, []string{reason, fmt.Sprint(f.With.Reasons[reason])})
		}
		report.tables = append(report.tables, seen)
	}
	return report, nil
}

// tolerance is what share of the samples, in percent, may be lost: half a
// percent, or one sample a camera where a run is so short that the phase in
// which it ends counts for more.
func (f *faultsFigures) tolerance() float64 {
	return max(0.5, 100/max(f.Without.Intervals, 1))
}

// connectionFaults asks the city which faults of connections it knows.
func connectionFaults(ctx context.Context) ([]string, error) {
	program, err := sibling("citysim")
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, program, "kinds").Output()
	if err != nil {
		return nil, fmt.Errorf("citysim kinds: %w", err)
	}
	var kinds []string
	for line := range bytes.Lines(out) {
		if kind, what, _ := strings.Cut(strings.TrimSpace(string(line)), "\t"); what == "connection" {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// faultScript lets some cameras run faults by chance, each 20 to 60 s with a
// pause of 10 to 40 s after it, from the start of the city until after the end
// of the bench. It returns the indices of those cameras.
func faultScript(o faultsOptions, kinds []string) (script string, faulty map[int]bool) {
	r := rand.New(rand.NewPCG(o.seed, 11)) //nolint:gosec // chance for a test
	order := r.Perm(o.cameras)
	faulty = map[int]bool{}
	var b strings.Builder
	for _, i := range order[:max(1, int(float64(o.cameras)*o.share))] {
		faulty[i] = true
		for at := 20*time.Second + time.Duration(r.IntN(30))*time.Second; at < o.lasts+5*time.Minute; {
			lasts := time.Duration(20+r.IntN(40)) * time.Second
			fmt.Fprintf(&b, "- {camera: %q, kind: %q, after: %s, for: %s}\n", fmt.Sprint(i), kinds[r.IntN(len(kinds))], at, lasts)
			at += lasts + time.Duration(10+r.IntN(30))*time.Second
		}
	}
	return b.String(), faulty
}

// patrol runs one half: it counts the samples of the healthy cameras.
func (f *faultsFigures) patrol(ctx context.Context, stderr io.Writer, o faultsOptions, script string, faulty map[int]bool) (half, error) {
	dir, remove, err := benchDir()
	if err != nil {
		return half{}, err
	}
	defer remove()
	co := cityOptions{cameras: o.cameras, hosts: o.hostsFor(o.cameras), seed: o.seed, interval: o.interval}
	if script != "" {
		file := filepath.Join(dir, "faults.yaml")
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			return half{}, err
		}
		co.args = []string{"--faults", file}
	}
	c, err := startBenchCity(ctx, stderr, co)
	if err != nil {
		return half{}, err
	}
	defer c.Stop()
	g, err := startGateway(ctx, stderr, dir, gatewayOptions{mode: o.mode, byClock: true})
	if err != nil {
		return half{}, err
	}
	defer g.Stop()
	begin, err := g.importCity(ctx, c)
	if err != nil {
		return half{}, err
	}
	healthy, err := healthyCameras(ctx, c, dir, faulty)
	if err != nil {
		return half{}, err
	}
	h := half{Healthy: len(healthy), Faulty: len(faulty), Reasons: map[string]int{}, Intervals: o.lasts.Seconds() / o.interval.Seconds()}
	if _, err := g.arrivals(ctx, len(healthy), begin.Add(-time.Second), 2*time.Minute, nil); err != nil {
		return h, err
	}
	if err := rest(ctx, 2*o.interval); err != nil {
		return h, err
	}
	fmt.Fprintf(stderr, "counting the samples of %d healthy cameras for %s …\n", len(healthy), o.lasts)
	return h, h.count(ctx, g, healthy, o.lasts)
}

// healthyCameras are the ids of the cameras that are not to misbehave.
func healthyCameras(ctx context.Context, c *city, dir string, faulty map[int]bool) (map[string]bool, error) {
	file, err := writeInventory(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	cameras, err := readBenchCameras(file)
	if err != nil {
		return nil, err
	}
	healthy := map[string]bool{}
	for i, camera := range cameras {
		if !faulty[i] {
			healthy[camera.id] = true
		}
	}
	return healthy, nil
}

// count looks every second which healthy cameras have a newer picture.
func (h *half) count(ctx context.Context, g *gatewayChild, healthy map[string]bool, lasts time.Duration) error {
	last, err := g.newest(ctx)
	if err != nil {
		return err
	}
	taken := make(map[string]int, len(healthy))
	every := max(lasts/120, time.Second)
	looked := time.Time{}
	for begin := time.Now(); time.Since(begin) < lasts; {
		if err := rest(ctx, time.Second); err != nil {
			return err
		}
		now, err := g.newest(ctx)
		if err != nil {
			return err
		}
		for id := range healthy {
			if now[id].After(last[id]) {
				taken[id]++
			}
		}
		last = now
		if time.Since(looked) < every {
			continue
		}
		looked = time.Now()
		if err := h.look(ctx, g, looked.Sub(begin)); err != nil {
			return err
		}
	}
	h.Worst = -1
	for id := range healthy {
		h.Samples += taken[id]
		if h.Worst < 0 || taken[id] < h.Worst {
			h.Worst = taken[id]
		}
	}
	if h.Samples == 0 {
		return errNoPictures
	}
	return nil
}

// look takes the gateway's vitals.
func (h *half) look(ctx context.Context, g *gatewayChild, at time.Duration) error {
	m, err := g.metrics(ctx)
	if err != nil {
		return err
	}
	h.Vitals = append(h.Vitals, vitals{
		At: at.Seconds(), Memory: int64(m["process_resident_memory_bytes"]), Goroutines: m["go_goroutines"], Files: m["process_open_fds"],
	})
	for series, n := range m {
		if reason, ok := strings.CutPrefix(series, `patrol_camera_faults{reason="`); ok && n > 0 {
			h.Reasons[strings.TrimSuffix(reason, `"}`)] += int(n)
		}
	}
	return nil
}

// grown compares the mean of a run's last quarter with that of its second.
func grown(all []vitals, of func(vitals) float64) float64 {
	mean := func(part []vitals) float64 {
		sum := 0.0
		for _, v := range part {
			sum += of(v)
		}
		return sum / float64(max(len(part), 1))
	}
	n := len(all)
	if n < 4 {
		return 1
	}
	before := mean(all[n/4 : n/2])
	if before == 0 {
		return 1
	}
	return mean(all[n-n/4:]) / before
}
