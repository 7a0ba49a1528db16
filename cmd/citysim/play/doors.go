package play

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"videopatrol/cmd/citysim/scene"
)

// realm is what cameras call themselves when they ask for a login.
const realm = "ipcam"

// rtspDoor is the RTSP server of one host: gortsplib answers requests, the
// wheel sends packets.
type rtspDoor struct {
	server *gortsplib.Server
	city   *Server
}

// open takes the ports and makes every camera's stream known.
func (s *Server) open(ctx context.Context) (_ *doors, err error) {
	host, port, err := net.SplitHostPort(s.o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", s.o.Listen, err)
	}
	hosts := []string{host}
	if s.o.Hosts > 0 {
		hosts = hosts[:0]
		for i := range s.o.Hosts {
			hosts = append(hosts, fmt.Sprintf("127.0.1.%d", i+1))
		}
	}
	d := &doors{http: &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	var rtsp, web []net.Listener
	for range 20 { // with port 0, until both ports are free
		if rtsp, web, err = pair(ctx, hosts, port); err == nil || port != "0" {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	d.web = web
	d.listen = rtsp[0].Addr().String()
	for i, l := range rtsp {
		h := s.hosts[i]
		if err := h.take(l); err != nil {
			return nil, err
		}
		door := &rtspDoor{city: s}
		door.server = &gortsplib.Server{
			Handler: door, RTSPAddress: l.Addr().String(), AuthMethods: []auth.VerifyMethod{auth.VerifyMethodDigestMD5},
			DisableRTCPSenderReports: true, WriteQueueSize: 8,
			Listen: func(string, string) (net.Listener, error) { return h, nil },
		}
		if err := door.server.Start(); err != nil {
			for _, rest := range rtsp[i:] {
				rest.Close()
			}
			return nil, fmt.Errorf("RTSP server: %w", err)
		}
		d.rtsp = append(d.rtsp, door)
	}
	for i, c := range s.cameras {
		if err := c.announce(d.rtsp[i%len(d.rtsp)].server); err != nil {
			return nil, fmt.Errorf("camera %s: %w", c.id, err)
		}
	}
	return d, nil
}

// pair takes a port of every host for RTSP, and the port above for stills.
func pair(ctx context.Context, hosts []string, port string) (rtsp, web []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range append(rtsp, web...) {
				l.Close()
			}
		}
	}()
	var lc net.ListenConfig
	for _, host := range hosts {
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, port))
		if err != nil {
			return rtsp, web, fmt.Errorf("listen for RTSP: %w", err)
		}
		rtsp = append(rtsp, l)
		_, port, _ = net.SplitHostPort(l.Addr().String()) // the same port on every host
		n, _ := strconv.Atoi(port)
		l, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(n+1)))
		if err != nil {
			return rtsp, web, fmt.Errorf("listen for stills, one port above RTSP: %w", err)
		}
		web = append(web, l)
	}
	return rtsp, web, nil
}

// announce makes the camera's stream known to a server.
func (c *camera) announce(server *gortsplib.Server) error {
	first := c.reel.Load().takes[scene.Quiet][0]
	media := &description.Media{
		Type:    description.MediaTypeVideo,
		Formats: []format.Format{&format.H264{PayloadTyp: payloadType, SPS: first.SPS, PPS: first.PPS, PacketizationMode: 1}},
	}
	c.stream = &gortsplib.ServerStream{Server: server, Desc: &description.Session{Title: "Media Server", Medias: []*description.Media{media}}}
	if err := c.stream.Initialize(); err != nil {
		return err
	}
	c.packets.ssrc = c.stream.Stats().Medias[media].Formats[media.Formats[0]].LocalSSRC
	c.packets.seq = uint16(c.stamp) //nolint:gosec // any number will do
	return nil
}

// serve serves until ctx ends, and returns when all of it has ended.
func (d *doors) serve(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make(chan error, len(d.web)+len(d.rtsp))
	for _, l := range d.web {
		wg.Go(func() {
			if err := d.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				errs <- fmt.Errorf("HTTP server: %w", err)
			}
		})
	}
	for _, r := range d.rtsp {
		wg.Go(func() {
			if err := r.server.Wait(); !errors.Is(err, liberrors.ErrServerTerminated{}) {
				errs <- fmt.Errorf("RTSP server: %w", err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	d.close()
	wg.Wait()
	return err
}

func (d *doors) close() {
	for _, r := range d.rtsp {
		for _, c := range r.city.cameras {
			c.hush() // or the server would wait for it
			if c.stream != nil && c.stream.Server == r.server {
				c.stream.Close()
			}
		}
		r.server.Close()
	}
	d.http.Close()
	for _, l := range d.web {
		l.Close()
	}
}

// camera returns the camera of a path such as /cam/ID/sub.
func (s *Server) camera(path string) *camera {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) < 3 || parts[0] != "cam" {
		return nil
	}
	return s.byID[parts[1]]
}

// webAnswer is what a web server says to an RTSP request.
const webAnswer = "HTTP/1.1 400 Bad Request\r\nServer: lighttpd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// reading is the user data of a session: whose pictures, and to where.
type reading struct {
	camera *camera
	conn   *conn
}

// OnRequest lets the faults of a camera's connection act before anything else.
func (d *rtspDoor) OnRequest(sc *gortsplib.ServerConn, req *base.Request) {
	k, ok := sc.NetConn().(*conn)
	if req.Method == base.Teardown {
		d.city.tally.teardown()
	}
	if !ok || req.URL == nil {
		return
	}
	c := d.city.camera(req.URL.Path)
	if c == nil {
		return
	}
	switch c.fault() {
	case Offline:
		k.Close()
	case HTTPServer:
		k.answer([]byte(webAnswer))
	default:
		c.hijack(k, req)
	}
}

// OnResponse learns the channel that a SETUP agreed on.
func (d *rtspDoor) OnResponse(sc *gortsplib.ServerConn, res *base.Response) {
	value, ok := res.Header["Transport"]
	k, ours := sc.NetConn().(*conn)
	if !ok || !ours {
		return
	}
	var t headers.Transport
	if err := t.Unmarshal(value); err == nil && t.InterleavedIDs != nil {
		k.setChannel(byte(t.InterleavedIDs[0])) //nolint:gosec // gortsplib checked it
	}
}

// admit checks the login of a request for a camera.
func (d *rtspDoor) admit(sc *gortsplib.ServerConn, req *base.Request, path string) (*camera, *base.Response, error) {
	c := d.city.camera(path)
	if c == nil || (!strings.HasSuffix(path, "/main") && !strings.HasSuffix(path, "/sub")) {
		return nil, &base.Response{StatusCode: base.StatusNotFound}, fmt.Errorf("no camera at %q", path)
	}
	password := d.city.o.Password.Reveal()
	if c.fault() == WrongPassword {
		password = rand.Text()
	}
	if !sc.VerifyCredentials(req, d.city.o.Username, password) {
		return nil, &base.Response{StatusCode: base.StatusUnauthorized}, liberrors.ErrServerAuth{}
	}
	return c, &base.Response{StatusCode: base.StatusOK}, nil
}

// OnDescribe answers DESCRIBE.
func (d *rtspDoor) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	c, res, err := d.admit(ctx.Conn, ctx.Request, ctx.Path)
	if c == nil {
		return res, nil, err
	}
	return res, c.stream, nil
}

// OnSetup answers SETUP.
func (d *rtspDoor) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	c, res, err := d.admit(ctx.Conn, ctx.Request, ctx.Path)
	if c == nil {
		return res, nil, err
	}
	if c.fault() == NoConnections {
		return &base.Response{StatusCode: base.StatusNotEnoughBandwidth}, nil, nil
	}
	ctx.Session.SetUserData(&reading{camera: c})
	return res, c.stream, nil
}

// OnPlay answers PLAY; packets follow its answer.
func (d *rtspDoor) OnPlay(ctx *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	r, ok := ctx.Session.UserData().(*reading)
	k, ours := ctx.Conn.NetConn().(*conn)
	if !ok || !ours {
		return &base.Response{StatusCode: base.StatusBadRequest}, errors.New("PLAY before SETUP")
	}
	r.conn = k
	d.city.tally.began()
	if d.city.o.FirstKeyNow {
		k.first = &r.camera.keyNow
	}
	k.become(connReady)
	r.camera.read(k)
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnPause answers PAUSE.
func (d *rtspDoor) OnPause(ctx *gortsplib.ServerHandlerOnPauseCtx) (*base.Response, error) {
	d.silence(ctx.Session)
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnSessionClose takes a reader off its camera.
func (d *rtspDoor) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	d.silence(ctx.Session)
}

// OnDecodeError ignores receiver reports that make no sense.
func (*rtspDoor) OnDecodeError(*gortsplib.ServerHandlerOnDecodeErrorCtx) {}

func (d *rtspDoor) silence(s *gortsplib.ServerSession) {
	if r, ok := s.UserData().(*reading); ok && r.conn != nil {
		r.conn.become(connAsks)
		r.camera.unread(r.conn)
		r.conn = nil
		d.city.tally.ended()
	}
}

// handler serves stills, the ledger, the counters, and happenings and outages on demand.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	nonce := rand.Text()
	mux.HandleFunc("GET /cam/{id}/still.jpg", func(w http.ResponseWriter, r *http.Request) { s.still(w, r, nonce) })
	mux.HandleFunc("GET /ledger", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		out := json.NewEncoder(w)
		for _, e := range s.o.Ledger.Entries() {
			if out.Encode(e) != nil {
				return
			}
		}
	})
	mux.HandleFunc("POST /happenings", s.happen)
	mux.HandleFunc("POST /outage", s.interrupt)
	mux.HandleFunc("GET /counters", s.tell)
	mux.HandleFunc("POST /counters/reset", s.forget)
	return mux
}

// happen takes a script row as JSON; it is due now, or after its after.
func (s *Server) happen(w http.ResponseWriter, r *http.Request) {
	var row Row
	if !readJSON(w, r, &row, `{"camera":"3","kind":"intrusion","for":"30s"}`) {
		return
	}
	id, err := s.Inject(row)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	json.NewEncoder(w).Encode(map[string]string{"id": id}) //nolint:errcheck // the reader is gone
}
