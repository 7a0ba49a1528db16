package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/detect"
	"videopatrol/inventory/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Store is an alerts.Store in SQL, and the ledger of its node's audit.
type Store struct {
	db   *sqldb.DB
	node string
}

var _ alerts.Store = (*Store)(nil)

// New brings the tables to their newest version, begins the node's audit where
// there is none, and returns a Store. The database stays the caller's to close.
func New(ctx context.Context, db *sqldb.DB, node string) (*Store, error) {
	switch {
	case db == nil:
		return nil, errors.New("sqlstore: a database is required")
	case node == "" || len(node) > audit.MaxNode || audit.Clean(alerts.AuditRow{Node: node}).Node != node:
		return nil, fmt.Errorf("sqlstore: a node has a name of 1 to %d bytes of UTF-8", audit.MaxNode)
	}
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "leads", folder); err != nil {
		return nil, err
	}
	s := &Store{db: db, node: node}
	if err := s.beginAudit(ctx); err != nil {
		return nil, fmt.Errorf("begin the audit of node %s: %w", node, err)
	}
	return s, nil
}

// Write runs fn in one transaction.
func (s *Store) Write(ctx context.Context, fn func(alerts.Tx) error) error {
	return unwritten(s.db.Write(ctx, func(t *sqldb.Tx) error { return fn(auditTx{tx{t}, s.node}) }))
}

// unwritten makes alerts.ErrUnwritten of what the database could not write.
func unwritten(err error) error {
	if errors.Is(err, sqldb.ErrNotWritten) || errors.Is(err, sqldb.ErrUnknown) || errors.Is(err, sqldb.ErrClosed) {
		return fmt.Errorf("%w: %w", alerts.ErrUnwritten, err)
	}
	return err
}

// Along runs change; the first write to the same database under its context
// that commits, whichever store's it is, also ran fn.
func (s *Store) Along(ctx context.Context, fn func(alerts.Tx) error, change func(context.Context) error) (arrived bool, err error) {
	along, gone := s.db.Along(ctx, func(t *sqldb.Tx) error { return fn(auditTx{tx{t}, s.node}) })
	err = change(along)
	return gone(), unwritten(err)
}

// Fold runs fn, which begins with Condition, in one transaction.
func (s *Store) Fold(ctx context.Context, key detect.ConditionKey, began time.Time, fn func(alerts.Tx) error) error {
	ahead := sqldb.Ahead{
		Key:   key.Camera + "\x00" + key.Zone + "\x00" + key.Rule,
		Query: conditionQuery, Args: conditionArgs(key, began),
	}
	return unwritten(s.db.WriteAhead(ctx, ahead, func(t *sqldb.Tx) error { return fn(auditTx{tx{t}, s.node}) }))
}

// read runs fn in one transaction that sees one state of the record.
func read[T any](ctx context.Context, s *Store, fn func(tx) (T, error)) (T, error) {
	var v T
	err := s.db.Read(ctx, func(t *sqldb.Tx) error {
		var err error
		v, err = fn(tx{t})
		return err
	})
	return v, err
}

// tx is the ground on which the reads of a Store stand, and with the audit an
// alerts.Tx.
type tx struct{ *sqldb.Tx }

// Now is when the transaction takes place.
func (t tx) Now() time.Time { return t.Tx.Now }

// exec runs a statement whose outcome nobody asks for.
func (t tx) exec(ctx context.Context, query string, args ...any) error {
	return t.Later(ctx, query, args...)
}

// count takes the next number of a counter.
func (t tx) count(ctx context.Context, name string) (int64, error) {
	var n int64
	err := t.QueryRowContext(ctx, `UPDATE lead_counters SET value = value + 1 WHERE name = $1 RETURNING value`, name).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", name, err)
	}
	return n, nil
}

// Condition returns what the record knows of a finding's condition.
func (s *Store) Condition(ctx context.Context, key detect.ConditionKey, began time.Time) (alerts.Folded, error) {
	return read(ctx, s, func(t tx) (alerts.Folded, error) { return t.Condition(ctx, key, began) })
}

const conditionQuery = `
	SELECT c.kind, c.began, c.watched, c.last_seen, c.ended, c.lead, c.pictures, c.end_picture, c.quiet, c.shown,
	       COALESCE(b.lead, '')
	FROM conditions c
	LEFT JOIN condition_begins b ON b.camera = c.camera AND b.zone = c.zone AND b.rule = c.rule AND b.began = $1
	WHERE c.camera = $2 AND c.zone = $3 AND c.rule = $4`

func conditionArgs(key detect.ConditionKey, began time.Time) []any {
	return []any{sqldb.Micros(began), key.Camera, key.Zone, key.Rule}
}

func (t tx) Condition(ctx context.Context, key detect.ConditionKey, began time.Time) (alerts.Folded, error) {
	var f alerts.Folded
	c := &f.Condition
	var first, watched, seen int64
	var shown int64
	var ended sql.NullInt64
	err := t.QueryRowContext(ctx, conditionQuery, conditionArgs(key, began)...).
		Scan(&c.Kind, &first, &watched, &seen, &ended, &c.Lead, &c.Pictures, &c.EndPicture, &c.Quiet, &shown, &f.Known)
	if errors.Is(err, sql.ErrNoRows) {
		return alerts.Folded{}, nil
	}
	if err != nil {
		return alerts.Folded{}, fmt.Errorf("read condition: %w", err)
	}
	c.Key, c.Began, c.Watched, c.LastSeen = key, sqldb.Time(first), sqldb.Time(watched), sqldb.Time(seen)
	if ended.Valid {
		c.Ended = sqldb.Time(ended.Int64)
	}
	if shown != 0 {
		c.Shown = sqldb.Time(shown)
	}
	return f, nil
}

func (t tx) SaveCondition(ctx context.Context, c alerts.Condition) error {
	return t.exec(ctx, `
		INSERT INTO conditions (camera, zone, rule, kind, began, watched, last_seen, ended, lead, pictures, end_picture, quiet, shown)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (camera, zone, rule) DO UPDATE SET kind = excluded.kind, began = excluded.began,
			watched = excluded.watched, last_seen = excluded.last_seen, ended = excluded.ended,
			lead = excluded.lead, pictures = excluded.pictures, end_picture = excluded.end_picture,
			quiet = excluded.quiet, shown = excluded.shown`,
		c.Key.Camera, c.Key.Zone, c.Key.Rule, string(c.Kind), sqldb.Micros(c.Began), sqldb.Micros(c.Watched),
		sqldb.Micros(c.LastSeen), nullTime(c.Ended), c.Lead, c.Pictures, flag(c.EndPicture), string(c.Quiet), zeroTime(c.Shown))
}

func (t tx) SeeCondition(ctx context.Context, key detect.ConditionKey, lastSeen time.Time) error {
	return t.exec(ctx, `UPDATE conditions SET last_seen = $1 WHERE camera = $2 AND zone = $3 AND rule = $4`,
		sqldb.Micros(lastSeen), key.Camera, key.Zone, key.Rule)
}

func (t tx) KnowBegan(ctx context.Context, key detect.ConditionKey, began time.Time, lead string) error {
	return t.exec(ctx, `
		INSERT INTO condition_begins (camera, zone, rule, began, lead) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (camera, zone, rule, began) DO NOTHING`,
		key.Camera, key.Zone, key.Rule, sqldb.Micros(began), lead)
}

// Running lists the conditions that have not ended.
func (s *Store) Running(ctx context.Context) ([]detect.Condition, error) {
	return read(ctx, s, func(t tx) ([]detect.Condition, error) {
		return sqldb.All(ctx, t.Tx, func(r *sql.Rows) (detect.Condition, error) {
			var c detect.Condition
			var began int64
			err := r.Scan(&c.Key.Camera, &c.Key.Zone, &c.Key.Rule, &c.Kind, &began)
			c.Began = sqldb.Time(began)
			return c, err
		}, `SELECT camera, zone, rule, kind, began FROM conditions WHERE ended IS NULL ORDER BY camera, zone, rule`)
	})
}

func (t tx) LastStep(ctx context.Context, l alerts.Lead) (alerts.Step, error) {
	all, err := sqldb.All(ctx, t.Tx, scanStep, stepColumns+` WHERE lead = $1 AND version = $2`, l.ID, cmp.Or(l.Decided, l.Version))
	if err != nil {
		return alerts.Step{}, fmt.Errorf("read the last step of lead %s: %w", l.ID, err)
	}
	if len(all) != 1 {
		return alerts.Step{}, fmt.Errorf("lead %s has no step for its version %d", l.ID, cmp.Or(l.Decided, l.Version))
	}
	return all[0], nil
}

func (t tx) AddStep(ctx context.Context, lead string, s alerts.Step) error {
	return t.exec(ctx, `
		INSERT INTO lead_steps (lead, version, at, made_by, from_state, to_state, reason, note, act, about)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		lead, s.Version, sqldb.Micros(s.At), s.By, string(s.From), string(s.To), s.Reason, s.Note, string(s.Act), s.About)
}

const stepColumns = `SELECT version, at, made_by, from_state, to_state, reason, note, act, about FROM lead_steps`

func scanStep(r *sql.Rows) (alerts.Step, error) {
	var s alerts.Step
	var at int64
	err := r.Scan(&s.Version, &at, &s.By, &s.From, &s.To, &s.Reason, &s.Note, &s.Act, &s.About)
	s.At = sqldb.Time(at)
	return s, err
}

// Trace lists the steps of a lead, or ErrNotFound.
func (s *Store) Trace(ctx context.Context, id string) ([]alerts.Step, error) {
	return read(ctx, s, func(t tx) ([]alerts.Step, error) {
		all, err := sqldb.All(ctx, t.Tx, scanStep, stepColumns+` WHERE lead = $1 ORDER BY version`, id)
		if err == nil && len(all) == 0 {
			err = alerts.ErrNotFound
		}
		return all, err
	})
}

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return sqldb.Micros(t)
}

// zeroTime is a time in a column that is never NULL; 0 is none.
func zeroTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return sqldb.Micros(t)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// decode reads a JSON column.
func decode(column, text string, into any) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("column %s is damaged: %w", column, err)
	}
	return nil
}
