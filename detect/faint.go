package detect

import (
	"math"
	"slices"

	"videopatrol/inventory"
)

// Tunables of what is faint. A pixel's energy is the square of its difference
// from the ground, in squares of its noise.
const (
	faintStep   = 2  // pixels between places that are looked at
	energyOne   = 16 // an energy of 1
	energyMost  = 36 // of one pixel that counts
	faintEnergy = 16 // mean of a place where somebody stands,
	faintBeside = 5  // over that of either side,
	faintWhole  = 10 // and over that of all rows
	faintPixel  = 5  // steps: a pixel of it that differs less is ground
	faintLeast  = 12 // steps: what is compact and differs less on average may be a trace of what was there
)

// A figure is what is looked for where it is faint, on the reduced plane.
type figure struct {
	// tall and wide are its height and width, in a standing person's heights.
	tall, wide float64
	// What has fewer rows does not show, what has more shows pixel by pixel.
	least, most int
	// compact: all of it differs about as much, and its height tells what it is.
	// Its rim and its shadow are not to count.
	compact bool
}

var (
	somebody = figure{tall: 1, wide: 0.4, least: 6, most: 16}
	luggage  = figure{tall: 0.4, wide: 0.4, least: 4, most: 8, compact: true}
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
// to count, but does so all over its place: somebody far away in a jacket of the
// water's grey, where nobody should be, or a small bag of the pavement's, where
// nothing should be left. Light that changes does so beside that place, too. It
// returns how many pixels it made.
func (w *Watch) faint(s *scratch, x []byte) int {
	n := 0
	for _, z := range w.config.Zones {
		if len(z.Perspective) != 2 {
			continue
		}
		if w.entered[z.ID] {
			n += w.faintIn(s, x, z, somebody)
		}
		if w.left[z.ID] {
			n += w.faintIn(s, x, z, luggage)
		}
	}
	return n
}

// faintIn does so for one figure in a zone.
func (w *Watch) faintIn(s *scratch, x []byte, z inventory.Zone, f figure) int {
	g, area, b := w.ground, w.areas[z.ID], bounds(z.Area)
	tall := func(foot int) int {
		share, _ := z.PersonHeight(float64(foot) / float64(g.h))
		return int(math.Round(f.tall * share * float64(g.h)))
	}
	first, last := int(b.Y*float64(g.h)), min(g.h, int((b.Y+b.H)*float64(g.h))+1)
	if min(tall(first), tall(last)) > f.most {
		return 0
	}
	from, line := max(0, first-f.most), g.w+1
	g.energies(s, x, from, last)
	// When it rains, all of it differs.
	mean := int(s.sums[(last-from+1)*line-1]) / max(1, g.w*(last-from))
	n := 0
	var places []place
	for foot := first + 1; foot <= last; foot += faintStep {
		rows := tall(foot)
		top, wide := foot-rows, int(math.Round(f.wide/f.tall*float64(rows)))
		if rows < f.least || rows > f.most || top < from {
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
			places = append(places, place{left, top, wide, rows, here})
		}
	}
	if f.compact {
		places = clearest(places)
	}
	for _, p := range places {
		n += g.mark(s, x, p, f)
	}
	return n
}

// mark makes foreground of a figure's pixels in a place, and returns how many.
func (g *ground) mark(s *scratch, x []byte, p place, f figure) int {
	pixel := faintPixel
	if f.compact {
		sum := 0
		for i := range p.pixels(g.w) {
			sum += abs(int(x[i]) - int(s.expect[i]))
		}
		mean := sum / (p.w * p.h)
		if mean < faintLeast {
			return 0
		}
		pixel = max(pixel, mean/2)
	}
	n := 0
	for i := range p.pixels(g.w) {
		if s.fore[i] == 0 && !g.masked.has(i) && abs(int(x[i])-int(s.expect[i])) >= max(pixel, int(g.dev[i])/4) {
			s.fore[i] = 255
			n++
		}
	}
	return n
}

// A place is where a figure may be, in pixels, with its energy there.
type place struct{ x, y, w, h, energy int }

// pixels yields those of a plane that is so wide.
func (p place) pixels(wide int) func(yield func(i int) bool) {
	return func(yield func(i int) bool) {
		for y := p.y; y < p.y+p.h; y++ {
			for i := y*wide + p.x; i < y*wide+p.x+p.w; i++ {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// clearest returns the places that none with more energy overlaps.
func clearest(all []place) []place {
	slices.SortStableFunc(all, func(a, b place) int { return b.energy - a.energy })
	kept := all[:0]
	for _, p := range all {
		if !slices.ContainsFunc(kept, func(k place) bool {
			return p.x < k.x+k.w && k.x < p.x+p.w && p.y < k.y+k.h && k.y < p.y+p.h
		}) {
			kept = append(kept, p)
		}
	}
	return kept
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

// lasting makes foreground what differs too little from the ground by now, as
// when the light has changed, but looks more like what has come to stand there
// than like the ground. It returns how many pixels it made.
func (w *Watch) lasting(s *scratch, x []byte, light float64) int {
	n := 0
	for i := range w.things {
		t := &w.things[i]
		if t.Native || !t.stands() || !t.seen() || !w.kept(t) {
			continue
		}
		still := func(i int, p uint16) bool {
			v, e := int(x[p]), int(s.expect[p])
			return abs(v-e) >= faintPixel && abs(v-int(float64(t.Luma[i])*light+0.5)) < abs(v-e)
		}
		same := 0
		for i, p := range t.Points {
			if still(i, p) {
				same++
			}
		}
		if float64(same) < sameShare*float64(len(t.Points)) {
			continue
		}
		for i, p := range t.Points {
			if s.fore[p] == 0 && !w.ground.masked.has(int(p)) && still(i, p) {
				s.fore[p] = 255
				n++
			}
		}
	}
	return n
}
