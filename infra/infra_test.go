package main

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/functions/backend/contract"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

const somePublicKey = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

// template synthesises Redis's stack.
func template(t *testing.T, change func(*Config)) assertions.Template {
	t.Helper()
	cfg := settingsOf(t, nil).cfg
	if change != nil {
		change(&cfg)
	}
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	return assertions.Template_FromStack(NewRedisStack(app, cfg), nil)
}

// resources are the properties and attributes of all resources of a type.
func resources(t *testing.T, tpl assertions.Template, kind string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for _, r := range *tpl.FindResources(&kind, nil) {
		found = append(found, *r)
	}
	return found
}

func TestTableFitsTheStore(t *testing.T) {
	tpl := template(t, nil)
	tpl.HasResource(jsii.String("AWS::DynamoDB::Table"), map[string]any{
		"DeletionPolicy":      "Retain",
		"UpdateReplacePolicy": "Retain",
		"Properties": map[string]any{
			"KeySchema": []any{
				map[string]any{"AttributeName": "p", "KeyType": "HASH"},
				map[string]any{"AttributeName": "s", "KeyType": "RANGE"},
			},
			"AttributeDefinitions": []any{
				map[string]any{"AttributeName": "p", "AttributeType": "B"},
				map[string]any{"AttributeName": "s", "AttributeType": "B"},
			},
			"BillingMode":                      "PAY_PER_REQUEST",
			"TimeToLiveSpecification":          map[string]any{"AttributeName": "x", "Enabled": true},
			"StreamSpecification":              map[string]any{"StreamViewType": "NEW_AND_OLD_IMAGES"},
			"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
			"DeletionProtectionEnabled":        true,
			"GlobalSecondaryIndexes":           assertions.Match_Absent(),
			"LocalSecondaryIndexes":            assertions.Match_Absent(),
		},
	})
}

func TestTableThatNeedNotBeKept(t *testing.T) {
	tpl := template(t, func(c *Config) { c.KeepData = false })
	tpl.HasResource(jsii.String("AWS::DynamoDB::Table"), map[string]any{
		"DeletionPolicy": "Delete",
		"Properties": map[string]any{
			"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": false},
			"DeletionProtectionEnabled":        false,
		},
	})
}

func TestFunction(t *testing.T) {
	tpl := template(t, func(c *Config) { c.TokenPublicKey, c.TokenAudience, c.LogLevel = somePublicKey, "prod", "debug" })
	tpl.ResourceCountIs(jsii.String("AWS::Lambda::Function"), jsii.Number(2))
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Runtime":       "provided.al2023",
		"Architectures": []any{"arm64"},
		"Handler":       "bootstrap",
		"Timeout":       900,
		"LoggingConfig": map[string]any{
			"LogGroup": assertions.Match_AnyValue(), "LogFormat": "JSON", "SystemLogLevel": "WARN", "ApplicationLogLevel": "DEBUG",
		},
		"Environment": map[string]any{"Variables": map[string]any{
			"TABLE_NAME":       map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^Table"))},
			"TOKEN_PUBLIC_KEY": somePublicKey,
			"TOKEN_AUDIENCE":   "prod",
			"LOG_LEVEL":        "debug",
		}},
	})
}

func TestPublicKeyComesFromTheParameterUnlessGiven(t *testing.T) {
	tpl := template(t, func(c *Config) { c.TokenPublicKeyParameter = "/team/key" })
	tpl.HasParameter(jsii.String("*"), map[string]any{
		"Type":    "AWS::SSM::Parameter::Value<String>",
		"Default": "/team/key",
	})
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": assertions.Match_ObjectLike(&map[string]any{
			"TOKEN_PUBLIC_KEY": map[string]any{"Ref": assertions.Match_AnyValue()},
		})},
	})
}

func TestSweepFunctionRunsOnSchedule(t *testing.T) {
	tpl := template(t, func(c *Config) { c.SweepMinutes, c.LogLevel = 10, "warn" })
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Runtime":       "provided.al2023",
		"Architectures": []any{"arm64"},
		"Timeout":       900,
		"LoggingConfig": map[string]any{"LogGroup": assertions.Match_AnyValue()},
		"Environment": map[string]any{"Variables": map[string]any{
			"TABLE_NAME": map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^Table"))},
			"LOG_LEVEL":  "warn",
		}},
	})
	tpl.HasResourceProperties(jsii.String("AWS::Events::Rule"), map[string]any{
		"ScheduleExpression": "rate(10 minutes)",
		"State":              "ENABLED",
		"Targets": []any{map[string]any{
			"Arn":         map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^SweepFunction")), "Arn"}},
			"Id":          assertions.Match_AnyValue(),
			"RetryPolicy": map[string]any{"MaximumRetryAttempts": 0},
		}},
	})
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::EventInvokeConfig"), map[string]any{"MaximumRetryAttempts": 0})
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::Permission"), map[string]any{
		"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
		"FunctionName": map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^SweepFunction")), "Arn"}},
	})
}

func TestStreamWakesTheSweepFunction(t *testing.T) {
	tpl := template(t, nil)
	ref := func(prefix, attr string) map[string]any {
		return map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^" + prefix)), attr}}
	}
	var filters []any
	for _, pattern := range contract.SweepFilters {
		filters = append(filters, map[string]any{"Pattern": pattern})
	}
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"FunctionName":                   map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^SweepFunction"))},
		"EventSourceArn":                 ref("Table", "StreamArn"),
		"StartingPosition":               "TRIM_HORIZON",
		"BatchSize":                      100,
		"MaximumBatchingWindowInSeconds": 300,
		"FunctionResponseTypes":          []any{"ReportBatchItemFailures"},
		"BisectBatchOnFunctionError":     true,
		"MaximumRetryAttempts":           10,
		"MaximumRecordAgeInSeconds":      6 * 3600,
		"DestinationConfig":              map[string]any{"OnFailure": map[string]any{"Destination": ref("SweepFailed", "Arn")}},
		"FilterCriteria":                 map[string]any{"Filters": filters},
	})
	tpl.ResourceCountIs(jsii.String("AWS::Lambda::EventSourceMapping"), jsii.Number(1))
}

func TestFunctionsMayDoNoMoreThanTheyNeed(t *testing.T) {
	tpl := template(t, nil)
	for _, role := range resources(t, tpl, "AWS::IAM::Role") {
		if managed, ok := role["Properties"].(map[string]any)["ManagedPolicyArns"]; ok {
			t.Errorf("a role with managed policies %v", managed)
		}
	}
	want := map[string][]string{
		"Role": {
			"logs:CreateLogStream", "logs:PutLogEvents",
			"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:ConditionCheckItem",
			"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
		},
		"SweepRole": {
			"logs:CreateLogStream", "logs:PutLogEvents",
			"dynamodb:GetItem", "dynamodb:Query",
			"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
			"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
			"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage",
		},
	}
	policies := resources(t, tpl, "AWS::IAM::Policy")
	if len(policies) != len(want) {
		t.Fatalf("%d policies, want %d", len(policies), len(want))
	}
	for _, policy := range policies {
		properties := policy["Properties"].(map[string]any)
		name, _, _ := strings.Cut(properties["PolicyName"].(string), "DefaultPolicy")
		var got []string
		for _, s := range properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statement := s.(map[string]any)
			for _, action := range list(statement["Action"]) {
				got = append(got, action.(string))
			}
			if statement["Action"] == "dynamodb:ListStreams" && statement["Resource"] == "*" {
				continue // which is all that it can be had for
			}
			for _, resource := range list(statement["Resource"]) {
				attr, ok := resource.(map[string]any)["Fn::GetAtt"].([]any)
				if !ok || attr[1] != "Arn" && attr[1] != "StreamArn" {
					t.Errorf("%s: resource %v is not one resource of this stack", name, resource)
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want[name])
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s: actions %v, want %v", name, got, want[name])
		}
	}
}

// list is a policy element that may be written as one value or as several.
func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

func TestFrontsAreOpenAndInvokeTheFunction(t *testing.T) {
	tpl := template(t, nil)
	tpl.HasResourceProperties(jsii.String("AWS::ApiGatewayV2::Route"), map[string]any{"RouteKey": "$default", "AuthorizationType": "NONE"})
	tpl.HasResourceProperties(jsii.String("AWS::ApiGatewayV2::Integration"), map[string]any{
		"IntegrationType":      "AWS_PROXY",
		"PayloadFormatVersion": "2.0",
	})
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::Url"), map[string]any{"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"})
	for _, want := range []map[string]any{
		{"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"},
		{"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"},
		{"Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": true},
	} {
		tpl.HasResourceProperties(jsii.String("AWS::Lambda::Permission"), want)
	}
	tpl.ResourceCountIs(jsii.String("AWS::Lambda::Permission"), jsii.Number(3+1)) // one is the schedule's
}

func TestLogsAreKeptAsLongAsAsked(t *testing.T) {
	tpl := template(t, func(c *Config) { c.LogRetentionDays = 7 })
	tpl.ResourcePropertiesCountIs(jsii.String("AWS::Logs::LogGroup"), map[string]any{"RetentionInDays": 7}, jsii.Number(2))
}

func TestOutputs(t *testing.T) {
	tpl := template(t, nil)
	for _, name := range []string{"Url", "FunctionUrl", "TableName"} {
		tpl.HasOutput(&name, map[string]any{"Value": assertions.Match_AnyValue()})
	}
}

func TestReadConfig(t *testing.T) {
	read := func(values map[string]any) (Config, error) {
		return readConfig(func(name string) any { return values[name] })
	}
	got, err := read(map[string]any{
		"products": "redis,kafka", "stack": "Mine", "qstashStack": "Q", "qstashRegion": "US-EAST-1", "qstashAllowed": "10.0.0.0/8", "qstashConcurrency": 20.0, "qstashReserved": "30", "qstashBreaker": "-1", "tokenPublicKey": somePublicKey, "tokenAudience": "prod", "keepData": false, "meter": "false",
		"logRetentionDays": 7.0, "logLevel": "warn", "tokenPublicKeyParameter": "/k", "sweepMinutes": 60.0,
	})
	want := Config{Products: []string{"redis", "kafka"}, Stack: "Mine", QStashStack: "Q", QStashRegion: "US-EAST-1", QStashAllowed: "10.0.0.0/8", QStashConcurrency: 20, QStashReserved: 30, QStashBreaker: -1, TokenPublicKey: somePublicKey, TokenPublicKeyParameter: "/k", TokenAudience: "prod", LogRetentionDays: 7, LogLevel: "warn", SweepMinutes: 60,
		prefix: "Skystash", Operate: Operate{Alarms: "few", Dashboards: true}, Options: Options{Fronts: []string{"url", "api"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for name, value := range map[string]any{
		"products": "redis,memcached", "tokenPublicKey": "nonsense", "keepData": "maybe", "meter": "maybe", "logRetentionDays": "8", "logLevel": "loud", "sweepMinutes": "0",
	} {
		if _, err := read(map[string]any{name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%v: %v, want an error that names it", name, value, err)
		}
	}
	for value, want := range map[any][2]bool{nil: {true, false}, "true": {true, false}, "direct": {true, false}, "stream": {true, true}, "false": {false, false}, false: {false, false}} {
		if got, err := read(map[string]any{"meter": value}); err != nil || got.Meter != want[0] || got.MeterStream != want[1] {
			t.Errorf("meter=%v: %v, %v, %v", value, got.Meter, got.MeterStream, err)
		}
	}
}
