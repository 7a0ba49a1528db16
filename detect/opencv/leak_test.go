//go:build matprofile

package opencv_test

import (
	"testing"

	"gocv.io/x/gocv"

	"videopatrol/detect"
	"videopatrol/detect/opencv"
)

func TestNoMatLeaks(t *testing.T) {
	before := gocv.MatProfile.Count()
	m := opencv.New()
	held := gocv.MatProfile.Count()
	for i := range 20 {
		p := colour(352+2*i, 288, 100, 128, 128)
		if _, err := m.JPEG(p, 200); err != nil {
			t.Fatal(err)
		}
		s, err := m.Shrink(p.Y, 100, 80)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := m.Blobs(s, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Shrink(p.Y, 9999, 80); err == nil {
			t.Fatal("enlarged")
		}
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
