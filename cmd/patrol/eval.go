package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"videopatrol/detect"
	"videopatrol/detect/eval"
	"videopatrol/detect/opencv"
	"videopatrol/detect/worker"
	"videopatrol/internal/strictyaml"
	"videopatrol/inventory"
)

type evalFlags struct {
	media, labels, output string
	rules, groups, only   []string
	jobs, feed            int
	models                models
}

func newEval() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use: "eval [FILE]", Short: "Measure the accuracy of detection over labelled clips", Args: atMostOneArg("FILE"),
		Long: `Measure the accuracy of detection over labelled clips.

Every clip, its degraded versions and the standing things that its labels name
run through the same judgement as a camera's samples. The report is written to
FILE, or to standard output: tables, JSON, or a page with the moments that were
missed or false as pictures. Models are asked whenever a watch wants to, however
long they take.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return f.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	p := cmd.Flags()
	p.StringVar(&f.media, "media", "", "folder that holds the clips below video/")
	p.StringVar(&f.labels, "labels", "", "folder of labels, one YAML file a clip")
	p.StringVarP(&f.output, "output", "o", "text", "text, json or html")
	p.StringSliceVar(&f.rules, "rule", nil, "count only these kinds of findings and scene faults")
	p.StringSliceVar(&f.groups, "group", nil, "run only these sources: clip, degraded, standing, rendered")
	p.StringSliceVar(&f.only, "source", nil, "run only sources whose name holds one of these texts")
	p.IntVar(&f.feed, "feed", 0, "also run so many of the rendered camera-days that the labels plan, those held out first")
	p.IntVar(&f.jobs, "jobs", 1, "sources at a time; more than 1 blurs the cost of the stages")
	f.models.flags(p)
	return cmd
}

func (f *evalFlags) check() error {
	switch {
	case f.media == "" || f.labels == "":
		return usageError{errors.New("--media and --labels are required")}
	case !slices.Contains([]string{"text", "json", "html"}, f.output):
		return usageError{fmt.Errorf("no such output %q (want text, json or html)", f.output)}
	case f.feed < 0:
		return usageError{fmt.Errorf("--feed %d: want 0 or more camera-days", f.feed)}
	case f.jobs < 1:
		return usageError{fmt.Errorf("--jobs %d: want 1 or more", f.jobs)}
	}
	known := []string{eval.AnyFault}
	for _, k := range detect.Kinds() {
		known = append(known, string(k))
	}
	for _, k := range detect.Faults() {
		known = append(known, string(k))
	}
	for _, rule := range f.rules {
		if !slices.Contains(known, rule) {
			return usageError{fmt.Errorf("no such rule %q (want some of %s)", rule, strings.Join(known, ", "))}
		}
	}
	groups := eval.Groups()
	for _, g := range f.groups {
		if !slices.Contains(groups, eval.Group(g)) {
			return usageError{fmt.Errorf("no such group %q (want some of %v)", g, groups)}
		}
	}
	return nil
}

func (f *evalFlags) run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	sources, err := f.sources()
	if err != nil {
		return err
	}
	sources = slices.DeleteFunc(sources, func(s eval.Source) bool {
		return len(f.groups) > 0 && !slices.Contains(f.groups, string(s.Group)) ||
			len(f.only) > 0 && !slices.ContainsFunc(f.only, func(t string) bool { return strings.Contains(s.Name, t) })
	})
	const patience = time.Hour
	finder, witness, err := f.models.open(ctx, &worker.ServeOptions{}, asking{patience: patience}, asking{score: forWitness.score, patience: patience})
	if err != nil {
		return err
	}
	begin, done := time.Now(), 0
	report, failed := eval.Run(ctx, eval.Options{
		Faults: detect.Faults(), Only: f.rules, Jobs: f.jobs,
		NewWatch: func(c detect.Config) (*detect.Watch, detect.Imaging, func(), error) {
			imaging := opencv.New()
			free := func() { _ = imaging.Close() }
			w, err := detect.NewWatch(detect.WatchOptions{Config: c, Imaging: imaging, Objects: finder(c), Witness: witness(c)})
			if err != nil {
				free()
			}
			return w, imaging, free, err
		},
		Done: func(s eval.Source, err error) {
			done++
			word := "done"
			if err != nil {
				word = "failed"
			}
			fmt.Fprintf(stderr, "%d/%d %s %s after %.0f s\n", done, len(sources), s.Name, word, time.Since(begin).Seconds())
		},
	}, sources)
	if report == nil {
		return failed
	}
	write := report.WriteText
	switch f.output {
	case "json":
		write = func(w io.Writer) error { return writeJSON(w, report) }
	case "html":
		write = report.WriteHTML
	}
	if len(args) == 0 {
		return errors.Join(write(stdout), failed)
	}
	file, err := os.Create(args[0])
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close(), failed)
}

// sources reads all labels and makes the sources of them.
func (f *evalFlags) sources() ([]eval.Source, error) {
	files, err := filepath.Glob(filepath.Join(f.labels, "*.yaml"))
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == eval.PlanFile })
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no labels there (want a file NAME.yaml for each clip)", f.labels)
	}
	media := eval.Media{Dir: f.media, ZoneKinds: inventory.ZoneKinds(), Dwell: dwell}
	var out []eval.Source
	var errs []error
	for _, file := range files {
		l, err := readLabels(file)
		if err == nil {
			var made []eval.Source
			if made, err = media.Sources(l); err == nil {
				out = append(out, made...)
				continue
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", file, err))
	}
	if f.feed > 0 {
		days, err := rendered(f.labels, f.feed)
		out, errs = append(out, days...), append(errs, err)
	}
	return out, errors.Join(errs...)
}

func readLabels(file string) (eval.Labels, error) {
	var l eval.Labels
	err := readStrict(file, &l, func() error { return l.Check() })
	return l, err
}

// readStrict reads a YAML file into v and checks it; whatever is wrong is said
// with its line and column.
func readStrict(file string, v any, check func() error) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := strictyaml.Unmarshal(b, v); err != nil {
		return explainKeys(err, reflect.TypeOf(v))
	}
	var problems eval.Problems
	if err := check(); !errors.As(err, &problems) {
		return err
	}
	var errs []error
	for _, p := range problems {
		errs = append(errs, locate(b, p))
	}
	return errors.Join(errs...)
}

// locate adds line and column to a problem; one of what is not in the file
// keeps its place alone.
func locate(b []byte, p eval.Problem) error {
	path, err := yaml.PathString("$." + p.Place)
	if err != nil {
		return p
	}
	node, err := path.ReadNode(bytes.NewReader(b))
	if err != nil {
		return p
	}
	at := node.GetToken().Position
	return fmt.Errorf("line %d, column %d: %w", at.Line, at.Column, p)
}
