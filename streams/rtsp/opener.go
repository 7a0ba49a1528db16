package rtsp

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"videopatrol/streams"
)

// Options of an Opener. A zero field means its default.
type Options struct {
	// Handshake bounds the time from the dial to the first packet that may
	// come; default 15 s. A single answer may take 10 s.
	Handshake time.Duration
	// Latency is how long bytes may wait in the kernel for more of them;
	// default 1 s, negative means not at all.
	Latency time.Duration
	// LowWater is about how many bytes are worth reading for: a session is
	// read so much oftener than Latency, up to eight times as often, as its
	// bitrate brings them; default 16 KiB.
	LowWater int
	// TLS is used for rtsps addresses; default the system's roots.
	TLS *tls.Config
	// Dial connects; default net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Opener opens sessions. It implements streams.Opener and is safe for
// concurrent use.
type Opener struct {
	o      Options
	turns  *turns
	strays strays
}

// New checks the options.
func New(o Options) (*Opener, error) {
	switch {
	case o.Handshake < 0:
		return nil, errors.New("rtsp: Handshake is negative")
	case o.LowWater < 0 || o.LowWater > 64<<10:
		return nil, errors.New("rtsp: LowWater must be within 0 and 65536 bytes")
	case o.Latency > 2*time.Second:
		return nil, errors.New("rtsp: Latency is beyond 2 s; a session counts as dead after 10")
	}
	if o.Handshake == 0 {
		o.Handshake = 15 * time.Second
	}
	if o.Latency == 0 {
		o.Latency = time.Second
	}
	if o.LowWater == 0 {
		o.LowWater = 16 << 10
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Opener{o: o, turns: newTurns(o.Latency)}, nil
}

// Strays returns what cameras sent beside their video, since the opener was
// made.
func (o *Opener) Strays() Strays {
	return Strays{Bytes: o.strays.bytes.Load(), Frames: o.strays.frames.Load(), Packets: o.strays.packets.Load()}
}

// answerWithin bounds one answer of a camera; a playing session without a
// packet for so long counts as dead, too.
const answerWithin = 10 * time.Second

// session is a playing conversation.
type session struct {
	client   *gortsplib.Client
	password string

	once sync.Once
	err  error
}

// Open implements streams.Opener.
func (o *Opener) Open(ctx context.Context, t streams.Target, r streams.Receiver) (streams.Session, error) {
	u, err := parseURL(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.o.Handshake)
	defer cancel()

	h := &handshake{o: &o.o, turns: o.turns, strays: &o.strays, t: t, u: u, r: complete(r), stage: stageDial}
	client := h.newClient()
	if client.Transport != nil && *client.Transport == gortsplib.TransportTCP {
		quiet(client)
	}
	if err := client.Start2(); err != nil {
		return nil, streams.Errorf(streams.ReasonConfig, "%w", err)
	}
	// The library's calls know no context: when it ends, the client ends.
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		client.Close()
	})
	err = h.play(client)
	if !stop() {
		<-ended
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, streams.Errorf(streams.ReasonTimeout, "%s: the handshake took longer than %v", h.stage, o.o.Handshake)
		}
		return nil, streams.Errorf(streams.ReasonClosed, "the handshake was called off: %w", context.Cause(ctx))
	}
	if err != nil {
		client.Close()
		return nil, h.explain(err)
	}
	return &session{client: client, password: t.Login.Password.Reveal()}, nil
}

// Wait implements streams.Session.
func (s *session) Wait() error {
	err := s.client.Wait()
	s.once.Do(func() { s.err = explain(stagePlaying, err, s.password) })
	return s.err
}

// Close implements streams.Session. It sends TEARDOWN.
func (s *session) Close() { s.client.Close() }

// complete gives a receiver what it left out.
func complete(r streams.Receiver) streams.Receiver {
	if r.Want == nil {
		r.Want = func(time.Time) bool { return true }
	}
	if r.Unit == nil {
		r.Unit = func(streams.Unit) {}
	}
	if r.Opened == nil {
		r.Opened = func(streams.Description) {}
	}
	if r.KeySeen == nil {
		r.KeySeen = func(time.Time) {}
	}
	if r.Received == nil {
		r.Received = func(int) {}
	}
	if r.Hold == nil {
		r.Hold = func(int) bool { return true }
	}
	if r.Dropped == nil {
		r.Dropped = func(streams.Reason, string) {}
	}
	return r
}

// parseURL checks an address and puts the login into it, where the library
// looks for it; text is never put together, so that any password works.
func parseURL(t streams.Target) (*base.URL, error) {
	u, err := url.Parse(t.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		// The parser's error would repeat an address that may hold a password.
		return nil, streams.Errorf(streams.ReasonConfig, "the address is not a URL with a host; write rtsp://host[:port]/path")
	case u.Scheme != "rtsp" && u.Scheme != "rtsps":
		return nil, streams.Errorf(streams.ReasonConfig, "the address does not begin with rtsp:// or rtsps://")
	case u.User != nil:
		return nil, streams.Errorf(streams.ReasonConfig, "the address holds a user name or password; put it into the camera's login")
	}
	u.Fragment = ""
	if t.Login.Username != "" || t.Login.Password != "" {
		u.User = url.UserPassword(t.Login.Username, t.Login.Password.Reveal())
	}
	return (*base.URL)(u), nil
}

// handshake is one attempt to bring a camera to play.
type handshake struct {
	o      *Options
	turns  *turns
	strays *strays
	t      streams.Target
	u      *base.URL
	r      streams.Receiver
	stage  stage

	conn *conn // the one connection; written by the client's goroutine before play reads it
}

func (h *handshake) newClient() *gortsplib.Client {
	transport := gortsplib.TransportTCP
	return &gortsplib.Client{
		Scheme: h.u.Scheme, Host: h.u.Host,
		Transport:   &transport,
		ReadTimeout: answerWithin, WriteTimeout: answerWithin,
		MaxPacketSize: 512, // of what is sent: reports; a buffer of each session
		TLSConfig:     h.o.TLS.Clone(),
		UserAgent:     "videopatrol",
		DialContext:   h.dial,
		OnPacketsLost: func(uint64) {},
		OnDecodeError: func(error) {},
	}
}

// dial connects once. The library follows redirects with the credentials in
// hand; a second dial of one handshake is such a redirect.
func (h *handshake) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if h.conn != nil {
		return nil, streams.Errorf(streams.ReasonRedirect, "the camera redirects to %q; the gateway follows no redirect, enter the new address if it is right", clip(address))
	}
	c, err := h.o.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	h.conn = newConn(c, h.r.Received)
	if h.u.Scheme == "rtsps" {
		h.conn.sniff.done = true // what comes first is the TLS handshake
	} else {
		h.conn.frames = &frames{strays: h.strays, channel: -1}
	}
	return h.conn, nil
}

// play runs the handshake up to PLAY.
func (h *handshake) play(c *gortsplib.Client) error {
	h.stage = stageDescribe
	desc, _, err := c.Describe(h.u)
	if err != nil {
		return err
	}
	medi, forma, err := videoOf(desc)
	if err != nil {
		return err
	}
	h.stage = stageSetup
	// The video only: every track costs the library goroutines, and a back
	// channel breaks some cameras.
	res, err := c.Setup(desc.BaseURL, medi, 0, 0)
	if err != nil {
		return err
	}
	a := h.assemblerFor(forma)
	clock := &senderClock{rate: int64(forma.ClockRate())}
	a.cameraTime = clock.at
	c.OnPacketRTP(medi, forma, func(p *rtp.Packet) {
		a.push(header{timestamp: p.Timestamp, seq: p.SequenceNumber, marker: p.Marker}, p.Payload, time.Now())
	})
	framed := h.conn.play(res.Header["Transport"], forma.PayloadType(), a, clock)
	if !framed {
		c.OnPacketRTCP(medi, func(p rtcp.Packet) {
			if sr, ok := p.(*rtcp.SenderReport); ok {
				clock.report(sr.NTPTime, sr.RTPTime)
			}
		})
	}
	h.stage = stagePlay
	if _, err := c.Play(nil); err != nil {
		return err
	}
	h.conn.playing()
	if h.t.Visit || !framed && h.u.Scheme == "rtsp" {
		return nil // over UDP the connection has next to nothing to read
	}
	return h.conn.pace(h.turns.pick(), h.o.LowWater, h.o.Latency)
}

// videoOf finds the track that the gateway can read.
func videoOf(desc *description.Session) (*description.Media, format.Format, error) {
	found := ""
	for _, medi := range desc.Medias {
		if medi.Type != description.MediaTypeVideo || medi.IsBackChannel {
			continue
		}
		for _, f := range medi.Formats {
			switch f := f.(type) {
			case *format.H264:
				return medi, f, nil
			case *format.H265:
				if f.MaxDONDiff == 0 {
					return medi, f, nil
				}
				found = "H265 in interleaved order"
			default:
				found = f.Codec()
			}
		}
	}
	if found == "" {
		return nil, nil, streams.Errorf(streams.ReasonUnsupported, "the camera offers no video track")
	}
	return nil, nil, streams.Errorf(streams.ReasonUnsupported, "the video is %q; the gateway reads H.264 and H.265", clip(found))
}

func (h *handshake) assemblerFor(f format.Format) *assembler {
	if h.t.Visit {
		h.r.Delta = nil
	}
	switch f := f.(type) {
	case *format.H265:
		a := newAssembler(true, h.r)
		a.setParam(f.VPS)
		a.setParam(f.SPS)
		a.setParam(f.PPS)
		return a
	case *format.H264:
		a := newAssembler(false, h.r)
		a.setParam(f.SPS)
		a.setParam(f.PPS)
		return a
	default:
		return newAssembler(false, h.r)
	}
}

// explain makes a failed handshake an error with a Reason.
func (h *handshake) explain(err error) error {
	return explain(h.stage, err, h.t.Login.Password.Reveal())
}

// senderClock maps RTP timestamps to the camera's clock by its RTCP sender
// reports (RFC 3550 section 6.4.1). One goroutine at a time uses it.
type senderClock struct {
	rate int64
	ntp  time.Time
	rtp  uint32
}

func (c *senderClock) report(ntp uint64, timestamp uint32) {
	c.ntp, c.rtp = ntpTime(ntp), timestamp
}

// read takes an RTCP packet, whose first part is a sender report or is left.
func (c *senderClock) read(b []byte) {
	const senderReport = 200
	if len(b) >= 20 && b[0]>>6 == 2 && b[1] == senderReport {
		c.report(binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:]))
	}
}

// at returns the camera's time of a timestamp, zero before the first report.
func (c *senderClock) at(timestamp uint32) time.Time {
	if c.ntp.IsZero() || c.rate <= 0 {
		return time.Time{}
	}
	ticks := int64(int32(timestamp - c.rtp)) // wraps round with the timestamps
	return c.ntp.Add(time.Duration(ticks * int64(time.Second) / c.rate))
}

// ntpTime converts a 64-bit NTP timestamp: seconds since 1900 and a binary
// fraction (RFC 5905 section 6).
func ntpTime(v uint64) time.Time {
	const since1900 = 2_208_988_800
	fraction := (v & 0xffffffff) * uint64(time.Second) >> 32
	return time.Unix(int64(v>>32)-since1900, int64(fraction)) //nolint:gosec // 32 bits fit
}
