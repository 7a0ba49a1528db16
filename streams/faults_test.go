package streams_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"videopatrol/inventory"
	"videopatrol/streams"
)

// This file holds the faults of a fleet: 17, 18 and 51 to 55 of the catalogue.

// resident asks for cameras whose sessions stay.
func resident(cameras ...inventory.Camera) []inventory.Camera {
	for i := range cameras {
		cameras[i].Patrol.Mode = inventory.ModeResident
	}
	return cameras
}

// nvr makes n channels of one address.
func nvr(n int) []inventory.Camera {
	var all []inventory.Camera
	for i := range n {
		all = append(all, camera(fmt.Sprintf("ch%02d", i), "nvr"))
	}
	return resident(all...)
}

// locking is a camera that locks the address out for half an hour after three
// bad logins in ten minutes; then the right password is refused, too.
type locking struct {
	right  inventory.Secret
	bad    []time.Time
	locked time.Time
}

func (l *locking) script(b *bench) script {
	return func(ctx context.Context, n int, s *fakeSession) error {
		b.city.mu.Lock()
		now, login := time.Now(), b.city.opens[len(b.city.opens)-1].login
		ok := login.Password == l.right && !now.Before(l.locked)
		if !ok {
			l.bad = append(slices.DeleteFunc(l.bad, func(at time.Time) bool { return now.Sub(at) > 10*time.Minute }), now)
			if len(l.bad) >= 3 {
				l.locked = now.Add(30 * time.Minute)
			}
		}
		b.city.mu.Unlock()
		if !ok {
			return streams.Errorf(streams.ReasonAuth, "401")
		}
		return steady(2*time.Second)(ctx, n, s)
	}
}

// TestFault17Lockout: the gateway never locks a camera by a wrong password, and
// one that somebody else has locked is taken when the lock is over.
func TestFault17Lockout(t *testing.T) {
	c := camera("a", "h")
	l := &locking{right: "right"}
	patrol(t, streams.Options{}, resident(c), func(b *bench) {
		b.city.set("a", l.script(b))
		after(2 * time.Hour)
		if !l.locked.IsZero() {
			t.Errorf("the gateway locked the camera at %v", l.locked)
		}
		if n := len(b.city.dials()); n > 2+4 {
			t.Errorf("%d attempts in two hours", n)
		}
		b.is("a", streams.StateOffline, streams.ReasonAuth)
		c.Login.Password = l.right
		b.want(resident(c)...)
		after(time.Minute)
		b.is("a", streams.StateOnline, streams.ReasonNone)

		b.city.mu.Lock()
		l.locked = time.Now().Add(30 * time.Minute) // somebody else's doing
		b.city.mu.Unlock()
		b.want() // the session ends ...
		after(time.Second)
		b.want(resident(c)...) // ... and the next one is refused
		after(time.Minute)
		b.is("a", streams.StateOffline, streams.ReasonAuth)
		after(37 * time.Minute)
		b.is("a", streams.StateOnline, streams.ReasonNone)
	})
}

// TestFault18RefusalWhileFull: an NVR of one login that says 401 when its
// sessions are taken: the login is not wrong, and nobody rests for 35 minutes.
func TestFault18RefusalWhileFull(t *testing.T) {
	cameras := nvr(6)
	var grants atomic.Int64
	grants.Store(3)
	patrol(t, streams.Options{}, cameras, func(b *bench) {
		for _, c := range cameras {
			b.city.set(c.ID, limited(b, &grants, streams.ReasonAuth))
		}
		after(3 * time.Minute)
		count := map[streams.Reason]int{}
		for _, s := range b.m.Statuses() {
			count[s.Reason]++
		}
		if count[streams.ReasonAuth] != 0 || count[streams.ReasonSessionLimit] != 3 {
			t.Errorf("reasons %v", count)
		}
		grants.Store(6)
		after(5 * time.Minute)
		for _, c := range cameras {
			b.is(c.ID, streams.StateOnline, streams.ReasonNone)
		}
	})
}

// limited plays while the whole city has fewer sessions than the limit.
func limited(b *bench, limit *atomic.Int64, r streams.Reason) script {
	return func(ctx context.Context, n int, s *fakeSession) error {
		if int64(b.city.sessions()) >= limit.Load() {
			return streams.Errorf(r, "no session left")
		}
		return steady(2*time.Second)(ctx, n, s)
	}
}

// TestFault53SessionLimit: a recorder with 64 channels and twelve sessions.
// Sessions that are asked to stay do; the limit is learned, and the recorder is
// hardly bothered beyond it. Where the mode is free, all channels are seen.
func TestFault53SessionLimit(t *testing.T) {
	for name, mode := range map[string]inventory.Mode{"resident": inventory.ModeResident, "auto": inventory.ModeAuto} {
		t.Run(name, func(t *testing.T) {
			cameras := nvr(64)
			for i := range cameras {
				cameras[i].Patrol.Mode, cameras[i].Patrol.Interval = mode, 20*time.Second
			}
			var grants atomic.Int64
			grants.Store(12)
			patrol(t, streams.Options{}, cameras, func(b *bench) {
				refused := 0
				for _, c := range cameras {
					play := limited(b, &grants, streams.ReasonSessionLimit)
					b.city.set(c.ID, func(ctx context.Context, n int, s *fakeSession) error {
						err := play(ctx, n, s)
						if streams.ReasonOf(err) == streams.ReasonSessionLimit {
							b.city.mu.Lock()
							refused++
							b.city.mu.Unlock()
						}
						return err
					})
				}
				after(10 * time.Minute)
				seen := map[string]bool{}
				for _, s := range b.desk.samples {
					seen[s.Camera] = true
				}
				b.city.mu.Lock()
				defer b.city.mu.Unlock()
				switch {
				case mode == inventory.ModeAuto && len(seen) != 64:
					t.Errorf("%d of 64 channels were seen", len(seen))
				case mode == inventory.ModeResident && len(seen) < 12:
					t.Errorf("%d of 64 channels were seen with 12 sessions", len(seen))
				}
				if refused > 64+10*8 {
					t.Errorf("the recorder refused %d sessions in ten minutes", refused)
				}
			})
		})
	}
}

// TestFault51Storm: 400 cameras on 40 hosts vanish together for a minute and
// come back: within a minute nearly all are sampled again, and the dials stay
// within the budget all the while. So does a reboot at 03:00 (52).
func TestFault51Storm(t *testing.T) {
	var cameras []inventory.Camera
	for i := range 400 {
		cameras = append(cameras, camera(fmt.Sprintf("cam-%03d", i), fmt.Sprintf("10.0.0.%d", i%40)))
	}
	resident(cameras...)
	const rate = 50
	patrol(t, streams.Options{Budget: streams.Budget{DialRate: rate}}, cameras, func(b *bench) {
		var down atomic.Bool
		for _, c := range cameras {
			b.city.set(c.ID, func(ctx context.Context, _ int, s *fakeSession) error {
				if down.Load() {
					return streams.Errorf(streams.ReasonUnreachable, "no route")
				}
				grant(ctx)
				for pause(ctx, 2*time.Second) {
					if down.Load() {
						return streams.Errorf(streams.ReasonClosed, "reset")
					}
					s.key()
				}
				return nil
			})
		}
		after(time.Minute)
		down.Store(true)
		after(time.Minute)
		down.Store(false)
		back := time.Now()
		after(time.Minute)
		again := map[string]bool{}
		for _, s := range b.desk.samples {
			again[s.Camera] = again[s.Camera] || s.Unit.Received.After(back)
		}
		n := 0
		for _, ok := range again {
			if ok {
				n++
			}
		}
		if n < 396 {
			t.Errorf("%d of 400 cameras were sampled within a minute after the storm", n)
		}
		if most := b.city.mostDials(); most > 2*40 {
			t.Errorf("%d handshakes at once with 40 hosts", most)
		}
		second := map[int64]int{}
		for _, o := range b.city.dials() {
			second[o.at.Unix()]++
		}
		for at, n := range second {
			if n > rate+rate/5 {
				t.Errorf("%d dials in second %d, the budget is %d", n, at, rate)
			}
		}
	})
}

// TestFault52Reboot: every camera reboots at once, and refuses sessions for
// half a minute while it starts.
func TestFault52Reboot(t *testing.T) {
	cameras := resident(fleet(100)...)
	patrol(t, streams.Options{}, cameras, func(b *bench) {
		at := time.Now().Add(time.Minute)
		for _, c := range cameras {
			b.city.set(c.ID, func(ctx context.Context, _ int, s *fakeSession) error {
				if now := time.Now(); !now.Before(at) && now.Before(at.Add(30*time.Second)) {
					return streams.Errorf(streams.ReasonSessionLimit, "503")
				}
				grant(ctx)
				for pause(ctx, time.Second) {
					if now := time.Now(); !now.Before(at) && now.Before(at.Add(2*time.Second)) {
						return streams.Errorf(streams.ReasonClosed, "it reboots")
					}
					s.key()
				}
				return nil
			})
		}
		after(4 * time.Minute)
		for _, c := range cameras {
			b.is(c.ID, streams.StateOnline, streams.ReasonNone)
			if n := len(b.city.of(c.ID)); n > 8 {
				t.Errorf("%s was dialled %d times", c.ID, n)
			}
		}
	})
}

// TestFault54AnotherDevice: the camera's address was given to another one: it
// says so while it plays, and the first one is welcome back.
func TestFault54AnotherDevice(t *testing.T) {
	patrol(t, streams.Options{}, resident(camera("a", "h")), func(b *bench) {
		var device atomic.Value
		device.Store("hall")
		b.city.set("a", func(ctx context.Context, _ int, s *fakeSession) error {
			grant(ctx)
			now := device.Load()
			s.r.Opened(streams.Description{Codec: streams.CodecH264, Fingerprint: fmt.Sprint(now)})
			for device.Load() == now {
				s.key()
				if !pause(ctx, time.Second) {
					return nil
				}
			}
			return streams.Errorf(streams.ReasonClosed, "it is gone")
		})
		after(time.Minute)
		b.is("a", streams.StateOnline, streams.ReasonNone)
		device.Store("yard")
		after(time.Minute)
		b.is("a", streams.StateDegraded, streams.ReasonChanged)
		device.Store("hall")
		after(time.Minute)
		b.is("a", streams.StateOnline, streams.ReasonNone)
	})
}

// TestFault55Flapping: a camera that is up for seven seconds and down again
// keeps its backoff: two minutes at most between attempts, and no hammering.
func TestFault55Flapping(t *testing.T) {
	patrol(t, streams.Options{}, resident(camera("a", "h"), camera("b", "h2")), func(b *bench) {
		b.city.set("a", func(ctx context.Context, _ int, s *fakeSession) error {
			grant(ctx)
			for range 7 {
				s.key()
				if !pause(ctx, time.Second) {
					return nil
				}
			}
			return streams.Errorf(streams.ReasonClosed, "down again")
		})
		after(30 * time.Minute)
		at := b.city.of("a")
		if n := len(at); n < 20 || n > 35 { // 7 s up and a mean of one minute of rest
			t.Errorf("%d sessions in half an hour", n)
		}
		for i := len(at) - 5; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap < 60*time.Second {
				t.Errorf("the backoff was reset: session %d came %v after the one before", i, gap)
			}
		}
		if n := len(b.city.of("b")); n != 1 {
			t.Errorf("its neighbour had %d sessions", n)
		}
		b.city.set("a", nil)
		after(5 * time.Minute)
		b.is("a", streams.StateOnline, streams.ReasonNone)
	})
}
