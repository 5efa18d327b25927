// Command qstash is the Lambda function that serves QStash's REST API, behind an
// HTTP API or a function URL.
//
// Environment:
//
//	TABLE_NAME          DynamoDB table that holds the messages
//	QUEUE_URL           SQS queue of wake-ups, which functions/deliver works off
//	QUEUE_ARN           the same queue
//	SCHEDULER_GROUP     EventBridge Scheduler group of wake-ups in more than 15 minutes
//	SCHEDULER_ROLE_ARN  role that Scheduler sends them to the queue with
//	TOKEN_PUBLIC_KEY    public keys that tokens are checked with, as
//	                    token.ParsePublicKeys reads them
//	TOKEN_AUDIENCE      audience that tokens must name; default skystash
//	QSTASH_REGION       what destinations are told; default EU-CENTRAL-1
//	LOG_LEVEL           debug, info, warn or error; default info
//	DYNAMODB_ENDPOINT, SQS_ENDPOINT, SCHEDULER_ENDPOINT
//	                    other endpoints than AWS's own
package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/skystash/skystash/functions/backend"
	"github.com/skystash/skystash/pkg/lambdahttp"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/token"
)

func main() {
	cfg, err := readConfig(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "skystash qstash:", err)
		os.Exit(1)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.logLevel}))
	slog.SetDefault(log)
	handler, err := newHandler(context.Background(), cfg, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(lambdahttp.New(handler, log))
}

type config struct {
	qstash     backend.QStashConfig
	publicKeys []ed25519.PublicKey
	audience   string
	logLevel   slog.Level
}

// readConfig reads the environment. It reports everything that is missing or wrong at once.
func readConfig(getenv func(string) string) (config, error) {
	env := backend.Environment{Getenv: getenv}
	cfg := config{qstash: env.QStash(), audience: env.Get("TOKEN_AUDIENCE"), logLevel: env.LogLevel()}
	if text := env.Require("TOKEN_PUBLIC_KEY", "the public key, or keys, that tokens are checked with"); text != "" {
		keys, err := token.ParsePublicKeys(text)
		if err != nil {
			env.Fault("TOKEN_PUBLIC_KEY", err)
		}
		cfg.publicKeys = keys
	}
	return cfg, env.Err()
}

func newHandler(ctx context.Context, cfg config, log *slog.Logger) (http.Handler, error) {
	cfg.qstash.Logger = log
	q, err := backend.OpenQStash(ctx, cfg.qstash)
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: cfg.publicKeys, Audience: cfg.audience, Product: token.ProductQStash})
	if err != nil {
		return nil, err
	}
	return rest.New(rest.Config{
		Engine:        q.Engine,
		Authenticator: rest.Tokens{Engine: q.Engine, Verifier: verifier},
		Logger:        log,
		RequestID:     lambdahttp.RequestID,
	}), nil
}
