package rtsp

import (
	"math/bits"
	"slices"
)

// Slice types of H.264 (table 7-6) modulo 5.
const (
	avcP  = 0
	avcB  = 1
	avcI  = 2
	avcSP = 3
	avcSI = 4
)

// avcSPS is what a slice header needs of a sequence parameter set (H.264
// 7.3.2.1.1).
type avcSPS struct {
	known            bool
	id               uint8
	depth            uint8
	separatePlanes   bool
	chroma           bool // ChromaArrayType is not 0
	frameNumBits     uint8
	orderType        uint8
	orderBits        uint8
	orderAlwaysZero  bool
	fieldsMayBeCoded bool
}

// avcPPS is the same of a picture parameter set (7.3.2.2) and its sequence's.
type avcPPS struct {
	avcSPS
	id           uint8
	cabac        bool
	bottomOrder  bool
	refs         [2]uint8 // by list
	weighted     bool
	bipred       uint8
	redundantCnt bool
	qp           int32
}

func avcSets(spsNALUs, ppsNALUs [][]byte) []avcPPS {
	var seqs []avcSPS
	for _, nalu := range spsNALUs {
		if s, ok := parseAVCSPS(nalu); ok {
			seqs = append(seqs, s)
		}
	}
	var out []avcPPS
	for _, nalu := range ppsNALUs {
		if p, ok := parseAVCPPS(nalu, seqs); ok {
			out = append(out, p)
		}
	}
	slices.Reverse(out) // the newest is found first
	return out
}

func parseAVCSPS(nalu []byte) (s avcSPS, ok bool) {
	if len(nalu) == 0 || nalu[0]&0x1f != 7 {
		return s, false
	}
	r := bitReader{b: nalu[1:]}
	profile := r.u(8)
	r.u(16) // constraints, level_idc
	s.known, s.id = true, r.small(31)
	format := 1
	s.depth = 8
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		if format = r.ueMax(3); format == 3 {
			s.separatePlanes = r.flag()
		}
		s.depth += r.small(6)
		r.ueMax(6) // bit_depth_chroma_minus8
		r.flag()   // qpprime_y_zero_transform_bypass_flag
		if r.flag() {
			lists := 8
			if format == 3 {
				lists = 12
			}
			for i := range lists {
				if r.flag() {
					r.scalingList(i < 6)
				}
			}
		}
	}
	s.chroma = format != 0 && !s.separatePlanes
	s.frameNumBits = r.small(12) + 4
	switch s.orderType = r.small(2); s.orderType {
	case 0:
		s.orderBits = r.small(12) + 4
	case 1:
		s.orderAlwaysZero = r.flag()
		r.se() // offset_for_non_ref_pic
		r.se() // offset_for_top_to_bottom_field
		for range r.ueMax(255) {
			r.se()
		}
	}
	r.ue()   // max_num_ref_frames
	r.flag() // gaps_in_frame_num_value_allowed_flag
	r.ue()   // pic_width_in_mbs_minus1
	r.ue()   // pic_height_in_map_units_minus1
	s.fieldsMayBeCoded = !r.flag()
	return s, !r.bad
}

// scalingList skips one (7.3.2.1.1.1).
func (r *bitReader) scalingList(small bool) {
	n := 64
	if small {
		n = 16
	}
	last, next := 8, 8
	for range n {
		if next != 0 {
			next = (last + r.se()) & 0xff
		}
		if next != 0 {
			last = next
		}
	}
}

func parseAVCPPS(nalu []byte, seqs []avcSPS) (p avcPPS, ok bool) {
	if len(nalu) == 0 || nalu[0]&0x1f != 8 {
		return p, false
	}
	r := bitReader{b: nalu[1:]}
	p.id = r.small(255)
	seq := r.small(31)
	for _, s := range seqs {
		if s.id == seq {
			p.avcSPS, ok = s, true
		}
	}
	p.cabac = r.flag()
	p.bottomOrder = r.flag()
	if groups := r.ueMax(7); groups > 0 {
		r.sliceGroups(groups)
	}
	p.refs[0] = r.small(31) + 1
	p.refs[1] = r.small(31) + 1
	p.weighted = r.flag()
	p.bipred = uint8(r.u(2))  //nolint:gosec // two bits
	p.qp = 26 + int32(r.se()) //nolint:gosec // at most 32 bits
	r.se()                    // pic_init_qs_minus26
	r.se()                    // chroma_qp_index_offset
	r.flag()                  // deblocking_filter_control_present_flag
	r.flag()                  // constrained_intra_pred_flag
	p.redundantCnt = r.flag()
	return p, ok && !r.bad
}

// sliceGroups skips the map of the slice groups, n more than one (7.3.2.2).
func (r *bitReader) sliceGroups(n int) {
	switch r.ueMax(6) {
	case 0:
		for range n + 1 {
			r.ue()
		}
	case 2:
		for range n {
			r.ue()
			r.ue()
		}
	case 3, 4, 5:
		r.flag()
		r.ue()
	case 6:
		units := r.ueMax(1<<20) + 1
		for range units {
			if r.bad {
				return
			}
			r.u(bits.Len(uint(n)))
		}
	}
}

// avcQP walks a slice header (7.3.3) up to slice_qp_delta.
func (q *qpReader) avcQP(nalu []byte) (int, bool) {
	if len(nalu) < 2 {
		return 0, false
	}
	nalType := nalu[0] & 0x1f
	idr, reference := nalType == 5, nalu[0]&0x60 != 0
	if nalType != 1 && nalType != 2 && !idr {
		return 0, false
	}
	r := bitReader{b: nalu[1:]}
	r.ue() // first_mb_in_slice
	sliceType := r.ueMax(9) % 5
	p, id := &q.newest, r.ue()
	for i := 0; uint32(p.id) != id && i < len(q.avc); i++ {
		p = &q.avc[i]
	}
	if uint32(p.id) != id || !p.known || r.bad {
		return 0, false
	}
	if p.separatePlanes {
		r.u(2)
	}
	r.u(int(p.frameNumBits))
	field := p.fieldsMayBeCoded && r.flag()
	if field {
		r.flag() // bottom_field_flag
	}
	if idr {
		r.ue() // idr_pic_id
	}
	switch {
	case p.orderType == 0:
		r.u(int(p.orderBits))
		if p.bottomOrder && !field {
			r.se()
		}
	case p.orderType == 1 && !p.orderAlwaysZero:
		r.se()
		if p.bottomOrder && !field {
			r.se()
		}
	}
	if p.redundantCnt {
		r.ue()
	}
	refs, lists := p.refs, 0
	switch sliceType {
	case avcP, avcSP:
		lists = 1
	case avcB:
		lists = 2
		r.flag() // direct_spatial_mv_pred_flag
	}
	if lists > 0 && r.flag() {
		for i := range lists {
			refs[i] = r.small(31) + 1
		}
	}
	for range lists {
		r.refPicListModification()
	}
	if p.weighted && lists == 1 || p.bipred == 1 && lists == 2 {
		r.avcWeights(p.chroma, refs[:lists])
	}
	if reference {
		r.decRefPicMarking(idr)
	}
	if p.cabac && sliceType != avcI && sliceType != avcSI {
		r.ueMax(2) // cabac_init_idc
	}
	qp := int(p.qp) + r.se()
	if r.bad {
		return 0, false
	}
	return clampQP(qp, int(p.depth))
}

// refPicListModification skips one list's (7.3.3.1). A list of 32 has at most
// 33 entries.
func (r *bitReader) refPicListModification() {
	if !r.flag() {
		return
	}
	for range 34 {
		if r.bad || r.ueMax(3) == 3 {
			return
		}
		r.ue()
	}
	r.bad = true
}

// avcWeights skips pred_weight_table (7.3.3.2).
func (r *bitReader) avcWeights(chroma bool, refs []uint8) {
	r.ue() // luma_log2_weight_denom
	if chroma {
		r.ue()
	}
	for _, n := range refs {
		for range n {
			if r.flag() {
				r.skipSE(2)
			}
			if chroma && r.flag() {
				r.skipSE(4)
			}
		}
	}
}

// decRefPicMarking skips it (7.3.3.3).
func (r *bitReader) decRefPicMarking(idr bool) {
	if idr {
		r.u(2)
		return
	}
	if !r.flag() {
		return
	}
	for range 66 {
		op := r.ueMax(6)
		if r.bad || op == 0 {
			return
		}
		if op != 5 {
			r.ue()
		}
		if op == 3 {
			r.ue()
		}
	}
	r.bad = true
}
