package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

type coldOptions struct {
	benchFlags
	cameras  int
	interval time.Duration
	mode     string
}

func newBenchCold() *cobra.Command {
	var o coldOptions
	cmd := &cobra.Command{
		Use: "cold", Short: "Time the start of a gateway that knows its cameras, and its end", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.cameras < 1 || o.interval < time.Second {
				return usageError{errors.New("want at least 1 camera and an interval of 1s")}
			}
			if err := errors.Join(checkModes(o.mode), o.check()); err != nil {
				return usageError{err}
			}
			r, err := benchCold(cmd.Context(), cmd.ErrOrStderr(), o)
			if err != nil {
				return err
			}
			return r.deliver(cmd.OutOrStdout(), o.output)
		},
	}
	o.add(cmd)
	cmd.Flags().IntVar(&o.cameras, "cameras", 2000, "how many cameras")
	cmd.Flags().DurationVar(&o.interval, "interval", 10*time.Second, "time between samples of a camera")
	cmd.Flags().StringVar(&o.mode, "mode", "resident", "how the gateway patrols: auto, resident or visit")
	return cmd
}

// coldFigures is what one start and end measured.
type coldFigures struct {
	Cameras int     `json:"cameras"`
	Hosts   int     `json:"hosts"`
	Mode    string  `json:"mode"`
	Arrival arrival `json:"seconds_until_sampled"`
	Stopped float64 `json:"seconds_until_stopped"`
	// What the city still has of the gateway once it has ended.
	SessionsLeft int64 `json:"sessions_left"`
	ConnsLeft    int64 `json:"connections_left"`
	Plays        int64 `json:"plays"`
	Teardowns    int64 `json:"teardowns"`
}

func benchCold(ctx context.Context, stderr io.Writer, o coldOptions) (benchReport, error) {
	f := &coldFigures{Cameras: o.cameras, Hosts: o.hostsFor(o.cameras), Mode: o.mode}
	report := benchReport{Command: "patrol bench cold", Machine: thisMachine(o.seed), Figures: f}
	c, err := startBenchCity(ctx, stderr, cityOptions{cameras: o.cameras, hosts: f.Hosts, seed: o.seed, interval: o.interval})
	if err != nil {
		return report, err
	}
	defer c.Stop()
	dir, remove, err := benchDir()
	if err != nil {
		return report, err
	}
	defer remove()
	if err := f.learn(ctx, stderr, dir, c); err != nil {
		return report, err
	}
	fmt.Fprintf(stderr, "starting the gateway that knows %d cameras …\n", o.cameras)
	begin := time.Now()
	g, err := startGateway(ctx, stderr, dir, gatewayOptions{mode: o.mode})
	if err != nil {
		return report, err
	}
	if f.Arrival, err = g.arrivals(ctx, o.cameras, begin, 3*time.Minute, nil); err != nil {
		g.Stop()
		return report, err
	}
	if err := f.end(ctx, c, g); err != nil {
		return report, err
	}
	report.Bounds = []bound{
		within("every camera sampled", f.Arrival.All, time.Minute),
		atMost("stopped after SIGTERM", f.Stopped, 15, "s"),
		atMost("sessions left on the cameras", float64(f.SessionsLeft), 0, "sessions"),
		atMost("connections left on the cameras", float64(f.ConnsLeft), 0, "connections"),
	}
	report.tables = [][][]string{{
		{fmt.Sprintf("%d cameras on %d hosts, %s", f.Cameras, f.Hosts, f.Mode)},
		{"FROM THE START UNTIL SAMPLED", "50 %", "90 %", "99 %", "ALL"},
		{"", seconds(f.Arrival.Half), seconds(f.Arrival.Ninety), seconds(f.Arrival.NinetyNine), seconds(f.Arrival.All)},
		{"THE END", "TOOK", "SESSIONS LEFT", "CONNECTIONS LEFT", "PLAYED", "TORN DOWN"},
		{"", fmt.Sprintf("%.1f s", f.Stopped), fmt.Sprint(f.SessionsLeft), fmt.Sprint(f.ConnsLeft), fmt.Sprint(f.Plays), fmt.Sprint(f.Teardowns)},
	}}
	return report, nil
}

// learn lets a gateway import the city, and ends it.
func (f *coldFigures) learn(ctx context.Context, stderr io.Writer, dir string, c *city) error {
	g, err := startGateway(ctx, stderr, dir, gatewayOptions{mode: f.Mode})
	if err != nil {
		return err
	}
	_, err = g.importCity(ctx, c)
	g.Stop()
	if err != nil {
		return err
	}
	if err := rest(ctx, 2*time.Second); err != nil { // until the city has noticed
		return err
	}
	return c.resetCounters(ctx)
}

// end stops the gateway as a supervisor does, and looks what is left.
func (f *coldFigures) end(ctx context.Context, c *city, g *gatewayChild) error {
	begin := time.Now()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	g.Stop()
	f.Stopped = time.Since(begin).Seconds()
	var n cityCounters
	for range 20 { // a camera hears of the end a moment later
		var err error
		if n, err = c.counters(ctx); err != nil {
			return err
		}
		if n.Playing.Now == 0 && n.Open.Now == 0 {
			break
		}
		if err := rest(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	f.SessionsLeft, f.ConnsLeft, f.Plays, f.Teardowns = n.Playing.Now, n.Open.Now, n.Plays, n.Teardowns
	return nil
}
