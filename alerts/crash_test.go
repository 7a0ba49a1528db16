package alerts_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"videopatrol/alerts"
	chain "videopatrol/alerts/audit"
	"videopatrol/alerts/evidence"
	"videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
)

// victimEnv names the folder of a gateway that a child of the test runs until
// it is killed, recordEnv the address of its record.
const (
	victimEnv = "PATROL_TEST_VICTIM"
	recordEnv = "PATROL_TEST_RECORD"
)

// order is one finding on its way to the victim.
type order struct {
	N       int            `json:"n"`
	Finding detect.Finding `json:"finding"`
}

// victim runs a gateway: it folds the findings that come in, moves leads at
// random, delivers to two sinks of which one is dead, and prints every action
// once it is acknowledged.
func victim() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir := os.Getenv(victimEnv)
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		_, _ = fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	fail := func(err error) int {
		say("broken %v", err)
		return 1
	}
	db, err := sqldb.Open(ctx, sqldb.Options{URL: os.Getenv(recordEnv)})
	if err != nil {
		return fail(err)
	}
	store, err := sqlstore.New(ctx, db, "test")
	if err != nil {
		return fail(err)
	}
	pictures, err := evidence.Open(filepath.Join(dir, "evidence"))
	if err != nil {
		return fail(err)
	}
	outbox, err := alerts.NewOutbox(alerts.OutboxOptions{Store: store, Subscriptions: []alerts.Subscription{
		{Name: "desk", Sink: sinkFunc(func(n alerts.Notice) error { say("told %s %d", n.Lead.ID, n.Step.Version); return nil })},
		{Name: "dead", Sink: sinkFunc(func(alerts.Notice) error { return io.ErrClosedPipe })},
	}})
	if err != nil {
		return fail(err)
	}
	engine, err := alerts.New(alerts.Options{Store: store, Inventory: city, Pictures: pictures, Outbox: outbox})
	if err != nil {
		return fail(err)
	}
	var work, moves sync.WaitGroup
	work.Go(func() { _ = outbox.Run(ctx) })
	moves.Go(func() { moveAtRandom(ctx, engine, say) })

	// The findings of one camera come in order, those of different cameras at
	// the same time.
	var cameras sync.WaitGroup
	queues := map[string]chan order{}
	in := json.NewDecoder(os.Stdin)
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			break
		}
		q := queues[o.Finding.Camera]
		if q == nil {
			q = make(chan order, 1000)
			queues[o.Finding.Camera] = q
			cameras.Go(func() {
				for o := range q {
					if err := engine.Observe(ctx, o.Finding); err != nil {
						say("broken %v", err)
						return
					}
					say("folded %d", o.N)
				}
			})
		}
		q <- o
	}
	for _, q := range queues {
		close(q)
	}
	cameras.Wait()
	moves.Wait()
	for { // until the living sink knows everything
		backlog, err := store.Backlog(ctx)
		if err != nil {
			return fail(err)
		}
		if !slices.ContainsFunc(backlog, func(b alerts.SinkBacklog) bool { return b.Sink == "desk" && b.Pending > 0 }) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	work.Wait()
	_ = db.Close()
	say("done")
	return 0
}

type sinkFunc func(alerts.Notice) error

func (f sinkFunc) Deliver(_ context.Context, n alerts.Notice) error { return f(n) }

// moveAtRandom makes some steps.
func moveAtRandom(ctx context.Context, e *alerts.Engine, say func(string, ...any)) {
	for range 30 {
		page, err := e.Leads(ctx, alerts.LeadQuery{Limit: 20})
		if err != nil || len(page.Leads) == 0 {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		l := page.Leads[rand.IntN(len(page.Leads))]
		next := alerts.NextStates(l.State)
		if len(next) == 0 {
			continue
		}
		got, err := e.Transition(ctx, alerts.Transition{
			Lead: l.ID, To: next[rand.IntN(len(next))], By: "wang", Reason: alerts.ReasonReview,
			Version: l.Version, Departments: []string{"police"},
		})
		if err == nil {
			say("moved %s %d %s", got.ID, got.Version, got.State)
		}
	}
}

// scenes makes up findings whose outcome is known: every condition is told
// apart by its camera and the Began of its first finding.
type scenes struct {
	now     time.Time
	running map[string]time.Time // by camera: the Began in use
	first   map[string]time.Time // by camera: the first Began of the condition
	want    map[string]bool      // condition → has ended
	n       int
}

func (s *scenes) next() order {
	s.now = s.now.Add(20 * time.Second)
	s.n++
	camera := fmt.Sprintf("c%d", rand.IntN(6))
	f := detect.Finding{Camera: camera, Zone: "gate", Rule: rule, Kind: detect.KindIntrusion, At: s.now}
	began, runs := s.running[camera]
	switch p := rand.IntN(10); {
	case !runs || p == 0: // a beginning, or a watch without memory
		f.Phase, f.Began = detect.PhaseBegin, s.now
		f.Picture = fmt.Appendf(nil, "picture %d", s.n)
		s.running[camera] = s.now
		if !runs {
			s.first[camera] = s.now
		}
	case p < 6:
		f.Phase, f.Began = detect.PhaseContinue, began
	default:
		f.Phase, f.Began = detect.PhaseEnd, began
		delete(s.running, camera)
	}
	s.want[condition(camera, s.first[camera])] = f.Phase == detect.PhaseEnd
	return order{N: s.n, Finding: f}
}

func condition(camera string, began time.Time) string {
	return camera + " " + began.UTC().Format(time.RFC3339Nano)
}

// TestKilledAtAnyMoment kills the gateway again and again, delivers what was
// not acknowledged once more, and then audits the record: nothing that was
// acknowledged is missing and nothing is there twice.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, testKilledAtAnyMoment)
}

func testKilledAtAnyMoment(t *testing.T, url string) {
	t.Helper()
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	s := &scenes{
		now:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		running: map[string]time.Time{}, first: map[string]time.Time{}, want: map[string]bool{},
	}
	var open []order // not acknowledged
	said := map[string]bool{}
	for round := range rounds + 1 {
		for range 30 {
			open = append(open, s.next())
		}
		acks := runVictim(t, dir, url, open, round < rounds)
		for line := range acks {
			said[line] = true
		}
		open = slices.DeleteFunc(open, func(o order) bool { return acks[fmt.Sprintf("folded %d", o.N)] })
	}
	if len(open) > 0 || !said["done"] {
		t.Fatalf("%d findings were not folded in the end", len(open))
	}
	audit(t, dir, url, s, said)
}

// runVictim runs the gateway, kills it at a random moment unless it may live,
// and returns the lines that it said.
func runVictim(t *testing.T, dir, url string, orders []order, kill bool) map[string]bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+dir, recordEnv+"="+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var feeding sync.WaitGroup
	feeding.Go(func() {
		enc := json.NewEncoder(in)
		for _, o := range orders {
			if enc.Encode(o) != nil {
				return // killed
			}
		}
		if !kill {
			_ = in.Close()
		}
	})
	said := map[string]bool{}
	lines := bufio.NewScanner(out)
	// A moment is a number of acknowledged actions and a little time.
	last := rand.IntN(60)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "broken") {
			t.Error(lines.Text())
		}
		said[lines.Text()] = true
		if kill && len(said) > last {
			last = 1 << 30
			time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		}
	}
	err = cmd.Wait()
	feeding.Wait()
	if !kill && err != nil {
		t.Fatal(err)
	}
	return said
}

// audit compares the record with what was said.
func audit(t *testing.T, dir, url string, s *scenes, said map[string]bool) {
	t.Helper()
	g := &gateway{dir: dir, url: url}
	g.start(t)
	defer func() { g.stop() }()
	leads := all(t, g.engine, alerts.LeadQuery{Limit: 500})
	if len(leads) != len(s.want) {
		t.Errorf("%d leads for %d conditions", len(leads), len(s.want))
	}
	numbers := map[int64]bool{}
	steps := 0
	for _, l := range leads {
		ended, ok := s.want[condition(l.Camera.ID, l.BeganAt)]
		if !ok {
			t.Errorf("lead %d is of no condition that began", l.Number)
		}
		if ended != (l.EndedAt != nil) {
			t.Errorf("lead %d: ended at %v, want ended: %v", l.Number, l.EndedAt, ended)
		}
		delete(s.want, condition(l.Camera.ID, l.BeganAt))
		numbers[l.Number] = true
		steps += int(l.Version)
		checkTrace(t, g.engine, l)
		for v := range l.Version {
			if !said[fmt.Sprintf("told %s %d", l.ID, v+1)] {
				t.Errorf("nobody was told of version %d of lead %d", v+1, l.Number)
			}
		}
		for _, e := range l.Evidence {
			r, _, err := g.engine.Evidence(t.Context(), e.SHA256, l.ID)
			if err != nil {
				t.Errorf("lead %d: %v", l.Number, err)
				continue
			}
			_ = r.Close()
		}
	}
	if len(numbers) != len(leads) {
		t.Error("two leads have one number")
	}
	for line := range said {
		var id, to string
		var version int
		if n, _ := fmt.Sscanf(line, "moved %s %d %s", &id, &version, &to); n != 3 {
			continue
		}
		trace, err := g.engine.Trace(t.Context(), id)
		if err != nil || len(trace) < version || string(trace[version-1].To) != to {
			t.Errorf("acknowledged and lost: %s (%v)", line, err)
		}
	}
	g.stop()
	auditTables(t, url, steps)
	g.start(t)
}

// checkTrace compares a lead with its trace: no gap, and only steps of the
// table.
func checkTrace(t *testing.T, d alerts.Desk, l alerts.Lead) {
	t.Helper()
	trace, err := d.Trace(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(trace)) != l.Version {
		t.Errorf("lead %d has version %d and %d steps", l.Number, l.Version, len(trace))
	}
	state := alerts.LeadState("")
	for i, p := range trace {
		if p.Version != int64(i+1) || p.From != state {
			t.Errorf("lead %d: step %d is %+v after %q", l.Number, i+1, p, state)
		}
		if moved := p.Act == alerts.ActMoved; !moved && p.From != p.To ||
			moved && i > 0 && !slices.Contains(alerts.NextStates(p.From), p.To) {
			t.Errorf("lead %d went from %s to %s", l.Number, p.From, p.To)
		}
		state = p.To
	}
	if state != l.State {
		t.Errorf("lead %d is %s, its trace ends in %s", l.Number, l.State, state)
	}
}

// auditTables counts what no interface shows: one audit row and one outbox row
// for each sink belong to each step.
func auditTables(t *testing.T, url string, steps int) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	// One row of the audit is the chain's first.
	counts := map[string]int{
		`SELECT COUNT(*) FROM audit_rows WHERE action = 'transition'`: steps,

		`SELECT MAX(seq) FROM audit_rows`: steps + 1,

		`SELECT COUNT(*) FROM (SELECT DISTINCT sink, lead, version FROM outbox) AS told`: 2 * steps,

		`SELECT COUNT(*) FROM outbox`: 2 * steps,

		`SELECT COUNT(*) FROM outbox o LEFT JOIN lead_steps s ON s.lead = o.lead AND s.version = o.version WHERE s.at IS NULL`: 0,

		`SELECT COUNT(*) FROM outbox WHERE sink = 'desk' AND state <> 'sent'`: 0,
	}
	if err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
		for query, want := range counts {
			var got int
			if err := tx.QueryRowContext(t.Context(), query).Scan(&got); err != nil {
				return err
			}
			if got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
		}
		if !strings.HasPrefix(url, "sqlite:") {
			return nil
		}
		var integrity string
		if err := tx.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&integrity); err != nil || integrity != "ok" {
			t.Errorf("integrity: %s, %v", integrity, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	store, err := sqlstore.New(t.Context(), db, "test")
	if err != nil {
		t.Fatal(err)
	}
	v, err := chain.Verify(chain.Chain{Node: "test", Parts: chain.Parts(func(after int64) (chain.Part, error) {
		return store.AuditChain(t.Context(), "test", after, 100)
	})})
	if err != nil || v.Seq != int64(steps)+1 {
		t.Errorf("the audit's chain: %+v, %v", v, err)
	}
}
