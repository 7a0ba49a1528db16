package audit

import (
	"crypto/ed25519"
	"fmt"
	"iter"
	"time"
)

// Fault says where a chain is broken, and how.
type Fault struct {
	Node string `json:"node"`
	// Seq is the first sequence number at which the record is not what the
	// node wrote.
	Seq  int64  `json:"seq"`
	What string `json:"what"`
}

func (f *Fault) Error() string {
	return fmt.Sprintf("the audit of node %s is broken at row %d: %s", f.Node, f.Seq, f.What)
}

// Chain is what there is to verify.
type Chain struct {
	Node string
	// Key is the node's public key.
	Key ed25519.PublicKey
	// Parts are the whole chain as its store has it, from the first row on.
	Parts iter.Seq2[Part, error]
	// Copies are the checkpoints that left the machine, from any number of
	// places, each in the order in which they were made. They tell of what
	// somebody with all rights on the machine took away. A copy that is read
	// while the node runs must be no newer than the parts.
	Copies []iter.Seq2[Checkpoint, error]
}

// Verdict is what a chain that holds amounts to.
type Verdict struct {
	Head
	// Checkpoints counts those that were compared; Sealed is the newest row
	// that one of them vouches for. The rows after it hang together, but who
	// could write to the database could have written them.
	Checkpoints int64 `json:"checkpoints"`
	Sealed      int64 `json:"sealed"`
}

// Verify reads a chain to its end, in constant memory. It returns a *Fault for
// the first thing that is wrong, or the error with which a stream ended.
func Verify(c Chain) (Verdict, error) {
	v := verifier{Chain: c, Verdict: Verdict{Head: Head{Node: c.Node}}}
	for _, copied := range c.Copies {
		next, stop := iter.Pull2(copied)
		defer stop()
		s := &source{next: next}
		if err := v.advance(s); err != nil {
			return v.Verdict, err
		}
		v.copies = append(v.copies, s)
	}
	for part, err := range c.Parts {
		if err != nil {
			return v.Verdict, err
		}
		if err := v.part(part); err != nil {
			return v.Verdict, err
		}
	}
	return v.Verdict, v.end()
}

// verifier is how far a chain was read.
type verifier struct {
	Chain
	Verdict
	own    Checkpoint // the newest one of the store
	copies []*source
	head   Head // as the store keeps it
}

// source is one copy of the checkpoints.
type source struct {
	next func() (Checkpoint, error, bool)
	at   Checkpoint // the next one to compare
	any  bool       // there is one
}

func (v *verifier) fault(seq int64, format string, args ...any) error {
	return &Fault{v.Node, seq, fmt.Sprintf(format, args...)}
}

// part takes the next part of the chain.
func (v *verifier) part(p Part) error {
	v.head = p.Head
	left := p.Checkpoints
	for _, row := range p.Rows {
		if err := v.row(row); err != nil {
			return err
		}
		for ; len(left) > 0 && left[0].Seq <= v.Seq; left = left[1:] {
			if err := v.judge(v.own, left[0]); err != nil {
				return err
			}
			if err := v.compare(left[0]); err != nil {
				return err
			}
			v.own = left[0]
		}
		for _, s := range v.copies {
			for s.any && s.at.Seq <= v.Seq {
				if err := v.compare(s.at); err != nil {
					return err
				}
				if err := v.advance(s); err != nil {
					return err
				}
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	if err := v.judge(v.own, left[0]); err != nil {
		return err
	}
	return v.cutOff(left[0])
}

// end judges the end of the chain.
func (v *verifier) end() error {
	if v.Seq == 0 {
		return v.fault(1, "there is no row at all, not even the one that begins the chain")
	}
	for _, s := range v.copies {
		if s.any {
			return v.cutOff(s.at)
		}
	}
	switch {
	case v.head.Seq > v.Seq:
		return v.fault(v.Seq+1, "rows are cut off: the chain ends at row %d, and its head says that there were %d", v.Seq, v.head.Seq)
	case v.head.Seq < v.Seq:
		return v.fault(v.head.Seq+1, "the row was added from outside: the chain's head stands at row %d", v.head.Seq)
	case v.head != v.Head:
		return v.fault(v.Seq, "the row, or the chain's head, was changed: they do not agree")
	}
	return nil
}

func (v *verifier) cutOff(c Checkpoint) error {
	return v.fault(v.Seq+1, "rows are cut off: the chain ends at row %d, and a checkpoint signed at %s says that there were %d",
		v.Seq, c.At.Format(time.RFC3339), c.Seq)
}

// row takes the next row of the chain.
func (v *verifier) row(r Row) error {
	want := v.Seq + 1
	switch {
	case r.Seq > want:
		return v.fault(want, "the row is missing: the next one is %d", r.Seq)
	case r.Seq < want:
		return v.fault(want, "row %d stands in its place", r.Seq)
	case r.Node != v.Node:
		return v.fault(want, "the row belongs to node %q", r.Node)
	case Link(v.Hash, r.AuditRow) != r.Hash:
		return v.fault(want, "the row does not follow from the one before: either was changed")
	case want == 1:
		first := First(v.Node)
		if first.At = r.At; r.AuditRow != first {
			return v.fault(want, "the row is not the one that begins a chain of format %d", Format)
		}
	}
	v.Seq, v.Hash = r.Seq, r.Hash
	return nil
}

// advance takes the next checkpoint of a copy, and judges it by itself.
func (v *verifier) advance(s *source) error {
	last := s.at
	next, err, more := s.next()
	if s.at, s.any = next, more; err != nil || !more {
		return err
	}
	return v.judge(last, next)
}

// judge judges a checkpoint by itself and by the one that came before it from
// the same place.
func (v *verifier) judge(last, c Checkpoint) error {
	switch {
	case c.Node != v.Node:
		return v.fault(c.Seq, "its checkpoint is of node %q", c.Node)
	case !c.Signed(v.Key):
		return v.fault(c.Seq, "its checkpoint does not bear the node's signature: the checkpoint was changed, or the key is another one")
	case c.Seq < last.Seq:
		return v.fault(c.Seq, "its checkpoint comes after the one of row %d: the chain was cut back, or checkpoints were moved", last.Seq)
	case c.Seq == last.Seq && c.Hash != last.Hash:
		return v.fault(c.Seq, "two signed checkpoints of it differ: the chain was cut back and written anew")
	}
	return nil
}

// compare holds a checkpoint against the newest row, which is its own.
func (v *verifier) compare(c Checkpoint) error {
	if c.Hash != v.Hash {
		return v.fault(c.Seq, "the row, or one since the last checkpoint that agrees (row %d), was written anew: a checkpoint signed at %s has another hash",
			v.Sealed, c.At.Format(time.RFC3339))
	}
	v.Checkpoints, v.Sealed = v.Checkpoints+1, v.Seq
	return nil
}
