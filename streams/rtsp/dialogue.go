package rtsp

import (
	"bytes"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"videopatrol/inventory"
)

const (
	maxLine = 4 << 10 // of an answer's first line
	// maxKept is how much of an answer is kept as evidence.
	maxKept = 64 << 10
	// maxResends is how often one request is sent again with an answer to a
	// challenge: once for the login, once for a nonce that became stale.
	maxResends = 2
	// writeWithin bounds how long a request may wait to be written.
	writeWithin = 2 * time.Second
)

// dialogue is the text of one RTSP conversation, between the library and the
// connection. It logs in, and it mends answers that the library would refuse:
// the library knows no stale nonces and no quality of protection, and its SDP
// reader gives up where cameras are careless. Interleaved frames pass through.
//
// Reads come from the library's reading goroutine, writes from its others; mu
// guards what they share.
type dialogue struct {
	net.Conn
	login inventory.Login

	in     []byte // read from the connection, not looked at yet
	out    []byte // for the library
	looked int    // bytes of in that were looked at, of something unfinished
	need   int    // bytes of in that the answer at hand takes
	pass   int    // bytes of the frame at hand that go through unseen
	raw    bool   // everything goes through unseen
	err    error  // what the connection's last read returned

	mu      sync.Mutex
	seq     int // CSeq of the newest request on the wire
	last    request
	asked   *challenge // the newest; nil before one came
	uses    int        // how often its nonce was used
	proven  bool       // the camera accepted this login before
	unknown bool       // the camera asks for a login in no way that we know
	answer  []byte     // the newest answer as the camera sent it, at most maxKept
	server  string     // what it says of its software with the description
	sdp     []byte     // the newest description as the camera sent it
	noPorts bool       // it answered SETUP without its ports
	settled bool       // it plays: answers are kept no more
}

// request is one that the library sent.
type request struct {
	method, uri string
	rest        []byte // header lines but CSeq and Authorization, with the empty line
	cseq        string // as the library counts
	nonce       string // that it was signed with; "" for none
	signed      bool
	resends     int
}

func newDialogue(c net.Conn, login inventory.Login) *dialogue {
	return &dialogue{Conn: c, login: login}
}

// Write implements net.Conn: requests are signed on their way.
func (d *dialogue) Write(p []byte) (int, error) {
	q, ok := parseRequest(p)
	if !ok {
		return d.Conn.Write(p)
	}
	d.mu.Lock()
	d.last = q
	wire := d.sign()
	d.mu.Unlock()
	if err := d.send(wire); err != nil {
		return 0, err
	}
	return len(p), nil
}

// send writes a request. The system takes one at once from whoever is alive;
// only a camera that reads nothing makes it wait, and Close with it.
func (d *dialogue) send(wire []byte) error {
	if err := d.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	_, err := d.Conn.Write(wire)
	return err
}

// parseRequest reads what the library writes: one whole request without body.
func parseRequest(p []byte) (request, bool) {
	line, rest, ok := bytes.Cut(p, []byte("\r\n"))
	words := strings.Split(string(line), " ")
	if !ok || len(words) != 3 || words[2] != "RTSP/1.0" {
		return request{}, false
	}
	q := request{method: words[0], uri: words[1]}
	for len(rest) > 0 {
		var header []byte
		header, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(header, []byte(": "))
		switch string(name) {
		case "CSeq":
			q.cseq = string(value)
		case "Authorization":
		default:
			q.rest = append(append(q.rest, header...), "\r\n"...)
		}
	}
	return q, q.cseq != ""
}

// sign returns the last request as it goes to the camera. mu is held.
func (d *dialogue) sign() []byte {
	d.seq++
	q := &d.last
	b := []byte(q.method + " " + q.uri + " RTSP/1.0\r\nCSeq: " + strconv.Itoa(d.seq) + "\r\n")
	if d.asked != nil {
		d.uses++
		q.signed, q.nonce = true, d.asked.nonce
		b = append(b, "Authorization: "+d.asked.authorization(d.login, q.method, q.uri, d.uses)+"\r\n"...)
	}
	return append(b, q.rest...)
}

// Read implements net.Conn.
func (d *dialogue) Read(p []byte) (int, error) {
	if len(d.in)+len(d.out) == 0 && (d.pass > 0 || d.raw) && d.err == nil {
		if !d.raw {
			p = p[:min(len(p), d.pass)]
		}
		n, err := d.Conn.Read(p)
		d.pass = max(0, d.pass-n)
		return n, err
	}
	for len(d.out) == 0 {
		more, err := d.step()
		switch {
		case err != nil:
			return 0, err
		case !more:
			continue
		case d.err == nil:
			// The reader's own buffer serves, so that a waiting session has none.
			var n int
			if n, err = d.Conn.Read(p); n == 0 && err == nil {
				return 0, nil
			}
			d.in, d.err = append(d.in, p[:n]...), err
		case len(d.in) == 0:
			return 0, d.err
		default:
			d.out, d.in = d.in, nil // the rest of something unfinished
		}
	}
	n := copy(p, d.out)
	if d.out = d.out[n:]; len(d.out) == 0 {
		d.out = nil
	}
	return n, nil
}

// through hands n bytes on as they are.
func (d *dialogue) through(n int) {
	d.out, d.in, d.looked = d.in[:n:n], d.in[n:], 0
}

// step looks at what was read, and tells whether it needs more.
func (d *dialogue) step() (more bool, err error) {
	switch {
	case len(d.in) == 0:
		d.in = nil
		return true, nil
	case d.raw:
		d.through(len(d.in))
	case d.pass > 0:
		n := min(d.pass, len(d.in))
		d.pass -= n
		d.through(n)
	case d.in[0] == '$':
		if len(d.in) < 4 {
			return true, nil
		}
		d.pass = 4 + int(d.in[2])<<8 + int(d.in[3])
	case bytes.HasPrefix(d.in, rtspStart):
		return d.response()
	case bytes.HasPrefix(rtspStart, d.in):
		return true, nil
	case d.in[0] >= 'A' && d.in[0] <= 'Z':
		return d.serverRequest(), nil
	default:
		d.garbage()
	}
	return false, nil
}

var (
	rtspStart = []byte("RTSP/")
	emptyLine = []byte("\r\n\r\n")
)

// garbage hands on bytes up to where something may begin.
func (d *dialogue) garbage() {
	n := 1
	for n < len(d.in) && d.in[n] != '$' && (d.in[n] < 'A' || d.in[n] > 'Z') {
		n++
	}
	d.through(n)
}

// serverRequest hands on a request of the camera's, whose first line ends like
// an answer begins.
func (d *dialogue) serverRequest() (more bool) {
	line, _, ok := bytes.Cut(d.in, []byte("\n"))
	switch strange := len(line) >= maxLine || bytes.ContainsAny(line, "$\x00"); {
	case strange, ok && !bytes.Contains(line, []byte(" RTSP/1.0")):
		d.garbage()
		return false
	case !ok:
		return true
	}
	from := max(0, d.looked-len(emptyLine))
	end := bytes.Index(d.in[from:], emptyLine)
	if end < 0 && len(d.in) < maxHead {
		d.looked = len(d.in)
		return true
	}
	if end += from; end < from {
		end = len(line)
	}
	whole := d.in[:min(end+4, len(d.in))]
	d.in, d.looked = d.in[len(whole):], 0
	// The library answers OPTIONS, and ends the session at any other question:
	// all are answered alike.
	_, asked, _ := bytes.Cut(whole, []byte(" "))
	d.out = append([]byte("OPTIONS "), asked...)
	return false
}

// response takes one answer.
func (d *dialogue) response() (more bool, err error) {
	if len(d.in) < d.need {
		return true, nil
	}
	end, size := headEnd(d.in, max(0, d.looked-2))
	head := d.in
	if end >= 0 {
		head = d.in[:end]
	}
	if len(head) > maxHead || !plausible(head, min(d.looked, len(head))) {
		d.raw = true
		return false, nil
	}
	if end < 0 {
		d.looked = len(d.in)
		return true, nil
	}
	lines := headLines(d.in[:end])
	length, ok := bodyLength(lines)
	if !ok {
		d.raw = true // the library names it
		return false, nil
	}
	if d.need = end + size + length; len(d.in) < d.need {
		return true, nil
	}
	whole := d.in[:d.need]
	d.in, d.looked, d.need = d.in[d.need:], 0, 0

	if again := d.hear(lines, whole, whole[end+size:]); again != nil {
		err = d.send(again)
	}
	return false, err
}

// bodyLength reads the Content-Length of an answer, false for one that cannot
// be.
func bodyLength(lines []string) (int, bool) {
	v, ok := valueOf(lines, "Content-Length")
	if !ok {
		return 0, true
	}
	n, err := strconv.Atoi(v)
	return n, err == nil && n >= 0 && n <= maxBody
}

// hear takes a whole answer: it goes to the library, or the last request
// goes out again as returned.
func (d *dialogue) hear(lines []string, whole, body []byte) (again []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.settled {
		d.answer = bytes.Clone(whole[:min(len(whole), maxKept)])
	}
	if d.challenged(lines) {
		return d.sign()
	}
	d.out = d.mend(lines, body)
	return nil
}

// plausible tells whether bytes may be the head of an answer, of which some
// were looked at before: without that a camera that breaks off would swallow
// the frames that follow.
func plausible(head []byte, looked int) bool {
	if end := bytes.IndexByte(head[:min(len(head), maxLine)], '\n'); end >= looked {
		words := bytes.Fields(head[:end])
		if len(words) < 2 {
			return false
		}
		if _, err := strconv.ParseUint(string(words[1]), 10, 16); err != nil {
			return false
		}
	} else if end < 0 && len(head) >= maxLine {
		return false
	}
	return !bytes.ContainsFunc(head[looked:], func(r rune) bool { return r < ' ' && r != '\r' && r != '\n' && r != '\t' })
}

// headEnd finds the empty line after a head at or behind from, and its length.
// Some cameras end lines with a line feed alone.
func headEnd(b []byte, from int) (end, size int) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1, 0
		}
		from += i + 1
		switch rest := b[from:]; {
		case bytes.HasPrefix(rest, []byte("\r\n")):
			return from, 2
		case bytes.HasPrefix(rest, []byte("\n")):
			return from, 1
		}
	}
}

// headLines splits a head; blank and folded lines join the one before.
func headLines(head []byte) []string {
	var lines []string
	for line := range strings.Lines(string(head)) {
		line = strings.TrimRight(line, "\r\n")
		if len(lines) > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			lines[len(lines)-1] = strings.TrimRight(lines[len(lines)-1]+" "+strings.TrimSpace(line), " ")
			continue
		}
		lines = append(lines, line)
	}
	return lines
}

// valueOf returns the first value of a header.
func valueOf(lines []string, name string) (string, bool) {
	for _, line := range lines[1:] {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// challenged tells whether the last request goes out again with a login. A
// wrong password is tried once: cameras lock whoever tries on. mu is held.
func (d *dialogue) challenged(lines []string) bool {
	if d.last.method == "" || !d.current(lines) {
		return false
	}
	if words := strings.Fields(lines[0]); len(words) < 2 || words[1] != "401" {
		d.proven = d.proven || d.last.signed && d.last.resends > 0
		return false
	}
	if d.login.Username == "" && d.login.Password == "" {
		return false
	}
	var offers []string
	for _, line := range lines[1:] {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(k), "WWW-Authenticate") {
			offers = append(offers, v)
		}
	}
	c := strongest(offers)
	d.unknown = c == nil
	fresh := c != nil && !c.basic && c.nonce != d.last.nonce
	if c == nil || d.last.resends == maxResends || d.last.signed && (!fresh || !c.stale && !d.proven) {
		return false
	}
	if d.asked == nil || fresh {
		d.uses = 0
	}
	d.asked = c
	d.last.resends++
	return true
}

// current tells whether an answer is to the last request. Cameras that count
// wrongly answer one question at a time all the same, so only an older number
// tells otherwise. mu is held.
func (d *dialogue) current(lines []string) bool {
	v, ok := valueOf(lines, "CSeq")
	n, err := strconv.Atoi(v)
	return !ok || err != nil || n < 1 || n >= d.seq
}

// mend makes an answer one that the library can read. mu is held.
func (d *dialogue) mend(lines []string, body []byte) []byte {
	describes := d.last.method == "DESCRIBE" && d.current(lines) && len(body) > 0
	if describes {
		d.server, _ = valueOf(lines, "Server")
		d.sdp = bytes.Clone(body)
		body = repairSDP(body)
	}
	var b bytes.Buffer
	b.WriteString(lines[0] + "\r\n")
	seen := map[string]bool{}
	for _, line := range lines[1:] {
		k, v, ok := strings.Cut(line, ":")
		if k = strings.TrimSpace(k); !ok || k == "" {
			continue
		}
		name := strings.ToLower(k)
		if v, ok = d.mendHeader(name, strings.TrimSpace(v), lines); !ok || seen[name] && single[name] {
			continue
		}
		seen[name] = true
		b.WriteString(k + ": " + v + "\r\n")
	}
	if describes && !seen["content-type"] {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	if len(body) > 0 {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// single are the headers of which the library takes no two.
var single = map[string]bool{"content-base": true, "content-type": true, "cseq": true, "session": true, "transport": true}

// mendHeader returns what the library sees of a header's value, or false to leave
// it out. mu is held.
func (d *dialogue) mendHeader(name, v string, lines []string) (string, bool) {
	switch name {
	case "content-length":
		return "", false // written anew
	case "cseq":
		if d.current(lines) {
			return d.last.cseq, true
		}
		return "0", true // an answer to nothing that is asked now
	case "content-base":
		u, err := url.Parse(v)
		return v, err == nil && (strings.HasPrefix(v, "/") || u.Host != "" && (u.Scheme == "rtsp" || u.Scheme == "rtsps"))
	case "transport":
		// Packets come from the camera and go to it, whatever it says.
		var keep []string
		ports := false
		for part := range strings.SplitSeq(v, ";") {
			key, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "=")
			value, _, _ = strings.Cut(value, "-")
			ports = ports || key == "server_port" && value != "0" && value != "1"
			if key != "source" && key != "ssrc" {
				keep = append(keep, part)
			}
		}
		d.noPorts = !ports
		return strings.Join(keep, ";"), true
	}
	return v, true
}

// hidesPorts tells whether the newest SETUP was answered without ports.
func (d *dialogue) hidesPorts() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.noPorts
}

// asksStrangely tells whether the camera asks for a login in no way that the
// gateway knows.
func (d *dialogue) asksStrangely() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.unknown
}

// described names the tracks of the camera's description, and returns its
// beginning.
func (d *dialogue) described() (tracks, begins string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := parseSDP(d.sdp)
	return strings.Join(s.tracks(), ", "), string(d.sdp)
}

// evidence is the newest answer as the camera sent it, without the password.
func (d *dialogue) evidence() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := hide(string(d.answer), d.login)
	if len(d.answer) == maxKept {
		b = b[:max(0, len(b)-4*(len(d.login.Username)+len(d.login.Password)))] // where a password may be cut
	}
	return []byte(b[:min(len(b), maxKept)])
}

// settle drops what was kept for the handshake.
func (d *dialogue) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settled, d.answer, d.sdp = true, nil, nil
}

// fingerprint is of the device that the conversation is with.
func (d *dialogue) fingerprint(certificate []byte) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fingerprint(d.server, d.sdp, certificate)
}
