package look_test

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"videopatrol/cmd/citysim/city"
	"videopatrol/cmd/citysim/play"
	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/detect/opencv"
)

// gop is the time between key units.
const gop = 2 * time.Second

// within is how long two looks may take.
func within(interval time.Duration) time.Duration { return 2 * (interval + gop) }

// report is what is wrong with what was told of a film, and how late it was.
type report struct {
	wrong                     []string
	begins, ends, faults, oks []time.Duration
}

func (r *report) complain(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

func clock(t time.Time) string { return fmt.Sprintf("%.1fs", t.Sub(midnight).Seconds()) }

// judge compares what was told of a film with what is true.
func judge(f film, o patrol, got told) *report {
	r := &report{}
	if o.mode != crashed { // an old checkpoint tells of an old fault for a look or two
		r.judgeFaults(f, o, got)
	}
	r.judgeFindings(f, o, got)
	return r
}

func (r *report) judgeFaults(f film, o patrol, got told) {
	rest := got.faults
	for _, e := range f.truth {
		if !e.fault() {
			continue
		}
		declare := within(o.interval) + 2*time.Second
		if e.kind == play.Frozen {
			declare = 3*(o.interval+gop) + 10*time.Second
		}
		if len(rest) == 0 || rest[0].kind != e.kind || rest[0].begin.Before(e.begin) || !rest[0].begin.Before(e.end.Add(gop)) {
			r.complain("missed %s %s–%s", e.kind, clock(e.begin), clock(e.end))
			continue
		}
		s := rest[0]
		rest = rest[1:]
		late, over := s.begin.Sub(e.begin), s.end.Sub(e.end)
		r.faults, r.oks = append(r.faults, late), append(r.oks, over)
		if late > declare {
			r.complain("%s at %s told %v late", e.kind, clock(e.begin), late)
		}
		if s.end.IsZero() || over < 0 || over > within(o.interval)+2*time.Second {
			r.complain("%s ended at %s, told at %s", e.kind, clock(e.end), clock(s.end))
		}
	}
	for _, s := range rest {
		r.complain("told of %s %s–%s", s.kind, clock(s.begin), clock(s.end))
	}
}

// sound returns when the picture can be trusted again, if a fault runs at a
// time or soon after.
func (f film) sound(o patrol, from, to time.Time) (time.Time, bool) {
	back := within(o.interval) + 2*time.Second + o.interval + gop
	for _, e := range slices.Backward(f.truth) {
		if e.fault() && e.begin.Before(to) && e.end.Add(back).After(from) {
			return e.end.Add(back), true
		}
	}
	return from, false
}

func (r *report) judgeFindings(f film, o patrol, got told) {
	zone := f.camera.Zones[0]
	lost := time.Duration(0) // memory, in a crash
	if o.mode == crashed {
		lost = savedEvery * (o.interval + gop)
	}
	rest := got.findings
	take := func(phase detect.Phase) (detect.Finding, bool) {
		if len(rest) == 0 || rest[0].Phase != phase {
			return detect.Finding{}, false
		}
		n := rest[0]
		rest = rest[1:]
		if n.Zone != zone.ID || string(n.Kind) != string(f.kind()) {
			r.complain("%s of %s in zone %s, want %s in %s", phase, n.Kind, n.Zone, f.kind(), zone.ID)
		}
		return n, true
	}
	for _, e := range f.truth {
		if e.fault() {
			continue
		}
		since, troubled := f.sound(o, e.begin, e.begin.Add(zone.Dwell+within(o.interval)+2*time.Second))
		b, ok := take(detect.PhaseBegin)
		if !ok || b.At.After(e.end.Add(within(o.interval)+6*time.Second)) {
			r.complain("missed %s–%s", clock(e.begin), clock(e.end))
			if ok {
				rest = slices.Insert(rest, 0, b)
			}
			continue
		}
		late := b.At.Sub(since) - zone.Dwell
		if !troubled {
			r.begins = append(r.begins, late)
		}
		if late > within(o.interval)+2*time.Second+lost {
			r.complain("begin at %s told at %s", clock(e.begin), clock(b.At))
		}
		if early := e.begin.Add(zone.Dwell).Sub(b.At); early > 3*time.Second {
			r.complain("begin at %s told at %s already (began %s)", clock(e.begin), clock(b.At), clock(b.Began))
		}
		since, troubled = f.sound(o, e.end, e.end.Add(within(o.interval)+6*time.Second))
		n, ok := take(detect.PhaseEnd)
		if !ok {
			r.complain("no end at %s", clock(e.end))
			continue
		}
		if o.mode == cold && e.begin.Equal(f.long()) && f.kind() == play.Intrusion {
			// Whoever stands as if rooted where memory began is ground until he
			// moves: quiet ends it, and his leaving may be told as another one.
			if early := b.At.Add(3 * time.Minute).Sub(n.At); early > 0 {
				r.complain("end at %s told at %s, before 3 min of quiet", clock(e.end), clock(n.At))
			}
			for len(rest) > 0 && rest[0].At.Before(e.end.Add(within(o.interval)+6*time.Second)) {
				rest = rest[1:]
			}
			continue
		}
		late = n.At.Sub(since)
		if !troubled {
			r.ends = append(r.ends, late)
		}
		if late > within(o.interval)+6*time.Second+lost || n.At.Before(e.end) {
			r.complain("end at %s told at %s", clock(e.end), clock(n.At))
		}
	}
	for _, n := range rest {
		r.complain("told of %s at %s, began %s: %s", n.Phase, clock(n.At), clock(n.Began), n.Why.EN)
	}
}

func (f film) faults() int {
	n := 0
	for _, e := range f.truth {
		if e.fault() {
			n++
		}
	}
	return n
}

// long returns when the happening began during which faults come and go.
func (f film) long() time.Time {
	i := slices.IndexFunc(f.truth, func(e event) bool { return !e.fault() && e.begin.After(at(longBegins)) })
	return f.truth[i].begin
}

func (f film) kind() play.Kind {
	if f.camera.Zones[0].Kind == "fire_lane" {
		return play.FireLaneBlocked
	}
	return play.Intrusion
}

// number returns a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s=%s: want a number", name, s)
	}
	return n
}

// TestCityIsSeenAsItIs plays cameras through everything that can happen and
// wants what the ledger says, once each, in time, and nothing else. A short
// run looks at one camera of each kind. A long one:
//
//	LOOK_CAMERAS=60 [LOOK_FIRST=0] [LOOK_SEED=1] [LOOK_PICTURES=DIR] go test ./cmd/citysim/look -timeout 60m -v
func TestCityIsSeenAsItIs(t *testing.T) {
	long := os.Getenv("LOOK_CAMERAS") != ""
	cameras, seed := number(t, "LOOK_CAMERAS", 2), uint64(number(t, "LOOK_SEED", 1))
	first := number(t, "LOOK_FIRST", 0)
	dir := t.TempDir()
	if cache, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(cache, "citysim") // where citysim itself keeps them, by the renderer's version
	}
	library, err := play.NewLibrary(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := codec.New(codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(decoder.Close)
	imaging := opencv.New()
	t.Cleanup(func() { imaging.Close() })
	all, samples, happenings, faults := &report{}, 0, 0, 0
	for i := first; i < first+cameras; i++ {
		films := map[int]film{}
		for _, o := range plan(i, long) {
			o.pictures = os.Getenv("LOOK_PICTURES")
			gap := 30
			if long {
				gap = max(20, int((within(o.interval)+6*time.Second)/time.Second))
			}
			if _, ok := films[gap]; !ok {
				films[gap] = shoot(t, library, seed, i, gap)
			}
			f := films[gap]
			t.Run(fmt.Sprintf("%d-%s/%v/%s", i, city.SceneKind(i), o.interval, o.mode), func(t *testing.T) {
				got := watchFilm(t, f, o, decoder, imaging)
				r := judge(f, o, got)
				for _, w := range r.wrong {
					t.Error(w)
				}
				all.wrong = append(all.wrong, r.wrong...)
				all.begins, all.ends = append(all.begins, r.begins...), append(all.ends, r.ends...)
				all.faults, all.oks = append(all.faults, r.faults...), append(all.oks, r.oks...)
				samples += got.samples
				happenings += len(f.truth) - f.faults()
				faults += f.faults()
			})
		}
	}
	t.Logf("%d cameras, %d samples, %d happenings, %d faults, %d wrong", cameras, samples, happenings, faults, len(all.wrong))
	for name, d := range map[string][]time.Duration{"begin less dwell": all.begins, "end": all.ends, "fault": all.faults, "recovery": all.oks} {
		if len(d) > 0 {
			slices.Sort(d)
			t.Logf("%s: p50 %.1f s, p95 %.1f s, max %.1f s", name, d[len(d)/2].Seconds(), d[len(d)*19/20].Seconds(), d[len(d)-1].Seconds())
		}
	}
}

// plan is how a camera is looked at.
func plan(index int, long bool) []patrol {
	if !long {
		return []patrol{{interval: 5 * time.Second, mode: crashed}, {interval: 10 * time.Second, mode: restored}}
	}
	var out []patrol
	intervals := []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}
	for i, d := range intervals {
		if i > 0 || index%10 == 0 { // with a key unit every 2 s, 1 s is hardly another case
			out = append(out, patrol{interval: d, mode: steady})
		}
	}
	modes := []mode{restored, crashed, cold, masked}
	for i := range 2 {
		out = append(out, patrol{interval: intervals[1+(index/4+i)%3], mode: modes[(index/2+2*i)%4]})
	}
	return out
}

// draw writes a picture with the zone and boxes on it, to look at.
func (p *projection) draw(t *testing.T, what string, now time.Time, picture detect.Picture, boxes []detect.Box) {
	t.Helper()
	if p.pictures == "" {
		return
	}
	img := image.NewGray(image.Rect(0, 0, picture.Y.Width, picture.Y.Height))
	for y := range picture.Y.Height {
		copy(img.Pix[y*img.Stride:], picture.Y.Row(y))
	}
	dot := func(x, y float64) {
		img.SetGray(int(x*float64(img.Rect.Dx())), int(y*float64(img.Rect.Dy())), color.Gray{255})
	}
	line := func(ax, ay, bx, by float64) {
		for k := 0.0; k <= 1; k += 0.002 {
			dot(ax+(bx-ax)*k, ay+(by-ay)*k)
		}
	}
	z := p.camera.Zones[0].Area
	for i := range z {
		j := (i + 1) % len(z)
		line(z[i].X, z[i].Y, z[j].X, z[j].Y)
	}
	for _, b := range boxes {
		line(b.X, b.Y, b.X+b.W, b.Y)
		line(b.X, b.Y+b.H, b.X+b.W, b.Y+b.H)
		line(b.X, b.Y, b.X, b.Y+b.H)
		line(b.X+b.W, b.Y, b.X+b.W, b.Y+b.H)
	}
	name := fmt.Sprintf("%s-%v-%s-%06.1f-%s.png", p.camera.ID[14:], p.interval, p.mode, now.Sub(midnight).Seconds(), what)
	out, err := os.Create(filepath.Join(p.pictures, name))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := png.Encode(out, img); err != nil {
		t.Fatal(err)
	}
}
