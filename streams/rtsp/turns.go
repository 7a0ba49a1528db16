package rtsp

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// spokes is the size of a wheel; half of it is the longest wait.
	spokes = 32
	// maxWheels is the most goroutines that read resident sessions, and
	// fullWheel how many sessions one has before another begins: a wheel that
	// turns costs by itself as much as some sessions.
	maxWheels, fullWheel = 8, 1000
)

// turns reads the sockets of resident sessions in turn, each one as often as
// its bitrate asks for. To wait for each socket by itself would cost a timer
// and two changes of goroutine for every read, which is most of what reading
// costs. It has goroutines only while there are sessions.
type turns struct {
	wheels []*wheel
	next   atomic.Uint32 // when all are full
}

func newTurns(latency time.Duration) *turns {
	t := &turns{}
	for range min(runtime.GOMAXPROCS(0), maxWheels) {
		t.wheels = append(t.wheels, &wheel{spoke: max(latency/(spokes/2), time.Millisecond)})
	}
	return t
}

// pick returns the wheel of the next session.
func (t *turns) pick() *wheel {
	for _, w := range t.wheels {
		if w.sessions() < fullWheel {
			return w
		}
	}
	return t.wheels[t.next.Add(1)%uint32(len(t.wheels))] //nolint:gosec // few
}

// wheel is one goroutine's share of the sessions: on each spoke those whose
// turn comes then.
type wheel struct {
	spoke time.Duration

	mu   sync.Mutex
	due  [spokes][]*conn
	at   int // the spoke that comes next
	n    int // sessions
	stop chan struct{}
}

func (w *wheel) sessions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// join gives a connection its first turn after wait.
func (w *wheel) join(c *conn, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.onWheel = true
	w.put(c, wait)
	if w.n++; w.n == 1 {
		w.stop = make(chan struct{})
		go w.run(w.stop)
	}
}

// leave ends the turns of a connection.
func (w *wheel) leave(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.onWheel {
		return
	}
	c.onWheel = false
	if w.n--; w.n == 0 {
		close(w.stop)
		w.due = [spokes][]*conn{}
	}
}

// put is called with w.mu held.
func (w *wheel) put(c *conn, wait time.Duration) {
	i := (w.at + min(max(int(wait/w.spoke), 1), spokes-1) - 1) % spokes
	w.due[i] = append(w.due[i], c)
}

func (w *wheel) run(stop chan struct{}) {
	tick := time.NewTicker(w.spoke)
	defer tick.Stop()
	buf, _ := batches.Get().(*[batchSize]byte)
	defer batches.Put(buf)
	var spare []*conn
	last := time.Now()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for now := time.Now(); now.Sub(last) >= w.spoke; last = last.Add(w.spoke) {
			if now.Sub(last) > spokes*w.spoke {
				last = now.Add(-w.spoke) // the machine slept: no turn is made up for
			}
			w.mu.Lock()
			if w.stop != stop {
				w.mu.Unlock()
				return
			}
			due := w.due[w.at]
			w.due[w.at] = spare
			w.at = (w.at + 1) % spokes
			w.mu.Unlock()
			for i, c := range due {
				due[i] = nil
				wait := c.turn(buf)
				w.mu.Lock()
				if c.onWheel && w.stop == stop {
					w.put(c, wait)
				}
				w.mu.Unlock()
			}
			spare = due[:0]
		}
	}
}
