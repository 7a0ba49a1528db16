package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
)

// cameraRow is a camera as the database holds it.
type cameraRow struct {
	id, body, username string
	sealed
}

func (k *keyring) encode(c inventory.Camera) (cameraRow, error) {
	c = c.WithCells(func(inventory.Position) string { return "" })
	body, err := json.Marshal(c)
	if err != nil {
		return cameraRow{}, fmt.Errorf("camera %s: %w", c.ID, err)
	}
	return cameraRow{c.ID, string(body), c.Login.Username, k.seal(c.ID, c.Login.Password)}, nil
}

func (k *keyring) decode(r cameraRow) (inventory.Camera, error) {
	var c inventory.Camera
	if err := json.Unmarshal([]byte(r.body), &c); err != nil {
		return c, fmt.Errorf("camera %s: %w", r.id, err)
	}
	var err error
	c.Login.Username = r.username
	c.Login.Password, err = k.open(r.id, r.sealed)
	return c, err
}

// loadCameras reads all cameras, in order of their ids.
func loadCameras(ctx context.Context, tx *sqldb.Tx, keys *keyring) ([]inventory.Camera, error) {
	return sqldb.All(ctx, tx, func(rows *sql.Rows) (inventory.Camera, error) {
		var r cameraRow
		if err := rows.Scan(&r.id, &r.body, &r.username, &r.password, &r.keyID); err != nil {
			return inventory.Camera{}, err
		}
		return keys.decode(r)
	}, `SELECT id, body, username, password, key_id FROM cameras ORDER BY id`)
}

// cell is a grid cell as the database holds it: unlike in the API, its area
// comes along.
type cell struct {
	inventory.Cell
	Area [][][]inventory.Position `json:"area"`
}

func encodeGrid(cells []inventory.Cell) (string, error) {
	stored := make([]cell, len(cells))
	for i, c := range cells {
		stored[i] = cell{c, c.Area}
	}
	body, err := json.Marshal(stored)
	return string(body), err
}

func decodeGrid(body string) ([]inventory.Cell, error) {
	var stored []cell
	if err := json.Unmarshal([]byte(body), &stored); err != nil {
		return nil, fmt.Errorf("grid: %w", err)
	}
	cells := make([]inventory.Cell, len(stored))
	for i, c := range stored {
		cells[i] = c.Cell
		cells[i].Area = c.Area
	}
	return cells, nil
}

// loadGrid reads the grid as it was at a revision.
func loadGrid(ctx context.Context, tx *sqldb.Tx, revision int64) ([]inventory.Cell, error) {
	var body string
	err := tx.QueryRowContext(ctx, `SELECT body FROM grids WHERE revision <= $1 ORDER BY revision DESC LIMIT 1`, revision).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return []inventory.Cell{}, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeGrid(body)
}

// record is one row of revisions.
type record struct {
	inventory.Revision
	grid bool
}

func scanRecord(rows *sql.Rows) (record, error) {
	var r record
	var at int64
	err := rows.Scan(&r.ID, &at, &r.By, &r.Note, &r.New, &r.Changed, &r.Removed, &r.grid, &r.Undoes)
	r.At = sqldb.Time(at)
	return r, err
}

const selectRevisions = `SELECT id, at, made_by, note, added, changed, removed, grid, undoes FROM revisions`

func newestRevision(ctx context.Context, tx *sqldb.Tx) (int64, error) {
	var id int64
	err := tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM revisions`).Scan(&id)
	return id, err
}
