package streams

import (
	"slices"
	"time"

	"videopatrol/inventory"
)

// window is a maintenance, made for asking.
type window struct {
	inventory.Maintenance
	cameras, cells map[string]struct{}
}

// maintain takes the whole set of maintenance windows.
func (c *coverage) maintain(list []inventory.Maintenance) {
	windows := make([]window, len(list))
	for i, m := range list {
		windows[i] = window{m, setOf(m.Cameras), setOf(m.Cells)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.windows = windows
}

func setOf(ids []string) map[string]struct{} {
	set := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		set[id] = struct{}{}
	}
	return set
}

// excuse tells which cameras are under maintenance at any moment of [from, to):
// by slot and one by one. Both are nil when none is. c.mu is held.
func (c *coverage) excuse(from, to time.Time) (slots []bool, cameras map[*attention]struct{}) {
	for _, w := range c.windows {
		if !w.Overlaps(from, to) {
			continue
		}
		if slots == nil {
			slots, cameras = make([]bool, len(c.keys)), make(map[*attention]struct{})
		}
		for i, path := range c.paths {
			slots[i] = slots[i] || w.holds(path)
		}
		for id := range w.cameras {
			if a := c.cameras[id]; a != nil {
				cameras[a] = struct{}{}
			}
		}
	}
	return slots, cameras
}

// holds tells whether a window holds for any of the cells.
func (w window) holds(path []string) bool {
	return slices.ContainsFunc(path, func(cell string) bool {
		_, ok := w.cells[cell]
		return ok
	})
}

// excused tells whether a camera is under maintenance at a moment.
func (c *coverage) excused(camera string, at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.windows {
		if !w.Overlaps(at, at.Add(1)) {
			continue
		}
		if _, ok := w.cameras[camera]; ok {
			return true
		}
		if a := c.cameras[camera]; a != nil && w.holds(c.paths[a.slot]) {
			return true
		}
	}
	return false
}

// Maintain hands over the whole set of maintenance windows, those that are
// over included as far back as the ledger goes.
func (m *Manager) Maintain(windows []inventory.Maintenance) { m.coverage.maintain(windows) }

// Excused tells whether a camera is under planned maintenance: its faults
// raise no lead and no alarm. What happens in front of it still does.
func (m *Manager) Excused(camera string, at time.Time) bool {
	return m.coverage.excused(camera, at)
}
