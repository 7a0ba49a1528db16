package alerts_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"videopatrol/alerts"
	"videopatrol/detect"
)

// A story is a file of lines; times count from its beginning.
//
//	at T finding PHASE [camera=c1] [zone=gate] [began=T] [at=T] [picture=TEXT]
//	at T repeat                               every finding so far comes again
//	at T NAME moves N to STATE [reason=…] [departments=a,b] [version=V] [fails stale|refused]
//	at T NAME brings order N.I to STATE [reason=…] [fails refused]
//	at T restart
//	at T sink NAME up|down|gone|busy
//	want leads N
//	want T..T lead N STATE [by NAME]          a step of its trace, in that time
//	want lead N STATE [version=V] [owner=NAME] [pictures=K] [ended=T|running]
//	want T..T sink NAME lead N STATE          a delivery, in that time
//	want sink NAME deliveries N
//
// began= is the time of the finding's begin when it is not given.
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) < 8 {
		t.Fatalf("found %d stories: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { tell(t, string(text)) })
		})
	}
}

func tell(t *testing.T, text string) {
	t.Helper()
	s := &story{t: t, start: time.Now(), began: map[string]time.Duration{}, sinks: map[string]*scriptedSink{}}
	s.gateway.dir = t.TempDir()
	for _, name := range []string{"desk", "police"} {
		sink := &scriptedSink{start: s.start}
		s.sinks[name] = sink
		s.gateway.sinks = append(s.gateway.sinks, alerts.Subscription{Name: name, Sink: sink})
	}
	s.gateway.start(t)
	defer func() { s.gateway.stop() }()
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		s.line = fmt.Sprintf("line %d: %s", i+1, strings.TrimSpace(line))
		s.words, s.named = nil, map[string]string{}
		for _, w := range words {
			if k, v, ok := strings.Cut(w, "="); ok {
				s.named[k] = v
			} else {
				s.words = append(s.words, w)
			}
		}
		switch {
		case s.words[0] == "at" && len(s.words) > 2:
			s.until(s.duration(s.words[1]))
			s.words = s.words[2:]
			s.act()
		case s.words[0] == "want" && len(s.words) > 2:
			s.words = s.words[1:]
			s.want()
		default:
			s.fail("no such line")
		}
	}
}

type story struct {
	t        *testing.T
	start    time.Time
	gateway  gateway
	sinks    map[string]*scriptedSink
	findings []detect.Finding
	began    map[string]time.Duration // by camera and zone

	line  string
	words []string
	named map[string]string
}

func (s *story) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s: %s", s.line, fmt.Sprintf(format, args...))
}

func (s *story) must(err error) {
	s.t.Helper()
	if err != nil {
		s.fail("%v", err)
	}
}

func (s *story) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	s.must(err)
	return d
}

// until lets the time come, and everything settle that happens at it.
func (s *story) until(at time.Duration) {
	wait := time.Until(s.start.Add(at))
	if wait < 0 {
		s.fail("is in the past")
	}
	time.Sleep(wait)
	synctest.Wait()
}

func (s *story) act() {
	switch {
	case s.words[0] == "finding" && len(s.words) == 2:
		f := s.finding(detect.Phase(s.words[1]))
		s.findings = append(s.findings, f)
		s.must(s.gateway.engine.Observe(s.t.Context(), f))
	case s.words[0] == "repeat":
		for _, f := range s.findings {
			s.must(s.gateway.engine.Observe(s.t.Context(), f))
		}
	case s.words[0] == "restart":
		s.gateway.stop()
		s.gateway.start(s.t)
	case s.words[0] == "sink" && len(s.words) == 3:
		s.sinks[s.words[1]].mood.Store(&s.words[2])
	case len(s.words) >= 5 && s.words[1] == "moves":
		version := s.lead(s.words[2]).Version
		if v := s.named["version"]; v != "" {
			var err error
			version, err = strconv.ParseInt(v, 10, 64)
			s.must(err)
		}
		tr := alerts.Transition{
			Lead: s.lead(s.words[2]).ID, To: alerts.LeadState(s.words[4]), By: s.words[0],
			Reason: s.named["reason"], Version: version,
		}
		if d := s.named["departments"]; d != "" {
			tr.Departments = strings.Split(d, ",")
		}
		_, err := s.gateway.engine.Transition(s.t.Context(), tr)
		s.expect(err)
	case len(s.words) >= 6 && s.words[1] == "brings":
		n, i, _ := strings.Cut(s.words[3], ".")
		index, err := strconv.Atoi(i)
		s.must(err)
		lead := s.lead(n)
		_, err = s.gateway.engine.OrderTransition(s.t.Context(), alerts.OrderTransition{
			Lead: lead.ID, Order: lead.Orders[index-1].ID, To: alerts.OrderState(s.words[5]),
			By: s.words[0], Reason: s.named["reason"],
		})
		s.expect(err)
	default:
		s.fail("no such action")
	}
	synctest.Wait()
}

// expect compares an error with the line's "fails" words.
func (s *story) expect(err error) {
	s.t.Helper()
	want := ""
	if i := slices.Index(s.words, "fails"); i >= 0 {
		want = s.words[i+1]
	}
	got := ""
	var stale *alerts.StaleError
	var refused *alerts.RefusedError
	var order *alerts.OrderRefusedError
	switch {
	case errors.As(err, &stale):
		got = "stale"
	case errors.As(err, &refused), errors.As(err, &order):
		got = "refused"
	case err != nil:
		got = err.Error()
	}
	if got != want {
		s.fail("got %q (%v), want %q", got, err, want)
	}
}

func (s *story) finding(phase detect.Phase) detect.Finding {
	camera, zone := "c1", "gate"
	if v := s.named["camera"]; v != "" {
		camera = v
	}
	if v := s.named["zone"]; v != "" {
		zone = v
	}
	at := time.Since(s.start)
	if v := s.named["at"]; v != "" {
		at = s.duration(v)
	}
	switch v := s.named["began"]; {
	case v != "":
		s.began[camera+zone] = s.duration(v)
	case phase == detect.PhaseBegin:
		s.began[camera+zone] = at
	}
	f := detect.Finding{
		Camera: camera, Zone: zone, Rule: rule, Kind: detect.KindIntrusion, Phase: phase,
		Began: s.start.Add(s.began[camera+zone]), At: s.start.Add(at), Score: 0.9,
		Why: detect.Text{ZH: "有物体移动", EN: "something moves"},
	}
	if p := s.named["picture"]; p != "" {
		f.Picture = []byte(p)
	}
	return f
}

// lead returns the lead with a number.
func (s *story) lead(number string) alerts.Lead {
	s.t.Helper()
	n, err := strconv.ParseInt(number, 10, 64)
	s.must(err)
	for _, l := range s.leads() {
		if l.Number == n {
			return l
		}
	}
	s.fail("there is no lead %s", number)
	return alerts.Lead{}
}

func (s *story) leads() []alerts.Lead {
	return append(all(s.t, s.gateway.engine, alerts.LeadQuery{}), all(s.t, s.gateway.engine, alerts.LeadQuery{Canary: true})...)
}

func (s *story) want() {
	switch {
	case s.words[0] == "leads":
		if got := strconv.Itoa(len(s.leads())); got != s.words[1] {
			s.fail("there are %s", got)
		}
	case s.words[0] == "lead" && len(s.words) >= 3:
		s.wantLead()
	case s.words[0] == "sink" && len(s.words) == 4:
		if got := strconv.Itoa(len(s.sinks[s.words[1]].all())); got != s.words[3] {
			s.fail("there were %s", got)
		}
	case len(s.words) >= 4 && s.words[1] == "lead":
		steps, err := s.gateway.engine.Trace(s.t.Context(), s.lead(s.words[2]).ID)
		s.must(err)
		if !slices.ContainsFunc(steps, func(p alerts.Step) bool {
			by := len(s.words) < 6 || p.By == s.words[5]
			return string(p.To) == s.words[3] && by && s.within(p.At.Sub(s.start))
		}) {
			s.fail("the trace is %+v", steps)
		}
	case len(s.words) == 6 && s.words[1] == "sink":
		told := s.sinks[s.words[2]].all()
		if !slices.ContainsFunc(told, func(d delivery) bool {
			return strconv.FormatInt(d.Lead.Number, 10) == s.words[4] && string(d.Step.To) == s.words[5] && s.within(d.at)
		}) {
			s.fail("told: %v", told)
		}
	default:
		s.fail("no such wish")
	}
}

func (s *story) within(d time.Duration) bool {
	from, to, _ := strings.Cut(s.words[0], "..")
	return d >= s.duration(from) && d <= s.duration(to)
}

func (s *story) wantLead() {
	l := s.lead(s.words[1])
	ended := "running"
	if l.EndedAt != nil {
		ended = l.EndedAt.Sub(s.start).String()
	}
	if slices.Contains(s.words, "running") {
		s.named["ended"] = "running"
	}
	got := map[string]string{
		"version": strconv.FormatInt(l.Version, 10), "owner": l.Owner,
		"pictures": strconv.Itoa(len(l.Evidence)), "ended": ended,
	}
	for k, want := range s.named {
		if got[k] != want {
			s.fail("%s is %q", k, got[k])
		}
	}
	if string(l.State) != s.words[2] {
		s.fail("it is %s", l.State)
	}
}
