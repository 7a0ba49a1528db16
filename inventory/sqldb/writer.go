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
	// chunkSize bounds how many writes are prepared for at a time.
	chunkSize = 64
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
	// ask runs queries of a write that come next; see Tx.Ask.
	ask(ctx context.Context, args []any, queries []string) error
	// ahead runs the queries that some writes will surely begin with; see
	// DB.WriteAhead.
	ahead(ctx context.Context, writes []*write) error
	// try gives one write of a group its turn so that it fails alone. own is
	// what the write said, err that the transaction is lost. Where careful is
	// not set it may also return errTogether: run the whole group anew, and
	// carefully.
	try(ctx context.Context, careful bool, wr *write) (own, err error)
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
	ahead *Ahead          // nil: nothing is known of it
	ready *answer         // to ahead, for whoever has the turn
	turn  chan connection // closed once err is the outcome
	back  chan error
	err   error
	gone  bool // its caller takes no further turn
}

// give gives a write its turn and returns what its function said.
func (wr *write) give(conn connection) error {
	wr.turn <- conn
	err := <-wr.back
	wr.gone = errors.Is(err, errAborted)
	return err
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
	var members []*write
	err := w.attempt(ctx, false, func() []*write {
		var chunk []*write
		if members == nil {
			chunk = []*write{first}
		}
		if time.Since(begun) < groupTime {
			chunk = w.take(chunk, min(chunkSize, groupSize-len(members)))
		}
		members = append(members, chunk...)
		return chunk
	})
	for n := 1; n < tries && err != nil && (errors.Is(err, errTogether) || w.conn.again(err)); n++ {
		if !errors.Is(err, errTogether) {
			pause(n)
		}
		left := members
		err = w.attempt(ctx, true, func() []*write {
			defer func() { left = nil }()
			return left
		})
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

// take adds writes that wait to a chunk, up to a size.
func (w *writer) take(chunk []*write, size int) []*write {
	for len(chunk) < size {
		select {
		case wr := <-w.queue:
			chunk = append(chunk, wr)
		default:
			return chunk
		}
	}
	return chunk
}

// attempt runs the chunks of a group in one transaction, until next has no
// more.
func (w *writer) attempt(ctx context.Context, careful bool, next func() []*write) (err error) {
	defer func() {
		if err != nil {
			w.conn.rollback(ctx)
		}
	}()
	chunk := next()
	if err := w.conn.begin(ctx); err != nil {
		return err
	}
	for ; len(chunk) > 0; chunk = next() {
		if !careful {
			if err := w.conn.ahead(ctx, chunk); err != nil {
				return err
			}
		}
		for _, wr := range chunk {
			if wr.gone {
				continue
			}
			own, err := w.conn.try(ctx, careful, wr)
			if err != nil {
				return err
			}
			wr.err = own
		}
	}
	start := time.Now()
	err = w.conn.commit(ctx)
	w.metrics.commit(time.Since(start), err)
	return err
}

// pause keeps two writers that were in each other's way from meeting again.
func pause(try int) {
	<-time.After(time.Duration(try*try) * time.Duration(10+rand.IntN(20)) * time.Millisecond)
}
