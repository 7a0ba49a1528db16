package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/inventory"
)

// TestDesk writes one of everything that a desk keeps, and reads it back.
func TestDesk(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		t.Helper()
		ctx := t.Context()
		key := detect.ConditionKey{Camera: "c1", Zone: "gate", Rule: "r"}
		taken := noon.Add(time.Minute)
		write(t, s, func(ctx context.Context, tx alerts.Tx) error {
			l := lead("a")
			l.Since, l.Decided, l.Grid = noon, 1, []alerts.GridRef{{ID: "s1", Level: inventory.LevelSubcell, Name: "S"}}
			_, err := tx.AddLead(ctx, l)
			l.Owner, l.Supervised, l.Level, l.Transfer = "wang", true, 2, &alerts.Transfer{Centre: "12345", Key: "VP1", At: taken}
			return errors.Join(err, tx.SaveLead(ctx, l),
				tx.AddStep(ctx, "a", alerts.Step{Version: 1, At: noon, By: "x", Act: alerts.ActMoved, To: alerts.LeadRaised}),
				tx.SaveOrder(ctx, "a", alerts.Order{ID: "o1", Department: "fire", Part: alerts.PartLead, Round: 1, State: alerts.OrderSent, SentAt: noon, Changed: noon}),
				tx.SaveOrder(ctx, "a", alerts.Order{ID: "o2", Department: "gas", Part: alerts.PartJoint, Round: 1, State: alerts.OrderDone, SentAt: noon, Changed: noon, Feedback: "f"}),
				tx.SaveClock(ctx, "a", alerts.DueClock{Stage: alerts.StageTriage, Started: noon, DueAt: taken, NextAt: taken, Rung: 1}),
				tx.AddSuppression(ctx, alerts.Suppression{ID: "x", At: noon, By: alerts.QuietChatter, Key: key, Kind: detect.KindCrowd, Began: noon}),
				tx.KnowBegan(ctx, key, noon, "x"), tx.Unsuppress(ctx, key, "x", "a"),
				tx.SaveShelf(ctx, alerts.Shelf{ID: "sh", Camera: "c1", Reason: "works", By: "li", From: noon, To: taken}),
				tx.SaveHandover(ctx, alerts.Handover{ID: "h", From: "wang", Offered: noon, To: "li", Taken: &taken, Leads: []alerts.HandoverLead{{ID: "a", Number: 1}}}),
				tx.SetLeadCameras(ctx, "a", []string{"c1", "c2"}), tx.SetLeadCameras(ctx, "a", []string{"c2"}),
				tx.SetSteadyMark(ctx, alerts.SteadyMark{Steady: noon, Wall: taken}))
		})
		check := func(what string, ok bool, err error) {
			t.Helper()
			if err != nil || !ok {
				t.Errorf("%s: %v", what, err)
			}
		}
		for name, q := range map[string]alerts.LeadQuery{"owner": {Owner: "wang"}, "transfer": {Transfer: "VP1"}, "cell": {Cell: "s1"}} {
			q.Limit = 9
			page, err := s.Leads(ctx, q)
			check(name, len(page.Leads) == 1 && page.Leads[0].Supervised && page.Leads[0].Level == 2 && page.Leads[0].Transfer.Key == "VP1" &&
				len(page.Leads[0].Clocks) == 1 && page.Leads[0].Clocks[0].Rung == 1 && len(page.Leads[0].Orders) == 2, err)
		}
		first, err := s.Orders(ctx, alerts.OrderQuery{Limit: 1})
		check("orders", len(first.Orders) == 1 && first.Orders[0].Order.ID == "o2" && first.Orders[0].Lead.ID == "a" && first.Next != "", err)
		rest, err := s.Orders(ctx, alerts.OrderQuery{Limit: 1, Cursor: first.Next, Department: "fire", States: []alerts.OrderState{alerts.OrderSent}})
		check("further orders", len(rest.Orders) == 1 && rest.Orders[0].Order.Part == alerts.PartLead && rest.Next == "", err)
		due, err := s.DueClocks(ctx, taken, 9)
		check("due clocks", len(due) == 1 && due[0].Stage == alerts.StageTriage, err)
		next, err := s.NextClock(ctx, noon)
		check("next clock", next.Equal(taken), err)
		page, err := s.Suppressions(ctx, alerts.SuppressionQuery{By: alerts.QuietChatter, Camera: "c1", Limit: 9})
		check("suppressions", len(page.Suppressions) == 1 && page.Suppressions[0].Lead == "a", err)
		by, err := s.SuppressedBy(ctx, noon, taken)
		check("suppressed by", by[alerts.QuietChatter] == 1, err)
		begins, shelf, err := s.Source(ctx, detect.Finding{Camera: "c1", Zone: "gate", Rule: detect.RuleRef{ID: "r"}, Began: noon.Add(time.Second)}, noon.Add(-time.Second), noon)
		check("source", begins == 2 && shelf != nil && shelf.ID == "sh", err)
		handovers, err := s.Handovers(ctx, 9)
		check("handovers", len(handovers) == 1 && handovers[0].Taken.Equal(taken) && handovers[0].Leads[0].Number == 1, err)
		cameras, err := s.LeadCameras(ctx, "a")
		check("cameras", len(cameras) == 2 && cameras[0].Until != nil && cameras[1].Until == nil, err)
		history, _, err := s.Histories(ctx, noon, taken, "")
		check("histories", len(history) == 1 && len(history[0].Trace) == 1 && history[0].Trace[0].Act == alerts.ActMoved, err)
		write(t, s, func(ctx context.Context, tx alerts.Tx) error {
			owned, err := tx.OwnedLeads(ctx, "wang", 9)
			check("owned", len(owned) == 1, err)
			id, err := tx.Neighbour(ctx, detect.KindIntrusion, "s1", "c9", noon)
			check("neighbour", id == "a", err)
			mark, err := tx.SteadyMark(ctx)
			check("steady", mark.Steady.Equal(noon) && mark.Wall.Equal(taken), err)
			return nil
		})
	})
}
