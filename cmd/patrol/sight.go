package main

import (
	"time"

	"videopatrol/alerts"
	"videopatrol/streams"
)

// sights are the cameras of which it is known whether they see.
func sights(statuses []streams.Status, now time.Time) []alerts.Sight {
	all := make([]alerts.Sight, 0, len(statuses))
	for _, st := range statuses {
		s := alerts.Sight{Camera: st.Camera}
		switch st.State {
		case streams.StateDegraded, streams.StateOffline:
			s.Blind = &alerts.Blind{By: alerts.BlindCamera, Reason: string(st.Reason), Since: st.Since}
		case streams.StateOnline:
			if since, shed := st.Shed(now); shed {
				s.Blind = &alerts.Blind{By: alerts.BlindShed, Reason: string(streams.ReasonBudget), Since: since}
			}
		default:
			continue // nothing is known yet, or nobody looks any more
		}
		all = append(all, s)
	}
	return all
}
