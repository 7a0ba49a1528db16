package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"videopatrol/detect"
)

// reloader applies a changed configuration on SIGHUP, all of it or nothing. What
// is applied without a restart is the log's level and the files of routes and of
// rules; for anything else that changed it says that a restart is needed. What
// the audit does not take is not applied.
type reloader struct {
	app     *app
	file    string
	current Config
	level   *slog.LevelVar
	tries   *prometheus.CounterVec
	last    prometheus.Gauge
}

func newReloader(a *app, file string, level *slog.LevelVar) (*reloader, error) {
	r := &reloader{
		app: a, file: file, current: a.cfg, level: level,
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patrol_config_reloads_total",
			Help: "Times that the gateway was told to read its configuration, routes and rules anew, by whether it applied or refused them.",
		}, []string{"outcome"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "patrol_config_last_reload_successful",
			Help: "1 when the newest configuration, routes and rules that the gateway was told to read are those that count, else 0.",
		}),
	}
	r.last.Set(1)
	for _, o := range []string{"applied", "refused"} {
		r.tries.WithLabelValues(o)
	}
	return r, errors.Join(a.registry.Register(r.tries), a.registry.Register(r.last))
}

// run reloads at each signal until ctx ends.
func (r *reloader) run(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		outcome, good := "applied", 1.0
		if err := r.reload(ctx); err != nil {
			outcome, good = "refused", 0
			r.app.log.Error("configuration not reloaded, what counted goes on", "error", err)
		}
		r.tries.WithLabelValues(outcome).Inc()
		r.last.Set(good)
	}
}

func (r *reloader) reload(ctx context.Context) error {
	next, err := LoadConfig(r.file)
	if err != nil {
		return err
	}
	if changed := r.current.fixedDifferences(next); len(changed) > 0 {
		return errors.New("these keys need a restart: " + strings.Join(changed, ", "))
	}
	routes, err := readRoutes(next)
	if err != nil {
		return err
	}
	presets, err := readPresets(next.Detect.Rules)
	if err != nil {
		return err
	}
	if err := r.app.fits(presets); err != nil {
		return err
	}
	parts := cmp.Or(strings.Join(routes.Differences(r.app.engine.Routes()), ", "), "unchanged")
	rules := presets.Differences(r.app.presets.Load())
	said := cmp.Or(strings.Join(rules, ", "), "unchanged")
	if err := r.app.reloaded(ctx, "log.level "+r.current.Log.Level+" → "+next.Log.Level+"; routes: "+parts+"; rules: "+said); err != nil {
		return err
	}
	_ = r.level.UnmarshalText([]byte(next.Log.Level)) // checked with the configuration
	r.app.engine.SetRoutes(routes)
	r.app.hub.Reset() // pages know departments by name
	if len(rules) > 0 {
		r.app.presets.Store(presets)
		r.app.rewatch(ctx)
	}
	r.app.log.Info("configuration reloaded", "log.level.before", r.current.Log.Level, "log.level", next.Log.Level, "routes", parts, "rules", said)
	r.app.warnOfHoles(routes)
	r.current = next
	return nil
}

// fits tells of a camera that has rules now and would lose them.
func (a *app) fits(next *detect.Presets) error {
	now := a.presets.Load()
	for _, c := range a.inventory().Cameras {
		if _, err := now.RulesOf(c.Zones); err != nil {
			continue // it is told of already, with the camera's state
		}
		if _, err := next.RulesOf(c.Zones); err != nil {
			return fmt.Errorf("detect.rules: camera %s: %w", c.ID, err)
		}
	}
	return nil
}
