package rtsp

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"videopatrol/streams"
)

const (
	// maxUnit and maxNALUs cap one key unit. gortsplib itself would let it
	// grow to 8 MiB.
	maxUnit  = 2 << 20
	maxNALUs = 64
	// maxParam and maxParams cap parameter sets: bytes of one, and number of
	// one type.
	maxParam  = 4 << 10
	maxParams = 16
	// firstRoom is the least that is set aside for a key unit, in bytes.
	firstRoom = 16 << 10
)

// kind is what a NAL unit means to the gateway.
type kind int

const (
	kindOther kind = iota
	kindKey        // a slice of a picture that can be decoded alone
	kindDelta      // a slice of another picture
	kindVPS
	kindSPS
	kindPPS
	kinds
)

func (k kind) param() bool { return k == kindVPS || k == kindSPS || k == kindPPS }

// assembler turns the RTP packets of one video track into key units
// (H.264: RFC 6184; H.265: RFC 7798, without DONL). It looks at each packet's
// first bytes only, until a key unit is wanted. It is not safe for concurrent
// use.
type assembler struct {
	h265 bool
	r    streams.Receiver
	// cameraTime tells when the camera says a timestamp was.
	cameraTime func(timestamp uint32) time.Time

	params [kinds][][]byte // newest parameter sets; never changed in place
	group  [kinds][][]byte // those that came since the last slice

	seq     uint16
	started bool // seq holds the last packet's

	ts      uint32 // timestamp of the newest key unit seen
	keySeen bool   // ts is valid
	passing bool   // that unit is still coming, and nobody takes it

	active  bool // that unit is being assembled
	buf     []byte
	ends    []int // where each NAL unit of buf ends
	inFU    bool  // the last NAL unit of buf is not complete
	held    int
	sizeWas int // of the last unit: the next one's buffer

	delta    *deltas // nil when nobody hears of other pictures
	recovery         // pictures that are key units without being marked so
}

func newAssembler(h265 bool, r streams.Receiver) *assembler {
	a := &assembler{h265: h265, r: r, cameraTime: func(uint32) time.Time { return time.Time{} }}
	if r.Delta != nil {
		a.delta = &deltas{reader: qpReader{h265: h265}, stale: true}
	}
	return a
}

// deltas is what is noted of the picture that is coming while it may be one
// that is no key unit. Of its bytes only the first slice's header is read.
type deltas struct {
	ts    uint32
	size  int
	qp    int
	slice bool // one of another picture came: qp is valid
	key   bool // it is a key unit
	over  bool // it was told: what else comes at its time is left out
	stale bool // there are newer parameter sets than the reader's

	reader qpReader
}

// sliceHead is how many bytes of a slice are looked at for its header.
const sliceHead = 96

// setParam takes a parameter set from the SDP.
func (a *assembler) setParam(nalu []byte) {
	if k := a.kindOf(nalu); k.param() && len(nalu) <= maxParam {
		a.params[k] = [][]byte{bytes.Clone(nalu)}
		a.staleDelta()
	}
}

func (a *assembler) kindOf(nalu []byte) kind {
	if len(nalu) == 0 {
		return kindOther
	}
	if a.h265 {
		return kindH265(nalu[0] >> 1 & 0x3f)
	}
	return kindH264(nalu[0] & 0x1f)
}

// kindH264 is by nal_unit_type (ITU-T H.264 table 7-1).
func kindH264(t byte) kind {
	switch t {
	case 1, 2:
		return kindDelta
	case 5:
		return kindKey
	case 7:
		return kindSPS
	case 8:
		return kindPPS
	default:
		return kindOther
	}
}

// kindH265 is by nal_unit_type (ITU-T H.265 table 7-1); 16 to 21 are the
// pictures of a random access point.
func kindH265(t byte) kind {
	switch {
	case t <= 9:
		return kindDelta
	case t >= 16 && t <= 21:
		return kindKey
	case t == 32:
		return kindVPS
	case t == 33:
		return kindSPS
	case t == 34:
		return kindPPS
	default:
		return kindOther
	}
}

// push takes the next packet. What it keeps it copies.
func (a *assembler) push(h rtpHeader, payload []byte, now time.Time) {
	if a.started && h.seq != a.seq+1 {
		if h.seq == a.seq {
			return // sent twice
		}
		a.gap()
	}
	a.seq, a.started = h.seq, true

	if a.active && a.inFU && h.timestamp != a.ts && a.continues(payload) {
		a.ts = h.timestamp // some cameras count on inside a picture
	}
	if h.timestamp != a.ts { // also with a camera that sets no marker
		a.pass(now)
		if a.active {
			a.finish(now)
		}
	}
	if a.delta != nil {
		a.deltaPacket(h, len(payload), now)
	}
	if len(payload) > 0 {
		a.payload(payload, h.timestamp, now)
	}
	if !h.marker {
		return
	}
	if a.delta != nil {
		a.endDelta(now)
	}
	if len(payload) == 0 {
		return
	}
	a.pass(now)
	// A marker on a parameter set or inside a fragmented unit ends nothing.
	if a.active && !a.inFU && len(a.ends) > 0 {
		a.finish(now)
	}
}

// gap notes that packets are missing.
func (a *assembler) gap() {
	a.passing = false
	if a.active {
		a.drop(streams.ReasonCorrupt, "packets are missing inside its key units")
	}
}

// restart forgets the order of packets: another source sends from now on.
func (a *assembler) restart() {
	a.gap()
	a.started, a.keySeen = false, false
}

// deltaPacket counts a packet's bytes to the picture of its time.
func (a *assembler) deltaPacket(h rtpHeader, size int, now time.Time) {
	d := a.delta
	if h.timestamp != d.ts {
		a.endDelta(now)
		d.ts, d.size, d.slice, d.key, d.over = h.timestamp, 0, false, false, false
	}
	d.size += size
}

// endDelta tells of the picture that came, once it is known to be no key unit.
// A marker on what comes before the slices ends nothing.
func (a *assembler) endDelta(now time.Time) {
	d := a.delta
	if d.over || !d.slice || d.key {
		return
	}
	d.over = true
	a.r.Delta(now, d.size, d.qp)
}

// noteSlice looks at the beginning of a slice: its header as rebuilt, and the
// bytes after it.
func (a *assembler) noteSlice(k kind, head, b []byte) {
	d := a.delta
	if d == nil || d.slice || d.key || d.over {
		return
	}
	if k == kindKey {
		d.key = true
		return
	}
	if d.stale {
		d.reader.setParams(a.params[kindSPS], a.params[kindPPS])
		d.stale = false
	}
	var begin [sliceHead]byte
	n := copy(begin[:], head)
	n += copy(begin[n:], b)
	qp, ok := d.reader.qp(begin[:n])
	if !ok {
		qp = -1
	}
	d.slice, d.qp = true, qp
}

func (a *assembler) staleDelta() {
	if a.delta != nil {
		a.delta.stale = true
	}
}

// continues tells whether a payload is a piece of a NAL unit that began
// earlier.
func (a *assembler) continues(b []byte) bool {
	if a.h265 {
		return len(b) > 2 && b[0]>>1&0x3f == 49 && b[2]&0x80 == 0
	}
	return len(b) > 1 && b[0]&0x1f == 28 && b[1]&0x80 == 0
}

// pass tells of a key unit that came whole although nobody takes it.
func (a *assembler) pass(now time.Time) {
	if a.passing && a.decodable() {
		a.r.KeySeen(now)
	}
	a.passing = false
}

func (a *assembler) payload(b []byte, ts uint32, now time.Time) {
	if len(b) > 4 && b[0] == 0 && b[1] == 0 {
		// A start code where a header should be.
		for part := range splitAnnexB(b) {
			a.whole(part, ts, now)
		}
		return
	}
	if a.h265 {
		switch b[0] >> 1 & 0x3f {
		case 48: // aggregation packet
			a.aggregate(b[min(2, len(b)):], ts, now)
		case 49:
			if len(b) >= 3 {
				t := b[2] & 0x3f
				a.fragment(b[2], kindH265(t), [2]byte{b[0]&0x81 | t<<1, b[1]}, b[3:], ts, now)
			}
		case 50: // PACI: nothing in the wild sends it
		default:
			if len(b) > 2 {
				a.whole(b, ts, now)
			}
		}
		return
	}
	switch t := b[0] & 0x1f; {
	case t == 24: // STAP-A
		a.aggregate(b[1:], ts, now)
	case t == 28: // FU-A
		if len(b) >= 2 {
			a.fragment(b[1], kindH264(b[1]&0x1f), [2]byte{b[0]&0xe0 | b[1]&0x1f}, b[2:], ts, now)
		}
	case t >= 1 && t <= 23:
		a.whole(b, ts, now)
	}
}

// aggregate takes NAL units with a two-byte size before each.
func (a *assembler) aggregate(b []byte, ts uint32, now time.Time) {
	for len(b) > 2 {
		size := int(b[0])<<8 | int(b[1])
		b = b[2:]
		if size == 0 || size > len(b) {
			return
		}
		a.whole(b[:size], ts, now)
		b = b[size:]
	}
}

// whole takes one complete NAL unit.
func (a *assembler) whole(nalu []byte, ts uint32, now time.Time) {
	if a.inFU {
		a.endNALU() // the camera forgot the end bit
	}
	k := a.alone(a.kindOf(nalu), nil, nalu, ts, now)
	if (k.param() || k == kindKey) && hasStartCode(nalu) {
		// Annex B inside a packet, which RFC 6184 forbids and V380 cameras do.
		for part := range splitAnnexB(nalu) {
			if !hasStartCode(part) {
				a.whole(part, ts, now)
			}
		}
		return
	}
	switch {
	case k.param():
		a.addParam(k, nalu)
	case k == kindDelta:
		a.noteSlice(k, nil, nalu)
	case k == kindKey:
		a.noteSlice(k, nil, nalu)
		if a.begin(ts, now) && a.add(nalu) {
			a.endNALU()
		}
	}
}

// fragment takes a piece of a NAL unit; header is its rebuilt one, and flags
// hold the start and end bits.
func (a *assembler) fragment(flags byte, k kind, header [2]byte, b []byte, ts uint32, now time.Time) {
	head := header[:1]
	if a.h265 {
		head = header[:]
	}
	start, end := flags&0x80 != 0, flags&0x40 != 0
	if len(b) == 0 && !start && !end {
		return // some cameras send empty ones in between
	}
	if start && !end {
		k = a.alone(k, head, b, ts, now)
	}
	switch {
	case start && end: // forbidden, and sent by some
		a.whole(append(bytes.Clone(head), b...), ts, now)
		return
	case start:
		if a.inFU {
			a.endNALU() // the camera forgot the end bit
		}
		if k == kindKey || k == kindDelta {
			a.noteSlice(k, head, b)
		}
		// A parameter set too big for a packet is a whole key unit with
		// start codes inside.
		if (k == kindKey || k == kindSPS && !a.h265 || k == kindVPS && a.h265) && a.begin(ts, now) {
			a.inFU = true
			if !a.add(head) || !a.add(b) {
				return
			}
		}
		return
	case !a.active || !a.inFU:
		if k == kindKey {
			a.ts, a.keySeen = ts, true // its first packet is missing: leave the rest of it
		}
		return
	}
	if a.add(b) && end {
		a.endNALU()
	}
}

// addParam notes a parameter set that came in band.
func (a *assembler) addParam(k kind, nalu []byte) {
	if len(nalu) > maxParam || len(a.group[k]) >= maxParams {
		return
	}
	for _, known := range a.group[k] {
		if bytes.Equal(known, nalu) {
			return
		}
	}
	for _, known := range a.params[k] {
		if bytes.Equal(known, nalu) {
			a.group[k] = append(a.group[k], known) // as last time: no copy
			return
		}
	}
	a.group[k] = append(a.group[k], bytes.Clone(nalu))
}

// useParams makes what came in band the newest: in band wins over the SDP.
func (a *assembler) useParams() {
	for k := range a.group {
		if len(a.group[k]) > 0 {
			a.params[k], a.group[k] = a.group[k], nil
			a.staleDelta()
		}
	}
}

// begin notes a slice of the key unit at ts, and tells whether it is being
// assembled.
func (a *assembler) begin(ts uint32, now time.Time) bool {
	if a.keySeen && a.ts == ts {
		return a.active
	}
	a.ts, a.keySeen = ts, true
	if a.passing = !a.r.Want(now); a.passing {
		a.useParams()
		return false
	}
	a.active, a.inFU = true, false
	a.ends = a.ends[:0]
	return true
}

// add appends bytes to the unit, unless that breaks a cap.
func (a *assembler) add(b []byte) bool {
	size := len(a.buf) + len(b)
	if size > maxUnit {
		a.drop(streams.ReasonMemory, fmt.Sprintf("a key unit is larger than %d bytes", maxUnit))
		return false
	}
	if size > cap(a.buf) {
		// All of the room is held, used or not: it is as real.
		room := min(max(size, 2*cap(a.buf), a.sizeWas+a.sizeWas/8, firstRoom), maxUnit)
		if !a.r.Hold(room - a.held) {
			a.drop(streams.ReasonMemory, "the gateway's media memory is spent")
			return false
		}
		a.held = room
		a.buf = append(make([]byte, 0, room), a.buf...)
	}
	a.buf = append(a.buf, b...)
	return true
}

func (a *assembler) endNALU() {
	a.inFU = false
	if len(a.ends) == maxNALUs {
		a.drop(streams.ReasonCorrupt, fmt.Sprintf("a key unit has more than %d NAL units", maxNALUs))
		return
	}
	a.ends = append(a.ends, len(a.buf))
}

// drop gives up the unit that is being assembled; the next one is taken.
func (a *assembler) drop(r streams.Reason, why string) {
	a.reset()
	a.passing = r == streams.ReasonMemory // the camera is not to blame
	a.r.Dropped(r, why)
}

func (a *assembler) reset() {
	if a.held > 0 {
		a.r.Hold(-a.held)
	}
	a.active, a.inFU, a.buf, a.held = false, false, nil, 0
	a.ends = a.ends[:0]
}

// finish hands on the unit, whole or not at all.
func (a *assembler) finish(now time.Time) {
	if a.inFU {
		a.endNALU() // no packet is missing, so the camera forgot the end bit
		if !a.active {
			return
		}
	}
	nalus := make([][]byte, 0, len(a.ends))
	from := 0
	for _, to := range a.ends {
		nalu := a.buf[from:to:to]
		from = to
		if !hasStartCode(nalu) {
			nalus = append(nalus, nalu)
			continue
		}
		for part := range splitAnnexB(nalu) {
			switch k := a.kindOf(part); {
			case k.param():
				a.addParam(k, part)
			case k == kindKey && len(nalus) < maxNALUs:
				nalus = append(nalus, part)
			}
		}
	}
	nalus = a.marked(nalus)
	a.useParams()
	switch {
	case len(nalus) == 0:
		a.reset() // start codes, and no picture among them
		return
	case !a.decodable():
		a.drop(streams.ReasonCorrupt, "its key units come without parameter sets")
		return
	}
	u := streams.Unit{
		Codec: streams.CodecH264, Params: slices.Concat(a.params[kindVPS], a.params[kindSPS], a.params[kindPPS]), NALUs: nalus,
		Received: now, CameraTime: a.cameraTime(a.ts),
	}
	if a.h265 {
		u.Codec = streams.CodecH265
	}
	a.sizeWas = len(a.buf)
	a.active, a.buf, a.held = false, nil, 0 // what it holds passes on with it
	a.ends = a.ends[:0]
	a.r.KeySeen(now)
	a.r.Unit(u)
}

// decodable tells whether the parameter sets are known.
func (a *assembler) decodable() bool {
	return len(a.params[kindSPS]) > 0 && len(a.params[kindPPS]) > 0 && (!a.h265 || len(a.params[kindVPS]) > 0)
}

// hasStartCode tells whether a NAL unit holds the three bytes that no NAL unit
// may hold (ITU-T H.264 7.4.1).
func hasStartCode(nalu []byte) bool { return bytes.Contains(nalu, startCode) }

var startCode = []byte{0, 0, 1}

// splitAnnexB yields the NAL units of a byte stream (ITU-T H.264 annex B).
func splitAnnexB(b []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			part, rest, _ := bytes.Cut(b, startCode)
			b = rest
			// Zeros before a start code belong to it.
			if part = bytes.TrimRight(part, "\x00"); len(part) > 0 && !yield(part) {
				return
			}
		}
	}
}
