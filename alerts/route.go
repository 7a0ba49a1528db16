package alerts

import (
	"path"
	"slices"
	"strings"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// Department is one that orders go to.
type Department struct {
	ID   string      `json:"id" yaml:"id"`
	Name detect.Text `json:"name" yaml:"name"`
	// Service names what several departments do, each in its own cells, such
	// as police_station; "" for one that is routed to by its id.
	Service string `json:"service,omitempty" yaml:"service"`
	// Cells are ids of cells of any level that it serves; none means all.
	Cells []string `json:"cells,omitempty" yaml:"cells"`
	// Level is where it stands, Above who hears of a lead that goes up.
	Level inventory.Level `json:"level,omitempty" yaml:"level"`
	Above string          `json:"above,omitempty" yaml:"above"`
	// Hours are when its desk is staffed; none means always.
	Hours []inventory.Hours `json:"hours,omitempty" yaml:"hours"`
	Desks []DutyDesk        `json:"desks,omitempty" yaml:"desks"`
	// Centre marks another centre that leads are transferred to.
	Centre bool `json:"centre,omitempty" yaml:"centre"`
}

// DutyDesk is a desk of a department's roster and how to reach it. It names no
// person.
type DutyDesk struct {
	Name  string            `json:"name" yaml:"name"`
	Phone string            `json:"phone,omitempty" yaml:"phone"`
	Hours []inventory.Hours `json:"hours,omitempty" yaml:"hours"`
}

// Route says which departments get the orders of a lead.
type Route struct {
	Name string `json:"name" yaml:"name"`
	// Kinds are patterns such as fire or *; none means all. Cells are ids of
	// cells of any level, Hours local time; none means all.
	Kinds []string          `json:"kinds,omitempty" yaml:"kinds"`
	Cells []string          `json:"cells,omitempty" yaml:"cells"`
	Hours []inventory.Hours `json:"hours,omitempty" yaml:"hours"`
	// Lead, Joint and Copies are ids or services of departments.
	Lead   string   `json:"lead" yaml:"lead"`
	Joint  []string `json:"joint,omitempty" yaml:"joint"`
	Copies []string `json:"copies,omitempty" yaml:"copies"`
}

// Proposal is who should get the orders of a lead. Without a Lead it says Why
// there is none.
type Proposal struct {
	Route  string   `json:"route,omitempty"`
	Lead   string   `json:"lead,omitempty"`
	Joint  []string `json:"joint"`
	Copies []string `json:"copies"`
	Why    string   `json:"why"`
}

// Departments are those that do the work, the leading one first.
func (p Proposal) Departments() []string {
	if p.Lead == "" {
		return nil
	}
	return append([]string{p.Lead}, p.Joint...)
}

// Propose says who should get the orders of a lead of a kind in a place, at a
// time. The first route that fits and whose leading department is staffed
// wins; joint departments and copies that are not staffed are left out, and
// Why names them. level is how many levels up the lead has gone: each goes to
// the department above, where there is one.
func (r *Routes) Propose(kind detect.Kind, cells []string, at time.Time, level int) Proposal {
	none := Proposal{Joint: []string{}, Copies: []string{}, Why: "no route is for this kind, place and hour"}
	if r == nil {
		none.Why = "there are no routes"
		return none
	}
	at = at.In(r.zone)
	for _, route := range r.routes {
		if !route.fits(kind, cells, at) {
			continue
		}
		lead, why := r.staffed(route.Lead, cells, at)
		if lead == "" {
			none.Why = "route " + route.Name + ": " + why
			continue
		}
		p := Proposal{Route: route.Name, Lead: r.up(lead, level), Joint: []string{}, Copies: []string{}, Why: "route " + route.Name}
		add := func(list []string, names []string) []string {
			for _, name := range names {
				id, why := r.staffed(name, cells, at)
				if id == "" {
					p.Why += "; " + why
				} else if id = r.up(id, level); id != p.Lead && !slices.Contains(p.Joint, id) && !slices.Contains(list, id) {
					list = append(list, id)
				}
			}
			return list
		}
		p.Joint = add(p.Joint, route.Joint)
		p.Copies = add(p.Copies, route.Copies)
		return p
	}
	return none
}

func (r Route) fits(kind detect.Kind, cells []string, at time.Time) bool {
	return fitsKind(r.Kinds, kind) && (len(r.Cells) == 0 || overlap(r.Cells, cells)) && within(r.Hours, at)
}

// fitsKind tells whether a kind is one of some patterns; none means all.
func fitsKind(patterns []string, kind detect.Kind) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, string(kind))
		return ok && err == nil
	})
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// within tells whether a local time lies in one of the hours; none means
// always.
func within(hours []inventory.Hours, at time.Time) bool {
	return len(hours) == 0 || slices.ContainsFunc(hours, func(h inventory.Hours) bool { return h.Contain(at) })
}

// staffed is the staffed department of an id, or of a service the one that
// serves the smallest of the cells; "" and why when there is none. cells come
// from the top of the grid down.
func (r *Routes) staffed(name string, cells []string, at time.Time) (id, why string) {
	if d, ok := r.Department(name); ok {
		if !within(d.Hours, at) {
			return "", "not staffed then: " + name
		}
		return name, ""
	}
	depth := -1
	var away []string
	for _, d := range r.departments {
		if d.Service != name {
			continue
		}
		serves := -1
		for i, c := range cells {
			if slices.Contains(d.Cells, c) {
				serves = i
			}
		}
		if len(d.Cells) > 0 && serves < 0 {
			continue
		}
		if !within(d.Hours, at) {
			away = append(away, d.ID)
			continue
		}
		if id == "" || serves > depth {
			id, depth = d.ID, serves
		}
	}
	switch {
	case id != "":
		return id, ""
	case len(away) > 0:
		return "", "not staffed then: " + strings.Join(away, ", ")
	}
	return "", "no " + name + " serves this place"
}

// up is the department so many levels above; the highest there is.
func (r *Routes) up(id string, levels int) string {
	for range levels {
		d, _ := r.Department(id)
		if d.Above == "" {
			break
		}
		id = d.Above
	}
	return id
}

// CellsOf are the ids of a lead's cells, from the top down.
func CellsOf(grid []GridRef) []string {
	ids := make([]string, len(grid))
	for i, g := range grid {
		ids[i] = g.ID
	}
	return ids
}
