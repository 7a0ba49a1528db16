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
	leastNoise   = 1.5              // steps of noise that light is known under, at least
	mostNoise    = 3                // and at most
	devPerSigma  = 8                // a deviation over the noise's standard deviation in steps
	pastTime     = time.Minute      // time constant of quiet ground
	stirredShare = 0.5              // more foreground than this is another scene,
	stirredMost  = 3                // and after so many samples it is learned anew
	gainOffset   = 8                // keeps dark pixels from ruling the gain
	lightMatch   = 0.92             // a blob that correlates so well with the ground is light on it
	ghostRatio   = 1.5              // outline stronger in the ground than in the picture
	heldRatio    = 3                // the same where something seems to stand
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
	// hue is the colour of its cells, Cb and then Cr; see hues.
	hue []byte
	// learned is set once warm-up has ended, which was since.
	learned bool
	since   time.Time
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
	// expect is the ground under the picture's light, fore the foreground, and
	// spare whatever a step needs.
	expect, fore, spare []byte
	// sums are of the energy of its pixels; see energies.
	sums []int32

	// What scene health measures with.
	cells   []int16
	edges   []edge
	peaks   []byte
	tallies []tally
	shifts  []shift

	// The picture's colour, the ground's as learned and under the picture's light, by how
	// much they differ where they do, and whether that is evidence.
	hue        hues
	hueLearned hues
	hueWant    []byte
	hueApart   []byte
	hued       bool
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) size(n int) {
	for _, p := range []*[]byte{&s.expect, &s.fore, &s.spare} {
		*p = slices.Grow((*p)[:0], n)[:n]
	}
}

// learn takes one sample of a warm-up and tells whether it was the last one.
// The ground is the median of the samples, so what merely passes leaves no
// trace; what stands in all of them is ground and never reported as new.
func (g *ground) learn(x, hue []byte, now time.Time) bool {
	if len(g.warm) == 0 {
		g.warmFrom = now
	}
	if len(g.warm) == warmMost {
		g.warm[1] = g.warm[len(g.warm)-1]
		g.warm = g.warm[:warmMost-1]
	}
	g.warm = append(g.warm, slices.Concat(x, hue))
	if len(g.warm) < warmSamples || now.Sub(g.warmFrom) < warmSpan {
		return false
	}
	size := len(x)
	both, near := make([]byte, size+len(hue)), make([]byte, size)
	var sorted [warmMost]uint64
	seen := sorted[:len(g.warm)]
	middle := len(seen) / 2
	for i := 0; i < len(both); i += 8 {
		for j, plane := range g.warm {
			v := from8(plane, i)
			for k := range j {
				seen[k], v = sort8(seen[k], v)
			}
			seen[j] = v
		}
		put8(both, i, seen[middle])
		// The sample nearest to the median tells of noise; the farthest may
		// be something that passed.
		put8(near, i, min8(seen[middle]-seen[middle-1], seen[middle+1]-seen[middle]))
	}
	g.mean, g.dev, g.hue = make([]uint16, size), near, slices.Clone(both[size:])
	for i, m := range both[:size] {
		g.mean[i] = uint16(m) << 8
		g.dev[i] = uint8(min(startDev+2*int(near[i]), maxDev))
	}
	g.learned, g.since, g.warm, g.gain, g.stirred = true, now, nil, 1, 0
	return true
}

// forget starts a new warm-up.
func (g *ground) forget() {
	g.learned, g.warm, g.mean, g.dev, g.hue, g.gain, g.stirred = false, nil, nil, nil, nil, 1, 0
}

// gainOne is a gain of 1, gainTop the highest that counts, gainMost the highest
// that any pixels that have a say come to.
const gainOne, gainTop, gainMost = 256, 1024, (249 + gainOffset) * gainOne / (2 * gainOffset)

// gains are what a pixel's luma is multiplied and divided by for a gain, by
// black level: a picture's and the inverse of a ground's, times 2³². They are 0
// where the pixel has no say.
type gains struct{ picture, ground [256]uint32 }

var gainsOf = func() (of [2]gains) {
	for full, black := range []int{16, 0} {
		t := &of[full]
		for v := range 250 { // what is brighter may be any brighter
			t.picture[v] = uint32(max(gainOffset+gainOne, (v-black+gainOffset)*gainOne)) // a gain above 0
		}
		for v := black + gainOffset; v < 256; v++ { // below it noise rules
			t.ground[v] = (1<<32-1)/uint32(v-black+gainOffset) + 1
		}
	}
	return of
}()

// findGain returns by how much brighter the picture is than the ground: the
// median ratio, so that what covers less than half of the scene has no say.
// What a mask blackens is too dark to.
func (g *ground) findGain(x []byte, black int) float64 {
	t := &gainsOf[0]
	if black == 0 {
		t = &gainsOf[1]
	}
	mean := g.mean[:len(x)]
	gain := func(i int) uint64 { return uint64(t.picture[x[i]]) * uint64(t.ground[mean[i]>>8]) >> 32 }
	// Neighbours count in different histograms, so that none waits for the
	// other one's sum.
	var hist [4][gainMost + 1]uint16
	for i := 3; i < len(x); i += 4 {
		hist[0][gain(i-3)]++
		hist[1][gain(i-2)]++
		hist[2][gain(i-1)]++
		hist[3][gain(i)]++
	}
	for i := len(x) &^ 3; i < len(x); i++ {
		hist[0][gain(i)]++
	}
	count := func(r int) int { return int(hist[0][r]) + int(hist[1][r]) + int(hist[2][r]) + int(hist[3][r]) }
	n := len(x) - count(0)
	if n*20 < len(x) {
		return 1
	}
	sum := 0
	for r := 1; r <= gainMost; r++ {
		if sum += count(r); sum*2 >= n {
			return max(float64(min(r, gainTop))+0.5, gainOne/8) / gainOne
		}
	}
	return 1
}

// compare fills s.expect with the ground under the picture's light and s.fore
// with 255 for every pixel where the picture differs from all of the ground
// around it (3 × 3 pixels, so swaying edges and a trembling mast are no
// foreground) by more than the threshold and its own noise, or the ground from
// all of the picture around it, as where something slim has left. It returns
// how many pixels are foreground.
func (g *ground) compare(s *scratch, im Imaging, x []byte, black, threshold int) int {
	g.gain = g.findGain(x, black)
	scale := int(math.Round(g.gain * 1024))
	offset := (black - gainOffset) << 8
	base := int(float64(threshold) * math.Sqrt(max(1, min(g.gain, 4))))
	im.Differ(g.layers(s, x), Lighting{Scale: scale, Offset: (offset+128)<<10 - offset*scale, Least: base})
	n := 0
	for i := range marked(s.fore) { // few: most pixels differ by no more than the threshold alone
		if g.judge(s, x, i, base) {
			n++
		} else {
			s.fore[i] = 0
		}
	}
	return n
}

// layers are the ground and a picture that is compared with it.
func (g *ground) layers(s *scratch, x []byte) Layers {
	return Layers{X: x, Mean: g.mean, Dev: g.dev, Expect: s.expect, Fore: s.fore}
}

// apart is by how many steps a pixel differs from the ground under the light of the
// picture that was compared last.
func (g *ground) apart(x []byte, i, black int) int {
	offset := black - gainOffset
	return abs(int(x[i]) - offset - int(float64(int(g.mean[i]>>8)-offset)*g.gain))
}

// judge tells whether a pixel that differs so much is foreground. The
// surroundings only bring picture and ground closer to each other.
func (g *ground) judge(s *scratch, x []byte, i, base int) bool {
	least, v, e := base+int(g.dev[i])*3/4, int(x[i]), int(s.expect[i])
	if abs(v-e) <= least || g.masked.has(i) {
		return false
	}
	if lo, hi := g.around(s.expect, i); max(lo-v, v-hi) > least {
		return true
	}
	lo, hi := g.around(x, i)
	return max(lo-e, e-hi) > least
}

// around returns the least and the greatest of a pixel and its neighbours.
func (g *ground) around(p []byte, i int) (lo, hi int) {
	cx, cy := i%g.w, i/g.w
	least, most := p[i], p[i]
	for y := max(cy-1, 0); y <= min(cy+1, g.h-1); y++ {
		for _, v := range p[y*g.w+max(cx-1, 0) : y*g.w+min(cx+2, g.w)] {
			least, most = min(least, v), max(most, v)
		}
	}
	return int(least), int(most)
}

// How follow treats a pixel; see Imaging.Follow.
const (
	pixelQuiet = iota // follow the picture
	pixelNoise        // foreground that belongs to nothing: it widens the noise
	pixelHeld         // foreground that belongs to something: only the light follows
)

// follow lets the ground follow the picture after dt. s.fore holds how each
// pixel is treated.
func (g *ground) follow(s *scratch, im Imaging, x []byte, dt time.Duration) {
	rate := max(16, min(int(256*dt/pastTime), 64))
	im.Follow(g.layers(s, x), rate)
	g.gain /= 1 + (g.gain-1)*float64(rate)/256
}

// absorb makes one pixel of the picture ground.
func (g *ground) absorb(s *scratch, i int, v byte) {
	g.mean[i], g.dev[i] = uint16(v)<<8, startDev*2
	g.absorbHue(s, i)
}

// isLight tells whether a blob is the ground itself under other light: a
// shadow, a beam. Its texture is then still there, under the sensor's noise,
// which is known and does not count against it. Nor does the rim of a large
// blob, which lies half in the light.
func (g *ground) isLight(s *scratch, x []byte, labels []int32, b Blob) bool {
	const large = 256
	var n, sx, se, sxx, see, sxe, noise float64
	for i := range b.pixels(labels, g.w) {
		if b.Area >= large && (i < g.w || i+g.w >= len(x) ||
			labels[i-1] != b.Label || labels[i+1] != b.Label || labels[i-g.w] != b.Label || labels[i+g.w] != b.Label) {
			continue
		}
		v, e := float64(x[i]), float64(s.expect[i])
		d := max(leastNoise, min(float64(g.dev[i])/devPerSigma, mostNoise))
		n, sx, se, sxx, see, sxe, noise = n+1, sx+v, se+e, sxx+v*v, see+e*e, sxe+v*e, noise+d*d
	}
	if n < 16 {
		return false
	}
	vx, ve, cov := sxx/n-sx/n*sx/n, see/n-se/n*se/n, sxe/n-sx/n*se/n
	vx -= min(noise/n, vx/2)
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

// edge is how much of a blob's difference from the ground is lost within reach
// pixels across its outline, as a share of its mean difference: near 1 for a
// thing, which ends where it ends, and near 0 for light that fades out. Where
// the ground itself has an edge it is not asked, for light ends there, too.
func (g *ground) edge(s *scratch, x []byte, labels []int32, b Blob) float64 {
	sum, area := 0, 0
	for i := range b.pixels(labels, g.w) {
		sum += int(x[i]) - int(s.expect[i])
		area++
	}
	sign := 1
	if sum < 0 {
		sign = -1
	}
	differ := func(i int) int { return max(0, sign*(int(x[i])-int(s.expect[i]))) }
	var step, n [2]int // over smooth ground, over an edge of it
	across := func(i, j int) {
		if labels[j] == b.Label {
			return
		}
		over := 0
		if abs(int(s.expect[i])-int(s.expect[j])) >= outlineStep {
			over = 1
		}
		step[over] += differ(i) - differ(j)
		n[over]++
	}
	const reach = 2
	for i := range b.pixels(labels, g.w) {
		xx, y := i%g.w, i/g.w
		if xx >= reach {
			across(i, i-reach)
		}
		if xx+reach < g.w {
			across(i, i+reach)
		}
		if y >= reach {
			across(i, i-reach*g.w)
		}
		if y+reach < g.h {
			across(i, i+reach*g.w)
		}
	}
	if n[0] < n[1] { // too little to tell by
		n[0], step[0] = n[0]+n[1], step[0]+step[1]
	}
	if n[0] == 0 || sum == 0 {
		return 1
	}
	return float64(step[0]) / float64(n[0]) * float64(area) / math.Abs(float64(sum))
}

func abs(v int) int { return max(v, -v) }
