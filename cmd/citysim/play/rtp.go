package play

import (
	"encoding/binary"
	"time"
)

const (
	maxPayload  = 1400 // bytes of an RTP packet, as cameras send
	payloadType = 96
	clockRate   = 90000
	// ntpEpoch is 1970 in seconds since 1900 (RFC 5905, section 6).
	ntpEpoch = 2208988800
)

// packets frames the RTP packets of one camera for an interleaved RTSP
// connection (RFC 2326, section 10.12), RTP on channel 0 and RTCP on channel 1.
type packets struct {
	buf     []byte
	ssrc    uint32
	seq     uint16
	stamp   uint32
	sent    uint32 // packets
	octets  uint32
	corrupt bool
}

// unit begins anew with the packets of one access unit (RFC 6184, sections
// 5.6 and 5.8).
func (p *packets) unit(stamp uint32, nals ...[]byte) {
	p.buf, p.stamp = p.buf[:0], stamp
	for i, nal := range nals {
		last := i == len(nals)-1
		if len(nal) <= maxPayload-12 {
			p.packet(last, nil, nal)
			continue
		}
		const room = maxPayload - 12 - 2
		head := [2]byte{nal[0]&0xe0 | 28, nal[0]&0x1f | 0x80}
		for rest := nal[1:]; len(rest) > 0; {
			n := min(len(rest), room)
			if n == len(rest) {
				head[1] |= 0x40
			}
			p.packet(last && n == len(rest), head[:], rest[:n])
			head[1] &^= 0x80
			rest = rest[n:]
		}
	}
}

func (p *packets) packet(marker bool, head, payload []byte) {
	p.frame(0, 12+len(head)+len(payload))
	kind := byte(payloadType)
	if marker {
		kind |= 0x80
	}
	p.buf = append(p.buf, 0x80, kind)
	p.buf = binary.BigEndian.AppendUint16(p.buf, p.seq)
	p.buf = binary.BigEndian.AppendUint32(p.buf, p.stamp)
	p.buf = binary.BigEndian.AppendUint32(p.buf, p.ssrc)
	p.buf = append(p.buf, head...)
	from := len(p.buf)
	p.buf = append(p.buf, payload...)
	if p.corrupt && len(payload) > 64 {
		for i := from + 24; i < len(p.buf); i += 97 {
			p.buf[i] ^= 0x5a
		}
	}
	p.seq++
	p.sent++
	p.octets += uint32(len(head) + len(payload)) //nolint:gosec // at most maxPayload
}

// report adds a sender report (RFC 3550, section 6.4.1).
func (p *packets) report(now time.Time) {
	p.frame(1, 28)
	p.buf = append(p.buf, 0x80, 200, 0, 6)
	p.buf = binary.BigEndian.AppendUint32(p.buf, p.ssrc)
	p.buf = binary.BigEndian.AppendUint32(p.buf, uint32(now.Unix()+ntpEpoch))                        //nolint:gosec // wraps in 2036, as NTP does
	p.buf = binary.BigEndian.AppendUint32(p.buf, uint32(uint64(now.Nanosecond())<<32/1_000_000_000)) //nolint:gosec // a fraction of 2³²
	p.buf = binary.BigEndian.AppendUint32(p.buf, p.stamp)
	p.buf = binary.BigEndian.AppendUint32(p.buf, p.sent)
	p.buf = binary.BigEndian.AppendUint32(p.buf, p.octets)
}

func (p *packets) frame(channel byte, size int) {
	p.buf = append(p.buf, '$', channel)
	p.buf = binary.BigEndian.AppendUint16(p.buf, uint16(size)) //nolint:gosec // at most maxPayload
}

// shiftChannels adds to the channel of every framed packet.
func shiftChannels(buf []byte, by byte) {
	for len(buf) >= 4 {
		buf[1] += by
		buf = buf[min(4+int(binary.BigEndian.Uint16(buf[2:])), len(buf)):]
	}
}
