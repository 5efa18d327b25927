// Command qstash is the Lambda function that serves QStash's REST API, behind an
// HTTP API or a function URL.
//
// Environment:
//
//	TABLE_NAME          DynamoDB table that holds the messages
//	QUEUE_URL           SQS queue of wake-ups, which functions/deliver works off
//	QUEUE_ARN           the same queue
//	SCHEDULER_GROUP     EventBridge Scheduler group of wake-ups in more than 15 minutes,
//	                    and of those that schedules repeat
//	SCHEDULER_ROLE_ARN  role that Scheduler sends them to the queue with
//	TOKEN_PUBLIC_KEY    public keys that tokens are checked with besides those that the
//	                    control plane publishes, as token.ParsePublicKeys reads
//	                    them, or "published": no others
//	TOKEN_AUDIENCE      audience that tokens must name; default skystash
//	QSTASH_REGION       what destinations are told; default EU-CENTRAL-1
//	PROCESSES           how many of functions/deliver run at a time; with it, no host and no
//	                    account makes all of them wait
//	LONG_CALLS          true: an attempt may take up to 2 hours; otherwise, 14 minutes
//	METER               lines: lines in the log say what requests have used
//	LOG_LEVEL           debug, info, warn or error; default info
//	DYNAMODB_ENDPOINT, SQS_ENDPOINT, SCHEDULER_ENDPOINT
//	                    other endpoints than AWS's own
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/skystash/skystash/functions/backend/access"
	"github.com/skystash/skystash/functions/backend/awsqstash"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/functions/launch"
	"github.com/skystash/skystash/pkg/lambdahttp"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/token"
)

func main() {
	env := &settings.Environment{Getenv: os.Getenv}
	aws, cfg, tokens := cloud.Environment(env), awsqstash.Environment(env), access.Environment(env, token.ProductQStash)
	recorder := env.Meter()
	launch.Function("qstash", env, func(_ context.Context, log *slog.Logger) (any, error) {
		handler, err := newHandler(cloud.New(aws), cfg, tokens, recorder, log)
		return lambdahttp.New(handler, log), err
	})
}

func newHandler(in *cloud.Cloud, cfg awsqstash.Config, tokens token.VerifierConfig, recorder meter.Recorder, log *slog.Logger) (http.Handler, error) {
	cfg.Logger = log
	q, err := awsqstash.Open(in, cfg)
	if err != nil {
		return nil, err
	}
	verifier, err := access.NewVerifier(tokens, q.Table)
	if err != nil {
		return nil, err
	}
	return rest.New(rest.Config{
		Engine:        q.Engine,
		Authenticator: rest.Tokens{Engine: q.Engine, Verifier: verifier},
		Meter:         recorder,
		Gateway:       lambdahttp.ThroughGateway,
		Logger:        log,
	}), nil
}
