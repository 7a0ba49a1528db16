package alerts_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/evidence"
	"videopatrol/detect"
)

// TestClockSetWhileALeadIsRaised sets the wall clock back between the moment
// that a transaction takes for its own and the one at which a clock of its
// lead starts.
func TestClockSetWhileALeadIsRaised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t)
		pictures, err := evidence.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		var ahead atomic.Int64
		var armed atomic.Bool
		wall := func() time.Time { return time.Now().Round(0).Add(time.Duration(ahead.Load())) }
		engine, err := alerts.New(alerts.Options{
			Store: g.store, Inventory: city, Pictures: pictures, Routes: alerts.DefaultRoutes(time.UTC),
			Clock: func() time.Time {
				if armed.Swap(false) {
					ahead.Store(int64(-24 * time.Hour))
				}
				return wall()
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, camera := range []string{"c1", "c2"} {
			armed.Store(camera == "c2")
			now := time.Now()
			if err := engine.Observe(t.Context(), detect.Finding{
				Camera: camera, Zone: "gate", Rule: rule, Kind: []detect.Kind{detect.KindIntrusion, detect.KindFire}[i], Phase: detect.PhaseBegin, Began: now, At: now,
			}); err != nil {
				t.Fatal(err)
			}
		}
		leads := all(t, engine, alerts.LeadQuery{Camera: "c2"})
		if len(leads) != 1 || len(leads[0].Clocks) != 1 || ahead.Load() == 0 {
			t.Fatalf("%+v", leads)
		}
		if due := leads[0].Clocks[0].DueAt.Sub(wall()); due < 0 || due > 5*time.Minute {
			t.Errorf("its triage is due in %s", due)
		}
	})
}
