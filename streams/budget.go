package streams

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// Budget are the explicit limits of one gateway. A zero field means its
// default.
type Budget struct {
	// Dials is how many handshakes may be in flight in all; default 256.
	Dials int
	// DialsPerHost is the same for one address; default 2. An NVR is one
	// address with many channels.
	DialsPerHost int
	// DialRate is how many handshakes may begin in a second; default 200.
	DialRate float64
	// Sessions is how many sessions may be open; default 20,000.
	Sessions int
	// MediaBytes bounds the key units that are being assembled or wait for a
	// detector, over all cameras; default 512 MiB.
	MediaBytes int64
}

func (b Budget) withDefaults() Budget {
	if b.Dials <= 0 {
		b.Dials = 256
	}
	if b.DialsPerHost <= 0 {
		b.DialsPerHost = 2
	}
	if b.DialRate <= 0 {
		b.DialRate = 200
	}
	if b.Sessions <= 0 {
		b.Sessions = 20_000
	}
	if b.MediaBytes <= 0 {
		b.MediaBytes = 512 << 20
	}
	return b
}

// ledger keeps what is spent of a Budget. It needs no lock of its own.
type ledger struct {
	budget   Budget
	dials    *semaphore.Weighted
	rate     *rate.Limiter
	dialling atomic.Int64
	sessions atomic.Int64
	media    atomic.Int64
}

func newLedger(b Budget) *ledger {
	return &ledger{
		budget: b,
		dials:  semaphore.NewWeighted(int64(b.Dials)),
		// A tenth of a second's dials may begin at once; the rest is paced.
		rate: rate.NewLimiter(rate.Limit(b.DialRate), max(1, int(b.DialRate/10))),
	}
}

// dial waits until a handshake with the host may begin, and returns what ends
// it. The host's own slot comes first, so that a queue at one NVR holds no
// slot that other hosts could use.
func (l *ledger) dial(ctx context.Context, slots *semaphore.Weighted) (done func(), err error) {
	if err := slots.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	if err := l.dials.Acquire(ctx, 1); err != nil {
		slots.Release(1)
		return nil, err
	}
	if err := l.rate.Wait(ctx); err != nil {
		l.dials.Release(1)
		slots.Release(1)
		return nil, err
	}
	l.dialling.Add(1)
	return func() {
		l.dialling.Add(-1)
		l.dials.Release(1)
		slots.Release(1)
	}, nil
}

// openSession counts a session in, or refuses it.
func (l *ledger) openSession() bool {
	if l.sessions.Add(1) > int64(l.budget.Sessions) {
		l.sessions.Add(-1)
		return false
	}
	return true
}

func (l *ledger) closeSession() { l.sessions.Add(-1) }

// hold reserves n bytes of media memory, or refuses; a negative n gives back.
func (l *ledger) hold(n int) bool {
	if now := l.media.Add(int64(n)); n > 0 && now > l.budget.MediaBytes {
		l.media.Add(-int64(n))
		return false
	}
	return true
}
