package operator

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/skystash/skystash/pkg/token"
)

// minting holds the flags of all commands that make tokens.
type minting struct {
	key, audience *string
	valid         *time.Duration
}

func mintingFlags(flags *flag.FlagSet) minting {
	return minting{
		key:      flags.String("key", "", "file of the private key"),
		audience: flags.String("audience", token.DefaultAudience, "the deployment's tokenAudience"),
		valid:    flags.Duration("valid", 0, "time until the token expires, such as 720h; 0 for no expiry"),
	}
}

// signer reads the private key and returns the function that makes a token, with the expiry that was asked for.
func (m minting) signer() (func(token.Claims) (string, error), error) {
	text, err := os.ReadFile(*m.key)
	if err != nil {
		return nil, fmt.Errorf("reading the private key: %w", err)
	}
	key, err := token.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", *m.key, err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key, Audience: *m.audience})
	if err != nil {
		return nil, err
	}
	return func(claims token.Claims) (string, error) {
		if *m.valid != 0 {
			claims.Expires = time.Now().Add(*m.valid)
		}
		return signer.Mint(claims)
	}, nil
}
