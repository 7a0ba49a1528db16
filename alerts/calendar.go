package alerts

import (
	"cmp"
	"slices"
	"time"

	"videopatrol/inventory"
)

// Calendar is when people work who do not work round the clock.
type Calendar struct {
	// Hours are the working hours; a span ends on the day on which it begins.
	Hours []inventory.Hours `yaml:"hours"`
	// Holidays and Workdays are dates such as 2026-10-01: without work, and
	// with that of any weekday although they would have none (调休).
	Holidays []string `yaml:"holidays"`
	Workdays []string `yaml:"workdays"`

	zone *time.Location
}

// dateForm is how a calendar writes a date.
const dateForm = "2006-01-02"

// mostDays bounds how far a calendar is looked ahead.
const mostDays = 400

// In is the calendar of a time zone.
func (c Calendar) In(zone *time.Location) Calendar {
	c.zone = zone
	return c
}

// Add is when so much working time has passed since from. Without working
// hours, or when they do not come for more than a year, all time is working
// time.
func (c Calendar) Add(from time.Time, d time.Duration) time.Time {
	if c.zone == nil || len(c.Hours) == 0 {
		return from.Add(d)
	}
	left := d
	local := from.In(c.zone)
	for day := range mostDays {
		for _, s := range c.spans(local.Year(), local.Month(), local.Day()+day) {
			if s[0].Before(from) {
				s[0] = from
			}
			length := s[1].Sub(s[0])
			if length <= 0 {
				continue
			}
			if left <= length {
				return s[0].Add(left)
			}
			left -= length
		}
	}
	return from.Add(d)
}

// spans are the working hours of a date, in order and without overlaps.
func (c Calendar) spans(year int, month time.Month, day int) [][2]time.Time {
	noon := time.Date(year, month, day, 12, 0, 0, 0, c.zone)
	date := noon.Format(dateForm)
	extra := slices.Contains(c.Workdays, date)
	if slices.Contains(c.Holidays, date) && !extra {
		return nil
	}
	var all [][2]time.Time
	for _, h := range c.Hours {
		if len(h.Days) > 0 && !slices.Contains(h.Days, noon.Weekday()) && !extra {
			continue
		}
		to := h.To
		if h.From == h.To {
			to = h.From + 24*60
		}
		all = append(all, [2]time.Time{
			time.Date(year, month, day, 0, h.From, 0, 0, c.zone), time.Date(year, month, day, 0, to, 0, 0, c.zone),
		})
	}
	slices.SortFunc(all, func(a, b [2]time.Time) int { return cmp.Compare(a[0].Unix(), b[0].Unix()) })
	var joined [][2]time.Time
	for _, s := range all {
		if n := len(joined); n > 0 && !s[0].After(joined[n-1][1]) {
			if s[1].After(joined[n-1][1]) {
				joined[n-1][1] = s[1]
			}
			continue
		}
		joined = append(joined, s)
	}
	return joined
}
