package streams

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"videopatrol/inventory"
)

// Reasons of a blind minute that are no fault of the camera's. They are in
// Outcomes and in no camera's Status.
const (
	// ReasonLate: the camera answers, and a look that was due gave no trusted
	// sample in time.
	ReasonLate Reason = "late"
	// ReasonNotVisited: the camera was not visited since it came under patrol.
	ReasonNotVisited Reason = "not_visited"
	// ReasonGatewayDown: no process of the gateway ran, or the clock jumped
	// over the minute.
	ReasonGatewayDown Reason = "gateway_down"
)

// BlindReasons lists every reason of a blind minute.
func BlindReasons() []Reason {
	return append(Reasons(), ReasonLate, ReasonNotVisited, ReasonGatewayDown)
}

// Outcome is what became of a camera-minute: watched, excused, or blind with a
// Reason, which it then is.
type Outcome string

// The outcomes that are no Reason.
const (
	// Watched: every visit due in the minute gave a trusted sample.
	Watched Outcome = "watched"
	// Excused: blind during planned maintenance.
	Excused Outcome = "excused"
)

// Blind tells why a minute of this outcome was blind; ReasonNone when it was
// watched or excused.
func (o Outcome) Blind() Reason {
	if o == Watched || o == Excused {
		return ReasonNone
	}
	return Reason(o)
}

// hoursHeld is how many hours wait for a store that does not take them; the
// oldest are lost first.
const hoursHeld = 48

// LedgerKept is how long the hours of the ledger are kept.
const LedgerKept = 30 * 24 * time.Hour

// Hour is what became of the camera-minutes of one hour, UTC.
type Hour struct {
	// Begin is a whole hour, Closed the end of its newest minute that is
	// closed. The minutes before it are all in Lines.
	Begin, Closed time.Time
	// Lines are by cell, tier and outcome, in no order; none is 0.
	Lines []Line
}

// Line counts the camera-minutes of one kind in one hour.
type Line struct {
	// Cell is the sub-cell in which the cameras stand, "" outside the grid.
	Cell    string
	Tier    inventory.Tier
	Outcome Outcome
	Minutes int64
}

// Ledger keeps hours.
type Ledger interface {
	// Newest returns the newest hour; one whose Begin is zero when there is none.
	Newest(ctx context.Context) (Hour, error)
	// Put writes an hour anew, and forgets the hours that began before forget.
	Put(ctx context.Context, h Hour, forget time.Time) error
	// Each hands over the hours that begin in [from, to), oldest first, until
	// f returns an error, which it returns.
	Each(ctx context.Context, from, to time.Time, f func(Hour) error) error
}

// coverage closes a fleet's minutes and keeps the hours.
//
// A minute is closed once, half a minute after its end by the wall clock. A
// camera counts from the minute in which it comes under patrol to the one
// before it leaves it. Minutes that nobody lived through (the gateway was
// stopped, the machine slept, the clock jumped ahead) are gateway_down; when
// the clock jumps back, nothing is closed until it is where it was.
type coverage struct {
	store  Ledger // nil keeps nothing beyond the open hour
	canary string // a camera that is not counted
	log    *slog.Logger
	poke   chan struct{} // the first wanted set is there

	mu      sync.Mutex // taken before an attention's
	cameras map[string]*attention
	members []*attention // the same, quicker to walk
	leaving []leaver
	slots   map[slotKey]uint32
	keys    []slotKey
	paths   [][]string // of cells by slot: the sub-cell and what it lies in
	firsts  []string   // first-level cell by slot
	grid    *inventory.Grid
	known   bool // a wanted set has come: it is known whose minutes they are
	windows []window
	begun   int32      // the minute in which the process began
	next    int32      // the minute that is closed next
	alive   int32      // the newest minute with a tick
	dead    [][2]int32 // minutes without one, [from, to)
	hours   map[int32]*hour
	totals  [3]float64 // minutes that were watched, blind, excused
	ratios  map[string]float64
	ratioOf int32 // the hour of ratios

	// The rest belongs to run.
	loaded, failing, resumed bool
	gap                      int32 // the first minute without a process; begun when there is none
}

// slotKey is where camera-minutes are counted.
type slotKey struct {
	cell string
	tier inventory.Tier
}

// leaver is a camera that left the patrol in a minute.
type leaver struct {
	a     *attention
	until int32
}

// hour is an hour in the making: minutes by slot and code.
type hour struct {
	counts []int64
	closed int32 // the minute after the newest one in it
	dirty  bool
}

func newCoverage(o Options) *coverage {
	return &coverage{
		store: o.Ledger, canary: o.CanaryCamera, log: o.Log, poke: make(chan struct{}, 1),
		cameras: make(map[string]*attention), slots: make(map[slotKey]uint32), hours: make(map[int32]*hour),
	}
}

// minuteOf is the minute since 1970 in which a moment lies.
func minuteOf(t time.Time) int32 {
	return int32(math.Floor(float64(t.Unix()) / 60))
}

func minuteAt(m int32) time.Time { return time.Unix(int64(m)*60, 0).UTC() }

// begin says when the process began; it comes before all else.
func (c *coverage) begin(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun = minuteOf(now)
	c.next, c.gap, c.alive = c.begun, c.begun, c.begun
}

// reconcile takes the wanted set.
func (c *coverage) reconcile(s inventory.Snapshot, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.grid != s.Grid {
		c.grid = s.Grid
		for i := range c.keys {
			c.place(i)
		}
	}
	m := max(minuteOf(now), c.next)
	wanted := make(map[string]struct{}, len(s.Cameras))
	c.members = make([]*attention, 0, len(s.Cameras))
	for i := range s.Cameras {
		cam := &s.Cameras[i]
		if _, twice := wanted[cam.ID]; cam.Disabled || twice || cam.ID == c.canary {
			continue
		}
		wanted[cam.ID] = struct{}{}
		slot := c.slot(slotKey{cam.Cell, knownTier(cam.Patrol.Tier)})
		a := c.cameras[cam.ID]
		if a == nil {
			a = newAttention(slot, m)
			c.cameras[cam.ID] = a
		}
		a.slot = slot
		c.members = append(c.members, a)
	}
	for id, a := range c.cameras {
		if _, ok := wanted[id]; !ok {
			delete(c.cameras, id)
			c.leaving = append(c.leaving, leaver{a, m})
		}
	}
	if !c.known {
		c.known = true
		c.poke <- struct{}{}
	}
}

// knownTier is the tier itself; one of no meaning counts as the normal one.
func knownTier(t inventory.Tier) inventory.Tier {
	if slices.Contains(inventory.Tiers(), t) {
		return t
	}
	return inventory.TierNormal
}

// slot is where a cell and tier are counted. c.mu is held.
func (c *coverage) slot(k slotKey) uint32 {
	i, ok := c.slots[k]
	if !ok {
		i = uint32(len(c.keys))
		c.slots[k] = i
		c.keys, c.paths, c.firsts = append(c.keys, k), append(c.paths, nil), append(c.firsts, "")
		c.place(int(i))
	}
	return i
}

// place finds the cells of a slot in the grid. c.mu is held.
func (c *coverage) place(i int) {
	c.paths[i], c.firsts[i] = nil, cellNone
	for _, cell := range c.grid.Path(c.keys[i].cell) {
		c.paths[i] = append(c.paths[i], cell.ID)
		if cell.Level == inventory.LevelCell {
			c.firsts[i] = cell.ID
		}
	}
}

// of returns what a camera's loop reports to. One that is not counted has one
// that nobody reads.
func (c *coverage) of(camera string) *attention {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.cameras[camera]; a != nil {
		return a
	}
	return newAttention(0, c.next)
}

// tick is how often a ledger shows that it lives.
const tick = 20 * time.Second

// run closes minutes until ctx ends, and then what has ended by then.
func (c *coverage) run(ctx context.Context) {
	for {
		c.keep(ctx)
		select {
		case <-time.After(c.wait(time.Now())):
			c.closeUntil(time.Now())
		case <-c.poke:
		case <-ctx.Done():
			c.finish(time.Now())
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			c.keep(grace)
			return
		}
	}
}

// wait is how long it is until a minute can be closed by the wall clock, or
// until the next tick.
func (c *coverage) wait(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(max(minuteAt(c.next+1).Add(settle).Sub(now), atOnce), tick)
}

// closeUntil closes what can be closed at a moment.
func (c *coverage) closeUntil(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live(now)
	c.closeTo(minuteOf(now.Add(-settle)), now, codeLate)
}

// finish closes the minutes that have ended when the process does.
func (c *coverage) finish(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live(now)
	c.closeTo(minuteOf(now), now, codeDown)
}

// live notes that the process lives, and the minutes in which it did not.
// c.mu is held.
func (c *coverage) live(now time.Time) {
	m := minuteOf(now)
	if from := max(c.alive+1, c.next); from < m {
		c.dead = append(c.dead, [2]int32{from, m})
		c.log.Warn("minutes went by in which the gateway did not run", "from", minuteAt(from), "minutes", m-from)
	}
	c.alive = max(c.alive, m)
}

// closeTo closes the minutes before one. c.mu is held.
func (c *coverage) closeTo(end int32, now time.Time, otherwise code) {
	for c.next < end {
		for len(c.dead) > 0 && c.dead[0][1] <= c.next {
			c.dead = c.dead[1:]
		}
		if len(c.dead) == 0 || c.next < c.dead[0][0] {
			c.close(c.next, now, otherwise)
			continue
		}
		to := min(c.dead[0][1], hourEnd(c.next), end)
		c.gone(c.next, to, c.next)
		c.next = to
	}
}

// close closes one minute, the next one. c.mu is held.
func (c *coverage) close(m int32, now time.Time, otherwise code) {
	slots, cameras := c.excuse(minuteAt(m), minuteAt(m+1))
	h := c.hour(m)
	count := func(a *attention) {
		if a.base > m {
			return // it came later
		}
		if a.base < m {
			a.skip(m - a.base)
		}
		why := a.close(now, otherwise)
		if why == codeNew && m == c.begun && c.resumed {
			why = codeDown // the minute began without a process
		}
		if why != codeNone && slots != nil {
			if _, ok := cameras[a]; ok || slots[a.slot] {
				why = codeExcused
			}
		}
		c.add(h, a.slot, why, 1)
	}
	for _, a := range c.members {
		count(a)
	}
	c.leaving = slices.DeleteFunc(c.leaving, func(l leaver) bool {
		if m < l.until {
			count(l.a)
		}
		return m+1 >= l.until
	})
	c.next = m + 1
}

// gone counts minutes of one hour in which no process ran, for the cameras
// that had come by some minute. c.mu is held.
func (c *coverage) gone(from, to, came int32) {
	h := c.hour(to - 1)
	// Between two of these the same maintenance holds.
	steps := []int32{from, to}
	for _, w := range c.windows {
		for _, m := range []int32{minuteOf(w.From), minuteOf(w.To.Add(time.Minute - 1))} {
			if m > from && m < to {
				steps = append(steps, m)
			}
		}
	}
	slices.Sort(steps)
	for i, m := range steps[1:] {
		begin := steps[i]
		slots, cameras := c.excuse(minuteAt(begin), minuteAt(m))
		count := func(a *attention, minutes int32) {
			if a.base > came || minutes <= 0 {
				return
			}
			why := codeDown
			if _, ok := cameras[a]; ok || slots != nil && slots[a.slot] {
				why = codeExcused
			}
			c.add(h, a.slot, why, int64(minutes))
		}
		for _, a := range c.members {
			count(a, m-begin)
		}
		if came <= begin { // else it is about a time before this process, which nobody left
			for _, l := range c.leaving {
				count(l.a, min(m, l.until)-begin)
			}
		}
	}
}
