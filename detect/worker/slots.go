package worker

import (
	"container/list"
	"reflect"
	"slices"
	"sync"
	"time"

	"videopatrol/detect"
	"videopatrol/streams"
)

// A record is what a lane keeps of one wanted camera.
type record struct {
	// config and revision change under the lane's mutex.
	config   detect.Config
	revision uint64
	look     look

	// What follows belongs to the lane's goroutine.
	memory memory
	seen   time.Time // receive time of the newest sample judged
	strike strike
	unread bool // the newest sample could not be handed to a child
	// told is the newest that was reported of each condition's key.
	told map[detect.ConditionKey]told
}

type told struct {
	detect.Condition
	ended bool
}

// note remembers what was reported of a condition.
func (r *record) note(f detect.Finding) {
	const most = 256 // a child names the zones
	if _, ok := r.told[f.Key()]; !ok && len(r.told) >= most {
		return
	}
	if r.told == nil {
		r.told = make(map[detect.ConditionKey]told)
	}
	r.told[f.Key()] = told{detect.Condition{Key: f.Key(), Kind: f.Kind, Began: f.Began}, f.Phase == detect.PhaseEnd}
}

// running is what runs: what the record said when the camera's config was
// made, brought up to date by what was reported since.
func (r *record) running(recorded []detect.Condition) []detect.Condition {
	var all []detect.Condition
	for _, c := range recorded {
		if t, ok := r.told[c.Key]; !ok || c.Began.After(t.Began) {
			all = append(all, c)
		}
	}
	for _, t := range r.told {
		newer := slices.ContainsFunc(all, func(c detect.Condition) bool { return c.Key == t.Key })
		if !t.ended && !newer {
			all = append(all, t.Condition)
		}
	}
	return all
}

// A table holds a lane's cameras and at most one pending sample of each, in
// the order in which the cameras' first pending samples came.
type table struct {
	mu      sync.Mutex
	cameras map[string]*record
	pending map[string]streams.Sample
	queue   []string
	bytes   int64
	// gone are cameras that are wanted no more and that a child may know.
	gone     []string
	revision uint64
	// filled has room for one signal that a sample or an ask came.
	filled chan struct{}
	// album holds the records that have a look, the newest one in front, kept
	// is what their looks take.
	album *list.List
	kept  int64
	// asks are the pictures that somebody waits for, unless closed.
	asks   []*ask
	closed bool
}

func newTable() *table {
	return &table{
		cameras: make(map[string]*record),
		pending: make(map[string]streams.Sample),
		filled:  make(chan struct{}, 1),
		album:   list.New(),
	}
}

// offer puts a sample in its camera's slot. It tells whether the camera is
// wanted and how many pending samples had to go: the one it replaces, and the
// oldest ones while the table holds more than limit bytes.
func (t *table) offer(s streams.Sample, limit int64) (wanted bool, superseded int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cameras[s.Camera] == nil {
		return false, 0
	}
	if old, ok := t.pending[s.Camera]; ok {
		t.bytes -= int64(old.Unit.Size())
		superseded++
	} else {
		t.queue = append(t.queue, s.Camera)
	}
	t.pending[s.Camera] = s
	t.bytes += int64(s.Unit.Size())
	for t.bytes > limit && len(t.queue) > 0 {
		t.pop()
		superseded++
	}
	t.signal()
	return true, superseded
}

// signal wakes the lane.
func (t *table) signal() {
	select {
	case t.filled <- struct{}{}:
	default:
	}
}

// pop takes the first sample of the queue out, which must not be empty.
func (t *table) pop() streams.Sample {
	s := t.pending[t.queue[0]]
	t.queue = t.queue[1:]
	delete(t.pending, s.Camera)
	t.bytes -= int64(s.Unit.Size())
	return s
}

// putBack makes a sample that was taken out the next one again, unless a newer
// one of its camera has come or the camera is gone: then it tells that it did not.
func (t *table) putBack(s streams.Sample) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, newer := t.pending[s.Camera]; newer || t.cameras[s.Camera] == nil {
		return false
	}
	t.queue = slices.Insert(t.queue, 0, s.Camera)
	t.pending[s.Camera] = s
	t.bytes += int64(s.Unit.Size())
	return true
}

// A turn is a sample taken out to be judged, with its camera as it was wanted
// at that moment.
type turn struct {
	sample   streams.Sample
	record   *record
	config   detect.Config
	revision uint64
	asked    time.Time // when somebody last wanted to see the camera
}

// take returns the next sample; false when none is pending.
func (t *table) take() (turn, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return turn{}, false
	}
	s := t.pop()
	r := t.cameras[s.Camera]
	return turn{sample: s, record: r, config: r.config, revision: r.revision, asked: r.look.asked}, true
}

// forget returns at most n cameras that a child may forget.
func (t *table) forget(n int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	n = min(n, len(t.gone))
	gone := t.gone[:n:n]
	t.gone = t.gone[n:]
	return gone
}

// record returns the record of a wanted camera, else nil.
func (t *table) record(camera string) *record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cameras[camera]
}

// wants tells whether r is still the record of its camera.
func (t *table) wants(camera string, r *record) bool {
	return t.record(camera) == r
}

// reconcile makes configs the whole wanted set and returns how many pending
// samples of other cameras it dropped.
func (t *table) reconcile(configs map[string]detect.Config) (dropped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for camera, r := range t.cameras {
		if _, ok := configs[camera]; !ok {
			t.retire(r)
			delete(t.cameras, camera)
			t.gone = append(t.gone, camera)
		}
	}
	for camera, c := range configs {
		r := t.cameras[camera]
		if r == nil {
			r = &record{}
			t.cameras[camera] = r
		}
		if r.revision == 0 || !equalConfig(r.config, c) {
			t.revision++
			r.revision = t.revision
		}
		r.config = c
	}
	queue := t.queue[:0:0]
	for _, camera := range t.queue {
		if t.cameras[camera] != nil {
			queue = append(queue, camera)
			continue
		}
		t.bytes -= int64(t.pending[camera].Unit.Size())
		delete(t.pending, camera)
		dropped++
	}
	t.queue = queue
	return dropped
}

// equalConfig tells whether a watch that follows a need not be told of b.
// Running is left out: it follows from what the watch itself found.
func equalConfig(a, b detect.Config) bool {
	a.Running, b.Running = nil, nil
	return reflect.DeepEqual(a, b)
}

func (t *table) size() (samples int, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.pending), t.bytes
}

// keeps returns the bytes of all looks.
func (t *table) keeps() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept
}
