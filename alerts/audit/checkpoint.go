package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// MaxNode is the longest name of a node, in bytes.
const MaxNode = 255

// Checkpoint is a node's signed word on where its chain stood.
type Checkpoint struct {
	Head
	At time.Time `json:"at"` // whole microseconds, UTC
	// Signature is Ed25519 over all of the above.
	Signature []byte `json:"signature"`
}

// Sign makes a checkpoint of a chain's head.
func Sign(key ed25519.PrivateKey, head Head, at time.Time) Checkpoint {
	c := Checkpoint{Head: head, At: at.UTC().Truncate(time.Microsecond)}
	c.Signature = ed25519.Sign(key, c.message())
	return c
}

// Signed tells whether a node's public key signed the checkpoint.
func (c Checkpoint) Signed(key ed25519.PublicKey) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, c.message(), c.Signature)
}

func (c Checkpoint) message() []byte {
	b := append([]byte(checkpointDomain), Format)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(c.At.UnixMicro()))
	b = append(b, c.Hash[:]...)
	return appendText(b, c.Node)
}

// Line is a checkpoint as a copy holds it: one line of JSON.
func (c Checkpoint) Line() ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode a checkpoint: %w", err)
	}
	return append(b, '\n'), nil
}

// ParseCheckpoint reads one line of a copy, with or without its line break. It
// takes only what Line writes: every line has one form.
func ParseCheckpoint(line []byte) (Checkpoint, error) {
	var c Checkpoint
	line = bytes.TrimSuffix(line, []byte{'\n'})
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Checkpoint{}, fmt.Errorf("no checkpoint: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Checkpoint{}, errors.New("no checkpoint: something follows it on its line")
	}
	switch {
	case c.Node == "" || len(c.Node) > MaxNode:
		return Checkpoint{}, fmt.Errorf("no checkpoint: it names its node in 1 to %d bytes", MaxNode)
	case c.Seq < 1:
		return Checkpoint{}, errors.New("no checkpoint: sequence numbers begin at 1")
	case len(c.Signature) != ed25519.SignatureSize:
		return Checkpoint{}, fmt.Errorf("no checkpoint: a signature has %d bytes", ed25519.SignatureSize)
	}
	c.At = c.At.UTC().Truncate(time.Microsecond)
	if form, err := c.Line(); err != nil || !bytes.Equal(bytes.TrimSuffix(form, []byte{'\n'}), line) {
		return Checkpoint{}, errors.New("no checkpoint: it is not in the form that the gateway writes")
	}
	return c, nil
}

// FormatKey is a public key as people copy it: base64.
func FormatKey(key ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(key) }

// ParseKey reads a public key in base64 or hex.
func ParseKey(text string) (ed25519.PublicKey, error) {
	text = strings.TrimSpace(text)
	b, err := hex.DecodeString(text)
	if err != nil {
		b, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("a public key is %d bytes in base64 or hex ('patrol audit key' prints it)", ed25519.PublicKeySize)
	}
	return b, nil
}
