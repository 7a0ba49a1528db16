package wall

import (
	"time"

	"github.com/danielgtaylor/huma/v2"

	"videopatrol/alerts"
	"videopatrol/alerts/audit"
	"videopatrol/detect"
	"videopatrol/inventory"
	"videopatrol/streams"
)

// This file holds what the API says and hears: the request and response
// bodies. Arrays are never null; a time that never was is left out.

// User is who is logged in, and what that role may do.
type User struct {
	Name string   `json:"name"`
	Role Role     `json:"role"`
	May  []Action `json:"may" doc:"the actions of the role"`
	// Department is the one that the user belongs to, and whose orders are all
	// that the user sees.
	Department string `json:"department,omitempty" doc:"of the role department: whose orders are all that the user sees"`
}

// Site is the place that the gateway serves.
type Site struct {
	Name string `json:"name"`
	// TimeZone is an IANA name; people read times in it.
	TimeZone string `json:"time_zone" example:"Asia/Shanghai"`
}

// Department is one that orders go to.
type Department struct {
	ID     string `json:"id"`
	NameZH string `json:"name_zh"`
	NameEN string `json:"name_en"`
	Centre bool   `json:"centre,omitempty" doc:"another centre that leads are transferred to"`
}

// ReasonCode is a reason that the page offers for rejecting or closing.
type ReasonCode struct {
	Code string `json:"code"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
}

// CanaryStatus tells whether the gateway's own synthetic camera still reaches
// the desk: quiet is then known to be quiet, not broken.
type CanaryStatus struct {
	OK              bool       `json:"ok"`
	LastAt          *time.Time `json:"last_at,omitempty" doc:"when the last one arrived"`
	IntervalSeconds float64    `json:"interval_seconds"`
	Detail          string     `json:"detail,omitempty"`
}

// Me is what a page needs to know at its start.
type Me struct {
	User          User         `json:"user"`
	Site          Site         `json:"site"`
	Now           time.Time    `json:"now" doc:"the gateway's clock"`
	Departments   []Department `json:"departments"`
	RejectReasons []ReasonCode `json:"reject_reasons"`
	CloseReasons  []ReasonCode `json:"close_reasons"`
	Canary        CanaryStatus `json:"canary"`
}

// LoginRequest asks for a session.
type LoginRequest struct {
	Username string `json:"username" minLength:"1" maxLength:"64"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
}

// LoginResponse tells who is logged in now.
type LoginResponse struct {
	User User `json:"user"`
}

// PasswordRequest changes one's own password.
type PasswordRequest struct {
	Old string `json:"old" minLength:"1" maxLength:"1024"`
	New string `json:"new" minLength:"12" maxLength:"1024"`
}

// TokenRequest asks for an API token of one's own role.
type TokenRequest struct {
	Label string `json:"label" minLength:"1" maxLength:"64" doc:"what it is for"`
	Days  int    `json:"days" minimum:"1" maximum:"366" doc:"days until it expires"`
}

// Token is an API token without its secret.
type Token struct {
	ID      string    `json:"id"`
	Label   string    `json:"label"`
	Created time.Time `json:"created_at"`
	Expires time.Time `json:"expires_at"`
}

// NewToken is an API token with its secret, which is shown this once.
type NewToken struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret" doc:"send it as Authorization: Bearer"`
}

// TokenList is one's own API tokens.
type TokenList struct {
	Tokens []Token `json:"tokens"`
}

// Account is a user as an administrator sees it.
type Account struct {
	Name     string    `json:"name"`
	Role     Role      `json:"role"`
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created_at"`
	// Department is that of the role department.
	Department string `json:"department,omitempty"`
}

// AccountRequest makes a user.
type AccountRequest struct {
	Name     string `json:"name" pattern:"^[a-z0-9][a-z0-9._-]{0,63}$"`
	Role     Role   `json:"role"`
	Password string `json:"password,omitempty" minLength:"12" maxLength:"1024" doc:"left out: the gateway makes one and answers it once"`
	// Department goes with the role department, and with no other.
	Department string `json:"department,omitempty" maxLength:"200" doc:"of the role department, which demands it: whose orders the user sees"`
}

// NewAccount is a user just made.
type NewAccount struct {
	User     Account `json:"user"`
	Password string  `json:"password,omitempty" doc:"only when the gateway made it; it is shown this once"`
}

// AccountList is every user.
type AccountList struct {
	Users []Account `json:"users"`
}

// LeadList is one page of leads, newest first.
type LeadList struct {
	Leads []alerts.Lead `json:"leads"`
	Next  string        `json:"next,omitempty" doc:"cursor of the next page"`
}

// LeadDetail is one lead with all that a desk needs to judge it.
type LeadDetail struct {
	Lead  alerts.Lead   `json:"lead"`
	Trace []alerts.Step `json:"trace" doc:"oldest first"`
	// Allowed are the states that this lead can go to now.
	Allowed []alerts.LeadState  `json:"allowed"`
	Merged  []alerts.Lead       `json:"merged" doc:"the leads that were merged into this one, with their pictures and orders"`
	Cameras []alerts.LeadCamera `json:"cameras" doc:"those of a lead about cameras that fail"`
	// Proposal is whom the routes propose for orders now.
	Proposal alerts.Proposal `json:"proposal"`
	// Camera is the lead's camera as it is now; left out once it is gone.
	Camera *CameraView `json:"camera,omitempty"`
}

// TransitionRequest moves a lead.
type TransitionRequest struct {
	To          alerts.LeadState `json:"to"`
	Reason      string           `json:"reason,omitempty" maxLength:"200" doc:"a code or a short text; rejecting and closing demand one"`
	Note        string           `json:"note,omitempty" maxLength:"2000"`
	Version     int64            `json:"version" minimum:"1" doc:"the version that the person saw"`
	Departments []string         `json:"departments,omitempty" maxItems:"16" doc:"who gets an order when to is dispatched, the leading one first; or the centre when to is transferred"`
	Copies      []string         `json:"copies,omitempty" maxItems:"16" doc:"who is told of the orders alone"`
	Into        string           `json:"into,omitempty" maxLength:"64" doc:"the open lead that it is merged into when to is merged"`
}

// ZoneView is a zone as the wall draws it.
type ZoneView struct {
	ID   string             `json:"id"`
	Name string             `json:"name,omitempty"`
	Kind inventory.ZoneKind `json:"kind"`
	// Area is a closed ring of [x, y] in 0..1 from the top left corner.
	Area [][]float64 `json:"area"`
	Cell string      `json:"cell,omitempty"`
	// Hours are when the zone is armed, such as "22:00-06:00 mon,tue"; none
	// means always.
	Hours        []string          `json:"hours,omitempty"`
	DwellSeconds float64           `json:"dwell_seconds,omitempty"`
	Perspective  []inventory.Ruler `json:"perspective,omitempty" doc:"none, or two rulers: how tall a standing person appears whose feet are at y"`
	Preset       string            `json:"preset,omitempty" doc:"the zone's rules; those of its kind where it is left out"`
	Params       map[string]string `json:"params,omitempty" doc:"parameters of the rules that the zone overrides"`
	View         int               `json:"view,omitempty" doc:"where a camera that turns must look for the zone to be seen; 1, or none, is what it looked at first"`
}

// CameraView is a camera with what is known of it now. It carries no address
// and no credential.
type CameraView struct {
	ID              string         `json:"id"`
	Name            string         `json:"name"`
	Owner           string         `json:"owner,omitempty"`
	Lat             float64        `json:"lat"`
	Lon             float64        `json:"lon"`
	Tier            inventory.Tier `json:"tier"`
	IntervalSeconds float64        `json:"interval_seconds" doc:"between samples"`
	// Mode and Transport are as the inventory wants them.
	Mode      inventory.Mode      `json:"mode" enum:"auto,resident,visit,still" doc:"how samples are taken"`
	Transport inventory.Transport `json:"transport" enum:"auto,tcp,udp" doc:"how the packets of a session travel"`
	Uplink    string              `json:"uplink,omitempty" doc:"the line that the camera shares with others"`
	// ModeNow, its reason, the interval and the stir signal are as the gateway
	// does it at present.
	ModeNow            inventory.Mode   `json:"mode_now" enum:"auto,resident,visit,still" doc:"how samples are taken at present"`
	ModeWhy            string           `json:"mode_why,omitempty" doc:"why so"`
	IntervalNowSeconds float64          `json:"interval_now_seconds" doc:"between samples at present; longer than wanted while a budget is short"`
	StirOff            string           `json:"stir_off,omitempty" doc:"why a stirring scene hastens no sample"`
	Grid               []alerts.GridRef `json:"grid" doc:"from the city down to the sub-cell"`
	Zones              []ZoneView       `json:"zones"`
	State              streams.State    `json:"state"`
	Reason             streams.Reason   `json:"reason,omitempty"`
	Detail             string           `json:"detail,omitempty"`
	Since              *time.Time       `json:"since,omitempty" doc:"since when state and reason hold"`
	LastSample         *time.Time       `json:"last_sample,omitempty" doc:"receive time of the newest analysed picture"`
	// PictureAge is left out for a camera that never gave a picture.
	PictureAge  *float64   `json:"picture_age_seconds,omitempty"`
	Failures    int        `json:"failures" doc:"visits failed in a row"`
	NextTry     *time.Time `json:"next_try,omitempty"`
	SkewSeconds float64    `json:"skew_seconds" doc:"camera time minus receive time; 0 when the camera does not say"`
}

// CameraList is one page of cameras, by id.
type CameraList struct {
	Cameras []CameraView `json:"cameras"`
	Next    string       `json:"next,omitempty" doc:"cursor of the next page"`
	// Counts are by state over the same cell and search text, whatever the
	// state asked for.
	Counts map[streams.State]int `json:"counts"`
}

// GridFeatures is the grid as a GeoJSON FeatureCollection (RFC 7946).
type GridFeatures struct {
	Type     string        `json:"type" enum:"FeatureCollection"`
	Features []GridFeature `json:"features"`
}

// GridFeature is one cell of the grid.
type GridFeature struct {
	Type       string         `json:"type" enum:"Feature"`
	Geometry   GridGeometry   `json:"geometry"`
	Properties GridProperties `json:"properties"`
}

// GridGeometry is a cell's area.
type GridGeometry struct {
	Type        string          `json:"type" enum:"MultiPolygon"`
	Coordinates [][][][]float64 `json:"coordinates" doc:"[longitude, latitude], WGS-84"`
}

// GridProperties says what a cell is and how it fares.
type GridProperties struct {
	ID        string                `json:"id"`
	Name      string                `json:"name"`
	Level     inventory.Level       `json:"level"`
	Parent    string                `json:"parent,omitempty"`
	Cameras   map[streams.State]int `json:"cameras" doc:"by state"`
	OpenLeads int                   `json:"open_leads"`
}

// Stats are the figures of now.
type Stats struct {
	Now         time.Time                `json:"now"`
	Leads       map[alerts.LeadState]int `json:"leads" doc:"by state"`
	Cameras     map[streams.State]int    `json:"cameras" doc:"by state"`
	RaisedToday int                      `json:"raised_today" doc:"since midnight of the site"`
}

// CoverageReport says how many camera-minutes were watched, of whole hours.
type CoverageReport struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Closed is the end of the newest minute that is counted; left out when
	// none is.
	Closed *time.Time    `json:"closed_until,omitempty" doc:"the end of the newest minute that is counted"`
	Total  CoverageRow   `json:"total"`
	Rows   []CoverageRow `json:"rows" doc:"their sums are the total"`
	Tiers  []TierPromise `json:"tiers"`
}

// CoverageRow counts camera-minutes. What its rows are not told apart by is
// left out; a cell is also left out for cameras outside the grid.
type CoverageRow struct {
	Cell    string                   `json:"cell,omitempty"`
	Name    string                   `json:"name,omitempty"`
	Level   inventory.Level          `json:"level,omitempty"`
	Tier    inventory.Tier           `json:"tier,omitempty"`
	Hour    *time.Time               `json:"hour,omitempty" doc:"when it began"`
	Reason  streams.Reason           `json:"reason,omitempty" doc:"by reason: of these blind minutes; left out for watched and excused ones"`
	Watched int64                    `json:"watched" doc:"camera-minutes in which every visit due gave a trusted sample"`
	Blind   int64                    `json:"blind"`
	Excused int64                    `json:"excused" doc:"blind during planned maintenance"`
	Ratio   *float64                 `json:"ratio,omitempty" doc:"watched / (watched + blind); left out when both are 0"`
	Reasons map[streams.Reason]int64 `json:"reasons" doc:"blind camera-minutes by first reason"`
}

// TierPromise says what the cameras of a tier can be relied on for, as things
// are; cameras with an interval of their own are left out.
type TierPromise struct {
	Tier             inventory.Tier `json:"tier"`
	IntervalSeconds  float64        `json:"interval_seconds" doc:"between samples, as configured"`
	PresentSeconds   float64        `json:"present_interval_seconds" doc:"the interval that the budgets leave now"`
	WorstCaseSeconds float64        `json:"worst_case_seconds" doc:"the longest from the beginning of a happening to its finding"`
	ShortestSeconds  float64        `json:"shortest_seconds" doc:"the shortest happening that is found for certain"`
	Why              string         `json:"why" doc:"how they come about"`
}

// MaintenanceRequest plans maintenance.
type MaintenanceRequest struct {
	Cameras []string   `json:"cameras,omitempty" maxItems:"2000" doc:"ids of cameras"`
	Cells   []string   `json:"cells,omitempty" maxItems:"500" doc:"ids of grid cells of any level"`
	From    *time.Time `json:"from,omitempty" doc:"default now; not in the past"`
	To      time.Time  `json:"to" doc:"at most 30 days after from"`
	Reason  string     `json:"reason" minLength:"1" maxLength:"200"`
}

// MaintenanceList is planned maintenance, by when it begins.
type MaintenanceList struct {
	Maintenance []inventory.Maintenance `json:"maintenance"`
}

// AuditPage is a part of the audit, newest first.
type AuditPage struct {
	Rows []alerts.AuditRow `json:"rows"`
	Next int64             `json:"next,omitempty" doc:"ask for rows before this one"`
}

// AuditChainPage is a part of one node's audit, oldest first, with all that
// verifying its chain takes.
type AuditChainPage struct {
	Head        audit.Head         `json:"head" doc:"where the chain stands"`
	Rows        []audit.Row        `json:"rows"`
	Checkpoints []audit.Checkpoint `json:"checkpoints" doc:"signed, of these rows; with the last page also those of rows that are gone"`
	Next        int64              `json:"next,omitempty" doc:"ask for rows after this one; left out: there are no more"`
}

// AuditKey is whose signature the checkpoints of this node's audit bear.
type AuditKey struct {
	Node string `json:"node"`
	Key  string `json:"key" doc:"Ed25519 public key, base64"`
}

// ImportReport says what an import would do or did.
type ImportReport struct {
	DryRun   bool           `json:"dry_run"`
	New      int            `json:"new"`
	Changed  int            `json:"changed"`
	Same     int            `json:"same"`
	Removed  int            `json:"removed"`
	Rejected int            `json:"rejected"`
	Rows     []ImportReject `json:"rows" doc:"the first 1,000 rejected rows"`
	Warnings []ImportReject `json:"warnings" doc:"the first 1,000 rows to look at"`
	// Revision is what was applied; left out when nothing was.
	Revision *inventory.Revision `json:"revision,omitempty"`
}

// ImportReject is one place in an imported file that needs a person.
type ImportReject struct {
	Line   int    `json:"line" doc:"from 1"`
	Column string `json:"column,omitempty"`
	Value  string `json:"value,omitempty" doc:"shortened; never a password"`
	Reason string `json:"reason" doc:"what is wrong and what to do"`
}

// RevisionList is the newest revisions of the inventory, newest first.
type RevisionList struct {
	Revisions []inventory.Revision `json:"revisions"`
}

// enums are the closed sets of the schema, by component and property.
var enums = map[string][]any{
	"User.role":            values(Roles()),
	"User.may":             values(Actions()),
	"Account.role":         values(Roles()),
	"AccountRequest.role":  values(Roles()),
	"Lead.kind":            values(alerts.Kinds()),
	"Lead.severity":        {"high", "medium", "low"},
	"Lead.state":           values(alerts.LeadStates()),
	"LeadDetail.allowed":   values(reachable()),
	"Step.from":            values(alerts.LeadStates()),
	"Step.to":              values(alerts.LeadStates()),
	"TransitionRequest.to": values(reachable()),
	"Step.act":             values(alerts.Acts()),
	"Blind.by":             values(alerts.Blindnesses()),
	"Order.state":          values(alerts.OrderStates()),
	"Order.part":           values(alerts.Parts()),
	"DueClock.stage":       values(alerts.Stages()),
	"OrderChange.to":       values(alerts.OrderStates()),
	"ClaimRequest.act":     {"claimed", "released", "taken_over"},
	"TransferReply.to":     {"accepted", "closed"},
	"HandoverLead.state":   values(alerts.LeadStates()),
	"Suppression.by":       values(alerts.QuietRules()),
	"Suppression.kind":     values(alerts.Kinds()),
	"Group.severity":       {"high", "medium", "low"},
	"Group.kind":           values(alerts.Kinds()),
	"Evidence.phase":       values(detect.Phases()),
	"GridRef.level":        values(levels()),
	"GridProperties.level": values(levels()),
	"ZoneRef.kind":         values(inventory.ZoneKinds()),
	"ZoneView.kind":        values(inventory.ZoneKinds()),
	"CameraView.tier":      values(inventory.Tiers()),
	"CameraView.state":     values(streams.States()),
	"CameraView.reason":    values(streams.Reasons()),
	"CoverageRow.level":    values(levels()),
	"CoverageRow.tier":     values(inventory.Tiers()),
	"CoverageRow.reason":   values(streams.BlindReasons()),
	"TierPromise.tier":     values(inventory.Tiers()),
	"Problem.state":        values(alerts.LeadStates()),
	"Problem.allowed":      values(alerts.LeadStates()),
}

func levels() []inventory.Level {
	return []inventory.Level{inventory.LevelCity, inventory.LevelTown, inventory.LevelCell, inventory.LevelSubcell}
}

func values[T ~string](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

// sharpen writes into the schema what Go's types do not say: closed sets, and
// that arrays are never null.
func sharpen(o *huma.OpenAPI) {
	// The library's own errors leave as Problem (unify).
	delete(o.Components.Schemas.Map(), "ErrorModel")
	delete(o.Components.Schemas.Map(), "ErrorDetail")
	for name, schema := range o.Components.Schemas.Map() {
		for property, p := range schema.Properties {
			notNull(p)
			set, ok := enums[name+"."+property]
			switch {
			case !ok:
				continue
			case p.Type == huma.TypeArray:
				p.Items.Enum = set
				p.Items.PrecomputeMessages()
			default:
				p.Enum = set
			}
			p.PrecomputeMessages()
		}
	}
}

func notNull(s *huma.Schema) {
	for s != nil && s.Type == huma.TypeArray {
		s.Nullable = false
		s = s.Items
	}
}

// binary is the answer of a picture, a stream or a file in the schema.
func binary(contentType, what string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: what,
		Content:     map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
}

// apiConfig is the API's own description, with nothing served from elsewhere.
func apiConfig() huma.Config {
	c := huma.DefaultConfig("Video patrol gateway", "1")
	c.Info.Description = "What happens in front of a city's cameras, as leads for people to judge. Never who."
	c.DocsPath, c.OpenAPIPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.Transformers = []huma.Transformer{unify}
	c.RejectUnknownQueryParameters = true
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: "__Host-patrol", Description: "POST /login sets it; without TLS on loopback it is named patrol"},
		"token":   {Type: "http", Scheme: "bearer", Description: "an API token of POST /me/tokens"},
	}
	return c
}

// prefix is where the API's routes begin.
const prefix = "/api/v1"
