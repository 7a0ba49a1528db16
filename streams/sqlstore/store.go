package sqlstore

import (
	"compress/flate"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"videopatrol/inventory/sqldb"
	"videopatrol/streams"
)

//go:embed migrations
var migrations embed.FS

// Store is a streams.Ledger in SQL.
type Store struct{ db *sqldb.DB }

var _ streams.Ledger = (*Store)(nil)

// New returns a store over a database whose tables it brings up to date.
func New(ctx context.Context, db *sqldb.DB) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "coverage", files); err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// row is an hour as the database holds it.
type row struct {
	begins, closed int64
	lines          []byte
}

func scan(r interface{ Scan(...any) error }) (x row, err error) {
	err = r.Scan(&x.begins, &x.closed, &x.lines)
	return x, err
}

func (x row) hour() (streams.Hour, error) {
	h := streams.Hour{Begin: sqldb.Time(x.begins), Closed: sqldb.Time(x.closed)}
	var err error
	if h.Lines, err = decode(x.lines); err != nil {
		return h, fmt.Errorf("coverage of the hour %s: %w", h.Begin.Format(time.RFC3339), err)
	}
	return h, nil
}

// Newest returns the newest hour; one whose Begin is zero when there is none.
func (s *Store) Newest(ctx context.Context) (streams.Hour, error) {
	var x row
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		x, err = scan(tx.QueryRowContext(ctx, `SELECT begins, closed, lines FROM coverage_hours ORDER BY begins DESC LIMIT 1`))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return streams.Hour{}, nil
	}
	if err != nil {
		return streams.Hour{}, fmt.Errorf("read coverage: %w", err)
	}
	return x.hour()
}

// Put writes an hour anew, and forgets the hours that began before forget.
func (s *Store) Put(ctx context.Context, h streams.Hour, forget time.Time) error {
	level := flate.BestSpeed // it is written again in a minute
	if !h.Closed.Before(h.Begin.Add(time.Hour)) {
		level = flate.BestCompression
	}
	lines, err := encode(h.Lines, level)
	if err != nil {
		return fmt.Errorf("write coverage: %w", err)
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO coverage_hours (begins, closed, lines) VALUES ($1, $2, $3)
			ON CONFLICT (begins) DO UPDATE SET closed = excluded.closed, lines = excluded.lines`,
			sqldb.Micros(h.Begin), sqldb.Micros(h.Closed), lines); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM coverage_hours WHERE begins < $1`, sqldb.Micros(forget))
		return err
	})
	if err != nil {
		return fmt.Errorf("write coverage: %w", err)
	}
	return nil
}

// Each hands over the hours that begin in [from, to), oldest first.
func (s *Store) Each(ctx context.Context, from, to time.Time, f func(streams.Hour) error) error {
	var all []row // blobs of at most some ten kilobytes
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		all, err = sqldb.All(ctx, tx, func(r *sql.Rows) (row, error) { return scan(r) },
			`SELECT begins, closed, lines FROM coverage_hours WHERE begins >= $1 AND begins < $2 ORDER BY begins`,
			sqldb.Micros(from), sqldb.Micros(to))
		return err
	})
	if err != nil {
		return fmt.Errorf("read coverage: %w", err)
	}
	for _, x := range all {
		h, err := x.hour()
		if err != nil {
			return err
		}
		if err := f(h); err != nil {
			return err
		}
	}
	return nil
}
