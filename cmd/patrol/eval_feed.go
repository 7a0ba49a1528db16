package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"videopatrol/cmd/citysim/feed"
	"videopatrol/cmd/citysim/scene"
	"videopatrol/detect"
	"videopatrol/detect/eval"
	"videopatrol/inventory"
)

// rendered makes sources of at most n of the planned camera-days.
func rendered(labels string, n int) ([]eval.Source, error) {
	file := filepath.Join(labels, eval.PlanFile)
	var p eval.Plan
	err := readStrict(file, &p, func() error { return p.Check() })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no plan of camera-days there, as --feed wants", file)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var out []eval.Source
	for _, d := range p.Deal(n) {
		s, err := render(d)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, d.Scene, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func render(p eval.PlannedDay) (eval.Source, error) {
	hours := p.Hours
	if hours == 0 {
		hours = 24
	}
	interval := p.Interval
	if interval == 0 {
		interval = 10
	}
	o := feed.Options{
		Scene: scene.Kind(p.Scene), Seed: p.Seed, Weather: feed.Weather(p.Weather), Happen: p.Happen,
		Interval: time.Duration(interval * float64(time.Second)), Length: time.Duration(hours * float64(time.Hour)),
		// A day of the seed's choice, but the same one whenever it is drawn.
		Begin: time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("CST", 8*3600)).AddDate(0, 0, int(p.Seed*37%365)),
	}
	day, err := feed.New(o)
	if err != nil {
		return eval.Source{}, err
	}
	c := day.Camera()
	config := detect.Config{Camera: c.ID, Zones: c.Zones, Masks: c.Masks, TimeZone: c.TimeZone, Interval: o.Interval}
	zones := map[string]inventory.Zone{}
	for _, z := range c.Zones {
		zones[z.ID] = z
	}
	var happenings []eval.Happening
	for _, h := range day.Happenings() {
		happenings = append(happenings, eval.Happening{
			Kind: h.Kind, Zone: h.Zone, Begin: h.Begin, End: h.End, Dwell: dwell(zones[h.Zone], h.Kind),
		})
	}
	name := fmt.Sprintf("%s, seed %d", p.Scene, p.Seed)
	if len(p.Happen) > 0 {
		name += fmt.Sprintf(", %v", p.Happen)
	}
	return eval.Rendered(name, p.Split, config, happenings, eval.Stretch{Begin: o.Begin, End: o.Begin.Add(o.Length)}, day), nil
}

// dwell is how long the rule of a kind waits in a zone.
func dwell(z inventory.Zone, kind string) time.Duration {
	rules, err := detect.DefaultPresets().Rules(z)
	if err != nil {
		return 0 // a zone that the build has no rule for
	}
	for _, r := range rules {
		if string(r.Kind) == kind {
			return r.Params.Dwell
		}
	}
	return 0
}
