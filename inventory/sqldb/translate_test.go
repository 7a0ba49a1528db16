package sqldb_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"testing/fstest"

	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
)

// TestTranslated: a migration that uses all that the translation knows means
// the same on both engines, and text is ordered by bytes.
func TestTranslated(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db, ctx := open(t, sqldb.Options{URL: url}), t.Context()
		if err := db.Migrate(ctx, "all", fstest.MapFS{"sqlite/0001_all.sql": {Data: []byte(`-- +goose Up
-- An INTEGER of 64 bits, a REAL of 64, TEXT by bytes; STRICT, too.
CREATE TABLE a (
    name TEXT NOT NULL, -- TEXT
    PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;
CREATE TABLE b (n INTEGER PRIMARY KEY, x REAL NOT NULL, raw BLOB NOT NULL)
STRICT ;
ALTER TABLE b ADD COLUMN more INTEGER NOT NULL DEFAULT 0;
CREATE INDEX b_more ON b (more, n) WHERE more > 0;
UPDATE b SET more = CAST(CAST(n AS TEXT) AS INTEGER);
`)}}); err != nil {
			t.Fatal(err)
		}
		var names []string
		var n int64
		var x float64
		var raw []byte
		if err := db.Write(ctx, func(tx *sqldb.Tx) error {
			for _, name := range []string{"b", "é", "B", "a", "一"} {
				if err := tx.Later(ctx, `INSERT INTO a (name) VALUES ($1)`, name); err != nil {
					return err
				}
			}
			err := tx.QueryRowContext(ctx, `INSERT INTO b (n, x, raw, more) VALUES ($1, $2, $3, $4) RETURNING n, x, raw`,
				int64(1)<<62, 0.1, []byte{0, 1, 255}, true).Scan(&n, &x, &raw)
			if err != nil {
				return err
			}
			names, err = sqldb.All(ctx, tx, func(r *sql.Rows) (s string, err error) { return s, r.Scan(&s) }, `SELECT name FROM a ORDER BY name`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(names, " "); got != "B a b é 一" {
			t.Errorf("order of texts: %s", got)
		}
		if n != 1<<62 || x != 0.1 || string(raw) != "\x00\x01\xff" {
			t.Errorf("came back: %d, %v, %x", n, x, raw)
		}
		if err := db.Read(context.Background(), func(tx *sqldb.Tx) error {
			return tx.QueryRowContext(ctx, `SELECT SUM(n), COUNT(*) FROM b WHERE more = 1`).Scan(&n, new(int))
		}); err != nil || n != 1<<62 {
			t.Errorf("the sum is %d: %v", n, err)
		}
	})
}
