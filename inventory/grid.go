package inventory

// Level is the height of a cell in the administrative grid.
type Level string

// The levels of the grid, from the top.
const (
	LevelCity    Level = "city"    // 市
	LevelTown    Level = "town"    // 镇街
	LevelCell    Level = "cell"    // 一级网格
	LevelSubcell Level = "subcell" // 二级网格
)

// Cell is one area of the administrative grid.
type Cell struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Level  Level  `json:"level"`
	Parent string `json:"parent,omitempty"`
	// Area holds the cell's polygons, each as rings: the outer one first,
	// then its holes. A ring repeats its first point at its end (RFC 7946).
	Area [][][]Position `json:"-"`
}

// Grid is the whole administrative grid.
type Grid struct {
	Cells []Cell
	index map[string]int
}

// NewGrid indexes cells by id.
func NewGrid(cells []Cell) *Grid {
	g := &Grid{Cells: cells, index: make(map[string]int, len(cells))}
	for i, c := range cells {
		g.index[c.ID] = i
	}
	return g
}

// Cell returns the cell with that id.
func (g *Grid) Cell(id string) (Cell, bool) {
	if g == nil {
		return Cell{}, false
	}
	i, ok := g.index[id]
	if !ok {
		return Cell{}, false
	}
	return g.Cells[i], true
}

// Path returns the cell with that id and its ancestors, the top one first;
// nil when there is no such cell. A loop of parents ends where it closes.
func (g *Grid) Path(id string) []Cell {
	var path []Cell
	seen := map[string]bool{}
	for c, ok := g.Cell(id); ok && !seen[c.ID]; c, ok = g.Cell(c.Parent) {
		seen[c.ID] = true
		path = append([]Cell{c}, path...)
	}
	return path
}

// First returns the first-level cell (一级网格) of a sub-cell, for labels that
// must stay bounded.
func (g *Grid) First(id string) (Cell, bool) {
	for _, c := range g.Path(id) {
		if c.Level == LevelCell {
			return c, true
		}
	}
	return Cell{}, false
}
