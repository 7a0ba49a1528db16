package synth

import (
	"errors"
	"image"
)

// Encoder turns pictures into H.264 key units whose macroblocks are all I_PCM:
// the samples themselves, so that what is decoded is what was drawn. It is
// meant for small pictures; a key unit has 1.5 bytes a pixel.
type Encoder struct {
	width, height int
	idrPicID      uint32
}

// NewEncoder returns an encoder for pictures of the given size in pixels, each
// a multiple of 16, at most 1920 × 1088.
func NewEncoder(width, height int) (*Encoder, error) {
	if width < 16 || height < 16 || width%16 != 0 || height%16 != 0 || width > 1920 || height > 1088 {
		return nil, errors.New("synth: width and height must be multiples of 16, at most 1920 × 1088")
	}
	return &Encoder{width: width, height: height}, nil
}

const (
	nalSkip = 0x01 // slice of a non-IDR picture that nothing refers to
	nalIDR  = 0x65
	nalSPS  = 0x67
	nalPPS  = 0x68
)

// Params returns the sequence and picture parameter sets (ITU-T H.264 7.3.2.1,
// 7.3.2.2), without start codes.
func (e *Encoder) Params() (sps, pps []byte) {
	s := Bits{buf: []byte{nalSPS, 66, 0xC0, 40}} // constrained baseline, level 4
	s.UE(0)                                      // seq_parameter_set_id
	s.UE(0)                                      // log2_max_frame_num_minus4
	s.UE(2)                                      // pic_order_cnt_type: output order is decoding order
	s.UE(1)                                      // max_num_ref_frames
	s.U(1, 0)                                    // gaps_in_frame_num_value_allowed_flag
	s.UE(uint32(e.width/16 - 1))
	s.UE(uint32(e.height/16 - 1))
	s.U(1, 1) // frame_mbs_only_flag
	s.U(1, 1) // direct_8x8_inference_flag
	s.U(1, 0) // frame_cropping_flag
	s.U(1, 0) // vui_parameters_present_flag
	s.trail()

	p := Bits{buf: []byte{nalPPS}}
	p.UE(0)   // pic_parameter_set_id
	p.UE(0)   // seq_parameter_set_id
	p.U(1, 0) // entropy_coding_mode_flag: CAVLC
	p.U(1, 0) // bottom_field_pic_order_in_frame_present_flag
	p.UE(0)   // num_slice_groups_minus1
	p.UE(0)   // num_ref_idx_l0_default_active_minus1
	p.UE(0)   // num_ref_idx_l1_default_active_minus1
	p.U(1, 0) // weighted_pred_flag
	p.U(2, 0) // weighted_bipred_idc
	p.UE(0)   // pic_init_qp_minus26
	p.UE(0)   // pic_init_qs_minus26
	p.UE(0)   // chroma_qp_index_offset
	p.U(1, 1) // deblocking_filter_control_present_flag
	p.U(1, 0) // constrained_intra_pred_flag
	p.U(1, 0) // redundant_pic_cnt_present_flag
	p.trail()
	return Escape(s.buf), Escape(p.buf)
}

// Key encodes a picture of the encoder's size, 4:2:0, as one IDR slice
// (7.3.3, 7.3.5), without a start code.
func (e *Encoder) Key(img *image.YCbCr) ([]byte, error) {
	if img.Rect.Dx() != e.width || img.Rect.Dy() != e.height || img.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return nil, errors.New("synth: the picture has another size or is not 4:2:0")
	}
	b := Bits{buf: make([]byte, 0, e.width*e.height*3/2+e.width*e.height/64+64)}
	b.buf = append(b.buf, nalIDR)
	b.UE(0)   // first_mb_in_slice
	b.UE(7)   // slice_type: I, all slices of the picture
	b.UE(0)   // pic_parameter_set_id
	b.U(4, 0) // frame_num
	b.UE(e.idrPicID)
	b.U(1, 0) // no_output_of_prior_pics_flag
	b.U(1, 0) // long_term_reference_flag
	b.UE(0)   // slice_qp_delta
	b.UE(1)   // disable_deblocking_filter_idc
	e.idrPicID ^= 1
	for y := 0; y < e.height; y += 16 {
		for x := 0; x < e.width; x += 16 {
			b.UE(25) // mb_type: I_PCM
			b.align()
			b.block(img.Y[y*img.YStride+x:], img.YStride, 16)
			c := y/2*img.CStride + x/2
			b.block(img.Cb[c:], img.CStride, 8)
			b.block(img.Cr[c:], img.CStride, 8)
		}
	}
	b.trail()
	return Escape(b.buf), nil
}

// Skip returns a picture that repeats the one before it, as one P slice whose
// macroblocks are all skipped, without a start code.
func (e *Encoder) Skip() []byte {
	b := Bits{buf: []byte{nalSkip}}
	b.UE(0)   // first_mb_in_slice
	b.UE(5)   // slice_type: P, all slices of the picture
	b.UE(0)   // pic_parameter_set_id
	b.U(4, 1) // frame_num: one after the key unit, which alone is a reference
	b.U(1, 0) // num_ref_idx_active_override_flag
	b.U(1, 0) // ref_pic_list_modification_flag_l0
	b.UE(0)   // slice_qp_delta
	b.UE(1)   // disable_deblocking_filter_idc
	b.UE(uint32(e.width / 16 * e.height / 16))
	b.trail()
	return Escape(b.buf)
}

// Bits writes a bit stream, most significant bit first. The buffer holds whole
// bytes; free is the number of bits still free in its last one.
type Bits struct {
	buf  []byte
	free int
}

// U writes the low n bits of v.
func (b *Bits) U(n int, v uint32) {
	for i := n - 1; i >= 0; i-- {
		if b.free == 0 {
			b.buf = append(b.buf, 0)
			b.free = 8
		}
		b.free--
		b.buf[len(b.buf)-1] |= byte(v>>i&1) << b.free
	}
}

// UE writes an unsigned Exp-Golomb code (9.1).
func (b *Bits) UE(v uint32) {
	n := 0
	for x := v + 1; x > 1; x >>= 1 {
		n++
	}
	b.U(n, 0)
	b.U(n+1, v+1)
}

// SE writes a signed Exp-Golomb code (9.1.1).
func (b *Bits) SE(v int) {
	if v > 0 {
		b.UE(uint32(2*v - 1))
	} else {
		b.UE(uint32(-2 * v))
	}
}

// Free is the number of bits still free in the last byte.
func (b *Bits) Free() int { return b.free }

// Bytes returns what was written; free bits of the last byte are zero.
func (b *Bits) Bytes() []byte { return b.buf }

func (b *Bits) align() { b.free = 0 }

func (b *Bits) trail() {
	b.U(1, 1)
	b.align()
}

func (b *Bits) block(pix []byte, stride, size int) {
	for y := range size {
		b.buf = append(b.buf, pix[y*stride:y*stride+size]...)
	}
}

// Escape inserts emulation prevention bytes (7.4.1): no three bytes of a NAL
// unit may look like the beginning of a start code.
func Escape(nal []byte) []byte {
	out := make([]byte, 0, len(nal)+len(nal)/32)
	zeros := 0
	for _, c := range nal {
		if zeros >= 2 && c <= 3 {
			out = append(out, 3)
			zeros = 0
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}
