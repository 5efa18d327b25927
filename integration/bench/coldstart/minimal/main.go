// Command minimal is the least a Lambda function in Go does that answers a request from DynamoDB: one
// GetItem, with the SDK as AWS's guides use it. Cold starts of Skystash's functions are held beside
// it.
//
// Environment: TABLE_NAME, PARTITION and SORT (the item's key), DYNAMODB_ENDPOINT.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	client := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.BaseEndpoint = aws.String(os.Getenv("DYNAMODB_ENDPOINT")) })
	lambda.Start(func(ctx context.Context, _ events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		out, err := client.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: aws.String(os.Getenv("TABLE_NAME")),
			Key: map[string]types.AttributeValue{
				"p": &types.AttributeValueMemberB{Value: []byte(os.Getenv("PARTITION"))},
				"s": &types.AttributeValueMemberB{Value: []byte(os.Getenv("SORT"))},
			},
			ConsistentRead: aws.Bool(true),
		})
		if err != nil {
			return events.APIGatewayV2HTTPResponse{}, err
		}
		return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: fmt.Sprint(len(out.Item))}, nil
	})
}
