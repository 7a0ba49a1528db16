package rtsp

import (
	"bytes"
	"slices"
)

// maxHeader is how much of a slice is looked at, in bytes: the longest header
// that an encoder in the wild writes has a tenth of it.
const maxHeader = 512

// qpReader reads with which quantisation parameter a slice begins. It keeps of
// the parameter sets what a slice header's fields depend on, and nothing of the
// slices. It is not safe for concurrent use.
//
// A node reads 15 slices a second of each of thousands of cameras, and none of
// what that takes is in the processor's cache any more when its turn comes: so
// all of it is small, and the newest set lies in the reader itself.
type qpReader struct {
	h265     bool
	newest   avcPPS
	avc      []avcPPS // the newest first
	hevc     []hevcPPS
	sps, pps [][]byte // as they were set
}

// setParams takes the parameter sets that the slices from now on use, as NAL
// units without start codes; of two with one id the later counts. It keeps the
// slices, whose bytes must not change. Setting the same again costs little.
func (q *qpReader) setParams(sps, pps [][]byte) {
	if slices.EqualFunc(q.sps, sps, bytes.Equal) && slices.EqualFunc(q.pps, pps, bytes.Equal) {
		return
	}
	q.sps, q.pps = slices.Clone(sps), slices.Clone(pps)
	if q.h265 {
		q.hevc = hevcSets(sps, pps)
	} else {
		q.avc, q.newest = avcSets(sps, pps), avcPPS{}
		if len(q.avc) > 0 {
			q.newest = q.avc[0]
		}
	}
}

// qp returns SliceQpY of a slice, 0..51 (H.264 7.4.3, H.265 7.4.7.1): what the
// first macroblock or coding unit is quantised with. nalu begins with the
// slice's NAL header and may be cut off anywhere behind the slice header. It
// answers false for what is no slice, what its parameter sets do not fit, and
// dependent slice segments of H.265, which have none of their own.
func (q *qpReader) qp(nalu []byte) (int, bool) {
	nalu = nalu[:min(len(nalu), maxHeader)]
	if q.h265 {
		return q.hevcQP(nalu)
	}
	return q.avcQP(nalu)
}

// clampQP makes what the syntax says a QP, or refuses it. Deep pictures go
// below 0 by 6 for every bit more than eight.
func clampQP(qp, depth int) (int, bool) {
	if qp < -6*(depth-8) || qp > 51 {
		return 0, false
	}
	return max(qp, 0), true
}
