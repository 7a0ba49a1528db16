package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"videopatrol/alerts"
	"videopatrol/internal/egress"
	"videopatrol/inventory"
)

// Options says where a webhook delivers to, and how.
type Options struct {
	// URL of the receiver; https, or http where Loopback allows it. Required.
	URL string
	// Secrets sign each request, "whsec_" and base64 of 24 to 64 bytes; at
	// least one. While a secret is changed there are two.
	Secrets []inventory.Secret
	// Source is the gateway's own URI, for the CloudEvents. Required.
	Source string
	// Link makes the links to pictures; nil sends none.
	Link alerts.LinkFunc
	// Allow lists where connections may go, "host:port" or a CIDR prefix of
	// the resolved address; empty allows the URL's own host and port alone.
	Allow []string
	// Loopback allows receivers on this machine, and http to them.
	Loopback bool
	// Timeout of one delivery; 0 means 15 s.
	Timeout time.Duration
	// Clock, Resolve and Dial are the system's edges; nil means the system's.
	Clock   func() time.Time
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// contentType of the JSON event format in structured mode (CloudEvents 1.0 HTTP
// protocol binding, 3.2).
const contentType = "application/cloudevents+json; charset=utf-8"

// Sink is an alerts.Sink that speaks to one receiver.
type Sink struct {
	o      Options
	keys   [][]byte
	client *http.Client
}

var _ alerts.Sink = (*Sink)(nil)

// New returns a Sink. Close it when it is not needed any more.
func New(o Options) (*Sink, error) {
	if o.Source == "" {
		return nil, errors.New("webhook: Source, the gateway's own URI, is required")
	}
	keys, err := keys(o.Secrets)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	client, err := egress.Client(egress.Options{
		URL: o.URL, Allow: o.Allow, Loopback: o.Loopback, Timeout: o.Timeout, Resolve: o.Resolve, Dial: o.Dial,
	})
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Sink{o: o, keys: keys, client: client}, nil
}

// Close ends connections that wait for another request.
func (s *Sink) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Deliver sends one notice. Its error is an *alerts.DeliveryError.
func (s *Sink) Deliver(ctx context.Context, n alerts.Notice) error {
	event, err := alerts.NewEvent(n, s.o.Source, s.o.Link)
	if err != nil {
		return &alerts.DeliveryError{Fault: alerts.FaultUnfit, Err: err}
	}
	body, err := event.Encode()
	if err != nil {
		return &alerts.DeliveryError{Fault: alerts.FaultUnfit, Hopeless: true, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return &alerts.DeliveryError{Fault: alerts.FaultUnfit, Err: err}
	}
	now := strconv.FormatInt(s.o.Clock().Unix(), 10)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "videopatrol")
	req.Header.Set(HeaderID, n.ID)
	req.Header.Set(HeaderTimestamp, now)
	req.Header.Set(HeaderSignature, sign(s.keys, n.ID, now, body))
	res, err := s.client.Do(req)
	if err != nil {
		fault := faultOf(err)
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL, which may hold a token
		}
		return &alerts.DeliveryError{Fault: fault, Err: err}
	}
	defer res.Body.Close()
	// Only for the connection's sake: the answer has been given.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, egress.MaxAnswer))
	return answer(res, s.o.Clock())
}

func faultOf(err error) string {
	var t interface{ Timeout() bool }
	switch {
	case errors.Is(err, egress.ErrBlocked):
		return alerts.FaultBlocked
	case errors.As(err, &t) && t.Timeout():
		return alerts.FaultTimeout
	}
	return alerts.FaultNetwork
}

// answer judges a status. Only 2xx is a yes; 410 asks never to be called
// again, 429 and 503 to be called later.
func answer(res *http.Response, now time.Time) error {
	code := res.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	e := &alerts.DeliveryError{Fault: alerts.FaultRefused, Err: fmt.Errorf("the receiver answered %d", code)}
	switch {
	case code == http.StatusGone:
		e.Fault, e.Stop = alerts.FaultGone, true
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		e.Fault = alerts.FaultBusy
		e.After = retryAfter(res.Header.Get("Retry-After"), now)
	case code >= 500:
		e.Fault = alerts.FaultBroken
	}
	return e
}

// retryAfter reads seconds or an HTTP date (RFC 9110, 10.2.3); 0 when it says
// neither.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
