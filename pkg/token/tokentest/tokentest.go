// Package tokentest makes keys for the tokens of tests.
package tokentest

import (
	"crypto/ed25519"
	"testing"

	"github.com/skystash/skystash/pkg/token"
)

// Pair returns what signs tokens with a new key, and what takes them, for any product.
func Pair(t testing.TB) (*token.Signer, *token.Verifier) {
	t.Helper()
	key, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}})
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}
