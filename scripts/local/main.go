// Command local runs everything that Skystash has so far in one process, on a
// storage engine in one folder: no AWS account, no emulator.
//
//	go run ./scripts/local
//
// "skystash dev" (scripts/skystash) is the same server with other commands beside it.
// It prints the URL and the tokens of a database, keeps both across restarts
// and ends cleanly on SIGINT and SIGTERM. "-help" lists the flags.
//
// Exit status: 0 after a signal, 1 when it cannot start or fails, 2 for bad flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/skystash/skystash/scripts/local/server"
)

func main() {
	server.PrepareProcess()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	m := server.NewMain(stdout, stderr)
	switch err := m.ParseFlags(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "local:", err)
		return 2
	}
	if err := m.Run(ctx); err != nil {
		fmt.Fprintln(stderr, "local:", err)
		return 1
	}
	return 0
}
