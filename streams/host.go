package streams

import (
	"maps"
	"net"
	"net/url"
	"sync"
	"time"

	"videopatrol/inventory"
)

const (
	// authTries is how often a login may fail before it rests: cameras lock
	// an address out for about half an hour after a few bad logins.
	authTries = 2
	// limitFor is how long a learned session limit of a host is believed: a
	// recorder that still counts the sessions of before a broken line forgets
	// them within a minute, and asking once more costs one handshake.
	limitFor = time.Minute
	// shortFor is how long its cameras go on taking turns after that, and how
	// long a refusal is remembered.
	shortFor = 10 * time.Minute
	// hungAfter is how long a handshake may take; one that takes longer and
	// fails is the camera's own trouble while the host was alive at most
	// aliveFor ago. After holdsUp it is called off if others wait for it.
	hungAfter = 2 * time.Second
	aliveFor  = 30 * time.Second
	holdsUp   = 4 * time.Second
)

// host is what the cameras of one address share: an NVR is one address with
// many channels. It outlives its loops, so that an edited inventory does not
// forget a lockout.
type host struct {
	// The schedule's lock guards these: handshakes in flight, those of them of
	// loops that hung the last time, and loops that are due and wait for one of
	// either kind to end.
	dialling, hanging int
	parked, hung      queue

	mu sync.Mutex
	// logins by user name and password: a camera counts bad logins by
	// address, whatever the channel.
	logins map[inventory.Login]*login
	// cameras is the number of its loops, playing that of its open sessions.
	cameras, playing int
	// limit is how many sessions the host grants, believed until limitUntil;
	// 0 when it never refused.
	limit      int
	limitUntil time.Time
	// refusals are of the cameras that were refused a session in the last
	// shortFor. most is how many sessions the host granted at once, as of mostAt.
	refusals map[*loop]refusals
	most     int
	mostAt   time.Time
	// alive is when a session was last opened.
	alive time.Time
	// quiet are the loops whose last visit found that the host does not answer.
	quiet map[*loop]struct{}
	// waiting are the loops that back off and may be woken.
	waiting map[*loop]struct{}
}

// login is what is known of one credential at one host.
type login struct {
	failed   int
	last     time.Time
	playing  int
	dialling int
	// proven: a session was opened with it since it last failed.
	proven bool
	// refused are the cameras that it failed at since they last took it. doubt
	// is the one that did while others go on taking it, nil when none.
	refused map[*loop]refusal
	doubt   *loop
}

type refusal struct {
	tries int
	last  time.Time
}

// refusals are when a camera was refused a session.
type refusals struct{ first, last time.Time }

func newHost() *host {
	return &host{
		parked:  queue{before: byDeadline},
		hung:    queue{before: byDeadline},
		logins:  make(map[inventory.Login]*login),
		quiet:   make(map[*loop]struct{}),
		waiting: make(map[*loop]struct{}),

		refusals: make(map[*loop]refusals),
	}
}

var defaultPorts = map[string]string{"rtsp": "554", "rtsps": "322", "http": "80", "https": "443"}

// address is the host and port of a camera's URL, by which hosts are told
// apart; credentials are bound to it. A still has an address of the web.
func address(raw string, still bool) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "":
		// The parser's error would repeat the address, which may hold a
		// password that somebody put there.
		return "", Errorf(ReasonConfig, "the address is not a URL with a host; write rtsp://host[:port]/path")
	case still && u.Scheme != "http" && u.Scheme != "https":
		return "", Errorf(ReasonConfig, "the still's address has scheme %q; write http:// or https://", clip(u.Scheme, 16))
	case !still && u.Scheme != "rtsp" && u.Scheme != "rtsps":
		return "", Errorf(ReasonConfig, "the address has scheme %q; write rtsp:// or rtsps://", clip(u.Scheme, 16))
	case u.User != nil:
		return "", Errorf(ReasonConfig, "the address holds a user name or password; put it into the camera's login")
	}
	port := u.Port()
	if port == "" {
		port = defaultPorts[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// admit decides whether a visit may dial, and counts it in; whoever was
// admitted calls opened or refused.
func (h *host) admit(who *loop, now time.Time, rest time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.logins[who.want.login]
	if l == nil {
		l = &login{refused: make(map[*loop]refusal)}
		h.logins[who.want.login] = l
	}
	if h.limit > 0 && h.playing >= h.limit && now.Before(h.limitUntil) {
		return Errorf(ReasonSessionLimit, "the host granted %d sessions and refused one more", h.limit)
	}
	if !l.proven && l.failed+l.dialling >= authTries {
		if l.failed < authTries || l.dialling > 0 || now.Before(l.last.Add(rest)) {
			return Errorf(ReasonAuth, "the host refused this login; it is tried again at most every %v until it changes", rest)
		}
	}
	if r := l.refused[who]; r.tries >= authTries && now.Before(r.last.Add(rest)) {
		return Errorf(ReasonAuth, "the camera refused this login, which its neighbours take; it is tried again at most every %v until it changes", rest)
	}
	l.dialling++
	return nil
}

// fullFor tells how long a visit must wait because every session that the host
// grants is open; 0 when it need not. A session that is to stay asks all the
// same, and is refused with a reason.
func (h *host) fullFor(l *loop, now time.Time) time.Duration {
	stays := l.staying()
	h.mu.Lock()
	defer h.mu.Unlock()
	if stays || h.limit == 0 || h.playing < h.limit || !now.Before(h.limitUntil) {
		return 0
	}
	return min(fullFor, h.limitUntil.Sub(now))
}

// short tells whether the host grants fewer sessions than it has cameras: they
// then take turns.
func (h *host) short(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.limit > 0 && h.limit < h.cameras && now.Before(h.limitUntil.Add(shortFor))
}

// has notes how many loops the host has.
func (h *host) has(cameras int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cameras = cameras
}

// opened notes a session and returns the siblings to wake: those that back off
// while the host had been silent until now.
func (h *host) opened(who *loop, now time.Time) (siblings []*loop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.logins[who.want.login]
	l.dialling--
	l.playing++
	l.failed, l.proven, l.doubt = 0, true, nil
	delete(l.refused, who)
	h.playing++
	h.alive = now
	if h.playing >= h.most || now.Sub(h.mostAt) > limitFor {
		h.most, h.mostAt = h.playing, now
	}
	if h.playing > h.limit {
		h.limit = 0
	}
	delete(h.refusals, who)
	delete(h.quiet, who)
	if h.playing == 1 {
		for s := range h.waiting {
			siblings = append(siblings, s)
		}
	}
	return siblings
}

// closed notes that an opened session ended.
func (h *host) closed(who *loop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.logins[who.want.login].playing--
	h.playing--
}

// refused notes that an admitted visit did not open, and returns what it
// really was: a login that plays elsewhere on the host is not wrong, the host
// has no session left. hit tells that a session limit showed itself.
func (h *host) refused(who *loop, err error, now time.Time) (hit bool, really error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.logins[who.want.login]
	l.dialling--
	reason := ReasonOf(err)
	if reason == ReasonAuth && l.playing > 0 {
		err = Errorf(ReasonSessionLimit, "the login was refused while %d of its sessions play: %w", l.playing, err)
		reason = ReasonSessionLimit
	}
	if reason == ReasonAuth {
		l.refuse(who, now)
	}
	hit = reason == ReasonSessionLimit
	if hit && h.playing > 0 {
		h.suspect(who, now)
	}
	return hit, err
}

// refuse notes a bad login. Where other cameras take it, one that does not is
// its own trouble; a second one before any takes it again is everybody's.
func (l *login) refuse(who *loop, now time.Time) {
	l.refused[who] = refusal{l.refused[who].tries + 1, now}
	switch {
	case !l.proven:
		l.failed++
		l.last = now
	case l.doubt == nil:
		l.doubt = who
	case l.doubt != who:
		l.failed, l.last, l.proven = authTries, now, false
	}
}

// suspect takes refusals for the host's limit when two cameras are refused
// within limitFor, or one is again and again while nobody else is let in. A host
// that has just granted more has not reached its limit: a camera that lies
// holds none of its neighbours back.
func (h *host) suspect(who *loop, now time.Time) {
	maps.DeleteFunc(h.refusals, func(_ *loop, r refusals) bool { return now.Sub(r.last) > shortFor })
	if h.playing < h.most && now.Sub(h.mostAt) <= limitFor {
		return
	}
	mine, again := h.refusals[who]
	if !again {
		mine.first = now
	}
	mine.last = now
	h.refusals[who] = mine
	for other, r := range h.refusals {
		if other == who && again && h.alive.Before(mine.first) || other != who && now.Sub(r.last) <= limitFor {
			h.limit, h.limitUntil = h.playing, now.Add(limitFor)
			return
		}
	}
}

// hangs tells whether a handshake that failed after so long is its camera's own
// trouble.
func (h *host) hangs(took time.Duration, now time.Time) bool {
	return took >= hungAfter && h.lives(now)
}

// lives tells whether the host answers others.
func (h *host) lives(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Sub(h.alive) <= aliveFor
}

// abandoned takes back an admission whose visit was called off.
func (h *host) abandoned(who *loop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.logins[who.want.login].dialling--
}

// failed notes why a loop's visit failed, and that it backs off from now on.
func (h *host) failed(who *loop, r Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if silent(r) {
		h.quiet[who] = struct{}{}
	} else {
		delete(h.quiet, who)
	}
	if retryable(r) {
		h.waiting[who] = struct{}{}
	}
}

// resumed notes that a loop no longer backs off.
func (h *host) resumed(who *loop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting, who)
}

// left forgets a loop that ended.
func (h *host) left(who *loop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting, who)
	delete(h.quiet, who)
	delete(h.refusals, who)
	for _, l := range h.logins {
		delete(l.refused, who)
		if l.doubt == who {
			l.doubt = nil
		}
	}
}

// down tells whether the host itself seems to be gone: no session plays, and
// at least two cameras got no answer from it.
func (h *host) down() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.playing == 0 && len(h.quiet) >= 2
}

// authRest returns how long a camera's login must rest from now on; 0 when it
// may be tried.
func (h *host) authRest(who *loop, now time.Time, rest time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.logins[who.want.login]
	if l == nil {
		return 0
	}
	d := time.Duration(0)
	if l.failed >= authTries {
		d = l.last.Add(rest).Sub(now)
	}
	if r := l.refused[who]; r.tries >= authTries {
		d = max(d, r.last.Add(rest).Sub(now))
	}
	return max(0, d)
}
