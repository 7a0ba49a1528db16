package streams

import (
	"errors"
	"fmt"
	"time"

	"videopatrol/inventory"
)

// State is what is known of a camera.
type State string

// The states of a camera (deploy/adr and the API document them).
const (
	// StateOnline: a decodable key unit within 2 × interval + GOP.
	StateOnline State = "online"
	// StateDegraded: online, but scene health or losses say do not trust it.
	StateDegraded State = "degraded"
	// StateOffline has two witnesses: the visit failed twice at least 10 s
	// apart, or once and the host is down too.
	StateOffline State = "offline"
	// StateUnknown: not visited yet.
	StateUnknown State = "unknown"
	// StateDisabled: a person switched its patrol off.
	StateDisabled State = "disabled"
)

// States lists every state.
func States() []State {
	return []State{StateOnline, StateDegraded, StateOffline, StateUnknown, StateDisabled}
}

// Reason names why a camera is in its state. It is a bounded set: it labels
// metrics.
type Reason string

// The reasons.
const (
	ReasonNone         Reason = ""
	ReasonUnreachable  Reason = "unreachable"   // no route, refused, name unknown
	ReasonTimeout      Reason = "timeout"       // connected or dialled, no answer in time
	ReasonAuth         Reason = "auth"          // wrong user name or password
	ReasonSessionLimit Reason = "session_limit" // the host has no session left
	ReasonNotFound     Reason = "not_found"     // the host knows no such stream
	ReasonNotRTSP      Reason = "not_rtsp"      // something else answers on that port
	ReasonProtocol     Reason = "protocol"      // it speaks RTSP wrongly
	ReasonUnsupported  Reason = "unsupported"   // no track that the gateway can read
	ReasonNoKeyUnit    Reason = "no_key_unit"   // it plays, but no key unit comes
	ReasonStalled      Reason = "stalled"       // it played, and no packet comes any more
	ReasonClosed       Reason = "closed"        // the camera ended the session
	ReasonCorrupt      Reason = "corrupt"       // its pictures do not decode
	ReasonRedirect     Reason = "redirect"      // it sends the gateway to another host
	ReasonMemory       Reason = "media_memory"  // a unit beyond the memory budget
	ReasonConfig       Reason = "config"        // the inventory's address cannot be used
	ReasonCertificate  Reason = "certificate"   // its TLS certificate is not the pinned one, or not trusted
	ReasonBudget       Reason = "budget"        // the gateway had no session, dial, network or worker time left for it
	ReasonChanged      Reason = "changed"       // another device answers at its address than before

	// Scene health makes a camera degraded; the words are detect.Fault's.
	ReasonFrozen  Reason = "frozen"
	ReasonDark    Reason = "dark"
	ReasonBright  Reason = "bright"
	ReasonBlurred Reason = "blurred"
	ReasonCovered Reason = "covered"
	ReasonMoved   Reason = "moved"
	ReasonTinted  Reason = "tinted"
	ReasonNoisy   Reason = "noisy"
	ReasonTorn    Reason = "torn"
	// ReasonQuarantined: one of its samples ended a worker.
	ReasonQuarantined Reason = "quarantined"
)

// Reasons lists every reason but ReasonNone.
func Reasons() []Reason {
	return []Reason{
		ReasonUnreachable, ReasonTimeout, ReasonAuth, ReasonSessionLimit, ReasonNotFound, ReasonNotRTSP,
		ReasonProtocol, ReasonUnsupported, ReasonNoKeyUnit, ReasonStalled, ReasonClosed, ReasonCorrupt,
		ReasonRedirect, ReasonMemory, ReasonConfig, ReasonCertificate, ReasonBudget, ReasonChanged,
		ReasonFrozen, ReasonDark, ReasonBright, ReasonBlurred, ReasonCovered, ReasonMoved, ReasonTinted, ReasonNoisy, ReasonTorn,
		ReasonQuarantined,
	}
}

// Error is a failed visit with its Reason.
type Error struct {
	Reason Reason
	Err    error
}

// Errorf makes an Error from a format, which may wrap another with %w.
func Errorf(r Reason, format string, args ...any) error {
	return &Error{Reason: r, Err: fmt.Errorf(format, args...)}
}

func (e *Error) Error() string { return string(e.Reason) + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// ReasonOf returns the Reason an error carries; ReasonProtocol when it
// carries none, ReasonNone for nil.
func ReasonOf(err error) Reason {
	if err == nil {
		return ReasonNone
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ReasonProtocol
}

// Verdict is what became of a sample: whoever looked at it tells the camera's
// state by it.
type Verdict struct {
	Camera string
	// At is the receive time of the sample.
	At time.Time
	// Analysed is when the verdict was reached.
	Analysed time.Time
	// Reason is ReasonNone for a picture to trust, else why not to, and
	// Detail the same in words.
	Reason Reason
	Detail string
}

// Status is what the gateway knows of one camera at one moment.
type Status struct {
	Camera string
	State  State
	Reason Reason
	// Detail is the last error or finding in words, safe to show: it holds
	// no credential, and text that a camera sent is quoted and cut short.
	Detail string
	// Since is when State or Reason last changed.
	Since time.Time
	// LastKey is when the newest key unit arrived, LastSample when the newest
	// analysed one did; zero means never.
	LastKey, LastSample time.Time
	// Failures counts visits that failed in a row.
	Failures int
	// NextTry is when the next visit starts; zero while a session plays.
	NextTry time.Time
	// Skew is camera time minus receive time, 0 when the camera does not say.
	Skew time.Duration
	// Mode is how samples are taken, and Why says why.
	Mode inventory.Mode
	Why  string
	// StirOff says why the scene's stir hastens no sample; "" while it may.
	StirOff string
	// Interval is the time between samples as it is now: Stretch times what
	// is wanted. Stretch is above 1 while a budget is short.
	Interval time.Duration
	Stretch  float64
	// GOP is the measured distance between key units; 0 until two came.
	GOP time.Duration
}
