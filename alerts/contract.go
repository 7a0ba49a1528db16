package alerts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"videopatrol/detect"
)

// ErrNotFound is returned for a lead, order or picture that does not exist.
var ErrNotFound = errors.New("not found")

// ErrCursor is returned for a cursor that no page gave out.
var ErrCursor = errors.New("no such cursor: begin again without one")

// ErrUnwritten is returned when the record, or its audit, cannot be written:
// nothing was done.
var ErrUnwritten = errors.New("the record cannot be written")

// UndoWindow is how long a person may take back their own triage.
const UndoWindow = 10 * time.Second

// StaleError says that a transition was asked of a version that has passed.
type StaleError struct {
	Lead    string
	State   LeadState // the current one
	Version int64     // the current one
	Owner   string    // who has it, or who changed it last
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("lead %s is %s by %s meanwhile (version %d)", e.Lead, e.State, e.Owner, e.Version)
}

// RefusedError says why a transition is not allowed, and what would be.
type RefusedError struct {
	From, To LeadState
	Why      string
	Allowed  []LeadState
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("a lead cannot go from %s to %s: %s", e.From, e.To, e.Why)
}

// Transition is what a person asks of a lead.
type Transition struct {
	Lead string
	To   LeadState
	By   string
	// Reason is a code or a short text; rejecting and closing demand one.
	Reason string
	Note   string
	// Version is the version the person saw.
	Version int64
	// Departments get an order each when To is LeadDispatched, the first one
	// to lead the others; Copies are told alone. When To is LeadTransferred
	// the department is the centre; none is the routes' own.
	Departments []string
	Copies      []string
	// Into is the open lead that this one is merged into when To is
	// LeadMerged.
	Into string
	// Client is the address the request came from, for the audit.
	Client string
}

// LeadQuery selects leads.
type LeadQuery struct {
	States []LeadState // none means all
	Kinds  []detect.Kind
	Camera string
	Cell   string // a cell of any level; its sub-cells count
	Canary bool   // true: canary leads only; false: none of them
	// Owner, MergedInto and Transfer select by owner's name, by the lead that
	// others were merged into, by a transfer's key; "" is all.
	Owner, MergedInto, Transfer string
	// Limit is 1..500, 0 means 50. Cursor is a Page's Next. Newest first.
	Limit  int
	Cursor string
}

// LeadPage is one page of leads, newest first.
type LeadPage struct {
	Leads []Lead
	// Next continues the list; "" at its end.
	Next string
}

// Desk is what people and programs do with leads; Engine implements it.
type Desk interface {
	Lead(ctx context.Context, id string) (Lead, error)
	Leads(ctx context.Context, q LeadQuery) (LeadPage, error)
	Trace(ctx context.Context, id string) ([]Step, error)
	// Transition moves a lead. It returns *StaleError, *RefusedError or
	// ErrNotFound; when it returns nil the change is durable.
	Transition(ctx context.Context, t Transition) (Lead, error)
	// Merged lists the leads that were merged into a lead, and into those.
	Merged(ctx context.Context, id string) ([]Lead, error)
	// LeadCameras lists the cameras of a lead about cameras that fail.
	LeadCameras(ctx context.Context, lead string) ([]LeadCamera, error)
	// Claim changes a lead's owner. It returns *StaleError, *RefusedError or
	// ErrNotFound.
	Claim(ctx context.Context, c Claim) (Lead, error)
	// Orders returns a page of orders, newest first. SendOrders sends further
	// ones; OrderTransition is what a department says of its own. They return
	// *StaleError, *RefusedError, *OrderRefusedError or ErrNotFound.
	Orders(ctx context.Context, q OrderQuery) (OrderPage, error)
	SendOrders(ctx context.Context, r OrderRequest) (Lead, error)
	OrderTransition(ctx context.Context, t OrderTransition) (Lead, error)
	// AnswerTransfer brings a lead back from another centre, or closes it. It
	// returns *RefusedError or ErrNotFound.
	AnswerTransfer(ctx context.Context, a TransferAnswer) (Lead, error)
	// Handovers are changes of shifts, newest first. They return
	// *HandoverRefusedError or ErrNotFound.
	Handovers(ctx context.Context, limit int) ([]Handover, error)
	OfferHandover(ctx context.Context, by, note, client string) (Handover, error)
	TakeHandover(ctx context.Context, id, by, client string) (Handover, error)
	// Shelves are the sources that persons quieted. They return
	// *ShelfRefusedError or ErrNotFound.
	Shelves(ctx context.Context) ([]Shelf, error)
	Shelve(ctx context.Context, s Shelf) (Shelf, error)
	Unshelve(ctx context.Context, id, by, client string) (Shelf, error)
	// Suppressions are the conditions that were not shown as a lead of their
	// own, newest first.
	Suppressions(ctx context.Context, q SuppressionQuery) (SuppressionPage, error)
	// Statistics counts the leads that were raised in a time.
	Statistics(ctx context.Context, from, to time.Time) (Statistics, error)
	// Counts returns the number of leads by state, canary leads left out.
	Counts(ctx context.Context) (map[LeadState]int, error)
	// Evidence opens a picture of a lead by its SHA-256 and returns the lead,
	// or ErrNotFound. One frame may be evidence of several leads: "" is the
	// newest of them.
	Evidence(ctx context.Context, sha256, lead string) (io.ReadSeekCloser, Lead, error)
}

// Journal is the audit.
type Journal interface {
	// Record returns once the row is durable. Whoever shows something calls it
	// first, and does not when it fails.
	Record(ctx context.Context, row AuditRow) error
	// Along runs a change of the record, and writes the row in the change's
	// own transaction: both are there or neither is. A change that wrote
	// nothing and yet succeeded has its row too, once Along returns nil.
	Along(ctx context.Context, row AuditRow, change func(context.Context) error) error
	// Audit lists rows, newest first, before a sequence number (0: the end).
	Audit(ctx context.Context, before int64, limit int) ([]AuditRow, error)
}

// Change tells a listener, after the commit, what became of a lead.
type Change struct {
	Lead Lead
	Step Step
}
