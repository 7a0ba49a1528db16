package probe

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"videopatrol/streams"
)

// Fault is a fault of the catalogue that a camera shows.
type Fault struct {
	// Number is its place in the catalogue of camera faults.
	Number int `json:"number"`
	// Seen is what was seen, Advice what to do about it.
	Seen   string `json:"seen"`
	Advice string `json:"advice"`
}

// detector finds one fault in what was noted; it answers "" where the fault
// does not show. The talk's lock is held while it looks.
type detector struct {
	number int
	advice string
	seen   func(l *look) string
}

// faultsOf judges everything that was noted.
func faultsOf(l *look) []Fault {
	l.talk.mu.Lock()
	defer l.talk.mu.Unlock()
	var found []Fault
	for _, d := range detectors {
		if seen := d.seen(l); seen != "" {
			found = append(found, Fault{Number: d.number, Seen: seen, Advice: d.advice})
		}
	}
	return found
}

// when is text where a condition holds.
func when(cond bool, format string, args ...any) string {
	if !cond {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// played is a detector that needs a track that sent something.
func played(f func(t *track, l *look) string) func(*look) string {
	return func(l *look) string {
		if l.track == nil || l.track.packets == 0 {
			return ""
		}
		return f(l.track, l)
	}
}

// answered is the first thing that any answer to a method shows.
func answered(method string, f func(m *message) string) func(*look) string {
	return func(l *look) string {
		for _, m := range l.talk.answers(method) {
			if s := f(m); s != "" {
				return s
			}
		}
		return ""
	}
}

// statusOf tells whether an answer to a method has a status.
func statusOf(method string, codes ...int) func(*look) string {
	return answered(method, func(m *message) string {
		return when(slices.Contains(codes, m.status()), "answers %s with %d", method, m.status())
	})
}

// loginRefused counts the answers of 401 to requests that had a login.
func (l *look) loginRefused() int {
	n := 0
	for _, m := range l.talk.answers("") {
		if m.status() == 401 && m.answer.authorization {
			n++
		}
	}
	return n
}

// video is the track of the description that was or would be played.
func (l *look) video() (sdpMedia, bool) {
	for _, m := range l.sdp.medias {
		if m.codec == "H264" || m.codec == "H265" {
			return m, true
		}
	}
	for _, m := range l.sdp.medias {
		if m.video() {
			return m, true
		}
	}
	return sdpMedia{}, false
}

// detectors are in the order of the catalogue.
var detectors = []detector{
	{1, "Look for a firewall or modem that drops idle connections.", played(func(_ *track, l *look) string {
		return when(l.silent > 5*time.Second, "falls silent: nothing came for %.0f s, and the connection stayed open", l.silent.Seconds())
	})},
	{2, "Restart the camera; look for another program that holds its only session.", func(l *look) string {
		return when(len(l.talk.asked) > 0 && l.talk.received == 0 && l.report.Reach.TCP > 0, "takes connections and never answers")
	}},
	{3, "Check the load of the camera and of its line.", func(l *look) string {
		if l.talk.endlessHeads {
			return "sends a header without an end"
		}
		return answered("", func(m *message) string {
			return when(m.answer.took > 3*time.Second, "needs %.1f s to answer %s", m.answer.took.Seconds(), m.answer.method)
		})(l)
	}},
	{4, "Update the firmware; try --transport udp.", func(l *look) string {
		return when(l.talk.garbage > 0, "sends %d bytes of garbage between packets", l.talk.garbage)
	}},
	{6, "Update the firmware.", func(l *look) string {
		return when(l.talk.oddLines > 0, "sends blank or folded header lines")
	}},
	{7, "Nothing to do: the gateway passes over them.", func(l *look) string {
		return when(l.talk.emptyLines > 0, "sends empty lines before packets")
	}},
	{8, "Nothing to do: the gateway waits for the answer.", func(l *look) string {
		return when(l.talk.beforePlay > l.talk.beforeSetup, "sends packets before it answers PLAY")
	}},
	{10, "Restart the camera if it stays; close other sessions.", func(l *look) string {
		return when(l.talk.beforeSetup > 0, "sends packets of an old session on a new connection")
	}},
	{11, "Nothing to do.", answered("SETUP", func(m *message) string {
		v := m.value("Transport")
		return when(m.status() == 200 && strings.Contains(v, "interleaved=") && interleaved(v) != 0, "takes other channels than asked for: %q", clip(v))
	})},
	{12, "Use --transport tcp.", answered("SETUP", func(m *message) string {
		v := m.value("Transport")
		return when(m.status() == 200 && strings.Contains(v, "client_port") && !strings.Contains(v, "server_port"), "names no server_port for UDP")
	})},
	{13, "Pin its certificate if the camera is the right one: column pin, or --pin.", func(l *look) string {
		if t := l.report.TLS; t != nil {
			return when(t.Untrusted != "", "shows a certificate that cannot be trusted: %s", t.Untrusted)
		}
		return ""
	}},
	{13, "Replace the certificate.", func(l *look) string {
		t := l.report.TLS
		return when(t != nil && time.Now().After(t.Expires), "shows a certificate that has expired")
	}},
	{14, "Enter the RTSP port, often 554.", func(l *look) string {
		return when(strings.HasPrefix(string(l.talk.start), "HTTP/"), "answers RTSP with HTTP: another service is on that port")
	}},
	{15, "Check the line; use TCP where UDP loses packets.", played(func(t *track, _ *look) string {
		return when(t.lost > 0, "loses packets: %d of %d", t.lost, t.lost+t.packets)
	})},
	{16, "Set the camera to Digest by MD5 or SHA-256.", func(l *look) string {
		for _, o := range l.report.Login.Offered {
			algorithm, digest := strings.CutPrefix(o, "Digest ")
			if digest && !slices.Contains([]string{"MD5", "SHA-256"}, strings.ToUpper(algorithm)) {
				return fmt.Sprintf("wants Digest by an algorithm that nobody else knows: %q", algorithm)
			}
		}
		return when(slices.Contains(l.report.Login.Offered, "nothing"), "wants a login and does not say how (no WWW-Authenticate)")
	}},
	{17, "Do not try again at once: cameras lock out for half an hour after a few bad logins.", func(l *look) string {
		return when(l.report.Login.Refused, "refuses the login (401)")
	}},
	{18, "Count the sessions of other programs, and close some.", func(l *look) string {
		return when(l.report.Login.Accepted && l.loginRefused() > 0, "accepts the login and refuses it again: it may mean that no connection is left")
	}},
	{19, "Close other sessions, or raise the limit of the recorder.", func(l *look) string {
		for _, method := range []string{"DESCRIBE", "SETUP", "PLAY"} {
			codes := []int{453, 503}
			if method != "DESCRIBE" {
				codes = append(codes, 500)
			}
			if s := statusOf(method, codes...)(l); s != "" {
				return s + ": no session is left"
			}
		}
		return when(l.report.Reason == streams.ReasonSessionLimit, "has no session left")
	}},
	{20, "Set the camera's session timeout to 60 s.", answered("SETUP", func(m *message) string {
		_, rest, ok := strings.Cut(m.value("Session"), "timeout=")
		n, err := strconv.Atoi(strings.TrimSpace(rest))
		return when(ok && err == nil && n < 20, "ends sessions after %d s without a word", n)
	})},
	{21, "Update the firmware.", answered("SETUP", func(m *message) string {
		return when(m.status() == 200 && m.value("Session") == "", "opens a session without an id")
	})},
	{21, "Nothing to do: the newest one is used.", func(l *look) string {
		id := ""
		for _, m := range l.talk.answers("") {
			v, _, _ := strings.Cut(m.value("Session"), ";")
			if v != "" && id != "" && v != id {
				return "changes the id of the session on its way"
			}
			id = v
		}
		return ""
	}},
	{22, "Update the firmware.", answered("", func(m *message) string {
		v := m.value("CSeq")
		return when(m.answer.cseq != "" && v != "" && v != m.answer.cseq, "answers with a wrong CSeq")
	})},
	{23, "Update the firmware.", func(l *look) string {
		switch {
		case l.talk.badLength != "":
			return fmt.Sprintf("sends a Content-Length that cannot be: %q", l.talk.badLength)
		case l.talk.stray > 0:
			return fmt.Sprintf("sends %d bytes more than its Content-Length says", l.talk.stray)
		case len(l.talk.pending) > 0 && l.talk.pending[0] != '$' && len(l.talk.unread) > 0:
			return "sends less than its Content-Length says"
		}
		return answered("DESCRIBE", func(m *message) string {
			return when(m.status() == 200 && m.value("Content-Type") == "", "sends a description without a Content-Type")
		})(l)
	}},
	{25, "Nothing to do: the address that was asked for is used.", answered("DESCRIBE", func(m *message) string {
		v := m.value("Content-Base")
		u, err := url.Parse(v)
		return when(v != "" && (err != nil || u.Scheme == "" || u.Host == ""), "names a Content-Base that is no address: %q", clip(v))
	})},
	{26, "Enter the new address if it is the right one: the gateway follows no redirect.", func(l *look) string {
		if l.stills.location != "" {
			return fmt.Sprintf("redirects to %q", l.stills.location)
		}
		return answered("", func(m *message) string {
			return when(m.status() >= 300 && m.status() < 400 && m.value("Location") != "", "redirects to %q", clip(m.value("Location")))
		})(l)
	}},
	{27, "Nothing to do.", func(l *look) string {
		return when(l.talk.requests() > 0, "sends requests of its own")
	}},
	{28, "Nothing to do: the gateway does without it.", answered("PLAY", func(m *message) string {
		v := m.value("RTP-Info")
		return when(v != "" && (strings.HasSuffix(v, ";") || strings.HasSuffix(v, ",") || !strings.Contains(v, "url=")), "sends an RTP-Info that cannot be read: %q", clip(v))
	})},
	{30, "Nothing to do: the gateway asks for the video alone.", func(l *look) string {
		return when(l.sdp.backChannel, "offers a track for talking back")
	}},
	{31, "Nothing to do.", answered("SETUP", func(m *message) string {
		return when(strings.Contains(strings.ToLower(m.value("Transport")), "ssrc= "), "sends an SSRC with a space before it")
	})},
	{32, "Update the firmware if the stream does not open.", func(l *look) string {
		s := l.sdp
		switch {
		case !s.present:
			return ""
		case s.names != 1:
			return fmt.Sprintf("describes itself with %d session names (s=)", s.names)
		case s.origins != 1:
			return fmt.Sprintf("describes itself with %d origins (o=)", s.origins)
		case s.badClock:
			return "describes a track without a clock rate"
		case s.strayFmtp:
			return "describes parameters (fmtp) of a track that is another's"
		case s.emptyFmtp:
			return "describes its video with empty parameters (fmtp)"
		case s.unknownMedia != "":
			return fmt.Sprintf("describes a track of a kind that nobody knows: %q", s.unknownMedia)
		}
		return ""
	}},
	{33, "Nothing to do if they come in band; else update the firmware.", func(l *look) string {
		m, ok := l.video()
		switch {
		case !ok || m.codec != "H264" && m.codec != "H265":
			return ""
		case m.badSets != "":
			return "describes wrong parameter sets: " + m.badSets
		case len(m.sets) == 0 && l.track != nil && l.track.kinds[nalSPS] == 0 && l.track.units > 0:
			return "never tells the parameter sets, neither in the description nor in band"
		}
		return when(len(m.sets) == 0, "describes no parameter sets (no sprop)")
	}},
	{34, "Nothing to do: the gateway takes them from either.", played(func(t *track, l *look) string {
		m, ok := l.video()
		if !ok || m.codec != "H265" || t.keys == 0 {
			return ""
		}
		return when(len(m.sets) > 0 && t.kinds[nalSPS] == 0, "tells the H.265 parameter sets in the description only")
	})},
	{35, "Nothing to do: the gateway ends a picture by its timestamp.", played(func(t *track, _ *look) string {
		return when(t.markers == 0 && t.units > 2, "never sets the marker bit")
	})},
	{36, "Nothing to do: the gateway ends no picture there.", played(func(t *track, _ *look) string {
		return when(t.markersOnSets > 0, "sets the marker bit on parameter sets")
	})},
	{37, "Nothing to do: the gateway splits them.", played(func(t *track, _ *look) string {
		return when(t.annexB > 0, "sends start codes inside packets (Annex B)")
	})},
	{38, "Update the firmware if pictures do not decode.", played(func(t *track, _ *look) string {
		return when(t.fuWhole > 0 || t.emptyNAL > 0, "sends %d whole units as fragments and %d empty ones", t.fuWhole, t.emptyNAL)
	})},
	{39, "Nothing to do.", played(func(t *track, _ *look) string {
		return when(t.fuInMode0 > 0, "says packetization-mode=0 and sends fragments")
	})},
	{40, "Set one fixed resolution.", played(func(t *track, _ *look) string {
		return when(len(t.spss) > 1, "sends %d different SPSs: its resolution or settings change", len(t.spss))
	})},
	{41, "Set the camera's clock by NTP.", func(l *look) string {
		s := l.report.Skew
		return when(s != nil && math.Abs(*s) > 2, "has a clock that is %s", offBy(s))
	}},
	{41, "Update the firmware; the gateway goes by the receive time.", played(func(t *track, _ *look) string {
		return when(t.jumps > 0, "stamps pictures with times that jump (%d times)", t.jumps)
	})},
	{42, "Nothing to do.", played(func(t *track, l *look) string {
		if len(t.ssrcs) > 1 {
			return fmt.Sprintf("changes the source id (SSRC) of its packets: %d were seen", len(t.ssrcs))
		}
		if s := answered("SETUP", func(m *message) string {
			_, v, ok := strings.Cut(strings.ToLower(m.value("Transport")), "ssrc=")
			v, _, _ = strings.Cut(strings.TrimSpace(v), ";")
			n, err := strconv.ParseUint(v, 16, 32)
			return when(ok && err == nil && uint32(n) != t.ssrcs[0], "announces another source id (SSRC) than it uses")
		})(l); s != "" {
			return s
		}
		return when(t.unknownRTCP > 0, "sends reports (RTCP) that are broken or of an unknown source")
	})},
	{43, "Switch the camera's extra data streams off.", played(func(t *track, _ *look) string {
		return when(len(t.types) > 1, "mixes payload types %v into the video", t.types)
	})},
	{44, "Switch B-frames off (profile Baseline, or Main without B): they delay every picture.", played(func(t *track, _ *look) string {
		return when(t.bSlices > 0 || t.reordered > 0, "sends B-frames")
	})},
	{46, "Update the firmware.", played(func(t *track, _ *look) string {
		return when(t.bad > 0, "sends %d packets that are no RTP (%d with wrong padding)", t.bad, t.badPadding)
	})},
	{48, "Lower bitrate or resolution: the gateway takes key units up to 2 MiB.", played(func(t *track, _ *look) string {
		return when(t.biggest > 2<<20, "sends pictures of %d bytes", t.biggest)
	})},
	{50, "Set the distance of key frames to 1 or 2 s, and switch smart codecs (H.264+) off.", played(func(t *track, l *look) string {
		s := l.report.Stream
		waited := s.Seconds
		switch {
		case s.GOP > 5:
			return fmt.Sprintf("sends a key unit only every %.0f s", s.GOP)
		case s.KeyUnits == 0 && waited > 5 && t.units > 0:
			return fmt.Sprintf("sent no key unit for %.0f s", waited)
		}
		return when(s.FPS > 0 && s.FPS <= 2 && t.units > 1, "sends only %.1f pictures a second", s.FPS)
	})},
}

// offBy says a skew in words.
func offBy(s *float64) string {
	if s == nil {
		return ""
	}
	d := time.Duration(math.Abs(*s) * float64(time.Second))
	switch {
	case d < 50*time.Millisecond:
		return "in step"
	case d < 10*time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Second)
	}
	if *s < 0 {
		return d.String() + " behind"
	}
	return d.String() + " ahead"
}
