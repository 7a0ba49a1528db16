package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/pressly/goose/v3"
)

var setName = regexp.MustCompile(`^[a-z][a-z_]*$`)

// Migrate brings one set of tables to the newest version that migrations
// knows. set names the set's version table ("leads" keeps its version in
// "leads_version"). migrations holds a folder "sqlite" with goose files
// NNNN_title.sql, which are translated for PostgreSQL (see translate). A
// database that a newer program has written is refused.
func (db *DB) Migrate(ctx context.Context, set string, migrations fs.FS) (err error) {
	if !setName.MatchString(set) {
		return fmt.Errorf("migrate: %q is no name for a set (want a-z and _)", set)
	}
	files, err := fs.Sub(migrations, "sqlite")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", set, err)
	}
	pool, err := db.engine.open(ctx, forMigrating)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", set, err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	err = db.engine.migrate(ctx, pool, files, func(dialect goose.Dialect, files fs.FS) error {
		return db.up(ctx, set, pool, dialect, files)
	})
	if err != nil {
		return fmt.Errorf("migrate %s: %w", set, err)
	}
	return nil
}

// up runs the migrations that the database has not seen.
func (db *DB) up(ctx context.Context, set string, pool *sql.DB, dialect goose.Dialect, files fs.FS) error {
	p, err := goose.NewProvider(dialect, pool, files,
		goose.WithTableName(set+"_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("the database is at version %d and this program knows only %d: start the newer program, or restore the backup made before it ran", current, target)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return err
	}
	if len(done) > 0 {
		db.log.Info("database migrated", "set", set, "from", current, "to", target)
	}
	return nil
}
