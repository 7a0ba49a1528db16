package alerts

import (
	"context"
	"time"

	"videopatrol/detect"
)

// Store keeps the record. It answers a write once it is on disk.
type Store interface {
	// Write runs fn in one transaction: all of it is durable when Write
	// returns nil, none of it when it returns an error. fn may run again.
	Write(ctx context.Context, fn func(tx Tx) error) error
	// Along runs change. The first write under its context that commits, of
	// any store over the same database, also ran fn, in the same transaction;
	// arrived tells whether there was one.
	Along(ctx context.Context, fn func(tx Tx) error, change func(context.Context) error) (arrived bool, err error)

	// Fold is Write by a function that begins with tx.Condition of the same
	// key and began, and changes no other key's condition: the Store may read
	// the conditions of many findings together.
	Fold(ctx context.Context, key detect.ConditionKey, began time.Time, fn func(tx Tx) error) error

	Condition(ctx context.Context, key detect.ConditionKey, began time.Time) (Folded, error)
	Running(ctx context.Context) ([]detect.Condition, error)

	Lead(ctx context.Context, id string) (Lead, error)
	Leads(ctx context.Context, q LeadQuery) (LeadPage, error)
	Trace(ctx context.Context, id string) ([]Step, error)
	Counts(ctx context.Context) (map[LeadState]int, error)
	// EvidenceLead returns the lead if a picture is evidence of it, or
	// ErrNotFound; "" is the newest one that it is evidence of.
	EvidenceLead(ctx context.Context, sha256, lead string) (Lead, error)
	Audit(ctx context.Context, before int64, limit int) ([]AuditRow, error)

	Orders(ctx context.Context, q OrderQuery) (OrderPage, error)
	// DueClocks are the clocks of which something is due at a steady time, the
	// oldest first; NextClock is when, after it, the next is; zero: none is.
	DueClocks(ctx context.Context, now time.Time, limit int) ([]ClockRef, error)
	NextClock(ctx context.Context, after time.Time) (time.Time, error)
	// Source counts the conditions of a finding's key that began since a time,
	// its own included, and returns the shelf that it lies on now, or nil.
	Source(ctx context.Context, f detect.Finding, since, now time.Time) (begins int, shelf *Shelf, err error)
	Suppressions(ctx context.Context, q SuppressionQuery) (SuppressionPage, error)
	// Shelves are those that have not ended, the one that ends first first.
	Shelves(ctx context.Context, now time.Time) ([]Shelf, error)
	Handovers(ctx context.Context, limit int) ([]Handover, error)
	LeadCameras(ctx context.Context, lead string) ([]LeadCamera, error)
	// Watched are the leads of which it matters whether their cameras see, with
	// id, camera and Blind alone: their condition goes on, and they are open or
	// merged; canary leads and those about cameras left out.
	Watched(ctx context.Context) ([]Lead, error)
	// Histories are leads raised in a time with their traces, the oldest
	// first, a page at a time; next is "" at its end.
	Histories(ctx context.Context, from, to time.Time, cursor string) (page []History, next string, err error)
	SuppressedBy(ctx context.Context, from, to time.Time) (map[QuietRule]int, error)

	OutboxStore
}

// OutboxStore keeps what the sinks are still to be told.
type OutboxStore interface {
	// Due returns the notices of a sink that may be tried at a time, the
	// oldest first, and only the first pending one of each lead.
	Due(ctx context.Context, sink string, now time.Time, limit int) ([]Notice, error)
	// NextDue is when, after a time, the next notice of a sink may be tried;
	// zero: there is none.
	NextDue(ctx context.Context, sink string, after time.Time) (time.Time, error)
	// Settle records the outcome of one try.
	Settle(ctx context.Context, s Settlement) error
	// Hasten makes every pending notice of a sink due.
	Hasten(ctx context.Context, sink string) error
	// Backlog tells of what is pending, by sink, and of the dead letters.
	Backlog(ctx context.Context) ([]SinkBacklog, error)
}

// Tx is one transaction of a Store.
type Tx interface {
	// Now is when the transaction takes place, in whole microseconds.
	Now() time.Time
	Condition(ctx context.Context, key detect.ConditionKey, began time.Time) (Folded, error)
	SaveCondition(ctx context.Context, c Condition) error
	// SeeCondition keeps when a condition that is there was last seen.
	SeeCondition(ctx context.Context, key detect.ConditionKey, lastSeen time.Time) error
	// KnowBegan makes a Began known to belong to a condition's lead.
	KnowBegan(ctx context.Context, key detect.ConditionKey, began time.Time, lead string) error
	// AddLead keeps a new lead and returns its number.
	AddLead(ctx context.Context, l Lead) (number int64, err error)
	// SaveLead keeps what may change of a lead, but for its evidence, orders
	// and clocks.
	SaveLead(ctx context.Context, l Lead) error
	Lead(ctx context.Context, id string) (Lead, error)
	// LastStep is the step of the lead's Decided version.
	LastStep(ctx context.Context, l Lead) (Step, error)
	AddStep(ctx context.Context, lead string, s Step) error
	AddEvidence(ctx context.Context, lead string, e Evidence) error
	SaveOrder(ctx context.Context, lead string, o Order) error
	// AddAudit chains a row to the audit of this node, or returns an error
	// that is ErrUnwritten: then nothing of the transaction may stay.
	AddAudit(ctx context.Context, row AuditRow) error
	AddNotice(ctx context.Context, n Notice) error

	// PartsRunning tells whether the condition of a lead that was merged into
	// this one, or into one of those, still goes on.
	PartsRunning(ctx context.Context, lead string) (bool, error)
	// OwnedLeads are the open leads of an owner, the oldest first.
	OwnedLeads(ctx context.Context, owner string, limit int) ([]Lead, error)
	// Neighbour is the newest open lead of a kind in a cell that another
	// camera raised since a time; "" when there is none.
	Neighbour(ctx context.Context, kind detect.Kind, cell, camera string, since time.Time) (lead string, err error)
	Source(ctx context.Context, f detect.Finding, since, now time.Time) (begins int, shelf *Shelf, err error)
	AddSuppression(ctx context.Context, s Suppression) error
	// Unsuppress makes what was kept back as a suppression a lead's.
	Unsuppress(ctx context.Context, key detect.ConditionKey, suppression, lead string) error
	Shelf(ctx context.Context, id string) (Shelf, error)
	SaveShelf(ctx context.Context, s Shelf) error
	Handover(ctx context.Context, id string) (Handover, error)
	SaveHandover(ctx context.Context, h Handover) error
	SaveClock(ctx context.Context, lead string, c DueClock) error
	StopClock(ctx context.Context, lead string, c DueClock) error
	// SetLeadCameras makes these the cameras of a lead now; others that it had
	// end.
	SetLeadCameras(ctx context.Context, lead string, cameras []string) error
	// SteadyMark is zero until there is one.
	SteadyMark(ctx context.Context) (SteadyMark, error)
	SetSteadyMark(ctx context.Context, m SteadyMark) error
}

// SuppressionQuery selects suppressions.
type SuppressionQuery struct {
	By     QuietRule // "" means all
	Camera string
	// Limit is 1..500, 0 means 50. Cursor is a page's Next. Newest first.
	Limit  int
	Cursor string
}

// SuppressionPage is one page of suppressions, newest first.
type SuppressionPage struct {
	Suppressions []Suppression
	Next         string
}

// Notice is one transition of a lead that one sink is to be told. It is the
// lead as it was then.
type Notice struct {
	// ID is the same for every sink and every try.
	ID   string
	Sink string
	Lead Lead
	Step Step
	// Orders are those that the transition made.
	Orders []Order
	// Tries counts the tries that failed.
	Tries int
}

// NoticeState is where a notice is.
type NoticeState string

// The states of a notice.
const (
	NoticePending NoticeState = "pending"
	NoticeSent    NoticeState = "sent"
	NoticeDead    NoticeState = "dead" // given up, kept to be looked at
)

// Settlement is the outcome of one try to deliver a notice.
type Settlement struct {
	Sink, ID string
	State    NoticeState
	Tries    int
	At       time.Time
	// Next is when to try again, while pending; zero: at once.
	Next time.Time
	// Fault is why the try failed.
	Fault string
}

// SinkBacklog is what one sink is still to be told.
type SinkBacklog struct {
	Sink          string
	Pending, Dead int
	// Oldest is when the oldest pending notice was written; zero: none.
	Oldest time.Time
}
