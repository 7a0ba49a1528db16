package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/jpeg"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"videopatrol/streams"
	"videopatrol/streams/probe"
)

// TestCameraProbe probes a camera of the simulated city as an engineer does:
// its stream and its still, with the right password and with a wrong one.
func TestCameraProbe(t *testing.T) {
	city := start(t, "citysim", "serve", "--listen", "127.0.0.1:0", "--cameras", "1", "--password", "p@ss S3CRET")
	listen, _ := city.ready["listen"].(string)
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "citysim"), "inventory", "--cameras", "1", "--listen", listen).Output()
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(strings.Split(string(out), "\n")[1], ",")
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	still := "http://" + net.JoinHostPort(host, strconv.Itoa(n+1)) + "/cam/" + id + "/still.jpg"
	dir := t.TempDir()

	run := func(password string, args ...string) (stdout, stderr string, code int) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), append([]string{"camera", "probe"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATROL_CAMERA_PASSWORD="+password)
		var o, e bytes.Buffer
		cmd.Stdout, cmd.Stderr = &o, &e
		var exit *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if strings.Contains(o.String()+e.String(), "S3CRET") {
			t.Errorf("the password is told: %s%s", o.String(), e.String())
		}
		return o.String(), e.String(), cmd.ProcessState.ExitCode()
	}
	for name, c := range map[string]struct {
		url   string
		codec streams.Codec
	}{"stream": {"rtsp://" + listen + "/cam/" + id + "/sub", streams.CodecH264}, "still": {still, streams.CodecJPEG}} {
		file := filepath.Join(dir, name+".jpg")
		stdout, stderr, code := run("p@ss S3CRET", c.url, "--user", "citysim", "--for", "3s", "--save", file, "-o", "json")
		var r probe.Report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
			t.Fatalf("%s: exit %d, %v: %s%s", name, code, err, stdout, stderr)
		}
		if r.Reason != "" || r.Picture == nil || r.Picture.Codec != c.codec || len(r.Faults) > 0 || !r.Login.Accepted {
			t.Errorf("%s: %s", name, stdout)
		}
		if r.Stream != nil && (r.Stream.FPS < 10 || r.Stream.FPS > 20 || r.Stream.KeyUnits < 1 || r.Tracks[0].Width != 704) {
			t.Errorf("%s: %s", name, stdout)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if img, err := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil || img.Width != 704 {
			t.Errorf("%s: the saved picture is %+v, %v", name, img, err)
		}
	}
	stdout, stderr, code := run("wrong", "rtsp://"+listen+"/cam/"+id+"/sub", "--user", "citysim", "--for", "1s")
	if code != 1 || !strings.HasPrefix(stdout, "FAILED     auth: ") || !strings.Contains(stderr, "auth: no picture") {
		t.Errorf("a wrong password: exit %d: %s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "first-picture.jpg")); err == nil {
		t.Error("a picture was saved of a refused login")
	}
}
