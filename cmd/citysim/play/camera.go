package play

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"

	"videopatrol/cmd/citysim/scene"
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

// reel is what a camera can show; it is replaced whole, never changed.
type reel struct {
	takes  map[scene.Take][]*GOP
	frozen []*GOP
}

// has tells whether everything is there that a kind needs.
func (r *reel) has(k Kind) bool {
	if k == Frozen {
		return r.frozen != nil
	}
	for _, t := range k.takes() {
		if r.takes[t] == nil {
			return false
		}
	}
	return true
}

// camera is one simulated camera. Its wheel alone touches the fields of the
// first group.
type camera struct {
	running *happening
	gop     *GOP
	quiets  int // how often each loop went on
	stays   int
	shown   int // key units sent, so that no two are alike
	packets packets
	offset  int64 // frames by which its GOPs are ahead
	stamp   uint32

	id     string
	index  int
	zone   string
	scene  *scene.Scene
	clip   bool
	ledger *Ledger
	stream *gortsplib.ServerStream

	reel    atomic.Pointer[reel]
	showing atomic.Pointer[GOP]
	trouble atomic.Value // Kind of the connection fault that runs, or ""

	mu      sync.Mutex
	waiting []*happening // by due time
	readers []*conn
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

// tick sends frame n, counted from the start.
func (c *camera) tick(n int64, now time.Time) {
	frame := int((n + c.offset) % scene.GOPFrames)
	if frame == 0 || c.gop == nil {
		c.cut(now)
	}
	c.mark(frame, now)
	c.mu.Lock()
	readers := c.readers
	c.mu.Unlock()
	if len(readers) == 0 || c.fault() == Silent {
		return
	}
	stamp := c.stamp + uint32(n*(clockRate/scene.FrameRate)) //nolint:gosec // RTP time wraps
	c.packets.corrupt = c.fault() == CorruptH264
	if unit := c.gop.Units[frame]; frame == 0 {
		c.packets.unit(stamp, c.gop.SPS, c.gop.PPS, c.fresh(unit))
	} else {
		c.packets.unit(stamp, unit)
	}
	if frame == scene.GOPFrames/2 {
		c.packets.report(now)
	}
	for _, r := range readers {
		if !r.send(c.packets.buf) {
			r.Close() // its reader notices, and takes it off the list
			c.unread(r)
		}
	}
}

// fresh returns the key unit of the GOP with pixels of its own, unless the
// camera is frozen. A clip whose stream cannot be varied repeats.
func (c *camera) fresh(unit []byte) []byte {
	if c.running != nil && c.running.kind == Frozen {
		return unit
	}
	c.shown++
	if varied, err := c.gop.Vary(c.shown); err == nil {
		return varied
	}
	return unit
}

// cut chooses the next GOP.
func (c *camera) cut(now time.Time) {
	if h := c.running; h != nil && c.turn(h, now) {
		c.running = nil
		c.trouble.Store(Kind(""))
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
	c.showing.Store(c.gop)
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

// choose returns the GOP to show. Loops skip one at every turn, so that
// whoever looks at a fixed interval does not see the same picture each time.
func (c *camera) choose(r *reel) *GOP {
	round := func(gops []*GOP, n *int) *GOP {
		i := *n
		*n++
		return gops[(i+i/len(gops))%len(gops)]
	}
	h := c.running
	switch {
	case h == nil || h.kind != Frozen && h.kind.takes() == nil:
		if c.clip {
			c.quiets++
			return r.takes[scene.Quiet][(c.quiets-1)%len(r.takes[scene.Quiet])]
		}
		return round(r.takes[scene.Quiet], &c.quiets)
	case h.kind == Frozen:
		return r.frozen[0]
	case h.phase == scene.Arrive || h.phase == scene.Leave:
		return r.takes[h.phase][h.gop]
	default:
		return round(r.takes[h.phase], &c.stays)
	}
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
}

func (c *camera) cutSessions() {
	c.mu.Lock()
	readers := c.readers
	c.readers = nil
	c.mu.Unlock()
	for _, r := range readers {
		r.Close()
	}
}

// read adds a reader, unread takes it off. The list is replaced, never
// changed, so that the wheel walks it without the lock.
func (c *camera) read(r *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.readers, r) {
		c.readers = append(slices.Clone(c.readers), r)
	}
}

func (c *camera) unread(r *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.readers, r) {
		c.readers = slices.DeleteFunc(slices.Clone(c.readers), func(o *conn) bool { return o == r })
	}
}

// prepare renders what a kind needs, unless it is there.
func (c *camera) prepare(ctx context.Context, l *Library, seed uint64, kinds ...Kind) error {
	old := c.reel.Load()
	want := []scene.Take{}
	frozen := false
	if old == nil {
		old = &reel{takes: map[scene.Take][]*GOP{}}
		if !c.clip {
			want = append(want, scene.Quiet)
		}
	}
	for _, k := range kinds {
		for _, t := range k.takes() {
			if old.takes[t] == nil && !slices.Contains(want, t) {
				want = append(want, t)
			}
		}
		frozen = frozen || k == Frozen && old.frozen == nil
	}
	fresh := &reel{takes: map[scene.Take][]*GOP{}, frozen: old.frozen}
	maps.Copy(fresh.takes, old.takes)
	if len(want) > 0 {
		made, err := l.Scene(ctx, c.scene.Kind(), seed, want...)
		if err != nil {
			return fmt.Errorf("camera %s: %w", c.id, err)
		}
		maps.Copy(fresh.takes, made)
	}
	if frozen {
		var err error
		if fresh.frozen, err = l.Frozen(ctx, fresh.takes[scene.Quiet][0]); err != nil {
			return fmt.Errorf("camera %s: %w", c.id, err)
		}
	}
	c.reel.Store(fresh)
	return nil
}

// LogValue names the camera in logs.
func (c *camera) LogValue() slog.Value { return slog.StringValue(c.id) }
