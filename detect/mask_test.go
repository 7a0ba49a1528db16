package detect_test

import (
	"testing"

	"pgregory.net/rapid"

	"videopatrol/detect"
	"videopatrol/inventory"
)

func blank(w, h int) detect.Plane {
	p := detect.Plane{Pix: make([]byte, (w+3)*h), Width: w, Height: h, Stride: w + 3}
	for i := range p.Pix {
		p.Pix[i] = 77
	}
	return p
}

// Every sample that shows any of what lies inside a mask is overwritten, and
// nothing beside it is.
func TestBlacken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(32, 80).Draw(t, "w"), rapid.IntRange(32, 80).Draw(t, "h")
		share := rapid.Float64Range(0, 1)
		mask := make(inventory.Polygon, rapid.IntRange(3, 9).Draw(t, "corners"))
		x0, y0, x1, y1 := 1.0, 1.0, 0.0, 0.0
		for i := range mask {
			mask[i] = inventory.Point{X: share.Draw(t, "x"), Y: share.Draw(t, "y")}
			x0, y0, x1, y1 = min(x0, mask[i].X), min(y0, mask[i].Y), max(x1, mask[i].X), max(y1, mask[i].Y)
		}
		p := detect.Picture{Y: blank(w, h), Cb: blank((w+1)/2, (h+1)/2), Cr: blank((w+1)/2, (h+1)/2)}
		detect.Blacken(p, []inventory.Polygon{mask})
		for y := range h {
			for x := range w {
				at := inventory.Point{X: (float64(x) + 0.5) / float64(w), Y: (float64(y) + 0.5) / float64(h)}
				luma, cb, cr := p.Y.Row(y)[x], p.Cb.Row(y / 2)[x/2], p.Cr.Row(y / 2)[x/2]
				if mask.Contains(at) && (luma != 16 || cb != 128 || cr != 128) {
					t.Fatalf("pixel %d, %d shows %d %d %d under a mask", x, y, luma, cb, cr)
				}
				left, right := at.X < x0-1/float64(w), at.X > x1+1/float64(w)
				above, below := at.Y < y0-1/float64(h), at.Y > y1+1/float64(h)
				if (left || right || above || below) && luma != 77 {
					t.Fatalf("pixel %d, %d beside the mask is %d", x, y, luma)
				}
			}
		}
	})
}

func TestATinyMaskStillHides(t *testing.T) {
	p := detect.Picture{Y: blank(64, 64), Cb: blank(32, 32), Cr: blank(32, 32), FullRange: true}
	detect.Blacken(p, []inventory.Polygon{{{X: 0.5001, Y: 0.5001}, {X: 0.5002, Y: 0.5001}, {X: 0.5001, Y: 0.5002}}})
	if p.Y.Row(32)[32] != 0 || p.Cb.Row(16)[16] != 128 || p.Y.Row(31)[31] != 77 {
		t.Fatalf("luma %d, chroma %d, neighbour %d", p.Y.Row(32)[32], p.Cb.Row(16)[16], p.Y.Row(31)[31])
	}
}
