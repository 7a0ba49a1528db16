package detect

import (
	"encoding/binary"
	"iter"
)

// Eight pixels at a time: a uint64 holds eight bytes that are compared and
// subtracted each for itself. A look at a reduced plane is mostly this.

const (
	tops = 0x8080808080808080 // the highest bit of each byte
	even = 0x00ff00ff00ff00ff
)

func load8(p []byte) uint64 { return binary.LittleEndian.Uint64(p) }

// from8 returns the eight bytes from p[i] on, zeros where p has none.
func from8(p []byte, i int) uint64 {
	if i+8 <= len(p) {
		return load8(p[i:])
	}
	var b [8]byte
	copy(b[:], p[i:])
	return load8(b[:])
}

// put8 writes v from p[i] on, as far as p goes.
func put8(p []byte, i int, v uint64) {
	if i+8 <= len(p) {
		binary.LittleEndian.PutUint64(p[i:], v)
		return
	}
	for ; i < len(p); i, v = i+1, v>>8 {
		p[i] = byte(v)
	}
}

// marked yields the pixels of a plane that are not 0, where few are.
func marked(p []byte) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < len(p); i += 8 {
			if from8(p, i) == 0 {
				continue
			}
			for j := i; j < min(i+8, len(p)); j++ {
				if p[j] != 0 && !yield(j) {
					return
				}
			}
		}
	}
}

// spread returns eight times the same byte.
func spread(b byte) uint64 { return uint64(b) * 0x0101010101010101 }

// max8 takes the greater of each two bytes. Then a ^ b ^ max8(a, b) is the
// lesser one.
func max8(a, b uint64) uint64 { return b ^ (a^b)&full(notLess8(a, b)) }

// min8 takes the lesser of each two bytes.
func min8(a, b uint64) uint64 { return a ^ (a^b)&full(notLess8(a, b)) }

// notLess8 sets the highest bit of each byte of a that is not less than b's.
func notLess8(a, b uint64) uint64 {
	// The highest bit of a byte of t tells whether the rest of a's is not less
	// than the rest of b's; nothing is borrowed from the next byte.
	t := (a | tops) - (b &^ tops)
	return (a&^b | ^(a^b)&t) & tops
}

// full spreads the highest bit of each byte over all of it, given those alone.
func full(highest uint64) uint64 { return highest | (highest - highest>>7) }

// sort8 orders each two bytes.
func sort8(a, b uint64) (less, more uint64) {
	d := (a ^ b) & full(notLess8(a, b))
	return a ^ d, b ^ d
}

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

// apartBytes returns the difference of each two bytes.
func apartBytes(a, b uint64) uint64 {
	high := max8(a, b)
	return high - (a ^ b ^ high)
}

// mean8 returns the mean of each two bytes, rounded down.
func mean8(a, b uint64) uint64 { return a&b + (a^b)>>1&^tops }

// closer8 brings each byte of v by one step closer to that of to.
func closer8(v, to uint64) uint64 { return v + notLess8(to, v)>>7 - notLess8(v, to)>>7 }

// step8 returns half the step from each byte of a to that of b, above 128.
func step8(a, b uint64) uint64 {
	return b>>1&^tops + (tops - a>>1&^tops)
}

// pairs8 adds each two neighbouring bytes.
func pairs8(v uint64) uint64 { return v&even + v>>8&even }

// counts are of bytes by value. Neighbours count apart, so that none waits for
// the other one's sum where they are alike.
type counts [4][256]uint16

func (c *counts) add(p []byte) {
	for ; len(p) >= 4; p = p[4:] {
		c[0][p[0]]++
		c[1][p[1]]++
		c[2][p[2]]++
		c[3][p[3]]++
	}
	for _, v := range p {
		c[0][v]++
	}
}

func (c *counts) sum() (of [256]uint16) {
	for v := range of {
		of[v] = c[0][v] + c[1][v] + c[2][v] + c[3][v]
	}
	return of
}
