package eval

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report as tables for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	line := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")) }
	split := Split("")
	for _, row := range r.Rows {
		if row.Split != split {
			split = row.Split
			line("")
			line(strings.ToUpper(string(split)) + ": " + aboutSplit(split).EN)
			line("KIND", "SOURCES", "FOUND", "MISSED", "FALSE", "DOUBLE", "PRECISION", "RECALL", "F1", "DELAY p50/p90/max", "ENDS EARLY/MISSING", "FALSE/DAY", "DAYS")
		}
		group, kind := string(row.Group), row.Kind
		if group == "" {
			group = "all"
		} else {
			kind = ""
		}
		line(kind, group, fmt.Sprintf("%d of %d", row.Found, row.Happenings()), fmt.Sprint(row.Missed), fmt.Sprint(row.False), fmt.Sprint(row.Doubles),
			row.Precision.String(), row.Recall.String(), row.F1.String(), row.Delay.String(),
			fmt.Sprintf("%d/%d", row.EndsEarly, row.EndsMissing), fmt.Sprintf("%.2f", row.FalsePerDay), fmt.Sprintf("%.4g", row.CameraDays))
	}
	if len(r.Variants) > 0 {
		line("")
		line("DEGRADED", "SPLIT", "CLIPS", "FAULT FOUND", "AS ANY FAULT", "FALSE FAULTS", "FALSE FINDINGS")
		for _, v := range r.Variants {
			found, known := "-", "-"
			if n := v.Found + v.Missed; n > 0 {
				found, known = fmt.Sprintf("%d of %d", v.Found, n), fmt.Sprint(v.Known)
			}
			line(v.Variant, string(v.Split), fmt.Sprint(v.Sources), found, known, fmt.Sprint(v.FalseFaults), fmt.Sprint(v.FalseFindings))
		}
	}
	line("")
	line("QUIET", "SPLIT", "CAMERA-DAYS", "FALSE")
	for _, q := range r.Quiet {
		line(string(q.Group), string(q.Split), fmt.Sprintf("%.4g", q.CameraDays), fmt.Sprint(q.False))
	}
	line("")
	line("STAGE", "SAMPLES", "MEAN ms", "P95 ms")
	for _, s := range r.Stages {
		line(s.Name, fmt.Sprint(s.Samples), fmt.Sprintf("%.3f", s.Mean), fmt.Sprintf("%.3f", s.P95))
	}
	if len(r.NoRule) > 0 {
		line("")
		line("NO RULE YET", "HAPPENINGS")
		for _, c := range r.NoRule {
			line(c.Kind, fmt.Sprint(c.Happenings))
		}
	}
	if len(r.Moments) > 0 {
		line("")
		line("MOMENT", "KIND", "ZONE", "AT s", "SOURCE", "WHY")
		for _, m := range r.Moments {
			why := m.Reason.EN
			if m.Notes != "" {
				why += " (" + m.Notes + ")"
			}
			line(word(string(m.Outcome)).EN, m.Kind, m.Zone, fmt.Sprintf("%.1f", m.Offset), m.Source, why)
		}
		if m := r.MomentsLeftOut; m > 0 {
			line(fmt.Sprintf("… and %d more", m))
		}
	}
	for _, s := range r.Sources {
		if s.Error != "" {
			line("")
			line("FAILED", s.Name, s.Error)
		}
	}
	return t.Flush()
}

// String is "-" for too few happenings.
func (r *Ratio) String() string {
	if r == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f (%.2f–%.2f)", r.Value, r.Low, r.High)
}

func (s Spread) String() string { return fmt.Sprintf("%.1f/%.1f/%.1f s", s.Median, s.P90, s.Max) }
