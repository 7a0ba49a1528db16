package play_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/rtp"

	"videopatrol/cmd/citysim/play"
)

// post sends JSON to the city's second port.
func post(t *testing.T, listen, path, body string) int {
	t.Helper()
	res, err := http.Post("http://"+above(t, listen)+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func counters(t *testing.T, listen string) (c play.Counters) {
	t.Helper()
	res, err := http.Get("http://" + above(t, listen) + "/counters")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// until waits for something to become true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not within 5 s: %s", what)
}

// twoHosts serves two cameras, each on an address of its own, and watches the
// first one until its session ends.
func twoHosts(t *testing.T) (first, second string, urls [2]string, cut chan error) {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	o := options()
	o.Hosts = 2
	first = serve(t, o)
	_, port, _ := net.SplitHostPort(first)
	second = net.JoinHostPort("127.0.1.2", port)
	for i, host := range []string{first, second} {
		urls[i] = "rtsp://u:p@" + host + "/cam/" + cameraID(t, i) + "/main"
	}
	cut = make(chan error, 1)
	go func() { cut <- watch(t, urls[0], func([][]byte, *rtp.Packet) bool { return true }) }()
	until(t, "the first camera plays", func() bool { c := counters(t, second); return c.Playing.Now == 1 && c.Bytes > 10_000 })
	return first, second, urls, cut
}

// once plays a camera until its first access unit.
func once(t *testing.T, url string) error {
	t.Helper()
	return watch(t, url, func([][]byte, *rtp.Packet) bool { return false })
}

func TestOutageThatRefuses(t *testing.T) {
	t.Parallel()
	first, second, urls, cut := twoHosts(t)
	if code := post(t, second, "/outage", `{"hosts":["127.0.1.1"],"for":"700ms","how":"refuse"}`); code != http.StatusAccepted {
		t.Fatalf("POST /outage: %d", code)
	}
	if err := <-cut; err == nil {
		t.Error("the session was not cut")
	}
	if _, err := net.Dial("tcp", first); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a dial got %v, want a refusal", err)
	}
	if err := once(t, urls[1]); err != nil {
		t.Errorf("the host beside it: %v", err)
	}
	until(t, "the host comes back", func() bool { return once(t, urls[0]) == nil })
}

func TestOutageInSilence(t *testing.T) {
	t.Parallel()
	first, second, urls, cut := twoHosts(t)
	if code := post(t, second, "/outage", `{"hosts":["127.0.1.1"],"for":"1s","how":"silent"}`); code != http.StatusAccepted {
		t.Fatalf("POST /outage: %d", code)
	}
	conn, err := net.Dial("tcp", first) // there is room for one
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v, want silence", n, err)
	}
	if err := once(t, urls[1]); err != nil {
		t.Errorf("the host beside it: %v", err)
	}
	if err := <-cut; err == nil {
		t.Error("the session of before was not reset")
	}
	until(t, "the host comes back", func() bool { return once(t, urls[0]) == nil })
}

func TestOutagesAreChecked(t *testing.T) {
	t.Parallel()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	listen := serve(t, options())
	for body, want := range map[string]int{
		`{"hosts":"some","for":"1s","how":"refuse"}`:       http.StatusBadRequest,
		`{"hosts":[],"for":"1s","how":"refuse"}`:           http.StatusBadRequest,
		`{"hosts":"all","how":"refuse"}`:                   http.StatusUnprocessableEntity,
		`{"hosts":"all","for":"1s","how":"loudly"}`:        http.StatusUnprocessableEntity,
		`{"hosts":["10.0.0.1"],"for":"1s","how":"silent"}`: http.StatusUnprocessableEntity,
	} {
		if code := post(t, listen, "/outage", body); code != want {
			t.Errorf("%s got %d, want %d", body, code, want)
		}
	}
}

func TestCounters(t *testing.T) {
	t.Parallel()
	_, second, urls, _ := twoHosts(t)
	for range 3 {
		if err := once(t, urls[1]); err != nil {
			t.Fatal(err)
		}
		until(t, "only the first session is left", func() bool { c := counters(t, second); return c.Open.Now == 1 && c.Playing.Now == 1 })
	}
	c := counters(t, second)
	if c.Dials != 4 || c.Plays != 4 || c.Teardowns != 3 || c.Handshakes.Now != 0 || c.Handshakes.Peak < 1 || c.Playing.Peak != 2 {
		t.Errorf("got %+v", c)
	}
	if len(c.Hosts) != 2 || c.Hosts[0].Dials != 1 || c.Hosts[1].Dials != 3 || c.Hosts[1].Open.Now != 0 || c.Hosts[1].Handshakes.Peak != 1 {
		t.Errorf("got %+v", c.Hosts)
	}
	if code := post(t, second, "/counters/reset", ""); code != http.StatusNoContent {
		t.Errorf("POST /counters/reset: %d", code)
	}
	if c := counters(t, second); c.Dials != 0 || c.Teardowns != 0 || c.Open.Peak != 1 || c.Playing.Peak != 1 || c.Handshakes.Peak != 0 {
		t.Errorf("after a reset: %+v", c)
	}
}
