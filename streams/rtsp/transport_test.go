package rtsp_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/pion/rtp"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// TestTransports: what is asked for, what the camera has, and what comes of it.
func TestTransports(t *testing.T) {
	const none = streams.ReasonNone
	tests := map[string]struct {
		o    st.Options
		ask  inventory.Transport
		got  inventory.Transport
		want streams.Reason
	}{
		"auto":                     {ask: "", got: inventory.TransportTCP},
		"auto, both":               {o: st.Options{UDP: true}, ask: inventory.TransportAuto, got: inventory.TransportTCP},
		"auto, TCP refused":        {o: st.Options{UDPOnly: true}, ask: inventory.TransportAuto, got: inventory.TransportUDP},
		"UDP":                      {o: st.Options{UDP: true}, ask: inventory.TransportUDP, got: inventory.TransportUDP},
		"UDP with login":           {o: st.Options{UDP: true, Username: "u", Password: "p"}, ask: inventory.TransportUDP, got: inventory.TransportUDP},
		"H.265 over UDP":           {o: st.Options{UDP: true, H265: true}, ask: inventory.TransportUDP, got: inventory.TransportUDP},
		"TCP":                      {o: st.Options{UDP: true}, ask: inventory.TransportTCP, got: inventory.TransportTCP},
		"TCP, TCP refused":         {o: st.Options{UDPOnly: true}, ask: inventory.TransportTCP, want: streams.ReasonUnsupported},
		"UDP, UDP refused":         {ask: inventory.TransportUDP, want: streams.ReasonUnsupported},
		"a word that is not known": {ask: "sctp", want: streams.ReasonConfig},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cam, h := st.New(t, tt.o), listen()
			r := h.receiver()
			opened := make(chan streams.Description, 2)
			r.Opened = func(d streams.Description) { opened <- d }
			target := streams.Target{URL: cam.URL(), Link: inventory.Link{Transport: tt.ask}, Login: inventory.Login{Username: tt.o.Username, Password: inventory.Secret(tt.o.Password)}}
			s, err := opener(t, rtsp.Options{}).Open(t.Context(), target, r)
			if streams.ReasonOf(err) != tt.want {
				t.Fatalf("reason %q, want %q: %v", streams.ReasonOf(err), tt.want, err)
			}
			if tt.want != none {
				return
			}
			defer s.Close()
			if d := <-opened; d.Transport != tt.got || d.Fingerprint == "" {
				t.Errorf("opened %+v", d)
			}
			for fill := range byte(3) {
				if err := cam.Send(cam.KeyUnit(2 * fill)); err != nil {
					t.Fatal(err)
				}
				sent := cam.KeyUnit(2 * fill)
				if u := <-h.units; !bytes.Equal(u.NALUs[0], sent[len(sent)-1]) {
					t.Fatalf("unit %d came damaged", fill)
				}
			}
			if h.bytes.Load() < 3*6000 {
				t.Errorf("%d bytes counted", h.bytes.Load())
			}
			s.Close()
			cam.AwaitTeardowns(1)
			if len(opened) != 0 {
				t.Error("Opened was told twice")
			}
		})
	}
}

// TestUDPIsRemembered: a camera that refused TCP is asked for UDP at once, and
// for TCP again when UDP fails.
func TestUDPIsRemembered(t *testing.T) {
	cam := st.New(t, st.Options{UDPOnly: true})
	o := opener(t, rtsp.Options{})
	for i, dials := range []int{2, 3, 4} {
		s, err := o.Open(t.Context(), streams.Target{URL: cam.URL()}, listen().receiver())
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if cam.Dials() != dials {
			t.Fatalf("after %d sessions %d connections, want %d", i+1, cam.Dials(), dials)
		}
	}
}

// TestMemoryForgets after some hours, and when it is full.
func TestMemoryForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m rtsp.Memory
		m.Note("a:554")
		time.Sleep(5 * time.Hour)
		if !m.UDPOnly("a:554") || m.UDPOnly("b:554") {
			t.Fatal("forgot too early, or knows too much")
		}
		time.Sleep(time.Hour)
		if m.UDPOnly("a:554") {
			t.Fatal("a camera never comes back to TCP")
		}
		for i := range 70_000 {
			m.Note(fmt.Sprint(i))
		}
		if m.Len() > 1<<16 || !m.UDPOnly("69999") {
			t.Fatalf("%d cameras are remembered", m.Len())
		}
	})
}

// TestUDPLosesOneUnit: loss inside a key unit costs it and no more, and what
// comes out of order is put in order.
func TestUDPLosesOneUnit(t *testing.T) {
	cam, h := st.New(t, st.Options{UDP: true}), listen()
	open(t, rtsp.Options{}, streams.Target{URL: cam.URL(), Link: inventory.Link{Transport: inventory.TransportUDP}}, h)
	lose := func(ps []*rtp.Packet) []*rtp.Packet { return append(ps[:3], ps[4:]...) }
	swap := func(ps []*rtp.Packet) []*rtp.Packet { ps[2], ps[3] = ps[3], ps[2]; return ps }
	for fill, change := range []func([]*rtp.Packet) []*rtp.Packet{nil, lose, swap} {
		if err := cam.SendWith(cam.KeyUnit(byte(8*fill)), change); err != nil {
			t.Fatal(err)
		}
	}
	// Packets behind a gap wait for it; more of them end the wait.
	for range 100 {
		if err := cam.Send(cam.DeltaUnit(1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []byte{1, 17} {
		if u := <-h.units; u.NALUs[0][100] != want {
			t.Fatalf("unit %d came, want %d", u.NALUs[0][100], want)
		}
	}
}

// script is a camera that answers by hand: SETUP with the given Transport
// header, PLAY by calling play with the client's RTP port.
func script(t *testing.T, transport string, play func(clientPort int)) string {
	t.Helper()
	const sdp = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
	return st.Listen(t, func(c net.Conn) {
		r := textproto.NewConn(c)
		port := 0
		for {
			line, err := r.ReadLine()
			if err != nil {
				return
			}
			head, err := r.ReadMIMEHeader()
			if err != nil {
				return
			}
			answer := "RTSP/1.0 200 OK\r\nSession: 1\r\nCSeq: " + head.Get("CSeq") + "\r\n"
			switch method, _, _ := strings.Cut(line, " "); base.Method(method) {
			case base.Describe:
				answer += fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
			case base.Setup:
				_, _ = fmt.Sscanf(head.Get("Transport"), "RTP/AVP;unicast;client_port=%d-", &port)
				answer += "Transport: " + fmt.Sprintf(transport, port, port+1) + "\r\n\r\n"
			case base.Play:
				play(port)
				answer += "\r\n"
			default:
				answer += "\r\n"
			}
			if _, err := c.Write([]byte(answer)); err != nil {
				return
			}
		}
	})
}

// TestUDPTakesPacketsOfItsCameraOnly: one without ports is heard on the port
// that it first sends from; another host never is, whoever says so.
func TestUDPTakesPacketsOfItsCameraOnly(t *testing.T) {
	tests := map[string]struct {
		transport string
		from      string
		heard     bool
	}{
		"no server_port":         {"RTP/AVP;unicast;client_port=%d-%d", "127.0.0.1", true},
		"server_port 0":          {"RTP/AVP;unicast;client_port=%d-%d;server_port=0-0", "127.0.0.1", true},
		"another host":           {"RTP/AVP;unicast;client_port=%d-%d", "127.0.0.2", false},
		"another host announced": {"RTP/AVP;unicast;client_port=%d-%d;source=127.0.0.2", "127.0.0.2", false},
		"another port":           {"RTP/AVP;unicast;client_port=%d-%d;server_port=7-8", "127.0.0.1", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			sent := make(chan struct{}, 1000)
			addr := script(t, tt.transport, func(port int) {
				c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(tt.from)}, &net.UDPAddr{IP: net.ParseIP("127.0.0.1"), Port: port})
				if err != nil {
					t.Error(err)
					return
				}
				context.AfterFunc(ctx, func() { c.Close() })
				go func() {
					for seq := uint16(0); ctx.Err() == nil; seq++ {
						b, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: seq, Timestamp: uint32(seq), Marker: true, SSRC: 1}, Payload: idr(100, 1)}).Marshal()
						for _, set := range [][]byte{st.SPS, st.PPS} {
							p, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: seq, Timestamp: uint32(seq), SSRC: 1}, Payload: set}).Marshal()
							_, _ = c.Write(p)
							seq++
						}
						b[2], b[3] = byte(seq>>8), byte(seq)
						_, _ = c.Write(b)
						sent <- struct{}{}
						time.Sleep(5 * time.Millisecond)
					}
				}()
			})
			var units atomic.Int64
			got := make(chan struct{}, 1000)
			s, err := opener(t, rtsp.Options{}).Open(t.Context(), streams.Target{URL: "rtsp://" + addr + "/x", Link: inventory.Link{Transport: inventory.TransportUDP}},
				streams.Receiver{Unit: func(streams.Unit) { units.Add(1); got <- struct{}{} }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if tt.heard {
				<-got
				return
			}
			for range 20 {
				<-sent
			}
			if units.Load() != 0 {
				t.Error("a packet from elsewhere was taken")
			}
		})
	}
}

// TestUDPSilenceIsStalled and the camera is asked for TCP again.
func TestUDPSilenceIsStalled(t *testing.T) {
	if testing.Short() {
		t.Skip("waits 10 s")
	}
	t.Parallel()
	addr := script(t, "RTP/AVP;unicast;client_port=%d-%d;server_port=7-8", func(int) {})
	s, err := opener(t, rtsp.Options{}).Open(t.Context(), streams.Target{URL: "rtsp://" + addr + "/x", Link: inventory.Link{Transport: inventory.TransportUDP}}, listen().receiver())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Wait(); streams.ReasonOf(err) != streams.ReasonStalled {
		t.Fatal(err)
	}
}

// TestServerAsksForUDP: TCP was asked for, the answer says UDP; auto tries it.
func TestServerAsksForUDP(t *testing.T) {
	addr := script(t, "RTP/AVP;unicast;client_port=%d-%d;server_port=7-8", func(int) {})
	var d atomic.Value
	s, err := opener(t, rtsp.Options{}).Open(t.Context(), streams.Target{URL: "rtsp://" + addr + "/x"}, streams.Receiver{Opened: func(o streams.Description) { d.Store(o) }})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got, _ := d.Load().(streams.Description); got.Transport != inventory.TransportUDP {
		t.Errorf("%+v", d)
	}
}
