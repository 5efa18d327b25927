package main

import (
	"flag"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skystash/skystash/scripts/local/server"
)

// newDev makes the command that runs everything locally.
func newDev(stdout, stderr io.Writer) *cobra.Command {
	m := server.NewMain(stdout, stderr)
	m.Version = programVersion()
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine: no account, no emulator",
		Long: `Run Redis, Kafka, QStash, the console and the Developer API on this machine, in one process, durable in the
folder .skystash. The URL and the tokens stay the same from start to start.`,
		Example: `  skystash dev                            # then follow what it prints
  skystash dev --env .env.local --open    # the variables into a project, the console in the browser
  skystash dev --ephemeral --addr 127.0.0.1:0 -q`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := m.CheckFlags(args); err != nil {
				return misuse{err}
			}
			server.PrepareProcess()
			return m.Run(cmd.Context())
		},
	}
	m.FlagSet().VisitAll(func(f *flag.Flag) {
		p := pflag.PFlagFromGoFlag(f)
		if f.Name == "quiet" {
			p.Shorthand = "q"
		}
		cmd.Flags().AddFlag(p)
	})
	for name, values := range map[string][]cobra.Completion{"store": {"embedded", "dynamo"}} {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // the flag is not there
		}
	}
	return cmd
}
