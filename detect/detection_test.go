package detect_test

import (
	"math"
	"testing"

	"videopatrol/detect"
	"videopatrol/inventory"
)

func TestCrops(t *testing.T) {
	for _, c := range []struct {
		name          string
		zone          inventory.Polygon
		width, height int
		want          int
	}{
		{"most of the picture", zoneOf(0, 0, 0.9, 0.9), 1920, 1080, 0},
		{"a far corner", zoneOf(0.8, 0.05, 0.9, 0.15), 1920, 1080, 1},
		{"at the edge", zoneOf(0.95, 0.95, 1, 1), 1920, 1080, 1},
		{"a long lane far away", zoneOf(0.1, 0.3, 0.9, 0.36), 1920, 1080, 6},
		{"an upright strip", zoneOf(0.45, 0, 0.5, 1), 1920, 1080, 6},
		{"a sub-stream that has no more pixels to show", zoneOf(0.4, 0.4, 0.6, 0.6), 352, 288, 1},
		{"a picture as small as the crop", zoneOf(0.4, 0.4, 0.6, 0.6), 240, 200, 0},
		{"a line", zoneOf(0.5, 0.5, 0.5, 0.5), 1920, 1080, 0},
		{"no zone", nil, 1920, 1080, 0},
		{"no picture", zoneOf(0.4, 0.4, 0.6, 0.6), 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := detect.Crops(c.zone, c.width, c.height, 416)
			if len(got) != c.want {
				t.Fatalf("%d crops, want %d: %+v", len(got), c.want, got)
			}
			for _, b := range got {
				if !(b.X >= 0 && b.Y >= 0 && b.X+b.W <= 1.0000001 && b.Y+b.H <= 1.0000001) {
					t.Errorf("%+v lies outside the picture", b)
				}
				if w, h := b.W*float64(c.width), b.H*float64(c.height); w < 200 || h < 200 {
					t.Errorf("%+v has %g × %g pixels", b, w, h)
				}
			}
			// Every place of the zone is in a crop.
			for i := range 1000 {
				if len(got) == 0 {
					break
				}
				x := c.zone[0].X + (c.zone[2].X-c.zone[0].X)*float64(i%100)/99
				y := c.zone[0].Y + (c.zone[2].Y-c.zone[0].Y)*math.Floor(float64(i)/100)/9
				held := false
				for _, b := range got {
					held = held || x >= b.X-1e-9 && x <= b.X+b.W+1e-9 && y >= b.Y-1e-9 && y <= b.Y+b.H+1e-9
				}
				if !held {
					t.Fatalf("(%g, %g) of the zone is in no crop: %+v", x, y, got)
				}
			}
		})
	}
}

func zoneOf(x0, y0, x1, y1 float64) inventory.Polygon {
	return inventory.Polygon{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}
}
