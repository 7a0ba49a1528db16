package rtsp

import (
	"io"
	"net"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"videopatrol/inventory"
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

// NewFramedConn wraps a connection that plays an H.264 track on a channel.
func NewFramedConn(c net.Conn, channel int, r streams.Receiver, params ...[]byte) *Conn {
	r = r.Complete()
	b := NewConn(c, r.Received)
	b.frames = &frames{strays: new(strays), channel: channel, payload: 96, video: NewAssembler(false, r, params...), clock: &senderClock{}}
	return b
}

// Packet is a packet of the video as the walker took it.
type Packet struct {
	Seq       uint16
	Timestamp uint32
	Source    uint32
	Marker    bool
	Payload   string
}

type packets []Packet

func (p *packets) push(h rtpHeader, payload []byte, _ time.Time) {
	*p = append(*p, Packet{h.seq, h.timestamp, h.source, h.marker, string(payload)})
}

func (p *packets) restart() {}

// Walk shows a walker pieces, one every interval; channel is the video's and
// 96 its payload type. It returns the packets it took, what it passed on, and
// what it dropped.
func Walk(channel int, interval time.Duration, pieces ...[]byte) ([]Packet, string, Strays) {
	var s strays
	var taken packets
	f := &frames{strays: &s, channel: channel, payload: 96, video: &taken, clock: &senderClock{}, playing: true}
	now := time.Unix(1, 0)
	f.fed = now
	var rest []byte
	for _, p := range pieces {
		rest = append(rest, p...)
		rest = rest[f.walk(rest, now):]
		f.feed(now)
		now = now.Add(interval)
	}
	return taken, string(f.pass), Strays{s.bytes.Load(), s.frames.Load(), s.packets.Load()}
}

// Tuned counts the library's fields that are set behind its back.
func Tuned() int { return quiet(&gortsplib.Client{}) + brief(&gortsplib.Client{}) }

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
	a := newAssembler(h265, r.Complete())
	for _, p := range params {
		a.setParam(p)
	}
	return a
}

// Push hands it a packet.
func (a *assembler) Push(p *rtp.Packet, now time.Time) {
	a.push(rtpHeader{timestamp: p.Timestamp, seq: p.SequenceNumber, marker: p.Marker}, p.Payload, now)
}

// CameraTime runs a sender report and asks for a timestamp.
func CameraTime(rate int64, sr *rtcp.SenderReport, timestamp uint32) time.Time {
	c := senderClock{rate: rate}
	c.report(sr.NTPTime, sr.RTPTime)
	return c.at(timestamp)
}

// Memory is what the opener remembers of cameras.
type Memory = memory

// Note keeps that UDP worked where TCP was refused.
func (m *memory) Note(addr string) { m.note(addr) }

// UDPOnly tells whether it did lately.
func (m *memory) UDPOnly(addr string) bool { return m.udpOnly(addr) }

// Len is how many cameras are remembered.
func (m *memory) Len() int { return len(m.until) }

// Authorize answers the strongest challenge, "" when none is known.
func Authorize(login inventory.Login, method, uri string, offers ...string) string {
	if c := strongest(offers); c != nil {
		return c.authorization(login, method, uri, 1)
	}
	return ""
}

// ReadAll reads what a camera says through a dialogue.
func ReadAll(said io.Reader) ([]byte, error) {
	return io.ReadAll(newDialogue(readConn{Reader: said}, inventory.Login{}))
}

type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// RepairSDP makes a description one that the library reads.
func RepairSDP(b []byte) []byte { return repairSDP(b) }

// CodecOf names a track's codec.
func CodecOf(f format.Format) streams.Codec { return codecOf(f) }

// Fingerprint hashes what a device says of itself.
func Fingerprint(server string, sdp, certificate []byte) string {
	return fingerprint(server, sdp, certificate)
}

// MJPEG is the depacketizer of motion JPEG.
type MJPEG = mjpeg

// NewMJPEG makes one.
func NewMJPEG(r streams.Receiver) *MJPEG { return newMJPEG(r.Complete()) }

// Push hands it a packet.
func (m *mjpeg) Push(p *rtp.Packet, now time.Time) {
	m.push(rtpHeader{timestamp: p.Timestamp, seq: p.SequenceNumber, marker: p.Marker}, p.Payload, now)
}

// QPReader reads quantisation parameters from slice headers.
type QPReader = qpReader

// NewQPReader makes one that has no parameter sets yet.
func NewQPReader(h265 bool) *QPReader { return &qpReader{h265: h265} }

// SetParams hands it parameter sets.
func (q *qpReader) SetParams(sps, pps [][]byte) { q.setParams(sps, pps) }

// QP reads a slice's.
func (q *qpReader) QP(nalu []byte) (int, bool) { return q.qp(nalu) }

// RecoveryPoint reads an SEI NAL unit.
func RecoveryPoint(isH265 bool, nalu []byte) (int, bool) { return recoveryPoint(isH265, nalu) }

// IntraH264 tells whether a slice is intra.
func IntraH264(nalu []byte) bool { return intraH264(nalu) }

// IntraH265 tells whether a slice segment is intra.
func IntraH265(sps, pps, nalu []byte) bool {
	p, ok := newSliceParser(sps, pps)
	return ok && p.intra(nalu)
}
