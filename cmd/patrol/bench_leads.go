package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/internal/pgserver"
	"videopatrol/inventory/sqldb"
)

// What the record of a city must bear, on two processors.
const (
	wantFolded  = 5000 // findings a second
	wantRaised  = 500  // leads a second
	wantArrival = time.Second
)

type leadsOptions struct {
	benchFlags
	database string
	span     time.Duration
	callers  int
	profile  string
}

func newBenchLeads() *cobra.Command {
	var o leadsOptions
	cmd := &cobra.Command{
		Use: "leads", Short: "Fold findings, raise leads and deliver them, against a record on SQLite and on PostgreSQL", Args: noArgs,
		Long: `Fold findings, raise leads and deliver them, against a record on SQLite and on
PostgreSQL. A private PostgreSQL server with its own defaults is started for
that, on this machine, and removed again.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			engines, ok := map[string][]string{
				"sqlite": {"sqlite"}, "postgres": {"postgres"}, "both": {"sqlite", "postgres"},
			}[o.database]
			if !ok || o.span < 5*time.Second || o.callers < 1 {
				return usageError{errors.New("want --database sqlite, postgres or both, --for at least 5s and at least 1 caller")}
			}
			if err := o.check(); err != nil {
				return err
			}
			r, err := benchLeads(cmd.Context(), cmd.ErrOrStderr(), engines, o)
			if err != nil {
				return err
			}
			return r.deliver(cmd.OutOrStdout(), o.output)
		},
	}
	o.add(cmd)
	f := cmd.Flags()
	f.StringVar(&o.database, "database", "both", "sqlite, postgres or both")
	f.DurationVar(&o.span, "for", 5*time.Minute, "how long each database folds, then raises; 100 leads a second come for a fifth of it")
	f.IntVar(&o.callers, "callers", 256, "findings that are folded at a time")
	f.StringVar(&o.profile, "profile", "", "write CPU profiles of folding and raising to this folder")
	return cmd
}

// leadsFigures is what one database bore.
type leadsFigures struct {
	Database string `json:"database"`
	Callers  int    `json:"callers"`
	// Folded and Raised are durable when they count.
	Folded       float64   `json:"findings_folded_per_second"`
	FoldedTime   quantiles `json:"finding_folded_seconds"`
	Raised       float64   `json:"leads_raised_per_second"`
	RaisedTime   quantiles `json:"lead_raised_seconds"`
	Steady       delivery  `json:"at_100_leads_a_second"`
	Burst        delivery  `json:"burst_of_2000_in_2s"`
	BurstDrained float64   `json:"burst_drained_seconds"`
}

// delivery is how leads came to a receiver.
type delivery struct {
	Leads     int       `json:"leads"`
	Delivered int       `json:"delivered"`
	Arrival   quantiles `json:"finding_to_webhook_seconds"`
}

// quantiles are of durations, in seconds.
type quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func quantilesOf(all []time.Duration) quantiles {
	if len(all) == 0 {
		return quantiles{}
	}
	slices.Sort(all)
	at := func(q float64) float64 { return all[int(q*float64(len(all)-1))].Seconds() }
	return quantiles{P50: at(.5), P99: at(.99), Max: at(1)}
}

func (q quantiles) String() string {
	ms := func(s float64) string { return fmt.Sprintf("%.1f", s*1000) }
	return ms(q.P50) + " / " + ms(q.P99) + " / " + ms(q.Max)
}

func benchLeads(ctx context.Context, stderr io.Writer, engines []string, o leadsOptions) (benchReport, error) {
	report := benchReport{Command: "patrol bench leads", Machine: thisMachine(o.seed)}
	var all []leadsFigures
	rows := [][]string{{"DATABASE", "FOLDED /s", "ms P50 / P99 / MAX", "RAISED /s", "ms P50 / P99 / MAX", "AT 100 /s: DELIVERED", "ms P50 / P99 / MAX", "BURST: DELIVERED", "ms P50 / P99 / MAX", "DRAINED s"}}
	for _, engine := range engines {
		f, err := benchEngine(ctx, stderr, engine, o)
		if err != nil {
			return report, fmt.Errorf("%s: %w", engine, err)
		}
		all = append(all, f)
		rows = append(rows, []string{
			engine, fmt.Sprintf("%.0f", f.Folded), f.FoldedTime.String(), fmt.Sprintf("%.0f", f.Raised), f.RaisedTime.String(),
			fmt.Sprintf("%d of %d", f.Steady.Delivered, f.Steady.Leads), f.Steady.Arrival.String(),
			fmt.Sprintf("%d of %d", f.Burst.Delivered, f.Burst.Leads), f.Burst.Arrival.String(), fmt.Sprintf("%.1f", f.BurstDrained),
		})
		report.Bounds = append(report.Bounds,
			atLeast(engine+": findings folded", f.Folded, wantFolded, "/s"),
			atLeast(engine+": leads raised", f.Raised, wantRaised, "/s"),
			atMost(engine+": finding → webhook at 100 leads/s, p99", f.Steady.Arrival.P99, wantArrival.Seconds(), "s"),
			atLeast(engine+": delivered at 100 leads/s", float64(f.Steady.Delivered), float64(f.Steady.Leads), "leads"),
			atLeast(engine+": delivered of the burst", float64(f.Burst.Delivered), float64(f.Burst.Leads), "leads"),
		)
	}
	report.Figures, report.tables = all, [][][]string{rows}
	return report, nil
}

// benchEngine measures one database: folding, raising, 100 leads a second, and
// then the burst.
func benchEngine(ctx context.Context, stderr io.Writer, engine string, o leadsOptions) (f leadsFigures, err error) {
	dir, err := os.MkdirTemp("", "patrol-bench-")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	address := "sqlite:" + filepath.Join(dir, "patrol.db")
	if engine == "postgres" {
		server, err := pgserver.Start(ctx)
		if err != nil {
			return f, err
		}
		defer func() { err = errors.Join(err, server.Stop()) }()
		if address, err = server.NewDatabase(ctx); err != nil {
			return f, err
		}
	}
	db, err := sqldb.Open(ctx, sqldb.Options{URL: address})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	r, err := newLeadsRig(ctx, db, dir)
	if err != nil {
		return f, err
	}
	f = leadsFigures{Database: engine, Callers: o.callers}
	say := func(what string, span time.Duration) { fmt.Fprintf(stderr, "%s: %s for %s\n", engine, what, span) }

	steady := o.span / 5
	say("folding findings", o.span)
	if err := profiled(o.profile, engine+"-fold", func() (err error) {
		f.Folded, f.FoldedTime, err = r.hurry(ctx, o.callers, o.span, r.lives)
		return err
	}); err != nil {
		return f, err
	}
	say("raising leads", o.span)
	if err := profiled(o.profile, engine+"-raise", func() (err error) {
		f.Raised, f.RaisedTime, err = r.hurry(ctx, o.callers, o.span, r.beginnings)
		return err
	}); err != nil {
		return f, err
	}
	say("raising and delivering 100 leads a second", steady)
	if f.Steady, _, err = r.deliver(ctx, int(steady.Seconds()*100), 10*time.Millisecond); err != nil {
		return f, err
	}
	say("raising and delivering a burst of 2,000 leads", 2*time.Second)
	var drained time.Duration
	f.Burst, drained, err = r.deliver(ctx, 2000, time.Millisecond)
	f.BurstDrained = drained.Seconds()
	return f, err
}
