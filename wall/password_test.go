package wall_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"videopatrol/wall"
)

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA")
	f.Add("$argon2i$v=19$m=1,t=1,p=1$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		once, err := wall.ParseHash(s)
		if err != nil {
			return
		}
		again, err := wall.ParseHash(once)
		if err != nil || again != once {
			t.Errorf("%q became %q, then %q (%v)", s, once, again, err)
		}
	})
}

func TestParseHashBoundsCosts(t *testing.T) {
	const tail = "$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
	if _, err := wall.ParseHash("$argon2id$v=19$m=19456,t=2,p=1" + tail); err != nil {
		t.Error(err)
	}
	for _, costs := range []string{"m=4000000,t=2,p=1", "m=19456,t=1000,p=1", "m=19456,t=0,p=1", "m=19456,t=2,p=0", "m=-1,t=2,p=1"} {
		if _, err := wall.ParseHash("$argon2id$v=19$" + costs + tail); err == nil {
			t.Errorf("%s is taken", costs)
		}
	}
}

func TestLimits(t *testing.T) {
	wait, size := wall.NewLimits(10*time.Second, 3)
	now := noon
	for i := range 3 {
		if d := wait("a", now); d != 0 {
			t.Errorf("attempt %d waits %s", i, d)
		}
	}
	for range 5 { // asking too early costs nothing
		if d := wait("a", now); d != 10*time.Second {
			t.Errorf("after the burst: %s", d)
		}
	}
	if d := wait("b", now); d != 0 {
		t.Errorf("another name waits %s", d)
	}
	now = now.Add(10 * time.Second)
	if d := wait("a", now); d != 0 {
		t.Errorf("in time: %s", d)
	}
	for i := range 3 * wall.MaxLimiters {
		wait(strconv.Itoa(i), now)
	}
	if n := size(); n > wall.MaxLimiters+1 {
		t.Errorf("%d limiters", n)
	}
	if d := wait("newcomer", now); d == 0 {
		t.Error("a flood of names frees newcomers from the limit")
	}
	now = now.Add(time.Hour)
	if d := wait("newcomer", now); d != 0 || size() > 2 {
		t.Errorf("after the flood: %s, %d limiters", d, size())
	}
}

func TestAddressKey(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "pipe": "pipe",
	} {
		if got := wall.AddressKey(in); got != want {
			t.Errorf("%s counts as %s, want %s", in, got, want)
		}
	}
}

func BenchmarkLogin(b *testing.B) {
	w := benchWorld(b, 0)
	for i := 0; b.Loop(); i++ {
		// A new address and the limit of the account would end this soon: the
		// cost that matters is that of the hash, unknown users included.
		_, _, err := w.accounts.Login(b.Context(), "nobody"+strconv.Itoa(i), w.password, "10.0."+strconv.Itoa(i/250)+"."+strconv.Itoa(i%250))
		if !errors.Is(err, wall.ErrPassword) {
			b.Fatal(err)
		}
	}
}
