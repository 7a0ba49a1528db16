package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
)

// TestTwoWriters: two gateways write to one database, each what it read
// before, and lose nothing of each other's.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	address := sqldbtest.URL(t, "postgres")
	const callers, each = 8, 25
	var wg sync.WaitGroup
	for gateway := range 2 {
		db := open(t, sqldb.Options{URL: address})
		for caller := range callers {
			wg.Go(func() {
				for i := range each {
					if err := db.Write(t.Context(), insert(t.Context(), fmt.Sprint(gateway, caller, i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if got := names(t, open(t, sqldb.Options{URL: address})); len(got) != 2*callers*each {
		t.Errorf("%d rows of %d", len(got), 2*callers*each)
	}
}

// TestMigrateAtOnce: gateways that start together migrate once.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	address := sqldbtest.URL(t, "postgres")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { open(t, sqldb.Options{URL: address}) })
	}
	wg.Wait()
}

// TestRunsAgain: what another program may cause, and a connection that goes
// before the commit, is the caller's business no more than his neighbours'.
func TestRunsAgain(t *testing.T) {
	for name, statement := range map[string]string{
		"serialization": `DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$`,
		"deadlock":      `DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$`,
		"lost":          `SELECT pg_terminate_backend(pg_backend_pid())`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, ctx := open(t, sqldb.Options{URL: sqldbtest.URL(t, "postgres")}), t.Context()
			runs := 0
			errs := together(t, db, later(ctx, "a"), func(tx *sqldb.Tx) error {
				if runs++; runs < 3 {
					if _, err := tx.ExecContext(ctx, statement); err != nil {
						return fmt.Errorf("wrapped: %w", err)
					}
				}
				return insert(ctx, "b")(tx)
			}, insert(ctx, "c"))
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
			wantNames(t, db, "first", "a", "b", "c")
			if runs != 3 {
				t.Errorf("ran %d times", runs)
			}
		})
	}
	t.Run("for ever", func(t *testing.T) {
		t.Parallel()
		db := open(t, sqldb.Options{URL: sqldbtest.URL(t, "postgres")})
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(t.Context(), `DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$`)
			return err
		})
		if !errors.Is(err, sqldb.ErrNotWritten) {
			t.Errorf("got %v", err)
		}
		if err := db.Write(t.Context(), insert(t.Context(), "next")); err != nil {
			t.Error(err)
		}
		wantNames(t, db, "next")
	})
}

// together runs writes that are in one group, behind a first one, whose error
// comes first.
func together(t *testing.T, db *sqldb.DB, fns ...func(*sqldb.Tx) error) []error {
	t.Helper()
	errs := make([]error, 1+len(fns))
	var wg sync.WaitGroup
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	wg.Go(func() {
		errs[0] = db.Write(t.Context(), func(tx *sqldb.Tx) error {
			once.Do(func() {
				close(begun)
				<-release
			})
			return insert(t.Context(), "first")(tx)
		})
	})
	<-begun
	for i, fn := range fns {
		wg.Go(func() { errs[1+i] = db.Write(t.Context(), fn) })
		time.Sleep(20 * time.Millisecond) // until it waits
	}
	close(release)
	wg.Wait()
	return errs
}

// TestUnknown: an answer to the commit that does not arrive is neither success
// nor failure.
func TestUnknown(t *testing.T) {
	t.Parallel()
	address, cut := cutter(t, sqldbtest.URL(t, "postgres"))
	db, ctx := open(t, sqldb.Options{URL: address}), t.Context()
	if err := db.Write(ctx, later(ctx, "before")); err != nil { // prepares the statements
		t.Fatal(err)
	}
	err := db.Write(ctx, func(tx *sqldb.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM things`).Scan(&n); err != nil {
			return err
		}
		cut.Store(true)
		return later(ctx, "unknown")(tx)
	})
	if !errors.Is(err, sqldb.ErrUnknown) || errors.Is(err, sqldb.ErrNotWritten) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	cut.Store(false)
	if err := db.Write(ctx, later(ctx, "after")); err != nil {
		t.Errorf("the next write: %v", err)
	}
	wantNames(t, db, "before", "unknown", "after")
}

// cutter stands between a gateway and its server. Once cut, it passes on what
// the gateway says and hangs up instead of passing on the answer.
func cutter(t *testing.T, address string) (string, *atomic.Bool) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var cut atomic.Bool
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", socket)
			if err != nil {
				t.Error(err)
				return
			}
			all.Go(func() {
				_, _ = io.Copy(server, client)
				_ = server.Close()
			})
			all.Go(func() {
				defer client.Close()
				b := make([]byte, 1<<16)
				for {
					n, err := server.Read(b)
					if err != nil || cut.Load() {
						return
					}
					if _, err := client.Write(b[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	u.Host = listener.Addr().String()
	u.RawQuery = "sslmode=disable&user=patrol"
	return u.String(), &cut
}

// TestOpenRefusesServers: a server that would answer too early, or garble.
func TestOpenRefusesServers(t *testing.T) {
	t.Parallel()
	address := sqldbtest.URL(t, "postgres")
	for options, want := range map[string]string{
		"-c synchronous_commit=off": "set fsync and synchronous_commit to on",
	} {
		_, err := sqldb.Open(t.Context(), sqldb.Options{URL: address + "&options=" + strings.ReplaceAll(url.QueryEscape(options), "+", "%20")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", options, err, want)
		}
	}
}

// TestLaterMany: more statements than are kept back at once.
func TestLaterMany(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, address string) {
		t.Helper()
		db, ctx := open(t, sqldb.Options{URL: address}), t.Context()
		if err := db.Write(ctx, func(tx *sqldb.Tx) error {
			for i := range 1000 {
				if err := later(ctx, fmt.Sprint(i))(tx); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n := len(names(t, db)); n != 1000 {
			t.Errorf("%d rows", n)
		}
		// The last of them fails, and a neighbour has nothing to do with it.
		errs := together(t, db, func(tx *sqldb.Tx) error {
			return errors.Join(later(ctx, "x")(tx), later(ctx, "7")(tx))
		}, later(ctx, "y"))
		if errs[0] != nil || errs[1] == nil || errs[2] != nil {
			t.Errorf("errors %v, want one for the duplicate", errs)
		}
		got := names(t, db)
		if n := len(got); n != 1002 || got[1000] != "first" || got[1001] != "y" {
			t.Errorf("%d rows, at the end %q", n, got[1000:])
		}
	})
}

// TestReadersSeeOneState: what commits while a reader reads is not there for
// it, and a migration does not wait for it.
func TestReadersSeeOneState(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, address string) {
		t.Helper()
		db, ctx := open(t, sqldb.Options{URL: address}), context.Background()
		count := func(tx *sqldb.Tx) (n int) {
			t.Helper()
			if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM things`).Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		if err := db.Read(ctx, func(tx *sqldb.Tx) error {
			before := count(tx)
			if err := db.Write(ctx, insert(ctx, "meanwhile")); err != nil {
				return err
			}
			if n := count(tx); n != before {
				t.Errorf("saw %d rows, then %d", before, n)
			}
			return db.Migrate(ctx, "other", fstest.MapFS{"sqlite/0001_other.sql": {Data: []byte("-- +goose Up\nCREATE TABLE other (id INTEGER PRIMARY KEY) STRICT;\n")}})
		}); err != nil {
			t.Error(err)
		}
		wantNames(t, db, "meanwhile")
	})
}

// TestAhead: what is read ahead is what the write itself would have read,
// whoever changed it before within the group.
func TestAhead(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, address string) {
		t.Helper()
		db, ctx := open(t, sqldb.Options{URL: address}), t.Context()
		if err := db.Write(ctx, func(tx *sqldb.Tx) error {
			for i, name := range []string{"a", "b", "c", "d", "e"} {
				if err := tx.Later(ctx, `INSERT INTO things (id, name, parent) VALUES ($1, $2, 1)`, i+1, name); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		const parent = `SELECT parent FROM things WHERE name = $1`
		// move makes a thing's parent the next one, if it is what it should be.
		move := func(name string, from int) error {
			return db.WriteAhead(ctx, sqldb.Ahead{Key: name, Query: parent, Args: []any{name}}, func(tx *sqldb.Tx) error {
				for want := from; want < from+2; want++ { // the second time it has changed it itself
					var got int
					if err := tx.QueryRowContext(ctx, parent, name).Scan(&got); err != nil {
						return err
					}
					if got != want {
						return fmt.Errorf("parent of %s is %d, want %d", name, got, want)
					}
					if err := tx.Later(ctx, `UPDATE things SET parent = $1 WHERE name = $2`, want+1, name); err != nil {
						return err
					}
				}
				return nil
			})
		}
		errs := make([]error, 7)
		var wg sync.WaitGroup
		begun, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		wg.Go(func() {
			errs[0] = db.Write(ctx, func(*sqldb.Tx) error {
				once.Do(func() {
					close(begun)
					<-release
				})
				return nil
			})
		})
		<-begun
		for i, fn := range []func() error{
			func() error { return move("a", 1) },
			func() error { return move("b", 1) },
			func() error { return move("a", 3) }, // after its neighbour with the same key
			func() error { // without a key: what was read of c does not hold any more
				return db.Write(ctx, func(tx *sqldb.Tx) error {
					return tx.Later(ctx, `UPDATE things SET parent = 2 WHERE name = $1`, "c")
				})
			},
			func() error { return move("c", 2) },
			func() error { return move("nobody", 1) }, // fails alone
		} {
			wg.Go(func() { errs[1+i] = fn() })
			time.Sleep(20 * time.Millisecond) // until it waits
		}
		close(release)
		wg.Wait()
		if err := errors.Join(errs[:6]...); err != nil {
			t.Error(err)
		}
		if !errors.Is(errs[6], sql.ErrNoRows) {
			t.Errorf("a thing that is not there: %v", errs[6])
		}
		got := map[string]int{}
		if err := db.Read(ctx, func(tx *sqldb.Tx) error {
			_, err := sqldb.All(ctx, tx, func(r *sql.Rows) (struct{}, error) {
				var name string
				var parent int
				err := r.Scan(&name, &parent)
				got[name] = parent
				return struct{}{}, err
			}, `SELECT name, parent FROM things`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"a": 5, "b": 3, "c": 4, "d": 1, "e": 1}; !maps.Equal(got, want) {
			t.Errorf("parents %v, want %v", got, want)
		}
	})
}

// TestAsk: queries that were announced answer as if they had not been, also
// after the write has changed something.
func TestAsk(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, address string) {
		t.Helper()
		db, ctx := open(t, sqldb.Options{URL: address}), t.Context()
		const count, name = `SELECT COUNT(*) FROM things WHERE id >= $1`, `SELECT name FROM things WHERE id = $1`
		check := func(tx *sqldb.Tx) error {
			if err := insert(ctx, "first")(tx); err != nil {
				return err
			}
			if err := tx.Ask(ctx, []any{1}, count, name); err != nil {
				return err
			}
			var n int
			var s string
			if err := tx.QueryRowContext(ctx, name, 1).Scan(&s); err != nil || s != "first" {
				return fmt.Errorf("name %q: %w", s, err)
			}
			if err := tx.QueryRowContext(ctx, count, 2).Scan(&n); err != nil || n != 0 {
				return fmt.Errorf("other arguments: %d: %w", n, err)
			}
			if err := later(ctx, "second")(tx); err != nil {
				return err
			}
			if err := tx.QueryRowContext(ctx, count, 1).Scan(&n); err != nil || n != 2 {
				return fmt.Errorf("after a change: %d: %w", n, err)
			}
			return nil
		}
		if err := db.Write(ctx, check); err != nil {
			t.Error(err)
		}
		if err := db.Read(ctx, func(tx *sqldb.Tx) error { return tx.Ask(ctx, []any{1}, count) }); err != nil {
			t.Errorf("in a read: %v", err)
		}
	})
}

func TestPostgresIsNotUsedCarelessly(t *testing.T) {
	t.Parallel()
	if db, err := sqldb.Open(t.Context(), sqldb.Options{URL: "postgres://db.invalid/patrol", Careless: true}); err == nil {
		t.Errorf("it was opened: %v", db.Close())
	}
}
