// Command skystash is Skystash for people: one program that runs everything locally, does what operators do,
// and looks for what is wrong.
//
//	go run ./scripts/skystash dev
//	go run ./scripts/skystash --help
//
// Exit status: 0 if all went well, 1 if a command has failed, 2 for bad flags or arguments.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker in a release.
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// misuse is an error of who has typed a command.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

// errSaid ends the program when everything has been said.
var errSaid = errors.New("said already")

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(twoDashes(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSaid):
		return 1
	}
	fmt.Fprintln(stderr, "skystash:", err)
	if errors.As(err, &misuse{}) || strings.HasPrefix(err.Error(), "unknown command") {
		return 2
	}
	return 1
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "skystash",
		Short: "Redis over REST, Kafka and QStash in one's own AWS account, or on this machine",
		Long: `Redis over REST, Kafka over REST and QStash, as Upstash's clients know them, on this machine or in one's
own AWS account.

Begin with "skystash dev": it runs everything here, without an account, and says what to do next.`,
		Version:       programVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misuse{fmt.Errorf("%w; %s --help lists the flags", err, cmd.CommandPath())}
	})
	root.AddCommand(newDev(stdout, stderr), newAdmin(), newToken(), newDoctor(), newExport(), newImport(), newMan())
	return root
}

// noArgs refuses arguments that are no flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misuse{fmt.Errorf("unexpected argument %q; %s --help says how it is called", args[0], cmd.CommandPath())}
	}
	return nil
}

// twoDashes lets long flags have one dash, as the flags of scripts/local and scripts/admin have, and as their documentation
// writes them. A dash before a single character, or before a number, stays.
func twoDashes(args []string) []string {
	if len(args) > 0 && (args[0] == "admin" || strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)) {
		return args // read by the flag package, or by cobra for the shell
	}
	out := make([]string, len(args))
	for i, arg := range args {
		if out[i] = arg; arg == "--" {
			copy(out[i:], args[i:])
			break
		}
		if len(arg) > 2 && arg[0] == '-' && 'a' <= arg[1] && arg[1] <= 'z' && arg[2] != '=' {
			out[i] = "-" + arg
		}
	}
	return out
}

// programVersion is that of the release, or what Go knows of the source it has compiled.
func programVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "development"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}
