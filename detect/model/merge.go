package model

import (
	"cmp"
	"slices"

	"videopatrol/detect"
)

// Bounds of one picture's candidates, so that no network can make the rest
// slow.
const (
	maxCandidates = 1000
	maxDetections = 200
)

// found is a detection on its way.
type found struct {
	detect.Detection
	class int
	// cut: its crop ends within it, and another crop may show all of it.
	cut  bool
	crop int
}

// merge leaves one detection of each object, surest first: of two of a class
// that overlap by more than a share, the surer one. Of those that lie for the
// most part in each other and come from different crops, one that its crop
// cuts gives way to one that is whole.
func merge(all []found, overlap float64) []detect.Detection {
	slices.SortStableFunc(all, func(a, b found) int {
		if a.cut != b.cut {
			if a.cut {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.Score, a.Score)
	})
	all = all[:min(len(all), maxCandidates)]
	kept := all[:0]
	for _, f := range all {
		if !slices.ContainsFunc(kept, func(k found) bool { return same(k, f, overlap) }) {
			kept = append(kept, f)
		}
	}
	slices.SortStableFunc(kept, func(a, b found) int { return cmp.Compare(b.Score, a.Score) })
	kept = kept[:min(len(kept), maxDetections)]
	out := make([]detect.Detection, len(kept))
	for i, f := range kept {
		out[i] = f.Detection
	}
	return out
}

// same tells whether two detections are of one object.
func same(a, b found, overlap float64) bool {
	const mostly = 0.6
	if a.class != b.class {
		return false
	}
	both := intersection(a.Box, b.Box)
	areaA, areaB := a.Box.W*a.Box.H, b.Box.W*b.Box.H
	if both > overlap*(areaA+areaB-both) {
		return true
	}
	return a.crop != b.crop && (a.cut || b.cut) && both > mostly*min(areaA, areaB)
}

func intersection(a, b detect.Box) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	return max(w, 0) * max(h, 0)
}
