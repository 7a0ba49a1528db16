package eval_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"videopatrol/detect/eval"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }

func happening(kind, zone string, begin, end float64) eval.Happening {
	return eval.Happening{Kind: kind, Zone: zone, Begin: at(begin), End: at(end)}
}

// condition ends at 0 for never.
func condition(kind, zone string, declared, ended float64) eval.Condition {
	c := eval.Condition{Kind: kind, Zone: zone, Declared: at(declared)}
	if ended > 0 {
		c.Ended = at(ended)
	}
	return c
}

// facts have a sample a second for 200 s.
func facts(happenings []eval.Happening, conditions ...eval.Condition) eval.Facts {
	f := eval.Facts{
		Happenings: happenings, Conditions: conditions, Interval: time.Second, Precision: 300 * time.Millisecond,
		HasRule: func(kind, zone string) bool {
			return kind == "dark" || kind == "covered" || kind == "intrusion" && zone != "nowhere" || kind == "fire_lane_blocked"
		},
	}
	for i := range 200 {
		f.Samples = append(f.Samples, at(float64(i)))
	}
	return f
}

// told writes verdicts as "outcome kind", with what matters.
func told(all []eval.Verdict) []string {
	var out []string
	for _, v := range all {
		s := fmt.Sprintf("%s %s", v.Outcome, v.Kind)
		if v.Outcome == eval.OutcomeFound {
			s += fmt.Sprintf(" after %v (%d) end %s", v.Delay, v.DelaySamples, v.End)
		}
		out = append(out, s)
	}
	return out
}

func TestJudge(t *testing.T) {
	type list = []eval.Happening
	visit := list{happening("intrusion", "yard", 20, 40)}
	parked := func(dwell time.Duration, h eval.Happening) list {
		h.Dwell = dwell
		return list{h}
	}
	unsure := happening("intrusion", "yard", 20, 40)
	unsure.Unsure = true
	for name, c := range map[string]struct {
		facts eval.Facts
		want  []string
		// why is part of the reason of the first missed or false one.
		why string
	}{
		"overlap":              {facts: facts(visit, condition("intrusion", "yard", 21, 43)), want: []string{"found intrusion after 1s (2) end good"}},
		"within precision":     {facts: facts(visit, condition("intrusion", "yard", 19.8, 43)), want: []string{"found intrusion after 0s (0) end good"}},
		"one interval late":    {facts: facts(visit, condition("intrusion", "yard", 41, 45)), want: []string{"found intrusion after 21s (22) end good"}},
		"before it began":      {facts: facts(visit, condition("intrusion", "yard", 15, 18)), want: []string{"false intrusion", "missed intrusion"}, why: "nothing of the kind"},
		"after it was over":    {facts: facts(visit, condition("intrusion", "yard", 50, 60)), want: []string{"missed intrusion", "false intrusion"}, why: "nothing was found"},
		"another zone":         {facts: facts(visit, condition("intrusion", "roof", 25, 30)), want: []string{"false intrusion", "missed intrusion"}},
		"another kind":         {facts: facts(visit, condition("fire_lane_blocked", "yard", 25, 30)), want: []string{"false fire_lane_blocked", "missed intrusion"}, why: "it is intrusion"},
		"swallowed":            {facts: facts(visit, condition("intrusion", "yard", 5, 45)), want: []string{"false intrusion", "missed intrusion"}},
		"double":               {facts: facts(visit, condition("intrusion", "yard", 21, 25), condition("intrusion", "yard", 30, 42)), want: []string{"found intrusion after 1s (2) end early", "double intrusion"}},
		"end missing":          {facts: facts(visit, condition("intrusion", "yard", 21, 90)), want: []string{"found intrusion after 1s (2) end missing"}},
		"never ends":           {facts: facts(visit, condition("intrusion", "yard", 21, 0)), want: []string{"found intrusion after 1s (2) end missing"}},
		"ends with source":     {facts: facts(list{happening("intrusion", "yard", 150, 199)}, condition("intrusion", "yard", 151, 0)), want: []string{"found intrusion after 1s (2) end good"}},
		"unsure and found":     {facts: facts(list{unsure}, condition("intrusion", "yard", 21, 43)), want: []string{"unsure intrusion"}},
		"unsure, not found":    {facts: facts(list{unsure}), want: []string{"unsure intrusion"}},
		"unsure, told twice":   {facts: facts(list{unsure}, condition("intrusion", "yard", 21, 23), condition("intrusion", "yard", 30, 43)), want: []string{"unsure intrusion", "unsure intrusion"}},
		"no rule":              {facts: facts(list{happening("flood", "yard", 20, 40)}), want: []string{"no_rule flood"}},
		"zone without rule":    {facts: facts(list{happening("intrusion", "nowhere", 20, 40)}), want: []string{"no_rule intrusion"}},
		"between two samples":  {facts: facts(list{happening("intrusion", "yard", 20.1, 20.9)}), want: []string{"unsampled intrusion"}},
		"blind":                {facts: facts(list{happening("intrusion", "yard", 20, 40), happening("dark", "", 30, 60)}, condition("dark", "", 32, 61)), want: []string{"found dark after 2s (3) end good", "blind intrusion"}},
		"blind, fault unknown": {facts: facts(list{happening("intrusion", "yard", 20, 40), happening("muddy", "", 30, 60)}), want: []string{"blind intrusion", "no_rule muddy"}},
		"missed while dark":    {facts: facts(visit, condition("dark", "", 10, 50)), want: []string{"false dark", "missed intrusion"}},
		"dwell":                {facts: facts(parked(30*time.Second, happening("fire_lane_blocked", "lane", 20, 100)), condition("fire_lane_blocked", "lane", 51, 103)), want: []string{"found fire_lane_blocked after 1s (2) end good"}},
		"before its dwell":     {facts: facts(parked(30*time.Second, happening("fire_lane_blocked", "lane", 20, 100)), condition("fire_lane_blocked", "lane", 30, 103)), want: []string{"false fire_lane_blocked", "missed fire_lane_blocked"}, why: "too early: it stood for 10 s of 30 s"},
		"two in a row": {facts: facts(list{happening("intrusion", "yard", 20, 40), happening("intrusion", "yard", 43, 60)},
			condition("intrusion", "yard", 20, 62)), want: []string{"found intrusion after 0s (1) end good", "joined intrusion"}},
		"three in a row, the second between two samples": {facts: facts(list{happening("intrusion", "yard", 20, 40), happening("intrusion", "yard", 41.1, 41.9), happening("intrusion", "yard", 43, 60)},
			condition("intrusion", "yard", 20, 62)), want: []string{"found intrusion after 0s (1) end good", "unsampled intrusion", "joined intrusion"}},
		"two in a row, told apart": {facts: facts(list{happening("intrusion", "yard", 20, 40), happening("intrusion", "yard", 43, 60)},
			condition("intrusion", "yard", 20, 42), condition("intrusion", "yard", 44, 62)), want: []string{"found intrusion after 0s (1) end good", "found intrusion after 1s (2) end good"}},
		"two, the second missed": {facts: facts(list{happening("intrusion", "yard", 20, 40), happening("intrusion", "yard", 43, 60)},
			condition("intrusion", "yard", 20, 42)), want: []string{"found intrusion after 0s (1) end good", "missed intrusion"}},
		"two far apart, one condition": {facts: facts(list{happening("intrusion", "yard", 20, 40), happening("intrusion", "yard", 80, 100)},
			condition("intrusion", "yard", 20, 102)), want: []string{"found intrusion after 0s (1) end missing", "missed intrusion"}},
		"fault by another name": {facts: facts(list{happening("covered", "", 20, 60)}, condition("dark", "", 21, 61)), want: []string{"missed covered", "false dark"}},
	} {
		t.Run(name, func(t *testing.T) {
			all := eval.Judge(c.facts)
			if got := told(all); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if i := slices.IndexFunc(all, func(v eval.Verdict) bool { return v.Reason.EN != "" }); c.why != "" && !strings.Contains(all[i].Reason.EN, c.why) {
				t.Errorf("why: %q, want %q in it", all[i].Reason.EN, c.why)
			}
		})
	}
}

func TestTrapsExplain(t *testing.T) {
	f := facts(nil, condition("intrusion", "yard", 21, 25))
	f.Traps = []eval.Trap{{Zone: "yard", Begin: at(20), End: at(30), Notes: "a shadow"}}
	if v := eval.Judge(f); len(v) != 1 || v[0].Outcome != eval.OutcomeFalse || v[0].Reason.EN != "a trap: a shadow" {
		t.Errorf("got %+v", v)
	}
}
