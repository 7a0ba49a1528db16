package codec_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"videopatrol/detect/codec"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	"videopatrol/streams/streamstest"
)

// stream encodes a moving scene of 320 × 240 pixels by the ffmpeg program, and
// returns its access units and the luma of every picture.
func stream(tb testing.TB, format string, args ...string) (units [][][]byte, lumas [][]byte) {
	tb.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		tb.Skip("ffmpeg is not installed: no bytes to decode")
	}
	file := filepath.Join(tb.TempDir(), "x."+format)
	// Movement, and three hard cuts.
	scene := "testsrc2=s=320x240:r=10:d=1[a];mandelbrot=s=320x240:r=10[b];[b]trim=duration=1[c];testsrc=s=320x240:r=10:d=1[d];" +
		"smptebars=s=320x240:r=10:d=1[e];[a][c][d][e]concat=n=4"
	all := append([]string{"-v", "error", "-f", "lavfi", "-i", scene, "-t", "4", "-pix_fmt", "yuv420p"}, args...)
	if out, err := exec.CommandContext(tb.Context(), "ffmpeg", append(all, "-f", format, file)...).CombinedOutput(); err != nil {
		tb.Skipf("ffmpeg cannot encode %s: %v %s", format, err, out)
	}
	raw, err := exec.CommandContext(tb.Context(), "ffmpeg", "-v", "error", "-f", format, "-i", file, "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-").Output()
	if err != nil {
		tb.Fatal(err)
	}
	for ; len(raw) >= 320*240*3/2; raw = raw[320*240*3/2:] {
		lumas = append(lumas, raw[:320*240])
	}
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	var nalus h264.AnnexB
	if err := nalus.Unmarshal(b); err != nil {
		tb.Fatal(err)
	}
	for _, n := range nalus {
		if n[0]&0x1f == 9 && format == "h264" || n[0]>>1&0x3f == 35 && format == "hevc" { // access unit delimiter
			units = append(units, nil)
			continue
		}
		units[len(units)-1] = append(units[len(units)-1], n)
	}
	return units, lumas
}

// TestStreamsWithoutIDR: pictures that no type marks as key units, taken from
// a session that began after the only IDR picture, decode to the bit as they
// do in the whole stream.
func TestStreamsWithoutIDR(t *testing.T) {
	tests := map[string]struct {
		format string
		args   []string
		least  int // units that must come
	}{
		"H.264, open GOP":           {"h264", []string{"-c:v", "libx264", "-x264-params", "aud=1:open-gop=1:keyint=10:min-keyint=10:bframes=2:scenecut=0"}, 2},
		"H.264, open GOP, 4 slices": {"h264", []string{"-c:v", "libx264", "-x264-params", "aud=1:open-gop=1:keyint=10:min-keyint=10:bframes=2:scenecut=0:slices=4"}, 2},
		"H.264, I pictures at cuts": {"h264", []string{"-c:v", "libx264", "-x264-params", "aud=1:keyint=infinite:min-keyint=1000:scenecut=60:bframes=0"}, 1},
		"H.264, all intra refresh":  {"h264", []string{"-c:v", "libx264", "-x264-params", "aud=1:intra-refresh=1:keyint=10:bframes=0:scenecut=0"}, 0},
		"H.265, open GOP":           {"hevc", []string{"-c:v", "libx265", "-x265-params", "log-level=none:aud=1:open-gop=1:keyint=10:min-keyint=10:bframes=2:scenecut=0"}, 2},
		"H.265, I pictures at cuts": {"hevc", []string{"-c:v", "libx265", "-x265-params", "log-level=none:aud=1:keyint=1000:min-keyint=1000:scenecut=90:bframes=3"}, 2},
		"H.265, the same, 4 slices": {"hevc", []string{"-c:v", "libx265", "-x265-params", "log-level=none:aud=1:keyint=1000:min-keyint=1000:scenecut=90:bframes=3:slices=4"}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			units, lumas := stream(t, tt.format, tt.args...)
			cam := streamstest.New(t, streamstest.Options{H265: tt.format == "hevc", NoParams: true})
			opener, err := rtsp.New(rtsp.Options{Latency: -1})
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan streams.Unit, len(units))
			drops := make(chan streams.Reason, len(units))
			s, err := opener.Open(t.Context(), streams.Target{URL: cam.URL()}, streams.Receiver{
				Unit:    func(u streams.Unit) { got <- u },
				Dropped: func(r streams.Reason, why string) { drops <- r; t.Log(r, why) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for i, u := range units {
				if i == 0 {
					u = params(u, tt.format)
				}
				if err := cam.Send(u); err != nil {
					t.Fatal(err)
				}
			}
			// A marked key unit at the end tells that all before it was read.
			key := cam.KeyUnit(1)
			if err := cam.Send(key); err != nil {
				t.Fatal(err)
			}
			d := newDecoders(t, codec.Options{})
			n := 0
			for u := range got {
				if bytes.Equal(u.NALUs[len(u.NALUs)-1], key[len(key)-1]) {
					break
				}
				n++
				p, err := d.Decode(u)
				if err != nil {
					t.Errorf("unit %d: %v", n, err)
					continue
				}
				if !oneOf(luma(p), lumas) {
					t.Errorf("unit %d decodes to another picture than in the stream", n)
				}
			}
			t.Logf("%d units of %d pictures", n, len(units))
			if n < tt.least {
				t.Errorf("%d units, want %d", n, tt.least)
			}
			if tt.least == 0 && (n != 0 || len(drops) != 1 || <-drops != streams.ReasonNoKeyUnit) {
				t.Errorf("%d units and no word of the intra refresh", n)
			}
		})
	}
}

// params are the parameter sets of a unit.
func params(unit [][]byte, format string) [][]byte {
	var out [][]byte
	for _, n := range unit {
		if t := n[0] & 0x1f; format == "h264" && (t == 7 || t == 8) {
			out = append(out, n)
		}
		if t := n[0] >> 1 & 0x3f; format == "hevc" && t >= 32 && t <= 34 {
			out = append(out, n)
		}
	}
	return out
}

func oneOf(p []byte, all [][]byte) bool {
	for _, a := range all {
		if bytes.Equal(p, a) {
			return true
		}
	}
	return false
}

// TestMotionJPEG: what a session makes of a JPEG stream decodes.
func TestMotionJPEG(t *testing.T) {
	cam := streamstest.New(t, streamstest.Options{MJPEG: true})
	opener, err := rtsp.New(rtsp.Options{Latency: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan streams.Unit, 10)
	s, err := opener.Open(t.Context(), streams.Target{URL: cam.URL()}, streams.Receiver{Unit: func(u streams.Unit) { got <- u }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := newDecoders(t, codec.Options{})
	for _, fill := range []byte{40, 120, 200} {
		if err := cam.Send(cam.KeyUnit(fill)); err != nil {
			t.Fatal(err)
		}
		p, err := d.Decode(<-got)
		if err != nil || !within(p, int(fill)+8) || p.Y.Width != 320 || p.Y.Height != 240 || !p.FullRange {
			t.Fatalf("%d × %d, in range %v, %v", p.Y.Width, p.Y.Height, within(p, int(fill)+8), err)
		}
	}
}
