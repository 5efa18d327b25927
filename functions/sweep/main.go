// Command sweep is the Lambda function that clears away what is of no use any
// more: the elements of collections that were deleted, overwritten or have expired,
// expired fields of hashes, and flushed databases. A schedule starts it; what its
// time does not suffice for, the next run goes on with.
//
// Environment:
//
//	TABLE_NAME         DynamoDB table that holds the databases
//	LOG_LEVEL          debug, info, warn or error; default info
//	DYNAMODB_ENDPOINT  another endpoint than DynamoDB's own, such as DynamoDB
//	                   Local's
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/skystash/skystash/functions/backend"
	"github.com/skystash/skystash/functions/launch"
)

func main() {
	env := &backend.Environment{Getenv: os.Getenv}
	cfg := env.Redis()
	launch.Function("sweep", env, func(ctx context.Context, log *slog.Logger) (any, error) {
		cfg.Logger = log
		engine, err := backend.OpenRedis(ctx, cfg)
		return (&backend.Sweeper{Engine: engine, Logger: log}).Handle, err
	})
}
