package alerts

import (
	"time"

	"videopatrol/detect"
)

// Condition is what the record knows of the newest condition of a key. It
// outlives the lead, so that a rejected or closed lead raises nothing until
// the condition has ended.
type Condition struct {
	Key  detect.ConditionKey
	Kind detect.Kind
	// Began is when it began first; Watched is the Began that the watch used
	// last, which differs once a watch lost its memory and began anew.
	Began, Watched time.Time
	LastSeen       time.Time
	Ended          time.Time // zero while it runs
	// Lead is the lead it raised, or the suppression that it is while Quiet
	// names the rule that keeps it back.
	Lead  string
	Quiet QuietRule
	// Shown is when the key's last condition ended that was shown, while this
	// one is kept back.
	Shown time.Time
	// Pictures counts the evidence kept so far, but for the picture of its
	// end, which EndPicture tells of.
	Pictures   int
	EndPicture bool
}

// shown is when the last condition ended that was shown; zero: never.
func (c Condition) shown() time.Time {
	if c.Quiet == "" {
		return c.Ended
	}
	return c.Shown
}

// Outcome is what a finding came to.
type Outcome string

// The outcomes of a finding.
const (
	// OutcomeRaised: a new condition, hence a new lead.
	OutcomeRaised Outcome = "raised"
	// OutcomeSeen: the condition goes on.
	OutcomeSeen Outcome = "seen"
	// OutcomeJoined: a watch without memory began a condition that runs.
	OutcomeJoined Outcome = "joined"
	// OutcomeEnded: the condition ended.
	OutcomeEnded Outcome = "ended"
	// OutcomeSuppressed: a new condition that is not shown; see QuietRule.
	OutcomeSuppressed Outcome = "suppressed"
	// OutcomeMerged: a new condition whose lead became part of a neighbour's.
	OutcomeMerged Outcome = "merged"
	// OutcomeRepeated: nothing new, a repeated or late delivery.
	OutcomeRepeated Outcome = "repeated"
)

// Outcomes lists every outcome.
func Outcomes() []Outcome {
	return []Outcome{OutcomeRaised, OutcomeSeen, OutcomeJoined, OutcomeEnded, OutcomeSuppressed, OutcomeMerged, OutcomeRepeated}
}

// Folded is what the record knows of a finding's condition.
type Folded struct {
	Condition Condition // zero: the key has had none yet
	// Known is the lead that a finding with the same Began was folded into
	// before, or "".
	Known string
}

// Fold folds a finding into the newest condition of its key and returns the
// condition as it is then. Times are in whole microseconds.
//
// Whatever phase comes first raises, so that a lost begin loses no lead: an
// end raises a lead whose condition has ended. A Began that is known never
// raises again, however late or often it is delivered. A Began that is not
// known joins the condition while it runs, also when the clock stepped back.
func Fold(have Folded, f detect.Finding) (Condition, Outcome) {
	c := have.Condition
	switch {
	case have.Known != "" && have.Known != c.Lead:
		return c, OutcomeRepeated // of a condition that ended long ago
	case have.Known != "":
		return foldKnown(c, f)
	case c.Lead != "" && c.Ended.IsZero():
		return foldStranger(c, f)
	}
	c = Condition{Key: f.Key(), Kind: f.Kind, Began: f.Began, Watched: f.Began, LastSeen: f.At}
	if f.Phase == detect.PhaseEnd {
		c.Ended = f.At
	}
	return c, OutcomeRaised
}

// foldKnown folds a finding whose Began belongs to the condition.
func foldKnown(c Condition, f detect.Finding) (Condition, Outcome) {
	later := f.At.After(c.LastSeen)
	switch {
	case !c.Ended.IsZero() || f.Phase == detect.PhaseBegin:
		return c, OutcomeRepeated
	case f.Phase == detect.PhaseContinue && later:
		return seen(c, f, OutcomeSeen)
	case f.Phase == detect.PhaseEnd && (later || f.Began.Equal(c.Watched)):
		return seen(c, f, OutcomeEnded)
	}
	return c, OutcomeRepeated
}

// foldStranger folds a finding whose Began is new into a condition that runs.
func foldStranger(c Condition, f detect.Finding) (Condition, Outcome) {
	if f.Phase == detect.PhaseEnd {
		if f.At.After(c.LastSeen) {
			return seen(c, f, OutcomeEnded)
		}
		return c, OutcomeRepeated
	}
	c.Watched = f.Began
	return seen(c, f, OutcomeJoined)
}

func seen(c Condition, f detect.Finding, o Outcome) (Condition, Outcome) {
	if f.At.After(c.LastSeen) {
		c.LastSeen = f.At
	}
	if f.Phase == detect.PhaseEnd {
		c.Ended = c.LastSeen
	}
	return c, o
}

// continuePictures are how long after its beginning a condition's further
// pictures are kept: with the first and the last one, at most five.
var continuePictures = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}

// MaxEvidence is how many pictures a lead keeps at most.
const MaxEvidence = 5

// keepPicture decides whether a finding's picture becomes evidence, and counts
// it in the condition.
func keepPicture(c Condition, o Outcome, f detect.Finding) (Condition, bool) {
	switch {
	case len(f.Picture) == 0 || o == OutcomeRepeated:
		return c, false
	case f.Phase == detect.PhaseEnd:
		if c.EndPicture {
			return c, false
		}
		c.EndPicture = true
		return c, true
	case c.Pictures > len(continuePictures):
		return c, false
	case c.Pictures > 0 && f.At.Sub(c.Began) < continuePictures[c.Pictures-1]:
		return c, false
	}
	c.Pictures++
	return c, true
}
