//go:build cgo

package detect_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/opencv"
	"videopatrol/inventory"
)

// studio draws a street as a camera would see it.
type studio struct {
	w, h   int
	ground []float64
	rng    *rand.Rand
	// grain is the sensor's noise, drawn once; each picture starts elsewhere.
	grain []float64
	// light scales all luma; noise is the sensor's, in luma steps.
	light, noise float64
	// sway moves the hedge at the left by so many pixels at most.
	sway float64
}

func newStudio(w, h int) *studio {
	s := &studio{w: w, h: h, rng: rand.New(rand.NewPCG(1, 2)), light: 1, noise: 3}
	s.ground, s.grain = make([]float64, w*h), make([]float64, 1<<16)
	for i := range s.grain {
		s.grain[i] = s.rng.NormFloat64()
	}
	for y := range h {
		for x := range w {
			fx, fy := float64(x)/float64(w), float64(y)/float64(h)
			v := 95 + 40*fy // asphalt, brighter towards the camera
			if fy < 0.35 {  // houses with windows
				v = 130
				if math.Mod(fx*12, 1) > 0.4 && math.Mod(fy*12, 1) > 0.45 {
					v = 60
				}
			}
			if math.Abs(fx-0.5-0.3*(fy-0.5)) < 0.006 {
				v = 190 // a painted line
			}
			s.ground[y*w+x] = v + 6*math.Sin(fx*91)*math.Sin(fy*77)
		}
	}
	return s
}

// actor is a rectangle with some texture, in shares of the picture.
type actor struct {
	x, y, w, h float64
	luma       float64
}

func person(x, y float64) actor { return actor{x: x, y: y, w: 0.05, h: 0.2, luma: 45} }
func car(x, y float64) actor    { return actor{x: x, y: y, w: 0.2, h: 0.15, luma: 205} }

func (s *studio) shoot(actors ...actor) detect.Picture {
	sway := s.sway * (2*s.rng.Float64() - 1)
	grain := s.rng.IntN(len(s.grain))
	y := plane(s.w, s.h, func(x, y int) float64 {
		v := s.ground[y*s.w+x]
		fx, fy := float64(x)/float64(s.w), float64(y)/float64(s.h)
		grain = (grain + 1) % len(s.grain)
		if s.sway > 0 && fx < 0.25 {
			v = 80 + 30*math.Sin((float64(x)+sway)*0.35)*math.Cos(float64(y)*0.3)
		}
		for _, a := range actors {
			if fx >= a.x && fx < a.x+a.w && fy >= a.y && fy < a.y+a.h {
				v = a.luma + 12*math.Sin(40*(fx-a.x)/a.w)
			}
		}
		return 16 + (v-16)*s.light + s.noise*s.grain[grain]
	})
	grey := func(int, int) float64 { return 128 }
	return detect.Picture{Y: y, Cb: plane((s.w+1)/2, (s.h+1)/2, grey), Cr: plane((s.w+1)/2, (s.h+1)/2, grey)}
}

func plane(w, h int, at func(x, y int) float64) detect.Plane {
	p := detect.Plane{Pix: make([]byte, w*h), Width: w, Height: h, Stride: w}
	for y := range h {
		for x := range w {
			p.Pix[y*w+x] = byte(max(0, min(at(x, y)+0.5, 255)))
		}
	}
	return p
}

func rect(x0, y0, x1, y1 float64) inventory.Polygon {
	return inventory.Polygon{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}
}

// closedArea and fireLane are where the stories happen.
var (
	closedArea = inventory.Zone{ID: "yard", Name: "东院", Kind: inventory.ZoneClosedArea, Area: rect(0.5, 0.35, 1, 1)}
	fireLane   = inventory.Zone{ID: "lane", Name: "南通道", Kind: inventory.ZoneFireLane, Area: rect(0.1, 0.5, 0.9, 0.95)}
)

var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// patrol drives a watch with a studio's pictures.
type patrol struct {
	t        *testing.T
	s        *studio
	w        *detect.Watch
	o        detect.WatchOptions
	interval time.Duration
	now      time.Time
	findings []detect.Finding
	last     detect.Result
}

func newPatrol(t *testing.T, interval time.Duration, zones ...inventory.Zone) *patrol {
	t.Helper()
	im := opencv.New()
	t.Cleanup(func() { _ = im.Close() })
	p := &patrol{t: t, s: newStudio(352, 288), interval: interval, now: midnight}
	p.o = detect.WatchOptions{
		Config: detect.Config{Camera: "cam", Zones: zones, Interval: interval}, Imaging: im,
	}
	p.restart()
	return p
}

// restart replaces the watch by one without memory.
func (p *patrol) restart() {
	p.t.Helper()
	w, err := detect.NewWatch(p.o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.w = w
}

// see shows one picture and returns its findings.
func (p *patrol) see(pic detect.Picture) []detect.Finding {
	p.t.Helper()
	p.now = p.now.Add(p.interval)
	r, err := p.w.See(pic, p.now)
	if err != nil {
		p.t.Fatal(err)
	}
	p.last = r
	p.findings = append(p.findings, r.Findings...)
	return r.Findings
}

// show shows the street with actors for a while, at least once.
func (p *patrol) show(d time.Duration, actors ...actor) []detect.Finding {
	p.t.Helper()
	var out []detect.Finding
	for end := p.now.Add(max(d, p.interval)); p.now.Before(end); {
		out = append(out, p.see(p.s.shoot(actors...))...)
	}
	return out
}

// phases writes down what was told, without the continues.
func (p *patrol) phases() string {
	s := ""
	for _, f := range p.findings {
		if f.Phase != detect.PhaseContinue {
			s += fmt.Sprintf("%s/%s ", f.Zone, f.Phase)
		}
	}
	return s
}

func (p *patrol) want(phases string) {
	p.t.Helper()
	if got := p.phases(); got != phases {
		p.t.Fatalf("told %q, want %q; findings: %s", got, phases, p.list())
	}
}

func (p *patrol) list() string {
	s := ""
	for _, f := range p.findings {
		s += fmt.Sprintf("\n  %s %s/%s began %s score %.2f: %s", f.At.Format(time.TimeOnly), f.Zone, f.Phase, f.Began.Format(time.TimeOnly), f.Score, f.Why.EN)
	}
	return s
}
