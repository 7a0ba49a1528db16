package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/deliver/webhook"
	"videopatrol/alerts/evidence"
	alertsql "videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
)

const (
	// leadsCameras is how many cameras the findings come from.
	leadsCameras = 2000
	// seenTimes is how often a condition is seen again before it ends.
	seenTimes = 18
	// drainTime is how long a receiver is waited for.
	drainTime = time.Minute
)

// leadsRig folds findings of a made-up city into a real record.
type leadsRig struct {
	store    *alertsql.Store
	pictures alerts.Pictures
	city     inventory.Snapshot
	number   atomic.Int64 // of conditions
}

func newLeadsRig(ctx context.Context, db *sqldb.DB, dir string) (*leadsRig, error) {
	store, err := alertsql.New(ctx, db, "bench")
	if err != nil {
		return nil, err
	}
	pictures, err := evidence.Open(filepath.Join(dir, "evidence"))
	return &leadsRig{store: store, pictures: pictures, city: leadsCity()}, err
}

// leadsCity has a city, towns, cells and sub-cells, and cameras in these.
func leadsCity() inventory.Snapshot {
	var cells []inventory.Cell
	add := func(level inventory.Level, parent string, n int) string {
		id := fmt.Sprintf("%s%02d", parent, n)
		cells = append(cells, inventory.Cell{ID: id, Name: "网格" + id, Level: level, Parent: parent})
		return id
	}
	city := add(inventory.LevelCity, "", 1)
	var subcells []string
	for town := range 5 {
		t := add(inventory.LevelTown, city, town)
		for cell := range 5 {
			c := add(inventory.LevelCell, t, cell)
			for sub := range 4 {
				subcells = append(subcells, add(inventory.LevelSubcell, c, sub))
			}
		}
	}
	cameras := make([]inventory.Camera, leadsCameras)
	for i := range cameras {
		cameras[i] = inventory.Camera{
			ID: fmt.Sprintf("3301060000132%07d", i), Name: fmt.Sprintf("某某路 %d 号", i), Cell: subcells[i%len(subcells)],
			Zones: []inventory.Zone{{ID: "lane", Name: "消防通道", Kind: inventory.ZoneFireLane}},
		}
	}
	return inventory.Snapshot{Revision: 1, Cameras: cameras, Grid: inventory.NewGrid(cells)}
}

// engine is one that tells a sink named so; nil tells nobody.
func (r *leadsRig) engine(outbox *alerts.Outbox) (*alerts.Engine, error) {
	return alerts.New(alerts.Options{
		Store: r.store, Inventory: func() inventory.Snapshot { return r.city }, Pictures: r.pictures, Outbox: outbox,
	})
}

// finding is the first one of a new condition.
func (r *leadsRig) finding() detect.Finding {
	n := r.number.Add(1)
	now := time.Now()
	return detect.Finding{
		Camera: r.city.Cameras[n%leadsCameras].ID, Zone: "lane", Rule: detect.RuleRef{ID: fmt.Sprint("lane-", n), Version: 1},
		Kind: detect.KindFireLaneBlocked, Phase: detect.PhaseBegin, Began: now, At: now,
		Why: detect.Text{ZH: "消防通道被车辆占用 45 秒", EN: "a vehicle stands in the fire lane for 45 s"},
	}
}

// lives returns findings as they come: a condition begins, is seen again and
// ends, and the next one begins.
func (r *leadsRig) lives() func() detect.Finding {
	var f detect.Finding
	left := -1                        // how often it is still seen; -1: it has ended
	again := rand.IntN(seenTimes + 1) // not all callers' conditions begin together
	return func() detect.Finding {
		switch {
		case left < 0:
			f = r.finding()
			left, again = again, seenTimes
			return f
		case left == 0:
			f.Phase = detect.PhaseEnd
		default:
			f.Phase = detect.PhaseContinue
		}
		left--
		f.At = f.At.Add(time.Second)
		return f
	}
}

// beginnings returns findings of which each raises a lead.
func (r *leadsRig) beginnings() func() detect.Finding { return r.finding }

// hurry observes as many findings as it can, from some callers at a time of
// which each waits for its answer, and returns how many a second that were
// and how long an answer took. Nobody is there to be told of leads, but the
// outbox is written.
func (r *leadsRig) hurry(ctx context.Context, callers int, span time.Duration, source func() func() detect.Finding) (float64, quantiles, error) {
	outbox, err := alerts.NewOutbox(alerts.OutboxOptions{Store: r.store, Subscriptions: []alerts.Subscription{{Name: "nobody", Sink: &webhook.Sink{}}}})
	if err != nil {
		return 0, quantiles{}, err
	}
	engine, err := r.engine(outbox)
	if err != nil {
		return 0, quantiles{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begun := time.Now()
	took := make([][]time.Duration, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			next := source()
			for start := begun; start.Sub(begun) < span && ctx.Err() == nil; {
				if err := engine.Observe(ctx, next()); err != nil {
					cancel(err)
				}
				end := time.Now()
				took[i] = append(took[i], end.Sub(start))
				start = end
			}
		})
	}
	all.Wait()
	spent := time.Since(begun)
	var times []time.Duration
	for _, t := range took {
		times = append(times, t...)
	}
	return float64(len(times)) / spent.Seconds(), quantilesOf(times), context.Cause(ctx)
}

// deliver raises leads at a pace, delivers them by webhook to a receiver on
// this machine and returns how they came, and how long after the last one was
// raised all had come.
func (r *leadsRig) deliver(ctx context.Context, leads int, pace time.Duration) (delivery, time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	came := make(chan arrived, leads)
	d, err := newDesk(func(_ context.Context, e alerts.Event) {
		select {
		case came <- arrived{e.Data.Rule.ID, time.Now()}:
		default: // more than there are: they come again
		}
	})
	if err != nil {
		return delivery{}, 0, err
	}
	sink, err := webhook.New(webhook.Options{
		URL: d.URL(), Secrets: []inventory.Secret{d.secret}, Source: "http://bench.invalid", Allow: []string{d.listener.Addr().String()}, Loopback: true,
		Link: func(string) (string, time.Time, error) { return "", time.Time{}, errors.New("there are no pictures") },
	})
	if err != nil {
		d.Close()
		return delivery{}, 0, err
	}
	defer sink.Close()
	outbox, err := alerts.NewOutbox(alerts.OutboxOptions{Store: r.store, Subscriptions: []alerts.Subscription{{Name: fmt.Sprint("desk-", leads, pace), Sink: sink}}})
	if err != nil {
		d.Close()
		return delivery{}, 0, err
	}
	engine, err := r.engine(outbox)
	if err != nil {
		d.Close()
		return delivery{}, 0, err
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(nil)
	running.Go(func() { cancelOn(cancel, d.Run(ctx)) })
	running.Go(func() { cancelOn(cancel, outbox.Run(ctx)) })

	raised := make(map[string]time.Time, leads)
	var observing sync.WaitGroup
	begun := time.Now()
	for i := range leads {
		if err := rest(ctx, time.Until(begun.Add(time.Duration(i)*pace))); err != nil {
			break
		}
		f := r.finding()
		raised[f.Rule.ID] = time.Now()
		observing.Go(func() { cancelOn(cancel, engine.Observe(ctx, f)) })
	}
	observing.Wait()
	last := time.Now()
	out := delivery{Leads: leads}
	times := make([]time.Duration, 0, leads)
	limit := time.NewTimer(drainTime)
	defer limit.Stop()
	var drained time.Duration
	for len(times) < leads {
		select {
		case a := <-came:
			at, ok := raised[a.rule]
			if !ok {
				continue // it came before
			}
			delete(raised, a.rule)
			times = append(times, a.at.Sub(at))
			drained = max(drained, a.at.Sub(last))
			continue
		case <-ctx.Done():
			return out, drained, context.Cause(ctx)
		case <-limit.C:
		}
		break
	}
	out.Delivered, out.Arrival = len(times), quantilesOf(times)
	return out, drained, nil
}

// arrived is a lead at the receiver.
type arrived struct {
	rule string
	at   time.Time
}

func cancelOn(cancel context.CancelCauseFunc, err error) {
	if err != nil {
		cancel(err)
	}
}

// profiled writes a CPU profile of what fn does; without a folder it only runs
// it.
func profiled(folder, name string, fn func() error) error {
	if folder == "" {
		return fn()
	}
	f, err := os.Create(filepath.Join(folder, name+".pprof"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return fn()
}
