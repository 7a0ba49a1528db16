package model

import (
	"fmt"
	"math"
)

// Tensor is an output of a network.
type Tensor struct {
	Name  string
	Shape []int
	// Data are the numbers, row by row; they belong to the Session, whose next
	// Run overwrites them.
	Data []float32
}

// dims returns the dimensions, of which there must be so many after leading
// ones of size one.
func (t Tensor) dims(want int) ([]int, error) {
	shape := t.Shape
	for len(shape) > want && shape[0] == 1 {
		shape = shape[1:]
	}
	n := 1
	for _, d := range shape {
		if d < 1 || d > len(t.Data) || n > len(t.Data) {
			return nil, fmt.Errorf("output %q has shape %v and %d numbers", t.Name, t.Shape, len(t.Data))
		}
		n *= d
	}
	if len(shape) != want || n != len(t.Data) {
		return nil, fmt.Errorf("output %q has shape %v and %d numbers, want %d dimensions", t.Name, t.Shape, len(t.Data), want)
	}
	return shape, nil
}

// A candidate is what an adapter finds: a class with its score, and a box in
// pixels of the input.
type candidate struct {
	class          int
	score          float32
	x0, y0, x1, y1 float32
}

// adapter turns a network's outputs into candidates of at least a score.
type adapter interface {
	decode(out []Tensor, score float32, add func(candidate)) error
}

func newAdapter(m *Manifest) adapter {
	g := grids{classes: len(m.Classes), width: m.Input.Width, height: m.Input.Height, strides: m.Output.Strides}
	switch m.Output.Layout {
	case LayoutYOLOX:
		return &yolox{g}
	case LayoutNanoDet:
		return &nanodet{g}
	case LayoutFastestDet:
		return &fastestdet{g}
	case LayoutYOLOv8:
		return &yolov8{grids: g}
	case LayoutSigmoid:
		return &sigmoid{}
	default:
		return nil // Parse knows no other
	}
}

// grids are the cells that a network answers for.
type grids struct {
	classes, width, height int
	strides                []int
}

// one returns the only output.
func one(out []Tensor, dimensions int) (t Tensor, shape []int, err error) {
	if len(out) != 1 {
		return t, nil, fmt.Errorf("the network has %d outputs, want 1", len(out))
	}
	shape, err = out[0].dims(dimensions)
	return out[0], shape, err
}

// best returns the largest of some numbers; what is no number is none.
func best(scores []float32) (at int, score float32) {
	for i, s := range scores {
		if s > score {
			at, score = i, s
		}
	}
	return at, score
}

// A score that is no probability is of no use: it would win over every other.
// A little is left for the rounding of a network.
const mostScore = 1.001

// offer adds a candidate if its numbers mean something.
func offer(add func(candidate), c candidate) {
	for _, v := range [...]float32{c.x0, c.y0, c.x1, c.y1} {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return
		}
	}
	if c.score > mostScore || !(c.x1 > c.x0) || !(c.y1 > c.y0) {
		return
	}
	c.score = min(c.score, 1)
	add(c)
}

// yolox has one row per cell, of the grids one after another: x and y from the
// cell and the logarithms of width and height, all in strides, then how sure
// it is of any object and of each class.
type yolox struct{ grids }

func (a *yolox) decode(out []Tensor, score float32, add func(candidate)) error {
	t, shape, err := one(out, 2)
	if err != nil {
		return err
	}
	cells := 0
	for _, s := range a.strides {
		cells += (a.width / s) * (a.height / s)
	}
	columns := 5 + a.classes
	if shape[0] != cells || shape[1] != columns {
		return fmt.Errorf("output %q has shape %v, want [1 %d %d] for %d classes", t.Name, t.Shape, cells, columns, a.classes)
	}
	data := t.Data
	for _, s := range a.strides {
		stride := float32(s)
		for y := range a.height / s {
			for x := range a.width / s {
				r := data[:columns]
				data = data[columns:]
				// No class can be surer than the object.
				if !(r[4] >= score && r[4] <= mostScore) {
					continue
				}
				class, p := best(r[5:])
				p *= r[4]
				if p < score {
					continue
				}
				cx, cy := (r[0]+float32(x))*stride, (r[1]+float32(y))*stride
				w, h := exp(r[2])*stride, exp(r[3])*stride
				offer(add, candidate{class, p, cx - w/2, cy - h/2, cx + w/2, cy + h/2})
			}
		}
	}
	return nil
}

func exp(v float32) float32 { return float32(math.Exp(float64(v))) }

// nanodet has two outputs per grid: a score per class, and the distances of
// the four sides from the cell's middle, each as a distribution over whole
// strides (generalised focal loss).
type nanodet struct{ grids }

func (a *nanodet) decode(out []Tensor, score float32, add func(candidate)) error {
	if len(out) != 2*len(a.strides) {
		return fmt.Errorf("the network has %d outputs, want %d: two for each of %d strides", len(out), 2*len(a.strides), len(a.strides))
	}
	for _, s := range a.strides {
		w, h := a.width/s, a.height/s
		var scores, sides []float32
		bins := 0
		for _, t := range out {
			shape, err := t.dims(2)
			if err != nil {
				return err
			}
			switch {
			case shape[0] != w*h:
			case shape[1] == a.classes && scores == nil:
				scores = t.Data
			case shape[1]%4 == 0 && shape[1] >= 8 && sides == nil:
				sides, bins = t.Data, shape[1]/4
			}
		}
		if scores == nil || sides == nil {
			return fmt.Errorf("the network has no outputs [1 %d %d] and [1 %d 4×bins] for stride %d", w*h, a.classes, w*h, s)
		}
		stride := float32(s)
		for i := range w * h {
			class, p := best(scores[i*a.classes:][:a.classes])
			if p < score {
				continue
			}
			var d [4]float32
			for side := range d {
				d[side] = mean(sides[(4*i+side)*bins:][:bins]) * stride
			}
			cx, cy := float32(i%w)*stride+(stride-1)/2, float32(i/w)*stride+(stride-1)/2
			offer(add, candidate{class, p, cx - d[0], cy - d[1], cx + d[2], cy + d[3]})
		}
	}
	return nil
}

// mean is the expectation of a distribution that is given by its logits.
func mean(logits []float32) float32 {
	top := float32(math.Inf(-1))
	for _, v := range logits {
		top = max(top, v)
	}
	var sum, weighted float32
	for i, v := range logits {
		e := exp(v - top)
		sum += e
		weighted += float32(i) * e
	}
	return weighted / sum
}

// fastestdet has one plane per number, of one grid: how sure it is of any
// object; x and y from the cell, width and height of the picture, before tanh
// and sigmoid; and how sure it is of each class.
type fastestdet struct{ grids }

func (a *fastestdet) decode(out []Tensor, score float32, add func(candidate)) error {
	t, shape, err := one(out, 3)
	if err != nil {
		return err
	}
	h, w := shape[1], shape[2]
	if shape[0] != 5+a.classes || a.width%w != 0 || a.height%h != 0 || a.width/w != a.height/h {
		return fmt.Errorf("output %q has shape %v, want [1 %d height width] for %d classes, of square cells", t.Name, t.Shape, 5+a.classes, a.classes)
	}
	at := func(plane, i int) float32 { return t.Data[plane*w*h+i] }
	for i := range w * h {
		object := at(0, i)
		// The score is object^0.6 × class^0.4, so at most object^0.6.
		if !(object > 0 && object <= mostScore) || pow(object, 0.6) < score {
			continue
		}
		class, p := 0, float32(0)
		for c := range a.classes {
			if v := at(5+c, i); v > p {
				class, p = c, v
			}
		}
		if p > mostScore {
			continue
		}
		if p = pow(object, 0.6) * pow(p, 0.4); p < score {
			continue
		}
		cx := (float32(math.Tanh(float64(at(1, i)))) + float32(i%w)) / float32(w) * float32(a.width)
		cy := (float32(math.Tanh(float64(at(2, i)))) + float32(i/w)) / float32(h) * float32(a.height)
		bw, bh := logistic(at(3, i))*float32(a.width), logistic(at(4, i))*float32(a.height)
		offer(add, candidate{class, p, cx - bw/2, cy - bh/2, cx + bw/2, cy + bh/2})
	}
	return nil
}

func pow(v float32, e float64) float32 { return float32(math.Pow(float64(v), e)) }

func logistic(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

// yolov8 has one row per number, of all cells: x, y, width and height in
// pixels of the input, then a score per class.
type yolov8 struct {
	grids
	scores  []float32
	classOf []int32
}

func (a *yolov8) decode(out []Tensor, score float32, add func(candidate)) error {
	t, shape, err := one(out, 2)
	if err != nil {
		return err
	}
	if shape[0] != 4+a.classes {
		return fmt.Errorf("output %q has shape %v, want [1 %d cells] for %d classes", t.Name, t.Shape, 4+a.classes, a.classes)
	}
	n := shape[1]
	if len(a.scores) != n {
		a.scores, a.classOf = make([]float32, n), make([]int32, n)
	}
	clear(a.scores)
	for c := range a.classes {
		for i, p := range t.Data[(4+c)*n:][:n] {
			if p > a.scores[i] {
				a.scores[i], a.classOf[i] = p, int32(c)
			}
		}
	}
	for i, p := range a.scores {
		if p < score {
			continue
		}
		cx, cy, w, h := t.Data[i], t.Data[n+i], t.Data[2*n+i], t.Data[3*n+i]
		offer(add, candidate{int(a.classOf[i]), p, cx - w/2, cy - h/2, cx + w/2, cy + h/2})
	}
	return nil
}

// sigmoid is one number per picture.
type sigmoid struct{}

func (a *sigmoid) decode(out []Tensor, score float32, add func(candidate)) error {
	if len(out) != 1 || len(out[0].Data) != 1 {
		return fmt.Errorf("the network has %d outputs, want one number", len(out))
	}
	v := out[0].Data[0]
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("output %q is %g, want 0 to 1", out[0].Name, v)
	}
	for class, p := range []float32{1 - v, v} {
		if p >= score {
			add(candidate{class: class, score: p})
		}
	}
	return nil
}
