package eval

import (
	"context"
	"iter"
	"time"

	"videopatrol/detect"
)

// Split says what a source may be used for.
type Split string

// The splits.
const (
	SplitTune Split = "tune" // thresholds were chosen by looking at it
	SplitTest Split = "test" // held out: only measured
)

// Group is what a source is made of.
type Group string

// The groups.
const (
	GroupClip     Group = "clip"     // a real clip as it is
	GroupDegraded Group = "degraded" // a real clip made worse
	GroupStanding Group = "standing" // a real clip with a still thing pasted in
	GroupRendered Group = "rendered" // a rendered camera-day
)

// Groups lists every group.
func Groups() []Group { return []Group{GroupClip, GroupDegraded, GroupStanding, GroupRendered} }

// Sample is one decoded picture and when it was received. Its planes are
// overwritten by the next one.
type Sample struct {
	At      time.Time
	Picture detect.Picture
}

// Source is one labelled run of samples.
type Source struct {
	// Name is unique; Variant names the degradation and its strength.
	Name    string
	Variant string
	Group   Group
	Split   Split
	// Config is what the watch is told of the camera. Zones of kinds that the
	// build has no rule for must not be in it.
	Config     detect.Config
	Happenings []Happening
	Traps      []Trap
	// Undisturbed are the parts in which nothing at all happens.
	Undisturbed []Stretch
	Precision   time.Duration
	// Samples yields the samples in order; after an error it ends.
	Samples func(ctx context.Context) iter.Seq2[Sample, error]
}

// Stretch is a part of a source.
type Stretch struct{ Begin, End time.Time }

func (s Stretch) has(t time.Time) bool { return !t.Before(s.Begin) && t.Before(s.End) }
