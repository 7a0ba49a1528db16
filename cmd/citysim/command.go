package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"videopatrol/cmd/citysim/city"
	"videopatrol/cmd/citysim/play"
	"videopatrol/cmd/citysim/scene"
	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/streamstest/hostile"
)

// usageError is a wrong use of the command line.
type usageError struct{ error }

// cityFlags are the flags that say which city.
type cityFlags struct {
	seed     uint64
	cameras  int
	hosts    int
	scenes   int
	kinds    []string
	listen   string
	username string
	password string
}

func (f *cityFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Uint64Var(&f.seed, "seed", 1, "the city; the same seed is the same city")
	flags.IntVar(&f.cameras, "cameras", 20, "number of cameras")
	flags.IntVar(&f.hosts, "hosts", 0, "spread the cameras over 127.0.1.1 … 127.0.1.K (0: all at --listen)")
	flags.IntVar(&f.scenes, "scenes", 0, "how many scenes the cameras share, a multiple of the number of kinds (0: one each up to 200 cameras, 100 or so beyond)")
	flags.StringSliceVar(&f.kinds, "kinds", []string{"street", "gate"}, "what the cameras look at in turn, of: "+kindList())
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8554", "host:port of RTSP; stills are one port above; port 0 takes free ones")
	flags.StringVar(&f.username, "user", "citysim", "the cameras' user name")
	flags.StringVar(&f.password, "password", "citysim", "the cameras' password")
}

func kindList() string {
	var names []string
	for _, k := range scene.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, " ")
}

// sceneKinds are the kinds that the flags name, nil for streets and gates,
// which is what the ready-made scripts know.
func (f *cityFlags) sceneKinds() []scene.Kind {
	var kinds []scene.Kind
	for _, k := range f.kinds {
		kinds = append(kinds, scene.Kind(k))
	}
	if slices.Equal(kinds, []scene.Kind{scene.Street, scene.Gate}) {
		return nil
	}
	return kinds
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use: "citysim", Short: "A simulated city of RTSP cameras, with scripted scenes and faults",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(serveCommand(), auditCommand(), inventoryCommand(), renderCommand(), kindsCommand(), faultsCommand())
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}

func serveCommand() *cobra.Command {
	var f cityFlags
	var media, script, faults, ledger, firstKey string
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the city's cameras until interrupted", Args: noArgs,
		Long: `Serve the city's cameras until interrupted.

A script is a YAML list of rows:

  - camera: 1          # an id, or an index from 0: even ones see a fire lane, odd ones a gate
    kind: intrusion    # fire_lane_blocked intrusion frozen covered dark; with --kinds what
                       # happens there: illegal_parking crowd fire standstill water_edge
    after: 20s         # from the start
    for: 30s
    every: 2m          # 0: once

Faults are the same rows with the kinds offline silent wrong_password
no_connections http_server corrupt_h264, and fault:ID for each ID that
"citysim faults" lists; camera: all befalls every one. Either file may hold either kind. A row
waits while another one runs before its camera.

One port above RTSP: GET /cam/ID/still.jpg (login; ETag and Last-Modified),
GET /ledger, and POST /happenings with a row as JSON, which is due at once.
POST /outage {"hosts":["127.0.1.1"],"for":"60s","how":"refuse"} takes hosts away
("all" of them; how is refuse, or silent). GET /counters tells what connections
there were, in all and by host, POST /counters/reset begins anew.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if firstKey != "now" && firstKey != "gop" {
				return usageError{fmt.Errorf("--first-key %q: want now or gop", firstKey)}
			}
			rows, err := scripts(f, script, faults)
			if err != nil {
				return usageError{err}
			}
			var out io.Writer
			if ledger != "" {
				file, err := os.OpenFile(ledger, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644) //nolint:gosec // the user named it
				if err != nil {
					return fmt.Errorf("ledger: %w", err)
				}
				defer file.Close()
				out = file
			}
			library, err := newLibrary()
			if err != nil {
				return err
			}
			log := slog.New(tint.NewHandler(cmd.ErrOrStderr(), &tint.Options{TimeFormat: time.TimeOnly, NoColor: true}))
			var tell error
			server, err := play.New(play.Options{
				Seed: f.seed, Cameras: f.cameras, Hosts: f.hosts, Scenes: f.scenes, Kinds: f.sceneKinds(), Username: f.username, Password: inventory.Secret(f.password),
				Listen: f.listen, Media: media, Rows: rows, Ledger: play.NewLedger(out), Library: library, Logger: log,
				FirstKeyNow: firstKey == "now",
				Ready: func(listen string) {
					tell = json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"listen": listen, "cameras": f.cameras})
				},
			})
			if err != nil {
				return usageError{err}
			}
			return errors.Join(server.Run(cmd.Context()), tell)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&firstKey, "first-key", "gop", "what follows PLAY: a key unit (now), or what a random moment of the GOP brings (gop)")
	cmd.Flags().StringVar(&media, "media", "", "play the video files of this folder instead of scenes")
	cmd.Flags().StringVar(&script, "script", "none", "what happens: demo, random:SEED, none, or a YAML file")
	cmd.Flags().StringVar(&faults, "faults", "", "what befalls connections: a YAML file")
	cmd.Flags().StringVar(&ledger, "ledger", "", "write what happens to this file, as JSON lines")
	return cmd
}

// scripts reads what the flags name.
func scripts(f cityFlags, script, faults string) ([]play.Row, error) {
	var rows []play.Row
	switch seed, random := strings.CutPrefix(script, "random:"); {
	case script == "none" || script == "":
	case f.sceneKinds() != nil && (random || script == "demo"):
		return nil, fmt.Errorf("--script %s knows streets and gates only: with --kinds, name a file", script)
	case script == "demo":
		rows = play.DemoScript(f.cameras)
	case random:
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("--script %s: want a number, such as random:7", script)
		}
		rows = play.RandomScript(n, f.cameras)
	default:
		var err error
		if rows, err = scriptFile(script); err != nil {
			return nil, err
		}
	}
	if faults == "" {
		return rows, nil
	}
	more, err := scriptFile(faults)
	return append(rows, more...), err
}

func scriptFile(name string) ([]play.Row, error) {
	file, err := os.Open(name) //nolint:gosec // the user named it
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	defer file.Close()
	rows, err := play.ParseScript(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows, nil
}

func newLibrary() (*play.Library, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("a place to keep the scenes: %w", err)
	}
	return play.NewLibrary(filepath.Join(cache, "citysim"), runtime.GOMAXPROCS(0))
}

func inventoryCommand() *cobra.Command {
	var f cityFlags
	var form string
	var interval time.Duration
	cmd := &cobra.Command{
		Use: "inventory", Short: "Write the city's cameras as CSV, or its grid as GeoJSON", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := city.New(city.Options{
				Seed: f.seed, Cameras: f.cameras, Listen: f.listen, Hosts: f.hosts, Scenes: f.scenes, Kinds: f.sceneKinds(),
				Username: f.username, Password: inventory.Secret(f.password), Interval: interval,
			})
			if err != nil {
				return usageError{err}
			}
			switch form {
			case "csv":
				return c.WriteCSV(cmd.OutOrStdout())
			case "geojson":
				return c.WriteGeoJSON(cmd.OutOrStdout())
			default:
				return usageError{fmt.Errorf("--format %q: want csv or geojson", form)}
			}
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&form, "format", "csv", "csv (cameras) or geojson (grid)")
	cmd.Flags().DurationVar(&interval, "interval", 5*time.Second, "time between samples of every camera")
	return cmd
}

func kindsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "kinds", Short: "List what may happen: each kind, and whether it happens in the scene, to the picture or to the connection", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, k := range play.Kinds() {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\n", k, k.Befalls()); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func faultsCommand() *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use: "faults", Short: "List the faults of the catalogue, and what a gateway should make of each", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			type row struct {
				ID      string           `json:"id"`
				Reasons []streams.Reason `json:"reasons"`
				Summary string           `json:"summary"`
				Alone   bool             `json:"alone"`
			}
			var rows []row
			for _, f := range hostile.Faults() {
				rows = append(rows, row{f.ID, f.Reasons, f.Summary, f.Alone})
			}
			switch form {
			case "json":
				return json.NewEncoder(cmd.OutOrStdout()).Encode(rows)
			case "table":
			default:
				return usageError{fmt.Errorf("-o %q: want table or json", form)}
			}
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			for _, r := range rows {
				reason, note := "-", ""
				if len(r.Reasons) > 0 && r.Reasons[0] != streams.ReasonNone {
					reason = string(r.Reasons[0])
				}
				if r.Alone {
					note = " (not here: it befalls an address)"
				}
				fmt.Fprintf(out, "%s\t%s\t%s%s\n", r.ID, reason, r.Summary, note)
			}
			return out.Flush()
		},
	}
	cmd.Flags().StringVarP(&form, "output", "o", "table", "table or json")
	return cmd
}

func renderCommand() *cobra.Command {
	var f cityFlags
	var seed uint64
	var cameras int
	var out string
	cmd := &cobra.Command{
		Use: "render", Short: "Write every take of the first cameras as H.264, and pictures to look at", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.MkdirAll(out, 0o755); err != nil { //nolint:gosec // made-up pictures are no secret
				return fmt.Errorf("render: %w", err)
			}
			library, err := play.NewLibrary(out, 1)
			if err != nil {
				return err
			}
			for i := range cameras {
				if err := renderCamera(cmd.Context(), library, out, city.Options{Kinds: f.sceneKinds(), Seed: seed}, i); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "the city")
	cmd.Flags().IntVar(&cameras, "cameras", 2, "number of cameras")
	cmd.Flags().StringSliceVar(&f.kinds, "kinds", []string{"street", "gate"}, "what the cameras look at in turn, of: "+kindList())
	cmd.Flags().StringVar(&out, "out", "citysim-scenes", "folder to write to")
	return cmd
}

// renderCamera writes one camera's takes and a picture of each.
func renderCamera(ctx context.Context, library *play.Library, out string, o city.Options, index int) error {
	kind, sceneSeed := o.Kind(index), city.SceneSeed(o.Seed, index)
	if _, err := library.Scene(ctx, kind, sceneSeed, scene.Takes()...); err != nil {
		return err
	}
	s := scene.New(kind, sceneSeed)
	painter, frame := s.NewPainter(), scene.NewFrame()
	for _, t := range scene.Takes() {
		gop := s.GOPs(t) / 2
		painter.Draw(frame, t, gop, scene.GOPFrames/2)
		file, err := os.Create(filepath.Join(out, fmt.Sprintf("%03d-%s-%s.png", index, kind, t))) //nolint:gosec // the user named the folder
		if err != nil {
			return fmt.Errorf("render: %w", err)
		}
		if err := errors.Join(png.Encode(file, frame.Image()), file.Close()); err != nil {
			return fmt.Errorf("render: %w", err)
		}
	}
	return nil
}
