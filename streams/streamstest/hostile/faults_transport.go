package hostile

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"videopatrol/streams"
)

// page is what a web server says; its text looks like RTSP.
var page = []byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<p>RTSP $ START" + strings.Repeat("$RT", 5000))

// between puts bytes before every n-th interleaved frame.
func between(every int, junk string) func(*conversation, int, []byte) []byte {
	return func(_ *conversation, n int, b []byte) []byte {
		if n%every != 0 {
			return b
		}
		return append([]byte(junk), b...)
	}
}

// transportFaults are 1 to 15 of the catalogue.
func transportFaults() []Fault {
	silence := func(t *conversation) bool {
		_, _ = io.Copy(io.Discard, t.in)
		return true
	}
	return []Fault{
		{
			ID: "1-half-open", Summary: "falls silent in mid-session and never closes", UDP: true, Reasons: is(streams.ReasonStalled),
			before: func(_ *conversation, n int) bool { return n < 8 },
			answer: func(t *conversation, _ *request, a *answer) { a.silent = t.playing },
		},
		{ID: "2-syn-black-hole", Summary: "its address swallows SYN packets", Reasons: is(streams.ReasonTimeout), Alone: true, deaf: true, accept: silence},
		{ID: "2-accept-silence", Summary: "accepts connections and never says a word", Reasons: is(streams.ReasonTimeout), accept: silence},
		{
			ID: "2-hang-up", Summary: "closes every connection at once", Reasons: is(streams.ReasonClosed),
			accept: func(*conversation) bool { return true },
		},
		{
			ID: "2-reset-mid-frame", Summary: "resets the connection inside a frame", Reasons: is(streams.ReasonClosed),
			frame: func(t *conversation, n int, b []byte) []byte {
				if n < 12 {
					return b
				}
				_ = t.write(b[:len(b)/2])
				t.reset()
				return nil
			},
		},
		{
			ID: "3-slow-status", Summary: "answers at one byte a second", Reasons: is(streams.ReasonTimeout),
			slow: func(t *conversation, _ *request, b []byte) error { return t.dribble(b) },
		},
		{
			ID: "3-slow-header", Summary: "sends its headers at one byte a second", Reasons: is(streams.ReasonTimeout, streams.ReasonProtocol),
			slow: func(t *conversation, _ *request, b []byte) error {
				line := bytes.IndexByte(b, '\n') + 1
				if err := t.write(b[:line]); err != nil {
					return err
				}
				return t.dribble(b[line:])
			},
		},
		{
			ID: "3-slow-sdp", Summary: "sends its description at one byte a second", Reasons: is(streams.ReasonTimeout),
			slow: func(t *conversation, _ *request, b []byte) error {
				head := bytes.Index(b, []byte("\r\n\r\n")) + 4
				if err := t.write(b[:head]); err != nil {
					return err
				}
				return t.dribble(b[head:])
			},
		},
		{
			ID: "3-endless-header", Summary: "sends headers without end", Reasons: is(streams.ReasonProtocol),
			slow: func(t *conversation, _ *request, _ []byte) error {
				b := []byte("RTSP/1.0 200 OK\r\n")
				for {
					if err := t.write(b); err != nil {
						return err
					}
					b = bytes.Repeat([]byte("X-More: yes\r\n"), 50)
				}
			},
		},
		{ID: "4-garbage", Summary: "puts garbage between frames", frame: between(1, "\x00junk\r\n!")},
		{ID: "4-garbage-frame", Summary: "puts frames of garbage between frames", frame: between(1, "$\x00\x00\x05hello")},
		{ID: "5-answer-between-frames", Summary: "answers in the middle of its frames what nobody asked", frame: between(5, "RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n")},
		{ID: "5-torn-answer", Summary: "sends the tail of an answer between frames", frame: between(5, "TSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n")},
		{ID: "5-broken-answer", Summary: "sends a broken answer between frames", Reasons: is(streams.ReasonProtocol), frame: between(20, "RTSP/1.0 xxx \r\n")},
		{
			ID: "6-blank-header-line", Summary: "puts a line of one space among its headers",
			raw: func(_ *conversation, _ *request, b []byte) []byte {
				return bytes.Replace(b, []byte("\r\n"), []byte("\r\n \r\n"), 1)
			},
		},
		{
			ID: "6-blank-last-line", Summary: "ends its headers with a line of one space",
			raw: func(_ *conversation, _ *request, b []byte) []byte {
				return bytes.Replace(b, []byte("\r\n\r\n"), []byte("\r\n \r\n\r\n"), 1)
			},
		},
		{
			ID: "6-folded-header", Summary: "folds a header over two lines",
			raw: func(_ *conversation, _ *request, b []byte) []byte {
				return bytes.Replace(b, []byte("Server: Hostile/1.0\r\n"), []byte("Server: Hostile\r\n and more\r\nX-Next: 1\r\n"), 1)
			},
		},
		{ID: "7-newline-before-frame", Summary: "puts an empty line before frames", frame: between(1, "\r\n")},
		{
			ID: "8-rtcp-before-play", Summary: "sends a report before its answer to PLAY",
			raw: func(t *conversation, r *request, b []byte) []byte {
				if r.method != "PLAY" {
					return b
				}
				return append(frame(t.channels[1], []byte{0x80, 201, 0, 1, 0, 0, 0, 1}), b...)
			},
		},
		{
			ID: "8-rtp-before-play", Summary: "sends packets before its answer to PLAY",
			raw: func(t *conversation, r *request, b []byte) []byte {
				if r.method != "PLAY" {
					return b
				}
				p := &packet{kind: payloadType, seq: t.seq - 1, stamp: t.stamp - 1, ssrc: t.from, payload: drawn().skip}
				return append(frame(t.channels[0], p.bytes()), b...)
			},
		},
		{
			ID: "9-unassigned-channel", Summary: "sends on a channel that nobody asked for",
			frame: func(_ *conversation, _ int, b []byte) []byte {
				return append(b, frame(77, []byte("what nobody asked for"))...)
			},
		},
		{
			ID: "10-old-session", Summary: "sends packets of an old session on a new connection",
			raw: func(t *conversation, _ *request, b []byte) []byte {
				if t.asked > 1 {
					return b
				}
				var old []byte
				for i := range 20 {
					p := &packet{kind: payloadType, seq: uint16(i), ssrc: 7, payload: bytes.Repeat([]byte{1}, 500)} //nolint:gosec // small
					old = append(old, frame(0, p.bytes())...)
				}
				return append(old, b...)
			},
		},
		{
			ID: "11-other-channels", Summary: "takes other channels than it was asked for",
			answer: on("SETUP", func(t *conversation, a *answer) {
				t.channels = [2]byte{8, 9}
				a.set("Transport", "RTP/AVP/TCP;unicast;interleaved=8-9")
			}),
		},
		{
			ID: "11-odd-channels", Summary: "takes a pair of channels that begins odd",
			answer: on("SETUP", func(t *conversation, a *answer) {
				t.channels = [2]byte{3, 4}
				a.set("Transport", "RTP/AVP/TCP;unicast;interleaved=3-4")
			}),
		},
		{
			ID: "11-one-channel", Summary: "names one channel of the pair",
			answer: header("SETUP", "Transport", "RTP/AVP/TCP;unicast;interleaved=0"),
		},
		{
			ID: "11-same-channel", Summary: "names one channel twice", Reasons: is(streams.ReasonUnsupported),
			answer: header("SETUP", "Transport", "RTP/AVP/TCP;unicast;interleaved=0-0"),
		},
		{
			ID: "12-no-server-port", Summary: "names no port that it sends from", UDP: true, OnlyUDP: true,
			Datagram: is(streams.ReasonProtocol, streams.ReasonUnsupported, streams.ReasonNone),
			answer: on("SETUP", func(_ *conversation, a *answer) {
				for i, line := range a.head {
					if at := strings.Index(line, ";server_port="); at >= 0 {
						a.head[i] = line[:at]
					}
				}
			}),
		},
		{
			ID: "12-closed-port", Summary: "names a port where nobody listens, and sends from another", UDP: true, OnlyUDP: true,
			Datagram: is(streams.ReasonStalled, streams.ReasonTimeout, streams.ReasonNoKeyUnit, streams.ReasonNone),
			answer: on("SETUP", func(_ *conversation, a *answer) {
				for i, line := range a.head {
					if at := strings.Index(line, ";server_port="); at >= 0 {
						a.head[i] = line[:at] + ";server_port=9-10"
					}
				}
			}),
		},
		{
			ID: "12-other-address", Summary: "sends from another address than its own", UDP: true, OnlyUDP: true,
			Datagram: is(streams.ReasonStalled, streams.ReasonTimeout, streams.ReasonNoKeyUnit),
			datagram: func(t *conversation, way int, b []byte) error {
				c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)})
				if err != nil {
					return nil //nolint:nilerr // a machine without that address: the packet is lost
				}
				defer c.Close()
				_, _ = c.WriteToUDP(b, t.peers[way])
				return nil
			},
		},
		{ID: "13-self-signed", Summary: "shows a certificate that it made itself", Secure: true, Alone: true, Reasons: is(streams.ReasonCertificate), tls: selfSigned},
		{ID: "13-expired", Summary: "shows a certificate that has expired", Secure: true, Alone: true, Reasons: is(streams.ReasonCertificate), tls: expired},
		{ID: "13-other-name", Summary: "shows a certificate of another host", Secure: true, Alone: true, Reasons: is(streams.ReasonCertificate), tls: otherName},
		{
			ID: "13-rsa-only", Summary: "knows TLS 1.2 with RSA key exchange only", Secure: true, Alone: true,
			Reasons: is(streams.ReasonUnsupported), tls: rsaOnly,
		},
		{
			ID: "13-plain-on-tls-port", Summary: "speaks plainly where TLS is wanted", Secure: true, Alone: true, Reasons: is(streams.ReasonNotRTSP),
			accept: func(t *conversation) bool {
				_, _ = t.tcp.Write([]byte("RTSP/1.0 400 Bad Request\r\n\r\n"))
				t.drain()
				return true
			},
		},
		{
			ID: "13-tls-on-plain-port", Summary: "speaks TLS where plain RTSP is wanted", Reasons: is(streams.ReasonNotRTSP),
			accept: func(t *conversation) bool {
				_, _ = t.in.Peek(1)
				_, _ = t.tcp.Write([]byte{0x15, 3, 1, 0, 2, 2, 40}) // alert: handshake failure
				t.drain()
				return true
			},
		},
		{
			ID: "14-http-answer", Summary: "answers RTSP by HTTP/1.1", Reasons: is(streams.ReasonNotRTSP),
			answer: func(_ *conversation, _ *request, a *answer) { a.protocol = "HTTP/1.1" },
		},
		{
			ID: "14-web-server", Summary: "is a web server", Reasons: is(streams.ReasonNotRTSP),
			raw: func(*conversation, *request, []byte) []byte { return page },
		},
		{ID: "15-loss-1", Summary: "loses one packet of a hundred", UDP: true, Reasons: is(streams.ReasonNone, streams.ReasonCorrupt), lose: losing(0.01)},
		{ID: "15-loss-5", Summary: "loses five packets of a hundred", UDP: true, Reasons: is(streams.ReasonNone, streams.ReasonCorrupt), lose: losing(0.05)},
		{
			ID: "15-loss-30", Summary: "loses thirty packets of a hundred", UDP: true,
			Reasons: is(streams.ReasonCorrupt, streams.ReasonNoKeyUnit), lose: losing(0.3),
		},
		{
			ID: "15-reorder", Summary: "sends packets in another order than their numbers", UDP: true,
			Reasons: is(streams.ReasonCorrupt, streams.ReasonNoKeyUnit), Datagram: is(streams.ReasonNone),
			lose: func(_ *conversation, _ int, ps []*packet) []*packet {
				for i := 0; i+1 < len(ps); i += 2 {
					ps[i], ps[i+1] = ps[i+1], ps[i]
				}
				return ps
			},
		},
		{
			ID: "15-duplicate", Summary: "sends every packet twice", UDP: true,
			lose: func(_ *conversation, _ int, ps []*packet) (twice []*packet) {
				for _, p := range ps {
					twice = append(twice, p, p)
				}
				return twice
			},
		},
		{
			ID: "15-jitter", Summary: "holds packets back for up to two seconds", UDP: true,
			lose: func(t *conversation, n int, ps []*packet) []*packet {
				r := rand.New(rand.NewPCG(uint64(n), 15)) //nolint:gosec // chance for tests
				ps[0].wait = t.seconds(2 * r.Float64())
				return ps
			},
		},
	}
}

// losing drops a share of all packets.
func losing(share float64) func(*conversation, int, []*packet) []*packet {
	return func(t *conversation, n int, ps []*packet) []*packet {
		r := rand.New(rand.NewPCG(uint64(n), uint64(t.stamp))) //nolint:gosec // chance for tests
		return slices.DeleteFunc(ps, func(*packet) bool { return r.Float64() < share })
	}
}

// drain reads until the peer hangs up, so that closing is no reset.
func (t *conversation) drain() {
	_ = t.tcp.SetReadDeadline(time.Now().Add(t.seconds(5)))
	_, _ = io.Copy(io.Discard, t.tcp)
}
