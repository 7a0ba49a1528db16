package streamstest

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type listener struct {
	net.Listener
	c *Camera
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.c.mu.Lock()
	l.c.dials++
	l.c.mu.Unlock()
	if l.c.o.Wrap != nil {
		c = l.c.o.Wrap(c)
	}
	return c, nil
}

// Garbage puts bytes before each interleaved frame, as a Canon VB-H47 does.
func Garbage(junk []byte) func(net.Conn) net.Conn {
	return func(c net.Conn) net.Conn {
		return &writer{Conn: c, write: func(p []byte) (int, error) {
			if len(p) > 0 && p[0] == '$' {
				if _, err := c.Write(junk); err != nil {
					return 0, err
				}
			}
			return c.Write(p)
		}}
	}
}

// Dribble sends one byte at a time, with a pause before each.
func Dribble(pause time.Duration) func(net.Conn) net.Conn {
	return func(c net.Conn) net.Conn {
		return &writer{Conn: c, write: func(p []byte) (int, error) {
			for i := range p {
				time.Sleep(pause) //nolint:forbidigo // the pause is the fault
				if _, err := c.Write(p[i : i+1]); err != nil {
					return i, err
				}
			}
			return len(p), nil
		}}
	}
}

// Silence swallows everything after n interleaved frames: a half-open
// connection.
func Silence(frames int64) func(net.Conn) net.Conn {
	return func(c net.Conn) net.Conn {
		var sent atomic.Int64
		return &writer{Conn: c, write: func(p []byte) (int, error) {
			if len(p) > 0 && p[0] == '$' && sent.Add(1) > frames {
				return len(p), nil
			}
			return c.Write(p)
		}}
	}
}

// Reset sends half of the n-th interleaved frame and then a TCP reset.
func Reset(frames int64) func(net.Conn) net.Conn {
	return func(c net.Conn) net.Conn {
		var sent atomic.Int64
		return &writer{Conn: c, write: func(p []byte) (int, error) {
			if len(p) > 0 && p[0] == '$' && sent.Add(1) == frames {
				n, _ := c.Write(p[:len(p)/2])
				if tcp, ok := c.(*net.TCPConn); ok {
					_ = tcp.SetLinger(0)
				}
				c.Close()
				return n, net.ErrClosed
			}
			return c.Write(p)
		}}
	}
}

type writer struct {
	net.Conn
	write func([]byte) (int, error)
}

func (w *writer) Write(p []byte) (int, error) { return w.write(p) }

// Listen serves each connection by a function, for what is no RTSP server at
// all, and returns its address. The function's connection is closed when it
// returns or the test ends.
func Listen(tb testing.TB, serve func(net.Conn)) string {
	tb.Helper()
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	tb.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().String()
}

// WebServer answers anything with a page, whose text looks like RTSP.
func WebServer(c net.Conn) {
	buf := make([]byte, 4096)
	if _, err := c.Read(buf); err != nil {
		return
	}
	page := append([]byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<p>RTSP $ START"), bytes.Repeat([]byte("$RT"), 5000)...)
	_, _ = c.Write(page)
}

// BlackHole accepts and never answers.
func BlackHole(c net.Conn) {
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}
