package worker

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"videopatrol/detect"
	"videopatrol/streams"
)

// A lane is one worker's share of the cameras: their samples, their memory,
// and the child that looks at them at present.
type lane struct {
	*table
	o          Options
	log        *slog.Logger
	metrics    *metrics
	quarantine *quarantine // nil: nothing is kept
	weak       *sync.Once  // tells that isolation is weak, once for all lanes
	up         atomic.Bool // a child runs
	meter      *meter

	// What follows belongs to run.
	nursery nursery
	child   *child
	idle    bool    // the last child ended by itself without having served
	unready trouble // no child gets ready
	report  trouble // the reporter fails
	disk    trouble // the disk fails
}

// run drives the lane until ctx ends, with children of a nursery; what is in
// flight then may be finished until late ends. Its error is an errIsolation.
func (l *lane) run(ctx, late context.Context, n nursery) error {
	l.nursery = n
	defer l.stop(late)
	l.meter.set(true)
	defer l.meter.set(false)
	defer l.close()
	for ctx.Err() == nil {
		if l.child == nil {
			if err := l.respawn(ctx); err != nil {
				return err
			}
			continue
		}
		select {
		case <-l.child.gone:
			l.bury(nil)
			continue
		default:
		}
		// A picture that somebody waits for comes first, but one in turn with
		// each sample, so that no crowd of viewers holds up the patrol.
		picture, a, asked := l.takeAsk()
		if asked {
			l.draw(picture, a)
		}
		if l.child == nil {
			continue
		}
		if t, ok := l.take(); ok {
			begin := l.o.Now()
			l.judge(late, t)
			l.meter.sample(l.o.Now().Sub(begin))
			continue
		}
		if asked {
			continue
		}
		l.meter.set(false)
		select {
		case <-ctx.Done():
		case <-l.filled:
		case <-l.child.gone:
		}
		l.meter.set(true)
	}
	return nil
}

// respawn starts a child at once, and again after growing waits when it does
// not get ready. It returns without one when ctx ends.
func (l *lane) respawn(ctx context.Context) error {
	if l.idle && !sleep(ctx, time.Second) {
		return nil
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		c, err := start(ctx, l.nursery, l.o)
		if ctx.Err() == nil {
			l.unready.tell(l.log, "a worker cannot start; it is tried again and again", "the worker can start again", err)
		}
		if err == nil {
			l.child = c
			l.up.Store(true)
			l.metrics.workers.WithLabelValues(c.level).Inc()
			l.log.Info("a worker started", "pid", c.cmd.Process.Pid, "isolation", c.level)
			if c.level != levelBoth {
				l.weak.Do(func() {
					l.log.Warn("the kernel does not isolate workers fully: allow user namespaces and seccomp", "isolation", c.level)
				})
			}
			return nil
		}
		if errors.Is(err, errIsolation) {
			return err
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the child did not get ready because it need not any more
		}
		l.metrics.restarts.WithLabelValues(endUnready).Inc()
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// sleep waits for d; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// judge has one sample looked at and deals with what comes of it.
func (l *lane) judge(ctx context.Context, t turn) {
	r, now := t.record, l.o.Now()
	if now.Before(r.strike.until) {
		l.skip(t, whyShutOut, streams.ReasonQuarantined, "its samples ended workers; it is let in again at "+r.strike.until.UTC().Format(time.RFC3339))
		return
	}
	if err := sendable(t.sample.Unit); err != nil {
		l.skip(t, whyTooLarge, streams.ReasonMemory, err.Error())
		return
	}
	l.child.stderr.reset()
	a, err := l.child.see(l.request(opSee, t), l.o.Timeout)
	if err == nil && a.Looks != nil && l.o.Looked != nil {
		l.o.Looked(*a.Looks)
	}
	switch {
	case errors.Is(err, errUnsendable):
		l.skip(t, whyConfig, streams.ReasonConfig, err.Error())
	case errors.Is(err, errUnread) && !r.unread:
		r.unread = true
		l.bury(err)
		if !l.putBack(t.sample) {
			l.metrics.superseded.Inc()
		}
		return
	case err != nil:
		l.blame(t, l.bury(err))
	case a.Refused != "":
		delete(l.child.known, t.sample.Camera)
		l.skip(t, whyConfig, streams.ReasonConfig, a.Refused)
	default:
		l.child.known[t.sample.Camera] = t.revision
		if a.Dropped {
			delete(l.child.known, t.sample.Camera)
		}
		l.accept(ctx, t, a)
	}
	r.unread = false
}

// request builds what the child needs to look at a sample.
func (l *lane) request(op string, t turn) *request {
	const forgetAtOnce = 1000
	camera := t.sample.Camera
	q := &request{Op: op, Camera: camera, Forget: l.forget(forgetAtOnce), unit: t.sample.Unit}
	q.Unwatched = l.o.StillMemory > 0 && l.o.Now().Sub(t.asked) >= watchedFor
	for _, gone := range q.Forget {
		delete(l.child.known, gone)
		l.erase(gone)
	}
	revision, known := l.child.known[camera]
	if !known {
		q.checkpoint = l.recall(camera, &t.record.memory)
	}
	if !known || revision != t.revision {
		q.Config = &t.config
		q.Config.Running = t.record.running(t.config.Running)
	}
	return q
}

// accept takes an answer in the order that doc.go explains: verdict, findings,
// memory.
func (l *lane) accept(ctx context.Context, t turn, a *answer) {
	r := a.Result
	if !l.wants(r.Camera, t.record) {
		return // a removed camera has no state and no conditions
	}
	l.forgotten(r.Camera, a)
	if r.Undecodable != "" {
		l.skip(t, whyCorrupt, streams.ReasonCorrupt, r.Undecodable)
	} else {
		l.metrics.observe(r)
		l.metrics.latency.Observe(max(0, l.o.Now().Sub(r.Received).Seconds()))
		l.verdict(t, reasonOf(r.Scene.Fault), "")
		if l.o.StillMemory > 0 {
			part := l.o.StillMemory / int64(l.o.Workers)
			l.metrics.looksDropped.Add(float64(l.keep(t, r.Still, part)))
		}
	}
	t.record.seen = r.Received
	m := &t.record.memory
	for _, f := range r.Findings {
		if err := l.deliver(ctx, f); err != nil {
			m.ahead = true
			l.log.Error("a finding was not reported before the end; it will be made again", "finding", f.ID(), "error", err)
			return
		}
		l.metrics.reported(f)
		t.record.note(f)
	}
	if len(a.checkpoint) > 0 {
		m.blob, m.at = a.checkpoint, r.Received
		if turned(r.Findings) || l.o.Now().Sub(m.written) >= memoryEvery {
			l.write(r.Camera, m)
		}
	}
	if l.o.Seen != nil {
		l.o.Seen(*r)
	}
}

// forgotten tells when a memory that was sent could not be used.
func (l *lane) forgotten(camera string, a *answer) {
	if a.Forgot != "" {
		l.metrics.memoryFailures.Inc()
		l.log.Warn("a camera's memory could not be restored", "camera", camera, "why", a.Forgot)
	}
}

// deliver reports a finding until it is durable or ctx ends.
func (l *lane) deliver(ctx context.Context, f detect.Finding) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := l.o.Reporter.Report(ctx, f)
		l.report.tell(l.log, "findings cannot be reported; the worker's cameras wait", "findings are reported again", err)
		if err == nil {
			return nil
		}
		l.metrics.reportFailures.Inc()
		if !sleep(ctx, wait) {
			return err
		}
	}
}

// recall returns the newest memory of a camera that a new watch may have.
func (l *lane) recall(camera string, m *memory) []byte {
	if !m.looked && l.o.CheckpointDir != "" {
		m.looked = true
		found, err := readMemory(l.o.CheckpointDir, camera, l.o.Now())
		if err != nil {
			l.metrics.memoryFailures.Inc()
			l.log.Warn("a camera's memory on disk cannot be used", "camera", camera, "error", err)
		} else if len(m.blob) == 0 {
			found.looked = true
			*m = found
		}
	}
	return m.blob
}

// erase removes the memory of a camera that is gone from disk. Should the
// camera come back, its old memory would go on with conditions that the record
// has ended, and raise nothing.
func (l *lane) erase(camera string) {
	if l.o.CheckpointDir == "" {
		return
	}
	if err := os.Remove(memoryPath(l.o.CheckpointDir, camera)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.metrics.memoryFailures.Inc()
		l.log.Warn("the memory of a camera that is gone cannot be removed", "camera", camera, "error", err)
	}
}

// write puts a memory on disk. When it cannot, the newest one that could be
// written stays.
func (l *lane) write(camera string, m *memory) {
	if l.o.CheckpointDir == "" {
		return
	}
	m.written = l.o.Now()
	err := writeMemory(l.o.CheckpointDir, camera, *m)
	if err != nil {
		l.metrics.memoryFailures.Inc()
	}
	l.disk.tell(l.log, "checkpoints cannot be written; a restart of the gateway will forget what its cameras saw",
		"checkpoints are written again", err)
}

// bury ends the child, which may be gone already, and says how it ended; err
// is what became of its last answer, nil when none was due.
func (l *lane) bury(err error) caseFile {
	c := l.child
	l.child = nil
	l.up.Store(false)
	l.metrics.workers.WithLabelValues(c.level).Dec()
	var k caseFile
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		k.Reason = endHung
		c.end()
	case errors.Is(err, errGarbled):
		k.Reason = endGarbled
		c.end()
	default:
		c.finish()
		k.Reason = endKilled
		if c.cmd.ProcessState.Exited() {
			k.Reason = endExited
		}
	}
	l.idle = err == nil && !c.served
	l.metrics.restarts.WithLabelValues(k.Reason).Inc()
	k.Fate, k.Stderr = c.cmd.ProcessState.String(), c.stderr.lines()
	if err != nil {
		k.Error = shorten(err.Error())
	}
	l.log.Error("a worker ended", "pid", c.cmd.Process.Pid, "reason", k.Reason, "fate", k.Fate, "error", k.Error)
	return k
}

// blame quarantines the sample that was with a child when it ended.
func (l *lane) blame(t turn, k caseFile) {
	r, now := t.record, l.o.Now()
	r.strike = r.strike.blame(now)
	l.skip(t, whyCrash, streams.ReasonQuarantined, "one of its samples ended a worker")
	k.Camera, k.Received, k.At = t.sample.Camera, t.sample.Unit.Received, now
	k.Codec, k.Bytes, k.Strikes = t.sample.Unit.Codec, t.sample.Unit.Size(), r.strike.count
	if r.strike.until.After(now) {
		k.ShutOut = r.strike.until.UTC().Format(time.RFC3339)
	}
	path := ""
	if l.quarantine != nil {
		var err error
		if path, err = l.quarantine.keep(k, t.sample.Unit); err != nil {
			l.log.Error("a quarantined sample could not be kept", "camera", k.Camera, "error", err)
		}
	}
	l.log.Warn("a sample ended a worker and is quarantined", "camera", k.Camera, "file", path, "strikes", k.Strikes,
		"shut_out_until", k.ShutOut)
}

// skip counts a sample that gave no result, and tells what its camera's state
// is by it.
func (l *lane) skip(t turn, why string, reason streams.Reason, detail string) {
	l.metrics.skipped.WithLabelValues(why).Inc()
	l.verdict(t, reason, detail)
}

func (l *lane) verdict(t turn, reason streams.Reason, detail string) {
	l.o.Verdict(streams.Verdict{
		Camera: t.sample.Camera, At: t.sample.Unit.Received, Analysed: l.o.Now(), Reason: reason, Detail: detail,
	})
}

// reasonOf is the state of a camera by its scene: both have the same words.
func reasonOf(f detect.Fault) streams.Reason { return streams.Reason(f) }

// stop fetches what the child remembers, as far as it is all reported and
// late allows, and ends it.
func (l *lane) stop(late context.Context) {
	c := l.child
	if c == nil {
		return
	}
	l.child = nil
	defer l.metrics.workers.WithLabelValues(c.level).Dec()
	defer c.finish()
	if l.o.CheckpointDir == "" {
		return
	}
	for camera := range c.known {
		r := l.record(camera)
		if late.Err() != nil || r == nil || r.memory.ahead {
			continue
		}
		a, err := c.ask(&request{Op: opSave, Camera: camera}, l.o.Timeout)
		if err != nil {
			l.log.Warn("a worker did not save its memory at the end", "error", err)
			return
		}
		if len(a.checkpoint) > 0 {
			r.memory.blob, r.memory.at = a.checkpoint, r.seen
			l.write(camera, &r.memory)
		}
	}
}

// turned tells whether a condition began or ended.
func turned(findings []detect.Finding) bool {
	return slices.ContainsFunc(findings, func(f detect.Finding) bool { return f.Phase != detect.PhaseContinue })
}

// A trouble is told when it begins and when it is over, not in between.
type trouble struct{ on bool }

func (t *trouble) tell(log *slog.Logger, begins, over string, err error) {
	switch {
	case err != nil && !t.on:
		log.Error(begins, "error", err) //nolint:sloglint // both messages are constants of the callers
	case err == nil && t.on:
		log.Info(over) //nolint:sloglint // both messages are constants of the callers
	}
	t.on = err != nil
}
