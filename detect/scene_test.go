//go:build cgo

package detect_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/streams"
)

// displace moves what the camera sees sideways by a share of the picture.
func displace(p detect.Picture, by float64) detect.Picture {
	n := int(by * float64(p.Y.Width))
	for y := range p.Y.Height {
		row := p.Y.Row(y)
		copy(row, append(bytes.Clone(row[n:]), row[:n]...))
	}
	return p
}

func (p *patrol) fault() detect.Fault { return p.last.Scene.Fault }

// until shows pictures until the scene has a fault, or none.
func (p *patrol) until(want detect.Fault, most int, shoot func() detect.Picture) {
	p.t.Helper()
	for range most {
		p.see(shoot())
		if p.fault() == want {
			return
		}
	}
	p.t.Fatalf("the scene is %+v after %d samples, want fault %q: %s", p.last.Scene, most, want, p.w.Measures())
}

func TestEveryFaultIsAReason(t *testing.T) {
	for _, f := range detect.Faults() {
		if !slices.Contains(streams.Reasons(), streams.Reason(f)) {
			t.Errorf("no reason %q", f)
		}
	}
}

// A clock that goes on does not hide that the scene is frozen; that something
// moves in a quiet picture does not make it so.
func TestFrozenButForTheClock(t *testing.T) {
	p := newPatrol(t, 10*time.Second, closedArea)
	p.show(time.Minute)
	still := p.s.shoot()
	tick := 0
	clocked := func() detect.Picture {
		pic := still
		pic.Y.Pix = bytes.Clone(still.Y.Pix)
		tick++
		for y := 8; y < 20; y++ {
			for x := 10; x < 110; x++ {
				pic.Y.Pix[y*pic.Y.Stride+x] = byte(40 + (x/8*37+tick*53)%180)
			}
		}
		return pic
	}
	p.until(detect.SceneFrozen, 3, clocked)
	p.until(detect.SceneOK, 2, func() detect.Picture { return p.s.shoot() })
	p.s.noise = 0
	for i := range 20 {
		p.see(p.s.shoot(person(0.1+0.04*float64(i), 0.2+0.02*float64(i))))
		if p.fault() != detect.SceneOK {
			t.Fatalf("someone walks through a picture without noise: %+v", p.last.Scene)
		}
	}
}

// A camera that looks away is moved; its zones are blind until it is back.
func TestMovedAndBack(t *testing.T) {
	p := newPatrol(t, 10*time.Second, closedArea)
	p.show(time.Minute)
	away := func() detect.Picture { return displace(p.s.shoot(person(0.8, 0.5)), 0.13) }
	p.until(detect.SceneMoved, 3, away)
	for range 10 {
		p.see(away())
	}
	p.until(detect.SceneOK, 2, func() detect.Picture { return p.s.shoot() })
	p.show(time.Minute)
	p.want("")
	p.show(20*time.Second, person(0.7, 0.5))
	p.want("yard/begin ")
}

// A bank, a wall and a horizon look the same wherever along them a camera
// looks: what stands out from them tells that it has turned.
func TestMovedAlongAHorizon(t *testing.T) {
	p := newPatrol(t, 10*time.Second, closedArea)
	for i := range p.s.ground {
		x, y := i%p.s.w, i/p.s.w
		p.s.ground[i] = 70 + 60*float64(y/18%2)
		if (x+y/48*37)%88 < 10 && y/48%2 == 1 { // posts
			p.s.ground[i] = 200
		}
	}
	p.show(time.Minute)
	p.until(detect.SceneMoved, 3, func() detect.Picture { return displace(p.s.shoot(), 0.12) })
	p.want("")
	p.until(detect.SceneOK, 2, func() detect.Picture { return p.s.shoot() })
}

// tear displaces some bands of rows, each by its own distance, other ones the
// next time.
func tear(p detect.Picture, seed int) detect.Picture {
	for band := range 9 {
		if (band+seed)%3 == 0 {
			continue
		}
		by := (40 + 29*band*(seed+1)) % (p.Y.Width / 2)
		for y := band * p.Y.Height / 9; y < (band+1)*p.Y.Height/9; y++ {
			row := p.Y.Row(y)
			copy(row, append(bytes.Clone(row[by:]), row[:by]...))
		}
	}
	return p
}

// A stream that loses packets shows a whole picture now and then: that does not
// make it sound, and nothing is found in it. Two in a row do.
func TestTornNowAndThen(t *testing.T) {
	p := newPatrol(t, 10*time.Second, closedArea)
	p.show(time.Minute)
	torn := func(i int) { p.see(tear(p.s.shoot(), i)) }
	torn(0)
	p.see(p.s.shoot(person(0.7, 0.5)))
	p.want("")
	torn(1)
	p.see(p.s.shoot())
	if p.fault() != detect.SceneOK {
		t.Fatalf("two torn pictures are %q", p.fault())
	}
	torn(2)
	if p.fault() != detect.SceneTorn {
		t.Fatalf("three torn pictures of five: %+v, %s", p.last.Scene, p.w.Measures())
	}
	p.until(detect.SceneOK, 2, func() detect.Picture { return p.s.shoot() })

	for i := range 6 { // now and then one
		torn(i)
		p.show(30 * time.Second)
		if p.fault() != detect.SceneOK {
			t.Fatalf("a torn picture among whole ones: %+v", p.last.Scene)
		}
	}
	p.want("")
}

// lose makes so many of a hundred blocks grey, other ones the next time.
func lose(p detect.Picture, of100, seed int) detect.Picture {
	const side = 16
	r := rand.New(rand.NewPCG(uint64(seed), 1)) //nolint:gosec // chance for pictures
	for y := 0; y+side <= p.Y.Height; y += side {
		for x := 0; x+side <= p.Y.Width; x += side {
			if r.IntN(100) >= of100 {
				continue
			}
			level := byte(60 + r.IntN(120)) //nolint:gosec // below 256
			for j := range side {
				row := p.Y.Row(y + j)[x:][:side]
				for i := range row {
					row[i] = level
				}
			}
		}
	}
	return p
}

// Blocks that are lost all over the picture are nobody, though no fault is
// declared.
func TestLostBlocksAreNobody(t *testing.T) {
	p := newPatrol(t, 10*time.Second, closedArea)
	p.show(time.Minute)
	for i := range 5 {
		p.see(lose(p.s.shoot(), 30, i))
		if p.fault() != detect.SceneOK {
			t.Fatalf("blocks are lost: %+v, %s", p.last.Scene, p.w.Measures())
		}
	}
	p.want("")
	p.see(p.s.shoot(person(0.7, 0.5)))
	p.see(p.s.shoot(person(0.7, 0.5)))
	p.want("yard/begin ")
}

// What all at once looks different all over is held back for some pictures,
// and then is what there is to see.
func TestHeldBackForSomePictures(t *testing.T) {
	p := newPatrol(t, 10*time.Second)
	p.show(time.Minute)
	held := 0
	for range 10 {
		p.see(lose(p.s.shoot(), 30, held))
		if _, judged := p.last.Stages["motion"]; judged {
			break
		}
		held++
	}
	if held != 5 {
		t.Errorf("%d pictures are held back, want 5: %+v, %s", held, p.last.Scene, p.w.Measures())
	}
}

// The first pictures in which much is lost but nothing displaced do not end a
// torn stream.
func TestTornUntilWhole(t *testing.T) {
	p := newPatrol(t, 10*time.Second, closedArea)
	p.show(time.Minute)
	seed := 0
	p.until(detect.SceneTorn, 3, func() detect.Picture { seed++; return tear(p.s.shoot(), seed) })
	for i := range 5 {
		p.see(lose(p.s.shoot(), 30, i))
		if p.fault() != detect.SceneTorn {
			t.Fatalf("blocks are lost for %d samples: %+v, %s", i+1, p.last.Scene, p.w.Measures())
		}
	}
	p.until(detect.SceneOK, 2, func() detect.Picture { return p.s.shoot() })
	p.want("")
}

// defocus blurs a picture.
func defocus(p detect.Picture) detect.Picture {
	w, h := p.Y.Width, p.Y.Height
	for range 3 {
		from := bytes.Clone(p.Y.Pix)
		for y := range h {
			for x := range w {
				sum, n := 0, 0
				for j := max(y-4, 0); j <= min(y+4, h-1); j += 2 {
					for i := max(x-4, 0); i <= min(x+4, w-1); i += 2 {
						sum, n = sum+int(from[j*w+i]), n+1
					}
				}
				p.Y.Pix[y*w+x] = byte(sum/n + (x*7+y*13)%3)
			}
		}
	}
	return p
}

// While a picture may be blurred the rules go on, but the ground is not
// learned of it: else a lamp would seem to have come when it is sharp again.
func TestABlurIsNotLearned(t *testing.T) {
	p := newPatrol(t, 10*time.Second, fireLane)
	for y := range 32 {
		for x := range 32 { // a lamp
			p.s.ground[(200+y)*p.s.w+150+x] = 400
		}
	}
	p.show(2 * time.Minute)
	p.until(detect.SceneBlurred, 4, func() detect.Picture { return defocus(p.s.shoot()) })
	p.until(detect.SceneOK, 2, func() detect.Picture { return p.s.shoot() })
	p.show(5 * time.Minute)
	p.want("")
}

// A camera that turns between presets sees each zone from its own: what the
// second preset shows is learned after a while, across a restart, and known
// again at once.
func TestPresets(t *testing.T) {
	far := closedArea
	far.ID, far.View = "far", 2
	p := newPatrol(t, 10*time.Second, closedArea, far)
	home := func() detect.Picture { return p.s.shoot() }
	away := func(a ...actor) func() detect.Picture {
		return func() detect.Picture { return displace(p.s.shoot(a...), 0.13) }
	}
	for range 10 {
		p.see(home())
	}
	for range 80 { // 10 min until it is a place, and some to learn it
		p.see(away()())
	}
	if s := p.last.Scene; s.Fault != detect.SceneOK || s.Preset != 2 {
		t.Fatalf("the second preset is not known: %+v, %s", s, p.w.Measures())
	}
	p.see(away(person(0.9, 0.5))())
	p.see(away(person(0.85, 0.5))())
	p.want("far/begin ")
	p.reborn(true)
	if n := len(p.w.Views()); n != 2 {
		t.Fatalf("%d views survive a restart, want 2", n)
	}
	p.until(detect.SceneOK, 3, home)
	if p.last.Scene.Preset != 1 {
		t.Fatalf("home is not known again: %+v", p.last.Scene)
	}
	for range 10 {
		p.see(home())
	}
	p.want("far/begin ") // nobody has seen it end
}

// Zones drawn anew on a moved camera are drawn on what it sees now.
func TestRedrawnZonesAcceptTheView(t *testing.T) {
	p := newPatrol(t, 10*time.Second, closedArea)
	p.show(time.Minute)
	away := func() detect.Picture { return displace(p.s.shoot(), 0.13) }
	p.until(detect.SceneMoved, 3, away)
	c := p.o.Config
	c.Zones = []inventory.Zone{{ID: "yard", Kind: closedArea.Kind, Area: rect(0.2, 0.3, 0.7, 1)}}
	if err := p.w.Configure(c); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		p.see(away())
		if p.fault() != detect.SceneOK {
			t.Fatalf("%+v", p.last.Scene)
		}
	}
	p.see(displace(p.s.shoot(person(0.6, 0.5)), 0.13))
	p.want("yard/begin ")
}

// Day, night and infrared each have their own view, learned when first seen.
func TestEachLightHasItsView(t *testing.T) {
	p := newPatrol(t, 10*time.Second, closedArea)
	coloured := func() detect.Picture {
		pic := p.s.shoot()
		pic.Cb = plane(176, 144, func(x, y int) float64 { return 128 + float64((x/8+y/8)%3*8-8) })
		return pic
	}
	for _, l := range []struct {
		light detect.Light
		gain  float64
		shoot func() detect.Picture
	}{
		{detect.LightDay, 1, coloured},
		{detect.LightNight, 0.25, coloured},
		{detect.LightInfrared, 0.6, func() detect.Picture { return p.s.shoot() }},
		{detect.LightDay, 1, coloured},
	} {
		p.s.light = l.gain
		for range 8 {
			p.see(l.shoot())
			if s := p.last.Scene; s.Fault != detect.SceneOK || s.Light != l.light {
				t.Fatalf("%s: %+v, %s", l.light, s, p.w.Measures())
			}
		}
	}
	if v := p.w.Views(); len(v) != 3 {
		t.Fatalf("%d views, want one for each light: %+v", len(v), v)
	}
	p.want("")
}

// What a watch learned of views stays below 24 kB, whatever the camera does.
func TestViewsAreBounded(t *testing.T) {
	p := newPatrol(t, time.Minute, closedArea)
	p.o.Config.Zones = nil
	p.restart()
	p.show(10 * time.Minute)
	for seed := range uint64(9) {
		boxes := rand.New(rand.NewPCG(seed, 7))
		for range 40 { // another scene altogether
			x0, y0, v := boxes.IntN(352), boxes.IntN(288), 30+180*boxes.Float64()
			for y := y0; y < min(y0+60, 288); y++ {
				for x := x0; x < min(x0+60, 352); x++ {
					p.s.ground[y*352+x] = v
				}
			}
		}
		for range 20 {
			p.see(p.s.shoot())
		}
	}
	notes, err := json.Marshal(p.w.Views())
	if err != nil {
		t.Fatal(err)
	}
	n := len(p.w.Views())
	if n < 4 || n > 6 {
		t.Errorf("%d views", n)
	}
	const ground = 2*156*127 + 2*52*42 // luma and deviations, and colour
	if size := len(p.w.Checkpoint()) - ground; size > 24<<10 {
		t.Errorf("%d bytes beside the ground, %d of them notes of views", size, len(notes))
	}
}

// A checkpoint of before there were views is still good: they are learned.
func TestACheckpointWithoutViews(t *testing.T) {
	p := newPatrol(t, 5*time.Second, closedArea)
	p.show(time.Minute)
	notes, planes := detect.OpenCheckpoint(p.w.Checkpoint())
	for _, k := range []string{"views", "at", "preset", "hue"} {
		delete(notes, k)
	}
	notes["health"] = map[string]any{"hash": 17, "same": 1}
	head, err := json.Marshal(notes)
	if err != nil {
		t.Fatal(err)
	}
	const ground = 2 * 156 * 127
	p.restart()
	if err := p.w.Restore(detect.FrameCheckpoint(head, planes[len(planes)-ground:])); err != nil {
		t.Fatal(err)
	}
	p.show(30 * time.Second)
	if len(p.w.Views()) != 1 || p.fault() != detect.SceneOK {
		t.Fatalf("%+v, %d views", p.last.Scene, len(p.w.Views()))
	}
}

// A fault survives a restart with its beginning.
func TestAFaultSurvivesARestart(t *testing.T) {
	p := newPatrol(t, 10*time.Second, closedArea)
	p.show(time.Minute)
	away := func() detect.Picture { return displace(p.s.shoot(), 0.13) }
	p.until(detect.SceneMoved, 3, away)
	since := p.last.Scene.Since
	p.reborn(true)
	p.see(away())
	if s := p.last.Scene; s.Fault != detect.SceneMoved || !s.Since.Equal(since) {
		t.Fatalf("%+v, want moved since %v", s, since)
	}
}
