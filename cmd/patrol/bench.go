package main

import "github.com/spf13/cobra"

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure the gateway on this machine", Args: noArgs,
		Long: `Measure the gateway on this machine, most often beside a simulated city.

Each command starts what it needs, prints what it measured with the machine it
measured on, and fails where a bound that it states does not hold. Figures mean
something on a quiet machine only.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newBenchIngest(), newBenchVisits(), newBenchStorm(), newBenchCold(), newBenchFaults(),
		newBenchSession(), newBenchFloor(), newBenchLeads(), newBenchEndure(), newBenchEndured(),
	)
	return cmd
}
