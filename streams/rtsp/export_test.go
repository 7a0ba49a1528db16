package rtsp

import (
	"net"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"videopatrol/streams"
)

// Conn is the batched connection.
type Conn = conn

// NewConn wraps a connection whose first bytes are not looked at.
func NewConn(c net.Conn, received func(int)) *Conn {
	b := newConn(c, received)
	b.sniff.done = true
	return b
}

// Batch turns batching on.
func (c *conn) Batch(lowWater int, latency time.Duration) error { return c.batch(lowWater, latency) }

// Holds tells whether the connection holds a buffer.
func (c *conn) Holds() bool { return c.buf != nil }

// Sniff shows a new sniffer some pieces.
func Sniff(pieces ...[]byte) error {
	var s sniffer
	for _, p := range pieces {
		if err := s.see(p); err != nil {
			return err
		}
	}
	return nil
}

// Assembler is the depacketizer.
type Assembler = assembler

// NewAssembler makes one, with parameter sets as if from the SDP.
func NewAssembler(h265 bool, r streams.Receiver, params ...[]byte) *Assembler {
	a := newAssembler(h265, complete(r))
	for _, p := range params {
		a.setParam(p)
	}
	return a
}

// Push hands it a packet.
func (a *assembler) Push(p *rtp.Packet, now time.Time) { a.push(p, now) }

// CameraTime runs a sender report and asks for a timestamp.
func CameraTime(rate int64, sr *rtcp.SenderReport, timestamp uint32) time.Time {
	c := senderClock{rate: rate}
	c.report(sr)
	return c.at(timestamp)
}

// QPReader reads quantisation parameters from slice headers.
type QPReader = qpReader

// NewQPReader makes one that has no parameter sets yet.
func NewQPReader(h265 bool) *QPReader { return newQPReader(h265) }

// SetParams hands it parameter sets.
func (q *qpReader) SetParams(sps, pps [][]byte) { q.setParams(sps, pps) }

// QP reads a slice's.
func (q *qpReader) QP(nalu []byte) (int, bool) { return q.qp(nalu) }
