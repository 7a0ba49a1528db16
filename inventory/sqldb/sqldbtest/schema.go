package sqldbtest

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"videopatrol/inventory/sqldb"
)

// What a database says of its own tables, version tables left out.
var schemas = map[string]string{
	"sqlite": `SELECT sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND name NOT LIKE '%version%' AND name NOT LIKE 'sqlite%' ORDER BY name`,
	"postgres": `SELECT c.relname || E'\n' || (
			SELECT string_agg(E'\t' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
				|| COALESCE(' COLLATE ' || quote_ident((SELECT collname FROM pg_collation l WHERE l.oid = a.attcollation)), '')
				|| CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
				|| COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), ''), E'\n' ORDER BY a.attnum)
			FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
			WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
		|| COALESCE((SELECT string_agg(E'\n\t' || pg_get_constraintdef(k.oid), '' ORDER BY k.conname)
			FROM pg_constraint k WHERE k.conrelid = c.oid), '')
		|| COALESCE((SELECT string_agg(E'\n\t' || pg_get_indexdef(i.indexrelid), '' ORDER BY i.indexrelid::regclass::text)
			FROM pg_index i WHERE i.indrelid = c.oid), '')
		FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE '%version%'
		ORDER BY c.relname COLLATE "C"`,
}

// Schema compares a database's tables with testdata/schema.<engine>.golden.sql,
// or writes that file anew.
func Schema(t *testing.T, db *sqldb.DB, url string, update bool) {
	t.Helper()
	engine, _, _ := strings.Cut(url, ":")
	var all []string
	if err := db.Read(t.Context(), func(tx *sqldb.Tx) (err error) {
		all, err = sqldb.All(t.Context(), tx, func(r *sql.Rows) (s string, err error) { return s, r.Scan(&s) }, schemas[engine])
		return err
	}); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(all, "\n\n") + "\n"
	golden := filepath.Join("testdata", "schema."+engine+".golden.sql")
	if update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(golden, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the schema is now:\n%s\nwant:\n%s(go test -update if that is meant)", got, want)
	}
}
