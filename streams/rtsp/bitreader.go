package rtsp

import (
	"math/bits"
)

// bitReader reads the fields of a NAL unit, most significant bit first, and
// leaves out the emulation prevention bytes (H.264 7.4.1, H.265 7.4.2). Once
// anything is odd it is bad, and answers zeros.
type bitReader struct {
	b     []byte
	pos   int
	zeros int // zero bytes in a row before pos
	cache uint64
	n     int // bits of the cache
	bad   bool
}

func (r *bitReader) fill() {
	for r.n <= 56 && r.pos < len(r.b) {
		c := r.b[r.pos]
		r.pos++
		if c == 0 {
			r.zeros++
		} else {
			if c == 3 && r.zeros >= 2 {
				r.zeros = 0
				continue
			}
			r.zeros = 0
		}
		r.cache |= uint64(c) << (56 - r.n)
		r.n += 8
	}
}

// u reads n bits, 0..32.
func (r *bitReader) u(n int) uint32 {
	if r.n < n {
		if r.fill(); r.n < n {
			r.bad = true
		}
	}
	if r.bad {
		return 0
	}
	v := r.cache >> (64 - n)
	r.cache <<= n
	r.n -= n
	return uint32(v) //nolint:gosec // at most 32 bits
}

func (r *bitReader) flag() bool { return r.u(1) != 0 }

// ue reads an unsigned Exp-Golomb code of less than 2^32-1 (9.1).
func (r *bitReader) ue() uint32 {
	if r.n < 32 {
		r.fill()
	}
	zeros := bits.LeadingZeros64(r.cache)
	if zeros > 31 {
		r.bad = true
	}
	if r.bad {
		return 0
	}
	r.u(zeros)
	return r.u(zeros+1) - 1
}

// ueMax reads one that must not exceed a limit.
func (r *bitReader) ueMax(limit int) int {
	v := r.ue()
	if v > uint32(limit) { //nolint:gosec // limits are small
		r.bad = true
	}
	if r.bad {
		return 0
	}
	return int(v)
}

// small reads one that must not exceed a limit of at most 255.
func (r *bitReader) small(limit int) uint8 { return uint8(r.ueMax(limit)) } //nolint:gosec // 0..255

// se reads a signed Exp-Golomb code (9.1.1).
func (r *bitReader) se() int {
	v := r.ue()
	if v&1 != 0 {
		return int(v>>1) + 1
	}
	return -int(v >> 1)
}

func (r *bitReader) skipUE(n int) {
	for range n {
		if r.bad {
			return
		}
		r.ue()
	}
}

func (r *bitReader) skipSE(n int) { r.skipUE(n) } // of the same length
