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
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/skystash/skystash/functions/backend"
)

// margin is how long before Lambda ends the function it stops by itself.
const margin = 5 * time.Second

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
	lambda.Start((&sweeper{engine: engine, log: log}).handle)
}

// sweeper handles the events of the schedule.
type sweeper struct {
	engine interface {
		Reclaim(ctx context.Context) (int, error)
	}
	log *slog.Logger
}

// result is the function's answer, for who starts it by hand.
type result struct {
	Deleted  int  `json:"deleted"`  // items
	Finished bool `json:"finished"` // there was time for everything that is due
}

// handle does what is due. The event says nothing that matters.
func (s *sweeper) handle(ctx context.Context) (result, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	n, err := s.engine.Reclaim(ctx)
	out := ctx.Err() != nil
	if err != nil && !out {
		return result{}, fmt.Errorf("sweep: after %d items: %w", n, err)
	}
	s.log.InfoContext(ctx, "swept", "deleted", n, "finished", !out)
	return result{Deleted: n, Finished: !out}, nil
}
