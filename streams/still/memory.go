package still

import (
	"container/list"
	"sync"

	"videopatrol/inventory"
)

// note is what is remembered of a camera from one visit to the next.
type note struct {
	camera    string
	url       string
	login     inventory.Login
	etag      string
	modified  string
	unchanged int // answers of 304 in a row
	challenge *challenge
}

// maxValidator bounds an ETag or date that is kept, in bytes.
const maxValidator = 256

// memory keeps the notes of the cameras visited last.
type memory struct {
	most int

	mu    sync.Mutex
	order *list.List // of note, the newest in front
	byID  map[string]*list.Element
}

func newMemory(most int) *memory {
	return &memory{most: most, order: list.New(), byID: map[string]*list.Element{}}
}

// take returns a copy of a camera's note, an empty one if its address or
// login is not the one that it was made with.
func (m *memory) take(camera, url string, login inventory.Login) note {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byID[camera]; ok {
		if n, ok := e.Value.(note); ok && n.url == url && n.login == login {
			if n.challenge != nil {
				c := *n.challenge
				n.challenge = &c
			}
			return n
		}
	}
	return note{camera: camera, url: url, login: login}
}

// keep replaces a camera's note.
func (m *memory) keep(n note) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byID[n.camera]; ok {
		e.Value = n
		m.order.MoveToFront(e)
		return
	}
	m.byID[n.camera] = m.order.PushFront(n)
	for m.order.Len() > m.most {
		last := m.order.Back()
		if old, ok := m.order.Remove(last).(note); ok {
			delete(m.byID, old.camera)
		}
	}
}
