package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/streams"
)

// The test binary is its own child: "child MODE" makes it one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "child" {
		os.Exit(child(os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

// serveReal is a child that decodes and judges; a build without cgo has none.
var serveReal = func(worker.ServeOptions) error { return errors.New("built without cgo") }

func command(mode string) []string { return []string{os.Args[0], "child", mode} }

func child(mode string) int {
	o := worker.ServeOptions{
		Decoder: decoder{}, NewWatcher: newWatcher, CheckpointEvery: time.Nanosecond,
		Memory: -1, // the race detector needs terabytes of address space
	}
	var err error
	switch mode {
	case "serve":
	case "unfiltered":
		o.Unfiltered = true
	case "throttled":
		o.CheckpointEvery = time.Hour
	case "poor":
		o.Memory = 512 << 20
	case "brief":
		go func() {
			time.Sleep(time.Millisecond)
			os.Exit(0)
		}()
	case "gateway":
		err = gateway()
		fallthrough
	case "broken":
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return 1
	case "real":
		if err := serveReal(o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	default:
		marker, deaf := strings.CutPrefix(mode, "deaf once:")
		if !deaf {
			return lie(mode)
		}
		if f, err := os.OpenFile(marker, os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			f.Close()
			return turnDeaf()
		}
	}
	if err := worker.Serve(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// gateway is a parent that says its child's pid and waits to be killed.
func gateway() error {
	pids := make(chan string, 1)
	p, err := worker.New(worker.Options{
		Command: command("unfiltered"), Workers: 1, Timeout: time.Minute,
		Reporter: detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil }),
		Seen:     func(r detect.Result) { pids <- r.Undecodable },
	})
	if err != nil {
		return err
	}
	p.Reconcile([]detect.Config{{Camera: "a"}, {Camera: "b"}})
	p.Offer(sample("a", "pid"))
	p.Offer(sample("b", "stop"))
	go func() { fmt.Fprintln(os.Stdout, <-pids) }()
	return p.Run(context.Background())
}

// turnDeaf is a child that is ready and then reads nothing.
func turnDeaf() int {
	os.Stdin.Close()
	_, _ = os.Stdout.Write(worker.HelloMessage(1))
	signal.Ignore(syscall.SIGTERM)
	time.Sleep(time.Minute)
	return 0
}

// lie is a child that says hello and then answers what no honest child does.
func lie(mode string) int {
	signal.Ignore(syscall.SIGPIPE)
	version := 1
	if mode == "version" {
		version = 99
	}
	_, _ = os.Stdout.Write(worker.HelloMessage(version))
	var prefix [8]byte
	if _, err := io.ReadFull(os.Stdin, prefix[:]); err != nil {
		return 0
	}
	now := time.Now()
	var b []byte
	switch mode {
	case "garbage":
		b = bytes.Repeat([]byte("garbage"), 100)
	case "oversize":
		b = bytes.Repeat([]byte{0xff}, 8)
	case "hello":
		b = worker.HelloMessage(1)
	case "other":
		b = worker.ResultMessage(detect.Result{Camera: "someone", Received: now}, nil)
	case "half":
		b = worker.ResultMessage(detect.Result{Camera: "a", Received: now}, nil)[:20]
	}
	_, _ = os.Stdout.Write(b)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// decoder does what the sample's first NAL unit says.
type decoder struct{}

func (decoder) Close() {}

func (d decoder) Glance(u streams.Unit) (detect.Picture, error) { return d.Decode(u) }

func (decoder) Decode(u streams.Unit) (detect.Picture, error) {
	word, rest, _ := strings.Cut(string(u.NALUs[0]), " ")
	switch word {
	case "corrupt":
		return detect.Picture{}, errors.New("no picture in it")
	case "kill":
		return detect.Picture{}, killed(syscall.SIGKILL)
	case "abort":
		fmt.Fprintln(os.Stderr, "terminate called after throwing an instance of 'cv::Exception'")
		return detect.Picture{}, killed(syscall.SIGABRT)
	case "stop":
		return detect.Picture{}, killed(syscall.SIGSTOP)
	case "spin":
		for n := 0; n >= 0; n++ { // hangs for longer than anyone waits
			n &= 0xffff
		}
	case "panic":
		panic("a hole in a decoder")
	case "exit":
		os.Exit(0)
	case "eat":
		var b [][]byte
		for {
			b = append(b, bytes.Repeat([]byte{1}, 1<<20))
			if len(b) > 4096 {
				return detect.Picture{}, errors.New("it ate 4 GiB")
			}
		}
	case "slow":
		time.Sleep(300 * time.Millisecond)
		return detect.Picture{Y: detect.Plane{Pix: []byte(rest), Width: 1, Height: 1, Stride: 1}}, nil
	case "print":
		for range 1000 {
			fmt.Println(strings.Repeat("x", 5000))
		}
	case "tell":
		return detect.Picture{}, errors.New(tell(rest))
	case "pid":
		return detect.Picture{}, fmt.Errorf("%d", os.Getpid())
	}
	return detect.Picture{Y: detect.Plane{Pix: u.NALUs[0], Width: 1, Height: 1, Stride: 1}}, nil
}

// killed waits for a signal to end this process; a signal may take a moment.
func killed(s syscall.Signal) error {
	err := syscall.Kill(os.Getpid(), s)
	time.Sleep(time.Hour)
	return err
}

// tell tries to get out of the worker and tells how it went.
func tell(what string) string {
	word, rest, _ := strings.Cut(what, " ")
	var err error
	switch word {
	case "env":
		return fmt.Sprint(len(os.Environ()))
	case "dial":
		var c net.Conn
		if c, err = net.DialTimeout("tcp", rest, time.Second); err == nil {
			c.Close()
		}
	case "read":
		_, err = os.ReadFile(rest)
	case "write":
		err = os.WriteFile(rest, []byte("x"), 0o600)
	case "exec":
		_, err = os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	case "signal":
		err = syscall.Kill(os.Getppid(), 0)
	case "fds":
		var fds []string
		for fd := range 64 {
			var st syscall.Stat_t
			if syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT != 0 {
				fds = append(fds, fmt.Sprintf("%o", st.Mode&syscall.S_IFMT))
			}
		}
		return strings.Join(fds, " ")
	case "zone":
		_, err = time.LoadLocation(rest)
	}
	if err != nil {
		return "refused: " + err.Error()
	}
	return "done"
}

// picture is the smallest thing that passes for a JPEG here.
var picture = []byte{0xff, 0xd8, 0xff, 0xd9}

// watcher is a camera's memory in a test.
type watcher struct {
	config detect.Config
	state  struct {
		Began time.Time
		Seen  int
	}
	forgetful bool // its checkpoint cannot be restored
}

func newWatcher(c detect.Config) (worker.Watcher, error) {
	w := &watcher{}
	return w, w.Configure(c)
}

func (w *watcher) Configure(c detect.Config) error {
	if c.TimeZone == "Nowhere" {
		return errors.New("no such time zone")
	}
	w.config = c
	for _, r := range c.Running {
		if r.Key.Zone == "z" && w.state.Seen == 0 {
			w.state.Began = r.Began
		}
	}
	return nil
}

func (w *watcher) Checkpoint() []byte {
	if w.forgetful {
		return []byte("no checkpoint")
	}
	b, err := json.Marshal(w.state)
	if err != nil {
		panic(err)
	}
	return b
}

func (w *watcher) Restore(b []byte) error { return json.Unmarshal(b, &w.state) }

// See does what the picture says. Sharp tells how many pictures the memory
// goes back, Luma the number of zones of the config.
func (w *watcher) See(p detect.Picture, received time.Time) (detect.Result, error) {
	w.state.Seen++
	r := detect.Result{
		Still:  slices.Clone(picture),
		Stages: map[string]float64{"motion": 0.001},
		Scene:  detect.Scene{Sharp: float64(w.state.Seen), Luma: float64(len(w.config.Zones))},
	}
	if p.Unwatched {
		r.Still = nil
	}
	word, rest, _ := strings.Cut(string(p.Y.Pix), " ")
	if w.forgetful = word == "forgetful"; w.forgetful {
		word = rest
	}
	var phase detect.Phase
	switch word {
	case "dark":
		r.Scene.Fault = detect.SceneDark
	case "running":
		r.Scene.Luma = float64(len(w.config.Running))
		for _, c := range w.config.Running {
			if c.Key.Zone == "z" {
				r.Scene.Since = c.Began
			}
		}
	case "unfit":
		return r, errors.New("no JPEG of it")
	case "begin":
		phase, w.state.Began = detect.PhaseBegin, received
	case "continue":
		phase = detect.PhaseContinue
	case "end":
		phase = detect.PhaseEnd
	}
	if phase != "" {
		r.Findings = []detect.Finding{{
			Camera: w.config.Camera, Zone: "z", Rule: detect.RuleRef{ID: "intrusion", Version: 1},
			Kind: detect.KindIntrusion, Phase: phase, Began: w.state.Began, At: received, Score: 1,
			Why: detect.Text{ZH: "有人", EN: "something moves"}, Boxes: []detect.Box{{W: 0.5, H: 0.5}},
			Picture: slices.Clone(picture),
		}}
	}
	return r, nil
}

func sample(camera, word string) streams.Sample {
	return streams.Sample{Camera: camera, Seq: 1, Unit: streams.Unit{
		Codec: streams.CodecH264, Params: [][]byte{{0x67, 1}, {0x68, 2}}, NALUs: [][]byte{[]byte(word)},
		Received: time.Now().Round(0).UTC(),
	}}
}
