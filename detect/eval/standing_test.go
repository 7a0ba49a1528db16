package eval_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"videopatrol/detect/eval"
)

// A thing that is pasted in dims with the ground, where its label says which
// patch of ground tells the light.
func TestStandingThingFollowsTheLight(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: no clip can be made")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "video"), 0o755); err != nil {
		t.Fatal(err)
	}
	// Grey ground with a pale thing on it for a second; from 4 s on with half the light.
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i",
		"color=c=0x808080:s=320x240:r=5:d=8,drawbox=x=40:y=80:w=64:h=64:c=0xC0C0C0:t=fill:enable='lt(t,1)',format=gbrp,"+
			"lutrgb=r=val/2:g=val/2:b=val/2:enable='gte(t,4)',format=yuv420p",
		"-c:v", "ffv1", filepath.Join(dir, "video", "ground.mkv")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	thing := eval.StandingThing{
		Name: "a thing", Kind: "illegal_parking",
		Zone: eval.LabelledZone{ID: "bay", Kind: "no_parking", Area: [][2]float64{{0.5, 0.2}, {0.9, 0.2}, {0.9, 0.8}, {0.5, 0.8}}},
		At:   0.4, Crop: [4]float64{0.125, 1. / 3, 0.2, 64. / 240}, Place: [2]float64{0.6, 0.4}, Size: 0.2, Begin: 2, End: 8,
	}
	l := eval.Labels{Clip: "ground.mkv", Split: eval.SplitTest, Length: 8}
	// shown returns by how much the thing is brighter than the ground, 3 and 6 s on.
	shown := func(s eval.StandingThing) (bright, dim float64) {
		t.Helper()
		l.Standing = []eval.StandingThing{s}
		if err := l.Check(); err != nil {
			t.Fatal(err)
		}
		sources, err := eval.Media{Dir: dir}.Sources(l)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for sample, err := range sources[len(sources)-1].Samples(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			y := sample.Picture.Y
			at := func(fx, fy float64) float64 {
				return float64(y.Pix[int(fy*float64(y.Height))*y.Stride+int(fx*float64(y.Width))]) - 16
			}
			switch ratio := at(0.7, 0.5) / at(0.3, 0.9); n {
			case 3:
				bright = ratio
			case 6:
				dim = ratio
			}
			n++
		}
		if n < 7 {
			t.Fatalf("%d samples, want 8", n)
		}
		return bright, dim
	}
	if bright, dim := shown(thing); math.Abs(bright-1.5) > 0.03 || dim < 2.8 {
		t.Errorf("without light: %.2f and %.2f times as bright as the ground, want 1.5 and 3", bright, dim)
	}
	thing.Light = &[4]float64{0.5, 0.05, 0.4, 0.1}
	if bright, dim := shown(thing); math.Abs(bright-1.5) > 0.03 || math.Abs(dim-1.5) > 0.06 {
		t.Errorf("with light: %.2f and %.2f times as bright as the ground, want 1.5 both times", bright, dim)
	}
}
