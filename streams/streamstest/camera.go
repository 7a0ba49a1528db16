package streamstest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph265"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtpmjpeg"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// SPS and PPS are H.264 parameter sets of a 352 × 288 picture, VPS265, SPS265
// and PPS265 the same for H.265.
var (
	SPS = []byte{0x67, 0x42, 0xc0, 0x28, 0xd9, 0x00, 0x78, 0x02, 0x27, 0xe5, 0x84, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc9, 0x20}
	PPS = []byte{0x68, 0xcb, 0x83, 0xcb, 0x20}

	VPS265 = []byte{0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x78, 0x99, 0x98, 0x09}
	SPS265 = []byte{
		0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x78, 0xa0, 0x03,
		0xc0, 0x80, 0x10, 0xe5, 0x96, 0x66, 0x69, 0x24, 0xca, 0xe0, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01, 0xe0, 0x80,
	}
	PPS265 = []byte{0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40}
)

// Options of a Camera; the zero value is a healthy H.264 camera that asks for
// no login.
type Options struct {
	// Username and Password ask for a login (digest).
	Username, Password string
	// AuthMethods are the ways to log in that it offers; nil means Basic and
	// Digest MD5.
	AuthMethods []auth.VerifyMethod
	// TLS makes it an rtsps camera.
	TLS *tls.Config
	// UDP offers UDP beside TCP, UDPOnly answers 461 to whoever asks for TCP.
	UDP, UDPOnly bool
	// H265 makes the track H.265, MJPEG motion JPEG.
	H265, MJPEG bool
	// NoParams leaves the parameter sets out of the SDP.
	NoParams bool
	// Medias replaces the tracks that DESCRIBE offers.
	Medias []*description.Media
	// Sessions is how many SETUPs are granted before 453; 0 means all.
	Sessions int
	// Status answers a method with another status than 200.
	Status map[base.Method]base.StatusCode
	// Redirect answers DESCRIBE with 302 to that address.
	Redirect string
	// Wrap wraps every accepted connection: faults of the transport.
	Wrap func(net.Conn) net.Conn
	// Key is the payload of key units in bytes, Delta of the others; 0 means
	// 6,000 and 1,200.
	Key, Delta int
}

// Camera is a running fake camera. Its methods are safe for concurrent use.
type Camera struct {
	o      Options
	server *gortsplib.Server
	stream *gortsplib.ServerStream
	medi   *description.Media
	ln     net.Listener
	encode func([][]byte) ([]*rtp.Packet, error)

	mu      sync.Mutex
	cond    *sync.Cond
	playing int
	setups  int
	plays   int
	tears   int
	dials   int
	ts      uint32
}

// New starts a camera that is stopped when the test ends.
func New(tb testing.TB, o Options) *Camera {
	tb.Helper()
	if o.Key == 0 {
		o.Key = 6000
	}
	if o.Delta == 0 {
		o.Delta = 1200
	}
	c := &Camera{o: o}
	c.cond = sync.NewCond(&c.mu)
	c.medi = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{c.format(tb)}}
	medias := o.Medias
	if medias == nil {
		medias = []*description.Media{c.medi}
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	c.ln = &listener{Listener: ln, c: c}
	c.start(tb)
	c.stream = &gortsplib.ServerStream{Server: c.server, Desc: &description.Session{Medias: medias}}
	if err := c.stream.Initialize(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Stop)
	return c
}

// start starts the server; over UDP it looks for two neighbouring free ports.
func (c *Camera) start(tb testing.TB) {
	tb.Helper()
	var err error
	for range 100 {
		c.server = &gortsplib.Server{
			Handler: (*handler)(c), RTSPAddress: c.ln.Addr().String(), WriteQueueSize: 4096,
			AuthMethods: c.o.AuthMethods, TLSConfig: c.o.TLS,
			Listen: func(string, string) (net.Listener, error) { return c.ln, nil },
		}
		if !c.o.UDP && !c.o.UDPOnly {
			err = c.server.Start()
			break
		}
		port := 20_000 + 2*rand.IntN(20_000)
		c.server.UDPRTPAddress = fmt.Sprintf("127.0.0.1:%d", port)
		c.server.UDPRTCPAddress = fmt.Sprintf("127.0.0.1:%d", port+1)
		if err = c.server.Start(); err == nil {
			break
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func (c *Camera) format(tb testing.TB) format.Format {
	tb.Helper()
	if c.o.MJPEG {
		e := &rtpmjpeg.Encoder{PayloadMaxSize: 1400}
		if err := e.Init(); err != nil {
			tb.Fatal(err)
		}
		c.encode = func(unit [][]byte) ([]*rtp.Packet, error) { return e.Encode(unit[0]) }
		return &format.MJPEG{}
	}
	if c.o.H265 {
		f := &format.H265{PayloadTyp: 96}
		if !c.o.NoParams {
			f.VPS, f.SPS, f.PPS = VPS265, SPS265, PPS265
		}
		e := &rtph265.Encoder{PayloadType: 96, PayloadMaxSize: 1400}
		if err := e.Init(); err != nil {
			tb.Fatal(err)
		}
		c.encode = e.Encode
		return f
	}
	f := &format.H264{PayloadTyp: 96, PacketizationMode: 1}
	if !c.o.NoParams {
		f.SPS, f.PPS = SPS, PPS
	}
	e := &rtph264.Encoder{PayloadType: 96, PacketizationMode: 1, PayloadMaxSize: 1400}
	if err := e.Init(); err != nil {
		tb.Fatal(err)
	}
	c.encode = e.Encode
	return f
}

// Stop ends the camera and all its sessions; it may be called more than once.
func (c *Camera) Stop() {
	c.mu.Lock()
	stream := c.stream
	c.stream = nil
	c.mu.Unlock()
	if stream != nil {
		stream.Close()
		c.server.Close()
	}
}

// Addr is the camera's host and port.
func (c *Camera) Addr() string { return c.ln.Addr().String() }

// URL is the stream's address.
func (c *Camera) URL() string {
	if c.o.TLS != nil {
		return "rtsps://" + c.Addr() + "/main"
	}
	return "rtsp://" + c.Addr() + "/main"
}

// Plays counts the sessions that were ever granted PLAY.
func (c *Camera) Plays() int { return c.get(&c.plays) }

// Teardowns counts the sessions that the client ended in order.
func (c *Camera) Teardowns() int { return c.get(&c.tears) }

// Dials counts the connections.
func (c *Camera) Dials() int { return c.get(&c.dials) }

func (c *Camera) get(n *int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *n
}

// AwaitPlaying blocks until n sessions play; the test's own time limit bounds
// it.
func (c *Camera) AwaitPlaying(n int) { c.await(func() bool { return c.playing >= n }) }

// AwaitTeardowns blocks until n sessions were torn down.
func (c *Camera) AwaitTeardowns(n int) { c.await(func() bool { return c.tears >= n }) }

func (c *Camera) await(ok func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !ok() {
		c.cond.Wait()
	}
}

// KeyUnit returns the NAL units of a key unit with its parameter sets, or one
// JPEG file; fill tells one unit from another.
func (c *Camera) KeyUnit(fill byte) [][]byte {
	if c.o.MJPEG {
		return [][]byte{JPEG(fill)}
	}
	head, params := []byte{0x65, 0x88}, [][]byte{SPS, PPS}
	if c.o.H265 {
		head, params = []byte{0x26, 0x01}, [][]byte{VPS265, SPS265, PPS265}
	}
	return append(params, nalu(head, fill, c.o.Key))
}

// DeltaUnit returns a picture that hangs on others.
func (c *Camera) DeltaUnit(fill byte) [][]byte {
	head := []byte{0x41, 0x9a}
	if c.o.H265 {
		head = []byte{0x02, 0x01}
	}
	return [][]byte{nalu(head, fill, c.o.Delta)}
}

// JPEG returns a file of 320 × 240 pixels whose luma varies around fill.
func JPEG(fill byte) []byte {
	img := image.NewYCbCr(image.Rect(0, 0, 320, 240), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = fill + byte(i*i>>3)&15
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 128, 128
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}) // a buffer takes all
	return b.Bytes()
}

func nalu(head []byte, fill byte, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = fill | 1 // never a start code
	}
	copy(b, head)
	return b
}

// Send packetizes one access unit and sends it to every session.
func (c *Camera) Send(unit [][]byte) error { return c.SendWith(unit, nil) }

// SendWith is Send with the packets changed on their way.
func (c *Camera) SendWith(unit [][]byte, change func([]*rtp.Packet) []*rtp.Packet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream == nil {
		return net.ErrClosed
	}
	packets, err := c.encode(unit)
	if err != nil {
		return err
	}
	c.ts += 90_000 / 25
	for _, p := range packets {
		p.Timestamp = c.ts
	}
	if change != nil {
		packets = change(packets)
	}
	for _, p := range packets {
		if err := c.stream.WritePacketRTP(c.medi, p); err != nil {
			return err
		}
	}
	return nil
}

// Report sends an RTCP sender report that gives the last unit a camera time.
func (c *Camera) Report(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	const since1900 = 2_208_988_800
	ntp := uint64(at.Unix()+since1900)<<32 | uint64(at.Nanosecond())<<32/uint64(time.Second)
	return c.stream.WritePacketRTCP(c.medi, &rtcp.SenderReport{NTPTime: ntp, RTPTime: c.ts})
}

// Play sends a key unit and then deltas, gop units in all, every period,
// until ctx ends or the camera is stopped.
func (c *Camera) Play(ctx context.Context, gop int, period time.Duration) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for n := 0; ; n++ {
		unit := c.DeltaUnit(byte(n))
		if n%gop == 0 {
			unit = c.KeyUnit(byte(n))
		}
		if c.Send(unit) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type handler Camera

func (h *handler) admit(conn *gortsplib.ServerConn, req *base.Request) (*base.Response, *gortsplib.ServerStream, error) {
	if h.o.Username != "" && !conn.VerifyCredentials(req, h.o.Username, h.o.Password) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	if code := h.o.Status[req.Method]; code != 0 {
		return &base.Response{StatusCode: code}, nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return &base.Response{StatusCode: base.StatusOK}, h.stream, nil
}

// OnDescribe implements gortsplib's handler.
func (h *handler) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if h.o.Redirect != "" {
		return &base.Response{StatusCode: base.StatusFound, Header: base.Header{"Location": base.HeaderValue{h.o.Redirect}}}, nil, nil
	}
	return h.admit(ctx.Conn, ctx.Request)
}

// OnSetup implements gortsplib's handler.
func (h *handler) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	res, stream, err := h.admit(ctx.Conn, ctx.Request)
	if res.StatusCode != base.StatusOK {
		return res, stream, err
	}
	if h.o.UDPOnly && ctx.Transport == gortsplib.TransportTCP {
		return &base.Response{StatusCode: base.StatusUnsupportedTransport}, nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.o.Sessions > 0 && h.setups >= h.o.Sessions {
		return &base.Response{StatusCode: base.StatusNotEnoughBandwidth}, nil, nil
	}
	h.setups++
	return res, stream, err
}

// OnPlay implements gortsplib's handler.
func (h *handler) OnPlay(ctx *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	if code := h.o.Status[ctx.Request.Method]; code != 0 {
		return &base.Response{StatusCode: code}, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.playing++
	h.plays++
	ctx.Session.SetUserData(true)
	h.cond.Broadcast()
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnRequest implements gortsplib's handler.
func (h *handler) OnRequest(_ *gortsplib.ServerConn, req *base.Request) {
	if req.Method == base.Teardown {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.tears++
		h.cond.Broadcast()
	}
}

// OnSessionClose implements gortsplib's handler.
func (h *handler) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setups = max(0, h.setups-1)
	if ctx.Session.UserData() != nil {
		h.playing--
		h.cond.Broadcast()
	}
}
