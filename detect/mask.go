package detect

import (
	"math"
	"slices"

	"videopatrol/inventory"
)

// blacken overwrites every pixel that a mask touches: luma with black, both
// chroma planes with grey. A chroma sample covers two by two pixels, so one
// masked pixel greys all of it.
func blacken(p Picture, masks []inventory.Polygon) {
	black := byte(p.black())
	w, h := float64(p.Y.Width), float64(p.Y.Height)
	for _, m := range masks {
		fill(p.Y, m, w, h, black)
		fill(p.Cb, m, w/2, h/2, 128)
		fill(p.Cr, m, w/2, h/2, 128)
	}
}

// fill sets every sample of a plane that a polygon touches; sx and sy are the
// picture's size in samples of that plane.
func fill(p Plane, poly inventory.Polygon, sx, sy float64, value byte) {
	var buf [32]float64
	top, bottom := 1.0, 0.0
	for _, c := range poly {
		top, bottom = min(top, c.Y), max(bottom, c.Y)
	}
	for y := max(int(top*sy)-1, 0); y < min(int(bottom*sy)+1, p.Height); y++ {
		row := p.Row(y)
		cover(poly, sx, sy, y, buf[:0], func(from, to int) {
			if from, to = max(from, 0), min(to, p.Width-1); from <= to {
				part := row[from : to+1]
				part[0] = value
				for n := 1; n < len(part); n *= 2 {
					copy(part[n:], part[:n])
				}
			}
		})
	}
}

// cover calls span for every run of pixels of row y that a polygon touches:
// those between its crossings with the row's middle (even-odd rule), and all
// that its outline passes through. Runs may overlap.
func cover(poly inventory.Polygon, sx, sy float64, y int, xs []float64, span func(from, to int)) {
	top, bottom := float64(y), float64(y+1)
	middle := top + 0.5
	for i, j := 0, len(poly)-1; i < len(poly); j, i = i, i+1 {
		ax, ay := poly[j].X*sx, poly[j].Y*sy
		bx, by := poly[i].X*sx, poly[i].Y*sy
		if ay > by {
			ax, ay, bx, by = bx, by, ax, ay
		}
		if by < top || ay > bottom {
			continue
		}
		at := func(y float64) float64 {
			if by == ay {
				return bx
			}
			return ax + (bx-ax)*(y-ay)/(by-ay)
		}
		x0, x1 := at(max(top, ay)), at(min(bottom, by))
		if by == ay {
			x0, x1 = ax, bx
		}
		span(int(math.Floor(min(x0, x1))), int(math.Floor(max(x0, x1))))
		if (ay > middle) != (by > middle) {
			xs = append(xs, at(middle))
		}
	}
	slices.Sort(xs)
	for i := 0; i+1 < len(xs); i += 2 {
		span(int(math.Floor(xs[i])), int(math.Floor(xs[i+1])))
	}
}

// bitmap is a set of pixels of the reduced plane.
type bitmap struct {
	bits []uint64
	size int
}

// raster returns the pixels of a w × h plane that any of the polygons touches.
func raster(polys []inventory.Polygon, w, h int) bitmap {
	b := bitmap{bits: make([]uint64, (w*h+63)/64)}
	for _, poly := range polys {
		for y := range h {
			cover(poly, float64(w), float64(h), y, nil, func(from, to int) {
				for x := max(from, 0); x <= min(to, w-1); x++ {
					if i := y*w + x; !b.has(i) {
						b.bits[i/64] |= 1 << (i % 64)
						b.size++
					}
				}
			})
		}
	}
	return b
}

func (b bitmap) has(i int) bool { return b.bits[i/64]&(1<<(i%64)) != 0 }

// none tells whether no pixel of from..to-1 is in the set.
func (b bitmap) none(from, to int) bool {
	for i := from; i < to; {
		word := b.bits[i/64] >> (i % 64)
		if i+64-i%64 > to {
			word &= 1<<(to-i) - 1
		}
		if word != 0 {
			return false
		}
		i += 64 - i%64
	}
	return true
}

// touches tells whether a pixel of the side × side block that begins at at is
// in the set, in a plane that is w wide.
func (b bitmap) touches(at, side, w int) bool {
	for y := range side {
		if !b.none(at+y*w, at+y*w+side) {
			return true
		}
	}
	return false
}
