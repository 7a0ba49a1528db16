//go:build cgo

package detect_test

import (
	"bufio"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/expr"
	"videopatrol/inventory"
)

// seed draws every street, noise and crowd of the stories anew.
var seed = flag.Uint64("seed", 7, "of the stories' noise, crowds and traffic")

// TestStories tells what happens in a street and wants exactly these begins
// and ends, at each of the story's intervals. A line is
//
//	every 2s 10s 60s                      the intervals; each is a run of its own
//	lasts 300s
//	zone ID KIND X0,Y0,X1,Y1 [dwell=D] [hours=H] [near=Y:H,Y:H] [preset=P] [NAME=VALUE]…
//	preset TEXT…                          a line of the site's own presets
//	model                                 a model sees what everybody is
//	FROM-TO car|person|bag|cat X,Y[>X,Y]  somebody, who may move or stand
//	FROM-TO thing X,Y,W,H LUMA            something
//	FROM-TO crowd N X0,Y0,X1,Y1           people who mill about
//	FROM-TO traffic N X0,Y0,X1,Y1         a stream of cars, N at a time, never one twice
//	FROM-TO light L | sway PIXELS | rain SHARE | shadow X0,Y0,X1,Y1 L | dark
//	FROM-TO flame S | smoke S             what the colours say of the zones
//	AT restart | lose                     with or without the memory
//	want ZONE/RULE begin|end AT [SLACK]   within SLACK and two intervals after AT
//
// and times are seconds. Whatever is told and not wanted fails the story.
func TestStories(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "stories", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			s := readStory(t, string(text))
			for _, d := range s.every {
				t.Run(d.String(), func(t *testing.T) { s.tell(t, d) })
			}
		})
	}
}

type story struct {
	every   []time.Duration
	lasts   time.Duration
	zones   []inventory.Zone
	presets string
	model   bool
	scenes  []scene
	wants   []want
}

// scene is one line of what happens.
type scene struct {
	line     string
	from, to time.Duration
	what     string
	args     []string
}

type want struct {
	line  string
	key   string
	phase detect.Phase
	at    time.Duration
	slack time.Duration
}

func readStory(t *testing.T, text string) story {
	t.Helper()
	s := story{every: []time.Duration{5 * time.Second}}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "every":
			s.every = nil
			for _, w := range words[1:] {
				s.every = append(s.every, span(t, w))
			}
		case "lasts":
			s.lasts = span(t, words[1])
		case "zone":
			s.zones = append(s.zones, readZone(t, words))
		case "preset":
			s.presets += strings.TrimPrefix(strings.TrimPrefix(line, "preset"), " ") + "\n"
		case "model":
			s.model = true
		case "want":
			w := want{line: line, key: words[1], phase: detect.Phase(words[2]), at: span(t, words[3])}
			if len(words) > 4 {
				w.slack = span(t, words[4])
			}
			s.wants = append(s.wants, w)
		default:
			from, to, _ := strings.Cut(words[0], "-")
			sc := scene{line: line, from: span(t, from), what: words[1], args: words[2:]}
			if sc.to = sc.from; to != "" {
				sc.to = span(t, to)
			}
			s.scenes = append(s.scenes, sc)
		}
	}
	return s
}

func span(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func numbers(t *testing.T, s string) []float64 {
	t.Helper()
	var out []float64
	for part := range strings.SplitSeq(s, ",") {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func readZone(t *testing.T, words []string) inventory.Zone {
	t.Helper()
	n := numbers(t, words[3])
	z := inventory.Zone{ID: words[1], Kind: inventory.ZoneKind(words[2]), Area: rect(n[0], n[1], n[2], n[3])}
	for _, w := range words[4:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "dwell":
			z.Dwell = span(t, value)
		case "preset":
			z.Preset = value
		case "hours":
			h, err := inventory.ParseHours(value)
			if err != nil {
				t.Fatal(err)
			}
			z.Hours = append(z.Hours, h)
		case "near":
			for ruler := range strings.SplitSeq(value, ",") {
				y, h, _ := strings.Cut(ruler, ":")
				z.Perspective = append(z.Perspective, inventory.Ruler{Y: numbers(t, y)[0], Height: numbers(t, h)[0]})
			}
		default:
			if z.Params == nil {
				z.Params = inventory.Params{}
			}
			z.Params[name] = value
		}
	}
	return z
}

// tell shows the story at one interval.
func (s story) tell(t *testing.T, interval time.Duration) {
	t.Helper()
	p := newPatrol(t, interval)
	p.s = newStudio(176, 144)
	p.s.rng = rand.New(rand.NewPCG(*seed, 2))
	p.s.noise /= 2 // as in a picture of twice the size that is reduced
	p.o.Config.Zones = s.zones
	presets, err := detect.DefaultPresets().Over([]byte(s.presets), expr.Check)
	if err != nil {
		t.Fatal(err)
	}
	if p.o.Config.Rules, err = presets.RulesOf(s.zones); err != nil {
		t.Fatal(err)
	}
	var sees []detect.Detection
	p.o.Compile = expr.Compile
	if s.model {
		p.o.Objects = finderFunc(func(detect.Picture, []detect.Box) ([]detect.Detection, bool) { return sees, true })
	}
	p.restart()
	var told []detect.Finding
	done := map[int]bool{}
	rng := rand.New(rand.NewPCG(*seed, uint64(interval)))
	for at := interval; at <= s.lasts; at += interval {
		stage := s.at(t, at, rng)
		sees = stage.sees
		for i, sc := range s.scenes {
			if (sc.what == "restart" || sc.what == "lose") && sc.from <= at && !done[i] {
				done[i] = true
				p.reborn(sc.what == "restart")
			}
		}
		detect.Burn(p.w, func(string, time.Time) (float64, float64) { return stage.flame, stage.smoke })
		p.s.light, p.s.sway = stage.light, stage.sway
		pic := p.s.shoot(stage.actors...)
		stage.spoil(pic, rng)
		for _, f := range p.see(pic) {
			if f.Phase != detect.PhaseContinue {
				told = append(told, f)
			}
			if f.Why.ZH == "" || f.Why.EN == "" || len(f.Why.ZH) > 500 || len(f.Why.EN) > 500 {
				t.Errorf("why: %q, %q", f.Why.ZH, f.Why.EN)
			}
		}
	}
	s.compare(t, p, told, interval)
}

func (s story) compare(t *testing.T, p *patrol, told []detect.Finding, interval time.Duration) {
	t.Helper()
	for _, w := range s.wants {
		least, most := midnight.Add(w.at), midnight.Add(w.at+w.slack+2*interval)
		i := slices.IndexFunc(told, func(f detect.Finding) bool {
			return f.Zone+"/"+f.Rule.ID == w.key && f.Phase == w.phase && !f.At.Before(least) && !f.At.After(most)
		})
		if i < 0 {
			t.Errorf("%s: not told from %s to %s; told:%s", w.line, least.Format(time.TimeOnly), most.Format(time.TimeOnly), p.list())
			continue
		}
		told = slices.Delete(told, i, i+1)
	}
	for _, f := range told {
		t.Errorf("not wanted: %s %s/%s %s: %s", f.At.Format(time.TimeOnly), f.Zone, f.Rule.ID, f.Phase, f.Why.EN)
	}
}

type finderFunc func(p detect.Picture, near []detect.Box) ([]detect.Detection, bool)

func (f finderFunc) Find(p detect.Picture, near []detect.Box) ([]detect.Detection, bool) {
	return f(p, near)
}

// moment is what the street looks like at one time.
type moment struct {
	actors       []actor
	sees         []detect.Detection
	light, sway  float64
	rain         float64
	shadow       []float64
	dark         bool
	flame, smoke float64
}

func (s story) at(t *testing.T, at time.Duration, rng *rand.Rand) moment {
	t.Helper()
	m := moment{light: 1}
	for _, sc := range s.scenes {
		if at < sc.from || at >= sc.to {
			continue
		}
		switch sc.what {
		case "car", "person", "bag", "cat":
			from, to, moves := strings.Cut(sc.args[0], ">")
			a := numbers(t, from)
			if moves {
				b := numbers(t, to)
				part := float64(at-sc.from) / float64(sc.to-sc.from)
				a = []float64{a[0] + (b[0]-a[0])*part, a[1] + (b[1]-a[1])*part}
			}
			m.add(sc.what, map[string]actor{
				"car": car(a[0], a[1]), "person": person(a[0], a[1]),
				"bag": {x: a[0], y: a[1], w: 0.06, h: 0.08, luma: 40},
				"cat": {x: a[0], y: a[1], w: 0.06, h: 0.06, luma: 220},
			}[sc.what])
		case "thing":
			a := numbers(t, sc.args[0])
			m.actors = append(m.actors, actor{x: a[0], y: a[1], w: a[2], h: a[3], luma: numbers(t, sc.args[1])[0]})
		case "crowd":
			a := numbers(t, sc.args[1])
			for range int(numbers(t, sc.args[0])[0]) {
				one := person(a[0]+(a[2]-a[0]-0.05)*rng.Float64(), a[1]+(a[3]-a[1]-0.2)*rng.Float64())
				one.luma = 20 + 210*math.Round(rng.Float64())
				m.add("person", one)
			}
		case "traffic":
			a := numbers(t, sc.args[1])
			for range int(numbers(t, sc.args[0])[0]) {
				one := car(a[0]+(a[2]-a[0]-0.2)*rng.Float64(), a[1]+(a[3]-a[1]-0.15)*rng.Float64())
				one.luma = []float64{20, 160}[rng.IntN(2)] + 60*rng.Float64()
				m.add("car", one)
			}
		case "light":
			m.light = numbers(t, sc.args[0])[0]
		case "sway":
			m.sway = numbers(t, sc.args[0])[0]
		case "rain":
			m.rain = numbers(t, sc.args[0])[0]
		case "shadow":
			m.shadow = append(numbers(t, sc.args[0]), numbers(t, sc.args[1])[0])
		case "dark":
			m.dark = true
		case "flame":
			m.flame = numbers(t, sc.args[0])[0]
		case "smoke":
			m.smoke = numbers(t, sc.args[0])[0]
		case "restart", "lose":
		default:
			t.Fatalf("%s: what is that?", sc.line)
		}
	}
	return m
}

func (m *moment) add(class string, a actor) {
	m.actors = append(m.actors, a)
	if class == "bag" {
		class = "suitcase"
	}
	m.sees = append(m.sees, detect.Detection{Class: class, Score: 0.8, Box: detect.Box{X: a.x, Y: a.y, W: a.w, H: a.h}})
}

// spoil lets weather and light change a picture.
func (m moment) spoil(p detect.Picture, rng *rand.Rand) {
	w, h := p.Y.Width, p.Y.Height
	if s := m.shadow; len(s) > 0 {
		for y := int(s[1] * float64(h)); y < int(s[3]*float64(h)); y++ {
			for x := int(s[0] * float64(w)); x < int(s[2]*float64(w)); x++ {
				v := float64(p.Y.Row(y)[x])
				p.Y.Row(y)[x] = byte(16 + (v-16)*s[4])
			}
		}
	}
	// A streak of 16 × 1.5 pixels of a sub-stream is reduced to four pixels of a
	// third of its contrast.
	for range int(m.rain * float64(w*h) / 4) {
		x, y := rng.IntN(w), rng.IntN(h-4)
		for i := range 4 {
			p.Y.Row(y + i)[x] = byte(min(235, int(p.Y.Row(y + i)[x])+25))
		}
	}
	if m.dark {
		for i := range p.Y.Pix {
			p.Y.Pix[i] = byte(17 + rng.IntN(2))
		}
	}
}
