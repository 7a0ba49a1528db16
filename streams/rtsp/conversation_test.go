package rtsp_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
)

// FuzzConversation: a camera that follows the protocol up to some request and
// then answers with anything. The session ends in an error with a reason, and
// nothing is left behind.
func FuzzConversation(f *testing.F) {
	const sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"
	describe := fmt.Sprintf("RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
	good := []string{
		"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", describe,
		"RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
		"RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n",
	}
	for i, answer := range good {
		f.Add(byte(i), []byte(answer))
	}
	for _, pictures := range gop()[:2] {
		f.Add(byte(4), pictures[:min(len(pictures), 4000)])
	}
	f.Add(byte(1), []byte(strings.ReplaceAll(describe, "H264", "H265")))
	f.Add(byte(1), []byte("RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256-sess\r\n\r\n"))
	f.Add(byte(1), []byte("RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\nRTSP/1.0 401 Unauthorized\r\n\r\n"))
	f.Add(byte(1), []byte(strings.ReplaceAll(describe, "H264", "JPEG")))
	f.Add(byte(2), []byte("RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: 3\r\n\r\n"))
	f.Add(byte(4), []byte("$\x01\x00\x1c\x80\xc8\x00\x06\x00\x00\x00\x01"+strings.Repeat("\x00", 20)))
	f.Fuzz(func(t *testing.T, at byte, said []byte) {
		near, far := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer far.Close()
			r := bufio.NewReader(far)
			for i := range good {
				for line := "?"; strings.TrimSpace(line) != ""; {
					var err error
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
				}
				answer := []byte(good[i])
				if i == int(at) {
					answer = said
				}
				if _, err := far.Write(answer); err != nil || i == int(at) {
					return
				}
			}
			go func() { _, _ = io.Copy(io.Discard, r) }()
			_, _ = far.Write(said)
		}()
		o, err := rtsp.New(rtsp.Options{Handshake: 2 * time.Second, Dial: func(context.Context, string, string) (net.Conn, error) {
			return near, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := o.Open(t.Context(), streams.Target{URL: "rtsp://10.0.0.1/", Login: inventory.Login{Username: "u", Password: "hunter22"}}, streams.Receiver{Unit: func(u streams.Unit) {
			for _, n := range u.NALUs {
				if u.Codec == streams.CodecJPEG {
					continue
				}
				if len(n) == 0 || bytes.Contains(n, []byte{0, 0, 1}) {
					t.Error("a NAL unit is empty or holds a start code")
				}
			}
		}})
		if err == nil {
			<-ended
			s.Close()
			err = s.Wait()
		}
		if err == nil || streams.ReasonOf(err) == streams.ReasonNone || len(err.Error()) > 1000 || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("no clear end: %v", err)
		}
		near.Close()
		<-ended
	})
}

// FuzzDialogue: what a camera says passes through a dialogue in bounded time
// and size, whatever the pieces in which it comes.
func FuzzDialogue(f *testing.F) {
	f.Add([]byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\nv=0\n$\x00\x00\x02abRTSP/1.0 404 x\n\n"), byte(3))
	f.Add([]byte("OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\nRTSP/1.0 401 \r\n \r\n x\r\n\r\n"), byte(1))
	f.Add([]byte("\r\n\r\n$\x01\xff\xff RTSP/1.0"), byte(200))
	f.Fuzz(func(t *testing.T, said []byte, piece byte) {
		whole, err := rtsp.ReadAll(bytes.NewReader(said))
		if err != nil || len(whole) > 2*len(said)+1000 {
			t.Fatalf("%d bytes of %d, %v", len(whole), len(said), err)
		}
		cut, err := rtsp.ReadAll(pieces{bytes.NewReader(said), 1 + int(piece)})
		if err != nil || !bytes.Equal(whole, cut) {
			t.Fatalf("in pieces of %d: %q, at once: %q, %v", 1+int(piece), cut, whole, err)
		}
	})
}

type pieces struct {
	io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.size)]) }
