package wall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// Coverage knows what became of every camera-minute; streams.Ledger is one.
type Coverage interface {
	// Each hands over the hours that begin in [from, to), oldest first.
	Each(ctx context.Context, from, to time.Time, f func(streams.Hour) error) error
}

// Promiser tells what each tier can be relied on for; streams.Manager is one.
type Promiser interface {
	Promises() []streams.Promise
}

// maxCoverageRows bounds one answer.
const maxCoverageRows = 20_000

var errManyRows = errors.New("too many rows")

// grouping is what rows of coverage are told apart by.
type grouping string

const (
	byCell   grouping = "cell"
	byTier   grouping = "tier"
	byHour   grouping = "hour"
	byReason grouping = "reason"
)

type coverageInput struct {
	From  time.Time      `query:"from" doc:"RFC 3339; rounded down to the whole hour; default a day before to"`
	To    time.Time      `query:"to" doc:"RFC 3339; rounded up to the whole hour; default now"`
	Level string         `query:"level" enum:"city,town,cell,subcell" default:"cell" doc:"of the cells to tell apart"`
	Cell  string         `query:"cell" maxLength:"64" doc:"only what lies in this cell of any level"`
	Tier  inventory.Tier `query:"tier" enum:"high,normal,low" doc:"only this tier"`
	By    string         `query:"by" maxLength:"64" default:"cell" doc:"what rows are told apart by: one or more of cell, tier, hour, reason, separated by commas; the sums of the rows are the total"`
}

// span is the whole hours that a request asks for.
func (in *coverageInput) span(now time.Time) (from, to time.Time, err error) {
	invalid := func(format string, args ...any) error {
		return problem(http.StatusUnprocessableEntity, "invalid", fmt.Sprintf(format, args...))
	}
	from, to = in.From.UTC(), in.To.UTC()
	if in.To.IsZero() {
		to = now.UTC()
	}
	if in.From.IsZero() {
		from = to.Add(-24 * time.Hour)
	}
	oldest := now.UTC().Add(-streams.LedgerKept).Truncate(time.Hour)
	switch {
	case !from.Before(to):
		return from, to, invalid("from (%s) must be before to (%s); swap them or leave one out", from.Format(time.RFC3339), to.Format(time.RFC3339))
	case from.After(now):
		return from, to, invalid("from (%s) is in the future; ask for what has happened", from.Format(time.RFC3339))
	case from.Before(oldest):
		return from, to, invalid("coverage is kept for %d days; ask from %s on", streams.LedgerKept/(24*time.Hour), oldest.Format(time.RFC3339))
	}
	if end := now.UTC().Truncate(time.Hour).Add(time.Hour); to.After(end) {
		to = end
	}
	return from.Truncate(time.Hour), to.Add(time.Hour - 1).Truncate(time.Hour), nil
}

// rowKey is what one row of coverage stands for.
type rowKey struct {
	cell   string
	tier   inventory.Tier
	hour   time.Time
	reason streams.Reason
}

// places finds a sub-cell's cell of one level, and whether it lies in a cell.
type places struct {
	grid   *inventory.Grid
	level  inventory.Level
	within string
	known  map[string]located
}

type located struct {
	cell string
	in   bool
}

func (p *places) of(sub string) located {
	l, ok := p.known[sub]
	if ok {
		return l
	}
	l.in = p.within == ""
	for _, c := range p.grid.Path(sub) {
		if c.Level == p.level {
			l.cell = c.ID
		}
		l.in = l.in || c.ID == p.within
	}
	p.known[sub] = l
	return l
}

func (s *Server) getCoverage(ctx context.Context, in *coverageInput) (*body[CoverageReport], error) {
	from, to, err := in.span(s.now())
	if err != nil {
		return nil, err
	}
	by, err := parseSet("by", in.By, []grouping{byCell, byTier, byHour, byReason})
	if err != nil {
		return nil, err
	}
	grid := s.index().grid
	if _, ok := grid.Cell(in.Cell); in.Cell != "" && !ok {
		return nil, problem(http.StatusUnprocessableEntity, "invalid", "there is no cell "+quote(in.Cell)+"; GET /grid lists them")
	}
	report := CoverageReport{From: from, To: to, Total: newCoverageRow(), Tiers: s.promises()}
	at := places{grid: grid, level: inventory.Level(in.Level), within: in.Cell, known: map[string]located{}}
	rows := map[rowKey]*CoverageRow{}
	err = s.coverage.Each(ctx, from, to, func(h streams.Hour) error {
		report.Closed = moment(h.Closed)
		for _, l := range h.Lines {
			place := at.of(l.Cell)
			if !place.in || in.Tier != "" && l.Tier != in.Tier {
				continue
			}
			key := rowKey{}
			for _, g := range by {
				switch g {
				case byCell:
					key.cell = place.cell
				case byTier:
					key.tier = l.Tier
				case byHour:
					key.hour = h.Begin
				case byReason:
					key.reason = l.Outcome.Blind()
				}
			}
			row := rows[key]
			if row == nil {
				if len(rows) == maxCoverageRows {
					return errManyRows
				}
				r := newCoverageRow()
				r.Cell, r.Tier, r.Hour, r.Reason = key.cell, key.tier, moment(key.hour), key.reason
				row = &r
				rows[key] = row
			}
			row.add(l)
			report.Total.add(l)
		}
		return ctx.Err()
	})
	if errors.Is(err, errManyRows) {
		return nil, problem(http.StatusUnprocessableEntity, "invalid", fmt.Sprintf(
			"that is more than %d rows; ask for fewer hours, one cell or tier, a higher level, or by less", maxCoverageRows))
	}
	if err != nil {
		return nil, err
	}
	report.Rows = make([]CoverageRow, 0, len(rows))
	for _, row := range rows {
		if c, ok := grid.Cell(row.Cell); ok {
			row.Name, row.Level = c.Name, c.Level
		}
		row.share()
		report.Rows = append(report.Rows, *row)
	}
	report.Total.share()
	slices.SortFunc(report.Rows, func(a, b CoverageRow) int {
		tiers := inventory.Tiers()
		c := 0
		if a.Hour != nil && b.Hour != nil {
			c = a.Hour.Compare(*b.Hour)
		}
		return cmp.Or(c, strings.Compare(a.Cell, b.Cell), cmp.Compare(slices.Index(tiers, a.Tier), slices.Index(tiers, b.Tier)),
			strings.Compare(string(a.Reason), string(b.Reason)))
	})
	return answer(report, nil)
}

func newCoverageRow() CoverageRow { return CoverageRow{Reasons: map[streams.Reason]int64{}} }

// add counts camera-minutes.
func (r *CoverageRow) add(l streams.Line) {
	switch l.Outcome {
	case streams.Watched:
		r.Watched += l.Minutes
	case streams.Excused:
		r.Excused += l.Minutes
	default:
		r.Blind += l.Minutes
		r.Reasons[l.Outcome.Blind()] += l.Minutes
	}
}

// share computes the ratio.
func (r *CoverageRow) share() {
	if n := r.Watched + r.Blind; n > 0 {
		ratio := float64(r.Watched) / float64(n)
		r.Ratio = &ratio
	}
}

func (s *Server) promises() []TierPromise {
	out := []TierPromise{}
	for _, p := range s.promiser.Promises() {
		out = append(out, TierPromise{
			Tier: p.Tier, IntervalSeconds: p.Nominal.Seconds(), PresentSeconds: p.Present.Seconds(),
			WorstCaseSeconds: p.Worst.Seconds(), ShortestSeconds: p.Shortest.Seconds(), Why: p.Why,
		})
	}
	return out
}
