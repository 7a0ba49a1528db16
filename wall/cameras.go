package wall

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"videopatrol/alerts"
	"videopatrol/inventory"
	"videopatrol/streams"
)

// Fleet knows the state of every camera; streams.Manager is one.
type Fleet interface {
	Statuses() []streams.Status
	Status(camera string) (streams.Status, bool)
}

type camerasInput struct {
	State  string `query:"state" maxLength:"200" doc:"one or more camera states, separated by commas"`
	Cell   string `query:"cell" maxLength:"64" doc:"a cell of any level"`
	Q      string `query:"q" maxLength:"64" doc:"part of an id, name or owner"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" maxLength:"64" doc:"next of the page before"`
}

type cameraInput struct {
	ID string `path:"id" maxLength:"64"`
}

// index is one revision of the inventory, made for searching. It is immutable.
type index struct {
	revision int64
	cameras  []entry // by id
	byID     map[string]int
	grid     *inventory.Grid
}

type entry struct {
	camera *inventory.Camera
	path   []alerts.GridRef // from the city down
	text   string           // what a search looks into, in lower case
}

func (e entry) in(cell string) bool {
	return cell == "" || slices.ContainsFunc(e.path, func(g alerts.GridRef) bool { return g.ID == cell })
}

func newIndex(snap inventory.Snapshot) *index {
	ix := &index{
		revision: snap.Revision, grid: snap.Grid,
		cameras: make([]entry, len(snap.Cameras)), byID: make(map[string]int, len(snap.Cameras)),
	}
	paths := map[string][]alerts.GridRef{}
	for i := range snap.Cameras {
		c := &snap.Cameras[i]
		path, ok := paths[c.Cell]
		if !ok {
			path = []alerts.GridRef{}
			for _, cell := range snap.Grid.Path(c.Cell) {
				path = append(path, alerts.GridRef{ID: cell.ID, Level: cell.Level, Name: cell.Name})
			}
			paths[c.Cell] = path
		}
		ix.cameras[i] = entry{camera: c, path: path, text: strings.ToLower(c.ID + "\n" + c.Name + "\n" + c.Owner)}
	}
	slices.SortFunc(ix.cameras, func(a, b entry) int { return cmp.Compare(a.camera.ID, b.camera.ID) })
	for i, e := range ix.cameras {
		ix.byID[e.camera.ID] = i
	}
	return ix
}

// index returns the newest inventory, indexed once per revision.
func (s *Server) index() *index {
	snap := s.inventory()
	if ix := s.indexed.Load(); ix != nil && ix.revision == snap.Revision {
		return ix
	}
	ix := newIndex(snap)
	s.indexed.Store(ix)
	return ix
}

// status is what is known of a camera; one that no loop knows yet is unknown.
func (s *Server) status(id string) streams.Status {
	if st, ok := s.fleet.Status(id); ok {
		return st
	}
	return streams.Status{Camera: id, State: streams.StateUnknown}
}

func (s *Server) cameraView(id string) (CameraView, bool) {
	ix := s.index()
	i, ok := ix.byID[id]
	if !ok {
		return CameraView{}, false
	}
	return s.view(ix.cameras[i], s.status(id), s.now()), true
}

func (s *Server) view(e entry, st streams.Status, now time.Time) CameraView {
	c := e.camera
	interval := c.Patrol.Interval
	if interval == 0 {
		interval = s.intervals[c.Patrol.Tier]
	}
	v := CameraView{
		ID: c.ID, Name: c.Name, Owner: c.Owner, Lat: c.Position.Lat, Lon: c.Position.Lon,
		Tier: c.Patrol.Tier, IntervalSeconds: interval.Seconds(), Grid: e.path,
		Mode: cmp.Or(c.Patrol.Mode, inventory.ModeAuto), Transport: cmp.Or(c.Link.Transport, inventory.TransportAuto), Uplink: c.Link.Uplink,
		ModeNow: cmp.Or(st.Mode, c.Patrol.Mode, inventory.ModeAuto), ModeWhy: st.Why, StirOff: st.StirOff,
		IntervalNowSeconds: cmp.Or(st.Interval, interval).Seconds(),
		Zones:              make([]ZoneView, 0, len(c.Zones)),
		State:              st.State, Reason: st.Reason, Detail: st.Detail, Failures: st.Failures,
		Since: moment(st.Since), LastSample: moment(st.LastSample), NextTry: moment(st.NextTry),
		SkewSeconds: st.Skew.Seconds(),
	}
	if v.LastSample != nil {
		age := max(now.Sub(*v.LastSample).Seconds(), 0)
		v.PictureAge = &age
	}
	for _, z := range c.Zones {
		area := make([][]float64, len(z.Area))
		for i, p := range z.Area {
			area[i] = []float64{p.X, p.Y}
		}
		zone := ZoneView{
			ID: z.ID, Name: z.Name, Kind: z.Kind, Area: area, Cell: z.Cell, DwellSeconds: z.Dwell.Seconds(),
			Perspective: z.Perspective, Preset: z.Preset, Params: z.Params, View: z.View,
		}
		for _, h := range z.Hours {
			zone.Hours = append(zone.Hours, h.String())
		}
		v.Zones = append(v.Zones, zone)
	}
	return v
}

// moment is a time as the API shows it: UTC, and nothing for never.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (s *Server) listCameras(_ context.Context, in *camerasInput) (*body[CameraList], error) {
	states, err := parseSet("state", in.State, streams.States())
	if err != nil {
		return nil, err
	}
	list := CameraList{Cameras: []CameraView{}, Counts: noCounts()}
	q, now := strings.ToLower(in.Q), s.now()
	for _, e := range s.index().cameras {
		if !e.in(in.Cell) || !strings.Contains(e.text, q) {
			continue
		}
		st := s.status(e.camera.ID)
		list.Counts[st.State]++
		switch {
		case len(states) > 0 && !slices.Contains(states, st.State), e.camera.ID <= in.Cursor, list.Next != "":
		case len(list.Cameras) == in.Limit:
			list.Next = list.Cameras[in.Limit-1].ID
		default:
			list.Cameras = append(list.Cameras, s.view(e, st, now))
		}
	}
	return answer(list, nil)
}

func (s *Server) getCamera(_ context.Context, in *cameraInput) (*body[CameraView], error) {
	v, ok := s.cameraView(in.ID)
	if !ok {
		return nil, noCamera()
	}
	return answer(v, nil)
}

func noCamera() error { return problem(http.StatusNotFound, "not_found", "there is no such camera") }

func noCounts() map[streams.State]int {
	counts := make(map[streams.State]int, len(streams.States()))
	for _, st := range streams.States() {
		counts[st] = 0
	}
	return counts
}

// cameraCounts counts the wanted cameras by state.
func (s *Server) cameraCounts() map[streams.State]int {
	counts, known := noCounts(), 0
	ix := s.index()
	for _, st := range s.fleet.Statuses() {
		if _, wanted := ix.byID[st.Camera]; wanted {
			counts[st.State]++
			known++
		}
	}
	counts[streams.StateUnknown] += len(ix.cameras) - known
	return counts
}

type gridInput struct {
	Level string `query:"level" enum:"city,town,cell,subcell" default:"cell"`
}

func (s *Server) getGrid(ctx context.Context, in *gridInput) (*body[GridFeatures], error) {
	ix := s.index()
	out := GridFeatures{Type: "FeatureCollection", Features: []GridFeature{}}
	if ix.grid == nil {
		return answer(out, nil)
	}
	at := map[string]int{}
	for _, c := range ix.grid.Cells {
		if c.Level != inventory.Level(in.Level) {
			continue
		}
		at[c.ID] = len(out.Features)
		out.Features = append(out.Features, GridFeature{
			Type: "Feature", Geometry: geometry(c),
			Properties: GridProperties{ID: c.ID, Name: c.Name, Level: c.Level, Parent: c.Parent, Cameras: noCounts()},
		})
	}
	for _, e := range ix.cameras {
		for _, g := range e.path {
			if i, ok := at[g.ID]; ok {
				out.Features[i].Properties.Cameras[s.status(e.camera.ID).State]++
			}
		}
	}
	err := s.scan(ctx, alerts.LeadQuery{States: openStates()}, func(l alerts.Lead) bool {
		for _, g := range l.Grid {
			if i, ok := at[g.ID]; ok {
				out.Features[i].Properties.OpenLeads++
			}
		}
		return true
	})
	return answer(out, err)
}

func geometry(c inventory.Cell) GridGeometry {
	g := GridGeometry{Type: "MultiPolygon", Coordinates: make([][][][]float64, len(c.Area))}
	for i, polygon := range c.Area {
		g.Coordinates[i] = make([][][]float64, len(polygon))
		for j, ring := range polygon {
			g.Coordinates[i][j] = make([][]float64, len(ring))
			for k, p := range ring {
				g.Coordinates[i][j][k] = []float64{p.Lon, p.Lat}
			}
		}
	}
	return g
}
