package rtsp

import (
	"context"
	"crypto/x509"
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
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"videopatrol/inventory"
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
	// CAs are trusted beside the system's roots for rtsps addresses.
	CAs *x509.CertPool
	// Kept takes evidence: the answer of a camera that the gateway could not
	// read, at most 64 KiB of it, without the password; what names the request.
	// It is called on Open's goroutine.
	Kept func(camera, what string, b []byte)
	// Dial connects; default a net.Dialer that waits 5 s: two lost SYNs, and not
	// so long that an address without an answer holds its host's handshakes.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Opener opens sessions. It implements streams.Opener and is safe for
// concurrent use.
type Opener struct {
	o      Options
	turns  *turns
	strays strays
	memory memory
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
		o.Dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	if o.Kept == nil {
		o.Kept = func(string, string, []byte) {}
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
	client *gortsplib.Client
	login  inventory.Login
	silent func() // hears that no packet came over UDP

	once sync.Once
	err  error
}

// Open implements streams.Opener.
func (o *Opener) Open(ctx context.Context, t streams.Target, r streams.Receiver) (streams.Session, error) {
	u, addr, err := parseURL(t)
	if err != nil {
		return nil, err
	}
	transports, err := o.order(t, u.Scheme, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.o.Handshake)
	defer cancel()
	r = r.Complete()
	for _, transport := range transports {
		h := &handshake{o: &o.o, turns: o.turns, strays: &o.strays, t: t, u: u, addr: addr, r: r, stage: stageDial, transport: transport}
		var s *session
		s, err = h.open(ctx)
		if err == nil {
			s.silent = func() { o.memory.forget(addr) }
			if transport == inventory.TransportUDP && t.Link.Transport != inventory.TransportUDP {
				o.memory.note(addr)
			}
			return s, nil
		}
		if transport == inventory.TransportUDP {
			o.memory.forget(addr)
		} else if !refusesTCP(err) {
			break
		}
	}
	return nil, err
}

// open makes one attempt.
func (h *handshake) open(ctx context.Context) (*session, error) {
	client := h.newClient()
	if client.Transport != nil && *client.Transport == gortsplib.TransportTCP {
		quiet(client)
	}
	if h.t.Visit {
		brief(client)
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
	err := h.play(client)
	if !stop() {
		<-ended
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, streams.Errorf(streams.ReasonTimeout, "%s: the handshake took longer than %v", h.stage, h.o.Handshake)
		}
		return nil, streams.Errorf(streams.ReasonClosed, "the handshake was called off: %w", context.Cause(ctx))
	}
	if err != nil {
		client.Close()
		return nil, h.explain(err)
	}
	return &session{client: client, login: h.t.Login}, nil
}

// Wait implements streams.Session.
func (s *session) Wait() error {
	err := s.client.Wait()
	s.once.Do(func() {
		s.err = explain(stagePlaying, err, s.login)
		if _, ok := errors.AsType[liberrors.ErrClientUDPTimeout](err); ok {
			s.silent() // next time TCP is asked for again
		}
	})
	return s.err
}

// Close implements streams.Session. It sends TEARDOWN.
func (s *session) Close() { s.client.Close() }

// parseURL checks an address, and returns its host and port, too. The library
// never hears of the login: the dialogue sends it.
func parseURL(t streams.Target) (*base.URL, string, error) {
	u, err := url.Parse(t.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		// The parser's error would repeat an address that may hold a password.
		return nil, "", streams.Errorf(streams.ReasonConfig, "the address is not a URL with a host; write rtsp://host[:port]/path")
	case u.Scheme != "rtsp" && u.Scheme != "rtsps":
		return nil, "", streams.Errorf(streams.ReasonConfig, "the address does not begin with rtsp:// or rtsps://")
	case u.User != nil:
		return nil, "", streams.Errorf(streams.ReasonConfig, "the address holds a user name or password; put it into the camera's login")
	}
	u.Fragment = ""
	port := u.Port()
	if port == "" {
		port = map[string]string{"rtsp": "554", "rtsps": "322"}[u.Scheme]
	}
	return (*base.URL)(u), net.JoinHostPort(u.Hostname(), port), nil
}

// handshake is one attempt to bring a camera to play over one transport.
type handshake struct {
	o         *Options
	turns     *turns
	strays    *strays
	t         streams.Target
	u         *base.URL
	addr      string
	r         streams.Receiver
	stage     stage
	transport inventory.Transport

	// The one connection; written by the client's goroutine before play reads
	// them. conn is the socket, walked the same or what TLS makes of it; what
	// is said on it goes through words.
	conn        *conn
	walked      *conn
	words       *dialogue
	certificate []byte
	ports       *udpPorts
}

// newClient makes the library's client. It never does TLS itself, so that the
// dialogue sees the text in the clear.
func (h *handshake) newClient() *gortsplib.Client {
	transport := gortsplib.TransportTCP
	if h.transport == inventory.TransportUDP {
		transport = gortsplib.TransportUDP
	}
	c := &gortsplib.Client{
		Scheme: "rtsp", Host: h.addr,
		Transport:   &transport,
		ReadTimeout: answerWithin, WriteTimeout: answerWithin,
		InitialUDPReadTimeout: answerWithin,
		MaxPacketSize:         512, // of what is sent: reports; a buffer of each session
		UserAgent:             "videopatrol",
		DialContext:           h.dial,
		OnPacketsLost:         func(uint64) {},
		OnDecodeError:         func(error) {},
	}
	c.OnResponse = func(*base.Response) {
		// Where the camera does not say its ports, those that it first sends
		// from count; packets from other hosts never do.
		if h.stage == stageSetup {
			c.AnyPortEnable = h.words.hidesPorts()
		}
	}
	c.ListenPacket = func(network, address string) (net.PacketConn, error) { return h.ports.take(network, address) }
	return c
}

// dial connects once. The library follows redirects; a second dial of one
// handshake is such a redirect.
func (h *handshake) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if h.conn != nil {
		return nil, streams.Errorf(streams.ReasonRedirect, "the camera redirects to %q; the gateway follows no redirect, enter the new address if it is right", clip(hide(address, h.t.Login)))
	}
	c, err := h.o.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	h.conn = newConn(c, h.r.Received)
	h.walked = h.conn
	if h.u.Scheme == "rtsps" {
		h.conn.sniff.done = true // what comes first is the TLS handshake
		t, leaf, err := secure(ctx, h.conn, h.u.Hostname(), h.t.Link, h.o.CAs)
		if err != nil {
			c.Close()
			return nil, err
		}
		h.certificate = leaf.Raw
		h.walked = newConn(t, func(int) {})
	}
	h.walked.frames = &frames{strays: h.strays, channel: -1}
	h.words = newDialogue(h.walked, h.t.Login)
	return h.words, nil
}

// play runs the handshake up to PLAY.
func (h *handshake) play(c *gortsplib.Client) error {
	h.stage = stageDescribe
	desc, _, err := c.Describe(h.u)
	if _, ok := errors.AsType[liberrors.ErrClientSDPInvalid](err); ok {
		tracks, begins := h.words.described()
		if tracks != "" {
			return unsupportedTracks(hide(tracks, h.t.Login))
		}
		return streams.Errorf(streams.ReasonUnsupported, "the camera's description cannot be read: %q; it begins %q", clip(hide(err.Error(), h.t.Login)), clip(hide(begins, h.t.Login)))
	}
	if err != nil {
		return err
	}
	medi, forma, err := h.videoOf(desc)
	if err != nil {
		return err
	}
	if u, err := medi.URL(desc.BaseURL); err != nil || u == nil {
		return streams.Errorf(streams.ReasonUnsupported, "the address of its video track cannot be read: %q", clip(hide(medi.Control, h.t.Login)))
	}
	h.stage = stageSetup
	rtpPort := 0
	if h.transport == inventory.TransportUDP {
		if h.ports, err = openPorts(h.conn.LocalAddr()); err != nil {
			return streams.Errorf(streams.ReasonBudget, "no two free UDP ports: %w", err)
		}
		defer h.ports.close()
		rtpPort = h.ports.rtp
	}
	// The video only: every track costs the library goroutines, and a back
	// channel breaks some cameras.
	medi.Formats = []format.Format{forma}
	res, err := c.Setup(desc.BaseURL, medi, rtpPort, rtpPort|h.transportBit())
	if err != nil {
		return err
	}
	description := streams.Description{
		Codec: codecOf(forma), Transport: h.transport, Fingerprint: h.words.fingerprint(h.certificate),
	}
	opened := sync.OnceFunc(func() { h.r.Opened(description) })
	r := h.r
	r.Unit = func(u streams.Unit) {
		opened()
		h.r.Unit(u)
	}
	if h.t.Visit {
		r.Delta = nil
	}
	clock := &senderClock{rate: 90_000}
	video := trackOf(forma, r, clock)
	c.OnPacketRTP(medi, forma, func(p *rtp.Packet) {
		if h.transport == inventory.TransportUDP {
			h.r.Received(p.MarshalSize())
		}
		video.push(rtpHeader{timestamp: p.Timestamp, seq: p.SequenceNumber, marker: p.Marker}, p.Payload, time.Now())
	})
	if !h.walked.play(res.Header["Transport"], forma.PayloadType(), video, clock) {
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
	opened()
	h.words.settle()
	h.walked.playing()
	if h.transport == inventory.TransportUDP || h.t.Visit {
		return nil
	}
	return h.conn.pace(h.turns.pick(), h.o.LowWater, h.o.Latency)
}

// transportBit makes the port of RTCP out of RTP's: the odd one above.
func (h *handshake) transportBit() int {
	if h.transport == inventory.TransportUDP {
		return 1
	}
	return 0
}

// videoOf finds the track that the gateway can read.
func (h *handshake) videoOf(desc *description.Session) (*description.Media, format.Format, error) {
	found := ""
	for _, medi := range desc.Medias {
		if medi.Type != description.MediaTypeVideo || medi.IsBackChannel {
			continue
		}
		for _, f := range medi.Formats {
			if h, ok := f.(*format.H265); ok && h.MaxDONDiff != 0 {
				found = "H265 in interleaved order"
			} else if codecOf(f) != "" {
				return medi, f, nil
			}
		}
	}
	if found == "" {
		found, _ = h.words.described()
	}
	return nil, nil, unsupportedTracks(hide(found, h.t.Login))
}

func unsupportedTracks(found string) error {
	return streams.Errorf(streams.ReasonUnsupported, "the camera offers %q; the gateway reads H.264, H.265 and motion JPEG video", clip(found))
}

// codecOf names a track's codec, "" for one that the gateway cannot read. The
// library knows some by their payload type only.
func codecOf(f format.Format) streams.Codec {
	switch f := f.(type) {
	case *format.H264:
		return streams.CodecH264
	case *format.H265:
		return streams.CodecH265
	case *format.MJPEG:
		return streams.CodecJPEG
	case *format.Generic:
		return map[string]streams.Codec{"H264/90000": streams.CodecH264, "H265/90000": streams.CodecH265, "JPEG/90000": streams.CodecJPEG}[f.RTPMa]
	}
	return ""
}

// trackOf makes what takes the packets of a track.
func trackOf(f format.Format, r streams.Receiver, clock *senderClock) track {
	codec := codecOf(f)
	if codec == streams.CodecJPEG {
		m := newMJPEG(r)
		m.cameraTime = clock.at
		return m
	}
	a := newAssembler(codec == streams.CodecH265, r)
	a.cameraTime = clock.at
	switch f := f.(type) {
	case *format.H265:
		a.setParam(f.VPS)
		a.setParam(f.SPS)
		a.setParam(f.PPS)
	case *format.H264:
		a.setParam(f.SPS)
		a.setParam(f.PPS)
	}
	return a
}

// explain makes a failed handshake an error with a Reason, and keeps what the
// gateway could not read.
func (h *handshake) explain(err error) error {
	out := explain(h.stage, err, h.t.Login)
	if h.words == nil {
		return out
	}
	reason := streams.ReasonOf(out)
	if reason == streams.ReasonUnsupported || reason == streams.ReasonProtocol {
		if b := h.words.evidence(); len(b) > 0 {
			h.o.Kept(h.t.Camera, string(h.stage), b)
		}
	}
	if reason == streams.ReasonAuth && h.words.asksStrangely() {
		return streams.Errorf(reason, "the camera asks for a login in no way that the gateway knows (Basic, Digest MD5, Digest SHA-256): %w", out)
	}
	return out
}

// senderClock maps RTP timestamps to the camera's clock by its RTCP sender
// reports (RFC 3550 section 6.4.1). Over UDP packets and reports come on
// goroutines of their own.
type senderClock struct {
	rate int64

	mu  sync.Mutex
	ntp time.Time
	rtp uint32
}

func (c *senderClock) report(ntp uint64, timestamp uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
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
	c.mu.Lock()
	defer c.mu.Unlock()
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
