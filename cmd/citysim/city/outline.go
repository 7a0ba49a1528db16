package city

import (
	"math"

	"videopatrol/inventory"
)

// outline returns the polygon of a connected set of squares: its outer ring
// counter-clockwise, then its holes clockwise (RFC 7946, section 3.1.6).
func (l lattice) outline(squares []square) [][][]inventory.Position {
	in := make(map[square]bool, len(squares))
	for _, s := range squares {
		in[s] = true
	}
	// Edges with the set on their left, by where they begin. Where two squares
	// touch only by a corner, two edges begin at one corner.
	from := map[square][]square{}
	var order []square
	for _, s := range squares {
		corners := [4]square{{s.x, s.y}, {s.x + 1, s.y}, {s.x + 1, s.y + 1}, {s.x, s.y + 1}}
		outside := [4]square{{s.x, s.y - 1}, {s.x + 1, s.y}, {s.x, s.y + 1}, {s.x - 1, s.y}}
		for i := range corners {
			if !in[outside[i]] {
				from[corners[i]] = append(from[corners[i]], corners[(i+1)%4])
				order = append(order, corners[i])
			}
		}
	}
	var outer [][]inventory.Position
	var holes [][]inventory.Position
	for _, begin := range order {
		if len(from[begin]) == 0 {
			continue
		}
		corners := walk(from, begin)
		ring := l.ring(corners)
		if area(corners) > 0 {
			outer = append(outer, ring)
		} else {
			holes = append(holes, ring)
		}
	}
	return [][][]inventory.Position{append(outer, holes...)}
}

// walk follows edges from begin until it is back, and takes them out. Where
// it has a choice it turns left, so that rings touch but never cross.
func walk(from map[square][]square, begin square) []square {
	ring := []square{begin}
	at, way := begin, square{}
	for {
		next := from[at]
		best := 0
		for i, n := range next {
			if d := (square{n.x - at.x, n.y - at.y}); len(next) > 1 && way.x*d.y-way.y*d.x > 0 {
				best = i
			}
		}
		to := next[best]
		from[at] = append(append([]square(nil), next[:best]...), next[best+1:]...)
		way = square{to.x - at.x, to.y - at.y}
		at = to
		if at == begin {
			return ring
		}
		ring = append(ring, at)
	}
}

// area is twice the signed area of a ring of corners.
func area(ring []square) int {
	sum := 0
	for i, a := range ring {
		b := ring[(i+1)%len(ring)]
		sum += a.x*b.y - b.x*a.y
	}
	return sum
}

// ring returns the positions along a ring of corners, closed.
func (l lattice) ring(corners []square) []inventory.Position {
	out := make([]inventory.Position, 0, 2*len(corners)+1)
	for i, a := range corners {
		b := corners[(i+1)%len(corners)]
		out = append(out, l.corner(a), l.halfway(a, b))
	}
	return append(out, out[0])
}

// corner returns where a corner of the lattice lies.
func (l lattice) corner(s square) inventory.Position {
	dx, dy := l.jitter(s.x, s.y, 0)
	return place(float64(s.x)+0.28*dx, float64(s.y)+0.28*dy)
}

// halfway returns the bend of an edge, the same from both sides.
func (l lattice) halfway(a, b square) inventory.Position {
	lo := square{min(a.x, b.x), min(a.y, b.y)}
	which := uint64(1)
	if a.x == b.x {
		which = 2
	}
	dx, dy := l.jitter(lo.x, lo.y, which)
	p, q := l.corner(a), l.corner(b)
	return round(inventory.Position{
		Lat: (p.Lat+q.Lat)/2 + 0.09*dy*sideLat, Lon: (p.Lon+q.Lon)/2 + 0.09*dx*sideLon,
	})
}

// jitter returns two numbers in -1..1 that belong to a place of the lattice.
func (l lattice) jitter(x, y int, which uint64) (dx, dy float64) {
	h := mix(l.seed ^ mix(uint64(x+1000)<<34|uint64(y+1000)<<4|which)) //nolint:gosec // lattice coordinates are small
	return float64(h>>40)/float64(1<<23) - 1, float64(h>>8&0xffffff)/float64(1<<23) - 1
}

func place(x, y float64) inventory.Position {
	return round(inventory.Position{Lat: middleLat + y*sideLat, Lon: middleLon + x*sideLon})
}

// round keeps a tenth of a metre.
func round(p inventory.Position) inventory.Position {
	return inventory.Position{Lat: math.Round(p.Lat*1e6) / 1e6, Lon: math.Round(p.Lon*1e6) / 1e6}
}

// mix scrambles a number (the finalizer of splitmix64).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
