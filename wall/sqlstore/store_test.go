package sqlstore_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"videopatrol/inventory/sqldb"
	"videopatrol/inventory/sqldb/sqldbtest"
	"videopatrol/wall"
	"videopatrol/wall/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(sqldbtest.M{M: m}) }

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func open(t *testing.T, url string) *sqlstore.Store {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := sqlstore.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func account(name string, role wall.Role) wall.StoredAccount {
	return wall.StoredAccount{Account: wall.Account{Name: name, Role: role, Created: noon}, Hash: "hash of " + name}
}

func TestUsers(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s, ctx := open(t, url), t.Context()
		first := []wall.StoredAccount{account("officer", wall.RoleOfficer), account("admin", wall.RoleAdmin)}
		if made, err := s.CreateFirst(ctx, first); err != nil || !made {
			t.Fatal(made, err)
		}
		if made, err := s.CreateFirst(ctx, []wall.StoredAccount{account("other", wall.RoleAdmin)}); err != nil || made {
			t.Errorf("first users twice: %v %v", made, err)
		}
		if err := s.CreateUser(ctx, account("admin", wall.RoleSRE)); !errors.Is(err, wall.ErrAccountExists) {
			t.Errorf("a name that is taken: %v", err)
		}
		fireman := account("kim", wall.RoleDepartment)
		fireman.Department = "fire"
		if err := s.CreateUser(ctx, fireman); err != nil {
			t.Fatal(err)
		}
		s = open(t, url) // a restart, migrations included
		if u, err := s.User(ctx, "kim"); err != nil || u != fireman {
			t.Errorf("%+v %v", u, err)
		}
		if all, err := s.Users(ctx); err != nil || len(all) != 3 || all[1] != fireman.Account {
			t.Errorf("%+v %v", all, err)
		}
		if err := s.AddSession(ctx, wall.Session{Key: wall.Key{1}, User: "kim", Created: noon, Seen: noon, Expires: noon}); err != nil {
			t.Fatal(err)
		}
		if _, u, err := s.Session(ctx, wall.Key{1}); err != nil || u != fireman.Account {
			t.Errorf("%+v %v", u, err)
		}
		if err := s.AddToken(ctx, wall.StoredToken{Token: wall.Token{ID: "t", Created: noon, Expires: noon}, Key: wall.Key{2}, User: "kim"}); err != nil {
			t.Fatal(err)
		}
		if _, u, err := s.TokenByKey(ctx, wall.Key{2}); err != nil || u != fireman.Account {
			t.Errorf("%+v %v", u, err)
		}
		u, err := s.User(ctx, "admin")
		if err != nil || u != first[1] {
			t.Errorf("%+v %v", u, err)
		}
		if _, err := s.User(ctx, "nobody"); !errors.Is(err, wall.ErrNoAccount) {
			t.Errorf("nobody: %v", err)
		}
		if err := s.Disable(ctx, "nobody"); !errors.Is(err, wall.ErrNoAccount) {
			t.Errorf("disable nobody: %v", err)
		}
		if err := s.SetPassword(ctx, "nobody", "x", wall.Key{}); !errors.Is(err, wall.ErrNoAccount) {
			t.Errorf("password of nobody: %v", err)
		}
		if err := s.Disable(ctx, "admin"); !errors.Is(err, wall.ErrLastAdmin) {
			t.Errorf("disable the last admin: %v", err)
		}
		if u, err := s.User(ctx, "admin"); err != nil || u.Disabled {
			t.Errorf("the refused write is not rolled back: %+v %v", u, err)
		}
	})
}

func TestSessions(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s, ctx := open(t, url), t.Context()
		for _, u := range []wall.StoredAccount{account("officer", wall.RoleOfficer), account("admin", wall.RoleAdmin)} {
			if err := s.CreateUser(ctx, u); err != nil {
				t.Fatal(err)
			}
		}
		session := func(n byte, user string, seen time.Duration) wall.Session {
			x := wall.Session{Key: wall.Key{n}, User: user, Created: noon, Seen: noon.Add(seen), Expires: noon.Add(24 * time.Hour)}
			if err := s.AddSession(ctx, x); err != nil {
				t.Fatal(err)
			}
			return x
		}
		has := func(n byte) bool {
			_, _, err := s.Session(ctx, wall.Key{n})
			if err != nil && !errors.Is(err, wall.ErrNoAccount) {
				t.Fatal(err)
			}
			return err == nil
		}
		want := session(1, "officer", 0)
		session(2, "officer", time.Hour)
		session(3, "admin", time.Hour)
		got, u, err := s.Session(ctx, wall.Key{1})
		if err != nil || got != want || u.Role != wall.RoleOfficer || u.Name != "officer" {
			t.Errorf("%+v %+v %v", got, u, err)
		}
		if err := s.TouchSession(ctx, wall.Key{1}, noon.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := s.TouchSession(ctx, wall.Key{1}, noon.Add(time.Hour)); err != nil { // late
			t.Fatal(err)
		}
		if got, _, _ := s.Session(ctx, wall.Key{1}); !got.Seen.Equal(noon.Add(2 * time.Hour)) {
			t.Errorf("seen %v", got.Seen)
		}
		if err := s.Sweep(ctx, noon.Add(time.Hour), noon); err != nil || !has(1) || has(2) || has(3) {
			t.Errorf("after the sweep: %v %v %v %v", has(1), has(2), has(3), err)
		}
		session(4, "officer", time.Hour)
		if err := s.SetPassword(ctx, "officer", "new", wall.Key{4}); err != nil || has(1) || !has(4) {
			t.Errorf("after a new password: %v %v %v", has(1), has(4), err)
		}
		token := wall.StoredToken{
			Token: wall.Token{ID: "t1", Label: "cli", Created: noon, Expires: noon.Add(time.Hour)}, Key: wall.Key{9}, User: "officer",
		}
		if err := s.AddToken(ctx, token); err != nil {
			t.Fatal(err)
		}
		back, holder, err := s.TokenByKey(ctx, wall.Key{9})
		if err != nil || back != token || holder.Name != "officer" {
			t.Errorf("%+v %+v %v", back, holder, err)
		}
		if err := s.EndToken(ctx, "admin", "t1"); !errors.Is(err, wall.ErrNoAccount) {
			t.Errorf("another user's token: %v", err)
		}
		if err := s.Disable(ctx, "officer"); err != nil || has(4) {
			t.Errorf("disabled: %v %v", has(4), err)
		}
		if _, _, err := s.TokenByKey(ctx, wall.Key{9}); !errors.Is(err, wall.ErrNoAccount) {
			t.Errorf("a disabled user's token: %v", err)
		}
	})
}

// TestLastAdminAtOnce: two administrators who disable each other at the same
// moment leave one.
func TestLastAdminAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, url string) {
		t.Helper()
		s, ctx := open(t, url), t.Context()
		for _, name := range []string{"a", "b"} {
			if err := s.CreateUser(ctx, account(name, wall.RoleAdmin)); err != nil {
				t.Fatal(err)
			}
		}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i, name := range []string{"a", "b"} {
			wg.Go(func() { errs[i] = s.Disable(ctx, name) })
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("%v, %v: want exactly one to fail", errs[0], errs[1])
		}
	})
}
