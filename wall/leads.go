package wall

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"videopatrol/alerts"
)

type leadsInput struct {
	State  string `query:"state" maxLength:"200" doc:"one or more lead states, separated by commas"`
	Kind   string `query:"kind" maxLength:"200" doc:"one or more kinds, separated by commas"`
	Cell   string `query:"cell" maxLength:"64" doc:"a cell of any level"`
	Camera string `query:"camera" maxLength:"64"`
	Owner  string `query:"owner" maxLength:"64" doc:"who has it"`
	Canary bool   `query:"canary" doc:"true: the gateway's own test leads instead"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" maxLength:"200" doc:"next of the page before"`
}

type leadInput struct {
	ID string `path:"id" maxLength:"64"`
}

type transitionInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body TransitionRequest
}

func (s *Server) listLeads(ctx context.Context, in *leadsInput) (*body[LeadList], error) {
	states, err := parseSet("state", in.State, alerts.LeadStates())
	if err != nil {
		return nil, err
	}
	kinds, err := parseSet("kind", in.Kind, alerts.Kinds())
	if err != nil {
		return nil, err
	}
	page, err := s.desk.Leads(ctx, alerts.LeadQuery{
		States: states, Kinds: kinds, Camera: in.Camera, Cell: in.Cell, Canary: in.Canary, Owner: in.Owner,
		Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, deskProblem(err)
	}
	list := LeadList{Leads: make([]alerts.Lead, 0, len(page.Leads)), Next: page.Next}
	for _, l := range page.Leads {
		list.Leads = append(list.Leads, whole(l))
	}
	return answer(list, nil)
}

func (s *Server) getLead(ctx context.Context, in *leadInput) (*body[LeadDetail], error) {
	lead, err := s.desk.Lead(ctx, in.ID)
	if err != nil {
		return nil, deskProblem(err)
	}
	trace, err := s.desk.Trace(ctx, in.ID)
	if err != nil {
		return nil, deskProblem(err)
	}
	merged, err := s.desk.Merged(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	for i, m := range merged {
		merged[i] = whole(m)
	}
	cameras, err := s.desk.LeadCameras(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	detail := LeadDetail{
		Lead: whole(lead), Trace: orEmpty(trace), Allowed: allowed(lead, trace, callerOf(ctx), s.now()), Merged: orEmpty(merged),
		Cameras:  orEmpty(cameras),
		Proposal: s.duty().Propose(lead.Kind, alerts.CellsOf(lead.Grid), s.now(), lead.Level),
	}
	if v, ok := s.cameraView(lead.Camera.ID); ok {
		detail.Camera = &v
	}
	return answer(detail, nil)
}

// allowed lists the states that a caller may move a lead to now, given what
// the move demands: a reason, a department.
func allowed(lead alerts.Lead, trace []alerts.Step, who caller, now time.Time) []alerts.LeadState {
	states := []alerts.LeadState{}
	if len(trace) == 0 || !who.Role.May(ActionTransition) {
		return states
	}
	for _, to := range alerts.NextStates(lead.State) {
		if slices.Contains(reachable(), to) && alerts.Judge(lead, alerts.LastDecision(trace), alerts.Transition{
			Lead: lead.ID, To: to, By: who.Name, Version: lead.Version,
			Reason: alerts.ReasonReview, Departments: []string{"any"}, Into: "any",
		}, now) == nil {
			states = append(states, to)
		}
	}
	return states
}

func (s *Server) transition(ctx context.Context, in *transitionInput) (*body[alerts.Lead], error) {
	if err := s.known(in.Body.Departments, in.Body.Copies); err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	lead, err := s.desk.Transition(ctx, alerts.Transition{
		Lead: in.ID, To: in.Body.To, By: who.Name, Reason: strings.TrimSpace(in.Body.Reason),
		Note: in.Body.Note, Version: in.Body.Version, Departments: in.Body.Departments, Copies: in.Body.Copies,
		Into: in.Body.Into, Client: who.Client,
	})
	if err != nil {
		return nil, deskProblem(err)
	}
	return answer(whole(lead), nil)
}

// known refuses departments that the routes do not have.
func (s *Server) known(lists ...[]string) error {
	for _, d := range slices.Concat(lists...) {
		if _, ok := s.duty().Department(d); !ok {
			return problem(http.StatusUnprocessableEntity, "invalid", "there is no department "+quote(d)+"; GET /me lists them")
		}
	}
	return nil
}

// reachable are the states that a person may bring a lead to: it expires by
// the clock.
func reachable() []alerts.LeadState {
	return slices.DeleteFunc(alerts.LeadStates(), func(s alerts.LeadState) bool { return s == alerts.LeadExpired })
}

// deskProblem turns what a desk refuses into an answer that a page can act on.
func deskProblem(err error) error {
	if e, ok := errors.AsType[*alerts.StaleError](err); ok {
		p := problem(http.StatusConflict, "stale", e.Error())
		p.State, p.Version, p.Owner = e.State, e.Version, e.Owner
		return p
	}
	if e, ok := errors.AsType[*alerts.RefusedError](err); ok {
		p := problem(http.StatusUnprocessableEntity, "refused", e.Error())
		p.State, p.Allowed = e.From, e.Allowed
		return p
	}
	if e, ok := errors.AsType[*alerts.OrderRefusedError](err); ok {
		return problem(http.StatusUnprocessableEntity, "refused", e.Error())
	}
	if e, ok := errors.AsType[*alerts.HandoverRefusedError](err); ok {
		return problem(http.StatusUnprocessableEntity, "refused", e.Error())
	}
	if e, ok := errors.AsType[*alerts.ShelfRefusedError](err); ok {
		return problem(http.StatusUnprocessableEntity, "refused", e.Error())
	}
	if errors.Is(err, alerts.ErrCursor) {
		return problem(http.StatusUnprocessableEntity, "invalid", err.Error())
	}
	if errors.Is(err, alerts.ErrNotFound) {
		return problem(http.StatusNotFound, "not_found", "there is no such lead, order, key, handover or shelf")
	}
	return err
}

// whole makes a lead's empty lists lists.
func whole(l alerts.Lead) alerts.Lead {
	l.Grid, l.Evidence, l.Orders, l.Clocks = orEmpty(l.Grid), orEmpty(l.Evidence), orEmpty(l.Orders), orEmpty(l.Clocks)
	return l
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// parseSet reads values separated by commas, each one of the known ones.
func parseSet[T ~string](name, text string, known []T) ([]T, error) {
	var set []T
	for v := range strings.SplitSeq(text, ",") {
		if v = strings.TrimSpace(v); v == "" {
			continue
		}
		if !slices.Contains(known, T(v)) {
			names := make([]string, len(known))
			for i, k := range known {
				names[i] = string(k)
			}
			return nil, problem(http.StatusUnprocessableEntity, "invalid",
				name+" "+quote(v)+" is none of "+strings.Join(names, ", "))
		}
		set = append(set, T(v))
	}
	return set, nil
}

// openStates are the states in which a lead still wants somebody's work.
func openStates() []alerts.LeadState {
	return slices.DeleteFunc(alerts.LeadStates(), func(s alerts.LeadState) bool { return !s.Open() })
}

// Scans over leads read at most this many pages of 500.
const maxScan = 20

// scan hands each lead of a query to a function until it returns false.
func (s *Server) scan(ctx context.Context, q alerts.LeadQuery, f func(alerts.Lead) bool) error {
	q.Limit = 500
	for range maxScan {
		page, err := s.desk.Leads(ctx, q)
		if err != nil {
			return err
		}
		for _, l := range page.Leads {
			if !f(l) {
				return nil
			}
		}
		if page.Next == "" {
			return nil
		}
		q.Cursor = page.Next
	}
	return nil
}

func (s *Server) getStats(ctx context.Context, _ *struct{}) (*body[Stats], error) {
	counts, err := s.desk.Counts(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
	local := now.In(s.zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, s.zone)
	stats := Stats{Now: now.UTC(), Leads: counts, Cameras: s.cameraCounts()}
	if stats.Leads == nil {
		stats.Leads = map[alerts.LeadState]int{}
	}
	err = s.scan(ctx, alerts.LeadQuery{}, func(l alerts.Lead) bool {
		if l.RaisedAt.Before(midnight) {
			return false
		}
		stats.RaisedToday++
		return true
	})
	return answer(stats, err)
}
