package detect

import (
	"bytes"
	"slices"
	"time"

	"videopatrol/inventory"
)

// Tunables of views.
const (
	maxViews    = 6                // remembered, 3.1 kB each, one more being learned
	viewSamples = 4                // of which a view is learned,
	viewSpan    = 8 * time.Second  // over at least so long
	viewYoung   = 40               // it is young for so many,
	viewEvery   = 30 * time.Second // and later follows no faster than this
	viewSettle  = 10 * time.Minute // where the camera has looked so long is a place it looks at

	edgeLeast   = 5      // half steps: the weakest edge that a view remembers
	edgeFaint   = 16     // 1/32 steps: an edge that is weaker is not to be seen
	faithMost   = 15     // how often an edge was there when it was looked for, as a count up and down,
	faithLeast  = 3      // and how much of that makes it one of the view's
	edgeStrong  = 3 * 32 // 1/32 steps: sharpness is judged where edges are so strong on average
	peakLeast   = 8      // steps: the weakest peak by which sharpness is judged
	greyEnter   = 0.05   // infrared: so little of the picture is coloured,
	greyLeave   = 0.5    // and so much of it when it is over
	nightEnter  = 36     // mean luma: night below it,
	nightLeave  = 46     // day above it
	knownShare  = 0.6    // so many edges as learned: it is that view
	relateShare = 0.4    // so many: the same view in another light
)

// Light is the light that a camera sees by.
type Light string

// The lights. Each has its own views.
const (
	LightDay      Light = "day"
	LightNight    Light = "night"
	LightInfrared Light = "infrared"
)

// View is a view that a camera is known to have: one of its presets in one
// light. It was learned from the camera's own pictures.
type View struct {
	Preset int   `json:"preset"`
	Light  Light `json:"light"`
	// Learned is when it was learned, Seen when it was seen last.
	Learned time.Time `json:"learned"`
	Seen    time.Time `json:"seen"`
	// Luma is mean luma above black (steps of 0..255), Noise the usual noise in
	// the same steps, Cb and Cr the median colour off grey.
	Luma  float64 `json:"luma"`
	Noise float64 `json:"noise"`
	Cb    float64 `json:"cb"`
	Cr    float64 `json:"cr"`
	White float64 `json:"white"`
	// Samples counts those it was learned from, at most 40.
	Samples int `json:"samples"`

	// edges are the steps between cells, to the right and downwards, in half
	// steps, faith how far they stay: two in a byte. peaks are the greatest
	// steps of each block. They tell where edges are, and are no picture.
	edges [][2]int8
	faith []byte
	peaks []byte
}

// sure tells whether edge i is one of the view's.
func (v *View) sure(i int) bool {
	x, y := int(v.edges[i][0]), int(v.edges[i][1])
	return x*x+y*y >= edgeLeast*edgeLeast && v.faith[i/2]>>(i%2*4)&15 >= faithLeast
}

// trust counts whether edge i is where and as it was.
func (v *View) trust(i int, e edge) {
	x, y := int(e.x), int(e.y)
	by := -2
	if like(x, y, int(v.edges[i][0]), int(v.edges[i][1])) {
		by = 1
	}
	if x*x+y*y < edgeFaint*edgeFaint {
		by = -1
	}
	n := int(v.faith[i/2]>>(i%2*4)&15) + by
	v.faith[i/2] = v.faith[i/2]&^(15<<(i%2*4)) | byte(max(0, min(n, faithMost)))<<(i%2*4)
}

// known tells whether the view has been learned.
func (v *View) known() bool { return v.Samples >= viewSamples && v.Seen.Sub(v.Learned) >= viewSpan }

// learn takes one look at the view.
func (v *View) learn(l look) {
	if v.Samples == 0 {
		v.Learned = l.now
		v.edges, v.peaks = make([][2]int8, len(l.edges)), make([]byte, len(l.peaks))
		v.faith = make([]byte, (len(l.edges)+1)/2)
	}
	v.Samples++
	n := v.Samples
	for i, e := range l.edges {
		o := &v.edges[i]
		o[0] = int8(toward(int(o[0]), halfSteps(e.x), n))
		o[1] = int8(toward(int(o[1]), halfSteps(e.y), n))
		v.trust(i, e)
	}
	for i, p := range l.peaks { // the least, because what passes is sharp, too
		if n == 1 || p < v.peaks[i] {
			v.peaks[i] = p
		}
	}
	v.blend(l, 1/float64(n))
}

// follow lets a known view follow the scene, as shadows wander and leaves
// fall: by one step at a time, a young view at every look.
func (v *View) follow(l look) {
	if v.Samples >= viewYoung && l.now.Sub(v.Seen) < viewEvery {
		return
	}
	v.Samples = min(v.Samples+1, viewYoung)
	for i, e := range l.edges {
		v.trust(i, e)
		o := &v.edges[i]
		o[0] += int8(sign(halfSteps(e.x) - int(o[0])))
		o[1] += int8(sign(halfSteps(e.y) - int(o[1])))
	}
	for i, p := range l.peaks {
		v.peaks[i] = byte(int(v.peaks[i]) + sign(int(p)-int(v.peaks[i])))
	}
	v.blend(l, 1.0/32)
}

func (v *View) blend(l look, rate float64) {
	v.Seen = l.now
	for _, m := range []struct {
		to  *float64
		now float64
	}{{&v.Luma, l.mean}, {&v.Noise, l.noise}, {&v.Cb, l.cb}, {&v.Cr, l.cr}, {&v.White, l.white}} {
		*m.to += (m.now - *m.to) * rate
	}
}

// halfSteps limits an edge's 1/32 steps to what a view can hold.
func halfSteps(v int16) int { return max(-127, min(int(v)/16, 127)) }

// toward returns a mean of n numbers that was a, of n-1 numbers, once b came.
func toward(a, b, n int) int {
	d := b - a
	return a + (d+sign(d)*n/2)/n
}

// sign is -1, 0 or 1, without a branch that noise takes either way.
func sign(v int) int { return v>>63 | int(uint(-v)>>63) }

// viewSize is how many bytes of a checkpoint a view takes.
func (r *retina) viewSize() int {
	n := r.ew * r.eh
	return 2*n + (n+1)/2 + r.bw*r.bh
}

// append adds a view's bytes to a checkpoint.
func (v *View) append(b []byte) []byte {
	for _, e := range v.edges {
		b = append(b, byte(e[0]), byte(e[1]))
	}
	return append(append(b, v.faith...), v.peaks...)
}

// restore takes over a view's bytes, and returns what follows them.
func (v *View) restore(r *retina, b []byte) []byte {
	n := r.ew * r.eh
	v.edges = make([][2]int8, n)
	for i := range v.edges {
		v.edges[i] = [2]int8{int8(b[2*i]), int8(b[2*i+1])}
	}
	b = b[2*n:]
	v.faith, b = bytes.Clone(b[:(n+1)/2]), b[(n+1)/2:]
	v.peaks = bytes.Clone(b[:r.bw*r.bh])
	return b[r.bw*r.bh:]
}

// likeness is how a look compares with a view.
type likeness struct {
	// kept, turned and faint are shares of the view's edges: seen as they
	// were, seen in another direction, not seen. They are -1 when the view has
	// too few edges to tell.
	kept, turned, faint float64
	// gone is the share of the view's blocks whose edges are lost and that are
	// flat instead.
	gone float64
	// crisp is the median sharpness of blocks over what it was, less the
	// effect of contrast; -1 when too few blocks can tell.
	crisp float64
	// contrast is the median contrast over what it was.
	contrast float64
	// telling is agrees among the edges that would show a displacement; see
	// retina.telling.
	telling float64
	// slipped is the share of rows that show the view displaced sideways,
	// each by its own distance, and rows are those rows; see retina.slips.
	slipped float64
	rows    uint64
}

// unlike is the likeness with a view that cannot tell.
var unlike = likeness{kept: -1, turned: -1, faint: -1, crisp: -1, contrast: -1, telling: 1}

// agrees is the share of the edges to be seen that are as they were.
func (k likeness) agrees() float64 {
	if k.kept+k.turned <= 0 {
		return 0
	}
	return k.kept / (k.kept + k.turned)
}

// unchanged tells whether what is left of the view is in the same light: a
// cover may take the colour out of a picture, and does not make it night.
func (k likeness) unchanged() bool { return k.contrast > 0.9 && k.contrast < 1.1 && k.crisp > 0.9 }

// like tells whether two edges have about one direction: 45° at most apart. One
// that is none is like no other.
func like(ax, ay, bx, by int) bool {
	dot := ax*bx + ay*by
	return 2*dot*abs(dot) >= max(1, (ax*ax+ay*ay)*(bx*bx+by*by))
}

// tally is what the edges of one block say.
type tally struct{ edges, kept, before, now int32 }

// compare compares a look with a view.
func (r *retina) compare(s *scratch, v *View, l look) likeness {
	k := unlike
	if len(v.edges) != len(l.edges) || len(v.peaks) != len(l.peaks) || len(l.peaks) == 0 {
		return k
	}
	s.tallies = sized(s.tallies, len(l.peaks))
	clear(s.tallies)
	var n, kept, turned int
	for ey := range r.eh {
		row := s.tallies[min(ey/2, r.bh-1)*r.bw:][:r.bw]
		for ex := range r.ew {
			i := ey*r.ew + ex
			rx, ry := int(v.edges[i][0]), int(v.edges[i][1])
			if !v.sure(i) || r.blind[i] {
				continue
			}
			n++
			t := &row[min(ex/2, r.bw-1)]
			t.edges++
			x, y := int(l.edges[i].x), int(l.edges[i].y)
			if x*x+y*y < edgeFaint*edgeFaint {
				continue
			}
			if !like(x, y, rx, ry) {
				turned++
				continue
			}
			kept++
			t.kept++
			t.before += int32(abs(rx)+abs(ry)) * 16
			t.now += int32(abs(x) + abs(y))
		}
	}
	if n < 2*fewBlocks {
		return k
	}
	k.kept, k.turned = float64(kept)/float64(n), float64(turned)/float64(n)
	k.faint = 1 - k.kept - k.turned
	r.blocks(&k, s, v, l)
	return k
}

// blocks compares sharpness and contrast block by block.
func (r *retina) blocks(k *likeness, s *scratch, v *View, l look) {
	const one = 128
	var crisp, contrast [4 * one]uint16
	n, gone, sharp := 0, 0, 0
	for i, t := range s.tallies {
		if t.edges == 0 {
			continue
		}
		n++
		if 3*t.kept < t.edges && 2*int(l.peaks[i]) < int(v.peaks[i]) {
			gone++
		}
		// Only strong edges tell of sharpness, and only where they have not
		// become much stronger: there the view knows them badly.
		if 2*t.kept < t.edges || v.peaks[i] < peakLeast || t.before < edgeStrong*t.kept || 2*t.now > 3*t.before || t.now == 0 {
			continue
		}
		sharp++
		c := one * int(t.now) / int(t.before)
		contrast[min(c, len(contrast)-1)]++
		q := one * int(l.peaks[i]) * int(t.before) / (int(v.peaks[i]) * int(t.now))
		crisp[min(q, len(crisp)-1)]++
	}
	k.gone = float64(gone) / float64(max(1, n))
	if sharp < fewBlocks {
		return
	}
	middle := func(hist []uint16) float64 {
		rest := sharp / 2
		for q, m := range hist {
			if rest -= int(m); rest < 0 {
				return float64(q) / one
			}
		}
		return 0
	}
	k.crisp, k.contrast = middle(crisp[:]), middle(contrast[:])
}

// lightOf tells the light of a look, when it was before.
func lightOf(l look, before Light) Light {
	switch {
	case l.colour < greyEnter, l.colour < greyLeave && before == LightInfrared:
		return LightInfrared
	case l.mean < nightEnter, l.mean < nightLeave && before == LightNight:
		return LightNight
	default:
		return LightDay
	}
}

// views are what a camera is known to look at.
type views struct {
	all []View
	// at is the view that the newest look showed, or failed to show; -1 before
	// the first is known.
	at int
	// next is being learned.
	next View
}

// pick returns the view to judge a look by: of those in its light the one that
// is most like it, at first the newest; kin tells whether the light is its own.
func (v *views) pick(r *retina, s *scratch, l look, light Light) (at int, k likeness, kin bool) {
	if v.at >= 0 && v.all[v.at].Light == light {
		at, k = v.at, r.compare(s, &v.all[v.at], l)
		if k.agrees() >= knownShare || k.kept < 0 {
			return at, k, true
		}
		kin = true
	} else {
		at = v.at
	}
	for i := range v.all {
		if v.all[i].Light != light || i == v.at && kin {
			continue
		}
		o := r.compare(s, &v.all[i], l)
		if !kin || o.agrees() > max(k.agrees(), knownShare) {
			at, k, kin = i, o, true
		}
	}
	if !kin && at >= 0 {
		k = r.compare(s, &v.all[at], l)
	}
	// Dusk in infrared is not like the dead of night: a scene that is still where
	// it was seen in another light has not moved.
	if kin && k.kept >= 0 && k.agrees() < knownShare {
		for i := range v.all {
			if v.all[i].Light == light || v.all[i].Preset != v.all[at].Preset {
				continue
			}
			if o := r.compare(s, &v.all[i], l); o.agrees() >= knownShare {
				return i, o, false
			}
		}
	}
	return at, k, kin
}

// drop makes room for one more view: the one not seen for longest goes, but no
// home view.
func (v *views) drop() {
	if len(v.all) < maxViews {
		return
	}
	old := -1
	for i := range v.all {
		if i != v.at && v.all[i].Preset != 1 && (old < 0 || v.all[i].Seen.Before(v.all[old].Seen)) {
			old = i
		}
	}
	if old < 0 {
		for i := range v.all {
			if i != v.at && (old < 0 || v.all[i].Seen.Before(v.all[old].Seen)) {
				old = i
			}
		}
	}
	v.all = slices.Delete(v.all, old, old+1)
	if v.at > old {
		v.at--
	}
}

// preset is where the camera looks, 0 before anything is known.
func (v *views) preset() int {
	if v.at < 0 {
		return 0
	}
	return v.all[v.at].Preset
}

// examine judges the health of one look, and lets the views follow it.
func (w *Watch) examine(s *scratch, l look) (scene Scene, trusted bool) {
	v := &w.views
	before := Light("")
	if v.at >= 0 {
		before = v.all[v.at].Light
	}
	light := lightOf(l, before)
	f := facts{look: l, likeness: unlike, mute: w.retina.mute}
	at := v.at
	if v.at >= 0 && !l.blank {
		at, f.likeness, f.kin = v.pick(w.retina, s, l, light)
		f.view = &v.all[at]
		if f.kept >= 0 && f.agrees() < 0.85 { // else there is nothing to tell by
			f.telling = w.retina.telling(f.view, l)
			f.slipped, f.rows = w.retina.slips(s, f.view, l)
		}
		f.away = f.kin && f.agrees() >= knownShare && !w.serves(f.view.Preset)
	}
	w.facts = f
	w.health, trusted = w.health.judge(f)
	w.revise(s, f, light, at)
	scene = Scene{Fault: w.health.Fault, Luma: l.raw, Sharp: l.sharp, Light: light, Preset: v.preset()}
	if scene.Fault != SceneOK {
		scene.Since, scene.Severity = w.health.Since, w.health.Severity
	}
	if preset := v.preset(); trusted && preset != w.preset {
		if w.preset != 0 {
			w.relearn()
		}
		w.preset = preset
	}
	return scene, trusted
}

// revise lets the views follow a look that was compared with view at, or
// learns a new one of it.
func (w *Watch) revise(s *scratch, f facts, light Light, at int) {
	v, h := &w.views, &w.health
	sound := h.Fault == SceneOK && h.Count == 0 && (h.Same == 1 || h.Changed != 0)
	matched := f.kin && (f.kept < 0 || f.agrees() >= knownShare)
	switch {
	case f.blank:
	case sound && v.at < 0:
		v.learn(w.retina, s, f.look, light, 1)
	case sound && !f.kin && (f.kept < 0 || f.agrees() >= relateShare):
		v.learn(w.retina, s, f.look, light, v.preset())
	case sound && matched:
		v.at = at
		v.all[at].follow(f.look)
	case h.Fault == SceneMoved && h.Count == 0 && matched:
		v.at = at
	case h.Fault == SceneMoved && h.Count == 0 && f.now.Sub(h.Since) >= viewSettle:
		most := 0
		for i := range v.all {
			most = max(most, v.all[i].Preset)
		}
		v.learn(w.retina, s, f.look, light, most+1)
	}
}

// learn takes one look at the view that is being learned.
func (v *views) learn(r *retina, s *scratch, l look, light Light, preset int) {
	if n := &v.next; n.Light != light || n.Preset != preset {
		*n = View{Light: light, Preset: preset}
	}
	v.next.learn(l)
	if !v.next.known() {
		return
	}
	if k := r.compare(s, &v.next, l); k.kept < 0 || k.agrees() >= knownShare {
		v.drop()
		v.all = append(v.all, v.next)
		v.at = len(v.all) - 1
	}
	v.next = View{} // else the camera moved meanwhile
}

// faces tells whether the camera looks where a zone is.
func (w *Watch) faces(z inventory.Zone) bool {
	return w.views.at < 0 || max(1, z.View) == w.views.preset()
}

// Views are what the watch has learned that its camera looks at.
func (w *Watch) Views() []View { return slices.Clone(w.views.all) }

// forgetViews makes what the camera looks at now its view.
func (w *Watch) forgetViews() {
	w.views, w.preset, w.health = views{at: -1}, 0, health{}
	w.relearn()
}

// serves tells whether any zone lies where the camera looks at a preset.
func (w *Watch) serves(preset int) bool {
	return preset <= 1 || len(w.config.Zones) == 0 || slices.ContainsFunc(w.config.Zones, func(z inventory.Zone) bool {
		return z.View == preset
	})
}
