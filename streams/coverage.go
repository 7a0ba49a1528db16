package streams

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
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

// window is a maintenance, made for asking.
type window struct {
	inventory.Maintenance
	cameras, cells map[string]struct{}
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

// maintain takes the whole set of maintenance windows.
func (c *coverage) maintain(list []inventory.Maintenance) {
	windows := make([]window, len(list))
	for i, m := range list {
		windows[i] = window{m, setOf(m.Cameras), setOf(m.Cells)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.windows = windows
}

func setOf(ids []string) map[string]struct{} {
	set := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		set[id] = struct{}{}
	}
	return set
}

// excuse tells which cameras are under maintenance at any moment of [from, to):
// by slot and one by one. Both are nil when none is. c.mu is held.
func (c *coverage) excuse(from, to time.Time) (slots []bool, cameras map[*attention]struct{}) {
	for _, w := range c.windows {
		if !w.Overlaps(from, to) {
			continue
		}
		if slots == nil {
			slots, cameras = make([]bool, len(c.keys)), make(map[*attention]struct{})
		}
		for i, path := range c.paths {
			slots[i] = slots[i] || w.holds(path)
		}
		for id := range w.cameras {
			if a := c.cameras[id]; a != nil {
				cameras[a] = struct{}{}
			}
		}
	}
	return slots, cameras
}

// holds tells whether a window holds for any of the cells.
func (w window) holds(path []string) bool {
	return slices.ContainsFunc(path, func(cell string) bool {
		_, ok := w.cells[cell]
		return ok
	})
}

// excused tells whether a camera is under maintenance at a moment.
func (c *coverage) excused(camera string, at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.windows {
		if !w.Overlaps(at, at.Add(1)) {
			continue
		}
		if _, ok := w.cameras[camera]; ok {
			return true
		}
		if a := c.cameras[camera]; a != nil && w.holds(c.paths[a.slot]) {
			return true
		}
	}
	return false
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
	return min(max(minuteAt(c.next+1).Add(settle).Sub(now), 0), tick)
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

// hourEnd is the minute after the hour of a minute.
func hourEnd(m int32) int32 { return (m/60 + 1) * 60 }

// hour returns the hour of a minute, which is about to be in it. c.mu is held.
func (c *coverage) hour(m int32) *hour {
	h := c.hours[m/60]
	if h == nil {
		h = &hour{}
		c.hours[m/60] = h
	}
	c.widen(h)
	h.closed, h.dirty = max(h.closed, m+1), true
	return h
}

// widen makes room for every slot. c.mu is held.
func (c *coverage) widen(h *hour) {
	if need := len(c.keys) * int(outcomes); len(h.counts) < need {
		h.counts = append(h.counts, make([]int64, need-len(h.counts))...)
	}
}

// add counts camera-minutes. c.mu is held.
func (c *coverage) add(h *hour, slot uint32, why code, minutes int64) {
	h.counts[slot*outcomes+uint32(why)] += minutes
	switch why {
	case codeNone:
		c.totals[0] += float64(minutes)
	case codeExcused:
		c.totals[2] += float64(minutes)
	default:
		c.totals[1] += float64(minutes)
	}
}

// keep brings the ledger's store up to date: at first it reads how far an
// earlier process came. What cannot be written is tried again with the next
// minute.
func (c *coverage) keep(ctx context.Context) {
	c.mu.Lock()
	known := c.known
	c.mu.Unlock()
	switch {
	case c.store == nil:
		c.forget()
		return
	case !known:
		return
	}
	err := c.load(ctx)
	if err == nil {
		err = c.fill(ctx)
	}
	if err == nil {
		err = c.write(ctx)
	}
	switch {
	case err != nil && !c.failing:
		c.log.Error("the coverage ledger cannot be kept; it is tried again every minute", "error", err)
	case err == nil && c.failing:
		c.log.Info("the coverage ledger is kept again")
	}
	c.failing = err != nil
	c.forget()
}

// load reads what an earlier process left: the newest hour, which may go on,
// and how far it was closed.
func (c *coverage) load(ctx context.Context) error {
	if c.loaded {
		return nil
	}
	newest, err := c.store.Newest(ctx)
	if err != nil {
		return err
	}
	last := Hour{}
	hourAgo := minuteAt(c.begun/60*60 - 60)
	err = c.store.Each(ctx, hourAgo, hourAgo.Add(time.Hour), func(h Hour) error {
		last = h
		return nil
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loaded = true
	if last.Closed.Equal(hourAgo.Add(time.Hour)) {
		c.rate(minuteOf(last.Begin)/60, c.taken(last))
	}
	if newest.Begin.IsZero() {
		if c.hours[c.begun/60] == nil { // so that the next process knows of this one
			c.hour(c.begun).closed = c.begun
		}
		return nil
	}
	c.resumed = true
	closed := minuteOf(newest.Closed)
	c.gap = max(closed, c.begun-int32(LedgerKept/time.Minute))
	if closed > c.next { // the clock went back between two processes
		c.next, c.gap = closed, c.begun
	}
	old, at := c.taken(newest), minuteOf(newest.Begin)/60
	if h := c.hours[at]; h != nil { // closed before the store answered
		for i, n := range h.counts {
			old.counts[i] += n
		}
		old.closed, old.dirty = h.closed, true
	}
	old.closed = max(old.closed, closed)
	c.hours[at] = old
	return nil
}

// taken makes an hour of what a store returned. c.mu is held.
func (c *coverage) taken(from Hour) *hour {
	for _, l := range from.Lines {
		c.slot(slotKey{l.Cell, knownTier(l.Tier)})
	}
	h := &hour{}
	c.widen(h)
	for _, l := range from.Lines {
		slot := c.slot(slotKey{l.Cell, knownTier(l.Tier)})
		why := codeNone
		switch {
		case l.Outcome == Excused:
			why = codeExcused
		case l.Outcome != Watched:
			why = codeOf(l.Outcome.Blind())
		}
		h.counts[slot*outcomes+uint32(why)] += l.Minutes
	}
	return h
}

// fill counts the minutes between the last process and this one, hour by hour,
// for the cameras of now: who else was there then, nobody knows.
func (c *coverage) fill(ctx context.Context) error {
	for c.gap < c.begun {
		c.mu.Lock()
		end := min(hourEnd(c.gap), c.begun)
		c.gone(c.gap, end, math.MaxInt32)
		c.gap = end
		c.mu.Unlock()
		if err := c.write(ctx); err != nil {
			return err
		}
		c.forget()
	}
	return nil
}

// write puts the hours that changed, and lets go of those that are over.
func (c *coverage) write(ctx context.Context) error {
	c.mu.Lock()
	pending := slices.Sorted(maps.Keys(c.hours))
	c.mu.Unlock()
	for _, at := range pending {
		c.mu.Lock()
		h := c.hours[at]
		out, dirty := Hour{}, h.dirty
		if dirty {
			out = c.told(at, h)
		}
		c.mu.Unlock()
		if dirty {
			if err := c.store.Put(ctx, out, out.Begin.Add(-LedgerKept)); err != nil {
				return err
			}
		}
		c.mu.Lock()
		h.dirty = false // only run closes minutes, and it is here
		c.mu.Unlock()
	}
	return nil
}

// forget lets go of the hours that are over, all but the ratios of the newest.
func (c *coverage) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range slices.Sorted(maps.Keys(c.hours)) {
		h := c.hours[at]
		if end := (at + 1) * 60; c.next < end || c.gap < min(end, c.begun) || h.dirty && c.store != nil && len(c.hours) <= hoursHeld {
			continue
		}
		c.rate(at, h)
		delete(c.hours, at)
	}
}

// rate computes the ratios of an hour, if none is newer. c.mu is held.
func (c *coverage) rate(at int32, h *hour) {
	if at < c.ratioOf {
		return
	}
	type sum struct{ watched, blind int64 }
	sums := map[string]sum{}
	for i := range c.keys {
		s := sums[c.firsts[i]]
		for k := range outcomes {
			at := uint32(i)*outcomes + k
			if at >= uint32(len(h.counts)) {
				break
			}
			switch code(k) {
			case codeNone:
				s.watched += h.counts[at]
			case codeExcused:
			default:
				s.blind += h.counts[at]
			}
		}
		sums[c.firsts[i]] = s
	}
	other := sum{}
	c.ratioOf, c.ratios = at, make(map[string]float64, len(sums))
	ratio := func(cell string, s sum) {
		if s.watched+s.blind > 0 {
			c.ratios[cell] = float64(s.watched) / float64(s.watched+s.blind)
		}
	}
	for n, cell := range slices.Sorted(maps.Keys(sums)) {
		if s := sums[cell]; n < maxCells {
			ratio(cell, s)
		} else {
			other.watched, other.blind = other.watched+s.watched, other.blind+s.blind
		}
	}
	ratio(cellOther, other)
}

// told is an hour as a store keeps it. c.mu is held.
func (c *coverage) told(at int32, h *hour) Hour {
	out := Hour{Begin: minuteAt(at * 60), Closed: minuteAt(h.closed)}
	for i, n := range h.counts {
		if n == 0 {
			continue
		}
		k, why := c.keys[uint32(i)/outcomes], code(uint32(i)%outcomes)
		l := Line{Cell: k.cell, Tier: k.tier, Minutes: n, Outcome: Watched}
		switch why {
		case codeNone:
		case codeExcused:
			l.Outcome = Excused
		default:
			l.Outcome = Outcome(reasons[why])
		}
		out.Lines = append(out.Lines, l)
	}
	slices.SortFunc(out.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.Tier, b.Tier), cmp.Compare(a.Outcome, b.Outcome))
	})
	return out
}

// counted returns the minutes so far, watched, blind and excused, and the
// ratios of the last full hour by first-level cell.
func (c *coverage) counted() (totals [3]float64, ratios map[string]float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.totals, c.ratios
}

// Maintain hands over the whole set of maintenance windows, those that are
// over included as far back as the ledger goes.
func (m *Manager) Maintain(windows []inventory.Maintenance) { m.coverage.maintain(windows) }

// Excused tells whether a camera is under planned maintenance: its faults
// raise no lead and no alarm. What happens in front of it still does.
func (m *Manager) Excused(camera string, at time.Time) bool {
	return m.coverage.excused(camera, at)
}
