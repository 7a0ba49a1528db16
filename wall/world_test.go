package wall_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
	"videopatrol/streams"
	"videopatrol/wall"
	"videopatrol/wall/sqlstore"
)

var update = flag.Bool("update", false, "write golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs; look at the change and run with -update.\ngot:\n%s", path, got)
	}
}

const (
	camera1 = "33010000001310000001"
	camera2 = "33010000001310000002"
	lead1   = "01976f00-0000-7000-8000-000000000001"
	lead2   = "01976f00-0000-7000-8000-000000000002"
)

var (
	jpeg    = []byte("\xff\xd8\xff\xe0 the newest picture \xff\xd9")
	proof   = []byte("\xff\xd8\xff\xe0 the evidence \xff\xd9")
	proofID = sha(proof)
	linkKey = bytes.Repeat([]byte("k"), 32)
)

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// world is a wall over real accounts in a real database, with a desk, a
// journal and a fleet in memory.
type world struct {
	t        *testing.T
	db       *sqldb.DB
	desk     *fakeDesk
	journal  *fakeJournal
	fleet    fakeFleet
	importer *fakeImporter
	coverage fakeCoverage
	works    *fakeMaintenance
	accounts *wall.Accounts
	hub      *wall.Hub
	stills   fakeStills
	server   *wall.Server
	http     *httptest.Server
	snapshot inventory.Snapshot
	first    []wall.Credential
	ahead    atomic.Int64 // how far the clock is after noon
}

func (w *world) now() time.Time { return noon.Add(time.Duration(w.ahead.Load())) }

func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

func lead(id string, number int64) alerts.Lead {
	return alerts.Lead{
		ID: id, Number: number, Kind: detect.KindFireLaneBlocked, Severity: alerts.SeverityHigh,
		State: alerts.LeadRaised, Version: 1, Summary: detect.Text{ZH: "消防通道被占用", EN: "Fire lane blocked"},
		Rule: detect.RuleRef{ID: "standing", Version: 1}, Camera: alerts.CameraRef{ID: camera1, Name: "东门"},
		Zone:     alerts.ZoneRef{ID: "fl1", Kind: inventory.ZoneFireLane},
		Grid:     []alerts.GridRef{{ID: "c1", Level: inventory.LevelCell, Name: "一号网格"}},
		Evidence: []alerts.Evidence{{SHA256: proofID, Phase: detect.PhaseBegin, TakenAt: noon, Size: len(proof)}},
		RaisedAt: noon, Changed: noon, BeganAt: noon.Add(-20 * time.Second), LastSeenAt: noon,
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "patrol.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	store, err := sqlstore.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	square := func(a float64) [][][]inventory.Position {
		return [][][]inventory.Position{{{{Lat: a, Lon: 120}, {Lat: a, Lon: 121}, {Lat: a + 1, Lon: 121}, {Lat: a, Lon: 120}}}}
	}
	w := &world{
		t: t, db: db,
		desk:    &fakeDesk{leads: []alerts.Lead{lead(lead2, 2), lead(lead1, 1)}, pictures: map[string][]byte{proofID: proof}},
		journal: &fakeJournal{}, importer: &fakeImporter{}, hub: wall.NewHub(nil), stills: fakeStills{camera1: jpeg},
		works: &fakeMaintenance{},
		fleet: fakeFleet{camera1: {
			Camera: camera1, State: streams.StateOnline, Since: noon.Add(-time.Hour),
			LastSample: noon.Add(-3 * time.Second), LastKey: noon, Skew: 2 * time.Second,
		}},
		snapshot: inventory.Snapshot{
			Revision: 1,
			Cameras: []inventory.Camera{
				{
					ID: camera2, Name: "西门 <script>alert(1)</script>", Patrol: inventory.Patrol{Tier: inventory.TierLow},
					Streams: inventory.Streams{Main: "rtsp://10.9.8.7/secret-path"},
					Login:   inventory.Login{Username: "camuser", Password: "campass"},
				},
				{
					ID: camera1, Name: "东门", Owner: "city", Cell: "s1", Position: inventory.Position{Lat: 30, Lon: 120},
					Patrol: inventory.Patrol{Tier: inventory.TierHigh, Interval: 5 * time.Second},
					Zones: []inventory.Zone{{
						ID: "fl1", Name: "消防通道", Kind: inventory.ZoneFireLane, Cell: "s1",
						Area: inventory.Polygon{{X: 0.1, Y: 0.6}, {X: 0.9, Y: 0.6}, {X: 0.9, Y: 0.9}},
					}},
				},
			},
			Grid: inventory.NewGrid([]inventory.Cell{
				{ID: "c1", Name: "一号网格", Level: inventory.LevelCell, Area: square(30)},
				{ID: "s1", Name: "一号子网格", Level: inventory.LevelSubcell, Parent: "c1", Area: square(30)},
			}),
		},
	}
	w.accounts, err = wall.NewAccounts(wall.AccountsOptions{Store: store, Hashes: 2, Clock: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.accounts.HashCheaply()
	if w.first, err = w.accounts.FirstStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.server, err = wall.New(w.options())
	if err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(w.server.Handler())
	t.Cleanup(func() {
		w.hub.Close()
		w.http.Close()
	})
	return w
}

const routesFile = `
departments:
  - {id: fire, name: {zh: 消防, en: Fire}}
  - {id: police, name: {zh: 公安, en: Police}}
routes:
  - {name: lanes, kinds: [fire_lane_blocked], lead: fire, joint: [police]}
`

func (w *world) options() wall.Options {
	routes, err := alerts.ParseRoutes([]byte(routesFile), time.UTC)
	if err != nil {
		panic(err)
	}
	return wall.Options{
		Desk: w.desk, Journal: w.journal, Chain: w.journal, AuditKey: wall.AuditKey{Node: "n1", Key: "a2V5"}, Fleet: w.fleet, Importer: w.importer, Accounts: w.accounts, Hub: w.hub,
		Coverage: w.coverage, Promiser: fakePromiser{}, Maintenance: w.works,
		Stills: w.stills, Inventory: func() inventory.Snapshot { return w.snapshot },
		LinkKey:   linkKey,
		Canary:    func() wall.CanaryStatus { return wall.CanaryStatus{OK: true, IntervalSeconds: 180} },
		Intervals: map[inventory.Tier]time.Duration{inventory.TierLow: time.Minute},
		Page:      fstest.MapFS{"index.html": {Data: []byte("<!doctype html>页面")}, "assets/a-1.js": {Data: []byte("1")}, ".gitkeep": {}},
		Site:      wall.Site{Name: "示范市", TimeZone: "Asia/Shanghai"},
		Routes:    func() *alerts.Routes { return routes },
		Clock:     w.now,
	}
}

// bench is a wall over many cameras, for benchmarks.
type bench struct {
	handler  http.Handler
	token    string
	accounts *wall.Accounts
	password string
}

func benchWorld(b *testing.B, cameras int) bench {
	b.Helper()
	db, err := sqldb.Open(b.Context(), sqldb.Options{URL: "sqlite:" + filepath.Join(b.TempDir(), "patrol.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	store, err := sqlstore.New(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	w := &world{
		db: db, desk: &fakeDesk{}, journal: &fakeJournal{}, importer: &fakeImporter{}, hub: wall.NewHub(nil),
		works: &fakeMaintenance{}, stills: fakeStills{}, fleet: fakeFleet{}, snapshot: inventory.Snapshot{Revision: 1},
	}
	if w.accounts, err = wall.NewAccounts(wall.AccountsOptions{Store: store}); err != nil {
		b.Fatal(err)
	}
	first, err := w.accounts.FirstStart(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	_, token, err := w.accounts.IssueToken(b.Context(), "officer", "bench", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	states := streams.States()
	for i := range cameras {
		id := fmt.Sprintf("3301%016d", i)
		w.snapshot.Cameras = append(w.snapshot.Cameras, inventory.Camera{ID: id, Name: "卡口 " + id, Owner: "city"})
		w.fleet[id] = streams.Status{Camera: id, State: states[i%len(states)]}
	}
	o := w.options()
	o.Clock = time.Now
	s, err := wall.New(o)
	if err != nil {
		b.Fatal(err)
	}
	return bench{handler: s.Handler(), token: token, accounts: w.accounts, password: first[0].Password}
}

// discard is an answer that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) FlushError() error           { return nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// browser is one user's cookie jar, in effect.
type browser struct {
	w      *world
	cookie string
	bearer string
}

func (w *world) password(name string) string {
	for _, c := range w.first {
		if c.Name == name {
			return c.Password
		}
	}
	w.t.Fatalf("no first user %s", name)
	return ""
}

func (w *world) anyone() *browser { return &browser{w: w} }

func (w *world) login(name, password string) *browser {
	w.t.Helper()
	b := w.anyone()
	res := b.do("POST", "/api/v1/login", map[string]string{"username": name, "password": password})
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("login %s: %d %s", name, res.StatusCode, res.body)
	}
	b.cookie = strings.Split(res.Header.Get("Set-Cookie"), ";")[0]
	return b
}

func (w *world) officer() *browser { w.t.Helper(); return w.login("officer", w.password("officer")) }

type response struct {
	*http.Response
	body []byte
}

func (r response) json(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%d %s: %v", r.StatusCode, r.body, err)
	}
}

func (b *browser) request(ctx context.Context, method, path string, in any, header ...string) *http.Request {
	b.w.t.Helper()
	var body io.Reader
	switch v := in.(type) {
	case nil:
	case string:
		body = strings.NewReader(v)
	default:
		j, err := json.Marshal(v)
		if err != nil {
			b.w.t.Fatal(err)
		}
		body = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.w.http.URL+path, body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if b.cookie != "" {
		req.Header.Set("Cookie", b.cookie)
	}
	if b.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+b.bearer)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func (b *browser) do(method, path string, in any, header ...string) response {
	b.w.t.Helper()
	res, err := b.w.http.Client().Do(b.request(b.w.t.Context(), method, path, in, header...))
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return response{Response: res, body: body}
}

// as returns a client with an API token of a new user of that role.
func (w *world) as(role wall.Role) *browser {
	w.t.Helper()
	if role == wall.RoleDepartment {
		return w.of("fire")
	}
	return w.issue(wall.AccountRequest{Name: "a-" + string(role), Role: role})
}

// of returns a client with an API token of a new user of a department.
func (w *world) of(department string) *browser {
	w.t.Helper()
	return w.issue(wall.AccountRequest{Name: "of-" + department, Role: wall.RoleDepartment, Department: department})
}

func (w *world) issue(r wall.AccountRequest) *browser {
	w.t.Helper()
	r.Password = "correct horse battery"
	if _, _, err := w.accounts.Create(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	_, secret, err := w.accounts.IssueToken(w.t.Context(), r.Name, "test", 24*time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, bearer: secret}
}

func (b *browser) get(path string) response { b.w.t.Helper(); return b.do("GET", path, nil) }
