package wall_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/wall"
)

// fakeCoverage are hours, oldest first.
type fakeCoverage []streams.Hour

func (f fakeCoverage) Each(_ context.Context, from, to time.Time, do func(streams.Hour) error) error {
	for _, h := range f {
		if h.Begin.Before(from) || !h.Begin.Before(to) {
			continue
		}
		if err := do(h); err != nil {
			return err
		}
	}
	return nil
}

type fakePromiser struct{}

func (fakePromiser) Promises() []streams.Promise {
	return []streams.Promise{{
		Tier: inventory.TierHigh, Nominal: 5 * time.Second, Present: 10 * time.Second, Worst: 31 * time.Second, Shortest: 30 * time.Second, Why: "because",
	}}
}

// fakeMaintenance keeps windows in memory.
type fakeMaintenance struct {
	list []inventory.Maintenance
	err  error
}

func (f *fakeMaintenance) List(_ context.Context, after time.Time) ([]inventory.Maintenance, error) {
	return slices.DeleteFunc(slices.Clone(f.list), func(m inventory.Maintenance) bool { return !m.To.After(after) }), nil
}

func (f *fakeMaintenance) Plan(_ context.Context, m inventory.Maintenance) (inventory.Maintenance, error) {
	m.ID, m.Planned = int64(len(f.list)+1), noon
	f.list = append(f.list, m)
	return m, nil
}

func (f *fakeMaintenance) End(_ context.Context, id int64, by string) (inventory.Maintenance, error) {
	if f.err != nil {
		return inventory.Maintenance{}, f.err
	}
	if int(id) > len(f.list) {
		return inventory.Maintenance{}, inventory.ErrNotFound
	}
	f.list[id-1].EndedBy = by
	return f.list[id-1], nil
}

// covered is a wall with three hours of coverage before noon.
func covered(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	line := func(cell string, tier inventory.Tier, o streams.Outcome, n int64) streams.Line {
		return streams.Line{Cell: cell, Tier: tier, Outcome: o, Minutes: n}
	}
	w.coverage = fakeCoverage{
		{Begin: noon.Add(-3 * time.Hour), Closed: noon.Add(-2 * time.Hour), Lines: []streams.Line{
			line("s1", inventory.TierHigh, streams.Watched, 60),
		}},
		{Begin: noon.Add(-2 * time.Hour), Closed: noon.Add(-time.Hour), Lines: []streams.Line{
			line("s1", inventory.TierHigh, streams.Watched, 50), line("s1", inventory.TierHigh, "dark", 10),
			line("s1", inventory.TierLow, streams.Excused, 60), line("", inventory.TierLow, "auth", 60), line("gone", inventory.TierLow, "auth", 1),
		}},
		{Begin: noon.Add(-time.Hour), Closed: noon.Add(-30 * time.Minute), Lines: []streams.Line{
			line("s1", inventory.TierHigh, streams.Outcome(streams.ReasonGatewayDown), 30),
		}},
	}
	var err error
	if w.server, err = wall.New(w.options()); err != nil {
		t.Fatal(err)
	}
	w.http.Config.Handler = w.server.Handler()
	return w
}

func TestCoverage(t *testing.T) {
	w := covered(t)
	b := w.officer()
	golden(t, "testdata/coverage.json", b.get("/api/v1/coverage").body)
	for query, want := range map[string]struct {
		rows                    int
		watched, blind, excused int64
	}{
		"":                       {2, 110, 101, 60},
		"by=hour":                {3, 110, 101, 60},
		"by=tier":                {2, 110, 101, 60},
		"by=reason":              {4, 110, 101, 60},
		"by=cell,tier,hour":      {5, 110, 101, 60},
		"level=subcell":          {2, 110, 101, 60},
		"level=town":             {1, 110, 101, 60},
		"cell=c1":                {1, 110, 40, 60},
		"cell=s1&level=subcell":  {1, 110, 40, 60},
		"tier=low":               {2, 0, 61, 60},
		"from=" + at(-time.Hour): {1, 0, 30, 0},
		"to=" + at(-2*time.Hour): {1, 60, 0, 0},
		"to=" + at(-9*time.Hour): {0, 0, 0, 0},

		"from=" + at(-61*time.Minute) + "&to=" + at(-59*time.Minute): {2, 50, 101, 60}, // rounded to whole hours
	} {
		res := b.get("/api/v1/coverage?" + query)
		var got wall.CoverageReport
		res.json(t, &got)
		if len(got.Rows) != want.rows || got.Total.Watched != want.watched || got.Total.Blind != want.blind || got.Total.Excused != want.excused {
			t.Errorf("%s: got %d %s, want %+v", query, res.StatusCode, res.body, want)
		}
		sum := wall.CoverageRow{}
		for _, r := range got.Rows {
			sum.Watched, sum.Blind, sum.Excused = sum.Watched+r.Watched, sum.Blind+r.Blind, sum.Excused+r.Excused
			reasons := int64(0)
			for _, n := range r.Reasons {
				reasons += n
			}
			if reasons != r.Blind {
				t.Errorf("%s: the reasons of %+v do not add up", query, r)
			}
		}
		if sum.Watched != want.watched || sum.Blind != want.blind || sum.Excused != want.excused {
			t.Errorf("%s: the rows add up to %+v", query, sum)
		}
	}
}

func at(d time.Duration) string { return url.QueryEscape(noon.Add(d).Format(time.RFC3339)) }

func TestCoverageRefuses(t *testing.T) {
	b := covered(t).officer()
	for query, want := range map[string]string{
		"from=" + at(-time.Hour) + "&to=" + at(-2*time.Hour): "swap them",
		"from=" + at(time.Hour) + "&to=" + at(2*time.Hour):   "in the future",
		"from=" + at(-31*24*time.Hour):                       "kept for 30 days; ask from 2026-10-24T04:00:00Z on",
		"from=yesterday":                                     "from",
		"by=weather":                                         "none of cell, tier, hour, reason",
		"level=street":                                       "level",
		"tier=top":                                           "tier",
		"cell=c9":                                            "GET /grid lists them",
	} {
		res := b.get("/api/v1/coverage?" + query)
		var p wall.Problem
		res.json(t, &p)
		if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %d %s, want %q", query, res.StatusCode, p.Detail, want)
		}
	}
}

func TestCoverageIsBounded(t *testing.T) {
	w := covered(t)
	cells := []inventory.Cell{}
	h := streams.Hour{Begin: noon.Add(-time.Hour), Closed: noon}
	for i := range 20_001 {
		id := strings.Repeat("x", i%7) + time.Duration(i).String()
		cells = append(cells, inventory.Cell{ID: id, Level: inventory.LevelSubcell})
		h.Lines = append(h.Lines, streams.Line{Cell: id, Tier: inventory.TierLow, Outcome: streams.Watched, Minutes: 1})
	}
	w.snapshot.Grid, w.snapshot.Revision, w.coverage = inventory.NewGrid(cells), 2, fakeCoverage{h}
	var err error
	if w.server, err = wall.New(w.options()); err != nil {
		t.Fatal(err)
	}
	w.http.Config.Handler = w.server.Handler()
	res := w.officer().get("/api/v1/coverage?level=subcell")
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(res.body), "fewer hours") {
		t.Errorf("%d %.300s", res.StatusCode, res.body)
	}
}

func TestMaintenance(t *testing.T) {
	w := newWorld(t)
	admin := w.as(wall.RoleAdmin)
	to := noon.Add(time.Hour)
	res := admin.do("POST", "/api/v1/maintenance", wall.MaintenanceRequest{Cameras: []string{camera1}, Cells: []string{"c1"}, To: to, Reason: "new switch"})
	var m inventory.Maintenance
	res.json(t, &m)
	if res.StatusCode != http.StatusOK || m.ID != 1 || !m.From.Equal(noon) || m.By != "a-admin" {
		t.Errorf("planned: %d %s", res.StatusCode, res.body)
	}
	rows := w.journal.actions("maintenance_plan")
	if len(rows) != 1 || rows[0].By != "a-admin" || !strings.Contains(rows[0].Detail, "1 cameras, 1 cells") || !strings.Contains(rows[0].Detail, "new switch") {
		t.Errorf("audited %+v", rows)
	}
	for want, r := range map[string]wall.MaintenanceRequest{
		"name at least one": {To: to, Reason: "x"},
		"no camera":         {Cameras: []string{"nine"}, To: to, Reason: "x"},
		"30 days":           {Cells: []string{"c1"}, To: noon.Add(31 * 24 * time.Hour), Reason: "x"},
		"in the past":       {Cells: []string{"c1"}, From: &time.Time{}, To: time.Time{}.Add(time.Hour), Reason: "x"},
		"say what is done":  {Cells: []string{"c1"}, To: to, Reason: " "},
	} {
		if res := admin.do("POST", "/api/v1/maintenance", r); res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(res.body), want) {
			t.Errorf("%d %s, want %q", res.StatusCode, res.body, want)
		}
	}
	var list wall.MaintenanceList
	w.officer().get("/api/v1/maintenance").json(t, &list)
	if len(list.Maintenance) != 1 {
		t.Errorf("listed %+v", list)
	}
	if res := admin.do("DELETE", "/api/v1/maintenance/1", nil); res.StatusCode != http.StatusOK || len(w.journal.actions("maintenance_end")) != 1 {
		t.Errorf("ended: %d %s", res.StatusCode, res.body)
	}
	if res := admin.do("DELETE", "/api/v1/maintenance/2", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("ended what is not there: %d %s", res.StatusCode, res.body)
	}
	w.works.err = inventory.ErrOver
	if res := admin.do("DELETE", "/api/v1/maintenance/1", nil); res.StatusCode != http.StatusConflict {
		t.Errorf("ended what is over: %d %s", res.StatusCode, res.body)
	}
	w.journal.fail(errors.New("disk full"))
	if res := admin.do("POST", "/api/v1/maintenance", wall.MaintenanceRequest{Cells: []string{"c1"}, To: to, Reason: "x"}); res.StatusCode != http.StatusServiceUnavailable || len(w.works.list) != 1 {
		t.Errorf("without an audit: %d %s", res.StatusCode, res.body)
	}
}
