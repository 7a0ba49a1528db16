package detect

import "encoding/binary"

// Eight pixels at a time: a uint64 holds eight bytes that are compared and
// subtracted each for itself. The look at a reduced plane spends a third of
// the time with it.

const (
	tops = 0x8080808080808080 // the highest bit of each byte
	even = 0x00ff00ff00ff00ff
)

func load8(p []byte) uint64 { return binary.LittleEndian.Uint64(p) }

func store8(p []byte, v uint64) { binary.LittleEndian.PutUint64(p, v) }

// spread returns eight times the same byte.
func spread(b byte) uint64 { return uint64(b) * 0x0101010101010101 }

// max8 takes the greater of each two bytes. Then a ^ b ^ max8(a, b) is the
// lesser one.
func max8(a, b uint64) uint64 {
	// The highest bit of a byte of t tells whether the rest of a's is not less
	// than the rest of b's; nothing is borrowed from the next byte.
	t := (a | tops) - (b &^ tops)
	least := (a&^b | ^(a^b)&t) & tops
	return b ^ (a^b)&(least|(least-least>>7))
}

// over8 returns by how much each byte of a is greater than that of b, else 0.
func over8(a, b uint64) uint64 { return max8(a, b) - b }

// apart8 returns the sum of the differences of each two bytes.
func apart8(a, b uint64) int {
	high := max8(a, b)
	d := high - (a ^ b ^ high)
	d = d&even + d>>8&even
	return int(d * 0x0001000100010001 >> 48)
}

// apart returns the sum of the differences of two rows, which are equally long.
func apart(a, b []byte) int {
	sum := 0
	for len(a) >= 8 && len(b) >= 8 {
		sum += apart8(load8(a), load8(b))
		a, b = a[8:], b[8:]
	}
	for i, v := range a {
		sum += abs(int(v) - int(b[i]))
	}
	return sum
}

// texture returns the sum of the differences of the pixels of an 8 × 8 block
// from those to their right and below. p begins with the block and is w wide.
func texture(p []byte, w int) int {
	sum := 0
	row := load8(p)
	for y := range 8 {
		below := load8(p[(y+1)*w:])
		sum += apart8(row, load8(p[y*w+1:])) + apart8(row, below)
		row = below
	}
	return sum
}

// extremes takes the least and the greatest of each pixel of a w × h plane and
// its eight neighbours.
func extremes(s *scratch, lo, hi, src []byte, w, h int) {
	for y := range h {
		extremesInRow(s.low[y*w:][:w], s.top[y*w:][:w], src[y*w:][:w])
	}
	for y := range h {
		up, mid, down := max(y-1, 0)*w, y*w, min(y+1, h-1)*w
		least(lo[mid:][:w], s.low[up:][:w], s.low[mid:][:w], s.low[down:][:w])
		greatest(hi[mid:][:w], s.top[up:][:w], s.top[mid:][:w], s.top[down:][:w])
	}
}

// extremesInRow does so for each pixel and the two beside it.
func extremesInRow(lo, hi, in []byte) {
	last := len(in) - 1
	ends := func(x int) {
		l, r := in[max(x-1, 0)], in[min(x+1, last)]
		lo[x], hi[x] = min(l, in[x], r), max(l, in[x], r)
	}
	ends(0)
	x := 1
	for ; x+9 <= len(in); x += 8 {
		l, m, r := load8(in[x-1:]), load8(in[x:]), load8(in[x+1:])
		high := max8(l, m)
		low := l ^ m ^ high
		store8(hi[x:], max8(high, r))
		store8(lo[x:], low^r^max8(low, r))
	}
	for ; x <= last; x++ {
		ends(x)
	}
}

func greatest(dst, a, b, c []byte) {
	x := 0
	for ; x+8 <= len(dst); x += 8 {
		store8(dst[x:], max8(max8(load8(a[x:]), load8(b[x:])), load8(c[x:])))
	}
	for ; x < len(dst); x++ {
		dst[x] = max(a[x], b[x], c[x])
	}
}

func least(dst, a, b, c []byte) {
	x := 0
	for ; x+8 <= len(dst); x += 8 {
		va, vb, vc := load8(a[x:]), load8(b[x:]), load8(c[x:])
		low := va ^ vb ^ max8(va, vb)
		store8(dst[x:], low^vc^max8(low, vc))
	}
	for ; x < len(dst); x++ {
		dst[x] = min(a[x], b[x], c[x])
	}
}
