package model_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"videopatrol/detect"
	"videopatrol/detect/model"
)

// plain is a picture of one colour, with gaps between its rows.
func plain(w, h int, y, cb, cr byte) detect.Picture {
	plane := func(w, h int, v byte) detect.Plane {
		p := detect.Plane{Pix: make([]byte, (w+5)*h), Width: w, Height: h, Stride: w + 5}
		for y := range h {
			r := p.Row(y)
			for x := range r {
				r[x] = v
			}
		}
		return p
	}
	return detect.Picture{Y: plane(w, h, y), Cb: plane((w+1)/2, (h+1)/2, cb), Cr: plane((w+1)/2, (h+1)/2, cr)}
}

func BenchmarkFill(b *testing.B) {
	in := model.Known()[0].Input
	for _, m := range model.Known() {
		if m.Name == "yolox-nano-416" {
			in = m.Input
		}
	}
	dst := make([]float32, 3*in.Width*in.Height)
	for _, size := range [][2]int{{704, 576}, {1920, 1080}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			fill := model.NewFill(in)
			p := plain(size[0], size[1], 90, 120, 140)
			b.ReportAllocs()
			least := time.Hour
			for b.Loop() {
				begin := cpuTime()
				if err := fill(dst, p, detect.Box{W: 1, H: 1}); err != nil {
					b.Fatal(err)
				}
				least = min(least, cpuTime()-begin)
			}
			b.ReportMetric(least.Seconds()*1e3, "least-cpu-ms")
		})
	}
}

// iou is the share that two boxes have of what they cover together.
func iou(a, b detect.Box) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	both := max(w, 0) * max(h, 0)
	return both / (a.W*a.H + b.W*b.H - both)
}

// cpuTime is the processor time of the process, which other work on the
// machine disturbs less than time.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
