package worker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"videopatrol/detect"
	"videopatrol/detect/model"
	"videopatrol/streams"
)

// A message is two lengths (big endian, 32 bit), a JSON header of the first
// length, and raw bytes of the second: what the header counts, one after the
// other. Pictures and NAL units so travel without base64.
const (
	protocolVersion = 1
	prefixSize      = 8

	maxSample     = 8 << 20 // encoded bytes of one sample, parameter sets included
	maxNALUs      = 1024
	maxHeader     = 1 << 20
	maxCheckpoint = 128 << 10
	maxPicture    = 2 << 20 // one masked JPEG
	maxFindings   = 128     // of one sample: every rule of every zone, twice
	maxBoxes      = 64
	maxText       = 500 // bytes of one sentence
	maxAnswerBody = 16 << 20
)

// A kind of request.
const (
	opSee   = "see"   // judge a sample
	opStill = "still" // make the masked picture of a sample and judge nothing
	opSave  = "save"  // send a checkpoint of a camera's watch
	// opExplain: tell what the watch makes of its camera, on a sample's picture.
	opExplain = "explain"
)

// A request is what the parent asks of the child. Config is there when the
// child does not have it yet, and Checkpoint when it has no watch of the camera.
type request struct {
	Op     string `json:"op"`
	Camera string `json:"camera"`
	// Forget are cameras whose watches go before anything else is done.
	Forget []string       `json:"forget,omitempty"`
	Config *detect.Config `json:"config,omitempty"`
	// Unwatched: no picture is wanted but as evidence.
	Unwatched  bool          `json:"unwatched,omitempty"`
	Codec      streams.Codec `json:"codec,omitempty"`
	Received   time.Time     `json:"received,omitzero"`
	CameraTime time.Time     `json:"camera_time,omitzero"`
	Sizes      requestSizes  `json:"sizes"`

	checkpoint []byte
	unit       streams.Unit
}

type requestSizes struct {
	Checkpoint int   `json:"checkpoint,omitempty"`
	Params     []int `json:"params,omitempty"`
	NALUs      []int `json:"nalus,omitempty"`
}

// An answer is what the child says to one request; the first one, a hello,
// answers none.
type answer struct {
	Hello  *hello         `json:"hello,omitempty"`
	Result *detect.Result `json:"result,omitempty"`
	// Refused says why the camera's config cannot be used; then there is no
	// result.
	Refused string `json:"refused,omitempty"`
	// Forgot says why the checkpoint that was sent could not be restored.
	Forgot string `json:"forgot,omitempty"`
	// Dropped: the watch failed over this sample and is gone; the next one
	// starts from the parent's checkpoint, so that no finding is lost.
	Dropped bool `json:"dropped,omitempty"`
	// Looks are what a model was asked since the last answer.
	Looks *model.Counts `json:"looks,omitempty"`
	// Explanation comes beside a result that holds nothing else.
	Explanation *detect.Explanation `json:"explanation,omitempty"`
	Sizes       answerSizes         `json:"sizes"`

	checkpoint []byte
}

type answerSizes struct {
	Checkpoint int `json:"checkpoint,omitempty"`
	Still      int `json:"still,omitempty"`
	// Pictures has one size per finding, 0 for none.
	Pictures []int `json:"pictures,omitempty"`
	// Picture and Background are an explanation's.
	Picture    int `json:"picture,omitempty"`
	Background int `json:"background,omitempty"`
}

// A hello tells that a child is ready.
type hello struct {
	Version int `json:"version"`
	// Filtered: the kernel refuses it sockets, files and programs.
	Filtered bool `json:"filtered"`
	// Unfiltered says why it is not.
	Unfiltered string `json:"unfiltered,omitempty"`
}

// encodeRequest writes r as one message into buf, which it empties first.
func encodeRequest(buf *bytes.Buffer, r *request) error {
	blobs := make([][]byte, 0, 1+len(r.unit.Params)+len(r.unit.NALUs))
	blobs = append(blobs, r.checkpoint)
	blobs = append(blobs, r.unit.Params...)
	blobs = append(blobs, r.unit.NALUs...)
	r.Sizes = requestSizes{Checkpoint: len(r.checkpoint), Params: sizes(r.unit.Params), NALUs: sizes(r.unit.NALUs)}
	r.Codec, r.Received, r.CameraTime = r.unit.Codec, r.unit.Received, r.unit.CameraTime
	return encode(buf, r, blobs)
}

// encodeAnswer writes a as one message into buf, which it empties first. It
// takes the pictures out of the result.
func encodeAnswer(buf *bytes.Buffer, a *answer) error {
	blobs := [][]byte{a.checkpoint}
	a.Sizes = answerSizes{Checkpoint: len(a.checkpoint)}
	if r := a.Result; r != nil {
		blobs = append(blobs, r.Still)
		a.Sizes.Still, r.Still = len(r.Still), nil
		for i := range r.Findings {
			blobs = append(blobs, r.Findings[i].Picture)
			a.Sizes.Pictures = append(a.Sizes.Pictures, len(r.Findings[i].Picture))
			r.Findings[i].Picture = nil
		}
	}
	if e := a.Explanation; e != nil {
		blobs = append(blobs, e.Picture, e.Background)
		a.Sizes.Picture, a.Sizes.Background = len(e.Picture), len(e.Background)
		e.Picture, e.Background = nil, nil
	}
	return encode(buf, a, blobs)
}

func encode(buf *bytes.Buffer, header any, blobs [][]byte) error {
	buf.Reset()
	buf.Write(make([]byte, prefixSize))
	if err := json.NewEncoder(buf).Encode(header); err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	head := buf.Len() - prefixSize
	if head > maxHeader {
		return fmt.Errorf("a message's header has %d bytes, at most %d are allowed", head, maxHeader)
	}
	body := 0
	for _, b := range blobs {
		buf.Write(b)
		body += len(b)
	}
	binary.BigEndian.PutUint32(buf.Bytes(), uint32(head))
	binary.BigEndian.PutUint32(buf.Bytes()[4:], uint32(body))
	return nil
}

// readMessage reads the header into header and returns the raw bytes, whose
// length is at most maxBody.
func readMessage(r *bufio.Reader, header any, maxBody int) ([]byte, error) {
	var prefix [prefixSize]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	head, body := binary.BigEndian.Uint32(prefix[:]), binary.BigEndian.Uint32(prefix[4:])
	if head > maxHeader || body > uint32(maxBody) {
		return nil, garbled("a message of %d + %d bytes, at most %d + %d are allowed", head, body, maxHeader, maxBody)
	}
	text, err := readN(r, int(head))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, header); err != nil {
		return nil, garbled("header: %w", err)
	}
	return readN(r, int(body))
}

// readN reads n bytes. It takes memory as they come, so that a length alone
// costs nothing.
func readN(r *bufio.Reader, n int) ([]byte, error) {
	const step = 1 << 20
	b := make([]byte, 0, min(n, step))
	for len(b) < n {
		have := len(b)
		b = slices.Grow(b, min(n-have, step))[:min(n, have+step)]
		if _, err := io.ReadFull(r, b[have:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return b, nil
}

// decodeRequest reads the next request.
func decodeRequest(r *bufio.Reader) (*request, error) {
	var q request
	body, err := readMessage(r, &q, maxSample+maxCheckpoint)
	if err != nil {
		return nil, err
	}
	c := cutter{body}
	q.checkpoint = c.cut(q.Sizes.Checkpoint)
	q.unit = streams.Unit{Codec: q.Codec, Received: q.Received, CameraTime: q.CameraTime}
	q.unit.Params = c.cutAll(q.Sizes.Params)
	q.unit.NALUs = c.cutAll(q.Sizes.NALUs)
	if !c.done() {
		return nil, garbled("a request's sizes do not add up to its %d bytes", len(body))
	}
	return &q, nil
}

// decodeAnswer reads the next answer and checks all of it: a nil error means
// that every field is in its range. An answer that is not is an errGarbled.
func decodeAnswer(r *bufio.Reader) (*answer, error) {
	var a answer
	body, err := readMessage(r, &a, maxAnswerBody)
	if err != nil {
		return nil, err
	}
	c := cutter{body}
	if a.Sizes.Checkpoint > maxCheckpoint {
		return nil, garbled("a checkpoint of %d bytes, at most %d are allowed", a.Sizes.Checkpoint, maxCheckpoint)
	}
	a.checkpoint = c.cut(a.Sizes.Checkpoint)
	a.Refused, a.Forgot = shorten(a.Refused), shorten(a.Forgot)
	if a.Hello != nil {
		a.Hello.Unfiltered = shorten(a.Hello.Unfiltered)
	}
	if a.Result != nil {
		if err := decodeResult(a.Result, a.Sizes, &c); err != nil {
			return nil, err
		}
	}
	if a.Explanation != nil {
		if err := decodeExplanation(a.Explanation, a.Result, a.Sizes, &c); err != nil {
			return nil, err
		}
	}
	if !c.done() {
		return nil, garbled("an answer's sizes do not add up to its %d bytes", len(body))
	}
	return &a, nil
}

func decodeResult(r *detect.Result, s answerSizes, c *cutter) error {
	if len(r.Findings) > maxFindings || len(s.Pictures) != len(r.Findings) {
		return garbled("%d findings with %d pictures", len(r.Findings), len(s.Pictures))
	}
	var ok bool
	if r.Still, ok = c.jpeg(s.Still); !ok {
		return garbled("the still is no JPEG of at most %d bytes", maxPicture)
	}
	r.Undecodable = shorten(r.Undecodable)
	if f := r.Scene.Fault; f != detect.SceneOK && !slices.Contains(detect.Faults(), f) || !within(r.Scene.Severity) {
		return garbled("a scene fault %q of severity %v", f, r.Scene.Severity)
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Picture, ok = c.jpeg(s.Pictures[i]); !ok {
			return garbled("a finding's picture is no JPEG of at most %d bytes", maxPicture)
		}
		if err := checkFinding(f, r); err != nil {
			return err
		}
	}
	for stage, seconds := range r.Stages {
		if !slices.Contains(stages(), stage) || !(seconds >= 0 && seconds < 3600) {
			return garbled("%v s in stage %q", seconds, stage)
		}
	}
	return nil
}

// decodeExplanation cuts an explanation's pictures and checks what can be
// shown wrongly.
func decodeExplanation(e *detect.Explanation, r *detect.Result, s answerSizes, c *cutter) error {
	const most = 1024 // rules and things
	if r == nil || e.Camera != r.Camera || !e.Received.Equal(r.Received) {
		return garbled("an explanation of another picture")
	}
	var ok, too bool
	e.Picture, ok = c.jpeg(s.Picture)
	e.Background, too = c.jpeg(s.Background)
	if !ok || !too || len(e.Rules) > most || len(e.Standing) > most {
		return garbled("an explanation with %d rules, %d things, pictures of %d and %d bytes", len(e.Rules), len(e.Standing), s.Picture, s.Background)
	}
	for i := range e.Rules {
		x := &e.Rules[i]
		if !name.MatchString(x.Zone) || !name.MatchString(x.Rule.ID) || !slices.Contains(detect.Kinds(), x.Kind) || !slices.Contains(detect.RuleStates(), x.State) {
			return garbled("an explanation of zone %q, rule %q, kind %q, state %q", x.Zone, x.Rule.ID, x.Kind, x.State)
		}
		x.Why.ZH, x.Why.EN = shorten(x.Why.ZH), shorten(x.Why.EN)
	}
	for i := range e.Standing {
		t := &e.Standing[i]
		if b := t.Box; !within(b.X) || !within(b.Y) || !within(b.W) || !within(b.H) {
			return garbled("a box %+v outside the image", b)
		}
		t.Class = shorten(t.Class)
	}
	return nil
}

// name is what the inventory allows as an id; rules follow it too, which
// keeps them usable as labels.
var name = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func checkFinding(f *detect.Finding, r *detect.Result) error {
	switch {
	case f.Camera != r.Camera:
		return garbled("a finding of camera %q in the result of %q", f.Camera, r.Camera)
	case !name.MatchString(f.Zone), !name.MatchString(f.Rule.ID):
		return garbled("a finding with zone %q, rule %q", f.Zone, f.Rule.ID)
	case !slices.Contains(detect.Kinds(), f.Kind), !slices.Contains(detect.Phases(), f.Phase):
		return garbled("a finding with kind %q, phase %q", f.Kind, f.Phase)
	case f.Began.IsZero(), f.Began.After(f.At), f.At.After(r.Received):
		return garbled("a finding that began %v, at %v, received %v", f.Began, f.At, r.Received)
	case f.Phase == detect.PhaseBegin && len(f.Picture) == 0:
		return garbled("a condition began without a picture")
	case !within(f.Score), len(f.Boxes) > maxBoxes:
		return garbled("a finding with score %v and %d boxes", f.Score, len(f.Boxes))
	}
	for _, b := range f.Boxes {
		if !within(b.X) || !within(b.Y) || !within(b.W) || !within(b.H) {
			return garbled("a box %+v outside the image", b)
		}
	}
	f.Why.ZH, f.Why.EN = shorten(f.Why.ZH), shorten(f.Why.EN)
	return nil
}

// within tells whether v is in 0..1, but for rounding.
func within(v float64) bool { return !math.IsNaN(v) && v >= -1e-9 && v <= 1+1e-9 }

// stages are the parts of the work that a result may time.
func stages() []string { return []string{stageDecode, "scene", "motion", "objects", "rules", "encode"} }

const stageDecode = "decode"

// errGarbled is an answer that no honest child gives.
var errGarbled = errors.New("the worker's answer makes no sense")

func garbled(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errGarbled, fmt.Errorf(format, args...))
}

// A cutter hands out a message's raw bytes piece by piece. Once a piece does
// not fit it hands out nothing more and is never done.
type cutter struct{ rest []byte }

func (c *cutter) cut(n int) []byte {
	if n < 0 || n > len(c.rest) || c.rest == nil {
		c.rest = nil
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	if n == 0 {
		return nil
	}
	return b
}

func (c *cutter) cutAll(sizes []int) [][]byte {
	if len(sizes) > maxNALUs {
		c.rest = nil
		return nil
	}
	var all [][]byte
	for _, n := range sizes {
		all = append(all, c.cut(n))
	}
	return all
}

// jpeg cuts a picture, or nothing, and tells whether it may be one.
func (c *cutter) jpeg(n int) ([]byte, bool) {
	if n > maxPicture {
		return nil, false
	}
	b := c.cut(n)
	return b, len(b) == n && (n == 0 || bytes.HasPrefix(b, []byte{0xff, 0xd8, 0xff}))
}

func (c *cutter) done() bool { return c.rest != nil && len(c.rest) == 0 }

func sizes(blobs [][]byte) []int {
	var n []int
	for _, b := range blobs {
		n = append(n, len(b))
	}
	return n
}

// shorten makes text from outside fit to be stored and shown.
func shorten(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// sendable tells why a sample cannot be sent to a worker, or nil.
func sendable(u streams.Unit) error {
	if n := u.Size(); n > maxSample {
		return fmt.Errorf("a sample of %d bytes, at most %d are allowed", n, maxSample)
	}
	if n := max(len(u.Params), len(u.NALUs)); n > maxNALUs {
		return fmt.Errorf("a sample of %d NAL units, at most %d are allowed", n, maxNALUs)
	}
	return nil
}
