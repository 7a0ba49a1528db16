package inventory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of one maintenance window.
const (
	MaintenanceMost    = 30 * 24 * time.Hour // how long it may last
	MaintenanceAhead   = 366 * 24 * time.Hour
	MaintenanceCameras = 2000
	MaintenanceCells   = 500
)

// ErrOver is returned for a window that has ended already.
var ErrOver = errors.New("the maintenance is over")

// Maintenance is planned work during which cameras may be blind: their blind
// minutes are excused and raise no lead of a camera fault. What happens in
// front of them still does.
type Maintenance struct {
	ID int64 `json:"id"`
	// Cameras are ids of cameras, Cells ids of grid cells of any level: the
	// window holds for all cameras of both.
	Cameras []string  `json:"cameras"`
	Cells   []string  `json:"cells"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Reason  string    `json:"reason"`
	By      string    `json:"by"`
	Planned time.Time `json:"planned_at"`
	// EndedBy is who ended it early; To is then when.
	EndedBy string `json:"ended_by,omitempty"`
}

// Overlaps tells whether the window holds at any moment of [from, to).
func (m Maintenance) Overlaps(from, to time.Time) bool {
	return m.From.Before(to) && from.Before(m.To)
}

// Check says what is wrong with a window that is to be planned at now, and
// what to do; nil when nothing is. What has happened stays as it was: a window
// cannot begin in the past, for a minute that is allowed to typing.
func (m Maintenance) Check(now time.Time, have Snapshot) error {
	length := m.To.Sub(m.From)
	switch {
	case strings.TrimSpace(m.Reason) == "":
		return errors.New("a maintenance needs a reason: say what is done")
	case len(m.Cameras)+len(m.Cells) == 0:
		return errors.New("a maintenance needs cameras or cells: name at least one")
	case len(m.Cameras) > MaintenanceCameras || len(m.Cells) > MaintenanceCells:
		return fmt.Errorf("a maintenance has at most %d cameras and %d cells; name cells instead of cameras, or plan several", MaintenanceCameras, MaintenanceCells)
	case length < time.Minute || length > MaintenanceMost:
		return fmt.Errorf("a maintenance lasts 1 minute to %d days, this one %v; set from and to", MaintenanceMost/(24*time.Hour), length)
	case m.From.Before(now.Add(-time.Minute)):
		return fmt.Errorf("a maintenance cannot begin in the past (%s): what was blind stays blind; begin it now or later", m.From.UTC().Format(time.RFC3339))
	case m.From.After(now.Add(MaintenanceAhead)):
		return fmt.Errorf("a maintenance begins at most %d days ahead", MaintenanceAhead/(24*time.Hour))
	}
	for _, id := range m.Cameras {
		if !slices.ContainsFunc(have.Cameras, func(c Camera) bool { return c.ID == id }) {
			return fmt.Errorf("there is no camera %q; GET /cameras lists them", id)
		}
	}
	for _, id := range m.Cells {
		if _, ok := have.Grid.Cell(id); !ok {
			return fmt.Errorf("there is no cell %q; GET /grid lists them", id)
		}
	}
	return nil
}
