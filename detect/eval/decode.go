package eval

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"strings"

	"videopatrol/detect"
)

// decode runs ffmpegs one behind the other and yields the pictures of the last
// one; their planes are overwritten by the next.
func decode(ctx context.Context, all ...[]string) iter.Seq2[detect.Picture, error] {
	return func(yield func(detect.Picture, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var waits []func() error
		defer func() {
			cancel()
			for _, wait := range waits {
				_ = wait()
			}
		}()
		var out io.ReadCloser
		for i, args := range all {
			args = append([]string{"-nostdin", "-v", "error", "-threads", "1"}, args...)
			if i == len(all)-1 {
				args = append(args, "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-")
			}
			cmd := exec.CommandContext(ctx, "ffmpeg", args...)
			var said bytes.Buffer
			cmd.Stderr = &said
			if out != nil {
				cmd.Stdin = out
			}
			next, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				yield(detect.Picture{}, fmt.Errorf("ffmpeg: %w", err))
				return
			}
			if out != nil {
				out.Close() // the command holds it
			}
			out = next
			waits = append(waits, func() error {
				if err := cmd.Wait(); err != nil {
					return fmt.Errorf("ffmpeg %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
				}
				return nil
			})
		}
		for p, err := range y4m(bufio.NewReaderSize(out, 1<<20)) {
			if err != nil && ctx.Err() == nil {
				// What ffmpeg says tells more than a pipe that ended.
				for _, wait := range waits {
					err = errors.Join(wait(), err)
				}
				waits = nil
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
		for _, wait := range waits {
			if err := wait(); err != nil {
				yield(detect.Picture{}, err)
			}
		}
		waits = nil
	}
}

// y4m reads pictures, YCbCr 4:2:0 of 8 bits, in the form of mjpegtools'
// yuv4mpeg(5).
func y4m(r *bufio.Reader) iter.Seq2[detect.Picture, error] {
	return func(yield func(detect.Picture, error) bool) {
		var w, h int
		head, err := r.ReadString('\n')
		if err != nil {
			yield(detect.Picture{}, errors.New("no picture came"))
			return
		}
		for field := range strings.FieldsSeq(head) {
			switch field[0] {
			case 'W':
				_, _ = fmt.Sscanf(field, "W%d", &w)
			case 'H':
				_, _ = fmt.Sscanf(field, "H%d", &h)
			}
		}
		if w < detect.MinSide || h < detect.MinSide || w > detect.MaxSide || h > detect.MaxSide {
			yield(detect.Picture{}, fmt.Errorf("pictures of %d × %d pixels: each side must be %d to %d", w, h, detect.MinSide, detect.MaxSide))
			return
		}
		cw, ch := (w+1)/2, (h+1)/2
		buf := make([]byte, w*h+2*cw*ch)
		for {
			if _, err := r.ReadString('\n'); err != nil {
				return // ends between two pictures
			}
			if _, err := io.ReadFull(r, buf); err != nil {
				yield(detect.Picture{}, fmt.Errorf("a picture was cut off: %w", err))
				return
			}
			p := detect.Picture{
				Y:  detect.Plane{Pix: buf[:w*h], Width: w, Height: h, Stride: w},
				Cb: detect.Plane{Pix: buf[w*h : w*h+cw*ch], Width: cw, Height: ch, Stride: cw},
				Cr: detect.Plane{Pix: buf[w*h+cw*ch:], Width: cw, Height: ch, Stride: cw},
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}
