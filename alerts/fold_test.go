package alerts_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"videopatrol/alerts"
	"videopatrol/detect"
)

// memory is the record of one key, as far as Fold is concerned.
type memory struct {
	condition alerts.Condition
	known     map[time.Time]string
	raised    int
}

func (m *memory) fold(f detect.Finding) alerts.Outcome {
	c, out := alerts.Fold(alerts.Folded{Condition: m.condition, Known: m.known[f.Began]}, f)
	if out == alerts.OutcomeRaised {
		m.raised++
		c.Lead = fmt.Sprintf("lead %d", m.raised)
	}
	if out != alerts.OutcomeRepeated {
		m.condition = c
		if m.known[f.Began] == "" {
			m.known[f.Began] = c.Lead
		}
	}
	return out
}

// A watch reports conditions one after the other, far apart. However often its
// findings are repeated, late or not, every condition raises one lead, and
// after a rejected one the next condition raises again.
func TestFoldRaisesOncePerCondition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &memory{known: map[time.Time]string{}}
		var told []detect.Finding
		now, conditions := began, 0
		say := func(phase detect.Phase, began time.Time) {
			now = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "pause")) * time.Second)
			if began.IsZero() {
				began = now
			}
			f := detect.Finding{Camera: "c", Zone: "z", Rule: rule, Phase: phase, Began: began, At: now}
			told = append(told, f)
			m.fold(f)
			for range rapid.IntRange(0, 3).Draw(rt, "repeats") {
				if out := m.fold(rapid.SampledFrom(told).Draw(rt, "repeat")); out == alerts.OutcomeRaised {
					rt.Fatal("a repeated finding raised")
				}
			}
		}
		for range rapid.IntRange(1, 6).Draw(rt, "conditions") {
			conditions++
			say(detect.PhaseBegin, time.Time{})
			current := told[len(told)-1].Began
			for range rapid.IntRange(0, 6).Draw(rt, "findings") {
				if rapid.IntRange(0, 4).Draw(rt, "memory loss") == 0 {
					say(detect.PhaseBegin, time.Time{})
					current = told[len(told)-1].Began
				} else {
					say(detect.PhaseContinue, current)
				}
			}
			say(detect.PhaseEnd, current)
			if m.condition.Ended.IsZero() {
				rt.Fatalf("it has not ended: %+v", m.condition)
			}
			if m.raised != conditions {
				rt.Fatalf("%d leads for %d conditions", m.raised, conditions)
			}
			now = now.Add(time.Second)
		}
	})
}

// The findings of one condition raise one lead in whatever order they come.
func TestFoldInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		findings := []detect.Finding{{Phase: detect.PhaseBegin, Began: began, At: began}}
		for i := range rapid.IntRange(0, 4).Draw(rt, "continue") {
			findings = append(findings, detect.Finding{Phase: detect.PhaseContinue, Began: began, At: began.Add(time.Duration(i+1) * time.Second)})
		}
		findings = append(findings, detect.Finding{Phase: detect.PhaseEnd, Began: began, At: began.Add(time.Minute)})
		m := &memory{known: map[time.Time]string{}}
		for _, f := range rapid.Permutation(slices.Concat(findings, findings)).Draw(rt, "order") {
			m.fold(f)
		}
		if m.raised != 1 || !m.condition.Ended.Equal(began.Add(time.Minute)) {
			rt.Fatalf("%d leads, ended %v", m.raised, m.condition.Ended)
		}
	})
}
