package rtsp_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"videopatrol/streams"
	"videopatrol/streams/rtsp"
)

// pair returns the two ends of a loopback TCP connection, the first one
// wrapped.
func pair(t *testing.T, received func(int)) (*rtsp.Conn, *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := rtsp.NewConn(near, received)
	t.Cleanup(func() {
		far.Close()
		c.Close()
	})
	return c, far.(*net.TCPConn)
}

func ignore(int) {}

// TestConnKeepsEveryByte sends random pieces and reads by random sizes, with
// and without batching: what comes out is what went in.
func TestConnKeepsEveryByte(t *testing.T) {
	for name, lowWater := range map[string]int{"plain": 0, "low water 1": 1, "low water 32 KiB": 32 << 10, "low water 64 KiB": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var counted atomic.Int64
			c, far := pair(t, func(n int) { counted.Add(int64(n)) })
			if lowWater > 0 {
				if err := c.Pace(lowWater, 20*time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
			r := rand.New(rand.NewPCG(1, 2))
			sent := make([]byte, 3<<20)
			for i := range sent {
				sent[i] = byte(r.Uint32())
			}
			go func() {
				r := rand.New(rand.NewPCG(3, 4))
				for rest := sent; len(rest) > 0; {
					n := min(len(rest), 1+r.IntN(9000))
					if r.IntN(4) == 0 {
						n = 1
					}
					if _, err := far.Write(rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
					if r.IntN(200) == 0 {
						time.Sleep(30 * time.Millisecond) // longer than the latency budget
					}
				}
				_ = far.CloseWrite()
			}()
			var got []byte
			for {
				p := make([]byte, 1+r.IntN(5000))
				n, err := c.Read(p)
				got = append(got, p[:n]...)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, sent) || counted.Load() != int64(len(sent)) {
				t.Fatalf("got %d bytes, counted %d, want %d, equal %v", len(got), counted.Load(), len(sent), bytes.Equal(got, sent))
			}
			if c.Holds() {
				t.Error("a drained connection holds a buffer")
			}
		})
	}
}

// TestConnDoesNotWaitForLowWater proves that fewer bytes than the low water
// mark arrive: those that were there before batching, and those after.
func TestConnDoesNotWaitForLowWater(t *testing.T) {
	c, far := pair(t, ignore)
	p := make([]byte, 100)
	if _, err := far.Write([]byte("early")); err != nil {
		t.Fatal(err)
	}
	if err := c.Pace(32<<10, 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(p); err != nil || string(p[:n]) != "early" {
		t.Fatalf("%q, %v", p[:n], err)
	}
	for range 3 {
		read := make(chan string)
		go func() {
			n, _ := c.Read(p)
			read <- string(p[:n])
		}()
		time.Sleep(25 * time.Millisecond) // several empty waits
		if _, err := far.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if got := <-read; got != "x" {
			t.Fatalf("got %q", got)
		}
	}
}

// TestConnBatchReachesAWaitingRead: the reader is blocked before batching is
// turned on, as the library's is when PLAY was answered.
func TestConnBatchReachesAWaitingRead(t *testing.T) {
	c, far := pair(t, ignore)
	read := make(chan string)
	go func() {
		p := make([]byte, 100)
		n, _ := c.Read(p)
		read <- string(p[:n])
	}()
	time.Sleep(10 * time.Millisecond)
	if err := c.Pace(32<<10, 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write([]byte("few")); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "few" {
		t.Fatalf("got %q", got)
	}
}

func TestConnObeysItsOwnersDeadline(t *testing.T) {
	for _, batched := range []bool{false, true} {
		c, far := pair(t, ignore)
		if batched {
			if err := c.Pace(32<<10, 5*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		p := make([]byte, 10)
		if err := c.SetReadDeadline(time.Now().Add(40 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("batched %v: %v", batched, err)
		}
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Write([]byte("ok")); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(p); err != nil || string(p[:n]) != "ok" {
			t.Fatalf("batched %v: after the deadline was lifted: %q, %v", batched, p[:n], err)
		}
	}
}

// TestConnCloseEndsAWaitingRead also when the peer stays silent, and when it
// never stops sending.
func TestConnCloseEndsAWaitingRead(t *testing.T) {
	for name, flood := range map[string]bool{"silent peer": false, "flooding peer": true} {
		t.Run(name, func(t *testing.T) {
			c, far := pair(t, ignore)
			if err := c.Pace(64<<10, time.Minute); err != nil {
				t.Fatal(err)
			}
			if flood {
				go func() {
					for b := make([]byte, 32<<10); ; {
						if _, err := far.Write(b); err != nil {
							return
						}
					}
				}()
			}
			ended := make(chan error)
			go func() {
				for p := make([]byte, 4096); ; {
					if _, err := c.Read(p); err != nil {
						ended <- err
						return
					}
				}
			}()
			time.Sleep(20 * time.Millisecond)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := <-ended; err == nil {
				t.Error("a read on a closed connection succeeded")
			}
		})
	}
}

// TestConnCloseSendsNoReset: the peer reads what was written before the close
// although it goes on sending.
func TestConnCloseSendsNoReset(t *testing.T) {
	c, far := pair(t, ignore)
	if _, err := far.Write(make([]byte, 100_000)); err != nil { // never read
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("TEARDOWN")); err != nil {
		t.Fatal(err)
	}
	go c.Close()
	got, err := io.ReadAll(far)
	if err != nil || string(got) != "TEARDOWN" {
		t.Fatalf("%q, %v", got, err)
	}
	far.Close()
}

// TestConnWithoutASocket reads through a pipe, as tests of the loop do.
func TestConnWithoutASocket(t *testing.T) {
	near, far := net.Pipe()
	c := rtsp.NewConn(near, ignore)
	if err := c.Pace(32<<10, time.Second); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = far.Write([]byte("ok"))
		far.Close()
	}()
	if got, err := io.ReadAll(c); err != nil || string(got) != "ok" {
		t.Fatalf("%q, %v", got, err)
	}
	c.Close()
}

func TestSniff(t *testing.T) {
	for text, ok := range map[string]bool{
		"RTSP/1.0 200 OK": true, "\r\nRTSP/1.0": true, "$\x00\x00\x04": true, "OPTIONS rtsp://x": true, "R": true, "": true, "GET_PARAMETER x": true,
		"HTTP/1.1 400": false, "SSH-2.0-OpenSSH": false, "220 ftp": false, "\x15\x03\x01": false, "RTP": false, "GET / HTTP/1.1": false,
	} {
		if err := rtsp.Sniff([]byte(text)); (err == nil) != ok || err != nil && streams.ReasonOf(err) != streams.ReasonNotRTSP {
			t.Errorf("%q: %v", text, err)
		}
		var pieces [][]byte
		for i := range text {
			pieces = append(pieces, []byte(text[i:i+1]))
		}
		if err := rtsp.Sniff(pieces...); (err == nil) != ok {
			t.Errorf("%q by bytes: %v", text, err)
		}
	}
}
