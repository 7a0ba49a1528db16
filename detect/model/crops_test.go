//go:build cgo

package model_test

import (
	"testing"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// shrunk puts a picture, reduced to 1/k of its size, onto a grey one of 1920 ×
// 1080 pixels with its top left corner at (x, y), as if it were far away.
func shrunk(p detect.Picture, k, x, y int) (far detect.Picture, where detect.Box) {
	far = plain(1920, 1080, 110, 128, 128)
	far.FullRange = true
	w, h := p.Y.Width/k&^1, p.Y.Height/k&^1
	mean := func(from detect.Plane, x, y int) byte {
		sum := 0
		for dy := range k {
			for dx := range k {
				sum += int(from.Row(min(y*k+dy, from.Height-1))[min(x*k+dx, from.Width-1)])
			}
		}
		return byte(sum / (k * k))
	}
	for dy := range h {
		for dx := range w {
			far.Y.Row(y + dy)[x+dx] = mean(p.Y, dx, dy)
			far.Cb.Row((y + dy) / 2)[(x+dx)/2] = mean(p.Cb, dx/2, dy/2)
			far.Cr.Row((y + dy) / 2)[(x+dx)/2] = mean(p.Cr, dx/2, dy/2)
		}
	}
	return far, detect.Box{X: float64(x) / 1920, Y: float64(y) / 1080, W: float64(w) / 1920, H: float64(h) / 1080}
}

// TestCropsSeeFarThings: what is far away is found in crops of its zone, and
// hardly in the whole picture; its box is where it is.
func TestCropsSeeFarThings(t *testing.T) {
	all := backends(t)
	d := open(t, all[len(all)-1], "yolox_nano_416.onnx", 0)
	persons := 0
	found := map[string]int{}
	labelled(t, d.Classes(), func(_ string, p detect.Picture, want []truth) {
		far, where := shrunk(p, 4, 1200, 300)
		zone := inventory.Polygon{
			{X: where.X, Y: where.Y},
			{X: where.X + where.W, Y: where.Y},
			{X: where.X + where.W, Y: where.Y + where.H},
			{X: where.X, Y: where.Y + where.H},
		}
		crops := detect.Crops(zone, 1920, 1080, d.Side())
		if len(crops) == 0 {
			t.Fatal("no crops of a far zone")
		}
		got, err := d.Detect([]detect.Look{{Picture: far}, {Picture: far, Crops: crops}})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if w.class != "person" || w.box.W*w.box.H < 0.02 {
				continue
			}
			persons++
			box := detect.Box{X: where.X + w.box.X*where.W, Y: where.Y + w.box.Y*where.H, W: w.box.W * where.W, H: w.box.H * where.H}
			for i, name := range []string{"whole", "crops"} {
				for _, g := range got[i] {
					if g.Class == "person" && iou(g.Box, box) >= 0.5 {
						found[name]++
						break
					}
				}
			}
		}
	})
	t.Logf("of %d persons, at a quarter of their size: %d found in the whole picture, %d in crops of the zone", persons, found["whole"], found["crops"])
	if found["crops"] < 2*found["whole"] || found["crops"]*2 < persons {
		t.Errorf("crops find %d of %d persons, the whole picture %d", found["crops"], persons, found["whole"])
	}
}
