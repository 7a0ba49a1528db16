package alerts

import (
	"maps"
	"slices"
	"sync"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// KindCameraFault is the kind of a lead about cameras that fail. It is work for
// their maintainer.
const KindCameraFault detect.Kind = "camera_fault"

// Kinds lists every kind that a lead may have.
func Kinds() []detect.Kind { return append(detect.Kinds(), KindCameraFault) }

// KindInfo is how leads of a kind are shown.
type KindInfo struct {
	Severity Severity
	Title    detect.Text
}

// DefaultKinds are the severities and titles of the kinds that come with the
// gateway.
func DefaultKinds() map[detect.Kind]KindInfo {
	return map[detect.Kind]KindInfo{
		detect.KindIntrusion:       {SeverityHigh, detect.Text{ZH: "禁入区有闯入", EN: "Intrusion into a closed area"}},
		detect.KindFireLaneBlocked: {SeverityMedium, detect.Text{ZH: "消防通道被占用", EN: "Fire lane blocked"}},
		detect.KindIllegalParking:  {SeverityLow, detect.Text{ZH: "禁停区有停放", EN: "Parked where parking is forbidden"}},
		detect.KindCrowd:           {SeverityMedium, detect.Text{ZH: "人群聚集", EN: "A crowd gathers"}},
		detect.KindObjectLeft:      {SeverityMedium, detect.Text{ZH: "有遗留物体", EN: "Something was left behind"}},
		detect.KindObjectTaken:     {SeverityMedium, detect.Text{ZH: "有物体被移走", EN: "Something was taken away"}},
		detect.KindFire:            {SeverityHigh, detect.Text{ZH: "发现火焰", EN: "Flame"}},
		detect.KindSmoke:           {SeverityHigh, detect.Text{ZH: "发现烟雾", EN: "Smoke"}},
		detect.KindStandstill:      {SeverityLow, detect.Text{ZH: "道路停滞", EN: "Standstill on a road"}},
		detect.KindWaterEdge:       {SeverityHigh, detect.Text{ZH: "临水临轨区有人或物体", EN: "Someone or something at the edge of water or a track"}},
		KindCameraFault:            {SeverityLow, detect.Text{ZH: "摄像机故障", EN: "Cameras fail"}},
	}
}

// maxWhy bounds how much of a finding's own words a summary takes, in runes.
const maxWhy = 200

func summarize(title, why detect.Text) detect.Text {
	join := func(title, colon, why string) string {
		if r := []rune(why); len(r) > maxWhy {
			why = string(r[:maxWhy]) + "…"
		}
		if why == "" {
			return title
		}
		return title + colon + why
	}
	return detect.Text{ZH: join(title.ZH, "：", why.ZH), EN: join(title.EN, ": ", why.EN)}
}

// place is what a lead keeps of the inventory.
type place struct {
	Camera CameraRef
	Zone   ZoneRef
	Grid   []GridRef
}

// places finds cameras in the newest snapshot without a scan for each lead.
type places struct {
	inventory func() inventory.Snapshot

	mu       sync.Mutex
	revision int64
	index    map[string]int
}

// of returns where a finding happened. Of a camera or zone that the inventory
// has lost meanwhile it returns the ids alone.
func (p *places) of(f detect.Finding) place {
	snap := p.inventory()
	at := place{Camera: CameraRef{ID: f.Camera}, Zone: ZoneRef{ID: f.Zone}}
	i, ok := p.find(snap, f.Camera)
	if !ok {
		return at
	}
	c := snap.Cameras[i]
	at.Camera.Name, at.Camera.Lat, at.Camera.Lon = c.Name, c.Position.Lat, c.Position.Lon
	cell := c.Cell
	if z := slices.IndexFunc(c.Zones, func(z inventory.Zone) bool { return z.ID == f.Zone }); z >= 0 {
		zone := c.Zones[z]
		at.Zone.Name, at.Zone.Kind = zone.Name, zone.Kind
		if zone.Cell != "" {
			cell = zone.Cell
		}
	}
	for _, g := range snap.Grid.Path(cell) {
		at.Grid = append(at.Grid, GridRef{ID: g.ID, Level: g.Level, Name: g.Name})
	}
	return at
}

// shared is the place that cameras have in common: the cells that all of them
// lie in, and of one alone its own.
func (p *places) shared(cameras []string) place {
	at := p.of(detect.Finding{Camera: cameras[0], Zone: faultZone})
	for _, c := range cameras[1:] {
		grid := p.of(detect.Finding{Camera: c}).Grid
		n := 0
		for n < min(len(grid), len(at.Grid)) && grid[n] == at.Grid[n] {
			n++
		}
		at.Grid = at.Grid[:n]
	}
	if len(cameras) > 1 {
		at.Camera.Name = ""
	}
	return at
}

// armed tells whether a finding's zone is armed; one that the inventory has
// lost meanwhile is.
func (p *places) armed(f detect.Finding, zone *time.Location) bool {
	snap := p.inventory()
	i, ok := p.find(snap, f.Camera)
	if !ok {
		return true
	}
	for _, z := range snap.Cameras[i].Zones {
		if z.ID == f.Zone {
			return z.Armed(f.At.In(zone))
		}
	}
	return true
}

func (p *places) find(snap inventory.Snapshot, camera string) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.index == nil || p.revision != snap.Revision {
		p.revision = snap.Revision
		p.index = make(map[string]int, len(snap.Cameras))
		for i, c := range snap.Cameras {
			p.index[c.ID] = i
		}
	}
	i, ok := p.index[camera]
	// Two snapshots of one revision are the same, unless somebody broke that
	// promise: then a wrong camera must not be named.
	if !ok || i >= len(snap.Cameras) || snap.Cameras[i].ID != camera {
		return 0, false
	}
	return i, true
}

func cloneKinds(kinds map[detect.Kind]KindInfo) map[detect.Kind]KindInfo {
	if kinds == nil {
		return DefaultKinds()
	}
	return maps.Clone(kinds)
}
