// Command meter is the Lambda function that counts usage. Subscriptions of the other functions' log
// groups invoke it with the lines that these write about their requests, or carry the lines into a Kinesis
// stream, whose event source mapping invokes it. It adds them to the usage of hours and days, each line once however
// often it comes, then blocks resources that have reached a limit.
//
// A batch that could not be counted is delivered again. Lines that make no sense are left out.
//
// A schedule invokes it too, to measure how much resources store, see meter.Sizer.
//
// Environment:
//
//	TABLE_NAME         DynamoDB table of the control plane, which holds usage and limits
//	REDIS_TABLE_NAME, KAFKA_TABLE_NAME, QSTASH_TABLE_NAME
//	                   tables of the products that are deployed, to block resources in
//	LOG_LEVEL          debug, info, warn or error; default info
//	DYNAMODB_ENDPOINT  another endpoint than DynamoDB's own
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skystash/skystash/functions/backend/awsusage"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/launch"
	"github.com/skystash/skystash/pkg/meter"
)

// margin is how long before Lambda ends the function it stops by itself.
const margin = 5 * time.Second

// countTime bounds the work on a batch: the stream waits for it.
const countTime = time.Minute

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	aws, cfg := cloud.Environment(env), awsusage.Environment(env)
	launch.Function("meter", env, func(_ context.Context, log *slog.Logger) (any, error) {
		cfg.Logger = log
		usage, err := awsusage.Open(cloud.New(aws), cfg)
		return (&counter{usage: usage, log: log}).handle, err
	})
}

// counter handles the stream's events.
type counter struct {
	usage *awsusage.Usage
	log   *slog.Logger
}

// counted is the answer, for who starts the function by hand.
type counted struct {
	Sums       int `json:"sums"`       // that were counted
	Duplicates int `json:"duplicates"` // that had been counted before
	Malformed  int `json:"malformed"`  // that make no sense
}

// measured is the answer to a schedule.
type measured struct {
	Resources int `json:"resources"` // that there are
}

// batch is an event with lines: of a stream, or of a subscription without one. That of a schedule has none.
type batch struct {
	Records []events.KinesisEventRecord `json:"Records"`
	Logs    struct {
		Data []byte `json:"data"`
	} `json:"awslogs"`
}

func (c *counter) handle(ctx context.Context, event json.RawMessage) (any, error) {
	var batch batch
	if err := json.Unmarshal(event, &batch); err != nil {
		return nil, fmt.Errorf("meter: reading the event: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	switch {
	case len(batch.Logs.Data) > 0:
		return c.count(ctx, batch.Logs.Data)
	case len(batch.Records) > 0:
		var packed [][]byte
		for _, r := range batch.Records {
			packed = append(packed, r.Kinesis.Data)
		}
		return c.count(ctx, packed...)
	}
	return c.measure(ctx)
}

// measure measures the resources for which it is time. What fails is tried by the next schedule.
func (c *counter) measure(ctx context.Context) (measured, error) {
	all, err := c.usage.Control.Metered(ctx)
	if err != nil {
		return measured{}, fmt.Errorf("meter: listing the resources: %w", err)
	}
	return measured{len(all)}, c.usage.Sizer.Check(ctx, all...)
}

func (c *counter) count(ctx context.Context, packed ...[]byte) (counted, error) {
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	var entries []meter.Entry
	var out counted
	for i, data := range packed {
		lines, err := logLines(data)
		if err != nil {
			out.Malformed++
			c.log.WarnContext(ctx, "a record cannot be read", "record", i, "error", err)
		}
		for _, line := range lines {
			sums, err := meter.ParseLine([]byte(line))
			if err != nil {
				out.Malformed++
				c.log.WarnContext(ctx, "a line cannot be read", "record", i, "error", err)
				continue
			}
			entries = append(entries, sums...)
		}
	}
	done, err := c.usage.Folder.Fold(ctx, entries)
	out.Sums, out.Duplicates = done.Entries, done.Duplicates
	if err != nil {
		return out, err
	}
	// Usage is right without this, and the next batch makes up for it: no reason to have this one again.
	if err := c.usage.Limiter.Check(ctx, done.Resources...); err != nil {
		c.log.ErrorContext(ctx, "limits of usage are not up to date", "error", err)
	}
	c.log.DebugContext(ctx, "counted", "sums", out.Sums, "duplicates", out.Duplicates, "malformed", out.Malformed)
	return out, nil
}
