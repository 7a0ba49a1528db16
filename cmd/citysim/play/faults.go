package play

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bluenviron/gortsplib/v4/pkg/base"

	"videopatrol/cmd/citysim/scene"
	"videopatrol/inventory"
	"videopatrol/streams/streamstest/hostile"
)

// faultPrefix begins the kinds that are faults of the catalogue.
const faultPrefix = "fault:"

// everyCamera is what a row's camera is when it befalls all of them.
const everyCamera = "all"

// catalogue are the faults that one camera can have while others answer at the
// same address.
var catalogue = sync.OnceValue(func() map[Kind]hostile.Fault {
	all := map[Kind]hostile.Fault{}
	for _, f := range hostile.Faults() {
		if !f.Alone {
			all[Kind(faultPrefix+f.ID)] = f
		}
	}
	return all
})

// Faults lists the kinds that are faults of the catalogue, by its numbers.
func Faults() []Kind {
	var kinds []Kind
	for _, f := range hostile.Faults() {
		if k := Kind(faultPrefix + f.ID); !f.Alone {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// known tells whether there is such a kind.
func (k Kind) known() bool {
	_, ok := catalogue()[k]
	return ok || slices.Contains(builtIn(), k)
}

// unknown says why a kind is none.
func (k Kind) unknown() string {
	id, ok := strings.CutPrefix(string(k), faultPrefix)
	switch f, found := hostile.Find(id); {
	case !ok:
		return fmt.Sprintf("there is no kind %q (want one of %s, or a fault such as fault:19-453)", string(k), kindNames())
	case found && f.Alone:
		return fmt.Sprintf("the fault %q befalls an address, and cameras share theirs", id)
	default:
		return fmt.Sprintf("there is no fault %q: citysim faults lists them", id)
	}
}

// spread makes rows for every camera into one row each.
func spread(rows []Row, cameras []inventory.Camera) []Row {
	var all []Row
	for _, row := range rows {
		if row.Camera != everyCamera {
			all = append(all, row)
			continue
		}
		for _, c := range cameras {
			row.Camera = c.ID
			all = append(all, row)
		}
	}
	return all
}

// speak lets a hostile camera answer in this one's place from now on.
func (c *camera) speak(f hostile.Fault, user, password string) {
	s := hostile.New(hostile.Options{Source: c.film, Username: user, Password: password})
	s.Play(f)
	if old := c.speaker.Swap(s); old != nil {
		old.Close()
	}
}

// hush ends what speak began.
func (c *camera) hush() {
	if s := c.speaker.Swap(nil); s != nil {
		s.Close()
	}
}

// film is what the camera shows, for a session of its own.
func (c *camera) film() hostile.Source {
	first := c.reel.Load().takes[scene.Quiet][0]
	shown := &picture{gop: first}
	return hostile.Source{
		Params: [][]byte{first.SPS, first.PPS}, Period: frameTime,
		Unit: func(n int) [][]byte {
			frame := n % scene.GOPFrames
			if frame != 0 {
				return [][]byte{shown.gop.Units[frame]}
			}
			if p := c.showing.Load(); p != nil {
				shown = p
			}
			return [][]byte{shown.gop.SPS, shown.gop.pps(n / scene.GOPFrames), shown.gop.Units[0]}
		},
	}
}

// hijack gives a connection to the hostile camera that speaks in this one's
// place, if one does, and returns when the conversation is over.
func (c *camera) hijack(k *conn, req *base.Request) {
	s := c.speaker.Load()
	if s == nil {
		return
	}
	if said, err := req.Marshal(); err == nil {
		s.Handle(k.TCPConn, said)
	}
}
