package alerts

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"videopatrol/detect"
)

// MaxEvent is the largest outgoing event, in bytes.
const MaxEvent = 20_000

// EventType is the CloudEvents type of a step with that name; see Step.Name.
func EventType(name string) string { return "videopatrol.lead." + name + ".v1" }

// Event is a notice as a CloudEvent 1.0 (JSON event format, structured mode):
// the form in which every sink tells of a lead.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            EventData `json:"data"`
}

// EventData is what an Event says of its lead.
type EventData struct {
	Lead     EventLead       `json:"lead"`
	Camera   CameraRef       `json:"camera"`
	Grid     []GridRef       `json:"grid"`
	Zone     ZoneRef         `json:"zone"`
	Rule     detect.RuleRef  `json:"rule"`
	Evidence []EventEvidence `json:"evidence"`
	Clocks   []EventClock    `json:"clocks"`
	// Order is the one order that the transition made; Orders are they when
	// it made several.
	Order  *Order  `json:"order,omitempty"`
	Orders []Order `json:"orders,omitempty"`
	// Transfer has the key under which another centre answers.
	Transfer *Transfer `json:"transfer,omitempty"`
	// Clock is the one that reminds or ran out, To the post that is to hear of
	// it.
	Clock Stage  `json:"clock,omitempty"`
	To    string `json:"to,omitempty"`
}

// EventLead is the part of a lead that leaves the gateway.
type EventLead struct {
	ID       string      `json:"id"`
	Kind     detect.Kind `json:"kind"`
	Severity Severity    `json:"severity"`
	State    LeadState   `json:"state"`
	Summary  detect.Text `json:"summary"`
	RaisedAt time.Time   `json:"raised_at"`
	Version  int64       `json:"version"`
}

// EventEvidence is an expiring link to a picture.
type EventEvidence struct {
	URL       string    `json:"url"`
	SHA256    string    `json:"sha256"`
	ExpiresAt time.Time `json:"expires_at"`
}

// EventClock is by when a stage of a lead, or of one of its orders, is due.
type EventClock struct {
	Stage Stage     `json:"stage"`
	DueAt time.Time `json:"due_at"`
	Order string    `json:"order,omitempty"`
}

// LinkFunc makes the link under which a receiver may fetch a picture of a lead
// until it expires; see SignLink.
type LinkFunc func(sha256 string) (url string, expires time.Time, err error)

// NewEvent returns a notice as an event. source is the gateway's URI; without
// link an event names no pictures.
func NewEvent(n Notice, source string, link LinkFunc) (Event, error) {
	l := n.Lead
	e := Event{
		SpecVersion: "1.0", ID: n.ID, Source: source, Type: EventType(n.Step.Name()),
		Subject: l.ID, Time: n.Step.At.UTC(), DataContentType: "application/json",
		Data: EventData{
			Lead: EventLead{
				ID: l.ID, Kind: l.Kind, Severity: l.Severity, State: l.State,
				Summary: l.Summary, RaisedAt: l.RaisedAt.UTC(), Version: l.Version,
			},
			Camera: l.Camera, Grid: append([]GridRef{}, l.Grid...), Zone: l.Zone, Rule: l.Rule,
			Evidence: []EventEvidence{}, Clocks: []EventClock{},
		},
	}
	if l.State == LeadTransferred {
		e.Data.Transfer = l.Transfer
	}
	switch n.Step.Act {
	case ActReminded, ActBreached, ActEscalated, ActSupervised:
		e.Data.Clock, e.Data.To = Stage(n.Step.About), n.Step.Reason
	default:
	}
	for _, c := range l.Clocks {
		e.Data.Clocks = append(e.Data.Clocks, EventClock{Stage: c.Stage, DueAt: c.DueAt.UTC(), Order: c.Order})
	}
	// What people write stays in the house.
	orders := slices.Clone(n.Orders)
	for i := range orders {
		orders[i].Reason, orders[i].Feedback = "", ""
	}
	switch len(orders) {
	case 0:
	case 1:
		e.Data.Order = &orders[0]
	default:
		e.Data.Orders = orders
	}
	if link == nil {
		return e, nil
	}
	for _, ev := range l.Evidence {
		url, expires, err := link(ev.SHA256)
		if err != nil {
			return Event{}, fmt.Errorf("link to a picture: %w", err)
		}
		e.Data.Evidence = append(e.Data.Evidence, EventEvidence{
			URL: url, SHA256: ev.SHA256, ExpiresAt: expires.UTC().Truncate(time.Second),
		})
	}
	return e, nil
}

// Encode returns the event as JSON of at most MaxEvent bytes.
func (e Event) Encode() ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	if len(body) > MaxEvent {
		return nil, fmt.Errorf("event %s has %d bytes, more than the %d that receivers must take", e.ID, len(body), MaxEvent)
	}
	return body, nil
}
