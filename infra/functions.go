package main

import (
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/token"
)

// function is what functions differ in.
type function struct {
	prefix      string // of the names of its resources
	description string
	asset       string             // folder of the executable
	memory      int                // MiB, which also sets its share of a processor
	timeout     int                // seconds
	actions     []string           // on the table
	metered     bool               // it leaves lines for the meter, see meter.go
	loops       bool               // it is part of a loop on purpose, see newFunction
	reserved    int                // instances that nobody else gets, and no more than these; 0: as many as it takes
	environment map[string]*string // besides TABLE_NAME and LOG_LEVEL
}

// newRedisFunction makes the function that serves Redis. settings are environment variables beside
// the standard ones.
//
// It is metered where there is somebody who reads the lines: not in a read region.
func newRedisFunction(stack awscdk.Stack, cfg Config, table awsdynamodb.ITable, metered bool, settings map[string]*string) awslambda.Function {
	publicKey := &cfg.TokenPublicKey
	if cfg.TokenPublicKey == "" {
		publicKey = awsssm.StringParameter_ValueForStringParameter(stack, &cfg.TokenPublicKeyParameter, nil)
	}
	environment := map[string]*string{
		"TOKEN_PUBLIC_KEY": publicKey,
		"TOKEN_AUDIENCE":   &cfg.TokenAudience,
	}
	maps.Copy(environment, settings)
	return newFunction(stack, cfg, table, function{
		description: "Redis over REST",
		metered:     metered,
		reserved:    cfg.Concurrency[token.ProductRedis],
		asset:       cfg.RedisAsset,
		memory:      512, // a request mostly waits for DynamoDB
		timeout:     900, // the most there is, for subscriptions; other requests are bounded by the function itself
		// Transactions need the rights of the single actions they are made of.
		actions: []string{
			"dynamodb:BatchGetItem",
			"dynamodb:BatchWriteItem",
			"dynamodb:ConditionCheckItem",
			"dynamodb:DeleteItem",
			"dynamodb:GetItem",
			"dynamodb:PutItem",
			"dynamodb:Query",
			"dynamodb:UpdateItem",
		},
		environment: environment,
	})
}

func newSweepFunction(stack awscdk.Stack, cfg Config, table awsdynamodb.Table) awslambda.Function {
	return newFunction(stack, cfg, table, function{
		prefix:      "Sweep",
		description: "Deletes what Redis keys leave behind",
		loops:       true, // what it deletes comes out of the table's stream again
		asset:       cfg.SweepAsset,
		memory:      256,
		timeout:     15 * 60, // the most there is; a million elements take some minutes
		actions: []string{
			"dynamodb:BatchWriteItem",
			"dynamodb:DeleteItem",
			"dynamodb:GetItem",
			"dynamodb:PutItem",
			"dynamodb:Query",
			"dynamodb:UpdateItem",
		},
	})
}

// sweepOnSchedule starts a function every few minutes. A run that fails is not repeated: the next
// run does the rest.
func sweepOnSchedule(stack awscdk.Stack, minutes int, sweep awslambda.Function) {
	sweep.ConfigureAsyncInvoke(&awslambda.EventInvokeConfigOptions{RetryAttempts: jsii.Number(0)})
	startOnSchedule(stack, minutes, sweep)
}

func startOnSchedule(stack awscdk.Stack, minutes int, fn awslambda.Function) {
	awsevents.NewRule(stack, jsii.String("SweepSchedule"), &awsevents.RuleProps{
		Description: jsii.String("Starts the sweep function"),
		Schedule:    awsevents.Schedule_Rate(awscdk.Duration_Minutes(jsii.Number(minutes))),
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewLambdaFunction(fn, &awseventstargets.LambdaFunctionProps{
			RetryAttempts: jsii.Number(0),
		})},
	})
}

// newFunction makes a function with a log group and a role of its own: the default
// role carries a managed policy that may write to every log group.
func newFunction(stack awscdk.Stack, cfg Config, table awsdynamodb.ITable, f function) awslambda.Function {
	logs := awslogs.NewLogGroup(stack, jsii.String(f.prefix+"Logs"), &awslogs.LogGroupProps{
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	// By its number of days: names of the enumeration cannot be computed.
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(cfg.LogRetentionDays))

	role := awsiam.NewRole(stack, jsii.String(f.prefix+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	logs.GrantWrite(role)
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(f.actions...),
		Resources: &[]*string{table.TableArn()},
	}))

	if cfg.TableKey != "" {
		role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"), Resources: &[]*string{&cfg.TableKey},
			Conditions: &map[string]any{"StringLike": map[string]any{"kms:ViaService": "dynamodb.*.amazonaws.com"}},
		}))
	}
	environment := map[string]*string{"TABLE_NAME": table.TableName(), "LOG_LEVEL": &cfg.LogLevel}
	if f.metered && cfg.Meter {
		environment["METER"] = jsii.String("lines")
	}
	for name, value := range f.environment {
		environment[name] = value
	}
	// In a loop, what a function sends invokes it again. Lambda counts the hops: the SDK passes the
	// trace's lineage on with what it sends. After about 16 of them Lambda drops the event and mails
	// the account's owner. A message with 30 retries is such a loop, and so are a long queue, a
	// schedule by the minute and a workflow. Our own limits end them: of retries, steps and time.
	var recursive awslambda.RecursiveLoop // "": Lambda's own choice, which is to stop it
	if f.loops {
		recursive = awslambda.RecursiveLoop_ALLOW
	}
	var reserved *float64
	if f.reserved > 0 {
		reserved = jsii.Number(f.reserved)
	}
	var tracing awslambda.Tracing // "": none
	if cfg.Tracing {
		tracing = awslambda.Tracing_ACTIVE
	}
	// Lambda's own three lines for each request would cost more than what the function writes itself. Without them it says
	// only what went wrong: a time that was over, an instance that has ended. Lines of ours that say no level count as INFO.
	level := awslambda.ApplicationLogLevel_INFO
	if cfg.LogLevel == "debug" {
		level = awslambda.ApplicationLogLevel_DEBUG
	}
	return awslambda.NewFunction(stack, jsii.String(f.prefix+"Function"), &awslambda.FunctionProps{
		Description:   &f.description,
		Runtime:       awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:  awslambda.Architecture_ARM_64(),
		Handler:       jsii.String("bootstrap"),
		Code:          awslambda.Code_FromAsset(&f.asset, nil),
		MemorySize:    jsii.Number(f.memory),
		Timeout:       awscdk.Duration_Seconds(jsii.Number(f.timeout)),
		Role:          role,
		LogGroup:      logs,
		LoggingFormat: awslambda.LoggingFormat_JSON,
		Environment:   &environment,
		RecursiveLoop: recursive,

		Tracing:                      tracing,
		SystemLogLevelV2:             awslambda.SystemLogLevel_WARN,
		ApplicationLogLevelV2:        level,
		ReservedConcurrentExecutions: reserved,
	})
}
