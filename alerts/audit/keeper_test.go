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
	copied      int64
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

func (l *ledger) Uncopied(ctx context.Context, limit int) ([]audit.Checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []audit.Checkpoint
	for _, c := range l.checkpoints {
		if c.Seq > l.copied && len(list) < limit {
			list = append(list, c)
		}
	}
	return list, ctx.Err()
}

func (l *ledger) Copied(_ context.Context, through int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.copied = through
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
		stop := run(t, audit.KeeperOptions{Ledger: l, Sink: m})
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
		stop := run(t, audit.KeeperOptions{Ledger: l, Sink: m, Registerer: reg, Log: slog.New(slog.NewTextHandler(&log, nil))})
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
