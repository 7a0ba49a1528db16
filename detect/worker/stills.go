package worker

import (
	"container/list"
	"context"
	"errors"
	"time"

	"videopatrol/detect"
	"videopatrol/streams"
)

// ErrNoPicture is a camera of which nothing can be shown: nothing that decodes
// has come yet, it had to go for memory, or the camera is not wanted. What the
// next sample shows can be shown then.
var ErrNoPicture = errors.New("there is no picture of this camera")

var (
	errStopping = errors.New("the workers are being stopped")
	errBusy     = errors.New("too many people ask at once")
)

const (
	// watchedFor is how long after somebody asked for a camera's picture each
	// of its samples brings one along, which spares decoding it twice.
	watchedFor = 30 * time.Second
	// stillPatience is how long somebody who asks waits for a worker.
	stillPatience = 5 * time.Second
)

// A look is the newest key unit of a camera that decoded, and the masked
// picture of it once one was made.
type look struct {
	unit streams.Unit
	jpeg []byte
	// revision is of the config whose masks the picture has.
	revision uint64
	// place is where it stands in the lane's album; nil: nothing is kept.
	place *list.Element
	// asked is when somebody last wanted to see the camera, ask what they wait
	// for at present, nil when nobody does.
	asked time.Time
	ask   *ask
}

func (k *look) size() int64 { return int64(k.unit.Size() + len(k.jpeg)) }

// An ask is one picture that is to be made, for all who wait for it, or an
// explanation for one who does.
type ask struct {
	camera   string
	explains bool
	done     chan struct{} // closed once the rest is there
	told     *detect.Explanation
	jpeg     []byte
	taken    time.Time
	err      error
}

func (a *ask) answer(jpeg []byte, taken time.Time, err error) {
	a.jpeg, a.taken, a.err = jpeg, taken, err
	close(a.done)
}

// Still returns the newest masked picture of a camera as JPEG, and when it was
// received. A picture is made when somebody asks for it, by the worker that
// judges the camera, between two samples, with the masks of the newest config;
// until a newer sample or another config comes it is kept. The picture must
// not be modified. The error is ErrNoPicture when there is nothing to show, or
// says why no picture could be made within 5 s. It is safe for concurrent use.
func (p *Pool) Still(ctx context.Context, camera string) (jpeg []byte, taken time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, stillPatience)
	defer cancel()
	a := p.lane(camera).want(camera, p.o.Now())
	select {
	case <-a.done:
		return a.jpeg, a.taken, a.err
	case <-ctx.Done():
		return nil, time.Time{}, ctx.Err()
	}
}

// Explain tells what the watch of a camera makes of it, on its newest picture.
// The error is ErrNoPicture when there is none, or says why nothing could be
// told within 5 s. It is safe for concurrent use.
func (p *Pool) Explain(ctx context.Context, camera string) (detect.Explanation, error) {
	ctx, cancel := context.WithTimeout(ctx, stillPatience)
	defer cancel()
	a := p.lane(camera).wantToKnow(camera)
	select {
	case <-a.done:
		if a.err != nil {
			return detect.Explanation{}, a.err
		}
		return *a.told, nil
	case <-ctx.Done():
		return detect.Explanation{}, ctx.Err()
	}
}

// wantToKnow returns the promise of an explanation.
func (t *table) wantToKnow(camera string) *ask {
	const most = 16 // that wait
	t.mu.Lock()
	defer t.mu.Unlock()
	a := &ask{camera: camera, explains: true, done: make(chan struct{})}
	waiting := 0
	for _, o := range t.asks {
		if o.explains {
			waiting++
		}
	}
	switch r := t.cameras[camera]; {
	case r == nil, r.look.place == nil:
		a.answer(nil, time.Time{}, ErrNoPicture)
	case t.closed:
		a.answer(nil, time.Time{}, errStopping)
	case waiting >= most:
		a.answer(nil, time.Time{}, errBusy)
	default:
		t.asks = append(t.asks, a)
		t.signal()
	}
	return a
}

// want marks a camera as watched and returns its picture, or the promise of
// one.
func (t *table) want(camera string, now time.Time) *ask {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.cameras[camera]
	made := &ask{camera: camera, done: make(chan struct{})}
	switch {
	case r == nil:
		made.answer(nil, time.Time{}, ErrNoPicture)
		return made
	case r.look.place == nil:
		made.answer(nil, time.Time{}, ErrNoPicture)
	case r.look.jpeg != nil && r.look.revision == r.revision:
		made.answer(r.look.jpeg, r.look.unit.Received, nil)
	case t.closed:
		made.answer(nil, time.Time{}, errStopping)
	case r.look.ask != nil:
		made = r.look.ask
	default:
		r.look.ask = made
		t.asks = append(t.asks, made)
		t.signal()
	}
	r.look.asked = now
	return made
}

// takeAsk returns the next picture that is to be made, with the key unit as a
// sample; false when nobody waits.
func (t *table) takeAsk() (turn, *ask, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.asks) > 0 {
		a := t.asks[0]
		t.asks = t.asks[1:]
		r := t.cameras[a.camera]
		if !a.explains && (r == nil || r.look.ask != a) {
			continue // answered already
		}
		if r == nil || r.look.place == nil {
			if r != nil && !a.explains {
				r.look.ask = nil
			}
			a.answer(nil, time.Time{}, ErrNoPicture)
			continue
		}
		s := streams.Sample{Camera: a.camera, Unit: r.look.unit}
		return turn{sample: s, record: r, config: r.config, revision: r.revision}, a, true
	}
	return turn{}, nil, false
}

// keep makes a sample its camera's newest look. jpeg is its masked picture, or
// nil. It returns how many looks had to go for memory.
func (t *table) keep(n turn, jpeg []byte, limit int64) (dropped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := n.record
	if t.cameras[n.sample.Camera] != r || r.look.place != nil && r.look.unit.Received.After(n.sample.Unit.Received) {
		return 0
	}
	t.release(r)
	r.look.unit, r.look.jpeg, r.look.revision = n.sample.Unit, jpeg, n.revision
	r.look.place = t.album.PushFront(r)
	t.kept += r.look.size()
	if a := r.look.ask; a != nil && jpeg != nil && n.revision == r.revision {
		r.look.ask = nil
		a.answer(jpeg, r.look.unit.Received, nil)
	}
	for t.kept > limit && t.album.Len() > 0 {
		t.release(t.album.Back().Value.(*record))
		dropped++
	}
	return dropped
}

// drawn answers those who wait for a picture that was made of a look, and
// keeps it. A nil picture takes the look away: it does not decode any more.
func (t *table) drawn(n turn, a *ask, jpeg []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.explains {
		a.answer(nil, time.Time{}, err)
		return
	}
	r := n.record
	switch {
	case r.look.ask != a: // the camera is gone
	case jpeg != nil && n.revision != r.revision && !t.closed:
		t.asks = append(t.asks, a) // other masks have come meanwhile
	default:
		r.look.ask = nil
		a.answer(jpeg, n.sample.Unit.Received, err)
	}
	if r.look.place == nil || !r.look.unit.Received.Equal(n.sample.Unit.Received) {
		return // a newer one has come, or it had to go
	}
	if jpeg == nil {
		t.release(r)
		return
	}
	t.kept += int64(len(jpeg) - len(r.look.jpeg))
	r.look.jpeg, r.look.revision = jpeg, n.revision
}

// release forgets a look. t.mu is held.
func (t *table) release(r *record) {
	if r.look.place == nil {
		return
	}
	t.kept -= r.look.size()
	t.album.Remove(r.look.place)
	r.look.place, r.look.unit, r.look.jpeg = nil, streams.Unit{}, nil
}

// retire forgets all of a look, and answers who waits for it. t.mu is held.
func (t *table) retire(r *record) {
	t.release(r)
	if a := r.look.ask; a != nil {
		r.look.ask = nil
		a.answer(nil, time.Time{}, ErrNoPicture)
	}
}

// close answers everybody who waits, from now on.
func (t *table) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, a := range t.asks {
		if a.explains {
			a.answer(nil, time.Time{}, errStopping)
		} else if r := t.cameras[a.camera]; r != nil && r.look.ask == a {
			r.look.ask = nil
			a.answer(nil, time.Time{}, errStopping)
		}
	}
	t.asks = nil
}

// draw has the child make the picture, or the explanation, that somebody asked
// for.
func (l *lane) draw(n turn, a *ask) {
	if l.o.Now().Before(n.record.strike.until) {
		l.drawn(n, a, nil, ErrNoPicture)
		return
	}
	op := opStill
	if a.explains {
		op = opExplain
	}
	l.child.stderr.reset()
	got, err := l.child.see(l.request(op, n), l.o.Timeout)
	switch {
	case errors.Is(err, errUnsendable):
	case errors.Is(err, errUnread):
		l.bury(err) // before it has read the unit, so the unit is not to blame
	case err != nil:
		l.blame(n, l.bury(err))
	case got.Refused != "":
		delete(l.child.known, n.sample.Camera)
		err = errors.New(got.Refused)
	default:
		l.child.known[n.sample.Camera] = n.revision
		l.forgotten(n.sample.Camera, got)
		if a.explains && got.Explanation != nil {
			a.told = got.Explanation
			a.answer(nil, n.sample.Unit.Received, nil)
			return
		}
		if len(got.Result.Still) == 0 {
			err = errors.New(got.Result.Undecodable)
			break
		}
		l.metrics.drawn.Inc()
		l.drawn(n, a, got.Result.Still, nil)
		return
	}
	l.drawn(n, a, nil, err)
}
