package streams

import "time"

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

// Sessions is the number of open sessions.
func (m *Manager) Sessions() int { return int(m.ledger.sessions.Load()) }
