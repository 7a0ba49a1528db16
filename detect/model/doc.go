// Package model is what a model file is, and what its numbers mean.
//
// A manifest beside the .onnx file says what goes in, what comes out, and
// whose work it is. This package reads it, makes the input of a picture,
// turns the output into detections, and knows nothing of how the network is
// computed: that is a Backend's, such as detect/opencv or detect/onnx. It
// calls no C.
//
// # Rules
//
//   - A model whose classes could tell who somebody is, such as faces and
//     plates, is refused when its manifest is read. There is no switch for it.
//   - A model is bound to its manifest by its SHA-256: other bytes are refused.
//   - What a network computes is not trusted: wrong shapes are an error, and
//     numbers that are no number, no score or no box are left out.
//   - A Detector keeps its buffers between calls, and reads a picture only
//     within a call.
package model
