package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"videopatrol/alerts"
	"videopatrol/wall"
)

func newDemo() *cobra.Command {
	var cameras int
	var listen, metrics string
	cmd := &cobra.Command{
		Use: "demo", Short: "Run a simulated city and the gateway on this machine; Ctrl-C ends both", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cameras < 1 {
				return usageError{errors.New("--cameras must be at least 1")}
			}
			return demo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), demoOptions{cameras: cameras, listen: listen, metrics: metrics})
		},
	}
	cmd.Flags().IntVar(&cameras, "cameras", 100, "how many cameras the city has")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address of the wall")
	cmd.Flags().StringVar(&metrics, "metrics", "127.0.0.1:9464", "address of the metrics")
	return cmd
}

type demoOptions struct {
	cameras         int
	listen, metrics string
}

func demo(ctx context.Context, stdout, stderr io.Writer, o demoOptions) error {
	dir, err := os.MkdirTemp("", "patrol-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	logFile, err := os.Create(filepath.Join(dir, "city.log"))
	if err != nil {
		return err
	}
	defer logFile.Close()

	fmt.Fprintf(stdout, "Drawing and encoding the scenes of %d cameras (kept for the next time) …\n", o.cameras)
	city, err := startCity(ctx, io.MultiWriter(logFile, progress{stdout}), o.cameras, "--script", "demo", "--ledger", filepath.Join(dir, "ledger.jsonl"))
	if err != nil {
		return err
	}
	defer city.Stop()

	desk, err := newDesk(printOrders(stdout))
	if err != nil {
		return err
	}
	secret := filepath.Join(dir, "desk.secret")
	if err := writeFile(secret, []byte(desk.secret.Reveal())); err != nil {
		return err
	}
	cfg := DefaultConfig()
	cfg.Data = filepath.Join(dir, "data")
	cfg.Wall.Listen, cfg.Metrics.Listen = o.listen, o.metrics
	cfg.Log.Level = "warn"
	cfg.Sinks = []SinkConfig{{Name: "desk", URL: desk.URL(), Secrets: []SecretRef{SecretRef("file:" + secret)}, Allow: []string{"127.0.0.0/8"}}}
	if err := cfg.check(); err != nil {
		return err
	}
	a, err := newApp(ctx, appOptions{Config: cfg, Log: newLogger(cfg.Log, new(slog.LevelVar), stderr)})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Starting the gateway …\n")
	done := make(chan error, 1)
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		g, ctx := errgroup.WithContext(runCtx)
		g.Go(func() error { return desk.Run(ctx) })
		g.Go(func() error { return a.Run(ctx) })
		done <- g.Wait()
	}()
	report, err := importCity(ctx, a, city)
	if err == nil {
		printDemo(stdout, a, report, desk)
		select {
		case err = <-done:
			return err
		case <-ctx.Done():
		}
		fmt.Fprintln(stdout, "\nStopping …")
	}
	stop()
	return errors.Join(err, <-done)
}

func printDemo(w io.Writer, a *app, r wall.ImportReport, desk *desk) {
	fmt.Fprintf(w, "\n  %d cameras patrol a city of their own. Leads arrive within two minutes.\n\n  wall      %s\n", r.New, a.WallURL())
	for _, c := range a.First {
		fmt.Fprintf(w, "  login     %-8s  %s\n", c.Name, c.Password)
	}
	fmt.Fprintf(w, "  metrics   %s/metrics\n  ready     %s/readyz\n  desk      %s takes signed leads and prints the orders it gets\n\n  Ctrl-C ends all of it.\n\n",
		a.MetricsURL(), a.MetricsURL(), desk.URL())
}

// city is a simulated city that runs as a child.
type city struct {
	*child
	program string
	listen  string
	cameras int
	// interval between samples of the cameras; 0 leaves the city's own.
	interval time.Duration
	more     []string // arguments that its inventory needs, too
}

func startCity(ctx context.Context, stderr io.Writer, cameras int, args ...string) (*city, error) {
	return startCityIn(ctx, stderr, nil, cameras, args...)
}

// startCityIn starts a city at the far end of a line, or beside this program.
func startCityIn(ctx context.Context, stderr io.Writer, away *veth, cameras int, args ...string) (*city, error) {
	program, err := sibling("citysim")
	if err != nil {
		return nil, err
	}
	args = append([]string{"serve", "--listen", away.listen(), "--cameras", strconv.Itoa(cameras)}, args...)
	c, err := startChild(ctx, stderr, away.command(program), away.arguments(program, args)...)
	if err != nil {
		return nil, err
	}
	listen, ok := c.Ready["listen"].(string)
	if !ok {
		c.Stop()
		return nil, errors.New("the simulated city does not say where it listens")
	}
	return &city{child: c, program: program, listen: listen, cameras: cameras}, nil
}

// inventory is the city's cameras as CSV or its cells as GeoJSON.
func (c *city) inventory(ctx context.Context, format string) ([]byte, error) {
	args := []string{"inventory", "--cameras", strconv.Itoa(c.cameras), "--format", format, "--listen", c.listen}
	args = append(args, c.more...)
	if c.interval > 0 {
		args = append(args, "--interval", c.interval.String())
	}
	cmd := exec.CommandContext(ctx, c.program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("citysim inventory: %w: %s", err, stderr.String())
	}
	return out, nil
}

// importCity imports the city's grid and cameras.
func importCity(ctx context.Context, a *app, c *city) (wall.ImportReport, error) {
	var report wall.ImportReport
	for _, format := range []string{"geojson", "csv"} {
		b, err := c.inventory(ctx, format)
		if err != nil {
			return report, err
		}
		row := alerts.AuditRow{By: "demo", Action: "import", Object: "inventory", Detail: "format=" + format}
		err = a.engine.Along(ctx, row, func(ctx context.Context) (err error) {
			report, err = a.importer.Import(ctx, wall.ImportRequest{Format: format, CRS: "wgs84", By: "demo", Body: bytes.NewReader(b)})
			return err
		})
		if err != nil {
			return report, fmt.Errorf("importing the city's %s: %w", format, err)
		}
		if report.Rejected > 0 {
			return report, fmt.Errorf("the city's %s has %d rejected rows, the first: %+v", format, report.Rejected, report.Rows[0])
		}
	}
	return report, nil
}

// printOrders is the demo's dispatch desk.
func printOrders(w io.Writer) func(context.Context, alerts.Event) {
	return func(_ context.Context, e alerts.Event) {
		orders := e.Data.Orders
		if e.Data.Order != nil {
			orders = append(orders, *e.Data.Order)
		}
		for _, o := range orders {
			fmt.Fprintf(w, "desk: order to %s: %s (%s)\n", o.Department, e.Data.Lead.Summary.ZH, e.Data.Camera.Name)
		}
	}
}

// progress hands on those lines of the city's log that say how far it is.
type progress struct{ w io.Writer }

var drawn = regexp.MustCompile(`done=(\d+) of=(\d+)`)

func (p progress) Write(b []byte) (int, error) {
	for _, m := range drawn.FindAllSubmatch(b, -1) {
		if _, err := fmt.Fprintf(p.w, "  %s of %s\n", m[1], m[2]); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
