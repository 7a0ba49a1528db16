package probe

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

// sdp is what a session description says, read leniently: the library may
// refuse it, and the probe must still tell why.
type sdp struct {
	present      bool
	names        int // s= lines
	origins      int // o= lines
	medias       []sdpMedia
	badClock     bool
	emptyFmtp    bool
	strayFmtp    bool // fmtp of a payload type that its track has not
	backChannel  bool
	unknownMedia string
}

type sdpMedia struct {
	kind        string
	pt          int
	codec       string // upper case
	clock       int
	fmtp        map[string]string // keys in lower case
	fmtpGiven   bool
	sets        [][]byte // parameter sets of the SDP
	badSets     string   // what is wrong with them
	backChannel bool
}

func (m sdpMedia) video() bool {
	return m.kind == "video" || m.codec == "H264" || m.codec == "H265"
}

// staticCodecs are the payload types that need no rtpmap (RFC 3551 table 4, 5).
var staticCodecs = map[int]string{0: "PCMU", 8: "PCMA", 26: "JPEG", 32: "MPV", 33: "MP2T"}

// maxMedias bounds the tracks that are read.
const maxMedias = 16

func parseSDP(body string) sdp {
	s := sdp{present: strings.TrimSpace(body) != ""}
	for line := range strings.Lines(body) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !ok {
			continue
		}
		switch {
		case key == "s":
			s.names++
		case key == "o":
			s.origins++
		case key == "m" && len(s.medias) < maxMedias:
			s.medias = append(s.medias, newMedia(value))
			if k := s.medias[len(s.medias)-1].kind; k != "video" && k != "audio" && k != "application" && s.unknownMedia == "" {
				s.unknownMedia = clip(k)
			}
		case key == "a" && len(s.medias) > 0:
			s.attribute(&s.medias[len(s.medias)-1], value)
		}
	}
	for i := range s.medias {
		s.medias[i].readSets()
	}
	return s
}

func newMedia(value string) sdpMedia {
	m := sdpMedia{pt: -1, fmtp: map[string]string{}}
	f := strings.Fields(value)
	if len(f) > 0 {
		m.kind = f[0]
	}
	if len(f) > 3 {
		if n, err := strconv.Atoi(f[3]); err == nil {
			m.pt, m.codec = n, staticCodecs[n]
		}
	}
	if m.codec != "" {
		m.clock = 8000
		if m.kind == "video" {
			m.clock = 90000
		}
	}
	return m
}

func (s *sdp) attribute(m *sdpMedia, value string) {
	name, rest, _ := strings.Cut(value, ":")
	pt, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	switch name {
	case "rtpmap":
		if n, err := strconv.Atoi(pt); err != nil || n != m.pt {
			return
		}
		codec, clock, _ := strings.Cut(strings.TrimSpace(rest), "/")
		clock, _, _ = strings.Cut(clock, "/")
		m.codec = strings.ToUpper(clip(codec))
		m.clock, _ = strconv.Atoi(strings.TrimSpace(clock)) // 0 is told below
		s.badClock = s.badClock || m.clock <= 0
	case "fmtp":
		m.fmtpGiven = true
		if n, err := strconv.Atoi(pt); err != nil || n != m.pt {
			s.strayFmtp = true
			return
		}
		s.emptyFmtp = s.emptyFmtp || strings.TrimSpace(rest) == ""
		for p := range strings.SplitSeq(rest, ";") {
			if k, v, ok := strings.Cut(p, "="); ok {
				m.fmtp[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
			}
		}
	case "sendonly":
		if m.kind == "audio" {
			m.backChannel, s.backChannel = true, true
		}
	}
}

// readSets decodes the parameter sets of a track (RFC 6184 8.2.1, RFC 7798
// 7.2.1).
func (m *sdpMedia) readSets() {
	var texts []string
	switch m.codec {
	case "H264":
		if v := m.fmtp["sprop-parameter-sets"]; v != "" {
			texts = strings.Split(v, ",")
		}
	case "H265":
		for _, k := range []string{"sprop-vps", "sprop-sps", "sprop-pps"} {
			if v := m.fmtp[k]; v != "" {
				texts = append(texts, strings.Split(v, ",")...)
			}
		}
	}
	kinds := map[nalKind]int{}
	for _, t := range texts[:min(len(texts), 16)] {
		b, err := base64.StdEncoding.DecodeString(t)
		switch {
		case err != nil:
			m.badSets = "they are not base64"
			continue
		case len(b) == 0:
			continue
		case len(b) > 3 && b[0] == 0 && b[1] == 0:
			m.badSets = "they begin with start codes"
			b = b[3:]
			if b[0] == 1 && len(b) > 1 {
				b = b[1:]
			}
		}
		k := kindOf(m.codec == "H265", b)
		if !k.set() {
			m.badSets = "one of them is no parameter set"
			continue
		}
		kinds[k]++
		m.sets = append(m.sets, b)
	}
	if len(m.sets) > 0 && m.badSets == "" && (kinds[nalSPS] == 0 || kinds[nalPPS] == 0) {
		m.badSets = "an SPS or a PPS is missing"
	}
}

// shape is what an SPS says.
type shape struct {
	width, height int
	profile       string
}

var profiles264 = map[uint8]string{66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2", 244: "High 4:4:4"}

var profiles265 = map[uint8]string{1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"}

// maxSet is the largest parameter set that is looked into, in bytes.
const maxSet = 4 << 10

// shapeOf reads an SPS; ok is false for one that cannot be read.
func shapeOf(is265 bool, sps []byte) (s shape, ok bool) {
	if len(sps) > maxSet {
		return s, false
	}
	if is265 {
		var p h265.SPS
		if p.Unmarshal(sps) != nil {
			return s, false
		}
		profile := profiles265[p.ProfileTierLevel.GeneralProfileIdc]
		return shape{p.Width(), p.Height(), join(profile, float64(p.ProfileTierLevel.GeneralLevelIdc)/30)}, true
	}
	var p h264.SPS
	if p.Unmarshal(sps) != nil {
		return s, false
	}
	return shape{p.Width(), p.Height(), join(profiles264[p.ProfileIdc], float64(p.LevelIdc)/10)}, true
}

func join(profile string, level float64) string {
	return strings.TrimSpace(profile + " " + strconv.FormatFloat(level, 'f', -1, 64))
}
