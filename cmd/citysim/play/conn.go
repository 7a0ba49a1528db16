package play

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// kernelBuffer is what the kernel may hold for a reader, so that many slow
	// readers cannot hold much.
	kernelBuffer = 64 << 10
	// answerTimeout bounds the writing of an answer before PLAY.
	answerTimeout = 10 * time.Second
)

// conn is one RTSP connection. Answers come from gortsplib through Write;
// once the session plays, packets come from the wheel through send, which
// never waits: what the socket does not take stays pending.
type conn struct {
	*net.TCPConn
	raw  syscall.RawConn
	host *host
	hung sync.Once

	mu      sync.Mutex
	state   connState
	played  bool // or closed: it is no handshake any more
	pending []byte
	channel byte         // of RTP packets
	instead []byte       // goes out in place of the next answer
	first   *atomic.Bool // set once PLAY is answered: a key unit is wanted

	writeFD func(fd uintptr) bool // made once, so that a write allocates nothing
	out     []byte
	n       int
	failed  error
}

func newConn(tcp *net.TCPConn, raw syscall.RawConn, h *host) *conn {
	c := &conn{TCPConn: tcp, raw: raw, host: h}
	c.writeFD = func(fd uintptr) bool {
		c.n, c.failed = writeNow(fd, c.out)
		return true
	}
	return c
}

// writeNow is write(2) for a socket that never blocks. It does not tell the
// scheduler: with thousands of short writes a second, its watching over them
// and handing the processor around cost a fifth of the whole.
func writeNow(fd uintptr, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))) //nolint:gosec // as package unix does it
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil //nolint:gosec // at most len(b)
}

// Close closes the connection and counts it out.
func (c *conn) Close() error {
	err := c.TCPConn.Close()
	c.hung.Do(func() {
		c.mu.Lock()
		asked := !c.played
		c.played = true
		c.mu.Unlock()
		c.host.left(c, asked)
	})
	return err
}

type connState int

const (
	connAsks  connState = iota // requests and answers
	connReady                  // plays once the answer to PLAY is out
	connPlays
)

// SetWriteDeadline does nothing: a deadline in the past would stop the wheel.
func (*conn) SetWriteDeadline(time.Time) error { return nil }

// Write sends an answer.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.host.silent() {
		return len(b), nil
	}
	if c.instead != nil {
		b = c.instead
		c.instead = nil
		defer c.TCPConn.Close()
	}
	if c.state == connReady && !c.played { // before the reader can know, who then dials again
		c.played = true
		c.host.tally.answered(c.host)
	}
	c.pending = append(c.pending, b...)
	err := c.flush()
	if err == nil && c.state != connPlays && len(c.pending) > 0 {
		if err = c.TCPConn.SetWriteDeadline(time.Now().Add(answerTimeout)); err == nil {
			_, err = c.TCPConn.Write(c.pending)
		}
		c.pending = nil
		err = errors.Join(err, c.TCPConn.SetWriteDeadline(time.Time{}))
	}
	if c.state == connReady {
		c.state = connPlays
		if c.first != nil {
			c.first.Store(true)
		}
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// answer makes something else go out in place of the next answer, and then
// closes the connection.
func (c *conn) answer(instead []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instead = instead
}

// become sets whether packets are wanted.
func (c *conn) become(s connState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
}

// setChannel sets the interleaved channel of the packets.
func (c *conn) setChannel(ch byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.channel = ch
}

// send writes packets framed for channels 0 and 1, without waiting. It returns
// false when the reader must go: it is gone, or too slow.
func (c *conn) send(packets []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != connPlays {
		return true
	}
	if c.channel != 0 {
		shiftChannels(packets, c.channel)
		defer shiftChannels(packets, -c.channel)
	}
	if len(c.pending) == 0 {
		n, err := c.try(packets)
		c.pending = append(c.pending, packets[n:]...)
		return err == nil
	}
	c.pending = append(c.pending, packets...)
	return c.flush() == nil && len(c.pending) <= c.host.pending
}

// flush writes of what is pending what the socket takes.
func (c *conn) flush() error {
	n, err := c.try(c.pending)
	c.pending = c.pending[:copy(c.pending, c.pending[n:])]
	if len(c.pending) == 0 && cap(c.pending) > 16<<10 {
		c.pending = nil
	}
	return err
}

// try writes what the socket takes at once.
func (c *conn) try(b []byte) (n int, err error) {
	c.out, c.n, c.failed = b, 0, nil
	err = c.raw.Write(c.writeFD)
	c.out = nil
	n, err = max(c.n, 0), errors.Join(err, c.failed)
	c.host.tally.bytes.Add(int64(n))
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		err = nil
	}
	return n, err
}
