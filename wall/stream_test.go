package wall_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"videopatrol/alerts"
	"videopatrol/wall"
)

// message is one event as a browser sees it.
type message struct{ id, event, data string }

// source reads a stream like a browser's EventSource.
type source struct {
	t      *testing.T
	cancel context.CancelFunc
	body   io.ReadCloser
	lines  *bufio.Scanner
}

func (b *browser) listen(last string) *source {
	b.w.t.Helper()
	ctx, cancel := context.WithTimeout(b.w.t.Context(), 20*time.Second)
	header := []string{"Accept", "text/event-stream"}
	if last != "" {
		header = append(header, "Last-Event-ID", last)
	}
	res, err := b.w.http.Client().Do(b.request(ctx, "GET", "/api/v1/stream", nil, header...))
	if err != nil {
		cancel()
		b.w.t.Fatal(err)
	}
	s := &source{t: b.w.t, cancel: cancel, body: res.Body, lines: bufio.NewScanner(res.Body)}
	b.w.t.Cleanup(s.close)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		b.w.t.Fatalf("stream: %d %v", res.StatusCode, res.Header)
	}
	return s
}

func (s *source) close() {
	s.cancel()
	s.body.Close()
}

// next returns the next message; false when the stream has ended.
func (s *source) next() (message, bool) {
	var m message
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			m.data = value
		case "":
			if m.event != "" {
				return m, true
			}
		}
	}
	return m, false
}

// want returns the next message of that event, skipping states.
func (s *source) want(event string) message {
	s.t.Helper()
	for {
		m, ok := s.next()
		if !ok {
			s.t.Fatalf("the stream ended before a %s", event)
		}
		if m.event == event {
			return m
		}
		if m.event == "lead" || m.event == "reset" {
			s.t.Fatalf("got %+v, want a %s", m, event)
		}
	}
}

func (s *source) ends() {
	s.t.Helper()
	for {
		if _, ok := s.next(); !ok {
			break
		}
	}
	if errors.Is(s.lines.Err(), context.DeadlineExceeded) {
		s.t.Error("the stream did not end")
	}
}

func change(number int64) alerts.Change { return alerts.Change{Lead: lead(lead1, number)} }

func (m message) number(t *testing.T) int64 {
	t.Helper()
	var l alerts.Lead
	if err := json.Unmarshal([]byte(m.data), &l); err != nil {
		t.Fatalf("%q: %v", m.data, err)
	}
	return l.Number
}

func TestStreamReplays(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	s := b.listen("")
	first := s.want("reset") // read everything once, then follow
	w.hub.Lead(change(1))
	m := s.want("lead")
	if m.number(t) != 1 || m.id == "" || m.id == first.id {
		t.Fatalf("lead %+v", m)
	}
	s.close()
	for i := range int64(wall.RingSize) {
		w.hub.Lead(change(i + 2))
	}
	s = b.listen(m.id) // the whole ring was missed, and nothing more
	for i := range int64(wall.RingSize) {
		if got := s.want("lead").number(t); got != i+2 {
			t.Fatalf("lead %d, want %d: a gap or a repeat", got, i+2)
		}
	}
	s.close()
	s = b.listen(first.id) // one more than the ring holds was missed
	if got := s.want("reset"); got.id == first.id {
		t.Errorf("reset %+v", got)
	}
	s.close()
	for _, last := range []string{"other-1", "1", "-", first.id + "0000", "x"} {
		s = b.listen(last)
		s.want("reset")
		s.close()
	}
}

// TestStreamReset: who listens is told to ask anew, and goes on from there.
func TestStreamReset(t *testing.T) {
	w := newWorld(t)
	s := w.officer().listen("")
	begin := s.want("reset")
	w.hub.Reset()
	if again := s.want("reset"); again != begin {
		t.Errorf("%+v, want %+v", again, begin)
	}
	w.hub.Lead(change(1))
	s.want("lead")
}

func TestStreamLeavesCanaryOut(t *testing.T) {
	w := newWorld(t)
	s := w.officer().listen("")
	s.want("reset")
	c := change(1)
	c.Lead.Canary = true
	w.hub.Lead(c)
	w.hub.Lead(change(2))
	if got := s.want("lead").number(t); got != 2 {
		t.Errorf("lead %d", got)
	}
}

func TestStreamStates(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.server.Run(ctx) }()
	s := w.officer().listen("")
	s.want("reset")
	m := s.want("cameras")
	var counts map[string]int
	if err := json.Unmarshal([]byte(m.data), &counts); err != nil || counts["online"] != 1 || counts["unknown"] != 1 {
		t.Errorf("cameras %+v %v", m, err)
	}
	if m := s.want("canary"); !strings.Contains(m.data, `"ok":true`) || m.id != "" {
		t.Errorf("canary %+v", m)
	}
	cancel() // a shutdown ends every stream at once
	s.ends()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if res := w.officer().get("/api/v1/stream"); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("a stream while shutting down: %d", res.StatusCode)
	}
}

func TestStreamEndsWithItsSession(t *testing.T) {
	for name, end := range map[string]func(w *world, b *browser){
		"logout": func(_ *world, b *browser) { b.do("POST", "/api/v1/logout", nil) },
		"disable": func(w *world, _ *browser) {
			w.login("admin", w.password("admin")).do("POST", "/api/v1/users/officer/disable", nil)
		},
		"password": func(w *world, _ *browser) {
			w.officer().do("POST", "/api/v1/me/password", map[string]string{"old": w.password("officer"), "new": "a long new password"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.officer()
			s := b.listen("")
			s.want("reset")
			end(w, b)
			s.ends()
		})
	}
}

func TestStreamsPerUser(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	for range wall.MaxPerUser {
		b.listen("")
	}
	if res := b.get("/api/v1/stream"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one stream too many: %d", res.StatusCode)
	}
}

// TestStreamOutlivesReadTimeout: the server's limit for reading a request is
// not one for a stream.
func TestStreamOutlivesReadTimeout(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	w.http.Close()
	w.http = httptest.NewUnstartedServer(nil)
	w.http.Config = w.server.HTTPServer()
	w.http.Config.ReadTimeout = 50 * time.Millisecond
	w.http.Start()
	s := b.listen("")
	s.want("reset")
	time.Sleep(200 * time.Millisecond) // the limit is the kernel's clock, on a real socket
	w.hub.Lead(change(1))
	s.want("lead")
}

// TestSlowClient: a browser that does not read is let go of; nobody waits.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := wall.NewHub(nil)
		slow, fast := &stuck{free: make(chan struct{})}, &stuck{}
		var slowEnd, fastEnd error
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			slowEnd = hub.Pump(ctx, "slow", slow)
			close(done)
		}()
		over := make(chan struct{})
		go func() {
			fastEnd = hub.Pump(ctx, "fast", fast)
			close(over)
		}()
		synctest.Wait()
		for i := range int64(wall.ClientQueue + 2) {
			hub.Lead(change(i + 1)) // would hang here if it waited
			synctest.Wait()
		}
		if hub.Clients() != 1 {
			t.Errorf("%d clients, want only the fast one", hub.Clients())
		}
		close(slow.free)
		<-done
		if slowEnd == nil {
			t.Error("the slow stream ended without a reason")
		}
		if n := strings.Count(fast.text(), "event: lead"); n != wall.ClientQueue+2 {
			t.Errorf("the fast client got %d leads", n)
		}
		cancel()
		<-over
		if !errors.Is(fastEnd, context.Canceled) || hub.Clients() != 0 {
			t.Errorf("%v, %d clients", fastEnd, hub.Clients())
		}
	})
}

// TestHeartbeat: a quiet stream is kept alive, and ends at the next beat once
// its session has ended without the hub being told.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := wall.NewHub(nil)
		w := &stuck{}
		var ended atomic.Bool
		end := make(chan error, 1)
		go func() {
			end <- hub.PumpWhile(t.Context(), "officer", w, func() error {
				if ended.Load() {
					return wall.ErrNoAccount
				}
				return nil
			})
		}()
		time.Sleep(4*wall.Heartbeat + time.Second)
		if n := strings.Count(w.text(), "\n: \n"); n != 4 {
			t.Errorf("%d beats in 4 intervals:\n%s", n, w.text())
		}
		ended.Store(true)
		time.Sleep(wall.Heartbeat)
		if err := <-end; !errors.Is(err, wall.ErrNoAccount) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestQuietStreamOverHTTP2: a stream by TLS is HTTP/2, where a deadline for
// writing resets the stream even while nothing is written.
func TestQuietStreamOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := wall.NewHub(nil)
		ours, theirs := net.Pipe()
		ln := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		ln.conns <- ours
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		server := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = hub.Pump(r.Context(), "officer", w)
		})}
		go func() { _ = server.Serve(ln) }()
		client := &http.Transport{Protocols: &protocols, DialContext: func(context.Context, string, string) (net.Conn, error) { return theirs, nil }}
		defer func() {
			hub.Close()
			client.CloseIdleConnections()
			server.Close()
			synctest.Wait()
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://wall.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		time.AfterFunc(3*wall.Heartbeat, func() { hub.Lead(change(1)) })
		time.AfterFunc(4*wall.Heartbeat, hub.Close)
		if b, err := io.ReadAll(res.Body); err != nil || res.ProtoMajor != 2 || !strings.Contains(string(b), "event: lead") {
			t.Errorf("HTTP/%d, %v:\n%s", res.ProtoMajor, err, b)
		}
	})
}

// pipeListener accepts what is put into it.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestFrames: what a person wrote cannot break out of its event.
func TestFrames(t *testing.T) {
	w := newWorld(t)
	s := w.officer().listen("")
	s.want("reset")
	c := change(7)
	c.Lead.Camera.Name = "a\n\nevent: reset\ndata: {}\n\n</script>\u2028"
	w.hub.Lead(c)
	if m := s.want("lead"); m.number(t) != 7 || strings.Contains(m.data, "</script>") {
		t.Errorf("frame %+v", m)
	}
}

func BenchmarkHubLead(b *testing.B) {
	for _, clients := range []int{1, 100} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) {
			hub := wall.NewHub(nil)
			for i := range clients {
				go func() { _ = hub.Pump(b.Context(), strconv.Itoa(i), &discard{header: http.Header{}}) }()
			}
			for hub.Clients() < clients {
				time.Sleep(time.Millisecond)
			}
			c := change(1)
			b.ReportAllocs()
			for b.Loop() {
				hub.Lead(c)
			}
			b.StopTimer()
			hub.Close()
		})
	}
}
