//go:build cgo

package eval_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/eval"
	"videopatrol/detect/opencv"
	"videopatrol/inventory"
)

// yard draws a textured yard; a dark figure stands in it where inside says so,
// and it is night where dark says so.
func yard(samples int, interval time.Duration, inside, dark func(second float64) bool) func(context.Context) iter.Seq2[eval.Sample, error] {
	const w, h = 160, 120
	return func(context.Context) iter.Seq2[eval.Sample, error] {
		return func(yield func(eval.Sample, error) bool) {
			r := rand.New(rand.NewPCG(1, 2))
			grey := func() detect.Plane {
				return detect.Plane{Pix: bytes.Repeat([]byte{128}, w*h/4), Width: w / 2, Height: h / 2, Stride: w / 2}
			}
			p := detect.Picture{Y: detect.Plane{Pix: make([]byte, w*h), Width: w, Height: h, Stride: w}, Cb: grey(), Cr: grey()}
			for i := range samples {
				now := time.Duration(i) * interval
				for y := range h {
					for x := range w {
						v := 120 + 30*math.Sin(float64(x)/5)*math.Cos(float64(y)/7)
						if inside(now.Seconds()) && x > 90 && x < 110 && y > 40 && y < 100 {
							v = 40 + 10*math.Sin(float64(i)+float64(y)/3)
						}
						if dark(now.Seconds()) {
							v = 16
						}
						p.Y.Pix[y*w+x] = byte(v + 2*r.NormFloat64())
					}
				}
				if !yield(eval.Sample{At: noon.Add(now), Picture: p}, nil) {
					return
				}
			}
		}
	}
}

func never(float64) bool { return false }

func during(spans ...[2]float64) func(float64) bool {
	return func(s float64) bool {
		return slices.ContainsFunc(spans, func(p [2]float64) bool { return s >= p[0] && s < p[1] })
	}
}

func yardConfig(interval time.Duration) detect.Config {
	return detect.Config{Camera: "yard", Interval: interval, Zones: []inventory.Zone{{
		ID: "yard", Kind: inventory.ZoneClosedArea, Area: inventory.Polygon{{X: 0.5, Y: 0.1}, {X: 0.95, Y: 0.1}, {X: 0.95, Y: 0.9}, {X: 0.5, Y: 0.9}},
	}}, Masks: []inventory.Polygon{{{X: 0, Y: 0}, {X: 0.2, Y: 0}, {X: 0.2, Y: 0.3}, {X: 0, Y: 0.3}}}}
}

func options() eval.Options {
	return eval.Options{
		Faults: []detect.Fault{detect.SceneDark, detect.SceneFrozen, detect.SceneCovered},
		NewWatch: func(c detect.Config) (*detect.Watch, detect.Imaging, func(), error) {
			im := opencv.New()
			w, err := detect.NewWatch(detect.WatchOptions{Config: c, Imaging: im})
			return w, im, func() { _ = im.Close() }, err
		},
		Now: func() time.Time { return noon },
	}
}

// sources are one that is held out, with a visit that the labels have, one
// that they lack, and one of theirs that nobody made; and a dark one to tune by.
func sources() []eval.Source {
	return []eval.Source{
		{
			Name: "visits", Group: eval.GroupClip, Split: eval.SplitTest, Config: yardConfig(time.Second), Precision: 300 * time.Millisecond,
			Happenings: []eval.Happening{
				happening("intrusion", "yard", 20, 30), happening("intrusion", "yard", 60, 70), happening("flood", "yard", 20, 30),
			},
			Traps:       []eval.Trap{{Kind: "intrusion", Begin: at(40), End: at(50), Notes: "a <b>bold</b> visitor"}},
			Undisturbed: []eval.Stretch{{Begin: at(0), End: at(19)}, {Begin: at(35), End: at(59)}},
			Samples:     yard(90, time.Second, during([2]float64{20, 30}, [2]float64{40, 50}), never),
		},
		{
			Name: "night falls", Group: eval.GroupDegraded, Variant: "dark 1", Split: eval.SplitTune, Config: yardConfig(time.Second),
			Happenings: []eval.Happening{happening("dark", "", 30, 60), happening("intrusion", "yard", 40, 50)},
			Samples:    yard(90, time.Second, never, during([2]float64{30, 60})),
		},
	}
}

func TestRun(t *testing.T) {
	r, err := eval.Run(t.Context(), options(), sources())
	if err != nil {
		t.Fatal(err)
	}
	row := func(split eval.Split, kind string) eval.Row {
		t.Helper()
		i := slices.IndexFunc(r.Rows, func(x eval.Row) bool { return x.Split == split && x.Kind == kind && x.Group == "" })
		if i < 0 {
			t.Fatalf("no row of %s %s in %+v", split, kind, r.Rows)
		}
		return r.Rows[i]
	}
	x := row(eval.SplitTest, "intrusion")
	if x.Found != 1 || x.Missed != 1 || x.False != 1 || x.Doubles != 0 || x.F1 != nil || x.Delay.Max > 2 || x.EndsEarly+x.EndsMissing != 0 {
		t.Errorf("intrusion: %+v", x)
	}
	if want := 1 / (89.0 / 86400); math.Abs(x.FalsePerDay-want) > 1e-6 {
		t.Errorf("false per camera-day: %g, want %g", x.FalsePerDay, want)
	}
	for _, kind := range []string{"dark", eval.AnyFault} {
		if x := row(eval.SplitTune, kind); x.Found != 1 || x.Missed+x.Wrong() != 0 || x.DelaySamples.Max > 3 {
			t.Errorf("%s: %+v", kind, x)
		}
	}
	if x := row(eval.SplitTune, "intrusion"); x.Uncounted != 1 || x.Happenings() != 0 {
		t.Errorf("an intrusion in the dark is blind: %+v", x)
	}
	if len(r.NoRule) != 1 || r.NoRule[0] != (eval.Count{Kind: "flood", Happenings: 1}) {
		t.Errorf("no rule: %+v", r.NoRule)
	}
	if len(r.Quiet) != 1 || r.Quiet[0].False != 1 {
		t.Errorf("quiet: %+v", r.Quiet)
	}
	if len(r.Variants) != 1 || r.Variants[0] != (eval.Variant{Split: eval.SplitTune, Variant: "dark 1", Sources: 1, Found: 1, Known: 1}) {
		t.Errorf("variants: %+v", r.Variants)
	}
	for _, s := range r.Stages {
		if s.Mean <= 0 || s.P95 <= 0 && s.Name != "encode" || s.Samples == 0 {
			t.Errorf("stage: %+v", s)
		}
	}
	if len(r.Moments) != 2 {
		t.Fatalf("moments: %+v", r.Moments)
	}
	for _, m := range r.Moments {
		if !bytes.HasPrefix(m.Still, []byte("\xff\xd8")) || !bytes.HasPrefix(m.Before, []byte("\xff\xd8")) || len(m.Area) != 4 {
			t.Errorf("the moment %s at %g lacks its pictures or its zone", m.Outcome, m.Offset)
		}
	}
	missed, wrong := r.Moments[0], r.Moments[1]
	if missed.Outcome != eval.OutcomeMissed || math.Abs(missed.Offset-60) > 1 || missed.Reason.EN != "nothing was found" {
		t.Errorf("missed: %+v", missed)
	}
	if wrong.Outcome != eval.OutcomeFalse || !strings.HasPrefix(wrong.Reason.EN, "a trap: ") || len(wrong.Boxes) == 0 || wrong.Why.ZH == "" {
		t.Errorf("false: %+v", wrong)
	}
}

func TestOnly(t *testing.T) {
	o := options()
	o.Only = []string{"dark"}
	r, err := eval.Run(t.Context(), o, sources())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 2 || r.Rows[0].Kind != "dark" || len(r.Moments)+len(r.NoRule) != 0 {
		t.Errorf("rows %+v, %d moments", r.Rows, len(r.Moments))
	}
}

func TestABrokenSourceIsNamed(t *testing.T) {
	all := sources()[:1]
	all = append(all, eval.Source{
		Name: "broken", Group: eval.GroupClip, Split: eval.SplitTest, Config: yardConfig(time.Second),
		Samples: func(context.Context) iter.Seq2[eval.Sample, error] {
			return func(yield func(eval.Sample, error) bool) { yield(eval.Sample{}, errors.New("the disk is gone")) }
		},
	})
	r, err := eval.Run(t.Context(), options(), all)
	if err == nil || err.Error() != "broken: the disk is gone" {
		t.Errorf("error %v", err)
	}
	if r == nil || len(r.Sources) != 2 || r.Sources[0].Found != 1 || r.Sources[1].Error == "" {
		t.Errorf("report %+v", r)
	}
	if _, err := eval.Run(t.Context(), options(), nil); err == nil {
		t.Error("nothing to run is no error")
	}
}

func TestForms(t *testing.T) {
	r, err := eval.Run(t.Context(), options(), sources())
	if err != nil {
		t.Fatal(err)
	}
	var text, page bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteHTML(&page)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"TEST: held out", "TUNE: ", "1 of 2", "NO RULE YET", "flood", "a trap: a <b>bold</b> visitor"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	html := page.String()
	for _, want := range []string{"data:image/jpeg;base64,", `<polygon class="zone" points="0.5000,0.1000`, `<rect class="box"`, "a &lt;b&gt;bold", "闯入禁区", "intrusion"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	bare := regexp.MustCompile(`data:image/jpeg;base64,[^"]*`).ReplaceAllString(html, "")
	if found := regexp.MustCompile(`(?i)//[a-z]|<script|ZgotmplZ|url\(`).FindString(bare); found != "" {
		t.Errorf("the page has %q: it must need nothing else", found)
	}
	if zh, en := strings.Count(html, `<span lang="zh">`), strings.Count(html, `<span lang="en">`); zh != en || zh < 20 {
		t.Errorf("%d texts in Chinese, %d in English", zh, en)
	}
	j, err := json.Marshal(r)
	var back eval.Report
	if err != nil || json.Unmarshal(j, &back) != nil || len(back.Rows) != len(r.Rows) || bytes.Contains(j, []byte("Still")) {
		t.Errorf("JSON of %d bytes, %v", len(j), err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := eval.Run(ctx, options(), sources()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type day struct {
	samples func(context.Context) iter.Seq2[eval.Sample, error]
}

func (d day) Samples() iter.Seq2[time.Time, detect.Picture] {
	return func(yield func(time.Time, detect.Picture) bool) {
		for s, err := range d.samples(context.Background()) {
			if err != nil || !yield(s.At, s.Picture) {
				return
			}
		}
	}
}

func TestRendered(t *testing.T) {
	span := eval.Stretch{Begin: noon, End: at(600)}
	quiet := eval.Rendered("quiet", eval.SplitTest, yardConfig(10*time.Second), nil, span, day{yard(60, 10*time.Second, never, never)})
	busy := eval.Rendered("busy", eval.SplitTest, yardConfig(10*time.Second), []eval.Happening{happening("intrusion", "yard", 100, 200)}, span,
		day{yard(60, 10*time.Second, during([2]float64{100, 200}), never)})
	r, err := eval.Run(t.Context(), options(), []eval.Source{quiet, busy})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Quiet) != 1 || r.Quiet[0].False != 0 || math.Abs(r.Quiet[0].CameraDays-600.0/86400) > 1e-9 {
		t.Errorf("quiet: %+v", r.Quiet)
	}
	if x := r.Rows[0]; x.Kind != "intrusion" || x.Found != 1 || x.Wrong()+x.Missed != 0 {
		t.Errorf("rows: %+v", r.Rows)
	}
}

func TestDeal(t *testing.T) {
	p := eval.Plan{Days: []eval.PlanDays{{Scene: "a", Test: eval.Seeds{From: 1, Days: 3}, Tune: eval.Seeds{From: 9, Days: 1}}, {Scene: "b", Test: eval.Seeds{From: 4, Days: 1}}}}
	var got []string
	for _, d := range p.Deal(10) {
		got = append(got, d.Scene+string(d.Split)+string(rune('0'+d.Seed)))
	}
	if want := []string{"atest1", "btest4", "atest2", "atest3", "atune9"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := len(p.Deal(2)); n != 2 {
		t.Errorf("%d days, want 2", n)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	p.Days = append(p.Days, eval.PlanDays{Hours: 25}, eval.PlanDays{Scene: "c", Tune: eval.Seeds{From: 1, Days: 3}, Test: eval.Seeds{From: 3, Days: 1}})
	err := p.Check()
	for _, want := range []string{"days[2]: has no scene", "0 to 24 hours", "days[2]: want days to tune by", "days[3]: seed 3 is both"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q: %v", want, err)
		}
	}
}

// media returns the folder of the clips, or skips.
func media(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PATROL_MEDIA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "media")
	}
	if _, err := os.Stat(filepath.Join(dir, "video")); err != nil {
		t.Skipf("no clips (set PATROL_MEDIA to the folder that holds video/): %v", err)
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: clips cannot be read")
	}
	return dir
}

// A real clip from its labels to the report: three times cars come to an empty
// lot, and nothing else happens; the same clip in the dark is known to be dark.
func TestARealClip(t *testing.T) {
	m := eval.Media{Dir: media(t), ZoneKinds: inventory.ZoneKinds()}
	all, err := m.Sources(labels(t, "../testdata/labels/intel-car-detection.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := []string{"intel-car-detection.mp4 at 1 s", "intel-car-detection.mp4, dark 2"}
	all = slices.DeleteFunc(all, func(s eval.Source) bool { return !slices.Contains(wanted, s.Name) })
	if len(all) != len(wanted) {
		t.Fatalf("%d sources of %d", len(all), len(wanted))
	}
	o := options()
	o.Jobs = 2
	r, err := eval.Run(t.Context(), o, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Sources {
		if s.Samples < 50 {
			t.Errorf("%s gave %d samples", s.Name, s.Samples)
		}
	}
	for _, x := range r.Rows {
		if x.Group == eval.GroupClip && x.Kind == "intrusion" && (x.Found != 3 || x.Missed+x.Wrong() != 0) ||
			x.Group == eval.GroupDegraded && x.Kind == "dark" && (x.Found != 1 || x.Missed+x.Wrong() != 0) {
			t.Errorf("%+v", x)
		}
	}
}
