// Package pgserver runs a private PostgreSQL server for tests and benchmarks:
// unprivileged, on a Unix socket in a temporary folder, with the server's own
// defaults. It ends with the process that started it, however that ends.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrMissing says that PostgreSQL's programs are not on this machine.
var ErrMissing = errors.New("PostgreSQL's server is not installed: run make setup, or install the package postgresql")

// startTime bounds making and starting a server.
const startTime = 2 * time.Minute

// Server is a running server.
type Server struct {
	dir    string
	shell  *exec.Cmd
	alive  io.Closer // the server ends when this is closed
	number atomic.Int64
}

// guard starts a server and ends it, with its folder, once its own standard
// input is closed: also when whoever held it open was killed.
const guard = `
"$1/initdb" -D "$2/data" -U patrol -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$2/log" 2>&1 || { cat "$2/log" >&2; exit 1; }
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= >>"$2/log" 2>&1 </dev/null &
server=$!
read -r _
kill -INT $server
wait $server
rm -rf "$2"
`

// Start makes and starts a server. Stop must be called.
func Start(ctx context.Context) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	// A socket's path is short: not below a test's own long folder.
	dir, err := os.MkdirTemp("", "patrol-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	// The server outlives ctx: Stop ends it.
	s.shell = exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", guard, "pgserver", bin, dir)
	s.shell.Dir = dir
	s.shell.Stderr = os.Stderr
	s.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is the parent's
	if os.Geteuid() == 0 {
		if s.shell.SysProcAttr.Credential, err = unprivileged(dir); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	if s.alive, err = s.shell.StdinPipe(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.shell.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a private PostgreSQL: %w", err), s.Stop())
	}
	return s, nil
}

// programs is the folder of the newest server on this machine.
func programs() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // Debian's and Ubuntu's place
	if len(found) == 0 {
		return "", ErrMissing
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// unprivileged gives a folder to the user that the server runs as: it refuses
// to be root's.
func unprivileged(dir string) (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}

// await returns once the server answers.
func (s *Server) await(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("%w; the server said:\n%s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL is the address of one of the server's databases.
func (s *Server) URL(database string) string {
	return (&url.URL{
		Scheme: "postgres", Path: "/" + database,
		RawQuery: url.Values{"host": {s.dir}, "user": {"patrol"}}.Encode(),
	}).String()
}

// NewDatabase makes an empty database and returns its address.
func (s *Server) NewDatabase(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("patrol_%d", s.number.Add(1))
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
	return s.URL(name), errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// Stop ends the server and removes all that it kept.
func (s *Server) Stop() error {
	if err := s.alive.Close(); err != nil {
		return err
	}
	err := s.shell.Wait()
	if _, stat := os.Stat(s.dir); !os.IsNotExist(stat) {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}
