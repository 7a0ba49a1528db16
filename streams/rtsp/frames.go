package rtsp

import (
	"bytes"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
)

const (
	// maxHead caps the start line and the header of one RTSP message.
	maxHead = 64 << 10
	// maxBody is what the library takes as a body; it ends the session beyond.
	maxBody = 128 << 10
	// feedEvery is how often the library is shown that frames still come: it
	// ends a session that had none for answerWithin. The longest latency and a
	// second of rounding come on top.
	feedEvery = 6 * time.Second
	// strangers is how many packets of another source in a row make it the
	// camera's new one.
	strangers = 32
)

// Strays counts what cameras sent beside their video, over all sessions of an
// opener.
type Strays struct {
	// Bytes came between frames and belong to no frame and no message.
	Bytes uint64
	// Frames came on a channel that was not set up, or before PLAY.
	Frames uint64
	// Packets were no RTP, or of another payload type or source.
	Packets uint64
}

type strays struct{ bytes, frames, packets atomic.Uint64 }

// track takes the packets of one track.
type track interface {
	// push takes the next packet; payload is the caller's.
	push(h rtpHeader, payload []byte, now time.Time)
	// restart tells that the next packet comes from another source.
	restart()
}

// frames walks what a camera sends over TCP: RTSP messages, and interleaved
// frames (RFC 2326 section 10.12). Messages go on to the library as they are,
// and only whole ones, so that it always finds their beginnings; the video's
// packets go to the assembler straight from the buffer that they were read
// into. All else is counted and dropped.
type frames struct {
	strays  *strays
	channel int // of the video's RTP, its RTCP is the next; -1 before SETUP
	payload uint8
	video   track
	clock   *senderClock

	pass   []byte // what is for the library
	body   int    // bytes of a message's body that are still to come
	broken bool   // what comes cannot be followed any more: all is for the library

	source uint32 // SSRC
	heard  bool   // source is valid
	others int    // packets in a row of another source
	played bool   // PLAY was answered

	playing bool // the library takes frames
	alive   bool // a frame of the video came since the last feed
	fed     time.Time
}

// play tells the connection which frames are the video, by the answer to
// SETUP. It tells whether there are any: not below TLS, and not over UDP.
func (c *conn) play(transport base.HeaderValue, payloadType uint8, v track, clock *senderClock) bool {
	var t headers.Transport
	if c.frames == nil || t.Unmarshal(transport) != nil || t.InterleavedIDs == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.frames
	f.channel, f.payload, f.video, f.clock = t.InterleavedIDs[0], payloadType, v, clock
	return true
}

// playing tells that the library takes frames now.
func (c *conn) playing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frames != nil {
		c.frames.playing, c.frames.fed = c.frames.channel >= 0, time.Now()
	}
}

// walk takes the whole frames and messages at the beginning of b and returns
// how many bytes they are. It keeps nothing of b.
func (f *frames) walk(b []byte, now time.Time) int {
	i := 0
	for i < len(b) {
		rest := b[i:]
		switch {
		case f.broken:
			f.pass = append(f.pass, rest...)
			return len(b)
		case f.body > 0:
			n := min(f.body, len(rest))
			f.pass = append(f.pass, rest[:n]...)
			f.body -= n
			i += n
		case rest[0] == '$':
			if len(rest) < 4 {
				return i
			}
			n := 4 + int(rest[2])<<8 + int(rest[3])
			if len(rest) < n {
				return i
			}
			f.frame(int(rest[1]), rest[4:n], now)
			i += n
		case startsMessage(rest) == no:
			f.strays.bytes.Add(1)
			i++
		default:
			n, body := head(rest)
			if n < 0 || n == 0 && len(rest) > maxHead {
				f.broken = true // the library says what is wrong with it
				continue
			}
			if n == 0 {
				return i
			}
			f.pass = append(f.pass, rest[:n]...)
			f.body = body
			i += n
			if f.channel >= 0 && !f.played && rest[0] == 'R' {
				f.played = true
				f.others = strangers // what came before may have been of an older session
			}
		}
	}
	return i
}

// frame takes one interleaved frame.
func (f *frames) frame(channel int, b []byte, now time.Time) {
	switch {
	case f.channel >= 0 && channel == f.channel:
		f.alive = true
		h, payload, ok := parseRTP(b)
		if !ok || h.payloadType != f.payload || !f.known(h.source) {
			f.strays.packets.Add(1)
			return
		}
		f.video.push(h, payload, now)
	case f.channel >= 0 && channel == f.channel+1:
		f.alive = true
		f.clock.read(b)
	default:
		f.strays.frames.Add(1)
	}
}

// known tells whether a packet is of the source that is being followed. Old
// firmware goes on sending packets of an earlier session, and some cameras
// take a new source while they play.
func (f *frames) known(source uint32) bool {
	if f.heard && source == f.source {
		f.others = 0
		return true
	}
	if f.others++; f.heard && f.others < strangers {
		return false
	}
	if f.heard {
		f.video.restart()
	}
	f.source, f.heard, f.others = source, true, 0
	return true
}

// feed shows the library now and then that frames come: an empty one, which
// it notes and drops.
func (f *frames) feed(now time.Time) {
	if !f.playing || !f.alive || f.broken || f.body > 0 || now.Sub(f.fed) < feedEvery {
		return
	}
	f.alive, f.fed = false, now
	f.pass = append(f.pass, '$', byte(f.channel), 0, 0)
}

// answer tells how far bytes look like something.
type answer int

const (
	no answer = iota
	perhaps
	yes
)

// messages are what an RTSP message begins with (RFC 2326 sections 6.1, 7.1).
var messages = [][]byte{
	[]byte("RTSP/"), []byte("OPTIONS "), []byte("GET_PARAMETER "), []byte("SET_PARAMETER "), []byte("ANNOUNCE "), []byte("REDIRECT "),
	[]byte("DESCRIBE "), []byte("SETUP "), []byte("PLAY "), []byte("PAUSE "), []byte("RECORD "), []byte("TEARDOWN "),
}

func startsMessage(b []byte) answer {
	for _, m := range messages {
		if m[0] != b[0] {
			continue
		}
		switch {
		case bytes.HasPrefix(b, m):
			return yes
		case bytes.HasPrefix(m, b):
			return perhaps
		}
	}
	return no
}

// head returns the length of a message without its body, 0 when its end has
// not come yet and -1 when it is none, and the length of the body.
func head(b []byte) (n, body int) {
	lines, lengths := 0, 0
	for i := range b {
		switch c := b[i]; {
		case c == '\r' && i+1 < len(b) && b[i+1] != '\n':
			return -1, 0
		case c == '\n' && i > 0 && b[i-1] == '\r':
			line := b[lines : i-1]
			if len(line) == 0 {
				if lengths != 1 {
					body = 0 // as the library reads it
				}
				return i + 1, body
			}
			if v, ok := contentLength(line); ok {
				lengths++
				body = v
			}
			lines = i + 1
		case c < ' ' && c != '\r' && c != '\n' && c != '\t':
			return -1, 0
		}
	}
	return 0, 0
}

// contentLength reads a header line; a length that the library refuses is 0.
func contentLength(line []byte) (int, bool) {
	const name = "content-length"
	if len(line) <= len(name) || line[len(name)] != ':' || !strings.EqualFold(string(line[:len(name)]), name) {
		return 0, false
	}
	v, err := strconv.ParseUint(strings.TrimLeft(string(line[len(name)+1:]), " "), 10, 32)
	if err != nil || v > maxBody {
		return 0, true
	}
	return int(v), true
}

// rtpHeader is what the gateway reads of an RTP header (RFC 3550 section 5.1).
type rtpHeader struct {
	timestamp   uint32
	source      uint32
	seq         uint16
	payloadType uint8
	marker      bool
}

// parseRTP splits an RTP packet. The payload is part of b, without padding.
func parseRTP(b []byte) (h rtpHeader, payload []byte, ok bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return h, nil, false
	}
	from := 12 + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 { // an extension: its length in words is in its second half
		if len(b) < from+4 {
			return h, nil, false
		}
		from += 4 + 4*(int(b[from+2])<<8+int(b[from+3]))
	}
	to := len(b)
	if b[0]&0x20 != 0 {
		padding := int(b[to-1])
		if padding == 0 {
			return h, nil, false
		}
		to -= padding
	}
	if from > to {
		return h, nil, false
	}
	return rtpHeader{
		marker: b[1]&0x80 != 0, payloadType: b[1] & 0x7f,
		seq:       uint16(b[2])<<8 | uint16(b[3]),
		timestamp: uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7]),
		source:    uint32(b[8])<<24 | uint32(b[9])<<16 | uint32(b[10])<<8 | uint32(b[11]),
	}, b[from:to], true
}
