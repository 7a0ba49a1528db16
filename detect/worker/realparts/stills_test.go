//go:build cgo

package realparts_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/inventory"
	"videopatrol/streams"
)

func withStills(o *worker.Options) { o.StillMemory = 1 << 20 }

// sunset is a JPEG in colour.
func sunset(t *testing.T, rng *rand.Rand) streams.Unit {
	t.Helper()
	m := image.NewYCbCr(image.Rect(0, 0, 704, 576), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = uint8(150 + 40*math.Sin(float64(i%m.YStride)/9)*math.Sin(float64(i/m.YStride)/11) + 3*rng.NormFloat64())
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = 80, 180
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return streams.Unit{Codec: streams.CodecJPEG, NALUs: [][]byte{b.Bytes()}}
}

// A camera that sends JPEG is judged as any other one, and what a person gets
// to see of it is masked.
func TestJPEGCamera(t *testing.T) {
	r := newRig(t, "", withStills)
	left := inventory.Polygon{{X: 0, Y: 0}, {X: 0.5, Y: 0}, {X: 0.5, Y: 1}, {X: 0, Y: 1}}
	r.Reconcile([]detect.Config{{Camera: "a", TimeZone: "Asia/Shanghai", Masks: []inventory.Polygon{left}}})
	rng := rand.New(rand.NewPCG(3, 4))
	for range 6 {
		got := r.trusted("a", sunset(t, rng))
		if got.Undecodable != "" || len(got.Still) != 0 || got.Scene.Luma < 140 || got.Scene.Sharp < 1 {
			t.Fatalf("result %+v", got)
		}
	}
	b, taken, err := r.Still(t.Context(), "a")
	if err != nil || !taken.Equal(r.now) {
		t.Fatalf("taken %v, want %v: %v", taken, r.now, err)
	}
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil || m.Bounds().Dx() != 704 || m.Bounds().Dy() != 576 {
		t.Fatalf("%v %v", m.Bounds(), err)
	}
	for y := 0; y < 576; y += 5 {
		for x := 0; x < 352; x += 5 {
			if c, ok := color.GrayModel.Convert(m.At(x, y)).(color.Gray); !ok || c.Y > 12 {
				t.Fatalf("%d,%d shows %v through the mask", x, y, m.At(x, y))
			}
		}
	}
	red, _, blue, _ := m.At(600, 300).RGBA()
	if red < blue+0x4000 {
		t.Errorf("a sunset of red %x and blue %x", red, blue)
	}
}

// A picture is made of what was seen, however many cameras have been looked at
// since, and changes nothing of what the watches remember.
func TestStillBetweenSamples(t *testing.T) {
	r := newRig(t, "", withStills)
	rng := rand.New(rand.NewPCG(1, 2))
	show := func(person bool) {
		r.trusted("a", street(t, rng, person))
		r.trusted("b", street(t, rng, false))
		for _, camera := range []string{"a", "b"} {
			b, _, err := r.Still(t.Context(), camera)
			if err != nil {
				t.Fatal(err)
			}
			m, err := jpeg.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			g, ok := color.GrayModel.Convert(m.At(212, 150)).(color.Gray)
			if dark := g.Y < 60; !ok || dark != (person && camera == "a") {
				t.Errorf("camera %s, a person before camera a: %v, luma %d", camera, person, g.Y)
			}
		}
	}
	for range 10 {
		show(false)
	}
	for range 3 {
		show(true)
	}
	f := await(t, r.findings)
	if f.Phase != detect.PhaseBegin || f.Zone != "yard" || len(f.Picture) == 0 {
		t.Errorf("finding %+v", f)
	}
	select {
	case f := <-r.findings:
		if f.Phase != detect.PhaseContinue {
			t.Errorf("finding %+v", f)
		}
	case <-time.After(10 * time.Millisecond):
	}
}
