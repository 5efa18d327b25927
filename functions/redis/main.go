// Command redis is the Lambda function that serves Redis over REST, behind an
// HTTP API or a function URL with the invoke mode RESPONSE_STREAM. Only the latter can
// serve subscriptions: each takes an instance of the function for as long as it lasts, at most
// until the function's time is over.
//
// Environment:
//
//	TABLE_NAME         DynamoDB table that holds the databases
//	TOKEN_PUBLIC_KEY   public keys that tokens are checked with besides those that the
//	                   control plane publishes, as token.ParsePublicKeys reads
//	                   them, or "published": no others
//	TOKEN_AUDIENCE     audience that tokens must name; default skystash
//	METER              lines: lines in the log say what requests have used
//	LOG_LEVEL          debug, info, warn or error; default info
//	PRIMARY_REGION     in a read region: the region of the table that is written to; the
//	                   one in the region at hand is its replica
//	MARKS_TABLE        in a read region: its own table, see redis.Region
//	DYNAMODB_ENDPOINT  another endpoint than DynamoDB's own, such as DynamoDB
//	                   Local's
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/skystash/skystash/functions/backend/access"
	"github.com/skystash/skystash/functions/backend/awsredis"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/launch"
	"github.com/skystash/skystash/pkg/lambdahttp"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis/rest"
	"github.com/skystash/skystash/pkg/token"
)

// requestTime bounds a request that is no stream: an HTTP API waits for 30 seconds.
const requestTime = 28 * time.Second

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	aws, cfg, tokens := cloud.Environment(env), awsredis.Environment(env), access.Environment(env, token.ProductRedis)
	cfg.ReadRegion = awsredis.ReadRegionOf(env)
	recorder := env.Meter()
	launch.Function("redis", env, func(_ context.Context, log *slog.Logger) (any, error) {
		handler, err := newHandler(cloud.New(aws), cfg, tokens, recorder, log)
		return lambdahttp.NewStreaming(handler, requestTime, log), err
	})
}

func newHandler(in *cloud.Cloud, cfg awsredis.Config, tokens token.VerifierConfig, recorder meter.Recorder, log *slog.Logger) (http.Handler, error) {
	cfg.Logger = log
	r, err := awsredis.Open(in, cfg)
	if err != nil {
		return nil, err
	}
	verifier, err := access.NewVerifier(tokens, r.Table)
	if err != nil {
		return nil, err
	}
	serve := rest.Config{
		Engine:          r.Engine,
		Verifier:        verifier,
		MaxRequestBytes: contract.MaxCommandBytes,
		Meter:           recorder,
		Gateway:         lambdahttp.ThroughGateway,
		Class:           r.Engine.Class,
		Outcome:         r.Engine.Outcome,
		Logger:          log,
	}
	if region := cfg.ReadRegion; region != nil {
		serve.Region = &rest.Region{Name: region.Name, Replica: r.Engine}
	}
	return rest.New(serve), nil
}
