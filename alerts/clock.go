package alerts

import (
	"fmt"
	"slices"
	"time"

	"videopatrol/internal/strictyaml"
)

// Stage is what a clock waits for.
type Stage string

// The stages.
const (
	StageTriage      Stage = "triage"      // 研判: somebody accepts or rejects
	StageDispatch    Stage = "dispatch"    // 派单: departments get their orders
	StageAcknowledge Stage = "acknowledge" // 签收: a department takes its order
	StageArrive      Stage = "arrive"      // 到场: … and is on the scene
	StageResolve     Stage = "resolve"     // 办结: the work is done
)

// Stages lists every stage in the order of a lead's life.
func Stages() []Stage {
	return []Stage{StageTriage, StageDispatch, StageAcknowledge, StageArrive, StageResolve}
}

// ClockRule says how long a stage may take, and who hears of it when it takes
// longer.
type ClockRule struct {
	Stage Stage `yaml:"stage"`
	// Kinds are patterns, Severities severities; none means all. The first
	// rule of a stage that fits counts.
	Kinds      []string   `yaml:"kinds"`
	Severities []Severity `yaml:"severities"`
	// Within is how long it may take, of the working calendar when Working is
	// set. Remind is how long before its end the owner is reminded; 0: never.
	Within   time.Duration `yaml:"within"`
	Remind   time.Duration `yaml:"remind"`
	Working  bool          `yaml:"working"`
	Escalate []Escalation  `yaml:"escalate"`
	// Expire is how long after its end a lead that nobody has judged expires,
	// of the stage triage alone; 0: never. See Judge for which ones wait.
	Expire time.Duration `yaml:"expire"`
}

// Escalation is who hears of a clock that ran out, and how long after.
type Escalation struct {
	After time.Duration `yaml:"after"`
	To    string        `yaml:"to"` // a post or a department
	// Supervise puts the lead under supervision (督办) as well.
	Supervise bool `yaml:"supervise"`
}

// DueClock is a clock that runs for a lead or for one of its orders. Its times
// are by the steady clock (see steady) until they are shown.
type DueClock struct {
	Stage Stage     `json:"stage"`
	DueAt time.Time `json:"due_at"`
	// Order is the one that it runs for; "" is the lead itself.
	Order string `json:"order,omitempty"`

	Started time.Time `json:"-"`
	// Ladder is what happens while it runs, as the routes were when it started:
	// a clock keeps it, whatever becomes of them.
	Ladder []Rung `json:"-"`
	// Rung is how many rungs of the ladder are done, NextAt when the next one
	// is due; zero: there is none.
	Rung   int       `json:"-"`
	NextAt time.Time `json:"-"`
}

// Rung is one thing that happens while a clock runs: a person hears of it, or
// by ActMoved the lead expires.
type Rung struct {
	After   time.Duration `json:"after"` // since the clock started
	Working bool          `json:"working,omitempty"`
	Act     Act           `json:"act"`
	To      string        `json:"to,omitempty"`
}

// ladder is what happens while a clock of the rule runs, in order.
func (r ClockRule) ladder() []Rung {
	var l []Rung
	add := func(after time.Duration, act Act, to string) {
		l = append(l, Rung{After: after, Working: r.Working, Act: act, To: to})
	}
	if r.Remind > 0 {
		add(r.Within-r.Remind, ActReminded, "")
	}
	add(r.Within, ActBreached, "")
	for _, e := range r.Escalate {
		act := ActEscalated
		if e.Supervise {
			act = ActSupervised
		}
		add(r.Within+e.After, act, e.To)
	}
	if r.Expire > 0 {
		add(r.Within+r.Expire, ActMoved, "")
	}
	return l
}

// clockRule is the rule of a stage of a lead.
func (r *Routes) clockRule(l Lead, stage Stage) (ClockRule, bool) {
	if r == nil {
		return ClockRule{}, false
	}
	i := slices.IndexFunc(r.clocks, func(c ClockRule) bool {
		return c.Stage == stage && fitsKind(c.Kinds, l.Kind) && (len(c.Severities) == 0 || slices.Contains(c.Severities, l.Severity))
	})
	if i < 0 {
		return ClockRule{}, false
	}
	return r.clocks[i], true
}

// add is when so much time, of the working calendar or not, has passed.
func (r *Routes) add(working bool, from time.Time, d time.Duration) time.Time {
	if working {
		return r.calendar.Add(from, d)
	}
	return from.Add(d)
}

// waits are the clocks that should run for a lead as it is, without times.
func waits(l Lead) []DueClock {
	s := StandingOf(l)
	var all []DueClock
	switch l.State {
	case LeadRaised:
		return []DueClock{{Stage: StageTriage}}
	case LeadAccepted, LeadReopened:
		return []DueClock{{Stage: StageDispatch}}
	case LeadDispatched, LeadAcknowledged:
		all = append(all, DueClock{Stage: StageResolve})
		if s.Open() == 0 && s.Done == 0 {
			all = append(all, DueClock{Stage: StageDispatch}) // all returned theirs
		}
	default:
		return nil
	}
	now := round(l)
	for _, o := range l.Orders {
		if o.Round != now || o.Part == PartCopy {
			continue
		}
		switch o.State {
		case OrderSent:
			all = append(all, DueClock{Stage: StageAcknowledge, Order: o.ID})
		case OrderAcknowledged:
			all = append(all, DueClock{Stage: StageArrive, Order: o.ID})
		default:
		}
	}
	return all
}

// start is a clock of a rule that begins at a time of the wall clock, offset
// being what the wall clock is ahead of the steady one.
func (r *Routes) start(rule ClockRule, c DueClock, wall time.Time, offset time.Duration) DueClock {
	c.Started, c.Ladder = wall.Add(-offset), rule.ladder()
	c.DueAt = r.add(rule.Working, wall, rule.Within).Add(-offset)
	c.NextAt = r.add(rule.Working, wall, c.Ladder[0].After).Add(-offset)
	return c
}

// due says what happens with a clock at a time of the steady clock: the rung
// that is due, and the clock after it. ok is false when nothing is due. Each
// rung comes once, whatever the clocks do, because the clock counts them.
func (r *Routes) due(c DueClock, now time.Time, offset time.Duration) (Rung, DueClock, bool) {
	switch {
	case c.NextAt.IsZero() || now.Before(c.NextAt):
		return Rung{}, c, false
	case c.Rung >= len(c.Ladder):
		c.NextAt = time.Time{}
		return Rung{}, c, false
	}
	done := c.Ladder[c.Rung]
	c.Rung++
	c.NextAt = time.Time{}
	if c.Rung < len(c.Ladder) {
		next := c.Ladder[c.Rung]
		c.NextAt = r.add(next.Working, c.Started.Add(offset), next.After).Add(-offset)
	}
	return done, c, true
}

func (c *checker) checkClocks() {
	for i, r := range c.routes.clocks {
		at := fmt.Sprintf("$.clocks[%d]", i)
		if !slices.Contains(Stages(), r.Stage) {
			c.bad(at+".stage", "no such stage %q (want one of %v)", r.Stage, Stages())
		}
		c.checkKinds(at, r.Kinds)
		for j, s := range r.Severities {
			if !slices.Contains(Severities(), s) {
				c.bad(fmt.Sprintf("%s.severities[%d]", at, j), "no such severity %q (want high, medium or low)", s)
			}
		}
		if r.Within < time.Second {
			c.bad(at+".within", "how long the stage may take is 1s at least")
		}
		if r.Remind < 0 || r.Remind >= r.Within && r.Remind > 0 {
			c.bad(at+".remind", "is how long before the end people are reminded, and shorter than within")
		}
		last := time.Duration(0)
		for j, e := range r.Escalate {
			where := fmt.Sprintf("%s.escalate[%d]", at, j)
			if e.After < last {
				c.bad(where+".after", "comes no earlier than the escalation before it")
			}
			last = e.After
			c.checkPost(where+".to", e.To)
		}
		switch {
		case r.Expire < 0 || r.Expire > 0 && r.Stage != StageTriage:
			c.bad(at+".expire", "is how long after its end a lead expires that nobody has judged: of the stage triage alone, 0 is never")
		case r.Expire > 0 && r.Expire < last:
			c.bad(at+".expire", "comes no earlier than the last escalation")
		}
	}
	for name, dates := range map[string][]string{"holidays": c.routes.calendar.Holidays, "workdays": c.routes.calendar.Workdays} {
		for j, d := range dates {
			if _, err := time.Parse(dateForm, d); err != nil {
				c.bad(fmt.Sprintf("$.calendar.%s[%d]", name, j), "%q is no date (want 2026-10-01)", d)
			}
		}
	}
	for j, h := range c.routes.calendar.Hours {
		if h.From > h.To {
			c.bad(fmt.Sprintf("$.calendar.hours[%d]", j), "working hours end on the day on which they begin; write two spans, to 24:00 and from 00:00")
		}
	}
}

// checkPost notes a post or department that is not there.
func (c *checker) checkPost(at, name string) {
	var names []string
	for _, p := range c.routes.posts {
		names = append(names, p.ID)
	}
	for _, d := range c.routes.departments {
		names = append(names, d.ID)
	}
	if !slices.Contains(names, name) {
		c.bad(at, "no such post or department %q; did you mean %q?", name, strictyaml.Nearest(name, slices.Values(names)))
	}
}
