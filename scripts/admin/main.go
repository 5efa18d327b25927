// Command admin does what an operator needs beside the deployment: it makes
// signing keys, databases and tokens. Run it without arguments for help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/skystash/skystash/scripts/admin/gateway"
	"github.com/skystash/skystash/scripts/admin/operator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := operator.Run(ctx, "go run ./scripts/admin", os.Args[1:], os.Stdout, os.Stderr, gateway.Command()); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "admin:", err)
		}
		stop()
		os.Exit(1)
	}
}
