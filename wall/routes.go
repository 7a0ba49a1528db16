package wall

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"videopatrol/alerts"
)

const (
	smallBody  = 16 << 10  // bytes of a JSON request
	listBody   = 256 << 10 // one that lists thousands of ids
	importBody = 256 << 20
)

// op describes one route of the API.
func op(id, method, path, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: prefix + path, Summary: summary, MaxBodyBytes: smallBody}
}

// route registers a route together with the action it needs; there is no
// other way to register one.
func route[I, O any](s *Server, action Action, o huma.Operation, handler func(context.Context, *I) (*O, error)) {
	o.Middlewares = huma.Middlewares{func(hc huma.Context, next func(huma.Context)) {
		_, w := humago.Unwrap(hc)
		if rec, ok := w.(*recorder); ok {
			rec.operation = o.OperationID
		}
		next(hc)
	}, s.guard(action)}
	if action != ActionNone && action != ActionLink {
		o.Security = []map[string][]string{{"session": {}}, {"token": {}}}
		o.Extensions = map[string]any{"x-action": string(action)}
	}
	if o.Responses == nil {
		o.Responses = map[string]*huma.Response{}
	}
	// With two responses present the library adds none of its own.
	o.Responses["default"] = &huma.Response{
		Description: "Error",
		Content: map[string]*huma.MediaType{"application/problem+json": {
			Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem"),
		}},
	}
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err == nil {
			return out, nil
		}
		if p, ok := errors.AsType[*Problem](err); ok {
			return nil, p
		}
		if errors.Is(err, alerts.ErrUnwritten) {
			s.log.Error("the record cannot be written", "operation", o.OperationID, "error", err)
			return nil, unaudited()
		}
		if ctx.Err() != nil {
			return nil, problem(http.StatusServiceUnavailable, "unavailable", "the request was given up")
		}
		s.log.Error("request failed", "operation", o.OperationID, "error", err)
		return nil, problem(http.StatusInternalServerError, "internal", "the gateway failed; its log says why")
	})
}

// body is an answer with a JSON body.
type body[T any] struct{ Body T }

func answer[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{Body: v}, nil
}

func (s *Server) routes() {
	const (
		get  = http.MethodGet
		post = http.MethodPost
		del  = http.MethodDelete
	)
	route(s, ActionNone, op("login", post, "/login", "Begin a session"), s.login)
	route(s, ActionSelf, op("logout", post, "/logout", "End the session"), s.logout)
	route(s, ActionSelf, op("me", get, "/me", "Who is logged in, and what a page needs at its start"), s.me)
	route(s, ActionSelf, op("change-password", post, "/me/password", "Change one's own password; other sessions end"), s.changePassword)
	route(s, ActionSelf, op("list-tokens", get, "/me/tokens", "One's own API tokens"), s.listTokens)
	route(s, ActionSelf, op("issue-token", post, "/me/tokens", "Make an API token of one's own role"), s.issueToken)
	route(s, ActionSelf, op("revoke-token", del, "/me/tokens/{id}", "End an API token"), s.revokeToken)

	route(s, ActionRead, op("list-leads", get, "/leads", "Leads, newest first"), s.listLeads)
	route(s, ActionRead, op("get-lead", get, "/leads/{id}", "One lead with its trace"), s.getLead)
	route(s, ActionTransition, op("transition-lead", post, "/leads/{id}/transitions", "Move a lead; 409 when it moved meanwhile"), s.transition)
	s.deskRoutes()

	route(s, ActionRead, op("list-cameras", get, "/cameras", "Cameras by id, with counts by state"), s.listCameras)
	route(s, ActionRead, op("get-camera", get, "/cameras/{id}", "One camera"), s.getCamera)
	still := op("get-still", get, "/cameras/{id}/still.jpg", "The newest masked picture; the view is audited first")
	still.Responses = binary("image/jpeg", "The picture")
	route(s, ActionView, still, s.getStill)
	route(s, ActionRead, op("explain-camera", get, "/cameras/{id}/explain",
		"Why there was, or was not, a finding: each rule's newest look; for who may view also the picture and the background, drawn on, and audited first"),
		s.explainCamera)
	evidence := op("get-evidence", get, "/evidence/{lead}/{picture}", "A picture of a lead; the view is audited first")
	evidence.Responses = binary("image/jpeg", "The picture")
	route(s, ActionView, evidence, s.getEvidence)
	linked := op("get-linked-evidence", get, "/evidence/{picture}", "A picture of a lead by signed link; the view is audited first")
	linked.Responses = binary("image/jpeg", "The picture")
	route(s, ActionLink, linked, s.getLinkedEvidence)

	route(s, ActionRead, op("get-grid", get, "/grid", "The cells of one level as GeoJSON"), s.getGrid)
	route(s, ActionRead, op("get-stats", get, "/stats", "The figures of now"), s.getStats)
	route(s, ActionRead, op("get-coverage", get, "/coverage", "Camera-minutes that were watched or blind, and what each tier promises"), s.getCoverage)
	route(s, ActionAudit, op("list-audit", get, "/audit", "The audit, newest first"), s.listAudit)
	route(s, ActionAudit, op("read-audit-chain", get, "/audit/chain", "One node's audit, oldest first, with hashes and signed checkpoints"), s.auditChain)
	route(s, ActionRead, op("get-audit-key", get, "/audit/key", "The public key that signs this node's audit"), s.auditKey)

	imports := op("import-inventory", post, "/inventory/imports", "Plan or apply an import of cameras (CSV) or cells (GeoJSON)")
	imports.MaxBodyBytes = importBody
	imports.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"text/csv":             {Schema: &huma.Schema{Type: huma.TypeString}},
		"application/geo+json": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
	route(s, ActionInventory, imports, s.importInventory)
	export := op("export-inventory", get, "/inventory/export", "The inventory, without passwords")
	export.Responses = binary("text/csv", "The file")
	route(s, ActionInventory, export, s.exportInventory)
	route(s, ActionInventory, op("list-revisions", get, "/inventory/revisions", "The newest changes of the inventory"), s.listRevisions)
	route(s, ActionInventory, op("undo-revision", post, "/inventory/revisions/{id}/undo", "Take one change back"), s.undoRevision)

	route(s, ActionRead, op("list-maintenance", get, "/maintenance", "Planned maintenance that is not over"), s.listMaintenance)
	plan := op("plan-maintenance", post, "/maintenance", "Excuse cameras or cells while somebody works on them")
	plan.MaxBodyBytes = listBody
	route(s, ActionInventory, plan, s.planMaintenance)
	route(s, ActionInventory, op("end-maintenance", del, "/maintenance/{id}", "End maintenance now, or call it off"), s.endMaintenance)

	route(s, ActionUsers, op("list-users", get, "/users", "Every user"), s.listUsers)
	route(s, ActionUsers, op("create-user", post, "/users", "Make a user"), s.createUser)
	route(s, ActionUsers, op("disable-user", post, "/users/{name}/disable", "Shut a user out at once"), s.disableUser)

	stream := op("stream", get, "/stream", "Live events: lead, cameras, canary, reset")
	stream.Responses = binary("text/event-stream", "The stream; Last-Event-ID replays what was missed")
	route(s, ActionRead, stream, s.stream)
}
