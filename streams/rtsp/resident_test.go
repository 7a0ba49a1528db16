package rtsp_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/pion/rtp"
	"golang.org/x/sys/unix"

	"videopatrol/inventory"
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

// request reads one request and returns its first line and its CSeq, and
// whether it came with a login.
func request(r *bufio.Reader) (first, cseq string, login bool, err error) {
	for line := "?"; strings.TrimSpace(line) != ""; {
		if line, err = r.ReadString('\n'); err != nil {
			return "", "", false, err
		}
		if first == "" {
			first = line
		}
		if v, ok := strings.CutPrefix(line, "CSeq: "); ok {
			cseq = strings.TrimSpace(v)
		}
		login = login || strings.HasPrefix(line, "Authorization: Digest ")
	}
	return first, cseq, login, nil
}

// send answers one connection. Below /login it asks for one.
func send(c net.Conn, pictures [][]byte) {
	defer c.Close()
	sdp := "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1; sprop-parameter-sets=" +
		base64.StdEncoding.EncodeToString(st.SPS) + "," + base64.StdEncoding.EncodeToString(st.PPS) + "\r\na=control:t\r\n"
	r := bufio.NewReader(c)
	for method := ""; method != "PLAY"; {
		first, cseq, login, err := request(r)
		if err != nil {
			return
		}
		method = strings.Fields(first)[0]
		answer := "RTSP/1.0 200 OK\r\nCSeq: " + cseq + "\r\n"
		switch {
		case method == "DESCRIBE" && !login && strings.Contains(first, "/login"):
			answer = "RTSP/1.0 401 Unauthorized\r\nCSeq: " + cseq + "\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"8f0d\"\r\n\r\n"
		case method == "DESCRIBE":
			answer += fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
		case method == "SETUP":
			answer += "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
		default:
			answer += "\r\n"
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
	torn := make(chan struct{})
	go func() {
		defer close(torn)
		for method := ""; method != "TEARDOWN"; {
			first, _, _, err := request(r)
			if err != nil {
				return
			}
			method, _, _ = strings.Cut(first, " ")
		}
	}()
	tick := time.NewTicker(time.Second / 15)
	defer tick.Stop()
	seq := uint16(0)
	var buf []byte
	for n := 0; ; n++ {
		buf = append(buf[:0], pictures[n%len(pictures)]...)
		for i := 0; i < len(buf); i += 4 + int(buf[i+2])<<8 + int(buf[i+3]) {
			buf[i+6], buf[i+7] = byte(seq>>8), byte(seq)
			seq++
		}
		if _, err := c.Write(buf); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-torn:
			return
		}
	}
}

// latency and batch are how BenchmarkResident reads, and its floors with it.
const (
	latency = time.Second
	batch   = 16 << 10
)

// BenchmarkResident is the cost of a resident session in CPU time of this
// process per camera and second, and in memory: heap and stacks, the growth of
// the process (PSS), and what the kernel holds for its sockets. The senders run
// in another process. PATROL_BENCH_CAMERAS sets how many there are.
//
// "library" is gortsplib's own client that depacketizes all. The floors are
// bare sockets that are read and thrown away: "floor" by one goroutine each
// that waits for as many bytes or as long as a session does, "floor in turn"
// by one goroutine for all of them, as sessions are read.
func BenchmarkResident(b *testing.B) {
	cameras, _ := strconv.Atoi(os.Getenv("PATROL_BENCH_CAMERAS"))
	if cameras == 0 {
		cameras = 200
	}
	const seconds = 4
	ways := map[string]func(b *testing.B, addr string) (open func() func()){
		"library": func(b *testing.B, addr string) func() func() {
			b.Helper()
			return func() func() { return plain(b, addr) }
		},
		"floor":         floorWaiting,
		"floor in turn": floorInTurn,
		"at once":       resident(rtsp.Options{Latency: -1}, nil),
		"session":       resident(rtsp.Options{Latency: latency, LowWater: batch}, nil),
		"session with deltas": resident(rtsp.Options{Latency: latency, LowWater: batch}, func(time.Time, int, int) {
		}),
	}
	for _, way := range []string{"library", "floor", "floor in turn", "at once", "session", "session with deltas"} {
		b.Run(way, func(b *testing.B) {
			addr := senders(b)
			open := ways[way](b, addr)
			for b.Loop() {
				heap, pss := memory(), proportional()
				var closers []func()
				for range cameras {
					closers = append(closers, open())
				}
				time.Sleep(2 * time.Second)
				heap = memory() - heap
				cpu, sockets := cpuTime(), 0.0
				for range seconds {
					time.Sleep(time.Second)
					sockets += float64(socketMemory()) / seconds
				}
				perCamera := func(v float64) float64 { return v / float64(cameras) }
				b.ReportMetric(perCamera((cpuTime()-cpu).Seconds()*1000/seconds), "ms/camera/s")
				b.ReportMetric(perCamera(float64(int64(heap))/1000), "heap-kB/camera")
				b.ReportMetric(perCamera(float64(proportional()-pss)/1000), "pss-kB/camera")
				b.ReportMetric(perCamera(sockets/1000), "socket-kB/camera")
				var wg sync.WaitGroup
				for _, end := range closers {
					wg.Go(end)
				}
				wg.Wait()
			}
		})
	}
}

func resident(o rtsp.Options, delta func(time.Time, int, int)) func(b *testing.B, addr string) func() func() {
	return func(b *testing.B, addr string) func() func() {
		b.Helper()
		op := opener(b, o)
		return func() func() {
			s, err := op.Open(b.Context(), streams.Target{URL: "rtsp://" + addr + "/"}, streams.Receiver{
				Want: every(5 * time.Second), Unit: func(streams.Unit) {}, KeySeen: func(time.Time) {}, Received: func(int) {}, Delta: delta,
			})
			if err != nil {
				b.Fatal(err)
			}
			return s.Close
		}
	}
}

// playing dials a sender and skips to PLAY.
func playing(b *testing.B, addr string) *net.TCPConn {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.WriteString(c, "PLAY rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n"); err != nil {
		b.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func floorWaiting(b *testing.B, addr string) func() func() {
	b.Helper()
	buffers := sync.Pool{New: func() any { return new([64 << 10]byte) }}
	return func() func() {
		c := playing(b, addr)
		raw, err := c.SyscallConn()
		if err != nil {
			b.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, batch) })
		if err != nil {
			b.Fatal(err)
		}
		ended := make(chan struct{})
		var got error
		read := func(fd uintptr) bool {
			buf := buffers.Get().(*[64 << 10]byte)
			defer buffers.Put(buf)
			_, got = unix.Read(int(fd), buf[:])
			return !errors.Is(got, unix.EAGAIN)
		}
		go func() {
			defer close(ended)
			for c.SetReadDeadline(time.Now().Add(latency)) == nil {
				if err := raw.Read(read); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					return
				}
			}
		}()
		return func() {
			c.Close()
			<-ended
		}
	}
}

func floorInTurn(b *testing.B, addr string) func() func() {
	b.Helper()
	const spokes = 10 // the turns of a session come as often: batch / 50 kB/s
	var mu sync.Mutex
	var fds [spokes][]int
	n := 0
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second / 32)
		defer tick.Stop()
		buf := make([]byte, 128<<10)
		for at := 0; ; at++ {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			mu.Lock()
			for _, fd := range fds[at%spokes] {
				_, _ = unix.Read(fd, buf)
			}
			mu.Unlock()
		}
	}()
	b.Cleanup(func() {
		close(stop)
		<-stopped
	})
	return func() func() {
		c := playing(b, addr)
		raw, err := c.SyscallConn()
		if err != nil {
			b.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, 64<<10)
			mu.Lock()
			fds[n%spokes] = append(fds[n%spokes], int(fd))
			n++
			mu.Unlock()
		})
		if err != nil {
			b.Fatal(err)
		}
		return func() {
			mu.Lock()
			fds = [spokes][]int{}
			mu.Unlock()
			c.Close()
		}
	}
}

// BenchmarkVisit is the CPU time of this process for one visit: dial,
// handshake with digest, one key unit, teardown. The cameras run in another
// process; sixteen visits run at a time.
func BenchmarkVisit(b *testing.B) {
	const visits, atOnce = 400, 16
	addr := senders(b)
	op := opener(b, rtsp.Options{})
	for b.Loop() {
		cpu := cpuTime()
		var wg sync.WaitGroup
		for range atOnce {
			wg.Go(func() {
				for range visits / atOnce {
					visit(b, op, addr)
				}
			})
		}
		wg.Wait()
		b.ReportMetric((cpuTime()-cpu).Seconds()*1000/visits, "ms/visit")
	}
}

func visit(tb testing.TB, op *rtsp.Opener, addr string) {
	tb.Helper()
	target := streams.Target{URL: "rtsp://" + addr + "/login", Login: inventory.Login{Username: "admin", Password: "secret"}, Visit: true}
	unit := make(chan streams.Unit, 1)
	s, err := op.Open(tb.Context(), target, streams.Receiver{Unit: func(u streams.Unit) {
		select {
		case unit <- u:
		default:
		}
	}})
	if err != nil {
		tb.Error(err)
		return
	}
	if u := <-unit; u.Size() < 16_000 {
		tb.Errorf("a key unit of %d bytes", u.Size())
	}
	s.Close()
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

// proportional is the memory of this process, shared pages by their share, in
// bytes.
func proportional() int64 {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "\nPss:")
	kB, _ := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return kB << 10
}

// socketMemory is what the kernel holds for this process's sockets, in bytes
// (SO_MEMINFO, socket(7)).
func socketMemory() int {
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	total := 0
	for _, e := range dir {
		fd, _ := strconv.Atoi(e.Name())
		var info [9]uint32 // linux/sock_diag.h
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 {
			total += int(info[0] + info[4] + info[5]) // received, set aside, to be sent
		}
	}
	return total
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
