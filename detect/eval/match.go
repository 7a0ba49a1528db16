package eval

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"videopatrol/detect"
)

// AnyFault is the kind under which all scene faults are counted together.
const AnyFault = "any_fault"

// EndGrace is how long after a happening's end, beyond three intervals, its
// condition may run on: the most patient rule waits 30 s to be sure.
const EndGrace = 35 * time.Second

// slackMost bounds how far a sample may stand for what is just before or after
// it.
const slackMost = 10 * time.Second

// joinSpan is what, beside two intervals, must lie between two happenings.
const joinSpan = 2 * time.Second

// Happening is what a person, or the script of a rendered scene, says happens.
type Happening struct {
	// Kind is a kind of finding in a zone, or a scene fault where Zone is "".
	Kind, Zone string
	Begin, End time.Time
	// Dwell is how long the rule of the zone waits.
	Dwell time.Duration
	// Unsure: it stands there at first sight, or may be seen either way.
	Unsure bool
	Notes  string
}

func (h Happening) due() time.Time { return h.Begin.Add(h.Dwell) }

// Trap is what somebody might take for a happening and must not be found.
// Kind "" means any kind.
type Trap struct {
	Kind, Zone string
	Begin, End time.Time
	Notes      string
}

// Condition is what the watch declared.
type Condition struct {
	Kind, Zone string
	// Declared and Ended are receive times of samples; Ended is zero where the
	// source ended first.
	Declared, Ended time.Time
	Why             detect.Text
	Boxes           []detect.Box
	// Still is the masked picture that declared it, Before the one of the
	// sample before; JPEG.
	Still, Before []byte
}

// Facts are what Judge compares.
type Facts struct {
	Happenings []Happening
	Traps      []Trap
	Conditions []Condition
	// Samples are the receive times of the samples, in order.
	Samples  []time.Time
	Interval time.Duration
	// Precision is how far a label's begin and end may be off.
	Precision time.Duration
	// HasRule tells whether the build has a rule for a kind in a zone, or knows
	// it as a scene fault where zone is "".
	HasRule func(kind, zone string) bool
}

// Outcome is how a happening or a condition was judged.
type Outcome string

// The outcomes. Found and missed are of happenings, false and double of
// conditions; the others do not count.
const (
	OutcomeFound     Outcome = "found"
	OutcomeMissed    Outcome = "missed"
	OutcomeFalse     Outcome = "false"
	OutcomeDouble    Outcome = "double"
	OutcomeUnsure    Outcome = "unsure"
	OutcomeBlind     Outcome = "blind"
	OutcomeUnsampled Outcome = "unsampled"
	OutcomeJoined    Outcome = "joined"
	OutcomeNoRule    Outcome = "no_rule"
)

// End says how the condition of a found happening ended.
type End string

// The ends.
const (
	EndGood    End = "good"
	EndEarly   End = "early"
	EndMissing End = "missing"
)

// Verdict is the judgement on a happening, on a condition, or on both.
type Verdict struct {
	Kind, Zone string
	Outcome    Outcome
	// Happening is nil for a false or double condition, Condition for a
	// happening that nothing answers.
	Happening *Happening
	Condition *Condition
	// Delay is from due to the declaring sample, DelaySamples how many samples
	// showed it until then; only of what was found, and so is End.
	Delay        time.Duration
	DelaySamples int
	End          End
	// Reason says why, for a person.
	Reason detect.Text
}

// At is when to look.
func (v Verdict) At() time.Time {
	if v.Condition != nil && v.Outcome != OutcomeJoined {
		return v.Condition.Declared
	}
	return v.Happening.due()
}

// Judge matches conditions to happenings by the rules of the package, and
// returns the verdicts by kind, zone and time.
func Judge(f Facts) []Verdict {
	type place struct{ kind, zone string }
	happenings, conditions := map[place][]Happening{}, map[place][]Condition{}
	var places []place
	note := func(p place) {
		if !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	var out []Verdict
	for _, h := range f.Happenings {
		if !f.HasRule(h.Kind, h.Zone) {
			out = append(out, Verdict{
				Kind: h.Kind, Zone: h.Zone, Outcome: OutcomeNoRule, Happening: &h,
				Reason: detect.Text{ZH: "本版本没有该规则", EN: "this build has no rule for it"},
			})
			continue
		}
		p := place{h.Kind, h.Zone}
		note(p)
		happenings[p] = append(happenings[p], h)
	}
	for _, c := range f.Conditions {
		p := place{c.Kind, c.Zone}
		note(p)
		conditions[p] = append(conditions[p], c)
	}
	for _, p := range places {
		out = append(out, f.judge(happenings[p], conditions[p])...)
	}
	slices.SortStableFunc(out, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Zone, b.Zone), a.At().Compare(b.At()))
	})
	return out
}

// judge is Judge for one kind and zone.
func (f Facts) judge(happenings []Happening, conditions []Condition) []Verdict {
	slices.SortFunc(happenings, func(a, b Happening) int { return a.Begin.Compare(b.Begin) })
	slices.SortFunc(conditions, func(a, b Condition) int { return a.Declared.Compare(b.Declared) })
	var out []Verdict
	answer := make([]*Condition, len(happenings))
	outcomes := make([]Outcome, len(happenings))
	for i, h := range happenings {
		outcomes[i] = f.counts(h)
	}
	for i := range conditions {
		c := &conditions[i]
		first, again := -1, -1
		for j, h := range happenings {
			switch {
			case !f.answers(*c, h):
			case answer[j] == nil:
				first = j
			default:
				again = j
			}
		}
		v := Verdict{Kind: c.Kind, Zone: c.Zone, Condition: c}
		switch {
		case first >= 0:
			answer[first] = c
			continue
		case again < 0:
			v.Outcome, v.Reason = OutcomeFalse, f.whyFalse(*c, happenings)
		case outcomes[again] != OutcomeFound:
			v.Outcome = outcomes[again]
		default:
			v.Outcome = OutcomeDouble
			v.Reason = detect.Text{ZH: "同一情况重复告知", EN: "told again while the same thing lasted"}
		}
		out = append(out, v)
	}
	ends := f.lookBack(happenings, answer, outcomes)
	for i := range happenings {
		h := &happenings[i]
		v := Verdict{Kind: h.Kind, Zone: h.Zone, Happening: h, Condition: answer[i], Outcome: outcomes[i]}
		switch {
		case v.Outcome != OutcomeFound:
		case v.Condition == nil:
			v.Outcome, v.Reason = OutcomeMissed, f.whyMissed(*h)
		default:
			f.measure(&v, ends[i])
		}
		out = append(out, v)
	}
	return out
}

// lookBack lets the condition of a happening stand for those that follow it so
// closely that no rule could have told them apart. It returns when the last
// thing ends that the condition of each happening stands for.
func (f Facts) lookBack(happenings []Happening, answer []*Condition, outcomes []Outcome) []time.Time {
	ends := make([]time.Time, len(happenings))
	owner := 0
	for i, h := range happenings {
		c := answer[owner]
		follows := i > 0 && c != nil && h.Begin.Sub(happenings[i-1].End) < 2*f.Interval+joinSpan &&
			(c.Ended.IsZero() || c.Ended.After(h.due()))
		switch {
		case answer[i] != nil || !follows:
			owner = i
		case outcomes[i] == OutcomeFound:
			answer[i], outcomes[i] = c, OutcomeJoined
		}
		if h.End.After(ends[owner]) {
			ends[owner] = h.End
		}
	}
	return ends
}

// slack is by how much a condition may come before a happening is due, or
// after its end.
func (f Facts) slack() time.Duration { return f.Precision + min(f.Interval, slackMost) }

// answers tells whether a condition was declared while the happening was due.
func (f Facts) answers(c Condition, h Happening) bool {
	return !c.Declared.Before(h.due().Add(-f.slack())) && !c.Declared.After(h.End.Add(f.slack()))
}

// counts returns found for a happening that is to be found, else why not.
func (f Facts) counts(h Happening) Outcome {
	if h.Unsure {
		return OutcomeUnsure
	}
	if h.Zone != "" && slices.ContainsFunc(f.Happenings, func(o Happening) bool {
		return o.Zone == "" && o.Begin.Before(h.End) && h.Begin.Before(o.End)
	}) {
		return OutcomeBlind
	}
	from, to := h.due().Add(f.Precision), h.End.Add(-f.Precision)
	if !slices.ContainsFunc(f.Samples, func(s time.Time) bool { return !s.Before(from) && !s.After(to) }) {
		return OutcomeUnsampled
	}
	return OutcomeFound
}

// measure says how fast a happening was found, and how its condition ended:
// it should with the happening, or with those joined to it, at end.
func (f Facts) measure(v *Verdict, end time.Time) {
	h, c := v.Happening, v.Condition
	v.Delay = max(0, c.Declared.Sub(h.due()))
	for _, s := range f.Samples {
		if !s.Before(h.due()) && !s.After(c.Declared) {
			v.DelaySamples++
		}
	}
	latest := end.Add(3*f.Interval + EndGrace)
	switch ended := c.Ended; {
	case ended.IsZero():
		v.End = EndGood
		if n := len(f.Samples); n > 0 && f.Samples[n-1].After(latest) {
			v.End = EndMissing
		}
	case ended.After(latest):
		v.End = EndMissing
	case ended.Before(end.Add(-f.Precision)):
		v.End = EndEarly
	default:
		v.End = EndGood
	}
}

func (f Facts) whyFalse(c Condition, happenings []Happening) detect.Text {
	for _, t := range f.Traps {
		if (t.Kind == "" || t.Kind == c.Kind) && (t.Zone == "" || t.Zone == c.Zone) &&
			!c.Declared.Before(t.Begin) && !c.Declared.After(t.End) {
			return detect.Text{ZH: "易误判：" + t.Notes, EN: "a trap: " + t.Notes}
		}
	}
	for _, h := range happenings {
		switch late := c.Declared.Sub(h.End); {
		case !c.Declared.Before(h.Begin) && c.Declared.Before(h.due()):
			return detect.Text{
				ZH: fmt.Sprintf("停留 %.0f 秒才算，此时仅 %.0f 秒", h.Dwell.Seconds(), c.Declared.Sub(h.Begin).Seconds()),
				EN: fmt.Sprintf("too early: it stood for %.0f s of %.0f s", c.Declared.Sub(h.Begin).Seconds(), h.Dwell.Seconds()),
			}
		case late > 0 && late <= time.Minute:
			return detect.Text{
				ZH: fmt.Sprintf("情况结束后 %.0f 秒才告知", late.Seconds()),
				EN: fmt.Sprintf("told %.0f s after it was over", late.Seconds()),
			}
		}
	}
	if i := slices.IndexFunc(f.Happenings, func(h Happening) bool {
		return h.Kind != c.Kind && h.Zone == c.Zone && f.answers(c, h)
	}); i >= 0 {
		return detect.Text{ZH: "认错：实为 " + f.Happenings[i].Kind, EN: "taken for another kind: it is " + f.Happenings[i].Kind}
	}
	return detect.Text{ZH: "无此情况", EN: "nothing of the kind happened"}
}

func (f Facts) whyMissed(h Happening) detect.Text {
	running := func(c Condition) bool {
		return c.Declared.Before(h.End) && (c.Ended.IsZero() || c.Ended.After(h.due()))
	}
	for _, c := range f.Conditions {
		if c.Kind == h.Kind && c.Zone == h.Zone && running(c) {
			return detect.Text{ZH: "并入了尚未结束的上一次", EN: "swallowed by a condition that had not ended"}
		}
	}
	for _, c := range f.Conditions {
		if c.Zone == "" && running(c) {
			return detect.Text{ZH: "画面被判为 " + c.Kind, EN: "the scene counted as " + c.Kind}
		}
	}
	return detect.Text{ZH: "未发现", EN: "nothing was found"}
}

// anyFault renames all faults, and joins conditions that follow each other.
func (f Facts) anyFault() Facts {
	g := f
	g.Happenings, g.Conditions, g.Traps = nil, nil, f.Traps
	for _, h := range f.Happenings {
		if h.Zone == "" && f.HasRule(h.Kind, "") {
			h.Kind = AnyFault
			g.Happenings = append(g.Happenings, h)
		}
	}
	for _, c := range f.Conditions {
		if c.Zone != "" {
			continue
		}
		c.Kind = AnyFault
		if n := len(g.Conditions) - 1; n >= 0 && g.Conditions[n].Ended.Equal(c.Declared) {
			g.Conditions[n].Ended = c.Ended
			continue
		}
		g.Conditions = append(g.Conditions, c)
	}
	g.HasRule = func(string, string) bool { return true }
	return g
}
