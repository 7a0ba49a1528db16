package detect

import (
	"encoding/json"
	"fmt"
	"time"
)

// FrameCheckpoint lets a fuzzer reach past the checksum.
var FrameCheckpoint = frameCheckpoint

// Blacken lets a test look at what masks leave of a picture.
var Blacken = blacken

// Measures lets a test print what scene health measured last.
func (w *Watch) Measures() string {
	f := w.facts
	return fmt.Sprintf("kin %v kept %.2f turned %.2f faint %.2f agrees %.2f gone %.2f crisp %.2f contrast %.2f slipped %.2f noise %.1f white %.2f mean %.0f high %.0f sharp %.2f cb %.0f cr %.0f colour %.1f",
		f.kin, f.kept, f.turned, f.faint, f.agrees(), f.gone, f.crisp, f.contrast, f.slipped, f.noise, f.white, f.mean, f.high, f.sharp, f.cb, f.cr, f.colour)
}

// Examine is scene health alone, of a picture and its reduced luma.
func (w *Watch) Examine(p Picture, x []byte, received time.Time) Scene {
	s, _ := scratches.Get().(*scratch)
	defer scratches.Put(s)
	l := w.retina.measure(s, p, x, 16)
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
