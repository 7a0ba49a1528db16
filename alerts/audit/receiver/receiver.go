// Package receiver copies checkpoints of the audit by HTTPS to where another
// office keeps them.
//
// Each checkpoint is a POST of its own, whose body is one line of JSON, as the
// file of audit.File has it: a receiver that appends the bodies to a file keeps
// what 'patrol audit verify --checkpoints' reads. They come in order. After an
// answer that was lost the last one comes again, byte for byte; it may be kept
// twice. A checkpoint is signed by its node, so that the receiver needs no key.
package receiver

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
	"time"

	"videopatrol/alerts/audit"
	"videopatrol/internal/egress"
	"videopatrol/inventory"
)

// Options says where checkpoints go.
type Options struct {
	// URL of the receiver; https, or http where Loopback allows it. Required.
	URL string
	// Token is sent as a bearer token; "" sends none.
	Token inventory.Secret
	// Allow lists where connections may go, "host:port" or a CIDR prefix of
	// the resolved address; empty allows the URL's own host and port alone.
	Allow []string
	// Loopback allows a receiver on this machine, and http to it.
	Loopback bool
	// Timeout of one request; 0 means 15 s.
	Timeout time.Duration
	// Resolve and Dial are the system's edges; nil means the system's.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Sink is an audit.Sink that speaks to one receiver.
type Sink struct {
	o      Options
	client *http.Client
}

var _ audit.Sink = (*Sink)(nil)

// New returns a Sink. Close it when it is not needed any more.
func New(o Options) (*Sink, error) {
	client, err := egress.Client(egress.Options{
		URL: o.URL, Allow: o.Allow, Loopback: o.Loopback, Timeout: o.Timeout, Resolve: o.Resolve, Dial: o.Dial,
	})
	if err != nil {
		return nil, fmt.Errorf("receiver of checkpoints: %w", err)
	}
	return &Sink{o: o, client: client}, nil
}

// Close ends connections that wait for another request.
func (s *Sink) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Copy sends the checkpoints, one after the other, and returns nil once the
// receiver has answered each with 2xx.
func (s *Sink) Copy(ctx context.Context, checkpoints []audit.Checkpoint) error {
	for _, c := range checkpoints {
		if err := s.send(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sink) send(ctx context.Context, c audit.Checkpoint) error {
	line, err := c.Line()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(line))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "videopatrol")
	if t := s.o.Token.Reveal(); t != "" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	res, err := s.client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL, which may hold a token
		}
		return err
	}
	defer res.Body.Close()
	// Only for the connection's sake: the answer has been given.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, egress.MaxAnswer))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("the receiver answered %d", res.StatusCode)
	}
	return nil
}
