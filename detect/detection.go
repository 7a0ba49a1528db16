package detect

// Detection is one object that a model sees in a picture: what it is, never
// which one.
type Detection struct {
	Class string  `json:"class"`
	Score float64 `json:"score"` // 0..1
	Box   Box     `json:"box"`
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
