package streams_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
)

func fleet(n int) []inventory.Camera {
	all := make([]inventory.Camera, n)
	for i := range all {
		all[i] = camera(fmt.Sprintf("cam-%04d", i), fmt.Sprintf("10.0.%d.%d", i/250, i%250))
	}
	return all
}

func TestNewChecksItsOptions(t *testing.T) {
	for name, o := range map[string]streams.Options{
		"nothing":          {},
		"no sink":          {Opener: newCity()},
		"backoff reversed": {Opener: newCity(), Sink: &desk{}, BackoffMin: time.Minute, BackoffMax: time.Second},
	} {
		if _, err := streams.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestFirstVisitsAreSpread over the interval, and none is later.
func TestFirstVisitsAreSpread(t *testing.T) {
	patrol(t, streams.Options{}, fleet(500), func(b *bench) {
		begin := time.Now()
		after(6 * time.Second)
		seconds := make([]int, 5)
		for _, o := range b.city.dials() {
			if s := int(o.at.Sub(begin) / time.Second); s < len(seconds) {
				seconds[s]++
			}
		}
		for s, n := range seconds {
			if n < 60 || n > 140 {
				t.Errorf("second %d has %d first visits of 500, want about 100: %v", s, n, seconds)
			}
		}
		if len(b.city.dials()) != 500 {
			t.Errorf("%d visits", len(b.city.dials()))
		}
	})
}

// TestSamplesAreDueByInterval: one sample an interval, on the camera's own
// grid of absolute time, and the first one at once.
func TestSamplesAreDueByInterval(t *testing.T) {
	patrol(t, streams.Options{}, []inventory.Camera{camera("a", "h")}, func(b *bench) {
		after(2 * time.Minute)
		at := b.desk.of("a")
		if n := len(at); n < 23 || n > 25 {
			t.Fatalf("%d samples in two minutes at 5 s", n)
		}
		if d := at[0].Sub(b.city.of("a")[0]); d > time.Second {
			t.Errorf("the first sample came %v after the visit", d)
		}
		for i := 2; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap < 4*time.Second || gap > 6*time.Second { // key units come every 2 s
				t.Errorf("samples %d and %d are %v apart", i-1, i, gap)
			}
		}
		b.is("a", streams.StateOnline, streams.ReasonNone)
		if s, _ := b.m.Status("a"); s.GOP != 2*time.Second || !s.LastSample.Equal(at[len(at)-1]) || !s.NextTry.IsZero() {
			t.Errorf("status %+v", s)
		}
		if n := len(b.city.of("a")); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestReconcileTouchesOnlyWhatChanged(t *testing.T) {
	keep, move, gone := camera("keep", "h1"), camera("move", "h2"), camera("gone", "h3")
	patrol(t, streams.Options{}, []inventory.Camera{keep, move, gone}, func(b *bench) {
		b.city.pace(10*time.Millisecond, 700*time.Millisecond)
		after(10 * time.Second)
		keep.Name, keep.Zones = "another name", []inventory.Zone{{ID: "z"}}
		keep.Patrol.Tier = inventory.TierLow
		move.Login.Password = "new"
		added := camera("added", "h4")
		b.want(keep, move, added)
		after(300 * time.Millisecond)
		if _, ok := b.m.Status("gone"); ok {
			t.Error("a removed camera still has a status")
		}
		if n := len(b.city.of("move")); n != 1 {
			t.Errorf("the new session began before the old one ended")
		}
		after(10 * time.Second)
		for id, want := range map[string]int{"keep": 1, "move": 2, "gone": 1, "added": 1} {
			if n := len(b.city.of(id)); n != want {
				t.Errorf("%s: %d sessions, want %d", id, n, want)
			}
		}
		if o := b.city.dials()[len(b.city.dials())-1]; b.city.most > 1 || o.login.Password == "" {
			t.Errorf("%d sessions of one camera at once", b.city.most)
		}
		b.want(keep)
		after(5 * time.Second)
		if open := b.city.open; open["keep"] != 1 || open["move"] != 0 || open["added"] != 0 {
			t.Errorf("open sessions %v", open)
		}
	})
}

// TestReconcileStorm: a camera that comes, goes and changes all the time is
// never visited by two loops, and the newest set wins.
func TestReconcileStorm(t *testing.T) {
	cameras := fleet(20)
	patrol(t, streams.Options{}, cameras, func(b *bench) {
		b.city.pace(10*time.Millisecond, 300*time.Millisecond)
		for i := range 200 {
			set := slices.Clone(cameras)
			set[i%20].Login.Password = inventory.Secret(fmt.Sprint(i))
			set[(i+7)%20].Disabled = i%3 == 0
			b.want(set[i%5:]...)
			after(time.Duration(i%9) * 50 * time.Millisecond)
		}
		b.want(cameras...)
		after(time.Minute)
		if b.city.most != 1 {
			t.Errorf("%d sessions of one camera at once", b.city.most)
		}
		for _, s := range b.m.Statuses() {
			b.is(s.Camera, streams.StateOnline, streams.ReasonNone)
		}
		if n := len(b.m.Statuses()); n != 20 {
			t.Errorf("%d cameras", n)
		}
	})
}

func TestDisabledCamerasAreLeftAlone(t *testing.T) {
	c := camera("a", "h")
	c.Disabled = true
	patrol(t, streams.Options{}, []inventory.Camera{c}, func(b *bench) {
		after(time.Minute)
		b.is("a", streams.StateDisabled, streams.ReasonNone)
		if len(b.city.dials()) != 0 {
			t.Error("a disabled camera was visited")
		}
		c.Disabled = false
		b.want(c)
		after(time.Second)
		b.is("a", streams.StateOnline, streams.ReasonNone)
		c.Disabled = true
		b.want(c)
		after(time.Second)
		b.is("a", streams.StateDisabled, streams.ReasonNone)
		if b.city.playing("a") != 0 {
			t.Error("its session is still open")
		}
	})
}

// TestBackoff grows from 5 s to 120 s by full jitter, and is reset by a
// minute of key units and by nothing less.
func TestBackoff(t *testing.T) {
	patrol(t, streams.Options{}, []inventory.Camera{camera("a", "h")}, func(b *bench) {
		b.city.pace(0, 0)
		b.city.set("a", refuse(streams.ReasonTimeout))
		after(10 * time.Minute)
		at, gaps := b.city.of("a"), []time.Duration{}
		for i := 1; i < len(at); i++ {
			gaps = append(gaps, at[i].Sub(at[i-1]))
		}
		want := []time.Duration{2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute}
		if len(gaps) < len(want) || !slices.Equal(gaps[:len(want)], want) {
			t.Fatalf("gaps %v, want %v", gaps, want)
		}
		flap := func(up time.Duration) script {
			return func(ctx context.Context, _ int, s *fakeSession) error {
				grant(ctx)
				for end := time.Now().Add(up); time.Now().Before(end); {
					s.key()
					if !pause(ctx, time.Second) {
						return nil
					}
				}
				return streams.Errorf(streams.ReasonClosed, "down again")
			}
		}
		b.city.set("a", flap(7*time.Second))
		n := len(b.city.of("a"))
		after(10 * time.Minute)
		if got := len(b.city.of("a")) - n; got > 11 { // 7 s up and a minute of rest
			t.Errorf("a camera that flaps every 7 s was visited %d times in 10 minutes", got)
		}
		b.city.set("a", flap(70*time.Second))
		after(3 * time.Minute)
		s, _ := b.m.Status("a")
		if at = b.city.of("a"); at[len(at)-1].Sub(at[len(at)-2]) > 73*time.Second {
			t.Errorf("after a good run the next visit came %v later; status %+v", at[len(at)-1].Sub(at[len(at)-2]), s)
		}
	})
}

// TestOfflineHasTwoWitnesses: two failed visits ten seconds apart.
func TestOfflineHasTwoWitnesses(t *testing.T) {
	patrol(t, streams.Options{}, []inventory.Camera{camera("a", "h")}, func(b *bench) {
		after(30 * time.Second)
		b.is("a", streams.StateOnline, streams.ReasonNone)
		b.city.set("a", refuse(streams.ReasonUnreachable))
		b.want() // the session ends with the camera's removal ...
		after(time.Second)
		b.want(camera("a", "h")) // ... and it comes back dead
		after(6 * time.Second)
		b.is("a", streams.StateUnknown, streams.ReasonUnreachable)
		after(20 * time.Second)
		b.is("a", streams.StateOffline, streams.ReasonUnreachable)
		s, _ := b.m.Status("a")
		if s.Failures < 2 || s.NextTry.IsZero() || s.Detail == "" {
			t.Errorf("status %+v", s)
		}
		b.city.set("a", nil)
		after(2 * time.Minute)
		b.is("a", streams.StateOnline, streams.ReasonNone)
		if s, _ := b.m.Status("a"); s.Failures != 0 || s.Detail != "" {
			t.Errorf("status %+v", s)
		}
	})
}

// TestHostDownIsTheSecondWitness: when an NVR goes, one failed visit of each
// channel is enough.
func TestHostDownIsTheSecondWitness(t *testing.T) {
	cameras := []inventory.Camera{camera("a", "nvr"), camera("b", "nvr")}
	patrol(t, streams.Options{}, cameras, func(b *bench) {
		b.city.set("a", refuse(streams.ReasonTimeout))
		b.city.set("b", refuse(streams.ReasonTimeout))
		after(5 * time.Second)
		b.is("a", streams.StateOffline, streams.ReasonTimeout)
		b.is("b", streams.StateOffline, streams.ReasonTimeout)
	})
}

// TestSiblingsAreWoken: when one channel of a host answers again, the others
// do not sit out their backoff.
func TestSiblingsAreWoken(t *testing.T) {
	var cameras []inventory.Camera
	for i := range 16 {
		cameras = append(cameras, camera(fmt.Sprintf("ch%02d", i), "nvr"))
	}
	cameras = append(cameras, camera("elsewhere", "other"))
	patrol(t, streams.Options{}, cameras, func(b *bench) {
		for _, c := range cameras {
			b.city.set(c.ID, refuse(streams.ReasonUnreachable))
		}
		b.city.set("ch15", refuse(streams.ReasonNotFound))
		after(20 * time.Minute)
		dead := len(b.city.of("ch15"))
		for _, c := range cameras[:15] {
			b.city.set(c.ID, nil)
		}
		for b.city.playing("ch00", "ch07", "ch14") == 0 {
			after(100 * time.Millisecond)
		}
		after(time.Second)
		for _, c := range cameras[:15] {
			b.is(c.ID, streams.StateOnline, streams.ReasonNone)
		}
		b.is("elsewhere", streams.StateOffline, streams.ReasonUnreachable)
		if n := len(b.city.of("ch15")); n > dead+1 {
			t.Errorf("a channel that does not exist was woken: %d visits more", n-dead)
		}
		if b.city.mostDials() > 2*2 {
			t.Errorf("%d handshakes at once with two hosts", b.city.mostDials())
		}
	})
}

// TestWrongPasswordDoesNotLockTheCamera: two tries for a login, whatever the
// number of channels, then one in 35 minutes, and at once when it changes.
func TestWrongPasswordDoesNotLockTheCamera(t *testing.T) {
	var cameras []inventory.Camera
	for i := range 12 {
		cameras = append(cameras, camera(fmt.Sprintf("ch%02d", i), "nvr"))
	}
	patrol(t, streams.Options{}, cameras, func(b *bench) {
		for _, c := range cameras {
			b.city.set(c.ID, refuse(streams.ReasonAuth))
		}
		after(34 * time.Minute)
		if n := len(b.city.dials()); n != 2 {
			t.Fatalf("the login was tried %d times in 34 minutes", n)
		}
		for _, c := range cameras {
			b.is(c.ID, streams.StateOffline, streams.ReasonAuth)
		}
		after(3 * time.Hour)
		if n := len(b.city.dials()); n < 5 || n > 2+6 {
			t.Errorf("the login was tried %d times in 3.5 hours", n)
		}
		for i := range cameras {
			cameras[i].Login.Password = "right"
			b.city.set(cameras[i].ID, nil)
		}
		b.want(cameras...)
		after(time.Second)
		for _, c := range cameras {
			b.is(c.ID, streams.StateOnline, streams.ReasonNone)
		}
	})
}

// TestRefusalWhileTheLoginPlaysIsTheSessionLimit and is learned: the host is
// hardly asked for more than it grants, and soon uses what it grants again: after
// a broken line a recorder still counts the old sessions for a minute.
func TestRefusalWhileTheLoginPlaysIsTheSessionLimit(t *testing.T) {
	var cameras []inventory.Camera
	for i := range 24 {
		c := camera(fmt.Sprintf("ch%02d", i), "nvr")
		c.Patrol.Mode = inventory.ModeResident
		cameras = append(cameras, c)
	}
	var limit atomic.Int64
	limit.Store(4)
	patrol(t, streams.Options{}, cameras, func(b *bench) {
		for _, c := range cameras {
			b.city.set(c.ID, func(ctx context.Context, n int, s *fakeSession) error {
				b.city.mu.Lock()
				open := int64(0)
				for _, n := range b.city.open {
					open += int64(n)
				}
				b.city.mu.Unlock()
				if open >= limit.Load() {
					return streams.Errorf(streams.ReasonAuth, "401")
				}
				return steady(2*time.Second)(ctx, n, s)
			})
		}
		after(5 * time.Minute)
		count := map[streams.State]int{}
		for _, s := range b.m.Statuses() {
			count[s.State]++
			if s.State != streams.StateOnline && s.Reason != streams.ReasonSessionLimit {
				t.Errorf("%s is %s (%s)", s.Camera, s.State, s.Reason)
			}
		}
		if count[streams.StateOnline] != 4 || count[streams.StateOffline] != 20 {
			t.Errorf("states %v", count)
		}
		if n := len(b.city.dials()); n > 4+2+2*5 {
			t.Errorf("%d dials in five minutes: the limit was not learned", n)
		}
		limit.Store(24)
		after(4 * time.Minute)
		for _, c := range cameras {
			b.is(c.ID, streams.StateOnline, streams.ReasonNone)
		}
	})
}

func TestWatch(t *testing.T) {
	play := func(each func(n int, s *fakeSession)) script {
		return func(ctx context.Context, _ int, s *fakeSession) error {
			grant(ctx)
			for n := 0; pause(ctx, time.Second); n++ {
				each(n, s)
			}
			return nil
		}
	}
	cameras := []inventory.Camera{camera("mute", "h1"), camera("stalls", "h2"), camera("keyless", "h3"), camera("rare", "h4")}
	patrol(t, streams.Options{}, cameras, func(b *bench) {
		b.city.set("mute", play(func(int, *fakeSession) {}))
		b.city.set("stalls", play(func(n int, s *fakeSession) {
			if n < 5 {
				s.key()
			}
		}))
		b.city.set("keyless", play(func(_ int, s *fakeSession) { s.r.Received(10) }))
		b.city.set("rare", play(func(n int, s *fakeSession) {
			s.r.Received(10)
			if n%30 == 0 {
				s.key()
			}
		}))
		after(30 * time.Second)
		if s, _ := b.m.Status("stalls"); s.State != streams.StateOnline && s.Reason != streams.ReasonStalled {
			t.Errorf("stalls is %s (%s)", s.State, s.Reason)
		}
		after(3 * time.Minute)
		b.is("mute", streams.StateOffline, streams.ReasonStalled)
		b.is("keyless", streams.StateOffline, streams.ReasonNoKeyUnit)
		b.is("rare", streams.StateOnline, streams.ReasonNone)
		if n := len(b.city.of("rare")); n != 1 {
			t.Errorf("a camera with a key unit every 30 s had %d sessions", n)
		}
	})
}

func TestVerdicts(t *testing.T) {
	patrol(t, streams.Options{}, []inventory.Camera{camera("a", "h")}, func(b *bench) {
		for _, r := range []streams.Reason{streams.ReasonCorrupt, streams.ReasonFrozen, streams.ReasonDark} {
			b.desk.judge(r)
			after(6 * time.Second)
			b.is("a", streams.StateDegraded, r)
		}
		b.desk.judge(streams.ReasonNone)
		after(6 * time.Second)
		b.is("a", streams.StateOnline, streams.ReasonNone)
		b.m.Report(streams.Verdict{Camera: "a", At: time.Now().Add(-time.Hour), Reason: streams.ReasonDark})
		b.is("a", streams.StateOnline, streams.ReasonNone) // late news of an old picture
		b.m.Report(streams.Verdict{Camera: "nobody"})
		before, _ := b.m.Status("a")
		for _, r := range []streams.Reason{streams.ReasonCorrupt, streams.ReasonQuarantined, streams.ReasonMemory} {
			b.desk.judge(r)
			after(6 * time.Second)
			b.is("a", streams.StateDegraded, r)
		}
		if s, _ := b.m.Status("a"); s.LastSample.IsZero() || !s.LastSample.Equal(before.LastSample) {
			t.Errorf("samples without a picture count as analysed at %v, the last picture was of %v", s.LastSample, before.LastSample)
		}
	})
}

// TestMediaMemory: what waits for a detector counts until its verdict or its
// successor, and a spent budget refuses the next unit with a reason.
func TestMediaMemory(t *testing.T) {
	cameras := []inventory.Camera{camera("a", "h1"), camera("b", "h2"), camera("c", "h3")}
	patrol(t, streams.Options{Budget: streams.Budget{MediaBytes: 350}}, cameras, func(b *bench) {
		b.desk.mu.Lock()
		b.desk.m = nil // nobody judges: units of 100 bytes stay
		b.desk.mu.Unlock()
		b.city.set("c", func(ctx context.Context, _ int, s *fakeSession) error {
			grant(ctx)
			for pause(ctx, time.Second) {
				s.r.Received(1)
				s.r.KeySeen(time.Now())
				if s.r.Want(time.Now()) && !s.r.Hold(300) {
					s.r.Dropped(streams.ReasonMemory, "spent")
				}
			}
			return nil
		})
		after(time.Minute)
		if len(b.desk.of("a")) < 10 || len(b.desk.of("b")) < 10 {
			t.Error("a camera's own newest sample kept it from taking the next")
		}
		b.is("c", streams.StateDegraded, streams.ReasonMemory)
	})
}

func TestBudgets(t *testing.T) {
	patrol(t, streams.Options{StartWithin: time.Nanosecond, Mode: inventory.ModeResident, Budget: streams.Budget{DialRate: 50, Dials: 3, Sessions: 150}}, fleet(200), func(b *bench) {
		b.city.pace(40*time.Millisecond, 0)
		begin := time.Now()
		after(time.Second)
		if n := len(b.city.dials()); n < 45 || n > 60 {
			t.Errorf("%d dials in the first second at 50/s", n)
		}
		after(5 * time.Second)
		if b.city.mostDials() > 3 {
			t.Errorf("%d handshakes at once, 3 allowed", b.city.mostDials())
		}
		count := map[streams.Reason]int{}
		for _, s := range b.m.Statuses() {
			count[s.Reason]++
		}
		if count[streams.ReasonNone] != 150 || count[streams.ReasonBudget] != 50 {
			t.Errorf("after %v: %v", time.Since(begin), count)
		}
	})
}

// TestTeardownIsPaced: a thousand sessions end within the bound, evenly.
func TestTeardownIsPaced(t *testing.T) {
	patrol(t, streams.Options{TeardownRate: 100}, fleet(1000), func(b *bench) {
		after(20 * time.Second)
		begin := time.Now()
		b.stop()
		took := time.Since(begin)
		if took < 4*time.Second || took > 5*time.Second+100*time.Millisecond {
			t.Errorf("the teardown took %v", took)
		}
		seconds := make([]int, 6)
		for _, at := range b.city.closes {
			seconds[int(at.Sub(begin)/time.Second)]++
		}
		for s, n := range seconds[:4] {
			if n < 150 || n > 250 {
				t.Errorf("second %d: %d closed; %v", s, n, seconds)
			}
		}
		if len(b.city.closes) != 1000 {
			t.Errorf("%d sessions were closed", len(b.city.closes))
		}
	})
}

// TestStopDuringEverything: the manager ends while cameras dial, wait, back
// off and close.
func TestStopDuringEverything(t *testing.T) {
	patrol(t, streams.Options{}, fleet(60), func(b *bench) {
		for i := range 20 {
			b.city.set(fmt.Sprintf("cam-%04d", i), refuse(streams.ReasonTimeout))
		}
		b.city.pace(3*time.Second, 0)
		after(4 * time.Second)
		begin := time.Now()
		b.stop()
		if took := time.Since(begin); took > 6*time.Second {
			t.Errorf("it took %v", took)
		}
		if err := b.m.Run(t.Context()); err == nil {
			t.Error("a second Run succeeded")
		}
	})
}

func TestBadAddresses(t *testing.T) {
	for _, raw := range []string{"", "rtsp://", "http://h/x", "rtsp://admin:hunter2@h/x", "rtsp://[::1:%zzhunter2"} {
		c := camera("a", "h")
		c.Streams = inventory.Streams{Main: raw}
		patrol(t, streams.Options{}, []inventory.Camera{c}, func(b *bench) {
			after(time.Minute)
			b.is("a", streams.StateOffline, streams.ReasonConfig)
			s, _ := b.m.Status("a")
			if strings.Contains(s.Detail, "hunter2") || len(b.city.dials()) != 0 {
				t.Errorf("%q: detail %q, %d dials", raw, s.Detail, len(b.city.dials()))
			}
		})
	}
}

// TestDetailIsSafe: text of a camera is printable, on one line and short.
func TestDetailIsSafe(t *testing.T) {
	patrol(t, streams.Options{}, []inventory.Camera{camera("a", "h")}, func(b *bench) {
		evil := errors.New("bad\x1b[31m\nnew line" + strings.Repeat("x", 10_000))
		b.city.set("a", func(context.Context, int, *fakeSession) error { return evil })
		after(10 * time.Second)
		s, _ := b.m.Status("a")
		if s.Reason != streams.ReasonProtocol || strings.ContainsAny(s.Detail, "\x1b\n") || len(s.Detail) > 400 {
			t.Errorf("status %+v", s)
		}
	})
}
