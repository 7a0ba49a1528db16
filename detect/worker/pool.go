package worker

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"videopatrol/detect"
	"videopatrol/detect/model"
	"videopatrol/streams"
)

// Options are what a Pool needs.
type Options struct {
	// Command is the argv of a child, which calls Serve: this binary's path
	// and "worker". Required.
	Command []string
	// Env is a child's whole environment; none is best.
	Env []string
	// Workers is the number of children; 0 means one per CPU.
	Workers int
	// Timeout is how long a child may take over one sample; 0 means 1.5 s.
	Timeout time.Duration
	// StartTimeout is how long a child may take to get ready; 0 means 10 s.
	StartTimeout time.Duration
	// ShutdownGrace is how long the sample in flight, its findings and the
	// last checkpoints may take once Run's context has ended; 0 means 2 s.
	ShutdownGrace time.Duration
	// MediaMemory caps the encoded bytes of all pending samples; 0 means
	// 256 MiB. Every worker has an equal part of it, but no less than one
	// sample of 8 MiB; beyond it its oldest samples go.
	MediaMemory int64
	// Looked hears what models were asked; nil means that nobody wants to know.
	Looked func(model.Counts)
	// StillMemory caps the bytes of the cameras' newest key units, and of the
	// pictures made of them, that are kept for Still. Every worker has an equal
	// part of it; beyond it the oldest go. While it is above 0 a Result brings
	// its Still only when a finding carries it, or when somebody has asked for
	// the camera's within the last 30 s. 0 keeps nothing, and every Result
	// brings its Still.
	StillMemory int64
	// Isolation is IsolationPreferred unless set.
	Isolation Isolation

	// Reporter takes the findings, in order per camera. Required. While it
	// blocks, the cameras of one worker wait.
	Reporter detect.Reporter
	// Verdict hears what became of each sample that was taken out of its
	// slot. Seen hears each result of a wanted camera, after its findings
	// were reported. Both are called by the workers' lanes, at the same time
	// for different cameras, and must not block; nil is allowed.
	Verdict func(streams.Verdict)
	Seen    func(detect.Result)

	// QuarantineDir keeps the samples that ended a worker, and what is known
	// of it: at most 64 samples, 128 MiB and a week. "" keeps none.
	QuarantineDir string
	// CheckpointDir keeps the cameras' memories over a restart of the
	// gateway. "" keeps them in memory only.
	CheckpointDir string

	Log        *slog.Logger          // nil means none
	Registerer prometheus.Registerer // nil means none
	Now        func() time.Time      // nil means time.Now
}

// A Pool drives the children and shares the cameras out among them. It is a
// streams.Sink.
type Pool struct {
	o          Options
	metrics    *metrics
	quarantine *quarantine // nil: nothing is kept
	lanes      []*lane
}

var _ streams.Sink = (*Pool)(nil)

// New checks the options and makes their directories. Nothing runs before Run.
func New(o Options) (*Pool, error) {
	if len(o.Command) == 0 || o.Reporter == nil {
		return nil, errors.New("worker: Command and Reporter are required")
	}
	path, err := exec.LookPath(o.Command[0])
	if err == nil {
		path, err = filepath.Abs(path) // a child starts in /
	}
	if err != nil {
		return nil, fmt.Errorf("worker: the command of a child: %w", err)
	}
	o.Command = append([]string{path}, o.Command[1:]...)
	switch o.Isolation {
	case "":
		o.Isolation = IsolationPreferred
	case IsolationPreferred, IsolationRequired:
	default:
		return nil, fmt.Errorf("worker: no such isolation %q (want %q or %q)", o.Isolation, IsolationPreferred, IsolationRequired)
	}
	if o.Workers < 0 || o.Workers > 1024 || o.Timeout < 0 || o.MediaMemory < 0 || o.StillMemory < 0 {
		return nil, errors.New("worker: Workers wants 0 to 1024, Timeout, MediaMemory and StillMemory want 0 or more")
	}
	setDefaults(&o)
	for _, dir := range []string{o.QuarantineDir, o.CheckpointDir} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("worker: %w", err)
		}
	}
	p := &Pool{o: o, metrics: newMetrics(o.Registerer)}
	if o.QuarantineDir != "" {
		p.quarantine = &quarantine{dir: o.QuarantineDir}
	}
	weak := &sync.Once{}
	for i := range o.Workers {
		p.lanes = append(p.lanes, &lane{
			table: newTable(), o: o, log: o.Log.With("worker", i), metrics: p.metrics, quarantine: p.quarantine, weak: weak,
			meter: &meter{now: o.Now},
		})
	}
	p.metrics.collect(o.Registerer, p)
	return p, nil
}

func setDefaults(o *Options) {
	if o.Workers == 0 {
		o.Workers = runtime.NumCPU()
	}
	if o.Timeout == 0 {
		o.Timeout = 1500 * time.Millisecond
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 10 * time.Second
	}
	if o.ShutdownGrace == 0 {
		o.ShutdownGrace = 2 * time.Second
	}
	if o.MediaMemory == 0 {
		o.MediaMemory = 256 << 20
	}
	if o.Verdict == nil {
		o.Verdict = func(streams.Verdict) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Run starts the children and drives them until ctx ends, then lets what is
// in flight finish within ShutdownGrace. When it returns all children are
// gone. Its error is one that trying again does not mend: a child that cannot
// be isolated although it is required.
func (p *Pool) Run(ctx context.Context) error {
	children, end := newNursery()
	defer end()
	g, ctx := errgroup.WithContext(ctx)
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(p.o.ShutdownGrace, cancel)
	})()
	g.Go(func() error {
		p.sweep(ctx)
		return nil
	})
	for _, l := range p.lanes {
		g.Go(func() error { return l.run(ctx, late, children) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

// sweep removes what is too old from the directories, every hour.
func (p *Pool) sweep(ctx context.Context) {
	var failing trouble
	for again := true; again; again = sleep(ctx, time.Hour) {
		var errs []error
		if p.o.CheckpointDir != "" {
			errs = append(errs, sweepMemory(p.o.CheckpointDir, p.o.Now()))
		}
		if p.quarantine != nil {
			errs = append(errs, p.quarantine.sweep(p.o.Now()))
		}
		failing.tell(p.o.Log, "old checkpoints or quarantined samples cannot be removed", "old files are removed again", errors.Join(errs...))
	}
}

// Offer puts a sample in its camera's slot, in the place of an older one. It
// never blocks. A sample of a camera that is not in the wanted set is dropped.
func (p *Pool) Offer(s streams.Sample) {
	part := max(p.o.MediaMemory/int64(len(p.lanes)), maxSample)
	wanted, superseded := p.lane(s.Camera).offer(s, part)
	p.metrics.superseded.Add(float64(superseded))
	if !wanted {
		p.metrics.skipped.WithLabelValues(whyUnwanted).Inc()
	}
}

// Reconcile makes configs the whole wanted set; the newest call wins. What a
// camera's watch remembers stays, whatever changes in its config; the watch
// of a camera that is wanted no more is forgotten.
func (p *Pool) Reconcile(configs []detect.Config) {
	shares := make(map[*lane]map[string]detect.Config, len(p.lanes))
	for _, l := range p.lanes {
		shares[l] = make(map[string]detect.Config)
	}
	for _, c := range configs {
		shares[p.lane(c.Camera)][c.Camera] = c
	}
	for l, share := range shares {
		p.metrics.superseded.Add(float64(l.reconcile(share)))
	}
}

// Ready returns nil when every worker runs, else how many do not.
func (p *Pool) Ready() error {
	down := 0
	for _, l := range p.lanes {
		if !l.up.Load() {
			down++
		}
	}
	if down > 0 {
		return fmt.Errorf("%d of %d workers do not run", down, len(p.lanes))
	}
	return nil
}

// Lanes is how many samples are looked at at once.
func (p *Pool) Lanes() int { return len(p.lanes) }

// Pending counts the samples that wait, and their encoded bytes.
func (p *Pool) Pending() (samples int, bytes int64) {
	for _, l := range p.lanes {
		s, b := l.size()
		samples, bytes = samples+s, bytes+b
	}
	return samples, bytes
}

// kept counts the bytes that are kept for Still.
func (p *Pool) kept() int64 {
	var sum int64
	for _, l := range p.lanes {
		sum += l.keeps()
	}
	return sum
}

// lane returns the camera's lane, which is the same as long as the number of
// workers is. No memory is bound to a lane beyond the process, so a plain hash
// will do.
func (p *Pool) lane(camera string) *lane {
	h := fnv.New32a()
	_, _ = h.Write([]byte(camera)) // a hash takes everything
	return p.lanes[h.Sum32()%uint32(len(p.lanes))]
}
