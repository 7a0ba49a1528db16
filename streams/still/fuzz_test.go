package still_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/still"
)

// FuzzInspect: whatever is taken for a JPEG has an end and a size, and Go's own
// decoder reads the same size from it, or refuses it.
func FuzzInspect(f *testing.F) {
	jpg := picture(f, 33, 17)
	f.Add(jpg)
	f.Add(jpg[:len(jpg)-2])
	f.Add([]byte{0xff, 0xd8, 0xff, 0xff, 0xd9})
	f.Add(append(bytes.Clone(jpg[:20]), jpg...))
	f.Fuzz(func(t *testing.T, b []byte) {
		size, width, height, err := still.Inspect(b)
		if err != nil {
			return
		}
		if size < 4 || size > len(b) || width < 1 || height < 1 || width > 8192 || height > 8192 {
			t.Fatalf("%d bytes, %d × %d", size, width, height)
		}
		if !bytes.HasPrefix(b, []byte{0xff, 0xd8}) || !bytes.HasSuffix(b[:size], []byte{0xff, 0xd9}) {
			t.Fatal("it does not begin or end like a JPEG")
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(b[:size])); err == nil && (c.Width != width || c.Height != height) {
			t.Fatalf("%d × %d, and the decoder says %d × %d", width, height, c.Width, c.Height)
		}
	})
}

// FuzzAnswer: a camera answers two requests with anything. A visit ends with a
// whole JPEG, an unchanged one, or a reason; nothing stays held.
func FuzzAnswer(f *testing.F) {
	jpg := picture(f, 33, 17)
	ok := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"1\"\r\nDate: Sun, 01 Mar 2026 08:00:00 GMT\r\n\r\n%s", len(jpg), jpg)
	f.Add([]byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Digest realm=\"a\\\"b\", nonce=\"1\", qop=\"auth\", Basic realm=x\r\n\r\n"), ok)
	f.Add(ok, []byte("HTTP/1.1 304 Not Modified\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /there\r\n\r\n"), ok)
	f.Add(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(jpg), jpg), []byte("HTTP/1.0 200\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\xff\xd8\xff"), []byte("RTSP/1.0 200 OK\r\n\r\n"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		// A camera that says nothing more is waited for in no time.
		synctest.Test(t, func(t *testing.T) { converse(t, first, second) })
	})
}

func converse(t *testing.T, answers ...[]byte) {
	t.Helper()
	served := make(chan struct{})
	dials := make(chan net.Conn, 64)
	go func() {
		defer close(served)
		for c := range dials {
			for r := bufio.NewReader(c); len(answers) > 0; answers = answers[1:] {
				if _, err := http.ReadRequest(r); err != nil {
					break
				}
				if _, err := c.Write(answers[0]); err != nil {
					answers = answers[1:]
					break
				}
			}
			c.Close()
		}
	}()
	o, err := still.New(still.Options{Timeout: 2 * time.Second, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case dials <- far:
			return near, nil
		default:
			return nil, net.ErrClosed
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h := &heard{}
		_, err := o.Open(t.Context(), streams.Target{Camera: "c", URL: "http://10.0.0.1/", Login: inventory.Login{Username: "u", Password: "geheim"}}, h.receiver())
		switch {
		case err == nil && h.keys == 1 && len(h.units) <= 1:
		case err != nil && h.keys == 0 && len(h.units) == 0 && h.held == 0 && streams.ReasonOf(err) != streams.ReasonNone:
		default:
			t.Errorf("no clear end: %+v, %v", h, err)
		}
		for _, u := range h.units {
			if size, _, _, err := still.Inspect(u.NALUs[0]); err != nil || size != u.Size() {
				t.Errorf("a unit that is no JPEG: %v", err)
			}
		}
		if err != nil && (len(err.Error()) > 1000 || bytes.Contains([]byte(err.Error()), []byte("geheim"))) {
			t.Errorf("not fit to show: %q", err)
		}
	}
	o.Close()
	close(dials)
	<-served
}
