// Package sqldbtest runs a test on every engine that the record may be kept
// in: SQLite, and a private PostgreSQL server for each test binary.
package sqldbtest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"videopatrol/internal/pgserver"
)

// Engines are the kinds of database.
func Engines() []string { return []string{"sqlite", "postgres"} }

// M runs a binary's tests and then ends its server; TestMain calls it, or
// hands it to goleak.VerifyTestMain.
type M struct{ *testing.M }

// Run runs the tests and returns their exit code.
func (m M) Run() int {
	code := m.M.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil && code == 0 {
			code = 1
		}
	}
	return code
}

// shared is the binary's server, started by the first test that needs it.
var shared struct {
	sync.Mutex
	server *pgserver.Server
}

// Each runs a test on each engine, side by side, with the URL of an empty
// database.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for _, engine := range Engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, URL(t, engine))
		})
	}
}

// URL makes an empty database and returns its address.
func URL(tb testing.TB, engine string) string {
	tb.Helper()
	switch engine {
	case "sqlite":
		return "sqlite:" + filepath.Join(tb.TempDir(), "patrol.db")
	case "postgres":
		url, err := server(tb).NewDatabase(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		return url
	}
	tb.Fatalf("there is no engine %q", engine)
	return ""
}

func server(tb testing.TB) *pgserver.Server {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s, err := pgserver.Start(context.Background())
		if err != nil {
			tb.Fatal(err)
		}
		shared.server = s
	}
	return shared.server
}
