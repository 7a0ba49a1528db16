package alerts

import (
	"context"
	"fmt"
	"slices"
	"time"

	"videopatrol/detect"
)

// QuietRule names what keeps a condition from being shown as a lead of its
// own.
type QuietRule string

// The rules, in the order in which they are asked.
const (
	QuietShadow     QuietRule = "shadow"     // a detection rule on trial
	QuietQuarantine QuietRule = "quarantine" // a rule that is wrong at a camera
	QuietShelved    QuietRule = "shelved"    // a person quieted the source
	QuietDisarmed   QuietRule = "disarmed"   // the zone is not armed
	QuietChatter    QuietRule = "chatter"    // the source begins again and again
	QuietCoolDown   QuietRule = "cool_down"  // the last one has just ended
	QuietNeighbour  QuietRule = "neighbour"  // another camera's lead shows it: merged
)

// QuietRules lists every rule.
func QuietRules() []QuietRule {
	return []QuietRule{
		QuietShadow, QuietQuarantine, QuietShelved, QuietDisarmed, QuietChatter, QuietCoolDown, QuietNeighbour,
	}
}

// Quiet says how much of what happens is shown. Its zero value shows all.
type Quiet struct {
	// Chatter: a source that began Changes times within In is not shown until
	// it was calm for as long; 0 shows it.
	Chatter struct {
		Changes int           `yaml:"changes"`
		In      time.Duration `yaml:"in"`
	} `yaml:"chatter"`
	// CoolDown is for how long after its end a source is not shown again, by
	// pattern of kinds; the first one that fits counts.
	CoolDown []CoolDown `yaml:"cool_down"`
	// Neighbours: leads of one kind in one sub-cell within this time become
	// one; 0 is never.
	Neighbours time.Duration `yaml:"neighbours"`
	// Flood: more than Leads raised within In group what is low.
	Flood Flood `yaml:"flood"`
	// Shadow are ids of rules on trial: they raise nothing and are counted.
	Shadow []string `yaml:"shadow"`
	// Quarantine are rules that raise nothing at some cameras.
	Quarantine []Quarantine `yaml:"quarantine"`
}

// CoolDown is how long sources of some kinds are not shown again.
type CoolDown struct {
	Kinds []string      `yaml:"kinds"`
	For   time.Duration `yaml:"for"`
}

// Quarantine is a rule that raises nothing at some cameras; none means all.
type Quarantine struct {
	Rule    string   `yaml:"rule"`
	Cameras []string `yaml:"cameras"`
}

// Source is what is known of a condition's source when it is asked whether it
// is shown.
type Source struct {
	// Begins counts the conditions of the key that began within the time of
	// chatter, this one included.
	Begins int
	// Shelf is the one that it lies on, if any.
	Shelf *Shelf
	// Armed tells whether the zone is armed.
	Armed bool
	// Before is the key's condition before this one, and while this one runs
	// itself; zero: there is none.
	Before Condition
}

// judge says which rule keeps a finding's condition back, "" being none.
func (q Quiet) judge(s Source, f detect.Finding) QuietRule {
	last := s.Before.Began
	if s.Before.Ended.After(last) {
		last = s.Before.Ended
	}
	switch {
	case slices.Contains(q.Shadow, f.Rule.ID):
		return QuietShadow
	case slices.ContainsFunc(q.Quarantine, func(x Quarantine) bool {
		return x.Rule == f.Rule.ID && (len(x.Cameras) == 0 || slices.Contains(x.Cameras, f.Camera))
	}):
		return QuietQuarantine
	case s.Shelf != nil:
		return QuietShelved
	case !s.Armed:
		return QuietDisarmed
	case q.Chatter.Changes > 0 && (s.Begins >= q.Chatter.Changes ||
		s.Before.Quiet == QuietChatter && soonAfter(f.At, last, q.Chatter.In)):
		return QuietChatter
	case !s.Before.shown().IsZero() && soonAfter(f.At, s.Before.shown(), q.coolDown(f.Kind)):
		return QuietCoolDown
	}
	return ""
}

// soonAfter tells whether at comes less than d after a time. What lies ahead of at
// was seen before the wall clock was set back: how long ago that was is not
// known, and keeps nothing quiet.
func soonAfter(at, after time.Time, d time.Duration) bool {
	since := at.Sub(after)
	return since >= 0 && since < d
}

func (q Quiet) coolDown(kind detect.Kind) time.Duration {
	for _, c := range q.CoolDown {
		if fitsKind(c.Kinds, kind) {
			return c.For
		}
	}
	return 0
}

// Suppression is one condition that was not shown as a lead of its own.
type Suppression struct {
	// ID stands in the condition where a lead's would.
	ID     string              `json:"id"`
	At     time.Time           `json:"at"`
	By     QuietRule           `json:"by"`
	Key    detect.ConditionKey `json:"source"`
	Kind   detect.Kind         `json:"kind"`
	Began  time.Time           `json:"began_at"`
	Detail string              `json:"detail,omitempty"` // such as the shelf's id
	// Lead is the one that it became a part of, or that was raised after all.
	Lead string `json:"lead,omitempty"`
}

// sources is a place to ask about a source: the record, or a transaction.
type sources interface {
	Source(ctx context.Context, f detect.Finding, since, now time.Time) (begins int, shelf *Shelf, err error)
}

// quietly says which rule keeps a finding's condition from being shown, and
// more of it in words.
func (e *Engine) quietly(ctx context.Context, from sources, have Condition, f detect.Finding, now time.Time) (QuietRule, string, error) {
	routes := e.Routes()
	if routes == nil || f.Camera == e.canary || f.Kind == KindCameraFault {
		return "", "", nil
	}
	q := routes.quiet
	s := Source{Armed: e.places.armed(f, routes.zone), Before: have}
	var err error
	if s.Begins, s.Shelf, err = from.Source(ctx, f, f.At.Add(-q.Chatter.In), now); err != nil {
		return "", "", err
	}
	by := q.judge(s, f)
	if by == QuietShelved {
		return by, "shelf " + s.Shelf.ID, nil
	}
	return by, "", nil
}

func (c *checker) checkQuiet() {
	q := c.routes.quiet
	if q.Chatter.Changes < 0 || q.Chatter.Changes == 1 || q.Chatter.Changes > 0 && q.Chatter.In <= 0 {
		c.bad("$.quiet.chatter", "is at least 2 changes in a time, such as {changes: 3, in: 60s}; 0 changes show all")
	}
	for i, d := range q.CoolDown {
		at := fmt.Sprintf("$.quiet.cool_down[%d]", i)
		c.checkKinds(at, d.Kinds)
		if d.For <= 0 || d.For > 24*time.Hour {
			c.bad(at+".for", "a cool-down is above 0 and at most 24h")
		}
	}
	if q.Neighbours < 0 || q.Neighbours > time.Hour {
		c.bad("$.quiet.neighbours", "is at most 1h; 0 joins none")
	}
	if q.Flood.Leads < 0 || q.Flood.Leads > 0 && q.Flood.In <= 0 {
		c.bad("$.quiet.flood", "is a number of leads in a time, such as {leads: 10, in: 10m}; 0 leads group nothing")
	}
	if o := c.routes.outages; o.Hold < 0 || o.Together < 0 || o.Share < 0 || o.Share > 1 {
		c.bad("$.outages", "is such as {hold: 5m, together: 3, share: 0.8}; hold 0 raises none")
	}
	for i, x := range q.Quarantine {
		if x.Rule == "" {
			c.bad(fmt.Sprintf("$.quiet.quarantine[%d].rule", i), "names the rule that raises nothing")
		}
	}
}
