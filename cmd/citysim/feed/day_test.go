package feed_test

import (
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"videopatrol/cmd/citysim/feed"
	"videopatrol/cmd/citysim/scene"
	"videopatrol/detect"
	"videopatrol/inventory"
)

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		o    feed.Options
		want string
	}{
		"no scene":      {feed.Options{}, "scene"},
		"other kind":    {feed.Options{Scene: scene.Street, Happen: []string{"intrusion"}}, "intrusion cannot happen on a street"},
		"odd size":      {feed.Options{Scene: scene.Street, Width: 350, Height: 288}, "350"},
		"no weather":    {feed.Options{Scene: scene.Street, Weather: "hail"}, "hail"},
		"negative time": {feed.Options{Scene: scene.Street, Interval: -1}, "negative"},
	} {
		if _, err := feed.New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want something about %q", name, err, c.want)
		}
	}
}

// sums returns a number for each of a day's pictures.
func sums(d *feed.Day) []uint64 {
	seed := fixedSeed
	var all []uint64
	for _, p := range d.Samples() {
		all = append(all, maphash.Bytes(seed, slices.Concat(p.Y.Pix, p.Cb.Pix, p.Cr.Pix)))
	}
	return all
}

var fixedSeed = maphash.MakeSeed()

// A seed is a day, and another one another day; no two samples of it are
// alike but for a frozen camera's.
func TestDaysRepeatAndSamplesDoNot(t *testing.T) {
	for _, kind := range scene.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			o := feed.Options{Scene: kind, Seed: 11, Begin: noon.Add(7 * time.Hour), Interval: 15 * time.Second, Length: 8 * time.Minute}
			one := sums(day(t, o))
			if again := sums(day(t, o)); !slices.Equal(one, again) {
				t.Error("one seed drew two days")
			}
			o.Seed++
			other := sums(day(t, o))
			seen := map[uint64]bool{}
			for _, s := range append(one, other...) {
				if seen[s] {
					t.Error("two samples are alike")
				}
				seen[s] = true
			}
		})
	}
}

// A day and its pictures fit what detect takes.
func TestPicturesAndZonesAreUsable(t *testing.T) {
	for _, kind := range scene.Kinds() {
		for seed := range uint64(25) {
			d := day(t, feed.Options{Scene: kind, Seed: seed, Length: time.Second, Width: 176, Height: 144})
			if seed == 0 { // one camera's pictures are like another's
				for _, p := range d.Samples() {
					if err := p.Check(); err != nil {
						t.Fatal(err)
					}
				}
			}
			c := d.Camera()
			if len(c.Zones) == 0 || c.ID == "" || c.TimeZone == "" {
				t.Fatalf("%s %d: %+v", kind, seed, c)
			}
			for _, z := range c.Zones {
				area := 0.0
				for i, p := range z.Area {
					q := z.Area[(i+1)%len(z.Area)]
					area += p.X*q.Y - q.X*p.Y
					if p.X < 0 || p.X > 1 || p.Y < 0 || p.Y > 1 {
						t.Fatalf("%s %d: zone %s: %v lies outside the picture", kind, seed, z.ID, p)
					}
				}
				if area = max(area, -area) / 2; area < 0.02 || area > 0.65 {
					t.Errorf("%s %d: zone %s covers %.3f of the picture", kind, seed, z.ID, area)
				}
			}
		}
	}
}

// pair are two drawings of the same moment of the same camera: with what
// happens, and without.
func pairs(t *testing.T, o feed.Options, see func(at time.Time, with, without detect.Picture)) {
	t.Helper()
	quiet := o
	quiet.Happen = nil
	next, stop := iter.Pull2(day(t, quiet).Samples())
	defer stop()
	for at, with := range day(t, o).Samples() {
		_, without, _ := next()
		see(at, with, without)
	}
}

// differs is the share of a zone, or of the picture, whose luma or colour is
// clearly another one.
func differs(a, b detect.Picture, zone inventory.Polygon) float64 {
	strong, n := 0, 0
	w, h := a.Y.Width, a.Y.Height
	for y := 0; y < h; y += 2 {
		for x := 0; x < w; x += 2 {
			if zone != nil && !zone.Contains(inventory.Point{X: (float64(x) + 1) / float64(w), Y: (float64(y) + 1) / float64(h)}) {
				continue
			}
			n++
			i, j := y*w+x, y/2*(w/2)+x/2
			luma := 0
			for _, k := range []int{i, i + 1, i + w, i + w + 1} { // averages noise away
				luma += int(a.Y.Pix[k]) - int(b.Y.Pix[k])
			}
			cb, cr := int(a.Cb.Pix[j])-int(b.Cb.Pix[j]), int(a.Cr.Pix[j])-int(b.Cr.Pix[j])
			if luma > 60 || luma < -60 || cb*cb+cr*cr > 300 {
				strong++
			}
		}
	}
	return float64(strong) / float64(max(n, 1))
}

// TestHappeningsShow compares each day with the same day on which nothing
// happens. What happens can be seen in its zone in every sample from begin to
// end; a minute before, and once all have left, the zone is as on a quiet day.
func TestHappeningsShow(t *testing.T) {
	for _, kind := range scene.Kinds() {
		for _, what := range findings(kind) {
			t.Run(string(kind)+"/"+what, func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(2) {
					show(t, kind, what, seed)
				}
			})
		}
	}
}

// findings are the kinds of a scene that are no faults.
func findings(kind scene.Kind) []string {
	return slices.DeleteFunc(feed.Kinds(kind), func(k string) bool { return slices.Contains(feed.Faults(), k) })
}

func show(t *testing.T, kind scene.Kind, what string, seed uint64) {
	t.Helper()
	o := feed.Options{
		Scene: kind, Seed: seed, Begin: noon.Add(time.Duration(seed%2) * 10 * time.Hour), Interval: 12 * time.Second, Length: 13 * time.Minute,
		Happen: []string{what}, Every: 2 * time.Minute, Hold: 2 * time.Minute, Weather: feed.Clear,
	}
	d := day(t, o)
	all := d.Happenings()
	if len(all) == 0 {
		t.Fatal("nothing happens")
	}
	var zone inventory.Polygon
	for _, z := range d.Camera().Zones {
		if z.ID == all[0].Zone {
			zone = z.Area
		}
	}
	least, most := 1.0, 0.0
	pairs(t, o, func(at time.Time, with, without detect.Picture) {
		during, near := false, false
		for _, h := range all {
			during = during || !at.Before(h.Begin.Add(time.Second)) && at.Before(h.End)
			near = near || at.After(h.Begin.Add(-40*time.Second)) && at.Before(h.End.Add(time.Minute))
		}
		switch v := differs(with, without, zone); {
		case during:
			least = min(least, v)
		case !near:
			most = max(most, v)
		}
	})
	if most > 0.1 {
		t.Errorf("seed %d: %.4f of the zone differs though nothing happens", seed, most)
	}
	t.Logf("seed %d: %.4f of the zone at least while it happens, %.4f at most when nothing does", seed, least, most)
	if least < 0.001 {
		t.Errorf("seed %d: only %.4f of the zone shows it", seed, least)
	}
}

// TestFaultsShow wants each fault to change the whole picture, for as long as
// it lasts and no longer.
func TestFaultsShow(t *testing.T) {
	for _, what := range feed.Faults() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			o := feed.Options{
				Scene: scene.Plaza, Seed: 8, Begin: noon, Interval: 14 * time.Second, Length: 30 * time.Minute,
				Happen: []string{what}, Every: 2 * time.Minute,
			}
			all := day(t, o).Happenings()
			if len(all) < 2 {
				t.Fatalf("it happens %d times", len(all))
			}
			last, repeats := uint64(0), 0
			pairs(t, o, func(at time.Time, with, without detect.Picture) {
				during, fresh := false, false
				for _, h := range all {
					during = during || !at.Before(h.Begin) && at.Before(h.End)
					fresh = fresh || !at.Before(h.End) && at.Before(h.End.Add(40*time.Second))
				}
				mean, v := luma(with), differs(with, without, nil)
				sum := maphash.Bytes(fixedSeed, with.Y.Pix[with.Y.Width*20:]) // less the clock
				same := sum == last
				last = sum
				if same {
					repeats++
				}
				switch {
				case !during && same:
					t.Errorf("%v: the picture before came again", at)
				case what == feed.Frozen || what == feed.Moved: // the exposure may rest elsewhere afterwards
				case !during && !fresh && v > 0.2:
					t.Errorf("%v: %.2f of the picture differs though nothing happens", at, v)
				case !during:
				case what == feed.Dark && mean > 12, what == feed.Bright && mean < 225:
					t.Errorf("%v: mean luma %.1f", at, mean)
				case what == feed.Blurred:
				case v < 0.05:
					t.Errorf("%v: only %.2f of the picture differs", at, v)
				}
			})
			if (repeats > 0) != (what == feed.Frozen) {
				t.Errorf("%d pictures came again", repeats)
			}
		})
	}
}

func luma(p detect.Picture) float64 {
	sum := 0
	for _, y := range p.Y.Pix {
		sum += int(y)
	}
	return float64(sum) / float64(len(p.Y.Pix))
}
