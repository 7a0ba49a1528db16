package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/deliver/webhook"
	"videopatrol/inventory"
)

// desk is a dispatch desk on loopback: the canary's, and the demo's. It takes
// only what is signed for it.
type desk struct {
	listener net.Listener
	secret   inventory.Secret
	take     func(ctx context.Context, e alerts.Event)
}

// newDesk opens a desk; Run serves it.
func newDesk(take func(ctx context.Context, e alerts.Event)) (*desk, error) {
	key := make([]byte, 32)
	rand.Read(key)
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	secret := inventory.Secret("whsec_" + base64.StdEncoding.EncodeToString(key))
	return &desk{listener: ln, secret: secret, take: take}, nil
}

// URL is where the desk takes leads.
func (d *desk) URL() string { return "http://" + d.listener.Addr().String() + "/leads" }

// Close gives the listener of a desk back that is not run.
func (d *desk) Close() { _ = d.listener.Close() }

// Run serves the desk until ctx ends.
func (d *desk) Run(ctx context.Context) error {
	server := &http.Server{Handler: d, ReadTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const largest = 64 << 10 // bytes; what the gateway sends has at most 20 kB
	var e alerts.Event
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
	if err == nil {
		err = webhook.Verify([]inventory.Secret{d.secret}, r.Header, body, time.Now())
	}
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	d.take(r.Context(), e)
}
