package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdadestinations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/meter"
)

// meterSeconds is how long lines of a stream are gathered before they are counted: a batch costs a transaction,
// whatever it holds, and limits are late by this much.
const meterSeconds = 60

// measureMinutes is how often it is looked whether storage is to be measured.
const measureMinutes = 60

// meteredProduct is a product whose functions leave lines.
type meteredProduct struct {
	name    string       // in construct ids: "Redis"
	table   string       // environment variable that functions/meter finds the table in; "": it has none of its own
	stack   awscdk.Stack // with the construct "Table" and the log groups
	logs    []string     // construct ids of the log groups
	actions []string     // on the table, to block a resource in and to measure it
}

func meteredRedis(stack awscdk.Stack) meteredProduct {
	return meteredProduct{"Redis", "REDIS_TABLE_NAME", stack, []string{"Logs"}, []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"}}
}

func meteredKafka(stack awscdk.Stack) meteredProduct {
	return meteredProduct{"Kafka", "KAFKA_TABLE_NAME", stack, []string{"Logs"}, []string{"dynamodb:Query", "dynamodb:UpdateItem"}}
}

func meteredQStash(stack awscdk.Stack) meteredProduct {
	logs := []string{"Logs", "DeliverLogs"}
	if stack.Node().TryFindChild(jsii.String("LongLogs")) != nil {
		logs = append(logs, "LongLogs")
	}
	return meteredProduct{"QStash", "QSTASH_TABLE_NAME", stack, logs, []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"}}
}

// meteredProducts are those that are deployed; nil: it is not.
func meteredProducts(redis, kafka, qstash, gateway awscdk.Stack) []meteredProduct {
	var all []meteredProduct
	if redis != nil {
		all = append(all, meteredRedis(redis))
	}
	if kafka != nil {
		all = append(all, meteredKafka(kafka))
	}
	if qstash != nil {
		all = append(all, meteredQStash(qstash))
	}
	if gateway != nil {
		all = append(all, meteredGateway(gateway))
	}
	return all
}

// meteredGateway is the gateway, which serves the tables of other products.
func meteredGateway(stack awscdk.Stack) meteredProduct {
	return meteredProduct{name: "Gateway", stack: stack, logs: []string{"Logs"}}
}

// addMeter adds the counting of usage to the control table's stack: subscriptions of the products'
// log groups, and the function that they invoke, or that reads a stream which they write to. The products' stacks do
// not depend on it, so they can be deployed without it.
func addMeter(stack awscdk.Stack, cfg Config, table awsdynamodb.Table, products ...meteredProduct) awslambda.Function {
	var stream awskinesis.Stream
	var subscribe awsiam.Role
	if cfg.MeterStream {
		stream = newUsageStream(stack)
		subscribe = newSubscriptionRole(stack, stream)
	}
	environment := map[string]*string{}
	for _, p := range products {
		if p.table != "" {
			environment[p.table] = p.tableIn().TableName()
		}
	}
	fn := newFunction(stack, cfg, table, function{
		prefix:      "Meter",
		description: "Counts usage, and blocks what has reached a limit",
		asset:       cfg.MeterAsset,
		memory:      256,
		timeout:     15 * 60, // the most there is, to measure storage; a batch of lines is bounded by the function itself
		actions: []string{
			"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
		},
		environment: environment,
	})
	for _, p := range products {
		if p.table != "" {
			fn.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions: jsii.Strings(p.actions...), Resources: &[]*string{p.tableIn().TableArn()},
			}))
		}
		for _, id := range p.logs {
			group := p.stack.Node().FindChild(jsii.String(id)).(awslogs.LogGroup)
			props := awslogs.CfnSubscriptionFilterProps{
				LogGroupName:  group.LogGroupName(),
				FilterPattern: jsii.String(meter.LinePattern),
			}
			var allowed constructs.IDependable
			if cfg.MeterStream {
				props.DestinationArn, props.RoleArn = stream.StreamArn(), subscribe.RoleArn()
				props.Distribution = jsii.String("ByLogStream") // an instance's lines stay together, and so cheap to count
				allowed = subscribe
			} else {
				props.DestinationArn = fn.FunctionArn()
				allowed = awslambda.NewCfnPermission(stack, jsii.String("Allow"+p.name+id), &awslambda.CfnPermissionProps{
					Action:       jsii.String("lambda:InvokeFunction"),
					FunctionName: fn.FunctionArn(),
					Principal:    jsii.String("logs.amazonaws.com"),
					SourceArn:    group.LogGroupArn(),
				})
			}
			filter := awslogs.NewCfnSubscriptionFilter(stack, jsii.String(p.name+id), &props)
			filter.Node().AddDependency(allowed)
		}
	}
	if cfg.MeterStream {
		mapUsage(stack, stream, fn)
		sweepOnSchedule(stack, measureMinutes, fn)
	} else {
		keepFailedUsage(stack, fn)
		startOnSchedule(stack, measureMinutes, fn)
	}
	return fn
}

func newUsageStream(stack awscdk.Stack) awskinesis.Stream {
	return awskinesis.NewStream(stack, jsii.String("Usage"), &awskinesis.StreamProps{
		StreamMode:      awskinesis.StreamMode_PROVISIONED,
		ShardCount:      jsii.Number(1), // 1 MB a second, packed: some 20,000 requests
		RetentionPeriod: awscdk.Duration_Hours(jsii.Number(streamHours)),
		Encryption:      awskinesis.StreamEncryption_MANAGED,
		RemovalPolicy:   awscdk.RemovalPolicy_DESTROY,
	})
}

func (p *meteredProduct) tableIn() awsdynamodb.Table {
	return p.stack.Node().FindChild(jsii.String("Table")).(awsdynamodb.Table)
}

// newSubscriptionRole is what CloudWatch Logs puts lines into the stream as.
func newSubscriptionRole(stack awscdk.Stack, stream awskinesis.Stream) awsiam.Role {
	return awsiam.NewRole(stack, jsii.String("UsageRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("logs.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringLike": map[string]any{"aws:SourceArn": stack.FormatArn(&awscdk.ArnComponents{
				Service: jsii.String("logs"), Resource: jsii.String("*"), ArnFormat: awscdk.ArnFormat_NO_RESOURCE_NAME,
			})}},
		}),
		InlinePolicies: &map[string]awsiam.PolicyDocument{"Put": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{
			Statements: &[]awsiam.PolicyStatement{awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions: jsii.Strings("kinesis:PutRecord", "kinesis:PutRecords"), Resources: &[]*string{stream.StreamArn()},
			})},
		})},
	})
}

// mapUsage invokes the function with what comes out of the stream. Batches that fail are tried until shortly before
// the stream drops them: counting again what has been counted changes nothing.
func mapUsage(stack awscdk.Stack, stream awskinesis.Stream, fn awslambda.Function) {
	fn.AddEventSource(awslambdaeventsources.NewKinesisEventSource(stream, &awslambdaeventsources.KinesisEventSourceProps{
		StartingPosition:   awslambda.StartingPosition_TRIM_HORIZON,
		BatchSize:          jsii.Number(1000),
		MaxBatchingWindow:  awscdk.Duration_Seconds(jsii.Number(meterSeconds)),
		BisectBatchOnError: jsii.Bool(true),
		MaxRecordAge:       awscdk.Duration_Hours(jsii.Number(streamHours - 1)),
		OnFailure:          awslambdaeventsources.NewSqsDlq(newFailedUsage(stack)),
	}))
}

// keepFailedUsage keeps what is left after Lambda has tried three times, or for six hours if the function is throttled.
func keepFailedUsage(stack awscdk.Stack, fn awslambda.Function) {
	fn.ConfigureAsyncInvoke(&awslambda.EventInvokeConfigOptions{
		MaxEventAge:   awscdk.Duration_Hours(jsii.Number(6)),
		RetryAttempts: jsii.Number(2),
		OnFailure:     awslambdadestinations.NewSqsDestination(newFailedUsage(stack)),
	})
}

// newFailedUsage is the queue of what could not be counted, with an alarm.
func newFailedUsage(stack awscdk.Stack) awssqs.Queue {
	failed := awssqs.NewQueue(stack, jsii.String("UsageFailed"), &awssqs.QueueProps{
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
		EnforceSSL:      jsii.Bool(true),
	})
	alarmOf{
		id: "UsageLost", text: queueTexts["UsageFailed"], times: 1, period: 1,
		metric: failed.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(5))}),
	}.add(stack)
	return failed
}
