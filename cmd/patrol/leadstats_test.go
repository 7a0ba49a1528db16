package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"videopatrol/alerts"
)

// TestLeadStats prints what a chief asks in the morning, as a table and as
// JSON; figures that nothing stands behind are a dash, tables without rows are
// left out.
func TestLeadStats(t *testing.T) {
	t.Parallel()
	half, most := 0.5, 0.25
	stats := alerts.Statistics{
		Total:  alerts.Tally{Raised: 9, Accepted: 3, Rejected: 3, Handled: 2, Expired: 1, Precision: &half},
		Stages: map[alerts.LeadState]alerts.Spread{alerts.LeadRaised: {Count: 7, P50: 12.4, P95: 185}},
		Suppressed: map[alerts.QuietRule]int{
			alerts.QuietChatter: 4, alerts.QuietShadow: 11,
		},
		Breaches: map[alerts.Stage]int{},
		Cells: []alerts.CellTally{
			{Cell: "g1", Name: "一号网格", Tally: alerts.Tally{Raised: 8}},
			{Tally: alerts.Tally{Raised: 1}},
		},
		Departments: []alerts.DepartmentTally{{Department: "fire", Orders: 2, Done: 1, Returned: 1, Acknowledge: alerts.Spread{Count: 2, P50: 30, P95: 90}}},
		Noisiest: []alerts.RuleTally{{
			Rule: "crowd", Camera: "c7", Shelve: true, Reasons: map[string]int{"light": 3}, Tally: alerts.Tally{Raised: 4, Accepted: 1, Rejected: 3, Precision: &most},
		}},
	}
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI()+" "+r.Header.Get("Authorization"))
		_ = json.NewEncoder(w).Encode(stats)
	}))
	defer server.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("vpt_x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		args = append([]string{"lead", "stats", "--server", server.URL, "--token-file", token}, args...)
		out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	out := run("--from", "2026-11-01T00:00:00Z", "--to", "2026-11-02T00:00:00Z")
	for _, line := range []string{
		`CELL +RAISED +ACCEPTED +REJECTED +HANDLED +EXPIRED +PRECISION +RATE`,
		`all +9 +3 +3 +2 +1 +50 % +-`,
		`一号网格 +8 `,
		`outside +1 `,
		`raised +7 +12s / 3m5s`,
		`fire +2 +1 +1 +30s / 1m30s +-`,
		`chatter +4`,
		`shadow +11`,
		`crowd +c7 +shelve or tune +4 +1 +3 +0 +0 +25 % +-`,
	} {
		if !regexp.MustCompile(`(?m)^` + line).MatchString(out) {
			t.Errorf("no line like %q in:\n%s", line, out)
		}
	}
	if strings.Contains(out, "BREACHED") {
		t.Errorf("a table without rows:\n%s", out)
	}
	var got alerts.Statistics
	if out := run("-o", "json"); json.Unmarshal([]byte(out), &got) != nil || got.Total.Raised != 9 || got.Noisiest[0].Reasons["light"] != 3 {
		t.Errorf("%s", out)
	}
	if want := "/api/v1/statistics?from=2026-11-01T00%3A00%3A00Z&to=2026-11-02T00%3A00%3A00Z Bearer vpt_x"; len(asked) != 2 || asked[0] != want || asked[1] != "/api/v1/statistics Bearer vpt_x" {
		t.Errorf("asked %q", asked)
	}
}
