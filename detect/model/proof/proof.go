package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"videopatrol/detect"
	"videopatrol/detect/model"
)

// Result is what a backend made of a model.
type Result struct {
	Backend string `json:"backend"`
	// Problem says why it cannot be used; "" when it can.
	Problem string `json:"problem,omitempty"`
	// Input and Outputs are the network's own.
	Input   model.Value   `json:"input,omitzero"`
	Outputs []model.Value `json:"outputs,omitempty"`
	// Load is how long it took to get ready, Picture the median of the whole
	// path from picture to detections, in ms of processor time.
	Load    float64 `json:"load_ms,omitempty"`
	Picture float64 `json:"picture_ms,omitempty"`
	// Memory is the most that the process had in use, in MiB.
	Memory float64 `json:"memory_mib,omitempty"`
}

// Options are what Run needs. Command is required.
type Options struct {
	// Command starts the child, which calls Serve.
	Command []string
	Backend string
	// Timeout bounds all of it; 0 means one minute.
	Timeout time.Duration
}

const (
	maxAnswer = 1 << 20
	maxWords  = 64 << 10 // of what a library prints
)

// Run has a child try a model. Whatever becomes of the child, the result says
// it in a sentence.
func Run(ctx context.Context, o Options) Result {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	r := Result{Backend: o.Backend}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Command[0], o.Command[1:]...)
	cmd.Env = []string{}
	out, words := &capped{most: maxAnswer}, &capped{most: maxWords}
	cmd.Stdout, cmd.Stderr = out, words
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		r.Problem = fmt.Sprintf("it did not come to an end within %v", o.Timeout)
	case ctx.Err() != nil:
		r.Problem = ctx.Err().Error()
	case err != nil:
		r.Problem = fate(o.Backend, err, words.String())
	default:
		if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Backend != o.Backend {
			r = Result{Backend: o.Backend, Problem: fmt.Sprintf("the process that tried it gave no answer that can be read: %v", err)}
		}
	}
	return r
}

// fate says how a child ended that gave no answer.
func fate(backend string, err error, words string) string {
	how := err.Error()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			how = s.Signal().String()
		}
	}
	// A crash tells its cause first.
	for line := range strings.Lines(words) {
		if line = strings.TrimSpace(line); line != "" {
			return fmt.Sprintf("%s ended the process that tried it (%s): %s", backend, how, line)
		}
	}
	return fmt.Sprintf("%s ended the process that tried it (%s)", backend, how)
}

// capped keeps the first bytes of what is written to it.
type capped struct {
	bytes.Buffer
	most int
}

func (c *capped) Write(b []byte) (int, error) {
	_, _ = c.Buffer.Write(b[:min(len(b), c.most-c.Len())])
	return len(b), nil
}

// ServeOptions are the parts of a child.
type ServeOptions struct {
	Backend model.Backend
	File    model.File
	// Confine gives up files and network; nil leaves everything as it is.
	Confine func() error
	// Pictures is how many are looked at; 0 means 20.
	Pictures int
}

// Serve is the child: it tries the model and writes the result.
func Serve(o ServeOptions, w io.Writer) error {
	if o.Confine != nil {
		if err := o.Confine(); err != nil {
			return fmt.Errorf("confine: %w", err)
		}
	}
	r := Result{Backend: o.Backend.Name()}
	if err := try(o, &r); err != nil {
		r.Problem = err.Error()
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err == nil {
		r.Memory = math.Round(float64(usage.Maxrss)/102.4) / 10
	}
	return json.NewEncoder(w).Encode(r)
}

func try(o ServeOptions, r *Result) error {
	g, err := o.File.CheckGraph()
	if err != nil {
		return err
	}
	r.Input, r.Outputs = g.Inputs[0], g.Outputs
	begin := time.Now()
	s, err := o.Backend.Open(o.File)
	if err != nil {
		return err
	}
	d, err := model.New(model.Options{Manifest: o.File.Manifest, Session: s})
	if err != nil {
		return err
	}
	r.Load = millis(time.Since(begin))
	defer d.Close()
	if o.Pictures == 0 {
		o.Pictures = 20
	}
	looks := []detect.Look{{Picture: noise(704, 576)}}
	took := make([]float64, o.Pictures)
	runtime.LockOSThread() // whose processor time is taken: what else runs does not count
	defer runtime.UnlockOSThread()
	for i := range took {
		begin := threadTime()
		if _, err := d.Detect(looks); err != nil {
			return err
		}
		took[i] = millis(threadTime() - begin)
	}
	slices.Sort(took)
	r.Picture = took[len(took)/2]
	return nil
}

// threadTime is the processor time of this thread.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func millis(d time.Duration) float64 { return math.Round(d.Seconds()*1e5) / 100 }

// noise is a picture that is the same every time.
func noise(w, h int) detect.Picture {
	state := uint32(1)
	plane := func(w, h int) detect.Plane {
		p := detect.Plane{Pix: make([]byte, w*h), Width: w, Height: h, Stride: w}
		for i := range p.Pix {
			state = state*1664525 + 1013904223
			p.Pix[i] = byte(state >> 24)
		}
		return p
	}
	return detect.Picture{Y: plane(w, h), Cb: plane(w/2, h/2), Cr: plane(w/2, h/2)}
}
