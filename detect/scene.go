package detect

import (
	"math"
	"math/bits"
	"time"
)

// When each fault is declared, and when it is over: the first number where the
// scene is sound, the second while the fault holds. Luma levels are steps above
// black of 0..255.
const (
	darkMean, lightMean = 10, 16 // dark: mean and
	darkHigh, lightHigh = 22, 36 // 95th percentile below both
	flatSharp           = 0.35   // covered: hardly any gradient at all,
	clearSharp          = 0.6    // and more when it is over, where no view is known
	settleSamples       = 1      // samples after a fault in which nothing begins or ends
	frozenSamples       = 3      // identical samples in a row
	frozenSpan          = 10 * time.Second
	clockSpan           = 20 * time.Second // but for a clock,
	clockBands          = bands / 5        // which takes so many bands at most
)

// shadeLeast is what a change of light leaves of contrast: less is a cover.
const shadeLeast = 0.15

// Some rows of a view that has turned look displaced by chance. Where so few of
// the edges that tell are in place it is torn only if most rows are displaced,
// and where they are no more than so many, though it has not turned, a few rows
// are enough that were in place before: what passes close by is in the same rows
// for several pictures.
const (
	tornTells  = 0.3
	tornMost   = 0.4
	tornPartly = 0.75
)

// A picture that suggests no fault is held back when less than sureTells of what
// tells is in place, though all was in the picture before, or something was
// wrong: heldMost of them until the view is to be seen again, or a fault begins
// or ends. After them a fault may end though much disagrees, and a scene that has
// become another is judged.
const (
	asKnown   = 0.9 // of all edges: the picture is as its view
	sureTells = 0.85
	heldMost  = 5
)

// limit is a threshold with hysteresis.
type limit struct{ enter, leave float64 }

var (
	whiteShare  = limit{0.5, 0.4} // bright: of the picture, and so much more than usual
	whiteMore   = limit{0.25, 0.15}
	goneWhole   = limit{0.5, 0.3}   // covered, of the view's blocks
	goneMost    = limit{0.33, 0.25} // in part, and more than a camera that has moved leaves flat
	gonePart    = limit{0.25, 0.15}
	keptShare   = limit{0.5, 0.6} // where a view is known, flat is covered only if its edges are lost
	noiseLeast  = limit{8, 6}     // noisy, and so many times what is usual
	noiseMore   = limit{2.5, 1.8}
	noiseAlone  = limit{12, 9} // where no view is known
	slippedRows = limit{0.12, 0.08}
	slippedFew  = limit{0.05, 0.03}
	movedAgrees = limit{0.57, 0.65} // of all edges,
	movedTells  = limit{0.5, 0.58}  // or of those that would show it
	otherAgrees = limit{0.4, 0.45}  // in another light than the view's
	crispLeast  = limit{0.72, 0.8}
	tintFar     = limit{14, 9}
)

// patience is how long a fault must have been suspected before it is declared.
type patience struct {
	samples int
	span    time.Duration
}

var (
	atOnce = patience{2, 0}
	soon   = patience{3, 10 * time.Second}
	slowly = patience{3, 20 * time.Second}
)

// health is scene health's memory of one camera.
type health struct {
	Fault    Fault     `json:"fault,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Severity float64   `json:"severity,omitempty"`
	// Suspect is what the newest samples look like when it is not Fault,
	// Count how many in a row did, First when.
	Suspect Fault     `json:"suspect,omitempty"`
	Count   int       `json:"count,omitempty"`
	First   time.Time `json:"first,omitzero"`
	// Lapse: the newest picture looked sound, which is not believed yet. Known: it
	// was as its view. Held counts lapses since one was, or since Fault changed.
	Lapse bool `json:"lapse,omitempty"`
	Known bool `json:"known,omitempty"`
	Held  int  `json:"held,omitempty"`
	// Slipped are the rows that the newest picture showed displaced.
	Slipped uint64 `json:"slipped,omitempty"`
	// Prints are of the picture since which Same pictures were identical but
	// for the bands in Changed; SameFrom is when it came.
	Prints   []uint32  `json:"prints,omitempty"`
	Changed  uint32    `json:"changed,omitempty"`
	Same     int       `json:"same,omitempty"`
	SameFrom time.Time `json:"same_from,omitzero"`
	// Settle counts down samples after a fault.
	Settle int `json:"settle,omitempty"`
}

// facts are what scene health knows of one picture.
type facts struct {
	look
	likeness
	// view is what it was compared with, nil when none is known; kin tells
	// whether that is in the picture's own light.
	view *View
	kin  bool
	// away: the camera looks where no zone is.
	away bool
	// mute are bands that are all masked.
	mute [bands]bool
}

// suspicion is what one picture alone suggests.
type suspicion struct {
	fault    Fault
	severity float64
	patience patience
	// mild: the rules may go on until it is declared.
	mild bool
}

// judge takes one picture into account. The scene is trusted when there is no
// fault, none is suspected that would mislead a rule, and the picture is not
// the one before again.
func (h health) judge(f facts) (next health, trusted bool) {
	h.count(f)
	s := h.suspect(f)
	h.Slipped = f.rows
	since := f.now
	if s.fault == SceneFrozen {
		since = h.SameFrom
	}
	before := h.Lapse
	h.Lapse = h.lapses(f, s)
	h.Known = f.kin && f.agrees() >= asKnown
	switch {
	case h.Known || !f.kin:
		h.Held = 0
	case h.Lapse:
		h.Held++
	}
	switch {
	case h.Lapse && (h.Fault != SceneOK || h.Suspect == SceneTorn && !before): // it goes on
	case s.fault == h.Fault:
		h.Suspect, h.Count, h.Severity = h.Fault, 0, s.severity
	default:
		// From one suspicion to another the scene has not been sound.
		if h.Count == 0 || (s.fault == SceneOK) != (h.Suspect == SceneOK) {
			h.Count, h.First = 0, since
		}
		h.Suspect = s.fault
		h.Count++
		if h.Count < s.patience.samples || f.now.Sub(h.First) < s.patience.span {
			break
		}
		if s.fault == SceneOK {
			h.Settle = settleSamples + 1
		}
		h.Fault, h.Since, h.Severity, h.Count, h.Held = s.fault, h.First, s.severity, 0, 0
	}
	trusted = h.Fault == SceneOK && (h.Count == 0 || s.mild) && !h.Lapse && (h.Same == 1 || h.Changed != 0)
	if trusted && h.Settle > 0 {
		h.Settle--
	}
	return h, trusted
}

// lapses tells whether a picture that suggests no fault is not believed yet.
// People and cars come one by one, and leave what tells elsewhere as it was; a
// stream that loses packets does not.
func (h health) lapses(f facts, s suspicion) bool {
	switch {
	case s.fault != SceneOK:
		return false
	case f.kin && f.telling < sureTells:
		wrong := h.Fault != SceneOK || h.Suspect != SceneOK || h.Lapse
		return (h.Known || wrong) && h.Held < heldMost
	default:
		// Each picture is torn elsewhere: one that happens to be whole proves nothing.
		return h.Fault == SceneOK && h.Suspect == SceneTorn && !h.Lapse
	}
}

// count counts pictures that are identical, but for a clock.
func (h *health) count(f facts) {
	var changed, mute uint32
	for b, p := range f.prints {
		switch {
		case f.mute[b]:
			mute |= 1 << b
		case len(h.Prints) == bands && h.Prints[b] != p:
			changed |= 1 << b
		}
	}
	seen := bands - bits.OnesCount32(mute)
	all := changed | h.Changed
	if len(h.Prints) == bands && !f.blank && h.Same > 0 && bits.OnesCount32(all)*bands <= clockBands*seen {
		h.Same++
		h.Changed = all
		return
	}
	h.Prints, h.Changed, h.Same, h.SameFrom = append([]uint32(nil), f.prints[:]...), 0, 1, f.now
}

// suspect says what one picture alone suggests, with the limits of the fault
// that holds.
func (h health) suspect(f facts) suspicion {
	bound := func(of Fault, l limit) float64 {
		if h.Fault == of {
			return l.leave
		}
		return l.enter
	}
	over := func(of Fault, v float64, l limit) bool { return v > bound(of, l) }
	under := func(of Fault, v float64, l limit) bool { return v < bound(of, l) }
	known, kin := f.kept >= 0, f.kept >= 0 && f.kin
	usual := View{}
	if f.view != nil {
		usual = *f.view
	}
	still := f.now.Sub(h.SameFrom)
	blurred := f.crisp >= 0 && f.crisp < crispLeast.enter // its edges lie elsewhere
	cast := 0.0
	if kin {
		cast = castOf(f.cb-usual.Cb, f.cr-usual.Cr)
	}
	switch {
	case f.blank:
		return suspicion{patience: atOnce}
	case under(SceneDark, f.mean, limit{darkMean, lightMean}) && under(SceneDark, f.high, limit{darkHigh, lightHigh}):
		return suspicion{SceneDark, severity(f.mean, lightMean, 0), atOnce, false}
	case over(SceneBright, f.white, whiteShare) && over(SceneBright, f.white-usual.White, whiteMore):
		return suspicion{SceneBright, severity(f.white, whiteShare.leave, 1), soon, false}
	case f.sharp < flatSharp && (!known || under(SceneCovered, f.kept, keptShare)), known && over(SceneCovered, f.gone, goneWhole) && (f.kin || f.contrast < shadeLeast), h.Fault == SceneCovered && !known && f.sharp < clearSharp:
		return suspicion{SceneCovered, 1, atOnce, false}
	case h.Same >= frozenSamples && (h.Changed == 0 && still >= frozenSpan || still >= clockSpan):
		return suspicion{SceneFrozen, 1, patience{}, false}
	case kin && over(SceneNoisy, f.noise, noiseLeast) && over(SceneNoisy, f.noise, limit{usual.Noise * noiseMore.enter, usual.Noise * noiseMore.leave}),
		!kin && over(SceneNoisy, f.noise, noiseAlone):
		return suspicion{SceneNoisy, severity(f.noise, noiseLeast.leave, 40), soon, false}
	case kin && over(SceneTorn, f.slipped, slippedRows) && (f.telling > tornTells || f.slipped > tornMost),
		kin && over(SceneTorn, f.slipped, slippedFew) && f.rows&h.Slipped == 0 && f.telling > movedTells.enter && f.telling < tornPartly:
		return suspicion{SceneTorn, severity(f.slipped, 0, 1), soon, false}
	case kin && over(SceneCovered, f.gone, goneMost):
		return suspicion{SceneCovered, f.gone, slowly, true}
	case kin && f.kept+f.turned > 0.2 && (under(SceneMoved, f.agrees(), movedAgrees) || !blurred && under(SceneMoved, f.telling, movedTells)), f.away,
		known && !kin && f.kept+f.turned > 0.2 && under(SceneMoved, f.agrees(), otherAgrees):
		return suspicion{SceneMoved, severity(f.agrees(), movedAgrees.leave, 0), soon, false}
	case (kin || known && f.unchanged()) && over(SceneCovered, f.gone, gonePart):
		return suspicion{SceneCovered, f.gone, slowly, true}
	case kin && f.crisp >= 0 && under(SceneBlurred, f.crisp, crispLeast):
		return suspicion{SceneBlurred, severity(f.crisp, crispLeast.leave, 0), slowly, true}
	case over(SceneTinted, cast, tintFar):
		return suspicion{SceneTinted, severity(cast, tintFar.leave, 60), slowly, true}
	}
	return suspicion{patience: atOnce}
}

// severity is 0 where a measure is at ease and 1 where it is worst.
func severity(v, ease, worst float64) float64 {
	return max(0, min((v-ease)/(worst-ease), 1))
}

// castOf measures a colour cast, in steps. Light by nature and lamps shifts
// along from blue to orange, so that counts less.
func castOf(cb, cr float64) float64 {
	return 0.4*math.Abs(cr-cb)/2 + math.Abs(cr+cb)/2
}
