package opencv_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
	"gocv.io/x/gocv"

	"videopatrol/detect"
	"videopatrol/detect/opencv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newImaging(tb testing.TB) *opencv.Imaging {
	tb.Helper()
	m := opencv.New()
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	return m
}

// filled returns a plane whose stride exceeds its width.
func filled(w, h int, at func(x, y int) byte) detect.Plane {
	p := detect.Plane{Pix: make([]byte, (w+7)*(h-1)+w), Width: w, Height: h, Stride: w + 7}
	for y := range h {
		for x := range w {
			p.Row(y)[x] = at(x, y)
		}
	}
	return p
}

func flat(v byte) func(int, int) byte { return func(int, int) byte { return v } }

func colour(w, h int, y, cb, cr byte) detect.Picture {
	cw, ch := (w+1)/2, (h+1)/2
	return detect.Picture{Y: filled(w, h, flat(y)), Cb: filled(cw, ch, flat(cb)), Cr: filled(cw, ch, flat(cr))}
}

func TestShrink(t *testing.T) {
	m := newImaging(t)
	half := filled(101, 60, func(x, _ int) byte { return byte(200 * (x / 51)) })
	p, err := m.Shrink(half, 20, 12)
	if err != nil || p.Width != 20 || p.Height != 12 || p.Stride != 20 || len(p.Pix) != 240 {
		t.Fatalf("%+v, %v", p, err)
	}
	if p.Row(5)[2] != 0 || p.Row(5)[17] != 200 {
		t.Errorf("left %d, right %d, want 0 and 200", p.Row(5)[2], p.Row(5)[17])
	}
	for _, bad := range [][2]int{{0, 5}, {102, 5}, {5, 61}, {-1, 5}} {
		if _, err := m.Shrink(half, bad[0], bad[1]); err == nil {
			t.Errorf("reduced to %v", bad)
		}
	}
	if _, err := m.Shrink(detect.Plane{Width: 50, Height: 50, Stride: 50, Pix: make([]byte, 9)}, 5, 5); err == nil {
		t.Error("a plane shorter than it says")
	}
}

func TestBlobs(t *testing.T) {
	m := newImaging(t)
	mask := detect.Plane{Pix: make([]byte, 100*50), Width: 100, Height: 50, Stride: 100}
	set := func(r image.Rectangle) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				mask.Row(y)[x] = 255
			}
		}
	}
	set(image.Rect(10, 10, 20, 30)) // in two parts
	set(image.Rect(21, 10, 31, 30))
	set(image.Rect(60, 20, 65, 25))
	set(image.Rect(90, 40, 92, 42)) // too small
	blobs, labels, err := m.Blobs(mask, 20)
	if err != nil || len(blobs) != 2 {
		t.Fatalf("%+v, %v, want two", blobs, err)
	}
	if b := blobs[0]; b.X != 10 || b.Y != 10 || b.W != 21 || b.H != 20 || b.Area != 420 || labels[15*100+20] != b.Label {
		t.Errorf("the larger: %+v", b)
	}
	if b := blobs[1]; b.Area != 25 || labels[22*100+62] != b.Label || labels[0] != 0 {
		t.Errorf("the smaller: %+v", b)
	}
	mask.Stride = 101
	if _, _, err := m.Blobs(mask, 1); err == nil {
		t.Error("a mask with gaps between its rows")
	}
}

func TestJPEG(t *testing.T) {
	m := newImaging(t)
	for _, c := range []struct {
		name             string
		w, h, most       int
		wantW, wantH     int
		full             bool
		y, cb, cr        byte
		red, green, blue int
	}{
		{"as it is", 352, 288, 704, 352, 288, false, 126, 128, 128, 128, 128, 128},
		{"reduced", 1920, 1080, 704, 640, 360, false, 235, 128, 128, 255, 255, 255},
		{"odd", 99, 67, 704, 98, 66, false, 16, 128, 128, 0, 0, 0},
		{"full range", 352, 288, 200, 176, 144, true, 255, 128, 128, 255, 255, 255},
		{"red", 352, 288, 704, 352, 288, false, 81, 90, 240, 255, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := colour(c.w, c.h, c.y, c.cb, c.cr)
			p.FullRange = c.full
			b, err := m.JPEG(p, c.most)
			if err != nil {
				t.Fatal(err)
			}
			img, err := jpeg.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if s := img.Bounds().Size(); s.X != c.wantW || s.Y != c.wantH {
				t.Errorf("%v, want %d × %d", s, c.wantW, c.wantH)
			}
			r, g, bl, _ := img.At(c.wantW/2, c.wantH/2).RGBA()
			for i, got := range []uint32{r, g, bl} {
				if want := []int{c.red, c.green, c.blue}[i]; int(got>>8) < want-6 || int(got>>8) > want+6 {
					t.Errorf("colour %d %d %d, want %d %d %d", r>>8, g>>8, bl>>8, c.red, c.green, c.blue)
				}
			}
		})
	}
	if _, err := m.JPEG(detect.Picture{}, 704); err == nil {
		t.Error("a JPEG of no picture")
	}
}

func BenchmarkJPEG(b *testing.B) {
	m := newImaging(b)
	p := colour(704, 576, 100, 120, 130)
	p.Y = filled(704, 576, func(x, y int) byte { return byte(x*y/50 + x) })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.JPEG(p, 704); err != nil {
			b.Fatal(err)
		}
	}
}

// TestShrinkAsOpenCV: what is averaged here comes out as OpenCV averages it,
// but for the rounding.
func TestShrinkAsOpenCV(t *testing.T) {
	m := newImaging(t)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, size := range [][4]int{
		{704, 576, 156, 127},
		{640, 480, 163, 122},
		{1280, 720, 188, 106},
		{1920, 1080, 188, 105},
		{707, 581, 157, 128},
		{99, 64, 33, 20},
		{4096, 4096, 141, 141},
		{333, 40, 47, 5},
		{352, 288, 156, 127},
		{4096, 200, 33, 2},
		{200, 160, 100, 80},
		{300, 200, 101, 80},
	} {
		w, h := size[0], size[1]
		p := filled(w, h, func(int, int) byte { return byte(rng.Uint32()) })
		got, err := m.Shrink(p, size[2], size[3])
		if err != nil {
			t.Fatal(err)
		}
		var tight []byte
		for y := range h {
			tight = append(tight, p.Row(y)...)
		}
		src, err := gocv.NewMatFromBytes(h, w, gocv.MatTypeCV8U, tight)
		if err != nil {
			t.Fatal(err)
		}
		coarse, small, want := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
		k := min(w/size[2], h/size[3])
		whole := src.Region(image.Rect(0, 0, w/k*k, h/k*k))
		gocv.Resize(whole, &coarse, image.Pt(w/k, h/k), 0, 0, gocv.InterpolationArea)
		gocv.Resize(coarse, &small, image.Pt(size[2], size[3]), 0, 0, gocv.InterpolationArea)
		gocv.GaussianBlur(small, &want, image.Pt(3, 3), 0.6, 0.6, gocv.BorderReplicate)
		var far, sum int
		for i, v := range want.ToBytes() {
			d := int(got.Pix[i]) - int(v)
			far, sum = max(far, d, -d), sum+d
		}
		if bias := float64(sum) / float64(len(got.Pix)); far > 1 || bias > 0.1 || bias < -0.1 {
			t.Errorf("%d × %d to %d × %d: up to %d steps and on average %.2f from what OpenCV makes of it", w, h, size[2], size[3], far, bias)
		}
		for _, mat := range []gocv.Mat{src, coarse, small, want, whole} {
			if err := mat.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A plane that is not reduced is only smoothed, to the bit as OpenCV does.
func TestSmoothAsOpenCV(t *testing.T) {
	m := newImaging(t)
	rng := rand.New(rand.NewPCG(7, 8))
	for _, size := range [][2]int{{156, 127}, {1, 1}, {2, 3}, {33, 1}, {1, 40}, {188, 105}} {
		w, h := size[0], size[1]
		pix := make([]byte, w*h)
		for i := range pix {
			pix[i] = byte(rng.Uint32())
		}
		src, err := gocv.NewMatFromBytes(h, w, gocv.MatTypeCV8U, pix)
		if err != nil {
			t.Fatal(err)
		}
		want := gocv.NewMat()
		gocv.GaussianBlur(src, &want, image.Pt(3, 3), 0.6, 0.6, gocv.BorderReplicate)
		got, err := m.Shrink(detect.Plane{Pix: pix, Width: w, Height: h, Stride: w}, w, h)
		if err != nil || !bytes.Equal(got.Pix, want.ToBytes()) {
			t.Errorf("%d × %d: not as OpenCV smooths it, %v", w, h, err)
		}
		_, _ = src.Close(), want.Close()
	}
}
