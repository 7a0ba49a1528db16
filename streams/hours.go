package streams

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"
)

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
