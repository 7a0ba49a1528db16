package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"videopatrol/alerts"
	"videopatrol/alerts/evidence"
	alertsql "videopatrol/alerts/sqlstore"
	"videopatrol/cmd/citysim/play"
	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/detect/opencv"
	"videopatrol/inventory"
	"videopatrol/inventory/sqldb"
	"videopatrol/streams"
)

// visits are the seconds of intel-one-by-one-person-detection.mp4 in which
// somebody is in the room, as a person sees them.
var visits = [][2]int{{5, 20}, {21, 45}, {49, 70}, {73, 88}, {91, 120}, {123, 136}}

// TestRealClip takes real footage of a room through decoder, watch and engine
// into the record: one intrusion lead per visit, none while it is empty.
func TestRealClip(t *testing.T) {
	media := os.Getenv("PATROL_MEDIA")
	if media == "" {
		media = "../../../shared/media"
	}
	file := filepath.Join(media, "video/intel-one-by-one-person-detection.mp4")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no real footage: %v; set PATROL_MEDIA to its folder", err)
	}
	var stream, stderr bytes.Buffer
	encode := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", file, "-vf", "scale=704:396", "-r", "30",
		"-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-b:v", "600k", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0",
		"-x264-params", "repeat-headers=1:sliced-threads=0:slices=1", "-f", "h264", "-") // a key unit a second
	encode.Stdout, encode.Stderr = &stream, &stderr
	if err := encode.Run(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, stderr.String())
	}
	seconds, err := play.ParseGOPs(stream.Bytes())
	if err != nil {
		t.Fatal(err)
	}

	camera := inventory.Camera{ID: "room", Zones: []inventory.Zone{{
		ID: "all", Kind: inventory.ZoneClosedArea,
		Area: inventory.Polygon{{X: 0.02, Y: 0.02}, {X: 0.98, Y: 0.02}, {X: 0.98, Y: 0.98}, {X: 0.02, Y: 0.98}},
	}}}
	engine := newEngine(t, inventory.Snapshot{Revision: 1, Cameras: []inventory.Camera{camera}})
	decoders, err := codec.New(codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer decoders.Close()
	imaging := opencv.New()
	defer imaging.Close()
	watch, err := detect.NewWatch(detect.WatchOptions{
		Config:  detect.Config{Camera: camera.ID, Zones: camera.Zones, Interval: time.Second, TimeZone: "UTC"},
		Imaging: imaging,
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	see := func(second int) {
		t.Helper()
		g := seconds[second]
		p, err := decoders.Glance(streams.Unit{Codec: streams.CodecH264, Params: [][]byte{g.SPS, g.PPS}, NALUs: g.Units[:1]})
		if err != nil {
			t.Fatalf("second %d: %v", second, err)
		}
		r, err := watch.See(p, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			if err := engine.Observe(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The clip has five seconds of empty room: they are shown slowly, to learn it.
	for second := range 5 {
		see(second)
		now = now.Add(3 * time.Second)
	}
	zero := now.Add(-5 * time.Second)
	for second := 5; second < len(seconds); second++ {
		now = zero.Add(time.Duration(second) * time.Second)
		see(second)
	}

	page, err := engine.Leads(t.Context(), alerts.LeadQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	leads := map[int]int{} // by visit
	for _, l := range page.Leads {
		began := int(l.BeganAt.Sub(zero).Seconds())
		visit := -1
		for i, v := range visits {
			if began >= v[0]-1 && began < v[1] {
				visit = i
			}
		}
		leads[visit]++
		t.Logf("lead %d: began at second %d, %s", l.Number, began, l.Summary.EN)
	}
	for i, v := range visits {
		if leads[i] != 1 {
			t.Errorf("the visit of seconds %d to %d has %d leads, want 1", v[0], v[1], leads[i])
		}
	}
	if leads[-1] > 0 {
		t.Errorf("%d leads while the room was empty", leads[-1])
	}
}

// newEngine is an engine over a record of its own.
func newEngine(t *testing.T, s inventory.Snapshot) *alerts.Engine {
	t.Helper()
	db, err := sqldb.Open(context.Background(), sqldb.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "patrol.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := alertsql.New(t.Context(), db, "test")
	if err != nil {
		t.Fatal(err)
	}
	pictures, err := evidence.Open(filepath.Join(t.TempDir(), "evidence"))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := alerts.New(alerts.Options{Store: store, Inventory: func() inventory.Snapshot { return s }, Pictures: pictures})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}
