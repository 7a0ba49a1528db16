package model

import (
	"encoding/binary"
	"fmt"
	"math"

	"videopatrol/detect"
)

// frame is where a crop of a picture lies in a model's input.
type frame struct {
	// x, y, w, h are the crop in pixels of the picture, of width × height.
	x, y, w, h    int
	width, height int
	// left, top, wide and high are where it lies in the input.
	left, top, wide, high int
}

// frameOf fits a crop into an input.
func (in *Input) frameOf(p detect.Picture, crop detect.Box) (frame, error) {
	f := frame{width: p.Y.Width, height: p.Y.Height, wide: in.Width, high: in.Height}
	for _, v := range []float64{crop.X, crop.Y, crop.W, crop.H} {
		if !(v >= 0 && v <= 1) {
			return f, fmt.Errorf("crop %+v: want 0 to 1", crop)
		}
	}
	w, h := float64(f.width), float64(f.height)
	// Even corners, since two pixels share their colour.
	f.x, f.y = int(crop.X*w)&^1, int(crop.Y*h)&^1
	f.w, f.h = min(int(math.Ceil((crop.X+crop.W)*w)), f.width)-f.x, min(int(math.Ceil((crop.Y+crop.H)*h)), f.height)-f.y
	if f.w < minCrop || f.h < minCrop {
		return f, fmt.Errorf("crop %+v: %d × %d pixels of the picture, want at least %d a side", crop, f.w, f.h, minCrop)
	}
	if in.Fit == FitStretch {
		return f, nil
	}
	k := min(float64(in.Width)/float64(f.w), float64(in.Height)/float64(f.h))
	f.wide, f.high = max(int(float64(f.w)*k), 1), max(int(float64(f.h)*k), 1)
	if in.Fit == FitCentred {
		f.left, f.top = (in.Width-f.wide)/2, (in.Height-f.high)/2
	}
	return f, nil
}

const minCrop = 8 // pixels a side

// box maps a box in pixels of the input to the picture, 0..1; false when it
// lies outside the crop.
func (f *frame) box(x0, y0, x1, y1 float64) (detect.Box, bool) {
	kx, ky := float64(f.w)/float64(f.wide), float64(f.h)/float64(f.high)
	across := func(x float64) float64 { return min(max(x-float64(f.left), 0), float64(f.wide)) * kx }
	down := func(y float64) float64 { return min(max(y-float64(f.top), 0), float64(f.high)) * ky }
	x0, x1, y0, y1 = across(x0), across(x1), down(y0), down(y1)
	w, h := float64(f.width), float64(f.height)
	b := detect.Box{X: (float64(f.x) + x0) / w, Y: (float64(f.y) + y0) / h, W: (x1 - x0) / w, H: (y1 - y0) / h}
	return b, b.W > 0 && b.H > 0
}

// cut tells whether a box ends where its crop ends and the picture goes on.
func (f *frame) cut(b detect.Box) bool {
	const near = 0.01 // of the crop
	w, h := float64(f.width), float64(f.height)
	return f.x > 0 && b.X*w < float64(f.x)+near*float64(f.w) ||
		f.y > 0 && b.Y*h < float64(f.y)+near*float64(f.h) ||
		f.x+f.w < f.width && (b.X+b.W)*w > float64(f.x+f.w)-near*float64(f.w) ||
		f.y+f.h < f.height && (b.Y+b.H)*h > float64(f.y+f.h)-near*float64(f.h)
}

// A tap is where a sample of a plane is read: the mean of two neighbours a and
// b, of which b weighs w of 256.
type tap struct{ a, b, w int32 }

// taps samples n points of from..from+size-1 evenly, as bilinear interpolation
// does. When a plane shrinks to less than half, the two lie apart, so that
// thin things do not vanish between them.
func taps(to []tap, from, size, n int) []tap {
	to = to[:0]
	scale, last := float64(size)/float64(n), from+size-1
	for i := range n {
		middle := (float64(i)+0.5)*scale - 0.5
		a := math.Floor(middle)
		b, w := a+1, middle-a
		if scale > 2 {
			a, b, w = math.Round(middle-scale/4), math.Round(middle+scale/4), 0.5
		}
		to = append(to, tap{
			a: int32(min(max(from+int(a), from), last)), b: int32(min(max(from+int(b), from), last)), w: int32(math.Round(w * 256)),
		})
	}
	return to
}

// A filler writes crops of pictures into a model's input.
type filler struct {
	in Input
	// value is what a colour becomes, by plane of the input: from -below on,
	// held to 0..255.
	value [3][levels]float32
	// What red, green and blue are made of by sample: of limited and of full
	// range.
	limited, full colours
	luma, cb, cr  sampler
}

// A sum of BT.601 lies within -below and levels-below.
const (
	levels = 1024
	below  = 256
)

// colours are the parts of a colour, × 65536; below is added to luma's.
type colours struct {
	y, rv, gu, gv, bu [256]int32
}

// newColours are the sums of ITU-R BT.601.
func newColours(full bool) (c colours) {
	ky, kc, black := 255.0/219, 255.0/224, 16.0
	if full {
		ky, kc, black = 1, 1, 0
	}
	fix := func(v float64) int32 { return int32(math.Round(v * 65536)) }
	for i := range 256 {
		d := (float64(i) - 128) * kc
		c.y[i] = fix((float64(i)-black)*ky+below) + 1<<15
		c.rv[i], c.gu[i], c.gv[i], c.bu[i] = fix(1.402*d), fix(-0.344136*d), fix(-0.714136*d), fix(1.772*d)
	}
	return c
}

func newFiller(in Input) *filler {
	f := &filler{in: in, limited: newColours(false), full: newColours(true)}
	for plane := range f.value {
		mean, std := 0.0, 1.0
		if len(in.Mean) == 3 {
			mean = in.Mean[plane]
		}
		if len(in.Std) == 3 {
			std = in.Std[plane]
		}
		for i := range f.value[plane] {
			v := float64(min(max(i-below, 0), 255))
			f.value[plane][i] = float32((v*in.Scale - mean) / std)
		}
	}
	return f
}

// grey is what a grey of 0..255 becomes.
func (f *filler) grey(plane, v int) float32 { return f.value[plane][below+v] }

// fill writes a crop of a picture into dst: three planes of the input's size,
// whose sides are the manifest's. The picture must have passed its Check.
func (f *filler) fill(dst []float32, p detect.Picture, crop detect.Box) (frame, error) {
	at, err := f.in.frameOf(p, crop)
	if err != nil {
		return at, err
	}
	size := f.in.Width * f.in.Height
	if len(dst) != 3*size {
		return at, fmt.Errorf("an input of %d numbers, want %d", len(dst), 3*size)
	}
	f.pad(dst, at)
	f.luma.fit(p.Y, at.x, at.y, at.w, at.h, at.wide, at.high)
	// Two by two pixels share a colour.
	f.cb.fit(p.Cb, at.x/2, at.y/2, (at.w+1)/2, (at.h+1)/2, at.wide, at.high)
	f.cr.fit(p.Cr, at.x/2, at.y/2, (at.w+1)/2, (at.h+1)/2, at.wide, at.high)
	c := &f.limited
	if p.FullRange {
		c = &f.full
	}
	red, green, blue := 2, 1, 0
	if f.in.Channels == ChannelsRGB {
		red, blue = 0, 2
	}
	vr, vg, vb := &f.value[red], &f.value[green], &f.value[blue]
	for y := range at.high {
		ys, us, vs := f.luma.row(y), f.cb.row(y), f.cr.row(y)
		begin := (at.top+y)*f.in.Width + at.left
		rs, gs, bs := dst[red*size+begin:][:len(ys)], dst[green*size+begin:][:len(ys)], dst[blue*size+begin:][:len(ys)]
		us, vs = us[:len(ys)], vs[:len(ys)]
		for x, l := range ys {
			yy, u, v := c.y[l], us[x], vs[x]
			rs[x] = vr[uint32(yy+c.rv[v])>>16%levels]
			gs[x] = vg[uint32(yy+c.gu[u]+c.gv[v])>>16%levels]
			bs[x] = vb[uint32(yy+c.bu[u])>>16%levels]
		}
	}
	return at, nil
}

// A sampler reads rows of a plane at another size: first whole rows of it are
// mixed, eight samples at a time, then samples within the mixed row.
type sampler struct {
	plane  detect.Plane
	x, w   int
	xs, ys []tap
	mixed  []byte
	out    []byte
}

func (s *sampler) fit(p detect.Plane, x, y, w, h, wide, high int) {
	s.plane, s.x, s.w = p, x, min(w, p.Width-x)
	s.xs, s.ys = taps(s.xs, 0, s.w, wide), taps(s.ys, y, min(h, p.Height-y), high)
	s.mixed, s.out = grown(s.mixed, s.w), grown(s.out, wide)
}

// row returns row y; the next call overwrites it.
func (s *sampler) row(y int) []byte {
	v := s.ys[y]
	src := s.plane.Row(int(v.a))[s.x:][:s.w]
	if v.w > 0 {
		mix(s.mixed, src, s.plane.Row(int(v.b))[s.x:][:s.w], uint64(v.w))
		src = s.mixed
	}
	out := s.out[:len(s.xs)]
	for i, t := range s.xs {
		a := int32(src[t.a])
		out[i] = byte((a<<8 + (int32(src[t.b])-a)*t.w + 128) >> 8)
	}
	return out
}

// mix writes the mean of two rows, of which b weighs w of 256.
func mix(to, a, b []byte, w uint64) {
	const even, half = 0x00ff00ff00ff00ff, 0x0080008000800080
	for len(to) >= 8 && len(a) >= 8 && len(b) >= 8 {
		va, vb := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
		// Each sum fits in its 16 bits, since the weights make 256.
		lower := ((va&even)*(256-w) + (vb&even)*w + half) >> 8 & even
		upper := ((va>>8&even)*(256-w) + (vb>>8&even)*w + half) & (even << 8)
		binary.LittleEndian.PutUint64(to, lower|upper)
		to, a, b = to[8:], a[8:], b[8:]
	}
	for i := range to {
		to[i] = byte((uint64(a[i])*(256-w) + uint64(b[i])*w + 128) >> 8)
	}
}

func grown[T any](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n)
	}
	return b[:n]
}

// pad greys what of the input the picture does not cover.
func (f *filler) pad(dst []float32, at frame) {
	w, h := f.in.Width, f.in.Height
	if at.wide == w && at.high == h {
		return
	}
	for plane := range 3 {
		grey := f.grey(plane, f.in.Pad)
		p := dst[plane*w*h:][:w*h]
		for y := range h {
			r := p[y*w:][:w]
			if y < at.top || y >= at.top+at.high {
				set(r, grey)
				continue
			}
			set(r[:at.left], grey)
			set(r[at.left+at.wide:], grey)
		}
	}
}

func set(r []float32, v float32) {
	for i := range r {
		r[i] = v
	}
}
