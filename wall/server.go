package wall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"videopatrol/alerts"
	"videopatrol/inventory"
)

const (
	// answerWithin is how long an answer may take to be read; live streams
	// set their own time for each write.
	answerWithin = time.Minute
	// stateEvery is how often streams are told how the cameras are.
	stateEvery = time.Second
	sweepEvery = 10 * time.Minute
)

// Options is what a server needs. All is required but what says otherwise.
type Options struct {
	Desk    alerts.Desk
	Journal alerts.Journal
	// Chain and AuditKey answer GET /audit/chain and /audit/key.
	Chain    Chain
	AuditKey AuditKey
	Fleet    Fleet
	Importer Importer
	// Coverage and Promiser answer GET /coverage.
	Coverage    Coverage
	Promiser    Promiser
	Maintenance Maintenance
	Accounts    *Accounts
	Hub         *Hub
	Stills      Stills
	// Inventory returns the newest wanted set; it is called for each request.
	Inventory func() inventory.Snapshot
	// LinkKey is the key of alerts.SignLink, at least alerts.MinLinkKey bytes.
	LinkKey []byte
	Canary  func() CanaryStatus
	// Intervals are the times between samples of cameras that have none of
	// their own, by tier.
	Intervals map[inventory.Tier]time.Duration
	Page      fs.FS // the built page: ui.Files()
	Site      Site

	// Routes returns the ones that count now; optional: without it there is no
	// department.
	Routes        func() *alerts.Routes
	RejectReasons []ReasonCode // optional; StandardRejectReasons when nil
	CloseReasons  []ReasonCode // optional; StandardCloseReasons when nil
	// Secure is set where browsers come by TLS.
	Secure bool
	Log    *slog.Logger // optional; silent when nil
	// Registerer takes the metrics; a private registry when nil.
	Registerer prometheus.Registerer
	// Clock is time.Now when nil.
	Clock func() time.Time
}

// Server answers the API and serves the page.
type Server struct {
	desk          alerts.Desk
	journal       alerts.Journal
	chain         Chain
	auditKeyOf    AuditKey
	fleet         Fleet
	importer      Importer
	coverage      Coverage
	promiser      Promiser
	maintenance   Maintenance
	accounts      *Accounts
	hub           *Hub
	stills        Stills
	inventory     func() inventory.Snapshot
	linkKey       []byte
	canary        func() CanaryStatus
	intervals     map[inventory.Tier]time.Duration
	site          Site
	zone          *time.Location
	duty          func() *alerts.Routes
	rejectReasons []ReasonCode
	closeReasons  []ReasonCode
	secure        bool
	log           *slog.Logger
	now           func() time.Time

	api     huma.API
	handler http.Handler
	leases  *leases
	metrics *metrics
	indexed atomic.Pointer[index]
}

// New returns a server; it answers as soon as its handler is served.
func New(o Options) (*Server, error) {
	for name, missing := range map[string]bool{
		"Desk": o.Desk == nil, "Journal": o.Journal == nil, "Fleet": o.Fleet == nil, "Importer": o.Importer == nil,
		"Accounts": o.Accounts == nil, "Hub": o.Hub == nil, "Stills": o.Stills == nil, "Inventory": o.Inventory == nil,
		"Canary": o.Canary == nil, "Page": o.Page == nil, "Coverage": o.Coverage == nil, "Promiser": o.Promiser == nil,
		"Maintenance": o.Maintenance == nil, "Chain": o.Chain == nil,
	} {
		if missing {
			return nil, fmt.Errorf("wall: %s is required", name)
		}
	}
	if len(o.LinkKey) < alerts.MinLinkKey {
		return nil, fmt.Errorf("wall: LinkKey needs at least %d bytes, got %d", alerts.MinLinkKey, len(o.LinkKey))
	}
	zone, err := time.LoadLocation(o.Site.TimeZone)
	if err != nil || o.Site.TimeZone == "" {
		return nil, fmt.Errorf("wall: the site's time zone %q is no IANA name such as Asia/Shanghai", o.Site.TimeZone)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Routes == nil {
		o.Routes = func() *alerts.Routes { return nil }
	}
	if o.RejectReasons == nil {
		o.RejectReasons = StandardRejectReasons()
	}
	if o.CloseReasons == nil {
		o.CloseReasons = StandardCloseReasons()
	}
	s := &Server{
		desk: o.Desk, journal: o.Journal, fleet: o.Fleet, importer: o.Importer, accounts: o.Accounts, hub: o.Hub,
		chain: o.Chain, auditKeyOf: o.AuditKey, coverage: o.Coverage, promiser: o.Promiser, maintenance: o.Maintenance,
		stills: o.Stills, inventory: o.Inventory, linkKey: o.LinkKey, canary: o.Canary,
		intervals: o.Intervals, site: o.Site, zone: zone, duty: o.Routes,
		rejectReasons: o.RejectReasons, closeReasons: o.CloseReasons, secure: o.Secure, log: o.Log, now: o.Clock,
		leases: newLeases(o.Journal.Record, o.Clock),
	}
	s.metrics = newMetrics(o.Registerer, o.Hub, s.leases)
	if s.handler, err = s.mount(o.Page); err != nil {
		return nil, err
	}
	return s, nil
}

// mount puts the routes, the page and what stands before them together.
func (s *Server) mount(files fs.FS) (http.Handler, error) {
	mux := http.NewServeMux()
	s.api = humago.New(mux, apiConfig())
	s.routes()
	sharpen(s.api.OpenAPI())
	schema, err := s.OpenAPI()
	if err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(schema)
	})
	mux.Handle("/api/", problem(http.StatusNotFound, "not_found", "there is no such route; see /api/openapi.json"))
	mux.Handle("/", page(files))

	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(problem(http.StatusForbidden, "cross_origin", "this request comes from a page of another site"))
	return secured(s.caught(cross.Handler(mux)), s.secure), nil
}

// caught ends a panic of a handler with a 500, and bounds how long an answer
// may take to be read.
func (s *Server) caught(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec, began := &recorder{ResponseWriter: w, operation: "page"}, time.Now()
		// A writer without deadlines (a test's) has no slow client either.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerWithin))
		defer func() {
			p := recover()
			if p == nil {
				s.metrics.observe(rec, time.Since(began))
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.log.Error("handler panicked", "path", strconv.Quote(r.URL.Path), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if rec.status != 0 {
				panic(http.ErrAbortHandler) // part of an answer is out: cut it off
			}
			problem(http.StatusInternalServerError, "internal", "the gateway failed; its log says why").ServeHTTP(rec, r)
			s.metrics.observe(rec, time.Since(began))
		}()
		next.ServeHTTP(rec, r)
	})
}

// Handler answers every request of the wall.
func (s *Server) Handler() http.Handler { return s.handler }

// OpenAPI is the API's description, indented, as GET /api/openapi.json
// answers it.
func (s *Server) OpenAPI() ([]byte, error) {
	b, err := json.MarshalIndent(s.api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("wall: describe the API: %w", err)
	}
	return append(b, '\n'), nil
}

// Run tells streams how cameras and canary are, and clears away what has
// expired, until ctx ends; then every stream ends.
func (s *Server) Run(ctx context.Context) error {
	defer s.hub.Close()
	states, sweep := time.NewTicker(stateEvery), time.NewTicker(sweepEvery)
	defer states.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-states.C:
			if s.hub.Clients() > 0 {
				s.hub.state("cameras", s.cameraCounts())
				s.hub.state("canary", s.canary())
			}
		case <-sweep.C:
			if err := s.accounts.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("expired sessions cannot be removed", "error", err)
			}
		}
	}
}

// HTTPServer returns an http.Server with the wall's limits against slow and
// oversized requests; the caller serves it and shuts it down.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// quote shows text that somebody sent, cut short.
func quote(text string) string {
	const most = 64
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return strconv.Quote(text)
}

// StandardRejectReasons are why officers reject leads.
func StandardRejectReasons() []ReasonCode {
	return []ReasonCode{
		{Code: "nothing_there", ZH: "画面中无此情况", EN: "Nothing there"},
		{Code: "permitted", ZH: "已许可的活动", EN: "Permitted activity"},
		{Code: "light", ZH: "光影或反光", EN: "Light or reflection"},
		{Code: "weather", ZH: "雨雪雾等天气", EN: "Weather"},
		{Code: "animal", ZH: "动物或植物", EN: "Animal or plant"},
		{Code: "camera", ZH: "摄像机异常", EN: "Camera fault"},
		{Code: "duplicate", ZH: "重复线索", EN: "Duplicate"},
		{Code: "test", ZH: "测试", EN: "Test"},
		{Code: "other", ZH: "其他（请备注）", EN: "Other (add a note)"},
	}
}

// StandardCloseReasons are why leads are closed.
func StandardCloseReasons() []ReasonCode {
	return []ReasonCode{
		{Code: "handled", ZH: "已处置", EN: "Handled"},
		{Code: "handled_on_spot", ZH: "现场已解决", EN: "Handled on the spot"},
		{Code: "gone", ZH: "情况已自行消失", EN: "Gone by itself"},
		{Code: "no_action", ZH: "无需处置", EN: "No action needed"},
		{Code: "other", ZH: "其他（请备注）", EN: "Other (add a note)"},
	}
}
