package alerts_test

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/evidence"
	"videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
)

// city is the inventory that the tests share: three cameras in one sub-cell, and
// the gateway's own synthetic camera.
func city() inventory.Snapshot {
	zones := []inventory.Zone{
		{ID: "gate", Name: "East gate", Kind: inventory.ZoneClosedArea, Cell: "s2"},
		{ID: "lane", Name: "Fire lane", Kind: inventory.ZoneFireLane},
	}
	return inventory.Snapshot{
		Revision: 1,
		Cameras: []inventory.Camera{
			{ID: "c1", Name: "Gate 1", Position: inventory.Position{Lat: 31.2, Lon: 121.4}, Cell: "s1", Zones: zones},
			{ID: "c2", Name: "Gate 2", Position: inventory.Position{Lat: 31.3, Lon: 121.5}, Cell: "s1", Zones: zones},
			{ID: "c3", Name: "Gate 3", Cell: "s1", Zones: zones},
			{ID: "canary", Name: "Canary", Cell: "s1", Zones: zones},
		},
		Grid: inventory.NewGrid([]inventory.Cell{
			{ID: "city", Name: "City", Level: inventory.LevelCity},
			{ID: "t1", Name: "Town", Level: inventory.LevelTown, Parent: "city"},
			{ID: "g1", Name: "Cell", Level: inventory.LevelCell, Parent: "t1"},
			{ID: "s1", Name: "Sub-cell 1", Level: inventory.LevelSubcell, Parent: "g1"},
			{ID: "s2", Name: "Sub-cell 2", Level: inventory.LevelSubcell, Parent: "g1"},
		}),
	}
}

// gateway is an engine with its record on disk. It can be stopped and started
// again as a process can.
type gateway struct {
	dir    string
	url    string // of the record; "" is a SQLite file in dir
	sinks  []alerts.Subscription
	routes *alerts.Routes
	ahead  atomic.Int64 // what the wall clock is ahead of time, in nanoseconds
	store  *sqlstore.Store
	engine *alerts.Engine

	mu      sync.Mutex
	changes []alerts.Change

	stop func()
}

// wall is the time that the gateway believes it is.
func (g *gateway) wall() time.Time { return time.Now().Round(0).Add(time.Duration(g.ahead.Load())) }

// start opens the record; stop closes it.
func (g *gateway) start(tb testing.TB) {
	tb.Helper()
	if g.url == "" {
		g.url = "sqlite:" + filepath.Join(g.dir, "patrol.db")
	}
	db, err := sqldb.Open(tb.Context(), sqldb.Options{URL: g.url, Clock: g.wall})
	if err != nil {
		tb.Fatal(err)
	}
	if g.store, err = sqlstore.New(tb.Context(), db, "test"); err != nil {
		tb.Fatal(err)
	}
	pictures, err := evidence.Open(filepath.Join(g.dir, "evidence"))
	if err != nil {
		tb.Fatal(err)
	}
	outbox, err := alerts.NewOutbox(alerts.OutboxOptions{
		Store: g.store, Subscriptions: g.sinks, Clock: g.wall, Random: func() float64 { return 0.5 },
	})
	if err != nil {
		tb.Fatal(err)
	}
	g.engine, err = alerts.New(alerts.Options{
		Store: g.store, Inventory: city, Pictures: pictures, Outbox: outbox, CanaryCamera: "canary",
		Routes: g.routes, Clock: g.wall,
		Changed: func(c alerts.Change) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.changes = append(g.changes, c)
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- outbox.Run(ctx) }()
	go func() { ended <- g.engine.Run(ctx) }()
	g.stop = func() {
		cancel()
		for range cap(ended) {
			if err := <-ended; err != nil {
				tb.Error(err)
			}
		}
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	}
}

// open starts a gateway for the length of a test.
func open(tb testing.TB, sinks ...alerts.Subscription) *gateway {
	tb.Helper()
	return openAt(tb, "", sinks...)
}

// openAt is open with the address of the record.
func openAt(tb testing.TB, url string, sinks ...alerts.Subscription) *gateway {
	tb.Helper()
	g := &gateway{dir: tb.TempDir(), url: url, sinks: sinks}
	g.start(tb)
	tb.Cleanup(func() { g.stop() })
	return g
}

func all(tb testing.TB, d alerts.Desk, q alerts.LeadQuery) []alerts.Lead {
	tb.Helper()
	var leads []alerts.Lead
	for {
		page, err := d.Leads(tb.Context(), q)
		if err != nil {
			tb.Fatal(err)
		}
		leads = append(leads, page.Leads...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return leads
		}
	}
}

var rule = detect.RuleRef{ID: "intrusion", Version: 1}
