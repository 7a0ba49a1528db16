package look_test

import (
	"cmp"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"videopatrol/cmd/citysim/city"
	"videopatrol/cmd/citysim/play"
	"videopatrol/cmd/citysim/scene"
	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/streams"
)

// event is something true of a film.
type event struct {
	kind       play.Kind
	begin, end time.Time
}

func (e event) fault() bool { return e.kind != play.FireLaneBlocked && e.kind != play.Intrusion }

// shot is one key unit of a film.
type shot struct {
	at   time.Time
	unit streams.Unit
}

// film is what one camera shows, and what is true of it.
type film struct {
	camera inventory.Camera
	scene  *scene.Scene
	shots  []shot
	truth  []event // by begin
}

var midnight = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return midnight.Add(time.Duration(seconds) * time.Second) }

// Of a film, in seconds. The gap between happenings is longer where looks are
// rare: an end takes two of them.
const (
	filmLength = 1790
	longBegins = 930 // the happening during which faults come and go
)

// script is what happens before a camera, with so many seconds between one
// happening's end and the next one's begin.
func script(index, gap int) []play.Row {
	kind := play.FireLaneBlocked
	if city.SceneKind(index) == scene.Gate {
		kind = play.Intrusion
	}
	row := func(k play.Kind, after, lasts int) play.Row {
		return play.Row{
			Camera: strconv.Itoa(index), Kind: k,
			After: play.Duration(time.Duration(after) * time.Second), For: play.Duration(time.Duration(lasts) * time.Second),
		}
	}
	return []play.Row{
		row(kind, 180, 60), row(kind, 240+gap, 60), row(kind, 300+2*gap, 60),
		row(play.Frozen, 480, 100), row(play.Covered, 660, 70), row(play.Dark, 810, 70),
		row(kind, longBegins, 330), row(kind, 1350, 120), row(kind, 1600, 110),
	}
}

// overlays are faults on top of what happens: three during one happening, one
// in which the next one ends, and one in which the last one begins.
func overlays() []event {
	return []event{
		{play.Covered, at(1040), at(1080)},
		{play.Frozen, at(1110), at(1170)},
		{play.Dark, at(1210), at(1250)},
		{play.Dark, at(1430), at(1500)},
		{play.Covered, at(1590), at(1640)},
	}
}

// shoot makes the film of a city's camera.
func shoot(t *testing.T, library *play.Library, seed uint64, index, gap int) film {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: scenes cannot be encoded (deploy/setup.sh installs it)")
	}
	o := city.Options{Seed: seed, Cameras: index + 1, Listen: "127.0.0.1:8554"}
	laid, err := city.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ledger := play.NewLedger(nil)
	server, err := play.New(play.Options{
		Seed: seed, Cameras: index + 1, Listen: o.Listen, Username: "u", Password: "p",
		Rows: script(index, gap), Ledger: ledger, Library: library, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	projector, err := server.Project(t.Context(), index, midnight)
	if err != nil {
		t.Fatal(err)
	}
	kind, look := city.SceneKind(index), city.SceneSeed(seed, index)
	takes, err := library.Scene(t.Context(), kind, look, scene.Covered, scene.Dark)
	if err != nil {
		t.Fatal(err)
	}
	f := film{camera: laid.Cameras[index], scene: scene.New(kind, look), truth: overlays()}
	var stuck *play.KeyUnit
	for n := 0; ; n++ {
		k := projector.Next()
		if k.At.After(at(filmLength)) {
			break
		}
		kind := play.Kind("")
		for _, o := range overlays() {
			if !k.At.Before(o.begin) && k.At.Before(o.end) {
				kind = o.kind
			}
		}
		switch kind {
		case play.Frozen:
			if stuck == nil {
				stuck = &k
			}
			k.GOP, k.PPS = stuck.GOP, stuck.PPS
		case play.Covered, play.Dark:
			k.GOP = takes[scene.Take(kind)][n%3]
			if k.PPS, err = k.GOP.Vary(n); err != nil {
				t.Fatal(err)
			}
		default:
		}
		f.shots = append(f.shots, shot{k.At, streams.Unit{
			Codec: streams.CodecH264, Params: [][]byte{k.GOP.SPS, k.PPS}, NALUs: [][]byte{k.GOP.Units[0]},
		}})
	}
	for _, e := range ledger.Entries() {
		f.truth = append(f.truth, event{e.Kind, e.Begin, e.End})
	}
	slices.SortFunc(f.truth, func(a, b event) int { return a.begin.Compare(b.begin) })
	return f
}

// patrol is how a film is looked at.
type patrol struct {
	interval time.Duration
	mode     mode
	pictures string // folder for a picture of each begin and each fault, or ""
}

// mode is what befalls the watch.
type mode string

const (
	steady   mode = "steady"
	restored mode = "restored" // by its checkpoint, again and again
	crashed  mode = "crashed"  // an older checkpoint is restored now and then
	cold     mode = "cold"     // once, during a happening, all is forgotten but the record
	masked   mode = "masked"   // a mask cuts into the zone, another hides a window
)

// savedEvery is how many samples a checkpoint may be old in a crash.
const savedEvery = 8

// told is what came of a film.
type told struct {
	findings []detect.Finding // begins and ends
	faults   []event          // as seen: from the sample that told to the one that told of its end
	samples  int
}

// lens spares the stills' encoding.
type lens struct{ detect.Imaging }

func (lens) JPEG(detect.Picture, int) ([]byte, error) { return []byte{0xff}, nil }

// projection is one film being looked at.
type projection struct {
	film
	patrol
	imaging detect.Imaging
	random  *rand.Rand
	watch   *detect.Watch
	running []detect.Condition
	saved   []byte
	forgot  bool
	out     told
	seen    detect.Fault
}

func (p *projection) config() detect.Config {
	c := detect.Config{
		Camera: p.camera.ID, Zones: p.camera.Zones, Masks: p.camera.Masks, Interval: p.interval, TimeZone: "Asia/Shanghai",
		Running: p.running,
	}
	if p.mode == masked {
		// The near left corner of the zone: a tenth of it or so.
		z := p.camera.Zones[0].Area
		mix := func(a, b inventory.Point, k float64) inventory.Point {
			return inventory.Point{X: a.X + (b.X-a.X)*k, Y: a.Y + (b.Y-a.Y)*k}
		}
		corner := inventory.Polygon{z[0], mix(z[0], z[1], 0.3), mix(z[0], z[len(z)-1], 0.3)}
		c.Masks = []inventory.Polygon{p.scene.PrivacyMask(), corner}
	}
	return c
}

// restart replaces the watch by one that knows the record and a checkpoint.
func (p *projection) restart(t *testing.T, checkpoint []byte) {
	t.Helper()
	w, err := detect.NewWatch(detect.WatchOptions{Config: p.config(), Imaging: p.imaging})
	if err != nil {
		t.Fatal(err)
	}
	if checkpoint != nil {
		if err := w.Restore(checkpoint); err != nil {
			t.Fatal(err)
		}
	}
	p.watch = w
}

// befall does to the watch what the mode says, before the next sample.
func (p *projection) befall(t *testing.T, now time.Time) {
	t.Helper()
	switch {
	case p.mode == restored && p.random.IntN(4) == 0:
		p.restart(t, p.watch.Checkpoint())
	case p.mode == crashed && p.random.IntN(15) == 0 && p.saved != nil:
		p.restart(t, p.saved)
	case p.mode == cold && !p.forgot && now.After(at(longBegins+60)) && len(p.running) > 0:
		p.forgot = true
		p.restart(t, nil)
	}
}

// watchFilm looks at a film as a patrol does: at the first key unit at or
// after each due time.
func watchFilm(t *testing.T, f film, o patrol, decoder detect.Decoder, imaging detect.Imaging) told {
	t.Helper()
	p := &projection{film: f, patrol: o, imaging: lens{imaging}}
	seed := f.scene.Zone()[0].X * 1e9
	p.random = rand.New(rand.NewPCG(uint64(seed), uint64(o.interval)+uint64(len(o.mode))))
	p.restart(t, nil)
	phase := time.Duration(p.random.Int64N(int64(o.interval)))
	due := midnight.Add(phase)
	for _, s := range f.shots {
		// Pictures arrive some milliseconds early or late.
		now := s.at.Add(time.Duration(p.random.IntN(40)-10) * time.Millisecond)
		if now.Before(due) {
			continue
		}
		due = due.Add((now.Sub(due)/o.interval + 1) * o.interval)
		p.befall(t, now)
		picture, err := decoder.Glance(s.unit)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.watch.See(picture, now)
		if err != nil {
			t.Fatal(err)
		}
		p.note(t, r, picture)
	}
	return p.out
}

// note keeps what a result tells, and the record.
func (p *projection) note(t *testing.T, r detect.Result, picture detect.Picture) {
	t.Helper()
	p.out.samples++
	if r.Scene.Fault != p.seen {
		if p.seen != "" {
			p.out.faults[len(p.out.faults)-1].end = r.Received
		}
		if r.Scene.Fault != "" {
			p.out.faults = append(p.out.faults, event{kind: play.Kind(r.Scene.Fault), begin: r.Received})
		}
		p.seen = r.Scene.Fault
		p.draw(t, "fault-"+cmp.Or(string(p.seen), "ok"), r.Received, picture, nil)
	}
	fresh := p.out.samples%savedEvery == 0
	for _, f := range r.Findings {
		if f.Phase == detect.PhaseContinue {
			continue
		}
		p.out.findings = append(p.out.findings, f)
		p.draw(t, string(f.Phase), r.Received, picture, f.Boxes)
		fresh = true
		if p.running = nil; f.Phase == detect.PhaseBegin {
			p.running = []detect.Condition{{Key: f.Key(), Kind: f.Kind, Began: f.Began}}
		}
	}
	if fresh {
		p.saved = p.watch.Checkpoint()
	}
}
