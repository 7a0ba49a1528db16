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
	dir    string // of its data, socket and log
	own    bool   // the folder goes with the server
	shell  *exec.Cmd
	alive  io.Closer // the server ends when this is closed
	number atomic.Int64
}

// guard starts a server and ends it, with its folder where that is its own, once
// its own standard input is closed: also when whoever held it open was killed.
// Data that is there is gone on with.
const guard = `
[ -e "$2/data/PG_VERSION" ] ||
"$1/initdb" -D "$2/data" -U patrol -A trust -E UTF8 --locale=C.UTF-8 $3 >"$2/log" 2>&1 || { cat "$2/log" >&2; exit 1; }
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= >>"$2/log" 2>&1 </dev/null &
server=$!
read -r _
kill -INT $server 2>/dev/null # it may have ended by itself
wait $server
[ -z "$3" ] || rm -rf "$2"
`

// Start makes and starts a server. Stop must be called.
func Start(ctx context.Context) (*Server, error) {
	// A socket's path is short: not below a test's own long folder.
	dir, err := os.MkdirTemp("", "patrol-pg-")
	if err != nil {
		return nil, err
	}
	return start(ctx, &Server{dir: dir, own: true})
}

// StartIn is Start with everything in a folder of the caller's, which outlives
// the server: one that is started there later goes on with the data, under the
// same address. The folder's path is short.
func StartIn(ctx context.Context, dir string) (*Server, error) { return start(ctx, &Server{dir: dir}) }

// start starts a server in its folder. It is not Stop's to remove what was not
// started.
func start(ctx context.Context, s *Server) (_ *Server, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.remove())
		}
	}()
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	hasty := ""
	if s.own {
		hasty = "--no-sync" // nobody wants it after a power cut
	}
	// The server outlives ctx: Stop ends it.
	s.shell = exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", guard, "pgserver", bin, s.dir, hasty)
	s.shell.Dir = s.dir
	s.shell.Stderr = os.Stderr
	s.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is the parent's
	if os.Geteuid() == 0 {
		if s.shell.SysProcAttr.Credential, err = unprivileged(s.dir); err != nil {
			return nil, err
		}
	}
	if s.alive, err = s.shell.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.shell.Start(); err != nil {
		return nil, err
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
	for ended := 0; ; {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if ended++; s.Running() {
			ended = 0
		}
		if ended < 10 { // between initdb and the server nothing runs for a moment
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
				continue
			}
		}
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("%w; the server said:\n%s", err, log)
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

// Kill ends every process of the server by SIGKILL, as a crash of the machine
// does, and is then Stop.
func (s *Server) Kill() error {
	var pids []int
	for _, server := range childrenOf(s.shell.Process.Pid) {
		_ = syscall.Kill(server, syscall.SIGSTOP) // it starts no more
		pids = append(pids, append(childrenOf(server), server)...)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return errors.Join(err, s.Stop())
		}
	}
	for end := time.Now().Add(startTime); len(pids) > 0; pids = slices.DeleteFunc(pids, gone) {
		if time.Now().After(end) {
			return fmt.Errorf("processes %v of a server outlive SIGKILL", pids)
		}
		<-time.After(time.Millisecond)
	}
	return s.Stop()
}

// Running tells whether the server has not ended by itself.
func (s *Server) Running() bool { return len(childrenOf(s.shell.Process.Pid)) > 0 }

// childrenOf lists the direct children of a process that are not gone.
func childrenOf(pid int) (pids []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // neither has threads
	for field := range strings.FieldsSeq(string(text)) {
		if child, err := strconv.Atoi(field); err == nil && !gone(child) {
			pids = append(pids, child)
		}
	}
	return pids
}

// gone tells whether a process has ended, fetched by its parent or not.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	at := strings.LastIndexByte(string(stat), ')') // behind the name
	return err != nil || at < 0 || strings.HasPrefix(string(stat[at:]), ") Z") || strings.HasPrefix(string(stat[at:]), ") X")
}

// Stop ends the server and removes all that it kept, but for a folder of the
// caller's.
func (s *Server) Stop() error {
	if err := s.alive.Close(); err != nil {
		return err
	}
	return errors.Join(s.shell.Wait(), s.remove())
}

func (s *Server) remove() error {
	if !s.own {
		return nil
	}
	return os.RemoveAll(s.dir)
}
