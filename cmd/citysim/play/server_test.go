package play_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/jpeg"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"videopatrol/cmd/citysim/city"
	"videopatrol/cmd/citysim/play"
)

const seed = 3

// library is shared, so that every scene is rendered once.
var library *play.Library

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "citysim")
	if err != nil {
		panic(err)
	}
	if library, err = play.NewLibrary(dir, 2); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

func needFFmpeg(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: scenes cannot be encoded")
	}
}

func options(rows ...play.Row) play.Options {
	return play.Options{
		Seed: seed, Cameras: 2, Username: "u", Password: "p", Listen: "127.0.0.1:0", Rows: rows,
		Ledger: play.NewLedger(nil), Library: library, Logger: slog.New(slog.DiscardHandler),
	}
}

func row(camera int, k play.Kind, after, lasts, every time.Duration) play.Row {
	return play.Row{Camera: strconv.Itoa(camera), Kind: k, After: play.Duration(after), For: play.Duration(lasts), Every: play.Duration(every)}
}

// rehearse plays a script for a while of made-up time and returns the ledger.
func rehearse(t *testing.T, lasts time.Duration, rows ...play.Row) []play.Entry {
	t.Helper()
	needFFmpeg(t)
	o := options(rows...)
	s, err := play.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		if err := s.Rehearse(ctx); err != nil {
			t.Error(err)
		}
	})
	return o.Ledger.Entries()
}

// clock is what a synctest bubble's clock begins at.
var clock = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestScriptRunsOnTime(t *testing.T) {
	got := rehearse(t, 3*time.Minute,
		row(0, play.FireLaneBlocked, 10*time.Second, 60*time.Second, 0),
		row(1, play.Intrusion, 5*time.Second, 20*time.Second, time.Minute),
		row(0, play.Dark, 100*time.Second, 10*time.Second, 0))
	count := map[play.Kind]int{}
	for _, e := range got {
		count[e.Kind]++
		if e.Begin.After(clock.Add(160 * time.Second)) {
			continue // cut short by the end
		}
		lasts := map[play.Kind]time.Duration{play.FireLaneBlocked: 60 * time.Second, play.Intrusion: 20 * time.Second, play.Dark: 10 * time.Second}[e.Kind]
		if d := e.End.Sub(e.Begin) - lasts; d < -2*time.Second || d > 2*time.Second {
			t.Errorf("%s lasted %s, want %s give or take one GOP", e.Kind, e.End.Sub(e.Begin), lasts)
		}
		if want := map[play.Kind]string{play.FireLaneBlocked: "fl1", play.Intrusion: "ca1"}[e.Kind]; e.Zone != want {
			t.Errorf("%s is in zone %q, want %q", e.Kind, e.Zone, want)
		}
	}
	if count[play.FireLaneBlocked] != 1 || count[play.Intrusion] != 3 || count[play.Dark] != 1 {
		t.Errorf("got %v", count)
	}
	// The car is due at 10 s, may wait one GOP, and stands after 72 frames.
	if at := got[slices.IndexFunc(got, func(e play.Entry) bool { return e.Kind == play.FireLaneBlocked })].Begin.Sub(clock); at < 14800*time.Millisecond || at > 16900*time.Millisecond {
		t.Errorf("the car stands after %s", at)
	}
}

func TestOneThingAtATimeBeforeACamera(t *testing.T) {
	got := rehearse(t, 2*time.Minute,
		row(1, play.Dark, 10*time.Second, 30*time.Second, 0),
		row(1, play.Covered, 12*time.Second, 20*time.Second, 0),
		row(1, play.Offline, 13*time.Second, 5*time.Second, 0))
	for i, want := range []play.Kind{play.Dark, play.Covered, play.Offline} {
		if got[i].Kind != want {
			t.Fatalf("entry %d is %s, want %s", i, got[i].Kind, want)
		}
		if i > 0 && got[i].Begin.Before(got[i-1].End) {
			t.Errorf("%s began at %s, before %s ended at %s", want, got[i].Begin, got[i-1].Kind, got[i-1].End)
		}
	}
}

func TestWhatRunsAtTheEndIsClosed(t *testing.T) {
	got := rehearse(t, 20*time.Second, row(0, play.Frozen, 5*time.Second, time.Hour, 0))
	if len(got) != 1 || got[0].End.IsZero() || got[0].Note == "" {
		t.Errorf("got %+v", got)
	}
}

func TestNewRefuses(t *testing.T) {
	for want, o := range map[string]play.Options{
		"only a gate has a closed area": options(row(0, play.Intrusion, 0, time.Second, 0)),
		"only a street has a fire lane": options(row(1, play.FireLaneBlocked, 0, time.Second, 0)),
		"an index from 0 to 1":          options(row(2, play.Dark, 0, time.Second, 0)),
		"wants a user name":             func() play.Options { o := options(); o.Password = ""; return o }(),
		"wants a library":               func() play.Options { o := options(); o.Library = nil; return o }(),
		"want 0 to 254":                 func() play.Options { o := options(); o.Hosts = 300; return o }(),
		"plays a clip has no scene":     func() play.Options { o := options(row(1, play.Intrusion, 0, time.Second, 0)); o.Media = "x"; return o }(),
	} {
		if _, err := play.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

// serve runs a city until the test ends and returns where it listens.
func serve(t *testing.T, o play.Options) string {
	t.Helper()
	needFFmpeg(t)
	ready := make(chan string, 1)
	o.Ready = func(listen string) { ready <- listen }
	s, err := play.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case listen := <-ready:
		return listen
	case err := <-ended:
		ended <- nil
		t.Fatalf("Run: %v", err)
		return ""
	}
}

func cameraID(t *testing.T, index int) string {
	t.Helper()
	c, err := city.New(city.Options{Seed: seed, Cameras: index + 1, Listen: "x:1"})
	if err != nil {
		t.Fatal(err)
	}
	return c.Cameras[index].ID
}

// watch plays a camera and hands every access unit to see, until see returns
// false or the session ends, whose error it returns.
func watch(t *testing.T, url string, see func(nals [][]byte, pkt *rtp.Packet) bool) error {
	t.Helper()
	u, err := base.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	tcp := gortsplib.TransportTCP
	c := gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Transport: &tcp, ReadTimeout: 5 * time.Second}
	c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(32 << 10) // so that a slow reader shows soon
		}
		return conn, err
	}
	if err := c.Start2(); err != nil {
		return err
	}
	defer c.Close()
	desc, _, err := c.Describe(u)
	if err != nil {
		return err
	}
	var h264 *format.H264
	media := desc.FindFormat(&h264)
	if media == nil {
		t.Fatal("no H.264 in the description")
	}
	decoder, err := h264.CreateDecoder()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Setup(desc.BaseURL, media, 0, 0); err != nil {
		return err
	}
	enough := make(chan struct{})
	var once sync.Once
	c.OnPacketRTP(media, h264, func(pkt *rtp.Packet) {
		nals, err := decoder.Decode(pkt)
		if err == nil && !see(nals, pkt) {
			once.Do(func() { close(enough) })
		}
	})
	if _, err := c.Play(nil); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case <-enough:
		c.Close()
		return quietly(<-ended)
	case err := <-ended:
		return err
	}
}

// quietly forgets that we closed the session ourselves.
func quietly(err error) error {
	if errors.Is(err, liberrors.ErrClientTerminated{}) {
		return nil
	}
	return err
}

func TestReaderGetsPictures(t *testing.T) {
	listen := serve(t, options())
	id := cameraID(t, 0)
	var keys, units int
	var last *rtp.Packet
	err := watch(t, "rtsp://u:p@"+listen+"/cam/"+id+"/sub", func(nals [][]byte, pkt *rtp.Packet) bool {
		if last != nil && pkt.Timestamp-last.Timestamp != 6000 {
			t.Errorf("the RTP time went on by %d, want 6000", pkt.Timestamp-last.Timestamp)
		}
		last = &rtp.Packet{Header: pkt.Header}
		units++
		if len(nals) == 3 && nals[0][0]&0x1f == 7 && nals[1][0]&0x1f == 8 && nals[2][0]&0x1f == 5 {
			keys++
		} else if len(nals) != 1 || nals[0][0]&0x1f != 1 {
			t.Errorf("an access unit of %d NAL units", len(nals))
		}
		return keys < 2
	})
	if err != nil {
		t.Fatal(err)
	}
	if units < 30 || units > 61 {
		t.Errorf("two key units came with %d units", units)
	}
}

func TestWrongLogin(t *testing.T) {
	listen := serve(t, options())
	id := cameraID(t, 1)
	var bad liberrors.ErrClientBadStatusCode
	if err := watch(t, "rtsp://u:wrong@"+listen+"/cam/"+id+"/main", nil); !errors.As(err, &bad) || bad.Code != base.StatusUnauthorized {
		t.Errorf("a wrong password got %v, want 401", err)
	}
	if err := watch(t, "rtsp://u:p@"+listen+"/cam/123/main", nil); !errors.As(err, &bad) || bad.Code != base.StatusNotFound {
		t.Errorf("an unknown camera got %v, want 404", err)
	}
}

// inject posts a happening and waits until it has begun.
func inject(t *testing.T, listen, body string) {
	t.Helper()
	res, err := http.Post("http://"+above(t, listen)+"/happenings", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	var answer struct{ ID string }
	if err := json.Unmarshal(b, &answer); err != nil || res.StatusCode != http.StatusAccepted {
		t.Fatalf("POST /happenings: %d %s", res.StatusCode, b)
	}
	for range 200 {
		res, err := http.Get("http://" + above(t, listen) + "/ledger")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if bytes.Contains(b, []byte(answer.ID)) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("it does not begin")
}

// above is the address of the stills.
func above(t *testing.T, listen string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	return net.JoinHostPort(host, strconv.Itoa(n+1))
}

func TestConnectionFaults(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	for kind, check := range map[play.Kind]func(error) bool{
		play.Offline:    func(err error) bool { return err != nil },
		play.HTTPServer: func(err error) bool { return err != nil },
		play.WrongPassword: func(err error) bool {
			var bad liberrors.ErrClientBadStatusCode
			return errors.As(err, &bad) && bad.Code == base.StatusUnauthorized
		},
		play.NoConnections: func(err error) bool {
			var bad liberrors.ErrClientBadStatusCode
			return errors.As(err, &bad) && bad.Code == base.StatusNotEnoughBandwidth
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			listen := serve(t, options())
			url := "rtsp://u:p@" + listen + "/cam/" + cameraID(t, 0) + "/main"
			playing, cut := make(chan struct{}), make(chan error, 1)
			var once sync.Once
			go func() {
				cut <- watch(t, url, func([][]byte, *rtp.Packet) bool {
					once.Do(func() { close(playing) })
					return true
				})
			}()
			<-playing
			inject(t, listen, `{"camera":"0","kind":"`+string(kind)+`","for":"1h"}`)
			if err := <-cut; err == nil {
				t.Error("the session was not cut")
			}
			if err := watch(t, url, func([][]byte, *rtp.Packet) bool { return false }); !check(err) {
				t.Errorf("a new session got %v", err)
			}
			if err := watch(t, "rtsp://u:p@"+listen+"/cam/"+cameraID(t, 1)+"/main", func([][]byte, *rtp.Packet) bool { return false }); err != nil {
				t.Errorf("the camera beside it: %v", err)
			}
		})
	}
}

// A reader that stops reading is cut off, and its camera goes on for others.
func TestSlowReaderIsCutOff(t *testing.T) {
	o := options()
	o.MaxPending = 16 << 10
	listen := serve(t, o)
	url := "rtsp://u:p@" + listen + "/cam/" + cameraID(t, 0) + "/main"
	stuck, free := make(chan struct{}), make(chan struct{})
	slow := make(chan error, 1)
	var once sync.Once
	go func() {
		slow <- watch(t, url, func([][]byte, *rtp.Packet) bool {
			once.Do(func() { close(stuck) })
			<-free
			return true
		})
	}()
	<-stuck
	seen := 0
	if err := watch(t, url, func([][]byte, *rtp.Packet) bool {
		seen++
		return seen < 120
	}); err != nil {
		t.Errorf("the reader beside it: %v", err)
	}
	close(free)
	if err := <-slow; err == nil {
		t.Error("the slow reader was not cut off")
	}
}

func TestStill(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	listen := serve(t, options())
	url := "http://" + above(t, listen) + "/cam/" + cameraID(t, 0) + "/still.jpg"
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Digest ") {
		t.Errorf("without a login: %d %q", res.StatusCode, res.Header.Get("WWW-Authenticate"))
	}
	req, _ := http.NewRequest(http.MethodGet, url, nil)
	req.SetBasicAuth("u", "p")
	if res, err = http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if img, err := jpeg.Decode(res.Body); err != nil || img.Bounds().Dx() != 704 || img.Bounds().Dy() != 576 {
		t.Errorf("the still is %v, %v", img, err)
	}
}

func TestHappeningsAreChecked(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	listen := serve(t, options())
	for body, want := range map[string]int{
		`{"camera":"0","kind":"intrusion","for":"5s"}`: http.StatusUnprocessableEntity,
		`{"camera":"9","kind":"dark","for":"5s"}`:      http.StatusUnprocessableEntity,
		`{"camera":"0","kind":"dark"}`:                 http.StatusUnprocessableEntity,
		`{"camera":"0","sort":"dark"}`:                 http.StatusBadRequest,
		`nonsense`:                                     http.StatusBadRequest,
	} {
		res, err := http.Post("http://"+above(t, listen)+"/happenings", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s got %d, want %d", body, res.StatusCode, want)
		}
	}
	res, err := http.Post("http://"+above(t, listen)+"/happenings", "text/plain", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain got %d", res.StatusCode)
	}
}

func TestLedgerLines(t *testing.T) {
	b, err := json.Marshal(play.Entry{ID: "h000001", Camera: "c", Kind: play.Dark, Begin: clock.Add(1500 * time.Microsecond)})
	if want := `{"id":"h000001","camera":"c","kind":"dark","zone":"","begin":"2000-01-01T00:00:00.001Z","end":null,"note":""}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
}
