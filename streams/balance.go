package streams

import (
	"context"
	"time"

	"videopatrol/inventory"
)

const (
	// balanceEvery is how often demand is weighed against the budgets.
	balanceEvery = 5 * time.Second
	// share is how much of a budget the patrol plans with: the rest is for
	// those that failed and try again.
	share = 0.85
	// workShare is the same for the detectors, who have nothing to try again.
	workShare = 0.95
	// visitBytes is what a visit is thought to receive before one was made.
	visitBytes = 70_000
)

// demand is what the fleet wants of the budgets, by tier, at the wanted
// intervals.
type demand struct {
	dials   map[inventory.Tier]float64 // a second
	samples map[inventory.Tier]float64 // a second
	staying map[inventory.Tier]float64 // sessions that are kept
	lines   map[*line]*traffic
}

// traffic is what a line carries, in bytes a second.
type traffic struct {
	staying float64
	visits  map[inventory.Tier]float64
}

func newDemand() *demand {
	return &demand{
		dials: map[inventory.Tier]float64{}, samples: map[inventory.Tier]float64{},
		staying: map[inventory.Tier]float64{}, lines: map[*line]*traffic{},
	}
}

// add counts one loop in.
func (d *demand) add(l *loop, now time.Time) {
	f := l.modeFacts(now)
	mode, _ := chooseMode(f)
	f.short = false
	unforced, _ := chooseMode(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	t, often := l.place.tier, 1/l.want.interval.Seconds()
	d.samples[t] += often
	if unforced == inventory.ModeResident {
		d.staying[t]++
	}
	bytes := 0.0
	if mode == inventory.ModeResident {
		if v := l.playing; v != nil {
			bytes = float64(v.bytes.Load()) / max(1, now.Sub(v.began).Seconds())
		}
	} else {
		d.dials[t] += often
		if bytes = l.cost; bytes == 0 {
			bytes = visitBytes
		}
	}
	for n := l.line; n != nil; n = n.over {
		x := d.lines[n]
		if x == nil {
			x = &traffic{visits: map[inventory.Tier]float64{}}
			d.lines[n] = x
		}
		if mode == inventory.ModeResident {
			x.staying += bytes
		} else {
			x.visits[t] += bytes * often
		}
	}
}

func sum(m map[inventory.Tier]float64) (all float64) {
	for _, v := range m {
		all += v
	}
	return all
}

// balance is what the budgets allow at present.
type balance struct {
	node  stretch
	lines map[*line]lineBalance
	// leave is the part of each tier's cameras whose sessions are not kept.
	leave map[inventory.Tier]float64
	// use is the wanted share of each budget; above 1 it is short.
	use map[string]float64
}

type lineBalance struct {
	stretch stretch
	// thrifty: sessions are not kept, until then.
	thrifty time.Time
	use     float64
}

func newBalance() *balance {
	return &balance{node: stretch{}, lines: map[*line]lineBalance{}, leave: map[inventory.Tier]float64{}, use: map[string]float64{}}
}

// weigh fits a demand into the budgets, from the balance that is in force.
func (b *balance) weigh(d *demand, budget Budget, work Work, now time.Time) *balance {
	to := newBalance()
	need := relax(d.dials, share*budget.DialRate)
	to.use["dials"] = sum(d.dials) / budget.DialRate
	if work.Lanes > 0 {
		busy := map[inventory.Tier]float64{}
		for t, often := range d.samples {
			busy[t] = often * work.Cost.Seconds()
		}
		for t, s := range relax(busy, workShare*float64(work.Lanes)) {
			need[t] = max(need[t], s)
		}
		to.use["workers"] = sum(busy) / float64(work.Lanes)
	}
	to.node = ease(b.node, need)

	sessions := sum(d.staying)
	to.use["sessions"] = sessions / float64(budget.Sessions)
	for _, t := range []inventory.Tier{inventory.TierLow, inventory.TierNormal, inventory.TierHigh} {
		over := sessions - share*float64(budget.Sessions)
		if n := d.staying[t]; n > 0 {
			// They come back slowly, and not for a few that come and go.
			part := min(1, max(0, over/n))
			to.leave[t] = max(part, b.leave[t]-0.02)
			sessions -= n * part
		}
	}
	for n, x := range d.lines {
		was := b.lines[n]
		all := x.staying + sum(x.visits)
		is := lineBalance{thrifty: was.thrifty, use: all / n.rate}
		if all > share*n.rate && x.staying > 0 {
			is.thrifty = now.Add(shortFor)
		}
		is.stretch = ease(was.stretch, relax(x.visits, max(share*n.rate-x.staying, n.rate/20)))
		to.lines[n] = is
		if n.over == nil && budget.Network > 0 {
			to.use["network"] = is.use
		}
	}
	return to
}

// of tells what the balance means for a camera: by how much its interval grows,
// and whether its session may not be kept.
func (b *balance) of(camera string, t inventory.Tier, n *line, now time.Time) (by float64, short bool) {
	by = b.node.of(t)
	short = b.leave[t] > 0 && float64(phase(camera, time.Second)) < b.leave[t]*float64(time.Second)
	for ; n != nil; n = n.over {
		by = max(by, b.lines[n].stretch.of(t))
		short = short || now.Before(b.lines[n].thrifty)
	}
	return by, short
}

// balanceAll weighs and tells every loop.
func (m *Manager) balanceAll(now time.Time) {
	loops := m.all()
	d := newDemand()
	for _, l := range loops {
		if !l.want.disabled {
			d.add(l, now)
		}
	}
	was := m.balance.Load()
	is := was.weigh(d, m.ledger.budget, m.o.Work(), now)
	m.balance.Store(is)
	for _, l := range loops {
		l.mu.Lock()
		tier := l.place.tier
		l.mu.Unlock()
		l.setStretch(is.of(l.want.camera, tier, l.line, now))
	}
	for _, t := range inventory.Tiers() {
		if from, to := was.node.of(t), is.node.of(t); from == 1 && to > 1 || from > 1 && to == 1 {
			m.o.Log.Warn("intervals of a tier follow the budgets", "tier", string(t), "stretch", to, "was", from,
				"dials", is.use["dials"], "workers", is.use["workers"])
		}
	}
}

// keepBalance weighs until ctx ends.
func (m *Manager) keepBalance(ctx context.Context) {
	t := time.NewTicker(balanceEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			m.balanceAll(time.Now())
		}
	}
}
