package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/streams"
	"videopatrol/wall"
)

func newBench() *cobra.Command {
	var cameras int
	var duration, interval time.Duration
	var output string
	ingest := &cobra.Command{
		Use: "ingest", Short: "Measure resident cameras from a simulated city to analysed samples", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cameras < 1 || duration < 5*time.Second || interval < time.Second {
				return usageError{errors.New("want at least 1 camera, 5s of duration and an interval of 1s")}
			}
			f, err := benchIngest(cmd.Context(), cmd.ErrOrStderr(), cameras, interval, duration)
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(cmd.OutOrStdout(), f)
			}
			return f.print(cmd.OutOrStdout())
		},
	}
	ingest.Flags().IntVar(&cameras, "cameras", 100, "how many cameras")
	ingest.Flags().DurationVar(&interval, "interval", 5*time.Second, "time between samples of a camera")
	ingest.Flags().DurationVar(&duration, "duration", time.Minute, "how long to measure")
	ingest.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure the gateway on this machine", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(ingest, newBenchFloor())
	return cmd
}

// ingestFigures is what one run of bench ingest measured.
type ingestFigures struct {
	Machine  string  `json:"machine"`
	Cameras  int     `json:"cameras"`
	Interval float64 `json:"interval_seconds"`
	Duration float64 `json:"duration_seconds"`
	// Processor milliseconds per camera and second.
	GatewayCPU float64 `json:"gateway_cpu_ms"`
	WorkersCPU float64 `json:"workers_cpu_ms"`
	CityCPU    float64 `json:"city_cpu_ms"`
	MachineCPU float64 `json:"machine_cpu_ms"`
	// Proportional set size per camera, bytes.
	GatewayPSS int64 `json:"gateway_pss_bytes"`
	WorkersPSS int64 `json:"workers_pss_bytes"`
	// Age of the newest analysed picture over all cameras and moments, s.
	AgeP50 float64 `json:"sample_age_p50_seconds"`
	AgeP99 float64 `json:"sample_age_p99_seconds"`
	AgeMax float64 `json:"sample_age_max_seconds"`
	Polls  int     `json:"ages_read"`
}

func (f ingestFigures) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s\n%d cameras, 704×576 H.264, one sample per %.0f s each, %.0f s\n\n", f.Machine, f.Cameras, f.Interval, f.Duration)
	if err != nil {
		return err
	}
	ms := func(v float64) string { return fmt.Sprintf("%.3f", v) }
	kb := func(v int64) string { return fmt.Sprintf("%d", v>>10) }
	if err := table(w, [][]string{
		{"PER CAMERA", "CPU ms/s", "PSS KiB"},
		{"gateway (parent)", ms(f.GatewayCPU), kb(f.GatewayPSS)},
		{"workers (decode, judge)", ms(f.WorkersCPU), kb(f.WorkersPSS)},
		{"gateway in all", ms(f.GatewayCPU + f.WorkersCPU), kb(f.GatewayPSS + f.WorkersPSS)},
		{"simulated city", ms(f.CityCPU), ""},
		{"whole machine", ms(f.MachineCPU), ""},
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nsample age: p50 %.2f s, p99 %.2f s, max %.2f s (%d readings)\n", f.AgeP50, f.AgeP99, f.AgeMax, f.Polls)
	return err
}

// gatewayChild is a gateway that runs as a child, with a city imported.
type gatewayChild struct {
	*child
	api *client
	dir string
}

// startGateway runs `patrol serve` over a configuration and imports a city
// through the API, as a user would.
func startGateway(ctx context.Context, stderr io.Writer, dir, config string, c *city) (*gatewayChild, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "patrol.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	p, err := startChild(ctx, stderr, self, "serve", "--config", file)
	if err != nil {
		return nil, err
	}
	address, _ := p.Ready["wall"].(string)
	f := clientFlags{server: address, tokenFile: filepath.Join(dir, "data", adminTokenFile), output: "json"}
	g := &gatewayChild{child: p, dir: dir}
	if g.api, err = f.client(); err == nil {
		err = g.importCity(ctx, c)
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	return g, nil
}

func (g *gatewayChild) importCity(ctx context.Context, c *city) error {
	for _, format := range []string{"geojson", "csv"} {
		b, err := c.inventory(ctx, format)
		if err != nil {
			return err
		}
		var report wall.ImportReport
		q := url.Values{"format": {format}, "crs": {"wgs84"}}
		if err := g.api.do(ctx, http.MethodPost, "/inventory/imports", q, importTypes[format], bytes.NewReader(b), &report); err != nil {
			return fmt.Errorf("importing the city's %s: %w", format, err)
		}
	}
	return nil
}

// cameras lists every camera.
func (g *gatewayChild) cameras(ctx context.Context) ([]wall.CameraView, error) {
	var all []wall.CameraView
	q := url.Values{"limit": {"500"}}
	for {
		var page wall.CameraList
		if err := g.api.get(ctx, "/cameras", q, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Cameras...)
		if page.Next == "" {
			return all, nil
		}
		q.Set("cursor", page.Next)
	}
}

// online waits until every camera is online and its picture was looked at.
func (g *gatewayChild) online(ctx context.Context) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := g.cameras(ctx)
		if err != nil {
			return err
		}
		if len(list) > 0 && !slices.ContainsFunc(list, func(c wall.CameraView) bool {
			return c.State != streams.StateOnline || c.LastSample == nil
		}) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not every camera came online: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func benchIngest(ctx context.Context, stderr io.Writer, cameras int, interval, duration time.Duration) (ingestFigures, error) {
	f := ingestFigures{
		Machine: fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()),
		Cameras: cameras, Interval: interval.Seconds(), Duration: duration.Seconds(),
	}
	dir, err := os.MkdirTemp("", "patrol-bench-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(stderr, "drawing and encoding the scenes of %d cameras (kept for the next time) …\n", cameras)
	c, err := startCity(ctx, progress{stderr}, cameras, "--script", "none")
	if err != nil {
		return f, err
	}
	defer c.Stop()
	c.interval = interval
	config := fmt.Sprintf(`
data: %s
wall: {listen: 127.0.0.1:0}
metrics: {listen: 127.0.0.1:0}
canary: {enabled: false}
log: {level: warn}
`, filepath.Join(dir, "data"))
	g, err := startGateway(ctx, stderr, dir, config, c)
	if err != nil {
		return f, err
	}
	defer g.Stop()
	startCtx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := g.online(startCtx); err != nil {
		return f, err
	}
	fmt.Fprintf(stderr, "all online; measuring for %s …\n", duration)
	return f, g.measure(ctx, c, &f, duration)
}

// measure reads what every process used over a span of time, and the ages of
// the cameras' pictures meanwhile.
func (g *gatewayChild) measure(ctx context.Context, c *city, f *ingestFigures, duration time.Duration) error {
	type reading struct {
		gateway, city usage
		workers       map[int]usage
		machine       time.Duration
	}
	read := func() (r reading, err error) {
		pid := g.cmd.Process.Pid
		if r.gateway, err = usageOf(pid); err != nil {
			return r, err
		}
		if r.city, err = usageOf(c.cmd.Process.Pid); err != nil {
			return r, err
		}
		pids, err := childrenOf(pid)
		if err != nil {
			return r, err
		}
		r.workers = map[int]usage{}
		for _, p := range pids {
			if r.workers[p], err = usageOf(p); err != nil {
				return r, err
			}
		}
		r.machine, err = machineCPU()
		return r, err
	}
	before, err := read()
	if err != nil {
		return err
	}
	begin := time.Now()
	var ages []float64
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for time.Since(begin) < duration {
		list, err := g.cameras(ctx)
		if err != nil {
			return err
		}
		for _, v := range list {
			if v.PictureAge != nil {
				ages = append(ages, *v.PictureAge)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	after, err := read()
	if err != nil {
		return err
	}
	per := func(d time.Duration) float64 {
		return d.Seconds() * 1e3 / time.Since(begin).Seconds() / float64(f.Cameras)
	}
	f.GatewayCPU = per(after.gateway.CPU - before.gateway.CPU)
	f.CityCPU = per(after.city.CPU - before.city.CPU)
	f.MachineCPU = per(after.machine - before.machine)
	f.GatewayPSS = after.gateway.PSS / int64(f.Cameras)
	var workers time.Duration
	for pid, u := range after.workers {
		workers += u.CPU - before.workers[pid].CPU
		f.WorkersPSS += u.PSS / int64(f.Cameras)
	}
	f.WorkersCPU = per(workers)
	if len(ages) == 0 {
		return errors.New("no camera gave a picture")
	}
	slices.Sort(ages)
	at := func(q float64) float64 { return ages[int(q*float64(len(ages)-1))] }
	f.AgeP50, f.AgeP99, f.AgeMax, f.Polls = at(0.5), at(0.99), ages[len(ages)-1], len(ages)
	return nil
}
