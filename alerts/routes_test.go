package alerts_test

import (
	"strings"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/inventory"
)

func parse(t *testing.T, text string) *alerts.Routes {
	t.Helper()
	r, err := alerts.ParseRoutes([]byte(text), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestDefaultRoutesHaveNoHole: every kind has an owner at every hour.
func TestDefaultRoutesHaveNoHole(t *testing.T) {
	t.Parallel()
	r := alerts.DefaultRoutes(time.UTC)
	if holes := r.Holes(city().Grid); len(holes) != 0 {
		t.Errorf("%v", holes)
	}
	if holes := r.Holes(nil); len(holes) != 0 {
		t.Errorf("without a grid: %v", holes)
	}
}

const shifts = `
departments:
  - {id: hq, name: {zh: 总局, en: HQ}, desks: [{name: desk, phone: "110"}]}
  - {id: north, name: {zh: 北所, en: North}, service: station, cells: [t1], above: hq, hours: ["08:00-20:00"]}
  - {id: east, name: {zh: 东所, en: East}, service: station, cells: [g1], above: hq, hours: ["22:00-06:00 fri"]}
routes:
  - {name: fires, kinds: [fire, "s*"], lead: hq, joint: [station]}
  - {name: cell, cells: [t1], lead: station, copies: [hq]}
`

// TestPropose: the smallest cell's staffed department, else the wider one's,
// and the one above for a lead that went up.
func TestPropose(t *testing.T) {
	t.Parallel()
	r := parse(t, shifts)
	day := func(d, h int) time.Time { return time.Date(2026, 1, d, h, 0, 0, 0, time.UTC) } // 2026-01-02 is a Friday
	place := []string{"city", "t1", "g1", "s1"}
	for name, c := range map[string]struct {
		kind  detect.Kind
		cells []string
		at    time.Time
		level int
		want  string
	}{
		"by day the town's":          {detect.KindCrowd, place, day(2, 9), 0, "north | hq"},
		"on Friday night the cell's": {detect.KindCrowd, place, day(2, 23), 0, "east | hq"},
		"and on into Saturday":       {detect.KindCrowd, place, day(3, 5), 0, "east | hq"},
		"nobody by night":            {detect.KindCrowd, place, day(4, 23), 0, " | "},
		"nobody elsewhere":           {detect.KindCrowd, []string{"city", "t2"}, day(2, 9), 0, " | "},
		"a level up":                 {detect.KindCrowd, place, day(2, 9), 1, "hq | "},
		"no level above the highest": {detect.KindCrowd, place, day(2, 9), 7, "hq | "},
		"joint by day":               {detect.KindSmoke, place, day(2, 9), 0, "hq north | "},
		"without joint by night":     {detect.KindFire, place, day(4, 23), 0, "hq | "},
	} {
		p := r.Propose(c.kind, c.cells, c.at, c.level)
		if got := strings.Join(p.Departments(), " ") + " | " + strings.Join(p.Copies, " "); got != c.want || p.Why == "" {
			t.Errorf("%s: %q because of %q, want %q", name, got, p.Why, c.want)
		}
	}
}

// TestHoles says in few lines who has no owner, where and when.
func TestHoles(t *testing.T) {
	t.Parallel()
	grid := inventory.NewGrid([]inventory.Cell{
		{ID: "t1", Level: inventory.LevelTown},
		{ID: "t2", Level: inventory.LevelTown},
		{ID: "g1", Level: inventory.LevelCell, Parent: "t1"},
		{ID: "g2", Level: inventory.LevelCell, Parent: "t1"},
		{ID: "g3", Level: inventory.LevelCell, Parent: "t2"},
	})
	var lines []string
	for _, h := range parse(t, shifts).Holes(grid) {
		_, where, _ := strings.Cut(h.String(), " in ")
		lines = append(lines, where)
		if len(h.Kinds) != len(alerts.Kinds())-3 { // fire, smoke, standstill have one
			t.Errorf("%v", h.Kinds)
		}
	}
	got := strings.Join(lines, "\n")
	want := strings.Join([]string{
		"g1, sun 20:00 – mon 08:00; mon 20:00 – tue 08:00; tue 20:00 – wed 08:00; wed 20:00 – thu 08:00; thu 20:00 – fri 08:00; " +
			"fri 20:00 – fri 22:00; sat 06:00 – sat 08:00; sat 20:00 – sun 08:00: route cell: not staffed then: north, east",
		"g2, daily 20:00 – 08:00: route cell: not staffed then: north",
		"g3, always: no route is for this kind, place and hour",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestRoutesAreChecked: each mistake is named with its place.
func TestRoutesAreChecked(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]string{
		`line 1, column 29: departments[0].name: a department has a name in both`: "departments: [{id: x, name: {zh: 公}}]",
		`every department needs an id of its own`:                                 "departments: [{id: x, name: {zh: 公, en: P}}, {id: x, name: {zh: 公, en: P}}]",
		`lead back to it`:                                "departments: [{id: x, name: {zh: 公, en: P}, above: x}]",
		`no such level "street"`:                         "departments: [{id: x, name: {zh: 公, en: P}, level: street}]",
		`line 2, column 23: routes[0].kinds[0]: no kind`: "routes:\n  - {name: n, kinds: [flod], lead: x}",
		`unknown key "cels"; did you mean "cells"?`:      "routes: [{name: n, cels: [x], lead: x}]",
		`no such stage "think"`:                          "clocks: [{stage: think, within: 1m}]",
		`shorter than within`:                            "clocks: [{stage: triage, within: 1m, remind: 1m}]",
		`no such post or department "boss"`:              "clocks: [{stage: triage, within: 1m, escalate: [{after: 1m, to: boss}]}]",
		`of the stage triage alone`:                      "clocks: [{stage: resolve, within: 1m, expire: 1h}]",
		`no earlier than the last escalation`:            "posts: [{id: p, name: {zh: 长, en: P}}]\nclocks: [{stage: triage, within: 1m, expire: 1h, escalate: [{after: 2h, to: p}]}]",
		`calendar.holidays[0]: "1.5." is no date`:        "calendar: {holidays: [\"1.5.\"]}",
		`end on the day on which they begin`:             "calendar: {hours: [\"22:00-06:00\"]}",
		`is at least 2 changes in a time`:                "quiet: {chatter: {changes: 1, in: 60s}}",
		`outages: is such as`:                            "outages: {hold: 1m, share: 2}",
		`quarantine[0].rule: names the rule`:             "quiet: {quarantine: [{cameras: [c]}]}",
		`line 1, column 28: hours "25:00-26:00"`:         "routes: [{name: n, hours: [\"25:00-26:00\"], lead: x}]",
	} {
		_, err := alerts.ParseRoutes([]byte(text), time.UTC)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestCalendar counts working time alone.
func TestCalendar(t *testing.T) {
	t.Parallel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	var hours []inventory.Hours
	for _, h := range []string{"09:00-12:00 mon,tue,wed,thu,fri", "13:30-18:00 mon,tue,wed,thu,fri"} {
		v, err := inventory.ParseHours(h)
		if err != nil {
			t.Fatal(err)
		}
		hours = append(hours, v)
	}
	c := alerts.Calendar{Hours: hours, Holidays: []string{"2026-10-01"}, Workdays: []string{"2026-10-10"}}.In(shanghai)
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", text, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, x := range map[string]struct {
		from string
		d    time.Duration
		want string
	}{
		"within a span":     {"2026-09-28 09:30", time.Hour, "2026-09-28 10:30"},
		"to the end of one": {"2026-09-28 11:00", time.Hour, "2026-09-28 12:00"},
		"over lunch":        {"2026-09-28 11:30", time.Hour, "2026-09-28 14:00"},
		"from the night":    {"2026-09-28 03:00", time.Hour, "2026-09-28 10:00"},
		"over a holiday":    {"2026-09-30 17:30", time.Hour, "2026-10-02 09:30"},
		"over a weekend":    {"2026-09-25 17:30", time.Hour, "2026-09-28 09:30"},
		"a Saturday worked": {"2026-10-09 17:30", time.Hour, "2026-10-10 09:30"},
		"more than a week":  {"2026-09-14 09:00", 40 * time.Hour, "2026-09-21 11:30"},
		"no time at all":    {"2026-09-28 03:00", 0, "2026-09-28 09:00"},
	} {
		if got := c.Add(at(x.from), x.d); !got.Equal(at(x.want)) {
			t.Errorf("%s: %s, want %s", name, got.In(shanghai).Format("2006-01-02 15:04"), x.want)
		}
	}
	if got := (alerts.Calendar{}).Add(at("2026-10-01 00:00"), time.Hour); !got.Equal(at("2026-10-01 01:00")) {
		t.Errorf("without working hours: %s", got)
	}
}
