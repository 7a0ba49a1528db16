package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// report is what every bench command prints with -o json.
type report struct {
	Command string
	Machine struct {
		Kernel     string
		Processors int
	}
	Figures json.RawMessage
	Bounds  []struct {
		Name, Want, Got string
		OK              bool
	}
}

// bench runs a bench command and decodes its figures. Its bounds hold, small
// as the city is.
func bench(t *testing.T, figures any, args ...string) report {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), append([]string{"bench"}, append(args, "-o", "json")...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
	var r report
	if err := errors.Join(json.Unmarshal(stdout.Bytes(), &r), json.Unmarshal(r.Figures, figures)); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stdout.String())
	}
	if r.Machine.Kernel == "" || r.Machine.Processors < 1 {
		t.Errorf("the report does not say on which machine: %+v", r.Machine)
	}
	if strings.Contains(stderr.String(), "password") {
		t.Errorf("a password shows in:\n%s", stderr.String())
	}
	return r
}

// ingestRow is one row of bench ingest.
type ingestRow struct {
	Run, Mode     string
	Cameras       int
	Sampled       int     `json:"cameras_sampled"`
	MachineCPU    float64 `json:"machine_cpu_ms"`
	PSS           int64   `json:"pss_bytes"`
	WorkersPSS    int64   `json:"workers_pss_bytes"`
	Syscalls      float64
	Kbits         float64 `json:"received_kbits"`
	Visits        float64 `json:"visits_per_second"`
	VisitCPU      float64 `json:"cpu_ms_per_visit"`
	AgeP50        float64 `json:"sample_age_p50_seconds"`
	AgeMax        float64 `json:"sample_age_max_seconds"`
	SocketBuffers *int64  `json:"socket_buffers_bytes"`
}

func (r ingestRow) check(t *testing.T) {
	t.Helper()
	if r.Sampled != r.Cameras || r.PSS < 1<<20 || r.SocketBuffers == nil || r.Syscalls <= 0 || r.MachineCPU <= 0 {
		t.Errorf("got %+v", r)
	}
	if r.Run != "floor" && (r.AgeP50 <= 0 || r.AgeMax > 10) {
		t.Errorf("ages of %+v", r)
	}
	if (r.Run == "floor" || r.Mode == "resident") && (r.Kbits < 250 || r.Kbits > 700) {
		t.Errorf("%.0f kbit/s per camera, want about 420: %+v", r.Kbits, r)
	}
}

func TestBenchIngest(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	var f struct {
		Rows      []ingestRow
		Baselines []struct {
			CPU float64 `json:"cpu_ms"`
			PSS int64   `json:"pss_bytes"`
		}
		Growth []struct {
			To int `json:"to_cameras"`
		} `json:"memory_growth"`
		Times float64 `json:"times_less_than_ffmpeg"`
	}
	bench(t, &f, "ingest", "--cameras", "2,4", "--mode", "auto", "--interval", "2s", "--duration", "5s", "--baselines", "1", "--baseline-time", "4s")
	if len(f.Rows) != 4 || len(f.Baselines) != 2 || len(f.Growth) != 2 || f.Growth[0].To != 4 || f.Times <= 0 {
		t.Fatalf("got %+v", f)
	}
	for _, r := range f.Rows {
		r.check(t)
	}
	if full := f.Rows[3]; full.Run != "full" || full.WorkersPSS == 0 {
		t.Errorf("got %+v", full)
	}
	for _, b := range f.Baselines {
		if b.CPU <= 0 || b.PSS < 1<<20 {
			t.Errorf("a baseline of %+v", b)
		}
	}
}

func TestBenchIngestWithoutDecoding(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	var f struct{ Rows []ingestRow }
	bench(t, &f, "ingest", "--cameras", "4", "--mode", "resident,visit", "--interval", "2s", "--duration", "6s", "--baselines", "0", "--decode=false", "--floor=false")
	if len(f.Rows) != 2 {
		t.Fatalf("got %+v", f)
	}
	for _, r := range f.Rows {
		r.check(t)
		if r.Run != "ingest" || r.WorkersPSS != 0 {
			t.Errorf("got %+v", r)
		}
	}
	if v := f.Rows[1]; v.Visits < 1 || v.Visits > 3 || v.VisitCPU < 0 {
		t.Errorf("4 cameras, a visit each 2 s: %+v", v)
	}
}

func TestBenchIngestOverAVirtualLine(t *testing.T) {
	if testing.Short() || os.Geteuid() != 0 {
		t.Skip("takes half a minute, and root's right to make network namespaces")
	}
	if err := exec.Command("ip", "netns", "add", "patrol-permitted").Run(); err != nil {
		t.Skip("this machine permits no network namespaces")
	}
	if err := exec.Command("ip", "netns", "del", "patrol-permitted").Run(); err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	var f struct {
		Line string
		Rows []ingestRow
	}
	bench(t, &f, "ingest", "--cameras", "2", "--mode", "resident", "--interval", "2s", "--duration", "5s", "--baselines", "0", "--decode=false", "--veth")
	if len(f.Rows) != 2 || !strings.HasPrefix(f.Line, "veth") {
		t.Fatalf("got %+v", f)
	}
	for _, r := range f.Rows {
		r.check(t)
	}
}

// arrivalTimes are the seconds until shares of the cameras were sampled.
type arrivalTimes struct {
	P50, P99, All *float64
	Sampled       int
}

func TestBenchVisits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	for _, first := range []string{"now", "gop"} {
		var f struct {
			Arrival    arrivalTimes `json:"seconds_until_sampled"`
			Dials      int64
			Handshakes struct{ Now, Peak int64 }
		}
		bench(t, &f, "visits", "--cameras", "4", "--first-key", first)
		if f.Arrival.All == nil || f.Arrival.Sampled != 4 || f.Dials < 4 || f.Dials > 8 || f.Handshakes.Now != 0 || f.Handshakes.Peak < 1 {
			t.Errorf("%s: got %+v", first, f)
		}
	}
}

func TestBenchStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	var f struct {
		Arrival arrivalTimes `json:"seconds_until_sampled_again"`
		PerHost int64        `json:"handshakes_per_host_peak"`
		Before  int64        `json:"memory_before_bytes"`
		Peak    int64        `json:"memory_peak_bytes"`
	}
	r := bench(t, &f, "storm", "--cameras", "4", "--hosts", "2", "--interval", "2s", "--outage", "3s")
	if len(r.Bounds) != 5 || f.Arrival.All == nil || f.PerHost < 1 || f.Before == 0 || f.Peak == 0 {
		t.Errorf("got %+v, %+v", r.Bounds, f)
	}
}

func TestBenchCold(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	var f struct {
		Arrival          arrivalTimes `json:"seconds_until_sampled"`
		Plays, Teardowns int64
	}
	bench(t, &f, "cold", "--cameras", "4", "--interval", "2s")
	if f.Arrival.All == nil || f.Plays < 4 || f.Teardowns != f.Plays {
		t.Errorf("got %+v", f)
	}
}

func TestBenchFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	type half struct {
		Healthy int `json:"healthy_cameras"`
		Faulty  int `json:"faulty_cameras"`
		Samples int `json:"healthy_samples"`
	}
	var f struct{ Without, With half }
	bench(t, &f, "faults", "--cameras", "4", "--share", "0.25", "--interval", "2s", "--for", "8s", "--kinds", "offline,silent")
	for _, h := range []half{f.Without, f.With} {
		if h.Healthy != 3 || h.Faulty != 1 || h.Samples < 9 || h.Samples > 15 {
			t.Errorf("got %+v", h)
		}
	}
}

func TestBenchLeads(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute for each database")
	}
	var figures []struct {
		Database string
		Folded   float64                        `json:"findings_folded_per_second"`
		Raised   float64                        `json:"leads_raised_per_second"`
		Steady   struct{ Leads, Delivered int } `json:"at_100_leads_a_second"`
		Burst    struct{ Leads, Delivered int } `json:"burst_of_2000_in_2s"`
	}
	// Its bounds are for a quiet machine: here only that it measures at all.
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), "bench", "leads", "--for", "5s", "-o", "json")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failed := cmd.Run()
	var r report
	if err := errors.Join(json.Unmarshal(stdout.Bytes(), &r), json.Unmarshal(r.Figures, &figures)); err != nil {
		t.Fatalf("%v, %v\n%s", failed, err, stderr.String())
	}
	if len(figures) != 2 || figures[0].Database != "sqlite" || figures[1].Database != "postgres" {
		t.Fatalf("figures of %+v", figures)
	}
	for _, f := range figures {
		if f.Folded < 100 || f.Raised < 50 || f.Steady.Delivered != f.Steady.Leads || f.Burst.Leads != 2000 || f.Burst.Delivered != 2000 {
			t.Errorf("%+v", f)
		}
	}
}

// endured is what bench endure says of one database.
type endured struct {
	Database string
	Times    int
	Leads    int `json:"leads_answered"`
	Lost     int `json:"leads_lost"`
	Steps    int `json:"transitions_answered"`
	Rows     int `json:"audit_rows"`
	Notices  int `json:"notices_delivered"`
}

// endure runs bench endure, whose bound of time is for a quiet machine, and
// returns its figures and what else does not hold.
func endure(t *testing.T, args ...string) (figures []endured, broken []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), append([]string{"bench", "endure", "-o", "json"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failed := cmd.Run()
	var r report
	if err := errors.Join(json.Unmarshal(stdout.Bytes(), &r), json.Unmarshal(r.Figures, &figures)); err != nil {
		t.Fatalf("%v: %v, %v\n%s", args, failed, err, stderr.String())
	}
	for _, b := range r.Bounds {
		if !b.OK && !strings.Contains(b.Name, "slowest") {
			broken = append(broken, b.Name+": "+b.Got)
		}
	}
	if len(r.Bounds) < 10*len(figures) || failed == nil && len(broken) > 0 {
		t.Errorf("%v: %v with the bounds %+v", args, failed, r.Bounds)
	}
	return figures, broken
}

func TestBenchEndure(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	for _, fault := range []string{"kill", "clock"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			figures, broken := endure(t, "--fault", fault, "--times", "4")
			if len(figures) != 2 || figures[0].Database != "sqlite" || figures[1].Database != "postgres" || len(broken) > 0 {
				t.Fatalf("%v, figures of %+v", broken, figures)
			}
			for _, f := range figures {
				if f.Times != 4 || f.Leads < 20 || f.Steps < 20 || f.Rows <= f.Notices || f.Notices <= f.Leads {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// TestBenchEndureOnADisk cuts the power and fills the disk, where the machine
// lets a test mount file systems, and shows that the cut loses what was
// answered too early.
func TestBenchEndureOnADisk(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	if os.Geteuid() != 0 {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "patrol"), "bench", "endure", "--fault", "power")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "run it as root") {
			t.Errorf("%v: %s", err, out)
		}
		t.Skip("it takes root's right to mount a file system")
	}
	if out, err := exec.CommandContext(t.Context(), "losetup", "--find").CombinedOutput(); err != nil {
		t.Skipf("this machine has no loop devices: %s", out)
	}
	t.Parallel()
	for _, fault := range []string{"power", "full"} {
		figures, broken := endure(t, "--fault", fault, "--times", "2", "--database", "sqlite")
		if len(figures) != 1 || figures[0].Times != 2 || figures[0].Leads < 10 || len(broken) > 0 {
			t.Errorf("%s: %v, figures of %+v", fault, broken, figures)
		}
	}
	figures, broken := endure(t, "--fault", "power", "--times", "3", "--database", "sqlite", "--synchronous", "off")
	if len(figures) != 1 || figures[0].Lost == 0 && len(broken) == 0 {
		t.Errorf("answers came before they were on disk, and nothing was lost: %+v", figures)
	}
}
