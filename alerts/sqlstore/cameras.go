package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"videopatrol/alerts"
	"videopatrol/inventory/sqldb"
)

func (t tx) SetLeadCameras(ctx context.Context, lead string, cameras []string) error {
	have, err := t.leadCameras(ctx, lead)
	if err != nil {
		return err
	}
	fails := make(map[string]bool, len(cameras))
	for _, c := range cameras {
		fails[c] = true
	}
	for _, c := range have {
		if c.Until == nil && !fails[c.Camera] {
			if err := t.exec(ctx, `UPDATE lead_cameras SET until_at = $1 WHERE lead = $2 AND camera = $3`,
				sqldb.Micros(t.Now()), lead, c.Camera); err != nil {
				return err
			}
		}
		if c.Until == nil {
			delete(fails, c.Camera)
		}
	}
	for _, c := range cameras {
		if !fails[c] {
			continue
		}
		if err := t.exec(ctx, `INSERT INTO lead_cameras (lead, camera, from_at) VALUES ($1, $2, $3)
			ON CONFLICT (lead, camera) DO UPDATE SET until_at = NULL`, lead, c, sqldb.Micros(t.Now())); err != nil {
			return fmt.Errorf("add camera %s to lead %s: %w", c, lead, err)
		}
	}
	return nil
}

func (t tx) leadCameras(ctx context.Context, lead string) ([]alerts.LeadCamera, error) {
	return sqldb.All(ctx, t.Tx, func(r *sql.Rows) (alerts.LeadCamera, error) {
		var c alerts.LeadCamera
		var from int64
		var until sql.NullInt64
		err := r.Scan(&c.Camera, &from, &until)
		c.From = sqldb.Time(from)
		if until.Valid {
			at := sqldb.Time(until.Int64)
			c.Until = &at
		}
		return c, err
	}, `SELECT camera, from_at, until_at FROM lead_cameras WHERE lead = $1 ORDER BY camera`, lead)
}

// LeadCameras lists the cameras of a lead.
func (s *Store) LeadCameras(ctx context.Context, lead string) ([]alerts.LeadCamera, error) {
	return read(ctx, s, func(t tx) ([]alerts.LeadCamera, error) { return t.leadCameras(ctx, lead) })
}
