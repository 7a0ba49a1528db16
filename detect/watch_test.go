//go:build cgo

package detect_test

import (
	"testing"
	"time"

	"videopatrol/detect"
)

var intervals = []time.Duration{2 * time.Second, 5 * time.Second, 10 * time.Second}

func eachInterval(t *testing.T, f func(t *testing.T, interval time.Duration)) {
	t.Helper()
	for _, d := range intervals {
		t.Run(d.String(), func(t *testing.T) {
			t.Helper()
			f(t, d)
		})
	}
}

func TestQuietSceneRaisesNothing(t *testing.T) {
	eachInterval(t, func(t *testing.T, d time.Duration) {
		t.Helper()
		p := newPatrol(t, d, closedArea, fireLane)
		p.show(3 * time.Minute)
		p.want("")
		if p.last.Scene.Fault != detect.SceneOK || len(p.last.Still) == 0 {
			t.Fatalf("scene %+v, still of %d bytes", p.last.Scene, len(p.last.Still))
		}
	})
}

func TestIntrusionIsOneSequence(t *testing.T) {
	eachInterval(t, func(t *testing.T, d time.Duration) {
		t.Helper()
		p := newPatrol(t, d, closedArea)
		p.show(30 * time.Second)
		p.show(d, person(0.2, 0.5)) // outside
		p.want("")
		begin := p.show(d, person(0.6, 0.5))
		if len(begin) != 1 || begin[0].Phase != detect.PhaseBegin {
			t.Fatalf("one sample inside told %v, want one begin", begin)
		}
		if f := begin[0]; len(f.Picture) == 0 || len(f.Boxes) != 1 || f.Why.ZH == "" || f.Why.EN == "" || f.Began != p.now {
			t.Fatalf("the begin lacks something: %d bytes of picture, boxes %v, why %v, began %v", len(f.Picture), f.Boxes, f.Why, f.Began)
		}
		p.show(d, person(0.7, 0.5))
		p.show(d, person(0.85, 0.55))
		p.show(time.Minute)
		p.want("yard/begin yard/end ")
		p.show(d, person(0.7, 0.5))
		p.show(time.Minute)
		p.want("yard/begin yard/end yard/begin yard/end ")
		if p.findings[0].Began.Equal(p.findings[len(p.findings)-1].Began) {
			t.Fatal("two intrusions share one beginning")
		}
	})
}

func TestOneWhoStandsStillIsNotForgotten(t *testing.T) {
	p := newPatrol(t, 5*time.Second, closedArea)
	p.show(30 * time.Second)
	p.show(20*time.Minute, person(0.7, 0.5))
	p.want("yard/begin ")
	p.show(time.Minute)
	p.want("yard/begin yard/end ")
}

func TestFireLaneBlocked(t *testing.T) {
	eachInterval(t, func(t *testing.T, d time.Duration) {
		t.Helper()
		p := newPatrol(t, d, fireLane)
		p.show(30 * time.Second)
		p.see(p.s.shoot(car(0.1, 0.6))) // it arrives …
		stood := p.now
		p.show(time.Minute+d, car(0.5, 0.6)) // … and stands
		p.want("lane/begin ")
		f := p.findings[0]
		if late := f.At.Sub(stood); late > time.Minute+2*d+2*time.Second {
			t.Errorf("begin %v after it came to stand", late)
		}
		if want := stood.Add(d); !f.Began.Equal(want) {
			t.Errorf("began %v, want %v", f.Began, want)
		}
		p.show(d, car(0.5, 0.6), person(0.48, 0.55)) // someone passes before it
		p.show(5*time.Minute, car(0.5, 0.6))
		p.want("lane/begin ")
		p.show(time.Minute)
		p.want("lane/begin lane/end ")
	})
}

func TestTrafficDoesNotBlock(t *testing.T) {
	p := newPatrol(t, 5*time.Second, fireLane)
	p.show(30 * time.Second)
	for i := range 60 {
		c := car(0.1+0.13*float64(i%5), 0.6)
		c.luma = 30 + float64(i*37%190)
		p.see(p.s.shoot(c))
	}
	for range 6 { // stops for less than the dwell
		p.show(40*time.Second, car(0.4, 0.6))
		p.show(10 * time.Second)
	}
	p.want("")
}

func TestWhatStoodThereAtFirstIsNotNew(t *testing.T) {
	p := newPatrol(t, 5*time.Second, fireLane, closedArea)
	p.show(2*time.Minute, car(0.3, 0.6))
	p.show(2 * time.Minute)
	p.want("")
	p.show(2*time.Minute, car(0.3, 0.6))
	p.show(time.Minute)
	p.want("lane/begin lane/end ")
}

func TestLight(t *testing.T) {
	p := newPatrol(t, 5*time.Second, fireLane, closedArea)
	p.s.sway = 2
	p.show(time.Minute)
	for _, light := range []float64{0.8, 1, 1.2, 1} {
		p.s.light = light
		p.show(30 * time.Second)
	}
	for p.s.light > 0.3 { // dusk
		p.s.light -= 0.005
		p.show(5 * time.Second)
	}
	p.want("")
	// So dim and small it may be an insect, until it is seen twice.
	p.show(10*time.Second, person(0.7, 0.5))
	p.show(30 * time.Second)
	p.want("yard/begin yard/end ")
}

func TestSceneFaults(t *testing.T) {
	eachInterval(t, func(t *testing.T, d time.Duration) {
		t.Helper()
		p := newPatrol(t, d, closedArea, fireLane)
		faulty := func(name detect.Fault, within time.Duration, shoot func() detect.Picture) {
			t.Helper()
			began := p.now
			for p.last.Scene.Fault != name {
				p.see(shoot())
				if p.now.Sub(began) > within {
					t.Fatalf("not %s after %v: %+v", name, p.now.Sub(began), p.last.Scene)
				}
			}
			for range 5 {
				p.see(shoot())
			}
			if p.last.Scene.Fault != name || p.last.Scene.Since.Before(began) || p.last.Scene.Since.After(began.Add(2*d)) {
				t.Fatalf("scene %+v, want %s since %v", p.last.Scene, name, began)
			}
			p.show(3 * d)
			if p.last.Scene.Fault != detect.SceneOK {
				t.Fatalf("still %+v", p.last.Scene)
			}
			p.show(time.Minute)
			p.want("")
		}
		p.show(30 * time.Second)
		frozen := p.s.shoot(person(0.2, 0.5))
		faulty(detect.SceneFrozen, max(3*d, 10*time.Second+d)+2*time.Second, func() detect.Picture { return frozen })
		faulty(detect.SceneDark, 2*d+2*time.Second, func() detect.Picture {
			q := plane(352, 288, func(int, int) float64 { return 18 + 1.5*p.s.rng.NormFloat64() })
			f := p.s.shoot()
			f.Y = q
			return f
		})
		faulty(detect.SceneCovered, 2*d+2*time.Second, func() detect.Picture {
			f := p.s.shoot()
			f.Y = plane(352, 288, func(x, _ int) float64 { return 70 + float64(x)/20 + 2*p.s.rng.NormFloat64() })
			return f
		})
	})
}

func TestAFaultEndsNothing(t *testing.T) {
	p := newPatrol(t, 5*time.Second, closedArea, fireLane)
	p.show(30 * time.Second)
	p.show(90*time.Second, car(0.6, 0.6))
	p.want("yard/begin lane/begin ")
	f := p.s.shoot()
	f.Y = plane(352, 288, func(int, int) float64 { return 17 + p.s.rng.NormFloat64() })
	for range 20 {
		p.see(f)
	}
	p.show(time.Minute, car(0.6, 0.6))
	p.want("yard/begin lane/begin ")
	p.show(time.Minute)
	p.want("yard/begin lane/begin yard/end lane/end ")
}

// A person far away is a dozen pixels of the reduced plane: enough when they
// stand out, not when they hardly do.
func TestWhatStandsOutMayBeSmall(t *testing.T) {
	for luma, want := range map[float64]string{15: "yard/begin yard/end ", 98: ""} {
		p := newPatrol(t, 5*time.Second, closedArea)
		p.show(30 * time.Second)
		p.show(30*time.Second, actor{x: 0.7, y: 0.6, w: 0.015, h: 0.025, luma: luma})
		p.show(30 * time.Second)
		if got := p.phases(); got != want {
			t.Errorf("luma %g: told %q, want %q%s", luma, got, want, p.list())
		}
	}
}
