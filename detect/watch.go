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
	// Compile compiles the CEL expressions of rules; nil refuses them.
	Compile func(expr string) (Expr, error)
	// Objects finds objects; nil means that no model is there.
	Objects Finder
	// Witness says how sure a classifier is of the class "fire" in a whole
	// picture; nil means that none is there. It is asked only where it decides.
	Witness Finder
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
	// rules are those of all zones, in the order of the zones.
	rules    []compiled
	memories map[ruleKey]memory
	// By zone id: areas are the zones' pixels of the reduced plane; a rule of
	// the zone looks for what is present, stands, was left behind, or burns, names
	// a class, or counts.
	areas                                        map[string]bitmap
	entered, stands, left, burns, named, counted map[string]bool
	// fresh: the ground was learned, and no model has looked at it since.
	fresh bool
	// flames watch for fire by zone; burn is a test's in their place.
	flames map[string]*flames
	burn   func(zone string, p Picture, now time.Time) fireFacts
	// judged is the newest that each rule said, scene the newest health, for
	// Explain alone.
	judged map[ruleKey]judged
	scene  Scene
	// last is the newest trusted look.
	last time.Time
	// removed are conditions whose end is still to be told.
	removed []removal
}

type removal struct {
	zone inventory.Zone
	rule Rule
	m    memory
}

// ruleKey names a rule of a zone.
type ruleKey struct{ zone, rule string }

// Expr is a compiled expression. It is safe for concurrent use.
type Expr interface {
	// Holds tells whether it is true of a zone. After an error that cannot be
	// told.
	Holds(f Facts) (bool, error)
	// Uses tells whether it asks for a fact, by its name in expressions.
	Uses(fact string) bool
}

// compiled is a rule that is ready to judge its zone.
type compiled struct {
	Rule
	zone inventory.Zone
	expr Expr
}

func (r *compiled) key() ruleKey { return ruleKey{r.Zone, r.Ref.ID} }

// asks tells whether the rule is an expression that uses one of some facts.
func (r *compiled) asks(facts ...string) bool {
	return r.expr != nil && slices.ContainsFunc(facts, r.expr.Uses)
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
	w := &Watch{o: o, memories: map[ruleKey]memory{}, judged: map[ruleKey]judged{}}
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
	loc, rules, err := c.check(w.o.Compile)
	if err != nil {
		return fmt.Errorf("watch of camera %q: %w", c.Camera, err)
	}
	old := w.config
	for _, r := range w.rules {
		if slices.ContainsFunc(rules, r.same) {
			continue
		}
		if m := w.memories[r.key()]; m.Running {
			w.removed = append(w.removed, removal{zone: r.zone, rule: r.Rule, m: m})
		}
		delete(w.memories, r.key())
		delete(w.judged, r.key())
	}
	w.config, w.zone = c, loc
	w.equip(rules)
	w.adoptRunning(c)
	if w.width == 0 {
		return nil
	}
	if !slices.EqualFunc(old.Masks, c.Masks, func(a, b inventory.Polygon) bool { return slices.Equal(a, b) }) {
		w.flames = nil // they may remember what lies under a mask now
		w.forget()
		// A fingerprint of a picture tells of what lies under the new masks.
		w.health = health{Fault: w.health.Fault, Since: w.health.Since, Settle: w.health.Settle}
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

// same tells whether what a rule remembers is what another one would.
func (r *compiled) same(o compiled) bool {
	return r.key() == o.key() && r.zone.Kind == o.zone.Kind && r.Kind == o.Kind
}

// equip takes over compiled rules.
func (w *Watch) equip(rules []compiled) {
	w.rules = rules
	for _, of := range []*map[string]bool{&w.entered, &w.stands, &w.left, &w.burns, &w.named, &w.counted} {
		*of = map[string]bool{}
	}
	for _, r := range rules {
		set := func(m map[string]bool, v bool) { m[r.Zone] = m[r.Zone] || v }
		set(w.entered, r.When == WhenPresent)
		set(w.stands, r.When == WhenStands || r.asks("dwell", "standing"))
		set(w.left, r.When == WhenStands && r.Params.MaxHeight > 0 && r.Params.MaxHeight < 1)
		set(w.burns, r.When == WhenFlame || r.When == WhenSmoke || r.asks("flame", "smoke"))
		set(w.named, len(r.Params.Classes)+len(r.Params.Except) > 0 || r.asks("count", "classes", "seen"))
		set(w.counted, r.When == WhenCrowd || r.asks("count", "classes", "seen"))
	}
}

// adoptRunning takes over conditions of the record that this watch has no
// memory of.
func (w *Watch) adoptRunning(c Config) {
	for _, r := range c.Running {
		key := ruleKey{r.Key.Zone, r.Key.Rule}
		if !slices.ContainsFunc(w.rules, func(o compiled) bool { return o.key() == key }) {
			known := slices.ContainsFunc(w.removed, func(o removal) bool { return o.rule.Zone == key.zone && o.rule.Ref.ID == key.rule })
			if !known {
				w.removed = append(w.removed, removal{
					zone: inventory.Zone{ID: key.zone, Kind: kindOfZone(r.Kind)},
					rule: Rule{Zone: key.zone, Ref: RuleRef{ID: key.rule, Version: 1}, Kind: r.Kind},
					m:    memory{Running: true, Began: r.Began},
				})
			}
			continue
		}
		m := w.memories[key]
		if m.Running || r.Began.Before(m.Ended) {
			continue // it knows better than the record, which may lag behind
		}
		w.memories[key] = memory{Running: true, Unknown: true, Began: r.Began, Ended: m.Ended, Armed: m.Armed}
	}
}

// kindOfZone is the kind of a zone that is gone, by what was found there.
func kindOfZone(k Kind) inventory.ZoneKind {
	switch k {
	case KindFireLaneBlocked:
		return inventory.ZoneFireLane
	case KindIllegalParking:
		return inventory.ZoneNoParking
	case KindCrowd:
		return inventory.ZoneCrowd
	case KindObjectLeft, KindObjectTaken:
		return inventory.ZoneUnattended
	case KindFire, KindSmoke:
		return inventory.ZoneFireWatch
	case KindStandstill:
		return inventory.ZoneRoad
	case KindWaterEdge:
		return inventory.ZoneWaterEdge
	default:
		return inventory.ZoneClosedArea
	}
}

const maxCorners = 256 // of a polygon

// check validates a configuration and returns its time zone and its rules,
// compiled.
func (c Config) check(compile func(string) (Expr, error)) (*time.Location, []compiled, error) {
	if c.Camera == "" {
		return nil, nil, errors.New("the camera has no id")
	}
	if c.Invalid != "" {
		return nil, nil, errors.New(c.Invalid)
	}
	if c.Interval < 0 {
		return nil, nil, fmt.Errorf("interval %v: must not be negative", c.Interval)
	}
	loc, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return nil, nil, fmt.Errorf("time zone %q: want an IANA name such as Asia/Shanghai: %w", c.TimeZone, err)
	}
	ids := map[string]bool{}
	for _, z := range c.Zones {
		if z.ID == "" || ids[z.ID] {
			return nil, nil, fmt.Errorf("zone %q: ids must be there and unique within the camera", z.ID)
		}
		ids[z.ID] = true
		if !slices.Contains(inventory.ZoneKinds(), z.Kind) {
			return nil, nil, fmt.Errorf("zone %q: no rule for kind %q (want one of %v)", z.ID, z.Kind, inventory.ZoneKinds())
		}
		if z.View < 0 {
			return nil, nil, fmt.Errorf("zone %q: view %d must not be negative", z.ID, z.View)
		}
		if z.Dwell < 0 {
			return nil, nil, fmt.Errorf("zone %q: dwell %v must not be negative", z.ID, z.Dwell)
		}
		if err := z.CheckPerspective(); err != nil {
			return nil, nil, fmt.Errorf("zone %q: %w", z.ID, err)
		}
		if err := checkPolygon(z.Area); err != nil {
			return nil, nil, fmt.Errorf("zone %q: %w", z.ID, err)
		}
	}
	for i, m := range c.Masks {
		if err := checkPolygon(m); err != nil {
			return nil, nil, fmt.Errorf("mask %d: %w", i+1, err)
		}
	}
	rules, err := c.compile(compile)
	return loc, rules, err
}

// compile puts the rules into the order of their zones and compiles their
// expressions.
func (c Config) compile(compile func(string) (Expr, error)) ([]compiled, error) {
	rules := c.Rules
	if rules == nil {
		var err error
		if rules, err = DefaultPresets().RulesOf(c.Zones); err != nil {
			return nil, err
		}
	}
	out := make([]compiled, 0, len(rules))
	for _, z := range c.Zones {
		for _, r := range rules {
			if r.Zone != z.ID {
				continue
			}
			one := compiled{Rule: r, zone: z}
			if slices.ContainsFunc(out, func(o compiled) bool { return o.key() == one.key() }) {
				return nil, fmt.Errorf("zone %q: two rules of the name %q", z.ID, r.Ref.ID)
			}
			if err := one.ready(compile); err != nil {
				return nil, fmt.Errorf("zone %q: rule %q: %w", z.ID, r.Ref.ID, err)
			}
			out = append(out, one)
		}
	}
	if len(out) != len(rules) {
		return nil, fmt.Errorf("%d of %d rules belong to no zone", len(rules)-len(out), len(rules))
	}
	return out, nil
}

// ready checks a rule and compiles its expression.
func (r *compiled) ready(compile func(string) (Expr, error)) (err error) {
	p := r.Params
	switch {
	case !validName(r.Ref.ID) || r.Ref.Version < 1:
		return fmt.Errorf("want a name of 1 to 64 letters, digits, dots, underscores or hyphens, and a version above 0, got %d", r.Ref.Version)
	case !slices.Contains(Whens(), r.When):
		return fmt.Errorf("it cannot look for %q (want one of %v)", r.When, Whens())
	case !slices.Contains(Kinds(), r.Kind):
		return fmt.Errorf("no such kind of finding %q (want one of %v)", r.Kind, Kinds())
	case r.When == WhenCrowd && (p.Count <= 0 || p.Coverage <= 0), (r.When == WhenFlame || r.When == WhenSmoke) && p.Score <= 0:
		return errors.New("what begins it must be above 0: count and coverage of a crowd, score of flame and smoke")
	case r.When != WhenExpr:
		return nil
	case compile == nil:
		return errNoExpr
	}
	r.expr, err = compile(r.Expr)
	return err
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
	for _, r := range w.rules {
		if r.When == WhenFlame || r.When == WhenSmoke {
			continue // they need no ground
		}
		m := w.memories[r.key()]
		m.Unknown, m.Quiet = m.Running, time.Time{}
		m.drop()
		w.memories[r.key()] = m
	}
}

// draw rasters the zones.
func (w *Watch) draw() {
	w.areas = map[string]bitmap{}
	for _, z := range w.config.Zones {
		w.areas[z.ID] = raster([]inventory.Polygon{z.Area}, w.ground.w, w.ground.h)
	}
	w.kindle(w.fires())
}

// See judges one picture, which it masks in place. received is when the
// sample arrived. An error means that the picture could not be looked at.
func (w *Watch) See(p Picture, received time.Time) (Result, error) {
	if err := p.Check(); err != nil {
		return Result{}, fmt.Errorf("camera %q: %w", w.config.Camera, err)
	}
	r := Result{Camera: w.config.Camera, Received: received, Stages: make(map[string]float64, 5)}
	begin := w.o.Now()
	stage := func(name string) {
		now := w.o.Now()
		r.Stages[name], begin = now.Sub(begin).Seconds(), now
	}
	blacken(p, w.config.Masks)
	p.Clear = w.clearly(p)
	if p.Y.Width != w.width || p.Y.Height != w.height {
		w.resize(p.Y.Width, p.Y.Height)
	}
	x, err := w.o.Imaging.Shrink(p.Y, w.ground.w, w.ground.h)
	if err != nil {
		return Result{}, fmt.Errorf("camera %q: %w", w.config.Camera, err)
	}
	black := p.black()
	s, _ := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.size(len(x.Pix))
	l := w.retina.measure(s, w.o.Imaging, p, x.Pix, black)
	l.now = received
	scene, trusted := w.examine(s, l)
	r.Scene = scene
	w.scene = r.Scene
	stage("scene")
	told := w.tellRemoved(received)
	if trusted {
		s.hue.measure(p, w.ground.w, w.ground.h)
		seen, err := w.move(s, x.Pix, black, received)
		stage("motion")
		if err == nil && seen != nil {
			seen.luma = l.raw
			if w.ask(seen, p, received); seen.looked {
				stage("objects")
			}
			told = append(told, w.rule(seen, p, received)...)
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
