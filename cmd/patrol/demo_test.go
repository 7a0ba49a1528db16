package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output is what a program has printed so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// TestDemo starts the demo as a newcomer does and ends it by Ctrl-C: it tells
// where to look and how to log in, and leaves no process and no file behind.
func TestDemo(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	var out output
	cmd := exec.Command(filepath.Join(bin, "patrol"), "demo", "--cameras", "4", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(2 * time.Minute)
	for !strings.Contains(out.String(), "Ctrl-C ends all of it.") {
		select {
		case err := <-ended:
			t.Fatalf("the demo ended by itself: %v\n%s", err, out.String())
		case <-deadline:
			t.Fatalf("the demo did not get ready:\n%s", out.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
	for _, want := range []string{"wall      http://127.0.0.1:", "login     officer", "login     admin", "/metrics", "/readyz"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not tell %q:\n%s", want, out.String())
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the demo ended with %v:\n%s", err, out.String())
		}
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatal("the demo did not end within 30 s of Ctrl-C")
	}
	if left, _ := filepath.Glob(filepath.Join(tmp, "patrol-demo-*")); len(left) > 0 {
		t.Errorf("the demo left %v behind", left)
	}
}
