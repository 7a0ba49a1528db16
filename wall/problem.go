package wall

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"videopatrol/alerts"
)

// Problem is an error answer (RFC 9457), with a code for programs and the
// members that a desk needs to go on.
type Problem struct {
	Type   string `json:"type" doc:"always about:blank; see code"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty" doc:"what is wrong and what to do"`
	// Code is one of: unauthenticated, forbidden, cross_origin, not_found,
	// invalid, stale, refused, conflict, too_many, too_large, audit_unavailable,
	// unavailable, internal.
	Code string `json:"code"`
	// State, Version and Owner are the lead's current ones after a 409.
	State   alerts.LeadState `json:"state,omitempty"`
	Version int64            `json:"version,omitempty"`
	Owner   string           `json:"owner,omitempty"`
	// Allowed are the states that a refused lead can go to.
	Allowed []alerts.LeadState `json:"allowed,omitempty"`

	// header is sent with it.
	header http.Header
}

func problem(status int, code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// unify makes a Problem of the library's own errors, which are about requests
// that do not fit the schema. What the client sent is not repeated: it may
// hold a password.
func unify(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	details := []string{m.Detail}
	for _, e := range m.Errors {
		details = append(details, strings.TrimSpace(e.Location+" "+e.Message))
	}
	code := "invalid"
	switch {
	case m.Status == http.StatusRequestEntityTooLarge:
		code = "too_large"
	case m.Status >= http.StatusInternalServerError:
		code = "internal"
	}
	return problem(m.Status, code, strings.Join(details, "; ")), nil
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is the media type of a problem.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders are the headers that go with it.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ServeHTTP answers with the problem.
func (p *Problem) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	// A client that left is no error of ours.
	_ = json.NewEncoder(w).Encode(p)
}
