package worker

import (
	"bufio"
	"bytes"
	"time"

	"videopatrol/detect"
	"videopatrol/streams"
)

// What the black-box tests need of the inside: the wire format, to fuzz it
// and to lie in it, and the pure decisions.

var ErrGarbled = errGarbled

// HelloMessage is what a child says first.
func HelloMessage(version int) []byte {
	return mustEncode(&answer{Hello: &hello{Version: version}})
}

// ResultMessage is an answer with a result.
func ResultMessage(r detect.Result, checkpoint []byte) []byte {
	return mustEncode(&answer{Result: &r, checkpoint: checkpoint})
}

func mustEncode(a *answer) []byte {
	var buf bytes.Buffer
	if err := encodeAnswer(&buf, a); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

// DecodeAnswer returns what the parent makes of a child's message.
func DecodeAnswer(b []byte) (r *detect.Result, checkpoint []byte, err error) {
	a, err := decodeAnswer(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		return nil, nil, err
	}
	return a.Result, a.checkpoint, nil
}

// RequestMessage is a request to see a sample.
func RequestMessage(s streams.Sample, c *detect.Config, checkpoint []byte) []byte {
	var buf bytes.Buffer
	err := encodeRequest(&buf, &request{Op: opSee, Camera: s.Camera, Config: c, checkpoint: checkpoint, unit: s.Unit})
	if err != nil {
		panic(err)
	}
	return buf.Bytes()
}

// DecodeRequest returns what the child makes of a message.
func DecodeRequest(b []byte) (camera string, u streams.Unit, c *detect.Config, checkpoint []byte, err error) {
	q, err := decodeRequest(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		return "", streams.Unit{}, nil, nil, err
	}
	return q.Camera, q.unit, q.Config, q.checkpoint, nil
}

// Sentences are the times for which a camera is shut out by strikes at the
// given moments.
func Sentences(at ...time.Time) []time.Duration {
	var s strike
	var all []time.Duration
	for _, now := range at {
		s = s.blame(now)
		all = append(all, s.until.Sub(now))
	}
	return all
}

// ParseMemory reads a checkpoint's file.
func ParseMemory(b []byte) (camera string, blob []byte, err error) {
	h, blob, err := parseMemory(b)
	return h.Camera, blob, err
}

// Prune applies the bounds of the quarantine.
func Prune(dir string, now time.Time) error {
	return (&quarantine{dir: dir}).sweep(now)
}

// A Meter is a lane's meter, driven by hand.
type Meter struct{ m meter }

func NewMeter(now func() time.Time) *Meter { return &Meter{meter{now: now}} }

func (m *Meter) Set(busy bool)                            { m.m.set(busy) }
func (m *Meter) Sample(took time.Duration)                { m.m.sample(took) }
func (m *Meter) Read() (load float64, cost time.Duration) { return m.m.read() }
