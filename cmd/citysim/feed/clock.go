package feed

import "time"

// digits are the clock's characters, 5 × 7 pixels, a row a byte.
var digits = map[rune][7]byte{
	'0': {14, 17, 19, 21, 25, 17, 14},
	'1': {4, 12, 4, 4, 4, 4, 14},
	'2': {14, 17, 1, 6, 8, 16, 31},
	'3': {30, 1, 1, 14, 1, 1, 30},
	'4': {2, 6, 10, 18, 31, 2, 2},
	'5': {31, 16, 30, 1, 1, 17, 14},
	'6': {6, 8, 16, 30, 17, 17, 14},
	'7': {31, 1, 2, 4, 8, 8, 8},
	'8': {14, 17, 17, 14, 17, 17, 14},
	'9': {14, 17, 17, 15, 1, 2, 12},
	'-': {0, 0, 0, 14, 0, 0, 0},
	':': {0, 4, 0, 0, 0, 4, 0},
}

// overlay writes date and time in the upper corner, as many cameras do.
func (p *player) overlay(at time.Time) {
	if !p.clock {
		return
	}
	y, w, _ := p.luma()
	x := 8
	for _, c := range at.Format("2006-01-02 15:04:05") {
		for j, bits := range digits[c] {
			for i := range 5 {
				if bits>>(4-i)&1 != 0 {
					y[(8+j)*w+x+i] = 235
					// A shadow keeps it readable on a bright sky.
					y[(9+j)*w+x+i+1] = min(y[(9+j)*w+x+i+1], 24)
				}
			}
		}
		x += 6
	}
}
