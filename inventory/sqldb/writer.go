package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	// groupSize and groupTime bound how long the first of a group waits for
	// its commit because of those behind it.
	groupSize = 256
	groupTime = 50 * time.Millisecond
	// cachedStatements bounds the prepared statements that the writer keeps.
	cachedStatements = 256
)

// ErrNotWritten is returned by Write when the database, not the function, is
// why nothing is on disk.
var ErrNotWritten = errors.New("nothing was written")

var errAborted = errors.New("write function panicked or left its goroutine")

// write is one caller's wish to write. The caller and the writer take turns:
// the writer offers the turn, the caller runs its function and hands it back.
type write struct {
	turn    chan *writer // closed without a value when the turn never comes
	back    chan error
	outcome chan error
}

// writer commits groups of writes over its one connection. Everything but the
// queue belongs to whoever has the turn.
type writer struct {
	// queue has no buffer: a write that is still waiting can be withdrawn by
	// its caller, one that was taken always gets an outcome.
	queue   chan *write
	pool    *sql.DB
	metrics *metrics
	log     *slog.Logger

	conn  *sql.Conn // nil until needed, and after a commit that failed
	stmts map[string]*sql.Stmt
}

func newWriter(pool *sql.DB, m *metrics, log *slog.Logger) *writer {
	pool.SetMaxOpenConns(1)
	return &writer{queue: make(chan *write), pool: pool, metrics: m, log: log, stmts: map[string]*sql.Stmt{}}
}

func (w *writer) run(closing <-chan struct{}) {
	for {
		select {
		case first := <-w.queue:
			w.group(first)
		case <-closing:
			return
		}
	}
}

// group runs first and those that wait behind it in one transaction.
func (w *writer) group(first *write) {
	var answers []func(error)
	begun := time.Now()
	// A group is nobody's: no caller's context may end it.
	ctx := context.Background()
	err := w.begin(ctx)
	next := first
	for err == nil && next != nil {
		var own error
		own, err = w.one(ctx, next)
		answers = append(answers, answer(next, own))
		if next = nil; len(answers) < groupSize && time.Since(begun) < groupTime {
			select {
			case next = <-w.queue:
			default:
			}
		}
	}
	if next != nil { // taken, but its turn never came
		close(next.turn)
		answers = append(answers, answer(next, nil))
	}
	if err == nil {
		start := time.Now()
		err = w.exec(ctx, "COMMIT")
		w.metrics.commit(time.Since(start), len(answers), err)
	}
	if err != nil {
		w.discard()
		err = fmt.Errorf("%w: %w", ErrNotWritten, err)
		w.log.Error("database write failed", "error", err, "writes", len(answers))
	}
	for _, a := range answers {
		a(err)
	}
}

// answer gives a write its outcome: the group's error, else its own.
func answer(wr *write, own error) func(error) {
	return func(group error) {
		if group != nil {
			wr.outcome <- group
			return
		}
		wr.outcome <- own
	}
}

// one gives a write its turn inside a savepoint. own is what its function
// said; err means that the whole group is lost.
func (w *writer) one(ctx context.Context, wr *write) (own, err error) {
	if err := w.exec(ctx, "SAVEPOINT one"); err != nil {
		close(wr.turn)
		return nil, err
	}
	wr.turn <- w
	if own = <-wr.back; own != nil {
		if err := w.exec(ctx, "ROLLBACK TO SAVEPOINT one"); err != nil {
			// SQLite rolls the whole transaction back by itself when, for
			// one, the disk is full: the function's own error says why.
			return own, errors.Join(own, err)
		}
	}
	return own, w.exec(ctx, "RELEASE SAVEPOINT one")
}

func (w *writer) begin(ctx context.Context) error {
	if w.conn == nil {
		conn, err := w.pool.Conn(ctx)
		if err != nil {
			return err
		}
		w.conn = conn
	}
	return w.exec(ctx, "BEGIN IMMEDIATE")
}

func (w *writer) exec(ctx context.Context, query string) error {
	st, err := w.stmt(ctx, query)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(ctx)
	return err
}

// statement is a prepared statement that the writer keeps and closes itself.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
}

// stmt prepares a statement once for the connection's life.
func (w *writer) stmt(ctx context.Context, query string) (statement, error) {
	if st := w.stmts[query]; st != nil {
		return st, nil
	}
	if len(w.stmts) >= cachedStatements {
		w.forget()
	}
	st, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = st
	return st, nil
}

func (w *writer) forget() {
	for _, st := range w.stmts {
		_ = st.Close()
	}
	clear(w.stmts)
}

// discard throws the connection away, and with it whatever state a failed
// transaction left behind.
func (w *writer) discard() {
	if w.conn == nil {
		return
	}
	w.forget()
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = w.conn.Close()
	w.conn = nil
}

func (w *writer) close() error {
	w.forget()
	var err error
	if w.conn != nil {
		err = w.conn.Close()
	}
	return errors.Join(err, w.pool.Close())
}
