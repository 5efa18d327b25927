package rest

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/token"
)

// Access is what a token allows.
type Access struct {
	Account  string
	Owner    string // see qstash.Account
	ReadOnly bool
	Blocked  meter.Block // see qstash.Account

	// Bounds are claims whose MayDeliver bounds where messages may be sent to; nil: anywhere.
	Bounds *token.Claims
}

// Authenticator finds out what a token allows. A token that allows nothing is ErrUnauthorized.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (Access, error)
}

// ErrUnauthorized refuses a token.
var ErrUnauthorized = errors.New("unauthorized")

// Envelope puts a password into the form that clients expect of a token.
func Envelope(account, password string) string {
	text, err := json.Marshal(envelope{account, password}) // #nosec G117 -- it is what clients send
	if err != nil {
		panic(fmt.Sprintf("rest: encode a token: %v", err)) // strings always can be
	}
	return base64.StdEncoding.EncodeToString(text)
}

type envelope struct {
	UserID   string
	Password string
}

// maxToken bounds what is decoded of a token, in bytes.
const maxToken = 8 << 10

func openEnvelope(text string) (envelope, bool) {
	var e envelope
	if text == "" || len(text) > maxToken {
		return e, false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		if raw, err = base64.RawStdEncoding.DecodeString(text); err != nil {
			return e, false
		}
	}
	err = json.Unmarshal(raw, &e)
	return e, err == nil && e.UserID != "" && e.Password != ""
}

// Tokens authenticates tokens of package token against the accounts' records.
type Tokens struct {
	Engine   *qstash.Engine
	Verifier *token.Verifier
}

// Authenticate implements Authenticator.
func (t Tokens) Authenticate(ctx context.Context, text string) (Access, error) {
	e, ok := openEnvelope(text)
	if !ok {
		return Access{}, ErrUnauthorized
	}
	ctx = t.Engine.Ahead(ctx, e.UserID)
	claims, err := t.Verifier.Verify(ctx, e.Password)
	if errors.Is(err, token.ErrKeysUnavailable) {
		return Access{}, fmt.Errorf("verify the token: %w", err)
	}
	if err != nil || !claims.Allows(token.ProductQStash) || claims.Resource != e.UserID {
		return Access{}, ErrUnauthorized
	}
	acct, err := t.Engine.Account(ctx, claims.Resource)
	if errors.Is(err, qstash.ErrNoAccount) {
		return Access{}, ErrUnauthorized
	}
	if err != nil {
		return Access{}, err
	}
	if claims.Withdrawn(acct.CredentialGeneration, acct.Revoked) {
		return Access{}, ErrUnauthorized
	}
	a := Access{Account: acct.ID, Owner: acct.Owner, ReadOnly: claims.Scope != token.ReadWrite, Blocked: acct.Blocked}
	if len(claims.Destinations) > 0 {
		a.Bounds = &claims
	}
	return a, nil
}

// Fixed authenticates one token that is known in advance, for development.
type Fixed struct {
	Token   string
	Account string
}

// Authenticate implements Authenticator.
func (f Fixed) Authenticate(_ context.Context, text string) (Access, error) {
	if f.Token == "" || subtle.ConstantTimeCompare([]byte(text), []byte(f.Token)) != 1 {
		return Access{}, ErrUnauthorized
	}
	return Access{Account: f.Account}, nil
}
