package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/conn"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// What streams/rtsp does by default; the floor reads in the same steps.
const (
	floorLowWater = 32 << 10
	floorBuffer   = 64 << 10
	floorLatency  = time.Second
)

// newBenchFloor is the least that any reader of cameras costs: the handshake,
// then reading the socket and throwing the bytes away.
func newBenchFloor() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "floor", Short: "Read cameras and throw the bytes away (internal: a child of the bench)", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cameras, err := readBenchCameras(file)
			if err != nil {
				return err
			}
			return benchFloor(cmd.Context(), cmd.OutOrStdout(), cameras)
		},
	}
	cmd.Flags().StringVar(&file, "inventory", "", "CSV file of the cameras")
	return cmd
}

// benchCamera is what a measuring child needs of a row of the inventory.
type benchCamera struct {
	id, sub, username, password string
	interval                    time.Duration
}

// readBenchCameras reads the city's own CSV, whose columns citysim names.
func readBenchCameras(file string) ([]benchCamera, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("%s is no inventory of a simulated city: %w", file, err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, name := range []string{"id", "sub", "username", "password", "interval"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("%s has no column %s", file, name)
		}
	}
	var cameras []benchCamera
	for _, row := range rows[1:] {
		interval, err := time.ParseDuration(row[column["interval"]])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		cameras = append(cameras, benchCamera{
			id: row[column["id"]], sub: row[column["sub"]],
			username: row[column["username"]], password: row[column["password"]], interval: interval,
		})
	}
	return cameras, nil
}

func benchFloor(ctx context.Context, stdout io.Writer, cameras []benchCamera) error {
	conns := make([]*net.TCPConn, len(cameras))
	g, dialCtx := errgroup.WithContext(ctx)
	g.SetLimit(32)
	for i, c := range cameras {
		g.Go(func() (err error) {
			conns[i], err = playBare(dialCtx, c)
			return err
		})
	}
	err := g.Wait()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	if err != nil {
		return err
	}
	for _, c := range conns {
		if err := discard(&wg, c); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(stdout).Encode(map[string]int{"playing": len(conns)}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// playBare brings a camera to play with the fewest requests, and returns the
// connection.
func playBare(ctx context.Context, c benchCamera) (*net.TCPConn, error) {
	u, err := base.ParseURL(c.sub)
	if err != nil {
		return nil, err
	}
	raw, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(errors.New("the connection is not TCP"), raw.Close())
	}
	b := &bare{camera: c, conn: conn.NewConn(struct {
		io.Reader
		io.Writer
	}{bufio.NewReader(tcp), tcp})}
	if err := errors.Join(tcp.SetDeadline(time.Now().Add(15*time.Second)), b.play(u), tcp.SetDeadline(time.Time{})); err != nil {
		return nil, errors.Join(fmt.Errorf("camera %s: %w", c.id, err), tcp.Close())
	}
	return tcp, nil
}

// bare is the least of an RTSP client.
type bare struct {
	camera benchCamera
	conn   *conn.Conn
	sender *auth.Sender
	seq    int
}

func (b *bare) play(u *base.URL) error {
	if _, err := b.ask(base.Describe, u, base.Header{"Accept": base.HeaderValue{"application/sdp"}}); err != nil {
		return err
	}
	track, err := base.ParseURL(u.String() + "/trackID=0")
	if err != nil {
		return err
	}
	res, err := b.ask(base.Setup, track, base.Header{"Transport": base.HeaderValue{"RTP/AVP/TCP;unicast;interleaved=0-1"}})
	if err != nil {
		return err
	}
	_, err = b.ask(base.Play, u, base.Header{"Session": res.Header["Session"]})
	return err
}

// ask sends a request, a second time with the login if it is asked for.
func (b *bare) ask(method base.Method, u *base.URL, header base.Header) (*base.Response, error) {
	for {
		b.seq++
		header["CSeq"] = base.HeaderValue{strconv.Itoa(b.seq)}
		req := &base.Request{Method: method, URL: u, Header: header}
		tried := b.sender != nil
		if tried {
			b.sender.AddAuthorization(req)
		}
		if err := b.conn.WriteRequest(req); err != nil {
			return nil, err
		}
		res, err := b.conn.ReadResponse()
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == base.StatusOK:
			return res, nil
		case res.StatusCode != base.StatusUnauthorized || tried:
			return nil, fmt.Errorf("%s: %d %s", method, res.StatusCode, res.StatusMessage)
		}
		b.sender = &auth.Sender{WWWAuth: res.Header["WWW-Authenticate"], User: b.camera.username, Pass: b.camera.password}
		if err := b.sender.Initialize(); err != nil {
			return nil, err
		}
	}
}

// discard reads a connection as streams/rtsp does and forgets what it reads,
// until the connection ends.
func discard(wg *sync.WaitGroup, c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, floorLowWater)
	}); errors.Join(err, failed) != nil {
		return errors.Join(err, failed)
	}
	var n int
	var errno error
	read := func(fd uintptr) bool {
		buf, _ := floorBuffers.Get().(*[floorBuffer]byte)
		n, errno = unix.Read(int(fd), buf[:])
		floorBuffers.Put(buf)
		return !errors.Is(errno, syscall.EAGAIN)
	}
	wg.Go(func() {
		for {
			if c.SetReadDeadline(time.Now().Add(floorLatency)) != nil {
				return
			}
			n, errno = 0, nil
			err := raw.Read(read)
			if !errors.Is(err, os.ErrDeadlineExceeded) && (err != nil || errno != nil || n == 0) {
				return
			}
		}
	})
	return nil
}

var floorBuffers = sync.Pool{New: func() any { return new([floorBuffer]byte) }}
