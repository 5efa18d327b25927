// Command kafkasweep is the Lambda function that deletes Kafka messages beyond
// their topic's size or time, what deleted topics leave behind and idle groups, and
// compacts topics. A schedule starts it; what its time does not suffice for, the
// next run goes on with.
//
// Environment: as functions/materialize has it.
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
	cfg := env.Kafka()
	launch.Function("kafkasweep", env, func(ctx context.Context, log *slog.Logger) (any, error) {
		cfg.Logger = log
		engine, err := backend.OpenKafka(ctx, cfg)
		return (&backend.Sweeper{Engine: engine, Logger: log}).Handle, err
	})
}
