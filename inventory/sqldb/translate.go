package sqldb

import (
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// What the migrations, which are written for SQLite, say otherwise than
// PostgreSQL: the options behind a table, and the types of columns. PostgreSQL
// orders text by the database's language unless it is told to order by bytes,
// as SQLite does.
var (
	tableOptions = regexp.MustCompile(`\)\s*(?:STRICT|WITHOUT\s+ROWID)(?:\s*,\s*(?:STRICT|WITHOUT\s+ROWID))*\s*;`)
	columnTypes  = regexp.MustCompile(`(\bAS\s+)?\b(INTEGER|REAL|TEXT|BLOB)\b`)
	typeNames    = map[string]string{
		"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "TEXT": `TEXT COLLATE "C"`, "BLOB": "BYTEA",
		"AS INTEGER": "AS BIGINT", "AS REAL": "AS DOUBLE PRECISION", "AS TEXT": "AS TEXT", "AS BLOB": "AS BYTEA",
	}
)

// translate makes a migration that was written for SQLite one for PostgreSQL.
func translate(migration string) string {
	migration = tableOptions.ReplaceAllString(migration, ");")
	return columnTypes.ReplaceAllStringFunc(migration, func(s string) string {
		return typeNames[strings.Join(strings.Fields(s), " ")]
	})
}

// translated is a folder of migrations as PostgreSQL reads them.
type translated struct{ fs.FS }

// Open opens a file, translated if it is SQL.
func (t translated) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &translatedFile{f, strings.NewReader(translate(string(text)))}, nil
}

type translatedFile struct {
	fs.File
	text *strings.Reader
}

func (f *translatedFile) Read(p []byte) (int, error) { return f.text.Read(p) }
