package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/inventory/sqldb"
)

// about is the part of a lead that never changes.
type about struct {
	Summary detect.Text      `json:"summary"`
	Rule    detect.RuleRef   `json:"rule"`
	Camera  alerts.CameraRef `json:"camera"`
	Zone    alerts.ZoneRef   `json:"zone"`
	Grid    []alerts.GridRef `json:"grid"`
}

func (t tx) AddLead(ctx context.Context, l alerts.Lead) (int64, error) {
	number, err := t.count(ctx, "lead")
	if err != nil {
		return 0, err
	}
	text, err := json.Marshal(about{Summary: l.Summary, Rule: l.Rule, Camera: l.Camera, Zone: l.Zone, Grid: l.Grid})
	if err != nil {
		return 0, fmt.Errorf("encode lead %s: %w", l.ID, err)
	}
	if err := t.exec(ctx, `
		INSERT INTO leads (id, number, kind, severity, state, version, owner, canary, camera,
			raised_at, changed_at, began_at, last_seen_at, ended_at, about, decided, since, merged_into)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		l.ID, number, string(l.Kind), string(l.Severity), string(l.State), l.Version, l.Owner, flag(l.Canary), l.Camera.ID,
		sqldb.Micros(l.RaisedAt), sqldb.Micros(l.Changed), sqldb.Micros(l.BeganAt), sqldb.Micros(l.LastSeenAt),
		endedAt(l), string(text), l.Decided, sqldb.Micros(l.Since), l.MergedInto); err != nil {
		return 0, fmt.Errorf("add lead %s: %w", l.ID, err)
	}
	if len(l.Grid) == 0 {
		return number, nil
	}
	var rows []string
	var args []any
	for _, g := range l.Grid {
		rows = append(rows, "("+list(len(args)+1, 5)+")")
		args = append(args, g.ID, sqldb.Micros(l.RaisedAt), l.ID, string(l.State), string(l.Kind))
	}
	if err := t.exec(ctx, `INSERT INTO lead_cells (cell, raised_at, lead, state, kind) VALUES `+strings.Join(rows, ", "), args...); err != nil {
		return 0, fmt.Errorf("add the cells of lead %s: %w", l.ID, err)
	}
	return number, nil
}

func (t tx) SaveLead(ctx context.Context, l alerts.Lead) error {
	var transfer alerts.Transfer
	var transferred int64
	if l.Transfer != nil {
		transfer, transferred = *l.Transfer, sqldb.Micros(l.Transfer.At)
	}
	var blind alerts.Blind
	if l.Blind != nil {
		blind = *l.Blind
	}
	if err := t.exec(ctx, `UPDATE lead_cells SET state = $1 WHERE lead = $2 AND state <> $3`,
		string(l.State), l.ID, string(l.State)); err != nil {
		return fmt.Errorf("save the cells of lead %s: %w", l.ID, err)
	}
	return t.exec(ctx, `
		UPDATE leads SET state = $1, version = $2, owner = $3, changed_at = $4, last_seen_at = $5, ended_at = $6,
			decided = $7, since = $8, level = $9, supervised = $10, merged_into = $11,
			transfer_centre = $12, transfer_key = $13, transfer_at = $14,
			blind_by = $15, blind_reason = $16, blind_since = $17
		WHERE id = $18`,
		string(l.State), l.Version, l.Owner, sqldb.Micros(l.Changed), sqldb.Micros(l.LastSeenAt), endedAt(l),
		l.Decided, sqldb.Micros(l.Since), l.Level, flag(l.Supervised), l.MergedInto,
		transfer.Centre, transfer.Key, transferred,
		string(blind.By), blind.Reason, zeroTime(blind.Since), l.ID)
}

func endedAt(l alerts.Lead) any {
	if l.EndedAt == nil {
		return nil
	}
	return sqldb.Micros(*l.EndedAt)
}

func (t tx) AddEvidence(ctx context.Context, lead string, e alerts.Evidence) error {
	boxes, err := json.Marshal(e.Boxes)
	if err != nil {
		return fmt.Errorf("encode evidence of lead %s: %w", lead, err)
	}
	return t.exec(ctx, `
		INSERT INTO lead_evidence (lead, taken_at, sha256, phase, boxes, size) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (lead, taken_at, sha256) DO NOTHING`,
		lead, sqldb.Micros(e.TakenAt), e.SHA256, string(e.Phase), string(boxes), e.Size)
}

// The condition knows better than the lead when it was last seen, as long as
// it is the newest one of its key.
const leadColumns = `
	SELECT l.id, l.number, l.kind, l.severity, l.state, l.version, l.owner, l.canary,
	       l.raised_at, l.changed_at, l.began_at, COALESCE(c.last_seen, l.last_seen_at), l.ended_at, l.about,
	       l.decided, l.since, l.level, l.supervised, l.merged_into, l.transfer_centre, l.transfer_key, l.transfer_at,
	       l.blind_by, l.blind_reason, l.blind_since
	FROM leads l LEFT JOIN conditions c ON c.lead = l.id`

const leadQuery = leadColumns + ` WHERE l.id = $1`

func scanLead(r *sql.Rows) (alerts.Lead, error) {
	var l alerts.Lead
	var raised, changed, began, seen, since, transferred int64
	var transfer alerts.Transfer
	var blind alerts.Blind
	var blinded int64
	var ended sql.NullInt64
	var text string
	if err := r.Scan(&l.ID, &l.Number, &l.Kind, &l.Severity, &l.State, &l.Version, &l.Owner, &l.Canary,
		&raised, &changed, &began, &seen, &ended, &text,
		&l.Decided, &since, &l.Level, &l.Supervised, &l.MergedInto, &transfer.Centre, &transfer.Key, &transferred,
		&blind.By, &blind.Reason, &blinded); err != nil {
		return alerts.Lead{}, err
	}
	l.Blind = blindSince(blind, blinded)
	l.Since = sqldb.Time(since)
	if transfer.Key != "" {
		transfer.At = sqldb.Time(transferred)
		l.Transfer = &transfer
	}
	l.RaisedAt, l.Changed = sqldb.Time(raised), sqldb.Time(changed)
	l.BeganAt, l.LastSeenAt = sqldb.Time(began), sqldb.Time(seen)
	if ended.Valid {
		at := sqldb.Time(ended.Int64)
		l.EndedAt = &at
	}
	var a about
	if err := decode("about", text, &a); err != nil {
		return alerts.Lead{}, fmt.Errorf("lead %s: %w", l.ID, err)
	}
	l.Summary, l.Rule, l.Camera, l.Zone, l.Grid = a.Summary, a.Rule, a.Camera, a.Zone, a.Grid
	return l, nil
}

func blindSince(b alerts.Blind, since int64) *alerts.Blind {
	if since == 0 {
		return nil
	}
	b.Since = sqldb.Time(since)
	return &b
}

// Watched are the leads whose conditions go on while somebody works on them.
func (s *Store) Watched(ctx context.Context) ([]alerts.Lead, error) {
	states := []any{string(alerts.LeadMerged)}
	for _, state := range alerts.LeadStates() {
		if state.Open() {
			states = append(states, string(state))
		}
	}
	n := len(states)
	return read(ctx, s, func(t tx) ([]alerts.Lead, error) {
		return sqldb.All(ctx, t.Tx, func(r *sql.Rows) (alerts.Lead, error) {
			var l alerts.Lead
			var blind alerts.Blind
			var since int64
			err := r.Scan(&l.ID, &l.Camera.ID, &blind.By, &blind.Reason, &since)
			l.Blind = blindSince(blind, since)
			return l, err
		}, `SELECT id, camera, blind_by, blind_reason, blind_since FROM leads
			WHERE ended_at IS NULL AND state IN (`+list(1, n)+`) AND canary = 0 AND kind <> $`+strconv.Itoa(n+1)+` ORDER BY id`,
			append(states, string(alerts.KindCameraFault))...)
	})
}

// leads runs a query for leads and completes them.
func (t tx) leads(ctx context.Context, query string, args ...any) ([]alerts.Lead, error) {
	all, err := sqldb.All(ctx, t.Tx, scanLead, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read leads: %w", err)
	}
	return all, t.complete(ctx, all)
}

// complete adds evidence, orders and clocks to leads.
func (t tx) complete(ctx context.Context, leads []alerts.Lead) error {
	if len(leads) == 0 {
		return nil
	}
	at := make(map[string]*alerts.Lead, len(leads))
	ids := make([]any, len(leads))
	for i := range leads {
		l := &leads[i]
		// Lists are lists in JSON too, not null.
		l.Evidence, l.Orders, ids[i], at[l.ID] = []alerts.Evidence{}, []alerts.Order{}, l.ID, l
		if l.Grid == nil {
			l.Grid = []alerts.GridRef{}
		}
	}
	type none = struct{}
	_, err := sqldb.All(ctx, t.Tx, func(r *sql.Rows) (none, error) {
		var e alerts.Evidence
		var lead, boxes string
		var taken int64
		if err := r.Scan(&lead, &e.SHA256, &e.Phase, &taken, &boxes, &e.Size); err != nil {
			return none{}, err
		}
		e.TakenAt = sqldb.Time(taken)
		at[lead].Evidence = append(at[lead].Evidence, e)
		return none{}, decode("boxes", boxes, &at[lead].Evidence[len(at[lead].Evidence)-1].Boxes)
	}, evidenceQuery(len(ids)), ids...)
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	if err := t.addOrders(ctx, at, ids); err != nil {
		return err
	}
	return t.addClocks(ctx, at, ids)
}

func evidenceQuery(leads int) string {
	return `SELECT lead, sha256, phase, taken_at, boxes, size FROM lead_evidence
		WHERE lead IN (` + list(1, leads) + `) ORDER BY lead, taken_at, sha256`
}

func (t tx) one(ctx context.Context, query string, args ...any) (alerts.Lead, error) {
	all, err := t.leads(ctx, query, args...)
	if err != nil {
		return alerts.Lead{}, err
	}
	if len(all) == 0 {
		return alerts.Lead{}, alerts.ErrNotFound
	}
	return all[0], nil
}

func (t tx) Lead(ctx context.Context, id string) (alerts.Lead, error) {
	if err := t.Ask(ctx, []any{id}, leadQuery, evidenceQuery(1), ordersQuery(1), clocksQuery(1)); err != nil {
		return alerts.Lead{}, fmt.Errorf("read lead %s: %w", id, err)
	}
	return t.one(ctx, leadQuery, id)
}

// Lead returns a lead, or ErrNotFound.
func (s *Store) Lead(ctx context.Context, id string) (alerts.Lead, error) {
	return read(ctx, s, func(t tx) (alerts.Lead, error) { return t.Lead(ctx, id) })
}

// EvidenceLead returns the lead if a picture is evidence of it, or ErrNotFound;
// "" is the newest one that it is evidence of.
func (s *Store) EvidenceLead(ctx context.Context, sha256, lead string) (alerts.Lead, error) {
	return read(ctx, s, func(t tx) (alerts.Lead, error) {
		return t.one(ctx, leadColumns+` JOIN lead_evidence e ON e.lead = l.id
			WHERE e.sha256 = $1 AND ($2 = '' OR l.id = $3) ORDER BY l.raised_at DESC, l.id DESC LIMIT 1`, sha256, lead, lead)
	})
}

// Leads returns a page of leads, newest first.
func (s *Store) Leads(ctx context.Context, q alerts.LeadQuery) (alerts.LeadPage, error) {
	query, args, err := leadsQuery(q)
	if err != nil {
		return alerts.LeadPage{}, err
	}
	all, err := read(ctx, s, func(t tx) ([]alerts.Lead, error) { return t.leads(ctx, query, args...) })
	if err != nil {
		return alerts.LeadPage{}, err
	}
	page := alerts.LeadPage{Leads: all}
	if len(all) > q.Limit {
		page.Leads = all[:q.Limit]
		page.Next = cursorAfter(page.Leads[q.Limit-1])
	}
	return page, nil
}

// leadsQuery selects one lead more than the page holds, to know whether there
// is another page. The page is merged from branches that each read no further
// in their index than the page reaches.
func leadsQuery(q alerts.LeadQuery) (query string, args []any, err error) {
	var b strings.Builder
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	var raised int64
	var id string
	if q.Cursor != "" {
		if raised, id, err = parseCursor(q.Cursor); err != nil {
			return "", nil, err
		}
	}
	b.WriteString(leadColumns + ` WHERE l.id IN (`)
	for i, one := range branches(q) {
		if i > 0 {
			b.WriteString(` UNION ALL `)
		}
		// A cell's own table has the order, the states and the kinds too.
		from, key, at := "leads l", "l.id", "l"
		where := `l.canary = `
		if q.Cell != "" {
			from, key, at = "lead_cells g JOIN leads l ON l.id = g.lead", "g.lead", "g"
			where = `g.cell = ` + arg(q.Cell) + ` AND l.canary = `
		}
		b.WriteString(`SELECT id FROM (SELECT ` + key + ` AS id FROM ` + from + ` WHERE ` + where + arg(flag(q.Canary)))
		if one.state != "" {
			b.WriteString(` AND ` + at + `.state = ` + arg(string(one.state)))
		}
		if len(one.kinds) > 0 {
			first := len(args) + 1
			for _, k := range one.kinds {
				args = append(args, string(k))
			}
			b.WriteString(` AND ` + at + `.kind IN (` + list(first, len(one.kinds)) + `)`)
		}
		if q.Camera != "" {
			b.WriteString(` AND l.camera = ` + arg(q.Camera))
		}
		for _, by := range []struct{ column, v string }{{"owner", q.Owner}, {"merged_into", q.MergedInto}, {"transfer_key", q.Transfer}} {
			if by.v != "" {
				b.WriteString(` AND l.` + by.column + ` = ` + arg(by.v))
			}
		}
		if q.Cursor != "" {
			b.WriteString(` AND (` + at + `.raised_at, ` + key + `) < (` + arg(raised) + `, ` + arg(id) + `)`)
		}
		b.WriteString(` ORDER BY ` + at + `.raised_at DESC, ` + key + ` DESC LIMIT ` + arg(q.Limit+1) + `) AS branch`)
	}
	// The plus sign keeps SQLite from walking through all leads in this order.
	b.WriteString(`) ORDER BY +l.raised_at DESC, l.id DESC LIMIT ` + arg(q.Limit+1))
	return b.String(), args, nil
}

// branch is a part of a page that one index has in order.
type branch struct {
	state alerts.LeadState // "" is any
	kinds []detect.Kind    // none is any
}

// maxBranches bounds the parts of a page that are worth an index search each.
const maxBranches = 64

// branches are the parts of a page: one for each state and kind, or for each
// state, where a cell's index holds the kind behind the order.
func branches(q alerts.LeadQuery) []branch {
	states, kinds := distinct(q.States), distinct(q.Kinds)
	var all []branch
	for _, s := range states {
		if q.Cell != "" || len(states)*len(kinds) > maxBranches {
			all = append(all, branch{state: s, kinds: kinds})
			continue
		}
		for _, k := range kinds {
			all = append(all, branch{state: s, kinds: []detect.Kind{k}})
		}
		if len(kinds) == 0 {
			all = append(all, branch{state: s})
		}
	}
	if len(states) == 0 {
		for _, k := range kinds {
			all = append(all, branch{kinds: []detect.Kind{k}})
		}
	}
	if len(all) == 0 {
		all = []branch{{}}
	}
	return all
}

func distinct[T cmp.Ordered](list []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// list is n placeholders, the first one numbered first.
func list(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(first+i))
	}
	return b.String()
}

func cursorAfter(l alerts.Lead) string {
	return strconv.FormatInt(sqldb.Micros(l.RaisedAt), 10) + "." + l.ID
}

func parseCursor(s string) (raised int64, id string, err error) {
	at, id, ok := strings.Cut(s, ".")
	raised, err = strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || id == "" || len(id) > 64 {
		return 0, "", alerts.ErrCursor
	}
	return raised, id, nil
}

// Counts returns the number of leads by state, canary leads left out.
func (s *Store) Counts(ctx context.Context) (map[alerts.LeadState]int, error) {
	return read(ctx, s, func(t tx) (map[alerts.LeadState]int, error) {
		counts := map[alerts.LeadState]int{}
		_, err := sqldb.All(ctx, t.Tx, func(r *sql.Rows) (struct{}, error) {
			var state alerts.LeadState
			var n int
			err := r.Scan(&state, &n)
			counts[state] = n
			return struct{}{}, err
		}, `SELECT state, COUNT(*) FROM leads WHERE canary = 0 GROUP BY state`)
		return counts, err
	})
}
