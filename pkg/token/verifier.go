package token

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MaxLength is the length of the longest token that is looked at, in bytes.
	MaxLength = 4096

	// Leeway is how far the clocks of whoever mints and whoever verifies may
	// be apart.
	Leeway = 5 * time.Second

	// DefaultCacheSize is the number of verified tokens that a Verifier
	// remembers unless told otherwise.
	DefaultCacheSize = 4096
)

// VerifierConfig is what a Verifier needs.
type VerifierConfig struct {
	Keys      []ed25519.PublicKey // tokens of any of them are good; at least one, unless there is Published
	Issuer    string              // "": DefaultIssuer
	Audience  string              // "": DefaultAudience
	Product   string              // product that tokens must name; "": any
	CacheSize int                 // verified tokens to remember; 0: DefaultCacheSize
	Now       func() time.Time    // nil: time.Now

	// Published, if not nil, has the keys that a deployment has published: they are good
	// besides Keys, and those retired are not, even if they are among Keys. They are read
	// every few seconds at most, whatever tokens come in, and hardly ever by a call of their own:
	// see Directory.
	Published Directory
}

// Verifier checks tokens. It is safe for concurrent use and remembers the
// tokens it found good, so that checking one again costs a map lookup.
type Verifier struct {
	now     func() time.Time
	product string
	parser  *jwt.Parser
	keys    *keySource
	cache   *cache
}

// NewVerifier makes a Verifier.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	if len(cfg.Keys) == 0 && cfg.Published == nil {
		return nil, errors.New("token verifier: no public key")
	}
	keys := make(map[string]ed25519.PublicKey, len(cfg.Keys))
	for _, key := range cfg.Keys {
		if len(key) != ed25519.PublicKeySize {
			return nil, errors.New("token verifier: a key is no Ed25519 public key")
		}
		keys[KeyID(key)] = key
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Verifier{
		now:     cfg.Now,
		product: cfg.Product,
		keys:    newKeySource(keys, cfg.Published, cfg.Now),
		cache:   newCache(cmp.Or(cfg.CacheSize, DefaultCacheSize)),
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
			jwt.WithIssuer(cmp.Or(cfg.Issuer, DefaultIssuer)),
			jwt.WithAudience(cmp.Or(cfg.Audience, DefaultAudience)),
			jwt.WithTimeFunc(cfg.Now),
			jwt.WithLeeway(Leeway),
			jwt.WithStrictDecoding(),
		),
	}, nil
}

// Verify checks a token's signature and claims and returns what it says. Errors
// are or wrap one of ErrMalformed, ErrSignature, ErrUnknownKey, ErrIssuer,
// ErrAudience, ErrProduct, ErrExpired and ErrNotYetValid, which say something about the
// token, and ErrKeysUnavailable, which does not.
//
// The context is that of the request which the token has come with.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if claims := v.cache.get(token); claims != nil {
		if err := v.recheck(ctx, claims); err != nil {
			return Claims{}, err
		}
		return *claims, nil
	}
	claims, err := v.parse(ctx, token)
	if err != nil {
		return Claims{}, err
	}
	v.cache.put(token, claims)
	return claims, nil
}

// Recheck checks claims of a token that Verify has found good before: the key that signed it may have been
// retired since, and its time may be over. The errors are those of Verify.
func (v *Verifier) Recheck(ctx context.Context, claims Claims) error { return v.recheck(ctx, &claims) }

func (v *Verifier) recheck(ctx context.Context, claims *Claims) error {
	_, now, err := v.keys.find(ctx, claims.KeyID)
	if err != nil {
		return err
	}
	return validAt(claims, now)
}

// validAt judges the time claims of a token that was valid once.
func validAt(c *Claims, now time.Time) error {
	switch {
	case !c.Expires.IsZero() && !now.Before(c.Expires.Add(Leeway)):
		return ErrExpired
	case now.Before(c.NotBefore.Add(-Leeway)):
		return ErrNotYetValid
	}
	return nil
}

func (v *Verifier) parse(ctx context.Context, token string) (Claims, error) {
	if len(token) > MaxLength {
		return Claims{}, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxLength)
	}
	if strings.ContainsAny(token, "\r\n") { // which base64 passes over: a token has one text
		return Claims{}, ErrMalformed
	}
	var jc jwtClaims
	parsed, err := v.parser.ParseWithClaims(token, &jc, func(t *jwt.Token) (any, error) {
		if _, ok := t.Header["crit"]; ok {
			return nil, ErrMalformed // names what must be understood, and nothing is (RFC 7515, 4.1.11)
		}
		kid, _ := t.Header["kid"].(string)
		key, _, err := v.keys.find(ctx, kid)
		return key, err
	})
	if errors.Is(err, ErrKeysUnavailable) {
		return Claims{}, err
	}
	if err != nil {
		return Claims{}, refusal(err)
	}
	kid, _ := parsed.Header["kid"].(string)
	claims := jc.claims()
	claims.KeyID = kid
	if err := claims.check(); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if v.product != "" && !claims.Allows(v.product) {
		return Claims{}, ErrProduct
	}
	return claims, nil
}

// Resource returns the resource that a token names, "" if it names none. The token is not checked:
// callers may read the resource's record ahead, and answer nothing before Verify.
func (v *Verifier) Resource(token string) string {
	if claims := v.cache.get(token); claims != nil {
		return claims.Resource
	}
	if len(token) > MaxLength {
		return ""
	}
	var jc jwtClaims
	if _, _, err := v.parser.ParseUnverified(token, &jc); err != nil {
		return ""
	}
	return jc.Resource
}

// Unverified reads what a token says, if it is true or not. It is for tools of those who have just made the
// token, or have been given it to look at: nothing may be opened by it.
func Unverified(text string) (Claims, error) {
	if len(text) > MaxLength {
		return Claims{}, ErrMalformed
	}
	var jc jwtClaims
	parsed, _, err := jwt.NewParser(jwt.WithStrictDecoding()).ParseUnverified(text, &jc)
	if err != nil {
		return Claims{}, ErrMalformed
	}
	claims := jc.claims()
	claims.KeyID, _ = parsed.Header["kid"].(string)
	return claims, claims.check()
}

// claims are the payload as callers know it.
func (jc *jwtClaims) claims() Claims {
	return Claims{
		CredentialID: jc.ID,
		Resource:     jc.Resource,
		Products:     jc.Products,
		Scope:        jc.Scope,
		Rules:        jc.Rules,
		Generation:   jc.Generation,
		Topics:       jc.Topics,
		Groups:       jc.Groups,
		Destinations: jc.Destinations,
		IssuedAt:     timeOf(jc.IssuedAt),
		NotBefore:    timeOf(jc.NotBefore),
		Expires:      timeOf(jc.ExpiresAt),
	}
}

func timeOf(d *seconds) time.Time {
	if d == nil {
		return time.Time{}
	}
	return d.Time
}

// refusal maps the parser's error to ours. The parser's texts are dropped: they
// may quote what the token holds. It reports the claims together, so the order
// decides: what will never be right comes before what time may change.
func refusal(err error) error {
	for _, m := range []struct{ theirs, ours error }{
		{ErrUnknownKey, ErrUnknownKey},
		{jwt.ErrTokenMalformed, ErrMalformed},
		{jwt.ErrTokenSignatureInvalid, ErrSignature},
		{jwt.ErrTokenInvalidIssuer, ErrIssuer},
		{jwt.ErrTokenInvalidAudience, ErrAudience},
		{jwt.ErrTokenRequiredClaimMissing, ErrMalformed},
		{jwt.ErrTokenExpired, ErrExpired},
		{jwt.ErrTokenNotValidYet, ErrNotYetValid},
	} {
		if errors.Is(err, m.theirs) {
			return m.ours
		}
	}
	return ErrMalformed
}
