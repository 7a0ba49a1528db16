package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"videopatrol/inventory"
	"videopatrol/inventory/geo"
	"videopatrol/inventory/sqldb"
)

//go:embed sqlite/*.sql
var migrations embed.FS

// Options says where the inventory is kept.
type Options struct {
	DB *sqldb.DB
	// Keys are 32 bytes each. The first one encrypts the passwords; the others
	// only decrypt what they once encrypted (see Store.Rekey).
	Keys [][]byte
	// Log tells of new revisions; nil is silent.
	Log *slog.Logger
}

// Store is an inventory.Store in SQL. It is safe for concurrent use.
type Store struct {
	db   *sqldb.DB
	keys *keyring
	log  *slog.Logger

	change sync.Mutex // held through a change, from its plan to its publication

	mu      sync.Mutex
	newest  state
	renewed chan struct{} // closed when newest is replaced
}

// state is a snapshot and the locator of its grid.
type state struct {
	inventory.Snapshot
	locator *geo.Locator
}

var _ inventory.Store = (*Store)(nil)

// New brings the tables up to date and loads the newest snapshot.
func New(ctx context.Context, o Options) (*Store, error) {
	if o.DB == nil {
		return nil, errors.New("inventory store: a database is required")
	}
	keys, err := newKeyring(o.Keys)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := o.DB.Migrate(ctx, "inventory", migrations); err != nil {
		return nil, err
	}
	s := &Store{db: o.DB, keys: keys, log: o.Log, renewed: make(chan struct{})}
	if s.newest, err = s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// load reads the newest snapshot.
func (s *Store) load(ctx context.Context) (state, error) {
	var snap inventory.Snapshot
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		cells, err := loadGrid(ctx, tx, 1<<62)
		if err != nil {
			return err
		}
		snap.Grid = inventory.NewGrid(cells)
		if snap.Cameras, err = loadCameras(ctx, tx, s.keys); err != nil {
			return err
		}
		snap.Revision, err = newestRevision(ctx, tx)
		return err
	})
	if err != nil {
		return state{}, fmt.Errorf("load the inventory: %w", err)
	}
	next := state{snap, geo.NewLocator(snap.Grid)}
	for i, c := range snap.Cameras {
		snap.Cameras[i] = c.WithCells(next.locator.Subcell)
	}
	return next, nil
}

// Follow looks every so often whether another gateway of the database has made
// a revision, and loads it, until ctx ends.
func (s *Store) Follow(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	unread := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := s.catchUp(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !unread:
			s.log.Error("the inventory cannot be read: what other gateways change does not count here", "error", err)
		case err == nil && unread:
			s.log.Info("the inventory can be read again")
		}
		unread = err != nil
	}
}

func (s *Store) catchUp(ctx context.Context) error {
	s.change.Lock()
	defer s.change.Unlock()
	var newest int64
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		newest, err = newestRevision(ctx, tx)
		return err
	})
	if err != nil || newest == s.current().Revision {
		return err
	}
	next, err := s.load(ctx)
	if err != nil {
		return err
	}
	s.publish(next)
	s.log.Info("another gateway changed the inventory", "revision", next.Revision, "cameras", len(next.Cameras), "cells", len(next.Grid.Cells))
	return nil
}

// Snapshot returns the newest wanted set.
func (s *Store) Snapshot(context.Context) (inventory.Snapshot, error) {
	return s.current().Snapshot, nil
}

// Wait returns the newest wanted set as soon as its revision is greater than
// after, or ctx's error. Revisions in between are skipped.
func (s *Store) Wait(ctx context.Context, after int64) (inventory.Snapshot, error) {
	for {
		s.mu.Lock()
		newest, renewed := s.newest, s.renewed
		s.mu.Unlock()
		if newest.Revision > after {
			return newest.Snapshot, nil
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return inventory.Snapshot{}, ctx.Err()
		}
	}
}

func (s *Store) current() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

func (s *Store) publish(next state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = next
	close(s.renewed)
	s.renewed = make(chan struct{})
}

// Apply makes a change the next revision. What is already as wanted counts
// for nothing; a change that changes nothing makes no revision and returns
// the newest one. It returns inventory.ErrConflict when c.Base is not the
// newest, and inventory.ErrNotFound when a camera to remove does not exist.
func (s *Store) Apply(ctx context.Context, c inventory.Change) (inventory.Revision, error) {
	s.change.Lock()
	defer s.change.Unlock()
	return s.apply(ctx, c, 0)
}

func (s *Store) apply(ctx context.Context, c inventory.Change, undoes int64) (inventory.Revision, error) {
	have := s.current()
	if c.Base != have.Revision {
		return inventory.Revision{}, fmt.Errorf("%w: planned on revision %d, the newest is %d", inventory.ErrConflict, c.Base, have.Revision)
	}
	d, err := diff(have, c)
	if err != nil {
		return inventory.Revision{}, err
	}
	if d.empty() {
		return s.newestRevision(ctx)
	}
	rows, err := s.encode(d)
	if err != nil {
		return inventory.Revision{}, err
	}
	rev := inventory.Revision{
		ID: c.Base + 1, By: c.By, Note: c.Note, Undoes: undoes,
		New: d.added, Changed: len(d.cameras) - d.added, Removed: len(d.removed),
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		newest, err := newestRevision(ctx, tx)
		if err != nil {
			return err
		}
		if newest != c.Base {
			return fmt.Errorf("%w: another program wrote revision %d", inventory.ErrConflict, newest)
		}
		rev.At = tx.Now
		return write(ctx, tx, rev, rows)
	})
	if err != nil {
		return inventory.Revision{}, fmt.Errorf("inventory revision %d: %w", rev.ID, err)
	}
	d.next.Revision = rev.ID
	s.publish(d.next)
	s.log.Info("inventory changed", "revision", rev.ID, "by", rev.By, "new", rev.New, "changed", rev.Changed,
		"removed", rev.Removed, "cameras", len(d.next.Cameras), "cells", len(d.next.Grid.Cells), "undoes", rev.Undoes)
	return rev, nil
}

// difference is what a change does to a snapshot.
type difference struct {
	cameras []inventory.Camera // new and changed
	added   int                // how many of them are new
	removed []string
	regrid  bool
	next    state
}

func (d difference) empty() bool { return len(d.cameras)+len(d.removed) == 0 && !d.regrid }

// diff decides what a change does. It is pure.
func diff(have state, c inventory.Change) (difference, error) {
	d := difference{next: have}
	if c.Cells != nil && !slices.EqualFunc(c.Cells, have.Grid.Cells, inventory.Cell.Equal) {
		d.regrid = true
		d.next.Grid = inventory.NewGrid(c.Cells)
		d.next.locator = geo.NewLocator(d.next.Grid)
	}
	was := make(map[string]int, len(have.Cameras))
	for i, cam := range have.Cameras {
		was[cam.ID] = i
	}
	touched := make(map[string]bool, len(c.Cameras)+len(c.Remove))
	touch := func(id string) error {
		if id == "" || touched[id] {
			return fmt.Errorf("camera %q: without an id, or twice in one change", id)
		}
		touched[id] = true
		return nil
	}
	cameras := slices.Clone(have.Cameras)
	for _, cam := range c.Cameras {
		if err := touch(cam.ID); err != nil {
			return d, err
		}
		cam = cam.WithCells(d.next.locator.Subcell)
		i, ok := was[cam.ID]
		switch {
		case !ok:
			d.added++
			cameras = append(cameras, cam)
		case cam.Equal(have.Cameras[i]):
			continue
		default:
			cameras[i] = cam
		}
		d.cameras = append(d.cameras, cam)
	}
	gone := map[string]bool{}
	for _, id := range c.Remove {
		if err := touch(id); err != nil {
			return d, err
		}
		if _, ok := was[id]; !ok {
			return d, fmt.Errorf("camera %s to remove: %w", id, inventory.ErrNotFound)
		}
		gone[id] = true
	}
	d.removed = c.Remove
	cameras = slices.DeleteFunc(cameras, func(cam inventory.Camera) bool { return gone[cam.ID] })
	slices.SortFunc(cameras, func(a, b inventory.Camera) int { return strings.Compare(a.ID, b.ID) })
	if d.regrid {
		for i, cam := range cameras {
			cameras[i] = cam.WithCells(d.next.locator.Subcell)
		}
	}
	d.next.Cameras = cameras
	return d, nil
}

// rows is a difference as the database holds it.
type rows struct {
	cameras []cameraRow
	removed []string
	grid    *string
}

// encode prepares everything before the database's only writer is held up.
func (s *Store) encode(d difference) (rows, error) {
	r := rows{removed: d.removed, cameras: make([]cameraRow, len(d.cameras))}
	var err error
	for i, c := range d.cameras {
		if r.cameras[i], err = s.keys.encode(c); err != nil {
			return r, err
		}
	}
	if d.regrid {
		body, err := encodeGrid(d.next.Grid.Cells)
		if err != nil {
			return r, fmt.Errorf("grid: %w", err)
		}
		r.grid = &body
	}
	return r, nil
}

func write(ctx context.Context, tx *sqldb.Tx, rev inventory.Revision, r rows) error {
	regrid := 0
	if r.grid != nil {
		regrid = 1
	}
	if err := tx.Later(ctx, `INSERT INTO revisions (id, at, made_by, note, added, changed, removed, grid, undoes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		rev.ID, sqldb.Micros(rev.At), rev.By, rev.Note, rev.New, rev.Changed, rev.Removed, regrid, rev.Undoes); err != nil {
		return err
	}
	for _, c := range r.cameras {
		if err := remember(ctx, tx, rev.ID, c.id); err != nil {
			return err
		}
		if err := tx.Later(ctx, `INSERT INTO cameras (id, body, username, password, key_id) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET body = excluded.body, username = excluded.username,
			password = excluded.password, key_id = excluded.key_id`,
			c.id, c.body, c.username, c.password, c.keyID); err != nil {
			return fmt.Errorf("camera %s: %w", c.id, err)
		}
	}
	for _, id := range r.removed {
		if err := remember(ctx, tx, rev.ID, id); err != nil {
			return err
		}
		if err := tx.Later(ctx, `DELETE FROM cameras WHERE id = $1`, id); err != nil {
			return fmt.Errorf("camera %s: %w", id, err)
		}
	}
	if r.grid == nil {
		return nil
	}
	return tx.Later(ctx, `INSERT INTO grids (revision, body) VALUES ($1, $2)`, rev.ID, *r.grid)
}

// remember keeps what a camera is before a revision touches it, or that it is
// not there.
func remember(ctx context.Context, tx *sqldb.Tx, revision int64, id string) error {
	err := tx.Later(ctx, `INSERT INTO camera_history (revision, camera, existed, body, username, password, key_id)
		SELECT $1, id, 1, body, username, password, key_id FROM cameras WHERE id = $2`, revision, id)
	if err == nil {
		err = tx.Later(ctx, `INSERT INTO camera_history (revision, camera, existed, body, username, password, key_id)
			VALUES ($1, $2, 0, '', '', $3, '') ON CONFLICT (revision, camera) DO NOTHING`, revision, id, []byte{})
	}
	if err != nil {
		return fmt.Errorf("camera %s: %w", id, err)
	}
	return nil
}

// Revisions lists the newest revisions, newest first.
func (s *Store) Revisions(ctx context.Context, limit int) ([]inventory.Revision, error) {
	var list []inventory.Revision
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		list, err = sqldb.All(ctx, tx, func(rows *sql.Rows) (inventory.Revision, error) {
			r, err := scanRecord(rows)
			return r.Revision, err
		}, selectRevisions+` ORDER BY id DESC LIMIT $1`, limit)
		return err
	})
	return list, err
}

func (s *Store) newestRevision(ctx context.Context) (inventory.Revision, error) {
	list, err := s.Revisions(ctx, 1)
	if err != nil || len(list) == 0 {
		return inventory.Revision{}, err
	}
	return list[0], nil
}
