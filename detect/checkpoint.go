package detect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"videopatrol/inventory"
)

// A checkpoint is magic, the length of its notes, the notes as JSON, the
// views' edges and peaks and the ground's colour, means and deviations byte by
// byte, and a CRC-32 of all that. One without views is of an older version, and as
// good.
const (
	checkpointMagic = "VPW2"
	maxCheckpoint   = 1 << 17
)

var errCheckpoint = errors.New("checkpoint refused")

// notes are all of a watch but its ground.
type notes struct {
	Camera        string              `json:"camera"`
	Masks         []inventory.Polygon `json:"masks"`
	Width, Height int                 `json:",omitempty"`
	Health        health              `json:"health"`
	Views         []View              `json:"views,omitempty"`
	At            int                 `json:"at,omitempty"` // of Views
	Preset        int                 `json:"preset,omitempty"`
	Things        []thing             `json:"things,omitempty"`
	Rules         []ruleMemory        `json:"rules,omitempty"`
	Since         time.Time           `json:"since,omitzero"`
	// Fires are the memories of fire by zone.
	Fires   map[string]fireMemory `json:"fires,omitempty"`
	Last    time.Time             `json:"last,omitzero"`
	Learned bool                  `json:"learned,omitempty"`
	Gain    float64               `json:"gain,omitempty"`
	// Hue: the ground has colour; that of an older version has none.
	Hue bool `json:"hue,omitempty"`
}

// ruleMemory is a rule's memory with what it was a memory of.
type ruleMemory struct {
	Zone     string             `json:"zone"`
	Name     string             `json:"name,omitempty"`
	ZoneKind inventory.ZoneKind `json:"zone_kind"`
	Rule     RuleRef            `json:"rule"`
	Kind     Kind               `json:"kind"`
	memory
}

func newRuleMemory(z inventory.Zone, r Rule, m memory) ruleMemory {
	return ruleMemory{Zone: z.ID, Name: z.Name, ZoneKind: z.Kind, Rule: r.Ref, Kind: r.Kind, memory: m}
}

// Checkpoint returns what the watch remembers, at most 64 kB of it ground. A
// warm-up is not kept.
func (w *Watch) Checkpoint() []byte {
	n := notes{
		Camera: w.config.Camera, Masks: w.config.Masks, Width: w.width, Height: w.height,
		Health: w.health, Views: w.views.all, At: w.views.at, Preset: w.preset, Things: w.things, Last: w.last, Fires: w.fires(),
	}
	for _, r := range w.rules {
		n.Rules = append(n.Rules, newRuleMemory(r.zone, r.Rule, w.memories[r.key()]))
	}
	for _, r := range w.removed {
		n.Rules = append(n.Rules, newRuleMemory(r.zone, r.rule, r.m))
	}
	if w.ground != nil && w.ground.learned {
		n.Learned, n.Gain, n.Since, n.Hue = true, w.ground.gain, w.ground.since, len(w.ground.hue) > 0
	}
	head, err := json.Marshal(n)
	if err != nil { // numbers are finite and times are in range
		return nil
	}
	var planes []byte
	for i := range w.views.all {
		planes = w.views.all[i].append(planes)
	}
	if n.Learned {
		planes = append(planes, w.ground.hue...)
		for _, m := range w.ground.mean {
			planes = append(planes, byte((min(uint32(m), 255<<8)+128)>>8))
		}
		planes = append(planes, w.ground.dev...)
	}
	return frameCheckpoint(head, planes)
}

func frameCheckpoint(head, planes []byte) []byte {
	b := make([]byte, 0, len(checkpointMagic)+4+len(head)+len(planes)+4)
	b = append(b, checkpointMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(head)))
	b = append(append(b, head...), planes...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Restore takes over what a checkpoint of the same camera and masks
// remembers. Conditions of zones that have gone since end with the next
// picture; conditions that the record runs and the checkpoint does not know
// stay unknown. After an error the watch is as it was before.
func (w *Watch) Restore(b []byte) error {
	n, planes, err := parseCheckpoint(b)
	if err != nil {
		return fmt.Errorf("camera %q: %w: %w", w.config.Camera, errCheckpoint, err)
	}
	switch {
	case n.Camera != w.config.Camera:
		err = fmt.Errorf("it is of camera %q", n.Camera)
	case !slices.EqualFunc(n.Masks, w.config.Masks, func(a, b inventory.Polygon) bool { return slices.Equal(a, b) }):
		err = errors.New("it was made under other masks")
	case w.width != 0 && (n.Width != w.width || n.Height != w.height):
		err = fmt.Errorf("it is of %d × %d pictures, want %d × %d", n.Width, n.Height, w.width, w.height)
	}
	if err != nil {
		return fmt.Errorf("camera %q: %w: %w", w.config.Camera, errCheckpoint, err)
	}
	w.memories, w.removed = map[ruleKey]memory{}, nil
	for _, m := range n.Rules {
		was := compiled{zone: inventory.Zone{ID: m.Zone, Kind: m.ZoneKind, Name: m.Name}, Rule: Rule{Zone: m.Zone, Ref: m.Rule, Kind: m.Kind}}
		switch {
		case slices.ContainsFunc(w.rules, was.same):
			w.memories[was.key()] = m.memory
		case m.Running:
			w.removed = append(w.removed, removal{zone: was.zone, rule: was.Rule, m: m.memory})
		}
	}
	w.adoptRunning(w.config)
	if n.Width == 0 {
		return nil
	}
	w.width, w.height, w.health, w.last = n.Width, n.Height, n.Health, n.Last
	gw, gh := gridSize(w.width, w.height)
	masked := raster(w.config.Masks, gw, gh)
	w.ground, w.retina = newGround(gw, gh, masked), newRetina(gw, gh, masked)
	w.views, w.preset = views{all: n.Views, at: n.At}, n.Preset
	if len(n.Views) == 0 {
		w.views.at = -1
	}
	w.draw()
	w.kindle(n.Fires)
	w.things = n.Things
	for i := range w.views.all {
		planes = w.views.all[i].restore(w.retina, planes)
	}
	if n.Learned {
		w.ground.restore(planes, n)
	}
	return nil
}

// restore takes over means and deviations.
func (g *ground) restore(planes []byte, n notes) {
	size := g.w * g.h
	g.hue, planes = slices.Clone(planes[:len(planes)-2*size]), planes[len(planes)-2*size:]
	g.mean, g.dev = make([]uint16, size), slices.Clone(planes[size:2*size])
	for i := range g.mean {
		g.mean[i] = uint16(planes[i]) << 8 // whole steps stay what they are, however often
	}
	g.learned, g.gain, g.since = true, n.Gain, n.Since
}

// parseCheckpoint returns the notes and planes of a checkpoint whose every
// number is in range.
func parseCheckpoint(b []byte) (n notes, planes []byte, err error) {
	const frame = len(checkpointMagic) + 4
	if len(b) < frame+4 || len(b) > maxCheckpoint || !bytes.HasPrefix(b, []byte(checkpointMagic)) {
		return n, nil, fmt.Errorf("no checkpoint of this version in %d bytes", len(b))
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return n, nil, errors.New("its checksum is wrong")
	}
	size := int(binary.LittleEndian.Uint32(b[len(checkpointMagic):]))
	if size > len(body)-frame {
		return n, nil, errors.New("it is cut short")
	}
	if err := json.Unmarshal(body[frame:frame+size], &n); err != nil {
		return n, nil, fmt.Errorf("its notes: %w", err)
	}
	planes = body[frame+size:]
	want := 0
	if n.Width != 0 || n.Height != 0 {
		if n.Width < MinSide || n.Height < MinSide || n.Width > MaxSide || n.Height > MaxSide {
			return n, nil, fmt.Errorf("pictures of %d × %d", n.Width, n.Height)
		}
		w, h := gridSize(n.Width, n.Height)
		if n.Learned {
			want = 2 * w * h
		}
		if n.Learned && n.Hue {
			cw, ch := hueSize(w, h)
			want += 2 * cw * ch
		}
		want += len(n.Views) * newRetina(w, h, bitmap{}).viewSize()
		for _, t := range n.Things {
			if !t.fits(w, h) {
				return n, nil, errors.New("a thing outside the picture")
			}
		}
	}
	if len(planes) != want || len(n.Things) > maxThings || (n.Width == 0 && len(n.Things) > 0) {
		return n, nil, fmt.Errorf("%d bytes of ground, want %d", len(planes), want)
	}
	for _, m := range n.Rules {
		if !validName(m.Zone) || !validName(m.Rule.ID) || m.Rule.Version < 1 || !slices.Contains(Kinds(), m.Kind) || m.Hits < 0 || m.Clear < 0 {
			return n, nil, fmt.Errorf("no memory of a rule: zone %q, rule %+v, kind %q", m.Zone, m.Rule, m.Kind)
		}
	}
	if h := n.Health; h.Settle < 0 || h.Settle > settleSamples+1 || h.Count < 0 || h.Same < 0 ||
		len(h.Prints) != 0 && len(h.Prints) != bands {
		return n, nil, errors.New("scene health out of range")
	}
	if len(n.Views) > maxViews || n.At < -1 || n.At >= max(1, len(n.Views)) || n.Width == 0 && len(n.Views) > 0 {
		return n, nil, fmt.Errorf("view %d of %d", n.At, len(n.Views))
	}
	if slices.ContainsFunc(n.Views, func(v View) bool { return v.Preset < 1 || v.Samples < viewSamples }) {
		return n, nil, errors.New("a view that was never learned")
	}
	if n.Learned && !(n.Gain >= 1.0/64 && n.Gain <= 64) {
		return n, nil, fmt.Errorf("gain %g", n.Gain)
	}
	return n, planes, nil
}

// fits tells whether a thing can have been seen on a w × h plane.
func (t *thing) fits(w, h int) bool {
	ok := t.X >= 0 && t.Y >= 0 && t.W > 0 && t.H > 0 && t.W <= w && t.H <= h && t.X <= w-t.W && t.Y <= h-t.H &&
		t.Area > 0 && t.Area <= w*h && t.Stills >= 1 && t.Bare >= 0 && t.Hidden >= 0 && t.Veiled >= 0 &&
		len(t.Points) == len(t.Luma) && len(t.Points) > 0 && len(t.Points) <= maxPoints
	return ok && !slices.ContainsFunc(t.Points, func(p uint16) bool { return int(p) >= w*h })
}
