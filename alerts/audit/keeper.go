package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// look is how often the keeper looks at the chain, and so how late a
	// checkpoint may come.
	look = time.Second
	// copyAgain is how long a copy that failed waits.
	copyAgain = 10 * time.Second
	// copyBatch is how many checkpoints go into one copy at most.
	copyBatch = 500
	// lastWords bounds the last checkpoint, and its copy, when the node stops.
	lastWords = 5 * time.Second
)

// Ledger is where a node's chain and its checkpoints are kept.
type Ledger interface {
	// Standing returns the head of the chain, and the newest row that a
	// checkpoint vouches for; 0: none.
	Standing(ctx context.Context) (head Head, sealed int64, err error)
	AddCheckpoint(ctx context.Context, c Checkpoint) error
	// Uncopied returns the oldest checkpoints that a sink does not have yet.
	Uncopied(ctx context.Context, sink string, limit int) ([]Checkpoint, error)
	// Copied says that a sink has the checkpoints up to a row.
	Copied(ctx context.Context, sink string, through int64) error
}

// KeeperOptions says what a Keeper works with.
type KeeperOptions struct {
	// Ledger and Key, the node's, are required.
	Ledger Ledger
	Key    ed25519.PrivateKey
	// Sinks take the copies, each at its own pace; none: nothing leaves the
	// machine.
	Sinks []NamedSink
	// Every and Rows say when a checkpoint is due: so long after the one
	// before, when something was added (0: 60 s), or after so many rows
	// (0: 1,000).
	Every time.Duration
	Rows  int64
	// Clock nil is time.Now, Log nil is silent, Registerer nil keeps no metrics.
	Clock      func() time.Time
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Keeper signs checkpoints of a node's chain and copies them off the machine.
type Keeper struct {
	o       KeeperOptions
	metrics *metrics
	signed  time.Time       // when the newest checkpoint was
	more    []chan struct{} // by sink: there is something to copy
	failing bool            // signing; only changes are logged
}

// NewKeeper returns a Keeper; Run runs it.
func NewKeeper(o KeeperOptions) (*Keeper, error) {
	if o.Ledger == nil || len(o.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("audit: a Ledger and a Key are required")
	}
	if o.Every <= 0 {
		o.Every = time.Minute
	}
	if o.Rows <= 0 {
		o.Rows = 1000
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{o: o}
	names := make([]string, len(o.Sinks))
	for i, s := range o.Sinks {
		if s.Name == "" || s.Sink == nil || slices.Contains(names, s.Name) {
			return nil, errors.New("audit: each sink has a name of its own")
		}
		names[i] = s.Name
		k.more = append(k.more, make(chan struct{}, 1))
	}
	k.metrics = newMetrics(o.Clock, names)
	if err := k.metrics.register(o.Registerer); err != nil {
		return nil, err
	}
	return k, nil
}

// Run signs and copies until ctx ends, and then once more. What feeds the
// chain has stopped before.
func (k *Keeper) Run(ctx context.Context) error {
	stop := make(chan struct{})
	var copying sync.WaitGroup
	for i, s := range k.o.Sinks {
		c := copier{k: k, sink: s, more: k.more[i], log: k.o.Log.With("sink", s.Name)}
		copying.Go(func() { c.run(ctx, stop) })
	}
	defer copying.Wait()
	defer close(stop)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		k.told(k.sign(ctx, false))
		select {
		case <-tick.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			defer cancel()
			if err := k.sign(last, true); err != nil {
				return fmt.Errorf("sign the last checkpoint of the audit: %w", err)
			}
			return nil
		}
	}
}

// sign makes a checkpoint when one is due, or when something is unsealed and
// the node stops.
func (k *Keeper) sign(ctx context.Context, stopping bool) error {
	head, sealed, err := k.o.Ledger.Standing(ctx)
	if err != nil {
		return err
	}
	k.metrics.stands(head.Seq, sealed)
	now, unsealed := k.o.Clock(), head.Seq-sealed
	due := Due(unsealed, now.Sub(k.signed), k.o.Rows, k.o.Every) || stopping && unsealed > 0
	if !due {
		return nil
	}
	if err := k.o.Ledger.AddCheckpoint(ctx, Sign(k.o.Key, head, now)); err != nil {
		return err
	}
	k.signed = now
	k.metrics.signed.Inc()
	k.metrics.stands(head.Seq, head.Seq)
	for _, more := range k.more {
		select {
		case more <- struct{}{}:
		default:
		}
	}
	return nil
}

// Due tells whether a checkpoint is due with so many rows unsealed, so long
// after the checkpoint before.
func Due(unsealed int64, since time.Duration, rows int64, every time.Duration) bool {
	return unsealed >= rows || unsealed > 0 && (since >= every || since < 0) // a clock set back must not silence it
}

// told counts a failure and logs the first and the end of it.
func (k *Keeper) told(err error) {
	switch {
	case err == nil && k.failing:
		k.o.Log.Info("the audit can be signed again")
	case err != nil && errors.Is(err, context.Canceled):
		return
	case err != nil:
		k.metrics.signFailed.Inc()
		if !k.failing {
			k.o.Log.Error("no checkpoint of the audit can be signed", "error", err)
		}
	}
	k.failing = err != nil
}

// copier copies to one sink: what holds it up holds up neither the chain nor
// another sink.
type copier struct {
	k    *Keeper
	sink NamedSink
	more <-chan struct{}
	log  *slog.Logger
}

// run copies what is there and what comes, and at the stop the rest.
func (c copier) run(ctx context.Context, stop <-chan struct{}) {
	failing := false
	attempt := func(ctx context.Context) {
		err := c.copyAll(ctx)
		switch {
		case err == nil && failing:
			c.log.Info("checkpoints of the audit are copied again")
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			c.k.metrics.copyFailed.WithLabelValues(c.sink.Name).Inc()
			if !failing {
				c.log.Error("checkpoints of the audit cannot be copied; it is tried again", "error", err)
			}
		}
		failing = err != nil
	}
	again := time.NewTicker(copyAgain)
	defer again.Stop()
	for {
		attempt(ctx)
		select {
		case <-c.more:
		case <-again.C:
		case <-stop:
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			defer cancel()
			attempt(last)
			return
		}
	}
}

// copyAll copies until nothing is left to copy.
func (c copier) copyAll(ctx context.Context) error {
	oldest := c.k.metrics.uncopied[c.sink.Name]
	batch := copyBatch
	if c.sink.Single {
		batch = 1
	}
	for {
		list, err := c.k.o.Ledger.Uncopied(ctx, c.sink.Name, batch)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			oldest.Store(0)
			return nil
		}
		oldest.Store(list[0].At.UnixMicro())
		if err := c.sink.Sink.Copy(ctx, list); err != nil {
			return err
		}
		if err := c.k.o.Ledger.Copied(ctx, c.sink.Name, list[len(list)-1].Seq); err != nil {
			return err
		}
	}
}
