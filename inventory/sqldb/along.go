package sqldb

import "context"

// rider is a function that goes along with somebody else's write.
type rider struct {
	db      *DB
	fn      func(tx *Tx) error
	arrived bool
}

type riderKey struct{}

// Along returns a context whose next Write to db that commits also ran fn,
// first and in the same transaction: so one room's change and another room's
// record of it are there together or not at all, though neither room knows the
// other. arrived tells whether that has happened; until it has, nothing of fn
// is there. Writes under one such context come one after the other.
func (db *DB) Along(ctx context.Context, fn func(tx *Tx) error) (along context.Context, arrived func() bool) {
	r := &rider{db: db, fn: fn}
	return context.WithValue(ctx, riderKey{}, r), func() bool { return r.arrived }
}

// withRider is fn with who goes along with it, and what takes note of the
// outcome.
func (db *DB) withRider(ctx context.Context, fn func(tx *Tx) error) (func(tx *Tx) error, func(error)) {
	r, ok := ctx.Value(riderKey{}).(*rider)
	if !ok || r.db != db || r.arrived {
		return fn, func(error) {}
	}
	return func(tx *Tx) error {
		if err := r.fn(tx); err != nil {
			return err
		}
		return fn(tx)
	}, func(err error) { r.arrived = err == nil }
}
