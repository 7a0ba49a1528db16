package city

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"time"

	"videopatrol/cmd/citysim/scene"
	"videopatrol/inventory"
)

// MaxCameras is how many cameras a city can have: what the serial number of
// their codes allows within one town.
const MaxCameras = 200_000

// FireLaneDwell is how long a car may stand in a fire lane of the city.
const FireLaneDwell = 20 * time.Second

// defaultInterval is the time between samples of every camera of the city.
const defaultInterval = 5 * time.Second

// Options say what city to lay out.
type Options struct {
	Seed    uint64
	Cameras int
	// Listen is the host and port at which the cameras answer.
	Listen string
	// Hosts spreads the cameras over 127.0.1.1 … 127.0.1.Hosts, with the port
	// of Listen; 0 keeps them all at Listen.
	Hosts int
	// Scenes is how many scenes the cameras share, a multiple of the number of
	// kinds; 0 means one each up to 200 cameras, and 100 or so beyond.
	Scenes int
	// Kinds are the kinds of scenes that the cameras look at in turn; none
	// means streets and gates.
	Kinds    []scene.Kind
	Username string
	Password inventory.Secret
	// Interval between samples of every camera; 0 means 5 s.
	Interval time.Duration
}

// City is a laid-out city.
type City struct {
	Cells   []inventory.Cell
	Cameras []inventory.Camera
}

// New lays out a city: unless told otherwise, even cameras look at a fire lane
// and odd ones at a closed area. Every tenth has a privacy mask.
func New(o Options) (*City, error) {
	switch {
	case o.Cameras < 0 || o.Cameras > MaxCameras:
		return nil, fmt.Errorf("%d cameras: want 0 to %d", o.Cameras, MaxCameras)
	case o.Hosts < 0 || o.Hosts > 254:
		return nil, fmt.Errorf("%d hosts: want 0 to 254", o.Hosts)
	case o.Scenes < 0 || o.Scenes%len(o.kinds()) != 0:
		return nil, fmt.Errorf("%d scenes: want an even number, half of them streets and half gates, or a multiple of the number of kinds (%d)", o.Scenes, len(o.kinds()))
	case o.Listen == "":
		return nil, errors.New("no listen address: want one such as 127.0.0.1:8554")
	case o.Interval != 0 && o.Interval < time.Second:
		return nil, fmt.Errorf("an interval of %s: want at least 1s", o.Interval)
	}
	for _, k := range o.Kinds {
		if !slices.Contains(scene.Kinds(), k) {
			return nil, fmt.Errorf("scene %q: want one of %v", k, scene.Kinds())
		}
	}
	c := &City{Cells: Grid(o.Seed)}
	subcells := c.Cells[len(c.Cells)-Subcells:]
	grid := inventory.NewGrid(c.Cells)
	r := rand.New(rand.NewPCG(o.Seed, 3)) //nolint:gosec // a made-up city is no secret
	order := r.Perm(len(subcells))
	for i := range o.Cameras {
		cell := subcells[order[i%len(order)]]
		cam, err := camera(o, i, grid.Path(cell.ID), r)
		if err != nil {
			return nil, err
		}
		c.Cameras = append(c.Cameras, cam)
	}
	return c, nil
}

// ownScenes is up to how many cameras each has a scene of its own, and
// sharedScenes how many there are beyond, unless told otherwise.
const ownScenes, sharedScenes = 200, 100

// Look returns the index of the scene that a camera looks at: the first camera
// that does.
func (o Options) Look(index int) int {
	switch {
	case o.Scenes > 0:
		return index % o.Scenes
	case o.Cameras > ownScenes:
		n := len(o.kinds())
		return index % (sharedScenes / n * n)
	default:
		return index
	}
}

func (o Options) kinds() []scene.Kind {
	if len(o.Kinds) == 0 {
		return []scene.Kind{scene.Street, scene.Gate}
	}
	return o.Kinds
}

// Kind returns which scene the camera with that index looks at.
func (o Options) Kind(index int) scene.Kind {
	kinds := o.kinds()
	return kinds[index%len(kinds)]
}

// SceneKind returns which scene the camera with that index looks at in a city
// of streets and gates.
func SceneKind(index int) scene.Kind { return Options{}.Kind(index) }

// SceneSeed returns the seed of a camera's scene.
func SceneSeed(seed uint64, index int) uint64 {
	return mix(seed ^ mix(uint64(index)+77)) //nolint:gosec // an index is not negative
}

// CameraID returns the 20-digit code of GB/T 28181-2022, annex E: the area
// (8), the industry (2: road surveillance of society's security, or of an
// enterprise), the type 132 (network camera), the network 0, and a serial.
func CameraID(town, index int) string {
	return fmt.Sprintf("%s%02d%02d132%d%06d", code6, town, index%2, 0, index+1)
}

// Host returns the host and port at which a camera answers RTSP, plus more
// for the stills.
func (o Options) Host(index, more int) (string, error) {
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return "", fmt.Errorf("listen address %q: %w", o.Listen, err)
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("listen address %q: the port is no number", o.Listen)
	}
	if o.Hosts > 0 {
		host = fmt.Sprintf("127.0.1.%d", 1+index%o.Hosts)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(p)+more)), nil
}

func camera(o Options, i int, path []inventory.Cell, r *rand.Rand) (inventory.Camera, error) {
	town, cell, sub := path[1], path[2], path[3]
	number, err := strconv.Atoi(town.ID[len(town.ID)-3:])
	if err != nil {
		return inventory.Camera{}, fmt.Errorf("town %s: %w", town.ID, err)
	}
	id := CameraID(number, i)
	rtsp, err := o.Host(i, 0)
	if err != nil {
		return inventory.Camera{}, err
	}
	still, err := o.Host(i, 1)
	if err != nil {
		return inventory.Camera{}, err
	}
	look := scene.New(o.Kind(i), SceneSeed(o.Seed, o.Look(i)))
	c := inventory.Camera{
		ID: id, Owner: owner(r), Position: within(sub, r),
		Streams: inventory.Streams{
			Main: "rtsp://" + rtsp + "/cam/" + id + "/main", Sub: "rtsp://" + rtsp + "/cam/" + id + "/sub",
			Still: "http://" + still + "/cam/" + id + "/still.jpg",
		},
		Login:  inventory.Login{Username: o.Username, Password: o.Password},
		Patrol: inventory.Patrol{Tier: tier(r), Interval: cmp.Or(o.Interval, defaultInterval)},
	}
	where := town.Name + cell.Name
	c.Zones = look.Zones()
	for i := range c.Zones {
		c.Zones[i].Name = zoneNames[c.Zones[i].Kind]
	}
	switch look.Kind() {
	case scene.Street:
		c.Name = where + streetNames[r.IntN(len(streetNames))] + strconv.Itoa(1+r.IntN(180)) + "号消防通道"
		c.Zones[0].Dwell = FireLaneDwell
	case scene.Gate:
		c.Name = where + gateNames[r.IntN(len(gateNames))] + strconv.Itoa(1+r.IntN(6)) + "号门"
	default:
		c.Name = where + placeNames[look.Kind()] + strconv.Itoa(1+r.IntN(20))
	}
	if i%10 == 7 {
		c.Masks = []inventory.Polygon{look.PrivacyMask()}
	}
	return c, nil
}

func owner(r *rand.Rand) string {
	switch n := r.IntN(10); {
	case n < 7:
		return CityName + "城运中心"
	case n < 9:
		return "社区物业"
	default:
		return "沿街商户"
	}
}

func tier(r *rand.Rand) inventory.Tier {
	switch n := r.IntN(10); {
	case n < 1:
		return inventory.TierHigh
	case n < 8:
		return inventory.TierNormal
	default:
		return inventory.TierLow
	}
}

// within returns a position well inside a sub-cell.
func within(cell inventory.Cell, r *rand.Rand) inventory.Position {
	ring := cell.Area[0][0]
	var mid inventory.Position
	for _, p := range ring[1:] {
		mid.Lat += p.Lat / float64(len(ring)-1)
		mid.Lon += p.Lon / float64(len(ring)-1)
	}
	return round(inventory.Position{
		Lat: mid.Lat + (r.Float64()-0.5)*0.34*sideLat, Lon: mid.Lon + (r.Float64()-0.5)*0.34*sideLon,
	})
}
