package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/alerts/deliver/webhook"
	"videopatrol/alerts/evidence"
	alertsql "videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/detect/model"
	"videopatrol/detect/worker"
	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
	inventorysql "videopatrol/inventory/sqlstore"
	"videopatrol/streams"
	streamsql "videopatrol/streams/sqlstore"
	"videopatrol/wall"
	wallsql "videopatrol/wall/sqlstore"
	"videopatrol/wall/ui"
)

// linkLife is how long a desk may fetch a picture that it was told of.
const linkLife = 7 * 24 * time.Hour

// appOptions is what an app needs.
type appOptions struct {
	Config Config
	Log    *slog.Logger
}

// app is the gateway: newApp wires the rooms, Run runs them.
type app struct {
	// First are the users of a first start with their passwords, to be told
	// once.
	First []wall.Credential

	cfg      Config
	log      *slog.Logger
	registry *prometheus.Registry
	closers  []func() error // undone in reverse order

	db       *sqldb.DB
	cameras  *inventorysql.Store
	wanted   atomic.Pointer[inventory.Snapshot] // with the canary's camera
	engine   *alerts.Engine
	ledger   *alertsql.Store
	keeper   *audit.Keeper
	node     string
	outbox   *alerts.Outbox
	coverage *streamsql.Store
	manager  *streams.Manager
	pool     *worker.Pool
	canary   *canary // nil when switched off
	hub      *wall.Hub
	accounts *wall.Accounts
	importer *importing
	presets  atomic.Pointer[detect.Presets]
	// rewatching is held while the watches are told what they are to see.
	rewatching sync.Mutex
	wall       *wall.Server

	maintenance *maintaining

	wallListener, metricsListener net.Listener
	tls                           *tls.Config
}

// newApp makes every part and opens every listener, or nothing.
func newApp(ctx context.Context, o appOptions) (a *app, err error) {
	a = &app{cfg: o.Config, log: o.Log, registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := os.MkdirAll(a.cfg.Data, 0o700); err != nil {
		return a, err
	}
	a.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "patrol_build_info", Help: "1, labelled with the version of this gateway.",
			ConstLabels: prometheus.Labels{"version": version},
		}, func() float64 { return 1 }),
	)
	for _, step := range []func(context.Context) error{
		a.openListeners, a.openRecord, a.openAlerts, a.openStreams, a.openWall,
	} {
		if err := step(ctx); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *app) close() error {
	var errs []error
	for _, undo := range slices.Backward(a.closers) {
		errs = append(errs, undo())
	}
	a.closers = nil
	return errors.Join(errs...)
}

func (a *app) path(name string) string { return filepath.Join(a.cfg.Data, name) }

// part names the part of the gateway that a log line comes from.
func (a *app) part(name string) *slog.Logger { return a.log.With("component", name) }

func (a *app) openListeners(ctx context.Context) (err error) {
	listen := func(key, addr string) (net.Listener, error) {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		a.onClose(func() error { _ = ln.Close(); return nil }) // its server may have closed it
		return ln, nil
	}
	if a.wallListener, err = listen("wall.listen", a.cfg.Wall.Listen); err != nil {
		return err
	}
	if a.metricsListener, err = listen("metrics.listen", a.cfg.Metrics.Listen); err != nil {
		return err
	}
	a.tls, err = serverTLS(a.cfg.Wall.Listen, a.cfg.Wall.Cert, a.cfg.Wall.Key, a.cfg.Data)
	return err
}

// WallURL is where the wall is reached from this machine.
func (a *app) WallURL() string {
	scheme := "http"
	if a.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + reachable(a.wallListener.Addr())
}

// reachable is an address that this machine can dial to reach a listener.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return addr.String()
}

// MetricsURL is where /metrics and /readyz are.
func (a *app) MetricsURL() string { return "http://" + reachable(a.metricsListener.Addr()) }

// publicURL is how others reach the wall.
func (a *app) publicURL() string {
	if a.cfg.Wall.URL != "" {
		return a.cfg.Wall.URL
	}
	return a.WallURL()
}

func (a *app) openRecord(ctx context.Context) (err error) {
	address, err := a.cfg.Database.address(a.cfg.Data)
	if err != nil {
		return err
	}
	a.db, err = sqldb.Open(ctx, sqldb.Options{URL: address, Log: a.part("record"), Registerer: a.registry})
	if err != nil {
		return err
	}
	a.onClose(a.db.Close)
	key, err := a.secretKey()
	if err != nil {
		return err
	}
	a.cameras, err = inventorysql.New(ctx, inventorysql.Options{DB: a.db, Keys: [][]byte{key}, Log: a.part("inventory")})
	if err != nil {
		return err
	}
	presets, err := readPresets(a.cfg.Detect.Rules)
	if err != nil {
		return err
	}
	a.presets.Store(presets)
	if a.importer, err = newImporting(a.cameras, a.cfg.Templates, a.presets.Load); err != nil {
		return err
	}
	if a.cfg.Canary.Enabled {
		if a.canary, err = newCanary(time.Duration(a.cfg.Canary.Interval), a.part("canary"), a.registry); err != nil {
			return err
		}
		a.onClose(a.canary.Close)
	}
	snapshot, err := a.cameras.Snapshot(ctx)
	if err != nil {
		return err
	}
	snapshot = a.canary.add(snapshot)
	a.wanted.Store(&snapshot)
	return nil
}

// secretKey encrypts the cameras' passwords at rest.
func (a *app) secretKey() ([]byte, error) {
	if a.cfg.Key == "" {
		return dataKey(a.cfg.Data, secretKeyFile)
	}
	s, err := a.cfg.Key.Resolve()
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return decodeKey(s.Reveal(), "key")
}

func (a *app) openAlerts(ctx context.Context) error {
	if a.node = a.cfg.Node; a.node == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("node: this host does not say its name, so the configuration must: %w", err)
		}
		a.node = host
	}
	store, err := alertsql.New(ctx, a.db, a.node)
	if err != nil {
		return err
	}
	a.ledger = store
	pictures, err := evidence.Open(a.path("evidence"))
	if err != nil {
		return err
	}
	subscriptions, err := a.subscriptions()
	if err != nil {
		return err
	}
	a.outbox, err = alerts.NewOutbox(alerts.OutboxOptions{
		Store: store, Subscriptions: subscriptions, Log: a.part("outbox"), Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	kinds := alerts.DefaultKinds()
	for kind, severity := range a.cfg.Severity {
		info := kinds[kind]
		info.Severity = severity
		kinds[kind] = info
	}
	routes, err := readRoutes(a.cfg)
	if err != nil {
		return err
	}
	a.warnOfHoles(routes)
	a.hub = wall.NewHub(a.part("hub"))
	a.engine, err = alerts.New(alerts.Options{
		Store: store, Inventory: func() inventory.Snapshot { return *a.wanted.Load() }, Pictures: pictures, Kinds: kinds, Outbox: a.outbox,
		CanaryCamera: canaryID, Changed: a.hub.Lead, Routes: routes, Log: a.part("alerts"), Registerer: a.registry,
	})
	if err == nil && a.canary != nil {
		a.canary.settle = a.settleCanary
	}
	return err
}

// warnOfHoles tells of leads that would have no owner.
func (a *app) warnOfHoles(r *alerts.Routes) {
	for _, hole := range r.Holes(a.wanted.Load().Grid) {
		a.log.Warn("leads without an owner", "hole", hole.String())
	}
}

// settleCanary rejects a canary's lead, which no officer is to see.
func (a *app) settleCanary(ctx context.Context, id string) {
	lead, err := a.engine.Lead(ctx, id)
	if err == nil && lead.State == alerts.LeadRaised {
		_, err = a.engine.Transition(ctx, alerts.Transition{
			Lead: id, To: alerts.LeadRejected, By: "system", Reason: "canary", Version: lead.Version,
		})
	}
	if err != nil {
		a.log.Warn("canary lead not settled", "lead", id, "error", err)
	}
}

func (a *app) subscriptions() ([]alerts.Subscription, error) {
	linkKey, err := dataKey(a.cfg.Data, linkKeyFile)
	if err != nil {
		return nil, err
	}
	link := func(sha256 string) (string, time.Time, error) {
		expires := time.Now().Add(linkLife).Truncate(time.Second)
		token, err := alerts.SignLink(linkKey, sha256, expires)
		return a.publicURL() + wall.LinkPath(sha256, token), expires, err
	}
	var list []alerts.Subscription
	add := func(s SinkConfig, secrets []inventory.Secret, canary bool) error {
		sink, err := webhook.New(webhook.Options{
			URL: s.URL, Secrets: secrets, Source: a.publicURL(), Link: link, Allow: s.Allow, Loopback: isLoopbackURL(s.URL),
		})
		if err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
		a.onClose(func() error { sink.Close(); return nil })
		list = append(list, alerts.Subscription{Name: s.Name, Sink: sink, Transitions: s.Transitions, Canary: canary})
		return nil
	}
	for _, s := range a.cfg.Sinks {
		var secrets []inventory.Secret
		for _, ref := range s.Secrets {
			secret, err := ref.Resolve()
			if err != nil {
				return nil, fmt.Errorf("sink %s: %w", s.Name, err)
			}
			secrets = append(secrets, secret)
		}
		if err := add(s, secrets, false); err != nil {
			return nil, err
		}
	}
	if a.canary != nil {
		err := add(SinkConfig{
			Name: canarySink, URL: a.canary.desk.URL(), Transitions: []alerts.LeadState{alerts.LeadRaised},
		}, []inventory.Secret{a.canary.desk.secret}, true)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// stillMemory is how much of the cameras' newest key units is kept to show them:
// some 2,500 sub-streams. The picture of a camera beyond that takes one sample
// more to come.
const stillMemory = 64 << 20

func (a *app) openStreams(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command := []string{self, "worker"}
	var looked func(model.Counts)
	models, err := a.models()
	if err != nil {
		return err
	}
	if len(models) > 0 {
		command = append(command, models...)
		looked = model.NewMetrics(a.registry).Add
	}
	a.pool, err = worker.New(worker.Options{
		Command: command, Looked: looked, Workers: a.cfg.Detect.Workers, Timeout: time.Duration(a.cfg.Detect.Timeout),
		MediaMemory: int64(a.cfg.Patrol.MediaMemory) / 2, StillMemory: stillMemory, Isolation: worker.Isolation(a.cfg.Detect.Isolation),
		Reporter:      detect.ReporterFunc(a.engine.Observe),
		Verdict:       func(v streams.Verdict) { a.manager.Report(v) },
		QuarantineDir: a.path("quarantine"), CheckpointDir: a.path("watches"),
		Log: a.part("detect"), Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	openers, err := a.openers()
	if err != nil {
		return err
	}
	if a.coverage, err = streamsql.New(ctx, a.db); err != nil {
		return err
	}
	p := a.cfg.Patrol
	location, err := time.LoadLocation(a.cfg.Site.TimeZone)
	if err != nil {
		return err
	}
	a.manager, err = streams.New(streams.Options{
		Opener: openers, Sink: a.pool,
		Work: func() streams.Work { return streams.Work{Lanes: a.pool.Lanes(), Cost: a.pool.Cost()} },
		Budget: streams.Budget{
			Dials: p.Dials, DialsPerHost: p.DialsPerHost, DialRate: p.DialRate, Sessions: p.Sessions, MediaBytes: int64(p.MediaMemory) / 2,
			Network: p.Network, Uplinks: p.Uplinks,
		},
		Mode: p.Mode, VisitAbove: time.Duration(p.VisitAbove), Stay: p.Stay, NoStir: !p.Stir, Location: location,
		Intervals: a.intervals(), BackoffMin: time.Duration(p.BackoffMin), BackoffMax: time.Duration(p.BackoffMax),
		Ledger: a.coverage, CanaryCamera: canaryID, Log: a.part("streams"), Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.maintenance = &maintaining{store: a.cameras, manager: a.manager}
	if err := a.maintenance.tell(ctx); err != nil {
		return err
	}
	return nil
}

func (a *app) intervals() map[inventory.Tier]time.Duration {
	m := map[inventory.Tier]time.Duration{}
	for tier, d := range a.cfg.Patrol.Intervals {
		m[tier] = time.Duration(d)
	}
	return m
}

func (a *app) openWall(ctx context.Context) error {
	store, err := wallsql.New(ctx, a.db)
	if err != nil {
		return err
	}
	if a.accounts, err = wall.NewAccounts(wall.AccountsOptions{Store: store, Log: a.part("accounts")}); err != nil {
		return err
	}
	if err := a.firstStart(ctx); err != nil {
		return err
	}
	auditKey, err := a.openAudit()
	if err != nil {
		return err
	}
	linkKey, err := dataKey(a.cfg.Data, linkKeyFile)
	if err != nil {
		return err
	}
	a.wall, err = wall.New(wall.Options{
		Desk: a.engine, Journal: a.engine, Chain: a.ledger, AuditKey: auditKey, Fleet: a.manager, Importer: a.importer, Accounts: a.accounts, Hub: a.hub, Stills: a.pool,
		Coverage: a.coverage, Promiser: a.manager, Maintenance: a.maintenance,
		Inventory: a.inventory, LinkKey: linkKey,
		Canary: a.canaryStatus, Intervals: a.intervals(), Page: ui.Files(),
		Site: wall.Site{Name: a.cfg.Site.Name, TimeZone: a.cfg.Site.TimeZone}, Routes: a.engine.Routes,
		Secure: a.tls != nil, Log: a.part("wall"), Registerer: a.registry,
	})
	return err
}

// inventory is the wanted set without the canary's camera.
func (a *app) inventory() inventory.Snapshot {
	s, _ := a.cameras.Snapshot(context.Background()) // it is kept in memory and cannot fail
	return s
}

func (a *app) canaryStatus() wall.CanaryStatus {
	if a.canary == nil {
		return wall.CanaryStatus{OK: true, Detail: "off"}
	}
	s := wall.CanaryStatus{OK: true, IntervalSeconds: a.canary.interval.Seconds()}
	if at, took := a.canary.Last(); !at.IsZero() {
		s.LastAt = &at
		s.Detail = fmt.Sprintf("socket to desk in %.1f s", took.Seconds())
	}
	if err := a.canary.Check(time.Now()); err != nil {
		s.OK, s.Detail = false, err.Error()
	}
	return s
}

// Run runs the gateway until ctx ends, and closes everything.
func (a *app) Run(ctx context.Context) error {
	stages := []stage{
		{"inventory", a.reconcile},
		{"revisions", func(ctx context.Context) error { return a.cameras.Follow(ctx, followEvery) }},
		{"streams", a.manager.Run},
		{"detect", a.pool.Run},
		{"outbox", a.outbox.Run},
		{"clocks", a.engine.Run},
		{"faults", a.watchFaults},
	}
	if a.canary != nil {
		stages = append(stages, stage{"canary", a.canary.Run})
	}
	page := a.wall.HTTPServer()
	page.TLSConfig = a.tls
	stages = append(stages,
		stage{"hub", a.wall.Run},
		stage{"wall", a.serveHTTP(a.wallListener, page)},
		stage{"audit", a.keeper.Run}, // after all that it keeps
		stage{"metrics", a.serveHTTP(a.metricsListener, a.health().server())},
	)
	a.log.Info("gateway started", "version", version, "wall", a.WallURL(), "metrics", a.MetricsURL(), "cameras", len(a.wanted.Load().Cameras))
	err := runStages(ctx, a.log, stages)
	_ = notifySystemd("STOPPING=1")
	return errors.Join(err, a.close())
}

func (a *app) serveHTTP(ln net.Listener, server *http.Server) func(context.Context) error {
	return func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() {
			if server.TLSConfig != nil {
				done <- server.ServeTLS(ln, "", "")
			} else {
				done <- server.Serve(ln)
			}
		}()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

func (a *app) health() *health {
	h := &health{
		registry: a.registry, cameras: a.cameraMetrics, pprof: a.cfg.Metrics.Pprof,
		checks: map[string]check{
			"record": func(ctx context.Context) error {
				_, err := a.engine.Counts(ctx)
				return err
			},
			"workers": func(context.Context) error { return a.pool.Ready() },
			"inventory": func(context.Context) error {
				if len(a.inventory().Cameras) == 0 {
					return errors.New("no cameras yet: import some by 'patrol inventory import'")
				}
				return nil
			},
		},
	}
	if a.canary != nil {
		h.checks["canary"] = func(context.Context) error { return a.canary.Check(time.Now()) }
	}
	return h
}
