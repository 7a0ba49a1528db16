package play_test

import (
	"os/exec"
	"testing"

	"videopatrol/cmd/citysim/play"
	"videopatrol/cmd/citysim/scene"
)

// TestTurnsOfALoopCostAlike: whoever weighs units to tell when something
// stirs must not be told so each time that a loop begins anew.
func TestTurnsOfALoopCostAlike(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed; deploy/setup.sh installs it")
	}
	library, err := play.NewLibrary(t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []scene.Kind{scene.Street, scene.Gate} {
		takes, err := library.Scene(t.Context(), kind, 4, scene.Covered, scene.Stay)
		if err != nil {
			t.Fatal(err)
		}
		for take, gops := range takes {
			first, others := inter(gops[0]), 0
			for _, g := range gops[1:] {
				others += inter(g)
			}
			ratio := float64(first) * float64(len(gops)-1) / float64(others)
			if ratio > 1.2 || ratio < 0.8 {
				t.Errorf("%s %s: the first group's units are %.2f times as large as the others'", kind, take, ratio)
			}
			t.Logf("%s %s: %.2f of %d bytes", kind, take, ratio, others/(len(gops)-1))
		}
	}
}

// inter is the size of all units but the key unit.
func inter(g *play.GOP) int { return g.Bytes() - len(g.Units[0]) }
