package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	// The keys of the advisory locks: of whoever writes, and of whoever
	// migrates. They spell patrolW and patrolM.
	writeLock   = 0x70_61_74_72_6f_6c_57
	migrateLock = 0x70_61_74_72_6f_6c_4d
	// answerTime is how long the writer waits for a statement's answer.
	answerTime = 30 * time.Second
	// oldest is the oldest PostgreSQL that the tests run on.
	oldest = 15
)

// postgres is the address of a PostgreSQL database.
type postgres struct{ config *pgx.ConnConfig }

func newPostgres(rawURL string) (engine, error) {
	c, err := pgx.ParseConfig(rawURL)
	if err != nil {
		// The error itself may repeat the password.
		return nil, errors.New("database URL: this is no address of PostgreSQL; want postgres://user@host:5432/database?sslmode=verify-full (in a password write / @ : and % as %2F %40 %3A and %25)")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "patrol"
	}
	return postgres{c}, nil
}

func (e postgres) open(ctx context.Context, p purpose) (*sql.DB, error) {
	config := e.config.Copy()
	var pool *sql.DB
	switch p {
	case forMigrating:
		pool = stdlib.OpenDB(*config)
	case forReading:
		// Pages are read with filters that come and go: a plan for all of
		// them fits none.
		config.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
		pool = sql.OpenDB(pipelines{Connector: stdlib.GetConnector(*config)})
	default:
		// A writer that was stopped in the middle lets the others on.
		config.RuntimeParams["idle_in_transaction_session_timeout"] = "10s"
		pool = sql.OpenDB(pipelines{Connector: stdlib.GetConnector(*config), limit: answerTime})
	}
	if err := check(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), pool.Close())
	}
	return pool, nil
}

// check refuses a server that would not keep what it was given.
func check(ctx context.Context, pool *sql.DB) error {
	var version int
	var encoding, fsync, synchronous string
	if err := pool.QueryRowContext(ctx, `SELECT CAST(current_setting('server_version_num') AS INTEGER) / 10000,
		current_setting('server_encoding'), current_setting('fsync'), current_setting('synchronous_commit')`,
	).Scan(&version, &encoding, &fsync, &synchronous); err != nil {
		return err
	}
	switch {
	case version < oldest:
		return fmt.Errorf("PostgreSQL %d is too old: %d or newer is needed", version, oldest)
	case encoding != "UTF8":
		return fmt.Errorf("the database keeps text as %s: make it with ENCODING 'UTF8'", encoding)
	case fsync == "off" || synchronous == "off":
		return errors.New("PostgreSQL answers before its answer is on disk: set fsync and synchronous_commit to on")
	}
	return nil
}

func (postgres) readOnly() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

func (postgres) migrate(ctx context.Context, pool *sql.DB, files fs.FS, fn func(goose.Dialect, fs.FS) error) error {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { throwAway(conn) }() // and the lock with it
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrateLock)); err != nil {
		return fmt.Errorf("wait for another gateway that migrates: %w", err)
	}
	return fn(goose.DialectPostgres, translated{files})
}

func (postgres) newWriter(pool *sql.DB) connection { return &postgresConn{pool: pool} }

// errLost says that the connection went before anything was committed.
var errLost = errors.New("the connection to the database was lost")

// postgresConn is the writer's connection to PostgreSQL. Its transaction
// begins with a lock that all gateways of a database share: the record has one
// writer at a time, as on SQLite, so that what a write has read holds until
// its commit and no two can wait for each other.
//
// Savepoints cost PostgreSQL a transaction number each and its readers time.
// So a group first runs without, and only where a write fails that has changed
// something, the group runs anew with a savepoint for each.
type postgresConn struct {
	pool *sql.DB
	conn *sql.Conn // nil until needed, and after it was lost
	pipe *pipeline // conn's

	kept  bool // the transaction holds the work of a write that went well
	wrote bool // the write whose turn it is may have changed something
	stale bool // what was read ahead may not hold any more
}

func (c *postgresConn) begin(ctx context.Context) error {
	if c.conn != nil && c.pipe.lost() {
		c.discard()
	}
	if c.conn == nil {
		conn, err := c.pool.Conn(ctx)
		if err == nil {
			err = conn.Raw(func(pipe any) error { c.pipe = pipe.(*pipeline); return nil })
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errLost, err)
		}
		c.conn = conn
	}
	c.kept, c.stale = false, true
	return errors.Join(
		c.pipe.later(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),
		c.pipe.later(ctx, "SELECT pg_advisory_xact_lock($1)", int64(writeLock)))
}

// ahead asks all that is to be asked ahead in one round trip. Of the writes
// with one key only the first gets an answer: it may change what the others
// are to read.
func (c *postgresConn) ahead(ctx context.Context, writes []*write) error {
	asked := map[string]bool{}
	var questions []*write
	for _, wr := range writes {
		if wr.ahead != nil && !asked[wr.ahead.Key] {
			asked[wr.ahead.Key] = true
			questions = append(questions, wr)
		}
	}
	if len(questions) < 2 {
		return nil // it costs the same later
	}
	asks := make([]*answer, len(questions))
	for i, wr := range questions {
		wr.ready = &answer{query: wr.ahead.Query, args: wr.ahead.Args}
		asks[i] = wr.ready
	}
	if err := c.pipe.ask(ctx, asks); err != nil {
		if !c.pipe.lost() && !c.again(err) {
			return errTogether // whose fault it is will show
		}
		return c.orLost(err)
	}
	c.stale = false
	return nil
}

func (c *postgresConn) try(ctx context.Context, careful bool, wr *write) (own, err error) {
	if careful {
		return c.tryCarefully(ctx, wr)
	}
	c.wrote = false
	if !c.stale && wr.ready != nil {
		c.pipe.ready = []*answer{wr.ready}
	}
	own = wr.give(c)
	c.pipe.ready = nil
	c.stale = c.stale || c.wrote && wr.ahead == nil
	switch {
	case own == nil:
		c.kept = true
		return nil, nil
	case c.pipe.lost() || c.again(own):
		return own, c.orLost(own)
	case !c.wrote && c.pipe.status() != 'E':
		return own, nil // there is nothing to take back
	case c.kept:
		return own, errTogether
	}
	c.rollback(ctx)
	return own, c.begin(ctx)
}

func (c *postgresConn) tryCarefully(ctx context.Context, wr *write) (own, err error) {
	if _, err := c.pipe.exec(ctx, "SAVEPOINT one", nil); err != nil {
		return nil, c.orLost(err)
	}
	own = wr.give(c)
	c.pipe.ready = nil
	if own == nil {
		// Its last statements go along, and may fail.
		_, own = c.pipe.exec(ctx, "RELEASE SAVEPOINT one", nil)
	}
	switch {
	case own == nil:
		return nil, nil
	case c.pipe.lost() || c.again(own):
		return own, c.orLost(own)
	}
	c.pipe.queued = nil
	if _, err := c.pipe.exec(ctx, "ROLLBACK TO SAVEPOINT one", nil); err != nil {
		return own, c.orLost(err)
	}
	return own, c.pipe.later(ctx, "RELEASE SAVEPOINT one")
}

func (c *postgresConn) commit(ctx context.Context) error {
	if c.pipe.status() == 'E' {
		return errTogether // a write has not told of its statement's error
	}
	tag, err := c.pipe.exec(ctx, "COMMIT", nil)
	if err == nil && tag.String() != "COMMIT" {
		err = fmt.Errorf("PostgreSQL answered the commit with %s", tag)
	}
	var unsent pgx.ErrPreprocessingBatch
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case c.again(err):
		return err
	case pgconn.SafeToRetry(err):
		return fmt.Errorf("%w: %w", errLost, err)
	case errors.As(err, &unsent) || c.pipe.status() == 'E':
		return errTogether // it was a statement before the commit
	case errors.As(err, &refused) && refused.SeverityUnlocalized == "ERROR":
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

func (c *postgresConn) rollback(ctx context.Context) {
	if c.conn == nil {
		return
	}
	c.pipe.queued = nil
	if c.pipe.status() == 'I' && !c.pipe.lost() {
		return // it never began
	}
	if _, err := c.pipe.exec(ctx, "ROLLBACK", nil); err != nil {
		c.discard()
	}
}

func (c *postgresConn) discard() {
	throwAway(c.conn)
	c.conn, c.pipe = nil, nil
}

// again is true for what another program may cause that has nothing to do
// with the writer's lock, and for a connection that went before the commit.
func (c *postgresConn) again(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01") { // serialization failure, deadlock
		return true
	}
	return errors.Is(err, errLost)
}

// orLost adds to an error that the connection went with it.
func (c *postgresConn) orLost(err error) error {
	if c.pipe.lost() {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

func (c *postgresConn) ask(ctx context.Context, args []any, queries []string) error {
	asks := make([]*answer, len(queries))
	for i, q := range queries {
		asks[i] = &answer{query: q, args: args}
	}
	err := c.pipe.ask(ctx, asks)
	c.pipe.ready = asks
	return err
}

func (c *postgresConn) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	c.changes()
	return c.conn.ExecContext(ctx, query, args...)
}

func (c *postgresConn) later(ctx context.Context, query string, args []any) error {
	c.changes()
	return c.pipe.later(ctx, query, args...)
}

func (c *postgresConn) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if !reads(query) {
		c.changes()
	}
	return c.conn.QueryContext(ctx, query, args...)
}

func (c *postgresConn) queryRow(ctx context.Context, query string, args []any) *sql.Row {
	if !reads(query) {
		c.changes()
	}
	return c.conn.QueryRowContext(ctx, query, args...)
}

// changes notes that the write changes something: what it asked before does
// not hold any more.
func (c *postgresConn) changes() { c.wrote, c.pipe.ready = true, nil }

// reads tells whether a statement surely changes nothing.
func reads(query string) bool {
	verb, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	return strings.EqualFold(verb, "SELECT")
}

func (c *postgresConn) close() error {
	var err error
	if c.conn != nil {
		err = c.conn.Close()
	}
	return errors.Join(err, c.pool.Close())
}
