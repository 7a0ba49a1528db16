package opencv

/*
#cgo noescape patrol_reduce
#cgo nocallback patrol_reduce
#cgo noescape patrol_area
#cgo nocallback patrol_area
#cgo noescape patrol_smooth
#cgo nocallback patrol_smooth
#include "reduce.h"
*/
import "C"

import (
	"slices"
	"unsafe"

	"videopatrol/detect"
)

// A reducer averages over areas and smooths. OpenCV takes several times as long
// for planes so small and where a side shrinks by no whole number, and this is
// where all of a picture's luma is read.
type reducer struct {
	sums          []uint16
	taps          []uint64
	coarse, small []byte
	smoothed      []byte
}

const maxSide = 128 // a sum of as many pixels fits in 16 bits

// canReduce tells whether reduce can: whole squares of 2 to maxSide pixels
// must leave less than another half to do.
func canReduce(p detect.Plane, width, height int) bool {
	side := min(p.Width/width, p.Height/height)
	return side >= 2 && side <= maxSide && p.Width/side < 2*width && p.Height/side < 2*height
}

// reduce returns a plane reduced to width × height: first the means of whole
// squares as large as fit, then the mean over the area. The next call
// overwrites it.
func (r *reducer) reduce(p detect.Plane, width, height int) detect.Plane {
	side := min(p.Width/width, p.Height/height)
	w, h := p.Width/side, p.Height/side
	r.sums = slices.Grow(r.sums[:0], p.Width)[:p.Width]
	r.coarse = slices.Grow(r.coarse[:0], w*h)[:w*h]
	C.patrol_reduce(c8(p.Pix), C.ptrdiff_t(p.Stride), C.int(side), C.int(w), C.int(h), c16(r.sums), c8(r.coarse))
	if w == width && h == height {
		return detect.Plane{Pix: r.coarse, Width: w, Height: h, Stride: w}
	}
	r.sums = slices.Grow(r.sums[:0], w+3*width+3)[:w+3*width+3]
	r.taps = slices.Grow(r.taps[:0], 2*width)[:2*width]
	r.small = slices.Grow(r.small[:0], width*height)[:width*height]
	C.patrol_area(c8(r.coarse), C.int(w), C.int(h), C.int(width), C.int(height),
		c16(r.sums), (*C.uint64_t)(unsafe.SliceData(r.taps)), c8(r.small))
	return detect.Plane{Pix: r.small, Width: width, Height: height, Stride: width}
}

// smooth returns a plane without gaps smoothed over 3 × 3 pixels. The next call
// overwrites it.
func (r *reducer) smooth(p detect.Plane) detect.Plane {
	n := p.Width * p.Height
	r.sums = slices.Grow(r.sums[:0], n+2)[:n+2]
	r.smoothed = slices.Grow(r.smoothed[:0], n)[:n]
	C.patrol_smooth(c8(p.Pix), C.int(p.Width), C.int(p.Height), c16(r.sums), c8(r.smoothed))
	return detect.Plane{Pix: r.smoothed, Width: p.Width, Height: p.Height, Stride: p.Width}
}
