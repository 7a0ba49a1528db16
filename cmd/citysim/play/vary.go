package play

import (
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/bits"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"videopatrol/streams/synth"
)

// Deblocking offsets that a varied key unit may have, as the slice header has
// them (7.4.3): so near to none that nobody sees it, and each gives other
// pixels.
const (
	minOffset, maxOffset = -2, 2
	offsets              = maxOffset - minOffset + 1
)

// Vary returns the GOP's key unit with pixels of its own for showing n ≥ 0.
//
// A sensor's noise makes any two pictures of a scene differ. A loop of encoded
// GOPs repeats to the bit, and whoever looks at the loop's own pace would call
// it frozen. At the price of a header, each showing gets other deblocking
// offsets (ITU-T H.264, 7.3.3 and 8.7); they repeat after 25.
func (g *GOP) Vary(n int) ([]byte, error) { return g.AppendVaried(nil, n) }

// AppendVaried is Vary into memory of the caller's.
func (g *GOP) AppendVaried(dst []byte, n int) ([]byte, error) {
	cut, err := g.cut()
	if err != nil {
		return dst, err
	}
	alpha := minOffset + n%offsets
	beta := minOffset + n/offsets%offsets
	w := synth.Bits{}
	for _, bit := range cut.header {
		w.U(1, uint32(bit))
	}
	w.UE(0) // disable_deblocking_filter_idc
	w.SE(alpha)
	w.SE(beta)
	for w.Free() > 0 {
		w.U(1, 1) // cabac_alignment_one_bit
	}
	header := w.Bytes()
	if header[len(header)-1] == 0 { // zeros may meet across the seam
		return append(dst, synth.Escape(append(header, h264.EmulationPreventionRemove(cut.data)...))...), nil
	}
	return append(append(dst, synth.Escape(header)...), cut.data...), nil
}

// slice is a key unit taken apart: the bits before the deblocking fields, one
// a byte, and the bytes after the header, escaped by themselves.
type slice struct {
	header []byte
	data   []byte
}

var errNotVariable = errors.New("the key unit is not one that can be varied: want progressive CABAC with deblocking control")

// cut takes the key unit apart, once.
func (g *GOP) cut() (slice, error) {
	g.once.Do(func() { g.slice, g.sliceErr = cutSlice(g.SPS, g.PPS, g.Units[0]) })
	return g.slice, g.sliceErr
}

func cutSlice(spsNAL, ppsNAL, unit []byte) (slice, error) {
	var sps h264.SPS
	if err := sps.Unmarshal(spsNAL); err != nil {
		return slice{}, fmt.Errorf("sequence parameter set: %w", err)
	}
	if !variable(ppsNAL) || !sps.FrameMbsOnlyFlag || sps.PicOrderCntType == 1 {
		return slice{}, errNotVariable
	}
	raw := h264.EmulationPreventionRemove(unit)
	r := reader{buf: raw, pos: 8}
	r.ue() // first_mb_in_slice
	r.ue() // slice_type
	r.ue() // pic_parameter_set_id
	r.u(int(sps.Log2MaxFrameNumMinus4) + 4)
	r.ue() // idr_pic_id
	if sps.PicOrderCntType == 0 {
		r.u(int(sps.Log2MaxPicOrderCntLsbMinus4) + 4)
	}
	r.u(2) // no_output_of_prior_pics_flag, long_term_reference_flag
	r.ue() // slice_qp_delta
	keep := r.pos
	if idc := r.ue(); idc != 1 {
		r.ue()
		r.ue()
	}
	if r.err != nil {
		return slice{}, fmt.Errorf("slice header: %w", r.err)
	}
	s := slice{data: synth.Escape(raw[(r.pos+7)/8:])}
	for i := range keep {
		s.header = append(s.header, raw[i/8]>>(7-i%8)&1)
	}
	return s, nil
}

// variable tells whether a picture parameter set means CABAC, one slice group
// and deblocking control, without redundant pictures.
func variable(pps []byte) bool {
	r := reader{buf: h264.EmulationPreventionRemove(pps), pos: 8}
	r.ue()          // pic_parameter_set_id
	r.ue()          // seq_parameter_set_id
	cabac := r.u(1) // entropy_coding_mode_flag
	order := r.u(1) // bottom_field_pic_order_in_frame_present_flag
	groups := r.ue()
	r.ue() // num_ref_idx_l0_default_active_minus1
	r.ue() // num_ref_idx_l1_default_active_minus1
	r.u(3) // weighted_pred_flag, weighted_bipred_idc
	r.ue() // pic_init_qp_minus26
	r.ue() // pic_init_qs_minus26
	r.ue() // chroma_qp_index_offset
	control := r.u(1)
	r.u(1) // constrained_intra_pred_flag
	redundant := r.u(1)
	return r.err == nil && cabac == 1 && order == 0 && groups == 0 && control == 1 && redundant == 0
}

// reader reads a bit stream and keeps its first error.
type reader struct {
	buf []byte
	pos int // bits
	err error
}

func (r *reader) u(n int) uint64 {
	if r.err != nil {
		return 0
	}
	var v uint64
	v, r.err = bits.ReadBits(r.buf, &r.pos, n)
	return v
}

// ue reads an Exp-Golomb code; a signed one has as many bits.
func (r *reader) ue() uint32 {
	if r.err != nil {
		return 0
	}
	var v uint32
	v, r.err = bits.ReadGolombUnsigned(r.buf, &r.pos)
	return v
}
