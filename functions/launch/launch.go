// Package launch starts Lambda functions, and tasks.
package launch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/skystash/skystash/functions/backend/settings"
)

// Function is all that a function's main does once it has read its settings from
// env: it opens the handler, which lambda.Start takes, and serves. If anything is missing or
// cannot be opened, it says so and ends the process with status 1.
//
// Where usage is metered, Lambda is asked to announce the end of an instance, with SIGTERM: what the meter still
// holds is written then. Lambda gives half a second for it.
func Function(name string, env *settings.Environment, open func(context.Context, *slog.Logger) (handler any, err error)) {
	log := logger(name, env)
	handler, err := open(context.Background(), log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	var options []lambda.Option
	if end := env.EndMeter(); end != nil {
		options = append(options, lambda.WithEnableSIGTERM(func() {
			end()
			os.Exit(0)
		}))
	}
	lambda.StartWithOptions(handler, options...)
}

// meterEvery is how often a task writes what its meter holds: it may go without requests for long, and is not frozen.
const meterEvery = time.Minute

// Task is Function for a process that does one thing and ends: with status 1 if that fails.
func Task(name string, env *settings.Environment, run func(context.Context, *slog.Logger) error) {
	log := logger(name, env)
	ended := make(chan struct{})
	var metering sync.WaitGroup
	if write := env.EndMeter(); write != nil {
		metering.Go(func() { writeMeter(write, ended) })
	}
	err := run(context.Background(), log)
	close(ended)
	metering.Wait()
	if err != nil {
		log.Error("the task has failed", "error", err)
		os.Exit(1)
	}
}

// writeMeter writes what the meter holds now and then, and when the task has ended.
func writeMeter(write func(), ended <-chan struct{}) {
	tick := time.NewTicker(meterEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			write()
		case <-ended:
			write()
			return
		}
	}
}

// logger is the process's log. If settings are missing, it says so and ends the process.
func logger(name string, env *settings.Environment) *slog.Logger {
	level := env.LogLevel()
	if err := env.Err(); err != nil {
		fmt.Fprintf(os.Stderr, "skystash %s: %v\n", name, err)
		os.Exit(1)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	return log
}
