package main

import (
	"crypto/ed25519"
	"log/slog"

	"github.com/skystash/skystash/functions/backend"
	"github.com/skystash/skystash/pkg/token"
)

type config struct {
	redis      backend.RedisConfig
	publicKeys []ed25519.PublicKey
	audience   string
	logLevel   slog.Level
}

// readConfig reads the environment. It reports everything that is missing or
// wrong at once.
func readConfig(getenv func(string) string) (config, error) {
	env := backend.Environment{Getenv: getenv}
	cfg := config{
		redis:    env.Redis(),
		audience: env.Get("TOKEN_AUDIENCE"),
		logLevel: env.LogLevel(),
	}
	if text := env.Require("TOKEN_PUBLIC_KEY", "the public key, or keys, that tokens are checked with"); text != "" {
		keys, err := token.ParsePublicKeys(text)
		if err != nil {
			env.Fault("TOKEN_PUBLIC_KEY", err)
		}
		cfg.publicKeys = keys
	}
	return cfg, env.Err()
}
