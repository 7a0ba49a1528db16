package feed

import (
	"math"
	"math/rand/v2"
	"time"

	"videopatrol/cmd/citysim/scene"
)

// skies are the weather of a day.
type skies struct {
	cloud, wind, rain, fog float64
	waves                  [4]float64 // phases of what comes and goes
	fogEnds                float64    // hour
}

func newSkies(w Weather, r *rand.Rand) skies {
	if w == AnyWeather {
		w = Weathers()[[...]int{0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5}[r.IntN(13)]]
	}
	between := func(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }
	s := skies{cloud: between(0, 0.12), wind: between(0.05, 0.35), fogEnds: between(8, 11)}
	for i := range s.waves {
		s.waves[i] = between(0, 2*math.Pi)
	}
	switch w {
	case Broken:
		s.cloud = between(0.35, 0.6)
	case Overcast:
		s.cloud = between(0.85, 1)
	case Rainy:
		s.cloud, s.rain, s.wind = between(0.85, 1), between(0.5, 1), between(0.1, 0.6)
	case Foggy:
		s.cloud, s.fog, s.wind = between(0.4, 0.8), between(0.55, 0.85), between(0, 0.1)
	case Windy:
		s.cloud, s.wind = between(0.1, 0.5), between(0.7, 1)
	default:
	}
	return s
}

// at returns the sky at a time of the day.
func (s skies) at(t time.Time) scene.Sky {
	hour := float64(t.Hour()) + float64(t.Minute())/60 + float64(t.Second())/3600
	wave := func(i int, period float64) float64 { return math.Sin(2*math.Pi*hour/period + s.waves[i]) }
	unit := func(v float64) float64 { return min(max(v, 0), 1) }
	return scene.Sky{
		Cloud: unit(s.cloud + 0.08*wave(0, 7.3) + 0.05*wave(1, 2.9)),
		// Showers: now and then, for an hour or so.
		Rain: unit(s.rain * (0.2 + 0.9*wave(2, 3.7) + 0.5*wave(3, 1.3))),
		Fog:  unit(s.fog * min(1, (s.fogEnds-hour)/2) * (0.9 + 0.1*wave(1, 1.1))),
		Wind: unit(s.wind * (0.75 + 0.25*wave(0, 2.3) + 0.15*wave(2, 0.7))),
	}
}
