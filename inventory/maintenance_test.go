package inventory_test

import (
	"strings"
	"testing"
	"time"

	"videopatrol/inventory"
)

func TestMaintenanceIsChecked(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	have := inventory.Snapshot{
		Cameras: []inventory.Camera{{ID: "a"}},
		Grid:    inventory.NewGrid([]inventory.Cell{{ID: "c", Level: inventory.LevelTown}}),
	}
	good := inventory.Maintenance{Cameras: []string{"a"}, Cells: []string{"c"}, From: now, To: now.Add(time.Hour), Reason: "new switch"}
	for want, edit := range map[string]func(m *inventory.Maintenance){
		"":                     func(*inventory.Maintenance) {},
		"needs a reason":       func(m *inventory.Maintenance) { m.Reason = " " },
		"cameras or cells":     func(m *inventory.Maintenance) { m.Cameras, m.Cells = nil, nil },
		"at most 2000 cameras": func(m *inventory.Maintenance) { m.Cameras = make([]string, 2001) },
		"1 minute to 30 days":  func(m *inventory.Maintenance) { m.To = m.From.Add(inventory.MaintenanceMost + 1) },
		"lasts 1 minute":       func(m *inventory.Maintenance) { m.To = m.From },
		"in the past":          func(m *inventory.Maintenance) { m.From = now.Add(-2 * time.Minute) },
		"366 days ahead": func(m *inventory.Maintenance) {
			m.From, m.To = now.Add(9e3*time.Hour), now.Add(9e3*time.Hour+time.Hour)
		},
		`no camera "z"`: func(m *inventory.Maintenance) { m.Cameras = []string{"z"} },
		`no cell "z"`:   func(m *inventory.Maintenance) { m.Cells = []string{"z"} },
	} {
		m := good
		edit(&m)
		err := m.Check(now, have)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
