package dynamolocal

import (
	"context"
	"crypto/rand"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skystash/skystash/pkg/store/dynamo"
)

// Client makes a client of the server, which it starts if need be. DynamoDB
// Local accepts any credentials, but keeps a separate set of tables for each.
func Client(t testing.TB, options ...func(*dynamodb.Options)) *dynamodb.Client {
	t.Helper()
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(Start(t)),
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("skystash", "skystash", ""),
	}, options...)
}

// WithTransport makes a client send its requests through rt, which tests use to
// watch and disturb them.
func WithTransport(rt http.RoundTripper) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: rt} }
}

// Table creates an empty table with a unique name, which goes when the test ends.
func Table(t testing.TB, client *dynamodb.Client) string {
	t.Helper()
	name := "test-" + rand.Text()
	if err := dynamo.CreateTable(t.Context(), client, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		_, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name})
		if err != nil {
			t.Errorf("deleting table %s: %v", name, err)
		}
	})
	return name
}

// Open returns a store over a fresh table; both go when the test ends.
func Open(t testing.TB) *dynamo.Store {
	t.Helper()
	client := Client(t)
	s := dynamo.New(client, Table(t, client))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
