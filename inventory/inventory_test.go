package inventory_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/inventory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func example() inventory.Camera {
	return inventory.Camera{
		ID: "cam", Name: "东门", Owner: "city", Position: inventory.Position{Lat: 30, Lon: 120},
		Streams: inventory.Streams{Main: "rtsp://h/1", Sub: "rtsp://h/2", Still: "http://h/3"},
		Login:   inventory.Login{Username: "admin", Password: "s3cret-Pa55"},
		Patrol:  inventory.Patrol{Tier: inventory.TierHigh, Interval: time.Minute},
		Zones: []inventory.Zone{{
			ID: "z", Name: "zone", Kind: inventory.ZoneFireLane, Area: inventory.Polygon{{X: 0}, {X: 1}, {Y: 1}},
			Position: &inventory.Position{Lat: 31, Lon: 121}, Dwell: time.Second,
			Hours:       []inventory.Hours{{From: 60, To: 120, Days: []time.Weekday{time.Monday}}},
			Perspective: []inventory.Ruler{{Y: 0.4, Height: 0.1}, {Y: 0.9, Height: 0.4}},
			Preset:      "lorries", Params: inventory.Params{"dwell": "30s"},
		}},
		Masks: []inventory.Polygon{{{X: 0}, {X: 1}, {Y: 1}}}, Disabled: true,
	}
}

// TestEqual changes every field of a camera in turn, those added later too.
func TestEqual(t *testing.T) {
	if !example().Equal(example()) {
		t.Fatal("a camera does not equal itself")
	}
	derived := map[string]bool{"Camera.Cell": true, "Zone.Cell": true}
	c := example()
	n := len(leaves(reflect.ValueOf(&c).Elem(), "Camera"))
	for i := range n {
		c := example()
		leaf := leaves(reflect.ValueOf(&c).Elem(), "Camera")[i]
		change(t, leaf)
		if got := c.Equal(example()); got != derived[leaf.name] {
			t.Errorf("with another %s: equal is %t", leaf.name, got)
		}
	}
}

type leaf struct {
	name string
	v    reflect.Value
}

func leaves(v reflect.Value, name string) []leaf {
	var all []leaf
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			all = append(all, leaves(v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name)...)
		}
		return all
	case reflect.Pointer:
		if !v.IsNil() {
			all = leaves(v.Elem(), name)
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, leaves(v.Index(i), name)...)
		}
	default:
	}
	return append(all, leaf{name, v})
}

func change(t *testing.T, l leaf) {
	t.Helper()
	switch v := l.v; v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Slice, reflect.Pointer, reflect.Map:
		v.SetZero()
	default:
		t.Fatalf("%s: no change known for a %s", l.name, v.Kind())
	}
}

func TestWithCells(t *testing.T) {
	c := example()
	c.Zones = append(c.Zones, inventory.Zone{ID: "here"})
	got := c.WithCells(func(p inventory.Position) string { return fmt.Sprint(p.Lat) })
	if got.Cell != "30" || got.Zones[0].Cell != "31" || got.Zones[1].Cell != "30" {
		t.Errorf("camera in %q, zones in %q and %q", got.Cell, got.Zones[0].Cell, got.Zones[1].Cell)
	}
	if c.Zones[0].Cell != "" {
		t.Error("the original was changed")
	}
}

func TestSecretStaysInside(t *testing.T) {
	c := example()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "camera", c, "login", c.Login, "password", c.Login.Password)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "camera", c, "login", c.Login, "password", c.Login.Password)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb, c)
		fmt.Fprintf(&log, verb, c.Login.Password)
		fmt.Fprintf(&log, verb, []inventory.Secret{c.Login.Password})
	}
	for _, v := range []any{c, c.Login, c.Login.Password} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		log.Write(b)
	}
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("the password came out: %s", log.String())
	}
	if c.Login.Password.Reveal() != "s3cret-Pa55" {
		t.Error("the password is lost")
	}
}

func TestGrid(t *testing.T) {
	g := inventory.NewGrid([]inventory.Cell{
		{ID: "sub", Level: inventory.LevelSubcell, Parent: "cell"},
		{ID: "cell", Level: inventory.LevelCell, Parent: "town"},
		{ID: "town", Level: inventory.LevelTown},
		{ID: "loop", Level: inventory.LevelTown, Parent: "loop"},
	})
	var path []string
	for _, c := range g.Path("sub") {
		path = append(path, c.ID)
	}
	if got := strings.Join(path, "/"); got != "town/cell/sub" {
		t.Errorf("path %s", got)
	}
	if c, ok := g.First("sub"); !ok || c.ID != "cell" {
		t.Errorf("first level %v", c)
	}
	if _, ok := g.First("town"); ok {
		t.Error("a town lies in a first-level cell")
	}
	if n := len(g.Path("loop")); n != 1 {
		t.Errorf("a loop has %d cells", n)
	}
	if g.Path("nowhere") != nil || (*inventory.Grid)(nil).Path("x") != nil {
		t.Error("a path to nowhere")
	}
}

func TestHours(t *testing.T) {
	local := func(s string) time.Time {
		v, err := time.Parse("Mon 2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct {
		hours, at string
		want      bool
	}{
		{"08:00-18:00", "Mon 2026-11-23 08:00", true},
		{"08:00-18:00", "Mon 2026-11-23 18:00", false},
		{"22:00-06:00", "Mon 2026-11-23 23:00", true},
		{"22:00-06:00", "Mon 2026-11-23 05:59", true},
		{"22:00-06:00", "Mon 2026-11-23 06:00", false},
		{"22:00-06:00 sun", "Mon 2026-11-23 05:00", true}, // began on Sunday
		{"22:00-06:00 mon", "Mon 2026-11-23 05:00", false},
		{"22:00-06:00 mon", "Mon 2026-11-23 22:00", true},
		{"00:00-00:00", "Mon 2026-11-23 03:00", true},
		{"00:00-24:00", "Mon 2026-11-23 23:59", true},
		{"00:00-24:00 tue,wed", "Mon 2026-11-23 12:00", false},
	}
	for _, tt := range tests {
		h, err := inventory.ParseHours(tt.hours)
		if err != nil {
			t.Errorf("%s: %v", tt.hours, err)
			continue
		}
		if got := h.Contain(local(tt.at)); got != tt.want {
			t.Errorf("%s at %s: %t", tt.hours, tt.at, got)
		}
	}
	for _, bad := range []string{"", "8", "08:00", "08:00-25:00", "24:00-01:00", "08:00-18:60", "-1:00-02:00", "08:00-18:00 someday", "08:00-18:00x"} {
		if _, err := inventory.ParseHours(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func FuzzParseHours(f *testing.F) {
	f.Add("22:00-06:00 mon,tue")
	f.Add("0:0-24:00")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := inventory.ParseHours(s)
		if err != nil {
			return
		}
		again, err := inventory.ParseHours(h.String())
		if err != nil || !again.Equal(h) {
			t.Errorf("%q reads as %v, which reads as %v (%v)", s, h, again, err)
		}
	})
}

func TestContains(t *testing.T) {
	p := inventory.Polygon{{X: 0.2, Y: 0.2}, {X: 0.8, Y: 0.2}, {X: 0.8, Y: 0.8}, {X: 0.2, Y: 0.8}}
	if !p.Contains(inventory.Point{X: 0.5, Y: 0.5}) || p.Contains(inventory.Point{X: 0.1, Y: 0.5}) || p.Contains(inventory.Point{X: 0.5, Y: 0.9}) {
		t.Error("the square is not where it is")
	}
}

func TestPersonHeight(t *testing.T) {
	z := inventory.Zone{Perspective: []inventory.Ruler{{Y: 0.4, Height: 0.1}, {Y: 0.9, Height: 0.35}}}
	if err := z.CheckPerspective(); err != nil {
		t.Fatal(err)
	}
	for y, want := range map[float64]float64{0.4: 0.1, 0.9: 0.35, 0.5: 0.15, 1: 0.4, 0: 0.01} {
		if got, ok := z.PersonHeight(y); !ok || got < want-1e-9 || got > want+1e-9 {
			t.Errorf("a person at y %g is %g tall, want %g", y, got, want)
		}
	}
	if _, ok := (inventory.Zone{}).PersonHeight(0.5); ok {
		t.Error("a size is known without a perspective")
	}
}

func TestParams(t *testing.T) {
	var p inventory.Params
	if err := json.Unmarshal([]byte(`{"dwell":"20s","count":8,"exact":true,"min_area":0.001}`), &p); err != nil {
		t.Fatal(err)
	}
	if want := (inventory.Params{"dwell": "20s", "count": "8", "exact": "true", "min_area": "0.001"}); !maps.Equal(p, want) {
		t.Errorf("got %v, want %v", p, want)
	}
	for _, bad := range []string{`{"a":[1]}`, `{"a":{}}`, `{"a":null}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
