package main_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"videopatrol/detect/model/modeltest"
	"videopatrol/detect/model/proof"
)

// patrolModel runs patrol model as an administrator does.
func patrolModel(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), append([]string{"model"}, args...)...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// A network that OpenCV cannot run, and one whose output is of another layout,
// are refused in a sentence; the command itself comes to no harm.
func TestModelCheckRefuses(t *testing.T) {
	for operator, want := range map[string]string{"PatrolBogus": "PatrolBogus", "Relu": `has shape [1 3 64 64]`} {
		onnx := modeltest.Network(operator, 64, 64)
		path := modeltest.Write(t, onnx, modeltest.Manifest(onnx, "[person, car]"))
		stdout, stderr, code := patrolModel(t, "check", path, "--backend", "opencv", "-o", "json")
		var r struct{ Results []proof.Result }
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 1 || len(r.Results) != 1 {
			t.Fatalf("%s: exit %d, %v: %s%s", operator, code, err, stdout, stderr)
		}
		if !strings.Contains(r.Results[0].Problem, want) || !strings.Contains(stderr, "cannot be used: ") {
			t.Errorf("%s: %s%s", operator, stdout, stderr)
		}
	}
}

// The official bytes of a known model are pulled from a mirror and proved.
func TestModelPullAndCheck(t *testing.T) {
	dir := os.Getenv("PATROL_MEDIA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "media")
	}
	onnx, err := os.ReadFile(filepath.Join(dir, "model", "nanodet_m_416_2022nov.onnx"))
	if err != nil {
		t.Skipf("no model (set PATROL_MEDIA to the folder that holds model/nanodet_m_416_2022nov.onnx): %v", err)
	}
	var broken atomic.Bool
	mirror := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b := onnx
		if broken.Load() {
			b = bytes.ToUpper(onnx)
		}
		_, _ = w.Write(b)
	}))
	defer mirror.Close()
	models := t.TempDir()
	ca := filepath.Join(models, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: mirror.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(models, "nanodet-m-416.onnx")
	pull := func() (string, string, int) {
		return patrolModel(t, "pull", "nanodet-m-416", "--dir", models, "--from", mirror.URL+"/m.onnx", "--ca", ca)
	}
	broken.Store(true)
	if _, stderr, code := pull(); code != 1 || !strings.Contains(stderr, "they are thrown away") {
		t.Errorf("other bytes: exit %d: %s", code, stderr)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("other bytes are kept")
	}
	broken.Store(false)
	if stdout, stderr, code := pull(); code != 0 || !strings.Contains(stdout, "licence Apache-2.0") {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	stdout, stderr, code := patrolModel(t, "check", path)
	if code != 0 || !strings.Contains(stdout, "nanodet-m-416") || !strings.Contains(stdout, "opencv       ok") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}
