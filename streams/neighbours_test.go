package streams_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// TestNeighboursOfABadCamera: what goes wrong with single channels of a
// recorder holds none of the others back.
func TestNeighboursOfABadCamera(t *testing.T) {
	const channels, bad = 48, 3
	quick := func(ctx context.Context, n int, s *fakeSession) error {
		if !pause(ctx, 100*time.Millisecond) {
			return nil
		}
		return steady(2*time.Second)(ctx, n, s)
	}
	slow := func(d time.Duration, r streams.Reason) script {
		return func(ctx context.Context, _ int, _ *fakeSession) error {
			pause(ctx, d)
			return streams.Errorf(r, "no")
		}
	}
	// One whose key unit is long in coming has several sessions at a time.
	busy := func(ctx context.Context, n int, s *fakeSession) error {
		if !pause(ctx, 100*time.Millisecond) {
			return nil
		}
		grant(ctx)
		if !pause(ctx, 1500*time.Millisecond) {
			return nil
		}
		return steady(2*time.Second)(ctx, n, s)
	}
	full, wrong := slow(50*time.Millisecond, streams.ReasonSessionLimit), slow(50*time.Millisecond, streams.ReasonAuth)
	for name, play := range map[string]struct{ bad, others script }{
		"healthy":                    {quick, quick},
		"says that the host is full": {full, quick},
		"refuses the login":          {wrong, quick},
		"lets a handshake hang":      {slow(15*time.Second, streams.ReasonTimeout), quick},
		"ends at once":               {slow(0, streams.ReasonClosed), quick},
		"busy":                       {busy, busy},
		"busy, says that it is full": {full, busy},
		"busy, refuses the login":    {wrong, busy},
	} {
		t.Run(name, func(t *testing.T) {
			var cameras []inventory.Camera
			for i := range channels {
				c := camera(fmt.Sprintf("ch%02d", i), "nvr")
				c.Patrol = inventory.Patrol{Tier: inventory.TierNormal, Interval: 10 * time.Second}
				cameras = append(cameras, c)
			}
			patrol(t, streams.Options{}, cameras, func(b *bench) {
				for _, c := range cameras {
					b.city.set(c.ID, play.others)
				}
				after(time.Minute)
				before := map[string]int{}
				for _, c := range cameras {
					before[c.ID] = len(b.desk.of(c.ID))
				}
				for _, c := range cameras[:bad] { // one after the other
					b.city.set(c.ID, play.bad)
					after(20 * time.Second)
				}
				after(9 * time.Minute)
				const want = 60
				got := 0
				for _, c := range cameras[bad:] {
					n := len(b.desk.of(c.ID)) - before[c.ID]
					if got += n; n < want*9/10 {
						t.Errorf("%s: %d samples in ten minutes, want %d", c.ID, n, want)
					}
				}
				if share := float64(got) / (channels - bad) / want; share < 0.995 {
					t.Errorf("the neighbours had %.1f %% of their samples", 100*share)
				}
			})
		})
	}
}
