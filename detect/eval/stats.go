package eval

import (
	"math"
	"slices"
	"time"
)

// Fewest is how many happenings a ratio needs; below it only counts are given.
const Fewest = 20

// Ratio is a share with its 95 % confidence interval, all 0..1.
type Ratio struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Wilson returns the share of hits among n with Wilson's 95 % score interval
// (Wilson 1927, equation 4); n must be above 0.
func Wilson(hits, n int) Ratio {
	const z = 1.959964
	p, m := float64(hits)/float64(n), float64(n)
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	// Rounding must not move the bounds beyond what was seen.
	return Ratio{Value: p, Low: max(0, min(middle-half, p)), High: min(1, max(middle+half, p))}
}

// F1 returns the harmonic mean of precision and recall with its interval.
func F1(found, missed, wrong int) Ratio {
	j := Wilson(found, found+missed+wrong)
	f := func(j float64) float64 { return 2 * j / (1 + j) }
	return Ratio{Value: f(j.Value), Low: f(j.Low), High: f(j.High)}
}

// Spread is how values lie; all 0 where there were none.
type Spread struct {
	Median float64 `json:"median"`
	P90    float64 `json:"p90"`
	Max    float64 `json:"max"`
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{Median: quantile(v, 0.5), P90: quantile(v, 0.9), Max: v[len(v)-1]}
}

// quantile returns the smallest of the sorted values that at least a share q
// of them does not exceed.
func quantile(sorted []float64, q float64) float64 {
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[max(0, min(i, len(sorted)-1))]
}

func seconds(d time.Duration) float64 { return d.Seconds() }
