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
	// SaveLead keeps what may change of a lead: state, version, owner,
	// changed, last seen and ended.
	SaveLead(ctx context.Context, l Lead) error
	Lead(ctx context.Context, id string) (Lead, error)
	LastStep(ctx context.Context, l Lead) (Step, error)
	AddStep(ctx context.Context, lead string, s Step) error
	AddEvidence(ctx context.Context, lead string, e Evidence) error
	SaveOrder(ctx context.Context, lead string, o Order) error
	// AddAudit chains a row to the audit of this node, or returns an error
	// that is ErrUnwritten: then nothing of the transaction may stay.
	AddAudit(ctx context.Context, row AuditRow) error
	AddNotice(ctx context.Context, n Notice) error
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
