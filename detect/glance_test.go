//go:build cgo

package detect_test

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/detect/opencv"
	"videopatrol/inventory"
	"videopatrol/streams"
)

// A picture decoded without the in-loop filters is judged as the clear one is:
// of real clips as key units of good to poor quality, in which the filters have
// ever more to do, next to all that begins and ends does so within a few looks
// of the other, and the pictures are hardly sharper.
func TestGlanceIsJudgedAlike(t *testing.T) {
	if raced {
		t.Skip("measured without the race detector: make test does so, too")
	}
	t.Parallel()
	const late = 3 // looks, of one a second
	all, alone := 0, 0
	for _, name := range []string{"intel-car-detection.mp4", "intel-one-by-one-person-detection.mp4", "bgslibrary-video02.avi", "furg-house6.mp4"} {
		for _, qp := range []int{28, 32, 36, 40} {
			units := keyUnits(t, filepath.Join(mediaDir(), "video", name), qp)
			eye, sharpEye := judged(t, units, (*codec.Decoders).Decode)
			glance, sharpGlance := judged(t, units, (*codec.Decoders).Glance)
			lost := unmatched(eye, glance, late, len(units)) + unmatched(glance, eye, late, len(units))
			t.Logf("%s, QP %d: %d and %d told, %d not by both; sharpness %.3f times that of the clear picture",
				name, qp, len(eye), len(glance), lost, sharpGlance/sharpEye)
			all, alone = all+len(eye)+len(glance), alone+lost
			if math.Abs(sharpGlance/sharpEye-1) > 0.03 {
				t.Errorf("%s, QP %d: sharpness %.3f times that of the clear picture", name, qp, sharpGlance/sharpEye)
			}
		}
	}
	if all < 40 || alone*20 > all {
		t.Errorf("%d of %d begins and ends were told of one of the pictures alone", alone, all)
	}
}

// unmatched counts those of a that b has not within some looks, and could have
// before the clip ends.
func unmatched(a, b []said, late, end int) (n int) {
	for _, s := range a {
		if s.look+late < end && !slices.ContainsFunc(b, func(o said) bool { return o.what == s.what && max(o.look-s.look, s.look-o.look) <= late }) {
			n++
		}
	}
	return n
}

// keyUnits are a clip's pictures, one a second, each encoded alone.
func keyUnits(t *testing.T, clip string, qp int) []streams.Unit {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", clip, "-vf", "fps=1,scale=704:576,format=yuv420p",
		"-c:v", "libx264", "-preset", "veryfast", "-g", "1", "-qp", fmt.Sprint(qp), "-f", "h264", "-").Output()
	if err != nil {
		t.Skipf("no clip (set PATROL_MEDIA to the folder that holds video/): %v", err)
	}
	return unitsOf(t, out)
}

// unitsOf are the key units of an H.264 stream in which each picture is one.
func unitsOf(t *testing.T, stream []byte) []streams.Unit {
	t.Helper()
	var nalus h264.AnnexB
	if err := nalus.Unmarshal(stream); err != nil {
		t.Fatal(err)
	}
	var units []streams.Unit
	var params [][]byte
	for _, n := range nalus {
		switch h264.NALUType(n[0] & 0x1F) {
		case h264.NALUTypeSPS:
			params = [][]byte{n}
		case h264.NALUTypePPS:
			params = append(params, n)
		case h264.NALUTypeIDR:
			units = append(units, streams.Unit{Codec: streams.CodecH264, Params: params, NALUs: [][]byte{n}})
		default:
		}
	}
	return units
}

// said is a change that a look brought.
type said struct {
	what string
	look int
}

// judged says what begins, ends and is wrong with the scene, and how sharp all
// pictures are.
func judged(t *testing.T, units []streams.Unit, decode func(*codec.Decoders, streams.Unit) (detect.Picture, error)) (told []said, sharp float64) {
	t.Helper()
	decoders, err := codec.New(codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer decoders.Close()
	im := opencv.New()
	defer im.Close()
	most := rect(0, 0.3, 1, 1)
	w, err := detect.NewWatch(detect.WatchOptions{Imaging: im, Config: detect.Config{Camera: "cam", Zones: []inventory.Zone{
		{ID: "yard", Kind: inventory.ZoneClosedArea, Area: most},
		{ID: "lane", Kind: inventory.ZoneFireLane, Area: most, Dwell: 20 * time.Second},
		{ID: "fire", Kind: inventory.ZoneFireWatch, Area: rect(0, 0, 1, 1)},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	now, fault := midnight, detect.SceneOK
	for i, u := range units {
		p, err := decode(decoders, u)
		if err != nil {
			t.Fatal(err)
		}
		p.Unwatched = true
		now = now.Add(time.Second)
		r, err := w.See(p, now)
		if err != nil {
			t.Fatal(err)
		}
		if sharp += r.Scene.Sharp; r.Scene.Fault != fault {
			fault = r.Scene.Fault
			told = append(told, said{"scene " + string(fault), i})
		}
		for _, f := range r.Findings {
			if f.Phase != detect.PhaseContinue {
				told = append(told, said{f.Zone + "/" + string(f.Phase), i})
			}
		}
	}
	return told, sharp
}
