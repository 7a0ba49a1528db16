package wall

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"videopatrol/alerts"
	"videopatrol/detect"
)

// deskRoutes are the routes of a desk besides its leads: who has them, what
// departments do, what is kept quiet, and the change of shifts.
func (s *Server) deskRoutes() {
	const (
		get  = http.MethodGet
		post = http.MethodPost
	)
	route(s, ActionTransition, op("claim-lead", post, "/leads/{id}/owner", "Claim, release or take over a lead; 409 names who was first"), s.claim)
	route(s, ActionOrders, op("list-orders", get, "/orders", "Orders, newest first; who belongs to a department sees its own"), s.listOrders)
	route(s, ActionTransition, op("send-orders", post, "/leads/{id}/orders", "Send orders to further departments"), s.sendOrders)
	route(s, ActionAnswer, op("transition-order", post, "/leads/{id}/orders/{order}/transitions",
		"What a department says of its order; with its present state it is feedback alone"), s.transitionOrder)
	route(s, ActionTransition, op("answer-transfer", post, "/transfers/{key}", "A lead comes back from another centre, or was handled there"), s.answerTransfer)
	route(s, ActionRead, op("get-queue", get, "/queue", "What is to triage, the most urgent first; in a flood what is low is grouped"), s.getQueue)
	route(s, ActionRead, op("get-routes", get, "/routes", "Departments, routes, and what has no owner"), s.getRoutes)
	route(s, ActionRead, op("list-handovers", get, "/handovers", "Changes of shifts, newest first"), s.listHandovers)
	route(s, ActionTransition, op("offer-handover", post, "/handovers", "Hand one's open leads over to who signs for them"), s.offerHandover)
	route(s, ActionTransition, op("sign-handover", post, "/handovers/{id}/signature", "Take a shift over"), s.signHandover)
	route(s, ActionRead, op("list-shelves", get, "/shelves", "Sources that are quieted now"), s.listShelves)
	route(s, ActionTransition, op("shelve", post, "/shelves", "Quiet a source for at most 8 hours"), s.shelve)
	route(s, ActionTransition, op("end-shelf", post, "/shelves/{id}/end", "End a shelf early"), s.endShelf)
	route(s, ActionRead, op("list-suppressions", get, "/suppressions", "What was not shown as a lead of its own, with the rule, newest first"), s.listSuppressions)
	route(s, ActionRead, op("get-statistics", get, "/statistics", "What came of the leads raised in a time, how long it took, and which rules are wrong most"), s.getStatistics)
}

// departmentsOf are the departments as a page shows them.
func departmentsOf(r *alerts.Routes) []Department {
	var list []Department
	for _, d := range r.Departments() {
		list = append(list, Department{ID: d.ID, NameZH: d.Name.ZH, NameEN: d.Name.EN, Centre: d.Centre})
	}
	return list
}

// ClaimRequest changes a lead's owner.
type ClaimRequest struct {
	Act     alerts.Act `json:"act"`
	Reason  string     `json:"reason,omitempty" maxLength:"200" doc:"taking over demands one"`
	Version int64      `json:"version" minimum:"1" doc:"the version that the person saw"`
}

type claimInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body ClaimRequest
}

func (s *Server) claim(ctx context.Context, in *claimInput) (*body[alerts.Lead], error) {
	who := callerOf(ctx)
	lead, err := s.desk.Claim(ctx, alerts.Claim{
		Lead: in.ID, Act: in.Body.Act, By: who.Name, Reason: in.Body.Reason, Version: in.Body.Version, Client: who.Client,
	})
	return leadAnswer(lead, err)
}

// leadAnswer answers with a lead as it is after a change.
func leadAnswer(lead alerts.Lead, err error) (*body[alerts.Lead], error) {
	if err != nil {
		return nil, deskProblem(err)
	}
	return answer(whole(lead), nil)
}

type ordersInput struct {
	Department string `query:"department" maxLength:"200"`
	State      string `query:"state" maxLength:"200" doc:"one or more order states, separated by commas"`
	Limit      int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor     string `query:"cursor" maxLength:"200" doc:"next of the page before"`
}

// OrderList is one page of orders with their leads, newest first.
type OrderList struct {
	Orders []alerts.LeadOrder `json:"orders"`
	Next   string             `json:"next,omitempty" doc:"cursor of the next page"`
}

func (s *Server) listOrders(ctx context.Context, in *ordersInput) (*body[OrderList], error) {
	states, err := parseSet("state", in.State, alerts.OrderStates())
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if who.Role == RoleDepartment {
		if who.Department == "" || in.Department != "" && in.Department != who.Department {
			return nil, notYours()
		}
		in.Department = who.Department
	}
	page, err := s.desk.Orders(ctx, alerts.OrderQuery{Department: in.Department, States: states, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, deskProblem(err)
	}
	for i := range page.Orders {
		page.Orders[i].Lead = who.sees(page.Orders[i].Lead)
	}
	return answer(OrderList{Orders: orEmpty(page.Orders), Next: page.Next}, nil)
}

func notYours() error {
	return problem(http.StatusForbidden, "forbidden", "the orders of other departments are not shown")
}

// sees is a lead as far as the caller may see it. A department sees what its
// orders are about: what, where and when. Who has the lead, what others do and
// the pictures stay in the house: pictures that leave the patrol's roles have to
// be blurred, and nothing here blurs them.
func (c caller) sees(l alerts.Lead) alerts.Lead {
	if c.Role != RoleDepartment {
		return whole(l)
	}
	own := map[string]bool{}
	l.Orders = slices.DeleteFunc(slices.Clone(l.Orders), func(o alerts.Order) bool {
		own[o.ID] = o.Department == c.Department
		return !own[o.ID]
	})
	l.Clocks = slices.DeleteFunc(slices.Clone(l.Clocks), func(k alerts.DueClock) bool { return !own[k.Order] })
	l.Evidence, l.Owner, l.MergedInto, l.Transfer = nil, "", "", nil
	return whole(l)
}

// OrdersRequest sends orders to further departments.
type OrdersRequest struct {
	Departments []string `json:"departments,omitempty" maxItems:"16" doc:"the first one leads when nobody else does"`
	Copies      []string `json:"copies,omitempty" maxItems:"16" doc:"who is told alone"`
	Note        string   `json:"note,omitempty" maxLength:"2000"`
	Version     int64    `json:"version" minimum:"1" doc:"the version that the person saw"`
}

type sendOrdersInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body OrdersRequest
}

func (s *Server) sendOrders(ctx context.Context, in *sendOrdersInput) (*body[alerts.Lead], error) {
	if err := s.known(in.Body.Departments, in.Body.Copies); err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	return leadAnswer(s.desk.SendOrders(ctx, alerts.OrderRequest{
		Lead: in.ID, By: who.Name, Departments: in.Body.Departments, Copies: in.Body.Copies, Note: in.Body.Note,
		Version: in.Body.Version, Client: who.Client,
	}))
}

// OrderChange is what a department says of its order.
type OrderChange struct {
	To     alerts.OrderState `json:"to"`
	Reason string            `json:"reason,omitempty" maxLength:"200" doc:"returning demands one, such as not_ours"`
	Note   string            `json:"note,omitempty" maxLength:"2000" doc:"feedback"`
}

type orderChangeInput struct {
	ID    string `path:"id" maxLength:"64"`
	Order string `path:"order" maxLength:"100"`
	Body  OrderChange
}

func (s *Server) transitionOrder(ctx context.Context, in *orderChangeInput) (*body[alerts.Lead], error) {
	who := callerOf(ctx)
	if err := s.ownOrder(ctx, who, in.ID, in.Order); err != nil {
		return nil, err
	}
	lead, err := s.desk.OrderTransition(ctx, alerts.OrderTransition{
		Lead: in.ID, Order: in.Order, To: in.Body.To, By: who.Name, Reason: in.Body.Reason, Note: in.Body.Note, Client: who.Client,
	})
	if err != nil {
		return nil, deskProblem(err)
	}
	return answer(who.sees(lead), nil)
}

// ownOrder refuses who belongs to a department an order of another one, as if
// it were not there. An order never changes its department.
func (s *Server) ownOrder(ctx context.Context, who caller, lead, order string) error {
	if who.Role != RoleDepartment {
		return nil
	}
	l, err := s.desk.Lead(ctx, lead)
	if err == nil && !slices.ContainsFunc(l.Orders, func(o alerts.Order) bool {
		return o.ID == order && who.Department != "" && o.Department == who.Department
	}) {
		err = alerts.ErrNotFound
	}
	if err != nil {
		return deskProblem(err)
	}
	return nil
}

// TransferReply is what another centre says of a lead.
type TransferReply struct {
	To     alerts.LeadState `json:"to" doc:"accepted: it comes back; closed: it was handled there"`
	Reason string           `json:"reason,omitempty" maxLength:"200" doc:"closing demands one"`
	Note   string           `json:"note,omitempty" maxLength:"2000"`
}

type transferInput struct {
	Key  string `path:"key" maxLength:"64" doc:"the transfer's key"`
	Body TransferReply
}

func (s *Server) answerTransfer(ctx context.Context, in *transferInput) (*body[alerts.Lead], error) {
	who := callerOf(ctx)
	return leadAnswer(s.desk.AnswerTransfer(ctx, alerts.TransferAnswer{
		Key: in.Key, To: in.Body.To, By: who.Name, Reason: in.Body.Reason, Note: in.Body.Note, Client: who.Client,
	}))
}

func (s *Server) getQueue(ctx context.Context, _ *struct{}) (*body[alerts.Queue], error) {
	var leads []alerts.Lead
	err := s.scan(ctx, alerts.LeadQuery{States: []alerts.LeadState{alerts.LeadRaised}}, func(l alerts.Lead) bool {
		leads = append(leads, l)
		return true
	})
	return answer(alerts.QueueOf(leads, s.now(), s.duty().Flood()), err)
}

// DutyDepartment is a department with its roster.
type DutyDepartment alerts.Department

// RouteBook is who gets which orders, and what has no owner.
type RouteBook struct {
	Departments []DutyDepartment `json:"departments"`
	Routes      []alerts.Route   `json:"routes" doc:"in the order in which they are tried"`
	Holes       []alerts.Hole    `json:"holes" doc:"kinds, first-level cells and hours of the week without an owner"`
}

func (s *Server) getRoutes(context.Context, *struct{}) (*body[RouteBook], error) {
	duty := s.duty()
	book := RouteBook{Departments: []DutyDepartment{}, Routes: orEmpty(duty.List()), Holes: []alerts.Hole{}}
	for _, d := range duty.Departments() {
		book.Departments = append(book.Departments, DutyDepartment(d))
	}
	if duty != nil {
		book.Holes = orEmpty(duty.Holes(s.inventory().Grid))
	}
	return answer(book, nil)
}

// HandoverList is the newest changes of shifts, newest first.
type HandoverList struct {
	Handovers []alerts.Handover `json:"handovers"`
}

type handoversInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"20"`
}

func (s *Server) listHandovers(ctx context.Context, in *handoversInput) (*body[HandoverList], error) {
	all, err := s.desk.Handovers(ctx, in.Limit)
	for i := range all {
		all[i].Leads = orEmpty(all[i].Leads)
	}
	return answer(HandoverList{Handovers: orEmpty(all)}, err)
}

// HandoverRequest offers one's open leads to the next shift.
type HandoverRequest struct {
	Note string `json:"note,omitempty" maxLength:"2000" doc:"what the next shift has to know"`
}

type offerInput struct{ Body HandoverRequest }

func (s *Server) offerHandover(ctx context.Context, in *offerInput) (*body[alerts.Handover], error) {
	who := callerOf(ctx)
	return handoverAnswer(s.desk.OfferHandover(ctx, who.Name, in.Body.Note, who.Client))
}

type idInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (s *Server) signHandover(ctx context.Context, in *idInput) (*body[alerts.Handover], error) {
	who := callerOf(ctx)
	return handoverAnswer(s.desk.TakeHandover(ctx, in.ID, who.Name, who.Client))
}

func handoverAnswer(h alerts.Handover, err error) (*body[alerts.Handover], error) {
	if err != nil {
		return nil, deskProblem(err)
	}
	h.Leads = orEmpty(h.Leads)
	return answer(h, nil)
}

// ShelfList is what is quieted now, the one that ends first first.
type ShelfList struct {
	Shelves []alerts.Shelf `json:"shelves"`
}

func (s *Server) listShelves(ctx context.Context, _ *struct{}) (*body[ShelfList], error) {
	all, err := s.desk.Shelves(ctx)
	return answer(ShelfList{Shelves: orEmpty(all)}, err)
}

// ShelfRequest quiets a source.
type ShelfRequest struct {
	Camera string      `json:"camera,omitempty" maxLength:"64"`
	Zone   string      `json:"zone,omitempty" maxLength:"64"`
	Rule   string      `json:"rule,omitempty" maxLength:"64" doc:"at least a camera or a rule is named"`
	Kind   detect.Kind `json:"kind,omitempty" maxLength:"64"`
	Reason string      `json:"reason" minLength:"1" maxLength:"200"`
	To     time.Time   `json:"to" doc:"at most 8 hours from now"`
}

type shelveInput struct{ Body ShelfRequest }

func (s *Server) shelve(ctx context.Context, in *shelveInput) (*body[alerts.Shelf], error) {
	who := callerOf(ctx)
	b := in.Body
	return shelfAnswer(s.desk.Shelve(ctx, alerts.Shelf{
		Camera: b.Camera, Zone: b.Zone, Rule: b.Rule, Kind: b.Kind, Reason: strings.TrimSpace(b.Reason), To: b.To,
		By: who.Name, Client: who.Client,
	}))
}

func (s *Server) endShelf(ctx context.Context, in *idInput) (*body[alerts.Shelf], error) {
	who := callerOf(ctx)
	return shelfAnswer(s.desk.Unshelve(ctx, in.ID, who.Name, who.Client))
}

func shelfAnswer(shelf alerts.Shelf, err error) (*body[alerts.Shelf], error) {
	if err != nil {
		return nil, deskProblem(err)
	}
	return answer(shelf, nil)
}

type suppressionsInput struct {
	By     string `query:"by" maxLength:"64" doc:"the rule that kept them back"`
	Camera string `query:"camera" maxLength:"64"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" maxLength:"200" doc:"next of the page before"`
}

// SuppressionList is one page of what was not shown as a lead of its own.
type SuppressionList struct {
	Suppressions []alerts.Suppression `json:"suppressions"`
	Next         string               `json:"next,omitempty" doc:"cursor of the next page"`
}

func (s *Server) listSuppressions(ctx context.Context, in *suppressionsInput) (*body[SuppressionList], error) {
	by := alerts.QuietRule(in.By)
	if by != "" && !slices.Contains(alerts.QuietRules(), by) {
		return nil, problem(http.StatusUnprocessableEntity, "invalid", "no rule is named "+quote(in.By))
	}
	page, err := s.desk.Suppressions(ctx, alerts.SuppressionQuery{By: by, Camera: in.Camera, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, deskProblem(err)
	}
	return answer(SuppressionList{Suppressions: orEmpty(page.Suppressions), Next: page.Next}, nil)
}

type statisticsInput struct {
	From time.Time `query:"from" doc:"default 7 days before to"`
	To   time.Time `query:"to" doc:"default now; at most 366 days after from"`
}

func (s *Server) getStatistics(ctx context.Context, in *statisticsInput) (*body[alerts.Statistics], error) {
	if in.To.IsZero() {
		in.To = s.now()
	}
	if in.From.IsZero() {
		in.From = in.To.Add(-7 * 24 * time.Hour)
	}
	if !in.From.Before(in.To) || in.To.Sub(in.From) > alerts.MostStatistics {
		return nil, problem(http.StatusUnprocessableEntity, "invalid", "from lies before to, by at most 366 days")
	}
	return answer(s.desk.Statistics(ctx, in.From, in.To))
}
