package play

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// kernelBuffer is what the kernel may hold for a reader, so that many slow
	// readers cannot hold much.
	kernelBuffer = 64 << 10
	// answerTimeout bounds the writing of an answer before PLAY.
	answerTimeout = 10 * time.Second
)

// listener hands out connections that the wheel can write to without waiting.
type listener struct {
	net.Listener
	maxPending int
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("connection is a %T, want TCP", c), c.Close())
	}
	raw, err := tcp.SyscallConn()
	if err = errors.Join(err, tcp.SetWriteBuffer(kernelBuffer)); err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	return &conn{TCPConn: tcp, raw: raw, maxPending: l.maxPending}, nil
}

// conn is one RTSP connection. Answers come from gortsplib through Write;
// once the session plays, packets come from the wheel through send, which
// never waits: what the socket does not take stays pending.
type conn struct {
	*net.TCPConn
	raw        syscall.RawConn
	maxPending int

	mu      sync.Mutex
	state   connState
	pending []byte
	channel byte   // of RTP packets
	instead []byte // goes out in place of the next answer
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
	if c.instead != nil {
		b = c.instead
		c.instead = nil
		defer c.Close()
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
	return c.flush() == nil && len(c.pending) <= c.maxPending
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
	var failed error
	err = c.raw.Write(func(fd uintptr) bool {
		n, failed = unix.Write(int(fd), b) //nolint:gosec // a descriptor fits
		return true
	})
	n = max(n, 0)
	if errors.Is(failed, unix.EAGAIN) || errors.Is(failed, unix.EINTR) {
		failed = nil
	}
	return n, errors.Join(err, failed)
}
