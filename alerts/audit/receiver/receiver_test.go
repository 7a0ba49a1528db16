package receiver_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/alerts/audit"
	"videopatrol/alerts/audit/receiver"
	"videopatrol/internal/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func checkpoint(seq int64) audit.Checkpoint {
	return audit.Sign(key, audit.Head{Node: "n1", Seq: seq}, time.Date(2026, 11, 23, 4, 0, int(seq), 0, time.UTC))
}

// office keeps what it is sent, one body after the other, unless it answers
// with another status.
type office struct {
	*httptest.Server
	mu     sync.Mutex
	kept   bytes.Buffer
	seen   []*http.Request
	status int
}

func open(t *testing.T) *office {
	t.Helper()
	o := &office{status: http.StatusNoContent}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.seen = append(o.seen, r)
		if o.status < 300 {
			_, _ = io.Copy(&o.kept, r.Body)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(o.status)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *office) answer(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status = status
}

func sink(t *testing.T, o receiver.Options) *receiver.Sink {
	t.Helper()
	s, err := receiver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestCopy: the bodies one after the other are a copy that can be verified
// with, also when the answer to one was lost.
func TestCopy(t *testing.T) {
	t.Parallel()
	o := open(t)
	s := sink(t, receiver.Options{URL: o.URL + "/checkpoints", Token: "s3cret", Loopback: true})
	first, second := checkpoint(1), checkpoint(5)
	for _, list := range [][]audit.Checkpoint{{first}, {first}, {second}} {
		if err := s.Copy(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	var got []int64
	for c, err := range audit.ReadCopy(&o.kept, "n1") {
		if err != nil || !c.Signed(key.Public().(ed25519.PublicKey)) {
			t.Fatalf("%+v: %v", c, err)
		}
		got = append(got, c.Seq)
	}
	if len(got) != 3 || got[0] != 1 || got[1] != 1 || got[2] != 5 {
		t.Errorf("kept %v", got)
	}
	r := o.seen[0]
	if r.Method != http.MethodPost || r.URL.Path != "/checkpoints" || r.Header.Get("Authorization") != "Bearer s3cret" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
}

// TestRefused: whatever is not 2xx is an error, a redirect too, and nothing
// that is said of it holds the token.
func TestRefused(t *testing.T) {
	t.Parallel()
	o := open(t)
	s := sink(t, receiver.Options{URL: o.URL + "/?token=s3cret", Token: "s3cret", Loopback: true})
	for _, status := range []int{http.StatusFound, http.StatusForbidden, http.StatusServiceUnavailable} {
		o.answer(status)
		err := s.Copy(t.Context(), []audit.Checkpoint{checkpoint(1), checkpoint(2)})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%d: %v", status, err)
		}
	}
	if len(o.seen) != 3 || o.kept.Len() != 0 {
		t.Errorf("asked %d times", len(o.seen))
	}
	o.Close()
	if err := s.Copy(t.Context(), []audit.Checkpoint{checkpoint(1)}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a receiver that is gone: %v", err)
	}
}

func TestWhereItMayGo(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "ftp://office.example/", "http://office.example/", "https://kim:s3cret@office.example/"} {
		if _, err := receiver.New(receiver.Options{URL: url}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	o := open(t)
	s := sink(t, receiver.Options{URL: o.URL, Loopback: true, Allow: []string{"10.20.0.0/16"}})
	if err := s.Copy(t.Context(), []audit.Checkpoint{checkpoint(1)}); !errors.Is(err, egress.ErrBlocked) {
		t.Errorf("an address that is not allowed: %v", err)
	}
}
