package detect

import (
	"time"

	"videopatrol/inventory"
)

// The rules, with their versions. A version changes when the same pictures
// would give other findings.
var (
	RuleIntrusion       = RuleRef{ID: "intrusion", Version: 1}
	RuleFireLaneBlocked = RuleRef{ID: "fire_lane_blocked", Version: 1}
)

// DefaultDwell is how long something must stand in a fire lane, when the zone
// does not say.
const DefaultDwell = time.Minute

// Tunables of the rules.
const (
	clearSamples  = 2                // samples in a row without anything: the zone is clear
	clearSpan     = 2 * time.Second  // and at least so long after the last sight of it
	continueEvery = 30 * time.Second // between continue findings
	betterAfter   = 10 * time.Second // unless the picture got so much better
	betterBy      = 1.25
	strongScore   = 0.35            // one sample is enough from here on; below, two are needed
	unknownQuiet  = 3 * time.Minute // an unknown intrusion ends after so long without any movement
	dwellStills   = 2               // the fewest samples that must have seen a thing stand
)

// ruleOf returns the rule of a kind of zone.
func ruleOf(k inventory.ZoneKind) (RuleRef, Kind, bool) {
	switch k {
	case inventory.ZoneClosedArea:
		return RuleIntrusion, KindIntrusion, true
	case inventory.ZoneFireLane:
		return RuleFireLaneBlocked, KindFireLaneBlocked, true
	default:
		return RuleRef{}, "", false
	}
}

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
	// Armed is since when the zone is armed, Weak when a weak sight came,
	// Quiet since when an unknown zone has shown nothing.
	Armed time.Time `json:"armed,omitzero"`
	Weak  time.Time `json:"weak,omitzero"`
	Quiet time.Time `json:"quiet,omitzero"`
	Clear int       `json:"clear,omitempty"`
	// Best is the highest score told of.
	Best float64 `json:"best,omitempty"`
}

// presence is one thing in a zone.
type presence struct {
	box Box
	// share is of the zone's pixels, score 0..1.
	share, score float64
	// first is when it came, stills in how many samples it stood there, and
	// seen whether the newest one shows it.
	first  time.Time
	stills int
	seen   bool
}

// evidence is what one trusted look says of a zone.
type evidence struct {
	now   time.Time
	armed bool
	// settled is false for the first looks after a fault: they begin and end
	// nothing.
	settled bool
	dwell   time.Duration
	present []presence
	// bared: something that had stood there since before memory has left.
	bared bool
}

// reason says why a verdict was reached.
type reason string

const (
	reasonMoved    reason = "moved"    // something moves in a closed area
	reasonStands   reason = "stands"   // something stands in a fire lane
	reasonClear    reason = "clear"    // nothing is there any more
	reasonQuiet    reason = "quiet"    // nothing has moved since memory began
	reasonDisarmed reason = "disarmed" // the zone's hours are over
	reasonRemoved  reason = "removed"  // the zone was removed or became another kind
	reasonWait     reason = "wait"     // nothing to tell
)

// verdict is what a rule decides on one look; Phase is "" when there is
// nothing to tell.
type verdict struct {
	phase  Phase
	reason reason
	// held is how long it has lasted, share how much of the zone it takes.
	held   time.Duration
	share  float64
	score  float64
	boxes  []Box
	better bool
}

// judgeIntrusion decides whether something is inside a closed area.
func judgeIntrusion(m memory, e evidence) (memory, verdict) {
	if !e.armed {
		return m.disarm(e)
	}
	m.arm(e)
	if len(e.present) > 0 {
		v := sum(e, reasonMoved)
		m.sight(e)
		switch {
		case m.Running:
			return m.goOn(e, v)
		case !e.settled:
		case v.score >= strongScore:
			return m.begin(e.now, e, v)
		case !m.Weak.IsZero():
			return m.begin(m.Weak, e, v)
		default:
			m.Weak = e.now
		}
		return m, verdict{reason: reasonWait}
	}
	m.Weak = time.Time{}
	if m.Running && m.Unknown && e.settled && !e.bared {
		if m.Quiet.IsZero() {
			m.Quiet = e.now
		}
		if e.now.Sub(m.Quiet) >= unknownQuiet {
			return m.end(e, reasonQuiet)
		}
		return m, verdict{reason: reasonWait}
	}
	return m.clear(e)
}

// judgeFireLane decides whether something has come to stand in a fire lane.
// What only passes never stands; what stood before memory began is unknown,
// and an unknown condition ends only once something has left.
func judgeFireLane(m memory, e evidence) (memory, verdict) {
	if !e.armed {
		return m.disarm(e)
	}
	m.arm(e)
	standing := e
	standing.present = nil
	var first *presence
	for i, p := range e.present {
		if p.stills < dwellStills {
			continue
		}
		standing.present = append(standing.present, p)
		if p.seen && e.now.Sub(p.first) >= e.dwell && (first == nil || p.first.Before(first.first)) {
			first = &e.present[i]
		}
	}
	if len(standing.present) > 0 {
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
		return m, verdict{reason: reasonWait}
	}
	if m.Running && m.Unknown && !e.bared {
		return m, verdict{reason: reasonWait}
	}
	return m.clear(e)
}

// sum gathers what is present into one verdict.
func sum(e evidence, r reason) verdict {
	v := verdict{reason: r}
	for _, p := range e.present {
		v.share = min(1, v.share+p.share)
		v.score = max(v.score, p.score)
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
	m.Armed, m.Weak = time.Time{}, time.Time{}
	if m.Running {
		return m.end(e, reasonDisarmed)
	}
	return m, verdict{reason: reasonWait}
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
	m.Told, m.Best, m.Weak = e.now, v.score, time.Time{}
	v.phase = PhaseBegin
	return m, v
}

func (m memory) goOn(e evidence, v verdict) (memory, verdict) {
	told := e.now.Sub(m.Told)
	v.better = v.score > m.Best*betterBy && told >= betterAfter
	if !v.better && told < continueEvery {
		return m, verdict{reason: reasonWait}
	}
	m.Told, m.Best = e.now, max(m.Best, v.score)
	v.phase = PhaseContinue
	v.held = e.now.Sub(m.Began)
	return m, v
}

// clear counts a look at an empty zone.
func (m memory) clear(e evidence) (memory, verdict) {
	if !m.Running || !e.settled {
		return m, verdict{reason: reasonWait}
	}
	if m.Unknown {
		m.Unknown, m.Seen = false, e.now
	}
	m.Clear++
	if m.Clear < clearSamples || e.now.Sub(m.Seen) < clearSpan {
		return m, verdict{reason: reasonWait}
	}
	return m.end(e, reasonClear)
}

func (m memory) end(e evidence, r reason) (memory, verdict) {
	v := verdict{phase: PhaseEnd, reason: r, held: e.now.Sub(m.Began), score: m.Best}
	return memory{Ended: e.now, Armed: m.Armed}, v
}
