package importer

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"videopatrol/inventory"
	"videopatrol/inventory/geo"
)

// Options says how to read a file.
type Options struct {
	// CRS is the coordinate system of rows that name none; "" is WGS-84.
	CRS geo.CRS
	// Replace removes the cameras (or cells) that the file does not name. It
	// is refused for a file with rejected rows, and when more would go than
	// the greater of 10 and a fifth, unless ExpectRemoved is exactly as many.
	Replace       bool
	ExpectRemoved *int
	// Templates are the vendors' addresses; nil means DefaultTemplates.
	Templates *Templates
	// CheckZone tells what is wrong with the rules that a zone names, such as
	// a preset that does not exist; nil means that nobody knows.
	CheckZone func(inventory.Zone) error
}

// Plan is what a file would change, and what there is to say about it.
type Plan struct {
	// Change is empty when Report.Refused is not.
	Change inventory.Change
	Report Report
}

// Report tells what a file would change, in rows.
type Report struct {
	// Base is the revision that the plan was made on.
	Base     int64 `json:"base"`
	New      int   `json:"new"`
	Changed  int   `json:"changed"`
	Same     int   `json:"same"`
	Rejected int   `json:"rejected"`
	Removed  int   `json:"removed"`
	// Refused says why nothing of the file can be applied; "" when it can.
	Refused string `json:"refused,omitempty"`
	// Faults are all the faults of the rejected rows, by line.
	Faults []Issue `json:"faults"`
	// Warnings are oddities of rows that were taken.
	Warnings []Issue `json:"warnings"`

	header   []string
	rejected []rejectedRow
}

// Issue is one place in a file that needs a person.
type Issue struct {
	// Line is where the row begins, from 1.
	Line int `json:"line"`
	// ID is the camera or cell, where it can be told.
	ID string `json:"id,omitempty"`
	// Column is the column as the file names it; "" means the whole row.
	Column string `json:"column,omitempty"`
	// Code names the kind of issue, stable for translations.
	Code string `json:"code"`
	// Value is what the cell holds, shortened; never a password.
	Value string `json:"value,omitempty"`
	// Reason says what is wrong and what to do.
	Reason string `json:"reason"`
}

// FileError is what makes a file unreadable as a whole.
type FileError struct {
	Line   int // from 1; 0 means the whole file
	Column string
	Reason string
}

// Error names the place and what to do.
func (e *FileError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d", e.Line)
		if e.Column != "" {
			fmt.Fprintf(&b, ", column %s", e.Column)
		}
		b.WriteString(": ")
	}
	return b.String() + e.Reason
}

// fault is why a cell or row is rejected.
type fault struct{ code, reason string }

func faultf(code, format string, args ...any) *fault {
	return &fault{code, fmt.Sprintf(format, args...)}
}

type rejectedRow struct {
	cells   []string // without secrets
	reasons []string
}

// planner builds a plan row by row.
type planner struct {
	o       Options
	have    inventory.Snapshot
	cameras map[string]int // id → index in have.Cameras
	named   map[string]bool
	locator *geo.Locator
	plan    Plan
}

func newPlanner(have inventory.Snapshot, o Options) *planner {
	if o.CRS == "" {
		o.CRS = geo.WGS84
	}
	if o.Templates == nil {
		o.Templates = DefaultTemplates()
	}
	if have.Grid == nil {
		have.Grid = inventory.NewGrid(nil)
	}
	p := &planner{
		o: o, have: have, locator: geo.NewLocator(have.Grid),
		cameras: make(map[string]int, len(have.Cameras)), named: map[string]bool{},
	}
	for i, c := range have.Cameras {
		p.cameras[c.ID] = i
	}
	p.plan.Change.Base = have.Revision
	p.plan.Report = Report{Base: have.Revision, Faults: []Issue{}, Warnings: []Issue{}}
	return p
}

// reject counts a row as rejected for the issues given.
func (p *planner) reject(cells []string, issues ...Issue) {
	r := &p.plan.Report
	r.Rejected++
	r.Faults = append(r.Faults, issues...)
	row := rejectedRow{cells: cells}
	for _, i := range issues {
		reason := i.Reason
		if i.Column != "" {
			reason = i.Column + ": " + reason
		}
		row.reasons = append(row.reasons, reason)
	}
	r.rejected = append(r.rejected, row)
}

func (p *planner) warn(i Issue) { p.plan.Report.Warnings = append(p.plan.Report.Warnings, i) }

// count takes a camera that passed every check into the plan, and tells
// whether it changes anything.
func (p *planner) count(c inventory.Camera) bool {
	r := &p.plan.Report
	i, known := p.cameras[c.ID]
	switch {
	case !known:
		r.New++
	case c.Equal(p.have.Cameras[i]):
		r.Same++
		return false
	default:
		r.Changed++
	}
	p.plan.Change.Cameras = append(p.plan.Change.Cameras, c)
	return true
}

// removeAbsentCameras plans the removal of the cameras that no row named.
func (p *planner) removeAbsentCameras() {
	for _, c := range p.have.Cameras {
		if !p.named[c.ID] {
			p.plan.Change.Remove = append(p.plan.Change.Remove, c.ID)
		}
	}
	n := len(p.plan.Change.Remove)
	p.plan.Report.Removed += n
	p.guard("cameras", n, len(p.have.Cameras))
}

// guard refuses a replacement that looks like a mistake.
func (p *planner) guard(what string, gone, of int) {
	r := &p.plan.Report
	switch {
	case r.Rejected > 0:
		p.refuse(fmt.Sprintf("a replacement needs a file without rejected rows, and %d were rejected: mend them first", r.Rejected))
	case gone > max(10, of/5) && (p.o.ExpectRemoved == nil || *p.o.ExpectRemoved != gone):
		p.refuse(fmt.Sprintf("%d of %d %s would be removed: if that is meant, say so by giving exactly that number", gone, of, what))
	}
}

func (p *planner) refuse(reason string) {
	if p.plan.Report.Refused == "" {
		p.plan.Report.Refused = reason
	}
}

func (p *planner) finish() Plan {
	if p.plan.Report.Refused != "" {
		p.plan.Change = inventory.Change{Base: p.have.Revision}
	}
	byLine := func(a, b Issue) int { return a.Line - b.Line }
	slices.SortStableFunc(p.plan.Report.Faults, byLine)
	slices.SortStableFunc(p.plan.Report.Warnings, byLine)
	return p.plan
}

// show is a value as an issue may repeat it: shortened, and without anything
// that would move a terminal's cursor.
func show(s string) string { return shorten(s, 60) }

func shorten(s string, most int) string {
	out := make([]rune, 0, most+1)
	for _, r := range s {
		if len(out) == most {
			return string(append(out, '…'))
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}
