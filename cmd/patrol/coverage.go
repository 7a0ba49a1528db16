package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/inventory"
	inventorysql "videopatrol/inventory/sqlstore"
	"videopatrol/streams"
	"videopatrol/wall"
)

// maintaining keeps planned maintenance, and tells the patrol of every change.
type maintaining struct {
	store   *inventorysql.Store
	manager *streams.Manager

	mu sync.Mutex // held through a change and its telling, so that the newest is told last
}

// List implements wall.Maintenance.
func (m *maintaining) List(ctx context.Context, after time.Time) ([]inventory.Maintenance, error) {
	return m.store.Maintenance(ctx, after)
}

// Plan implements wall.Maintenance.
func (m *maintaining) Plan(ctx context.Context, x inventory.Maintenance) (inventory.Maintenance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x, err := m.store.PlanMaintenance(ctx, x)
	return x, errors.Join(err, m.tell(ctx))
}

// End implements wall.Maintenance.
func (m *maintaining) End(ctx context.Context, id int64, by string) (inventory.Maintenance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x, err := m.store.EndMaintenance(ctx, id, by)
	return x, errors.Join(err, m.tell(ctx))
}

// tell hands the windows over, those too that hold for minutes which may yet
// be closed: a gateway that was stopped closes them when it starts.
func (m *maintaining) tell(ctx context.Context) error {
	list, err := m.store.Maintenance(ctx, time.Now().Add(-streams.LedgerKept))
	if err == nil {
		m.manager.Maintain(list)
	}
	return err
}

func newCoverage() *cobra.Command {
	var f clientFlags
	var from, to, level, cell, tier, by string
	cmd := &cobra.Command{
		Use: "coverage", Short: "How many camera-minutes were watched, and why the others were blind", Args: noArgs,
		Long: "How many camera-minutes were watched, and why the others were blind.\n" +
			"A camera-minute is watched when every visit due in it gave a trusted sample, else blind with\n" +
			"the first reason, or excused by planned maintenance. Thirty days are kept, by the hour.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			q := url.Values{"by": {by}, "level": {level}}
			for k, v := range map[string]string{"cell": cell, "tier": tier} {
				if v != "" {
					q.Set(k, v)
				}
			}
			for k, v := range map[string]string{"from": from, "to": to} {
				if v == "" {
					continue
				}
				at, err := parseMoment(v, time.Now(), -1)
				if err != nil {
					return usageError{fmt.Errorf("--%s: %w", k, err)}
				}
				q.Set(k, at.Format(time.RFC3339))
			}
			var r wall.CoverageReport
			if err := c.get(cmd.Context(), "/coverage", q, &r); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			return printCoverage(cmd.OutOrStdout(), r)
		},
	}
	f.add(cmd)
	p := cmd.Flags()
	p.StringVar(&from, "from", "24h", "from when on: a time (RFC 3339), or how long ago")
	p.StringVar(&to, "to", "", "until when: a time (RFC 3339), or how long ago; default now")
	p.StringVar(&level, "level", "cell", "cells of which level to tell apart: city, town, cell or subcell")
	p.StringVar(&cell, "cell", "", "only this grid cell, of any level")
	p.StringVar(&tier, "tier", "", "only this tier: high, normal or low")
	p.StringVar(&by, "by", "cell", "what rows are told apart by: cell, tier, hour, reason, or several with commas")
	return cmd
}

// parseMoment reads a time, or a duration before (sign -1) or after (1) now.
func parseMoment(text string, now time.Time, sign time.Duration) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(sign * d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%q is neither a time such as 2026-11-23T08:00:00+08:00 nor a duration such as 90m", text)
	}
	return at, nil
}

func printCoverage(w io.Writer, r wall.CoverageReport) error {
	rows := [][]string{{"HOUR", "CELL", "NAME", "TIER", "REASON", "WATCHED", "BLIND", "EXCUSED", "RATIO", "WHY BLIND"}}
	line := func(hour, cell string, v wall.CoverageRow) {
		ratio := "-"
		if v.Ratio != nil {
			ratio = fmt.Sprintf("%.2f %%", 100**v.Ratio)
		}
		rows = append(rows, []string{
			hour, cell, v.Name, string(v.Tier), string(v.Reason), strconv.FormatInt(v.Watched, 10), strconv.FormatInt(v.Blind, 10),
			strconv.FormatInt(v.Excused, 10), ratio, topReasons(v.Reasons, 3),
		})
	}
	for _, v := range r.Rows {
		hour, cell := "", v.Cell
		if v.Hour != nil {
			hour = v.Hour.Format(time.RFC3339)
		}
		line(hour, cell, v)
	}
	line("", "total", r.Total)
	if err := table(w, rows); err != nil {
		return err
	}
	closed := "no minute of it is closed yet"
	if r.Closed != nil {
		closed = "closed until " + r.Closed.Format(time.RFC3339)
	}
	fmt.Fprintf(w, "\ncamera-minutes from %s to %s, %s\n\n", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), closed)
	seconds := func(s float64) string {
		return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
	}
	rows = [][]string{{"TIER", "INTERVAL", "AT PRESENT", "WORST CASE", "SHORTEST HAPPENING"}}
	for _, t := range r.Tiers {
		rows = append(rows, []string{
			string(t.Tier), seconds(t.IntervalSeconds), seconds(t.PresentSeconds), seconds(t.WorstCaseSeconds), seconds(t.ShortestSeconds),
		})
	}
	return table(w, rows)
}

// topReasons names the reasons with the most minutes.
func topReasons(reasons map[streams.Reason]int64, most int) string {
	names := slices.SortedFunc(maps.Keys(reasons), func(a, b streams.Reason) int {
		if d := reasons[b] - reasons[a]; d != 0 {
			return int(max(min(d, 1), -1))
		}
		return strings.Compare(string(a), string(b))
	})
	var out []string
	for _, n := range names[:min(len(names), most)] {
		out = append(out, fmt.Sprintf("%s %d", n, reasons[n]))
	}
	if len(names) > most {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}

func newMaintenance() *cobra.Command {
	var f clientFlags
	return group("maintenance", "Plan work during which cameras may be blind", &f,
		newMaintenanceAdd(&f), newMaintenanceList(&f), newMaintenanceEnd(&f))
}

func newMaintenanceAdd(f *clientFlags) *cobra.Command {
	var cameras, cells []string
	var from, to, reason string
	cmd := &cobra.Command{
		Use: "add", Short: "Excuse cameras or cells: blind minutes are excused and raise no alarm; what happens there still does", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			req := wall.MaintenanceRequest{Cameras: cameras, Cells: cells, Reason: reason}
			begin := now
			if from != "" {
				at, err := parseMoment(from, now, 1)
				if err != nil {
					return usageError{fmt.Errorf("--from: %w", err)}
				}
				req.From, begin = &at, at
			}
			var err error
			if req.To, err = parseMoment(to, begin, 1); err != nil {
				return usageError{fmt.Errorf("--to: %w", err)}
			}
			if reason == "" {
				return usageError{errors.New("--reason is required")}
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			var m inventory.Maintenance
			if err := c.post(cmd.Context(), "/maintenance", req, &m); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), m)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "maintenance %d from %s to %s; end it early with: patrol maintenance end %d\n",
				m.ID, m.From.Format(time.RFC3339), m.To.Format(time.RFC3339), m.ID)
			return err
		},
	}
	p := cmd.Flags()
	p.StringSliceVar(&cameras, "camera", nil, "a camera's id; may be repeated")
	p.StringSliceVar(&cells, "cell", nil, "a grid cell's id, of any level; may be repeated")
	p.StringVar(&from, "from", "", "when it begins: a time (RFC 3339), or how long from now; default now")
	p.StringVar(&to, "to", "", "when it ends: a time (RFC 3339), or how long it lasts, such as 4h")
	p.StringVar(&reason, "reason", "", "what is done")
	return cmd
}

func newMaintenanceList(f *clientFlags) *cobra.Command {
	var after string
	cmd := &cobra.Command{
		Use: "list", Short: "List planned maintenance that is not over", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{}
			if after != "" {
				at, err := parseMoment(after, time.Now(), -1)
				if err != nil {
					return usageError{fmt.Errorf("--after: %w", err)}
				}
				q.Set("after", at.Format(time.RFC3339))
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			var l wall.MaintenanceList
			if err := c.get(cmd.Context(), "/maintenance", q, &l); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), l.Maintenance)
			}
			rows := [][]string{{"ID", "FROM", "TO", "CAMERAS", "CELLS", "BY", "REASON"}}
			for _, m := range l.Maintenance {
				rows = append(rows, []string{
					strconv.FormatInt(m.ID, 10), m.From.Format(time.RFC3339), m.To.Format(time.RFC3339),
					some(m.Cameras), some(m.Cells), m.By, m.Reason,
				})
			}
			return table(cmd.OutOrStdout(), rows)
		},
	}
	cmd.Flags().StringVar(&after, "after", "", "those too that ended after a time (RFC 3339), or at most so long ago")
	return cmd
}

// some shows a few ids of a list.
func some(ids []string) string {
	const most = 3
	if len(ids) > most {
		return fmt.Sprintf("%s … (%d)", strings.Join(ids[:most], ","), len(ids))
	}
	return strings.Join(ids, ",")
}

func newMaintenanceEnd(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use: "end ID", Short: "End maintenance now, or call it off", Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := strconv.ParseInt(args[0], 10, 64); err != nil {
				return usageError{fmt.Errorf("%q is no number of a maintenance; patrol maintenance list shows them", args[0])}
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			var m inventory.Maintenance
			if err := c.do(cmd.Context(), http.MethodDelete, "/maintenance/"+args[0], nil, "", nil, &m); err != nil {
				return err
			}
			if f.output == "json" {
				return writeJSON(cmd.OutOrStdout(), m)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "maintenance %d ended %s\n", m.ID, m.To.Format(time.RFC3339))
			return err
		},
	}
}
