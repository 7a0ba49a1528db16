package opencv_test

import (
	"strings"
	"testing"

	"videopatrol/detect/model"
	"videopatrol/detect/model/modeltest"
	"videopatrol/detect/opencv"
)

func network(t *testing.T, operator string) model.File {
	t.Helper()
	onnx := modeltest.Network(operator, 64, 64)
	f, err := model.Load(modeltest.Write(t, onnx, modeltest.Manifest(onnx, "[person, car]")))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDNN(t *testing.T) {
	s, err := opencv.DNN{}.Open(network(t, "Relu"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Input() {
		s.Input()[i] = float32(i%7) - 3
	}
	out, err := s.Run()
	if err != nil || len(out) != 1 || len(out[0].Data) != 3*64*64 || len(out[0].Shape) != 4 {
		t.Fatalf("%+v, %v", out, err)
	}
	for i, v := range out[0].Data {
		if v != max(float32(i%7)-3, 0) {
			t.Fatalf("number %d is %g", i, v)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Run(); err == nil {
		t.Error("ran after Close")
	}
}

// What OpenCV throws is an error, not the end of the process.
func TestDNNRefuses(t *testing.T) {
	if _, err := (opencv.DNN{}).Open(network(t, "PatrolBogus")); err == nil || !strings.Contains(err.Error(), "PatrolBogus") {
		t.Errorf("an unsupported operator: %v", err)
	}
	f := network(t, "Relu")
	f.ONNX = f.ONNX[:40]
	if _, err := (opencv.DNN{}).Open(f); err == nil {
		t.Error("a cut file is a network")
	}
	// A node whose two inputs are one: OpenCV reads it, and fails when it runs.
	s, err := opencv.DNN{}.Open(network(t, "MatMul"))
	if err == nil {
		_, err = s.Run()
		_ = s.Close()
	}
	if err == nil {
		t.Error("half a product was computed")
	}
	t.Log(err)
}
