package pull_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/detect/model"
	"videopatrol/detect/model/pull"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// published is a model of 100 kB and a server that publishes it.
type published struct {
	*httptest.Server
	onnx     []byte
	manifest model.Manifest
	// serve may answer instead of the server.
	serve  func(w http.ResponseWriter, r *http.Request) bool
	ranges []string
}

func publish(t *testing.T) *published {
	t.Helper()
	p := &published{onnx: bytes.Repeat([]byte("weights "), 12500)}
	sum := sha256.Sum256(p.onnx)
	p.manifest = model.Known()[0]
	p.manifest.SHA256, p.manifest.Size = hex.EncodeToString(sum[:]), int64(len(p.onnx))
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.ranges = append(p.ranges, r.Header.Get("Range"))
		if p.serve == nil || !p.serve(w, r) {
			http.ServeContent(w, r, "x.onnx", time.Time{}, bytes.NewReader(p.onnx))
		}
	}))
	t.Cleanup(func() {
		p.Client().CloseIdleConnections()
		p.Close()
	})
	p.manifest.URL = p.URL + "/x.onnx"
	return p
}

func (p *published) pull(t *testing.T, dir string) (string, error) {
	t.Helper()
	return pull.Pull(t.Context(), pull.Options{Manifest: p.manifest, Dir: dir, Client: p.Client(), Stall: 300 * time.Millisecond})
}

// whole tells whether the model is there, whole; and fails on anything else
// than it, its manifest and what came of it.
func (p *published) whole(t *testing.T, dir string) bool {
	t.Helper()
	path := filepath.Join(dir, p.manifest.Name+".onnx")
	b, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(b, p.onnx) {
		t.Errorf("a file of %d bytes that is not the model", len(b))
	}
	return err == nil
}

func TestPull(t *testing.T) {
	p, dir := publish(t), filepath.Join(t.TempDir(), "models")
	path, err := p.pull(t, dir)
	if err != nil || !p.whole(t, dir) || path != filepath.Join(dir, p.manifest.Name+".onnx") {
		t.Fatalf("%q, %v", path, err)
	}
	f, err := model.Load(path)
	if err != nil || f.Manifest.Name != p.manifest.Name || len(f.Manifest.Classes) != len(p.manifest.Classes) {
		t.Errorf("%+v, %v", f.Manifest, err)
	}
	if _, err := p.pull(t, dir); err != nil || len(p.ranges) != 1 {
		t.Errorf("again: %v, %d requests", err, len(p.ranges))
	}
	if parts, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(parts) != 0 {
		t.Errorf("left over: %v", parts)
	}
}

// A fetch that breaks off leaves no model, and the next one goes on.
func TestPullGoesOn(t *testing.T) {
	for name, breakOff := range map[string]func(http.ResponseWriter){
		"the connection breaks": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"nothing comes":         func(w http.ResponseWriter) { w.(http.Flusher).Flush(); time.Sleep(time.Second) },
	} {
		p, dir := publish(t), t.TempDir()
		p.Config.ErrorLog = nil
		p.serve = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", fmt.Sprint(len(p.onnx)))
			_, _ = w.Write(p.onnx[:60000])
			w.(http.Flusher).Flush()
			breakOff(w)
			return true
		}
		if _, err := p.pull(t, dir); err == nil || p.whole(t, dir) {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Logf("%s: %v", name, err)
		}
		p.serve = nil
		if _, err := p.pull(t, dir); err != nil || !p.whole(t, dir) {
			t.Errorf("%s, then again: %v", name, err)
		}
		if len(p.ranges) != 2 || !strings.HasPrefix(p.ranges[1], "bytes=") {
			t.Errorf("%s: asked for %q", name, p.ranges)
		}
	}
}

// What is not the model is not kept.
func TestPullRefuses(t *testing.T) {
	other := func(b []byte) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			http.ServeContent(w, r, "x.onnx", time.Time{}, bytes.NewReader(b))
			return true
		}
	}
	for name, c := range map[string]struct {
		serve func(p *published) func(http.ResponseWriter, *http.Request) bool
		want  string
	}{
		"other bytes": {func(p *published) func(http.ResponseWriter, *http.Request) bool {
			return other(bytes.ToUpper(p.onnx))
		}, "they are thrown away"},
		"more bytes": {func(p *published) func(http.ResponseWriter, *http.Request) bool {
			return other(append(bytes.Clone(p.onnx), 'x'))
		}, "sends 100001 bytes, want 100000"},
		"endless bytes": {func(p *published) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, _ *http.Request) bool {
				for range 100 {
					_, _ = w.Write(p.onnx)
				}
				return true
			}
		}, "sent 100001 bytes"},
		"not found": {func(*published) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, "no", http.StatusNotFound)
				return true
			}
		}, "404 Not Found"},
		"a redirect to http": {func(*published) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, "http://127.0.0.1:1/x.onnx", http.StatusFound)
				return true
			}
		}, "https:// alone"},
	} {
		p, dir := publish(t), t.TempDir()
		p.serve = c.serve(p)
		if _, err := p.pull(t, dir); err == nil || !strings.Contains(err.Error(), c.want) || p.whole(t, dir) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		p.serve = nil
		if _, err := p.pull(t, dir); err != nil || !p.whole(t, dir) {
			t.Errorf("%s, then the model: %v", name, err)
		}
	}
	p := publish(t)
	for name, change := range map[string]func(m *model.Manifest){
		"http":    func(m *model.Manifest) { m.URL = strings.Replace(m.URL, "https", "http", 1) },
		"no URL":  func(m *model.Manifest) { m.URL = "" },
		"no size": func(m *model.Manifest) { m.Size = 0 },
	} {
		m := p.manifest
		change(&m)
		if _, err := pull.Pull(t.Context(), pull.Options{Manifest: m, Dir: t.TempDir(), Client: p.Client()}); err == nil {
			t.Errorf("%s is pulled", name)
		}
	}
	if len(p.ranges) != 0 {
		t.Errorf("%d requests", len(p.ranges))
	}
}
