package rtsp

import (
	"bytes"
	"fmt"
	"time"

	"videopatrol/streams"
)

// mjpeg turns the RTP packets of a motion JPEG track into JPEG files (RFC
// 2435). Every picture is a key unit; one that nobody wants is only counted.
// It is not safe for concurrent use.
type mjpeg struct {
	r          streams.Receiver
	cameraTime func(timestamp uint32) time.Time

	seq     uint16
	started bool // seq holds the last packet's

	ts     uint32 // of the picture at hand
	begun  bool   // ts is valid
	broken bool   // the rest of the picture at hand is left
	active bool   // it is being assembled
	next   int    // fragment offset that comes next

	head  jpegHead // of the picture's first packet
	buf   []byte   // the scan, after room for the head
	held  int
	sizes int // of the last picture: the next one's buffer

	// tables are those that a camera sent in band last, by Q (section 3.1.8):
	// it may send them once.
	tables map[byte][]byte
}

func newMJPEG(r streams.Receiver) *mjpeg {
	return &mjpeg{r: r, cameraTime: func(uint32) time.Time { return time.Time{} }, tables: map[byte][]byte{}}
}

// jpegHead is what the packets say of a picture (sections 3.1 and 3.1.8).
type jpegHead struct {
	kind          byte // 0: 4:2:2; others: 4:2:0
	width, height int  // pixels
	restart       int  // macroblocks between restart markers; 0 for none
	wide          byte // bit n: table n has 16-bit entries
	tables        []byte
}

// push takes the next packet. What it keeps it copies.
func (m *mjpeg) push(h rtpHeader, payload []byte, now time.Time) {
	if m.started && h.seq != m.seq+1 {
		if h.seq == m.seq {
			return // sent twice
		}
		if m.active {
			m.drop(streams.ReasonCorrupt, "packets are missing inside its pictures")
		}
		m.broken = true // until the next picture begins
	}
	m.seq, m.started = h.seq, true
	if !m.begun || h.timestamp != m.ts {
		m.end(now) // also with a camera that sets no marker
		m.ts, m.begun, m.next = h.timestamp, true, 0
	}
	if len(payload) > 0 {
		m.payload(payload, now)
	}
	if h.marker {
		m.end(now)
		m.begun = false
	}
}

func (m *mjpeg) restart() {
	if m.active {
		m.drop(streams.ReasonCorrupt, "another source went on inside a picture")
	}
	m.started, m.begun = false, false
}

func (m *mjpeg) payload(b []byte, now time.Time) {
	if len(b) < 8 {
		m.spoil("a picture has a packet that is too short")
		return
	}
	offset := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	if offset == 0 {
		m.broken = false
	}
	if m.broken {
		return
	}
	if offset != m.next || offset == 0 && m.active {
		m.spoil("the pieces of a picture do not follow each other")
		return
	}
	rest, restart := b[8:], 0
	if b[4] >= 64 { // restart header, section 3.1.7
		if len(rest) < 4 {
			m.spoil("a picture has a packet that is too short")
			return
		}
		restart, rest = int(rest[0])<<8|int(rest[1]), rest[4:]
	}
	if offset == 0 {
		head := jpegHead{kind: b[4] & 0x3f, width: 8 * int(b[6]), height: 8 * int(b[7]), restart: restart}
		if rest = m.quantisation(&head, b[5], rest); rest == nil {
			m.spoil("a picture's quantisation tables are missing or not known")
			return
		}
		if head.width == 0 || head.height == 0 {
			m.broken = true
			m.r.Dropped(streams.ReasonUnsupported, "its JPEG pictures are larger than 2040 pixels a side, which RFC 2435 cannot say; choose a smaller picture or H.264")
			return
		}
		m.head = head
		m.active = m.r.Want(now)
	}
	m.next += len(rest)
	if m.active {
		m.add(rest)
	}
}

// quantisation finds a picture's tables and returns what follows them in the
// packet, nil when there are none.
func (m *mjpeg) quantisation(h *jpegHead, q byte, b []byte) []byte {
	switch {
	case q == 0: // reserved
		return nil
	case q < 128:
		h.tables = scaledTables(int(q))
		return b
	case len(b) < 4:
		return nil
	}
	size := int(b[2])<<8 | int(b[3])
	wide, rest := b[1], b[4:]
	if size > len(rest) {
		return nil
	}
	if size > 0 {
		m.tables[q] = append(append(m.tables[q][:0:0], wide), rest[:size]...)
	}
	known := m.tables[q]
	if len(known) == 0 {
		return nil
	}
	h.wide, h.tables = known[0]&3, known[1:]
	if first := 64 << (h.wide & 1); len(h.tables) != first && len(h.tables) != first+64<<(h.wide>>1) {
		delete(m.tables, q)
		return nil
	}
	return rest[size:]
}

// spoil leaves the rest of a picture.
func (m *mjpeg) spoil(why string) {
	if m.active {
		m.drop(streams.ReasonCorrupt, why)
	} else if !m.broken {
		m.r.Dropped(streams.ReasonCorrupt, why)
	}
	m.broken = true
}

func (m *mjpeg) drop(r streams.Reason, why string) {
	m.reset()
	m.broken = true
	m.r.Dropped(r, why)
}

func (m *mjpeg) reset() {
	if m.held > 0 {
		m.r.Hold(-m.held)
	}
	m.active, m.buf, m.held = false, nil, 0
}

// add appends to the picture, unless that breaks a cap.
func (m *mjpeg) add(b []byte) {
	size := max(len(m.buf), maxJPEGHead) + len(b) + 2 // and the end marker
	if size > maxUnit {
		m.drop(streams.ReasonMemory, fmt.Sprintf("a picture is larger than %d bytes", maxUnit))
		return
	}
	if size > cap(m.buf) {
		room := min(max(size, 2*cap(m.buf), m.sizes+m.sizes/8, firstRoom), maxUnit)
		if !m.r.Hold(room - m.held) {
			m.drop(streams.ReasonMemory, "the gateway's media memory is spent")
			return
		}
		m.held = room
		m.buf = append(make([]byte, 0, room), m.buf...)
		if len(m.buf) == 0 {
			m.buf = m.head.appendTo(m.buf)
		}
	}
	m.buf = append(m.buf, b...)
}

// end hands on the picture at hand, or tells that it passed.
func (m *mjpeg) end(now time.Time) {
	if !m.begun || m.broken || m.next == 0 {
		m.reset()
		return
	}
	m.next = 0
	if m.r.KeySeen(now); !m.active {
		return
	}
	if !bytes.HasSuffix(m.buf, jpegEnd) {
		m.buf = append(m.buf, jpegEnd...)
	}
	u := streams.Unit{Codec: streams.CodecJPEG, NALUs: [][]byte{m.buf}, Received: now, CameraTime: m.cameraTime(m.ts)}
	m.sizes = len(m.buf)
	m.active, m.buf, m.held = false, nil, 0 // what it holds passes on with it
	m.r.Unit(u)
}

var jpegEnd = []byte{0xFF, 0xD9}

// maxJPEGHead is the most that appendTo writes.
const maxJPEGHead = 2 + 2*(5+128) + 19 + 4*5 + 2*(16+12) + 2*(16+162) + 6 + 14

// appendTo writes a file's head, down to where the scan begins (ITU-T T.81
// annex B.2).
func (h *jpegHead) appendTo(b []byte) []byte {
	b = append(b, 0xFF, 0xD8)
	table, rest := h.table(0, h.tables)
	b = append(b, table...)
	second := byte(0)
	if len(rest) > 0 {
		table, _ = h.table(1, rest)
		b = append(b, table...)
		second = 1
	}
	frame, vertical := byte(0xC0), byte(2)
	if h.wide != 0 {
		frame = 0xC1 // extended: tables of 16 bits
	}
	if h.kind == 0 {
		vertical = 1
	}
	b = append(
		b, 0xFF, frame, 0, 17, 8, byte(h.height>>8), byte(h.height), byte(h.width>>8), byte(h.width), 3,
		1, 0x20|vertical, 0, 2, 0x11, second, 3, 0x11, second,
	)
	for _, t := range huffman {
		b = append(b, 0xFF, 0xC4, 0, byte(3+len(t.counts)+len(t.symbols)), t.class)
		b = append(append(b, t.counts...), t.symbols...)
	}
	if h.restart > 0 {
		b = append(b, 0xFF, 0xDD, 0, 4, byte(h.restart>>8), byte(h.restart))
	}
	return append(b, 0xFF, 0xDA, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0)
}

// table writes one quantisation table and returns the tables after it.
func (h *jpegHead) table(n byte, from []byte) (segment, rest []byte) {
	wide := h.wide >> n & 1
	size := 64 << wide
	return append([]byte{0xFF, 0xDB, 0, byte(3 + size), wide<<4 | n}, from[:size]...), from[size:]
}

// scaledTables makes the tables of a quality from 1 to 127 (RFC 2435 section
// 4.2 and appendix A); what lies above 99 is reserved and taken for the best.
func scaledTables(q int) []byte {
	scale := 5000 / max(q, 1)
	if q >= 50 {
		scale = max(0, 200-2*q)
	}
	out := make([]byte, len(quantisers))
	for i := range out {
		out[i] = byte(min(max((int(quantisers[i])*scale+50)/100, 1), 255))
	}
	return out
}

// quantisers are the luma and the chroma table of ITU-T T.81 annex K.1, in
// zigzag order.
const quantisers = "\x10\x0b\x0c\x0e\x0c\x0a\x10\x0e\x0d\x0e\x12\x11\x10\x13\x18\x28" +
	"\x1a\x18\x16\x16\x18\x31\x23\x25\x1d\x28\x3a\x33\x3d\x3c\x39\x33" +
	"\x38\x37\x40\x48\x5c\x4e\x40\x44\x57\x45\x37\x38\x50\x6d\x51\x57" +
	"\x5f\x62\x67\x68\x67\x3e\x4d\x71\x79\x70\x64\x78\x5c\x65\x67\x63" +
	"\x11\x12\x12\x18\x15\x18\x2f\x1a\x1a\x2f\x63\x42\x38\x42\x63\x63" +
	"\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63" +
	"\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63" +
	"\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63"

// huffman are the tables of ITU-T T.81 annex K.3, which RFC 2435 prescribes.
var huffman = []struct {
	class           byte
	counts, symbols string
}{
	{0x00, "\x00\x01\x05\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
	{
		0x10, "\x00\x02\x01\x03\x03\x02\x04\x03\x05\x05\x04\x04\x00\x00\x01\x7d",
		"\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xa1\x08" +
			"\x23\x42\xb1\xc1\x15\x52\xd1\xf0\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28" +
			"\x29\x2a\x34\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59" +
			"\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89" +
			"\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6" +
			"\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2" +
			"\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa",
	},
	{0x01, "\x00\x03\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
	{
		0x11, "\x00\x02\x01\x02\x04\x04\x03\x04\x07\x05\x04\x04\x00\x01\x02\x77",
		"\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91" +
			"\xa1\xb1\xc1\x09\x23\x33\x52\xf0\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26" +
			"\x27\x28\x29\x2a\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58" +
			"\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87" +
			"\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4" +
			"\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda" +
			"\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa",
	},
}
