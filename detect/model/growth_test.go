//go:build cgo

package model_test

import (
	"testing"

	"videopatrol/detect"
	"videopatrol/detect/model"
	"videopatrol/detect/model/modeltest"
)

// TestNoGrowth looks at 10,000 pictures by each backend, with every kind of
// error among them, and opens sessions again and again: no memory may stay
// behind. With -tags matprofile gocv's matrices are counted too.
func TestNoGrowth(t *testing.T) {
	relu, bogus := modeltest.Network("Relu", 64, 64), modeltest.Network("PatrolBogus", 64, 64)
	load := func(onnx []byte) model.File {
		f, err := model.Load(modeltest.Write(t, onnx, modeltest.Manifest(onnx, "[person, car]")))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	good, bad := load(relu), load(bogus)
	looks := [][]detect.Look{
		{{Picture: plain(704, 576, 90, 120, 130)}},
		{{Picture: plain(353, 287, 90, 120, 130), Crops: []detect.Box{{X: 0.2, Y: 0.2, W: 0.5, H: 0.5}, {W: 1, H: 1}}}},
		{{Picture: plain(704, 576, 90, 120, 130), Crops: []detect.Box{{X: 2}}}},
		{{}},
	}
	for _, b := range backends(t) {
		t.Run(b.Name(), func(t *testing.T) {
			mats := matCount()
			failures, warm := 0, 0
			for round := range 100 {
				s, err := b.Open(good)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 100 {
					// The output of this network is of no layout, so the
					// detector refuses it; that is one of the errors.
					if i%25 == 0 {
						if _, err := b.Open(bad); err == nil {
							t.Fatal("an unsupported operator is accepted")
						}
						failures++
					}
					if _, err := s.Run(); err != nil {
						t.Fatal(err)
					}
				}
				d, err := model.New(model.Options{Manifest: spotterManifest(), Session: &borrowed{Session: s, see: newSpotter()}})
				if err != nil {
					t.Fatal(err)
				}
				for i := range 100 {
					if _, err := d.Detect(looks[i%len(looks)]); err != nil {
						failures++
					}
				}
				if _, err := model.New(model.Options{Manifest: good.Manifest, Session: s}); err == nil {
					t.Fatal("a network of no layout is accepted") // New has closed the session
				}
				if round == 19 {
					warm = modeltest.CHeap()
				}
			}
			grown := modeltest.CHeap() - warm
			t.Logf("%d errors; %d bytes more after 100 rounds than after 20", failures, grown)
			if failures != 100*(4+50) || grown > 256<<10 {
				t.Errorf("%d errors, %d bytes more", failures, grown)
			}
			if n := matCount(); n != mats {
				t.Errorf("%d matrices, %d before", n, mats)
			}
		})
	}
}

// borrowed runs a real network, and answers what a spotter sees.
type borrowed struct {
	model.Session
	see *spotter
}

func (b *borrowed) Input() []float32 { return b.see.Input() }

func (b *borrowed) Run() ([]model.Tensor, error) {
	copy(b.Session.Input(), b.see.Input())
	if _, err := b.Session.Run(); err != nil {
		return nil, err
	}
	return b.see.Run()
}
