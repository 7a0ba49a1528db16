package wall_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"videopatrol/inventory/sqldb"
	"videopatrol/wall"
)

func loginBody(name, password string) map[string]string {
	return map[string]string{"username": name, "password": password}
}

func TestLoginCookie(t *testing.T) {
	w := newWorld(t)
	res := w.anyone().do("POST", "/api/v1/login", loginBody("officer", w.password("officer")))
	c := res.Cookies()
	if res.StatusCode != http.StatusOK || len(c) != 1 {
		t.Fatalf("%d %s %v", res.StatusCode, res.body, c)
	}
	if c[0].Name != "patrol" || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/" || c[0].Domain != "" {
		t.Errorf("cookie %+v", c[0])
	}
	var got wall.LoginResponse
	res.json(t, &got)
	if got.User.Name != "officer" || got.User.Role != wall.RoleOfficer {
		t.Errorf("user %+v", got.User)
	}
	if len(w.journal.actions("login")) != 1 {
		t.Error("the login is not in the audit")
	}
}

func TestLoginCookieUnderTLS(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Secure = true
	s, err := wall.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.http.Config.Handler = s.Handler()
	res := w.anyone().do("POST", "/api/v1/login", loginBody("officer", w.password("officer")))
	c := res.Cookies()
	if len(c) != 1 || c[0].Name != "__Host-patrol" || !c[0].Secure || c[0].Path != "/" || c[0].Domain != "" {
		t.Errorf("cookies %v", c)
	}
	if res.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no Strict-Transport-Security")
	}
}

func TestLoginRefused(t *testing.T) {
	w := newWorld(t)
	wrong := w.anyone().do("POST", "/api/v1/login", loginBody("officer", "not the password"))
	unknown := w.anyone().do("POST", "/api/v1/login", loginBody("nobody", "not the password"))
	if wrong.StatusCode != http.StatusUnauthorized || wrong.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d %v", wrong.StatusCode, wrong.Header)
	}
	if unknown.StatusCode != wrong.StatusCode || !bytes.Equal(unknown.body, wrong.body) {
		t.Errorf("an unknown user is told apart:\n%s\n%s", unknown.body, wrong.body)
	}
	if rows := w.journal.actions("login_failed"); len(rows) != 2 || rows[0].By != "officer" || rows[0].Client != "127.0.0.1" {
		t.Errorf("audit %+v", rows)
	}
	w.journal.fail(errors.New("disk full"))
	res := w.anyone().do("POST", "/api/v1/login", loginBody("officer", w.password("officer")))
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("login without audit: %d", res.StatusCode)
	}
}

func TestLoginLimitOfAccount(t *testing.T) {
	w := newWorld(t)
	b := w.anyone()
	var res response
	for range 11 {
		res = b.do("POST", "/api/v1/login", loginBody("officer", "x"))
	}
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Fatalf("after 11 attempts: %d %v", res.StatusCode, res.Header)
	}
	if res := b.do("POST", "/api/v1/login", loginBody("officer", w.password("officer"))); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the right password passes the limit: %d", res.StatusCode)
	}
	w.login("admin", w.password("admin")) // another account is not held up
	w.pass(15 * time.Second)
	w.officer()
}

func TestLoginLimitOfAddress(t *testing.T) {
	w := newWorld(t)
	var res response
	for i := range 21 {
		res = w.anyone().do("POST", "/api/v1/login", loginBody("guess"+string(rune('a'+i)), "x"))
	}
	if res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after 21 names from one address: %d", res.StatusCode)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		w := newWorld(t)
		b := w.officer()
		w.pass(11 * time.Hour)
		if res := b.get("/api/v1/me"); res.StatusCode != http.StatusOK {
			t.Fatalf("after 11 h: %d", res.StatusCode)
		}
		w.pass(11 * time.Hour) // the use before counts
		if res := b.get("/api/v1/me"); res.StatusCode != http.StatusOK {
			t.Fatalf("after another 11 h: %d", res.StatusCode)
		}
	})
	t.Run("idle too long", func(t *testing.T) {
		w := newWorld(t)
		b := w.officer()
		w.pass(12 * time.Hour)
		if res := b.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("after 12 h: %d", res.StatusCode)
		}
	})
	t.Run("absolute", func(t *testing.T) {
		w := newWorld(t)
		b := w.officer()
		for range 24 {
			b.get("/api/v1/me")
			w.pass(time.Hour)
		}
		if res := b.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("after 24 h in use: %d", res.StatusCode)
		}
	})
	t.Run("logout", func(t *testing.T) {
		w := newWorld(t)
		b, other := w.officer(), w.officer()
		if res := b.do("POST", "/api/v1/logout", nil); res.StatusCode != http.StatusNoContent || res.Cookies()[0].MaxAge >= 0 {
			t.Fatalf("logout: %d %v", res.StatusCode, res.Header)
		}
		if res := b.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("after logout: %d", res.StatusCode)
		}
		if res := other.get("/api/v1/me"); res.StatusCode != http.StatusOK {
			t.Errorf("the other session: %d", res.StatusCode)
		}
	})
	t.Run("disabled", func(t *testing.T) {
		w := newWorld(t)
		b := w.officer()
		admin := w.login("admin", w.password("admin"))
		if res := admin.do("POST", "/api/v1/users/officer/disable", nil); res.StatusCode != http.StatusNoContent {
			t.Fatalf("disable: %d %s", res.StatusCode, res.body)
		}
		if res := b.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("disabled: %d", res.StatusCode)
		}
		if res := w.anyone().do("POST", "/api/v1/login", loginBody("officer", w.password("officer"))); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("disabled user logs in: %d", res.StatusCode)
		}
		if res := admin.do("POST", "/api/v1/users/admin/disable", nil); res.StatusCode != http.StatusConflict {
			t.Errorf("the last admin can be disabled: %d", res.StatusCode)
		}
	})
}

func TestSweepKeepsLiveSessions(t *testing.T) {
	w := newWorld(t)
	old := w.officer()
	w.pass(13 * time.Hour)
	b := w.officer()
	if err := w.accounts.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if res := b.get("/api/v1/me"); res.StatusCode != http.StatusOK {
		t.Errorf("swept a live session: %d", res.StatusCode)
	}
	if res := old.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an idle session lives: %d", res.StatusCode)
	}
}

func TestMe(t *testing.T) {
	w := newWorld(t)
	res := w.officer().get("/api/v1/me")
	golden(t, "testdata/me.json", res.body)
}

func TestPasswordChange(t *testing.T) {
	w := newWorld(t)
	b, other := w.officer(), w.officer()
	change := func(old, next string) int {
		return b.do("POST", "/api/v1/me/password", map[string]string{"old": old, "new": next}).StatusCode
	}
	if got := change(w.password("officer"), "too short"); got != http.StatusUnprocessableEntity {
		t.Errorf("a short password: %d", got)
	}
	if got := change("wrong", "a long new password"); got != http.StatusUnprocessableEntity {
		t.Errorf("a wrong old password: %d", got)
	}
	if got := change(w.password("officer"), "a long new password"); got != http.StatusNoContent {
		t.Fatalf("change: %d", got)
	}
	if res := b.get("/api/v1/me"); res.StatusCode != http.StatusOK {
		t.Errorf("own session: %d", res.StatusCode)
	}
	if res := other.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("other session: %d", res.StatusCode)
	}
	w.login("officer", "a long new password")
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	var made wall.NewToken
	b.do("POST", "/api/v1/me/tokens", map[string]any{"label": "cli", "days": 1}).json(t, &made)
	cli := &browser{w: w, bearer: made.Secret}
	if res := cli.get("/api/v1/me"); res.StatusCode != http.StatusOK {
		t.Fatalf("token: %d", res.StatusCode)
	}
	if res := cli.do("POST", "/api/v1/me/tokens", map[string]any{"label": "more", "days": 366}); res.StatusCode != http.StatusForbidden {
		t.Errorf("a token makes tokens: %d", res.StatusCode)
	}
	var list wall.TokenList
	res := b.get("/api/v1/me/tokens")
	res.json(t, &list)
	if len(list.Tokens) != 1 || list.Tokens[0].ID != made.Token.ID || strings.Contains(string(res.body), made.Secret) {
		t.Errorf("tokens: %s", res.body)
	}
	if res := w.login("admin", w.password("admin")).do("DELETE", "/api/v1/me/tokens/"+made.Token.ID, nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("another user's token can be revoked: %d", res.StatusCode)
	}
	asCookie := &browser{w: w, cookie: "patrol=" + made.Secret}
	if res := asCookie.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token passes as a cookie: %d", res.StatusCode)
	}
	asBearer := &browser{w: w, bearer: strings.TrimPrefix(b.cookie, "patrol=")}
	if res := asBearer.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a session passes as a token: %d", res.StatusCode)
	}
	w.pass(24 * time.Hour)
	if res := cli.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("expired token: %d", res.StatusCode)
	}
	b = w.officer()
	b.do("POST", "/api/v1/me/tokens", map[string]any{"label": "cli", "days": 1}).json(t, &made)
	if res := b.do("DELETE", "/api/v1/me/tokens/"+made.Token.ID, nil); res.StatusCode != http.StatusNoContent {
		t.Errorf("revoke: %d", res.StatusCode)
	}
	cli.bearer = made.Secret
	if res := cli.get("/api/v1/me"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("revoked token: %d", res.StatusCode)
	}
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	admin := w.login("admin", w.password("admin"))
	create := func(name, role, password string) response {
		in := map[string]string{"name": name, "role": role}
		if password != "" {
			in["password"] = password
		}
		return admin.do("POST", "/api/v1/users", in)
	}
	var made wall.NewAccount
	create("li", "dispatcher", "").json(t, &made)
	w.login("li", made.Password)
	if res := create("li", "officer", ""); res.StatusCode != http.StatusConflict {
		t.Errorf("the same name again: %d", res.StatusCode)
	}
	for name, want := range map[string]string{"Ünser": "", "system": "", "link-1": "", "x y": ""} {
		if res := create(name, "officer", want); res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("name %q: %d", name, res.StatusCode)
		}
	}
	if res := create("wu", "root", ""); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("role root: %d", res.StatusCode)
	}
	res := create("wu", "officer", "short-secret")
	if res.StatusCode != http.StatusOK {
		t.Errorf("12 characters: %d %s", res.StatusCode, res.body)
	}
	res = create("zhao", "officer", "short")
	if res.StatusCode != http.StatusUnprocessableEntity || strings.Contains(string(res.body), `"short"`) {
		t.Errorf("5 characters: %d %s", res.StatusCode, res.body)
	}
	var list wall.AccountList
	admin.get("/api/v1/users").json(t, &list)
	if len(list.Users) != 4 {
		t.Errorf("users: %+v", list.Users)
	}
}

func TestFirstStartOnlyOnce(t *testing.T) {
	w := newWorld(t)
	again, err := w.accounts.FirstStart(t.Context())
	if err != nil || again != nil {
		t.Errorf("%v %v", again, err)
	}
}

// TestSecretsAtRest looks for every secret in the database's own files.
func TestSecretsAtRest(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	_, token, err := w.accounts.IssueToken(t.Context(), "officer", "cli", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var path string
	err = w.db.Read(t.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRowContext(t.Context(), `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path)
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v %v", files, err)
	}
	var all []byte
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	if !bytes.Contains(all, []byte("$argon2id$")) {
		t.Fatal("the hash is not where this test looks")
	}
	for name, secret := range map[string]string{
		"password": w.password("officer"), "session": strings.TrimPrefix(b.cookie, "patrol="), "token": token,
	} {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("the %s lies in the database in clear", name)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	w := newWorld(t)
	b := w.officer()
	path := "/api/v1/leads/" + lead1 + "/transitions"
	in := map[string]any{"to": "accepted", "version": 1}
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		res := b.do("POST", path, in, header...)
		if res.StatusCode != http.StatusForbidden || !strings.Contains(string(res.body), "cross_origin") {
			t.Errorf("%v: %d %s", header, res.StatusCode, res.body)
		}
	}
	if res := w.anyone().do("POST", "/api/v1/login", loginBody("officer", w.password("officer")), "Sec-Fetch-Site", "cross-site"); res.StatusCode != http.StatusForbidden {
		t.Errorf("login from another site: %d", res.StatusCode)
	}
	if len(w.desk.asked) != 0 {
		t.Error("a request of another site reached the desk")
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", w.http.URL}} {
		w.desk.leads[1].Version = 1
		if res := b.do("POST", path, in, header...); res.StatusCode != http.StatusOK {
			t.Errorf("%v: %d %s", header, res.StatusCode, res.body)
		}
	}
}
