package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/deliver"
	wakeaws "github.com/skystash/skystash/pkg/qstash/wake/aws"
	"github.com/skystash/skystash/pkg/store/dynamo"
)

// Limits of QStash behind Lambda.
const (
	// MaxMessageBytes fits a request of base64, with its envelope, into Lambda's 6 MiB.
	MaxMessageBytes = 4_000_000
	// MaxAttempt is below Lambda's 15 minutes by the time to record the outcome.
	MaxAttempt = 14 * time.Minute
)

// QStashConfig is what OpenQStash needs. Region and credentials come from where AWS's
// tools look for them.
type QStashConfig struct {
	Table             string
	QueueURL          string
	QueueARN          string
	SchedulerGroup    string
	SchedulerRole     string         // ARN of the role that Scheduler sends messages with
	Region            string         // that destinations are told; "": qstash.DefaultRegion
	Allow             []netip.Prefix // addresses that are not public and may be delivered to
	DynamoDBEndpoint  string         // instead of AWS's own; "": none
	SQSEndpoint       string
	SchedulerEndpoint string
	Meter             meter.Recorder // is told of attempts to deliver; nil: nobody is
	Logger            *slog.Logger   // nil: slog.Default
}

// QStash reads the settings that QStash's functions have in common.
func (e *Environment) QStash() QStashConfig {
	cfg := QStashConfig{
		Table:             e.Require("TABLE_NAME", "the DynamoDB table that holds QStash's messages"),
		QueueURL:          e.Require("QUEUE_URL", "the SQS queue of wake-ups"),
		QueueARN:          e.Require("QUEUE_ARN", "the same queue, for EventBridge Scheduler"),
		SchedulerGroup:    e.Require("SCHEDULER_GROUP", "the EventBridge Scheduler group of late wake-ups"),
		SchedulerRole:     e.Require("SCHEDULER_ROLE_ARN", "the role that EventBridge Scheduler sends wake-ups with"),
		Region:            e.Get("QSTASH_REGION"),
		DynamoDBEndpoint:  e.Get("DYNAMODB_ENDPOINT"),
		SQSEndpoint:       e.Get("SQS_ENDPOINT"),
		SchedulerEndpoint: e.Get("SCHEDULER_ENDPOINT"),
	}
	for _, text := range strings.FieldsFunc(e.Get("ALLOWED_ADDRESSES"), func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			e.Fault("ALLOWED_ADDRESSES", fmt.Errorf("%q is no block of addresses such as 10.0.0.0/8", text))
			continue
		}
		cfg.Allow = append(cfg.Allow, prefix)
	}
	return cfg
}

// QStash is the engine with what wakes it.
type QStash struct {
	Engine *qstash.Engine
	Waker  *wakeaws.Waker
}

// OpenQStash opens the QStash engine; table, queue and group must exist.
func OpenQStash(ctx context.Context, cfg QStashConfig) (*QStash, error) {
	if cfg.Table == "" {
		return nil, errors.New("open the QStash engine: no table")
	}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	db, err := DynamoDB(ctx, cfg.DynamoDBEndpoint)
	if err != nil {
		return nil, err
	}
	waker := wakeaws.New(wakeaws.Config{
		SQS: sqs.NewFromConfig(aws, func(o *sqs.Options) {
			if cfg.SQSEndpoint != "" {
				o.BaseEndpoint = &cfg.SQSEndpoint
			}
		}),
		Scheduler: scheduler.NewFromConfig(aws, func(o *scheduler.Options) {
			if cfg.SchedulerEndpoint != "" {
				o.BaseEndpoint = &cfg.SchedulerEndpoint
			}
		}),
		QueueURL: cfg.QueueURL, QueueARN: cfg.QueueARN, RoleARN: cfg.SchedulerRole, Group: cfg.SchedulerGroup,
	})
	return &QStash{
		Waker: waker,
		Engine: qstash.New(qstash.Config{
			Store:      dynamo.New(db, cfg.Table),
			Sender:     deliver.New(deliver.Config{Allow: cfg.Allow}),
			Waker:      waker,
			Limits:     qstash.Limits{MaxMessageBytes: MaxMessageBytes, MaxTimeout: MaxAttempt},
			Region:     cfg.Region,
			AccountTTL: RecordTTL,
			Meter:      cfg.Meter,
			Logger:     cfg.Logger,
		}),
	}, nil
}
