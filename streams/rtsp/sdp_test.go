package rtsp_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/sdp"

	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// read is what the library makes of a description.
func read(b []byte) (*description.Session, error) {
	var raw sdp.SessionDescription
	if err := raw.Unmarshal(b); err != nil {
		return nil, err
	}
	var d description.Session
	if err := d.Unmarshal(&raw); err != nil {
		return nil, err
	}
	return &d, nil
}

var (
	sps64  = base64.StdEncoding.EncodeToString(st.SPS)
	pps64  = base64.StdEncoding.EncodeToString(st.PPS)
	good64 = "a=fmtp:96 packetization-mode=1; sprop-parameter-sets=" + sps64 + "," + pps64
	start  = []byte{0, 0, 0, 1}
)

const (
	head  = "v=0\no=- 0 0 IN IP4 10.0.0.1\ns=x\nt=0 0\n"
	video = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:track1\n"
)

// careless are descriptions as cameras send them. The library refuses those
// marked so, and reads the others; repaired it must read all.
var careless = map[string]struct {
	sdp     string
	refused bool
	params  bool // both parameter sets survive
	h265    bool
	payload uint8 // 0 means 96
}{
	"nothing wrong":                     {sdp: head + video + good64 + "\n", params: true},
	"no s=":                             {sdp: "v=0\no=- 0 0 IN IP4 10.0.0.1\nt=0 0\n" + video + good64, params: true},
	"two s=":                            {sdp: "v=0\no=- 0 0 IN IP4 10.0.0.1\ns=\ns=x\nt=0 0\n" + video},
	"no o=":                             {sdp: "v=0\ns=x\nc=IN IP4 10.0.0.1\n" + video},
	"nothing but the track":             {sdp: video},
	"v=1":                               {sdp: "v=1\n" + video, refused: true},
	"decimals in o=":                    {sdp: "v=0\no=- 1698210468.800125 1698210468.800126 IN IP4 10.0.0.1\ns=x\n" + video},
	"negative o= (AXIS 221)":            {sdp: "v=0\no=- -8959200248001175080 -8959200248001175080 IN IP4 10.0.0.1\ns=x\n" + video},
	"IPV4 in o= (Vurix)":                {sdp: "v=0\no=- 1 1 IN IPV4 10.0.0.1\ns=x\nc=IN IPV4 10.0.0.1\n" + video},
	"o= breaks off (Uniview)":           {sdp: "v=0\no=- 1001 1 IN \ns=VCP IPC Realtime stream\nm=video 0 RTP/AVP 105\nc=IN \na=control:rtsp://10.0.0.1/media/video1/video\na=rtpmap:105 H264/90000\na=recvonly\nm=application 0 RTP/AVP 107\nc=IN \na=rtpmap:107 vnd.onvif.metadata/90000\na=fmtp:107 DecoderTag=h3c-v3 RTCP=0\n", refused: true, payload: 105},
	"IP in o= (Verint)":                 {sdp: "v=0\no=- 1327451109 1327451109 IP IP4 10.0.0.1\ns=x\nc=IP IP4 10.0.0.1\n" + video, refused: true},
	"o= in brackets":                    {sdp: "v=0\no=[-2208991488 2208991488 IN IP4 10.0.0.1]\ns=x\n" + video},
	"three numbers in o= (Mercury)":     {sdp: "v=0\no=- 14665860 31787219 1 IN IP4 10.0.0.1\ns=Session streamed by \"MERCURY RTSP Server\"\nt=0 0\n" + video + good64 + "\nm=application/MERCURY 0 RTP/AVP smart/1/90000\na=rtpmap:95 MERCURY/90000\na=control:track3\n", params: true},
	"letters in o=":                     {sdp: "v=0\no=-  2EC08200 1 IN IP4 10.0.0.1\ns=x\n" + video},
	"c= empty":                          {sdp: "v=0\ns=x\nc=\n" + video, refused: true},
	"c= of one word":                    {sdp: head + "c=IN \n" + video, refused: true},
	"c= twice in one line":              {sdp: head + "c=IN c=IN IP4 0.0.0.0\n" + video},
	"c= of rubbish (Tuya)":              {sdp: head + "m=video -1353744643 RTP/AVP 96\nc=IN IP4 '&\xff\xfe\na=rtpmap:96 H264/90000\n", refused: true},
	"t=now- (FLIR)":                     {sdp: "v=0\ns=x\nt=now-\n" + video},
	"t= of one number":                  {sdp: "v=0\ns=x\nt=0\n" + video, refused: true},
	"t= negative":                       {sdp: "v=0\ns=x\nt=-1 0\n" + video, refused: true},
	"b= unknown":                        {sdp: head + "b=TIAS\nb=X:y:z\n" + video, refused: true},
	"r= before t=":                      {sdp: "v=0\ns=x\nr=1\n" + video, refused: true},
	"a line without =":                  {sdp: head + "hello\n" + video, refused: true},
	"a key that is none":                {sdp: head + "x=1\n" + video + "y=2\n", refused: true},
	"an empty line, zeros at the end":   {sdp: head + "\r\n\r\n" + video + "\x00\x00\n", refused: true},
	"spaces before lines":               {sdp: " v=0\n s=x\n m=video 0 RTP/AVP 96\n a=rtpmap:96 H264/90000\n", refused: true},
	"m=application/TP-LINK":             {sdp: head + video + "m=application/TP-LINK 0 RTP/AVP smart/1/90000\na=rtpmap:95 TP-LINK/90000\n"},
	"m=vana (Vicon)":                    {sdp: head + video + "m=vana 0 RTP/AVP 100\na=rtpmap:100 x/1000\n", refused: true},
	"m=text (Wisenet)":                  {sdp: head + video + "m=text 0 RTP/AVP 107\na=rtpmap:107 ffmpeg-metadata/90000\n"},
	"m= of three words":                 {sdp: head + video + "m=audio 0 RTP/AVP\na=rtpmap:0 PCMU/8000\n", refused: true},
	"m= of an unknown protocol":         {sdp: head + "m=video 0 RTP/XYZ 96\na=rtpmap:96 H264/90000\n", refused: true},
	"m= with a letter for a payload":    {sdp: head + "m=audio 0 RTP/AVP x\n" + video, refused: true},
	"clock rate 0":                      {sdp: head + "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/0\na=control:track1\n"},
	"clock rate missing":                {sdp: head + "m=video 0 RTP/AVP 96\na=rtpmap:96 H264\n"},
	"a metadata track without clock":    {sdp: head + video + "m=video 0 RTP/AVP 98\n", refused: true},
	"AAC without config (Hikvision)":    {sdp: head + video + "m=audio 0 RTP/AVP 104\na=rtpmap:104 MPEG4-GENERIC/16000\na=fmtp:97 mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408\n", refused: true},
	"G.711 without clock":               {sdp: head + video + "m=audio 0 RTP/AVP 97\na=rtpmap:97 PCMU\n"},
	"back channel formats (Dahua)":      {sdp: head + video + "m=audio 0 RTP/AVP 116 115 8\na=rtpmap:116 MPEG4-GENERIC/64000\na=rtpmap:115 MPEG4-GENERIC/48000\na=sendonly\n", refused: true},
	"two mid= alike":                    {sdp: head + video + "a=mid:0\nm=audio 0 RTP/AVP 0\na=mid:0\n", refused: true},
	"mid= for one track":                {sdp: head + video + "a=mid:0\nm=audio 0 RTP/AVP 0\n", refused: true},
	"key-mgmt":                          {sdp: head + "a=key-mgmt:mikey !!!\n" + video, refused: true},
	"fmtp empty (Ubiquiti)":             {sdp: head + video + "a=fmtp:96\na=fmtp:96 \n"},
	"fmtp of another track":             {sdp: head + video + "m=audio 0 RTP/AVP 0\n" + good64 + "\n", params: true},
	"fmtp of another payload type":      {sdp: head + video + strings.Replace(good64, ":96 ", ":97 ", 1) + "\n", params: true},
	"H.264 on 35 (Bosch)":               {sdp: head + "a=control:rtsp://10.0.0.1:554/?inst=2&h26x=4\nm=video 0 RTP/AVP 35\na=rtpmap:35 H264/90000\na=control:rtsp://10.0.0.1:554/?inst=2&h26x=4&stream=video\n" + strings.Replace(good64, ":96 ", ":35 ", 1), params: true, payload: 35},
	"H.264 on 34":                       {sdp: head + "m=video 0 RTP/AVP 34\na=rtpmap:34 H264/90000\n", payload: 34},
	"two payload types":                 {sdp: head + "m=video 0 RTP/AVP 98 96\na=rtpmap:98 MP4V-ES/90000\na=rtpmap:96 h264/90000\na=fmtp:98 config=zz\n", refused: true},
	"video marked sendonly":             {sdp: head + video + "a=sendonly\n"},
	"SPS without PPS":                   {sdp: head + video + "a=fmtp:96 sprop-parameter-sets=" + sps64 + ",\n"},
	"SPS alone":                         {sdp: head + video + "a=fmtp:96 sprop-parameter-sets=" + sps64 + "\n"},
	"Annex B in sprop":                  {sdp: head + video + "a=fmtp:96 sprop-parameter-sets=" + base64.StdEncoding.EncodeToString(append(start, st.SPS...)) + "," + base64.StdEncoding.EncodeToString(append(start, st.PPS...)), params: true},
	"Annex B, both in one":              {sdp: head + video + "a=fmtp:96 sprop-parameter-sets=" + base64.StdEncoding.EncodeToString(append(append(append(start, st.SPS...), start...), st.PPS...)) + "\n", params: true},
	"no padding, spaces, quotes":        {sdp: head + video + "a=fmtp:96 profile-level-id=42c028 ; sprop-parameter-sets = \"" + strings.TrimRight(sps64, "=") + ", " + strings.TrimRight(pps64, "=") + "\"\n", params: true},
	"PPS before SPS":                    {sdp: head + video + "a=fmtp:96 sprop-parameter-sets=" + pps64 + "," + sps64 + "\n", params: true},
	"not a SPS (YGTek)":                 {sdp: head + video + "a=fmtp:96 sprop-parameter-sets=AAAB,AAAB\n"},
	"not base64 (VStarcam)":             {sdp: head + video + "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=6...,!!\n", refused: true},
	"packetization-mode of letters":     {sdp: head + video + "a=fmtp:96 packetization-mode=x\n", refused: true},
	"control with a percent sign":       {sdp: head + "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:%zz\n"},
	"control of the session: a word":    {sdp: head + "a=control:track\n" + video},
	"H.265 with broken sets":            {sdp: head + "m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=fmtp:96 sprop-vps=!!; sprop-sps=AAAB; sprop-pps=\n", refused: true, h265: true},
	"H.265 called HEVC":                 {sdp: head + "m=video 0 RTP/AVP 96\na=rtpmap:96 HEVC/90000\n", h265: true},
	"H.265 with don-diff of letters":    {sdp: head + "m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=fmtp:96 sprop-max-don-diff=x\n", refused: true, h265: true},
	"an onvif track between (D-Link)":   {sdp: head + "m=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/0\n" + video},
	"a thousand tracks":                 {sdp: head + video + strings.Repeat("m=audio 0 RTP/AVP 0\n", 1000)},
	"a thousand lines before the track": {sdp: head + strings.Repeat("a=x\n", 900) + video},
}

func TestRepairSDP(t *testing.T) {
	for name, tt := range careless {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(tt.sdp, "\n", "\r\n")
			if _, err := read([]byte(text)); (err != nil) != tt.refused {
				t.Errorf("the library says %v of the original", err)
			}
			fixed := rtsp.RepairSDP([]byte(text))
			d, err := read(fixed)
			if err != nil {
				t.Fatalf("%v\n%s", err, fixed)
			}
			if len(d.Medias) != 1 || len(d.Medias[0].Formats) != 1 || d.Medias[0].IsBackChannel || d.Medias[0].Type != description.MediaTypeVideo {
				t.Fatalf("%s", fixed)
			}
			u, _ := base.ParseURL("rtsp://10.0.0.1/x")
			if u, err := d.Medias[0].URL(u); u == nil || err != nil {
				t.Errorf("control %q: %v", d.Medias[0].Control, err)
			}
			if got, want := d.Medias[0].Formats[0].PayloadType(), max(tt.payload, 1); got != want && (got != 96 || tt.payload != 0) {
				t.Errorf("payload type %d", got)
			}
			switch f := d.Medias[0].Formats[0].(type) {
			case *format.H264:
				if tt.h265 || tt.params != (string(f.SPS) == string(st.SPS) && string(f.PPS) == string(st.PPS)) {
					t.Errorf("%s", fixed)
				}
			case *format.H265:
				if !tt.h265 {
					t.Errorf("%s", fixed)
				}
			case *format.Generic:
				if rtsp.CodecOf(f) != streams.CodecH264 {
					t.Errorf("%s", fixed)
				}
			default:
				t.Errorf("%T", f)
			}
		})
	}
}

// describing is a camera that answers DESCRIBE with a text, head lines too.
func describing(t *testing.T, lines, sdp string) string {
	t.Helper()
	return st.Listen(t, func(c net.Conn) {
		r := textproto.NewConn(c)
		for {
			line, err := r.ReadLine()
			if err != nil {
				return
			}
			h, err := r.ReadMIMEHeader()
			if err != nil {
				return
			}
			answer := "RTSP/1.0 200 OK\r\nCSeq: " + h.Get("CSeq") + "\r\n"
			switch {
			case strings.HasPrefix(line, "DESCRIBE"):
				answer += fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", lines, len(sdp), sdp)
			case strings.HasPrefix(line, "SETUP"):
				answer += "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
			default:
				answer += "\r\n"
			}
			if _, err := c.Write([]byte(answer)); err != nil {
				return
			}
		}
	})
}

// TestCarelessCamerasPlay: the same descriptions, and careless headers, in
// whole conversations.
func TestCarelessCamerasPlay(t *testing.T) {
	const plain = "Content-Type: application/sdp\r\n"
	heads := map[string]string{
		"no Content-Type":                    "",
		"Content-Base without a scheme":      plain + "Content-Base: 10.0.0.1/live/\r\n",
		"Content-Base twice":                 plain + "Content-Base: rtsp://10.0.0.1/a/\r\nContent-Base: rtsp://10.0.0.1/a/\r\n",
		"a blank line with a space (Luma)":   " \r\n" + plain,
		"a folded line":                      "X: a\r\n b\r\n" + plain,
		"a line without a colon":             "hello\r\n" + plain,
		"an empty header":                    ": \r\nX:\r\n" + plain,
		"lines that end with a line feed":    "X: y\n" + plain,
		"charset":                            "Content-Type: application/sdp; charset=utf-8\r\n",
		"names in capitals, spaces at ends ": "SERVER: x  \r\nCONTENT-TYPE: application/sdp  \r\n",
	}
	for name, lines := range heads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := opener(t, rtsp.Options{}).Open(t.Context(), streams.Target{URL: "rtsp://" + describing(t, lines, head+video) + "/"}, streams.Receiver{})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		})
	}
	for name, tt := range careless {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := opener(t, rtsp.Options{}).Open(t.Context(), streams.Target{URL: "rtsp://" + describing(t, plain, tt.sdp) + "/"}, streams.Receiver{})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		})
	}
}

// TestUnreadableDescriptionIsKept: the Reason is unsupported, the error quotes
// a piece, and the whole is evidence without the password.
func TestUnreadableDescriptionIsKept(t *testing.T) {
	tests := map[string]struct{ head, sdp, say string }{
		"no SDP":           {"Content-Type: application/sdp\r\n", "<html>hunter22</html>", "html"},
		"another type":     {"Content-Type: text/html\r\n", "<html>hunter22</html>", "text/html"},
		"no track":         {"Content-Type: application/sdp\r\n", "v=0\r\ns=hunter22\r\n", "v=0"},
		"another codec":    {"Content-Type: application/sdp\r\n", "v=0\r\ns=hunter22\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n", "video VP8"},
		"sound alone":      {"Content-Type: application/sdp\r\n", "v=0\r\ns=hunter22\r\nm=audio 0 RTP/AVP 96\r\na=rtpmap:96 MPEG4-GENERIC/1\r\n", "audio MPEG4-GENERIC"},
		"larger than kept": {"Content-Type: application/sdp\r\n", "v=0\r\ns=hunter22\r\n" + strings.Repeat("x", 100_000), "v=0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var camera, what string
			var kept []byte
			o := opener(t, rtsp.Options{Kept: func(c, w string, b []byte) { camera, what, kept = c, w, b }})
			target := streams.Target{Camera: "c", URL: "rtsp://" + describing(t, tt.head, tt.sdp) + "/"}
			target.Login.Username, target.Login.Password = "u", "hunter22"
			_, err := o.Open(t.Context(), target, streams.Receiver{})
			if streams.ReasonOf(err) != streams.ReasonUnsupported || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("%v", err)
			}
			if camera != "c" || what != "DESCRIBE" || !strings.Contains(string(kept), tt.sdp[:4]) || strings.Contains(string(kept), "hunter22") || len(kept) > 64<<10 {
				t.Errorf("%q %q %d bytes", camera, what, len(kept))
			}
		})
	}
}

// FuzzSDP: whatever a camera describes, the repair and the library end, the
// result is bounded, and it is what it is made of when it is repaired again.
func FuzzSDP(f *testing.F) {
	for _, tt := range careless {
		f.Add([]byte(tt.sdp))
	}
	u, _ := base.ParseURL("rtsp://10.0.0.1/x")
	f.Fuzz(func(t *testing.T, b []byte) {
		fixed := rtsp.RepairSDP(b)
		if len(fixed) > 2*len(b)+8192 {
			t.Fatalf("%d bytes of %d", len(fixed), len(b))
		}
		if again := rtsp.RepairSDP(fixed); string(again) != string(fixed) {
			t.Fatalf("%q becomes %q", fixed, again)
		}
		if string(fixed) != string(b) {
			d, err := read(fixed)
			if err != nil {
				t.Fatalf("%q: %v", fixed, err)
			}
			for _, m := range d.Medias {
				if u, err := m.URL(u); u == nil || err != nil {
					t.Fatalf("%q: %v", m.Control, err)
				}
			}
		} else {
			_, _ = read(b)
		}
		_ = rtsp.Fingerprint("x", b, nil)
	})
}
