package alerts

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// Hole is when leads of a kind have no owner: no department that is staffed
// and leads the work.
type Hole struct {
	Kinds []detect.Kind `json:"kinds"`
	// Cells are the first-level cells; Whole is set when they are all there are.
	Cells []string `json:"cells"`
	Whole bool     `json:"whole"`
	// Hours are ranges of the week, local time, such as "mon 18:00 – tue 08:00".
	Hours []string `json:"hours"`
	Why   string   `json:"why"`
}

// String is the hole as one line.
func (h Hole) String() string {
	kinds := make([]string, len(h.Kinds))
	for i, k := range h.Kinds {
		kinds[i] = string(k)
	}
	cells := "all cells"
	if !h.Whole {
		const shown = 5
		cells = strings.Join(h.Cells[:min(shown, len(h.Cells))], ", ")
		if more := len(h.Cells) - shown; more > 0 {
			cells += fmt.Sprintf(" and %d more", more)
		}
	}
	return fmt.Sprintf("%s in %s, %s: %s", strings.Join(kinds, ", "), cells, strings.Join(h.Hours, "; "), h.Why)
}

// week is a Sunday on which no clock is changed anywhere, from which a week of
// minutes is counted. Hours are of local time: any week is like another.
var week = time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)

const minutesOfWeek = 7 * 24 * 60

// Holes lists every kind, first-level cell and hour of the week that has no
// owner, compressed: ranges of hours, cells and kinds with the same hours
// together. Without a grid it is asked of the cells that the routes name, and
// of one that none names.
func (r *Routes) Holes(grid *inventory.Grid) []Hole {
	at := *r
	at.zone = time.UTC
	cells := r.cellsToAsk(grid)
	edges := r.edges()
	type group struct{ hours, why string }
	type where struct{ cells, hours, why string }
	merged := map[where]*Hole{}
	for _, kind := range Kinds() {
		groups := map[group][]string{}
		for _, cell := range slices.Sorted(maps.Keys(cells)) {
			hours, why := at.unowned(kind, cells[cell], edges)
			if len(hours) > 0 {
				key := group{strings.Join(hours, "\n"), why}
				groups[key] = append(groups[key], cell)
			}
		}
		for g, in := range groups {
			key := where{strings.Join(in, "\n"), g.hours, g.why}
			if merged[key] == nil {
				merged[key] = &Hole{Cells: in, Whole: len(in) == len(cells), Hours: strings.Split(g.hours, "\n"), Why: g.why}
			}
			merged[key].Kinds = append(merged[key].Kinds, kind)
		}
	}
	holes := make([]Hole, 0, len(merged))
	for _, h := range merged {
		holes = append(holes, *h)
	}
	slices.SortFunc(holes, func(a, b Hole) int { return cmp.Compare(a.String(), b.String()) })
	return holes
}

// cellsToAsk are the paths of the first-level cells, by id.
func (r *Routes) cellsToAsk(grid *inventory.Grid) map[string][]string {
	cells := map[string][]string{}
	if grid != nil {
		for _, c := range grid.Cells {
			if c.Level == inventory.LevelCell {
				for _, p := range grid.Path(c.ID) {
					cells[c.ID] = append(cells[c.ID], p.ID)
				}
			}
		}
		if len(cells) > 0 {
			return cells
		}
	}
	cells["any other cell"] = nil
	for _, d := range r.departments {
		for _, c := range d.Cells {
			cells[c] = []string{c}
		}
	}
	for _, route := range r.routes {
		for _, c := range route.Cells {
			cells[c] = []string{c}
		}
	}
	return cells
}

// edges are the minutes of the week at which the answer may change.
func (r *Routes) edges() []int {
	at := map[int]bool{0: true}
	add := func(hours []inventory.Hours) {
		for _, h := range hours {
			for day := range 7 {
				at[day*24*60+h.From%(24*60)] = true
				at[day*24*60+h.To%(24*60)] = true
			}
		}
	}
	for _, d := range r.departments {
		add(d.Hours)
	}
	for _, route := range r.routes {
		add(route.Hours)
	}
	return slices.Sorted(maps.Keys(at))
}

// unowned are the ranges of the week in which a kind has no owner in a cell,
// and why in the first of them.
func (r *Routes) unowned(kind detect.Kind, cells []string, edges []int) (hours []string, why string) {
	var spans [][2]int
	from := -1
	end := func(to int) {
		if from >= 0 {
			spans = append(spans, [2]int{from, to})
			from = -1
		}
	}
	for _, m := range edges {
		p := r.Propose(kind, cells, week.Add(time.Duration(m)*time.Minute), 0)
		if p.Lead != "" {
			end(m)
			continue
		}
		if from < 0 {
			from = m
		}
		why = cmp.Or(why, p.Why)
	}
	end(minutesOfWeek)
	// One that goes on into the next week is one.
	if n := len(spans); n > 1 && spans[0][0] == 0 && spans[n-1][1] == minutesOfWeek {
		spans[n-1][1] += spans[0][1]
		spans = spans[1:]
	}
	for _, s := range spans {
		hours = append(hours, span(s[0], s[1]))
	}
	return daily(hours), why
}

func span(from, to int) string {
	if to-from == minutesOfWeek {
		return "always"
	}
	a, b := week.Add(time.Duration(from)*time.Minute), week.Add(time.Duration(to)*time.Minute)
	return strings.ToLower(a.Format("Mon 15:04") + " – " + b.Format("Mon 15:04"))
}

// daily says a range once that is the same on each of the seven days.
func daily(hours []string) []string {
	byClock := map[string]int{}
	for _, h := range hours {
		byClock[clockOf(h)]++
	}
	var out []string
	for _, h := range hours {
		c := clockOf(h)
		switch {
		case byClock[c] < 7:
			out = append(out, h)
		case !slices.Contains(out, "daily "+c):
			out = append(out, "daily "+c)
		}
	}
	return out
}

// clockOf is a range without its days: "mon 18:00 – tue 08:00" is
// "18:00 – 08:00".
func clockOf(h string) string {
	if f := strings.Fields(h); len(f) == 5 {
		return f[1] + " – " + f[4]
	}
	return h
}
