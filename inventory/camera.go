package inventory

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Camera is one viewpoint. It carries nothing about whom it sees.
type Camera struct {
	// ID is the camera's GB/T 28181 20-digit code, or any stable text of at
	// most 64 bytes from [A-Za-z0-9._-].
	ID   string `json:"id"`
	Name string `json:"name"`
	// Owner names who shares the camera: the city, a shop, an estate.
	Owner string `json:"owner,omitempty"`
	// Position is where the camera stands, WGS-84.
	Position Position `json:"position"`
	// Cell is the id of the sub-cell (二级网格) in which the camera stands,
	// derived from Position; "" when it stands outside every cell.
	Cell    string  `json:"cell,omitempty"`
	Streams Streams `json:"streams"`
	// Login is write-only: it never leaves the process in any output.
	Login  Login  `json:"-"`
	Link   Link   `json:"link,omitzero"`
	Patrol Patrol `json:"patrol"`
	Zones  []Zone `json:"zones,omitempty"`
	// Masks are the privacy masks: what lies inside is blackened before
	// anything else looks at the picture.
	Masks    []Polygon `json:"masks,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
}

// Streams are a camera's addresses, without credentials.
type Streams struct {
	Main  string `json:"main,omitempty"`
	Sub   string `json:"sub,omitempty"`
	Still string `json:"still,omitempty"`
}

// Patrolled is the address that the patrol pulls: the sub stream where there
// is one, else the main stream.
func (s Streams) Patrolled() string {
	if s.Sub != "" {
		return s.Sub
	}
	return s.Main
}

// Login is a camera's user name and password.
type Login struct {
	Username string
	Password Secret
}

// Secret is text that no formatter, encoder or logger prints.
type Secret string

const redacted = "[redacted]"

// String hides the secret.
func (Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return redacted }

// Format hides the secret from every verb, wrong ones such as %d too, for
// which fmt asks neither String nor GoString.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the secret from every encoder.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Reveal returns the secret itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// Link is how a camera is reached.
type Link struct {
	// Transport of the packets of an RTSP session; "" means TransportAuto.
	Transport Transport `json:"transport,omitempty"`
	// Pin is the SHA-256 of the camera's TLS certificate (DER) in lower-case
	// hex; "" means that the certificate must chain to a trusted CA.
	Pin string `json:"pin,omitempty"`
	// Uplink names the line that the camera shares with others, such as a
	// street's switch or an estate's access line; its network budget is
	// configured. "" means that only the node's own budget counts.
	Uplink string `json:"uplink,omitempty"`
}

// Transport is how packets of an RTSP session travel.
type Transport string

// The transports.
const (
	// TransportAuto is TCP, and UDP where TCP is refused; what worked is
	// remembered.
	TransportAuto Transport = "auto"
	TransportTCP  Transport = "tcp"
	TransportUDP  Transport = "udp"
)

// Transports lists every transport.
func Transports() []Transport { return []Transport{TransportAuto, TransportTCP, TransportUDP} }

// Tier is how much a camera matters to the patrol.
type Tier string

// The tiers, from the most to the least visited.
const (
	TierHigh   Tier = "high"
	TierNormal Tier = "normal"
	TierLow    Tier = "low"
)

// Tiers lists every tier, most visited first.
func Tiers() []Tier { return []Tier{TierHigh, TierNormal, TierLow} }

// Patrol says how often a camera is visited.
type Patrol struct {
	Tier Tier `json:"tier"`
	// Interval between samples; 0 means the tier's own.
	Interval time.Duration `json:"interval,omitempty"`
	// Mode of the visits; "" means ModeAuto.
	Mode Mode `json:"mode,omitempty"`
}

// Mode is how samples are taken from a camera.
type Mode string

// The modes.
const (
	// ModeAuto leaves the choice between resident and visit to the gateway;
	// a camera that has nothing but a still address is still.
	ModeAuto Mode = "auto"
	// ModeResident keeps the session and takes the key units that are due.
	ModeResident Mode = "resident"
	// ModeVisit opens a session for one key unit.
	ModeVisit Mode = "visit"
	// ModeStill fetches a JPEG by HTTP.
	ModeStill Mode = "still"
)

// Modes lists every mode.
func Modes() []Mode { return []Mode{ModeAuto, ModeResident, ModeVisit, ModeStill} }

// ZoneKind says what a zone is for.
type ZoneKind string

// The kinds of zones that have rules.
const (
	ZoneClosedArea ZoneKind = "closed_area" // 禁入区
	ZoneFireLane   ZoneKind = "fire_lane"   // 消防通道
	ZoneNoParking  ZoneKind = "no_parking"  // 禁停区
	ZoneCrowd      ZoneKind = "crowd"       // 人群区
	ZoneUnattended ZoneKind = "unattended"  // 物品看护区: things left or taken
	ZoneFireWatch  ZoneKind = "fire_watch"  // 烟火监测区
	ZoneRoad       ZoneKind = "road"        // 道路: standstill
	ZoneWaterEdge  ZoneKind = "water_edge"  // 临水临轨区: the edge of water or a track
)

// ZoneKinds lists every kind of zone.
func ZoneKinds() []ZoneKind {
	return []ZoneKind{
		ZoneClosedArea, ZoneFireLane, ZoneNoParking, ZoneCrowd, ZoneUnattended, ZoneFireWatch, ZoneRoad, ZoneWaterEdge,
	}
}

// Zone is a polygon on the image with a purpose.
type Zone struct {
	// ID is unique within its camera, at most 64 bytes from [A-Za-z0-9._-].
	ID   string   `json:"id"`
	Name string   `json:"name,omitempty"`
	Kind ZoneKind `json:"kind"`
	Area Polygon  `json:"area"`
	// Position is where the zone lies on the ground; nil means where its
	// camera stands.
	Position *Position `json:"position,omitempty"`
	// Cell is the id of the sub-cell in which the zone lies, derived.
	Cell string `json:"cell,omitempty"`
	// Hours are when the zone is armed; none means always.
	Hours []Hours `json:"hours,omitempty"`
	// Dwell is how long something must stand before it counts; 0 means the
	// rule's own.
	Dwell time.Duration `json:"dwell,omitempty"`
	// Perspective is none or two rulers, so that sizes in the zone are known
	// at any depth.
	Perspective []Ruler `json:"perspective,omitempty"`
	// Preset names the rules of the zone; "" means those of its kind. Params
	// override parameters of them, by name, as text.
	Preset string `json:"preset,omitempty"`
	Params Params `json:"params,omitempty"`
	// View is where a camera that turns must look for the zone to be seen: 1,
	// or 0, is the view that was learned first.
	View int `json:"view,omitempty"`
}

// Ruler says how tall a standing person appears whose feet are at Y, as a
// share of the picture's height; Y is 0..1 from the top.
type Ruler struct {
	Y      float64 `json:"y"`
	Height float64 `json:"height"`
}

// leastHeight keeps a person's height above nothing beyond the rulers, where
// their line goes on.
const leastHeight = 0.01

// PersonHeight is how tall a standing person appears whose feet are at y, as a
// share of the picture's height; false without a perspective.
func (z Zone) PersonHeight(y float64) (float64, bool) {
	if len(z.Perspective) != 2 {
		return 0, false
	}
	a, b := z.Perspective[0], z.Perspective[1]
	return max(leastHeight, a.Height+(b.Height-a.Height)*(y-a.Y)/(b.Y-a.Y)), true
}

// CheckPerspective tells what is wrong with the zone's rulers, or nil.
func (z Zone) CheckPerspective() error {
	rulers := z.Perspective
	if len(rulers) == 0 {
		return nil
	}
	if len(rulers) != 2 {
		return fmt.Errorf("a perspective has two rulers, got %d", len(rulers))
	}
	for i, r := range rulers {
		if !(r.Y >= 0 && r.Y <= 1 && r.Height > 0 && r.Height <= 1) {
			return fmt.Errorf("ruler %d: y lies in 0..1 and height above 0 up to 1, as shares of the picture's height", i+1)
		}
	}
	const apart = 0.05
	if gap := rulers[1].Y - rulers[0].Y; gap > -apart && gap < apart {
		return fmt.Errorf("the rulers stand at y %g and %g: at least %g of the picture must lie between them", rulers[0].Y, rulers[1].Y, apart)
	}
	return nil
}

// Params are values by name, as text such as "20s" or "0.3". JSON may hold
// numbers and booleans, too.
type Params map[string]string

// UnmarshalJSON reads an object of text, numbers and booleans.
func (p *Params) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*p = make(Params, len(raw))
	for name, v := range raw {
		var text string
		switch {
		case len(v) > 0 && v[0] == '"':
			if err := json.Unmarshal(v, &text); err != nil {
				return err
			}
		case len(v) > 0 && strings.ContainsRune("{[n", rune(v[0])):
			return fmt.Errorf("params: %q is %s: want text, a number or true or false", name, v)
		default:
			text = string(v)
		}
		(*p)[name] = text
	}
	return nil
}

// Point is a place on an image: x and y in 0..1 from the top left corner.
type Point struct {
	X, Y float64
}

// Polygon is a closed ring of at least three points on an image; the last
// point is not repeated.
type Polygon []Point

// Position is a place on earth in degrees, WGS-84.
type Position struct {
	Lat float64 `json:"lat"`
	Lon float64 `json:"lon"`
}

// Hours is a daily span of local time from From to To, in minutes after
// midnight, To excluded. From > To spans midnight; From == To is all day.
type Hours struct {
	From, To int
	// Days are the weekdays on which the span begins; none means every day.
	Days []time.Weekday
}
