package sqlstore

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// The lines of an hour are one byte of version and a DEFLATE stream (RFC 1951)
// of unsigned varints and texts (a length, then bytes):
//
//	the number of tiers, and each as a text
//	the number of outcomes, and each as a text
//	for each cell, in order of ids:
//	  how many bytes its id shares with the one before, the rest as a text
//	  the number of its lines, and of each: tier × outcomes + outcome, minutes
//
// A blob thus needs nothing else to be read, whatever becomes of the grid.
const version = 1

// largest bounds what a blob may unpack to.
const largest = 16 << 20

var errBroken = errors.New("the blob is broken")

func encode(lines []streams.Line, level int) ([]byte, error) {
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b streams.Line) int { return strings.Compare(a.Cell, b.Cell) })
	var tiers, outcomes []string
	index := func(list *[]string, v string) int {
		if i := slices.Index(*list, v); i >= 0 {
			return i
		}
		*list = append(*list, v)
		return len(*list) - 1
	}
	for _, l := range lines {
		index(&tiers, string(l.Tier))
		index(&outcomes, string(l.Outcome))
	}
	var b []byte
	number := func(n int) { b = binary.AppendUvarint(b, uint64(n)) }
	text := func(s string) {
		number(len(s))
		b = append(b, s...)
	}
	for _, table := range [][]string{tiers, outcomes} {
		number(len(table))
		for _, s := range table {
			text(s)
		}
	}
	before := ""
	for len(lines) > 0 {
		cell := lines[0].Cell
		n := slices.IndexFunc(lines, func(l streams.Line) bool { return l.Cell != cell })
		if n < 0 {
			n = len(lines)
		}
		shared := 0
		for shared < min(len(before), len(cell)) && before[shared] == cell[shared] {
			shared++
		}
		number(shared)
		text(cell[shared:])
		number(n)
		for _, l := range lines[:n] {
			if l.Minutes < 0 {
				return nil, fmt.Errorf("cell %q has %d minutes", cell, l.Minutes)
			}
			number(index(&tiers, string(l.Tier))*len(outcomes) + index(&outcomes, string(l.Outcome)))
			number(int(l.Minutes))
		}
		before, lines = cell, lines[n:]
	}
	var out bytes.Buffer
	out.WriteByte(version)
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(b)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// reader reads numbers and texts until one of them is broken.
type reader struct {
	b   []byte
	err error
}

func (r *reader) number(below uint64) int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v >= below {
		r.b, r.err = nil, errBroken
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) text() string {
	n := r.number(uint64(len(r.b)) + 1)
	if n > len(r.b) {
		r.b, r.err = nil, errBroken
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func decode(blob []byte) ([]streams.Line, error) {
	if len(blob) == 0 || blob[0] != version {
		return nil, fmt.Errorf("%w: it is of no version that this program knows", errBroken)
	}
	unpacked, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(blob[1:])), largest))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	r := &reader{b: unpacked}
	var tables [2][]string
	for i := range tables {
		for range r.number(1 << 8) {
			tables[i] = append(tables[i], r.text())
		}
	}
	tiers, outcomes := tables[0], tables[1]
	lines := make([]streams.Line, 0, len(r.b)/3) // a line takes three bytes or more
	cell := ""
	for len(r.b) > 0 {
		cell = cell[:r.number(uint64(len(cell))+1)] + r.text()
		for range r.number(1 << 16) {
			kind, minutes := r.number(uint64(len(tiers)*len(outcomes))), r.number(1<<62)
			if r.err != nil {
				break
			}
			lines = append(lines, streams.Line{
				Cell: cell, Tier: inventory.Tier(tiers[kind/len(outcomes)]), Outcome: streams.Outcome(outcomes[kind%len(outcomes)]),
				Minutes: int64(minutes),
			})
		}
	}
	return lines, r.err
}
