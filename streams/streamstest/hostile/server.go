package hostile

import (
	"net"
	"sync"
	"time"
)

// Options of a Server; the zero value is a healthy camera without a login.
type Options struct {
	// Source makes what a session plays; default Film(5, 40 ms).
	Source func() Source
	// Username and Password ask for a login (digest).
	Username, Password string
	// TLS makes it speak TLS, with a certificate that Trust trusts.
	TLS bool
	// Second is what the faults count as a second; default one. A test makes
	// it short.
	Second time.Duration
}

// Server is one camera. Its methods are safe for concurrent use.
type Server struct {
	o  Options
	wg sync.WaitGroup

	mu        sync.Mutex
	cond      *sync.Cond // fault or closed changed
	fault     Fault
	closed    bool
	talks     map[*conversation]struct{}
	listeners []net.Listener
	dials     int
	plays     int
	playing   int
	lastTry   time.Time
	tries     int // connections since the fault began
}

// New makes a camera that runs with the first connection.
func New(o Options) *Server {
	if o.Source == nil {
		o.Source = func() Source { return Film(5, 40*time.Millisecond) }
	}
	if o.Second <= 0 {
		o.Second = time.Second
	}
	s := &Server{o: o, talks: map[*conversation]struct{}{}}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// Serve answers a listener's connections until Close, which closes it.
func (s *Server) Serve(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		ln.Close()
		return
	}
	s.listeners = append(s.listeners, ln)
	s.wg.Go(func() {
		for {
			s.hear()
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.Handle(c, nil) })
		}
	})
}

// hear waits while the camera is deaf.
func (s *Server) hear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.fault.deaf && !s.closed {
		s.cond.Wait()
	}
}

// Handle has one conversation and returns when it is over; the connection is
// closed then. said is what was read from it already.
func (s *Server) Handle(c net.Conn, said []byte) {
	t, ok := s.meet(c, said)
	if !ok {
		c.Close()
		return
	}
	t.run()
	s.mu.Lock()
	delete(s.talks, t)
	s.mu.Unlock()
}

func (s *Server) meet(c net.Conn, said []byte) (*conversation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	t := newConversation(s, s.fault, c, said)
	t.since, s.lastTry = time.Since(s.lastTry), time.Now()
	s.dials++
	s.tries++
	t.try = s.tries
	s.talks[t] = struct{}{}
	return t, true
}

// Play begins a fault; the zero Fault ends it. Sessions are cut, so that what
// comes next is played from its beginning.
func (s *Server) Play(f Fault) {
	s.mu.Lock()
	s.fault, s.tries = f, 0
	s.cond.Broadcast()
	s.mu.Unlock()
	s.Cut()
}

// Cut ends every conversation without a word.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.talks {
		t.hangUp()
	}
}

// Close ends the camera and waits for its goroutines. A caller of Handle waits
// for its own.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.cond.Broadcast()
	for _, ln := range s.listeners {
		ln.Close()
	}
	s.mu.Unlock()
	s.Cut()
	s.wg.Wait()
}

// Dials counts the connections.
func (s *Server) Dials() int { return s.get(&s.dials) }

// Plays counts the sessions that were granted PLAY.
func (s *Server) Plays() int { return s.get(&s.plays) }

// Talks is the number of conversations that go on.
func (s *Server) Talks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.talks)
}

func (s *Server) get(n *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *n
}

// begins counts a session in, and tells how many play.
func (s *Server) begins(by int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.playing += by
	if by > 0 {
		s.plays++
	}
	return s.playing
}
