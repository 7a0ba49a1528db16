package alerts_test

import (
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/inventory"
)

// TestStatistics counts what became of seven leads of one rule.
func TestStatistics(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	step := func(s int, from, to alerts.LeadState, reason string) alerts.Step {
		return alerts.Step{At: at(s), Act: alerts.ActMoved, From: from, To: to, Reason: reason}
	}
	lead := alerts.Lead{
		Rule: rule, Camera: alerts.CameraRef{ID: "c1"}, RaisedAt: began,
		Grid: []alerts.GridRef{{ID: "g1", Level: inventory.LevelCell, Name: "Cell"}},
	}
	raised := alerts.Step{At: began, Act: alerts.ActMoved, To: alerts.LeadRaised}
	handled := alerts.History{Lead: lead, Trace: []alerts.Step{
		raised,
		{At: at(5), Act: alerts.ActBreached, From: alerts.LeadRaised, To: alerts.LeadRaised, About: "triage"},
		step(10, alerts.LeadRaised, alerts.LeadAccepted, ""),
		step(20, alerts.LeadAccepted, alerts.LeadDispatched, ""),
		{At: at(30), Act: alerts.ActOrderAcknowledged, About: "fire"},
		{At: at(50), Act: alerts.ActOrderDone, About: "fire"},
		step(50, alerts.LeadDispatched, alerts.LeadResolved, ""),
	}}
	handled.Lead.Orders = []alerts.Order{
		{Department: "fire", Part: alerts.PartLead, State: alerts.OrderDone, SentAt: at(20)},
		{Department: "police", Part: alerts.PartJoint, State: alerts.OrderReturned, SentAt: at(20)},
		{Department: "city", Part: alerts.PartCopy, State: alerts.OrderSent, SentAt: at(20)},
	}
	all := []alerts.History{handled}
	for range 4 {
		all = append(all, alerts.History{Lead: lead, Trace: []alerts.Step{raised, step(3, alerts.LeadRaised, alerts.LeadRejected, "light")}})
	}
	all = append(all, alerts.History{Lead: lead, Trace: []alerts.Step{
		raised, step(1, alerts.LeadRaised, alerts.LeadRejected, "light"), step(2, alerts.LeadRejected, alerts.LeadRaised, ""),
	}})
	gone := alerts.History{Lead: lead, Trace: []alerts.Step{raised, step(7, alerts.LeadRaised, alerts.LeadExpired, alerts.ReasonUntriaged)}}
	gone.Lead.State = alerts.LeadExpired
	all = append(all, gone)
	s := alerts.StatisticsOf(all)
	if got := s.Total; got.Raised != 7 || got.Expired != 1 || got.Accepted != 1 || got.Rejected != 4 || got.Handled != 1 || *got.Precision != 0.2 || *got.Rate != 1 {
		t.Errorf("total %+v", got)
	}
	if p := s.Stages[alerts.LeadRaised]; p.Count != 7 || p.P50 != 3 || p.P95 != 10 {
		t.Errorf("raised for %+v", p)
	}
	if s.Breaches[alerts.StageTriage] != 1 || len(s.Cells) != 1 || s.Cells[0].Name != "Cell" {
		t.Errorf("%+v", s)
	}
	if len(s.Departments) != 2 || s.Departments[0].Department != "fire" || s.Departments[0].Acknowledge.P50 != 10 || s.Departments[0].Finish.P95 != 30 ||
		s.Departments[1].Returned != 1 {
		t.Errorf("departments %+v", s.Departments)
	}
	if len(s.Noisiest) != 1 || !s.Noisiest[0].Shelve || s.Noisiest[0].Reasons["light"] != 4 {
		t.Errorf("noisiest %+v", s.Noisiest)
	}
}
