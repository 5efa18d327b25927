// Command redis is the Lambda function that serves Redis over REST, behind an
// HTTP API or a function URL with the invoke mode RESPONSE_STREAM. Only the latter can
// serve subscriptions: each takes an instance of the function for as long as it lasts, at most
// until the function's time is over.
//
// Environment:
//
//	TABLE_NAME         DynamoDB table that holds the databases
//	TOKEN_PUBLIC_KEY   public keys that tokens are checked with, as
//	                   token.ParsePublicKeys reads them
//	TOKEN_AUDIENCE     audience that tokens must name; default skystash
//	LOG_LEVEL          debug, info, warn or error; default info
//	DYNAMODB_ENDPOINT  another endpoint than DynamoDB's own, such as DynamoDB
//	                   Local's
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/skystash/skystash/functions/backend"
	"github.com/skystash/skystash/pkg/lambdahttp"
	"github.com/skystash/skystash/pkg/redis/rest"
	"github.com/skystash/skystash/pkg/token"
)

// requestTime bounds a request that is no stream: an HTTP API waits for 30 seconds.
const requestTime = 28 * time.Second

func main() {
	cfg, err := readConfig(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "skystash redis:", err)
		os.Exit(1)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.logLevel}))
	slog.SetDefault(log)
	handler, err := newHandler(context.Background(), cfg, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(lambdahttp.NewStreaming(handler, requestTime, log))
}

func newHandler(ctx context.Context, cfg config, log *slog.Logger) (http.Handler, error) {
	cfg.redis.Logger = log
	engine, err := backend.OpenRedis(ctx, cfg.redis)
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys:     cfg.publicKeys,
		Audience: cfg.audience,
		Product:  token.ProductRedis,
	})
	if err != nil {
		return nil, err
	}
	return rest.New(rest.Config{
		Engine:          engine,
		Verifier:        verifier,
		MaxRequestBytes: backend.MaxCommandBytes,
		Logger:          log,
		RequestID:       lambdahttp.RequestID,
	}), nil
}
