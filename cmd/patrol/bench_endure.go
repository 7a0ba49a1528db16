package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// What the record must stand.
const (
	wantDelivering = 5 * time.Second  // until a new lead is at the desk, after a restart on a record that answers
	wantSpace      = 60 * time.Second // … after there is space on the disk again
)

type endureOptions struct {
	output      string
	seed        uint64
	fault       string
	times       int
	database    string
	synchronous string
}

// fault is what is done to the record while it works.
type fault struct {
	times int   // how often, unless told otherwise
	disk  int64 // bytes of a disk of its own; 0: none is needed
	// limit is until when a new lead must be at the desk again.
	limit time.Duration
	// strike does it, once the load has run for a while. Where the child
	// survives it, strike returns once that delivers again.
	strike func(*endurance, context.Context) error
}

var faults = map[string]fault{
	"kill":  {times: 200, limit: wantDelivering, strike: (*endurance).kill},
	"power": {times: 50, disk: 1 << 30, limit: wantDelivering, strike: (*endurance).cutPower},
	"full":  {times: 20, disk: 512 << 20, limit: wantSpace, strike: (*endurance).fillDisk},
	"clock": {times: 20, limit: wantDelivering, strike: (*endurance).setClock},
}

func newBenchEndure() *cobra.Command {
	var o endureOptions
	cmd := &cobra.Command{
		Use: "endure", Short: "Kill the gateway, cut its power, fill its disk or set its clock, and compare the record with what was promised", Args: noArgs,
		Long: `Let findings come and officers work against a record on SQLite and on PostgreSQL,
do harm to it again and again, and compare it each time with a ledger of all
that was answered and of all that a desk was told: no lead and no transition may
be lost or doubled, the audit's chain must verify, and soon after a new lead
must be at the desk again.

The harm is one of these:

  kill   SIGKILL at a random moment: the gateway, PostgreSQL, or both
  power  what the file system has not committed is lost (ext4 in a file; root)
  full   the disk is filled until writes fail, then freed (ext4 in a file; root)
  clock  the gateway's clock jumps by an hour, by a day, to 1970 and back, also
         while the gateway is down

With --synchronous off SQLite answers before its answer is on disk. A power cut
must then lose something, and the command must fail: that proves that it can.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			engines, ok := map[string][]string{
				"sqlite": {"sqlite"}, "postgres": {"postgres"}, "both": {"sqlite", "postgres"},
			}[o.database]
			f, known := faults[o.fault]
			switch {
			case !ok || !known || o.times < 0 || o.output != "table" && o.output != "json":
				return usageError{errors.New("want --fault kill, power, full or clock, --database sqlite, postgres or both, --times of 0 or more, and -o table or json")}
			case o.synchronous != "full" && (o.synchronous != "off" || o.database != "sqlite"):
				return usageError{errors.New("want --synchronous full, or off with --database sqlite")}
			}
			if o.times == 0 {
				o.times = f.times
			}
			if o.seed == 0 {
				o.seed = rand.Uint64()
			}
			if f.disk > 0 && os.Getenv(namespaceEnv) == "" {
				return inNamespace(cmd, o)
			}
			r, err := benchEndure(cmd.Context(), cmd.ErrOrStderr(), engines, o)
			if err != nil {
				return err
			}
			return r.deliver(cmd.OutOrStdout(), o.output)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.output, "output", "o", "table", "table or json")
	flags.StringVar(&o.fault, "fault", "kill", "kill, power, full or clock")
	flags.IntVar(&o.times, "times", 0, "how often (0: 200 kills, 50 power cuts, 20 full disks, 20 clocks)")
	flags.StringVar(&o.database, "database", "both", "sqlite, postgres or both")
	flags.StringVar(&o.synchronous, "synchronous", "full", "SQLite's, full or off")
	flags.Uint64Var(&o.seed, "seed", 0, "of all that is random (0: a random one)")
	return cmd
}

// namespaceEnv tells a process that it is in a mount namespace of its own.
const namespaceEnv = "PATROL_BENCH_NAMESPACE"

// inNamespace runs the command anew in a mount namespace of its own: whatever
// ends it, the kernel takes its mounts and their loop devices away.
func inNamespace(cmd *cobra.Command, o endureOptions) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("--fault %s makes and mounts a file system of its own, which only root may: run it as root", o.fault)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	again := exec.CommandContext(cmd.Context(), self, "bench", "endure", "-o", o.output, "--fault", o.fault, "--times", fmt.Sprint(o.times),
		"--database", o.database, "--synchronous", o.synchronous, "--seed", fmt.Sprint(o.seed))
	again.Env = append(os.Environ(), namespaceEnv+"=1")
	again.Stdin, again.Stdout, again.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	again.Cancel = func() error { return again.Process.Signal(syscall.SIGTERM) }
	again.WaitDelay = time.Minute
	again.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = again.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return errors.New("it did not go as it must; see above")
	}
	return err
}

// endureFigures is what one database stood.
type endureFigures struct {
	Database    string `json:"database"`
	Fault       string `json:"fault"`
	Synchronous string `json:"synchronous"`
	Times       int    `json:"times"`
	// Floored counts the faults before and after which enough was answered.
	Floored int `json:"times_under_load"`
	Answers int `json:"answers"`
	endureTally
	// Delivering is how long a new lead took to the desk after each restart, or
	// once the database answered again, or there was space; Up is how long file
	// system and database took before to be there again.
	Delivering quantiles `json:"delivering_again_seconds"`
	Up         quantiles `json:"ground_again_seconds"`
	// Errors are what was answered instead, by what it says; Named counts the
	// full disks that such an answer named.
	Errors map[string]int `json:"errors,omitempty"`
	Named  int            `json:"times_named"`
	// How counts the faults by what was hit.
	How   map[string]int `json:"how,omitempty"`
	Spent float64        `json:"seconds"`
}

func benchEndure(ctx context.Context, stderr io.Writer, engines []string, o endureOptions) (benchReport, error) {
	report := benchReport{Command: fmt.Sprintf("patrol bench endure --fault %s --times %d --synchronous %s --seed %d", o.fault, o.times, o.synchronous, o.seed), Machine: thisMachine(o.seed)}
	fmt.Fprintf(stderr, "seed %d\n", o.seed)
	var all []endureFigures
	rows := [][]string{{
		"DATABASE", "FAULTS", "LEADS", "LOST", "DOUBLED", "TRANSITIONS", "LOST", "DOUBLED", "CLOCKS", "TWICE",
		"AUDIT ROWS", "NOTICES", "REPEATED", "AGAIN s P50 / P99 / MAX", "DATABASE AGAIN s",
	}}
	for _, engine := range engines {
		f, err := endureEngine(ctx, stderr, engine, o)
		if err != nil {
			return report, fmt.Errorf("%s: %w", engine, err)
		}
		all = append(all, f)
		rows = append(rows, []string{
			engine, fmt.Sprintf("%d × %s", f.Times, o.fault), fmt.Sprint(f.LeadsAnswered), fmt.Sprint(f.LeadsLost), fmt.Sprint(f.LeadsDoubled),
			fmt.Sprint(f.StepsAnswered), fmt.Sprint(f.StepsLost), fmt.Sprint(f.StepsDoubled), fmt.Sprint(f.Struck), fmt.Sprint(f.StruckTwice),
			fmt.Sprint(f.AuditRows), fmt.Sprint(f.Notices), fmt.Sprint(f.Repeated),
			f.Delivering.seconds(), f.Up.seconds(),
		})
		report.Bounds = append(report.Bounds, f.bounds(o)...)
	}
	report.Figures, report.tables = all, [][][]string{rows}
	return report, nil
}

func (f endureFigures) bounds(o endureOptions) []bound {
	none := func(what string, got, of int) bound {
		return atMost(f.Database+": "+what, float64(got), 0, fmt.Sprintf("of %d", of))
	}
	all := []bound{
		atLeast(f.Database+": faults under load", float64(f.Floored), float64(o.times), "faults"),
		none("answered leads lost", f.LeadsLost, f.LeadsAnswered), none("leads doubled", f.LeadsDoubled, f.LeadsAnswered),
		none("answered transitions lost", f.StepsLost, f.StepsAnswered), none("transitions doubled", f.StepsDoubled, f.StepsAnswered),
		none("steps of clocks twice", f.StruckTwice, f.Struck),
		none("notices of nothing in the record", f.Unknown, f.Notices), none("notices missing at the end", f.Untold, f.Notices+f.Untold),
		atMost(f.Database+": a new lead at the desk again, slowest", f.Delivering.Max, faults[o.fault].limit.Seconds(), "s"),
	}
	if o.fault == "full" {
		all = append(all, atLeast(f.Database+": full disks named by an answer", float64(f.Named), float64(o.times), "faults"))
	}
	all = append(all, bound{Name: f.Database + ": audit verifies, all else as promised", Want: "yes", Got: "yes", OK: true})
	if len(f.Wrong) > 0 {
		last := &all[len(all)-1]
		last.Got, last.OK = strings.Join(f.Wrong[:min(3, len(f.Wrong))], "; "), false
	}
	return all
}

// endureEngine does harm to one database.
func endureEngine(ctx context.Context, stderr io.Writer, engine string, o endureOptions) (f endureFigures, err error) {
	dir, err := os.MkdirTemp("", "patrol-endure-")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's user passes through
		return f, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g, err := newGround(ctx, engine, dir, faults[o.fault].disk)
	defer func() { err = errors.Join(err, g.close()) }()
	if err != nil {
		return f, err
	}
	e, err := newEndurance(ctx, stderr, g, dir, o)
	if err != nil {
		return f, err
	}
	begun := time.Now()
	err = e.run(ctx, cancel)
	e.figures.Spent = time.Since(begun).Seconds()
	return e.figures, err
}

func (q quantiles) seconds() string { return fmt.Sprintf("%.2f / %.2f / %.2f", q.P50, q.P99, q.Max) }

// quantilesOfAll leaves the order of what was measured as it is.
func quantilesOfAll(all []time.Duration) quantiles { return quantilesOf(slices.Clone(all)) }
