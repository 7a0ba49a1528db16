package pgserver_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"videopatrol/internal/pgserver"
)

func TestMain(m *testing.M) {
	if os.Getenv("PGSERVER_CHILD") != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestServer(t *testing.T) {
	s, err := pgserver.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		url, err := s.NewDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE here (n BIGINT)"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := s.NewDatabase(t.Context()); err == nil {
		t.Error("it answers after its end")
	}
}

// TestEndsWithItsParent kills a process that runs a server.
func TestEndsWithItsParent(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} { // the server has a user of its own
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PGSERVER_CHILD=1", "TMPDIR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 6)
	if _, err := out.Read(line); err != nil || string(line) != "ready\n" {
		t.Fatalf("the child said %q: %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the server outlived its parent: %v", left)
		}
	}
}

func child() {
	if _, err := pgserver.Start(context.Background()); err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString("ready\n")
	select {} // until it is killed
}

// TestKilledAndStartedAgain: what was answered is there, under the same
// address.
func TestKilledAndStartedAgain(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} { // the server has a user of its own
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	s, err := pgserver.StartIn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	url, err := s.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exec := func(query string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), query); err != nil {
			t.Error(err)
		}
		_ = conn.Close(t.Context())
	}
	exec("CREATE TABLE here (n BIGINT)")
	if !s.Running() {
		t.Error("it does not run")
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if s, err = pgserver.StartIn(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	exec("INSERT INTO here VALUES (1)")
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}
