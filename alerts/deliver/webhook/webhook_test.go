package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/alerts"
	"videopatrol/alerts/deliver/webhook"
	"videopatrol/inventory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// The secret of the published test vector of Standard Webhooks.
	secret = inventory.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	other  = inventory.Secret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
)

func headers(id, timestamp, signature string) http.Header {
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", timestamp)
	h.Set("webhook-signature", signature)
	return h
}

func TestVerifyPublishedVector(t *testing.T) {
	t.Parallel()
	const good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	now := time.Unix(1614265330, 0)
	body := `{"test": 2432232314}`
	for name, c := range map[string]struct {
		secrets []inventory.Secret
		h       http.Header
		body    string
		now     time.Time
		want    error
	}{
		"good":           {[]inventory.Secret{secret}, headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", good), body, now, nil},
		"second secret":  {[]inventory.Secret{other, secret}, headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", good), body, now, nil},
		"among others":   {[]inventory.Secret{secret}, headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1a,xx v1,!! v1,aaaa "+good), body, now, nil},
		"other secret":   {[]inventory.Secret{other}, headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", good), body, now, webhook.ErrForged},
		"other body":     {[]inventory.Secret{secret}, headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", good), body + " ", now, webhook.ErrForged},
		"other id":       {[]inventory.Secret{secret}, headers("msg_2", "1614265330", good), body, now, webhook.ErrForged},
		"other time":     {[]inventory.Secret{secret}, headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265331", good), body, now, webhook.ErrForged},
		"version 2":      {[]inventory.Secret{secret}, headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v2"+good[2:]), body, now, webhook.ErrForged},
		"old":            {[]inventory.Secret{secret}, headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", good), body, now.Add(webhook.Tolerance + time.Second), webhook.ErrStale},
		"from ahead":     {[]inventory.Secret{secret}, headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", good), body, now.Add(-webhook.Tolerance - time.Second), webhook.ErrStale},
		"no headers":     {[]inventory.Secret{secret}, http.Header{}, body, now, webhook.ErrUnsigned},
		"no time":        {[]inventory.Secret{secret}, headers("msg", "soon", good), body, now, webhook.ErrUnsigned},
		"far, far ahead": {[]inventory.Secret{secret}, headers("msg", "-9223372036854775808", good), body, now, webhook.ErrStale},
	} {
		if err := webhook.Verify(c.secrets, c.h, []byte(c.body), c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, bad := range [][]inventory.Secret{nil, {""}, {"whsec_"}, {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, {"whsec_!!!"}, {"whsec_c2hvcnQ="}} {
		err := webhook.Verify(bad, headers("a", "1", "v1,"), nil, now)
		if err == nil || errors.Is(err, webhook.ErrForged) {
			t.Errorf("secrets %d: %v", len(bad), err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", `{"test": 2432232314}`)
	f.Add("a", "-1", "v1,,, v1", "")
	f.Fuzz(func(t *testing.T, id, timestamp, signature, body string) {
		// The header's own rules change what is not a header value.
		err := webhook.Verify([]inventory.Secret{other}, headers(id, timestamp, signature), []byte(body), time.Unix(1614265330, 0))
		if err == nil {
			t.Errorf("forged: %q %q %q %q", id, timestamp, signature, body)
		}
	})
}

func notice() alerts.Notice {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	return alerts.Notice{
		ID: "0195-1", Sink: "police",
		Lead: alerts.Lead{ID: "0195", State: alerts.LeadRaised, Version: 1, RaisedAt: at, Evidence: []alerts.Evidence{{SHA256: "ab"}}},
		Step: alerts.Step{Version: 1, At: at, By: alerts.System, To: alerts.LeadRaised},
	}
}

func options(url string) webhook.Options {
	return webhook.Options{
		URL: url, Secrets: []inventory.Secret{secret, other}, Source: "https://patrol.example/", Loopback: true,
		Link: func(sha string) (string, time.Time, error) {
			return "https://patrol.example/" + sha, time.Unix(1800000000, 0), nil
		},
	}
}

func sink(t *testing.T, o webhook.Options) *webhook.Sink {
	t.Helper()
	s, err := webhook.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Many receivers know their senders by a token in the URL.
func TestErrorsKeepTheURL(t *testing.T) {
	t.Parallel()
	const token = "hush-hush"
	o := options("https://desk.example/robot/" + token + "?access_token=" + token)
	o.Resolve = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
	if err := sink(t, o).Deliver(t.Context(), notice()); err == nil || strings.Contains(err.Error(), token) {
		t.Errorf("not delivered: %v", err)
	}
	for _, url := range []string{"http://desk.example/" + token + "?t=" + token, "desk/" + token, "https:///" + token, "://" + token} {
		o := options(url)
		o.Loopback = false
		if _, err := webhook.New(o); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("no URL: %v", err)
		}
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	type request struct {
		header http.Header
		body   []byte
	}
	got := make(chan request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Header, body}
	}))
	defer server.Close()
	if err := sink(t, options(server.URL+"/leads")).Deliver(t.Context(), notice()); err != nil {
		t.Fatal(err)
	}
	r := <-got
	for _, s := range []inventory.Secret{secret, other} {
		if err := webhook.Verify([]inventory.Secret{s}, r.header, r.body, time.Now()); err != nil {
			t.Errorf("the receiver: %v", err)
		}
	}
	if ct := r.header.Get("Content-Type"); !strings.HasPrefix(ct, "application/cloudevents+json") {
		t.Errorf("content type %q", ct)
	}
	var event alerts.Event
	if err := json.Unmarshal(r.body, &event); err != nil {
		t.Fatal(err)
	}
	if event.Type != "videopatrol.lead.raised.v1" || event.ID != r.header.Get("webhook-id") || len(event.Data.Evidence) != 1 {
		t.Errorf("event %+v", event)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		status int
		header [2]string
		fault  string
		after  time.Duration
		stop   bool
	}{
		"200":              {status: 200},
		"204":              {status: 204},
		"302":              {status: 302, header: [2]string{"Location", elsewhere.URL}, fault: alerts.FaultRefused},
		"307":              {status: 307, header: [2]string{"Location", elsewhere.URL}, fault: alerts.FaultRefused},
		"400":              {status: 400, fault: alerts.FaultRefused},
		"410":              {status: 410, fault: alerts.FaultGone, stop: true},
		"429":              {status: 429, header: [2]string{"Retry-After", "120"}, fault: alerts.FaultBusy, after: 2 * time.Minute},
		"429 without":      {status: 429, fault: alerts.FaultBusy},
		"503 with a date":  {status: 503, header: [2]string{"Retry-After", "Sun, 01 Mar 2026 02:10:00 GMT"}, fault: alerts.FaultBusy, after: 10 * time.Minute},
		"503 long ago":     {status: 503, header: [2]string{"Retry-After", "Sun, 01 Mar 2020 02:10:00 GMT"}, fault: alerts.FaultBusy},
		"503 with nothing": {status: 503, header: [2]string{"Retry-After", "-5"}, fault: alerts.FaultBusy},
		"500":              {status: 500, header: [2]string{"Retry-After", "5"}, fault: alerts.FaultBroken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.header[0] != "" {
					w.Header().Set(c.header[0], c.header[1])
				}
				w.WriteHeader(c.status)
			}))
			defer server.Close()
			o := options(server.URL)
			o.Clock = func() time.Time { return time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC) }
			err := sink(t, o).Deliver(t.Context(), notice())
			if c.fault == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var why *alerts.DeliveryError
			if !errors.As(err, &why) || why.Fault != c.fault || why.After != c.after || why.Stop != c.stop || why.Hopeless {
				t.Errorf("%+v (%v)", why, err)
			}
		})
	}
}

func faultOf(err error) string {
	if why, ok := errors.AsType[*alerts.DeliveryError](err); ok {
		return why.Fault
	}
	return fmt.Sprint(err)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server sees the client go
		<-r.Context().Done()
	}))
	defer server.Close()
	o := options(server.URL)
	o.Timeout = 20 * time.Millisecond
	if got := faultOf(sink(t, o).Deliver(t.Context(), notice())); got != alerts.FaultTimeout {
		t.Errorf("silence: %s", got)
	}
	o = options(server.URL)
	o.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	if got := faultOf(sink(t, o).Deliver(t.Context(), notice())); got != alerts.FaultNetwork {
		t.Errorf("no route: %s", got)
	}
	n := notice()
	n.Lead.Camera.Name = strings.Repeat("x", alerts.MaxEvent)
	var why *alerts.DeliveryError
	if err := sink(t, options(server.URL)).Deliver(t.Context(), n); !errors.As(err, &why) || why.Fault != alerts.FaultUnfit || !why.Hopeless {
		t.Errorf("too large: %v", err)
	}
}

// Names may resolve to anything, also to something else the second time: what
// counts is the address that is dialled.
func TestEgress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at       string
		allow    []string
		loopback bool
		dialled  bool
	}{
		"the URL's own":          {at: "203.0.113.5", dialled: true},
		"private":                {at: "10.1.2.3", dialled: true},
		"loopback":               {at: "127.0.0.1"},
		"loopback, allowed":      {at: "127.0.0.1", loopback: true, dialled: true},
		"loopback 6":             {at: "::1"},
		"mapped loopback":        {at: "::ffff:127.0.0.1"},
		"metadata":               {at: "169.254.169.254", loopback: true},
		"mapped metadata":        {at: "::ffff:169.254.169.254", loopback: true},
		"link-local":             {at: "fe80::1", loopback: true},
		"unspecified":            {at: "0.0.0.0", loopback: true},
		"this network":           {at: "0.1.2.3", loopback: true},
		"unspecified 6":          {at: "::", loopback: true},
		"multicast":              {at: "224.0.0.1", loopback: true},
		"broadcast":              {at: "255.255.255.255", loopback: true},
		"another host listed":    {at: "10.1.2.3", allow: []string{"other.example:443"}},
		"another port listed":    {at: "10.1.2.3", allow: []string{"desk.example:8443"}},
		"listed":                 {at: "10.1.2.3", allow: []string{"other.example:443", "DESK.example:443"}, dialled: true},
		"in a prefix":            {at: "10.1.2.3", allow: []string{"10.1.0.0/16"}, dialled: true},
		"out of a prefix":        {at: "10.2.2.3", allow: []string{"10.1.0.0/16"}},
		"mapped in a prefix":     {at: "::ffff:10.1.2.3", allow: []string{"10.1.0.0/16"}, dialled: true},
		"loopback in a prefix":   {at: "127.0.0.1", allow: []string{"0.0.0.0/0"}},
		"link-local in a prefix": {at: "169.254.1.1", allow: []string{"0.0.0.0/0"}, loopback: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dialled := false
			o := options("https://desk.example/leads")
			o.Allow, o.Loopback = c.allow, c.loopback
			o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr(c.at)}, nil
			}
			o.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
				dialled = true
				if want := net.JoinHostPort(netip.MustParseAddr(c.at).Unmap().String(), "443"); address != want {
					t.Errorf("dialled %s, want %s", address, want)
				}
				return nil, errors.New("far enough")
			}
			fault := faultOf(sink(t, o).Deliver(t.Context(), notice()))
			if want := map[bool]string{true: alerts.FaultNetwork, false: alerts.FaultBlocked}[c.dialled]; dialled != c.dialled || fault != want {
				t.Errorf("dialled: %v, fault %s", dialled, fault)
			}
		})
	}
}

// http is for this machine alone, wherever the name leads.
func TestPlainStaysHere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked") }))
	defer server.Close()
	o := options("http://desk.example/leads")
	o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.1.2.3")}, nil
	}
	o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			return nil, err
		}
		return elsewhere{c}, nil
	}
	if got := faultOf(sink(t, o).Deliver(t.Context(), notice())); got != alerts.FaultBlocked {
		t.Error(got)
	}
}

type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 80} }

func TestRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*webhook.Options){
		"no URL":       func(o *webhook.Options) { o.URL = "" },
		"other scheme": func(o *webhook.Options) { o.URL = "file:///etc/passwd" },
		"password":     func(o *webhook.Options) { o.URL = "https://wang:hush@desk.example/" },
		"plain":        func(o *webhook.Options) { o.URL, o.Loopback = "http://desk.example/", false },
		"no secret":    func(o *webhook.Options) { o.Secrets = nil },
		"bad secret":   func(o *webhook.Options) { o.Secrets = []inventory.Secret{"whsec_hush"} },
		"no source":    func(o *webhook.Options) { o.Source = "" },
		"bad list":     func(o *webhook.Options) { o.Allow = []string{"desk.example"} },
	} {
		o := options("https://desk.example/leads")
		spoil(&o)
		_, err := webhook.New(o)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
