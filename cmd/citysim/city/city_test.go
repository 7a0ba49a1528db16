package city_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"videopatrol/cmd/citysim/city"
	"videopatrol/inventory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(cameras int) city.Options {
	return city.Options{Seed: 1, Cameras: cameras, Listen: "127.0.0.1:8554", Username: "u", Password: "secret"}
}

func newCity(tb testing.TB, o city.Options) *city.City {
	tb.Helper()
	c, err := city.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func levels(cells []inventory.Cell) map[inventory.Level][]inventory.Cell {
	out := map[inventory.Level][]inventory.Cell{}
	for _, c := range cells {
		out[c.Level] = append(out[c.Level], c)
	}
	return out
}

// area is the signed area of a ring in square degrees, counter-clockwise positive.
func area(ring []inventory.Position) float64 {
	sum := 0.0
	for i := 1; i < len(ring); i++ {
		a, b := ring[i-1], ring[i]
		sum += (a.Lon-117)*(b.Lat-30) - (b.Lon-117)*(a.Lat-30)
	}
	return sum / 2
}

func inside(c inventory.Cell, p inventory.Position) bool {
	in := false
	for _, ring := range c.Area[0] {
		for i := 1; i < len(ring); i++ {
			a, b := ring[i-1], ring[i]
			if (a.Lat > p.Lat) != (b.Lat > p.Lat) && p.Lon < (b.Lon-a.Lon)*(p.Lat-a.Lat)/(b.Lat-a.Lat)+a.Lon {
				in = !in
			}
		}
	}
	return in
}

func TestGridHasItsCells(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, 99} {
		cells := city.Grid(seed)
		n := levels(cells)
		if len(n[inventory.LevelCity]) != 1 || len(n[inventory.LevelTown]) != 19 || len(n[inventory.LevelCell]) != 178 || len(n[inventory.LevelSubcell]) != 1485 {
			t.Fatalf("seed %d: %d towns, %d cells, %d sub-cells", seed, len(n[inventory.LevelTown]), len(n[inventory.LevelCell]), len(n[inventory.LevelSubcell]))
		}
		grid := inventory.NewGrid(cells)
		ids, names := map[string]bool{}, map[string]bool{}
		for _, c := range cells {
			if ids[c.ID] || names[c.Name] {
				t.Errorf("seed %d: %s %s is there twice", seed, c.ID, c.Name)
			}
			ids[c.ID], names[c.Name] = true, true
			if path := grid.Path(c.ID); path[0].Level != inventory.LevelCity {
				t.Errorf("seed %d: %s has no way up to the city", seed, c.ID)
			}
		}
	}
}

// Siblings neither overlap nor leave gaps: every edge inside a parent is
// walked by two children in opposite directions, every edge on its border by
// one child as by the parent, and the areas add up.
func TestSiblingsFitTogether(t *testing.T) {
	type edge struct{ a, b inventory.Position }
	edges := func(c inventory.Cell) []edge {
		var out []edge
		for _, ring := range c.Area[0] {
			for i := 1; i < len(ring); i++ {
				out = append(out, edge{ring[i-1], ring[i]})
			}
		}
		return out
	}
	cells := city.Grid(1)
	children := map[string][]inventory.Cell{}
	for _, c := range cells {
		children[c.Parent] = append(children[c.Parent], c)
	}
	for _, parent := range cells {
		if parent.Level == inventory.LevelSubcell {
			continue
		}
		left := map[edge]int{}
		sum := 0.0
		for _, child := range children[parent.ID] {
			for _, e := range edges(child) {
				left[e]++
			}
			for _, ring := range child.Area[0] {
				sum += area(ring)
			}
		}
		for _, e := range edges(parent) {
			left[e]--
		}
		for e, n := range left {
			if back := left[edge{e.b, e.a}]; n != back {
				t.Fatalf("%s: the edge %v is walked %d times one way and %d times the other", parent.Name, e, n, back)
			}
			if n > 1 {
				t.Fatalf("%s: two children claim the same side of %v", parent.Name, e)
			}
		}
		whole := 0.0
		for _, ring := range parent.Area[0] {
			whole += area(ring)
		}
		if math.Abs(whole-sum) > 1e-9 {
			t.Errorf("%s: its area is %g, its children's %g", parent.Name, whole, sum)
		}
	}
}

func TestRingsFollowRFC7946(t *testing.T) {
	for _, c := range city.Grid(2) {
		for i, ring := range c.Area[0] {
			if ring[0] != ring[len(ring)-1] || len(ring) < 5 {
				t.Fatalf("%s: ring %d is not closed", c.ID, i)
			}
			if a := area(ring); (i == 0) != (a > 0) {
				t.Fatalf("%s: ring %d has an area of %g: the outer one comes first and runs counter-clockwise", c.ID, i, a)
			}
		}
	}
}

func TestCameras(t *testing.T) {
	c := newCity(t, options(2000))
	cells := inventory.NewGrid(c.Cells)
	subcells := levels(c.Cells)[inventory.LevelSubcell]
	code := regexp.MustCompile(`^3497\d{4}0[01]1320\d{6}$`)
	seen, masks := map[string]bool{}, 0
	for i, cam := range c.Cameras {
		if !code.MatchString(cam.ID) || seen[cam.ID] {
			t.Errorf("camera %d has the code %q", i, cam.ID)
		}
		seen[cam.ID] = true
		masks += len(cam.Masks)
		want := inventory.ZoneFireLane
		if i%2 == 1 {
			want = inventory.ZoneClosedArea
		}
		if len(cam.Zones) != 1 || cam.Zones[0].Kind != want {
			t.Errorf("camera %d has the zones %v", i, cam.Zones)
		}
		if i >= 200 {
			continue
		}
		homes := 0
		for _, sub := range subcells {
			if inside(sub, cam.Position) {
				homes++
				if town := cells.Path(sub.ID)[1].Name; !strings.HasPrefix(cam.Name, town) {
					t.Errorf("camera %s stands in %s", cam.Name, town)
				}
			}
		}
		if homes != 1 {
			t.Errorf("camera %d stands in %d sub-cells", i, homes)
		}
	}
	if masks != 200 {
		t.Errorf("%d masks among 2000 cameras, want 200", masks)
	}
}

func TestCSV(t *testing.T) {
	o := options(10)
	o.Hosts = 3
	var out bytes.Buffer
	if err := newCity(t, o).WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 11 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	want := "id,name,owner,lat,lon,crs,main,sub,still,username,password,tier,interval,zones,masks,disabled"
	if got := strings.Join(rows[0], ","); got != want {
		t.Errorf("header %s", got)
	}
	r := rows[8]
	id := r[0]
	for i, want := range map[int]string{
		5: "wgs84", 6: "rtsp://127.0.1.2:8554/cam/" + id + "/main", 7: "rtsp://127.0.1.2:8554/cam/" + id + "/sub",
		8: "http://127.0.1.2:8555/cam/" + id + "/still.jpg", 9: "u", 10: "secret", 12: "5s", 15: "false",
	} {
		if r[i] != want {
			t.Errorf("%s is %q, want %q", rows[0][i], r[i], want)
		}
	}
	var zones []struct {
		ID, Name, Kind, Dwell string
		Area                  inventory.Polygon
	}
	if err := json.Unmarshal([]byte(rows[1][13]), &zones); err != nil || len(zones) != 1 || zones[0].Kind != "fire_lane" || zones[0].Dwell != "20s" || len(zones[0].Area) < 3 {
		t.Errorf("zones %s: %v", rows[1][13], err)
	}
	var masks []inventory.Polygon
	if err := json.Unmarshal([]byte(r[14]), &masks); err != nil || len(masks) != 1 || len(masks[0]) != 4 {
		t.Errorf("masks %s: %v", r[14], err)
	}
}

func TestGeoJSON(t *testing.T) {
	var out bytes.Buffer
	if err := newCity(t, options(0)).WriteGeoJSON(&out); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Type     string
		Features []struct {
			Type       string
			Properties map[string]string
			Geometry   struct {
				Type        string
				Coordinates [][][2]float64
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Type != "FeatureCollection" || len(doc.Features) != 1+19+178+1485 {
		t.Fatalf("a %s of %d features", doc.Type, len(doc.Features))
	}
	f := doc.Features[1]
	if f.Type != "Feature" || f.Geometry.Type != "Polygon" || f.Properties["level"] != "town" || f.Properties["parent"] != "349700" || f.Geometry.Coordinates[0][0][0] < 100 {
		t.Errorf("the first town is %+v", f.Properties)
	}
}

func TestSameSeedSameCity(t *testing.T) {
	write := func(o city.Options) string {
		var out bytes.Buffer
		c := newCity(t, o)
		if err := c.WriteCSV(&out); err != nil {
			t.Fatal(err)
		}
		if err := c.WriteGeoJSON(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	other := options(20)
	other.Seed = 2
	if a, b := write(options(20)), write(options(20)); a != b {
		t.Error("one seed laid out two cities")
	} else if a == write(other) {
		t.Error("two seeds laid out one city")
	}
	// More cameras leave the first ones as they are.
	few, many := newCity(t, options(5)), newCity(t, options(50))
	for i, c := range few.Cameras {
		if c.ID != many.Cameras[i].ID || c.Position != many.Cameras[i].Position {
			t.Errorf("camera %d moved when the city grew", i)
		}
	}
}

// Beyond 200 cameras, or where it is asked for, cameras share scenes, and with
// them the zones.
func TestScenesAreShared(t *testing.T) {
	zone := func(c inventory.Camera) inventory.Polygon { return c.Zones[0].Area }
	own := newCity(t, options(200))
	if slices.Equal(zone(own.Cameras[0]), zone(own.Cameras[100])) {
		t.Error("of 200 cameras two share a scene")
	}
	shared := newCity(t, options(201))
	if !slices.Equal(zone(shared.Cameras[7]), zone(shared.Cameras[107])) || !slices.Equal(zone(shared.Cameras[7]), zone(own.Cameras[7])) {
		t.Error("201 cameras do not share the scenes of the first 100")
	}
	o := options(8)
	o.Scenes = 2
	few := newCity(t, o)
	if !slices.Equal(zone(few.Cameras[1]), zone(few.Cameras[5])) || few.Cameras[1].ID == few.Cameras[5].ID {
		t.Error("two scenes are not shared by eight cameras")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]city.Options{
		"cameras": {Cameras: -1, Listen: "h:1"}, "hosts": {Hosts: 255, Listen: "h:1"}, "listen": {}, "port": {Cameras: 1, Listen: "h"},
		"scenes": {Cameras: 1, Listen: "h:1", Scenes: 3},
	} {
		if _, err := city.New(o); err == nil {
			t.Errorf("wrong %s passed", name)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newCity(b, options(100))
	}
}
