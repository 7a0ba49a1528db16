package worker_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/streams"
)

// A child has no environment, no network, no file, no program, and no file
// descriptor but its pipes and its poller.
func TestIsolation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ask := func(t *testing.T, r *rig, what string) string {
		t.Helper()
		r.see("a", "tell "+what)
		return await(t, r.results).Undecodable
	}
	refused := func(t *testing.T, r *rig, what string) {
		t.Helper()
		if got := ask(t, r, what); !strings.HasPrefix(got, "refused: ") {
			t.Errorf("%s: %s", what, got)
		}
	}
	t.Setenv("PATROL_SECRET", "x")
	// As if whoever started the gateway had left a file open for it.
	leak, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leak)
	t.Run("filter", func(t *testing.T) {
		r := newRig(t, "serve")
		if got := ask(t, r, "env"); got != "0" && !raceEnabled {
			t.Errorf("%s environment variables", got)
		}
		// The three pipes, one of them twice; newer kernels call Go's poller a
		// regular file (0100000).
		got := slices.DeleteFunc(strings.Fields(ask(t, r, "fds")), func(s string) bool { return s == "100000" })
		if want := []string{"10000", "10000", "10000", "10000"}; !slices.Equal(got, want) {
			t.Errorf("file types of open file descriptors: %v", got)
		}
		for _, what := range []string{"dial " + l.Addr().String(), "read /etc/passwd", "write /tmp/x", "exec", "signal"} {
			refused(t, r, what)
		}
		if got := ask(t, r, "zone Asia/Shanghai"); got != "done" {
			t.Errorf("time zones: %s", got)
		}
	})
	t.Run("namespaces", func(t *testing.T) {
		r := newRig(t, "unfiltered")
		if r.trusted("a", "ok"); r.metric("patrol_workers", "namespaces") != 1 {
			t.Skip("the kernel gives no namespaces here")
		}
		refused(t, r, "dial "+l.Addr().String())
	})
	t.Run("both", func(t *testing.T) {
		r := newRig(t, "serve")
		if r.trusted("a", "ok"); r.metric("patrol_workers", "namespaces_and_filter") != 1 {
			t.Skip("the kernel gives no namespaces here")
		}
		r = newRig(t, "serve", func(o *worker.Options) { o.Isolation = worker.IsolationRequired })
		r.trusted("a", "ok")
	})
	t.Run("required", func(t *testing.T) {
		p, err := worker.New(worker.Options{
			Command: command("unfiltered"), Isolation: worker.IsolationRequired,
			Reporter: detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil }),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be isolated") {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestMemoryLimit(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs terabytes of address space")
	}
	r := newRig(t, "poor", func(o *worker.Options) { o.Timeout = patience })
	if v := r.see("k", "eat"); v.Reason != streams.ReasonQuarantined {
		t.Errorf("verdict %+v", v)
	}
}

// What a library prints on standard output is logged, cut and in bounds, and
// never taken for an answer.
func TestPrints(t *testing.T) {
	r := newRig(t, "serve")
	r.trusted("a", "print")
	r.trusted("a", "ok")
	r.stop()
	s := r.log.String()
	if n := strings.Count(s, "a worker printed a line"); n < 1 || n > 30 || len(s) > 100_000 {
		t.Errorf("%d lines of 1000 logged, %d bytes", n, len(s))
	}
	if !strings.Contains(s, "more lines than are logged") {
		t.Error("the log does not tell that lines are left out")
	}
}

// A hung child dies with its parent, however that ends.
func TestOrphan(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "child", "gateway")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil || pid == 0 {
		t.Fatalf("pid %d, %v", pid, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(patience); alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the child outlives its parent")
		}
	}
}

// alive tells whether a process runs; a zombie does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// TestTimerSlack: a child's runtime is not woken every 20 µs while it decodes, if
// nobody has chosen how often.
func TestTimerSlack(t *testing.T) {
	r := newRig(t, "serve")
	r.see("a", "pid")
	pid := await(t, r.results).Undecodable
	b, err := os.ReadFile("/proc/" + pid + "/timerslack_ns")
	if err != nil {
		t.Skipf("who may not set a child's timer slack cannot see it: %v", err)
	}
	if got := strings.TrimSpace(string(b)); got != "1000000" {
		t.Errorf("a child's timer slack is %s ns, want a millisecond", got)
	}
}
