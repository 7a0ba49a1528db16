package model

import "videopatrol/detect"

// NewFill returns what writes pictures into inputs.
func NewFill(in Input) func(dst []float32, p detect.Picture, crop detect.Box) error {
	f := newFiller(in)
	return func(dst []float32, p detect.Picture, crop detect.Box) error {
		_, err := f.fill(dst, p, crop)
		return err
	}
}

// Decode runs the adapter of a manifest.
func Decode(m Manifest, out []Tensor, score float32) (classes []int, scores []float32, boxes [][4]float32, err error) {
	err = newAdapter(&m).decode(out, score, func(c candidate) {
		classes, scores = append(classes, c.class), append(scores, c.score)
		boxes = append(boxes, [4]float32{c.x0, c.y0, c.x1, c.y1})
	})
	return classes, scores, boxes, err
}
