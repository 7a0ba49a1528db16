package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"videopatrol/alerts"
	"videopatrol/inventory/sqldb"
)

// told is what the outbox keeps of a notice.
type told struct {
	Lead   alerts.Lead    `json:"lead"`
	Step   alerts.Step    `json:"step"`
	Orders []alerts.Order `json:"orders,omitempty"`
}

func (t tx) AddNotice(ctx context.Context, n alerts.Notice) error {
	body, err := json.Marshal(told{Lead: n.Lead, Step: n.Step, Orders: n.Orders})
	if err != nil {
		return fmt.Errorf("encode notice %s: %w", n.ID, err)
	}
	return t.exec(ctx, `
		INSERT INTO outbox (sink, id, lead, version, body, created_at, state, tries, next_at, fault)
		VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, 0, '')`,
		n.Sink, n.ID, n.Lead.ID, n.Step.Version, string(body), sqldb.Micros(t.Now()))
}

// first says that no earlier notice of the same lead waits: that one goes
// first, whatever its number in any sequence.
const first = ` AND NOT EXISTS (SELECT 1 FROM outbox p
	WHERE p.sink = o.sink AND p.lead = o.lead AND p.state = 'pending' AND p.version < o.version)`

// Due returns the notices of a sink that may be tried.
func (s *Store) Due(ctx context.Context, sink string, now time.Time, limit int) ([]alerts.Notice, error) {
	return read(ctx, s, func(t tx) ([]alerts.Notice, error) {
		return sqldb.All(ctx, t.Tx, func(r *sql.Rows) (alerts.Notice, error) {
			n := alerts.Notice{Sink: sink}
			var body string
			if err := r.Scan(&n.ID, &n.Tries, &body); err != nil {
				return n, err
			}
			var b told
			if err := decode("body", body, &b); err != nil {
				return n, fmt.Errorf("notice %s: %w", n.ID, err)
			}
			n.Lead, n.Step, n.Orders = b.Lead, b.Step, b.Orders
			return n, nil
		}, `SELECT o.id, o.tries, o.body FROM outbox o
			WHERE o.sink = $1 AND o.state = 'pending' AND o.next_at <= $2`+first+`
			ORDER BY o.next_at, o.created_at, o.id LIMIT $3`, sink, sqldb.Micros(now), limit)
	})
}

// NextDue is when, after a time, the next notice of a sink may be tried.
func (s *Store) NextDue(ctx context.Context, sink string, after time.Time) (time.Time, error) {
	return read(ctx, s, func(t tx) (time.Time, error) {
		var at sql.NullInt64
		err := t.QueryRowContext(ctx, `SELECT MIN(o.next_at) FROM outbox o
			WHERE o.sink = $1 AND o.state = 'pending' AND o.next_at > $2`+first, sink, sqldb.Micros(after)).Scan(&at)
		if err != nil || !at.Valid {
			return time.Time{}, err
		}
		return sqldb.Time(at.Int64), nil
	})
}

// Settle records the outcome of one try.
func (s *Store) Settle(ctx context.Context, o alerts.Settlement) error {
	next := int64(0)
	if !o.Next.IsZero() {
		next = sqldb.Micros(o.Next)
	}
	return s.db.Write(ctx, func(t *sqldb.Tx) error {
		return tx{t}.exec(ctx, `
			UPDATE outbox SET state = $1, tries = $2, next_at = $3, settled_at = $4, fault = $5,
				body = CASE WHEN $6 = 1 THEN '' ELSE body END
			WHERE sink = $7 AND id = $8`,
			string(o.State), o.Tries, next, sqldb.Micros(o.At), o.Fault, flag(o.State == alerts.NoticeSent), o.Sink, o.ID)
	})
}

// Hasten makes every pending notice of a sink due.
func (s *Store) Hasten(ctx context.Context, sink string) error {
	return s.db.Write(ctx, func(t *sqldb.Tx) error {
		return tx{t}.exec(ctx, `UPDATE outbox SET next_at = 0 WHERE sink = $1 AND state = 'pending' AND next_at > 0`, sink)
	})
}

// Backlog tells of what is pending and of the dead letters, by sink.
func (s *Store) Backlog(ctx context.Context) ([]alerts.SinkBacklog, error) {
	return read(ctx, s, func(t tx) ([]alerts.SinkBacklog, error) {
		return sqldb.All(ctx, t.Tx, func(r *sql.Rows) (alerts.SinkBacklog, error) {
			var b alerts.SinkBacklog
			var oldest sql.NullInt64
			err := r.Scan(&b.Sink, &b.Pending, &b.Dead, &oldest)
			if oldest.Valid {
				b.Oldest = sqldb.Time(oldest.Int64)
			}
			return b, err
		}, `SELECT sink, SUM(CASE WHEN state = 'pending' THEN 1 ELSE 0 END), SUM(CASE WHEN state = 'dead' THEN 1 ELSE 0 END),
				MIN(CASE WHEN state = 'pending' THEN created_at END)
			FROM outbox WHERE state <> 'sent' GROUP BY sink ORDER BY sink`)
	})
}
