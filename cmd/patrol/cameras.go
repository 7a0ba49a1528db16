package main

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// cameraMetrics gathers the two families that have a camera label, for the
// cameras of one cell, or of the whole city for "".
func (a *app) cameraMetrics(grid string) prometheus.Gatherer {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&cameraCollector{inventory: a.inventory(), manager: a.manager, grid: grid})
	return registry
}

type cameraCollector struct {
	inventory inventory.Snapshot
	manager   *streams.Manager
	grid      string
}

var (
	cameraUp = prometheus.NewDesc("patrol_camera_up",
		"1 while the camera is online, 0 while it is not.", []string{"camera"}, nil)
	cameraLast = prometheus.NewDesc("patrol_camera_last_sample_timestamp_seconds",
		"When the camera's newest analysed picture was received.", []string{"camera"}, nil)
)

// Describe implements prometheus.Collector.
func (c *cameraCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- cameraUp
	ch <- cameraLast
}

// Collect implements prometheus.Collector.
func (c *cameraCollector) Collect(ch chan<- prometheus.Metric) {
	in := map[string]bool{} // by cell, so that each path is walked once
	for _, camera := range c.inventory.Cameras {
		known, ok := in[camera.Cell]
		if !ok {
			known = c.grid == "" || slices.ContainsFunc(c.inventory.Grid.Path(camera.Cell), func(cell inventory.Cell) bool { return cell.ID == c.grid })
			in[camera.Cell] = known
		}
		s, ok := c.manager.Status(camera.ID)
		if !known || !ok || s.State == streams.StateDisabled {
			continue
		}
		up := 0.0
		if s.State == streams.StateOnline {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(cameraUp, prometheus.GaugeValue, up, camera.ID)
		if !s.LastSample.IsZero() {
			ch <- prometheus.MustNewConstMetric(cameraLast, prometheus.GaugeValue, float64(s.LastSample.UnixMilli())/1e3, camera.ID)
		}
	}
}
