package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"videopatrol/inventory"
	"videopatrol/inventory/geo"
)

// The most that one camera may have of each.
const (
	maxText     = 128 // letters of a name
	maxPassword = 256 // bytes
	maxURL      = 1024
	maxZones    = 32
	maxPoints   = 100
	maxParams   = 16 // of a zone
	maxParam    = 256
)

func setNothing(*draft, string) *fault { return nil }

func setName(d *draft, s string) *fault  { return setText(&d.Name, s) }
func setOwner(d *draft, s string) *fault { return setText(&d.Owner, s) }

func setText(to *string, s string) *fault {
	switch {
	case utf8.RuneCountInString(s) > maxText:
		return faultf("long", "the text is longer than %d letters: shorten it", maxText)
	case strings.ContainsFunc(s, unicode.IsControl):
		return faultf("control", "the text holds a line break or another control character: remove it")
	case strings.ContainsAny(s[:1], "=+@"):
		return faultf("formula", "a spreadsheet would run the text as a formula: do not begin it with = + or @")
	}
	*to = s
	return nil
}

func setLat(d *draft, s string) *fault { return setDegrees(&d.lat, s) }
func setLon(d *draft, s string) *fault { return setDegrees(&d.lon, s) }

func setDegrees(to **float64, s string) *fault {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return faultf("number", "want decimal degrees, such as 30.274151")
	}
	*to = &v
	return nil
}

func setCRS(d *draft, s string) *fault {
	crs, err := geo.ParseCRS(s)
	if err != nil {
		return faultf("crs", "want wgs84, gcj02 or bd09")
	}
	d.crs = crs
	return nil
}

func setMain(d *draft, s string) *fault  { return setURL(&d.Streams.Main, s, "rtsp", "rtsps") }
func setSub(d *draft, s string) *fault   { return setURL(&d.Streams.Sub, s, "rtsp", "rtsps") }
func setStill(d *draft, s string) *fault { return setURL(&d.Streams.Still, s, "http", "https") }

// passwordInURL finds the ways in which cameras take a password in an address.
var passwordInURL = regexp.MustCompile(`(?i)(pass|passwd|password|pwd|psw)=[^&/;]`)

// setURL takes an address. No reason repeats any of it: it may hold a
// password in a form that was not foreseen.
func setURL(to *string, s string, schemes ...string) *fault {
	u, err := url.Parse(s)
	switch {
	case strings.Contains(s, "@"):
		// Anywhere: a password may itself hold a / or #.
		return faultf("login_in_url", "the address holds a login: put it into the columns username and password (an @ in a path is written %%40)")
	case passwordInURL.MatchString(s):
		return faultf("login_in_url", "the address holds a password, which everybody who may see the camera could read: use an address without it, and the columns username and password")
	case err != nil || u.Host == "" || u.Hostname() == "":
		return faultf("url", "want an address such as %s://192.0.2.7/stream", schemes[0])
	case !slices.Contains(schemes, u.Scheme):
		return faultf("scheme", "the address must begin with %s://", strings.Join(schemes, ":// or "))
	case u.Fragment != "" || strings.ContainsFunc(s, unicode.IsControl) || strings.ContainsFunc(s, unicode.IsSpace):
		return faultf("url", "the address holds a space, a # or a control character: write it percent-encoded")
	case len(s) > maxURL:
		return faultf("long", "the address is longer than %d bytes", maxURL)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return faultf("url", "the port must lie in 1..65535")
		}
	}
	*to = s
	return nil
}

// hideLogin is an address without what may be a login or password in it.
func hideLogin(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		if strings.ContainsAny(s, "@=") {
			return ""
		}
		return show(s)
	}
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		rest = "…@" + rest[i+1:]
	}
	if i := passwordInURL.FindStringIndex(rest); i != nil {
		rest = rest[:i[0]] + "…"
	}
	return show(scheme + "://" + rest)
}

func setUsername(d *draft, s string) *fault {
	if len(s) > maxText || strings.ContainsFunc(s, unicode.IsControl) {
		return faultf("username", "a user name has at most %d bytes and no control characters", maxText)
	}
	d.Login.Username = s
	return nil
}

func setPassword(d *draft, s string) *fault {
	if len(s) > maxPassword || strings.ContainsFunc(s, unicode.IsControl) {
		return faultf("password", "a password has at most %d bytes and no control characters", maxPassword)
	}
	d.Login.Password = inventory.Secret(s)
	return nil
}

func setTier(d *draft, s string) *fault {
	switch tier := inventory.Tier(strings.ToLower(s)); {
	case slices.Contains(inventory.Tiers(), tier):
		d.Patrol.Tier = tier
	case s == "高":
		d.Patrol.Tier = inventory.TierHigh
	case s == "中" || s == "普通":
		d.Patrol.Tier = inventory.TierNormal
	case s == "低":
		d.Patrol.Tier = inventory.TierLow
	default:
		return faultf("tier", "want high, normal or low")
	}
	return nil
}

func setInterval(d *draft, s string) *fault {
	v, err := time.ParseDuration(s)
	if err != nil || v < time.Second || v > 24*time.Hour {
		return faultf("interval", "want a duration from 1s to 24h, such as 30s or 5m; - for the tier's own")
	}
	d.Patrol.Interval = v
	return nil
}

func setDisabled(d *draft, s string) *fault {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "是":
		d.Disabled = true
	case "false", "0", "no", "否":
		d.Disabled = false
	default:
		return faultf("bool", "want true or false")
	}
	return nil
}

// setTransport takes how packets travel; auto is kept as nothing said.
func setTransport(d *draft, s string) *fault {
	switch t := inventory.Transport(strings.ToLower(s)); t {
	case inventory.TransportAuto, "自动":
		d.Link.Transport = ""
	case inventory.TransportTCP, inventory.TransportUDP:
		d.Link.Transport = t
	default:
		return faultf("transport", "want auto, tcp or udp")
	}
	return nil
}

var pinPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// setPin takes a fingerprint as openssl and browsers write it, too.
func setPin(d *draft, s string) *fault {
	pin := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(s))
	if !pinPattern.MatchString(pin) {
		return faultf("pin", "want the SHA-256 of the camera's certificate, 64 hexadecimal digits: patrol camera probe shows it")
	}
	d.Link.Pin = pin
	return nil
}

func setUplink(d *draft, s string) *fault { return setText(&d.Link.Uplink, s) }

// setMode takes how samples are taken; auto is kept as nothing said.
func setMode(d *draft, s string) *fault {
	switch m := inventory.Mode(strings.ToLower(s)); {
	case m == inventory.ModeAuto, s == "自动":
		d.Patrol.Mode = ""
	case slices.Contains(inventory.Modes(), m):
		d.Patrol.Mode = m
	case s == "常驻":
		d.Patrol.Mode = inventory.ModeResident
	case s == "巡检":
		d.Patrol.Mode = inventory.ModeVisit
	case s == "抓图":
		d.Patrol.Mode = inventory.ModeStill
	default:
		return faultf("mode", "want auto, resident, visit or still")
	}
	return nil
}

func setVendor(d *draft, s string) *fault {
	d.vendor = s
	return nil
}

func setAddress(d *draft, s string) *fault {
	if _, _, err := splitAddress(s); err != nil {
		return faultf("address", "%s", err.Error())
	}
	d.address = s
	return nil
}

func setChannel(d *draft, s string) *fault {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxChannel {
		return faultf("channel", "want a channel from 1 to %d", maxChannel)
	}
	d.channel = n
	return nil
}

// zoneCell is a zone as the column zones writes it.
type zoneCell struct {
	ID    string             `json:"id"`
	Name  string             `json:"name,omitempty"`
	Kind  inventory.ZoneKind `json:"kind"`
	Area  inventory.Polygon  `json:"area"`
	Dwell string             `json:"dwell,omitempty"`
	Lat   *float64           `json:"lat,omitempty"`
	Lon   *float64           `json:"lon,omitempty"`
	Hours []string           `json:"hours,omitempty"`

	Perspective []inventory.Ruler `json:"perspective,omitempty"`
	Preset      string            `json:"preset,omitempty"`
	Params      inventory.Params  `json:"params,omitempty"`
	View        int               `json:"view,omitempty"`
}

// maxView bounds the views of a camera that turns.
const maxView = 6

func setZones(d *draft, s string) *fault {
	var cells []zoneCell
	if f := strictJSON(s, &cells, `[{"id":"fl1","kind":"fire_lane","area":[[0.1,0.6],[0.9,0.6],[0.5,0.9]]}]`); f != nil {
		return f
	}
	if len(cells) > maxZones {
		return faultf("zones", "a camera has at most %d zones", maxZones)
	}
	zones := make([]inventory.Zone, len(cells))
	seen := map[string]bool{}
	for i, c := range cells {
		if seen[c.ID] {
			return faultf("zones", "zone %d: the id is taken by another zone of the camera", i+1)
		}
		seen[c.ID] = true
		z, f := c.zone(d.crs)
		if f == nil && d.checkZone != nil {
			if err := d.checkZone(z); err != nil {
				f = faultf("zone_rules", "%s", shorten(err.Error(), 300))
			}
		}
		if f != nil {
			return faultf(f.code, "zone %d (%s): %s", i+1, show(c.ID), f.reason)
		}
		zones[i] = z
	}
	d.Zones = zones
	return nil
}

func (c zoneCell) zone(crs geo.CRS) (inventory.Zone, *fault) {
	z := inventory.Zone{ID: c.ID, Kind: c.Kind, Area: c.Area, Perspective: c.Perspective, Preset: c.Preset, Params: c.Params, View: c.View}
	if !idPattern.MatchString(c.ID) {
		return z, faultf("zone_id", "an id is 1 to 64 letters, digits, dots, underscores or hyphens")
	}
	if !slices.Contains(inventory.ZoneKinds(), c.Kind) {
		return z, faultf("zone_kind", "no such kind: want one of %v", inventory.ZoneKinds())
	}
	if err := z.CheckPerspective(); err != nil {
		return z, faultf("zone_perspective", "%s", err.Error())
	}
	if c.View < 0 || c.View > maxView {
		return z, faultf("zone_view", "view says where a camera that turns must look: 1 is what it looked at first, at most %d", maxView)
	}
	if len(c.Params) > maxParams {
		return z, faultf("zone_params", "a zone has at most %d parameters", maxParams)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		if !idPattern.MatchString(name) || len(c.Params[name]) > maxParam {
			return z, faultf("zone_params", "the parameter %s: a name is 1 to 64 letters, digits, dots, underscores or hyphens, a value at most %d bytes", show(name), maxParam)
		}
	}
	if c.Preset != "" && !idPattern.MatchString(c.Preset) {
		return z, faultf("zone_preset", "a preset's name is 1 to 64 letters, digits, dots, underscores or hyphens")
	}
	if c.Name != "" {
		if f := setText(&z.Name, c.Name); f != nil {
			return z, f
		}
	}
	if f := checkPolygon(c.Area); f != nil {
		return z, f
	}
	if c.Dwell != "" {
		v, err := time.ParseDuration(c.Dwell)
		if err != nil || v < 0 || v > 24*time.Hour {
			return z, faultf("zone_dwell", "dwell must be a duration from 0s to 24h, such as 20s")
		}
		z.Dwell = v
	}
	switch {
	case c.Lat != nil && c.Lon != nil:
		at, f := position(*c.Lat, *c.Lon, crs)
		if f != nil {
			return z, f
		}
		z.Position = &at
	case c.Lat != nil || c.Lon != nil:
		return z, faultf("position", "give both lat and lon or neither")
	}
	for _, s := range c.Hours {
		h, err := inventory.ParseHours(s)
		if err != nil {
			return z, faultf("zone_hours", "%s", shorten(err.Error(), 200))
		}
		z.Hours = append(z.Hours, h)
	}
	return z, nil
}

func setMasks(d *draft, s string) *fault {
	var masks []inventory.Polygon
	if f := strictJSON(s, &masks, `[[[0,0],[0.2,0],[0.2,0.1]]]`); f != nil {
		return f
	}
	if len(masks) > maxZones {
		return faultf("masks", "a camera has at most %d masks", maxZones)
	}
	for i, m := range masks {
		if f := checkPolygon(m); f != nil {
			return faultf(f.code, "mask %d: %s", i+1, f.reason)
		}
	}
	d.Masks = masks
	return nil
}

// strictJSON decodes a cell and refuses unknown keys and anything behind.
func strictJSON(s string, v any, example string) *fault {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil && dec.More() {
		err = fmt.Errorf("more text behind the end")
	}
	if err != nil {
		at := ""
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = fmt.Sprintf(" at byte %d", syntax.Offset)
		} else if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
			at = fmt.Sprintf(" at byte %d", kind.Offset)
		}
		return faultf("json", "the cell cannot be read%s (%s): want JSON such as %s", at, shorten(strings.TrimPrefix(err.Error(), "json: "), 200), example)
	}
	return nil
}

// checkPolygon tells what is wrong with a polygon on an image.
func checkPolygon(p inventory.Polygon) *fault {
	if len(p) < 3 || len(p) > maxPoints {
		return faultf("polygon", "the polygon has %d points: want 3 to %d", len(p), maxPoints)
	}
	ring := make([]geo.XY, len(p))
	for i, pt := range p {
		// Written so that it fails for what is not a number, too.
		if !(pt.X >= 0 && pt.X <= 1 && pt.Y >= 0 && pt.Y <= 1) {
			return faultf("polygon", "point %d lies outside the image: x and y run from 0 to 1", i+1)
		}
		ring[i] = geo.XY{pt.X, pt.Y}
	}
	if i, j, crossed := geo.Crossing(ring); crossed {
		return faultf("crossing", "the outline crosses or touches itself at the edges from points %d and %d: draw it anew (and do not repeat the first point)", i+1, j+1)
	}
	return nil
}

func degrees(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func zonesCell(c inventory.Camera) string {
	if len(c.Zones) == 0 {
		return ""
	}
	cells := make([]zoneCell, len(c.Zones))
	for i, z := range c.Zones {
		cells[i] = zoneCell{
			ID: z.ID, Name: z.Name, Kind: z.Kind, Area: z.Area, Dwell: duration(z.Dwell),
			Perspective: z.Perspective, Preset: z.Preset, Params: z.Params, View: z.View,
		}
		if z.Position != nil {
			cells[i].Lat, cells[i].Lon = &z.Position.Lat, &z.Position.Lon
		}
		for _, h := range z.Hours {
			cells[i].Hours = append(cells[i].Hours, h.String())
		}
	}
	return mustJSON(cells)
}

func masksCell(c inventory.Camera) string {
	if len(c.Masks) == 0 {
		return ""
	}
	return mustJSON(c.Masks)
}

// mustJSON encodes what is known to be encodable: text and finite numbers.
func mustJSON(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}
