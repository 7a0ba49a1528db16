//go:build cgo

package realparts_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"gocv.io/x/gocv"

	"videopatrol/detect"
	"videopatrol/detect/codec"
	"videopatrol/detect/opencv"
	"videopatrol/detect/worker"
	"videopatrol/inventory"
	"videopatrol/streams"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "worker" {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func serve() error {
	d, err := codec.New(codec.Options{})
	if err != nil {
		return err
	}
	imaging := opencv.New()
	return worker.Serve(context.Background(), worker.ServeOptions{
		Decoder: throwing{d}, Memory: memory,
		NewWatcher: func(c detect.Config) (worker.Watcher, error) {
			return detect.NewWatch(detect.WatchOptions{Config: c, Imaging: imaging})
		},
	})
}

// throwing has OpenCV throw a C++ exception, which nobody catches, over the
// fixture.
type throwing struct{ detect.Decoder }

var fixture = []byte("a sample that OpenCV does not survive")

func (d throwing) Glance(u streams.Unit) (detect.Picture, error) {
	if bytes.Equal(u.NALUs[0], fixture) {
		empty, out := gocv.NewMat(), gocv.NewMat()
		gocv.CvtColor(empty, &out, gocv.ColorBGRToGray)
	}
	return d.Decoder.Glance(u)
}

type rig struct {
	*worker.Pool
	t        *testing.T
	registry *prometheus.Registry
	findings chan detect.Finding
	verdicts chan streams.Verdict
	results  chan detect.Result
	now      time.Time
}

func newRig(t *testing.T, dir string, change ...func(*worker.Options)) *rig {
	t.Helper()
	r := &rig{
		t: t, registry: prometheus.NewRegistry(), now: time.Now().Add(-10 * time.Minute),
		findings: make(chan detect.Finding, 1000), verdicts: make(chan streams.Verdict, 1000), results: make(chan detect.Result, 1000),
	}
	var env []string
	if memory < 0 {
		env = []string{"GORACE=atexit_sleep_ms=0"}
	}
	o := worker.Options{
		Command: []string{os.Args[0], "worker"}, Env: env, Workers: 1, Timeout: 10 * time.Second, // under -race and load
		Reporter:      detect.ReporterFunc(func(_ context.Context, f detect.Finding) error { r.findings <- f; return nil }),
		Verdict:       func(v streams.Verdict) { r.verdicts <- v },
		Seen:          func(s detect.Result) { r.results <- s },
		QuarantineDir: dir, Registerer: r.registry,
	}
	for _, c := range change {
		c(&o)
	}
	p, err := worker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Pool = p
	yard := inventory.Zone{
		ID: "yard", Kind: inventory.ZoneClosedArea,
		Area: inventory.Polygon{{X: 0.4, Y: 0.2}, {X: 1, Y: 0.2}, {X: 1, Y: 1}, {X: 0.4, Y: 1}},
	}
	p.Reconcile([]detect.Config{
		{Camera: "a", TimeZone: "Asia/Shanghai", Interval: 2 * time.Second, Zones: []inventory.Zone{yard}},
		{Camera: "b", TimeZone: "Asia/Shanghai", Interval: 2 * time.Second},
		{Camera: "k", TimeZone: "Asia/Shanghai"},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("no %T came", *new(T))
		panic("unreachable")
	}
}

func (r *rig) see(camera string, u streams.Unit) streams.Verdict {
	r.t.Helper()
	r.now = r.now.Add(2 * time.Second)
	u.Received = r.now
	r.Offer(streams.Sample{Camera: camera, Unit: u})
	return await(r.t, r.verdicts)
}

// trusted shows a picture that must be trusted.
func (r *rig) trusted(camera string, u streams.Unit) detect.Result {
	r.t.Helper()
	v := r.see(camera, u)
	got := await(r.t, r.results)
	if v.Reason != streams.ReasonNone {
		r.t.Fatalf("camera %s: %s %s", camera, v.Reason, got.Undecodable)
	}
	return got
}

// street is a JPEG of a noisy street, with a person in the yard or not.
func street(t *testing.T, rng *rand.Rand, person bool) streams.Unit {
	t.Helper()
	const w, h = 352, 288
	m := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := 110 + 25*math.Sin(float64(x)/7)*math.Sin(float64(y)/9) + 3*rng.NormFloat64()
			if person && x > 200 && x < 225 && y > 120 && y < 190 {
				v = 30 + 5*math.Sin(float64(x))
			}
			m.SetGray(x, y, color.Gray{Y: uint8(v)})
		}
	}
	c := image.NewYCbCr(m.Rect, image.YCbCrSubsampleRatio420)
	copy(c.Y, m.Pix)
	for i := range c.Cb {
		c.Cb[i], c.Cr[i] = 128, 128
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, c, nil); err != nil {
		t.Fatal(err)
	}
	return streams.Unit{Codec: streams.CodecJPEG, NALUs: [][]byte{b.Bytes()}}
}

func TestOpenCVAborts(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		if got := r.trusted("a", street(t, rng, false)); len(got.Still) == 0 {
			t.Fatal("no still")
		}
	}
	for range 3 {
		r.trusted("a", street(t, rng, true))
	}
	begin := await(t, r.findings)
	if begin.Phase != detect.PhaseBegin || begin.Zone != "yard" || len(begin.Picture) == 0 {
		t.Fatalf("finding %+v", begin)
	}

	start := time.Now()
	if v := r.see("k", streams.Unit{Codec: streams.CodecH264, NALUs: [][]byte{fixture}}); v.Reason != streams.ReasonQuarantined {
		t.Errorf("verdict %+v", v)
	}
	r.trusted("b", street(t, rng, false))
	t.Logf("from the sample that OpenCV aborts over to the neighbour's result: %v", time.Since(start))
	if n := testutil.ToFloat64(restarts(t, r.registry)); n != 1 {
		t.Errorf("%v restarts, want 1", n)
	}
	kept, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	if b, err := os.ReadFile(kept[0]); err != nil || !bytes.Contains(b, []byte("cv::Exception")) {
		t.Errorf("the exception is not in the case: %s %v", b, err)
	}

	// The condition runs on through the restart, and ends when the yard is empty.
	for range 3 {
		r.trusted("a", street(t, rng, true))
	}
	for range 20 {
		r.trusted("a", street(t, rng, false))
	}
	for {
		f := await(t, r.findings)
		if !f.Began.Equal(begin.Began) || f.Phase == detect.PhaseBegin {
			t.Fatalf("the condition that began %v became %+v", begin.Began, f)
		}
		if f.Phase == detect.PhaseEnd {
			break
		}
	}
}

// restarts is the one restart counter that counted.
func restarts(t *testing.T, g prometheus.Gatherer) prometheus.Collector {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	c := prometheus.NewGauge(prometheus.GaugeOpts{Name: "restarts", Help: "All restarts."})
	for _, f := range families {
		if f.GetName() == "patrol_worker_restarts_total" {
			for _, m := range f.GetMetric() {
				c.Add(m.GetCounter().GetValue())
			}
		}
	}
	return c
}

// H.264 and H.265 decode within the filter as well.
func TestVideoDecodesWithinTheFilter(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: no bytes to decode")
	}
	r := newRig(t, "")
	for _, size := range []string{"352x288", "704x576", "1920x1080"} {
		out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size="+size,
			"-frames:v", "1", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-f", "h264", "-").Output()
		if err != nil {
			t.Skipf("ffmpeg cannot encode H.264: %v", err)
		}
		var nalus h264.AnnexB
		if err := nalus.Unmarshal(out); err != nil {
			t.Fatal(err)
		}
		if got := r.trusted("b", streams.Unit{Codec: streams.CodecH264, NALUs: nalus}); len(got.Still) == 0 {
			t.Errorf("%s: no still", size)
		}
	}
	mustBeConfined(t, r.registry)
}

func mustBeConfined(t *testing.T, g prometheus.Gatherer) {
	t.Helper()
	b, err := testutil.GatherAndCount(g, "patrol_workers")
	if err != nil || b == 0 {
		t.Fatalf("patrol_workers: %d, %v", b, err)
	}
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "patrol_workers" && strings.Contains(m.GetLabel()[0].GetValue(), "filter") && m.GetGauge().GetValue() == 1 {
				return
			}
		}
	}
	t.Error("the worker is not filtered")
}
