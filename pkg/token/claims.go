package token

import (
	"errors"
	"slices"
	"time"
)

// Defaults of the issuer and the audience.
const (
	DefaultIssuer   = "skystash"
	DefaultAudience = "skystash"
)

// Products that a token can name.
const (
	ProductRedis  = "redis"
	ProductQStash = "qstash"
)

// Scope says what the bearer may do.
type Scope string

const (
	ReadWrite Scope = "rw" // everything
	ReadOnly  Scope = "ro" // read commands only
)

// Claims is what a token says.
type Claims struct {
	CredentialID string    // names this token in a revocation (jti)
	Resource     string    // id of the resource it opens, e.g. of a database (res)
	Products     []string  // products it opens it with; must not be changed
	Scope        Scope     // what the bearer may do
	Rules        []string  // further bounds of that, in the product's words; nil: none. Must not be changed
	Generation   int64     // the resource's credential generation it was issued for
	Topics       TopicRule // of Kafka: the topics it is for; zero: all
	Groups       GroupRule // of Kafka: the groups it may use; zero: all
	Destinations []string  // of QStash: where it may have messages sent, see MayDeliver; nil: anywhere
	IssuedAt     time.Time // zero when minting: now
	NotBefore    time.Time // zero: valid at once
	Expires      time.Time // zero: does not expire

	KeyID string // of the key that signed it; Verify sets it, Mint does not look at it
}

// Allows reports whether the token may be used with a product.
func (c Claims) Allows(product string) bool { return slices.Contains(c.Products, product) }

// Revocations are the credentials of a resource that were revoked one by one; see package revoked.
type Revocations interface {
	Has(credentialID string) bool
}

// Withdrawn reports whether a resource has taken the token back: its credentials have been reset since
// the token was issued, or the token's own has been revoked. The generation and the revocations, nil if
// there are none, are those of the resource's record. Verify cannot know: each product asks with its
// record at hand.
func (c Claims) Withdrawn(generation int64, revoked Revocations) bool {
	return c.Generation != generation || revoked != nil && revoked.Has(c.CredentialID)
}

// check says what a token must at least hold to be of use.
func (c Claims) check() error {
	switch {
	case c.CredentialID == "":
		return errors.New("no credential id")
	case c.Resource == "":
		return errors.New("no resource")
	case len(c.Products) == 0 || slices.Contains(c.Products, ""):
		return errors.New("no product")
	case c.Scope != ReadWrite && c.Scope != ReadOnly:
		return errors.New("scope is neither rw nor ro")
	case slices.Contains(c.Rules, ""):
		return errors.New("empty rule")
	case c.Expires.Unix() > maxSeconds || c.NotBefore.Unix() > maxSeconds || c.IssuedAt.Unix() > maxSeconds:
		return errors.New("a time after the year 9999")
	case c.Generation < 0:
		return errors.New("negative generation")
	}
	if err := checkDestinations(c.Destinations); err != nil {
		return err
	}
	return errors.Join(c.Topics.check(), c.Groups.check())
}

// Why Verify refuses a token. The texts never contain any part of the token.
var (
	ErrMalformed   = errors.New("token is malformed")
	ErrSignature   = errors.New("token signature is invalid")
	ErrUnknownKey  = errors.New("token is signed with an unknown key")
	ErrIssuer      = errors.New("token is of another issuer")
	ErrAudience    = errors.New("token is for another deployment")
	ErrProduct     = errors.New("token is for another product")
	ErrExpired     = errors.New("token has expired")
	ErrNotYetValid = errors.New("token is not valid yet")
)

// ErrKeysUnavailable says nothing about a token: the keys to check it with could not be read.
var ErrKeysUnavailable = errors.New("token keys cannot be read")
