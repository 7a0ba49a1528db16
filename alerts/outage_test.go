package alerts_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"videopatrol/alerts"
)

var together = alerts.OutageRule{Hold: time.Minute, Together: 3, Share: 0.8}

// TestOutages finds the widest cause that enough cameras share.
func TestOutages(t *testing.T) {
	t.Parallel()
	now := began
	camera := func(i int, host, uplink string, down time.Duration, cells ...string) alerts.CameraState {
		c := alerts.CameraState{Camera: fmt.Sprintf("c%d", i), Host: host, Uplink: uplink, Cells: cells}
		if down > 0 {
			c.Down, c.Reason = now.Add(-down), "unreachable"
		}
		return c
	}
	works := camera(99, "h9", "", 0, "city", "t9")
	for name, x := range map[string]struct {
		all  []alerts.CameraState
		want []string
	}{
		"too young":      {[]alerts.CameraState{camera(1, "h1", "", time.Second, "city"), works}, nil},
		"one alone":      {[]alerts.CameraState{camera(1, "h1", "", time.Hour, "city"), works}, []string{"c1 [c1]"}},
		"two of a host":  {[]alerts.CameraState{camera(1, "h1", "", time.Hour), camera(2, "h1", "", time.Hour), works}, []string{"c1 [c1]", "c2 [c2]"}},
		"a host":         {[]alerts.CameraState{camera(1, "h1", "", time.Hour, "t1"), camera(2, "h1", "", time.Hour, "t1"), camera(3, "h1", "", time.Second, "t1"), works}, []string{"host.h1 [c1 c2 c3]"}},
		"half of a host": {[]alerts.CameraState{camera(1, "h1", "", time.Hour), camera(2, "h1", "", time.Hour), camera(3, "h1", "", time.Hour), camera(4, "h1", "", 0), camera(5, "h1", "", 0)}, []string{"c1 [c1]", "c2 [c2]", "c3 [c3]"}},
		"an uplink":      {[]alerts.CameraState{camera(1, "h1", "u", time.Hour), camera(2, "h2", "u", time.Hour), camera(3, "h3", "u", time.Hour), works}, []string{"uplink.u [c1 c2 c3]"}},
		"a town":         {[]alerts.CameraState{camera(1, "h1", "u", time.Hour, "city", "t1"), camera(2, "h2", "u", time.Hour, "city", "t1"), camera(3, "h3", "", time.Hour, "city", "t1"), works}, []string{"cell.t1 [c1 c2 c3]"}},
	} {
		var got []string
		for _, o := range alerts.Outages(x.all, together, now) {
			got = append(got, fmt.Sprint(o.Key(), " ", o.Cameras))
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
	}
}

// TestNoCameraIsLost: whatever fails for long enough is in exactly one outage,
// and what works is in none.
func TestNoCameraIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var all []alerts.CameraState
		for i := range rapid.IntRange(0, 40).Draw(rt, "cameras") {
			c := alerts.CameraState{
				Camera: fmt.Sprintf("c%02d", i), Host: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(rt, "host"),
				Uplink: rapid.SampledFrom([]string{"", "u"}).Draw(rt, "uplink"),
				Cells:  rapid.SampledFrom([][]string{nil, {"city"}, {"city", "t1"}, {"city", "t2", "g"}}).Draw(rt, "cells"),
			}
			if down := rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(rt, "down"); down > 0 {
				c.Down = began.Add(-down)
			}
			all = append(all, c)
		}
		seen := map[string]int{}
		for _, o := range alerts.Outages(all, together, began) {
			for _, c := range o.Cameras {
				seen[c]++
			}
		}
		for _, c := range all {
			n := seen[c.Camera]
			if long := !c.Down.IsZero() && began.Sub(c.Down) >= together.Hold; n > 1 || long && n != 1 || c.Down.IsZero() && n != 0 {
				rt.Errorf("%+v is in %d outages", c, n)
			}
		}
	})
}
