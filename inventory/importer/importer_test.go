package importer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/text/encoding/simplifiedchinese"

	"videopatrol/inventory"
	"videopatrol/inventory/geo"
	"videopatrol/inventory/importer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const header = "id,name,owner,lat,lon,crs,main,sub,still,username,password,tier,interval,zones,masks,disabled\n"

const (
	zones = `[{"id":"fl1","name":"消防通道","kind":"fire_lane","area":[[0.1,0.6],[0.9,0.6],[0.5,0.9]],"dwell":"20s","lat":30.1,"lon":120.1,"hours":["22:00-06:00","08:00-09:00 mon"],"perspective":[{"y":0.4,"height":0.1},{"y":0.9,"height":0.35}],"preset":"lorries","params":{"min_area":0.01,"clear":"30s"}}]`
	masks = `[[[0,0],[0.2,0],[0.2,0.1]]]`
)

// line is a CSV line of cells, quoted where need be.
func line(cells ...string) string {
	for i, c := range cells {
		if strings.ContainsAny(c, ",\"\n") {
			cells[i] = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
	}
	return strings.Join(cells, ",") + "\n"
}

func full() string {
	return line("34020000001320000001", "东门", "城管", "30", "120", "wgs84", "rtsp://h/main", "rtsps://h:322/sub", "http://h/still.jpg",
		"admin", " s3cret,\"1\" ", "high", "30s", zones, masks, "true")
}

func cameras(t *testing.T, file string, have inventory.Snapshot, o importer.Options) importer.Plan {
	t.Helper()
	p, err := importer.Cameras(strings.NewReader(file), have, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// applied is what a plan makes of a snapshot.
func applied(have inventory.Snapshot, p importer.Plan) inventory.Snapshot {
	byID := map[string]inventory.Camera{}
	for _, c := range p.Change.Cameras {
		byID[c.ID] = c
	}
	gone := map[string]bool{}
	for _, id := range p.Change.Remove {
		gone[id] = true
	}
	next := inventory.Snapshot{Revision: have.Revision + 1, Grid: have.Grid}
	for _, c := range have.Cameras {
		if n, ok := byID[c.ID]; ok {
			c = n
			delete(byID, c.ID)
		}
		if !gone[c.ID] {
			next.Cameras = append(next.Cameras, c)
		}
	}
	for _, c := range p.Change.Cameras {
		if _, ok := byID[c.ID]; ok {
			next.Cameras = append(next.Cameras, c)
		}
	}
	if p.Change.Cells != nil {
		next.Grid = inventory.NewGrid(p.Change.Cells)
	}
	return next
}

func counts(r importer.Report) string {
	return fmt.Sprintf("new %d changed %d same %d rejected %d removed %d", r.New, r.Changed, r.Same, r.Rejected, r.Removed)
}

func wantCounts(t *testing.T, p importer.Plan, want string) {
	t.Helper()
	if got := counts(p.Report); got != want {
		t.Errorf("%s, want %s; faults %+v, refused %q", got, want, p.Report.Faults, p.Report.Refused)
	}
}

func TestFullRow(t *testing.T) {
	p := cameras(t, header+full(), inventory.Snapshot{Revision: 7}, importer.Options{})
	wantCounts(t, p, "new 1 changed 0 same 0 rejected 0 removed 0")
	want := inventory.Camera{
		ID: "34020000001320000001", Name: "东门", Owner: "城管", Position: inventory.Position{Lat: 30, Lon: 120},
		Streams: inventory.Streams{Main: "rtsp://h/main", Sub: "rtsps://h:322/sub", Still: "http://h/still.jpg"},
		Login:   inventory.Login{Username: "admin", Password: " s3cret,\"1\" "},
		Patrol:  inventory.Patrol{Tier: inventory.TierHigh, Interval: 30 * time.Second},
		Zones: []inventory.Zone{{
			ID: "fl1", Name: "消防通道", Kind: inventory.ZoneFireLane, Dwell: 20 * time.Second,
			Area:        inventory.Polygon{{X: 0.1, Y: 0.6}, {X: 0.9, Y: 0.6}, {X: 0.5, Y: 0.9}},
			Position:    &inventory.Position{Lat: 30.1, Lon: 120.1},
			Hours:       []inventory.Hours{{From: 1320, To: 360}, {From: 480, To: 540, Days: []time.Weekday{time.Monday}}},
			Perspective: []inventory.Ruler{{Y: 0.4, Height: 0.1}, {Y: 0.9, Height: 0.35}},
			Preset:      "lorries", Params: inventory.Params{"min_area": "0.01", "clear": "30s"},
		}},
		Masks: []inventory.Polygon{{{X: 0, Y: 0}, {X: 0.2, Y: 0}, {X: 0.2, Y: 0.1}}}, Disabled: true,
	}
	if len(p.Change.Cameras) != 1 || !p.Change.Cameras[0].Equal(want) || p.Change.Base != 7 {
		t.Errorf("got %+v, want %+v", p.Change, want)
	}
}

func TestEncodingsAndDelimiters(t *testing.T) {
	want := cameras(t, header+full(), inventory.Snapshot{}, importer.Options{}).Change.Cameras[0]
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(header + full())
	if err != nil {
		t.Fatal(err)
	}
	small := inventory.Camera{ID: "c1", Name: "东门;1", Position: want.Position, Streams: inventory.Streams{Sub: "rtsp://h/1"}, Patrol: inventory.Patrol{Tier: inventory.TierNormal}}
	for name, tt := range map[string]struct {
		file string
		want inventory.Camera
	}{
		"byte order mark": {"\ufeff" + header + full(), want},
		"GB18030":         {gb, want},
		"CRLF":            {strings.ReplaceAll(header+full(), "\n", "\r\n"), want},
		"Chinese header":  {"编码,名称,纬度,经度,子码流\nc1,东门;1,30,120,rtsp://h/1\n", small},
		"semicolons":      {"国标编码;名称;经度;纬度;子码流\nc1;\"东门;1\";120;30;rtsp://h/1\n", small},
		"tabs and spaces": {"ID\tName\tLat\tLon\tSub\n c1 \t东门;1\t30 \t120\trtsp://h/1\n", small},
	} {
		p := cameras(t, tt.file, inventory.Snapshot{}, importer.Options{})
		if len(p.Change.Cameras) != 1 || !p.Change.Cameras[0].Equal(tt.want) {
			t.Errorf("%s: %+v, faults %+v", name, p.Change.Cameras, p.Report.Faults)
		}
	}
}

func TestFileErrors(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"empty":            {"", "the file is empty"},
		"misspelt column":  {"id,nmme\n", "line 1, column nmme: no such column; did you mean name?"},
		"misspelt Chinese": {"编码,名秤\n", "did you mean 名称?"},
		"unknown column":   {"id,manufacturer\n", "remove it, or use one of id, name"},
		"same twice":       {"id,编码\n", "means the same as column id"},
		"no id":            {"name,lat\n", "no column id"},
		"UTF-16":           {"\xff\xfei\x00d\x00", "UTF-16"},
		"no text":          {"id\n\x80\xff\xff", "neither UTF-8 nor GB18030"},
		"lone quote":       {"id,na\"me\n", "quotation mark"},
	} {
		_, err := importer.Cameras(strings.NewReader(tt.file), inventory.Snapshot{}, importer.Options{})
		if _, ok := errors.AsType[*importer.FileError](err); !ok || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestFaults changes one cell of a good row at a time.
func TestFaults(t *testing.T) {
	const p3 = `"area":[[0.1,0.1],[0.9,0.1],[0.5,0.9]]`
	columns := strings.Split(strings.TrimSpace(header), ",")
	for _, tt := range []struct{ column, value, code, reason string }{
		{"id", "", "id_missing", "needs one"},
		{"id", "3.402E+19", "excel", "在 Excel 中将该列设为文本"},
		{"id", "3.402E19", "excel", "format the column as text"},
		{"id", "a b", "id", "letters, digits"},
		{"name", "-", "clear", "cannot be cleared"},
		{"name", "", "missing", "needs a name"},
		{"name", "=cmd|x", "formula", "spreadsheet"},
		{"name", strings.Repeat("长", 129), "long", "shorten"},
		{"lat", "north", "number", "decimal degrees"},
		{"lat", "NaN", "number", "decimal degrees"},
		{"lat", "", "position", "give both"},
		{"lat", "120", "swapped", "swapped"},
		{"lon", "181", "position", "-180..180"},
		{"crs", "utm", "crs", "wgs84, gcj02 or bd09"},
		{"main", "http://h/x", "scheme", "rtsp:// or rtsps://"},
		{"main", "rtsp:///x", "url", "want an address"},
		{"main", "rtsp://h:99999/x", "url", "port"},
		{"main", "rtsp://h/a b", "url", "percent-encoded"},
		{"main", "rtsp://admin:S3CRET@h/x", "login_in_url", "username and password"},
		{"main", "rtsp://admin:S3/CR#ET@h/x", "login_in_url", "username and password"},
		{"main", "rtsp://admin:12/S3CRET@h/x", "login_in_url", "username and password"},
		{"sub", "rtsp://h/user=admin&password=S3CRET&channel=1", "login_in_url", "username and password"},
		{"still", "rtsp://h/x", "scheme", "http:// or https://"},
		{"password", "S3CRET\x07", "password", "control"},
		{"tier", "urgent", "tier", "high, normal or low"},
		{"interval", "fast", "interval", "1s to 24h"},
		{"interval", "10ms", "interval", "1s to 24h"},
		{"disabled", "maybe", "bool", "true or false"},
		{"zones", `[{`, "json", "want JSON such as"},
		{"zones", `[] []`, "json", "more text"},
		{"zones", `[{"id":"a","kind":"fire_lane","colour":"red",` + p3 + `}]`, "json", "colour"},
		{"zones", `[{"id":"a","kind":"playground",` + p3 + `}]`, "zone_kind", "closed_area"},
		{"zones", `[{"id":"a b","kind":"fire_lane",` + p3 + `}]`, "zone_id", "zone 1"},
		{"zones", `[{"id":"a","kind":"fire_lane",` + p3 + `},{"id":"a","kind":"fire_lane",` + p3 + `}]`, "zones", "taken"},
		{"zones", `[{"id":"a","kind":"fire_lane","area":[[0,0],[1,1]]}]`, "polygon", "2 points"},
		{"zones", `[{"id":"a","kind":"fire_lane","area":[[0,0],[1,0],[1,1.1]]}]`, "polygon", "point 3 lies outside"},
		{"zones", `[{"id":"a","kind":"fire_lane","area":[[0,0],[1,1],[1,0],[0,1]]}]`, "crossing", "crosses"},
		{"zones", `[{"id":"a","kind":"fire_lane","dwell":"long",` + p3 + `}]`, "zone_dwell", "20s"},
		{"zones", `[{"id":"a","kind":"fire_lane","view":-1,` + p3 + `}]`, "zone_view", "at most 6"},
		{"zones", `[{"id":"a","kind":"fire_lane","lat":30,` + p3 + `}]`, "position", "both"},
		{"zones", `[{"id":"a","kind":"fire_lane","hours":["25:00-26:00"],` + p3 + `}]`, "zone_hours", "25:00"},
		{"zones", `[{"id":"a","kind":"fire_lane","perspective":[{"y":0.4,"height":0.1}],` + p3 + `}]`, "zone_perspective", "two rulers"},
		{"zones", `[{"id":"a","kind":"fire_lane","perspective":[{"y":0.4,"height":0.1},{"y":0.42,"height":0.2}],` + p3 + `}]`, "zone_perspective", "between them"},
		{"zones", `[{"id":"a","kind":"fire_lane","perspective":[{"y":0.4,"height":0.1},{"y":0.9,"height":0}],` + p3 + `}]`, "zone_perspective", "ruler 2"},
		{"zones", `[{"id":"a","kind":"fire_lane","params":{"min_area":[1]},` + p3 + `}]`, "json", "min_area"},
		{"zones", `[{"id":"a","kind":"fire_lane","params":{"min area":1},` + p3 + `}]`, "zone_params", "min area"},
		{"zones", `[{"id":"a","kind":"fire_lane","preset":"a b",` + p3 + `}]`, "zone_preset", "name"},
		{"zones", `[{"id":"a","kind":"fire_lane","preset":"none",` + p3 + `}]`, "zone_rules", "no preset none"},
		{"zones", `[{"id":"a","kind":"fire_lane",,}]`, "json", "at byte 31"},
		{"masks", `[[[0,0],[1,0]]]`, "polygon", "mask 1"},
	} {
		cells := []string{
			"c1", "东门", "城管", "30", "120", "wgs84", "rtsp://h/main", "rtsp://h/sub", "http://h/still.jpg",
			"admin", "S3CRET", "high", "30s", zones, masks, "true",
		}
		for i, c := range columns {
			if c == tt.column {
				cells[i] = tt.value
			}
		}
		p := cameras(t, header+line("ok", "ok", "", "30", "120", "", "", "rtsp://h/1", "", "", "", "", "", "", "", "")+line(cells...), inventory.Snapshot{}, importer.Options{CheckZone: checkZone})
		if p.Report.Rejected != 1 || p.Report.New != 1 || len(p.Report.Faults) != 1 {
			t.Errorf("%s %q: %s, %+v", tt.column, tt.value, counts(p.Report), p.Report.Faults)
			continue
		}
		f := p.Report.Faults[0]
		column := tt.column
		if tt.code == "position" && column == "lon" || tt.code == "position" && column == "zones" {
			column = f.Column // where both together are wrong, either may be named
		}
		if f.Line != 3 || f.Column != column || f.Code != tt.code || !strings.Contains(f.Reason, tt.reason) {
			t.Errorf("%s %q: %+v, want code %s and %q", tt.column, tt.value, f, tt.code, tt.reason)
		}
		noSecret(t, p, "S3CRET", "CR#ET")
	}
}

// checkZone knows one preset.
func checkZone(z inventory.Zone) error {
	if z.Preset != "" && z.Preset != "lorries" {
		return fmt.Errorf("no preset %s", z.Preset)
	}
	return nil
}

// noSecret looks for secrets in all that a plan can bring out.
func noSecret(t *testing.T, p importer.Plan, secrets ...string) {
	t.Helper()
	var out bytes.Buffer
	if err := p.Report.WriteErrors(&out, importer.Format{}); err != nil {
		t.Error(err)
	}
	if err := importer.WriteCameras(&out, p.Change.Cameras, importer.Format{}); err != nil {
		t.Error(err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Error(err)
	}
	out.Write(b)
	for _, f := range p.Report.Faults {
		fmt.Fprintf(&out, "%+v", f)
	}
	for _, s := range secrets {
		if strings.Contains(out.String(), s) {
			t.Errorf("the secret came out: %s", out.String())
		}
	}
}

func TestRowsThatAreNone(t *testing.T) {
	file := "id,name,password,lat,lon,sub\n" +
		"c1,one,S3CRET,30,120,rtsp://h/1,more\n" + // 2: too many cells
		"c2,ro\"ad,S3CRET,30,120,rtsp://h/1\n" + // 3: a lone quote
		"c3,three,S3CRET,30,120,rtsp://h/1\n" + // 4
		"c4,four,S3CRET\n" + // 5: too few
		"c5,五,x,30,120,\n" // 6: no address
	p := cameras(t, file, inventory.Snapshot{}, importer.Options{})
	wantCounts(t, p, "new 1 changed 0 same 0 rejected 4 removed 0")
	var got []string
	for _, f := range p.Report.Faults {
		got = append(got, fmt.Sprint(f.Line, f.Code))
	}
	if g := strings.Join(got, " "); g != "2cells 3quotes 5cells 6no_stream" {
		t.Errorf("faults %s", g)
	}
	noSecret(t, p, "S3CRET")
}

func TestDuplicates(t *testing.T) {
	row := func(id string) string { return id + ",x,30,120,rtsp://h/1\n" }
	p := cameras(t, "id,name,lat,lon,sub\n"+
		row("a")+row("b")+row("a")+
		row("34020000001320000000")+row("34020000001320000000")+row("34020000001310100000"),
		inventory.Snapshot{}, importer.Options{})
	wantCounts(t, p, "new 2 changed 0 same 0 rejected 4 removed 0")
	if f := p.Report.Faults; f[0].Code != "duplicate" || !strings.Contains(f[0].Reason, "line 4") || !strings.Contains(f[1].Reason, "line 2") ||
		f[2].Code != "excel" || !strings.Contains(f[2].Reason, "在 Excel") {
		t.Errorf("faults %+v", f)
	}
	if w := p.Report.Warnings; len(w) != 1 || w[0].Code != "gb_zeros" {
		t.Errorf("warnings %+v", w)
	}
}

func TestWarnings(t *testing.T) {
	have := inventory.Snapshot{Grid: inventory.NewGrid([]inventory.Cell{{
		ID: "s", Level: inventory.LevelSubcell,
		Area: [][][]inventory.Position{{{{Lat: 30, Lon: 120}, {Lat: 30, Lon: 121}, {Lat: 31, Lon: 121}, {Lat: 30, Lon: 120}}}},
	}})}
	p := cameras(t, "id,name,lat,lon,sub\n"+
		"34020000001110000001,recorder,30.5,120.6,rtsp://h/1\n"+
		"out,out,40,120,rtsp://h/1\n"+
		"swapped,swapped,80,40,rtsp://h/1\n", have, importer.Options{})
	wantCounts(t, p, "new 3 changed 0 same 0 rejected 0 removed 0")
	var got []string
	for _, w := range p.Report.Warnings {
		got = append(got, fmt.Sprint(w.Line, w.Code))
	}
	if g := strings.Join(got, " "); g != "2gb_type 3no_cell 4swapped" {
		t.Errorf("warnings %s", g)
	}
}

func TestAbsentAndCleared(t *testing.T) {
	have := applied(inventory.Snapshot{}, cameras(t, header+full(), inventory.Snapshot{}, importer.Options{}))
	id := have.Cameras[0].ID
	old := have.Cameras[0]

	p := cameras(t, "id,name,password\n"+id+",,\n", have, importer.Options{})
	wantCounts(t, p, "new 0 changed 0 same 1 rejected 0 removed 0")
	p = cameras(t, "id,password\n"+line(id, " s3cret,\"1\" "), have, importer.Options{})
	wantCounts(t, p, "new 0 changed 0 same 1 rejected 0 removed 0")
	p = cameras(t, "id,password\n"+line(id, "other"), have, importer.Options{})
	wantCounts(t, p, "new 0 changed 1 same 0 rejected 0 removed 0")

	p = cameras(t, "id,owner,main,username,password,tier,interval,zones,masks,disabled\n"+id+",-,-,-,-,-,-,-,-,-\n", have, importer.Options{})
	wantCounts(t, p, "new 0 changed 1 same 0 rejected 0 removed 0")
	want := inventory.Camera{
		ID: id, Name: old.Name, Position: old.Position, Streams: inventory.Streams{Sub: old.Streams.Sub, Still: old.Streams.Still},
		Patrol: inventory.Patrol{Tier: inventory.TierNormal},
	}
	if !p.Change.Cameras[0].Equal(want) {
		t.Errorf("cleared: %+v", p.Change.Cameras[0])
	}
	if !have.Cameras[0].Equal(old) {
		t.Error("the snapshot was changed")
	}
}

func TestCoordinates(t *testing.T) {
	at := inventory.Position{Lat: 30.27, Lon: 120.15}
	for crs, o := range map[geo.CRS]importer.Options{geo.GCJ02: {CRS: geo.GCJ02}, geo.BD09: {}, geo.WGS84: {CRS: geo.GCJ02}} {
		shifted := crs.FromWGS84(at)
		cell := string(crs)
		if crs == o.CRS {
			cell = "" // the option's own
		}
		p := cameras(t, "id,name,lat,lon,sub,crs\n"+fmt.Sprintf("c,c,%.9f,%.9f,rtsp://h/1,%s\n", shifted.Lat, shifted.Lon, cell), inventory.Snapshot{}, o)
		wantCounts(t, p, "new 1 changed 0 same 0 rejected 0 removed 0")
		got := p.Change.Cameras[0].Position
		if d := max(got.Lat-at.Lat, at.Lat-got.Lat, got.Lon-at.Lon, at.Lon-got.Lon); d > 2e-7 {
			t.Errorf("%s: %v, want %v", crs, got, at)
		}
	}
}

func many(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		fmt.Fprintf(&b, "3402010000132%07d,摄像机 %d,城管,%.6f,%.6f,gcj02,rtsp://10.0.0.1:554/%d/main,rtsp://10.0.0.1:554/%d/sub,,admin,secret%d,normal,30s,%s,,false\n",
			i, i, 30+float64(i%1000)/1000, 120+float64(i/1000)/1000, i, i, i, `"`+strings.ReplaceAll(zones, `"`, `""`)+`"`)
	}
	return b.String()
}

func TestReplace(t *testing.T) {
	have := applied(inventory.Snapshot{}, cameras(t, many(100), inventory.Snapshot{}, importer.Options{}))
	first := func(n int) string {
		return strings.Join(strings.SplitAfter(many(100), "\n")[:n+1], "")
	}
	p := cameras(t, first(50), have, importer.Options{})
	wantCounts(t, p, "new 0 changed 0 same 50 rejected 0 removed 0")
	p = cameras(t, first(80), have, importer.Options{Replace: true})
	wantCounts(t, p, "new 0 changed 0 same 80 rejected 0 removed 20")
	if p.Report.Refused != "" || len(p.Change.Remove) != 20 {
		t.Errorf("a fifth: refused %q, %d to remove", p.Report.Refused, len(p.Change.Remove))
	}
	for n, refused := range map[int]bool{20: true, 21: false, 22: true} {
		p = cameras(t, first(79), have, importer.Options{Replace: true, ExpectRemoved: &n})
		wantCounts(t, p, "new 0 changed 0 same 79 rejected 0 removed 21")
		if (p.Report.Refused != "") != refused || refused && len(p.Change.Cameras)+len(p.Change.Remove) > 0 {
			t.Errorf("21 of 100 with %d announced: refused %q", n, p.Report.Refused)
		}
	}
	if p = cameras(t, first(79), have, importer.Options{Replace: true}); !strings.Contains(p.Report.Refused, "21 of 100") {
		t.Errorf("21 of 100: refused %q", p.Report.Refused)
	}
	p = cameras(t, first(99)+line("bad id", "", "", "", "", "", "", "", "", "", "", "", "", "", "", ""), have, importer.Options{Replace: true})
	if !strings.Contains(p.Report.Refused, "rejected rows") {
		t.Errorf("with a rejected row: refused %q", p.Report.Refused)
	}
}

func TestExportRoundTrip(t *testing.T) {
	have := applied(inventory.Snapshot{}, cameras(t, many(50)+full(), inventory.Snapshot{}, importer.Options{}))
	for _, f := range []importer.Format{{}, {BOM: true}} {
		var out bytes.Buffer
		if err := importer.WriteCameras(&out, have.Cameras, f); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "secret") || strings.Contains(out.String(), "s3cret") || bytes.HasPrefix(out.Bytes(), []byte("\ufeff")) != f.BOM {
			t.Errorf("export %s", out.String()[:200])
		}
		p := cameras(t, out.String(), have, importer.Options{Replace: true, CRS: geo.BD09})
		wantCounts(t, p, "new 0 changed 0 same 51 rejected 0 removed 0")
	}
}

func TestErrorsFile(t *testing.T) {
	file := "id,name,lat,lon,sub,password\nok,ok,30,120,rtsp://h/1,S3CRET\nbad,坏,91,20,rtsp://u:S3CRET@h/1,S3CRET\n"
	p := cameras(t, file, inventory.Snapshot{}, importer.Options{})
	var out bytes.Buffer
	if err := p.Report.WriteErrors(&out, importer.Format{}); err != nil {
		t.Fatal(err)
	}
	want := "id,name,lat,lon,sub,password,错误\n" +
		"bad,坏,91,20,rtsp://…@h/1,,sub: the address holds a login: put it into the columns username and password (an @ in a path is written %40)\n"
	if out.String() != want {
		t.Errorf("got %s\nwant %s", out.String(), want)
	}
	mended := strings.NewReplacer("91", "31", "…@", "").Replace(out.String())
	p = cameras(t, mended, inventory.Snapshot{}, importer.Options{})
	wantCounts(t, p, "new 1 changed 0 same 0 rejected 0 removed 0")
}

const (
	ring  = `[[120,30],[121,30],[121,31],[120,31],[120,30]]`
	inner = `[[120.2,30.2],[120.2,30.4],[120.4,30.4],[120.2,30.2]]`
)

// area is a feature of a cell.
func area(code, level, parent, coordinates string) string {
	return fmt.Sprintf(`{"type":"Feature","properties":{"code":%q,"name":"网格 %s","level":%q,"parent":%q,"fid":7},"geometry":{"type":"Polygon","coordinates":[%s]}}`, code, code, level, parent, coordinates)
}

func collection(features ...string) string {
	return `{"type":"FeatureCollection","name":"x","features":[` + "\n" + strings.Join(features, ",\n") + "\n]}\n"
}

func city() []string {
	return []string{area("t", "town", "", ring), area("c", "cell", "t", ring), area("s1", "subcell", "c", ring+","+inner), area("s2", "二级网格", "c", ring)}
}

func geojson(t *testing.T, file string, have inventory.Snapshot, o importer.Options) importer.Plan {
	t.Helper()
	p, err := importer.GeoJSON(strings.NewReader(file), have, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGrid(t *testing.T) {
	p := geojson(t, collection(city()...), inventory.Snapshot{}, importer.Options{})
	wantCounts(t, p, "new 4 changed 0 same 0 rejected 0 removed 0")
	have := applied(inventory.Snapshot{}, p)
	if c, _ := have.Grid.Cell("s1"); len(c.Area) != 1 || len(c.Area[0]) != 2 || c.Parent != "c" || c.Level != inventory.LevelSubcell {
		t.Errorf("sub-cell %+v", c)
	}
	var out bytes.Buffer
	if err := importer.WriteGrid(&out, have.Grid); err != nil {
		t.Fatal(err)
	}
	p = geojson(t, out.String(), have, importer.Options{Replace: true})
	wantCounts(t, p, "new 0 changed 0 same 4 rejected 0 removed 0")

	p = geojson(t, collection(area("s3", "subcell", "c", ring)), have, importer.Options{})
	wantCounts(t, p, "new 1 changed 0 same 0 rejected 0 removed 0")
	if len(p.Change.Cells) != 5 {
		t.Errorf("merged into %d cells", len(p.Change.Cells))
	}
	p = geojson(t, collection(city()[:3]...), have, importer.Options{Replace: true})
	wantCounts(t, p, "new 0 changed 0 same 3 rejected 0 removed 1")
	p = geojson(t, collection(city()[:2]...), have, importer.Options{Replace: true})
	if !strings.Contains(p.Report.Refused, "no sub-cell") {
		t.Errorf("without sub-cells: refused %q", p.Report.Refused)
	}
	p = geojson(t, collection(area("c", "subcell", "t", ring)), have, importer.Options{})
	if !strings.Contains(p.Report.Refused, "does not stand above") {
		t.Errorf("a cell that children hang on became a sub-cell: refused %q", p.Report.Refused)
	}
	if err := importer.WriteGrid(&out, nil); err != nil {
		t.Error(err)
	}
}

func TestGridFaults(t *testing.T) {
	for name, tt := range map[string]struct{ feature, code string }{
		"no such parent":   {area("x", "subcell", "nowhere", ring), "parent"},
		"no parent":        {area("x", "subcell", "", ring), "parent"},
		"parent too low":   {area("x", "cell", "s1", ring), "parent"},
		"own parent":       {area("x", "cell", "x", ring), "parent"},
		"unknown level":    {area("x", "galaxy", "", ring), "level"},
		"no code":          {area("", "subcell", "c", ring), "id_missing"},
		"open ring":        {area("x", "subcell", "c", `[[0,0],[1,0],[1,1],[0,1]]`), "ring"},
		"short ring":       {area("x", "subcell", "c", `[[0,0],[1,0],[0,0]]`), "ring"},
		"crossing":         {area("x", "subcell", "c", `[[0,0],[1,1],[1,0],[0,1],[0,0]]`), "crossing"},
		"out of range":     {area("x", "subcell", "c", `[[30,120],[31,120],[31,121],[30,120]]`), "ring"},
		"one number":       {area("x", "subcell", "c", `[[0],[1],[2],[0]]`), "ring"},
		"no numbers":       {area("x", "subcell", "c", `"here"`), "geometry"},
		"no ring":          {area("x", "subcell", "c", ``), "geometry"},
		"hole outside":     {area("x", "subcell", "c", ring+`,[[0,0],[1,0],[1,1],[0,0]]`), "hole"},
		"line":             {strings.Replace(area("x", "subcell", "c", ring), "Polygon", "LineString", 1), "geometry"},
		"not a feature":    {strings.Replace(area("x", "subcell", "c", ring), "Feature", "Fe", 1), "type"},
		"same code":        {area("s2", "subcell", "c", ring), "duplicate"},
		"code of a number": {strings.Replace(area("x", "subcell", "c", ring), `"x"`, `1.2e9`, 1), "excel"},
	} {
		p := geojson(t, collection(append(city(), tt.feature)...), inventory.Snapshot{}, importer.Options{})
		if len(p.Report.Faults) == 0 {
			t.Errorf("%s: passed", name)
			continue
		}
		f := p.Report.Faults[len(p.Report.Faults)-1]
		if f.Line != 6 || f.Code != tt.code {
			t.Errorf("%s: %+v, want code %s", name, f, tt.code)
		}
	}
	// A rejected parent takes its children along.
	p := geojson(t, collection(area("t", "town", "", `[[0,0]]`), city()[1], city()[2]), inventory.Snapshot{}, importer.Options{})
	wantCounts(t, p, "new 0 changed 0 same 0 rejected 3 removed 0")
}

func TestGeoJSONFileErrors(t *testing.T) {
	for file, want := range map[string]string{
		"":                                 "not readable",
		"[]":                               "want {",
		"{}":                               "FeatureCollection",
		"nil":                              "not readable",
		`{"type":"Feature","features":[]}`: "FeatureCollection",
		`{"type":"FeatureCollection"}`:     "features",
		"{\"type\":\"FeatureCollection\",\n\"features\":[{]}":                                            "line 2",
		`{"type":"FeatureCollection","features":[]} x`:                                                   "",
		`{"type":"FeatureCollection","features":[]}{}`:                                                   "more text",
		`{"type":"FeatureCollection","features":[],"features":[]}`:                                       "two lists",
		`{"type":"FeatureCollection","crs":{"properties":{"name":"EPSG:32650"}},"features":[]}`:          "EPSG:4326",
		"{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"\xff\"}]}":                            "UTF-8",
		`{"type":"FeatureCollection","features":[{"properties":7}]}`:                                     "not readable",
		`{"type":"FeatureCollection","features":[` + strings.Repeat("[", 20_000) + `]}`:                  "not readable",
		`{"type":"FeatureCollection","features":[{"properties":{},"geometry":{"type":7}}]}`:              "not readable",
		`{"type":"FeatureCollection","features":null}`:                                                   "want [",
		`{"type":"FeatureCollection","bbox":[1e999],"features":[{"geometry":{"coordinates":[1e999]}}]} `: "",
	} {
		_, err := importer.GeoJSON(strings.NewReader(file), inventory.Snapshot{}, importer.Options{})
		if want == "" {
			continue // only must not panic
		}
		if _, ok := errors.AsType[*importer.FileError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", file, err, want)
		}
	}
}

func TestPoints(t *testing.T) {
	point := `{"type":"Feature","properties":{"id":"p1","名称":"东门","sub":"rtsp://h/1","password":"S3CRET","zones":` + zones + `,"disabled":true,"other":{}},"geometry":{"type":"Point","coordinates":[120.5,30.5,8]}}`
	bad := `{"type":"Feature","properties":{"id":"p2","name":"x","sub":"rtsp://u:S3CRET@h/1","password":"S3CRET"},"geometry":{"type":"Point","coordinates":[]}}`
	p := geojson(t, collection(append(city(), point, bad)...), inventory.Snapshot{}, importer.Options{})
	wantCounts(t, p, "new 5 changed 0 same 0 rejected 1 removed 0")
	c := p.Change.Cameras[0]
	if c.ID != "p1" || c.Name != "东门" || c.Position != (inventory.Position{Lat: 30.5, Lon: 120.5}) || len(c.Zones) != 1 || !c.Disabled || c.Login.Password.Reveal() != "S3CRET" {
		t.Errorf("camera %+v", c)
	}
	if len(p.Report.Warnings) != 0 {
		t.Errorf("warnings %+v: the cells of the same file count", p.Report.Warnings)
	}
	noSecret(t, p, "S3CRET")
}

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.csv")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p := cameras(t, string(b), inventory.Snapshot{}, importer.Options{})
		if p.Report.Rejected != 0 || p.Report.New == 0 {
			t.Errorf("%s: %s %+v", name, counts(p.Report), p.Report.Faults)
		}
	}
}

func FuzzCameras(f *testing.F) {
	f.Add(header + full())
	f.Add("编码;名称\n1;\"a\"\"b\"\n")
	f.Add("id,main\nx,rtsp://u:p@h\n")
	f.Add("id\t错误\n\"\n")
	f.Add("id,name,lat,lon,厂商,ip,通道号,巡检方式,pin\nx,x,30,120,dahua,[::1]:8554,2,visit," + strings.Repeat("ab", 32) + "\n")
	f.Fuzz(func(t *testing.T, file string) {
		p, err := importer.Cameras(strings.NewReader(file), inventory.Snapshot{}, importer.Options{CRS: geo.GCJ02, Replace: true})
		if err != nil {
			if _, ok := errors.AsType[*importer.FileError](err); !ok {
				t.Errorf("not a FileError: %v", err)
			}
			return
		}
		roundTrip(t, p)
	})
}

func FuzzGeoJSON(f *testing.F) {
	f.Add(collection(city()...))
	f.Add(collection(`{"type":"Feature","properties":{"id":"p1","name":"x","sub":"rtsp://h/1"},"geometry":{"type":"Point","coordinates":[120.5,30.5]}}`))
	f.Add(`{"type":"FeatureCollection","features":[{"geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]]]}}]}`)
	f.Fuzz(func(t *testing.T, file string) {
		p, err := importer.GeoJSON(strings.NewReader(file), inventory.Snapshot{}, importer.Options{})
		if err != nil {
			if _, ok := errors.AsType[*importer.FileError](err); !ok {
				t.Errorf("not a FileError: %v", err)
			}
			return
		}
		roundTrip(t, p)
	})
}

// roundTrip holds every plan to what must be true of all of them: what was
// taken can be written out and is found the same.
func roundTrip(t *testing.T, p importer.Plan) {
	t.Helper()
	if len(p.Report.Faults) < p.Report.Rejected {
		t.Errorf("%d rows rejected for %d faults", p.Report.Rejected, len(p.Report.Faults))
	}
	if err := p.Report.WriteErrors(&bytes.Buffer{}, importer.Format{}); err != nil {
		t.Error(err)
	}
	have := applied(inventory.Snapshot{}, p)
	var out bytes.Buffer
	if err := importer.WriteCameras(&out, have.Cameras, importer.Format{BOM: true}); err != nil {
		t.Error(err)
	}
	again, err := importer.Cameras(&out, have, importer.Options{Replace: true})
	if err != nil || again.Report.Same != len(have.Cameras) || again.Report.Rejected != 0 {
		t.Errorf("cameras do not come back: %v, %s, %+v", err, counts(again.Report), again.Report.Faults)
	}
	if p.Change.Cells == nil {
		return
	}
	if err := importer.WriteGrid(&out, have.Grid); err != nil {
		t.Error(err)
	}
	again, err = importer.GeoJSON(&out, have, importer.Options{Replace: true})
	if err != nil || again.Report.Same != len(have.Grid.Cells) || again.Report.Rejected != 0 {
		t.Errorf("cells do not come back: %v, %s, %+v", err, counts(again.Report), again.Report.Faults)
	}
}

func BenchmarkDryRun180000(b *testing.B) {
	file := many(180_000)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := importer.Cameras(strings.NewReader(file), inventory.Snapshot{}, importer.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
