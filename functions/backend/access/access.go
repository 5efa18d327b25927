// Package access opens what checks the tokens of a product's clients.
package access

import (
	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// Environment reads TOKEN_PUBLIC_KEY and TOKEN_AUDIENCE: what the tokens of a product are checked
// with, besides the keys that the control plane publishes; see NewVerifier.
func Environment(env *settings.Environment, product string) token.VerifierConfig {
	cfg := token.VerifierConfig{Audience: env.Get("TOKEN_AUDIENCE"), Product: product}
	text := env.Require("TOKEN_PUBLIC_KEY", "the public key, or keys, that tokens are checked with, or "+contract.PublishedOnly)
	if text != "" && text != contract.PublishedOnly {
		keys, err := token.ParsePublicKeys(text)
		if err != nil {
			env.Fault("TOKEN_PUBLIC_KEY", err)
		}
		cfg.Keys = keys
	}
	return cfg
}

// NewVerifier makes what checks a product's tokens: with the keys of its configuration, and with
// those that the control plane has published in the product's table.
func NewVerifier(cfg token.VerifierConfig, table store.Store) (*token.Verifier, error) {
	cfg.Published = keydir.Directory{Store: table}
	return token.NewVerifier(cfg)
}
