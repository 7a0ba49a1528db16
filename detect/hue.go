package detect

import (
	"math"
	"slices"
)

// Colour tells what luma cannot: a yellow box on pale stone, a green jacket
// before water. It is kept coarsely, for cells of hueCell × hueCell pixels of
// the reduced plane, and judged against the colour of the whole picture: a
// lamp's cast and a drifting white balance shift all of it, dusk and rain fade
// all of it, and infrared has none. Where luma differs, luma tells.
const (
	hueCell  = 3    // pixels of the reduced plane: with luma's three bytes a pixel it stays under 64 kB
	hueLeast = 14   // by how many steps, of Cb and Cr together, a cell differs from the ground
	hueKeep  = 0.5  // colours that have faded to less than this are no evidence,
	hueVivid = 2    // where either has so much, in steps from its median
	huePale  = 0.4  // so much of a colour is left in shade
	hueMost  = 0.25 // more of the picture than this is another light
	foreHue  = 254  // foreground by colour alone; by luma it is 255
)

// hueSize returns how many cells a w × h plane has; what is left over at its
// right and lower edges has none.
func hueSize(w, h int) (cw, ch int) { return w / hueCell, h / hueCell }

// hues are Cb, then Cr, of cells, with their medians, and how far the cells are
// from those on average.
type hues struct {
	c     []byte
	mid   [2]int
	vivid float64
	at    [][2]int // columns of each cell's points
}

// halves are Cb and Cr.
func (u *hues) halves() [2][]byte { n := len(u.c) / 2; return [2][]byte{u.c[:n], u.c[n:]} }

// measure takes four points of each cell of a picture whose reduced plane is
// w × h.
func (u *hues) measure(p Picture, w, h int) {
	cw, ch := hueSize(w, h)
	u.c = sized(u.c, 2*cw*ch)
	pw, ph := p.Cb.Width, p.Cb.Height
	// at returns where the i-th of two points a cell lies, of so many chroma
	// samples that are so many pixels of the reduced plane.
	at := func(i, samples, pixels int) int { return (2*i + 1) * hueCell * samples / (4 * pixels) }
	u.at = sized(u.at, cw)
	for x := range u.at {
		u.at[x] = [2]int{at(2*x, pw, w), at(2*x+1, pw, w)}
	}
	for k, plane := range [2]Plane{p.Cb, p.Cr} {
		for y := range ch {
			a, b := plane.Row(at(2*y, ph, h)), plane.Row(at(2*y+1, ph, h))
			a, out := a[:len(b)], u.c[(k*ch+y)*cw:][:len(u.at)]
			for x, at := range u.at {
				sum := uint(a[at[0]]) + uint(b[at[0]]) + uint(a[at[1]]) + uint(b[at[1]])
				out[x] = byte((sum + 2) / 4)
			}
		}
	}
	u.weigh()
}

// weigh works out the medians and how vivid the colours are.
func (u *hues) weigh() {
	sum := 0
	for k, half := range u.halves() {
		var seen counts
		seen.add(half)
		hist := seen.sum()
		u.mid[k] = median(&hist, len(half))
		for v, n := range hist {
			sum += abs(v-u.mid[k]) * int(n)
		}
	}
	u.vivid = float64(sum) / float64(max(1, len(u.c)/2))
}

// expectHue fills s.hueWant with the ground's colour under the picture's light,
// and returns false when colour is no evidence.
func (g *ground) expectHue(s *scratch) bool {
	if len(g.hue) != len(s.hue.c) {
		g.hue = slices.Clone(s.hue.c)
		return false
	}
	learned := &s.hueLearned
	learned.c = g.hue
	learned.weigh()
	fade := 1.0
	switch {
	case max(learned.vivid, s.hue.vivid) < hueVivid:
	case hueKeep*s.hue.vivid > learned.vivid: // it was learned without colours
		copy(g.hue, s.hue.c)
		return false
	case s.hue.vivid < learned.vivid:
		fade = s.hue.vivid / learned.vivid
	}
	s.hueWant = sized(s.hueWant, len(g.hue))
	n, scale := len(g.hue)/2, int(256*fade)
	for k, half := range learned.halves() {
		var lit [256]byte
		for v := range lit {
			lit[v] = byte(max(0, min(s.hue.mid[k]+(v-learned.mid[k])*scale/256, 255)))
		}
		want := s.hueWant[k*n:][:len(half)]
		for i, v := range half {
			want[i] = lit[v]
		}
	}
	return fade >= hueKeep
}

// apart is by how many steps one colour differs from another one, in shade or
// in full light: these make it paler or stronger, which is no other colour.
func (u *hues) apart(now, want [2]byte) int {
	a := [2]float64{float64(int(now[0]) - u.mid[0]), float64(int(now[1]) - u.mid[1])}
	b := [2]float64{float64(int(want[0]) - u.mid[0]), float64(int(want[1]) - u.mid[1])}
	pale := 1.0
	if square := b[0]*b[0] + b[1]*b[1]; square > 0 {
		pale = max(huePale, min((a[0]*b[0]+a[1]*b[1])/square, 1/huePale))
	}
	return int(math.Abs(a[0]-pale*b[0]) + math.Abs(a[1]-pale*b[1]))
}

// compareHue makes foreground of what colour alone tells, and returns how many
// pixels that is.
func (g *ground) compareHue(s *scratch) int {
	cw, ch := hueSize(g.w, g.h)
	s.hueApart = sized(s.hueApart, cw*ch)
	clear(s.hueApart)
	if s.hued = g.expectHue(s); !s.hued {
		return 0
	}
	n, cells := 0, 0
	now, want := s.hue.halves(), (&hues{c: s.hueWant}).halves()
	least := hueLeast + int(s.hue.vivid/2) // edges between strong colours tremble more
	half := spread(byte(min((least+1)/2, 255)))
	for at := 0; at < len(s.hueApart); at += 8 {
		cb, cr := apartBytes(from8(now[0], at), from8(want[0], at)), apartBytes(from8(now[1], at), from8(want[1], at))
		if notLess8(mean8(cb, cr), half) == 0 {
			continue // as most, none of them differs enough
		}
		for i := at; i < min(at+8, len(s.hueApart)); i++ {
			if abs(int(now[0][i])-int(want[0][i]))+abs(int(now[1][i])-int(want[1][i])) <= least {
				continue
			}
			d := math.MaxInt
			around(i, 1, cw, ch, func(o int) {
				d = min(d, s.hue.apart([2]byte{now[0][i], now[1][i]}, [2]byte{want[0][o], want[1][o]}))
			})
			if d > least {
				s.hueApart[i] = byte(min(d, 255))
				cells++
			}
		}
	}
	if float64(cells) > hueMost*float64(cw*ch) {
		clear(s.hueApart)
		return 0
	}
	for i := range marked(s.hueApart) {
		for y := range hueCell {
			from := (i/cw*hueCell+y)*g.w + i%cw*hueCell
			for at := from; at < from+hueCell; at++ {
				if s.fore[at] == 0 && !g.masked.has(at) {
					s.fore[at] = foreHue
					n++
				}
			}
		}
	}
	return n
}

// hueOf returns the cell of a pixel, -1 where it has none.
func (g *ground) hueOf(i int) int {
	cw, ch := hueSize(g.w, g.h)
	x, y := i%g.w/hueCell, i/g.w/hueCell
	if x >= cw || y >= ch {
		return -1
	}
	return y*cw + x
}

// hued counts the pixels of a blob that are foreground by colour alone.
func hued(s *scratch, labels []int32, b Blob, wide int) int {
	n := 0
	for i := range b.pixels(labels, wide) {
		if s.fore[i] == foreHue {
			n++
		}
	}
	return n
}

// isHueGhost tells whether a blob that colour tells of is ground laid bare: then
// it has the colour of what is around it now, and the ground had not.
func (g *ground) isHueGhost(s *scratch, b Blob) bool {
	cw, ch := hueSize(g.w, g.h)
	var in, out struct{ n, now, want [2]int }
	for y := max(0, b.Y/hueCell-1); y <= min(ch-1, (b.Y+b.H)/hueCell+1); y++ {
		for x := max(0, b.X/hueCell-1); x <= min(cw-1, (b.X+b.W)/hueCell+1); x++ {
			i := y*cw + x
			to := &out
			if s.hueApart[i] > 0 {
				to = &in
			}
			for k := range 2 {
				to.n[k]++
				to.now[k] += int(s.hue.c[k*cw*ch+i])
				to.want[k] += int(s.hueWant[k*cw*ch+i])
			}
		}
	}
	now, before := 0, 0
	for k := range 2 {
		if in.n[k] == 0 || out.n[k] == 0 {
			return false
		}
		now += abs(in.now[k]/in.n[k] - out.now[k]/out.n[k])
		before += abs(in.want[k]/in.n[k] - out.want[k]/out.n[k])
	}
	return float64(before) > ghostRatio*float64(now)
}

// followHue lets the ground's colour follow by one step a look, and where
// something stands with the median of the whole.
func (g *ground) followHue(s *scratch) {
	if !s.hued {
		return
	}
	cw, ch := hueSize(g.w, g.h)
	n := cw * ch
	now := s.hue.c[:len(g.hue)]
	whole := [2]int{sign(s.hue.mid[0] - s.hueLearned.mid[0]), sign(s.hue.mid[1] - s.hueLearned.mid[1])}
	for y := range ch {
		fore := s.fore[(y*hueCell+hueCell/2)*g.w:][:g.w]
		for x := range cw {
			if fore[x*hueCell+hueCell/2] != pixelHeld {
				continue
			}
			for k, i := range [2]int{y*cw + x, n + y*cw + x} {
				now[i] = byte(max(0, min(int(g.hue[i])+whole[k], 255)))
			}
		}
	}
	for i := 0; i < len(now); i += 8 {
		put8(g.hue, i, closer8(from8(g.hue, i), from8(now, i)))
	}
}

// absorbHue makes the colour of one pixel's cell ground.
func (g *ground) absorbHue(s *scratch, i int) {
	if c, n := g.hueOf(i), len(g.hue)/2; c >= 0 && s.hued {
		g.hue[c], g.hue[n+c] = s.hue.c[c], s.hue.c[n+c]
	}
}
