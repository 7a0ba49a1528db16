package play

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"videopatrol/cmd/citysim/city"
	"videopatrol/cmd/citysim/scene"
	"videopatrol/internal/strictyaml"
)

// Kind is what happens to a camera or before it.
type Kind string

// What happens before a camera, and what befalls its picture.
const (
	FireLaneBlocked Kind = scene.FireLaneTaken
	Intrusion       Kind = scene.Intrusion
	IllegalParking  Kind = scene.IllegalParking
	Crowd           Kind = scene.CrowdForms
	Fire            Kind = scene.Fire
	Standstill      Kind = scene.Standstill
	WaterEdge       Kind = scene.AtWaterEdge
	Frozen          Kind = "frozen"
	Covered         Kind = "covered"
	Dark            Kind = "dark"
)

// What befalls a camera's connection.
const (
	Offline       Kind = "offline"        // sessions are cut, new connections closed without an answer
	Silent        Kind = "silent"         // sessions stay open and nothing more is sent
	WrongPassword Kind = "wrong_password" // sessions are cut, every login gets 401
	NoConnections Kind = "no_connections" // sessions are cut, SETUP gets 453
	HTTPServer    Kind = "http_server"    // sessions are cut, a web server answers
	CorruptH264   Kind = "corrupt_h264"   // bytes of the slices are wrong
)

// Kinds lists every kind, the faults of the catalogue last.
func Kinds() []Kind { return append(builtIn(), Faults()...) }

// builtIn are the kinds that are no faults of the catalogue.
func builtIn() []Kind {
	return []Kind{
		FireLaneBlocked, Intrusion, IllegalParking, Crowd, Fire, Standstill, WaterEdge, Frozen, Covered, Dark,
		Offline, Silent, WrongPassword, NoConnections, HTTPServer, CorruptH264,
	}
}

// takes are what a kind needs rendered.
func (k Kind) takes() []scene.Take {
	switch k {
	case FireLaneBlocked, Intrusion, IllegalParking, Crowd, Fire, Standstill, WaterEdge:
		return []scene.Take{scene.Arrive, scene.Stay, scene.Leave}
	case Covered:
		return []scene.Take{scene.Covered}
	case Dark:
		return []scene.Take{scene.Dark}
	default:
		return nil
	}
}

// Befalls says what the kind happens to: the scene, the picture, or the
// connection.
func (k Kind) Befalls() string {
	switch {
	case k.inScene():
		return "scene"
	case k.takes() != nil || k == Frozen:
		return "picture"
	default:
		return "connection"
	}
}

// inScene tells whether the kind happens before the camera, not to it.
func (k Kind) inScene() bool { return len(k.takes()) == 3 }

// cutsSessions tells whether the kind ends the sessions of its camera.
func (k Kind) cutsSessions() bool {
	_, spoken := catalogue()[k]
	return spoken || k == Offline || k == WrongPassword || k == NoConnections || k == HTTPServer
}

// happensOn returns why the kind cannot happen before a scene, or "".
func (k Kind) happensOn(kind scene.Kind, clip bool) string {
	switch {
	case !k.known():
		return k.unknown()
	case clip && k.inScene():
		return "a camera that plays a clip has no scene of its own"
	case k == FireLaneBlocked && kind != scene.Street:
		return "only a street has a fire lane (cameras with an even index)"
	case k == Intrusion && kind != scene.Gate:
		return "only a gate has a closed area (cameras with an odd index)"
	case k.inScene() && string(k) != kind.Happens():
		return fmt.Sprintf("on a %s happens %s", kind, kind.Happens())
	default:
		return ""
	}
}

func kindNames() string {
	var s []string
	for _, k := range builtIn() {
		s = append(s, string(k))
	}
	return strings.Join(s, ", ")
}

// Row is one line of a script.
type Row struct {
	// Camera is a camera's id, its index from 0, or "all".
	Camera string `yaml:"camera" json:"camera"`
	Kind   Kind   `yaml:"kind" json:"kind"`
	// After is when it is due, from the start.
	After Duration `yaml:"after" json:"after"`
	// For is how long it lasts.
	For Duration `yaml:"for" json:"for"`
	// Every is the time from one due time to the next; 0 means once.
	Every Duration `yaml:"every" json:"every"`
}

// Duration is a time.Duration that reads forms such as "20s" and 0.
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("duration %q: want one such as 20s or 1m30s", b)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes the form that UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// ParseScript reads a script or a list of faults: strict YAML, errors with
// their line.
func ParseScript(r io.Reader) ([]Row, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read script: %w", err)
	}
	var rows []Row
	if err := strictyaml.Unmarshal(b, &rows); err != nil {
		return nil, fmt.Errorf("script: %s", strictyaml.Explain(err))
	}
	for i, row := range rows {
		if why := row.wrong(); why != "" {
			return nil, fmt.Errorf("script: row %d (%s of camera %q): %s", i+1, row.Kind, row.Camera, why)
		}
	}
	return rows, nil
}

// wrong says what is wrong with a row by itself, or "".
func (r Row) wrong() string {
	switch {
	case r.Camera == "":
		return "no camera: want an id, or an index from 0"
	case !r.Kind.known():
		return r.Kind.happensOn(scene.Street, false)
	case r.For <= 0:
		return "for: how long does it last? Want one such as 30s"
	case r.Every > 0 && r.Every < r.For:
		return "every: it comes again before it has ended"
	default:
		return ""
	}
}

// demoOpening is how the demo begins: enough of everything within 90 s, and
// nothing before a gateway that starts with the city has learned its scenes.
var demoOpening = []struct {
	kind         Kind
	after, lasts time.Duration
}{
	{FireLaneBlocked, 25 * time.Second, 70 * time.Second},
	{Intrusion, 32 * time.Second, 40 * time.Second},
	{FireLaneBlocked, 34 * time.Second, 80 * time.Second},
	{Intrusion, 45 * time.Second, 35 * time.Second},
	{FireLaneBlocked, 40 * time.Second, 65 * time.Second},
	{Intrusion, 60 * time.Second, 45 * time.Second},
	{Covered, 66 * time.Second, 80 * time.Second},
	{Dark, 78 * time.Second, 70 * time.Second},
	{Frozen, 70 * time.Second, 100 * time.Second},
	{Offline, 95 * time.Second, 90 * time.Second},
}

// DemoScript returns a script for people who watch: within the first 90 s
// things happen before several cameras, then a steady trickle in which
// everything ends and comes again. Half of the cameras, at most 24, take part,
// each with one thing.
func DemoScript(cameras int) []Row {
	var rows []Row
	used := map[int]bool{}
	n := min(max(cameras/2, 2), 24, cameras)
	for i := range n {
		kind, after, lasts := FireLaneBlocked, 100*time.Second+time.Duration(i-len(demoOpening))*17*time.Second, 65*time.Second
		if i%2 == 1 {
			kind, lasts = Intrusion, 40*time.Second
		}
		if i < len(demoOpening) {
			kind, after, lasts = demoOpening[i].kind, demoOpening[i].after, demoOpening[i].lasts
		}
		every := 4*time.Minute + time.Duration(i%7)*35*time.Second
		if !kind.inScene() {
			every *= 2
		}
		index := i * (cameras / n)
		for used[index] || kind.happensOn(city.SceneKind(index), false) != "" {
			index++
		}
		if index < cameras {
			used[index] = true
			rows = append(rows, Row{strconv.Itoa(index), kind, Duration(after), Duration(lasts), Duration(every)})
		}
	}
	return rows
}

// The rates of RandomScript.
const (
	randomMean = 20 * time.Minute // between the end of one and the next, per camera
	randomDay  = 24 * time.Hour   // after which it repeats
	// randomGap is the least time between two things: coming and going take
	// some ten seconds each, beyond what the script says.
	randomGap = 45 * time.Second
)

// RandomScript returns a day of chance for soak tests: something happens to
// each camera about every 20 minutes (exponential), never two things at once.
// Of ten, seven are the scene's own happening for 40 to 160 s, two a fault of
// the picture and one a fault of the connection for 60 to 240 s.
func RandomScript(seed uint64, cameras int) []Row {
	var rows []Row
	for i := range cameras {
		r := rand.New(rand.NewPCG(seed, uint64(i))) //nolint:gosec // chance for tests
		at := 10 * time.Second
		for {
			at += time.Duration(r.ExpFloat64() * float64(randomMean))
			k, lasts := Intrusion, time.Duration(40+r.IntN(120))*time.Second
			if i%2 == 0 {
				k = FireLaneBlocked
			}
			switch n := r.IntN(10); {
			case n >= 9:
				k, lasts = pick(r, Offline, Silent, WrongPassword, HTTPServer, CorruptH264), time.Duration(60+r.IntN(180))*time.Second
			case n >= 7:
				k, lasts = pick(r, Frozen, Covered, Dark), time.Duration(60+r.IntN(180))*time.Second
			}
			if at+lasts > randomDay {
				break
			}
			rows = append(rows, Row{strconv.Itoa(i), k, Duration(at), Duration(lasts), Duration(randomDay)})
			at += lasts + randomGap
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.After, b.After) })
	return rows
}

func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }
