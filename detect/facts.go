package detect

import (
	"math"
	"time"

	"videopatrol/inventory"
)

// Facts are what one trusted look says of a zone; the expressions of rules
// judge them. Shares are 0..1 of the zone's pixels.
type Facts struct {
	Kind inventory.ZoneKind
	// Present is how many things are there that the ground does not show,
	// Standing how many of them have come to stand, Dwell for how long the
	// first of those has.
	Present, Standing int
	Dwell             time.Duration
	// Coverage is the share that shows something, Moving the part of it that
	// does not stand.
	Coverage, Moving float64
	// Size is of the largest thing, in standing persons; 0 without a
	// perspective.
	Size float64
	// Count is of people: what a model counts, or else an estimate by the
	// perspective; -1 where neither tells. Seen tells whether a model looked,
	// Classes how many of each class it saw.
	Count   float64
	Seen    bool
	Classes map[string]int
	// Hour is the site's, 0 to below 24; Weekday 0 is Sunday.
	Hour    float64
	Weekday time.Weekday
	// Scene is the health of the picture and Luma its mean, 0..255. A rule is
	// blind while the scene is at fault, so it never judges a faulty one.
	Scene Fault
	Luma  float64
	// Flame and Smoke are scores, 0..1.
	Flame, Smoke float64
}

// presence is one thing in a zone.
type presence struct {
	box Box
	// share is of the zone's pixels, score 0..1.
	share, score float64
	// area is its share of the picture, size in standing persons, 0 without a
	// perspective.
	area, size float64
	// height is its own in standing persons', see tall.
	height float64
	// first is when it came, unmoved since when it has not changed at all,
	// stills in how many samples it stood there, veiled in how many something
	// else did, and seen whether the newest one shows it.
	first, unmoved time.Time
	stills, veiled int
	seen           bool
	// back: it was put back to where it had been taken from.
	back bool
	// class is what a model sees in it, "" when nothing, certain its score.
	class   string
	certain float64
	// inside: it stands in the zone, and does not only reach into it. sharp: it
	// is no glow, as of an insect or a drop before the lens at night.
	inside, sharp bool
}

// scene is what one look says of one zone, before any rule.
type zoneLook struct {
	facts Facts
	// present are sightings, standing the things that stand, bared the places
	// where something has left that was ground.
	present, standing, bared []presence
	// density is the coverage without what stands and does not stir at all.
	density float64
	// fires are where flame and smoke show.
	fires fireFacts
}

// fireFacts are what colour and flicker say of fire in a zone.
type fireFacts struct {
	flame, smoke           float64
	flameBoxes, smokeBoxes []Box
	// learning: what clear sight is in this light is not known yet.
	learning bool
}

// personFill is the share of the square of its height that a standing person
// takes in a picture.
const personFill = 0.25

// look gathers what one look says of a zone.
func (w *Watch) look(z inventory.Zone, m *motion, p Picture, now time.Time) zoneLook {
	local := now.In(w.zone)
	l := zoneLook{facts: Facts{
		Kind: z.Kind, Scene: w.health.Fault, Luma: m.luma, Seen: m.looked, Weekday: local.Weekday(),
		Hour: float64(local.Hour()) + float64(local.Minute())/60 + float64(local.Second())/3600,
	}}
	if l.facts.Scene == SceneOK {
		l.facts.Scene = "ok"
	}
	area := w.areas[z.ID]
	people := 0.0
	for _, b := range m.sightings {
		n := w.touches(z.ID, b.Blob, m.labels)
		if n == 0 {
			continue
		}
		s := presence{
			box:   boxOf(b.X, b.Y, b.W, b.H, w.ground.w, w.ground.h),
			share: float64(n) / float64(area.size), score: w.score(b.Area, b.strength),
			area: w.ofPicture(b.Area), size: w.size(z, b.Area, b.Y+b.H), height: w.tall(z, b.W, b.H, b.Y+b.H), first: now, unmoved: now, stills: 1, seen: true,
			inside: w.standsIn(z.ID, b.Blob, m.labels), sharp: b.edge >= clearEdge && b.Area >= w.minPixels() || b.Area >= glowMost*w.minPixels(),
		}
		if s.class, s.certain = classOf(s.box, m.detections); s.class == "" {
			s.class, s.certain = w.known(b.Blob, m.labels)
		}
		l.present = append(l.present, s)
		l.facts.Coverage += s.share
		people += w.people(z, b.Blob, m.labels)
	}
	for _, b := range m.ghosts {
		if n := w.touches(z.ID, b, m.labels); n > 0 {
			l.bared = append(l.bared, presence{
				box: boxOf(b.X, b.Y, b.W, b.H, w.ground.w, w.ground.h), share: float64(n) / float64(area.size),
				score: w.score(b.Area, 2), area: w.ofPicture(b.Area), size: w.size(z, b.Area, b.Y+b.H), height: w.tall(z, b.W, b.H, b.Y+b.H), seen: true,
			})
		}
	}
	standing := 0.0
	l.density = l.facts.Coverage
	for i := range w.things {
		t := &w.things[i]
		in := t.share(area.has)
		taken := in * float64(t.Area) / float64(max(1, area.size))
		if t.Bare > 0 || (in < zoneShare && taken < 0.5) {
			continue
		}
		s := presence{
			box: t.box(w.ground.w, w.ground.h), share: min(1, taken), score: w.score(t.Area, 2),
			area: w.ofPicture(t.Area), size: w.size(z, t.Area, t.Y+t.H), height: w.tall(z, t.W, t.H, t.Y+t.H),
			first: t.First, unmoved: t.Exact, stills: t.Stills, veiled: t.Veiled, seen: t.seen(), back: t.Back, class: t.Class, certain: t.Certain,
		}
		l.standing = append(l.standing, s)
		if !t.stands() {
			continue
		}
		l.facts.Standing++
		l.facts.Dwell = max(l.facts.Dwell, now.Sub(t.First))
		l.facts.Size = max(l.facts.Size, s.size)
		if t.seen() && !t.Native {
			standing += taken
			if now.Sub(t.Exact) >= stillTime {
				l.density -= taken
				if s.size > 0 {
					people -= in * s.size
				}
			}
		}
	}
	f := &l.facts
	f.Present = len(l.present)
	f.Coverage = min(1, f.Coverage)
	f.Moving, l.density = max(0, f.Coverage-standing), max(0, l.density)
	for _, s := range l.present {
		f.Size = max(f.Size, s.size)
	}
	f.Count = -1
	if len(z.Perspective) == 2 {
		f.Count = max(0, people)
	}
	if m.looked {
		f.Classes = map[string]int{}
		for _, d := range m.detections {
			if z.Area.Contains(inventory.Point{X: d.Box.X + d.Box.W/2, Y: min(1, d.Box.Y+d.Box.H)}) {
				f.Classes[d.Class]++
			}
		}
		f.Count = float64(f.Classes["person"])
	}
	if w.burns[z.ID] {
		l.fires = w.fire(z, m, p, now)
		f.Flame, f.Smoke = l.fires.flame, l.fires.smoke
	}
	return l
}

// stillTime is after how long without any change something is no person: it
// does not count for a crowd.
const stillTime = 20 * time.Second

// fire is what colour, flicker and growth say of a zone.
func (w *Watch) fire(z inventory.Zone, m *motion, p Picture, now time.Time) fireFacts {
	if w.burn != nil {
		return w.burn(z.ID, p, now)
	}
	f := w.flames[z.ID]
	if f == nil {
		return fireFacts{}
	}
	if f.light != w.scene.Light { // a scene in infrared is pale as behind smoke
		if f.light != "" {
			f.Smoke = smokeMemory{}
			f.Flame = flameMemory{}
		}
		f.light = w.scene.Light
	}
	s := f.look(p, now, func(b Box) bool { return w.alight(b, m.plane, p) })
	if w.o.Witness != nil && s.doubtful() {
		if said, looked := find(w.o.Witness, p, nil); looked {
			s = s.withWitness(sureOf(said, "fire"))
		}
	}
	return fireFacts{
		flame: s.Flame, smoke: s.Smoke, flameBoxes: s.flameBoxes, smokeBoxes: s.smokeBoxes,
		learning: f.Smoke.Looks < smokeLearn,
	}
}

// alight tells whether anything in a box differs as much from the ground as flame
// does: paint of its colour that trembles by the noise of the night does not.
func (w *Watch) alight(b Box, x []byte, p Picture) bool {
	g := w.ground
	black := p.black()
	x0, x1 := int(b.X*float64(g.w)), int(math.Ceil((b.X+b.W)*float64(g.w)))
	y0, y1 := int(b.Y*float64(g.h)), int(math.Ceil((b.Y+b.H)*float64(g.h)))
	for y := y0; y < min(y1, g.h); y++ {
		for i := y*g.w + x0; i < y*g.w+min(x1, g.w); i++ {
			if g.apart(x, i, black) >= flameApart*w.o.Threshold {
				return true
			}
		}
	}
	return false
}

// kindle makes a watch for fire of each zone that has such a rule; it goes on
// with what was remembered where the zone is still the same.
func (w *Watch) kindle(memories map[string]fireMemory) {
	w.flames = map[string]*flames{}
	for _, z := range w.config.Zones {
		if !w.burns[z.ID] {
			continue
		}
		f := newFlames(w.areas[z.ID], w.ground.w, w.ground.h, w.width, w.height)
		if m, ok := memories[z.ID]; ok {
			f.restore(m)
		}
		w.flames[z.ID] = f
	}
}

// fires are the memories of fire by zone.
func (w *Watch) fires() map[string]fireMemory {
	all := make(map[string]fireMemory, len(w.flames))
	for id, f := range w.flames {
		all[id] = f.fireMemory
	}
	return all
}

// ofPicture is a number of pixels as a share of the picture.
func (w *Watch) ofPicture(pixels int) float64 {
	return float64(pixels) / float64(w.ground.w*w.ground.h)
}

// size is how many standing persons would take so many pixels whose lowest row
// is foot; 0 without a perspective.
func (w *Watch) size(z inventory.Zone, pixels, foot int) float64 {
	h, ok := z.PersonHeight(float64(foot) / float64(w.ground.h))
	if !ok {
		return 0
	}
	h *= float64(w.ground.h)
	return float64(pixels) / (personFill * h * h)
}

// tall is how tall something slim is whose lowest row is foot, in standing
// persons' heights; 0 without a perspective, and of what is too wide for a
// person who stands.
func (w *Watch) tall(z inventory.Zone, width, rows, foot int) float64 {
	const slim = 0.65
	if float64(width) > slim*float64(rows) {
		return 0
	}
	gh := float64(w.ground.h)
	h, ok := z.PersonHeight(float64(foot) / gh)
	if !ok {
		return 0
	}
	return float64(rows) / (h * gh)
}

// people estimates how many people a blob is, by the perspective: a crowd
// reaches far into the depth, so each row counts by the size that people have
// there, whose feet are some half of their height below.
func (w *Watch) people(z inventory.Zone, b Blob, labels []int32) float64 {
	if len(z.Perspective) != 2 {
		return 0
	}
	area, gw, gh := w.areas[z.ID], w.ground.w, float64(w.ground.h)
	n := 0.0
	for y := b.Y; y < b.Y+b.H; y++ {
		row := 0
		for x := b.X; x < b.X+b.W; x++ {
			if i := y*gw + x; labels[i] == b.Label && area.has(i) {
				row++
			}
		}
		h, _ := z.PersonHeight(float64(y) / gh)
		h, _ = z.PersonHeight(min(float64(b.Y+b.H)/gh, float64(y)/gh+h/2))
		n += float64(row) / (personFill * h * h * gh * gh)
	}
	return n
}

// classOf is what a model sees in a box.
func classOf(b Box, found []Detection) (class string, score float64) {
	const same, sure = 0.5, 0.35
	for _, d := range found {
		if d.Score >= sure && d.Score > score && b.overlap(d.Box) >= same {
			class, score = d.Class, d.Score
		}
	}
	return class, score
}

// score weighs size and contrast: 0.5 for the smallest thing of twice the
// threshold's contrast, nearing 1 for large and strong ones.
func (w *Watch) score(area int, strength float64) float64 {
	size := float64(area) / float64(w.minPixels())
	return 1 - math.Exp2(-math.Sqrt(size)*strength/2)
}

// ask has a model look at the picture where something touches an armed zone
// whose rule names a class, unless all that stands there is known already. A
// watch that has just learned its ground asks, too: what stands there then is
// in the ground, and only a model can tell.
func (w *Watch) ask(m *motion, p Picture, now time.Time) {
	if w.o.Objects == nil {
		return
	}
	var near []Box
	for _, z := range w.config.Zones {
		if w.named[z.ID] && z.Armed(now.In(w.zone)) && (w.fresh || w.stirs(z.ID, m)) {
			near = append(near, bounds(z.Area))
		}
	}
	if len(near) == 0 {
		return
	}
	if m.detections, m.looked = find(w.o.Objects, p, near); !m.looked {
		return
	}
	for i := range w.things {
		t := &w.things[i]
		if class, sure := classOf(t.box(w.ground.w, w.ground.h), m.detections); sure > t.Certain {
			t.Class, t.Certain = class, sure
		}
		t.Looked = true
	}
	if w.fresh {
		w.fresh = false
		w.recognize(m, now)
	}
}

// find asks a model about the clear picture.
func find(by Finder, p Picture, near []Box) (found []Detection, looked bool) {
	c, err := p.Clear()
	if err != nil {
		return nil, false
	}
	return by.Find(c, near)
}

// known is what a model has seen in a thing that a blob is.
func (w *Watch) known(b Blob, labels []int32) (class string, certain float64) {
	for i := range w.things {
		if t := &w.things[i]; t.Class != "" && t.Certain > certain && w.inside(t, b, labels) >= sameShare {
			class, certain = t.Class, t.Certain
		}
	}
	return class, certain
}

// stirs tells whether something touches a zone that a model has not looked at.
func (w *Watch) stirs(zone string, m *motion) bool {
	for _, b := range m.sightings {
		if w.touches(zone, b.Blob, m.labels) == 0 {
			continue
		}
		known := false
		for i := range w.things {
			t := &w.things[i]
			known = known || t.stands() && t.Looked && w.inside(t, b.Blob, m.labels) >= sameShare
		}
		if !known || w.counted[zone] {
			return true
		}
	}
	return false
}

// recognize makes things of what a model sees standing in a zone that is
// watched for what stands there, and that is in the ground since first sight.
func (w *Watch) recognize(m *motion, now time.Time) {
	gw, gh := w.ground.w, w.ground.h
	for _, d := range m.detections {
		x0, y0 := int(d.Box.X*float64(gw)), int(d.Box.Y*float64(gh))
		x1, y1 := min(gw, int((d.Box.X+d.Box.W)*float64(gw))), min(gh, int((d.Box.Y+d.Box.H)*float64(gh)))
		if d.Score < nativeScore || x1-x0 < 2 || y1-y0 < 2 || len(w.things) >= maxThings || !w.stood(d) {
			continue
		}
		shown := false
		for _, s := range m.sightings {
			shown = shown || d.Box.overlap(boxOf(s.X, s.Y, s.W, s.H, gw, gh)) >= sameShare
		}
		for i := range w.things {
			shown = shown || d.Box.overlap(w.things[i].box(gw, gh)) >= sameShare
		}
		if shown {
			continue // it came while the watch looked on
		}
		// The middle of the box is the thing, its rim the street.
		dx, dy := (x1-x0)/6, (y1-y0)/6
		pixels := func(yield func(i int) bool) {
			for y := y0 + dy; y < y1-dy; y++ {
				for x := x0 + dx; x < x1-dx; x++ {
					if !yield(y*gw + x) {
						return
					}
				}
			}
		}
		n := max(0, x1-x0-2*dx) * max(0, y1-y0-2*dy)
		if n == 0 {
			continue
		}
		t := newThing(pixels, n, m.plane, gw, now)
		t.Native, t.Looked, t.Class, t.Certain = true, true, d.Class, d.Score
		w.things = append(w.things, t)
	}
}

// nativeScore is how sure a model must be that something stands there which
// nobody saw come.
const nativeScore = 0.5

// stood tells whether a rule of a zone would count a detection that stands.
func (w *Watch) stood(d Detection) bool {
	foot := inventory.Point{X: d.Box.X + d.Box.W/2, Y: min(1, d.Box.Y+d.Box.H*0.9)}
	for _, r := range w.rules {
		if r.When != WhenStands || !r.counts(d.Class) || len(r.Params.Classes)+len(r.Params.Except) == 0 {
			continue
		}
		for _, z := range w.config.Zones {
			if z.ID == r.Zone && z.Area.Contains(foot) {
				return true
			}
		}
	}
	return false
}

func bounds(p inventory.Polygon) Box {
	x0, y0, x1, y1 := 1.0, 1.0, 0.0, 0.0
	for _, c := range p {
		x0, y0, x1, y1 = min(x0, c.X), min(y0, c.Y), max(x1, c.X), max(y1, c.Y)
	}
	return Box{X: x0, Y: y0, W: x1 - x0, H: y1 - y0}
}
