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

	"github.com/rogpeppe/go-internal/txtar"

	"videopatrol/alerts"
	"videopatrol/detect"
	"videopatrol/inventory/sqldb/sqldbtest"
)

// A story is a file of lines; times count from its beginning. The first line
// may be "routes": then the gateway has the routes of the demonstration city.
// "routes FILE" are those of a file that stands, as in txtar, below the lines.
//
//	at T finding PHASE [camera=c1] [zone=gate] [kind=K] [began=T] [at=T] [picture=TEXT]
//	at T repeat                               every finding so far comes again
//	at T NAME moves N to STATE [reason=…] [departments=a,b] [copies=c] [into=M] [version=V] [fails stale|refused]
//	at T NAME claims|releases|takes N [reason=…] [version=V] [fails stale|refused]
//	at T NAME brings order N.I to STATE [reason=…] [note=…] [fails refused]      I is a number or a department
//	at T NAME sends N departments=a,b [copies=c] [fails stale|refused]
//	at T NAME answers N as STATE [reason=…] [fails refused]       by the key of its transfer
//	at T NAME offers handover [note=…]
//	at T NAME signs handover [fails refused]                      the newest one
//	at T NAME shelves for=T [camera=c1] [rule=R] [reason=…] [fails refused]
//	at T NAME unshelves                                           the newest shelf
//	at T fleet N hosts=K                      N cameras of one town on K hosts, and a third as many elsewhere
//	at T fleet fails|works [host=I]           all of them, or those of one host
//	at T fleet looks                          nothing changed
//	at T camera C blind|shed|sees [reason=R]  the patrol tells so now, and every ten seconds from then on
//	want cameras N K                          so many cameras fail now of lead N
//	want queue calm|flood [total=N] [rows=N] [recent=N] [first=N]
//	at T routes FILE                          these routes count from now on
//	at T restart [clock=STEP]                 and the wall clock is set meanwhile
//	at T clock STEP                           the wall clock is set, by +1h or -24h
//	at T sink NAME up|down|gone|busy
//	want leads N | want shown N               all, and those that are open
//	want suppressed N [by=RULE]
//	want T..T lead N STATE [by NAME]          a step of its trace, in that time
//	want T..T lead N act ACT [by NAME] [about=…] [reason=…]
//	want acts N ACT K                         so many steps of that act
//	want lead N STATE [version=V] [owner=NAME] [pictures=K] [ended=T|running] [level=L] [into=M] [supervised=yes] [blind=BY,REASON,SINCE|no]
//	want lead N STATE [proposed=a,b] [copies=c]     whom its route proposes
//	want clock N STAGE due T | want clock N STAGE none
//	want T..T sink NAME lead N STATE          a delivery, in that time, of a step of that name
//	want sink NAME deliveries N
//
// began= is the time of the finding's begin when it is not given. Times of the
// wall clock count as what it is ahead.
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
			sqldbtest.Each(t, func(t *testing.T, url string) {
				t.Helper()
				synctest.Test(t, func(t *testing.T) { tell(t, url, string(text)) })
			})
		})
	}
}

func tell(t *testing.T, url, text string) {
	t.Helper()
	s := &story{t: t, start: time.Now(), began: map[string]time.Duration{}, sinks: map[string]*scriptedSink{}}
	s.gateway.dir, s.gateway.url = t.TempDir(), url
	for _, name := range []string{"desk", "police"} {
		sink := &scriptedSink{start: s.start}
		s.sinks[name] = sink
		s.gateway.sinks = append(s.gateway.sinks, alerts.Subscription{Name: name, Sink: sink})
	}
	archive := txtar.Parse([]byte(text))
	text, s.files = string(archive.Comment), archive.Files
	if first, rest, _ := strings.Cut(text, "\n"); strings.HasPrefix(first, "routes") {
		s.gateway.routes, text = s.routes(strings.TrimSpace(strings.TrimPrefix(first, "routes"))), "\n"+rest
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

// routes are those of a file of the story; "" is the demonstration city's.
func (s *story) routes(file string) *alerts.Routes {
	s.t.Helper()
	if file == "" {
		return alerts.DefaultRoutes(time.UTC)
	}
	i := slices.IndexFunc(s.files, func(f txtar.File) bool { return f.Name == file })
	if i < 0 {
		s.fail("there is no file %s", file)
	}
	r, err := alerts.ParseRoutes(s.files[i].Data, time.UTC)
	s.must(err)
	return r
}

type story struct {
	t        *testing.T
	files    []txtar.File
	sights   map[string]*alerts.Blind
	looked   time.Time
	start    time.Time
	gateway  gateway
	sinks    map[string]*scriptedSink
	findings []detect.Finding
	began    map[string]time.Duration // by camera and zone
	cameras  []alerts.CameraState

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
	if time.Until(s.start.Add(at)) < 0 {
		s.fail("is in the past")
	}
	for next := s.looked.Add(10 * time.Second); len(s.sights) > 0 && !next.After(s.start.Add(at)); next = next.Add(10 * time.Second) {
		time.Sleep(time.Until(next))
		s.tellSights()
	}
	time.Sleep(time.Until(s.start.Add(at)))
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
		if v := s.named["clock"]; v != "" {
			s.gateway.ahead.Add(int64(s.duration(v)))
		}
		s.gateway.start(s.t)
	case s.words[0] == "camera" && len(s.words) == 3:
		s.look(s.words[1], s.words[2])
	case s.words[0] == "routes" && len(s.words) == 2:
		s.gateway.routes = s.routes(s.words[1])
		s.gateway.engine.SetRoutes(s.gateway.routes)
	case s.words[0] == "sink" && len(s.words) == 3:
		s.sinks[s.words[1]].mood.Store(&s.words[2])
	case s.words[0] == "fleet":
		s.fleet()
	case s.words[0] == "clock" && len(s.words) == 2:
		s.gateway.ahead.Add(int64(s.duration(s.words[1])))
	case s.words[1] == "shelves", s.words[1] == "unshelves":
		s.expect(s.shelf(s.words[0], s.words[1]))
	case len(s.words) > 2:
		s.expect(s.person(s.words[0], s.words[1], s.words[2:]))
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
	var handover *alerts.HandoverRefusedError
	var shelf *alerts.ShelfRefusedError
	switch {
	case errors.As(err, &stale):
		got = "stale"
	case errors.As(err, &refused), errors.As(err, &order), errors.As(err, &handover), errors.As(err, &shelf):
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
	kind := detect.KindIntrusion
	if v := s.named["kind"]; v != "" {
		kind = detect.Kind(v)
	}
	f := detect.Finding{
		Camera: camera, Zone: zone, Rule: detect.RuleRef{ID: string(kind), Version: 1}, Kind: kind, Phase: phase,
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
	case s.words[0] == "shown":
		shown := slices.DeleteFunc(s.leads(), func(l alerts.Lead) bool { return !l.State.Open() })
		if got := strconv.Itoa(len(shown)); got != s.words[1] {
			s.fail("there are %s", got)
		}
	case s.words[0] == "suppressed":
		page, err := s.gateway.engine.Suppressions(s.t.Context(), alerts.SuppressionQuery{By: alerts.QuietRule(s.named["by"]), Limit: 500})
		s.must(err)
		if got := strconv.Itoa(len(page.Suppressions)); got != s.words[1] {
			s.fail("there are %s: %+v", got, page.Suppressions)
		}
	case s.words[0] == "acts" && len(s.words) == 4:
		n := 0
		for _, p := range s.trace(s.words[1]) {
			if string(p.Act) == s.words[2] {
				n++
			}
		}
		if got := strconv.Itoa(n); got != s.words[3] {
			s.fail("there are %s in %+v", got, s.trace(s.words[1]))
		}
	case s.words[0] == "clock" && len(s.words) >= 4:
		s.wantClock()
	case s.words[0] == "queue" && len(s.words) == 2:
		s.wantQueue()
	case s.words[0] == "cameras" && len(s.words) == 3:
		all, err := s.gateway.engine.LeadCameras(s.t.Context(), s.lead(s.words[1]).ID)
		s.must(err)
		fail := slices.DeleteFunc(all, func(c alerts.LeadCamera) bool { return c.Until != nil })
		if got := strconv.Itoa(len(fail)); got != s.words[2] {
			s.fail("there are %s", got)
		}
	case s.words[0] == "lead" && len(s.words) >= 3:
		s.wantLead()
	case s.words[0] == "sink" && len(s.words) == 4:
		if got := strconv.Itoa(len(s.sinks[s.words[1]].all())); got != s.words[3] {
			s.fail("there were %s", got)
		}
	case len(s.words) >= 5 && s.words[1] == "lead" && s.words[3] == "act":
		s.wantAct()
	case len(s.words) >= 4 && s.words[1] == "lead":
		steps := s.trace(s.words[2])
		if !slices.ContainsFunc(steps, func(p alerts.Step) bool {
			by := len(s.words) < 6 || p.By == s.words[5]
			return string(p.To) == s.words[3] && by && s.within(p.At.Sub(s.start))
		}) {
			s.fail("the trace is %+v", steps)
		}
	case len(s.words) == 6 && s.words[1] == "sink":
		told := s.sinks[s.words[2]].all()
		if !slices.ContainsFunc(told, func(d delivery) bool {
			return strconv.FormatInt(d.Lead.Number, 10) == s.words[4] && d.Step.Name() == s.words[5] && s.within(d.at)
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
		"pictures": strconv.Itoa(len(l.Evidence)), "ended": ended, "level": strconv.Itoa(l.Level), "supervised": "no",
	}
	if l.Supervised {
		got["supervised"] = "yes"
	}
	got["blind"] = "no"
	if b := l.Blind; b != nil {
		got["blind"] = fmt.Sprintf("%s,%s,%s", b.By, b.Reason, b.Since.Sub(s.start))
	}
	if _, ok := s.named["into"]; ok {
		for _, m := range s.leads() {
			if m.ID == l.MergedInto {
				got["into"] = strconv.FormatInt(m.Number, 10)
			}
		}
	}
	p := s.gateway.routes.Propose(l.Kind, alerts.CellsOf(l.Grid), s.gateway.wall(), l.Level)
	got["proposed"], got["copies"] = strings.Join(p.Departments(), ","), strings.Join(p.Copies, ",")
	for k, want := range s.named {
		if got[k] != want {
			s.fail("%s is %q", k, got[k])
		}
	}
	if string(l.State) != s.words[2] {
		s.fail("it is %s", l.State)
	}
}
