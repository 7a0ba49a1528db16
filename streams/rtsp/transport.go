package rtsp

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"videopatrol/inventory"
	"videopatrol/streams"
)

const (
	// rememberFor is how long a camera that refused TCP is asked for UDP first;
	// then it may come back to TCP, perhaps with mended firmware.
	rememberFor = 6 * time.Hour
	// maxRemembered caps how many cameras are remembered.
	maxRemembered = 1 << 16
	// udpBuffer is what the kernel may queue for one session, in bytes: a key
	// unit comes in one burst. The system may allow less.
	udpBuffer = 1 << 20
	// portTries bounds the search for two neighbouring free ports.
	portTries = 100
)

// memory knows which cameras, by host and port, play over UDP only. It is safe
// for concurrent use.
type memory struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// udpOnly tells whether a camera refused TCP lately.
func (m *memory) udpOnly(addr string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.until[addr]
	if ok && !time.Now().Before(until) {
		delete(m.until, addr)
		return false
	}
	return ok
}

// note keeps that UDP worked where TCP was refused.
func (m *memory) note(addr string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.until == nil {
		m.until = map[string]time.Time{}
	}
	for known := range m.until {
		if len(m.until) < maxRemembered {
			break
		}
		delete(m.until, known)
	}
	m.until[addr] = time.Now().Add(rememberFor)
}

func (m *memory) forget(addr string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.until, addr)
}

// order is what transports are tried, in which order.
func (o *Opener) order(t streams.Target, scheme, addr string) ([]inventory.Transport, error) {
	switch want := t.Link.Transport; {
	case scheme == "rtsps" && want == inventory.TransportUDP:
		return nil, streams.Errorf(streams.ReasonConfig, "an rtsps address and transport udp exclude each other: the packets would travel in the clear; choose tcp")
	case scheme == "rtsps" || want == inventory.TransportTCP:
		return []inventory.Transport{inventory.TransportTCP}, nil
	case want == inventory.TransportUDP || o.memory.udpOnly(addr):
		return []inventory.Transport{inventory.TransportUDP}, nil
	case want == inventory.TransportAuto || want == "":
		return []inventory.Transport{inventory.TransportTCP, inventory.TransportUDP}, nil
	default:
		return nil, streams.Errorf(streams.ReasonConfig, "transport %q is not known; write auto, tcp or udp", clip(string(want)))
	}
}

// refusesTCP tells whether a failed SETUP says that the camera has no TCP.
func refusesTCP(err error) bool {
	if e, ok := errors.AsType[liberrors.ErrClientBadStatusCode](err); ok {
		return e.Code == base.StatusUnsupportedTransport
	}
	_, ok := errors.AsType[liberrors.ErrClientServerRequestedUDP](err)
	return ok
}

// udpPorts are the two sockets of a session over UDP, opened before the
// library asks for them: its own search for free ports has no end.
type udpPorts struct {
	mu   sync.Mutex
	open map[int]*net.UDPConn // by port; what the library took is gone
	rtp  int
}

// openPorts opens an even port and the odd one above it (RFC 3550 section 11)
// on the address that the camera already talks to.
func openPorts(local net.Addr) (*udpPorts, error) {
	tcp, ok := local.(*net.TCPAddr)
	if !ok {
		return nil, errors.New("UDP needs a TCP connection beside it")
	}
	var last error
	for range portTries {
		first, err := net.ListenUDP("udp", &net.UDPAddr{IP: tcp.IP, Zone: tcp.Zone})
		if err != nil {
			return nil, err
		}
		port := first.LocalAddr().(*net.UDPAddr).Port //nolint:forcetypeassert // it is a UDP socket
		second, err := net.ListenUDP("udp", &net.UDPAddr{IP: tcp.IP, Zone: tcp.Zone, Port: port ^ 1})
		if err != nil {
			first.Close()
			last = err
			continue
		}
		p := &udpPorts{open: map[int]*net.UDPConn{port: first, port ^ 1: second}, rtp: port &^ 1}
		_ = p.open[p.rtp].SetReadBuffer(udpBuffer)
		return p, nil
	}
	return nil, last
}

// take gives a socket to the library.
func (p *udpPorts) take(_, address string) (net.PacketConn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, c := range p.open {
		if port == strconv.Itoa(n) {
			delete(p.open, n)
			return c, nil
		}
	}
	return nil, errors.New("no such port is open")
}

// close closes what the library did not take.
func (p *udpPorts) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, c := range p.open {
		c.Close()
		delete(p.open, n)
	}
}
