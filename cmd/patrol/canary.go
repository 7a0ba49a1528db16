package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"image"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/errgroup"

	"videopatrol/alerts"
	"videopatrol/inventory"
	"videopatrol/streams/synth"
)

const (
	canaryID     = "canary"
	canarySink   = "canary"
	canaryStay   = 12 * time.Second // how long the happening lasts
	canaryWarmup = 30 * time.Second // from the start to the first happening
	canaryGrace  = 60 * time.Second // how late a lead may reach the desk
)

// canary proves that silence is quiet and not broken: a synthetic camera, whose
// scripted happening runs from its socket through session, worker, engine and
// outbox to a desk of its own, every interval.
type canary struct {
	interval time.Duration
	log      *slog.Logger
	camera   *synth.Camera
	login    inventory.Login
	desk     *desk
	settle   func(ctx context.Context, lead string) // takes the lead off the record's open ones
	begin    time.Time

	mu      sync.Mutex
	lastOK  time.Time
	latency time.Duration

	metrics canaryMetrics
}

type canaryMetrics struct {
	last    prometheus.Gauge
	latency prometheus.Histogram
}

func newCanary(interval time.Duration, log *slog.Logger, reg prometheus.Registerer) (*canary, error) {
	c := &canary{
		interval: interval, log: log, begin: time.Now(),
		login: inventory.Login{Username: canaryID, Password: inventory.Secret(rand.Text())},
		metrics: canaryMetrics{
			last: promauto.With(reg).NewGauge(prometheus.GaugeOpts{
				Name: "patrol_canary_last_success_timestamp_seconds",
				Help: "When the canary's happening last reached its desk.",
			}),
			latency: promauto.With(reg).NewHistogram(prometheus.HistogramOpts{
				Name:                            "patrol_canary_seconds",
				Help:                            "Time from the canary's happening to its signed lead at the desk.",
				Buckets:                         []float64{1, 2, 4, 8, 16, 32, 64},
				NativeHistogramBucketFactor:     1.1,
				NativeHistogramMaxBucketNumber:  160,
				NativeHistogramMinResetDuration: time.Hour,
			}),
		},
	}
	var err error
	c.camera, err = synth.New(synth.Options{
		Addr: "127.0.0.1:0", Path: canaryID, Width: 352, Height: 288, GOP: time.Second,
		Username: c.login.Username, Password: c.login.Password.Reveal(), Draw: c.draw,
	})
	if err != nil {
		return nil, err
	}
	if c.desk, err = newDesk(c.take); err != nil {
		c.camera.Close()
		return nil, err
	}
	return c, nil
}

// Close gives the listeners back; Run has done so when it was called.
func (c *canary) Close() error {
	c.desk.Close()
	c.camera.Close()
	return nil
}

// Camera is what the canary adds to the wanted set.
func (c *canary) Camera() inventory.Camera {
	return inventory.Camera{
		ID: canaryID, Name: "金丝雀 Canary", Owner: "gateway",
		Streams: inventory.Streams{Sub: c.camera.URL()},
		Login:   c.login,
		Patrol:  inventory.Patrol{Tier: inventory.TierHigh, Interval: 2 * time.Second},
		Zones: []inventory.Zone{{
			ID: "area", Name: "金丝雀区 Canary area", Kind: inventory.ZoneClosedArea,
			Area: inventory.Polygon{{X: 0.5, Y: 0.2}, {X: 0.95, Y: 0.2}, {X: 0.95, Y: 0.95}, {X: 0.5, Y: 0.95}},
		}},
	}
}

// add returns the snapshot with the canary's camera in it.
func (c *canary) add(s inventory.Snapshot) inventory.Snapshot {
	if c == nil {
		return s
	}
	cameras := make([]inventory.Camera, 0, len(s.Cameras)+1)
	s.Cameras = append(append(cameras, s.Cameras...), c.Camera())
	return s
}

// happening tells whether the happening of a moment is on, and when it began.
func (c *canary) happening(now time.Time) (began time.Time, on bool) {
	since := now.Sub(c.begin) - canaryWarmup
	if since < 0 {
		return time.Time{}, false
	}
	began = now.Add(-since % c.interval)
	return began, now.Sub(began) < canaryStay
}

// draw paints a wall with sensor noise and, while the happening is on, a block
// that walks through the closed area.
func (c *canary) draw(now time.Time, img *image.YCbCr) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	noise := mathrand.Uint64()
	for y := range h {
		row := img.Y[y*img.YStride : y*img.YStride+w]
		for x := range row {
			noise = noise*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator
			texture := (x/22+y/18)%2*28 + x/8
			row[x] = byte(64 + texture + int(noise>>61))
		}
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 122, 132
	}
	if began, on := c.happening(now); on {
		x0 := w*11/20 + int(now.Sub(began).Seconds()*6)
		for y := h * 9 / 20; y < h*9/10; y++ {
			row := img.Y[y*img.YStride : y*img.YStride+w]
			for x := x0; x < min(x0+w/8, w); x++ {
				row[x] = byte(215 + (x+y)%9)
			}
		}
	}
}

// Run serves the camera and the desk until ctx ends.
func (c *canary) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.camera.Run(ctx) })
	g.Go(func() error { return c.desk.Run(ctx) })
	return g.Wait()
}

// take is told of every lead that reaches the canary's desk.
func (c *canary) take(ctx context.Context, e alerts.Event) {
	if e.Type != alerts.EventType(string(alerts.LeadRaised)) {
		return
	}
	now := time.Now()
	if began, _ := c.happening(now); !began.IsZero() && now.Sub(began) < canaryStay+canaryGrace {
		c.succeed(now, now.Sub(began))
	}
	c.settle(ctx, e.Data.Lead.ID)
}

func (c *canary) succeed(now time.Time, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastOK, c.latency = now, took
	c.metrics.last.Set(float64(now.UnixMilli()) / 1e3)
	c.metrics.latency.Observe(took.Seconds())
}

// Check says why the canary is not well, or nil.
func (c *canary) Check(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := c.begin.Add(canaryWarmup + canaryStay + canaryGrace)
	if !c.lastOK.IsZero() {
		due = c.lastOK.Add(c.interval + canaryStay + canaryGrace)
	}
	switch {
	case now.Before(due):
		return nil
	case c.lastOK.IsZero():
		return errors.New("the canary's happening has never reached its desk")
	default:
		return fmt.Errorf("the canary's happening last reached its desk %s ago", now.Sub(c.lastOK).Round(time.Second))
	}
}

// Last returns when the happening last reached the desk, and how fast.
func (c *canary) Last() (at time.Time, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastOK, c.latency
}
