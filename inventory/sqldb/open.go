package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// ErrClosed is returned by Write and Read once the database is closed.
var ErrClosed = errors.New("database is closed")

// Options says which database to open, and with what.
type Options struct {
	// URL is "sqlite:" and the path of the database file, which is made,
	// readable by its owner only, when it is not there.
	URL string
	// Log tells of migrations and of commits that failed; nil is silent.
	Log *slog.Logger
	// Registerer takes the metrics; nil keeps none.
	Registerer prometheus.Registerer
	// Clock gives a transaction its time; nil is time.Now.
	Clock func() time.Time
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	path    string
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
	path, err := sqlitePath(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	pool, err := openPool(ctx, path, url.Values{"_txlock": {"immediate"}})
	if err != nil {
		return nil, err
	}
	readers, err := openPool(ctx, path, url.Values{"_query_only": {"1"}})
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
		path:    path,
		log:     o.Log,
		clock:   o.Clock,
		metrics: m,
		readers: readers,
		writer:  newWriter(pool, m, o.Log),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	go func() {
		defer close(db.ended)
		db.writer.run(db.closing)
	}()
	return db, nil
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
	return errors.Join(db.readers.Close(), db.writer.close())
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

// sqlitePath is the file that a database URL names.
func sqlitePath(rawURL string) (string, error) {
	scheme, path, ok := strings.Cut(rawURL, ":")
	switch {
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return "", errors.New("database URL: PostgreSQL is not supported yet; use sqlite: and a path, such as sqlite:/var/lib/patrol/patrol.db")
	case !ok || scheme != "sqlite":
		// The URL itself is not repeated: it may hold a password.
		return "", errors.New("database URL: want sqlite: and a path, such as sqlite:/var/lib/patrol/patrol.db")
	}
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if !strings.HasPrefix(rest, "/") {
			return "", errors.New("database URL: a host makes no sense for SQLite; use sqlite:/path or sqlite:///path")
		}
		path = rest
	}
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return "", errors.New("database URL: SQLite needs a file that lasts; use a path, such as sqlite:/var/lib/patrol/patrol.db")
	}
	return path, nil
}

// createFile makes the database file before SQLite does, so that it and the
// write-ahead log, which takes the file's mode, are readable by the owner only.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open database: %w (does the folder %s exist, and may this user write there?)", err, filepath.Dir(path))
	}
	return f.Close()
}

// openPool opens a pool of connections that all carry the house's settings.
func openPool(ctx context.Context, path string, extra url.Values) (*sql.DB, error) {
	q := url.Values{
		"_busy_timeout": {"5000"},
		"_foreign_keys": {"1"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		// A burst must not leave a large log behind for ever.
		"_pragma": {"journal_size_limit(67108864)"},
	}
	maps.Copy(q, extra)
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}
	return db, nil
}
