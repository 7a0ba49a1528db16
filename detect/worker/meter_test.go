package worker_test

import (
	"math"
	"testing"
	"time"

	"videopatrol/detect/worker"
)

func TestLoad(t *testing.T) {
	clock := &clock{now: time.Now()}
	m := worker.NewMeter(clock.Now)
	spend := func(busy bool, d time.Duration) {
		m.Set(busy)
		clock.pass(d)
	}
	want := func(what string, want, within float64) {
		t.Helper()
		if load, _ := m.Read(); math.Abs(load-want) > within {
			t.Errorf("%s: load %.3f, want %.3f", what, load, want)
		}
	}
	want("before anything", 0, 0)
	spend(false, time.Hour)
	want("idle", 0, 0)
	spend(true, 10*time.Second)
	want("busy for ten seconds", 0.86, 0.01)
	spend(true, time.Hour)
	want("busy for an hour", 1, 1e-9)
	for range 3000 { // thirty seconds
		spend(true, 3*time.Millisecond)
		spend(false, 7*time.Millisecond)
	}
	want("3 of 10 ms", 0.3, 0.005)
	spend(false, 10*time.Second)
	want("idle for ten seconds", 0.04, 0.01)
	clock.pass(-time.Minute)
	want("a clock that was set back", 0.04, 0.01)
}

func TestCost(t *testing.T) {
	m := worker.NewMeter(time.Now)
	if _, cost := m.Read(); cost != 0 {
		t.Errorf("cost %v before the first sample", cost)
	}
	m.Sample(8 * time.Millisecond)
	if _, cost := m.Read(); cost != 8*time.Millisecond {
		t.Errorf("cost %v after one sample of 8 ms", cost)
	}
	for range 100 {
		m.Sample(2 * time.Millisecond)
	}
	if _, cost := m.Read(); cost < 2*time.Millisecond || cost > 2100*time.Microsecond {
		t.Errorf("cost %v after a hundred samples of 2 ms", cost)
	}
}

func TestLoadOfAPool(t *testing.T) {
	r := newRig(t, "serve")
	for range 3 {
		r.trusted("a", "slow one") // 300 ms
	}
	if load, cost := r.Load(), r.Cost(); load < 0.1 || load > 1 || cost < 290*time.Millisecond || cost > patience {
		t.Errorf("load %v, cost %v", load, cost)
	}
	if n := r.metric("patrol_worker_sample_cost_seconds"); n < 0.29 {
		t.Errorf("cost %v in metrics", n)
	}
}
