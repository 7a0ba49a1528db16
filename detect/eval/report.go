package eval

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// Report is what an evaluation found.
type Report struct {
	Made time.Time `json:"made"`
	// Rows are the figures by split, kind and group; Group "" sums the groups.
	Rows     []Row     `json:"rows"`
	Variants []Variant `json:"variants,omitempty"`
	Quiet    []Quiet   `json:"quiet"`
	Stages   []Stage   `json:"stages"`
	Sources  []Outline `json:"sources"`
	// NoRule are the happenings that this build has no rule for.
	NoRule []Count `json:"no_rule,omitempty"`
	// Moments are what was missed, false or late, worst first; MomentsLeftOut is how
	// many have no place here.
	Moments        []Moment `json:"moments"`
	MomentsLeftOut int      `json:"moments_left_out,omitempty"`
}

// Row is the figures of one kind.
type Row struct {
	Split Split  `json:"split"`
	Group Group  `json:"group,omitempty"`
	Kind  string `json:"kind"`
	Found int    `json:"found"`
	// Missed are happenings, False and Doubles conditions.
	Missed  int `json:"missed"`
	False   int `json:"false"`
	Doubles int `json:"doubles"`
	// Uncounted are happenings that were unsure, blind, joined to another or
	// between two samples.
	Uncounted int `json:"uncounted"`
	// EndsMissing and EndsEarly are of what was found.
	EndsMissing int `json:"ends_missing"`
	EndsEarly   int `json:"ends_early"`
	// The ratios are nil below Fewest happenings.
	Precision *Ratio `json:"precision,omitempty"`
	Recall    *Ratio `json:"recall,omitempty"`
	F1        *Ratio `json:"f1,omitempty"`
	// Delay is in seconds, DelaySamples in samples that showed it.
	Delay        Spread  `json:"delay_seconds"`
	DelaySamples Spread  `json:"delay_samples"`
	CameraDays   float64 `json:"camera_days"`
	// FalsePerDay counts doubles, too.
	FalsePerDay float64 `json:"false_per_camera_day"`
}

// Happenings is how many were to be found.
func (r Row) Happenings() int { return r.Found + r.Missed }

// Wrong is how many conditions were false or doubles.
func (r Row) Wrong() int { return r.False + r.Doubles }

// Variant is how one degradation fared at one strength.
type Variant struct {
	Split   Split  `json:"split"`
	Variant string `json:"variant"`
	Sources int    `json:"sources"`
	// Found and Missed are scene faults by their name, Known those that were
	// declared as any fault.
	Found  int `json:"found"`
	Missed int `json:"missed"`
	Known  int `json:"known"`
	// FalseFaults and FalseFindings are what was declared and is not so.
	FalseFaults   int `json:"false_faults"`
	FalseFindings int `json:"false_findings"`
}

// Total sums the rows of a split over all kinds, AnyFault aside.
func (r *Report) Total(s Split) Row {
	t := Row{Split: s}
	for _, row := range r.Rows {
		if row.Split != s || row.Group != "" || row.Kind == AnyFault {
			continue
		}
		t.Found, t.Missed, t.False, t.Doubles = t.Found+row.Found, t.Missed+row.Missed, t.False+row.False, t.Doubles+row.Doubles
		t.CameraDays = row.CameraDays
	}
	return t
}

// Quiet is how the parts fared in which nothing happens.
type Quiet struct {
	Split      Split   `json:"split"`
	Group      Group   `json:"group"`
	CameraDays float64 `json:"camera_days"`
	False      int     `json:"false"`
}

// Stage is what a stage costs, in milliseconds per sample.
type Stage struct {
	Name    string  `json:"name"`
	Samples int     `json:"samples"`
	Mean    float64 `json:"mean_ms"`
	P95     float64 `json:"p95_ms"`
}

// Outline is one source.
type Outline struct {
	Name    string  `json:"name"`
	Group   Group   `json:"group"`
	Split   Split   `json:"split"`
	Samples int     `json:"samples"`
	Seconds float64 `json:"seconds"`
	Found   int     `json:"found"`
	Missed  int     `json:"missed"`
	False   int     `json:"false"`
	Error   string  `json:"error,omitempty"`
}

// Count is how often something was labelled.
type Count struct {
	Kind       string `json:"kind"`
	Happenings int    `json:"happenings"`
}

// Moment is a happening that was missed or found late, or a condition that is
// false.
type Moment struct {
	Source  string  `json:"source"`
	Split   Split   `json:"split"`
	Kind    string  `json:"kind"`
	Zone    string  `json:"zone,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Offset is in seconds from the first sample.
	Offset float64     `json:"offset_seconds"`
	Reason detect.Text `json:"reason"`
	// Why is what the finding said, Notes what the label says.
	Why   detect.Text       `json:"why,omitzero"`
	Notes string            `json:"notes,omitempty"`
	Boxes []detect.Box      `json:"boxes,omitempty"`
	Area  inventory.Polygon `json:"area,omitempty"`
	// Still and Before are masked JPEGs, of that sample and the one before.
	Still  []byte `json:"-"`
	Before []byte `json:"-"`
}

// What is found after more samples, and longer, than this is shown as late.
const (
	lateSamples = 3
	lateAfter   = 5 * time.Second
)

// momentsMost is how many moments of one kind and outcome are kept.
const momentsMost = 24

// counted is what a row sums over.
type counted struct {
	split Split
	group Group
	kind  string
}

type sums struct {
	Row
	delays, samples []float64
}

// builder makes a report of what the sources gave, in any order.
type builder struct {
	o        Options
	rows     map[counted]*sums
	seconds  map[counted]float64 // kind ""
	quiet    map[counted]*Quiet  // kind ""
	variants map[[2]string]*Variant
	stages   map[string][]float64
	noRule   map[string]int
	sources  map[int]Outline
	moments  map[int][]Moment
}

func newBuilder(o Options) *builder {
	return &builder{
		o: o, rows: map[counted]*sums{}, seconds: map[counted]float64{}, quiet: map[counted]*Quiet{},
		variants: map[[2]string]*Variant{}, stages: map[string][]float64{}, noRule: map[string]int{},
		sources: map[int]Outline{}, moments: map[int][]Moment{},
	}
}

func (b *builder) add(i int, s Source, r run, err error) {
	line := Outline{Name: s.Name, Group: s.Group, Split: s.Split, Samples: len(r.facts.Samples)}
	if err != nil {
		line.Error = err.Error()
	}
	var first time.Time
	if n := len(r.facts.Samples); n > 0 {
		first = r.facts.Samples[0]
		line.Seconds = r.facts.Samples[n-1].Sub(first).Seconds()
	}
	for _, group := range []Group{s.Group, ""} {
		b.seconds[counted{s.Split, group, ""}] += line.Seconds
	}
	for name, v := range r.stages {
		b.stages[name] = append(b.stages[name], v...)
	}
	verdicts := b.only(Judge(r.facts))
	for _, v := range verdicts {
		b.count(s, v)
		switch v.Outcome {
		case OutcomeNoRule:
			b.noRule[v.Kind]++
			continue
		case OutcomeFound:
			line.Found++
			if v.DelaySamples <= lateSamples+1 || v.Delay <= lateAfter {
				continue
			}
			late := v.Delay.Seconds()
			v.Reason = detect.Text{ZH: fmt.Sprintf("迟了 %.0f 秒", late), EN: fmt.Sprintf("found %.0f s late", late)}
		case OutcomeMissed:
			line.Missed++
		case OutcomeFalse, OutcomeDouble:
			line.False++
		default:
			continue
		}
		b.moments[i] = append(b.moments[i], moment(s, r, v, first))
	}
	var known int
	for _, v := range b.only(Judge(r.facts.anyFault())) {
		b.count(s, v)
		if v.Outcome == OutcomeFound {
			known++
		}
	}
	b.addQuiet(s, verdicts)
	if s.Variant != "" {
		b.addVariant(s, verdicts, known)
	}
	b.sources[i] = line
}

// only leaves out what was not asked for.
func (b *builder) only(all []Verdict) []Verdict {
	if len(b.o.Only) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(v Verdict) bool { return !slices.Contains(b.o.Only, v.Kind) })
}

func (b *builder) count(s Source, v Verdict) {
	if v.Outcome == OutcomeNoRule {
		return
	}
	for _, group := range []Group{s.Group, ""} {
		key := counted{s.Split, group, v.Kind}
		if b.rows[key] == nil {
			b.rows[key] = &sums{Row: Row{Split: s.Split, Group: group, Kind: v.Kind}}
		}
		t := b.rows[key]
		switch v.Outcome {
		case OutcomeFound:
			t.Found++
			t.delays, t.samples = append(t.delays, seconds(v.Delay)), append(t.samples, float64(v.DelaySamples))
			switch v.End {
			case EndMissing:
				t.EndsMissing++
			case EndEarly:
				t.EndsEarly++
			case EndGood:
			}
		case OutcomeMissed:
			t.Missed++
		case OutcomeFalse:
			t.False++
		case OutcomeDouble:
			t.Doubles++
		default:
			if v.Happening != nil {
				t.Uncounted++
			}
		}
	}
}

func (b *builder) addQuiet(s Source, verdicts []Verdict) {
	if len(s.Undisturbed) == 0 {
		return
	}
	key := counted{split: s.Split, group: s.Group}
	if b.quiet[key] == nil {
		b.quiet[key] = &Quiet{Split: s.Split, Group: s.Group}
	}
	q := b.quiet[key]
	for _, part := range s.Undisturbed {
		q.CameraDays += part.End.Sub(part.Begin).Hours() / 24
		for _, v := range verdicts {
			if v.Outcome == OutcomeFalse && part.has(v.At()) {
				q.False++
			}
		}
	}
}

func (b *builder) addVariant(s Source, verdicts []Verdict, known int) {
	key := [2]string{string(s.Split), s.Variant}
	if b.variants[key] == nil {
		b.variants[key] = &Variant{Split: s.Split, Variant: s.Variant}
	}
	t := b.variants[key]
	t.Sources++
	t.Known += known
	for _, v := range verdicts {
		fault := v.Zone == ""
		switch {
		case fault && v.Outcome == OutcomeFound:
			t.Found++
		case fault && v.Outcome == OutcomeMissed:
			t.Missed++
		case v.Outcome != OutcomeFalse && v.Outcome != OutcomeDouble:
		case fault:
			t.FalseFaults++
		default:
			t.FalseFindings++
		}
	}
}

func moment(s Source, r run, v Verdict, first time.Time) Moment {
	m := Moment{
		Source: s.Name, Split: s.Split, Kind: v.Kind, Zone: v.Zone, Outcome: v.Outcome,
		Offset: v.At().Sub(first).Seconds(), Reason: v.Reason,
	}
	for _, z := range s.Config.Zones {
		if z.ID == v.Zone {
			m.Area = z.Area
		}
	}
	if c := v.Condition; c != nil {
		m.Why, m.Boxes, m.Still, m.Before = c.Why, c.Boxes, c.Still, c.Before
		return m
	}
	m.Notes = v.Happening.Notes
	for i, h := range r.facts.Happenings {
		if h.Kind == v.Kind && h.Zone == v.Zone && h.Begin.Equal(v.Happening.Begin) {
			m.Still, m.Before = r.stills[i][0], r.stills[i][1]
		}
	}
	return m
}

func (b *builder) report() *Report {
	r := &Report{Made: b.o.Now()}
	for _, t := range b.rows {
		row := t.Row
		row.Delay, row.DelaySamples = spread(t.delays), spread(t.samples)
		row.CameraDays = b.seconds[counted{row.Split, row.Group, ""}] / (24 * time.Hour).Seconds()
		if row.CameraDays > 0 {
			row.FalsePerDay = float64(row.Wrong()) / row.CameraDays
		}
		if row.Happenings() >= Fewest {
			f1, recall := F1(row.Found, row.Missed, row.Wrong()), Wilson(row.Found, row.Happenings())
			row.F1, row.Recall = &f1, &recall
			if told := row.Found + row.Wrong(); told > 0 {
				p := Wilson(row.Found, told)
				row.Precision = &p
			}
		}
		r.Rows = append(r.Rows, row)
	}
	slices.SortFunc(r.Rows, func(a, b Row) int {
		return cmp.Or(bySplit(a.Split, b.Split), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group))
	})
	for _, v := range b.variants {
		r.Variants = append(r.Variants, *v)
	}
	slices.SortFunc(r.Variants, func(a, b Variant) int {
		return cmp.Or(bySplit(a.Split, b.Split), cmp.Compare(a.Variant, b.Variant))
	})
	for _, q := range b.quiet {
		r.Quiet = append(r.Quiet, *q)
	}
	slices.SortFunc(r.Quiet, func(a, b Quiet) int {
		return cmp.Or(bySplit(a.Split, b.Split), cmp.Compare(a.Group, b.Group))
	})
	b.stagesOf(r)
	for _, kind := range slices.Sorted(maps.Keys(b.noRule)) {
		r.NoRule = append(r.NoRule, Count{Kind: kind, Happenings: b.noRule[kind]})
	}
	kept := map[string]int{}
	for _, i := range slices.Sorted(maps.Keys(b.sources)) {
		r.Sources = append(r.Sources, b.sources[i])
		for _, m := range b.moments[i] {
			key := string(m.Split) + m.Kind + string(m.Outcome)
			if kept[key]++; kept[key] > momentsMost {
				r.MomentsLeftOut++
				continue
			}
			r.Moments = append(r.Moments, m)
		}
	}
	worst := []Outcome{OutcomeMissed, OutcomeFalse, OutcomeDouble, OutcomeFound}
	slices.SortStableFunc(r.Moments, func(a, b Moment) int {
		return cmp.Or(bySplit(a.Split, b.Split), cmp.Compare(slices.Index(worst, a.Outcome), slices.Index(worst, b.Outcome)), cmp.Compare(a.Kind, b.Kind))
	})
	return r
}

// bySplit puts the held-out figures first.
func bySplit(a, b Split) int { return cmp.Compare(a, b) }

func (b *builder) stagesOf(r *Report) {
	for name, v := range b.stages {
		slices.Sort(v)
		sum := 0.0
		for _, s := range v {
			sum += s
		}
		r.Stages = append(r.Stages, Stage{
			Name: name, Samples: len(v), Mean: 1000 * sum / float64(len(v)), P95: 1000 * quantile(v, 0.95),
		})
	}
	order := []string{"decode", "scene", "motion", "objects", "rules", "encode"}
	slices.SortFunc(r.Stages, func(a, b Stage) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Name), slices.Index(order, b.Name)), cmp.Compare(a.Name, b.Name))
	})
}
