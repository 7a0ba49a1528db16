package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// benchMachine says where figures were measured, so that others can compare.
type benchMachine struct {
	Begun      time.Time `json:"begun"`
	Processor  string    `json:"processor"`
	Processors int       `json:"processors"`
	Kernel     string    `json:"kernel"`
	Go         string    `json:"go"`
	Gateway    string    `json:"gateway"`
	FFmpeg     string    `json:"ffmpeg,omitempty"`
	Seed       uint64    `json:"seed"`
	// Load is the machine's load average before the run: figures measured
	// beside other work are no figures.
	Load string `json:"load_before"`
}

func thisMachine(seed uint64) benchMachine {
	m := benchMachine{
		Begun: time.Now().UTC().Truncate(time.Second), Processor: runtime.GOARCH, Processors: runtime.NumCPU(),
		Go: runtime.Version(), Gateway: version, Seed: seed,
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.Processor = strings.TrimSpace(v)
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(b), " ")
	}
	if b, err := exec.Command("ffmpeg", "-version").Output(); err == nil { //nolint:noctx // it ends by itself
		first, _, _ := bytes.Cut(b, []byte("\n"))
		m.FFmpeg, _, _ = strings.Cut(strings.TrimPrefix(string(first), "ffmpeg version "), " ")
	}
	return m
}

func (m benchMachine) String() string {
	s := fmt.Sprintf("%s, %d processors, Linux %s, %s, patrol %s, seed %d, load before %s", m.Processor, m.Processors, m.Kernel, m.Go, m.Gateway, m.Seed, m.Load)
	if m.FFmpeg != "" {
		s += ", ffmpeg " + m.FFmpeg
	}
	return s
}

// bound is one statement that a run proves or does not.
type bound struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
	OK   bool   `json:"ok"`
}

// atMost states that a figure does not exceed a limit.
func atMost(name string, got, limit float64, unit string) bound {
	return bound{Name: name, Want: fmt.Sprintf("≤ %.4g %s", limit, unit), Got: fmt.Sprintf("%.4g %s", got, unit), OK: got <= limit}
}

// atLeast states that a figure reaches what is wanted.
func atLeast(name string, got, want float64, unit string) bound {
	return bound{Name: name, Want: fmt.Sprintf("≥ %.5g %s", want, unit), Got: fmt.Sprintf("%.5g %s", got, unit), OK: got >= want}
}

// within states that something happened in time; a negative time means never.
func within(name string, got, limit time.Duration) bound {
	if got < 0 {
		return bound{Name: name, Want: "≤ " + limit.String(), Got: "not in time"}
	}
	return bound{Name: name, Want: "≤ " + limit.String(), Got: got.Round(100 * time.Millisecond).String(), OK: got <= limit}
}

// benchReport is what every bench command hands back.
type benchReport struct {
	Command string       `json:"command"`
	Machine benchMachine `json:"machine"`
	Figures any          `json:"figures"`
	Bounds  []bound      `json:"bounds,omitempty"`
	tables  [][][]string
}

// deliver prints the report, as a table or as JSON, and fails when a bound
// does not hold.
func (r benchReport) deliver(w io.Writer, output string) error {
	var err error
	if output == "json" {
		err = writeJSON(w, r)
	} else {
		err = r.print(w)
	}
	for _, b := range r.Bounds {
		if !b.OK {
			err = errors.Join(err, fmt.Errorf("%s: got %s, want %s", b.Name, b.Got, b.Want))
		}
	}
	return err
}

func (r benchReport) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s\n%s\n", r.Command, r.Machine); err != nil {
		return err
	}
	tables := r.tables
	if len(r.Bounds) > 0 {
		rows := [][]string{{"BOUND", "WANT", "GOT", ""}}
		for _, b := range r.Bounds {
			verdict := "ok"
			if !b.OK {
				verdict = "FAILED"
			}
			rows = append(rows, []string{b.Name, b.Want, b.Got, verdict})
		}
		tables = append(tables, rows)
	}
	for _, rows := range tables {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if err := table(w, rows); err != nil {
			return err
		}
	}
	return nil
}

// benchFlags are what every bench command takes.
type benchFlags struct {
	output string
	seed   uint64
	hosts  int
}

func (f *benchFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table or json")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "the simulated city")
	cmd.Flags().IntVar(&f.hosts, "hosts", 0, "addresses that the cameras are spread over (0: one for 50 cameras, at most 200)")
}

func (f *benchFlags) check() error {
	switch {
	case f.output != "table" && f.output != "json":
		return usageError{fmt.Errorf("no such output %q (want table or json)", f.output)}
	case f.hosts < 0 || f.hosts > 200:
		return usageError{fmt.Errorf("%d hosts: want 0 to 200", f.hosts)}
	}
	return nil
}

// benchModes are the modes that a gateway over RTSP can be told to use.
var benchModes = []string{"auto", "resident", "visit"}

func checkModes(modes ...string) error {
	for _, mode := range modes {
		if !slices.Contains(benchModes, mode) {
			return usageError{fmt.Errorf("no such mode %q (want one of %v)", mode, benchModes)}
		}
	}
	return nil
}

// hostsFor is over how many addresses some cameras are spread.
func (f *benchFlags) hostsFor(cameras int) int {
	if f.hosts > 0 {
		return f.hosts
	}
	return min(max(cameras/50, 1), 200)
}
