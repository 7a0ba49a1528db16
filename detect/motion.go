package detect

import (
	"fmt"
	"slices"
	"time"

	"videopatrol/inventory"
)

// fewestPixels of the reduced plane that count as something, whatever
// WatchOptions.MinArea says.
const fewestPixels = 12

// fadedEdge is the edge of a blob below which it is light, lampEdge the same for
// one that is no stronger than lampStrength, as where a lamp comes on, and
// clearEdge the one from which it ends so sharply that it is no insect before the
// lens. glowMost is how large insects and drops become, over the smallest thing
// that counts, and fadeMost how much larger light is than what it was taken for:
// what stands in the midst of light that changes stays.
const (
	fadedEdge    = 0.25
	lampEdge     = 0.3
	lampStrength = 3
	clearEdge    = 0.9
	glowMost     = 12
	fadeMost     = 4
)

// clearStrength is from where on a blob may be smaller than MinArea, in
// proportion, down to half of it.
const clearStrength = 2

// motion is what one look found.
type motion struct {
	sightings []sighting
	// ghosts are blobs where something has left that was ground.
	ghosts []Blob
	// lights are blobs that are the ground under other light, faded those whose
	// light fades out: they are no shadows of anything.
	lights, faded []Blob
	labels        []int32
	// plane is the reduced picture, luma its mean.
	plane []byte
	luma  float64
	// detections are what a model saw, if it looked.
	detections []Detection
	looked     bool
}

// sighting is a blob that is something: neither light nor ground laid bare.
type sighting struct {
	Blob
	// strength is its mean difference from the ground over the threshold, edge
	// how sharply that ends; see ground.edge.
	strength, edge float64
}

// move compares a trusted picture with the ground, keeps account of things,
// and lets the ground follow. It returns nil while nothing can be told:
// during warm-up, or when most of the picture has changed.
func (w *Watch) move(s *scratch, x []byte, black int, now time.Time) (*motion, error) {
	g := w.ground
	dt := max(0, now.Sub(w.last))
	w.last = now
	if !g.learned {
		w.fresh = g.learn(x, s.hue.c, now)
		return nil, nil
	}
	light := g.gain // how far the ground lagged behind the last picture
	fore := g.compare(s, w.o.Imaging, x, black, w.o.Threshold)
	if float64(fore) > stirredShare*float64(len(x)-g.masked.size) {
		if g.stirred++; g.stirred >= stirredMost {
			w.relearn()
			g.learn(x, s.hue.c, now)
		}
		return nil, nil
	}
	g.stirred = 0
	light = g.gain / light
	fore += w.faint(s, x)
	fore += w.lasting(s, x, light)
	fore += g.compareHue(s)
	m := &motion{plane: x}
	const closing = 9 // pixels at most that closing gaps makes of one
	if closing*fore >= w.keepPixels() {
		blobs, labels, err := w.o.Imaging.Blobs(Plane{Pix: s.fore, Width: g.w, Height: g.h, Stride: g.w}, w.keepPixels())
		if err != nil {
			return nil, fmt.Errorf("blobs: %w", err)
		}
		m.labels = labels
		w.sort(m, s, x, blobs)
	}
	tolerance := int(newTolerance * float64(w.o.Threshold))
	for i := range w.things {
		w.things[i].look(x, s.fore, g.w, light, tolerance, now)
	}
	w.things = slices.DeleteFunc(w.things, func(t thing) bool { return t.gone() })
	w.remember(m, x, now)
	if w.health.Count > 0 { // what is blurred seems laid bare: the ground does not follow
		return m, nil
	}
	w.settle(m, s, x, now)
	g.follow(s, w.o.Imaging, x, dt)
	g.followHue(s)
	return m, nil
}

func (w *Watch) minPixels() int {
	free := w.ground.w*w.ground.h - w.ground.masked.size
	return max(fewestPixels, int(w.o.MinArea*float64(free)))
}

// keepPixels is how small something may be where it already is, since what
// lies near the limit must not come and go with every look, or when it stands
// out.
func (w *Watch) keepPixels() int { return (w.minPixels() + 1) / 2 }

// sort tells light and ghosts from things.
func (w *Watch) sort(m *motion, s *scratch, x []byte, blobs []Blob) {
	g := w.ground
	for _, b := range blobs {
		held := slices.ContainsFunc(w.things, func(t thing) bool {
			return t.stands() && !t.Native && w.inside(&t, b, m.labels) >= sameShare
		})
		ratio := ghostRatio
		if w.inZone(b, m.labels, func(m memory) bool { return m.Running && m.Unknown }) || w.native(b, m.labels) {
			ratio = unknownRatio
		}
		strength := w.strength(s, x, b.pixels(m.labels, g.w))
		if !held && !w.counts(b.Area, strength) && !w.inRunning(b, m.labels) {
			continue
		}
		hue := hued(s, m.labels, b, g.w)
		if 2*hue > b.Area { // luma cannot tell light and ghosts from it
			switch {
			case b.Area < w.minPixels() && !held: // a cell or two tremble at edges
			case g.isHueGhost(s, b):
				m.ghosts = append(m.ghosts, b)
				w.leave(b, m.labels)
			default:
				m.sightings = append(m.sightings, sighting{b, strength, 1})
			}
			continue
		}
		edge := g.edge(s, x, m.labels, b)
		fades := edge < fadedEdge || edge < lampEdge && strength <= lampStrength
		if held && 4*hue > b.Area { // what is left of it in luma ends anywhere
			fades = false
		}
		switch {
		case fades && !w.inZone(b, m.labels, func(m memory) bool { return !m.Running && !m.Since.IsZero() }):
			w.fade(b, m.labels)
			m.faded = append(m.faded, b)
			continue
		case !held && g.isLight(s, x, m.labels, b):
			m.lights = append(m.lights, b)
			continue
		case !held && strength < 1 && g.isGhost(s, x, m.labels, b, ratio): // a trace of what stood there and was told of
			m.faded = append(m.faded, b)
			continue
		case held && g.isGhost(s, x, m.labels, b, heldRatio), !held && !m.beside(b) && g.isGhost(s, x, m.labels, b, ratio):
			m.ghosts = append(m.ghosts, b)
			w.leave(b, m.labels)
			w.fade(b, m.labels) // what hid the bare ground at first was taken for standing there
			continue
		}
		m.sightings = append(m.sightings, sighting{b, strength, edge})
	}
}

// strength returns the mean difference of some pixels from the ground, in luma
// or where that tells nothing in colour, over the threshold.
func (w *Watch) strength(s *scratch, x []byte, in func(yield func(i int) bool)) float64 {
	sum, n := 0, 0
	for i := range in {
		if s.fore[i] == foreHue {
			sum += int(s.hueApart[w.ground.hueOf(i)])
		} else {
			sum += abs(int(x[i]) - int(s.expect[i]))
		}
		n++
	}
	return float64(sum) / float64(max(1, n)*w.o.Threshold)
}

// counts tells whether a blob is large enough to be something: a blob that
// stands out may be smaller than one that hardly does.
func (w *Watch) counts(area int, strength float64) bool {
	least := w.minPixels()
	return area >= least || float64(area)*strength >= clearStrength*float64(least)
}

// beside tells whether a blob lies beside a larger sighting: then it is rather
// a part of it than ground laid bare, and must not be learned as ground.
func (m *motion) beside(b Blob) bool {
	return slices.ContainsFunc(m.sightings, func(s sighting) bool {
		dx, dy := max(4, s.W/2), max(4, s.H/4)
		return b.X < s.X+s.W+dx && s.X < b.X+b.W+dx && b.Y < s.Y+s.H+dy && s.Y < b.Y+b.H+dy
	})
}

// inside returns the share of a thing's points that lie in a blob.
func (w *Watch) inside(t *thing, b Blob, labels []int32) float64 {
	return t.share(func(i int) bool { return labels[i] == b.Label })
}

// remember makes a thing of every sighting that is not one already.
func (w *Watch) remember(m *motion, x []byte, now time.Time) {
	gw := w.ground.w
	for _, b := range m.sightings {
		known := slices.DeleteFunc(slices.Clone(w.things), func(t thing) bool { return w.inside(&t, b.Blob, m.labels) < bareShare })
		fresh := func(yield func(i int) bool) {
			for i := range b.pixels(m.labels, gw) {
				if !slices.ContainsFunc(known, func(t thing) bool { return t.covers(i%gw, i/gw) }) && !yield(i) {
					return
				}
			}
		}
		n := 0
		for range fresh {
			n++
		}
		if n < w.minPixels() || float64(n) < (1-explainShare)*float64(b.Area) && len(known) > 0 && n < 4*w.minPixels() {
			continue
		}
		if len(w.things) < maxThings {
			w.things = append(w.things, newThing(fresh, n, x, gw, now))
		}
	}
}

// native tells whether a blob is where a model saw something standing in the
// ground.
func (w *Watch) native(b Blob, labels []int32) bool {
	return slices.ContainsFunc(w.things, func(t thing) bool { return t.Native && w.inside(&t, b, labels) >= sameShare })
}

// fade lets go of what was taken for things and is light that fades out.
func (w *Watch) fade(b Blob, labels []int32) {
	w.things = slices.DeleteFunc(w.things, func(t thing) bool {
		return !t.Native && fadeMost*t.Area >= b.Area && w.inside(&t, b, labels) >= sameShare
	})
}

// leave lets go of what a model saw standing in the ground, once the bare
// ground shows in its place.
func (w *Watch) leave(b Blob, labels []int32) {
	for i := range w.things {
		if t := &w.things[i]; t.Native && w.inside(t, b, labels) >= bareShare {
			t.Bare = bareSamples
		}
	}
}

// settle marks in s.fore how the ground is to follow each pixel, and takes in
// what is ground from now on: ghosts, and things that have not changed for
// settleTime. What stands where a rule looks for that never settles, and
// where a rule misses what was taken a ghost stays until it has told.
func (w *Watch) settle(m *motion, s *scratch, x []byte, now time.Time) {
	g := w.ground
	for i := range marked(s.fore) {
		s.fore[i] = pixelNoise
	}
	// Ground under a shadow is not to follow it piece by piece: what would be
	// left of the shadow then has too little texture to be known as light.
	for _, b := range m.lights {
		for i := range b.pixels(m.labels, g.w) {
			s.fore[i] = pixelHeld
		}
	}
	for _, b := range m.faded {
		for i := range b.pixels(m.labels, g.w) {
			s.fore[i] = pixelQuiet
		}
	}
	for _, b := range m.ghosts {
		missed := w.missed(b, m.labels, now)
		for i := range b.pixels(m.labels, g.w) {
			if missed || w.health.Settle > 0 { // nothing may be concluded yet: it will show again
				s.fore[i] = pixelHeld
				continue
			}
			g.absorb(s, i, x[i])
			s.expect[i], s.fore[i] = x[i], pixelQuiet
		}
	}
	for _, b := range m.sightings {
		in := func(t thing) bool { return t.stands() && w.inside(&t, b.Blob, m.labels) >= sameShare }
		i := slices.IndexFunc(w.things, in)
		ripe := i >= 0 && (w.things[i].Back || now.Sub(w.things[i].Exact) >= settleTime && !w.kept(&w.things[i]))
		held := i >= 0 || w.inRunning(b.Blob, m.labels)
		for i := range b.pixels(m.labels, g.w) {
			switch {
			case ripe:
				g.absorb(s, i, x[i])
				s.expect[i], s.fore[i] = x[i], pixelQuiet
			case held:
				s.fore[i] = pixelHeld
			}
		}
		if ripe {
			w.things = slices.DeleteFunc(w.things, in)
		}
	}
	guard(s, g.w, g.h)
}

// guard holds what lies within two pixels of foreground, too: its blurred rim
// would else follow the picture, and the ground would close in on whatever
// stands there.
func guard(s *scratch, w, h int) {
	const rim = 2
	fore := s.spare[:len(s.fore)]
	copy(fore, s.fore)
	for i := range marked(fore) {
		for y := max(i/w-rim, 0); y <= min(i/w+rim, h-1); y++ {
			for j := y*w + max(i%w-rim, 0); j <= y*w+min(i%w+rim, w-1); j++ {
				if s.fore[j] == pixelQuiet {
					s.fore[j] = pixelHeld
				}
			}
		}
	}
}

// kept tells whether a thing stands where a rule looks for what stands.
func (w *Watch) kept(t *thing) bool {
	return slices.ContainsFunc(w.config.Zones, func(z inventory.Zone) bool {
		return w.stands[z.ID] && t.share(w.areas[z.ID].has) >= zoneShare
	})
}

// missed tells whether a rule still has to judge that something has left.
func (w *Watch) missed(b Blob, labels []int32, now time.Time) bool {
	return slices.ContainsFunc(w.rules, func(r compiled) bool {
		return r.When == WhenTaken && !w.memories[r.key()].Running && now.Sub(w.ground.since) >= r.Params.Known &&
			r.fits(w.ofPicture(b.Area), w.size(r.zone, b.Area, b.Y+b.H), w.tall(r.zone, b.W, b.H, b.Y+b.H)) && w.touches(r.Zone, b, labels) > 0
	})
}

// inRunning tells whether a blob is in a zone of which a condition runs.
func (w *Watch) inRunning(b Blob, labels []int32) bool {
	return w.inZone(b, labels, func(m memory) bool { return m.Running })
}

// inZone tells whether a blob is in a zone of which a rule's memory is such.
func (w *Watch) inZone(b Blob, labels []int32, such func(m memory) bool) bool {
	return slices.ContainsFunc(w.rules, func(r compiled) bool {
		return such(w.memories[r.key()]) && w.touches(r.Zone, b, labels) > 0
	})
}

// touches returns how many of a blob's pixels lie in a zone, 0 when it does
// not touch it: zoneShare of it must, or half of its lowest quarter (its feet
// or wheels), or it must take half of the zone.
func (w *Watch) touches(zone string, b Blob, labels []int32) int {
	n, all, feet := w.within(zone, b, labels)
	if float64(n) >= zoneShare*float64(all) || feet >= 0.5 || 2*n >= w.areas[zone].size {
		return n
	}
	return 0
}

// standsIn tells whether a blob stands in a zone: half of its lowest quarter
// must lie there, or almost all of it, or it must take half of the zone. A head
// that is seen before a zone does not stand in it.
func (w *Watch) standsIn(zone string, b Blob, labels []int32) bool {
	n, all, feet := w.within(zone, b, labels)
	return feet >= 0.5 || float64(n) >= insideShare*float64(all) || 2*n >= w.areas[zone].size
}

// within returns how many of a blob's pixels lie in a zone, how many it has,
// and which share of those of its lowest quarter lie there.
func (w *Watch) within(zone string, b Blob, labels []int32) (n, all int, feet float64) {
	area, gw := w.areas[zone], w.ground.w
	foot := b.Y + b.H - max(1, b.H/4)
	var low, lowIn int
	for i := range b.pixels(labels, gw) {
		all++
		in := area.has(i)
		if in {
			n++
		}
		if i/gw >= foot {
			low++
			if in {
				lowIn++
			}
		}
	}
	return n, all, float64(lowIn) / float64(max(1, low))
}
