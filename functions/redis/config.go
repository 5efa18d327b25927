package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"

	"github.com/skystash/skystash/pkg/token"
)

type config struct {
	table      string
	endpoint   string
	publicKeys []ed25519.PublicKey
	audience   string
	logLevel   slog.Level
}

// readConfig reads the environment. It reports everything that is missing or
// wrong at once.
func readConfig(getenv func(string) string) (config, error) {
	var problems []error
	required := func(name, purpose string) string {
		value := getenv(name)
		if value == "" {
			problems = append(problems, fmt.Errorf("environment variable %s is not set: %s", name, purpose))
		}
		return value
	}
	cfg := config{
		table:    required("TABLE_NAME", "the DynamoDB table that holds the databases"),
		endpoint: getenv("DYNAMODB_ENDPOINT"),
		audience: getenv("TOKEN_AUDIENCE"),
	}
	if text := required("TOKEN_PUBLIC_KEY", "the public key, or keys, that tokens are checked with"); text != "" {
		keys, err := token.ParsePublicKeys(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("environment variable TOKEN_PUBLIC_KEY: %w", err))
		}
		cfg.publicKeys = keys
	}
	if text := getenv("LOG_LEVEL"); text != "" {
		if err := cfg.logLevel.UnmarshalText([]byte(text)); err != nil {
			problems = append(problems, fmt.Errorf("environment variable LOG_LEVEL is %q: want debug, info, warn or error", text))
		}
	}
	return cfg, errors.Join(problems...)
}
