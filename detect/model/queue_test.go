package model_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"videopatrol/detect"
	"videopatrol/detect/model"
	"videopatrol/inventory"
)

// slow takes a while for each look, and remembers which it got. A look's
// name is its first luma pixel.
type slow struct {
	each    time.Duration
	batches [][]byte
	bad     byte // the look that makes it fail
}

func (s *slow) Classes() []string { return []string{"person"} }

func (s *slow) Detect(looks []detect.Look) ([][]detect.Detection, error) {
	var names []byte
	out := make([][]detect.Detection, len(looks))
	for i, l := range looks {
		name := l.Picture.Y.Pix[0]
		names = append(names, name)
		out[i] = []detect.Detection{{Class: "person", Score: float64(name) / 255}}
		time.Sleep(s.each)
		if name == s.bad {
			s.batches = append(s.batches, names)
			return nil, errors.New("a bad picture")
		}
	}
	s.batches = append(s.batches, names)
	return out, nil
}

type asked struct {
	q       *model.Queue
	answers chan string
}

func (a *asked) ask(name byte, tier inventory.Tier, within time.Duration) {
	r := model.Request{Look: detect.Look{Picture: plain(32, 32, name, 128, 128)}, Tier: tier}
	if within > 0 {
		r.Deadline = time.Now().Add(within)
	}
	go func() {
		found, err := a.q.Ask(context.Background(), r)
		switch {
		case err != nil:
			a.answers <- fmt.Sprintf("%c %v", name, err)
		case len(found) != 1 || found[0].Score != float64(name)/255:
			a.answers <- fmt.Sprintf("%c has somebody else's answer", name)
		default:
			a.answers <- string(rune(name))
		}
	}()
	synctest.Wait()
}

// queued runs a test with a queue under a fake clock.
func queued(t *testing.T, o model.QueueOptions, test func(a *asked)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q, err := model.NewQueue(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- q.Run(ctx) }()
		synctest.Wait()
		test(&asked{q: q, answers: make(chan string, 100)})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (a *asked) want(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range want {
		select {
		case s := <-a.answers:
			got = append(got, s)
		case <-time.After(time.Minute):
			t.Fatalf("answers %q, want %q", got, want)
		}
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("answers %q, want %q", got, want)
	}
}

// What matters most is looked at first, in batches across cameras.
func TestQueueOrder(t *testing.T) {
	s := &slow{each: 10 * time.Millisecond}
	queued(t, model.QueueOptions{Detector: s, Batch: 2}, func(a *asked) {
		a.ask('a', inventory.TierLow, 0) // begins at once
		a.ask('l', inventory.TierLow, 0)
		a.ask('n', inventory.TierNormal, 0)
		a.ask('h', inventory.TierHigh, time.Second)
		a.ask('H', inventory.TierHigh, time.Second/2)
		for range 5 {
			if s := <-a.answers; len(s) != 1 {
				t.Error(s)
			}
		}
		c := a.q.Counts()
		if c.Batches != 3 || c.Asked[inventory.TierHigh] != 2 || len(c.Dropped) != 0 || c.Busy != 50*time.Millisecond {
			t.Errorf("%+v", c)
		}
		if c := a.q.Counts(); c.Batches != 0 || len(c.Asked) != 0 {
			t.Errorf("counted twice: %+v", c)
		}
	})
	if got := fmt.Sprintf("%s", s.batches); got != "[a Hh nl]" {
		t.Errorf("batches %s", got)
	}
}

// Too many wait: the lowest tier goes first, its oldest look before the others.
func TestQueueFull(t *testing.T) {
	s := &slow{each: 10 * time.Millisecond}
	queued(t, model.QueueOptions{Detector: s, Waiting: 3, Batch: 1}, func(a *asked) {
		a.ask('a', inventory.TierLow, 0)
		a.ask('1', inventory.TierLow, 0)
		a.ask('2', inventory.TierLow, 0)
		a.ask('n', inventory.TierNormal, 0)
		const full = " the model has no time for this look: full"
		a.ask('h', inventory.TierHigh, 0)
		a.want(t, "1"+full)
		a.ask('i', inventory.TierHigh, 0)
		a.want(t, "2"+full)
		a.ask('3', inventory.TierLow, 0) // everything else matters more
		a.want(t, "3"+full)
		a.want(t, "a", "h", "i", "n")
		if c := a.q.Counts(); c.Dropped[inventory.TierLow][model.DropFull] != 3 || c.Asked[inventory.TierLow] != 4 {
			t.Errorf("%+v", c)
		}
	})
}

// A caller hears at its deadline that it is too late, whatever the detector does.
func TestQueueLate(t *testing.T) {
	s := &slow{each: 100 * time.Millisecond}
	queued(t, model.QueueOptions{Detector: s}, func(a *asked) {
		a.ask('a', inventory.TierLow, 50*time.Millisecond) // has begun: it gets its answer
		a.ask('b', inventory.TierHigh, 50*time.Millisecond)
		begin := time.Now()
		a.want(t, "b the model has no time for this look: late")
		if d := time.Since(begin); d != 50*time.Millisecond {
			t.Errorf("heard after %v", d)
		}
		a.want(t, "a")
	})
}

// A model that takes more than its share of the time is kept for those that
// matter most, as long as that helps; once it has rested, everybody is served.
func TestQueueShare(t *testing.T) {
	s := &slow{each: time.Second}
	queued(t, model.QueueOptions{Detector: s, Share: 0.6}, func(a *asked) {
		got := map[inventory.Tier]string{}
		for range 12 {
			for _, tier := range inventory.Tiers() {
				a.ask(tier[0], tier, 0)
				answer := <-a.answers
				got[tier] += map[bool]string{true: "+", false: "-"}[len(answer) == 1]
			}
		}
		// 6 s of credit, which each busy second lessens by 0.4 s: 4 s of it are
		// not for the low tier, 2 s for the high one alone. Looks are asked for
		// without any pause, so in the end nobody gets one.
		want := map[inventory.Tier]string{inventory.TierHigh: "+++++++++---", inventory.TierNormal: "++++--------", inventory.TierLow: "+-----------"}
		if !maps.Equal(got, want) {
			t.Errorf("looks %v, want %v", got, want)
		}
		time.Sleep(model.ShareWindow)
		a.ask('l', inventory.TierLow, 0)
		a.want(t, "l")
		c := a.q.Counts()
		if n := c.Dropped[inventory.TierLow][model.DropShare]; n != 11 {
			t.Errorf("%d low looks dropped: %+v", n, c)
		}
	})
}

// One camera's picture that the detector refuses costs the others nothing.
func TestQueueBadLook(t *testing.T) {
	s := &slow{each: time.Millisecond, bad: 'x'}
	queued(t, model.QueueOptions{Detector: s}, func(a *asked) {
		for _, name := range []byte("axb") {
			a.ask(name, inventory.TierLow, 0)
		}
		a.want(t, "a", "x a bad picture", "b")
		if _, err := a.q.Ask(t.Context(), model.Request{}); err == nil {
			t.Error("looked at no picture")
		}
	})
}

// Who stops waiting is not looked for; the end of Run answers everybody.
func TestQueueEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, err := model.NewQueue(model.QueueOptions{Detector: &slow{}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r := model.Request{Look: detect.Look{Picture: plain(32, 32, 1, 1, 1)}}
		errs := make(chan error, 2)
		go func() { _, err := q.Ask(ctx, r); errs <- err }()
		synctest.Wait()
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("gave up: %v", err)
		}
		go func() { _, err := q.Ask(context.Background(), r); errs <- err }()
		synctest.Wait()
		ended, end := context.WithCancel(t.Context())
		end()
		if err := q.Run(ended); err != nil {
			t.Error(err)
		}
		if err := <-errs; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the queue ended: %v", err)
		}
	})
}

func TestQueueOptions(t *testing.T) {
	for _, o := range []model.QueueOptions{{}, {Detector: &slow{}, Waiting: -1}, {Detector: &slow{}, Share: 2}} {
		if _, err := model.NewQueue(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestMetrics(t *testing.T) {
	r := prometheus.NewRegistry()
	m := model.NewMetrics(r)
	m.Add(model.Counts{
		Asked: map[inventory.Tier]uint64{"low": 3, "forged": 9}, Batches: 2, Busy: time.Second,
		Dropped: map[inventory.Tier]map[model.Drop]uint64{"low": {model.DropFull: 2, "forged": 9}},
	})
	problems, err := testutil.GatherAndLint(r)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	want := `
# HELP patrol_object_looks_dropped_total Looks that the model did not get to, by why: full (too many wait), late (past the deadline), share (models have had their share of the time), fault (the model failed).
# TYPE patrol_object_looks_dropped_total counter
patrol_object_looks_dropped_total{tier="high",why="fault"} 0
patrol_object_looks_dropped_total{tier="high",why="full"} 0
patrol_object_looks_dropped_total{tier="high",why="late"} 0
patrol_object_looks_dropped_total{tier="high",why="share"} 0
patrol_object_looks_dropped_total{tier="low",why="fault"} 0
patrol_object_looks_dropped_total{tier="low",why="full"} 2
patrol_object_looks_dropped_total{tier="low",why="late"} 0
patrol_object_looks_dropped_total{tier="low",why="share"} 0
patrol_object_looks_dropped_total{tier="normal",why="fault"} 0
patrol_object_looks_dropped_total{tier="normal",why="full"} 0
patrol_object_looks_dropped_total{tier="normal",why="late"} 0
patrol_object_looks_dropped_total{tier="normal",why="share"} 0
# HELP patrol_object_looks_total Looks that rules wanted of a model.
# TYPE patrol_object_looks_total counter
patrol_object_looks_total{tier="high"} 0
patrol_object_looks_total{tier="low"} 3
patrol_object_looks_total{tier="normal"} 0
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), "patrol_object_looks_total", "patrol_object_looks_dropped_total"); err != nil {
		t.Error(err)
	}
}
