package backend

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/skystash/skystash/pkg/token"
)

// Environment reads a function's settings from environment variables, and collects
// what is missing or wrong, so that all of it is reported at once.
type Environment struct {
	Getenv   func(string) string
	problems []error
}

// Get reads a variable that may be missing.
func (e *Environment) Get(name string) string { return e.Getenv(name) }

// Require reads a variable that must be set; the purpose is for who forgot it.
func (e *Environment) Require(name, purpose string) string {
	value := e.Getenv(name)
	if value == "" {
		e.problems = append(e.problems, fmt.Errorf("environment variable %s is not set: %s", name, purpose))
	}
	return value
}

// Fault notes what is wrong with a variable.
func (e *Environment) Fault(name string, err error) {
	e.problems = append(e.problems, fmt.Errorf("environment variable %s: %w", name, err))
}

// Redis reads TABLE_NAME and DYNAMODB_ENDPOINT.
func (e *Environment) Redis() RedisConfig {
	return RedisConfig{
		Table:    e.Require("TABLE_NAME", "the DynamoDB table that holds the databases"),
		Endpoint: e.Get("DYNAMODB_ENDPOINT"),
	}
}

// ReadRegion reads PRIMARY_REGION and, if that is set, MARKS_TABLE and AWS_REGION. The result is
// nil if it is not: this is the primary region.
func (e *Environment) ReadRegion() *ReadRegion {
	primary := e.Get("PRIMARY_REGION")
	if primary == "" {
		return nil
	}
	return &ReadRegion{
		Name:       e.Require("AWS_REGION", "the read region, which Lambda tells"),
		Primary:    primary,
		MarksTable: e.Require("MARKS_TABLE", "the read region's own DynamoDB table, of marks"),
	}
}

// PublishedOnly is what TOKEN_PUBLIC_KEY says where there is a control plane, which publishes
// the keys, and no other key.
const PublishedOnly = "published"

// Verifier reads TOKEN_PUBLIC_KEY and TOKEN_AUDIENCE: what the tokens of a product are checked
// with, besides the keys that the control plane publishes; see NewVerifier.
func (e *Environment) Verifier(product string) token.VerifierConfig {
	cfg := token.VerifierConfig{Audience: e.Get("TOKEN_AUDIENCE"), Product: product}
	text := e.Require("TOKEN_PUBLIC_KEY", "the public key, or keys, that tokens are checked with, or "+PublishedOnly)
	if text != "" && text != PublishedOnly {
		keys, err := token.ParsePublicKeys(text)
		if err != nil {
			e.Fault("TOKEN_PUBLIC_KEY", err)
		}
		cfg.Keys = keys
	}
	return cfg
}

// LogLevel reads LOG_LEVEL: debug, info, warn or error; not set: info.
func (e *Environment) LogLevel() (level slog.Level) {
	if text := e.Getenv("LOG_LEVEL"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			e.Fault("LOG_LEVEL", fmt.Errorf("%q is none of debug, info, warn and error", text))
		}
	}
	return level
}

// Err is everything that was missing or wrong, nil if nothing was.
func (e *Environment) Err() error { return errors.Join(e.problems...) }
