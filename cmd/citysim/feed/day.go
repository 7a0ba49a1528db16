package feed

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"videopatrol/cmd/citysim/scene"
	"videopatrol/detect"
	"videopatrol/inventory"
)

// Camera is what a patrol knows of a simulated camera.
type Camera struct {
	ID       string
	Zones    []inventory.Zone
	Masks    []inventory.Polygon
	TimeZone string
}

// Happening is something true of a day's pictures, from Begin until before End.
type Happening struct {
	// Kind is the kind of a finding, or a fault of the scene.
	Kind string
	// Zone is where it happens; "" for a fault.
	Zone       string
	Begin, End time.Time
}

// Weather is what the sky does for a day.
type Weather string

// The weathers.
const (
	AnyWeather Weather = "" // one of the others, by the seed
	Clear      Weather = "clear"
	Broken     Weather = "broken" // clouds that pass before the sun
	Overcast   Weather = "overcast"
	Rainy      Weather = "rainy"
	Foggy      Weather = "foggy" // until some hours after dawn
	Windy      Weather = "windy"
)

// Weathers lists every weather.
func Weathers() []Weather { return []Weather{Clear, Broken, Overcast, Rainy, Foggy, Windy} }

// Options say which day of which camera.
type Options struct {
	// Scene is what the camera looks at. Required.
	Scene scene.Kind
	// Seed is the camera, its day, and what chance does.
	Seed uint64
	// Begin is the first sample; zero means midnight at the camera, on a day
	// of the seed's choice.
	Begin time.Time
	// Length is how long samples are taken; 0 means 24 h.
	Length time.Duration
	// Interval between samples; 0 means 10 s.
	Interval time.Duration
	// Happen are the kinds of findings and faults that happen, one after the
	// other in a random order, again and again; none makes a quiet day. All
	// must be among Kinds of the scene.
	Happen []string
	// Every is the mean time from one happening's last trace to the next one;
	// 0 means 20 min.
	Every time.Duration
	// Hold is how long each lasts; 0 means a random time of its kind's own.
	Hold time.Duration
	// Weather of the day.
	Weather Weather
	// Width and Height of the pictures in pixels, 0 for 352 and 288. Both are
	// multiples of 16, in the proportion 11:9.
	Width, Height int
}

const (
	defaultInterval = 10 * time.Second
	defaultEvery    = 20 * time.Minute
	settling        = 5 * time.Minute // nothing happens before a patrol has learned the scene
	timeZone        = "Asia/Shanghai"
)

// shanghai is the cameras' time; the city has no other.
var shanghai = time.FixedZone("CST", 8*3600)

// Day is one day of one camera.
type Day struct {
	o    Options
	cues []cue
	sky  skies
	face *scene.Stage
}

// cue is what happens on the day, and when it begins to be drawn.
type cue struct {
	from time.Time
	act  scene.Act
	// fault is set instead of act, and as strong as its seed says.
	fault string
	until time.Time
	seed  uint64
}

// Kinds lists what can happen before a camera of a scene, and to it.
func Kinds(kind scene.Kind) []string {
	return append(scene.NewStage(kind, 0, scene.StageOptions{Width: 64, Height: 48}).Kinds(), Faults()...)
}

// New plans a day.
func New(o Options) (*Day, error) {
	if o.Length == 0 {
		o.Length = 24 * time.Hour
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.Every == 0 {
		o.Every = defaultEvery
	}
	if o.Width == 0 && o.Height == 0 {
		o.Width, o.Height = scene.Width/2, scene.Height/2
	}
	r := rand.New(rand.NewPCG(o.Seed, 0xfeed)) //nolint:gosec // chance for pictures
	if o.Begin.IsZero() {
		o.Begin = time.Date(2026, 1, 1+r.IntN(365), 0, 0, 0, 0, shanghai)
	}
	o.Begin = o.Begin.In(shanghai)
	if !slices.Contains(scene.Kinds(), o.Scene) {
		return nil, fmt.Errorf("scene %q: want one of %v", o.Scene, scene.Kinds())
	}
	if o.Length < 0 || o.Interval < 0 || o.Every < 0 || o.Hold < 0 {
		return nil, fmt.Errorf("length %v, interval %v, every %v, hold %v: none may be negative", o.Length, o.Interval, o.Every, o.Hold)
	}
	if o.Width < 64 || o.Width%16 != 0 || o.Height%16 != 0 || o.Width*9 != o.Height*11 {
		return nil, fmt.Errorf("pictures of %d × %d pixels: want multiples of 16 in the proportion 11:9, such as 352 × 288", o.Width, o.Height)
	}
	if o.Weather != AnyWeather && !slices.Contains(Weathers(), o.Weather) {
		return nil, fmt.Errorf("weather %q: want one of %v", o.Weather, Weathers())
	}
	d := &Day{o: o, face: scene.NewStage(o.Scene, o.Seed, scene.StageOptions{Width: o.Width, Height: o.Height}), sky: newSkies(o.Weather, r)}
	can := append(d.face.Kinds(), Faults()...)
	for _, k := range o.Happen {
		if !slices.Contains(can, k) {
			return nil, fmt.Errorf("%s cannot happen on a %s: want some of %v", k, o.Scene, can)
		}
	}
	d.plan(r)
	return d, nil
}

// plan decides what happens when.
func (d *Day) plan(r *rand.Rand) {
	if len(d.o.Happen) == 0 {
		return
	}
	gap := func() time.Duration {
		return max(time.Duration((0.4+0.6*r.ExpFloat64())*float64(d.o.Every)), 90*time.Second)
	}
	at, end := d.o.Begin.Add(settling+gap()/4), d.o.Begin.Add(d.o.Length)
	for {
		for _, i := range r.Perm(len(d.o.Happen)) {
			c := cue{from: at, seed: r.Uint64()}
			kind := d.o.Happen[i]
			hold := d.o.Hold
			if hold == 0 {
				hold = lasts(kind, r)
			}
			if slices.Contains(Faults(), kind) {
				c.fault, c.until = kind, at.Add(hold)
			} else {
				c.act, _ = d.face.Act(kind, c.seed, hold)
				c.until = at.Add(c.act.Length)
			}
			if c.until.After(end) {
				return
			}
			d.cues = append(d.cues, c)
			at = c.until.Add(gap())
		}
	}
}

// lasts is how long something of a kind may last.
func lasts(kind string, r *rand.Rand) time.Duration {
	lo, hi := 75, 240
	switch kind {
	case scene.Intrusion, scene.AtWaterEdge:
		lo, hi = 30, 150
	case scene.CrowdForms, scene.ObjectLeft, scene.ObjectTaken:
		lo, hi = 180, 420
	case scene.Standstill:
		lo, hi = 300, 720
	case scene.Fire, scene.Smoke:
		lo, hi = 90, 300
	default:
	}
	return time.Duration(lo+r.IntN(hi-lo)) * time.Second
}

// Camera returns the camera.
func (d *Day) Camera() Camera {
	c := Camera{ID: fmt.Sprintf("%s-%d", d.o.Scene, d.o.Seed), Zones: d.face.Zones(), TimeZone: timeZone}
	if d.o.Seed%10 == 7 {
		c.Masks = []inventory.Polygon{d.face.PrivacyMask()}
	}
	return c
}

// Happenings returns what is true of the day's pictures, by begin.
func (d *Day) Happenings() []Happening {
	var all []Happening
	for _, c := range d.cues {
		if c.fault != "" {
			all = append(all, Happening{Kind: c.fault, Begin: c.from, End: c.until})
			continue
		}
		for _, k := range append([]string{c.act.Kind}, c.act.Also...) {
			all = append(all, Happening{Kind: k, Zone: c.act.Zone, Begin: c.from.Add(c.act.Begin), End: c.from.Add(c.act.End)})
		}
	}
	return all
}

// Samples draws the day's samples in order, each with its receive time. It
// may be called again, and draws the same once more.
func (d *Day) Samples() iter.Seq2[time.Time, detect.Picture] {
	return func(yield func(time.Time, detect.Picture) bool) {
		p := newPlayer(d)
		for at := d.o.Begin; at.Before(d.o.Begin.Add(d.o.Length)); at = at.Add(d.o.Interval) {
			if !yield(at, p.sample(at)) {
				return
			}
		}
	}
}
