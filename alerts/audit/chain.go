package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"

	"videopatrol/alerts"
)

// Format is the version of the encoding; a chain's first row names it.
const Format = 1

const (
	rowDomain        = "videopatrol audit row\x00"
	checkpointDomain = "videopatrol audit checkpoint\x00"
)

// Hash is a row's link to all rows before it. As text it is 64 hex digits.
type Hash [sha256.Size]byte

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash in hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hex digits.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) {
		return fmt.Errorf("a hash is %d hex digits", 2*len(h))
	}
	copy(h[:], b)
	return nil
}

// Row is an audit row in its chain.
type Row struct {
	alerts.AuditRow
	Hash Hash `json:"hash"`
}

// Head is where a chain stands: its newest row.
type Head struct {
	Node string `json:"node"`
	Seq  int64  `json:"seq"`
	Hash Hash   `json:"hash"`
}

// First is the row that begins a node's chain; only its time is free.
func First(node string) alerts.AuditRow {
	return alerts.AuditRow{
		Node: node, Seq: 1, By: alerts.System, Action: "chain_begin", Object: "node/" + node,
		Detail: fmt.Sprintf("format %d", Format),
	}
}

// Clean makes a row what every database and JSON carry unchanged: text is
// valid UTF-8 without NUL. What is not becomes U+FFFD. A store cleans a row
// before it links it.
func Clean(r alerts.AuditRow) alerts.AuditRow {
	for _, field := range fields(&r) {
		*field = strings.ReplaceAll(strings.ToValidUTF8(*field, "\uFFFD"), "\x00", "\uFFFD")
	}
	return r
}

// Link is the hash of a row whose predecessor has the hash prev; the first
// row's is zero.
func Link(prev Hash, r alerts.AuditRow) Hash {
	b := make([]byte, 0, 512)
	b = append(b, rowDomain...)
	b = append(b, prev[:]...)
	return sha256.Sum256(Encode(b, r))
}

// Encode appends the canonical form of a row to b: the format in 1 byte, the
// sequence number and the time in microseconds since 1970 in 8 bytes each, and
// node, by, action, object, purpose, client and detail, each as its length in
// 4 bytes and its bytes. Numbers are big-endian.
func Encode(b []byte, r alerts.AuditRow) []byte {
	b = append(b, Format)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.UnixMicro()))
	for _, field := range fields(&r) {
		b = appendText(b, *field)
	}
	return b
}

// fields are the texts of a row, in the order of their encoding.
func fields(r *alerts.AuditRow) [7]*string {
	return [...]*string{&r.Node, &r.By, &r.Action, &r.Object, &r.Purpose, &r.Client, &r.Detail}
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// Part is a part of a node's chain, oldest first, and the checkpoints of its
// rows; those of rows that are gone come with the last part.
type Part struct {
	// Head is the chain's, as its store keeps it.
	Head        Head
	Rows        []Row
	Checkpoints []Checkpoint
	// Next is the row behind which the next part begins; 0: this is the last.
	Next int64
}

// Parts reads a chain part by part: read returns what comes after a row.
func Parts(read func(after int64) (Part, error)) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		for after := int64(0); ; {
			p, err := read(after)
			if !yield(p, err) || err != nil || p.Next <= after {
				return
			}
			after = p.Next
		}
	}
}
