package rtsp_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtp"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// heard is what a test's receiver heard, safe for concurrent use.
type heard struct {
	units chan streams.Unit
	keys  chan time.Time
	bytes atomic.Int64
	want  atomic.Bool
}

func listen() *heard {
	h := &heard{units: make(chan streams.Unit, 100), keys: make(chan time.Time, 100)}
	h.want.Store(true)
	return h
}

func (h *heard) receiver() streams.Receiver {
	return streams.Receiver{
		Want:     func(time.Time) bool { return h.want.Load() },
		Unit:     func(u streams.Unit) { h.units <- u },
		KeySeen:  func(now time.Time) { h.keys <- now },
		Received: func(n int) { h.bytes.Add(int64(n)) },
	}
}

func opener(tb testing.TB, o rtsp.Options) *rtsp.Opener {
	tb.Helper()
	if o.Latency == 0 {
		o.Latency = 20 * time.Millisecond
	}
	op, err := rtsp.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return op
}

// open opens a session that is closed when the test ends.
func open(t *testing.T, o rtsp.Options, target streams.Target, h *heard) streams.Session {
	t.Helper()
	s, err := opener(t, o).Open(t.Context(), target, h.receiver())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestOpenTakesKeyUnits(t *testing.T) {
	for name, o := range map[string]st.Options{
		"H.264": {}, "H.265": {H265: true}, "without parameter sets in the SDP": {NoParams: true},
		"garbage between frames": {Wrap: st.Garbage([]byte("\x00junk\r\n!"))},
		"a login":                {Username: "admin", Password: "pa%73s@:/w?#ö "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cam := st.New(t, o)
			h := listen()
			open(t, rtsp.Options{}, streams.Target{Camera: "c", URL: cam.URL(), Login: inventory.Login{Username: o.Username, Password: inventory.Secret(o.Password)}}, h)
			for fill := range byte(3) {
				for _, unit := range [][][]byte{cam.KeyUnit(2 * fill), cam.DeltaUnit(9)} {
					if err := cam.Send(unit); err != nil {
						t.Fatal(err)
					}
				}
				u, sent := <-h.units, cam.KeyUnit(2*fill)
				if len(u.NALUs) != 1 || !bytes.Equal(u.NALUs[0], sent[len(sent)-1]) || len(u.Params) != len(sent)-1 {
					t.Fatalf("unit %d: %d NAL units and %d parameter sets came", fill, len(u.NALUs), len(u.Params))
				}
				if u.Received.IsZero() || !u.CameraTime.IsZero() {
					t.Errorf("received %v, camera time %v", u.Received, u.CameraTime)
				}
			}
			if h.bytes.Load() < 3*(6000+1200) {
				t.Errorf("%d bytes counted", h.bytes.Load())
			}
		})
	}
}

func TestOpenLeavesUnwantedUnits(t *testing.T) {
	cam, h := st.New(t, st.Options{}), listen()
	h.want.Store(false)
	open(t, rtsp.Options{}, streams.Target{URL: cam.URL()}, h)
	for range 3 {
		if err := cam.Send(cam.KeyUnit(1)); err != nil {
			t.Fatal(err)
		}
		<-h.keys
	}
	if len(h.units) != 0 {
		t.Error("a unit came that nobody wanted")
	}
}

func TestOpenReadsTheCamerasClock(t *testing.T) {
	cam, h := st.New(t, st.Options{}), listen()
	open(t, rtsp.Options{}, streams.Target{URL: cam.URL()}, h)
	at := time.Date(2000, 1, 1, 0, 0, 0, 500_000_000, time.UTC) // after a power loss
	if err := cam.Send(cam.KeyUnit(1)); err != nil {
		t.Fatal(err)
	}
	<-h.units
	if err := cam.Report(at); err != nil {
		t.Fatal(err)
	}
	if err := cam.Send(cam.KeyUnit(1)); err != nil {
		t.Fatal(err)
	}
	if got := (<-h.units).CameraTime.Sub(at); got.Round(time.Millisecond) != 40*time.Millisecond {
		t.Errorf("the next unit's camera time is %v after the report, want 40ms", got)
	}
}

// TestOpenRecoversFromLoss: a lost packet costs its key unit and no more.
func TestOpenRecoversFromLoss(t *testing.T) {
	cam, h := st.New(t, st.Options{}), listen()
	open(t, rtsp.Options{}, streams.Target{URL: cam.URL()}, h)
	lose := func(ps []*rtp.Packet) []*rtp.Packet { return append(ps[:3], ps[4:]...) }
	if err := cam.SendWith(cam.KeyUnit(1), lose); err != nil {
		t.Fatal(err)
	}
	if err := cam.Send(cam.KeyUnit(8)); err != nil {
		t.Fatal(err)
	}
	if u := <-h.units; u.NALUs[0][100] != 9 {
		t.Error("the damaged unit was handed on")
	}
}

// TestOpenNamesWhatIsWrong: each bad camera ends in a clear reason, quickly.
func TestOpenNamesWhatIsWrong(t *testing.T) {
	free := func(t *testing.T) string { // nobody listens there
		t.Helper()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return ln.Addr().String()
	}
	of := func(o st.Options) func(t *testing.T) string {
		return func(t *testing.T) string { t.Helper(); return st.New(t, o).URL() }
	}
	status := func(m base.Method, c base.StatusCode) func(t *testing.T) string {
		return of(st.Options{Status: map[base.Method]base.StatusCode{m: c}})
	}
	raw := func(serve func(net.Conn)) func(t *testing.T) string {
		return func(t *testing.T) string { t.Helper(); return "rtsp://" + st.Listen(t, serve) + "/" }
	}
	say := func(text string) func(t *testing.T) string {
		return raw(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte(text))
		})
	}
	vp8 := []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{&format.VP8{PayloadTyp: 96}}}}
	sound := []*description.Media{{Type: description.MediaTypeAudio, Formats: []format.Format{&format.G711{PayloadTyp: 0, MULaw: true, SampleRate: 8000, ChannelCount: 1}}}}
	tests := map[string]struct {
		url  func(t *testing.T) string
		want streams.Reason
	}{
		"nobody listens":        {func(t *testing.T) string { t.Helper(); return "rtsp://" + free(t) + "/" }, streams.ReasonUnreachable},
		"wrong password":        {of(st.Options{Username: "admin", Password: "other"}), streams.ReasonAuth},
		"login in no known way": {say("RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n"), streams.ReasonAuth},
		"forbidden":             {status(base.Describe, 403), streams.ReasonAuth},
		"no such stream":        {status(base.Describe, 404), streams.ReasonNotFound},
		"453":                   {status(base.Setup, 453), streams.ReasonSessionLimit},
		"503":                   {status(base.Describe, 503), streams.ReasonSessionLimit},
		"500 at SETUP":          {status(base.Setup, 500), streams.ReasonSessionLimit},
		"500 at PLAY":           {status(base.Play, 500), streams.ReasonSessionLimit},
		"500 at DESCRIBE":       {status(base.Describe, 500), streams.ReasonProtocol},
		"UDP only":              {status(base.Setup, 461), streams.ReasonUnsupported},
		"another codec":         {of(st.Options{Medias: vp8}), streams.ReasonUnsupported},
		"sound only":            {of(st.Options{Medias: sound}), streams.ReasonUnsupported},
		"web server":            {raw(st.WebServer), streams.ReasonNotRTSP},
		"SSH server":            {raw(func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-x\r\n")); st.BlackHole(c) }), streams.ReasonNotRTSP},
		"black hole":            {raw(st.BlackHole), streams.ReasonTimeout},
		"slow answer":           {of(st.Options{Wrap: st.Dribble(20 * time.Millisecond)}), streams.ReasonTimeout},
		"hangs up":              {raw(func(net.Conn) {}), streams.ReasonClosed},
		"endless header":        {say("RTSP/1.0 200 OK\r\n" + strings.Repeat("A: b\r\n", 100_000)), streams.ReasonProtocol},
		"negative length":       {say("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n"), streams.ReasonProtocol},
		"redirect elsewhere":    {of(st.Options{Redirect: "rtsp://169.254.169.254/x"}), streams.ReasonRedirect},
		"a URL with a password": {func(*testing.T) string { return "rtsp://admin:secret-pw@127.0.0.1/" }, streams.ReasonConfig},
		"not a URL":             {func(*testing.T) string { return "rtsp://[::1:%zzsecret-pw" }, streams.ReasonConfig},
		"another scheme":        {func(*testing.T) string { return "file:///etc/passwd" }, streams.ReasonConfig},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := streams.Target{Camera: "c", URL: tt.url(t), Login: inventory.Login{Username: "admin", Password: "secret-pw"}}
			_, err := opener(t, rtsp.Options{Handshake: 500 * time.Millisecond}).Open(t.Context(), target, listen().receiver())
			if streams.ReasonOf(err) != tt.want {
				t.Fatalf("reason %q, want %q: %v", streams.ReasonOf(err), tt.want, err)
			}
			if strings.Contains(err.Error(), "secret-pw") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

// TestOpenHidesAnEchoedPassword: a hostile camera that sends the password
// back in its status line does not get it shown.
func TestOpenHidesAnEchoedPassword(t *testing.T) {
	addr := st.Listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = c.Write([]byte("RTSP/1.0 400 hunter22 \x1b[31m\x07" + strings.Repeat("x", 150) + "\r\nCSeq: 1\r\n\r\n"))
	})
	target := streams.Target{URL: "rtsp://" + addr + "/", Login: inventory.Login{Username: "u", Password: "hunter22"}}
	_, err := opener(t, rtsp.Options{}).Open(t.Context(), target, listen().receiver())
	if err == nil || strings.Contains(err.Error(), "hunter22") || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 250 {
		t.Fatalf("unsafe text: %q", err)
	}
}

// TestOpenFollowsNoRedirect also when it leads back to the same camera.
func TestOpenFollowsNoRedirect(t *testing.T) {
	var addr atomic.Value
	dials := atomic.Int64{}
	a := st.Listen(t, func(c net.Conn) {
		dials.Add(1)
		buf := make([]byte, 4096)
		for cseq := 1; ; cseq++ {
			if _, err := c.Read(buf); err != nil {
				return
			}
			head := "RTSP/1.0 302 Found\r\nLocation: rtsp://" + addr.Load().(string) + "/again\r\nCSeq: "
			if bytes.HasPrefix(buf, []byte("OPTIONS")) {
				head = "RTSP/1.0 200 OK\r\nCSeq: "
			}
			if _, err := c.Write([]byte(head + string(rune('0'+cseq)) + "\r\n\r\n")); err != nil {
				return
			}
		}
	})
	addr.Store(a)
	_, err := opener(t, rtsp.Options{}).Open(t.Context(), streams.Target{URL: "rtsp://" + a + "/"}, listen().receiver())
	if streams.ReasonOf(err) != streams.ReasonRedirect || dials.Load() != 1 {
		t.Fatalf("%v after %d connections", err, dials.Load())
	}
}

// TestSessionNamesItsEnd while it plays.
func TestSessionNamesItsEnd(t *testing.T) {
	tests := map[string]struct {
		o    st.Options
		end  func(cam *st.Camera, s streams.Session)
		want streams.Reason
	}{
		"closed by us":         {end: func(_ *st.Camera, s streams.Session) { s.Close() }, want: streams.ReasonClosed},
		"stopped by itself":    {end: func(cam *st.Camera, _ streams.Session) { cam.Stop() }, want: streams.ReasonClosed},
		"reset in mid-frame":   {o: st.Options{Wrap: st.Reset(3)}, end: func(cam *st.Camera, _ streams.Session) { _ = cam.Send(cam.KeyUnit(1)) }, want: streams.ReasonClosed},
		"answers out of order": {o: st.Options{Wrap: st.Garbage([]byte("RTSP/1.0 xxx \r\n"))}, end: func(cam *st.Camera, _ streams.Session) { _ = cam.Send(cam.KeyUnit(1)) }, want: streams.ReasonProtocol},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cam, h := st.New(t, tt.o), listen()
			s := open(t, rtsp.Options{}, streams.Target{URL: cam.URL()}, h)
			cam.AwaitPlaying(1)
			tt.end(cam, s)
			if err := s.Wait(); streams.ReasonOf(err) != tt.want {
				t.Fatalf("reason %q, want %q: %v", streams.ReasonOf(err), tt.want, err)
			}
			s.Close()
			s.Close()
			if err := s.Wait(); streams.ReasonOf(err) != tt.want {
				t.Errorf("Wait changed its mind: %v", err)
			}
		})
	}
}

// TestSessionClosesFromEverywhereAtOnce and the camera sees one TEARDOWN.
func TestSessionClosesFromEverywhereAtOnce(t *testing.T) {
	cam, h := st.New(t, st.Options{}), listen()
	s := open(t, rtsp.Options{}, streams.Target{URL: cam.URL()}, h)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { cam.Play(ctx, 5, time.Millisecond) })
	<-h.units
	for range 8 {
		wg.Go(s.Close)
		wg.Go(func() { _ = s.Wait() })
	}
	cam.AwaitTeardowns(1)
	cancel()
	wg.Wait()
	if cam.Teardowns() != 1 {
		t.Errorf("%d TEARDOWNs", cam.Teardowns())
	}
}

func TestOpenIsCalledOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := st.Listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		cancel()
		st.BlackHole(c)
	})
	_, err := opener(t, rtsp.Options{}).Open(ctx, streams.Target{URL: "rtsp://" + addr + "/"}, listen().receiver())
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestSlowStreamIsNotDead: a trickle far below the low water mark passes the
// latency budget again and again and is read.
func TestSlowStreamIsNotDead(t *testing.T) {
	cam, h := st.New(t, st.Options{Key: 200, Delta: 100}), listen()
	s := open(t, rtsp.Options{LowWater: 64 << 10, Latency: 10 * time.Millisecond}, streams.Target{URL: cam.URL()}, h)
	for range 10 {
		if err := cam.Send(cam.KeyUnit(1)); err != nil {
			t.Fatal(err)
		}
		<-h.keys
	}
	s.Close()
}

// TestRealCamera plays one real camera when PATROL_RTSP names it.
func TestRealCamera(t *testing.T) {
	raw := os.Getenv("PATROL_RTSP")
	if raw == "" {
		t.Skip("PATROL_RTSP names no camera, such as rtsp://user:password@host/path")
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal("PATROL_RTSP is not a URL")
	}
	target := streams.Target{Camera: "real"}
	if u.User != nil {
		password, _ := u.User.Password()
		target.Login = inventory.Login{Username: u.User.Username(), Password: inventory.Secret(password)}
		u.User = nil
	}
	target.URL = u.String()
	h := listen()
	open(t, rtsp.Options{}, target, h)
	unit := <-h.units
	t.Logf("a %s key unit of %d bytes, camera time %v", unit.Codec, unit.Size(), unit.CameraTime)
}
