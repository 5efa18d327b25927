package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/store"
)

const (
	// redisMemory is the function's memory in MiB, which also sets its share
	// of a processor. A request mostly waits for DynamoDB.
	redisMemory = 512

	// redisTimeout is the function's in seconds, just below the 30 seconds
	// after which an HTTP API stops waiting.
	redisTimeout = 29
)

// NewRedisStack adds Redis over REST: a table, the function, and an HTTP API and
// a function URL in front of it. Requests carry their own credentials, so both
// fronts are open and the function checks.
func NewRedisStack(scope constructs.Construct, cfg Config) awscdk.Stack {
	stack := awscdk.NewStack(scope, &cfg.Stack, &awscdk.StackProps{
		Description: jsii.String("Skystash: Redis over REST on DynamoDB"),
	})
	table := newTable(stack, cfg)
	fn := newFunction(stack, cfg, table)

	api := awsapigatewayv2.NewHttpApi(stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		ApiName:     stack.StackName(),
		Description: jsii.String("Redis over REST"),
		DefaultIntegration: awsapigatewayv2integrations.NewHttpLambdaIntegration(
			jsii.String("Redis"), fn, &awsapigatewayv2integrations.HttpLambdaIntegrationProps{
				PayloadFormatVersion: awsapigatewayv2.PayloadFormatVersion_VERSION_2_0(),
			}),
	})
	functionURL := fn.AddFunctionUrl(&awslambda.FunctionUrlOptions{
		AuthType: awslambda.FunctionUrlAuthType_NONE,
	})
	// Since October 2025 a function URL also needs the right to invoke; this one
	// can be used through the URL only.
	awslambda.NewCfnPermission(stack, jsii.String("InvokeThroughUrl"), &awslambda.CfnPermissionProps{
		Action:       jsii.String("lambda:InvokeFunction"),
		FunctionName: fn.FunctionArn(),
		Principal:    jsii.String("*"),
	}).AddPropertyOverride(jsii.String("InvokedViaFunctionUrl"), true)

	output(stack, "Url", api.ApiEndpoint(), "UPSTASH_REDIS_REST_URL through API Gateway")
	output(stack, "FunctionUrl", functionURL.Url(), "UPSTASH_REDIS_REST_URL without API Gateway: no price per request, any bytes in paths")
	output(stack, "TableName", table.TableName(), "The table, for scripts/admin")
	return stack
}

func newTable(stack awscdk.Stack, cfg Config) awsdynamodb.Table {
	removal := awscdk.RemovalPolicy_DESTROY
	if cfg.KeepData {
		removal = awscdk.RemovalPolicy_RETAIN
	}
	return awsdynamodb.NewTable(stack, jsii.String("Table"), &awsdynamodb.TableProps{
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
	})
}

func newFunction(stack awscdk.Stack, cfg Config, table awsdynamodb.Table) awslambda.Function {
	logs := awslogs.NewLogGroup(stack, jsii.String("Logs"), &awslogs.LogGroupProps{
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	// By its number of days: names of the enumeration cannot be computed.
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(cfg.LogRetentionDays))

	// A role of its own, because the default one carries a managed policy that
	// may write to every log group.
	role := awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	logs.GrantWrite(role)
	// Transactions need the rights of the single actions they are made of.
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(
			"dynamodb:BatchGetItem",
			"dynamodb:BatchWriteItem",
			"dynamodb:ConditionCheckItem",
			"dynamodb:DeleteItem",
			"dynamodb:GetItem",
			"dynamodb:PutItem",
			"dynamodb:Query",
			"dynamodb:UpdateItem",
		),
		Resources: &[]*string{table.TableArn()},
	}))

	publicKey := &cfg.TokenPublicKey
	if cfg.TokenPublicKey == "" {
		publicKey = awsssm.StringParameter_ValueForStringParameter(stack, &cfg.TokenPublicKeyParameter, nil)
	}
	return awslambda.NewFunction(stack, jsii.String("Function"), &awslambda.FunctionProps{
		Description:  jsii.String("Redis over REST"),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: awslambda.Architecture_ARM_64(),
		Handler:      jsii.String("bootstrap"),
		Code:         awslambda.Code_FromAsset(&cfg.RedisAsset, nil),
		MemorySize:   jsii.Number(redisMemory),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(redisTimeout)),
		Role:         role,
		LogGroup:     logs,
		Environment: &map[string]*string{
			"TABLE_NAME":       table.TableName(),
			"TOKEN_PUBLIC_KEY": publicKey,
			"TOKEN_AUDIENCE":   &cfg.TokenAudience,
			"LOG_LEVEL":        &cfg.LogLevel,
		},
	})
}

func output(stack awscdk.Stack, name string, value *string, description string) {
	awscdk.NewCfnOutput(stack, &name, &awscdk.CfnOutputProps{Value: value, Description: &description})
}
