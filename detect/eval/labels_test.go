package eval_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"videopatrol/detect/eval"
)

// labels reads a file of ../testdata/labels.
func labels(t *testing.T, file string) eval.Labels {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var l eval.Labels
	if err := yaml.UnmarshalWithOptions(b, &l, yaml.Strict()); err != nil {
		t.Fatal(yaml.FormatError(err, false, true))
	}
	return l
}

func TestLabelsOfTheClips(t *testing.T) {
	files, _ := filepath.Glob("../testdata/labels/*.yaml")
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == eval.PlanFile })
	if len(files) < 10 {
		t.Fatalf("%d files of labels, want one for each of ten clips", len(files))
	}
	splits := map[eval.Split]int{}
	for _, file := range files {
		l := labels(t, file)
		if err := l.Check(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		splits[l.Split]++
	}
	if splits[eval.SplitTest] < splits[eval.SplitTune] {
		t.Errorf("more clips to tune by than held out: %v", splits)
	}
}

func TestCheckSaysEverything(t *testing.T) {
	square := [][2]float64{{0, 0}, {1, 0}, {1, 1}}
	l := eval.Labels{
		Clip: "../x.mp4", Split: "train", Length: 10,
		Zones: []eval.LabelledZone{{ID: "a", Kind: "closed_area", Area: square}, {ID: "a", Kind: "closed_area", Area: [][2]float64{{0, 2}}}},
		Happenings: []eval.LabelledMoment{
			{Kind: "intrusion", Zone: "b", Begin: 1, End: 2}, {Kind: "intrusion", Zone: "a", Begin: 5, End: 4},
		},
		Undisturbed: []eval.LabelledPart{{From: 0, To: 3}},
		Standing: []eval.StandingThing{{
			Name: "a car", Kind: "illegal_parking", Zone: eval.LabelledZone{ID: "a", Kind: "closed_area", Area: square},
			Clip: "y.mp4", Crop: [4]float64{0, 0, 0.1, 0.1}, Light: &[4]float64{0.9, 0, 0.2, 0.1}, Size: 0.1, End: 5,
		}},
		Degraded: &eval.DegradedSelection{From: 1, To: 20, Not: []string{"sandstorm"}},
	}
	err := l.Check()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`clip: "../x.mp4" is no name of a file`, `split: "train"`, `zones[1]: zone "a": ids must be there and unique`,
		"zones[1]: a polygon has 3 corners", "corner (0, 2) lies outside", `happenings[0]: no zone "b": the clip has a, a`,
		"happenings[1]: want 0 ≤ begin < end", "undisturbed[0]: the intrusion from 1 to 2 lies in it",
		"standing[0].light: want x, y, width, height within the picture", "standing[0].light: what is cut out of another clip",
		"degraded: want 0 ≤ from < to ≤ 10", `no degradation "sandstorm"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q:\n%v", want, err)
		}
	}
}

func TestPlanOfTheDays(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("../testdata/labels", eval.PlanFile))
	if err != nil {
		t.Fatal(err)
	}
	var p eval.Plan
	if err := yaml.UnmarshalWithOptions(b, &p, yaml.Strict()); err != nil {
		t.Fatal(yaml.FormatError(err, false, true))
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	quiet := 0
	for _, d := range p.Days {
		if len(d.Happen) == 0 {
			quiet += d.Test.Days
		}
	}
	if quiet != 90 {
		t.Errorf("%d quiet camera-days are held out, want 90", quiet)
	}
}
