package streams

import (
	"log/slog"
	"time"
	"unsafe"

	"videopatrol/inventory"
)

// Attention is one camera's part of the ledger.
type Attention struct{ a *attention }

// AttentionSize is what it costs, in bytes.
const AttentionSize = unsafe.Sizeof(attention{})

// Settle is how long after its end a minute is closed.
const Settle = settle

// NewAttention begins in the minute of a moment.
func NewAttention(at time.Time) Attention { return Attention{newAttention(0, minuteOf(at))} }

// Due announces a look.
func (a Attention) Due(at, by, now time.Time) { a.a.due(at, by, now) }

// Seen tells of a trusted sample.
func (a Attention) Seen(at time.Time) { a.a.seen(at) }

// Blind tells of a trouble.
func (a Attention) Blind(at time.Time, r Reason) { a.a.blind(at, r) }

// Close closes the next minute; ReasonNone is watched.
func (a Attention) Close(now time.Time) Reason { return reasons[a.a.close(now, codeLate)] }

// Coverage is a ledger without a manager.
type Coverage struct{ *coverage }

// NewCoverage begins at a moment.
func NewCoverage(store Ledger, now time.Time) Coverage {
	c := newCoverage(Options{Ledger: store, Log: slog.New(slog.DiscardHandler)})
	c.begin(now)
	return Coverage{c}
}

// Reconcile takes the wanted set.
func (c Coverage) Reconcile(s inventory.Snapshot, now time.Time) { c.reconcile(s, now) }

// Of is a camera's part.
func (c Coverage) Of(camera string) Attention { return Attention{c.of(camera)} }

// CloseUntil closes what can be closed.
func (c Coverage) CloseUntil(now time.Time) { c.closeUntil(now) }

// Lines are the lines of the hours that are open.
func (c Coverage) Lines() (lines []Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, h := range c.hours {
		lines = append(lines, c.told(at, h).Lines...)
	}
	return lines
}

// InTime is until when a look is answered.
var InTime = inTime
