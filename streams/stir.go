package streams

import (
	"math"
	"time"
)

// The constants of the stir signal. How they were chosen, on which clips and
// cameras, and which were held out, is told in deploy/stir.md, with the figures.
// None is sharp: stirRise of 4 or 5, stirDear of 0.2 to 1 and half of stirLeast
// gave nearly the same.
const (
	// stirRecent is the weight of the newest picture in the recent cost: about
	// a third of a second at 15 pictures a second.
	stirRecent = 0.2
	// stirUp and stirDown are how fast the quiet level follows, as a share of
	// itself and picture: a running quantile of 1/3. So a scene that is busy half
	// of the time still has the level of its quiet half, and night comes slower
	// than this.
	stirUp, stirDown = 0.001, 0.002
	// stirFirst is how many pictures of a place make its first level.
	stirFirst = 16
	// stirLearn is how many groups of pictures pass before anything stirs.
	stirLearn = 8
	// stirStep is how fast median and deviation follow, as a share of the
	// deviation and group.
	stirStep = 0.05
	// stirLeast is the least deviation, in octaves: the cost of the steadiest
	// camera has to rise by an eighth of an octave, 9 %, to be noticed.
	stirLeast = 0.03
	// stirRise is how many deviations above the median stir, and stirDear what
	// every early look that is not there to spend adds to that.
	stirRise, stirDear = 4, 0.2
	// stirWary is what each group that stirs adds to the rise that the next one
	// must have, and stirOften how often that balances: a scene that stirs in
	// more than one of 14 groups is a lively one, and only more than its usual
	// counts.
	stirWary, stirOften = 0.7, 0.07
	// stirEarn is how many early looks a due one earns: the bound of what the
	// signal may cost. stirSave is how many may be saved up.
	stirEarn, stirSave = 0.25, 8
	// stirOdd and stirOddGroups are how long a cost that is nothing like the
	// quiet level must last to become the quiet level: lamps that were lit,
	// infrared, another encoder setting.
	stirOdd       = 90 * time.Second
	stirOddGroups = 8
	// stirBare is how many groups without a P unit make a stream intra-only.
	stirBare = 8
	// stirSame is how many more pictures must be as large as the one before them,
	// to a 256th, than four times those that are not, to be padding; stirFiller is
	// the least size of such a picture, in bytes: the skipped pictures of a still
	// scene are smaller.
	stirSame, stirFiller = 512, 256
	// stirWild is the deviation in octaves above which a cost tells nothing: it
	// would have to rise eightfold.
	stirWild = 0.75
)

// Why the stir signal of a camera is off.
const (
	StirIntraOnly = "intra_only" // every picture is a key unit
	StirPadded    = "padded"     // every picture is filled up to the same size
	StirNoisy     = "noisy"      // the cost jumps about all the time
	StirVisits    = "visits"     // no session stays that could see it
	StirConfig    = "config"     // it is switched off
)

// stirPlaces is how many places in a group of pictures have a level of their
// own: encoders spend much less on the pictures right behind a key unit.
const stirPlaces = 16

// Stir watches what the pictures between a resident camera's key units cost, and
// tells when that is far above the camera's own quiet level: something may have
// begun, and the next key unit is worth a look before one is due. It only ever
// hastens a look. The looks that it asks for are at most a quarter of the due
// ones over time.
//
// The zero Stir is ready. It holds what a camera is like, so it outlives
// sessions. It is not safe for concurrent use.
type Stir struct {
	quiet  [stirPlaces]float32 // cost of a picture, by its place
	known  [stirPlaces]uint8   // pictures that made it, up to stirFirst
	place  uint16              // of the next picture: pictures since the key unit
	hasQP  bool                // the cost is by QP
	lastQP int8

	recent, expected float32 // moving averages of cost and quiet level
	peak             float32 // highest recent ÷ expected since the key unit
	sum, quietSum    float32 // since the key unit

	peaks, means running // of the groups, in octaves
	groups       uint16  // learned, up to a bound
	odd          uint16  // groups in a row that are nothing like the quiet level
	oddSince     time.Time

	balance float32 // early looks to spend, less one
	wary    float32 // deviations more that it takes, because it often took fewer
	rests   bool    // looked while it stirred: the next key unit shows little new
	high    bool    // the newest group stirred

	last float32 // bytes of the newest picture
	same uint16  // how far the pictures are all of one size, up to stirSame
	bare uint8   // groups in a row without a picture
}

// running are a running median and a running median deviation from it.
type running struct{ median, deviation float32 }

// rise is how far x is above the median, in deviations.
func (r *running) rise(x float32) float32 { return (x - r.median) / max(r.deviation, stirLeast) }

// learn takes the n-th value, n ≥ 1.
func (r *running) learn(x float32, n uint16) {
	d := x - r.median
	away := max(d, -d)
	switch {
	case n == 1:
		r.median, r.deviation = x, 0.05
	case n <= 8:
		bound := 2*r.deviation + 0.1
		r.median += max(min(d, bound), -bound) / float32(n)
		r.deviation += (min(away, 0.5) - r.deviation) / float32(n)
	default:
		step := max(r.deviation, stirLeast) * stirStep
		if n < 32 {
			step *= 2
		}
		r.median += copysign(step, d)
		r.deviation = max(r.deviation+copysign(step/2, away-r.deviation), 0)
	}
}

func copysign(f, sign float32) float32 { return float32(math.Copysign(float64(f), float64(sign))) }

// qpCost is 2^(QP/6): the step of the quantiser doubles every six
// (H.264 8.5.9, H.265 8.6.1).
var qpCost = func() (t [52]float32) {
	for qp := range t {
		t[qp] = float32(math.Exp2(float64(qp) / 6))
	}
	return t
}()

// stirPlace is where a picture belongs that is the i-th behind a key unit.
func stirPlace(i uint16) int {
	switch {
	case i < 4:
		return int(i)
	case i < 8:
		return 4 + int(i-4)/2
	case i < 16:
		return 6 + int(i-8)/4
	case i < 32:
		return 8 + int(i-16)/8
	default:
		return min(10+int(i-32)/32, stirPlaces-1)
	}
}

// Add takes a picture that is no key unit: the bytes of its slices and the QP
// of the first, 0..51, negative where it cannot be read; then bytes alone must
// do, which tell little of a constant bitrate. It fits Receiver.Delta.
func (s *Stir) Add(_ time.Time, size, qp int) {
	if qp >= 0 && !s.hasQP {
		s.hasQP = true
		s.forget() // bytes alone were another measure
	}
	if qp >= 0 {
		s.lastQP = int8(min(qp, len(qpCost)-1)) //nolint:gosec // 0..51
	}
	cost := float32(max(size, 1)) * qpCost[s.lastQP]

	if now := float32(size); size < stirFiller || max(now-s.last, s.last-now) > now/256 {
		s.same -= min(s.same, 4) // a key unit takes what the next pictures would be filled with
	} else if s.same < stirSame {
		s.same++
	}
	s.last = float32(size)

	p := stirPlace(s.place)
	s.place = min(s.place+1, math.MaxUint16-1)
	quiet := &s.quiet[p]
	if s.known[p] == 0 {
		*quiet = cost
	}
	s.recent += stirRecent * (cost - s.recent)
	s.expected += stirRecent * (*quiet - s.expected)
	s.sum += cost
	s.quietSum += *quiet
	if s.recent > s.peak*s.expected {
		s.peak = s.recent / s.expected
	}
	switch {
	case s.known[p] < stirFirst:
		s.known[p]++
		*quiet += (max(min(cost, 2**quiet), *quiet/2) - *quiet) / float32(s.known[p])
	case cost > *quiet:
		*quiet += stirUp * *quiet
	default:
		*quiet -= stirDown * *quiet
	}
}

// octaves are by how much the group's costliest third of a second, and all of
// it, cost more than the quiet level.
func (s *Stir) octaves() (peak, mean float32) {
	return float32(math.Log2(float64(s.peak))), float32(math.Log2(float64(s.sum / s.quietSum)))
}

// Score is by how many deviations what came since the last key unit is above
// what is usual; 0 while nothing is known.
func (s *Stir) Score() float64 {
	if s.place == 0 || s.groups < stirLearn {
		return 0
	}
	peak, mean := s.octaves()
	return float64(max(s.peaks.rise(peak), s.means.rise(mean)))
}

// Stirred tells whether the key unit that arrives now is worth a look although
// none is due. Ask it before Key is told of that unit.
func (s *Stir) Stirred() bool {
	if s.rests || s.balance < 0 {
		return false
	}
	if _, off := s.Off(); off {
		return false
	}
	return s.Score() > s.threshold()
}

// threshold is the score that stirs.
func (s *Stir) threshold() float64 {
	return stirRise + float64(s.wary) + stirDear*float64(stirSave-1-s.balance)
}

// Key is told of every key unit that came whole, looked at or not.
func (s *Stir) Key(now time.Time) {
	s.rests = false
	if s.place == 0 {
		s.bare = min(s.bare+1, stirBare)
		return
	}
	s.bare = 0
	peak, mean := s.octaves()
	score := s.Score()
	s.high = score > stirRise
	if score > stirRise+float64(s.wary) {
		s.wary += stirWary
	} else {
		s.wary = max(s.wary-stirWary*stirOften, 0)
	}
	s.place, s.peak, s.sum, s.quietSum = 0, 0, 0, 0
	s.recent = s.expected // what was decided on counts once
	s.groups = min(s.groups+1, math.MaxUint16-1)
	if s.groups < 3 {
		return // the levels are still too young
	}
	low := -float64(s.means.rise(mean))
	s.peaks.learn(peak, s.groups-2)
	s.means.learn(mean, s.groups-2)
	if s.groups <= stirLearn || score < stirRise && low < stirRise {
		s.odd = 0
		return
	}
	if s.odd == 0 {
		s.oddSince = now
	}
	s.odd = min(s.odd+1, math.MaxUint16-1)
	if s.odd >= stirOddGroups && now.Sub(s.oddSince) >= stirOdd {
		s.forget()
	}
}

// Seen is told of every sample that was taken, early or due, whether before or
// after Key heard of its unit.
func (s *Stir) Seen(early bool) {
	if early {
		s.balance--
	} else {
		s.balance = min(s.balance+stirEarn, stirSave-1)
	}
	s.rests = s.high || s.Score() > stirRise
}

// Off tells whether the signal says nothing of this camera, and why. It comes
// back by itself.
func (s *Stir) Off() (reason string, off bool) {
	switch {
	case s.bare >= stirBare:
		return StirIntraOnly, true
	case s.same >= stirSame:
		return StirPadded, true
	case s.groups > stirLearn && s.means.deviation > stirWild:
		return StirNoisy, true
	default:
		return "", false
	}
}

// forget makes it learn anew what is quiet.
func (s *Stir) forget() {
	*s = Stir{hasQP: s.hasQP, lastQP: s.lastQP, balance: s.balance, last: s.last, same: s.same}
}
