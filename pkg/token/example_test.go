package token_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/revoked"
)

func ExampleVerifier_Verify() {
	key, err := token.GenerateKey()
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }

	signer, err := token.NewSigner(token.SignerConfig{Key: key, Now: clock})
	if err != nil {
		log.Fatal(err)
	}
	text, err := signer.Mint(token.Claims{
		CredentialID: "web",
		Resource:     "shop",
		Products:     []string{token.ProductRedis},
		Scope:        token.ReadOnly,
		Expires:      now.Add(time.Hour),
	})
	if err != nil {
		log.Fatal(err)
	}

	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys:    []ed25519.PublicKey{key.Public().(ed25519.PublicKey)},
		Product: token.ProductRedis,
		Now:     clock,
	})
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Verify(context.Background(), text)
	fmt.Println(claims.Resource, claims.Scope, err)

	now = now.Add(2 * time.Hour)
	_, err = verifier.Verify(context.Background(), text)
	fmt.Println(errors.Is(err, token.ErrExpired))
	// Output:
	// shop ro <nil>
	// true
}

// The resource's record has the generation and the revoked credentials.
func ExampleClaims_Withdrawn() {
	c := token.Claims{CredentialID: "web", Generation: 1}
	fmt.Println(c.Withdrawn(1, nil))
	fmt.Println(c.Withdrawn(1, revoked.Of("web"))) // the credential was revoked
	fmt.Println(c.Withdrawn(2, nil))               // all credentials were reset
	// Output:
	// false
	// true
	// true
}
