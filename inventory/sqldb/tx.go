package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"
)

// Tx is a transaction and the time it takes place at. It is valid until the
// function that it was handed to returns, for one goroutine.
type Tx struct {
	// Now is when the transaction takes place: UTC, whole microseconds, as
	// the database keeps times.
	Now time.Time

	read   *sql.Tx
	writer *writer
	ended  atomic.Bool
}

// Write runs fn in a transaction that may write. A nil error means that all
// of it is on disk; any other that none of it is: what fn returned, why the
// commit failed, or ErrClosed. ctx is heeded while the write waits for its
// turn; once fn has begun Write returns only with the outcome, and the
// statements of fn are not cut short.
func (db *DB) Write(ctx context.Context, fn func(tx *Tx) error) (err error) {
	fn, note := db.withRider(ctx, fn)
	defer func() { note(err) }()
	wr := &write{turn: make(chan *writer, 1), back: make(chan error, 1), outcome: make(chan error, 1)}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write to the database: %w", err)
	}
	select {
	case <-db.closing:
		return ErrClosed
	default:
	}
	select {
	case db.writer.queue <- wr:
	case <-ctx.Done():
		return fmt.Errorf("wait to write to the database: %w", ctx.Err())
	case <-db.closing:
		return ErrClosed
	}
	if w, ok := <-wr.turn; ok {
		db.runWrite(w, wr, fn)
	}
	return <-wr.outcome
}

// runWrite runs fn and hands the turn back, even when fn panics.
func (db *DB) runWrite(w *writer, wr *write, fn func(tx *Tx) error) {
	tx := &Tx{Now: Time(Micros(db.clock())), writer: w}
	err := errAborted
	defer func() {
		tx.ended.Store(true)
		wr.back <- err
	}()
	err = fn(tx)
}

// Read runs fn in a transaction that sees one consistent state and cannot
// write. It returns what fn returns.
func (db *DB) Read(ctx context.Context, fn func(tx *Tx) error) error {
	if !db.beginRead() {
		return ErrClosed
	}
	defer db.reads.Done()
	read, err := db.readers.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("read from the database: %w", err)
	}
	tx := &Tx{Now: Time(Micros(db.clock())), read: read}
	defer func() {
		tx.ended.Store(true)
		_ = read.Rollback() // there is nothing to commit
	}()
	return fn(tx)
}

// ExecContext runs a statement that returns no rows.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx = tx.context(ctx)
	if tx.read != nil {
		return tx.read.ExecContext(ctx, query, args...)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, err := tx.writer.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

// QueryContext runs a statement that returns rows. Close them before the next
// statement; All does.
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx = tx.context(ctx)
	if tx.read != nil {
		return tx.read.QueryContext(ctx, query, args...)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, err := tx.writer.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// QueryRowContext runs a statement that returns at most one row.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ctx = tx.context(ctx)
	if tx.read != nil {
		return tx.read.QueryRowContext(ctx, query, args...)
	}
	if ctx.Err() == nil {
		if st, err := tx.writer.stmt(ctx, query); err == nil {
			return st.QueryRowContext(ctx, args...)
		}
	}
	return tx.writer.conn.QueryRowContext(ctx, query, args...) // carries the error
}

// context is what a statement runs under. A write is not interrupted: SQLite
// would roll back the whole group with it. A transaction that has ended takes
// no statement: the connection is somebody else's by now.
func (tx *Tx) context(ctx context.Context) context.Context {
	if tx.ended.Load() {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	if tx.read != nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// All runs a query and scans each row into a T.
func All[T any](ctx context.Context, tx *Tx, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Micros is a time as the database keeps it: microseconds since 1970, UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the time that Micros wrote.
func Time(us int64) time.Time { return time.UnixMicro(us).UTC() }
