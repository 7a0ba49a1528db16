package detect_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"videopatrol/detect"
)

// What works on eight bytes at a time says the same as one byte at a time.
func TestEightAtATime(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 10000 {
		var a, b, mean, closer [8]byte
		for i := range a {
			a[i] = byte(rng.Uint32())
			b[i] = a[i] ^ byte(rng.Uint32())>>rng.IntN(9)
			mean[i] = byte((int(a[i]) + int(b[i])) / 2)
			closer[i] = a[i]
			if a[i] < b[i] {
				closer[i]++
			} else if a[i] > b[i] {
				closer[i]--
			}
		}
		load := func(p [8]byte) uint64 { return binary.LittleEndian.Uint64(p[:]) }
		if got := detect.Mean8(load(a), load(b)); got != load(mean) {
			t.Fatalf("mean of %v and %v: %x", a, b, got)
		}
		if got := detect.Closer8(load(a), load(b)); got != load(closer) {
			t.Fatalf("%v closer to %v: %x", a, b, got)
		}
	}
	for n := range 70 {
		p := make([]byte, n)
		var marked []int
		var seen [256]uint16
		for i := range p {
			if rng.IntN(9) == 0 {
				p[i] = byte(1 + rng.IntN(255))
				marked = append(marked, i)
			}
			seen[p[i]]++
		}
		if got := slices.Collect(detect.Marked(p)); !slices.Equal(got, marked) {
			t.Fatalf("marked in %v: %v", p, got)
		}
		if got := detect.Histogram(p[:n/3], p[n/3:]); got != seen {
			t.Fatalf("bytes of %v: %v", p, got)
		}
	}
}
