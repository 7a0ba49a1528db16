package wall_test

import (
	"net/http"
	"reflect"
	"slices"
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

// TestDepartment: who belongs to a department sees and answers its own orders,
// and learns of the lead what they are about.
func TestDepartment(t *testing.T) {
	r := newRecorded(t)
	fire, police, officer := r.of("fire"), r.of("police"), r.clients["officer"]
	order := "/api/v1/leads/" + r.desk["dispatched"] + "/orders/" + r.desk["order"] + "/transitions"
	lead, err := r.store.Lead(t.Context(), r.desk["dispatched"])
	if err != nil {
		t.Fatal(err)
	}
	if res := officer.do("POST", "/api/v1/leads/"+lead.ID+"/orders", map[string]any{"departments": []string{"police"}, "version": lead.Version}); res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	var list wall.OrderList
	fire.get("/api/v1/orders").json(t, &list)
	own := slices.DeleteFunc(list.Orders, func(o alerts.LeadOrder) bool { return o.Order.ID != r.desk["order"] })
	if len(own) != 1 || own[0].Order.Department != "fire" {
		t.Fatalf("fire sees %+v", list.Orders)
	}
	checkSeen(t, own[0].Lead)
	list = wall.OrderList{}
	police.get("/api/v1/orders?department=police&state=sent").json(t, &list)
	if len(list.Orders) != 1 || list.Orders[0].Order.Department != "police" {
		t.Errorf("police sees %+v", list.Orders)
	}
	if res := police.get("/api/v1/orders?department=fire"); res.StatusCode != http.StatusForbidden {
		t.Errorf("another's orders: %d %s", res.StatusCode, res.body)
	}

	before := r.rows()
	if res := police.do("POST", order, map[string]any{"to": "acknowledged"}); res.StatusCode != http.StatusNotFound || r.rows() != before {
		t.Errorf("another's order: %d %s, %d rows", res.StatusCode, res.body, r.rows()-before)
	}
	var seen alerts.Lead
	for _, to := range []map[string]any{
		{"to": "acknowledged"}, {"to": "acknowledged", "note": "two on their way"}, {"to": "on_scene"}, {"to": "returned", "reason": "not_ours"},
	} {
		before := r.rows()
		res := fire.do("POST", order, to)
		if res.StatusCode != http.StatusOK || r.rows() == before {
			t.Fatalf("%v: %d %s, %d rows", to, res.StatusCode, res.body, r.rows()-before)
		}
		seen = alerts.Lead{}
		res.json(t, &seen)
		checkSeen(t, seen)
	}
	if o := seen.Orders[0]; o.State != alerts.OrderReturned || o.Reason != "not_ours" || o.Feedback != "two on their way" {
		t.Errorf("%+v", o)
	}
	trace, err := r.store.Trace(t.Context(), lead.ID)
	if err != nil || trace[len(trace)-1].By != "of-fire" {
		t.Errorf("%+v %v", trace, err)
	}

	var me wall.Me
	fire.get("/api/v1/me").json(t, &me)
	if me.User.Department != "fire" || len(me.Departments) != 1 || me.Departments[0].ID != "fire" || len(me.CloseReasons) != 0 {
		t.Errorf("%+v", me)
	}
	if res := fire.get("/api/v1/evidence/" + r.lead + "/" + proofID + ".jpg"); res.StatusCode != http.StatusForbidden {
		t.Errorf("a picture: %d", res.StatusCode)
	}
}

// checkSeen checks what a department learns of a lead with an order of its own.
func checkSeen(t *testing.T, l alerts.Lead) {
	t.Helper()
	if l.Summary.ZH == "" || l.Camera.ID == "" || l.Kind == "" {
		t.Errorf("it is not told what the order is about: %+v", l)
	}
	if l.Owner != "" || len(l.Evidence) != 0 || len(l.Orders) != 1 {
		t.Errorf("it sees more than its order: %+v", l)
	}
	for _, c := range l.Clocks {
		if c.Order != l.Orders[0].ID {
			t.Errorf("it sees a clock of others: %+v", c)
		}
	}
}

// TestDepartmentAccounts: a department goes with its role, and has to be one.
func TestDepartmentAccounts(t *testing.T) {
	w := newWorld(t)
	admin := w.login("admin", w.password("admin"))
	for why, in := range map[string]map[string]string{
		"no department":  {"name": "kim", "role": "department"},
		"unknown":        {"name": "kim", "role": "department", "department": "navy"},
		"another's role": {"name": "kim", "role": "officer", "department": "fire"},
	} {
		if res := admin.do("POST", "/api/v1/users", in); res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", why, res.StatusCode, res.body)
		}
	}
	if res := admin.do("POST", "/api/v1/users", map[string]string{"name": "kim", "role": "department", "department": "fire"}); res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	var users wall.AccountList
	admin.get("/api/v1/users").json(t, &users)
	for _, u := range users.Users {
		if (u.Role == wall.RoleDepartment) != (u.Department == "fire") {
			t.Errorf("%+v", u)
		}
	}
	if rows := w.journal.actions("user_create"); len(rows) != 1 || rows[0].Detail != "department fire" {
		t.Errorf("%+v", rows)
	}
}
