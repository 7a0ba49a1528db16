package alerts_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"videopatrol/alerts"
)

// person does what a line says that somebody does.
func (s *story) person(name, does string, words []string) error {
	s.t.Helper()
	e, ctx := s.gateway.engine, s.t.Context()
	list := func(key string) []string {
		if v := s.named[key]; v != "" {
			return strings.Split(v, ",")
		}
		return nil
	}
	switch {
	case does == "moves" && len(words) >= 3:
		into := ""
		if n := s.named["into"]; n != "" {
			into = s.lead(n).ID
		}
		_, err := e.Transition(ctx, alerts.Transition{
			Lead: s.lead(words[0]).ID, To: alerts.LeadState(words[2]), By: name, Reason: s.named["reason"],
			Version: s.version(words[0]), Departments: list("departments"), Copies: list("copies"), Into: into,
		})
		return err
	case does == "claims", does == "releases", does == "takes":
		act := map[string]alerts.Act{"claims": alerts.ActClaimed, "releases": alerts.ActReleased, "takes": alerts.ActTakenOver}[does]
		_, err := e.Claim(ctx, alerts.Claim{
			Lead: s.lead(words[0]).ID, Act: act, By: name, Reason: s.named["reason"], Version: s.version(words[0]),
		})
		return err
	case does == "brings" && len(words) >= 4:
		n, which, _ := strings.Cut(words[1], ".")
		lead := s.lead(n)
		_, err := e.OrderTransition(ctx, alerts.OrderTransition{
			Lead: lead.ID, Order: s.order(lead, which).ID, To: alerts.OrderState(words[3]), By: name,
			Reason: s.named["reason"], Note: s.named["note"],
		})
		return err
	case does == "sends":
		_, err := e.SendOrders(ctx, alerts.OrderRequest{
			Lead: s.lead(words[0]).ID, By: name, Departments: list("departments"), Copies: list("copies"), Version: s.version(words[0]),
		})
		return err
	case does == "answers" && len(words) >= 3:
		_, err := e.AnswerTransfer(ctx, alerts.TransferAnswer{
			Key: s.lead(words[0]).Transfer.Key, To: alerts.LeadState(words[2]), By: name, Reason: s.named["reason"],
		})
		return err
	case does == "offers":
		_, err := e.OfferHandover(ctx, name, s.named["note"], "")
		return err
	case does == "signs":
		all, err := e.Handovers(ctx, 1)
		s.must(err)
		_, err = e.TakeHandover(ctx, all[0].ID, name, "")
		return err
	}
	s.fail("no such action")
	return nil
}

// shelf is what a line says of shelves; it has no lead to name.
func (s *story) shelf(name, does string) error {
	s.t.Helper()
	e, ctx := s.gateway.engine, s.t.Context()
	if does == "shelves" {
		_, err := e.Shelve(ctx, alerts.Shelf{
			Camera: s.named["camera"], Rule: s.named["rule"], Reason: s.named["reason"], By: name,
			To: s.gateway.wall().Add(s.duration(s.named["for"])),
		})
		return err
	}
	all, err := e.Shelves(ctx)
	s.must(err)
	_, err = e.Unshelve(ctx, all[len(all)-1].ID, name, "")
	return err
}

// version is the one that a person saw: the newest, unless the line says.
func (s *story) version(number string) int64 {
	s.t.Helper()
	if v := s.named["version"]; v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		s.must(err)
		return n
	}
	return s.lead(number).Version
}

// order is the lead's order with that number, or the newest of a department.
func (s *story) order(l alerts.Lead, which string) alerts.Order {
	s.t.Helper()
	if i, err := strconv.Atoi(which); err == nil && i <= len(l.Orders) {
		return l.Orders[i-1]
	}
	for _, o := range slices.Backward(l.Orders) {
		if o.Department == which {
			return o
		}
	}
	s.fail("it has no order %s", which)
	return alerts.Order{}
}

func (s *story) trace(number string) []alerts.Step {
	s.t.Helper()
	steps, err := s.gateway.engine.Trace(s.t.Context(), s.lead(number).ID)
	s.must(err)
	return steps
}

func (s *story) wantAct() {
	s.t.Helper()
	steps := s.trace(s.words[2])
	if !slices.ContainsFunc(steps, func(p alerts.Step) bool {
		by := len(s.words) < 7 || p.By == s.words[6]
		about := s.named["about"] == "" || p.About == s.named["about"]
		reason := s.named["reason"] == "" || p.Reason == s.named["reason"]
		return string(p.Act) == s.words[4] && by && about && reason && s.within(p.At.Sub(s.start))
	}) {
		s.fail("the trace is %+v", steps)
	}
}

func (s *story) wantClock() {
	s.t.Helper()
	got := "none"
	for _, c := range s.lead(s.words[1]).Clocks {
		if string(c.Stage) == s.words[2] {
			got = c.DueAt.Sub(s.start).String()
			break
		}
	}
	want := "none"
	if s.words[3] == "due" {
		want = s.duration(s.words[4]).String()
	}
	if got != want {
		s.fail("it is due at %s of %v", got, s.lead(s.words[1]).Clocks)
	}
}

// fleet is what a line says of many cameras.
func (s *story) fleet() {
	s.t.Helper()
	now := s.gateway.wall()
	switch does := s.words[1]; does {
	case "looks":
	case "fails", "works":
		for i, c := range s.cameras {
			if c.Cells[1] != "t1" || s.named["host"] != "" && c.Host != "h"+s.named["host"] {
				continue
			}
			if s.cameras[i].Down = (time.Time{}); does == "fails" {
				s.cameras[i].Down, s.cameras[i].Reason = now, "unreachable"
			}
		}
	default:
		n, err := strconv.Atoi(does)
		s.must(err)
		hosts, err := strconv.Atoi(s.named["hosts"])
		s.must(err)
		for i := range n + n/3 {
			c := alerts.CameraState{Camera: fmt.Sprintf("f%04d", i), Host: fmt.Sprintf("h%d", i%hosts), Cells: []string{"city", "t1", "g1"}}
			if i >= n {
				c.Host, c.Cells = fmt.Sprintf("elsewhere%d", i%hosts), []string{"city", "t2", "g2"}
			}
			s.cameras = append(s.cameras, c)
		}
	}
	s.must(s.gateway.engine.ObserveCameras(s.t.Context(), s.cameras))
}

func (s *story) wantQueue() {
	s.t.Helper()
	raised := all(s.t, s.gateway.engine, alerts.LeadQuery{States: []alerts.LeadState{alerts.LeadRaised}})
	q := alerts.QueueOf(raised, s.gateway.wall(), s.gateway.routes.Flood())
	got := map[string]string{"total": strconv.Itoa(q.Total), "rows": strconv.Itoa(len(q.Groups)), "recent": strconv.Itoa(q.Recent)}
	listed := 0
	for _, g := range q.Groups {
		listed += len(g.Leads)
		if g.Count != len(g.Leads) {
			s.fail("a row counts %d and lists %d", g.Count, len(g.Leads))
		}
	}
	for _, l := range raised {
		if l.ID == q.Groups[0].Leads[0] {
			got["first"] = strconv.FormatInt(l.Number, 10)
		}
	}
	mood := map[bool]string{true: "flood", false: "calm"}[q.Flood]
	if mood != s.words[1] || listed != len(raised) {
		s.fail("it is %s and lists %d of %d", mood, listed, len(raised))
	}
	for k, want := range s.named {
		if got[k] != want {
			s.fail("%s is %s", k, got[k])
		}
	}
}

// look is what a line says of a camera's sight.
func (s *story) look(camera, does string) {
	s.t.Helper()
	if s.sights == nil {
		s.sights = map[string]*alerts.Blind{}
	}
	by := map[string]alerts.Blindness{"blind": alerts.BlindCamera, "shed": alerts.BlindShed}[does]
	switch {
	case does == "sees":
		s.sights[camera] = nil
	case by == "":
		s.fail("a camera is blind, shed, or sees")
	case s.sights[camera] == nil:
		s.sights[camera] = &alerts.Blind{By: by, Reason: s.named["reason"], Since: s.gateway.wall()}
	default: // it is blind for another reason, and has been before
		s.sights[camera] = &alerts.Blind{By: by, Reason: s.named["reason"], Since: s.sights[camera].Since}
	}
	s.tellSights()
}

// tellSights is the patrol's word on every camera.
func (s *story) tellSights() {
	s.t.Helper()
	s.looked = time.Now()
	var all []alerts.Sight
	for camera, b := range s.sights {
		all = append(all, alerts.Sight{Camera: camera, Blind: b})
	}
	s.must(s.gateway.engine.ObserveSight(s.t.Context(), all))
}
