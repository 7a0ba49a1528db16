package alerts_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"videopatrol/alerts"
)

// press is one officer's try to get the lead, and what came of it.
type press struct {
	officer string
	owner   string // who has it, as the officer was told
	won     bool
}

// ownership is what a lead's owner should be like for officers who press at
// once: the first one has it, and each other one is told so.
var ownership = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, _, output any) (bool, any) {
		owner, p := state.(string), output.(press)
		if p.won {
			return owner == "", p.officer
		}
		return owner != "" && p.owner == owner, owner
	},
}

// TestOfficersRace lets officers press at once on one lead, ten thousand
// times: exactly one wins each time, and what the others are told is true.
func TestOfficersRace(t *testing.T) {
	t.Parallel()
	rounds, officers := 10_000, []string{"wang", "li", "zhao"}
	if testing.Short() || raced {
		rounds = 300
	}
	g := open(t)
	observe(t, g.engine, begin("c1"))
	lead := all(t, g.engine, alerts.LeadQuery{})[0]
	for round := range rounds {
		history := make([]porcupine.Operation, len(officers))
		start := time.Now()
		var racing sync.WaitGroup
		for i, name := range officers {
			racing.Go(func() {
				call := time.Since(start).Nanoseconds()
				got, err := g.engine.Claim(t.Context(), alerts.Claim{Lead: lead.ID, Act: alerts.ActClaimed, By: name, Version: lead.Version})
				p := press{officer: name, won: err == nil, owner: got.Owner}
				if stale, ok := errors.AsType[*alerts.StaleError](err); ok {
					p.owner = stale.Owner
				} else if err != nil {
					t.Errorf("%s was told %v", name, err)
				}
				history[i] = porcupine.Operation{ClientId: i, Call: call, Output: p, Return: time.Since(start).Nanoseconds()}
			})
		}
		racing.Wait()
		won := ""
		for _, o := range history {
			if p := o.Output.(press); p.won {
				won += p.officer
			}
		}
		if !porcupine.CheckOperations(ownership, history) || won == "" {
			t.Fatalf("round %d: %s", round, fmt.Sprint(history))
		}
		var err error
		if lead, err = g.engine.Lead(t.Context(), lead.ID); err != nil || lead.Owner != won {
			t.Fatalf("round %d: %q won, the record says %q (%v)", round, won, lead.Owner, err)
		}
		if lead, err = g.engine.Claim(t.Context(), alerts.Claim{Lead: lead.ID, Act: alerts.ActReleased, By: won, Version: lead.Version}); err != nil {
			t.Fatal(err)
		}
	}
}
