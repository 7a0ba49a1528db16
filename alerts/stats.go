package alerts

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Statistics are the figures of the leads that were raised in a time.
type Statistics struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Total Tally     `json:"total"`
	// Stages are how long leads stayed in a state before they left it.
	Stages      map[LeadState]Spread `json:"stages"`
	Breaches    map[Stage]int        `json:"breaches" doc:"clocks that ran out, by stage"`
	Suppressed  map[QuietRule]int    `json:"suppressed" doc:"conditions that were not shown as a lead of their own, by rule"`
	Cells       []CellTally          `json:"cells" doc:"by first-level cell, the most leads first"`
	Departments []DepartmentTally    `json:"departments" doc:"the most orders first"`
	// Noisiest are the rules at cameras that were rejected most, at most ten.
	Noisiest []RuleTally `json:"noisiest"`
}

// Tally counts leads by what came of them.
type Tally struct {
	Raised   int `json:"raised"`
	Accepted int `json:"accepted" doc:"somebody took it up"`
	Rejected int `json:"rejected"`
	Handled  int `json:"handled" doc:"resolved or closed"`
	Expired  int `json:"expired" doc:"nobody judged it in time"`
	// Precision is accepted / (accepted + rejected), Rate handled / accepted;
	// left out where there is nothing to divide by.
	Precision *float64 `json:"precision,omitempty"`
	Rate      *float64 `json:"rate,omitempty"`
}

// CellTally counts the leads of a cell.
type CellTally struct {
	Cell string `json:"cell"`
	Name string `json:"name"`
	Tally
}

// RuleTally counts the leads of a rule at a camera.
type RuleTally struct {
	Rule    string         `json:"rule"`
	Camera  string         `json:"camera"`
	Reasons map[string]int `json:"reasons" doc:"of the rejections"`
	// Shelve suggests that somebody shelve or tune it.
	Shelve bool `json:"shelve"`
	Tally
}

// DepartmentTally counts the orders of a department.
type DepartmentTally struct {
	Department string `json:"department"`
	Orders     int    `json:"orders"`
	Done       int    `json:"done"`
	Returned   int    `json:"returned"`
	// Acknowledge is how long it took to take an order, Finish to be done.
	Acknowledge Spread `json:"acknowledge"`
	Finish      Spread `json:"finish"`
}

// Spread is how times spread, in seconds.
type Spread struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_seconds"`
	P95   float64 `json:"p95_seconds"`
}

// History is a lead with its trace.
type History struct {
	Lead  Lead
	Trace []Step
}

// Bounds of the suggestion to shelve: judged so often, and right so rarely.
const (
	judgedEnough = 5
	poor         = 0.3
	noisiest     = 10
)

// MostStatistics is how long a time statistics may be of.
const MostStatistics = 366 * 24 * time.Hour

// Statistics counts the leads that were raised from one time up to another,
// canary leads left out.
func (e *Engine) Statistics(ctx context.Context, from, to time.Time) (Statistics, error) {
	if !from.Before(to) || to.Sub(from) > MostStatistics {
		return Statistics{}, fmt.Errorf("statistics are of a time up to %d days", MostStatistics/(24*time.Hour))
	}
	c := newCounter()
	for cursor := ""; ; {
		page, next, err := e.store.Histories(ctx, from, to, cursor)
		if err != nil {
			return Statistics{}, fmt.Errorf("statistics: %w", err)
		}
		for _, h := range page {
			c.add(h)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	s := c.statistics()
	s.From, s.To = from.UTC(), to.UTC()
	var err error
	s.Suppressed, err = e.store.SuppressedBy(ctx, from, to)
	return s, err
}

// StatisticsOf counts leads with their traces.
func StatisticsOf(all []History) Statistics {
	c := newCounter()
	for _, h := range all {
		c.add(h)
	}
	return c.statistics()
}

type counter struct {
	s           Statistics
	stages      map[LeadState][]float64
	cells       map[string]*CellTally
	rules       map[[2]string]*RuleTally
	departments map[string]*DepartmentTally
	acknowledge map[string][]float64
	finish      map[string][]float64
}

func newCounter() *counter {
	return &counter{
		s:           Statistics{Breaches: map[Stage]int{}, Suppressed: map[QuietRule]int{}},
		stages:      map[LeadState][]float64{},
		cells:       map[string]*CellTally{},
		rules:       map[[2]string]*RuleTally{},
		departments: map[string]*DepartmentTally{},
		acknowledge: map[string][]float64{},
		finish:      map[string][]float64{},
	}
}

func (c *counter) add(h History) {
	l := h.Lead
	cell := c.cell(l)
	key := [2]string{l.Rule.ID, l.Camera.ID}
	if c.rules[key] == nil {
		c.rules[key] = &RuleTally{Rule: l.Rule.ID, Camera: l.Camera.ID, Reasons: map[string]int{}}
	}
	rule := c.rules[key]
	tallies := []*Tally{&c.s.Total, &cell.Tally, &rule.Tally}
	count := func(n func(*Tally) *int) {
		for _, t := range tallies {
			*n(t)++
		}
	}
	count(func(t *Tally) *int { return &t.Raised })
	var accepted, rejected, handled bool
	var reason string
	since := l.RaisedAt
	for _, s := range h.Trace {
		switch {
		case s.Act == ActBreached:
			c.s.Breaches[Stage(s.About)]++
		case s.Act != ActMoved:
		default:
			if s.From != "" {
				c.stages[s.From] = append(c.stages[s.From], max(0, s.At.Sub(since).Seconds()))
			}
			since = s.At
			// What was taken back does not count.
			accepted = s.To != LeadRaised && (accepted || s.To == LeadAccepted)
			rejected, reason = s.To == LeadRejected, s.Reason
			handled = handled || s.To == LeadResolved || s.To == LeadClosed
		}
	}
	if accepted {
		count(func(t *Tally) *int { return &t.Accepted })
	}
	if rejected {
		rule.Reasons[reason]++
		count(func(t *Tally) *int { return &t.Rejected })
	}
	if handled {
		count(func(t *Tally) *int { return &t.Handled })
	}
	if l.State == LeadExpired {
		count(func(t *Tally) *int { return &t.Expired })
	}
	c.orders(h)
}

func (c *counter) cell(l Lead) *CellTally {
	var at CellTally
	if g := firstCell(l.Grid); g != nil {
		at.Cell, at.Name = g.ID, g.Name
	}
	if c.cells[at.Cell] == nil {
		c.cells[at.Cell] = &at
	}
	return c.cells[at.Cell]
}

// orders counts the orders of a lead; when they were taken and done stands in
// its trace.
func (c *counter) orders(h History) {
	for _, o := range h.Lead.Orders {
		if o.Part == PartCopy || o.Reason == withdrawn {
			continue
		}
		d := c.departments[o.Department]
		if d == nil {
			d = &DepartmentTally{Department: o.Department}
			c.departments[o.Department] = d
		}
		d.Orders++
		switch o.State {
		case OrderDone:
			d.Done++
		case OrderReturned:
			d.Returned++
		default:
		}
		first := func(act Act, into map[string][]float64) {
			for _, s := range h.Trace {
				if s.Act == act && s.About == o.Department && !s.At.Before(o.SentAt) {
					into[o.Department] = append(into[o.Department], s.At.Sub(o.SentAt).Seconds())
					return
				}
			}
		}
		if o.State != OrderSent {
			first(ActOrderAcknowledged, c.acknowledge)
		}
		if o.State == OrderDone {
			first(ActOrderDone, c.finish)
		}
	}
}

func (c *counter) statistics() Statistics {
	s := c.s
	s.Total = s.Total.rates()
	s.Stages = map[LeadState]Spread{}
	for state, times := range c.stages {
		s.Stages[state] = spread(times)
	}
	s.Cells, s.Departments, s.Noisiest = []CellTally{}, []DepartmentTally{}, []RuleTally{}
	for _, t := range c.cells {
		t.Tally = t.rates()
		s.Cells = append(s.Cells, *t)
	}
	slices.SortFunc(s.Cells, func(a, b CellTally) int {
		return cmp.Or(cmp.Compare(b.Raised, a.Raised), strings.Compare(a.Cell, b.Cell))
	})
	for id, t := range c.departments {
		t.Acknowledge, t.Finish = spread(c.acknowledge[id]), spread(c.finish[id])
		s.Departments = append(s.Departments, *t)
	}
	slices.SortFunc(s.Departments, func(a, b DepartmentTally) int {
		return cmp.Or(cmp.Compare(b.Orders, a.Orders), strings.Compare(a.Department, b.Department))
	})
	for _, t := range c.rules {
		if t.Rejected == 0 {
			continue
		}
		t.Tally = t.rates()
		t.Shelve = t.Accepted+t.Rejected >= judgedEnough && *t.Precision < poor
		s.Noisiest = append(s.Noisiest, *t)
	}
	slices.SortFunc(s.Noisiest, func(a, b RuleTally) int {
		return cmp.Or(cmp.Compare(b.Rejected, a.Rejected), strings.Compare(a.Rule+a.Camera, b.Rule+b.Camera))
	})
	s.Noisiest = s.Noisiest[:min(noisiest, len(s.Noisiest))]
	return s
}

func (t Tally) rates() Tally {
	ratio := func(n, of int) *float64 {
		if of == 0 {
			return nil
		}
		r := float64(n) / float64(of)
		return &r
	}
	t.Precision, t.Rate = ratio(t.Accepted, t.Accepted+t.Rejected), ratio(t.Handled, t.Accepted)
	return t
}

// spread sorts times; a share of them lies at or below each figure.
func spread(times []float64) Spread {
	if len(times) == 0 {
		return Spread{}
	}
	slices.Sort(times)
	at := func(share float64) float64 { return times[max(0, int(math.Ceil(share*float64(len(times))))-1)] }
	return Spread{Count: len(times), P50: at(0.5), P95: at(0.95)}
}
