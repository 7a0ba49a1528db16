//go:build matprofile

package opencv_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"gocv.io/x/gocv"

	"videopatrol/detect"
	"videopatrol/detect/opencv"
	"videopatrol/inventory"
)

// No matrix is left behind by 10,000 samples of all sizes, a third of which
// fail somewhere.
func TestNoMatLeaks(t *testing.T) {
	before := gocv.MatProfile.Count()
	m := opencv.New()
	held := gocv.MatProfile.Count()
	w, err := detect.NewWatch(detect.WatchOptions{Imaging: m, Config: detect.Config{
		Camera: "cam", Zones: []inventory.Zone{{ID: "z", Kind: inventory.ZoneClosedArea, Area: inventory.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	failed, width, height := 0, 64, 48
	for i := range 10_000 {
		if i%50 == 0 {
			width, height = 32+r.IntN(100), 32+r.IntN(100)
		}
		p := colour(width, height, byte(60+r.IntN(100)), 128, 128)
		p.FullRange, p.Unwatched = i%2 == 0, i%7 != 0
		for range 20 {
			p.Y.Pix[r.IntN(len(p.Y.Pix))] = byte(r.Uint32())
		}
		now = now.Add(5 * time.Second)
		var err error
		switch r.IntN(12) {
		case 0:
			p.Y.Pix = p.Y.Pix[:len(p.Y.Pix)/2]
			_, err = w.See(p, now)
		case 1:
			_, err = m.Shrink(p.Y, width+1, height)
		case 2:
			p.Cr = detect.Plane{}
			_, err = m.JPEG(p, 200)
		case 3:
			p.Y.Stride++
			_, _, err = m.Blobs(p.Y, 1)
		case 4:
			_, err = m.JPEG(p, 1)
		case 5:
			_, err = m.JPEG(p, 40) // reduced
		default:
			_, err = w.See(p, now)
		}
		if err != nil {
			failed++
		}
	}
	t.Logf("%d of 10,000 failed, %d matrices held", failed, held-before)
	if failed < 2000 {
		t.Error("too few failed to tell")
	}
	if n := gocv.MatProfile.Count(); n != held {
		t.Errorf("%d matrices after the work, %d before", n, held)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if n := gocv.MatProfile.Count(); n != before {
		t.Errorf("%d matrices after Close, %d before New", n, before)
	}
}
