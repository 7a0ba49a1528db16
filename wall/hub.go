package wall

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"videopatrol/alerts"
)

const (
	// ringSize is how many lead events a browser may have missed and still
	// catch up with instead of reading everything anew.
	ringSize = 2048
	// clientQueue is how many events a browser may be behind before it is
	// disconnected; it comes back by itself and catches up from the ring.
	clientQueue = 256
	// maxClients bounds the streams in all, maxPerUser those of one user.
	maxClients = 1024
	maxPerUser = 32
)

// Why a stream ended.
var (
	errSlow    = errors.New("the client reads too slowly")
	errEnded   = errors.New("the session ended")
	errClosing = errors.New("the gateway is shutting down")
	errBusy    = errors.New("too many streams are open")
)

// event is one message of the stream. Only lead events have an id and are
// kept for replay; the others say how things are now, the newest is enough.
type event struct {
	id   uint64 // 0: not kept
	name string
	data []byte
}

// Hub hands what happens to every open stream. It never waits for one.
type Hub struct {
	log *slog.Logger
	// epoch tells the ids of this process from those of an earlier one.
	epoch string

	mu      sync.Mutex
	last    uint64  // id of the newest kept event
	ring    []event // the newest kept events, oldest first, at most ringSize
	states  map[string]event
	clients map[*client]struct{}
	closed  bool
}

// client is one open stream.
type client struct {
	user   string
	key    Key // of the session or token that opened it
	events chan event
	gone   chan struct{} // closed when the hub lets go of it
	why    error         // after gone
}

// NewHub returns a hub without streams; a nil log is silent.
func NewHub(log *slog.Logger) *Hub {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Hub{log: log, epoch: rand.Text()[:8], states: map[string]event{}, clients: map[*client]struct{}{}}
}

// Lead tells every stream what became of a lead. It is called after the
// commit and never blocks. Leads of the canary are no officer's work and stay
// out of the stream.
func (h *Hub) Lead(c alerts.Change) {
	if c.Lead.Canary {
		return
	}
	data, err := json.Marshal(whole(c.Lead))
	if err != nil {
		h.log.Error("lead cannot be encoded for the stream", "lead", c.Lead.ID, "error", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	e := event{id: h.last, name: "lead", data: data}
	if len(h.ring) == ringSize {
		copy(h.ring, h.ring[1:])
		h.ring = h.ring[:ringSize-1]
	}
	h.ring = append(h.ring, e)
	h.send(e)
}

// state tells every stream how something is now, unless it is as before.
func (h *Hub) state(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		h.log.Error("state cannot be encoded for the stream", "event", name, "error", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if string(h.states[name].data) == string(data) {
		return
	}
	h.states[name] = event{name: name, data: data}
	h.send(h.states[name])
}

// Reset has every stream's reader ask for everything anew: something has changed
// that no event tells of.
func (h *Hub) Reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.send(event{id: h.last, name: "reset", data: []byte("{}")})
}

// send queues an event for every stream; one that is full is let go.
// h.mu is held.
func (h *Hub) send(e event) {
	for c := range h.clients {
		select {
		case c.events <- e:
		default:
			h.drop(c, errSlow)
		}
	}
}

// drop lets go of a stream. h.mu is held.
func (h *Hub) drop(c *client, why error) {
	if _, ok := h.clients[c]; !ok {
		return
	}
	delete(h.clients, c)
	c.why = why
	close(c.gone)
}

// join opens a stream. What comes first is what the client missed after the
// event it saw last, or a reset when that cannot be told.
func (h *Hub) join(user string, key Key, seen string) (*client, []event, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, errClosing
	}
	own := 0
	for c := range h.clients {
		if c.user == user {
			own++
		}
	}
	if len(h.clients) >= maxClients || own >= maxPerUser {
		return nil, nil, errBusy
	}
	c := &client{user: user, key: key, events: make(chan event, clientQueue), gone: make(chan struct{})}
	h.clients[c] = struct{}{}
	first := h.missed(seen)
	for _, e := range h.states {
		first = append(first, e)
	}
	return c, first, nil
}

// missed returns the events after the one seen. h.mu is held.
func (h *Hub) missed(seen string) []event {
	epoch, number, _ := strings.Cut(seen, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	oldest := h.last - uint64(len(h.ring)) // the id before the oldest kept
	if err != nil || epoch != h.epoch || n < oldest || n > h.last {
		return []event{{id: h.last, name: "reset", data: []byte("{}")}}
	}
	return append([]event(nil), h.ring[n-oldest:]...)
}

// leave closes a stream from its own side.
func (h *Hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(c, nil)
}

// end lets go of every stream that a function picks.
func (h *Hub) end(pick func(*client) bool, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		if pick(c) {
			h.drop(c, why)
		}
	}
}

// Close ends every stream and refuses new ones, so that a server can shut down.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.end(func(*client) bool { return true }, errClosing)
}

// Clients is the number of open streams.
func (h *Hub) Clients() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

func (h *Hub) id(e event) string { return h.epoch + "-" + strconv.FormatUint(e.id, 10) }
