package opencv

import (
	"encoding/binary"
	"math"
	"slices"

	"videopatrol/detect"
)

// A reducer averages squares of whole pixels, eight pixels at a time. OpenCV
// takes several times as long for squares of other sides than two, and this is
// where all of a picture's luma is read.
type reducer struct {
	side int
	// mean is the rounded mean of a square by the sum of its pixels.
	mean []byte
	// pairs are the sums of the columns of one row of squares: of eight columns
	// those of the even ones and those of the odd ones, 16 bits each.
	pairs []uint64
	out   []byte
}

const (
	even    = 0x00ff00ff00ff00ff
	maxSide = 128 // a sum of as many pixels fits in 16 bits
)

// reduce returns the means of the whole squares of a plane, 2 to maxSide
// pixels a side, as cv::resize with INTER_AREA rounds them: half to even. The
// next call overwrites it.
func (r *reducer) reduce(p detect.Plane, side int) detect.Plane {
	w, h := p.Width/side, p.Height/side
	if r.side != side {
		r.side, r.mean = side, make([]byte, 255*side*side+1)
		scale := 1 / float32(side*side)
		for sum := range r.mean {
			r.mean[sum] = byte(math.RoundToEven(float64(float32(sum) * scale)))
		}
	}
	n := 2 * ((w*side + 7) / 8)
	r.pairs = slices.Grow(r.pairs[:0], n)[:n]
	r.out = slices.Grow(r.out[:0], w*h)[:w*h]
	for y := range h {
		clear(r.pairs)
		for i := range side {
			addColumns(r.pairs, p.Row(y*side + i)[:w*side])
		}
		row := r.out[y*w:][:w]
		if side == 4 { // that of the usual sub-streams
			r.fours(row)
			continue
		}
		for x := range row {
			sum := 0
			for column := x * side; column < (x+1)*side; column++ {
				sum += int(uint16(r.pairs[column/8*2+column%2] >> (column % 8 / 2 * 16)))
			}
			row[x] = r.mean[sum]
		}
	}
	return detect.Plane{Pix: r.out, Width: w, Height: h, Stride: w}
}

// addColumns adds a row to the sums of its columns.
func addColumns(sums []uint64, row []byte) {
	for len(row) >= 8 && len(sums) >= 2 {
		v := binary.LittleEndian.Uint64(row)
		sums[0] += v & even
		sums[1] += v >> 8 & even
		row, sums = row[8:], sums[2:]
	}
	for i, v := range row {
		sums[i%2] += uint64(v) << (i / 2 * 16)
	}
}

// fours writes the means of a row of squares of side four: each two sums hold
// two squares.
func (r *reducer) fours(row []byte) {
	pairs := r.pairs
	for len(row) >= 2 && len(pairs) >= 2 {
		sum := pairs[0] + pairs[1]
		sum += sum >> 16
		row[0], row[1] = r.mean[uint16(sum)], r.mean[uint16(sum>>32)]
		row, pairs = row[2:], pairs[2:]
	}
	if len(row) > 0 {
		sum := pairs[0] + pairs[1]
		row[0] = r.mean[uint16(sum+sum>>16)]
	}
}
