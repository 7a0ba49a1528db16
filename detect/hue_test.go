//go:build cgo

package detect_test

import (
	"runtime"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/opencv"
	"videopatrol/inventory"
)

// tinge gives a picture a scene's colours: a red house, yellow paint on the
// street and a green hedge, as vivid as keep says and with a cast; and a
// rectangle of one colour, whose luma is the street's own.
type tinge struct {
	keep     float64
	cast     [2]float64
	box      inventory.Polygon
	boxColor [2]float64
}

func (c tinge) on(p detect.Picture) detect.Picture {
	in := func(a inventory.Polygon, x, y float64) bool {
		return len(a) > 0 && x >= a[0].X && x < a[2].X && y >= a[0].Y && y < a[2].Y
	}
	for k, pl := range []detect.Plane{p.Cb, p.Cr} {
		for y := range pl.Height {
			row := pl.Row(y)
			for x := range row {
				fx, fy := float64(x)/float64(pl.Width), float64(y)/float64(pl.Height)
				v := [2]float64{}
				switch {
				case in(c.box, fx, fy):
					v = c.boxColor
				case fy < 0.35 && fx < 0.4:
					v = [2]float64{-14, 30}
				case fx > 0.45 && fx < 0.52:
					v = [2]float64{-40, 12}
				case fx < 0.1:
					v = [2]float64{-15, -18}
				}
				row[x] = byte(128 + c.keep*v[k] + c.cast[k])
			}
		}
	}
	return p
}

var (
	plain  = tinge{keep: 1}
	jacket = tinge{keep: 1, box: rect(0.7, 0.55, 0.75, 0.75), boxColor: [2]float64{-10, -30}}
)

// parade shows the street in such colours for a while.
func (p *patrol) parade(d time.Duration, c tinge) {
	p.t.Helper()
	for end := p.now.Add(max(d, p.interval)); p.now.Before(end); {
		p.see(c.on(p.s.shoot()))
	}
}

// What has the luma of what is behind it is told by its colour.
func TestColourTellsWhatLumaDoesNot(t *testing.T) {
	p := newPatrol(t, 5*time.Second, closedArea)
	p.parade(time.Minute, plain)
	p.parade(15*time.Second, jacket)
	p.want("yard/begin ")
	p.parade(time.Minute, plain)
	p.want("yard/begin yard/end ")
}

// A bag that only its colour tells stands until it is taken, over a restart too.
func TestAColouredThingStands(t *testing.T) {
	p := newPatrol(t, 5*time.Second, fireLane)
	bag := tinge{keep: 1, box: rect(0.55, 0.6, 0.8, 0.75), boxColor: [2]float64{-45, 15}}
	p.parade(time.Minute, plain)
	p.parade(10*time.Minute, bag)
	p.want("lane/begin ")
	p.reborn(true)
	p.parade(5*time.Minute, bag)
	p.want("lane/begin ")
	p.parade(time.Minute, plain)
	p.want("lane/begin lane/end ")
}

// Another white balance, dusk, clouds that make colours paler, infrared and the
// colours that are back after it are no evidence.
func TestColourOfTheWholeIsNoEvidence(t *testing.T) {
	for name, light := range map[string]tinge{
		"a cast": {keep: 1, cast: [2]float64{-12, 9}}, "dusk": {keep: 0.65, cast: [2]float64{-6, 4}}, "infrared": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			p := newPatrol(t, 5*time.Second, closedArea, fireLane)
			p.parade(time.Minute, plain)
			for range 3 {
				p.parade(2*time.Minute, light)
				p.parade(2*time.Minute, plain)
			}
			p.want("")
			p = newPatrol(t, 5*time.Second, closedArea, fireLane)
			p.parade(2*time.Minute, light)
			p.parade(2*time.Minute, plain)
			p.want("")
		})
	}
	t.Run("shade", func(t *testing.T) {
		t.Helper()
		p := newPatrol(t, 5*time.Second, closedArea, fireLane)
		p.parade(time.Minute, plain)
		paint := tinge{keep: 1, box: rect(0.45, 0.5, 0.52, 0.9), boxColor: [2]float64{-22, 7}} // paler there
		p.parade(2*time.Minute, paint)
		p.want("")
	})
}

// What lies under a privacy mask has no colour.
func TestColourUnderAMaskIsNotSeen(t *testing.T) {
	p := newPatrol(t, 5*time.Second, closedArea)
	p.o.Config.Masks = []inventory.Polygon{rect(0.65, 0.5, 0.8, 0.8)}
	p.restart()
	p.parade(time.Minute, plain)
	p.parade(time.Minute, jacket)
	p.want("")
}

// A watched camera takes at most 128 kB, all that it may remember included.
func TestAWatchTakesLittleMemory(t *testing.T) {
	im := opencv.New()
	defer im.Close()
	s := newStudio(704, 576)
	var pics []detect.Picture
	for range 8 {
		pics = append(pics, plain.on(s.shoot()))
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // the first one keeps what pools hold
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	yard := inventory.Zone{ID: "fire", Kind: inventory.ZoneFireWatch, Area: rect(0, 0, 1, 1)}
	watch := func() *detect.Watch {
		w, err := detect.NewWatch(detect.WatchOptions{
			Config: detect.Config{Camera: "cam", Zones: []inventory.Zone{closedArea, fireLane, yard}}, Imaging: im,
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, pic := range pics {
			if _, err := w.See(pic, midnight.Add(time.Duration(i)*5*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		return w
	}
	watch() // fills the pools
	const many = 20
	watches := make([]*detect.Watch, many)
	before := heap()
	for i := range watches {
		watches[i] = watch()
	}
	each := (heap() - before) / many
	runtime.KeepAlive(watches)
	runtime.KeepAlive(pics)
	const views = 6 * 3200 // the most that it may learn
	t.Logf("%d bytes, and at most %d of views", each, views)
	if each+views > 128<<10 {
		t.Errorf("want at most 128 kB")
	}
}
