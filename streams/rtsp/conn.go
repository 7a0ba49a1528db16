package rtsp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"videopatrol/streams"
)

const (
	// batchSize is the buffer of one batched read.
	batchSize = 64 << 10
	// farewell bounds how long a closing connection waits for the camera to
	// answer TEARDOWN and hang up.
	farewell = 250 * time.Millisecond
)

// batches are shared by all connections: a buffer is taken when bytes are
// there and given back when they are used up, so an idle session holds none.
var batches = sync.Pool{New: func() any { return new([batchSize]byte) }}

// conn is a TCP connection that reads in batches.
//
// Once batch was called the kernel holds bytes back until lowWater of them
// came (SO_RCVLOWAT, socket(7)). That option has no timer of its own, so every
// wait ends after the latency budget and takes what is there. Without batch
// the connection behaves like any other.
type conn struct {
	net.Conn
	raw      syscall.RawConn // nil when the connection is not a socket
	received func(n int)
	latency  atomic.Int64 // ns, 0 before batch
	sniff    sniffer
	closing  atomic.Bool

	buf        *[batchSize]byte // nil when nothing is left over
	start, end int

	readFD func(fd uintptr) bool // made once, so that a read allocates nothing
	n      int
	errno  error

	mu       sync.Mutex
	deadline time.Time // what the owner of the connection asked for
}

func newConn(c net.Conn, received func(n int)) *conn {
	b := &conn{Conn: c, received: received}
	if sc, ok := c.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			b.raw = raw
		}
	}
	b.readFD = b.tryRead
	return b
}

// batch lets reads wait for lowWater bytes or the latency, whatever comes
// first.
func (c *conn) batch(lowWater int, latency time.Duration) error {
	if c.raw == nil || latency <= 0 {
		return nil
	}
	if err := c.setLowWater(lowWater); err != nil {
		return err
	}
	c.latency.Store(int64(latency))
	return c.limitWait(latency) // a read that waits already has no limit yet
}

func (c *conn) setLowWater(n int) error {
	if c.raw == nil {
		return nil
	}
	var err error
	if ctl := c.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, n)
	}); ctl != nil {
		return ctl
	}
	return err
}

// tryRead reads what is there. It tells the poller to wait only when nothing
// is: a wait before the first try would miss bytes that came earlier.
func (c *conn) tryRead(fd uintptr) bool {
	buf, _ := batches.Get().(*[batchSize]byte)
	for {
		c.n, c.errno = unix.Read(int(fd), buf[:])
		if !errors.Is(c.errno, unix.EINTR) {
			break
		}
	}
	if c.n > 0 {
		c.buf, c.start, c.end = buf, 0, c.n
		return true
	}
	batches.Put(buf)
	return !errors.Is(c.errno, unix.EAGAIN)
}

// Read implements net.Conn. It is called by one goroutine at a time.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.buf == nil {
		if err := c.fill(p); err != nil || c.buf == nil {
			return c.n, err
		}
	}
	n := copy(p, c.buf[c.start:c.end])
	if c.start += n; c.start == c.end {
		batches.Put(c.buf)
		c.buf = nil
	}
	return n, nil
}

// fill takes the next batch; without a socket it reads straight into p and
// leaves the count in c.n.
func (c *conn) fill(p []byte) error {
	c.n = 0
	var err error
	if c.raw == nil {
		c.n, err = c.Conn.Read(p)
		if c.n > 0 {
			if serr := c.arrived(p[:c.n]); serr != nil {
				c.n = 0
				return serr
			}
		}
		return err
	}
	for {
		if latency := time.Duration(c.latency.Load()); latency > 0 {
			if err := c.limitWait(latency); err != nil {
				return err
			}
		}
		c.n, c.errno = 0, nil
		err = c.raw.Read(c.readFD)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || c.latency.Load() == 0 || c.expired() {
			break
		}
	}
	n := c.n
	c.n = 0
	switch {
	case err != nil:
		return err
	case c.errno != nil:
		return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", c.errno)}
	case n == 0:
		return io.EOF
	}
	if err := c.arrived(c.buf[:n]); err != nil {
		batches.Put(c.buf)
		c.buf = nil
		return err
	}
	return nil
}

func (c *conn) arrived(p []byte) error {
	c.received(len(p))
	return c.sniff.see(p)
}

// limitWait makes the next wait end after the latency budget, or at the
// owner's deadline if that is earlier.
func (c *conn) limitWait(latency time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return nil // the farewell has its own deadline
	}
	until := time.Now().Add(latency)
	if !c.deadline.IsZero() && c.deadline.Before(until) {
		until = c.deadline
	}
	return c.Conn.SetReadDeadline(until)
}

// expired tells whether the owner's own deadline has passed, or the end of
// the farewell.
func (c *conn) expired() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing.Load() || !c.deadline.IsZero() && !time.Now().Before(c.deadline)
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// Close ends the connection in order: it says that no more will be sent, and
// reads on for a moment. A plain close with unread bytes would send a reset,
// and cheap cameras that never see the TEARDOWN keep the session's slot.
func (c *conn) Close() error {
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok || c.closing.Swap(true) {
		return c.Conn.Close()
	}
	c.mu.Lock()
	_ = c.setLowWater(1)
	_ = tcp.SetReadDeadline(time.Now().Add(farewell))
	c.mu.Unlock()
	if tcp.CloseWrite() == nil {
		buf, _ := batches.Get().(*[batchSize]byte)
		for {
			if _, err := tcp.Read(buf[:]); err != nil {
				break
			}
		}
		batches.Put(buf)
	}
	return tcp.Close()
}

// sniffer looks at the first bytes that a peer sends: the library would hunt
// through a web page for something that looks like RTSP.
type sniffer struct {
	seen []byte
	done bool
}

// starts are what an RTSP peer may say first: a response, a request, or a
// frame left over from an old session.
var starts = [][]byte{
	[]byte("RTSP/"), []byte("$"), []byte("OPTIONS "), []byte("GET_PARAMETER "), []byte("SET_PARAMETER "), []byte("ANNOUNCE "),
}

func (s *sniffer) see(p []byte) error {
	if s.done {
		return nil
	}
	if len(s.seen) == 0 {
		p = bytes.TrimLeft(p, "\r\n") // some cameras begin with an empty line
	}
	s.seen = append(s.seen, p[:min(len(p), 16)]...)
	if len(s.seen) == 0 {
		return nil
	}
	for _, start := range starts {
		if bytes.HasPrefix(s.seen, start) {
			s.done, s.seen = true, nil
			return nil
		}
		if bytes.HasPrefix(start, s.seen) {
			return nil // too short to tell
		}
	}
	return streams.Errorf(streams.ReasonNotRTSP, "the first bytes are %q", s.seen[:min(len(s.seen), 16)])
}
