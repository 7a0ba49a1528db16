package wall

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"videopatrol/alerts"
)

// caller is who makes a request.
type caller struct {
	Name   string
	Role   Role
	Client string // the address the request came from
	// Department is the one that the caller belongs to; "" is none.
	Department string

	key   Key  // of the session or token
	token bool // by API token, not by login
}

type (
	callerKey struct{}
	clientKey struct{}
)

// callerOf returns who makes the request, on routes that need a login.
func callerOf(ctx context.Context) caller {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		panic("wall: a handler behind a login runs without one")
	}
	return c
}

func clientIn(ctx context.Context) string {
	c, _ := ctx.Value(clientKey{}).(string)
	return c
}

// clientOf is the address of the other end. A header that a client can write
// is never believed.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// cookieName is the session cookie's; the __Host- prefix makes browsers
// insist on Secure, and on no other host having set it (RFC 6265bis 4.1.3.2).
func (s *Server) cookieName() string {
	if s.secure {
		return "__Host-patrol"
	}
	return "patrol"
}

// guard lets a request pass that may do the action, and is the only place
// that decides so.
func (s *Server) guard(action Action) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(hc)
		hc = huma.WithValue(hc, clientKey{}, clientOf(r))
		// Nobody is the caller of a route without a login; a link is judged by
		// the handler of its one route.
		if action != ActionNone && action != ActionLink {
			who, p := s.identify(r)
			if p == nil && !who.Role.May(action) {
				p = problem(http.StatusForbidden, "forbidden",
					"the role "+string(who.Role)+" may not do this; it needs the action "+string(action))
			}
			if p != nil {
				p.ServeHTTP(w, r)
				return
			}
			hc = huma.WithValue(hc, callerKey{}, who)
		}
		next(hc)
	}
}

// identify tells who makes a request, by API token or session cookie.
func (s *Server) identify(r *http.Request) (caller, *Problem) {
	secret := ""
	if auth := r.Header.Get("Authorization"); auth != "" {
		scheme, token, _ := strings.Cut(auth, " ")
		if strings.EqualFold(scheme, "bearer") && strings.HasPrefix(token, tokenPrefix) {
			secret = token
		}
	} else if c, err := r.Cookie(s.cookieName()); err == nil && !strings.HasPrefix(c.Value, tokenPrefix) {
		secret = c.Value
	}
	if secret == "" {
		return caller{}, unauthenticated()
	}
	key := keyOf(secret)
	u, err := s.accounts.holder(r.Context(), key, true)
	if errors.Is(err, ErrNoAccount) {
		return caller{}, unauthenticated()
	}
	if err != nil {
		s.log.Error("accounts cannot be read", "error", err)
		return caller{}, problem(http.StatusServiceUnavailable, "unavailable", "the accounts cannot be read; try again")
	}
	return caller{Name: u.Name, Role: u.Role, Department: u.Department, Client: clientOf(r), key: key, token: strings.HasPrefix(secret, tokenPrefix)}, nil
}

func unauthenticated() *Problem {
	return problem(http.StatusUnauthorized, "unauthenticated", "log in first: the session is missing or has ended")
}

// audited writes an audit row before something is shown; nothing is shown when
// it cannot be written.
func (s *Server) audited(ctx context.Context, row alerts.AuditRow) error {
	row.At = s.now()
	if err := s.journal.Record(ctx, row); err != nil {
		s.log.Error("audit cannot be written", "action", row.Action, "error", err)
		return unaudited()
	}
	return nil
}

// along makes a change, and writes its audit row with it: both are there or
// neither is.
func (s *Server) along(ctx context.Context, row alerts.AuditRow, change func(context.Context) error) error {
	row.At = s.now()
	var own error
	err := s.journal.Along(ctx, row, func(ctx context.Context) error {
		own = change(ctx)
		return own
	})
	if err != nil && (own == nil || errors.Is(err, alerts.ErrUnwritten)) {
		s.log.Error("audit cannot be written", "action", row.Action, "error", err)
		return unaudited()
	}
	return err
}

func unaudited() *Problem {
	return problem(http.StatusServiceUnavailable, "audit_unavailable",
		"the audit cannot be written, so nothing was done; try again, and tell the operator if it lasts")
}

// did is an audit row of a caller.
func (c caller) did(action, object, detail string) alerts.AuditRow {
	return alerts.AuditRow{By: c.Name, Client: c.Client, Action: action, Object: object, Detail: detail}
}

// accountProblem turns what accounts refuse into an answer.
func accountProblem(err error) error {
	if e, ok := errors.AsType[*InputError](err); ok {
		return problem(http.StatusUnprocessableEntity, "invalid", e.Why)
	}
	if e, ok := errors.AsType[*TooManyError](err); ok {
		p := problem(http.StatusTooManyRequests, "too_many", e.Error())
		p.header = http.Header{"Retry-After": {strconv.Itoa(int(e.Wait.Seconds()) + 1)}}
		return p
	}
	switch {
	case errors.Is(err, ErrPassword):
		return problem(http.StatusUnauthorized, "unauthenticated", "wrong user name or password")
	case errors.Is(err, ErrNoAccount):
		return problem(http.StatusNotFound, "not_found", err.Error())
	case errors.Is(err, ErrAccountExists), errors.Is(err, ErrLastAdmin):
		return problem(http.StatusConflict, "conflict", err.Error())
	}
	return err
}

type loginInput struct{ Body LoginRequest }

type loginOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      LoginResponse
}

func (s *Server) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	client := clientIn(ctx)
	u, err := s.accounts.check(ctx, in.Body.Username, in.Body.Password, client)
	row := alerts.AuditRow{By: in.Body.Username, Client: client, Action: "login", Object: "session"}
	s.metrics.login(err)
	if err != nil {
		if errors.Is(err, ErrPassword) {
			row.Action = "login_failed"
			if err := s.audited(ctx, row); err != nil {
				return nil, err
			}
		}
		return nil, accountProblem(err)
	}
	var secret string
	if err := s.along(ctx, row, func(ctx context.Context) (err error) {
		secret, err = s.accounts.begin(ctx, u)
		return err
	}); err != nil {
		return nil, err
	}
	return &loginOutput{
		SetCookie: s.cookie(secret, int(sessionAbsolute/time.Second)),
		Body:      LoginResponse{User: user(u)},
	}, nil
}

func (s *Server) cookie(value string, maxAge int) http.Cookie {
	return http.Cookie{
		Name: s.cookieName(), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
	}
}

func user(u Account) User {
	return User{Name: u.Name, Role: u.Role, May: table[u.Role], Department: u.Department}
}

type logoutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (s *Server) logout(ctx context.Context, _ *struct{}) (*logoutOutput, error) {
	who := callerOf(ctx)
	end := func(ctx context.Context) error { return s.accounts.store.EndSession(ctx, who.key) }
	err := s.along(ctx, who.did("logout", "session", ""), end)
	if err != nil {
		// Nobody is kept in: a session ends even when the audit does not work.
		err = errors.Join(err, end(ctx))
	}
	s.hub.end(func(c *client) bool { return c.key == who.key }, errEnded)
	if err != nil {
		return nil, err
	}
	return &logoutOutput{SetCookie: s.cookie("", -1)}, nil
}

func (s *Server) me(ctx context.Context, _ *struct{}) (*body[Me], error) {
	who := callerOf(ctx)
	me := Me{
		User: user(Account{Name: who.Name, Role: who.Role, Department: who.Department}), Site: s.site, Now: s.now().UTC(),
		Departments: orEmpty(departmentsOf(s.duty())), RejectReasons: orEmpty(s.rejectReasons), CloseReasons: orEmpty(s.closeReasons),
		Canary: s.canary(),
	}
	if who.Role == RoleDepartment {
		me.Departments = slices.DeleteFunc(me.Departments, func(d Department) bool { return d.ID != who.Department })
		me.RejectReasons, me.CloseReasons, me.Canary = []ReasonCode{}, []ReasonCode{}, CanaryStatus{OK: true}
	}
	return answer(me, nil)
}

type passwordInput struct{ Body PasswordRequest }

func (s *Server) changePassword(ctx context.Context, in *passwordInput) (*struct{}, error) {
	who := callerOf(ctx)
	err := s.along(ctx, who.did("password", "user/"+who.Name, ""), func(ctx context.Context) error {
		return s.accounts.ChangePassword(ctx, who.Name, in.Body.Old, in.Body.New, who.Client, who.key)
	})
	if errors.Is(err, ErrPassword) {
		return nil, problem(http.StatusUnprocessableEntity, "invalid", "the old password is wrong")
	}
	if err != nil {
		return nil, accountProblem(err)
	}
	s.hub.end(func(c *client) bool { return c.user == who.Name && c.key != who.key }, errEnded)
	return nil, nil
}

func (s *Server) listTokens(ctx context.Context, _ *struct{}) (*body[TokenList], error) {
	tokens, err := s.accounts.store.Tokens(ctx, callerOf(ctx).Name)
	return answer(TokenList{Tokens: orEmpty(tokens)}, err)
}

type tokenInput struct{ Body TokenRequest }

func (s *Server) issueToken(ctx context.Context, in *tokenInput) (*body[NewToken], error) {
	who := callerOf(ctx)
	if who.token {
		return nil, problem(http.StatusForbidden, "forbidden", "a token makes no tokens: it would outlive its own end; log in")
	}
	var t Token
	var secret string
	if err := s.along(ctx, who.did("token_issue", "user/"+who.Name, in.Body.Label), func(ctx context.Context) (err error) {
		t, secret, err = s.accounts.IssueToken(ctx, who.Name, in.Body.Label, time.Duration(in.Body.Days)*24*time.Hour)
		return err
	}); err != nil {
		return nil, accountProblem(err)
	}
	return answer(NewToken{Token: t, Secret: secret}, nil)
}

type tokenIDInput struct {
	ID string `path:"id" maxLength:"32"`
}

func (s *Server) revokeToken(ctx context.Context, in *tokenIDInput) (*struct{}, error) {
	who := callerOf(ctx)
	if err := s.along(ctx, who.did("token_revoke", "token/"+in.ID, ""), func(ctx context.Context) error {
		return s.accounts.store.EndToken(ctx, who.Name, in.ID)
	}); err != nil {
		return nil, accountProblem(err)
	}
	return nil, nil
}
