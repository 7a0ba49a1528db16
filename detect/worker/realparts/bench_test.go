//go:build cgo

package realparts_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"videopatrol/detect"
	"videopatrol/detect/worker"
	"videopatrol/inventory"
	"videopatrol/streams"
)

// BenchmarkSample is what a patrol pays for one sample from the parent's slot
// to the verdict, with everything real: 704 × 576 H.264 key units of a noisy
// scene, a child, decoding, scene health, motion and the rules, for 200
// cameras in turn, one sample at a time. The processor times are user and
// system of the parent and of the child, from the operating system.
func BenchmarkSample(b *testing.B) {
	units := keyUnits(b)
	b.Run("nobody looks", func(b *testing.B) { benchmarkSample(b, units, 64<<20) })
	b.Run("every still", func(b *testing.B) { benchmarkSample(b, units, 0) })
}

func benchmarkSample(b *testing.B, units []streams.Unit, stillMemory int64) {
	b.Helper()
	const cameras = 200
	verdicts, ready := make(chan streams.Verdict, 1), make(chan int, 1)
	stages := map[string]float64{}
	p, err := worker.New(worker.Options{
		Command: []string{os.Args[0], "worker"}, Workers: 1, Timeout: 10 * time.Second, StillMemory: stillMemory,
		Reporter: detect.ReporterFunc(func(context.Context, detect.Finding) error { return nil }),
		Verdict:  func(v streams.Verdict) { verdicts <- v },
		Seen: func(r detect.Result) {
			for stage, seconds := range r.Stages {
				stages[stage] += seconds
			}
			ready <- len(r.Still)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	lane := inventory.Polygon{{X: 0.1, Y: 0.5}, {X: 0.6, Y: 0.5}, {X: 0.6, Y: 0.9}, {X: 0.1, Y: 0.9}}
	yard := inventory.Polygon{{X: 0.4, Y: 0.2}, {X: 1, Y: 0.2}, {X: 1, Y: 1}, {X: 0.4, Y: 1}}
	sky := inventory.Polygon{{X: 0, Y: 0}, {X: 0.3, Y: 0}, {X: 0.3, Y: 0.2}, {X: 0, Y: 0.2}}
	configs := make([]detect.Config, cameras)
	for i := range configs {
		configs[i] = detect.Config{
			Camera: "c" + strconv.Itoa(i), TimeZone: "Asia/Shanghai", Interval: 10 * time.Second, Masks: []inventory.Polygon{sky},
			Zones: []inventory.Zone{{ID: "lane", Kind: inventory.ZoneFireLane, Area: lane}, {ID: "yard", Kind: inventory.ZoneClosedArea, Area: yard}},
		}
	}
	p.Reconcile(configs)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	now, n, bytes, stills := time.Now().Add(-time.Hour), 0, 0, 0
	see := func() {
		u := units[(n/cameras+n)%len(units)]
		now = now.Add(10 * time.Second / cameras)
		u.Received = now
		p.Offer(streams.Sample{Camera: configs[n%cameras].Camera, Unit: u})
		if v := <-verdicts; v.Reason != streams.ReasonNone {
			b.Fatalf("sample %d: %+v", n, v)
		}
		stills += <-ready
		bytes += u.Size()
		n++
	}
	for n < 6*cameras { // until every ground is learned
		see()
	}
	clear(stages)
	n, bytes, stills = 0, 0, 0
	child := onlyChild(b)
	b.ReportAllocs()
	parentBefore, childBefore := usage(b, os.Getpid()), usage(b, child)
	for b.Loop() {
		see()
	}
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 / float64(n) }
	parentTime, childTime := usage(b, os.Getpid())-parentBefore, usage(b, child)-childBefore
	b.ReportMetric(per(parentTime), "parent-cpu-ms/op")
	b.ReportMetric(per(childTime), "child-cpu-ms/op")
	b.ReportMetric(per(parentTime+childTime), "cpu-ms/op")
	b.ReportMetric(float64(bytes)/float64(n), "unit-B/op")
	b.ReportMetric(float64(stills)/float64(n), "still-B/op")
	for stage, seconds := range stages {
		b.ReportMetric(seconds*1e3/float64(n), stage+"-ms/op")
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// keyUnits are key units as a sub-stream of some 400 kbit/s has them.
func keyUnits(b *testing.B) []streams.Unit {
	b.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		b.Skip("ffmpeg is not installed: no bytes to decode")
	}
	const scene = "gradients=size=704x576:rate=15:c0=0x303030:c1=0xa0a0a0:c2=0x607050:nb_colors=3:speed=0.00001:seed=7," +
		"drawgrid=w=67:h=53:t=3:c=0x404850,drawbox=x=180:y=210:w=130:h=240:c=0x705030:t=fill,noise=alls=9:allf=t"
	out, err := exec.CommandContext(b.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", scene,
		"-frames:v", "17", "-g", "1", "-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-threads", "1", "-crf", "25",
		"-pix_fmt", "yuvj420p", "-x264-params", "repeat-headers=1:slices=1", "-f", "h264", "-").Output()
	if err != nil {
		b.Skipf("ffmpeg cannot encode H.264: %v", err)
	}
	var nalus h264.AnnexB
	if err := nalus.Unmarshal(out); err != nil {
		b.Fatal(err)
	}
	var units []streams.Unit
	var params [][]byte
	for _, n := range nalus {
		switch h264.NALUType(n[0] & 0x1F) {
		case h264.NALUTypeSPS:
			params = [][]byte{n}
		case h264.NALUTypePPS:
			params = append(params, n)
		case h264.NALUTypeIDR:
			units = append(units, streams.Unit{Codec: streams.CodecH264, Params: params, NALUs: [][]byte{n}})
		default:
		}
	}
	return units
}

// onlyChild returns the process that this one started and that still runs.
func onlyChild(b *testing.B) int {
	b.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		b.Fatal(err)
	}
	var all []string
	for _, path := range lists {
		list, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		all = append(all, strings.Fields(string(list))...)
	}
	if len(all) != 1 {
		b.Skipf("%d children, want one (needs CONFIG_PROC_CHILDREN)", len(all))
	}
	pid, err := strconv.Atoi(all[0])
	if err != nil {
		b.Fatal(err)
	}
	return pid
}

// usage is the user and system time of a process. The parent's is exact, a
// child's counts in hundredths of a second.
func usage(b *testing.B, pid int) time.Duration {
	b.Helper()
	if pid == os.Getpid() {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	var sum time.Duration
	for _, f := range fields[11:13] { // utime and stime of proc(5)
		ticks, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(ticks) * time.Second / 100
	}
	return sum
}
