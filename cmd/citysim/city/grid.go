package city

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"videopatrol/inventory"
)

// The size of the city.
const (
	Towns    = 19
	Cells    = 178
	Subcells = 1485
)

// The middle of the city, and the side of a sub-cell, in degrees.
const (
	middleLat, middleLon = 30.62, 117.18
	sideLat, sideLon     = 0.0080, 0.0094 // about 890 m × 900 m
)

// code6 is the city's administrative code; the real ones of its province end
// well below.
const code6 = "349700"

// square is one square of the lattice.
type square struct{ x, y int }

// lattice is the jittered lattice that all polygons share.
type lattice struct{ seed uint64 }

// Grid returns the city's cells of every level: the city first, then towns,
// cells and sub-cells, parents before children.
func Grid(seed uint64) []inventory.Cell {
	l := lattice{seed}
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a made-up city is no secret
	squares := footprint(seed)
	towns := partition(squares, Towns, r)
	perTown := shares(towns, Cells)
	out := []inventory.Cell{{ID: code6, Name: CityName, Level: inventory.LevelCity, Area: l.outline(squares)}}
	var cells, subcells []inventory.Cell
	names := newNames(r)
	for t, town := range towns {
		townID := fmt.Sprintf("%s%03d", code6, t+1)
		out = append(out, inventory.Cell{
			ID: townID, Name: townNames[t], Level: inventory.LevelTown, Parent: code6, Area: l.outline(town),
		})
		for c, cell := range partition(town, perTown[t], r) {
			cellID := fmt.Sprintf("%s%03d", townID, c+1)
			name := names.next()
			cells = append(cells, inventory.Cell{
				ID: cellID, Name: name, Level: inventory.LevelCell, Parent: townID, Area: l.outline(cell),
			})
			for s, sq := range cell {
				subcells = append(subcells, inventory.Cell{
					ID: fmt.Sprintf("%s%03d", cellID, s+1), Name: fmt.Sprintf("%s第%d网格", name, s+1),
					Level: inventory.LevelSubcell, Parent: cellID, Area: l.outline([]square{sq}),
				})
			}
		}
	}
	return append(append(out, cells...), subcells...)
}

// footprint returns the squares of the city: those nearest to its middle by a
// measure that bulges, so that the city has a shape.
func footprint(seed uint64) []square {
	r := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a made-up city is no secret
	a, b, c := r.Float64()*2*math.Pi, r.Float64()*2*math.Pi, r.Float64()*2*math.Pi
	const reach = 34
	type near struct {
		square
		d float64
	}
	var all []near
	for y := -reach; y <= reach; y++ {
		for x := -reach; x <= reach; x++ {
			fx, fy := float64(x)+0.5, float64(y)+0.5
			way := math.Atan2(fy, fx)
			bulge := 1 + 0.16*math.Sin(2*way+a) + 0.10*math.Sin(3*way+b) + 0.05*math.Sin(5*way+c)
			all = append(all, near{square{x, y}, math.Hypot(fx, fy*1.15) / bulge})
		}
	}
	slices.SortStableFunc(all, func(p, q near) int { return cmp.Compare(p.d, q.d) })
	out := make([]square, Subcells)
	for i := range out {
		out[i] = all[i].square
	}
	return largestFirst(out)
}

// largestFirst sorts squares from north to south and west to east.
func largestFirst(s []square) []square {
	slices.SortFunc(s, func(a, b square) int { return cmp.Or(cmp.Compare(b.y, a.y), cmp.Compare(a.x, b.x)) })
	return s
}

// shares splits total over groups by their sizes, at least one each and never
// more than a group has squares (largest remainder method).
func shares(groups [][]square, total int) []int {
	size := 0
	for _, g := range groups {
		size += len(g)
	}
	out := make([]int, len(groups))
	left := total
	for i, g := range groups {
		out[i] = max(1, len(g)*total/size)
		left -= out[i]
	}
	for ; left > 0; left-- {
		most := 0
		for i, g := range groups {
			if float64(len(g))/float64(out[i]) > float64(len(groups[most]))/float64(out[most]) {
				most = i
			}
		}
		out[most]++
	}
	for ; left < 0; left++ {
		most := 0
		for i := range out {
			if out[i] > out[most] {
				most = i
			}
		}
		out[most]--
	}
	return out
}

// partition splits squares into k connected parts of about the same size:
// k-means on their middles, then whatever hangs apart joins a neighbour.
func partition(squares []square, k int, r *rand.Rand) [][]square {
	type middle struct{ x, y float64 }
	mids := make([]middle, 0, k)
	for _, i := range r.Perm(len(squares))[:k] {
		mids = append(mids, middle{float64(squares[i].x), float64(squares[i].y)})
	}
	owner := make(map[square]int, len(squares))
	for range 25 {
		sum, n := make([]middle, k), make([]float64, k)
		for _, s := range squares {
			best, bestD := 0, math.Inf(1)
			for i, m := range mids {
				if d := math.Hypot(float64(s.x)-m.x, float64(s.y)-m.y); d < bestD {
					best, bestD = i, d
				}
			}
			owner[s] = best
			sum[best].x += float64(s.x)
			sum[best].y += float64(s.y)
			n[best]++
		}
		for i := range mids {
			if n[i] > 0 {
				mids[i] = middle{sum[i].x / n[i], sum[i].y / n[i]}
			}
		}
	}
	mend(squares, owner, k)
	out := make([][]square, k)
	for _, s := range squares {
		out[owner[s]] = append(out[owner[s]], s)
	}
	return out
}

var around = []square{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}

// mend gives every square that hangs apart from the largest piece of its part
// to the part of a neighbour, and every empty part a square.
func mend(squares []square, owner map[square]int, k int) {
	for range len(squares) {
		pieces := make([][][]square, k)
		seen := map[square]bool{}
		for _, s := range squares {
			if !seen[s] {
				pieces[owner[s]] = append(pieces[owner[s]], piece(s, owner, seen))
			}
		}
		changed := false
		for part, ps := range pieces {
			slices.SortStableFunc(ps, func(a, b []square) int { return cmp.Compare(len(b), len(a)) })
			if len(ps) == 0 {
				changed = take(squares, owner, part) || changed
				continue
			}
			for _, apart := range ps[1:] {
				for _, s := range apart {
					for _, d := range around {
						if o, ok := owner[square{s.x + d.x, s.y + d.y}]; ok && o != part {
							owner[s], changed = o, true
							break
						}
					}
				}
			}
		}
		if !changed {
			return
		}
	}
}

// take gives an empty part one square of the largest part.
func take(squares []square, owner map[square]int, part int) bool {
	n := map[int]int{}
	for _, s := range squares {
		n[owner[s]]++
	}
	for _, s := range squares {
		if n[owner[s]] > 1 && n[owner[s]]*len(n) >= len(squares) {
			owner[s] = part
			return true
		}
	}
	return false
}

// piece returns the squares that hang together with s.
func piece(s square, owner map[square]int, seen map[square]bool) []square {
	out := []square{s}
	seen[s] = true
	for i := 0; i < len(out); i++ {
		for _, d := range around {
			n := square{out[i].x + d.x, out[i].y + d.y}
			if o, ok := owner[n]; ok && o == owner[s] && !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	return out
}
