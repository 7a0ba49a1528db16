package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"videopatrol/inventory"
	"videopatrol/inventory/geo"
)

// maxPositions bounds one ring of a cell.
const maxPositions = 20_000

// GeoJSON plans the import of a FeatureCollection (RFC 7946): polygons with
// the properties code, name, level and parent are cells of the grid; points
// are cameras, their properties named as the columns of the camera file. The
// error is a *FileError.
func GeoJSON(r io.Reader, have inventory.Snapshot, o Options) (Plan, error) {
	data, err := readAll(r)
	if err != nil {
		return Plan{}, err
	}
	features, err := readFeatures(bytes.TrimPrefix(data, []byte(bom)))
	if err != nil {
		return Plan{}, err
	}
	p := newPlanner(have, o)
	var areas, points []feature
	for _, f := range features {
		switch f.Geometry.Type {
		case "Polygon", "MultiPolygon":
			areas = append(areas, f)
		case "Point":
			points = append(points, f)
		default:
			p.reject(nil, Issue{Line: f.line, Column: "geometry", Code: "geometry", Value: show(f.Geometry.Type), Reason: "want a Polygon or MultiPolygon for a cell, or a Point for a camera"})
		}
	}
	if len(areas) > 0 {
		p.cells(areas)
	}
	p.points(points)
	if o.Replace && len(points) > 0 {
		p.removeAbsentCameras()
	}
	return p.finish(), nil
}

type feature struct {
	line       int
	Type       string                     `json:"type"`
	Properties map[string]json.RawMessage `json:"properties"`
	Geometry   struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
	} `json:"geometry"`
}

// property is a property as text: a number as it is written, anything deeper
// as JSON.
func (f feature) property(name string) string {
	raw := f.Properties[name]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return strings.TrimSpace(s) // null gives "", too
	}
	return string(raw)
}

// readFeatures reads the features of a collection and where each begins.
func readFeatures(data []byte) ([]feature, error) {
	if !utf8.Valid(data) {
		return nil, &FileError{Reason: "the text is not UTF-8, as GeoJSON must be"}
	}
	var (
		dec      = json.NewDecoder(bytes.NewReader(data))
		lines    = lineCounter{data: data, line: 1}
		features []feature
		kind     string
		found    bool
	)
	broken := func(err error) error {
		return &FileError{Line: lines.at(dec.InputOffset()), Reason: fmt.Sprintf("this is not readable as GeoJSON: %v", shorten(err.Error(), 200))}
	}
	if err := expect(dec, '{'); err != nil {
		return nil, broken(err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, broken(err)
		}
		switch key {
		case "features":
			if found {
				return nil, broken(fmt.Errorf("two lists of features"))
			}
			found = true
			if err := expect(dec, '['); err != nil {
				return nil, broken(err)
			}
			for dec.More() {
				f := feature{}
				f.line = lines.at(next(data, dec.InputOffset()))
				if err := dec.Decode(&f); err != nil {
					return nil, broken(err)
				}
				features = append(features, f)
			}
			err = expect(dec, ']')
		case "type":
			err = dec.Decode(&kind)
		case "crs":
			err = checkCRS(dec)
		default:
			var skipped json.RawMessage
			err = dec.Decode(&skipped)
		}
		if err != nil {
			return nil, broken(err)
		}
	}
	if err := expect(dec, '}'); err != nil {
		return nil, broken(err)
	}
	if _, err := dec.Token(); err == nil {
		return nil, broken(fmt.Errorf("more text behind the end"))
	}
	if kind != "FeatureCollection" || !found {
		return nil, &FileError{Line: 1, Reason: `want a GeoJSON object with "type":"FeatureCollection" and "features"`}
	}
	return features, nil
}

func expect(dec *json.Decoder, want json.Delim) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return fmt.Errorf("want %v", want)
	}
	return nil
}

// checkCRS refuses the "crs" member of old GeoJSON unless it says WGS-84.
func checkCRS(dec *json.Decoder) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	text := strings.ToUpper(string(raw))
	if text == "NULL" || strings.Contains(text, "CRS84") || strings.Contains(text, "4326") || strings.Contains(text, "4490") {
		return nil
	}
	return fmt.Errorf(`the member "crs" names another system than WGS-84: export the file again in EPSG:4326`)
}

// next is the offset of the value that begins at or after offset.
func next(data []byte, offset int64) int64 {
	for offset < int64(len(data)) && strings.IndexByte(" \t\r\n,", data[offset]) >= 0 {
		offset++
	}
	return offset
}

// lineCounter turns growing offsets into lines.
type lineCounter struct {
	data []byte
	seen int64
	line int
}

func (l *lineCounter) at(offset int64) int {
	offset = min(max(offset, l.seen), int64(len(l.data)))
	l.line += bytes.Count(l.data[l.seen:offset], []byte("\n"))
	l.seen = offset
	return l.line
}

// points plans cameras that are given as points.
func (p *planner) points(points []feature) {
	seen := newIDs()
	rows := make([]row, len(points))
	for i, f := range points {
		r := row{line: f.line, headers: make([]string, len(columns))}
		for _, name := range slices.Sorted(maps.Keys(f.Properties)) {
			if c, err := findColumn(name); err == nil && c != nil {
				r.headers[c.at] = name
				if r.cells[c.at] = f.property(name); c == columnPassword {
					r.cells[c.at] = f.secret(name)
				}
			}
		}
		var at []float64
		if err := json.Unmarshal(f.Geometry.Coordinates, &at); err == nil && len(at) >= 2 {
			r.cells[columnLon.at], r.cells[columnLat.at] = degrees(at[0]), degrees(at[1])
		} else {
			r.cells[columnLat.at] = "geometry"
		}
		seen.add(r.cells[columnID.at], f.line)
		rows[i] = r
	}
	for i := range rows {
		if issues := p.camera(&rows[i], seen); len(issues) > 0 {
			p.reject(nil, issues...)
		}
	}
}

// secret is a property as it is, spaces included.
func (f feature) secret(name string) string {
	var s string
	_ = json.Unmarshal(f.Properties[name], &s) // anything but text is no password
	return s
}

// cells plans the grid.
func (p *planner) cells(areas []feature) {
	seen := newIDs()
	for _, f := range areas {
		seen.add(f.property("code"), f.line)
	}
	given := map[string]inventory.Cell{}
	line := map[string]int{}
	var order []string
	for _, f := range areas {
		c, issue := readCell(f, seen, p.o.CRS)
		if issue != nil {
			p.reject(nil, *issue)
			continue
		}
		given[c.ID], line[c.ID] = c, f.line
		order = append(order, c.ID)
	}
	kept := func(id string) (inventory.Cell, bool) {
		if c, ok := given[id]; ok || p.o.Replace {
			return c, ok
		}
		return p.have.Grid.Cell(id)
	}
	// A rejected parent takes its children along: again until all stand.
	for again := true; again; {
		again = false
		for _, id := range order {
			c, ok := given[id]
			if !ok {
				continue
			}
			if f := checkParent(c, kept); f != nil {
				delete(given, id)
				p.reject(nil, Issue{Line: line[id], ID: id, Column: "parent", Code: f.code, Value: show(c.Parent), Reason: f.reason})
				again = true
			}
		}
	}
	p.mergeCells(order, given)
}

// mergeCells makes the new grid of the cells that stand.
func (p *planner) mergeCells(order []string, given map[string]inventory.Cell) {
	r := &p.plan.Report
	grid := []inventory.Cell{}
	taken := map[string]bool{}
	gone := 0
	for _, old := range p.have.Grid.Cells {
		c, ok := given[old.ID]
		switch {
		case ok && c.Equal(old):
			r.Same++
		case ok:
			r.Changed++
		case p.o.Replace:
			gone++
			continue
		default:
			c = old
		}
		taken[old.ID] = true
		grid = append(grid, c)
	}
	for _, id := range order {
		if c, ok := given[id]; ok && !taken[id] {
			r.New++
			grid = append(grid, c)
		}
	}
	r.Removed += gone
	if p.o.Replace {
		p.guard("cells", gone, len(p.have.Grid.Cells))
	}
	if !slices.ContainsFunc(grid, func(c inventory.Cell) bool { return c.Level == inventory.LevelSubcell }) {
		p.refuse("the grid would have no sub-cell (level subcell), and cameras stand in sub-cells: add them to the file")
	}
	// A cell that stays must not lose its parent, nor find it at its own level.
	now := inventory.NewGrid(grid)
	for _, c := range grid {
		if f := checkParent(c, now.Cell); f != nil {
			p.refuse(fmt.Sprintf("cell %s: %s", c.ID, f.reason))
			break
		}
	}
	p.locator = geo.NewLocator(now)
	p.plan.Change.Cells = grid
}

// height orders the levels from the top.
func height(l inventory.Level) int {
	return slices.Index([]inventory.Level{inventory.LevelCity, inventory.LevelTown, inventory.LevelCell, inventory.LevelSubcell}, l)
}

// checkParent tells what is wrong with a cell's parent. Because a parent
// stands higher, there are no loops.
func checkParent(c inventory.Cell, find func(string) (inventory.Cell, bool)) *fault {
	if c.Parent == "" {
		if c.Level == inventory.LevelCity || c.Level == inventory.LevelTown {
			return nil
		}
		return faultf("parent", "a %s needs a parent: give the code of the area around it", c.Level)
	}
	parent, ok := find(c.Parent)
	switch {
	case !ok:
		return faultf("parent", "there is no such cell, or it was rejected: add it to the file")
	case height(parent.Level) >= height(c.Level):
		return faultf("parent", "the parent is a %s, which does not stand above a %s", parent.Level, c.Level)
	}
	return nil
}

var levels = map[string]inventory.Level{
	"city": inventory.LevelCity, "市": inventory.LevelCity,
	"town": inventory.LevelTown, "镇街": inventory.LevelTown, "镇": inventory.LevelTown, "街道": inventory.LevelTown,
	"cell": inventory.LevelCell, "一级网格": inventory.LevelCell,
	"subcell": inventory.LevelSubcell, "二级网格": inventory.LevelSubcell,
}

// readCell reads one feature; nil means that nothing is wrong with it by
// itself.
func readCell(f feature, seen ids, crs geo.CRS) (inventory.Cell, *Issue) {
	c := inventory.Cell{ID: f.property("code"), Parent: f.property("parent")}
	issue := func(column string, fl *fault) *Issue {
		value := ""
		if column != "geometry" {
			value = show(f.property(column))
		}
		return &Issue{Line: f.line, ID: show(c.ID), Column: column, Code: fl.code, Value: value, Reason: fl.reason}
	}
	if f.Type != "Feature" {
		return c, issue("type", faultf("type", "want a Feature"))
	}
	if fl := seen.check(c.ID, f.line); fl != nil {
		return c, issue("code", fl)
	}
	name := f.property("name")
	if name == "" {
		return c, issue("name", faultf("missing", "a cell needs a name"))
	}
	if fl := setText(&c.Name, name); fl != nil {
		return c, issue("name", fl)
	}
	var ok bool
	if c.Level, ok = levels[strings.ToLower(f.property("level"))]; !ok {
		return c, issue("level", faultf("level", "want city, town, cell or subcell"))
	}
	var fl *fault
	if c.Area, fl = readArea(f, crs); fl != nil {
		return c, issue("geometry", fl)
	}
	return c, nil
}

func readArea(f feature, crs geo.CRS) ([][][]inventory.Position, *fault) {
	var multi [][][][]float64
	var err error
	if f.Geometry.Type == "Polygon" {
		multi = make([][][][]float64, 1)
		err = json.Unmarshal(f.Geometry.Coordinates, &multi[0])
	} else {
		err = json.Unmarshal(f.Geometry.Coordinates, &multi)
	}
	if err != nil {
		return nil, faultf("geometry", "the coordinates are not those of a %s: export the file again", f.Geometry.Type)
	}
	if len(multi) == 0 {
		return nil, faultf("geometry", "the cell has no area")
	}
	area := make([][][]inventory.Position, len(multi))
	for i, rings := range multi {
		if len(rings) == 0 {
			return nil, faultf("geometry", "polygon %d has no ring", i+1)
		}
		for j, coordinates := range rings {
			ring, fl := readRing(coordinates, crs)
			if fl != nil {
				return nil, faultf(fl.code, "polygon %d, ring %d: %s", i+1, j+1, fl.reason)
			}
			if j > 0 && !geo.InArea(area[i][:1], ring[0]) {
				return nil, faultf("hole", "polygon %d, ring %d: the hole lies outside the outline", i+1, j+1)
			}
			area[i] = append(area[i], ring)
		}
	}
	return area, nil
}

func readRing(coordinates [][]float64, crs geo.CRS) ([]inventory.Position, *fault) {
	if len(coordinates) < 4 || len(coordinates) > maxPositions {
		return nil, faultf("ring", "the ring has %d positions: want 4 to %d", len(coordinates), maxPositions)
	}
	ring := make([]inventory.Position, len(coordinates))
	plane := make([]geo.XY, len(coordinates))
	for i, c := range coordinates {
		if len(c) < 2 || math.Abs(c[0]) > 180 || math.Abs(c[1]) > 90 {
			return nil, faultf("ring", "position %d is not [lon, lat] in degrees: lon in -180..180 comes first, then lat in -90..90", i+1)
		}
		plane[i] = geo.XY{c[0], c[1]}
		ring[i] = crs.ToWGS84(inventory.Position{Lat: c[1], Lon: c[0]})
	}
	last := len(plane) - 1
	if plane[0] != plane[last] {
		return nil, faultf("ring", "the ring is not closed: its last position must repeat the first")
	}
	if i, j, crossed := geo.Crossing(plane[:last]); crossed {
		return nil, faultf("crossing", "the ring crosses or touches itself at the edges from positions %d and %d: repair it in the map program", i+1, j+1)
	}
	return ring, nil
}
