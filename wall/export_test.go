package wall

import (
	"context"
	"net/http"
	"time"

	"videopatrol/alerts"
)

// NewLeases lets a test take leases without a server.
func NewLeases(record func(context.Context, alerts.AuditRow) error, now func() time.Time) func(ctx context.Context, by, object string) error {
	l := newLeases(record, now)
	return func(ctx context.Context, by, object string) error {
		return l.take(ctx, viewer{by: by, purpose: "test"}, object)
	}
}

// ParseHash reads a password hash and writes it again.
func ParseHash(s string) (string, error) {
	p, err := parseHash(s)
	if err != nil {
		return "", err
	}
	return encodeHash(p), nil
}

// NewLimits lets a test take attempts.
func NewLimits(every time.Duration, burst int) (wait func(key string, now time.Time) time.Duration, size func() int) {
	l := newLimits(every, burst)
	return l.wait, func() int { return len(l.byKey) }
}

// AddressKey is what attempts of a client count under.
func AddressKey(client string) string { return addressKey(client) }

// RingSize and ClientQueue are the hub's bounds.
const (
	RingSize    = ringSize
	ClientQueue = clientQueue
	MaxPerUser  = maxPerUser
	Heartbeat   = heartbeat
	MaxLimiters = maxLimiters
)

// Pump serves one stream of the hub to a writer.
func (h *Hub) Pump(ctx context.Context, user string, w http.ResponseWriter) error {
	return h.PumpWhile(ctx, user, w, func() error { return nil })
}

// PumpWhile is Pump with a session that ends when alive returns an error.
func (h *Hub) PumpWhile(ctx context.Context, user string, w http.ResponseWriter, alive func() error) error {
	c, first, err := h.join(user, Key{}, "")
	if err != nil {
		return err
	}
	defer h.leave(c)
	return h.pump(ctx, w, c, first, func(context.Context) error { return alive() })
}

// HashCheaply spares tests the cost of passwords.
func (a *Accounts) HashCheaply() { a.hasher.memory = 64 }
