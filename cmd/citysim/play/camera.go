package play

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"

	"videopatrol/cmd/citysim/scene"
	"videopatrol/inventory"
	"videopatrol/streams/streamstest/hostile"
)

const frameTime = time.Second / scene.FrameRate

// happening is one thing that is due, or runs.
type happening struct {
	id    string
	kind  Kind
	due   time.Time
	lasts time.Duration
	every time.Duration

	phase scene.Take // of the scene's own kinds: Arrive, Stay, Leave
	gop   int        // how many GOPs of the phase began
	entry Entry      // in the ledger, once begun
	begun bool
	ended bool
}

// camera is one simulated camera. Its wheel alone touches the fields of the
// first group.
type camera struct {
	running *happening
	gop     *GOP
	quiets  int // how often each loop went on
	stays   int
	shown   int // turns of the loop, so that no two pictures are alike
	packets packets
	offset  int64 // frames by which its GOPs are ahead
	stamp   uint32

	*footage

	id     string
	index  int
	zone   string
	ledger *Ledger
	login  inventory.Login
	host   *host
	stream *gortsplib.ServerStream

	showing atomic.Pointer[picture]
	trouble atomic.Value // Kind of the connection fault that runs, or ""
	keyNow  atomic.Bool  // a reader wants a key unit at once
	readers atomic.Pointer[[]*conn]
	speaker atomic.Pointer[hostile.Server] // speaks in its place, or nil

	mu      sync.Mutex   // guards waiting, and changes of readers
	waiting []*happening // by due time
}

// picture is what a camera shows from one moment on.
type picture struct {
	gop     *GOP
	variant int // which of the looks of its key unit; see GOP.Vary
	since   time.Time
}

// fault returns the connection fault that runs, or "".
func (c *camera) fault() Kind {
	k, _ := c.trouble.Load().(Kind)
	return k
}

// enqueue makes something happen when it is due.
func (c *camera) enqueue(h *happening) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, _ := slices.BinarySearchFunc(c.waiting, h, func(a, b *happening) int { return cmp.Or(a.due.Compare(b.due), -1) })
	c.waiting = slices.Insert(c.waiting, at, h)
}

// next takes the next happening that is due and rendered.
func (c *camera) next(now time.Time) *happening {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 || c.waiting[0].due.After(now) || !c.reel.Load().has(c.waiting[0].kind) {
		return nil
	}
	h := c.waiting[0]
	c.waiting = slices.Delete(c.waiting, 0, 1)
	return h
}

// tick sends frame n, counted from the start. A wheel makes the packets of all
// its cameras in one scratch.
func (c *camera) tick(n int64, now time.Time, scratch *[]byte) {
	frame := int((n + c.offset) % scene.GOPFrames)
	if frame != 0 && c.gop != nil && c.keyNow.Load() {
		// What the rest of the GOP would have shown has happened by now.
		c.mark(scene.GOPFrames-1, now)
		c.offset += int64(scene.GOPFrames - frame)
		frame = 0
	}
	if frame == 0 || c.gop == nil {
		c.keyNow.Store(false)
		c.cut(now)
	}
	c.mark(frame, now)
	readers := c.audience()
	if len(readers) == 0 || c.fault() == Silent || c.host.silent() {
		return
	}
	stamp := c.stamp + uint32(n*(clockRate/scene.FrameRate)) //nolint:gosec // RTP time wraps
	c.packets.buf = *scratch
	c.packets.corrupt = c.fault() == CorruptH264
	if unit := c.gop.Units[frame]; frame == 0 {
		c.packets.unit(stamp, c.gop.SPS, c.gop.pps(c.variant()), unit)
	} else {
		c.packets.unit(stamp, unit)
	}
	if frame == scene.GOPFrames/2 {
		c.packets.report(now)
	}
	*scratch, c.packets.buf = c.packets.buf, nil
	for _, r := range readers {
		if !r.send(*scratch) {
			r.Close() // its reader notices, and takes it off the list
			c.unread(r)
		}
	}
}

// variant is which look of its own the key unit gets; a frozen camera's stays
// the same.
func (c *camera) variant() int {
	if c.running != nil && c.running.kind == Frozen {
		return 0
	}
	return c.shown
}

// cut chooses the next GOP.
func (c *camera) cut(now time.Time) {
	if h := c.running; h != nil && c.turn(h, now) {
		c.running = nil
		c.trouble.Store(Kind(""))
		c.hush()
		if h.every > 0 {
			again := &happening{id: c.ledger.newID(), kind: h.kind, lasts: h.lasts, every: h.every, due: h.due.Add(h.every)}
			for again.due.Before(now) {
				again.due = again.due.Add(h.every)
			}
			c.enqueue(again)
		}
	}
	if c.running == nil {
		if h := c.next(now); h != nil {
			c.running = h
			if takes := h.kind.takes(); takes != nil {
				h.phase = takes[0]
			}
			if !h.kind.inScene() {
				c.begin(h, now)
			}
		}
	}
	c.gop = c.choose(c.reel.Load())
	c.showing.Store(&picture{gop: c.gop, variant: c.variant(), since: now})
}

// turn moves what runs on to its next phase, and tells whether it is over.
func (c *camera) turn(h *happening, now time.Time) (over bool) {
	if !h.kind.inScene() {
		if now.Before(h.entry.Begin.Add(h.lasts - frameTime/2)) {
			return false
		}
		c.end(h, now, "")
		return true
	}
	h.gop++
	switch h.phase {
	case scene.Arrive:
		if h.gop == c.scene.GOPs(scene.Arrive) {
			h.phase, h.gop = scene.Stay, 0
		}
	case scene.Stay:
		leaving := time.Duration(c.scene.End()) * frameTime
		if !now.Add(leaving + scene.GOPFrames/2*frameTime).Before(h.entry.Begin.Add(h.lasts)) {
			h.phase, h.gop = scene.Leave, 0
		}
	default:
		return h.gop == c.scene.GOPs(scene.Leave)
	}
	return false
}

// choose returns the GOP to show.
func (c *camera) choose(r *reel) *GOP {
	h := c.running
	switch {
	case h == nil || h.kind != Frozen && h.kind.takes() == nil:
		return c.loop(r.takes[scene.Quiet], &c.quiets)
	case h.kind == Frozen:
		return r.frozen[0]
	case h.phase == scene.Arrive || h.phase == scene.Leave:
		return r.takes[h.phase][h.gop]
	default:
		return c.loop(r.takes[h.phase], &c.stays)
	}
}

// loop returns the next GOP of a take that goes on and on. All but clips skip
// one at every turn, so that whoever looks at a fixed interval does not see
// the same picture each time, and every turn has a variant of its own: no
// picture comes again before the variants are used up.
func (c *camera) loop(gops []*GOP, n *int) *GOP {
	i := *n
	*n++
	c.shown = i / len(gops)
	if c.clip {
		return gops[i%len(gops)]
	}
	return gops[(i+c.shown)%len(gops)]
}

// mark tells the ledger when the frame that is about to go out begins or ends
// what happens in the scene.
func (c *camera) mark(frame int, now time.Time) {
	h := c.running
	if h == nil {
		return
	}
	at := h.gop*scene.GOPFrames + frame
	if h.phase == scene.Arrive && !h.begun && at >= c.scene.Begin() {
		c.begin(h, now)
	}
	if h.phase == scene.Leave && !h.ended && at >= c.scene.End() {
		c.end(h, now, "")
	}
}

func (c *camera) begin(h *happening, now time.Time) {
	h.begun = true
	h.entry = Entry{ID: h.id, Camera: c.id, Kind: h.kind, Begin: now}
	if h.kind.inScene() {
		h.entry.Zone = c.zone
	}
	c.ledger.put(h.entry)
	if h.kind.takes() == nil && h.kind != Frozen {
		c.trouble.Store(h.kind)
	}
	if f, ok := catalogue()[h.kind]; ok {
		c.speak(f, c.login.Username, c.login.Password.Reveal())
	}
	if h.kind.cutsSessions() {
		c.cutSessions()
	}
}

func (c *camera) end(h *happening, now time.Time, note string) {
	if !h.begun || h.ended {
		return
	}
	h.ended = true
	h.entry.End, h.entry.Note = now, note
	c.ledger.put(h.entry)
}

// stop ends what runs, since no more pictures follow.
func (c *camera) stop(now time.Time) {
	if c.running != nil {
		c.end(c.running, now, "the simulation ended")
	}
	c.hush()
}

func (c *camera) cutSessions() {
	for _, r := range c.audience() {
		r.Close()
		c.unread(r)
	}
}

// audience are the camera's readers. The list is replaced, never changed, so
// that the wheel walks it without a lock.
func (c *camera) audience() []*conn {
	if p := c.readers.Load(); p != nil {
		return *p
	}
	return nil
}

// read adds a reader.
func (c *camera) read(r *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.audience(); !slices.Contains(old, r) {
		list := append(slices.Clone(old), r)
		c.readers.Store(&list)
	}
}

// unread takes a reader off.
func (c *camera) unread(r *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.audience(); slices.Contains(old, r) {
		list := slices.DeleteFunc(slices.Clone(old), func(o *conn) bool { return o == r })
		c.readers.Store(&list)
	}
}

// LogValue names the camera in logs.
func (c *camera) LogValue() slog.Value { return slog.StringValue(c.id) }
