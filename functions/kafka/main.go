// Command kafka is the Lambda function that serves Kafka over REST, behind an
// HTTP API or a function URL.
//
// Environment:
//
//	TABLE_NAME         DynamoDB table that holds the clusters
//	STREAM_NAME        Kinesis stream that messages are put into
//	TOKEN_PUBLIC_KEY   public keys that passwords are checked with besides those that the
//	                   control plane publishes, as token.ParsePublicKeys reads
//	                   them, or "published": no others
//	TOKEN_AUDIENCE     audience that passwords must name; default skystash
//	METER              lines: lines in the log say what requests have used
//	LOG_LEVEL          debug, info, warn or error; default info
//	DYNAMODB_ENDPOINT  another endpoint than DynamoDB's own
//	KINESIS_ENDPOINT   another endpoint than Kinesis's own
//	BUCKET_NAME        S3 bucket of large segments; unset: they stay in the table
//	BUCKET_WRITES      "off": no more segments go into the bucket
//	S3_ENDPOINT        another endpoint than S3's own
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/skystash/skystash/functions/backend/access"
	"github.com/skystash/skystash/functions/backend/awskafka"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/launch"
	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/lambdahttp"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
)

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	aws, cfg, tokens := cloud.Environment(env), awskafka.Environment(env), access.Environment(env, token.ProductKafka)
	recorder := env.Meter()
	launch.Function("kafka", env, func(_ context.Context, log *slog.Logger) (any, error) {
		handler, err := newHandler(cloud.New(aws), cfg, tokens, recorder, log)
		return lambdahttp.New(handler, log), err
	})
}

func newHandler(in *cloud.Cloud, cfg awskafka.Config, tokens token.VerifierConfig, recorder meter.Recorder, log *slog.Logger) (http.Handler, error) {
	cfg.Logger = log
	k, err := awskafka.Open(in, cfg)
	if err != nil {
		return nil, err
	}
	verifier, err := access.NewVerifier(tokens, k.Table)
	if err != nil {
		return nil, err
	}
	return rest.New(rest.Config{
		Engine:       k.Engine,
		Verifier:     verifier,
		MaxBodyBytes: contract.MaxKafkaBodyBytes,
		Meter:        recorder,
		Gateway:      lambdahttp.ThroughGateway,
		Logger:       log,
	}), nil
}
