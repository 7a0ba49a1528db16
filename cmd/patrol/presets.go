package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"videopatrol/detect"
	"videopatrol/detect/expr"
)

// readPresets returns the built-in rule presets with a site's own over them;
// file is "" where it has none.
func readPresets(file string) (*detect.Presets, error) {
	if file == "" {
		return detect.DefaultPresets(), nil
	}
	b, err := os.ReadFile(file) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, fmt.Errorf("detect.rules: %w", err)
	}
	p, err := detect.DefaultPresets().Over(b, expr.Check)
	if err != nil {
		return nil, fmt.Errorf("detect.rules: %s: %w", file, err)
	}
	return p, nil
}

// newConfigPresets prints the form of a site's own presets and all that they
// can say.
func newConfigPresets() *cobra.Command {
	return &cobra.Command{
		Use: "presets", Short: "Print the built-in rule presets, their parameters and the facts of expressions", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writePresets(cmd.OutOrStdout())
		},
	}
}

func writePresets(w io.Writer) error {
	if _, err := io.WriteString(w, detect.PresetsText); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\n# Parameters")
	for _, p := range detect.ParamDocs() {
		of := make([]string, len(p.Of))
		for i, w := range p.Of {
			of[i] = string(w)
		}
		fmt.Fprintf(tw, "#   %s\t%s\t(%s)\n", p.Name, p.About, strings.Join(of, ", "))
	}
	fmt.Fprintln(tw, "#\n# Facts of expressions (CEL, true or false)")
	for _, f := range expr.Facts() {
		fmt.Fprintf(tw, "#   %s\t%s\t(%s)\n", f.Name, f.About, f.Type)
	}
	return tw.Flush()
}
