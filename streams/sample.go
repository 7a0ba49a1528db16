package streams

import (
	"context"
	"time"

	"videopatrol/inventory"
)

// Codec names how a picture is encoded.
type Codec string

// The codecs of this gateway.
const (
	CodecH264 Codec = "h264"
	CodecH265 Codec = "h265"
	CodecJPEG Codec = "jpeg"
)

// Unit is one key unit: an encoded picture that can be decoded alone.
type Unit struct {
	Codec Codec
	// Params are the parameter sets it decodes with (H.264: SPS, PPS; H.265:
	// VPS, SPS, PPS), from the SDP or in band, without start codes.
	Params [][]byte
	// NALUs are the unit's NAL units without start codes, parameter sets
	// left out; for JPEG one whole file.
	NALUs [][]byte
	// Received is when its last byte arrived: the truth.
	Received time.Time
	// CameraTime is when the camera says it was taken (RTCP); zero if it
	// does not say. It is shown, never trusted.
	CameraTime time.Time
}

// Size is the number of encoded bytes, parameter sets included.
func (u Unit) Size() int {
	n := 0
	for _, p := range u.Params {
		n += len(p)
	}
	for _, p := range u.NALUs {
		n += len(p)
	}
	return n
}

// Sample is a key unit taken for detection, still encoded.
type Sample struct {
	Camera string
	// Seq counts a camera's samples since its loop began, from 1.
	Seq  uint64
	Unit Unit
	// Early tells that it was taken before it was due, because the scene
	// stirred.
	Early bool
}

// Sink takes samples. Offer never blocks: newest wins, what it replaces is
// counted. The sample's bytes belong to the sink from then on.
type Sink interface {
	Offer(Sample)
}

// Target is what a session needs to know of its camera.
type Target struct {
	Camera string
	URL    string
	Login  inventory.Login
	Link   inventory.Link
	// Visit tells that the session is for one key unit and then closed: it is
	// handed on as soon as it is whole, and bytes never wait for more of them.
	Visit bool
}

// Description is what is known of a camera once a session plays.
type Description struct {
	Codec     Codec
	Transport inventory.Transport
	// Fingerprint is a hash of what a device says of itself in every session
	// alike: server software, session name, stream layout, certificate. Another
	// one means another device, or another firmware. "" means that nothing is
	// known.
	Fingerprint string
}

// Receiver hears what a session receives. Its methods are called on the
// session's reading goroutine, perhaps with a library's lock held: they copy,
// offer and return, and never close the session. Whoever leaves a method nil
// does not ask for it: then every unit is wanted and all memory granted.
type Receiver struct {
	// Want tells whether the next key unit should be assembled; when it
	// answers false its bytes are only counted.
	Want func(now time.Time) bool
	// Unit takes a key unit, whose bytes belong to it from then on.
	Unit func(Unit)
	// Opened tells once, before the first unit, what was opened.
	Opened func(Description)
	// Delta hears of each picture that is no key unit: its encoded bytes, and
	// the quantisation parameter of its first slice (0..51; H.264 7.4.3,
	// H.265 7.4.7.1), negative where it cannot be read. Slice headers are only
	// read where it is set, and only in resident sessions.
	Delta func(now time.Time, size, qp int)
	// KeySeen is told of every key unit that came whole, wanted or not.
	KeySeen func(now time.Time)
	// Received counts the bytes that arrived.
	Received func(n int)
	// Hold reserves n more bytes of media memory for the unit that is being
	// assembled, or refuses; a negative n gives back. What a delivered unit
	// held passes to whoever took it.
	Hold func(n int) bool
	// Dropped tells that a wanted key unit could not be taken, and why.
	Dropped func(r Reason, why string)
}

// Complete returns the receiver with all that it left out, Delta apart: an
// opener then calls what it likes.
func (r Receiver) Complete() Receiver {
	if r.Want == nil {
		r.Want = func(time.Time) bool { return true }
	}
	if r.Unit == nil {
		r.Unit = func(Unit) {}
	}
	if r.Opened == nil {
		r.Opened = func(Description) {}
	}
	if r.KeySeen == nil {
		r.KeySeen = func(time.Time) {}
	}
	if r.Received == nil {
		r.Received = func(int) {}
	}
	if r.Hold == nil {
		r.Hold = func(int) bool { return true }
	}
	if r.Dropped == nil {
		r.Dropped = func(Reason, string) {}
	}
	return r
}

// Opener opens sessions by one protocol.
type Opener interface {
	// Open dials and starts playing. Its error carries a Reason (ReasonOf).
	Open(ctx context.Context, t Target, r Receiver) (Session, error)
}

// Session is one conversation with a camera.
type Session interface {
	// Wait returns why the session ended, once it has; the error carries a
	// Reason.
	Wait() error
	// Close ends the session, waits for its goroutines, and makes Wait
	// return. It is safe to call more than once.
	Close()
}
