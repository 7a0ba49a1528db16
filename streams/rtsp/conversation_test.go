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
		s, err := o.Open(t.Context(), streams.Target{URL: "rtsp://10.0.0.1/"}, streams.Receiver{Unit: func(u streams.Unit) {
			for _, n := range u.NALUs {
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
		if err == nil || streams.ReasonOf(err) == streams.ReasonNone || len(err.Error()) > 1000 {
			t.Errorf("no clear end: %v", err)
		}
		near.Close()
		<-ended
	})
}
