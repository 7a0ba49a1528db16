package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"

	"github.com/pressly/goose/v3"
)

var setName = regexp.MustCompile(`^[a-z][a-z_]*$`)

// Migrate brings one set of tables to the newest version that migrations
// knows. set names the set's version table ("leads" keeps its version in
// "leads_version"). migrations holds one folder for each engine, here "sqlite",
// with goose files NNNN_title.sql. A database that a newer program has written
// is refused.
func (db *DB) Migrate(ctx context.Context, set string, migrations fs.FS) (err error) {
	if !setName.MatchString(set) {
		return fmt.Errorf("migrate: %q is no name for a set (want a-z and _)", set)
	}
	files, err := fs.Sub(migrations, "sqlite")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", set, err)
	}
	pool, err := openPool(ctx, db.path, url.Values{"_txlock": {"immediate"}})
	if err != nil {
		return fmt.Errorf("migrate %s: %w", set, err)
	}
	pool.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, pool.Close()) }()
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, files,
		goose.WithTableName(set+"_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate %s: %w", set, err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", set, err)
	}
	if current > target {
		return fmt.Errorf("migrate %s: the database is at version %d and this program knows only %d: start the newer program, or restore the backup made before it ran", set, current, target)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", set, err)
	}
	if len(done) > 0 {
		db.log.Info("database migrated", "set", set, "from", current, "to", target)
	}
	return nil
}
