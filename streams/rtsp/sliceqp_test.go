package rtsp_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"videopatrol/streams/rtsp"
	"videopatrol/streams/synth"
)

// encodings are streams whose slice headers have all that encoders write.
var encodings = []struct {
	name   string
	source string // lavfi; "" is moving and fading
	args   []string
}{
	{"h264/fixed qp, CAVLC", "", []string{"-c:v", "libx264", "-profile:v", "baseline", "-qp", "30"}},
	{"h264/a surveillance camera", "", []string{"-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-b:v", "200k", "-maxrate", "200k", "-bufsize", "100k"}},
	{"h264/everything that x264 has", "", []string{"-c:v", "libx264", "-preset", "veryslow", "-crf", "28", "-bf", "5", "-x264-params", "ref=8:weightp=2:weightb=1:b-pyramid=normal:keyint=30"}},
	{"h264/slices", "", []string{"-c:v", "libx264", "-crf", "30", "-x264-params", "slices=4:ref=3:bframes=2:b-pyramid=strict"}},
	{"h264/interlaced", "", []string{"-c:v", "libx264", "-crf", "26", "-flags", "+ildct+ilme", "-x264-params", "tff=1:ref=4:bframes=2:weightp=2"}},
	{"h264/interlaced by name", "", []string{"-c:v", "libx264", "-crf", "26", "-x264-params", "fake-interlaced=1:bframes=2"}},
	{"h264/intra refresh, filler", "", []string{"-c:v", "libx264", "-b:v", "500k", "-maxrate", "500k", "-bufsize", "500k", "-x264-params", "intra-refresh=1:nal-hrd=cbr:aud=1"}},
	{"h264/scaling lists, 4:4:4", "", []string{"-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv444p", "-x264-params", "cqm=jvt:weightp=2:bframes=3"}},
	{"h264/ten bits", "", []string{"-c:v", "libx264", "-crf", "4", "-pix_fmt", "yuv420p10le", "-x264-params", "bframes=2:weightp=2"}},
	{"h264/open GOP, grey", "", []string{"-c:v", "libx264", "-crf", "30", "-pix_fmt", "gray", "-x264-params", "open-gop=1:keyint=20:bframes=3:weightp=2"}},
	{"h264/very small", "color=gray:size=32x32:rate=15:duration=4", []string{"-c:v", "libx264", "-crf", "23"}},
	{"h265/a surveillance camera", "", []string{"-c:v", "libx265", "-preset", "superfast", "-tune", "zerolatency", "-b:v", "200k", "-maxrate", "200k", "-bufsize", "100k"}},
	{"h265/fixed qp", "", []string{"-c:v", "libx265", "-preset", "superfast", "-x265-params", "qp=33:bframes=0:no-sao=1"}},
	{"h265/everything that x265 has", "", []string{"-c:v", "libx265", "-preset", "medium", "-crf", "26", "-x265-params", "ref=5:bframes=5:weightp=1:weightb=1:b-pyramid=1:keyint=30:scaling-list=default"}},
	{"h265/slices, temporal layers", "", []string{"-c:v", "libx265", "-preset", "superfast", "-crf", "28", "-x265-params", "slices=4:temporal-layers=1:bframes=4:ctu=16:wpp=1"}},
	{"h265/sets in the SPS, QP in the PPS", "", []string{"-c:v", "libx265", "-preset", "superfast", "-crf", "28", "-x265-params", "multi-pass-opt-rps=1:opt-qp-pps=1:opt-ref-list-length-pps=1:bframes=3:repeat-headers=1"}},
	{"h265/ten bits, 4:2:2", "", []string{"-c:v", "libx265", "-preset", "superfast", "-crf", "10", "-pix_fmt", "yuv422p10le", "-x265-params", "weightp=1:bframes=2:open-gop=1:keyint=20"}},
	{"h265/grey", "", []string{"-c:v", "libx265", "-preset", "superfast", "-crf", "28", "-pix_fmt", "gray", "-x265-params", "weightp=1:weightb=1:bframes=2"}},
	{"h265/interlaced", "", []string{"-c:v", "libx265", "-preset", "superfast", "-crf", "28", "-x265-params", "interlace=tff:bframes=2"}},
}

const moving = "testsrc2=size=352x288:rate=15:duration=4,fade=in:0:20,fade=out:30:25"

// TestSliceQP compares what is read with ffmpeg's own account of every header.
func TestSliceQP(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: there is nothing to compare with")
	}
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			h265 := e.name[3] == '5'
			source := e.source
			if source == "" {
				source = moving
			}
			file := filepath.Join(t.TempDir(), "stream."+e.name[:4])
			args := append([]string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", source, "-threads", "1"}, e.args...)
			if out, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, file)...).CombinedOutput(); err != nil {
				t.Skipf("this ffmpeg does not make it: %v: %s", err, out)
			}
			compareQP(t, h265, file)
		})
	}
}

// TestSliceQPRealCamera does the same with footage that a camera's own encoder
// made.
func TestSliceQPRealCamera(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: there is nothing to compare with")
	}
	for name, h265 := range map[string]bool{"nvidia-Retail02_short.mp4": true, "furg-house6.mp4": false, "ahmetozlu-input_video.mp4": false} {
		t.Run(name, func(t *testing.T) {
			ext := map[bool]string{false: "h264", true: "hevc"}[h265]
			file := filepath.Join(t.TempDir(), "stream."+ext)
			cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-nostdin", "-i", clipFile(t, name), "-an", "-t", "10", "-c", "copy", "-f", ext, file)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("ffmpeg: %v: %s", err, out)
			}
			compareQP(t, h265, file)
		})
	}
}

// clipFile is a real clip's path; without it the test is skipped.
func clipFile(tb testing.TB, name string) string {
	tb.Helper()
	dir := os.Getenv("PATROL_MEDIA")
	if dir == "" {
		dir = "../../../shared/media"
	}
	file := filepath.Join(dir, "video", name)
	if _, err := os.Stat(file); err != nil {
		tb.Skipf("no real footage: %v; set PATROL_MEDIA to its folder", err)
	}
	return file
}

// traced is a line of ffmpeg's trace_headers: a header's name, or a field.
var traced = regexp.MustCompile(`(?m)^\[trace_headers[^]]*\] (?:([A-Z][A-Za-z ]+)|\d+ +([a-z_0-9]+)\S* +[01]+ = (-?\d+))$`)

// tracedQPs are the QPs of a file's slices by ffmpeg's account, clamped to
// 0..51.
func tracedQPs(t *testing.T, file string) []int {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-hide_banner", "-nostdin", "-i", file, "-c:v", "copy", "-bsf:v", "trace_headers", "-f", "null", "-")
	cmd.Stderr = &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	initial := map[int]int{}
	var qps []int
	header, pps := "", 0
	for _, m := range traced.FindAllStringSubmatch(log.String(), -1) {
		if m[1] != "" {
			header = m[1]
			continue
		}
		v, err := strconv.Atoi(m[3])
		if err != nil {
			t.Fatal(err)
		}
		switch m[2] {
		case "pic_parameter_set_id", "pps_pic_parameter_set_id", "slice_pic_parameter_set_id":
			pps = v
		case "pic_init_qp_minus26", "init_qp_minus26":
			initial[pps] = 26 + v
		case "slice_qp_delta":
			if _, known := initial[pps]; !known {
				t.Fatalf("a %s without its parameter set", header)
			}
			qps = append(qps, max(initial[pps]+v, 0))
		}
	}
	return qps
}

// compareQP reads a stream's QPs, and compares them with ffmpeg's account.
func compareQP(t *testing.T, h265 bool, file string) {
	t.Helper()
	stream, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := tracedQPs(t, file)
	var got []int
	q := rtsp.NewQPReader(h265)
	err = eachSlice(stream, h265, q, func(nalu []byte) error {
		// The first packet of a fragmented slice is about this long.
		qp, ok := q.QP(nalu[:min(len(nalu), 1200)])
		if !ok {
			return fmt.Errorf("slice %d, % x, cannot be read", len(got), nalu[:min(len(nalu), 16)])
		}
		got = append(got, qp)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("%d slices, ffmpeg counts %d", len(got), len(want))
	}
	wrong, distinct := 0, map[int]bool{}
	for i := range got {
		distinct[got[i]] = true
		if got[i] != want[i] {
			if wrong++; wrong <= 5 {
				t.Errorf("slice %d: QP %d, ffmpeg reads %d", i, got[i], want[i])
			}
		}
	}
	t.Logf("%d slices, %d different QPs, %d wrong", len(got), len(distinct), wrong)
}

// eachSlice shows a stream's slices, and keeps the reader's parameter sets up
// to date.
func eachSlice(stream []byte, h265 bool, q *rtsp.QPReader, see func(nalu []byte) error) error {
	var sps, pps [][]byte
	for nalu := range bytes.SplitSeq(stream, []byte{0, 0, 1}) {
		nalu = bytes.TrimRight(nalu, "\x00")
		if len(nalu) < 2 {
			continue
		}
		kind := nalu[0] & 0x1f
		isSPS, isPPS, isSlice := kind == 7, kind == 8, kind == 1 || kind == 5
		if h265 {
			kind = nalu[0] >> 1 & 0x3f
			isSPS, isPPS, isSlice = kind == 33, kind == 34, kind < 22
		}
		switch {
		case isSPS:
			sps = append(sps, nalu)
			q.SetParams(sps, pps)
		case isPPS:
			pps = append(pps, nalu)
			q.SetParams(sps, pps)
		case isSlice:
			if err := see(nalu); err != nil {
				return err
			}
		}
	}
	if len(sps) == 0 || len(pps) == 0 {
		return errors.New("no parameter sets")
	}
	return nil
}

// avcStream is what a hand-made H.264 stream says of itself.
type avcStream struct {
	profile   uint32
	separate  bool
	orderType uint32
	frames    bool
	redundant bool
	groups    bool
	weighted  bool
	qp        int
}

// params writes its parameter sets (H.264 7.3.2.1.1, 7.3.2.2).
func (s avcStream) params() (sps, pps []byte) {
	var b synth.Bits
	flag := func(v bool) {
		if v {
			b.U(1, 1)
		} else {
			b.U(1, 0)
		}
	}
	b.U(8, 0x67)
	b.U(8, s.profile)
	b.U(16, 30)
	b.UE(3)
	if s.profile == 244 {
		b.UE(3) // 4:4:4
		flag(s.separate)
		b.UE(0)
		b.UE(0)
		b.U(1, 0)
		b.U(1, 1) // scaling matrix: one list, ended at once
		b.U(1, 1)
		b.SE(-8)
		for range 11 {
			b.U(1, 0)
		}
	}
	b.UE(2) // six bits of frame_num
	b.UE(s.orderType)
	switch s.orderType {
	case 0:
		b.UE(1) // five bits
	case 1:
		b.U(1, 0)
		b.SE(-3)
		b.SE(2)
		b.UE(2)
		b.SE(1)
		b.SE(-1)
	}
	b.UE(4)
	b.U(1, 0)
	b.UE(10)
	b.UE(8)
	flag(s.frames)
	b.U(8, 0x80)
	sps = synth.Escape(b.Bytes())

	b = synth.Bits{}
	b.U(8, 0x68)
	b.UE(5)
	b.UE(3)
	b.U(1, 1) // CABAC
	b.U(1, 1) // bottom_field_pic_order_in_frame_present_flag
	if s.groups {
		b.UE(2) // three groups, each macroblock told
		b.UE(6)
		b.UE(98)
		for i := range 99 {
			b.U(2, uint32(i%3))
		}
	} else {
		b.UE(0)
	}
	b.UE(1)
	b.UE(0)
	flag(s.weighted)
	b.U(2, 1)
	b.SE(s.qp - 26)
	b.SE(0)
	b.SE(-2)
	b.U(2, 2)
	flag(s.redundant)
	b.U(8, 0x80)
	return sps, synth.Escape(b.Bytes())
}

// TestSliceQPByHand reads what x264 cannot write.
func TestSliceQPByHand(t *testing.T) {
	// Each writes a slice behind its first three fields, up to slice_qp_delta.
	for name, c := range map[string]struct {
		stream    avcStream
		head      byte
		sliceType uint32
		write     func(b *synth.Bits)
	}{
		"separate planes, P": {avcStream{profile: 244, separate: true, frames: true, weighted: true, orderType: 2}, 0x41, 5, func(b *synth.Bits) {
			b.U(2, 1)  // colour_plane_id
			b.U(6, 63) // frame_num
			b.U(1, 0)  // refs as in the PPS: two
			b.U(1, 1)  // modified
			b.UE(0)
			b.UE(4)
			b.UE(2)
			b.UE(0)
			b.UE(3)
			b.UE(5)   // luma_log2_weight_denom, no chroma
			b.U(1, 1) // the first is weighted
			b.SE(33)
			b.SE(-7)
			b.U(1, 0)
			b.U(1, 1) // adaptive marking
			b.UE(3)
			b.UE(1)
			b.UE(0)
			b.UE(5)
			b.UE(0)
			b.UE(2) // cabac_init_idc
		}},
		"field, order type 0, B": {avcStream{profile: 77, redundant: true}, 0x01, 6, func(b *synth.Bits) {
			b.U(6, 0) // frame_num
			b.U(2, 3) // a bottom field
			b.U(5, 0) // order, without the bottom's
			b.UE(0)   // redundant_pic_cnt
			b.U(1, 1) // direct_spatial_mv_pred_flag
			b.U(1, 1) // refs of its own
			b.UE(0)
			b.UE(1)
			b.U(2, 0) // not modified
			b.UE(0)   // weights
			b.UE(0)
			b.U(2, 1) // list 0: chroma is weighted
			b.SE(1)
			b.SE(-1)
			b.SE(2)
			b.SE(-2)
			b.U(4, 0)
			b.UE(1) // cabac_init_idc
		}},
		"frame, order type 1, I": {avcStream{profile: 100 - 23, orderType: 1, groups: true}, 0x61, 2, func(b *synth.Bits) {
			b.U(6, 9)
			b.U(1, 0) // a frame
			b.SE(-4)  // delta_pic_order_cnt
			b.SE(3)
			b.U(1, 0) // no adaptive marking
		}},
		"IDR": {avcStream{profile: 66, frames: true}, 0x65, 7, func(b *synth.Bits) {
			b.U(6, 0)
			b.UE(65535)
			b.U(5, 0)
			b.SE(1)
			b.U(2, 0)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.stream.qp = 31
			sps, pps := c.stream.params()
			var b synth.Bits
			b.U(8, uint32(c.head))
			b.UE(396) // first_mb_in_slice
			b.UE(c.sliceType)
			b.UE(5)
			c.write(&b)
			b.SE(-9)
			b.U(8, 0x80)
			q := rtsp.NewQPReader(false)
			nalu := synth.Escape(b.Bytes())
			if qp, ok := q.QP(nalu); ok {
				t.Errorf("QP %d without parameter sets", qp)
			}
			q.SetParams([][]byte{sps}, [][]byte{pps})
			if qp, ok := q.QP(nalu); qp != 22 || !ok {
				t.Errorf("QP %d, %v, want 22", qp, ok)
			}
			for n := range len(nalu) - 1 { // cut off at every place
				if qp, ok := q.QP(nalu[:n]); ok && qp != 22 {
					t.Errorf("QP %d of the first %d bytes", qp, n)
				}
			}
		})
	}
}

// hevcParams writes parameter sets with what x265 does not use: two sub-layers
// of their own profile, scaling lists, three reference picture sets of which one
// is predicted, long-term pictures, PCM, tiles, dependent slices.
func hevcParams() (sps, pps []byte) {
	var b synth.Bits
	b.U(16, 33<<9|1)
	b.U(4, 0)
	b.U(3, 2) // three sub-layers
	b.U(1, 1)
	b.U(8, 1)
	for range 10 {
		b.U(8, 0xaa)
	}
	b.U(8, 93)
	b.U(16, 0xd000) // both with a level, the first with a profile
	for range 11 + 1 + 1 {
		b.U(8, 0x33)
	}
	b.UE(2) // sps_seq_parameter_set_id
	b.UE(1)
	b.UE(704)
	b.UE(576)
	b.U(1, 0)
	b.UE(0)
	b.UE(0)
	b.UE(4)   // eight bits of order
	b.U(1, 1) // what follows three times
	for range 9 {
		b.UE(3)
	}
	b.UE(0) // coding blocks of 8
	b.UE(3) // … 64: 11 × 9
	for range 4 {
		b.UE(1)
	}
	b.U(2, 3) // scaling lists in the SPS
	for size := range 4 {
		for matrix := 0; matrix < 6; matrix += 1 + size/3*2 {
			if matrix > 0 {
				b.U(1, 0)
				b.UE(0)
				continue
			}
			b.U(1, 1)
			if size > 1 {
				b.SE(5)
			}
			for i := range min(64, 16<<(2*size)) {
				b.SE(i%3 - 1)
			}
		}
	}
	b.U(1, 1) // amp
	b.U(1, 1) // sao
	b.U(1, 1) // pcm
	b.U(8, 0x77)
	b.UE(0)
	b.UE(1)
	b.U(1, 1)
	b.UE(3) // reference picture sets
	b.UE(2) // {-1 used, -3 unused; +2 used}
	b.UE(1)
	b.UE(0)
	b.U(1, 1)
	b.UE(1)
	b.U(1, 0)
	b.UE(1)
	b.U(1, 1)
	b.U(1, 1) // from it, one less: {-2 used, -4 gone, +1 used, -1 used}
	b.U(1, 1)
	b.UE(0)
	b.U(1, 1)
	b.U(2, 0)
	b.U(1, 1)
	b.U(1, 1)
	b.U(1, 0) // {-1 used}
	b.UE(1)
	b.UE(0)
	b.UE(0)
	b.U(1, 1)
	b.U(1, 1) // long-term pictures
	b.UE(3)
	for i := range 3 {
		b.U(8, uint32(i))
		b.U(1, uint32(i&1))
	}
	b.U(1, 1) // temporal motion vectors
	b.U(8, 0x40)
	sps = synth.Escape(b.Bytes())

	b = synth.Bits{}
	b.U(16, 34<<9|1)
	b.UE(7)
	b.UE(2)
	b.U(1, 1) // dependent slices
	b.U(1, 1) // output flag
	b.U(3, 3) // extra bits
	b.U(2, 1) // cabac_init_present_flag
	b.UE(2)
	b.UE(1)
	b.SE(4) // 30
	b.U(2, 0)
	b.U(1, 1)
	b.UE(2)
	b.SE(-1)
	b.SE(1)
	b.U(1, 0)
	b.U(2, 3) // weighted
	b.U(1, 0)
	b.U(2, 3) // tiles
	b.UE(2)
	b.UE(1)
	b.U(1, 0)
	for range 3 {
		b.UE(3)
	}
	b.U(2, 3)
	b.U(1, 1) // deblocking control
	b.U(2, 0)
	b.SE(1)
	b.SE(-1)
	b.U(1, 0)
	b.U(1, 1) // lists may be modified
	b.U(8, 0x40)
	return sps, synth.Escape(b.Bytes())
}

// TestSliceQPH265ByHand reads what x265 cannot write.
func TestSliceQPH265ByHand(t *testing.T) {
	sps, pps := hevcParams()
	q := rtsp.NewQPReader(true)
	q.SetParams([][]byte{sps}, [][]byte{pps})
	begin := func(first, dependent bool) *synth.Bits {
		var b synth.Bits
		b.U(16, 1<<9|1)
		if first {
			b.U(1, 1)
			b.UE(7)
		} else {
			b.U(1, 0)
			b.UE(7)
			if dependent {
				b.U(1, 1)
			} else {
				b.U(1, 0)
			}
			b.U(7, 77) // of 99 blocks
		}
		return &b
	}
	body := func(b *synth.Bits, sets func(*synth.Bits), used int) []byte {
		b.U(3, 5) // extra
		b.UE(0)   // B
		b.U(1, 1) // output
		b.U(8, 200)
		sets(b)
		b.UE(2) // two long-term pictures of the SPS, one of them used
		b.UE(1) // and one of its own, used
		b.U(2, 1)
		b.U(1, 1)
		b.UE(9)
		b.U(2, 2)
		b.U(1, 0)
		b.U(9, 0x1ff)
		b.U(1, 0)
		used += 2
		b.U(1, 1) // temporal motion vectors
		b.U(2, 3) // sao
		b.U(1, 1) // refs of its own
		b.UE(1)
		b.UE(0)
		bits := 0
		for 1<<bits < used {
			bits++
		}
		b.U(1, 1) // list 0 modified
		b.U(2*bits, 0)
		b.U(1, 0)
		b.U(1, 0) // mvd_l1_zero_flag
		b.U(1, 1) // cabac_init_flag
		b.U(1, 1) // collocated in list 0
		b.UE(1)
		b.UE(6) // weights
		b.SE(-1)
		b.U(2, 2)
		b.U(2, 1)
		b.SE(1)
		b.SE(-20)
		b.SE(2)
		b.SE(90)
		b.SE(-3)
		b.SE(-300)
		b.U(2, 0)
		b.UE(2) // five_minus_max_num_merge_cand
		b.SE(7)
		b.U(8, 0x80)
		return synth.Escape(b.Bytes())
	}
	set := func(i uint32) func(*synth.Bits) {
		return func(b *synth.Bits) {
			b.U(1, 1)
			b.U(2, i)
		}
	}
	own := func(b *synth.Bits) {
		b.U(1, 0)
		b.U(1, 1) // from the one before the last: {-2, +1, -1}, all moved by 3
		b.UE(1)
		b.U(1, 0)
		b.UE(2)
		b.U(4, 0xf) // all four, the zero is left out where there is one
	}
	for name, c := range map[string]struct {
		nalu []byte
		ok   bool
	}{
		"first, set 0":       {body(begin(true, false), set(0), 2), true},
		"first, set 1":       {body(begin(true, false), set(1), 3), true},
		"later, set 2":       {body(begin(false, false), set(2), 1), true},
		"own set":            {body(begin(true, false), own, 4), true},
		"dependent":          {body(begin(false, true), set(2), 1), false},
		"set that is not":    {body(begin(true, false), set(3), 1), false},
		"another layer":      {[]byte{1 << 1, 9, 0xff, 0xff, 0xff}, false},
		"a parameter set":    {pps, false},
		"nothing":            {nil, false},
		"nothing but header": {[]byte{2, 1}, false},
	} {
		qp, ok := q.QP(c.nalu)
		if ok != c.ok || ok && qp != 37 {
			t.Errorf("%s: QP %d, %v; want 37, %v", name, qp, ok, c.ok)
		}
	}
}

// Parameter sets come again with every key unit, and now and then change.
func TestSliceQPParams(t *testing.T) {
	e, err := synth.NewEncoder(64, 64)
	if err != nil {
		t.Fatal(err)
	}
	sps, pps := e.Params()
	q := rtsp.NewQPReader(false)
	q.SetParams([][]byte{sps}, [][]byte{pps})
	if qp, ok := q.QP(e.Skip()); qp != 26 || !ok {
		t.Errorf("QP %d, %v, want 26", qp, ok)
	}
	againSPS, againPPS, skip := [][]byte{bytes.Clone(sps)}, [][]byte{bytes.Clone(pps)}, e.Skip()
	if n := testing.AllocsPerRun(100, func() {
		q.SetParams(againSPS, againPPS)
		q.QP(skip)
	}); n > 0 {
		t.Errorf("%v allocations a picture, want none", n)
	}
	q.SetParams([][]byte{sps}, nil)
	if qp, ok := q.QP(e.Skip()); ok {
		t.Errorf("QP %d although the parameter set is gone", qp)
	}
}

func BenchmarkSliceQP(b *testing.B) {
	e, err := synth.NewEncoder(704, 576)
	if err != nil {
		b.Fatal(err)
	}
	sps, pps := e.Params()
	sps265, pps265 := hevcParams()
	// A P slice with the SPS's third set, as an encoder of a camera writes it.
	var s synth.Bits
	s.U(16, 1<<9|1)
	s.U(1, 1)
	s.UE(7)
	s.U(3, 0)
	s.UE(1)
	s.U(1, 1)
	s.U(8, 9)
	s.U(3, 6) // set 2
	s.UE(0)
	s.UE(0)
	s.U(5, 0)
	s.UE(0) // weights
	s.SE(0)
	s.U(6, 0)
	s.UE(0)
	s.SE(3)
	for _, c := range []struct {
		name           string
		h265           bool
		sps, pps, nalu []byte
	}{
		{"H264", false, sps, pps, e.Skip()},
		{"H265", true, sps265, pps265, s.Bytes()},
	} {
		q := rtsp.NewQPReader(c.h265)
		q.SetParams([][]byte{c.sps}, [][]byte{c.pps})
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := q.QP(c.nalu); !ok {
					b.Fatal("cannot be read")
				}
			}
		})
	}
}

// FuzzSliceQP shows hostile parameter sets and slices: no panic, no QP out of
// range, and no long loop.
func FuzzSliceQP(f *testing.F) {
	e, err := synth.NewEncoder(64, 64)
	if err != nil {
		f.Fatal(err)
	}
	sps, pps := e.Params()
	f.Add(false, sps, pps, e.Skip())
	for _, s := range []avcStream{{profile: 244, separate: true, weighted: true}, {profile: 77, redundant: true, groups: true, orderType: 1}} {
		sps, pps := s.params()
		f.Add(false, sps, pps, []byte{0x41, 0x9a, 0x02, 0x05, 0x3f, 0xff, 0xff, 0xff})
	}
	sps, pps = hevcParams()
	f.Add(true, sps, pps, []byte{2, 1, 0xd0, 0x5f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, h265 bool, sps, pps, nalu []byte) {
		q := rtsp.NewQPReader(h265)
		q.SetParams([][]byte{sps, nalu}, [][]byte{nalu, pps})
		for _, b := range [][]byte{nalu, pps, sps} {
			if qp, ok := q.QP(b); qp < 0 || qp > 51 || !ok && qp != 0 {
				t.Errorf("QP %d, %v", qp, ok)
			}
		}
	})
}
