package inventory

import (
	"context"
	"errors"
	"time"
)

// Errors of a Store.
var (
	// ErrNotFound is returned for a camera or revision that does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict is returned by Apply when the inventory has moved on since
	// the change was planned; plan again.
	ErrConflict = errors.New("inventory changed meanwhile")
)

// Snapshot is the whole wanted set at one revision. It is shared between
// readers and must not be modified.
type Snapshot struct {
	Revision int64
	Cameras  []Camera
	Grid     *Grid
}

// Change is what one import wants done. Cameras and Cells hold complete new
// values; Remove holds camera ids.
type Change struct {
	// Base is the revision the change was planned on.
	Base    int64
	Cameras []Camera
	Remove  []string
	// Cells replaces the whole grid when not nil.
	Cells []Cell
	// By is who asked for the change, Note what for.
	By, Note string
}

// Revision tells of one applied change.
type Revision struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Note    string    `json:"note,omitempty"`
	New     int       `json:"new"`
	Changed int       `json:"changed"`
	Removed int       `json:"removed"`
	// Undoes is the revision that this one took back, or 0.
	Undoes int64 `json:"undoes,omitempty"`
}

// Store keeps the inventory. Every change is one revision, applied whole or
// not at all.
type Store interface {
	// Snapshot returns the newest wanted set.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Apply makes a change the next revision. Cells of cameras and zones are
	// derived anew. It returns ErrConflict when Base is not the newest.
	Apply(ctx context.Context, c Change) (Revision, error)
	// Undo applies the reverse of a revision as a new one. It returns
	// ErrNotFound for an unknown revision and ErrConflict when a later
	// revision touched the same cameras.
	Undo(ctx context.Context, revision int64, by string) (Revision, error)
	// Revisions lists the newest revisions, newest first.
	Revisions(ctx context.Context, limit int) ([]Revision, error)
}
