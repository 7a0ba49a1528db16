package rtsp_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtp"

	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
	"videopatrol/streams/synth"
)

// message is an SEI NAL unit of H.264 with one payload.
func message(kind, size byte, payload ...byte) []byte {
	return append(append([]byte{6, kind, size}, payload...), 0x80)
}

// counted writes a number as recovery_frame_cnt begins.
func counted(n uint32) []byte {
	var b synth.Bits
	b.UE(n)
	b.U(4, 0)
	return b.Bytes()
}

func TestRecoveryPoint(t *testing.T) {
	long := append([]byte{6, 255, 255, 3, 255, 10}, make([]byte, 265)...)
	for i := 6; i < len(long); i++ {
		long[i] = 7
	}
	tests := map[string]struct {
		h265 bool
		nalu []byte
		n    int
		ok   bool
	}{
		"now":             {false, message(6, 1, 0xC4), 0, true},
		"in 9 pictures":   {false, message(6, 1, counted(9)...), 9, true},
		"behind another":  {false, append([]byte{6, 5, 2, 1, 2}, message(6, 1, 0xC4)[1:]...), 0, true},
		"behind a long":   {false, append(long, message(6, 1, counted(3)...)[1:]...), 3, true},
		"another message": {false, message(5, 1, 0xC4), 0, false},
		"size beyond":     {false, message(6, 200, 0xC4), 0, false},
		"no end":          {false, []byte{6, 255, 255, 255}, 0, false},
		"empty payload":   {false, message(6, 0), 0, false},
		"zeros":           {false, message(6, 8, make([]byte, 8)...), 0, false},
		"emulation":       {false, append([]byte{6, 5, 4, 0, 0, 3, 1, 9}, message(6, 1, 0xC4)[1:]...), 0, true},
		"H.265, now":      {true, append([]byte{39 << 1, 1}, message(6, 1, 0xE0)[1:]...), 0, true},
		"H.265, in some":  {true, append([]byte{39 << 1, 1}, message(6, 1, counted(5)...)[1:]...), 3, true},
		"nothing":         {false, nil, 0, false},
		"header alone":    {true, []byte{39 << 1, 1, 6}, 0, false},
	}
	for name, tt := range tests {
		if n, ok := rtsp.RecoveryPoint(tt.h265, tt.nalu); n != tt.n || ok != tt.ok {
			t.Errorf("%s: %d, %v; want %d, %v", name, n, ok, tt.n, tt.ok)
		}
	}
}

// slice264 is a slice of type t, cut after its header.
func slice264(first, t uint32, fill byte) []byte {
	var b synth.Bits
	b.U(8, 0x41)
	b.UE(first)
	b.UE(t)
	b.UE(0)
	b.U(8, 0xff)
	return append(b.Bytes(), bytes.Repeat([]byte{fill | 1}, 50)...)
}

// TestIntraPictures: which pictures count as key units, and when.
func TestIntraPictures(t *testing.T) {
	const i, p, b = 7, 5, 6
	type pic struct {
		after  time.Duration // since the beginning
		slices []uint32
		idr    bool
	}
	tests := map[string]struct {
		pics []pic
		want int
		keys int
	}{
		"all I":                        {[]pic{{0, []uint32{i}, false}, {time.Second, []uint32{p}, false}, {2 * time.Second, []uint32{i, i}, false}}, 2, 2},
		"I and P slices":               {[]pic{{0, []uint32{i, p}, false}, {time.Second, []uint32{p, i}, false}, {time.Second + 1, []uint32{i, i, b}, false}}, 0, 0},
		"P alone":                      {[]pic{{0, []uint32{p}, false}, {time.Second, []uint32{0}, false}}, 0, 0},
		"I soon after IDR":             {[]pic{{0, nil, true}, {2 * time.Second, []uint32{i}, false}}, 1, 1},
		"I long after IDR":             {[]pic{{0, nil, true}, {4 * time.Second, []uint32{i}, false}}, 2, 2},
		"IDR every other second, long": {[]pic{{0, nil, true}, {2 * time.Second, nil, true}, {4 * time.Second, []uint32{i}, false}}, 2, 2},
	}
	for name, tt := range tests {
		for _, mode := range []string{"wanted", "not wanted", "no marker"} {
			k := &taker{wantNot: mode == "not wanted"}
			a := rtsp.NewAssembler(false, k.receiver(), st.SPS, st.PPS)
			begin, seq := time.Unix(1e9, 0), uint16(0)
			push := func(n int, payload []byte, last bool, at time.Duration) {
				a.Push(&rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: uint32(n), Marker: last && mode != "no marker"}, Payload: payload}, begin.Add(at))
				seq++
			}
			for n, pic := range tt.pics {
				if pic.idr {
					push(n, idr(50, 1), true, pic.after)
				}
				for j, kind := range pic.slices {
					push(n, slice264(uint32(j*10), kind, byte(n)), j == len(pic.slices)-1, pic.after)
				}
			}
			push(1000, slice264(0, p, 1), true, time.Minute)
			want := tt.want
			if mode == "not wanted" {
				want = 0
			}
			if len(k.units) != want || k.keys != tt.keys || len(k.drops) != 0 || k.held != 0 {
				t.Errorf("%s, %s: %d units, want %d; %d seen, want %d; dropped %v, %d held", name, mode, len(k.units), want, k.keys, tt.keys, k.drops, k.held)
			}
			for _, u := range k.units {
				if first := u.NALUs[0]; first[0]&31 == 5 {
					continue
				} else if n, ok := rtsp.RecoveryPoint(false, first); !ok || n != 0 {
					t.Errorf("%s: a unit begins with % x, not with a recovery point", name, first)
				}
			}
		}
	}
}

// TestIntraRefreshIsNamed once.
func TestIntraRefreshIsNamed(t *testing.T) {
	k := &taker{}
	a := rtsp.NewAssembler(false, k.receiver(), st.SPS, st.PPS)
	for seq := range uint16(30) {
		payload := slice264(0, 5, 1)
		if seq%10 == 0 {
			payload = message(6, 1, counted(9)...)
		}
		a.Push(&rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: uint32(seq)}, Payload: payload}, time.Unix(1e9, 0))
	}
	if len(k.units) != 0 || len(k.drops) != 1 || k.drops[0] != streams.ReasonNoKeyUnit {
		t.Errorf("%d units, dropped %v", len(k.units), k.drops)
	}
}

// FuzzRecovery: no bytes make the readers of SEI, slices and parameter sets
// panic or run away.
func FuzzRecovery(f *testing.F) {
	f.Add(message(6, 1, 0xC4), st.SPS265, st.PPS265)
	f.Add(slice264(0, 7, 1), st.SPS, st.PPS)
	f.Add([]byte{0x02, 0x01, 0xd0, 0x09}, st.SPS265, []byte{0x44, 0x01, 0xff, 0xff, 0xff})
	f.Fuzz(func(_ *testing.T, nalu, sps, pps []byte) {
		for _, h265 := range []bool{false, true} {
			rtsp.RecoveryPoint(h265, nalu)
			k := &taker{}
			a := rtsp.NewAssembler(h265, k.receiver(), sps, pps, st.VPS265)
			for seq := range uint16(4) {
				a.Push(&rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: uint32(seq / 2), Marker: seq%2 == 1}, Payload: nalu}, time.Unix(int64(4*seq), 0))
			}
		}
		rtsp.IntraH264(nalu)
		rtsp.IntraH265(sps, pps, nalu)
	})
}
