package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"videopatrol/detect"
)

// life is one child, from its start to whatever ends it.
type life struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	ledger *enduring
	log    tail
	ready  chan struct{} // closed once it serves
	ended  chan struct{} // closed once it is gone, and all that it said was heard
	err    error         // how it went, from then on

	mu      sync.Mutex
	asked   int64
	waiting map[int64]chan string // an answer's "" is yes
}

// errGone says that a child ended before it answered.
var errGone = errors.New("the child is gone")

// startLife starts a child and tells it what to do.
func startLife(ctx context.Context, ledger *enduring, o endureStart) (*life, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &life{ledger: ledger, ready: make(chan struct{}), ended: make(chan struct{}), waiting: map[int64]chan string{}}
	l.cmd = exec.CommandContext(ctx, self, "bench", "endured")
	l.cmd.Stderr = &l.log
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go func() {
		// The kernel's signal comes when the thread ends that started the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(l.ended)
		err := l.cmd.Start()
		started <- err
		if err == nil {
			l.hear(out)
			l.err = l.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	if err := l.tell(o); err != nil {
		return nil, errors.Join(err, l.kill())
	}
	select {
	case <-l.ready:
		return l, nil
	case <-l.ended:
		return nil, fmt.Errorf("the gateway does not start: %w\n%s", l.err, l.log.String())
	case <-time.After(time.Minute):
		return nil, errors.Join(errors.New("the gateway does not start"), l.kill())
	}
}

// hear notes what the child says until it says no more.
func (l *life) hear(out io.Reader) {
	lines := json.NewDecoder(out)
	for {
		var a endureAnswer
		if lines.Decode(&a) != nil { // a line cut off was not said
			return
		}
		switch {
		case a.Ready:
			close(l.ready)
		case a.N != 0:
			l.mu.Lock()
			back := l.waiting[a.N]
			delete(l.waiting, a.N)
			l.mu.Unlock()
			back <- a.Failed
		case a.Mark != "":
			l.ledger.stepped(a.Mark, a.Lead)
		}
		if a.Failed != "" {
			l.ledger.failed(a.Failed)
		}
	}
}

func (l *life) tell(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.in.Write(append(line, '\n'))
	return err
}

// fold has the child fold a finding, and returns once that is answered.
func (l *life) fold(f detect.Finding) error {
	back := make(chan string, 1)
	l.mu.Lock()
	l.asked++
	n := l.asked
	l.waiting[n] = back
	l.mu.Unlock()
	if err := l.tell(endureAsk{N: n, Finding: &f}); err != nil {
		return errGone
	}
	select {
	case failed := <-back:
		return answered(failed)
	case <-l.ended:
	}
	select {
	case failed := <-back: // its last words
		return answered(failed)
	default:
		return errGone
	}
}

func answered(failed string) error {
	if failed != "" {
		return errors.New(failed)
	}
	return nil
}

// freeze stops the child where it is: it says nothing any more. What it has
// asked of the kernel goes on, and is not answered.
func (l *life) freeze() error {
	if err := l.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(100 * time.Microsecond) {
		if threadsAreStill(l.cmd.Process.Pid) {
			return nil
		}
	}
	return errors.New("the gateway does not stop where it is")
}

// threadsAreStill tells whether every thread of a process that got SIGSTOP has
// stopped, or will when the kernel is done with what it has asked.
func threadsAreStill(pid int) bool {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(stats) == 0 {
		return false
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		at := bytes.LastIndexByte(stat, ')') + 2 // behind the name
		if err == nil && (at >= len(stat) || !strings.ContainsRune("TDZX", rune(stat[at]))) {
			return false
		}
	}
	return true
}

// kill ends the child by SIGKILL, and returns once all that it said was heard.
func (l *life) kill() error {
	if err := l.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-l.ended
	return nil
}

// unasked is the error of a child that has ended and was not to.
func (l *life) unasked() error {
	return fmt.Errorf("the gateway ended by itself: %w\n%s", l.err, l.log.String())
}

// finish lets the child end in order.
func (l *life) finish() error {
	l.mu.Lock()
	err := l.in.Close()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-l.ended:
	case <-time.After(3 * time.Minute):
		return errors.Join(errors.New("the child does not end"), l.kill())
	}
	if l.err != nil {
		return fmt.Errorf("the gateway ended: %w\n%s", l.err, l.log.String())
	}
	return nil
}

// tail keeps the last of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	const most = 64 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(b), nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}
