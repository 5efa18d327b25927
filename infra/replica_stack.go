package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/store"
)

// newReplicaStack adds a read region: the function that serves Redis, which reads from the region's replica of the
// primary region's table what it can and sends everything else there, and a table for what it must not read from the replica.
func newReplicaStack(scope constructs.Construct, cfg Config, region string, primary awsdynamodb.ITable) awscdk.Stack {
	stack := awscdk.NewStack(scope, jsii.String(cfg.Stack+"-"+region), &awscdk.StackProps{
		Description:           jsii.String("Skystash: Redis over REST, reads near " + region),
		Env:                   &awscdk.Environment{Region: &region},
		CrossRegionReferences: jsii.Bool(true),
	})
	tableIn := func(region string) *string {
		return stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("dynamodb"), Resource: jsii.String("table"), ResourceName: primary.TableName(), Region: &region,
		})
	}
	marks := awsdynamodb.NewTable(stack, jsii.String("Marks"), &awsdynamodb.TableProps{
		PartitionKey:        &awsdynamodb.Attribute{Name: jsii.String("p"), Type: awsdynamodb.AttributeType_BINARY},
		SortKey:             &awsdynamodb.Attribute{Name: jsii.String("s"), Type: awsdynamodb.AttributeType_BINARY},
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		TimeToLiveAttribute: jsii.String(store.TTLAttr),
		RemovalPolicy:       awscdk.RemovalPolicy_DESTROY, // they matter for a day
	})
	fn := newRedisFunction(stack, cfg, awsdynamodb.Table_FromTableArn(stack, jsii.String("Primary"), tableIn(cfg.Region)), false, map[string]*string{
		"PRIMARY_REGION": &cfg.Region,
		"MARKS_TABLE":    marks.TableName(),
	})
	allow := func(table *string, actions ...string) {
		fn.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings(actions...), Resources: &[]*string{table},
		}))
	}
	allow(tableIn(region), "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query") // the latter for published keys
	allow(marks.TableArn(), "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem")
	openRedis(stack, cfg, fn)
	return stack
}
