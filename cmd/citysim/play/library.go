package play

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"videopatrol/cmd/citysim/scene"
)

// rendererVersion is part of every cached name: raise it when what the
// renderer or the encoder makes has changed.
const rendererVersion = 5

// Library makes GOPs and keeps them on disk, as streams that any player plays,
// so that the next start finds them.
type Library struct {
	dir   string
	slots chan struct{}
}

// NewLibrary returns a library in a directory that renders at most parallel
// cameras at a time.
func NewLibrary(dir string, parallel int) (*Library, error) {
	if dir == "" || parallel < 1 {
		return nil, errors.New("a library wants a directory and at least one renderer")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // made-up pictures are no secret
		return nil, fmt.Errorf("library of scenes: %w", err)
	}
	return &Library{dir: dir, slots: make(chan struct{}, parallel)}, nil
}

func (l *Library) enter(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Library) leave() { <-l.slots }

// load returns a cached reel; any trouble with it means that it must be made.
func (l *Library) load(name string, want int) ([]*GOP, bool) {
	b, err := os.ReadFile(filepath.Join(l.dir, name)) //nolint:gosec // the name is made here
	if err != nil {
		return nil, false
	}
	gops, err := ParseGOPs(b)
	return gops, err == nil && (want == 0 || len(gops) == want)
}

// store writes a reel to the cache, all of it or nothing.
func (l *Library) store(name string, gops []*GOP) error {
	f, err := os.CreateTemp(l.dir, name+".*.tmp")
	if err != nil {
		return fmt.Errorf("keep a scene: %w", err)
	}
	defer os.Remove(f.Name()) // gone already when all went well
	w := bufio.NewWriter(f)
	for _, g := range gops {
		w.Write(g.annexB(g.Units...)) //nolint:errcheck // Flush tells
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("keep a scene: %w", err)
	}
	if err := os.Rename(f.Name(), filepath.Join(l.dir, name)); err != nil {
		return fmt.Errorf("keep a scene: %w", err)
	}
	return nil
}

// Scene returns the GOPs of takes of a scene, rendering those that the
// library does not have.
func (l *Library) Scene(ctx context.Context, kind scene.Kind, seed uint64, takes ...scene.Take) (map[scene.Take][]*GOP, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.leave()
	s := scene.New(kind, seed)
	out := make(map[scene.Take][]*GOP, len(takes))
	var missing []scene.Take
	for _, t := range takes {
		gops, ok := l.load(sceneName(kind, seed, t), s.GOPs(t))
		if !ok {
			missing = append(missing, t)
			continue
		}
		out[t] = gops
	}
	if len(missing) == 0 {
		return out, nil
	}
	gops, err := render(ctx, s, missing)
	if err != nil {
		return nil, fmt.Errorf("render a %s: %w", kind, err)
	}
	for _, t := range missing {
		n := s.GOPs(t)
		if out[t], gops = gops[:n:n], gops[n:]; err == nil {
			err = l.store(sceneName(kind, seed, t), out[t])
		}
	}
	return out, err
}

func sceneName(kind scene.Kind, seed uint64, t scene.Take) string {
	return fmt.Sprintf("v%d-%s-%016x-%s.h264", rendererVersion, kind, seed, t)
}

// render draws takes one after the other and encodes them with one ffmpeg.
//
// The encoder spends more on the first group of what it has not seen before.
// In a take that goes around and around, that group would weigh more at every
// turn, as if something stirred. So each take is preceded by its own last
// group, which is thrown away.
func render(ctx context.Context, s *scene.Scene, takes []scene.Take) ([]*GOP, error) {
	args := append([]string{
		"-f", "rawvideo", "-pix_fmt", "yuvj420p", "-color_range", "pc",
		"-s", fmt.Sprintf("%dx%d", scene.Width, scene.Height), "-r", fmt.Sprint(scene.FrameRate), "-i", "pipe:0",
	}, encodeArgs()...)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := command(ctx, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, explain(err)
	}
	want, drawErr := 0, error(nil)
	painter, frame := s.NewPainter(), scene.NewFrame()
	for _, t := range takes {
		n := s.GOPs(t)
		want += 1 + n
		for i := -1; i < n; i++ {
			for f := 0; f < scene.GOPFrames && drawErr == nil; f++ {
				painter.Draw(frame, t, (i+n)%n, f)
				_, drawErr = in.Write(frame.Pix)
			}
		}
	}
	drawErr = errors.Join(drawErr, in.Close())
	if err := errors.Join(cmd.Wait(), drawErr); err != nil {
		return nil, fmt.Errorf("ffmpeg: %w: %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	all, err := ParseGOPs(out.Bytes())
	if err != nil {
		return nil, err
	}
	if len(all) != want {
		return nil, fmt.Errorf("the encoder made %d GOPs of %d", len(all), want)
	}
	var gops []*GOP
	for _, t := range takes {
		n := 1 + s.GOPs(t)
		gops, all = append(gops, all[1:n]...), all[n:]
	}
	return gops, nil
}

// Frozen returns one GOP that shows the first picture of another one again
// and again, as an encoder does whose sensor hangs.
func (l *Library) Frozen(ctx context.Context, g *GOP) ([]*GOP, error) {
	stream := g.annexB(g.Units[0])
	return l.cached(ctx, "frozen", stream, func() ([]byte, error) {
		filter := fmt.Sprintf("loop=loop=%d:size=1:start=0", 2*scene.GOPFrames)
		return ffmpeg(ctx, stream, append([]string{"-f", "h264", "-i", "pipe:0", "-vf", filter, "-frames:v", fmt.Sprint(2 * scene.GOPFrames)}, encodeArgs()...)...)
	})
}

// clipSeconds is how long every clip is made, and one group for the encoder to
// warm up: long ones are cut, short ones are repeated.
const clipSeconds = "62"

// Clip returns a video file as GOPs, stretched to the size of the scenes as the
// sub-streams of wide cameras are, and cut or repeated to one minute.
func (l *Library) Clip(ctx context.Context, path string) ([]*GOP, error) {
	f, err := os.Open(path) //nolint:gosec // the user named the folder
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("clip %s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("clip %s: %w", path, err)
	}
	key := fmt.Appendf(head, "%d", info.Size())
	gops, err := l.cached(ctx, "clip", key, func() ([]byte, error) {
		filter := fmt.Sprintf("scale=%d:%d:out_range=pc,setsar=1", scene.Width, scene.Height)
		return ffmpeg(ctx, nil, append([]string{"-stream_loop", "-1", "-i", path, "-t", clipSeconds, "-vf", filter}, encodeArgs()...)...)
	})
	if err != nil {
		return nil, fmt.Errorf("clip %s: %w", filepath.Base(path), err)
	}
	return gops, nil
}

// cached returns what was made from a key, or makes it: the first of several
// groups, on which the encoder warms up, is dropped.
func (l *Library) cached(ctx context.Context, kind string, key []byte, produce func() ([]byte, error)) ([]*GOP, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.leave()
	name := fmt.Sprintf("v%d-%s-%x.h264", rendererVersion, kind, sha256.Sum256(key))
	if gops, ok := l.load(name, 0); ok {
		return gops, nil
	}
	b, err := produce()
	if err != nil {
		return nil, err
	}
	gops, err := ParseGOPs(b)
	if err != nil {
		return nil, err
	}
	if len(gops) > 1 {
		gops = gops[1:] // as render does
	}
	return gops, l.store(name, gops)
}

// each runs f for 0 … n-1, several at a time, and returns the first error.
func each(ctx context.Context, n, parallel int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	next := make(chan int)
	for range parallel {
		wg.Go(func() {
			for i := range next {
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
