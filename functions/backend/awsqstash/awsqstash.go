// Package awsqstash opens the QStash engine over DynamoDB, SQS and EventBridge Scheduler.
package awsqstash

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/breaker"
	"github.com/skystash/skystash/pkg/qstash/deliver"
	wakeaws "github.com/skystash/skystash/pkg/qstash/wake/aws"
	"github.com/skystash/skystash/pkg/store"
)

// Config is what Open needs.
type Config struct {
	Table             string
	QueueURL          string
	QueueARN          string
	SchedulerGroup    string
	SchedulerRole     string         // ARN of the role that Scheduler sends messages with
	Region            string         // that destinations are told; "": qstash.DefaultRegion
	Allow             []netip.Prefix // addresses that are not public and may be delivered to
	Breaker           breaker.Config // of destinations that cannot be reached
	Processes         int            // invocations that deliver at a time; 0: any number
	LongCalls         bool           // attempts may take contract.MaxLongAttempt, see Task
	Task              *wakeaws.Task  // makes attempts that take longer than contract.MaxAttempt; nil: they are made here
	Owner             string         // see qstash.Config
	SQSEndpoint       string         // instead of AWS's own; "": none
	SchedulerEndpoint string
	Meter             meter.Recorder // is told of attempts to deliver; nil: nobody is
	Logger            *slog.Logger   // nil: slog.Default
}

// Environment reads the settings that QStash's functions have in common.
func Environment(env *settings.Environment) Config {
	cfg := Config{
		Table:             env.Require("TABLE_NAME", "the DynamoDB table that holds QStash's messages"),
		QueueURL:          env.Require("QUEUE_URL", "the SQS queue of wake-ups"),
		QueueARN:          env.Require("QUEUE_ARN", "the same queue, for EventBridge Scheduler"),
		SchedulerGroup:    env.Require("SCHEDULER_GROUP", "the EventBridge Scheduler group of late wake-ups"),
		SchedulerRole:     env.Require("SCHEDULER_ROLE_ARN", "the role that EventBridge Scheduler sends wake-ups with"),
		Region:            env.Get("QSTASH_REGION"),
		SQSEndpoint:       env.Get("SQS_ENDPOINT"),
		SchedulerEndpoint: env.Get("SCHEDULER_ENDPOINT"),
	}
	cfg.Breaker.Failures = number(env, "BREAKER_FAILURES")
	cfg.Processes = number(env, "PROCESSES")
	cfg.LongCalls = env.Get("LONG_CALLS") == "true"
	for _, text := range strings.FieldsFunc(env.Get("ALLOWED_ADDRESSES"), func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			env.Fault("ALLOWED_ADDRESSES", fmt.Errorf("%q is no block of addresses such as 10.0.0.0/8", text))
			continue
		}
		cfg.Allow = append(cfg.Allow, prefix)
	}
	return cfg
}

// TaskEnvironment reads which tasks make long attempts; nil if they are not allowed.
func TaskEnvironment(env *settings.Environment) *wakeaws.Task {
	if env.Get("LONG_CALLS") != "true" {
		return nil
	}
	return &wakeaws.Task{
		Definition:    env.Require("TASK_DEFINITION", "the ECS task definition of long attempts"),
		Container:     contract.TaskContainer,
		Cluster:       env.Require("TASK_CLUSTER", "the ECS cluster of long attempts"),
		Subnets:       strings.Split(env.Require("TASK_SUBNETS", "the subnets of long attempts, separated by commas"), ","),
		SecurityGroup: env.Require("TASK_SECURITY_GROUP", "the security group of long attempts"),
	}
}

// number reads a whole number; 0 if it is not set.
func number(env *settings.Environment, name string) int {
	text := env.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		env.Fault(name, fmt.Errorf("%q is no whole number", text))
	}
	return n
}

// QStash is the engine with what wakes it and the table it works on.
type QStash struct {
	Engine *qstash.Engine
	Sender *deliver.Sender
	Waker  *wakeaws.Waker
	Table  store.Store
}

// Open opens the engine; table, queue and group must exist.
func Open(c *cloud.Cloud, cfg Config) (QStash, error) {
	if cfg.Table == "" {
		return QStash{}, errors.New("open the QStash engine: no table")
	}
	waker := wakeaws.New(wakeaws.Config{
		SQS: sqs.NewFromConfig(c.AWS, func(o *sqs.Options) {
			if cfg.SQSEndpoint != "" {
				o.BaseEndpoint = &cfg.SQSEndpoint
			}
		}),
		Scheduler: scheduler.NewFromConfig(c.AWS, func(o *scheduler.Options) {
			if cfg.SchedulerEndpoint != "" {
				o.BaseEndpoint = &cfg.SchedulerEndpoint
			}
		}),
		QueueURL: cfg.QueueURL, QueueARN: cfg.QueueARN, RoleARN: cfg.SchedulerRole, Group: cfg.SchedulerGroup,
	})
	limits := qstash.Limits{MaxMessageBytes: contract.MaxMessageBytes, MaxTimeout: contract.MaxAttempt, Timeout: contract.MaxAttempt}
	if cfg.LongCalls {
		limits.MaxTimeout = contract.MaxLongAttempt
	}
	var elsewhere qstash.Elsewhere
	if cfg.Task != nil {
		elsewhere = qstash.Elsewhere{Starter: wakeaws.NewStarter(waker, *cfg.Task), Beyond: contract.MaxAttempt}
	}
	table, sender := c.Table(cfg.Table), deliver.New(deliver.Config{Allow: cfg.Allow, MaxResponseBytes: contract.MaxAnswerBytes})
	return QStash{
		Sender: sender,
		Waker:  waker,
		Table:  table,
		Engine: qstash.New(qstash.Config{
			Store:     table,
			Sender:    sender,
			Waker:     waker,
			Limits:    limits,
			Elsewhere: elsewhere,
			Owner:     cfg.Owner,
			Region:    cfg.Region,
			RecordTTL: contract.RecordTTL,
			Breaker:   cfg.Breaker,
			Processes: cfg.Processes,
			Meter:     cfg.Meter,
			Logger:    cfg.Logger,
		}),
	}, nil
}
