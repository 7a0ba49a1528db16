package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
)

// Maintenance lists the windows that end after a moment, by when they begin.
func (s *Store) Maintenance(ctx context.Context, after time.Time) ([]inventory.Maintenance, error) {
	var list []inventory.Maintenance
	err := s.db.Read(ctx, func(tx *sqldb.Tx) (err error) {
		list, err = sqldb.All(ctx, tx, func(r *sql.Rows) (inventory.Maintenance, error) { return scanMaintenance(r) },
			selectMaintenance+` WHERE ends > $1 ORDER BY begins, id`, sqldb.Micros(after))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list maintenance: %w", err)
	}
	return list, nil
}

// PlanMaintenance keeps a window and gives it its id. Whoever calls has
// checked it (inventory.Maintenance.Check).
func (s *Store) PlanMaintenance(ctx context.Context, m inventory.Maintenance) (inventory.Maintenance, error) {
	cameras, err := json.Marshal(orEmpty(m.Cameras))
	if err != nil {
		return m, err
	}
	cells, err := json.Marshal(orEmpty(m.Cells))
	if err != nil {
		return m, err
	}
	var planned inventory.Maintenance
	err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		planned, err = scanMaintenance(tx.QueryRowContext(ctx, `INSERT INTO maintenance
			(id, begins, ends, cameras, cells, reason, made_by, made_at, ended_by)
			SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, '' FROM maintenance
			RETURNING id, begins, ends, cameras, cells, reason, made_by, made_at, ended_by`,
			sqldb.Micros(m.From), sqldb.Micros(m.To), string(cameras), string(cells), m.Reason, m.By, sqldb.Micros(tx.Now)))
		return err
	})
	if err != nil {
		return m, fmt.Errorf("plan maintenance: %w", err)
	}
	return planned, nil
}

// EndMaintenance ends a window now, or calls it off when it has not begun. It
// returns inventory.ErrNotFound when there is no such window and
// inventory.ErrOver when it has ended already.
func (s *Store) EndMaintenance(ctx context.Context, id int64, by string) (m inventory.Maintenance, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		m, err = scanMaintenance(tx.QueryRowContext(ctx, selectMaintenance+` WHERE id = $1`, id))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return inventory.ErrNotFound
		case err != nil:
			return err
		case m.EndedBy != "" || !m.To.After(tx.Now):
			return inventory.ErrOver
		}
		m.EndedBy, m.To = by, tx.Now
		if m.From.After(m.To) {
			m.To = m.From // it was never in force
		}
		_, err = tx.ExecContext(ctx, `UPDATE maintenance SET ends = $1, ended_by = $2 WHERE id = $3`, sqldb.Micros(m.To), by, id)
		return err
	})
	if err != nil {
		return m, fmt.Errorf("end maintenance %d: %w", id, err)
	}
	return m, nil
}

const selectMaintenance = `SELECT id, begins, ends, cameras, cells, reason, made_by, made_at, ended_by FROM maintenance`

func scanMaintenance(r interface{ Scan(...any) error }) (m inventory.Maintenance, err error) {
	var begins, ends, made int64
	var cameras, cells string
	if err := r.Scan(&m.ID, &begins, &ends, &cameras, &cells, &m.Reason, &m.By, &made, &m.EndedBy); err != nil {
		return m, err
	}
	m.From, m.To, m.Planned = sqldb.Time(begins), sqldb.Time(ends), sqldb.Time(made)
	return m, errors.Join(json.Unmarshal([]byte(cameras), &m.Cameras), json.Unmarshal([]byte(cells), &m.Cells))
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
