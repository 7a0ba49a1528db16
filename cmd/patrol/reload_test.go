package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"videopatrol/wall"
)

const (
	oneDepartment  = "departments:\n  - {id: fire, name: {zh: 消防, en: Fire}}\nroutes: [{name: all, lead: fire}]\n"
	twoDepartments = oneDepartment + "posts: [{id: chief, name: {zh: 长, en: Chief}}]\n"
)

// TestReload: a file of routes that is good counts from the signal on; one that
// is not is refused with the place of its mistake, together with whatever else
// was to change, and the old one goes on.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, routes, rules := filepath.Join(dir, "patrol.yaml"), filepath.Join(dir, "routes.yaml"), filepath.Join(dir, "rules.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure := func(level string) {
		t.Helper()
		write(config, "data: "+filepath.Join(dir, "data")+"\nlog: {level: "+level+", format: json}\nroutes: "+routes+"\ndetect: {rules: "+rules+"}"+
			"\nwall: {listen: \"127.0.0.1:0\"}\nmetrics: {listen: \"127.0.0.1:0\"}\ncanary: {enabled: false}\n")
	}
	configure("info")
	write(routes, oneDepartment)
	write(rules, "{}")
	gateway := start(t, "patrol", "serve", "--config", config)
	token, err := os.ReadFile(filepath.Join(dir, "data", "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(address any, path string) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address.(string)+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s %v", path, resp.StatusCode, b, err)
		}
		return b
	}
	departments := func() (ids []string) {
		t.Helper()
		var book wall.RouteBook
		if err := json.Unmarshal(read(gateway.ready["wall"], "/api/v1/routes"), &book); err != nil {
			t.Fatal(err)
		}
		for _, d := range book.Departments {
			ids = append(ids, d.ID)
		}
		return ids
	}
	// reload signals, and waits for so many lines of the log that say how it went.
	reload := func(said string, times int) {
		t.Helper()
		if err := gateway.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); strings.Count(gateway.log(), said) < times; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it does not say %q for the time no. %d:\n%s", said, times, gateway.log())
			}
		}
	}
	metric := func(line string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if strings.Contains(string(read(gateway.ready["metrics"], "/metrics")), "\n"+line+"\n") {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("no line %q in the metrics", line)
			}
		}
	}
	metric("patrol_config_last_reload_successful 1")

	write(routes, strings.Replace(twoDepartments, "lead: fire", "lead: fyre", 1))
	configure("debug")
	reload("configuration not reloaded", 1)
	if log := gateway.log(); !strings.Contains(log, "routes.yaml: line 3, column 28") || !strings.Contains(log, "did you mean") {
		t.Errorf("it does not say where the mistake is:\n%s", log)
	}
	metric(`patrol_config_reloads_total{outcome="refused"} 1`)
	metric("patrol_config_last_reload_successful 0")
	if got := departments(); !slices.Equal(got, []string{"fire"}) {
		t.Errorf("departments %v", got)
	}

	// Both files are one change: neither counts while the other is refused.
	write(routes, strings.Replace(twoDepartments, "\nroutes", "\n  - {id: police, name: {zh: 公安, en: Police}}\nroutes", 1))
	configure("loud")
	reload("configuration not reloaded", 2)
	if got := departments(); !slices.Equal(got, []string{"fire"}) {
		t.Errorf("departments %v while the configuration is refused", got)
	}

	configure("debug")
	reload("configuration reloaded", 1)
	if got := departments(); !slices.Equal(got, []string{"fire", "police"}) {
		t.Errorf("departments %v", got)
	}
	if log := gateway.log(); !strings.Contains(log, `"routes":"departments, posts"`) || !strings.Contains(log, `"log.level":"debug"`) {
		t.Errorf("it does not say what changed:\n%s", log)
	}
	metric(`patrol_config_reloads_total{outcome="applied"} 1`)
	metric("patrol_config_last_reload_successful 1")

	// So it is with the rules of zones.
	rule := func(param string) {
		t.Helper()
		write(rules, "fire_lane:\n  rules:\n    fire_lane_blocked: {params: {"+param+": 30s}}\n")
	}
	rule("dwel")
	reload("configuration not reloaded", 3)
	if log := gateway.log(); !strings.Contains(log, "rules.yaml: ") || !strings.Contains(log, `"dwel\"`) {
		t.Errorf("it does not say where the mistake is:\n%s", log)
	}
	rule("dwell")
	reload("configuration reloaded", 2)
	if log := gateway.log(); !strings.Contains(log, `"rules":"fire_lane"`) {
		t.Errorf("it does not say which rules changed:\n%s", log)
	}
}
