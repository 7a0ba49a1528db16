package geo

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidwall/rtree"

	"videopatrol/inventory"
)

// InArea tells whether p lies in a polygon given as rings, the outer one
// first, then its holes. Borders belong to the polygon, those of holes too.
func InArea(rings [][]inventory.Position, p inventory.Position) bool {
	inside := false
	for _, ring := range rings {
		in, border := inRing(ring, p)
		if border {
			return true
		}
		// Even-odd over all rings: a hole takes away what the outer ring gave.
		inside = inside != in
	}
	return inside
}

// inRing is the even-odd rule for one ring, closed or not.
func inRing(ring []inventory.Position, p inventory.Position) (inside, border bool) {
	for i, j := 0, len(ring)-1; i < len(ring); j, i = i, i+1 {
		a, b := ring[j], ring[i]
		// From low to high, so that an edge gives the same answer to both of
		// the cells that share it.
		if a.Lat > b.Lat {
			a, b = b, a
		}
		side := (b.Lon-a.Lon)*(p.Lat-a.Lat) - (p.Lon-a.Lon)*(b.Lat-a.Lat)
		if side == 0 && p.Lat >= a.Lat && p.Lat <= b.Lat &&
			p.Lon >= min(a.Lon, b.Lon) && p.Lon <= max(a.Lon, b.Lon) {
			return true, true
		}
		if a.Lat <= p.Lat && p.Lat < b.Lat && side > 0 {
			inside = !inside
		}
	}
	return inside, false
}

// Locator finds the sub-cell in which a place lies. It is safe for concurrent
// use.
type Locator struct {
	tree rtree.RTreeG[part]
}

// part is one polygon of a sub-cell.
type part struct {
	id    string
	rings [][]inventory.Position
}

// NewLocator indexes the sub-cells of a grid; nil is an empty grid.
func NewLocator(grid *inventory.Grid) *Locator {
	l := &Locator{}
	if grid == nil {
		return l
	}
	for _, c := range grid.Cells {
		if c.Level != inventory.LevelSubcell {
			continue
		}
		for _, rings := range c.Area {
			if len(rings) == 0 || len(rings[0]) == 0 {
				continue
			}
			lo, hi := bounds(rings[0])
			l.tree.Insert(lo, hi, part{c.ID, rings})
		}
	}
	return l
}

// Subcell is the id of the sub-cell in which p lies, or "".
func (l *Locator) Subcell(p inventory.Position) string {
	best := ""
	at := [2]float64{p.Lon, p.Lat}
	l.tree.Search(at, at, func(_, _ [2]float64, c part) bool {
		if (best == "" || c.id < best) && InArea(c.rings, p) {
			best = c.id
		}
		return true
	})
	return best
}

// Empty tells whether there is no sub-cell at all.
func (l *Locator) Empty() bool { return l.tree.Len() == 0 }

func bounds(ring []inventory.Position) (lo, hi [2]float64) {
	lo = [2]float64{math.Inf(1), math.Inf(1)}
	hi = [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, p := range ring {
		lo[0], lo[1] = min(lo[0], p.Lon), min(lo[1], p.Lat)
		hi[0], hi[1] = max(hi[0], p.Lon), max(hi[1], p.Lat)
	}
	return lo, hi
}

// XY is a point of a plane.
type XY = [2]float64

// Crossing looks for two edges of a ring that meet elsewhere than where one
// ends and the next begins, or for a point given twice in a row. The ring's
// last point is not its first repeated. i and j are the numbers of the points
// at which the two edges begin.
func Crossing(ring []XY) (i, j int, found bool) {
	n := len(ring)
	type edge struct {
		at         int
		a, b       XY
		minX, maxX float64
	}
	edges := make([]edge, n)
	for k := range ring {
		a, b := ring[k], ring[(k+1)%n]
		if a == b {
			return k, (k + 1) % n, true
		}
		edges[k] = edge{k, a, b, min(a[0], b[0]), max(a[0], b[0])}
	}
	// A sweep from left to right: only edges that share some x can meet.
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.minX, b.minX), cmp.Compare(a.at, b.at))
	})
	for k, e := range edges {
		for _, f := range edges[k+1:] {
			if f.minX > e.maxX {
				break
			}
			if meet(e.a, e.b, f.a, f.b, (e.at+1)%n == f.at, (f.at+1)%n == e.at) {
				return min(e.at, f.at), max(e.at, f.at), true
			}
		}
	}
	return 0, 0, false
}

// meet tells whether two edges meet; where one follows the other, whether
// they meet at more than their common point.
func meet(a, b, c, d XY, cFollows, aFollows bool) bool {
	switch {
	case cFollows && aFollows: // two points, there and back
		return true
	case cFollows:
		return turn(a, b, d) == 0 && dot(b, a, d) > 0
	case aFollows:
		return turn(c, d, b) == 0 && dot(d, c, b) > 0
	}
	t1, t2 := turn(a, b, c), turn(a, b, d)
	t3, t4 := turn(c, d, a), turn(c, d, b)
	if t1*t2 < 0 && t3*t4 < 0 {
		return true
	}
	return t1 == 0 && between(a, b, c) || t2 == 0 && between(a, b, d) ||
		t3 == 0 && between(c, d, a) || t4 == 0 && between(c, d, b)
}

// turn is -1, 0 or 1 as a, b, c turn right, go straight or turn left.
func turn(a, b, c XY) int {
	return cmp.Compare((b[0]-a[0])*(c[1]-a[1]), (b[1]-a[1])*(c[0]-a[0]))
}

// dot is the scalar product of the ways from o to a and from o to b.
func dot(o, a, b XY) float64 {
	return (a[0]-o[0])*(b[0]-o[0]) + (a[1]-o[1])*(b[1]-o[1])
}

// between tells whether p, which lies in line with a and b, lies between them.
func between(a, b, p XY) bool {
	return p[0] >= min(a[0], b[0]) && p[0] <= max(a[0], b[0]) &&
		p[1] >= min(a[1], b[1]) && p[1] <= max(a[1], b[1])
}
