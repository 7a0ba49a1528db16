package play

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	rbsp "github.com/bluenviron/mediacommon/v2/pkg/bits"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"videopatrol/streams/synth"
)

// looks is how many looks a key unit has, each with pixels of its own.
const looks = 8

// Vary returns the GOP's picture parameter set for showing n ≥ 0, under which
// its key unit has pixels of its own.
//
// A sensor's noise makes any two pictures of a scene differ. A loop of encoded
// GOPs repeats to the bit, and whoever looks at the loop's own pace would call
// it frozen. So each showing scales the finest of the luma coefficients a
// little otherwise (ITU-T H.264, 7.3.2.2 and 7.3.2.1.1.1), which nobody sees;
// they repeat after looks.
func (g *GOP) Vary(n int) ([]byte, error) {
	g.once.Do(func() { g.varied, g.variedErr = varyPPS(g.SPS, g.PPS) })
	if g.variedErr != nil {
		return nil, g.variedErr
	}
	return g.varied[n%looks], nil
}

// pps is Vary, or where the stream cannot be varied its own: then it repeats.
func (g *GOP) pps(n int) []byte {
	if varied, err := g.Vary(n); err == nil {
		return varied
	}
	return g.PPS
}

var errNotVariable = errors.New("the stream is not one that can be varied: want a High profile of 4:2:0 and one slice group, without scaling lists")

// varyPPS returns a picture parameter set with other scaling lists for each look.
func varyPPS(spsNAL, ppsNAL []byte) ([looks][]byte, error) {
	var all [looks][]byte
	var sps h264.SPS
	if err := sps.Unmarshal(spsNAL); err != nil {
		return all, fmt.Errorf("sequence parameter set: %w", err)
	}
	raw := h264.EmulationPreventionRemove(ppsNAL)
	r := reader{buf: raw, pos: 8}
	r.ue() // pic_parameter_set_id
	r.ue() // seq_parameter_set_id
	r.u(2) // entropy_coding_mode_flag, bottom_field_pic_order_in_frame_present_flag
	groups := r.ue()
	r.ue() // num_ref_idx_l0_default_active_minus1
	r.ue() // num_ref_idx_l1_default_active_minus1
	r.u(3) // weighted_pred_flag, weighted_bipred_idc
	r.ue() // pic_init_qp_minus26
	r.ue() // pic_init_qs_minus26
	offset := r.se()
	r.u(3) // deblocking control, constrained intra prediction, redundant pictures
	head := r.pos
	var large, lists uint64
	if r.pos < trailing(raw) {
		large = r.u(1) // transform_8x8_mode_flag
		lists = r.u(1) // pic_scaling_matrix_present_flag
		offset = r.se()
	}
	switch {
	case r.err != nil:
		return all, fmt.Errorf("picture parameter set: %w", r.err)
	case sps.ProfileIdc < 100 || sps.ChromaFormatIdc != 1 || groups != 0 || lists != 0:
		return all, errNotVariable
	}
	for n := range all {
		w := synth.Bits{}
		for i := range head {
			w.U(1, uint32(raw[i/8]>>(7-i%8)&1))
		}
		w.U(1, uint32(large))
		w.U(1, 1) // pic_scaling_matrix_present_flag
		finest := flat + n - looks/2
		scalingList(&w, 16, 2, finest) // intra luma; the others are flat,
		scalingList(&w, 16, 0, flat)
		w.U(1, 0) // as the one before
		scalingList(&w, 16, 0, flat)
		w.U(2, 0)
		if large != 0 {
			scalingList(&w, 64, 8, finest)
			scalingList(&w, 64, 0, flat)
		}
		w.SE(offset) // second_chroma_qp_index_offset
		w.U(1, 1)    // rbsp_stop_one_bit
		all[n] = synth.Escape(w.Bytes())
	}
	return all, nil
}

const flat = 16 // a scale that leaves a coefficient as it is

// scalingList writes a list whose last few scales are not flat.
func scalingList(w *synth.Bits, size, last, scale int) {
	const first = 8 // what the first one is written against
	w.U(1, 1)       // pic_scaling_list_present_flag
	before := first
	for i := range size {
		next := flat
		if i >= size-last {
			next = scale
		}
		w.SE(next - before)
		before = next
	}
}

// trailing returns where the stop bit of a parameter set is.
func trailing(raw []byte) int {
	for i, b := range slices.Backward(raw) {
		if b != 0 {
			return 8*i + 7 - bits.TrailingZeros8(b)
		}
	}
	return 0
}

// reader reads a bit stream and keeps its first error.
type reader struct {
	buf []byte
	pos int // bits
	err error
}

func (r *reader) u(n int) (v uint64) {
	if r.err == nil {
		v, r.err = rbsp.ReadBits(r.buf, &r.pos, n)
	}
	return v
}

func (r *reader) ue() (v uint32) {
	if r.err == nil {
		v, r.err = rbsp.ReadGolombUnsigned(r.buf, &r.pos)
	}
	return v
}

func (r *reader) se() int {
	var v int32
	if r.err == nil {
		v, r.err = rbsp.ReadGolombSigned(r.buf, &r.pos)
	}
	return int(v)
}
