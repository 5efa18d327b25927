package main

import (
	"slices"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/meter"
)

// meterTemplate is a stack with a table and the meter, beside those of all products.
func meterTemplate(t *testing.T, change ...func(*Config)) (tpl, redis assertions.Template) {
	t.Helper()
	s := settingsOf(t, nil)
	cfg := s.cfg
	for _, c := range change {
		c(&cfg)
	}
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	r, k, q := NewRedisStack(app, cfg), NewKafkaStack(app, cfg, s.kafka), NewQStashStack(app, cfg)
	stack := awscdk.NewStack(app, jsii.String("Control"), nil)
	addMeter(stack, cfg, newTable(stack, cfg), meteredRedis(r), meteredKafka(k), meteredQStash(q))
	return assertions.Template_FromStack(stack, nil), assertions.Template_FromStack(r, nil)
}

func withStream(c *Config) { c.MeterStream = true }

func TestLinesOfAllFunctionsThatServeAreCounted(t *testing.T) {
	tpl, redis := meterTemplate(t, withStream)
	filters := resources(t, tpl, "AWS::Logs::SubscriptionFilter")
	if len(filters) != 4 { // redis, kafka, qstash, deliver
		t.Fatalf("%d subscriptions", len(filters))
	}
	groups := map[any]bool{}
	for _, f := range filters {
		p := f["Properties"].(map[string]any)
		groups[p["LogGroupName"].(map[string]any)["Fn::ImportValue"]] = true
		if p["FilterPattern"] != meter.LinePattern || p["Distribution"] != "ByLogStream" || p["RoleArn"] == nil || p["DestinationArn"] == nil {
			t.Errorf("subscription %v", p)
		}
	}
	if len(groups) != 4 {
		t.Errorf("log groups %v", groups)
	}
	redis.ResourceCountIs(jsii.String("AWS::Logs::SubscriptionFilter"), jsii.Number(0))
	redis.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Description": "Redis over REST", "Environment": map[string]any{"Variables": assertions.Match_ObjectLike(&map[string]any{"METER": "lines"})},
	})
	redis.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Description": "Deletes what Redis keys leave behind", "Environment": map[string]any{"Variables": map[string]any{"METER": assertions.Match_Absent()}},
	})
}

func TestMeteringCanBeLeftOut(t *testing.T) {
	redis := template(t, func(c *Config) { c.Meter = false })
	redis.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Description": "Redis over REST", "Environment": map[string]any{"Variables": map[string]any{"METER": assertions.Match_Absent()}},
	})
}

func TestUsageIsCountedWithoutAStream(t *testing.T) {
	tpl, redis := meterTemplate(t)
	tpl.ResourceCountIs(jsii.String("AWS::Kinesis::Stream"), jsii.Number(0))
	tpl.ResourceCountIs(jsii.String("AWS::Lambda::EventSourceMapping"), jsii.Number(0))
	redis.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Description": "Redis over REST", "Environment": map[string]any{"Variables": assertions.Match_ObjectLike(&map[string]any{"METER": "lines"})},
	})
	function := map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^MeterFunction")), "Arn"}}
	tpl.AllResourcesProperties(jsii.String("AWS::Logs::SubscriptionFilter"), map[string]any{
		"DestinationArn": function, "RoleArn": assertions.Match_Absent(), "Distribution": assertions.Match_Absent(), "FilterPattern": meter.LinePattern,
	})
	tpl.ResourceCountIs(jsii.String("AWS::Logs::SubscriptionFilter"), jsii.Number(4))
	tpl.ResourcePropertiesCountIs(jsii.String("AWS::Lambda::Permission"), map[string]any{
		"FunctionName": function, "Principal": "logs.amazonaws.com", "SourceArn": map[string]any{"Fn::ImportValue": assertions.Match_AnyValue()},
	}, jsii.Number(4))
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::EventInvokeConfig"), map[string]any{
		"MaximumEventAgeInSeconds": 6 * 60 * 60, "MaximumRetryAttempts": 2,
		"DestinationConfig": map[string]any{"OnFailure": map[string]any{"Destination": map[string]any{
			"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^UsageFailed")), "Arn"}}}},
	})
}

func TestMeterMapping(t *testing.T) {
	tpl, _ := meterTemplate(t, withStream)
	like := func(prefix string) any { return assertions.Match_StringLikeRegexp(jsii.String("^" + prefix)) }
	tpl.HasResourceProperties(jsii.String("AWS::Kinesis::Stream"), map[string]any{
		"ShardCount": 1, "RetentionPeriodHours": 24, "StreamModeDetails": map[string]any{"StreamMode": "PROVISIONED"},
		"StreamEncryption": map[string]any{"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
	})
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"EventSourceArn":                 map[string]any{"Fn::GetAtt": []any{like("Usage"), "Arn"}},
		"FunctionName":                   map[string]any{"Ref": like("MeterFunction")},
		"StartingPosition":               "TRIM_HORIZON",
		"BatchSize":                      1000,
		"MaximumBatchingWindowInSeconds": 60,
		"BisectBatchOnFunctionError":     true,
		"MaximumRetryAttempts":           assertions.Match_Absent(), // unlimited
		"MaximumRecordAgeInSeconds":      23 * 60 * 60,
		"DestinationConfig":              map[string]any{"OnFailure": map[string]any{"Destination": map[string]any{"Fn::GetAtt": []any{like("UsageFailed"), "Arn"}}}},
	})
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Runtime": "provided.al2023", "Architectures": []any{"arm64"}, "Timeout": 900,
		"Environment": map[string]any{"Variables": map[string]any{
			"TABLE_NAME":       map[string]any{"Ref": like("Table")},
			"REDIS_TABLE_NAME": map[string]any{"Fn::ImportValue": like("SkystashRedis")}, "KAFKA_TABLE_NAME": map[string]any{"Fn::ImportValue": like("SkystashKafka")},
			"QSTASH_TABLE_NAME": map[string]any{"Fn::ImportValue": like("SkystashQStash")},
			"LOG_LEVEL":         "info", "METER": assertions.Match_Absent(),
		}},
	})
}

func TestMeterMayDoNoMoreThanItNeeds(t *testing.T) {
	tpl, _ := meterTemplate(t, withStream)
	for _, role := range resources(t, tpl, "AWS::IAM::Role") {
		p := role["Properties"].(map[string]any)
		if managed, ok := p["ManagedPolicyArns"]; ok {
			t.Errorf("a role has managed policies: %v", managed)
		}
		inline, ok := p["Policies"].([]any)
		if !ok {
			continue
		}
		for _, policy := range inline {
			for _, s := range policy.(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
				statement := s.(map[string]any)
				if got := list(statement["Action"]); !slices.Equal(got, []any{"kinesis:PutRecord", "kinesis:PutRecords"}) {
					t.Errorf("CloudWatch Logs may %v", got)
				}
				if _, ok := statement["Resource"].(map[string]any)["Fn::GetAtt"]; !ok {
					t.Errorf("CloudWatch Logs may do so with %v", statement["Resource"])
				}
			}
		}
	}
	var got []string
	for _, policy := range resources(t, tpl, "AWS::IAM::Policy") {
		for _, s := range policy["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statement := s.(map[string]any)
			for _, action := range list(statement["Action"]) {
				got = append(got, action.(string))
			}
			for _, resource := range list(statement["Resource"]) {
				if resource == "*" && statement["Action"] != "kinesis:ListStreams" {
					t.Errorf("%v of everything", statement["Action"])
				}
			}
		}
	}
	slices.Sort(got)
	want := []string{
		"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
		"dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem", "dynamodb:Query", "dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem",
		"kinesis:DescribeStream", "kinesis:DescribeStreamConsumer", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:ListStreams", "kinesis:SubscribeToShard",
		"logs:CreateLogStream", "logs:PutLogEvents", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage",
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the function may\n%q, want\n%q", got, want)
	}
}
