package wall

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"videopatrol/inventory"
)

// Maintenance keeps planned maintenance and tells those whom it concerns. End
// returns inventory.ErrNotFound and inventory.ErrOver.
type Maintenance interface {
	// List returns the windows that end after a moment, by when they begin.
	List(ctx context.Context, after time.Time) ([]inventory.Maintenance, error)
	Plan(ctx context.Context, m inventory.Maintenance) (inventory.Maintenance, error)
	End(ctx context.Context, id int64, by string) (inventory.Maintenance, error)
}

type maintenanceListInput struct {
	After time.Time `query:"after" doc:"RFC 3339; only windows that end after it; default now, so those that are over are left out"`
}

func (s *Server) listMaintenance(ctx context.Context, in *maintenanceListInput) (*body[MaintenanceList], error) {
	after := in.After
	if after.IsZero() {
		after = s.now()
	}
	list, err := s.maintenance.List(ctx, after)
	return answer(MaintenanceList{Maintenance: orEmpty(list)}, err)
}

type maintenanceInput struct{ Body MaintenanceRequest }

func (s *Server) planMaintenance(ctx context.Context, in *maintenanceInput) (*body[inventory.Maintenance], error) {
	who, b, now := callerOf(ctx), in.Body, s.now().UTC()
	m := inventory.Maintenance{
		Cameras: orEmpty(b.Cameras), Cells: orEmpty(b.Cells), From: now, To: b.To.UTC(), Reason: strings.TrimSpace(b.Reason), By: who.Name,
	}
	if b.From != nil {
		m.From = b.From.UTC()
	}
	if err := m.Check(now, s.inventory()); err != nil {
		return nil, problem(http.StatusUnprocessableEntity, "invalid", err.Error())
	}
	detail := fmt.Sprintf("%d cameras, %d cells, %s to %s: %s", len(m.Cameras), len(m.Cells),
		m.From.Format(time.RFC3339), m.To.Format(time.RFC3339), m.Reason)
	err := s.along(ctx, who.did("maintenance_plan", "maintenance", detail), func(ctx context.Context) (err error) {
		m, err = s.maintenance.Plan(ctx, m)
		return err
	})
	return answer(m, err)
}

type maintenanceIDInput struct {
	ID int64 `path:"id" minimum:"1"`
}

func (s *Server) endMaintenance(ctx context.Context, in *maintenanceIDInput) (*body[inventory.Maintenance], error) {
	who := callerOf(ctx)
	var m inventory.Maintenance
	err := s.along(ctx, who.did("maintenance_end", "maintenance/"+strconv.FormatInt(in.ID, 10), ""), func(ctx context.Context) (err error) {
		m, err = s.maintenance.End(ctx, in.ID, who.Name)
		return err
	})
	switch {
	case errors.Is(err, inventory.ErrNotFound):
		return nil, problem(http.StatusNotFound, "not_found", "there is no such maintenance; GET /maintenance lists them")
	case errors.Is(err, inventory.ErrOver):
		return nil, problem(http.StatusConflict, "conflict", "that maintenance is over already; what it excused stays excused")
	}
	return answer(m, err)
}
