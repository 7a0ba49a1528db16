package scene

import (
	"math"
	"math/rand/v2"
	"time"

	"videopatrol/inventory"
)

// happens are the happenings of a scene's own, which Arrive, Stay and Leave
// show; of those that may happen on its stage, one.
var happens = map[Kind]string{
	Street: FireLaneTaken, Gate: Intrusion, Plaza: CrowdForms, CarPark: IllegalParking,
	RiverBank: AtWaterEdge, NeonStreet: Fire, Crossroads: Standstill, Yard: Fire,
}

// Happens returns the kind of finding that the scene's own happening makes.
func (k Kind) Happens() string { return happens[k] }

// staged are the takes of a scene that is a stage: the act of its own
// happening, cut into groups, at one time of day.
type staged struct {
	act Act
	// arrive and leave are the groups of the act at which Stay begins and
	// ends, all how many it has.
	arrive, leave, all int
	zones              []inventory.Zone
	mask               inventory.Polygon
	at                 time.Time
	sky                Sky
}

const groupTime = GOPFrames * time.Second / FrameRate

func newStaged(kind Kind, seed uint64) *staged {
	s := NewStage(kind, seed, StageOptions{Width: Width, Height: Height})
	r := s.random(30)
	t := &staged{zones: s.Zones(), mask: s.PrivacyMask(), sky: Sky{Cloud: between(r, 0, 0.15), Wind: between(r, 0.05, 0.2)}}
	hour := between(r, 9, 15)
	if kind == NeonStreet {
		hour = 21
	}
	t.at = time.Date(2026, 5, 1+r.IntN(60), 0, 0, 0, 0, time.UTC).Add(seconds(hour * 3600))
	t.act, _ = s.Act(kind.Happens(), seed, 4*groupTime)
	groups := func(d time.Duration) int { return int((d + groupTime - 1) / groupTime) }
	t.arrive, t.leave, t.all = groups(t.act.Begin+groupTime/4), int((t.act.End-groupTime/8)/groupTime), groups(t.act.Length)
	t.leave = max(t.leave, t.arrive+1)
	return t
}

// groups returns how many a take has.
func (t *staged) groups(take Take) int {
	switch take {
	case Arrive:
		return t.arrive
	case Stay:
		return t.leave - t.arrive
	case Leave:
		return t.all - t.leave
	default:
		return loops[take]
	}
}

// playing returns the act at a frame of a take, and whether it shows.
func (t *staged) playing(take Take, gop, frame int) ([]Playing, bool) {
	switch take {
	case Arrive:
	case Stay:
		gop += t.arrive
	case Leave:
		gop += t.leave
	default:
		return nil, false
	}
	return []Playing{{Act: t.act, Since: time.Duration(gop)*groupTime + time.Duration(frame)*time.Second/FrameRate}}, true
}

// drawStaged draws a frame of a take on a stage. Nobody passes by, so that
// every group may follow every other one.
func (p *Painter) drawStaged(f *Frame, take Take, gop, frame int) {
	t := p.scene.staged
	if take == Covered {
		if key := (gopKey{take, gop}); p.current != key {
			p.current = key
			p.cover(p.scene.random(100 + uint64(gop))) //nolint:gosec // a small number
		}
		copy(f.Pix, p.gop.Pix)
		offset := p.random.IntN(pixels/2) &^ 7
		addNoise(f.Pix[:pixels], p.noise[offset:offset+pixels])
		return
	}
	acts, _ := t.playing(take, gop, frame)
	// Trees and lights begin anew with each group.
	p.stage.Draw(f, Moment{At: t.at.Add(time.Duration(frame) * time.Second / FrameRate), Sky: t.sky, Acts: acts})
	if take == Dark {
		for i, y := range f.Pix[:pixels] {
			f.Pix[i] = byte(2 + math.Round(float64(y)*0.01) + float64(p.random.Uint32()&3))
		}
		for i, c := range f.Pix[pixels:] {
			f.Pix[pixels+i] = byte(128 + (int(c)-128)/16)
		}
	}
}

// newStagedPainter sets up what a stage's takes need.
func (s *Scene) newStagedPainter() *Painter {
	p := &Painter{scene: s, random: s.random(3), gop: NewFrame(), smear: smears(s.random(2))}
	p.stage = NewStage(s.kind, s.seed, StageOptions{Width: Width, Height: Height})
	p.stage.traffic = newTraffic(nil, s.seed)
	p.stage.insects = 0
	p.noise, p.hush = sensorNoise()
	return p
}

// smears returns the tone of something right before the lens.
func smears(r *rand.Rand) tone {
	return rgb(pick[uint32](r, 0x5d5148, 0x6a6258, 0x4f5257, 0x70675a))
}
