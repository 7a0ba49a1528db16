package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// scraper reads the metrics of a gateway, or of a child that shows the same.
type scraper struct {
	url  string
	http *http.Client
}

func newScraper(address string) *scraper {
	return &scraper{url: address, http: &http.Client{Timeout: 30 * time.Second}}
}

// lines reads the samples of an exposition one by one: name with labels, and
// value.
func (s *scraper) lines(ctx context.Context, path string, see func(series string, v float64)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s", s.url, path, resp.Status)
	}
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		series, value, ok := cutLast(line, ' ')
		if !ok {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			see(series, v)
		}
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return in.Err()
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// families are the values of /metrics by series, and added up by name.
type families map[string]float64

func (s *scraper) metrics(ctx context.Context) (families, error) {
	f := families{}
	err := s.lines(ctx, "/metrics", func(series string, v float64) {
		f[series] = v
		if name, _, labelled := strings.Cut(series, "{"); labelled {
			f[name] += v
		}
	})
	return f, err
}

// visits is how many visits of a mode gave a sample, and how many failed.
func (f families) visits(mode string) (samples, failed float64) {
	for series, v := range f {
		if !strings.HasPrefix(series, "patrol_visits_total{") || !strings.Contains(series, `mode="`+mode+`"`) {
			continue
		}
		if strings.Contains(series, `outcome="sample"`) {
			samples += v
		} else {
			failed += v
		}
	}
	return samples, failed
}

// newest is when the newest analysed picture of each camera was received.
func (s *scraper) newest(ctx context.Context) (map[string]time.Time, error) {
	at := map[string]time.Time{}
	err := s.lines(ctx, "/metrics/cameras", func(series string, v float64) {
		if rest, ok := strings.CutPrefix(series, `patrol_camera_last_sample_timestamp_seconds{camera="`); ok {
			at[strings.TrimSuffix(rest, `"}`)] = time.UnixMilli(int64(v * 1e3))
		}
	})
	return at, err
}

// sampled counts the cameras with a picture received at or after a moment.
func (s *scraper) sampled(ctx context.Context, since time.Time) (int, error) {
	all, err := s.newest(ctx)
	n := 0
	for _, at := range all {
		if !at.Before(since) {
			n++
		}
	}
	return n, err
}

// ages are the ages of the newest analysed pictures, s; sorted by nobody.
func (s *scraper) ages(ctx context.Context) ([]float64, error) {
	all, err := s.newest(ctx)
	now := time.Now()
	ages := make([]float64, 0, len(all))
	for _, at := range all {
		ages = append(ages, now.Sub(at).Seconds())
	}
	return ages, err
}

// arrival is how long it took until shares of the cameras were sampled; a
// negative time means not before the wait was given up.
type arrival struct {
	Half, Ninety, NinetyNine, All time.Duration
	Sampled                       int
}

// arrivals waits until every camera has a picture received since a moment, or
// the limit is over, and tells when which share had. Each step may look at
// something else too.
func (s *scraper) arrivals(ctx context.Context, cameras int, since time.Time, limit time.Duration, step func(sampled int) error) (arrival, error) {
	a := arrival{-1, -1, -1, -1, 0}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := s.sampled(ctx, since)
		if err != nil {
			return a, err
		}
		took := time.Since(since)
		for share, at := range map[float64]*time.Duration{0.5: &a.Half, 0.9: &a.Ninety, 0.99: &a.NinetyNine, 1: &a.All} {
			if *at < 0 && float64(n) >= share*float64(cameras) {
				*at = took
			}
		}
		a.Sampled = n
		if step != nil {
			if err := step(n); err != nil {
				return a, err
			}
		}
		if a.All >= 0 || took > limit {
			return a, nil
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-tick.C:
		}
	}
}

// seconds writes a time of arrival.
func seconds(d time.Duration) string {
	if d < 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// MarshalJSON writes seconds, null for what did not happen.
func (a arrival) MarshalJSON() ([]byte, error) {
	v := func(d time.Duration) string {
		if d < 0 {
			return "null"
		}
		return fmt.Sprintf("%.2f", d.Seconds())
	}
	return fmt.Appendf(nil, `{"p50":%s,"p90":%s,"p99":%s,"all":%s,"sampled":%d}`, v(a.Half), v(a.Ninety), v(a.NinetyNine), v(a.All), a.Sampled), nil
}
