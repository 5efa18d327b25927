package main

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/token"
)

// deliverTimeout is Lambda's longest, in seconds; one attempt may take almost all of it.
const deliverTimeout = 15 * 60

// maxReceives is how often a wake-up is tried before it is put aside: the sweep finds
// what it was about.
const maxReceives = 5

// NewQStashStack adds QStash: a table, the function that serves the API, with an HTTP API
// and a function URL in front, the queue of wake-ups with its dead letter queue, the
// Scheduler group of late ones, and the function that delivers.
func NewQStashStack(scope constructs.Construct, cfg Config) awscdk.Stack {
	stack := awscdk.NewStack(scope, &cfg.QStashStack, &awscdk.StackProps{
		Description: jsii.String("Skystash: QStash on DynamoDB, SQS and EventBridge Scheduler"),
		Env:         cfg.environment(),
	})
	table := newTable(stack, cfg)
	w := newWakeUps(stack)
	api := newQStashFunction(stack, cfg, table, w)
	deliver := newDeliverFunction(stack, cfg, table, w)
	if cfg.LongCalls {
		makeLongAttempts(stack, cfg, table, w, deliver)
	}
	countDeliveries(stack)
	if cfg.QStashAlarms || cfg.Alarms == alarmsAll {
		alarmOfQStash(stack, cfg, w.aside)
	}

	openFronts(stack, cfg, api, fronts{
		name: "QStash", description: "QStash", variable: "QSTASH_URL", direct: "any bytes in paths",
	})
	output(stack, "TableName", table.TableName(), "The table, for scripts/admin")
	return stack
}

// wakeUps is how the functions are woken.
type wakeUps struct {
	queue awssqs.Queue
	aside awssqs.Queue // those that have failed for good
	group awsscheduler.CfnScheduleGroup
	role  awsiam.Role // that Scheduler sends messages with
}

func newWakeUps(stack awscdk.Stack) wakeUps {
	aside := awssqs.NewQueue(stack, jsii.String("FailedWakeUps"), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
	queue := awssqs.NewQueue(stack, jsii.String("WakeUps"), &awssqs.QueueProps{
		Encryption: awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL: jsii.Bool(true),
		// Six times the function's, as Lambda asks.
		VisibilityTimeout: awscdk.Duration_Seconds(jsii.Number(6 * deliverTimeout)),
		RetentionPeriod:   awscdk.Duration_Days(jsii.Number(14)),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: aside, MaxReceiveCount: jsii.Number(maxReceives)},
	})
	group := awsscheduler.NewCfnScheduleGroup(stack, jsii.String("LateWakeUps"), &awsscheduler.CfnScheduleGroupProps{
		Name: stack.StackName(),
	})
	role := awsiam.NewRole(stack, jsii.String("SchedulerRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("scheduler.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": stack.Account(), "aws:SourceArn": group.AttrArn()}},
		}),
	})
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("sqs:SendMessage"), Resources: &[]*string{queue.QueueArn()},
	}))
	return wakeUps{queue, aside, group, role}
}

// grant lets a function send wake-ups.
func (w wakeUps) grant(stack awscdk.Stack, fn awslambda.Function) {
	w.grantBy(stack, func(s awsiam.PolicyStatement) { fn.AddToRolePolicy(s) })
}

// grantBy lets somebody send wake-ups, whose role add gives rights to.
func (w wakeUps) grantBy(stack awscdk.Stack, add func(awsiam.PolicyStatement)) {
	add(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("sqs:SendMessage"), Resources: &[]*string{w.queue.QueueArn()},
	}))
	add(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("scheduler:CreateSchedule", "scheduler:DeleteSchedule"),
		Resources: &[]*string{stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("scheduler"), Resource: jsii.String("schedule"), ResourceName: jsii.String(*w.group.Ref() + "/*"),
		})},
	}))
	add(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("iam:PassRole"), Resources: &[]*string{w.role.RoleArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{"iam:PassedToService": "scheduler.amazonaws.com"}},
	}))
}

func (w wakeUps) environment(cfg Config) map[string]*string {
	environment := map[string]*string{
		"QUEUE_URL":          w.queue.QueueUrl(),
		"QUEUE_ARN":          w.queue.QueueArn(),
		"SCHEDULER_GROUP":    w.group.Ref(),
		"SCHEDULER_ROLE_ARN": w.role.RoleArn(),
		"QSTASH_REGION":      &cfg.QStashRegion,
		"PROCESSES":          jsii.String(strconv.Itoa(cfg.QStashConcurrency)),
	}
	if cfg.LongCalls {
		environment["LONG_CALLS"] = jsii.String("true")
	}
	return environment
}

// qstashActions are those on the table, of both functions.
var qstashActions = []string{
	"dynamodb:BatchGetItem",
	"dynamodb:BatchWriteItem",
	"dynamodb:ConditionCheckItem",
	"dynamodb:DeleteItem",
	"dynamodb:GetItem",
	"dynamodb:PutItem",
	"dynamodb:Query",
	"dynamodb:UpdateItem",
}

func newQStashFunction(stack awscdk.Stack, cfg Config, table awsdynamodb.Table, w wakeUps) awslambda.Function {
	publicKey := &cfg.TokenPublicKey
	if cfg.TokenPublicKey == "" {
		publicKey = awsssm.StringParameter_ValueForStringParameter(stack, &cfg.TokenPublicKeyParameter, nil)
	}
	environment := w.environment(cfg)
	environment["TOKEN_PUBLIC_KEY"], environment["TOKEN_AUDIENCE"] = publicKey, &cfg.TokenAudience
	fn := newFunction(stack, cfg, table, function{
		description: "QStash's REST API",
		metered:     true,
		reserved:    cfg.Concurrency[token.ProductQStash],
		loops:       true, // a destination may publish again, with the trace it was called in
		asset:       cfg.QStashAsset,
		memory:      512,
		timeout:     29,
		actions:     qstashActions,
		environment: environment,
	})
	w.grant(stack, fn)
	return fn
}

func newDeliverFunction(stack awscdk.Stack, cfg Config, table awsdynamodb.Table, w wakeUps) awslambda.Function {
	environment := w.environment(cfg)
	environment["ALLOWED_ADDRESSES"] = &cfg.QStashAllowed
	environment["BREAKER_FAILURES"] = jsii.String(strconv.Itoa(cfg.QStashBreaker))
	fn := newFunction(stack, cfg, table, function{
		prefix:      "Deliver",
		description: "Delivers QStash's messages",
		metered:     true,
		loops:       true, // a delivery sends the wake-up for the next one
		asset:       cfg.DeliverAsset,
		reserved:    cfg.QStashReserved,
		memory:      512, // ten messages at a time, with their answers
		timeout:     deliverTimeout,
		actions:     qstashActions,
		environment: environment,
	})
	w.grant(stack, fn)
	fn.AddEventSource(awslambdaeventsources.NewSqsEventSource(w.queue, &awslambdaeventsources.SqsEventSourceProps{
		BatchSize:               jsii.Number(10),
		MaxConcurrency:          jsii.Number(cfg.QStashConcurrency),
		ReportBatchItemFailures: jsii.Bool(true),
	}))
	sweepOnSchedule(stack, 1, fn) // an overdue message is noticed by its receiver
	return fn
}
