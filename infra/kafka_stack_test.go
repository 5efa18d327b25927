package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

// kafkaTemplate synthesises Kafka's stack around stand-ins for the executables.
func kafkaTemplate(t *testing.T, context map[string]any) assertions.Template {
	t.Helper()
	s := settingsOf(t, context)
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	return assertions.Template_FromStack(NewKafkaStack(app, s.cfg, s.kafka), nil)
}

func TestKafkaStream(t *testing.T) {
	for shards, want := range map[string]map[string]any{
		"":  {"ShardCount": 1, "StreamModeDetails": map[string]any{"StreamMode": "PROVISIONED"}},
		"4": {"ShardCount": 4, "StreamModeDetails": map[string]any{"StreamMode": "PROVISIONED"}},
		"0": {"ShardCount": assertions.Match_Absent(), "StreamModeDetails": map[string]any{"StreamMode": "ON_DEMAND"}},
	} {
		context := map[string]any{}
		if shards != "" {
			context["kafkaShards"] = shards
		}
		want["StreamEncryption"] = map[string]any{"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
		kafkaTemplate(t, context).HasResource(jsii.String("AWS::Kinesis::Stream"), map[string]any{"DeletionPolicy": "Retain", "Properties": want})
	}
}

func TestKafkaMapping(t *testing.T) {
	tpl := kafkaTemplate(t, nil)
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"EventSourceArn":             map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^Stream")), "Arn"}},
		"FunctionName":               map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^MaterializeFunction"))},
		"StartingPosition":           "TRIM_HORIZON",
		"BisectBatchOnFunctionError": true,
		"FunctionResponseTypes":      []any{"ReportBatchItemFailures"},
		"MaximumRetryAttempts":       assertions.Match_Absent(), // unlimited
		"MaximumRecordAgeInSeconds":  23 * 60 * 60,
		"ParallelizationFactor":      1,
		"DestinationConfig": map[string]any{"OnFailure": map[string]any{
			"Destination": map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^Failed")), "Arn"}}}},
	})
	metric := func(namespace, name, statistic string) any {
		return assertions.Match_ObjectLike(&map[string]any{"MetricStat": assertions.Match_ObjectLike(&map[string]any{
			"Metric": assertions.Match_ObjectLike(&map[string]any{"Namespace": namespace, "MetricName": name}), "Stat": statistic,
		}), "ReturnData": false})
	}
	// Where the function is not invoked it has no metric: records that come in tell.
	for _, one := range []any{
		assertions.Match_ObjectLike(&map[string]any{"Expression": "MAX([FILL(age, 0), 3600000 * (FILL(records, 0) > 0) * (FILL(runs, 0) == 0)])"}),
		metric("AWS/Lambda", "IteratorAge", "Maximum"), metric("AWS/Lambda", "Invocations", "Sum"), metric("AWS/Kinesis", "IncomingRecords", "Sum"),
	} {
		tpl.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
			"Threshold": 60000, "EvaluationPeriods": 5, "DatapointsToAlarm": 5, "Metrics": assertions.Match_ArrayWith(&[]any{one}),
		})
	}
	tpl.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{"MetricName": "ApproximateNumberOfMessagesVisible", "Threshold": 0})
}

func TestKafkaFanOut(t *testing.T) {
	kafkaTemplate(t, nil).ResourceCountIs(jsii.String("AWS::Kinesis::StreamConsumer"), jsii.Number(0))
	tpl := kafkaTemplate(t, map[string]any{"kafkaFanOut": "true"})
	stream := map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^Stream")), "Arn"}}
	tpl.HasResourceProperties(jsii.String("AWS::Kinesis::StreamConsumer"), map[string]any{"ConsumerName": "materialize", "StreamARN": stream})
	tpl.ResourceCountIs(jsii.String("AWS::Lambda::EventSourceMapping"), jsii.Number(1))
	consumer := map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^Consumer")), "ConsumerARN"}}
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"EventSourceArn":             consumer,
		"FunctionName":               map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^MaterializeFunction"))},
		"StartingPosition":           "TRIM_HORIZON",
		"BisectBatchOnFunctionError": true,
		"FunctionResponseTypes":      []any{"ReportBatchItemFailures"},
		"MaximumRecordAgeInSeconds":  23 * 60 * 60,
	})
	tpl.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{
		assertions.Match_ObjectLike(&map[string]any{"Action": []any{"kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"}, "Resource": consumer}),
	})}})
}

func TestKafkaFunctions(t *testing.T) {
	tpl := kafkaTemplate(t, map[string]any{"tokenPublicKey": somePublicKey, "tokenAudience": "prod"})
	tpl.ResourceCountIs(jsii.String("AWS::Lambda::Function"), jsii.Number(3))
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Timeout": 29,
		"Environment": map[string]any{"Variables": map[string]any{
			"TABLE_NAME":       map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^Table"))},
			"STREAM_NAME":      map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^Stream"))},
			"TOKEN_PUBLIC_KEY": somePublicKey,
			"TOKEN_AUDIENCE":   "prod",
			"LOG_LEVEL":        "info",
		}},
	})
	tpl.HasResourceProperties(jsii.String("AWS::Events::Rule"), map[string]any{"ScheduleExpression": "rate(5 minutes)"})
	tpl.HasResourceProperties(jsii.String("AWS::ApiGatewayV2::Route"), map[string]any{"RouteKey": "$default"})
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::Url"), map[string]any{"AuthType": "NONE"})
	for _, name := range []string{"Url", "FunctionUrl", "TableName", "StreamName"} {
		tpl.HasOutput(&name, map[string]any{"Value": assertions.Match_AnyValue()})
	}
}

func TestKafkaFunctionsMayDoNoMoreThanTheyNeed(t *testing.T) {
	tpl := kafkaTemplate(t, nil)
	logs := []string{"logs:CreateLogStream", "logs:PutLogEvents"}
	want := map[string][]string{
		"Role": slices.Concat(logs, []string{
			"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:ConditionCheckItem",
			"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
			"kinesis:PutRecords", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords",
			"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket",
		}),
		"MaterializeRole": slices.Concat(logs, []string{
			"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem",
			"kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:ListStreams",
			"kinesis:SubscribeToShard", "kinesis:DescribeStream", "kinesis:DescribeStreamConsumer",
			"sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "s3:PutObject", "s3:DeleteObject",
		}),
		"SweepRole": slices.Concat(logs, []string{
			"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem",
			"dynamodb:BatchWriteItem", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket",
		}),
	}
	for _, policy := range resources(t, tpl, "AWS::IAM::Policy") {
		properties := policy["Properties"].(map[string]any)
		name, _, _ := strings.Cut(properties["PolicyName"].(string), "DefaultPolicy")
		var got []string
		for _, s := range properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statement := s.(map[string]any)
			for _, action := range list(statement["Action"]) {
				got = append(got, action.(string))
			}
			for _, resource := range list(statement["Resource"]) {
				if join, ok := resource.(map[string]any)["Fn::Join"].([]any); ok { // all objects of a bucket
					parts := join[1].([]any)
					if parts[len(parts)-1] != "/*" || len(parts) != 2 {
						t.Errorf("%s: resource %v", name, resource)
					}
					resource = parts[0]
				}
				if attr, ok := resource.(map[string]any)["Fn::GetAtt"].([]any); !ok || attr[1] != "Arn" {
					t.Errorf("%s: resource %v is not one resource of this stack", name, resource)
				}
			}
		}
		slices.Sort(got)
		got = slices.Compact(got)
		slices.Sort(want[name])
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s: actions %v, want %v", name, got, want[name])
		}
	}
}

func TestReadKafkaConfig(t *testing.T) {
	got, err := readKafkaConfig(func(name string) any {
		return map[string]any{"kafkaStack": "Mine", "kafkaShards": 3.0, "kafkaObjects": "read"}[name]
	})
	if err != nil || got != (KafkaConfig{Stack: "Mine", Shards: 3, Objects: "read"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []any{"many", -1, 501} {
		if _, err := readKafkaConfig(func(name string) any { return map[string]any{"kafkaShards": bad}[name] }); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

func TestKafkaLag(t *testing.T) {
	on := map[string]any{"Environment": map[string]any{"Variables": assertions.Match_ObjectLike(&map[string]any{"LAG_METRICS": "on"})}}
	lag := map[string]any{"Namespace": "Skystash/Kafka", "MetricName": "lag", "Threshold": 5000, "Period": 300, "TreatMissingData": "ignore"}
	for _, c := range []struct {
		context         map[string]any
		metrics, alarms float64
	}{
		{nil, 0, 0},
		{map[string]any{"kafkaLagMetrics": "true"}, 1, 0},
		{map[string]any{"kafkaLagMetrics": true, "kafkaLagAlarm": 5000.0}, 1, 1},
	} {
		tpl := kafkaTemplate(t, c.context)
		tpl.ResourcePropertiesCountIs(jsii.String("AWS::Lambda::Function"), on, &c.metrics)
		tpl.ResourcePropertiesCountIs(jsii.String("AWS::CloudWatch::Alarm"), lag, &c.alarms)
	}
	for _, bad := range []map[string]any{{"kafkaFanOut": "maybe"}, {"kafkaLagMetrics": "maybe"}, {"kafkaLagAlarm": 5}, {"kafkaLagMetrics": true, "kafkaLagAlarm": 0}} {
		if _, err := readKafkaConfig(func(name string) any { return bad[name] }); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

func TestKafkaObjects(t *testing.T) {
	tpl := kafkaTemplate(t, nil)
	tpl.HasResource(jsii.String("AWS::S3::Bucket"), map[string]any{"DeletionPolicy": "Retain", "Properties": map[string]any{
		"PublicAccessBlockConfiguration": map[string]any{
			"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
		},
		"BucketEncryption": map[string]any{"ServerSideEncryptionConfiguration": assertions.Match_AnyValue()},
	}})
	variables := func(want map[string]any) map[string]any {
		return map[string]any{"Environment": map[string]any{"Variables": assertions.Match_ObjectLike(&want)}}
	}
	bucket := map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^Objects"))}
	for value, want := range map[string]map[string]any{
		"":      {"BUCKET_NAME": bucket, "BUCKET_WRITES": assertions.Match_Absent()},
		"read":  {"BUCKET_NAME": bucket, "BUCKET_WRITES": "off"},
		"false": {"BUCKET_NAME": assertions.Match_Absent()},
	} {
		context := map[string]any{}
		if value != "" {
			context["kafkaObjects"] = value
		}
		tpl := kafkaTemplate(t, context)
		want["STREAM_NAME"] = assertions.Match_AnyValue()
		tpl.ResourcePropertiesCountIs(jsii.String("AWS::Lambda::Function"), variables(want), jsii.Number(3))
		buckets := 1.0
		if value == "false" {
			buckets = 0
		}
		tpl.ResourceCountIs(jsii.String("AWS::S3::Bucket"), &buckets)
	}
	if _, err := readKafkaConfig(func(name string) any { return map[string]any{"kafkaObjects": "maybe"}[name] }); err == nil {
		t.Error("a third way is accepted")
	}
}
