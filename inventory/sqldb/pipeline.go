package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
)

// longest bounds the statements that a pipeline keeps back.
const longest = 64

// pipelines connects pipelines.
type pipelines struct {
	driver.Connector
	// limit bounds how long a connection waits for an answer; 0: not at all.
	limit time.Duration
}

// Connect opens a connection.
func (p pipelines) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &pipeline{Conn: c.(*stdlib.Conn), limit: p.limit}, nil
}

// pipeline is pgx's connection, but it keeps back the statements whose outcome
// nobody asks for and sends them along with the next one: what costs time on
// PostgreSQL is the round trip.
type pipeline struct {
	*stdlib.Conn
	limit  time.Duration
	queued []*pgx.QueuedQuery
	ready  []*answer // to queries that may come
}

// answer is what a query that was asked ahead came to.
type answer struct {
	query   string
	args    []any
	columns []string
	rows    [][]driver.Value
}

// later keeps a statement back.
func (p *pipeline) later(ctx context.Context, query string, args ...any) error {
	values, err := p.convert(args)
	if err != nil {
		return err
	}
	p.queued = append(p.queued, &pgx.QueuedQuery{SQL: query, Arguments: values})
	if len(p.queued) < longest {
		return nil
	}
	return p.flush(ctx)
}

// convert makes arguments what database/sql would make them.
func (p *pipeline) convert(args []any) ([]any, error) {
	values := make([]any, len(args))
	for i, a := range args {
		nv := driver.NamedValue{Ordinal: i + 1, Value: a}
		if err := p.CheckNamedValue(&nv); err != nil {
			return nil, err
		}
		values[i] = nv.Value
	}
	return values, nil
}

// ask runs queries behind the statements that were kept back.
func (p *pipeline) ask(ctx context.Context, asks []*answer) (err error) {
	before := len(p.queued)
	for _, a := range asks {
		if a.args, err = p.convert(a.args); err != nil {
			return err
		}
		p.queued = append(p.queued, &pgx.QueuedQuery{SQL: a.query, Arguments: a.args})
	}
	results := p.send(ctx)
	for range before {
		if _, err := results.Exec(); err != nil {
			break // Close tells of it too
		}
	}
	for _, a := range asks {
		rows, e := results.Query()
		if e != nil {
			break
		}
		err = errors.Join(err, a.read(&pipelineRows{rows: rows}))
	}
	return errors.Join(err, results.Close())
}

// read reads all rows.
func (a *answer) read(r *pipelineRows) error {
	defer r.rows.Close()
	a.columns = r.Columns()
	for {
		row := make([]driver.Value, len(a.columns))
		switch err := r.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		a.rows = append(a.rows, row)
	}
}

// flush sends what was kept back.
func (p *pipeline) flush(ctx context.Context) error {
	if len(p.queued) == 0 {
		return nil
	}
	return p.send(ctx).Close()
}

// send sends all statements that are queued.
func (p *pipeline) send(ctx context.Context) pgx.BatchResults {
	if p.limit > 0 {
		// Without it a server that has gone is waited for until the kernel
		// gives up, a quarter of an hour later.
		_ = p.Conn.Conn().PgConn().Conn().SetDeadline(time.Now().Add(p.limit))
	}
	b := &pgx.Batch{QueuedQueries: p.queued}
	p.queued = nil
	return p.Conn.Conn().SendBatch(ctx, b)
}

// sendWith sends a statement behind those that were kept back, and reads the
// results of these.
func (p *pipeline) sendWith(ctx context.Context, query string, args []any) (pgx.BatchResults, error) {
	before := len(p.queued)
	p.queued = append(p.queued, &pgx.QueuedQuery{SQL: query, Arguments: args})
	results := p.send(ctx)
	for range before {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // repeats the error
			return nil, err
		}
	}
	return results, nil
}

// exec runs a statement and returns its tag.
func (p *pipeline) exec(ctx context.Context, query string, args []any) (pgconn.CommandTag, error) {
	results, err := p.sendWith(ctx, query, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := results.Exec()
	if end := results.Close(); err == nil {
		err = end
	}
	return tag, err
}

// ExecContext runs a statement that returns no rows.
func (p *pipeline) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	tag, err := p.exec(ctx, query, values(args))
	return driver.RowsAffected(tag.RowsAffected()), err
}

// QueryContext runs a statement that returns rows.
func (p *pipeline) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	all := values(args)
	for _, a := range p.ready {
		if a.query == query && slices.Equal(a.args, all) {
			return &answerRows{answer: a}, nil
		}
	}
	results, err := p.sendWith(ctx, query, all)
	if err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return &pipelineRows{rows: rows, results: results}, nil
}

func values(args []driver.NamedValue) []any {
	all := make([]any, len(args))
	for i, a := range args {
		all[i] = a.Value
	}
	return all
}

// CheckNamedValue makes an argument one of the few types that every driver
// takes. Booleans are 0 and 1, as the record keeps them.
func (*pipeline) CheckNamedValue(nv *driver.NamedValue) error {
	v, err := driver.DefaultParameterConverter.ConvertValue(nv.Value)
	if b, ok := v.(bool); ok {
		v = int64(0)
		if b {
			v = int64(1)
		}
	}
	nv.Value = v
	return err
}

// BeginTx begins a transaction with its first statement.
func (p *pipeline) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if !o.ReadOnly {
		return p.Conn.BeginTx(ctx, o)
	}
	return (*readTx)(p), p.later(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
}

// readTx is a transaction that has nothing to commit.
type readTx pipeline

// Commit ends the transaction.
func (t *readTx) Commit() error { return t.Rollback() }

// Rollback ends the transaction, if it has begun at all.
func (t *readTx) Rollback() error {
	p := (*pipeline)(t)
	if len(p.queued) > 0 {
		p.queued = nil
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := p.exec(ctx, "ROLLBACK", nil)
	return err
}

// lost tells whether the connection is of no use any more.
func (p *pipeline) lost() bool { return p.Conn.Conn().IsClosed() }

// status is 'I' outside of a transaction, 'T' in one and 'E' in one that a
// statement failed in.
func (p *pipeline) status() byte { return p.Conn.Conn().PgConn().TxStatus() }

// pipelineRows are the rows of a pipeline's last statement.
type pipelineRows struct {
	rows    pgx.Rows
	results pgx.BatchResults
}

// Columns names the columns.
func (r *pipelineRows) Columns() []string {
	fields := r.rows.FieldDescriptions()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// Close ends the statement.
func (r *pipelineRows) Close() error {
	r.rows.Close()
	return r.results.Close()
}

// Next reads a row.
func (r *pipelineRows) Next(dest []driver.Value) error {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	all, err := r.rows.Values()
	if err != nil {
		return err
	}
	for i, v := range all {
		if dest[i], err = valueOf(v); err != nil {
			return fmt.Errorf("column %s: %w", r.rows.FieldDescriptions()[i].Name, err)
		}
	}
	return nil
}

// answerRows are the rows of an answer.
type answerRows struct {
	answer *answer
	next   int
}

// Columns names the columns.
func (r *answerRows) Columns() []string { return r.answer.columns }

// Close ends the statement.
func (*answerRows) Close() error { return nil }

// Next reads a row.
func (r *answerRows) Next(dest []driver.Value) error {
	if r.next == len(r.answer.rows) {
		return io.EOF
	}
	copy(dest, r.answer.rows[r.next])
	r.next++
	return nil
}

// valueOf is a value of PostgreSQL's as database/sql takes it.
func valueOf(v any) (driver.Value, error) {
	switch v := v.(type) {
	case int32:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case pgtype.Numeric: // the sum of integers
		n, err := v.Int64Value()
		return n.Int64, err
	}
	if !driver.IsValue(v) {
		return nil, fmt.Errorf("%T is no type of the record", v)
	}
	return v, nil
}
