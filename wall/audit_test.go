package wall_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"videopatrol/alerts"
	alertsql "videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
	"videopatrol/wall"
)

// tried is one request to a route, and what the audit has to do with it.
type tried struct {
	as           string // a first user's name, or a role; "": nobody
	method, path string
	body         any
	// unaudited says why the route needs no audit row; only routes that
	// change nothing and show no picture may.
	unaudited string
	// ends: a session ends even when that cannot be recorded.
	ends bool
}

// wantAudit has every route, written down a second time on purpose: a new one
// is decided here too. {lead} and the like are filled in.
var wantAudit = map[string]tried{
	"login":               {as: "", method: "POST", path: "/login", body: map[string]string{"username": "officer", "password": "{password}"}},
	"logout":              {as: "officer", method: "POST", path: "/logout", ends: true},
	"change-password":     {as: "officer", method: "POST", path: "/me/password", body: map[string]string{"old": "{password}", "new": "correct horse battery"}},
	"issue-token":         {as: "officer", method: "POST", path: "/me/tokens", body: map[string]any{"label": "x", "days": 1}},
	"revoke-token":        {as: "officer", method: "DELETE", path: "/me/tokens/{token}"},
	"transition-lead":     {as: "officer", method: "POST", path: "/leads/{lead}/transitions", body: map[string]any{"to": "accepted", "version": 1}},
	"claim-lead":          {as: "officer", method: "POST", path: "/leads/{lead}/owner", body: map[string]any{"act": "claimed", "version": 1}},
	"send-orders":         {as: "officer", method: "POST", path: "/leads/{dispatched}/orders", body: map[string]any{"departments": []string{"police"}, "version": 3}},
	"transition-order":    {as: "officer", method: "POST", path: "/leads/{dispatched}/orders/{order}/transitions", body: map[string]any{"to": "acknowledged"}},
	"answer-transfer":     {as: "officer", method: "POST", path: "/transfers/{key}", body: map[string]any{"to": "accepted"}},
	"offer-handover":      {as: "officer", method: "POST", path: "/handovers", body: map[string]any{"note": "the gate"}},
	"sign-handover":       {as: "officer", method: "POST", path: "/handovers/{handover}/signature"},
	"shelve":              {as: "officer", method: "POST", path: "/shelves", body: map[string]any{"camera": camera1, "reason": "works", "to": time.Now().Add(time.Hour)}},
	"end-shelf":           {as: "officer", method: "POST", path: "/shelves/{shelf}/end"},
	"get-still":           {as: "officer", method: "GET", path: "/cameras/" + camera1 + "/still.jpg"},
	"explain-camera":      {as: "officer", method: "GET", path: "/cameras/" + camera1 + "/explain"},
	"get-evidence":        {as: "officer", method: "GET", path: "/evidence/{lead}/" + proofID + ".jpg"},
	"get-linked-evidence": {as: "", method: "GET", path: "/evidence/" + proofID + ".jpg?token={link}"},
	"list-audit":          {as: "auditor", method: "GET", path: "/audit"},
	"read-audit-chain":    {as: "auditor", method: "GET", path: "/audit/chain"},
	"import-inventory":    {as: "admin", method: "POST", path: "/inventory/imports", body: "id,name"},
	"export-inventory":    {as: "admin", method: "GET", path: "/inventory/export"},
	"undo-revision":       {as: "admin", method: "POST", path: "/inventory/revisions/1/undo"},
	"plan-maintenance":    {as: "admin", method: "POST", path: "/maintenance", body: map[string]any{"cameras": []string{camera1}, "to": noon.Add(time.Hour), "reason": "switch"}},
	"end-maintenance":     {as: "admin", method: "DELETE", path: "/maintenance/1"},
	"create-user":         {as: "admin", method: "POST", path: "/users", body: map[string]string{"name": "kim", "role": "officer"}},
	"disable-user":        {as: "admin", method: "POST", path: "/users/officer/disable"},

	"me":                {unaudited: "one's own name and what the page needs"},
	"list-orders":       {unaudited: "text, no pictures"},
	"get-queue":         {unaudited: "ids and figures"},
	"get-routes":        {unaudited: "who is on duty, by desks"},
	"list-handovers":    {unaudited: "changes of shifts, each of which has its rows"},
	"list-shelves":      {unaudited: "shelves, each of which has its rows"},
	"list-suppressions": {unaudited: "text, no pictures"},
	"get-statistics":    {unaudited: "figures"},
	"list-tokens":       {unaudited: "one's own tokens, without secrets"},
	"list-leads":        {unaudited: "text, no pictures"},
	"get-lead":          {unaudited: "text, no pictures"},
	"list-cameras":      {unaudited: "states, no pictures"},
	"get-camera":        {unaudited: "states, no pictures"},
	"get-grid":          {unaudited: "a map with figures"},
	"get-stats":         {unaudited: "figures"},
	"get-coverage":      {unaudited: "figures"},
	"get-audit-key":     {unaudited: "a public key"},
	"list-revisions":    {unaudited: "figures of changes, each of which has its row"},
	"list-maintenance":  {unaudited: "windows, each of which has its row"},
	"list-users":        {unaudited: "names and roles, to those who make them"},
	"stream":            {unaudited: "text, no pictures"},
}

// recordedWorks is an Importer and Maintenance over the database, in as far as
// the audit cares: each change is a row.
type recordedWorks struct{ db *sqldb.DB }

func (r recordedWorks) mark(ctx context.Context, what string) error {
	return r.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO works (what) VALUES ($1)`, what)
		return err
	})
}

func (r recordedWorks) Import(ctx context.Context, req wall.ImportRequest) (wall.ImportReport, error) {
	if req.DryRun {
		return wall.ImportReport{DryRun: true}, nil
	}
	return wall.ImportReport{New: 1}, r.mark(ctx, "import")
}

func (r recordedWorks) Export(_ context.Context, w io.Writer, _ string) error {
	_, err := io.WriteString(w, "file")
	return err
}

func (r recordedWorks) Undo(ctx context.Context, id int64, _ string) (inventory.Revision, error) {
	return inventory.Revision{ID: id}, r.mark(ctx, "undo")
}

func (r recordedWorks) Revisions(context.Context, int) ([]inventory.Revision, error) { return nil, nil }

func (r recordedWorks) List(context.Context, time.Time) ([]inventory.Maintenance, error) {
	return nil, nil
}

func (r recordedWorks) Plan(ctx context.Context, m inventory.Maintenance) (inventory.Maintenance, error) {
	return m, r.mark(ctx, "plan")
}

func (r recordedWorks) End(ctx context.Context, id int64, _ string) (inventory.Maintenance, error) {
	return inventory.Maintenance{ID: id}, r.mark(ctx, "end")
}

// failingStore is a record whose audit can be made to fail.
type failingStore struct {
	*alertsql.Store
	broken *atomic.Bool
}

type failingTx struct {
	alerts.Tx
	broken *atomic.Bool
}

func (tx failingTx) AddAudit(ctx context.Context, row alerts.AuditRow) error {
	if tx.broken.Load() {
		return fmt.Errorf("%w: no space left on device", alerts.ErrUnwritten)
	}
	return tx.Tx.AddAudit(ctx, row)
}

func (s failingStore) Write(ctx context.Context, fn func(alerts.Tx) error) error {
	return s.Store.Write(ctx, func(tx alerts.Tx) error { return fn(failingTx{tx, s.broken}) })
}

func (s failingStore) Along(ctx context.Context, fn func(alerts.Tx) error, change func(context.Context) error) (bool, error) {
	return s.Store.Along(ctx, func(tx alerts.Tx) error { return fn(failingTx{tx, s.broken}) }, change)
}

// album keeps pictures in memory.
type album struct{ pictures sync.Map }

func (a *album) Put(_ context.Context, p []byte) (string, error) {
	sum := sha256.Sum256(p)
	id := hex.EncodeToString(sum[:])
	a.pictures.Store(id, p)
	return id, nil
}

func (a *album) Open(_ context.Context, id string) (io.ReadSeekCloser, error) {
	p, ok := a.pictures.Load(id)
	if !ok {
		return nil, alerts.ErrNotFound
	}
	return struct {
		*bytes.Reader
		io.Closer
	}{bytes.NewReader(p.([]byte)), io.NopCloser(nil)}, nil
}

// recorded is a world over the real record.
type recorded struct {
	*world
	store   *alertsql.Store
	lead    string
	token   string
	link    string
	desk    map[string]string // what stands at the desk, by placeholder
	broken  atomic.Bool
	clients map[string]*browser
}

func newRecorded(t *testing.T) *recorded {
	t.Helper()
	r := &recorded{world: newWorld(t)}
	w := r.world
	var err error
	if r.store, err = alertsql.New(t.Context(), w.db, "n1"); err != nil {
		t.Fatal(err)
	}
	r.exec(`CREATE TABLE works (what TEXT NOT NULL) STRICT`)
	engine, err := alerts.New(alerts.Options{
		Store: failingStore{r.store, &r.broken}, Inventory: func() inventory.Snapshot { return w.snapshot }, Pictures: &album{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Observe(t.Context(), detect.Finding{
		Camera: camera1, Zone: "fl1", Rule: detect.RuleRef{ID: "standing", Version: 1}, Kind: detect.KindFireLaneBlocked,
		Phase: detect.PhaseBegin, Began: noon, At: noon, Picture: proof,
	}); err != nil {
		t.Fatal(err)
	}
	page, err := engine.Leads(t.Context(), alerts.LeadQuery{})
	if err != nil || len(page.Leads) != 1 {
		t.Fatal(page, err)
	}
	r.lead = page.Leads[0].ID
	r.desk = deskAtWork(t, engine)
	token, _, err := w.accounts.IssueToken(t.Context(), "officer", "x", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r.token = token.ID
	if r.link, err = alerts.SignLink(linkKey, proofID, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	works := recordedWorks{w.db}
	o := w.options()
	o.Desk, o.Journal, o.Chain, o.Importer, o.Maintenance = engine, engine, r.store, works, works
	if w.server, err = wall.New(o); err != nil {
		t.Fatal(err)
	}
	w.http.Close()
	w.http = httptest.NewServer(w.server.Handler())
	t.Cleanup(w.http.Close)
	r.clients = map[string]*browser{
		"": w.anyone(), "officer": w.officer(), "admin": w.login("admin", w.password("admin")), "auditor": w.as(wall.RoleAuditor),
	}
	return r
}

// deskAtWork makes a lead with an order, one at another centre, a handover to
// be signed and a shelf.
func deskAtWork(t *testing.T, e *alerts.Engine) map[string]string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	move := func(zone string, to ...alerts.LeadState) alerts.Lead {
		t.Helper()
		must(e.Observe(t.Context(), detect.Finding{
			Camera: camera2, Zone: zone, Rule: detect.RuleRef{ID: "standing", Version: 1}, Kind: detect.KindIllegalParking,
			Phase: detect.PhaseBegin, Began: noon, At: noon,
		}))
		page, err := e.Leads(t.Context(), alerts.LeadQuery{Camera: camera2, Limit: 1})
		must(err)
		l := page.Leads[0]
		for _, state := range to {
			l, err = e.Transition(t.Context(), alerts.Transition{
				Lead: l.ID, To: state, By: "officer", Reason: "not_police", Version: l.Version, Departments: []string{"fire"},
			})
			must(err)
		}
		return l
	}
	dispatched := move("z1", alerts.LeadAccepted, alerts.LeadDispatched)
	away := move("z2", alerts.LeadAccepted, alerts.LeadTransferred)
	handover, err := e.OfferHandover(t.Context(), "li", "", "")
	must(err)
	shelf, err := e.Shelve(t.Context(), alerts.Shelf{Camera: camera2, Reason: "works", By: "li", To: time.Now().Add(time.Hour)})
	must(err)
	return map[string]string{
		"dispatched": dispatched.ID, "order": dispatched.Orders[0].ID, "key": away.Transfer.Key, "handover": handover.ID, "shelf": shelf.ID,
	}
}

func (r *recorded) exec(query string) {
	r.t.Helper()
	if err := r.db.Write(r.t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(r.t.Context(), query)
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
}

// do makes a request of the table.
func (r *recorded) do(q tried) response {
	r.t.Helper()
	fill := strings.NewReplacer("{lead}", r.lead, "{token}", r.token, "{link}", r.link, "{password}", r.password("officer"),
		"{dispatched}", r.desk["dispatched"], "{order}", r.desk["order"], "{key}", r.desk["key"], "{handover}", r.desk["handover"], "{shelf}", r.desk["shelf"])
	in := q.body
	if m, ok := in.(map[string]string); ok {
		filled := map[string]string{}
		for k, v := range m {
			filled[k] = fill.Replace(v)
		}
		in = filled
	}
	header := []string{}
	if _, ok := in.(string); ok {
		header = []string{"Content-Type", "text/csv"}
	}
	return r.clients[q.as].do(q.method, "/api/v1"+fill.Replace(q.path), in, header...)
}

// state is all that the record holds.
func (r *recorded) state() string {
	r.t.Helper()
	var b strings.Builder
	if err := r.db.Read(r.t.Context(), func(tx *sqldb.Tx) error {
		tables, err := sqldb.All(r.t.Context(), tx, func(rows *sql.Rows) (name string, err error) {
			err = rows.Scan(&name)
			return name, err
		}, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
		for _, name := range tables {
			if err != nil {
				break
			}
			var lines []string
			lines, err = sqldb.All(r.t.Context(), tx, func(rows *sql.Rows) (string, error) {
				columns, err := rows.Columns()
				if err != nil {
					return "", err
				}
				cells := make([]any, len(columns))
				for i := range cells {
					cells[i] = new(any)
				}
				err = rows.Scan(cells...)
				for i, c := range cells {
					cells[i] = *c.(*any)
				}
				return fmt.Sprint(name, cells), err
			}, `SELECT * FROM "`+name+`"`)
			slices.Sort(lines)
			fmt.Fprintln(&b, strings.Join(lines, "\n"))
		}
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	return b.String()
}

func (r *recorded) rows() int64 {
	r.t.Helper()
	head, _, err := r.store.Standing(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return head.Seq
}

// TestNothingWithoutAudit makes a request to every route: with a record that
// works each one that shows or changes something leaves a row; with one that
// does not it is refused by name, shows nothing and changes nothing.
func TestNothingWithoutAudit(t *testing.T) {
	var api struct {
		Paths map[string]map[string]struct {
			OperationID string      `json:"operationId"`
			Action      wall.Action `json:"x-action"`
		}
	}
	description, err := newWorld(t).server.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(description, &api); err != nil {
		t.Fatal(err)
	}
	routes := 0
	for path, methods := range api.Paths {
		for method, o := range methods {
			routes++
			q, ok := wantAudit[o.OperationID]
			switch {
			case !ok:
				t.Errorf("%s %s (%s) has no entry in the table", method, path, o.OperationID)
			case q.unaudited == "":
				t.Run(o.OperationID, func(t *testing.T) { t.Parallel(); testAudited(t, q) })
			case method != "get" || !slices.Contains([]wall.Action{wall.ActionSelf, wall.ActionRead, wall.ActionOrders, wall.ActionInventory, wall.ActionUsers}, o.Action):
				t.Errorf("%s %s (%s) changes something or shows pictures: it needs an audit row", method, path, o.OperationID)
			}
		}
	}
	if routes != len(wantAudit) {
		t.Errorf("%d routes, the table has %d", routes, len(wantAudit))
	}
}

// failures are the ways in which a record fails here, and works again.
var failures = []struct {
	name       string
	begin, end func(r *recorded)
}{
	{
		"the audit cannot be written",
		func(r *recorded) { r.broken.Store(true) }, func(r *recorded) { r.broken.Store(false) },
	},
	{
		"the database is read-only",
		func(r *recorded) { r.exec(`PRAGMA query_only = 1`) }, func(r *recorded) { r.exec(`PRAGMA query_only = 0`) },
	},
	{
		"the table of the audit is gone",
		func(r *recorded) { r.exec(`ALTER TABLE audit_rows RENAME TO gone`) }, func(r *recorded) { r.exec(`ALTER TABLE gone RENAME TO audit_rows`) },
	},
}

func testAudited(t *testing.T, q tried) {
	t.Helper()
	r := newRecorded(t)
	for _, f := range failures {
		f.begin(r)
		before := r.state()
		refusedUnaudited(t, f.name, r.do(q))
		after := r.state()
		if after != before && !q.ends {
			t.Errorf("%s, and yet something changed:\n%s\nbefore:\n%s", f.name, after, before)
		}
		if f.end(r); q.ends {
			r = newRecorded(t)
		}
	}
	before := r.rows()
	if res := r.do(q); res.StatusCode >= 300 {
		t.Fatalf("with an audit that works: %d %s", res.StatusCode, res.body)
	}
	if r.rows() == before {
		t.Error("no audit row")
	}
}

func refusedUnaudited(t *testing.T, name string, res response) {
	t.Helper()
	var p wall.Problem
	err := json.Unmarshal(res.body, &p)
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || p.Code != "audit_unavailable" || p.Detail == "" {
		t.Errorf("%s: %d %s", name, res.StatusCode, res.body)
	}
	for _, shown := range [][]byte{jpeg, proof, []byte("Set-Cookie")} {
		if bytes.Contains(res.body, shown) {
			t.Errorf("%s: it shows %q", name, shown)
		}
	}
	if res.Header.Get("Set-Cookie") != "" {
		t.Errorf("%s: it sets a cookie", name)
	}
}

// TestUnknownPasswordWithoutAudit: who tries passwords is not told anything
// that the audit does not see.
func TestUnknownPasswordWithoutAudit(t *testing.T) {
	r := newRecorded(t)
	wrong := tried{method: "POST", path: "/login", body: map[string]string{"username": "officer", "password": "wrong"}}
	before := r.rows()
	if res := r.do(wrong); res.StatusCode != http.StatusUnauthorized || r.rows() != before+1 {
		t.Errorf("%d %s, %d rows", res.StatusCode, res.body, r.rows()-before)
	}
	r.broken.Store(true)
	refusedUnaudited(t, "a wrong password", r.do(wrong))
}

// TestRefusedChangeLeavesNoRow: the row is in the transaction of the change
// that it tells of, and goes with it.
func TestRefusedChangeLeavesNoRow(t *testing.T) {
	r := newRecorded(t)
	create := wantAudit["create-user"]
	if res := r.do(create); res.StatusCode >= 300 {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	before := r.rows()
	if res := r.do(create); res.StatusCode != http.StatusConflict || r.rows() != before {
		t.Errorf("again: %d %s, %d rows", res.StatusCode, res.body, r.rows()-before)
	}
	rows, err := r.store.Audit(t.Context(), 0, 1)
	if err != nil || rows[0].Action != "user_create" || rows[0].Object != "user/kim" || rows[0].By != "admin" || rows[0].Client != "127.0.0.1" {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestAuditChainPages(t *testing.T) {
	w := newWorld(t)
	auditor := w.as(wall.RoleAuditor)
	for i := range 5 {
		if err := w.journal.Record(t.Context(), alerts.AuditRow{By: "x", Action: "view", Object: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	var seqs []int64
	var page wall.AuditChainPage
	for after := int64(0); ; after = page.Next {
		page = wall.AuditChainPage{}
		auditor.get(fmt.Sprintf("/api/v1/audit/chain?limit=3&after=%d", after)).json(t, &page)
		for _, r := range page.Rows {
			seqs = append(seqs, r.Seq)
		}
		if page.Next == 0 {
			break
		}
	}
	// Reading is a row too: one for each of the pages so far.
	if want := []int64{1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(seqs, want) || page.Head.Node != "n1" {
		t.Errorf("got %v, want %v (%+v)", seqs, want, page.Head)
	}
	if res := auditor.get("/api/v1/audit/chain?node=n2"); res.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown node: %d %s", res.StatusCode, res.body)
	}
	var key wall.AuditKey
	auditor.get("/api/v1/audit/key").json(t, &key)
	if key != (wall.AuditKey{Node: "n1", Key: "a2V5"}) {
		t.Errorf("key %+v", key)
	}
}
