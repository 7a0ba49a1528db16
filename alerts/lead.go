package alerts

import (
	"time"

	"videopatrol/detect"
	"videopatrol/inventory"
)

// LeadState is where people have brought a lead.
type LeadState string

// The states of a lead.
const (
	LeadRaised       LeadState = "raised"
	LeadAccepted     LeadState = "accepted"
	LeadRejected     LeadState = "rejected"
	LeadMerged       LeadState = "merged"
	LeadExpired      LeadState = "expired"
	LeadDispatched   LeadState = "dispatched"
	LeadAcknowledged LeadState = "acknowledged"
	LeadResolved     LeadState = "resolved"
	LeadTransferred  LeadState = "transferred"
	LeadClosed       LeadState = "closed"
	LeadReopened     LeadState = "reopened"
)

// LeadStates lists every state in the order of a lead's life.
func LeadStates() []LeadState {
	return []LeadState{
		LeadRaised, LeadAccepted, LeadRejected, LeadMerged, LeadExpired, LeadDispatched,
		LeadAcknowledged, LeadResolved, LeadTransferred, LeadClosed, LeadReopened,
	}
}

// Severity says how fast a lead wants a person.
type Severity string

// The severities.
const (
	SeverityHigh   Severity = "high"
	SeverityMedium Severity = "medium"
	SeverityLow    Severity = "low"
)

// Severities lists every severity, the most urgent first.
func Severities() []Severity { return []Severity{SeverityHigh, SeverityMedium, SeverityLow} }

// Lead is one condition as people handle it.
type Lead struct {
	// ID sorts by the time the lead was raised (UUID version 7, RFC 9562).
	ID string `json:"id"`
	// Number is short, for people to say and type.
	Number   int64       `json:"number"`
	Kind     detect.Kind `json:"kind"`
	Severity Severity    `json:"severity"`
	State    LeadState   `json:"state"`
	Version  int64       `json:"version"` // counts the rows of its trace, from 1
	// Decided is the version of the newest change of state or owner; 0 means
	// Version. Who decides must have seen it; see Judge.
	Decided  int64          `json:"-"`
	Since    time.Time      `json:"since,omitzero"` // when it came into its state
	Summary  detect.Text    `json:"summary"`
	Rule     detect.RuleRef `json:"rule"`
	Camera   CameraRef      `json:"camera"`
	Zone     ZoneRef        `json:"zone"`
	Grid     []GridRef      `json:"grid"` // from the city down to the sub-cell of the zone
	Evidence []Evidence     `json:"evidence"`
	Orders   []Order        `json:"orders"`
	Owner    string         `json:"owner,omitempty"`
	// Level counts how often it went up a level: each reopening.
	Level int `json:"level,omitempty"`
	// Supervised marks a lead whose clock ran out so far that it is supervised
	// (督办) until it is closed.
	Supervised bool `json:"supervised,omitempty"`
	// MergedInto is the lead that it was merged into.
	MergedInto string `json:"merged_into,omitempty"`
	// Transfer tells of the other centre that has it, or had it last.
	Transfer *Transfer  `json:"transfer,omitempty"`
	Clocks   []DueClock `json:"clocks"`
	RaisedAt time.Time  `json:"raised_at"`
	Changed  time.Time  `json:"changed_at"`
	// The condition behind the lead, by receive time of samples; EndedAt is
	// nil while it runs.
	BeganAt    time.Time  `json:"began_at"`
	LastSeenAt time.Time  `json:"last_seen_at"`
	EndedAt    *time.Time `json:"ended_at,omitempty"`
	// Blind is set while the condition goes on and is not seen.
	Blind *Blind `json:"blind,omitempty"`
	// Canary marks a lead of the gateway's own synthetic camera: it proves the
	// road from socket to desk and is no officer's work.
	Canary bool `json:"canary,omitempty"`
}

// CameraRef is what a lead keeps of its camera as it was then.
type CameraRef struct {
	ID   string  `json:"id"`
	Name string  `json:"name"`
	Lat  float64 `json:"lat"`
	Lon  float64 `json:"lon"`
}

// ZoneRef is what a lead keeps of its zone.
type ZoneRef struct {
	ID   string             `json:"id"`
	Name string             `json:"name,omitempty"`
	Kind inventory.ZoneKind `json:"kind"`
}

// GridRef is one cell of a lead's place.
type GridRef struct {
	ID    string          `json:"id"`
	Level inventory.Level `json:"level"`
	Name  string          `json:"name"`
}

// Evidence is one picture of a lead.
type Evidence struct {
	// SHA256 of the file, in hex, names it.
	SHA256  string       `json:"sha256"`
	Phase   detect.Phase `json:"phase"`
	TakenAt time.Time    `json:"taken_at"`
	Boxes   []detect.Box `json:"boxes,omitempty"`
	Size    int          `json:"size"` // bytes
}

// Transfer is a lead's stay at another centre, such as the 12345 line.
type Transfer struct {
	Centre string `json:"centre"` // a department's id
	// Key names the case there and here, on the way out and back.
	Key string    `json:"key"`
	At  time.Time `json:"at"`
}

// Step is one row of a lead's trace: what was done, by whom and why.
type Step struct {
	Version int64     `json:"version"` // the lead's version after it
	At      time.Time `json:"at"`
	// By is a user's name, or "system".
	By   string    `json:"by"`
	Act  Act       `json:"act"`
	From LeadState `json:"from,omitempty"` // "" for the first
	To   LeadState `json:"to"`             // equals From unless the lead moved
	// About is what it concerns besides the lead: an order's department, a
	// clock's stage, another lead's id, a handover's id, a way to be blind.
	About  string `json:"about,omitempty"`
	Reason string `json:"reason,omitempty"`
	Note   string `json:"note,omitempty"`
}

// AuditRow is one row of the audit: who did what to which object, and why. The
// record sets Node and Seq; alerts/audit chains the rows of a node.
type AuditRow struct {
	Node string `json:"node,omitempty"`
	// Seq counts the rows of a node, from 1, without a gap.
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
	By  string    `json:"by"`
	// Action is one of a bounded set, such as view, transition, login, import.
	Action  string `json:"action"`
	Object  string `json:"object"`
	Purpose string `json:"purpose,omitempty"`
	Client  string `json:"client,omitempty"`
	Detail  string `json:"detail,omitempty"`
}
