package detect

import (
	"errors"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // a worker sees no file of the machine's

	"videopatrol/inventory"
)

// WatchOptions are what a Watch needs. Config and Imaging are required.
type WatchOptions struct {
	Config  Config
	Imaging Imaging
	// MinArea is the smallest thing that counts, as a share of the picture;
	// half of it is enough for what stands out or is known to be there. 0
	// means 0.0009, which is 365 pixels of 704 × 576: a person some 30 m away.
	MinArea float64
	// Threshold is by how many luma steps (of 255) a pixel must differ from
	// its surroundings to be foreground; 0 means 14.
	Threshold int
	// StillWidth is the widest JPEG in pixels; 0 means 704.
	StillWidth int
	// Now times the stages; nil means time.Now. Nothing is decided by it.
	Now func() time.Time
}

// Watch is one camera's memory. It judges one picture after another, by their
// receive times alone. It is not safe for concurrent use.
type Watch struct {
	o      WatchOptions
	config Config
	zone   *time.Location

	// width and height are of the newest picture, 0 before the first.
	width, height int
	ground        *ground
	health        health
	retina        *retina
	views         views
	// preset is where the camera looked when the ground was learned, facts
	// what scene health knows of the newest look.
	preset int
	facts  facts
	things []thing
	// memories are by zone id, areas the zones' pixels of the reduced plane.
	memories map[string]memory
	areas    map[string]bitmap
	// last is the newest trusted look.
	last time.Time
	// removed are conditions whose end is still to be told.
	removed []removal
}

type removal struct {
	zone inventory.Zone
	kind Kind
	rule string
	m    memory
}

// NewWatch returns a watch without memory. Conditions that the record says
// still run are unknown to it: it begins none of them again, and ends them
// only on evidence.
func NewWatch(o WatchOptions) (*Watch, error) {
	if o.Imaging == nil {
		return nil, errors.New("watch: Imaging is required")
	}
	if o.MinArea == 0 {
		o.MinArea = 0.0009
	}
	if o.Threshold == 0 {
		o.Threshold = 14
	}
	if o.StillWidth == 0 {
		o.StillWidth = 704
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MinArea < 0 || o.MinArea > 1 || o.Threshold < 1 || o.Threshold > 255 || o.StillWidth < MinSide {
		return nil, fmt.Errorf("watch: MinArea %g (0..1), Threshold %d (1..255) or StillWidth %d (at least %d) is out of range",
			o.MinArea, o.Threshold, o.StillWidth, MinSide)
	}
	w := &Watch{o: o, memories: map[string]memory{}}
	if err := w.adopt(o.Config); err != nil {
		return nil, err
	}
	return w, nil
}

// Configure gives the watch a new configuration of the same camera. What it
// remembers stays where it still holds: other masks start a new warm-up, and
// the running condition of a zone that is gone, or of another kind now, ends
// with the next picture.
func (w *Watch) Configure(c Config) error {
	if c.Camera != w.config.Camera {
		return fmt.Errorf("watch of camera %q: cannot become camera %q", w.config.Camera, c.Camera)
	}
	return w.adopt(c)
}

func (w *Watch) adopt(c Config) error {
	loc, err := c.check()
	if err != nil {
		return fmt.Errorf("watch of camera %q: %w", c.Camera, err)
	}
	old := w.config
	w.config, w.zone = c, loc
	for _, z := range old.Zones {
		i := slices.IndexFunc(c.Zones, func(n inventory.Zone) bool { return n.ID == z.ID && n.Kind == z.Kind })
		if i >= 0 {
			continue
		}
		if m := w.memories[z.ID]; m.Running {
			rule, kind, _ := ruleOf(z.Kind)
			w.removed = append(w.removed, removal{zone: z, kind: kind, rule: rule.ID, m: m})
		}
		delete(w.memories, z.ID)
	}
	w.adoptRunning(c)
	if w.width == 0 {
		return nil
	}
	if !slices.EqualFunc(old.Masks, c.Masks, func(a, b inventory.Polygon) bool { return slices.Equal(a, b) }) {
		w.forget()
		return nil
	}
	w.draw()
	// Whoever draws the zones of a camera that has moved draws them on what it
	// looks at now.
	if redrawn := func(a, b inventory.Zone) bool { return a.ID == b.ID && slices.Equal(a.Area, b.Area) }; w.health.Fault == SceneMoved && !slices.EqualFunc(old.Zones, c.Zones, redrawn) {
		w.forgetViews()
	}
	return nil
}

// adoptRunning takes over conditions of the record that this watch has no
// memory of.
func (w *Watch) adoptRunning(c Config) {
	for _, r := range c.Running {
		i := slices.IndexFunc(c.Zones, func(z inventory.Zone) bool {
			rule, _, ok := ruleOf(z.Kind)
			return ok && z.ID == r.Key.Zone && rule.ID == r.Key.Rule
		})
		if i < 0 {
			known := slices.ContainsFunc(w.removed, func(o removal) bool { return o.zone.ID == r.Key.Zone && o.rule == r.Key.Rule })
			if !known {
				w.removed = append(w.removed, removal{
					zone: inventory.Zone{ID: r.Key.Zone, Kind: kindOfZone(r.Kind)}, kind: r.Kind, rule: r.Key.Rule,
					m: memory{Running: true, Began: r.Began},
				})
			}
			continue
		}
		m := w.memories[r.Key.Zone]
		if m.Running || r.Began.Before(m.Ended) {
			continue // it knows better than the record, which may lag behind
		}
		w.memories[r.Key.Zone] = memory{Running: true, Unknown: true, Began: r.Began, Ended: m.Ended, Armed: m.Armed}
	}
}

func kindOfZone(k Kind) inventory.ZoneKind {
	if k == KindFireLaneBlocked {
		return inventory.ZoneFireLane
	}
	return inventory.ZoneClosedArea
}

const maxCorners = 256 // of a polygon

// check validates a configuration and returns its time zone.
func (c Config) check() (*time.Location, error) {
	if c.Camera == "" {
		return nil, errors.New("the camera has no id")
	}
	if c.Interval < 0 {
		return nil, fmt.Errorf("interval %v: must not be negative", c.Interval)
	}
	loc, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: want an IANA name such as Asia/Shanghai: %w", c.TimeZone, err)
	}
	ids := map[string]bool{}
	for _, z := range c.Zones {
		if _, _, ok := ruleOf(z.Kind); !ok {
			return nil, fmt.Errorf("zone %q: no rule for kind %q (want one of %v)", z.ID, z.Kind, inventory.ZoneKinds())
		}
		if z.ID == "" || ids[z.ID] {
			return nil, fmt.Errorf("zone %q: ids must be there and unique within the camera", z.ID)
		}
		ids[z.ID] = true
		if z.Preset < 0 {
			return nil, fmt.Errorf("zone %q: preset %d must not be negative", z.ID, z.Preset)
		}
		if z.Dwell < 0 {
			return nil, fmt.Errorf("zone %q: dwell %v must not be negative", z.ID, z.Dwell)
		}
		if err := checkPolygon(z.Area); err != nil {
			return nil, fmt.Errorf("zone %q: %w", z.ID, err)
		}
	}
	for i, m := range c.Masks {
		if err := checkPolygon(m); err != nil {
			return nil, fmt.Errorf("mask %d: %w", i+1, err)
		}
	}
	return loc, nil
}

func checkPolygon(p inventory.Polygon) error {
	if len(p) < 3 || len(p) > maxCorners {
		return fmt.Errorf("a polygon has 3 to %d corners, got %d", maxCorners, len(p))
	}
	for _, c := range p {
		if !(c.X >= 0 && c.X <= 1 && c.Y >= 0 && c.Y <= 1) {
			return fmt.Errorf("corner (%g, %g) lies outside the picture (0..1)", c.X, c.Y)
		}
	}
	return nil
}

// resize prepares for pictures of another size, and forgets what was learned.
func (w *Watch) resize(width, height int) {
	w.width, w.height = width, height
	w.forget()
	w.health.Same = 0
}

// forget starts anew: what runs becomes unknown.
func (w *Watch) forget() {
	gw, gh := gridSize(w.width, w.height)
	masked := raster(w.config.Masks, gw, gh)
	w.ground, w.retina, w.views = newGround(gw, gh, masked), newRetina(gw, gh, masked), views{at: -1}
	w.relearn()
	w.draw()
}

// relearn starts a new warm-up: what runs becomes unknown.
func (w *Watch) relearn() {
	w.ground.forget()
	w.things = nil
	for id, m := range w.memories {
		m.Unknown, m.Clear, m.Weak, m.Quiet = m.Running, 0, time.Time{}, time.Time{}
		w.memories[id] = m
	}
}

// draw rasters the zones.
func (w *Watch) draw() {
	w.areas = map[string]bitmap{}
	for _, z := range w.config.Zones {
		w.areas[z.ID] = raster([]inventory.Polygon{z.Area}, w.ground.w, w.ground.h)
	}
}

// See judges one picture, which it masks in place. received is when the
// sample arrived. An error means that the picture could not be looked at.
func (w *Watch) See(p Picture, received time.Time) (Result, error) {
	if err := p.Check(); err != nil {
		return Result{}, fmt.Errorf("camera %q: %w", w.config.Camera, err)
	}
	r := Result{Camera: w.config.Camera, Received: received, Stages: make(map[string]float64, 4)}
	begin := w.o.Now()
	stage := func(name string) {
		now := w.o.Now()
		r.Stages[name], begin = now.Sub(begin).Seconds(), now
	}
	blacken(p, w.config.Masks)
	if p.Y.Width != w.width || p.Y.Height != w.height {
		w.resize(p.Y.Width, p.Y.Height)
	}
	x, err := w.o.Imaging.Shrink(p.Y, w.ground.w, w.ground.h)
	if err != nil {
		return Result{}, fmt.Errorf("camera %q: %w", w.config.Camera, err)
	}
	black := 16
	if p.FullRange {
		black = 0
	}
	s, _ := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.size(len(x.Pix))
	w.ground.recall(s)
	l := w.retina.measure(s, p, x.Pix, black)
	l.now = received
	scene, trusted := w.examine(s, l)
	r.Scene = scene
	stage("scene")
	told := w.tellRemoved(received)
	if trusted {
		seen, err := w.move(s, x.Pix, black, received)
		stage("motion")
		if err == nil && seen != nil {
			told = append(told, w.rule(seen, received)...)
		}
		stage("rules")
		if err != nil {
			return Result{}, fmt.Errorf("camera %q: %w", w.config.Camera, err)
		}
	}
	err = w.render(&r, p, told)
	stage("encode")
	return r, err
}
