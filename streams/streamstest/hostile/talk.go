package hostile

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxRequest bounds a request's lines and body.
	maxRequest = 64 << 10
	// writeWithin bounds one write to a peer that does not read.
	writeWithin = 10 * time.Second
)

// request is what a client asks.
type request struct {
	method, uri string
	head        []string
}

func (r *request) header(name string) string {
	for _, line := range r.head {
		if k, v, _ := strings.Cut(line, ":"); strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// answer is what the camera says. Faults change it before it goes out.
type answer struct {
	protocol string
	status   string // code and text
	head     []string
	body     string
	length   string // of Content-Length, "" for the right one, "none" for no header
	silent   bool   // it does not go out at all
	hangUp   bool   // the connection ends after it
	then     func() // runs after it went out
}

func (a *answer) set(name, value string) {
	a.unset(name)
	a.head = append(a.head, name+": "+value)
}

func (a *answer) unset(name string) {
	a.head = slices.DeleteFunc(a.head, func(line string) bool {
		k, _, _ := strings.Cut(line, ":")
		return strings.EqualFold(k, name)
	})
}

// refuse turns the answer into an error.
func (a *answer) refuse(status string) {
	a.status, a.body, a.then = status, "", nil
	a.unset("Content-Type")
	a.unset("Content-Base")
	a.unset("Transport")
}

func (a *answer) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\r\n", a.protocol, a.status)
	for _, line := range a.head {
		b.WriteString(line + "\r\n")
	}
	switch {
	case a.length == "none":
	case a.length != "":
		fmt.Fprintf(&b, "Content-Length: %s\r\n", a.length)
	case a.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(a.body))
	}
	b.WriteString("\r\n" + a.body)
	return b.Bytes()
}

// conversation is one connection, and the one session on it.
type conversation struct {
	server *Server
	fault  Fault
	since  time.Duration // since the connection before
	try    int           // counts the connections since the fault began
	tcp    net.Conn
	conn   net.Conn // tcp, or TLS over it
	in     *bufio.Reader
	source Source
	nonce  string
	asked  int // requests so far
	second time.Duration

	channels [2]byte
	peers    [2]*net.UDPAddr
	udp      [2]*net.UDPConn
	playing  bool

	// What follows belongs to the player.
	seq     uint16
	stamp   uint32
	from    uint32 // SSRC
	held    []*packet
	letters int // packets sent

	kept atomic.Int64 // when the client last showed life, Unix nanoseconds
	mu   sync.Mutex   // guards writes
	once sync.Once
	done chan struct{}
	wg   sync.WaitGroup
}

func newConversation(s *Server, f Fault, c net.Conn, said []byte) *conversation {
	t := &conversation{
		server: s, fault: f, tcp: c, conn: c, second: s.o.Second, done: make(chan struct{}),
		nonce: newNonce(), seq: 65_500, stamp: 1 << 20, from: ssrc,
	}
	switch {
	case f.tls != nil:
		t.conn = tls.Server(c, f.tls())
	case s.o.TLS:
		t.conn = tls.Server(c, good())
	}
	t.in = bufio.NewReader(io.MultiReader(bytes.NewReader(said), t.conn))
	t.source = s.o.Source()
	t.source.second = t.second
	if f.source != nil {
		t.source = f.source(t.source)
	}
	return t
}

// run answers requests until the connection ends.
func (t *conversation) run() {
	defer t.wg.Wait()
	defer t.hangUp()
	if t.fault.accept != nil && t.fault.accept(t) {
		return
	}
	for {
		r, err := t.read()
		if err != nil {
			return
		}
		t.kept.Store(time.Now().UnixNano())
		if t.handle(r) != nil {
			return
		}
	}
}

// hangUp ends the conversation without a word.
func (t *conversation) hangUp() {
	t.once.Do(func() {
		close(t.done)
		t.tcp.Close()
	})
}

// reset ends it by a TCP reset.
func (t *conversation) reset() {
	if c, ok := t.tcp.(interface{ SetLinger(sec int) error }); ok {
		_ = c.SetLinger(0)
	}
	t.hangUp()
}

// pause waits, and tells whether the conversation goes on.
func (t *conversation) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.done:
		return false
	}
}

// seconds is n seconds as the faults count them.
func (t *conversation) seconds(n float64) time.Duration {
	return time.Duration(n * float64(t.second))
}

var errLong = errors.New("a request is too long")

// read returns the next request; frames and answers are skipped.
func (t *conversation) read() (*request, error) {
	for {
		first, err := t.in.Peek(1)
		if err != nil {
			return nil, err
		}
		if first[0] == '$' {
			head := make([]byte, 4)
			if _, err := io.ReadFull(t.in, head); err != nil {
				return nil, err
			}
			if _, err := t.in.Discard(int(head[2])<<8 | int(head[3])); err != nil {
				return nil, err
			}
			continue
		}
		var lines []string
		for size := 0; ; {
			line, err := t.in.ReadSlice('\n')
			if err != nil {
				return nil, err
			}
			if size += len(line); size > maxRequest {
				return nil, errLong
			}
			text := strings.TrimRight(string(line), "\r\n")
			if text == "" && len(lines) > 0 {
				break
			}
			if text != "" {
				lines = append(lines, text)
			}
		}
		r := &request{head: lines[1:]}
		r.method, r.uri, _ = strings.Cut(lines[0], " ")
		r.uri, _, _ = strings.Cut(r.uri, " ")
		if n, err := strconv.Atoi(r.header("Content-Length")); err == nil && n > 0 {
			if n > maxRequest {
				return nil, errLong
			}
			if _, err := t.in.Discard(n); err != nil {
				return nil, err
			}
		}
		if !strings.HasPrefix(r.method, "RTSP/") {
			return r, nil
		}
	}
}

// handle answers one request.
func (t *conversation) handle(r *request) error {
	t.asked++
	a := t.standard(r)
	if t.fault.answer != nil {
		t.fault.answer(t, r, a)
	}
	if a.silent {
		if a.hangUp {
			return net.ErrClosed
		}
		return nil
	}
	b := a.bytes()
	if t.fault.raw != nil {
		b = t.fault.raw(t, r, b)
	}
	write := t.write
	if t.fault.slow != nil {
		write = func(b []byte) error { return t.fault.slow(t, r, b) }
	}
	if err := write(b); err != nil {
		return err
	}
	if a.then != nil {
		a.then()
	}
	if a.hangUp {
		return net.ErrClosed
	}
	return nil
}

// standard is the answer of a correct camera.
func (t *conversation) standard(r *request) *answer {
	a := &answer{protocol: "RTSP/1.0", status: "200 OK"}
	a.set("CSeq", r.header("CSeq"))
	a.set("Server", "Hostile/1.0")
	if r.method != "OPTIONS" && !t.admitted(r) {
		a.status = "401 Unauthorized"
		a.set("WWW-Authenticate", t.fault.login.challenge(t.nonce))
		return a
	}
	switch r.method {
	case "OPTIONS":
		a.set("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN")
	case "DESCRIBE":
		a.set("Content-Base", strings.TrimSuffix(r.uri, "/")+"/")
		a.set("Content-Type", "application/sdp")
		a.body = t.source.describe()
		if t.fault.sdp != nil {
			a.body = t.fault.sdp(a.body)
		}
	case "SETUP":
		t.setup(r, a)
	case "PLAY":
		a.set("Session", "12345678")
		a.set("RTP-Info", fmt.Sprintf("url=%s/track1;seq=%d;rtptime=%d", strings.TrimSuffix(r.uri, "/"), t.seq, t.stamp))
		a.then = t.start
	case "TEARDOWN":
		a.hangUp = true
	case "PAUSE", "GET_PARAMETER", "SET_PARAMETER":
		a.set("Session", "12345678")
	default:
		a.refuse("501 Not Implemented")
	}
	return a
}

func (t *conversation) admitted(r *request) bool {
	user, password := t.server.o.Username, t.server.o.Password
	if user == "" {
		return true
	}
	ok := t.fault.login.admits(r, t.nonce, user, password)
	if t.fault.login.fresh {
		t.nonce = newNonce()
	}
	return ok
}

// setup agrees on a transport.
func (t *conversation) setup(r *request, a *answer) {
	a.set("Session", "12345678;timeout=60")
	want := r.header("Transport")
	if strings.Contains(want, "/TCP") {
		t.channels = [2]byte{0, 1}
		_, ids, _ := strings.Cut(want, "interleaved=")
		if n, err := strconv.Atoi(leading(ids)); err == nil {
			t.channels = [2]byte{byte(n), byte(n + 1)} //nolint:gosec // any channel will do
		}
		a.set("Transport", fmt.Sprintf("RTP/AVP/TCP;unicast;interleaved=%d-%d;ssrc=%08X", t.channels[0], t.channels[1], t.from))
		return
	}
	_, ports, _ := strings.Cut(want, "client_port=")
	port, err := strconv.Atoi(leading(ports))
	if err != nil || !t.openUDP(port) {
		a.refuse("461 Unsupported Transport")
		return
	}
	a.set("Transport", fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d;server_port=%d-%d;ssrc=%08X",
		port, port+1, port2(t.udp[0]), port2(t.udp[1]), t.from))
}

func port2(c *net.UDPConn) int {
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		return a.Port
	}
	return 0
}

// leading is the number at the beginning of a text.
func leading(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		return s
	}
	return s[:end]
}

// openUDP opens a pair of ports, an even one and the next, for packets to the
// client.
func (t *conversation) openUDP(port int) bool {
	here, ok := t.tcp.LocalAddr().(*net.TCPAddr)
	there, ok2 := t.tcp.RemoteAddr().(*net.TCPAddr)
	if !ok || !ok2 || t.udp[0] != nil {
		return false
	}
	for range 50 {
		rtp, err := net.ListenUDP("udp", &net.UDPAddr{IP: here.IP})
		if err != nil {
			return false
		}
		p := port2(rtp)
		if p%2 == 0 {
			if rtcp, err := net.ListenUDP("udp", &net.UDPAddr{IP: here.IP, Port: p + 1}); err == nil {
				t.udp = [2]*net.UDPConn{rtp, rtcp}
				break
			}
		}
		rtp.Close()
	}
	if t.udp[0] == nil {
		return false
	}
	for i := range t.peers {
		t.peers[i] = &net.UDPAddr{IP: there.IP, Port: port + i}
		t.wg.Go(func() { // the ports live as long as the conversation
			<-t.done
			t.udp[i].Close()
		})
		t.wg.Go(func() {
			b := make([]byte, 2048)
			for {
				if _, err := t.udp[i].Read(b); errors.Is(err, net.ErrClosed) {
					return
				}
			}
		})
	}
	return true
}

// start begins to play.
func (t *conversation) start() {
	if t.playing {
		return
	}
	t.playing = true
	t.server.begins(1)
	t.wg.Go(func() {
		defer t.server.begins(-1)
		t.play()
	})
}

// play sends pictures until the conversation ends.
func (t *conversation) play() {
	tick := time.NewTicker(max(t.source.Period, time.Millisecond))
	defer tick.Stop()
	step := uint32(t.source.Period * clockRate / time.Second) //nolint:gosec // RTP time wraps
	for n := 0; ; n++ {
		if t.fault.before != nil && !t.fault.before(t, n) {
			<-t.done
			return
		}
		if err := t.picture(n); err != nil {
			t.hangUp()
			return
		}
		t.stamp += step
		select {
		case <-t.done:
			return
		case <-tick.C:
		}
	}
}

// picture sends the n-th picture, after a key unit with a sender report.
func (t *conversation) picture(n int) error {
	nalus := t.source.Unit(n)
	key := t.source.key(nalus)
	stamp := t.stamp
	if t.fault.stamp != nil {
		stamp = t.fault.stamp(t, n, stamp)
	}
	var ps []*packet
	if t.fault.packets != nil {
		ps = t.fault.packets(t, n, nalus)
	} else {
		ps = packetize(nalus, t.source.H265)
	}
	for _, p := range ps {
		p.seq, p.ssrc = t.seq, t.from
		p.stamp += stamp // a fault may have set a difference
		if p.raw == nil {
			t.seq++
		}
	}
	if t.fault.lose != nil {
		ps = t.fault.lose(t, n, ps)
	}
	if key {
		b := report(time.Now(), stamp, t.from)
		if t.fault.report != nil {
			b = t.fault.report(t, n, b)
		}
		if b != nil {
			ps = append(ps, &packet{raw: b, control: true})
		}
	}
	for _, p := range ps {
		if p.wait > 0 && !t.pause(p.wait) {
			return net.ErrClosed
		}
		if err := t.send(p); err != nil {
			return err
		}
	}
	return nil
}

// send sends one packet by the transport that was agreed on.
func (t *conversation) send(p *packet) error {
	way := 0
	if p.control {
		way = 1
	}
	b := p.bytes()
	t.letters++
	if t.udp[0] != nil {
		if t.fault.datagram != nil {
			return t.fault.datagram(t, way, b)
		}
		// A client that does not listen yet is no reason to end.
		_, _ = t.udp[way].WriteToUDP(b, t.peers[way])
		return nil
	}
	b = frame(t.channels[way], b)
	if t.fault.frame != nil {
		b = t.fault.frame(t, t.letters, b)
	}
	return t.write(b)
}

// frame makes a packet an interleaved frame (RFC 2326 section 10.12).
func frame(channel byte, b []byte) []byte {
	return slices.Concat([]byte{'$', channel, byte(len(b) >> 8), byte(len(b))}, b) //nolint:gosec // at most 64 KiB
}

func (t *conversation) write(b []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	_, err := t.conn.Write(b)
	return err
}

// dribble writes one byte a second.
func (t *conversation) dribble(b []byte) error {
	for i := range b {
		if !t.pause(t.second) {
			return net.ErrClosed
		}
		if err := t.write(b[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}
