package hostile

import (
	"bytes"
	"encoding/binary"
	"image/jpeg"
	"slices"
	"sync"
	"time"

	"videopatrol/streams"
)

// withKind sends packets of another payload type.
func withKind(kind byte) func(*conversation, int, [][]byte) []*packet {
	return func(t *conversation, _ int, nalus [][]byte) []*packet {
		ps := packetize(nalus, t.source.H265)
		for _, p := range ps {
			p.kind = kind
		}
		return ps
	}
}

// each changes every packet of a picture.
func each(change func(n, i int, p *packet)) func(*conversation, int, [][]byte) []*packet {
	return func(t *conversation, n int, nalus [][]byte) []*packet {
		ps := packetize(nalus, t.source.H265)
		for i, p := range ps {
			change(n, i, p)
		}
		return ps
	}
}

// repeat adds packets of its own after those of a picture.
func repeat(extra func(t *conversation, n int) *packet) func(*conversation, int, []*packet) []*packet {
	return func(t *conversation, n int, ps []*packet) []*packet { return append(ps, extra(t, n)) }
}

func isFU(p *packet) bool { return p.payload[0]&0x1f == 28 }

// packetFaults are 35 to 39, 43 and 46 of the catalogue.
func packetFaults() []Fault {
	return []Fault{
		{ID: "35-no-marker", Summary: "never marks the end of a picture", UDP: true, packets: each(func(_, _ int, p *packet) { p.marker = false })},
		{
			ID: "36-marker-on-sets", Summary: "marks the end of a picture on every parameter set", UDP: true,
			packets: each(func(_, _ int, p *packet) { p.marker = p.marker || !isFU(p) }),
		},
		{
			ID: "36-marker-on-sei", Summary: "sends a marked message before its key slice",
			packets: func(t *conversation, _ int, nalus [][]byte) []*packet {
				ps := packetize(nalus, t.source.H265)
				if !t.source.key(nalus) {
					return ps
				}
				sei := &packet{kind: payloadType, marker: true, payload: []byte{6, 5, 4, 1, 2, 3, 4, 0x80}}
				return slices.Insert(ps, 2, sei)
			},
		},
		{
			ID: "37-annex-b", Summary: "packs parameter sets and slice into one NAL unit, with start codes", UDP: true,
			packets: func(t *conversation, _ int, nalus [][]byte) []*packet {
				return packetize([][]byte{bytes.Join(nalus, []byte{0, 0, 0, 1})}, t.source.H265)
			},
		},
		{
			ID: "37-start-code-first", Summary: "begins its packets with a start code",
			packets: func(t *conversation, _ int, nalus [][]byte) []*packet {
				var ps []*packet
				for _, n := range nalus {
					if len(n) > maxPayload {
						ps = append(ps, packetize([][]byte{n}, t.source.H265)...)
						continue
					}
					ps = append(ps, &packet{kind: payloadType, payload: append([]byte{0, 0, 0, 1}, n...)})
				}
				ps[len(ps)-1].marker = true
				return ps
			},
		},
		{
			ID: "37-aggregate", Summary: "packs parameter sets and slice into one aggregation packet",
			packets: func(_ *conversation, _ int, nalus [][]byte) []*packet {
				b := []byte{24}
				for _, n := range nalus {
					b = append(binary.BigEndian.AppendUint16(b, uint16(len(n))), n...) //nolint:gosec // the film's are small
				}
				return []*packet{{kind: payloadType, marker: true, payload: b}}
			},
		},
		{
			ID: "38-whole-fragments", Summary: "sends fragments that begin and end at once",
			packets: func(_ *conversation, _ int, nalus [][]byte) (ps []*packet) {
				for _, n := range nalus {
					ps = append(ps, fragments(n, false, 60_000)...)
				}
				ps[len(ps)-1].marker = true
				return ps
			},
		},
		{
			ID: "38-type-changes", Summary: "changes the type inside a fragmented NAL unit", UDP: true,
			packets: each(func(_, _ int, p *packet) {
				if isFU(p) && p.payload[1]&0xc0 == 0 {
					p.payload[1] = p.payload[1]&0xe0 | 1
				}
			}),
		},
		{
			ID: "38-empty", Summary: "sends empty packets, fragments and NAL units in between", UDP: true,
			packets: func(t *conversation, _ int, nalus [][]byte) (ps []*packet) {
				for _, p := range packetize(nalus, t.source.H265) {
					ps = append(ps, &packet{kind: payloadType}, &packet{kind: payloadType, payload: []byte{28, 5}}, &packet{kind: payloadType, payload: []byte{24, 0, 0, 0}}, p)
				}
				return ps
			},
		},
		{
			ID: "38-reserved-bit", Summary: "sets the reserved bit of its fragments",
			packets: each(func(_, _ int, p *packet) {
				if isFU(p) {
					p.payload[1] |= 0x20
				}
			}),
		},
		{
			ID: "38-no-end", Summary: "never ends its fragmented NAL units",
			packets: each(func(_, _ int, p *packet) {
				if isFU(p) {
					p.payload[1] &^= 0x40
				}
			}),
		},
		{
			ID: "38-no-start", Summary: "never begins its fragmented NAL units", Reasons: is(streams.ReasonNoKeyUnit, streams.ReasonCorrupt),
			packets: each(func(_, _ int, p *packet) {
				if isFU(p) {
					p.payload[1] &^= 0x80
				}
			}),
		},
		{ID: "39-mode-0", Summary: "announces single NAL units and sends fragments", sdp: swap("packetization-mode=1", "packetization-mode=0")},
		{ID: "39-mode-none", Summary: "announces no packetization mode", sdp: swap("packetization-mode=1;", "")},
		{
			ID: "43-payload-50", Summary: "sends junk of payload type 50, always with the same number", UDP: true,
			lose: repeat(func(*conversation, int) *packet {
				return &packet{kind: 50, seq: 4711, ssrc: 0x50505050, payload: bytes.Repeat([]byte{50}, 200)}
			}),
		},
		{
			ID: "46-padding", Summary: "claims more padding than its packets hold", UDP: true,
			lose: repeat(func(*conversation, int) *packet {
				return &packet{raw: append([]byte{0xa0, payloadType, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, 1, 2, 255)}
			}),
		},
		{
			ID: "46-padding-zero", Summary: "claims padding of no byte in its packets", UDP: true,
			lose: repeat(func(*conversation, int) *packet {
				return &packet{raw: append([]byte{0xa0, payloadType, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, 0)}
			}),
		},
		{
			ID: "46-header-torn", Summary: "sends packets that end inside their header", UDP: true,
			lose: repeat(func(_ *conversation, n int) *packet {
				return &packet{raw: []byte{0x9f, 0xe0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xbe, 0xde, 0xff, 0xff}[:n%17]}
			}),
		},
	}
}

// timeFaults are 40 to 42 and 44 of the catalogue.
func timeFaults() []Fault {
	far := func(seconds int) uint32 { return uint32(seconds * clockRate) } //nolint:gosec // RTP time wraps
	clock := func(at func(n int) time.Time) func(*conversation, int, []byte) []byte {
		return func(t *conversation, n int, _ []byte) []byte { return report(at(n), t.stamp, t.from) }
	}
	return []Fault{
		{
			ID: "40-sets-twice", Summary: "sends its parameter sets twice",
			source: func(s Source) Source {
				unit := s.Unit
				s.Unit = func(n int) [][]byte {
					u := unit(n)
					if s.key(u) {
						u = [][]byte{u[0], u[0], u[1], u[1], u[0], u[2]}
					}
					return u
				}
				return s
			},
		},
		{
			ID: "40-size-changes", Summary: "changes its resolution in mid-stream", UDP: true,
			source: func(s Source) Source {
				unit, other := s.Unit, sized(8, 4, false)
				s.Unit = func(n int) [][]byte {
					u := unit(n)
					if n%2 == 0 && s.key(u) {
						u = append([][]byte{other}, u[1:]...)
					}
					return u
				}
				return s
			},
		},
		{
			ID: "41-time-inside-unit", Summary: "changes the timestamp inside a picture",
			packets: each(func(_, i int, p *packet) { p.stamp = uint32(i) }), //nolint:gosec // small
		},
		{ID: "41-time-zero", Summary: "begins at timestamp 0", stamp: func(t *conversation, _ int, s uint32) uint32 { return s - 1<<20 }},
		{
			ID: "41-time-far", Summary: "stamps pictures 9,800 s back and 37,600 s ahead", UDP: true,
			stamp: func(_ *conversation, n int, s uint32) uint32 {
				switch n % 3 {
				case 1:
					return s - far(9_800)
				case 2:
					return s + far(37_600)
				default:
					return s
				}
			},
		},
		{ID: "41-time-backward", Summary: "counts time backwards", stamp: func(_ *conversation, _ int, s uint32) uint32 { return -s }},
		{ID: "41-time-wraps", Summary: "passes the end of its timestamps", stamp: func(_ *conversation, _ int, s uint32) uint32 { return s - 1<<20 - clockRate/4 }},
		{ID: "41-clock-steps", Summary: "sets its clock again and again", report: clock(func(n int) time.Time { return time.Now().Add(time.Duration(n%7-3) * time.Hour) })},
		{ID: "41-clock-2000", Summary: "believes that it is the year 2000", report: clock(func(int) time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) })},
		{ID: "41-clock-2036", Summary: "believes that its NTP seconds have wrapped", report: clock(func(int) time.Time { return time.Unix(1<<32-since1900+5, 0) })},
		{ID: "41-no-report", Summary: "never sends a report", report: func(*conversation, int, []byte) []byte { return nil }},
		{
			ID: "42-source-changes", Summary: "changes its source's number in mid-stream", UDP: true,
			Reasons: is(streams.ReasonNone, streams.ReasonStalled, streams.ReasonNoKeyUnit),
			before: func(t *conversation, n int) bool {
				if n%10 == 9 {
					t.from++
				}
				return true
			},
		},
		{
			ID: "42-source-wrong", Summary: "names another source's number than it uses",
			answer: on("SETUP", func(t *conversation, a *answer) {
				for i, line := range a.head {
					a.head[i] = string(bytes.Replace([]byte(line), []byte(";ssrc="), []byte(";ssrc=F"), 1))
				}
				t.from = 5
			}),
		},
		{
			ID: "42-report-broken", Summary: "sends reports that are none", UDP: true,
			report: func(_ *conversation, n int, b []byte) []byte {
				return [][]byte{{}, {0x80}, b[:9], {0x80, 200, 0xff, 0xff, 1}, {0x9f, 203, 0, 1, 0, 0, 0, 1}, bytes.Repeat([]byte{0x80, 200}, 900)}[n%6]
			},
		},
		{
			ID: "42-report-other-source", Summary: "reports of a source that it does not send", UDP: true,
			report: func(t *conversation, _ int, _ []byte) []byte { return report(time.Now(), t.stamp, 4) },
		},
		{
			ID: "44-b-frames", Summary: "sends pictures in another order than they are shown", UDP: true,
			stamp: func(t *conversation, n int, s uint32) uint32 {
				step := uint32(t.source.Period * clockRate / time.Second) //nolint:gosec // small
				switch n % 5 {
				case 1, 3:
					return s + step
				case 2, 4:
					return s - step
				default:
					return s
				}
			},
		},
	}
}

// scan are the parts of a JPEG that RFC 2435 sends: two quantisation tables
// and the scan.
var scan = sync.OnceValues(func() (tables, data []byte) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(func(x, y int) byte { return byte(x * y) }), nil); err != nil {
		panic(err) // a buffer takes everything
	}
	rest := b.Bytes()[2:]
	for len(rest) > 4 && rest[0] == 0xff {
		size := int(binary.BigEndian.Uint16(rest[2:])) + 2
		switch rest[1] {
		case 0xdb:
			for t := rest[4:size]; len(t) >= 65; t = t[65:] {
				tables = append(tables, t[1:65]...)
			}
		case 0xda:
			return tables, bytes.TrimSuffix(rest[size:], []byte{0xff, 0xd9})
		}
		rest = rest[size:]
	}
	return tables, nil
})

// motionJPEG is a fault of a camera that sends JPEG; header makes the eight
// bytes of RFC 2435 section 3.1, and what follows them in the first packet.
func motionJPEG(id, summary string, reasons []streams.Reason, header func(offset int) []byte) Fault {
	return Fault{
		ID: id, Summary: summary, Reasons: reasons, UDP: true, Torn: true,
		sdp: func(string) string {
			return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=Media Server\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"
		},
		packets: func(*conversation, int, [][]byte) (ps []*packet) {
			_, rest := scan()
			for offset := 0; len(rest) > 0; {
				part := rest[:min(len(rest), maxPayload-200)]
				ps = append(ps, &packet{kind: 26, payload: append(header(offset), part...)})
				offset, rest = offset+len(part), rest[len(part):]
			}
			ps[len(ps)-1].marker = true
			return ps
		},
	}
}

// jpegHead is the header of RFC 2435 with its quantisation tables.
func jpegHead(offset int, kind, q, width byte) []byte {
	b := []byte{0, byte(offset >> 16), byte(offset >> 8), byte(offset), kind, q, width, side / 8} //nolint:gosec // split on purpose
	if kind >= 64 && kind < 128 {
		b = append(b, 0, 0, 0xff, 0xff) // no restart interval
	}
	if offset == 0 && q >= 128 {
		tables, _ := scan()
		b = append(b, 0, 0, 0, byte(len(tables)))
		b = append(b, tables...)
	}
	return b
}

// hugeSlice is a NAL unit of nine million bytes, made once.
var hugeSlice = sync.OnceValue(func() []byte { return append([]byte{0x65, 0x88}, bytes.Repeat([]byte{0x55}, 9<<20)...) })

// still plays a picture of one luma, drawn by luma.
func still(luma func(n, x, y int) byte) func(Source) Source {
	return func(s Source) Source {
		unit := s.Unit
		var keys [][]byte
		for n := range 4 {
			keys = append(keys, drawKey(func(x, y int) byte { return luma(n, x, y) }))
		}
		s.Unit = func(n int) [][]byte {
			u := unit(n)
			if s.key(u) {
				u = [][]byte{u[0], u[1], keys[n/5%len(keys)]}
			}
			return u
		}
		return s
	}
}

// pictureFaults are 45 and 47 to 50 of the catalogue.
func pictureFaults() []Fault {
	taken := is(streams.ReasonNone, streams.ReasonUnsupported)
	bad := is(streams.ReasonCorrupt, streams.ReasonUnsupported, streams.ReasonNoKeyUnit, streams.ReasonNone)
	many := func(slices int) func(Source) Source {
		return func(s Source) Source {
			unit := s.Unit
			s.Unit = func(n int) [][]byte {
				u := unit(n)
				if s.key(u) {
					u = u[:2:2]
					for range slices {
						u = append(u, append([]byte{0x65, 0x88}, bytes.Repeat([]byte{0x55}, 60)...))
					}
				}
				return u
			}
			return s
		}
	}
	slow := func(s Source) Source {
		s.Period = s.second
		return s
	}
	return []Fault{
		motionJPEG("45-jpeg", "sends JPEG with its own tables", taken, func(o int) []byte { return jpegHead(o, 1, 255, side/8) }),
		motionJPEG("45-jpeg-quality-50", "sends JPEG of a quality between 1 and 99", taken, func(o int) []byte { return jpegHead(o, 1, 50, side/8) }),
		motionJPEG("45-jpeg-restart", "sends JPEG with restart intervals", taken, func(o int) []byte { return jpegHead(o, 65, 255, side/8) }),
		motionJPEG("45-jpeg-unknown-type", "sends JPEG of a type that nobody knows", bad, func(o int) []byte { return jpegHead(o, 42, 255, side/8) }),
		motionJPEG("45-jpeg-no-size", "sends JPEG without width", bad, func(o int) []byte { return jpegHead(o, 1, 255, 0) }),
		motionJPEG("45-jpeg-torn-header", "sends JPEG packets that end inside their header", bad, func(int) []byte { return []byte{0, 0, 0, 0, 1} }),
		{
			ID: "47-bad-aac", Summary: "has sound whose configuration is broken", UDP: true,
			sdp: adds("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/8000/1\r\na=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;config=zz;sizelength=13;indexlength=3;indexdeltalength=3\r\na=control:track2\r\n"),
		},
		{
			ID: "47-aac-no-config", Summary: "has sound without a configuration",
			sdp: adds("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/8000/1\r\na=control:track2\r\n"),
		},
		{
			ID: "48-huge-unit", Summary: "sends key units of nine million bytes", Reasons: is(streams.ReasonMemory), Torn: true,
			source: func(s Source) Source {
				unit, huge := s.Unit, hugeSlice()
				s.Unit = func(n int) [][]byte {
					u := unit(n)
					if s.key(u) {
						u = [][]byte{u[0], u[1], huge}
					}
					return u
				}
				s.Period *= 10
				return s
			},
			packets: func(_ *conversation, _ int, nalus [][]byte) (ps []*packet) {
				for _, n := range nalus {
					ps = append(ps, fragments(n, false, 60_000)...)
				}
				ps[len(ps)-1].marker = true
				return ps
			},
		},
		{ID: "48-many-units", Summary: "cuts its key unit into 51 slices", Torn: true, source: many(51)},
		{ID: "48-too-many-units", Summary: "cuts its key unit into 500 slices", Torn: true, Reasons: is(streams.ReasonCorrupt), source: many(500)},
		{ID: "48-size-1", Summary: "announces a picture of one macroblock", source: withSPS(sized(1, 1, false)), sdp: sprop(sized(1, 1, false), drawn().params[1])},
		{ID: "48-size-16k", Summary: "announces a picture of 16k × 16k", source: withSPS(sized(1024, 1024, false)), sdp: sprop(sized(1024, 1024, false), drawn().params[1])},
		{ID: "49-frozen", Summary: "sends the same picture for ever, with moving timestamps", UDP: true, source: still(func(_, x, y int) byte { return byte(x + y) }), Torn: true},
		{ID: "49-black", Summary: "shows black", source: still(func(_, _, _ int) byte { return 16 }), Torn: true},
		{ID: "49-white", Summary: "shows white", source: still(func(_, _, _ int) byte { return 235 }), Torn: true},
		{
			ID: "49-tampered", Summary: "looks elsewhere after a while", Torn: true,
			source: still(func(n, x, y int) byte { return byte(x*(n/2+1) + y) }),
		},
		{
			ID: "49-clock-only", Summary: "shows a frozen picture under a running clock", Torn: true,
			source: still(func(n, x, y int) byte {
				if y < 8 {
					return byte(40*n + x)
				}
				return byte(x + y)
			}),
		},
		{ID: "50-one-a-second", Summary: "sends one picture a second", UDP: true, source: slow},
		{ID: "50-long-gop", Summary: "sends a key unit every 30 seconds", source: func(s Source) Source {
			unit, at := s.Unit, 0
			s.Unit = func(n int) [][]byte {
				for want := n%30 == 0; ; {
					u := unit(at)
					at++
					if s.key(u) == want {
						return u
					}
				}
			}
			return slow(s)
		}},
		{ID: "50-anamorphic", Summary: "has pixels that are not square", source: withSPS(sized(side/16, side/16, true)), sdp: sprop(sized(side/16, side/16, true), drawn().params[1])},
	}
}

// fleetFaults are what 51 to 55 of the catalogue are made of: a fleet suffers
// them together.
func fleetFaults() []Fault {
	return []Fault{
		{
			ID: "51-gone", Summary: "is gone with all the others: connections are reset", Reasons: is(streams.ReasonClosed),
			accept: func(t *conversation) bool {
				t.reset()
				return true
			},
		},
		{
			ID: "52-reboot", Summary: "reboots: it takes connections, and answers 503 for a while", Reasons: is(streams.ReasonSessionLimit),
			answer: func(_ *conversation, _ *request, a *answer) { a.refuse("503 Service Unavailable") },
		},
		{
			ID: "53-session-limit", Summary: "grants one session and refuses more by 453",
			answer: func(t *conversation, r *request, a *answer) {
				if r.method == "SETUP" && !t.playing && t.server.begins(0) > 0 {
					a.refuse("453 Not Enough Bandwidth")
				}
			},
		},
		{
			ID: "54-other-device", Summary: "is another device than before", UDP: true, Torn: true,
			Reasons: is(streams.ReasonNone, streams.ReasonChanged),
			source:  func(s Source) Source { return Film265(5, s.Period) },
			sdp: func(s string) string {
				return swap("s=Media Server", "s=Another Camera")(origin("o=- 7 7 IN IP4 10.1.1.1\r\n")(s))
			},
			answer: func(_ *conversation, _ *request, a *answer) { a.set("Server", "Another/2.0") },
		},
		{
			ID: "55-flapping", Summary: "goes down seven seconds after it came up", Reasons: is(streams.ReasonClosed),
			before: func(t *conversation, n int) bool {
				if time.Duration(n)*t.source.Period > t.seconds(7) {
					t.hangUp()
				}
				return true
			},
		},
	}
}
