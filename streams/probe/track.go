package probe

import (
	"bytes"
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// nalKind is what a NAL unit is, of either codec.
type nalKind int

const (
	nalOther nalKind = iota
	nalSlice
	nalKey
	nalVPS
	nalSPS
	nalPPS
	nalSEI
)

func (k nalKind) set() bool { return k == nalVPS || k == nalSPS || k == nalPPS }

func kindOf(is265 bool, nalu []byte) nalKind {
	if len(nalu) == 0 {
		return nalOther
	}
	if is265 {
		return kindOf265(nalu[0] >> 1 & 0x3f)
	}
	return kindOf264(nalu[0] & 0x1f)
}

// kindOf264 is by ITU-T H.264 table 7-1, kindOf265 by H.265 table 7-1.
func kindOf264(t byte) nalKind {
	switch t {
	case 1:
		return nalSlice
	case 5:
		return nalKey
	case 6:
		return nalSEI
	case 7:
		return nalSPS
	case 8:
		return nalPPS
	default:
		return nalOther
	}
}

func kindOf265(t byte) nalKind {
	switch {
	case t <= 9:
		return nalSlice
	case t >= 16 && t <= 21:
		return nalKey
	case t == 32:
		return nalVPS
	case t == 33:
		return nalSPS
	case t == 34:
		return nalPPS
	case t == 39 || t == 40:
		return nalSEI
	default:
		return nalOther
	}
}

const (
	// jump is how far camera and receive time may part between two pictures.
	jump = 2 * time.Second
	// maxSeen bounds what is kept of SSRCs, payload types and SPSs.
	maxSeen = 32
	// maxSeconds bounds the counts per second.
	maxSeconds = 600
)

// track notes what one video track sends. It is not safe for concurrent use.
type track struct {
	codec string // upper case, as the SDP has it
	clock int
	pt    int // of the SDP
	mode0 bool
	began time.Time // PLAY was answered, or the first packet came

	packets, bytes int
	perSecond      []int
	first, last    time.Time
	ssrcs          []uint32
	types          []uint8 // payload types
	lost, again    int     // packets missing; sent twice or late
	seq            uint16
	bad            int // no RTP
	badPadding     int

	markers, markersOnSets       int
	fuWhole, fuInMode0, emptyNAL int
	annexB                       int
	spss                         [][]byte
	kinds                        map[nalKind]int

	units, keys  int
	unit         unit // the one that comes
	keyTimes     []time.Time
	sinceKey     int
	gopFrames    []int
	firstKey     time.Duration
	top          uint32 // highest timestamp
	lastTS       uint32
	lastAt       time.Time
	reordered    int
	jumps        int
	biggest      int
	bSlices      int
	skew         *time.Duration
	unknownRTCP  int
	sinceReports int
}

// unit is one picture.
type unit struct {
	ts   uint32
	key  bool
	open bool
	size int
}

func newTrack(m sdpMedia, now time.Time) *track {
	return &track{codec: m.codec, clock: m.clock, pt: m.pt, mode0: m.codec == "H264" && m.fmtp["packetization-mode"] == "0", began: now, kinds: map[nalKind]int{}}
}

func (t *track) is265() bool { return t.codec == "H265" }

// raw takes a packet as it came.
func (t *track) raw(b []byte, now time.Time) {
	var p rtp.Packet
	if err := p.Unmarshal(b); err != nil {
		if t.bad++; len(b) > 12 && b[0]&0x20 != 0 {
			t.badPadding++
		}
		return
	}
	t.push(&p, len(b), now)
}

// push takes a packet of so many bytes.
func (t *track) push(p *rtp.Packet, size int, now time.Time) {
	if t.packets == 0 {
		t.first = now
		t.seq = p.SequenceNumber - 1
	}
	t.packets++
	t.bytes += size
	t.last = now
	second := int(now.Sub(t.began) / time.Second)
	for len(t.perSecond) <= second && second < maxSeconds {
		t.perSecond = append(t.perSecond, 0)
	}
	if second >= 0 && second < len(t.perSecond) {
		t.perSecond[second] += size
	}
	note(&t.ssrcs, p.SSRC)
	note(&t.types, p.PayloadType)
	if int(p.PayloadType) != t.pt && t.pt >= 0 {
		return // another format's
	}
	switch gap := int16(p.SequenceNumber - t.seq); {
	case gap == 1:
	case gap > 1:
		t.lost += int(gap) - 1
	default:
		t.again++
		return
	}
	t.seq = p.SequenceNumber
	t.time(p.Timestamp, now)
	if p.Marker {
		t.markers++
	}
	t.unit.size += len(p.Payload)
	if t.codec == "H264" || t.codec == "H265" {
		t.payload(p.Payload, p.Marker)
	} else {
		t.unit.key = true // every picture stands alone
	}
	if p.Marker && t.unit.key && t.firstKey == 0 {
		t.firstKey = now.Sub(t.began)
	}
}

func note[T comparable](to *[]T, v T) {
	if len(*to) < maxSeen && !slices.Contains(*to, v) {
		*to = append(*to, v)
	}
}

// time notes the timestamp of a packet: another one begins another picture.
func (t *track) time(ts uint32, now time.Time) {
	if t.unit.open && t.unit.ts == ts {
		return
	}
	if t.unit.open {
		t.end(now)
		if t.clock > 0 {
			moved := time.Duration(int64(int32(ts-t.lastTS)) * int64(time.Second) / int64(t.clock))
			waited := now.Sub(t.lastAt)
			back := int32(ts-t.top) < 0
			switch {
			case moved-waited > jump || waited-moved > jump:
				t.jumps++
				t.top = ts
			case back:
				t.reordered++
			}
		}
	} else {
		t.top = ts
	}
	if int32(ts-t.top) > 0 {
		t.top = ts
	}
	t.lastTS, t.lastAt = ts, now
	t.unit = unit{ts: ts, open: true}
}

// end counts the picture that came.
func (t *track) end(now time.Time) {
	t.biggest = max(t.biggest, t.unit.size)
	t.units++
	if !t.unit.key {
		t.sinceKey++
		return
	}
	if t.keys++; t.keys > 1 && len(t.gopFrames) < maxSeconds {
		t.gopFrames = append(t.gopFrames, t.sinceKey+1)
	}
	t.sinceKey = 0
	if len(t.keyTimes) < maxSeconds {
		t.keyTimes = append(t.keyTimes, t.lastAt)
	}
	if t.firstKey == 0 {
		t.firstKey = now.Sub(t.began)
	}
}

// payload looks at the NAL units of a packet (RFC 6184, RFC 7798).
func (t *track) payload(b []byte, marker bool) {
	switch {
	case len(b) == 0:
		t.emptyNAL++
		return
	case len(b) > 4 && b[0] == 0 && b[1] == 0 && (b[2] == 1 || b[2] == 0 && b[3] == 1):
		t.annexB++
		return
	}
	header, aggregate, fu := 1, byte(24), byte(28)
	kind := b[0] & 0x1f
	if t.is265() {
		header, aggregate, fu = 2, 48, 49
		kind = b[0] >> 1 & 0x3f
	}
	switch {
	case kind == aggregate:
		for b = b[min(header, len(b)):]; len(b) > 2; {
			n := int(b[0])<<8 | int(b[1])
			if n == 0 || n > len(b)-2 {
				t.emptyNAL++
				return
			}
			t.nalu(b[2:2+n], marker && len(b) == 2+n)
			b = b[2+n:]
		}
	case kind == fu && len(b) > header+1:
		flags := b[header]
		if t.mode0 {
			t.fuInMode0++
		}
		if flags&0xc0 == 0xc0 {
			t.fuWhole++
		}
		if flags&0x80 == 0 {
			return
		}
		head := []byte{b[0]&0xe0 | flags&0x1f}
		if t.is265() {
			head = []byte{b[0]&0x81 | flags&0x3f<<1, b[1]}
		}
		t.nalu(append(head, b[header+1:min(len(b), header+9)]...), false)
	case len(b) <= header:
		t.emptyNAL++
	default:
		t.nalu(b, marker)
	}
}

// nalu takes a NAL unit, or the beginning of one.
func (t *track) nalu(b []byte, marker bool) {
	k := kindOf(t.is265(), b)
	t.kinds[k]++
	switch {
	case k == nalKey:
		t.unit.key = true
	case k == nalSlice && !t.is265() && sliceIsB(b):
		t.bSlices++
	case k == nalSPS:
		if len(t.spss) < maxSeen && len(b) <= maxSet && !slices.ContainsFunc(t.spss, func(o []byte) bool { return bytes.Equal(o, b) }) {
			t.spss = append(t.spss, bytes.Clone(b))
		}
		if bytes.Contains(b, []byte{0, 0, 1}) {
			t.annexB++
		}
	}
	if marker && (k.set() || k == nalSEI) {
		t.markersOnSets++
	}
}

// sliceIsB reads slice_type of an H.264 slice header (7.3.3).
func sliceIsB(b []byte) bool {
	r := bits{b: b[1:]}
	r.ue() // first_mb_in_slice
	return r.ue()%5 == 1 && r.at <= 8*len(r.b)
}

// bits reads a bit stream.
type bits struct {
	b  []byte
	at int
}

func (r *bits) bit() int {
	i := r.at / 8
	r.at++
	if i >= len(r.b) {
		return 1 // ends every code
	}
	return int(r.b[i]) >> (7 - (r.at-1)%8) & 1
}

// ue reads an unsigned Exp-Golomb code (9.1) of at most 31 bits.
func (r *bits) ue() int {
	zeros := 0
	for r.bit() == 0 && zeros < 31 {
		zeros++
	}
	v := 1
	for range zeros {
		v = v<<1 | r.bit()
	}
	return v - 1
}

// report takes an RTCP packet.
func (t *track) report(b []byte, now time.Time) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		t.unknownRTCP++
		return
	}
	for _, p := range packets {
		sr, ok := p.(*rtcp.SenderReport)
		if !ok {
			continue
		}
		t.sinceReports++
		if len(t.ssrcs) > 0 && !slices.Contains(t.ssrcs, sr.SSRC) {
			t.unknownRTCP++
		}
		const since1900 = 2_208_988_800
		ntp := time.Unix(int64(sr.NTPTime>>32)-since1900, int64(sr.NTPTime&0xffffffff*uint64(time.Second)>>32)) //nolint:gosec // 32 bits fit
		skew := ntp.Sub(now)
		t.skew = &skew
	}
}

// stream sums up.
func (t *track) stream(now time.Time) *Stream {
	s := &Stream{
		Seconds: now.Sub(t.began).Seconds(), Packets: t.packets, Lost: t.lost, Units: t.units, KeyUnits: t.keys,
		FirstKey: t.firstKey.Seconds(), BFrames: t.bSlices > 0 || t.reordered > 0,
	}
	if span := t.last.Sub(t.first).Seconds(); span > 0 {
		s.FPS = float64(t.units) / span
		s.Kbps = float64(t.bytes) * 8 / 1000 / span
	}
	for _, n := range t.perSecond {
		s.PerSecond = append(s.PerSecond, n*8/1000)
	}
	if n := len(t.keyTimes); n > 1 {
		s.GOP = t.keyTimes[n-1].Sub(t.keyTimes[0]).Seconds() / float64(n-1)
	}
	for _, n := range t.gopFrames {
		s.GOPFrames += n
	}
	if n := len(t.gopFrames); n > 0 {
		s.GOPFrames = (s.GOPFrames + n/2) / n
	}
	return s
}
