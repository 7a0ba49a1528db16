package rtsp

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

const (
	// maxLines and maxMedias cap what is read of a description.
	maxLines  = 1024
	maxMedias = 32
)

// sdpMedia is one m= section of a description.
type sdpMedia struct {
	kind    string   // first word of the m= line
	types   []string // RTP payload types
	attrs   []string // a= lines without "a="
	codec   string   // "H264", "H265", "JPEG", or what the camera calls it
	payload string   // its payload type
}

// sdpSession is what the gateway reads of a description (RFC 4566).
type sdpSession struct {
	name, tool string
	control    string
	medias     []sdpMedia
}

// repairSDP rewrites the description of a stream to the plain form that the
// library reads: its video tracks and nothing else. So neither a careless
// s=, o=, c=, b= or t= line nor a broken sound track ends a session that
// needs none of them. A description without a video track that the gateway can
// read comes back as it is.
func repairSDP(b []byte) []byte {
	s := parseSDP(b)
	var out bytes.Buffer
	out.WriteString("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")
	if strings.HasPrefix(s.control, "rtsp://") || strings.HasPrefix(s.control, "rtsps://") {
		if u, err := url.Parse(s.control); err == nil && u.Host != "" {
			out.WriteString("a=control:" + s.control + "\r\n")
		}
	}
	found := false
	for i := range s.medias {
		found = s.write(&out, i) || found
	}
	if !found {
		return b
	}
	return out.Bytes()
}

// parseSDP reads a description line by line and passes over what it does not
// understand.
func parseSDP(b []byte) sdpSession {
	var s sdpSession
	n := 0
	for line := range strings.Lines(string(b[:min(len(b), maxBody)])) {
		if n++; n > maxLines {
			break
		}
		line = strings.Trim(line, " \t\r\n\x00")
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		value := strings.TrimSpace(line[2:])
		switch line[0] {
		case 's':
			if s.name == "" {
				s.name = value
			}
		case 'm':
			fields := strings.Fields(value)
			if len(fields) < 4 || len(s.medias) == maxMedias {
				fields = make([]string, 4) // its attributes are no other track's
			}
			if len(s.medias) < maxMedias {
				s.medias = append(s.medias, sdpMedia{kind: strings.ToLower(fields[0]), types: fields[3:]})
			}
		case 'a':
			s.attribute(value)
		}
	}
	for i := range s.medias {
		s.medias[i].find()
	}
	return s
}

func (s *sdpSession) attribute(v string) {
	if n := len(s.medias); n > 0 {
		s.medias[n-1].attrs = append(s.medias[n-1].attrs, v)
		return
	}
	if c, ok := strings.CutPrefix(v, "control:"); ok && s.control == "" {
		s.control = strings.TrimSpace(c)
	}
	if t, ok := strings.CutPrefix(v, "tool:"); ok {
		s.tool = strings.TrimSpace(t)
	}
}

// get returns the first value of an attribute, and of a payload type's where
// one is given.
func (m *sdpMedia) get(name, payload string) (string, bool) {
	for _, a := range m.attrs {
		v, ok := strings.CutPrefix(a, name+":")
		if !ok {
			continue
		}
		v = strings.TrimSpace(v)
		if payload == "" {
			return v, true
		}
		if of, rest, ok := strings.Cut(v, " "); ok && of == payload {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// find names the track's codec: the first of its payload types that the
// gateway can read, else the first of all.
func (m *sdpMedia) find() {
	for _, t := range m.types {
		name := ""
		if v, ok := m.get("rtpmap", t); ok {
			name, _, _ = strings.Cut(v, "/")
			name = strings.ToUpper(strings.TrimSpace(name))
		} else if t == "26" {
			name = "JPEG" // RFC 3551 section 6
		}
		switch name {
		case "HEVC", "H.265":
			name = "H265"
		case "H.264":
			name = "H264"
		}
		if readable(name) {
			m.codec, m.payload = name, t
			return
		}
		if m.codec == "" {
			m.codec, m.payload = name, t
		}
	}
}

func readable(codec string) bool { return codec == "H264" || codec == "H265" || codec == "JPEG" }

// write writes a track in plain form, and tells whether it did.
func (s *sdpSession) write(out *bytes.Buffer, i int) bool {
	m := &s.medias[i]
	if _, err := strconv.ParseUint(m.payload, 10, 7); err != nil || !readable(m.codec) {
		return false
	}
	out.WriteString("m=video 0 RTP/AVP " + m.payload + "\r\na=rtpmap:" + m.payload + " " + m.codec + "/90000\r\n")
	if fmtp := s.fmtp(i); fmtp != "" {
		out.WriteString("a=fmtp:" + m.payload + " " + fmtp + "\r\n")
	}
	if control, ok := m.get("control", ""); ok && control != "" && control != "*" {
		if _, err := url.Parse(strings.TrimSuffix("rtsp://h/"+control, "/")); err == nil && !strings.ContainsAny(control, " \t") {
			out.WriteString("a=control:" + control + "\r\n")
		}
	}
	return true
}

// fmtp returns the parameters of a track that the gateway and the library
// need, checked.
func (s *sdpSession) fmtp(i int) string {
	m := &s.medias[i]
	params := s.params(i)
	var keep []string
	add := func(name, value string) {
		if value != "" {
			keep = append(keep, name+"="+value)
		}
	}
	switch m.codec {
	case "H264":
		if mode := params["packetization-mode"]; mode == "0" || mode == "1" || mode == "2" {
			add("packetization-mode", mode)
		}
		var sps, pps string
		for nalu := range nalusOf(params["sprop-parameter-sets"]) {
			switch nalu[0] & 0x1f {
			case 7:
				sps = cmpOr(sps, base64.StdEncoding.EncodeToString(nalu))
			case 8:
				pps = cmpOr(pps, base64.StdEncoding.EncodeToString(nalu))
			}
		}
		if sps != "" && pps != "" { // one alone is of no use to the library
			add("sprop-parameter-sets", sps+","+pps)
		}
	case "H265":
		var sets [3]string
		for _, name := range []string{"sprop-vps", "sprop-sps", "sprop-pps"} {
			for nalu := range nalusOf(params[name]) {
				if t := int(nalu[0] >> 1 & 0x3f); t >= 32 && t <= 34 && len(nalu) > 2 {
					sets[t-32] = cmpOr(sets[t-32], base64.StdEncoding.EncodeToString(nalu))
				}
			}
		}
		if raw, err := base64.StdEncoding.DecodeString(sets[1]); err != nil || (&h265.SPS{}).Unmarshal(raw) != nil {
			sets[1] = ""
		}
		add("sprop-vps", sets[0])
		add("sprop-sps", sets[1])
		add("sprop-pps", sets[2])
		if n, err := strconv.Atoi(params["sprop-max-don-diff"]); err == nil && n >= 0 && n <= 32767 {
			add("sprop-max-don-diff", strconv.Itoa(n))
		}
	}
	return strings.Join(keep, "; ")
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// params reads a track's fmtp attribute; where the track has none of its own
// payload type, another's: some cameras write it elsewhere.
func (s *sdpSession) params(i int) map[string]string {
	m := &s.medias[i]
	v, ok := m.get("fmtp", m.payload)
	for j := 0; !ok && j < len(s.medias); j++ {
		if other := &s.medias[j]; other.payload != m.payload || !readable(other.codec) {
			v, ok = other.get("fmtp", m.payload)
		}
	}
	if !ok {
		if all, found := m.get("fmtp", ""); found && strings.Contains(all, "sprop") {
			_, v, _ = strings.Cut(all, " ")
		}
	}
	params := map[string]string{}
	for pair := range strings.SplitSeq(v, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if name = strings.ToLower(strings.TrimSpace(name)); len(params) < 64 {
			params[name] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return params
}

// nalusOf yields the NAL units of a list of base64 texts, some of which hold
// start codes.
func nalusOf(list string) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for text := range strings.SplitSeq(list, ",") {
			raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(text), "="))
			if err != nil || len(raw) > maxParam {
				continue
			}
			for nalu := range splitAnnexB(raw) {
				if len(nalu) > 1 && !yield(nalu) {
					return
				}
			}
		}
	}
}

// tracks names the codecs of a description's tracks, in its own words.
func (s *sdpSession) tracks() []string {
	var names []string
	for _, m := range s.medias {
		names = append(names, strings.TrimSpace(m.kind+" "+m.codec))
	}
	return names
}

// fingerprint hashes what a device says of itself in every session alike: its
// software, its description without what belongs to one session, and its TLS
// certificate. It is 16 hex digits.
func fingerprint(server string, sdp, certificate []byte) string {
	s := parseSDP(sdp)
	h := sha256.New()
	say := func(words ...string) {
		for _, w := range words {
			h.Write([]byte(w))
			h.Write([]byte{0})
		}
		h.Write([]byte{0})
	}
	say("server", server)
	say("session", s.name, s.tool)
	for i, m := range s.medias {
		control, _ := m.get("control", "")
		control, _, _ = strings.Cut(control, "?") // what follows may be a session's own
		if cut := strings.LastIndexByte(control, '/'); cut >= 0 {
			control = control[cut+1:]
		}
		say("media", m.kind, strings.Join(m.types, " "), m.codec, control)
		params := s.params(i)
		var kept []string
		for name, value := range params {
			if name != "" && !strings.HasPrefix(name, "sprop-") {
				kept = append(kept, name+"="+value)
			}
		}
		slices.Sort(kept)
		say(kept...)
	}
	say("certificate")
	h.Write(certificate)
	return hex.EncodeToString(h.Sum(nil))[:16]
}
