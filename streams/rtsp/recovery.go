package rtsp

import (
	"bytes"
	"math/bits"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"videopatrol/streams"
)

// Some encoders send no IDR picture after the first. Two kinds of their
// pictures can be decoded alone all the same: those whose slices are all intra
// (an open GOP's I picture), whatever their NAL unit type. Where the picture is
// refreshed piece by piece (intra refresh) none can, and a recovery point that
// lies some pictures ahead says so.

// maxSEI caps what is read of one SEI message, maxPrefix of a slice or
// parameter set: its first bytes tell what is asked here.
const (
	maxSEI    = 4 << 10
	maxPrefix = 64
)

// bitReader reads a NAL unit's payload, from which emulation prevention was
// taken. A read beyond the end is zero and sets short.
type bitReader struct {
	b     []byte
	at    int // bits
	short bool
}

func (r *bitReader) u(n int) uint32 {
	v := uint32(0)
	for range n {
		if r.at >= 8*len(r.b) {
			r.short = true
			return 0
		}
		v = v<<1 | uint32(r.b[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v
}

// ue reads an unsigned Exp-Golomb code (ITU-T H.264 9.1); one of more than 31
// leading zeros is none.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for r.u(1) == 0 {
		if zeros++; r.short || zeros > 31 {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}

// unescape takes the emulation prevention bytes out of at most n bytes
// (ITU-T H.264 7.4.1).
func unescape(b []byte, n int) []byte {
	out := make([]byte, 0, min(len(b), n))
	zeros := 0
	for _, c := range b {
		if len(out) == n {
			break
		}
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if zeros++; c != 0 {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

// recoveryPoint returns how many pictures an SEI NAL unit says it takes until
// the picture is right, and whether it says so at all (ITU-T H.264 D.2.8:
// recovery_frame_cnt; H.265 D.3.8: recovery_poc_cnt, whose sign is left out).
func recoveryPoint(isH265 bool, nalu []byte) (int, bool) {
	head := 1
	if isH265 {
		head = 2
	}
	if len(nalu) < head+2 {
		return 0, false
	}
	b := unescape(nalu[head:], maxSEI)
	for len(b) > 2 {
		kind, rest := seiNumber(b)
		size, rest := seiNumber(rest)
		if size > len(rest) {
			return 0, false
		}
		if kind == 6 {
			r := bitReader{b: rest[:size]}
			n := r.ue()
			if isH265 {
				n = (n + 1) / 2
			}
			return int(n), !r.short
		}
		b = rest[size:]
	}
	return 0, false
}

// seiNumber reads a payload's type or size: as many 255 as needed, and the
// rest.
func seiNumber(b []byte) (int, []byte) {
	n := 0
	for len(b) > 0 {
		c := b[0]
		b = b[1:]
		if n += int(c); c != 255 {
			break
		}
	}
	return n, b
}

// intraH264 tells whether a slice (nal_unit_type 1) is an I slice by its
// header (ITU-T H.264 7.3.3).
func intraH264(nalu []byte) bool {
	if len(nalu) < 2 {
		return false
	}
	r := bitReader{b: unescape(nalu[1:], maxPrefix)}
	r.ue() // first_mb_in_slice
	t := r.ue()
	return !r.short && (t == 2 || t == 7)
}

// sliceParser reads slice headers of H.265, for which it needs the parameter
// sets.
type sliceParser struct {
	dependent bool // dependent slice segments are allowed
	extra     int  // num_extra_slice_header_bits
	address   int  // bits of slice_segment_address
}

// newSliceParser reads what slice headers depend on, and tells whether it
// could (ITU-T H.265 7.3.2.2, 7.3.2.3).
func newSliceParser(sps, pps []byte) (sliceParser, bool) {
	var s h265.SPS
	if len(pps) < 3 || s.Unmarshal(sps) != nil {
		return sliceParser{}, false
	}
	r := bitReader{b: unescape(pps[2:], maxPrefix)}
	r.ue() // pps_pic_parameter_set_id
	r.ue() // pps_seq_parameter_set_id
	p := sliceParser{dependent: r.u(1) == 1}
	r.u(1) // output_flag_present_flag
	p.extra = int(r.u(3))
	shift := s.Log2MinLumaCodingBlockSizeMinus3 + 3 + s.Log2DiffMaxMinLumaCodingBlockSize
	if r.short || shift > 6 {
		return sliceParser{}, false
	}
	side := uint64(1) << shift
	blocks := (uint64(s.PicWidthInLumaSamples) + side - 1) / side * ((uint64(s.PicHeightInLumaSamples) + side - 1) / side)
	if blocks == 0 || blocks > 1<<24 {
		return sliceParser{}, false
	}
	p.address = bits.Len64(blocks - 1)
	return p, true
}

// intra tells whether a slice segment is of an I slice (ITU-T H.265 7.3.6.1);
// a dependent one is as the one before it.
func (p sliceParser) intra(nalu []byte) bool {
	if len(nalu) < 3 {
		return false
	}
	t := nalu[0] >> 1 & 0x3f
	r := bitReader{b: unescape(nalu[2:], maxPrefix)}
	first := r.u(1) == 1
	if t >= 16 && t <= 23 {
		r.u(1) // no_output_of_prior_pics_flag
	}
	r.ue() // slice_pic_parameter_set_id
	if !first {
		if p.dependent && r.u(1) == 1 {
			return !r.short
		}
		r.u(p.address)
	}
	r.u(p.extra)
	return r.ue() == 2 && !r.short
}

// keyless is how long a stream goes without an IDR, CRA or BLA picture until
// the headers of its other slices are looked at.
const keyless = 3 * time.Second

// recovery is what the assembler knows of pictures that can be decoded alone
// without being marked so.
type recovery struct {
	lastKey time.Time // when a marked key unit came last
	mixed   uint32    // timestamp of the newest picture that needs others
	isMixed bool      // mixed is valid
	ts      uint32    // timestamp of the newest picture that is intra so far
	isIntra bool      // ts is valid
	told    bool      // the camera's intra refresh was named

	parser   sliceParser
	parsed   bool // parser is of these:
	sps, pps []byte
}

// alone tells what a NAL unit is, when its type alone does not: a slice of a
// picture that is all intra counts as one of a key unit while the stream has
// no others. nalu may be cut short.
func (a *assembler) alone(k kind, nalu []byte, ts uint32, now time.Time) kind {
	if k == kindKey {
		a.lastKey, a.isIntra = now, false
		return k
	}
	if len(nalu) < 2 || !a.seeksKeys(k, now) {
		return k
	}
	t, slices, sei := nalu[0]&0x1f, byte(1), byte(6)
	if a.h265 {
		t, slices, sei = nalu[0]>>1&0x3f, 9, 39
	}
	switch {
	case t == sei:
		if n, ok := recoveryPoint(a.h265, nalu); ok && n > 0 && !a.told {
			a.told = true
			a.r.Dropped(streams.ReasonNoKeyUnit, "its encoder refreshes pictures piece by piece (intra refresh), so that none can be looked at alone; set a key frame interval in the camera")
		}
	case t > slices || t == 0 && !a.h265 || a.isMixed && a.mixed == ts:
	case a.intra(nalu):
		a.recovery.ts, a.isIntra = ts, true
		return kindKey
	default:
		a.mixed, a.isMixed = ts, true
		if a.isIntra && a.recovery.ts == ts { // it began with I slices
			a.isIntra, a.passing = false, false
			a.reset()
		}
	}
	return k
}

// seeksKeys tells whether a NAL unit of a kind may count as a key unit's.
func (a *assembler) seeksKeys(k kind, now time.Time) bool {
	return (k == kindOther || k == kindDelta) && now.Sub(a.lastKey) >= keyless
}

func (a *assembler) intra(nalu []byte) bool {
	if !a.h265 {
		return intraH264(nalu)
	}
	sps, pps := newest(a.group[kindSPS], a.params[kindSPS]), newest(a.group[kindPPS], a.params[kindPPS])
	if !bytes.Equal(sps, a.sps) || !bytes.Equal(pps, a.pps) {
		a.sps, a.pps = sps, pps
		a.parser, a.parsed = newSliceParser(sps, pps)
	}
	return a.parsed && a.parser.intra(nalu)
}

func newest(lists ...[][]byte) []byte {
	for _, list := range lists {
		if len(list) > 0 {
			return list[0]
		}
	}
	return nil
}

// recoveryMark is an SEI message that says: the picture that follows is right
// (recovery_frame_cnt 0, exact_match_flag 1). Decoders begin with a picture
// that is not IDR only where one says so.
var recoveryMark = []byte{0x06, 0x06, 0x01, 0xC4, 0x80}

// marked returns a unit's NAL units as a decoder can begin with them.
func (a *assembler) marked(nalus [][]byte) [][]byte {
	if a.h265 || !a.isIntra || a.recovery.ts != a.ts || len(nalus) == 0 {
		return nalus
	}
	return append([][]byte{bytes.Clone(recoveryMark)}, nalus...)
}
