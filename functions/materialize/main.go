// Command materialize is the Lambda function that moves messages from the Kinesis
// stream into the logs of their partitions. The stream's event source mapping
// invokes it, with records of one shard in order.
//
// It answers which record has to be delivered again, with all behind it, if any.
//
// Environment:
//
//	TABLE_NAME         DynamoDB table that holds the clusters
//	STREAM_NAME        Kinesis stream that messages come from
//	LOG_LEVEL          debug, info, warn or error; default info
//	DYNAMODB_ENDPOINT  another endpoint than DynamoDB's own
//	KINESIS_ENDPOINT   another endpoint than Kinesis's own
//	BUCKET_NAME        S3 bucket of large segments; unset: they stay in the table
//	BUCKET_WRITES      "off": no more segments go into the bucket
//	S3_ENDPOINT        another endpoint than S3's own
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skystash/skystash/functions/backend/awskafka"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/launch"
	"github.com/skystash/skystash/pkg/kafka/ingest"
)

// margin is how long before Lambda ends the function it stops by itself.
const margin = 5 * time.Second

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	aws, cfg := cloud.Environment(env), awskafka.Environment(env)
	launch.Function("materialize", env, func(_ context.Context, log *slog.Logger) (any, error) {
		cfg.Logger = log
		k, err := awskafka.Open(cloud.New(aws), cfg)
		return (&materializer{engine: k.Engine, log: log}).handle, err
	})
}

// materializer handles the stream's events.
type materializer struct {
	engine interface {
		Materialize(ctx context.Context, ds []ingest.Delivery) (int, error)
	}
	log *slog.Logger
}

func (m *materializer) handle(ctx context.Context, event events.KinesisEvent) (events.KinesisEventResponse, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	ds := make([]ingest.Delivery, len(event.Records))
	for i, r := range event.Records {
		ds[i] = ingest.Delivery{
			Record:   ingest.Record{Key: r.Kinesis.PartitionKey, Data: r.Kinesis.Data},
			Sequence: r.Kinesis.SequenceNumber,
			Arrived:  r.Kinesis.ApproximateArrivalTimestamp.Time,
		}
	}
	begin := time.Now()
	n, err := m.engine.Materialize(ctx, ds)
	resp := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	if n < len(ds) {
		m.log.ErrorContext(ctx, "records are to be delivered again", "from", ds[n].Sequence, "of", len(ds), "after", n, "error", err)
		resp.BatchItemFailures = append(resp.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: ds[n].Sequence})
		return resp, nil
	}
	m.log.DebugContext(ctx, "materialized", "records", n, "duration_ms", time.Since(begin).Milliseconds())
	return resp, nil
}
