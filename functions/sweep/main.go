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
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/skystash/skystash/functions/backend"
)

func main() {
	env := backend.Environment{Getenv: os.Getenv}
	cfg, level := env.Redis(), env.LogLevel()
	if err := env.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "skystash sweep:", err)
		os.Exit(1)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	cfg.Logger = log
	engine, err := backend.OpenRedis(context.Background(), cfg)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start((&backend.Sweeper{Engine: engine, Logger: log}).Handle)
}
