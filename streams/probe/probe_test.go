package probe_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/pion/rtp"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/probe"
	"videopatrol/streams/streamstest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// description is a good one; what is wrong about others is put into it.
var description = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" +
	"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=" + base64.StdEncoding.EncodeToString(streamstest.SPS) + "," +
	base64.StdEncoding.EncodeToString(streamstest.PPS) + "\r\na=control:t\r\n"

// script is a camera that answers by rote and then sends key units.
type script struct {
	describe, setup, play string // whole answers; "" is a good one
	before, between       string // before every answer but the first; between packets
	ask                   string // a request of its own
	heard                 chan<- string
}

func ok(extra, body string) string {
	return fmt.Sprintf("RTSP/1.0 200 OK\r\nCSeq: %%s\r\n%sContent-Length: %d\r\n\r\n%s", extra, len(body), strings.ReplaceAll(body, "%", "%%"))
}

func (s script) serve(c net.Conn) {
	answers := map[string]string{
		"OPTIONS":  ok("Server: Scripted/1\r\nPublic: DESCRIBE, SETUP, PLAY, GET_PARAMETER\r\n", ""),
		"DESCRIBE": ok("Content-Type: application/sdp\r\n", description),
		"SETUP":    ok("Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
		"PLAY":     ok("Session: 1\r\n", ""),
		"TEARDOWN": ok("", ""), "GET_PARAMETER": ok("", ""),
	}
	for method, a := range map[string]string{"DESCRIBE": s.describe, "SETUP": s.setup, "PLAY": s.play} {
		if a != "" {
			answers[method] = a
		}
	}
	r := bufio.NewReader(c)
	done := make(chan struct{})
	defer func() { <-done }()
	playing := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-playing:
		case <-time.After(20 * time.Second):
			return
		}
		for n := uint16(0); ; n++ {
			if s.send(c, n) != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	started := false
	defer func() {
		c.Close()
		if !started {
			close(playing)
		}
	}()
	for first := true; ; first = false {
		method, cseq, err := s.request(r)
		if err != nil {
			return
		}
		if !first {
			_, _ = io.WriteString(c, s.before)
		}
		if _, err := io.WriteString(c, strings.ReplaceAll(strings.ReplaceAll(answers[method], "%s", cseq), "%%", "%")); err != nil {
			return
		}
		if method == "PLAY" && !started {
			_, _ = io.WriteString(c, s.ask)
			started = true
			close(playing)
		}
	}
}

// request reads one request; frames from the other side are passed over.
func (s script) request(r *bufio.Reader) (method, cseq string, err error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		line = strings.TrimSpace(line)
		if s.heard != nil {
			s.heard <- line
		}
		if f := strings.Fields(line); len(f) == 3 && strings.HasPrefix(f[2], "RTSP/") {
			method = f[0]
		}
		if v, ok := strings.CutPrefix(line, "CSeq: "); ok {
			cseq = v
		}
		if line == "" && method != "" {
			return method, cseq, nil
		}
	}
}

// send sends one key unit of one packet.
func (s script) send(w io.Writer, n uint16) error {
	b := packet(n, uint32(n)*1800, true, append([]byte{0x65, 0x88}, bytes.Repeat([]byte{7}, 200)...)).Data
	_, err := w.Write(append([]byte(s.between), append([]byte{'$', 0, byte(len(b) >> 8), byte(len(b))}, b...)...))
	return err
}

func packet(seq uint16, ts uint32, marker bool, payload []byte) probe.Packet {
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: seq, Timestamp: ts, SSRC: 77, Marker: marker}, Payload: payload}
	b, err := p.Marshal()
	if err != nil {
		panic(err)
	}
	return probe.Packet{Data: b}
}

func numbers(faults []probe.Fault) []int {
	var all []int
	for _, f := range faults {
		all = append(all, f.Number)
	}
	return all
}

// TestConversationFaults: what a camera does wrong in words shows by the
// number of the catalogue, and only that.
func TestConversationFaults(t *testing.T) {
	sdpWith := func(old, now string) string {
		return ok("Content-Type: application/sdp\r\n", strings.Replace(description, old, now, 1))
	}
	for name, c := range map[string]struct {
		script script
		want   []int
		reason streams.Reason
	}{
		"healthy":           {script{}, nil, ""},
		"garbage":           {script{between: "\x00\x01\x02"}, []int{4}, streams.ReasonProtocol},
		"empty lines":       {script{between: "\r\n"}, []int{7}, streams.ReasonProtocol},
		"folded header":     {script{play: ok("Session: 1\r\n \r\n", "")}, []int{6}, streams.ReasonProtocol},
		"old session":       {script{before: "$\x07\x00\x02ab"}, []int{10}, streams.ReasonProtocol},
		"no session left":   {script{setup: "RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: %s\r\n\r\n"}, []int{19}, streams.ReasonSessionLimit},
		"short timeout":     {script{setup: ok("Session: 1;timeout=0\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", "")}, []int{20}, ""},
		"no session":        {script{setup: ok("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", "")}, []int{21}, ""},
		"negative length":   {script{play: "RTSP/1.0 200 OK\r\nCSeq: %s\r\nContent-Length: -1\r\n\r\n"}, []int{23}, streams.ReasonProtocol},
		"no content type":   {script{describe: ok("", description)}, []int{23}, streams.ReasonProtocol},
		"content base":      {script{describe: ok("Content-Type: application/sdp\r\nContent-Base: 10.0.0.1/x\r\n", description)}, []int{25}, streams.ReasonProtocol},
		"redirect":          {script{describe: "RTSP/1.0 302 Found\r\nCSeq: %s\r\nLocation: rtsp://10.0.0.1/x\r\n\r\n"}, []int{26}, streams.ReasonRedirect},
		"asks":              {script{ask: "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"}, []int{27}, ""},
		"RTP-Info":          {script{play: ok("Session: 1\r\nRTP-Info: url=rtsp://x/;seq=0;\r\n", "")}, []int{28}, ""},
		"back channel":      {script{describe: sdpWith("m=video", "m=audio 0 RTP/AVP 0\r\na=sendonly\r\na=control:b\r\nm=video")}, []int{30}, ""},
		"SSRC with space":   {script{setup: ok("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc= 0000004D\r\n", "")}, []int{31}, ""},
		"another SSRC":      {script{setup: ok("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000001\r\n", "")}, []int{42}, ""},
		"no s=":             {script{describe: sdpWith("s=x\r\n", "")}, []int{32}, ""},
		"two s=":            {script{describe: sdpWith("s=x\r\n", "s=x\r\ns=y\r\n")}, []int{32}, ""},
		"no sprop":          {script{describe: sdpWith("sprop-parameter-sets", "sprop-nothing")}, []int{33}, streams.ReasonCorrupt},
		"sprop is no SPS":   {script{describe: sdpWith("sprop-parameter-sets="+base64.StdEncoding.EncodeToString(streamstest.SPS), "sprop-parameter-sets=YWJj")}, []int{33}, streams.ReasonCorrupt},
		"unknown algorithm": {script{describe: "RTSP/1.0 401 Unauthorized\r\nCSeq: %s\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"1\", algorithm=MD9\r\n\r\n"}, []int{16}, streams.ReasonAuth},
		"401 without how":   {script{describe: "RTSP/1.0 401 Unauthorized\r\nCSeq: %s\r\n\r\n"}, []int{16}, streams.ReasonAuth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := streamstest.Listen(t, c.script.serve)
			r := probe.Run(t.Context(), probe.Options{URL: "rtsp://" + addr + "/x", For: 500 * time.Millisecond})
			for _, n := range c.want {
				if !slices.Contains(numbers(r.Faults), n) {
					t.Errorf("fault %d does not show: %q %s, faults %+v", n, r.Reason, r.Detail, r.Faults)
				}
			}
			for _, f := range r.Faults {
				if !slices.Contains(c.want, f.Number) {
					t.Errorf("shows fault %+v, too", f)
				}
			}
			// What the gateway's own opener makes of a fault is tested there.
			if c.reason == "" && r.Reason != "" || c.reason == streams.ReasonAuth && r.Reason != c.reason ||
				c.reason == streams.ReasonSessionLimit && r.Reason != c.reason {
				t.Errorf("%q, want %q: %s", r.Reason, c.reason, r.Detail)
			}
			checkScreen(t, r)
		})
	}
}

// TestOverhear: faults that end a conversation before it begins to play.
func TestOverhear(t *testing.T) {
	const asked = "DESCRIBE rtsp://x/ RTSP/1.0\r\nCSeq: 2\r\n\r\n"
	const head = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\n"
	for name, c := range map[string]struct {
		said, heard string
		want        []int
	}{
		"healthy":    {asked, head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(description), description), nil},
		"wrong CSeq": {asked, strings.Replace(head, ": 2", ": 7", 1) + "\r\n", []int{22}},
		"too short":  {asked, head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(description)-3, description), []int{23}},
		"too long":   {asked, head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(description)+3, description), []int{23}},
		"huge":       {asked, head + "Content-Length: 9999999999\r\n\r\n" + description, []int{23}},
		"endless":    {asked, "RTSP/1.0 200 OK\r\n" + strings.Repeat("X: y\r\n", 50_000), []int{3}},
		"channels": {
			strings.ReplaceAll(asked, "DESCRIBE", "SETUP"),
			"RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=8-9\r\n\r\n",
			[]int{11},
		},
		"early": {strings.ReplaceAll(asked, "DESCRIBE", "SETUP"), "$\x00\x00\x01a", []int{8}},
	} {
		if _, faults := probe.Overhear([]byte(c.said), []byte(c.heard), nil); !slices.Equal(slices.Compact(numbers(faults)), c.want) {
			t.Errorf("%s: %+v, want %v", name, faults, c.want)
		}
	}
}

// checkScreen holds every screen to its size.
func checkScreen(t *testing.T, r probe.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for _, l := range lines {
		if n := len([]rune(l)); n > 80 || strings.ContainsAny(l, "\x00\r\x1b") {
			t.Errorf("%d letters: %q", n, l)
		}
	}
	if len(lines) > 40 {
		t.Errorf("%d lines", len(lines))
	}
	return b.String()
}

var (
	key   = append([]byte{0x65, 0x88}, bytes.Repeat([]byte{7}, 100)...)
	delta = append([]byte{0x41, 0x9a}, bytes.Repeat([]byte{7}, 100)...)
)

// film is pictures 40 ms apart, gop of them from key to key.
func film(n, gop int, change func(i int, p *rtp.Packet)) []probe.Packet {
	var all []probe.Packet
	for i := range n {
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(i), Timestamp: uint32(i) * 3600, SSRC: 77, Marker: true}, Payload: delta}
		if i%gop == 0 {
			p.Payload = key
		}
		if change != nil {
			change(i, &p)
		}
		b, err := p.Marshal()
		if err != nil {
			panic(err)
		}
		all = append(all, probe.Packet{At: time.Duration(i) * 40 * time.Millisecond, Data: b})
	}
	return all
}

// TestPacketFaults: what a camera does wrong in packets shows by its number.
func TestPacketFaults(t *testing.T) {
	every := func(n int, f func(p *rtp.Packet)) func(int, *rtp.Packet) {
		return func(i int, p *rtp.Packet) {
			if i%n == n-1 {
				f(p)
			}
		}
	}
	hevc := strings.NewReplacer("H264", "H265", "packetization-mode=1;sprop-parameter-sets="+base64.StdEncoding.EncodeToString(streamstest.SPS)+","+
		base64.StdEncoding.EncodeToString(streamstest.PPS), "sprop-vps="+base64.StdEncoding.EncodeToString(streamstest.VPS265)+
		";sprop-sps="+base64.StdEncoding.EncodeToString(streamstest.SPS265)+";sprop-pps="+base64.StdEncoding.EncodeToString(streamstest.PPS265)).Replace(description)
	for name, c := range map[string]struct {
		description string
		packets     []probe.Packet
		want        []int
	}{
		"healthy":       {description, film(100, 25, nil), nil},
		"loss":          {description, slices.Delete(film(100, 25, nil), 30, 33), []int{15}},
		"no sets":       {strings.ReplaceAll(description, "sprop", "nothing"), film(100, 25, nil), []int{33}},
		"start codes":   {strings.Replace(description, "sprop-parameter-sets=", "sprop-parameter-sets=AAAAAWdC,", 1), film(100, 25, nil), []int{33}},
		"sets in SDP":   {hevc, film(100, 25, func(_ int, p *rtp.Packet) { p.Payload = append([]byte{0x26, 1}, p.Payload...) }), []int{34}},
		"no marker":     {description, film(100, 25, func(_ int, p *rtp.Packet) { p.Marker = false }), []int{35}},
		"marker on SPS": {description, film(100, 25, every(25, func(p *rtp.Packet) { p.Payload = streamstest.SPS })), []int{36}},
		"Annex B":       {description, film(100, 25, every(25, func(p *rtp.Packet) { p.Payload = append([]byte{0, 0, 0, 1}, key...) })), []int{37}},
		"whole in FU":   {description, film(100, 25, every(2, func(p *rtp.Packet) { p.Payload = append([]byte{0x5c, 0xc1}, delta[1:]...) })), []int{38}},
		"empty NAL":     {description, film(100, 25, every(9, func(p *rtp.Packet) { p.Payload = []byte{0x41} })), []int{38}},
		"mode 0":        {strings.Replace(description, "mode=1", "mode=0", 1), film(100, 25, every(2, func(p *rtp.Packet) { p.Payload = append([]byte{0x5c, 0x81}, delta[1:]...) })), []int{39}},
		"two SPSs": {description, film(100, 25, every(25, func(p *rtp.Packet) {
			p.Payload, p.Marker = append(bytes.Clone(streamstest.SPS), byte(p.SequenceNumber)), false
		})), []int{40}},
		"times jump":   {description, film(100, 25, every(30, func(p *rtp.Packet) { p.Timestamp += 37_600 * 90_000 })), []int{41}},
		"SSRC changes": {description, film(100, 25, func(i int, p *rtp.Packet) { p.SSRC += uint32(i / 50) }), []int{42}},
		"junk":         {description, film(100, 25, every(10, func(p *rtp.Packet) { p.PayloadType = 50 })), []int{15, 43}},
		"B-frames by order": {description, film(100, 25, func(i int, p *rtp.Packet) {
			p.Timestamp = uint32(i+[]int{1, -1, 0}[i%3]) * 3600
		}), []int{44}},
		"B-frames by type": {description, film(100, 25, every(2, func(p *rtp.Packet) { p.Payload = []byte{0x01, 0x9f, 7, 7} })), []int{44}},
		"no RTP":           {description, append(film(100, 25, nil), probe.Packet{Data: []byte{0xa0, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200}}), []int{46}},
		"huge": {description, film(40, 20, func(_ int, p *rtp.Packet) {
			p.Timestamp = 5
			p.Payload = append(bytes.Clone(delta), bytes.Repeat([]byte{7}, 60_000)...)
		}), nil},
		"long GOP": {description, film(600, 250, nil), []int{50}},
		"no key":   {description, film(200, 1000, every(1, func(p *rtp.Packet) { p.Payload = delta })), []int{50}},
	} {
		t.Run(name, func(t *testing.T) {
			s, faults := probe.Judge(c.description, c.packets, time.Duration(len(c.packets))*40*time.Millisecond)
			if got := numbers(faults); !slices.Equal(slices.Compact(got), c.want) {
				t.Errorf("faults %v, want %v: %+v", got, c.want, faults)
			}
			if s.Packets == 0 {
				t.Errorf("%+v", s)
			}
		})
	}
	s, _ := probe.Judge(description, film(101, 25, nil), 4040*time.Millisecond)
	if s.FPS < 24.9 || s.FPS > 25.1 || s.GOP != 1 || s.GOPFrames != 25 || s.KeyUnits != 4 || s.BFrames || s.Lost != 0 || len(s.PerSecond) != 5 {
		t.Errorf("%+v", s)
	}
}

// TestCamera: a real server, with and without a login.
func TestCamera(t *testing.T) {
	camera := streamstest.New(t, streamstest.Options{Username: "admin", Password: "p@ss"})
	ctx, cancel := context.WithCancel(t.Context())
	played := make(chan struct{})
	go func() {
		defer close(played)
		camera.Play(ctx, 5, 40*time.Millisecond)
	}()
	t.Cleanup(func() { cancel(); <-played })
	decoded := 0
	o := probe.Options{
		URL: camera.URL(), For: 1500 * time.Millisecond, Login: inventory.Login{Username: "admin", Password: "p@ss"},
		Decode: func(context.Context, streams.Unit) (probe.Picture, error) {
			decoded++
			return probe.Picture{Width: 352, Height: 288, JPEG: []byte("x")}, nil
		},
	}
	r := probe.Run(t.Context(), o)
	if r.Reason != "" || decoded != 1 || r.Picture == nil || r.Picture.Codec != streams.CodecH264 || r.Picture.Bytes < 6000 {
		t.Fatalf("%+v", r)
	}
	if s := r.Stream; s.FPS < 15 || s.FPS > 35 || s.GOPFrames != 5 || s.FirstKey <= 0 || s.Kbps < 100 {
		t.Errorf("%+v", s)
	}
	if !slices.Equal(r.Login.Offered, []string{"Digest MD5"}) && len(r.Login.Offered) == 0 || !r.Login.Accepted || r.Login.Refused {
		t.Errorf("%+v", r.Login)
	}
	if len(r.Tracks) != 1 || r.Tracks[0].Codec != "H264" || !r.Tracks[0].Played || r.Tracks[0].Width != 1920 {
		t.Errorf("%+v", r.Tracks)
	}
	if r.Session == nil || r.Session.Transport != inventory.TransportTCP || r.Session.Keepalive == "" || r.Choice.Mode != inventory.ModeVisit {
		t.Errorf("%+v %+v", r.Session, r.Choice)
	}
	checkScreen(t, r)

	// A wrong password is tried once, and a missing one not at all.
	dials := camera.Dials()
	o.Login.Password = "wrong-S3CRET"
	r = probe.Run(t.Context(), o)
	if r.Reason != streams.ReasonAuth || !r.Login.Refused || !slices.Contains(numbers(r.Faults), 17) || camera.Dials()-dials != 2 {
		t.Errorf("%+v after %d dials", r, camera.Dials()-dials)
	}
	if strings.Contains(fmt.Sprintf("%+v", r)+checkScreen(t, r), "S3CRET") {
		t.Error("the password is told")
	}
	o.Login = inventory.Login{}
	if r = probe.Run(t.Context(), o); r.Reason != streams.ReasonAuth || r.Login.Refused || !strings.Contains(r.Detail, "--user") {
		t.Errorf("%+v", r)
	}

	o.Login = inventory.Login{Username: "admin", Password: "p@ss"}
	o.Interval, o.For = 2*time.Second, 300*time.Millisecond
	o.Decode = func(context.Context, streams.Unit) (probe.Picture, error) { return probe.Picture{}, errors.New("grey") }
	if r = probe.Run(t.Context(), o); r.Reason != streams.ReasonCorrupt || r.Choice.Mode != inventory.ModeResident {
		t.Errorf("%+v", r)
	}
}

func TestRefusals(t *testing.T) {
	limited := streamstest.New(t, streamstest.Options{Status: map[base.Method]base.StatusCode{base.Describe: base.StatusNotFound}})
	for name, c := range map[string]struct {
		url  string
		want streams.Reason
		n    int
	}{
		"not found":  {limited.URL(), streams.ReasonNotFound, 0},
		"web server": {"rtsp://" + streamstest.Listen(t, streamstest.WebServer), streams.ReasonNotRTSP, 14},
		"refused":    {"rtsp://127.0.0.1:1/x", streams.ReasonUnreachable, 0},
		"no name":    {"rtsp://nobody.invalid/x", streams.ReasonUnreachable, 0},
		"login":      {"rtsp://admin:S3CRET@127.0.0.1/x", streams.ReasonConfig, 0},
		"scheme":     {"ftp://127.0.0.1/x", streams.ReasonConfig, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := probe.Run(t.Context(), probe.Options{URL: c.url, For: 300 * time.Millisecond})
			if r.Reason != c.want || c.n > 0 && !slices.Contains(numbers(r.Faults), c.n) {
				t.Errorf("%q, want %q: %s %+v", r.Reason, c.want, r.Detail, r.Faults)
			}
			if strings.Contains(r.Detail, "S3CRET") {
				t.Error(r.Detail)
			}
		})
	}
	_, err := probe.Parse("rtsp://admin:S3CRET@127.0.0.1/x")
	if err == nil || !strings.Contains(err.Error(), "--password-file") || strings.Contains(err.Error(), "S3CRET") {
		t.Error(err)
	}
}

func picture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 64)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStill(t *testing.T) {
	jpg := picture(t)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "Webs")
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		if user, pw, ok := r.BasicAuth(); !ok || user != "admin" || pw != "p" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(jpg)
	}))
	t.Cleanup(s.Close)
	o := probe.Options{URL: s.URL + "/still.jpg", Login: inventory.Login{Username: "admin", Password: "p"}}
	r := probe.Run(t.Context(), o)
	if r.Reason != streams.ReasonCertificate || r.TLS == nil || r.TLS.Untrusted == "" || !slices.Contains(numbers(r.Faults), 13) {
		t.Errorf("%+v %+v", r, r.TLS)
	}
	o.Link.Pin = fingerprint(s)
	if o.Link.Pin != r.TLS.SHA256 {
		t.Errorf("shows %s to pin, want %s", r.TLS.SHA256, o.Link.Pin)
	}
	r = probe.Run(t.Context(), o)
	if r.Reason != "" || r.Picture == nil || r.Picture.Codec != streams.CodecJPEG || r.Server != "Webs" || !r.Login.Accepted ||
		r.Choice.Mode != inventory.ModeStill || !slices.Equal(numbers(r.Faults), []int{41}) {
		t.Errorf("%+v", r)
	}
	checkScreen(t, r)
	o.Login.Password = "wrong"
	if r = probe.Run(t.Context(), o); r.Reason != streams.ReasonAuth || !r.Login.Refused {
		t.Errorf("%+v", r)
	}
}

// TestTLS: what is shown by a host that nobody vouches for, and that it gets no
// login unless its certificate is pinned.
func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	config := &tls.Config{Certificates: s.TLS.Certificates, MinVersion: tls.VersionTLS12}
	asked := make(chan string, 100)
	addr := streamstest.Listen(t, func(c net.Conn) {
		script{heard: asked, describe: "RTSP/1.0 401 Unauthorized\r\nCSeq: %s\r\nWWW-Authenticate: Basic realm=\"a\"\r\n\r\n"}.serve(tls.Server(c, config))
	})
	o := probe.Options{URL: "rtsps://" + addr + "/x", For: 300 * time.Millisecond, Login: inventory.Login{Username: "u", Password: "p"}}
	for _, pin := range []string{"", fingerprint(s), strings.Repeat("0", 64)} {
		o.Link.Pin = pin
		r := probe.Run(t.Context(), o)
		if r.TLS == nil || r.TLS.SHA256 != fingerprint(s) || r.TLS.Version != "TLS 1.3" || (r.TLS.Untrusted == "") != (pin == fingerprint(s)) {
			t.Errorf("pin %q: %+v", pin, r.TLS)
		}
		if r.Reason == "" || len(r.Login.Offered) != 1 || r.Login.Refused != (pin == fingerprint(s)) {
			t.Errorf("pin %q: %q %s, %+v", pin, r.Reason, r.Detail, r.Login)
		}
		given := false
		for len(asked) > 0 {
			line := <-asked
			given = given || strings.HasPrefix(line, "Authorization")
		}
		if given != (pin == fingerprint(s)) {
			t.Errorf("pin %q: the login was given: %v", pin, given)
		}
	}
}

func fingerprint(s *httptest.Server) string {
	sum := sha256.Sum256(s.Certificate().Raw)
	return hex.EncodeToString(sum[:])
}

// TestScreen is what a person sees.
func TestScreen(t *testing.T) {
	skew := -3672.4
	full := probe.Report{
		URL:   "rtsps://10.20.30.40/Streaming/Channels/102",
		Reach: probe.Reach{Address: "10.20.30.40:322", IPs: []string{"10.20.30.40"}, DNS: 0.0004, TCP: 0.0031},
		TLS: &probe.TLS{
			Version: "TLS 1.2", Subject: "CN=camera", Issuer: "CN=camera", SHA256: strings.Repeat("0123456789abcdef", 4),
			Expires: time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC), Untrusted: "certificate signed by unknown authority",
		},
		Server: "App-webs/", Methods: []string{"OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER"},
		Login: probe.LoginFacts{Offered: []string{"Digest MD5", "Basic"}, Accepted: true},
		Tracks: []probe.Track{
			{Media: "video", Codec: "H264", PayloadType: 96, ClockRate: 90000, Profile: "High 3.1", Width: 704, Height: 576, Played: true},
			{Media: "audio", Codec: "PCMU", PayloadType: 0, ClockRate: 8000},
		},
		Session: &probe.SessionFacts{Transport: inventory.TransportTCP, Timeout: 60, Keepalive: "GET_PARAMETER"},
		Stream: &probe.Stream{
			Seconds: 10, FPS: 15, Kbps: 402.4, PerSecond: []int{410, 395, 402, 399, 407, 401, 400, 398, 402, 410, 12}, Packets: 520, Lost: 3,
			Units: 150, KeyUnits: 5, GOP: 2, GOPFrames: 30, FirstKey: 1.3, BFrames: true,
		},
		Skew:    &skew,
		Picture: &probe.Picture{Codec: streams.CodecH264, Bytes: 30412, Width: 704, Height: 576, After: 1.9, File: "first-picture.jpg"},
		Choice:  probe.Choice{Mode: inventory.ModeVisit, Interval: 15, Transport: inventory.TransportTCP, Why: "a visit every 15 s costs less than a session that stays: the line lies at 7 s", Kbps: 43},
		Faults: []probe.Fault{
			{Number: 35, Seen: "never sets the marker bit", Advice: "Nothing to do: the gateway ends a picture by its timestamp."},
			{Number: 41, Seen: "has a clock that is 1h1m12s behind", Advice: "Set the camera's clock by NTP."},
		},
	}
	failed := probe.Report{
		URL: full.URL, Reach: full.Reach, Reason: streams.ReasonSessionLimit, Detail: `SETUP: "bad status code: 453 (Not Enough Bandwidth)"`,
		Login: probe.LoginFacts{Offered: []string{"Digest MD5"}, Refused: true}, Choice: full.Choice,
	}
	for n := range 55 {
		failed.Faults = append(failed.Faults, probe.Fault{Number: n + 1, Seen: "does something odd that takes a few words", Advice: "Do something about it."})
	}
	for name, r := range map[string]probe.Report{"full": full, "failed": failed} {
		got := checkScreen(t, r)
		file := "testdata/" + name + ".golden.txt"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
}

// FuzzOverhear: nothing that a camera says breaks what listens to it.
func FuzzOverhear(f *testing.F) {
	f.Add("DESCRIBE rtsp://x/ RTSP/1.0\r\nCSeq: 2\r\n\r\n", []byte(strings.ReplaceAll(ok("Content-Type: application/sdp\r\n", description), "%s", "2")), []byte{}, []byte{})
	f.Add("SETUP rtsp://x/ RTSP/1.0\r\nCSeq: 2\r\n\r\n", []byte("RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest algorithm=x\r\n\r\n$\x00\x00\x01a\r\n$"), film(1, 1, nil)[0].Data, []byte{0x80, 0xc8, 0, 6, 0, 0, 0, 1})
	f.Add("", []byte("HTTP/1.1 200\n\nRTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n"), streamstest.SPS, streamstest.SPS265)
	f.Fuzz(func(t *testing.T, said string, heard, one, two []byte) {
		r, faults := probe.Overhear([]byte(said), heard, two)
		r.Faults = faults
		checkScreen(t, r)
		for _, d := range []string{description, string(heard), strings.ReplaceAll(description, "H264", "H265")} {
			_, faults := probe.Judge(d, []probe.Packet{{Data: one}, {At: time.Second, Data: two}, {At: time.Hour, Data: append(film(1, 1, nil)[0].Data, one...)}}, time.Second)
			r.Faults = faults
			checkScreen(t, r)
		}
	})
}
