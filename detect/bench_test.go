//go:build cgo

package detect_test

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"videopatrol/detect"
	"videopatrol/detect/opencv"
	"videopatrol/inventory"
)

// BenchmarkSee is what a decoded picture costs, by stage, in processor time of
// the thread, which other work on the machine disturbs less than time: of one
// camera whose every picture becomes a JPEG, and of many in turn that nobody
// looks at, whose memory has left the caches by the next turn.
func BenchmarkSee(b *testing.B) {
	for _, size := range [][2]int{{704, 576}, {1920, 1080}} {
		for _, cameras := range []int{1, 100} {
			b.Run(fmt.Sprintf("%dx%d/cameras=%d", size[0], size[1], cameras), func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				im := opencv.New()
				defer im.Close()
				watches := make([]*detect.Watch, cameras)
				for i := range watches {
					var err error
					if watches[i], err = detect.NewWatch(detect.WatchOptions{
						Config:  detect.Config{Camera: "cam", Zones: []inventory.Zone{farArea(), fireLane}, Masks: []inventory.Polygon{rect(0, 0, 0.2, 0.2)}},
						Imaging: im, Now: threadTime,
					}); err != nil {
						b.Fatal(err)
					}
				}
				s := newStudio(size[0], size[1])
				var pics []detect.Picture
				for i := range 8 {
					if i > 3 {
						pics = append(pics, s.shoot(person(0.5+0.05*float64(i), 0.5)))
					} else {
						pics = append(pics, s.shoot())
					}
					pics[i].Unwatched = cameras > 1
				}
				frame := s.shoot() // decoders reuse theirs, too
				now, i := midnight, 0
				stages := map[string]float64{}
				see := func() {
					p := pics[i/cameras%len(pics)]
					for k, from := range []detect.Plane{p.Y, p.Cb, p.Cr} {
						copy([]detect.Plane{frame.Y, frame.Cb, frame.Cr}[k].Pix, from.Pix)
					}
					frame.Unwatched = p.Unwatched
					if i%cameras == 0 {
						now = now.Add(5 * time.Second)
					}
					r, err := watches[i%cameras].See(frame, now)
					if err != nil {
						b.Fatal(err)
					}
					for k, v := range r.Stages {
						stages[k] += v
					}
					i++
				}
				for range 8 * cameras { // what warm-up costs is not told
					see()
				}
				clear(stages)
				b.ReportAllocs()
				for b.Loop() {
					see()
				}
				for k, v := range stages {
					b.ReportMetric(v/float64(b.N)*1e6, k+"-µs/op")
				}
			})
		}
	}
}

// BenchmarkSceneHealth is what scene health alone costs, without reducing the
// picture: of a sound scene, and of one that is suspect, for which it searches.
func BenchmarkSceneHealth(b *testing.B) {
	for _, size := range [][2]int{{704, 576}, {1920, 1080}} {
		for _, torn := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dx%d/torn=%v", size[0], size[1], torn), func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				im := opencv.New()
				defer im.Close()
				w, err := detect.NewWatch(detect.WatchOptions{Config: detect.Config{Camera: "cam"}, Imaging: im})
				if err != nil {
					b.Fatal(err)
				}
				s, now := newStudio(size[0], size[1]), midnight
				for range 6 {
					now = now.Add(5 * time.Second)
					if _, err := w.See(s.shoot(), now); err != nil {
						b.Fatal(err)
					}
				}
				p := s.shoot()
				if torn {
					for y := range size[1] / 4 { // there the edges are
						row := p.Y.Row(y)
						copy(row, append(bytes.Clone(row[size[0]/5:]), row[:size[0]/5]...))
					}
				}
				scale := math.Sqrt(20000 / float64(size[0]*size[1]))
				x, err := im.Shrink(p.Y, int(float64(size[0])*scale), int(float64(size[1])*scale))
				if err != nil {
					b.Fatal(err)
				}
				begin := threadTime()
				for b.Loop() {
					now = now.Add(5 * time.Second)
					w.Examine(p, x.Pix, now)
				}
				b.ReportMetric(threadTime().Sub(begin).Seconds()/float64(b.N)*1e6, "cpu-µs/op")
			})
		}
	}
}

// threadTime is the processor time of this thread as a moment.
func threadTime() time.Time {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return time.Time{}
	}
	return time.Unix(t.Unix())
}

// BenchmarkWatchMemory reports the heap that one camera's memory takes.
func BenchmarkWatchMemory(b *testing.B) {
	im := opencv.New()
	defer im.Close()
	s := newStudio(704, 576)
	var pics []detect.Picture
	for range 4 {
		pics = append(pics, s.shoot())
	}
	const many = 50
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		watches := make([]*detect.Watch, many)
		for i := range watches {
			w, err := detect.NewWatch(detect.WatchOptions{
				Config:  detect.Config{Camera: "cam", Zones: []inventory.Zone{closedArea, fireLane}},
				Imaging: im,
			})
			if err != nil {
				b.Fatal(err)
			}
			for j, p := range pics {
				if _, err := w.See(p, midnight.Add(time.Duration(j)*5*time.Second)); err != nil {
					b.Fatal(err)
				}
			}
			watches[i] = w
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/many, "heap-B/watch")
		runtime.KeepAlive(watches)
	}
}
