package model_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"videopatrol/detect"
	"videopatrol/detect/model"
)

// spotter is a network of the YOLOv8 layout, 64 × 64 pixels, that sees every
// column of bright green as one car: enough to follow a thing from a picture
// into an input and back.
type spotter struct {
	in     []float32
	closed int
	err    error
	out    []model.Tensor // instead of what it sees
	runs   int
}

const side = 64

func newSpotter() *spotter { return &spotter{in: make([]float32, 3*side*side)} }

func (s *spotter) Input() []float32 { return s.in }

func (s *spotter) Close() error { s.closed++; return nil }

func (s *spotter) Run() ([]model.Tensor, error) {
	s.runs++
	if s.err != nil || s.out != nil {
		return s.out, s.err
	}
	x0, y0, x1, y1 := side, side, 0, 0
	for y := range side {
		for x := range side {
			if s.in[side*side+y*side+x] > 180 {
				x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x+1), max(y1, y+1)
			}
		}
	}
	t := tensor(1, 6, 1)
	if x1 > x0 {
		for i, v := range []int{x0 + x1, y0 + y1, 2 * (x1 - x0), 2 * (y1 - y0)} {
			t.Data[i] = float32(v) / 2
		}
		t.Data[5] = 0.9
	}
	return []model.Tensor{t}, nil
}

func spotterManifest() model.Manifest {
	m := small(model.LayoutYOLOv8)
	m.Input.Width, m.Input.Height = side, side
	return m
}

func newDetector(t *testing.T, m model.Manifest, s *spotter) *model.Detector {
	t.Helper()
	d, err := model.New(model.Options{Manifest: m, Session: s})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// bright paints a box of bright green onto a dark picture.
func bright(w, h int, boxes ...detect.Box) detect.Picture {
	p := plain(w, h, 40, 128, 128)
	for _, b := range boxes {
		for y := int(b.Y * float64(h)); y < int((b.Y+b.H)*float64(h)); y++ {
			for x := int(b.X * float64(w)); x < int((b.X+b.W)*float64(w)); x++ {
				p.Y.Row(y)[x] = 200
				p.Cb.Row(y / 2)[x/2], p.Cr.Row(y / 2)[x/2] = 90, 90
			}
		}
	}
	return p
}

// A thing is found where it is, however the picture is fitted and cropped.
func TestDetectorPlaces(t *testing.T) {
	thing := detect.Box{X: 0.5, Y: 0.25, W: 0.125, H: 0.25}
	for _, fit := range []model.Fit{model.FitLetterbox, model.FitCentred, model.FitStretch} {
		for name, crops := range map[string][]detect.Box{
			"whole":     nil,
			"a crop":    {{X: 0.4, Y: 0.2, W: 0.4, H: 0.5}},
			"two crops": {{X: 0.4, Y: 0.2, W: 0.4, H: 0.5}, {X: 0.3, Y: 0.1, W: 0.4, H: 0.6}},
			// The second shows a part only: the whole one wins.
			"a cut": {{X: 0.55, Y: 0.2, W: 0.4, H: 0.5}, {X: 0.4, Y: 0.2, W: 0.4, H: 0.5}},
		} {
			for _, size := range [][2]int{{704, 576}, {576, 704}, {353, 287}} {
				m := spotterManifest()
				m.Input.Fit = fit
				d := newDetector(t, m, newSpotter())
				got, err := d.Detect([]detect.Look{{Picture: bright(size[0], size[1], thing), Crops: crops}})
				if err != nil || len(got) != 1 || len(got[0]) != 1 {
					t.Fatalf("%s, %s, %v: %+v, %v", fit, name, size, got, err)
				}
				f := got[0][0]
				if f.Class != "car" || math.Abs(f.Score-0.9) > 1e-6 || iou(f.Box, thing) < 0.75 {
					t.Errorf("%s, %s, %v: %+v, want %+v", fit, name, size, f, thing)
				}
			}
		}
	}
}

// Pictures of several cameras are looked at in one call, each by itself.
func TestDetectorBatch(t *testing.T) {
	d := newDetector(t, spotterManifest(), newSpotter())
	left, right := detect.Box{X: 0.1, Y: 0.4, W: 0.2, H: 0.2}, detect.Box{X: 0.7, Y: 0.4, W: 0.2, H: 0.2}
	got, err := d.Detect([]detect.Look{
		{Picture: bright(704, 576, left)},
		{Picture: bright(352, 288)},
		{Picture: bright(1280, 720, right)},
	})
	if err != nil || len(got) != 3 || len(got[0]) != 1 || len(got[1]) != 0 || len(got[2]) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if iou(got[0][0].Box, left) < 0.7 || iou(got[2][0].Box, right) < 0.7 {
		t.Errorf("%+v", got)
	}
	if c := d.Classes(); len(c) != 2 || d.Side() != side {
		t.Errorf("classes %v, side %d", c, d.Side())
	}
}

func TestDetectorRefuses(t *testing.T) {
	d := newDetector(t, spotterManifest(), newSpotter())
	good := bright(352, 288)
	torn := good
	torn.Y.Pix = torn.Y.Pix[:1000]
	for name, l := range map[string]detect.Look{
		"no picture":        {},
		"a torn picture":    {Picture: torn},
		"a crop outside":    {Picture: good, Crops: []detect.Box{{X: 1.5, W: 1, H: 1}}},
		"a crop of NaN":     {Picture: good, Crops: []detect.Box{{X: math.NaN(), W: 1, H: 1}}},
		"a crop of nothing": {Picture: good, Crops: []detect.Box{{X: 0.5, Y: 0.5}}},
		"too many crops":    {Picture: good, Crops: make([]detect.Box, detect.MaxCrops+1)},
	} {
		if got, err := d.Detect([]detect.Look{l}); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	s := newSpotter()
	failing := newDetector(t, spotterManifest(), s)
	s.err = errors.New("out of memory")
	if _, err := failing.Detect([]detect.Look{{Picture: good}}); !errors.Is(err, s.err) {
		t.Errorf("%v", err)
	}
}

// A network that does not keep its manifest's promise is refused at once.
func TestNewRefuses(t *testing.T) {
	m := spotterManifest()
	for name, c := range map[string]struct {
		change func(*model.Manifest, *spotter)
		want   string
	}{
		"another output":   {func(_ *model.Manifest, s *spotter) { s.out = []model.Tensor{tensor(1, 85, 3549)} }, "[1 6 cells]"},
		"it fails":         {func(_ *model.Manifest, s *spotter) { s.err = errors.New("no such operator") }, "no such operator"},
		"another input":    {func(_ *model.Manifest, s *spotter) { s.in = s.in[1:] }, "want 12288"},
		"a class of faces": {func(m *model.Manifest, _ *spotter) { m.Classes = model.Classes{"car", "face"} }, "never who"},
	} {
		m, s := m, newSpotter()
		c.change(&m, s)
		_, err := model.New(model.Options{Manifest: m, Session: s})
		if err == nil || !strings.Contains(err.Error(), c.want) || s.closed != 1 {
			t.Errorf("%s: %v, closed %d times", name, err, s.closed)
		}
	}
	if _, err := model.New(model.Options{Manifest: m}); err == nil {
		t.Error("without a session")
	}
}

// A whole picture's class has the look's own place, and "none" is not told.
func TestClassifier(t *testing.T) {
	m := small(model.LayoutSigmoid)
	m.Input.Width, m.Input.Height = side, side
	s := newSpotter()
	s.out = outputs(model.LayoutSigmoid)
	d := newDetector(t, m, s)
	crop := detect.Box{X: 0.25, Y: 0.25, W: 0.5, H: 0.5}
	got, err := d.Detect([]detect.Look{{Picture: bright(352, 288), Crops: []detect.Box{crop}}})
	if err != nil || len(got[0]) != 1 || got[0][0].Class != "fire" || got[0][0].Box != crop || math.Abs(got[0][0].Score-0.72) > 1e-6 {
		t.Errorf("%+v, %v", got, err)
	}
	s.out[0].Data[0] = 1
	if got, err := d.Detect([]detect.Look{{Picture: bright(352, 288)}}); err != nil || len(got[0]) != 0 {
		t.Errorf("no fire: %+v, %v", got, err)
	}
	if c := d.Classes(); len(c) != 1 || c[0] != "fire" {
		t.Errorf("classes %v", c)
	}
}

// What a picture's colours become, by channel order, range and normalisation.
func TestFillColours(t *testing.T) {
	red := plain(64, 64, 81, 90, 240) // ITU-R BT.601, limited range
	full := plain(64, 64, 76, 85, 255)
	full.FullRange = true
	for name, p := range map[string]detect.Picture{"limited": red, "full": full} {
		for _, order := range []model.Channels{model.ChannelsBGR, model.ChannelsRGB} {
			in := model.Input{
				Width: 96, Height: 64, Channels: order, Fit: model.FitCentred, Pad: 10,
				Scale: 1.0 / 255, Mean: []float64{0.1, 0.2, 0.3}, Std: []float64{1, 2, 4},
			}
			dst := make([]float32, 3*96*64)
			if err := model.NewFill(in)(dst, p, detect.Box{W: 1, H: 1}); err != nil {
				t.Fatal(err)
			}
			want := [3]float64{0, 0, 1}
			if order == model.ChannelsRGB {
				want = [3]float64{1, 0, 0}
			}
			for plane := range 3 {
				at := func(x, y int) float64 { return float64(dst[plane*96*64+y*96+x]) }
				norm := func(v float64) float64 { return (v - in.Mean[plane]) / in.Std[plane] }
				if got := at(48, 32); math.Abs(got-norm(want[plane])) > 0.01 {
					t.Errorf("%s, %s, plane %d: %g, want %g", name, order, plane, got, norm(want[plane]))
				}
				for _, x := range []int{0, 15, 80, 95} {
					if got := at(x, 20); math.Abs(got-norm(10.0/255)) > 1e-5 {
						t.Errorf("%s, %s, plane %d: padding %g at %d", name, order, plane, got, x)
					}
				}
			}
		}
	}
}

// Bytes beyond a crop never reach the input: it may hold what a mask hides.
func TestFillReadsOnlyTheCrop(t *testing.T) {
	crop := detect.Box{X: 0.25, Y: 0.25, W: 0.5, H: 0.5}
	in := model.Input{Width: 64, Height: 64, Channels: model.ChannelsBGR, Fit: model.FitLetterbox, Scale: 1}
	fill := model.NewFill(in)
	for _, size := range [][2]int{{128, 128}, {1024, 768}, {98, 66}} {
		var got [2][]float32
		for i, outside := range []byte{16, 235} {
			p := plain(size[0], size[1], outside, outside, outside)
			for y := size[1] / 4 &^ 1; y < (size[1]*3+3)/4; y++ {
				for x := size[0] / 4 &^ 1; x < (size[0]*3+3)/4; x++ {
					p.Y.Row(y)[x], p.Cb.Row(y / 2)[x/2], p.Cr.Row(y / 2)[x/2] = 100, 120, 140
				}
			}
			got[i] = make([]float32, 3*64*64)
			if err := fill(got[i], p, crop); err != nil {
				t.Fatal(err)
			}
		}
		for i := range got[0] {
			if got[0][i] != got[1][i] {
				t.Fatalf("%v: number %d depends on what lies outside", size, i)
			}
		}
	}
}
