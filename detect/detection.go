package detect

import (
	"math"

	"videopatrol/inventory"
)

// Detection is one object that a model sees in a picture: what it is, never
// who.
type Detection struct {
	// Class is one of the model's classes.
	Class string  `json:"class"`
	Score float64 `json:"score"` // 0..1
	Box   Box     `json:"box"`
}

// Look is a picture that a model is to look at. It must be masked already.
type Look struct {
	Picture Picture
	// Crops are the parts of it to look at, at most MaxCrops; none means the
	// whole picture. An object that lies in several of them is reported once.
	Crops []Box
}

// Detector finds objects in pictures. It is not safe for concurrent use.
type Detector interface {
	// Detect returns for each look what is in it, surest first, its boxes in
	// the whole picture. The looks may be of different cameras and sizes; it
	// reads their planes only until it returns. After an error nothing is
	// known about any of them.
	Detect(looks []Look) ([][]Detection, error)
	// Classes are what it can find.
	Classes() []string
}

// MaxCrops is how many parts of one picture are looked at.
const MaxCrops = 6

// Crops returns the parts of a picture in which a model whose input is side
// pixels wide and high sees what is in a zone well, for a look. It returns
// none, which is the whole picture, when the zone takes so much of the picture
// that crops show it hardly larger.
//
// A crop is about square, holds what surrounds the zone too, since a thing
// that stands in it reaches beyond it, and shows at least half as many pixels
// as the model takes: nothing is gained by enlarging more. A zone that is too
// long for one crop gets several, which overlap by a quarter.
func Crops(zone inventory.Polygon, width, height, side int) []Box {
	const (
		margin  = 0.25 // of the zone's own size, on each side
		gain    = 1.5  // how much larger one crop must show things
		gains   = 2.0  // how much larger several must, since each costs a look
		overlap = 0.25 // of a crop's side
	)
	if len(zone) == 0 || width < 1 || height < 1 || side < 1 {
		return nil
	}
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, c := range zone {
		x0, y0 = min(x0, c.X*float64(width)), min(y0, c.Y*float64(height))
		x1, y1 = max(x1, c.X*float64(width)), max(y1, c.Y*float64(height))
	}
	mx, my := margin*(x1-x0), margin*(y1-y0)
	x0, y0, x1, y1 = max(x0-mx, 0), max(y0-my, 0), min(x1+mx, float64(width)), min(y1+my, float64(height))
	if !(x1 > x0 && y1 > y0) {
		return nil
	}
	whole := float64(max(width, height))
	size := max(min(x1-x0, y1-y0), float64(side)/2)
	if longer := max(x1-x0, y1-y0); longer <= 1.5*size {
		size = max(longer, float64(side)/2)
	}
	var xs, ys []float64
	for {
		xs, ys = cropStarts(x0, x1, size, overlap, float64(width)), cropStarts(y0, y1, size, overlap, float64(height))
		if len(xs)*len(ys) <= MaxCrops {
			break
		}
		size *= 1.1
	}
	if whole < gain*size || len(xs)*len(ys) > 1 && whole < gains*size {
		return nil
	}
	var crops []Box
	for _, y := range ys {
		for _, x := range xs {
			crops = append(crops, Box{
				X: x / float64(width), Y: y / float64(height),
				W: min(size, float64(width)) / float64(width), H: min(size, float64(height)) / float64(height),
			})
		}
	}
	return crops
}

// cropStarts returns where crops of a size begin that cover from..to within
// 0..end, evenly, as few as overlap by a share of their size.
func cropStarts(from, to, size, overlap, end float64) []float64 {
	size = min(size, end)
	n := 1
	if to-from > size {
		n = 1 + int(math.Ceil((to-from-size)/(size*(1-overlap))))
	}
	starts := make([]float64, n)
	for i := range starts {
		at := (from + to - size) / 2
		if n > 1 {
			at = from + (to-from-size)*float64(i)/float64(n-1)
		}
		starts[i] = min(max(at, 0), end-size)
	}
	return starts
}

// Finder finds objects in pictures; a model behind it is slow, so a Watch asks
// only when motion or something that stands touches an armed zone whose rule
// names a class.
type Finder interface {
	// Find returns what it sees in a picture, which is masked. near are the
	// bounds of the zones that something touches, worth a closer look where
	// they are small. looked is false when it did not look, for lack of time
	// or because it failed, which it counts itself: then nothing is known.
	Find(p Picture, near []Box) (found []Detection, looked bool)
}

// overlap is the share of the smaller one of two boxes that lies in the other.
func (b Box) overlap(o Box) float64 {
	w := min(b.X+b.W, o.X+o.W) - max(b.X, o.X)
	h := min(b.Y+b.H, o.Y+o.H) - max(b.Y, o.Y)
	least := min(b.W*b.H, o.W*o.H)
	if w <= 0 || h <= 0 || least <= 0 {
		return 0
	}
	return w * h / least
}
