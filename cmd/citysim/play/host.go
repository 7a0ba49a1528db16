package play

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// backlog is how many connections may wait for a host to accept them.
const backlog = 4096

// Absence is how a host is gone.
type Absence string

// The absences.
const (
	Refuses Absence = "refuse" // sessions are reset, new connections refused
	Silence Absence = "silent" // sessions say no more, nobody accepts new connections; in the end all are reset
)

// host is one address of the city. It is the listener that its RTSP server
// gets: one that can go away and come back.
type host struct {
	name  string // without port
	tally *tally
	mute  atomic.Bool // silence runs
	gone  atomic.Bool // an absence runs
	open  level
	asks  level // connections that do not play yet
	dials int64

	mu      sync.Mutex
	ln      *net.TCPListener
	address string
	turn    chan struct{} // closed at the next change
	conns   map[*conn]struct{}
	back    *time.Timer
	closed  bool
	pending int // see Options.MaxPending
	log     *slog.Logger
}

func newHost(t *tally, maxPending int, log *slog.Logger) *host {
	return &host{
		tally: t, turn: make(chan struct{}), conns: map[*conn]struct{}{}, pending: maxPending, log: log,
	}
}

// silent tells whether nothing is to be sent.
func (h *host) silent() bool { return h.mute.Load() }

// take makes the host listen on an open listener.
func (h *host) take(l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("the listener is a %T, want TCP", l)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ln, h.address = tcp, tcp.Addr().String()
	h.name, _, _ = net.SplitHostPort(h.address)
	return nil
}

// Addr implements net.Listener.
func (h *host) Addr() net.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	addr, err := net.ResolveTCPAddr("tcp", h.address)
	if err != nil {
		return &net.TCPAddr{}
	}
	return addr
}

// Accept implements net.Listener: it waits while the host is gone.
func (h *host) Accept() (net.Conn, error) {
	for {
		h.mu.Lock()
		l, turn, closed := h.ln, h.turn, h.closed
		h.mu.Unlock()
		switch {
		case closed:
			return nil, net.ErrClosed
		case h.gone.Load():
			<-turn
			continue
		}
		tcp, err := l.AcceptTCP()
		if err == nil {
			var c *conn
			if c, err = h.welcome(tcp); err == nil {
				return c, nil
			}
		}
		h.mu.Lock()
		changed := h.closed || h.gone.Load() || h.turn != turn
		h.mu.Unlock()
		if !changed {
			return nil, err
		}
	}
}

// welcome makes an accepted connection one that the wheel can write to.
func (h *host) welcome(tcp *net.TCPConn) (*conn, error) {
	raw, err := tcp.SyscallConn()
	if err = errors.Join(err, tcp.SetWriteBuffer(kernelBuffer)); err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	c := newConn(tcp, raw, h)
	h.mu.Lock()
	h.conns[c] = struct{}{}
	h.mu.Unlock()
	h.tally.dialled(h)
	return c, nil
}

// left forgets a connection that was closed.
func (h *host) left(c *conn, asked bool) {
	h.mu.Lock()
	delete(h.conns, c)
	h.mu.Unlock()
	h.tally.hungUp(h, asked)
}

// Close implements net.Listener.
func (h *host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	if h.back != nil {
		h.back.Stop()
	}
	h.changed()
	if h.ln == nil {
		return nil
	}
	return h.ln.Close()
}

// changed wakes whoever waits in Accept. h.mu is held.
func (h *host) changed() {
	close(h.turn)
	h.turn = make(chan struct{})
}

// leave takes the host away for a while. It returns false when it is gone
// already.
func (h *host) leave(how Absence, lasts time.Duration) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.ln == nil || h.gone.Load() {
		return false, nil
	}
	h.gone.Store(true)
	var err error
	if how == Silence {
		h.mute.Store(true)
		// Whoever waits in Accept returns. A backlog of none leaves further
		// handshakes without an answer.
		err = errors.Join(h.ln.SetDeadline(time.Unix(1, 0)), listen(h.ln, 0))
	} else {
		err = h.ln.Close()
		h.reset()
	}
	h.changed()
	h.back = time.AfterFunc(lasts, func() { h.comeBack(how) })
	return true, err
}

// comeBack ends the host's absence.
func (h *host) comeBack(how Absence) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	var err error
	if how == Silence {
		h.reset()
		h.mute.Store(false)
		err = errors.Join(listen(h.ln, backlog), h.ln.SetDeadline(time.Time{}))
	} else {
		var l net.Listener
		if l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", h.address); err == nil {
			h.ln, _ = l.(*net.TCPListener)
		}
	}
	if err != nil {
		h.log.Warn("a host does not come back yet; it tries again in a second", "host", h.name, "error", err)
		h.back = time.AfterFunc(time.Second, func() { h.comeBack(how) })
		return
	}
	h.gone.Store(false)
	h.changed()
}

// reset ends every connection as a power cut does. h.mu is held.
func (h *host) reset() {
	for c := range h.conns {
		_ = c.SetLinger(0) // so that the close is a reset
		_ = c.TCPConn.Close()
	}
}

// listen sets the backlog of a listener anew (listen(2)).
func listen(l *net.TCPListener, n int) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.Listen(int(fd), n) }) //nolint:gosec // a descriptor fits
	return errors.Join(err, failed)
}
