package alerts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"videopatrol/detect"
)

// MostShelved is how long a source may be shelved at most.
const MostShelved = 8 * time.Hour

// Shelf is a source that a person has quieted for a limited time (搁置). What
// is still going on when it ends is shown then.
type Shelf struct {
	ID string `json:"id"`
	// What is named must fit; at least the camera or the rule is.
	Camera string      `json:"camera,omitempty"`
	Zone   string      `json:"zone,omitempty"`
	Rule   string      `json:"rule,omitempty"`
	Kind   detect.Kind `json:"kind,omitempty"`
	Reason string      `json:"reason"`
	By     string      `json:"by"`
	From   time.Time   `json:"from"`
	To     time.Time   `json:"to"`
	// EndedBy is who ended it early; To is then when.
	EndedBy string `json:"ended_by,omitempty"`
	Client  string `json:"-"`
}

// ShelfRefusedError says why a source cannot be shelved so.
type ShelfRefusedError struct{ Why string }

func (e *ShelfRefusedError) Error() string { return "the source is not shelved: " + e.Why }

// judge says whether the shelf may be; its error is a *ShelfRefusedError.
func (s Shelf) judge(now time.Time) error {
	why := badWords(s.By, s.Reason, "")
	switch {
	case why != "":
	case strings.TrimSpace(s.Reason) == "":
		why = "it needs a reason"
	case s.Camera == "" && s.Rule == "":
		why = "it names a camera or a rule"
	case s.Zone != "" && s.Camera == "":
		why = "a zone is named together with its camera"
	case s.Kind != "" && !slices.Contains(detect.Kinds(), s.Kind):
		why = fmt.Sprintf("there is no kind %q", s.Kind)
	case !s.To.After(now):
		why = "its end has passed"
	case s.To.Sub(now) > MostShelved:
		why = fmt.Sprintf("it ends after %s at most", MostShelved)
	}
	if why == "" {
		return nil
	}
	return &ShelfRefusedError{Why: why}
}

// Shelve quiets a source from now until s.To. It returns the shelf, or a
// *ShelfRefusedError.
func (e *Engine) Shelve(ctx context.Context, s Shelf) (Shelf, error) {
	id, err := e.newID()
	if err != nil {
		return Shelf{}, fmt.Errorf("make a shelf's id: %w", err)
	}
	s.ID, s.Reason, s.To, s.EndedBy = id, strings.TrimSpace(s.Reason), micros(s.To), ""
	err = e.store.Write(ctx, func(tx Tx) error {
		s.From = tx.Now()
		if err := s.judge(s.From); err != nil {
			return err
		}
		if err := tx.AddAudit(ctx, s.audit("shelve", s.By, s.From, s.Client)); err != nil {
			return err
		}
		return tx.SaveShelf(ctx, s)
	})
	if err != nil {
		return Shelf{}, err
	}
	return s, nil
}

// Unshelve ends a shelf early. It returns ErrNotFound when it has ended, or
// never was.
func (e *Engine) Unshelve(ctx context.Context, id, by, client string) (Shelf, error) {
	if by == "" {
		return Shelf{}, errors.New("a shelf is ended by somebody")
	}
	var s Shelf
	err := e.store.Write(ctx, func(tx Tx) error {
		var err error
		if s, err = tx.Shelf(ctx, id); err != nil {
			return err
		}
		if !s.To.After(tx.Now()) {
			return ErrNotFound
		}
		s.To, s.EndedBy = tx.Now(), by
		if err := tx.AddAudit(ctx, s.audit("unshelve", by, tx.Now(), client)); err != nil {
			return err
		}
		return tx.SaveShelf(ctx, s)
	})
	return s, err
}

func (s Shelf) audit(action, by string, at time.Time, client string) AuditRow {
	return AuditRow{
		At: at, By: by, Action: action, Object: "shelf/" + s.ID, Purpose: s.Reason, Client: client,
		Detail: strings.TrimSpace(fmt.Sprintf("camera %q zone %q rule %q kind %q until %s", s.Camera, s.Zone, s.Rule, s.Kind, s.To.Format(time.RFC3339))),
	}
}

// Shelves lists the shelves that have not ended at a time, the one that ends
// first first.
func (e *Engine) Shelves(ctx context.Context) ([]Shelf, error) {
	return e.store.Shelves(ctx, micros(e.steady.wall()))
}

// Suppressions returns a page of what was not shown as a lead of its own.
func (e *Engine) Suppressions(ctx context.Context, q SuppressionQuery) (SuppressionPage, error) {
	switch {
	case q.Limit == 0:
		q.Limit = 50
	case q.Limit < 1 || q.Limit > 500:
		return SuppressionPage{}, fmt.Errorf("limit %d: want 1 to 500", q.Limit)
	case q.By != "" && !slices.Contains(QuietRules(), q.By):
		return SuppressionPage{}, fmt.Errorf("no rule is named %q", q.By)
	}
	return e.store.Suppressions(ctx, q)
}
