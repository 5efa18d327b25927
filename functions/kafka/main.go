// Command kafka is the Lambda function that serves Kafka over REST, behind an
// HTTP API or a function URL.
//
// Environment:
//
//	TABLE_NAME         DynamoDB table that holds the clusters
//	STREAM_NAME        Kinesis stream that messages are put into
//	TOKEN_PUBLIC_KEY   public keys that passwords are checked with, as
//	                   token.ParsePublicKeys reads them
//	TOKEN_AUDIENCE     audience that passwords must name; default skystash
//	LOG_LEVEL          debug, info, warn or error; default info
//	DYNAMODB_ENDPOINT  another endpoint than DynamoDB's own
//	KINESIS_ENDPOINT   another endpoint than Kinesis's own
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
	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/lambdahttp"
	"github.com/skystash/skystash/pkg/token"
)

type config struct {
	kafka      backend.KafkaConfig
	publicKeys []ed25519.PublicKey
	audience   string
	logLevel   slog.Level
}

// readConfig reads the environment. It reports everything that is missing or
// wrong at once.
func readConfig(getenv func(string) string) (config, error) {
	env := backend.Environment{Getenv: getenv}
	cfg := config{kafka: env.Kafka(), audience: env.Get("TOKEN_AUDIENCE"), logLevel: env.LogLevel()}
	if text := env.Require("TOKEN_PUBLIC_KEY", "the public key, or keys, that passwords are checked with"); text != "" {
		keys, err := token.ParsePublicKeys(text)
		if err != nil {
			env.Fault("TOKEN_PUBLIC_KEY", err)
		}
		cfg.publicKeys = keys
	}
	return cfg, env.Err()
}

func main() {
	cfg, err := readConfig(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "skystash kafka:", err)
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

func newHandler(ctx context.Context, cfg config, log *slog.Logger) (http.Handler, error) {
	cfg.kafka.Logger = log
	engine, err := backend.OpenKafka(ctx, cfg.kafka)
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys:     cfg.publicKeys,
		Audience: cfg.audience,
		Product:  token.ProductKafka,
	})
	if err != nil {
		return nil, err
	}
	return rest.New(rest.Config{
		Engine:       engine,
		Verifier:     verifier,
		MaxBodyBytes: backend.MaxKafkaBody,
		Logger:       log,
		RequestID:    lambdahttp.RequestID,
	}), nil
}
