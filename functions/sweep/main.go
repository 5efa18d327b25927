// Command sweep is the Lambda function that clears away what is of no use any
// more: the elements of collections that were deleted, overwritten or have expired,
// expired fields of hashes, and flushed databases.
//
// The table's stream wakes it for records of what has become garbage (see
// contract.SweepFilters): then it clears away what these name, and answers which record has
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

	"github.com/skystash/skystash/functions/backend/awsredis"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/settings"
	sweeps "github.com/skystash/skystash/functions/backend/sweeper"
	"github.com/skystash/skystash/functions/launch"
)

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	aws, cfg := cloud.Environment(env), awsredis.Environment(env)
	launch.Function("sweep", env, func(_ context.Context, log *slog.Logger) (any, error) {
		cfg.Logger = log
		r, err := awsredis.Open(cloud.New(aws), cfg)
		return (&sweeper{scheduled: sweeps.Sweeper{Engine: r.Engine, Logger: log}, engine: r.Engine, log: log}).handle, err
	})
}
