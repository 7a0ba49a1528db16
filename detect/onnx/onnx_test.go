package onnx_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"videopatrol/detect/model"
	"videopatrol/detect/model/modeltest"
	"videopatrol/detect/onnx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFind(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "libonnxruntime.so")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(onnx.LibraryEnv, file)
	if got, err := onnx.Find(""); err != nil || got != file {
		t.Errorf("by the environment: %q, %v", got, err)
	}
	t.Setenv(onnx.LibraryEnv, "")
	if got, err := onnx.Find(file); err != nil || got != file {
		t.Errorf("by name: %q, %v", got, err)
	}
	for _, bad := range []string{dir, filepath.Join(dir, "absent.so")} {
		if _, err := onnx.Find(bad); err == nil || errors.Is(err, onnx.ErrAbsent) || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if got, err := onnx.Find(""); err != nil && !errors.Is(err, onnx.ErrAbsent) {
		t.Errorf("the usual places: %q, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.WriteFile(file, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Open(file); err == nil || !strings.Contains(err.Error(), "1.20 or newer") {
		t.Errorf("%v", err)
	}
}

var once = sync.OnceValues(func() (*onnx.Runtime, error) {
	path, err := onnx.Find("")
	if errors.Is(err, onnx.ErrAbsent) {
		path, err = onnx.Find(filepath.Join("..", "..", ".tools", "onnxruntime", "libonnxruntime.so"))
	}
	if err != nil {
		return nil, err
	}
	return onnx.Open(path)
})

func network(t *testing.T, operator string) model.File {
	t.Helper()
	onnx := modeltest.Network(operator, 64, 64)
	f, err := model.Load(modeltest.Write(t, onnx, modeltest.Manifest(onnx, "[person, car]")))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSession(t *testing.T) {
	r, err := once()
	if err != nil {
		t.Skipf("without ONNX Runtime: %v", err)
	}
	for range 2 { // one session after another
		s, err := r.Open(network(t, "Relu"))
		if err != nil {
			t.Fatal(err)
		}
		for run := range 3 { // whose outputs are in the same place
			for i := range s.Input() {
				s.Input()[i] = float32((i+run)%7) - 3
			}
			out, err := s.Run()
			if err != nil || len(out) != 1 || len(out[0].Data) != 3*64*64 || len(out[0].Shape) != 4 {
				t.Fatalf("%+v, %v", out, err)
			}
			for i, v := range out[0].Data {
				if v != max(float32((i+run)%7)-3, 0) {
					t.Fatalf("run %d: number %d is %g", run, i, v)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Run(); err == nil {
			t.Error("ran after Close")
		}
	}
	if _, err := r.Open(network(t, "PatrolBogus")); err == nil || !strings.Contains(err.Error(), "PatrolBogus") {
		t.Errorf("an unsupported operator: %v", err)
	}
	f := network(t, "Relu")
	f.ONNX = f.ONNX[:40]
	if _, err := r.Open(f); err == nil {
		t.Error("a cut file is a network")
	}
}
