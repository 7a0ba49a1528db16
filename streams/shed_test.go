package streams_test

import (
	"testing"
	"time"

	"videopatrol/streams"
)

// TestShed: what arrives and is not looked at is shed; what does not arrive, or
// comes late by its interval alone, is not.
func TestShed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	status := func(sample, key time.Duration) streams.Status {
		return streams.Status{State: streams.StateOnline, Interval: 5 * time.Second, GOP: 2 * time.Second, LastSample: ago(sample), LastKey: ago(key)}
	}
	offline, stretched := status(time.Minute, time.Second), status(time.Minute, time.Second)
	offline.State, stretched.Interval = streams.StateOffline, 30*time.Second
	for name, c := range map[string]struct {
		s    streams.Status
		want bool
	}{
		"in time":              {status(22*time.Second, time.Second), false},
		"late":                 {status(23*time.Second, time.Second), true},
		"nothing came since":   {status(time.Minute, time.Minute), false},
		"its interval is long": {stretched, false},
		"offline":              {offline, false},
		"never analysed":       {streams.Status{State: streams.StateOnline, LastKey: now}, false},
	} {
		since, shed := c.s.Shed(now)
		if shed != c.want || shed && !since.Equal(c.s.LastSample) {
			t.Errorf("%s: %v since %v", name, shed, since)
		}
	}
}
