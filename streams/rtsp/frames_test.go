package rtsp_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// frame is an interleaved frame.
func frame(channel byte, payload []byte) []byte {
	return append([]byte{'$', channel, byte(len(payload) >> 8), byte(len(payload))}, payload...)
}

// packet is an RTP packet of payload type 96.
func packet(seq uint16, source uint32, payload string) []byte {
	b := []byte{0x80, 96}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, 3600)
	b = binary.BigEndian.AppendUint32(b, source)
	return append(b, payload...)
}

func taken(seq uint16, source uint32, payload string) rtsp.Packet {
	return rtsp.Packet{Seq: seq, Timestamp: 3600, Source: source, Payload: payload}
}

func TestWalk(t *testing.T) {
	const ok = "RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n"
	const body = "RTSP/1.0 200 OK\r\ncontent-length: 6\r\n\r\n$\x00\x00\x01ab"
	one, two := frame(0, packet(1, 7, "one")), frame(0, packet(2, 7, "two"))
	both := []rtsp.Packet{taken(1, 7, "one"), taken(2, 7, "two")}
	extended := packet(1, 7, "\xbe\xde\x00\x01\x01\x02\x03\x04one")
	extended[0] |= 0x10
	sourced := packet(1, 7, "\x00\x00\x00\x05\x00\x00\x00\x06one")
	sourced[0] |= 2
	padded := packet(1, 7, "one\x00\x00\x00\x04")
	padded[0] |= 0x20
	bad := func(flags byte, payload string) []byte {
		b := packet(1, 7, payload)
		b[0] = flags
		return frame(0, b)
	}
	other := packet(1, 7, "x")
	other[1] = 50
	tests := map[string]struct {
		wire   []string
		want   []rtsp.Packet
		pass   string
		strays rtsp.Strays
	}{
		"two frames":                 {wire: []string{string(one), string(two)}, want: both},
		"a response between":         {wire: []string{string(one), ok, string(two)}, want: both, pass: ok},
		"a body that looks like one": {wire: []string{string(one), body, string(two)}, want: both, pass: body},
		"a request between":          {wire: []string{string(one), "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", string(two)}, want: both, pass: "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"},
		"a folded blank line":        {wire: []string{"RTSP/1.0 200 OK\r\n \r\nCSeq: 9\r\n\r\n", string(one)}, want: both[:1], pass: "RTSP/1.0 200 OK\r\n \r\nCSeq: 9\r\n\r\n"},
		"CRLF before a frame":        {wire: []string{"\r\n", string(one), "\r\n\r\n", string(two)}, want: both, strays: rtsp.Strays{Bytes: 6}},
		"garbage with two letters":   {wire: []string{string(one), "xRTOPSE\x00", string(two)}, want: both, strays: rtsp.Strays{Bytes: 8}},
		"an unassigned channel":      {wire: []string{string(one), string(frame(9, []byte("x"))), string(two)}, want: both, strays: rtsp.Strays{Frames: 1}},
		"RTCP":                       {wire: []string{string(one), string(frame(1, []byte("\x80\xc8\x00\x06"))), string(two)}, want: both},
		"another payload type":       {wire: []string{string(frame(0, other)), string(one)}, want: both[:1], strays: rtsp.Strays{Packets: 1}},
		"another source":             {wire: []string{string(one), string(frame(0, packet(2, 8, "old"))), string(two)}, want: both, strays: rtsp.Strays{Packets: 1}},
		"an extension":               {wire: []string{string(frame(0, extended))}, want: both[:1]},
		"contributing sources":       {wire: []string{string(frame(0, sourced))}, want: both[:1]},
		"padding":                    {wire: []string{string(frame(0, padded))}, want: both[:1]},
		"nothing":                    {wire: []string{string(frame(0, nil)), string(one)}, want: both[:1], strays: rtsp.Strays{Packets: 1}},
		"too much padding":           {wire: []string{string(bad(0xa0, "one\x10")), string(one)}, want: both[:1], strays: rtsp.Strays{Packets: 1}},
		"padding of 0":               {wire: []string{string(bad(0xa0, "one\x00")), string(one)}, want: both[:1], strays: rtsp.Strays{Packets: 1}},
		"padding of 255":             {wire: []string{string(bad(0xa0, "\xff")), string(one)}, want: both[:1], strays: rtsp.Strays{Packets: 1}},
		"a short extension":          {wire: []string{string(bad(0x90, "\xbe\xde")), string(one)}, want: both[:1], strays: rtsp.Strays{Packets: 1}},
		"a long extension":           {wire: []string{string(bad(0x90, "\xbe\xde\xff\xff")), string(one)}, want: both[:1], strays: rtsp.Strays{Packets: 1}},
		"too many sources":           {wire: []string{string(bad(0x8f, "x")), string(one)}, want: both[:1], strays: rtsp.Strays{Packets: 1}},
		"another version":            {wire: []string{string(bad(0x40, "x")), string(one)}, want: both[:1], strays: rtsp.Strays{Packets: 1}},
		"a message that is none":     {wire: []string{string(one), "RTSP/1.0 x\r\n", string(two)}, want: both[:1], pass: "RTSP/1.0 x\r\n" + string(two)},
		"a header without end":       {wire: []string{string(one), "RTSP/1.0 200 OK\r\n" + strings.Repeat("A: b\r\n", 12000)}, want: both[:1], pass: "RTSP/1.0 200 OK\r\n" + strings.Repeat("A: b\r\n", 12000)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			wire := []byte(strings.Join(tt.wire, ""))
			var bytewise [][]byte
			for i := range wire {
				bytewise = append(bytewise, wire[i:i+1])
			}
			for split, pieces := range map[string][][]byte{"at once": {wire}, "by bytes": bytewise} {
				got, pass, dropped := rtsp.Walk(0, 0, pieces...)
				if !slices.Equal(got, tt.want) || pass != tt.pass || dropped != tt.strays {
					t.Errorf("%s: took %+v, passed %q, dropped %+v", split, got, pass, dropped)
				}
			}
		})
	}
}

// TestWalkTakesANewSource after it has sent for a while, and nothing else.
func TestWalkTakesANewSource(t *testing.T) {
	var wire []byte
	for i := range uint16(40) {
		wire = append(wire, frame(0, packet(i, 7, "old"))...)
	}
	for i := range uint16(40) {
		wire = append(wire, frame(0, packet(i, 8, "new"))...)
	}
	got, _, dropped := rtsp.Walk(0, 0, wire)
	if len(got) != 49 || got[48].Source != 8 || dropped.Packets != 31 {
		t.Errorf("%d packets were taken and %d dropped", len(got), dropped.Packets)
	}
}

// TestWalkFeedsTheLibrary so seldom that it costs nothing and so often that
// the session does not count as dead, and only while packets come.
func TestWalkFeedsTheLibrary(t *testing.T) {
	var pieces [][]byte
	for i := range uint16(15) {
		pieces = append(pieces, frame(4, packet(i, 7, "x")))
	}
	if _, pass, _ := rtsp.Walk(4, time.Second, append(pieces, make([][]byte, 20)...)...); pass != strings.Repeat("$\x04\x00\x00", 3) {
		t.Errorf("passed on %q", pass)
	}
}

// TestPlayOutlivesTheLibrarysPatience: the library sees next to no frame, and
// does not take the session for a dead one.
func TestPlayOutlivesTheLibrarysPatience(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 13 s")
	}
	t.Parallel()
	for _, visit := range []bool{false, true} {
		t.Run(fmt.Sprint("visit ", visit), func(t *testing.T) {
			t.Parallel()
			url := scripted(t, "RTP/AVP/TCP;unicast;interleaved=0-1", nil, func(c net.Conn) {
				for seq := uint16(0); ; seq++ {
					if _, err := c.Write(frame(0, packet(seq, 7, "\x41x"))); err != nil {
						return
					}
					time.Sleep(200 * time.Millisecond)
				}
			})
			s := open(t, rtsp.Options{Latency: 2 * time.Second}, streams.Target{URL: url, Visit: visit}, listen())
			ended := make(chan error, 1)
			go func() { ended <- s.Wait() }()
			select {
			case err := <-ended:
				t.Fatal(err)
			case <-time.After(13 * time.Second):
			}
		})
	}
}

// TestTuned fails when the library has lost the fields that quiet and brief
// set.
func TestTuned(t *testing.T) {
	if n := rtsp.Tuned(); n != 3 {
		t.Errorf("%d of 3 fields were set", n)
	}
}

// reference is the walker as one would write it without a thought for speed.
func reference(wire []byte) (got []rtsp.Packet, pass string) {
	var source uint32
	heard, played, others := false, false, 0
	for len(wire) > 0 {
		if wire[0] == '$' {
			if len(wire) < 4 || len(wire) < 4+int(binary.BigEndian.Uint16(wire[2:])) {
				return got, pass
			}
			n := 4 + int(binary.BigEndian.Uint16(wire[2:]))
			p, ok := referencePacket(wire[4:n])
			if ok && wire[1] == 0 {
				if heard && p.Source != source {
					others++
				}
				if !heard || p.Source == source || others >= 32 {
					got = append(got, p)
					source, heard, others = p.Source, true, 0
				}
			}
			wire = wire[n:]
			continue
		}
		begins, may := false, false
		for word := range strings.SplitSeq("RTSP/,OPTIONS ,GET_PARAMETER ,SET_PARAMETER ,ANNOUNCE ,REDIRECT ,DESCRIBE ,SETUP ,PLAY ,PAUSE ,RECORD ,TEARDOWN ", ",") {
			begins = begins || bytes.HasPrefix(wire, []byte(word))
			may = may || bytes.HasPrefix([]byte(word), wire)
		}
		if may && !begins {
			return got, pass
		}
		if !begins {
			wire = wire[1:]
			continue
		}
		text, end := string(wire), strings.Index(string(wire), "\r\n\r\n")
		if end >= 0 {
			text = text[:end+4]
		}
		broken := end < 0 && len(text) > 32<<10
		for i, c := range []byte(text) {
			broken = broken || c < ' ' && !strings.ContainsRune("\r\n\t", rune(c)) || c == '\r' && i+1 < len(text) && text[i+1] != '\n'
		}
		if broken {
			return got, pass + string(wire)
		}
		if end < 0 {
			return got, pass
		}
		n := end + 4
		var lengths []string
		for line := range strings.SplitSeq(text, "\r\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "content-length") {
				lengths = append(lengths, strings.TrimLeft(value, " "))
			}
		}
		if len(lengths) == 1 {
			if v, err := strconv.ParseUint(lengths[0], 10, 32); err == nil && v <= 128<<10 {
				n = min(n+int(v), len(wire))
			}
		}
		if wire[0] == 'R' && wire[1] == 'T' && !played {
			played, others = true, 32
		}
		pass, wire = pass+string(wire[:n]), wire[n:]
	}
	return got, pass
}

func referencePacket(b []byte) (p rtsp.Packet, ok bool) {
	if len(b) < 12 || b[0]&0xc0 != 0x80 || b[1]&0x7f != 96 {
		return p, false
	}
	p = rtsp.Packet{Marker: b[1] > 127, Seq: binary.BigEndian.Uint16(b[2:]), Timestamp: binary.BigEndian.Uint32(b[4:]), Source: binary.BigEndian.Uint32(b[8:])}
	padded, extended, sources := b[0]&0x20 != 0, b[0]&0x10 != 0, int(b[0]&15)
	if padded {
		n := int(b[len(b)-1])
		if n == 0 || n > len(b)-12 {
			return p, false
		}
		defer func(n int) {
			if ok = ok && n <= len(p.Payload); ok {
				p.Payload = p.Payload[:len(p.Payload)-n]
			}
		}(n)
	}
	rest := b[12:]
	if len(rest) < 4*sources {
		return p, false
	}
	rest = rest[4*sources:]
	if extended {
		if len(rest) < 4 || len(rest) < 4+4*int(binary.BigEndian.Uint16(rest[2:])) {
			return p, false
		}
		rest = rest[4+4*int(binary.BigEndian.Uint16(rest[2:])):]
	}
	p.Payload = string(rest)
	return p, true
}

// FuzzInterleaved: whatever comes, in whatever pieces, the walker takes and
// passes on what the reference does.
func FuzzInterleaved(f *testing.F) {
	for _, pictures := range gop()[:2] {
		f.Add(pictures[:min(len(pictures), 3000)], uint64(1))
	}
	for _, text := range []string{
		"\r\n$\x00\x00\x0c\x80\x60\x00\x01\x00\x00\x0e\x10\x00\x00\x00\x07$\x01\x00\x00RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc$\x00\x00\x00",
		"$\x00\x00\x10\xb0\x60\x00\x01\x00\x00\x0e\x10\x00\x00\x00\x07\xbe\xde\x00\x00", "$\x00\x00\x10\xa2\xe0\x00\x01\x00\x00\x0e\x10\x00\x00\x00\x07\x00\x00\x00\x04",
		"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nRTSP/1.0 xxx\r\n$\x00\x00\x00", "RTSP/1.0 200 OK\rx",
	} {
		f.Add([]byte(text), uint64(2))
	}
	f.Fuzz(func(t *testing.T, wire []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		var pieces [][]byte
		for rest := wire; len(rest) > 0; {
			n := min(1+r.IntN(1+r.IntN(2000)), len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		got, pass, _ := rtsp.Walk(0, 0, pieces...)
		want, wantPass := reference(wire)
		if !slices.Equal(got, want) {
			t.Errorf("took %+v, want %+v", got, want)
		}
		if pass != wantPass {
			t.Errorf("passed on %q, want %q", pass, wantPass)
		}
	})
}

// scripted is a camera that answers by the book and then says what it is told,
// in pieces of any size; transport is its answer to SETUP.
func scripted(t *testing.T, transport string, early []byte, say func(c net.Conn)) string {
	t.Helper()
	const sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"
	return "rtsp://" + st.Listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for method := ""; method != "PLAY"; {
			first, cseq, _, err := request(r)
			if err != nil {
				return
			}
			method, _, _ = strings.Cut(first, " ")
			answer := "RTSP/1.0 200 OK\r\nCSeq: " + cseq + "\r\n"
			switch method {
			case "DESCRIBE":
				answer += fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
			case "SETUP":
				answer += "Session: 1\r\nTransport: " + transport + "\r\n\r\n"
			default:
				answer += "\r\n"
			}
			if _, err := c.Write(append(bytes.Clone(early), answer...)); err != nil {
				return
			}
		}
		say(c)
		_, _ = io.Copy(io.Discard, r)
	}) + "/"
}

// TestPlayKeepsItsPlace: what else a camera puts between the frames of its
// video loses none of it, whatever the pieces it comes in.
func TestPlayKeepsItsPlace(t *testing.T) {
	const answer = "RTSP/1.0 200 OK\r\nCSeq: 77\r\n\r\n"
	report := frame(1, []byte("\x80\xc8\x00\x06\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	tests := map[string]struct {
		channel byte
		early   []byte // before every answer
		between []byte // before every frame
		whole   bool   // one frame for each NAL unit
	}{
		"nothing":                    {},
		"channels 8 and 9":           {channel: 8},
		"an odd channel":             {channel: 3},
		"a response":                 {between: []byte(answer)},
		"a request":                  {between: []byte("OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n")},
		"CRLF":                       {between: []byte("\r\n")},
		"garbage with two letters":   {between: []byte("RTxxANNO\x00")},
		"unassigned channels":        {between: frame(17, []byte("RTSP/1.0 200 OK\r\n\r\n"))},
		"frames before PLAY":         {early: frame(0, packet(1, 99, "\x65old"))},
		"RTCP before every answer":   {early: report, between: report},
		"the largest frames":         {whole: true},
		"a payload type of no track": {between: frame(0, []byte("\x80\x32\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07junk"))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := idr(20_000, 3)
			if tt.whole {
				key = idr(65_535-12, 3)
			}
			var wire []byte
			for i := range 8 {
				ps := packets(t, false, [][]byte{st.SPS, st.PPS, key}, [][]byte{slice(3000, 1)})
				if tt.whole {
					ps = ps[:1]
					p := *ps[0]
					p.Payload, p.Marker = key, true
					ps = append(ps, &p)
				}
				for j, p := range ps {
					p.SSRC, p.SequenceNumber = 7, uint16(i*len(ps)+j)
					p.Timestamp += uint32(i) * 90_000
					raw, err := p.Marshal()
					if err != nil {
						t.Fatal(err)
					}
					wire = append(append(wire, tt.between...), frame(tt.channel, raw)...)
				}
			}
			transport := fmt.Sprintf("RTP/AVP/TCP;unicast;interleaved=%d-%d", tt.channel, tt.channel+1)
			url := scripted(t, transport, tt.early, func(c net.Conn) {
				r := rand.New(rand.NewPCG(5, 6))
				for rest := wire; len(rest) > 0; {
					n := min(1+r.IntN(4000), len(rest))
					if _, err := c.Write(rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
				}
			})
			h := listen()
			open(t, rtsp.Options{}, streams.Target{URL: url}, h)
			for range 8 {
				if u := <-h.units; len(u.NALUs) != 1 || !bytes.Equal(u.NALUs[0], key) {
					t.Fatal("a key unit is not what was sent")
				}
			}
		})
	}
}

// TestPlayTakesBursts: a camera far beyond its bitrate so far does not have to
// wait for its turn.
func TestPlayTakesBursts(t *testing.T) {
	const size = 32 << 20
	url := scripted(t, "RTP/AVP/TCP;unicast;interleaved=0-1", nil, func(c net.Conn) {
		junk := frame(5, make([]byte, 60_000))
		for n := 0; n < size; n += len(junk) {
			if _, err := c.Write(junk); err != nil {
				return
			}
		}
	})
	h, begin := listen(), time.Now()
	s := open(t, rtsp.Options{Latency: 2 * time.Second}, streams.Target{URL: url}, h)
	for h.bytes.Load() < size {
		time.Sleep(time.Millisecond)
	}
	if d := time.Since(begin); d > 15*time.Second {
		t.Errorf("32 MiB took %v", d)
	}
	s.Close()
}

// TestVisitDoesNotWait for more bytes than there are.
func TestVisitDoesNotWait(t *testing.T) {
	cam, h := st.New(t, st.Options{}), listen()
	s := open(t, rtsp.Options{Latency: 2 * time.Second}, streams.Target{URL: cam.URL(), Visit: true}, h)
	begin := time.Now()
	for range 5 {
		if err := cam.Send(cam.KeyUnit(1)); err != nil {
			t.Fatal(err)
		}
		<-h.units
	}
	s.Close()
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("five key units and the farewell took %v", d)
	}
}

// TestFramedConnReadsInTurn: what a wheel reads reaches the assembler, and the
// library gets the rest, until the end of the stream.
func TestFramedConnReadsInTurn(t *testing.T) {
	near, far := pair(t, ignore)
	k := &taker{}
	c := rtsp.NewFramedConn(near.Conn, 2, k.receiver(), st.SPS, st.PPS)
	if err := c.Pace(1000, 5*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, p := range packets(t, false, [][]byte{idr(5000, 1)}, [][]byte{idr(100, 1)}) {
			raw, _ := p.Marshal()
			_, _ = far.Write(append([]byte("RTSP/1.0 200 OK\r\n\r\n"), frame(2, raw)...))
			time.Sleep(2 * time.Millisecond)
		}
		_ = far.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != strings.Repeat("RTSP/1.0 200 OK\r\n\r\n", 7) || len(k.units) != 2 {
		t.Errorf("%d units; the library got %q, %v", len(k.units), got, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}
