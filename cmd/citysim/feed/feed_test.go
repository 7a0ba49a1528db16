package feed_test

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"videopatrol/cmd/citysim/feed"
	"videopatrol/cmd/citysim/scene"
	"videopatrol/detect"
	"videopatrol/inventory"
)

// day plans a day, or fails the test.
func day(tb testing.TB, o feed.Options) *feed.Day {
	tb.Helper()
	d, err := feed.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// TestContactSheets draws sheets of every scene to look at:
//
//	FEED_SHEETS=DIR go test ./cmd/citysim/feed -run TestContactSheets
func TestContactSheets(t *testing.T) {
	dir := os.Getenv("FEED_SHEETS")
	if dir == "" {
		t.Skip("FEED_SHEETS names no folder: no sheets are drawn")
	}
	for _, kind := range scene.Kinds() {
		if only := os.Getenv("FEED_SCENE"); only != "" && only != string(kind) {
			continue
		}
		for seed := range uint64(2) {
			var light []image.Image
			d := day(t, feed.Options{Scene: kind, Seed: seed + 3, Interval: 2 * time.Hour})
			for _, p := range d.Samples() {
				light = append(light, outlined(p, d.Camera().Zones))
			}
			sheet(t, filepath.Join(dir, fmt.Sprintf("%s-%d-day.png", kind, seed)), light, 4)
		}
		for _, hour := range []int{14, 22} {
			var shown []image.Image
			for i, k := range feed.Kinds(kind) {
				d := day(t, feed.Options{
					Scene: kind, Seed: uint64(i) + 20, Interval: 3 * time.Second, Length: 2 * time.Hour, Every: 2 * time.Minute, Happen: []string{k},
					Begin: time.Date(2026, 5, 4, hour, 0, 0, 0, time.FixedZone("CST", 8*3600)),
				})
				h := d.Happenings()[0]
				n := 0
				for at, p := range d.Samples() {
					if at.After(h.Begin.Add(time.Duration(n) * h.End.Sub(h.Begin) / 3).Add(time.Second)) {
						shown = append(shown, outlined(p, d.Camera().Zones))
						if n++; n == 3 {
							break
						}
					}
				}
			}
			sheet(t, filepath.Join(dir, fmt.Sprintf("%s-%d-happen.png", kind, hour)), shown, 6)
		}
	}
}

// outlined is a picture in colour with the zones' outlines.
func outlined(p detect.Picture, zones []inventory.Zone) image.Image {
	w, h := p.Y.Width, p.Y.Height
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			at := y/2*p.Cb.Stride + x/2
			r, g, b := color.YCbCrToRGB(p.Y.Pix[y*p.Y.Stride+x], p.Cb.Pix[at], p.Cr.Pix[at])
			img.SetRGBA(x, y, color.RGBA{r, g, b, 255})
		}
	}
	for _, z := range zones {
		for i, a := range z.Area {
			b := z.Area[(i+1)%len(z.Area)]
			for k := 0.0; k < 1; k += 0.02 {
				img.SetRGBA(int((a.X+(b.X-a.X)*k)*float64(w)), int((a.Y+(b.Y-a.Y)*k)*float64(h)), color.RGBA{255, 0, 255, 255})
			}
		}
	}
	return img
}

// sheet writes pictures as one PNG.
func sheet(t *testing.T, name string, pictures []image.Image, columns int) {
	t.Helper()
	size := pictures[0].Bounds().Size()
	all := image.NewRGBA(image.Rect(0, 0, columns*(size.X+2), (len(pictures)+columns-1)/columns*(size.Y+2)))
	for i, p := range pictures {
		at := image.Pt(i%columns*(size.X+2), i/columns*(size.Y+2))
		draw.Draw(all, image.Rectangle{at, at.Add(size)}, p, image.Point{}, draw.Src)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, all); err != nil {
		t.Fatal(err)
	}
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.FixedZone("CST", 8*3600))

// BenchmarkHour draws the busiest hour of a day, dusk included.
func BenchmarkHour(b *testing.B) {
	for _, kind := range scene.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			n := 0
			begin := spent()
			for b.Loop() {
				for range day(b, feed.Options{Scene: kind, Seed: 5, Begin: noon.Add(5 * time.Hour), Length: time.Hour}).Samples() {
					n++
				}
			}
			b.ReportMetric(float64((spent()-begin).Microseconds())/float64(n), "cpu-µs/sample")
		})
	}
}

// spent is the processor time that this process has used.
func spent() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
