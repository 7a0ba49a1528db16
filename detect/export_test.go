package detect

import (
	"encoding/json"
	"fmt"
	"time"

	"videopatrol/inventory"
)

// FrameCheckpoint lets a fuzzer reach past the checksum.
var FrameCheckpoint = frameCheckpoint

// Blacken lets a test look at what masks leave of a picture.
var Blacken = blacken

// What works on eight bytes at a time.
var (
	Mean8   = mean8
	Closer8 = closer8
	Marked  = marked
)

// Histogram counts bytes by value.
func Histogram(parts ...[]byte) [256]uint16 {
	var c counts
	for _, p := range parts {
		c.add(p)
	}
	return c.sum()
}

// Burn lets a test say how much flame and smoke a zone shows.
func Burn(w *Watch, of func(zone string, now time.Time) (flame, smoke float64)) {
	w.burn = func(zone string, _ Picture, now time.Time) fireFacts {
		f, s := of(zone, now)
		b := fireFacts{flame: f, smoke: s}
		if f > 0 {
			b.flameBoxes = []Box{{X: 0.4, Y: 0.4, W: 0.1, H: 0.1}}
		}
		return b
	}
}

// Flames is a zone's watch for fire.
type Flames struct{ *flames }

// FireSight is what one look says of fire.
type FireSight = fireSight

// FireScore is the score from which flame or smoke is to be believed.
const FireScore = fireScore

// NewFlames watches a zone in pictures of a size.
func NewFlames(area inventory.Polygon, width, height int) Flames {
	w, h := gridSize(width, height)
	return Flames{newFlames(raster([]inventory.Polygon{area}, w, h), w, h, width, height)}
}

// Look judges one picture.
func (f Flames) Look(p Picture, now time.Time) FireSight {
	return f.look(p, now, func(Box) bool { return true })
}

// Memory is what a checkpoint would hold.
func (f Flames) Memory() ([]byte, error) { return json.Marshal(f.fireMemory) }

// Restore takes it over.
func (f Flames) Restore(b []byte) error {
	var m fireMemory
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	if !f.restore(m) {
		return errCheckpoint
	}
	return nil
}

// WithWitness joins a sight with what a classifier says.
func WithWitness(s FireSight, fire float64) FireSight { return s.withWitness(fire) }

// Measures lets a test print what scene health measured last.
func (w *Watch) Measures() string {
	f := w.facts
	return fmt.Sprintf("kin %v kept %.2f turned %.2f faint %.2f agrees %.2f telling %.2f gone %.2f crisp %.2f contrast %.2f slipped %.2f noise %.1f white %.2f mean %.0f high %.0f sharp %.2f cb %.0f cr %.0f colour %.1f",
		f.kin, f.kept, f.turned, f.faint, f.agrees(), f.telling, f.gone, f.crisp, f.contrast, f.slipped, f.noise, f.white, f.mean, f.high, f.sharp, f.cb, f.cr, f.colour)
}

// Examine is scene health alone, of a picture and its reduced luma.
func (w *Watch) Examine(p Picture, x []byte, received time.Time) Scene {
	s, _ := scratches.Get().(*scratch)
	defer scratches.Put(s)
	l := w.retina.measure(s, w.o.Imaging, p, x, 16)
	l.now = received
	scene, _ := w.examine(s, l)
	return scene
}

// OpenCheckpoint takes a checkpoint apart.
func OpenCheckpoint(b []byte) (head map[string]any, planes []byte) {
	_, planes, err := parseCheckpoint(b)
	if err != nil {
		panic(err)
	}
	n := len(b) - 4 - len(planes)
	if err := json.Unmarshal(b[len(checkpointMagic)+4:n], &head); err != nil {
		panic(err)
	}
	return head, planes
}
