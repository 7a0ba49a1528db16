package detect

import "time"

// Tunables of things.
const (
	maxThings    = 24
	maxPoints    = 128  // remembered pixels of a thing
	sameShare    = 0.5  // so many of them unchanged: it still stands there
	exactShare   = 0.9  // so many: it has not moved at all
	bareShare    = 0.3  // so few of them foreground: the ground is to be seen
	bareSamples  = 2    // samples in a row that make it gone
	fewestPoints = 8    // that a thing may shrink to,
	leastShare   = 0.2  // and the least share of them
	youngStills  = 2    // samples that have seen it: whoever put it there may have been taken for it,
	youngShare   = 0.1  // if so much of it has gone
	hiddenMost   = 6    // samples in a row that something may hide it
	explainShare = 0.4  // a blob covered so much by a standing thing is that thing
	zoneShare    = 0.2  // so much of something inside a zone touches it
	insideShare  = 0.9  // so much of it inside stands there
	newTolerance = 1.25 // of the threshold: how much a remembered pixel may change
)

// thing is something that came, and may have come to stand: its place and
// some of its pixels. It holds no likeness beyond these grey points.
type thing struct {
	X, Y, W, H int
	Area       int
	// Points are pixels of the reduced plane, Luma what was seen there.
	Points []uint16
	Luma   []byte
	// First is when it was first seen here, Exact since when it has not
	// changed at all.
	First, Exact time.Time
	// Stills counts samples that saw it here, Bare those in a row that saw
	// the ground, Hidden those in a row that saw something else.
	Stills, Bare, Hidden int
	// Veiled counts all samples that saw something else.
	Veiled int `json:",omitempty"`
	// Native: it stands there since before the watch, which only a model can
	// tell; it is in the ground.
	Native bool `json:",omitempty"`
	// Back: it was put back to where it had been taken from.
	Back bool `json:",omitempty"`
	// Looked: a model has looked at it; Class is what it saw, Certain how
	// surely.
	Looked  bool    `json:",omitempty"`
	Class   string  `json:",omitempty"`
	Certain float64 `json:",omitempty"`
}

// stands tells whether it has been seen in one place more than once.
func (t *thing) stands() bool { return t.Stills >= 2 }

// seen tells whether the newest sample showed it.
func (t *thing) seen() bool { return t.Bare == 0 && t.Hidden == 0 }

// newThing remembers area pixels of a plane that is w wide.
func newThing(pixels func(yield func(i int) bool), area int, x []byte, w int, now time.Time) thing {
	t := thing{X: w, Y: len(x), Area: area, First: now, Exact: now, Stills: 1}
	step := (area + maxPoints - 1) / maxPoints
	n, right, bottom := 0, 0, 0
	for i := range pixels {
		t.X, t.Y = min(t.X, i%w), min(t.Y, i/w)
		right, bottom = max(right, i%w+1), max(bottom, i/w+1)
		if n++; n%step == 0 && len(t.Points) < maxPoints {
			t.Points = append(t.Points, uint16(i))
			t.Luma = append(t.Luma, x[i])
		}
	}
	t.W, t.H = right-t.X, bottom-t.Y
	return t
}

// covers tells whether a pixel lies within the thing's rectangle.
func (t *thing) covers(x, y int) bool {
	return x >= t.X && x < t.X+t.W && y >= t.Y && y < t.Y+t.H
}

// look compares a thing with the newest picture, which is wide pixels wide:
// fore is its foreground, light by how much brighter the scene has become since
// the last one.
func (t *thing) look(x, fore []byte, wide int, light float64, tolerance int, now time.Time) {
	var same, there int
	for i, p := range t.Points {
		if fore[p] != 0 {
			there++
		}
		if abs(int(x[p])-int(float64(t.Luma[i])*light+0.5)) <= tolerance {
			same++
		}
	}
	n := float64(len(t.Points))
	if t.Native {
		there = same // the ground shows it
	}
	switch {
	case t.shrink(x, fore, wide, light, tolerance, n-float64(there), now):
		return
	case t.Native && float64(same) < sameShare*n:
		t.Hidden++ // by something, or by nothing: a ghost tells that it left
		t.Veiled++
	case float64(there) < bareShare*n:
		t.Bare++
	case float64(same) >= sameShare*n && float64(there) >= sameShare*n:
		t.Bare, t.Hidden = 0, 0
		t.Stills++
		if float64(same) < exactShare*n {
			t.Exact = now
		}
		for i, p := range t.Points {
			t.Luma[i] = x[p]
		}
		return
	default:
		t.Bare = 0
		t.Hidden++
		t.Veiled++
	}
	t.Exact = now
	for i := range t.Luma {
		t.Luma[i] = byte(min(255, float64(t.Luma[i])*light+0.5))
	}
}

// shrink leaves of a thing what still stands there when the rest has gone, as a
// bag whose owner has left. gone is how many of its points show the ground.
func (t *thing) shrink(x, fore []byte, wide int, light float64, tolerance int, gone float64, now time.Time) bool {
	n := float64(len(t.Points))
	least := bareShare
	if t.Stills <= youngStills {
		least = youngShare
	}
	if t.Native || gone < least*n {
		return false
	}
	var points []uint16
	var luma []byte
	for i, p := range t.Points {
		if fore[p] != 0 && abs(int(x[p])-int(float64(t.Luma[i])*light+0.5)) <= tolerance {
			points, luma = append(points, p), append(luma, x[p])
		}
	}
	stays := float64(len(points))
	if len(points) < fewestPoints || stays < leastShare*n || stays+gone < exactShare*n {
		return false
	}
	left, top, right, bottom := t.X+t.W, t.Y+t.H, 0, 0
	for _, p := range points {
		px, py := int(p)%wide, int(p)/wide
		left, top, right, bottom = min(left, px), min(top, py), max(right, px+1), max(bottom, py+1)
	}
	t.X, t.Y, t.W, t.H = left, top, right-left, bottom-top
	t.Area = max(1, int(float64(t.Area)*stays/n))
	t.Points, t.Luma, t.Exact = points, luma, now
	t.Bare, t.Hidden = 0, 0
	t.Stills++
	return true
}

// gone tells whether a thing is to be forgotten: one that was seen once must
// be seen again at once to have come to stand.
func (t *thing) gone() bool {
	if !t.stands() {
		return !t.seen()
	}
	return t.Bare >= bareSamples || t.Hidden >= hiddenMost
}

// share returns how much of a thing lies where in holds.
func (t *thing) share(in func(i int) bool) float64 {
	n := 0
	for _, p := range t.Points {
		if in(int(p)) {
			n++
		}
	}
	return float64(n) / float64(max(1, len(t.Points)))
}

// box returns its rectangle on a w × h plane as shares of the picture.
func (t *thing) box(w, h int) Box { return boxOf(t.X, t.Y, t.W, t.H, w, h) }

func boxOf(x, y, bw, bh, w, h int) Box {
	return Box{
		X: float64(x) / float64(w), Y: float64(y) / float64(h),
		W: float64(bw) / float64(w), H: float64(bh) / float64(h),
	}
}

// pixels yields the pixels of a blob in labels, which is w wide.
func (b Blob) pixels(labels []int32, w int) func(yield func(i int) bool) {
	return func(yield func(i int) bool) {
		for y := b.Y; y < b.Y+b.H; y++ {
			for x := b.X; x < b.X+b.W; x++ {
				if i := y*w + x; labels[i] == b.Label && !yield(i) {
					return
				}
			}
		}
	}
}
