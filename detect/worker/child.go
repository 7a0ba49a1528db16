package worker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// Isolation says what a child must be kept from.
type Isolation string

// The isolations.
const (
	// IsolationPreferred takes what the kernel gives: network and other
	// namespaces of its own and the system call filter, or what there is of
	// them, and says so once.
	IsolationPreferred Isolation = "preferred"
	// IsolationRequired makes Run fail when a child cannot have both.
	IsolationRequired Isolation = "required"
)

// Levels of isolation that a child may have got.
const (
	levelBoth       = "namespaces_and_filter"
	levelNamespaces = "namespaces"
	levelFilter     = "filter"
	levelNone       = "none"
)

func levels() []string { return []string{levelBoth, levelNamespaces, levelFilter, levelNone} }

// A child is one worker process.
type child struct {
	cmd     *exec.Cmd
	in, out *os.File
	answers *bufio.Reader
	buf     bytes.Buffer
	stderr  *stderr
	level   string
	// known are the cameras whose watches it has, with the revisions of
	// their configs.
	known map[string]uint64
	// served: it has answered a request.
	served bool
	// gone is closed once it has ended and all it said has been read.
	gone chan struct{}
}

const (
	namespaces = unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	noOne      = 65534
)

// attributes are the ways to start a child, the best one first, the one
// without namespaces last.
func attributes(uid, gid int) []*syscall.SysProcAttr {
	plain := func() *syscall.SysProcAttr {
		// In a process group of its own a Ctrl-C at the terminal does not
		// reach it. It dies with the thread that started it.
		return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	}
	user, root := plain(), plain()
	// The user is not root in its own namespace, so exec drops what
	// capabilities the namespace gave.
	user.Cloneflags = unix.CLONE_NEWUSER | namespaces
	user.UidMappings = []syscall.SysProcIDMap{{ContainerID: noOne, HostID: uid, Size: 1}}
	user.GidMappings = []syscall.SysProcIDMap{{ContainerID: noOne, HostID: gid, Size: 1}}
	root.Cloneflags = namespaces
	if uid == 0 {
		return []*syscall.SysProcAttr{user, root, plain()}
	}
	return []*syscall.SysProcAttr{user, plain()}
}

// A nursery is the thread that starts the children: they die with it.
type nursery chan func()

// newNursery returns a nursery and what ends it, after the last child.
func newNursery() (n nursery, end func()) {
	n, ended := make(nursery), make(chan struct{})
	go func() {
		defer close(ended)
		n.run()
	}()
	return n, func() {
		close(n)
		<-ended
	}
}

func (n nursery) run() {
	runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
	// What it starts inherits its timer slack. The Go runtime of a child wakes
	// every 20 µs while a picture is decoded, to see whether a processor stands
	// idle in a system call; once a millisecond will do, and costs a tenth of a
	// sample less. A slack that somebody chose, as the gateway does for itself and
	// all that it starts, stays.
	const kernels = 50 * time.Microsecond
	if have, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err == nil && have == int(kernels) {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(time.Millisecond), 0, 0, 0) // it is dearer without, and else the same
	}
	for birth := range n {
		birth()
	}
}

func (n nursery) start(cmd *exec.Cmd) error {
	born := make(chan error)
	n <- func() { born <- cmd.Start() }
	return <-born
}

// start starts a child in the nursery and waits until it is ready.
func start(ctx context.Context, n nursery, o Options) (*child, error) {
	ways := attributes(os.Getuid(), os.Getgid())
	if o.Isolation == IsolationRequired {
		ways = ways[:len(ways)-1]
	}
	var c *child
	var err error
	for _, way := range ways {
		if c, err = launch(n, o, way); err == nil {
			break
		}
	}
	if err != nil {
		if o.Isolation == IsolationRequired && refused(err) {
			return nil, fmt.Errorf("%w: no network namespace: %w (allow user namespaces, or set the isolation to %q)",
				errIsolation, err, IsolationPreferred)
		}
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	if err := c.greet(ctx, o); err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// errIsolation is a child that cannot be kept from what the options say.
var errIsolation = errors.New("a worker cannot be isolated")

// refused tells whether the kernel refused namespaces (clone(2)).
func refused(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.EACCES, syscall.EINVAL, syscall.ENOSPC, syscall.EUSERS, syscall.ENOSYS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

func launch(n nursery, o Options, way *syscall.SysProcAttr) (*child, error) {
	var ours, theirs [3]*os.File
	closeAll := func(files []*os.File) {
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
	}
	defer func() { closeAll(theirs[:]) }()
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ours[:])
			return nil, fmt.Errorf("pipe: %w", err)
		}
		ours[i], theirs[i] = r, w
		if i == 0 {
			ours[i], theirs[i] = w, r
		}
	}
	// What the gateway itself was started with, or a library opened, stays
	// behind. Kernels before 5.11 do not know this; Go's own files stay anyway.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	//nolint:noctx // the lane ends its child itself, after what is in flight
	cmd := exec.Command(o.Command[0], o.Command[1:]...)
	cmd.Dir, cmd.Env = "/", append([]string{}, o.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	cmd.SysProcAttr = way
	if err := n.start(cmd); err != nil {
		closeAll(ours[:])
		return nil, err
	}
	c := &child{
		cmd: cmd, in: ours[0], out: ours[1], answers: bufio.NewReaderSize(ours[1], 64<<10),
		stderr: &stderr{log: o.Log.With("pid", cmd.Process.Pid)},
		known:  make(map[string]uint64), gone: make(chan struct{}), level: levelNone,
	}
	if way.Cloneflags != 0 {
		c.level = levelNamespaces
	}
	go func() {
		defer close(c.gone)
		defer ours[2].Close()
		c.stderr.read(ours[2])
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	return c, nil
}

// greet waits for the child's hello.
func (c *child) greet(ctx context.Context, o Options) error {
	defer context.AfterFunc(ctx, func() { _ = c.out.SetReadDeadline(time.Unix(1, 0)) })()
	if err := c.out.SetReadDeadline(time.Now().Add(o.StartTimeout)); err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	a, err := decodeAnswer(c.answers)
	switch {
	case err != nil:
		return fmt.Errorf("the new worker did not get ready within %v: %w", o.StartTimeout, err)
	case a.Hello == nil || a.Hello.Version != protocolVersion:
		return fmt.Errorf("the new worker speaks another protocol: is it the same binary? %w", errGarbled)
	case !a.Hello.Filtered && o.Isolation == IsolationRequired:
		return fmt.Errorf("%w: no system call filter: %s", errIsolation, a.Hello.Unfiltered)
	}
	switch {
	case a.Hello.Filtered && c.level == levelNamespaces:
		c.level = levelBoth
	case a.Hello.Filtered:
		c.level = levelFilter
	}
	return nil
}

// ask sends q and returns the answer, both within the timeout.
func (c *child) ask(q *request, timeout time.Duration) (*answer, error) {
	if err := encodeRequest(&c.buf, q); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	deadline := time.Now().Add(timeout)
	if err := errors.Join(c.in.SetWriteDeadline(deadline), c.out.SetReadDeadline(deadline)); err != nil {
		return nil, fmt.Errorf("set a deadline: %w", err)
	}
	if _, err := c.in.Write(c.buf.Bytes()); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	a, err := decodeAnswer(c.answers)
	if err != nil {
		return nil, fmt.Errorf("read from the worker: %w", err)
	}
	if a.Hello != nil {
		return nil, garbled("a second hello")
	}
	c.served = true
	return a, nil
}

// see has the child look at a sample. A nil error means that the answer has a
// result of that sample, or says why the camera's config cannot be used.
func (c *child) see(q *request, timeout time.Duration) (*answer, error) {
	a, err := c.ask(q, timeout)
	if err != nil {
		return nil, err
	}
	if r := a.Result; a.Refused == "" && (r == nil || r.Camera != q.Camera || !r.Received.Equal(q.unit.Received)) {
		return nil, garbled("an answer to another question")
	}
	return a, nil
}

// errUnsendable is a request that was not sent; the child is as it was.
var errUnsendable = errors.New("the request cannot be sent")

// errUnread is a request that the child has not taken as a whole: what ended
// the child was not its sample.
var errUnread = errors.New("write to the worker")

// end kills the child and waits until it is gone.
func (c *child) end() {
	_ = c.cmd.Process.Kill() // an error means that it is gone already
	c.finish()
}

// finish closes the child's input, which ends a healthy child, and waits
// until it is gone; one that is not after a second is killed.
func (c *child) finish() {
	c.in.Close()
	t := time.AfterFunc(time.Second, func() { _ = c.cmd.Process.Kill() })
	defer t.Stop()
	<-c.gone
	c.out.Close()
}

// A stderr passes on what a child prints, and keeps the first lines since the
// newest sample was sent: a crash tells its cause first.
type stderr struct {
	log *slog.Logger

	mu    sync.Mutex
	first []string
}

const (
	keptLines = 30
	lineBytes = 1024
	logLines  = 20 // at once; then one a second
)

func (s *stderr) read(r io.Reader) {
	limit := rate.NewLimiter(1, logLines)
	left := 0
	lines := bufio.NewReaderSize(r, lineBytes)
	for {
		line, cut, err := lines.ReadLine()
		if err != nil {
			break
		}
		text := string(line)
		for cut && err == nil {
			_, cut, err = lines.ReadLine()
		}
		s.mu.Lock()
		if len(s.first) < keptLines {
			s.first = append(s.first, text)
		}
		s.mu.Unlock()
		if text == "" {
			continue
		}
		if limit.Allow() {
			s.log.Warn("a worker printed a line", "line", text)
		} else {
			left++
		}
	}
	if left > 0 {
		s.log.Warn("a worker printed more lines than are logged", "lines", left)
	}
}

// reset forgets the lines before a new sample.
func (s *stderr) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = nil
}

func (s *stderr) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}
