package opencv_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"videopatrol/detect"
)

// layers returns n random pixels of each, half of them much like the ground,
// and a copy. What lies behind them must stay as it is.
func layers(rng *rand.Rand, n int) (l, same detect.Layers) {
	for range n + 64 {
		x := byte(rng.Uint32())
		mean := uint16(rng.Uint32())
		if rng.IntN(2) == 0 {
			mean = uint16(max(0, min(int(x)<<8+rng.IntN(4096)-2048, 65535)))
		}
		l.X, l.Mean = append(l.X, x), append(l.Mean, mean)
		l.Dev = append(l.Dev, byte(1+rng.IntN(100)))
		l.Expect, l.Fore = append(l.Expect, byte(mean>>8)), append(l.Fore, byte(rng.IntN(3)))
	}
	same = detect.Layers{
		X: l.X[:n], Mean: slices.Clone(l.Mean), Dev: slices.Clone(l.Dev),
		Expect: slices.Clone(l.Expect), Fore: slices.Clone(l.Fore),
	}
	l.X = l.X[:n]
	return l, same
}

func equalLayers(a, b detect.Layers) bool {
	return slices.Equal(a.Mean, b.Mean) && slices.Equal(a.Dev, b.Dev) && slices.Equal(a.Expect, b.Expect) && slices.Equal(a.Fore, b.Fore)
}

func apart(a, b byte) int { return max(int(a)-int(b), int(b)-int(a)) }

func TestGround(t *testing.T) {
	m := newImaging(t)
	rng := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{0, 1, 7, 8, 15, 16, 31, 32, 33, 63, 1001, 19812} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for _, black := range []int{0, 16} {
				for _, scale := range []int{128, 1000, 1026, 4098} {
					got, want := layers(rng, n)
					least, offset := rng.IntN(60), (black-8)<<8
					m.Differ(got, detect.Lighting{Scale: scale, Offset: (offset+128)<<10 - offset*scale, Least: least})
					for i, x := range want.X {
						e := ((int(want.Mean[i])-offset)*scale>>10 + offset + 128) >> 8
						want.Expect[i], want.Fore[i] = byte(max(0, min(e, 255))), 0
						if apart(x, want.Expect[i]) > least {
							want.Fore[i] = 255
						}
					}
					if !equalLayers(got, want) {
						t.Errorf("black %d, scale %d, least %d: it differs elsewhere", black, scale, least)
					}
				}
			}
			for rate := 16; rate <= 64; rate++ {
				got, want := layers(rng, n)
				m.Follow(got, rate)
				for i, x := range want.X {
					to, d := want.Expect[i], int(want.Dev[i])
					switch off := 12 * apart(x, to); {
					case want.Fore[i] == 1:
						d = max(d, min(d+4, 40))
					case want.Fore[i] == 0 && off > d:
						to, d = x, d+1
					case want.Fore[i] == 0:
						to, d = x, d-1
					}
					want.Dev[i] = byte(max(1, min(d, 100)))
					want.Mean[i] += uint16((int(to)<<8 - int(want.Mean[i])) * rate / 256)
				}
				if !equalLayers(got, want) {
					t.Errorf("rate %d: it follows elsewhere", rate)
				}
			}
		})
	}
}

func TestPeaks(t *testing.T) {
	m := newImaging(t)
	rng := rand.New(rand.NewPCG(11, 12))
	for _, size := range [][2]int{{156, 127}, {157, 128}, {9, 9}, {8, 40}, {40, 8}, {1, 1}, {17, 33}, {24, 25}, {1600, 12}} {
		w, h := size[0], size[1]
		p := detect.Plane{Pix: make([]byte, w*h), Width: w, Height: h, Stride: w}
		for i := range p.Pix {
			p.Pix[i] = byte(rng.Uint32()) >> rng.IntN(8)
		}
		bw, bh := (w-1)/8, (h-1)/8
		got, want := slices.Repeat([]byte{7}, bw*bh+9), slices.Repeat([]byte{7}, bw*bh+9)
		m.Peaks(got, p)
		for i := range bw * bh {
			most := 0
			for y := i / bw * 8; y < i/bw*8+8; y++ {
				for x := i % bw * 8; x < i%bw*8+8; x++ {
					beside := p.Row(y)[min(x+1, w-1)]
					if y%2 > 0 {
						beside = p.Row(y + 1)[x]
					}
					most = max(most, apart(p.Row(y)[x], beside))
				}
			}
			want[i] = byte(most)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d × %d: other peaks", w, h)
		}
	}
}
