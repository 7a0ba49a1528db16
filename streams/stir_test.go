package streams_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"videopatrol/streams"
)

const (
	fps    = 15
	groups = 30 // pictures of a group, the key unit among them
)

// film plays groups of pictures to a Stir.
type film struct {
	s    streams.Stir
	r    *rand.Rand
	now  time.Time
	due  time.Duration // between due looks
	next time.Time

	looks, early int
}

func newFilm(seed uint64) *film {
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	return &film{r: rand.New(rand.NewPCG(seed, 1)), now: now, due: 10 * time.Second, next: now}
}

// key lets a key unit arrive, and takes it if it is due or the scene stirred.
func (f *film) key() (early bool) {
	due := !f.now.Before(f.next)
	early = !due && f.s.Stirred()
	f.s.Key(f.now)
	switch {
	case due:
		f.next = f.next.Add(f.due)
		f.looks++
		f.s.Seen(false)
	case early:
		f.early++
		f.s.Seen(true)
	}
	return early
}

// group plays one group that costs times as much as the quiet one, with the
// small first pictures that encoders make, and tells whether its key unit was
// looked at early.
func (f *film) group(times float64, qp int) (early bool) {
	early = f.key()
	for i := range groups - 1 {
		size := 1000 * times * math.Exp2(f.r.NormFloat64()*0.2) * (1 - 0.9*math.Exp(-float64(i)/3))
		if qp > 0 {
			size *= math.Exp2(-float64(qp-26) / 6)
		}
		f.s.Add(f.now, int(size), qp)
		f.now = f.now.Add(time.Second / fps)
	}
	f.now = f.now.Add(time.Second / fps)
	return early
}

func (f *film) quiet(n int) {
	for range n {
		f.group(1, 26)
	}
}

// A rise is looked at with the next key unit, once, and again while it lasts
// only every other time.
func TestStirRise(t *testing.T) {
	f := newFilm(1)
	f.due = time.Hour
	f.quiet(100)
	if f.early > 0 {
		t.Errorf("%d early looks at a quiet scene", f.early)
	}
	for range 40 { // early looks are earned by due ones
		f.s.Seen(false)
	}
	var got []bool
	for range 6 {
		got = append(got, f.group(2, 26))
	}
	want := []bool{false, true, false, true, false, true}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("early looks %v, want %v", got, want)
		}
	}
	if f.group(1, 26); f.group(1, 26) {
		t.Error("an early look after it was over")
	}
}

// A short burst right before a key unit is enough.
func TestStirBurst(t *testing.T) {
	f := newFilm(2)
	f.quiet(60)
	for range 8 {
		f.s.Seen(false)
	}
	f.key()
	for i := range groups - 1 {
		size := 900
		if i >= groups-7 {
			size = 3000
		}
		f.s.Add(f.now, size, 26)
	}
	if !f.s.Stirred() {
		t.Errorf("not stirred by half a second of thrice the cost: score %.1f", f.s.Score())
	}
}

// An encoder that holds its bitrate answers a busy scene with a coarser
// quantiser: then the bytes stay, and the QP tells.
func TestStirConstantBitrate(t *testing.T) {
	f := newFilm(3)
	f.quiet(60)
	for range 8 {
		f.s.Seen(false)
	}
	f.group(2, 32) // 2 × 2^-1: the same bytes
	if !f.s.Stirred() {
		t.Errorf("not stirred: score %.1f", f.s.Score())
	}

	blind := newFilm(3)
	for range 60 {
		blind.group(1, -1)
	}
	for range 8 {
		blind.s.Seen(false)
	}
	blind.group(1, -1)
	if blind.s.Stirred() {
		t.Errorf("stirred without QP and without more bytes: score %.1f", blind.s.Score())
	}
	blind.group(2, -1)
	if !blind.s.Stirred() {
		t.Errorf("bytes alone tell nothing: score %.1f", blind.s.Score())
	}
}

// Headers that can be read from now on are another measure: no alarm.
func TestStirQPAppears(t *testing.T) {
	f := newFilm(4)
	for range 60 {
		f.group(1, -1)
	}
	before := f.early
	for range 60 {
		f.group(1, 26)
	}
	if f.early > before {
		t.Errorf("%d early looks because the QP became readable", f.early-before)
	}
}

// Whatever a scene does, early looks are at most a quarter of the due ones,
// and those that were saved up.
func TestStirBudget(t *testing.T) {
	f := newFilm(5)
	for range 3600 / 2 {
		f.group(math.Exp2(f.r.NormFloat64()*0.5*float64(1+f.looks/50%3)), 26)
	}
	if bound := f.looks/4 + 8; f.early > bound {
		t.Errorf("%d early looks beside %d due ones, want at most %d", f.early, f.looks, bound)
	}
	if f.early == 0 {
		t.Error("no early look in a lively scene")
	}
}

// Lamps, infrared, rain: what stays becomes the quiet level, without a look
// for every group meanwhile.
func TestStirNewLevel(t *testing.T) {
	for _, times := range []float64{6, 1. / 6} {
		f := newFilm(6)
		f.quiet(600)
		before := f.early
		for range 120 {
			f.group(times, 26)
		}
		if spent := f.early - before; spent > 8+120*2/10/4 {
			t.Errorf("×%.1f: %d early looks", times, spent)
		}
		before = f.early
		for range 200 {
			f.group(times, 26)
		}
		if f.early > before+2 { // chance
			t.Errorf("×%.1f: %d early looks after four minutes of it", times, f.early-before)
		}
		f.group(2*times, 26)
		if !f.s.Stirred() {
			t.Errorf("×%.1f: deaf at the new level: score %.1f", times, f.s.Score())
		}
	}
}

func TestStirOff(t *testing.T) {
	want := func(t *testing.T, s *streams.Stir, reason string) {
		t.Helper()
		if got, off := s.Off(); got != reason || off != (reason != "") {
			t.Errorf("off %q, %v; want %q", got, off, reason)
		}
	}
	t.Run("intra only", func(t *testing.T) {
		f := newFilm(7)
		want(t, &f.s, "")
		for range 20 {
			f.key()
		}
		want(t, &f.s, streams.StirIntraOnly)
		f.quiet(2)
		want(t, &f.s, "")
	})
	t.Run("padded", func(t *testing.T) {
		f := newFilm(8)
		for range 40 {
			f.key()
			for range groups - 1 {
				f.s.Add(f.now, 3333+f.r.IntN(8), 20+f.r.IntN(9))
			}
		}
		want(t, &f.s, streams.StirPadded)
		f.quiet(1)
		want(t, &f.s, "")
	})
	t.Run("a still scene is not padded", func(t *testing.T) {
		f := newFilm(9)
		for range 40 {
			f.key()
			for range groups - 1 {
				f.s.Add(f.now, 30, 26)
			}
		}
		want(t, &f.s, "")
		for range 8 {
			f.s.Seen(false)
		}
		f.group(1, 26)
		if !f.s.Stirred() {
			t.Error("not stirred by the first movement")
		}
	})
	t.Run("noisy", func(t *testing.T) {
		f := newFilm(10)
		for range 600 {
			f.group(math.Exp2(f.r.NormFloat64()*3), 26)
		}
		want(t, &f.s, streams.StirNoisy)
		if f.s.Stirred() {
			t.Error("stirred although it is off")
		}
		for range 600 {
			f.group(1, 26)
		}
		want(t, &f.s, "")
	})
}

// Sizes and QPs come from cameras: any order of any calls leaves a score that
// is a number, and the bound holds.
func TestStirHostile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s streams.Stir
		now := time.Unix(0, 0)
		early, due := 0, 0
		for range rapid.IntRange(0, 400).Draw(t, "calls") {
			switch rapid.IntRange(0, 6).Draw(t, "call") {
			case 0:
				if s.Stirred() {
					early++
					s.Key(now)
					s.Seen(true)
				}
			case 1:
				due++
				s.Seen(false)
			case 2:
				s.Key(now)
			default:
				size, qp := rapid.Int().Draw(t, "size"), rapid.IntRange(-300, 300).Draw(t, "qp")
				for range rapid.IntRange(1, 300).Draw(t, "times") {
					s.Add(now, size, qp)
				}
			}
			now = now.Add(time.Duration(rapid.Int64Range(-1e10, 1e11).Draw(t, "later")))
			if x := s.Score(); math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("score %v", x)
			}
		}
		if early > due/4+1 {
			t.Fatalf("%d early looks beside %d due ones", early, due)
		}
	})
}

func TestStirIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(streams.Stir{}); n > 256 {
		t.Errorf("%d bytes a camera, want at most 256", n)
	}
}

func BenchmarkStirAdd(b *testing.B) {
	var s streams.Stir
	now := time.Now()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i%groups == 0 {
			s.Key(now)
		}
		s.Add(now, 1000+i%97, 24+i%3)
	}
}
