package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// cachedStatements bounds the prepared statements that the writer keeps.
const cachedStatements = 256

// sqlite is a SQLite file.
type sqlite struct {
	path        string
	synchronous string
}

func newSQLite(path string, careless bool) (engine, error) {
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if !strings.HasPrefix(rest, "/") {
			return nil, errors.New("database URL: a host makes no sense for SQLite; use sqlite:/path or sqlite:///path")
		}
		path = rest
	}
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, errors.New("database URL: SQLite needs a file that lasts; use a path, such as sqlite:/var/lib/patrol/patrol.db")
	}
	if careless {
		return sqlite{path, "OFF"}, nil
	}
	return sqlite{path, "FULL"}, nil
}

// open opens a pool of connections that all carry the house's settings.
func (e sqlite) open(ctx context.Context, p purpose) (*sql.DB, error) {
	if err := createFile(e.path); err != nil {
		return nil, err
	}
	q := url.Values{
		"_busy_timeout": {"5000"},
		"_foreign_keys": {"1"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {e.synchronous},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		// A burst must not leave a large log behind for ever.
		"_pragma": {"journal_size_limit(67108864)"},
	}
	if p == forReading {
		q.Set("_query_only", "1")
	} else {
		// The writer's own cache holds the inner pages of a year's indices.
		q.Add("_pragma", "cache_size(-65536)") // KiB
		q.Set("_txlock", "immediate")
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: e.path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", e.path, err)
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", e.path, err), db.Close())
	}
	return db, nil
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

func (sqlite) readOnly() *sql.TxOptions { return nil } // its readers' connections are

func (sqlite) migrate(_ context.Context, pool *sql.DB, files fs.FS, fn func(goose.Dialect, fs.FS) error) error {
	pool.SetMaxOpenConns(1) // BEGIN IMMEDIATE holds others off
	return fn(goose.DialectSQLite3, files)
}

func (sqlite) newWriter(pool *sql.DB) connection {
	return &sqliteConn{pool: pool, stmts: map[string]*sql.Stmt{}}
}

// sqliteConn is the writer's connection to SQLite, where a savepoint costs
// next to nothing: each write has its own.
type sqliteConn struct {
	pool  *sql.DB
	conn  *sql.Conn // nil until needed, and after a commit that failed
	stmts map[string]*sql.Stmt
}

func (c *sqliteConn) begin(ctx context.Context) error {
	if c.conn == nil {
		conn, err := c.pool.Conn(ctx)
		if err != nil {
			return err
		}
		c.conn = conn
	}
	return c.later(ctx, "BEGIN IMMEDIATE", nil)
}

// Neither have ask and ahead.
func (*sqliteConn) ask(context.Context, []any, []string) error { return nil }

func (*sqliteConn) ahead(context.Context, []*write) error { return nil }

func (c *sqliteConn) try(ctx context.Context, _ bool, wr *write) (own, err error) {
	if err := c.later(ctx, "SAVEPOINT one", nil); err != nil {
		return nil, err
	}
	if own = wr.give(c); own != nil {
		if err := c.later(ctx, "ROLLBACK TO SAVEPOINT one", nil); err != nil {
			// SQLite rolls the whole transaction back by itself when, for
			// one, the disk is full: the function's own error says why.
			return own, errors.Join(own, err)
		}
	}
	return own, c.later(ctx, "RELEASE SAVEPOINT one", nil)
}

func (c *sqliteConn) commit(ctx context.Context) error { return c.later(ctx, "COMMIT", nil) }

func (c *sqliteConn) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	st, err := c.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

func (c *sqliteConn) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	st, err := c.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func (c *sqliteConn) queryRow(ctx context.Context, query string, args []any) *sql.Row {
	st, err := c.stmt(ctx, query)
	if err != nil {
		return c.conn.QueryRowContext(ctx, query, args...) // carries the error
	}
	return st.QueryRowContext(ctx, args...)
}

// later has nothing to gain from waiting here.
func (c *sqliteConn) later(ctx context.Context, query string, args []any) error {
	_, err := c.exec(ctx, query, args)
	return err
}

// statement is a prepared statement that the connection keeps and closes
// itself.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
}

// stmt prepares a statement once for the connection's life.
func (c *sqliteConn) stmt(ctx context.Context, query string) (statement, error) {
	if st := c.stmts[query]; st != nil {
		return st, nil
	}
	if len(c.stmts) >= cachedStatements {
		c.forget()
	}
	st, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = st
	return st, nil
}

func (c *sqliteConn) forget() {
	for _, st := range c.stmts {
		_ = st.Close()
	}
	clear(c.stmts)
}

// rollback throws the connection away, and with it whatever state a failed
// transaction left behind.
func (c *sqliteConn) rollback(context.Context) {
	c.forget()
	throwAway(c.conn)
	c.conn = nil
}

func throwAway(conn *sql.Conn) {
	if conn != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = conn.Close()
	}
}

func (*sqliteConn) again(error) bool { return false }

func (c *sqliteConn) close() error {
	c.forget()
	var err error
	if c.conn != nil {
		err = c.conn.Close()
	}
	return errors.Join(err, c.pool.Close())
}
