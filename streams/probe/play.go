package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
)

const (
	// answerWithin bounds one answer of the camera.
	answerWithin = 10 * time.Second
	// takeWithin bounds the visit.
	takeWithin = 45 * time.Second
	// againAfter is how long a camera that has no session left gets to forget
	// the one of the watch.
	againAfter = 6 * time.Second
	// settle is the pause between the two conversations.
	settle = 300 * time.Millisecond
)

// play watches an RTSP stream, and then takes a picture as the gateway does.
func (l *look) play(ctx context.Context) error {
	l.watch(ctx)
	l.sum()
	if l.report.Login.Refused {
		// Not once more: cameras lock an address out after a few bad logins.
		return streams.Errorf(streams.ReasonAuth, "the camera refuses the login (401): check user name and password, and whether it has locked this address out")
	}
	if len(l.report.Login.Offered) > 0 && l.o.Login == (inventory.Login{}) {
		return streams.Errorf(streams.ReasonAuth, "the camera wants a login: give --user NAME and its password")
	}
	opener, err := rtsp.New(rtsp.Options{Latency: -1})
	if err != nil {
		return streams.Errorf(streams.ReasonConfig, "%w", err)
	}
	if !sleep(ctx, settle) {
		return streams.Errorf(streams.ReasonClosed, "the probe was called off")
	}
	target := streams.Target{Camera: "probe", URL: l.o.URL, Login: l.o.Login, Link: l.o.Link, Visit: true}
	got, err := take(ctx, opener, target, takeWithin)
	if r := streams.ReasonOf(err); (r == streams.ReasonSessionLimit || r == streams.ReasonClosed) && l.err == nil && sleep(ctx, againAfter) {
		got, err = take(ctx, opener, target, takeWithin)
	}
	if err != nil {
		return err
	}
	return l.picture(ctx, got)
}

// sleep waits, and tells whether ctx still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errRedirect is what a second dial means: the library follows redirects.
var errRedirect = errors.New("the camera redirects")

// watch holds the first conversation. What it finds is in l.talk, l.track and
// l.err.
func (l *look) watch(ctx context.Context) {
	l.err = l.converse(ctx, gortsplib.TransportTCP)
	var status liberrors.ErrClientBadStatusCode
	refused := errors.As(l.err, &status) && status.Code == base.StatusUnsupportedTransport ||
		errors.As(l.err, &liberrors.ErrClientServerRequestedUDP{})
	switch {
	case l.o.Link.Transport == inventory.TransportUDP && l.track == nil:
	case refused && l.o.Link.Transport != inventory.TransportTCP:
		l.talk = newTalk()
		l.err = l.converse(ctx, gortsplib.TransportUDP)
	}
}

// converse plays the first video track for a while.
func (l *look) converse(ctx context.Context, transport gortsplib.Transport) error {
	if l.o.Link.Transport == inventory.TransportUDP {
		transport = gortsplib.TransportUDP
	}
	l.udp = transport == gortsplib.TransportUDP
	u := *l.u
	if l.trusted() && l.o.Login != (inventory.Login{}) {
		u.User = url.UserPassword(l.o.Login.Username, l.o.Login.Password.Reveal())
	}
	dialled := false
	client := &gortsplib.Client{
		Scheme: u.Scheme, Host: u.Host, Transport: &transport,
		ReadTimeout: answerWithin, WriteTimeout: answerWithin, UserAgent: "videopatrol",
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if dialled {
				return nil, errRedirect
			}
			dialled = true
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil || !l.secure() {
				return &tap{Conn: c, t: l.talk}, err
			}
			t := tls.Client(c, l.anyCertificate())
			if err := t.HandshakeContext(ctx); err != nil {
				c.Close()
				return nil, err
			}
			return &tap{Conn: t, t: l.talk}, nil
		},
		OnPacketsLost: func(uint64) {}, OnDecodeError: func(error) {},
	}
	if l.secure() {
		client.Scheme = "rtsp" // TLS is below the tap; the requests still say rtsps
	}
	if err := client.Start2(); err != nil {
		return err
	}
	defer client.Close()
	defer context.AfterFunc(ctx, client.Close)()
	desc, _, err := client.Describe((*base.URL)(&u))
	l.describe()
	if err != nil {
		return err
	}
	medi, forma := pick(desc)
	if medi == nil {
		return nil // the second conversation says why
	}
	if _, err := client.Setup(desc.BaseURL, medi, 0, 0); err != nil {
		return err
	}
	var mu sync.Mutex
	t := newTrack(l.choose(forma), time.Now())
	l.listen(client, t, &mu)
	if _, err := client.Play(nil); err != nil {
		return err
	}
	mu.Lock()
	t.began = time.Now()
	mu.Unlock()
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- client.Wait()
	}()
	timer := time.NewTimer(l.o.For)
	defer timer.Stop()
	select {
	case <-timer.C:
		err = nil
	case err = <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	now := time.Now()
	client.Close()
	for range ended { // what ended it is known
	}
	mu.Lock()
	defer mu.Unlock()
	l.track, l.report.Stream = t, t.stream(now)
	if l.silent = now.Sub(t.last); t.last.IsZero() {
		l.silent = now.Sub(t.began)
	}
	return err
}

// pick finds the track that the gateway would read, else any video.
func pick(desc *description.Session) (*description.Media, format.Format) {
	var other *description.Media
	for _, m := range desc.Medias {
		if m.Type != description.MediaTypeVideo || m.IsBackChannel || len(m.Formats) == 0 {
			continue
		}
		for _, f := range m.Formats {
			switch f.(type) {
			case *format.H264, *format.H265, *format.MJPEG:
				return m, f
			}
		}
		if other == nil {
			other = m
		}
	}
	if other == nil {
		return nil, nil
	}
	return other, other.Formats[0]
}

// describe reads the description and the tracks, whatever the library made of
// it.
func (l *look) describe() {
	l.talk.mu.Lock()
	defer l.talk.mu.Unlock()
	for _, m := range l.talk.answers("DESCRIBE") {
		if m.status() == 200 {
			l.sdp = parseSDP(m.body)
		}
	}
	for _, m := range l.sdp.medias {
		tr := Track{Media: clip(m.kind), Codec: m.codec, PayloadType: m.pt, ClockRate: m.clock}
		for _, set := range m.sets {
			if kindOf(m.codec == "H265", set) != nalSPS {
				continue
			}
			if s, ok := shapeOf(m.codec == "H265", set); ok {
				tr.Width, tr.Height, tr.Profile = s.width, s.height, s.profile
			}
		}
		l.report.Tracks = append(l.report.Tracks, tr)
	}
}

// choose marks the track that is played, and returns what the description says
// of it.
func (l *look) choose(f format.Format) sdpMedia {
	for i, m := range l.sdp.medias {
		if m.video() && m.pt == int(f.PayloadType()) {
			l.report.Tracks[i].Played = true
			return m
		}
	}
	return sdpMedia{kind: "video", codec: strings.ToUpper(strings.ReplaceAll(f.Codec(), ".", "")), clock: f.ClockRate(), pt: int(f.PayloadType())}
}

// listen feeds the track: over TCP from the tap, which sees what the library
// leaves out, over UDP from the library.
func (l *look) listen(c *gortsplib.Client, t *track, mu *sync.Mutex) {
	if l.udp {
		c.OnPacketRTPAny(func(_ *description.Media, _ format.Format, p *rtp.Packet) {
			mu.Lock()
			defer mu.Unlock()
			t.push(p, p.MarshalSize(), time.Now())
		})
		c.OnPacketRTCPAny(func(_ *description.Media, p rtcp.Packet) {
			b, err := rtcp.Marshal([]rtcp.Packet{p})
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			t.report(b, time.Now())
		})
		return
	}
	// Without a callback the library reads no frame.
	c.OnPacketRTPAny(func(*description.Media, format.Format, *rtp.Packet) {})
	l.talk.mu.Lock()
	defer l.talk.mu.Unlock()
	channel := 0
	if a := l.talk.answers("SETUP"); len(a) > 0 {
		channel = interleaved(a[len(a)-1].value("Transport"))
	}
	l.talk.onFrame = func(ch byte, payload []byte, now time.Time) {
		mu.Lock()
		defer mu.Unlock()
		switch int(ch) {
		case channel:
			t.raw(payload, now)
		case channel + 1:
			t.report(payload, now)
		}
	}
}

// interleaved is the channel of the packets that a Transport header names.
func interleaved(transport string) int {
	_, rest, ok := strings.Cut(transport, "interleaved=")
	if !ok {
		return 0
	}
	if i := strings.IndexAny(rest, "-;"); i >= 0 {
		rest = rest[:i]
	}
	n, err := strconv.Atoi(strings.TrimSpace(rest))
	if err != nil || n < 0 || n > 255 {
		return 0
	}
	return n
}

// sum makes the report of what was noted.
func (l *look) sum() {
	l.talk.mu.Lock()
	defer l.talk.mu.Unlock()
	r := &l.report
	for _, m := range l.talk.messages {
		if s := m.value("Server"); s != "" && r.Server == "" {
			r.Server = clip(s)
		}
		if len(r.Methods) == 0 {
			for p := range strings.SplitSeq(m.value("Public"), ",") {
				if p = strings.TrimSpace(p); p != "" && len(r.Methods) < 16 {
					r.Methods = append(r.Methods, clip(p))
				}
			}
		}
	}
	l.login()
	if setups := l.talk.answers("SETUP"); len(setups) > 0 && setups[len(setups)-1].status() == 200 {
		s := &SessionFacts{Transport: inventory.TransportTCP, Keepalive: "OPTIONS"}
		if l.udp {
			s.Transport = inventory.TransportUDP
		}
		if _, rest, ok := strings.Cut(setups[len(setups)-1].value("Session"), "timeout="); ok {
			digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
			s.Timeout, _ = strconv.Atoi(digits) // no number is not said
		}
		if slices.ContainsFunc(r.Methods, func(m string) bool { return strings.EqualFold(m, "GET_PARAMETER") }) {
			s.Keepalive = "GET_PARAMETER"
		}
		r.Session = s
	}
	if l.track == nil {
		return
	}
	if l.track.skew != nil {
		skew := l.track.skew.Seconds()
		r.Skew = &skew
	}
	for i := range r.Tracks {
		if !r.Tracks[i].Played || len(l.track.spss) == 0 {
			continue
		}
		if s, ok := shapeOf(l.track.is265(), l.track.spss[len(l.track.spss)-1]); ok { // in band wins
			r.Tracks[i].Width, r.Tracks[i].Height, r.Tracks[i].Profile = s.width, s.height, s.profile
		}
	}
}

// login notes which schemes were offered and whether ours was taken. The
// talk's lock is held.
func (l *look) login() {
	f := &l.report.Login
	for _, m := range l.talk.messages {
		switch {
		case m.answer == nil:
		case m.status() == 401:
			if m.answer.authorization {
				f.Refused = true
			}
			for _, v := range m.values("WWW-Authenticate") {
				if name := scheme(v); !slices.Contains(f.Offered, name) && len(f.Offered) < 8 {
					f.Offered = append(f.Offered, name)
				}
			}
			if len(m.values("WWW-Authenticate")) == 0 && len(f.Offered) == 0 {
				f.Offered = []string{"nothing"}
			}
		case m.status() == 200 && m.answer.authorization && m.answer.method != "OPTIONS":
			f.Accepted = true
		}
	}
	f.Refused = f.Refused && !f.Accepted
}

// scheme names a challenge: Basic, Digest MD5, Digest SHA-256.
func scheme(challenge string) string {
	name, rest, _ := strings.Cut(strings.TrimSpace(challenge), " ")
	if !strings.EqualFold(name, "digest") {
		return clip(name)
	}
	algorithm := "MD5"
	for p := range strings.SplitSeq(rest, ",") {
		if k, v, ok := strings.Cut(p, "="); ok && strings.EqualFold(strings.TrimSpace(k), "algorithm") {
			algorithm = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return "Digest " + clip(algorithm)
}
