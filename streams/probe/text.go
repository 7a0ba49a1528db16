package probe

import (
	"fmt"
	"io"
	"strings"
	"time"

	"videopatrol/streams"
)

const (
	// screenWidth and screenHeight are what a report fits into, in letters
	// and lines.
	screenWidth  = 80
	screenHeight = 40
	labelWidth   = 11
)

// WriteText writes the report for a screen of 80 columns and 40 lines.
func (r Report) WriteText(w io.Writer) error {
	s := &screen{}
	if r.Reason == streams.ReasonNone {
		s.row("ok", "a picture was taken and decoded")
	} else {
		s.row("FAILED", string(r.Reason)+": "+r.Detail)
	}
	s.row("address", r.URL)
	reach := r.Reach.Address
	if len(r.Reach.IPs) > 0 {
		reach = fmt.Sprintf("%s, DNS %s, TCP %s", strings.Join(r.Reach.IPs[:min(len(r.Reach.IPs), 4)], " "), ms(r.Reach.DNS), ms(r.Reach.TCP))
	}
	s.row("reach", reach)
	if t := r.TLS; t != nil {
		trust := "trusted"
		if t.Untrusted != "" {
			trust = "not trusted: " + t.Untrusted
		}
		s.row("tls", fmt.Sprintf("%s, %s, expires %s, %s", t.Version, t.Subject, t.Expires.Format(time.DateOnly), trust))
		s.row("pin", t.SHA256)
	}
	s.row("server", join2(r.Server, strings.Join(r.Methods, " ")))
	s.row("login", r.Login.text())
	for i, t := range r.Tracks {
		label := ""
		if i == 0 {
			label = "tracks"
		}
		if i == 6 {
			s.row("", fmt.Sprintf("and %d more", len(r.Tracks)-i))
			break
		}
		s.row(label, t.text())
	}
	if f := r.Session; f != nil {
		timeout := "no session timeout said"
		if f.Timeout > 0 {
			timeout = fmt.Sprintf("session timeout %d s", f.Timeout)
		}
		s.row("transport", fmt.Sprintf("%s, %s, kept alive by %s", strings.ToUpper(string(f.Transport)), timeout, f.Keepalive))
	}
	r.streamText(s)
	if r.Skew != nil {
		s.row("clock", "camera "+offBy(r.Skew))
	}
	if p := r.Picture; p != nil {
		text := fmt.Sprintf("%s, %d bytes, %.1f s after the dial", p.Codec, p.Bytes, p.After)
		if p.Width > 0 {
			text = fmt.Sprintf("%s, %d bytes, decoded to %d × %d, %.1f s after the dial", p.Codec, p.Bytes, p.Width, p.Height, p.After)
		}
		if p.File != "" {
			text += "; saved as " + p.File
		}
		s.row("picture", text)
	}
	s.row("gateway", r.Choice.text())
	s.faults(r.Faults)
	_, err := io.WriteString(w, strings.Join(s.lines, "\n")+"\n")
	return err
}

func (r Report) streamText(s *screen) {
	f := r.Stream
	if f == nil {
		return
	}
	s.row("stream", fmt.Sprintf("%.1f s: %.1f fps, %.0f kbit/s, %d of %d packets lost", f.Seconds, f.FPS, f.Kbps, f.Lost, f.Packets+f.Lost))
	seconds := make([]string, 0, 10)
	for _, n := range f.PerSecond[:min(len(f.PerSecond), 10)] {
		seconds = append(seconds, fmt.Sprint(n))
	}
	if len(f.PerSecond) > 10 {
		seconds = append(seconds, "…")
	}
	if len(seconds) > 0 {
		s.row("per second", strings.Join(seconds, " ")+" kbit/s")
	}
	keys := "none came"
	if f.KeyUnits > 0 {
		keys = fmt.Sprintf("first after %.1f s", f.FirstKey)
		if f.GOP > 0 {
			keys = fmt.Sprintf("every %.1f s (%d frames), %s", f.GOP, f.GOPFrames, keys)
		}
	}
	if f.BFrames {
		keys += ", B-frames"
	}
	s.row("key units", keys)
}

func (f LoginFacts) text() string {
	switch offered := strings.Join(f.Offered, ", "); {
	case len(f.Offered) == 0:
		return "not asked for"
	case f.Accepted:
		return offered + "; accepted"
	case f.Refused:
		return offered + "; REFUSED"
	default:
		return offered + "; none given"
	}
}

func (t Track) text() string {
	mark := " "
	if t.Played {
		mark = "*"
	}
	text := fmt.Sprintf("%s %s %s, type %d", mark, t.Media, t.Codec, t.PayloadType)
	if t.Width > 0 {
		text += fmt.Sprintf(", %d × %d", t.Width, t.Height)
	}
	return join2(text, t.Profile)
}

func (c Choice) text() string {
	text := fmt.Sprintf("%s: %s", c.Mode, c.Why)
	if c.Kbps > 0 {
		text += fmt.Sprintf(", about %.0f kbit/s", c.Kbps)
	}
	return text
}

func join2(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}

func ms(seconds float64) string { return fmt.Sprintf("%.1f ms", seconds*1000) }

// screen is the lines of a report.
type screen struct{ lines []string }

// row adds a label and its text, wrapped; an empty text adds nothing.
func (s *screen) row(label, text string) {
	if text == "" {
		return
	}
	for i, line := range wrap(text, screenWidth-labelWidth) {
		if i > 0 {
			label = ""
		}
		s.lines = append(s.lines, strings.TrimRight(fmt.Sprintf("%-*s%s", labelWidth, label, line), " "))
	}
}

// faults adds what fits on the screen.
func (s *screen) faults(all []Fault) {
	for i, f := range all {
		part := &screen{}
		part.row(fmt.Sprintf("fault %d", f.Number), f.Seen+". "+f.Advice)
		room := screenHeight - len(s.lines) - len(part.lines)
		if room < 0 || room == 0 && i < len(all)-1 {
			s.row("", fmt.Sprintf("and %d more: see -o json", len(all)-i))
			return
		}
		s.lines = append(s.lines, part.lines...)
	}
}

// wrap breaks text into lines of at most width letters; a word that is longer
// is broken, too.
func wrap(text string, width int) []string {
	var lines []string
	line := []rune{}
	for word := range strings.SplitSeq(text, " ") {
		w := []rune(word)
		if len(line) > 0 && len(line)+1+len(w) <= width {
			line = append(append(line, ' '), w...)
			continue
		}
		if len(line) > 0 {
			lines = append(lines, string(line))
		}
		for ; len(w) > width; w = w[width:] {
			lines = append(lines, string(w[:width]))
		}
		line = w
	}
	return append(lines, string(line))
}
