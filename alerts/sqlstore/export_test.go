package sqlstore

import (
	"context"
	"errors"

	"videopatrol/alerts/audit"
	"videopatrol/inventory/sqldb"
)

// Tampered returns the chain as it would be after somebody changed the
// database, which nobody does.
func (s *Store) Tampered(ctx context.Context, tamper func(exec func(query string, args ...any) error) error) (p audit.Part, err error) {
	undo := errors.New("undone")
	err = s.db.Write(ctx, func(t *sqldb.Tx) error {
		if err := tamper(func(query string, args ...any) error { return tx{t}.exec(ctx, query, args...) }); err != nil {
			return err
		}
		if p, err = (tx{t}).auditChain(ctx, s.node, 0, 1<<30); err != nil {
			return err
		}
		return undo
	})
	if errors.Is(err, undo) {
		err = nil
	}
	return p, err
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
