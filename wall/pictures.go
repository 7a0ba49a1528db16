package wall

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"videopatrol/alerts"
	"videopatrol/detect"
)

// This file is the only one that sends pictures. Each way out takes a view
// lease first (leases.go) and sends nothing when the audit cannot be written.

// Stills has the newest picture of each camera; worker.Pool is one.
type Stills interface {
	// Still returns the newest masked picture of a camera as JPEG and when it
	// was received, or an error when there is none to show. It may take seconds:
	// a picture is made when somebody asks for it.
	Still(ctx context.Context, camera string) (jpeg []byte, taken time.Time, err error)
	// Explain says what the detection makes of a camera, on its newest picture,
	// or an error when there is none. It may take seconds.
	Explain(ctx context.Context, camera string) (detect.Explanation, error)
}

type stillInput struct {
	ID      string `path:"id" maxLength:"64"`
	Purpose string `query:"purpose" maxLength:"100" default:"patrol" doc:"why; it goes into the audit"`
}

type evidenceInput struct {
	Lead    string `path:"lead" maxLength:"64"`
	Picture string `path:"picture" maxLength:"68" doc:"the SHA-256 of the picture in hex, and .jpg"`
	Purpose string `query:"purpose" maxLength:"100" default:"triage" doc:"why; it goes into the audit"`
}

type linkInput struct {
	Picture string `path:"picture" maxLength:"68" doc:"the SHA-256 of the picture in hex, and .jpg"`
	Token   string `query:"token" required:"true" maxLength:"200" doc:"of the link; it expires"`
}

// LinkPath is the path and query of a link to a picture, with a token of
// alerts.SignLink.
func LinkPath(sha256, token string) string {
	return prefix + "/evidence/" + sha256 + ".jpg?token=" + url.QueryEscape(token)
}

var pictureName = regexp.MustCompile(`^([0-9a-f]{64})\.jpg$`)

func (s *Server) getStill(ctx context.Context, in *stillInput) (*huma.StreamResponse, error) {
	if _, ok := s.index().byID[in.ID]; !ok {
		return nil, noCamera()
	}
	jpeg, taken, err := s.stills.Still(ctx, in.ID)
	if err != nil {
		s.log.Debug("no picture of a camera", "camera", in.ID, "error", err)
		return nil, problem(http.StatusNotFound, "not_found",
			"there is no picture of this camera at the moment; its next sample brings one, so try again soon")
	}
	if err := s.lease(ctx, callerOf(ctx), "camera/"+in.ID, in.Purpose); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "image/jpeg")
		hc.SetHeader("Content-Length", strconv.Itoa(len(jpeg)))
		hc.SetHeader("Last-Modified", taken.UTC().Format(http.TimeFormat))
		hc.SetStatus(http.StatusOK)
		s.metrics.views.Inc()
		// A client that left is no error of ours.
		_, _ = hc.BodyWriter().Write(jpeg)
	}}, nil
}

// explainCamera shows the figures to whoever may read, and the pictures to
// whoever may look: who administers sees why there was no finding, and nobody
// in the picture.
func (s *Server) explainCamera(ctx context.Context, in *stillInput) (*body[detect.Explanation], error) {
	if _, ok := s.index().byID[in.ID]; !ok {
		return nil, noCamera()
	}
	e, err := s.stills.Explain(ctx, in.ID)
	if err != nil {
		s.log.Debug("no explanation of a camera", "camera", in.ID, "error", err)
		return nil, problem(http.StatusNotFound, "not_found",
			"there is no picture of this camera at the moment to explain anything by; its next sample brings one, so try again soon")
	}
	who := callerOf(ctx)
	if !who.Role.May(ActionView) {
		e.Picture, e.Background = nil, nil
		return answer(e, nil)
	}
	if err := s.lease(ctx, who, "camera/"+in.ID, in.Purpose); err != nil {
		return nil, err
	}
	s.metrics.views.Inc()
	return answer(e, nil)
}

func (s *Server) getEvidence(ctx context.Context, in *evidenceInput) (*huma.StreamResponse, error) {
	name := pictureName.FindStringSubmatch(in.Picture)
	if name == nil {
		return nil, noPicture()
	}
	return s.evidence(ctx, callerOf(ctx), name[1], in.Lead, in.Purpose)
}

func (s *Server) getLinkedEvidence(ctx context.Context, in *linkInput) (*huma.StreamResponse, error) {
	name := pictureName.FindStringSubmatch(in.Picture)
	if name == nil {
		return nil, noPicture()
	}
	if err := alerts.VerifyLink(s.linkKey, name[1], in.Token, s.now()); err != nil {
		return nil, problem(http.StatusForbidden, "forbidden", err.Error())
	}
	// The expiry tells one link from another without giving the token away.
	expires, _, _ := strings.Cut(in.Token, ".")
	return s.evidence(ctx, caller{Name: "link:" + expires, Client: clientIn(ctx)}, name[1], "", "dispatch")
}

func noPicture() error { return problem(http.StatusNotFound, "not_found", "there is no such picture") }

// evidence answers with a picture of a lead; "" is the newest that it is of.
func (s *Server) evidence(ctx context.Context, who caller, sha256, of, purpose string) (*huma.StreamResponse, error) {
	file, lead, err := s.desk.Evidence(ctx, sha256, of)
	if errors.Is(err, alerts.ErrNotFound) {
		return nil, noPicture()
	}
	if err != nil {
		return nil, err
	}
	if err := s.lease(ctx, who, "lead/"+lead.ID+" camera/"+lead.Camera.ID, purpose); err != nil {
		_ = file.Close() // it was only read
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { _ = file.Close() }()
		r, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "image/jpeg")
		s.metrics.views.Inc()
		http.ServeContent(w, r, "", time.Time{}, file)
	}}, nil
}

// lease makes sure that the audit says who looks before anything is shown.
func (s *Server) lease(ctx context.Context, who caller, object, purpose string) error {
	if purpose = strings.TrimSpace(purpose); purpose == "" {
		return problem(http.StatusUnprocessableEntity, "invalid", "say the purpose of the view")
	}
	if err := s.leases.take(ctx, viewer{by: who.Name, client: who.Client, purpose: purpose}, object); err != nil {
		s.log.Error("audit cannot be written, no picture is shown", "error", err)
		return problem(http.StatusServiceUnavailable, "audit_unavailable",
			"the audit cannot be written, so no picture is shown; try again, and tell the operator if it lasts")
	}
	return nil
}
