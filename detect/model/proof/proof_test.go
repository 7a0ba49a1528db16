//go:build cgo

package proof_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/detect/model"
	"videopatrol/detect/model/modeltest"
	"videopatrol/detect/model/proof"
	"videopatrol/detect/onnx"
	"videopatrol/detect/opencv"
	"videopatrol/detect/worker"
)

// TestMain is the child too: its first argument says how it behaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		if err := child(os.Args[1], os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func child(how string, args []string) error {
	switch how {
	case "abort":
		fmt.Fprintln(os.Stderr, "\nterminate called after throwing an instance of 'cv::Exception'\nand more")
		return errors.Join(syscall.Kill(os.Getpid(), syscall.SIGABRT), hang())
	case "silent":
		return errors.Join(syscall.Kill(os.Getpid(), syscall.SIGKILL), hang())
	case "hang":
		return hang()
	case "garbage":
		fmt.Println("hello")
		return nil
	case "flood":
		for range 1 << 16 {
			fmt.Println(strings.Repeat("x", 100))
		}
		return nil
	}
	f, err := model.Load(args[0])
	if err != nil {
		return err
	}
	var b model.Backend = opencv.DNN{}
	if how == "onnxruntime" {
		if b, err = onnx.Open(args[1]); err != nil {
			return err
		}
	}
	// Under the race detector addresses are reserved that the limit counts.
	return proof.Serve(proof.ServeOptions{Backend: b, File: f, Pictures: 3, Confine: func() error { return worker.Confine(memory) }}, os.Stdout)
}

func hang() error { select {} }

func run(t *testing.T, backend string, args ...string) proof.Result {
	t.Helper()
	return proof.Run(t.Context(), proof.Options{Backend: backend, Command: append([]string{os.Args[0]}, args...)})
}

// Whatever becomes of the child, there is a sentence.
func TestFates(t *testing.T) {
	for how, want := range map[string]string{
		"abort":   "opencv ended the process that tried it (exit status 2): terminate called after throwing an instance of 'cv::Exception'",
		"silent":  "opencv ended the process that tried it (killed)",
		"garbage": "gave no answer that can be read",
		"flood":   "gave no answer that can be read",
		"fail":    "opencv ended the process that tried it (exit status 1): open absent.onnx",
	} {
		args := []string{how}
		if how == "fail" {
			args = []string{"opencv", "absent.onnx"}
		}
		if r := run(t, "opencv", args...); !strings.Contains(r.Problem, want) {
			t.Errorf("%s: %q, want %q", how, r.Problem, want)
		}
	}
	r := proof.Run(t.Context(), proof.Options{Backend: "opencv", Command: []string{os.Args[0], "hang"}, Timeout: 300 * time.Millisecond})
	if r.Problem != "it did not come to an end within 300ms" {
		t.Errorf("hang: %q", r.Problem)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r := proof.Run(ended, proof.Options{Backend: "opencv", Command: []string{os.Args[0], "hang"}}); r.Problem != "context canceled" {
		t.Errorf("canceled: %q", r.Problem)
	}
	if r := proof.Run(t.Context(), proof.Options{Backend: "opencv", Command: []string{"/absent"}}); !strings.Contains(r.Problem, "/absent") {
		t.Errorf("no program: %q", r.Problem)
	}
}

// library is ONNX Runtime's file, "" where there is none.
func library(t *testing.T) string {
	t.Helper()
	path, err := onnx.Find("")
	if errors.Is(err, onnx.ErrAbsent) {
		path, err = onnx.Find(filepath.Join("..", "..", "..", ".tools", "onnxruntime", "libonnxruntime.so"))
	}
	if err != nil {
		t.Logf("without ONNX Runtime: %v", err)
		return ""
	}
	return path
}

func backends(t *testing.T) []string {
	t.Helper()
	if library(t) == "" {
		return []string{"opencv"}
	}
	return []string{"opencv", "onnxruntime"}
}

// What cannot be used is refused by each backend in its own words, within the
// filter of a worker.
func TestRefusals(t *testing.T) {
	good, odd := modeltest.Network("Relu", 64, 64), modeltest.Network("PatrolBogus", 64, 64)
	cut := modeltest.Network("Relu", 64, 64)[:60]
	for _, b := range backends(t) {
		for name, c := range map[string]struct {
			onnx []byte
			want string
		}{
			"wrong shape":             {good, "has shape [1 3 64 64]"},
			"an unsupported operator": {odd, "PatrolBogus"},
			"another input":           {modeltest.Network("Relu", 64, 32), "and its manifest says [1 3 64 64]"},
			"a corrupt file":          {cut, "no ONNX file"},
		} {
			path := modeltest.Write(t, c.onnx, modeltest.Manifest(c.onnx, "[person, car]"))
			if r := run(t, b, b, path, library(t)); !strings.Contains(r.Problem, c.want) {
				t.Errorf("%s, %s: %+v, want %q", b, name, r, c.want)
			}
		}
	}
}

// The real models can be loaded and run within the filter and the memory of a
// worker.
func TestRealModels(t *testing.T) {
	dir := os.Getenv("PATROL_MEDIA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "media")
	}
	files, err := filepath.Glob(filepath.Join(dir, "model", "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Skipf("no models (set PATROL_MEDIA to the folder that holds model/): %v", err)
	}
	for _, file := range files {
		for _, b := range backends(t) {
			r := run(t, b, b, file, library(t))
			if r.Problem != "" || r.Picture <= 0 || r.Load <= 0 || len(r.Outputs) == 0 {
				t.Errorf("%s, %s: %+v", filepath.Base(file), b, r)
			}
			t.Logf("%s, %s: load %.0f ms, %.1f ms a picture, %.0f MiB", filepath.Base(file), b, r.Load, r.Picture, r.Memory)
		}
	}
}
