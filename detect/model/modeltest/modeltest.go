// Package modeltest makes model files for tests: networks of one node, too
// small to find anything.
package modeltest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"videopatrol/detect/model"
)

// Network is an ONNX file of one node that turns 1 × 3 × height × width floats
// into as many.
func Network(operator string, width, height int) []byte {
	value := func(name string) []byte {
		var shape []byte
		for _, d := range []int{1, 3, height, width} {
			shape = bytes(shape, 1, number(nil, 1, d))
		}
		kind := bytes(number(nil, 1, 1), 2, shape) // 32-bit floats
		return bytes(text(nil, 1, name), 2, bytes(nil, 1, kind))
	}
	node := text(text(text(nil, 1, "images"), 2, "out"), 4, operator)
	graph := text(bytes(nil, 1, node), 2, "yard")
	graph = bytes(bytes(graph, 11, value("images")), 12, value("out"))
	opset := number(text(nil, 1, ""), 2, 11)
	return bytes(bytes(number(nil, 1, 6), 7, graph), 8, opset)
}

func bytes(to []byte, field protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, field, protowire.BytesType), b)
}

func text(to []byte, field protowire.Number, s string) []byte { return bytes(to, field, []byte(s)) }

func number(to []byte, field protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(to, field, protowire.VarintType), uint64(n))
}

// Manifest describes a file of 64 × 64 pixels, as one of a layout that has
// grids.
func Manifest(onnx []byte, classes string) string {
	sum := sha256.Sum256(onnx)
	return fmt.Sprintf(`name: yard
sha256: %s
task: detect
input: {width: 64, height: 64, channels: bgr, fit: letterbox, pad: 114}
output: {layout: yolox, strides: [8, 16, 32], score: 0.3, overlap: 0.45}
classes: %s
licence: Apache-2.0
source: https://example.org/yard
`, hex.EncodeToString(sum[:]), classes)
}

// Write writes a model file and, unless it is "", its manifest, and returns
// the path of the model.
func Write(tb testing.TB, onnx []byte, manifest string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "yard.onnx")
	if err := os.WriteFile(path, onnx, 0o600); err != nil {
		tb.Fatal(err)
	}
	if manifest != "" {
		if err := os.WriteFile(model.ManifestPath(path), []byte(manifest), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return path
}
