// Package launch starts Lambda functions.
package launch

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/skystash/skystash/functions/backend/settings"
)

// Function is all that a function's main does once it has read its settings from
// env: it opens the handler, which lambda.Start takes, and serves. If anything is missing or
// cannot be opened, it says so and ends the process with status 1.
func Function(name string, env *settings.Environment, open func(context.Context, *slog.Logger) (handler any, err error)) {
	level := env.LogLevel()
	if err := env.Err(); err != nil {
		fmt.Fprintf(os.Stderr, "skystash %s: %v\n", name, err)
		os.Exit(1)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	handler, err := open(context.Background(), log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
