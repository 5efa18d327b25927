// Command sweep is the Lambda function that clears away what is of no use any
// more: the elements of collections that were deleted, overwritten or have expired,
// expired fields of hashes, and flushed databases.
//
// The table's stream wakes it for records of what has become garbage (see
// backend.SweepFilters): then it clears away what these name, and answers which record has
// to be delivered again, with all behind it, if any. A schedule starts it for everything that is due: what was not yet when
// the stream told of it, what the stream has given up, and expired fields. What
// its time does not suffice for, the next run goes on with.
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
		return (&sweeper{scheduled: backend.Sweeper{Engine: engine, Logger: log}, engine: engine, log: log}).handle, err
	})
}
