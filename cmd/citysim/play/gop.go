package play

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"sync"

	"videopatrol/cmd/citysim/scene"
)

// GOP is a closed group of pictures: two seconds of H.264 that decode alone.
type GOP struct {
	SPS, PPS []byte
	// Units are its pictures, one NAL unit each; the first is an IDR picture.
	Units [][]byte

	once      sync.Once // guards varied and variedErr
	varied    [looks][]byte
	variedErr error

	still     sync.Mutex
	stillJPEG []byte
}

// NAL unit types of ITU-T H.264, table 7-1.
const (
	nalSlice = 1
	nalIDR   = 5
	nalSPS   = 7
	nalPPS   = 8
)

// ParseGOPs splits an Annex B stream (ITU-T H.264, annex B) of closed GOPs of
// scene.GOPFrames pictures, one slice each. Parts of a last GOP are dropped.
func ParseGOPs(stream []byte) ([]*GOP, error) {
	var sps, pps []byte
	var gops []*GOP
	for len(stream) > 0 {
		var unit []byte
		if unit, stream = nextNAL(stream); len(unit) == 0 {
			continue
		}
		switch unit[0] & 0x1f {
		case nalSPS:
			sps = unit
		case nalPPS:
			pps = unit
		case nalIDR:
			if len(sps) < 4 || len(pps) == 0 {
				return nil, errors.New("an IDR picture without parameter sets before it")
			}
			gops = append(gops, &GOP{SPS: sps, PPS: pps, Units: [][]byte{unit}})
		case nalSlice:
			if len(gops) == 0 {
				return nil, errors.New("the stream does not begin with an IDR picture")
			}
			last := gops[len(gops)-1]
			last.Units = append(last.Units, unit)
		default: // messages and delimiters
		}
	}
	if n := len(gops); n > 0 && len(gops[n-1].Units) < scene.GOPFrames {
		gops = gops[:n-1]
	}
	for i, g := range gops {
		if len(g.Units) != scene.GOPFrames {
			return nil, fmt.Errorf("GOP %d has %d pictures, want %d", i, len(g.Units), scene.GOPFrames)
		}
	}
	if len(gops) == 0 {
		return nil, errors.New("no whole GOP in the stream")
	}
	return gops, nil
}

var startCode = []byte{0, 0, 1}

// nextNAL returns the first NAL unit of an Annex B stream and what follows it.
func nextNAL(stream []byte) (unit, rest []byte) {
	begin := bytes.Index(stream, startCode)
	if begin < 0 {
		return nil, nil
	}
	stream = stream[begin+3:]
	end := bytes.Index(stream, startCode)
	if end < 0 {
		return bytes.TrimRight(stream, "\x00"), nil
	}
	return bytes.TrimRight(stream[:end], "\x00"), stream[end:]
}

// annexB returns units with the GOP's parameter sets before them as a stream.
func (g *GOP) annexB(units ...[]byte) []byte {
	var b []byte
	for _, u := range append([][]byte{g.SPS, g.PPS}, units...) {
		b = append(append(b, 0, 0, 0, 1), u...)
	}
	return b
}

// Bytes is the size of the GOP's pictures.
func (g *GOP) Bytes() int {
	n := 0
	for _, u := range g.Units {
		n += len(u)
	}
	return n
}

// Still returns the GOP's first picture as JPEG.
func (g *GOP) Still(ctx context.Context) ([]byte, error) {
	g.still.Lock()
	defer g.still.Unlock()
	if g.stillJPEG != nil {
		return g.stillJPEG, nil
	}
	out, err := ffmpeg(ctx, g.annexB(g.Units[0]),
		"-f", "h264", "-i", "pipe:0", "-frames:v", "1", "-f", "mjpeg", "-q:v", "4", "pipe:1")
	if err != nil {
		return nil, fmt.Errorf("make a still: %w", err)
	}
	g.stillJPEG = out
	return out, nil
}

// encodeArgs are ffmpeg's arguments from pictures to a stream of closed GOPs.
func encodeArgs() []string {
	gop := strconv.Itoa(scene.GOPFrames)
	return []string{
		"-an", "-sn", "-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-threads", "1",
		"-pix_fmt", "yuvj420p", "-color_range", "pc", "-r", strconv.Itoa(scene.FrameRate),
		"-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-bf", "0",
		"-crf", "26", "-maxrate", "400k", "-bufsize", "800k",
		"-x264-params", "repeat-headers=1:open-gop=0:sliced-threads=0:slices=1", "-f", "h264", "pipe:1",
	}
}

// ffmpeg runs ffmpeg on what stdin holds and returns what it wrote.
func ffmpeg(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := command(ctx, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.Output()
	return out, explain(err)
}

func command(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{"-v", "error", "-nostdin"}, args...)
	return exec.CommandContext(ctx, "ffmpeg", args...) //nolint:gosec // arguments are ours, the program is fixed
}

// explain adds what ffmpeg said to its exit status.
func explain(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("ffmpeg is needed to make the scenes: install it (apt install ffmpeg): %w", err)
	case errors.As(err, &exit) && len(exit.Stderr) > 0:
		return fmt.Errorf("ffmpeg: %w: %s", err, bytes.TrimSpace(exit.Stderr))
	default:
		return fmt.Errorf("ffmpeg: %w", err)
	}
}
