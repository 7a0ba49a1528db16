package inventory

import (
	"maps"
	"slices"
)

// Equal tells whether two cameras are wanted alike, login included. The
// derived cells do not count.
func (c Camera) Equal(o Camera) bool {
	return c.ID == o.ID && c.Name == o.Name && c.Owner == o.Owner && c.Position == o.Position &&
		c.Streams == o.Streams && c.Login == o.Login && c.Link == o.Link && c.Patrol == o.Patrol && c.Disabled == o.Disabled &&
		slices.EqualFunc(c.Zones, o.Zones, Zone.Equal) &&
		slices.EqualFunc(c.Masks, o.Masks, slices.Equal[Polygon])
}

// Equal tells whether two zones are wanted alike. The derived cell does not
// count.
func (z Zone) Equal(o Zone) bool {
	same := z.Position == nil && o.Position == nil ||
		z.Position != nil && o.Position != nil && *z.Position == *o.Position
	return same && z.ID == o.ID && z.Name == o.Name && z.Kind == o.Kind && z.Dwell == o.Dwell &&
		z.Preset == o.Preset && z.View == o.View && maps.Equal(z.Params, o.Params) && slices.Equal(z.Perspective, o.Perspective) &&
		slices.Equal(z.Area, o.Area) && slices.EqualFunc(z.Hours, o.Hours, Hours.Equal)
}

// Equal tells whether two spans are the same.
func (h Hours) Equal(o Hours) bool {
	return h.From == o.From && h.To == o.To && slices.Equal(h.Days, o.Days)
}

// Equal tells whether two cells are the same, areas included.
func (c Cell) Equal(o Cell) bool {
	return c.ID == o.ID && c.Name == o.Name && c.Level == o.Level && c.Parent == o.Parent &&
		slices.EqualFunc(c.Area, o.Area, func(a, b [][]Position) bool {
			return slices.EqualFunc(a, b, slices.Equal[[]Position])
		})
}

// WithCells is a copy of the camera whose cell and whose zones' cells are
// those that locate finds; a zone without a place of its own lies where its
// camera stands.
func (c Camera) WithCells(locate func(Position) string) Camera {
	c.Cell = locate(c.Position)
	if len(c.Zones) > 0 {
		c.Zones = slices.Clone(c.Zones)
		for i, z := range c.Zones {
			if c.Zones[i].Cell = c.Cell; z.Position != nil {
				c.Zones[i].Cell = locate(*z.Position)
			}
		}
	}
	return c
}
