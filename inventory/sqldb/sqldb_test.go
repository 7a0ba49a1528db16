package sqldb_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv("SQLDB_CRASH_CHILD"); url != "" {
		crashChild(url)
		return
	}
	goleak.VerifyTestMain(sqldbtest.M{M: m})
}

var migrations = fstest.MapFS{"sqlite/0001_things.sql": {Data: []byte(`-- +goose Up
CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
	parent INTEGER REFERENCES things(id) DEFERRABLE INITIALLY DEFERRED) STRICT;
`)}}

// open opens a database; "" is a new SQLite file.
func open(tb testing.TB, o sqldb.Options) *sqldb.DB {
	tb.Helper()
	if o.URL == "" {
		o.URL = sqldbtest.URL(tb, "sqlite")
	}
	db, err := sqldb.Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := db.Migrate(context.Background(), "things", migrations); err != nil {
		tb.Fatal(err)
	}
	return db
}

// onEach runs a test on each engine, under a clock of its own. The network is
// no part of such a world, but nothing waits for the clock while an answer of
// PostgreSQL is under way.
func onEach(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) { test(t, url) })
	})
}

const insertThing = `INSERT INTO things (id, name, parent) SELECT coalesce(max(id), 0) + 1, $1, $2 FROM things`

func insert(ctx context.Context, name string) func(*sqldb.Tx) error {
	return func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, insertThing, name, nil)
		return err
	}
}

// later is insert by a statement that nobody waits for.
func later(ctx context.Context, name string) func(*sqldb.Tx) error {
	return func(tx *sqldb.Tx) error { return tx.Later(ctx, insertThing, name, nil) }
}

func names(tb testing.TB, db *sqldb.DB) []string {
	tb.Helper()
	var all []string
	if err := db.Read(context.Background(), func(tx *sqldb.Tx) (err error) {
		all, err = sqldb.All(context.Background(), tx, func(r *sql.Rows) (s string, err error) {
			return s, r.Scan(&s)
		}, `SELECT name FROM things ORDER BY id`)
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	return all
}

func wantNames(tb testing.TB, db *sqldb.DB, want ...string) {
	tb.Helper()
	if got := names(tb, db); strings.Join(got, " ") != strings.Join(want, " ") {
		tb.Errorf("in the database: %q, want %q", got, want)
	}
}

func TestOpenRefuses(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://u:s3cret@ho st/db":                         "no address of PostgreSQL",
		"postgres://u:s3/cret@host/db":                         "no address of PostgreSQL",
		"postgres://u:s3cret@[::1/db":                          "no address of PostgreSQL",
		"postgres://u:s3cret@127.0.0.1:1/db?connect_timeout=2": "refused",
		"mysql://u:s3cret@host/db":                             "want sqlite:",
		"/var/lib/patrol.db":                                   "want sqlite:",
		"sqlite:":                                              "needs a file",
		"sqlite::memory:":                                      "needs a file",
		"sqlite://host/patrol.db":                              "a host makes no sense",
		"sqlite:" + "/nowhere/at/all.x":                        "does the folder /nowhere/at exist",
	} {
		_, err := sqldb.Open(t.Context(), sqldb.Options{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: got %v, want an error with %q and no password", url, err, want)
		}
	}
}

func TestSettings(t *testing.T) {
	// A path with characters that mean something in a URL.
	path := filepath.Join(t.TempDir(), "a b?c#d%20.db")
	db := open(t, sqldb.Options{URL: "sqlite:" + path})
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want it to be the owner's alone", name, info.Mode())
		}
	}
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"}
	check := func(tx *sqldb.Tx) error {
		for pragma, v := range want {
			var got string
			if err := tx.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
				return err
			}
			if got != v {
				t.Errorf("PRAGMA %s = %s, want %s", pragma, got, v)
			}
		}
		return nil
	}
	if err := db.Write(t.Context(), check); err != nil {
		t.Error(err)
	}
	if err := db.Read(t.Context(), check); err != nil {
		t.Error(err)
	}
}

func TestGroup(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		t.Helper()
		reg := prometheus.NewPedanticRegistry()
		db := open(t, sqldb.Options{URL: url, Registerer: reg})
		ctx := t.Context()
		errs := group(t, db,
			insert(ctx, "a"),
			insert(ctx, "a"), // fails by itself
			func(tx *sqldb.Tx) error {
				if err := insert(ctx, "c")(tx); err != nil {
					return err
				}
				return errors.New("on second thought")
			},
			insert(ctx, "d"),
		)
		if err := errors.Join(errs[0], errs[1], errs[4]); err != nil {
			t.Errorf("the good ones: %v", err)
		}
		if errs[2] == nil || !strings.Contains(strings.ToLower(errs[2].Error()), "unique") {
			t.Errorf("the duplicate: %v", errs[2])
		}
		if errs[3] == nil || errs[3].Error() != "on second thought" {
			t.Errorf("the one that changed its mind: %v", errs[3])
		}
		wantNames(t, db, "first", "a", "d")
		if n := testutil.CollectAndCount(reg, "patrol_sql_commit_seconds"); n != 1 {
			t.Errorf("%d commit histograms", n)
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(`# HELP patrol_sql_writes_total Write functions whose group was committed.
# TYPE patrol_sql_writes_total counter
patrol_sql_writes_total 5
`), "patrol_sql_writes_total"); err != nil {
			t.Error(err)
		}
	})
}

// group runs writes that all wait at once, in order, behind a first one,
// whose error comes first.
func group(t *testing.T, db *sqldb.DB, fns ...func(*sqldb.Tx) error) []error {
	t.Helper()
	errs := make([]error, 1+len(fns))
	open := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		errs[0] = db.Write(t.Context(), func(tx *sqldb.Tx) error {
			<-open
			return insert(t.Context(), "first")(tx)
		})
	})
	synctest.Wait()
	for i, fn := range fns {
		wg.Go(func() { errs[1+i] = db.Write(t.Context(), fn) })
		synctest.Wait()
	}
	close(open)
	wg.Wait()
	return errs
}

func TestCommitFailsForAll(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		t.Helper()
		db := open(t, sqldb.Options{URL: url})
		ctx := t.Context()
		errs := group(t, db, insert(ctx, "a"), func(tx *sqldb.Tx) error {
			// A deferred constraint is checked by the commit only.
			_, err := tx.ExecContext(ctx, insertThing, "orphan", 99)
			return err
		}, func(*sqldb.Tx) error { return errors.New("mine") })
		for _, err := range errs {
			if !errors.Is(err, sqldb.ErrNotWritten) {
				t.Errorf("got %v, want the failed commit", err)
			}
		}
		wantNames(t, db)
		if err := db.Write(ctx, insert(ctx, "later")); err != nil {
			t.Errorf("the next group: %v", err)
		}
		wantNames(t, db, "later")
	})
}

func TestCancelWhileWaiting(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		t.Helper()
		db := open(t, sqldb.Options{URL: url})
		ctx, cancel := context.WithCancel(t.Context())
		open := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := db.Write(ctx, func(tx *sqldb.Tx) error {
				<-open
				// Begun: ctx no longer matters.
				return insert(ctx, "begun")(tx)
			}); err != nil {
				t.Errorf("the write that had begun: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := db.Write(ctx, insert(ctx, "waiting")); !errors.Is(err, context.Canceled) {
				t.Errorf("the write that waited: %v", err)
			}
		})
		wg.Go(func() {
			if err := db.Write(t.Context(), insert(t.Context(), "neighbour")); err != nil {
				t.Errorf("its neighbour: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(open)
		wg.Wait()
		wantNames(t, db, "begun", "neighbour")
	})
}

func TestPanicTakesNobodyAlong(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := open(t, sqldb.Options{URL: url})
		ctx := t.Context()
		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v, want the function's own panic", r)
				}
			}()
			_ = db.Write(ctx, func(tx *sqldb.Tx) error {
				if err := insert(ctx, "half")(tx); err != nil {
					t.Error(err)
				}
				panic("boom")
			})
		}()
		if err := db.Write(ctx, insert(ctx, "next")); err != nil {
			t.Error(err)
		}
		wantNames(t, db, "next")
	})
}

func TestTxEnds(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := open(t, sqldb.Options{URL: url})
		ctx := t.Context()
		var kept *sqldb.Tx
		keep := func(tx *sqldb.Tx) error { kept = tx; return nil }
		for name, run := range map[string]func(context.Context, func(*sqldb.Tx) error) error{"write": db.Write, "read": db.Read} {
			if err := run(ctx, keep); err != nil {
				t.Fatal(err)
			}
			if err := insert(ctx, "late")(kept); err == nil {
				t.Errorf("%s: a transaction that had ended took a statement", name)
			}
			var s string
			if err := kept.QueryRowContext(ctx, `SELECT 'x'`).Scan(&s); err == nil {
				t.Errorf("%s: a transaction that had ended answered", name)
			}
		}
		wantNames(t, db)
	})
}

func TestReadCannotWrite(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := open(t, sqldb.Options{URL: url})
		if err := db.Read(t.Context(), insert(t.Context(), "x")); err == nil {
			t.Error("a read wrote")
		}
		wantNames(t, db)
	})
}

func TestTimeOfTx(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		at := time.Date(2026, 11, 23, 3, 0, 0, 123456789, time.FixedZone("", 8*3600))
		db := open(t, sqldb.Options{URL: url, Clock: func() time.Time { return at }})
		want := at.UTC().Truncate(time.Microsecond)
		for _, run := range []func(context.Context, func(*sqldb.Tx) error) error{db.Write, db.Read} {
			if err := run(t.Context(), func(tx *sqldb.Tx) error {
				if tx.Now != want || sqldb.Time(sqldb.Micros(tx.Now)) != want {
					t.Errorf("now is %v, want %v", tx.Now, want)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestMigrate(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := open(t, sqldb.Options{URL: url})
		ctx := t.Context()
		if err := db.Migrate(ctx, "things", migrations); err != nil {
			t.Errorf("a second time: %v", err)
		}
		newer := fstest.MapFS{
			"sqlite/0001_things.sql": migrations["sqlite/0001_things.sql"],
			"sqlite/0002_more.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE more (id INTEGER PRIMARY KEY) STRICT;\n")},
		}
		if err := db.Migrate(ctx, "things", newer); err != nil {
			t.Fatal(err)
		}
		other := fstest.MapFS{"sqlite/0001_other.sql": {Data: []byte("-- +goose Up\nCREATE TABLE other (id INTEGER PRIMARY KEY) STRICT;\n")}}
		if err := db.Migrate(ctx, "other", other); err != nil {
			t.Errorf("a set of its own: %v", err)
		}
		if err := db.Migrate(ctx, "things", migrations); err == nil || !strings.Contains(err.Error(), "start the newer program") {
			t.Errorf("an older program on a newer database: %v", err)
		}
		bad := fstest.MapFS{"sqlite/0001_bad.sql": {Data: []byte("-- +goose Up\nCREATE TABLE half (id INTEGER PRIMARY KEY) STRICT;\nCREATE TABLE oops (;\n")}}
		if err := db.Migrate(ctx, "bad", bad); err == nil {
			t.Error("a broken migration passed")
		}
		if err := db.Write(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(ctx, `CREATE TABLE half (id BIGINT PRIMARY KEY)`)
			return err
		}); err != nil {
			t.Errorf("half of a broken migration stayed: %v", err)
		}
		for _, set := range []string{"", "Things", "a;b"} {
			if err := db.Migrate(ctx, set, migrations); err == nil {
				t.Errorf("set name %q passed", set)
			}
		}
	})
}

func TestClose(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db := open(t, sqldb.Options{URL: url})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := db.Write(t.Context(), insert(t.Context(), "x")); !errors.Is(err, sqldb.ErrClosed) {
			t.Errorf("write: %v", err)
		}
		if err := db.Read(t.Context(), insert(t.Context(), "x")); !errors.Is(err, sqldb.ErrClosed) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestCloseWaitsForReads(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		t.Helper()
		db := open(t, sqldb.Options{URL: url})
		release, closed := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
				<-release
				var n int
				return tx.QueryRowContext(t.Context(), `SELECT count(*) FROM things`).Scan(&n)
			}); err != nil {
				t.Errorf("the read that had begun: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			defer close(closed)
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed under a reader")
		default:
		}
		close(release)
		wg.Wait()
	})
}

// TestKill proves that what was answered is there after SIGKILL.
func TestKill(t *testing.T) {
	sqldbtest.Each(t, testKill)
}

func testKill(t *testing.T, url string) {
	t.Helper()
	for round := range 3 {
		answered := runAndKill(t, url, 300)
		db := open(t, sqldb.Options{URL: url})
		there := map[string]bool{}
		for _, n := range names(t, db) {
			there[n] = true
		}
		for _, n := range answered {
			if !there[n] {
				t.Fatalf("round %d: %s was answered and is gone", round, n)
			}
		}
		if strings.HasPrefix(url, "sqlite:") {
			integrity(t, db)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func integrity(t *testing.T, db *sqldb.DB) {
	t.Helper()
	if err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
		var s string
		err := tx.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&s)
		if err == nil && s != "ok" {
			t.Errorf("integrity: %s", s)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// runAndKill starts a writing child, kills it once it has told of n answers,
// and returns every answer it told of.
func runAndKill(t *testing.T, url string, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), "SQLDB_CRASH_CHILD="+url)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var answered []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		answered = append(answered, lines.Text())
		if len(answered) == n {
			if err := child.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := child.Wait(); err == nil || len(answered) < n {
		t.Fatalf("the child ended by itself after %d answers: %v", len(answered), err)
	}
	return answered
}

// crashChild writes in groups until it is killed, and tells of each answer.
func crashChild(url string) {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, sqldb.Options{URL: url})
	if err == nil {
		err = db.Migrate(ctx, "things", migrations)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(w) + "-" + strconv.Itoa(i)
				if err := db.Write(ctx, insert(ctx, name)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(2)
				}
				// One write call a line: the pipe keeps lines whole.
				_, _ = os.Stdout.WriteString(name + "\n")
			}
		})
	}
	wg.Wait()
}

func BenchmarkWrite(b *testing.B) {
	for _, engine := range sqldbtest.Engines() {
		for _, callers := range []int{1, 20, 200} {
			b.Run(fmt.Sprintf("%s/callers=%d", engine, callers), func(b *testing.B) {
				db := open(b, sqldb.Options{URL: sqldbtest.URL(b, engine)})
				ctx := b.Context()
				jobs := make(chan int)
				var wg sync.WaitGroup
				for range callers {
					wg.Go(func() {
						for i := range jobs {
							if err := db.Write(ctx, func(tx *sqldb.Tx) error {
								return tx.Later(ctx, `INSERT INTO things (id, name) VALUES ($1, $2)`, i, strconv.Itoa(i))
							}); err != nil {
								b.Error(err)
							}
						}
					})
				}
				for i := 0; b.Loop(); i++ {
					jobs <- i
				}
				close(jobs)
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			})
		}
	}
}
