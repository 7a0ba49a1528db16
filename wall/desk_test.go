package wall_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/wall"
)

// TestClaim: of two who press at once the second one learns who was first.
func TestClaim(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	path := "/api/v1/leads/" + lead1 + "/owner"
	var got alerts.Lead
	b.do("POST", path, map[string]any{"act": "claimed", "version": 1}).json(t, &got)
	if got.Owner != "officer" || w.desk.claims[0].By != "officer" || w.desk.claims[0].Client != "127.0.0.1" {
		t.Errorf("%+v, asked %+v", got, w.desk.claims)
	}
	res := w.as(wall.RoleDispatcher).do("POST", path, map[string]any{"act": "claimed", "version": 1})
	var p wall.Problem
	res.json(t, &p)
	if res.StatusCode != http.StatusConflict || p.Owner != "officer" || p.State != alerts.LeadRaised {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	if res := b.do("POST", path, map[string]any{"act": "moved", "version": 2}); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an act that is none: %d", res.StatusCode)
	}
}

// TestOrders: what is asked reaches the desk whole, under the caller's name.
func TestOrders(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	var list wall.OrderList
	b.get("/api/v1/orders?department=fire&state=sent,returned&limit=7").json(t, &list)
	if len(list.Orders) != 1 || list.Orders[0].Lead.ID == "" || list.Orders[0].Order.Part != alerts.PartLead {
		t.Errorf("%+v", list)
	}
	if q := w.desk.orders[0]; q.Department != "fire" || len(q.States) != 2 || q.Limit != 7 {
		t.Errorf("asked %+v", q)
	}
	for _, c := range []struct {
		path string
		in   map[string]any
		want any
	}{
		{
			"/leads/" + lead1 + "/orders",
			map[string]any{"departments": []string{"fire"}, "copies": []string{"police"}, "version": 1},
			alerts.OrderRequest{Lead: lead1, By: "officer", Departments: []string{"fire"}, Copies: []string{"police"}, Version: 1, Client: "127.0.0.1"},
		},
		{
			"/leads/" + lead1 + "/orders/o1/transitions",
			map[string]any{"to": "returned", "reason": "not_ours", "note": "n"},
			alerts.OrderTransition{Lead: lead1, Order: "o1", To: alerts.OrderReturned, By: "officer", Reason: "not_ours", Note: "n", Client: "127.0.0.1"},
		},
		{
			"/transfers/VP1",
			map[string]any{"to": "closed", "reason": "handled"},
			alerts.TransferAnswer{Key: "VP1", To: alerts.LeadClosed, By: "officer", Reason: "handled", Client: "127.0.0.1"},
		},
		{
			"/shelves",
			map[string]any{"camera": camera1, "reason": " works ", "to": noon.Add(time.Hour)},
			alerts.Shelf{Camera: camera1, Reason: "works", By: "officer", To: noon.Add(time.Hour), Client: "127.0.0.1"},
		},
	} {
		w.desk.said = nil
		res := b.do("POST", "/api/v1"+c.path, c.in)
		if res.StatusCode != http.StatusOK || len(w.desk.said) != 1 || !reflect.DeepEqual(w.desk.said[0], c.want) {
			t.Errorf("%s: %d %s, asked %+v", c.path, res.StatusCode, res.body, w.desk.said)
		}
	}
	for path, in := range map[string]map[string]any{
		"/leads/" + lead1 + "/orders":                {"departments": []string{"navy"}, "version": 1},
		"/leads/" + lead1 + "/orders/o1/transitions": {"to": "lost"},
		"/transfers/VP1":                             {"to": "raised"},
		"/shelves":                                   {"camera": camera1, "to": noon},
	} {
		w.desk.said = nil
		if res := b.do("POST", "/api/v1"+path, in); res.StatusCode != http.StatusUnprocessableEntity || len(w.desk.said) != 0 {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.body)
		}
	}
	w.desk.refuse = &alerts.OrderRefusedError{From: alerts.OrderSent, To: alerts.OrderDone, Why: "no such step"}
	res := b.do("POST", "/api/v1/leads/"+lead1+"/orders/o1/transitions", map[string]any{"to": "done"})
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(res.body), "no such step") {
		t.Errorf("refused: %d %s", res.StatusCode, res.body)
	}
}

// TestShifts: a handover is offered by one and signed by another.
func TestShifts(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	var h alerts.Handover
	b.do("POST", "/api/v1/handovers", map[string]any{"note": "the gate"}).json(t, &h)
	if h.From != "officer" || h.Note != "the gate" || h.Leads == nil {
		t.Errorf("%+v", h)
	}
	b.do("POST", "/api/v1/handovers/h1/signature", nil).json(t, &h)
	if h.To != "officer" {
		t.Errorf("%+v", h)
	}
	if res := b.do("POST", "/api/v1/handovers/h9/signature", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("no handover: %d", res.StatusCode)
	}
	w.desk.refuse = &alerts.HandoverRefusedError{Why: "nobody takes over from themselves"}
	if res := b.do("POST", "/api/v1/handovers/h1/signature", nil); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("one's own: %d", res.StatusCode)
	}
}

// TestQueueAndRoutes: nothing is left out of the queue, and what has no owner
// is listed.
func TestQueueAndRoutes(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	var q alerts.Queue
	b.get("/api/v1/queue").json(t, &q)
	if q.Total != 2 || q.Flood || len(q.Groups) != 2 || q.Groups[0].Leads[0] != lead2 {
		t.Errorf("%+v", q)
	}
	var book wall.RouteBook
	b.get("/api/v1/routes").json(t, &book)
	if len(book.Departments) != 2 || len(book.Routes) != 1 || len(book.Holes) != 1 || len(book.Holes[0].Kinds) != len(alerts.Kinds())-1 {
		t.Errorf("%+v", book)
	}
	var st alerts.Statistics
	b.get("/api/v1/statistics?from=2026-11-01T00:00:00Z").json(t, &st)
	if st.Total.Raised != 1 || !st.To.Equal(noon) || len(st.Cells) != 1 {
		t.Errorf("%+v", st)
	}
	if res := b.get("/api/v1/statistics?from=2027-01-01T00:00:00Z"); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a time that ends before it begins: %d", res.StatusCode)
	}
	for _, path := range []string{"/shelves", "/suppressions?by=chatter", "/handovers"} {
		if res := b.get("/api/v1" + path); res.StatusCode != http.StatusOK || strings.Contains(string(res.body), "null") {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.body)
		}
	}
	if res := b.get("/api/v1/suppressions?by=magic"); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a rule that is none: %d", res.StatusCode)
	}
	if res := b.do("POST", "/api/v1/shelves/s9/end", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("no shelf: %d", res.StatusCode)
	}
}
