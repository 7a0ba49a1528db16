//go:build cgo

package model_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/model"
	"videopatrol/detect/onnx"
	"videopatrol/detect/opencv"
)

// media is a folder of real footage, models and labels.
func media(tb testing.TB, parts ...string) string {
	tb.Helper()
	dir := os.Getenv("PATROL_MEDIA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "media")
	}
	path := filepath.Join(append([]string{dir}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("no media (set PATROL_MEDIA to the folder that holds %s): %v", filepath.Join(parts...), err)
	}
	return path
}

// runtimeOnce opens the library once: a process can have it once.
var runtimeOnce = sync.OnceValues(func() (*onnx.Runtime, error) {
	path, err := onnx.Find("")
	if errors.Is(err, onnx.ErrAbsent) {
		// deploy/setup.sh puts it here.
		path, err = onnx.Find(filepath.Join("..", "..", ".tools", "onnxruntime", "libonnxruntime.so"))
	}
	if err != nil {
		return nil, err
	}
	return onnx.Open(path)
})

// backends are those that this machine has.
func backends(tb testing.TB) []model.Backend {
	tb.Helper()
	all := []model.Backend{opencv.DNN{}}
	if r, err := runtimeOnce(); err == nil {
		all = append(all, r)
	} else {
		tb.Logf("without ONNX Runtime: %v", err)
	}
	return all
}

func open(tb testing.TB, b model.Backend, file string, score float64) *model.Detector {
	tb.Helper()
	f, err := model.Load(media(tb, "model", file))
	if err != nil {
		tb.Fatal(err)
	}
	s, err := b.Open(f)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := model.New(model.Options{Manifest: f.Manifest, Session: s, Score: score})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// picture makes a picture of an image.
func picture(img image.Image) detect.Picture {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	cw, ch := (w+1)/2, (h+1)/2
	plane := func(w, h int) detect.Plane {
		return detect.Plane{Pix: make([]byte, w*h), Width: w, Height: h, Stride: w}
	}
	p := detect.Picture{Y: plane(w, h), Cb: plane(cw, ch), Cr: plane(cw, ch), FullRange: true}
	for y := range h {
		for x := range w {
			c, _ := color.YCbCrModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.YCbCr)
			p.Y.Row(y)[x] = c.Y
			p.Cb.Row(y / 2)[x/2], p.Cr.Row(y / 2)[x/2] = c.Cb, c.Cr
		}
	}
	return p
}

type truth struct {
	class string
	box   detect.Box
}

// labelled calls each with the labelled images, in turn.
func labelled(tb testing.TB, classes []string, each func(name string, p detect.Picture, want []truth)) {
	tb.Helper()
	all, err := readLabelled(media(tb, "labelled", "coco-ccby"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, x := range all {
		var want []truth
		for line := range strings.Lines(x.labels) {
			var class int
			var x, y, w, h float64
			if _, err := fmt.Sscan(line, &class, &x, &y, &w, &h); err != nil {
				tb.Fatalf("%q: %v", line, err)
			}
			want = append(want, truth{classes[class], detect.Box{X: x - w/2, Y: y - h/2, W: w, H: h}})
		}
		each(x.name, x.picture, want)
	}
}

type labelledImage struct {
	name, labels string
	picture      detect.Picture
}

var (
	labelledOnce sync.Once
	labelledAll  []labelledImage
	errLabelled  error
)

// readLabelled reads the images once.
func readLabelled(dir string) ([]labelledImage, error) {
	labelledOnce.Do(func() {
		files, err := filepath.Glob(filepath.Join(dir, "images", "*.jpg"))
		if err != nil || len(files) == 0 {
			errLabelled = fmt.Errorf("no images in %s: %w", dir, err)
			return
		}
		for _, file := range files {
			x := labelledImage{name: strings.TrimSuffix(filepath.Base(file), ".jpg")}
			b, err := os.ReadFile(file)
			var img image.Image
			if err == nil {
				img, err = jpeg.Decode(bytes.NewReader(b))
			}
			var text []byte
			if err == nil {
				text, err = os.ReadFile(filepath.Join(dir, "labels", x.name+".txt"))
			}
			if err != nil {
				errLabelled = err
				return
			}
			x.labels, x.picture = string(text), picture(img)
			labelledAll = append(labelledAll, x)
		}
	})
	return labelledAll, errLabelled
}

type scored struct {
	score float64
	right bool
}

// average is the average precision of some detections of so many objects, as
// the area under the precision made monotonous (VOC 2010, COCO's with every
// point).
func average(all []scored, objects int) float64 {
	slices.SortStableFunc(all, func(a, b scored) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	precision := make([]float64, len(all))
	right := 0
	for i, s := range all {
		if s.right {
			right++
		}
		precision[i] = float64(right) / float64(i+1)
	}
	for i := len(precision) - 2; i >= 0; i-- {
		precision[i] = max(precision[i], precision[i+1])
	}
	area := 0.0
	for i, s := range all {
		if s.right {
			area += precision[i] / float64(objects)
		}
	}
	return area
}

var vehicles = []string{"bicycle", "car", "motorcycle", "bus", "train", "truck"}

// TestAP50 reports the average precision at half overlap on the labelled
// images. They are too few to compare with figures of other sets within
// hundredths, so only a floor is asserted.
func TestAP50(t *testing.T) {
	for _, m := range []struct {
		file  string
		floor float64
	}{{"yolox_nano_416.onnx", 0.5}, {"nanodet_m_416_2022nov.onnx", 0.5}, {"fastestdet_352.onnx", 0.3}} {
		for _, b := range backends(t) {
			t.Run(m.file+"/"+b.Name(), func(t *testing.T) {
				d := open(t, b, m.file, 0.005)
				hits, objects := map[string][]scored{}, map[string]int{}
				labelled(t, d.Classes(), func(_ string, p detect.Picture, want []truth) {
					got, err := d.Detect([]detect.Look{{Picture: p}})
					if err != nil {
						t.Fatal(err)
					}
					for _, w := range want {
						objects[w.class]++
					}
					taken := make([]bool, len(want))
					for _, g := range got[0] {
						best := -1
						for i, w := range want {
							if w.class == g.Class && !taken[i] && iou(w.box, g.Box) >= 0.5 && (best < 0 || iou(w.box, g.Box) > iou(want[best].box, g.Box)) {
								best = i
							}
						}
						if best >= 0 {
							taken[best] = true
						}
						hits[g.Class] = append(hits[g.Class], scored{g.Score, best >= 0})
					}
				})
				mean, all := 0.0, 0
				for class, n := range objects {
					mean += average(hits[class], n) / float64(len(objects))
					all += n
				}
				person := average(hits["person"], objects["person"])
				text := ""
				for _, v := range vehicles {
					if objects[v] > 0 {
						text += fmt.Sprintf(", %s %.3f of %d", v, average(hits[v], objects[v]), objects[v])
					}
				}
				t.Logf("AP50: person %.3f of %d%s; mean over %d classes %.3f of %d objects", person, objects["person"], text, len(objects), mean, all)
				if person < m.floor {
					t.Errorf("person %.3f, want at least %.2f", person, m.floor)
				}
			})
		}
	}
}

// TestBackendsAgree: both backends see the same objects in the same places.
func TestBackendsAgree(t *testing.T) {
	all := backends(t)
	if len(all) < 2 {
		t.Skip("there is one backend only")
	}
	// OpenCV 4.6 pools at the borders of FastestDet's maps otherwise than the
	// reference, so that its scores differ: TestAP50 compares what comes of it.
	for _, file := range []string{"yolox_nano_416.onnx", "nanodet_m_416_2022nov.onnx", "shufflenetv2_onfire_ff_224.onnx"} {
		t.Run(file, func(t *testing.T) {
			a, b := open(t, all[0], file, 0.05), open(t, all[1], file, 0.05)
			n, worst, furthest := 0, 0.0, 1.0
			labelled(t, model.Known()[0].Classes, func(name string, p detect.Picture, _ []truth) {
				x, err := a.Detect([]detect.Look{{Picture: p}})
				if err != nil {
					t.Fatal(err)
				}
				y, err := b.Detect([]detect.Look{{Picture: p}})
				if err != nil {
					t.Fatal(err)
				}
				if len(x[0]) != len(y[0]) {
					t.Errorf("%s: %d and %d detections", name, len(x[0]), len(y[0]))
					return
				}
				for _, f := range x[0] {
					best := detect.Detection{}
					for _, g := range y[0] {
						if f.Class == g.Class && iou(f.Box, g.Box) > iou(f.Box, best.Box) {
							best = g
						}
					}
					n++
					worst = max(worst, max(f.Score-best.Score, best.Score-f.Score))
					furthest = min(furthest, iou(f.Box, best.Box))
				}
			})
			t.Logf("%d detections: scores differ by at most %.6f, boxes overlap by at least %.4f", n, worst, furthest)
			if n == 0 || worst > 0.002 || furthest < 0.99 {
				t.Errorf("they differ: %d detections, scores by %.5f, overlap %.4f", n, worst, furthest)
			}
		})
	}
}

// BenchmarkDetect is the whole path: picture to input, network, detections, in
// processor time; the least is what a core needs that nothing else disturbs.
func BenchmarkDetect(b *testing.B) {
	var pics []detect.Picture
	labelled(b, model.Known()[0].Classes, func(_ string, p detect.Picture, _ []truth) { pics = append(pics, p) })
	for _, file := range []string{"yolox_nano_416.onnx", "nanodet_m_416_2022nov.onnx", "fastestdet_352.onnx", "shufflenetv2_onfire_ff_224.onnx"} {
		for _, back := range backends(b) {
			b.Run(file+"/"+back.Name(), func(b *testing.B) {
				d := open(b, back, file, 0)
				b.ReportAllocs()
				least, sum, i := time.Hour, time.Duration(0), 0
				for b.Loop() {
					begin := cpuTime()
					if _, err := d.Detect([]detect.Look{{Picture: pics[i%len(pics)]}}); err != nil {
						b.Fatal(err)
					}
					took := cpuTime() - begin
					least, sum = min(least, took), sum+took
					i++
				}
				b.ReportMetric(sum.Seconds()*1e3/float64(i), "cpu-ms/op")
				b.ReportMetric(least.Seconds()*1e3, "least-cpu-ms")
			})
		}
	}
}
