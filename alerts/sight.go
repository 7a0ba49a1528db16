package alerts

import (
	"context"
	"errors"
	"time"
)

// Blindness is why nobody knows how a lead's condition goes on.
type Blindness string

// The ways to be blind.
const (
	// BlindCamera: the camera gives no picture to trust.
	BlindCamera Blindness = "camera"
	// BlindShed: it does, and the gateway had no time for it.
	BlindShed Blindness = "shed"
)

// Blindnesses lists every way to be blind.
func Blindnesses() []Blindness { return []Blindness{BlindCamera, BlindShed} }

// Blind says that a lead's condition is not seen: that nothing more was seen
// does not mean that it is over.
type Blind struct {
	By Blindness `json:"by"`
	// Reason is the camera's reason when it began.
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}

// Sight is how well a camera is seen, as the patrol knows it; Blind nil: well.
// A camera of which nothing is known yet has none.
type Sight struct {
	Camera string
	Blind  *Blind
}

// blindHold is for how long a camera is blind before its leads say so.
const blindHold = 30 * time.Second

// label is what a lead is to say of its camera's sight. Once it says that it is
// blind it says so, with the first reason, until the camera sees again.
func (s Sight) label(has *Blind, now time.Time) *Blind {
	switch {
	case s.Blind == nil:
		return nil
	case has != nil:
		return has
	case now.Sub(s.Blind.Since) < blindHold:
		return nil
	}
	b := *s.Blind
	b.Since = micros(b.Since)
	return &b
}

// ObserveSight labels the leads whose conditions go on at cameras that have
// been blind for half a minute, and takes the label off when they see again. It
// may be called at any time and again; nil means that all of it is durable.
func (e *Engine) ObserveSight(ctx context.Context, all []Sight) error {
	watched, err := e.store.Watched(ctx)
	if err != nil || len(watched) == 0 {
		return err
	}
	at := make(map[string]Sight, len(all))
	for _, s := range all {
		at[s.Camera] = s
	}
	var errs []error
	for _, l := range watched {
		s, known := at[l.Camera.ID]
		if !known || (s.label(l.Blind, e.steady.wall()) == nil) == (l.Blind == nil) {
			continue
		}
		_, err := e.change(ctx, l.ID, func(ch *changing) error { return ch.see(ctx, s) })
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// see labels the lead, unless something has come between.
func (ch *changing) see(ctx context.Context, s Sight) error {
	had := ch.lead.Blind
	label := s.label(had, ch.tx.Now())
	if !ch.lead.watched() || (label == nil) == (had == nil) {
		return nil
	}
	ch.lead.Blind = label
	step := Step{By: System, Act: ActSighted}
	if label != nil {
		step = Step{By: System, Act: ActBlinded, About: string(label.By), Reason: label.Reason}
	}
	return ch.record(ctx, step, "", nil)
}

// watched tells whether it matters if the lead's camera sees: somebody works on
// it, here or in the lead that it was merged into, and its condition goes on.
func (l Lead) watched() bool {
	return (l.State.Open() || l.State == LeadMerged) && l.EndedAt == nil && l.Kind != KindCameraFault && !l.Canary
}
