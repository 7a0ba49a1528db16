package synth

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
)

// Options of a Camera.
type Options struct {
	// Addr to listen on, such as 127.0.0.1:0. Required.
	Addr string
	// Path of the stream, without the leading slash. Required.
	Path string
	// Username and Password ask for digest authentication; "" asks for none.
	Username, Password string
	// Width and Height of the picture in pixels, multiples of 16.
	Width, Height int
	// GOP is the time from one key unit to the next; 0 means 2 s.
	GOP time.Duration
	// Draw paints the picture of the moment; it starts as the one before it.
	// Required.
	Draw func(now time.Time, img *image.YCbCr)
}

// Camera serves one drawn scene by RTSP over TCP.
type Camera struct {
	o       Options
	server  *gortsplib.Server
	ln      net.Listener
	encoder *Encoder
	stream  *gortsplib.ServerStream
	medi    *description.Media
	rtp     *rtph264.Encoder
	ready   chan struct{} // closed once stream may be handed out
}

// New opens the camera's listener, so that URL is known; Run serves it.
func New(o Options) (*Camera, error) {
	if o.Addr == "" || o.Path == "" || o.Draw == nil {
		return nil, errors.New("synth: Addr, Path and Draw are required")
	}
	if o.GOP <= 0 {
		o.GOP = 2 * time.Second
	}
	encoder, err := NewEncoder(o.Width, o.Height)
	if err != nil {
		return nil, err
	}
	sps, pps := encoder.Params()
	h264 := &format.H264{PayloadTyp: 96, PacketizationMode: 1, SPS: sps, PPS: pps}
	packets, err := h264.CreateEncoder()
	if err != nil {
		return nil, fmt.Errorf("synth: %w", err)
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("synth: %w", err)
	}
	c := &Camera{
		o: o, ln: ln, encoder: encoder, rtp: packets, ready: make(chan struct{}),
		medi: &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{h264}},
	}
	c.server = &gortsplib.Server{
		Handler:     &handler{c: c},
		RTSPAddress: ln.Addr().String(),
		Listen:      func(string, string) (net.Listener, error) { return ln, nil },
	}
	return c, nil
}

// URL is the stream's address, without credentials.
func (c *Camera) URL() string {
	u := url.URL{Scheme: "rtsp", Host: c.ln.Addr().String(), Path: "/" + c.o.Path}
	return u.String()
}

// Close gives the listener back; it is for a camera that is never run.
func (c *Camera) Close() { _ = c.ln.Close() }

// Run serves the stream until ctx ends. It is called once.
func (c *Camera) Run(ctx context.Context) error {
	c.stream = &gortsplib.ServerStream{
		Server: c.server,
		Desc:   &description.Session{Medias: []*description.Media{c.medi}},
	}
	if err := c.server.Start(); err != nil {
		c.ln.Close()
		return fmt.Errorf("synth: %w", err)
	}
	defer c.server.Close()
	if err := c.stream.Initialize(); err != nil {
		return fmt.Errorf("synth: %w", err)
	}
	defer c.stream.Close()
	close(c.ready)

	img := image.NewYCbCr(image.Rect(0, 0, c.o.Width, c.o.Height), image.YCbCrSubsampleRatio420)
	tick := time.NewTicker(c.o.GOP / 2)
	defer tick.Stop()
	begin := time.Now()
	for key := true; ; key = !key {
		if err := c.send(time.Since(begin), key, img); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c *Camera) send(at time.Duration, key bool, img *image.YCbCr) error {
	unit := [][]byte{c.encoder.Skip()}
	if key {
		c.o.Draw(time.Now(), img)
		idr, err := c.encoder.Key(img)
		if err != nil {
			return err
		}
		sps, pps := c.encoder.Params()
		unit = [][]byte{sps, pps, idr}
	}
	packets, err := c.rtp.Encode(unit)
	if err != nil {
		return fmt.Errorf("synth: %w", err)
	}
	for _, p := range packets {
		p.Timestamp = uint32(at.Microseconds() * 90 / 1000) // 90 kHz, RFC 6184 5.1
		if err := c.stream.WritePacketRTP(c.medi, p); err != nil {
			return fmt.Errorf("synth: %w", err)
		}
	}
	return nil
}

type handler struct{ c *Camera }

func (h *handler) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return h.admit(ctx.Conn, ctx.Request, ctx.Path)
}

func (h *handler) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return h.admit(ctx.Conn, ctx.Request, ctx.Path)
}

func (h *handler) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (h *handler) admit(conn *gortsplib.ServerConn, req *base.Request, path string) (*base.Response, *gortsplib.ServerStream, error) {
	if h.c.o.Username != "" && !conn.VerifyCredentials(req, h.c.o.Username, h.c.o.Password) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	<-h.c.ready
	if strings.Trim(path, "/") != h.c.o.Path {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, h.c.stream, nil
}
