package token

import (
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// SignerConfig is what a Signer needs.
type SignerConfig struct {
	Key      ed25519.PrivateKey
	Issuer   string           // "": DefaultIssuer
	Audience string           // "": DefaultAudience
	Now      func() time.Time // nil: time.Now
}

// Signer mints tokens. It is safe for concurrent use.
type Signer struct {
	cfg SignerConfig
	kid string
}

// NewSigner makes a Signer.
func NewSigner(cfg SignerConfig) (*Signer, error) {
	if len(cfg.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("token signer: no Ed25519 private key")
	}
	cfg.Issuer = cmp.Or(cfg.Issuer, DefaultIssuer)
	cfg.Audience = cmp.Or(cfg.Audience, DefaultAudience)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Signer{cfg: cfg, kid: KeyID(cfg.Key.Public().(ed25519.PublicKey))}, nil
}

// KeyID names the key that tokens are signed with.
func (s *Signer) KeyID() string { return s.kid }

// jwtClaims is the payload as it is written.
type jwtClaims struct {
	jwt.RegisteredClaims          // but for the times, which are those below
	IssuedAt             *seconds `json:"iat,omitempty"`
	NotBefore            *seconds `json:"nbf,omitempty"`
	ExpiresAt            *seconds `json:"exp,omitempty"`

	Resource   string   `json:"res"`
	Products   []string `json:"products"`
	Scope      Scope    `json:"scope"`
	Rules      []string `json:"acl,omitempty"`
	Generation int64    `json:"gen"`

	Topics       TopicRule `json:"topics,omitzero"`
	Groups       GroupRule `json:"groups,omitempty"`
	Destinations []string  `json:"dest,omitempty"`
}

// seconds is a time. Unlike jwt.NumericDate it refuses texts, and numbers that are no times: these overflow, and a token that is to
// begin at the end of all times would be good at once.
type seconds struct{ jwt.NumericDate }

// maxSeconds is the end of the year 9999.
const maxSeconds = 253402300799

// UnmarshalJSON implements json.Unmarshaler.
func (s *seconds) UnmarshalJSON(b []byte) error {
	if f, err := strconv.ParseFloat(string(b), 64); err != nil || f < -maxSeconds || f > maxSeconds {
		return errors.New("token: a time that is none")
	}
	return s.NumericDate.UnmarshalJSON(b)
}

func secondsOf(t time.Time) *seconds { return &seconds{*jwt.NewNumericDate(t)} }

// date is what the parser wants to know.
func (s *seconds) date() (*jwt.NumericDate, error) {
	if s == nil {
		return nil, nil
	}
	return &s.NumericDate, nil
}

// GetExpirationTime implements jwt.Claims.
func (jc *jwtClaims) GetExpirationTime() (*jwt.NumericDate, error) { return jc.ExpiresAt.date() }

// GetNotBefore implements jwt.Claims.
func (jc *jwtClaims) GetNotBefore() (*jwt.NumericDate, error) { return jc.NotBefore.date() }

// GetIssuedAt implements jwt.Claims.
func (jc *jwtClaims) GetIssuedAt() (*jwt.NumericDate, error) { return jc.IssuedAt.date() }

// Mint makes a token. Times are kept to the second. Claims that Verify would
// refuse at any time are an error.
func (s *Signer) Mint(c Claims) (string, error) {
	if err := c.check(); err != nil {
		return "", fmt.Errorf("minting a token: %w", err)
	}
	if c.IssuedAt.IsZero() {
		c.IssuedAt = s.cfg.Now()
	}
	if c.NotBefore.IsZero() {
		c.NotBefore = c.IssuedAt
	}
	claims := jwtClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:   s.cfg.Issuer,
			Audience: jwt.ClaimStrings{s.cfg.Audience},
			ID:       c.CredentialID,
		},
		IssuedAt:   secondsOf(c.IssuedAt),
		NotBefore:  secondsOf(c.NotBefore),
		Resource:   c.Resource,
		Products:   c.Products,
		Scope:      c.Scope,
		Rules:      c.Rules,
		Generation: c.Generation,
		Topics:     c.Topics,
		Groups:     c.Groups,

		Destinations: c.Destinations,
	}
	if !c.Expires.IsZero() {
		if !c.Expires.After(c.NotBefore) {
			return "", errors.New("minting a token: it would expire before it is valid")
		}
		claims.ExpiresAt = secondsOf(c.Expires)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, &claims)
	t.Header["kid"] = s.kid
	signed, err := t.SignedString(s.cfg.Key)
	if err != nil {
		return "", fmt.Errorf("minting a token: %w", err)
	}
	if len(signed) > MaxLength {
		return "", fmt.Errorf("minting a token: its rules make it %d bytes long, at most %d", len(signed), MaxLength)
	}
	return signed, nil
}
