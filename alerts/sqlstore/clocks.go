package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"videopatrol/alerts"
	"videopatrol/inventory/sqldb"
)

func (t tx) SaveClock(ctx context.Context, lead string, c alerts.DueClock) error {
	ladder, err := json.Marshal(c.Ladder)
	if err != nil {
		return fmt.Errorf("encode the ladder of a clock of lead %s: %w", lead, err)
	}
	return t.exec(ctx, `
		INSERT INTO lead_clocks (lead, stage, order_id, started, due_at, next_at, rung, ladder) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (lead, stage, order_id) DO UPDATE SET started = excluded.started, due_at = excluded.due_at,
			next_at = excluded.next_at, rung = excluded.rung, ladder = excluded.ladder`,
		lead, string(c.Stage), c.Order, sqldb.Micros(c.Started), sqldb.Micros(c.DueAt), zeroTime(c.NextAt), c.Rung, string(ladder))
}

func (t tx) StopClock(ctx context.Context, lead string, c alerts.DueClock) error {
	return t.exec(ctx, `DELETE FROM lead_clocks WHERE lead = $1 AND stage = $2 AND order_id = $3`, lead, string(c.Stage), c.Order)
}

func clocksQuery(leads int) string {
	return `SELECT lead, stage, order_id, started, due_at, next_at, rung, ladder FROM lead_clocks
		WHERE lead IN (` + list(1, leads) + `) ORDER BY lead, due_at, stage, order_id`
}

// addClocks completes leads, by id, with the clocks that run for them.
func (t tx) addClocks(ctx context.Context, at map[string]*alerts.Lead, ids []any) error {
	_, err := sqldb.All(ctx, t.Tx, func(r *sql.Rows) (struct{}, error) {
		var c alerts.DueClock
		var lead, ladder string
		var started, due, next int64
		if err := r.Scan(&lead, &c.Stage, &c.Order, &started, &due, &next, &c.Rung, &ladder); err != nil {
			return struct{}{}, err
		}
		if err := decode("ladder", ladder, &c.Ladder); err != nil {
			return struct{}{}, err
		}
		c.Started, c.DueAt = sqldb.Time(started), sqldb.Time(due)
		if next != 0 {
			c.NextAt = sqldb.Time(next)
		}
		at[lead].Clocks = append(at[lead].Clocks, c)
		return struct{}{}, nil
	}, clocksQuery(len(ids)), ids...)
	if err != nil {
		return fmt.Errorf("read clocks: %w", err)
	}
	return nil
}

func (t tx) PartsRunning(ctx context.Context, lead string) (bool, error) {
	var n int
	err := t.QueryRowContext(ctx, `
		WITH RECURSIVE parts (id) AS (
			SELECT id FROM leads WHERE merged_into = $1 AND merged_into <> ''
			UNION SELECT l.id FROM leads l JOIN parts p ON l.merged_into = p.id AND l.merged_into <> ''
		)
		SELECT COUNT(*) FROM parts p JOIN leads l ON l.id = p.id WHERE l.ended_at IS NULL`, lead).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look at the parts of lead %s: %w", lead, err)
	}
	return n > 0, nil
}

// DueClocks are the clocks of which something is due, the oldest first.
func (s *Store) DueClocks(ctx context.Context, now time.Time, limit int) ([]alerts.ClockRef, error) {
	return read(ctx, s, func(t tx) ([]alerts.ClockRef, error) {
		return sqldb.All(ctx, t.Tx, func(r *sql.Rows) (alerts.ClockRef, error) {
			var c alerts.ClockRef
			err := r.Scan(&c.Lead, &c.Stage, &c.Order)
			return c, err
		}, `SELECT lead, stage, order_id FROM lead_clocks WHERE next_at <> 0 AND next_at <= $1
			ORDER BY next_at, lead, stage, order_id LIMIT $2`, sqldb.Micros(now), limit)
	})
}

// NextClock is when, after a time, something of a clock is due.
func (s *Store) NextClock(ctx context.Context, after time.Time) (time.Time, error) {
	return read(ctx, s, func(t tx) (time.Time, error) {
		var at sql.NullInt64
		err := t.QueryRowContext(ctx, `SELECT MIN(next_at) FROM lead_clocks WHERE next_at <> 0 AND next_at > $1`, sqldb.Micros(after)).Scan(&at)
		if err != nil || !at.Valid {
			return time.Time{}, err
		}
		return sqldb.Time(at.Int64), nil
	})
}

func (t tx) SteadyMark(ctx context.Context) (alerts.SteadyMark, error) {
	var steady, wall int64
	err := t.QueryRowContext(ctx, `SELECT steady, wall FROM lead_steady WHERE id = 1`).Scan(&steady, &wall)
	if errors.Is(err, sql.ErrNoRows) {
		return alerts.SteadyMark{}, nil
	}
	return alerts.SteadyMark{Steady: sqldb.Time(steady), Wall: sqldb.Time(wall)}, err
}

func (t tx) SetSteadyMark(ctx context.Context, m alerts.SteadyMark) error {
	return t.exec(ctx, `
		INSERT INTO lead_steady (id, steady, wall) VALUES (1, $1, $2)
		ON CONFLICT (id) DO UPDATE SET steady = excluded.steady, wall = excluded.wall`,
		sqldb.Micros(m.Steady), sqldb.Micros(m.Wall))
}
