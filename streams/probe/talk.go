package probe

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxMessage is the largest header or body that is kept, in bytes.
	maxMessage = 64 << 10
	// maxMessages bounds what is kept of a conversation.
	maxMessages = 64
)

// message is one RTSP (or HTTP) message from the camera, raw.
type message struct {
	at     time.Time
	first  string   // its first line
	lines  []string // its header
	body   string
	answer *asked // the request that it answers; nil for a request of its own
}

// status is 0 for a request.
func (m *message) status() int {
	f := strings.Fields(m.first)
	if len(f) < 2 || !strings.HasPrefix(f[0], "RTSP/") && !strings.HasPrefix(f[0], "HTTP/") {
		return 0
	}
	n, _ := strconv.Atoi(f[1]) // what is no number is no status
	return n
}

// values are the values of a header, in order.
func (m *message) values(name string) []string {
	var all []string
	for _, l := range m.lines {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.EqualFold(strings.TrimSpace(key), name) {
			all = append(all, strings.TrimSpace(value))
		}
	}
	return all
}

func (m *message) value(name string) string {
	if v := m.values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// asked is one request that went to the camera.
type asked struct {
	at            time.Time
	method, cseq  string
	authorization bool
	took          time.Duration // until the answer; 0 before
}

// talk follows a conversation by its bytes: what the library repairs or hides
// is seen here. It is safe for concurrent use.
type talk struct {
	// onFrame hears of every interleaved frame.
	onFrame func(channel byte, payload []byte, now time.Time)

	mu       sync.Mutex
	pending  []byte
	start    []byte // the first bytes that came
	received int64
	last     time.Time
	asked    []*asked
	messages []*message
	unread   []*asked // requests without an answer, oldest first

	frames       int
	garbage      int // bytes between frames that are neither frame nor message
	stray        int // bytes after a message, before the first frame
	emptyLines   int // before a frame
	beforePlay   int // frames before the answer to PLAY
	beforeSetup  int // frames before a SETUP was asked for
	oddLines     int // header lines that are blank or folded
	badLength    string
	endlessHeads bool
}

func newTalk() *talk { return &talk{onFrame: func(byte, []byte, time.Time) {}} }

// tap is a connection that the talk listens to.
type tap struct {
	net.Conn
	t *talk
}

func (c *tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.t.hear(p[:n], time.Now()); n > 0 && c.t.web() {
		return 0, errWeb // the library would hunt through it for ten seconds
	}
	return n, err
}

var errWeb = errors.New("the answer is HTTP")

// web tells whether the first bytes are those of a web server.
func (t *talk) web() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.HasPrefix(t.start, []byte("HTTP/"))
}

func (c *tap) Write(p []byte) (int, error) {
	c.t.say(p, time.Now())
	return c.Conn.Write(p)
}

// say notes what goes to the camera: one request per call.
func (t *talk) say(p []byte, now time.Time) {
	line, rest, _ := strings.Cut(string(p[:min(len(p), maxMessage)]), "\r\n")
	f := strings.Fields(line)
	if len(f) != 3 || !strings.HasPrefix(f[2], "RTSP/") {
		return // a frame, or an answer
	}
	m := message{lines: strings.Split(rest, "\r\n")}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.asked) >= maxMessages {
		return
	}
	a := &asked{at: now, method: f[0], cseq: m.value("CSeq"), authorization: m.value("Authorization") != ""}
	t.asked, t.unread = append(t.asked, a), append(t.unread, a)
}

// hear notes what comes from the camera.
func (t *talk) hear(p []byte, now time.Time) {
	if len(p) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.received += int64(len(p))
	t.last = now
	if len(t.start) < 16 {
		t.start = append(t.start, p[:min(len(p), 16-len(t.start))]...)
	}
	if t.endlessHeads {
		return // nothing that follows has a beginning
	}
	t.pending = append(t.pending, p...)
	for len(t.pending) > 0 {
		n := t.next(now)
		if n == 0 {
			break
		}
		t.pending = t.pending[n:]
	}
	if len(t.pending) > 4*maxMessage { // frames are at most 64 KiB
		t.endlessHeads, t.pending = true, nil
	}
}

// next takes one thing off what is pending, and returns its length; 0 means
// that more must come. t.mu is held.
func (t *talk) next(now time.Time) int {
	b := t.pending
	switch {
	case b[0] == '$':
		if len(b) < 4 || len(b) < 4+(int(b[2])<<8|int(b[3])) {
			return 0
		}
		end := 4 + (int(b[2])<<8 | int(b[3]))
		t.frame(b[1], b[4:end], now)
		return end
	case b[0] == '\r' || b[0] == '\n':
		n := len(b) - len(bytes.TrimLeft(b, "\r\n"))
		if n < len(b) && b[n] == '$' {
			t.emptyLines++
		}
		return n
	case b[0] >= 'A' && b[0] <= 'Z':
		return t.message(b, now)
	default:
		return t.skip(b)
	}
}

// skip passes over bytes that are nothing, up to what may be something.
func (t *talk) skip(b []byte) int {
	n := 1 + bytes.IndexAny(b[1:], "$RGOSA")
	if n == 0 {
		n = len(b)
	}
	if t.frames > 0 || t.played() {
		t.garbage += n
	} else {
		t.stray += n
	}
	return n
}

// played tells whether PLAY was answered.
func (t *talk) played() bool {
	return slices.ContainsFunc(t.asked, func(a *asked) bool { return a.method == "PLAY" && a.took > 0 })
}

func (t *talk) frame(channel byte, payload []byte, now time.Time) {
	t.frames++
	if !slices.ContainsFunc(t.asked, func(a *asked) bool { return a.method == "SETUP" }) {
		t.beforeSetup++
	}
	if !t.played() {
		t.beforePlay++
	}
	t.onFrame(channel, payload, now)
}

// message reads a header and a body.
func (t *talk) message(b []byte, now time.Time) int {
	line, _, whole := bytes.Cut(b, []byte("\n"))
	if !bytes.Contains(line, []byte("RTSP/")) && !bytes.HasPrefix(line, []byte("HTTP/")) {
		if whole || len(line) > 1024 {
			return t.skip(b)
		}
		return 0
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	size := 4
	if bare := bytes.Index(b, []byte("\n\n")); bare >= 0 && (end < 0 || bare < end) {
		end, size = bare, 2
	}
	if end < 0 {
		return 0
	}
	head := strings.Split(strings.ReplaceAll(string(b[:end]), "\r\n", "\n"), "\n")
	m := &message{at: now, first: head[0], lines: head[1:]}
	for _, l := range m.lines {
		if strings.TrimSpace(l) == "" || l[0] == ' ' || l[0] == '\t' {
			t.oddLines++
		}
	}
	length := 0
	if v := m.value("Content-Length"); v != "" {
		var err error
		if length, err = strconv.Atoi(v); err != nil || length < 0 || length > maxMessage {
			t.badLength, length = clip(v), 0
		}
	}
	if len(b) < end+size+length {
		return 0
	}
	m.body = string(b[end+size : end+size+length])
	if m.status() != 0 && len(t.unread) > 0 {
		m.answer = t.unread[0]
		m.answer.took = max(now.Sub(m.answer.at), 1)
		t.unread = t.unread[1:]
	}
	if len(t.messages) < maxMessages {
		t.messages = append(t.messages, m)
	}
	return end + size + length
}

// answers are the answers to a method, in order; "" means all methods.
func (t *talk) answers(method string) []*message {
	var all []*message
	for _, m := range t.messages {
		if m.answer != nil && (method == "" || m.answer.method == method) {
			all = append(all, m)
		}
	}
	return all
}

// requests are those that the camera sent.
func (t *talk) requests() int {
	n := 0
	for _, m := range t.messages {
		if m.status() == 0 {
			n++
		}
	}
	return n
}
