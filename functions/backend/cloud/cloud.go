// Package cloud is a process's way to AWS: one configuration, and one client of DynamoDB for all
// tables. A process that opens a second client pays for a second TLS handshake.
package cloud

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/awsbody"
	"github.com/skystash/skystash/pkg/store/dynamo"
)

// Settings are what a Cloud is made of.
type Settings struct {
	AWS              aws.Config
	DynamoDBEndpoint string // instead of DynamoDB's own; "": none
}

// Environment reads what Lambda sets, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN, and DYNAMODB_ENDPOINT. Other ways to credentials, which the SDK's package config
// knows, a function never needs: they would be a third of its size.
func Environment(env *settings.Environment) Settings { return EnvironmentWith(env, nil) }

// EnvironmentWith is Environment for processes that have credentials from elsewhere; nil: they have not.
func EnvironmentWith(env *settings.Environment, provider aws.CredentialsProvider) Settings {
	const purpose = "Lambda sets it"
	if provider == nil {
		keys := aws.Credentials{
			AccessKeyID:     env.Require("AWS_ACCESS_KEY_ID", purpose),
			SecretAccessKey: env.Require("AWS_SECRET_ACCESS_KEY", purpose),
			SessionToken:    env.Get("AWS_SESSION_TOKEN"),
			Source:          "environment",
		}
		provider = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil })
	}
	return Settings{
		AWS: aws.Config{
			Region:      env.Require("AWS_REGION", purpose),
			Credentials: provider,
			HTTPClient:  awshttp.NewBuildableClient(),
		},
		DynamoDBEndpoint: env.Get("DYNAMODB_ENDPOINT"),
	}
}

// Cloud is what engines are opened over. It is safe for concurrent use.
type Cloud struct {
	AWS aws.Config
	db  *dynamodb.Client
}

// New makes a Cloud. It calls nobody.
func New(s Settings) *Cloud {
	s.AWS.APIOptions = append(slices.Clip(s.AWS.APIOptions), awsbody.Plain)
	return &Cloud{AWS: s.AWS, db: dynamo.NewClient(s.AWS, s.DynamoDBEndpoint)}
}

// Table is a DynamoDB table, which must exist. All tables share the client's connections.
func (c *Cloud) Table(name string) *dynamo.Store { return dynamo.New(c.db, name) }

// TableIn is a table in another region.
func (c *Cloud) TableIn(region, name string) *dynamo.Store {
	return dynamo.New(dynamodb.New(c.db.Options(), func(o *dynamodb.Options) { o.Region = region }), name)
}
