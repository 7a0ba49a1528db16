package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"videopatrol/inventory/sqldb"
)

// TestAuditVerify plays an auditor beside a running gateway, and then somebody
// who changes its database while it stands still.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, copied := filepath.Join(dir, "data"), filepath.Join(dir, "elsewhere.jsonl")
	config := filepath.Join(dir, "patrol.yaml")
	office, kept := anotherOffice(t, dir)
	configure := func(level string) {
		t.Helper()
		text := fmt.Sprintf("data: %s\nnode: hall-3\naudit: {checkpoints: %s, receiver: {url: %q}}\nlog: {level: %s}\n"+
			"wall: {listen: 127.0.0.1:0}\nmetrics: {listen: 127.0.0.1:0}\ncanary: {enabled: false}\n", data, copied, office, level)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("info")
	var gateway *process
	token := filepath.Join(data, "admin.token")
	patrol := func(stdin string, args ...string) (string, error) {
		t.Helper()
		address, _ := gateway.ready["wall"].(string)
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), append(args, "--server", address, "--token-file", token)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(out string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return out
	}
	gateway = start(t, "patrol", "serve", "--config", config)
	password := regexp.MustCompile(`password (\S+)`).FindStringSubmatch(must(patrol("", "user", "add", "kim", "--role", "auditor")))[1]
	secret := must(patrol(password+"\n", "user", "token", "kim"))
	token = filepath.Join(dir, "kim.token")
	if err := os.WriteFile(token, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	configure("debug")
	if err := gateway.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	list := ""
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(list, "config_reload"); list = must(patrol("", "audit", "list", "--limit", "1000")) {
		if time.Now().After(deadline) {
			t.Fatalf("the reload is not in the audit:\n%s", list)
		}
	}
	for _, row := range []string{
		"chain_begin", "user_create +user/officer, user/admin", "user_create +user/kim", "login +session", "token_issue +user/kim", "logout",
		"config_reload +config +.*log.level info → debug", "audit_read",
	} {
		if !regexp.MustCompile(row).MatchString(list) {
			t.Errorf("no %q in:\n%s", row, list)
		}
	}
	key := strings.TrimSpace(must(patrol("", "audit", "key")))
	if b, err := os.ReadFile(filepath.Join(data, "audit.pub")); err != nil || strings.TrimSpace(string(b)) != key {
		t.Errorf("audit.pub holds %q, not %q: %v", b, key, err)
	}
	if info, err := os.Stat(filepath.Join(data, "audit.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("audit.key: %v, %v", info, err)
	}
	if out := must(patrol("", "audit", "verify")); !strings.Contains(out, "node hall-3") || !strings.Contains(out, "gateway's own word") || !strings.Contains(out, "without a copy") {
		t.Errorf("verified: %s", out)
	}
	gateway.stop()

	type verdict struct {
		OK                       bool
		Seq, Checkpoints, Sealed int64
		Fault                    *struct {
			Seq  int64
			What string
		}
	}
	verify := func(more ...string) verdict {
		t.Helper()
		out, err := patrol("", append([]string{"audit", "verify", "-o", "json", "--key", key}, more...)...)
		var v verdict
		if json.Unmarshal([]byte(out[:strings.LastIndex(out, "}")+1]), &v) != nil || v.OK != (err == nil) || v.OK != (v.Fault == nil) {
			t.Fatalf("%v: %s", err, out)
		}
		if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() != 1 { //nolint:errorlint // exec returns it bare
			t.Errorf("exit code %d", exit.ExitCode())
		}
		return v
	}
	serving := func(work func()) {
		t.Helper()
		gateway = start(t, "patrol", "serve", "--config", config)
		work()
		gateway.stop()
	}
	tamper := func(queries ...string) {
		t.Helper()
		db, err := sqldb.Open(t.Context(), sqldb.Options{URL: "sqlite:" + filepath.Join(data, "patrol.db")})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, q := range queries {
			if err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
				_, err := tx.ExecContext(t.Context(), q)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	serving(func() {
		// The last words of the run before vouch for all of its rows.
		if v := verify("--checkpoints", copied); !v.OK || v.Checkpoints < 4 || v.Sealed < 8 {
			t.Errorf("whole: %+v", v)
		}
		if v := verify("--checkpoints", kept, "--checkpoints", copied); !v.OK || v.Checkpoints < 6 || v.Sealed < 8 {
			t.Errorf("whole, with both copies: %+v", v)
		}
	})
	tamper(`UPDATE audit_rows SET made_by = 'nobody' WHERE seq = 3`)
	serving(func() {
		if v := verify(); v.OK || v.Fault.Seq != 3 {
			t.Errorf("edited: %+v", v)
		}
	})
	tamper(`UPDATE audit_rows SET made_by = 'system' WHERE seq = 3`,
		`DELETE FROM audit_rows WHERE seq > 6`, `DELETE FROM audit_checkpoints WHERE seq > 6`,
		`UPDATE audit_heads SET seq = 6, hash = (SELECT hash FROM audit_rows WHERE seq = 6)`)
	serving(func() {
		if v := verify("--checkpoints", copied); v.OK || v.Fault.Seq < 7 {
			t.Errorf("cut off, with the copy: %+v", v)
		}
		if v := verify("--checkpoints", kept); v.OK || v.Fault.Seq < 7 {
			t.Errorf("cut off, with what the receiver kept: %+v", v)
		}
		if v := verify(); !v.OK {
			t.Errorf("cut off, without the copy: %+v", v) // the copy is there because of this
		}
	})
}

// anotherOffice appends what is POSTed to it to a file, once it has been away
// for a while.
func anotherOffice(t *testing.T, dir string) (url, kept string) {
	t.Helper()
	kept = filepath.Join(dir, "kept.jsonl")
	file, err := os.OpenFile(kept, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		line, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = file.Write(line)
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(func() {
		server.Close()
		file.Close()
	})
	return server.URL, kept
}
