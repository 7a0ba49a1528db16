package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

type stormOptions struct {
	benchFlags
	cameras          int
	interval, outage time.Duration
	mode, how        string
}

func newBenchStorm() *cobra.Command {
	var o stormOptions
	cmd := &cobra.Command{
		Use: "storm", Short: "Take every camera away at once, and time the return", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.cameras < 1 || o.interval < time.Second || o.outage < time.Second || (o.how != "refuse" && o.how != "silent") {
				return usageError{errors.New("want at least 1 camera, an interval and an outage of 1s, and --how refuse or silent")}
			}
			if err := errors.Join(checkModes(o.mode), o.check()); err != nil {
				return usageError{err}
			}
			r, err := benchStorm(cmd.Context(), cmd.ErrOrStderr(), o)
			if err != nil {
				return err
			}
			return r.deliver(cmd.OutOrStdout(), o.output)
		},
	}
	o.add(cmd)
	f := cmd.Flags()
	f.IntVar(&o.cameras, "cameras", 2000, "how many cameras")
	f.DurationVar(&o.interval, "interval", 10*time.Second, "time between samples of a camera")
	f.DurationVar(&o.outage, "outage", time.Minute, "how long they are gone")
	f.StringVar(&o.how, "how", "refuse", "refuse: sessions are reset and dials refused; silent: nobody answers")
	f.StringVar(&o.mode, "mode", "resident", "how the gateway patrols: auto, resident or visit")
	return cmd
}

// stormFigures is what one storm measured.
type stormFigures struct {
	Cameras int     `json:"cameras"`
	Hosts   int     `json:"hosts"`
	Outage  float64 `json:"outage_seconds"`
	How     string  `json:"how"`
	Mode    string  `json:"mode"`
	Arrival arrival `json:"seconds_until_sampled_again"`
	// Dials in flight as the gateway counts them, and its budget; handshakes
	// as the city counts them.
	DialsPeak    float64 `json:"dials_in_flight_peak"`
	DialsBudget  int     `json:"dials_budget"`
	Handshakes   level   `json:"handshakes"`
	PerHost      int64   `json:"handshakes_per_host_peak"`
	Dials        int64   `json:"dials"`
	MemoryBefore int64   `json:"memory_before_bytes"`
	MemoryPeak   int64   `json:"memory_peak_bytes"`
}

func benchStorm(ctx context.Context, stderr io.Writer, o stormOptions) (benchReport, error) {
	f := &stormFigures{
		Cameras: o.cameras, Hosts: o.hostsFor(o.cameras), Outage: o.outage.Seconds(), How: o.how, Mode: o.mode,
		DialsBudget: DefaultConfig().Patrol.Dials,
	}
	report := benchReport{Command: "patrol bench storm", Machine: thisMachine(o.seed), Figures: f}
	c, g, stop, err := startPatrol(ctx, stderr, cityOptions{cameras: o.cameras, hosts: f.Hosts, seed: o.seed, interval: o.interval}, gatewayOptions{mode: o.mode})
	if err != nil {
		return report, err
	}
	defer stop()
	if err := rest(ctx, 2*o.interval); err != nil { // until memory is what it will be
		return report, err
	}
	steady, err := familyOf(g.cmd.Process.Pid)
	if err != nil {
		return report, err
	}
	f.MemoryBefore = steady.memory()
	peaks := watchPeaks(ctx, g)
	err = f.rage(ctx, stderr, c, g, o)
	f.MemoryPeak, f.DialsPeak = peaks()
	if err != nil {
		return report, err
	}
	n, err := c.counters(ctx)
	if err != nil {
		return report, err
	}
	f.Handshakes, f.PerHost, f.Dials = n.Handshakes, n.busiest(), n.Dials
	report.Bounds = []bound{
		within("99 % sampled again", f.Arrival.NinetyNine, time.Minute),
		atMost("dials in flight", f.DialsPeak, float64(f.DialsBudget), "dials"),
		atMost("handshakes in flight at the hosts", float64(f.Handshakes.Peak), float64(f.DialsBudget), "handshakes"),
		atMost("handshakes in flight per host", float64(f.PerHost), float64(DefaultConfig().Patrol.DialsPerHost), "handshakes"),
		atMost("memory against before", float64(f.MemoryPeak)/float64(f.MemoryBefore), 1.3, "times"),
	}
	report.tables = [][][]string{{
		{fmt.Sprintf("%d cameras on %d hosts, %s; gone for %.0f s (%s)", f.Cameras, f.Hosts, f.Mode, f.Outage, f.How)},
		{"UNTIL SAMPLED AGAIN", "50 %", "90 %", "99 %", "ALL"},
		{"", seconds(f.Arrival.Half), seconds(f.Arrival.Ninety), seconds(f.Arrival.NinetyNine), seconds(f.Arrival.All)},
		{"PEAKS", "DIALS IN FLIGHT", "HANDSHAKES", "PER HOST", "MIB BEFORE", "MIB PEAK"},
		{
			"", fmt.Sprintf("%.0f of %d", f.DialsPeak, f.DialsBudget), fmt.Sprint(f.Handshakes.Peak), fmt.Sprint(f.PerHost),
			fmt.Sprint(f.MemoryBefore >> 20), fmt.Sprint(f.MemoryPeak >> 20),
		},
	}}
	return report, nil
}

// rage takes the city away and waits for its cameras to be sampled again.
func (f *stormFigures) rage(ctx context.Context, stderr io.Writer, c *city, g *gatewayChild, o stormOptions) error {
	if err := c.resetCounters(ctx); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "every camera is gone for %s …\n", o.outage)
	begin := time.Now()
	if err := c.outage(ctx, o.outage, o.how); err != nil {
		return err
	}
	if err := rest(ctx, time.Until(begin.Add(o.outage))); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "they are back; waiting for a sample of each …\n")
	var err error
	f.Arrival, err = g.arrivals(ctx, o.cameras, begin.Add(o.outage), 3*time.Minute, nil)
	return err
}

// startPatrol starts a city and a gateway that patrols it, and waits until
// every camera was sampled.
func startPatrol(ctx context.Context, stderr io.Writer, co cityOptions, o gatewayOptions) (c *city, g *gatewayChild, stop func(), err error) {
	dir, remove, err := benchDir()
	if err != nil {
		return nil, nil, nil, err
	}
	stop = func() {
		if g != nil {
			g.Stop()
		}
		if c != nil {
			c.Stop()
		}
		remove()
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	if c, err = startBenchCity(ctx, stderr, co); err != nil {
		return c, g, stop, err
	}
	if g, err = startGateway(ctx, stderr, dir, o); err != nil {
		return c, g, stop, err
	}
	begin, err := g.importCity(ctx, c)
	if err != nil {
		return c, g, stop, err
	}
	a, err := g.arrivals(ctx, co.cameras, begin.Add(-time.Second), 5*time.Minute, nil)
	if err == nil && a.All < 0 {
		err = fmt.Errorf("only %d of %d cameras were sampled within 5 minutes", a.Sampled, co.cameras)
	}
	return c, g, stop, err
}

// watchPeaks watches a gateway's memory and dials until the function that it
// returns is called, which tells the most of both.
func watchPeaks(ctx context.Context, g *gatewayChild) (peaks func() (memory int64, dials float64)) {
	ctx, cancel := context.WithCancel(ctx)
	var memory int64
	var dials float64
	var wg sync.WaitGroup
	wg.Go(func() {
		for rest(ctx, 500*time.Millisecond) == nil {
			if f, err := familyOf(g.cmd.Process.Pid); err == nil {
				memory = max(memory, f.memory())
			}
			if m, err := g.metrics(ctx); err == nil {
				dials = max(dials, m["patrol_dials_in_flight"])
			}
		}
	})
	return func() (int64, float64) {
		cancel()
		wg.Wait()
		return memory, dials
	}
}
