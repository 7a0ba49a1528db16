package play_test

import (
	"strings"
	"testing"
	"time"

	"videopatrol/cmd/citysim/play"
)

func TestParseScript(t *testing.T) {
	rows, err := play.ParseScript(strings.NewReader(`
- {camera: 3, kind: intrusion, after: 20s, for: 30s, every: 0}
- camera: "34970004001320000001"
  kind: dark
  for: 1m30s
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []play.Row{
		{Camera: "3", Kind: play.Intrusion, After: play.Duration(20 * time.Second), For: play.Duration(30 * time.Second)},
		{Camera: "34970004001320000001", Kind: play.Dark, For: play.Duration(90 * time.Second)},
	}
	if len(rows) != 2 || rows[0] != want[0] || rows[1] != want[1] {
		t.Errorf("got %+v, want %+v", rows, want)
	}
	if rows, err := play.ParseScript(strings.NewReader("")); err != nil || len(rows) != 0 {
		t.Errorf("an empty script gave %v, %v", rows, err)
	}
}

func TestParseScriptSaysWhatIsWrong(t *testing.T) {
	for script, want := range map[string]string{
		"- {camera: 1, kind: intrusion, for: 30s, afterr: 1s}":          "[1:",
		"- {camera: 1, kind: earthquake, for: 30s}":                     `there is no kind "earthquake"`,
		"- {camera: 1, kind: dark}":                                     "for:",
		"- {kind: dark, for: 1s}":                                       "no camera",
		"- {camera: 1, kind: dark, for: 30s, every: 10s}":               "every:",
		"- {camera: 1, kind: dark, for: -3s}":                           "-3s",
		"- {camera: 1, kind: dark, for: 3s}\n- {camera: 1, for: often}": "often",
		"camera: 1": "[1:",
	} {
		if _, err := play.ParseScript(strings.NewReader(script)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\ngot %v, want it to say %q", script, err, want)
		}
	}
}

func FuzzParseScript(f *testing.F) {
	f.Add("- {camera: 1, kind: dark, for: 30s}")
	f.Add("- camera: x\n  kind: intrusion\n  after: 1h\n  for: 1s\n  every: 1m")
	f.Fuzz(func(t *testing.T, script string) {
		rows, err := play.ParseScript(strings.NewReader(script))
		for _, r := range rows {
			if err == nil && (r.For <= 0 || r.Camera == "" || r.After < 0) {
				t.Errorf("a bad row passed: %+v", r)
			}
		}
	})
}

func TestRandomScriptNeverOverlaps(t *testing.T) {
	rows := play.RandomScript(7, 40)
	end := map[string]time.Duration{}
	for _, r := range rows {
		// A person needs up to 10 s to come, and as long to leave.
		if after := time.Duration(r.After); end[r.Camera] > 0 && after < end[r.Camera]+40*time.Second {
			t.Fatalf("camera %s: %s at %s comes too soon after what ends at %s", r.Camera, r.Kind, after, end[r.Camera])
		}
		end[r.Camera] = time.Duration(r.After + r.For)
	}
	// A mean of 20 minutes and some two minutes each give about 65 a day.
	if n := len(rows) / 40; n < 45 || n > 85 {
		t.Errorf("%d things a day happen before a camera, want about 65", n)
	}
}

func TestDemoScriptBeginsSoon(t *testing.T) {
	for _, cameras := range []int{0, 1, 2, 3, 7, 20, 21, 100, 1000} {
		seen, soon, kinds := map[string]bool{}, map[play.Kind]int{}, map[play.Kind]int{}
		for _, r := range play.DemoScript(cameras) {
			if seen[r.Camera] {
				t.Errorf("%d cameras: camera %s has two rows", cameras, r.Camera)
			}
			seen[r.Camera] = true
			if r.Every < r.For+play.Duration(time.Minute) {
				t.Errorf("%d cameras: %+v comes again too soon", cameras, r)
			}
			kinds[r.Kind]++
			// A lead is raised after the arrival, the dwell and two looks.
			late := 25 * time.Second
			if r.Kind == play.FireLaneBlocked {
				late = 45 * time.Second
			}
			if r.After+play.Duration(late) <= play.Duration(90*time.Second) {
				soon[r.Kind]++
			}
		}
		if len(seen) < min(cameras, 2) {
			t.Errorf("%d cameras: something happens before only %d", cameras, len(seen))
		}
		if cameras < 20 {
			continue
		}
		if soon[play.FireLaneBlocked] < 2 || soon[play.Intrusion] < 2 || soon[play.FireLaneBlocked]+soon[play.Intrusion] < 5 {
			t.Errorf("%d cameras: only %v within 90 s", cameras, soon)
		}
		for _, k := range []play.Kind{play.Frozen, play.Covered, play.Dark, play.Offline} {
			if kinds[k] != 1 {
				t.Errorf("%d cameras: %d times %s, want once", cameras, kinds[k], k)
			}
		}
	}
}
