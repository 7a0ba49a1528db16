package rtsp

import (
	"math/bits"
	"slices"
)

// Slice types of H.265 (table 7-7).
const (
	hevcB = 0
	hevcI = 2
)

// maxRefs is how many pictures a reference picture set of H.265 can name.
const maxRefs = 16

// hevcSPS is what a slice header needs of a sequence parameter set (H.265
// 7.3.2.2.1).
type hevcSPS struct {
	id             int
	depth          int
	separatePlanes bool
	chroma         bool
	addressBits    int
	orderBits      int
	sao            bool
	sets           []refSet
	longTerm       bool
	longTerms      int
	longTermsUsed  uint32 // by index
	temporalMVP    bool
}

// refSet is a short-term reference picture set (7.4.8), negative deltas first.
type refSet struct {
	n     int
	delta [maxRefs]int32
	used  uint32 // by index
}

// hevcPPS is what a slice header needs of a picture parameter set (7.3.2.3.1)
// and its sequence's.
type hevcPPS struct {
	*hevcSPS
	id            int
	dependent     bool
	outputFlag    bool
	extraBits     int
	cabacInit     bool
	refs          [2]int
	qp            int
	weighted      bool
	bipred        bool
	modifiesLists bool
}

func hevcSets(spsNALUs, ppsNALUs [][]byte) []hevcPPS {
	var seqs []*hevcSPS
	for _, nalu := range spsNALUs {
		if s, ok := parseHEVCSPS(nalu); ok {
			seqs = append(seqs, s)
		}
	}
	var out []hevcPPS
	for _, nalu := range ppsNALUs {
		if p, ok := parseHEVCPPS(nalu, seqs); ok {
			out = append(out, p)
		}
	}
	slices.Reverse(out) // the newest is found first
	return out
}

func parseHEVCSPS(nalu []byte) (*hevcSPS, bool) {
	if len(nalu) < 2 || nalu[0]>>1&0x3f != 33 {
		return nil, false
	}
	s := &hevcSPS{}
	r := bitReader{b: nalu[2:]}
	r.u(4) // sps_video_parameter_set_id
	subLayers := int(r.u(3))
	r.flag() // sps_temporal_id_nesting_flag
	if !r.profileTierLevel(subLayers) {
		return nil, false
	}
	s.id = r.ueMax(15)
	format := r.ueMax(3)
	if format == 3 {
		s.separatePlanes = r.flag()
	}
	s.chroma = format != 0 && !s.separatePlanes
	width, height := r.ueMax(1<<16), r.ueMax(1<<16)
	if r.flag() {
		r.skipUE(4) // conformance window
	}
	s.depth = 8 + r.ueMax(8)
	r.ueMax(8) // bit_depth_chroma_minus8
	s.orderBits = r.ueMax(12) + 4
	infos := 1
	if r.flag() {
		infos = subLayers + 1
	}
	r.skipUE(3 * infos)
	ctb := 3 + r.ueMax(3) // log2_min_luma_coding_block_size_minus3
	ctb += r.ueMax(3)     // log2_diff_max_min_luma_coding_block_size
	across, down := (width+1<<ctb-1)>>ctb, (height+1<<ctb-1)>>ctb
	s.addressBits = bits.Len(uint(max(across*down, 1) - 1)) //nolint:gosec // positive
	r.skipUE(4)                                             // transform sizes and depths
	if r.flag() {                                           // scaling_list_enabled_flag
		if r.flag() { // sps_scaling_list_data_present_flag
			r.hevcScalingLists()
		}
	}
	r.flag() // amp_enabled_flag
	s.sao = r.flag()
	if r.flag() {
		r.u(8) // pcm sample depths
		r.skipUE(2)
		r.flag()
	}
	sets := r.ueMax(64)
	for i := range sets {
		set, ok := r.refSet(i, sets, s.sets)
		if !ok {
			return nil, false
		}
		s.sets = append(s.sets, set)
	}
	if s.longTerm = r.flag(); s.longTerm {
		s.longTerms = r.ueMax(32)
		for i := range s.longTerms {
			r.u(s.orderBits)
			s.longTermsUsed |= r.u(1) << i
		}
	}
	s.temporalMVP = r.flag()
	return s, !r.bad
}

// profileTierLevel skips it (7.3.3). It refuses the profiles of screen content,
// whose slice headers have more fields.
func (r *bitReader) profileTierLevel(subLayers int) bool {
	profile := r.u(8) & 0x1f
	r.u(32)
	r.u(32)
	r.u(16)
	r.u(8) // general_level_idc
	flags := uint32(0)
	if subLayers > 0 {
		flags = r.u(16) // two for each of up to eight
	}
	for i := range subLayers {
		if flags<<(2*i)&0x8000 != 0 {
			r.u(32)
			r.u(32)
			r.u(24)
		}
		if flags<<(2*i)&0x4000 != 0 {
			r.u(8)
		}
	}
	return profile != 9 && profile != 11 && !r.bad
}

// hevcScalingLists skips scaling_list_data (7.3.4).
func (r *bitReader) hevcScalingLists() {
	for size := range 4 {
		step := 1
		if size == 3 {
			step = 3
		}
		for matrix := 0; matrix < 6; matrix += step {
			if !r.flag() {
				r.ue()
				continue
			}
			if size > 1 {
				r.se()
			}
			r.skipSE(min(64, 1<<(4+2*size)))
		}
	}
}

// refSet reads st_ref_pic_set (7.3.7, 7.4.8): number i of a sequence's, or a
// slice's own where i is their number.
func (r *bitReader) refSet(i, sets int, known []refSet) (s refSet, ok bool) {
	if i > 0 && r.flag() {
		back := 1
		if i == sets {
			back = r.ueMax(63) + 1
		}
		if back > i || r.bad {
			return s, false
		}
		return r.predictedSet(&known[i-back])
	}
	negative, positive := r.ueMax(maxRefs), r.ueMax(maxRefs)
	if r.bad || negative+positive > maxRefs {
		return s, false
	}
	for _, side := range [2]struct{ n, sign int }{{negative, -1}, {positive, 1}} {
		delta := 0
		for range side.n {
			delta += side.sign * (r.ueMax(1<<15-1) + 1)
			s.add(int32(delta), r.flag()) //nolint:gosec // 16 × 2^15
		}
	}
	return s, !r.bad
}

func (s *refSet) add(delta int32, used bool) {
	s.delta[s.n] = delta
	if used {
		s.used |= 1 << s.n
	}
	s.n++
}

// predictedSet reads a set that is told by its difference from another
// (7-61, 7-62).
func (r *bitReader) predictedSet(ref *refSet) (s refSet, ok bool) {
	sign := int32(1)
	if r.flag() {
		sign = -1
	}
	shift := sign * int32(r.ueMax(1<<15-1)+1) //nolint:gosec // 15 bits
	var use, keep [maxRefs + 1]bool
	for j := range ref.n + 1 {
		use[j] = r.flag()
		keep[j] = use[j] || r.flag()
	}
	if r.bad {
		return s, false
	}
	full := false
	take := func(j int, side int32) {
		delta := shift
		if j < ref.n {
			delta += ref.delta[j]
		}
		if delta*side <= 0 || !keep[j] {
			return
		}
		if full = full || s.n == maxRefs; !full {
			s.add(delta, use[j])
		}
	}
	negatives := 0
	for negatives < ref.n && ref.delta[negatives] < 0 {
		negatives++
	}
	for j := ref.n - 1; j >= negatives; j-- {
		take(j, -1)
	}
	take(ref.n, -1)
	for j := range negatives {
		take(j, -1)
	}
	for j := negatives - 1; j >= 0; j-- {
		take(j, 1)
	}
	take(ref.n, 1)
	for j := negatives; j < ref.n; j++ {
		take(j, 1)
	}
	return s, !full
}

func parseHEVCPPS(nalu []byte, seqs []*hevcSPS) (p hevcPPS, ok bool) {
	if len(nalu) < 2 || nalu[0]>>1&0x3f != 34 {
		return p, false
	}
	r := bitReader{b: nalu[2:]}
	p.id = r.ueMax(63)
	seq := r.ueMax(15)
	for _, s := range seqs {
		if s.id == seq {
			p.hevcSPS = s
		}
	}
	p.dependent = r.flag()
	p.outputFlag = r.flag()
	p.extraBits = int(r.u(3))
	r.flag() // sign_data_hiding_enabled_flag
	p.cabacInit = r.flag()
	p.refs[0] = r.ueMax(14) + 1
	p.refs[1] = r.ueMax(14) + 1
	p.qp = 26 + r.se()
	r.u(2) // constrained_intra_pred_flag, transform_skip_enabled_flag
	if r.flag() {
		r.ue() // diff_cu_qp_delta_depth
	}
	r.skipSE(2) // chroma offsets
	r.flag()    // pps_slice_chroma_qp_offsets_present_flag
	p.weighted = r.flag()
	p.bipred = r.flag()
	r.flag() // transquant_bypass_enabled_flag
	tiles := r.flag()
	r.flag() // entropy_coding_sync_enabled_flag
	if tiles {
		columns, rows := r.ueMax(1<<10), r.ueMax(1<<10)
		if !r.flag() {
			r.skipUE(columns + rows)
		}
		r.flag() // loop_filter_across_tiles_enabled_flag
	}
	r.flag() // pps_loop_filter_across_slices_enabled_flag
	if r.flag() {
		r.flag() // deblocking_filter_override_enabled_flag
		if !r.flag() {
			r.skipSE(2)
		}
	}
	if r.flag() {
		r.hevcScalingLists()
	}
	p.modifiesLists = r.flag()
	return p, p.hevcSPS != nil && !r.bad
}

// hevcQP walks a slice segment header (7.3.6.1) up to slice_qp_delta.
func (q *qpReader) hevcQP(nalu []byte) (int, bool) {
	if len(nalu) < 3 {
		return 0, false
	}
	nalType := nalu[0] >> 1 & 0x3f
	layer := nalu[0]&1<<5 | nalu[1]>>3
	if nalType > 9 && (nalType < 16 || nalType > 21) || layer != 0 {
		return 0, false
	}
	r := bitReader{b: nalu[2:]}
	first := r.flag()
	if nalType >= 16 {
		r.flag() // no_output_of_prior_pics_flag
	}
	var p *hevcPPS
	for i, id := 0, r.ue(); i < len(q.hevc); i++ {
		if uint32(q.hevc[i].id) == id { //nolint:gosec // 0..63
			p = &q.hevc[i]
			break
		}
	}
	if p == nil || r.bad {
		return 0, false
	}
	if !first {
		if p.dependent && r.flag() {
			return 0, false
		}
		r.u(p.addressBits)
	}
	r.u(p.extraBits)
	sliceType := r.ueMax(2)
	if p.outputFlag {
		r.flag()
	}
	if p.separatePlanes {
		r.u(2)
	}
	refs, mvp := 0, false // NumPicTotalCurr (7-55), slice_temporal_mvp_enabled_flag
	if nalType != 19 && nalType != 20 {
		r.u(p.orderBits)
		var ok bool
		if refs, ok = r.references(p.hevcSPS); !ok {
			return 0, false
		}
		mvp = p.temporalMVP && r.flag()
	}
	if p.sao {
		r.flag()
		if p.chroma {
			r.flag()
		}
	}
	if sliceType != hevcI {
		r.prediction(p, sliceType == hevcB, refs, mvp)
	}
	qp := p.qp + r.se()
	if r.bad {
		return 0, false
	}
	return clampQP(qp, p.depth)
}

// references skips a slice's reference picture sets and counts those that its
// picture uses.
func (r *bitReader) references(s *hevcSPS) (used int, ok bool) {
	if r.flag() {
		if len(s.sets) == 0 {
			return 0, false
		}
		i := int(r.u(bits.Len(uint(len(s.sets)) - 1)))
		if i >= len(s.sets) {
			return 0, false
		}
		used = bits.OnesCount32(s.sets[i].used)
	} else {
		set, ok := r.refSet(len(s.sets), len(s.sets), s.sets)
		if !ok {
			return 0, false
		}
		used = bits.OnesCount32(set.used)
	}
	if !s.longTerm {
		return used, !r.bad
	}
	known := 0
	if s.longTerms > 0 {
		known = r.ueMax(32)
	}
	own := r.ueMax(32)
	for i := range known + own {
		if i < known {
			at := r.u(bits.Len(uint(s.longTerms) - 1)) //nolint:gosec // 1..32 where there are known ones
			used += int(s.longTermsUsed >> at & 1)
		} else {
			r.u(s.orderBits)
			used += int(r.u(1))
		}
		if r.flag() {
			r.ue() // delta_poc_msb_cycle_lt
		}
	}
	return used, !r.bad
}

// prediction skips what only P and B slices have.
func (r *bitReader) prediction(p *hevcPPS, bidirectional bool, used int, mvp bool) {
	lists, counts := 1, p.refs
	if bidirectional {
		lists = 2
	}
	if r.flag() {
		for i := range lists {
			counts[i] = r.ueMax(14) + 1
		}
	}
	if p.modifiesLists && used > 1 {
		for _, n := range counts[:lists] {
			if !r.flag() {
				continue
			}
			for range n {
				r.u(bits.Len(uint(used) - 1)) //nolint:gosec // more than 1
			}
		}
	}
	if bidirectional {
		r.flag() // mvd_l1_zero_flag
	}
	if p.cabacInit {
		r.flag()
	}
	if mvp {
		list := 0
		if bidirectional && !r.flag() { // collocated_from_l0_flag
			list = 1
		}
		if counts[list] > 1 {
			r.ue()
		}
	}
	if p.weighted && !bidirectional || p.bipred && bidirectional {
		r.hevcWeights(p.chroma, counts[:lists])
	}
	r.ueMax(4) // five_minus_max_num_merge_cand
}

// hevcWeights skips pred_weight_table (7.3.6.3).
func (r *bitReader) hevcWeights(chroma bool, counts []int) {
	r.ue() // luma_log2_weight_denom
	if chroma {
		r.se()
	}
	for _, n := range counts {
		luma, colour := r.u(n), uint32(0)
		if chroma {
			colour = r.u(n)
		}
		r.skipSE(2*bits.OnesCount32(luma) + 4*bits.OnesCount32(colour))
	}
}
