package detect

import (
	"context"
	"strings"
	"time"

	"videopatrol/inventory"
)

// Kind is what happens in a scene. It never says who.
type Kind string

// The kinds of findings; the built-in rules have the same names.
const (
	KindIntrusion       Kind = "intrusion"         // someone or something moves in a closed area
	KindFireLaneBlocked Kind = "fire_lane_blocked" // something came to stand in a fire lane
	KindIllegalParking  Kind = "illegal_parking"   // something came to stand where parking is forbidden
	KindCrowd           Kind = "crowd"             // many people gather
	KindObjectLeft      Kind = "object_left"       // something small was left behind
	KindObjectTaken     Kind = "object_taken"      // something that stood there is gone
	KindFire            Kind = "fire"              // flame
	KindSmoke           Kind = "smoke"             // smoke
	KindStandstill      Kind = "standstill"        // traffic stands on a road
	KindWaterEdge       Kind = "water_edge"        // someone or something at the edge of water or a track
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		KindIntrusion, KindFireLaneBlocked, KindIllegalParking, KindCrowd, KindObjectLeft, KindObjectTaken,
		KindFire, KindSmoke, KindStandstill, KindWaterEdge,
	}
}

// Phase is where a condition stands.
type Phase string

// The phases of a condition.
const (
	PhaseBegin    Phase = "begin"
	PhaseContinue Phase = "continue"
	PhaseEnd      Phase = "end"
)

// Phases lists every phase.
func Phases() []Phase { return []Phase{PhaseBegin, PhaseContinue, PhaseEnd} }

// RuleRef names a rule and its version.
type RuleRef struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// ConditionKey identifies a condition: one rule, in one zone, of one camera.
type ConditionKey struct {
	Camera string `json:"camera"`
	Zone   string `json:"zone"`
	Rule   string `json:"rule"`
}

// Text is the same sentence in Chinese and English.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// Box is a rectangle on the image, 0..1 from the top left corner.
type Box struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// Finding says that a rule's condition began, continues or ended.
type Finding struct {
	Camera string  `json:"camera"`
	Zone   string  `json:"zone"`
	Rule   RuleRef `json:"rule"`
	Kind   Kind    `json:"kind"`
	Phase  Phase   `json:"phase"`
	// Began is when the condition began, by receive time of samples: for a
	// dwell rule when the thing came to stand. It is the same in every
	// finding of one condition.
	Began time.Time `json:"began"`
	// At is the receive time of the sample that this finding rests on.
	At    time.Time `json:"at"`
	Score float64   `json:"score"` // 0..1
	Why   Text      `json:"why"`
	Boxes []Box     `json:"boxes,omitempty"`
	// Picture is the masked picture as JPEG; always there at PhaseBegin.
	Picture []byte `json:"picture,omitempty"`
}

// Key returns the condition that the finding is about.
func (f Finding) Key() ConditionKey {
	return ConditionKey{Camera: f.Camera, Zone: f.Zone, Rule: f.Rule.ID}
}

// ID is the same for a repeated delivery of the same finding, and different
// for every other one.
func (f Finding) ID() string {
	parts := []string{f.Camera, f.Zone, f.Rule.ID, f.Began.UTC().Format(time.RFC3339Nano), string(f.Phase)}
	if f.Phase == PhaseContinue {
		parts = append(parts, f.At.UTC().Format(time.RFC3339Nano))
	}
	return strings.Join(parts, "/")
}

// Reporter takes findings. Report returns nil once the finding is durable;
// after an error the same finding is reported again. It may block.
type Reporter interface {
	Report(ctx context.Context, f Finding) error
}

// ReporterFunc makes a function a Reporter.
type ReporterFunc func(ctx context.Context, f Finding) error

// Report calls the function.
func (r ReporterFunc) Report(ctx context.Context, f Finding) error { return r(ctx, f) }

// Condition is a condition that runs, for a watch that lost its memory.
type Condition struct {
	Key   ConditionKey `json:"key"`
	Kind  Kind         `json:"kind"`
	Began time.Time    `json:"began"`
}

// Scene is the health of one picture.
type Scene struct {
	// Fault is SceneOK, or what is wrong with the scene; while it is not OK
	// the rules are blind: no condition begins or ends.
	Fault Fault `json:"fault"`
	// Since is when that fault began, by receive time.
	Since time.Time `json:"since,omitzero"`
	// Severity is how bad the fault is, 0..1.
	Severity float64 `json:"severity,omitempty"`
	Luma     float64 `json:"luma"`  // mean luma, 0..255
	Sharp    float64 `json:"sharp"` // mean gradient, luma steps per pixel of the reduced plane
	// Light is what the camera sees by, and Preset where it looks: 1 is the
	// view that was learned first, 0 none as long as none is known.
	Light  Light `json:"light,omitempty"`
	Preset int   `json:"preset,omitempty"`
}

// Fault is a fault of a scene.
type Fault string

// The faults that scene health knows.
const (
	SceneOK      Fault = ""
	SceneFrozen  Fault = "frozen"  // the same picture again and again, but perhaps for a clock
	SceneDark    Fault = "dark"    // too dark to see
	SceneBright  Fault = "bright"  // white all over
	SceneBlurred Fault = "blurred" // out of focus
	SceneCovered Fault = "covered" // wholly or in part
	SceneMoved   Fault = "moved"   // it looks elsewhere
	SceneTinted  Fault = "tinted"  // a colour cast
	SceneNoisy   Fault = "noisy"
	SceneTorn    Fault = "torn" // rows are displaced
)

// Faults lists every fault.
func Faults() []Fault {
	return []Fault{
		SceneFrozen, SceneDark, SceneBright, SceneBlurred, SceneCovered, SceneMoved, SceneTinted, SceneNoisy, SceneTorn,
	}
}

// Config is what a watch needs to know of its camera.
type Config struct {
	Camera string              `json:"camera"`
	Zones  []inventory.Zone    `json:"zones"`
	Masks  []inventory.Polygon `json:"masks"`
	// Rules are those of the zones, in the order of the zones; nil means the
	// built-in presets'.
	Rules []Rule `json:"rules,omitempty"`
	// Invalid says why the zones' rules cannot be used; then the watch refuses
	// the configuration rather than watch for something else.
	Invalid string `json:"invalid,omitempty"`
	// Interval is the time between samples.
	Interval time.Duration `json:"interval"`
	// Tier is how much the camera matters when a model has no time for all.
	Tier inventory.Tier `json:"tier,omitempty"`
	// TimeZone is the site's, as an IANA name, for arming hours.
	TimeZone string `json:"time_zone"`
	// Running are the conditions that the record says still run; a watch
	// without memory of them treats their zones as unknown until it sees a
	// change, and never ends them for lack of memory.
	Running []Condition `json:"running,omitempty"`
}
