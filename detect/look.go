package detect

import (
	"hash/crc32"
	"math"
	"time"
)

// How a picture is measured. Lengths are pixels of the reduced plane unless
// they say otherwise.
const (
	cellSide  = 4 // a cell: an edge is a step between cells
	blockSide = 8 // a block: sharpness is judged block by block; see Imaging.Peaks
	fewBlocks = 8 // fewer than these tell nothing

	bands      = 32 // of the picture, top to bottom, whose fingerprints are kept
	bandRows   = 6  // one in so many rows is fingerprinted
	grainRows  = 12 // rows of the whole picture in which noise is measured,
	grainParts = 12 // parts of each, and
	grainPart  = 64 // pixels of a part
	hueSide    = 32 // the colour is measured at so many × so many points,
	hueFar     = 4  // and another colour is so many steps away
	whiteLevel = 205
)

// look is what scene health measures in one picture. Luma is in steps of
// 0..255, above black but for raw.
type look struct {
	now time.Time
	// mean and high (95th percentile) are luma above black; raw is mean luma
	// as it came. white is the share of the picture that is as good as white.
	mean, high, raw, white float64
	// sharp is the mean gradient, steps per pixel.
	sharp float64
	// noise is about the standard deviation of the picture's noise, in steps
	// of the whole picture, where it is flattest.
	noise float64
	// cb and cr are the median colour off grey; colour is the share of the
	// picture that is of another colour than that.
	cb, cr, colour float64
	// prints are the fingerprints of the picture's bands.
	prints [bands]uint32
	// blank: all of it is masked, so nothing can be told.
	blank bool
	// edges are the steps between cells, and peaks the greatest step between
	// two pixels of each block; they live in the scratch.
	edges []edge
	peaks []byte
}

// edge is a step in luma to the right and downwards, in 1/32 steps.
type edge struct{ x, y int16 }

// retina is where a picture is measured: the parts of the plane that no mask
// touches.
type retina struct {
	w, h int
	// ew × eh edges lie at the corners where four cells meet, bw × bh blocks
	// beside one another.
	ew, eh, bw, bh int
	masked         bitmap
	// blind are edges that a mask touches, mute bands that are all masked.
	blind []bool
	mute  [bands]bool
}

func newRetina(w, h int, masked bitmap) *retina {
	r := &retina{w: w, h: h, masked: masked, ew: max(0, w/cellSide-1), eh: max(0, h/cellSide-1)}
	r.bw, r.bh = max(0, (w-1)/blockSide), max(0, (h-1)/blockSide)
	if len(masked.bits) == 0 {
		return r
	}
	r.blind = make([]bool, r.ew*r.eh)
	for i := range r.blind {
		r.blind[i] = masked.touches(i/r.ew*cellSide*w+i%r.ew*cellSide, 2*cellSide, w)
	}
	for b := range r.mute {
		r.mute[b] = true
		for i := b * h / bands * w; i < max(b*h/bands+1, (b+1)*h/bands)*w; i++ {
			r.mute[b] = r.mute[b] && masked.has(i)
		}
	}
	return r
}

// measure looks at a picture whose reduced luma is x.
func (r *retina) measure(s *scratch, im Imaging, p Picture, x []byte, black int) look {
	l := look{}
	if !r.light(&l, x, black) {
		return look{blank: true}
	}
	l.prints = fingerprints(p.Y)
	l.noise = r.grain(p.Y)
	r.hue(&l, p)
	s.edges, s.peaks = sized(s.edges, r.ew*r.eh), sized(s.peaks, r.bw*r.bh)
	r.trace(s, x)
	im.Peaks(s.peaks, Plane{Pix: x, Width: r.w, Height: r.h, Stride: r.w})
	l.edges, l.peaks = s.edges, s.peaks
	return l
}

// light measures luma and its gradient in every third row; false when next
// to nothing is unmasked.
func (r *retina) light(l *look, x []byte, black int) bool {
	var seen counts
	var grad, pairs int
	for y := 0; y < r.h; y += 3 {
		row, below := x[y*r.w:][:r.w], x[min(y+1, r.h-1)*r.w:][:r.w]
		if r.masked.none(y*r.w, min(y+2, r.h)*r.w) {
			seen.add(row)
			grad += apart(row[1:], row[:r.w-1]) + apart(row, below)
			pairs += 2*r.w - 1
			continue
		}
		for i, v := range row {
			at := y*r.w + i
			if r.masked.has(at) {
				continue
			}
			seen[0][v]++
			if i+1 < r.w && !r.masked.has(at+1) {
				grad += abs(int(v) - int(row[i+1]))
				pairs++
			}
			if y+1 < r.h && !r.masked.has(at+r.w) {
				grad += abs(int(v) - int(below[i]))
				pairs++
			}
		}
	}
	all := seen.sum()
	n, sum, white := 0, 0, 0
	for v, m := range all {
		n, sum = n+int(m), sum+v*int(m)
		if v-black >= whiteLevel {
			white += int(m)
		}
	}
	if n*150 < len(x) {
		return false
	}
	l.raw = float64(sum) / float64(n)
	l.mean = max(0, l.raw-float64(black))
	l.white = float64(white) / float64(n)
	l.sharp = float64(grad) / float64(max(pairs, 1))
	rest := n / 20
	for v := 255; v >= 0; v-- {
		if rest -= int(all[v]); rest < 0 {
			l.high = float64(max(0, v-black))
			break
		}
	}
	return true
}

// trace measures the edges between cells.
func (r *retina) trace(s *scratch, x []byte) {
	cw, ch := r.w/cellSide, r.h/cellSide
	s.cells = sized(s.cells, cw*ch)
	for cy := range ch {
		rows, out := x[cy*cellSide*r.w:][:cellSide*r.w], s.cells[cy*cw:][:cw]
		a, b, c, d := rows[:r.w], rows[r.w:][:r.w], rows[2*r.w:][:r.w], rows[3*r.w:][:r.w]
		cx := 0
		for ; cx+2 <= cw; cx += 2 {
			i := cx * cellSide
			// Two pixels in each 16 bits: of four rows they stay below 2,041.
			v := pairs8(load8(a[i:])) + pairs8(load8(b[i:])) + pairs8(load8(c[i:])) + pairs8(load8(d[i:]))
			v += v >> 16
			out[cx], out[cx+1] = int16(v&0xffff), int16(v>>32&0xffff)
		}
		for ; cx < cw; cx++ {
			sum := 0
			for i := cx * cellSide; i < (cx+1)*cellSide; i++ {
				sum += int(a[i]) + int(b[i]) + int(c[i]) + int(d[i])
			}
			out[cx] = int16(sum)
		}
	}
	for ey := range r.eh {
		up, down := s.cells[ey*cw:][:cw], s.cells[(ey+1)*cw:][:cw]
		out := s.edges[ey*r.ew:][:r.ew]
		for i := range out {
			a, b, c, d := up[i], up[i+1], down[i], down[i+1]
			out[i] = edge{b + d - a - c, c + d - a - b}
		}
	}
}

// grain measures the noise of the whole picture: the mean second difference
// along short parts of a few rows, of which the flattest quarter has little
// else. It is what is left of noise after the encoder.
func (r *retina) grain(p Plane) float64 {
	var sums [grainRows * grainParts]int
	n := 0
	size := min(grainPart, (p.Width-2)/8*8)
	for i := range grainRows {
		y := (2*i + 1) * p.Height / (2 * grainRows)
		row := p.Row(y)
		last := -size
		for j := range grainParts {
			at := j * (p.Width - 2 - size) / (grainParts - 1)
			if at < last+size || !r.masked.none(r.reduced(at, y, p), r.reduced(at+size, y, p)+1) {
				continue
			}
			last = at
			sum := 0
			for k := at; k < at+size; k += 8 {
				a, b, c := load8(row[k:]), load8(row[k+1:]), load8(row[k+2:])
				sum += apart8(step8(a, b), step8(b, c))
			}
			sums[n] = sum
			n++
		}
	}
	if n < 8 {
		return 0
	}
	// step8 halves; a second difference of noise is on average twice its deviation.
	return float64(nth(sums[:n], n/4)) / float64(size)
}

// reduced returns the pixel of the reduced plane that holds one of the picture.
func (r *retina) reduced(x, y int, p Plane) int {
	return min(y*r.h/p.Height, r.h-1)*r.w + min(x*r.w/p.Width, r.w-1)
}

// hue measures the colour at points all over the picture.
func (r *retina) hue(l *look, p Picture) {
	var us, vs [256]uint16
	var at [hueSide * hueSide][2]byte
	n := 0
	var cx, x [hueSide]int
	for i := range hueSide {
		cx[i], x[i] = (2*i+1)*p.Cb.Width/(2*hueSide), (2*i+1)*r.w/(2*hueSide)
	}
	for j := range hueSide {
		cy, y := (2*j+1)*p.Cb.Height/(2*hueSide), (2*j+1)*r.h/(2*hueSide)
		ub, vb := p.Cb.Row(cy), p.Cr.Row(cy)
		for i := range hueSide {
			if r.masked.has(y*r.w + x[i]) {
				continue
			}
			u, v := ub[cx[i]], vb[cx[i]]
			us[u]++
			vs[v]++
			at[n] = [2]byte{u, v}
			n++
		}
	}
	if n == 0 {
		return
	}
	cb, cr := median(&us, n), median(&vs, n)
	l.cb, l.cr = float64(cb-128), float64(cr-128)
	far := 0
	for _, c := range at[:n] {
		if abs(int(c[0])-cb)+abs(int(c[1])-cr) >= hueFar {
			far++
		}
	}
	l.colour = float64(far) / float64(n)
}

func median(hist *[256]uint16, n int) int {
	rest := n / 2
	for v, m := range hist {
		if rest -= int(m); rest < 0 {
			return v
		}
	}
	return 0
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fingerprints are the same for identical bands of pictures. A sensor's noise
// makes two looks at one scene differ in every row; only a stuck picture
// repeats to the bit.
func fingerprints(p Plane) [bands]uint32 {
	var prints [bands]uint32
	for y := 0; y < p.Height; y += bandRows {
		b := y * bands / p.Height
		prints[b] = crc32.Update(prints[b], castagnoli, p.Row(y))
	}
	return prints
}

// sized returns a slice of n, of p if it is large enough.
func sized[T any](p []T, n int) []T {
	if cap(p) < n {
		return make([]T, n)
	}
	return p[:n]
}

// nth returns the n-th smallest of some numbers.
func nth(v []int, n int) int {
	lo, hi := math.MaxInt, 0
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	for lo < hi {
		middle, below := (lo+hi)/2, 0
		for _, x := range v {
			if x <= middle {
				below++
			}
		}
		if below > n {
			hi = middle
		} else {
			lo = middle + 1
		}
	}
	return lo
}
