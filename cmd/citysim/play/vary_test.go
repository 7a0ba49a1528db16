package play_test

import (
	"bytes"
	"crypto/sha256"
	"os/exec"
	"testing"

	"videopatrol/cmd/citysim/play"
)

// TestVary decodes by FFmpeg: each showing of a key unit has other pixels, even
// without the loop filter, hardly different ones, and none is damaged.
func TestVary(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed; deploy/setup.sh installs it")
	}
	run := func(in []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-v", "error", "-xerror"}, args...)...)
		cmd.Stdin = bytes.NewReader(in)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || stderr.Len() > 0 {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		return out
	}
	gops, err := play.ParseGOPs(run(nil, "-f", "lavfi", "-i", "testsrc2=size=352x288:rate=15,noise=alls=8:allf=t", "-frames:v", "60",
		"-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-b:v", "200k", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0",
		"-x264-params", "repeat-headers=1:sliced-threads=0:slices=1", "-f", "h264", "-"))
	if err != nil {
		t.Fatal(err)
	}
	g := gops[0]
	decode := func(pps []byte) []byte {
		t.Helper()
		var b []byte
		for _, nal := range [][]byte{g.SPS, pps, g.Units[0]} {
			b = append(append(b, 0, 0, 0, 1), nal...)
		}
		return run(b, "-skip_loop_filter", "all", "-f", "h264", "-i", "-", "-f", "rawvideo", "-pix_fmt", "gray", "-")
	}
	plain := decode(g.PPS)
	seen := map[[32]byte]int{}
	for n := range 8 {
		pps, err := g.Vary(n)
		if err != nil {
			t.Fatal(err)
		}
		luma := decode(pps)
		if len(luma) != len(plain) || len(plain) != 352*288 {
			t.Fatalf("showing %d: %d pixels", n, len(luma))
		}
		var difference int
		for i := range luma {
			difference += max(int(luma[i])-int(plain[i]), int(plain[i])-int(luma[i]))
		}
		if mean := float64(difference) / float64(len(luma)); mean > 1 {
			t.Errorf("showing %d differs by %.2f luma steps on average", n, mean)
		}
		sum := sha256.Sum256(luma)
		if other, ok := seen[sum]; ok {
			t.Errorf("showings %d and %d are alike", other, n)
		}
		seen[sum] = n
	}
}

func TestVaryRefuses(t *testing.T) {
	gops, err := play.ParseGOPs(stream(1, 30))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gops[0].Vary(1); err == nil {
		t.Error("a stream that is none was varied")
	}
}
