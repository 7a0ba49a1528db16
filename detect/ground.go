package detect

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Tunables of the background model. Luma is in steps of 0..255; deviations
// are kept in quarters of a step.
const (
	maxPixels    = 20000 // of the reduced plane: three bytes each stay under 64 kB
	warmSamples  = 3     // the fewest that are learned before anything is judged
	warmMost     = 5
	warmSpan     = 8 * time.Second
	startDev     = 6                // deviation at first
	maxDev       = 100              // deviation at most
	pastTime     = time.Minute      // time constant of quiet ground
	stirredShare = 0.5              // more foreground than this is another scene,
	stirredMost  = 3                // and after so many samples it is learned anew
	gainOffset   = 8                // keeps dark pixels from ruling the gain
	lightMatch   = 0.92             // a blob that correlates so well with the ground is light on it
	ghostRatio   = 1.5              // outline stronger in the ground than in the picture
	unknownRatio = 0.75             // the same where the record says that something stands
	outlineStep  = 16               // a step across an outline counts no more than this
	settleTime   = 30 * time.Minute // what stood so long without a change is ground
)

// ground is what the scene looks like when nothing is in it: for each pixel
// of the reduced plane a mean (in 1/256 steps) and a deviation. Quiet pixels
// follow the picture within pastTime; foreground stays out until it has stood
// for settleTime (see things), and only moves with the light of the whole.
type ground struct {
	w, h int
	mean []uint16
	dev  []uint8
	// learned is set once warm-up has ended.
	learned bool
	// gain is the light of the newest picture over that of mean.
	gain float64
	// stirred counts samples in a row that look like another scene.
	stirred int
	// warm holds the samples of a warm-up, warmFrom when the first came.
	warm     [][]byte
	warmFrom time.Time
	// masked are the pixels that a privacy mask touches; they are never judged.
	masked bitmap
}

func newGround(w, h int, masked bitmap) *ground {
	return &ground{w: w, h: h, masked: masked, gain: 1}
}

// gridSize returns the size of the reduced plane of a picture.
func gridSize(width, height int) (w, h int) {
	s := min(1, math.Sqrt(maxPixels/float64(width*height)))
	return max(1, int(float64(width)*s)), max(1, int(float64(height)*s))
}

// scratch is working memory for one look; the looks of all watches share it.
type scratch struct {
	expect, lo, hi, xlo, xhi, tmp, fore []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) size(n int) {
	for _, p := range []*[]byte{&s.expect, &s.lo, &s.hi, &s.xlo, &s.xhi, &s.tmp, &s.fore} {
		*p = slices.Grow((*p)[:0], n)[:n]
	}
}

// learn takes one sample of a warm-up and tells whether it was the last one.
// The ground is the median of the samples, so what merely passes leaves no
// trace; what stands in all of them is ground and never reported as new.
func (g *ground) learn(x []byte, now time.Time) bool {
	if len(g.warm) == 0 {
		g.warmFrom = now
	}
	if len(g.warm) == warmMost {
		g.warm[1] = g.warm[len(g.warm)-1]
		g.warm = g.warm[:warmMost-1]
	}
	g.warm = append(g.warm, slices.Clone(x))
	if len(g.warm) < warmSamples || now.Sub(g.warmFrom) < warmSpan {
		return false
	}
	g.mean = make([]uint16, g.w*g.h)
	g.dev = make([]uint8, g.w*g.h)
	var v [warmMost]byte
	for i := range g.mean {
		for j, plane := range g.warm {
			v[j] = plane[i]
		}
		seen := v[:len(g.warm)]
		slices.Sort(seen)
		m := seen[len(seen)/2]
		g.mean[i] = uint16(m) << 8
		// The sample nearest to the median tells of noise; the farthest may
		// be something that passed.
		near := min(m-seen[len(seen)/2-1], seen[len(seen)/2+1]-m)
		g.dev[i] = uint8(min(startDev+2*int(near), maxDev))
	}
	g.learned, g.warm, g.gain, g.stirred = true, nil, 1, 0
	return true
}

// forget starts a new warm-up.
func (g *ground) forget() {
	g.learned, g.warm, g.mean, g.dev, g.gain, g.stirred = false, nil, nil, nil, 1, 0
}

// findGain returns by how much brighter the picture is than the ground: the
// median ratio, so that what covers less than half of the scene has no say.
func (g *ground) findGain(x []byte, black int) float64 {
	const one, top = 256, 1024
	var hist [top + 1]int
	n := 0
	for i, v := range x {
		m := int(g.mean[i]>>8) - black
		if m < gainOffset || v >= 250 || g.masked.has(i) {
			continue
		}
		r := (int(v) - black + gainOffset) * one / (m + gainOffset)
		hist[max(0, min(r, top))]++
		n++
	}
	if n*20 < len(x) {
		return 1
	}
	sum := 0
	for r, c := range hist {
		if sum += c; sum*2 >= n {
			return max(float64(r)+0.5, one/8) / one
		}
	}
	return 1
}

// compare fills s.expect with the ground under the picture's light and s.fore
// with 255 for every pixel where the picture differs from all of the ground
// around it (3 × 3 pixels, so swaying edges and a trembling mast are no
// foreground) by more than the threshold and its own noise, or the ground from
// all of the picture around it, as where something slim has left. It returns
// the share of foreground.
func (g *ground) compare(s *scratch, x []byte, black, threshold int) float64 {
	g.gain = g.findGain(x, black)
	scale := int(math.Round(g.gain * 1024))
	offset := (black - gainOffset) << 8
	for i, m := range g.mean {
		e := ((int(m)-offset)*scale>>10 + offset + 128) >> 8
		s.expect[i] = byte(max(0, min(e, 255)))
	}
	min3x3(s.lo, s.tmp, s.expect, g.w, g.h)
	max3x3(s.hi, s.tmp, s.expect, g.w, g.h)
	min3x3(s.xlo, s.tmp, x, g.w, g.h)
	max3x3(s.xhi, s.tmp, x, g.w, g.h)
	base := int(float64(threshold) * math.Sqrt(max(1, min(g.gain, 4))))
	n := 0
	for i, v := range x {
		t := base + int(g.dev[i])*3/4
		s.fore[i] = 0
		e := int(s.expect[i])
		if (int(v)+t < int(s.lo[i]) || int(v) > int(s.hi[i])+t || e+t < int(s.xlo[i]) || e > int(s.xhi[i])+t) && !g.masked.has(i) {
			s.fore[i] = 255
			n++
		}
	}
	return float64(n) / float64(max(1, len(x)-g.masked.size))
}

// max3x3 takes the greatest of each pixel and its eight neighbours.
func max3x3(dst, tmp, src []byte, w, h int) {
	for y := range h {
		in, out := src[y*w:y*w+w], tmp[y*w:y*w+w]
		left := in[0]
		for x := range w - 1 {
			out[x] = max(left, in[x], in[x+1])
			left = in[x]
		}
		out[w-1] = max(left, in[w-1])
	}
	for y := range h {
		up, mid, down := tmp[max(y-1, 0)*w:][:w], tmp[y*w:][:w], tmp[min(y+1, h-1)*w:][:w]
		out := dst[y*w:][:w]
		for x := range out {
			out[x] = max(up[x], mid[x], down[x])
		}
	}
}

// min3x3 takes the least of them: the complement of the greatest complement.
// It leaves src as it was.
func min3x3(dst, tmp, src []byte, w, h int) {
	complement(src)
	max3x3(dst, tmp, src, w, h)
	complement(src)
	complement(dst)
}

func complement(p []byte) {
	for i := range p {
		p[i] = ^p[i]
	}
}

// How follow treats a pixel.
const (
	pixelQuiet = iota // follow the picture
	pixelNoise        // foreground that belongs to nothing: it widens the noise
	pixelHeld         // foreground that belongs to something: only the light follows
)

// follow lets the ground follow the picture after dt. s.fore holds how each
// pixel is treated.
func (g *ground) follow(s *scratch, x []byte, dt time.Duration) {
	rate := max(16, min(int(256*dt/pastTime), 64))
	for i, how := range s.fore {
		target := int(x[i]) << 8
		if how != pixelQuiet {
			target = int(s.expect[i]) << 8
		}
		m := int(g.mean[i])
		g.mean[i] = uint16(m + (target-m)*rate/256)
		d := int(g.dev[i])
		switch how {
		case pixelNoise:
			d = min(d+4, maxDev)
		case pixelQuiet:
			// Sigma-delta: settles at three times the median difference.
			diff := int(x[i]) - int(s.expect[i])
			if max(diff, -diff)*12 > d {
				d = min(d+1, maxDev)
			} else {
				d = max(d-1, 1)
			}
		}
		g.dev[i] = uint8(d)
	}
	g.gain /= 1 + (g.gain-1)*float64(rate)/256
}

// absorb makes one pixel of the picture ground.
func (g *ground) absorb(i int, v byte) { g.mean[i], g.dev[i] = uint16(v)<<8, startDev*2 }

// isLight tells whether a blob is the ground itself under other light: a
// shadow, a beam. Its texture is then still there.
func (g *ground) isLight(s *scratch, x []byte, in func(yield func(i int) bool)) bool {
	var n, sx, se, sxx, see, sxe float64
	for i := range in {
		a, b := float64(x[i]), float64(s.expect[i])
		n, sx, se, sxx, see, sxe = n+1, sx+a, se+b, sxx+a*a, see+b*b, sxe+a*b
	}
	if n < 16 {
		return false
	}
	vx, ve, cov := sxx/n-sx/n*sx/n, see/n-se/n*se/n, sxe/n-sx/n*se/n
	const texture = 3 * 3 // less variance than this is noise
	return vx > texture && ve > texture && cov > 0 && cov*cov > lightMatch*lightMatch*vx*ve
}

// isGhost tells whether a blob is ground laid bare: then the ground as
// learned, not the picture, has an outline there, ratio times as strong. A step counts up to
// outlineStep, so that strong markings, which cross an outline here and there,
// do not outweigh one that goes all around.
func (g *ground) isGhost(s *scratch, x []byte, labels []int32, b Blob, ratio float64) bool {
	var now, before, n int
	step := func(i, j int) {
		if labels[j] == b.Label {
			return
		}
		now += min(abs(int(x[i])-int(x[j])), outlineStep)
		before += min(abs(int(s.expect[i])-int(s.expect[j])), outlineStep)
		n++
	}
	const reach = 2 // across the blur of the outline
	for y := b.Y; y < b.Y+b.H; y++ {
		for xx := b.X; xx < b.X+b.W; xx++ {
			i := y*g.w + xx
			if labels[i] != b.Label {
				continue
			}
			if xx >= reach {
				step(i, i-reach)
			}
			if xx+reach < g.w {
				step(i, i+reach)
			}
			if y >= reach {
				step(i, i-reach*g.w)
			}
			if y+reach < g.h {
				step(i, i+reach*g.w)
			}
		}
	}
	return n > 0 && float64(before) > ratio*float64(now)+float64(n)
}

func abs(v int) int { return max(v, -v) }

// measure looks at the whole picture for scene health.
func (g *ground) measure(x []byte, black int) look {
	var hist [256]int
	var grad, pairs, n, sum int
	for y := range g.h {
		for xx := range g.w {
			i := y*g.w + xx
			if g.masked.has(i) {
				continue
			}
			v := int(x[i])
			hist[v]++
			sum += v
			n++
			if xx+1 < g.w && !g.masked.has(i+1) {
				grad += abs(v - int(x[i+1]))
				pairs++
			}
			if y+1 < g.h && !g.masked.has(i+g.w) {
				grad += abs(v - int(x[i+g.w]))
				pairs++
			}
		}
	}
	if n*50 < len(x) {
		return look{blank: true}
	}
	l := look{lost: -1}
	l.raw = float64(sum) / float64(n)
	l.mean = max(0, l.raw-float64(black))
	l.sharp = float64(grad) / float64(max(pairs, 1))
	rest := n / 20
	for v := 255; v >= 0; v-- {
		if rest -= hist[v]; rest < 0 {
			l.high = float64(max(0, v-black))
			break
		}
	}
	if g.learned {
		l.lost = g.lost(x)
	}
	return l
}

// lost returns the share of textured 8 × 8 blocks of the ground that are flat
// in the picture and no longer resemble it; -1 when there are too few.
func (g *ground) lost(x []byte) float64 {
	const side, textured, fewest = 8, 2.0, 12
	var blocks, gone int
	for by := 0; by+side < g.h; by += side {
		for bx := 0; bx+side < g.w; bx += side {
			var gx, gm, n int
			var sx, sm, sxx, smm, sxm float64
			for y := by; y < by+side; y++ {
				for xx := bx; xx < bx+side; xx++ {
					i := y*g.w + xx
					if g.masked.has(i) {
						continue
					}
					v, m := int(x[i]), int(g.mean[i]>>8)
					gx += abs(v-int(x[i+1])) + abs(v-int(x[i+g.w]))
					gm += abs(m-int(g.mean[i+1]>>8)) + abs(m-int(g.mean[i+g.w]>>8))
					a, b := float64(v), float64(m)
					sx, sm, sxx, smm, sxm, n = sx+a, sm+b, sxx+a*a, smm+b*b, sxm+a*b, n+1
				}
			}
			if n < side*side || float64(gm) < textured*2*float64(n) {
				continue
			}
			blocks++
			c := float64(n)
			cov, vx, vm := sxm/c-sx/c*sm/c, sxx/c-sx/c*sx/c, smm/c-sm/c*sm/c
			if float64(gx) < 0.4*float64(gm) && (cov <= 0 || cov*cov < 0.36*vx*vm) {
				gone++
			}
		}
	}
	if blocks < fewest {
		return -1
	}
	return float64(gone) / float64(blocks)
}
