package sqlstore_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
)

// TestPages: whatever leads are asked for, the pages hold each once, newest
// first, and no other.
func TestPages(t *testing.T) {
	onEach(t, func(t *testing.T, s *sqlstore.Store) {
		t.Helper()
		states, kinds := alerts.LeadStates(), detect.Kinds()[:3]
		var all []alerts.Lead
		write(t, s, func(ctx context.Context, tx alerts.Tx) error {
			for i := range 120 {
				l := lead(fmt.Sprintf("l%03d", (i*37)%120))
				l.RaisedAt = noon.Add(time.Duration(i/3) * time.Second) // three at a time
				l.Kind, l.Camera.ID = kinds[i%3], fmt.Sprintf("c%d", i%7)
				l.Grid = []alerts.GridRef{{ID: "city"}, {ID: fmt.Sprintf("town%d", i%5)}}
				l.Canary = i%11 == 0
				if _, err := tx.AddLead(ctx, l); err != nil {
					return err
				}
				l.State = states[i%len(states)]
				if err := tx.SaveLead(ctx, l); err != nil {
					return err
				}
				all = append(all, l)
			}
			return nil
		})
		slices.SortFunc(all, func(a, b alerts.Lead) int {
			if c := b.RaisedAt.Compare(a.RaisedAt); c != 0 {
				return c
			}
			return compare(b.ID, a.ID)
		})
		for _, states := range [][]alerts.LeadState{nil, {alerts.LeadClosed}, {alerts.LeadRaised, alerts.LeadDispatched, alerts.LeadRaised}, states} {
			for _, kinds := range [][]detect.Kind{nil, kinds[:1], kinds[1:]} {
				for _, cell := range []string{"", "city", "town3", "nowhere"} {
					for _, camera := range []string{"", "c2"} {
						for _, canary := range []bool{false, true} {
							q := alerts.LeadQuery{States: states, Kinds: kinds, Cell: cell, Camera: camera, Canary: canary, Limit: 7}
							var want []string
							for _, l := range all {
								if (states == nil || slices.Contains(states, l.State)) && (kinds == nil || slices.Contains(kinds, l.Kind)) &&
									(camera == "" || l.Camera.ID == camera) && l.Canary == canary &&
									(cell == "" || slices.ContainsFunc(l.Grid, func(g alerts.GridRef) bool { return g.ID == cell })) {
									want = append(want, l.ID)
								}
							}
							if got := pages(t, s, q); !slices.Equal(got, want) {
								t.Errorf("%+v: got %v, want %v", q, got, want)
							}
						}
					}
				}
			}
		}
	})
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

func pages(t *testing.T, s *sqlstore.Store, q alerts.LeadQuery) (ids []string) {
	t.Helper()
	for {
		page, err := s.Leads(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Leads {
			ids = append(ids, l.ID)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return ids
		}
	}
}

var (
	openLeads = flag.Int("open", 2_000, "open leads of BenchmarkQueuePage; a city has 100,000")
	stepRows  = flag.Int("steps", 400_000, "rows in the traces of BenchmarkQueuePage; a city has 5,000,000")
)

// pageTime is what a page of the queue may take, at the 99th percentile.
const pageTime = 50 * time.Millisecond

// BenchmarkQueuePage reads pages of the queue as the wall does, from a record
// of a year: every lead has twenty steps.
func BenchmarkQueuePage(b *testing.B) {
	for _, engine := range sqldbtest.Engines() {
		b.Run(engine, func(b *testing.B) {
			s := seeded(b, sqldbtest.URL(b, engine), *openLeads, *stepRows/20)
			open := slices.DeleteFunc(alerts.LeadStates(), func(s alerts.LeadState) bool { return !s.Open() })
			deep := alerts.LeadQuery{States: open, Limit: 50}
			for range 20 {
				page, err := s.Leads(b.Context(), deep)
				if err != nil {
					b.Fatal(err)
				}
				deep.Cursor = page.Next
			}
			one := []alerts.LeadState{alerts.LeadDispatched}
			rare := []detect.Kind{"rare"}
			for _, q := range []struct {
				name string
				alerts.LeadQuery
			}{
				{"open", alerts.LeadQuery{States: open}},
				{"open,deep", deep},
				{"all", alerts.LeadQuery{}},
				{"state", alerts.LeadQuery{States: one}},
				{"kind", alerts.LeadQuery{Kinds: []detect.Kind{"kind3", "kind4"}}},
				{"open,rare-kind", alerts.LeadQuery{States: open, Kinds: rare}},
				{"city,open", alerts.LeadQuery{States: open, Cell: "city"}},
				{"city,state", alerts.LeadQuery{States: one, Cell: "city"}},
				{"town,open", alerts.LeadQuery{States: open, Cell: "town7"}},
				{"town,open,rare-kind", alerts.LeadQuery{States: open, Cell: "town7", Kinds: rare}},
				{"subcell", alerts.LeadQuery{Cell: "subcell77"}},
				{"subcell,kind,state", alerts.LeadQuery{States: one, Cell: "subcell77", Kinds: []detect.Kind{"kind3"}}},
				{"camera", alerts.LeadQuery{Camera: "camera9"}},
			} {
				b.Run(q.name, func(b *testing.B) {
					q.Limit = 50
					var took []time.Duration
					for b.Loop() {
						begun := time.Now()
						if _, err := s.Leads(b.Context(), q.LeadQuery); err != nil {
							b.Fatal(err)
						}
						took = append(took, time.Since(begun))
					}
					slices.Sort(took)
					p99 := took[(len(took)-1)*99/100]
					b.ReportMetric(float64(p99)/1e6, "p99-ms")
					if len(took) >= 100 && p99 > pageTime {
						b.Errorf("p99 is %s, want %s at most", p99, pageTime)
					}
				})
			}
		})
	}
}

// seeded is a store of some open and some more closed leads.
func seeded(b *testing.B, url string, open, all int) *sqlstore.Store {
	b.Helper()
	db, err := sqldb.Open(b.Context(), sqldb.Options{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	s, err := sqlstore.New(b.Context(), db, "test")
	if err != nil {
		b.Fatal(err)
	}
	const about = `{"summary":{"zh":"消防通道被车辆占用 45 秒","en":"a vehicle stands in the fire lane for 45 s"},"rule":{"id":"lane","version":1},` +
		`"camera":{"id":"33010600001320000001","name":"某某路 1 号"},"zone":{"id":"lane","name":"消防通道"},` +
		`"grid":[{"id":"city"},{"id":"town7"},{"id":"cell77"},{"id":"subcell77"}]}`
	begun := time.Now()
	const chunk = 10_000
	for from := 1; from <= all; from += chunk {
		for _, seed := range seeds {
			if err := db.Write(b.Context(), func(tx *sqldb.Tx) error {
				// The newest are open, and of the older ones one in a hundred.
				args := []any{from - 1, min(from+chunk-1, all), all, open, about}
				_, err := tx.ExecContext(b.Context(), numbers+seed, args...)
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := db.Write(b.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(b.Context(), `ANALYZE`) // autovacuum's work, at once
		return err
	}); err != nil {
		b.Fatal(err)
	}
	var states string
	if err := db.Read(b.Context(), func(tx *sqldb.Tx) error {
		all, err := sqldb.All(b.Context(), tx, func(r *sql.Rows) (string, error) {
			var state string
			var n int
			err := r.Scan(&state, &n)
			return fmt.Sprintf("%s %d", state, n), err
		}, `SELECT state, COUNT(*) FROM leads GROUP BY state ORDER BY state`)
		states = fmt.Sprint(all)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	b.Logf("seeded in %s: %s", time.Since(begun).Round(time.Second), states)
	return s
}

// numbers are the leads of one chunk, with what the other statements need of
// them. Its parameters: the number before the first, the last, how many there
// are in all, how many of them are open, and what never changes of a lead.
const numbers = `WITH RECURSIVE
	numbers (i) AS (SELECT CAST($1 AS BIGINT) + 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < CAST($2 AS BIGINT)),
	given (total, live, about) AS (SELECT CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS TEXT)),
	rows (i, id, kind, raised, state, about) AS (
		SELECT i, CAST(10000000 + i AS TEXT),
			CASE WHEN i % 5003 = 0 THEN 'rare' ELSE 'kind' || CAST(i % 12 AS TEXT) END, 1700000000000000 + i * 1000000,
			CASE WHEN i > total - live * 9 / 10 OR i % 97 = 0 AND i <= live * 97 / 10 THEN
				CASE i % 20 WHEN 0 THEN 'acknowledged' WHEN 1 THEN 'resolved' WHEN 2 THEN 'transferred' WHEN 3 THEN 'dispatched'
					WHEN 4 THEN 'accepted' WHEN 5 THEN 'reopened' ELSE 'raised' END
			ELSE CASE i % 10 WHEN 0 THEN 'expired' WHEN 1 THEN 'merged' WHEN 2 THEN 'rejected' WHEN 3 THEN 'rejected' ELSE 'closed' END END,
			about
		FROM numbers CROSS JOIN given)
`

var seeds = []string{
	`INSERT INTO leads (id, number, kind, severity, state, version, owner, canary, camera,
		raised_at, changed_at, began_at, last_seen_at, about)
	SELECT id, i, kind, 'high', state, 5, '', 0, 'camera' || CAST(i % 20000 AS TEXT), raised, raised, raised, raised, about FROM rows`,
	`INSERT INTO lead_cells (cell, raised_at, lead, state, kind)
	SELECT 'city', raised, id, state, kind FROM rows
	UNION ALL SELECT 'town' || CAST(i % 19 AS TEXT), raised, id, state, kind FROM rows
	UNION ALL SELECT 'cell' || CAST(i % 178 AS TEXT), raised, id, state, kind FROM rows
	UNION ALL SELECT 'subcell' || CAST(i % 1485 AS TEXT), raised, id, state, kind FROM rows`,
	`INSERT INTO lead_steps (lead, version, at, made_by, from_state, to_state, reason, note)
	SELECT r.id, 5 * w.i + v.i, r.raised + v.i, 'wang', 'raised', r.state, '', '' FROM rows r
	CROSS JOIN (SELECT 1 AS i UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5) v
	CROSS JOIN (SELECT 0 AS i UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) w`,
	`INSERT INTO conditions (camera, zone, rule, kind, began, watched, last_seen, ended, lead, pictures, end_picture)
	SELECT 'camera' || CAST(i % 20000 AS TEXT), 'lane', CAST(i AS TEXT), kind, raised, raised, raised, raised, id, 0, 0 FROM rows`,
}
