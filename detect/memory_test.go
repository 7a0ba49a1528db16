//go:build cgo

package detect_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// reborn replaces the watch by a new one, with or without its checkpoint, and
// with the record's running conditions.
func (p *patrol) reborn(checkpoint bool) {
	p.t.Helper()
	b := p.w.Checkpoint()
	running := map[detect.ConditionKey]detect.Condition{}
	for _, f := range p.findings {
		switch f.Phase {
		case detect.PhaseBegin:
			running[f.Key()] = detect.Condition{Key: f.Key(), Kind: f.Kind, Began: f.Began}
		case detect.PhaseEnd:
			delete(running, f.Key())
		case detect.PhaseContinue:
		}
	}
	p.o.Config.Running = nil
	for _, c := range running {
		p.o.Config.Running = append(p.o.Config.Running, c)
	}
	p.restart()
	if checkpoint {
		if err := p.w.Restore(b); err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestCheckpointCarriesEverythingOver(t *testing.T) {
	p := newPatrol(t, 5*time.Second, closedArea, fireLane)
	p.show(30 * time.Second)
	p.show(40*time.Second, car(0.3, 0.6)) // not yet long enough
	p.reborn(true)
	p.show(30*time.Second, car(0.3, 0.6))
	p.want("lane/begin ")
	p.reborn(true)
	p.show(2*time.Minute, car(0.3, 0.6))
	p.show(5*time.Second, car(0.3, 0.6), person(0.8, 0.5))
	p.want("lane/begin yard/begin ")
	p.reborn(true)
	p.show(time.Minute)
	p.want("lane/begin yard/begin yard/end lane/end ")
	for _, f := range p.findings {
		if f.Zone == "lane" && !f.Began.Equal(p.findings[0].Began) {
			t.Errorf("a finding of the one condition began %v, want %v", f.Began, p.findings[0].Began)
		}
	}
	if b := p.w.Checkpoint(); len(b) > 64<<10 {
		t.Errorf("a checkpoint of %d bytes, want at most 64 kB", len(b))
	}
}

func TestWithoutMemoryAConditionIsUnknown(t *testing.T) {
	t.Run("fire lane", func(t *testing.T) {
		p := newPatrol(t, 5*time.Second, fireLane)
		p.show(30 * time.Second)
		p.show(90*time.Second, car(0.3, 0.6))
		p.want("lane/begin ")
		p.reborn(false)
		p.show(20*time.Minute, car(0.3, 0.6))
		p.want("lane/begin ") // no second begin, and no end for lack of memory
		p.show(time.Minute)
		p.want("lane/begin lane/end ") // the car is seen to leave
		p.show(2*time.Minute, car(0.4, 0.6))
		p.want("lane/begin lane/end lane/begin ")
	})
	t.Run("intrusion", func(t *testing.T) {
		p := newPatrol(t, 5*time.Second, closedArea)
		p.show(30 * time.Second)
		p.show(10*time.Second, person(0.7, 0.5))
		p.reborn(false)
		p.show(3 * time.Minute)
		p.want("yard/begin ")
		p.show(time.Minute)
		p.want("yard/begin yard/end ") // nothing moved for long enough
	})
	t.Run("intrusion goes on", func(t *testing.T) {
		p := newPatrol(t, 5*time.Second, closedArea)
		p.show(30 * time.Second)
		p.show(10*time.Second, person(0.7, 0.5))
		p.reborn(false)
		p.show(30 * time.Second)
		p.show(5*time.Second, person(0.7, 0.5))
		p.want("yard/begin ")
		p.show(30 * time.Second)
		p.want("yard/begin yard/end ")
	})
}

func TestConfigure(t *testing.T) {
	p := newPatrol(t, 5*time.Second, closedArea, fireLane)
	p.show(30 * time.Second)
	p.show(90*time.Second, car(0.6, 0.6))
	p.want("yard/begin lane/begin ")
	c := p.o.Config
	c.Interval = 10 * time.Second
	c.Zones = []inventory.Zone{fireLane}
	if err := p.w.Configure(c); err != nil {
		t.Fatal(err)
	}
	p.show(time.Minute, car(0.6, 0.6))
	p.want("yard/begin lane/begin yard/end ")
	c.Masks = []inventory.Polygon{rect(0, 0, 0.2, 0.2)}
	if err := p.w.Configure(c); err != nil {
		t.Fatal(err)
	}
	p.show(2*time.Minute, car(0.6, 0.6))
	p.want("yard/begin lane/begin yard/end ")
	p.show(time.Minute)
	p.want("yard/begin lane/begin yard/end lane/end ")
	c.Camera = "another"
	if err := p.w.Configure(c); err == nil {
		t.Error("the watch became another camera's")
	}
}

func TestHours(t *testing.T) {
	yard, lane := closedArea, fireLane
	night, err := inventory.ParseHours("22:00-06:00")
	if err != nil {
		t.Fatal(err)
	}
	yard.Hours, lane.Hours = []inventory.Hours{night}, []inventory.Hours{night}
	p := newPatrol(t, 5*time.Second, yard, lane)
	p.o.Config.TimeZone = "Asia/Shanghai" // eight hours ahead
	p.restart()
	p.now = time.Date(2026, 3, 2, 13, 50, 0, 0, time.UTC)
	p.show(time.Minute)
	p.show(8*time.Minute+55*time.Second, car(0.6, 0.6)) // until 21:59:55 at the site
	p.want("")
	p.show(5*time.Minute, car(0.6, 0.6))
	p.want("yard/begin lane/begin ")
	if want := time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC); !p.findings[0].Began.Equal(want) || !p.findings[1].Began.Equal(want) {
		t.Errorf("began %v and %v, want %v, when the zones were armed", p.findings[0].Began, p.findings[1].Began, want)
	}
	p.now = time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC)
	p.show(10*time.Second, car(0.6, 0.6))
	p.want("yard/begin lane/begin yard/end lane/end ")
}

// No pixel under a mask leaves a trace anywhere: two streets that differ in
// nothing else give the same stills, findings and checkpoints, to the bit.
func TestMasksHideEverything(t *testing.T) {
	masks := []inventory.Polygon{
		rect(0.1, 0.1, 0.4, 0.45),
		{{X: 0.53, Y: 0.4}, {X: 0.97, Y: 0.71}, {X: 0.6, Y: 0.93}},
		{{X: 0, Y: 0.9}, {X: 0.31, Y: 1}, {X: 0, Y: 1}},
	}
	outputs := func(wild bool) (out []string) {
		p := newPatrol(t, 5*time.Second, closedArea, fireLane)
		p.o.Config.Masks = masks
		p.restart()
		for i := range 30 {
			var actors []actor
			if i > 8 && i < 27 {
				actors = []actor{car(0.45, 0.75), person(0.45+float64(i)/60, 0.6)}
			}
			pic := p.s.shoot(actors...)
			if wild {
				for j, pl := range []detect.Plane{pic.Y, pic.Cb, pic.Cr} {
					for y := range pl.Height {
						for x := range pl.Width {
							at := inventory.Point{X: (float64(x) + 0.5) / float64(pl.Width), Y: (float64(y) + 0.5) / float64(pl.Height)}
							for _, m := range masks {
								if m.Contains(at) {
									pl.Row(y)[x] = byte(i*97 + x*31 + y*57 + j*11)
								}
							}
						}
					}
				}
			}
			p.see(pic)
			out = append(out, string(p.last.Still), string(p.w.Checkpoint()), p.list())
			for _, f := range p.last.Findings {
				out = append(out, string(f.Picture))
			}
		}
		if len(p.findings) < 3 {
			t.Fatalf("the story tells too little: %s", p.list())
		}
		return out
	}
	plain, wild := outputs(false), outputs(true)
	if len(plain) != len(wild) {
		t.Fatalf("%d outputs, and %d when only masked pixels differ", len(plain), len(wild))
	}
	for i := range plain {
		if plain[i] != wild[i] {
			t.Fatalf("output %d of %d shows what lies under a mask", i, len(plain))
		}
	}
}

func TestBadConfigurations(t *testing.T) {
	good := detect.Config{Camera: "cam", Zones: []inventory.Zone{closedArea}}
	for name, c := range map[string]struct {
		change func(*detect.Config)
		says   string
	}{
		"no camera":    {func(c *detect.Config) { c.Camera = "" }, "no id"},
		"interval":     {func(c *detect.Config) { c.Interval = -1 }, "interval"},
		"time zone":    {func(c *detect.Config) { c.TimeZone = "Mars/North" }, "IANA"},
		"kind":         {func(c *detect.Config) { c.Zones = []inventory.Zone{{ID: "z", Kind: "x"}} }, "closed_area"},
		"same ids":     {func(c *detect.Config) { c.Zones = []inventory.Zone{closedArea, closedArea} }, "unique"},
		"two corners":  {func(c *detect.Config) { c.Masks = []inventory.Polygon{{{}, {X: 1}}} }, "3 to"},
		"far corner":   {func(c *detect.Config) { c.Masks = []inventory.Polygon{rect(0, 0, 1.5, 1)} }, "outside the picture"},
		"short dwell":  {func(c *detect.Config) { c.Zones[0].Dwell = -1 }, "dwell"},
		"zone outline": {func(c *detect.Config) { c.Zones[0].Area = nil }, "corners"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			bad.Zones = []inventory.Zone{closedArea}
			c.change(&bad)
			p := newPatrol(t, time.Second)
			_, err := detect.NewWatch(detect.WatchOptions{Config: bad, Imaging: p.o.Imaging})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want it to say %q", err, c.says)
			}
		})
	}
	if _, err := detect.NewWatch(detect.WatchOptions{Config: good}); err == nil {
		t.Error("a watch without Imaging")
	}
}

func TestBadPicturesAreRefused(t *testing.T) {
	p := newPatrol(t, time.Second, closedArea)
	for name, change := range map[string]func(*detect.Picture){
		"empty":        func(p *detect.Picture) { *p = detect.Picture{} },
		"tiny":         func(p *detect.Picture) { p.Y.Width = 4 },
		"short luma":   func(p *detect.Picture) { p.Y.Pix = p.Y.Pix[:100] },
		"no chroma":    func(p *detect.Picture) { p.Cr = detect.Plane{} },
		"small stride": func(p *detect.Picture) { p.Y.Stride = 3 },
	} {
		pic := p.s.shoot()
		change(&pic)
		if _, err := p.w.See(pic, midnight); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	p.show(time.Second)
}

func TestCheckpointsThatDoNotFitAreRefused(t *testing.T) {
	p := newPatrol(t, 5*time.Second, closedArea)
	p.show(time.Minute)
	b := p.w.Checkpoint()
	refused := func(name string, b []byte) {
		t.Helper()
		before := p.w.Checkpoint()
		if err := p.w.Restore(b); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !bytes.Equal(before, p.w.Checkpoint()) {
			t.Errorf("%s: it left something behind", name)
		}
	}
	refused("empty", nil)
	refused("cut short", b[:len(b)/2])
	flipped := bytes.Clone(b)
	flipped[len(b)/2] ^= 1
	refused("flipped", flipped)
	p.o.Config.Masks = []inventory.Polygon{rect(0, 0, 0.1, 0.1)}
	p.restart()
	refused("other masks", b)
	p.o.Config.Masks, p.o.Config.Camera = nil, "other"
	p.restart()
	refused("other camera", b)
	p.o.Config.Camera, p.s = "cam", newStudio(320, 240)
	p.restart()
	p.show(time.Minute)
	refused("other size", b)
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte("{}"), []byte{})
	f.Add([]byte(`{"camera":"cam","Width":352,"Height":288,"learned":true,"gain":1}`), make([]byte, 2*156*128))
	f.Add([]byte(`{"camera":"cam","Width":64,"Height":64,"things":[{"W":1,"H":1,"Area":1,"Stills":1,"Points":[9],"Luma":"AA=="}]}`), []byte{})
	f.Fuzz(func(t *testing.T, head, planes []byte) {
		p := newPatrol(t, 5*time.Second, closedArea, fireLane)
		p.s = newStudio(64, 64)
		if err := p.w.Restore(detect.FrameCheckpoint(head, planes)); err != nil {
			return
		}
		p.show(10*time.Second, person(0.6, 0.5))
		if err := p.w.Restore(p.w.Checkpoint()); err != nil {
			t.Fatal(err)
		}
	})
}

// A checkpoint holds whole luma steps; taking it up again and again must not
// move the ground: a bias of one step each time would.
func TestRestoringAgainAndAgainKeepsTheGround(t *testing.T) {
	story := func(reborn bool) []byte {
		p := newPatrol(t, 5*time.Second, fireLane)
		p.show(30 * time.Second)
		for range 25 {
			p.show(15*time.Second, car(0.3, 0.6))
			if reborn {
				p.reborn(true)
			}
		}
		p.want("lane/begin ")
		b := p.w.Checkpoint()
		p.show(30 * time.Second)
		p.want("lane/begin lane/end ")
		return b[:len(b)-4] // less its checksum
	}
	once, often := story(false), story(true)
	const pixels = 156 * 127
	var bias float64
	for i := range pixels { // the means, before as many deviations
		bias += float64(often[len(often)-2*pixels+i]) - float64(once[len(once)-2*pixels+i])
	}
	if bias /= pixels; bias < -1 || bias > 1 {
		t.Errorf("the ground of a watch that was restored 25 times is %.2f steps brighter", bias)
	}
}
