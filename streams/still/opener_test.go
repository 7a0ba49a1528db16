package still_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/still"
)

func picture(tb testing.TB, width, height int) []byte {
	tb.Helper()
	var b bytes.Buffer
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = byte(i * i)
	}
	if err := jpeg.Encode(&b, img, nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// heard is what a receiver was told.
type heard struct {
	units    []streams.Unit
	keys     int
	opened   []streams.Description
	received int
	dropped  []streams.Reason
	held     int
	grant    int // 0: everything
}

func (h *heard) receiver() streams.Receiver {
	return streams.Receiver{
		Unit:     func(u streams.Unit) { h.units = append(h.units, u) },
		KeySeen:  func(time.Time) { h.keys++ },
		Opened:   func(d streams.Description) { h.opened = append(h.opened, d) },
		Received: func(n int) { h.received += n },
		Dropped:  func(r streams.Reason, _ string) { h.dropped = append(h.dropped, r) },
		Hold: func(n int) bool {
			if h.grant > 0 && h.held+n > h.grant {
				return false
			}
			h.held += n
			return true
		},
	}
}

func newOpener(t *testing.T, o still.Options) *still.Opener {
	t.Helper()
	opener, err := still.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opener.Close)
	return opener
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func visit(t *testing.T, o *still.Opener, target streams.Target) (*heard, error) {
	t.Helper()
	h := &heard{}
	s, err := o.Open(t.Context(), target, h.receiver())
	if err == nil {
		s.Close()
		err = s.Wait()
	}
	return h, err
}

func TestTakesAPicture(t *testing.T) {
	want := picture(t, 320, 240)
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "App-webs/")
		w.Header().Set("Last-Modified", at.Format(http.TimeFormat))
		_, _ = w.Write(append(bytes.Clone(want), 0, 0, '\r', '\n')) // padding behind the end
		if r.URL.RawQuery != "channel=1" {
			t.Errorf("asked for %q", r.URL)
		}
	})
	h, err := visit(t, newOpener(t, still.Options{}), streams.Target{Camera: "c", URL: addr + "/still.jpg?channel=1"})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.units) != 1 || h.keys != 1 || len(h.opened) != 1 || len(h.dropped) != 0 {
		t.Fatalf("%+v", h)
	}
	u := h.units[0]
	if u.Codec != streams.CodecJPEG || len(u.NALUs) != 1 || !bytes.Equal(u.NALUs[0], want) {
		t.Errorf("a unit of %s, %d bytes, want %d", u.Codec, u.Size(), len(want))
	}
	if !u.CameraTime.Equal(at) || time.Since(u.Received) > time.Minute {
		t.Errorf("camera time %v, received %v", u.CameraTime, u.Received)
	}
	if h.received < len(want) || h.received > len(want)+1000 {
		t.Errorf("%d bytes were counted of a picture of %d", h.received, len(want))
	}
	if h.held < len(want) {
		t.Errorf("%d bytes are held for a picture of %d", h.held, len(want))
	}
	if h.opened[0].Codec != streams.CodecJPEG || len(h.opened[0].Fingerprint) != 64 {
		t.Errorf("%+v", h.opened[0])
	}
}

// TestUnchanged: a picture that stays is fetched once, told by KeySeen, and
// fetched whole again after three answers that it did not change.
func TestUnchanged(t *testing.T) {
	jpg := picture(t, 64, 64)
	var full, same atomic.Int32
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"7"`)
		if r.Header.Get("If-None-Match") == `"7"` {
			same.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		full.Add(1)
		_, _ = w.Write(jpg)
	})
	o := newOpener(t, still.Options{})
	units := 0
	for range 9 {
		h, err := visit(t, o, streams.Target{Camera: "c", URL: addr})
		if err != nil || h.keys != 1 {
			t.Fatal(h, err)
		}
		units += len(h.units)
	}
	if full.Load() != 3 || same.Load() != 6 || units != 3 {
		t.Errorf("%d whole, %d unchanged, %d units; want 3, 6, 3", full.Load(), same.Load(), units)
	}
	// Another address of the same camera is another picture.
	if h, err := visit(t, o, streams.Target{Camera: "c", URL: addr + "/2"}); err != nil || len(h.units) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestUnchangedForever: a camera that says 304 to everything is no camera.
func TestUnchangedForever(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	h, err := visit(t, newOpener(t, still.Options{}), streams.Target{Camera: "c", URL: addr})
	if streams.ReasonOf(err) != streams.ReasonProtocol || h.keys != 0 {
		t.Errorf("%+v, %v", h, err)
	}
}

var field = regexp.MustCompile(`(\w+)=(?:"([^"]*)"|([^,\s]+))`)

// keeper asks for a login as a camera does, and checks the answer by RFC 7616.
type keeper struct {
	mu        sync.Mutex
	scheme    string // Basic, MD5, SHA-256, MD5-sess, or 2069
	user, pw  string
	nonce     int
	uses      int // of the newest nonce
	most      int // uses of a nonce before it is stale; 0: no end
	requests  int
	challenge int
}

func (k *keeper) admit(w http.ResponseWriter, r *http.Request) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests++
	if k.knows(r) {
		return true
	}
	k.challenge++
	k.nonce, k.uses = k.nonce+1, 0
	switch k.scheme {
	case "Basic":
		w.Header().Set("WWW-Authenticate", `Basic realm="cam"`)
	case "2069":
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Digest realm="IP Camera(12, 34)", nonce="%d"`, k.nonce))
	default:
		w.Header().Add("WWW-Authenticate", `Digest realm="IP Camera(12, 34)", nonce="x", algorithm=MD9, qop="auth"`)
		w.Header().Add("WWW-Authenticate", fmt.Sprintf(`Digest qop="auth,auth-int", realm="IP Camera(12, 34)", nonce="%d", opaque="o\"p", algorithm=%s`, k.nonce, k.scheme))
	}
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

func (k *keeper) knows(r *http.Request) bool {
	if k.scheme == "Basic" {
		user, pw, ok := r.BasicAuth()
		return ok && user == k.user && pw == k.pw
	}
	a, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Digest ")
	if !ok {
		return false
	}
	f := map[string]string{}
	for _, m := range field.FindAllStringSubmatch(a, -1) {
		f[m[1]] = m[2] + m[3]
	}
	if f["nonce"] != strconv.Itoa(k.nonce) || k.most > 0 && k.uses >= k.most || f["uri"] != r.URL.RequestURI() {
		return false
	}
	sum := func(s string) string {
		if k.scheme == "SHA-256" {
			h := sha256.Sum256([]byte(s))
			return hex.EncodeToString(h[:])
		}
		h := md5.Sum([]byte(s))
		return hex.EncodeToString(h[:])
	}
	a1, a2 := sum(k.user+":IP Camera(12, 34):"+k.pw), sum("GET:"+f["uri"])
	if k.scheme == "MD5-sess" {
		a1 = sum(a1 + ":" + f["nonce"] + ":" + f["cnonce"])
	}
	want := sum(a1 + ":" + f["nonce"] + ":" + a2)
	if k.scheme != "2069" {
		want = sum(strings.Join([]string{a1, f["nonce"], f["nc"], f["cnonce"], "auth", a2}, ":"))
		if n, err := strconv.ParseUint(f["nc"], 16, 32); err != nil || int(n) != k.uses+1 {
			return false
		}
	}
	k.uses++
	return f["response"] == want
}

// TestLogin: every scheme opens the door, and a steady visit is one request.
func TestLogin(t *testing.T) {
	jpg := picture(t, 64, 64)
	for _, scheme := range []string{"Basic", "MD5", "SHA-256", "MD5-sess", "2069"} {
		t.Run(scheme, func(t *testing.T) {
			k := &keeper{scheme: scheme, user: "us\"er", pw: "p@ss:%, \"word"}
			if scheme != "Basic" {
				k.user = "user" // the test's own parser knows no escapes
			}
			var dials atomic.Int32
			addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if k.admit(w, r) {
					_, _ = w.Write(jpg)
				}
			})
			o := newOpener(t, still.Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				dials.Add(1)
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}})
			target := streams.Target{Camera: "c", URL: addr + "/a?b=c%20d", Login: inventory.Login{Username: k.user, Password: inventory.Secret(k.pw)}}
			for range 5 {
				if h, err := visit(t, o, target); err != nil || len(h.units) != 1 {
					t.Fatal(err)
				}
			}
			if k.requests != 6 || k.challenge != 1 || dials.Load() != 1 {
				t.Errorf("5 visits were %d requests, %d challenges, %d connections; want 6, 1, 1", k.requests, k.challenge, dials.Load())
			}
			// The nonce runs out, then the password is changed.
			k.mu.Lock()
			k.most = k.uses
			k.mu.Unlock()
			if scheme != "Basic" {
				if _, err := visit(t, o, target); err == nil {
					k.mu.Lock()
					k.most = 0
					k.mu.Unlock()
				} else {
					t.Error(err)
				}
			}
			k.mu.Lock()
			k.pw, k.requests, k.most = "new", 0, 0
			k.mu.Unlock()
			_, err := visit(t, o, target)
			if streams.ReasonOf(err) != streams.ReasonAuth || k.requests != 2 {
				t.Errorf("a changed password: %v after %d requests", err, k.requests)
			}
			if strings.Contains(fmt.Sprint(err), "p@ss") {
				t.Errorf("the password is told: %v", err)
			}
			target.Login.Password = "new"
			if _, err := visit(t, o, target); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		want    string
		headers []string
	}{
		{"Digest SHA-256", []string{`Digest realm="a", nonce="1", algorithm=MD5`, `Digest realm="a", nonce="1", algorithm=SHA-256`, `Basic realm="a"`}},
		{"Digest ", []string{`Basic realm="a", Digest realm="b", nonce="1"`}},
		{"Basic", []string{`Digest realm="b", nonce="1", algorithm=SHA-512-256, Basic realm="a"`}},
		{"Basic", []string{`Basic`}},
		{"", []string{`Digest realm="b", nonce="1", qop="auth-int"`}},
		{"", []string{`Digest realm="b"`, `Negotiate YII=`, `"`, ``, `=,=`, `Digest nonce="`}},
	} {
		if got, _ := still.Choose(c.headers...); got != c.want {
			t.Errorf("%q: %q, want %q", c.headers, got, c.want)
		}
	}
}

// raw answers each connection with bytes, and then holds it or hangs up.
func raw(t *testing.T, hold bool, answer func(w io.Writer)) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				answer(c)
				if hold {
					<-ctx.Done()
				}
			})
		}
	})
	t.Cleanup(func() {
		stop()
		ln.Close()
		wg.Wait()
	})
	return "http://" + ln.Addr().String() + "/"
}

func TestFaults(t *testing.T) {
	jpg := picture(t, 320, 240)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	body := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/jpeg")
			_, _ = w.Write(b)
		}
	}
	huge := bytes.Clone(jpg)
	sof := bytes.Index(huge, []byte{0xff, 0xc0})
	copy(huge[sof+5:], []byte{0xff, 0xff, 0xff, 0xff})
	head := func(length int) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", length)
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
	}
	closed := httptest.NewServer(status(http.StatusOK))
	closed.Close()
	for name, c := range map[string]struct {
		addr string
		want streams.Reason
	}{
		"nobody there":     {closed.URL, streams.ReasonUnreachable},
		"not found":        {serve(t, status(http.StatusNotFound)), streams.ReasonNotFound},
		"forbidden":        {serve(t, status(http.StatusForbidden)), streams.ReasonAuth},
		"401 without why":  {serve(t, status(http.StatusUnauthorized)), streams.ReasonAuth},
		"busy":             {serve(t, status(http.StatusServiceUnavailable)), streams.ReasonSessionLimit},
		"too many":         {serve(t, status(http.StatusTooManyRequests)), streams.ReasonSessionLimit},
		"broken":           {serve(t, status(http.StatusInternalServerError)), streams.ReasonProtocol},
		"no content":       {serve(t, status(http.StatusNoContent)), streams.ReasonProtocol},
		"empty":            {serve(t, status(http.StatusOK)), streams.ReasonUnsupported},
		"a page":           {serve(t, body([]byte("<html>login</html>"))), streams.ReasonUnsupported},
		"cut":              {serve(t, body(jpg[:len(jpg)-500])), streams.ReasonCorrupt},
		"garbage inside":   {serve(t, body(append([]byte{0xff, 0xd8, 0xff, 0xe0, 0, 2}, jpg...))), streams.ReasonCorrupt},
		"65535 × 65535":    {serve(t, body(huge)), streams.ReasonCorrupt},
		"no picture in it": {serve(t, body([]byte{0xff, 0xd8, 0xff, 0xd9})), streams.ReasonCorrupt},
		"another host":     {serve(t, redirect("http://10.0.0.1/still.jpg")), streams.ReasonRedirect},
		"loopback":         {serve(t, redirect("http://127.0.0.1:1/still.jpg")), streams.ReasonRedirect},
		"another scheme":   {serve(t, redirect("file:///etc/passwd")), streams.ReasonRedirect},
		"in a circle":      {serve(t, redirect("/")), streams.ReasonRedirect},
		"hangs up":         {raw(t, false, func(io.Writer) {}), streams.ReasonClosed},
		"says nothing":     {raw(t, true, func(io.Writer) {}), streams.ReasonTimeout},
		"no HTTP":          {raw(t, false, func(w io.Writer) { _, _ = io.WriteString(w, "RTSP/1.0 400 Bad Request\r\n\r\n") }), streams.ReasonProtocol},
		"said too long": {raw(t, false, func(w io.Writer) {
			_, _ = io.WriteString(w, head(3<<20))
			_, _ = w.Write(jpg)
		}), streams.ReasonMemory},
		"ends early": {raw(t, false, func(w io.Writer) {
			_, _ = io.WriteString(w, head(len(jpg)))
			_, _ = w.Write(jpg[:len(jpg)/2])
		}), streams.ReasonClosed},
		"said too short": {raw(t, false, func(w io.Writer) {
			_, _ = io.WriteString(w, head(len(jpg)/2))
			_, _ = w.Write(jpg)
		}), streams.ReasonCorrupt},
		"stops midway": {raw(t, true, func(w io.Writer) {
			_, _ = io.WriteString(w, head(len(jpg)))
			_, _ = w.Write(jpg[:len(jpg)/2])
		}), streams.ReasonTimeout},
		"endless header": {raw(t, false, func(w io.Writer) {
			_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\n")
			for i := 0; err == nil; i++ {
				_, err = fmt.Fprintf(w, "X-%d: %s\r\n", i, strings.Repeat("x", 1000))
			}
		}), streams.ReasonProtocol},
		"endless body": {raw(t, false, func(w io.Writer) {
			_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\n\r\n")
			_, _ = w.Write(jpg[:len(jpg)-2])
			for err == nil {
				_, err = w.Write(bytes.Repeat([]byte{1}, 1000))
			}
		}), streams.ReasonMemory},
		"slowloris": {raw(t, false, func(w io.Writer) {
			_, err := io.WriteString(w, head(len(jpg)))
			for i := 0; err == nil && i < len(jpg); i++ {
				_, err = w.Write(jpg[i : i+1])
				time.Sleep(20 * time.Millisecond)
			}
		}), streams.ReasonTimeout},
		"a stream of pictures": {raw(t, false, func(w io.Writer) {
			_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n")
			for err == nil {
				_, err = fmt.Fprintf(w, "--b\r\n\r\n%s\r\n", jpg)
			}
		}), streams.ReasonUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOpener(t, still.Options{Timeout: 400 * time.Millisecond})
			h, err := visit(t, o, streams.Target{Camera: "c", URL: c.addr, Login: inventory.Login{Username: "u", Password: "secret"}})
			if got := streams.ReasonOf(err); got != c.want {
				t.Errorf("%q, want %q: %v", got, c.want, err)
			}
			if h.held != 0 || len(h.units) != 0 || h.keys != 0 {
				t.Errorf("something is left: %+v", h)
			}
			if s := fmt.Sprint(err); len(s) > 400 || strings.Contains(s, "secret") || strings.ContainsAny(s, "\n\x00") {
				t.Errorf("not fit to show: %q", s)
			}
		})
	}
}

// TestOddButGood: what is wrong about these answers does not cost the picture.
func TestOddButGood(t *testing.T) {
	jpg := picture(t, 320, 240)
	for name, addr := range map[string]string{
		"said too long, hangs up": raw(t, false, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(jpg)+99, jpg)
		}),
		"said too long, stays": raw(t, true, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(jpg)+99, jpg)
		}),
		"no length, stays": raw(t, true, func(w io.Writer) { _, _ = fmt.Fprintf(w, "HTTP/1.0 200 OK\r\n\r\n%s", jpg) }),
		"chunks": serve(t, func(w http.ResponseWriter, _ *http.Request) {
			for part := range bytes.Lines(jpg) {
				_, _ = w.Write(part)
				_ = http.NewResponseController(w).Flush()
			}
		}),
		"redirect at home": serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/there" {
				http.Redirect(w, r, "/there", http.StatusMovedPermanently)
				return
			}
			_, _ = w.Write(jpg)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := visit(t, newOpener(t, still.Options{Timeout: 5 * time.Second}), streams.Target{Camera: "c", URL: addr})
			if err != nil || len(h.units) != 1 || !bytes.Equal(h.units[0].NALUs[0], jpg) {
				t.Errorf("%v: %v", h.units, err)
			}
		})
	}
}

func TestMemoryIsRefused(t *testing.T) {
	jpg := picture(t, 1280, 720)
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jpg) })
	h := &heard{grant: len(jpg) / 2}
	_, err := newOpener(t, still.Options{}).Open(t.Context(), streams.Target{Camera: "c", URL: addr}, h.receiver())
	if streams.ReasonOf(err) != streams.ReasonMemory || h.held != 0 || len(h.dropped) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestCertificate(t *testing.T) {
	jpg := picture(t, 64, 64)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jpg) }))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	sum := sha256.Sum256(s.Certificate().Raw)
	right := hex.EncodeToString(sum[:])
	o := newOpener(t, still.Options{})
	for pin, want := range map[string]streams.Reason{
		"": streams.ReasonCertificate, right: streams.ReasonNone, strings.ToUpper(right): streams.ReasonNone,
		strings.Repeat("0", 64): streams.ReasonCertificate,
	} {
		_, err := visit(t, o, streams.Target{Camera: "c", URL: s.URL, Link: inventory.Link{Pin: pin}})
		if got := streams.ReasonOf(err); got != want {
			t.Errorf("pin %q: %q, want %q: %v", pin, got, want, err)
		}
	}
	_, err := visit(t, o, streams.Target{Camera: "c", URL: "http://127.0.0.1:1/", Link: inventory.Link{Pin: right}})
	if streams.ReasonOf(err) != streams.ReasonConfig {
		t.Errorf("a pin on http: %v", err)
	}
}

func TestBadAddress(t *testing.T) {
	o := newOpener(t, still.Options{})
	for _, addr := range []string{"", "rtsp://h/", "http:///x", "http://u:secret@h/", "http:opaque", "http://h\x7f/", "::"} {
		_, err := visit(t, o, streams.Target{Camera: "c", URL: addr})
		if streams.ReasonOf(err) != streams.ReasonConfig || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

func TestCalledOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := raw(t, true, func(io.Writer) { cancel() })
	_, err := newOpener(t, still.Options{}).Open(ctx, streams.Target{Camera: "c", URL: addr}, streams.Receiver{})
	if streams.ReasonOf(err) != streams.ReasonClosed || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPerHost: many cameras of one recorder share its connections, and none
// is forgotten.
func TestPerHost(t *testing.T) {
	jpg := picture(t, 64, 64)
	var now, most, conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		_, _ = w.Write(jpg)
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	o := newOpener(t, still.Options{PerHost: 2})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			h := &heard{}
			if _, err := o.Open(t.Context(), streams.Target{Camera: strconv.Itoa(i), URL: s.URL}, h.receiver()); err != nil || len(h.units) != 1 {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 2 || conns.Load() > 2 {
		t.Errorf("%d requests at once over %d connections; want at most 2", most.Load(), conns.Load())
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []still.Options{{Timeout: -1}, {PerHost: -1}, {Idle: -1}, {IdleFor: -1}, {Remember: -1}} {
		if _, err := still.New(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func BenchmarkVisit(b *testing.B) {
	jpg := picture(b, 704, 576)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jpg) }))
	defer s.Close()
	o, err := still.New(still.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Open(b.Context(), streams.Target{Camera: "c", URL: s.URL}, streams.Receiver{}); err != nil {
			b.Fatal(err)
		}
	}
}
