// Command kafkasweep is the Lambda function that deletes Kafka messages beyond
// their topic's size or time, what deleted topics leave behind and idle groups, and
// compacts topics. A schedule starts it; what its time does not suffice for, the
// next run goes on with.
//
// Environment: as functions/materialize has it.
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
	cfg, level := env.Kafka(), env.LogLevel()
	if err := env.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "skystash kafkasweep:", err)
		os.Exit(1)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	cfg.Logger = log
	engine, err := backend.OpenKafka(context.Background(), cfg)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start((&backend.Sweeper{Engine: engine, Logger: log}).Handle)
}
