package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/alerts"
)

// newLeadStats prints what came of the leads of some days.
func newLeadStats(f *clientFlags) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use: "stats", Short: "What came of the leads of some days, how long it took, and which rules are wrong most", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			q := url.Values{}
			for k, v := range map[string]string{"from": from, "to": to} {
				if v != "" {
					q.Set(k, v)
				}
			}
			var s alerts.Statistics
			if err := c.get(cmd.Context(), "/statistics", q, &s); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), s)
			}
			return printStatistics(cmd.OutOrStdout(), s)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "begin, RFC 3339 (default 7 days before the end)")
	cmd.Flags().StringVar(&to, "to", "", "end, RFC 3339 (default now)")
	return cmd
}

func printStatistics(w io.Writer, s alerts.Statistics) error {
	share := func(p *float64) string {
		if p == nil {
			return "-"
		}
		return fmt.Sprintf("%.0f %%", *p*100)
	}
	tally := func(t alerts.Tally) []string {
		return []string{
			strconv.Itoa(t.Raised), strconv.Itoa(t.Accepted), strconv.Itoa(t.Rejected), strconv.Itoa(t.Handled), strconv.Itoa(t.Expired), share(t.Precision), share(t.Rate),
		}
	}
	spread := func(p alerts.Spread) string {
		if p.Count == 0 {
			return "-"
		}
		whole := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)).Round(time.Second) }
		return fmt.Sprintf("%s / %s", whole(p.P50), whole(p.P95))
	}
	head := []string{"RAISED", "ACCEPTED", "REJECTED", "HANDLED", "EXPIRED", "PRECISION", "RATE"}
	cells := [][]string{append([]string{"CELL"}, head...), append([]string{"all"}, tally(s.Total)...)}
	for _, c := range s.Cells {
		cells = append(cells, append([]string{cmp.Or(c.Name, c.Cell, "outside")}, tally(c.Tally)...))
	}
	stages := [][]string{{"STATE", "LEFT", "P50 / P95"}}
	for _, state := range alerts.LeadStates() {
		if p, ok := s.Stages[state]; ok {
			stages = append(stages, []string{string(state), strconv.Itoa(p.Count), spread(p)})
		}
	}
	departments := [][]string{{"DEPARTMENT", "ORDERS", "DONE", "RETURNED", "TAKEN P50 / P95", "DONE P50 / P95"}}
	for _, d := range s.Departments {
		departments = append(departments, []string{
			d.Department, strconv.Itoa(d.Orders), strconv.Itoa(d.Done), strconv.Itoa(d.Returned), spread(d.Acknowledge), spread(d.Finish),
		})
	}
	kept := [][]string{{"BREACHED", "CLOCKS"}}
	for _, st := range slices.Sorted(maps.Keys(s.Breaches)) {
		kept = append(kept, []string{string(st), strconv.Itoa(s.Breaches[st])})
	}
	quiet := [][]string{{"KEPT BACK BY", "CONDITIONS"}}
	for _, by := range slices.Sorted(maps.Keys(s.Suppressed)) {
		quiet = append(quiet, []string{string(by), strconv.Itoa(s.Suppressed[by])})
	}
	noisy := [][]string{append([]string{"RULE", "CAMERA", "HINT"}, head...)}
	for _, r := range s.Noisiest {
		hint := ""
		if r.Shelve {
			hint = "shelve or tune"
		}
		noisy = append(noisy, append([]string{r.Rule, r.Camera, hint}, tally(r.Tally)...))
	}
	for _, rows := range [][][]string{cells, stages, departments, kept, quiet, noisy} {
		if len(rows) == 1 {
			continue
		}
		if err := table(w, rows); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}
