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

// NewConn wraps a connection whose bytes are passed on as they are.
func NewConn(c net.Conn, received func(int)) *Conn {
	b := newConn(c, received)
	b.sniff.done = true
	return b
}

// Pace lets a wheel of its own read the connection.
func (c *conn) Pace(batch int, latency time.Duration) error {
	return c.pace(newTurns(latency).pick(), batch, latency)
}

// Holds tells whether the connection holds a buffer.
func (c *conn) Holds() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf != nil
}

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
func (a *assembler) Push(p *rtp.Packet, now time.Time) {
	a.push(header{timestamp: p.Timestamp, seq: p.SequenceNumber, marker: p.Marker}, p.Payload, now)
}

// CameraTime runs a sender report and asks for a timestamp.
func CameraTime(rate int64, sr *rtcp.SenderReport, timestamp uint32) time.Time {
	c := senderClock{rate: rate}
	c.report(sr.NTPTime, sr.RTPTime)
	return c.at(timestamp)
}
