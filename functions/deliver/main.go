// Command deliver is the Lambda function that delivers QStash's messages. It gets
// wake-ups from the SQS queue and, from a schedule, the order to look for messages
// that no wake-up has come for.
//
// Environment: as functions/qstash, without tokens, and
//
//	ALLOWED_ADDRESSES   blocks of addresses, separated by commas, that messages may be
//	                    delivered to although they are not public
//	BREAKER_FAILURES    attempts in a row without an answer after which attempts to a host
//	                    are held; negative: never; default 10
//	TASK_DEFINITION, TASK_CLUSTER, TASK_SUBNETS, TASK_SECURITY_GROUP
//	                    with LONG_CALLS: the ECS task that makes an attempt, see
//	                    functions/attempt, and where it runs; subnets are separated by commas
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skystash/skystash/functions/backend/awsqstash"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/launch"
)

// margin is how long before Lambda ends the function a sweep stops by itself.
const margin = 5 * time.Second

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	aws, cfg := cloud.Environment(env), awsqstash.Environment(env)
	cfg.Meter = env.Meter()
	cfg.Task = awsqstash.TaskEnvironment(env)
	launch.Function("deliver", env, func(_ context.Context, log *slog.Logger) (any, error) {
		cfg.Logger = log
		q, err := awsqstash.Open(cloud.New(aws), cfg)
		return (&deliverer{q: q, log: log}).handle, err
	})
}

type deliverer struct {
	q   awsqstash.QStash
	log *slog.Logger
}

// swept is the answer to a schedule, for who starts the function by hand.
type swept struct {
	Woken    int  `json:"woken"`    // wake-ups sent
	Finished bool `json:"finished"` // there was time for everything
}

// handle handles the messages of a queue, side by side, or else looks for what is overdue.
func (d *deliverer) handle(ctx context.Context, event json.RawMessage) (any, error) {
	var batch events.SQSEvent
	if err := json.Unmarshal(event, &batch); err != nil {
		return nil, fmt.Errorf("deliver: reading the event: %w", err)
	}
	if len(batch.Records) == 0 {
		return d.sweep(ctx)
	}
	// Lambda freezes the process between invocations, often for longer than destinations keep connections.
	defer d.q.Sender.CloseIdleConnections()
	failed := make([]bool, len(batch.Records))
	var all sync.WaitGroup
	for i, record := range batch.Records {
		all.Go(func() {
			if err := d.q.Waker.Receive(ctx, record.Body, d.q.Engine.Handle); err != nil {
				failed[i] = true
				d.log.ErrorContext(ctx, "a wake-up failed and comes again", "message", record.MessageId, "error", err)
				d.giveBack(ctx, record)
			}
		})
	}
	all.Wait()
	out := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, record := range batch.Records {
		if failed[i] {
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		}
	}
	return out, nil
}

// giveBack lets a message whose wake-up has failed come again within seconds. The others of its batch
// may still take minutes.
func (d *deliverer) giveBack(ctx context.Context, record events.SQSMessage) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin)
	defer cancel()
	receives, err := strconv.Atoi(record.Attributes["ApproximateReceiveCount"])
	if err == nil {
		err = d.q.Waker.Return(ctx, record.ReceiptHandle, receives)
	}
	if err != nil {
		d.log.WarnContext(ctx, "a wake-up comes again late", "message", record.MessageId, "error", err)
	}
}

func (d *deliverer) sweep(ctx context.Context) (swept, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	n, err := d.q.Engine.Sweep(ctx, d.q.Engine.Overdue())
	out := ctx.Err() != nil
	if err != nil && !out {
		return swept{}, fmt.Errorf("deliver: sweep: %w", err)
	}
	if n > 0 || out {
		d.log.WarnContext(ctx, "swept", "woken", n, "finished", !out)
	}
	return swept{Woken: n, Finished: !out}, nil
}
