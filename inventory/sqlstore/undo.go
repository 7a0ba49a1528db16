package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
)

// Undo applies the reverse of a revision as a new one. It returns
// inventory.ErrNotFound for an unknown revision, and inventory.ErrConflict
// when it was undone already or a later revision that still stands touched
// the same cameras, or the grid if this one did. Undoing an undo brings the
// first change back.
func (s *Store) Undo(ctx context.Context, revision int64, by string) (inventory.Revision, error) {
	s.change.Lock()
	defer s.change.Unlock()
	c := inventory.Change{Base: s.current().Revision, By: by, Note: fmt.Sprintf("undo of revision %d", revision)}
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		later, err := sqldb.All(ctx, tx, scanRecord, selectRevisions+` WHERE id >= $1 ORDER BY id`, revision)
		if err != nil {
			return err
		}
		if len(later) == 0 || later[0].ID != revision {
			return inventory.ErrNotFound
		}
		if err := undoable(ctx, tx, later[0], standing(later[1:])); err != nil {
			return err
		}
		if later[0].grid {
			if c.Cells, err = loadGrid(ctx, tx, revision-1); err != nil {
				return err
			}
		}
		return s.before(ctx, tx, revision, &c)
	})
	if err != nil {
		return inventory.Revision{}, fmt.Errorf("undo revision %d: %w", revision, err)
	}
	return s.apply(ctx, c, revision)
}

// standing leaves out the revisions that were undone and those that undid
// them. What undid an older revision than the list holds stands.
func standing(list []record) []record {
	index := make(map[int64]int, len(list))
	for i, r := range list {
		index[r.ID] = i
	}
	void := make([]bool, len(list))
	// Newest first: an undo that was itself undone takes nothing back.
	for i := len(list) - 1; i >= 0; i-- {
		if j, ok := index[list[i].Undoes]; ok && !void[i] {
			void[i], void[j] = true, true
		}
	}
	var left []record
	for i, r := range list {
		if !void[i] {
			left = append(left, r)
		}
	}
	return left
}

// undoable tells why a revision cannot be undone in view of the later ones
// that stand.
func undoable(ctx context.Context, tx *sqldb.Tx, r record, later []record) error {
	for _, l := range later {
		if l.Undoes == r.ID {
			return fmt.Errorf("%w: revision %d undid it already; undo that one to bring it back", inventory.ErrConflict, l.ID)
		}
		if l.grid && r.grid {
			return fmt.Errorf("%w: revision %d changed the grid again; undo that one first", inventory.ErrConflict, l.ID)
		}
		both, err := sqldb.All(ctx, tx, func(rows *sql.Rows) (id string, err error) {
			return id, rows.Scan(&id)
		}, `SELECT a.camera FROM camera_history a JOIN camera_history b ON b.camera = a.camera AND b.revision = $1
			WHERE a.revision = $2 ORDER BY a.camera LIMIT 3`, l.ID, r.ID)
		if err != nil {
			return err
		}
		if len(both) > 0 {
			return fmt.Errorf("%w: revision %d touched the same cameras (%s, …); undo that one first", inventory.ErrConflict, l.ID, strings.Join(both, ", "))
		}
	}
	return nil
}

// before fills a change with what the cameras of a revision were before it.
func (s *Store) before(ctx context.Context, tx *sqldb.Tx, revision int64, c *inventory.Change) error {
	type was struct {
		cameraRow
		existed bool
	}
	all, err := sqldb.All(ctx, tx, func(rows *sql.Rows) (w was, err error) {
		return w, rows.Scan(&w.id, &w.existed, &w.body, &w.username, &w.password, &w.keyID)
	}, `SELECT camera, existed, body, username, password, key_id FROM camera_history WHERE revision = $1 ORDER BY camera`, revision)
	if err != nil {
		return err
	}
	for _, w := range all {
		if !w.existed {
			c.Remove = append(c.Remove, w.id)
			continue
		}
		cam, err := s.keys.decode(w.cameraRow)
		if err != nil {
			return err
		}
		c.Cameras = append(c.Cameras, cam)
	}
	return nil
}

// Rekey encrypts with the first key every password that another one
// encrypted, in the history too, and returns how many there were. When it
// has returned nil the other keys are needed no longer.
func (s *Store) Rekey(ctx context.Context) (int, error) {
	s.change.Lock()
	defer s.change.Unlock()
	n := 0
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		n = 0
		type old struct {
			camera   string
			revision int64
			sealed
		}
		scan := func(rows *sql.Rows) (o old, err error) {
			return o, rows.Scan(&o.camera, &o.revision, &o.password, &o.keyID)
		}
		for _, table := range []struct{ find, set string }{
			{
				`SELECT id, 0, password, key_id FROM cameras WHERE key_id NOT IN ('', $1)`,
				`UPDATE cameras SET password = $1, key_id = $2 WHERE id = $3 AND $4 = 0`,
			},
			{
				`SELECT camera, revision, password, key_id FROM camera_history WHERE key_id NOT IN ('', $1)`,
				`UPDATE camera_history SET password = $1, key_id = $2 WHERE camera = $3 AND revision = $4`,
			},
		} {
			all, err := sqldb.All(ctx, tx, scan, table.find, s.keys.active)
			if err != nil {
				return err
			}
			for _, o := range all {
				password, err := s.keys.open(o.camera, o.sealed)
				if err != nil {
					return err
				}
				fresh := s.keys.seal(o.camera, password)
				if _, err := tx.ExecContext(ctx, table.set, fresh.password, fresh.keyID, o.camera, o.revision); err != nil {
					return err
				}
			}
			n += len(all)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("encrypt the passwords anew: %w", err)
	}
	return n, nil
}
