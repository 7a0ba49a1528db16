package eval

import (
	"context"
	"fmt"
	"iter"
	"time"

	"videopatrol/detect"
)

// Day is a rendered camera-day: samples in order, whose planes the next one
// overwrites.
type Day interface {
	Samples() iter.Seq2[time.Time, detect.Picture]
}

// Rendered makes a source of a rendered day of a camera, which spans so long.
// Without happenings the whole of it is undisturbed.
func Rendered(name string, split Split, c detect.Config, happenings []Happening, span Stretch, day Day) Source {
	s := Source{
		Name: name, Group: GroupRendered, Split: split, Config: c, Happenings: happenings,
		Samples: func(ctx context.Context) iter.Seq2[Sample, error] {
			return func(yield func(Sample, error) bool) {
				for at, p := range day.Samples() {
					if ctx.Err() != nil || !yield(Sample{At: at, Picture: p}, nil) {
						return
					}
				}
			}
		},
	}
	if len(happenings) == 0 {
		s.Undisturbed = []Stretch{span}
	}
	return s
}

// PlanFile is the name of the plan among the files of labels.
const PlanFile = "rendered.yaml"

// Plan says which camera-days are rendered, as written in its file.
type Plan struct {
	Notes string     `yaml:"notes"`
	Days  []PlanDays `yaml:"days"`
}

// PlanDays are days of one scene; each seed is a camera and a day of its own.
type PlanDays struct {
	Scene   string `yaml:"scene"`
	Weather string `yaml:"weather"`
	// Happen are the kinds of findings and the scene faults that happen; none
	// makes a quiet day.
	Happen []string `yaml:"happen"`
	// Interval is between samples in seconds, Hours how long a day is taken.
	Interval float64 `yaml:"interval"`
	Hours    float64 `yaml:"hours"`
	// Tune and Test are the seeds: thresholds were chosen by looking at the
	// former.
	Tune  Seeds  `yaml:"tune"`
	Test  Seeds  `yaml:"test"`
	Notes string `yaml:"notes"`
}

// Seeds are so many from one on.
type Seeds struct {
	From uint64 `yaml:"from"`
	Days int    `yaml:"days"`
}

// PlannedDay is one camera-day of a plan.
type PlannedDay struct {
	PlanDays
	Split Split
	Seed  uint64
}

// Deal returns at most n days of the plan: one of each entry in turn, those
// held out before those to tune by.
func (p Plan) Deal(n int) []PlannedDay {
	var out []PlannedDay
	for _, split := range []Split{SplitTest, SplitTune} {
		for round := 0; ; round++ {
			before := len(out)
			for _, d := range p.Days {
				seeds := d.Test
				if split == SplitTune {
					seeds = d.Tune
				}
				if round < seeds.Days && len(out) < n {
					out = append(out, PlannedDay{PlanDays: d, Split: split, Seed: seeds.From + uint64(round)})
				}
			}
			if len(out) == before {
				break
			}
		}
	}
	return out
}

// Check returns Problems, or nil. Whether scenes and kinds are known, who
// renders them must say.
func (p Plan) Check() error {
	var all Problems
	for i, d := range p.Days {
		bad := func(format string, args ...any) {
			all = append(all, Problem{Place: fmt.Sprintf("days[%d]", i), Message: fmt.Sprintf(format, args...)})
		}
		if d.Scene == "" {
			bad("has no scene")
		}
		if d.Interval < 0 || d.Hours < 0 || d.Hours > 24 {
			bad("want an interval of 0 s or more and 0 to 24 hours")
		}
		if d.Tune.Days < 0 || d.Test.Days < 0 || d.Tune.Days+d.Test.Days == 0 {
			bad("want days to tune by or to test, with their seeds")
		}
		for j := range d.Tune.Days {
			if s := d.Tune.From + uint64(j); d.Test.Days > 0 && s >= d.Test.From && s < d.Test.From+uint64(d.Test.Days) {
				bad("seed %d is both to tune by and held out", s)
			}
		}
	}
	if all == nil {
		return nil
	}
	return all
}
