package main_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"videopatrol/wall"
)

// TestPage drives the page in a real Chromium: log in, see a lead arrive
// without a reload, accept it by keyboard, take that back, hand the shift over
// to another officer, and answer the order as its department.
func TestPage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	if _, err := os.Stat("/usr/bin/chromium"); err != nil {
		t.Skip("there is no /usr/bin/chromium; on Debian 12 deploy/setup.sh installs it")
	}
	ui, err := filepath.Abs("../../wall/ui")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(ui, "dist/index.html")); errors.Is(err, os.ErrNotExist) {
		t.Skip("the page is not built; 'make ui' builds it")
	}
	r := newRig(t, rigOptions{cameras: 4, interval: 2 * time.Second, script: `
- {camera: 1, kind: intrusion, after: 40s, for: 30s, every: 45s}
- {camera: 2, kind: covered, after: 30s, for: 300s}
`})
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	shots := t.TempDir()
	if dir := os.Getenv("PATROL_SCREENSHOTS"); dir != "" {
		shots = dir
	}
	cmd := exec.CommandContext(ctx, "npm", "run", "--silent", "e2e")
	cmd.Dir = ui
	cmd.Env = append(os.Environ(), "PATROL_URL="+r.wall, "PATROL_USER=officer", "PATROL_PASSWORD="+r.login["officer"], "PATROL_SCREENSHOTS="+shots,
		"PATROL_SECOND="+r.user(wall.AccountRequest{Name: "li", Role: wall.RoleDispatcher}),
		"PATROL_DEPARTMENT="+r.user(wall.AccountRequest{Name: "station", Role: wall.RoleDepartment, Department: "police-station"}))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
