package alerts

import (
	"context"
	"slices"
	"time"
)

const (
	// clockRest is how long Run sleeps at most: a step of the wall clock is
	// seen that soon, and kept in the record.
	clockRest = 10 * time.Second
	// clockMark is how often the record is told of the steady clock.
	clockMark = time.Minute
	// clockBatch bounds the clocks that are looked at at a time.
	clockBatch = 100
	// expireAgain is how long a lead that may not expire yet is left alone.
	expireAgain = 10 * time.Minute
)

// ClockRef names a clock of a lead.
type ClockRef struct {
	Lead  string
	Stage Stage
	Order string
}

// setClocks lets those clocks run that the lead waits for, and stops others.
func (e *Engine) setClocks(ctx context.Context, tx Tx, l *Lead) error {
	routes := e.Routes()
	if routes == nil || l.Canary {
		return nil
	}
	if err := e.steady.resume(ctx, tx); err != nil {
		return err
	}
	want := waits(*l)
	same := func(a DueClock) func(DueClock) bool {
		return func(b DueClock) bool { return a.Stage == b.Stage && a.Order == b.Order }
	}
	var kept []DueClock
	for _, c := range l.Clocks {
		if slices.ContainsFunc(want, same(c)) {
			kept = append(kept, c)
		} else if err := tx.StopClock(ctx, l.ID, c); err != nil {
			return err
		}
	}
	// Not the transaction's time: the wall clock may have been set since.
	now, offset := e.steady.now()
	for _, w := range want {
		rule, ok := routes.clockRule(*l, w.Stage)
		if !ok || slices.ContainsFunc(kept, same(w)) {
			continue
		}
		c := routes.start(rule, w, now.Add(offset), offset)
		if err := tx.SaveClock(ctx, l.ID, c); err != nil {
			return err
		}
		kept = append(kept, c)
	}
	l.Clocks = kept
	return nil
}

// shown is a lead with its clocks in the time of the wall.
func (e *Engine) shown(l Lead) Lead {
	_, offset := e.steady.now()
	clocks := make([]DueClock, 0, len(l.Clocks))
	for _, c := range l.Clocks {
		c.DueAt = micros(c.DueAt.Add(offset))
		clocks = append(clocks, c)
	}
	slices.SortStableFunc(clocks, func(a, b DueClock) int { return a.DueAt.Compare(b.DueAt) })
	l.Clocks = clocks
	return l
}

// wakeClocks tells Run that a clock may have been started.
func (e *Engine) wakeClocks() {
	select {
	case e.clocks <- struct{}{}:
	default:
	}
}

// Run lets the clocks of leads run until ctx ends: it reminds, notes breaches
// and escalates, each once, whatever is done to the wall clock meanwhile.
func (e *Engine) Run(ctx context.Context) error {
	if e.Routes() == nil {
		<-ctx.Done() // no clock ever runs
		return nil
	}
	run := clockRun{e: e}
	sleep := time.NewTimer(run.tick(ctx))
	defer sleep.Stop()
	for {
		select {
		case <-ctx.Done():
			run.leave(ctx)
			return nil
		case <-e.clocks:
		case <-sleep.C:
		}
		sleep.Reset(run.tick(ctx))
	}
}

// clockRun is what Run remembers from one look to the next.
type clockRun struct {
	e       *Engine
	resumed bool
	marked  time.Time // steady
	offset  time.Duration
	unread  bool
}

// tick does what is due, and returns how long there is nothing to do.
func (r *clockRun) tick(ctx context.Context) time.Duration {
	pause, err := r.work(ctx)
	switch {
	case ctx.Err() != nil:
		return clockRest
	case err != nil:
		if !r.unread {
			r.unread = true
			r.e.log.Error("the clocks of leads stand still: the record does not answer", "error", err)
		}
		return retryDB
	case r.unread:
		r.unread = false
		r.e.log.Info("the clocks of leads go on")
	}
	return pause
}

func (r *clockRun) work(ctx context.Context) (time.Duration, error) {
	if err := r.mark(ctx); err != nil {
		return 0, err
	}
	for {
		now, _ := r.e.steady.now()
		due, err := r.e.store.DueClocks(ctx, now, clockBatch)
		if err != nil {
			return 0, err
		}
		for _, ref := range due {
			if err := r.e.strike(ctx, ref); err != nil {
				return 0, err
			}
		}
		if len(due) < clockBatch {
			break
		}
	}
	now, _ := r.e.steady.now()
	next, err := r.e.store.NextClock(ctx, now)
	if err != nil || next.IsZero() {
		return clockRest, err
	}
	return min(max(next.Sub(now), soon), clockRest), nil
}

// mark keeps the steady clock in the record: now and then, and at once when
// the wall clock was set.
func (r *clockRun) mark(ctx context.Context) error {
	now, offset := r.e.steady.now()
	if r.resumed && offset == r.offset && now.Sub(r.marked) < clockMark {
		return nil
	}
	set := r.resumed && offset != r.offset
	err := r.e.store.Write(ctx, func(tx Tx) error {
		if err := r.e.steady.resume(ctx, tx); err != nil {
			return err
		}
		now, offset = r.e.steady.now()
		return tx.SetSteadyMark(ctx, SteadyMark{Steady: now, Wall: now.Add(offset)})
	})
	if err != nil {
		return err
	}
	if set {
		r.e.log.Warn("the wall clock was set; the clocks of leads go on by the time that passed", "by", offset-r.offset)
	}
	r.resumed, r.marked, r.offset = true, now, offset
	return nil
}

// leave tells the record of the steady clock as it is at the end, so that what
// is done to the wall clock before the next start costs no time. Without it
// the mark is a minute old at most.
func (r *clockRun) leave(ctx context.Context) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	r.marked = time.Time{}
	if err := r.mark(last); err != nil {
		r.e.log.Warn("the clocks of leads may go on up to a minute late", "error", err)
	}
}

// strike does what is due of one clock, in one transaction.
func (e *Engine) strike(ctx context.Context, ref ClockRef) error {
	_, err := e.change(ctx, ref.Lead, func(ch *changing) error {
		i := slices.IndexFunc(ch.lead.Clocks, func(c DueClock) bool { return c.Stage == ref.Stage && c.Order == ref.Order })
		if i < 0 {
			return nil // stopped meanwhile
		}
		routes, clock := e.Routes(), ch.lead.Clocks[i]
		if clock.Ladder == nil { // it started before clocks kept theirs
			rule, ok := routes.clockRule(ch.lead, ref.Stage)
			if !ok {
				return ch.tx.StopClock(ctx, ch.lead.ID, clock)
			}
			clock.Ladder = rule.ladder()
		}
		now, offset := e.steady.now()
		done, after, due := routes.due(clock, now, offset)
		if due && done.Act == ActMoved {
			return ch.expire(ctx, i, now)
		}
		if err := ch.tx.SaveClock(ctx, ch.lead.ID, after); err != nil || !due {
			return err
		}
		ch.lead.Clocks[i] = after
		if done.Act == ActSupervised {
			ch.lead.Supervised = true
		}
		return ch.record(ctx, Step{By: System, Act: done.Act, About: string(ref.Stage), Reason: done.To, Note: ch.lead.department(ref.Order)}, "", nil)
	})
	return err
}

// ReasonUntriaged is why a lead expires: nobody has judged it in time.
const ReasonUntriaged = "untriaged"

// expire lets the lead expire, or looks again a while later when it may not
// yet. The clock stays on its rung until then.
func (ch *changing) expire(ctx context.Context, clock int, now time.Time) error {
	running, err := ch.tx.PartsRunning(ctx, ch.lead.ID)
	if err != nil {
		return err
	}
	t := Transition{
		Lead: ch.lead.ID, To: LeadExpired, By: System, Reason: ReasonUntriaged, Version: ch.lead.Version,
	}
	if running || Judge(ch.lead, ch.last, t, ch.tx.Now()) != nil {
		c := &ch.lead.Clocks[clock]
		c.NextAt = now.Add(expireAgain)
		return ch.tx.SaveClock(ctx, ch.lead.ID, *c)
	}
	return ch.move(ctx, t)
}

// department is that of an order; "" when there is no such order.
func (l Lead) department(order string) string {
	for _, o := range l.Orders {
		if o.ID == order {
			return o.Department
		}
	}
	return ""
}
