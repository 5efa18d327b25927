package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/pkg/store"
)

// activeTimeout bounds the wait for a new table; DynamoDB takes some seconds.
const activeTimeout = 2 * time.Minute

// CreateTable creates a table as [Store] needs it, see the package comment, and
// waits until it can be used. A table that exists already is left as it is.
func CreateTable(ctx context.Context, client *dynamodb.Client, table string) error {
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:   &table,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(partitionAttr), AttributeType: types.ScalarAttributeTypeB},
			{AttributeName: aws.String(sortAttr), AttributeType: types.ScalarAttributeTypeB},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(partitionAttr), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(sortAttr), KeyType: types.KeyTypeRange},
		},
	})
	var exists *types.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("dynamo: creating table %s: %w", table, err)
	}
	active := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay = 100 * time.Millisecond
		o.MaxDelay = 2 * time.Second
	})
	if err := active.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &table}, activeTimeout); err != nil {
		return fmt.Errorf("dynamo: waiting for table %s: %w", table, err)
	}
	return enableTTL(ctx, client, table)
}

func enableTTL(ctx context.Context, client *dynamodb.Client, table string) error {
	ttl, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	if err != nil {
		return fmt.Errorf("dynamo: reading the expiry setting of table %s: %w", table, err)
	}
	switch ttl.TimeToLiveDescription.TimeToLiveStatus {
	case types.TimeToLiveStatusEnabled, types.TimeToLiveStatusEnabling:
		return nil
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String(store.TTLAttr),
			Enabled:       aws.Bool(true),
		},
	})
	if err != nil {
		return fmt.Errorf("dynamo: enabling expiry on table %s: %w", table, err)
	}
	return nil
}
