package wall

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Attempts to log in: bursts for a person who mistypes, then a trickle.
const (
	addressBurst = 20
	addressEvery = 3 * time.Second
	accountBurst = 10
	accountEvery = 10 * time.Second
	// maxLimiters bounds the memory of one set of limits.
	maxLimiters = 10_000
)

// limits holds one rate limiter for each name.
type limits struct {
	every time.Duration
	burst int
	mu    sync.Mutex
	byKey map[string]*rate.Limiter
	swept time.Time
}

func newLimits(every time.Duration, burst int) *limits {
	return &limits{every: every, burst: burst, byKey: map[string]*rate.Limiter{}}
}

// wait takes one attempt and returns 0, or how long to wait for the next.
func (l *limits) wait(key string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	lim := l.byKey[key]
	if lim == nil {
		if len(l.byKey) >= maxLimiters {
			l.sweep(now)
		}
		if len(l.byKey) >= maxLimiters {
			key = "" // under a flood of names, newcomers share one limiter
			lim = l.byKey[key]
		}
		if lim == nil {
			lim = rate.NewLimiter(rate.Every(l.every), l.burst)
			l.byKey[key] = lim
		}
	}
	r := lim.ReserveN(now, 1)
	delay := r.DelayFrom(now)
	if delay > 0 {
		r.CancelAt(now)
	}
	return delay
}

// sweep forgets limiters that are full again, at most once per step of the
// limit: a flood of names must not buy a walk over all of them each time.
// l.mu is held.
func (l *limits) sweep(now time.Time) {
	if now.Sub(l.swept) < l.every {
		return
	}
	l.swept = now
	for k, lim := range l.byKey {
		if lim.TokensAt(now) >= float64(l.burst) {
			delete(l.byKey, k)
		}
	}
}

// addressKey is what one client's attempts count under: its IPv4 address, or
// its IPv6 /64, of which a client has as many addresses as it likes.
func addressKey(client string) string {
	a, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	if a = a.Unmap(); a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return client
	}
	return p.String()
}
