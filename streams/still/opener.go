package still

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
)

const (
	// maxBody caps a picture, in bytes.
	maxBody = 2 << 20
	// firstRoom is the least that is set aside for one.
	firstRoom = 32 << 10
	// maxHeader caps the header of an answer, in bytes.
	maxHeader = 32 << 10
	// maxRedirects is how many redirects on one host are followed.
	maxRedirects = 3
	// unchangedMost is how many times in a row a camera may say that its
	// picture did not change, before it is asked for whole.
	unchangedMost = 3
	// endWithin is how long the end of an answer may take once the picture is
	// whole: some cameras announce more bytes than they send.
	endWithin = 500 * time.Millisecond
	// drainMost is how much of a refusal's body is read to keep the connection.
	drainMost = 16 << 10
)

// Options of an Opener. A zero field means its default.
type Options struct {
	// Timeout bounds a visit from the dial to the last byte; default 10 s.
	Timeout time.Duration
	// PerHost is how many connections one host and port may have at once;
	// default 2. Idle is how many may be kept in all between visits; default
	// 256. IdleFor is how long; default 60 s.
	PerHost int
	Idle    int
	IdleFor time.Duration
	// Remember is of how many cameras the picture's version and the login's
	// nonce are remembered; default 20,000.
	Remember int
	// TLS is used for https addresses; default the system's roots.
	TLS *tls.Config
	// Dial connects; default net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Opener takes stills. It implements streams.Opener and is safe for
// concurrent use.
type Opener struct {
	o      Options
	memory *memory

	mu sync.Mutex
	// lines are the connections by the certificate that is pinned, so that
	// none is used for a camera that wants another one.
	lines map[string]*http.Transport
}

// New checks the options.
func New(o Options) (*Opener, error) {
	if o.Timeout < 0 || o.PerHost < 0 || o.Idle < 0 || o.IdleFor < 0 || o.Remember < 0 {
		return nil, errors.New("still: Timeout, PerHost, Idle, IdleFor and Remember want 0 or more")
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.PerHost == 0 {
		o.PerHost = 2
	}
	if o.Idle == 0 {
		o.Idle = 256
	}
	if o.IdleFor == 0 {
		o.IdleFor = time.Minute
	}
	if o.Remember == 0 {
		o.Remember = 20_000
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Opener{o: o, memory: newMemory(o.Remember), lines: map[string]*http.Transport{}}, nil
}

// Close gives back the connections that are kept. Visits may follow.
func (o *Opener) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.lines {
		l.CloseIdleConnections()
	}
}

// maxPins bounds the certificates that connections are kept for.
const maxPins = 4096

// line returns the connections for a pin, "" for none.
func (o *Opener) line(pin string) *http.Transport {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := o.lines[pin]; l != nil {
		return l
	}
	if len(o.lines) >= maxPins {
		for p, l := range o.lines { // any will do: it is dialled again
			l.CloseIdleConnections()
			delete(o.lines, p)
			break
		}
	}
	l := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := o.o.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: c}, nil
		},
		TLSClientConfig:        pinned(o.o.TLS, pin),
		DisableCompression:     true,
		MaxIdleConns:           o.o.Idle,
		MaxIdleConnsPerHost:    o.o.PerHost,
		MaxConnsPerHost:        o.o.PerHost,
		IdleConnTimeout:        o.o.IdleFor,
		TLSHandshakeTimeout:    o.o.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1 only
	}
	o.lines[pin] = l
	return l
}

// pinned is a TLS configuration that takes exactly one certificate: a pin says
// more than a chain and a name do.
func pinned(from *tls.Config, pin string) *tls.Config {
	c := from.Clone()
	if pin == "" {
		return c
	}
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c.InsecureSkipVerify = true //nolint:gosec // VerifyConnection does it
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return streams.Errorf(streams.ReasonCertificate, "the camera showed no certificate")
		}
		if got := fingerprint(s.PeerCertificates[0].Raw); !strings.EqualFold(got, pin) {
			return streams.Errorf(streams.ReasonCertificate, "the camera's certificate has SHA-256 %s, not the pinned one: pin it if the camera is the right one", got)
		}
		return nil
	}
	return c
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// conn counts what arrived.
type conn struct {
	net.Conn
	received atomic.Int64
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}

// taken is a session that has ended: the picture was taken.
type taken struct{}

// Wait implements streams.Session.
func (taken) Wait() error { return nil }

// Close implements streams.Session.
func (taken) Close() {}

// Open implements streams.Opener. It fetches the picture and hands it on;
// the session that it returns has ended already. A picture that did not change
// is told by KeySeen alone.
func (o *Opener) Open(ctx context.Context, t streams.Target, r streams.Receiver) (streams.Session, error) {
	u, err := parseURL(t.URL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.o.Timeout)
	defer cancel()
	if t.Link.Pin != "" && u.Scheme != "https" {
		return nil, streams.Errorf(streams.ReasonConfig, "a certificate is pinned and the address is not https://: write https://, or clear the pin")
	}
	v := &visit{
		o: o, t: t, u: u, r: r.Complete(), cancel: cancel,
		note: o.memory.take(t.Camera, t.URL, t.Login), line: o.line(strings.ToLower(t.Link.Pin)),
	}
	err = v.run(ctx)
	v.arrived()
	o.memory.keep(v.note)
	if err != nil {
		return nil, err
	}
	return taken{}, nil
}

// parseURL checks an address.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		// The parser's error would repeat an address that may hold a password.
		return nil, streams.Errorf(streams.ReasonConfig, "the address is not a URL with a host; write http://host[:port]/path")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, streams.Errorf(streams.ReasonConfig, "the address does not begin with http:// or https://")
	case u.User != nil:
		return nil, streams.Errorf(streams.ReasonConfig, "the address holds a user name or password; put it into the camera's login")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// visit is one attempt to take a picture.
type visit struct {
	o      *Opener
	t      streams.Target
	u      *url.URL
	r      streams.Receiver
	cancel context.CancelFunc
	note   note
	line   *http.Transport

	mu      sync.Mutex
	conn    *conn // the connection in use
	counted int64 // what of it was told already
}

// gotConn notes which connection a request goes out on.
func (v *visit) gotConn(info httptrace.GotConnInfo) {
	c := info.Conn
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	counter, ok := c.(*conn)
	if !ok {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.conn != counter {
		v.conn, v.counted = counter, 0
		if info.Reused {
			v.counted = counter.received.Load()
		}
	}
}

// arrived tells the receiver of the bytes that came since it was told last.
func (v *visit) arrived() {
	v.mu.Lock()
	n := 0
	if v.conn != nil {
		all := v.conn.received.Load()
		n, v.counted = int(all-v.counted), all
	}
	v.mu.Unlock()
	if n > 0 {
		v.r.Received(n)
	}
}

// run asks for the picture, logs in where it must, and follows redirects
// within the host.
func (v *visit) run(ctx context.Context) error {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: v.gotConn})
	for redirects := 0; ; {
		res, err := v.ask(ctx)
		if err != nil {
			return err
		}
		switch {
		case res.StatusCode == http.StatusOK:
			err = v.take(ctx, res)
			_ = res.Body.Close() // a body that is not at its end ends the connection
			return err
		case res.StatusCode == http.StatusNotModified:
			err = v.same(res)
		case res.StatusCode >= 300 && res.StatusCode < 400 && res.Header.Get("Location") != "":
			err = v.redirected(res)
			if redirects++; err == nil && redirects > maxRedirects {
				err = streams.Errorf(streams.ReasonRedirect, "the camera redirects in a circle: enter the address where its picture is")
			}
			if err == nil {
				drop(res)
				continue
			}
		default:
			err = refusal(res.StatusCode)
		}
		drop(res)
		return err
	}
}

// ask sends one request, and once more with the login if the camera wants it.
// What it returns has a body to close.
func (v *visit) ask(ctx context.Context) (*http.Response, error) {
	res, err := v.send(ctx)
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		return res, err
	}
	best, offered := choose(res.Header.Values("Www-Authenticate"))
	v.note.challenge = nil
	drop(res)
	switch {
	case best == nil && len(offered) == 0:
		return nil, streams.Errorf(streams.ReasonAuth, "the camera wants a login (401) and does not say how")
	case best == nil:
		return nil, streams.Errorf(streams.ReasonAuth, "the camera wants a login by %q: the gateway knows Basic, and Digest by MD5 and SHA-256", v.safe(strings.Join(offered, ", ")))
	case v.t.Login.Username == "" && v.t.Login.Password == "":
		return nil, streams.Errorf(streams.ReasonAuth, "the camera wants a login: give it a user name and password")
	}
	v.note.challenge = best
	res, err = v.send(ctx)
	if err == nil && res.StatusCode == http.StatusUnauthorized {
		v.note.challenge = nil
	}
	return res, err
}

func (v *visit) send(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.u.String(), nil)
	if err != nil {
		return nil, streams.Errorf(streams.ReasonConfig, "the address cannot be asked for; write http://host[:port]/path")
	}
	req.Header.Set("User-Agent", "videopatrol")
	req.Header.Set("Accept", "image/jpeg")
	if v.note.unchanged < unchangedMost {
		if v.note.etag != "" {
			req.Header.Set("If-None-Match", v.note.etag)
		}
		if v.note.modified != "" {
			req.Header.Set("If-Modified-Since", v.note.modified)
		}
	}
	if v.note.challenge != nil {
		req.Header.Set("Authorization", v.note.challenge.answer(v.t.Login, v.u.RequestURI()))
	}
	res, err := v.line.RoundTrip(req)
	if err != nil {
		return nil, v.explain(ctx, "GET", err)
	}
	v.arrived()
	return res, nil
}

// explain names an error; the end of the visit's own time is a timeout.
func (v *visit) explain(ctx context.Context, at string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return streams.Errorf(streams.ReasonTimeout, "%s: the picture took longer than %v", at, v.o.o.Timeout)
	}
	return explain(at, err, v.t.Login)
}

// safe cuts text that the camera sent, and takes out the password that a
// hostile one may send back; whoever shows it quotes it.
func (v *visit) safe(text string) string { return safe(text, v.t.Login) }

// drop closes a body, and reads what little is left of it, so that the
// connection can be used again.
func drop(res *http.Response) {
	if res.ContentLength <= drainMost {
		_, _ = io.CopyN(io.Discard, res.Body, drainMost)
	}
	_ = res.Body.Close()
}

// redirected goes where the camera points to, if that is on the same host.
func (v *visit) redirected(res *http.Response) error {
	to, err := v.u.Parse(res.Header.Get("Location"))
	if err != nil || to.Opaque != "" {
		return streams.Errorf(streams.ReasonRedirect, "the camera redirects to what is no address: enter the address where its picture is")
	}
	if to.Scheme != v.u.Scheme || !strings.EqualFold(to.Host, v.u.Host) || to.User != nil {
		return streams.Errorf(streams.ReasonRedirect, "the camera redirects to %q; the gateway leaves no host, enter the new address if it is right", v.safe((&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}).String()))
	}
	to.Fragment, to.RawFragment = "", ""
	v.u = to
	return nil
}

// same is an answer that the picture did not change.
func (v *visit) same(res *http.Response) error {
	if v.note.unchanged >= unchangedMost || v.note.etag == "" && v.note.modified == "" {
		return streams.Errorf(streams.ReasonProtocol, "the camera says that its picture did not change (304), and was asked for it whole")
	}
	v.note.unchanged++
	v.opened(res)
	v.r.KeySeen(time.Now())
	return nil
}

func (v *visit) opened(res *http.Response) {
	v.r.Opened(streams.Description{Codec: streams.CodecJPEG, Transport: inventory.TransportTCP, Fingerprint: v.identity(res)})
}

// identity is a hash of what the device says of itself in every answer alike.
func (v *visit) identity(res *http.Response) string {
	said := []string{res.Header.Get("Server")}
	if c := v.note.challenge; c != nil {
		said = append(said, c.realm)
	}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		said = append(said, fingerprint(res.TLS.PeerCertificates[0].Raw))
	}
	if !slices.ContainsFunc(said, func(s string) bool { return s != "" }) {
		return ""
	}
	return fingerprint([]byte(strings.Join(said, "\n")))
}

// take reads a picture and hands it on.
func (v *visit) take(ctx context.Context, res *http.Response) error {
	if res.ContentLength > maxBody {
		return v.dropped(streams.ReasonMemory, fmt.Sprintf("the picture is said to have %d bytes: at most %d are taken", res.ContentLength, maxBody))
	}
	b, err := v.read(ctx, res)
	if err != nil {
		return err
	}
	v.note.unchanged = 0
	v.note.etag, v.note.modified = validator(res, "Etag"), validator(res, "Last-Modified")
	now := time.Now()
	v.opened(res)
	v.r.KeySeen(now)
	v.r.Unit(streams.Unit{Codec: streams.CodecJPEG, NALUs: [][]byte{b}, Received: now, CameraTime: cameraTime(res)})
	return nil
}

func validator(res *http.Response, name string) string {
	if s := res.Header.Get(name); len(s) <= maxValidator {
		return s
	}
	return ""
}

// cameraTime is when the camera says that the picture was made, or at least
// what its clock says; zero if neither.
func cameraTime(res *http.Response) time.Time {
	for _, name := range []string{"Last-Modified", "Date"} {
		if at, err := http.ParseTime(res.Header.Get(name)); err == nil {
			return at
		}
	}
	return time.Time{}
}

func (v *visit) dropped(r streams.Reason, why string) error {
	v.r.Dropped(r, why)
	return &streams.Error{Reason: r, Err: errors.New(why)}
}

// read reads the body of an answer, which must be one JPEG; bytes behind its
// end are cut off. The memory that is held for it passes on with it.
func (v *visit) read(ctx context.Context, res *http.Response) (b []byte, err error) {
	held := 0
	defer func() {
		if err != nil && held > 0 {
			v.r.Hold(-held)
		}
	}()
	var end *time.Timer
	defer func() {
		if end != nil {
			end.Stop()
		}
	}()
	for {
		if len(b) == cap(b) {
			if len(b) > maxBody {
				return nil, v.dropped(streams.ReasonMemory, fmt.Sprintf("the picture has more than %d bytes", maxBody))
			}
			// One byte more than announced, to read the end without growing.
			room := max(2*cap(b), firstRoom)
			if n := int(res.ContentLength); n >= 0 {
				room = min(room, max(n, len(b))+1)
			}
			room = min(room, maxBody+1)
			if !v.r.Hold(room - held) {
				return nil, v.dropped(streams.ReasonMemory, "the gateway's media memory is spent")
			}
			held = room
			b = append(make([]byte, 0, room), b...)
		}
		n, err := res.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		v.arrived()
		if !looksJPEG(b) {
			return nil, v.dropped(streams.ReasonUnsupported, fmt.Sprintf("the answer is %q and begins with %q: the address must be that of a JPEG", v.safe(res.Header.Get("Content-Type")), b[:min(len(b), 4)]))
		}
		if err != nil {
			return v.whole(ctx, b, err)
		}
		if end == nil && len(b) > 2 && b[len(b)-2] == 0xff && b[len(b)-1] == 0xd9 {
			if _, err := inspect(b); err == nil {
				end = time.AfterFunc(endWithin, v.cancel)
			}
		}
	}
}

// whole checks what was read until why.
func (v *visit) whole(ctx context.Context, b []byte, why error) ([]byte, error) {
	p, err := inspect(b)
	switch {
	case err == nil:
		return b[:p.size:p.size], nil // whatever ended the answer
	case errors.Is(why, io.EOF):
	case errors.Is(err, errCut) || len(b) == 0:
		return nil, v.explain(ctx, "picture", why)
	}
	reason := streams.ReasonCorrupt
	if errors.Is(err, errNoJPEG) {
		reason = streams.ReasonUnsupported
	}
	return nil, v.dropped(reason, err.Error())
}
