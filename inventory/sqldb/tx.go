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

	db    *DB
	read  *sql.Tx
	write connection
	ended atomic.Bool
}

// Write runs fn in a transaction that may write. A nil error means that all
// of it is on disk; ErrUnknown that the database was lost while it committed;
// any other that none of it is: what fn returned, why the commit failed, or
// ErrClosed. fn may run more than once, each time in a transaction that knows
// nothing of the one before. ctx is heeded while the write waits for its turn;
// once fn has begun Write returns only with the outcome, and the statements of
// fn are not cut short.
func (db *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	return db.write(ctx, nil, fn)
}

// Ahead is a query that a write will surely begin with. Its arguments are
// numbers and texts. What it reads may be changed by the write itself, by
// writes with the same key, and by those that have no Ahead.
type Ahead struct {
	Key   string
	Query string
	Args  []any
}

// WriteAhead is Write by a function that begins with a query which is known
// before it begins. On PostgreSQL the writes that wait ask theirs together, in
// one round trip.
func (db *DB) WriteAhead(ctx context.Context, a Ahead, fn func(tx *Tx) error) error {
	return db.write(ctx, &a, fn)
}

func (db *DB) write(ctx context.Context, a *Ahead, fn func(tx *Tx) error) (err error) {
	fn, note := db.withRider(ctx, fn)
	defer func() { note(err) }()
	wr := &write{ahead: a, turn: make(chan connection, 1), back: make(chan error, 1)}
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
	for conn := range wr.turn {
		db.runWrite(conn, wr, fn)
	}
	return wr.err
}

// runWrite runs fn and hands the turn back, even when fn panics.
func (db *DB) runWrite(conn connection, wr *write, fn func(tx *Tx) error) {
	tx := &Tx{Now: Time(Micros(db.clock())), db: db, write: conn}
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
	read, err := db.readers.BeginTx(ctx, db.engine.readOnly())
	if err != nil {
		return fmt.Errorf("read from the database: %w", err)
	}
	tx := &Tx{Now: Time(Micros(db.clock())), db: db, read: read}
	defer func() {
		tx.ended.Store(true)
		_ = read.Rollback() // there is nothing to commit
	}()
	return fn(tx)
}

// ExecContext runs a statement that returns no rows.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx = tx.context(ctx)
	switch {
	case tx.read != nil:
		return tx.read.ExecContext(ctx, query, args...)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return tx.write.exec(ctx, query, args)
}

// Later runs a statement that returns no rows, and whose outcome nobody asks
// for, before the next statement that is asked for one or before the commit:
// on PostgreSQL that saves a round trip. When it fails, so does a later
// statement or the whole Write, with its error.
func (tx *Tx) Later(ctx context.Context, query string, args ...any) error {
	ctx = tx.context(ctx)
	switch {
	case tx.read != nil:
		_, err := tx.read.ExecContext(ctx, query, args...)
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return tx.write.later(ctx, query, args)
}

// Ask announces queries that this transaction runs next, all with the same
// arguments, numbers and texts: on PostgreSQL a write asks them together, in
// one round trip. Nothing is to be changed before they have run.
func (tx *Tx) Ask(ctx context.Context, args []any, queries ...string) error {
	ctx = tx.context(ctx)
	if tx.read != nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return tx.write.ask(ctx, args, queries)
}

// QueryContext runs a statement that returns rows. Close them before the next
// statement; All does.
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx = tx.context(ctx)
	switch {
	case tx.read != nil:
		return tx.read.QueryContext(ctx, query, args...)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return tx.write.query(ctx, query, args)
}

// QueryRowContext runs a statement that returns at most one row.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ctx = tx.context(ctx)
	switch {
	case tx.read != nil:
		return tx.read.QueryRowContext(ctx, query, args...)
	case ctx.Err() != nil:
		return tx.db.readers.QueryRowContext(ctx, query) // carries the error
	}
	return tx.write.queryRow(ctx, query, args)
}

// context is what a statement runs under. A write is not interrupted: the
// whole group would be lost with it. A transaction that has ended takes
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
