package wall_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"videopatrol/wall"
	"videopatrol/wall/ui"
)

func TestHeaders(t *testing.T) {
	w := newWorld(t)
	const csp = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; worker-src 'self'; connect-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
	b := w.officer()
	for _, path := range []string{"/", "/leads/1", "/assets/a-1.js", "/api/v1/me", "/api/v1/nothing", stillPath, "/api/openapi.json"} {
		h := b.get(path).Header
		for name, want := range map[string]string{
			"Content-Security-Policy":    csp,
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if strings.HasPrefix(path, "/api/") && h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached: %q", path, h.Get("Cache-Control"))
		}
		if h.Get("Content-Type") == "" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestPage(t *testing.T) {
	w := newWorld(t)
	b := w.anyone()
	for path, want := range map[string]string{
		"/":                     "200 text/html; charset=utf-8 no-cache",
		"/leads/1":              "200 text/html; charset=utf-8 no-cache",
		"/cameras?state=online": "200 text/html; charset=utf-8 no-cache",
		"/assets/a-1.js":        "200 text/javascript; charset=utf-8 public, max-age=31536000, immutable",
		"/assets/gone-2.js":     "404 application/problem+json no-store",
		"/.gitkeep":             "404 application/problem+json no-store",
		"/api/nothing":          "404 application/problem+json no-store",
		"/api/v1/../../x.txt":   "404 application/problem+json no-store",
	} {
		res := b.get(path)
		got := strings.Join([]string{res.Status[:3], res.Header.Get("Content-Type"), res.Header.Get("Cache-Control")}, " ")
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if res := b.do("POST", "/", "{}"); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /: %d", res.StatusCode)
	}
	if res := b.do("HEAD", "/", nil); res.StatusCode != http.StatusOK || len(res.body) != 0 {
		t.Errorf("HEAD /: %d", res.StatusCode)
	}
}

func TestPageNotBuilt(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Page = fstest.MapFS{}
	s, err := wall.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.http.Config.Handler = s.Handler()
	res := w.anyone().get("/")
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(res.body), "make ui") {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
}

func TestPageIsEmbedded(t *testing.T) {
	if _, err := ui.Files().Open("."); err != nil {
		t.Error(err)
	}
}

// TestPanic: a handler that panics answers 500 without a word about why, and
// the gateway goes on.
func TestPanic(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Canary = func() wall.CanaryStatus { panic("secret detail") }
	s, err := wall.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.http.Config.Handler = s.Handler()
	b := w.officer()
	res := b.get("/api/v1/me")
	if res.StatusCode != http.StatusInternalServerError || strings.Contains(string(res.body), "secret") {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	if res := b.get("/api/v1/stats"); res.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %d", res.StatusCode)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	w := newWorld(t)
	for want, spoil := range map[string]func(*wall.Options){
		"Desk":      func(o *wall.Options) { o.Desk = nil },
		"Journal":   func(o *wall.Options) { o.Journal = nil },
		"Hub":       func(o *wall.Options) { o.Hub = nil },
		"LinkKey":   func(o *wall.Options) { o.LinkKey = []byte("short") },
		"time zone": func(o *wall.Options) { o.Site.TimeZone = "Beijing" },
	} {
		o := w.options()
		spoil(&o)
		if _, err := wall.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
