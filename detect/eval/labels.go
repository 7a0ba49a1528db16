package eval

import (
	"fmt"
	"slices"
	"strings"

	"videopatrol/inventory"
)

// Labels are what a person saw in one clip, as written in its file. Times are
// seconds of the clip, places shares of the picture from its top left corner.
type Labels struct {
	// Clip is the file below the media's folder video.
	Clip  string `yaml:"clip"`
	Split Split  `yaml:"split"`
	Notes string `yaml:"notes"`
	// Length is the clip's, Width what pictures are reduced to, 0 for as it is.
	Length float64 `yaml:"length"`
	Width  int     `yaml:"width"`
	// Precision is how far a begin or an end may be off; 0 means 0.3.
	Precision float64 `yaml:"precision"`
	// Repeat is how often the clip is shown on end; 0 means once.
	Repeat int     `yaml:"repeat"`
	LeadIn *LeadIn `yaml:"lead_in"`
	// Intervals are between samples, each a source of its own; none means 1.
	Intervals   []float64          `yaml:"intervals"`
	Zones       []LabelledZone     `yaml:"zones"`
	Happenings  []LabelledMoment   `yaml:"happenings"`
	Boxes       *LabelledBoxes     `yaml:"boxes"`
	Traps       []LabelledMoment   `yaml:"traps"`
	Undisturbed []LabelledPart     `yaml:"undisturbed"`
	Standing    []StandingThing    `yaml:"standing"`
	Degraded    *DegradedSelection `yaml:"degraded"`
}

// LeadIn shows an empty part of the clip first, as a camera sees its scene for
// days before something happens: its pictures in turn, for so many seconds.
type LeadIn struct {
	From float64 `yaml:"from"`
	To   float64 `yaml:"to"`
	For  float64 `yaml:"for"`
}

// LabelledZone is a zone of the clip.
type LabelledZone struct {
	ID    string             `yaml:"id"`
	Name  string             `yaml:"name"`
	Kind  inventory.ZoneKind `yaml:"kind"`
	Area  [][2]float64       `yaml:"area"`
	Dwell float64            `yaml:"dwell"`
	// Preset and Params as in an inventory.
	Preset string            `yaml:"preset"`
	Params map[string]string `yaml:"params"`
	Notes  string            `yaml:"notes"`
}

// LabelledMoment is a happening, or a trap.
type LabelledMoment struct {
	Kind   string  `yaml:"kind"`
	Zone   string  `yaml:"zone"`
	Begin  float64 `yaml:"begin"`
	End    float64 `yaml:"end"`
	Unsure bool    `yaml:"unsure"`
	Notes  string  `yaml:"notes"`
}

// LabelledBoxes derives happenings from boxes that somebody else drew.
type LabelledBoxes struct {
	// File lies below the media's folder.
	File string `yaml:"file"`
	Kind string `yaml:"kind"`
	Zone string `yaml:"zone"`
	// Gap is how long nothing may be drawn within one happening.
	Gap float64 `yaml:"gap"`
}

// LabelledPart is a part of the clip.
type LabelledPart struct {
	From float64 `yaml:"from"`
	To   float64 `yaml:"to"`
}

// StandingThing is a still crop pasted into the clip for a while, which makes
// a source of its own.
type StandingThing struct {
	Name string       `yaml:"name"`
	Zone LabelledZone `yaml:"zone"`
	Kind string       `yaml:"kind"`
	// Crop is what is cut, of Clip (none: this one) at the time At.
	Clip string     `yaml:"clip"`
	At   float64    `yaml:"at"`
	Crop [4]float64 `yaml:"crop"` // x, y, width, height
	// Place is where its top left corner comes, Size its width there.
	Place [2]float64 `yaml:"place"`
	Size  float64    `yaml:"size"`
	// Light is a patch of bare ground (x, y, width, height): as its brightness
	// changes, so does the thing's, which the camera's exposure would change
	// as well. Without it the thing keeps its own.
	Light *[4]float64 `yaml:"light"`
	// Begin and End are when it stands there, in seconds of the source without
	// its lead-in: they run on when the clip is repeated. Taken turns it round:
	// it stands there until Begin and again from End.
	Begin  float64 `yaml:"begin"`
	End    float64 `yaml:"end"`
	Taken  bool    `yaml:"taken"`
	Repeat int     `yaml:"repeat"`
	// Brief says that it leaves before its dwell is over: nothing is to be found.
	Brief bool   `yaml:"brief"`
	Notes string `yaml:"notes"`
}

// DegradedSelection says which degraded versions are made of the clip.
type DegradedSelection struct {
	// Not are degradations that make no sense of this clip.
	Not []string `yaml:"not"`
	// Repeat, From and To as with a standing thing.
	Repeat int     `yaml:"repeat"`
	From   float64 `yaml:"from"`
	To     float64 `yaml:"to"`
	Notes  string  `yaml:"notes"`
}

// defaultPrecision of labels that a person made at four pictures a second.
const defaultPrecision = 0.3

// Problem is something wrong in a file, at a place such as happenings[1].
type Problem struct{ Place, Message string }

func (p Problem) Error() string { return p.Place + ": " + p.Message }

// Problems are all that is wrong in a file.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Check returns Problems, or nil.
func (l Labels) Check() error {
	var all Problems
	bad := func(place, format string, args ...any) {
		all = append(all, Problem{Place: place, Message: fmt.Sprintf(format, args...)})
	}
	if l.Clip == "" || strings.ContainsAny(l.Clip, `/\`) {
		bad("clip", "%q is no name of a file below the folder video", l.Clip)
	}
	if l.Split != SplitTune && l.Split != SplitTest {
		bad("split", "%q: want tune (thresholds were chosen by looking at it) or test (held out)", l.Split)
	}
	if l.Length <= 0 {
		bad("length", "the clip's length in seconds is required")
	}
	if l.Width < 0 || l.Repeat < 0 || l.Precision < 0 {
		bad("width", "width, repeat and precision must not be negative")
	}
	for i, s := range l.Intervals {
		if s <= 0 {
			bad(fmt.Sprintf("intervals[%d]", i), "must be above 0 seconds")
		}
	}
	if in := l.LeadIn; in != nil && !(in.From >= 0 && in.From < in.To && in.To <= l.Length && in.For > 0) {
		bad("lead_in", "want 0 ≤ from < to ≤ length and for above 0, got from %g to %g for %g", in.From, in.To, in.For)
	}
	zones := map[string]bool{}
	for i, z := range l.Zones {
		z.check(fmt.Sprintf("zones[%d]", i), zones, bad)
	}
	moment := func(place string, m LabelledMoment) {
		if m.Zone != "" && !zones[m.Zone] {
			bad(place, "no zone %q: the clip has %s", m.Zone, strings.Join(ids(l.Zones), ", "))
		}
		if !(m.Begin >= 0 && m.Begin < m.End && m.End <= l.Length) {
			bad(place, "want 0 ≤ begin < end ≤ %g seconds, got %g to %g", l.Length, m.Begin, m.End)
		}
	}
	for i, m := range l.Happenings {
		place := fmt.Sprintf("happenings[%d]", i)
		if m.Kind == "" {
			bad(place, "has no kind")
		}
		moment(place, m)
	}
	for i, m := range l.Traps {
		moment(fmt.Sprintf("traps[%d]", i), m)
	}
	if b := l.Boxes; b != nil && (b.File == "" || b.Kind == "" || !zones[b.Zone] || b.Gap < 0) {
		bad("boxes", "want a file, a kind, one of the zones %s and a gap of 0 s or more", strings.Join(ids(l.Zones), ", "))
	}
	for i, p := range l.Undisturbed {
		place := fmt.Sprintf("undisturbed[%d]", i)
		if !(p.From >= 0 && p.From < p.To && p.To <= l.Length) {
			bad(place, "want 0 ≤ from < to ≤ %g seconds, got %g to %g", l.Length, p.From, p.To)
		}
		for _, h := range l.Happenings {
			if h.Begin < p.To && p.From < h.End {
				bad(place, "the %s from %g to %g lies in it", h.Kind, h.Begin, h.End)
			}
		}
	}
	for i, s := range l.Standing {
		s.check(fmt.Sprintf("standing[%d]", i), l, bad)
	}
	l.checkDegraded(bad)
	if all == nil {
		return nil
	}
	return all
}

func (l Labels) checkDegraded(bad func(place, format string, args ...any)) {
	d := l.Degraded
	if d == nil {
		return
	}
	if shown := l.Length * float64(max(1, d.Repeat)); !(d.From >= 0 && d.From < d.To && d.To <= shown) {
		bad("degraded", "want 0 ≤ from < to ≤ %g seconds, got %g to %g", shown, d.From, d.To)
	}
	for _, name := range d.Not {
		if !slices.ContainsFunc(Degradations(), func(d Degradation) bool { return d.Name == name }) {
			bad("degraded.not", "no degradation %q", name)
		}
	}
}

func (z LabelledZone) check(place string, seen map[string]bool, bad func(place, format string, args ...any)) {
	if z.ID == "" || seen[z.ID] {
		bad(place, "zone %q: ids must be there and unique", z.ID)
	}
	seen[z.ID] = true
	if z.Kind == "" {
		bad(place, "has no kind")
	}
	if len(z.Area) < 3 {
		bad(place, "a polygon has 3 corners or more, got %d", len(z.Area))
	}
	for _, c := range z.Area {
		if !(c[0] >= 0 && c[0] <= 1 && c[1] >= 0 && c[1] <= 1) {
			bad(place, "corner (%g, %g) lies outside the picture (0..1)", c[0], c[1])
		}
	}
	if z.Dwell < 0 {
		bad(place, "dwell must not be negative")
	}
}

func (z LabelledZone) zone() inventory.Zone {
	out := inventory.Zone{ID: z.ID, Name: z.Name, Kind: z.Kind, Dwell: duration(z.Dwell), Preset: z.Preset, Params: z.Params}
	for _, c := range z.Area {
		out.Area = append(out.Area, inventory.Point{X: c[0], Y: c[1]})
	}
	return out
}

func (s StandingThing) check(place string, l Labels, bad func(place, format string, args ...any)) {
	if s.Name == "" || s.Kind == "" && !s.Brief {
		bad(place, "a name and a kind are required")
	}
	s.Zone.check(place+".zone", map[string]bool{}, bad)
	within := func(name string, b [4]float64) {
		if !(b[0] >= 0 && b[1] >= 0 && b[2] > 0 && b[3] > 0 && b[0]+b[2] <= 1 && b[1]+b[3] <= 1) {
			bad(place+"."+name, "want x, y, width, height within the picture (0..1), got %v", b)
		}
	}
	within("crop", s.Crop)
	if s.Light != nil {
		within("light", *s.Light)
		if s.Clip != "" {
			bad(place+".light", "what is cut out of another clip has no light in common with this one: leave light or clip out")
		}
	}
	if !(s.Place[0] >= 0 && s.Place[1] >= 0 && s.Size > 0 && s.Place[0]+s.Size <= 1 && s.Place[1] < 1) {
		bad(place+".place", "place %v and size %g lie outside the picture (0..1)", s.Place, s.Size)
	}
	if shown := l.Length * float64(max(1, s.Repeat)); !(s.Begin >= 0 && s.Begin < s.End && s.End <= shown) {
		bad(place, "want 0 ≤ begin < end ≤ %g seconds, got %g to %g", shown, s.Begin, s.End)
	}
}

func ids(zones []LabelledZone) []string {
	out := make([]string, len(zones))
	for i, z := range zones {
		out[i] = z.ID
	}
	return out
}
