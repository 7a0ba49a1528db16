package geo_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"videopatrol/inventory"
	"videopatrol/inventory/geo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func at(lat, lon float64) inventory.Position { return inventory.Position{Lat: lat, Lon: lon} }

// metres is the distance between two places that are close to each other.
func metres(a, b inventory.Position) float64 {
	const degree = 111_320
	return math.Hypot((a.Lat-b.Lat)*degree, (a.Lon-b.Lon)*degree*math.Cos(a.Lat*math.Pi/180))
}

func TestKnownPlaces(t *testing.T) {
	// The first three are test data of googollee/eviltransform, the others of
	// wandergis/coordtransform.
	tests := []struct {
		name     string
		f        func(inventory.Position) inventory.Position
		in, want inventory.Position
	}{
		{"wgs to gcj", geo.WGS84ToGCJ02, at(31.1774276, 121.5272106), at(31.17530398364597, 121.531541859215)},
		{"wgs to gcj", geo.WGS84ToGCJ02, at(22.543847, 113.912316), at(22.540796131694766, 113.9171764808363)},
		{"wgs to gcj", geo.WGS84ToGCJ02, at(39.911954, 116.377817), at(39.91334545536069, 116.38404722455657)},
		{"wgs to gcj", geo.WGS84ToGCJ02, at(39.915, 116.404), at(39.91640428150164, 116.41024449916938)},
		{"gcj to bd", geo.GCJ02ToBD09, at(39.915, 116.404), at(39.92133699351021, 116.41036949371029)},
		{"bd to gcj", geo.BD09ToGCJ02, at(39.915, 116.404), at(39.90865673957631, 116.39762729119315)},
	}
	for _, tt := range tests {
		if got := tt.f(tt.in); metres(got, tt.want) > 0.5 {
			t.Errorf("%s %v: %v, want %v (%.2f m off)", tt.name, tt.in, got, tt.want, metres(got, tt.want))
		}
	}
}

func TestThereAndBack(t *testing.T) {
	for _, crs := range []geo.CRS{geo.WGS84, geo.GCJ02, geo.BD09} {
		t.Run(string(crs), rapid.MakeCheck(func(t *rapid.T) {
			// Away from the rectangle's edge, where the shift itself jumps.
			p := at(rapid.Float64Range(1, 55.5).Draw(t, "lat"), rapid.Float64Range(72.5, 137.5).Draw(t, "lon"))
			q := crs.ToWGS84(crs.FromWGS84(p))
			if d := metres(p, q); d > 0.001 {
				t.Fatalf("%v came back as %v, %.4f m off", p, q, d)
			}
			if crs != geo.WGS84 {
				// Far out at sea the formula shifts by a few metres only.
				if d := metres(p, crs.FromWGS84(p)); d == 0 || d > 3000 {
					t.Fatalf("%v was shifted by %.0f m", p, d)
				}
			}
		}))
	}
}

func TestOutsideChina(t *testing.T) {
	for _, p := range []inventory.Position{at(51.5, -0.12), at(-33.9, 151.2), at(0, 0), at(35.68, 139.7), at(90, 180)} {
		for _, crs := range []geo.CRS{geo.GCJ02, geo.BD09} {
			if crs.ToWGS84(p) != p || crs.FromWGS84(p) != p {
				t.Errorf("%s moved %v", crs, p)
			}
		}
	}
}

func TestParseCRS(t *testing.T) {
	for in, want := range map[string]geo.CRS{"WGS-84": geo.WGS84, "gcj02": geo.GCJ02, "GCJ_02": geo.GCJ02, "BD-09": geo.BD09, "CGCS2000": geo.WGS84} {
		if got, err := geo.ParseCRS(in); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	if _, err := geo.ParseCRS("utm50n"); err == nil {
		t.Error("utm50n passed")
	}
}

func ring(xy ...float64) []inventory.Position {
	var r []inventory.Position
	for i := 0; i < len(xy); i += 2 {
		r = append(r, at(xy[i+1], xy[i]))
	}
	return r
}

func TestInArea(t *testing.T) {
	area := [][]inventory.Position{
		ring(0, 0, 4, 0, 4, 4, 0, 4, 0, 0),
		ring(1, 1, 1, 3, 3, 3, 3, 1, 1, 1),
	}
	tests := []struct {
		x, y float64
		want bool
	}{
		{0.5, 0.5, true},
		{2, 2, false}, // in the hole
		{5, 2, false},
		{-1, 2, false},
		{2, 5, false},
		{2, -1, false},
		{0, 0, true},
		{4, 4, true},
		{0, 2, true},
		{4, 2, true},
		{2, 4, true}, // outer border
		{1, 2, true},
		{3, 3, true}, // the hole's border
		{-1, 0, false},
		{-1, 4, false},
		{5, 4, false}, // in line with an edge
		{math.NaN(), 2, false},
	}
	for _, tt := range tests {
		if got := geo.InArea(area, at(tt.y, tt.x)); got != tt.want {
			t.Errorf("(%v, %v): %t", tt.x, tt.y, got)
		}
	}
}

func TestLocator(t *testing.T) {
	cells := []inventory.Cell{
		{ID: "c", Level: inventory.LevelCell, Area: [][][]inventory.Position{{ring(0, 0, 9, 0, 9, 9, 0, 9, 0, 0)}}},
		{ID: "b", Level: inventory.LevelSubcell, Area: [][][]inventory.Position{{ring(1, 0, 2, 0, 2, 1, 1, 1, 1, 0)}}},
		{ID: "a", Level: inventory.LevelSubcell, Area: [][][]inventory.Position{
			{ring(0, 0, 1, 0, 1, 1, 0, 1, 0, 0)}, {ring(5, 5, 6, 5, 6, 6, 5, 6, 5, 5)},
		}},
		{ID: "empty", Level: inventory.LevelSubcell},
	}
	for range 2 {
		l := geo.NewLocator(inventory.NewGrid(cells))
		for p, want := range map[[2]float64]string{
			{0.5, 0.5}: "a", {1.5, 0.5}: "b", {5.5, 5.5}: "a", {3, 3}: "",
			{1, 0.5}: "a", // shared border: the smaller id
			{1, 1}:   "a", {2, 1}: "b",
		} {
			if got := l.Subcell(at(p[1], p[0])); got != want {
				t.Errorf("%v: %q, want %q", p, got, want)
			}
		}
		slices.Reverse(cells) // the order must not matter
	}
	if l := geo.NewLocator(nil); !l.Empty() || l.Subcell(at(1, 1)) != "" {
		t.Error("an empty grid has a cell")
	}
}

// TestNoGaps throws points on a lattice of jittered cells that share their
// corners: each must fall into a cell.
func TestNoGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 3
		var node [n + 1][n + 1]inventory.Position
		for y := range node {
			for x := range node[y] {
				jitter := rapid.Float64Range(-0.3, 0.3)
				node[y][x] = at(float64(y), float64(x))
				if x > 0 && x < n {
					node[y][x].Lon += jitter.Draw(t, "dx")
				}
				if y > 0 && y < n {
					node[y][x].Lat += jitter.Draw(t, "dy")
				}
			}
		}
		var cells []inventory.Cell
		for y := range n {
			for x := range n {
				r := []inventory.Position{node[y][x], node[y][x+1], node[y+1][x+1], node[y+1][x], node[y][x]}
				cells = append(cells, inventory.Cell{
					ID: fmt.Sprint(y, x), Level: inventory.LevelSubcell, Area: [][][]inventory.Position{{r}},
				})
			}
		}
		p := at(rapid.Float64Range(0, n).Draw(t, "lat"), rapid.Float64Range(0, n).Draw(t, "lon"))
		if geo.NewLocator(inventory.NewGrid(cells)).Subcell(p) == "" {
			t.Fatalf("%v fell through a gap", p)
		}
	})
}

func TestCrossing(t *testing.T) {
	tests := []struct {
		name string
		ring []geo.XY
		want bool
	}{
		{"triangle", []geo.XY{{0, 0}, {1, 0}, {0, 1}}, false},
		{"square", []geo.XY{{0, 0}, {1, 0}, {1, 1}, {0, 1}}, false},
		{"concave", []geo.XY{{0, 0}, {4, 0}, {4, 4}, {2, 1}, {0, 4}}, false},
		{"straight on", []geo.XY{{0, 0}, {1, 0}, {2, 0}, {2, 2}}, false},
		{"bow tie", []geo.XY{{0, 0}, {1, 1}, {1, 0}, {0, 1}}, true},
		{"spike", []geo.XY{{0, 0}, {2, 0}, {2, 2}, {2, 1}, {0, 1}}, true},
		{"touches itself", []geo.XY{{0, 0}, {4, 0}, {4, 4}, {2, 0}, {0, 4}}, true},
		{"same point twice", []geo.XY{{0, 0}, {1, 0}, {1, 0}, {0, 1}}, true},
		{"there and back", []geo.XY{{0, 0}, {1, 0}}, true},
		{"flat", []geo.XY{{0, 0}, {1, 0}, {2, 0}}, true},
	}
	for _, tt := range tests {
		for shift := range tt.ring {
			r := append(slices.Clone(tt.ring[shift:]), tt.ring[:shift]...)
			if _, _, got := geo.Crossing(r); got != tt.want {
				t.Errorf("%s from point %d: %t", tt.name, shift, got)
			}
		}
	}
}

func FuzzToWGS84(f *testing.F) {
	f.Add(39.9, 116.4)
	f.Add(0.8293, 72.004)
	f.Add(math.NaN(), math.Inf(1))
	f.Fuzz(func(t *testing.T, lat, lon float64) {
		p := at(lat, lon)
		for _, crs := range []geo.CRS{geo.GCJ02, geo.BD09} {
			q := crs.ToWGS84(p)
			if !geo.InChina(p) {
				continue
			}
			if d := metres(p, q); math.IsNaN(d) || d > 5000 {
				t.Errorf("%s %v became %v", crs, p, q)
			}
		}
	})
}

func BenchmarkSubcell(b *testing.B) {
	var cells []inventory.Cell
	for i := range 1485 {
		x, y := float64(i%39), float64(i/39)
		cells = append(cells, inventory.Cell{
			ID: fmt.Sprint(i), Level: inventory.LevelSubcell,
			Area: [][][]inventory.Position{{ring(x, y, x+1, y, x+1, y+1, x, y+1, x, y)}},
		})
	}
	l := geo.NewLocator(inventory.NewGrid(cells))
	for i := 0; b.Loop(); i++ {
		l.Subcell(at(float64(i%38)+0.3, float64(i%39)+0.6))
	}
}
