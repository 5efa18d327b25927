package main

import (
	"errors"
	"flag"

	"github.com/spf13/cobra"

	"github.com/skystash/skystash/scripts/admin/operator"
)

// newAdmin makes the commands of the operator. Each reads its flags itself.
func newAdmin() *cobra.Command {
	admin := &cobra.Command{
		Use:   "admin",
		Short: "Make keys, databases, clusters, accounts and tokens of a deployment",
		Long:  "Make keys, databases, clusters, accounts and tokens of a deployment.\n\n" + operator.Guide("skystash admin"),
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, c := range operator.Commands() {
		admin.AddCommand(&cobra.Command{
			Use:                c.Name + " [flags]",
			Short:              c.Short,
			DisableFlagParsing: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				err := c.Run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
				if errors.Is(err, flag.ErrHelp) {
					return nil
				}
				return err
			},
		})
	}
	return admin
}
