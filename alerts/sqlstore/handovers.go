package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"videopatrol/alerts"
	"videopatrol/inventory/sqldb"
)

func (t tx) OwnedLeads(ctx context.Context, owner string, limit int) ([]alerts.Lead, error) {
	args := []any{owner}
	for _, s := range alerts.LeadStates() {
		if s.Open() {
			args = append(args, string(s))
		}
	}
	states := list(2, len(args)-1)
	args = append(args, limit)
	return t.leads(ctx, leadColumns+` WHERE l.owner = $1 AND l.state IN (`+states+`)
		ORDER BY l.raised_at, l.id LIMIT $`+fmt.Sprint(len(args)), args...)
}

func (t tx) SaveHandover(ctx context.Context, h alerts.Handover) error {
	leads, err := json.Marshal(h.Leads)
	if err != nil {
		return fmt.Errorf("encode handover %s: %w", h.ID, err)
	}
	var taken any
	if h.Taken != nil {
		taken = sqldb.Micros(*h.Taken)
	}
	return t.exec(ctx, `
		INSERT INTO lead_handovers (id, from_name, offered_at, note, to_name, taken_at, leads) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET to_name = excluded.to_name, taken_at = excluded.taken_at, leads = excluded.leads`,
		h.ID, h.From, sqldb.Micros(h.Offered), h.Note, h.To, taken, string(leads))
}

const handoverColumns = `SELECT id, from_name, offered_at, note, to_name, taken_at, leads FROM lead_handovers`

func scanHandover(r *sql.Rows) (alerts.Handover, error) {
	var h alerts.Handover
	var offered int64
	var taken sql.NullInt64
	var leads string
	if err := r.Scan(&h.ID, &h.From, &offered, &h.Note, &h.To, &taken, &leads); err != nil {
		return h, err
	}
	h.Offered = sqldb.Time(offered)
	if taken.Valid {
		at := sqldb.Time(taken.Int64)
		h.Taken = &at
	}
	return h, decode("leads", leads, &h.Leads)
}

func (t tx) Handover(ctx context.Context, id string) (alerts.Handover, error) {
	all, err := sqldb.All(ctx, t.Tx, scanHandover, handoverColumns+` WHERE id = $1`, id)
	if err == nil && len(all) == 0 {
		err = alerts.ErrNotFound
	}
	if err != nil {
		return alerts.Handover{}, err
	}
	return all[0], nil
}

// Handovers lists the newest changes of shifts, newest first.
func (s *Store) Handovers(ctx context.Context, limit int) ([]alerts.Handover, error) {
	return read(ctx, s, func(t tx) ([]alerts.Handover, error) {
		return sqldb.All(ctx, t.Tx, scanHandover, handoverColumns+` ORDER BY offered_at DESC, id DESC LIMIT $1`, limit)
	})
}
