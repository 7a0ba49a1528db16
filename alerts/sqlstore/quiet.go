package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/inventory/sqldb"
)

// Source counts the begins of a finding's key and returns the shelf that it
// lies on.
func (s *Store) Source(ctx context.Context, f detect.Finding, since, now time.Time) (begins int, shelf *alerts.Shelf, err error) {
	err = s.db.Read(ctx, func(t *sqldb.Tx) error {
		begins, shelf, err = tx{t}.Source(ctx, f, since, now)
		return err
	})
	return begins, shelf, err
}

func (t tx) Source(ctx context.Context, f detect.Finding, since, now time.Time) (begins int, shelf *alerts.Shelf, err error) {
	// A watch that lost its memory begins one condition twice: leads are
	// counted, not begins. The finding's own is counted below.
	err = t.QueryRowContext(ctx, `
		SELECT COUNT(DISTINCT lead) FROM condition_begins
		WHERE camera = $1 AND zone = $2 AND rule = $3 AND began > $4 AND began < $5`,
		f.Camera, f.Zone, f.Rule.ID, sqldb.Micros(since), sqldb.Micros(f.Began)).Scan(&begins)
	if err != nil {
		return 0, nil, fmt.Errorf("count begins: %w", err)
	}
	if f.Began.After(since) {
		begins++
	}
	// A shelf that lies ahead was made before the wall clock was set back.
	all, err := sqldb.All(ctx, t.Tx, scanShelf, shelfColumns+`
		WHERE to_at > $1 AND from_at <= $2 AND (camera = '' OR camera = $3) AND (zone = '' OR zone = $4)
			AND (rule = '' OR rule = $5) AND (kind = '' OR kind = $6) ORDER BY to_at DESC, id DESC LIMIT 1`,
		sqldb.Micros(now), sqldb.Micros(now), f.Camera, f.Zone, f.Rule.ID, string(f.Kind))
	if err != nil || len(all) == 0 {
		return begins, nil, err
	}
	return begins, &all[0], nil
}

const shelfColumns = `SELECT id, camera, zone, rule, kind, reason, made_by, from_at, to_at, ended_by FROM lead_shelves`

func scanShelf(r *sql.Rows) (alerts.Shelf, error) {
	var s alerts.Shelf
	var from, to int64
	err := r.Scan(&s.ID, &s.Camera, &s.Zone, &s.Rule, &s.Kind, &s.Reason, &s.By, &from, &to, &s.EndedBy)
	s.From, s.To = sqldb.Time(from), sqldb.Time(to)
	return s, err
}

func (t tx) Shelf(ctx context.Context, id string) (alerts.Shelf, error) {
	all, err := sqldb.All(ctx, t.Tx, scanShelf, shelfColumns+` WHERE id = $1`, id)
	if err == nil && len(all) == 0 {
		err = alerts.ErrNotFound
	}
	if err != nil {
		return alerts.Shelf{}, err
	}
	return all[0], nil
}

func (t tx) SaveShelf(ctx context.Context, s alerts.Shelf) error {
	return t.exec(ctx, `
		INSERT INTO lead_shelves (id, camera, zone, rule, kind, reason, made_by, from_at, to_at, ended_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET to_at = excluded.to_at, ended_by = excluded.ended_by`,
		s.ID, s.Camera, s.Zone, s.Rule, string(s.Kind), s.Reason, s.By, sqldb.Micros(s.From), sqldb.Micros(s.To), s.EndedBy)
}

// Shelves are those that have not ended, the one that ends first first.
func (s *Store) Shelves(ctx context.Context, now time.Time) ([]alerts.Shelf, error) {
	return read(ctx, s, func(t tx) ([]alerts.Shelf, error) {
		return sqldb.All(ctx, t.Tx, scanShelf, shelfColumns+` WHERE to_at > $1 ORDER BY to_at, id`, sqldb.Micros(now))
	})
}

func (t tx) AddSuppression(ctx context.Context, s alerts.Suppression) error {
	return t.exec(ctx, `
		INSERT INTO lead_suppressions (id, at, rule, camera, zone, detector, kind, began, detail, lead)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		s.ID, sqldb.Micros(s.At), string(s.By), s.Key.Camera, s.Key.Zone, s.Key.Rule, string(s.Kind), sqldb.Micros(s.Began), s.Detail, s.Lead)
}

func (t tx) Unsuppress(ctx context.Context, key detect.ConditionKey, suppression, lead string) error {
	if err := t.exec(ctx, `UPDATE lead_suppressions SET lead = $1 WHERE id = $2`, lead, suppression); err != nil {
		return err
	}
	return t.exec(ctx, `UPDATE condition_begins SET lead = $1 WHERE camera = $2 AND zone = $3 AND rule = $4 AND lead = $5`,
		lead, key.Camera, key.Zone, key.Rule, suppression)
}

// Suppressions returns a page of suppressions, newest first.
func (s *Store) Suppressions(ctx context.Context, q alerts.SuppressionQuery) (alerts.SuppressionPage, error) {
	var b strings.Builder
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	b.WriteString(`SELECT id, at, rule, camera, zone, detector, kind, began, detail, lead FROM lead_suppressions WHERE 1 = 1`)
	if q.By != "" {
		b.WriteString(` AND rule = ` + arg(string(q.By)))
	}
	if q.Camera != "" {
		b.WriteString(` AND camera = ` + arg(q.Camera))
	}
	if q.Cursor != "" {
		at, id, err := parseCursor(q.Cursor)
		if err != nil {
			return alerts.SuppressionPage{}, err
		}
		b.WriteString(` AND (at, id) < (` + arg(at) + `, ` + arg(id) + `)`)
	}
	b.WriteString(` ORDER BY at DESC, id DESC LIMIT ` + arg(q.Limit+1))
	all, err := read(ctx, s, func(t tx) ([]alerts.Suppression, error) {
		return sqldb.All(ctx, t.Tx, func(r *sql.Rows) (alerts.Suppression, error) {
			var s alerts.Suppression
			var at, began int64
			err := r.Scan(&s.ID, &at, &s.By, &s.Key.Camera, &s.Key.Zone, &s.Key.Rule, &s.Kind, &began, &s.Detail, &s.Lead)
			s.At, s.Began = sqldb.Time(at), sqldb.Time(began)
			return s, err
		}, b.String(), args...)
	})
	if err != nil {
		return alerts.SuppressionPage{}, err
	}
	page := alerts.SuppressionPage{Suppressions: all}
	if len(all) > q.Limit {
		page.Suppressions = all[:q.Limit]
		last := page.Suppressions[q.Limit-1]
		page.Next = strconv.FormatInt(sqldb.Micros(last.At), 10) + "." + last.ID
	}
	return page, nil
}

func (t tx) Neighbour(ctx context.Context, kind detect.Kind, cell, camera string, since time.Time) (string, error) {
	// What was raised ahead of now was before the wall clock was set back.
	all, err := t.leads(ctx, leadColumns+` JOIN lead_cells g ON g.lead = l.id AND g.cell = $1
		WHERE l.kind = $2 AND l.camera <> $3 AND g.raised_at >= $4 AND g.raised_at <= $5 AND l.canary = 0 AND l.merged_into = ''
		ORDER BY g.raised_at DESC, g.lead DESC LIMIT 10`, cell, string(kind), camera, sqldb.Micros(since), sqldb.Micros(t.Now()))
	if err != nil {
		return "", err
	}
	for _, l := range all {
		if l.State.Open() {
			return l.ID, nil
		}
	}
	return "", nil
}
