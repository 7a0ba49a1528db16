package alerts

import (
	"cmp"
	"slices"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// Flood says when there are more leads than a desk can judge one by one.
type Flood struct {
	Leads int           `yaml:"leads"` // raised within In; 0 is never
	In    time.Duration `yaml:"in"`
}

// Queue is what a desk has to triage, the most urgent first.
type Queue struct {
	// Flood tells that leads of low severity are grouped, and Recent how many
	// leads were raised within the flood's time.
	Flood  bool `json:"flood"`
	Recent int  `json:"recent"`
	// Total counts every lead, grouped or not.
	Total  int     `json:"total"`
	Groups []Group `json:"groups"`
}

// Group is one row of a desk's queue: one lead, or in a flood those of low
// severity of one kind in one first-level cell.
type Group struct {
	Severity Severity    `json:"severity"`
	Kind     detect.Kind `json:"kind"`
	Cell     *GridRef    `json:"cell,omitempty"`
	Count    int         `json:"count"`
	Oldest   time.Time   `json:"oldest"`
	Leads    []string    `json:"leads"` // ids, the oldest first
}

// QueueOf groups leads for a desk. None is left out.
func QueueOf(leads []Lead, now time.Time, f Flood) Queue {
	leads = slices.Clone(leads)
	slices.SortStableFunc(leads, func(a, b Lead) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), a.RaisedAt.Compare(b.RaisedAt))
	})
	q := Queue{Total: len(leads), Groups: []Group{}}
	for _, l := range leads {
		if now.Sub(l.RaisedAt) < f.In {
			q.Recent++
		}
	}
	q.Flood = f.Leads > 0 && q.Recent > f.Leads
	type key struct {
		kind detect.Kind
		cell string
	}
	at := map[key]int{}
	for _, l := range leads {
		cell := firstCell(l.Grid)
		k := key{kind: l.Kind}
		if cell != nil {
			k.cell = cell.ID
		}
		if i, ok := at[k]; ok && q.Flood && l.Severity == SeverityLow {
			g := &q.Groups[i]
			g.Count++
			g.Leads = append(g.Leads, l.ID)
			continue
		}
		if l.Severity == SeverityLow {
			at[k] = len(q.Groups)
		}
		q.Groups = append(q.Groups, Group{
			Severity: l.Severity, Kind: l.Kind, Cell: cell, Count: 1, Oldest: l.RaisedAt, Leads: []string{l.ID},
		})
	}
	return q
}

// rank orders severities, the most urgent first.
func rank(s Severity) int {
	return slices.Index(Severities(), s)
}

// firstCell is the first-level cell (一级网格) of a lead's place, or nil.
func firstCell(grid []GridRef) *GridRef {
	for _, g := range grid {
		if g.Level == inventory.LevelCell {
			return &g
		}
	}
	return nil
}

// Flood is when a desk has more leads than it can judge one by one.
func (r *Routes) Flood() Flood {
	if r == nil {
		return Flood{}
	}
	return r.quiet.Flood
}
