package eval

import (
	"context"
	"iter"
	"slices"
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
	Tune  []uint64 `yaml:"tune"`
	Test  []uint64 `yaml:"test"`
	Notes string   `yaml:"notes"`
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
		seeds := func(d PlanDays) []uint64 {
			if split == SplitTest {
				return d.Test
			}
			return d.Tune
		}
		for round := 0; ; round++ {
			before := len(out)
			for _, d := range p.Days {
				if s := seeds(d); round < len(s) && len(out) < n {
					out = append(out, PlannedDay{PlanDays: d, Split: split, Seed: s[round]})
				}
			}
			if len(out) == before {
				break
			}
		}
	}
	return slices.Clip(out)
}
