package hostile

import (
	"encoding/binary"
	"slices"
	"time"
)

const (
	payloadType = 96
	clockRate   = 90_000
	maxPayload  = 1400
	ssrc        = 0x1badcafe
	// since1900 is 1970 in seconds since 1900 (RFC 5905 section 6).
	since1900 = 2_208_988_800
)

// packet is an RTP or RTCP packet on its way out.
type packet struct {
	kind    byte // payload type
	marker  bool
	seq     uint16
	stamp   uint32
	ssrc    uint32
	payload []byte
	// raw is sent instead of all of the above; control says that it is RTCP.
	raw     []byte
	control bool
	// wait passes before it is sent.
	wait time.Duration
}

// bytes is the packet as of RFC 3550 section 5.1.
func (p *packet) bytes() []byte {
	if p.raw != nil {
		return p.raw
	}
	b := make([]byte, 12, 12+len(p.payload))
	b[0], b[1] = 0x80, p.kind
	if p.marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], p.seq)
	binary.BigEndian.PutUint32(b[4:], p.stamp)
	binary.BigEndian.PutUint32(b[8:], p.ssrc)
	return append(b, p.payload...)
}

// packetize splits NAL units into packets without numbers: single ones and
// fragments (RFC 6184 sections 5.6, 5.8; RFC 7798 sections 4.4.1, 4.4.3).
func packetize(nalus [][]byte, h265 bool) []*packet {
	var ps []*packet
	for _, n := range nalus {
		if len(n) <= maxPayload {
			ps = append(ps, &packet{kind: payloadType, payload: n})
			continue
		}
		ps = append(ps, fragments(n, h265, maxPayload)...)
	}
	if len(ps) > 0 {
		ps[len(ps)-1].marker = true
	}
	return ps
}

// fragments splits one NAL unit.
func fragments(n []byte, h265 bool, size int) (ps []*packet) {
	head, kind, rest := []byte{n[0]&0xe0 | 28}, n[0]&0x1f, n[1:]
	if h265 {
		head, kind, rest = []byte{n[0]&0x81 | 49<<1, n[1]}, n[0]>>1&0x3f, n[2:]
	}
	for first := true; len(rest) > 0; first = false {
		flags, part := kind, rest[:min(size, len(rest))]
		rest = rest[len(part):]
		if first {
			flags |= 0x80
		}
		if len(rest) == 0 {
			flags |= 0x40
		}
		ps = append(ps, &packet{kind: payloadType, payload: slices.Concat(head, []byte{flags}, part)})
	}
	return ps
}

// report is an RTCP sender report (RFC 3550 section 6.4.1).
func report(at time.Time, stamp, from uint32) []byte {
	b := make([]byte, 28)
	b[0], b[1], b[3] = 0x80, 200, 6
	binary.BigEndian.PutUint32(b[4:], from)
	binary.BigEndian.PutUint32(b[8:], uint32(at.Unix()+since1900))                        //nolint:gosec // wraps in 2036, as NTP does
	binary.BigEndian.PutUint32(b[12:], uint32(uint64(at.Nanosecond())<<32/1_000_000_000)) //nolint:gosec // a fraction of 2³²
	binary.BigEndian.PutUint32(b[16:], stamp)
	return b
}
