package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"videopatrol/alerts"
	"videopatrol/inventory/sqldb"
)

// historyPage is how many leads are read at a time.
const historyPage = 500

// Histories returns the leads that were raised from one time up to another
// with their traces, a page at a time, canary leads left out.
func (s *Store) Histories(ctx context.Context, from, to time.Time, cursor string) (page []alerts.History, next string, err error) {
	raised, id := sqldb.Micros(from), ""
	if cursor != "" {
		if raised, id, err = parseCursor(cursor); err != nil {
			return nil, "", err
		}
	}
	page, err = read(ctx, s, func(t tx) ([]alerts.History, error) {
		leads, err := t.leads(ctx, leadColumns+`
			WHERE l.canary = 0 AND (l.raised_at, l.id) > ($1, $2) AND l.raised_at < $3
			ORDER BY l.raised_at, l.id LIMIT $4`, raised, id, sqldb.Micros(to), historyPage)
		if err != nil || len(leads) == 0 {
			return nil, err
		}
		return t.histories(ctx, leads)
	})
	if err == nil && len(page) == historyPage {
		next = cursorAfter(page[historyPage-1].Lead)
	}
	return page, next, err
}

func (t tx) histories(ctx context.Context, leads []alerts.Lead) ([]alerts.History, error) {
	all := make([]alerts.History, len(leads))
	at := make(map[string]*alerts.History, len(leads))
	ids := make([]any, len(leads))
	for i, l := range leads {
		all[i].Lead, ids[i], at[l.ID] = l, l.ID, &all[i]
	}
	_, err := sqldb.All(ctx, t.Tx, func(r *sql.Rows) (struct{}, error) {
		var lead string
		var s alerts.Step
		var made int64
		err := r.Scan(&lead, &s.Version, &made, &s.By, &s.From, &s.To, &s.Reason, &s.Note, &s.Act, &s.About)
		s.At = sqldb.Time(made)
		if err == nil {
			at[lead].Trace = append(at[lead].Trace, s)
		}
		return struct{}{}, err
	}, `SELECT lead, version, at, made_by, from_state, to_state, reason, note, act, about FROM lead_steps
		WHERE lead IN (`+list(1, len(ids))+`) ORDER BY lead, version`, ids...)
	if err != nil {
		return nil, fmt.Errorf("read traces: %w", err)
	}
	return all, nil
}

// SuppressedBy counts the conditions that were kept back in a time, by rule.
func (s *Store) SuppressedBy(ctx context.Context, from, to time.Time) (map[alerts.QuietRule]int, error) {
	return read(ctx, s, func(t tx) (map[alerts.QuietRule]int, error) {
		counts := map[alerts.QuietRule]int{}
		_, err := sqldb.All(ctx, t.Tx, func(r *sql.Rows) (struct{}, error) {
			var by alerts.QuietRule
			var n int
			err := r.Scan(&by, &n)
			counts[by] = n
			return struct{}{}, err
		}, `SELECT rule, COUNT(*) FROM lead_suppressions WHERE at >= $1 AND at < $2 GROUP BY rule`, sqldb.Micros(from), sqldb.Micros(to))
		return counts, err
	})
}
