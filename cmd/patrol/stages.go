package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// stage is one part of the gateway that runs until its context ends.
type stage struct {
	name string
	run  func(ctx context.Context) error
}

// runStages runs all stages at once. When ctx ends, or one of them does, they
// are stopped one after the other in the order given, each only once the one
// before it has ended: what feeds others stops first, so that nothing that is
// on its way is lost.
func runStages(ctx context.Context, log *slog.Logger, stages []stage) error {
	type running struct {
		cancel context.CancelFunc
		done   chan error
	}
	ended := make(chan string, len(stages))
	all := make([]running, len(stages))
	for i, s := range stages {
		stageCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r := running{cancel: cancel, done: make(chan error, 1)}
		all[i] = r
		go func() {
			r.done <- s.run(stageCtx)
			ended <- s.name
		}()
	}
	var errs []error
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case name := <-ended:
		log.Error("a part of the gateway ended by itself; stopping", "stage", name)
		errs = append(errs, fmt.Errorf("%s ended by itself", name))
	}
	for i, s := range stages {
		begin := time.Now()
		all[i].cancel()
		if err := <-all[i].done; err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
		log.Debug("stopped", "stage", s.name, "seconds", time.Since(begin).Seconds())
	}
	return errors.Join(errs...)
}
