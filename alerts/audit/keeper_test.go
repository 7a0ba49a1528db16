package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"videopatrol/alerts/audit"
)

// ledger is a chain in memory, of which only the head is known.
type ledger struct {
	mu          sync.Mutex
	seq         int64
	checkpoints []audit.Checkpoint
	copied      map[string]int64
	err         error
}

func (l *ledger) add(rows int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq += rows
}

func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *ledger) signed() (seqs []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.checkpoints {
		seqs = append(seqs, c.Seq)
	}
	return seqs
}

func (l *ledger) Standing(ctx context.Context) (audit.Head, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sealed := int64(0)
	if n := len(l.checkpoints); n > 0 {
		sealed = l.checkpoints[n-1].Seq
	}
	return audit.Head{Node: node, Seq: l.seq}, sealed, errors.Join(l.err, ctx.Err())
}

func (l *ledger) AddCheckpoint(_ context.Context, c audit.Checkpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoints = append(l.checkpoints, c)
	return l.err
}

func (l *ledger) Uncopied(ctx context.Context, sink string, limit int) ([]audit.Checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []audit.Checkpoint
	for _, c := range l.checkpoints {
		if c.Seq > l.copied[sink] && len(list) < limit {
			list = append(list, c)
		}
	}
	return list, ctx.Err()
}

func (l *ledger) Copied(_ context.Context, sink string, through int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.copied == nil {
		l.copied = map[string]int64{}
	}
	l.copied[sink] = through
	return nil
}

// mount is a Sink that can be away.
type mount struct {
	mu   sync.Mutex
	away bool
	have []int64
}

func (m *mount) Copy(_ context.Context, list []audit.Checkpoint) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errors.New("stale file handle")
	}
	for _, c := range list {
		m.have = append(m.have, c.Seq)
	}
	return nil
}

func (m *mount) be(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func (m *mount) seqs() []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.have)
}

func only(s audit.Sink) []audit.NamedSink { return []audit.NamedSink{{Name: "file", Sink: s}} }

// run runs a keeper until stop is called.
func run(t *testing.T, o audit.KeeperOptions) (stop func()) {
	t.Helper()
	o.Key = key
	k, err := audit.NewKeeper(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestWhenCheckpointsAreSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := &ledger{seq: 1}, &mount{}
		stop := run(t, audit.KeeperOptions{Ledger: l, Sinks: only(m)})
		step := func(why string, add int64, wait time.Duration, want ...int64) {
			t.Helper()
			l.add(add)
			time.Sleep(wait)
			synctest.Wait()
			if got := l.signed(); !slices.Equal(got, want) {
				t.Fatalf("%s: signed %v, want %v", why, got, want)
			}
			if got := m.seqs(); !slices.Equal(got, want) {
				t.Fatalf("%s: copied %v, want %v", why, got, want)
			}
		}
		step("the start", 0, 0, 1)
		step("a row, too soon", 1, 30*time.Second, 1)
		step("a row, after a minute", 0, 31*time.Second, 1, 2)
		step("nothing added", 0, time.Hour, 1, 2)
		step("a row after long", 1, time.Second, 1, 2, 3)
		step("999 rows", 999, 2*time.Second, 1, 2, 3)
		step("the 1,000th", 1, time.Second, 1, 2, 3, 1003)
		l.add(1)
		stop()
		step("the stop", 0, 0, 1, 2, 3, 1003, 1004)
		for _, c := range l.checkpoints {
			if !c.Signed(publicKey) {
				t.Errorf("checkpoint %d is not signed", c.Seq)
			}
		}
	})
}

func TestMountAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := &ledger{seq: 1}, &mount{away: true}
		reg := prometheus.NewPedanticRegistry()
		var log bytes.Buffer
		stop := run(t, audit.KeeperOptions{Ledger: l, Sinks: only(m), Registerer: reg, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for range 3 {
			time.Sleep(time.Minute)
			l.add(1)
		}
		time.Sleep(10500 * time.Millisecond)
		synctest.Wait()
		if got := metric(t, reg, "patrol_audit_copy_lag_seconds"); got < 180 || got > 200 {
			t.Errorf("lag %v s", got)
		}
		if got := metric(t, reg, "patrol_audit_copy_failures_total"); got < 10 {
			t.Errorf("%v failures", got)
		}
		if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
			t.Errorf("%v, %v", problems, err)
		}
		m.be(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := metric(t, reg, "patrol_audit_copy_lag_seconds"); got != 0 {
			t.Errorf("lag %v s after the mount came back", got)
		}
		stop()
		if want := l.signed(); !slices.Equal(m.seqs(), want) || len(want) < 4 {
			t.Errorf("copied %v, want %v", m.seqs(), want)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("%d log lines, want one when it fails and one when it works again:\n%s", n, &log)
		}
	})
}

// hanging is a Sink that answers nothing until it is let go.
type hanging struct {
	free chan struct{}
	mount
}

func (h *hanging) Copy(ctx context.Context, list []audit.Checkpoint) error {
	select {
	case <-h.free:
		return h.mount.Copy(ctx, list)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestTwoSinks: one that hangs holds up neither the signing nor the other one,
// and gets what it has missed, in order and one at a time.
func TestTwoSinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, file, far := &ledger{seq: 1}, &mount{}, &hanging{free: make(chan struct{})}
		reg := prometheus.NewPedanticRegistry()
		stop := run(t, audit.KeeperOptions{Ledger: l, Registerer: reg, Sinks: []audit.NamedSink{
			{Name: "file", Sink: file}, {Name: "receiver", Sink: far, Single: true},
		}})
		for range 4 {
			time.Sleep(time.Minute)
			l.add(1)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if want := l.signed(); len(want) < 4 || !slices.Equal(file.seqs(), want) || len(far.seqs()) != 0 {
			t.Errorf("signed %v, copied %v and %v", want, file.seqs(), far.seqs())
		}
		lag := func(sink string) float64 {
			return testutil.ToFloat64(collected(t, reg, "patrol_audit_copy_lag_seconds", sink))
		}
		if near, away := lag("file"), lag("receiver"); near != 0 || away < 240 {
			t.Errorf("lags %v and %v", near, away)
		}
		close(far.free)
		time.Sleep(time.Second)
		synctest.Wait()
		if want := l.signed(); !slices.Equal(far.seqs(), want) || lag("receiver") != 0 {
			t.Errorf("copied %v, want %v", far.seqs(), want)
		}
		stop()
	})
}

// collected is the one figure of a family that a sink has.
func collected(t *testing.T, reg *prometheus.Registry, name, sink string) prometheus.Collector {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "x", Help: "x"})
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == sink {
				g.Set(m.GetGauge().GetValue())
				return g
			}
		}
	}
	t.Fatalf("no %s of %s", name, sink)
	return nil
}

func TestLedgerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{seq: 1}
		reg := prometheus.NewPedanticRegistry()
		stop := run(t, audit.KeeperOptions{Ledger: l, Registerer: reg, Every: time.Second})
		time.Sleep(1500 * time.Millisecond)
		l.fail(errors.New("disk full"))
		l.add(5)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := metric(t, reg, "patrol_audit_checkpoint_failures_total"); got < 55 {
			t.Errorf("%v failures", got)
		}
		l.fail(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := l.signed(); got[len(got)-1] != 6 {
			t.Errorf("signed %v", got)
		}
		for name, want := range map[string]float64{"patrol_audit_rows_total": 6, "patrol_audit_unsealed_rows": 0, "patrol_audit_checkpoints_total": 2} {
			if got := metric(t, reg, name); got != want {
				t.Errorf("%s %v, want %v", name, got, want)
			}
		}
		stop()
	})
}

func TestDue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unsealed int64
		since    time.Duration
		want     bool
	}{
		{0, time.Hour, false},
		{1, 59 * time.Second, false},
		{1, time.Minute, true},
		{999, time.Second, false},
		{1000, 0, true},
		{1, -time.Hour, true}, // the clock was set back
	} {
		if got := audit.Due(c.unsealed, c.since, 1000, time.Minute); got != c.want {
			t.Errorf("%d rows after %v: %v", c.unsealed, c.since, got)
		}
	}
}

func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
