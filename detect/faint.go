package detect

import (
	"math"
	"slices"

	"videopatrol/inventory"
)

// Tunables of what is faint. A pixel's energy is the square of its difference
// from the ground, in squares of its noise.
const (
	faintTallest = 16  // rows: who is taller shows pixel by pixel
	faintLowest  = 6   // rows: who is lower does not show
	faintSlim    = 0.4 // a standing person's width over the height
	faintStep    = 2   // pixels between places that are looked at
	energyOne    = 16  // an energy of 1
	energyMost   = 36  // of one pixel that counts
	faintEnergy  = 16  // mean of a place where somebody stands,
	faintBeside  = 5   // over that of either side,
	faintWhole   = 10  // and over that of all rows
	faintPixel   = 5   // steps: a pixel of it that differs less is ground
)

// energyOf is what the square of a difference in steps is multiplied with for
// its energy, by deviation, times 2¹⁶.
var energyOf = func() (of [256]int) {
	for dev := range of {
		sigma := max(leastNoise, float64(dev)/devPerSigma)
		of[dev] = int(math.Round(energyOne / (sigma * sigma) * (1 << 16)))
	}
	return of
}()

// faint makes foreground what differs from the ground too little for any pixel
// to count, but does so all over the place of somebody who stands far away in a
// zone where nothing should be: a jacket of the water's grey. Light that
// changes does so beside that place, too. It returns how many pixels it made.
func (w *Watch) faint(s *scratch, x []byte) int {
	n := 0
	for _, z := range w.config.Zones {
		if w.entered[z.ID] && len(z.Perspective) == 2 {
			n += w.faintIn(s, x, z)
		}
	}
	return n
}

func (w *Watch) faintIn(s *scratch, x []byte, z inventory.Zone) int {
	g, area, b := w.ground, w.areas[z.ID], bounds(z.Area)
	tall := func(foot int) int {
		share, _ := z.PersonHeight(float64(foot) / float64(g.h))
		return int(math.Round(share * float64(g.h)))
	}
	first, last := int(b.Y*float64(g.h)), min(g.h, int((b.Y+b.H)*float64(g.h))+1)
	if min(tall(first), tall(last)) > faintTallest {
		return 0
	}
	from, line := max(0, first-faintTallest), g.w+1
	g.energies(s, x, from, last)
	// When it rains, all of it differs.
	mean := int(s.sums[(last-from+1)*line-1]) / max(1, g.w*(last-from))
	n := 0
	for foot := first + 1; foot <= last; foot += faintStep {
		rows := tall(foot)
		top, wide := foot-rows, int(math.Round(faintSlim*float64(rows)))
		if rows < faintLowest || rows > faintTallest || top < from {
			continue
		}
		above, below := s.sums[(top-from)*line:][:line], s.sums[(foot-from)*line:][:line]
		energy := func(left, right int) int { return int(below[right] - below[left] - above[right] + above[left]) }
		least := max(faintEnergy*energyOne, faintWhole*mean) * wide * rows
		for left := wide + 1; left+2*wide+1 <= g.w; left += faintStep {
			right := left + wide
			here := energy(left, right)
			if here < least || !area.has((foot-1)*g.w+left+wide/2) {
				continue
			}
			if here < faintBeside*max(energy(left-1-wide, left-1), energy(right+1, right+1+wide)) {
				continue
			}
			for y := top; y < foot; y++ {
				for i := y*g.w + left; i < y*g.w+right; i++ {
					if s.fore[i] == 0 && !g.masked.has(i) && abs(int(x[i])-int(s.expect[i])) >= max(faintPixel, int(g.dev[i])/4) {
						s.fore[i] = 255
						n++
					}
				}
			}
		}
	}
	return n
}

// energies fills s.sums with the energy of all pixels above and to the left of
// each, of the rows from up to to.
func (g *ground) energies(s *scratch, x []byte, from, to int) {
	line := g.w + 1
	s.sums = slices.Grow(s.sums[:0], (to-from+1)*line)[:(to-from+1)*line]
	clear(s.sums[:line])
	for y := from; y < to; y++ {
		above, sums := s.sums[(y-from)*line:][:line], s.sums[(y-from+1)*line:][:line]
		sums[0] = 0
		row := int32(0)
		for c := range g.w {
			i := y*g.w + c
			d := int(x[i]) - int(s.expect[i])
			row += int32(min(d*d*energyOf[g.dev[i]]>>16, energyMost*energyOne))
			sums[c+1] = above[c+1] + row
		}
	}
}
