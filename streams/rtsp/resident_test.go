package rtsp_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/pion/rtp"

	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// senderEnv makes the test binary a process of cheap cameras, so that their
// CPU time is not counted as the gateway's.
const senderEnv = "PATROL_TEST_SENDER"

// gop is one GOP of a 400 kbit/s sub-stream as interleaved frames, picture by
// picture: two seconds at 15 pictures a second.
func gop() [][]byte {
	e := &rtph264.Encoder{PayloadType: 96, PacketizationMode: 1, PayloadMaxSize: 1400}
	if err := e.Init(); err != nil {
		panic(err)
	}
	var pictures [][]byte
	for n := range 30 {
		unit := [][]byte{slice(2900, 1)}
		if n == 0 {
			unit = [][]byte{st.SPS, st.PPS, idr(16_000, 1)}
		}
		ps, err := e.Encode(unit)
		if err != nil {
			panic(err)
		}
		var b []byte
		for _, p := range ps {
			p.Timestamp, p.SSRC = uint32(n)*6000, 1
			raw, _ := p.Marshal()
			b = append(append(b, '$', 0, byte(len(raw)>>8), byte(len(raw))), raw...)
		}
		pictures = append(pictures, b)
	}
	return pictures
}

// serveSenders plays to every connection until its stdin is closed.
func serveSenders() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	go func() {
		pictures := gop()
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go send(c, pictures)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func send(c net.Conn, pictures [][]byte) {
	defer c.Close()
	sdp := "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1; sprop-parameter-sets=" +
		base64.StdEncoding.EncodeToString(st.SPS) + "," + base64.StdEncoding.EncodeToString(st.PPS) + "\r\na=control:t\r\n"
	r := bufio.NewReader(c)
	for method := ""; method != "PLAY"; {
		head, cseq := "", ""
		for line := "?"; strings.TrimSpace(line) != ""; {
			var err error
			if line, err = r.ReadString('\n'); err != nil {
				return
			}
			if head == "" {
				head = line
			}
			if v, ok := strings.CutPrefix(line, "CSeq: "); ok {
				cseq = strings.TrimSpace(v)
			}
		}
		method = strings.Fields(head)[0]
		answer := "RTSP/1.0 200 OK\r\nCSeq: " + cseq + "\r\n"
		switch method {
		case "DESCRIBE":
			answer += fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
		case "SETUP":
			answer += "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
		default:
			answer += "\r\n"
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
	tick := time.NewTicker(time.Second / 15)
	defer tick.Stop()
	seq := uint16(0)
	var buf []byte
	for n := 0; ; n++ {
		<-tick.C
		buf = append(buf[:0], pictures[n%len(pictures)]...)
		for i := 0; i < len(buf); i += 4 + int(buf[i+2])<<8 + int(buf[i+3]) {
			buf[i+6], buf[i+7] = byte(seq>>8), byte(seq)
			seq++
		}
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// BenchmarkResident is the cost of a resident session: CPU per camera and
// second of this process, heap and stacks per camera. The senders run in
// another process. "plain" is gortsplib's own client that depacketizes all.
func BenchmarkResident(b *testing.B) {
	const cameras, seconds = 100, 5
	for _, way := range []string{"plain", "key units only", "batched"} {
		b.Run(way, func(b *testing.B) {
			addr := senders(b)
			for b.Loop() {
				before := memory()
				var closers []func()
				for range cameras {
					if way == "plain" {
						closers = append(closers, plain(b, addr))
						continue
					}
					latency := time.Second
					if way == "key units only" {
						latency = -1
					}
					s, err := opener(b, rtsp.Options{Latency: latency}).Open(b.Context(), streams.Target{URL: "rtsp://" + addr + "/"}, streams.Receiver{
						Want:     every(5 * time.Second),
						Unit:     func(streams.Unit) {},
						KeySeen:  func(time.Time) {},
						Received: func(int) {},
					})
					if err != nil {
						b.Fatal(err)
					}
					closers = append(closers, s.Close)
				}
				time.Sleep(2 * time.Second)
				held := memory() - before
				cpu := cpuTime()
				time.Sleep(seconds * time.Second)
				b.ReportMetric((cpuTime()-cpu).Seconds()*1000/cameras/seconds, "ms/camera/s")
				b.ReportMetric(float64(held)/cameras/1000, "kB/camera")
				for _, end := range closers {
					go end()
				}
			}
		})
	}
}

func every(d time.Duration) func(time.Time) bool {
	var due time.Time
	return func(now time.Time) bool {
		if now.Before(due) {
			return false
		}
		due = now.Add(d)
		return true
	}
}

func senders(b *testing.B) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), senderEnv+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// plain is the library without anything of ours.
func plain(b *testing.B, addr string) func() {
	b.Helper()
	u, err := base.ParseURL("rtsp://" + addr + "/")
	if err != nil {
		b.Fatal(err)
	}
	tcp := gortsplib.TransportTCP
	c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Transport: &tcp, OnPacketsLost: func(uint64) {}}
	if err := c.Start2(); err != nil {
		b.Fatal(err)
	}
	desc, _, err := c.Describe(u)
	if err != nil {
		b.Fatal(err)
	}
	var f *format.H264
	medi := desc.FindFormat(&f)
	if _, err := c.Setup(desc.BaseURL, medi, 0, 0); err != nil {
		b.Fatal(err)
	}
	d, err := f.CreateDecoder()
	if err != nil {
		b.Fatal(err)
	}
	c.OnPacketRTP(medi, f, func(p *rtp.Packet) { _, _ = d.Decode(p) })
	if _, err := c.Play(nil); err != nil {
		b.Fatal(err)
	}
	return c.Close
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
