package rtsp_test

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph265"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// taker is a receiver that wants every key unit and keeps all it hears.
type taker struct {
	units   []streams.Unit
	keys    int
	drops   []streams.Reason
	held    int
	passed  int  // what the newest unit held
	refuse  bool // media memory is spent
	wantNot bool
	deltas  []int // sizes
}

func (k *taker) receiver() streams.Receiver {
	return streams.Receiver{
		Want:     func(time.Time) bool { return !k.wantNot },
		Unit:     func(u streams.Unit) { k.units, k.passed, k.held = append(k.units, u), k.held, 0 },
		KeySeen:  func(time.Time) { k.keys++ },
		Received: func(int) {},
		Hold: func(n int) bool {
			if k.refuse && n > 0 {
				return false
			}
			k.held += n
			return true
		},
		Dropped: func(r streams.Reason, _ string) { k.drops = append(k.drops, r) },
		Delta:   func(_ time.Time, size, _ int) { k.deltas = append(k.deltas, size) },
	}
}

// idr is an H.264 key slice of n bytes, slice one of another picture.
func idr(n int, fill byte) []byte   { return filled([]byte{0x65, 0x88}, n, fill) }
func slice(n int, fill byte) []byte { return filled([]byte{0x41, 0x9a}, n, fill) }

func filled(head []byte, n int, fill byte) []byte {
	b := bytes.Repeat([]byte{fill | 1}, n)
	copy(b, head)
	return b
}

// packets packetizes access units with the library's own encoder.
func packets(tb testing.TB, h265 bool, units ...[][]byte) []*rtp.Packet {
	tb.Helper()
	e4 := &rtph264.Encoder{PayloadType: 96, PacketizationMode: 1, PayloadMaxSize: 1000}
	e5 := &rtph265.Encoder{PayloadType: 96, PayloadMaxSize: 1000}
	encode := e4.Encode
	if h265 {
		encode = e5.Encode
	}
	if err := e4.Init(); err != nil {
		tb.Fatal(err)
	}
	if err := e5.Init(); err != nil {
		tb.Fatal(err)
	}
	var all []*rtp.Packet
	for i, u := range units {
		ps, err := encode(u)
		if err != nil {
			tb.Fatal(err)
		}
		for _, p := range ps {
			p.Timestamp = uint32(i) * 3600
		}
		all = append(all, ps...)
	}
	for i, p := range all {
		p.SequenceNumber = uint16(65530 + i) // wraps
	}
	return all
}

func feed(k *taker, h265 bool, ps []*rtp.Packet, params ...[]byte) {
	a := rtsp.NewAssembler(h265, k.receiver(), params...)
	for _, p := range ps {
		a.Push(p, time.Unix(1, 0))
	}
}

func TestAssemblerTakesKeyUnits(t *testing.T) {
	big, other := idr(50_000, 3), idr(500, 5)
	sdp := [][]byte{st.SPS, st.PPS}
	inBand := [][]byte{st.SPS, st.PPS, {0x06, 5, 1, 0x80}, big}
	key265 := filled([]byte{0x26, 1}, 9000, 7)
	tests := map[string]struct {
		h265   bool
		params [][]byte // from the SDP
		units  [][][]byte
		change func([]*rtp.Packet) []*rtp.Packet
		want   [][][]byte // NALUs of each unit
		drops  []streams.Reason
	}{
		"parameter sets in band": {units: [][][]byte{inBand, {slice(3000, 1)}}, want: [][][]byte{{big}}},
		"parameter sets by SDP":  {params: sdp, units: [][][]byte{{other}, {slice(100, 1)}, {big}}, want: [][][]byte{{other}, {big}}},
		"no parameter sets":      {units: [][][]byte{{other}}, drops: []streams.Reason{streams.ReasonCorrupt}},
		"two slices":             {params: sdp, units: [][][]byte{{big, other}}, want: [][][]byte{{big, other}}},
		"no marker ever": {
			params: sdp, units: [][][]byte{{big}, {slice(3000, 1)}, {other}, {slice(10, 1)}},
			change: each(func(p *rtp.Packet) { p.Marker = false }), want: [][][]byte{{big}, {other}},
		},
		"marker on the parameter sets too": {
			units:  [][][]byte{{st.SPS}, {st.PPS}, {{0x06, 5, 1, 0x80}}, {big}},
			change: each(func(p *rtp.Packet) { p.Timestamp = 7 }), want: [][][]byte{{big}},
		},
		"a lost packet, then a whole unit": {
			params: sdp, units: [][][]byte{{big}, {slice(100, 1)}, {other}},
			change: func(ps []*rtp.Packet) []*rtp.Packet { return slices.Delete(ps, 5, 6) },
			want:   [][][]byte{{other}}, drops: []streams.Reason{streams.ReasonCorrupt},
		},
		"the first packet is lost": {
			params: sdp, units: [][][]byte{{slice(10, 1)}, {big, other}, {other}},
			change: func(ps []*rtp.Packet) []*rtp.Packet { return slices.Delete(ps, 1, 2) },
			want:   [][][]byte{{other}},
		},
		"every packet twice": {
			params: sdp, units: [][][]byte{{big}, {other}},
			change: func(ps []*rtp.Packet) (out []*rtp.Packet) {
				for _, p := range ps {
					out = append(out, p, p)
				}
				return out
			},
			want: [][][]byte{{big}, {other}},
		},
		"no end bit": {
			params: sdp, units: [][][]byte{{big}, {slice(9, 1)}, {other}},
			change: each(func(p *rtp.Packet) {
				if p.Payload[0]&0x1f == 28 {
					p.Payload[1] &^= 0x40
				}
			}),
			want: [][][]byte{{big}, {other}},
		},
		"another NAL unit before the end bit": {
			params: sdp, units: [][][]byte{{big, {0x06, 5, 1, 0x80}, other}, {slice(9, 1)}},
			change: each(func(p *rtp.Packet) {
				if p.Payload[0]&0x1f == 28 {
					p.Payload[1] &^= 0x40
				}
			}),
			want: [][][]byte{{big, other}},
		},
		"the type changes inside a fragmented unit": {
			params: sdp, units: [][][]byte{{big}, {slice(5000, 1)}, {other}},
			change: each(func(p *rtp.Packet) {
				if p.Payload[0]&0x1f == 28 && p.Payload[1]&0x80 == 0 {
					p.Payload[1] = p.Payload[1]&0xe0 | 3
				}
			}),
			want: [][][]byte{{big}, {other}},
		},
		"the end bit on an empty fragment": {
			params: sdp, units: [][][]byte{{big}, {other}},
			change: func(ps []*rtp.Packet) (out []*rtp.Packet) {
				for _, p := range ps {
					out = append(out, p)
					if p.Payload[0]&0x1f == 28 && p.Payload[1]&0x40 != 0 {
						end := *p
						end.Payload, end.SequenceNumber = []byte{p.Payload[0], p.Payload[1]}, p.SequenceNumber+1
						p.Payload[1] &^= 0x40
						p.Marker = false
						out = append(out, &end)
					}
				}
				for i, p := range out {
					p.SequenceNumber = uint16(i)
				}
				return out
			},
			want: [][][]byte{{big}, {other}},
		},
		"start and end in one fragment": {
			params: sdp, units: [][][]byte{{other}},
			change: each(func(p *rtp.Packet) {
				p.Payload = append([]byte{0x7c, 0xc0 | 5}, p.Payload[1:]...)
			}),
			want: [][][]byte{{other}},
		},
		"Annex B in one packet": {
			units: [][][]byte{{annexB(nil, st.SPS, st.PPS, other)}}, want: [][][]byte{{other}},
		},
		"Annex B in fragments": {
			units: [][][]byte{{annexB(nil, st.SPS, st.PPS, big)[4:]}}, want: [][][]byte{{big}},
		},
		"larger than the cap": {
			params: sdp, units: [][][]byte{{idr(2<<20+1, 1)}, {other}},
			want: [][][]byte{{other}}, drops: []streams.Reason{streams.ReasonMemory},
		},
		"too many slices": {
			params: sdp, units: [][][]byte{slices.Repeat([][]byte{other}, 65), {big}},
			want: [][][]byte{{big}}, drops: []streams.Reason{streams.ReasonCorrupt},
		},
		"H.265 by SDP": {
			h265: true, params: [][]byte{st.VPS265, st.SPS265, st.PPS265},
			units: [][][]byte{{key265}, {filled([]byte{2, 1}, 3000, 1)}}, want: [][][]byte{{key265}},
		},
		"H.265 in band": {h265: true, units: [][][]byte{{st.VPS265, st.SPS265, st.PPS265, key265}}, want: [][][]byte{{key265}}},
		"H.265 without VPS": {
			h265: true, units: [][][]byte{{st.SPS265, st.PPS265, key265}}, drops: []streams.Reason{streams.ReasonCorrupt},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ps := packets(t, tt.h265, tt.units...)
			if tt.change != nil {
				ps = tt.change(ps)
			}
			k := &taker{}
			feed(k, tt.h265, ps, tt.params...)
			if len(k.units) != len(tt.want) {
				t.Fatalf("%d units, want %d (drops %v)", len(k.units), len(tt.want), k.drops)
			}
			for i, u := range k.units {
				if !slices.EqualFunc(u.NALUs, tt.want[i], bytes.Equal) {
					t.Errorf("unit %d has other NAL units than were sent", i)
				}
				wantParams := [][]byte{st.SPS, st.PPS}
				if tt.h265 {
					wantParams = [][]byte{st.VPS265, st.SPS265, st.PPS265}
				}
				if !slices.EqualFunc(u.Params, wantParams, bytes.Equal) {
					t.Errorf("unit %d has other parameter sets: %x", i, u.Params)
				}
			}
			if !slices.Equal(k.drops, tt.drops) {
				t.Errorf("drops %v, want %v", k.drops, tt.drops)
			}
		})
	}
}

func each(change func(*rtp.Packet)) func([]*rtp.Packet) []*rtp.Packet {
	return func(ps []*rtp.Packet) []*rtp.Packet {
		for _, p := range ps {
			change(p)
		}
		return ps
	}
}

func annexB(b []byte, nalus ...[]byte) []byte {
	for _, n := range nalus {
		b = append(append(b, 0, 0, 0, 1), n...)
	}
	return b
}

// TestAssemblerPrefersNewParams: in band wins over the SDP, and a change in
// mid-stream reaches the next unit but not the one before.
func TestAssemblerPrefersNewParams(t *testing.T) {
	pps2 := append(bytes.Clone(st.PPS), 0x80)
	k := &taker{}
	feed(k, false, packets(t, false,
		[][]byte{idr(900, 1)},
		[][]byte{st.SPS, pps2, idr(900, 3)},
		[][]byte{idr(900, 5)},
		[][]byte{st.PPS, pps2, idr(900, 7)},
	), st.SPS, st.PPS)
	want := [][][]byte{{st.SPS, st.PPS}, {st.SPS, pps2}, {st.SPS, pps2}, {st.SPS, st.PPS, pps2}}
	if len(k.units) != len(want) {
		t.Fatalf("%d units", len(k.units))
	}
	for i, u := range k.units {
		if !slices.EqualFunc(u.Params, want[i], bytes.Equal) {
			t.Errorf("unit %d: %x", i, u.Params)
		}
	}
}

func TestAssemblerCopiesWhatItKeeps(t *testing.T) {
	k := &taker{}
	ps := packets(t, false, [][]byte{st.SPS, st.PPS, idr(5000, 3)})
	a := rtsp.NewAssembler(false, k.receiver())
	for _, p := range ps {
		a.Push(p, time.Unix(1, 0))
		for i := range p.Payload {
			p.Payload[i] = 0xee // the library's buffer is used again
		}
	}
	if len(k.units) != 1 || !bytes.Equal(k.units[0].NALUs[0], idr(5000, 3)) || !bytes.Equal(k.units[0].Params[0], st.SPS) {
		t.Fatal("the unit changed with the library's buffer")
	}
}

// TestAssemblerSeesWhatItDoesNotTake counts each key unit once, whatever its
// number of slices and packets.
func TestAssemblerSeesWhatItDoesNotTake(t *testing.T) {
	k := &taker{wantNot: true}
	feed(k, false, packets(t, false, [][]byte{idr(5000, 1), idr(5000, 3)}, [][]byte{slice(3000, 1)}, [][]byte{idr(10, 1)}), st.SPS, st.PPS)
	if k.keys != 2 || len(k.units) != 0 || len(k.drops) != 0 || k.held != 0 {
		t.Fatalf("keys %d, units %d, drops %v, held %d", k.keys, len(k.units), k.drops, k.held)
	}
}

func TestAssemblerGivesMemoryBack(t *testing.T) {
	units := [][][]byte{{idr(200_000, 1)}, {slice(10, 1)}, {idr(100, 1)}}
	for name, change := range map[string]func(*taker, []*rtp.Packet) []*rtp.Packet{
		"whole": func(_ *taker, ps []*rtp.Packet) []*rtp.Packet { return ps },
		"lossy": func(_ *taker, ps []*rtp.Packet) []*rtp.Packet { return slices.Delete(ps, 50, 51) },
		"spent": func(k *taker, ps []*rtp.Packet) []*rtp.Packet { k.refuse = true; return ps },
	} {
		k := &taker{}
		feed(k, false, change(k, packets(t, false, units...)), st.SPS, st.PPS)
		if k.held != 0 {
			t.Errorf("%s: %d bytes stay held", name, k.held)
		}
		if name == "spent" && (len(k.units) != 0 || !slices.Equal(k.drops, []streams.Reason{streams.ReasonMemory, streams.ReasonMemory})) {
			t.Errorf("spent: %d units, drops %v", len(k.units), k.drops)
		}
	}
}

// TestAssemblerTellsOfDeltas once per picture that is no key unit, whatever
// the camera makes of its markers.
func TestAssemblerTellsOfDeltas(t *testing.T) {
	unmarked := each(func(p *rtp.Packet) { p.Marker = false })
	marked := each(func(p *rtp.Packet) { p.Marker = true })
	as := func(ps []*rtp.Packet) []*rtp.Packet { return ps }
	key265, delta265 := filled([]byte{0x26, 1}, 900, 7), filled([]byte{2, 1}, 700, 1)
	tests := map[string]struct {
		h265   bool
		units  [][][]byte
		change func([]*rtp.Packet) []*rtp.Packet
		want   []int
	}{
		"pictures":                 {units: [][][]byte{{idr(900, 1)}, {slice(700, 1)}, {slice(800, 1)}}, change: as, want: []int{700, 800}},
		"no picture before it":     {units: [][][]byte{{slice(700, 1)}}, change: as, want: []int{700}},
		"pictures for nobody":      {units: [][][]byte{{filled([]byte{0x01, 0x9a}, 300, 1)}, {idr(900, 1)}}, change: as, want: []int{300}},
		"no marker ever":           {units: [][][]byte{{slice(700, 1)}, {idr(900, 1)}, {slice(800, 1)}, {idr(9, 1)}}, change: unmarked, want: []int{700, 800}},
		"a marker on all":          {units: [][][]byte{{st.SPS, st.PPS, {9, 0xf0, 0x80}, slice(900, 1)}, {slice(800, 1)}}, change: marked, want: []int{len(st.SPS) + len(st.PPS) + 3 + 900 + 9, 800}},
		"fragments":                {units: [][][]byte{{slice(2500, 1)}}, change: as, want: []int{2500 - 1 + 3*2}},
		"fragments, a marker each": {units: [][][]byte{{slice(2500, 1)}, {slice(5, 1)}}, change: marked, want: []int{1000, 5}},
		"H.265":                    {h265: true, units: [][][]byte{{key265}, {delta265}, {filled([]byte{0, 1}, 300, 1)}}, change: as, want: []int{700, 300}},
		"parameter sets alone":     {units: [][][]byte{{st.SPS, st.PPS}}, change: as},
	}
	for name, tt := range tests {
		k := &taker{wantNot: true}
		feed(k, tt.h265, tt.change(packets(t, tt.h265, tt.units...)))
		if !slices.Equal(k.deltas, tt.want) {
			t.Errorf("%s: %v, want %v", name, k.deltas, tt.want)
		}
	}
}

func TestCameraTime(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 750_000_000, time.UTC)
	sr := &rtcp.SenderReport{NTPTime: uint64(at.Unix()+2_208_988_800)<<32 | 3<<30, RTPTime: 0xffffff00}
	for ticks, want := range map[uint32]time.Duration{0: 0, 90_000: time.Second, 256: 2844444, ^uint32(44_999): -500 * time.Millisecond} {
		if got := rtsp.CameraTime(90_000, sr, 0xffffff00+ticks); got.Sub(at) != want {
			t.Errorf("%d ticks: %v, want %v", int32(ticks), got.Sub(at), want)
		}
	}
}

// FuzzAssembler: whatever packets come, no unit is beyond its caps or without
// what it decodes with, and all memory is given back or passed on.
func FuzzAssembler(f *testing.F) {
	for _, p := range packets(f, false, [][]byte{st.SPS, st.PPS, idr(3000, 1)}) {
		f.Add(false, p.Payload, uint64(1))
	}
	for _, p := range packets(f, true, [][]byte{st.VPS265, st.SPS265, st.PPS265, filled([]byte{0x26, 1}, 3000, 1)}) {
		f.Add(true, p.Payload, uint64(2))
	}
	f.Fuzz(func(t *testing.T, h265 bool, data []byte, seed uint64) {
		k := &taker{}
		a := rtsp.NewAssembler(h265, k.receiver(), st.SPS, st.PPS, st.VPS265, st.SPS265, st.PPS265)
		r := rand.New(rand.NewPCG(seed, 0))
		seq, ts := uint16(0), uint32(0)
		for len(data) > 0 {
			n := 1 + r.IntN(len(data))
			seq++
			if r.IntN(8) == 0 {
				seq++
			}
			if r.IntN(4) == 0 {
				ts += 3600
			}
			a.Push(&rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: ts, Marker: r.IntN(3) == 0}, Payload: data[:n]}, time.Unix(1, 0))
			data = data[n:]
		}
		for _, u := range k.units {
			if len(u.NALUs) == 0 || len(u.NALUs) > 64 || len(u.Params) < 2 {
				t.Fatalf("a unit of %d NAL units with %d parameter sets", len(u.NALUs), len(u.Params))
			}
			for _, n := range slices.Concat(u.NALUs, u.Params) {
				if len(n) == 0 || bytes.Contains(n, []byte{0, 0, 1}) {
					t.Fatalf("a NAL unit is empty or holds a start code: %x", n)
				}
			}
		}
	})
}

// TestAssemblerHoldsWhatItTakes: what a unit holds is the memory that it takes: a camera whose units shrink
// must not take more than the gateway knows of.
func TestAssemblerHoldsWhatItTakes(t *testing.T) {
	k := &taker{}
	a := rtsp.NewAssembler(false, k.receiver(), st.SPS, st.PPS)
	taken := func(ps []*rtp.Packet) int {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, p := range ps {
			a.Push(p, time.Unix(1, 0))
		}
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc - before.TotalAlloc)
	}
	ps := packets(t, false, [][]byte{idr(1<<20, 1)}, [][]byte{idr(1500, 1)})
	taken(ps[:len(ps)-2])
	if n := taken(ps[len(ps)-2:]); len(k.units) != 2 || n > k.passed+8<<10 {
		t.Errorf("%d units; the small one takes %d bytes and holds %d", len(k.units), n, k.passed)
	}
}

// BenchmarkAssembler is the cost of one second of a 400 kbit/s stream at 15
// pictures a second, one key unit of 12 kB in it that nobody wants.
func BenchmarkAssembler(b *testing.B) {
	units := [][][]byte{{st.SPS, st.PPS, idr(12_000, 1)}}
	for range 14 {
		units = append(units, [][]byte{slice(2700, 1)})
	}
	ps := packets(b, false, units...)
	k := &taker{wantNot: true}
	a := rtsp.NewAssembler(false, k.receiver())
	b.ReportAllocs()
	var seq uint16
	for b.Loop() {
		for _, p := range ps {
			p.SequenceNumber = seq
			seq++
			a.Push(p, time.Unix(1, 0))
		}
	}
}
