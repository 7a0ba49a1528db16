package streams

import (
	"time"

	"videopatrol/inventory"
)

// Facts are what a state follows from.
type Facts struct {
	Disabled              bool
	Interval, GOP         time.Duration
	LastKey               time.Time
	Failures              int
	FirstFail, LastFailed time.Time
	Reason                Reason
	HostDown              bool
	Distrust              Reason
}

// Judge tells the state.
func Judge(f Facts, now time.Time) (State, Reason) {
	return judge(facts{
		disabled: f.Disabled, interval: f.Interval, gop: f.GOP, lastKey: f.LastKey,
		failures: f.Failures, firstFail: f.FirstFail, lastFailed: f.LastFailed, reason: f.Reason,
		hostDown: f.HostDown, distrust: f.Distrust,
	}, now)
}

// The decisions under test.
var (
	Backoff = backoff
	Phase   = phase
	NextDue = nextDue
)

// Relax is by how much intervals grow, over a budget's capacity.
func Relax(demand map[inventory.Tier]float64, capacity float64) map[inventory.Tier]float64 {
	s, all := relax(demand, capacity), map[inventory.Tier]float64{}
	for _, t := range inventory.Tiers() {
		all[t] = s.of(t)
	}
	return all
}

// Begin is when a visit that is due begins, with a key unit at last and every
// gop after it, and whether it was moved.
func Begin(due, last time.Time, gop, lead time.Duration) (time.Time, bool) {
	return rhythm{gop: gop, last: last, lead: lead}.begin(due)
}

// Sessions is the number of open sessions.
func (m *Manager) Sessions() int { return int(m.ledger.sessions.Load()) }
