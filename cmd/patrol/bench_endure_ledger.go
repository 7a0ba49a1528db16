package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/alerts/evidence"
	alertsql "videopatrol/alerts/sqlstore"
	"videopatrol/detect"
	"videopatrol/inventory/sqldb"
)

// happening is what the ledger knows of one condition.
type happening struct {
	key     detect.ConditionKey
	began   time.Time
	sent    time.Time // when the child was first told, by the machine's clock
	acked   bool      // any finding of it was answered
	seen    time.Time // the newest answered time
	endSent bool
	ended   bool // its end was answered
}

// receipt is a notice that the desk took.
type receipt struct {
	lead    string
	version int64
	kind    string
	first   time.Time // by the machine's clock
	times   int
}

// enduring is the ledger of what was promised: what the child has answered,
// and what the desk was told. It is kept by the parent, which no fault takes.
type enduring struct {
	mu         sync.Mutex
	happenings map[string]*happening // by condition and beginning
	marks      map[string]string     // answered steps of officers: the lead, by mark
	answers    int                   // of all kinds
	failures   map[string]int        // what was refused for the record's sake
	receipts   map[string]*receipt   // by notice
	garbled    []string              // repeats that say something else
	pictures   map[string]bool       // that were found whole
	forward    []time.Time           // when the wall clock was set forward while nothing ran
}

func newEnduring() *enduring {
	return &enduring{
		happenings: map[string]*happening{}, marks: map[string]string{}, failures: map[string]int{},
		receipts: map[string]*receipt{}, pictures: map[string]bool{},
	}
}

func conditionOf(camera, zone, rule string, began time.Time) string {
	return fmt.Sprint(camera, " ", zone, " ", rule, " ", began.UnixMicro())
}

// asked notes a finding before the child is told.
func (d *enduring) asked(f detect.Finding) *happening {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := conditionOf(f.Camera, f.Zone, f.Rule.ID, f.Began)
	h := d.happenings[id]
	if h == nil {
		h = &happening{key: f.Key(), began: f.Began, sent: time.Now()}
		d.happenings[id] = h
	}
	h.endSent = h.endSent || f.Phase == detect.PhaseEnd
	return h
}

// folded notes that a finding was answered.
func (d *enduring) folded(h *happening, f detect.Finding) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers++
	h.acked = true
	if f.At.After(h.seen) {
		h.seen = f.At
	}
	h.ended = h.ended || f.Phase == detect.PhaseEnd
}

func (d *enduring) stepped(mark, lead string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers++
	d.marks[mark] = lead
}

func (d *enduring) failed(why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures[why]++
}

// told notes what the desk took.
func (d *enduring) told(e alerts.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.receipts[e.ID]
	now := receipt{lead: e.Subject, version: e.Data.Lead.Version, kind: e.Type, first: time.Now()}
	if r == nil {
		r = &now
		d.receipts[e.ID] = r
	}
	if r.times++; r.lead != now.lead || r.version != now.version || r.kind != now.kind {
		d.garbled = append(d.garbled, e.ID)
	}
}

// forwarded notes that the wall clock was set forward while nothing ran.
func (d *enduring) forwarded() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forward = append(d.forward, time.Now())
}

// early tells whether a clock that began after one time ran out at another too
// soon.
func (d *enduring) early(began, struck time.Time) bool {
	const noise = 20 * time.Millisecond // of several clocks, read one after the other
	return struck.Sub(began) < triageWithin-noise &&
		!slices.ContainsFunc(d.forward, func(at time.Time) bool { return at.After(began) && at.Before(struck) })
}

// progress is how much was answered so far.
func (d *enduring) progress() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.answers
}

// endureTally is how the record compares with the ledger.
type endureTally struct {
	LeadsAnswered int `json:"leads_answered"`
	LeadsLost     int `json:"leads_lost"`
	LeadsDoubled  int `json:"leads_doubled"`
	StepsAnswered int `json:"transitions_answered"`
	StepsLost     int `json:"transitions_lost"`
	StepsDoubled  int `json:"transitions_doubled"`
	// Struck counts the rungs of clocks that came, StruckTwice those that came
	// again.
	Struck      int   `json:"clocks_struck"`
	StruckTwice int   `json:"clocks_struck_twice"`
	AuditRows   int64 `json:"audit_rows"`
	Notices     int   `json:"notices_delivered"`
	Repeated    int   `json:"notices_repeated"`
	// Unknown notices tell of what is not in the record.
	Unknown  int `json:"notices_unknown"`
	Untold   int `json:"notices_missing"` // only counted at the end
	Pictures int `json:"pictures_whole"`
	// Wrong says in words what else is not as it was promised.
	Wrong []string `json:"wrong,omitempty"`
}

// whole tells whether everything is as it was promised.
func (t endureTally) whole() bool {
	return t.LeadsLost+t.LeadsDoubled+t.StepsLost+t.StepsDoubled+t.StruckTwice+t.Unknown+t.Untold+len(t.Wrong) == 0
}

func (t *endureTally) wrong(format string, args ...any) {
	const most = 20
	if len(t.Wrong) < most {
		t.Wrong = append(t.Wrong, fmt.Sprintf(format, args...))
	}
}

// record is where the child keeps what it promises.
type endureRecord struct {
	database    string
	folder      string
	checkpoints string
	key         ed25519.PublicKey
}

// compare holds the record, which nobody writes meanwhile, against the ledger.
// At the end everything must have been told, too.
func (d *enduring) compare(ctx context.Context, rec endureRecord, end bool) (t endureTally, err error) {
	db, err := sqldb.Open(ctx, sqldb.Options{URL: rec.database})
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	store, err := alertsql.New(ctx, db, enduringNode)
	if err != nil {
		return t, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var histories []alerts.History
	for cursor := ""; ; {
		page, next, err := store.Histories(ctx, time.Unix(0, 0).AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0), cursor)
		if err != nil {
			return t, err
		}
		histories = append(histories, page...)
		if cursor = next; cursor == "" {
			break
		}
	}
	d.compareLeads(&t, histories)
	d.compareSteps(&t, histories, end)
	d.compareReceipts(&t, histories, end)
	if err := d.comparePictures(ctx, &t, histories, rec.folder, end); err != nil {
		return t, err
	}
	return t, compareAudit(ctx, &t, store, histories, rec)
}

func (d *enduring) compareLeads(t *endureTally, histories []alerts.History) {
	found := map[string]int{}
	numbers := map[int64]bool{}
	for _, h := range histories {
		l := h.Lead
		id := conditionOf(l.Camera.ID, l.Zone.ID, l.Rule.ID, l.BeganAt)
		found[id]++
		if numbers[l.Number] {
			t.wrong("two leads have the number %d", l.Number)
		}
		numbers[l.Number] = true
		want := d.happenings[id]
		switch {
		case want == nil:
			t.wrong("lead %d is of no condition that began", l.Number)
		case want.ended && l.EndedAt == nil:
			t.wrong("lead %d: the end of its condition was answered and is lost", l.Number)
		case !want.endSent && l.EndedAt != nil:
			t.wrong("lead %d: its condition has ended, and nobody said so", l.Number)
		case l.LastSeenAt.Before(want.seen):
			t.wrong("lead %d: it was seen at %s, answered, and the record says %s", l.Number, want.seen, l.LastSeenAt)
		}
	}
	for id, h := range d.happenings {
		if h.acked {
			t.LeadsAnswered++
			if found[id] == 0 {
				t.LeadsLost++
			}
		}
		if found[id] > 1 {
			t.LeadsDoubled++
		}
	}
}

func (d *enduring) compareSteps(t *endureTally, histories []alerts.History, end bool) {
	leads := map[string]string{} // by mark
	times := map[string]int{}
	for _, h := range histories {
		compareTrace(t, h)
		rungs := map[alerts.Step]bool{}
		for _, s := range h.Trace {
			switch {
			case s.By == alerts.System && s.Act != alerts.ActMoved:
				t.Struck++
				rung := alerts.Step{Act: s.Act, About: s.About, Reason: s.Reason}
				if rungs[rung] {
					t.StruckTwice++
				}
				rungs[rung] = true
			case s.Act == alerts.ActClaimed:
				times[s.Reason]++
				leads[s.Reason] = h.Lead.ID
			case s.Note != "":
				times[s.Note]++
				leads[s.Note] = h.Lead.ID
			}
		}
		if end && h.Lead.State == alerts.LeadRaised && len(rungs) != triageRungs {
			t.wrong("lead %d waits, and its clock has struck %d times, not %d", h.Lead.Number, len(rungs), triageRungs)
		}
	}
	for mark, lead := range d.marks {
		t.StepsAnswered++
		if leads[mark] != lead {
			t.StepsLost++
		}
	}
	for _, n := range times {
		if n > 1 {
			t.StepsDoubled++
		}
	}
}

// compareTrace holds a lead against its own trace.
func compareTrace(t *endureTally, h alerts.History) {
	state := alerts.LeadState("")
	for i, s := range h.Trace {
		if s.Version != int64(i+1) || s.From != state {
			t.wrong("lead %d: step %d of its trace does not follow", h.Lead.Number, i+1)
		}
		state = s.To
	}
	if int64(len(h.Trace)) != h.Lead.Version || state != h.Lead.State {
		t.wrong("lead %d is %s, version %d; its trace ends with %s, version %d", h.Lead.Number, h.Lead.State, h.Lead.Version, state, len(h.Trace))
	}
}

func (d *enduring) compareReceipts(t *endureTally, histories []alerts.History, end bool) {
	t.Notices = len(d.receipts)
	left := maps.Clone(d.receipts)
	for _, h := range histories {
		l := h.Lead
		begun := d.happenings[conditionOf(l.Camera.ID, l.Zone.ID, l.Rule.ID, l.BeganAt)]
		for _, s := range h.Trace {
			id := fmt.Sprintf("%s-%d", h.Lead.ID, s.Version)
			r := left[id]
			switch {
			case r == nil && end:
				t.Untold++
			case r == nil:
			case r.lead != h.Lead.ID || r.version != s.Version || r.kind != alerts.EventType(s.Name()):
				t.wrong("notice %s says something else than the record", id)
			case s.Act == alerts.ActBreached && begun != nil && d.early(begun.sent, r.first):
				t.wrong("lead %d: its clock ran out %s after it began, not %s", h.Lead.Number, r.first.Sub(begun.sent), triageWithin)
			}
			delete(left, id)
		}
	}
	t.Unknown = len(left)
	for _, r := range d.receipts {
		t.Repeated += r.times - 1
	}
	for _, id := range d.garbled {
		t.wrong("notice %s was repeated with another content", id)
	}
}

// comparePictures looks at every picture that a lead names; at those that were
// whole before, once more at the end.
func (d *enduring) comparePictures(ctx context.Context, t *endureTally, histories []alerts.History, folder string, end bool) error {
	pictures, err := evidence.Open(filepath.Join(folder, "evidence"))
	if err != nil {
		return err
	}
	if end {
		clear(d.pictures)
	}
	for _, h := range histories {
		for _, e := range h.Lead.Evidence {
			if d.pictures[e.SHA256] {
				continue
			}
			r, err := pictures.Open(ctx, e.SHA256)
			if err != nil {
				t.wrong("lead %d: its picture: %v", h.Lead.Number, err)
				continue
			}
			d.pictures[e.SHA256] = true
			_ = r.Close()
		}
	}
	t.Pictures = len(d.pictures)
	return nil
}

// compareAudit verifies the chain with the copy of its checkpoints, and that
// it has as many rows as there are steps.
func compareAudit(ctx context.Context, t *endureTally, store *alertsql.Store, histories []alerts.History, rec endureRecord) error {
	c := audit.Chain{Node: enduringNode, Key: rec.key, Parts: audit.Parts(func(after int64) (audit.Part, error) {
		return store.AuditChain(ctx, enduringNode, after, 1000)
	})}
	file, err := os.Open(rec.checkpoints)
	if err == nil {
		defer file.Close()
		c.Copies = []iter.Seq2[audit.Checkpoint, error]{audit.ReadCopy(io.Reader(file), enduringNode)}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	v, err := audit.Verify(c)
	if fault, ok := errors.AsType[*audit.Fault](err); ok {
		t.wrong("%v", fault)
		return nil
	}
	if err != nil {
		return err
	}
	t.AuditRows = v.Seq
	steps := int64(1) // the row that begins the chain
	for _, h := range histories {
		steps += int64(len(h.Trace))
	}
	if v.Seq != steps {
		t.wrong("the audit has %d rows for %d steps", v.Seq, steps)
	}
	return nil
}
