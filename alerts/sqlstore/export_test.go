package sqlstore

import (
	"context"
	"errors"

	"videopatrol/alerts/audit"
	"videopatrol/inventory/sqldb"
)

// Exec is one statement of somebody who can write to the database.
type Exec func(query string, args ...any) error

// Tampering hands try to fn. try returns the chain as it is once a person has
// changed the database, and takes the change back.
func (s *Store) Tampering(ctx context.Context, fn func(try func(tamper func(Exec) error) (audit.Part, error))) error {
	return s.db.Write(ctx, func(t *sqldb.Tx) error {
		exec := func(query string, args ...any) error { return tx{t}.exec(ctx, query, args...) }
		fn(func(tamper func(Exec) error) (p audit.Part, err error) {
			if err = errors.Join(exec(`SAVEPOINT tamper`), tamper(exec)); err == nil {
				p, err = tx{t}.auditChain(ctx, s.node, 0, 1<<30)
			}
			return p, errors.Join(err, exec(`ROLLBACK TO SAVEPOINT tamper`), exec(`RELEASE SAVEPOINT tamper`))
		})
		return nil
	})
}

// Exec runs statements as somebody does who can write to the database.
func (s *Store) Exec(ctx context.Context, queries ...string) error {
	return s.db.Write(ctx, func(t *sqldb.Tx) error {
		for _, q := range queries {
			if err := (tx{t}).exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
}
