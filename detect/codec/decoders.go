package codec

/*
#cgo pkg-config: libavcodec libavutil
#include <stdlib.h>
#include "decode.h"
*/
import "C"

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"videopatrol/detect"
	"videopatrol/streams"
)

// Options are what Decoders need; all have defaults.
type Options struct {
	// MaxDecoders bounds how many decoders are kept open; 0 means 16.
	MaxDecoders int
	// MaxSide bounds width and height in pixels; 0 means detect.MaxSide,
	// which it must not exceed.
	MaxSide int
	// MaxUnit bounds the bytes of a unit; 0 means 8 MiB.
	MaxUnit int
}

// Errors of Decode, besides what libavcodec says.
var (
	ErrTooLarge = errors.New("the unit is too large")
	ErrEmpty    = errors.New("the unit holds nothing to decode")
	ErrCodec    = errors.New("no decoder for this codec")
	ErrDamaged  = errors.New("the picture is damaged")
	ErrFormat   = errors.New("the picture's pixel format is not supported")
)

// maxNALUs bounds what a unit may be cut into.
const maxNALUs = 4096

// Decoders is a pool of decoders, one for each codec and set of parameters
// that was lately used. It is not safe for concurrent use.
type Decoders struct {
	o Options
	// open holds the decoders, the most lately used last.
	open   []*decoder
	packet *C.AVPacket
	// frame is the newest picture, clear the same one for the eye.
	frame, clear *C.AVFrame
	spare        *C.AVFrame
	// input is C memory: libavcodec keeps no Go pointer.
	input         unsafe.Pointer
	inputSize     int
	chromaScratch [2][]byte
}

type decoder struct {
	key     [sha256.Size]byte
	context *C.AVCodecContext
}

var _ detect.Decoder = (*Decoders)(nil)

var names = map[streams.Codec]string{
	streams.CodecH264: "h264", streams.CodecH265: "hevc", streams.CodecJPEG: "mjpeg",
}

// New returns a pool without decoders.
func New(o Options) (*Decoders, error) {
	if o.MaxDecoders == 0 {
		o.MaxDecoders = 16
	}
	if o.MaxSide == 0 {
		o.MaxSide = detect.MaxSide
	}
	if o.MaxUnit == 0 {
		o.MaxUnit = 8 << 20
	}
	if o.MaxDecoders < 1 || o.MaxSide < detect.MinSide || o.MaxSide > detect.MaxSide || o.MaxUnit < 1 || o.MaxUnit > 1<<28 {
		return nil, fmt.Errorf("codec: MaxDecoders %d (at least 1), MaxSide %d (%d to %d) or MaxUnit %d (1 to 256 MiB) is out of range",
			o.MaxDecoders, o.MaxSide, detect.MinSide, detect.MaxSide, o.MaxUnit)
	}
	C.patrol_setup()
	d := &Decoders{o: o, packet: C.av_packet_alloc(), frame: C.av_frame_alloc(), clear: C.av_frame_alloc(), spare: C.av_frame_alloc()}
	if d.packet == nil || d.frame == nil || d.clear == nil || d.spare == nil {
		d.Close()
		return nil, errors.New("codec: out of memory")
	}
	return d, nil
}

// Close frees every decoder and the newest picture.
func (d *Decoders) Close() {
	for _, o := range d.open {
		C.patrol_close(o.context)
	}
	d.open = nil
	C.av_packet_free(&d.packet)
	C.av_frame_free(&d.frame)
	C.av_frame_free(&d.clear)
	C.av_frame_free(&d.spare)
	C.free(d.input)
	d.input, d.inputSize = nil, 0
}

// Decode returns the picture of a key unit; it is valid until the next call.
func (d *Decoders) Decode(u streams.Unit) (detect.Picture, error) { return d.decode(u, d.frame, true) }

// Glance decodes without the filters that smooth the blocks' edges for the eye
// (ITU-T H.264, 8.7; H.265, 8.7), which are a sixth of the work.
func (d *Decoders) Glance(u streams.Unit) (detect.Picture, error) {
	p, err := d.decode(u, d.frame, false)
	if err == nil && u.Codec != streams.CodecJPEG {
		p.Clear = func() (detect.Picture, error) { return d.decode(u, d.clear, true) }
	}
	return p, err
}

func (d *Decoders) decode(u streams.Unit, into *C.AVFrame, filtered bool) (detect.Picture, error) {
	n, err := d.load(u)
	if err != nil {
		return detect.Picture{}, err
	}
	dec, err := d.decoder(u)
	if err != nil {
		return detect.Picture{}, err
	}
	f := C.int(0)
	if filtered {
		f = 1
	}
	code := C.patrol_decode(dec.context, d.packet, into, d.spare, (*C.uint8_t)(d.input), C.int(n), f)
	if code < 0 || teaches(u) {
		d.drop(dec) // it may be in any state now; the frame lives on
	}
	if code < 0 {
		return detect.Picture{}, decodeError(code)
	}
	return d.picture(into)
}

// teaches tells whether a decoder would remember something of a unit that its
// key does not tell of: parameter sets among the slices, or a JPEG's tables.
// The next camera's unit might be decoded by them.
func teaches(u streams.Unit) bool {
	return slices.ContainsFunc(u.NALUs, func(n []byte) bool {
		switch {
		case u.Codec == streams.CodecH264 && len(n) > 0:
			return h264.NALUType(n[0]&0x1F) > h264.NALUTypeSEI // slices and messages come before
		case u.Codec == streams.CodecH265 && len(n) > 0:
			return h265.NALUType(n[0]>>1&0x3F) >= h265.NALUType_VPS_NUT
		default:
			return u.Codec == streams.CodecJPEG
		}
	})
}

// load writes the unit into C memory, padded, and returns its length.
func (d *Decoders) load(u streams.Unit) (int, error) {
	if len(u.Params)+len(u.NALUs) > maxNALUs {
		return 0, fmt.Errorf("%w: %d NAL units, at most %d", ErrTooLarge, len(u.Params)+len(u.NALUs), maxNALUs)
	}
	if len(u.NALUs) == 0 {
		return 0, ErrEmpty
	}
	startCode := []byte{0, 0, 0, 1}
	parts := u.Params
	if u.Codec == streams.CodecJPEG {
		startCode, parts = nil, nil
	}
	n := 0
	for _, list := range [][][]byte{parts, u.NALUs} {
		for _, p := range list {
			n += len(startCode) + len(p)
			if n > d.o.MaxUnit {
				return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, d.o.MaxUnit)
			}
		}
	}
	if want := n + C.AV_INPUT_BUFFER_PADDING_SIZE; want > d.inputSize {
		C.free(d.input)
		d.inputSize = max(want, 1<<16)
		d.input = C.malloc(C.size_t(d.inputSize))
	}
	to := unsafe.Slice((*byte)(d.input), d.inputSize)
	at := 0
	for _, list := range [][][]byte{parts, u.NALUs} {
		for _, p := range list {
			at += copy(to[at:], startCode)
			at += copy(to[at:], p)
		}
	}
	clear(to[at : at+C.AV_INPUT_BUFFER_PADDING_SIZE])
	return n, nil
}

// decoder returns the decoder for a unit, and opens it if need be.
func (d *Decoders) decoder(u streams.Unit) (*decoder, error) {
	key := keyOf(u)
	if i := slices.IndexFunc(d.open, func(o *decoder) bool { return o.key == key }); i >= 0 {
		o := d.open[i]
		d.open = append(slices.Delete(d.open, i, i+1), o)
		return o, nil
	}
	name, ok := names[u.Codec]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrCodec, u.Codec)
	}
	if err := checkSize(u, d.o.MaxSide); err != nil {
		return nil, err
	}
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	o := &decoder{key: key, context: C.patrol_open(cName, C.int(d.o.MaxSide))}
	if o.context == nil {
		return nil, fmt.Errorf("%w: libavcodec has no %s", ErrCodec, name)
	}
	if len(d.open) == d.o.MaxDecoders {
		C.patrol_close(d.open[0].context)
		d.open = slices.Delete(d.open, 0, 1)
	}
	d.open = append(d.open, o)
	return o, nil
}

func (d *Decoders) drop(o *decoder) {
	C.patrol_close(o.context)
	d.open = slices.DeleteFunc(d.open, func(p *decoder) bool { return p == o })
}

func keyOf(u streams.Unit) (key [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(u.Codec))
	for _, p := range u.Params {
		var n [4]byte
		binary.LittleEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	h.Sum(key[:0])
	return key
}

func decodeError(code C.int) error {
	switch code {
	case C.PATROL_NO_PICTURE:
		return fmt.Errorf("%w: the unit gave no picture", ErrDamaged)
	case C.PATROL_TWO_PICTURES:
		return fmt.Errorf("%w: the unit gave more than one picture", ErrDamaged)
	case C.PATROL_DAMAGED:
		return fmt.Errorf("%w: libavcodec found errors in it", ErrDamaged)
	case C.PATROL_UNTOUCHED:
		return fmt.Errorf("%w: parts of it are missing", ErrDamaged)
	}
	var text [128]C.char
	C.patrol_error(code, &text[0], C.int(len(text)))
	return fmt.Errorf("%w: libavcodec: %s", ErrDamaged, C.GoString(&text[0]))
}

// picture describes a frame.
func (d *Decoders) picture(frame *C.AVFrame) (detect.Picture, error) {
	var f C.patrol_picture
	C.patrol_describe(frame, &f)
	w, h := int(f.width), int(f.height)
	if w < detect.MinSide || h < detect.MinSide || w > d.o.MaxSide || h > d.o.MaxSide {
		return detect.Picture{}, fmt.Errorf("a picture of %d × %d pixels: each side must be %d to %d", w, h, detect.MinSide, d.o.MaxSide)
	}
	plane := func(i, w, h int) detect.Plane {
		stride := int(f.linesize[i])
		// Where the last row is a whole stride long, too, OpenCV takes the
		// plane as it is.
		size := h * stride
		if int64(f.size[i]) < int64(size) {
			size = (h-1)*stride + w
		}
		return detect.Plane{
			Pix:   unsafe.Slice((*byte)(f.data[i]), size),
			Width: w, Height: h, Stride: stride,
		}
	}
	p := detect.Picture{Y: plane(0, w, h), FullRange: f.full_range != 0}
	cw, ch := (w+1)/2, (h+1)/2
	switch f.format {
	case C.PATROL_420:
		p.Cb, p.Cr = plane(1, cw, ch), plane(2, cw, ch)
	case C.PATROL_422:
		p.Cb, p.Cr = d.thin(0, plane(1, cw, h), 1), d.thin(1, plane(2, cw, h), 1)
	case C.PATROL_444:
		p.Cb, p.Cr = d.thin(0, plane(1, w, h), 2), d.thin(1, plane(2, w, h), 2)
	case C.PATROL_GRAY:
		p.Cb, p.Cr = d.grey(0, cw, ch), d.grey(1, cw, ch)
	default:
		return detect.Picture{}, fmt.Errorf("%w: want 8-bit YCbCr 4:2:0, 4:2:2, 4:4:4 or grey", ErrFormat)
	}
	return p, nil
}

// thin takes every second row and every step-th column of a chroma plane.
func (d *Decoders) thin(i int, p detect.Plane, step int) detect.Plane {
	out := d.grey(i, (p.Width+step-1)/step, (p.Height+1)/2)
	for y := range out.Height {
		from, to := p.Row(2*y), out.Row(y)
		for x := range to {
			to[x] = from[x*step]
		}
	}
	return out
}

// grey returns a chroma plane without colour.
func (d *Decoders) grey(i, w, h int) detect.Plane {
	pix := slices.Grow(d.chromaScratch[i][:0], w*h)[:w*h]
	for j := range pix {
		pix[j] = 128
	}
	d.chromaScratch[i] = pix
	return detect.Plane{Pix: pix, Width: w, Height: h, Stride: w}
}
