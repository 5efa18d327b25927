package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/token"
)

// KafkaConfig is what can be chosen for Kafka besides Config; see the package's documentation.
type KafkaConfig struct {
	Stack            string
	Shards           int    // of the stream; 0: on demand
	Objects          string // data of large segments: objectsOn, objectsRead or objectsOff
	FanOut           bool   // the materialize function gets the stream's records by enhanced fan-out
	LagMetrics       bool   // of each group; CloudWatch charges for each
	LagAlarm         int    // messages that any group may be behind; 0: no alarm
	Asset            string // folders of the functions' executables
	MaterializeAsset string
	SweepAsset       string
}

// What becomes of the data of large segments.
const (
	objectsOn   = "true"  // it goes into a bucket of S3
	objectsRead = "read"  // what is in the bucket is read, and no more goes there
	objectsOff  = "false" // there is no bucket: for deployments that never had one
)

// maxShards is the most that one asks for by mistake.
const maxShards = 500

// readKafkaConfig reads CDK context as readConfig does.
func readKafkaConfig(context func(name string) any) (KafkaConfig, error) {
	cfg := KafkaConfig{Stack: defaultPrefix + "Kafka", Shards: 1, Objects: objectsOn}
	if v := context("prefix"); v != nil {
		p, err := readPrefix(fmt.Sprint(v))
		if err != nil {
			return KafkaConfig{}, err
		}
		cfg.Stack = p.stack("Kafka")
	}
	if v := context("kafkaStack"); v != nil {
		cfg.Stack = fmt.Sprint(v)
	}
	if v := context("kafkaObjects"); v != nil {
		cfg.Objects = fmt.Sprint(v)
		if cfg.Objects != objectsOn && cfg.Objects != objectsRead && cfg.Objects != objectsOff {
			return KafkaConfig{}, fmt.Errorf("context kafkaObjects: %q is not true, read or false", cfg.Objects)
		}
	}
	if v := context("kafkaShards"); v != nil {
		var err error
		if cfg.Shards, err = strconv.Atoi(fmt.Sprint(v)); err != nil || cfg.Shards < 0 || cfg.Shards > maxShards {
			return KafkaConfig{}, fmt.Errorf("context kafkaShards: %q is no number from 0 to %d", fmt.Sprint(v), maxShards)
		}
	}
	if v := context("kafkaFanOut"); v != nil {
		var err error
		if cfg.FanOut, err = strconv.ParseBool(fmt.Sprint(v)); err != nil {
			return KafkaConfig{}, fmt.Errorf("context kafkaFanOut: %q is neither true nor false", fmt.Sprint(v))
		}
	}
	if v := context("kafkaLagMetrics"); v != nil {
		var err error
		if cfg.LagMetrics, err = strconv.ParseBool(fmt.Sprint(v)); err != nil {
			return KafkaConfig{}, fmt.Errorf("context kafkaLagMetrics: %q is neither true nor false", fmt.Sprint(v))
		}
	}
	if v := context("kafkaLagAlarm"); v != nil {
		var err error
		if cfg.LagAlarm, err = strconv.Atoi(fmt.Sprint(v)); err != nil || cfg.LagAlarm < 1 {
			return KafkaConfig{}, fmt.Errorf("context kafkaLagAlarm: %q is no number of messages above 0", fmt.Sprint(v))
		}
		if !cfg.LagMetrics {
			return KafkaConfig{}, errors.New("context kafkaLagAlarm: it looks at a metric that is not there without kafkaLagMetrics=true")
		}
	}
	return cfg, nil
}

// streamHours is how long the stream keeps records: how long the table may be out of reach.
const streamHours = 24

// iteratorAgeAlarm is how far the materialize function may be behind the stream's end, in ms.
const iteratorAgeAlarm = 60_000

// NewKafkaStack adds Kafka over REST: a table, the one stream of all topics, the
// function that serves requests, the function that moves messages from the stream
// into the table, and the function that deletes and compacts, on a schedule.
func NewKafkaStack(scope constructs.Construct, cfg Config, kafka KafkaConfig) awscdk.Stack {
	stack := awscdk.NewStack(scope, &kafka.Stack, &awscdk.StackProps{
		Description: jsii.String("Skystash: Kafka over REST on Kinesis and DynamoDB"),
		Env:         cfg.environment(),
	})
	table := newTable(stack, cfg)
	stream := newStream(stack, cfg, kafka)
	objects := newObjects(stack, cfg, kafka)

	publicKey := &cfg.TokenPublicKey
	if cfg.TokenPublicKey == "" {
		publicKey = awsssm.StringParameter_ValueForStringParameter(stack, &cfg.TokenPublicKeyParameter, nil)
	}
	serve := newFunction(stack, cfg, table, function{
		description: "Kafka over REST",
		metered:     true,
		reserved:    cfg.Concurrency[token.ProductKafka],
		asset:       kafka.Asset,
		memory:      512, // a request mostly waits
		timeout:     29,  // just below the 30 seconds after which an HTTP API stops waiting
		actions: []string{
			"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem",
			"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
		},
		environment: map[string]*string{
			"STREAM_NAME": stream.StreamName(), "TOKEN_PUBLIC_KEY": publicKey, "TOKEN_AUDIENCE": &cfg.TokenAudience,
		},
	})
	mayUse(serve, stream, "kinesis:PutRecords", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords")
	objects.mayUse(serve, getObjects, putObjects, deleteObjects) // a reader that waits writes segments, too

	materialize := newFunction(stack, cfg, table, function{
		prefix:      "Materialize",
		description: "Moves Kafka messages from the stream into the table",
		asset:       kafka.MaterializeAsset,
		memory:      512,
		timeout:     60,
		actions:     []string{"dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"},
		environment: map[string]*string{"STREAM_NAME": stream.StreamName()},
	})
	mapStream(stack, kafka, stream, materialize)
	objects.mayUse(materialize, putObjects, deleteObjects)
	sweeps := map[string]*string{"STREAM_NAME": stream.StreamName()}
	if kafka.LagMetrics {
		sweeps["LAG_METRICS"] = jsii.String("on")
	}
	sweep := newFunction(stack, cfg, table, function{
		prefix:      "Sweep",
		description: "Deletes Kafka messages that have expired, and compacts topics",
		asset:       kafka.SweepAsset,
		memory:      512,
		timeout:     15 * 60,
		actions: []string{
			"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem",
			"dynamodb:Query", "dynamodb:UpdateItem",
		},
		environment: sweeps,
	})
	sweepOnSchedule(stack, cfg.SweepMinutes, sweep)
	alarmOnLag(stack, cfg, kafka)
	objects.mayUse(sweep, getObjects, putObjects, deleteObjects)

	openFronts(stack, cfg, serve, fronts{
		name: "Kafka", description: "Kafka over REST", variable: "UPSTASH_KAFKA_REST_URL", direct: "no price per request, any bytes in paths",
	})
	output(stack, "TableName", table.TableName(), "The table, for scripts/admin")
	output(stack, "StreamName", stream.StreamName(), "The stream of all topics")
	return stack
}

// alarmOnLag adds the alarm that a group is behind: it looks at what the sweep function wrote last.
func alarmOnLag(stack awscdk.Stack, cfg Config, kafka KafkaConfig) {
	if kafka.LagAlarm == 0 {
		return
	}
	awscloudwatch.NewAlarm(stack, jsii.String("Lag"), &awscloudwatch.AlarmProps{
		AlarmDescription: jsii.String("A consumer group is behind: the metrics of Skystash/Kafka by cluster and group say which"),
		Metric: awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: jsii.String("Skystash/Kafka"), MetricName: jsii.String("lag"), Statistic: jsii.String("Maximum"),
			Period: awscdk.Duration_Minutes(jsii.Number(cfg.SweepMinutes)),
		}),
		Threshold:          jsii.Number(kafka.LagAlarm),
		EvaluationPeriods:  jsii.Number(2),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		// No line means that no group reads anything, or that the sweep does not run: the alarm keeps its state.
		TreatMissingData: awscloudwatch.TreatMissingData_IGNORE,
	})
}

func newStream(stack awscdk.Stack, cfg Config, kafka KafkaConfig) awskinesis.Stream {
	removal := awscdk.RemovalPolicy_DESTROY
	if cfg.KeepData {
		removal = awscdk.RemovalPolicy_RETAIN
	}
	props := &awskinesis.StreamProps{
		// What the materialize function has not managed after this time is lost; the alarms come long before.
		RetentionPeriod: awscdk.Duration_Hours(jsii.Number(streamHours)),
		Encryption:      awskinesis.StreamEncryption_MANAGED,
		RemovalPolicy:   removal,
	}
	if kafka.Shards == 0 {
		props.StreamMode = awskinesis.StreamMode_ON_DEMAND
	} else {
		props.StreamMode = awskinesis.StreamMode_PROVISIONED
		props.ShardCount = jsii.Number(kafka.Shards)
	}
	return awskinesis.NewStream(stack, jsii.String("Stream"), props)
}

// mayUse lets a function do something with the stream.
func mayUse(fn awslambda.Function, stream awskinesis.Stream, actions ...string) {
	fn.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{stream.StreamArn()},
	}))
}

// mapStream invokes the function with what comes out of the stream. A shard waits
// for records that fail: to leave them out would lose what was acknowledged. (The
// function itself leaves out what is no record of ours, so none fails for good.) They
// are tried, in ever smaller batches, until shortly before the stream drops them; what
// is given up then is named in the queue. The alarm on the iterator's age comes hours before.
//
// With FanOut the records come through a consumer of the stream, which has 2 MB a second of each shard for itself: what
// readers of the shards' ends do cannot hold them up. When it is switched on or off, another mapping takes the place
// of the old one, and begins with the oldest record again. What is in the table already is recognized.
func mapStream(stack awscdk.Stack, kafka KafkaConfig, stream awskinesis.Stream, materialize awslambda.Function) {
	failed := awssqs.NewQueue(stack, jsii.String("Failed"), &awssqs.QueueProps{
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
		EnforceSSL:      jsii.Bool(true),
	})
	props := &awslambdaeventsources.KinesisEventSourceProps{
		StartingPosition:        awslambda.StartingPosition_TRIM_HORIZON,
		BatchSize:               jsii.Number(1000),
		ParallelizationFactor:   jsii.Number(1),
		BisectBatchOnError:      jsii.Bool(true),
		ReportBatchItemFailures: jsii.Bool(true),
		MaxRecordAge:            awscdk.Duration_Hours(jsii.Number(streamHours - 1)), // any number of attempts until then
		OnFailure:               awslambdaeventsources.NewSqsDlq(failed),
	}
	if kafka.FanOut {
		consumer := awskinesis.NewStreamConsumer(stack, jsii.String("Consumer"), &awskinesis.StreamConsumerProps{
			Stream: stream, StreamConsumerName: jsii.String("materialize"),
		})
		materialize.AddEventSource(awslambdaeventsources.NewKinesisConsumerEventSource(consumer, props))
	} else {
		materialize.AddEventSource(awslambdaeventsources.NewKinesisEventSource(stream, props))
	}
	alarmBehind(stack, stream, materialize)
	alarmOf{
		id: "GivenUp", text: queueTexts["Failed"], times: 1, period: 1,
		metric: failed.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(1))}),
	}.add(stack)
}

// alarmBehind says when the materialize function is behind the stream. The function's own metric has values only while
// it is invoked: that records come in and it is not invoked at all is the worst case, and counts as an hour.
func alarmBehind(stack awscdk.Stack, stream awskinesis.Stream, materialize awslambda.Function) {
	options := func(statistic string) *awscloudwatch.MetricOptions {
		return &awscloudwatch.MetricOptions{Statistic: &statistic, Period: awscdk.Duration_Minutes(jsii.Number(1))}
	}
	alarmOf{
		id: "Behind", above: iteratorAgeAlarm, times: 5, period: 5,
		text: "The materialize function is behind the stream, or is not invoked at all: messages become readable late. See the log group MaterializeLogs and the function's trigger. " +
			"Mend it within 24 hours, after which the stream forgets; its retention can be raised meanwhile, up to a year",
		metric: awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression: jsii.String("MAX([FILL(age, 0), 3600000 * (FILL(records, 0) > 0) * (FILL(runs, 0) == 0)])"),
			Label:      jsii.String("ms behind"),
			Period:     awscdk.Duration_Minutes(jsii.Number(1)),
			UsingMetrics: &map[string]awscloudwatch.IMetric{
				"age":     materialize.Metric(jsii.String("IteratorAge"), options("Maximum")),
				"runs":    materialize.MetricInvocations(options("Sum")),
				"records": stream.Metric(jsii.String("IncomingRecords"), options("Sum")),
			},
		}),
	}.add(stack)
}
