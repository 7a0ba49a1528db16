package main

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/streams"
)

// faultsEvery is how often the states of all cameras are looked at for those
// that fail together.
const faultsEvery = 10 * time.Second

// ofCameraFault tells of a condition that no watch has: it is about cameras.
func ofCameraFault(c detect.Condition) bool { return c.Kind == alerts.KindCameraFault }

// watchFaults makes leads of cameras that fail, and labels those of cameras
// that are blind, until ctx ends.
func (a *app) watchFaults(ctx context.Context) error {
	tick := time.NewTicker(faultsEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, statuses := time.Now(), a.manager.Statuses()
		works, err := a.cameras.Maintenance(ctx, now)
		if err == nil {
			err = a.engine.ObserveCameras(ctx, cameraStates(a.inventory(), statuses, works, now))
		}
		err = errors.Join(err, a.engine.ObserveSight(ctx, sights(statuses, now)))
		if err != nil && ctx.Err() == nil && !failed {
			a.log.Error("failing cameras make no leads, and leads of blind ones do not say so: the record does not answer", "error", err)
		}
		failed = err != nil
	}
}

// cameraStates are the wanted cameras as the patrol sees them. Those under
// planned maintenance do not count.
func cameraStates(s inventory.Snapshot, statuses []streams.Status, works []inventory.Maintenance, now time.Time) []alerts.CameraState {
	at := make(map[string]streams.Status, len(statuses))
	for _, st := range statuses {
		at[st.Camera] = st
	}
	var all []alerts.CameraState
	for _, c := range s.Cameras {
		cells := s.Grid.Path(c.Cell)
		st, ok := at[c.ID]
		if !ok || c.Disabled || maintained(c.ID, cells, works, now) {
			continue
		}
		state := alerts.CameraState{Camera: c.ID, Host: hostOf(c), Uplink: c.Link.Uplink}
		for _, cell := range cells {
			state.Cells = append(state.Cells, cell.ID)
		}
		if st.State == streams.StateOffline {
			state.Down, state.Reason = st.Since, string(st.Reason)
		}
		all = append(all, state)
	}
	return all
}

// hostOf is the address of a camera, without port and path.
func hostOf(c inventory.Camera) string {
	address := c.Streams.Patrolled()
	if address == "" {
		address = c.Streams.Still
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// maintained tells whether a camera is under planned maintenance.
func maintained(camera string, cells []inventory.Cell, works []inventory.Maintenance, now time.Time) bool {
	return slices.ContainsFunc(works, func(m inventory.Maintenance) bool {
		return m.Overlaps(now, now.Add(time.Nanosecond)) && (slices.Contains(m.Cameras, camera) ||
			slices.ContainsFunc(cells, func(c inventory.Cell) bool { return slices.Contains(m.Cells, c.ID) }))
	})
}
