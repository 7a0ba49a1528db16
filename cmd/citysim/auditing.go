package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/cmd/citysim/audit"
	"videopatrol/cmd/citysim/play"
)

func auditCommand() *cobra.Command {
	var ledger, tokenFile, form string
	var span time.Duration
	o := audit.Options{GOP: 2 * time.Second}
	g := audit.Gateway{Client: &http.Client{Timeout: 30 * time.Second}}
	cmd := &cobra.Command{
		Use: "audit", Short: "Show what became of everything that happened, by a gateway's records", Args: noArgs,
		Long: `Show what became of everything that happened, by a gateway's records.

It follows the gateway for a while, or until interrupted: which cameras cannot
see, and why. Then it takes the city's ledger and the gateway's leads and
suppressions. Every happening is exactly one of: a lead, joined to one, merged,
suppressed by a named rule, shelved, shed, blind, too brief, or still open; every
lead has its happening. The command fails if anything is unexplained.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if form != "table" && form != "json" {
				return usageError{fmt.Errorf("-o %q: want table or json", form)}
			}
			token, err := os.ReadFile(tokenFile) //nolint:gosec // the user named it
			if err != nil {
				return usageError{fmt.Errorf("no API token: %w; a gateway keeps its administrator's as admin.token in its data folder", err)}
			}
			g.Token = strings.TrimSpace(string(token))
			follow := cmd.Context()
			if span > 0 {
				var cancel context.CancelFunc
				follow, cancel = context.WithTimeout(follow, span)
				defer cancel()
			}
			if err := g.Follow(follow, 500*time.Millisecond); err != nil {
				return err
			}
			report, err := auditNow(context.WithoutCancel(cmd.Context()), &g, ledger, o)
			if err != nil {
				return err
			}
			if form == "json" {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(report)
			} else {
				err = printAudit(cmd.OutOrStdout(), report)
			}
			if n := report.Unexplained(); n > 0 {
				err = errors.Join(err, fmt.Errorf("%d unexplained", n))
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&ledger, "ledger", "ledger.jsonl", "the city's ledger, as 'citysim serve --ledger' writes it")
	f.StringVar(&g.Server, "server", "http://127.0.0.1:8080", "address of the gateway's wall")
	f.StringVar(&tokenFile, "token-file", "data/admin.token", "file that holds an API token")
	f.DurationVar(&span, "for", 0, "how long the gateway is followed (0: until interrupted)")
	f.DurationVar(&o.Slack, "slack", 2*time.Second, "what analysing and telling may take, beyond the dwell and two looks")
	f.DurationVar(&o.Settle, "settle", 30*time.Second, "how soon after the end of one happening the next may still be its condition")
	f.StringVarP(&form, "output", "o", "table", "table or json")
	return cmd
}

// auditNow accounts for the ledger as it is.
func auditNow(ctx context.Context, g *audit.Gateway, ledger string, o audit.Options) (audit.Report, error) {
	o.Now = time.Now()
	rec, err := g.Record(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	file, err := os.Open(ledger) //nolint:gosec // the user named it
	if err != nil {
		return audit.Report{}, fmt.Errorf("ledger: %w", err)
	}
	defer file.Close()
	entries, err := play.ReadLedger(file)
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Audit(entries, rec, o), nil
}

func printAudit(w io.Writer, r audit.Report) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range r.Rows {
		if row.Fate == audit.Unexplained {
			fmt.Fprintf(out, "UNEXPLAINED\t%s\t%s\tcamera %s\tfrom %s\t%s\n", row.Entry.ID, row.Entry.Kind, row.Entry.Camera, row.Entry.Begin.Local().Format(time.TimeOnly), row.Why)
		}
	}
	for _, why := range r.MadeUp {
		fmt.Fprintf(out, "UNEXPLAINED\t\t\t\t\t%s\n", why)
	}
	fmt.Fprintf(out, "FATE\tHAPPENINGS\n")
	for _, fate := range audit.Fates() {
		fmt.Fprintf(out, "%s\t%d\n", fate, r.Fates[fate])
	}
	fmt.Fprintf(out, "in all\t%d\n", len(r.Rows))
	fmt.Fprintf(out, "leads\t%d, and %d about cameras that failed\n", r.Leads, r.Outages)
	return out.Flush()
}
