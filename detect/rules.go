package detect

import (
	"slices"
	"time"
)

// The built-in rules of the first kinds, with their versions.
var (
	RuleIntrusion       = RuleRef{ID: "intrusion", Version: 1}
	RuleFireLaneBlocked = RuleRef{ID: "fire_lane_blocked", Version: 1}
)

// Tunables of the rules that no administrator needs.
const (
	clearSamples  = 2                // samples in a row without it: it is over,
	faintClear    = 15 * time.Second // and so long where it never scored faintScore:
	faintScore    = 0.9              // what is faint is missed now and then
	continueEvery = 30 * time.Second // between continue findings
	betterAfter   = 10 * time.Second // unless the picture got so much better
	betterBy      = 1.25
	unknownQuiet  = 3 * time.Minute // an unknown condition ends after so long without any sign
	dwellStills   = 2               // the fewest samples that must have seen a thing stand
	missedSamples = 2               // samples in a row without it break off what has not begun
	takenSamples  = 3               // samples that must miss something
	backShare     = 0.5             // so much of a place filled again: it was put back
)

// memory is what a rule remembers of its zone.
type memory struct {
	Running bool `json:"running,omitempty"`
	// Unknown: the record says that it runs, but this watch has not seen it.
	Unknown bool      `json:"unknown,omitempty"`
	Began   time.Time `json:"began,omitzero"`
	// Seen is the newest evidence of it, Told when the newest finding left,
	// Ended when the newest condition ended.
	Seen  time.Time `json:"seen,omitzero"`
	Told  time.Time `json:"told,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	// Armed is since when the zone is armed, Since when what has not begun
	// yet was first seen, Quiet since when an unknown zone has shown nothing.
	Armed time.Time `json:"armed,omitzero"`
	Since time.Time `json:"since,omitzero"`
	Quiet time.Time `json:"quiet,omitzero"`
	// Hits counts samples that showed what has not begun yet, Clear those in a
	// row that showed nothing.
	Hits  int `json:"hits,omitempty"`
	Clear int `json:"clear,omitempty"`
	// Best is the highest score told of.
	Best float64 `json:"best,omitempty"`
	// Place is from where something was taken.
	Place *Box `json:"place,omitempty"`
}

// evidence is what one trusted look says to one rule.
type evidence struct {
	now   time.Time
	armed bool
	// settled is false for the first looks after a fault: they begin and end
	// nothing.
	settled bool
	params  Params
	// present, standing and bared are what counts of the zone's.
	present, standing, bared []presence
	// left: something that had stood there since before memory has left.
	left bool
	// looked: a model has looked for the classes that the rule names.
	looked bool
	// known: the place has been watched for long enough to miss something.
	known bool
	// level is how much there is of what a level rule looks for, as a share of
	// what begins it; -1 when it cannot be told.
	level float64
	// proof says what ends a level rule's unknown condition.
	proof proof
	// shows is the verdict that a level rule tells.
	shows verdict
}

// proof is what it takes to end an unknown condition.
type proof int

const (
	proofSight proof = iota // a look that does not show it
	proofQuiet              // no sign of it for unknownQuiet, or something has left
	proofLeft               // something has left
)

// reason says why a verdict was reached.
type reason string

const (
	reasonMoved    reason = "moved"    // something is there
	reasonStands   reason = "stands"   // something stands there
	reasonTaken    reason = "taken"    // something that stood there is gone
	reasonCrowd    reason = "crowd"    // many people
	reasonFlame    reason = "flame"    // flame
	reasonSmoke    reason = "smoke"    // smoke
	reasonExpr     reason = "expr"     // an expression holds
	reasonClear    reason = "clear"    // it is over
	reasonQuiet    reason = "quiet"    // no sign of it since memory began
	reasonBack     reason = "back"     // something stands there again
	reasonHeld     reason = "held"     // it has been missed for long enough
	reasonDisarmed reason = "disarmed" // the zone's hours are over
	reasonRemoved  reason = "removed"  // the zone or rule was removed
	reasonWait     reason = "wait"     // nothing to tell
)

// verdict is what a rule decides on one look; Phase is "" when there is
// nothing to tell.
type verdict struct {
	phase  Phase
	reason reason
	// held is how long it has lasted, share how much of the zone it takes.
	held  time.Duration
	share float64
	score float64
	// size is of the largest, in standing persons; count of things or people,
	// -1 where it is not told; class what a model sees.
	size    float64
	count   float64
	class   string
	certain float64
	boxes   []Box
	better  bool
}

var wait = verdict{reason: reasonWait}

// judgeOf returns what judges a rule.
func judgeOf(w When) func(memory, evidence) (memory, verdict) {
	switch w {
	case WhenPresent:
		return judgePresent
	case WhenStands:
		return judgeStands
	case WhenTaken:
		return judgeTaken
	default:
		return judgeLevel
	}
}

// judgePresent decides whether something is in a zone.
func judgePresent(m memory, e evidence) (memory, verdict) {
	if !e.armed {
		return m.disarm(e)
	}
	m.arm(e)
	if len(e.present) > 0 {
		v := sum(e.present, reasonMoved)
		m.sight(e)
		first := m.Since.IsZero()
		switch {
		case m.Running:
			return m.goOn(e, v)
		case !e.settled:
			return m, wait
		case first:
			m.Since = e.now
		}
		switch {
		case e.now.Sub(m.Since) < e.params.Dwell:
		case v.score >= e.params.Strong && e.params.Dwell == 0 && !e.doubted():
			return m.begin(e.now, e, v)
		case !first:
			v.held = e.now.Sub(m.Since)
			return m.begin(m.Since, e, v)
		}
		return m, wait
	}
	if !m.Running {
		return m.miss(e)
	}
	if m.Unknown && e.settled && !e.left {
		return m.quiet(e)
	}
	return m.clear(e)
}

// doubted tells whether one sample is not enough: a model has looked and knows
// nothing of what is there, or it may be a glow.
func (e evidence) doubted() bool {
	known := func(p presence) bool { return p.class != "" }
	sharp := func(p presence) bool { return p.sharp }
	return !slices.ContainsFunc(e.present, known) && (e.looked || !slices.ContainsFunc(e.present, sharp))
}

// judgeStands decides whether something has come to stand in a zone. What only
// passes never stands; what stood before memory began is unknown, and an
// unknown condition ends only once something has left.
func judgeStands(m memory, e evidence) (memory, verdict) {
	if !e.armed {
		return m.disarm(e)
	}
	m.arm(e)
	var standing []presence
	var first *presence
	for i, p := range e.standing {
		if p.stills < max(dwellStills, e.params.Samples) {
			continue
		}
		standing = append(standing, p)
		if p.seen && e.now.Sub(p.first) >= e.params.Dwell && p.sure(e) && (first == nil || p.first.Before(first.first)) {
			first = &e.standing[i]
		}
	}
	if len(standing) > 0 {
		v := sum(standing, reasonStands)
		m.sight(e)
		switch {
		case m.Running:
			v.held = e.now.Sub(m.Began)
			return m.goOn(e, v)
		case e.settled && first != nil:
			v.held = e.now.Sub(first.first)
			return m.begin(first.first, e, v)
		}
		return m, wait
	}
	if m.Running && m.Unknown && !e.left {
		return m, wait
	}
	return m.clear(e)
}

// sure tells whether something is one thing that stands, where a rule asks for
// that: in dense traffic a car may look like the one before it, but not most of
// the time, and a queue at a red light becomes no standstill by moving up once.
// A zone whose dwell is shorter asks for no more than that.
func (p presence) sure(e evidence) bool {
	return e.params.Unmoved == 0 || e.now.Sub(p.unmoved) >= min(e.params.Unmoved, e.params.Dwell) && p.stills > 2*p.veiled
}

// judgeTaken decides whether something that stood in a zone is gone. It stays
// missed until something stands there again, or for so long that the zone is
// taken as it is now; that needs no memory of what was there.
func judgeTaken(m memory, e evidence) (memory, verdict) {
	if !e.armed {
		return m.disarm(e)
	}
	m.arm(e)
	if m.Running {
		back := m.Place != nil && slices.ContainsFunc(e.standing, func(p presence) bool {
			return p.seen && p.stills >= dwellStills && p.box.overlap(*m.Place) >= backShare
		})
		switch {
		case !e.settled:
			return m, wait
		case back:
			return m.end(e, reasonBack)
		case e.now.Sub(m.Began) >= e.params.Hold:
			return m.end(e, reasonHeld)
		}
		m.sight(e)
		v := verdict{reason: reasonTaken, score: m.Best, count: -1}
		if m.Place != nil {
			v.boxes = []Box{*m.Place}
		}
		return m.goOn(e, v)
	}
	var gone []presence
	for _, p := range e.bared {
		if m.Place == nil || p.box.overlap(*m.Place) >= backShare {
			gone = append(gone, p)
		}
	}
	if len(gone) == 0 || !e.known {
		return m.miss(e)
	}
	m.Clear = 0
	v := sum(gone, reasonTaken)
	if m.Since.IsZero() {
		m.Since, m.Place = e.now, &v.boxes[0]
	}
	if m.Hits++; e.settled && m.Hits >= takenSamples && e.now.Sub(m.Since) >= e.params.Dwell {
		v.held = e.now.Sub(m.Since)
		return m.begin(m.Since, e, v)
	}
	return m, wait
}

// judgeLevel decides whether there is enough of something: people, flame,
// smoke, or the truth of an expression.
func judgeLevel(m memory, e evidence) (memory, verdict) {
	if !e.armed {
		return m.disarm(e)
	}
	m.arm(e)
	keep := 1.0
	if e.params.Keep > 0 && (m.Running || !m.Since.IsZero()) {
		keep = e.params.Keep
	}
	v := e.shows
	switch {
	case e.level < 0:
		return m, wait
	case e.level >= keep:
		m.sight(e)
		if m.Running {
			v.held = e.now.Sub(m.Began)
			return m.goOn(e, v)
		}
		if m.Since.IsZero() {
			m.Since = e.now
		}
		m.Hits++
		if e.settled && m.Hits >= e.params.Samples && e.now.Sub(m.Since) >= e.params.Dwell {
			v.held = e.now.Sub(m.Since)
			return m.begin(m.Since, e, v)
		}
		return m, wait
	case !m.Running:
		return m.miss(e)
	case m.Unknown && e.settled && !e.left && e.proof == proofLeft:
		return m, wait
	case m.Unknown && e.settled && !e.left && e.proof == proofQuiet:
		return m.quiet(e)
	}
	return m.clear(e)
}

// sum gathers what is there into one verdict.
func sum(all []presence, r reason) verdict {
	v := verdict{reason: r, count: float64(len(all))}
	for _, p := range all {
		v.share = min(1, v.share+p.share)
		v.score = max(v.score, p.score)
		v.size = max(v.size, p.size)
		if p.certain > v.certain {
			v.class, v.certain = p.class, p.certain
		}
		v.boxes = append(v.boxes, p.box)
	}
	return v
}

func (m *memory) arm(e evidence) {
	if m.Armed.IsZero() {
		m.Armed = e.now
	}
}

func (m memory) disarm(e evidence) (memory, verdict) {
	m.Armed = time.Time{}
	m.drop()
	if m.Running {
		return m.end(e, reasonDisarmed)
	}
	return m, wait
}

// drop forgets what has not begun.
func (m *memory) drop() {
	m.Since, m.Hits, m.Clear = time.Time{}, 0, 0
	if !m.Running {
		m.Place = nil
	}
}

// miss counts a look that does not show what has not begun. What must last, or
// be seen more than once, may be missed once.
func (m memory) miss(e evidence) (memory, verdict) {
	if m.Clear++; m.Clear >= missedSamples || e.params.Dwell == 0 && e.params.Samples <= 1 {
		m.drop()
	}
	return m, wait
}

// quiet counts how long an unknown condition shows no sign.
func (m memory) quiet(e evidence) (memory, verdict) {
	if m.Quiet.IsZero() {
		m.Quiet = e.now
	}
	if e.now.Sub(m.Quiet) >= max(unknownQuiet, e.params.Clear) {
		return m.end(e, reasonQuiet)
	}
	return m, wait
}

// sight notes that there is evidence of something.
func (m *memory) sight(e evidence) {
	m.Seen, m.Clear, m.Quiet = e.now, 0, time.Time{}
	if e.settled {
		m.Unknown = false
	}
}

// begin begins a condition; it never begins before the zone was armed or the
// previous condition ended, so that each has its own beginning.
func (m memory) begin(since time.Time, e evidence, v verdict) (memory, verdict) {
	for _, floor := range []time.Time{m.Armed, m.Ended} {
		if since.Before(floor) {
			since = floor
		}
	}
	m.Running, m.Unknown, m.Began = true, false, since
	m.Told, m.Best = e.now, v.score
	m.drop()
	v.phase = PhaseBegin
	return m, v
}

func (m memory) goOn(e evidence, v verdict) (memory, verdict) {
	told := e.now.Sub(m.Told)
	v.better = v.score > m.Best*betterBy && told >= betterAfter
	if !v.better && told < continueEvery {
		return m, wait
	}
	m.Told, m.Best = e.now, max(m.Best, v.score)
	v.phase = PhaseContinue
	v.held = e.now.Sub(m.Began)
	return m, v
}

// clear counts a look that does not show what runs.
func (m memory) clear(e evidence) (memory, verdict) {
	if !m.Running || !e.settled {
		return m, wait
	}
	if m.Unknown {
		m.Unknown, m.Seen = false, e.now
	}
	least := e.params.Clear
	if m.Best < faintScore {
		least = max(least, faintClear)
	}
	m.Clear++
	if m.Clear < clearSamples || e.now.Sub(m.Seen) < least {
		return m, wait
	}
	return m.end(e, reasonClear)
}

func (m memory) end(e evidence, r reason) (memory, verdict) {
	v := verdict{phase: PhaseEnd, reason: r, held: e.now.Sub(m.Began), score: m.Best, count: -1}
	return memory{Ended: e.now, Armed: m.Armed}, v
}
