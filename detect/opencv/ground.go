package opencv

/*
#cgo noescape patrol_differ
#cgo nocallback patrol_differ
#cgo noescape patrol_follow
#cgo nocallback patrol_follow
#cgo noescape patrol_peaks
#cgo nocallback patrol_peaks
#include "ground.h"
*/
import "C"

import (
	"unsafe"

	"videopatrol/detect"
)

// Differ lights the ground and marks where a picture differs from it.
func (*Imaging) Differ(l detect.Layers, light detect.Lighting) {
	n := len(l.X)
	mean, expect, fore := l.Mean[:n], l.Expect[:n], l.Fore[:n]
	C.patrol_differ(c8(l.X), c16(mean), C.int(n), C.int(light.Scale), C.int(light.Offset), C.int(light.Least), c8(expect), c8(fore))
}

// Follow lets the ground follow a picture.
func (*Imaging) Follow(l detect.Layers, rate int) {
	n := len(l.X)
	expect, fore, mean, dev := l.Expect[:n], l.Fore[:n], l.Mean[:n], l.Dev[:n]
	C.patrol_follow(c8(l.X), c8(expect), c8(fore), C.int(n), C.int(rate), c16(mean), c8(dev))
}

// Peaks finds the greatest steps of a plane.
func (*Imaging) Peaks(peaks []byte, p detect.Plane) {
	var room [detect.MaxSide]byte
	pix, peaks := p.Pix[:p.Width*p.Height], peaks[:(p.Width-1)/8*((p.Height-1)/8)]
	C.patrol_peaks(c8(pix), C.int(p.Width), C.int(p.Height), c8(room[:p.Width]), c8(peaks))
}

func c8(p []byte) *C.uint8_t     { return (*C.uint8_t)(unsafe.SliceData(p)) }
func c16(p []uint16) *C.uint16_t { return (*C.uint16_t)(unsafe.SliceData(p)) }
