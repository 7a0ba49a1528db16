package eval

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"videopatrol/detect"
	"videopatrol/inventory"
)

//go:embed report.html
var pageSource string

// page is one file: its pictures are in it, and it fetches nothing.
var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"word":    func(name any) detect.Text { return word(fmt.Sprint(name)) },
	"text":    func(zh, en string) detect.Text { return detect.Text{ZH: zh, EN: en} },
	"about":   aboutSplit,
	"percent": func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) },
	"bounds":  func(r *Ratio) string { return fmt.Sprintf("%.1f–%.1f %%", 100*r.Low, 100*r.High) },
	"grade":   grade,
	"number":  func(v float64) string { return fmt.Sprintf("%.3g", v) },
	"seconds": func(v float64) string { return fmt.Sprintf("%.1f s", v) },
	"clock":   clock,
	"jpeg": func(b []byte) template.URL {
		return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b)) //nolint:gosec // base64 of our own picture
	},
	"points": func(p inventory.Polygon) string {
		var b strings.Builder
		for _, c := range p {
			fmt.Fprintf(&b, "%.4f,%.4f ", c.X, c.Y)
		}
		return b.String()
	},
}).Parse(pageSource))

// clock writes seconds as 1:02:03 or 2:03.4.
func clock(v float64) string {
	if whole := int(v); whole >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", whole/3600, whole/60%60, whole%60)
	}
	return fmt.Sprintf("%d:%04.1f", int(v)/60, math.Mod(v, 60))
}

// grade is how a share is coloured, beside its number.
func grade(v float64) string {
	switch {
	case v >= 0.95:
		return "good"
	case v >= 0.8:
		return "fair"
	default:
		return "poor"
	}
}

// split is the part of a report that the page shows of one split.
type splitView struct {
	Split   Split
	Total   Row
	Kinds   []kindView
	Moments []momentsView
	Grid    []gridRow
}

type kindView struct {
	Row
	Groups []Row
}

type momentsView struct {
	Kind    string
	Outcome Outcome
	Moments []Moment
}

// gridRow is one degradation at its strengths.
type gridRow struct {
	Name, Notes string
	Fault       bool
	Cells       []Variant
}

// Share is how much of the fault was found, or of the sources stayed clean.
func (v Variant) Share() float64 {
	if n := v.Found + v.Missed; n > 0 {
		return float64(v.Found) / float64(n)
	}
	return 1 - min(1, float64(v.FalseFaults)/float64(max(1, v.Sources)))
}

// WriteHTML writes the report as one page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	var views []splitView
	for _, s := range []Split{SplitTest, SplitTune} {
		v := splitView{Split: s, Total: r.Total(s)}
		for _, row := range r.Rows {
			switch {
			case row.Split != s:
			case row.Group == "":
				v.Kinds = append(v.Kinds, kindView{Row: row})
			default:
				last := &v.Kinds[len(v.Kinds)-1]
				last.Groups = append(last.Groups, row)
			}
		}
		for _, m := range r.Moments {
			if m.Split != s {
				continue
			}
			n := len(v.Moments) - 1
			if n < 0 || v.Moments[n].Kind != m.Kind || v.Moments[n].Outcome != m.Outcome {
				v.Moments = append(v.Moments, momentsView{Kind: m.Kind, Outcome: m.Outcome})
				n++
			}
			v.Moments[n].Moments = append(v.Moments[n].Moments, m)
		}
		v.Grid = r.grid(s)
		if len(v.Kinds)+len(v.Moments)+len(v.Grid) > 0 {
			views = append(views, v)
		}
	}
	return page.Execute(w, struct {
		*Report
		Splits []splitView
		Fewest int
	}{r, views, Fewest})
}

func (r *Report) grid(s Split) []gridRow {
	var rows []gridRow
	for _, d := range Degradations() {
		row := gridRow{Name: d.Name, Notes: d.Notes, Fault: d.Fault != ""}
		for strength := 1; strength <= len(d.Strength); strength++ {
			name := fmt.Sprintf("%s %d", d.Name, strength)
			if i := slices.IndexFunc(r.Variants, func(v Variant) bool { return v.Split == s && v.Variant == name }); i >= 0 {
				row.Cells = append(row.Cells, r.Variants[i])
			}
		}
		if len(row.Cells) > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}
