package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	// groupSize and groupTime bound how long the first of a group waits for
	// its commit because of those behind it.
	groupSize = 256
	groupTime = 50 * time.Millisecond
	// tries bounds how often a group runs before it is given up.
	tries = 5
)

var errAborted = errors.New("write function panicked or left its goroutine")

// connection is the writer's one connection: it begins, runs and commits one
// transaction at a time, and opens itself again when it was thrown away. After
// an error that is not a statement's own it must be rolled back.
type connection interface {
	begin(ctx context.Context) error
	exec(ctx context.Context, query string, args []any) (sql.Result, error)
	query(ctx context.Context, query string, args []any) (*sql.Rows, error)
	queryRow(ctx context.Context, query string, args []any) *sql.Row
	// later runs a statement at the latest with the commit: its error is that
	// of a later call.
	later(ctx context.Context, query string, args []any) error
	// try runs one write of a group so that it fails alone. own is what the
	// write said, err that the transaction is lost. Where careful is not set
	// it may also return errTogether: run the whole group anew, and carefully.
	try(ctx context.Context, careful bool, run func() error) (own, err error)
	// commit returns nil when all is on disk, ErrUnknown when that is not
	// known, and any other error when nothing is.
	commit(ctx context.Context) error
	// rollback gives the transaction up, and the connection if need be.
	rollback(ctx context.Context)
	// again tells whether the group may succeed when it runs once more.
	again(err error) bool
	close() error
}

// errTogether says that a write failed and took its neighbours along.
var errTogether = errors.New("a write failed and took its group along")

// write is one caller's wish to write. The caller and the writer take turns:
// the writer offers the turn, the caller runs its function and hands it back.
type write struct {
	turn chan connection // closed once err is the outcome
	back chan error
	err  error
	gone bool // its caller takes no further turn
}

// writer commits groups of writes over its one connection. Everything but the
// queue belongs to whoever has the turn.
type writer struct {
	// queue has no buffer: a write that is still waiting can be withdrawn by
	// its caller, one that was taken always gets an outcome.
	queue   chan *write
	conn    connection
	metrics *metrics
	log     *slog.Logger
}

func newWriter(conn connection, m *metrics, log *slog.Logger) *writer {
	return &writer{queue: make(chan *write), conn: conn, metrics: m, log: log}
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

// group runs first and those that wait behind it in one transaction, and
// answers them all.
func (w *writer) group(first *write) {
	// A group is nobody's: no caller's context may end it.
	ctx := context.Background()
	begun := time.Now()
	members := []*write{first}
	err := w.attempt(ctx, false, func(i int) *write {
		if i == len(members) && i < groupSize && time.Since(begun) < groupTime {
			select {
			case wr := <-w.queue:
				members = append(members, wr)
			default:
			}
		}
		return at(members, i)
	})
	for n := 1; n < tries && err != nil && (errors.Is(err, errTogether) || w.conn.again(err)); n++ {
		if !errors.Is(err, errTogether) {
			pause(n)
		}
		err = w.attempt(ctx, true, func(i int) *write { return at(members, i) })
	}
	if err == nil {
		w.metrics.written(len(members))
	} else {
		if !errors.Is(err, ErrUnknown) {
			err = fmt.Errorf("%w: %w", ErrNotWritten, err)
		}
		w.log.Error("database write failed", "error", err, "writes", len(members))
	}
	for _, wr := range members {
		if err != nil {
			wr.err = err
		}
		close(wr.turn)
	}
}

// attempt runs the members of a group, from the first until next has no more,
// in one transaction.
func (w *writer) attempt(ctx context.Context, careful bool, next func(i int) *write) error {
	if err := w.conn.begin(ctx); err != nil {
		w.conn.rollback(ctx)
		return err
	}
	for i := 0; ; i++ {
		wr := next(i)
		if wr == nil {
			break
		}
		if wr.gone {
			continue
		}
		own, err := w.conn.try(ctx, careful, func() error { return w.give(wr) })
		if err != nil {
			w.conn.rollback(ctx)
			return err
		}
		wr.err = own
	}
	start := time.Now()
	err := w.conn.commit(ctx)
	w.metrics.commit(time.Since(start), err)
	if err != nil {
		w.conn.rollback(ctx)
	}
	return err
}

// give gives a write its turn and returns what its function said.
func (w *writer) give(wr *write) error {
	wr.turn <- w.conn
	err := <-wr.back
	wr.gone = errors.Is(err, errAborted)
	return err
}

func at(members []*write, i int) *write {
	if i < len(members) {
		return members[i]
	}
	return nil
}

// pause keeps two writers that were in each other's way from meeting again.
func pause(try int) {
	<-time.After(time.Duration(try*try) * time.Duration(10+rand.IntN(20)) * time.Millisecond)
}
