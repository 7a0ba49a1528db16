package wall_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/wall"
)

// fakeDesk keeps leads in memory; the real engine is tested in its own room.
type fakeDesk struct {
	mu       sync.Mutex
	leads    []alerts.Lead // newest first
	pictures map[string][]byte
	open     atomic.Int64 // pictures handed out and not closed
	asked    []alerts.Transition
	claims   []alerts.Claim
	orders   []alerts.OrderQuery
	said     []any
	refuse   error
	trace    []alerts.Step // of every lead; nil: raised only
}

func (d *fakeDesk) find(id string) int {
	return slices.IndexFunc(d.leads, func(l alerts.Lead) bool { return l.ID == id })
}

func (d *fakeDesk) Lead(_ context.Context, id string) (alerts.Lead, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := d.find(id); i >= 0 {
		return d.leads[i], nil
	}
	return alerts.Lead{}, alerts.ErrNotFound
}

func (d *fakeDesk) Leads(_ context.Context, q alerts.LeadQuery) (alerts.LeadPage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var page alerts.LeadPage
	for _, l := range d.leads {
		if len(q.States) > 0 && !slices.Contains(q.States, l.State) || q.Cursor != "" && l.ID >= q.Cursor {
			continue
		}
		if len(page.Leads) == q.Limit {
			page.Next = page.Leads[q.Limit-1].ID
			break
		}
		page.Leads = append(page.Leads, l)
	}
	return page, nil
}

func (d *fakeDesk) Trace(_ context.Context, id string) ([]alerts.Step, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.find(id) < 0 {
		return nil, alerts.ErrNotFound
	}
	if d.trace != nil {
		return d.trace, nil
	}
	return []alerts.Step{{Version: 1, At: noon, By: "system", Act: alerts.ActMoved, To: alerts.LeadRaised}}, nil
}

func (d *fakeDesk) Transition(_ context.Context, t alerts.Transition) (alerts.Lead, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, t)
	i := d.find(t.Lead)
	switch {
	case i < 0:
		return alerts.Lead{}, alerts.ErrNotFound
	case d.refuse != nil:
		return alerts.Lead{}, d.refuse
	case t.Version != d.leads[i].Version:
		return alerts.Lead{}, &alerts.StaleError{Lead: t.Lead, State: d.leads[i].State, Version: d.leads[i].Version, Owner: d.leads[i].Owner}
	}
	d.leads[i].State, d.leads[i].Owner = t.To, t.By
	d.leads[i].Version++
	return d.leads[i], nil
}

func (d *fakeDesk) LeadCameras(context.Context, string) ([]alerts.LeadCamera, error) {
	return nil, d.refuse
}

func (d *fakeDesk) Statistics(_ context.Context, from, to time.Time) (alerts.Statistics, error) {
	s := alerts.StatisticsOf([]alerts.History{{Lead: d.leads[0]}})
	s.From, s.To = from, to
	return s, d.refuse
}

func (d *fakeDesk) Merged(context.Context, string) ([]alerts.Lead, error) { return nil, d.refuse }

func (d *fakeDesk) Claim(_ context.Context, c alerts.Claim) (alerts.Lead, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.claims = append(d.claims, c)
	i := d.find(c.Lead)
	switch {
	case i < 0:
		return alerts.Lead{}, alerts.ErrNotFound
	case c.Version != d.leads[i].Version:
		return alerts.Lead{}, &alerts.StaleError{Lead: c.Lead, State: d.leads[i].State, Version: d.leads[i].Version, Owner: d.leads[i].Owner}
	}
	d.leads[i].Owner = c.By
	d.leads[i].Version++
	return d.leads[i], d.refuse
}

func (d *fakeDesk) Orders(_ context.Context, q alerts.OrderQuery) (alerts.OrderPage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.orders = append(d.orders, q)
	return alerts.OrderPage{Orders: []alerts.LeadOrder{{
		Order: alerts.Order{ID: "o1", Department: "fire", Part: alerts.PartLead, State: alerts.OrderSent, Round: 1, SentAt: noon, Changed: noon},
		Lead:  d.leads[0],
	}}}, d.refuse
}

func (d *fakeDesk) SendOrders(_ context.Context, r alerts.OrderRequest) (alerts.Lead, error) {
	return d.say(r.Lead, r)
}

func (d *fakeDesk) OrderTransition(_ context.Context, t alerts.OrderTransition) (alerts.Lead, error) {
	return d.say(t.Lead, t)
}

func (d *fakeDesk) AnswerTransfer(_ context.Context, a alerts.TransferAnswer) (alerts.Lead, error) {
	return d.say(lead1, a)
}

// say keeps what was asked, and answers with the lead.
func (d *fakeDesk) say(lead string, what any) (alerts.Lead, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, what)
	i := d.find(lead)
	if i < 0 {
		return alerts.Lead{}, alerts.ErrNotFound
	}
	return d.leads[i], d.refuse
}

func (d *fakeDesk) Handovers(context.Context, int) ([]alerts.Handover, error) {
	return []alerts.Handover{{ID: "h1", From: "wang", Offered: noon}}, d.refuse
}

func (d *fakeDesk) OfferHandover(_ context.Context, by, note, _ string) (alerts.Handover, error) {
	return alerts.Handover{ID: "h1", From: by, Offered: noon, Note: note}, d.refuse
}

func (d *fakeDesk) TakeHandover(_ context.Context, id, by, _ string) (alerts.Handover, error) {
	if id != "h1" {
		return alerts.Handover{}, alerts.ErrNotFound
	}
	return alerts.Handover{ID: id, From: "wang", To: by, Offered: noon}, d.refuse
}

func (d *fakeDesk) Shelves(context.Context) ([]alerts.Shelf, error) {
	return []alerts.Shelf{{ID: "s1", Camera: camera1, Reason: "works", By: "wang", From: noon, To: noon.Add(time.Hour)}}, d.refuse
}

func (d *fakeDesk) Shelve(_ context.Context, s alerts.Shelf) (alerts.Shelf, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, s)
	s.ID, s.From = "s2", noon
	return s, d.refuse
}

func (d *fakeDesk) Unshelve(_ context.Context, id, by, _ string) (alerts.Shelf, error) {
	if id != "s1" {
		return alerts.Shelf{}, alerts.ErrNotFound
	}
	return alerts.Shelf{ID: id, EndedBy: by, From: noon, To: noon}, d.refuse
}

func (d *fakeDesk) Suppressions(context.Context, alerts.SuppressionQuery) (alerts.SuppressionPage, error) {
	return alerts.SuppressionPage{Suppressions: []alerts.Suppression{{
		ID: "x", At: noon, By: alerts.QuietChatter, Key: detect.ConditionKey{Camera: camera1, Zone: "fl1", Rule: "r"},
		Kind: detect.KindCrowd, Began: noon,
	}}}, d.refuse
}

func (d *fakeDesk) Counts(context.Context) (map[alerts.LeadState]int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	counts := map[alerts.LeadState]int{}
	for _, l := range d.leads {
		counts[l.State]++
	}
	return counts, nil
}

// picture counts whether it is open.
type picture struct {
	*bytes.Reader
	open *atomic.Int64
}

func (p picture) Close() error {
	p.open.Add(-1)
	return nil
}

func (d *fakeDesk) Evidence(_ context.Context, sha, lead string) (io.ReadSeekCloser, alerts.Lead, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.leads {
		for _, e := range l.Evidence {
			if e.SHA256 == sha && (lead == "" || lead == l.ID) {
				d.open.Add(1)
				return picture{bytes.NewReader(d.pictures[sha]), &d.open}, l, nil
			}
		}
	}
	return nil, alerts.Lead{}, alerts.ErrNotFound
}

// fakeJournal keeps audit rows in memory, and can fail.
type fakeJournal struct {
	mu   sync.Mutex
	rows []alerts.AuditRow
	err  error
}

func (j *fakeJournal) Record(_ context.Context, row alerts.AuditRow) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	row.Seq = int64(len(j.rows) + 1)
	j.rows = append(j.rows, row)
	return nil
}

func (j *fakeJournal) Along(ctx context.Context, row alerts.AuditRow, change func(context.Context) error) error {
	if err := j.failing(); err != nil {
		return err
	}
	if err := change(ctx); err != nil {
		return err
	}
	return j.Record(ctx, row)
}

func (j *fakeJournal) failing() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *fakeJournal) AuditChain(_ context.Context, node string, after int64, limit int) (audit.Part, error) {
	if node != "" && node != "n1" {
		return audit.Part{}, alerts.ErrNotFound
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	p := audit.Part{Head: audit.Head{Node: "n1", Seq: int64(len(j.rows))}}
	for _, r := range j.rows {
		if r.Seq > after && len(p.Rows) < limit {
			p.Rows = append(p.Rows, audit.Row{AuditRow: r})
		}
	}
	if len(p.Rows) == limit {
		p.Next = p.Rows[limit-1].Seq
	}
	return p, nil
}

func (j *fakeJournal) Audit(_ context.Context, before int64, limit int) ([]alerts.AuditRow, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []alerts.AuditRow
	for _, r := range slices.Backward(j.rows) {
		if (before == 0 || r.Seq < before) && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (j *fakeJournal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// actions lists what was recorded under an action.
func (j *fakeJournal) actions(action string) []alerts.AuditRow {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []alerts.AuditRow
	for _, r := range j.rows {
		if r.Action == action {
			out = append(out, r)
		}
	}
	return out
}

// fakeFleet knows the states it was given.
type fakeFleet map[string]streams.Status

func (f fakeFleet) Statuses() []streams.Status {
	var out []streams.Status
	for _, s := range f {
		out = append(out, s)
	}
	return out
}

func (f fakeFleet) Status(id string) (streams.Status, bool) {
	s, ok := f[id]
	return s, ok
}

// fakeStills has the pictures it was given, taken three seconds before noon.
type fakeStills map[string][]byte

func (f fakeStills) Still(_ context.Context, camera string) ([]byte, time.Time, error) {
	if f[camera] == nil {
		return nil, time.Time{}, errors.New("no picture")
	}
	return f[camera], noon.Add(-3 * time.Second), nil
}

func (f fakeStills) Explain(_ context.Context, camera string) (detect.Explanation, error) {
	if f[camera] == nil {
		return detect.Explanation{}, errors.New("no picture")
	}
	return detect.Explanation{
		Camera: camera, Received: noon, Picture: f[camera], Background: f[camera],
		Rules:    []detect.RuleExplanation{{Zone: "lane", Rule: detect.RuleFireLaneBlocked, Kind: detect.KindFireLaneBlocked, State: detect.RulePending}},
		Standing: []detect.Standing{},
	}, nil
}

// fakeImporter answers what it was told to and keeps what it was asked.
type fakeImporter struct {
	mu   sync.Mutex
	got  wall.ImportRequest
	body []byte
	err  error
}

func (f *fakeImporter) Import(_ context.Context, r wall.ImportRequest) (wall.ImportReport, error) {
	b, err := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got, f.body = r, b
	return wall.ImportReport{DryRun: r.DryRun, New: 2}, errors.Join(err, f.err)
}

func (f *fakeImporter) Export(_ context.Context, w io.Writer, format string) error {
	_, err := io.WriteString(w, "as "+format)
	return errors.Join(err, f.err)
}

func (f *fakeImporter) Undo(_ context.Context, id int64, by string) (inventory.Revision, error) {
	return inventory.Revision{ID: id + 1, At: noon, By: by, Undoes: id}, f.err
}

func (f *fakeImporter) Revisions(context.Context, int) ([]inventory.Revision, error) {
	return []inventory.Revision{{ID: 1, At: noon, By: "admin", New: 2}}, nil
}

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

// stuck is an answer whose writes hang until free is closed; nil never hangs.
type stuck struct {
	free chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
}

func (s *stuck) Header() http.Header { return http.Header{} }
func (s *stuck) WriteHeader(int)     {}
func (s *stuck) FlushError() error   { return nil }

func (s *stuck) Write(b []byte) (int, error) {
	if s.free != nil {
		<-s.free
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(b)
}

func (s *stuck) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}
