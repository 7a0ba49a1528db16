package hostile

import (
	"crypto/tls"
	"slices"
	"strconv"
	"strings"

	"videopatrol/streams"
)

// Fault is one way in which a camera is wrong; the zero value is none.
type Fault struct {
	// ID is stable: the number of the catalogue and a name, such as
	// "16-unknown-algorithm".
	ID string
	// Summary is what the camera does, in one line.
	Summary string
	// Reasons are what the gateway may say of the camera, the first one what
	// it must; none at all means that it goes on taking key units.
	Reasons []streams.Reason
	// Datagram replaces Reasons where packets come by UDP.
	Datagram []streams.Reason
	// UDP tells that it means something over UDP, too; OnlyUDP that it means
	// nothing over TCP.
	UDP, OnlyUDP bool
	// Login tells that it needs a camera that asks for a login, Secure one
	// that is reached by rtsps.
	Login, Secure bool
	// Alone tells that it befalls an address, not one camera of it.
	Alone bool
	// Torn tells that the key units that come are not what the source held.
	Torn bool

	// deaf leaves connections waiting unaccepted.
	deaf bool
	// login is how it asks for a login, tls what it shows.
	login scheme
	tls   func() *tls.Config
	// accept comes before the first request; true means that it did all.
	accept func(t *conversation) bool
	// answer changes an answer, raw its bytes, slow how they go out.
	answer func(t *conversation, r *request, a *answer)
	raw    func(t *conversation, r *request, b []byte) []byte
	slow   func(t *conversation, r *request, b []byte) error
	// sdp changes the description, source what is played.
	sdp    func(s string) string
	source func(s Source) Source
	// before comes before the n-th picture; false means that no more come.
	before func(t *conversation, n int) bool
	// packets makes a picture's packets, stamp its time; lose changes packets
	// that have their numbers.
	packets func(t *conversation, n int, nalus [][]byte) []*packet
	stamp   func(t *conversation, n int, stamp uint32) uint32
	lose    func(t *conversation, n int, ps []*packet) []*packet
	// report changes a sender report, or leaves it out by nil.
	report func(t *conversation, n int, b []byte) []byte
	// frame changes the bytes of the n-th interleaved frame, datagram sends
	// one packet by UDP.
	frame    func(t *conversation, n int, b []byte) []byte
	datagram func(t *conversation, way int, b []byte) error
}

// Number is the fault's number in the catalogue.
func (f Fault) Number() int {
	n, _ := strconv.Atoi(leading(f.ID))
	return n
}

// Reason is what the gateway must say of the camera.
func (f Fault) Reason() streams.Reason {
	if len(f.Reasons) == 0 {
		return streams.ReasonNone
	}
	return f.Reasons[0]
}

// Find returns the fault of an id.
func Find(id string) (Fault, bool) {
	all := Faults()
	i := slices.IndexFunc(all, func(f Fault) bool { return f.ID == id })
	if i < 0 {
		return Fault{}, false
	}
	return all[i], true
}

// Faults lists every fault by its number.
func Faults() []Fault {
	all := slices.Concat(transportFaults(), rtspFaults(), loginFaults(), addressFaults(), sdpFaults(), paramFaults(), packetFaults(), timeFaults(), pictureFaults(), fleetFaults())
	slices.SortStableFunc(all, func(a, b Fault) int { return a.Number() - b.Number() })
	return all
}

// is lists reasons.
func is(r ...streams.Reason) []streams.Reason { return r }

// on limits a change to the answer of one method.
func on(method string, change func(t *conversation, a *answer)) func(*conversation, *request, *answer) {
	return func(t *conversation, r *request, a *answer) {
		if r.method == method && strings.HasPrefix(a.status, "200") {
			change(t, a)
		}
	}
}

// status answers a method with another status.
func status(method, status string) func(*conversation, *request, *answer) {
	return on(method, func(_ *conversation, a *answer) { a.refuse(status) })
}

// header gives a method's answer another header.
func header(method, name, value string) func(*conversation, *request, *answer) {
	return on(method, func(_ *conversation, a *answer) { a.set(name, value) })
}
