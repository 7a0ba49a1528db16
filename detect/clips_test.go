//go:build cgo

package detect_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// clip reads a real clip's luma and chroma, one picture per interval.
func clip(t *testing.T, name string, interval time.Duration, w, h int, see func(at time.Duration, p detect.Picture)) {
	t.Helper()
	dir := os.Getenv("PATROL_MEDIA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "media")
	}
	file := filepath.Join(dir, "video", name)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no clip (set PATROL_MEDIA to the folder that holds video/%s): %v", name, err)
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: the clip cannot be read")
	}
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-threads", "1", "-i", file,
		"-vf", "fps=1/"+strconv.FormatFloat(interval.Seconds(), 'g', -1, 64)+",scale="+strconv.Itoa(w)+":"+strconv.Itoa(h),
		"-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for at := interval; ; at += interval {
		buf := make([]byte, w*h*3/2)
		if _, err := io.ReadFull(out, buf); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		see(at, detect.Picture{
			Y:  detect.Plane{Pix: buf[:w*h], Width: w, Height: h, Stride: w},
			Cb: detect.Plane{Pix: buf[w*h : w*h*5/4], Width: w / 2, Height: h / 2, Stride: w / 2},
			Cr: detect.Plane{Pix: buf[w*h*5/4:], Width: w / 2, Height: h / 2, Stride: w / 2},
		})
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
}

// visits are the seconds of intel-one-by-one-person-detection.mp4 in which
// somebody is in the room, as a person sees them, to the second.
var visits = [][2]int{{5, 20}, {21, 45}, {49, 70}, {73, 88}, {91, 120}, {123, 136}}

// People enter an empty room one by one: each visit is one intrusion, unless
// the room was empty for less than two samples, and the empty room is none.
func TestOneByOne(t *testing.T) {
	for _, d := range []time.Duration{time.Second, 2 * time.Second} {
		t.Run(d.String(), func(t *testing.T) {
			t.Helper()
			zone := inventory.Zone{ID: "room", Kind: inventory.ZoneClosedArea, Area: rect(0.02, 0.02, 0.98, 0.98)}
			p := newPatrol(t, 2*time.Second, zone)
			empty := 0 // the clip begins with an empty room: it is shown slowly, to learn it
			clip(t, "intel-one-by-one-person-detection.mp4", time.Second, 768, 432, func(at time.Duration, pic detect.Picture) {
				if at <= 5*time.Second {
					empty++
					p.see(pic)
				}
			})
			learned := p.now
			p.interval = d
			begun := map[int]int{}
			clip(t, "intel-one-by-one-person-detection.mp4", d, 768, 432, func(at time.Duration, pic detect.Picture) {
				if at <= 5*time.Second {
					return
				}
				p.now = learned.Add(at - d)
				for _, f := range p.see(pic) {
					t.Logf("%v %s: %s", at, f.Phase, f.Why.EN)
					if f.Phase != detect.PhaseBegin {
						continue
					}
					visit := slices.IndexFunc(visits, func(v [2]int) bool {
						return int(at.Seconds()) >= v[0] && int(at.Seconds()) <= v[1]+1
					})
					if begun[visit]++; visit < 0 || begun[visit] > 1 {
						t.Errorf("an intrusion began at %v (visit %d)", at, visit)
					}
				}
			})
			if want := len(visits) - 1; empty != 5 || len(begun) < want {
				t.Errorf("%d visits of %d found, after %d looks at the empty room", len(begun), len(visits), empty)
			}
		})
	}
}
