package importer

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"videopatrol/inventory"
	"videopatrol/inventory/geo"
)

const excelHint = "在 Excel 中将该列设为文本 / format the column as text in Excel"

var (
	idPattern    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	excelPattern = regexp.MustCompile(`^\d(\.\d+)?[eE]\+?\d+$`)
)

// Cameras plans the import of a camera file in CSV. have is what the plan
// starts from. The error is a *FileError where a person can mend the file.
func Cameras(r io.Reader, have inventory.Snapshot, o Options) (Plan, error) {
	t, err := readTable(r)
	if err != nil {
		return Plan{}, err
	}
	p := newPlanner(have, o)
	p.plan.Report.header = t.header
	idField := slices.Index(t.columns, columnID)
	seen := newIDs()
	err = t.each(func(line int, record []string) {
		if len(record) == len(t.columns) {
			seen.add(strings.TrimSpace(record[idField]), line)
		}
	})
	if err != nil {
		return Plan{}, err
	}
	rw := row{headers: make([]string, len(columns))}
	for i, c := range t.columns {
		if c != nil {
			rw.headers[c.at] = t.header[i]
		}
	}
	err = t.each(func(line int, record []string) {
		if issue, ok := misshapen(line, record, t); ok {
			p.reject(t.withoutSecrets(record), issue)
			return
		}
		rw.line = line
		rw.cells = [columnCount]string{}
		for i, c := range t.columns {
			if c != nil {
				rw.cells[c.at] = record[i]
			}
		}
		if issues := p.camera(&rw, seen); len(issues) > 0 {
			p.reject(t.withoutSecrets(record), issues...)
		}
	})
	if err != nil {
		return Plan{}, err
	}
	if o.Replace {
		p.removeAbsentCameras()
	}
	return p.finish(), nil
}

// misshapen tells why a row is no row of the table.
func misshapen(line int, record []string, t *table) (Issue, bool) {
	switch {
	case record == nil:
		return Issue{Line: line, Code: "quotes", Reason: "the row cannot be read: a quotation mark inside a quoted cell is written twice"}, true
	case len(record) != len(t.columns):
		return Issue{Line: line, Code: "cells", Reason: fmt.Sprintf("the row has %d cells and the header %d: put cells that hold a %q into quotation marks", len(record), len(t.columns), t.comma)}, true
	}
	return Issue{}, false
}

// withoutSecrets is a row as it may be written out again. Where the cells do
// not fit the header, nobody knows which one is the password: only those
// before the first that may hold one are kept.
func (t *table) withoutSecrets(record []string) []string {
	cells := make([]string, len(t.columns))
	for i := range min(len(cells), len(record)) {
		c := t.columns[i]
		if len(record) != len(cells) && c != nil && c != columnID {
			break
		}
		cells[i] = record[i]
		switch {
		case c == columnPassword:
			cells[i] = ""
		case c == columnAddress, strings.Contains(record[i], "://"):
			cells[i] = hideLogin(record[i])
		}
	}
	return cells
}

const columnCount = 23

// row is one camera as a file gives it.
type row struct {
	line    int
	headers []string // by column: what the file calls it
	cells   [columnCount]string
}

func (r *row) issue(c *column, f *fault) Issue {
	name := r.headers[c.at]
	if name == "" {
		name = c.name
	}
	return Issue{
		Line: r.line, ID: show(strings.TrimSpace(r.cells[columnID.at])), Column: name,
		Code: f.code, Value: c.show(strings.TrimSpace(r.cells[c.at])), Reason: f.reason,
	}
}

// ids are the ids of a file and where each is.
type ids struct {
	first map[string]int
	again map[string]int // the second line of ids that come more than once
}

func newIDs() ids { return ids{map[string]int{}, map[string]int{}} }

func (s ids) add(id string, line int) {
	if _, ok := s.first[id]; !ok {
		s.first[id] = line
	} else if _, ok := s.again[id]; !ok {
		s.again[id] = line
	}
}

// check tells why an id cannot be taken.
func (s ids) check(id string, line int) *fault {
	other, twice := s.again[id]
	if twice && other == line {
		other = s.first[id]
	}
	switch {
	case id == "":
		return faultf("id_missing", "the row has no id: every row needs one")
	case excelPattern.MatchString(id):
		return faultf("excel", "Excel turned the code into a number and lost its last digits: take it from the source again. %s", excelHint)
	case !idPattern.MatchString(id):
		return faultf("id", "an id is 1 to 64 letters, digits, dots, underscores or hyphens")
	case twice && isGBCode(id) && strings.HasSuffix(id, "00000"):
		return faultf("excel", "line %d has the same code, and both end in zeros: Excel cut them to 15 digits. Take them from the source again. %s", other, excelHint)
	case twice:
		return faultf("duplicate", "line %d has the same id, so neither is taken: keep one", other)
	}
	return nil
}

// camera plans one row; it returns why it is rejected.
func (p *planner) camera(r *row, seen ids) []Issue {
	id := strings.TrimSpace(r.cells[columnID.at])
	p.named[id] = true
	if f := seen.check(id, r.line); f != nil {
		return []Issue{r.issue(columnID, f)}
	}
	d := draft{crs: p.o.CRS, checkZone: p.o.CheckZone}
	i, known := p.cameras[id]
	if known {
		d.Camera = p.have.Cameras[i]
	} else {
		d.Camera = inventory.Camera{ID: id, Patrol: inventory.Patrol{Tier: inventory.TierNormal}}
	}
	var issues []Issue
	failed := [columnCount]bool{}
	fail := func(c *column, f *fault) {
		if f != nil && !failed[c.at] {
			failed[c.at] = true
			issues = append(issues, r.issue(c, f))
		}
	}
	fail(columnCRS, r.take(&d, columnCRS)) // the coordinates of the others depend on it
	for _, c := range columns {
		if c != columnCRS {
			fail(c, r.take(&d, c))
		}
	}
	if len(issues) == 0 {
		c, f := d.place()
		fail(c, f)
		c, f = d.derive(r, p.o.Templates)
		fail(c, f)
	}
	if !known {
		for _, m := range d.missing() {
			fail(m.column, m.fault)
		}
	}
	if len(issues) == 0 && d.Streams.Patrolled() == "" && d.Streams.Still == "" {
		issues = append(issues, Issue{Line: r.line, ID: id, Code: "no_stream", Reason: "the camera has no address: fill in sub, main or still, or vendor and address"})
	}
	if len(issues) == 0 {
		fail(columnMode, d.checkMode())
	}
	if len(issues) > 0 {
		return issues
	}
	if p.count(d.Camera) {
		p.doubts(r, d.Camera)
	}
	return nil
}

// take reads one cell into the draft.
func (r *row) take(d *draft, c *column) *fault {
	cell := r.cells[c.at]
	if c != columnPassword {
		cell = strings.TrimSpace(cell)
	}
	switch {
	case cell == "":
		return nil
	case cell != "-" || c == columnID:
		return c.set(d, cell)
	case c.clear == nil:
		return faultf("clear", "this column cannot be cleared: leave the cell empty to keep what is there")
	}
	c.clear(d)
	return nil
}

// doubts warns of what is odd about a camera that was taken.
func (p *planner) doubts(r *row, c inventory.Camera) {
	if isGBCode(c.ID) {
		if kind := c.ID[10:13]; kind != "131" && kind != "132" {
			p.warn(r.issue(columnID, faultf("gb_type", "the code says type %s (digits 11 to 13), and cameras are 131 or 132: check that it is not a recorder's or platform's code", kind)))
		}
		if strings.HasSuffix(c.ID, "00000") {
			p.warn(r.issue(columnID, faultf("gb_zeros", "the code ends in zeros, as Excel leaves it when it cuts a code to 15 digits: compare it with the source. %s", excelHint)))
		}
	}
	if s := c.Streams; c.Link.Pin != "" && !strings.HasPrefix(s.Patrolled(), "rtsps:") && !strings.HasPrefix(s.Still, "https:") {
		p.warn(r.issue(columnPin, faultf("pin_unused", "a certificate is pinned, and the camera is reached without TLS: use addresses with rtsps:// and https://, or clear the pin")))
	}
	if swapped := (inventory.Position{Lat: c.Position.Lon, Lon: c.Position.Lat}); !geo.InChina(c.Position) && geo.InChina(swapped) {
		p.warn(r.issue(columnLat, faultf("swapped", "latitude and longitude look swapped")))
	} else if !p.locator.Empty() && p.locator.Subcell(c.Position) == "" {
		p.warn(r.issue(columnLat, faultf("no_cell", "the camera stands in no cell of the grid: check its position and coordinate system")))
	}
}

// isGBCode tells whether an id is a GB/T 28181 code of 20 digits.
func isGBCode(id string) bool {
	return len(id) == 20 && strings.Trim(id, "0123456789") == ""
}

// draft is a camera in the making.
type draft struct {
	inventory.Camera
	crs      geo.CRS
	lat, lon *float64

	vendor, address string
	channel         int

	checkZone func(inventory.Zone) error
}

// derive makes the addresses that the row does not give from the vendor's
// template; one that is "-" stays cleared.
func (d *draft) derive(r *row, t *Templates) (*column, *fault) {
	switch {
	case d.vendor == "" && d.address == "" && d.channel == 0:
		return columnVendor, nil
	case d.vendor == "":
		return columnVendor, faultf("vendor", "an address or channel says nothing without the vendor: fill it in, or give main and sub")
	case d.address == "":
		return columnAddress, faultf("address", "the vendor's addresses need the host: fill in host or host:port")
	}
	made, err := t.Apply(d.vendor, d.address, d.channel)
	if err != nil {
		return columnVendor, faultf("vendor", "%s", err.Error())
	}
	for _, x := range []struct {
		column *column
		to     *string
		made   string
	}{{columnMain, &d.Streams.Main, made.Main}, {columnSub, &d.Streams.Sub, made.Sub}, {columnStill, &d.Streams.Still, made.Still}} {
		if strings.TrimSpace(r.cells[x.column.at]) == "" {
			*x.to = x.made
		}
	}
	return columnVendor, nil
}

// checkMode tells whether the camera has the address that its mode needs.
func (d *draft) checkMode() *fault {
	switch m := d.Patrol.Mode; {
	case m == inventory.ModeStill && d.Streams.Still == "":
		return faultf("mode", "the mode still needs the address of a picture: fill in still")
	case (m == inventory.ModeResident || m == inventory.ModeVisit) && d.Streams.Patrolled() == "":
		return faultf("mode", "the mode %s needs the address of a stream: fill in sub or main", m)
	}
	return nil
}

// place gives the draft the position that lat, lon and crs say together.
func (d *draft) place() (*column, *fault) {
	switch {
	case d.lat == nil && d.lon == nil:
		return columnLat, nil
	case d.lat == nil:
		return columnLat, faultf("position", "lon is given without lat: give both or neither")
	case d.lon == nil:
		return columnLon, faultf("position", "lat is given without lon: give both or neither")
	}
	at, f := position(*d.lat, *d.lon, d.crs)
	if f == nil {
		d.Position = at
	}
	return columnLat, f
}

// position checks coordinates and turns them into WGS-84.
func position(lat, lon float64, crs geo.CRS) (inventory.Position, *fault) {
	p := inventory.Position{Lat: lat, Lon: lon}
	switch swapped := (inventory.Position{Lat: lon, Lon: lat}); {
	case math.IsNaN(lat) || math.IsNaN(lon) || math.Abs(lon) > 180 || math.Abs(lat) > 180:
		return p, faultf("position", "lat must lie in -90..90 and lon in -180..180: check both")
	case math.Abs(lat) > 90:
		return p, faultf("swapped", "lat must lie in -90..90: latitude and longitude look swapped")
	case lat == 0 && lon == 0:
		return p, faultf("position", "0, 0 is no camera's place: leave both cells empty if it is not known")
	case crs != geo.WGS84 && !geo.InChina(p) && geo.InChina(swapped):
		return p, faultf("swapped", "the place lies outside China, where %s does not apply: latitude and longitude look swapped", crs)
	}
	if crs != geo.WGS84 {
		// A centimetre is finer than any survey.
		p = crs.ToWGS84(p)
		p.Lat, p.Lon = math.Round(p.Lat*1e7)/1e7, math.Round(p.Lon*1e7)/1e7
	}
	return p, nil
}

type missing struct {
	column *column
	fault  *fault
}

// missing tells what a camera that is new still lacks.
func (d *draft) missing() []missing {
	var all []missing
	if d.Name == "" {
		all = append(all, missing{columns[1], faultf("missing", "a new camera needs a name")})
	}
	if d.lat == nil && d.lon == nil {
		all = append(all, missing{columnLat, faultf("missing", "a new camera needs lat and lon")})
	}
	return all
}
