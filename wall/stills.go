package wall

import (
	"container/list"
	"sync"
	"time"

	"videopatrol/detect"
)

// Stills keeps the newest masked picture of each camera in memory, within a
// budget of bytes; beyond it the pictures that came longest ago go first.
type Stills struct {
	budget int

	mu    sync.Mutex
	size  int
	order *list.List // of *picture, newest at the front
	byID  map[string]*list.Element
}

type picture struct {
	camera string
	jpeg   []byte
	taken  time.Time
}

// NewStills returns an empty store; a budget of 0 means 256 MiB.
func NewStills(budget int) *Stills {
	if budget <= 0 {
		budget = 256 << 20
	}
	return &Stills{budget: budget, order: list.New(), byID: map[string]*list.Element{}}
}

// Seen takes the picture of a result, which must not be modified afterwards.
func (s *Stills) Seen(r detect.Result) {
	if len(r.Still) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.byID[r.Camera]; ok {
		if e.Value.(*picture).taken.After(r.Received) {
			return
		}
		s.remove(e)
	}
	s.byID[r.Camera] = s.order.PushFront(&picture{camera: r.Camera, jpeg: r.Still, taken: r.Received})
	s.size += len(r.Still)
	for s.size > s.budget {
		s.remove(s.order.Back())
	}
}

// remove forgets one picture. s.mu is held.
func (s *Stills) remove(e *list.Element) {
	p := s.order.Remove(e).(*picture)
	delete(s.byID, p.camera)
	s.size -= len(p.jpeg)
}

// Still returns the newest picture of a camera and when it was received. It
// must not be modified.
func (s *Stills) Still(camera string) (jpeg []byte, taken time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byID[camera]
	if !ok {
		return nil, time.Time{}, false
	}
	p := e.Value.(*picture)
	return p.jpeg, p.taken, true
}
