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

// keep reads a clip into memory, one picture a second; the picture of second
// n is at n-1.
func keep(t *testing.T, name string, w, h int) []detect.Picture {
	t.Helper()
	var pics []detect.Picture
	clip(t, name, time.Second, w, h, func(_ time.Duration, p detect.Picture) { pics = append(pics, p) })
	return pics
}

// copied is a picture of its own, since a watch masks what it sees.
func copied(p detect.Picture) detect.Picture {
	for _, plane := range []*detect.Plane{&p.Y, &p.Cb, &p.Cr} {
		plane.Pix = slices.Clone(plane.Pix)
	}
	return p
}

// begins plays seconds from..to of a clip to a patrol that has learned its
// first quiet ones, and returns when conditions began.
func begins(p *patrol, pics []detect.Picture, quiet, from, to, every int) []int {
	p.t.Helper()
	p.restart()
	p.interval = 2 * time.Second
	for i := range quiet {
		p.see(copied(pics[i]))
	}
	var at []int
	p.interval = time.Duration(every) * time.Second
	for second := from; second <= min(to, len(pics)); second += every {
		for _, f := range p.see(copied(pics[second-1])) {
			if f.Phase == detect.PhaseBegin {
				at = append(at, second)
			}
		}
	}
	return at
}

// sights are the seconds of intel-one-by-one-person-detection.mp4 whose
// picture shows anything of somebody, by looking at each.
var sights = [][2]int{{7, 20}, {24, 45}, {51, 70}, {75, 87}, {93, 120}, {124, 136}}

func room(t *testing.T) (*patrol, []detect.Picture) {
	t.Helper()
	pics := keep(t, "intel-one-by-one-person-detection.mp4", 384, 216)
	return newPatrol(t, time.Second, inventory.Zone{ID: "room", Kind: inventory.ZoneClosedArea, Area: rect(0.02, 0.02, 0.98, 0.98)}), pics
}

// At one look a second every visit is found within two seconds of its first
// picture, and nothing else is.
func TestEveryVisitIsFoundAtOnce(t *testing.T) {
	p, pics := room(t)
	at := begins(p, pics, 6, 6, len(pics), 1)
	t.Logf("visits %v, found at %v", sights, at)
	if len(at) != len(sights) {
		t.Fatalf("%d intrusions, want one for each of the visits %v: %v", len(at), sights, at)
	}
	for i, v := range sights {
		if at[i] < v[0] || at[i] > v[0]+2 {
			t.Errorf("the visit of %v was found at %d s", v, at[i])
		}
	}
}

// At one look in five seconds every visit of more than ten is found, whenever
// the looks fall; and nothing is found between visits.
func TestEveryLongVisitIsFoundAtFiveSeconds(t *testing.T) {
	p, pics := room(t)
	worst := 0
	for phase := range 5 {
		for _, v := range sights {
			at := begins(p, pics, 6, v[0]+phase, v[1], 5)
			if len(at) != 1 {
				t.Errorf("looks from %d s on: the visit of %v was found at %v", v[0]+phase, v, at)
				continue
			}
			worst = max(worst, at[0]-v[0])
		}
		for _, found := range begins(p, pics, 6, 6+phase, len(pics), 5) {
			if !slices.ContainsFunc(sights, func(v [2]int) bool { return found >= v[0] && found <= v[1] }) {
				t.Errorf("looks from %d s on: found something at %d s, when nobody is there", 6+phase, found)
			}
		}
	}
	t.Logf("found %d s after its first picture at the latest", worst)
}

// passages are the seconds of intel-car-detection.mp4 whose picture shows
// anything of a car, by looking at each.
var passages = [][2]int{{5, 9}, {15, 19}, {26, 28}}

// Cars from above, which models trained on street views miss, are found by
// their motion within two looks, although the camera turns its exposure down
// for the white ones.
func TestCarsFromAboveAreFoundByMotion(t *testing.T) {
	pics := keep(t, "intel-car-detection.mp4", 384, 216)
	p := newPatrol(t, time.Second, inventory.Zone{ID: "lot", Kind: inventory.ZoneClosedArea, Area: rect(0.02, 0.02, 0.98, 0.98)})
	for _, every := range []int{1, 2} {
		at := begins(p, pics, 4, 4, len(pics), every)
		t.Logf("every %d s: passages %v, found at %v", every, passages, at)
		if len(at) != len(passages) {
			t.Errorf("every %d s: %d intrusions, want one for each of the passages %v: %v%s", every, len(at), passages, at, p.list())
			continue
		}
		for i, v := range passages {
			if at[i] < v[0] || at[i] > v[0]+2*every {
				t.Errorf("every %d s: the passage of %v was found at %d s", every, v, at[i])
			}
		}
	}
}
