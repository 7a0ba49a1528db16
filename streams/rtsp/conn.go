package rtsp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"videopatrol/streams"
)

const (
	// batchSize is the buffer of one read: the largest frame fits, and as much
	// again.
	batchSize = 128 << 10
	// farewell bounds how long a closing connection waits for the camera to
	// answer TEARDOWN and hang up.
	farewell = 250 * time.Millisecond
	// maxPass is how much may wait for the library before no more is read.
	maxPass = 64 << 10
	// minLowWater and maxLowWater bound what the kernel may hold back.
	minLowWater, maxLowWater = 64 << 10, 512 << 10
)

// batches are shared by all connections: a buffer is taken when bytes are
// there and given back when they are used up, so an idle session holds none.
var batches = sync.Pool{New: func() any { return new([batchSize]byte) }}

// conn is a TCP connection under the library, with or without frames.
//
// With them, what is read is walked at once: the library gets its messages and
// the assembler the video. Without them (below TLS) all is the library's.
//
// Once pace was called the kernel wakes nobody before many bytes came
// (SO_RCVLOWAT, socket(7)); a wheel reads what is there in turn. That much is a
// second way in: a burst is read when it fills the low water mark, and a
// hang-up at once.
type conn struct {
	net.Conn
	raw      syscall.RawConn // nil when the connection is not a socket
	fd       int             // valid until closed
	received func(n int)
	wheel    *wheel // nil before pace
	onWheel  bool   // wheel.mu
	readFD   func(fd uintptr) bool

	mu       sync.Mutex // guards all below; taken before every lock of a receiver
	sniff    sniffer
	frames   *frames // nil: all is for the library
	rest     []byte  // the beginning of a frame or message
	buf      *[batchSize]byte
	left     []byte // what the library has not read of buf; without frames
	err      error  // why no more comes
	deadline time.Time
	poked    bool // the deadline is ours: it wakes the reader
	closed   bool

	batch    int           // bytes that are worth a turn
	latency  time.Duration // the longest wait
	lowWater int           // what the kernel was told
	rate     float64       // bytes/s
	count    int           // bytes since the last turn
	turned   time.Time     // the last turn
}

func newConn(c net.Conn, received func(n int)) *conn {
	b := &conn{Conn: c, received: received}
	if sc, ok := c.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil && raw.Control(func(fd uintptr) { b.fd = int(fd) }) == nil {
			b.raw = raw
		}
	}
	b.readFD = b.tryRead
	return b
}

// pace lets a wheel read from now on, when about batch bytes came or latency
// passed.
func (c *conn) pace(w *wheel, batch int, latency time.Duration) error {
	if c.raw == nil || latency <= 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if err := c.setLowWater(max(minLowWater, batch)); err != nil {
		return err
	}
	c.wheel, c.batch, c.latency, c.turned = w, batch, latency, time.Now()
	w.join(c, latency/4)
	return nil
}

// setLowWater is called with c.mu held, before closed.
func (c *conn) setLowWater(n int) error {
	c.lowWater = n
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, n))
}

// turn reads what is there, and returns how long to wait for the next turn.
func (c *conn) turn(buf *[batchSize]byte) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.latency
	}
	now := time.Now()
	if c.frames == nil {
		c.poke()
	} else if c.drain(buf, now); len(c.frames.pass) > 0 || c.err != nil {
		c.poke()
	}
	if d := now.Sub(c.turned).Seconds(); d > 0 {
		c.rate += (float64(c.count)/d - c.rate) / 4 // over some turns, so that a key unit counts as what it is
	}
	c.count, c.turned = 0, now
	wait := c.latency
	if c.rate > 0 {
		wait = min(max(time.Duration(float64(c.batch)/c.rate*float64(time.Second)), c.latency/8), c.latency)
	}
	// Several turns' bytes: only a burst gets there.
	if n := min(max(int(4*c.rate*wait.Seconds()), minLowWater), maxLowWater); n > c.lowWater || 4*n < c.lowWater {
		_ = c.setLowWater(n) // without it, reads only come more often
	}
	return wait
}

// poke wakes the reader: there is something for it. c.mu is held.
func (c *conn) poke() {
	if !c.poked {
		c.poked = true
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// read fills p with what is there and tells what came: 0 bytes and no error
// mean nothing yet. c.mu is held.
func (c *conn) read(p []byte) int {
	for {
		n, err := unix.Read(c.fd, p)
		switch {
		case n > 0:
			c.count += n
			c.received(n)
			if serr := c.sniff.see(p[:n]); serr != nil {
				c.err = serr
				return 0
			}
			return n
		case err == nil:
			c.err = io.EOF
			return 0
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0
		default:
			c.err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
			return 0
		}
	}
}

// drain reads all there is and walks it. c.mu is held.
func (c *conn) drain(buf *[batchSize]byte, now time.Time) {
	for c.err == nil && len(c.frames.pass) < maxPass {
		from := copy(buf[:], c.rest)
		n := c.read(buf[from:])
		if n == 0 {
			break
		}
		c.walk(buf[:from+n], now)
		if from+n < len(buf) {
			break // that was all
		}
	}
	c.frames.feed(now)
}

// walk keeps of b what is not whole. c.mu is held.
func (c *conn) walk(b []byte, now time.Time) {
	used := c.frames.walk(b, now)
	c.rest = nil
	if used < len(b) {
		c.rest = bytes.Clone(b[used:])
	}
}

// tryRead tells whether there is something for the library, or nothing will
// come any more; else it has read all there is.
func (c *conn) tryRead(uintptr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ready() {
		return true
	}
	buf, _ := batches.Get().(*[batchSize]byte)
	if c.frames != nil {
		c.drain(buf, time.Now())
	} else if n := c.read(buf[:]); n > 0 {
		c.buf, c.left = buf, buf[:n]
		return true
	}
	batches.Put(buf)
	return c.ready()
}

func (c *conn) ready() bool {
	return len(c.left) > 0 || c.frames != nil && len(c.frames.pass) > 0 || c.err != nil
}

// take gives the library what is ready. c.mu is held.
func (c *conn) take(p []byte) (int, error) {
	if c.frames != nil && len(c.frames.pass) > 0 {
		n := copy(p, c.frames.pass)
		if c.frames.pass = c.frames.pass[n:]; len(c.frames.pass) == 0 {
			c.frames.pass = nil
		}
		return n, nil
	}
	if len(c.left) > 0 {
		n := copy(p, c.left)
		if c.left = c.left[n:]; len(c.left) == 0 {
			batches.Put(c.buf)
			c.buf, c.left = nil, nil
		}
		return n, nil
	}
	return 0, c.err
}

// Read implements net.Conn. It is called by one goroutine at a time.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.raw == nil {
		return c.readPlain(p)
	}
	for {
		err := c.raw.Read(c.readFD)
		c.mu.Lock()
		if c.poked && !c.closed {
			c.poked = false
			_ = c.Conn.SetReadDeadline(c.deadline)
			if errors.Is(err, os.ErrDeadlineExceeded) && (c.deadline.IsZero() || time.Now().Before(c.deadline)) {
				err = nil
			}
		}
		if c.ready() {
			n, err := c.take(p)
			c.mu.Unlock()
			return n, err
		}
		c.mu.Unlock()
		if err != nil {
			return 0, err
		}
	}
}

// readPlain reads a connection that is no socket.
func (c *conn) readPlain(p []byte) (int, error) {
	for {
		c.mu.Lock()
		if c.ready() {
			defer c.mu.Unlock()
			return c.take(p)
		}
		walked := c.frames != nil
		c.mu.Unlock()
		b := p
		var buf *[batchSize]byte
		if walked {
			buf, _ = batches.Get().(*[batchSize]byte)
			b = buf[:]
		}
		n, err := c.readInto(b, walked)
		if buf != nil {
			batches.Put(buf)
		}
		if !walked {
			return n, err
		}
	}
}

func (c *conn) readInto(b []byte, walked bool) (int, error) {
	from := 0
	if walked {
		from = copy(b, c.rest)
	}
	n, err := c.Conn.Read(b[from:])
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.received(n)
		if serr := c.sniff.see(b[from : from+n]); serr != nil {
			n, err = 0, serr
		} else if walked {
			c.walk(b[:from+n], time.Now())
			c.frames.feed(time.Now())
		}
	}
	if err != nil && c.err == nil && walked {
		c.err = err
	}
	return n, err
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline, c.poked = t, false
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
// No receiver hears anything once it has returned.
func (c *conn) Close() error {
	tcp, ok := c.Conn.(*net.TCPConn)
	c.mu.Lock()
	first := !c.closed
	if first && c.raw != nil {
		_ = c.setLowWater(1)
	}
	c.closed = true
	if c.err == nil {
		c.err = net.ErrClosed
	}
	if c.buf != nil {
		batches.Put(c.buf)
		c.buf, c.left = nil, nil
	}
	w := c.wheel
	c.mu.Unlock()
	if w != nil {
		w.leave(c)
	}
	if !ok || !first {
		return c.Conn.Close()
	}
	_ = tcp.SetReadDeadline(time.Unix(1, 0)) // a waiting reader leaves
	if tcp.CloseWrite() == nil && tcp.SetReadDeadline(time.Now().Add(farewell)) == nil {
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
