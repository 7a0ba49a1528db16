package sqldb_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"videopatrol/inventory/sqldb"
)

// TestAlong: what goes along with another's write is there when that is, once,
// and only then.
func TestAlong(t *testing.T) {
	t.Parallel()
	open := func() *sqldb.DB {
		db, err := sqldb.Open(t.Context(), sqldb.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "along.db")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	db, other := open(), open()
	exec := func(query string) func(*sqldb.Tx) error {
		return func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(t.Context(), query)
			return err
		}
	}
	for _, d := range []*sqldb.DB{db, other} {
		if err := d.Write(t.Context(), exec(`CREATE TABLE seen (what TEXT NOT NULL) STRICT`)); err != nil {
			t.Fatal(err)
		}
	}
	seen := func() (all string) {
		t.Helper()
		if err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
			return tx.QueryRowContext(t.Context(), `SELECT COALESCE(GROUP_CONCAT(what, ' '), '') FROM (SELECT what FROM seen ORDER BY rowid)`).Scan(&all)
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	refused := errors.New("refused")
	change := exec(`INSERT INTO seen VALUES ('change')`)

	ctx, arrived := db.Along(t.Context(), exec(`INSERT INTO seen VALUES ('row')`))
	step := func(what string, err, wantErr error, wantArrived bool, want string) {
		t.Helper()
		if !errors.Is(err, wantErr) || arrived() != wantArrived || seen() != want {
			t.Fatalf("%s: %v, arrived %v, there is %q", what, err, arrived(), seen())
		}
	}
	step("no write yet", nil, nil, false, "")
	step("another database", other.Write(ctx, change), nil, false, "")
	step("a write that fails", db.Write(ctx, func(tx *sqldb.Tx) error {
		return errors.Join(change(tx), refused)
	}), refused, false, "")
	gone, cancel := context.WithCancel(ctx)
	cancel()
	step("a write that never begins", db.Write(gone, change), context.Canceled, false, "")
	step("a write", db.Write(ctx, change), nil, true, "row change")
	step("a second one", db.Write(ctx, change), nil, true, "row change change")

	ctx, arrived = db.Along(t.Context(), func(*sqldb.Tx) error { return refused })
	step("one who does not come along holds the change back", db.Write(ctx, change), refused, false, "row change change")
}
