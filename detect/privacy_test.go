//go:build cgo

package detect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/detect/opencv"
	"videopatrol/inventory"
)

// A witness stands before Imaging and before a model, and writes down all that
// is handed to them.
type witness struct {
	detect.Imaging
	log   []string
	asked int // of the model
}

func (w *witness) note(what string, planes ...detect.Plane) {
	h := fnv.New64a()
	for _, p := range planes {
		for y := range p.Height {
			_, _ = h.Write(p.Row(y))
		}
	}
	w.log = append(w.log, fmt.Sprintf("%s %x", what, h.Sum64()))
}

func (w *witness) Shrink(p detect.Plane, width, height int) (detect.Plane, error) {
	w.note("shrink", p)
	return w.Imaging.Shrink(p, width, height)
}

func (w *witness) Blobs(mask detect.Plane, minArea int) ([]detect.Blob, []int32, error) {
	w.note("blobs", mask)
	return w.Imaging.Blobs(mask, minArea)
}

func (w *witness) JPEG(p detect.Picture, maxWidth int) ([]byte, error) {
	w.note("jpeg", p.Y, p.Cb, p.Cr)
	return w.Imaging.JPEG(p, maxWidth)
}

func (w *witness) Find(p detect.Picture, near []detect.Box) ([]detect.Detection, bool) {
	w.asked++
	w.note(fmt.Sprint("model ", near), p.Y, p.Cb, p.Cr)
	return nil, true
}

// A twin is one of two watches that see the same but under masks.
type twin struct {
	*detect.Watch
	*witness
}

func newTwin(t *testing.T, c detect.Config) twin {
	t.Helper()
	im := opencv.New()
	t.Cleanup(func() { _ = im.Close() })
	x := twin{witness: &witness{Imaging: im}}
	var err error
	if x.Watch, err = detect.NewWatch(detect.WatchOptions{Config: c, Imaging: x.witness, Objects: x.witness, StillWidth: 200}); err != nil {
		t.Fatal(err)
	}
	return x
}

// see returns all that comes of a picture: the result with its JPEGs, what
// was handed to Imaging, the still that somebody asks for, the checkpoint.
func (x twin) see(t *testing.T, p detect.Picture, now time.Time) (all [][]byte) {
	t.Helper()
	asked, shown := cloned(p), cloned(p)
	p.Clear = func() (detect.Picture, error) { return shown, nil }
	r, err := x.See(p, now)
	if err != nil {
		t.Fatal(err)
	}
	r.Stages = nil // seconds
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	still, err := x.Still(asked)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, b, still, []byte(fmt.Sprint(x.log)), x.Checkpoint())
	x.log = nil
	return all
}

var outputs = []string{"the result", "the still", "what Imaging and the model got", "the checkpoint"}

func compare(t *testing.T, when string, a, b [][]byte) {
	t.Helper()
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			t.Fatalf("%s: %s tells of what lies under a mask", when, outputs[i])
		}
	}
}

func cloned(p detect.Picture) detect.Picture {
	for _, pl := range []*detect.Plane{&p.Y, &p.Cb, &p.Cr} {
		pl.Pix = slices.Clone(pl.Pix)
	}
	return p
}

// everyZone has a zone of every kind, most of them large.
func everyZone() []inventory.Zone {
	var all []inventory.Zone
	for i, k := range inventory.ZoneKinds() {
		d := 0.02 * float64(i)
		all = append(all, inventory.Zone{ID: string(k), Kind: k, Dwell: 20 * time.Second, Area: rect(d, 0.3-d, 1-d, 1)})
	}
	return all
}

// under tells for each luma pixel whether its centre lies under a mask.
func under(masks []inventory.Polygon, w, h int) func(x, y int) bool {
	return func(x, y int) bool {
		at := inventory.Point{X: (float64(x) + 0.5) / float64(w), Y: (float64(y) + 0.5) / float64(h)}
		return slices.ContainsFunc(masks, func(m inventory.Polygon) bool { return m.Contains(at) })
	}
}

// scribble changes every sample that shows any of the pixels that in tells
// of, in a picture whose chroma has a sample for sx × sy pixels.
func scribble(r *rand.Rand, p detect.Picture, sx, sy int, in func(x, y int) bool) {
	for y := range p.Y.Height {
		for x := range p.Y.Width {
			if !in(x, y) {
				continue
			}
			p.Y.Row(y)[x] = byte(r.Uint32())
			if p.Cb.Width > 0 {
				p.Cb.Row(y / sy)[x/sx], p.Cr.Row(y / sy)[x/sx] = byte(r.Uint32()), byte(r.Uint32())
			}
		}
	}
}

// stain changes pixels so little that the scene stays in good health.
func stain(r *rand.Rand, p detect.Picture, in func(x, y int) bool) {
	for y := range p.Y.Height {
		for x := range p.Y.Width {
			if in(x, y) {
				v := &p.Y.Row(y)[x]
				*v = byte(min(max(int(*v)+r.IntN(13)-6, 16), 235))
				p.Cb.Row(y / 2)[x/2], p.Cr.Row(y / 2)[x/2] = byte(125+r.IntN(7)), byte(125+r.IntN(7))
			}
		}
	}
}

func randomMasks(r *rand.Rand) []inventory.Polygon {
	var all []inventory.Polygon
	for range 1 + r.IntN(3) {
		if r.IntN(2) == 0 { // borders at pixels of all kinds, odd ones too
			x, y := r.Float64()*0.7, r.Float64()*0.7
			all = append(all, rect(x, y, x+0.05+0.25*r.Float64(), y+0.05+0.25*r.Float64()))
			continue
		}
		var m inventory.Polygon
		for range 3 + r.IntN(4) {
			m = append(m, inventory.Point{X: r.Float64(), Y: r.Float64()})
		}
		all = append(all, m)
	}
	return all
}

// Whatever lies under a mask, every byte that leaves a watch is the same: its
// results and findings, pictures, checkpoints, and what it hands to Imaging and
// to a model.
func TestNothingUnderAMaskGetsOut(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := newStudio(160+r.IntN(60), 120+r.IntN(60)) // odd sides come, too
		masks := randomMasks(r)
		c := detect.Config{Camera: "cam", Zones: everyZone(), Masks: masks}
		a, b := newTwin(t, c), newTwin(t, c)
		now := midnight
		for i := range 40 {
			now = now.Add(5 * time.Second)
			var actors []actor
			if i > 8 && i < 24 {
				actors = append(actors, car(0.55, 0.6))
			}
			if i > 14 {
				actors = append(actors, person(float64(i)/40, 0.5))
			}
			p := s.shoot(actors...)
			p.FullRange, p.Unwatched = seed%2 == 1, i%3 == 0
			q := cloned(p)
			in := under(masks, p.Y.Width, p.Y.Height)
			scribble(r, p, 2, 2, in)
			scribble(r, q, 2, 2, in)
			compare(t, fmt.Sprintf("seed %d, picture %d", seed, i), a.see(t, p, now), b.see(t, q, now))
		}
		if a.asked == 0 {
			t.Errorf("seed %d: the model was never asked", seed)
		}
	}
}

// What was seen where a new mask lies is forgotten at once.
func TestANewMaskForgetsWhatWasSeen(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 2))
		s := newStudio(176, 145)
		before, after := randomMasks(r), randomMasks(r)
		c := detect.Config{Camera: "cam", Masks: before, Zones: everyZone()}
		a, b := newTwin(t, c), newTwin(t, c)
		now := midnight
		in := under(after, 176, 145)
		for range 12 { // they see different things where the new masks will lie, which stand still
			now = now.Add(5 * time.Second)
			p := s.shoot()
			q := cloned(p)
			stain(rand.New(rand.NewPCG(seed, 3)), p, in)
			stain(rand.New(rand.NewPCG(seed, 4)), q, in)
			a.see(t, p, now)
			b.see(t, q, now)
		}
		c.Masks = after
		for _, x := range []twin{a, b} {
			if err := x.Configure(c); err != nil {
				t.Fatal(err)
			}
		}
		if x, y := a.Checkpoint(), b.Checkpoint(); !bytes.Equal(x, y) {
			t.Fatalf("seed %d: the checkpoint right after tells of what lies under a mask", seed)
		}
		for i := range 12 {
			now = now.Add(5 * time.Second)
			p := s.shoot(person(0.5, 0.5))
			q := cloned(p)
			scribble(r, p, 2, 2, in)
			scribble(r, q, 2, 2, in)
			compare(t, fmt.Sprintf("seed %d, picture %d after", seed, i), a.see(t, p, now), b.see(t, q, now))
		}
	}
}

// The same holds for pictures that come out of a decoder with other chroma, or
// none, and odd sides.
func TestNothingUnderAMaskGetsOutOfAnyFormat(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: no bytes to decode")
	}
	for _, f := range []struct {
		name   string
		sx, sy int
		w, h   int
	}{
		{"yuv420p", 2, 2, 102, 70}, {"yuv422p", 2, 1, 102, 71}, {"yuv444p", 1, 1, 101, 71}, {"gray", 0, 0, 101, 71},
	} {
		t.Run(f.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(f.sx+3*f.sy)))
			masks := append(randomMasks(r), rect(33.0/float64(f.w), 21.0/float64(f.h), 66.0/float64(f.w), 47.0/float64(f.h)))
			c := detect.Config{Camera: "cam", Zones: everyZone(), Masks: masks}
			a, b := newTwin(t, c), newTwin(t, c)
			in := under(masks, f.w, f.h)
			var ps, qs []detect.Picture
			for range 6 {
				p := raw(r, f.w, f.h, f.sx, f.sy)
				q := cloned(p)
				scribble(r, p, f.sx, f.sy, in)
				scribble(r, q, f.sx, f.sy, in)
				ps, qs = append(ps, p), append(qs, q)
			}
			ps, qs = lossless(t, ps, f.name), lossless(t, qs, f.name)
			for i := range ps {
				now := midnight.Add(time.Duration(i) * 5 * time.Second)
				compare(t, fmt.Sprintf("picture %d", i), a.see(t, ps[i], now), b.see(t, qs[i], now))
			}
		})
	}
}

// raw is noise whose chroma has a sample for sx × sy pixels; 0 for none.
func raw(r *rand.Rand, w, h, sx, sy int) detect.Picture {
	grain := func(int, int) float64 { return 40 + 150*r.Float64() }
	p := detect.Picture{Y: plane(w, h, grain)}
	if sx > 0 {
		cw, ch := (w+sx-1)/sx, (h+sy-1)/sy
		p.Cb, p.Cr = plane(cw, ch, grain), plane(cw, ch, grain)
	}
	return p
}

// lossless sends pictures through H.264 without any loss.
func lossless(t *testing.T, all []detect.Picture, format string) (got []detect.Picture) {
	t.Helper()
	var in bytes.Buffer
	for _, p := range all {
		in.Write(slices.Concat(p.Y.Pix, p.Cb.Pix, p.Cr.Pix))
	}
	size := fmt.Sprintf("%dx%d", all[0].Y.Width, all[0].Y.Height)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", format, "-s", size, "-i", "-",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "1", "-qp", "0", "-pix_fmt", format, "-f", "h264", "-")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("ffmpeg cannot encode %s without loss: %v", format, err)
	}
	d, err := codec.New(codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, u := range unitsOf(t, out) {
		p, err := d.Decode(u)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, cloned(p))
	}
	for i, p := range all {
		if len(got) != len(all) || !bytes.Equal(got[i].Y.Row(9), p.Y.Row(9)) {
			t.Fatalf("%d pictures of %d, or another one", len(got), len(all))
		}
	}
	return got
}
