package rtsp_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// luma is the mean of a picture's luma.
func luma(tb testing.TB, file []byte) (mean int, size image.Point) {
	tb.Helper()
	img, err := jpeg.Decode(bytes.NewReader(file))
	if err != nil {
		tb.Fatal(err)
	}
	sum, b := 0, img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			sum += int(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y)
		}
	}
	return sum / (b.Dx() * b.Dy()), b.Size()
}

// TestMotionJPEG over TCP and UDP: whole files come, each its own.
func TestMotionJPEG(t *testing.T) {
	for _, transport := range []inventory.Transport{inventory.TransportTCP, inventory.TransportUDP} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			cam, h := st.New(t, st.Options{MJPEG: true, UDP: true}), listen()
			open(t, rtsp.Options{}, streams.Target{URL: cam.URL(), Link: inventory.Link{Transport: transport}}, h)
			for _, fill := range []byte{40, 120, 200} {
				if err := cam.Send(cam.KeyUnit(fill)); err != nil {
					t.Fatal(err)
				}
				u := <-h.units
				if u.Codec != streams.CodecJPEG || len(u.NALUs) != 1 || len(u.Params) != 0 {
					t.Fatalf("%s, %d files", u.Codec, len(u.NALUs))
				}
				if mean, size := luma(t, u.NALUs[0]); mean < int(fill) || mean > int(fill)+16 || size != image.Pt(320, 240) {
					t.Errorf("luma %d, want %d to %d; size %v", mean, fill, fill+16, size)
				}
			}
			h.want.Store(false)
			for len(h.keys) > 0 {
				<-h.keys
			}
			if err := cam.Send(cam.KeyUnit(9)); err != nil {
				t.Fatal(err)
			}
			<-h.keys
			if len(h.units) != 0 {
				t.Error("a picture came that nobody wanted")
			}
		})
	}
}

// TestMotionJPEGOfFFmpeg: a real encoder's packets. FFmpeg sends 4:2:0 only.
func TestMotionJPEGOfFFmpeg(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed; deploy/setup.sh installs it")
	}
	for _, q := range []string{"2", "20"} {
		t.Run(q, func(t *testing.T) {
			t.Parallel()
			in, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP("127.0.0.1")})
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "color=c=0x808080:s=352x288:r=10,noise=alls=20", "-t", "3",
				"-c:v", "mjpeg", "-huffman", "default", "-force_duplicated_matrix", "1", "-q:v", q, "-pix_fmt", "yuvj420p", "-f", "rtp", fmt.Sprintf("rtp://%s", in.LocalAddr()))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { cancel(); _ = cmd.Wait() }()
			k := &taker{}
			m := rtsp.NewMJPEG(k.receiver())
			b := make([]byte, 2000)
			_ = in.SetReadDeadline(time.Now().Add(10 * time.Second))
			for len(k.units) < 5 {
				n, err := in.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				var p rtp.Packet
				if p.Unmarshal(b[:n]) == nil && p.PayloadType == 26 {
					m.Push(&p, time.Now())
				}
			}
			for _, u := range k.units {
				if mean, size := luma(t, u.NALUs[0]); mean < 110 || mean > 145 || size != image.Pt(352, 288) {
					t.Errorf("luma %d, size %v", mean, size)
				}
			}
			if k.keys != 5 || len(k.drops) != 0 {
				t.Errorf("%d pictures, dropped %v", k.keys, k.drops)
			}
		})
	}
}

// TestMotionJPEGSubsampling: a flat grey scan, written by hand for 4:2:2 and
// 4:2:0, decodes.
func TestMotionJPEGSubsampling(t *testing.T) {
	// Each block is a DC difference of 0 and an end of block: 00 1010 for luma,
	// 00 00 for chroma (ITU-T T.81 annex K.3).
	for kind, mcu := range map[byte]string{0: "001010 001010 0000 0000", 1: "001010 001010 001010 001010 0000 0000"} {
		bits := strings.Repeat(strings.ReplaceAll(mcu, " ", ""), 20*30/(1+int(kind)))
		var scan []byte
		for ; len(bits) >= 8; bits = bits[8:] {
			n, err := strconv.ParseUint(bits[:8], 2, 8)
			if err != nil {
				t.Fatal(err)
			}
			scan = append(scan, byte(n))
		}
		k := &taker{}
		m := rtsp.NewMJPEG(k.receiver())
		for _, p := range jpegPackets(1, 1, kind, 50, nil, scan, 3) {
			m.Push(p, time.Now())
		}
		img, err := jpeg.Decode(bytes.NewReader(k.units[0].NALUs[0]))
		if err != nil {
			t.Fatal(err)
		}
		ratio := map[byte]image.YCbCrSubsampleRatio{0: image.YCbCrSubsampleRatio422, 1: image.YCbCrSubsampleRatio420}[kind]
		if y, ok := img.(*image.YCbCr); !ok || y.SubsampleRatio != ratio || y.Y[0] != 128 || y.Rect.Dx() != 320 || y.Rect.Dy() != 240 {
			t.Errorf("type %d: %T %v", kind, img, img.Bounds())
		}
	}
}

// jpegPackets makes packets by hand: q and kind as in RFC 2435 section 3.1,
// tables as in 3.1.8, and a scan cut into pieces.
func jpegPackets(seq uint16, ts uint32, kind, q byte, tables, scan []byte, pieces int) []*rtp.Packet {
	var ps []*rtp.Packet
	for i := range pieces {
		from, to := i*len(scan)/pieces, (i+1)*len(scan)/pieces
		b := []byte{0, byte(from >> 16), byte(from >> 8), byte(from), kind, q, 40, 30}
		if kind >= 64 {
			b = append(b, 0, 4, 0xff, 0xff)
		}
		if i == 0 {
			b = append(b, tables...)
		}
		ps = append(ps, &rtp.Packet{Header: rtp.Header{SequenceNumber: seq + uint16(i), Timestamp: ts, Marker: i == pieces-1}, Payload: append(b, scan[from:to]...)})
	}
	return ps
}

// TestMotionJPEGHeaders: quantisations, types and tables of all sorts.
func TestMotionJPEGHeaders(t *testing.T) {
	scan := bytes.Repeat([]byte{0x12, 0x34}, 500)
	table := bytes.Repeat([]byte{16}, 64)
	one, two := append([]byte{0, 0, 0, 64}, table...), append(append([]byte{0, 0, 0, 128}, table...), table...)
	wide := append([]byte{0, 3, 1, 0}, bytes.Repeat([]byte{0, 16}, 128)...)
	tests := map[string]struct {
		kind, q byte
		tables  []byte
		ok      bool
	}{
		"Q 1":                      {1, 1, nil, true},
		"Q 99":                     {1, 99, nil, true},
		"Q 100 is reserved":        {1, 100, nil, true},
		"Q 127 is reserved":        {1, 127, nil, true},
		"Q 0 is reserved":          {1, 0, nil, false},
		"type 0":                   {0, 50, nil, true},
		"type 5":                   {5, 50, nil, true},
		"type 63":                  {63, 50, nil, true},
		"type 64, restart":         {64, 50, nil, true},
		"type 255":                 {255, 50, nil, true},
		"one table":                {1, 255, one, true},
		"two tables":               {1, 128, two, true},
		"16 bits":                  {1, 255, wide, true},
		"no tables":                {1, 255, []byte{0, 0, 0, 0}, false},
		"tables of another size":   {1, 255, append([]byte{0, 0, 0, 65}, bytes.Repeat([]byte{1}, 65)...), false},
		"tables beyond the packet": {1, 255, []byte{0, 0, 255, 255}, false},
	}
	for name, tt := range tests {
		k := &taker{}
		m := rtsp.NewMJPEG(k.receiver())
		for _, p := range jpegPackets(1, 1, tt.kind, tt.q, tt.tables, scan, 4) {
			m.Push(p, time.Now())
		}
		if (len(k.units) == 1) != tt.ok || k.held != 0 || (len(k.drops) == 0) != tt.ok {
			t.Errorf("%s: %d pictures, dropped %v, %d bytes held", name, len(k.units), k.drops, k.held)
			continue
		}
		if tt.ok {
			file := k.units[0].NALUs[0]
			if c, err := jpeg.DecodeConfig(bytes.NewReader(file)); tt.tables == nil && (err != nil || c.Width != 320 || c.Height != 240) {
				t.Errorf("%s: %v %+v", name, err, c)
			}
			if !bytes.Contains(file, scan) || !bytes.HasSuffix(file, []byte{0xff, 0xd9}) || k.passed < len(file) {
				t.Errorf("%s: the file is not whole, or not held", name)
			}
		}
	}
	// Tables that came once serve later pictures of that Q.
	k := &taker{}
	m := rtsp.NewMJPEG(k.receiver())
	for i, tables := range [][]byte{two, {0, 0, 0, 0}} {
		for _, p := range jpegPackets(uint16(4*i), uint32(i), 1, 200, tables, scan, 4) {
			m.Push(p, time.Now())
		}
	}
	if len(k.units) != 2 || !bytes.Equal(k.units[0].NALUs[0], k.units[1].NALUs[0]) {
		t.Errorf("%d pictures", len(k.units))
	}
}

// TestMotionJPEGFaults: loss, disorder, floods. What is not whole is not
// handed on, and nothing stays held.
func TestMotionJPEGFaults(t *testing.T) {
	scan := bytes.Repeat([]byte{0x12}, 4000)
	picture := func(n int) []*rtp.Packet { return jpegPackets(uint16(4*n), uint32(n), 1, 50, nil, scan, 4) }
	all := func(lists ...[]*rtp.Packet) (out []*rtp.Packet) {
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	without := func(ps []*rtp.Packet, i int) []*rtp.Packet {
		return append(append([]*rtp.Packet{}, ps[:i]...), ps[i+1:]...)
	}
	noMarker := func(ps []*rtp.Packet) []*rtp.Packet {
		for _, p := range ps {
			p.Marker = false
		}
		return ps
	}
	flood := jpegPackets(0, 0, 1, 50, nil, make([]byte, 5<<20), 4000)
	tests := map[string]struct {
		packets []*rtp.Packet
		units   int
		drops   int
	}{
		"whole":             {all(picture(0), picture(1)), 2, 0},
		"begins amid":       {all(picture(0)[2:], picture(1)), 1, 1},
		"first lost":        {all(picture(0), without(picture(1), 0), picture(2)), 2, 0},
		"middle lost":       {all(picture(0), without(picture(1), 2), picture(2)), 2, 1},
		"last lost":         {all(picture(0), without(picture(1), 3), picture(2)), 2, 1},
		"no marker ever":    {all(noMarker(picture(0)), noMarker(picture(1)), picture(2)[:1]), 2, 0},
		"twice":             {all(picture(0)[:1], picture(0)[:1], picture(0)[1:]), 1, 0},
		"short packets":     {[]*rtp.Packet{{Payload: []byte{1}}, {Header: rtp.Header{SequenceNumber: 1}, Payload: make([]byte, 8)}}, 0, 2},
		"larger than 2 MiB": {flood, 0, 1},
	}
	for name, tt := range tests {
		k := &taker{}
		m := rtsp.NewMJPEG(k.receiver())
		for _, p := range tt.packets {
			m.Push(p, time.Now())
		}
		if len(k.units) != tt.units || len(k.drops) != tt.drops || name != "no marker ever" && k.held != 0 {
			t.Errorf("%s: %d pictures, dropped %v, %d bytes held", name, len(k.units), k.drops, k.held)
		}
	}
	k := &taker{refuse: true}
	m := rtsp.NewMJPEG(k.receiver())
	for _, p := range picture(0) {
		m.Push(p, time.Now())
	}
	if len(k.units) != 0 || len(k.drops) != 1 || k.drops[0] != streams.ReasonMemory {
		t.Errorf("without memory: %d pictures, dropped %v", len(k.units), k.drops)
	}
}

// FuzzMJPEG: no packets make it panic, hold more than its cap, or keep what it
// gave up.
func FuzzMJPEG(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 50, 4, 3, 9, 9}, []byte{0, 0, 0, 2, 1, 50, 4, 3, 9, 0xff, 0xd9}, true)
	f.Add(append([]byte{0, 0, 0, 0, 65, 255, 4, 3, 0, 1, 0, 0, 0, 0, 0, 64}, make([]byte, 70)...), []byte{}, false)
	f.Fuzz(func(t *testing.T, a, b []byte, marker bool) {
		k := &taker{}
		m := rtsp.NewMJPEG(k.receiver())
		for seq := range uint16(6) {
			payload := a
			if seq%2 == 1 {
				payload = b
			}
			m.Push(&rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: uint32(seq / 2), Marker: marker && seq%2 == 1}, Payload: payload}, time.Time{})
			if k.held < 0 || k.held > 2<<20 {
				t.Fatalf("%d bytes held", k.held)
			}
		}
		m.Push(&rtp.Packet{Header: rtp.Header{SequenceNumber: 9, Timestamp: 9}}, time.Time{})
		if k.held != 0 {
			t.Fatalf("%d bytes stay held", k.held)
		}
		for _, u := range k.units {
			if n := u.NALUs[0]; !bytes.HasPrefix(n, []byte{0xff, 0xd8, 0xff, 0xdb}) || !bytes.HasSuffix(n, []byte{0xff, 0xd9}) {
				t.Fatal("not a JPEG file")
			}
		}
	})
}
