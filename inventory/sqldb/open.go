package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	// ErrClosed is returned by Write and Read once the database is closed.
	ErrClosed = errors.New("database is closed")
	// ErrNotWritten is returned by Write when the database, not the function,
	// is why nothing is on disk.
	ErrNotWritten = errors.New("nothing was written")
	// ErrUnknown is returned by Write when the connection to PostgreSQL was
	// lost while it committed: all of the write is on disk, or none of it.
	ErrUnknown = errors.New("it is not known whether the write is on disk")
)

// Options says which database to open, and with what.
type Options struct {
	// URL is "sqlite:" and the path of the database file, which is made,
	// readable by its owner only, when it is not there; or the postgres://
	// address of a PostgreSQL database, 15 or newer.
	URL string
	// Log tells of migrations and of commits that failed; nil is silent.
	Log *slog.Logger
	// Registerer takes the metrics; nil keeps none.
	Registerer prometheus.Registerer
	// Clock gives a transaction its time; nil is time.Now.
	Clock func() time.Time
	// Careless lets SQLite answer before its answer is on disk, so that a test
	// of power cuts can show that it sees what is lost. PostgreSQL refuses.
	Careless bool
}

// engine is what the two kinds of database differ in.
type engine interface {
	// open opens a pool of connections for one purpose.
	open(ctx context.Context, p purpose) (*sql.DB, error)
	// newWriter returns what begins and commits transactions over a pool.
	newWriter(pool *sql.DB) connection
	// readOnly are the options of a reading transaction.
	readOnly() *sql.TxOptions
	// migrate holds off other programs that migrate while fn runs, and hands
	// it the migrations as this engine reads them.
	migrate(ctx context.Context, pool *sql.DB, files fs.FS, fn func(goose.Dialect, fs.FS) error) error
}

// purpose is what a pool of connections is for.
type purpose int

const (
	forWriting purpose = iota
	forReading
	forMigrating
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine  engine
	log     *slog.Logger
	clock   func() time.Time
	metrics *metrics

	readers *sql.DB
	writer  *writer

	closing chan struct{} // closed by Close
	ended   chan struct{} // closed when the writer's goroutine has ended

	mu     sync.Mutex
	closed bool           // no more reads may begin
	reads  sync.WaitGroup // those that have
}

// Open opens the database and starts its writer. Close must be called.
func Open(ctx context.Context, o Options) (*DB, error) {
	e, err := engineOf(o)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	pool, err := e.open(ctx, forWriting)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	readers, err := e.open(ctx, forReading)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	readers.SetMaxOpenConns(max(4, runtime.NumCPU()))
	readers.SetMaxIdleConns(max(4, runtime.NumCPU()))
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, errors.Join(err, readers.Close(), pool.Close())
	}
	db := &DB{
		engine:  e,
		log:     o.Log,
		clock:   o.Clock,
		metrics: m,
		readers: readers,
		writer:  newWriter(e.newWriter(pool), m, o.Log),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	go func() {
		defer close(db.ended)
		db.writer.run(db.closing)
	}()
	return db, nil
}

// engineOf is the engine that the URL names. The URL itself is never repeated:
// it may hold a password.
func engineOf(o Options) (engine, error) {
	scheme, rest, ok := strings.Cut(o.URL, ":")
	switch {
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		if o.Careless {
			return nil, errors.New("PostgreSQL is not used carelessly")
		}
		return newPostgres(o.URL)
	case ok && scheme == "sqlite":
		return newSQLite(rest, o.Careless)
	}
	return nil, errors.New("database URL: want sqlite: and a path, such as sqlite:/var/lib/patrol/patrol.db, or postgres://user@host/database")
}

// Close lets the reads and writes that have begun come to their end, refuses
// those that wait, and returns when nothing of the database runs any more. A
// second Close does nothing. Close must not be called inside a Read or Write.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	db.mu.Unlock()
	close(db.closing)
	db.reads.Wait()
	<-db.ended
	return errors.Join(db.readers.Close(), db.writer.conn.close())
}

// beginRead counts a read in, unless the database is closed.
func (db *DB) beginRead() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if !db.closed {
		db.reads.Add(1)
	}
	return !db.closed
}
