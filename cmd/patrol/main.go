package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "unknown"

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	coalesceTimers(os.Args)
	collectLess(os.Args)
	os.Exit(Main())
}

// Main runs the command line and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// usageError is a command that was typed wrongly.
type usageError struct{ error }

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "patrol: %v\nTry 'patrol --help'.\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "patrol: %v\n", err)
		return exitFailed
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "patrol",
		Short:         "The video patrol gateway",
		Long:          "The video patrol gateway: cameras in, leads out.\nIt detects what happens, never who.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		newServe(), newDemo(), newConfig(), newInventory(), newCamera(), newLead(), newUser(), newCoverage(), newMaintenance(), newAudit(),
		newModel(), newEval(), newBench(), newWorker(),
		&cobra.Command{
			Use: "version", Short: "Print the version", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "patrol %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return err
			},
		},
	)
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument %q", cmd.CommandPath(), args[0])}
	}
	return nil
}

// oneArg wants exactly one argument, which its name explains.
func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("%s wants one argument: %s", cmd.CommandPath(), name)}
		}
		return nil
	}
}

// atMostOneArg allows one argument, which its name explains.
func atMostOneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError{fmt.Errorf("%s wants at most one argument: %s", cmd.CommandPath(), name)}
		}
		return nil
	}
}

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Check or print the configuration", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newConfigValidate(),
		&cobra.Command{
			Use: "default", Short: "Print every key with its default", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := io.WriteString(cmd.OutOrStdout(), defaultConfig)
				return err
			},
		},
		newConfigPresets(),
		newConfigRoutes(),
	)
	return cmd
}
