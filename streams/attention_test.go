package streams_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"videopatrol/streams"
)

var ten = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// s is a moment in seconds after ten o'clock.
func s(seconds float64) time.Time { return ten.Add(time.Duration(seconds * float64(time.Second))) }

// steadily answers a look every five seconds, each at once.
func steadily(a streams.Attention, from, to float64) {
	for t := from; t < to; t += 5 {
		a.Due(s(t), s(t+7), s(t))
		a.Seen(s(t))
	}
}

// TestAttention: what a minute is, one story a line. Each story is told until
// its minutes are closed, half a minute after their end.
func TestAttention(t *testing.T) {
	for name, c := range map[string]struct {
		story func(a streams.Attention)
		want  string // the outcomes of the minutes from 10:00 on
	}{
		"never visited": {func(streams.Attention) {}, "not_visited not_visited"},
		"the first minute had no look at its begin": {
			func(a streams.Attention) { steadily(a, 3, 150) }, "not_visited watched",
		},
		"a look is answered late in its time": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(70), s(77), s(60))
			a.Seen(s(77))
		}, "not_visited watched watched"},
		"a look is answered too late": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(70), s(77), s(60))
			a.Seen(s(78))
			steadily(a, 80, 180)
		}, "not_visited late watched"},
		"across the end of the minute, in time": {func(a streams.Attention) {
			steadily(a, 0, 110)
			a.Due(s(118), s(125), s(110))
			a.Seen(s(124))
			steadily(a, 125, 180)
		}, "not_visited watched watched"},
		"an overdue look stays due": {func(a streams.Attention) {
			steadily(a, 0, 100)
			a.Due(s(110), s(117), s(105))
			a.Seen(s(190))
			steadily(a, 195, 270)
		}, "not_visited late late late watched"},
		"the first reason wins, and the newest one lasts": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(70), s(77), s(60))
			a.Blind(s(71), streams.ReasonClosed)
			a.Blind(s(75), streams.ReasonUnreachable)
		}, "not_visited closed unreachable unreachable"},
		"a trouble that is over before the time is up is none": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(70), s(77), s(60))
			a.Blind(s(71), streams.ReasonClosed)
			a.Seen(s(76))
			a.Due(s(80), s(87), s(76))
			a.Seen(s(80))
		}, "not_visited watched watched"},
		"a trouble before the look was due explains it": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(70), s(77), s(60))
			a.Blind(s(65), streams.ReasonStalled)
		}, "not_visited stalled stalled"},
		"distrust is blind, and ends": {func(a streams.Attention) {
			steadily(a, 0, 60)
			for t := 60.0; t < 100; t += 5 {
				a.Due(s(t), s(t+7), s(t))
				a.Blind(s(t), streams.ReasonDark)
			}
			steadily(a, 100, 240)
		}, "not_visited dark watched watched"},
		"an hourly look that was answered holds": {func(a streams.Attention) {
			a.Due(s(10), s(20), s(0))
			a.Seen(s(12))
			a.Due(s(3610), s(3620), s(12))
		}, "not_visited watched watched watched watched"},
		"an hourly look that failed holds too": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(65), s(75), s(60))
			a.Blind(s(66), streams.ReasonAuth)
			a.Due(s(3665), s(3675), s(66))
		}, "not_visited auth auth auth auth"},
		"a plan that changes before its look is due": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(70), s(77), s(60))
			a.Due(s(600), s(607), s(65))
		}, "not_visited watched watched"},
		"a plan that changes after its look was due": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(70), s(77), s(60))
			a.Due(s(600), s(607), s(71))
		}, "not_visited late late"},
		"verdicts that come late are taken by when their samples came": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(60), s(67), s(60))
			a.Due(s(65), s(72), s(60))
			a.Due(s(70), s(77), s(65))
			a.Seen(s(60))
			a.Seen(s(65))
			a.Seen(s(70))
		}, "not_visited watched watched"},
		"a verdict on what came before the trouble does not end it": {func(a streams.Attention) {
			steadily(a, 0, 60)
			a.Due(s(60), s(67), s(60))
			a.Due(s(65), s(72), s(60))
			a.Blind(s(63), streams.ReasonClosed)
			a.Seen(s(60))
		}, "not_visited closed closed"},
		"more looks than analyses": {func(a streams.Attention) {
			steadily(a, 0, 60)
			for t := 60.0; t < 70; t++ {
				a.Due(s(t), s(t+3), s(t))
			}
			a.Seen(s(69))
			steadily(a, 70, 240)
		}, "not_visited late watched watched"},
		"a clock that steps back reopens nothing": {func(a streams.Attention) {
			steadily(a, 0, 120)
			steadily(a, -600, 120)
		}, "not_visited watched watched"},
	} {
		t.Run(name, func(t *testing.T) {
			a := streams.NewAttention(ten)
			c.story(a)
			var got []string
			for i := range strings.Fields(c.want) {
				outcome := string(a.Close(s(60*float64(i+1) + streams.Settle.Seconds())))
				if outcome == "" {
					outcome = "watched"
				}
				got = append(got, outcome)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %s, want %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

func TestAttentionIsSmall(t *testing.T) {
	if streams.AttentionSize > 64 {
		t.Errorf("%d bytes a camera, want at most 64", streams.AttentionSize)
	}
	a := streams.NewAttention(ten)
	at := ten
	if n := testing.AllocsPerRun(100, func() {
		a.Due(at, at.Add(time.Second), at)
		a.Seen(at)
		a.Blind(at, streams.ReasonDark)
		a.Close(at)
		at = at.Add(time.Minute)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestAttentionNeverClaims: whatever happens, a minute in which a look was due
// that no trusted sample answered in time is not watched; and where every look
// was answered at once, no minute after the first answer is blind.
func TestAttentionNeverClaims(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type visit struct{ at, by time.Time }
		var (
			a       = streams.NewAttention(ten)
			now     = ten
			closed  = 0
			visits  []visit     // that became due
			seen    []time.Time // trusted, with when it was told
			told    []time.Time
			perfect = rapid.Bool().Draw(t, "perfect")
			pending []time.Time // taken, and not yet judged
			next    visit
		)
		announce := func() {
			at := now.Add(time.Duration(rapid.IntRange(0, 90_000).Draw(t, "wait")) * time.Millisecond)
			next = visit{at, at.Add(time.Duration(rapid.IntRange(0, 40_000).Draw(t, "allowed")) * time.Millisecond)}
			a.Due(next.at, next.by, now)
		}
		check := func() {
			begin := ten.Add(time.Duration(closed) * time.Minute)
			end := begin.Add(time.Minute)
			got := a.Close(now)
			unanswered := false
			for _, v := range visits {
				if v.at.Before(begin) || !v.at.Before(end) {
					continue
				}
				answered := false
				for i, s := range seen {
					answered = answered || !s.Before(v.at) && !s.After(v.by) && !told[i].After(now)
				}
				unanswered = unanswered || !answered
			}
			if unanswered && got == streams.ReasonNone {
				t.Fatalf("minute %d is watched, and a look in it was not answered", closed)
			}
			if perfect && len(seen) > 0 && seen[0].Before(begin) && got != streams.ReasonNone {
				t.Fatalf("minute %d is blind (%s), and every look was answered", closed, got)
			}
			closed++
		}
		announce()
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			step := time.Duration(rapid.IntRange(0, 20_000).Draw(t, "step")) * time.Millisecond
			if perfect {
				step = next.at.Sub(now)
			}
			for until := now.Add(step); ; {
				ready := ten.Add(time.Duration(closed+1)*time.Minute + streams.Settle)
				if ready.After(until) {
					now = until
					break
				}
				now = ready
				if !next.at.After(now) && (len(visits) == 0 || visits[len(visits)-1] != next) {
					visits = append(visits, next) // due by then, whoever asks
				}
				check()
			}
			due := !next.at.After(now)
			if due && (len(visits) == 0 || visits[len(visits)-1] != next) {
				visits = append(visits, next)
			}
			switch what := rapid.IntRange(0, 4).Draw(t, "what"); {
			case perfect:
				a.Seen(now)
				seen, told = append(seen, now), append(told, now)
				announce()
			case what == 0 && due: // a sample is taken, and the next look planned
				pending = append(pending, now)
				announce()
			case what == 1 && len(pending) > 0: // the oldest verdict: trust
				a.Seen(pending[0])
				seen, told = append(seen, pending[0]), append(told, now)
				pending = pending[1:]
			case what == 2 && len(pending) > 0: // the oldest verdict: distrust
				a.Blind(pending[0], streams.ReasonDark)
				pending = pending[1:]
			case what == 3:
				a.Blind(now, streams.ReasonUnreachable)
			case what == 4: // the plan changes
				announce()
			}
		}
	})
}

func ExampleOutcome() {
	fmt.Println(streams.Outcome("dark").Blind(), streams.Watched.Blind() == streams.ReasonNone)
	// Output: dark true
}
