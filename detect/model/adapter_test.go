package model_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"videopatrol/detect/model"
)

// small is a manifest of a layout with two classes and 32 × 64 pixels, two
// grids of 16 and 32 where the layout has several.
func small(l model.Layout) model.Manifest {
	m := model.Manifest{
		Name: "small", SHA256: strings.Repeat("0", 64), Task: model.TaskDetect, Licence: "none", Source: "a test",
		Input:   model.Input{Width: 64, Height: 32, Channels: model.ChannelsBGR, Fit: model.FitLetterbox, Scale: 1},
		Output:  model.Output{Layout: l, Score: 0.3, Overlap: 0.45},
		Classes: model.Classes{"person", "car"},
	}
	switch l {
	case model.LayoutYOLOX, model.LayoutNanoDet:
		m.Output.Strides = []int{16, 32}
	case model.LayoutYOLOv8, model.LayoutFastestDet:
	case model.LayoutSigmoid:
		m.Task, m.Classes = model.TaskClassify, model.Classes{"fire", model.None}
	}
	return m
}

func tensor(shape ...int) model.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return model.Tensor{Name: "out", Shape: shape, Data: make([]float32, n)}
}

func logit(p float64) float32 { return float32(math.Log(p / (1 - p))) }

// outputs are what a network of each layout gives for one car of 32 × 16
// pixels in the middle of the input, score 0.72.
func outputs(l model.Layout) []model.Tensor {
	switch l {
	case model.LayoutYOLOX:
		// 4 × 2 cells of 16, then 2 × 1 cells of 32; cell (2, 1) of the first.
		t := tensor(1, 10, 7)
		copy(t.Data[6*7:], []float32{0, 0, float32(math.Log(2)), 0, 0.8, 0.3, 0.9})
		return []model.Tensor{t}
	case model.LayoutNanoDet:
		a, b, c, d := tensor(1, 8, 2), tensor(1, 2, 2), tensor(1, 8, 32), tensor(1, 2, 32)
		// Cell (2, 1) of the first grid, whose middle is (39.5, 23.5); each
		// distance lies between two bins.
		a.Data[2*6], a.Data[2*6+1] = 0.1, 0.72
		for side, bins := range []float64{23.5 / 16, 15.5 / 16, 8.5 / 16, 0.5 / 16} {
			low := int(bins)
			share := bins - float64(low)
			for bin := range 8 {
				c.Data[(4*6+side)*8+bin] = -100
			}
			c.Data[(4*6+side)*8+low] = float32(math.Log(1 - share))
			if share > 0 {
				c.Data[(4*6+side)*8+low+1] = float32(math.Log(share))
			}
		}
		return []model.Tensor{d, a, b, c} // in any order
	case model.LayoutFastestDet:
		t := tensor(1, 7, 2, 4)
		set := func(plane int, v float32) { t.Data[plane*8+1*4+2] = v } // cell (2, 1)
		set(0, 0.72)
		set(1, 0)
		set(2, 0)
		set(3, logit(0.5))
		set(4, logit(0.5))
		set(5, 0.1)
		set(6, 0.72)
		return []model.Tensor{t}
	case model.LayoutYOLOv8:
		t := tensor(1, 6, 5)
		for row, v := range []float32{32, 16, 32, 16, 0.2, 0.72} {
			t.Data[row*5+3] = v
		}
		return []model.Tensor{t}
	default:
		t := tensor(1, 1)
		t.Data[0] = 0.28
		return []model.Tensor{t}
	}
}

var layouts = []model.Layout{model.LayoutYOLOX, model.LayoutNanoDet, model.LayoutFastestDet, model.LayoutYOLOv8, model.LayoutSigmoid}

func TestDecode(t *testing.T) {
	for _, l := range layouts {
		t.Run(string(l), func(t *testing.T) {
			classes, scores, boxes, err := model.Decode(small(l), outputs(l), 0.3)
			if err != nil || len(classes) != 1 {
				t.Fatalf("%v %v %v, %v", classes, scores, boxes, err)
			}
			if math.Abs(float64(scores[0])-0.72) > 1e-5 {
				t.Errorf("score %g", scores[0])
			}
			if l == model.LayoutSigmoid {
				if classes[0] != 0 {
					t.Errorf("0 means the first class, got %d", classes[0])
				}
				return
			}
			if classes[0] != 1 {
				t.Errorf("class %d, want 1", classes[0])
			}
			want := [4]float32{16, 8, 48, 24}
			for i := range want {
				if math.Abs(float64(boxes[0][i]-want[i])) > 0.01 {
					t.Errorf("box %v, want %v", boxes[0], want)
				}
			}
			if classes, _, _, err := model.Decode(small(l), outputs(l), 0.73); err != nil || len(classes) != 0 {
				t.Errorf("below the score: %v, %v", classes, err)
			}
		})
	}
}

// Whatever a network computes, what comes of it is a class, a score and a box.
func TestDecodeHostileNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	hostile := []float32{nan, inf, -inf, 0, -1, 1, 2, 1e38, -1e38, 1e-38, 0.5, 100, 88}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, l := range layouts {
		t.Run(string(l), func(t *testing.T) {
			kept := 0
			for range 3000 {
				out := outputs(l)
				for _, o := range out {
					for i := range o.Data {
						if rng.IntN(3) == 0 {
							o.Data[i] = hostile[rng.IntN(len(hostile))]
						}
					}
				}
				classes, scores, boxes, err := model.Decode(small(l), out, 0.01)
				if err != nil && l != model.LayoutSigmoid {
					t.Fatal(err)
				}
				for i, b := range boxes {
					kept++
					if classes[i] < 0 || classes[i] > 1 || !(scores[i] >= 0.01 && scores[i] <= 1) {
						t.Fatalf("class %d, score %g", classes[i], scores[i])
					}
					for _, v := range b {
						if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
							t.Fatalf("box %v", b)
						}
					}
				}
			}
			if kept == 0 {
				t.Error("nothing was kept: the test tells nothing")
			}
		})
	}
}

func TestDecodeWrongShapes(t *testing.T) {
	for _, l := range layouts {
		good := outputs(l)
		for name, bad := range map[string][]model.Tensor{
			"no outputs":        {},
			"one more":          append(outputs(l), tensor(1, 3, 3)),
			"transposed":        {{Shape: []int{1, 7, 10, 3}, Data: make([]float32, 210)}},
			"shorter than said": {{Name: "out", Shape: good[0].Shape, Data: good[0].Data[:len(good[0].Data)-1]}},
			"negative":          {{Shape: []int{1, -10, -7}, Data: make([]float32, 70)}},
			"zero":              {{Shape: []int{1, 0, 7}}},
			"huge":              {{Shape: []int{1 << 40, 1 << 40, 7}, Data: make([]float32, 70)}},
			"no shape":          {{Data: make([]float32, 70)}},
			"another model's":   {tensor(1, 3549, 85)},
		} {
			if _, _, _, err := model.Decode(small(l), bad, 0.3); err == nil {
				t.Errorf("%s: %s is accepted", l, name)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), uint64(1))
	f.Fuzz(func(_ *testing.T, which uint8, seed uint64) {
		l := layouts[int(which)%len(layouts)]
		rng := rand.New(rand.NewPCG(seed, 1))
		out := outputs(l)
		for _, o := range out {
			for i := range o.Data {
				o.Data[i] = math.Float32frombits(rng.Uint32())
			}
		}
		_, _, _, _ = model.Decode(small(l), out, 0.01)
	})
}
