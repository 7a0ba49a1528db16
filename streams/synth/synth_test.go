package synth_test

import (
	"bytes"
	"image"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"videopatrol/streams/synth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func picture(width, height int, seed uint64) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, plane := range [][]byte{img.Y, img.Cb, img.Cr} {
		for i := range plane {
			plane[i] = byte(r.IntN(4)) // many runs of zeros: the hardest case for emulation prevention
		}
	}
	return img
}

func annexB(nalus ...[]byte) []byte {
	var b []byte
	for _, n := range nalus {
		b = append(append(b, 0, 0, 0, 1), n...)
	}
	return b
}

// TestEncoderIsLossless decodes by FFmpeg what the encoder made: two different
// key units, each followed by a picture that repeats it.
func TestEncoderIsLossless(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed; deploy/setup.sh installs it")
	}
	e, err := synth.NewEncoder(352, 288)
	if err != nil {
		t.Fatal(err)
	}
	sps, pps := e.Params()
	var stream, want []byte
	for seed := range uint64(2) {
		img := picture(352, 288, seed)
		key, err := e.Key(img)
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, annexB(sps, pps, key, e.Skip())...)
		for range 2 {
			want = append(append(append(want, img.Y...), img.Cb...), img.Cr...)
		}
	}
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-xerror", "-f", "h264", "-i", "-",
		"-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
	cmd.Stdin = bytes.NewReader(stream)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("decoded %d bytes that differ from the %d drawn", len(got), len(want))
	}
}

func TestEncoderRefuses(t *testing.T) {
	for _, size := range [][2]int{{0, 16}, {17, 16}, {16, 0}, {4096, 16}} {
		if _, err := synth.NewEncoder(size[0], size[1]); err == nil {
			t.Errorf("%v: no error", size)
		}
	}
	e, err := synth.NewEncoder(32, 32)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Key(picture(16, 32, 0)); err == nil {
		t.Error("a picture of another size: no error")
	}
}

func TestCameraServes(t *testing.T) {
	draw := func(_ time.Time, img *image.YCbCr) { img.Y[0]++ }
	c, err := synth.New(synth.Options{
		Addr: "127.0.0.1:0", Path: "canary", Username: "u", Password: "p@ss%",
		Width: 64, Height: 48, GOP: 20 * time.Millisecond, Draw: draw,
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx := t.Context()
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	if _, err := describe(t, c.URL(), "u", "wrong"); err == nil {
		t.Fatal("a wrong password was let in")
	} else if _, ok := err.(liberrors.ErrClientBadStatusCode); !ok { //nolint:errorlint // the library returns it bare
		t.Fatalf("wrong password: %v", err)
	}
	keys, err := describe(t, c.URL(), "u", "p%40ss%25")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		<-keys
	}
}

// describe plays a stream and returns a channel that tells of its IDR slices.
func describe(t *testing.T, address, user, password string) (<-chan struct{}, error) {
	t.Helper()
	u, err := base.ParseURL("rtsp://" + user + ":" + password + "@" + address[len("rtsp://"):])
	if err != nil {
		t.Fatal(err)
	}
	tcp := gortsplib.TransportTCP
	client := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Transport: &tcp}
	if err := client.Start2(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	desc, _, err := client.Describe(u)
	if err != nil {
		return nil, err
	}
	if err := client.SetupAll(desc.BaseURL, desc.Medias); err != nil {
		t.Fatal(err)
	}
	keys := make(chan struct{}, 100)
	client.OnPacketRTPAny(func(_ *description.Media, _ format.Format, p *rtp.Packet) {
		if len(p.Payload) > 2 && p.Payload[0]&31 == 28 && p.Payload[1]&0x9f == 0x85 { // first FU-A of an IDR slice
			select {
			case keys <- struct{}{}:
			default:
			}
		}
	})
	if _, err := client.Play(nil); err != nil {
		t.Fatal(err)
	}
	return keys, nil
}

func BenchmarkKey(b *testing.B) {
	e, err := synth.NewEncoder(352, 288)
	if err != nil {
		b.Fatal(err)
	}
	img := picture(352, 288, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Key(img); err != nil {
			b.Fatal(err)
		}
	}
}
