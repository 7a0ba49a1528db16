package inventory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseHours reads "22:00-06:00", or "22:00-06:00 mon,tue".
func ParseHours(s string) (Hours, error) {
	span, days, _ := strings.Cut(strings.TrimSpace(s), " ")
	from, to, ok := strings.Cut(span, "-")
	var h Hours
	var err error
	if !ok {
		return h, fmt.Errorf("hours %q: want a span such as 22:00-06:00", s)
	}
	if h.From, err = minutes(from); err != nil {
		return h, fmt.Errorf("hours %q: %w", s, err)
	}
	if h.To, err = minutes(to); err != nil {
		return h, fmt.Errorf("hours %q: %w", s, err)
	}
	if h.From == 24*60 {
		return h, fmt.Errorf("hours %q: a span cannot begin at 24:00", s)
	}
	for d := range strings.SplitSeq(days, ",") {
		if d = strings.ToLower(strings.TrimSpace(d)); d == "" {
			continue
		}
		i := slices.Index(weekdays, d)
		if i < 0 {
			return h, fmt.Errorf("hours %q: no such weekday %q (want %s)", s, d, strings.Join(weekdays, ", "))
		}
		h.Days = append(h.Days, time.Weekday(i))
	}
	return h, nil
}

func minutes(s string) (int, error) {
	var h, m int
	if n, err := fmt.Sscanf(s, "%d:%d", &h, &m); n != 2 || err != nil || len(s) > 5 ||
		h < 0 || m < 0 || m > 59 || h*60+m > 24*60 {
		return 0, fmt.Errorf("no such time of day %q (want 00:00 to 24:00)", s)
	}
	return h*60 + m, nil
}

// String returns the form that ParseHours reads.
func (h Hours) String() string {
	s := fmt.Sprintf("%02d:%02d-%02d:%02d", h.From/60, h.From%60, h.To/60, h.To%60)
	if len(h.Days) == 0 {
		return s
	}
	days := make([]string, len(h.Days))
	for i, d := range h.Days {
		days[i] = weekdays[d]
	}
	return s + " " + strings.Join(days, ",")
}

// MarshalText writes the form that ParseHours reads.
func (h Hours) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what ParseHours reads.
func (h *Hours) UnmarshalText(text []byte) error {
	v, err := ParseHours(string(text))
	if err == nil {
		*h = v
	}
	return err
}

// Contain tells whether local time t lies within the span.
func (h Hours) Contain(t time.Time) bool {
	m := t.Hour()*60 + t.Minute()
	day := t.Weekday()
	switch {
	case h.From == h.To:
	case h.From < h.To:
		if m < h.From || m >= h.To {
			return false
		}
	case m >= h.From:
	case m < h.To:
		day = (day + 6) % 7 // the span began yesterday
	default:
		return false
	}
	return len(h.Days) == 0 || slices.Contains(h.Days, day)
}

// Armed tells whether a zone is armed at local time t.
func (z Zone) Armed(t time.Time) bool {
	return len(z.Hours) == 0 || slices.ContainsFunc(z.Hours, func(h Hours) bool { return h.Contain(t) })
}

// MarshalJSON writes a point as [x, y].
func (p Point) MarshalJSON() ([]byte, error) { return json.Marshal([2]float64{p.X, p.Y}) }

// UnmarshalJSON reads a point from [x, y].
func (p *Point) UnmarshalJSON(b []byte) error {
	var v []float64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if len(v) != 2 {
		return fmt.Errorf("a point is [x, y], got %d numbers", len(v))
	}
	p.X, p.Y = v[0], v[1]
	return nil
}

// Contains tells whether a point lies inside the polygon (even-odd rule).
func (p Polygon) Contains(at Point) bool {
	inside := false
	for i, j := 0, len(p)-1; i < len(p); j, i = i, i+1 {
		a, b := p[i], p[j]
		if (a.Y > at.Y) != (b.Y > at.Y) && at.X < (b.X-a.X)*(at.Y-a.Y)/(b.Y-a.Y)+a.X {
			inside = !inside
		}
	}
	return inside
}
