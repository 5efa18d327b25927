package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/store"
)

// NewRedisStack adds Redis over REST: a table, the function that serves it, with an HTTP API and
// a function URL in front, and the function that sweeps it, woken by the table's stream and on a schedule. Requests carry their own credentials, so both
// fronts are open and the function checks. Each read region gets a stack of its own.
func NewRedisStack(scope constructs.Construct, cfg Config) awscdk.Stack {
	props := awscdk.StackProps{Description: jsii.String("Skystash: Redis over REST on DynamoDB"), Env: cfg.environment()}
	if len(cfg.ReadRegions) > 0 {
		props.CrossRegionReferences = jsii.Bool(true)
	}
	stack := awscdk.NewStack(scope, &cfg.Stack, &props)
	// Without it, CDK deletes replicas that are no longer named, whatever their removal policy says.
	stack.Node().SetContext(jsii.String("@aws-cdk/aws-dynamodb:retainTableReplica"), true)
	table := newTable(stack, cfg, cfg.ReadRegions...)
	fn := newRedisFunction(stack, cfg, table, true, nil)
	sweep := newSweepFunction(stack, cfg, table)
	sweepOnStream(stack, table, sweep)
	sweepOnSchedule(stack, cfg.SweepMinutes, sweep)
	openRedis(stack, cfg, fn)
	output(stack, "TableName", table.TableName(), "The table, for scripts/admin")
	for _, region := range cfg.ReadRegions {
		newReplicaStack(scope, cfg, region, table)
	}
	return stack
}

// openRedis puts fronts before the function that serves Redis, in whatever region.
func openRedis(stack awscdk.Stack, cfg Config, fn awslambda.Function) {
	openFronts(stack, cfg, fn, fronts{
		name: "Redis", description: "Redis over REST", variable: "UPSTASH_REDIS_REST_URL",
		direct: "subscriptions, no price per request, any bytes in paths", streams: true,
	})
}

// sweepOnStream invokes the function with stream records that name garbage. It does so some minutes
// late, because garbage may be deleted only when no request can be reading it any more. A record
// that fails for good is noted in a queue, so that operators see it; the scheduled sweep deletes
// its garbage.
func sweepOnStream(stack awscdk.Stack, table awsdynamodb.Table, sweep awslambda.Function) {
	sweep.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
		Resources: &[]*string{table.TableStreamArn()},
	}))
	sweep.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("dynamodb:ListStreams"), // Lambda asks for it, and it cannot be had for one table
		Resources: jsii.Strings("*"),
	}))
	failed := awssqs.NewQueue(stack, jsii.String("SweepFailed"), &awssqs.QueueProps{
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
		EnforceSSL:      jsii.Bool(true),
	})
	filters := make([]*map[string]any, len(contract.SweepFilters))
	for i, pattern := range contract.SweepFilters {
		filters[i] = &map[string]any{"pattern": pattern}
	}
	sweep.AddEventSourceMapping(jsii.String("Stream"), &awslambda.EventSourceMappingOptions{
		EventSourceArn:          table.TableStreamArn(),
		StartingPosition:        awslambda.StartingPosition_TRIM_HORIZON,
		BatchSize:               jsii.Number(100),
		MaxBatchingWindow:       awscdk.Duration_Minutes(jsii.Number(5)), // the most there is
		ReportBatchItemFailures: jsii.Bool(true),
		BisectBatchOnError:      jsii.Bool(true),
		RetryAttempts:           jsii.Number(10),
		MaxRecordAge:            awscdk.Duration_Hours(jsii.Number(6)),
		OnFailure:               awslambdaeventsources.NewSqsDlq(failed),
		Filters:                 &filters,
	})
}

// newTable makes a product's table, with replicas in other regions, if any. They are added to the
// very table that there may have been before: a resource of another type (AWS::DynamoDB::GlobalTable)
// would replace it by an empty one.
func newTable(stack awscdk.Stack, cfg Config, replicas ...string) awsdynamodb.Table {
	removal := awscdk.RemovalPolicy_DESTROY
	if cfg.KeepData {
		removal = awscdk.RemovalPolicy_RETAIN
	}
	props := awsdynamodb.TableProps{
		PartitionKey:        &awsdynamodb.Attribute{Name: jsii.String("p"), Type: awsdynamodb.AttributeType_BINARY},
		SortKey:             &awsdynamodb.Attribute{Name: jsii.String("s"), Type: awsdynamodb.AttributeType_BINARY},
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		TimeToLiveAttribute: jsii.String(store.TTLAttr),
		Stream:              awsdynamodb.StreamViewType_NEW_AND_OLD_IMAGES,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(cfg.KeepData),
		},
		DeletionProtection: jsii.Bool(cfg.KeepData),
		RemovalPolicy:      removal,
		// A deployment that forgets to name read regions leaves their replicas where they are.
		ReplicaRemovalPolicy: removal,
	}
	if cfg.TableKey != "" {
		props.Encryption = awsdynamodb.TableEncryption_CUSTOMER_MANAGED
		props.EncryptionKey = awskms.Key_FromKeyArn(stack, jsii.String("TableKey"), &cfg.TableKey)
	}
	if len(replicas) > 0 {
		props.ReplicationRegions = jsii.Strings(replicas...)
	}
	return awsdynamodb.NewTable(stack, jsii.String("Table"), &props)
}

func output(stack awscdk.Stack, name string, value *string, description string) {
	awscdk.NewCfnOutput(stack, &name, &awscdk.CfnOutputProps{Value: value, Description: &description})
}
