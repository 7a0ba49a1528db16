package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"videopatrol/streams"
)

// Gateway reads a gateway's API.
type Gateway struct {
	// Server is the address of its wall, such as http://127.0.0.1:8080.
	Server string
	// Token is an API token that may read leads and cameras.
	Token  string
	Client *http.Client

	spells map[string][]Spell
}

// Follow asks every so often which cameras cannot see, until ctx ends. While
// the gateway does not answer none can. It fails if the first question does.
func (g *Gateway) Follow(ctx context.Context, every time.Duration) error {
	cameras, err := list[Camera](ctx, g, "/cameras", "cameras")
	if err != nil {
		return err
	}
	g.spells = map[string][]Spell{}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		now := time.Now()
		for _, c := range cameras {
			if err != nil {
				c.State, c.Reason, c.Since = streams.StateUnknown, streams.ReasonGatewayDown, nil
			}
			g.spells[c.ID] = note(g.spells[c.ID], c, now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var newer []Camera
		if newer, err = list[Camera](ctx, g, "/cameras", "cameras"); err == nil {
			cameras = newer
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// note adds what a camera shows at a moment to its spells.
func note(spells []Spell, c Camera, now time.Time) []Spell {
	sees := c.State == streams.StateOnline
	if n := len(spells); n > 0 && spells[n-1].End.IsZero() {
		if !sees && spells[n-1].Reason == c.Reason {
			return spells
		}
		spells[n-1].End = now
	}
	if sees {
		return spells
	}
	begin := now
	if c.Since != nil && c.Since.Before(now) {
		begin = *c.Since
	}
	return append(spells, Spell{Reason: c.Reason, Begin: begin})
}

// Record reads what the gateway knows now, and adds what Follow has seen.
func (g *Gateway) Record(ctx context.Context) (Record, error) {
	r := Record{Spells: g.spells}
	var err error
	if r.Cameras, err = list[Camera](ctx, g, "/cameras", "cameras"); err != nil {
		return r, err
	}
	if r.Leads, err = list[Lead](ctx, g, "/leads", "leads"); err != nil {
		return r, err
	}
	r.Suppressions, err = list[Suppression](ctx, g, "/suppressions", "suppressions")
	return r, err
}

// list reads all pages of a listing.
func list[T any](ctx context.Context, g *Gateway, path, field string) ([]T, error) {
	var all []T
	q := url.Values{"limit": {"500"}}
	for {
		var page map[string]json.RawMessage
		if err := g.get(ctx, path+"?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		var part []T
		if err := json.Unmarshal(page[field], &part); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", field, path, err)
		}
		all = append(all, part...)
		var next string
		if raw, ok := page["next"]; ok {
			if err := json.Unmarshal(raw, &next); err != nil {
				return nil, fmt.Errorf("next of %s: %w", path, err)
			}
		}
		if next == "" {
			return all, nil
		}
		q.Set("cursor", next)
	}
}

func (g *Gateway) get(ctx context.Context, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(g.Server, "/")+"/api/v1"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+g.Token)
	resp, err := g.Client.Do(req)
	if err != nil {
		return fmt.Errorf("the gateway does not answer: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return fmt.Errorf("the gateway's answer broke off: %w", err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("GET %s: %s: %s", path, resp.Status, b)
	}
	return json.Unmarshal(b, out)
}
