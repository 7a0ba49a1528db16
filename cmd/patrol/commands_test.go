package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommands types an administrator's commands at a running gateway.
func TestCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("patrol.yaml", fmt.Sprintf("data: %s\nwall: {listen: 127.0.0.1:0}\nmetrics: {listen: 127.0.0.1:0}\ncanary: {enabled: false}\n", filepath.Join(dir, "data")))
	gateway := start(t, "patrol", "serve", "--config", config)
	address, _ := gateway.ready["wall"].(string)
	patrol := func(stdin string, args ...string) (string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), append(args, "--server", address, "--token-file", filepath.Join(dir, "data/admin.token"))...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	want := func(out string, err error, fails bool, parts ...string) {
		t.Helper()
		if (err != nil) != fails {
			t.Errorf("error %v, want one: %v", err, fails)
		}
		for _, p := range parts {
			if !strings.Contains(out, p) {
				t.Errorf("no %q in:\n%s", p, out)
			}
		}
		if strings.Contains(out, "s3cret") {
			t.Errorf("a password shows in:\n%s", out)
		}
	}

	// A file whose header is wrong changes nothing and says what to do.
	out, err := patrol("", "inventory", "import", write("header.csv", "id,intervall\n1,x\n"))
	want(out, err, true, "line 1, column intervall: no such column; did you mean interval?")
	// Of a file with bad rows the good ones are taken and the bad ones named.
	rows := write("cameras.csv", "id,name,lat,lon,sub,username,password,tier,interval\n"+
		"34970004001320000001,东门,30.5,117.2,rtsp://127.0.0.1:1/a,u,s3cret,high,2s\n"+
		"3.402E+19,坏,30.5,117.2,rtsp://127.0.0.1:1/b,u,s3cret,high,2s\n"+
		"34970004001320000003,北门,95,117.2,rtsp://127.0.0.1:1/c,u,s3cret,high,2s\n"+
		"34970004001320000004,南门,30.5,117.2,rtsp://u:s3cret@127.0.0.1:1/d,,,high,2s\n"+
		"34970004001320000005,西门,30.5,117.2,ftp://127.0.0.1:1/d,,,fast,soon\n")
	out, err = patrol("", "inventory", "import", rows, "--dry-run")
	want(out, err, true, "would change (dry run): 1 new, 0 changed, 0 same, 0 removed, 4 rejected", "rejected: line 3, id", "文本", "line 4, lat", "line 5, sub", "line 6, tier")
	out, err = patrol("", "camera", "list")
	want(out, err, false, "ID")
	if strings.Contains(out, "东门") {
		t.Error("a dry run changed the inventory")
	}
	out, err = patrol("", "inventory", "import", rows)
	want(out, err, true, "applied: 1 new", "4 rejected", "patrol inventory undo 1")
	out, err = patrol("", "inventory", "import", rows)
	want(out, err, true, "nothing to apply: 0 new, 0 changed, 1 same")
	out, err = patrol("", "camera", "list")
	want(out, err, false, "34970004001320000001", "东门")
	out, err = patrol("", "inventory", "export")
	want(out, err, false, "34970004001320000001,东门", "password")

	// Maintenance, and what was watched.
	out, err = patrol("", "maintenance", "add", "--camera", "34970004001320000001", "--to", "4h", "--reason", "new switch")
	want(out, err, false, "maintenance 1 from ", "patrol maintenance end 1")
	out, err = patrol("", "maintenance", "add", "--camera", "7", "--to", "4h", "--reason", "new switch")
	want(out, err, true, `there is no camera "7"`)
	out, err = patrol("", "maintenance", "add", "--camera", "34970004001320000001", "--to", "900h", "--reason", "new switch")
	want(out, err, true, "1 minute to 30 days")
	out, err = patrol("", "maintenance", "list")
	want(out, err, false, "34970004001320000001", "new switch", "admin")
	out, err = patrol("", "maintenance", "end", "1")
	want(out, err, false, "maintenance 1 ended ")
	out, err = patrol("", "maintenance", "end", "1")
	want(out, err, true, "is over already")
	out, err = patrol("", "maintenance", "list", "--after", "1h", "-o", "json")
	want(out, err, false, `"ended_by": "admin"`)
	out, err = patrol("", "coverage", "--by", "cell,tier", "--from", "2h")
	want(out, err, false, "WATCHED", "total", "camera-minutes from ", "SHORTEST HAPPENING", "high")
	out, err = patrol("", "coverage", "-o", "json")
	want(out, err, false, `"worst_case_seconds": `)
	out, err = patrol("", "coverage", "--from", "900h")
	want(out, err, true, "coverage is kept for 30 days; ask from ")
	out, err = patrol("", "inventory", "undo", "1")
	want(out, err, false, "revision 2 undoes 1")
	out, err = patrol("", "inventory", "undo", "7")
	want(out, err, true, "revision")
	out, err = patrol("", "inventory", "import", write("grid.geojson", `{"type":"FeatureCollection","features":[{"type":"Feature"}]}`))
	want(out, err, true, "line")

	// Users, and a token that is one's own.
	out, err = patrol("", "user", "add", "wang", "--role", "officer")
	want(out, err, false, "user wang (officer), password ")
	password := out[strings.LastIndex(strings.TrimSpace(out), " ")+1:]
	out, err = patrol("", "user", "add", "wang")
	want(out, err, true, "there is a user of that name already")
	out, err = patrol("wrong\n", "user", "token", "wang")
	want(out, err, true, "wrong user name or password")
	out, err = patrol(password, "user", "token", "wang")
	want(out, err, false)
	token := write("wang.token", out)
	lead := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), append(args, "--server", address, "--token-file", token)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err = lead("lead", "list")
	want(out, err, false, "NUMBER")
	out, err = lead("lead", "accept", "0190a7c2-0000-7000-8000-000000000000")
	want(out, err, true, "no such lead")
	out, err = lead("inventory", "export")
	want(out, err, true, "patrol: ")
	out, err = patrol("", "user", "disable", "wang")
	want(out, err, false)
	out, err = lead("lead", "list")
	want(out, err, true, "patrol: ")
	out, err = patrol("", "user", "list", "-o", "json")
	want(out, err, false, `"name": "wang"`, `"disabled": true`)
}
