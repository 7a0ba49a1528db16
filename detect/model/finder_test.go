package model_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/model"
	"videopatrol/inventory"
)

// recorder finds a person in whatever it looks at.
type recorder struct {
	looks []detect.Look
	err   error
}

func (r *recorder) Detect(looks []detect.Look) ([][]detect.Detection, error) {
	r.looks = append(r.looks, looks...)
	return [][]detect.Detection{{{Class: "person", Score: 0.9}}}, r.err
}

func (r *recorder) Classes() []string { return []string{"person"} }

func TestFinder(t *testing.T) {
	for name, tt := range map[string]struct {
		near  []detect.Box
		crops int
		err   error
	}{
		"a small zone":     {near: []detect.Box{{X: 0.45, Y: 0.45, W: 0.1, H: 0.1}}, crops: 1},
		"a large zone":     {near: []detect.Box{{X: 0, Y: 0, W: 1, H: 1}}},
		"a small and such": {near: []detect.Box{{X: 0.45, Y: 0.45, W: 0.1, H: 0.1}, {X: 0, Y: 0, W: 1, H: 1}}},
		"a model at fault": {near: []detect.Box{{X: 0, Y: 0, W: 1, H: 1}}, err: errors.New("no")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{err: tt.err}
				q, err := model.NewQueue(model.QueueOptions{Detector: r})
				if err != nil {
					t.Fatal(err)
				}
				go func() { _ = q.Run(t.Context()) }()
				plane := func(w, h int) detect.Plane {
					return detect.Plane{Pix: make([]byte, w*h), Width: w, Height: h, Stride: w}
				}
				p := detect.Picture{Y: plane(1920, 1080), Cb: plane(960, 540), Cr: plane(960, 540)}
				f := model.Finder{Queue: q, Side: 416, Tier: inventory.TierHigh, Patience: time.Second}
				found, looked := f.Find(p, tt.near)
				if looked != (tt.err == nil) || looked && (len(found) != 1 || found[0].Class != "person") {
					t.Errorf("found %v, looked %t", found, looked)
				}
				if len(r.looks) != 1 || len(r.looks[0].Crops) != tt.crops {
					t.Errorf("%d looks, want one with %d crops", len(r.looks), tt.crops)
				}
			})
		})
	}
}
