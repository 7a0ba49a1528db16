package hostile

import (
	"encoding/base64"
	"regexp"
	"strings"

	"videopatrol/streams"
	"videopatrol/streams/synth"
)

// swap replaces a text of the description.
func swap(old, fresh string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, fresh, 1) }
}

// adds puts lines at the end of the description.
func adds(lines string) func(string) string { return func(s string) string { return s + lines } }

// both makes two changes.
func both(a, b func(string) string) func(string) string {
	return func(s string) string { return b(a(s)) }
}

var (
	originLine = regexp.MustCompile(`o=[^\r]*\r\n`)
	formatLine = regexp.MustCompile(`a=fmtp:[^\r]*\r\n`)
	spropText  = regexp.MustCompile(`;?sprop-parameter-sets=[^;\r]*`)
)

func origin(line string) func(string) string {
	return func(s string) string { return originLine.ReplaceAllString(s, line) }
}

func fmtp(line string) func(string) string {
	return func(s string) string { return formatLine.ReplaceAllString(s, line) }
}

// sprop announces other parameter sets.
func sprop(sets ...[]byte) func(string) string {
	var text []string
	for _, set := range sets {
		text = append(text, base64.StdEncoding.EncodeToString(set))
	}
	return func(s string) string {
		return spropText.ReplaceAllString(s, ";sprop-parameter-sets="+strings.Join(text, ","))
	}
}

// sdpFaults are 32 of the catalogue, and what vendors send.
func sdpFaults() []Fault {
	as := func(kind string) func(string) string { return swap("RTP/AVP 96", "RTP/AVP "+kind) }
	renumber := func(kind string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, "96", kind) }
	}
	return []Fault{
		{ID: "32-no-session-name", Summary: "has no s= line", UDP: true, sdp: swap("s=Media Server\r\n", "")},
		{ID: "32-two-session-names", Summary: "has two s= lines", sdp: swap("s=Media Server", "s=Media Server\r\ns=again")},
		{ID: "32-no-origin", Summary: "has no o= line", sdp: origin("")},
		{ID: "32-origin-decimals", Summary: "has decimals in its o= line", sdp: origin("o=- 1700000000.123 1700000000.5 IN IP4 127.0.0.1\r\n")},
		{ID: "32-origin-short", Summary: "ends its o= and c= lines at IN", sdp: both(origin("o=- 1001 1 IN\r\n"), swap("c=IN IP4 0.0.0.0", "c=IN"))},
		{ID: "32-connection-twice", Summary: "repeats c= in its c= line", sdp: swap("c=IN IP4 0.0.0.0", "c=IN c=IN IP4 0.0.0.0")},
		{ID: "32-connection-junk", Summary: "has a c= line of junk", sdp: swap("c=IN IP4 0.0.0.0", "c=0.0.0.0")},
		{ID: "32-time-now", Summary: "has the time now- in its t= line", sdp: swap("t=0 0", "t=now-")},
		{ID: "32-time-junk", Summary: "has one number in its t= line", sdp: swap("t=0 0", "t=0")},
		{ID: "32-media-other-type", Summary: "calls its picture m=vana", sdp: swap("m=video", "m=vana")},
		{ID: "32-media-application", Summary: "has a track of its own type", sdp: adds("m=application/TP-LINK 0 RTP/AVP smart/1/90000\r\na=rtpmap:95 TP-LINK/90000\r\na=control:track3\r\n")},
		{ID: "32-port-negative", Summary: "has a negative port in its m= line", sdp: swap("m=video 0", "m=video -1353744643")},
		{ID: "32-clock-zero", Summary: "has a second track with a clock of 0 Hz", sdp: adds("m=audio 0 RTP/AVP 100\r\na=rtpmap:100 L16/0\r\na=control:track2\r\n")},
		{ID: "32-clock-zero-video", Summary: "has a clock of 0 Hz", sdp: swap("H264/90000", "H264/0")},
		{ID: "32-fmtp-empty", Summary: "has an empty fmtp line", sdp: fmtp("a=fmtp:96\r\n")},
		{ID: "32-fmtp-other-track", Summary: "has the fmtp line of another track", sdp: fmtp("a=fmtp:97 packetization-mode=1\r\n")},
		{ID: "32-payload-35", Summary: "sends H.264 as payload type 35", sdp: renumber("35"), packets: withKind(35)},
		{ID: "32-no-rtpmap", Summary: "does not say what payload type 96 is", Reasons: is(streams.ReasonUnsupported, streams.ReasonProtocol), sdp: swap("a=rtpmap:96 H264/90000\r\n", "")},
		{ID: "32-two-formats", Summary: "offers a private format beside H.264", sdp: both(as("96 107"), swap("a=rtpmap:96", "a=rtpmap:107 vnd.onvif.metadata/90000\r\na=rtpmap:96"))},
		{ID: "32-empty", Summary: "sends an empty description", Reasons: is(streams.ReasonUnsupported), sdp: func(string) string { return "" }},
		{ID: "32-no-version", Summary: "has no v= line", sdp: swap("v=0\r\n", "")},
		{ID: "32-line-feeds", Summary: "ends its lines with line feeds", sdp: func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }},
		{ID: "32-binary", Summary: "sends bytes that are no text", Reasons: is(streams.ReasonUnsupported), sdp: func(string) string { return "v=0\r\n\x00\xff\xfe\x01\r\n" }},
		{ID: "32-vurix", Summary: "writes IPV4 (Vurix)", sdp: both(origin("o=- 1 1 IN IPV4 10.10.10.10\r\n"), swap("IN IP4 0.0.0.0", "IN IPV4 0.0.0.0"))},
		{ID: "32-uniview", Summary: "ends its lines at IN and a space (Uniview)", sdp: both(origin("o=- 1001 1 IN \r\n"), swap("c=IN IP4 0.0.0.0", "c=IN "))},
		{ID: "32-verint", Summary: "writes IP for IN (Verint)", sdp: origin("o=- 1327451109 1327451109 IP IP4 10.10.10.10\r\n")},
		{ID: "32-wisenet", Summary: "has neither o= nor t=, and text tracks (Wisenet)", sdp: both(origin(""), both(swap("t=0 0\r\n", ""), adds("m=text 0 RTP/AVP 103\r\na=control:trackID=2\r\na=rtpmap:103 object-detection/1000\r\n")))},
		{ID: "32-axis-221", Summary: "has negative numbers in its o= line (AXIS 221)", sdp: origin("o=- -1962418793961427 -1962418793961418 IN IP4 192.168.221.104\r\n")},
		{ID: "32-altasec", Summary: "says nothing of its media but m= (Altasec)", Reasons: is(streams.ReasonUnsupported, streams.ReasonProtocol), sdp: func(string) string { return "v=0\r\nm=video 0 RTP/AVP 96\r\n" }},
		{ID: "32-mercury", Summary: "has four words before IN (MERCURY)", sdp: both(origin("o=- 14665860 31787219 1 IN IP4 192.168.0.60\r\n"), adds("m=application/MERCURY 0 RTP/AVP smart/1/90000\r\na=rtpmap:95 MERCURY/90000\r\na=control:track3\r\n"))},
		{ID: "32-d-link", Summary: "has a b= line of a type of its own (D-Link)", sdp: swap("t=0 0\r\n", "b=ZZ:4096\r\nt=0 0\r\n")},
		{ID: "32-annke", Summary: "sends its description without lines before m= (Annke)", sdp: func(s string) string { return s[strings.Index(s, "m=video"):] }},
	}
}

// sized are parameter sets of a picture of that many macroblocks a side
// (ITU-T H.264 7.3.2.1.1), with a sample aspect ratio where sar is true.
func sized(wide, high uint32, sar bool) []byte {
	var b synth.Bits
	for _, v := range []uint32{0x67, 66, 0xc0, 40} {
		b.U(8, v)
	}
	b.UE(0) // seq_parameter_set_id
	b.UE(0) // log2_max_frame_num_minus4
	b.UE(2) // pic_order_cnt_type
	b.UE(1) // max_num_ref_frames
	b.U(1, 0)
	b.UE(wide - 1)
	b.UE(high - 1)
	b.U(1, 1) // frame_mbs_only_flag
	b.U(1, 1) // direct_8x8_inference_flag
	b.U(1, 0) // frame_cropping_flag
	if sar {
		b.U(1, 1)   // vui_parameters_present_flag
		b.U(1, 1)   // aspect_ratio_info_present_flag
		b.U(8, 255) // Extended_SAR
		b.U(16, 16) // sar_width
		b.U(16, 11) // sar_height
		b.U(8, 0)   // nothing else of the VUI
		b.U(1, 1)   // stop bit
		return synth.Escape(b.Bytes())
	}
	b.U(1, 0)
	b.U(1, 1)
	return synth.Escape(b.Bytes())
}

// withSPS plays another SPS in band.
func withSPS(sps []byte) func(Source) Source {
	return func(s Source) Source {
		unit := s.Unit
		s.Unit = func(n int) [][]byte {
			u := unit(n)
			if s.key(u) {
				u = append([][]byte{sps}, u[1:]...)
			}
			return u
		}
		return s
	}
}

// bare plays no parameter sets in band.
func bare(s Source) Source {
	unit := s.Unit
	s.Unit = func(n int) [][]byte {
		u := unit(n)
		if s.key(u) {
			u = u[len(u)-1:]
		}
		return u
	}
	return s
}

// as265 plays the H.265 film at the source's own pace.
func as265(s Source) Source { return Film265(5, s.Period) }

// paramFaults are 33 and 34 of the catalogue.
func paramFaults() []Fault {
	d := drawn()
	code := []byte{0, 0, 0, 1}
	greedy := func() []byte { // num_ref_frames_in_pic_order_cnt_cycle of 2³¹
		var b synth.Bits
		for _, v := range []uint32{0x67, 66, 0xc0, 40} {
			b.U(8, v)
		}
		b.UE(0)
		b.UE(0)
		b.UE(1) // pic_order_cnt_type
		b.U(1, 0)
		b.UE(0)
		b.UE(0)
		b.UE(1<<31 - 2)
		b.U(8, 0xff)
		return synth.Escape(b.Bytes())
	}
	noSets := fmtp("a=fmtp:96 packetization-mode=1\r\n")
	return []Fault{
		{ID: "33-no-sprop", Summary: "announces no parameter sets", UDP: true, sdp: noSets},
		{ID: "33-no-sets-at-all", Summary: "neither announces nor sends parameter sets", Reasons: is(streams.ReasonCorrupt), sdp: noSets, source: bare},
		{ID: "33-sps-alone", Summary: "announces an SPS without a PPS", sdp: sprop(d.params[0])},
		{ID: "33-not-a-sps", Summary: "announces as an SPS what is none", sdp: sprop([]byte{0x01, 2, 3}, []byte{4, 5, 6})},
		{ID: "33-sprop-broken", Summary: "announces parameter sets that are no base64", sdp: swap("sprop-parameter-sets=", "sprop-parameter-sets=%%,")},
		{ID: "33-sprop-annex-b", Summary: "announces parameter sets with start codes", source: bare, sdp: sprop(append(code, d.params[0]...), append(code, d.params[1]...))},
		{ID: "33-sps-stray-bytes", Summary: "has stray bytes after its SPS", sdp: sprop(append(append([]byte{}, d.params[0]...), 0, 0, 0, 9, 9), d.params[1])},
		{ID: "33-wrong-profile", Summary: "announces another profile than it sends", sdp: swap("profile-level-id=42", "profile-level-id=64")},
		{ID: "33-sps-eats-memory", Summary: "has an SPS that would fill the memory of a careless parser", sdp: sprop(greedy(), d.params[1]), source: withSPS(greedy())},
		{ID: "34-sets-announced", Summary: "H.265: parameter sets in the description alone", source: func(s Source) Source { return bare(as265(s)) }},
		{ID: "34-sets-in-band", Summary: "H.265: parameter sets in band alone", UDP: true, source: as265, sdp: fmtp("")},
		{
			ID: "34-no-vps", Summary: "H.265: no VPS anywhere", Reasons: is(streams.ReasonCorrupt), sdp: fmtp(""),
			source: func(s Source) Source {
				s = as265(s)
				unit := s.Unit
				s.Unit = func(n int) [][]byte {
					if u := unit(n); s.key(u) {
						return u[1:]
					}
					return unit(n)
				}
				return s
			},
		},
		{
			ID: "34-sub-layers", Summary: "H.265: sub-layers in VPS and SPS", sdp: fmtp(""),
			source: func(s Source) Source {
				s = as265(s)
				unit := s.Unit
				s.Unit = func(n int) [][]byte {
					u := unit(n)
					if s.key(u) {
						vps, sps := append([]byte{}, u[0]...), append([]byte{}, u[1]...)
						vps[3] |= 0x0e // vps_max_sub_layers_minus1
						sps[2] |= 0x0e // sps_max_sub_layers_minus1
						u = [][]byte{vps, sps, u[2], u[3]}
					}
					return u
				}
				return s
			},
		},
		{
			ID: "34-whole-fragments", Summary: "H.265: fragments that begin and end at once", source: as265,
			packets: func(_ *conversation, _ int, nalus [][]byte) (ps []*packet) {
				for _, n := range nalus {
					ps = append(ps, fragments(n, true, 60_000)...)
				}
				ps[len(ps)-1].marker = true
				return ps
			},
		},
	}
}
