package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

type visitsOptions struct {
	benchFlags
	cameras  int
	interval time.Duration
	firstKey string
}

// visitsWithin is how soon every camera of a tour of 10,000 must have been
// visited: where PLAY is answered with a key unit, and where it comes at a
// random moment of the GOP.
var visitsWithin = map[string]time.Duration{"now": 2 * time.Minute, "gop": 5 * time.Minute}

func newBenchVisits() *cobra.Command {
	var o visitsOptions
	cmd := &cobra.Command{
		Use: "visits", Short: "Time a first tour over many cameras, one visit each", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, ok := visitsWithin[o.firstKey]; !ok || o.cameras < 1 || o.interval < time.Second {
				return usageError{errors.New("want --first-key now or gop, at least 1 camera and an interval of 1s")}
			}
			if err := o.check(); err != nil {
				return err
			}
			r, err := benchVisits(cmd.Context(), cmd.ErrOrStderr(), o)
			if err != nil {
				return err
			}
			return r.deliver(cmd.OutOrStdout(), o.output)
		},
	}
	o.add(cmd)
	cmd.Flags().IntVar(&o.cameras, "cameras", 10_000, "how many cameras")
	cmd.Flags().DurationVar(&o.interval, "interval", 5*time.Minute, "time between samples of a camera")
	cmd.Flags().StringVar(&o.firstKey, "first-key", "now", "what cameras send first: a key unit (now), or from a random moment of the GOP (gop)")
	return cmd
}

// visitsFigures is what one tour measured.
type visitsFigures struct {
	Cameras  int     `json:"cameras"`
	Hosts    int     `json:"hosts"`
	FirstKey string  `json:"first_key"`
	Arrival  arrival `json:"seconds_until_sampled"`
	// Of the gateway's parent over the tour.
	CPUPerVisit float64 `json:"gateway_cpu_ms_per_camera"`
	WorkersCPU  float64 `json:"workers_cpu_ms_per_camera"`
	CityCPU     float64 `json:"city_cpu_ms_per_camera"`
	KBytes      float64 `json:"received_kbytes_per_camera"`
	Dials       int64   `json:"dials"`
	Handshakes  level   `json:"handshakes"`
	PerHost     int64   `json:"handshakes_per_host_peak"`
	Memory      int64   `json:"gateway_memory_bytes"`
}

func benchVisits(ctx context.Context, stderr io.Writer, o visitsOptions) (benchReport, error) {
	f := &visitsFigures{Cameras: o.cameras, Hosts: o.hostsFor(o.cameras), FirstKey: o.firstKey}
	report := benchReport{Command: "patrol bench visits", Machine: thisMachine(o.seed), Figures: f}
	c, err := startBenchCity(ctx, stderr, cityOptions{
		cameras: o.cameras, hosts: f.Hosts, seed: o.seed, interval: o.interval, args: []string{"--first-key", o.firstKey},
	})
	if err != nil {
		return report, err
	}
	defer c.Stop()
	dir, remove, err := benchDir()
	if err != nil {
		return report, err
	}
	defer remove()
	g, err := startGateway(ctx, stderr, dir, gatewayOptions{mode: "visit"})
	if err != nil {
		return report, err
	}
	defer g.Stop()
	w := watched{pid: g.cmd.Process.Pid, metrics: g.scraper, city: c}
	before, err := w.read(ctx)
	if err != nil {
		return report, err
	}
	begin, err := g.importCity(ctx, c)
	if err != nil {
		return report, err
	}
	fmt.Fprintf(stderr, "%d cameras known; waiting for a sample of each …\n", o.cameras)
	if f.Arrival, err = g.arrivals(ctx, o.cameras, begin.Add(-time.Second), 2*visitsWithin[o.firstKey], nil); err != nil {
		return report, err
	}
	after, err := w.read(ctx)
	if err != nil {
		return report, err
	}
	per := func(d time.Duration) float64 { return d.Seconds() * 1e3 / float64(o.cameras) }
	f.CPUPerVisit = per(after.family.Parent.CPU - before.family.Parent.CPU)
	f.WorkersCPU = per(after.family.workersSince(before.family).CPU)
	f.CityCPU = per(after.city.CPU - before.city.CPU)
	f.KBytes = after.metrics["patrol_received_bytes_total"] / 1e3 / float64(o.cameras)
	f.Dials, f.Handshakes, f.PerHost, f.Memory = after.counters.Dials, after.counters.Handshakes, after.counters.busiest(), after.family.memory()
	report.Bounds = []bound{within("every camera sampled", f.Arrival.All, visitsWithin[o.firstKey])}
	report.tables = [][][]string{{
		{fmt.Sprintf("%d cameras on %d hosts, first key unit: %s", f.Cameras, f.Hosts, f.FirstKey)},
		{"UNTIL SAMPLED", "50 %", "90 %", "99 %", "ALL"},
		{"", seconds(f.Arrival.Half), seconds(f.Arrival.Ninety), seconds(f.Arrival.NinetyNine), seconds(f.Arrival.All)},
		{"PER CAMERA", "GATEWAY CPU MS", "WORKERS", "CITY", "KB RECEIVED"},
		{"", fmt.Sprintf("%.2f", f.CPUPerVisit), fmt.Sprintf("%.2f", f.WorkersCPU), fmt.Sprintf("%.2f", f.CityCPU), fmt.Sprintf("%.1f", f.KBytes)},
		{"IN ALL", "DIALS", "HANDSHAKES PEAK", "PER HOST", "GATEWAY MIB"},
		{"", fmt.Sprint(f.Dials), fmt.Sprint(f.Handshakes.Peak), fmt.Sprint(f.PerHost), fmt.Sprint(f.Memory >> 20)},
	}}
	return report, nil
}
