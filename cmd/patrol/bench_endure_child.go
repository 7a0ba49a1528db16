package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/alerts/deliver/webhook"
	"videopatrol/alerts/evidence"
	alertsql "videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
)

const (
	enduringNode = "endure"
	enduringSink = "desk"
	// officers work at a time.
	officers = 4
	// officerRest is the most that passes between two steps of an officer.
	officerRest = 150 * time.Millisecond
	// One lead in leftAlone is touched by no officer: its clock runs out.
	leftAlone = 8
	// drainTries bounds, in steps of drainRest, how long the child waits at its
	// end for its clocks, and until the desk has taken everything.
	drainTries = 6000
	drainRest  = 10 * time.Millisecond
)

// triageWithin is when the clock of a lead that nobody touches runs out, in
// triageRungs steps.
const (
	triageWithin = 2 * time.Second
	triageRungs  = 4
)

// enduringRoutes let a triage run out while one watches.
const enduringRoutes = `
departments: [{id: police, name: {zh: 公安, en: Police}, level: city}]
posts: [{id: shift_leader, name: {zh: 值班长, en: Shift leader}}, {id: duty_chief, name: {zh: 值班领导, en: Duty chief}}]
routes: [{name: all, lead: police}]
clocks: [{stage: triage, within: 2s, remind: 1s, escalate: [{after: 1s, to: shift_leader}, {after: 2s, to: duty_chief, supervise: true}]}]
`

// endureStart is what the child is told first.
type endureStart struct {
	Database    string        `json:"database"`
	Careless    bool          `json:"careless,omitempty"`
	Folder      string        `json:"folder"`      // of the pictures
	Checkpoints string        `json:"checkpoints"` // a file that takes the copies
	Key         []byte        `json:"key"`         // a seed of Ed25519, which signs the audit
	Desk        string        `json:"desk"`
	Secret      string        `json:"secret"`
	Ahead       time.Duration `json:"ahead"` // what the wall clock is ahead of the machine's
	Life        int           `json:"life"`  // counts the children of a run
	Seed        uint64        `json:"seed"`
}

// endureAsk is what the child is told from then on: a finding, which it
// answers, or a new wall clock.
type endureAsk struct {
	N       int64           `json:"n,omitempty"`
	Finding *detect.Finding `json:"finding,omitempty"`
	Ahead   *time.Duration  `json:"ahead,omitempty"`
}

// endureAnswer is a line that the child says, once what it says is durable.
type endureAnswer struct {
	Ready bool `json:"ready,omitempty"`
	// N is the finding that was folded, or was not for the reason of Failed.
	N int64 `json:"n,omitempty"`
	// Mark is in the trace of Lead: an officer's step.
	Mark string `json:"mark,omitempty"`
	Lead string `json:"lead,omitempty"`
	// Failed is why a finding or a step was refused although it is allowed.
	Failed string `json:"failed,omitempty"`
}

// newBenchEndured is the gateway's record in a process of its own, which may
// be killed.
func newBenchEndured() *cobra.Command {
	return &cobra.Command{
		Use: "endured", Short: "Keep a record until it is killed (internal: a child of patrol bench endure)", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in := json.NewDecoder(cmd.InOrStdin())
			var o endureStart
			if err := in.Decode(&o); err != nil {
				return err
			}
			return serveEndured(cmd.Context(), in, cmd.OutOrStdout(), slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)), o)
		},
	}
}

// endured is everything from a finding to the desk.
type endured struct {
	endureStart
	ahead  atomic.Int64
	store  *alertsql.Store
	outbox *alerts.Outbox
	engine *alerts.Engine
	keeper *audit.Keeper

	mu  sync.Mutex
	out *json.Encoder
}

func (e *endured) wall() time.Time { return time.Now().Round(0).Add(time.Duration(e.ahead.Load())) }

func (e *endured) say(a endureAnswer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.out.Encode(a) // whoever reads is gone: it is not answered
}

func serveEndured(ctx context.Context, in *json.Decoder, out io.Writer, log *slog.Logger, o endureStart) (err error) {
	e := &endured{endureStart: o, out: json.NewEncoder(out)}
	e.ahead.Store(int64(o.Ahead))
	db, err := sqldb.Open(ctx, sqldb.Options{URL: o.Database, Careless: o.Careless, Clock: e.wall, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	sink, err := webhook.New(webhook.Options{
		URL: o.Desk, Secrets: []inventory.Secret{inventory.Secret(o.Secret)}, Source: "http://bench.invalid", Loopback: true,
		Link: func(sha256 string) (string, time.Time, error) {
			return "http://bench.invalid/" + sha256, time.Time{}, nil
		},
	})
	if err != nil {
		return err
	}
	defer sink.Close()
	if err := e.open(ctx, db, sink, log); err != nil {
		return err
	}
	e.say(endureAnswer{Ready: true})
	return e.run(ctx, in)
}

func (e *endured) open(ctx context.Context, db *sqldb.DB, sink alerts.Sink, log *slog.Logger) (err error) {
	if e.store, err = alertsql.New(ctx, db, enduringNode); err != nil {
		return err
	}
	pictures, err := evidence.Open(filepath.Join(e.Folder, "evidence"))
	if err != nil {
		return err
	}
	e.outbox, err = alerts.NewOutbox(alerts.OutboxOptions{
		Store: e.store, Subscriptions: []alerts.Subscription{{Name: enduringSink, Sink: sink}}, Clock: e.wall, Log: log,
	})
	if err != nil {
		return err
	}
	e.keeper, err = audit.NewKeeper(audit.KeeperOptions{
		Ledger: e.store, Key: ed25519.NewKeyFromSeed(e.Key), Sink: audit.File(e.Checkpoints), Every: time.Second, Clock: e.wall, Log: log,
	})
	if err != nil {
		return err
	}
	routes, err := alerts.ParseRoutes([]byte(enduringRoutes), time.UTC)
	if err != nil {
		return err
	}
	city := leadsCity()
	e.engine, err = alerts.New(alerts.Options{
		Store: e.store, Inventory: func() inventory.Snapshot { return city }, Pictures: pictures,
		Outbox: e.outbox, Routes: routes, Clock: e.wall, Log: log,
	})
	return err
}

// run serves until no more is asked, and then ends in order: those who write,
// once the clocks have run out; the outbox, once the desk has taken everything;
// and the audit.
func (e *endured) run(ctx context.Context, in *json.Decoder) error {
	writing, stopWriting := context.WithCancel(ctx)
	sending, stopSending := context.WithCancel(ctx)
	var writers, last sync.WaitGroup
	defer last.Wait()
	defer stopSending()
	defer writers.Wait()
	defer stopWriting()
	var signed error
	last.Go(func() { _ = e.outbox.Run(sending) }) // it returns nil alone
	last.Go(func() { signed = e.keeper.Run(sending) })
	writers.Go(func() { _ = e.engine.Run(writing) })
	for i := range officers {
		writers.Go(func() { e.officer(writing, i) })
	}
	var folding sync.WaitGroup
	err := e.asked(ctx, in, &folding)
	folding.Wait()
	if err == nil {
		err = e.await(ctx, func() (bool, error) {
			next, err := e.store.NextClock(ctx, time.Unix(0, 0))
			return next.IsZero(), err
		})
	}
	stopWriting()
	writers.Wait()
	if err == nil {
		err = e.await(ctx, func() (bool, error) {
			backlog, err := e.store.Backlog(ctx)
			return len(backlog) == 0, err
		})
	}
	stopSending()
	last.Wait()
	return errors.Join(err, signed)
}

// asked takes what is asked until there is no more.
func (e *endured) asked(ctx context.Context, in *json.Decoder, folding *sync.WaitGroup) error {
	for {
		var ask endureAsk
		if err := in.Decode(&ask); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if ask.Ahead != nil {
			e.ahead.Store(int64(*ask.Ahead))
		}
		if ask.Finding == nil {
			continue
		}
		folding.Go(func() {
			a := endureAnswer{N: ask.N}
			if err := e.engine.Observe(ctx, *ask.Finding); err != nil {
				a.Failed = err.Error()
			}
			e.say(a)
		})
	}
}

// await returns once something is done, or is not for long: the ledger will
// tell.
func (e *endured) await(ctx context.Context, done func() (bool, error)) error {
	for range drainTries {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if err := rest(ctx, drainRest); err != nil {
			return err
		}
	}
	return nil
}

// officer works on leads, one step after the other, until ctx ends.
func (e *endured) officer(ctx context.Context, number int) {
	random := rand.New(rand.NewPCG(e.Seed, uint64(e.Life*officers+number)))
	name := fmt.Sprint("officer-", number)
	for step := 0; rest(ctx, time.Duration(random.Int64N(int64(officerRest)))) == nil; step++ {
		page, err := e.engine.Leads(ctx, alerts.LeadQuery{Limit: 20, States: []alerts.LeadState{
			alerts.LeadRaised, alerts.LeadAccepted, alerts.LeadDispatched, alerts.LeadAcknowledged, alerts.LeadResolved,
		}})
		if err != nil || len(page.Leads) == 0 {
			continue // the record is away, or nothing is open
		}
		l := page.Leads[random.IntN(len(page.Leads))]
		if l.Number%leftAlone == 0 {
			continue
		}
		a := endureAnswer{Mark: fmt.Sprintf("%d.%d.%d", e.Life, number, step), Lead: l.ID}
		if err := e.act(ctx, l, name, a.Mark, random); err != nil {
			if expected(err) {
				continue
			}
			a = endureAnswer{Failed: err.Error()}
		}
		e.say(a)
	}
}

// expected tells whether a step failed because another officer was faster.
func expected(err error) bool {
	var stale *alerts.StaleError
	var refused *alerts.RefusedError
	var order *alerts.OrderRefusedError
	return errors.As(err, &stale) || errors.As(err, &refused) || errors.As(err, &order) || errors.Is(err, context.Canceled)
}

// act makes one step of a lead's life. None of them begins a stage anew, so
// that each clock of a lead runs once.
func (e *endured) act(ctx context.Context, l alerts.Lead, by, mark string, random *rand.Rand) error {
	if l.Owner != "" {
		by = l.Owner
	}
	move := alerts.Transition{Lead: l.ID, By: by, Version: l.Version, Note: mark, Reason: "handled"}
	switch l.State {
	case alerts.LeadRaised:
		switch {
		case l.Owner == "" && random.IntN(3) == 0:
			_, err := e.engine.Claim(ctx, alerts.Claim{Lead: l.ID, Act: alerts.ActClaimed, By: by, Reason: mark, Version: l.Version})
			return err
		case random.IntN(3) == 0:
			move.To = alerts.LeadRejected
		default:
			move.To = alerts.LeadAccepted
		}
	case alerts.LeadAccepted:
		move.To, move.Departments = alerts.LeadDispatched, []string{"police"}
	case alerts.LeadResolved:
		move.To = alerts.LeadClosed
	default:
		order := alerts.OrderTransition{Lead: l.ID, By: "police", To: alerts.OrderAcknowledged, Note: mark}
		for _, o := range l.Orders {
			if order.Order = o.ID; o.State != alerts.OrderSent {
				order.To = alerts.OrderDone
			}
		}
		_, err := e.engine.OrderTransition(ctx, order)
		return err
	}
	_, err := e.engine.Transition(ctx, move)
	return err
}
