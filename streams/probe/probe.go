package probe

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// visitAbove is the interval above which a visit costs less than a session
// that stays: 1.05 ms a visit against 0.15 ms a second.
const visitAbove = 7 * time.Second

// Options of a probe. URL is required.
type Options struct {
	URL   string
	Login inventory.Login
	Link  inventory.Link
	// For is how long the stream is watched; default 10 s.
	For time.Duration
	// Interval is how often the gateway would want a sample; default 15 s.
	Interval time.Duration
	// Decode turns a key unit into a picture, in a process of its own; nil
	// means that none is decoded.
	Decode func(ctx context.Context, u streams.Unit) (Picture, error)
}

// Report is what was found. Durations are seconds.
type Report struct {
	URL string `json:"url"`
	// Reason is none when a picture was decoded, else what stands in the way.
	Reason  streams.Reason `json:"reason,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	Reach   Reach          `json:"reach"`
	TLS     *TLS           `json:"tls,omitempty"`
	Server  string         `json:"server,omitempty"`
	Methods []string       `json:"methods,omitempty"`
	Login   LoginFacts     `json:"login"`
	Tracks  []Track        `json:"tracks,omitempty"`
	Session *SessionFacts  `json:"session,omitempty"`
	Stream  *Stream        `json:"stream,omitempty"`
	// Skew is camera time minus receive time; nil when it does not say.
	Skew    *float64 `json:"skew_seconds,omitempty"`
	Picture *Picture `json:"picture,omitempty"`
	Choice  Choice   `json:"choice"`
	Faults  []Fault  `json:"faults,omitempty"`
}

// Reach is how the host was reached.
type Reach struct {
	Address string   `json:"address"`
	IPs     []string `json:"ips,omitempty"`
	DNS     float64  `json:"dns_seconds"`
	TCP     float64  `json:"tcp_seconds"`
}

// TLS is what the host's certificate says.
type TLS struct {
	Version string    `json:"version"`
	Subject string    `json:"subject"`
	Issuer  string    `json:"issuer"`
	Expires time.Time `json:"expires"`
	// SHA256 is what to pin.
	SHA256 string `json:"sha256"`
	// Untrusted says why neither a pin nor a CA vouches for it; "" when one
	// does.
	Untrusted string `json:"untrusted,omitempty"`
}

// LoginFacts are how the camera wants a login.
type LoginFacts struct {
	// Offered are the schemes with their algorithms; none means that it asked
	// for no login.
	Offered []string `json:"offered,omitempty"`
	// Accepted tells that the login that was given opened the stream.
	Accepted bool `json:"accepted"`
	Refused  bool `json:"refused,omitempty"`
}

// Track is one track that the camera offers.
type Track struct {
	Media       string `json:"media"`
	Codec       string `json:"codec"`
	PayloadType int    `json:"payload_type"`
	ClockRate   int    `json:"clock_rate,omitempty"`
	Profile     string `json:"profile,omitempty"`
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
	// Played tells that this one was watched.
	Played bool `json:"played,omitempty"`
}

// SessionFacts are how the session is kept.
type SessionFacts struct {
	Transport inventory.Transport `json:"transport"`
	// Timeout is the session's as the camera says, 0 when it does not.
	Timeout   int    `json:"timeout_seconds,omitempty"`
	Keepalive string `json:"keepalive"`
}

// Stream is what was seen of the pictures.
type Stream struct {
	Seconds   float64 `json:"seconds"`
	FPS       float64 `json:"fps"`
	Kbps      float64 `json:"kbps"`
	PerSecond []int   `json:"kbps_per_second"`
	Packets   int     `json:"packets"`
	Lost      int     `json:"lost"`
	Units     int     `json:"units"`
	KeyUnits  int     `json:"key_units"`
	// GOP is the time between key units and GOPFrames the pictures; 0 before
	// two came.
	GOP       float64 `json:"gop_seconds,omitempty"`
	GOPFrames int     `json:"gop_frames,omitempty"`
	// FirstKey is from PLAY to the first whole key unit.
	FirstKey float64 `json:"first_key_seconds,omitempty"`
	BFrames  bool    `json:"b_frames"`
}

// Picture is the first picture, decoded.
type Picture struct {
	Codec  streams.Codec `json:"codec"`
	Bytes  int           `json:"bytes"` // encoded
	Width  int           `json:"width"`
	Height int           `json:"height"`
	// After is how long a visit took from the dial to the whole key unit.
	After float64 `json:"after_seconds"`
	// JPEG is the picture itself, at most 704 pixels wide.
	JPEG []byte `json:"-"`
	// File is where it was saved.
	File string `json:"file,omitempty"`
}

// Choice is what the gateway would do.
type Choice struct {
	Mode      inventory.Mode      `json:"mode"`
	Interval  float64             `json:"interval_seconds"`
	Transport inventory.Transport `json:"transport,omitempty"`
	Why       string              `json:"why"`
	// Kbps is what it would receive on average.
	Kbps float64 `json:"kbps,omitempty"`
}

// look is everything that was noted about a camera.
type look struct {
	o      Options
	u      *url.URL
	report Report
	talk   *talk
	track  *track
	sdp    sdp
	// err is why the first conversation ended before its time.
	err error
	udp bool
	// silent is how long nothing had come when the watch ended.
	silent time.Duration
	stills stillFacts
}

// Run probes a camera. It tells in the report what failed.
func Run(ctx context.Context, o Options) Report {
	if o.For <= 0 {
		o.For = 10 * time.Second
	}
	if o.Interval <= 0 {
		o.Interval = 15 * time.Second
	}
	l := &look{o: o, talk: newTalk(), report: Report{URL: o.URL}}
	if err := l.run(ctx); err != nil {
		l.report.Reason, l.report.Detail = streams.ReasonOf(err), err.Error()
		if e, ok := errors.AsType[*streams.Error](err); ok {
			l.report.Detail = e.Err.Error()
		}
	}
	l.report.Faults = faultsOf(l)
	l.report.Choice = choose(l)
	return l.report
}

// Parse checks an address; its error says what to write, and repeats nothing
// of an address that may hold a password.
func Parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case strings.Contains(raw, "@") && (err != nil || u.User != nil):
		return nil, errors.New("the address holds a login: take it out, and give --user NAME and the password by --password-file FILE, " +
			"by the environment or at the prompt, so that it stays out of history and process lists")
	case err != nil || u.Hostname() == "" || u.Opaque != "" || !slices.Contains([]string{"rtsp", "rtsps", "http", "https"}, u.Scheme):
		return nil, errors.New("want an address such as rtsp://192.0.2.7/stream or http://192.0.2.7/still.jpg")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

func (l *look) run(ctx context.Context) error {
	var err error
	if l.u, err = Parse(l.o.URL); err != nil {
		return streams.Errorf(streams.ReasonConfig, "%w", err)
	}
	if err := l.reach(ctx); err != nil {
		return err
	}
	if l.u.Scheme == "http" || l.u.Scheme == "https" {
		return l.still(ctx)
	}
	return l.play(ctx)
}

// secure tells whether the address means TLS.
func (l *look) secure() bool { return l.u.Scheme == "rtsps" || l.u.Scheme == "https" }

var ports = map[string]string{"rtsp": "554", "rtsps": "322", "http": "80", "https": "443"}

// reach finds the host, connects once, and looks at its certificate.
func (l *look) reach(ctx context.Context) error {
	host, port := l.u.Hostname(), l.u.Port()
	if port == "" {
		port = ports[l.u.Scheme]
	}
	r := &l.report.Reach
	r.Address = net.JoinHostPort(host, port)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	began := time.Now()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	r.DNS = time.Since(began).Seconds()
	if err != nil {
		return streams.Errorf(streams.ReasonUnreachable, "the name %q is not known to the DNS: check it, or give the IP address", clip(host))
	}
	for _, ip := range ips {
		r.IPs = append(r.IPs, ip.Unmap().String())
	}
	began = time.Now()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.Address)
	r.TCP = time.Since(began).Seconds()
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return streams.Errorf(streams.ReasonUnreachable, "the host is there and refuses port %s: is the service switched on, and this its port?", port)
	case errors.As(err, &timeout) && timeout.Timeout():
		return streams.Errorf(streams.ReasonTimeout, "no answer from %s: is the camera powered, and does a firewall let port %s through?", r.Address, port)
	case err != nil:
		return streams.Errorf(streams.ReasonUnreachable, "no way to %s: %w", r.Address, err)
	}
	defer c.Close()
	if !l.secure() {
		return nil
	}
	return l.certificate(ctx, c)
}

// certificate notes what the host shows, whoever signed it.
func (l *look) certificate(ctx context.Context, c net.Conn) error {
	t := tls.Client(c, l.anyCertificate())
	if err := t.HandshakeContext(ctx); err != nil {
		return streams.Errorf(streams.ReasonProtocol, "the host answers, and not with TLS that the gateway speaks: %q", clip(err.Error()))
	}
	s := t.ConnectionState()
	if len(s.PeerCertificates) == 0 {
		return streams.Errorf(streams.ReasonCertificate, "the host shows no certificate")
	}
	leaf := s.PeerCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	info := &TLS{
		Version: tls.VersionName(s.Version), Subject: clip(leaf.Subject.String()), Issuer: clip(leaf.Issuer.String()),
		Expires: leaf.NotAfter.UTC(), SHA256: hex.EncodeToString(sum[:]),
	}
	l.report.TLS = info
	if pin := l.o.Link.Pin; pin != "" {
		if !strings.EqualFold(pin, info.SHA256) {
			info.Untrusted = "it is not the pinned one"
		}
		return nil
	}
	roots := x509.VerifyOptions{DNSName: l.u.Hostname(), Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		roots.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(roots); err != nil {
		info.Untrusted = clip(strings.TrimPrefix(err.Error(), "x509: "))
	}
	return nil
}

// anyCertificate is for looking only: no login goes where it is not trusted.
func (l *look) anyCertificate() *tls.Config {
	return &tls.Config{
		ServerName: l.u.Hostname(), InsecureSkipVerify: true, //nolint:gosec // certificate judges it
		MinVersion: tls.VersionTLS10, //nolint:gosec // to say that it is old
	}
}

// trusted tells whether a login may be given to the host.
func (l *look) trusted() bool { return l.report.TLS == nil || l.report.TLS.Untrusted == "" }

// dropsToTell is how many key units may be useless before a visit gives up.
const dropsToTell = 3

// taken is what one visit by the gateway's own opener gave.
type taken struct {
	unit  *streams.Unit
	after time.Duration
}

// take visits the camera once as the gateway does.
func take(ctx context.Context, opener streams.Opener, t streams.Target, within time.Duration) (taken, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	got := make(chan streams.Unit, 1)
	dropped := make(chan error, 1)
	drops := 0
	began := time.Now()
	s, err := opener.Open(ctx, t, streams.Receiver{
		Want: func(time.Time) bool { return len(got) == 0 },
		Unit: func(u streams.Unit) {
			select {
			case got <- u:
			default:
			}
		},
		Dropped: func(r streams.Reason, why string) {
			if drops++; drops == dropsToTell {
				dropped <- streams.Errorf(r, "%s", why)
			}
		},
	})
	if err != nil {
		return taken{}, err
	}
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- s.Wait()
	}()
	var out taken
	select {
	case u := <-got:
		out = taken{unit: &u, after: u.Received.Sub(began)}
	case err = <-ended:
	case err = <-dropped:
	case <-ctx.Done():
		err = streams.Errorf(streams.ReasonNoKeyUnit, "it plays, and no whole key unit came within %v", within)
	}
	s.Close()
	for range ended { // what ended it is known
	}
	select { // it may have come together with the end
	case u := <-got:
		out, err = taken{unit: &u, after: u.Received.Sub(began)}, nil
	default:
	}
	if out.unit == nil && err == nil {
		err = streams.Errorf(streams.ReasonClosed, "the session ended before a key unit came")
	}
	return out, err
}

// picture decodes what a visit gave.
func (l *look) picture(ctx context.Context, t taken) error {
	p := &Picture{}
	if l.o.Decode != nil {
		got, err := l.o.Decode(ctx, *t.unit)
		if err != nil {
			return streams.Errorf(streams.ReasonCorrupt, "the key unit does not decode: %w", err)
		}
		p = &got
	}
	p.Codec, p.Bytes, p.After = t.unit.Codec, t.unit.Size(), t.after.Seconds()
	l.report.Picture = p
	return nil
}

// choose says what the gateway would do with the camera.
func choose(l *look) Choice {
	r, at := &l.report, l.o.Interval
	c := Choice{Interval: at.Seconds()}
	every := strconv.FormatFloat(at.Seconds(), 'f', -1, 64) + " s"
	if strings.HasPrefix(r.URL, "http") {
		c.Mode, c.Why = inventory.ModeStill, "an http address gives pictures, one request each"
		if r.Picture != nil {
			c.Kbps = float64(r.Picture.Bytes) * 8 / 1000 / at.Seconds()
		}
		return c
	}
	if r.Session != nil {
		c.Transport = r.Session.Transport
	}
	visits := 0.0
	if s := r.Stream; s != nil {
		c.Kbps = s.Kbps
		if r.Picture != nil {
			visits = (float64(r.Picture.Bytes)*8/1000 + s.Kbps*max(s.FirstKey, s.GOP/2)) / at.Seconds()
		}
	}
	switch {
	case at <= visitAbove:
		c.Mode, c.Why = inventory.ModeResident, "a session that stays costs less than a visit every "+every+": the line lies at 7 s"
	case r.Stream != nil && r.Stream.FirstKey > at.Seconds()/2:
		c.Mode, c.Why = inventory.ModeResident, "key units are too far apart for a visit every "+every
	default:
		c.Mode, c.Why = inventory.ModeVisit, "a visit every "+every+" costs less than a session that stays: the line lies at 7 s"
		if visits > 0 {
			c.Kbps = min(c.Kbps, visits)
		}
	}
	return c
}

// clip makes text that a camera sent safe to show: printable, on one line, and
// cut short.
func clip(s string) string {
	const limit = 100
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
