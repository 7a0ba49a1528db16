package scene

import (
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

const (
	pixels = Width * Height
	// FrameSize is the size in bytes of a raw picture: Y, Cb, Cr.
	FrameSize = pixels * 3 / 2
)

// Frame is one raw picture, YCbCr 4:2:0, full range, plane after plane.
type Frame struct {
	Pix           []byte
	width, height int
	// glow, where there is one, says how much light each pixel gives off.
	glow []byte
}

// NewFrame returns a black picture.
func NewFrame() *Frame { return newFrame(Width, Height) }

func newFrame(width, height int) *Frame {
	return &Frame{Pix: make([]byte, width*height*3/2), width: width, height: height}
}

// planes are the parts of the picture.
func (f *Frame) planes() (y, cb, cr []byte) {
	n := f.width * f.height
	return f.Pix[:n], f.Pix[n : n*5/4], f.Pix[n*5/4:]
}

// Image returns the picture as an image that shares its memory.
func (f *Frame) Image() *image.YCbCr {
	y, cb, cr := f.planes()
	return &image.YCbCr{
		Y: y, Cb: cb, Cr: cr, YStride: f.width, CStride: f.width / 2,
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, f.width, f.height),
	}
}

// What is drawn keeps this far from black and white, so that noise has room.
const darkest, brightest = 14, 240

// tone is a colour as YCbCr.
type tone struct{ y, cb, cr byte }

// rgb returns the tone of 0xRRGGBB.
func rgb(c uint32) tone {
	y, cb, cr := color.RGBToYCbCr(byte(c>>16), byte(c>>8), byte(c))
	return tone{min(y, brightest), cb, cr}
}

// lit returns the tone k times as bright; its colour fades with the light.
func (t tone) lit(k float64) tone {
	k = max(k, 0)
	c := min(k, 1.15)
	return tone{
		byte(min(max(float64(t.y)*k, darkest), brightest)),
		byte(min(max(128+(float64(t.cb)-128)*c, 0), 255)),
		byte(min(max(128+(float64(t.cr)-128)*c, 0), 255)),
	}
}

// toward returns the tone k of the way to another one.
func (t tone) toward(o tone, k float64) tone {
	mix := func(a, b byte) byte { return byte(float64(a) + (float64(b)-float64(a))*k) }
	return tone{mix(t.y, o.y), mix(t.cb, o.cb), mix(t.cr, o.cr)}
}

// brush paints anti-aliased polygons. It is not safe for concurrent use.
type brush struct {
	raster vector.Rasterizer
	mask   image.Alpha
	// before, when set, tells how much of each pixel something nearer hides.
	before []byte
	// glow is how much light what is painted gives off, on frames that keep it.
	glow byte
	// scratch is memory for whoever needs a plane for a moment.
	scratch []byte
}

// paint covers a polygon of f with a tone at an opacity of 0..1.
func (b *brush) paint(f *Frame, poly []point, t tone, opacity float64) {
	x0, y0, w, h := b.cover(poly, f.width, f.height)
	if w == 0 || opacity <= 0 {
		return
	}
	b.hide(x0, y0, w, h, f.width)
	k := int(min(opacity, 1) * 256)
	for y := range h {
		row := f.Pix[(y0+y)*f.width+x0:][:w]
		for x, m := range b.mask.Pix[y*w : (y+1)*w] {
			if m != 0 {
				row[x] = byte(int(row[x]) + (int(t.y)-int(row[x]))*int(m)*k/(255*256))
			}
		}
	}
	if f.glow != nil {
		for y := range h {
			row := f.glow[(y0+y)*f.width+x0:][:w]
			for x, m := range b.mask.Pix[y*w : (y+1)*w] {
				if m != 0 && (row[x] != 0 || b.glow != 0) {
					row[x] = byte(int(row[x]) + (int(b.glow)-int(row[x]))*int(m)*k/(255*256))
				}
			}
		}
	}
	all := f.width * f.height
	for y := 0; y < h; y += 2 {
		at := all + (y0+y)/2*(f.width/2) + x0/2
		cb, cr := f.Pix[at:][:w/2], f.Pix[at+all/4:][:w/2]
		m0, m1 := b.mask.Pix[y*w:(y+1)*w], b.mask.Pix[(y+1)*w:(y+2)*w]
		for x := range cb {
			m := int(m0[2*x]) + int(m0[2*x+1]) + int(m1[2*x]) + int(m1[2*x+1])
			if m != 0 {
				cb[x] = byte(int(cb[x]) + (int(t.cb)-int(cb[x]))*m*k/(4*255*256))
				cr[x] = byte(int(cr[x]) + (int(t.cr)-int(cr[x]))*m*k/(4*255*256))
			}
		}
	}
}

// cover rasterizes a polygon into the mask and returns the mask's place on
// the picture, on even pixels; a width of 0 means nothing shows.
func (b *brush) cover(poly []point, width, height int) (x0, y0, w, h int) {
	if len(poly) < 3 {
		return 0, 0, 0, 0
	}
	lo, hi := poly[0], poly[0]
	for _, p := range poly[1:] {
		lo = point{min(lo.x, p.x), min(lo.y, p.y)}
		hi = point{max(hi.x, p.x), max(hi.y, p.y)}
	}
	if hi.x <= 0 || hi.y <= 0 || lo.x >= float64(width) || lo.y >= float64(height) || math.IsNaN(lo.x+lo.y+hi.x+hi.y) {
		return 0, 0, 0, 0
	}
	x0, y0 = int(max(lo.x, 0))&^1, int(max(lo.y, 0))&^1
	w = (int(min(math.Ceil(hi.x), float64(width)))+1)&^1 - x0
	h = (int(min(math.Ceil(hi.y), float64(height)))+1)&^1 - y0
	if w <= 0 || h <= 0 {
		return 0, 0, 0, 0
	}
	if lo.x < -far || lo.y < -far || hi.x > far || hi.y > far {
		poly = clip(poly, float64(width), float64(height))
	}
	b.raster.Reset(w, h)
	b.raster.DrawOp = draw.Src
	for i, p := range poly {
		x, y := float32(p.x-float64(x0)), float32(p.y-float64(y0))
		if i == 0 {
			b.raster.MoveTo(x, y)
		} else {
			b.raster.LineTo(x, y)
		}
	}
	b.raster.ClosePath()
	if n := w * h; cap(b.mask.Pix) < n {
		b.mask.Pix = make([]byte, n)
	} else {
		b.mask.Pix = b.mask.Pix[:n]
	}
	b.mask.Stride, b.mask.Rect = w, image.Rect(0, 0, w, h)
	b.raster.Draw(&b.mask, b.mask.Rect, image.Opaque, image.Point{})
	return x0, y0, w, h
}

// far is how many pixels outside the rasterizer wants no coordinates.
const far = 4000

// clip cuts a polygon a little outside the picture.
func clip(poly []point, width, height float64) []point {
	const margin = 16
	for _, edge := range []func(point) float64{
		func(p point) float64 { return p.x + margin },
		func(p point) float64 { return width + margin - p.x },
		func(p point) float64 { return p.y + margin },
		func(p point) float64 { return height + margin - p.y },
	} {
		poly = cut(poly, edge)
	}
	return poly
}

// hide takes what something nearer hides out of the mask.
func (b *brush) hide(x0, y0, w, h, width int) {
	if b.before == nil {
		return
	}
	for y := range h {
		mask, before := b.mask.Pix[y*w:(y+1)*w], b.before[(y0+y)*width+x0:][:w]
		for x, o := range before {
			if o != 0 {
				mask[x] = byte(int(mask[x]) * (255 - int(o)) / 255)
			}
		}
	}
}

// note adds a polygon to a plane of what stands before other things.
func (b *brush) note(plane []byte, width int, poly []point, opacity float64) {
	x0, y0, w, h := b.cover(poly, width, len(plane)/width)
	for y := range h {
		row := plane[(y0+y)*width+x0:][:w]
		for x, m := range b.mask.Pix[y*w : (y+1)*w] {
			row[x] = max(row[x], byte(float64(m)*opacity))
		}
	}
}

// addNoise adds a tile of signed bytes to a plane, eight pixels at a time;
// what is at least as far from black and white as the noise is strong does
// not wrap around.
func addNoise(plane, noise []byte) {
	const low, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	for i := 0; i+8 <= len(plane); i += 8 {
		a, b := binary.LittleEndian.Uint64(plane[i:]), binary.LittleEndian.Uint64(noise[i:])
		binary.LittleEndian.PutUint64(plane[i:], (a&low+b&low)^((a^b)&high))
	}
}
