package sqlstore_test

import (
	"flag"
	"testing"

	"videopatrol/alerts/sqlstore"
	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSchema(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		db, err := sqldb.Open(t.Context(), sqldb.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := sqlstore.New(t.Context(), db, "test"); err != nil {
			t.Fatal(err)
		}
		sqldbtest.Schema(t, db, url, *update)
	})
}
