package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"videopatrol/alerts"
	"videopatrol/inventory"
	"videopatrol/inventory/importer"
)

// readRoutes returns a site's own routes, or the built-in ones.
func readRoutes(c Config) (*alerts.Routes, error) {
	zone, err := time.LoadLocation(c.Site.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("site.time_zone: %w", err)
	}
	if c.Routes == "" {
		return alerts.DefaultRoutes(zone), nil
	}
	b, err := os.ReadFile(c.Routes)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	r, err := alerts.ParseRoutes(b, zone)
	if err != nil {
		return nil, fmt.Errorf("routes: %s: %w", c.Routes, err)
	}
	return r, nil
}

// readGrid reads cells from GeoJSON; file is "" where there are none.
func readGrid(file string) (*inventory.Grid, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plan, err := importer.GeoJSON(f, inventory.Snapshot{}, importer.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if why := plan.Report.Refused; why != "" {
		return nil, fmt.Errorf("%s: %s", file, why)
	}
	if faults := plan.Report.Faults; len(faults) > 0 {
		return nil, fmt.Errorf("%s: line %d: %s", file, faults[0].Line, faults[0].Reason)
	}
	return inventory.NewGrid(plan.Change.Cells), nil
}

// checkRoutes reads the routes and refuses what has no owner.
func checkRoutes(c Config, gridFile string) error {
	routes, err := readRoutes(c)
	if err != nil {
		return err
	}
	grid, err := readGrid(gridFile)
	if err != nil {
		return err
	}
	holes := routes.Holes(grid)
	if len(holes) == 0 {
		return nil
	}
	lines := make([]string, len(holes))
	for i, h := range holes {
		lines[i] = "  " + h.String()
	}
	return errors.New("routes: these leads have no owner; add a route, or hours to a department:\n" + strings.Join(lines, "\n"))
}

// newConfigValidate checks a configuration and all that it names.
func newConfigValidate() *cobra.Command {
	var grid string
	cmd := &cobra.Command{
		Use: "validate FILE", Short: "Check a configuration file whole", Args: oneArg("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := LoadConfig(args[0])
			if err != nil {
				return err
			}
			if err := c.resolveSecrets(); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if _, err := readPresets(c.Detect.Rules); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := checkRoutes(c, grid); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is valid\n", args[0])
			return err
		},
	}
	cmd.Flags().StringVar(&grid, "grid", "", "GeoJSON file of the grid: every kind, first-level cell and hour must have an owner")
	return cmd
}

// newConfigRoutes prints the form of a site's own routes.
func newConfigRoutes() *cobra.Command {
	return &cobra.Command{
		Use: "routes", Short: "Print the built-in departments, routes and clocks", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), alerts.RoutesText)
			return err
		},
	}
}
