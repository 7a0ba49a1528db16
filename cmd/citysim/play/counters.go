package play

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
)

// Level is how many there are of something, and the most there were at once.
type Level struct {
	Now  int64 `json:"now"`
	Peak int64 `json:"peak"`
}

// HostCounters are what one host has seen.
type HostCounters struct {
	Host string `json:"host"`
	// Dials are connections that were accepted, Open those that are.
	Dials int64 `json:"dials"`
	Open  Level `json:"open"`
	// Handshakes are open connections to which PLAY was not answered yet.
	Handshakes Level `json:"handshakes"`
}

// Counters are what the city has seen since its start or their last reset.
type Counters struct {
	Dials      int64 `json:"dials"`
	Open       Level `json:"open"`
	Handshakes Level `json:"handshakes"`
	// Playing are sessions that play; Plays counts them from their beginning.
	Playing   Level `json:"playing"`
	Plays     int64 `json:"plays"`
	Teardowns int64 `json:"teardowns"`
	// Bytes were sent to readers, framing included.
	Bytes int64          `json:"bytes"`
	Hosts []HostCounters `json:"hosts"`
}

// level is a Level in the making; tally.mu guards it.
type level Level

func (l *level) add(n int64) {
	l.Now += n
	l.Peak = max(l.Peak, l.Now)
}

// tally counts over all hosts.
type tally struct {
	bytes atomic.Int64

	mu        sync.Mutex // guards all levels, those of the hosts too
	dials     int64
	plays     int64
	teardowns int64
	open      level
	asks      level
	playing   level
}

func (t *tally) dialled(h *host) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dials++
	h.dials++
	t.open.add(1)
	h.open.add(1)
	t.asks.add(1)
	h.asks.add(1)
}

// hungUp counts a connection out; asked tells that it never came to play.
func (t *tally) hungUp(h *host, asked bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open.add(-1)
	h.open.add(-1)
	if asked {
		t.asks.add(-1)
		h.asks.add(-1)
	}
}

// answered counts a handshake that is over.
func (t *tally) answered(h *host) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asks.add(-1)
	h.asks.add(-1)
}

func (t *tally) began() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.plays++
	t.playing.add(1)
}

func (t *tally) ended() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.playing.add(-1)
}

func (t *tally) teardown() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.teardowns++
}

// Counters returns what the city has seen.
func (s *Server) Counters() Counters {
	t := s.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Counters{
		Dials: t.dials, Open: Level(t.open), Handshakes: Level(t.asks), Playing: Level(t.playing),
		Plays: t.plays, Teardowns: t.teardowns, Bytes: t.bytes.Load(),
	}
	for _, h := range s.hosts {
		c.Hosts = append(c.Hosts, HostCounters{Host: h.name, Dials: h.dials, Open: Level(h.open), Handshakes: Level(h.asks)})
	}
	return c
}

// resetCounters begins to count anew; the peaks are what there is now.
func (s *Server) resetCounters() {
	t := s.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dials, t.plays, t.teardowns = 0, 0, 0
	t.bytes.Store(0)
	levels := []*level{&t.open, &t.asks, &t.playing}
	for _, h := range s.hosts {
		h.dials = 0
		levels = append(levels, &h.open, &h.asks)
	}
	for _, l := range levels {
		l.Peak = l.Now
	}
}

func (s *Server) tell(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.Counters()) //nolint:errcheck // the reader is gone
}

func (s *Server) forget(w http.ResponseWriter, _ *http.Request) {
	s.resetCounters()
	w.WriteHeader(http.StatusNoContent)
}
