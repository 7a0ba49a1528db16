package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"videopatrol/inventory/sqldb"
	"videopatrol/wall"
)

//go:embed migrations
var migrations embed.FS

// Store is a wall.AccountStore in SQL.
type Store struct{ db *sqldb.DB }

var _ wall.AccountStore = (*Store)(nil)

// New returns a store over a database whose tables it brings up to date.
func New(ctx context.Context, db *sqldb.DB) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "wall", files); err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// CreateFirst adds users when there are none.
func (s *Store) CreateFirst(ctx context.Context, users []wall.StoredAccount) (made bool, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		made = false
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM wall_users`).Scan(&n); err != nil || n > 0 {
			return err
		}
		for _, u := range users {
			if err := insertUser(ctx, tx, u); err != nil {
				return err
			}
		}
		made = true
		return nil
	})
	return made && err == nil, wrap("create the first users", err)
}

// CreateUser adds a user.
func (s *Store) CreateUser(ctx context.Context, u wall.StoredAccount) error {
	return wrap("create user", s.db.Write(ctx, func(tx *sqldb.Tx) error { return insertUser(ctx, tx, u) }))
}

func insertUser(ctx context.Context, tx *sqldb.Tx, u wall.StoredAccount) error {
	r, err := tx.ExecContext(ctx, `INSERT INTO wall_users (name, role, hash, disabled, created, department)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING`,
		u.Name, string(u.Role), u.Hash, boolInt(u.Disabled), sqldb.Micros(u.Created), u.Department)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return wall.ErrAccountExists
}

// User returns a user by name.
func (s *Store) User(ctx context.Context, name string) (u wall.StoredAccount, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var disabled, created int64
		err := tx.QueryRowContext(ctx, `SELECT name, role, hash, disabled, created, department FROM wall_users WHERE name = $1`, name).
			Scan(&u.Name, &u.Role, &u.Hash, &disabled, &created, &u.Department)
		u.Disabled, u.Created = disabled != 0, sqldb.Time(created)
		return err
	})
	if err != nil {
		return wall.StoredAccount{}, wrap("read user", err)
	}
	return u, nil
}

// Users lists every user by name.
func (s *Store) Users(ctx context.Context) (users []wall.Account, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		users, err = sqldb.All(ctx, tx, func(r *sql.Rows) (u wall.Account, err error) {
			var disabled, created int64
			err = r.Scan(&u.Name, &u.Role, &disabled, &created, &u.Department)
			u.Disabled, u.Created = disabled != 0, sqldb.Time(created)
			return u, err
		}, `SELECT name, role, disabled, created, department FROM wall_users ORDER BY name`)
		return err
	})
	return users, wrap("list users", err)
}

// SetPassword replaces a hash and ends the user's sessions but one.
func (s *Store) SetPassword(ctx context.Context, name, hash string, keep wall.Key) error {
	return wrap("set password", s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := one(tx.ExecContext(ctx, `UPDATE wall_users SET hash = $1 WHERE name = $2`, hash, name)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM wall_sessions WHERE user_name = $1 AND secret_key <> $2`, name, keep[:])
		return err
	}))
}

// Disable shuts a user out and ends sessions and tokens.
func (s *Store) Disable(ctx context.Context, name string) error {
	return wrap("disable user", s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := one(tx.ExecContext(ctx, `UPDATE wall_users SET disabled = 1 WHERE name = $1`, name)); err != nil {
			return err
		}
		var admins int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM wall_users WHERE role = $1 AND disabled = 0`,
			string(wall.RoleAdmin)).Scan(&admins)
		if err != nil {
			return err
		}
		if admins == 0 {
			return wall.ErrLastAdmin // the write is rolled back
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM wall_sessions WHERE user_name = $1`, name); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM wall_tokens WHERE user_name = $1`, name)
		return err
	}))
}

// AddSession adds a session.
func (s *Store) AddSession(ctx context.Context, x wall.Session) error {
	return wrap("add session", s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO wall_sessions (secret_key, user_name, created, seen, expires)
			VALUES ($1, $2, $3, $4, $5)`,
			x.Key[:], x.User, sqldb.Micros(x.Created), sqldb.Micros(x.Seen), sqldb.Micros(x.Expires))
		return err
	}))
}

// Session returns a session with its user.
func (s *Store) Session(ctx context.Context, key wall.Key) (x wall.Session, u wall.Account, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var began, seen, expires, disabled, created int64
		err := tx.QueryRowContext(ctx, `SELECT u.name, u.role, u.disabled, u.created, u.department, s.created, s.seen, s.expires
			FROM wall_sessions s JOIN wall_users u ON u.name = s.user_name WHERE s.secret_key = $1`, key[:]).
			Scan(&u.Name, &u.Role, &disabled, &created, &u.Department, &began, &seen, &expires)
		u.Disabled, u.Created = disabled != 0, sqldb.Time(created)
		x = wall.Session{
			Key: key, User: u.Name, Created: sqldb.Time(began), Seen: sqldb.Time(seen), Expires: sqldb.Time(expires),
		}
		return err
	})
	if err != nil {
		return wall.Session{}, wall.Account{}, wrap("read session", err)
	}
	return x, u, nil
}

// TouchSession notes a session's last use.
func (s *Store) TouchSession(ctx context.Context, key wall.Key, seen time.Time) error {
	return wrap("touch session", s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE wall_sessions SET seen = $1 WHERE secret_key = $2 AND seen < $3`,
			sqldb.Micros(seen), key[:], sqldb.Micros(seen))
		return err
	}))
}

// EndSession ends a session; one that has ended already is no error.
func (s *Store) EndSession(ctx context.Context, key wall.Key) error {
	return wrap("end session", s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM wall_sessions WHERE secret_key = $1`, key[:])
		return err
	}))
}

// Sweep removes sessions and tokens that no longer hold.
func (s *Store) Sweep(ctx context.Context, idle, now time.Time) error {
	return wrap("sweep sessions", s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM wall_sessions WHERE seen <= $1 OR expires <= $2`,
			sqldb.Micros(idle), sqldb.Micros(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM wall_tokens WHERE expires <= $1`, sqldb.Micros(now))
		return err
	}))
}

// AddToken adds an API token.
func (s *Store) AddToken(ctx context.Context, t wall.StoredToken) error {
	return wrap("add token", s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO wall_tokens (id, secret_key, user_name, label, created, expires)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			t.ID, t.Key[:], t.User, t.Label, sqldb.Micros(t.Created), sqldb.Micros(t.Expires))
		return err
	}))
}

// Tokens lists a user's API tokens, newest first.
func (s *Store) Tokens(ctx context.Context, user string) (tokens []wall.Token, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		tokens, err = sqldb.All(ctx, tx, func(r *sql.Rows) (t wall.Token, err error) {
			var created, expires int64
			err = r.Scan(&t.ID, &t.Label, &created, &expires)
			t.Created, t.Expires = sqldb.Time(created), sqldb.Time(expires)
			return t, err
		}, `SELECT id, label, created, expires FROM wall_tokens WHERE user_name = $1 ORDER BY created DESC, id`, user)
		return err
	})
	return tokens, wrap("list tokens", err)
}

// TokenByKey returns an API token with its user.
func (s *Store) TokenByKey(ctx context.Context, key wall.Key) (t wall.StoredToken, u wall.Account, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var made, expires, disabled, created int64
		err := tx.QueryRowContext(ctx, `SELECT u.name, u.role, u.disabled, u.created, u.department, t.id, t.label, t.created, t.expires
			FROM wall_tokens t JOIN wall_users u ON u.name = t.user_name WHERE t.secret_key = $1`, key[:]).
			Scan(&u.Name, &u.Role, &disabled, &created, &u.Department, &t.ID, &t.Label, &made, &expires)
		u.Disabled, u.Created = disabled != 0, sqldb.Time(created)
		t.Key, t.User, t.Created, t.Expires = key, u.Name, sqldb.Time(made), sqldb.Time(expires)
		return err
	})
	if err != nil {
		return wall.StoredToken{}, wall.Account{}, wrap("read token", err)
	}
	return t, u, nil
}

// EndToken ends a user's API token.
func (s *Store) EndToken(ctx context.Context, user, id string) error {
	return wrap("end token", s.db.Write(ctx, func(tx *sqldb.Tx) error {
		return one(tx.ExecContext(ctx, `DELETE FROM wall_tokens WHERE user_name = $1 AND id = $2`, user, id))
	}))
}

// one makes a statement that met no row wall.ErrNoAccount.
func one(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		return wall.ErrNoAccount
	}
	return err
}

func wrap(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		err = wall.ErrNoAccount
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
