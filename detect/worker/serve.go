package worker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"videopatrol/detect"
	"videopatrol/detect/model"
	"videopatrol/streams"
)

// A Watcher is one camera's memory; detect.Watch is one.
type Watcher interface {
	// See judges a picture. After an error the watcher is not used any more:
	// a new one is restored with the next sample.
	See(p detect.Picture, received time.Time) (detect.Result, error)
	// Configure takes a changed config.
	Configure(c detect.Config) error
	// Checkpoint returns the memory in at most 128 KiB.
	Checkpoint() []byte
	// Restore takes the memory of an earlier watch. After an error the
	// watcher is not used any more.
	Restore(b []byte) error
}

// A Stiller is a Watcher that makes pictures without judging; detect.Watch is
// one. Without it Pool.Still has only the pictures that come with samples.
type Stiller interface {
	// Still returns the picture as JPEG, masked, and changes no memory.
	Still(p detect.Picture) ([]byte, error)
}

// An Explainer is a Watcher that tells what it makes of its camera;
// detect.Watch is one. Without it Pool.Explain has nothing to tell.
type Explainer interface {
	// Explain draws on the picture, which is that of a sample received then, and
	// changes no memory.
	Explain(p detect.Picture, received time.Time) (detect.Explanation, error)
}

// ServeOptions are the parts of a child.
type ServeOptions struct {
	// Decoder and NewWatcher are required.
	Decoder    detect.Decoder
	NewWatcher func(detect.Config) (Watcher, error)
	// Looks returns what a model was asked since it was last called; nil where
	// there is none.
	Looks func() model.Counts
	// CheckpointEvery is how often at most a camera's memory goes to the
	// parent while no condition begins or ends; 0 means 50 s, so that at any
	// usual interval none is older than a minute.
	CheckpointEvery time.Duration
	// Memory caps the bytes of private memory (RLIMIT_DATA); 0 means 2 GiB,
	// below 0 no cap.
	Memory int64
	// Unfiltered leaves out the system call filter, for tests of what else
	// holds a child.
	Unfiltered bool
}

// Serve is the child: it confines this process for good, so it must own it,
// and then judges samples until its standard input ends or ctx does. It
// ignores SIGINT, SIGTERM and SIGHUP, since its parent ends it. What must be
// read from disk, such as a model, is read before.
func Serve(ctx context.Context, o ServeOptions) error {
	if o.Decoder == nil || o.NewWatcher == nil {
		return errors.New("worker: Decoder and NewWatcher are required")
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = 50 * time.Second
	}
	if o.Memory == 0 {
		o.Memory = 2 << 30
	}
	runtime.GOMAXPROCS(2) // one for the sample, one for the collector
	in, out, err := stdio()
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	defer in.Close()
	defer out.Close()
	defer context.AfterFunc(ctx, func() { in.Close() })()

	h := hello{Version: protocolVersion}
	if err := confine(o); err != nil {
		h.Unfiltered = err.Error()
	} else {
		h.Filtered = true
	}
	s := server{o: o, watches: make(map[string]*watch)}
	if err := s.serve(in, out, h); err != nil && ctx.Err() == nil {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

// stdio takes over standard input and output, and lets everything that a
// library prints go to standard error instead of into an answer.
func stdio() (in, out *os.File, err error) {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, nil, fmt.Errorf("standard output: %w", err)
	}
	if err := unix.Dup3(2, 1, 0); err != nil {
		return nil, nil, fmt.Errorf("standard output: %w", err)
	}
	for _, fd := range []int{0, fd} {
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, nil, fmt.Errorf("standard input and output: %w", err)
		}
	}
	return os.NewFile(0, "requests"), os.NewFile(uintptr(fd), "answers"), nil
}

// Confine gives up for good what a process has no need of that computes on
// others' bytes, as Serve does: files, network, programs, and private memory
// above so many bytes; below 0 there is no cap.
func Confine(memory int64) error { return confine(ServeOptions{Memory: memory}) }

// confine gives up what a decoder has no need of.
func confine(o ServeOptions) error {
	unix.Umask(0o077)
	// The kernel kills a worker before the gateway when memory runs out. It
	// is a courtesy, so where there is no /proc it is left out.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
	limits := map[int]int64{unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_NOFILE: 64, unix.RLIMIT_DATA: o.Memory}
	for resource, n := range limits {
		if n < 0 {
			continue
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(resource, &now); err != nil {
			return fmt.Errorf("limit %d: %w", resource, err)
		}
		most := min(uint64(n), now.Max) // a stricter limit stays
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("limit %d: %w", resource, err)
		}
	}
	if o.Unfiltered {
		return errors.New("switched off")
	}
	return applyFilter()
}

type server struct {
	o       ServeOptions
	watches map[string]*watch
}

type watch struct {
	Watcher
	saved time.Time
}

func (s *server) serve(in io.Reader, out io.Writer, h hello) error {
	var buf bytes.Buffer
	r := bufio.NewReaderSize(in, 64<<10)
	a := &answer{Hello: &h}
	for {
		if err := encodeAnswer(&buf, a); err != nil {
			return err
		}
		if _, err := out.Write(buf.Bytes()); err != nil {
			return fmt.Errorf("write an answer: %w", err)
		}
		q, err := decodeRequest(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		a = s.handle(q)
		if s.o.Looks != nil {
			if c := s.o.Looks(); len(c.Asked) > 0 || c.Batches > 0 {
				a.Looks = &c
			}
		}
	}
}

func (s *server) handle(q *request) *answer {
	for _, camera := range q.Forget {
		delete(s.watches, camera)
	}
	var a answer
	if q.Op == opSave {
		if w := s.watches[q.Camera]; w != nil {
			a.checkpoint = w.checkpoint()
		}
		return &a
	}
	w, err := s.watch(q, &a)
	if err != nil {
		// An old config has old masks, so its watch must not look either.
		delete(s.watches, q.Camera)
		a.Refused = shorten(err.Error())
		return &a
	}
	if q.Op == opStill {
		r := s.still(w, q.unit)
		r.Camera, r.Received = q.Camera, q.Received
		a.Result = &r
		return &a
	}
	if q.Op == opExplain {
		r := detect.Result{Camera: q.Camera, Received: q.Received}
		e, err := s.explain(w, q)
		if a.Explanation = e; err != nil {
			r.Undecodable = shorten(err.Error())
		}
		a.Result = &r
		return &a
	}
	r, err := s.see(w, q)
	if err != nil {
		// Its memory may have moved on past findings that nobody got.
		delete(s.watches, q.Camera)
		a.Dropped = true
		r.Undecodable = shorten(err.Error())
	}
	r.Camera, r.Received = q.Camera, q.Received
	a.Result = &r
	if now := time.Now(); r.Undecodable == "" && (turned(r.Findings) || now.Sub(w.saved) >= s.o.CheckpointEvery) {
		w.saved = now
		a.checkpoint = w.checkpoint()
	}
	return &a
}

// watch returns the camera's watch with the config that the parent wants.
func (s *server) watch(q *request, a *answer) (*watch, error) {
	w := s.watches[q.Camera]
	switch {
	case w == nil && q.Config == nil:
		return nil, errors.New("no watch and no config")
	case w != nil && q.Config != nil:
		if err := w.Configure(*q.Config); err != nil {
			return nil, fmt.Errorf("configure: %w", err)
		}
	case w == nil:
		made, err := s.o.NewWatcher(*q.Config)
		if err == nil && len(q.checkpoint) > 0 {
			if lost := made.Restore(q.checkpoint); lost != nil {
				a.Forgot = shorten(lost.Error())
				made, err = s.o.NewWatcher(*q.Config)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("new watch: %w", err)
		}
		w = &watch{Watcher: made}
		s.watches[q.Camera] = w
	}
	return w, nil
}

// see decodes and judges. A unit that does not decode is a result; an error
// means that the watch failed.
func (s *server) see(w *watch, q *request) (detect.Result, error) {
	start := time.Now()
	p, err := s.o.Decoder.Glance(q.unit)
	if err != nil {
		return detect.Result{Undecodable: shorten(err.Error())}, nil
	}
	decode := time.Since(start).Seconds()
	p.Unwatched = q.Unwatched
	r, err := w.See(p, q.Received)
	if err != nil {
		return detect.Result{}, err
	}
	if r.Stages == nil {
		r.Stages = make(map[string]float64, 1)
	}
	r.Stages[stageDecode] = decode
	return r, nil
}

// still makes the masked picture of a unit, or says why there is none.
func (s *server) still(w *watch, u streams.Unit) (r detect.Result) {
	draws, ok := w.Watcher.(Stiller)
	if !ok {
		r.Undecodable = "this watcher makes no pictures"
		return r
	}
	p, err := s.o.Decoder.Decode(u)
	if err == nil {
		r.Still, err = draws.Still(p)
	}
	if err != nil {
		r.Undecodable = shorten(err.Error())
	}
	return r
}

// explain tells what the watch makes of its camera.
func (s *server) explain(w *watch, q *request) (*detect.Explanation, error) {
	tells, ok := w.Watcher.(Explainer)
	if !ok {
		return nil, errors.New("this watcher explains nothing")
	}
	p, err := s.o.Decoder.Decode(q.unit)
	if err != nil {
		return nil, err
	}
	e, err := tells.Explain(p, q.Received)
	if err != nil {
		return nil, err
	}
	return &e, nil
}

// checkpoint is nil when the watch has none of an allowed size.
func (w *watch) checkpoint() []byte {
	if b := w.Checkpoint(); len(b) <= maxCheckpoint {
		return b
	}
	return nil
}
